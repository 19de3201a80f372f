// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gives a kernel's result the memory of an operand that dies with the call, if
// the kernel allows it, or the memory to which the result is only copied.
#include "dialects/Rt/Rt.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "passes/Analysis/LiveRanges.h"
#include "passes/Buffer/Passes.h"
#include "llvm/ADT/SetVector.h"

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

/// The operations of `block` that access the buffer, or contain one that does,
/// in order. Nothing if others access it as well, except those in `ignored`.
std::optional<SmallVector<Operation *>>
usersIn(Block &block, Value buffer, const LiveRanges &ranges,
        const DenseSet<Operation *> &ignored) {
  llvm::SmallSetVector<Operation *, 8> users;
  for (Operation *user : ranges.users(buffer)) {
    if (ignored.contains(user))
      continue;
    Operation *inBlock = block.findAncestorOpInBlock(*user);
    if (!inBlock)
      return std::nullopt;
    users.insert(inBlock);
  }
  SmallVector<Operation *> sorted = users.takeVector();
  llvm::sort(sorted,
             [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  return sorted;
}

/// Moves a view, with the arithmetic for its offset, before `op`, where it is
/// not yet; false: it cannot be.
bool moveBefore(Operation *maker, Operation *op) {
  if (maker->getBlock() != op->getBlock() || maker->isBeforeInBlock(op))
    return true;
  if (!isa<rt::ViewOp>(maker) && !isa<arith::ArithDialect>(maker->getDialect()))
    return false;
  for (Value operand : maker->getOperands())
    if (Operation *other = operand.getDefiningOp();
        other && !moveBefore(other, op))
      return false;
  maker->moveBefore(op);
  return true;
}

/// Whether the copy is the only difference between its source and target: one
/// kernel writes the source, nothing accesses the target from that call to the
/// copy, and nothing needs the source afterwards. Copies in `gone` do not
/// count.
bool canComputeInTarget(rt::CopyOp copy, const LiveRanges &ranges,
                        const DenseSet<Operation *> &gone) {
  auto source = copy.getSource().getDefiningOp<rt::SlotOp>();
  Value target = copy.getTarget();
  Operation *place = target.getDefiningOp();
  Block &block = *copy->getBlock();
  if (!source || !isa_and_nonnull<rt::SlotOp, rt::ViewOp>(place) ||
      source.getType() != target.getType() ||
      !cast<MemRefType>(source.getType()).hasStaticShape() ||
      source->getBlock() != &block || ranges.roots(source).size() != 1 ||
      ranges.roots(target).size() != 1)
    return false;
  // Parts of tensors are not aligned as kernels on the device rely on.
  if (isa<rt::ViewOp>(place) && source.getType().getMemorySpace())
    return false;
  auto users = usersIn(block, source, ranges, gone);
  if (!users || users->back() != copy)
    return false;
  auto writer = dyn_cast<rt::DispatchOp>(users->front());
  if (!writer || llvm::count(writer.getOutputs(), source.getResult()) != 1)
    return false;
  for (Operation *op : ArrayRef(*users).drop_front().drop_back()) {
    auto writes = [&](Value output) { return ranges.mayAlias(output, source); };
    auto dispatch = dyn_cast<rt::DispatchOp>(op);
    auto other = dyn_cast<rt::CopyOp>(op);
    bool readsOnly =
        (dispatch && llvm::none_of(dispatch.getOutputs(), writes)) ||
        (other && !writes(other.getTarget())) || isMemoryEffectFree(op);
    if (!readsOnly)
      return false;
  }
  if (!moveBefore(place, writer))
    return false;
  for (Operation *user : ranges.users(target)) {
    Operation *op = block.findAncestorOpInBlock(*user);
    if (op && op != copy && !gone.contains(user) &&
        !op->isBeforeInBlock(writer) && op->isBeforeInBlock(copy))
      return false;
  }
  return true;
}

struct ReuseBuffersPass : hone::impl::ReuseBuffersPassBase<ReuseBuffersPass> {
  using Base::Base;
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.getSymName() != rt::kRunName)
      return;
    if (failed(LiveRanges::checkStructured(function)))
      return signalPassFailure();
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

  /// Values that loops carry are computed in one slot and copied to another,
  /// parts of a tensor to their place in it.
  void computeInTargets(func::FuncOp function) {
    SmallVector<rt::CopyOp> copies;
    function.walk([&](rt::CopyOp copy) {
      if (isa<scf::ForOp, scf::WhileOp>(copy->getParentOp()) ||
          copy.getTarget().getDefiningOp<rt::ViewOp>())
        copies.push_back(copy);
    });
    LiveRanges ranges(function);
    DenseSet<Operation *> gone;
    for (rt::CopyOp copy : copies) {
      if (!canComputeInTarget(copy, ranges, gone))
        continue;
      Value source = copy.getSource(), target = copy.getTarget();
      ranges.replace(source, target);
      source.replaceAllUsesWith(target);
      gone.insert(copy);
    }
    for (Operation *copy : gone)
      copy->erase();
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
