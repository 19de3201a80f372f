// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Fused operators that optimizers of other runtimes leave in files (domain
// com.microsoft), and a few of ONNX's early experiments.
#include "compiler/Import/Onnx/Builder/OpTable.h"
#include "compiler/Import/Onnx/Operators/Activations.h"
#include "compiler/Import/Onnx/Operators/Attention.h"
#include "compiler/Import/Onnx/Operators/Windows.h"

#include <cmath>

using namespace mlir;
using namespace hone::onnx;
using Args = ArrayRef<Scalar>;

namespace {

/// An activation of the input plus a bias, if there is one.
LogicalResult biased(NodeBuilder &n, Scalar (*formula)(const Scalar &)) {
  SmallVector<Val> inputs{n.in(0)};
  if (n.has(1))
    inputs.push_back(n.in(1));
  return n.out(n.map(inputs, n.in(0).elem, [&](Args x) {
    return formula(x.size() > 1 ? x[0] + x[1] : x[0]);
  }));
}

LogicalResult importBiasAdd(NodeBuilder &n) {
  return n.out(n.map({n.in(0), n.in(1), n.in(2)}, n.in(0).elem,
                     [](Args x) { return x[0] + x[1] + x[2]; }));
}

/// The first half of the biased features times Gelu of the second.
LogicalResult importBiasSplitGelu(NodeBuilder &n) {
  Val x = n.in(0);
  if (x.rank() < 1 || n.in(1).rank() != 1 || !isPlainFloat(x) ||
      n.in(1).elem != x.elem)
    return n.error("takes a float tensor and a bias of its type");
  int64_t last = x.rank() - 1;
  Size width = n.dim(x, last), half = n.floorDiv(width, n.index(2));
  n.require(eq(n.host().size(n.mul(half, 2)), n.host().size(width)),
            "the number of features is even");
  Val biased = n.map({n.widened(x), n.widened(n.in(1))}, widenedType(x.elem),
                     [](Args a) { return a[0] + a[1]; });
  if (n.failed())
    return failure();
  return n.out(n.map({n.sliceAxis(biased, last, n.index(0), half),
                      n.sliceAxis(biased, last, half, half)},
                     x.elem, [](Args a) { return a[0] * gelu(a[1]); }));
}

Val transposedLast(NodeBuilder &n, Val x, bool transposed) {
  if (!transposed)
    return x;
  Ints order;
  for (int64_t i = 0; i < x.rank(); ++i)
    order.push_back(i);
  std::swap(order[x.rank() - 1], order[x.rank() - 2]);
  return n.transpose(x, order);
}

/// The formula of the fused activation, or the identity.
auto activationOf(NodeBuilder &n) {
  return [f = fusedActivation(n)](const Scalar &x) { return f ? (*f)(x) : x; };
}

/// Moves the first dimension behind those of the batch, if a node says that it
/// precedes them.
Val batchesFirst(NodeBuilder &n, Val x, bool moved) {
  if (!moved)
    return x;
  if (x.rank() < 3) {
    n.fail("transposes the batches of a tensor that has none");
    return x;
  }
  Ints order;
  for (int64_t i = 1; i < x.rank() - 1; ++i)
    order.push_back(i);
  order.append({0, x.rank() - 1});
  return n.transpose(x, order);
}

LogicalResult importFusedMatMul(NodeBuilder &n) {
  Val a = n.in(0), b = n.in(1);
  if (a.rank() < 2 || b.rank() < 2)
    return n.error("takes matrices");
  a = batchesFirst(n, a, n.intAttr("transBatchA") != 0);
  b = batchesFirst(n, b, n.intAttr("transBatchB") != 0);
  if (n.failed())
    return failure();
  double alpha = n.floatAttr("alpha", 1);
  Val product = n.wideMatmul(transposedLast(n, a, n.intAttr("transA")), b,
                             n.intAttr("transB") != 0);
  auto activation = activationOf(n);
  return n.failed() ? failure() : n.out(n.map(product, a.elem, [&](Scalar x) {
    return activation(alpha == 1 ? x : x * alpha);
  }));
}

LogicalResult importFusedGemm(NodeBuilder &n) {
  Val a = n.in(0), b = n.in(1), c = n.in(2);
  if (a.rank() != 2 || b.rank() != 2 || !isPlainFloat(a))
    return n.error("takes two float matrices");
  double alpha = n.floatAttr("alpha", 1), beta = n.floatAttr("beta", 1);
  auto activation = activationOf(n);
  Val product = n.wideMatmul(transposedLast(n, a, n.intAttr("transA")), b,
                             n.intAttr("transB") != 0);
  SmallVector<Val> inputs{product};
  if (n.has(2))
    inputs.push_back(n.alignTo(c, n.dims(product)));
  if (n.failed())
    return failure();
  return n.out(n.map(inputs, a.elem, [&](Args x) {
    Scalar y = alpha == 1 ? x[0] : x[0] * alpha;
    if (x.size() > 1)
      y = y + (beta == 1 ? x[1] : x[1] * beta);
    return activation(y);
  }));
}

} // namespace

Val hone::onnx::fusedConv(NodeBuilder &n, Val x, Val w, Val bias, Val added) {
  if (x.rank() < 3 || x.rank() > 5 || w.rank() != x.rank() ||
      !isPlainFloat(x) || w.elem != x.elem) {
    n.fail("takes input and weights of one float type with 3 to 5 dimensions");
    return x;
  }
  std::optional<Windows> windows = Windows::parse(n, x, kernelOf(n, w));
  if (!windows)
    return x;
  Val y = convOf(n, x, w, *windows);
  y = addChannelBias(n, y, bias ? n.widened(bias) : bias, y.elem);
  if (n.failed())
    return x;
  SmallVector<Val> inputs{y};
  if (added)
    inputs.push_back(n.alignTo(added, n.dims(y)));
  auto activation = activationOf(n);
  if (n.failed())
    return x;
  return n.map(inputs, x.elem, [&](Args a) {
    return activation(a.size() > 1 ? a[0] + a[1] : a[0]);
  });
}

namespace {

/// If `last`, the channels of everything except the weights come last; those of
/// the weights if `weightsLast`, as optimizers write NhwcConv, whatever its
/// text says.
LogicalResult importFusedConv(NodeBuilder &n, bool last, bool weightsLast) {
  Val x = n.in(0), w = n.in(1), added = n.in(3);
  if (last) {
    x = channelsFirst(n, x);
    added = added ? channelsFirst(n, added) : added;
  }
  Val y =
      fusedConv(n, x, weightsLast ? channelsFirst(n, w) : w, n.in(2), added);
  if (n.failed())
    return failure();
  return n.out(last ? channelsLast(n, y) : y);
}

//===- Training -----------------------------------------------------------===//

LogicalResult importReluGrad(NodeBuilder &n) {
  return n.out(n.map({n.in(0), n.in(1)}, n.in(0).elem, [](Args x) {
    return select(gt(x[1], 0), x[0], x[0].builder->like(x[0], 0));
  }));
}

/// The accumulator would change in the caller's memory, which a compiled model
/// never does: only the flag is returned.
LogicalResult importAccumulator(NodeBuilder &n) {
  n.out(0, n.filled(ElementType::Bool, n.sizes({1}), 1));
  if (n.wants(1)) {
    SmallVector<Val> inputs{n.in(0), n.in(1)};
    if (n.has(2))
      inputs.push_back(n.reshape(n.in(2), {}));
    n.out(1, n.map(inputs, n.in(0).elem, [](Args x) {
      Scalar sum = x[0] + x[1];
      return x.size() > 2 ? select(x[2], x[1], sum) : sum;
    }));
  }
  return success(!n.failed());
}

/// (probability - one at the target) times the incoming gradient, for the mean
/// over all targets.
LogicalResult importCrossEntropyGrad(NodeBuilder &n) {
  Val gradient = n.in(0), logs = n.in(1), labels = n.in(2);
  StringRef reduction = n.stringAttr("reduction", "mean");
  if (logs.rank() < 2 || labels.rank() != logs.rank() - 1 ||
      !isInteger(labels.elem) || !isPlainFloat(logs) || n.has(3) || n.has(4) ||
      (reduction != "mean" && reduction != "sum") || gradient.rank() != 0)
    return n.error("takes a scalar gradient, log probabilities and one class "
                   "for each; weights and ignored classes are "
                   "not supported: export the loss without them");
  Sizes sizes = n.dims(logs), places = sizes;
  places.erase(places.begin() + 1);
  labels = n.withDims(labels, places, "the sizes of probabilities and classes");
  Val count =
      n.cast(n.fromSizes({n.product(places)}, {}), widenedType(logs.elem));
  Val target = n.unsqueeze(labels, {1});
  return n.out(n.map({logs, gradient, count, target}, logs.elem, [&](Args x) {
    ScalarBuilder &s = *x[0].builder;
    Scalar hit = eq(s.index(1), s.toIndex(x[3]));
    Scalar difference =
        exp(x[0]) - select(hit, s.like(x[0], 1), s.like(x[0], 0));
    Scalar scaled = difference * x[1];
    return reduction == "mean" ? scaled / x[2] : scaled;
  }));
}

//===- Experiments of ONNX's first operator sets --------------------------===//

LogicalResult importAffine(NodeBuilder &n) {
  double alpha = n.floatAttr("alpha", 1), beta = n.floatAttr("beta", 0);
  return n.out(n.map(n.in(0), [&](Scalar x) { return x * alpha + beta; }));
}

LogicalResult importImageScaler(NodeBuilder &n) {
  Val x = n.in(0);
  double scale = n.floatAttr("scale", 1);
  std::optional<SmallVector<float>> bias = n.floatsAttr("bias");
  if (x.rank() != 4 || !isPlainFloat(x))
    return n.error("takes a float tensor of 4 dimensions");
  Val scaled = n.map(n.widened(x), [&](Scalar v) { return v * scale; });
  Val biases;
  if (bias && !bias->empty()) {
    SmallVector<double> wide(bias->begin(), bias->end());
    biases = n.constant(x.elem, {static_cast<int64_t>(wide.size())}, wide);
  }
  return n.out(addChannelBias(n, scaled, biases, x.elem));
}

LogicalResult importCrop(NodeBuilder &n) {
  Val x = n.in(0);
  std::optional<Ints> border = n.intsAttr("border"),
                      scale = n.intsAttr("scale");
  if (x.rank() != 4 || !border || border->size() != 4 ||
      (scale && scale->size() != 2) ||
      llvm::any_of(*border, [](int64_t b) { return b < 0 || b > INT32_MAX; }))
    return n.error("takes a tensor of 4 dimensions and a border of 4 sizes");
  // Left, top, right, bottom.
  Sizes sizes = n.dims(x), offsets(4, n.index(0));
  offsets[2] = n.index((*border)[1]);
  offsets[3] = n.index((*border)[0]);
  for (int64_t axis : {2, 3}) {
    Size size =
        scale ? n.index((*scale)[axis - 2])
              : n.add(sizes[axis], -(axis == 2 ? (*border)[1] + (*border)[3]
                                               : (*border)[0] + (*border)[2]));
    ScalarBuilder &s = n.host();
    n.require(bitAnd(ge(s.size(size), 0), le(s.size(n.add(size, offsets[axis])),
                                             s.size(sizes[axis]))),
              "the crop lies inside its input");
    sizes[axis] = size;
  }
  return n.failed() ? failure() : n.out(n.slice(x, offsets, sizes));
}

} // namespace

void hone::onnx::addMicrosoft(OpTable &table) {
  table.add("Affine", importAffine, 1);
  table.add("ImageScaler", importImageScaler, 1);
  table.add("Crop", importCrop, 1);
  table.setDomain("com.microsoft");
  table.add("Gelu", [](NodeBuilder &n) { return biased(n, gelu); }, 1);
  table.add("BiasGelu", [](NodeBuilder &n) { return biased(n, gelu); }, 2);
  table.add(
      "FastGelu", [](NodeBuilder &n) { return biased(n, geluByTanh); }, 1, 2);
  table.add(
      "QuickGelu",
      [](NodeBuilder &n) {
        double alpha = n.floatAttr("alpha", 1.702f);
        return n.out(
            n.map(n.in(0), [&](Scalar x) { return x * sigmoid(x * alpha); }));
      },
      1);
  table.add("BiasAdd", importBiasAdd, 3);
  table.add("BiasSplitGelu", importBiasSplitGelu, 2);
  table.add("FusedMatMul", importFusedMatMul, 2);
  table.add("TransposeMatMul", importFusedMatMul, 2);
  table.add("SparseToDenseMatMul", importFusedMatMul, 2);
  table.add("FusedGemm", importFusedGemm, 2, 3);
  table.add("FusedMatMulActivation", importFusedMatMul, 2);
  table.add(
      "FusedConv",
      [](NodeBuilder &n) { return importFusedConv(n, false, false); }, 2, 4);
  table.add(
      "NhwcFusedConv",
      [](NodeBuilder &n) { return importFusedConv(n, true, false); }, 2, 4);
  table.add(
      "NhwcConv", [](NodeBuilder &n) { return importFusedConv(n, true, true); },
      2, 3);
  table.add("ReluGrad", importReluGrad, 2);
  table.add("InPlaceAccumulatorV2", importAccumulator, 2, 3);
  table.add("SoftmaxCrossEntropyLossGrad", importCrossEntropyGrad, 3, 6);
  table.setDomain("");
}
