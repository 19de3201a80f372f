// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Scalar code of the old function, repeated in the body of a map or on the
// host.
#ifndef HONE_COMPILER_IMPORT_MLIR_RAISE_BODY_H
#define HONE_COMPILER_IMPORT_MLIR_RAISE_BODY_H

#include "compiler/Import/Mlir/Raise/Raiser.h"
#include "compiler/Import/Onnx/Builder/Scalar.h"

namespace hone::raise {

/// Clones scalar operations such that no operand makes them trap or undefined:
/// divisors, indices and casts to integers are checked or clamped. f16 and bf16
/// are computed in f32.
class Body {
public:
  /// On the host, or in a map if there is a function for its coordinates.
  Body(Raiser &r, mlir::OpBuilder &b, bool onHost)
      : r(r), b(b), onHost(onHost) {}

  /// What the dimensions of `linalg.index` have become.
  llvm::SmallVector<mlir::Value> coordinates;

  void define(mlir::Value old, mlir::Value made) {
    (onHost ? r.map : map).map(old, made);
  }
  /// An element in storage type, for a value of the old function.
  void defineStored(mlir::Value old, mlir::Value stored);
  /// The value in compute type.
  mlir::Value lookup(mlir::Value old);
  /// The same as an element of a tensor.
  mlir::Value stored(mlir::Value old);

  /// All operations of a block but its terminator.
  mlir::LogicalResult clone(mlir::Block &block);
  /// Those of them that `values` need.
  mlir::LogicalResult cloneFor(mlir::ValueRange values, mlir::Block &block);
  mlir::LogicalResult clone(mlir::Operation *op);

  /// An affine expression of coordinates.
  mlir::Value evaluate(mlir::AffineExpr expr, mlir::ValueRange dims);
  /// The element of a tensor of the graph whose old type is `element`. Indices
  /// are checked unless they are known to be inside.
  mlir::Value extract(mlir::Value tensor, mlir::ValueRange indices,
                      mlir::Type element);

private:
  onnx::ScalarBuilder scalars() { return onnx::ScalarBuilder(b, r.loc); }
  mlir::Value load(mlir::Value stored, mlir::Type element);
  mlir::LogicalResult cloneRegions(mlir::Operation *op);
  mlir::LogicalResult cloneRegion(mlir::Region &from, mlir::Region &to);
  mlir::LogicalResult divide(mlir::Operation *op);
  mlir::LogicalResult bitcast(mlir::Operation *op);
  /// False if the operation is cloned as it is.
  bool expandMath(mlir::Operation *op);
  mlir::LogicalResult copy(mlir::Operation *op);
  mlir::Value checked(mlir::Value index, mlir::Value tensor, int64_t axis);

  Raiser &r;
  mlir::OpBuilder &b;
  bool onHost;
  mlir::IRMapping map;
};

/// Operations of the block that the values need.
llvm::SmallPtrSet<mlir::Operation *, 16> neededFor(mlir::ValueRange values,
                                                   mlir::Block &block);

/// The arguments of the block that a value depends on, through operations of
/// the block.
llvm::SmallPtrSet<mlir::BlockArgument, 4> argumentsOf(mlir::Value value,
                                                      mlir::Block &block);

} // namespace hone::raise

#endif // HONE_COMPILER_IMPORT_MLIR_RAISE_BODY_H
