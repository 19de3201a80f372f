// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The rewrite to channels last, in place: a chosen operation keeps its result
// values, whose channels are last from then on.
#include "passes/Graph/ChannelsLast.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/Remarks.h"

using namespace mlir;
using namespace hone;
using namespace hone::graph;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
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
  /// The operand in the order in which `op` reads it.
  Value inOrder(LayoutOpInterface op, OpOperand &operand);
  /// An input at the rank of the results, with channels last there.
  Value broadcast(Operation *op, Value input);
  void useChannelsFirst(Operation *op);
  void rewrite(LayoutOpInterface op);

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

Value ChannelsLastRewriter::inOrder(LayoutOpInterface op, OpOperand &operand) {
  switch (op.getOperandOrder(operand)) {
  case OperandOrder::Model:
    return channelsFirst(operand.get());
  case OperandOrder::Own:
    return channelsLast(operand.get());
  case OperandOrder::Broadcast:
    return broadcast(op, operand.get());
  }
  llvm_unreachable("all orders are above");
}

Value ChannelsLastRewriter::broadcast(Operation *op, Value input) {
  int64_t rank = typeOf(op->getResult(0)).getRank();
  RankedTensorType type = typeOf(input);
  input = channelsFirst(input);
  if (type.hasStaticShape() && type.getNumElements() == 1)
    return input;
  rewriter.setInsertionPoint(op);
  SmallVector<int64_t> shape(rank - type.getRank(), 1);
  llvm::append_range(shape, type.getShape());
  SmallVector<Value> dims;
  for (int64_t i = 0; i < type.getRank(); ++i)
    if (type.isDynamicDim(i))
      dims.push_back(tensor::DimOp::create(rewriter, op->getLoc(), input, i));
  Value expanded =
      ReshapeOp::create(rewriter, op->getLoc(), type.clone(shape), input, dims);
  return transposed(expanded, channelsLastOrder(rank));
}

void ChannelsLastRewriter::rewrite(LayoutOpInterface op) {
  op->walk<WalkOrder::PreOrder>([&](Operation *reader) {
    for (OpOperand &operand : reader->getOpOperands())
      if (isa<RankedTensorType>(operand.get().getType()))
        operand.set(inOrder(op, operand));
  });
  op.useChannelsLast();
}

void ChannelsLastRewriter::useChannelsFirst(Operation *op) {
  for (OpOperand &operand : op->getOpOperands())
    if (isa<RankedTensorType>(operand.get().getType()))
      operand.set(channelsFirst(operand.get()));
}

void ChannelsLastRewriter::visit(Operation *op, bool chosen) {
  if (auto transpose = dyn_cast<TransposeOp>(op)) {
    // A transpose of the model is itself a change of order.
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
    if (isa<MapOp>(op)) // Other regions are visited separately.
      op->getRegion(0).walk([&](Operation *inner) { useChannelsFirst(inner); });
    return;
  }
  auto layout = cast<LayoutOpInterface>(op);
  rewrite(layout);
  if (layout.resultsFollowLayout())
    for (Value result : op->getResults())
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
