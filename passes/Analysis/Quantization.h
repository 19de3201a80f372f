// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Quantization as maps have it: operands that stand for numbers by a scale and
// a zero point, and what turns numbers into such again.
#ifndef HONE_PASSES_ANALYSIS_QUANTIZATION_H
#define HONE_PASSES_ANALYSIS_QUANTIZATION_H

#include "dialects/Graph/Constants.h"
#include "dialects/Graph/Graph.h"

namespace hone {

/// Flips between an unsigned byte and the signed one that is 128 less.
inline constexpr int64_t kSignFlip = 128;

/// A scale or zero point: a number, or a tensor that the map reads.
struct Parameter {
  std::optional<double> number;
  mlir::Value tensor;
  bool isUnsigned = false; ///< Elements of the tensor.

  explicit operator bool() const { return number || tensor; }
};

/// A tensor that a map computes as (bytes - zero point) * scale.
struct Dequantized {
  mlir::Value bytes;
  bool isUnsigned = false;
  Parameter zero, scale; ///< May be absent: 0 and 1.
};

/// Recognizes (bytes - zero point) * scale in f32, and bytes - zero point in
/// i32.
std::optional<Dequantized> matchDequantized(mlir::Value tensor);

/// Whether a map dequantizes by a scale, and does nothing else.
bool isDequantization(graph::MapOp map);

/// The bytes of a constant, perhaps under another shape.
std::optional<graph::ConstantBytes> knownBytes(mlir::Value value);

/// The numbers of a constant of f32, f16 or bf16.
std::optional<llvm::SmallVector<float>> constantFloats(mlir::Value tensor);

/// The numbers of a zero point that is known; one if they are equal.
std::optional<llvm::SmallVector<int64_t>> integersOf(const Parameter &zero);

/// The f32 numbers of a scale that is known.
std::optional<llvm::SmallVector<float>> floatsOf(const Parameter &scale);

} // namespace hone

#endif // HONE_PASSES_ANALYSIS_QUANTIZATION_H
