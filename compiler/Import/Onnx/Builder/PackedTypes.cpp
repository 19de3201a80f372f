// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Elements of 2 and 4 bits: one byte each inside the IR, packed at its
// boundary.
#include "compiler/Import/Onnx/Builder/PackedTypes.h"
#include "compiler/Import/Onnx/Builder/Scalar.h"
#include "dialects/Graph/Graph.h"

using namespace mlir;
using namespace hone;
using namespace hone::onnx;

RankedTensorType hone::onnx::packedType(OpBuilder &b, ArrayRef<int64_t> shape,
                                        ElementType type) {
  return RankedTensorType::get(packedBytes(type, elementCount(shape)),
                               b.getI8Type());
}

/// A map over `type` that reads tensors at computed indices.
static Value mapOf(OpBuilder &b, Location loc, RankedTensorType type,
                   function_ref<Scalar(ScalarBuilder &)> body) {
  auto op = graph::MapOp::create(
      b, loc, mlir::TypeRange(type), ValueRange(), ValueRange(),
      [&](OpBuilder &inner, Location, ValueRange) {
        ScalarBuilder s(inner, loc);
        graph::YieldOp::create(inner, loc, body(s).value);
      });
  return op->getResult(0);
}

Value hone::onnx::unpackElements(OpBuilder &b, Location loc, Value packed,
                                 ArrayRef<int64_t> shape, ElementType type) {
  int64_t bits = elementBits(type), perByte = 8 / bits;
  bool isSigned = isInteger(type) && !isUnsigned(type);
  return mapOf(
      b, loc, RankedTensorType::get(shape, b.getI8Type()),
      [&](ScalarBuilder &s) {
        Scalar position = s.indexConstant(0);
        for (auto [axis, size] : llvm::enumerate(shape))
          position = position * s.indexConstant(size) + s.index(axis);
        Scalar each = s.indexConstant(perByte);
        Scalar byte = s.wrap(s.extract(packed, {floorDiv(position, each)}),
                             /*isUnsigned=*/!isSigned);
        // To the top of the byte, and down again with sign extension.
        Scalar place = truncMod(position, each);
        Scalar above = s.wrap(s.store((s.indexConstant(perByte - 1) - place) *
                                          s.indexConstant(bits),
                                      ElementType::Uint8),
                              !isSigned);
        return shiftRight(shiftLeft(byte, above), s.like(byte, 8 - bits));
      });
}

Value hone::onnx::packElements(OpBuilder &b, Location loc, Value elements,
                               ElementType type) {
  auto own = cast<RankedTensorType>(elements.getType());
  int64_t bits = elementBits(type), perByte = 8 / bits,
          count = own.getNumElements();
  auto flatType = RankedTensorType::get(count, b.getI8Type());
  Value flat =
      own == flatType
          ? elements
          : graph::ReshapeOp::create(b, loc, flatType, elements, ValueRange())
                .getResult();
  return mapOf(
      b, loc, packedType(b, own.getShape(), type), [&](ScalarBuilder &s) {
        Scalar first = s.index(0) * s.indexConstant(perByte);
        Scalar byte = s.integer(b.getI8Type(), 0);
        for (int64_t i = 0; i < perByte; ++i) {
          Scalar at = first + s.indexConstant(i);
          Scalar inside = lt(at, s.indexConstant(count));
          Scalar element =
              s.wrap(s.extract(flat, {select(inside, at, s.indexConstant(0))}));
          element = bitAnd(element, s.like(element, (1 << bits) - 1));
          element = shiftLeft(element, s.like(element, i * bits));
          byte = bitOr(byte, select(inside, element, s.like(element, 0)));
        }
        return byte;
      });
}
