// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Splits a model between host and device: where kernels run, where buffers are,
// and the copies between the two.
#include "dialects/Graph/Graph.h"
#include "dialects/Rt/Rt.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "passes/Analysis/LiveRanges.h"
#include "passes/Analysis/Sizes.h"
#include "passes/Buffer/Passes.h"
#include "passes/Machine/Tuning.h"
#include "llvm/ADT/MapVector.h"

namespace hone {
#define GEN_PASS_DEF_PLACEBUFFERSPASS
#include "passes/Buffer/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;

namespace {

bool isBuffer(Value value) { return isa<MemRefType>(value.getType()); }

/// An operand through which the host accesses a buffer.
struct HostUse {
  OpOperand *operand;
  bool reads, writes;
};

/// Buffers that may alias, and their users. They share one place.
struct Family {
  SmallVector<Value> members;
  SmallVector<rt::DispatchOp> dispatches;
  SmallVector<std::pair<rt::DispatchOp, Value>> writers;
  SmallVector<HostUse> hostUses; ///< those of dispatches come last
  SmallVector<rt::CopyOp> copies;
  bool isCopiedTo = false;
  bool onDevice = false;
};

class Placement {
public:
  Placement(ModuleOp module, func::FuncOp run)
      : run(run), ranges(run), symbols(module) {}

  void place() {
    collect();
    keepUnplannedOnHost();
    keepShapesOnHost();
    choosePlaces();
    addDispatchUses();
    for (auto &[key, family] : families)
      if (family.onDevice)
        copyForHost(family);
    for (rt::DispatchOp dispatch : dispatches)
      if (runsOnDevice(dispatch))
        alignInputs(dispatch);
    for (auto &[key, family] : families)
      if (family.onDevice)
        for (Value member : family.members)
          member.setType(rt::onDevice(cast<MemRefType>(member.getType())));
  }

private:
  Family *familyOf(Value buffer) {
    SmallVector<Value> roots = ranges.roots(buffer);
    return roots.empty() ? nullptr : &families[roots.front()];
  }

  func::FuncOp kernelOf(rt::DispatchOp dispatch) {
    return symbols.lookup<func::FuncOp>(dispatch.getKernel());
  }

  bool runsOnDevice(rt::DispatchOp dispatch) {
    func::FuncOp kernel = kernelOf(dispatch);
    return kernel && kernel->hasAttr(rt::kDeviceAttr);
  }

  void keepOnHost(rt::DispatchOp dispatch) {
    kernelOf(dispatch)->removeAttr(rt::kDeviceAttr);
  }

  static SmallVector<Value> buffersOf(rt::DispatchOp dispatch) {
    SmallVector<Value> buffers(dispatch.getInputs());
    llvm::append_range(buffers, dispatch.getOutputs());
    return buffers;
  }

  void collect() {
    auto addMember = [&](Value value) {
      if (!isBuffer(value))
        return;
      if (Family *family = familyOf(value))
        family->members.push_back(value);
    };
    run.walk([&](Operation *op) {
      for (Region &region : op->getRegions())
        for (BlockArgument argument : region.getArguments())
          addMember(argument);
      llvm::for_each(op->getResults(), addMember);
      if (auto dispatch = dyn_cast<rt::DispatchOp>(op)) {
        dispatches.push_back(dispatch);
        for (Value buffer : buffersOf(dispatch))
          if (Family *family = familyOf(buffer))
            family->dispatches.push_back(dispatch);
        for (Value output : dispatch.getOutputs())
          if (Family *family = familyOf(output))
            family->writers.push_back({dispatch, output});
      } else if (auto copy = dyn_cast<rt::CopyOp>(op)) {
        for (Value side : copy->getOperands())
          if (Family *family = familyOf(side))
            family->copies.push_back(copy);
        if (Family *family = familyOf(copy.getTarget()))
          family->isCopiedTo = true;
      } else if (isa<rt::LoadOp, rt::LibraryOp, rt::SetOutputOp>(op)) {
        for (OpOperand &operand : op->getOpOperands())
          addHostUse({&operand, true, false});
      } else if (auto store = dyn_cast<rt::StoreOp>(op)) {
        // One element of several: the others must be preserved.
        addHostUse({&store.getTargetMutable(), true, true});
      }
    });
  }

  void addHostUse(HostUse use) {
    if (isBuffer(use.operand->get()))
      if (Family *family = familyOf(use.operand->get()))
        family->hostUses.push_back(use);
  }

  /// Whether all memory behind `buffer` has a size known before a run.
  bool isPlanned(Value buffer) {
    SmallVector<Value> roots = ranges.roots(buffer);
    return !roots.empty() && llvm::all_of(roots, [](Value root) {
      Operation *maker = root.getDefiningOp();
      return isa_and_nonnull<rt::SlotOp, rt::InputOp, rt::OutputOp,
                             rt::ConstantOp>(maker) &&
             !isa<graph::StringType>(
                 cast<MemRefType>(root.getType()).getElementType());
    });
  }

  void keepUnplannedOnHost() {
    for (rt::DispatchOp dispatch : dispatches)
      if (runsOnDevice(dispatch) &&
          !llvm::all_of(buffersOf(dispatch),
                        [&](Value buffer) { return isPlanned(buffer); }))
        keepOnHost(dispatch);
  }

  /// Whether only the host reads the dispatch's results, of few elements.
  bool isShapeArithmetic(rt::DispatchOp dispatch) {
    int64_t elements = 0;
    for (Value buffer : buffersOf(dispatch)) {
      auto type = cast<MemRefType>(buffer.getType());
      if (!type.hasStaticShape())
        return false;
      elements += type.getNumElements();
    }
    bool isRead = false;
    for (Value output : dispatch.getOutputs()) {
      Family *family = familyOf(output);
      isRead |= !family->hostUses.empty();
      for (rt::DispatchOp user : family->dispatches) {
        if (user == dispatch)
          continue;
        if (runsOnDevice(user))
          return false;
        isRead = true;
      }
    }
    return isRead && elements <= tuning::kMaxShapeElements;
  }

  /// From the readers back to their sources. A kernel goes to the host with the
  /// last of its calls.
  void keepShapesOnHost() {
    DenseMap<Operation *, int64_t> others;
    for (rt::DispatchOp dispatch : dispatches)
      if (runsOnDevice(dispatch))
        ++others[kernelOf(dispatch)];
    for (rt::DispatchOp dispatch : llvm::reverse(dispatches))
      if (runsOnDevice(dispatch) && isShapeArithmetic(dispatch) &&
          --others[kernelOf(dispatch)] == 0)
        keepOnHost(dispatch);
  }

  void choosePlaces() {
    SmallVector<Family *> reached;
    for (auto &[key, family] : families) {
      family.onDevice = llvm::any_of(family.dispatches, [&](auto dispatch) {
        return runsOnDevice(dispatch);
      });
      if (family.onDevice)
        reached.push_back(&family);
    }
    // Buffers that are only copied follow the other side of the copy.
    while (!reached.empty())
      for (rt::CopyOp copy : reached.pop_back_val()->copies)
        for (Value side : copy->getOperands()) {
          Family *family = familyOf(side);
          if (!family || family->onDevice || !family->dispatches.empty() ||
              !family->hostUses.empty() || !isPlanned(side))
            continue;
          family->onDevice = true;
          reached.push_back(family);
        }
  }

  void addDispatchUses() {
    for (rt::DispatchOp dispatch : dispatches) {
      if (runsOnDevice(dispatch))
        continue;
      for (OpOperand &input : dispatch.getInputsMutable())
        addHostUse({&input, true, false});
      for (OpOperand &output : dispatch.getOutputsMutable())
        addHostUse({&output, false, true});
    }
  }

  /// Gives the host's uses of a device buffer memory of their own.
  void copyForHost(Family &family) {
    for (const HostUse &use : family.hostUses) {
      Value old = use.operand->get();
      if (!use.writes)
        if (Value shown = hostVersion(family, old)) {
          use.operand->set(shown);
          continue;
        }
      Operation *user = use.operand->getOwner();
      OpBuilder builder(user);
      Value local = makeLocal(builder, old);
      if (use.reads)
        rt::CopyOp::create(builder, user->getLoc(), old, local);
      use.operand->set(local);
      builder.setInsertionPointAfter(user);
      if (use.writes)
        rt::CopyOp::create(builder, user->getLoc(), local, old);
    }
  }

  /// Whether `size`, in elements, is always a multiple of `unit`.
  static bool isMultiple(Value size, int64_t unit) {
    IntegerAttr constant;
    if (matchPattern(size, m_Constant(&constant)))
      return constant.getInt() % unit == 0;
    if (auto sum = size.getDefiningOp<arith::AddIOp>())
      return isMultiple(sum.getLhs(), unit) && isMultiple(sum.getRhs(), unit);
    if (auto product = size.getDefiningOp<arith::MulIOp>())
      return isMultiple(product.getLhs(), unit) ||
             isMultiple(product.getRhs(), unit);
    return false;
  }

  /// Device kernels read 16 bytes at a time, so an operand that begins
  /// elsewhere in its buffer is copied to a place of its own.
  void alignInputs(rt::DispatchOp dispatch) {
    constexpr int64_t alignment = 16;
    for (OpOperand &input : dispatch.getInputsMutable()) {
      int64_t bits =
          elementBits(cast<MemRefType>(input.get().getType()).getElementType());
      bool isAligned = true;
      for (auto view = input.get().getDefiningOp<rt::ViewOp>(); view;
           view = view.getSource().getDefiningOp<rt::ViewOp>())
        isAligned &= !view.getOffset() ||
                     isMultiple(view.getOffset(), alignment * 8 / bits);
      if (isAligned)
        continue;
      OpBuilder builder(dispatch);
      Value place = makeLocal(builder, input.get());
      rt::CopyOp::create(builder, dispatch.getLoc(), input.get(), place);
      input.set(place);
      place.setType(rt::onDevice(cast<MemRefType>(place.getType())));
    }
  }

  Value makeLocal(OpBuilder &builder, Value like) {
    auto type = cast<MemRefType>(like.getType());
    SmallVector<Value> dims = dimsOf(builder, like);
    if (llvm::all_of(dims,
                     [&](Value dim) { return sizes.followsFromFreeDims(dim); }))
      return rt::SlotOp::create(builder, like.getLoc(), type, 0, dims);
    return rt::AllocOp::create(builder, like.getLoc(), type, dims);
  }

  static SmallVector<Value> dimsOf(OpBuilder &builder, Value buffer) {
    auto type = cast<MemRefType>(buffer.getType());
    SmallVector<Value> dims;
    Operation *maker = buffer.getDefiningOp();
    if (isa_and_nonnull<rt::ViewOp>(maker))
      return llvm::to_vector(cast<rt::ViewOp>(maker).getDims());
    if (isa_and_nonnull<rt::SlotOp, rt::InputOp, rt::OutputOp>(maker))
      return llvm::to_vector(maker->getOperands());
    for (int64_t i = 0; i < type.getRank(); ++i)
      if (type.isDynamicDim(i))
        dims.push_back(rt::DimOp::create(builder, buffer.getLoc(), buffer, i));
    return dims;
  }

  /// `buffer` as seen by the host, if all its readers can share that: inputs
  /// and constants are there anyway, and the result of a single kernel is
  /// copied right after it is written. Null otherwise.
  Value hostVersion(Family &family, Value buffer) {
    if (Value known = hostVersions.lookup(buffer))
      return known;
    Value made;
    Operation *maker = buffer.getDefiningOp();
    if (auto view = dyn_cast_or_null<rt::ViewOp>(maker)) {
      Value source = hostVersion(family, view.getSource());
      if (!source)
        return {};
      OpBuilder builder(view);
      if (Operation *op = source.getDefiningOp();
          op->getBlock() == view->getBlock() && view->isBeforeInBlock(op))
        builder.setInsertionPointAfter(op);
      made = rt::ViewOp::create(builder, view.getLoc(), view.getType(), source,
                                view.getOffset(), view.getDims());
    } else if (ranges.roots(buffer).size() != 1) {
      return {};
    } else if (isa_and_nonnull<rt::InputOp, rt::ConstantOp>(maker)) {
      OpBuilder builder(maker);
      made = builder.clone(*maker)->getResult(0);
    } else {
      rt::DispatchOp writer = onlyWriter(family, buffer);
      if (!writer)
        return {};
      OpBuilder builder(writer->getContext());
      builder.setInsertionPointAfter(writer);
      made = makeLocal(builder, buffer);
      rt::CopyOp::create(builder, writer.getLoc(), buffer, made);
    }
    return hostVersions[buffer] = made;
  }

  /// The only kernel call that writes to the family, all of it, in the block
  /// where the memory is allocated.
  rt::DispatchOp onlyWriter(Family &family, Value buffer) {
    bool isStored = llvm::any_of(family.hostUses,
                                 [](const HostUse &use) { return use.writes; });
    if (family.isCopiedTo || isStored || family.writers.size() != 1)
      return {};
    auto [writer, output] = family.writers.front();
    return output == buffer && writer->getBlock() == buffer.getParentBlock()
               ? writer
               : rt::DispatchOp();
  }

  func::FuncOp run;
  LiveRanges ranges;
  SymbolTable symbols;
  SizeAnalysis sizes;
  SmallVector<rt::DispatchOp> dispatches;
  llvm::MapVector<Value, Family> families;
  DenseMap<Value, Value> hostVersions;
};

struct PlaceBuffersPass : hone::impl::PlaceBuffersPassBase<PlaceBuffersPass> {
  using Base::Base;
  void runOnOperation() override {
    auto run = getOperation().lookupSymbol<func::FuncOp>(rt::kRunName);
    if (!run) {
      getOperation().emitError("has no function @") << rt::kRunName;
      return signalPassFailure();
    }
    // Without kernels for a device everything stays in place.
    auto isDeviceKernel = [](func::FuncOp function) {
      return function->hasAttr(rt::kDeviceAttr);
    };
    if (llvm::none_of(getOperation().getOps<func::FuncOp>(), isDeviceKernel))
      return;
    if (failed(LiveRanges::checkStructured(run)))
      return signalPassFailure();
    Placement(getOperation(), run).place();
  }
};

} // namespace
