// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Normalizations of com.microsoft, with other operations that optimizers fuse
// into them.
#include "compiler/Import/Onnx/Builder/OpTable.h"
#include "compiler/Import/Onnx/Operators/Attention.h"
#include "compiler/Import/Onnx/Operators/Normalization.h"
#include "compiler/Import/Onnx/Operators/Quantization.h"

using namespace mlir;
using namespace hone::onnx;
using Args = ArrayRef<Scalar>;

namespace {

struct Normalized {
  Val result, mean, inverse;
};

/// Layer normalization over the last dimension, in f32 at least; without
/// `centers` only by the root mean square.
Normalized normalize(NodeBuilder &n, Val x, Val scale, Val shift, bool centers,
                     ElementType elem) {
  double epsilon = n.floatAttr("epsilon", centers ? 1e-12f : 1e-5f);
  Ints last{x.rank() - 1};
  Normalized r;
  Val centered = x, variance;
  if (centers) {
    Moments m = momentsOf(n, x, last);
    r.mean = m.mean;
    centered = m.centered;
    variance = m.variance;
  } else {
    variance = n.mean(n.map(x, [](Scalar v) { return v * v; }), last,
                      /*keepdims=*/true);
  }
  r.inverse = inverseRoot(n, variance, epsilon);
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
  Val scale = n.in(1);
  Normalized r = normalize(n, n.cast(x, widestType({x, scale})), scale, {},
                           /*centers=*/false, scale.elem);
  n.out(0, r.result);
  if (n.wants(1))
    n.out(1, n.cast(r.inverse, stashType(n)));
  return success(!n.failed());
}

/// Embeddings of tokens, positions and segments, quantized or not.
struct Embeddings {
  NodeBuilder &n;
  Val ids, segments, words, places, kinds, positions;
  /// Rows of a table as floats, all of them without indices.
  function_ref<Val(Val table, size_t input, Val indices)> rowsOf;
  ElementType elem;

  /// The sum of all, in the widened type.
  std::optional<Val> sum() {
    if (!ids || !words || !places || ids.rank() != 2 || !isInteger(ids.elem) ||
        words.rank() != 2 || places.rank() != 2) {
      n.fail("takes token ids and embeddings");
      return std::nullopt;
    }
    Size length = n.dim(ids, 1);
    if (!positions) {
      n.require(le(n.host().size(length), n.host().size(n.dim(places, 0))),
                "the positions have embeddings");
      places = n.sliceAxis(places, 0, n.index(0), length);
    }
    SmallVector<Val> parts{rowsOf(words, 2, ids), rowsOf(places, 3, positions)};
    if (segments && kinds)
      parts.push_back(rowsOf(kinds, 4, segments));
    if (n.failed())
      return std::nullopt;
    return n.map(parts, widenedType(elem), [](Args a) {
      return a.size() > 2 ? a[0] + a[1] + a[2] : a[0] + a[1];
    });
  }

  /// How many words of each entry the mask counts.
  Val counted(Val mask) {
    return mask && mask.rank() == 2
               ? n.sum(n.cast(mask, ElementType::Int32), {1},
                       /*keepdims=*/false)
               : n.filled(ElementType::Int32, {n.dim(ids, 0)}, 0);
  }
};

LogicalResult importEmbedNormalization(NodeBuilder &n) {
  if (!n.has(2) || !n.has(5) || !isPlainFloat(n.in(2)))
    return n.error("takes token ids and float embeddings");
  ElementType elem = n.in(2).elem;
  auto rows = [&](Val table, size_t, Val indices) {
    return indices ? n.gather(table, indices, 0) : table;
  };
  Embeddings e{n,       n.in(0), n.in(1), n.in(2), n.in(3),
               n.in(4), n.in(8), rows,    elem};
  std::optional<Val> sum = e.sum();
  if (!sum)
    return failure();
  n.out(0, normalize(n, *sum, n.in(5), n.in(6), /*centers=*/true, elem).result);
  if (n.wants(1))
    n.out(1, e.counted(n.in(7)));
  n.out(2, n.cast(*sum, elem));
  return success(!n.failed());
}

/// The same with tables, scale and shift of bytes: their scales are inputs 8 to
/// 12, and their zero points 13 to 17.
LogicalResult importQuantizedEmbedNormalization(NodeBuilder &n) {
  auto floats = [&](Val x, size_t input) {
    Quantized q{x, n.in(input + 6), n.in(input + 11)};
    if (!q.x || !isByte(q.x) ||
        !scalarParameters(n, q.scale, q.zeroPoint, q.x.elem)) {
      n.fail("takes tables, a scale and a shift of int8 or uint8");
      return n.scalar(ElementType::Float, 0);
    }
    return dequantize(n, q);
  };
  auto rows = [&](Val table, size_t input, Val indices) {
    return floats(indices ? n.gather(table, indices, 0) : table, input);
  };
  Embeddings e{n,       n.in(0), n.in(1), n.in(2),           n.in(3),
               n.in(4), Val(),   rows,    ElementType::Float};
  std::optional<Val> sum = e.sum();
  if (!sum)
    return failure();
  Val scale = floats(n.in(5), 5), shift = floats(n.in(6), 6);
  if (n.failed())
    return failure();
  n.out(0,
        normalize(n, *sum, scale, shift, /*centers=*/true, ElementType::Float)
            .result);
  if (n.wants(1))
    n.out(1, e.counted(n.in(7)));
  return success(!n.failed());
}

/// GroupNormalization with an activation, of a tensor to which another one and
/// a bias may be added first.
LogicalResult importGroupNorm(NodeBuilder &n, bool skips) {
  Val x = n.in(0), skip = skips ? n.in(3) : Val(),
      bias = skips ? n.in(4) : Val();
  int64_t groups = n.intAttr("groups"), activation = n.intAttr("activation");
  bool last = n.intAttr("channels_last", 1) != 0;
  if (!isPlainFloat(x) || x.rank() < 3 || n.in(1).rank() != 1 ||
      n.in(2).rank() != 1 || (bias && bias.rank() != 1))
    return n.error(
        "takes a float tensor of at least 3 dimensions, and vectors");
  if (groups < 1 || activation < 0 || activation > 1)
    return n.error("needs groups, and an activation that is 0 or 1");
  Sizes own = n.dims(x);
  int64_t axis = last ? x.rank() - 1 : 1;
  Size channels = own[axis], each = n.floorDiv(channels, n.index(groups));
  if (!n.require(
          eq(n.host().size(n.mul(each, groups)), n.host().size(channels)),
          "the channels are a multiple of the groups"))
    return failure();
  ElementType wide = widenedType(x.elem);
  // One element per channel, along its axis.
  auto perChannel = [&](Val v) {
    Sizes sizes(x.rank() - axis, n.index(1));
    sizes[0] = channels;
    return n.reshape(n.withDims(n.cast(v, wide), {channels},
                                "the sizes of channels and parameters"),
                     sizes);
  };
  Val sum = n.widened(x);
  if (skips) {
    if (skip.rank() == 2) {
      Sizes sizes(x.rank(), n.index(1));
      sizes[0] = n.dim(skip, 0);
      sizes[axis] = n.dim(skip, 1);
      skip = n.reshape(skip, sizes);
    }
    SmallVector<Val> inputs{sum, n.alignTo(n.cast(skip, wide), own)};
    if (bias)
      inputs.push_back(perChannel(bias));
    if (n.failed())
      return failure();
    sum = n.map(inputs, wide, [](Args a) {
      return a.size() > 2 ? a[0] + a[1] + a[2] : a[0] + a[1];
    });
    n.out(1, n.cast(sum, x.elem));
  }
  Size spatial = n.index(1);
  for (int64_t i = 1; i < x.rank(); ++i)
    if (i != axis)
      spatial = n.mul(spatial, own[i]);
  Val grouped =
      n.reshape(sum, last ? Sizes{own[0], spatial, n.index(groups), each}
                          : Sizes{own[0], n.index(groups), each, spatial});
  Moments m = momentsOf(n, grouped, last ? Ints{1, 3} : Ints{2, 3});
  Val inverse = inverseRoot(n, m.variance, n.floatAttr("epsilon", 1e-5f));
  Val normal = n.reshape(
      n.map({m.centered, inverse}, wide, [](Args a) { return a[0] * a[1]; }),
      own);
  Val scale = perChannel(n.in(1)), shift = perChannel(n.in(2));
  if (n.failed())
    return failure();
  n.out(0, n.map({normal, scale, shift}, x.elem, [&](Args a) {
    Scalar y = a[0] * a[1] + a[2];
    return activation == 1 ? y * sigmoid(y) : y;
  }));
  return success();
}

} // namespace

void hone::onnx::addFusedNormalization(OpTable &table) {
  table.add("SimplifiedLayerNormalization", importSimplifiedNormalization, 2);
  table.setDomain("com.microsoft");
  table.add("SimplifiedLayerNormalization", importSimplifiedNormalization, 2);
  table.add(
      "SkipLayerNormalization",
      [](NodeBuilder &n) { return importSkipNormalization(n, true); }, 3, 5);
  table.add(
      "SkipSimplifiedLayerNormalization",
      [](NodeBuilder &n) { return importSkipNormalization(n, false); }, 3, 4);
  // Segments may be omitted.
  table.add("EmbedLayerNormalization", importEmbedNormalization, 1, 9);
  table.add("QEmbedLayerNormalization", importQuantizedEmbedNormalization, 1,
            18);
  table.add(
      "GroupNorm", [](NodeBuilder &n) { return importGroupNorm(n, false); }, 3);
  table.add(
      "SkipGroupNorm", [](NodeBuilder &n) { return importGroupNorm(n, true); },
      4, 5);
  table.setDomain("");
}
