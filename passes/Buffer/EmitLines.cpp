// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Operations along one axis whose steps depend on each other: running sums and
// the k best elements. Lines along the axis are independent.
#include "passes/Buffer/KernelEmission.h"
#include "passes/Loops/Emit.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace hone;
using namespace hone::buffer;
using namespace hone::graph;

Lines::Lines(OpBuilder &builder, Location loc, Value buffer, int64_t axis) {
  SmallVector<OpFoldResult> sizes = memref::getMixedSizes(builder, loc, buffer);
  ArrayRef<OpFoldResult> all(sizes);
  outer = product(builder, loc, all.take_front(axis));
  length = all[axis];
  inner = product(builder, loc, all.drop_front(axis + 1));
  OpFoldResult shape[] = {outer, length, inner};
  view = viewAs(builder, loc, buffer, shape);
}

namespace {
Value constant(OpBuilder &builder, Location loc, int64_t value) {
  return arith::ConstantIndexOp::create(builder, loc, value);
}

Value valueOf(OpBuilder &builder, Location loc, OpFoldResult size) {
  return getValueOrCreateConstantIndexOp(builder, loc, size);
}

} // namespace

Value hone::buffer::accumulate(OpBuilder &builder, Location loc,
                               ReduceKind kind, Value a, Value b) {
  bool isFloat = isa<FloatType>(a.getType());
  if (kind == ReduceKind::Prod)
    return isFloat ? arith::MulFOp::create(builder, loc, a, b).getResult()
                   : arith::MulIOp::create(builder, loc, a, b);
  return isFloat ? arith::AddFOp::create(builder, loc, a, b).getResult()
                 : arith::AddIOp::create(builder, loc, a, b);
}

Type hone::buffer::sumType(Type type) {
  bool narrow = type.isF16() || type.isBF16();
  return narrow ? Float32Type::get(type.getContext()) : type;
}

/// The sum of each line is carried in a register.
void hone::buffer::emitScalarCumulate(OpBuilder &builder, CumulateOp op,
                                      const Lines &source,
                                      const Lines &target) {
  Location loc = op.getLoc();
  Type type = cast<MemRefType>(source.view.getType()).getElementType();
  Type wide = sumType(type);
  Value neutral = arith::ConstantOp::create(builder, loc, neutralOf(op, wide));
  OpFoldResult sizes[] = {source.outer, source.inner};
  auto forall =
      scf::ForallOp::create(builder, loc, sizes, ValueRange{}, std::nullopt);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(forall.getBody());
  Value length = valueOf(builder, loc, source.length);
  Value one = constant(builder, loc, 1);
  scf::ForOp::create(
      builder, loc, constant(builder, loc, 0), length, one, neutral,
      [&](OpBuilder &builder, Location loc, Value step, ValueRange carried) {
        Value at = step;
        if (op.getReverse())
          at = arith::SubIOp::create(
              builder, loc, arith::SubIOp::create(builder, loc, length, one),
              step);
        Value place[] = {forall.getInductionVar(0), at,
                         forall.getInductionVar(1)};
        Value element =
            memref::LoadOp::create(builder, loc, source.view, place);
        if (wide != type)
          element = arith::ExtFOp::create(builder, loc, wide, element);
        Value sum =
            accumulate(builder, loc, op.getKind(), carried.front(), element);
        Value stored = op.getExclusive() ? carried.front() : sum;
        if (wide != type)
          stored = arith::TruncFOp::create(builder, loc, type, stored);
        memref::StoreOp::create(builder, loc, stored, target.view, place);
        scf::YieldOp::create(builder, loc, sum);
      });
}

/// Many lines beside each other: a row of the result is the row before it and a
/// row of the source.
static void emitRowCumulate(OpBuilder &builder, CumulateOp op,
                            const Lines &source, const Lines &target) {
  Location loc = op.getLoc();
  Type type = cast<MemRefType>(source.view.getType()).getElementType();
  Value neutral = arith::ConstantOp::create(builder, loc, neutralOf(op, type));
  auto forall =
      scf::ForallOp::create(builder, loc, ArrayRef<OpFoldResult>{source.outer},
                            ValueRange{}, std::nullopt);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(forall.getBody());
  Value zero = constant(builder, loc, 0), one = constant(builder, loc, 1);
  Value length = valueOf(builder, loc, source.length);
  Value inner = valueOf(builder, loc, source.inner);
  Value firstRow =
      arith::MulIOp::create(builder, loc, forall.getInductionVar(0), length);
  auto row = [&](OpBuilder &builder, Value buffer, Value step) {
    Value at = step;
    if (op.getReverse())
      at = arith::SubIOp::create(
          builder, loc, arith::SubIOp::create(builder, loc, length, one), step);
    Value number = arith::AddIOp::create(builder, loc, firstRow, at);
    Value offset = arith::MulIOp::create(builder, loc, number, inner);
    return viewAs(builder, loc, buffer, source.inner, offset);
  };
  auto loop = scf::ForOp::create(builder, loc, zero, length, one);
  builder.setInsertionPointToStart(loop.getBody());
  Value step = loop.getInductionVar();
  Value isFirst =
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, step, zero);
  auto branch = scf::IfOp::create(builder, loc, isFirst, /*withElse=*/true);
  builder.setInsertionPointToStart(branch.thenBlock());
  if (op.getExclusive())
    fillBuffer(builder, loc, neutral, row(builder, target.view, step));
  else
    copyBuffer(builder, loc, row(builder, source.view, step),
               row(builder, target.view, step));
  builder.setInsertionPointToStart(branch.elseBlock());
  Value before = arith::SubIOp::create(builder, loc, step, one);
  Value inputs[] = {
      row(builder, target.view, before),
      row(builder, source.view, op.getExclusive() ? before : step)};
  SmallVector<AffineMap> maps(3, builder.getMultiDimIdentityMap(1));
  linalg::GenericOp::create(
      builder, loc, TypeRange{}, inputs, row(builder, target.view, step), maps,
      ArrayRef<utils::IteratorType>{utils::IteratorType::parallel},
      [&](OpBuilder &builder, Location loc, ValueRange args) {
        Value sum = accumulate(builder, loc, op.getKind(), args[0], args[1]);
        linalg::YieldOp::create(builder, loc, sum);
      });
}

/// As above for f16 and bf16, whose sums a row of the result would round: they
/// are held beside it, for some columns at a time.
static void emitWideRowCumulate(OpBuilder &builder, CumulateOp op,
                                const Lines &source, const Lines &target) {
  constexpr int64_t columns = 256;
  Location loc = op.getLoc();
  Type type = cast<MemRefType>(source.view.getType()).getElementType();
  Type wide = sumType(type);
  Emitter e(builder, loc);
  Value scratch = makeScratch(e, columns, wide).memref;
  Value neutral = arith::ConstantOp::create(builder, loc, neutralOf(op, wide));
  Value length = valueOf(builder, loc, source.length);
  Value inner = valueOf(builder, loc, source.inner);
  OpFoldResult blocks = e.ceilDiv(inner, columns);
  if (std::optional<int64_t> known = getConstantIntValue(source.inner))
    blocks = builder.getIndexAttr(llvm::divideCeil(*known, columns));
  OpFoldResult sizes[] = {source.outer, blocks};
  auto forall =
      scf::ForallOp::create(builder, loc, sizes, ValueRange{}, std::nullopt);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(forall.getBody());
  Value firstRow = e.mul(forall.getInductionVar(0), length);
  Value firstColumn = e.mul(forall.getInductionVar(1), e.cst(columns));
  OpFoldResult width =
      getConstantIntValue(source.inner).value_or(columns + 1) <= columns
          ? source.inner
          : OpFoldResult(e.min(e.sub(inner, firstColumn), e.cst(columns)));
  Value sums = viewAs(builder, loc, scratch, width);
  fillBuffer(builder, loc, neutral, sums);
  auto loop = scf::ForOp::create(builder, loc, e.cst(0), length, e.cst(1));
  builder.setInsertionPointToStart(loop.getBody());
  Value at = loop.getInductionVar();
  if (op.getReverse())
    at = e.sub(e.sub(length, e.cst(1)), at);
  OpFoldResult offset = e.add(e.mul(e.add(firstRow, at), inner), firstColumn);
  Value inputs[] = {viewAs(builder, loc, source.view, width, offset), sums};
  Value outputs[] = {sums, viewAs(builder, loc, target.view, width, offset)};
  SmallVector<AffineMap> maps(4, builder.getMultiDimIdentityMap(1));
  linalg::GenericOp::create(
      builder, loc, TypeRange{}, inputs, outputs, maps,
      ArrayRef<utils::IteratorType>{utils::IteratorType::parallel},
      [&](OpBuilder &builder, Location loc, ValueRange args) {
        Value element = arith::ExtFOp::create(builder, loc, wide, args[0]);
        Value sum = accumulate(builder, loc, op.getKind(), args[1], element);
        Value rounded = arith::TruncFOp::create(
            builder, loc, type, op.getExclusive() ? args[1] : sum);
        linalg::YieldOp::create(builder, loc, ValueRange{sum, rounded});
      });
}

TypedAttr hone::buffer::neutralOf(CumulateOp op, Type type) {
  Builder builder(type.getContext());
  int64_t number = op.getKind() == ReduceKind::Prod ? 1 : 0;
  if (isa<FloatType>(type))
    return builder.getFloatAttr(type, double(number));
  return builder.getIntegerAttr(type, number);
}

void hone::buffer::emitCumulate(OpBuilder &builder, CumulateOp op, Value source,
                                Value target) {
  Location loc = op.getLoc();
  Type type = cast<MemRefType>(source.getType()).getElementType();
  Lines from(builder, loc, source, op.getAxis());
  Lines to(builder, loc, target, op.getAxis());
  if (getConstantIntValue(from.inner) == 1)
    emitScalarCumulate(builder, op, from, to);
  else if (sumType(type) != type)
    emitWideRowCumulate(builder, op, from, to);
  else
    emitRowCumulate(builder, op, from, to);
}

Value hone::buffer::comesBefore(OpBuilder &builder, TopKOp op, Value a,
                                Value b) {
  Location loc = op.getLoc();
  if (!isa<FloatType>(a.getType())) {
    using P = arith::CmpIPredicate;
    P predicate = op.getIsUnsigned() ? (op.getSmallest() ? P::ult : P::ugt)
                                     : (op.getSmallest() ? P::slt : P::sgt);
    return arith::CmpIOp::create(builder, loc, predicate, a, b);
  }
  using P = arith::CmpFPredicate;
  auto compare = [&](P predicate, Value x, Value y) {
    return arith::CmpFOp::create(builder, loc, predicate, x, y);
  };
  // Unordered comparisons hold when the side that must be the larger is NaN,
  // unless both are.
  Value wins = compare(op.getSmallest() ? P::ULT : P::UGT, a, b);
  Value smaller = op.getSmallest() ? a : b;
  Value isNumber = compare(P::ORD, smaller, smaller);
  return arith::AndIOp::create(builder, loc, wins, isNumber);
}

Value hone::buffer::checkedCount(OpBuilder &builder, TopKOp op,
                                 const Lines &source, const Lines &values) {
  Location loc = op.getLoc();
  Value k = valueOf(builder, loc, values.length);
  std::optional<int64_t> wanted = getConstantIntValue(values.length);
  std::optional<int64_t> given = getConstantIntValue(source.length);
  if (wanted && given && *wanted <= *given)
    return k;
  // As many elements must be there: k is an index below their number + 1.
  OpFoldResult bound =
      sum(builder, loc, source.length, builder.getIndexAttr(1));
  auto check =
      CheckedIndexOp::create(builder, loc, k, valueOf(builder, loc, bound));
  if (Attribute node = op->getAttr("hone.node"))
    check->setAttr("hone.node", node);
  return check;
}

void hone::buffer::emitTopK(OpBuilder &builder, TopKOp op, Value source,
                            Value values, Value indices) {
  Location loc = op.getLoc();
  Lines from(builder, loc, source, op.getAxis());
  Lines best(builder, loc, values, op.getAxis());
  Lines places(builder, loc, indices, op.getAxis());
  Value k = checkedCount(builder, op, from, best);
  OpFoldResult sizes[] = {from.outer, from.inner};
  auto forall =
      scf::ForallOp::create(builder, loc, sizes, ValueRange{}, std::nullopt);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(forall.getBody());
  Value zero = constant(builder, loc, 0), one = constant(builder, loc, 1);
  Value length = valueOf(builder, loc, from.length);
  auto at = [&](Value position) {
    return SmallVector<Value>{forall.getInductionVar(0), position,
                              forall.getInductionVar(1)};
  };
  // With k = 0 there is no place that could be read.
  Value none =
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, k, zero);
  Value limit = arith::SelectOp::create(builder, loc, none, zero, length);
  auto loop = scf::ForOp::create(builder, loc, zero, limit, one);
  builder.setInsertionPointToStart(loop.getBody());
  Value position = loop.getInductionVar();
  Value element = memref::LoadOp::create(builder, loc, from.view, at(position));
  Value last = arith::SubIOp::create(builder, loc, k, one);
  Value hasRoom = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult,
                                        position, k);
  Value end = arith::MinUIOp::create(builder, loc, position, last);
  auto enters = scf::IfOp::create(builder, loc, builder.getI1Type(), hasRoom,
                                  /*withElse=*/true);
  {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(enters.thenBlock());
    scf::YieldOp::create(builder, loc, hasRoom);
    builder.setInsertionPointToStart(enters.elseBlock());
    Value worst = memref::LoadOp::create(builder, loc, best.view, at(last));
    scf::YieldOp::create(builder, loc,
                         comesBefore(builder, op, element, worst));
  }
  auto insert = scf::IfOp::create(builder, loc, enters.getResult(0),
                                  /*withElse=*/false);
  builder.setInsertionPointToStart(insert.thenBlock());
  // Moves what comes after the element one place on.
  auto shift = scf::WhileOp::create(
      builder, loc, builder.getIndexType(), end,
      [&](OpBuilder &builder, Location loc, ValueRange args) {
        Value place = args.front();
        Value isInside = arith::CmpIOp::create(
            builder, loc, arith::CmpIPredicate::ugt, place, zero);
        auto moves = scf::IfOp::create(builder, loc, builder.getI1Type(),
                                       isInside, /*withElse=*/true);
        OpBuilder inner = moves.getThenBodyBuilder();
        Value before = arith::SubIOp::create(inner, loc, place, one);
        Value other = memref::LoadOp::create(inner, loc, best.view, at(before));
        scf::YieldOp::create(inner, loc,
                             comesBefore(inner, op, element, other));
        inner = moves.getElseBodyBuilder();
        scf::YieldOp::create(inner, loc, isInside);
        scf::ConditionOp::create(builder, loc, moves.getResult(0), args);
      },
      [&](OpBuilder &builder, Location loc, ValueRange args) {
        Value place = args.front();
        Value before = arith::SubIOp::create(builder, loc, place, one);
        Value other =
            memref::LoadOp::create(builder, loc, best.view, at(before));
        Value number =
            memref::LoadOp::create(builder, loc, places.view, at(before));
        memref::StoreOp::create(builder, loc, other, best.view, at(place));
        memref::StoreOp::create(builder, loc, number, places.view, at(place));
        scf::YieldOp::create(builder, loc, before);
      });
  Value number =
      arith::IndexCastOp::create(builder, loc, builder.getI64Type(), position);
  Value place = shift.getResult(0);
  memref::StoreOp::create(builder, loc, element, best.view, at(place));
  memref::StoreOp::create(builder, loc, number, places.view, at(place));
}
