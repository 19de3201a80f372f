// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Moves every group of operations into a kernel function and merges equal
// kernels, so that later passes see one kernel or the host function, never the
// whole model.
#include "dialects/Graph/Constants.h"
#include "dialects/Graph/DimBuilder.h"
#include "dialects/Graph/Graph.h"
#include "dialects/Graph/Nodes.h"
#include "dialects/Rt/Rt.h"
#include "mlir/Analysis/TopologicalSortUtils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/RegionUtils.h"
#include "passes/Analysis/Remarks.h"
#include "passes/Machine/Estimate.h"
#include "passes/Machine/Tuning.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringMap.h"

namespace hone {
#define GEN_PASS_DEF_OUTLINEKERNELSPASS
#include "passes/Graph/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using namespace hone::graph;

namespace {

using Group = SmallVector<Operation *, 4>;

/// Operations that stay on the host, or belong to another one.
bool staysOnHost(Operation *op) {
  return !isa<GraphDialect>(op->getDialect()) ||
         isa<ConstantOp, DimOp, LibraryOp>(op);
}

bool reportsErrors(Operation *op) {
  return op
      ->walk([](Operation *inner) {
        return inner->hasTrait<ReportsErrors>() ? WalkResult::interrupt()
                                                : WalkResult::advance();
      })
      .wasInterrupted();
}

int64_t elements(Type type) {
  return estimateProduct(cast<ShapedType>(type).getShape());
}

/// An amount, with typical values for unknown sizes.
double estimate(const SizeExpr &amount) {
  return amount.evaluate<double>([](const SizeExpr::Factor &factor) -> double {
    if (!factor.tensor)
      return factor.number;
    int64_t size =
        cast<ShapedType>(factor.tensor.getType()).getDimSize(factor.number);
    return ShapedType::isDynamic(size) ? kTypicalDim : size;
  });
}

/// Work of one operation, in units of `tuning::kPieceElements` elements.
double workOf(Operation *op) {
  auto costs = dyn_cast<CostOpInterface>(op);
  if (!costs)
    return 0;
  return estimate(costs.getElementsSwept()) / tuning::kPieceElements +
         estimate(costs.getMultiplyAdds()) / tuning::kPieceMacs;
}

int64_t piecesOf(const Group &group) {
  double work = 0;
  bool dynamic = false;
  for (Operation *op : group) {
    work += workOf(op);
    for (Type type : op->getResultTypes())
      if (auto shaped = dyn_cast<ShapedType>(type))
        dynamic |= !shaped.hasStaticShape();
  }
  if (work < 2)
    return 1;
  const CpuMachine &machine = CpuMachine::of(group.front());
  return dynamic ? tuning::piecesOfUnknownWork(machine)
                 : std::min<double>(tuning::maxPieces(machine), work);
}

/// A scalar as a kernel argument of type index, and back.
Value toIndex(OpBuilder &builder, Location loc, Value value) {
  if (auto type = dyn_cast<FloatType>(value.getType()))
    value = arith::BitcastOp::create(
        builder, loc, builder.getIntegerType(type.getWidth()), value);
  if (value.getType().isIndex())
    return value;
  return arith::IndexCastOp::create(builder, loc, builder.getIndexType(),
                                    value);
}

Value fromIndex(OpBuilder &builder, Location loc, Value index, Type type) {
  if (type.isIndex())
    return index;
  Type integer = isa<FloatType>(type)
                     ? builder.getIntegerType(type.getIntOrFloatBitWidth())
                     : type;
  Value value = arith::IndexCastOp::create(builder, loc, integer, index);
  return integer == type
             ? value
             : arith::BitcastOp::create(builder, loc, type, value).getResult();
}

/// The values that the operations of a group read, and those of theirs that
/// others read.
struct Boundary {
  SetVector<Value> tensors, scalars, constants;
  SmallVector<Value> results;
  SmallVector<int64_t> places; ///< where slices start, as arguments
};

/// Known starts, other than 0, of the slices of a group, slice by slice.
SmallVector<int64_t> startsOf(ArrayRef<Operation *> group) {
  SmallVector<int64_t> starts;
  for (Operation *op : group)
    if (auto slice = dyn_cast<SliceOp>(op))
      for (int64_t start : slice.getStaticOffsets())
        if (start != 0 && !ShapedType::isDynamic(start))
          starts.push_back(start);
  return starts;
}

/// Replaces the starts that `startsOf` lists by values; returns the remaining
/// ones.
ValueRange takeStarts(SliceOp slice, ValueRange values) {
  SmallVector<int64_t> starts(slice.getStaticOffsets());
  SmallVector<Value> dynamic;
  ValueRange known = slice.getOffsets();
  for (int64_t &start : starts) {
    if (start == 0)
      continue;
    ValueRange &from = ShapedType::isDynamic(start) ? known : values;
    dynamic.push_back(from.front());
    from = from.drop_front();
    start = ShapedType::kDynamic;
  }
  slice.getOffsetsMutable().assign(dynamic);
  slice.setStaticOffsets(starts);
  return values;
}

LogicalResult findBoundary(const Group &group, Boundary &boundary) {
  llvm::SmallPtrSet<Operation *, 8> members(group.begin(), group.end());
  auto isInside = [&](Operation *op) {
    for (; op; op = op->getParentOp())
      if (members.contains(op))
        return true;
    return false;
  };
  SetVector<Value> used;
  for (Operation *op : group) {
    used.insert(op->operand_begin(), op->operand_end());
    getUsedValuesDefinedAbove(op->getRegions(), used);
  }
  for (Value value : used) {
    Operation *producer = value.getDefiningOp();
    if (producer && members.contains(producer))
      continue;
    if (isa<RankedTensorType>(value.getType())) {
      auto constant = dyn_cast_or_null<graph::ConstantOp>(producer);
      bool small =
          constant &&
          elements(value.getType()) *
                  int64_t(elementBytes(constant.getType().getElementType())) <=
              tuning::kInlineConstantBytes;
      if (small && elementBytes(constant.getType().getElementType()) != 0)
        boundary.constants.insert(value);
      else
        boundary.tensors.insert(value);
    } else if (producer && producer->hasTrait<OpTrait::ConstantLike>()) {
      boundary.constants.insert(value);
    } else if (value.getType().isIntOrIndexOrFloat()) {
      boundary.scalars.insert(value);
    } else {
      return group.back()->emitError("reads a value of type ")
             << value.getType() << ", which no kernel can take";
    }
  }
  for (Operation *op : group)
    for (Value result : op->getResults())
      if (llvm::any_of(result.getUsers(),
                       [&](Operation *user) { return !isInside(user); }))
        boundary.results.push_back(result);
  for (Value result : boundary.results)
    if (!isa<RankedTensorType>(result.getType()))
      return result.getDefiningOp()->emitError("gives a value of type ")
             << result.getType() << ", which no kernel can give";
  return success();
}

class Outliner {
public:
  explicit Outliner(ModuleOp module)
      : module(module), builder(module.getContext()), symbols(module),
        unknown(builder.getUnknownLoc()) {}

  LogicalResult run(func::FuncOp host) {
    DimBuilder dims(host);
    LogicalResult status = success();
    SmallVector<Block *> blocks;
    host.walk([&](Block *block) {
      Operation *parent = block->getParentOp();
      if (!isa<GraphDialect>(parent->getDialect()))
        blocks.push_back(block);
    });
    int64_t slices = 0;
    host.walk([&](SliceOp) { ++slices; });
    placesAreArguments = slices >= tuning::kManySlices;
    for (Block *block : blocks)
      if (failed(outlineBlock(*block, dims)))
        status = failure();
    for (Operation *op : llvm::reverse(dead)) {
      op->dropAllUses();
      op->erase();
    }
    dead.clear();
    for (Operation *op : llvm::reverse(sources))
      if (isOpTriviallyDead(op))
        op->erase();
    sources.clear();
    module->setAttr(rt::kNodesAttr, builder.getArrayAttr(nodes));
    return status;
  }

private:
  LogicalResult outlineBlock(Block &block, DimBuilder &dims) {
    llvm::MapVector<int64_t, Group> groups;
    int64_t single = -1; // ungrouped operations get negative numbers
    for (Operation &op : block) {
      if (staysOnHost(&op))
        continue;
      auto number = op.getAttrOfType<IntegerAttr>("hone.group");
      if (!number && isa<ReshapeOp>(op))
        continue;
      groups[number ? number.getInt() : single--].push_back(&op);
    }
    positions.clear();
    for (auto [position, op] : llvm::enumerate(block))
      positions[&op] = position;
    bool unsorted = false;
    for (auto &[number, group] : groups) {
      if (llvm::all_of(group, [](Operation *op) { return isa<ReshapeOp>(op); }))
        continue;
      if (failed(outline(group, dims, unsorted)))
        return failure();
    }
    // A value of a group may be read before the group's last operation.
    if (unsorted && !sortTopologically(&block))
      return block.getParentOp()->emitError(
          "has groups of operations that depend on each other");
    return success();
  }

  LogicalResult outline(Group &group, DimBuilder &dims, bool &unsorted) {
    Boundary boundary;
    if (failed(findBoundary(group, boundary)))
      return failure();
    Operation *last = group.back();
    llvm::append_range(dead, group);
    if (boundary.results.empty())
      return success();
    if (placesAreArguments)
      boundary.places = startsOf(group);

    func::FuncOp kernel = kernelFor(group, boundary);
    builder.setInsertionPoint(last);
    SmallVector<Value> args, sizes;
    for (Value scalar : boundary.scalars)
      args.push_back(toIndex(builder, last->getLoc(), scalar));
    for (int64_t place : boundary.places)
      args.push_back(
          arith::ConstantIndexOp::create(builder, last->getLoc(), place));
    SmallVector<Type> types;
    for (Value result : boundary.results) {
      auto type = cast<RankedTensorType>(result.getType());
      types.push_back(type);
      for (int64_t i = 0; i < type.getRank(); ++i)
        if (type.isDynamicDim(i))
          sizes.push_back(
              dims.materialize(builder, last->getLoc(),
                               dims.dim(builder, last->getLoc(), result, i)));
    }
    NodeList sourceNodes;
    for (Operation *op : group)
      addNodes(op, sourceNodes);
    auto call = rt::CallOp::create(
        builder, locationOf(module.getContext(), sourceNodes), types,
        kernel.getSymName(), boundary.tensors.getArrayRef(), args, sizes);
    int64_t position = positions.lookup(last);
    positions[call] = position;
    llvm::SmallPtrSet<Operation *, 8> members(group.begin(), group.end());
    for (auto [result, replacement] :
         llvm::zip_equal(boundary.results, call.getResults()))
      result.replaceUsesWithIf(replacement, [&](OpOperand &use) {
        Operation *user = use.getOwner();
        for (Operation *op = user; op; op = op->getParentOp())
          if (members.contains(op))
            return false;
        Operation *ancestor = call->getBlock()->findAncestorOpInBlock(*user);
        unsorted |= ancestor && positions.lookup(ancestor) < position;
        return true;
      });
    return success();
  }

  /// The kernel that computes the group: a new one, or an equal existing one.
  func::FuncOp kernelFor(const Group &group, const Boundary &boundary) {
    SmallVector<Type> inputs, results;
    for (Value tensor : boundary.tensors)
      inputs.push_back(tensor.getType());
    inputs.append(boundary.scalars.size() + boundary.places.size(),
                  builder.getIndexType());
    for (Value result : boundary.results)
      results.push_back(result.getType());

    auto kernel = func::FuncOp::create(
        unknown, "kernel", builder.getFunctionType(inputs, results));
    kernel.setPrivate();
    kernel->setAttr(rt::kKernelAttr, builder.getUnitAttr());
    kernel->setAttr(rt::kPiecesAttr,
                    builder.getI64IntegerAttr(piecesOf(group)));
    Block *body = kernel.addEntryBlock();
    OpBuilder inner = OpBuilder::atBlockEnd(body);
    IRMapping map;
    for (Value constant : boundary.constants) {
      cloneConstant(inner, constant, map);
      sources.insert(constant.getDefiningOp());
    }
    for (auto [value, argument] :
         llvm::zip(boundary.tensors, body->getArguments()))
      map.map(value, argument);
    for (auto [value, argument] :
         llvm::zip(boundary.scalars,
                   body->getArguments().drop_front(boundary.tensors.size())))
      map.map(value, fromIndex(inner, group.front()->getLoc(), argument,
                               value.getType()));
    std::string hint;
    ValueRange places =
        ValueRange(body->getArguments()).take_back(boundary.places.size());
    for (Operation *op : group) {
      Operation *clone = inner.clone(*op, map);
      clone->removeAttr("hone.group");
      if (auto slice = dyn_cast<SliceOp>(clone); slice && !places.empty())
        places = takeStarts(slice, places);
      if (hint.size() < 40)
        hint += ("_" + op->getName().stripDialect()).str();
      if (!reportsErrors(op))
        continue;
      IntegerAttr node = inner.getI32IntegerAttr(nodeFor(op->getLoc()));
      clone->setAttr(rt::kNodeAttr, node);
      if (!kernel->hasAttr(rt::kNodeAttr))
        kernel->setAttr(rt::kNodeAttr, node);
    }
    SmallVector<Value> returned;
    for (Value result : boundary.results)
      returned.push_back(map.lookup(result));
    func::ReturnOp::create(inner, unknown, returned);
    markInPlace(kernel);

    // The printed form without names and locations is the kernel's identity.
    std::string text;
    llvm::raw_string_ostream stream(text);
    kernel->print(stream,
                  OpPrintingFlags().useLocalScope().printGenericOpForm());
    auto [entry, isNew] = kernels.try_emplace(text, kernel);
    if (!isNew) {
      kernel->erase();
      return entry->second;
    }
    kernel.setSymName("k" + std::to_string(kernels.size() - 1) + hint);
    symbols.insert(kernel);
    return kernel;
  }

  /// Kernels hold their constants themselves: a resource may be gone when they
  /// are compiled.
  static void cloneConstant(OpBuilder &builder, Value value, IRMapping &map) {
    auto constant = value.getDefiningOp<graph::ConstantOp>();
    std::optional<ConstantBytes> bytes;
    if (constant && isa<DenseResourceElementsAttr>(constant.getValue()))
      bytes = constantBytes(constant.getValue());
    if (!bytes) {
      builder.clone(*value.getDefiningOp(), map);
      return;
    }
    auto attr =
        DenseElementsAttr::getFromRawBuffer(constant.getType(), bytes->data);
    map.map(value, graph::ConstantOp::create(builder, constant.getLoc(), attr)
                       .getResult());
  }

  /// A kernel of one map reads each element of an operand of the result's shape
  /// before it writes that element.
  void markInPlace(func::FuncOp kernel) {
    Block &body = kernel.getBody().front();
    MapOp map;
    for (Operation &op : body.without_terminator()) {
      if (isa<graph::ConstantOp>(op) ||
          isa<arith::ArithDialect>(op.getDialect()))
        continue;
      if (map || !isa<MapOp>(op))
        return;
      map = cast<MapOp>(op);
    }
    if (!map || map->getNumResults() != 1)
      return;
    for (BlockArgument argument : body.getArguments()) {
      bool identity = argument.getType() == map->getResult(0).getType() &&
                      llvm::all_of(argument.getUsers(), [&](Operation *user) {
                        return user == map;
                      });
      if (identity)
        kernel.setArgAttr(argument.getArgNumber(), rt::kInPlaceAttr,
                          builder.getI64IntegerAttr(0));
    }
  }

  int32_t nodeFor(Location loc) {
    Attribute node = loc->findInstanceOf<NameLoc>();
    if (!node)
      node = unknown;
    auto [entry, isNew] = nodeNumbers.try_emplace(node, nodes.size());
    if (isNew)
      nodes.push_back(node);
    return entry->second;
  }

  ModuleOp module;
  OpBuilder builder;
  SymbolTable symbols;
  Location unknown;
  llvm::StringMap<func::FuncOp> kernels;
  bool placesAreArguments = false;
  SmallVector<Attribute> nodes;
  llvm::DenseMap<Attribute, int32_t> nodeNumbers;
  /// Positions of operations in the block that is being outlined. A block's own
  /// order would be recomputed after each inserted call.
  llvm::DenseMap<Operation *, int64_t> positions;
  // Erased last: the dimension builder knows values by address.
  SmallVector<Operation *> dead;
  SetVector<Operation *> sources;
};

struct OutlineKernelsPass
    : hone::impl::OutlineKernelsPassBase<OutlineKernelsPass> {
  using Base::Base;
  void runOnOperation() override {
    SmallVector<func::FuncOp> hosts;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function->hasAttr(rt::kKernelAttr) && !function.isExternal())
        hosts.push_back(function);
    if (getContext().getRemarkEngine())
      getOperation().walk([](LibraryOp op) {
        remarkSlow(op, "outline-kernels",
                   "a function of the runtime does it, on one thread");
      });
    Outliner outliner(getOperation());
    for (func::FuncOp host : hosts)
      if (failed(outliner.run(host)))
        return signalPassFailure();
  }
};

} // namespace
