// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Operations of the host function that have no regions.
#include "dialects/Graph/Constants.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "passes/Buffer/Host/HostBufferizer.h"

using namespace mlir;
using namespace hone;

static constexpr int64_t kWeightAlignment = 64;
static constexpr int64_t kShapeMismatch = 4; // HONE_SHAPE_MISMATCH

LogicalResult HostBufferizer::bufferize(rt::CallOp op) {
  SmallVector<Value> outputs, dims = mapped(op.getDims());
  ValueRange rest = dims;
  for (Value result : op.getResults()) {
    MemRefType type = bufferType(result.getType());
    outputs.push_back(makeBuffer(
        op.getLoc(), type, rest.take_front(type.getNumDynamicDims()), result));
    rest = rest.drop_front(type.getNumDynamicDims());
  }
  rt::DispatchOp::create(builder, op.getLoc(), op.getKernelAttr(),
                         mapped(op.getInputs()), outputs, mapped(op.getArgs()));
  map.map(op.getResults(), outputs);
  return success();
}

std::optional<int64_t> HostBufferizer::placeWeight(ElementsAttr value) {
  MemRefType type = bufferType(value.getType());
  std::optional<int64_t> bytes = staticBytes(type);
  if (!bytes)
    return std::nullopt;
  // Constants that share storage under several types have one offset.
  const void *storage = graph::constantStorage(value);
  auto [place, isNew] = weightOffsets.try_emplace(
      storage ? storage : value.getAsOpaquePointer(), weightBytes);
  if (isNew && !isa<graph::StringType>(type.getElementType()))
    weightBytes = llvm::alignTo(weightBytes + *bytes, kWeightAlignment);
  return place->second;
}

LogicalResult HostBufferizer::bufferize(graph::ConstantOp op) {
  Value &buffer = constants[op.getValue()];
  if (!buffer) {
    std::optional<int64_t> place = placeWeight(op.getValue());
    if (!place)
      return op.emitError("is larger than memory");
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(top);
    buffer = rt::ConstantOp::create(
        builder, op.getLoc(), bufferType(op.getType()), *place, op.getValue());
  }
  map.map(op.getResult(), buffer);
  return success();
}

LogicalResult HostBufferizer::bufferize(graph::DimOp op) {
  Value size = freeDim.lookup(op.getName());
  if (!size)
    return op.emitError("names a dimension that no input has");
  map.map(op.getResult(), size);
  return success();
}

LogicalResult HostBufferizer::bufferize(graph::ReshapeOp op) {
  map.map(op.getResult(), view(op.getLoc(), map.lookup(op.getInput()),
                               bufferType(op.getType()), mapped(op.getDims())));
  return success();
}

LogicalResult HostBufferizer::bufferize(tensor::CastOp op) {
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

LogicalResult HostBufferizer::bufferize(tensor::DimOp op) {
  std::optional<int64_t> axis = op.getConstantIndex();
  if (!axis)
    return op.emitError("asks for a dimension that is not constant");
  map.map(op.getResult(),
          dimOf(map.lookup(op.getSource()), *axis, op.getLoc()));
  return success();
}

LogicalResult HostBufferizer::bufferize(tensor::ExtractOp op) {
  map.map(op.getResult(), rt::LoadOp::create(builder, op.getLoc(), op.getType(),
                                             map.lookup(op.getTensor()),
                                             mapped(op.getIndices()))
                              .getResult());
  return success();
}

LogicalResult HostBufferizer::bufferize(tensor::FromElementsOp op) {
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

LogicalResult HostBufferizer::bufferize(tensor::EmptyOp op) {
  Value buffer = makeBuffer(op.getLoc(), bufferType(op.getType()),
                            mapped(op.getDynamicSizes()));
  owned.insert(buffer);
  map.map(op.getResult(), buffer);
  return success();
}

FailureOr<Value> HostBufferizer::sliceOffset(OffsetSizeAndStrideOpInterface op,
                                             Value source) {
  Location loc = op.getLoc();
  auto type = cast<MemRefType>(source.getType());
  if (!llvm::all_of(op.getMixedStrides(), [](OpFoldResult stride) {
        return isConstantIntValue(stride, 1);
      }))
    return op.emitError("takes a slice with strides");
  auto isWhole = [&](int64_t axis) {
    std::optional<int64_t> size = getConstantIntValue(op.getMixedSizes()[axis]);
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

LogicalResult HostBufferizer::bufferize(tensor::ExtractSliceOp op) {
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

LogicalResult HostBufferizer::bufferize(tensor::InsertSliceOp op) {
  Value target = map.lookup(op.getDest()), source = map.lookup(op.getSource());
  // Can be written in place if nothing sees it except this execution.
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

LogicalResult HostBufferizer::bufferize(arith::SelectOp op) {
  if (!isa<RankedTensorType>(op.getType())) {
    builder.clone(*op, map);
    return success();
  }
  auto made = scf::IfOp::create(builder, op.getLoc(), convertType(op.getType()),
                                map.lookup(op.getCondition()), true);
  OpBuilder then = made.getThenBodyBuilder(),
            otherwise = made.getElseBodyBuilder();
  scf::YieldOp::create(then, op.getLoc(), map.lookup(op.getTrueValue()));
  scf::YieldOp::create(otherwise, op.getLoc(), map.lookup(op.getFalseValue()));
  recordShown(made.getResult(0),
              {map.lookup(op.getTrueValue()), map.lookup(op.getFalseValue())});
  map.map(op.getResult(), made.getResult(0));
  return success();
}

LogicalResult HostBufferizer::bufferize(graph::LibraryOp op) {
  auto call = rt::LibraryOp::create(
      builder, op.getLoc(),
      llvm::map_to_vector(op->getResultTypes(), convertType),
      op.getFunctionAttr(), mapped(op.getOperands()), op.getConfigAttr(),
      nodes.numberOf(op.getLoc()));
  map.map(op.getResults(), call.getResults());
  ++blocksMade;
  return success();
}

LogicalResult HostBufferizer::bufferize(UnrealizedConversionCastOp op) {
  auto isHandle = [](Type type) {
    return isa<graph::SequenceType, graph::OptionalType>(type);
  };
  if (op.getNumOperands() != 1 || op.getNumResults() != 1 ||
      !isHandle(op.getOperand(0).getType()) || !isHandle(op.getType(0)))
    return op.emitError("cannot be run by the host function");
  map.map(op.getResult(0),
          UnrealizedConversionCastOp::create(
              builder, op.getLoc(), op.getType(0), map.lookup(op.getOperand(0)))
              .getResult(0));
  return success();
}

LogicalResult HostBufferizer::bufferize(cf::AssertOp op) {
  rt::CheckOp::create(builder, op.getLoc(), map.lookup(op.getArg()),
                      nodes.numberOf(op.getLoc()), kShapeMismatch);
  return success();
}
