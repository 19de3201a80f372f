// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The state of a function that is rebuilt in operations of the graph: values of
// the old function and what they have become.
#ifndef HONE_COMPILER_IMPORT_MLIR_RAISE_RAISER_H
#define HONE_COMPILER_IMPORT_MLIR_RAISE_RAISER_H

#include "compiler/Import/Mlir/Raise/Range.h"
#include "dialects/Graph/DimBuilder.h"
#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

namespace hone::raise {

using Size = mlir::OpFoldResult;
using Sizes = llvm::SmallVector<mlir::OpFoldResult>;
using Ints = llvm::SmallVector<int64_t>;

/// The type of elements in tensors of the graph; null if there is none.
mlir::Type storageType(mlir::Type element);
/// The type that an element is computed in.
mlir::Type computeType(mlir::Type element);

class Raiser {
public:
  /// Of a function with an entry block whose arguments have been named.
  explicit Raiser(mlir::func::FuncOp function);

  /// Rebuilds the block in the function. Reports everything that has no form in
  /// the graph.
  mlir::LogicalResult run(mlir::Block &from);

  /// An error of `op` that says why it cannot be compiled.
  mlir::LogicalResult fail(mlir::Operation *op, const llvm::Twine &why);

  //===- Values -----------------------------------------------------------===//

  mlir::Value lookup(mlir::Value old) { return map.lookup(old); }
  void define(mlir::Value old, mlir::Value made) { map.map(old, made); }
  /// Tensors of elements that the graph has; the reason otherwise.
  static mlir::FailureOr<mlir::Type> convertType(mlir::Type type,
                                                 std::string &why);

  //===- Sizes ------------------------------------------------------------===//

  Size index(int64_t value) { return b.getIndexAttr(value); }
  Size dim(mlir::Value v, int64_t i) { return dims.dim(b, loc, v, i); }
  Sizes sizesOf(mlir::Value v) { return dims.dims(b, loc, v); }
  static std::optional<int64_t> known(Size size) {
    return graph::DimBuilder::constant(size);
  }
  bool same(Size a, Size b) { return dims.equal(a, b); }
  mlir::Value value(Size size) { return dims.materialize(b, loc, size); }
  /// A size of the old function: a number, or an index that has become another.
  Size size(Size old);
  Sizes sizes(llvm::ArrayRef<Size> old);
  /// Of the shape of a tensor that has these dynamic sizes.
  Sizes sizes(mlir::RankedTensorType type, mlir::ValueRange dynamic);
  /// Where two sizes must be equal: an error if they are known to differ, a
  /// check at run time if they are not known to be equal.
  mlir::LogicalResult agree(mlir::Operation *op, Size a, Size b);
  /// The run ends with an error unless the condition holds.
  void require(mlir::Value condition, const llvm::Twine &what);
  /// `v` under sizes that it is known to have.
  mlir::Value relabel(mlir::Value v, llvm::ArrayRef<Size> sizes);
  /// `v` in exactly this type, which differs in what it says of the sizes.
  mlir::Value castTo(mlir::Value v, mlir::Type type);

  //===- Operations of the graph ------------------------------------------===//

  mlir::RankedTensorType tensorType(mlir::Type element,
                                    llvm::ArrayRef<Size> sizes);
  llvm::SmallVector<mlir::Value> dynamic(llvm::ArrayRef<Size> sizes);
  mlir::Value reshape(mlir::Value v, llvm::ArrayRef<Size> sizes);
  mlir::Value transpose(mlir::Value v, llvm::ArrayRef<int64_t> permutation);
  mlir::Value slice(mlir::Value v, llvm::ArrayRef<Size> offsets,
                    llvm::ArrayRef<Size> sizes,
                    llvm::ArrayRef<int64_t> steps = {});
  /// Every element is the constant.
  mlir::Value splat(mlir::TypedAttr element, llvm::ArrayRef<Size> sizes);
  /// A scalar of the host as a tensor without dimensions, in storage type.
  mlir::Value fromScalar(mlir::Value scalar);

  using BodyFn = llvm::function_ref<void(mlir::OpBuilder &, mlir::ValueRange)>;
  /// The body gets elements in storage type, and yields them.
  mlir::Operation *mapOp(llvm::ArrayRef<mlir::Type> elements,
                         mlir::ValueRange inputs, llvm::ArrayRef<Size> sizes,
                         BodyFn body);

  mlir::func::FuncOp function;
  mlir::OpBuilder b; ///< at the place of the operation that is raised
  mlir::Location loc;
  graph::DimBuilder dims;
  mlir::IRMapping map;
  Limits limits; ///< of the coordinates of maps and loops
  bool hasErrors = false;

  mlir::LogicalResult
  raiseAll(llvm::iterator_range<mlir::Block::iterator> operations);

private:
  bool isPoisoned(mlir::Operation *op);
  mlir::LogicalResult raise(mlir::Operation *op);
  mlir::LogicalResult raiseArguments(mlir::Block &from);
  mlir::LogicalResult raiseReturn(mlir::func::ReturnOp op);
};

/// Replaces operations that consist of others by these.
mlir::LogicalResult decomposeAggregates(mlir::func::FuncOp function);

/// What nobody needs need not be understood.
void eraseDeadOperations(mlir::func::FuncOp function);

/// Gives the function an entry block: arguments of types of the graph, with
/// names for them and for their free dimensions.
mlir::LogicalResult declareArguments(mlir::func::FuncOp function,
                                     mlir::Block &from);

/// The node that an operation counts as in messages, profiles and remarks.
mlir::Location nodeLocation(mlir::Operation *op);

//===- One function for each kind of operation ----------------------------===//

mlir::LogicalResult raiseConstant(Raiser &r, mlir::Operation *op);
mlir::LogicalResult raiseStructured(Raiser &r, mlir::linalg::LinalgOp op);
/// Operations of `tensor`.
mlir::LogicalResult raiseMovement(Raiser &r, mlir::Operation *op);
/// Those that take, replace or surround a part of a tensor.
mlir::LogicalResult raiseSlice(Raiser &r, mlir::Operation *op);
/// Branches and loops of the host.
mlir::LogicalResult raiseControl(Raiser &r, mlir::Operation *op);
/// Operations on scalars, on the host.
mlir::LogicalResult raiseScalar(Raiser &r, mlir::Operation *op);

} // namespace hone::raise

#endif // HONE_COMPILER_IMPORT_MLIR_RAISE_RAISER_H
