// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Replaces operations on constants by their results.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/Remarks.h"
#include "passes/Graph/Evaluate.h"
#include "passes/Graph/Passes.h"

namespace hone {
#define GEN_PASS_DEF_FOLDCONSTANTSPASS
#include "passes/Graph/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone::graph;

static int64_t bytesOf(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.hasStaticShape()
             ? tensor.getNumElements() *
                   hone::graph::elementBytes(tensor.getElementType())
             : 0;
}

/// A scalar read from a constant tensor, as a constant; null where it cannot be
/// read.
static Attribute extractConstant(tensor::ExtractOp extract) {
  std::optional<ConstantBytes> bytes = constantBytes(extract.getTensor());
  if (!bytes)
    return {};
  auto type = cast<RankedTensorType>(extract.getTensor().getType());
  int64_t offset = 0;
  for (auto [i, index] : llvm::enumerate(extract.getIndices())) {
    APInt at;
    if (!matchPattern(index, m_ConstantInt(&at)) || at.getSExtValue() < 0 ||
        at.getSExtValue() >= type.getDimSize(i))
      return {};
    offset = offset * type.getDimSize(i) + at.getSExtValue();
  }
  Type element = type.getElementType();
  hone::Scalar value = hone::loadScalar(element, bytes->element(offset));
  if (isa<FloatType>(element))
    return FloatAttr::get(element, value.real);
  return IntegerAttr::get(element, APInt(element.getIntOrFloatBitWidth(),
                                         value.integer, /*isSigned=*/true));
}

/// A tensor of constant scalars, as a constant; null if one is not constant.
static ElementsAttr constantFromElements(tensor::FromElementsOp op) {
  if (elementBytes(op.getType().getElementType()) == 0)
    return {};
  SmallVector<Attribute> elements;
  for (Value element : op.getElements()) {
    Attribute attr;
    if (!matchPattern(element, m_Constant(&attr)))
      return {};
    elements.push_back(attr);
  }
  return DenseElementsAttr::get(op.getType(), elements);
}

namespace {
struct FoldConstantsPass
    : hone::impl::FoldConstantsPassBase<FoldConstantsPass> {
  using Base::Base;

  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    llvm::DenseMap<const void *, unsigned> users; // constants on one resource
    SmallVector<Operation *> candidates;
    getOperation().walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (auto constant = dyn_cast<ConstantOp>(op)) {
        ++users[constantStorage(constant.getValue())];
        return WalkResult::advance();
      }
      candidates.push_back(op);
      return isa<MapOp>(op) ? WalkResult::skip() : WalkResult::advance();
    });

    // Program order: the operands of each are folded before it.
    for (Operation *op : candidates) {
      rewriter.setInsertionPoint(op);
      if (foldScalar(op, rewriter))
        continue;
      if (!isa<GraphDialect>(op->getDialect()) || !worthwhile(op))
        continue;
      llvm::Expected<SmallVector<ElementsAttr>> values =
          hone::evaluate(op, "folded_" + std::to_string(numFolded++));
      if (!values) {
        llvm::consumeError(values.takeError());
        continue;
      }
      SmallVector<Value> constants;
      for (ElementsAttr value : *values) {
        constants.push_back(ConstantOp::create(rewriter, op->getLoc(), value));
        ++users[constantStorage(value)];
      }
      remark::passed(op->getLoc(), remark::RemarkOpts::name("folded").category(
                                       "fold-constants"));
      llvm::SetVector<Value> operands(op->operand_begin(), op->operand_end());
      op->walk([&](tensor::ExtractOp extract) {
        operands.insert(extract.getTensor());
      });
      rewriter.replaceOp(op, constants);
      for (Value operand : operands)
        eraseUnused(operand, users, rewriter);
    }
  }

private:
  /// Frees a source at once: a chain of folded operations never holds more than
  /// two copies of a weight.
  static void eraseUnused(Value value,
                          llvm::DenseMap<const void *, unsigned> &users,
                          RewriterBase &rewriter) {
    auto constant = value.getDefiningOp<ConstantOp>();
    if (!constant || !constant->use_empty())
      return;
    if (--users[constantStorage(constant.getValue())] == 0)
      releaseConstant(constant.getValue());
    rewriter.eraseOp(constant);
  }

  bool foldScalar(Operation *op, RewriterBase &rewriter) {
    if (auto extract = dyn_cast<tensor::ExtractOp>(op)) {
      if (Attribute value = extractConstant(extract))
        rewriter.replaceOpWithNewOp<arith::ConstantOp>(op,
                                                       cast<TypedAttr>(value));
      return true;
    }
    if (auto elements = dyn_cast<tensor::FromElementsOp>(op)) {
      if (ElementsAttr value = constantFromElements(elements))
        rewriter.replaceOpWithNewOp<ConstantOp>(op, value);
      return true;
    }
    SmallVector<Value> folded;
    if (!isa<arith::ArithDialect, math::MathDialect>(op->getDialect()) ||
        op->getNumResults() == 0 || failed(rewriter.tryFold(op, folded)))
      return false;
    if (!folded.empty()) // else it was changed in place
      rewriter.replaceOp(op, folded);
    return true;
  }

  /// Not where a small constant would become a large one.
  bool worthwhile(Operation *op) {
    int64_t inputs = 0, results = 0;
    for (Value operand : op->getOperands())
      inputs += bytesOf(operand.getType());
    for (Type type : op->getResultTypes())
      results += bytesOf(type);
    return results <= maxGrowthKib * 1024 || results <= 2 * inputs;
  }

  unsigned numFolded = 0;
};
} // namespace
