// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Normalizations shared by operators of several domains.
#ifndef HONE_COMPILER_IMPORT_ONNX_OPERATORS_NORMALIZATION_H
#define HONE_COMPILER_IMPORT_ONNX_OPERATORS_NORMALIZATION_H

#include "compiler/Import/Onnx/Builder/NodeBuilder.h"

namespace hone::onnx {

/// Mean and variance over some axes, which stay with size 1, and the input
/// minus the mean.
struct Moments {
  Val centered, mean, variance;
};
Moments momentsOf(NodeBuilder &n, Val x, llvm::ArrayRef<int64_t> axes);
/// 1 / sqrt(variance + epsilon).
Val inverseRoot(NodeBuilder &n, Val variance, double epsilon);

/// The type in which float tensors are computed together: double if one of them
/// is, otherwise float.
ElementType widestType(llvm::ArrayRef<Val> values);
/// The type of the mean and the deviation that a normalization returns.
ElementType stashType(NodeBuilder &n);

/// Softmax along the node's axis, by the rules of ONNX's `opset`.
Val softmaxOf(NodeBuilder &n, Val x, int64_t opset);

} // namespace hone::onnx

#endif // HONE_COMPILER_IMPORT_ONNX_OPERATORS_NORMALIZATION_H
