// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gives a kernel's result the memory of an operand that dies with the call,
// where the kernel allows it.
#include "dialects/Rt/Rt.h"
#include "passes/Analysis/LiveRanges.h"
#include "passes/Buffer/Passes.h"

namespace hone {
#define GEN_PASS_DEF_REUSEBUFFERSPASS
#include "passes/Buffer/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;

namespace {

/// The operand that result `index` of the dispatch may overwrite because
/// nothing needs it afterwards.
Value findDyingOperand(rt::DispatchOp dispatch, unsigned index,
                       func::FuncOp kernel, const LiveRanges &ranges) {
  Value output = dispatch.getOutputs()[index];
  for (auto [number, input] : llvm::enumerate(dispatch.getInputs())) {
    auto allowed =
        kernel.getArgAttrOfType<IntegerAttr>(number, rt::kInPlaceAttr);
    if (!allowed || allowed.getInt() != int64_t(index) ||
        input.getType() != output.getType())
      continue;
    SmallVector<Value> roots = ranges.roots(input);
    auto slot =
        roots.size() == 1 ? roots[0].getDefiningOp<rt::SlotOp>() : rt::SlotOp();
    if (!slot || slot->getBlock() != dispatch->getBlock() ||
        ranges.range(slot).last != ranges.step(dispatch))
      continue;
    bool shared = llvm::any_of(llvm::enumerate(dispatch.getInputs()),
                               [&, number = number, input = input](auto other) {
                                 return other.index() != number &&
                                        ranges.mayAlias(other.value(), input);
                               });
    if (!shared)
      return input;
  }
  return {};
}

struct ReuseBuffersPass : hone::impl::ReuseBuffersPassBase<ReuseBuffersPass> {
  using Base::Base;
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.getSymName() != rt::kRunName)
      return;
    LiveRanges ranges(function);
    SymbolTable symbols(function->getParentOp());
    function.walk([&](rt::DispatchOp dispatch) {
      auto kernel = symbols.lookup<func::FuncOp>(dispatch.getKernel());
      if (!kernel)
        return;
      for (auto [index, output] : llvm::enumerate(dispatch.getOutputs()))
        if (Value operand = findDyingOperand(dispatch, index, kernel, ranges))
          share(operand, output, dispatch, ranges);
    });
    for (auto [slot, place] : moves) {
      OpBuilder builder(slot);
      auto moved = rt::OutputOp::create(builder, slot.getLoc(), slot.getType(),
                                        place.getIndex(), slot.getDims());
      slot.getResult().replaceAllUsesWith(moved.getResult());
    }
    moves.clear();
  }

  void share(Value operand, Value output, rt::DispatchOp dispatch,
             LiveRanges &ranges) {
    if (auto slot = output.getDefiningOp<rt::SlotOp>()) {
      if (ranges.roots(slot).size() != 1 ||
          ranges.range(slot).first != ranges.step(dispatch) ||
          slot->getBlock() != dispatch->getBlock())
        return;
      ranges.replace(output, operand);
      output.replaceAllUsesWith(operand);
      return;
    }
    // The caller's memory: the operand is computed there from the start.
    auto place = output.getDefiningOp<rt::OutputOp>();
    auto slot = operand.getDefiningOp<rt::SlotOp>();
    if (!place || !slot || ranges.range(place).first != ranges.step(dispatch))
      return;
    ranges.replace(slot, place);
    moves.push_back({slot, place});
  }

  SmallVector<std::pair<rt::SlotOp, rt::OutputOp>> moves;
};

} // namespace
