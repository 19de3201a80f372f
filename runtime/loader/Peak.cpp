// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Peak rates of the processors of a pool: multiply-adds in registers, and
// reading more memory than caches hold.
#include "hone/runtime.h"
#include "runtime/core/CpuLevel.h"
#include "runtime/core/Profile.h"

#include <emmintrin.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace hone;

namespace {

#define HONE_TWELVE(OP)                                                        \
  OP(0) OP(1) OP(2) OP(3) OP(4) OP(5) OP(6) OP(7) OP(8) OP(9) OP(10) OP(11)
#define HONE_TWELVE_CLOBBERED                                                  \
  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",      \
      "xmm9", "xmm10", "xmm11", "xmm12"

/// Independent multiply-adds of zeros, which never take a microcode assist. In
/// assembly, since there is nothing to compute.
#define HONE_MULTIPLY_ADDS(NAME, CLEAR, OP, END)                               \
  void NAME(int64_t rounds) {                                                  \
    for (int64_t i = 0; i < rounds; ++i)                                       \
      __asm__ volatile(CLEAR HONE_TWELVE(OP) HONE_TWELVE(OP) HONE_TWELVE(OP)   \
                           HONE_TWELVE(OP) END ::                              \
                               : HONE_TWELVE_CLOBBERED);                       \
  }
#define HONE_SSE(i) "mulps %%xmm12, %%xmm" #i "\n addps %%xmm12, %%xmm" #i "\n"
#define HONE_AVX2(i) "vfmadd231ps %%ymm12, %%ymm12, %%ymm" #i "\n"
#define HONE_AVX512(i) "vfmadd231ps %%zmm12, %%zmm12, %%zmm" #i "\n"
#define HONE_CLEAR_SSE(i) "xorps %%xmm" #i ", %%xmm" #i "\n"
#define HONE_CLEAR_AVX(i) "vxorps %%xmm" #i ", %%xmm" #i ", %%xmm" #i "\n"
HONE_MULTIPLY_ADDS(multiplyAddsSse,
                   HONE_TWELVE(HONE_CLEAR_SSE) "xorps %%xmm12, %%xmm12\n",
                   HONE_SSE, "")
HONE_MULTIPLY_ADDS(
    multiplyAddsAvx2,
    HONE_TWELVE(HONE_CLEAR_AVX) "vxorps %%xmm12, %%xmm12, %%xmm12\n", HONE_AVX2,
    "vzeroupper\n")
HONE_MULTIPLY_ADDS(
    multiplyAddsAvx512,
    HONE_TWELVE(HONE_CLEAR_AVX) "vxorps %%xmm12, %%xmm12, %%xmm12\n",
    HONE_AVX512, "vzeroupper\n")
constexpr int64_t vectorsPerRound = 4 * 12;

/// Work of one kind in equal pieces.
struct Work {
  void (*multiplyAdds)(int64_t rounds);
  int64_t rounds;
  char *memory; ///< to be read, or written once
  bool writes;
};
constexpr int64_t pieceBytes = int64_t(1) << 20;

void readAll(const char *memory) {
  auto *vectors = reinterpret_cast<const __m128i *>(memory);
  __m128i a = _mm_setzero_si128(), b = a, c = a, d = a;
  for (int64_t i = 0; i < pieceBytes / 16; i += 4) {
    a = _mm_or_si128(a, vectors[i]);
    b = _mm_or_si128(b, vectors[i + 1]);
    c = _mm_or_si128(c, vectors[i + 2]);
    d = _mm_or_si128(d, vectors[i + 3]);
  }
  a = _mm_or_si128(_mm_or_si128(a, b), _mm_or_si128(c, d));
  __asm__ volatile("" ::"x"(a));
}

int32_t runPieces(void *task, int64_t begin, int64_t end, int64_t) {
  const Work &work = *static_cast<Work *>(task);
  for (int64_t piece = begin; piece < end; ++piece)
    if (!work.memory)
      work.multiplyAdds(work.rounds);
    else if (work.writes)
      memset(work.memory + piece * pieceBytes, 1, size_t(pieceBytes));
    else
      readAll(work.memory + piece * pieceBytes);
  return 0;
}

int64_t timeOf(const hone_pool *pool, int64_t pieces, Work work) {
  int64_t begin = now();
  if (pool)
    pool->run(pool->self, pieces, runPieces, &work);
  else
    runPieces(&work, 0, pieces, 0);
  return now() - begin;
}

constexpr int64_t patience = 60'000'000; ///< for each of the two rates

/// FLOP per second, the best of several tries.
double measureCompute(const hone_pool *pool, hone_peak &peak) {
  uint64_t features = cpuFeatures();
  Work work = {};
  work.multiplyAdds = multiplyAddsSse;
  peak.vector_bits = 128;
  if (features & HONE_CPU_AVX512F) {
    work.multiplyAdds = multiplyAddsAvx512;
    peak.vector_bits = 512;
  } else if ((features & HONE_CPU_AVX2) && (features & HONE_CPU_FMA)) {
    work.multiplyAdds = multiplyAddsAvx2;
    peak.vector_bits = 256;
  }
  work.rounds = 4096; // about 30 us
  int64_t pieces = 32 * int64_t(peak.threads);
  double flop = double(pieces * work.rounds * vectorsPerRound *
                       peak.vector_bits / 32 * 2);
  double best = 0;
  for (int64_t begin = now(); now() - begin < patience;) {
    double rate = flop / double(timeOf(pool, pieces, work)) * 1e9;
    best = rate > best ? rate : best;
  }
  return best;
}

/// Bytes read per second; 0 if there is no memory to read.
double measureMemory(const hone_pool *pool) {
  // Several times the last-level cache, within reason: some systems report the
  // sum over all processors.
  constexpr int64_t least = int64_t(64) << 20, most = int64_t(256) << 20;
  int64_t bytes = 4 * int64_t(sysconf(_SC_LEVEL3_CACHE_SIZE));
  bytes = bytes < least ? least : bytes > most ? most : bytes;
  void *memory = mmap(nullptr, size_t(bytes), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return 0;
  madvise(memory, size_t(bytes), MADV_HUGEPAGE);
  Work work = {};
  work.memory = static_cast<char *>(memory);
  work.writes = true;
  int64_t pieces = bytes / pieceBytes;
  timeOf(pool, pieces, work);
  work.writes = false;
  double best = 0;
  for (int64_t begin = now(); now() - begin < patience || best == 0;) {
    double rate = double(bytes) / double(timeOf(pool, pieces, work)) * 1e9;
    best = rate > best ? rate : best;
  }
  munmap(memory, size_t(bytes));
  return best;
}

} // namespace

int32_t hone_measure_peak(const hone_pool *pool, hone_peak *peak) {
  if (!peak)
    return HONE_WRONG_CALL;
  *peak = {};
  if (pool && !pool->acquire(pool->self))
    return HONE_WRONG_CALL;
  peak->threads = pool ? int32_t(pool->threads) : 1;
  peak->flop_per_second = measureCompute(pool, *peak);
  peak->bytes_per_second = measureMemory(pool);
  if (pool)
    pool->release(pool->self);
  if (peak->bytes_per_second > 0)
    return HONE_OK;
  *peak = {};
  return HONE_OUT_OF_MEMORY;
}

double hone_peak_seconds(const hone_peak *peak, int64_t flop, int64_t bytes,
                         int32_t *bound) {
  double compute = 0, memory = 0;
  if (peak && flop > 0 && peak->flop_per_second > 0)
    compute = double(flop) / peak->flop_per_second;
  if (peak && bytes > 0 && peak->bytes_per_second > 0)
    memory = double(bytes) / peak->bytes_per_second;
  if (bound)
    *bound = compute >= memory
                 ? compute > 0 ? HONE_BOUND_COMPUTE : HONE_BOUND_NONE
                 : HONE_BOUND_MEMORY;
  return compute > memory ? compute : memory;
}
