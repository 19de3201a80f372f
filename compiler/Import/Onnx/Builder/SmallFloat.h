// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Floats of 4 and 8 bits as integer arithmetic on their bits.
#ifndef HONE_COMPILER_IMPORT_ONNX_BUILDER_SMALLFLOAT_H
#define HONE_COMPILER_IMPORT_ONNX_BUILDER_SMALLFLOAT_H

#include "compiler/Import/Onnx/Builder/Scalar.h"

namespace hone::onnx {

/// From the bits, an i8, to f32.
Scalar decodeSmallFloat(const Scalar &bits, ElementType type);

/// From f32 or f64 to the bits, rounded to nearest even. Larger values become
/// the largest number with `saturate`, otherwise infinity or NaN, whichever the
/// type has.
Scalar encodeSmallFloat(const Scalar &x, ElementType type, bool saturate);

} // namespace hone::onnx

#endif // HONE_COMPILER_IMPORT_ONNX_BUILDER_SMALLFLOAT_H
