// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The arithmetic of quantized tensors, shared by the operators that use it.
#ifndef HONE_COMPILER_IMPORT_ONNX_OPERATORS_QUANTIZATION_H
#define HONE_COMPILER_IMPORT_ONNX_OPERATORS_QUANTIZATION_H

#include "compiler/Import/Onnx/Builder/NodeBuilder.h"

namespace hone::onnx {

/// A scale or zero point as a tensor that broadcasts to `x`: one value, one per
/// index along `axis`, or one per block of `block` indices (0: not given).
Val quantizationParameter(NodeBuilder &n, Val parameter, Val x, int64_t axis,
                          int64_t block);

/// saturate(round(x / scale) + zero point), halves to even; 8-bit floats are
/// cast instead. The zero point may be absent.
Val quantize(NodeBuilder &n, Val x, Val scale, Val zeroPoint, ElementType elem);
/// (x - zero point) * scale.
Val dequantize(NodeBuilder &n, Val x, Val scale, Val zeroPoint,
               ElementType elem);

/// x - zero point, in int32.
Val widen(NodeBuilder &n, Val x, Val zeroPoint);
/// An int32 sum of products, scaled and rounded to the type of `yZeroPoint`
/// (uint8 or int8).
Val requantize(NodeBuilder &n, Val sum, Val xScale, Val wScale, Val yScale,
               Val yZeroPoint);
/// A float that is an integer, in a narrow type.
Scalar saturated(const Scalar &x, ElementType elem);

bool isByte(Val v);

/// A tensor of bytes with the scale and zero point of all its elements; the
/// tensor is absent where the node is yet to compute it.
struct Quantized {
  Val x, scale, zeroPoint;
};
/// Three successive inputs of the node: the tensor, its scale and its zero
/// point, which may be left out.
std::optional<Quantized> quantizedInput(NodeBuilder &n, size_t first);
/// Two successive inputs: scale and zero point of a result of type `elem`.
std::optional<Quantized> quantizedResult(NodeBuilder &n, size_t first,
                                         ElementType elem);
/// A float scale of a whole tensor, and a zero point of type `elem` (0 where it
/// is left out), as scalars.
bool scalarParameters(NodeBuilder &n, Val &scale, Val &zeroPoint,
                      ElementType elem);
inline Val dequantize(NodeBuilder &n, const Quantized &q) {
  return dequantize(n, q.x, q.scale, q.zeroPoint, q.scale.elem);
}
inline Val quantize(NodeBuilder &n, Val x, const Quantized &y) {
  return quantize(n, x, y.scale, y.zeroPoint, y.zeroPoint.elem);
}

/// A float tensor in uint8 over the range of its elements, which contains 0; of
/// each row by itself where `byRow`.
Quantized quantizeDynamically(NodeBuilder &n, Val x, bool byRow = false);
/// The product in int32 of two matrices without their zero points, which may
/// be vectors: of the rows of `a`, and of the columns of `b`.
Val integerProduct(NodeBuilder &n, Val a, Val aZero, Val b, Val bZero);
/// A parameter of the rows (`alongRows`) or the columns of a matrix: a vector
/// applies to its own dimension.
Val matrixParameter(NodeBuilder &n, Val parameter, bool alongRows);
/// An int32 product as floats: times a scale, and one of all or of each column,
/// plus a vector, which may be absent, for the columns.
std::optional<Val> scaledProduct(NodeBuilder &n, Val product, Val scale,
                                 Val columnScale, Val bias);

} // namespace hone::onnx

#endif // HONE_COMPILER_IMPORT_ONNX_OPERATORS_QUANTIZATION_H
