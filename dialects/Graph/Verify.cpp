// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Verifiers; each check is tagged with the constraint of the operation's
// description that it enforces.
#include "dialects/Graph/Graph.h"

using namespace mlir;
using namespace hone::graph;

static bool differ(int64_t a, int64_t b) {
  return !ShapedType::isDynamic(a) && !ShapedType::isDynamic(b) && a != b;
}

/// One index operand for each `?` of the result.
static LogicalResult verifyDims(Operation *op, ShapedType type,
                                ValueRange dims) {
  if (static_cast<size_t>(type.getNumDynamicDims()) != dims.size())
    return op->emitOpError("has ")
           << dims.size() << " dims for the " << type.getNumDynamicDims()
           << " dynamic dimensions of " << type;
  return success();
}

static LogicalResult verifyAxis(Operation *op, int64_t axis, int64_t rank) {
  if (axis < 0 || axis >= rank)
    return op->emitOpError("axis ")
           << axis << " is out of range for rank " << rank;
  return success();
}

LogicalResult MapOp::verify() {
  if (getNumResults() == 0)
    return emitOpError("has no result");
  auto shape = cast<RankedTensorType>(getResult(0).getType());
  for (Type type : getResultTypes())
    if (cast<RankedTensorType>(type).getShape() != shape.getShape()) // C1
      return emitOpError("results have different shapes");
  if (failed(verifyDims(*this, shape, getDims())))
    return failure();
  for (auto [i, input] : llvm::enumerate(getInputs())) {
    auto type = cast<RankedTensorType>(input.getType());
    int64_t offset = shape.getRank() - type.getRank();
    if (offset < 0) // C2
      return emitOpError("input ") << i << " has a higher rank than the result";
    for (int64_t d = 0; d < type.getRank(); ++d)
      if (type.getDimSize(d) != 1 &&
          differ(type.getDimSize(d), shape.getDimSize(d + offset))) // C2
        return emitOpError("dimension ")
               << d << " of input " << i
               << " is neither 1 nor that of the result";
  }
  Block &block = getBody().front();
  if (block.getNumArguments() != getInputs().size()) // C3
    return emitOpError("region has ")
           << block.getNumArguments() << " arguments for " << getInputs().size()
           << " inputs";
  for (auto [argument, input] : llvm::zip(block.getArguments(), getInputs()))
    if (argument.getType() !=
        cast<RankedTensorType>(input.getType()).getElementType()) // C3
      return emitOpError("region argument ")
             << argument.getArgNumber()
             << " is not of the element type of its input";
  for (IndexOp index : block.getOps<IndexOp>())
    if (static_cast<int64_t>(index.getAxis()) >= shape.getRank()) // C5
      return emitOpError("region asks for coordinate ")
             << index.getAxis() << " of a result of rank " << shape.getRank();
  auto yield = dyn_cast<YieldOp>(block.getTerminator());
  if (!yield || yield.getValues().size() != getNumResults()) // C4
    return emitOpError("region must yield one value per result");
  for (auto [value, result] : llvm::zip(yield.getValues(), getResults()))
    if (value.getType() !=
        cast<RankedTensorType>(result.getType()).getElementType()) // C4
      return emitOpError("region yields ")
             << value.getType() << " for " << result.getType();
  return success();
}

LogicalResult LookupOp::verify() {
  if (getTable().size() != 256) // C1
    return emitOpError("has a table of ")
           << getTable().size() << " elements; it has 256";
  return success();
}

LogicalResult ReduceOp::verify() {
  RankedTensorType input = getInput().getType(), result = getResult().getType();
  int64_t previous = -1;
  for (int64_t axis : getAxes()) {
    if (axis <= previous || axis >= input.getRank()) // C1
      return emitOpError("axes must be ascending and inside rank ")
             << input.getRank();
    previous = axis;
  }
  SmallVector<int64_t> expected;
  for (auto [i, size] : llvm::enumerate(input.getShape())) {
    if (!llvm::is_contained(getAxes(), static_cast<int64_t>(i)))
      expected.push_back(size);
    else if (getKeepdims())
      expected.push_back(1);
  }
  if (failed(verifyCompatibleShape(expected, result.getShape()))) // C2
    return emitOpError(
        "result shape does not follow from the input and the axes");
  return success();
}

LogicalResult ArgReduceOp::verify() {
  if (llvm::is_contained({ReduceKind::Sum, ReduceKind::Prod}, getKind()))
    return emitOpError("kind must be max, min, umax or umin");
  return verifyAxis(*this, getAxis(), getInput().getType().getRank()); // C1
}

LogicalResult CumulateOp::verify() {
  if (!llvm::is_contained({ReduceKind::Sum, ReduceKind::Prod}, getKind()))
    return emitOpError("kind must be sum or prod");
  return verifyAxis(*this, getAxis(), getInput().getType().getRank());
}

LogicalResult TopKOp::verify() {
  if (getValues().getType().getShape() !=
      getIndices().getType().getShape()) // C2
    return emitOpError("values and indices have different shapes");
  if (failed(
          verifyAxis(*this, getAxis(), getInput().getType().getRank()))) // C1
    return failure();
  return verifyDims(*this, getValues().getType(), getDims());
}

/// Whether a packed operand has `outer` dimensions before those of a step.
static bool hasPackedShape(ShapedType type, PackedAttr packed, int64_t outer) {
  SmallVector<int64_t> step;
  packed.appendStep(step);
  return packed.isFor(type.getElementType()) &&
         type.getRank() == outer + packed.stepRank() &&
         type.getShape().take_back(packed.stepRank()) == ArrayRef(step);
}

static int64_t timesOrDynamic(int64_t size, int64_t factor) {
  return ShapedType::isDynamic(size) ? size : size * factor;
}

LogicalResult DequantizeOp::verify() {
  auto isMatrix = [](Value value) {
    auto type = cast<ShapedType>(value.getType());
    return type.hasStaticShape() && type.getRank() == 2;
  };
  auto isParameter = [](Value value) {
    return isa<Float32Type, Float16Type, BFloat16Type>(
        getElementTypeOrSelf(value));
  };
  if (!llvm::all_of(getOperands(), isMatrix) || !isMatrix(getResult()) ||
      !getCodes().getType().getElementType().isInteger(8) ||
      !isParameter(getScales()) || !getType().getElementType().isF32() ||
      (getZeros() && !isParameter(getZeros()) &&
       !getZeros().getType().getElementType().isInteger(8))) // C1
    return emitOpError("needs matrices of bytes, and of f32, f16 or bf16");
  int64_t bits = getBits(), block = getBlock();
  if (!llvm::is_contained({2, 4, 8}, bits) ||
      (bits != 8 && !getIsUnsigned())) // C2
    return emitOpError("needs codes of 2, 4 or 8 bits, unsigned below 8");
  if (getTable() && (getTable()->size() != kCodeTableSize || bits != 4 ||
                     getZero() != 0 || getZeros() || getBytes())) // C4
    return emitOpError("needs codes of 4 bits, without zero points or products "
                       "of bytes, for a table of 16 elements");
  if (getAxis() > 1 || block < 1) // C3
    return emitOpError("needs blocks of rows or columns");
  SmallVector<int64_t> shape(getType().getShape()), blocks = shape;
  blocks[getAxis()] = llvm::divideCeil(blocks[getAxis()], block);
  auto hasShape = [&](Value value, bool isCodes, ArrayRef<int64_t> expected) {
    ArrayRef<int64_t> own = cast<ShapedType>(value.getType()).getShape();
    int64_t columns =
        isCodes ? llvm::divideCeil(expected[1], 8 / bits) : expected[1];
    // A file may have all of the last block.
    return own[0] == expected[0] && own[1] >= columns;
  };
  Value zeros = getZeros();
  if (!hasShape(getCodes(), true, shape) ||
      !hasShape(getScales(), false, blocks) ||
      (zeros && !hasShape(zeros, getElementTypeOrSelf(zeros).isInteger(8),
                          blocks))) // C3
    return emitOpError("operands do not have the sizes of the result");
  return success();
}

LogicalResult MatmulOp::verify() {
  RankedTensorType lhs = getLhs().getType(), rhs = getRhs().getType(),
                   result = getResult().getType();
  if (lhs.getRank() < 2 || rhs.getRank() < 2 || result.getRank() < 2) // C1
    return emitOpError("operands must have at least two dimensions");
  Type lhsElement = lhs.getElementType(), rhsElement = rhs.getElementType();
  bool isMixed =
      lhsElement.isF32() && (rhsElement.isBF16() || rhsElement.isF16());
  std::optional<QuantizedAttr> quantized = getQuantized();
  if (quantized ? !lhsElement.isF32() || !result.getElementType().isF32()
                : lhsElement != rhsElement && !isMixed) // C2
    return emitOpError("operands have different element types");
  int64_t inner = lhs.getDimSize(lhs.getRank() - 1);
  int64_t rank = result.getRank(), columns = result.getDimSize(rank - 1);
  int64_t rhsInner, rhsColumns;
  std::optional<PackedAttr> packed = getPacked();
  if (quantized &&
      !quantized->isLayoutOf(rhs, getPackedAttr(), inner, columns)) // C5
    return emitOpError("words do not have the layout of the quantized operand");
  if (packed) {
    if (getTransposeRhs() ||
        (!quantized && !hasPackedShape(rhs, *packed, /*outer=*/2))) // C1
      return emitOpError("panels must be of shape [ceil(N/nr), ceil(K/kr), nr, "
                         "kr]");
    if (packed->isOrdered() &&
        (!PackedAttr::canOrder(inner, lhs.getElementType(),
                               result.getElementType()) ||
         rhs.getDimSize(1) != packed->steps(inner))) // C1
      return emitOpError("ordered panels are of bytes and whole blocks of K");
    rhsInner = quantized || packed->isOrdered()
                   ? inner
                   : timesOrDynamic(rhs.getDimSize(1), packed->getKr());
    rhsColumns = rhs.getDimSize(0);
    if (!ShapedType::isDynamic(columns))
      columns = packed->panels(columns);
    else
      rhsColumns = ShapedType::kDynamic;
  } else {
    rhsInner = rhs.getDimSize(rhs.getRank() - (getTransposeRhs() ? 1 : 2));
    rhsColumns = rhs.getDimSize(rhs.getRank() - (getTransposeRhs() ? 2 : 1));
  }
  if (differ(inner, rhsInner)) // C1
    return emitOpError("inner dimensions ")
           << inner << " and " << rhsInner << " differ";
  if (differ(lhs.getDimSize(lhs.getRank() - 2), result.getDimSize(rank - 2)) ||
      differ(rhsColumns, columns)) // C3
    return emitOpError("result must have the rows of the left and the columns "
                       "of the right operand");
  for (RankedTensorType operand : {lhs, rhs}) {
    if (packed && operand == rhs)
      break;
    if (operand.getRank() > rank) // C4
      return emitOpError("result has a lower rank than an operand");
    for (int64_t i = 3; i <= operand.getRank(); ++i) {
      int64_t size = operand.getDimSize(operand.getRank() - i);
      if (size != 1 && differ(size, result.getDimSize(rank - i))) // C4
        return emitOpError("batch dimensions do not broadcast to the result");
    }
  }
  return verifyDims(*this, result, getDims());
}

/// Whether each of the leading `count` sizes, aligned from the right, is 1 or
/// that of `shape`.
static bool broadcastsTo(ArrayRef<int64_t> sizes, ArrayRef<int64_t> shape,
                         size_t count) {
  if (sizes.size() > shape.size())
    return false;
  ArrayRef<int64_t> aligned = shape.take_back(sizes.size());
  for (size_t i = 0; i < count; ++i)
    if (sizes[i] != 1 && differ(sizes[i], aligned[i]))
      return false;
  return true;
}

LogicalResult AttentionOp::verify() {
  RankedTensorType result = getResult().getType();
  int64_t rank = result.getRank();
  struct Operand {
    RankedTensorType type;
    bool byRow;
    SmallVector<int64_t> shape;
  };
  Operand operands[] = {{getQuery().getType(), getQueryByRow(), {}},
                        {getKey().getType(), getKeyByRow(), {}},
                        {getValue().getType(), getValueByRow(), {}},
                        {result, getResultByRow(), {}}};
  for (Operand &operand : operands) {
    if (rank < (operand.byRow ? 3 : 2) || operand.type.getRank() != rank) // C1
      return emitOpError("operands must have the rank of the result");
    Type element = operand.type.getElementType();
    Type expected = getQuery().getType().getElementType();
    // The result of f32 operands may be stored in bf16.
    bool narrowed = &operand == std::prev(std::end(operands)) &&
                    expected.isF32() && element.isBF16();
    if ((element != expected && !narrowed) ||
        !(element.isF32() || element.isF16() || element.isBF16())) // C1
      return emitOpError("operands and result must be all f32, f16 or bf16, "
                         "or the result of f32 bf16");
    operand.shape = headMajor(operand.type.getShape(), operand.byRow);
  }
  auto &[query, key, value, out] = operands;
  for (const Operand &operand : operands)
    if (!broadcastsTo(operand.shape, out.shape, rank - 2)) // C1
      return emitOpError("batch dimensions do not broadcast to the result");
  if (differ(query.shape[rank - 2], out.shape[rank - 2]) ||
      differ(query.shape[rank - 1], key.shape[rank - 1]) ||
      differ(key.shape[rank - 2], value.shape[rank - 2]) ||
      differ(value.shape[rank - 1], out.shape[rank - 1])) // C1
    return emitOpError("sizes of query, key, value and result do not agree");
  SmallVector<int64_t> scores = out.shape;
  scores.back() = key.shape[rank - 2];
  for (auto [i, extra] : llvm::enumerate(getExtras())) {
    ArrayRef<int64_t> shape =
        cast<RankedTensorType>(extra.getType()).getShape();
    if (!broadcastsTo(shape, scores, shape.size())) // C2
      return emitOpError("extra operand ")
             << i << " does not broadcast to the scores";
  }
  Block &block = getScores().front();
  SmallVector<Type> expected{Float32Type::get(getContext())};
  expected.append(2, IndexType::get(getContext()));
  for (Value extra : getExtras())
    expected.push_back(getElementTypeOrSelf(extra));
  if (block.getArgumentTypes() != TypeRange(expected)) // C3
    return emitOpError("region must take f32, index, index and an element of "
                       "each extra operand");
  auto yield = dyn_cast<YieldOp>(block.getTerminator());
  if (!yield || yield.getValues().getTypes() !=
                    TypeRange(ArrayRef(expected).take_front())) // C3
    return emitOpError("region must yield one f32");
  return verifyDims(*this, result, getDims());
}

/// Window attributes shared by convolutions and pooling.
static LogicalResult verifyWindow(Operation *op, int64_t rank,
                                  ArrayRef<int64_t> strides,
                                  ArrayRef<int64_t> dilations,
                                  ArrayRef<int64_t> pads) {
  int64_t spatial = rank - 2;
  if (spatial < 1)
    return op->emitOpError("input must have at least one spatial dimension");
  if (static_cast<int64_t>(strides.size()) != spatial ||
      static_cast<int64_t>(dilations.size()) != spatial ||
      static_cast<int64_t>(pads.size()) != 2 * spatial) // C1
    return op->emitOpError("needs ") << spatial << " strides and dilations and "
                                     << 2 * spatial << " pads";
  auto notPositive = [](int64_t value) { return value <= 0; };
  if (llvm::any_of(strides, notPositive) ||
      llvm::any_of(dilations, notPositive)) // C1
    return op->emitOpError("strides and dilations must be positive");
  return success();
}

/// Shape of a packed filter; dynamic if channels are unknown.
static SmallVector<int64_t> packedFilterShape(ConvOp op, int64_t channels,
                                              int64_t outputs) {
  SmallVector<int64_t> shape;
  int64_t group = op.getGroup();
  std::optional<PackedAttr> packed = op.getPacked();
  if (packed)
    shape.push_back(ShapedType::isDynamic(outputs)
                        ? ShapedType::kDynamic
                        : group * packed->panels(outputs / group));
  if (packed && packed->isOrdered()) {
    int64_t taps = ShapedType::getNumElements(op.getKernel());
    shape.push_back(packed->steps(taps * channels));
    packed->appendStep(shape);
    return shape;
  }
  llvm::append_range(shape, op.getKernel());
  if (!packed) {
    shape.push_back(outputs);
    return shape;
  }
  shape.push_back(ShapedType::isDynamic(channels)
                      ? ShapedType::kDynamic
                      : packed->steps(channels / group));
  packed->appendStep(shape);
  return shape;
}

LogicalResult ConvOp::verify() {
  RankedTensorType input = getInput().getType(), filter = getFilter().getType(),
                   result = getResult().getType();
  if (failed(verifyWindow(*this, input.getRank(), getStrides(), getDilations(),
                          getPads())))
    return failure();
  int64_t rank = input.getRank(), spatial = rank - 2, group = getGroup();
  if (static_cast<int64_t>(getKernel().size()) != spatial) // C1
    return emitOpError("needs one kernel size per spatial dimension");
  if (result.getRank() != rank)
    return emitOpError("result must have the rank of the input");
  std::optional<PackedAttr> packed = getPacked();
  if ((packed || getDepthwise()) && !getChannelsLast()) // C4
    return emitOpError("a packed filter needs channels_last");
  if (packed && !packed->isFor(filter.getElementType())) // C5
    return emitOpError("has steps of ")
           << packed->getKr() << " elements, which are not for its type";
  if (packed && getDepthwise()) // C5
    return emitOpError("a filter is packed or depthwise, not both");
  if (getFill() &&
      !(getDepthwise() &&
        isByteProduct(input.getElementType(), result.getElementType()))) // C7
    return emitOpError("only the padding of depthwise bytes reads as `fill`");
  int64_t channelDim = getChannelsLast() ? rank - 1 : 1;
  int64_t channels = input.getDimSize(channelDim),
          outputs = result.getDimSize(channelDim);
  if (group < 1 || (!ShapedType::isDynamic(channels) && channels % group) ||
      (!ShapedType::isDynamic(outputs) && outputs % group)) // C2
    return emitOpError("channels must be multiples of the group count ")
           << group;
  if (packed && !packed->divides(channels, group)) // C6
    return emitOpError("channels of a group are no multiple of kr");
  if (packed && packed->isOrdered() &&
      (group != 1 || spatial > 2 ||
       !PackedAttr::canOrder(channels, input.getElementType(),
                             result.getElementType()))) // C6
    return emitOpError("ordered panels are of bytes, whole blocks of the "
                       "channels of one group, and at most two dimensions");
  if (!packed && !getDepthwise()) {
    if (filter.getRank() != rank || differ(filter.getDimSize(0), outputs) ||
        (!ShapedType::isDynamic(channels) &&
         differ(filter.getDimSize(1), channels / group))) // C2
      return emitOpError(
          "filter does not agree with the channels of input and result");
    for (int64_t i = 0; i < spatial; ++i)
      if (differ(filter.getDimSize(i + 2), getKernel()[i])) // C5
        return emitOpError("filter does not have the sizes of the kernel");
  } else if (failed(verifyCompatibleShape(
                 packedFilterShape(*this, channels, outputs),
                 filter.getShape()))) { // C5
    return emitOpError("packed filter has the wrong shape");
  }
  for (int64_t i = 0; i < spatial; ++i) {
    int64_t d = getChannelsLast() ? i + 1 : i + 2, size = input.getDimSize(d);
    if (ShapedType::isDynamic(size))
      continue;
    int64_t span = (getKernel()[i] - 1) * getDilations()[i] + 1,
            padded = size + getPads()[i] + getPads()[i + spatial];
    int64_t expected =
        padded < span ? 0 : (padded - span) / getStrides()[i] + 1;
    if (differ(expected, result.getDimSize(d))) // C3
      return emitOpError("spatial dimension ")
             << i << " of the result must be " << expected;
  }
  return verifyDims(*this, result, getDims());
}

LogicalResult ConvTransposeOp::verify() {
  RankedTensorType input = getInput().getType(), filter = getFilter().getType();
  if (failed(verifyWindow(*this, input.getRank(), getStrides(), getDilations(),
                          getPads())))
    return failure();
  int64_t channels = input.getDimSize(1);
  if (getGroup() < 1 || filter.getRank() != input.getRank() ||
      differ(filter.getDimSize(0), channels) ||
      (!ShapedType::isDynamic(channels) &&
       channels % static_cast<int64_t>(getGroup()))) // C2
    return emitOpError("filter does not agree with the channels of the input");
  return verifyDims(*this, getResult().getType(), getDims());
}

LogicalResult PoolOp::verify() {
  RankedTensorType input = getInput().getType();
  if (failed(verifyWindow(*this, input.getRank(), getStrides(), getDilations(),
                          getPads())))
    return failure();
  if (static_cast<int64_t>(getKernel().size()) != input.getRank() - 2) // C1
    return emitOpError("needs one kernel size per spatial dimension");
  return verifyDims(*this, getResult().getType(), getDims());
}

LogicalResult ReshapeOp::verify() {
  RankedTensorType input = getInput().getType(), result = getResult().getType();
  if (input.hasStaticShape() && result.hasStaticShape() &&
      input.getNumElements() != result.getNumElements()) // C1
    return emitOpError("changes the number of elements from ")
           << input.getNumElements() << " to " << result.getNumElements();
  return verifyDims(*this, result, getDims());
}

LogicalResult TransposeOp::verify() {
  RankedTensorType input = getInput().getType(), result = getResult().getType();
  SmallVector<bool> seen(input.getRank());
  if (static_cast<int64_t>(getPermutation().size()) != input.getRank() ||
      result.getRank() != input.getRank()) // C1
    return emitOpError("permutation must have one entry per dimension");
  for (auto [i, from] : llvm::enumerate(getPermutation())) {
    if (from < 0 || from >= input.getRank() || seen[from]) // C1
      return emitOpError("permutation must hold each dimension once");
    seen[from] = true;
    if (input.getDimSize(from) != result.getDimSize(i)) // C2
      return emitOpError("dimension ")
             << i << " of the result must be dimension " << from
             << " of the input";
  }
  return success();
}

LogicalResult SliceOp::verify() {
  RankedTensorType input = getInput().getType(), result = getResult().getType();
  size_t rank = input.getRank();
  if (getStaticOffsets().size() != rank || getSteps().size() != rank ||
      static_cast<size_t>(result.getRank()) != rank) // C1
    return emitOpError("needs one offset and one step per dimension");
  if (static_cast<size_t>(llvm::count_if(
          getStaticOffsets(), ShapedType::isDynamic)) != getOffsets().size())
    return emitOpError("needs one offset operand per dynamic offset");
  for (size_t i = 0; i < rank; ++i) {
    int64_t step = getSteps()[i], offset = getStaticOffsets()[i],
            size = result.getDimSize(i), limit = input.getDimSize(i);
    if (step == 0) // C1
      return emitOpError("step of dimension ") << i << " is 0";
    if (ShapedType::isDynamic(offset) || ShapedType::isDynamic(size) ||
        ShapedType::isDynamic(limit) || size == 0)
      continue;
    int64_t last = offset + (size - 1) * step;
    if (offset < 0 || offset >= limit || last < 0 || last >= limit) // C2
      return emitOpError("leaves the input in dimension ") << i;
  }
  return verifyDims(*this, result, getDims());
}

LogicalResult ConcatOp::verify() {
  RankedTensorType result = getResult().getType();
  int64_t axis = getAxis(), sum = 0;
  if (getInputs().empty())
    return emitOpError("has no operand");
  if (failed(verifyAxis(*this, axis, result.getRank()))) // C1
    return failure();
  for (Value input : getInputs()) {
    auto type = cast<RankedTensorType>(input.getType());
    if (type.getRank() != result.getRank() ||
        type.getElementType() != result.getElementType()) // C1
      return emitOpError(
          "operands must have the rank and element type of the result");
    for (int64_t i = 0; i < type.getRank(); ++i)
      if (i != axis && differ(type.getDimSize(i), result.getDimSize(i))) // C2
        return emitOpError("operands differ from the result in dimension ")
               << i;
    int64_t size = type.getDimSize(axis);
    sum = ShapedType::isDynamic(size) || ShapedType::isDynamic(sum)
              ? ShapedType::kDynamic
              : sum + size;
  }
  if (differ(sum, result.getDimSize(axis))) // C2
    return emitOpError("sizes along the axis add up to ")
           << sum << ", not " << result.getDimSize(axis);
  return verifyDims(*this, result, getDims());
}

LogicalResult PadOp::verify() {
  RankedTensorType input = getInput().getType(), result = getResult().getType();
  size_t rank = input.getRank();
  if (getLow().size() != rank || getHigh().size() != rank ||
      static_cast<size_t>(result.getRank()) != rank) // C1
    return emitOpError("needs one low and one high size per dimension");
  if (getValue().getType() != input.getElementType()) // C2
    return emitOpError("value is not of the element type");
  for (size_t i = 0; i < rank; ++i)
    if (!input.isDynamicDim(i) &&
        differ(input.getDimSize(i) + getLow()[i] + getHigh()[i],
               result.getDimSize(i)))
      return emitOpError("dimension ")
             << i << " of the result does not follow from the sizes";
  return success();
}

LogicalResult GatherOp::verify() {
  RankedTensorType input = getInput().getType(),
                   indices = getIndices().getType(),
                   result = getResult().getType();
  if (failed(verifyAxis(*this, getAxis(), input.getRank()))) // C1
    return failure();
  if (result.getRank() != input.getRank() + indices.getRank() - 1)
    return emitOpError( // C2
        "result rank must be that of input and indices together, less one");
  SmallVector<int64_t> expected(input.getShape().take_front(getAxis()));
  llvm::append_range(expected, indices.getShape());
  llvm::append_range(expected, input.getShape().drop_front(getAxis() + 1));
  if (failed(verifyCompatibleShape(expected, result.getShape()))) // C2
    return emitOpError("result shape does not follow from the operands");
  return success();
}

LogicalResult ScatterOp::verify() {
  RankedTensorType input = getInput().getType(),
                   indices = getIndices().getType(),
                   updates = getUpdates().getType();
  if (std::optional<uint64_t> axis = getAxis()) {
    if (indices.getRank() != input.getRank() ||
        updates.getRank() != input.getRank())
      return emitOpError("input, indices and updates must have one rank");
    return verifyAxis(*this, *axis, input.getRank());
  }
  if (indices.getRank() < 1)
    return emitOpError("indices must have at least one dimension");
  int64_t depth = indices.getDimSize(indices.getRank() - 1);
  if (!ShapedType::isDynamic(depth) &&
      (depth > input.getRank() ||
       updates.getRank() != indices.getRank() - 1 + input.getRank() - depth))
    return emitOpError("updates must have the leading dimensions of the "
                       "indices and the trailing ones of the input");
  return success();
}
