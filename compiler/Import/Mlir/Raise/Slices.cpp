// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Parts of tensors: slices, insertions and pads.
#include "compiler/Import/Mlir/Raise/Body.h"
#include "compiler/Import/Mlir/Raise/Raiser.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace hone;
using namespace hone::raise;

namespace {
/// Part of a tensor.
struct Part {
  Sizes offsets, sizes;
  Ints steps;
};
} // namespace

/// Offsets, sizes and steps that are inside a tensor: checked at run time where
/// they are not known.
static FailureOr<Part> partOf(Raiser &r, OffsetSizeAndStrideOpInterface op,
                              Value whole) {
  Part part{r.sizes(op.getMixedOffsets()), r.sizes(op.getMixedSizes()), {}};
  Sizes own = r.sizesOf(whole);
  for (auto [i, old] : llvm::enumerate(op.getMixedStrides())) {
    std::optional<int64_t> step = Raiser::known(r.size(old));
    if (!step || *step <= 0)
      return r.fail(op, "its strides must be known and positive");
    part.steps.push_back(*step);
    Size offset = part.offsets[i], size = part.sizes[i];
    if (Raiser::known(offset) == 0 && *step == 1 && r.same(size, own[i]))
      continue;
    // How many elements there are from the offset on: nothing overflows once
    // that is inside.
    Size rest = r.dims.sub(r.b, r.loc,
                           r.dims.sub(r.b, r.loc, own[i], r.index(1)), offset);
    Size most = r.dims.add(r.b, r.loc,
                           r.dims.floorDiv(r.b, r.loc, rest, r.index(*step)),
                           r.index(1));
    auto atLeast = [&](Size a, Size b) {
      std::optional<int64_t> left = Raiser::known(a), right = Raiser::known(b);
      if (left && right)
        return *left >= *right;
      r.require(arith::CmpIOp::create(r.b, r.loc, arith::CmpIPredicate::sge,
                                      r.value(a), r.value(b)),
                "a slice is inside its tensor");
      return true;
    };
    if (!atLeast(offset, r.index(0)) || !atLeast(own[i], offset) ||
        !atLeast(size, r.index(0)) || !atLeast(most, size))
      return r.fail(op, "it leaves its tensor along axis " + Twine(i));
  }
  return part;
}

static LogicalResult raise(Raiser &r, tensor::ExtractSliceOp op) {
  Value v = r.lookup(op.getSource());
  FailureOr<Part> part = partOf(r, op, v);
  if (failed(part))
    return failure();
  Value cut = r.slice(v, part->offsets, part->sizes, part->steps);
  llvm::SmallBitVector dropped = op.getDroppedDims();
  Sizes sizes;
  for (auto [i, size] : llvm::enumerate(part->sizes))
    if (!dropped.test(i))
      sizes.push_back(size);
  r.define(op.getResult(), r.reshape(cut, sizes));
  return success();
}

/// The elements of `inner` where a map over `outer` is inside of it, those that
/// `otherwise` gives elsewhere.
static FailureOr<Value>
place(Raiser &r, Value inner, const Part &part, Type element,
      ArrayRef<Size> outer, ValueRange inputs,
      llvm::function_ref<LogicalResult(raise::Body &, OpBuilder &, ValueRange,
                                       ValueRange, Value &)>
          otherwise) {
  Type storage = storageType(element);
  Sizes own = r.sizesOf(inner);
  LogicalResult result = success();
  Operation *map =
      r.mapOp(storage, inputs, outer, [&](OpBuilder &b, ValueRange elements) {
        raise::Body body(r, b, /*onHost=*/false);
        SmallVector<Value> at, places;
        Value inside = arith::ConstantIntOp::create(b, r.loc, 1, 1);
        auto both = [&](arith::CmpIPredicate predicate, Value x, Value y) {
          inside = b.createOrFold<arith::AndIOp>(
              r.loc, inside, arith::CmpIOp::create(b, r.loc, predicate, x, y));
        };
        auto constant = [&](int64_t value) -> Value {
          return arith::ConstantIndexOp::create(b, r.loc, value);
        };
        auto valueOf = [&](Size size) {
          std::optional<int64_t> number = Raiser::known(size);
          return number ? constant(*number) : r.value(size);
        };
        for (auto [i, size] : llvm::enumerate(outer)) {
          at.push_back(graph::IndexOp::create(b, r.loc, i));
          places.push_back(at.back());
          if (Raiser::known(part.offsets[i]) == 0 && part.steps[i] == 1 &&
              r.same(size, own[i]))
            continue;
          Value distance = arith::SubIOp::create(b, r.loc, at.back(),
                                                 valueOf(part.offsets[i]));
          both(arith::CmpIPredicate::sge, distance, constant(0));
          places.back() = distance;
          if (part.steps[i] != 1) {
            Value step = constant(part.steps[i]);
            places.back() =
                arith::FloorDivSIOp::create(b, r.loc, distance, step);
            both(arith::CmpIPredicate::eq,
                 arith::MulIOp::create(b, r.loc, places.back(), step),
                 distance);
          }
          both(arith::CmpIPredicate::slt, places.back(), valueOf(own[i]));
        }
        auto choice = scf::IfOp::create(b, r.loc, storage, inside,
                                        /*withElseRegion=*/true);
        b.setInsertionPointToStart(choice.thenBlock());
        Value taken = tensor::ExtractOp::create(b, r.loc, inner, places);
        scf::YieldOp::create(b, r.loc, taken);
        b.setInsertionPointToStart(choice.elseBlock());
        Value other;
        result = otherwise(body, b, at, elements, other);
        if (failed(result))
          return;
        scf::YieldOp::create(b, r.loc, other);
        b.setInsertionPointAfter(choice);
        graph::YieldOp::create(b, r.loc, choice.getResult(0));
      });
  if (failed(result))
    return failure();
  return map->getResult(0);
}

/// Whether the host can write a slice by one copy.
static bool isContiguous(Raiser &r, const Part &part, ArrayRef<Size> whole) {
  size_t cut = whole.size();
  while (cut > 0 && Raiser::known(part.offsets[cut - 1]) == 0 &&
         r.same(part.sizes[cut - 1], whole[cut - 1]))
    --cut;
  for (size_t i = 0; i + 1 < cut; ++i)
    if (Raiser::known(part.sizes[i]) != 1)
      return false;
  return llvm::all_of(part.steps, [](int64_t step) { return step == 1; });
}

static LogicalResult raise(Raiser &r, tensor::InsertSliceOp op) {
  Value target = r.lookup(op.getDest()), source = r.lookup(op.getSource());
  FailureOr<Part> part = partOf(r, op, target);
  if (failed(part))
    return failure();
  llvm::SmallBitVector dropped = op.getDroppedDims();
  Sizes given = r.sizesOf(source);
  for (size_t i = 0, next = 0; i < part->sizes.size(); ++i)
    if (!dropped.test(i) && failed(r.agree(op, part->sizes[i], given[next++])))
      return failure();
  source = r.reshape(source, part->sizes);
  Sizes whole = r.sizesOf(target);
  // In loops it is the result that grows, which the host writes in place.
  if (op->getParentOfType<LoopLikeOpInterface>() &&
      isContiguous(r, *part, whole)) {
    Sizes steps(whole.size(), r.index(1));
    r.define(op.getResult(),
             tensor::InsertSliceOp::create(r.b, r.loc, source, target,
                                           part->offsets, part->sizes, steps));
    return success();
  }
  FailureOr<Value> made = place(
      r, source, *part, getElementTypeOrSelf(op.getSource()), whole, target,
      [&](raise::Body &, OpBuilder &, ValueRange, ValueRange elements,
          Value &other) {
        other = elements[0];
        return success();
      });
  if (failed(made))
    return failure();
  r.define(op.getResult(), *made);
  return success();
}

static LogicalResult raise(Raiser &r, tensor::PadOp op) {
  Value v = r.lookup(op.getSource());
  Sizes low = r.sizes(op.getMixedLowPad()),
        high = r.sizes(op.getMixedHighPad()), own = r.sizesOf(v), sizes;
  Ints lowNumbers, highNumbers;
  for (size_t i = 0; i < own.size(); ++i) {
    sizes.push_back(r.dims.add(
        r.b, r.loc, r.dims.add(r.b, r.loc, own[i], low[i]), high[i]));
    if (std::optional<int64_t> number = Raiser::known(low[i]))
      lowNumbers.push_back(*number);
    if (std::optional<int64_t> number = Raiser::known(high[i]))
      highNumbers.push_back(*number);
    if (std::optional<int64_t> size = Raiser::known(sizes[i]);
        size && *size < 0)
      return r.fail(op, "it takes more away than there is");
  }
  Attribute constant;
  Type element = op.getSourceType().getElementType();
  Value padding = op.getConstantPaddingValue();
  bool areKnown =
      lowNumbers.size() == own.size() && highNumbers.size() == own.size();
  if (areKnown && padding && element == storageType(element) &&
      matchPattern(padding, m_Constant(&constant))) {
    Value value =
        arith::ConstantOp::create(r.b, r.loc, cast<TypedAttr>(constant));
    r.define(op.getResult(),
             graph::PadOp::create(r.b, r.loc, r.tensorType(element, sizes), v,
                                  value, lowNumbers, highNumbers));
    return success();
  }
  Part part{low, own, Ints(own.size(), 1)};
  Block &block = op.getRegion().front();
  FailureOr<Value> made = place(
      r, v, part, element, sizes, {},
      [&](raise::Body &body, OpBuilder &, ValueRange at, ValueRange,
          Value &other) {
        for (auto [argument, index] : llvm::zip_equal(block.getArguments(), at))
          body.define(argument, index);
        if (failed(body.clone(block)))
          return failure();
        other = body.stored(block.getTerminator()->getOperand(0));
        return success();
      });
  if (failed(made))
    return failure();
  r.define(op.getResult(), *made);
  return success();
}

LogicalResult hone::raise::raiseSlice(Raiser &r, Operation *op) {
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
    return ::raise(r, slice);
  if (auto insertion = dyn_cast<tensor::InsertSliceOp>(op))
    return ::raise(r, insertion);
  return ::raise(r, cast<tensor::PadOp>(op));
}
