// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Amounts as expressions of tensor sizes, to be evaluated where these are
// known.
#ifndef HONE_DIALECTS_GRAPH_SIZEEXPR_H
#define HONE_DIALECTS_GRAPH_SIZEEXPR_H

#include "mlir/IR/Value.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"

namespace hone::graph {

/// A sum of products of numbers and of sizes.
class SizeExpr {
public:
  struct Factor {
    mlir::Value tensor; ///< Null: `number` is the factor.
    int64_t number;     ///< Else it is the size of this dimension.
  };

  SizeExpr() = default;
  SizeExpr(int64_t number) : terms{{{mlir::Value(), number}}} {}

  static SizeExpr size(mlir::Value tensor, int64_t dim);
  /// The product of the sizes from dimension `begin` to before `end`.
  static SizeExpr sizes(mlir::Value tensor, int64_t begin, int64_t end);
  static SizeExpr elements(mlir::Value tensor);
  static SizeExpr product(llvm::ArrayRef<int64_t> numbers);

  SizeExpr operator*(const SizeExpr &other) const;
  SizeExpr operator+(const SizeExpr &other) const;

  /// Evaluates the amount in the arithmetic of `T`, with factors from
  /// `valueOf`.
  template <typename T>
  T evaluate(llvm::function_ref<T(const Factor &)> valueOf) const {
    T sum(0);
    for (const Term &term : terms) {
      T product(1);
      for (const Factor &factor : term)
        product = product * valueOf(factor);
      sum = sum + product;
    }
    return sum;
  }

private:
  using Term = llvm::SmallVector<Factor, 6>;
  llvm::SmallVector<Term, 1> terms;
};

} // namespace hone::graph

#endif // HONE_DIALECTS_GRAPH_SIZEEXPR_H
