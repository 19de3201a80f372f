// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Normalizations and the softmax family, as reductions and elementwise
// formulas.
#include "compiler/Import/Onnx/Operators/Normalization.h"
#include "compiler/Import/Onnx/Builder/OpTable.h"

using namespace mlir;
using namespace hone::onnx;
using hone::graph::ReduceKind;
using Args = ArrayRef<Scalar>;

namespace {

Ints axesFrom(int64_t first, int64_t rank) {
  Ints axes;
  for (int64_t i = first; i < rank; ++i)
    axes.push_back(i);
  return axes;
}

bool checkFloat(NodeBuilder &n, int64_t minRank) {
  Val x = n.in(0);
  if (isFloat(x.elem) && !isSmallFloat(x.elem) && x.rank() >= minRank)
    return true;
  n.fail("takes a float tensor of at least " + Twine(minRank) + " dimensions");
  return false;
}

/// A vector with one element per channel, shaped to broadcast with a tensor of
/// `rank` dimensions.
Val perChannel(NodeBuilder &n, Val v, Val x) {
  Sizes sizes(x.rank() - 1, n.index(1));
  if (v.rank() != 1) {
    n.fail("has parameters that are not vectors");
    return v;
  }
  sizes[0] = n.dim(x, 1);
  return n.reshape(n.withDims(n.widened(v), {sizes[0]},
                              "the sizes of channels and parameters"),
                   sizes);
}

LogicalResult importBatchNormalization(NodeBuilder &n) {
  if (!checkFloat(n, 2))
    return failure();
  Val x = n.in(0);
  double epsilon = n.floatAttr("epsilon", 1e-5f),
         momentum = n.floatAttr("momentum", 0.9f);
  bool perElement = n.opset < 9 && n.intAttr("spatial", 1) == 0;
  SmallVector<Val> given;
  for (size_t i = 0; i < 5; ++i) {
    if (!isFloat(n.in(i).elem) || isSmallFloat(n.in(i).elem))
      return n.error("takes float tensors");
    given.push_back(n.in(i));
  }
  ElementType wide = widestType(given);
  auto parameter = [&](size_t input) {
    Val v = n.cast(n.in(input), wide);
    if (!perElement)
      return perChannel(n, v, x);
    // One for each element of an item of the batch, in any shape.
    Sizes item(llvm::drop_begin(n.dims(x)));
    n.agree(n.product(n.dims(v)), n.product(item),
            "the numbers of parameters and of elements of an item");
    return n.failed() ? v : n.reshape(v, item);
  };
  Val scale = parameter(1), shift = parameter(2), mean = parameter(3),
      variance = parameter(4);
  if (n.failed())
    return failure();
  if (n.intAttr("training_mode")) {
    Ints axes{0};
    axes.append(axesFrom(2, x.rank()));
    Moments m = momentsOf(n, n.cast(x, wide), axes);
    auto running = [&](Val old, Val now, Val like) {
      Val mixed = n.map({old, now}, old.elem, [&](Args a) {
        return a[0] * momentum + a[1] * (1 - momentum);
      });
      return n.cast(n.reshape(mixed, {n.dim(x, 1)}), like.elem);
    };
    if (n.wants(1))
      n.out(1, running(mean, m.mean, n.in(3)));
    if (n.wants(2))
      n.out(2, running(variance, m.variance, n.in(4)));
    mean = m.mean;
    variance = m.variance;
  }
  // Per channel: one factor and one summand.
  Val factor = n.map({scale, variance}, scale.elem,
                     [&](Args a) { return a[0] * rsqrt(a[1] + epsilon); });
  Val summand = n.map({shift, mean, factor}, shift.elem,
                      [](Args a) { return a[0] - a[1] * a[2]; });
  return n.out(n.map({x, factor, summand}, x.elem, [&](Args a) {
    ScalarBuilder &s = *a[0].builder;
    return a[0] * s.toFloat(a[1], a[0].type()) + s.toFloat(a[2], a[0].type());
  }));
}

LogicalResult importLayerNormalization(NodeBuilder &n) {
  if (!checkFloat(n, 1))
    return failure();
  Val scale = n.in(1);
  if (!isFloat(scale.elem) || isSmallFloat(scale.elem))
    return n.error("takes a float scale");
  Val x = n.cast(n.in(0), widestType({n.in(0), scale}));
  int64_t axis = n.axisAttr("axis", -1, x.rank());
  double epsilon = n.floatAttr("epsilon", 1e-5f);
  Moments m = momentsOf(n, x, axesFrom(axis, x.rank()));
  Val inverse = inverseRoot(n, m.variance, epsilon);
  SmallVector<Val> inputs{m.centered, inverse, n.cast(scale, x.elem)};
  if (n.has(2))
    inputs.push_back(n.cast(n.in(2), x.elem));
  for (Val v : ArrayRef(inputs).drop_front(2))
    if (v.rank() > x.rank())
      return n.error("has a scale or bias of more dimensions than its input");
  // Before it was ONNX's, its result had the type of the scale.
  ElementType elem = n.opset < 17 ? scale.elem : n.in(0).elem;
  n.out(0, n.map(inputs, elem, [](Args a) {
    Scalar y = a[0] * a[1] * a[2];
    return a.size() > 3 ? y + a[3] : y;
  }));
  if (n.wants(1))
    n.out(1, n.cast(m.mean, stashType(n)));
  if (n.wants(2))
    n.out(2, n.cast(inverse, stashType(n)));
  return success();
}

LogicalResult importRmsNormalization(NodeBuilder &n) {
  if (!checkFloat(n, 1))
    return failure();
  Val scale = n.in(1);
  if (!isFloat(scale.elem) || isSmallFloat(scale.elem))
    return n.error("takes a float scale");
  Val x = n.cast(n.in(0), widestType({n.in(0), scale}));
  int64_t axis = n.axisAttr("axis", -1, x.rank());
  double epsilon = n.floatAttr("epsilon", 1e-5f);
  Val squares = n.mean(n.map(x, [](Scalar v) { return v * v; }),
                       axesFrom(axis, x.rank()), /*keepdims=*/true);
  Val inverse = inverseRoot(n, squares, epsilon);
  if (scale.rank() > x.rank())
    return n.error("has a scale of more dimensions than its input");
  return n.out(n.map({x, inverse, n.cast(scale, x.elem)}, scale.elem,
                     [](Args a) { return a[0] * a[1] * a[2]; }));
}

LogicalResult importInstanceNormalization(NodeBuilder &n) {
  if (!checkFloat(n, 3))
    return failure();
  Val x = n.widened(n.in(0));
  Moments m = momentsOf(n, x, axesFrom(2, x.rank()));
  Val scale = perChannel(n, n.in(1), x), shift = perChannel(n, n.in(2), x);
  if (n.failed())
    return failure();
  Val inverse = inverseRoot(n, m.variance, n.floatAttr("epsilon", 1e-5f));
  return n.out(n.map({m.centered, inverse, scale, shift}, n.in(0).elem,
                     [](Args a) { return a[0] * a[1] * a[2] + a[3]; }));
}

LogicalResult importGroupNormalization(NodeBuilder &n) {
  if (!checkFloat(n, 3))
    return failure();
  Val x = n.widened(n.in(0));
  int64_t groups = n.intAttr("num_groups", 0);
  Sizes own = n.dims(x);
  Size each = n.floorDiv(own[1], n.index(std::max<int64_t>(groups, 1)));
  if (groups < 1 ||
      !n.require(eq(n.host().size(n.mul(each, groups)), n.host().size(own[1])),
                 "the channels are a multiple of num_groups"))
    return n.error("needs channels that are a multiple of num_groups");
  Size inner = n.mul(n.product(ArrayRef(own).drop_front(2)), each);
  Val grouped = n.reshape(x, {own[0], n.index(groups), inner});
  Moments m = momentsOf(n, grouped, {2});
  Val inverse = inverseRoot(n, m.variance, n.floatAttr("epsilon", 1e-5f));
  Val normal =
      n.map({m.centered, inverse}, x.elem, [](Args a) { return a[0] * a[1]; });
  // Up to opset 20 scale and bias have one element per group.
  Val scale = n.in(1), shift = n.in(2);
  if (scale.rank() != 1 || shift.rank() != 1)
    return n.error("has parameters that are not vectors");
  bool areGroups = scale.isStatic() ? scale.shape()[0] == groups : n.opset < 21;
  if (areGroups && NodeBuilder::known(own[1]) != groups) {
    auto perGroup = [&](Val v) {
      return n.reshape(
          n.withDims(n.widened(v), n.sizes({groups}), "parameters and groups"),
          n.sizes({groups, 1}));
    };
    Val y = n.map({normal, perGroup(scale), perGroup(shift)}, n.in(0).elem,
                  [](Args a) { return a[0] * a[1] + a[2]; });
    return n.out(n.reshape(y, own));
  }
  return n.out(n.map({n.reshape(normal, own), perChannel(n, scale, x),
                      perChannel(n, shift, x)},
                     n.in(0).elem, [](Args a) { return a[0] * a[1] + a[2]; }));
}

LogicalResult importMeanVariance(NodeBuilder &n) {
  if (!checkFloat(n, 1))
    return failure();
  Val x = n.widened(n.in(0));
  bool isFirst = n.opset < 9; // an experiment, of other attributes
  Ints axes = n.intsAttr("axes", {0, 2, 3});
  if (isFirst)
    axes = n.intAttr("across_channels") ? Ints{0, 1, 2, 3} : Ints{0, 2, 3};
  for (int64_t &axis : axes)
    axis = n.axis(axis, x.rank());
  llvm::sort(axes);
  if (n.failed())
    return failure();
  Moments m = momentsOf(n, x, axes);
  if (isFirst && !n.intAttr("normalize_variance", 1))
    return n.out(n.cast(m.centered, n.in(0).elem));
  return n.out(n.map({m.centered, m.variance}, n.in(0).elem,
                     [](Args a) { return a[0] / (sqrt(a[1]) + 1e-9); }));
}

LogicalResult importLpNormalization(NodeBuilder &n) {
  if (!checkFloat(n, 1))
    return failure();
  Val x = n.widened(n.in(0));
  int64_t axis = n.axisAttr("axis", -1, x.rank()), p = n.intAttr("p", 2);
  if (p != 1 && p != 2)
    return n.error("has a p that is neither 1 nor 2");
  Val total = n.sum(n.map(x, [&](Scalar v) { return p == 1 ? abs(v) : v * v; }),
                    {axis}, /*keepdims=*/true);
  return n.out(n.map({x, total}, n.in(0).elem, [&](Args a) {
    Scalar norm = p == 1 ? a[1] : sqrt(a[1]);
    // A vector of zeros stays one.
    return select(eq(norm, 0), norm, a[0] / norm);
  }));
}

LogicalResult importLrn(NodeBuilder &n) {
  if (!checkFloat(n, 2))
    return failure();
  Val x = n.widened(n.in(0));
  int64_t size = n.intAttr("size", 0);
  if (size < 1 || size > (1 << 20))
    return n.error("has a size that is out of range");
  double alpha = n.floatAttr("alpha", 1e-4f), beta = n.floatAttr("beta", 0.75f),
         bias = n.floatAttr("bias", 1.0f);
  // A sliding window over the channels: a pool with the channels as its spatial
  // dimension.
  Sizes own = n.dims(x);
  Size rest = n.product(ArrayRef(own).drop_front(2));
  Val squares = n.reshape(n.map(x, [](Scalar v) { return v * v; }),
                          {own[0], n.index(1), own[1], rest});
  Ints pads{(size - 1) / 2, 0, size - 1 - (size - 1) / 2, 0}, ones{1, 1};
  Sizes sizes = n.dims(squares);
  auto sums = graph::PoolOp::create(
      n.b, n.loc, squares.type(), mlir::Type(), squares.value, n.dynamic(sizes),
      graph::PoolKind::Sum, Ints{size, 1}, ones, ones, pads,
      /*countIncludePad=*/false,
      /*channelsLast=*/false, /*columnMajor=*/false, /*isUnsigned=*/false);
  Val windows = n.reshape({sums.getResult(), x.elem}, own);
  return n.out(n.map({x, windows}, n.in(0).elem, [&](Args a) {
    Scalar base = a[1] * (alpha / size) + bias;
    return a[0] / pow(base, base.builder->like(base, beta));
  }));
}

enum class SoftmaxKind { Softmax, LogSoftmax, Hardmax };

/// One of the family by the rules of ONNX's `opset`, along the node's axis.
Val softmaxBy(NodeBuilder &n, Val input, int64_t opset, SoftmaxKind kind) {
  Val x = n.widened(input);
  if (x.rank() == 0)
    x = n.reshape(x, n.sizes({1}));
  bool flattens = opset < 13;
  int64_t axis = n.intAttr("axis", flattens ? 1 : -1);
  // Up to opset 12 the axis may be the rank, which leaves rows of one element.
  axis = flattens && axis == x.rank() ? axis : n.axis(axis, x.rank());
  if (n.failed())
    return input;
  Sizes own = n.dims(input), shape = n.dims(x);
  if (flattens && axis != x.rank() - 1) {
    Size rows = n.product(ArrayRef(shape).take_front(axis)),
         columns = n.product(ArrayRef(shape).drop_front(axis));
    x = n.reshape(x, {rows, columns});
    axis = 1;
  }
  Val top = n.reduce(ReduceKind::Max, x, {axis}, /*keepdims=*/true);
  Val result;
  if (kind == SoftmaxKind::Hardmax) {
    Sizes sizes = n.dims(x);
    sizes[axis] = n.index(1);
    Val first{graph::ArgReduceOp::create(
                  n.b, n.loc, n.tensorType(ElementType::Int64, sizes), x.value,
                  ReduceKind::Max, axis, /*keepdims=*/true, /*last=*/false),
              ElementType::Int64};
    auto op = graph::MapOp::create(
        n.b, n.loc, mlir::TypeRange(n.tensorType(input.elem, n.dims(x))),
        ValueRange(first.value), n.dynamic(n.dims(x)),
        [&](OpBuilder &b, Location loc, ValueRange a) {
          ScalarBuilder s(b, loc);
          Scalar hit = eq(s.toIndex(s.wrap(a[0])), s.index(axis));
          Scalar one = s.constant(b.getF32Type(), 1),
                 zero = s.constant(b.getF32Type(), 0);
          Scalar value = s.toFloat(select(hit, one, zero),
                                   computeType(b.getContext(), input.elem));
          graph::YieldOp::create(b, loc, s.store(value, input.elem));
        });
    result = {op->getResult(0), input.elem};
  } else if (kind == SoftmaxKind::Softmax) {
    Val powers =
        n.map({x, top}, x.elem, [](Args a) { return exp(a[0] - a[1]); });
    Val inverse = n.map(n.sum(powers, {axis}, /*keepdims=*/true),
                        [](Scalar v) { return 1.0 / v; });
    result = n.map({powers, inverse}, input.elem,
                   [](Args a) { return a[0] * a[1]; });
  } else {
    Val centered = n.map({x, top}, x.elem, [](Args a) { return a[0] - a[1]; });
    Val total = n.sum(n.map(centered, [](Scalar v) { return exp(v); }), {axis},
                      /*keepdims=*/true);
    Val logs = n.map(total, [](Scalar v) { return log(v); });
    result =
        n.map({centered, logs}, input.elem, [](Args a) { return a[0] - a[1]; });
  }
  return n.reshape(result, own);
}

LogicalResult importSoftmax(NodeBuilder &n, SoftmaxKind kind) {
  if (!checkFloat(n, 0))
    return failure();
  Val result = softmaxBy(n, n.in(0), n.opset, kind);
  return n.failed() ? failure() : n.out(result);
}

} // namespace

Moments hone::onnx::momentsOf(NodeBuilder &n, Val x, ArrayRef<int64_t> axes) {
  Moments m;
  m.mean = n.mean(x, axes, /*keepdims=*/true);
  m.centered = n.map({x, m.mean}, x.elem, [](Args a) { return a[0] - a[1]; });
  m.variance = n.mean(n.map(m.centered, [](Scalar d) { return d * d; }), axes,
                      /*keepdims=*/true);
  return m;
}

Val hone::onnx::inverseRoot(NodeBuilder &n, Val variance, double epsilon) {
  return n.map(variance, [&](Scalar v) { return rsqrt(v + epsilon); });
}

ElementType hone::onnx::widestType(ArrayRef<Val> values) {
  return llvm::any_of(
             values, [](const Val &v) { return v.elem == ElementType::Double; })
             ? ElementType::Double
             : ElementType::Float;
}

ElementType hone::onnx::stashType(NodeBuilder &n) {
  auto type = static_cast<ElementType>(
      n.intAttr("stash_type", static_cast<int64_t>(ElementType::Float)));
  if (isFloat(type) && !isSmallFloat(type))
    return type;
  n.fail("has a stash_type that is not a float type");
  return ElementType::Float;
}

Val hone::onnx::softmaxOf(NodeBuilder &n, Val x, int64_t opset) {
  return softmaxBy(n, x, opset, SoftmaxKind::Softmax);
}

void hone::onnx::addNormalization(OpTable &table) {
  table.add("BatchNormalization", importBatchNormalization, 5);
  table.add("LayerNormalization", importLayerNormalization, 2, 3);
  table.add("RMSNormalization", importRmsNormalization, 2);
  table.add("InstanceNormalization", importInstanceNormalization, 3);
  table.add("GroupNormalization", importGroupNormalization, 3);
  table.add("MeanVarianceNormalization", importMeanVariance, 1);
  table.add("LpNormalization", importLpNormalization, 1);
  table.add("LRN", importLrn, 1);
  for (auto [name, kind] : {std::pair("Softmax", SoftmaxKind::Softmax),
                            std::pair("LogSoftmax", SoftmaxKind::LogSoftmax),
                            std::pair("Hardmax", SoftmaxKind::Hardmax)})
    table.add(
        name, [kind = kind](NodeBuilder &n) { return importSoftmax(n, kind); },
        1);
}
