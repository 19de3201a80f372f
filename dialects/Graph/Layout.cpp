// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How the model's operations work with channels last.
#include "dialects/Graph/DimBuilder.h"
#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace hone::graph;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

SmallVector<int64_t> hone::graph::channelsLastOrder(int64_t rank) {
  SmallVector<int64_t> order = {0};
  for (int64_t i = 2; i < rank; ++i)
    order.push_back(i);
  order.push_back(1);
  return order;
}

SmallVector<int64_t> hone::graph::channelsFirstOrder(int64_t rank) {
  SmallVector<int64_t> order = {0, rank - 1};
  for (int64_t i = 1; i < rank - 1; ++i)
    order.push_back(i);
  return order;
}

/// Position of each dimension after the transpose to channels last.
static SmallVector<int64_t> channelsLastPlaces(int64_t rank) {
  SmallVector<int64_t> places(rank);
  for (auto [i, from] : llvm::enumerate(channelsLastOrder(rank)))
    places[from] = i;
  return places;
}

/// One of `values` for each dimension, in the new order.
template <typename T> static SmallVector<T> moved(ArrayRef<T> values) {
  return permuted(values, channelsLastOrder(values.size()));
}

/// Operands, one for each dynamic entry of `entries`, in the new order.
static SmallVector<Value> movedDynamic(ArrayRef<int64_t> entries,
                                       ValueRange values) {
  SmallVector<Value> byEntry(entries.size()), result;
  for (auto [i, entry] : llvm::enumerate(entries))
    if (ShapedType::isDynamic(entry)) {
      byEntry[i] = values.front();
      values = values.drop_front();
    }
  llvm::copy_if(moved(ArrayRef(byEntry)), std::back_inserter(result),
                [](Value value) { return value != nullptr; });
  return result;
}

static void moveType(Value value) {
  RankedTensorType type = typeOf(value);
  value.setType(type.clone(moved(type.getShape())));
}

/// Permutes the results, and the sizes in `dims`.
static void moveResults(GivenSizesOpInterface op) {
  op.getDimsMutable().assign(
      movedDynamic(typeOf(op->getResult(0)).getShape(), op.getDims()));
  llvm::for_each(op->getResults(), moveType);
}

static LayoutRole anyIf(bool condition) {
  return condition ? LayoutRole::Any : LayoutRole::Fixed;
}

static bool hasChannelsLast(Value value) {
  return hasChannelsLastOrder(typeOf(value).getRank());
}

//===-- Maps --------------------------------------------------------------===//

LayoutRole MapOp::getLayoutRole(DimBuilder &) {
  return anyIf(hasChannelsLast(getResult(0)));
}

OperandOrder MapOp::getOperandOrder(OpOperand &operand) {
  auto type = dyn_cast<RankedTensorType>(operand.get().getType());
  if (!type)
    return OperandOrder::Model;
  bool isInput = operand.getOwner() == getOperation();
  if (type.getRank() != typeOf(getResult(0)).getRank())
    return isInput ? OperandOrder::Broadcast : OperandOrder::Model;
  bool isExtracted = isa<tensor::ExtractOp>(operand.getOwner()) &&
                     operand.getOperandNumber() == 0;
  return isInput || isExtracted ? OperandOrder::Own : OperandOrder::Model;
}

void MapOp::useChannelsLast() {
  moveResults(*this);
  SmallVector<int64_t> places =
      channelsLastPlaces(typeOf(getResult(0)).getRank());
  getBody().walk(
      [&](IndexOp index) { index.setAxis(places[index.getAxis()]); });
  getBody().walk([&](tensor::ExtractOp extract) {
    if (getOperandOrder(extract.getTensorMutable()) != OperandOrder::Own)
      return;
    SmallVector<Value> indices(extract.getIndices());
    extract.getIndicesMutable().assign(moved(ArrayRef(indices)));
  });
}

//===-- Windows -----------------------------------------------------------===//

bool hone::graph::isPointwise(ConvOp conv) {
  auto isOne = [](int64_t size) { return size == 1; };
  return conv.getGroup() == 1 && llvm::all_of(conv.getKernel(), isOne) &&
         llvm::all_of(conv.getStrides(), isOne) &&
         llvm::all_of(conv.getPads(), [](int64_t pad) { return pad == 0; });
}

bool hone::graph::isMatrixOfPixels(ConvOp conv) {
  RankedTensorType type = typeOf(conv.getInput());
  return isPointwise(conv) && !conv.getChannelsLast() &&
         type.hasStaticShape() && type.getDimSize(0) == 1 &&
         conv.getFilter().getDefiningOp<ConstantOp>() &&
         type.getElementType().isF32() &&
         conv.getType().getElementType().isF32();
}

LayoutRole ConvOp::getLayoutRole(DimBuilder &) {
  if (getChannelsLast() || !hasChannelsLast(getInput()))
    return LayoutRole::Fixed;
  // Vectors along a row of outputs multiply by one number. A product with more
  // channels has panels instead, and products of bytes have no masks.
  bool isWide = typeOf(getInput()).getElementTypeBitWidth() >= 32;
  bool hasRows = isChannelwise(*this) && isWide && getStrides().back() <= 2;
  return hasRows || isMatrixOfPixels(*this) ? LayoutRole::BetterChannelsLast
                                            : LayoutRole::ChannelsLast;
}

void ConvOp::useChannelsLast() {
  moveResults(*this);
  setChannelsLast(true);
}

LayoutRole PoolOp::getLayoutRole(DimBuilder &) {
  // Indices are positions in the order of the model.
  if (getChannelsLast() || getIndices() || !hasChannelsLast(getInput()))
    return LayoutRole::Fixed;
  // Otherwise there are no vectors along a row of outputs.
  return getStrides().back() <= 2 ? LayoutRole::BetterChannelsLast
                                  : LayoutRole::ChannelsLast;
}

void PoolOp::useChannelsLast() {
  moveResults(*this);
  setChannelsLast(true);
}

//===-- Reductions --------------------------------------------------------===//

/// Not if the dropped dimensions leave the others in another order.
LayoutRole ReduceOp::getLayoutRole(DimBuilder &) {
  int64_t rank = getInput().getType().getRank();
  if (!hasChannelsLastOrder(rank) || getKeepdims())
    return anyIf(hasChannelsLastOrder(rank));
  SmallVector<int64_t> kept;
  for (int64_t i : channelsLastOrder(rank))
    if (!llvm::is_contained(getAxes(), i))
      kept.push_back(i);
  return anyIf(llvm::is_sorted(kept));
}

bool ReduceOp::resultsFollowLayout() { return getKeepdims(); }

void ReduceOp::useChannelsLast() {
  SmallVector<int64_t> places =
      channelsLastPlaces(getInput().getType().getRank());
  SmallVector<int64_t> axes;
  for (int64_t axis : getAxes())
    axes.push_back(places[axis]);
  llvm::sort(axes);
  setAxes(axes);
  if (getKeepdims())
    moveType(getResult());
}

LayoutRole CumulateOp::getLayoutRole(DimBuilder &) {
  return anyIf(hasChannelsLast(getInput()));
}

void CumulateOp::useChannelsLast() {
  setAxis(channelsLastPlaces(getType().getRank())[getAxis()]);
  moveType(getResult());
}

//===-- Data movement -----------------------------------------------------===//

/// If batch and channels are unchanged, and only spatial dimensions are
/// regrouped.
LayoutRole ReshapeOp::getLayoutRole(DimBuilder &dims) {
  return anyIf(hasChannelsLast(getInput()) && hasChannelsLast(getResult()) &&
               dims.sameSize(getInput(), 0, getResult(), 0) &&
               dims.sameSize(getInput(), 1, getResult(), 1));
}

void ReshapeOp::useChannelsLast() { moveResults(*this); }

LayoutRole ConcatOp::getLayoutRole(DimBuilder &) {
  return anyIf(hasChannelsLast(getResult()));
}

OperandOrder ConcatOp::getOperandOrder(OpOperand &operand) {
  return isa<RankedTensorType>(operand.get().getType()) ? OperandOrder::Own
                                                        : OperandOrder::Model;
}

void ConcatOp::useChannelsLast() {
  moveResults(*this);
  setAxis(channelsLastPlaces(getType().getRank())[getAxis()]);
}

LayoutRole SliceOp::getLayoutRole(DimBuilder &) {
  return anyIf(hasChannelsLast(getInput()));
}

void SliceOp::useChannelsLast() {
  moveResults(*this);
  getOffsetsMutable().assign(movedDynamic(getStaticOffsets(), getOffsets()));
  setStaticOffsets(moved(getStaticOffsets()));
  setSteps(moved(getSteps()));
}

LayoutRole PadOp::getLayoutRole(DimBuilder &) {
  return anyIf(hasChannelsLast(getInput()));
}

void PadOp::useChannelsLast() {
  setLow(moved(getLow()));
  setHigh(moved(getHigh()));
  moveType(getResult());
}
