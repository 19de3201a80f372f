// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sums of products of two operands, and those among them that are matrix
// products.
#include "compiler/Import/Mlir/Raise/Body.h"
#include "compiler/Import/Mlir/Raise/Structured.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace hone;
using namespace hone::raise;

/// The one tensor that the value depends on; null if there are several.
static const Operand *onlyOperandOf(Structured &s, Value value) {
  const Operand *result = nullptr;
  for (BlockArgument argument : argumentsOf(value, s.body))
    for (const Operand &input : s.inputs) {
      if (input.argument != argument || !input.tensor)
        continue;
      if (result)
        return nullptr;
      result = &input;
    }
  return result;
}

/// Operations whose value depends on the place of the element.
static bool dependsOnPlace(Structured &s) {
  return llvm::any_of(s.body.getOperations(), [](Operation &op) {
    return isa<linalg::IndexOp, tensor::ExtractOp>(op) ||
           op.getNumRegions() != 0;
  });
}

std::optional<Product> hone::raise::productOf(Structured &s) {
  if (s.outputs.size() != 1 || dependsOnPlace(s))
    return std::nullopt;
  std::optional<Combination> sum = s.combinationOf(s.outputs[0]);
  if (!sum || sum->kind != graph::ReduceKind::Sum)
    return std::nullopt;
  Operation *factors = sum->element.getDefiningOp();
  if (!isa_and_nonnull<arith::MulFOp, arith::MulIOp>(factors) ||
      factors->getBlock() != &s.body)
    return std::nullopt;
  Product result{factors->getOperand(0), factors->getOperand(1), nullptr,
                 nullptr, factors->getResult(0).getType()};
  if (!result.sum.isIntOrFloat() ||
      (result.sum.isInteger() && !result.sum.isInteger(32) &&
       !result.sum.isInteger(64)))
    return std::nullopt;
  result.leftOperand = onlyOperandOf(s, result.left);
  result.rightOperand = onlyOperandOf(s, result.right);
  if (!result.leftOperand || !result.rightOperand ||
      result.leftOperand == result.rightOperand)
    return std::nullopt;
  // The first operand is on the left.
  if (result.leftOperand > result.rightOperand) {
    std::swap(result.left, result.right);
    std::swap(result.leftOperand, result.rightOperand);
  }
  return result;
}

/// f16 or bf16 if the factor is an element of it in f32.
static Type narrowTypeOf(Value factor, const Operand &operand) {
  auto widened = factor.getDefiningOp<arith::ExtFOp>();
  if (widened && widened.getIn() == operand.argument &&
      widened.getType().isF32())
    return widened.getIn().getType();
  return {};
}

LogicalResult hone::raise::factorsOf(Structured &s, const Product &product,
                                     Operand &left, Operand &right) {
  left = *product.leftOperand;
  right = *product.rightOperand;
  // Products of narrow floats are f32 anyway.
  Type narrow = narrowTypeOf(product.left, left);
  if (narrow && narrow == narrowTypeOf(product.right, right))
    return success();
  FailureOr<Value> a = s.apply(product.left, left, product.sum),
                   b = s.apply(product.right, right, product.sum);
  if (failed(a) || failed(b))
    return failure();
  left.tensor = *a;
  right.tensor = *b;
  return success();
}

namespace {
/// The loops of a matrix product.
struct MatrixLoops {
  SmallVector<unsigned> batch, rows, columns, inner;
};
} // namespace

static std::optional<MatrixLoops>
matrixLoops(Structured &s, AffineMap left, AffineMap right, AffineMap result) {
  for (AffineMap map : {left, right, result})
    if (!map.isProjectedPermutation())
      return std::nullopt;
  MatrixLoops found;
  for (unsigned loop = 0; loop < s.loops.size(); ++loop) {
    bool inLeft = left.isFunctionOfDim(loop),
         inRight = right.isFunctionOfDim(loop),
         inResult = result.isFunctionOfDim(loop);
    if (inResult == s.isReduction(loop) || (!inLeft && !inRight))
      return std::nullopt;
    if (inLeft && inRight)
      (inResult ? found.batch : found.inner).push_back(loop);
    else if (inResult)
      (inLeft ? found.rows : found.columns).push_back(loop);
    else
      return std::nullopt;
  }
  if (found.inner.empty())
    return std::nullopt;
  return found;
}

static SmallVector<unsigned> join(ArrayRef<SmallVector<unsigned>> parts) {
  SmallVector<unsigned> result;
  for (const SmallVector<unsigned> &part : parts)
    llvm::append_range(result, part);
  return result;
}

/// The sizes before the last two of what becomes `v` when they are joined.
static Sizes joinedBatch(Raiser &r, Value v) {
  auto reshape = v.getDefiningOp<graph::ReshapeOp>();
  if (!reshape)
    return {};
  Sizes own = r.sizesOf(reshape.getInput()), joined = r.sizesOf(v);
  if (own.size() <= joined.size() || joined.size() != 3 ||
      !r.same(own[own.size() - 2], joined[1]) || !r.same(own.back(), joined[2]))
    return {};
  return Sizes(ArrayRef(own).drop_back(2));
}

/// Where a side was [a, b, M, K], as heads in attention are, the product is not
/// one of [a * b, M, K].
static void splitBatch(Raiser &r, Value &lhs, Value &rhs, Sizes &sizes) {
  Sizes batch = joinedBatch(r, lhs);
  if (batch.empty())
    batch = joinedBatch(r, rhs);
  if (batch.empty())
    return;
  for (Value *side : {&lhs, &rhs}) {
    Sizes own = batch;
    llvm::append_range(own, ArrayRef(r.sizesOf(*side)).drop_front());
    *side = r.reshape(*side, own);
  }
  batch.append({sizes[1], sizes[2]});
  sizes = batch;
}

FailureOr<bool> hone::raise::raiseContraction(Structured &s) {
  std::optional<Product> product = productOf(s);
  if (!product)
    return false;
  Raiser &r = s.r;
  AffineMap result = s.outputs.front().map;
  std::optional<MatrixLoops> found = matrixLoops(
      s, product->leftOperand->map, product->rightOperand->map, result);
  if (!found)
    return false;
  const SmallVector<unsigned> &batch = found->batch, &rows = found->rows,
                              &columns = found->columns, &inner = found->inner;
  Operand left, right;
  if (failed(factorsOf(s, *product, left, right)))
    return failure();
  auto sizesOf = [&](ArrayRef<unsigned> loops) { return s.space(loops).sizes; };
  auto total = [&](ArrayRef<unsigned> loops) {
    return r.dims.product(r.b, r.loc, sizesOf(loops));
  };
  auto matrices = [&](Value v, ArrayRef<unsigned> first,
                      ArrayRef<unsigned> second) {
    Sizes sizes = sizesOf(batch);
    sizes.append({total(first), total(second)});
    return r.reshape(v, sizes);
  };
  Value lhs = matrices(
      s.order(left.tensor, left.map, join({batch, rows, inner})), rows, inner);
  // Rows of the right side are read as they lie.
  unsigned last = right.map.getDimPosition(right.map.getNumResults() - 1);
  bool transposed = !columns.empty() && llvm::is_contained(inner, last);
  Value rhs = transposed ? matrices(s.order(right.tensor, right.map,
                                            join({batch, columns, inner})),
                                    columns, inner)
                         : matrices(s.order(right.tensor, right.map,
                                            join({batch, inner, columns})),
                                    inner, columns);
  Sizes sizes = sizesOf(batch);
  sizes.append({total(rows), total(columns)});
  splitBatch(r, lhs, rhs, sizes);
  Value made = graph::MatmulOp::create(
      r.b, r.loc, r.tensorType(product->sum, sizes), lhs, rhs, r.dynamic(sizes),
      transposed, graph::PackedAttr(), graph::QuantizedAttr());
  SmallVector<unsigned> order = join({batch, rows, columns});
  Value arranged = s.arrange(r.reshape(made, sizesOf(order)), order, result);
  if (failed(s.defineReduced(s.outputs[0], arranged,
                             *s.combinationOf(s.outputs[0]))))
    return failure();
  return true;
}
