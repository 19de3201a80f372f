// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Evaluation of hone operations on constants at compile time.
#ifndef HONE_DIALECTS_GRAPH_EVALUATE_H
#define HONE_DIALECTS_GRAPH_EVALUATE_H

#include "dialects/Graph/Constants.h"
#include "dialects/Graph/Graph.h"
#include "llvm/Support/Error.h"

namespace hone::graph {

/// The results of an operation as constants, or a reason why they cannot be
/// computed now. `name` is a hint for the resources that large results become.
llvm::Expected<llvm::SmallVector<mlir::ElementsAttr>>
evaluate(EvaluableOpInterface op, llvm::StringRef name);

/// Whether all tensor operands of `op` are splats.
bool takesUniform(mlir::Operation *op);

/// A reason not to evaluate.
inline llvm::Error cannotEvaluate(const char *reason) {
  return llvm::createStringError(llvm::inconvertibleErrorCode(), reason);
}

/// One element as the interpreter holds it: floats of every type as double,
/// integers sign extended.
union Scalar {
  double real;
  int64_t integer;
};
Scalar loadScalar(mlir::Type type, const char *data);
void storeScalar(mlir::Type type, Scalar value, char *data);
/// `value` as the nearest number of the float type `type`.
double roundToType(mlir::Type type, double value);

} // namespace hone::graph

#endif // HONE_DIALECTS_GRAPH_EVALUATE_H
