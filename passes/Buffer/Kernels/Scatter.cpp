// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Scatter on buffers: updates are applied in order, so one iteration of the
// parallel loop does everything.
#include "passes/Buffer/Kernels/KernelEmission.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace hone;
using namespace hone::buffer;
using namespace hone::graph;

Value hone::buffer::combine(OpBuilder &builder, Location loc, ScatterKind kind,
                            Value old, Value update) {
  Type type = old.getType();
  bool isFloat = isa<FloatType>(type);
  bool narrow = type.isF16() || type.isBF16();
  if (narrow && kind != ScatterKind::Assign) {
    Type wide = builder.getF32Type();
    old = arith::ExtFOp::create(builder, loc, wide, old);
    update = arith::ExtFOp::create(builder, loc, wide, update);
  }
  Value result;
  switch (kind) {
  case ScatterKind::Assign:
    return update;
  case ScatterKind::Sum:
    result = isFloat
                 ? arith::AddFOp::create(builder, loc, old, update).getResult()
                 : arith::AddIOp::create(builder, loc, old, update);
    break;
  case ScatterKind::Prod:
    result = isFloat
                 ? arith::MulFOp::create(builder, loc, old, update).getResult()
                 : arith::MulIOp::create(builder, loc, old, update);
    break;
  case ScatterKind::Max:
    result =
        isFloat
            ? arith::MaximumFOp::create(builder, loc, old, update).getResult()
            : arith::MaxSIOp::create(builder, loc, old, update);
    break;
  case ScatterKind::Min:
    result =
        isFloat
            ? arith::MinimumFOp::create(builder, loc, old, update).getResult()
            : arith::MinSIOp::create(builder, loc, old, update);
    break;
  case ScatterKind::UMax:
    result = arith::MaxUIOp::create(builder, loc, old, update);
    break;
  case ScatterKind::UMin:
    result = arith::MinUIOp::create(builder, loc, old, update);
    break;
  }
  if (narrow)
    result = arith::TruncFOp::create(builder, loc, type, result);
  return result;
}

Value hone::buffer::checkedIndex(OpBuilder &builder, ScatterOp op,
                                 Value element, Value size) {
  Value index = arith::IndexCastOp::create(builder, op.getLoc(),
                                           builder.getIndexType(), element);
  auto checked = CheckedIndexOp::create(builder, op.getLoc(), index, size,
                                        builder.getUnitAttr());
  if (Attribute node = op->getAttr("hone.node"))
    checked->setAttr("hone.node", node);
  return checked;
}

/// One scalar at a time, at the coordinates of the update except along `axis`.
static void emitElements(OpBuilder &builder, ScatterOp op, int64_t axis,
                         Value indices, Value updates, Value target) {
  Location loc = op.getLoc();
  SmallVector<Value> low, high, step;
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  for (OpFoldResult size : memref::getMixedSizes(builder, loc, updates)) {
    low.push_back(zero);
    step.push_back(one);
    high.push_back(getValueOrCreateConstantIndexOp(builder, loc, size));
  }
  // Without updates their number of rows is arbitrary.
  OpFoldResult count =
      product(builder, loc, memref::getMixedSizes(builder, loc, updates));
  if (auto number = dyn_cast<Value>(count)) {
    Value some = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne,
                                       number, zero);
    high[0] = arith::SelectOp::create(builder, loc, some, high[0], zero);
  }
  Value size = memref::DimOp::create(builder, loc, target, axis);
  scf::buildLoopNest(
      builder, loc, low, high, step,
      [&](OpBuilder &builder, Location loc, ValueRange coordinates) {
        Value index =
            memref::LoadOp::create(builder, loc, indices, coordinates);
        Value update =
            memref::LoadOp::create(builder, loc, updates, coordinates);
        SmallVector<Value> place(coordinates);
        place[axis] = checkedIndex(builder, op, index, size);
        Value old = memref::LoadOp::create(builder, loc, target, place);
        Value element = combine(builder, loc, op.getKind(), old, update);
        memref::StoreOp::create(builder, loc, element, target, place);
      });
}

/// One slice at a time.
static void emitSlices(OpBuilder &builder, ScatterOp op, Value indices,
                       Value updates, Value target) {
  Location loc = op.getLoc();
  SmallVector<OpFoldResult> indexSizes =
      memref::getMixedSizes(builder, loc, indices);
  SmallVector<OpFoldResult> targetSizes =
      memref::getMixedSizes(builder, loc, target);
  // The verifier requires a static last dimension.
  int64_t depth = *getConstantIntValue(indexSizes.back());
  OpFoldResult count = product(builder, loc, ArrayRef(indexSizes).drop_back());
  OpFoldResult width =
      product(builder, loc, ArrayRef(targetSizes).drop_front(depth));
  OpFoldResult indexShape[] = {count, builder.getIndexAttr(depth)};
  Value indexRows = viewAs(builder, loc, indices, indexShape);
  Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
  Value one = arith::ConstantIndexOp::create(builder, loc, 1);
  Value widthValue = getValueOrCreateConstantIndexOp(builder, loc, width);
  auto loop = scf::ForOp::create(
      builder, loc, zero, getValueOrCreateConstantIndexOp(builder, loc, count),
      one);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Value slice = zero;
  for (int64_t i = 0; i < depth; ++i) {
    Value size = getValueOrCreateConstantIndexOp(builder, loc, targetSizes[i]);
    Value column = arith::ConstantIndexOp::create(builder, loc, i);
    Value element = memref::LoadOp::create(
        builder, loc, indexRows, ValueRange{loop.getInductionVar(), column});
    Value index = checkedIndex(builder, op, element, size);
    slice = arith::AddIOp::create(
        builder, loc, arith::MulIOp::create(builder, loc, slice, size), index);
  }
  auto row = [&](Value buffer, Value number) {
    Value offset = arith::MulIOp::create(builder, loc, number, widthValue);
    return viewAs(builder, loc, buffer, width, offset);
  };
  Value from = row(updates, loop.getInductionVar());
  Value to = row(target, slice);
  AffineMap identity = builder.getMultiDimIdentityMap(1);
  AffineMap maps[] = {identity, identity};
  linalg::GenericOp::create(
      builder, loc, TypeRange{}, from, to, maps,
      ArrayRef<utils::IteratorType>{utils::IteratorType::parallel},
      [&](OpBuilder &builder, Location loc, ValueRange args) {
        Value element = combine(builder, loc, op.getKind(), args[1], args[0]);
        linalg::YieldOp::create(builder, loc, element);
      });
}

void hone::buffer::emitScatter(OpBuilder &builder, ScatterOp op, Value input,
                               Value indices, Value updates, Value target) {
  Location loc = op.getLoc();
  auto once = scf::ForallOp::create(
      builder, loc, ArrayRef<OpFoldResult>{builder.getIndexAttr(1)},
      ValueRange{}, std::nullopt);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(once.getBody());
  copyBuffer(builder, loc, input, target);
  if (std::optional<int64_t> axis = op.getAxis())
    emitElements(builder, op, *axis, indices, updates, target);
  else
    emitSlices(builder, op, indices, updates, target);
}
