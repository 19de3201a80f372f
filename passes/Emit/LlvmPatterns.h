// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The last step of kernels, common to all targets: everything becomes the LLVM
// dialect at once.
#ifndef HONE_PASSES_EMIT_LLVMPATTERNS_H
#define HONE_PASSES_EMIT_LLVMPATTERNS_H

#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/IR/PatternMatch.h"

namespace hone {

/// Control flow, arithmetic, buffers and masks; patterns for vectors, whose
/// sums targets order differently, are added separately.
void populateKernelToLlvmPatterns(const mlir::LLVMTypeConverter &converter,
                                  mlir::RewritePatternSet &patterns);

/// Buffers built from descriptors leave casts behind.
void removeDescriptorCasts(mlir::Operation *root);

} // namespace hone

#endif // HONE_PASSES_EMIT_LLVMPATTERNS_H
