// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Scatter by teams. The input is copied in a separate step. Each part of the
// result belongs to one team, which scans all updates in order and applies
// those to its part: no update overtakes another, whatever the indices.
#include "passes/Buffer/Kernels/KernelEmission.h"
#include "passes/Buffer/Teams/TeamEmission.h"
#include "passes/Buffer/Teams/TeamLoops.h"
#include "passes/Machine/GpuTuning.h"
#include <functional>

using namespace mlir;
using namespace hone;
using namespace hone::buffer;
using namespace hone::graph;

namespace {
/// Lists of updates to disjoint places, and how to apply one.
struct Updates {
  SmallVector<OpFoldResult> lists;
  OpFoldResult count;  ///< Of the updates of a list.
  OpFoldResult slices; ///< That an update of a list can address.
  OpFoldResult width;  ///< Elements of a slice.
  /// The slice that an update addresses, checked.
  std::function<Value(ValueRange list, Value number)> slice;
  /// Applies element `i` of an update.
  std::function<void(ValueRange list, Value number, Value slice, Value i)>
      apply;
};

/// The iterations of all lists divide the slices, and long slices themselves.
void emitOwners(Emitter &e, const Updates &updates) {
  int64_t lists = 1;
  for (OpFoldResult size : updates.lists)
    lists *= getConstantIntValue(size).value_or(1);
  std::optional<int64_t> width = getConstantIntValue(updates.width);
  int64_t parts = std::clamp<int64_t>(width.value_or(tuning::kSlicePart * 16) /
                                          tuning::kSlicePart,
                                      1, tuning::kMaxSliceParts);
  Value slices =
      getValueOrCreateConstantIndexOp(e.builder, e.loc, updates.slices);
  int64_t most = std::max<int64_t>(1, tuning::kManyTeams /
                                          std::max<int64_t>(1, lists * parts));
  Value owners = e.min(slices, e.cst(most));
  Value count =
      getValueOrCreateConstantIndexOp(e.builder, e.loc, updates.count);
  Value widthValue =
      getValueOrCreateConstantIndexOp(e.builder, e.loc, updates.width);
  Value share = e.ceilDiv(widthValue, parts);
  SmallVector<OpFoldResult> sizes(updates.lists);
  sizes.push_back(getAsOpFoldResult(owners));
  sizes.push_back(e.builder.getIndexAttr(parts));
  emitForall(e, sizes, [&](ValueRange ivs) {
    ValueRange list = ivs.drop_back(2);
    Value owner = ivs[ivs.size() - 2], part = ivs.back();
    Value low = e.div(e.mul(slices, owner), owners);
    Value high = e.div(e.mul(slices, e.add(owner, 1)), owners);
    Value begin = e.mul(part, share);
    Value end = e.min(e.add(begin, share), widthValue);
    Value own = e.max(e.sub(end, begin), e.cst(0));
    // While some threads still read one row, others fill the other.
    Type i64 = e.builder.getI64Type();
    Value looked = teamBuffer(e, {2, tuning::kScannedUpdates}, i64);
    e.loop(
        e.cst(0), count, tuning::kScannedUpdates, e.cst(0),
        [&](Value first, ValueRange carried) {
          Value row = carried[0];
          emitStep(e, tuning::kScannedUpdates, [&](Value i) {
            Value number = e.add(first, i);
            e.branch(e.cmp(arith::CmpIPredicate::slt, number, count), [&] {
              Value slice = arith::IndexCastOp::create(
                  e.builder, e.loc, i64, updates.slice(list, number));
              store(e, slice, looked, {row, i});
            });
          });
          Value last =
              e.min(e.sub(count, first), e.cst(tuning::kScannedUpdates));
          e.loop(e.cst(0), last, [&](Value i) {
            Value slice = arith::IndexCastOp::create(e.builder, e.loc,
                                                     e.builder.getIndexType(),
                                                     load(e, looked, {row, i}));
            Value isOwn = arith::AndIOp::create(
                e.builder, e.loc, e.cmp(arith::CmpIPredicate::sge, slice, low),
                e.cmp(arith::CmpIPredicate::slt, slice, high));
            e.branch(isOwn, [&] {
              emitForall(e, {getAsOpFoldResult(own)}, [&](ValueRange element) {
                updates.apply(list, e.add(first, i), slice,
                              e.add(begin, element[0]));
              });
            });
          });
          return SmallVector<Value>{e.sub(e.cst(1), row)};
        });
  });
}

/// An iteration applies all updates of its list, one after another.
void emitLists(Emitter &e, const Updates &updates) {
  Value count =
      getValueOrCreateConstantIndexOp(e.builder, e.loc, updates.count);
  emitForall(e, updates.lists, [&](ValueRange list) {
    e.loop(e.cst(0), count, [&](Value number) {
      updates.apply(list, number, updates.slice(list, number), e.cst(0));
    });
  });
}

void applyAt(Emitter &e, ScatterOp op, Value updates, ValueRange from,
             Value target, ValueRange to) {
  Value update = load(e, updates, from);
  Value old =
      op.getKind() == ScatterKind::Assign ? update : load(e, target, to);
  store(e, combine(e.builder, e.loc, op.getKind(), old, update), target, to);
}

/// Scalars whose coordinates are those of the update except along `axis`:
/// updates that differ in another coordinate address different places.
void emitElements(Emitter &e, ScatterOp op, int64_t axis, Value indices,
                  Value updates, Value target) {
  SmallVector<OpFoldResult> sizes =
      memref::getMixedSizes(e.builder, e.loc, updates);
  auto place = [&, axis](ValueRange list, Value along) {
    SmallVector<Value> coordinates(list.begin(), list.end());
    coordinates.insert(coordinates.begin() + axis, along);
    return coordinates;
  };
  Updates all;
  all.lists = sizes;
  all.lists.erase(all.lists.begin() + axis);
  all.count = sizes[axis];
  all.slices = memref::getMixedSize(e.builder, e.loc, target, axis);
  all.width = e.builder.getIndexAttr(1);
  Value size = getValueOrCreateConstantIndexOp(e.builder, e.loc, all.slices);
  all.slice = [&](ValueRange list, Value number) {
    return checkedIndex(e.builder, op, load(e, indices, place(list, number)),
                        size);
  };
  all.apply = [&](ValueRange list, Value number, Value slice, Value) {
    applyAt(e, op, updates, place(list, number), target, place(list, slice));
  };
  int64_t lists = 1;
  bool known = true;
  for (OpFoldResult list : all.lists) {
    std::optional<int64_t> number = getConstantIntValue(list);
    known &= number.has_value();
    lists *= number.value_or(1);
  }
  std::optional<int64_t> count = getConstantIntValue(all.count);
  bool isShort = count && *count <= tuning::kShortList;
  if (all.lists.empty() || (known && lists < tuning::kManyLists && !isShort))
    emitOwners(e, all);
  else
    emitLists(e, all);
}

/// Slices of the target.
void emitSlices(Emitter &e, ScatterOp op, Value indices, Value updates,
                Value target) {
  OpBuilder &builder = e.builder;
  SmallVector<OpFoldResult> indexSizes =
      memref::getMixedSizes(builder, e.loc, indices);
  SmallVector<OpFoldResult> sizes =
      memref::getMixedSizes(builder, e.loc, target);
  // The verifier requires a static last dimension.
  int64_t depth = *getConstantIntValue(indexSizes.back());
  ArrayRef<OpFoldResult> leading = ArrayRef(sizes).take_front(depth);
  Updates all;
  all.count = product(builder, e.loc, ArrayRef(indexSizes).drop_back());
  all.slices = product(builder, e.loc, leading);
  all.width = product(builder, e.loc, ArrayRef(sizes).drop_front(depth));
  auto rowsOf = [&](Value buffer, OpFoldResult count, OpFoldResult width) {
    OpFoldResult shape[] = {count, width};
    return viewAs(builder, e.loc, buffer, shape);
  };
  Value numbers = rowsOf(indices, all.count, builder.getIndexAttr(depth));
  Value from = rowsOf(updates, all.count, all.width);
  Value to = rowsOf(target, all.slices, all.width);
  all.slice = [&](ValueRange, Value number) {
    Value slice = e.cst(0);
    for (int64_t i = 0; i < depth; ++i) {
      Value size = getValueOrCreateConstantIndexOp(builder, e.loc, leading[i]);
      Value index =
          checkedIndex(builder, op, load(e, numbers, {number, e.cst(i)}), size);
      slice = e.add(e.mul(slice, size), index);
    }
    return slice;
  };
  all.apply = [&](ValueRange, Value number, Value slice, Value i) {
    applyAt(e, op, from, {number, i}, to, {slice, i});
  };
  emitOwners(e, all);
}
} // namespace

void hone::buffer::emitTeamScatter(OpBuilder &builder, ScatterOp op,
                                   Value input, Value indices, Value updates,
                                   Value target) {
  Emitter e(builder, op.getLoc());
  copyBuffer(builder, e.loc, input, target);
  if (std::optional<int64_t> axis = op.getAxis())
    emitElements(e, op, *axis, indices, updates, target);
  else
    emitSlices(e, op, indices, updates, target);
}
