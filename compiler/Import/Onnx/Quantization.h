// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The arithmetic of quantized tensors, shared by the operators that use it.
#ifndef HONE_COMPILER_IMPORT_ONNX_QUANTIZATION_H
#define HONE_COMPILER_IMPORT_ONNX_QUANTIZATION_H

#include "compiler/Import/Onnx/NodeBuilder.h"

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

} // namespace hone::onnx

#endif // HONE_COMPILER_IMPORT_ONNX_QUANTIZATION_H
