// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reductions, arg-reductions and running sums.
#include "compiler/Import/Onnx/Builder/OpTable.h"
#include "compiler/Import/Onnx/Operators/RuntimeAxes.h"

using namespace mlir;
using namespace hone::onnx;
using hone::graph::ReduceKind;

namespace {

/// What to reduce, along which axes.
struct Reduction {
  Val x;
  Ints axes;
  /// Replaces the axes if they are only known at run time.
  SmallVector<Scalar> flags;
  /// How many dimensions remain without keepdims.
  int64_t rank = 0;
  bool keepdims = true;
};

/// `axesAsInput`: the opset from which the axes are an input. Nothing if the
/// node passes its input through.
std::optional<Reduction> parse(NodeBuilder &n, int64_t axesAsInput) {
  Reduction r;
  r.x = n.in(0);
  r.keepdims = n.intAttr("keepdims", 1) != 0;
  bool asInput = n.opset >= axesAsInput && n.has(1);
  bool none =
      asInput && n.in(1).isStatic() && n.in(1).type().getNumElements() == 0;
  if (asInput && !none && !n.knownInts(n.in(1))) {
    if (!n.in(1).isStatic() && !r.keepdims) {
      n.fail("has axes whose number is not known: it decides how many "
             "dimensions the result has");
      return r;
    }
    r.flags = axisFlags(n, n.in(1), r.x.rank());
    if (!n.in(1).isStatic()) {
      // Without axes all are meant.
      if (!n.intAttr("noop_with_empty_axes") && !n.failed())
        for (Scalar &flag : r.flags)
          flag = bitOr(flag, eq(n.host().size(n.dim(n.in(1), 0)), 0));
      return r;
    }
    r.rank = r.x.rank() - (n.failed() ? 0 : n.in(1).type().getNumElements());
    if (r.rank < 0)
      n.fail("has more axes than its input has dimensions");
    return r;
  }
  std::optional<Ints> axes;
  if (!none)
    axes = n.axes("axes", n.opset >= axesAsInput ? 1 : SIZE_MAX, r.x.rank());
  if (!axes || axes->empty()) {
    if (n.opset >= axesAsInput && n.intAttr("noop_with_empty_axes"))
      return std::nullopt;
    for (int64_t i = 0; i < r.x.rank(); ++i)
      r.axes.push_back(i);
  } else {
    r.axes = *axes;
  }
  return r;
}

Val reduce(NodeBuilder &n, ReduceKind kind, Val x, const Reduction &r,
           bool keepdims) {
  if (r.flags.empty())
    return n.reduce(kind, x, r.axes, keepdims);
  Sizes sizes = n.dims(x);
  Val result = alongFlagged(n, x, r.flags, n.index(1), [&](Val v, int64_t i) {
    return n.reduce(kind, v, {i}, /*keepdims=*/true);
  });
  return keepdims ? result
                  : n.reshape(result, sizesWithout(n, sizes, r.flags, r.rank));
}

/// The number of elements combined in each result.
Size countOf(NodeBuilder &n, const Reduction &r) {
  Size count = n.index(1);
  for (int64_t axis : r.axes)
    count = n.mul(count, n.dim(r.x, axis));
  for (auto [i, flag] : llvm::enumerate(r.flags))
    count = n.mul(count, n.toSize(select(flag, n.host().size(n.dim(r.x, i)),
                                         n.host().indexConstant(1))));
  return count;
}

using Formula = Scalar (*)(const Scalar &);

void addReduction(OpTable &table, StringRef name, int64_t axesAsInput,
                  ReduceKind kind, Formula before = nullptr,
                  Formula after = nullptr) {
  table.add(
      name,
      [=](NodeBuilder &n) {
        std::optional<Reduction> r = parse(n, axesAsInput);
        if (n.failed())
          return failure();
        Val x = n.in(0);
        // Axes only known at run time are reduced one after another.
        bool rounds = before || after || (r && !r->flags.empty());
        if (rounds)
          x = n.widened(x);
        if (before)
          x = n.map(x, [&](Scalar s) { return before(s); });
        if (r)
          x = reduce(n, kind, x, *r, r->keepdims);
        if (after)
          x = n.map(x, [&](Scalar s) { return after(s); });
        return n.out(n.cast(x, n.in(0).elem));
      },
      1, 2);
}

Scalar square(const Scalar &x) { return x * x; }

/// The square root of an integer is truncated.
Scalar root(const Scalar &x) {
  if (x.isFloat())
    return sqrt(x);
  ScalarBuilder &s = *x.builder;
  return s.toInt(sqrt(s.toFloat(x, s.builder.getF64Type())), x.type(),
                 x.isUnsigned);
}

Scalar logarithm(const Scalar &x) {
  if (x.isFloat())
    return log(x);
  ScalarBuilder &s = *x.builder;
  return s.toInt(log(s.toFloat(x, s.builder.getF64Type())), x.type(),
                 x.isUnsigned);
}

LogicalResult importReduceMean(NodeBuilder &n) {
  std::optional<Reduction> r = parse(n, 18);
  if (n.failed())
    return failure();
  if (!r)
    return n.out(n.in(0));
  if (r->flags.empty())
    return n.out(n.mean(r->x, r->axes, r->keepdims));
  Val total = reduce(n, ReduceKind::Sum, n.widened(r->x), *r, r->keepdims);
  return n.out(n.meanOf(total, countOf(n, *r), r->x.elem));
}

/// max + log(sum(exp(x - max))); an infinite maximum is not subtracted.
LogicalResult importLogSumExp(NodeBuilder &n) {
  std::optional<Reduction> r = parse(n, 18);
  if (n.failed())
    return failure();
  Val x = n.widened(n.in(0));
  if (!isFloat(x.elem))
    x = n.cast(x, ElementType::Double);
  Reduction along = r.value_or(Reduction());
  Val top = reduce(n, ReduceKind::Max, x, along, /*keepdims=*/true);
  Val shift = n.map(top, [](Scalar m) {
    return select(eq(m - m, 0), m, m.builder->like(m, 0));
  });
  Val powers = n.map({x, shift}, x.elem,
                     [](ArrayRef<Scalar> a) { return exp(a[0] - a[1]); });
  Val total = reduce(n, ReduceKind::Sum, powers, along, /*keepdims=*/true);
  Val result = n.map({total, shift}, x.elem,
                     [](ArrayRef<Scalar> a) { return log(a[0]) + a[1]; });
  if (r && !r->keepdims)
    result =
        r->flags.empty()
            ? n.squeeze(result, r->axes)
            : n.reshape(result, sizesWithout(n, n.dims(x), r->flags, r->rank));
  return n.out(n.cast(result, n.in(0).elem));
}

LogicalResult importArg(NodeBuilder &n, bool max) {
  Val x = n.in(0);
  if (x.rank() == 0 || !x.type().getElementType().isIntOrFloat() ||
      isSmallFloat(x.elem))
    return n.error("takes tensors of numbers with at least one dimension");
  int64_t axis = n.axisAttr("axis", 0, x.rank());
  bool keepdims = n.intAttr("keepdims", 1),
       last = n.intAttr("select_last_index", 0);
  if (n.failed())
    return failure();
  if (x.shape()[axis] == 0) {
    n.fault("looks for an element of an empty axis");
    return failure();
  }
  ReduceKind kind = isUnsigned(x.elem)
                        ? (max ? ReduceKind::UMax : ReduceKind::UMin)
                        : (max ? ReduceKind::Max : ReduceKind::Min);
  Sizes sizes = n.dims(x);
  if (keepdims)
    sizes[axis] = n.index(1);
  else
    sizes.erase(sizes.begin() + axis);
  return n.out({graph::ArgReduceOp::create(
                    n.b, n.loc, n.tensorType(ElementType::Int64, sizes),
                    x.value, kind, axis, keepdims, last),
                ElementType::Int64});
}

LogicalResult importCumulate(NodeBuilder &n, ReduceKind kind) {
  Val x = n.in(0), given = n.in(1);
  if (given.rank() == 1 && !given.isStatic())
    given = n.withSize(given, 0, n.index(1), "the number of axes and 1");
  if (!x.type().getElementType().isIntOrFloat() || isSmallFloat(x.elem) ||
      !given.isStatic() || given.type().getNumElements() != 1)
    return n.error("takes a tensor of numbers and one axis");
  bool exclusive = n.intAttr("exclusive"), reverse = n.intAttr("reverse");
  auto along = [&](Val v, int64_t axis) {
    return Val{graph::CumulateOp::create(n.b, n.loc, v.type(), v.value, kind,
                                         axis, exclusive, reverse),
               v.elem};
  };
  if (std::optional<Ints> axes = n.knownInts(given)) {
    int64_t axis = n.axis(axes->front(), x.rank());
    return n.failed() ? failure() : n.out(along(x, axis));
  }
  SmallVector<Scalar> flags = axisFlags(n, given, x.rank());
  return n.failed() ? failure()
                    : n.out(alongFlagged(n, x, flags, std::nullopt, along));
}

} // namespace

void hone::onnx::addReductions(OpTable &table) {
  addReduction(table, "ReduceSum", 13, ReduceKind::Sum);
  addReduction(table, "ReduceProd", 18, ReduceKind::Prod);
  addReduction(table, "ReduceMax", 18, ReduceKind::Max);
  addReduction(table, "ReduceMin", 18, ReduceKind::Min);
  addReduction(table, "ReduceL1", 18, ReduceKind::Sum, abs);
  addReduction(table, "ReduceL2", 18, ReduceKind::Sum, square, root);
  addReduction(table, "ReduceSumSquare", 18, ReduceKind::Sum, square);
  addReduction(table, "ReduceLogSum", 18, ReduceKind::Sum, nullptr, logarithm);
  table.add("ReduceMean", importReduceMean, 1, 2);
  table.add("ReduceLogSumExp", importLogSumExp, 1, 2);
  table.add("ArgMax", [](NodeBuilder &n) { return importArg(n, true); }, 1);
  table.add("ArgMin", [](NodeBuilder &n) { return importArg(n, false); }, 1);
  table.add(
      "CumSum",
      [](NodeBuilder &n) { return importCumulate(n, ReduceKind::Sum); }, 2);
  table.add(
      "CumProd",
      [](NodeBuilder &n) { return importCumulate(n, ReduceKind::Prod); }, 2);
}
