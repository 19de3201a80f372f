// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Lifetimes and sizes of the arena's slots, offsets if all sizes are known, and
// otherwise the function that computes them.
#include "dialects/Graph/Graph.h"
#include "dialects/Rt/Rt.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Iterators.h"
#include "passes/Analysis/ArenaPlan.h"
#include "passes/Analysis/LiveRanges.h"
#include "passes/Analysis/Sizes.h"
#include "passes/Buffer/Passes.h"
#include <map>

namespace hone {
#define GEN_PASS_DEF_PLANARENAPASS
#include "passes/Buffer/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;

namespace {

constexpr int64_t kSlotAlignment = 64;
// As in abi.h.
constexpr int64_t kMemoryPlanned = 1, kMemoryUnbounded = 4;

/// Copies arithmetic from the run function into the preparation.
class SizeBuilder {
public:
  SizeBuilder(func::FuncOp prepare, Location loc)
      : builder(OpBuilder::atBlockEnd(&prepare.getBody().front())), loc(loc) {}

  Value get(Value size) {
    if (Value known = map.lookupOrNull(size))
      return known;
    Operation *op = size.getDefiningOp();
    for (Value operand : op->getOperands())
      get(operand);
    builder.clone(*op, map);
    return map.lookup(size);
  }

  Value constant(int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value);
  }

  SmallVector<Value> get(ValueRange values) {
    return llvm::map_to_vector(values, [&](Value value) { return get(value); });
  }

  OpBuilder builder;
  Location loc;

private:
  IRMapping map;
};

/// Sizes of slots as in the table of slots: bytes, or a negative number for one
/// that the preparation computes.
class SlotSizes {
public:
  explicit SlotSizes(SizeBuilder &sizes) : sizes(sizes) {}

  int64_t get(rt::SlotOp slot) {
    MemRefType type = slot.getType();
    if (std::optional<int64_t> bytes = staticBytes(type))
      return *bytes;
    SmallVector<const void *> shape{
        MemRefType::get(type.getShape(), type.getElementType())
            .getAsOpaquePointer()};
    for (Value dim : slot.getDims())
      shape.push_back(dim.getAsOpaquePointer());
    auto [entry, isNew] = computed.try_emplace(shape, computed.size());
    if (isNew)
      rt::SlotBytesOp::create(sizes.builder, slot.getLoc(), entry->second,
                              sizes.get(slot.getDims()), type);
    return -1 - entry->second;
  }

  bool areStatic() const { return computed.empty(); }

private:
  SizeBuilder &sizes;
  std::map<SmallVector<const void *>, int64_t> computed;
};

struct PlanArenaPass : hone::impl::PlanArenaPassBase<PlanArenaPass> {
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto run = module.lookupSymbol<func::FuncOp>(rt::kRunName);
    if (!run) {
      module.emitError("has no function @") << rt::kRunName;
      return signalPassFailure();
    }
    if (failed(checkForm(run)) || failed(LiveRanges::checkStructured(run)))
      return signalPassFailure();
    eraseUnused(run);
    auto prepare =
        func::FuncOp::create(run.getLoc(), rt::kPrepareName,
                             FunctionType::get(module.getContext(), {}, {}));
    prepare.addEntryBlock();
    module.insert(run, prepare);
    SizeBuilder sizes(prepare, run.getLoc());
    planSlots(module, run, sizes);
    prepareOutputs(run, sizes);
    moveChecks(run, sizes);
    func::ReturnOp::create(sizes.builder, run.getLoc());
  }

  /// Checks the result of bufferization: outputs are described, and sizes are
  /// computed from the free dimensions.
  static LogicalResult checkForm(func::FuncOp run) {
    auto outputs = run->getAttrOfType<ArrayAttr>("hone.outputs");
    auto isDescribed = [](Attribute output) {
      auto attrs = dyn_cast<DictionaryAttr>(output);
      return attrs && attrs.getAs<TypeAttr>("type");
    };
    if (run.isExternal() || !outputs || !llvm::all_of(outputs, isDescribed))
      return run.emitError("has no body, or no attribute 'hone.outputs' with a "
                           "'type' for each output; hone-bufferize-host makes "
                           "them");
    DenseSet<Value> computed;
    std::function<bool(Value)> isComputed = [&](Value size) {
      if (!computed.insert(size).second)
        return true;
      Operation *op = size.getDefiningOp();
      return op && op->getNumRegions() == 0 &&
             llvm::all_of(op->getOperands(), isComputed);
    };
    WalkResult result = run.walk([&](Operation *op) {
      ValueRange dims;
      if (auto slot = dyn_cast<rt::SlotOp>(op))
        dims = slot.getDims();
      else if (auto output = dyn_cast<rt::OutputDimsOp>(op))
        dims = output.getDims();
      if (llvm::all_of(dims, isComputed))
        return WalkResult::advance();
      op->emitError("has a size that does not follow from free dimensions");
      return WalkResult::interrupt();
    });
    return failure(result.wasInterrupted());
  }

  /// Slots that were replaced by others, and their views.
  static void eraseUnused(func::FuncOp run) {
    run.walk<WalkOrder::PostOrder, ReverseIterator>([](Operation *op) {
      if (op->getNumRegions() == 0 && isOpTriviallyDead(op))
        op->erase();
    });
  }

  void planSlots(ModuleOp module, func::FuncOp run, SizeBuilder &sizes) {
    LiveRanges ranges(run);
    SmallVector<rt::SlotOp> slots;
    bool unbounded = false;
    run.walk([&](Operation *op) {
      if (auto slot = dyn_cast<rt::SlotOp>(op))
        slots.push_back(slot);
      unbounded |= isa<rt::AllocOp, rt::LibraryOp, rt::SetOutputOp>(op);
    });
    Builder attrs(module.getContext());
    // Host and device have an arena each.
    SmallVector<ArenaSlot> plans[2];
    SlotSizes slotSizes(sizes);
    for (auto [index, slot] : llvm::enumerate(slots)) {
      slot.setIndex(index);
      LiveRange range = ranges.range(slot);
      plans[rt::isOnDevice(slot.getType())].push_back(
          {range.first, range.last, kSlotAlignment, slotSizes.get(slot), -1});
    }
    ArenaSize arenas[2];
    if (slotSizes.areStatic())
      for (int place : {0, 1})
        arenas[place] = planArena(plans[place]);
    SmallVector<Attribute> table;
    ArrayRef<ArenaSlot> rest[2] = {plans[0], plans[1]};
    for (rt::SlotOp op : slots) {
      int64_t place = rt::isOnDevice(op.getType());
      const ArenaSlot &slot = rest[place].front();
      table.push_back(attrs.getDenseI64ArrayAttr(
          {slot.first, slot.last, slot.bytes, slot.offset, place}));
      rest[place] = rest[place].drop_front();
    }
    module->setAttr(rt::kSlotsAttr, attrs.getArrayAttr(table));
    module->setAttr(
        rt::kArenaAttr,
        attrs.getDenseI64ArrayAttr({arenas[0].bytes, arenas[0].lowerBound,
                                    arenas[1].bytes, arenas[1].lowerBound}));
    module->setAttr(rt::kMemoryAttr, attrs.getI64IntegerAttr(
                                         (slots.empty() ? 0 : kMemoryPlanned) |
                                         (unbounded ? kMemoryUnbounded : 0)));
  }

  /// The dimensions of all tensor outputs, one after another.
  void prepareOutputs(func::FuncOp run, SizeBuilder &sizes) {
    DenseMap<int64_t, rt::OutputDimsOp> known;
    run.walk([&](rt::OutputDimsOp op) { known[op.getIndex()] = op; });
    int64_t position = 0;
    SmallVector<bool> isKnown;
    for (auto [index, attr] :
         llvm::enumerate(run->getAttrOfType<ArrayAttr>("hone.outputs"))) {
      auto tensor = dyn_cast<RankedTensorType>(
          cast<DictionaryAttr>(attr).getAs<TypeAttr>("type").getValue());
      isKnown.push_back(known.count(index));
      if (!tensor)
        continue;
      if (auto packed = rt::packedShape(cast<DictionaryAttr>(attr))) {
        for (int64_t size : *packed)
          rt::OutputDimOp::create(sizes.builder, run.getLoc(), position++,
                                  sizes.constant(size));
        continue;
      }
      rt::OutputDimsOp op = known.lookup(index);
      ValueRange dims = op ? ValueRange(op.getDims()) : ValueRange();
      ArrayRef<int64_t> shape =
          op ? cast<MemRefType>(op.getType()).getShape() : tensor.getShape();
      for (int64_t size : shape) {
        Value value;
        if (!ShapedType::isDynamic(size))
          value = sizes.constant(size);
        else if (op) {
          value = sizes.get(dims.front());
          dims = dims.drop_front();
        } else
          value = sizes.constant(-1);
        rt::OutputDimOp::create(sizes.builder, run.getLoc(), position++, value);
      }
    }
    for (auto &[index, op] : known)
      op.erase();
    run->setAttr("hone.known_outputs",
                 DenseBoolArrayAttr::get(run.getContext(), isKnown));
  }

  /// Conditions over the free dimensions are checked once for each set of them.
  void moveChecks(func::FuncOp run, SizeBuilder &sizes) {
    SizeAnalysis analysis;
    for (Operation &op :
         llvm::make_early_inc_range(run.getBody().front().getOperations())) {
      if (!isa<rt::CheckOp, rt::CheckDimsOp>(op) ||
          !llvm::all_of(op.getOperands(), [&](Value operand) {
            return analysis.followsFromFreeDims(operand);
          }))
        continue;
      SmallVector<Value> operands = sizes.get(op.getOperands());
      Operation *moved = sizes.builder.clone(op);
      moved->setOperands(operands);
      op.erase();
    }
  }
};

} // namespace
