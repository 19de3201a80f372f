// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The costs of the model's operations.
#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Interfaces/CastInterfaces.h"

using namespace mlir;
using namespace hone::graph;

//===-- Expressions -------------------------------------------------------===//

SizeExpr SizeExpr::size(Value tensor, int64_t dim) {
  return sizes(tensor, dim, dim + 1);
}

SizeExpr SizeExpr::sizes(Value tensor, int64_t begin, int64_t end) {
  SizeExpr result(1);
  for (int64_t i = begin; i < end; ++i)
    result.terms.front().push_back({tensor, i});
  return result;
}

SizeExpr SizeExpr::elements(Value tensor) {
  return sizes(tensor, 0, cast<ShapedType>(tensor.getType()).getRank());
}

SizeExpr SizeExpr::product(ArrayRef<int64_t> numbers) {
  SizeExpr result(1);
  for (int64_t number : numbers)
    result.terms.front().push_back({Value(), number});
  return result;
}

SizeExpr SizeExpr::operator*(const SizeExpr &other) const {
  SizeExpr result;
  for (const Term &left : terms)
    for (const Term &right : other.terms) {
      result.terms.push_back(left);
      llvm::append_range(result.terms.back(), right);
    }
  return result;
}

SizeExpr SizeExpr::operator+(const SizeExpr &other) const {
  SizeExpr result = *this;
  llvm::append_range(result.terms, other.terms);
  return result;
}

//===-- Operations --------------------------------------------------------===//

/// Arithmetic operations of the region for one element. Numbers of type index
/// are addresses, not data.
static int64_t arithmeticIn(Region &region) {
  int64_t count = 0;
  region.walk([&](Operation *op) {
    if (!isa<arith::ArithDialect>(op->getDialect()) &&
        op->getDialect()->getNamespace() != "math")
      return;
    if (op->hasTrait<OpTrait::ConstantLike>() ||
        isa<CastOpInterface, arith::SelectOp>(op))
      return;
    Type type = op->getResult(0).getType();
    if (type.isIndex() || type.isInteger(1))
      return;
    count += op->getName().getStringRef() == "math.fma" ? 2 : 1;
  });
  return count;
}

SizeExpr MapOp::getFlop() {
  return SizeExpr::elements(getResult(0)) * arithmeticIn(getBody());
}

SizeExpr ReduceOp::getFlop() { return SizeExpr::elements(getInput()); }
SizeExpr ReduceOp::getElementsSwept() { return SizeExpr::elements(getInput()); }

SizeExpr ArgReduceOp::getElementsSwept() {
  return SizeExpr::elements(getInput());
}

SizeExpr CumulateOp::getFlop() { return SizeExpr::elements(getInput()); }

SizeExpr TopKOp::getElementsSwept() { return SizeExpr::elements(getInput()); }

SizeExpr MatmulOp::getMultiplyAdds() {
  return SizeExpr::elements(getResult()) *
         SizeExpr::size(getLhs(), getLhs().getType().getRank() - 1);
}

/// Rows of queries times keys: one score for each.
static SizeExpr scoresOf(AttentionOp op) {
  int64_t rank = op.getType().getRank();
  return SizeExpr::sizes(op.getResult(), 0, rank - 1) *
         SizeExpr::size(op.getKey(), rank - (op.getKeyByRow() ? 3 : 2));
}

SizeExpr AttentionOp::getMultiplyAdds() {
  int64_t last = getType().getRank() - 1;
  return scoresOf(*this) *
         (SizeExpr::size(getQuery(), last) + SizeExpr::size(getResult(), last));
}

/// A softmax between the products: for each score a maximum, a difference, an
/// exponential and a sum, for each result a quotient.
SizeExpr AttentionOp::getFlop() {
  return getMultiplyAdds() * 2 +
         scoresOf(*this) * (4 + arithmeticIn(getScores())) +
         SizeExpr::elements(getResult());
}

SizeExpr ConvOp::getMultiplyAdds() {
  SizeExpr sums =
      SizeExpr::elements(getResult()) * SizeExpr::product(getKernel());
  if (getDepthwise())
    return sums;
  std::optional<PackedAttr> packed = getPacked();
  if (!packed)
    return sums * SizeExpr::size(getFilter(), 1);
  if (packed->isOrdered())
    return sums *
           SizeExpr::size(getInput(), getInput().getType().getRank() - 1);
  int64_t steps = getFilter().getType().getRank() - 1 - packed->stepRank();
  return sums * SizeExpr::size(getFilter(), steps) * packed->getKr();
}

/// A difference and a product.
SizeExpr DequantizeOp::getFlop() { return SizeExpr::elements(getResult()) * 2; }

SizeExpr ConvTransposeOp::getMultiplyAdds() {
  return SizeExpr::elements(getInput()) *
         SizeExpr::sizes(getFilter(), 1, getFilter().getType().getRank());
}

SizeExpr PoolOp::getFlop() {
  return SizeExpr::elements(getResult()) * SizeExpr::product(getKernel());
}

/// Each window is traversed, in addition to the result.
SizeExpr PoolOp::getElementsSwept() {
  return SizeExpr::elements(getResult()) + getFlop();
}

SizeExpr ScatterOp::getFlop() {
  if (getKind() == ScatterKind::Assign)
    return 0;
  return SizeExpr::elements(getUpdates());
}

std::optional<SizeExpr> SliceOp::getPartRead(OpOperand &) {
  return SizeExpr::elements(getResult());
}

std::optional<SizeExpr> GatherOp::getPartRead(OpOperand &operand) {
  if (operand.get() != getInput())
    return std::nullopt;
  return SizeExpr::elements(getResult());
}
