// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Divides reductions with few results among threads: first the parts of each,
// then what they gave.
#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "passes/Analysis/Fusion.h"
#include "passes/Analysis/Remarks.h"
#include "passes/Graph/Passes.h"
#include "passes/Graph/Simplify.h"
#include "passes/Machine/Estimate.h"
#include "passes/Machine/Tuning.h"
#include "llvm/ADT/MapVector.h"

namespace hone {
#define GEN_PASS_DEF_SPLITREDUCTIONSPASS
#include "passes/Graph/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using namespace hone::graph;

namespace {
/// The input of a reduction as [reduced, inner], of which it keeps `inner`.
struct ReducedView {
  int64_t reduced = 1, inner = 1;
};

/// Reductions of one value along the same axes, and how they are divided.
struct Division {
  SmallVector<ReduceOp> siblings;
  ReducedView view;
  int64_t parts = 1;
};
} // namespace

/// Nothing if sizes are unknown, or if there are results for rows, which
/// threads divide as they are.
static std::optional<ReducedView> viewOf(ReduceOp reduce) {
  RankedTensorType type = reduce.getInput().getType();
  if (!type.hasStaticShape())
    return std::nullopt;
  ReducedView view;
  for (auto [dim, size] : llvm::enumerate(type.getShape())) {
    if (size == 1)
      continue;
    bool isReduced = llvm::is_contained(reduce.getAxes(), int64_t(dim));
    if (isReduced ? view.inner != 1 : view.reduced == 1)
      return std::nullopt;
    int64_t &part = isReduced ? view.reduced : view.inner;
    part = estimateProduct(part, size);
  }
  return view;
}

/// Whether results of parts lose nothing: sums of narrow floats are f32 only
/// inside a reduction.
static bool keepsPrecision(ReduceOp reduce) {
  Type type = reduce.getInput().getType().getElementType();
  bool isExact = reduce.getKind() != ReduceKind::Sum &&
                 reduce.getKind() != ReduceKind::Prod;
  return isExact || !isa<FloatType>(type) || type.getIntOrFloatBitWidth() >= 32;
}

/// The number of parts, 1 if the reduction should stay whole. Equal parts are
/// views.
static int64_t choosePartsOf(ReduceOp reduce, const ReducedView &view) {
  int64_t wanted = tuning::balancedBlocks(CpuMachine::of(reduce));
  if (wanted <= 1 || view.inner >= 2 * tuning::kBlockElements ||
      estimateProduct(view.reduced, view.inner) < tuning::kMinSplitElements)
    return 1;
  if (!keepsPrecision(reduce)) {
    remarkSlow(reduce, "split-reductions",
               "a sum of narrow floats is the work of one thread");
    return 1;
  }
  for (int64_t parts = wanted; parts <= 4 * wanted; ++parts)
    if (view.reduced % parts == 0)
      return parts;
  for (int64_t parts = wanted - 1; parts > 1; --parts)
    if (view.reduced % parts == 0)
      return parts;
  remarkSlow(reduce, "split-reductions",
             "what has no equal parts is reduced by one thread");
  return 1;
}

/// The value with another shape. A formula that only `siblings` read is
/// computed in that shape.
static Value viewInput(OpBuilder &b, Value value,
                       MutableArrayRef<ReduceOp> siblings,
                       ArrayRef<int64_t> shape) {
  Location loc = siblings.front().getLoc();
  auto map = value.getDefiningOp<MapOp>();
  auto isSibling = [&](Operation *user) {
    return llvm::is_contained(siblings, user);
  };
  auto canView = [&](Value input) {
    RankedTensorType type = tensorType(input);
    return type.hasStaticShape() &&
           (type.getShape() == tensorType(value).getShape() ||
            type.getNumElements() == 1);
  };
  if (!map || !planFormula(map, isSibling) ||
      !llvm::all_of(map.getInputs(), canView))
    return reshapeTo(b, loc, value, shape);
  IRMapping mapping;
  SmallVector<int64_t> one(shape.size(), 1);
  for (Value input : map.getInputs())
    if (!mapping.contains(input))
      mapping.map(input, reshapeTo(b, loc, input,
                                   tensorType(input).getNumElements() == 1
                                       ? ArrayRef<int64_t>(one)
                                       : shape));
  Operation *viewed = b.clone(*map, mapping);
  viewed->getResult(0).setType(tensorType(value).clone(shape));
  return viewed->getResult(0);
}

static void divide(Division &division) {
  auto &[siblings, view, parts] = division;
  OpBuilder b(siblings.front());
  SmallVector<int64_t> shape = {parts, view.reduced / parts};
  if (view.inner > 1)
    shape.push_back(view.inner);
  auto map = siblings.front().getInput().getDefiningOp<MapOp>();
  Value input = viewInput(b, siblings.front().getInput(), siblings, shape);
  for (ReduceOp reduce : siblings) {
    RankedTensorType type = reduce.getType();
    auto reduceAlong = [&](Value value, int64_t axis) -> Value {
      SmallVector<int64_t> left(tensorType(value).getShape());
      left.erase(left.begin() + axis);
      return ReduceOp::create(b, reduce.getLoc(), type.clone(left), value,
                              reduce.getKind(), axis, /*keepdims=*/false);
    };
    Value result = reduceAlong(reduceAlong(input, 1), 0);
    reduce.replaceAllUsesWith(
        reshapeTo(b, reduce.getLoc(), result, type.getShape()));
  }
  for (ReduceOp reduce : siblings)
    reduce.erase();
  if (map && map->use_empty())
    map.erase();
}

namespace {
struct SplitReductionsPass
    : hone::impl::SplitReductionsPassBase<SplitReductionsPass> {
  using Base::Base;

  void runOnOperation() override {
    using Key = std::tuple<Value, Attribute, Block *>;
    llvm::MapVector<Key, Division> divisions;
    getOperation().walk([&](ReduceOp reduce) {
      std::optional<ReducedView> view = viewOf(reduce);
      int64_t parts = view ? choosePartsOf(reduce, *view) : 1;
      if (parts == 1)
        return;
      Division &division = divisions[{reduce.getInput(), reduce.getAxesAttr(),
                                      reduce->getBlock()}];
      division.siblings.push_back(reduce);
      division.view = *view;
      division.parts = parts;
    });
    for (auto &[key, division] : divisions)
      divide(division);
  }
};
} // namespace
