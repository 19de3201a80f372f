// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Rebuilds the host function over buffers, in one sweep. Later passes share
// memory between them.
#include "dialects/Graph/Constants.h"
#include "dialects/Graph/DimBuilder.h"
#include "dialects/Graph/Graph.h"
#include "dialects/Rt/Rt.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/IRMapping.h"
#include "passes/Analysis/ParallelMoves.h"
#include "passes/Analysis/Sizes.h"
#include "passes/Buffer/NodeTable.h"
#include "passes/Buffer/Passes.h"
#include "llvm/ADT/SetVector.h"
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

using Dims = std::optional<SmallVector<Value>>;

class Bufferizer {
public:
  Bufferizer(ModuleOp module, func::FuncOp host)
      : module(module), host(host), builder(module.getContext()),
        nodes(module) {}

  LogicalResult run() {
    auto run = func::FuncOp::create(host.getLoc(), rt::kRunName,
                                    builder.getFunctionType({}, {}));
    top = run.addEntryBlock();
    arithmetic.emplace(run);
    module.insert(host, run);
    builder.setInsertionPointToStart(top);
    if (failed(bufferizeArguments(run)))
      return failure();
    assignOutputs();
    if (failed(bufferizeBlock(host.getBody().front())))
      return failure();
    module->setAttr(rt::kWeightBytesAttr,
                    builder.getI64IntegerAttr(weightBytes));
    nodes.store();
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

  /// Whether two sizes are equal as arithmetic, or ask the same of the same
  /// buffer.
  bool isSameSize(Value a, Value b) {
    auto left = a.getDefiningOp<rt::DimOp>(),
         right = b.getDefiningOp<rt::DimOp>();
    return (left && right && left.getSource() == right.getSource() &&
            left.getAxis() == right.getAxis()) ||
           arithmetic->equal(a, b);
  }

  /// False where one is not known.
  bool areSameSizes(const Dims &a, const Dims &b) {
    return a && b && llvm::equal(*a, *b, [&](Value x, Value y) {
             return isSameSize(x, y);
           });
  }

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
      return makeBlock(loc, type, dims);
    if (auto it = outputOf.find(tensor); it != outputOf.end())
      return rt::OutputOp::create(builder, loc, type, it->second, dims);
    return rt::SlotOp::create(builder, loc, type, slots++, dims);
  }

  Value makeBlock(Location loc, MemRefType type, ValueRange dims) {
    Value block = rt::AllocOp::create(builder, loc, type, dims);
    blocks.insert(block);
    ++blocksMade;
    return block;
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
      return type.isDynamicDim(axis) &&
             isSameSize(dimOf(source, axis, loc), value);
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
    // Written to where it is if nothing sees it but this one execution.
    if (!op.getDest().hasOneUse() || !owned.contains(target) ||
        op.getDest().getParentBlock() != op->getBlock() ||
        viewedTensor(op.getDest()) != op.getDest()) {
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
    recordShown(made.getResult(0), {map.lookup(op.getTrueValue()),
                                    map.lookup(op.getFalseValue())});
    map.map(op.getResult(), made.getResult(0));
    return success();
  }

  LogicalResult bufferize(graph::LibraryOp op) {
    auto call = rt::LibraryOp::create(
        builder, op.getLoc(),
        llvm::map_to_vector(op->getResultTypes(), convertType),
        op.getFunctionAttr(), mapped(op.getOperands()), op.getConfigAttr(),
        nodes.numberOf(op.getLoc()));
    map.map(op.getResults(), call.getResults());
    ++blocksMade;
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
                        nodes.numberOf(op.getLoc()), kShapeMismatch);
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
    if (!op.getElseRegion().empty())
      for (auto [result, a, b] :
           llvm::zip_equal(made.getResults(), made.thenYield().getOperands(),
                           made.elseYield().getOperands()))
        recordShown(result, {a, b});
    map.map(op.getResults(), made.getResults());
    return success();
  }

  /// What a loop carries, and the sizes of it.
  struct CarriedSizes {
    explicit CarriedSizes(Operation *loop) : loop(loop) {}

    Operation *loop;
    DenseMap<Value, unsigned> position; ///< of what an iteration sees of it
    /// The dynamic dimensions, of values outside; nothing where they change.
    SmallVector<Dims> dims;
    DenseMap<Value, Dims> known; ///< of tensors
    int depth = 0;

    bool isInside(Value value) const {
      return loop->isAncestor(value.getParentBlock()->getParentOp());
    }
  };

  /// The dynamic dimensions that a tensor of an iteration has if the carried
  /// ones have those of `carried`; nothing where that is not plain to see.
  Dims dimsInside(Value tensor, CarriedSizes &carried) {
    if (auto position = carried.position.find(tensor);
        position != carried.position.end())
      return carried.dims[position->second];
    constexpr int kMaxDepth = 64;
    if (auto known = carried.known.find(tensor); known != carried.known.end())
      return known->second;
    if (carried.depth == kMaxDepth)
      return std::nullopt;
    ++carried.depth;
    Dims dims = findDimsInside(tensor, carried);
    --carried.depth;
    carried.known[tensor] = dims;
    return dims;
  }

  Dims findDimsInside(Value tensor, CarriedSizes &carried) {
    if (!carried.isInside(tensor))
      return dimsOf(map.lookup(tensor));
    auto all = [&](ValueRange sizes) -> Dims {
      SmallVector<Value> dims;
      for (Value size : sizes)
        if (Value outside = sizeOutside(size, carried))
          dims.push_back(outside);
        else
          return std::nullopt;
      return dims;
    };
    auto type = cast<RankedTensorType>(tensor.getType());
    Operation *op = tensor.getDefiningOp();
    if (!op || type.hasStaticShape())
      return type.hasStaticShape() ? Dims(SmallVector<Value>()) : std::nullopt;
    return llvm::TypeSwitch<Operation *, Dims>(op)
        .Case([&](rt::CallOp call) {
          ValueRange dims = call.getDims();
          for (Value result : call.getResults()) {
            auto shape = cast<RankedTensorType>(result.getType());
            if (result == tensor)
              return all(dims.take_front(shape.getNumDynamicDims()));
            dims = dims.drop_front(shape.getNumDynamicDims());
          }
          return Dims();
        })
        .Case([&](graph::ReshapeOp reshape) { return all(reshape.getDims()); })
        .Case(
            [&](tensor::EmptyOp empty) { return all(empty.getDynamicSizes()); })
        .Case([&](tensor::InsertSliceOp insert) {
          return dimsInside(insert.getDest(), carried);
        })
        .Case([&](scf::IfOp branch) {
          unsigned number = cast<OpResult>(tensor).getResultNumber();
          Dims dims =
              dimsInside(branch.thenYield().getOperand(number), carried);
          return areSameSizes(
                     dims,
                     dimsInside(branch.elseYield().getOperand(number), carried))
                     ? dims
                     : Dims();
        })
        .Default([](Operation *) { return Dims(); });
  }

  /// A size of an iteration as a value outside; null where that is not plain to
  /// see.
  Value sizeOutside(Value size, CarriedSizes &carried) {
    if (!carried.isInside(size))
      return map.lookup(size);
    auto dim = size.getDefiningOp<tensor::DimOp>();
    std::optional<int64_t> axis = dim ? dim.getConstantIndex() : std::nullopt;
    auto type = dim ? dyn_cast<RankedTensorType>(dim.getSource().getType())
                    : RankedTensorType();
    if (!axis || !type || *axis >= type.getRank() || !type.isDynamicDim(*axis))
      return {};
    auto dims = dimsInside(dim.getSource(), carried);
    return dims ? (*dims)[type.getDynamicDimIndex(*axis)] : Value();
  }

  /// Finds the carried tensors whose sizes are the same in all iterations: at
  /// first all are taken for such, and those that prove otherwise fall out
  /// until no more do.
  void findSizes(CarriedSizes &carried, ValueRange inits, ValueRange yielded) {
    for (Value init : inits) {
      Value value = map.lookup(init);
      carried.dims.emplace_back();
      if (isa<MemRefType>(value.getType()))
        carried.dims.back() = dimsOf(value);
    }
    for (bool changed = true; changed;) {
      changed = false;
      carried.known.clear();
      for (auto [dims, value] : llvm::zip_equal(carried.dims, yielded))
        if (dims && !areSameSizes(dims, dimsInside(value, carried))) {
          dims = std::nullopt;
          changed = true;
        }
    }
  }

  /// How a loop carries its tensors. One of unchanging shape lies in a place,
  /// memory that is made before the loop and that the loop only refers to; the
  /// others are blocks, handed from iteration to iteration.
  struct Carried {
    Value mark;               ///< blocks that are older are not the loop's
    SmallVector<Value> place; ///< by position of the tensor; null: handed over
    SmallVector<Value> inits; ///< of the values that are handed over
  };

  Carried enterLoop(Location loc, ValueRange inits, const CarriedSizes &sizes) {
    Carried carried;
    for (auto [init, dims] : llvm::zip_equal(inits, sizes.dims)) {
      Value place;
      if (dims) {
        Value value = map.lookup(init);
        place = makeBuffer(loc, cast<MemRefType>(value.getType()), *dims);
        rt::CopyOp::create(builder, loc, value, place);
      }
      carried.place.push_back(place);
    }
    carried.mark = rt::MarkOp::create(builder, loc);
    for (auto [init, place] : llvm::zip_equal(inits, carried.place)) {
      Value value = map.lookup(init);
      if (!place)
        carried.inits.push_back(
            isa<MemRefType>(value.getType()) ? blockOf(loc, value) : value);
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

  /// Ends an iteration in `body`, which has made blocks if `made` differs from
  /// `blocksMade`. What it yields becomes the carried values all at once; those
  /// to hand over are returned.
  SmallVector<Value> leaveIteration(Location loc, const Carried &carried,
                                    ValueRange yielded, Block &body,
                                    int64_t made) {
    SmallVector<Value> values = mapped(yielded), handed, kept;
    // Blocks first: places still have their old content.
    llvm::SmallPtrSet<Value, 8> given;
    for (auto [place, value] : llvm::zip_equal(carried.place, values)) {
      if (place)
        continue;
      if (isa<MemRefType>(value.getType())) {
        if (!isWholeBlock(value, body) || !given.insert(wholeOf(value)).second)
          value = blockOf(loc, value);
        kept.push_back(wholeOf(value));
      }
      handed.push_back(value);
    }
    assignPlaces(loc, carried.place, values);
    if (blocksMade != made)
      rt::EndIterationOp::create(builder, loc, carried.mark, kept);
    return handed;
  }

  /// Gives the places the values, as if all were copied at once.
  void assignPlaces(Location loc, ArrayRef<Value> places,
                    MutableArrayRef<Value> values) {
    llvm::SmallDenseMap<Value, unsigned> numberOf;
    for (auto [number, place] : llvm::enumerate(places))
      if (place)
        numberOf[place] = number;
    SmallVector<ParallelMove> moves;
    for (auto [number, place] : llvm::enumerate(places)) {
      if (!place || values[number] == place)
        continue;
      ParallelMove &move = moves.emplace_back();
      move.target = number;
      for (Value root : rootsOf(values[number]))
        if (auto read = numberOf.find(root); read != numberOf.end())
          move.reads.push_back(read->second);
    }
    llvm::SmallDenseMap<Value, Value> saved;
    for (MoveStep step : orderParallelMoves(moves)) {
      Value &value = values[moves[step.move].target];
      if (!step.saves) {
        rt::CopyOp::create(builder, loc, value,
                           places[moves[step.move].target]);
        continue;
      }
      Value &copy = saved[value];
      if (!copy)
        copy = copyOf(loc, value);
      value = copy;
    }
  }

  /// A new block with the content of `source`.
  Value blockOf(Location loc, Value source) {
    Value block =
        makeBlock(loc, cast<MemRefType>(source.getType()), dimsOf(source));
    rt::CopyOp::create(builder, loc, source, block);
    return block;
  }

  /// What a buffer shows from its first element on.
  static Value wholeOf(Value buffer) {
    for (auto view = buffer.getDefiningOp<rt::ViewOp>();
         view && !view.getOffset(); view = buffer.getDefiningOp<rt::ViewOp>())
      buffer = view.getSource();
    return buffer;
  }

  /// Whether `buffer` is a block that belongs to an iteration in `body`, from
  /// its beginning on.
  bool isWholeBlock(Value buffer, Block &body) const {
    Value whole = wholeOf(buffer);
    return blocks.contains(whole) && whole.getParentBlock() == &body;
  }

  /// The buffers that `buffer` may show, as far as they lie in one: through
  /// views, and through what control flow passes on.
  SmallVector<Value> rootsOf(Value buffer) const {
    while (auto view = buffer.getDefiningOp<rt::ViewOp>())
      buffer = view.getSource();
    auto known = shows.find(buffer);
    return known == shows.end() ? SmallVector<Value>{buffer} : known->second;
  }

  /// From now on `buffer` may show what one of `sources` shows.
  void recordShown(Value buffer, ValueRange sources) {
    if (!isa<MemRefType>(buffer.getType()))
      return;
    llvm::SmallSetVector<Value, 4> roots;
    for (Value source : sources)
      for (Value root : rootsOf(source))
        roots.insert(root);
    shows[buffer] = SmallVector<Value>(roots.begin(), roots.end());
  }

  /// Each of the values is a block that no other value shows.
  void recordBlocks(ValueRange values) {
    for (Value value : values)
      if (isa<MemRefType>(value.getType()))
        blocks.insert(value);
  }

  LogicalResult bufferize(scf::ForOp op) {
    Location loc = op.getLoc();
    CarriedSizes sizes(op);
    for (auto [number, argument] : llvm::enumerate(op.getRegionIterArgs()))
      sizes.position[argument] = number;
    findSizes(sizes, op.getInitArgs(), op.getYieldedValues());
    Carried carried = enterLoop(loc, op.getInitArgs(), sizes);
    auto loop = scf::ForOp::create(builder, loc, map.lookup(op.getLowerBound()),
                                   map.lookup(op.getUpperBound()),
                                   map.lookup(op.getStep()), carried.inits);
    map.map(op.getInductionVar(), loop.getInductionVar());
    mapCarried(carried, op.getRegionIterArgs(), loop.getRegionIterArgs());
    recordBlocks(loop.getRegionIterArgs());
    recordBlocks(loop.getResults());
    // Nothing else shows these: an insertion may write to them.
    for (BlockArgument argument : op.getRegionIterArgs())
      owned.insert(map.lookup(argument));
    Block &body = *loop.getBody();
    int64_t made = blocksMade;
    {
      OpBuilder::InsertionGuard guard(builder);
      if (!body.empty()) // without carried values the builder made a terminator
        body.getTerminator()->erase();
      builder.setInsertionPointToEnd(&body);
      for (Operation &inner : op.getBody()->without_terminator())
        if (failed(bufferizeOp(&inner)))
          return failure();
      SmallVector<Value> handed = leaveIteration(
          loc, carried, op.getBody()->getTerminator()->getOperands(), body,
          made);
      scf::YieldOp::create(builder, loc, handed);
    }
    if (carried.mark.use_empty())
      carried.mark.getDefiningOp()->erase();
    mapCarried(carried, op.getResults(), loop.getResults());
    return success();
  }

  LogicalResult bufferize(scf::WhileOp op) {
    Location loc = op.getLoc();
    scf::ConditionOp condition = op.getConditionOp();
    CarriedSizes sizes(op);
    for (BlockArgument argument : op.getBeforeArguments())
      sizes.position[argument] = argument.getArgNumber();
    for (auto [argument, value] :
         llvm::zip_equal(op.getAfterArguments(), condition.getArgs()))
      if (sizes.position.contains(value))
        sizes.position.try_emplace(argument, sizes.position.lookup(value));
    findSizes(sizes, op.getInits(), op.getYieldOp().getOperands());
    Carried carried = enterLoop(loc, op.getInits(), sizes);
    // The condition passes values to the iteration and to the loop's results; a
    // place needs no passing.
    auto placeOf = [&](Value value) -> Value {
      auto argument = dyn_cast<BlockArgument>(value);
      return argument && argument.getOwner() == op.getBeforeBody()
                 ? carried.place[argument.getArgNumber()]
                 : Value();
    };
    SmallVector<Type> types;
    for (Value value : condition.getArgs())
      if (!placeOf(value))
        types.push_back(convertType(value.getType()));
    auto loop = scf::WhileOp::create(builder, loc, types, carried.inits);
    OpBuilder::InsertionGuard guard(builder);
    auto handedTypes = llvm::map_to_vector(
        carried.inits, [](Value value) { return value.getType(); });
    Block *before =
        builder.createBlock(&loop.getBefore(), {}, handedTypes,
                            SmallVector<Location>(handedTypes.size(), loc));
    mapCarried(carried, op.getBeforeArguments(), before->getArguments());
    recordBlocks(before->getArguments());
    int64_t made = blocksMade;
    for (Operation &inner : op.getBeforeBody()->without_terminator())
      if (failed(bufferizeOp(&inner)))
        return failure();
    SmallVector<Value> passed;
    for (Value value : condition.getArgs())
      if (!placeOf(value))
        passed.push_back(map.lookup(value));
    scf::ConditionOp::create(builder, loc, map.lookup(condition.getCondition()),
                             passed);

    Block *after = builder.createBlock(
        &loop.getAfter(), {}, types, SmallVector<Location>(types.size(), loc));
    llvm::SmallPtrSet<Value, 8> seen;
    for (auto [value, inside, result] :
         llvm::zip_equal(passed, after->getArguments(), loop.getResults())) {
      if (!isa<MemRefType>(value.getType()))
        continue;
      recordShown(inside, value);
      recordShown(result, value);
      if (isWholeBlock(value, *before) && seen.insert(wholeOf(value)).second)
        recordBlocks({inside, result});
    }
    auto mapPassed = [&](ValueRange from, ValueRange to) {
      for (auto [value, target] : llvm::zip_equal(condition.getArgs(), from)) {
        if (Value place = placeOf(value)) {
          map.map(target, place);
          continue;
        }
        map.map(target, to.front());
        to = to.drop_front();
      }
    };
    mapPassed(op.getAfterArguments(), after->getArguments());
    for (Operation &inner : op.getAfterBody()->without_terminator())
      if (failed(bufferizeOp(&inner)))
        return failure();
    SmallVector<Value> handed = leaveIteration(
        loc, carried, op.getYieldOp().getOperands(), *after, made);
    scf::YieldOp::create(builder, loc, handed);
    if (carried.mark.use_empty())
      carried.mark.getDefiningOp()->erase();
    mapPassed(op.getResults(), loop.getResults());
    return success();
  }

  static constexpr int64_t kShapeMismatch = 4; // HONE_SHAPE_MISMATCH

  ModuleOp module;
  func::FuncOp host;
  OpBuilder builder;
  NodeTable nodes;
  Block *top = nullptr;
  IRMapping map;
  SizeAnalysis sizes;
  std::optional<graph::DimBuilder> arithmetic; ///< of sizes
  llvm::StringMap<Value> freeDim;
  DenseMap<Attribute, Value> constants;
  DenseMap<const void *, int64_t> weightOffsets; ///< by storage
  DenseMap<Value, unsigned>
      outputOf;           ///< tensors that are computed in the caller's memory
  DenseSet<Value> owned;  ///< buffers that an insertion may write to: nothing
                          ///< else shows them
  DenseSet<Value> blocks; ///< that begin a block, each a different one
  DenseMap<Value, SmallVector<Value>>
      shows;              ///< memory behind what control flow passes on
  int64_t blocksMade = 0; ///< operations so far that may make blocks
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
