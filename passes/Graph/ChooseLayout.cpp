// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Chooses the order of dimensions in which each operation works: as in the
// model, or with channels last. Convolutions need channels last, except for
// depthwise ones with long rows and products of one image, which like pools are
// only better so; many
// operations are indifferent, and take the order for which the fewest bytes are
// transposed in the whole function. That choice is a minimum cut: operations
// are nodes, a value is an edge that costs its size when producer and a
// consumer disagree, however many consumers there are.
#include "passes/Graph/ChannelsLast.h"
#include "passes/Graph/MinCut.h"
#include "passes/Graph/Passes.h"
#include "passes/Graph/Simplify.h"
#include "passes/Machine/Estimate.h"
#include "passes/Machine/Tuning.h"

namespace hone {
#define GEN_PASS_DEF_CHOOSELAYOUTPASS
#include "passes/Graph/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using namespace hone::graph;

/// Cost of transposing `type`: almost nothing if that only moves dimensions of
/// size 1, but neighbours should still agree.
static int64_t transposeCost(RankedTensorType type, ArrayRef<int64_t> order) {
  if (movesOnlyUnits(type.getShape(), order))
    return 1;
  return estimateProduct(
             estimateProduct(type.getShape(), tuning::kTypicalLength),
             std::max(1u, elementBytes(type.getElementType()))) +
         tuning::kKernelBytes;
}

namespace {

/// The network of one function.
class LayoutProblem {
public:
  explicit LayoutProblem(func::FuncOp function);

  /// The operations that should work with channels last.
  DenseSet<Operation *> solve();
  bool hasConvolutions() const { return convolutions; }

private:
  void addOperation(Operation *op);
  void addValue(Value value);
  unsigned producerNode(Value value);
  /// The node that determines in which order `use` wants its tensor.
  unsigned consumerNode(OpOperand &use);

  MinCut network;
  DimBuilder dims;
  DenseMap<Operation *, unsigned> flexible;
  bool convolutions = false;
};

} // namespace

LayoutProblem::LayoutProblem(func::FuncOp function) : dims(function) {
  function.walk<WalkOrder::PreOrder>([&](Operation *op) {
    addOperation(op);
    return isa<MapOp>(op) ? WalkResult::skip() : WalkResult::advance();
  });
  for (BlockArgument argument : function.getArguments())
    addValue(argument);
  function.walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (!isa<ConstantOp>(op)) // transposed at compile time
      for (Value result : op->getResults())
        addValue(result);
    return isa<MapOp>(op) ? WalkResult::skip() : WalkResult::advance();
  });
}

/// Whether a convolution would leave much of its vectors empty in the order of
/// the model.
static bool isShort(ConvOp conv) {
  ArrayRef<int64_t> pixels = conv.getInput().getType().getShape().drop_front(2);
  if (isMatrixOfPixels(conv))
    return estimateProduct(pixels) < tuning::kMinMatrixPixels;
  return !ShapedType::isDynamic(pixels.back()) &&
         pixels.back() < tuning::kMinDepthwiseRow;
}

void LayoutProblem::addOperation(Operation *op) {
  auto layout = dyn_cast<LayoutOpInterface>(op);
  LayoutRole role = layout ? layout.getLayoutRole(dims) : LayoutRole::Fixed;
  if (auto conv = dyn_cast<ConvOp>(op);
      conv && role == LayoutRole::BetterChannelsLast && isShort(conv))
    role = LayoutRole::ChannelsLast;
  if (role == LayoutRole::ChannelsLast) {
    convolutions = true;
    flexible[op] = MinCut::source;
  }
  if (role != LayoutRole::Any && role != LayoutRole::BetterChannelsLast)
    return;
  unsigned node = network.addNode();
  flexible[op] = node;
  if (role == LayoutRole::BetterChannelsLast) {
    // Accesses along rows are not aligned, and their last vectors not full;
    // pixels are not packed: about a sweep.
    auto type = cast<RankedTensorType>(op->getOperand(0).getType());
    network.addEdge(MinCut::source, node,
                    transposeCost(type, channelsLastOrder(type.getRank())));
    return;
  }
  // Operands of lower rank have no order of their own here: they are brought to
  // the rank of the operation and then transposed with it.
  for (OpOperand &operand : op->getOpOperands()) {
    if (layout.getOperandOrder(operand) != OperandOrder::Broadcast ||
        operand.get().getDefiningOp<ConstantOp>())
      continue;
    auto type = cast<RankedTensorType>(operand.get().getType());
    int64_t rank = cast<RankedTensorType>(op->getResult(0).getType()).getRank();
    SmallVector<int64_t> shape(rank - type.getRank(), 1);
    llvm::append_range(shape, type.getShape());
    network.addEdge(node, MinCut::sink,
                    transposeCost(type.clone(shape), channelsLastOrder(rank)));
  }
}

unsigned LayoutProblem::producerNode(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return MinCut::sink;
  if (auto transpose = dyn_cast<TransposeOp>(op))
    if (isToChannelsFirst(transpose) && !isToChannelsLast(transpose))
      return MinCut::source;
  auto it = flexible.find(op);
  if (it == flexible.end() ||
      !cast<LayoutOpInterface>(op).resultsFollowLayout())
    return MinCut::sink;
  return it->second;
}

unsigned LayoutProblem::consumerNode(OpOperand &use) {
  Operation *op = use.getOwner();
  if (auto transpose = dyn_cast<TransposeOp>(op))
    return isToChannelsLast(transpose) ? MinCut::source : MinCut::sink;
  // A tensor that the region of a map reads follows the map.
  if (auto map = op->getParentOfType<MapOp>())
    op = map;
  auto it = flexible.find(op);
  if (it == flexible.end() ||
      cast<LayoutOpInterface>(op).getOperandOrder(use) != OperandOrder::Own)
    return MinCut::sink;
  return it->second;
}

void LayoutProblem::addValue(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type || !hasChannelsLastOrder(type.getRank()))
    return;
  int64_t cost = transposeCost(type, channelsLastOrder(type.getRank()));
  // A map in an epilogue costs nothing in the order of its operation, and a
  // sweep of its own in another.
  Operation *op = value.getDefiningOp();
  if (isa_and_nonnull<EpilogueOpInterface>(op) && isa<LayoutOpInterface>(op) &&
      llvm::any_of(value.getUsers(),
                   [](Operation *user) { return isa<MapOp>(user); }))
    cost *= 2;
  unsigned producer = producerNode(value);
  SmallVector<unsigned> consumers;
  for (OpOperand &use : value.getUses())
    consumers.push_back(consumerNode(use));
  llvm::sort(consumers);
  consumers.erase(llvm::unique(consumers), consumers.end());
  if (consumers.empty() || (consumers.size() == 1 && consumers[0] == producer))
    return;
  // `last` is on the source's side as soon as one consumer is, `first` on the
  // sink's side as soon as one is: each transpose is paid once.
  unsigned last = network.addNode(), first = network.addNode();
  for (unsigned consumer : consumers) {
    network.addEdge(consumer, last, MinCut::never);
    network.addEdge(first, consumer, MinCut::never);
  }
  network.addEdge(last, producer, cost);
  network.addEdge(producer, first, cost);
}

DenseSet<Operation *> LayoutProblem::solve() {
  network.solve();
  DenseSet<Operation *> chosen;
  for (auto [op, node] : flexible)
    if (network.onSourceSide(node))
      chosen.insert(op);
  return chosen;
}

/// A pointwise convolution in the order of the model as a product.
static void makeMatmul(ConvOp conv) {
  OpBuilder b(conv);
  RankedTensorType in = conv.getInput().getType(), out = conv.getType();
  int64_t pixels = estimateProduct(in.getShape().drop_front(2));
  Location loc = conv.getLoc();
  Value filter = reshapeTo(b, loc, conv.getFilter(),
                           {out.getDimSize(1), in.getDimSize(1)});
  Value matrix = reshapeTo(b, loc, conv.getInput(), {in.getDimSize(1), pixels});
  Value product = MatmulOp::create(
      b, loc, out.clone({out.getDimSize(1), pixels}), filter, matrix,
      ValueRange(), /*transposeRhs=*/false, PackedAttr(), QuantizedAttr());
  conv.replaceAllUsesWith(reshapeTo(b, loc, product, out.getShape()));
  conv.erase();
}

namespace {
struct ChooseLayoutPass : hone::impl::ChooseLayoutPassBase<ChooseLayoutPass> {
  using Base::Base;

  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isExternal())
      return;
    LayoutProblem problem(function);
    if (problem.hasConvolutions())
      applyChannelsLast(function, problem.solve());
    function.walk([](ConvOp conv) {
      if (isMatrixOfPixels(conv))
        makeMatmul(conv);
    });
  }
};
} // namespace
