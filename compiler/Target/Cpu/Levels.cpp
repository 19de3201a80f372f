// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// CPU levels from their names.
#include "compiler/Target/Cpu/Levels.h"
#include "hone/abi.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/Triple.h"
#include <mutex>
#include <unistd.h>

using namespace llvm;
using namespace hone;

namespace {
struct Feature {
  const char *name;
  uint64_t bit;
};
} // namespace

static constexpr Feature kFeatures[] = {
    {"sse3", HONE_CPU_SSE3},
    {"ssse3", HONE_CPU_SSSE3},
    {"sse4.1", HONE_CPU_SSE41},
    {"sse4.2", HONE_CPU_SSE42},
    {"popcnt", HONE_CPU_POPCNT},
    {"cx16", HONE_CPU_CX16},
    {"sahf", HONE_CPU_LAHF},
    {"avx", HONE_CPU_AVX},
    {"avx2", HONE_CPU_AVX2},
    {"bmi", HONE_CPU_BMI1},
    {"bmi2", HONE_CPU_BMI2},
    {"f16c", HONE_CPU_F16C},
    {"fma", HONE_CPU_FMA},
    {"lzcnt", HONE_CPU_LZCNT},
    {"movbe", HONE_CPU_MOVBE},
    {"avx512f", HONE_CPU_AVX512F},
    {"avx512bw", HONE_CPU_AVX512BW},
    {"avx512cd", HONE_CPU_AVX512CD},
    {"avx512dq", HONE_CPU_AVX512DQ},
    {"avx512vl", HONE_CPU_AVX512VL},
    {"avx512vnni", HONE_CPU_AVX512VNNI},
    {"avx512bf16", HONE_CPU_AVX512BF16},
    {"avx512fp16", HONE_CPU_AVX512FP16},
    {"avx512vbmi", HONE_CPU_AVX512VBMI},
    {"avxvnni", HONE_CPU_AVXVNNI},
    {"amx-tile", HONE_CPU_AMX_TILE},
    {"amx-int8", HONE_CPU_AMX_INT8},
    {"amx-bf16", HONE_CPU_AMX_BF16},
};

void hone::initializeCpuTarget() {
  static std::once_flag once;
  std::call_once(once, [] {
    InitializeNativeTarget();
    InitializeNativeTargetAsmPrinter();
    InitializeNativeTargetAsmParser();
  });
}

/// Does not rely on CPU features that the runtime cannot test for, or that
/// kernels never use.
static std::string hostFeatures() {
  std::string list;
  StringMap<bool> host = sys::getHostCPUFeatures();
  for (const Feature &feature : kFeatures) {
    auto it = host.find(feature.name);
    if (it == host.end())
      continue;
    list += (list.empty() ? "" : ",") + std::string(it->second ? "+" : "-") +
            feature.name;
  }
  return list;
}

/// The caches of this machine, as far as the system knows them.
static void readCaches(CpuMachine &machine) {
  auto read = [](int name, int64_t &value) {
    if (long told = sysconf(name); told > 0)
      value = told;
  };
  read(_SC_LEVEL1_DCACHE_SIZE, machine.l1Bytes);
  read(_SC_LEVEL1_DCACHE_ASSOC, machine.l1Ways);
  read(_SC_LEVEL2_CACHE_SIZE, machine.l2Bytes);
}

/// Whether processors of this name have AMX, even if a virtual machine hides
/// it. Those multiply matrices of bf16; their dot products of vectors are for
/// compatibility, half as fast as multiply-adds of f32.
static bool hasMatrices(const Target &target, const Triple &triple,
                        StringRef cpu) {
  std::unique_ptr<MCSubtargetInfo> info(
      target.createMCSubtargetInfo(triple, cpu, ""));
  return info && info->checkFeatures("+amx-bf16");
}

/// Before the name of a level whose instructions are emulated, for tests.
static constexpr StringLiteral kEmulated = "emulated-";

static Expected<CpuLevel> parseLevel(StringRef name) {
  if (StringRef other = name; other.consume_front(kEmulated)) {
    Expected<CpuLevel> host = parseLevel("native"), level = parseLevel(other);
    if (!host || !level)
      return joinErrors(host.takeError(), level.takeError());
    host->name = name.str();
    level->machine.name = name.str();
    level->machine.emulated = 1;
    host->machine = std::move(level->machine);
    return host;
  }
  CpuLevel level;
  level.name = name.str();
  level.cpu = name == "native" ? sys::getHostCPUName().str() : name.str();
  if (name == "native")
    level.features = hostFeatures();
  std::string error;
  Triple triple(sys::getDefaultTargetTriple());
  const Target *target = TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return createStringError(error);
  // Asks a generic processor first: LLVM prints a warning for unknown names.
  std::unique_ptr<MCSubtargetInfo> info(
      target->createMCSubtargetInfo(triple, "", ""));
  if (info && info->isCPUStringValid(level.cpu))
    info.reset(
        target->createMCSubtargetInfo(triple, level.cpu, level.features));
  else
    info.reset();
  if (!info || !info->checkFeatures("+64bit"))
    return createStringError(
        "unknown CPU level '" + name +
        "'; known are native, x86-64-v2, x86-64-v3, x86-64-v4 and "
        "LLVM's names of 64-bit x86 processors");
  for (const Feature &feature : kFeatures)
    if (info->checkFeatures(std::string("+") + feature.name))
      level.required |= feature.bit;
  auto has = [&](uint64_t bits) { return (level.required & bits) == bits; };
  level.machine = *machineOfLevel(has(HONE_CPU_LEVEL_V4) ? "x86-64-v4"
                                  : has(HONE_CPU_AVX2)   ? "x86-64-v3"
                                                         : "x86-64-v2");
  level.machine.name = level.name;
  level.machine.fma = has(HONE_CPU_FMA);
  level.machine.byteDot = has(
      level.machine.vectorBits == 512 ? HONE_CPU_AVX512VNNI : HONE_CPU_AVXVNNI);
  level.machine.bytePermute =
      level.machine.vectorBits == 512 && has(HONE_CPU_AVX512VBMI);
  if (level.machine.vectorBits == 512 && has(HONE_CPU_AVX512BF16))
    level.machine.bf16Dot = hasMatrices(*target, triple, level.cpu) ? 4 : 1;
  level.machine.byteMatrix = has(HONE_CPU_AMX_TILE | HONE_CPU_AMX_INT8);
  level.machine.bf16Matrix = has(HONE_CPU_AMX_TILE | HONE_CPU_AMX_BF16);
  if (name == "native")
    readCaches(level.machine);
  return level;
}

Expected<std::vector<CpuLevel>> hone::parseCpuLevels(StringRef list,
                                                     int64_t threads) {
  if (threads < 0 || threads > kMaxThreads)
    return createStringError("a run has from 1 to " + Twine(kMaxThreads) +
                             " threads, or 0 if unknown");
  initializeCpuTarget();
  std::vector<CpuLevel> levels;
  SmallVector<StringRef> names;
  list.split(names, ',');
  for (StringRef name : names) {
    Expected<CpuLevel> level = parseLevel(name.trim());
    if (!level)
      return level.takeError();
    level->machine.threads = threads;
    bool known = any_of(levels, [&](const CpuLevel &other) {
      return other.name == level->name;
    });
    if (!known)
      levels.push_back(std::move(*level));
  }
  // A level that needs more features comes later; ties keep their order.
  for (size_t i = 1; i < levels.size(); ++i)
    for (size_t j = i; j > 0 && popcount(levels[j].required) <
                                    popcount(levels[j - 1].required);
         --j)
      std::swap(levels[j], levels[j - 1]);
  return levels;
}
