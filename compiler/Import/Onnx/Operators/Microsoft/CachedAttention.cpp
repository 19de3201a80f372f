// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// GroupQueryAttention and RotaryEmbedding of com.microsoft, used by decoders of
// language models.
#include "compiler/Import/Onnx/Builder/OpTable.h"
#include "compiler/Import/Onnx/Operators/Microsoft/HeadAttention.h"
#include "compiler/Import/Onnx/Operators/Quantization.h"

using namespace mlir;
using namespace hone::onnx;
using Args = ArrayRef<Scalar>;

namespace {

/// Caches of cosines and sines, [positions, half of the rotated features].
bool areCaches(NodeBuilder &n, Val cosines, Val &sines, Size headSize) {
  if (cosines.rank() != 2 || sines.rank() != 2 || !isPlainFloat(cosines) ||
      sines.elem != cosines.elem) {
    n.fail("needs two float matrices of cosines and sines");
    return false;
  }
  sines = n.withDims(sines, n.dims(cosines), "the sizes of the caches");
  ScalarBuilder &s = n.host();
  Scalar turned = s.size(n.mul(n.dim(cosines, 1), 2));
  return n.require(bitAnd(ge(turned, 2), le(turned, s.size(headSize))),
                   "the caches hold at least one angle, and not more than "
                   "fit a head");
}

LogicalResult importRotaryEmbedding(NodeBuilder &n) {
  Val x = n.in(0), positions = n.in(1), cosines = n.in(2), sines = n.in(3);
  bool flat = x.rank() == 3;
  if ((!flat && x.rank() != 4) || !isPlainFloat(x) ||
      !isInteger(positions.elem) || positions.rank() < 1 ||
      positions.rank() > 2)
    return n.error("takes a float input of 3 or 4 dimensions, and positions");
  if (n.intAttr("is_packed_batching") || n.floatAttr("scale", 1) != 1)
    return n.error("has is_packed_batching or a scale, which is not supported: "
                   "export it with entries of one length, and multiply after "
                   "it");
  int64_t heads = n.intAttr("num_heads");
  Val split = x;
  if (flat && heads > 0) {
    split = splitHeads(n, x, heads);
  } else if (flat) {
    // A head is as wide as the caches say.
    Sizes sizes = n.dims(x);
    Size each = n.mul(n.dim(cosines, 1), 2);
    ScalarBuilder &s = n.host();
    Size count =
        n.floorDiv(sizes[2], n.toSize(max(s.size(each), s.indexConstant(1))));
    if (!n.require(eq(s.size(n.mul(count, each)), s.size(sizes[2])),
                   "the features are a multiple of a head's"))
      return failure();
    split = n.transpose(n.reshape(x, {sizes[0], sizes[1], count, each}),
                        {0, 2, 1, 3});
  }
  if (n.failed() || !areCaches(n, cosines, sines, n.dim(split, 3)))
    return failure();
  int64_t declared = n.intAttr("rotary_embedding_dim");
  if (declared &&
      !n.require(eq(n.host().size(n.mul(n.dim(cosines, 1), 2)),
                    static_cast<double>(declared)),
                 "the caches are as wide as half of rotary_embedding_dim"))
    return failure();
  // One number is the position of the first.
  bool first = positions.rank() == 1;
  positions = first ? n.withDims(positions, {n.index(1)},
                                 "the number of positions and 1")
                    : n.withDims(positions, {n.dim(split, 0), n.dim(split, 2)},
                                 "the sizes of input and positions");
  if (n.failed())
    return failure();
  Size places = n.dim(cosines, 0);
  Val turned = rotateHeads(
      n, split, cosines, sines, n.dim(cosines, 1),
      n.intAttr("interleaved") != 0,
      [&](ScalarBuilder &s, Scalar batch, Scalar at) -> SmallVector<Scalar> {
        SmallVector<Scalar> where{batch, at};
        if (first)
          where = {s.indexConstant(0)};
        Scalar place =
            s.toIndex(s.element(positions.value, positions.elem, where));
        return {s.checkedIndex(first ? place + at : place, places)};
      });
  return n.out(flat ? joinHeads(n, turned) : turned);
}

/// How keys or values are stored in a cache: unchanged, or divided by a scale
/// as int8, float8e4m3fn, or 4 bits from -8 on, two in a byte.
struct CacheFormat {
  NodeBuilder &n;
  ElementType elem = ElementType::Undefined; ///< of the cache
  Val scale = Val(); ///< one element, or [1, heads, 1, size]; none: unchanged
  int64_t bits = 8;

  bool isPacked() const { return scale && bits == 4; }
  Size width(Size size) const {
    return isPacked() ? n.ceilDiv(size, n.index(2)) : size;
  }

  /// [batch, heads, length, size] in the format of the cache.
  Val stored(Val x) const {
    if (!scale)
      return x;
    Val fit = quantize(n, n.cast(x, scale.elem), scale, Val(),
                       isPacked() ? ElementType::Int4 : elem);
    if (!isPacked() || n.failed())
      return fit;
    Sizes sizes = n.dims(x);
    Size size = sizes[3];
    sizes[3] = width(size);
    return n.compute(sizes, elem, [&](ScalarBuilder &s) {
      auto value = [&](const Scalar &i) {
        // One past the end is 0.
        return s.toIndex(s.load(
                   s.extractWhere(lt(i, s.size(size)), fit.value,
                                  {s.index(0), s.index(1), s.index(2), i},
                                  s.constant(fit.type().getElementType(), 0)),
                   fit.elem)) +
               8;
      };
      Scalar first = s.index(3) * s.indexConstant(2);
      return s.cast(value(first) + value(first + 1) * s.indexConstant(16),
                    elem);
    });
  }

  /// The value of a part of the cache, in type `result`.
  Val read(Val cache, Size size, ElementType result) const {
    if (!scale)
      return cache;
    Val values = cache;
    if (isPacked()) {
      Sizes sizes = n.dims(cache);
      sizes[3] = size;
      values = n.compute(sizes, ElementType::Int32, [&](ScalarBuilder &s) {
        Scalar place = floorDiv(s.index(3), s.indexConstant(2));
        Scalar byte = s.toIndex(s.element(
            cache.value, elem, {s.index(0), s.index(1), s.index(2), place}));
        Scalar high = ne(s.index(3), place * s.indexConstant(2)),
               base = s.indexConstant(16);
        Scalar bits4 = select(high, floorDiv(byte, base), truncMod(byte, base));
        return s.cast(bits4 - 8, ElementType::Int32);
      });
    }
    return n.map({n.cast(values, scale.elem), scale}, result,
                 [](Args v) { return v[0] * v[1]; });
  }
};

struct GroupQueryAttention {
  NodeBuilder &n;
  int64_t heads, shared; ///< of queries, and of keys and values
  Val parts[3] = {};     ///< [batch, heads, length, size]
  Size total = {}, rows = {};
  Val starts = {}; ///< position of the new keys of each entry

  /// Queries, keys and values, which may be packed into one tensor.
  bool split() {
    Val q = n.in(0);
    if (!n.has(1) && !n.has(2)) {
      int64_t all = heads + 2 * shared;
      Size width = n.dim(q, 2), size = n.floorDiv(width, n.index(all));
      if (!n.require(eq(n.host().size(n.mul(size, all)), n.host().size(width)),
                     "queries, keys and values have heads of one size"))
        return false;
      Size from = n.index(0);
      for (int i = 0; i < 3; ++i) {
        Size own = n.mul(size, i == 0 ? heads : shared);
        parts[i] = n.sliceAxis(q, 2, from, own);
        from = n.add(from, own);
      }
    } else {
      for (int i = 0; i < 3; ++i)
        parts[i] = n.in(i);
    }
    for (int i = 0; i < 3; ++i) {
      if (parts[i].rank() != 3 || parts[i].elem != q.elem) {
        n.fail("takes queries, keys and values of one type, or packed ones");
        return false;
      }
      parts[i] = splitHeads(n, parts[i], i == 0 ? heads : shared);
    }
    Sizes sizes = n.dims(parts[0]);
    sizes[1] = n.index(shared);
    for (int i : {1, 2})
      parts[i] =
          n.withDims(parts[i], sizes, "the sizes of queries, keys and values");
    return !n.failed();
  }

  /// Queries or keys divided by the root mean square.
  Val normalized(Val x, Val scale, StringRef epsilon) {
    Val wide = n.widened(x);
    Val squares = n.mean(n.map(wide, [](Scalar v) { return v * v; }), {3},
                         /*keepdims=*/true);
    double bias = n.floatAttr(epsilon, n.floatAttr("qk_norm_epsilon", 1e-6f));
    scale = n.withDims(n.cast(scale, wide.elem), {n.dim(x, 3)},
                       "the sizes of heads and their scale");
    return n.failed() ? x : n.map({wide, squares, scale}, x.elem, [&](Args v) {
      return v[0] * rsqrt(v[1] + bias) * v[2];
    });
  }

  /// Where each entry's new keys start: after those it has, given by seqlens_k,
  /// or at the start of a first prompt.
  bool locate() {
    Val lengths = n.in(5);
    Sizes sizes = n.dims(parts[0]);
    if (!lengths || !n.has(6) || !isInteger(lengths.elem) ||
        !isInteger(n.in(6).elem)) {
      n.fail("needs integers for seqlens_k and total_sequence_length");
      return false;
    }
    total = n.toSize(n.hostScalar(n.in(6)));
    if (n.failed())
      return false;
    if (lengths.rank() == 2)
      lengths = n.reshape(
          n.withSize(lengths, 1, n.index(1), "the columns of seqlens_k and 1"),
          {n.dim(lengths, 0)});
    lengths =
        n.withDims(lengths, {sizes[0]}, "the sizes of batch and seqlens_k");
    ScalarBuilder &host = n.host();
    if (n.failed() || !n.require(ge(host.size(total), host.size(sizes[2])),
                                 "total_sequence_length counts the queries"))
      return false;
    rows = n.has(3) ? n.max(total, n.dim(n.in(3), 2)) : total;
    starts = n.compute({sizes[0]}, ElementType::Int64, [&](ScalarBuilder &s) {
      Scalar last = s.checkedIndex(
          s.toIndex(s.element(lengths.value, lengths.elem, {s.index(0)})),
          total);
      Scalar before = last + 1 - s.size(sizes[2]), none = s.indexConstant(0);
      Scalar prompt = eq(s.size(sizes[2]), s.size(total));
      Scalar start = select(prompt, none, before);
      return s.cast(s.checkedIndex(start, rows), ElementType::Int64);
    });
    return true;
  }

  Scalar startOf(ScalarBuilder &s, const Scalar &batch) {
    return s.toIndex(s.element(starts.value, starts.elem, {batch}));
  }

  Val rotate(Val x, Val cosines, Val sines) {
    Val positions = n.in(9);
    Size places = n.dim(cosines, 0);
    return rotateHeads(
        n, x, cosines, sines, n.dim(cosines, 1),
        n.intAttr("rotary_interleaved") != 0,
        [&](ScalarBuilder &s, Scalar batch, Scalar at) -> SmallVector<Scalar> {
          Scalar place = positions
                             ? s.toIndex(s.element(positions.value,
                                                   positions.elem, {batch, at}))
                             : startOf(s, batch) + at;
          return {s.checkedIndex(place, places)};
        });
  }

  /// How keys (1) or values (2) are stored in the cache.
  std::optional<CacheFormat> cacheFormat(int which) {
    CacheFormat format{n, n.in(0).elem};
    Val past = n.in(2 + which), scale = n.in(11 + which);
    StringRef kind =
        n.stringAttr(which == 1 ? "k_quant_type" : "v_quant_type", "NONE");
    if (past && past.rank() != 4) {
      n.fail("has a past that does not fit keys and values");
      return std::nullopt;
    }
    if (kind == "NONE") {
      if (!scale && (!past || past.elem == format.elem))
        return format;
      n.fail("has a past of another type, or a scale, and no quant_type");
      return std::nullopt;
    }
    bool perTensor = kind == "PER_TENSOR";
    if (!perTensor && kind != "PER_CHANNEL") {
      n.fail("has an unknown quant_type: '" + kind + "'");
      return std::nullopt;
    }
    format.bits = n.intAttr("kv_cache_bit_width", 8);
    if (!past || !isPlainFloat(scale) ||
        !(format.bits == 4   ? past.elem == ElementType::Uint8
          : format.bits == 8 ? past.elem == ElementType::Int8 ||
                                   past.elem == ElementType::Float8E4M3FN
                             : false)) {
      n.fail("needs a past of int8 or float8e4m3fn for 8 bits, or of uint8 for "
             "4, and its scale");
      return std::nullopt;
    }
    format.elem = past.elem;
    Size channels = n.mul(n.dim(parts[which], 3), shared);
    if (!n.require(eq(n.host().size(n.product(n.dims(scale))),
                      n.host().size(perTensor ? n.index(1) : channels)),
                   "the cache has one scale, or one for each channel"))
      return std::nullopt;
    format.scale =
        n.reshape(n.widened(scale),
                  perTensor ? n.sizes({1, 1, 1, 1})
                            : Sizes{n.index(1), n.index(shared), n.index(1),
                                    n.dim(parts[which], 3)});
    return format;
  }

  /// The cache with the new keys or values inserted, as large as it was or as
  /// all keys are.
  Val present(Val past, Val fresh) {
    Sizes sizes = n.dims(fresh);
    Size length = sizes[2], had = past ? n.dim(past, 2) : n.index(0);
    sizes[2] = rows;
    return n.move(sizes, fresh.elem, [&](ScalarBuilder &s) {
      Scalar batch = s.index(0), head = s.index(1), row = s.index(2),
             i = s.index(3);
      Scalar at = row - startOf(s, batch);
      Scalar isNew = bitAnd(ge(at, 0), lt(at, s.size(length)));
      Scalar other = s.constant(fresh.type().getElementType(), 0);
      if (past)
        other = s.wrap(s.extractWhere(lt(row, s.size(had)), past.value,
                                      {batch, head, row, i}, other));
      return s.extractWhere(isNew, fresh.value, {batch, head, at, i}, other);
    });
  }

  LogicalResult run() {
    Val q = n.in(0), bias = n.in(10), sink = n.in(11);
    if (q.rank() != 3 || !isPlainFloat(q) || heads < 1 || shared < 1 ||
        heads > INT32_MAX || shared > INT32_MAX || heads % shared != 0)
      return n.error("takes float queries of 3 dimensions, and num_heads that "
                     "are a multiple of kv_num_heads");
    if (n.has(16) || n.intAttr("qk_output") ||
        n.intAttr("sliding_window_cache"))
      return n.error("has a sliding cache, padded queries or scores as a "
                     "result, which is not supported: export it without "
                     "sliding_window_cache, query_seqlens and qk_output");
    if (n.has(1) != n.has(2) || n.has(3) != n.has(4) || n.has(14) != n.has(15))
      return n.error("has one of two inputs that belong together");
    if (!split())
      return failure();
    if (n.has(14)) {
      parts[0] = normalized(parts[0], n.in(14), "q_norm_epsilon");
      parts[1] = normalized(parts[1], n.in(15), "k_norm_epsilon");
    }
    Sizes sizes = n.dims(parts[1]);
    Val past[3];
    SmallVector<CacheFormat, 2> formats; // of keys, then of values
    for (int i : {1, 2}) {
      std::optional<CacheFormat> format = cacheFormat(i);
      if (!format)
        return failure();
      formats.push_back(*format);
      if (n.has(3)) {
        Sizes own = sizes;
        own[2] = n.dim(n.in(3), 2);
        own[3] = formats[i - 1].width(sizes[3]);
        past[i] =
            n.withDims(n.in(2 + i), own, "the sizes of past, keys and values");
      }
    }
    if (n.failed() || !locate())
      return failure();
    if (n.intAttr("do_rotary")) {
      Val cosines = n.in(7), sines = n.in(8), positions = n.in(9);
      if (!cosines || !sines || !areCaches(n, cosines, sines, sizes[3]))
        return n.error("rotates without caches of cosines and sines");
      if (positions && (!isInteger(positions.elem) || positions.rank() != 2 ||
                        !n.require(bitAnd(eq(n.host().size(n.dim(positions, 0)),
                                             n.host().size(sizes[0])),
                                          eq(n.host().size(n.dim(positions, 1)),
                                             n.host().size(sizes[2]))),
                                   "each query has a position")))
        return n.error("has positions that do not fit its queries");
      for (int i : {0, 1})
        parts[i] = rotate(parts[i], cosines, sines);
    }
    for (int i : {1, 2}) {
      // The new ones are read back from the format of the cache.
      Val cache = present(past[i], formats[i - 1].stored(parts[i]));
      n.out(i, cache);
      parts[i] = formats[i - 1].read(n.sliceAxis(cache, 2, n.index(0), total),
                                     sizes[3], q.elem);
    }
    HeadAttention attention{n};
    attention.starts = starts;
    attention.causal = n.intAttr("causal", 1) != 0;
    // The window includes the query's own key.
    int64_t window = n.intAttr("local_window_size", -1);
    if (window < -1 || window == 0 || (window > 0 && !attention.causal))
      return n.error("has a local_window_size that makes no sense");
    attention.window = window < 0 ? -1 : window - 1;
    attention.cap = n.floatAttr("softcap", 0);
    attention.bias = bias;
    if (!attention.causal) {
      // Keys of other entries may reach further.
      attention.mask = n.map(n.reshape(n.in(5), {sizes[0]}),
                             [](Scalar last) { return last + 1; });
      attention.filter = -std::numeric_limits<double>::infinity();
    }
    ElementType wide = widenedType(q.elem);
    if (sink) {
      sink = n.withDims(sink, {n.index(heads)}, "the sizes of heads and sinks");
      attention.sink = n.reshape(n.cast(sink, wide), n.sizes({1, heads, 1, 1}));
    } else if (n.intAttr("smooth_softmax")) {
      attention.sink = n.filled(wide, n.sizes({1, 1, 1, 1}), 0);
    }
    return n.failed() ? failure() : attention.run(parts[0], parts[1], parts[2]);
  }
};

} // namespace

void hone::onnx::addCachedAttention(OpTable &table) {
  table.setDomain("com.microsoft");
  table.add("RotaryEmbedding", importRotaryEmbedding, 4);
  table.add(
      "GroupQueryAttention",
      [](NodeBuilder &n) {
        return GroupQueryAttention{n, n.intAttr("num_heads"),
                                   n.intAttr("kv_num_heads")}
            .run();
      },
      1, 17);
  table.setDomain("");
}
