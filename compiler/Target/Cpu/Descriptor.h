// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The tables of a compiled model, laid out as in abi.h.
#ifndef HONE_COMPILER_TARGET_CPU_DESCRIPTOR_H
#define HONE_COMPILER_TARGET_CPU_DESCRIPTOR_H

#include "compiler/Target/ModelInfo.h"
#include "llvm/IR/Module.h"

namespace hone {

/// Symbol of a kernel's code for a level.
std::string kernelSymbol(llvm::StringRef kernel, size_t level);

inline constexpr llvm::StringLiteral kWeightsSymbol = "hone_weights";
/// The user's table of custom operators (hone/custom.h).
inline constexpr llvm::StringLiteral kCustomSymbol = "hone_custom_operators";

/// Adds the descriptor and the function that returns it. The module holds the
/// prepare and run functions.
void addDescriptor(llvm::Module &module, const ModelInfo &info);

/// Defines what the host function passes for its nodes of custom operators.
void addCustomNodes(llvm::Module &module, const ModelInfo &info);

/// Adds the seal of a library; `link` fills it in.
void addSeal(llvm::Module &module, const ModelInfo &info);

} // namespace hone

#endif // HONE_COMPILER_TARGET_CPU_DESCRIPTOR_H
