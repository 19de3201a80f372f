// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gives a kernel's result the memory of an operand that dies with the call,
// where the kernel allows it, or the memory to which the result is only copied.
#include "dialects/Rt/Rt.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
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

/// Whether the operation, or one inside it, touches the buffer.
bool touches(Operation *op, Value buffer, const LiveRanges &ranges) {
  return op
      ->walk([&](Operation *nested) {
        bool found = llvm::any_of(nested->getOperands(), [&](Value operand) {
          return isa<MemRefType>(operand.getType()) &&
                 ranges.mayAlias(operand, buffer);
        });
        return found ? WalkResult::interrupt() : WalkResult::advance();
      })
      .wasInterrupted();
}

/// Whether the copy is all that makes its source differ from its target: one
/// kernel writes the source, nothing touches the target from that call to the
/// copy, and nothing needs the source afterwards.
bool canComputeInTarget(rt::CopyOp copy, const LiveRanges &ranges) {
  auto source = copy.getSource().getDefiningOp<rt::SlotOp>();
  auto target = copy.getTarget().getDefiningOp<rt::SlotOp>();
  if (!source || !target || source.getType() != target.getType() ||
      !cast<MemRefType>(source.getType()).hasStaticShape() ||
      source->getBlock() != copy->getBlock() ||
      ranges.roots(source).size() != 1 || ranges.roots(target).size() != 1)
    return false;
  rt::DispatchOp writer;
  for (Operation &op : *copy->getBlock()) {
    if (&op == source || &op == copy || !touches(&op, source, ranges))
      continue;
    if (copy->isBeforeInBlock(&op))
      return false;
    auto dispatch = dyn_cast<rt::DispatchOp>(op);
    if (!writer) {
      if (!dispatch ||
          llvm::count(dispatch.getOutputs(), source.getResult()) != 1)
        return false;
      writer = dispatch;
      continue;
    }
    bool writesAgain =
        dispatch && llvm::any_of(dispatch.getOutputs(), [&](Value output) {
          return ranges.mayAlias(output, source);
        });
    auto other = dyn_cast<rt::CopyOp>(op);
    bool readsOnly = (dispatch && !writesAgain) ||
                     (other && !ranges.mayAlias(other.getTarget(), source)) ||
                     isMemoryEffectFree(&op);
    if (!readsOnly)
      return false;
  }
  if (!writer || (target->getBlock() == copy->getBlock() &&
                  writer->isBeforeInBlock(target)))
    return false;
  for (Operation *op = writer; op != copy; op = op->getNextNode())
    if (touches(op, target, ranges))
      return false;
  return true;
}

struct ReuseBuffersPass : hone::impl::ReuseBuffersPassBase<ReuseBuffersPass> {
  using Base::Base;
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.getSymName() != rt::kRunName)
      return;
    computeInTargets(function);
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

  /// Values that loops carry are computed in one slot and copied to another.
  void computeInTargets(func::FuncOp function) {
    SmallVector<rt::CopyOp> copies;
    function.walk([&](rt::CopyOp copy) {
      if (isa<scf::ForOp, scf::WhileOp>(copy->getParentOp()))
        copies.push_back(copy);
    });
    for (rt::CopyOp copy : copies) {
      if (!canComputeInTarget(copy, LiveRanges(function)))
        continue;
      copy.getSource().replaceAllUsesWith(copy.getTarget());
      copy.erase();
    }
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
