// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What flows between the steps of a run: from the last step that wrote a
// buffer to those that read it.
#include "compiler/Driver/Report/RunGraph.h"
#include "dialects/Rt/Rt.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "passes/Analysis/LiveRanges.h"
#include "passes/Analysis/Sizes.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace hone;

namespace {

class RunGraphReader {
public:
  RunGraphReader(ModuleOp host, func::FuncOp run) : run(run), ranges(run) {
    if (auto steps = host->getAttrOfType<ArrayAttr>(rt::kStepsAttr))
      graph.steps.resize(steps.size());
    if (auto slots = host->getAttrOfType<ArrayAttr>(rt::kSlotsAttr))
      graph.slots.resize(slots.size());
  }

  RunGraph read() {
    run.walk<WalkOrder::PreOrder>([&](Operation *op) { visit(op); });
    for (auto [index, output] : outputOps)
      addOutput(output.getResult(), index);
    for (auto [index, op] : slotOps)
      placeInTime(op, graph.slots[index]);
    return std::move(graph);
  }

private:
  /// Where a value comes from: a step, or -1 - i for input i.
  using Source = int32_t;
  /// With the region of what wrote it.
  using Sources = llvm::SmallSetVector<std::pair<Source, Region *>, 2>;

  void visit(Operation *op);
  void visitCopy(rt::CopyOp copy);
  void beginStep(Operation *op, IntegerAttr step);
  void read(Value value);
  void write(Value value, Operation *op);
  void addSources(Value target, const Sources &sources, Region *region);
  void addOutput(Value value, int64_t output);
  void placeInTime(rt::SlotOp op, RunGraph::Slot &slot) const;

  /// The buffers that a value may be, or it itself if it is no buffer.
  SmallVector<Value> rootsOf(Value value);
  Sources sourcesOf(Value root) const {
    if (auto input = root.getDefiningOp<rt::InputOp>()) {
      Sources sources;
      sources.insert({-1 - static_cast<Source>(input.getIndex()), nullptr});
      return sources;
    }
    return writers.lookup(root);
  }
  static int32_t slotOf(Value root) {
    auto slot = root.getDefiningOp<rt::SlotOp>();
    return slot ? static_cast<int32_t>(slot.getIndex()) : -1;
  }

  func::FuncOp run;
  LiveRanges ranges;
  RunGraph graph;
  int32_t current = -1;
  SmallVector<int32_t> positions; ///< of the steps, among all operations
  llvm::MapVector<int32_t, rt::SlotOp> slotOps;
  llvm::MapVector<int64_t, rt::OutputOp> outputOps; ///< one of each
  llvm::DenseMap<Value, Sources> writers;
};

} // namespace

/// A value as text, "f32[1,?,64]", and its bytes.
static RunGraph::Value describe(Type type) {
  RunGraph::Value value;
  llvm::raw_string_ostream text(value.type);
  auto buffer = dyn_cast<MemRefType>(type);
  if (!buffer) {
    text << type;
    return value;
  }
  text << buffer.getElementType() << "[";
  llvm::interleave(
      buffer.getShape(), text,
      [&](int64_t size) {
        if (ShapedType::isDynamic(size))
          text << "?";
        else
          text << size;
      },
      ",");
  text << "]";
  value.bytes = staticBytes(buffer).value_or(-1);
  return value;
}

/// Whether writing to the value writes all of its buffer.
static bool isWhole(Value value) {
  while (auto view = value.getDefiningOp<rt::ViewOp>()) {
    if (view.getOffset())
      return false;
    value = view.getSource();
  }
  return true;
}

SmallVector<Value> RunGraphReader::rootsOf(Value value) {
  while (auto view = value.getDefiningOp<rt::ViewOp>())
    value = view.getSource();
  Operation *op = value.getDefiningOp();
  SmallVector<Value> roots = {value};
  if (isa<MemRefType>(value.getType()) && (!op || op->getNumRegions()))
    roots = ranges.roots(value);
  for (Value &root : roots)
    if (auto output = root.getDefiningOp<rt::OutputOp>())
      root = outputOps.insert({output.getIndex(), output})
                 .first->second.getResult();
  return roots;
}

static std::string controlFlowAround(Operation *op) {
  SmallVector<StringRef> around;
  for (; (op = op->getParentOp());)
    if (isa<scf::ForOp, scf::WhileOp>(op))
      around.push_back("loop");
    else if (isa<scf::IfOp>(op))
      around.push_back("if");
  return llvm::join(llvm::reverse(around), ", ");
}

void RunGraphReader::beginStep(Operation *op, IntegerAttr step) {
  current = static_cast<int32_t>(step.getInt());
  positions.push_back(ranges.step(op));
  graph.steps[current].inside = controlFlowAround(op);
}

/// The current step reads a value.
void RunGraphReader::read(Value value) {
  size_t edges = 0;
  for (Value root : rootsOf(value)) {
    if (root.getDefiningOp<rt::ConstantOp>())
      graph.steps[current].constants.push_back(describe(value.getType()));
    for (auto [source, region] : sourcesOf(root)) {
      if (++edges > RunGraph::kMostSources)
        return;
      RunGraph::Edge &edge = graph.edges.emplace_back();
      (source < 0 ? edge.fromInput : edge.fromStep) =
          source < 0 ? -1 - source : source;
      edge.toStep = current;
      edge.slot = slotOf(root);
      edge.value = describe(value.getType());
    }
  }
}

/// What is in `target` comes from `sources`, if control flow gets to `region`:
/// that hides what was written there and inside of it before.
void RunGraphReader::addSources(Value target, const Sources &sources,
                                Region *region) {
  bool whole = isWhole(target);
  for (Value root : rootsOf(target)) {
    Sources &known = writers[root];
    if (whole)
      known.remove_if([&](const std::pair<Source, Region *> &writer) {
        return writer.second && region->isAncestor(writer.second);
      });
    for (auto [source, from] : sources)
      known.insert({source, region});
    while (known.size() > RunGraph::kMostSources)
      known.erase(known.begin());
  }
}

/// The current step writes a value.
void RunGraphReader::write(Value value, Operation *op) {
  Sources step;
  step.insert({current, nullptr});
  addSources(value, step, op->getParentRegion());
  for (Value root : rootsOf(value))
    if (int32_t slot = slotOf(root); slot >= 0 && graph.slots[slot].writer < 0)
      graph.slots[slot].writer = current;
}

/// An output is what is in a value.
void RunGraphReader::addOutput(Value value, int64_t output) {
  for (Value root : rootsOf(value))
    for (auto [source, region] : sourcesOf(root))
      graph.edges.push_back({std::max(source, -1),
                             source < 0 ? -1 - source : -1, -1,
                             static_cast<int32_t>(output), slotOf(root),
                             describe(value.getType())});
}

/// A small copy is no step: what it writes comes from where it reads.
void RunGraphReader::visitCopy(rt::CopyOp copy) {
  Sources from;
  for (Value root : rootsOf(copy.getSource()))
    from.insert_range(sourcesOf(root));
  addSources(copy.getTarget(), from, copy->getParentRegion());
}

void RunGraphReader::visit(Operation *op) {
  if (auto slot = dyn_cast<rt::SlotOp>(op)) {
    slotOps[static_cast<int32_t>(slot.getIndex())] = slot;
  } else if (auto output = dyn_cast<rt::OutputOp>(op)) {
    outputOps.insert({output.getIndex(), output});
  } else if (auto dispatch = dyn_cast<rt::DispatchOp>(op)) {
    beginStep(op, dispatch.getStepAttr());
    llvm::for_each(dispatch.getInputs(), [&](Value value) { read(value); });
    llvm::for_each(dispatch.getOutputs(),
                   [&](Value value) { write(value, op); });
  } else if (auto library = dyn_cast<rt::LibraryOp>(op)) {
    beginStep(op, library.getStepAttr());
    llvm::for_each(library.getOperands(), [&](Value value) { read(value); });
    llvm::for_each(library.getResults(),
                   [&](Value value) { write(value, op); });
  } else if (auto copy = dyn_cast<rt::CopyOp>(op)) {
    if (!copy.getStepAttr())
      return visitCopy(copy);
    beginStep(op, copy.getStepAttr());
    read(copy.getSource());
    write(copy.getTarget(), op);
  } else if (auto output = dyn_cast<rt::SetOutputOp>(op)) {
    addOutput(output.getValue(), output.getIndex());
  }
}

void RunGraphReader::placeInTime(rt::SlotOp op, RunGraph::Slot &slot) const {
  slot.type = describe(op.getType()).type;
  LiveRange range = ranges.range(op);
  auto first = llvm::lower_bound(positions, range.first);
  auto last = llvm::upper_bound(positions, range.last);
  if (range.isEmpty() || first >= last)
    return;
  slot.firstStep = static_cast<int32_t>(first - positions.begin());
  slot.lastStep = static_cast<int32_t>(last - positions.begin()) - 1;
}

RunGraph hone::readRunGraph(ModuleOp host) {
  return RunGraphReader(host, host.lookupSymbol<func::FuncOp>(rt::kRunName))
      .read();
}
