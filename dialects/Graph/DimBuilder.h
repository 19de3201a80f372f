// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Index arithmetic over dimensions in a normal form: two dimensions that are
// equal as polynomials of the model's free dimensions become the same SSA
// value, so that equality of dimensions is equality of values.
#ifndef HONE_DIALECTS_GRAPH_DIMBUILDER_H
#define HONE_DIALECTS_GRAPH_DIMBUILDER_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/OpDefinition.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringMap.h"
#include <map>
#include <optional>
#include <tuple>
#include <unordered_map>

namespace hone::graph {

/// Every operand and result is an index: an `IntegerAttr` if known, otherwise a
/// value of type `index`. Arithmetic over free dimensions only is placed at the
/// top of the function, any other at the insertion point of the builder passed
/// to the call.
class DimBuilder {
public:
  explicit DimBuilder(mlir::func::FuncOp function);

  /// The free dimension of that name (`hone.dim`).
  mlir::OpFoldResult named(llvm::StringRef name);
  /// Dimension `i` of a tensor, traced through the operations that produced it;
  /// a `tensor.dim` where that ends.
  mlir::OpFoldResult dim(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::Value tensor, int64_t i);
  llvm::SmallVector<mlir::OpFoldResult>
  dims(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value tensor);

  /// Declares the dimensions of a tensor whose operation does not show them (a
  /// view, an argument of a loop body).
  void learn(mlir::Value tensor, llvm::ArrayRef<mlir::OpFoldResult> dims);

  using Ofr = mlir::OpFoldResult;
  Ofr add(mlir::OpBuilder &builder, mlir::Location loc, Ofr a, Ofr b);
  Ofr sub(mlir::OpBuilder &builder, mlir::Location loc, Ofr a, Ofr b);
  Ofr mul(mlir::OpBuilder &builder, mlir::Location loc, Ofr a, Ofr b);
  /// Quotient rounded down; a divisor of 0 counts as 1 (the dimension it
  /// belongs to is then 0 as well).
  Ofr floorDiv(mlir::OpBuilder &builder, mlir::Location loc, Ofr a, Ofr b);
  Ofr ceilDiv(mlir::OpBuilder &builder, mlir::Location loc, Ofr a, Ofr b);
  Ofr max(mlir::OpBuilder &builder, mlir::Location loc, Ofr a, Ofr b);
  Ofr min(mlir::OpBuilder &builder, mlir::Location loc, Ofr a, Ofr b);
  Ofr product(mlir::OpBuilder &builder, mlir::Location loc,
              llvm::ArrayRef<Ofr> factors);

  /// Whether dimension `i` of `a` is known to equal dimension `j` of `b`.
  /// Creates nothing: for patterns that may yet fail to match.
  bool sameSize(mlir::Value a, int64_t i, mlir::Value b, int64_t j);
  bool sameShape(mlir::Value a, mlir::Value b);
  /// True if both are the same polynomial.
  bool equal(Ofr a, Ofr b);
  static std::optional<int64_t> constant(Ofr value);
  mlir::Value materialize(mlir::OpBuilder &builder, mlir::Location loc,
                          Ofr value);
  /// Splits sizes into the static shape (dynamic where unknown) and the values
  /// of the dynamic ones.
  void split(mlir::OpBuilder &builder, mlir::Location loc,
             llvm::ArrayRef<Ofr> sizes, llvm::SmallVectorImpl<int64_t> &shape,
             llvm::SmallVectorImpl<mlir::Value> &dynamic);

  /// Maps a product of atoms, as sorted atom numbers, to its coefficient; the
  /// empty product is the constant term.
  using Polynomial = std::map<llvm::SmallVector<unsigned, 2>, int64_t>;
  /// Dimension `i` of a tensor, and an index. They create nothing, but may move
  /// the `hone.dim` of a free dimension to the top.
  Polynomial sizeOf(mlir::Value tensor, int64_t i);
  Polynomial polynomialOf(Ofr value);
  /// Nothing if the result exceeds the limits of a polynomial.
  static std::optional<Polynomial> multiply(const Polynomial &a,
                                            const Polynomial &b);
  static std::optional<Polynomial> sum(const Polynomial &a,
                                       const Polynomial &b);

private:
  /// The name of an operation whose result is not a polynomial, and its
  /// operands.
  using Opaque = std::tuple<llvm::StringRef, Polynomial, Polynomial>;
  struct Hash {
    size_t operator()(const Polynomial &polynomial) const;
    size_t operator()(const Opaque &opaque) const;
  };

  unsigned atomOf(mlir::Value value);
  unsigned unnamedAtom(const void *owner, int64_t number);
  /// The name of a free dimension of an argument of the function.
  mlir::StringAttr nameOf(mlir::BlockArgument argument, int64_t i);
  /// Registers `value`, whose operands are registered.
  void learnPolynomial(mlir::Value value);
  Ofr valueOf(mlir::OpBuilder &builder, mlir::Location loc,
              const Polynomial &polynomial);
  std::optional<Polynomial> divideExactly(const Polynomial &a,
                                          const Polynomial &b);
  /// The polynomial of an index that was computed from others.
  std::optional<Polynomial> throughArithmetic(mlir::Value value);
  bool visibleAt(mlir::Value value, mlir::OpBuilder &builder);
  bool overFreeDims(const Polynomial &polynomial);
  template <typename OpTy>
  Ofr opaque(mlir::OpBuilder &builder, mlir::Location loc, Ofr a, Ofr b);
  mlir::OpBuilder topBuilder();

  /// The `hone.dim`s at the top of the function.
  void findFirstDims();
  /// The `hone.dim` of that name, null if there is none.
  mlir::Value findDim(llvm::StringRef name);

  mlir::Block *entry;
  mlir::Operation *lastTop =
      nullptr; ///< Last operation placed at the top of the function.
  llvm::SmallVector<mlir::Value> atoms;
  llvm::DenseMap<mlir::Value, unsigned> atomNumbers;
  /// Atoms without a value, for comparisons only.
  llvm::DenseMap<std::pair<const void *, int64_t>, unsigned> unnamedAtoms;
  llvm::DenseMap<mlir::Value, Polynomial> known;
  std::unordered_map<Polynomial, llvm::SmallVector<mlir::Value, 1>, Hash>
      values;
  std::unordered_map<Opaque, llvm::SmallVector<mlir::Value, 1>, Hash> opaques;
  llvm::DenseSet<mlir::Value> topAtoms;   ///< those placed at the top
  llvm::StringMap<mlir::Value> namedDims; ///< at the top
  llvm::StringMap<mlir::Value> laterDims; ///< found elsewhere
  bool knowsFirstDims = false, knowsAllDims = false;
  llvm::DenseMap<std::pair<mlir::Value, int64_t>, mlir::OpFoldResult> traced;
};

} // namespace hone::graph

#endif // HONE_DIALECTS_GRAPH_DIMBUILDER_H
