// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Replaces operations on constants by their results.
#include "dialects/Graph/Evaluate.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/Remarks.h"
#include "passes/Graph/ConstantUsers.h"
#include "passes/Graph/Passes.h"

namespace hone {
#define GEN_PASS_DEF_FOLDCONSTANTSPASS
#include "passes/Graph/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone::graph;

static int64_t elementsOf(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.hasStaticShape() ? tensor.getNumElements() : 0;
}

static int64_t bytesOf(Type type) {
  int64_t elements = elementsOf(type);
  return elements == 0
             ? 0
             : elements * elementBytes(cast<ShapedType>(type).getElementType());
}

/// Limits on the cost of folding beyond what the constants of the model account
/// for: memory that it adds, and elements that the interpreter computes. A
/// small file must not request gigabytes or minutes.
static constexpr int64_t freeBytes = int64_t(64) << 20,
                         freeElements = int64_t(8) << 20;
/// How many times the model's own constants may be recreated.
static constexpr int64_t maxGrowth = 2, maxSweeps = 4;
/// Set on a function once the budget is spent.
static constexpr StringRef spentName = "hone.folding_spent";
/// Results of at most this many bytes and elements are folded even then.
static constexpr int64_t alwaysBytes = 64;

static int64_t costOf(EvaluableOpInterface op) {
  return op.isFreeToEvaluate() ? 0 : op.getEvaluationCost();
}

/// Memory for the results.
static int64_t resultBytes(EvaluableOpInterface op) {
  int64_t bytes = 0;
  if (!op.isFreeToEvaluate())
    for (Type type : op->getResultTypes())
      bytes += bytesOf(type);
  return bytes;
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
  Scalar value = loadScalar(element, bytes->element(offset));
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
    hone::ConstantUsers users;
    SmallVector<Operation *> candidates;
    bytesLeft = freeBytes;
    elementsLeft = freeElements;
    getOperation().walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (auto constant = dyn_cast<ConstantOp>(op)) {
        if (users.add(constant)) {
          bytesLeft += maxGrowth * bytesOf(constant.getType());
          elementsLeft += maxSweeps * constant.getType().getNumElements();
        }
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
      auto evaluable = dyn_cast<EvaluableOpInterface>(op);
      if (!evaluable || !worthwhile(op) || !affordable(evaluable))
        continue;
      llvm::Expected<SmallVector<ElementsAttr>> values =
          evaluate(evaluable, "folded_" + std::to_string(numFolded++));
      if (!values) {
        llvm::consumeError(values.takeError());
        continue;
      }
      SmallVector<Value> constants;
      for (ElementsAttr value : *values) {
        auto constant = ConstantOp::create(rewriter, op->getLoc(), value);
        constants.push_back(constant);
        if (users.add(constant))
          bytesLeft -= bytesOf(value.getType());
      }
      elementsLeft -= costOf(evaluable);
      remark::passed(op->getLoc(), remark::RemarkOpts::name("folded").category(
                                       "fold-constants"));
      llvm::SetVector<Value> operands(op->operand_begin(), op->operand_end());
      op->walk([&](tensor::ExtractOp extract) {
        operands.insert(extract.getTensor());
      });
      rewriter.replaceOp(op, constants);
      for (Value operand : operands)
        if (auto constant = operand.getDefiningOp<ConstantOp>())
          eraseUnused(constant, users);
    }
  }

private:
  /// Frees a source at once: a chain of folded operations never holds more than
  /// two copies of a weight.
  void eraseUnused(ConstantOp constant, hone::ConstantUsers &users) {
    int64_t bytes = bytesOf(constant.getType());
    if (users.eraseUnused(constant))
      bytesLeft += bytes;
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
    if (!folded.empty()) // otherwise it was changed in place
      rewriter.replaceOp(op, folded);
    return true;
  }

  /// Not if a small constant would become a large one. Weights that are
  /// converted, like quantized ones, keep their number of elements.
  bool worthwhile(Operation *op) {
    int64_t inputs = 0, results = 0, read = 0, written = 0;
    for (Value operand : op->getOperands()) {
      inputs += bytesOf(operand.getType());
      read = std::max(read, elementsOf(operand.getType()));
    }
    for (Type type : op->getResultTypes()) {
      results += bytesOf(type);
      written += elementsOf(type);
    }
    return results <= maxGrowthKib * 1024 || results <= 2 * inputs ||
           written <= read;
  }

  /// Within the remaining budget. Beyond it, operations stay.
  bool affordable(EvaluableOpInterface op) {
    bool constant = llvm::all_of(op->getOperands(), [](Value operand) {
      return !isa<RankedTensorType>(operand.getType()) ||
             constantBytes(operand);
    });
    bool isStatic = llvm::all_of(op->getResultTypes(), [](Type type) {
      auto tensor = dyn_cast<RankedTensorType>(type);
      return tensor && tensor.hasStaticShape();
    });
    if (!constant || !isStatic)
      return true; // is not evaluated
    int64_t bytes = resultBytes(op), cost = costOf(op);
    if ((bytes <= alwaysBytes && cost <= alwaysBytes) ||
        (!getOperation()->hasAttr(spentName) && bytes <= bytesLeft &&
         cost <= elementsLeft))
      return true;
    getOperation()->setAttr(spentName, UnitAttr::get(&getContext()));
    remark::missed(op->getLoc(), remark::RemarkOpts::name("budget").category(
                                     "fold-constants"))
        << "left for run time: constants made at compile time take more memory "
           "or time than a model of this size may";
    return false;
  }

  unsigned numFolded = 0;
  int64_t bytesLeft = 0, elementsLeft = 0;
};
} // namespace
