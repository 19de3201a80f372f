// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Fused operators that optimizers of other runtimes leave in files (domain
// com.microsoft), and a few of ONNX's early experiments.
#include "compiler/Import/Onnx/Attention.h"
#include "compiler/Import/Onnx/OpTable.h"
#include "compiler/Import/Onnx/Windows.h"

#include <cmath>

using namespace mlir;
using namespace hone::onnx;
using Args = ArrayRef<Scalar>;

namespace {

bool isPlainFloat(Val v) {
  return v && isFloat(v.elem) && !isSmallFloat(v.elem);
}

Scalar gelu(const Scalar &x) { return x * 0.5 * (1.0 + erf(x * M_SQRT1_2)); }

Scalar geluByTanh(const Scalar &x) {
  return x * 0.5 *
         (1.0 + tanh((x + x * x * x * 0.044715) * std::sqrt(2 / M_PI)));
}

/// An activation of the input plus a bias, if there is one.
LogicalResult biased(NodeBuilder &n, Scalar (*formula)(const Scalar &)) {
  SmallVector<Val> inputs{n.in(0)};
  if (n.has(1))
    inputs.push_back(n.in(1));
  return n.out(n.map(inputs, n.in(0).elem, [&](Args x) {
    return formula(x.size() > 1 ? x[0] + x[1] : x[0]);
  }));
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

LogicalResult importFusedMatMul(NodeBuilder &n) {
  Val a = n.in(0), b = n.in(1);
  if (a.rank() < 2 || b.rank() < 2 || n.intAttr("transBatchA") ||
      n.intAttr("transBatchB"))
    return n.error("takes matrices, without transposed batches");
  double alpha = n.floatAttr("alpha", 1);
  Val product = n.wideMatmul(transposedLast(n, a, n.intAttr("transA")), b,
                             n.intAttr("transB") != 0);
  return n.failed() ? failure() : n.out(n.map(product, a.elem, [&](Scalar x) {
    return alpha == 1 ? x : x * alpha;
  }));
}

Scalar activated(NodeBuilder &n, const Scalar &x, StringRef name) {
  ScalarBuilder &s = *x.builder;
  if (name == "Relu")
    return select(lt(x, 0), s.like(x, 0), x);
  if (name == "Sigmoid")
    return sigmoid(x);
  if (name == "Tanh")
    return tanh(x);
  if (name == "LeakyRelu")
    return select(lt(x, 0), x * n.floatAttr("activation_alpha", 0.01f), x);
  if (!name.empty())
    s.fail(x, "has the unknown activation '" + name + "'");
  return x;
}

LogicalResult importFusedGemm(NodeBuilder &n) {
  Val a = n.in(0), b = n.in(1), c = n.in(2);
  if (a.rank() != 2 || b.rank() != 2 || !isPlainFloat(a))
    return n.error("takes two float matrices");
  double alpha = n.floatAttr("alpha", 1), beta = n.floatAttr("beta", 1);
  StringRef activation = n.stringAttr("activation");
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
    return activated(n, y, activation);
  }));
}

LogicalResult importFusedConv(NodeBuilder &n) {
  Val x = n.in(0), w = n.in(1);
  if (x.rank() < 3 || x.rank() > 5 || w.rank() != x.rank() ||
      !isPlainFloat(x) || w.elem != x.elem)
    return n.error(
        "takes input and weights of one float type with 3 to 5 dimensions");
  std::optional<Windows> windows = Windows::parse(n, x, kernelOf(n, w));
  if (!windows)
    return failure();
  Val y = convOf(n, x, w, *windows);
  y = addChannelBias(n, y, n.widened(n.in(2)), y.elem);
  if (n.failed())
    return failure();
  SmallVector<Val> inputs{y};
  if (n.has(3))
    inputs.push_back(n.in(3));
  StringRef activation = n.stringAttr("activation");
  return n.out(n.map(inputs, x.elem, [&](Args a) {
    return activated(n, a.size() > 1 ? a[0] + a[1] : a[0], activation);
  }));
}

struct Normalized {
  Val result, mean, inverse;
};

/// Layer normalization over the last dimension, in f32 at least; without
/// `centers` by the root mean square alone.
Normalized normalize(NodeBuilder &n, Val x, Val scale, Val shift, bool centers,
                     ElementType elem) {
  double epsilon = n.floatAttr("epsilon", centers ? 1e-12f : 1e-5f);
  Ints last{x.rank() - 1};
  Normalized r;
  Val centered = x;
  if (centers) {
    r.mean = n.mean(x, last, /*keepdims=*/true);
    centered = n.map({x, r.mean}, x.elem, [](Args a) { return a[0] - a[1]; });
  }
  Val variance = n.mean(n.map(centered, [](Scalar d) { return d * d; }), last,
                        /*keepdims=*/true);
  r.inverse = n.map(variance, [&](Scalar v) { return rsqrt(v + epsilon); });
  SmallVector<Val> inputs{centered, r.inverse, n.cast(scale, x.elem)};
  if (shift)
    inputs.push_back(n.cast(shift, x.elem));
  r.result = n.map(inputs, elem, [](Args a) {
    Scalar y = a[0] * a[1] * a[2];
    return a.size() > 3 ? y + a[3] : y;
  });
  return r;
}

LogicalResult importSkipNormalization(NodeBuilder &n, bool centers) {
  Val x = n.in(0);
  // Scale, shift and bias; without centering there is no shift.
  Val scale = n.in(2), shift = centers ? n.in(3) : Val(),
      bias = n.in(centers ? 4 : 3);
  if (!isPlainFloat(x) || !isPlainFloat(n.in(1)) || !isPlainFloat(scale) ||
      x.rank() < 1)
    return n.error("takes float tensors");
  SmallVector<Val> inputs{x, n.in(1)};
  if (bias)
    inputs.push_back(bias);
  Val sum = n.map(inputs, widenedType(x.elem), [](Args a) {
    return a.size() > 2 ? a[0] + a[1] + a[2] : a[0] + a[1];
  });
  Normalized r = normalize(n, sum, scale, shift, centers, x.elem);
  n.out(0, r.result);
  if (centers)
    n.out(1, r.mean);
  n.out(2, r.inverse);
  n.out(3, n.cast(sum, x.elem));
  return success(!n.failed());
}

LogicalResult importSimplifiedNormalization(NodeBuilder &n) {
  Val x = n.in(0);
  if (!isPlainFloat(x) || !isPlainFloat(n.in(1)) || x.rank() < 1 ||
      n.axisAttr("axis", -1, x.rank()) != x.rank() - 1)
    return n.error("takes float tensors, and normalizes the last dimension");
  Normalized r =
      normalize(n, n.widened(x), n.in(1), {}, /*centers=*/false, x.elem);
  n.out(0, r.result);
  n.out(1, r.inverse);
  return success(!n.failed());
}

LogicalResult importEmbedNormalization(NodeBuilder &n) {
  Val ids = n.in(0), segments = n.in(1), words = n.in(2), places = n.in(3),
      kinds = n.in(4), mask = n.in(7), positions = n.in(8);
  if (!ids || !words || !places || !n.has(5) || ids.rank() != 2 ||
      !isInteger(ids.elem) || words.rank() != 2 || places.rank() != 2 ||
      !isPlainFloat(words))
    return n.error("takes token ids and embeddings");
  Sizes sizes = n.dims(ids);
  Val placed;
  if (positions) {
    placed = n.gather(places, positions, 0);
  } else {
    n.require(le(n.host().size(sizes[1]), n.host().size(n.dim(places, 0))),
              "the positions have embeddings");
    placed = n.sliceAxis(places, 0, n.index(0), sizes[1]);
  }
  SmallVector<Val> parts{n.gather(words, ids, 0), placed};
  if (segments && kinds)
    parts.push_back(n.gather(kinds, segments, 0));
  if (n.failed())
    return failure();
  Val sum = n.map(parts, widenedType(words.elem), [](Args a) {
    return a.size() > 2 ? a[0] + a[1] + a[2] : a[0] + a[1];
  });
  n.out(
      0,
      normalize(n, sum, n.in(5), n.in(6), /*centers=*/true, words.elem).result);
  if (n.wants(1))
    n.out(1,
          mask && mask.rank() == 2
              ? n.sum(n.cast(mask, ElementType::Int32), {1}, /*keepdims=*/false)
              : n.filled(ElementType::Int32, {sizes[0]}, 0));
  n.out(2, n.cast(sum, words.elem));
  return success(!n.failed());
}

/// What every kind of attention does once queries, keys and values are [batch,
/// heads, length, size].
struct HeadAttention {
  NodeBuilder &n;
  Val mask, bias; ///< 1 where a key counts; what is added to the scores
  Size past;      ///< keys that precede the queries
  bool causal = false;
  double filter = -10000;

  LogicalResult run(Val q, Val k, Val v) {
    std::optional<int64_t> size = NodeBuilder::known(n.dim(q, 3));
    double scale = n.floatAttr("scale", 0);
    if (scale == 0) {
      if (!size)
        return n.error("needs a head size that is known");
      scale = 1 / std::sqrt(static_cast<double>(*size));
    }
    ElementType elem = q.elem;
    Val scores = headScores(n, n.widened(q), n.widened(k));
    if (n.failed())
      return failure();
    SmallVector<Val> inputs{n.map(scores, [&](Scalar x) { return x * scale; })};
    Size batch = n.dim(q, 0);
    bool lengths = mask && mask.rank() == 1;
    if (mask && !lengths) {
      // [batch, keys] or [batch, queries, keys], before the heads.
      if (mask.rank() != 2 && mask.rank() != 3)
        return n.error("has a mask of " + Twine(mask.rank()) +
                       " dimensions, which is not supported");
      mask = n.unsqueeze(mask, mask.rank() == 2 ? Ints{1, 2} : Ints{1});
      inputs.push_back(mask);
    }
    if (bias)
      inputs.push_back(bias);
    if (lengths)
      mask = n.withDims(mask, {batch}, "the sizes of batch and mask");
    if (n.failed())
      return failure();
    Val logits = n.map(inputs, inputs[0].elem, [&](Args x) {
      ScalarBuilder &s = *x[0].builder;
      Scalar value = x[0], zero = s.like(value, 0),
             blocked = s.like(value, filter);
      size_t next = 1;
      if (mask && !lengths) {
        Scalar counts = x[next].isBool() ? x[next] : ne(x[next], 0);
        value = value + select(counts, zero, blocked);
        ++next;
      }
      if (bias)
        value = value + s.toFloat(x[next], value.type());
      Scalar row = s.index(2), column = s.index(3);
      if (lengths) {
        Scalar length =
            s.toIndex(s.element(mask.value, mask.elem, {s.index(0)}));
        value = value + select(lt(column, length), zero, blocked);
      }
      if (causal)
        value = select(le(column, row + s.size(past)), value,
                       s.like(value, -INFINITY));
      return value;
    });
    Val probabilities = attentionSoftmax(n, logits, /*masked=*/false);
    Val attended = headValues(n, probabilities, n.widened(v));
    if (n.failed())
      return failure();
    n.out(0, joinHeads(n, n.cast(attended, elem)));
    return success();
  }
};

LogicalResult importAttention(NodeBuilder &n) {
  Val x = n.in(0), w = n.in(1), past = n.in(4);
  int64_t heads = n.intAttr("num_heads");
  if (x.rank() != 3 || w.rank() != 2 || !isPlainFloat(x) || w.elem != x.elem ||
      heads < 1)
    return n.error(
        "takes an input of 3 dimensions, a weight matrix and num_heads");
  if (n.has(6) || n.intAttr("do_rotary"))
    return n.error(
        "shares the buffer of its past or rotates, which is not supported");
  Val projected = n.wideMatmul(x, w);
  if (n.failed())
    return failure();
  projected = n.has(2) ? n.map({projected, n.in(2)}, x.elem,
                               [](Args a) { return a[0] + a[1]; })
                       : n.cast(projected, x.elem);
  std::optional<int64_t> width = NodeBuilder::known(n.dim(projected, 2));
  Ints widths = n.intsAttr("qkv_hidden_sizes", Ints());
  if (widths.empty() && width && *width % 3 == 0)
    widths.assign(3, *width / 3);
  if (widths.size() != 3 || !width ||
      widths[0] + widths[1] + widths[2] != *width || widths[0] < 1 ||
      widths[1] < 1 || widths[2] < 1)
    return n.error(
        "has weights that do not split into queries, keys and values");
  Val parts[3];
  int64_t from = 0;
  for (int i = 0; i < 3; ++i) {
    parts[i] = splitHeads(
        n, n.sliceAxis(projected, 2, n.index(from), n.index(widths[i])), heads);
    from += widths[i];
  }
  if (n.failed())
    return failure();
  HeadAttention attention{n, n.in(3), n.in(5), n.index(0)};
  attention.causal = n.intAttr("unidirectional");
  attention.filter = n.floatAttr("mask_filter_value", -10000.0f);
  if (past) {
    if (past.rank() != 5 || past.elem != x.elem)
      return n.error("has a past that is no tensor of 5 dimensions");
    attention.past = n.dim(past, 3);
    for (int i = 0; i < 2; ++i) {
      Val own = n.squeeze(n.sliceAxis(past, 0, n.index(i), n.index(1)), {0});
      parts[i + 1] = n.concat({own, parts[i + 1]}, 2);
    }
  }
  if (n.failed())
    return failure();
  if (n.wants(1))
    n.out(1, n.concat({n.unsqueeze(parts[1], {0}), n.unsqueeze(parts[2], {0})},
                      0));
  return attention.run(parts[0], parts[1], parts[2]);
}

LogicalResult importMultiHeadAttention(NodeBuilder &n) {
  Val parts[3] = {n.in(0), n.in(1), n.in(2)};
  int64_t heads = n.intAttr("num_heads");
  if (!isPlainFloat(parts[0]) || parts[0].rank() != 3 || !parts[1] ||
      !parts[2] || heads < 1)
    return n.error("takes separate queries, keys and values; packed ones are "
                   "not supported");
  Size from = n.index(0);
  for (Val &part : parts) {
    if (part.elem != parts[0].elem)
      return n.error("takes queries, keys and values of one type");
    if (part.rank() ==
        4) // Keys and values of another attention, with their heads.
      continue;
    if (part.rank() != 3)
      return n.error("takes queries, keys and values of 3 or 4 dimensions");
    Size width = n.dim(part, 2);
    if (n.has(3)) {
      Val bias = n.sliceAxis(n.in(3), 0, from, width);
      part = n.map({part, bias}, part.elem, [](Args a) { return a[0] + a[1]; });
    }
    from = n.add(from, width);
    part = splitHeads(n, part, heads);
  }
  HeadAttention attention{n, n.in(4), n.in(5), n.index(0)};
  attention.causal = n.intAttr("unidirectional");
  attention.filter = n.floatAttr("mask_filter_value", -10000.0f);
  if (n.has(6) && n.has(7)) {
    if (!n.haveRank({n.in(6), n.in(7)}, 4))
      return failure();
    attention.past = n.dim(n.in(6), 2);
    parts[1] = n.concat({n.in(6), parts[1]}, 2);
    parts[2] = n.concat({n.in(7), parts[2]}, 2);
  }
  if (n.failed())
    return failure();
  n.out(1, parts[1]);
  n.out(2, parts[2]);
  return attention.run(parts[0], parts[1], parts[2]);
}

//===- Training -----------------------------------------------------------===//

LogicalResult importReluGrad(NodeBuilder &n) {
  return n.out(n.map({n.in(0), n.in(1)}, n.in(0).elem, [](Args x) {
    return select(gt(x[1], 0), x[0], x[0].builder->like(x[0], 0));
  }));
}

/// The accumulator changes in the caller's memory, which a compiled model never
/// does: the flag alone is given.
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
                   "not supported");
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
  table.add("SimplifiedLayerNormalization", importSimplifiedNormalization, 2);
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
  table.add("FusedMatMul", importFusedMatMul, 2);
  table.add("FusedGemm", importFusedGemm, 2, 3);
  table.add("FusedConv", importFusedConv, 2, 4);
  table.add(
      "SkipLayerNormalization",
      [](NodeBuilder &n) { return importSkipNormalization(n, true); }, 3, 5);
  table.add(
      "SkipSimplifiedLayerNormalization",
      [](NodeBuilder &n) { return importSkipNormalization(n, false); }, 3, 4);
  table.add("SimplifiedLayerNormalization", importSimplifiedNormalization, 2);
  // Segments may be left out.
  table.add("EmbedLayerNormalization", importEmbedNormalization, 1, 9);
  table.add("Attention", importAttention, 2, 7);
  table.add("MultiHeadAttention", importMultiHeadAttention, 1, 8);
  table.add("ReluGrad", importReluGrad, 2);
  table.add("InPlaceAccumulatorV2", importAccumulator, 2, 3);
  table.add("SoftmaxCrossEntropyLossGrad", importCrossEntropyGrad, 3, 6);
  table.setDomain("");
}
