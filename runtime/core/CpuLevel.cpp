// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads the processor's features directly: the compiler's own support needs a
// static constructor. Everything here is baseline x86-64.
#include "runtime/core/CpuLevel.h"

#include <cpuid.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace hone;

namespace {

struct Leaf {
  uint32_t a = 0, b = 0, c = 0, d = 0;
};

Leaf cpuid(uint32_t leaf, uint32_t subleaf = 0) {
  Leaf r;
  __cpuid_count(leaf, subleaf, r.a, r.b, r.c, r.d);
  return r;
}

/// The registers that the system saves, from XCR0.
uint64_t savedState() {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t(high) << 32 | low;
}

constexpr uint64_t ymmState = 0x6;     // SSE, AVX
constexpr uint64_t zmmState = 0xe6;    // and opmask, upper halves, zmm16-31
constexpr uint64_t amxState = 0x60000; // tile configuration and data

} // namespace

uint64_t hone::cpuFeatures() {
  uint32_t highest = cpuid(0).a;
  if (highest < 1)
    return 0;
  uint64_t features = 0;
  auto take = [&](uint32_t word, int bit, uint64_t feature) {
    if (word >> bit & 1)
      features |= feature;
  };

  Leaf one = cpuid(1);
  take(one.c, 0, HONE_CPU_SSE3);
  take(one.c, 9, HONE_CPU_SSSE3);
  take(one.c, 13, HONE_CPU_CX16);
  take(one.c, 19, HONE_CPU_SSE41);
  take(one.c, 20, HONE_CPU_SSE42);
  take(one.c, 22, HONE_CPU_MOVBE);
  take(one.c, 23, HONE_CPU_POPCNT);
  bool hasXgetbv = one.c >> 27 & 1;
  uint64_t state = hasXgetbv ? savedState() : 0;
  bool ymm = (state & ymmState) == ymmState;
  bool zmm = (state & zmmState) == zmmState;
  bool amx = (state & amxState) == amxState;

  if (cpuid(0x80000000).a >= 0x80000001) {
    Leaf extended = cpuid(0x80000001);
    take(extended.c, 0, HONE_CPU_LAHF);
    take(extended.c, 5, HONE_CPU_LZCNT);
  }
  if (ymm) {
    take(one.c, 28, HONE_CPU_AVX);
    take(one.c, 29, HONE_CPU_F16C);
    take(one.c, 12, HONE_CPU_FMA);
  }
  if (highest < 7)
    return features;

  Leaf seven = cpuid(7);
  take(seven.b, 3, HONE_CPU_BMI1);
  take(seven.b, 8, HONE_CPU_BMI2);
  Leaf sevenOne = seven.a >= 1 ? cpuid(7, 1) : Leaf();
  if (ymm) {
    take(seven.b, 5, HONE_CPU_AVX2);
    take(sevenOne.a, 4, HONE_CPU_AVXVNNI);
  }
  if (zmm) {
    take(seven.b, 16, HONE_CPU_AVX512F);
    take(seven.b, 17, HONE_CPU_AVX512DQ);
    take(seven.b, 28, HONE_CPU_AVX512CD);
    take(seven.b, 30, HONE_CPU_AVX512BW);
    take(seven.b, 31, HONE_CPU_AVX512VL);
    take(seven.c, 1, HONE_CPU_AVX512VBMI);
    take(seven.c, 11, HONE_CPU_AVX512VNNI);
    take(seven.d, 23, HONE_CPU_AVX512FP16);
    take(sevenOne.a, 5, HONE_CPU_AVX512BF16);
  }
  if (amx) {
    take(seven.d, 22, HONE_CPU_AMX_BF16);
    take(seven.d, 24, HONE_CPU_AMX_TILE);
    take(seven.d, 25, HONE_CPU_AMX_INT8);
  }
  return features;
}

int32_t hone::usableProcessors() {
  // Larger than cpu_set_t: machines with more than 1024 processors exist.
  unsigned long mask[128] = {};
  long bytes = syscall(SYS_sched_getaffinity, 0, sizeof(mask), mask);
  if (bytes <= 0) {
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? int32_t(online) : 1;
  }
  int32_t count = 0;
  for (unsigned long word : mask)
    for (; word != 0; word &= word - 1)
      ++count;
  return count > 0 ? count : 1;
}

bool hone::enableFeatures(uint64_t features) {
  if (!(features & HONE_CPU_AMX_TILE))
    return true;
  constexpr long requestPermission = 0x1023, tileData = 18;
  return syscall(SYS_arch_prctl, requestPermission, tileData) == 0;
}
