// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Normalizations that operators of several domains are made of.
#ifndef HONE_COMPILER_IMPORT_ONNX_OPERATORS_NORMALIZATION_H
#define HONE_COMPILER_IMPORT_ONNX_OPERATORS_NORMALIZATION_H

#include "compiler/Import/Onnx/Builder/NodeBuilder.h"

namespace hone::onnx {

/// Mean and variance over some axes, which stay with size 1, and what is left
/// without the mean.
struct Moments {
  Val centered, mean, variance;
};
Moments momentsOf(NodeBuilder &n, Val x, llvm::ArrayRef<int64_t> axes);
/// 1 / sqrt(variance + epsilon).
Val inverseRoot(NodeBuilder &n, Val variance, double epsilon);

/// What float tensors are computed in together: double where one of them is,
/// else float.
ElementType widestType(llvm::ArrayRef<Val> values);
/// The type of the mean and the deviation that a normalization gives.
ElementType stashType(NodeBuilder &n);

/// Softmax along the node's axis, by the rules of ONNX's `opset`.
Val softmaxOf(NodeBuilder &n, Val x, int64_t opset);

} // namespace hone::onnx

#endif // HONE_COMPILER_IMPORT_ONNX_OPERATORS_NORMALIZATION_H
