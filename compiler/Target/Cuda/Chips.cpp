// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Chips from their names.
#include "compiler/Target/Cuda/Chips.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Triple.h"
#include <mutex>
#include <tuple>

using namespace llvm;
using namespace hone;

void hone::initializeCudaTarget() {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
  });
}

/// The oldest version of PTX that knows a chip and what its kernels use.
static StringRef ptxFeature(unsigned version) {
  if (version <= 90)
    return "+ptx80";
  if (version <= 101)
    return "+ptx86";
  if (version <= 120)
    return "+ptx87";
  return "+ptx88";
}

Expected<std::vector<GpuChip>> hone::parseGpuChips(StringRef list) {
  constexpr unsigned oldest = 75;
  initializeCudaTarget();
  std::string error;
  Triple triple("nvptx64-nvidia-cuda");
  const Target *target = TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return createStringError(error);
  std::vector<GpuChip> chips;
  for (StringRef name : split(list, ',')) {
    GpuChip chip;
    chip.name = name.str();
    StringRef number = name;
    bool hasPrefix = number.consume_front("sm_");
    number = number.take_while(isDigit);
    std::unique_ptr<MCSubtargetInfo> known(
        target->createMCSubtargetInfo(triple, "", ""));
    if (!hasPrefix || number.getAsInteger(10, chip.version) ||
        !known->isCPUStringValid(name))
      return createStringError("unknown GPU '" + name +
                               "'; name chips like sm_80 or sm_90a");
    if (chip.version < oldest)
      return createStringError("'" + name +
                               "' is older than sm_75, the oldest "
                               "GPU that is supported");
    chip.portable = isDigit(name.back());
    chip.features = ptxFeature(chip.version).str();
    if (!is_contained(map_range(chips, [](auto &c) { return c.name; }),
                      chip.name))
      chips.push_back(chip);
  }
  llvm::sort(chips, [](const GpuChip &a, const GpuChip &b) {
    return std::tie(a.version, a.name) < std::tie(b.version, b.name);
  });
  return chips;
}

GpuChip hone::portableChip(ArrayRef<GpuChip> chips) {
  for (const GpuChip &chip : reverse(chips))
    if (chip.portable)
      return chip;
  return {"sm_80", ptxFeature(80).str(), 80, true};
}
