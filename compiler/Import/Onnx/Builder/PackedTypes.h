// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Elements of 2 and 4 bits: one byte each inside the IR, packed at its
// boundary.
#ifndef HONE_COMPILER_IMPORT_ONNX_BUILDER_PACKEDTYPES_H
#define HONE_COMPILER_IMPORT_ONNX_BUILDER_PACKEDTYPES_H

#include "compiler/Import/Onnx/Reader/Model.h"

#include "mlir/IR/Builders.h"

namespace hone::onnx {

inline bool isPacked(ElementType type) {
  unsigned bits = elementBits(type);
  return bits == 2 || bits == 4;
}

/// The bytes that hold `shape` of packed elements, as a tensor type.
mlir::RankedTensorType
packedType(mlir::OpBuilder &b, llvm::ArrayRef<int64_t> shape, ElementType type);

/// From packed bytes to one byte per element, and back. Shapes are static.
mlir::Value unpackElements(mlir::OpBuilder &b, mlir::Location loc,
                           mlir::Value packed, llvm::ArrayRef<int64_t> shape,
                           ElementType type);
mlir::Value packElements(mlir::OpBuilder &b, mlir::Location loc,
                         mlir::Value elements, ElementType type);

} // namespace hone::onnx

#endif // HONE_COMPILER_IMPORT_ONNX_BUILDER_PACKEDTYPES_H
