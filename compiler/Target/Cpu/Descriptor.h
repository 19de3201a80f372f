// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The tables of a compiled model, as abi.h lays them out.
#ifndef HONE_COMPILER_TARGET_CPU_DESCRIPTOR_H
#define HONE_COMPILER_TARGET_CPU_DESCRIPTOR_H

#include "llvm/IR/Module.h"
#include <cstdint>
#include <string>
#include <vector>

namespace hone {

struct ValueInfo {
  std::string name;
  std::vector<int64_t> dims;         ///< as in hone_value_info
  std::vector<std::string> dimNames; ///< "" where there is none
  int32_t kind = 1, type = 0, rank = 0, elementKind = 0;
  bool dataDependent =
      false; ///< an output whose shape the free dimensions do not decide
};

struct KernelInfo {
  std::string name;
  int64_t pieces = 1;
};

struct SlotInfo {
  int32_t first, last;
  int64_t bytes, offset;
};

struct LevelInfo {
  std::string name;
  uint64_t features = 0;
  int64_t scratchBytes = 0;
};

struct ModelInfo {
  std::string symbol = "hone_model", name, producer;
  std::vector<ValueInfo> inputs, outputs;
  std::vector<std::string> freeDims, nodes;
  std::vector<SlotInfo> slots;
  int64_t arenaBytes = -1, lowerBoundBytes = -1; ///< -1: the runtime plans
  int64_t weightBytes = 0;
  std::string weightsFile; ///< "" where the weights are in the library
  std::vector<KernelInfo> kernels;
  std::vector<LevelInfo> levels;
  uint32_t memory = 0;
};

/// Name under which a kernel's code for a level is linked.
std::string kernelSymbol(const KernelInfo &kernel, size_t level);

inline constexpr llvm::StringLiteral kWeightsSymbol = "hone_weights";

/// Adds the descriptor and the function that returns it. The module holds the
/// prepare and run functions.
void addDescriptor(llvm::Module &module, const ModelInfo &info);

} // namespace hone

#endif // HONE_COMPILER_TARGET_CPU_DESCRIPTOR_H
