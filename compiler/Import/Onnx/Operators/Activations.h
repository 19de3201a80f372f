// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Activations inside operators, by name.
#ifndef HONE_COMPILER_IMPORT_ONNX_OPERATORS_ACTIVATIONS_H
#define HONE_COMPILER_IMPORT_ONNX_OPERATORS_ACTIVATIONS_H

#include "compiler/Import/Onnx/Builder/NodeBuilder.h"

namespace hone::onnx {

struct Activation {
  std::string name; ///< in lower case
  double alpha, beta;

  Scalar operator()(const Scalar &x) const;
};

/// The activation with its default alpha and beta, if there is one of that
/// name, ignoring case.
std::optional<Activation> activationNamed(llvm::StringRef name);
/// The activation requested by the attributes `activation`, and
/// `activation_params` or `activation_alpha` and `activation_beta`; nothing if
/// none is, or after an error.
std::optional<Activation> fusedActivation(NodeBuilder &n);

/// x * Phi(x), and its approximation by a tanh.
Scalar gelu(const Scalar &x);
Scalar geluByTanh(const Scalar &x);

} // namespace hone::onnx

#endif // HONE_COMPILER_IMPORT_ONNX_OPERATORS_ACTIVATIONS_H
