// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Chips from their names.
#include "compiler/Target/Cuda/Chips.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Config/llvm-config.h"
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

/// The oldest chip with asynchronous copies to shared memory, which products
/// use.
static constexpr unsigned kOldest = 80;

/// The PTX version that kernels need; LLVM raises it for chips that need more.
static std::string ptxFeature(unsigned version) {
  return version <= 90 && version != 88 ? "+ptx80" : "";
}

/// The chips that LLVM has code for, the oldest first.
static Expected<std::vector<GpuChip>> llvmChips() {
  initializeCudaTarget();
  std::string error;
  Triple triple("nvptx64-nvidia-cuda");
  const Target *target = TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return createStringError(error);
  std::unique_ptr<MCSubtargetInfo> known(
      target->createMCSubtargetInfo(triple, "", ""));
  std::vector<GpuChip> chips;
  for (const SubtargetSubTypeKV &processor :
       known->getAllProcessorDescriptions()) {
    GpuChip chip;
    chip.name = processor.Key;
    StringRef number = chip.name;
    if (!number.consume_front("sm_") ||
        number.take_while(isDigit).getAsInteger(10, chip.version) ||
        chip.version < kOldest)
      continue;
    chip.portable = isDigit(chip.name.back());
    chip.features = ptxFeature(chip.version);
    chip.machine = machineOfChip(chip.name);
    chips.push_back(chip);
  }
  llvm::sort(chips, [](const GpuChip &a, const GpuChip &b) {
    return std::tie(a.version, a.name) < std::tie(b.version, b.name);
  });
  return chips;
}

/// Explains why there is no code for a chip, and for which chips there is.
static Error noCodeFor(StringRef name, ArrayRef<GpuChip> known,
                       const AssemblerChips *assembler) {
  auto isKnown = [&](StringRef chip) {
    return is_contained(map_range(known, [](auto &c) { return c.name; }), chip);
  };
  auto isAssembled = [&](StringRef chip) {
    return assembler && is_contained(assembler->names, chip);
  };
  std::string who = "LLVM " LLVM_VERSION_STRING, problem;
  if (isKnown(name)) {
    problem = " is known to " + who + " but not to '" + assembler->path + "'";
  } else if (isAssembled(name)) {
    problem = " is known to '" + assembler->path + "' but not to " + who;
  } else {
    problem = " is unknown to " + who;
    if (assembler)
      problem += " and to '" + assembler->path + "'";
  }
  std::string list;
  for (const GpuChip &chip : known)
    if (!assembler || isAssembled(chip.name))
      list += (list.empty() ? "" : ", ") + chip.name;
  return createStringError("the GPU '" + name + "'" + problem + "; there are " +
                           list);
}

Expected<std::vector<GpuChip>>
hone::parseGpuChips(StringRef list, const AssemblerChips *assembler) {
  Expected<std::vector<GpuChip>> known = llvmChips();
  if (!known)
    return known.takeError();
  std::vector<GpuChip> chips;
  SmallVector<StringRef> names(split(list, ','));
  for (const GpuChip &chip : *known)
    if (is_contained(names, chip.name) &&
        (!assembler || is_contained(assembler->names, chip.name)))
      chips.push_back(chip);
  for (StringRef name : names) {
    unsigned version;
    StringRef number = name;
    if (number.consume_front("sm_") &&
        !number.take_while(isDigit).getAsInteger(10, version) &&
        version < kOldest)
      return createStringError("'" + name +
                               "' is older than sm_80, the oldest "
                               "GPU that is supported");
    if (!is_contained(map_range(chips, [](auto &c) { return c.name; }), name))
      return noCodeFor(name, *known, assembler);
  }
  return chips;
}

GpuChip hone::portableChip(ArrayRef<GpuChip> chips) {
  for (const GpuChip &chip : reverse(chips))
    if (chip.portable)
      return chip;
  return {"sm_80", ptxFeature(80), 80, machineOfChip("sm_80"), true};
}
