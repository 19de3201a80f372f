// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Operators whose axes are an input that only the run knows.
#ifndef HONE_COMPILER_IMPORT_ONNX_OPERATORS_RUNTIMEAXES_H
#define HONE_COMPILER_IMPORT_ONNX_OPERATORS_RUNTIMEAXES_H

#include "compiler/Import/Onnx/Builder/NodeBuilder.h"

namespace hone::onnx {

/// For each dimension of a tensor, whether it is among the axes: conditions of
/// the host. Empty after an error.
llvm::SmallVector<Scalar> axisFlags(NodeBuilder &n, Val axes, int64_t rank);

/// The sizes without those that are flagged, of which there are as many as
/// `rank` leaves over.
Sizes sizesWithout(NodeBuilder &n, llvm::ArrayRef<Size> sizes,
                   llvm::ArrayRef<Scalar> flags, int64_t rank);

/// The sizes with a 1 put in at each flagged place of the result.
Sizes sizesWithOnes(NodeBuilder &n, llvm::ArrayRef<Size> sizes,
                    llvm::ArrayRef<Scalar> flags);

/// `change(v, i)` for each flagged dimension `i`, one after the other; it gives
/// a tensor of the same rank with the size `changed` there, or the old one.
Val alongFlagged(NodeBuilder &n, Val v, llvm::ArrayRef<Scalar> flags,
                 std::optional<Size> changed,
                 llvm::function_ref<Val(Val, int64_t)> change);

} // namespace hone::onnx

#endif // HONE_COMPILER_IMPORT_ONNX_OPERATORS_RUNTIMEAXES_H
