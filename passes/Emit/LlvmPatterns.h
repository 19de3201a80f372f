// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the last step of kernels is for all targets: everything becomes the LLVM
// dialect at once.
#ifndef HONE_PASSES_EMIT_LLVMPATTERNS_H
#define HONE_PASSES_EMIT_LLVMPATTERNS_H

#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/IR/PatternMatch.h"

namespace hone {

/// Of control flow, arithmetic, buffers and masks; those of vectors, whose sums
/// targets order in their own ways, come beside.
void populateKernelToLlvmPatterns(const mlir::LLVMTypeConverter &converter,
                                  mlir::RewritePatternSet &patterns);

/// Buffers that were made from descriptors leave casts behind.
void removeDescriptorCasts(mlir::Operation *root);

} // namespace hone

#endif // HONE_PASSES_EMIT_LLVMPATTERNS_H
