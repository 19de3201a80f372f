// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The builders of NodeBuilder that broadcast and move tensors.
#include "compiler/Import/Onnx/Builder/NodeBuilder.h"
#include "hone/abi.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace hone::onnx;

static constexpr int64_t kMaxFollowed = 64;

RankedTensorType NodeBuilder::tensorType(ElementType elem,
                                         ArrayRef<Size> dims) {
  SmallVector<int64_t> shape, fixed;
  if (dims.size() > HONE_MAX_RANK)
    fail("gives a tensor of " + Twine(dims.size()) + " dimensions; at most " +
         Twine(HONE_MAX_RANK) + " are supported");
  for (Size size : dims) {
    std::optional<int64_t> number = known(size);
    if (number && *number < 0) {
      fault("gives a tensor of negative size " + Twine(*number));
      number = 0;
    }
    shape.push_back(number.value_or(ShapedType::kDynamic));
    fixed.push_back(number.value_or(1));
  }
  int64_t count = elementCount(fixed);
  if (count < 0 || packedBytes(ElementType::Double, count) < 0) {
    fail("gives a tensor that is too large");
    shape.assign(shape.size(), 0);
  }
  mlir::Type element = storageType(b.getContext(), elem);
  if (!element) {
    fail("gives a tensor of " + elementTypeName(elem) +
         ", which is not supported");
    element = b.getF32Type();
  }
  return RankedTensorType::get(shape, element);
}

SmallVector<Value> NodeBuilder::dynamic(ArrayRef<Size> dims) {
  SmallVector<Value> result;
  for (Size size : dims)
    if (!known(size))
      result.push_back(llvm::cast<Value>(size));
  return result;
}

//===- Broadcast ----------------------------------------------------------===//

Sizes NodeBuilder::broadcastDims(ArrayRef<Val> values) {
  int64_t rank = 0;
  for (Val v : values)
    rank = std::max(rank, v.rank());
  Sizes result(rank, index(1));
  for (int64_t axis = 0; axis < rank; ++axis) {
    Size &size = result[axis];
    // Known sizes first: one above 1 decides, and the free ones must match it.
    for (Val v : values) {
      int64_t own = axis - (rank - v.rank());
      if (own < 0 || v.type().isDynamicDim(own) || v.shape()[own] == 1)
        continue;
      if (known(size) == 1)
        size = index(v.shape()[own]);
      else if (known(size) != v.shape()[own])
        fault("has inputs whose sizes " + Twine(*known(size)) + " and " +
              Twine(v.shape()[own]) + " do not broadcast");
    }
    if (known(size) != 1)
      continue;
    for (Val v : values) {
      int64_t own = axis - (rank - v.rank());
      if (own < 0 || !v.type().isDynamicDim(own))
        continue;
      Size next = dim(v, own);
      if (known(size) == 1)
        size = next;
      else if (!same(size, next)) {
        Scalar left = host().size(size), right = host().size(next);
        size = toSize(select(eq(left, 1), right, left));
      }
    }
  }
  return result;
}

Val NodeBuilder::alignTo(Val v, ArrayRef<Size> target) {
  if (!areTensors(v))
    return placeholder();
  if (v.rank() > static_cast<int64_t>(target.size())) {
    fail("cannot broadcast a tensor of " + Twine(v.rank()) +
         " dimensions to one of " + Twine(target.size()));
    return v;
  }
  int64_t lead = static_cast<int64_t>(target.size()) - v.rank();
  Sizes own = dims(v), aligned = own;
  bool fits = true;
  for (int64_t i = 0; i < v.rank(); ++i) {
    if (known(own[i]) == 1 || same(own[i], target[lead + i]))
      continue;
    fits = false;
    aligned[i] = target[lead + i];
  }
  if (fits)
    return v;
  // 1, or equal: checked once, so that elements need no check. A known size
  // above 1 leaves only the second.
  ScalarBuilder &s = host();
  bool broadcasts = false;
  Scalar allEqual = s.boolean(true);
  for (int64_t i = 0; i < v.rank(); ++i) {
    if (same(own[i], aligned[i]))
      continue;
    Scalar have = s.size(own[i]);
    Scalar equal = eq(have, s.size(aligned[i]));
    allEqual = bitAnd(allEqual, equal);
    std::optional<int64_t> known = this->known(own[i]);
    bool mayBeOne = !known || *known == 1;
    broadcasts |= mayBeOne;
    require(mayBeOne ? bitOr(equal, eq(have, 1)) : equal,
            "the sizes of its inputs broadcast");
  }
  if (!broadcasts)
    return relabel(v, aligned);
  int64_t last = v.rank() - 1;
  bool mayBroadcastRows =
      known(own[last]) != 1 && !same(own[last], aligned[last]);
  Scalar rowIsOne = eq(s.size(own[last]), 1);
  auto copy = [&](bool isOne) {
    return move(aligned, v.elem, [&](ScalarBuilder &s) {
      SmallVector<Scalar> indices;
      for (int64_t i = 0; i < v.rank(); ++i) {
        Scalar zero = s.indexConstant(0);
        if (known(own[i]) == 1 || (i == last && isOne))
          indices.push_back(zero);
        else if (same(own[i], aligned[i]) || i == last)
          indices.push_back(s.index(i));
        else
          indices.push_back(select(eq(s.size(own[i]), 1), zero, s.index(i)));
      }
      return s.extract(v.value, indices);
    });
  };
  // Nothing is copied if all are equal, as is usual; otherwise whole rows, or
  // single elements.
  return choose(
      allEqual, v.elem, aligned, [&] { return v; },
      [&] {
        if (!mayBroadcastRows)
          return copy(false);
        return choose(
            rowIsOne, v.elem, aligned, [&] { return copy(true); },
            [&] { return copy(false); });
      });
}

Val NodeBuilder::choose(const Scalar &condition, ElementType elem,
                        ArrayRef<Size> dims, function_ref<Val()> then,
                        function_ref<Val()> otherwise) {
  auto choice =
      scf::IfOp::create(b, loc, mlir::TypeRange(tensorType(elem, dims)),
                        condition.value, /*withElse=*/true);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(choice.thenBlock());
    scf::YieldOp::create(b, loc, relabel(then(), dims).value);
    b.setInsertionPointToStart(choice.elseBlock());
    scf::YieldOp::create(b, loc, relabel(otherwise(), dims).value);
  }
  return relabel({choice.getResult(0), elem}, dims);
}

Val NodeBuilder::relabel(Val v, ArrayRef<Size> target) {
  return {graph::ReshapeOp::create(b, loc, tensorType(v.elem, target), v.value,
                                   dynamic(target)),
          v.elem};
}

bool NodeBuilder::require(const Scalar &condition, const Twine &what) {
  APInt number;
  if (matchPattern(condition.value, m_ConstantInt(&number))) {
    if (number.isZero())
      fault("does not hold: " + what);
    return !number.isZero();
  }
  cf::AssertOp::create(b, loc, condition.value, what.str());
  return true;
}

void NodeBuilder::requireSource(ArrayRef<Size> source, ArrayRef<Size> result) {
  ScalarBuilder &s = host();
  Scalar holds = s.boolean(true);
  for (Size size : source)
    if (known(size).value_or(0) <= 0)
      holds = bitAnd(holds, gt(s.size(size), 0));
  for (Size size : result)
    if (known(size).value_or(0) <= 0)
      holds = bitOr(holds, eq(s.size(size), 0));
  require(holds, "there are elements to read");
}

bool NodeBuilder::isFree(Size size) {
  SmallVector<Value> pending;
  if (auto value = llvm::dyn_cast<Value>(size))
    pending.push_back(value);
  for (int visited = 0; !pending.empty(); ++visited) {
    Operation *op = pending.pop_back_val().getDefiningOp();
    if (!op || visited > 64)
      return false;
    if (isa<graph::DimOp, arith::ConstantOp>(op))
      continue;
    if (!isa<arith::ArithDialect>(op->getDialect()))
      return false;
    llvm::append_range(pending, op->getOperands());
  }
  return true;
}

Val NodeBuilder::expand(Val v, ArrayRef<Size> target) {
  int64_t lead = static_cast<int64_t>(target.size()) - v.rank();
  Sizes own = dims(v);
  bool equal = lead == 0;
  for (int64_t i = 0; i < v.rank() && equal; ++i)
    equal = same(own[i], target[i]);
  if (equal)
    return v;
  if (std::optional<Val> moved =
          moveOnHost({v}, target, [&](ArrayRef<int64_t> at) {
            int64_t position = 0;
            for (int64_t i = 0; i < v.rank(); ++i)
              position = position * v.shape()[i] +
                         (v.shape()[i] == 1 ? 0 : at[lead + i]);
            return std::make_pair(size_t(0), position);
          }))
    return *moved;
  Val aligned = alignTo(v, target);
  auto op =
      graph::MapOp::create(b, loc, mlir::TypeRange(tensorType(v.elem, target)),
                           ValueRange(aligned.value), dynamic(target),
                           [&](OpBuilder &inner, Location, ValueRange x) {
                             graph::YieldOp::create(inner, loc, x[0]);
                           });
  return {op->getResult(0), v.elem};
}

bool NodeBuilder::agree(Size x, Size y, const Twine &what) {
  std::optional<int64_t> left = known(x), right = known(y);
  if (!left || !right || *left == *right)
    return true;
  fault(what + " do not agree: " + Twine(*left) + " and " + Twine(*right));
  return false;
}

Val NodeBuilder::withDims(Val v, ArrayRef<Size> target, const Twine &what) {
  if (!haveRank(v, target.size()))
    return v;
  Sizes own = dims(v);
  bool equal = true;
  for (int64_t i = 0; i < v.rank(); ++i) {
    if (!agree(own[i], target[i], what))
      return v;
    equal &= same(own[i], target[i]);
  }
  if (equal)
    return v;
  for (int64_t i = 0; i < v.rank(); ++i)
    if (!same(own[i], target[i]))
      require(eq(host().size(own[i]), host().size(target[i])), what + " agree");
  return relabel(v, target);
}

Val NodeBuilder::withSize(Val v, int64_t axis, Size size, const Twine &what) {
  Sizes sizes = dims(v);
  sizes[axis] = size;
  return withDims(v, sizes, what);
}

//===- Movement -----------------------------------------------------------===//

std::optional<Val> NodeBuilder::moveOnHost(ArrayRef<Val> values,
                                           ArrayRef<Size> sizes, Pick pick) {
  SmallVector<int64_t> shape;
  for (Size size : sizes) {
    std::optional<int64_t> number = known(size);
    if (!number || *number < 0)
      return std::nullopt;
    shape.push_back(*number);
  }
  int64_t count = elementCount(shape);
  if (count < 0 || count > kMaxFollowed)
    return std::nullopt;
  ScalarBuilder s(b, loc, &dimBuilder);
  SmallVector<SmallVector<Scalar>> scalars;
  for (Val v : values)
    if (!v.isStatic() || !hostScalars(v, s, scalars.emplace_back()))
      return std::nullopt;
  SmallVector<Scalar> results;
  SmallVector<int64_t> at(shape.size());
  for (int64_t i = 0; i < count; ++i) {
    int64_t rest = i;
    for (int64_t axis = shape.size() - 1; axis >= 0; --axis) {
      at[axis] = rest % shape[axis];
      rest /= shape[axis];
    }
    auto [input, position] = pick(at);
    if (position < 0 || position >= static_cast<int64_t>(scalars[input].size()))
      return std::nullopt;
    results.push_back(scalars[input][position]);
  }
  return fromHost(results, shape, values.front().elem);
}

Val NodeBuilder::reshape(Val v, ArrayRef<Size> target) {
  if (!areTensors(v))
    return placeholder();
  Sizes own = dims(v);
  if (own.size() == target.size() &&
      llvm::all_of(llvm::zip(own, target), [&](auto pair) {
        return same(std::get<0>(pair), std::get<1>(pair));
      }))
    return v;
  Size before = product(own), after = product(target);
  std::optional<int64_t> had = known(before), wanted = known(after);
  if (had && wanted && *had != *wanted) {
    fault("reshapes a tensor of " + Twine(*had) + " elements to " +
          Twine(*wanted));
    return relabel(v, target);
  }
  // Depends on data or free dimensions.
  if (!same(before, after))
    require(eq(host().size(before), host().size(after)),
            "the number of elements stays");
  Sizes sizes(target);
  int64_t position = 0;
  if (std::optional<Val> moved = moveOnHost({v}, sizes, [&](ArrayRef<int64_t>) {
        return std::make_pair(size_t(0), position++);
      }))
    return *moved;
  return {graph::ReshapeOp::create(b, loc, tensorType(v.elem, sizes), v.value,
                                   dynamic(sizes)),
          v.elem};
}

Val NodeBuilder::transpose(Val v, ArrayRef<int64_t> permutation) {
  if (!haveRank(v, permutation.size()))
    return v;
  bool identity = true;
  Sizes own = dims(v), sizes;
  for (auto [i, axis] : llvm::enumerate(permutation)) {
    identity &= static_cast<int64_t>(i) == axis;
    sizes.push_back(own[axis]);
  }
  if (identity)
    return v;
  if (std::optional<Val> moved =
          moveOnHost({v}, sizes, [&](ArrayRef<int64_t> at) {
            int64_t position = 0;
            for (int64_t i = 0; i < v.rank(); ++i)
              position = position * v.shape()[i] +
                         at[llvm::find(permutation, i) - permutation.begin()];
            return std::make_pair(size_t(0), position);
          }))
    return *moved;
  return {graph::TransposeOp::create(b, loc, tensorType(v.elem, sizes), v.value,
                                     permutation),
          v.elem};
}

Val NodeBuilder::slice(Val v, ArrayRef<Size> offsets, ArrayRef<Size> sizes,
                       ArrayRef<int64_t> steps) {
  if (!haveRank(v, sizes.size()))
    return v;
  Ints by(steps);
  by.resize(v.rank(), 1);
  Sizes own = dims(v);
  bool whole = true, allKnown = v.isStatic();
  SmallVector<int64_t> staticOffsets;
  SmallVector<Value> dynamicOffsets;
  for (int64_t i = 0; i < v.rank(); ++i) {
    whole &= known(offsets[i]) == 0 && by[i] == 1 && same(own[i], sizes[i]);
    std::optional<int64_t> offset = known(offsets[i]);
    allKnown &= offset.has_value();
    staticOffsets.push_back(offset.value_or(ShapedType::kDynamic));
    if (!offset)
      dynamicOffsets.push_back(llvm::cast<Value>(offsets[i]));
  }
  if (whole)
    return v;
  if (allKnown)
    if (std::optional<Val> moved =
            moveOnHost({v}, sizes, [&](ArrayRef<int64_t> at) {
              int64_t position = 0;
              for (int64_t i = 0; i < v.rank(); ++i)
                position =
                    position * v.shape()[i] + staticOffsets[i] + at[i] * by[i];
              return std::make_pair(size_t(0), position);
            }))
      return *moved;
  return {graph::SliceOp::create(b, loc, tensorType(v.elem, sizes), v.value,
                                 dynamicOffsets, dynamic(sizes), staticOffsets,
                                 by),
          v.elem};
}

Val NodeBuilder::sliceAxis(Val v, int64_t axis, Size from, Size size) {
  if (!hasAxis(v, axis))
    return v;
  Sizes offsets(v.rank(), index(0)), sizes = dims(v);
  offsets[axis] = from;
  sizes[axis] = size;
  return slice(v, offsets, sizes);
}

Val NodeBuilder::concat(ArrayRef<Val> values, int64_t axis) {
  if (!haveRank(values, values.front().rank()) ||
      !hasAxis(values.front(), axis))
    return values.front();
  for (const Val &v : values)
    if (v.elem != values.front().elem) {
      fail("joins tensors of " + elementTypeName(values.front().elem) +
           " and " + elementTypeName(v.elem));
      return values.front();
    }
  if (values.size() == 1)
    return values.front();
  Sizes sizes = dims(values.front());
  // A known size is the better reference for the others.
  for (Val v : values)
    for (int64_t i = 0; i < v.rank(); ++i)
      if (i != axis && !known(sizes[i]))
        sizes[i] = dim(v, i);
  Size total = index(0);
  SmallVector<Val> parts;
  SmallVector<int64_t> starts;
  for (Val v : values) {
    starts.push_back(known(total).value_or(0));
    sizes[axis] = dim(v, axis);
    parts.push_back(withDims(v, sizes, "the sizes of its inputs"));
    total = add(total, sizes[axis]);
  }
  sizes[axis] = total;
  if (std::optional<Val> moved =
          moveOnHost(parts, sizes, [&](ArrayRef<int64_t> at) {
            size_t part = parts.size() - 1;
            while (part > 0 && starts[part] > at[axis])
              --part;
            // Empty parts start where the next does.
            int64_t position = 0;
            for (int64_t i = 0; i < parts[part].rank(); ++i)
              position = position * parts[part].shape()[i] + at[i] -
                         (i == axis ? starts[part] : 0);
            return std::make_pair(part, position);
          }))
    return *moved;
  SmallVector<Value> operands;
  for (Val v : parts)
    operands.push_back(v.value);
  return {graph::ConcatOp::create(b, loc,
                                  tensorType(values.front().elem, sizes),
                                  operands, dynamic(sizes), axis),
          values.front().elem};
}

Val NodeBuilder::pad(Val v, Value value, ArrayRef<int64_t> low,
                     ArrayRef<int64_t> high) {
  if (!haveRank(v, low.size()))
    return v;
  Sizes sizes = dims(v);
  bool none = true;
  for (int64_t i = 0; i < v.rank(); ++i) {
    sizes[i] = add(add(sizes[i], low[i]), high[i]);
    none &= low[i] == 0 && high[i] == 0;
  }
  if (none)
    return v;
  return {graph::PadOp::create(b, loc, tensorType(v.elem, sizes), v.value,
                               value, low, high),
          v.elem};
}

Val NodeBuilder::padAtRun(Val v, ArrayRef<Size> low, ArrayRef<Size> sizes,
                          llvm::function_ref<Value(ScalarBuilder &)> value) {
  Sizes own = dims(v);
  return move(sizes, v.elem, [&](ScalarBuilder &s) {
    SmallVector<Scalar> at;
    Scalar inside = s.boolean(true);
    for (auto [i, size] : llvm::enumerate(own)) {
      bool moves = known(low[i]) != 0;
      at.push_back(moves ? s.index(i) - s.size(low[i]) : s.index(i));
      if (moves || !same(size, sizes[i]))
        inside = bitAnd(inside,
                        bitAnd(ge(at.back(), 0), lt(at.back(), s.size(size))));
    }
    return s.extractWhere(inside, v.value, at, s.wrap(value(s)));
  });
}

Val NodeBuilder::gather(Val v, Val indices, int64_t axis) {
  if (!areTensors({v, indices}) || !hasAxis(v, axis))
    return placeholder();
  if (indices.elem != ElementType::Int64 &&
      indices.elem != ElementType::Int32) {
    fail("takes indices of int32 or int64, not " +
         elementTypeName(indices.elem));
    return v;
  }
  Sizes sizes, own = dims(v), places = dims(indices);
  sizes.append(own.begin(), own.begin() + axis);
  sizes.append(places.begin(), places.end());
  sizes.append(own.begin() + axis + 1, own.end());
  if (std::optional<Ints> numbers = knownInts(indices);
      numbers && v.isStatic()) {
    int64_t size = v.shape()[axis];
    for (int64_t number : *numbers)
      if (number < -size || number >= size) {
        fault("gathers element " + Twine(number) + " of " + Twine(size));
        break;
      }
    if (std::optional<Val> moved =
            moveOnHost({v}, sizes, [&](ArrayRef<int64_t> at) {
              int64_t place = 0;
              for (int64_t i = 0; i < indices.rank(); ++i)
                place = place * indices.shape()[i] + at[axis + i];
              int64_t number = (*numbers)[place];
              int64_t position = 0;
              for (int64_t i = 0; i < v.rank(); ++i) {
                int64_t coordinate = i < axis ? at[i]
                                     : i == axis
                                         ? (number < 0 ? number + size : number)
                                         : at[i + indices.rank() - 1];
                position = position * v.shape()[i] + coordinate;
              }
              return std::make_pair(size_t(0), position);
            }))
      return *moved;
  }
  return {graph::GatherOp::create(b, loc, tensorType(v.elem, sizes), v.value,
                                  indices.value, axis),
          v.elem};
}

Val NodeBuilder::squeeze(Val v, ArrayRef<int64_t> axes) {
  Sizes sizes;
  for (auto [i, size] : llvm::enumerate(dims(v)))
    if (!llvm::is_contained(axes, static_cast<int64_t>(i)))
      sizes.push_back(size);
    else if (known(size) && *known(size) != 1)
      fault("removes a dimension of size " + Twine(*known(size)));
  return reshape(v, sizes);
}

Val NodeBuilder::unsqueeze(Val v, ArrayRef<int64_t> axes) {
  Sizes sizes, own = dims(v);
  auto next = own.begin();
  for (int64_t i = 0, rank = own.size() + axes.size(); i < rank; ++i)
    sizes.push_back(llvm::is_contained(axes, i) || next == own.end() ? index(1)
                                                                     : *next++);
  return reshape(v, sizes);
}
