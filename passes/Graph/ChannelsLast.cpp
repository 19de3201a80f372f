// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The rewrite to channels last, in place: a chosen operation keeps its result
// values, which from then on have their channels last.
#include "passes/Graph/ChannelsLast.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/Remarks.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace hone;
using namespace hone::graph;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

SmallVector<int64_t> hone::channelsLastOrder(int64_t rank) {
  SmallVector<int64_t> order = {0};
  for (int64_t i = 2; i < rank; ++i)
    order.push_back(i);
  order.push_back(1);
  return order;
}

SmallVector<int64_t> hone::channelsFirstOrder(int64_t rank) {
  SmallVector<int64_t> order = {0, rank - 1};
  for (int64_t i = 1; i < rank - 1; ++i)
    order.push_back(i);
  return order;
}

bool hone::isToChannelsLast(TransposeOp op) {
  int64_t rank = op.getType().getRank();
  return hasChannelsLastOrder(rank) &&
         op.getPermutation() == ArrayRef(channelsLastOrder(rank));
}

bool hone::isToChannelsFirst(TransposeOp op) {
  int64_t rank = op.getType().getRank();
  return hasChannelsLastOrder(rank) &&
         op.getPermutation() == ArrayRef(channelsFirstOrder(rank));
}

bool hone::movesOnlyUnits(ArrayRef<int64_t> shape, ArrayRef<int64_t> order) {
  int64_t previous = -1;
  for (int64_t from : order) {
    if (shape[from] == 1)
      continue;
    if (from < previous)
      return false;
    previous = from;
  }
  return true;
}

/// Whether the dimensions that a reduction drops leave the others in the same
/// order with channels last.
static bool keepsOrder(ReduceOp op) {
  if (op.getKeepdims())
    return true;
  SmallVector<int64_t> kept;
  for (int64_t i : channelsLastOrder(op.getInput().getType().getRank()))
    if (!llvm::is_contained(op.getAxes(), i))
      kept.push_back(i);
  return llvm::is_sorted(kept);
}

/// Whether a reshape leaves batch and channels alone and only regroups the
/// spatial dimensions.
static bool regroupsSpatial(ReshapeOp op, DimBuilder &dims) {
  if (!hasChannelsLastOrder(op.getType().getRank()))
    return false;
  return dims.sameSize(op.getInput(), 0, op.getResult(), 0) &&
         dims.sameSize(op.getInput(), 1, op.getResult(), 1);
}

LayoutRole hone::layoutRole(Operation *op, DimBuilder &dims) {
  auto anyIf = [](bool condition) {
    return condition ? LayoutRole::Any : LayoutRole::Fixed;
  };
  auto tensor = op->getNumResults() && op->getNumOperands()
                    ? dyn_cast<RankedTensorType>(op->getOperand(0).getType())
                    : RankedTensorType();
  if (auto map = dyn_cast<MapOp>(op))
    return anyIf(hasChannelsLastOrder(typeOf(map.getResult(0)).getRank()));
  if (!tensor || !hasChannelsLastOrder(tensor.getRank()))
    return LayoutRole::Fixed;
  return llvm::TypeSwitch<Operation *, LayoutRole>(op)
      .Case([&](ConvOp conv) {
        return conv.getChannelsLast() ? LayoutRole::Fixed
                                      : LayoutRole::ChannelsLast;
      })
      .Case([&](PoolOp pool) {
        // Indices are positions in the order of the model.
        if (pool.getChannelsLast() || pool.getIndices())
          return LayoutRole::Fixed;
        // Else there are no vectors along a row of outputs.
        return pool.getStrides().back() <= 2 ? LayoutRole::BetterChannelsLast
                                             : LayoutRole::ChannelsLast;
      })
      .Case([&](ReduceOp reduce) { return anyIf(keepsOrder(reduce)); })
      .Case([&](ReshapeOp reshape) {
        return anyIf(regroupsSpatial(reshape, dims));
      })
      .Case<ConcatOp, PadOp, SliceOp, CumulateOp>(
          [](auto) { return LayoutRole::Any; })
      .Default([](Operation *) { return LayoutRole::Fixed; });
}

bool hone::resultFollowsLayout(Operation *op, Value result) {
  if (auto reduce = dyn_cast<ReduceOp>(op))
    return reduce.getKeepdims();
  return true;
}

bool hone::operandFollowsLayout(Operation *op, OpOperand &use) {
  auto type = dyn_cast<RankedTensorType>(use.get().getType());
  if (!type)
    return false;
  if (auto map = dyn_cast<MapOp>(op)) {
    if (type.getRank() != typeOf(map.getResult(0)).getRank())
      return false;
    return use.getOwner() == op || (isa<tensor::ExtractOp>(use.getOwner()) &&
                                    use.getOperandNumber() == 0);
  }
  return isa<ConcatOp>(op) || use.getOperandNumber() == 0;
}

/// Entry `i` of the result is entry `order[i]` of `values`.
template <typename T>
static SmallVector<T> permuted(ArrayRef<T> values, ArrayRef<int64_t> order) {
  SmallVector<T> result;
  for (int64_t from : order)
    result.push_back(values[from]);
  return result;
}

/// Place of each dimension after the transpose by `order`.
static SmallVector<int64_t> placesOf(ArrayRef<int64_t> order) {
  SmallVector<int64_t> places(order.size());
  for (auto [i, from] : llvm::enumerate(order))
    places[from] = i;
  return places;
}

/// Operands, one for each dynamic entry of `entries`, in the new order.
static SmallVector<Value> permutedDynamic(ArrayRef<int64_t> entries,
                                          ValueRange values,
                                          ArrayRef<int64_t> order) {
  SmallVector<Value> byEntry(entries.size()), result;
  for (auto [i, entry] : llvm::enumerate(entries))
    if (ShapedType::isDynamic(entry)) {
      byEntry[i] = values.front();
      values = values.drop_front();
    }
  for (int64_t from : order)
    if (byEntry[from])
      result.push_back(byEntry[from]);
  return result;
}

static void permuteType(Value value, ArrayRef<int64_t> order) {
  RankedTensorType type = typeOf(value);
  value.setType(type.clone(permuted(type.getShape(), order)));
}

/// Gives the result, and the sizes in `dims`, the new order.
template <typename OpTy> static void permuteResult(OpTy op) {
  RankedTensorType type = typeOf(op->getResult(0));
  SmallVector<int64_t> order = channelsLastOrder(type.getRank());
  op.getDimsMutable().assign(
      permutedDynamic(type.getShape(), op.getDims(), order));
  for (Value result : op->getResults())
    permuteType(result, order);
}

namespace {

/// Rewrites one function, operation by operation in program order.
class ChannelsLastRewriter {
public:
  explicit ChannelsLastRewriter(MLIRContext *context) : rewriter(context) {}

  void visit(Operation *op, bool chosen);
  void eraseReplaced();

private:
  /// A tensor of the original program in either order; null until needed.
  struct Versions {
    Value first, last;
  };

  Value channelsFirst(Value value);
  Value channelsLast(Value value);
  Value transposed(Value value, ArrayRef<int64_t> order);
  /// An input of a map of rank `rank`, at the place of the map.
  Value mapInput(MapOp map, Value input, int64_t rank);
  void useChannelsFirst(Operation *op);
  void rewrite(Operation *op);
  void rewriteMap(MapOp map);

  IRRewriter rewriter;
  DenseMap<Value, Versions> versions;
  SmallVector<Operation *> replaced;
};

} // namespace

Value ChannelsLastRewriter::transposed(Value value, ArrayRef<int64_t> order) {
  rewriter.setInsertionPointAfterValue(value);
  RankedTensorType type = typeOf(value);
  return TransposeOp::create(rewriter, value.getLoc(),
                             type.clone(permuted(type.getShape(), order)),
                             value, order);
}

Value ChannelsLastRewriter::channelsFirst(Value value) {
  auto it = versions.find(value);
  if (it == versions.end())
    return value;
  Versions &entry = it->second;
  if (!entry.first)
    entry.first = transposed(entry.last,
                             channelsFirstOrder(typeOf(entry.last).getRank()));
  return entry.first;
}

Value ChannelsLastRewriter::channelsLast(Value value) {
  Versions &entry =
      versions.try_emplace(value, Versions{value, {}}).first->second;
  if (!entry.last)
    entry.last = transposed(entry.first,
                            channelsLastOrder(typeOf(entry.first).getRank()));
  return entry.last;
}

Value ChannelsLastRewriter::mapInput(MapOp map, Value input, int64_t rank) {
  RankedTensorType type = typeOf(input);
  if (type.getRank() == rank)
    return channelsLast(input);
  input = channelsFirst(input);
  if (type.hasStaticShape() && type.getNumElements() == 1)
    return input;
  rewriter.setInsertionPoint(map);
  SmallVector<int64_t> shape(rank - type.getRank(), 1);
  llvm::append_range(shape, type.getShape());
  SmallVector<Value> dims;
  for (int64_t i = 0; i < type.getRank(); ++i)
    if (type.isDynamicDim(i))
      dims.push_back(tensor::DimOp::create(rewriter, map.getLoc(), input, i));
  Value expanded =
      ReshapeOp::create(rewriter, map.getLoc(), type.clone(shape), input, dims);
  return transposed(expanded, channelsLastOrder(rank));
}

void ChannelsLastRewriter::rewriteMap(MapOp map) {
  int64_t rank = typeOf(map.getResult(0)).getRank();
  SmallVector<int64_t> order = channelsLastOrder(rank),
                       places = placesOf(order);
  for (OpOperand &input : map.getInputsMutable())
    input.set(mapInput(map, input.get(), rank));
  permuteResult(map);
  map.getBody().walk([&](Operation *op) {
    if (auto index = dyn_cast<IndexOp>(op)) {
      index.setAxis(places[index.getAxis()]);
      return;
    }
    for (OpOperand &operand : op->getOpOperands()) {
      if (!isa<RankedTensorType>(operand.get().getType()))
        continue;
      if (!operandFollowsLayout(map, operand)) {
        operand.set(channelsFirst(operand.get()));
        continue;
      }
      auto extract = cast<tensor::ExtractOp>(op);
      SmallVector<Value> indices(extract.getIndices());
      extract.getTensorMutable().assign(channelsLast(extract.getTensor()));
      extract.getIndicesMutable().assign(permuted(ArrayRef(indices), order));
    }
  });
}

void ChannelsLastRewriter::rewrite(Operation *op) {
  if (auto map = dyn_cast<MapOp>(op)) {
    rewriteMap(map);
    return;
  }
  int64_t rank = typeOf(op->getOperand(0)).getRank();
  SmallVector<int64_t> order = channelsLastOrder(rank),
                       places = placesOf(order);
  for (OpOperand &operand : op->getOpOperands())
    if (operandFollowsLayout(op, operand))
      operand.set(channelsLast(operand.get()));
    else if (isa<RankedTensorType>(operand.get().getType()))
      operand.set(channelsFirst(operand.get()));
  llvm::TypeSwitch<Operation *>(op)
      .Case<ConvOp, PoolOp>([&](auto window) {
        permuteResult(window);
        window.setChannelsLast(true);
      })
      .Case([&](ReshapeOp reshape) { permuteResult(reshape); })
      .Case([&](ConcatOp concat) {
        permuteResult(concat);
        concat.setAxis(places[concat.getAxis()]);
      })
      .Case([&](SliceOp slice) {
        SmallVector<Value> offsets = permutedDynamic(slice.getStaticOffsets(),
                                                     slice.getOffsets(), order);
        permuteResult(slice);
        slice.getOffsetsMutable().assign(offsets);
        slice.setStaticOffsets(permuted(slice.getStaticOffsets(), order));
        slice.setSteps(permuted(slice.getSteps(), order));
      })
      .Case([&](PadOp pad) {
        pad.setLow(permuted(pad.getLow(), order));
        pad.setHigh(permuted(pad.getHigh(), order));
        permuteType(pad.getResult(), order);
      })
      .Case([&](CumulateOp cumulate) {
        cumulate.setAxis(places[cumulate.getAxis()]);
        permuteType(cumulate.getResult(), order);
      })
      .Case([&](ReduceOp reduce) {
        SmallVector<int64_t> axes;
        for (int64_t axis : reduce.getAxes())
          axes.push_back(places[axis]);
        llvm::sort(axes);
        reduce.setAxes(axes);
        if (reduce.getKeepdims())
          permuteType(reduce.getResult(), order);
      });
}

void ChannelsLastRewriter::useChannelsFirst(Operation *op) {
  for (OpOperand &operand : op->getOpOperands())
    if (isa<RankedTensorType>(operand.get().getType()))
      operand.set(channelsFirst(operand.get()));
}

void ChannelsLastRewriter::visit(Operation *op, bool chosen) {
  if (auto transpose = dyn_cast<TransposeOp>(op)) {
    // A transpose of the model is a change of order itself.
    if (isToChannelsLast(transpose)) {
      versions[transpose] = Versions{channelsLast(transpose.getInput()), {}};
      replaced.push_back(op);
      return;
    }
    if (isToChannelsFirst(transpose)) {
      versions[transpose] = Versions{{}, channelsFirst(transpose.getInput())};
      replaced.push_back(op);
      return;
    }
  }
  if (!chosen) {
    useChannelsFirst(op);
    if (isa<MapOp>(op)) // Other regions are visited by themselves.
      op->getRegion(0).walk([&](Operation *inner) { useChannelsFirst(inner); });
    return;
  }
  rewrite(op);
  for (Value result : op->getResults())
    if (resultFollowsLayout(op, result))
      versions[result] = Versions{{}, result};
  remark::passed(
      op->getLoc(),
      remark::RemarkOpts::name("channels-last").category("choose-layout"));
}

void ChannelsLastRewriter::eraseReplaced() {
  for (Operation *op : llvm::reverse(replaced))
    rewriter.eraseOp(op);
}

void hone::applyChannelsLast(func::FuncOp function,
                             const DenseSet<Operation *> &chosen) {
  SmallVector<Operation *> operations;
  function.getBody().walk<WalkOrder::PreOrder>([&](Operation *op) {
    operations.push_back(op);
    return isa<MapOp>(op) ? WalkResult::skip() : WalkResult::advance();
  });
  ChannelsLastRewriter rewriter(function.getContext());
  for (Operation *op : operations)
    rewriter.visit(op, chosen.contains(op));
  rewriter.eraseReplaced();
}
