// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From scores to classes, for all classifiers of ai.onnx.ml.
#ifndef HONE_COMPILER_IMPORT_ONNX_OPERATORS_ML_CLASSES_H
#define HONE_COMPILER_IMPORT_ONNX_OPERATORS_ML_CLASSES_H

#include "compiler/Import/Onnx/Builder/NodeBuilder.h"

namespace hone::onnx {

/// The first input as [samples, features] of f32, or of f64 if it is and
/// `keepsDouble`; a vector is one sample. Nothing: not numbers, reported.
std::optional<Val> samples(NodeBuilder &n, bool keepsDouble = false);

/// A constant vector of f32.
Val floats(NodeBuilder &n, llvm::ArrayRef<float> values);

/// A vector from whichever of two attributes is present, numbers or strings.
/// Nothing: none or both, reported.
std::optional<Val> labels(NodeBuilder &n, llvm::StringRef ints,
                          llvm::StringRef strings);

/// [rows]: the first of the highest scores of each row, as int64.
Val likeliest(NodeBuilder &n, Val scores);

/// Scores [rows, classes] after the formula of that name (`post_transform`).
/// Nothing: an unknown name, reported.
std::optional<Val> transformed(NodeBuilder &n, Val scores,
                               llvm::StringRef name);

/// The number of labels: one list, of numbers or of strings. `intLabels` is the
/// attribute of numbers, here and below.
std::optional<int64_t> labelCount(NodeBuilder &n, llvm::StringRef intLabels);

/// Sets the outputs: the labels with the indices `choice` [rows], and all
/// scores.
mlir::LogicalResult outputLabels(NodeBuilder &n, Val choice, Val scores,
                                 llvm::StringRef intLabels);

/// [rows]: 1 if the only score of a row is above the limit, otherwise 0.
Val above(NodeBuilder &n, Val scores, double limit);

/// Sets the outputs: the labels of the classes with the highest score, and the
/// scores after the transform.
mlir::LogicalResult classify(NodeBuilder &n, Val scores,
                             llvm::StringRef intLabels);

} // namespace hone::onnx

#endif // HONE_COMPILER_IMPORT_ONNX_OPERATORS_ML_CLASSES_H
