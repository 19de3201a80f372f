// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Index arithmetic, loops and buffers for the emitters of register kernels.
#include "passes/Emit/Emit.h"
#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "passes/Machine/Tuning.h"

using namespace mlir;
using namespace hone;

std::optional<int64_t> hone::constantOf(Value value) {
  return getConstantIntValue(value);
}

Value Emitter::cst(int64_t value) {
  return arith::ConstantIndexOp::create(builder, loc, value);
}

Value Emitter::add(Value a, Value b) {
  return builder.createOrFold<arith::AddIOp>(loc, a, b);
}

Value Emitter::sub(Value a, Value b) {
  return builder.createOrFold<arith::SubIOp>(loc, a, b);
}

Value Emitter::mul(Value a, Value b) {
  if (constantOf(a) == 0 || constantOf(b) == 1)
    return a;
  if (constantOf(b) == 0 || constantOf(a) == 1)
    return b;
  return builder.createOrFold<arith::MulIOp>(loc, a, b);
}

Value Emitter::div(Value a, Value b) {
  return builder.createOrFold<arith::DivUIOp>(loc, a, b);
}

Value Emitter::rem(Value a, Value b) {
  if (constantOf(b) == 1)
    return cst(0);
  return builder.createOrFold<arith::RemUIOp>(loc, a, b);
}

Value Emitter::ceilDiv(Value a, int64_t b) {
  return div(add(a, b - 1), cst(b));
}

Value Emitter::min(Value a, Value b) {
  return builder.createOrFold<arith::MinSIOp>(loc, a, b);
}

Value Emitter::max(Value a, Value b) {
  return builder.createOrFold<arith::MaxSIOp>(loc, a, b);
}

Value Emitter::cmp(arith::CmpIPredicate predicate, Value a, Value b) {
  return builder.createOrFold<arith::CmpIOp>(loc, predicate, a, b);
}

Value Emitter::dim(Value memref, int64_t i) {
  auto type = cast<MemRefType>(memref.getType());
  if (!type.isDynamicDim(i))
    return cst(type.getDimSize(i));
  return memref::DimOp::create(builder, loc, memref, i);
}

SmallVector<Value> Emitter::delinearize(Value index, ValueRange sizes) {
  SmallVector<Value> coordinates(sizes.size());
  for (size_t i = sizes.size(); i-- > 1;) {
    coordinates[i] = rem(index, sizes[i]);
    index = div(index, sizes[i]);
  }
  if (!sizes.empty())
    coordinates[0] = constantOf(sizes[0]) == 1 ? cst(0) : index;
  return coordinates;
}

SmallVector<Value> Emitter::loop(Value low, Value high, int64_t step,
                                 ValueRange init, LoopBody body) {
  std::optional<int64_t> first = constantOf(low), end = constantOf(high);
  if (first && end && *first >= *end)
    return llvm::to_vector(init);
  if (first && end && *first + step >= *end)
    return body(low, init);
  auto forOp = scf::ForOp::create(builder, loc, low, high, cst(step), init);
  OpBuilder::InsertionGuard guard(builder);
  if (init.empty())
    builder.setInsertionPoint(forOp.getBody()->getTerminator());
  else
    builder.setInsertionPointToEnd(forOp.getBody());
  SmallVector<Value> carried =
      body(forOp.getInductionVar(), forOp.getRegionIterArgs());
  if (!init.empty())
    scf::YieldOp::create(builder, loc, carried);
  return llvm::to_vector(ValueRange(forOp.getResults()));
}

void Emitter::loop(Value low, Value high, function_ref<void(Value iv)> body) {
  loop(low, high, 1, {}, [&](Value iv, ValueRange) {
    body(iv);
    return SmallVector<Value>();
  });
}

void Emitter::branch(Value condition, function_ref<void()> then,
                     function_ref<void()> otherwise) {
  if (std::optional<int64_t> known = constantOf(condition)) {
    if (*known != 0)
      then();
    else if (otherwise)
      otherwise();
    return;
  }
  auto ifOp =
      scf::IfOp::create(builder, loc, condition,
                        /*withElseRegion=*/static_cast<bool>(otherwise));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(ifOp.thenBlock());
  then();
  if (!otherwise)
    return;
  builder.setInsertionPointToStart(ifOp.elseBlock());
  otherwise();
}

SmallVector<Value>
Emitter::select(Value condition, TypeRange types,
                function_ref<SmallVector<Value>()> then,
                function_ref<SmallVector<Value>()> otherwise) {
  if (std::optional<int64_t> known = constantOf(condition))
    return *known != 0 ? then() : otherwise();
  auto ifOp = scf::IfOp::create(builder, loc, types, condition,
                                /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(ifOp.thenBlock());
  scf::YieldOp::create(builder, loc, then());
  builder.setInsertionPointToStart(ifOp.elseBlock());
  scf::YieldOp::create(builder, loc, otherwise());
  return llvm::to_vector(ValueRange(ifOp.getResults()));
}

Value Emitter::zero(Type type) {
  return arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
}

Value hone::splat(OpBuilder &builder, Location loc, Type type,
                  TypedAttr element) {
  if (auto vector = dyn_cast<VectorType>(type))
    element = DenseElementsAttr::get(vector, Attribute(element));
  return arith::ConstantOp::create(builder, loc, element);
}

Value Emitter::extend(Value value, Type elementType, bool isUnsigned) {
  Type from = getElementTypeOrSelf(value);
  if (from == elementType)
    return value;
  Type to = elementType;
  if (auto vector = dyn_cast<VectorType>(value.getType()))
    to = vector.clone(elementType);
  if (isa<FloatType>(from))
    return arith::ExtFOp::create(builder, loc, to, value);
  if (isa<FloatType>(elementType)) {
    if (isUnsigned)
      return arith::UIToFPOp::create(builder, loc, to, value);
    return arith::SIToFPOp::create(builder, loc, to, value);
  }
  if (isUnsigned)
    return arith::ExtUIOp::create(builder, loc, to, value);
  return arith::ExtSIOp::create(builder, loc, to, value);
}

Value Emitter::sum(Value a, Value b) {
  if (isa<FloatType>(getElementTypeOrSelf(a)))
    return arith::AddFOp::create(builder, loc, a, b);
  return arith::AddIOp::create(builder, loc, a, b);
}

Value Emitter::product(Value a, Value b) {
  if (isa<FloatType>(getElementTypeOrSelf(a)))
    return arith::MulFOp::create(builder, loc, a, b);
  return arith::MulIOp::create(builder, loc, a, b);
}

//===----------------------------------------------------------------------===//

FlatBuffer FlatBuffer::get(Emitter &e, Value memref) {
  auto type = cast<MemRefType>(memref.getType());
  FlatBuffer flat;
  if (auto transposed = memref.getDefiningOp<memref::TransposeOp>()) {
    FlatBuffer source = get(e, transposed.getIn());
    flat.memref = source.memref;
    for (AffineExpr dim : transposed.getPermutation().getResults()) {
      unsigned from = cast<AffineDimExpr>(dim).getPosition();
      flat.sizes.push_back(source.sizes[from]);
      flat.strides.push_back(source.strides[from]);
    }
    return flat;
  }
  flat.strides.resize(type.getRank());
  Value total = e.cst(1);
  for (int64_t i = 0; i < type.getRank(); ++i)
    flat.sizes.push_back(e.dim(memref, i));
  for (int64_t i = type.getRank(); i-- > 0;) {
    flat.strides[i] = total;
    total = e.mul(total, flat.sizes[i]);
  }
  if (type.getRank() == 1) {
    flat.memref = memref;
    return flat;
  }
  std::optional<int64_t> known = constantOf(total);
  auto flatType = MemRefType::get(
      {known ? *known : ShapedType::kDynamic}, type.getElementType(),
      MemRefLayoutAttrInterface(), type.getMemorySpace());
  OpFoldResult size = total;
  if (known)
    size = e.builder.getIndexAttr(*known);
  flat.memref = memref::ReinterpretCastOp::create(
      e.builder, e.loc, flatType, memref,
      OpFoldResult(e.builder.getIndexAttr(0)), ArrayRef<OpFoldResult>{size},
      ArrayRef<OpFoldResult>{e.builder.getIndexAttr(1)});
  return flat;
}

Type FlatBuffer::elementType() const {
  return cast<MemRefType>(memref.getType()).getElementType();
}

Value FlatBuffer::offset(Emitter &e, ValueRange coordinates) const {
  Value result = e.cst(0);
  for (auto [coordinate, stride] : llvm::zip_equal(coordinates, strides))
    result = e.add(result, e.mul(coordinate, stride));
  return result;
}

Value FlatBuffer::load(Emitter &e, Value offset) const {
  return memref::LoadOp::create(e.builder, e.loc, memref, offset);
}

static llvm::MaybeAlign maybeAligned(int64_t alignment) {
  return alignment ? llvm::MaybeAlign(alignment) : llvm::MaybeAlign();
}

Value FlatBuffer::load(Emitter &e, Value offset, int64_t lanes, Value mask,
                       int64_t alignment) const {
  auto type = VectorType::get({lanes}, elementType());
  if (!mask)
    return vector::LoadOp::create(e.builder, e.loc, type, memref, offset,
                                  /*nontemporal=*/false,
                                  maybeAligned(alignment));
  return vector::MaskedLoadOp::create(e.builder, e.loc, type, memref, offset,
                                      mask, e.zero(type));
}

void FlatBuffer::store(Emitter &e, Value offset, Value value, Value mask,
                       int64_t alignment) const {
  if (!isa<VectorType>(value.getType()))
    memref::StoreOp::create(e.builder, e.loc, value, memref, offset);
  else if (mask)
    vector::MaskedStoreOp::create(e.builder, e.loc, memref, offset, mask,
                                  value);
  else
    vector::StoreOp::create(e.builder, e.loc, value, memref, offset,
                            /*nontemporal=*/false, maybeAligned(alignment));
}

void FlatBuffer::prefetch(Emitter &e, Value offset) const {
  memref::PrefetchOp::create(e.builder, e.loc, memref, offset,
                             /*isWrite=*/false, /*localityHint=*/2,
                             /*isDataCache=*/true);
}

FlatBuffer hone::makeScratch(Emitter &e, int64_t size, Type elementType) {
  OpBuilder::InsertionGuard guard(e.builder);
  Operation *parent = e.builder.getInsertionBlock()->getParentOp();
  auto function = dyn_cast<FunctionOpInterface>(parent);
  if (!function)
    function = parent->getParentOfType<FunctionOpInterface>();
  e.builder.setInsertionPointToStart(&function.getFunctionBody().front());
  FlatBuffer scratch;
  auto type = MemRefType::get({size}, elementType);
  IntegerAttr alignment = e.builder.getI64IntegerAttr(64);
  int64_t bytes =
      size * llvm::divideCeil(elementType.getIntOrFloatBitWidth(), 8);
  // The stack of a caller's thread may be small.
  if (bytes > tuning::kStackBuffer)
    scratch.memref = memref::AllocOp::create(e.builder, e.loc, type, alignment);
  else
    scratch.memref =
        memref::AllocaOp::create(e.builder, e.loc, type, alignment);
  scratch.sizes.push_back(e.cst(size));
  scratch.strides.push_back(e.cst(1));
  return scratch;
}

int64_t hone::lanesOf(const CpuMachine &machine, Type type) {
  return std::min(machine.lanes(type.getIntOrFloatBitWidth()),
                  graph::kPanelWidth);
}
