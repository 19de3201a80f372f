// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sums of products of bytes in floats: integers are exact in f32 up to 2^24,
// and in f64 up to 2^53.
#ifndef HONE_COMPILER_IMPORT_ONNX_OPERATORS_EXACTSUMS_H
#define HONE_COMPILER_IMPORT_ONNX_OPERATORS_EXACTSUMS_H

#include "compiler/Import/Onnx/Builder/NodeBuilder.h"

namespace hone::onnx {

inline constexpr double kLargestInF32 = 1 << 24;

/// The largest distance of an element of bytes from its zero point, which may
/// be absent.
int64_t largestDistance(Val v, Val zeroPoint);

/// The largest sum of the distances of weights [sums, ..] from their zero
/// points (one, or one per sum), over all but the first dimension. If the
/// weights are not constants, the largest possible one; infinity if their
/// number is unknown.
double largestSumOfRow(Val weights, Val zeroPoint);
/// The same for matrices [batch.., rows, sums] or a vector [rows], over the
/// rows [from, to).
double largestSumOfColumn(Val weights, Val zeroPoint, int64_t from, int64_t to);

/// Sums in f32 or f64 as int32, in which they wrap around; `largest` bounds
/// their magnitudes.
Val sumsAsInt32(NodeBuilder &n, Val sums, double largest);

} // namespace hone::onnx

#endif // HONE_COMPILER_IMPORT_ONNX_OPERATORS_EXACTSUMS_H
