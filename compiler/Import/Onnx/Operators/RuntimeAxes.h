// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Operators whose axes are an input only known at run time.
#ifndef HONE_COMPILER_IMPORT_ONNX_OPERATORS_RUNTIMEAXES_H
#define HONE_COMPILER_IMPORT_ONNX_OPERATORS_RUNTIMEAXES_H

#include "compiler/Import/Onnx/Builder/NodeBuilder.h"

namespace hone::onnx {

/// For each dimension of a tensor, whether it is among the axes: conditions of
/// the host. Empty after an error.
llvm::SmallVector<Scalar> axisFlags(NodeBuilder &n, Val axes, int64_t rank);

/// The sizes without the flagged ones; `rank` sizes remain.
Sizes sizesWithout(NodeBuilder &n, llvm::ArrayRef<Size> sizes,
                   llvm::ArrayRef<Scalar> flags, int64_t rank);

/// The sizes with a 1 inserted at each flagged position of the result.
Sizes sizesWithOnes(NodeBuilder &n, llvm::ArrayRef<Size> sizes,
                    llvm::ArrayRef<Scalar> flags);

/// `change(v, i)` for each flagged dimension `i`, one after another; it returns
/// a tensor of the same rank with the size `changed` there, or the old one.
Val alongFlagged(NodeBuilder &n, Val v, llvm::ArrayRef<Scalar> flags,
                 std::optional<Size> changed,
                 llvm::function_ref<Val(Val, int64_t)> change);

} // namespace hone::onnx

#endif // HONE_COMPILER_IMPORT_ONNX_OPERATORS_RUNTIMEAXES_H
