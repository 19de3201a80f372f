// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Simplification of maps.
#include "dialects/Graph/Evaluate.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "passes/Graph/Simplify.h"

using namespace mlir;
using namespace hone;
using namespace hone::graph;

MapOp hone::createMap(OpBuilder &builder, Location loc, TypeRange results,
                      ValueRange inputs, ValueRange dims, Region &body) {
  OperationState state(loc, MapOp::getOperationName());
  state.addTypes(results);
  state.addOperands(inputs);
  state.addOperands(dims);
  state.getOrAddProperties<MapOp::Properties>().operandSegmentSizes = {
      static_cast<int32_t>(inputs.size()), static_cast<int32_t>(dims.size())};
  state.addRegion()->takeBody(body);
  return cast<MapOp>(builder.create(state));
}

static YieldOp yieldOf(MapOp map) {
  return cast<YieldOp>(map.getBody().front().getTerminator());
}

/// Removes input `i`, whose argument has no use.
static void eraseInput(MapOp map, unsigned i) {
  map.getInputsMutable().erase(i);
  map.getBody().front().eraseArgument(i);
}

namespace {

/// A map that yields an element of an input of its own shape unchanged.
struct ForwardInput : OpRewritePattern<MapOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MapOp map,
                                PatternRewriter &rewriter) const override {
    bool changed = false;
    for (auto [yielded, result] :
         llvm::zip(yieldOf(map).getValues(), map.getResults())) {
      auto argument = dyn_cast<BlockArgument>(yielded);
      if (!argument || argument.getOwner() != &map.getBody().front())
        continue;
      Value input = map.getInputs()[argument.getArgNumber()];
      if (input.getType() != result.getType() || result.use_empty())
        continue;
      rewriter.replaceAllUsesWith(result, input);
      changed = true;
    }
    if (!changed)
      return rewriter.notifyMatchFailure(map, "forwards no input");
    return success();
  }
};

/// An input all of whose elements are equal becomes a scalar constant.
struct InlineUniformInput : OpRewritePattern<MapOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MapOp map,
                                PatternRewriter &rewriter) const override {
    for (unsigned i = 0; i < map.getInputs().size(); ++i) {
      Value input = map.getInputs()[i];
      std::optional<ConstantBytes> bytes = constantBytes(input);
      bool one = tensorType(input).hasStaticShape() &&
                 tensorType(input).getNumElements() == 1;
      if (!bytes || (!bytes->splat && !one))
        continue;
      Type type = tensorType(input).getElementType();
      Scalar scalar = loadScalar(type, bytes->element(0));
      TypedAttr value;
      if (isa<FloatType>(type))
        value = FloatAttr::get(type, scalar.real);
      else
        value = IntegerAttr::get(
            type, APInt(type.getIntOrFloatBitWidth(), scalar.integer, true));
      rewriter.modifyOpInPlace(map, [&] {
        rewriter.setInsertionPointToStart(&map.getBody().front());
        Value constant =
            arith::ConstantOp::create(rewriter, map.getLoc(), value);
        rewriter.replaceAllUsesWith(map.getBody().getArgument(i), constant);
        eraseInput(map, i);
      });
      return success();
    }
    return rewriter.notifyMatchFailure(map, "no input is uniform");
  }
};

/// Inputs that are not read, or read twice.
struct DropInputs : OpRewritePattern<MapOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MapOp map,
                                PatternRewriter &rewriter) const override {
    Block &block = map.getBody().front();
    llvm::DenseMap<Value, unsigned> first;
    SmallVector<unsigned> unused;
    SmallVector<std::pair<unsigned, unsigned>> twice;
    for (auto [i, input] : llvm::enumerate(map.getInputs())) {
      if (block.getArgument(i).use_empty()) {
        unused.push_back(i);
        continue;
      }
      auto [it, isNew] = first.try_emplace(input, i);
      if (isNew)
        continue;
      twice.push_back({i, it->second});
      unused.push_back(i);
    }
    if (unused.empty())
      return rewriter.notifyMatchFailure(map, "every input is read, and once");
    rewriter.modifyOpInPlace(map, [&] {
      for (auto [again, before] : twice)
        rewriter.replaceAllUsesWith(block.getArgument(again),
                                    block.getArgument(before));
      for (unsigned i : llvm::reverse(unused))
        eraseInput(map, i);
    });
    return success();
  }
};

/// Results that are unused, or equal to another.
struct DropResults : OpRewritePattern<MapOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MapOp map,
                                PatternRewriter &rewriter) const override {
    if (map->getNumResults() == 1)
      return rewriter.notifyMatchFailure(map, "has one result");
    llvm::DenseMap<std::pair<Value, Type>, unsigned> first;
    SmallVector<unsigned> kept;
    SmallVector<Type> types;
    SmallVector<Value> yielded;
    SmallVector<std::optional<unsigned>> place(map->getNumResults());
    for (auto [i, value] : llvm::enumerate(yieldOf(map).getValues())) {
      if (map.getResult(i).use_empty())
        continue;
      Type type = map.getResult(i).getType();
      auto [it, isNew] = first.try_emplace({value, type}, types.size());
      place[i] = it->second;
      if (!isNew)
        continue;
      types.push_back(type);
      yielded.push_back(value);
    }
    if (types.size() == map->getNumResults() || types.empty())
      return rewriter.notifyMatchFailure(map, "every result is needed");
    rewriter.modifyOpInPlace(
        yieldOf(map), [&] { yieldOf(map).getValuesMutable().assign(yielded); });
    MapOp smaller = createMap(rewriter, map.getLoc(), types, map.getInputs(),
                              map.getDims(), map.getBody());
    smaller->setDiscardableAttrs(map->getDiscardableAttrDictionary());
    for (auto [result, number] : llvm::zip(map.getResults(), place))
      if (number)
        rewriter.replaceAllUsesWith(result, smaller.getResult(*number));
    rewriter.eraseOp(map);
    return success();
  }
};

/// A constant [1, .., 1, n] can be read as [n], which shows that only the last
/// dimension matters.
struct DropLeadingOnes : OpRewritePattern<MapOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MapOp map,
                                PatternRewriter &rewriter) const override {
    for (unsigned i = 0; i < map.getInputs().size(); ++i) {
      Value input = map.getInputs()[i];
      auto constant = input.getDefiningOp<ConstantOp>();
      RankedTensorType type = tensorType(input);
      if (!constant || type.getRank() == 0 || type.getDimSize(0) != 1)
        continue;
      ArrayRef<int64_t> shape =
          type.getShape().drop_while([](int64_t size) { return size == 1; });
      ElementsAttr value =
          reshapeConstant(constant.getValue(), type.clone(shape));
      if (!value)
        continue;
      rewriter.setInsertionPoint(map);
      Value smaller = ConstantOp::create(rewriter, constant.getLoc(), value);
      rewriter.modifyOpInPlace(map,
                               [&] { map.getInputsMutable()[i].set(smaller); });
      return success();
    }
    return rewriter.notifyMatchFailure(map, "no constant has leading ones");
  }
};

/// The part of a region that depends only on constants is computed once, by a
/// separate map that constant folding evaluates.
struct HoistConstantPart : OpRewritePattern<MapOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MapOp map,
                                PatternRewriter &rewriter) const override {
    Block &block = map.getBody().front();
    llvm::SetVector<Operation *> hoisted;
    llvm::SetVector<Value> constants;
    for (auto [argument, input] :
         llvm::zip(block.getArguments(), map.getInputs()))
      if (constantBytes(input))
        constants.insert(argument);
    if (constants.empty() || constants.size() == map.getInputs().size())
      return rewriter.notifyMatchFailure(map, "inputs are not mixed");
    for (Operation &op : block.without_terminator()) {
      if (op.getNumRegions() || op.getNumOperands() == 0 || !isPure(&op) ||
          op.getNumResults() != 1 ||
          elementBytes(op.getResult(0).getType()) == 0)
        continue;
      bool any = false, all = true;
      for (Value operand : op.getOperands()) {
        any |= constants.contains(operand);
        all &= constants.contains(operand) || isScalarConstant(operand);
      }
      if (!any || !all)
        continue;
      hoisted.insert(&op);
      constants.insert(op.getResult(0));
    }
    // Values that the rest of the region reads.
    SmallVector<Value> needed;
    for (Operation *op : hoisted)
      if (llvm::any_of(op->getUsers(), [&](Operation *user) {
            return !hoisted.contains(user);
          }))
        needed.push_back(op->getResult(0));
    if (needed.empty())
      return rewriter.notifyMatchFailure(map,
                                         "nothing hangs on constants only");

    SmallVector<Value> inputs;
    SmallVector<int64_t> shape;
    int64_t elements = 0;
    for (auto [argument, input] :
         llvm::zip(block.getArguments(), map.getInputs())) {
      if (llvm::none_of(argument.getUsers(), [&](Operation *user) {
            return hoisted.contains(user);
          }))
        continue;
      inputs.push_back(input);
      ArrayRef<int64_t> own = tensorType(input).getShape();
      elements += tensorType(input).getNumElements();
      if (shape.size() < own.size())
        shape.insert(shape.begin(), own.size() - shape.size(), 1);
      for (size_t i = 0; i < own.size(); ++i) {
        int64_t &size = shape[shape.size() - own.size() + i];
        size = size == 1 ? own[i] : size;
      }
    }
    if (ShapedType::getNumElements(shape) >
        std::max<int64_t>(2 * elements, 4096))
      return rewriter.notifyMatchFailure(map, "the constant part would grow");

    SmallVector<Type> types;
    for (Value value : needed)
      types.push_back(RankedTensorType::get(shape, value.getType()));
    rewriter.setInsertionPoint(map);
    auto part = MapOp::create(
        rewriter, map.getLoc(), types, inputs, ValueRange(),
        [&](OpBuilder &builder, Location loc, ValueRange arguments) {
          IRMapping mapping;
          unsigned next = 0;
          for (auto [argument, input] :
               llvm::zip(block.getArguments(), map.getInputs()))
            if (next < inputs.size() && inputs[next] == input &&
                llvm::any_of(
                    argument.getUsers(),
                    [&](Operation *user) { return hoisted.contains(user); }))
              mapping.map(argument, arguments[next++]);
          for (Operation *op : hoisted) {
            for (Value operand : op->getOperands())
              if (!mapping.contains(operand))
                mapping.map(
                    operand,
                    builder.clone(*operand.getDefiningOp())->getResult(0));
            builder.clone(*op, mapping);
          }
          SmallVector<Value> yielded;
          for (Value value : needed)
            yielded.push_back(mapping.lookup(value));
          YieldOp::create(builder, loc, yielded);
        });
    rewriter.modifyOpInPlace(map, [&] {
      for (auto [value, result] : llvm::zip(needed, part.getResults())) {
        map.getInputsMutable().append(result);
        Value argument = block.addArgument(value.getType(), value.getLoc());
        rewriter.replaceUsesWithIf(value, argument, [&](OpOperand &use) {
          return !hoisted.contains(use.getOwner());
        });
      }
    });
    return success();
  }
};

/// x / c is x * (1 / c) where 1 / c is exact.
struct DivideByPowerOfTwo : OpRewritePattern<arith::DivFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::DivFOp op,
                                PatternRewriter &rewriter) const override {
    auto constant = op.getRhs().getDefiningOp<arith::ConstantOp>();
    auto value =
        constant ? dyn_cast<FloatAttr>(constant.getValue()) : FloatAttr();
    APFloat inverse(0.0);
    if (!value || !value.getValue().getExactInverse(&inverse))
      return rewriter.notifyMatchFailure(op, "no constant with exact inverse");
    Value factor = arith::ConstantOp::create(
        rewriter, op.getLoc(), FloatAttr::get(op.getType(), inverse));
    rewriter.replaceOpWithNewOp<arith::MulFOp>(op, op.getLhs(), factor);
    return success();
  }
};

} // namespace

void hone::populateSimplifyMapPatterns(RewritePatternSet &patterns) {
  patterns.add<ForwardInput, InlineUniformInput, DropInputs, DropResults,
               DropLeadingOnes, HoistConstantPart, DivideByPowerOfTwo>(
      patterns.getContext());
}
