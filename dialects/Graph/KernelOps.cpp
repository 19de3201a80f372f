// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Verifiers and effects of kernel operations.
#include "dialects/Graph/KernelOps.h"

using namespace mlir;
using namespace hone::graph;

Type hone::graph::getAccumulatorType(Type type) {
  if (type.isF16() || type.isBF16())
    return Float32Type::get(type.getContext());
  return type;
}

/// Memrefs that are read or written; tensors have no effects.
static void addBufferEffects(
    DestinationStyleOpInterface op,
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<MemRefType>(operand.get().getType()))
      continue;
    if (op.isDpsInit(&operand))
      effects.emplace_back(MemoryEffects::Write::get(), &operand,
                           SideEffects::DefaultResource::get());
    else
      effects.emplace_back(MemoryEffects::Read::get(), &operand,
                           SideEffects::DefaultResource::get());
  }
}

/// Region arguments and maps fit the operands; the maps are over `rank`
/// dimensions.
static LogicalResult verifyExtras(KernelOpInterface op, int64_t rank) {
  Block &body = op.getEpilogue().front();
  unsigned leading = op.getNumAccumulators();
  if (body.getNumArguments() != leading + op.getExtras().size())
    return op.emitOpError("has ")
           << body.getNumArguments() << " region arguments for " << leading
           << " accumulators and " << op.getExtras().size()
           << " extra operands";
  if (op.getMaps().size() != op.getExtras().size())
    return op.emitOpError("has ") << op.getMaps().size() << " maps for "
                                  << op.getExtras().size() << " extra operands";
  for (auto [i, extra] : llvm::enumerate(op.getExtras())) {
    auto type = cast<ShapedType>(extra.getType());
    if (body.getArgument(leading + i).getType() != type.getElementType())
      return op.emitOpError("region argument ")
             << leading + i << " is not of the element type of its operand";
    AffineMap map = op.getExtraMap(i);
    if (map.getNumDims() != rank || map.getNumSymbols() ||
        map.getNumResults() != type.getRank())
      return op.emitOpError("map ") << i << " does not fit operand and output";
    for (AffineExpr expr : map.getResults())
      if (!isa<AffineDimExpr>(expr) &&
          expr != getAffineConstantExpr(0, op.getContext()))
        return op.emitOpError("map ")
               << i << " has a result that is neither a dimension nor 0";
  }
  if (!isa<KernelYieldOp>(body.getTerminator()))
    return op.emitOpError("region does not end in hone.kernel.yield");
  return success();
}

/// The constraint that kernel operations with an epilogue on their results
/// share: region, maps and destinations fit the operands.
static LogicalResult verifyEpilogue(KernelOpInterface op) {
  if (op.getOuts().empty())
    return op.emitOpError("has no destination");
  auto outType = cast<ShapedType>(op.getOuts().front().getType());
  for (Value out : op.getOuts())
    if (failed(verifyCompatibleShape(cast<ShapedType>(out.getType()), outType)))
      return op.emitOpError("has destinations of different shapes");
  if (failed(verifyExtras(op, outType.getRank())))
    return failure();
  auto yield = cast<KernelYieldOp>(op.getEpilogue().front().getTerminator());
  if (yield.getValues().size() != op.getOuts().size())
    return op.emitOpError("yields ")
           << yield.getValues().size() << " values for " << op.getOuts().size()
           << " destinations";
  for (auto [value, out] : llvm::zip_equal(yield.getValues(), op.getOuts()))
    if (value.getType() != cast<ShapedType>(out.getType()).getElementType())
      return op.emitOpError(
          "yields a value that is not of the element type of its destination");
  return success();
}

/// The constraint on attributes that convolution and pooling share.
template <typename OpTy> static LogicalResult verifyWindow(OpTy op) {
  auto type = cast<ShapedType>(op.getInput().getType());
  size_t spatial = type.getRank() - 2;
  if (type.getRank() < 3 ||
      cast<ShapedType>(op.getOuts().front().getType()).getRank() !=
          type.getRank())
    return op.emitOpError("input and output need one batch, one channel and at "
                          "least one spatial dimension");
  if (op.getKernel().size() != spatial || op.getStrides().size() != spatial ||
      op.getDilations().size() != spatial ||
      op.getPads().size() != 2 * spatial) // C1
    return op.emitOpError("attributes do not fit ")
           << spatial << " spatial dimensions";
  auto positive = [](int64_t value) { return value > 0; };
  if (!llvm::all_of(op.getStrides(), positive) ||
      !llvm::all_of(op.getDilations(), positive) ||
      !llvm::all_of(op.getKernel(), positive)) // C1
    return op.emitOpError(
        "kernel sizes, strides and dilations must be positive");
  return success();
}

LogicalResult ScheduleAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                   StringRef, int64_t tileRows,
                                   int64_t tileVectors, int64_t blockRows,
                                   int64_t blockColumns, int64_t blockK, bool) {
  if (tileRows < 1 || tileVectors < 1)
    return emitError() << "a register tile has at least one row and one vector";
  if (blockRows < 0 || blockColumns < 0 || blockK < 0)
    return emitError() << "sizes of a block are not negative";
  return success();
}

std::pair<Value, Value> KernelMatmulOp::getFactors() {
  return {getLhs(), getRhs()};
}

std::pair<Value, Value> KernelConvOp::getFactors() {
  return {getInput(), getFilter()};
}

/// Other filters are read where they lie.
bool KernelConvOp::takesSchedule() { return getPacked().has_value(); }

/// Of the product that gives scores.
std::pair<Value, Value> KernelAttentionOp::getFactors() {
  return {getQuery(), getKey()};
}

LogicalResult KernelMatmulOp::verify() {
  if (failed(verifyEpilogue(*this))) // C2
    return failure();
  auto lhs = cast<ShapedType>(getLhs().getType()),
       rhs = cast<ShapedType>(getRhs().getType());
  std::optional<PackedAttr> packed = getPacked();
  std::optional<QuantizedAttr> quantized = getQuantized();
  if (lhs.getRank() < 2 || rhs.getRank() < 2 ||
      (packed && !quantized && rhs.getRank() != 2 + packed->stepRank())) // C1
    return emitOpError("operands have too few dimensions");
  int64_t k = lhs.getShape().back();
  int64_t rhsK = rhs.getDimSize(packed              ? 1
                                : getTransposeRhs() ? rhs.getRank() - 1
                                                    : rhs.getRank() - 2);
  auto out = cast<ShapedType>(getOuts().front().getType());
  if (out.getRank() < 2)
    return emitOpError("output has fewer dimensions than an operand");
  if (packed && (getTransposeRhs() ||
                 (!quantized && !packed->isFor(rhs.getElementType())))) // C1
    return emitOpError("panels do not have the layout of the right operand");
  if (quantized) {
    if (!lhs.getElementType().isF32() || !getAccumulatorType().isF32()) // C3
      return emitOpError("a quantized product is of f32");
    if (!quantized->isLayoutOf(rhs, getPackedAttr(), k,
                               out.getShape().back())) // C3
      return emitOpError(
          "words do not have the layout of the quantized operand");
    rhsK = k;
  } else if (packed && packed->isOrdered()) {
    if (!PackedAttr::canOrder(k, lhs.getElementType(), getAccumulatorType()) ||
        rhsK != packed->steps(k)) // C1
      return emitOpError("ordered panels are of bytes and whole blocks of K");
    rhsK = k;
  } else if (packed && !ShapedType::isDynamic(rhsK)) {
    rhsK *= packed->getKr();
  }
  if (!ShapedType::isDynamic(k) && !ShapedType::isDynamic(rhsK) &&
      k != rhsK) // C1
    return emitOpError("inner dimensions ")
           << k << " and " << rhsK << " differ";
  if (out.getRank() < lhs.getRank() ||
      (!packed && out.getRank() < rhs.getRank())) // C1
    return emitOpError("output has fewer dimensions than an operand");
  return success();
}

LogicalResult KernelConvOp::verify() {
  if (failed(verifyEpilogue(*this)) || // C2
      failed(verifyWindow(*this)))     // C1
    return failure();
  int64_t channels = cast<ShapedType>(getInput().getType()).getShape().back();
  std::optional<PackedAttr> packed = getPacked();
  if (packed && getGroup() > 0 && !packed->divides(channels, getGroup())) // C3
    return emitOpError("channels of a group are no multiple of kr");
  if (packed && packed->isOrdered()) {
    auto filter = cast<ShapedType>(getFilter().getType());
    int64_t taps = ShapedType::getNumElements(getKernel());
    Type operand = getElementTypeOrSelf(getInput().getType());
    if (getGroup() != 1 || getKernel().size() > 2 || filter.getRank() != 4 ||
        !PackedAttr::canOrder(channels, operand, getAccumulatorType()) ||
        filter.getDimSize(1) != packed->steps(taps * channels)) // C3
      return emitOpError("ordered panels have other channels");
  }
  return success();
}

LogicalResult KernelPoolOp::verify() {
  if (failed(verifyEpilogue(*this))) // C2
    return failure();
  if (getIndices() && getKind() != PoolKind::Max)
    return emitOpError("only a maximum has indices");
  return verifyWindow(*this); // C1
}

SmallVector<int64_t> KernelAttentionOp::getScoreShape() {
  auto shapeOf = [](Value operand, bool byRow) {
    return headMajor(cast<ShapedType>(operand.getType()).getShape(), byRow);
  };
  SmallVector<int64_t> shape = shapeOf(getOuts().front(), getResultByRow());
  SmallVector<int64_t> keys = shapeOf(getKey(), getKeyByRow());
  shape.back() = keys[keys.size() - 2];
  return shape;
}

LogicalResult KernelAttentionOp::verify() {
  if (getOuts().size() != 1)
    return emitOpError("has ") << getOuts().size() << " destinations, not one";
  int64_t rank = cast<ShapedType>(getOuts().front().getType()).getRank();
  bool byRow =
      getQueryByRow() || getKeyByRow() || getValueByRow() || getResultByRow();
  for (Value operand : {getQuery(), getKey(), getValue()})
    if (rank < (byRow ? 3 : 2) ||
        cast<ShapedType>(operand.getType()).getRank() != rank) // C1
      return emitOpError("operands must have the rank of the output");
  if (failed(verifyExtras(*this, rank))) // C2
    return failure();
  Block &body = getEpilogue().front();
  auto yield = cast<KernelYieldOp>(body.getTerminator());
  Type types[] = {Float32Type::get(getContext()), IndexType::get(getContext())};
  if (body.getArgument(0).getType() != types[0] ||
      body.getArgument(1).getType() != types[1] ||
      body.getArgument(2).getType() != types[1] ||
      yield.getValues().getTypes() != ArrayRef(types).take_front()) // C2
    return emitOpError(
        "region must take f32, index, index and extras, and yield one f32");
  return success();
}

#define GET_OP_CLASSES
#include "dialects/Graph/KernelOps.cpp.inc"

void hone::graph::registerKernelOps(GraphDialect *dialect) {
  RegisteredOperationName::insert<KernelAttentionOp>(*dialect);
  RegisteredOperationName::insert<KernelMatmulOp>(*dialect);
  RegisteredOperationName::insert<KernelConvOp>(*dialect);
  RegisteredOperationName::insert<KernelPoolOp>(*dialect);
  RegisteredOperationName::insert<KernelYieldOp>(*dialect);
}
