// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The body of a map over the loops of an operation of linalg.
#ifndef HONE_COMPILER_IMPORT_MLIR_RAISE_SPACEBODY_H
#define HONE_COMPILER_IMPORT_MLIR_RAISE_SPACEBODY_H

#include "compiler/Import/Mlir/Raise/Body.h"
#include "compiler/Import/Mlir/Raise/Structured.h"

namespace hone::raise {

/// Elements of the operation's operands: inputs of the map, and others that its
/// body reads by index.
struct SpaceBody {
  SpaceBody(Structured &s, Space space) : s(s), space(std::move(space)) {}

  /// An operand that can be aligned becomes an input.
  void take(const Operand &operand);
  /// At the beginning of the map's body.
  void begin(Body &body, mlir::OpBuilder &b, mlir::ValueRange elements);
  /// Where all coordinates that the other operands need are known.
  mlir::LogicalResult read(Body &body);

  Structured &s;
  Space space;
  llvm::SmallVector<const Operand *> arguments, indexed;
  llvm::SmallVector<mlir::Value> inputs;
};

} // namespace hone::raise

#endif // HONE_COMPILER_IMPORT_MLIR_RAISE_SPACEBODY_H
