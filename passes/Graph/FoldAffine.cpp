// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Folds a scale per output channel after a contraction (usually batch
// normalisation) into its constant weights; what is added remains as one bias.
#include "dialects/Graph/Nodes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Graph/Simplify.h"

using namespace mlir;
using namespace hone;
using namespace hone::graph;

namespace {

/// A contraction with constant weights.
struct Weighted {
  OpOperand *weights;
  int64_t channelDim; ///< of the result
  /// Shape in which one factor per channel multiplies the weights, -1 for the
  /// number of channels.
  SmallVector<int64_t> factorShape;
};

/// Factors do not fit into bytes.
bool isByteProduct(Operation *op) {
  return hone::graph::isByteProduct(getElementTypeOrSelf(op->getOperand(0)),
                                    getElementTypeOrSelf(op->getResult(0)));
}

std::optional<Weighted> weightsOf(Operation *op) {
  if (auto conv = dyn_cast<ConvOp>(op)) {
    if (conv.getPacked() || conv.getDepthwise() || isByteProduct(conv))
      return std::nullopt;
    int64_t rank = conv.getType().getRank();
    Weighted result{&conv.getFilterMutable(),
                    conv.getChannelsLast() ? rank - 1 : 1,
                    SmallVector<int64_t>(rank, 1)};
    result.factorShape[0] = -1;
    return result;
  }
  if (auto conv = dyn_cast<ConvTransposeOp>(op)) {
    if (conv.getGroup() != 1)
      return std::nullopt;
    Weighted result{&conv.getFilterMutable(), 1,
                    SmallVector<int64_t>(conv.getType().getRank() - 1, 1)};
    result.factorShape[0] = -1;
    return result;
  }
  if (auto matmul = dyn_cast<MatmulOp>(op)) {
    if (matmul.getPacked() || isByteProduct(matmul))
      return std::nullopt;
    Weighted result{
        &matmul.getRhsMutable(), matmul.getType().getRank() - 1, {-1}};
    if (matmul.getTransposeRhs())
      result.factorShape.push_back(1);
    return result;
  }
  return std::nullopt;
}

/// One step of y -> y * c, y + c, c - y, ..
struct Step {
  Operation *op;
  bool constantFirst;
};

struct FoldAffine : OpRewritePattern<MapOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MapOp map,
                                PatternRewriter &rewriter) const override {
    for (auto [i, input] : llvm::enumerate(map.getInputs())) {
      Operation *producer = input.getDefiningOp();
      if (!producer || !input.hasOneUse() ||
          producer->getBlock() != map->getBlock() ||
          tensorType(input).getShape() !=
              tensorType(map.getResult(0)).getShape())
        continue;
      std::optional<Weighted> weighted = weightsOf(producer);
      if (weighted && isConstant(weighted->weights->get()) &&
          tensorType(weighted->weights->get()).getElementType() ==
              tensorType(input).getElementType() &&
          isa<FloatType>(tensorType(input).getElementType()) &&
          succeeded(fold(map, i, *weighted, rewriter)))
        return success();
    }
    return rewriter.notifyMatchFailure(map, "no scaled contraction");
  }

private:
  /// A number or one per channel, known now.
  static bool isKnownPerChannel(MapOp map, Value value, int64_t channelDim) {
    if (auto constant = value.getDefiningOp<arith::ConstantOp>())
      return true;
    auto argument = dyn_cast<BlockArgument>(value);
    if (!argument || argument.getOwner() != &map.getBody().front())
      return false;
    Value input = map.getInputs()[argument.getArgNumber()];
    if (!isConstant(input))
      return false;
    int64_t rank = tensorType(map.getResult(0)).getRank();
    RankedTensorType type = tensorType(input);
    return type.getNumElements() != 0 &&
           hone::isPerChannel(type, rank, channelDim);
  }

  static LogicalResult fold(MapOp map, unsigned inputNumber,
                            const Weighted &weighted,
                            PatternRewriter &rewriter) {
    Value current = map.getBody().getArgument(inputNumber);
    SmallVector<Step> steps;
    bool scales = false, shifts = false;
    while (current.hasOneUse()) {
      Operation *user = *current.getUsers().begin();
      if (!isa<arith::MulFOp, arith::DivFOp, arith::AddFOp, arith::SubFOp>(
              user))
        break;
      bool constantFirst = user->getOperand(1) == current;
      Value other = user->getOperand(constantFirst ? 0 : 1);
      if ((constantFirst && isa<arith::DivFOp>(user)) ||
          !isKnownPerChannel(map, other, weighted.channelDim))
        break;
      bool negates = constantFirst && isa<arith::SubFOp>(user);
      scales |= negates || isa<arith::MulFOp, arith::DivFOp>(user);
      shifts |= isa<arith::AddFOp, arith::SubFOp>(user);
      steps.push_back({user, constantFirst});
      current = user->getResult(0);
    }
    if (!scales)
      return rewriter.notifyMatchFailure(map, "the contraction is not scaled");

    std::pair<Value, Value> constants = constantsOf(map, steps, rewriter);
    Value scale = constants.first, shift = constants.second;
    Value weights = weighted.weights->get();
    int64_t channels = tensorType(scale).getNumElements();
    SmallVector<int64_t> shape;
    if (channels != 1)
      for (int64_t size : weighted.factorShape)
        shape.push_back(size == -1 ? channels : size);
    Location loc = map.getLoc();
    Value factors = ReshapeOp::create(
        rewriter, loc, tensorType(scale).clone(shape), scale, ValueRange());
    auto scaled = MapOp::create(
        rewriter, loc, weights.getType(), ValueRange{weights, factors},
        ValueRange(), [](OpBuilder &builder, Location loc, ValueRange x) {
          Value product = arith::MulFOp::create(builder, loc, x[0], x[1]);
          YieldOp::create(builder, loc, product);
        });
    Operation *producer = weighted.weights->getOwner();
    rewriter.modifyOpInPlace(producer, [&] {
      weighted.weights->set(scaled.getResult(0));
      for (const Step &step : steps)
        takeNodes(producer, step.op->getLoc());
    });
    // The contraction may precede the constants made here.
    rewriter.moveOpAfter(producer, scaled);
    rewriter.modifyOpInPlace(map, [&] {
      Block &block = map.getBody().front();
      Value replacement = block.getArgument(inputNumber);
      if (shifts) {
        map.getInputsMutable().append(shift);
        Value bias = block.addArgument(current.getType(), loc);
        rewriter.setInsertionPoint(steps.back().op);
        replacement = arith::AddFOp::create(rewriter, loc, replacement, bias);
      }
      rewriter.replaceAllUsesWith(current, replacement);
    });
    return success();
  }

  /// The total scale and shift of all steps.
  static std::pair<Value, Value> constantsOf(MapOp map, ArrayRef<Step> steps,
                                             PatternRewriter &rewriter) {
    SmallVector<Value> inputs;
    llvm::DenseMap<Value, unsigned> numbers;
    Type element = steps.front().op->getResult(0).getType();
    auto shape = RankedTensorType::get({}, element);
    for (const Step &step : steps) {
      auto argument = dyn_cast<BlockArgument>(
          step.op->getOperand(step.constantFirst ? 0 : 1));
      if (!argument || numbers.count(argument))
        continue;
      numbers[argument] = inputs.size();
      inputs.push_back(map.getInputs()[argument.getArgNumber()]);
      RankedTensorType type = tensorType(inputs.back());
      if (type.getNumElements() > shape.getNumElements() ||
          (type.getNumElements() == shape.getNumElements() &&
           type.getRank() > shape.getRank()))
        shape = type;
    }
    shape = RankedTensorType::get(shape.getShape(), element);
    rewriter.setInsertionPoint(map);
    auto result = MapOp::create(
        rewriter, map.getLoc(), TypeRange{shape, shape}, inputs, ValueRange(),
        [&](OpBuilder &builder, Location loc, ValueRange arguments) {
          auto number = [&](double value) -> Value {
            return arith::ConstantOp::create(builder, loc,
                                             FloatAttr::get(element, value));
          };
          Value scale = number(1.0), shift = number(0.0);
          for (const Step &step : steps) {
            Value other = step.op->getOperand(step.constantFirst ? 0 : 1);
            Value c = isa<BlockArgument>(other)
                          ? arguments[numbers.lookup(other)]
                          : builder.clone(*other.getDefiningOp())->getResult(0);
            if (isa<arith::MulFOp>(step.op)) {
              scale = arith::MulFOp::create(builder, loc, scale, c);
              shift = arith::MulFOp::create(builder, loc, shift, c);
            } else if (isa<arith::DivFOp>(step.op)) {
              scale = arith::DivFOp::create(builder, loc, scale, c);
              shift = arith::DivFOp::create(builder, loc, shift, c);
            } else if (isa<arith::AddFOp>(step.op)) {
              shift = arith::AddFOp::create(builder, loc, shift, c);
            } else if (!step.constantFirst) {
              shift = arith::SubFOp::create(builder, loc, shift, c);
            } else {
              scale = arith::NegFOp::create(builder, loc, scale);
              shift = arith::SubFOp::create(builder, loc, c, shift);
            }
          }
          YieldOp::create(builder, loc, ValueRange{scale, shift});
        });
    return {result.getResult(0), result.getResult(1)};
  }
};

} // namespace

void hone::populateFoldAffinePatterns(RewritePatternSet &patterns) {
  patterns.add<FoldAffine>(patterns.getContext());
}
