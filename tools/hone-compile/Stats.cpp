// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Times and sizes of a compilation, as text.
#include "tools/hone-compile/Stats.h"
#include "compiler/Driver/Session.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

using namespace hone;

/// Bytes of an arena, if known before the run.
static std::string arenaText(int64_t bytes) {
  return bytes < 0 ? "depends on the free dimensions"
                   : std::to_string(bytes) + " bytes";
}

/// How the model is split, and what its functions use of the chips.
static void showDeviceStats(const CompileStats &stats) {
  llvm::outs() << "device     " << stats.deviceKernels << " kernels in "
               << stats.deviceCalls << " calls, " << stats.placeCopies
               << " copies to or from the host, arena "
               << arenaText(stats.deviceArenaBytes) << "\n"
               << "on the CPU " << stats.hostKernels.size() << " kernels";
  llvm::StringRef separator = ": ";
  for (const std::string &kernel : stats.hostKernels) {
    llvm::outs() << separator << kernel;
    separator = ", ";
  }
  llvm::outs() << "\n";
  for (const DeviceFunctionStats &function : stats.functions)
    llvm::outs() << llvm::format(
        "%-40s %-8s %4d registers %6d bytes shared "
        "%4d bytes spilled\n",
        function.name.c_str(), function.chip.c_str(), int(function.registers),
        int(function.sharedBytes), int(function.spillBytes));
}

/// One line if it is the same for all levels.
static void showArithmetic(const CompileStats &stats) {
  bool same = llvm::all_equal(llvm::make_second_range(stats.arithmetic));
  for (const auto &[level, summary] : stats.arithmetic) {
    if (summary.empty())
      continue;
    llvm::outs() << "arithmetic ";
    if (!same)
      llvm::outs() << "at " << level << ": ";
    llvm::outs() << summary << "\n";
    if (same)
      break;
  }
}

void hone::showStats(const CompileStats &stats) {
  for (const auto &[phase, seconds] : stats.seconds)
    llvm::outs() << llvm::format("%-10s %8.3f s\n", phase.c_str(), seconds);
  llvm::outs() << "kernels    " << stats.kernels << " in " << stats.calls
               << " calls, " << stats.levels << " levels\n"
               << "arena      " << arenaText(stats.arenaBytes);
  if (stats.arenaBytes >= 0)
    llvm::outs() << ", bound " << stats.lowerBoundBytes;
  llvm::outs() << "\nweights    " << stats.weightBytes << " bytes\ncode       "
               << stats.codeBytes << " bytes\n"
               << "library    " << stats.outputBytes << " bytes\n";
  showArithmetic(stats);
  if (stats.deviceArenaBytes >= 0 || stats.deviceKernels > 0)
    showDeviceStats(stats);
  llvm::outs().flush();
}

void hone::showSummary(llvm::StringRef output, const CompileStats &stats) {
  double seconds = 0;
  for (const auto &[phase, part] : stats.seconds)
    seconds += part;
  llvm::outs() << printable(output) << ": " << stats.outputBytes << " bytes, "
               << stats.kernels
               << (stats.kernels == 1 ? " kernel, " : " kernels, ");
  if (stats.deviceKernels)
    llvm::outs() << stats.deviceKernels << " of them on the device, ";
  llvm::outs() << "weights " << stats.weightBytes << " bytes, arena "
               << arenaText(stats.arenaBytes) << ", for ";
  llvm::interleaveComma(llvm::make_first_range(stats.arithmetic), llvm::outs());
  llvm::outs() << llvm::format(", in %.2f s\n", seconds);
  showArithmetic(stats);
  llvm::outs().flush();
}
