// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tensors whose rank is only known at run time, as the branches of an If
// produce them: a value of the session that a few operators accept.
#ifndef HONE_COMPILER_IMPORT_ONNX_BUILDER_ANYRANK_H
#define HONE_COMPILER_IMPORT_ONNX_BUILDER_ANYRANK_H

#include "compiler/Import/Onnx/Builder/NodeBuilder.h"

namespace hone::onnx {

/// An optional that holds a tensor of any rank; if it is required, the run
/// fails without it.
mlir::Type anyRankOf(mlir::Type element);
bool isAnyRank(mlir::Type type);
/// Its elements, in one dimension.
Val flattenAnyRank(NodeBuilder &n, Val v);
/// The elements of a vector with the dimensions of `like`.
Val shapeLikeAnyRank(NodeBuilder &n, Val vector, Val like);

} // namespace hone::onnx

#endif // HONE_COMPILER_IMPORT_ONNX_BUILDER_ANYRANK_H
