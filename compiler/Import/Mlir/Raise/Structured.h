// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// An operation of linalg as what its maps, iterators and body say.
#ifndef HONE_COMPILER_IMPORT_MLIR_RAISE_STRUCTURED_H
#define HONE_COMPILER_IMPORT_MLIR_RAISE_STRUCTURED_H

#include "compiler/Import/Mlir/Raise/Raiser.h"

namespace hone::raise {

class Body;

/// How a reduction combines the element so far with another one.
struct Combination {
  graph::ReduceKind kind;
  mlir::Value element; ///< of the old body, independent of what is reduced
  mlir::Operation *combiner;
  bool skipsNan = false; ///< not a number counts as the neutral element
};

struct Operand {
  mlir::Value tensor;           ///< of the graph; null for a scalar
  mlir::AffineMap map;          ///< of the axes of `tensor`
  mlir::BlockArgument argument; ///< of the old body
  mlir::Value old;
  unsigned result = 0; ///< of the operation, for an initial value
};

/// The loops of an operation in the order in which they become dimensions.
struct Space {
  llvm::SmallVector<unsigned> loops;
  /// The dimension of a loop, or -1.
  Ints dimOf;
  Sizes sizes;
};

class Structured {
public:
  Structured(Raiser &r, mlir::linalg::LinalgOp op);

  /// Sizes of the loops, where operands agree on them.
  mlir::LogicalResult findLoops();
  mlir::LogicalResult raise();

  bool isReduction(unsigned loop) const {
    return iterators[loop] == mlir::utils::IteratorType::reduction;
  }
  Space space(llvm::ArrayRef<unsigned> loops) const;
  /// The operand with the dimensions of the space, or the last of them;
  /// dimensions that it lacks have size 1. Null if that is not a movement.
  mlir::Value align(const Operand &operand, const Space &space);
  /// The same with a dimension for each of the loops, in this order.
  mlir::Value order(mlir::Value v, mlir::AffineMap map,
                    llvm::ArrayRef<unsigned> loops);
  /// From the dimensions of these loops to those of the result's map.
  mlir::Value arrange(mlir::Value v, llvm::ArrayRef<unsigned> loops,
                      mlir::AffineMap map);
  /// `expr`, which depends on one operand and on scalars, for each element of
  /// that operand.
  mlir::FailureOr<mlir::Value> apply(mlir::Value expr, const Operand &operand,
                                     mlir::Type element);
  std::optional<Combination> combinationOf(const Operand &output);
  /// What becomes the element of a result, in the old body.
  mlir::Value yieldOf(const Operand &output) const;
  /// The constant that every element of a result is at first, if there is one.
  static mlir::TypedAttr initialValue(const Operand &output);
  /// A result: the initial values combined with `reduced`.
  mlir::LogicalResult defineReduced(const Operand &output, mlir::Value reduced,
                                    const Combination &combination);

  Raiser &r;
  mlir::linalg::LinalgOp op;
  mlir::Block &body;
  llvm::SmallVector<mlir::utils::IteratorType> iterators;
  llvm::SmallVector<Operand> inputs;
  llvm::SmallVector<Operand> outputs; ///< of results that are needed
  Sizes loops;

private:
  void dropUnitAxes(Operand &operand);
  void keepNeededOutputs();
  void define(const Operand &output, mlir::Value result);
  /// The same for all results of a map over the space.
  void defineAll(mlir::Operation *map, const Space &space);
  /// Of the results, as tensors store them.
  llvm::SmallVector<mlir::Type> elementTypes() const;
  /// The operand that is the result, without any computation.
  const Operand *copied();
  mlir::LogicalResult cloneNeeded(Body &scalars);
  mlir::LogicalResult raiseParallel();
  mlir::LogicalResult raiseReduction(llvm::ArrayRef<Combination> parts);
  mlir::LogicalResult raiseLoops();
  mlir::FailureOr<Space> outputSpace();
  /// Whether what results need depends on the operand.
  bool isRead(const Operand &operand) const {
    return llvm::any_of(
        operand.argument.getUsers(), [&](mlir::Operation *user) {
          return neededOps.contains(body.findAncestorOpInBlock(*user));
        });
  }

  llvm::SmallPtrSet<mlir::Operation *, 16> neededOps; ///< of the body
};

/// The operand that is multiplied, and its factor, of a body that adds up
/// products of two operands.
struct Product {
  mlir::Value left, right; ///< of the old body
  const Operand *leftOperand, *rightOperand;
  mlir::Type sum;
};
std::optional<Product> productOf(Structured &s);
/// The operands with what is multiplied of them as their tensors.
mlir::LogicalResult factorsOf(Structured &s, const Product &product,
                              Operand &left, Operand &right);

/// False if the operation is none of these. They report their errors.
mlir::FailureOr<bool> raiseContraction(Structured &s);
mlir::FailureOr<bool> raiseConvolution(Structured &s);
mlir::FailureOr<bool> raisePooling(Structured &s);

} // namespace hone::raise

#endif // HONE_COMPILER_IMPORT_MLIR_RAISE_STRUCTURED_H
