// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Running sums along one axis. Lines along the axis are independent.
#include "passes/Buffer/Kernels/KernelEmission.h"
#include "passes/Emit/Emit.h"

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

/// Many adjacent lines: each row of the result is the preceding row plus a row
/// of the source.
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

/// As above for f16 and bf16, whose sums would be rounded in a row of the
/// result: they are kept separately, for some columns at a time.
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
