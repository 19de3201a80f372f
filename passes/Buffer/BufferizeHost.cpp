// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Rebuilds the host function over buffers, in one sweep. Later passes share
// memory between them.
#include "dialects/Graph/Constants.h"
#include "dialects/Graph/Graph.h"
#include "dialects/Rt/Rt.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/IRMapping.h"
#include "passes/Analysis/Sizes.h"
#include "passes/Buffer/Passes.h"
#include "llvm/ADT/TypeSwitch.h"

namespace hone {
#define GEN_PASS_DEF_BUFFERIZEHOSTPASS
#include "passes/Buffer/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;

namespace {

constexpr int64_t kWeightAlignment = 64;

MemRefType bufferType(Type tensor) {
  auto type = cast<RankedTensorType>(tensor);
  return MemRefType::get(type.getShape(), type.getElementType());
}

Type convertType(Type type) {
  return isa<RankedTensorType>(type) ? bufferType(type) : type;
}

/// The tensor whose memory `value` shows: through reshapes and casts.
Value viewedTensor(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<graph::ReshapeOp, tensor::CastOp>(op))
      break;
    value = op->getOperand(0);
  }
  return value;
}

class Bufferizer {
public:
  Bufferizer(ModuleOp module, func::FuncOp host)
      : module(module), host(host), builder(module.getContext()) {}

  LogicalResult run() {
    auto run = func::FuncOp::create(host.getLoc(), rt::kRunName,
                                    builder.getFunctionType({}, {}));
    top = run.addEntryBlock();
    module.insert(host, run);
    builder.setInsertionPointToStart(top);
    if (failed(bufferizeArguments(run)))
      return failure();
    assignOutputs();
    if (failed(bufferizeBlock(host.getBody().front())))
      return failure();
    module->setAttr(rt::kWeightBytesAttr,
                    builder.getI64IntegerAttr(weightBytes));
    host.erase();
    return success();
  }

private:
  //===- Entry and exit
  //-----------------------------------------------------------------------------------------===//

  LogicalResult bufferizeArguments(func::FuncOp run) {
    SmallVector<Attribute> inputs, outputs, freeDims;
    for (BlockArgument argument : host.getArguments()) {
      unsigned index = argument.getArgNumber();
      DictionaryAttr attrs = host.getArgAttrDict(index);
      inputs.push_back(describe(attrs, argument.getType()));
      SmallVector<Value> sizes;
      auto type = dyn_cast<RankedTensorType>(argument.getType());
      auto names = attrs ? attrs.getAs<ArrayAttr>(rt::kDimsAttr) : ArrayAttr();
      for (int64_t i = 0; type && i < type.getRank(); ++i) {
        auto name = names && i < int64_t(names.size())
                        ? dyn_cast<StringAttr>(names[i])
                        : StringAttr();
        if (name && !freeDim.count(name.getValue())) {
          freeDims.push_back(name);
          freeDim[name.getValue()] =
              graph::DimOp::create(builder, host.getLoc(), name);
        }
        if (!type.isDynamicDim(i))
          continue;
        if (!name)
          return host.emitError("input ")
                 << index << " has a dynamic dimension without a name";
        sizes.push_back(freeDim[name.getValue()]);
      }
      map.map(argument,
              rt::InputOp::create(builder, host.getLoc(),
                                  convertType(argument.getType()), index, sizes)
                  .getResult());
    }
    for (auto [index, type] : llvm::enumerate(host.getResultTypes()))
      outputs.push_back(describe(host.getResultAttrDict(index), type));
    run->setAttr("hone.inputs", builder.getArrayAttr(inputs));
    run->setAttr("hone.outputs", builder.getArrayAttr(outputs));
    module->setAttr(rt::kFreeDimsAttr, builder.getArrayAttr(freeDims));
    return success();
  }

  /// Attributes of an argument, with its type beside them.
  Attribute describe(DictionaryAttr attrs, Type type) {
    NamedAttrList list(attrs);
    list.set("type", TypeAttr::get(type));
    return list.getDictionary(builder.getContext());
  }

  /// Kernel results that the function returns are written to the caller's
  /// memory at once.
  void assignOutputs() {
    for (OpOperand &operand :
         host.getBody().front().getTerminator()->getOpOperands()) {
      auto type = dyn_cast<RankedTensorType>(operand.get().getType());
      Value root = viewedTensor(operand.get());
      auto call = root.getDefiningOp<rt::CallOp>();
      if (!type || !call || call->getBlock() != &host.getBody().front())
        continue;
      bool known = true;
      for (Value value = operand.get(); value != root;
           value = value.getDefiningOp()->getOperand(0))
        for (Value size : value.getDefiningOp()->getOperands().drop_front())
          known &= sizes.followsFromFreeDims(size);
      if (known)
        outputOf.try_emplace(root, operand.getOperandNumber());
    }
  }

  LogicalResult bufferizeReturn(func::ReturnOp op) {
    for (OpOperand &operand : op->getOpOperands()) {
      unsigned index = operand.getOperandNumber();
      Value value = map.lookup(operand.get());
      Value root = viewedTensor(operand.get());
      if (auto it = outputOf.find(root); it != outputOf.end() &&
                                         it->second == index &&
                                         isOutput(map.lookup(root)))
        recordOutputDims(index, value);
      else if (auto type = dyn_cast<MemRefType>(value.getType());
               type && areKnown(dimsOf(value))) {
        Value output = rt::OutputOp::create(builder, op.getLoc(), type, index,
                                            dimsOf(value));
        rt::CopyOp::create(builder, op.getLoc(), value, output);
        recordOutputDims(index, value);
      } else
        rt::SetOutputOp::create(builder, op.getLoc(), index, value);
    }
    func::ReturnOp::create(builder, op.getLoc());
    return success();
  }

  bool isOutput(Value buffer) {
    return buffer.getDefiningOp<rt::OutputOp>() != nullptr;
  }

  /// Outputs of known shape leave a view of that shape for the pass that builds
  /// the preparation.
  void recordOutputDims(unsigned index, Value buffer) {
    rt::OutputDimsOp::create(builder, buffer.getLoc(), index, dimsOf(buffer),
                             buffer.getType());
  }

  //===- Buffers
  //------------------------------------------------------------------------------------------------===//

  bool areKnown(ValueRange values) {
    return llvm::all_of(
        values, [&](Value value) { return sizes.followsFromFreeDims(value); });
  }

  /// The dynamic dimensions of a buffer.
  SmallVector<Value> dimsOf(Value buffer) {
    auto type = cast<MemRefType>(buffer.getType());
    if (Operation *op = buffer.getDefiningOp()) {
      auto dims = llvm::TypeSwitch<Operation *, std::optional<ValueRange>>(op)
                      .Case<rt::InputOp, rt::OutputOp, rt::SlotOp, rt::AllocOp,
                            rt::ViewOp>([](auto known) {
                        return ValueRange(known.getDims());
                      })
                      .Default([](Operation *) { return std::nullopt; });
      if (dims)
        return llvm::to_vector(*dims);
    }
    SmallVector<Value> result;
    for (int64_t i = 0; i < type.getRank(); ++i)
      if (type.isDynamicDim(i))
        result.push_back(
            rt::DimOp::create(builder, buffer.getLoc(), buffer, i));
    return result;
  }

  Value dimOf(Value buffer, int64_t axis, Location loc) {
    auto type = cast<MemRefType>(buffer.getType());
    if (!type.isDynamicDim(axis))
      return arith::ConstantIndexOp::create(builder, loc,
                                            type.getDimSize(axis));
    return dimsOf(buffer)[type.getDynamicDimIndex(axis)];
  }

  /// Memory for a tensor that is about to be computed.
  Value makeBuffer(Location loc, MemRefType type, ValueRange dims,
                   Value tensor = {}) {
    if (!areKnown(dims))
      return rt::AllocOp::create(builder, loc, type, dims);
    if (auto it = outputOf.find(tensor); it != outputOf.end())
      return rt::OutputOp::create(builder, loc, type, it->second, dims);
    return rt::SlotOp::create(builder, loc, type, slots++, dims);
  }

  Value view(Location loc, Value source, MemRefType type, ValueRange dims) {
    if (source.getType() == type && llvm::equal(dimsOf(source), dims))
      return source;
    return rt::ViewOp::create(builder, loc, type, source, dims);
  }

  Value copyOf(Location loc, Value source) {
    Value target =
        makeBuffer(loc, cast<MemRefType>(source.getType()), dimsOf(source));
    rt::CopyOp::create(builder, loc, source, target);
    return target;
  }

  SmallVector<Value> mapped(ValueRange values) {
    return llvm::map_to_vector(values,
                               [&](Value value) { return map.lookup(value); });
  }

  //===- Operations
  //---------------------------------------------------------------------------------------------===//

  LogicalResult bufferizeBlock(Block &block) {
    for (Operation &op : block)
      if (failed(bufferizeOp(&op)))
        return failure();
    return success();
  }

  LogicalResult bufferizeOp(Operation *op) {
    return llvm::TypeSwitch<Operation *, LogicalResult>(op)
        .Case<rt::CallOp, graph::ConstantOp, graph::DimOp, graph::ReshapeOp,
              graph::LibraryOp, tensor::CastOp, tensor::DimOp,
              tensor::ExtractOp, tensor::FromElementsOp, tensor::EmptyOp,
              tensor::ExtractSliceOp, tensor::InsertSliceOp, arith::SelectOp,
              cf::AssertOp, scf::IfOp, scf::ForOp, scf::WhileOp,
              UnrealizedConversionCastOp>(
            [&](auto typed) { return bufferize(typed); })
        .Case([&](func::ReturnOp typed) { return bufferizeReturn(typed); })
        .Default([&](Operation *other) -> LogicalResult {
          auto isTensor = [](Type type) { return isa<ShapedType>(type); };
          if (llvm::any_of(other->getOperandTypes(), isTensor) ||
              llvm::any_of(other->getResultTypes(), isTensor) ||
              other->getNumRegions() != 0 ||
              isa<graph::GraphDialect>(other->getDialect()))
            return other->emitError("cannot be run by the host function");
          builder.clone(*other, map);
          return success();
        });
  }

  LogicalResult bufferize(rt::CallOp op) {
    SmallVector<Value> outputs, dims = mapped(op.getDims());
    ValueRange rest = dims;
    for (Value result : op.getResults()) {
      MemRefType type = bufferType(result.getType());
      outputs.push_back(makeBuffer(op.getLoc(), type,
                                   rest.take_front(type.getNumDynamicDims()),
                                   result));
      rest = rest.drop_front(type.getNumDynamicDims());
    }
    rt::DispatchOp::create(builder, op.getLoc(), op.getKernelAttr(),
                           mapped(op.getInputs()), outputs,
                           mapped(op.getArgs()));
    map.map(op.getResults(), outputs);
    return success();
  }

  LogicalResult bufferize(graph::ConstantOp op) {
    Value &buffer = constants[op.getValue()];
    if (!buffer) {
      MemRefType type = bufferType(op.getType());
      std::optional<int64_t> bytes = staticBytes(type);
      if (!bytes)
        return op.emitError("is larger than memory");
      // Constants of one storage under several types lie in one place.
      const void *storage = graph::constantStorage(op.getValue());
      auto [place, isNew] = weightOffsets.try_emplace(
          storage ? storage : op.getValue().getAsOpaquePointer(), weightBytes);
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(top);
      buffer = rt::ConstantOp::create(builder, op.getLoc(), type, place->second,
                                      op.getValue());
      if (isNew && !isa<graph::StringType>(type.getElementType()))
        weightBytes = llvm::alignTo(weightBytes + *bytes, kWeightAlignment);
    }
    map.map(op.getResult(), buffer);
    return success();
  }

  LogicalResult bufferize(graph::DimOp op) {
    Value size = freeDim.lookup(op.getName());
    if (!size)
      return op.emitError("names a dimension that no input has");
    map.map(op.getResult(), size);
    return success();
  }

  LogicalResult bufferize(graph::ReshapeOp op) {
    map.map(op.getResult(),
            view(op.getLoc(), map.lookup(op.getInput()),
                 bufferType(op.getType()), mapped(op.getDims())));
    return success();
  }

  LogicalResult bufferize(tensor::CastOp op) {
    auto type = dyn_cast<RankedTensorType>(op.getType());
    if (!type || !isa<RankedTensorType>(op.getSource().getType()))
      return op.emitError("casts from or to an unknown rank");
    Value source = map.lookup(op.getSource());
    SmallVector<Value> dims;
    for (int64_t i = 0; i < type.getRank(); ++i)
      if (type.isDynamicDim(i))
        dims.push_back(dimOf(source, i, op.getLoc()));
    map.map(op.getResult(), view(op.getLoc(), source, bufferType(type), dims));
    return success();
  }

  LogicalResult bufferize(tensor::DimOp op) {
    std::optional<int64_t> axis = op.getConstantIndex();
    if (!axis)
      return op.emitError("asks for a dimension that is not constant");
    map.map(op.getResult(),
            dimOf(map.lookup(op.getSource()), *axis, op.getLoc()));
    return success();
  }

  LogicalResult bufferize(tensor::ExtractOp op) {
    map.map(op.getResult(),
            rt::LoadOp::create(builder, op.getLoc(), op.getType(),
                               map.lookup(op.getTensor()),
                               mapped(op.getIndices()))
                .getResult());
    return success();
  }

  LogicalResult bufferize(tensor::FromElementsOp op) {
    RankedTensorType type = op.getType();
    Value buffer = makeBuffer(op.getLoc(), bufferType(type), {});
    SmallVector<int64_t> strides = computeStrides(type.getShape());
    for (auto [number, element] : llvm::enumerate(op.getElements())) {
      SmallVector<Value> indices;
      for (int64_t index : delinearize(number, strides))
        indices.push_back(
            arith::ConstantIndexOp::create(builder, op.getLoc(), index));
      rt::StoreOp::create(builder, op.getLoc(), map.lookup(element), buffer,
                          indices);
    }
    map.map(op.getResult(), buffer);
    return success();
  }

  LogicalResult bufferize(tensor::EmptyOp op) {
    map.map(op.getResult(), makeBuffer(op.getLoc(), bufferType(op.getType()),
                                       mapped(op.getDynamicSizes())));
    return success();
  }

  /// Element offset of a slice that is one contiguous piece of `source`: whole
  /// but for one dimension, before which all sizes are 1.
  FailureOr<Value> sliceOffset(OffsetSizeAndStrideOpInterface op,
                               Value source) {
    Location loc = op.getLoc();
    auto type = cast<MemRefType>(source.getType());
    if (!llvm::all_of(op.getMixedStrides(), [](OpFoldResult stride) {
          return isConstantIntValue(stride, 1);
        }))
      return op.emitError("takes a slice with strides");
    auto isWhole = [&](int64_t axis) {
      std::optional<int64_t> size =
          getConstantIntValue(op.getMixedSizes()[axis]);
      if (size)
        return *size == type.getDimSize(axis);
      Value value = map.lookup(cast<Value>(op.getMixedSizes()[axis]));
      return type.isDynamicDim(axis) && dimOf(source, axis, loc) == value;
    };
    int64_t cut = type.getRank();
    while (cut > 0 && isWhole(cut - 1) &&
           isConstantIntValue(op.getMixedOffsets()[cut - 1], 0))
      --cut;
    for (int64_t axis = 0; axis + 1 < cut; ++axis)
      if (!isConstantIntValue(op.getMixedSizes()[axis], 1))
        return op.emitError("takes a slice that is not contiguous");
    Value offset = arith::ConstantIndexOp::create(builder, loc, 0);
    for (int64_t axis = 0; axis < type.getRank(); ++axis) {
      offset =
          arith::MulIOp::create(builder, loc, offset, dimOf(source, axis, loc));
      OpFoldResult start = op.getMixedOffsets()[axis];
      Value first = isa<Value>(start)
                        ? map.lookup(cast<Value>(start))
                        : arith::ConstantIndexOp::create(
                              builder, loc, *getConstantIntValue(start));
      offset = arith::AddIOp::create(builder, loc, offset, first);
    }
    return offset;
  }

  LogicalResult bufferize(tensor::ExtractSliceOp op) {
    Value source = map.lookup(op.getSource());
    FailureOr<Value> offset = sliceOffset(op, source);
    if (failed(offset))
      return failure();
    SmallVector<Value> dims;
    llvm::SmallBitVector dropped = op.getDroppedDims();
    for (auto [axis, size] : llvm::enumerate(op.getMixedSizes()))
      if (auto value = dyn_cast<Value>(size); value && !dropped.test(axis))
        dims.push_back(map.lookup(value));
    map.map(op.getResult(),
            rt::ViewOp::create(builder, op.getLoc(), bufferType(op.getType()),
                               source, *offset, dims)
                .getResult());
    return success();
  }

  LogicalResult bufferize(tensor::InsertSliceOp op) {
    Value target = map.lookup(op.getDest()),
          source = map.lookup(op.getSource());
    if (!op.getDest().hasOneUse() || !owned.contains(target)) {
      target = copyOf(op.getLoc(), target);
      owned.insert(target);
    }
    FailureOr<Value> offset = sliceOffset(op, target);
    if (failed(offset))
      return failure();
    Value place = rt::ViewOp::create(builder, op.getLoc(),
                                     cast<MemRefType>(source.getType()), target,
                                     *offset, dimsOf(source));
    rt::CopyOp::create(builder, op.getLoc(), source, place);
    map.map(op.getResult(), target);
    return success();
  }

  /// Of buffers; of numbers it stays.
  LogicalResult bufferize(arith::SelectOp op) {
    if (!isa<RankedTensorType>(op.getType())) {
      builder.clone(*op, map);
      return success();
    }
    auto made =
        scf::IfOp::create(builder, op.getLoc(), convertType(op.getType()),
                          map.lookup(op.getCondition()), true);
    OpBuilder then = made.getThenBodyBuilder(),
              otherwise = made.getElseBodyBuilder();
    scf::YieldOp::create(then, op.getLoc(), map.lookup(op.getTrueValue()));
    scf::YieldOp::create(otherwise, op.getLoc(),
                         map.lookup(op.getFalseValue()));
    map.map(op.getResult(), made.getResult(0));
    return success();
  }

  LogicalResult bufferize(graph::LibraryOp op) {
    auto call = rt::LibraryOp::create(
        builder, op.getLoc(),
        llvm::map_to_vector(op->getResultTypes(), convertType),
        op.getFunctionAttr(), mapped(op.getOperands()), op.getConfigAttr(),
        numberOfNode(module, op.getLoc()));
    map.map(op.getResults(), call.getResults());
    return success();
  }

  /// Sequences and optionals are one kind of pointer, whatever the IR knows of
  /// their elements.
  LogicalResult bufferize(UnrealizedConversionCastOp op) {
    auto isHandle = [](Type type) {
      return isa<graph::SequenceType, graph::OptionalType>(type);
    };
    if (op.getNumOperands() != 1 || op.getNumResults() != 1 ||
        !isHandle(op.getOperand(0).getType()) || !isHandle(op.getType(0)))
      return op.emitError("cannot be run by the host function");
    map.map(op.getResult(0), UnrealizedConversionCastOp::create(
                                 builder, op.getLoc(), op.getType(0),
                                 map.lookup(op.getOperand(0)))
                                 .getResult(0));
    return success();
  }

  LogicalResult bufferize(cf::AssertOp op) {
    rt::CheckOp::create(builder, op.getLoc(), map.lookup(op.getArg()),
                        numberOfNode(module, op.getLoc()), kShapeMismatch);
    return success();
  }

  //===- Control flow
  //-------------------------------------------------------------------------------------------===//

  LogicalResult bufferizeRegion(Block &from, Block &to) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToEnd(&to);
    for (Operation &op : from.without_terminator())
      if (failed(bufferizeOp(&op)))
        return failure();
    scf::YieldOp::create(builder, from.getTerminator()->getLoc(),
                         mapped(from.getTerminator()->getOperands()));
    return success();
  }

  LogicalResult bufferize(scf::IfOp op) {
    auto types = llvm::map_to_vector(op.getResultTypes(), convertType);
    auto made = scf::IfOp::create(builder, op.getLoc(), types,
                                  map.lookup(op.getCondition()), false);
    for (auto [from, to] :
         llvm::zip_equal(op->getRegions(), made->getRegions())) {
      if (from.empty())
        continue;
      // The builder may have made a block, and a terminator in it.
      to.getBlocks().clear();
      if (failed(bufferizeRegion(from.front(), to.emplaceBlock())))
        return failure();
    }
    map.map(op.getResults(), made.getResults());
    return success();
  }

  /// How a loop carries its tensors. One of unchanging shape lies in a slot
  /// that the loop only refers to; the others are blocks, handed from iteration
  /// to iteration.
  struct Carried {
    SmallVector<Value> place; ///< by position of the tensor; null: handed over
    SmallVector<Value> inits; ///< of the values that are handed over
  };

  Carried enterLoop(Location loc, ValueRange inits) {
    Carried carried;
    for (Value init : inits) {
      Value value = map.lookup(init);
      auto type = dyn_cast<MemRefType>(value.getType());
      if (type && type.hasStaticShape()) {
        carried.place.push_back(copyOf(loc, value));
        owned.insert(carried.place.back());
        continue;
      }
      if (type) {
        Value block = rt::AllocOp::create(builder, loc, type, dimsOf(value));
        rt::CopyOp::create(builder, loc, value, block);
        value = block;
      }
      carried.place.push_back({});
      carried.inits.push_back(value);
    }
    return carried;
  }

  /// Maps what an iteration sees, or the loop's results, to places and
  /// handed-over values.
  void mapCarried(const Carried &carried, ValueRange from, ValueRange handed) {
    for (auto [place, value] : llvm::zip_equal(carried.place, from)) {
      if (place) {
        map.map(value, place);
        continue;
      }
      map.map(value, handed.front());
      handed = handed.drop_front();
    }
  }

  /// Ends an iteration: what it yields goes to the places; values to hand over
  /// are returned. `old` are the blocks of this iteration, given back once
  /// nothing can read them any more.
  SmallVector<Value> leaveIteration(Location loc, const Carried &carried,
                                    ValueRange yielded, ArrayRef<Value> old) {
    SmallVector<Value> values = mapped(yielded), handed;
    // A place may be read by another's copy: whatever lies in one goes
    // elsewhere first.
    llvm::SmallPtrSet<Value, 8> places(carried.place.begin(),
                                       carried.place.end());
    for (auto [place, value] : llvm::zip_equal(carried.place, values))
      if (place && value != place && places.contains(memoryOf(value)))
        value = copyOf(loc, value);
    for (auto [place, value] : llvm::zip_equal(carried.place, values)) {
      if (!place && isa<MemRefType>(value.getType())) {
        Value block = rt::AllocOp::create(
            builder, loc, cast<MemRefType>(value.getType()), dimsOf(value));
        rt::CopyOp::create(builder, loc, value, block);
        value = block;
      }
      if (!place)
        handed.push_back(value);
    }
    for (auto [place, value] : llvm::zip_equal(carried.place, values))
      if (place && value != place)
        rt::CopyOp::create(builder, loc, value, place);
    for (Value block : old)
      rt::FreeOp::create(builder, loc, block);
    return handed;
  }

  Value memoryOf(Value buffer) {
    while (auto view = buffer.getDefiningOp<rt::ViewOp>())
      buffer = view.getSource();
    return buffer;
  }

  /// Blocks made directly in a loop's body are not needed after the iteration,
  /// but those it hands over.
  void freeBlocks(Location loc, Block &body, ValueRange handed) {
    SmallVector<Value> blocks;
    for (auto alloc : body.getOps<rt::AllocOp>())
      if (!llvm::is_contained(handed, alloc.getResult()))
        blocks.push_back(alloc);
    for (Value block : blocks)
      rt::FreeOp::create(builder, loc, block);
  }

  static SmallVector<Value> buffersAmong(ValueRange values) {
    return llvm::filter_to_vector(
        values, [](Value value) { return isa<MemRefType>(value.getType()); });
  }

  LogicalResult bufferize(scf::ForOp op) {
    Location loc = op.getLoc();
    Carried carried = enterLoop(loc, op.getInitArgs());
    auto made = scf::ForOp::create(builder, loc, map.lookup(op.getLowerBound()),
                                   map.lookup(op.getUpperBound()),
                                   map.lookup(op.getStep()), carried.inits);
    map.map(op.getInductionVar(), made.getInductionVar());
    mapCarried(carried, op.getRegionIterArgs(), made.getRegionIterArgs());
    Block &body = *made.getBody();
    OpBuilder::InsertionGuard guard(builder);
    if (!body.empty()) // without carried values the builder made a terminator
      body.getTerminator()->erase();
    builder.setInsertionPointToEnd(&body);
    for (Operation &inner : op.getBody()->without_terminator())
      if (failed(bufferizeOp(&inner)))
        return failure();
    SmallVector<Value> handed = leaveIteration(
        loc, carried, op.getBody()->getTerminator()->getOperands(),
        buffersAmong(made.getRegionIterArgs()));
    freeBlocks(loc, body, handed);
    scf::YieldOp::create(builder, loc, handed);
    mapCarried(carried, op.getResults(), made.getResults());
    return success();
  }

  LogicalResult bufferize(scf::WhileOp op) {
    Location loc = op.getLoc();
    Carried carried = enterLoop(loc, op.getInits());
    auto made = scf::WhileOp::create(
        builder, loc, llvm::map_to_vector(op.getResultTypes(), convertType),
        carried.inits);
    OpBuilder::InsertionGuard guard(builder);
    auto handedTypes = llvm::map_to_vector(
        carried.inits, [](Value value) { return value.getType(); });
    Block *before =
        builder.createBlock(&made.getBefore(), {}, handedTypes,
                            SmallVector<Location>(handedTypes.size(), loc));
    mapCarried(carried, op.getBeforeArguments(), before->getArguments());
    for (Operation &inner : op.getBeforeBody()->without_terminator())
      if (failed(bufferizeOp(&inner)))
        return failure();
    scf::ConditionOp condition = op.getConditionOp();
    SmallVector<Value> passed = mapped(condition.getArgs());
    scf::ConditionOp::create(builder, loc, map.lookup(condition.getCondition()),
                             passed);

    auto types = llvm::map_to_vector(made.getResultTypes(),
                                     [](Type type) { return type; });
    Block *after = builder.createBlock(
        &made.getAfter(), {}, types, SmallVector<Location>(types.size(), loc));
    map.map(op.getAfterArguments(), after->getArguments());
    for (Operation &inner : op.getAfterBody()->without_terminator())
      if (failed(bufferizeOp(&inner)))
        return failure();
    // The condition hands the blocks of the iteration on; one that it keeps for
    // itself stays until the next run.
    SmallVector<Value> old;
    for (Value block : buffersAmong(before->getArguments()))
      if (auto it = llvm::find(passed, block); it != passed.end())
        old.push_back(after->getArgument(it - passed.begin()));
    SmallVector<Value> handed =
        leaveIteration(loc, carried, op.getYieldOp().getOperands(), old);
    freeBlocks(loc, *after, handed);
    scf::YieldOp::create(builder, loc, handed);
    map.map(op.getResults(), made.getResults());
    return success();
  }

  static constexpr int64_t kShapeMismatch = 4; // HONE_SHAPE_MISMATCH

  ModuleOp module;
  func::FuncOp host;
  OpBuilder builder;
  Block *top = nullptr;
  IRMapping map;
  SizeAnalysis sizes;
  llvm::StringMap<Value> freeDim;
  DenseMap<Attribute, Value> constants;
  DenseMap<const void *, int64_t> weightOffsets; ///< by storage
  DenseMap<Value, unsigned>
      outputOf;          ///< tensors that are computed in the caller's memory
  DenseSet<Value> owned; ///< buffers that an insertion may write to: nothing
                         ///< else shows them
  int64_t weightBytes = 0;
  unsigned slots = 0;
};

struct BufferizeHostPass
    : hone::impl::BufferizeHostPassBase<BufferizeHostPass> {
  using Base::Base;
  void runOnOperation() override {
    auto host = getOperation().lookupSymbol<func::FuncOp>(rt::kEntryName);
    if (!host) {
      getOperation().emitError("has no function @") << rt::kEntryName;
      return signalPassFailure();
    }
    if (failed(Bufferizer(getOperation(), host).run()))
      signalPassFailure();
  }
};

} // namespace

int32_t hone::numberOfNode(ModuleOp module, Location loc) {
  std::string text = rt::describeNode(loc);
  SmallVector<Attribute> nodes;
  if (auto known = module->getAttrOfType<ArrayAttr>(rt::kNodesAttr))
    llvm::append_range(nodes, known);
  auto attr = StringAttr::get(module.getContext(), text);
  auto it = llvm::find(nodes, attr);
  if (it != nodes.end())
    return it - nodes.begin();
  nodes.push_back(attr);
  module->setAttr(rt::kNodesAttr, ArrayAttr::get(module.getContext(), nodes));
  return nodes.size() - 1;
}
