// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The `hone` dialect: operations, types and enums.
#ifndef HONE_DIALECTS_GRAPH_GRAPH_H
#define HONE_DIALECTS_GRAPH_GRAPH_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

#include "dialects/Graph/GraphDialect.h.inc"
#include "dialects/Graph/GraphEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Graph/GraphAttrs.h.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/Graph/GraphTypes.h.inc"

#include "dialects/Graph/GraphInterfaces.h"

#define GET_OP_CLASSES
#include "dialects/Graph/GraphOps.h.inc"

namespace hone::graph {

/// Columns of a panel of packed weights.
inline constexpr int64_t kPanelWidth = 16;
/// Values that codes of 4 bits stand for, where a table says so.
inline constexpr int64_t kCodeTableSize = 16;
/// The largest distance of a byte from its zero point.
inline constexpr int64_t kMaxDistance = 255;

/// Reorders the dimensions of an attention's operand to [batch.., rows, size],
/// the order they already have unless `byRow`.
template <typename T>
llvm::SmallVector<T> headMajor(llvm::ArrayRef<T> values, bool byRow) {
  llvm::SmallVector<T> result(values);
  if (byRow)
    std::swap(result[result.size() - 3], result[result.size() - 2]);
  return result;
}

/// Whether a product with sums of type `sum` is one of bytes: unsigned on the
/// left, signed on the right.
bool isByteProduct(mlir::Type operand, mlir::Type sum);

/// Whether each output channel of a convolution, whose filter is not packed,
/// reads one of several input channels.
template <typename OpTy> bool isChannelwise(OpTy conv) {
  return conv.getGroup() > 1 &&
         mlir::cast<mlir::ShapedType>(conv.getFilter().getType())
                 .getDimSize(1) == 1;
}

/// Whether a convolution multiplies its filter and its pixels.
bool isPointwise(ConvOp conv);

/// Whether the pixels of one image of f32, in the order of the model, are the
/// rows of a matrix that a constant filter is multiplied by.
bool isMatrixOfPixels(ConvOp conv);

} // namespace hone::graph

#endif // HONE_DIALECTS_GRAPH_GRAPH_H
