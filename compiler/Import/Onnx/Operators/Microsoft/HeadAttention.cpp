// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention of com.microsoft: with projections, quantized ones, packed heads,
// and caches of the past.
#include "compiler/Import/Onnx/Operators/Microsoft/HeadAttention.h"
#include "compiler/Import/Onnx/Builder/OpTable.h"
#include "compiler/Import/Onnx/Operators/Quantization.h"

#include <cmath>

using namespace mlir;
using namespace hone::onnx;
using Args = ArrayRef<Scalar>;

LogicalResult HeadAttention::run(Val q, Val k, Val v) {
  if (!n.haveRank({q, k, v}, 4))
    return failure();
  ElementType elem = q.elem;
  Val scores = headScores(n, n.widened(q), n.widened(k));
  if (n.failed())
    return failure();
  double given = n.floatAttr("scale", 0);
  Val factor = given != 0 ? n.scalar(scores.elem, given)
                          : inverseRootOf(n, n.dim(q, 3), scores.elem);
  scores = n.map({scores, factor}, scores.elem, [&](Args x) {
    Scalar scaled = x[0] * x[1];
    return cap > 0 ? tanh(scaled / cap) * cap : scaled;
  });
  SmallVector<Val> inputs{scores};
  Size batch = n.dim(q, 0);
  bool lengths = mask && mask.rank() == 1;
  if (mask && mask.elem != ElementType::Bool && !isInteger(mask.elem))
    return n.error("has a mask of " + elementTypeName(mask.elem));
  if (mask && !lengths) {
    // [batch, keys] or [batch, queries, keys], before the heads.
    if (mask.rank() < 2 || mask.rank() > 4)
      return n.error("has a mask of " + Twine(mask.rank()) + " dimensions");
    if (mask.rank() < 4)
      mask = n.unsqueeze(mask, mask.rank() == 2 ? Ints{1, 2} : Ints{1});
    inputs.push_back(n.alignTo(mask, n.dims(scores)));
  }
  if (bias)
    inputs.push_back(n.alignTo(bias, n.dims(scores)));
  Size count = lengths ? n.dim(mask, 0) : n.index(0);
  if (lengths) {
    Scalar entries = n.host().size(batch), own = n.host().size(count);
    n.require(bitOr(eq(own, entries), eq(own, n.host().size(n.mul(batch, 2)))),
              "the mask has one or two numbers for each entry of the batch");
  }
  if (n.failed())
    return failure();
  Val logits = n.map(inputs, scores.elem, [&](Args x) {
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
      Scalar entry = s.index(0), second = entry + s.size(batch);
      Scalar end = s.toIndex(s.element(mask.value, mask.elem, {entry}));
      Scalar nothing = s.constant(mask.type().getElementType(), 0);
      Scalar start =
          s.toIndex(s.load(s.extractWhere(lt(second, s.size(count)), mask.value,
                                          {second}, nothing),
                           mask.elem));
      Scalar inside = bitAnd(lt(column, end), ge(column, start));
      value = value + select(inside, zero, blocked);
    }
    Scalar place =
        row +
        (starts ? s.toIndex(s.element(starts.value, starts.elem, {s.index(0)}))
                : s.size(past));
    auto keep = [&](const Scalar &condition) {
      value = select(condition, value, s.like(value, -INFINITY));
    };
    if (causal)
      keep(le(column, place));
    if (window >= 0)
      keep(le(place - column, static_cast<double>(window)));
    return value;
  });
  if (scoresOutput >= 0)
    n.out(scoresOutput, n.cast(logits, elem));
  Val probabilities =
      attentionSoftmax(n, logits, /*masked=*/std::isinf(filter), sink);
  Val attended = headValues(n, probabilities, n.widened(v));
  if (n.failed())
    return failure();
  n.out(0, joinHeads(n, n.cast(attended, elem)));
  return success();
}

namespace {

/// Adjacent queries, keys and values: a third each, or as wide as
/// qkv_hidden_sizes says.
bool splitWidths(NodeBuilder &n, Val packed, Val (&parts)[3]) {
  Size width = n.dim(packed, 2);
  Sizes widths(3, n.floorDiv(width, n.index(3)));
  if (std::optional<Ints> given = n.intsAttr("qkv_hidden_sizes")) {
    auto fits = [](int64_t own) { return own >= 1 && own <= INT32_MAX; };
    if (given->size() != 3 || !llvm::all_of(*given, fits)) {
      n.fail("has qkv_hidden_sizes that make no sense");
      return false;
    }
    widths = n.sizes(*given);
  }
  Size ends[3] = {widths[0], n.add(widths[0], widths[1]), {}};
  ends[2] = n.add(ends[1], widths[2]);
  if (!n.require(eq(n.host().size(ends[2]), n.host().size(width)),
                 "queries, keys and values are as wide together as what holds "
                 "them"))
    return false;
  for (int i = 0; i < 3; ++i)
    parts[i] =
        n.sliceAxis(packed, 2, i == 0 ? n.index(0) : ends[i - 1], widths[i]);
  return !n.failed();
}

/// The rows of the queries and the columns of the keys in a mask for all
/// positions of the longest sequence, [batch, 1, positions, positions].
Val maskOfPlaces(NodeBuilder &n, Val mask, Val queries, Val keys) {
  Size rows = n.dim(queries, 2), columns = n.dim(keys, 2);
  mask = n.withSize(mask, 1, n.index(1), "the second size of the mask and 1");
  for (int64_t axis : {2, 3})
    n.require(le(n.host().size(columns), n.host().size(n.dim(mask, axis))),
              "the mask has a row and a column for each key");
  return n.failed() ? mask
                    : n.slice(mask,
                              {n.index(0), n.index(0), n.sub(columns, rows),
                               n.index(0)},
                              {n.dim(mask, 0), n.index(1), rows, columns});
}

/// Rotates the first features of [batch, heads, length, size] by the angles of
/// their positions, from `first` on; the features of a pair are half apart.
Val rotateFrom(NodeBuilder &n, Val x, Size first) {
  int64_t declared = n.intAttr("rotary_embedding_dim");
  Size width = declared ? n.index(declared) : n.dim(x, 3),
       half = n.floorDiv(width, n.index(2));
  ScalarBuilder &host = n.host();
  n.require(bitAnd(ge(host.size(half), 1),
                   bitAnd(eq(host.size(n.mul(half, 2)), host.size(width)),
                          le(host.size(width), host.size(n.dim(x, 3))))),
            "rotary_embedding_dim, or else the head size, is even, and not "
            "above the head size");
  if (n.failed())
    return x;
  ElementType wide = widenedType(x.elem);
  Sizes sizes{n.dim(x, 2), half};
  Val angles = n.compute(sizes, wide, [&](ScalarBuilder &s) {
    mlir::Type type = computeType(s.builder.getContext(), wide);
    Scalar place = s.toFloat(s.index(0) + s.size(first), type);
    Scalar share = s.toFloat(s.index(1) * s.indexConstant(2), type) /
                   s.toFloat(s.size(width), type);
    return place * exp(share * -std::log(10000.0));
  });
  Val cosines = n.map(angles, [](Scalar v) { return cos(v); }),
      sines = n.map(angles, [](Scalar v) { return sin(v); });
  return rotateHeads(n, x, cosines, sines, half, /*interleaved=*/false,
                     [](ScalarBuilder &, Scalar, Scalar at) {
                       return SmallVector<Scalar>{at};
                     });
}

/// Attention over adjacent projected queries, keys and values, after past keys
/// and values.
LogicalResult attend(NodeBuilder &n, Val projected, Val mask, Val past,
                     Val bias) {
  int64_t heads = n.intAttr("num_heads");
  if (heads < 1)
    return n.error("needs num_heads");
  if (n.intAttr("past_present_share_buffer"))
    return n.error("shares the buffer of its past, which is not supported: "
                   "export it with a past that grows");
  Val parts[3];
  if (!splitWidths(n, projected, parts))
    return failure();
  for (Val &part : parts)
    part = splitHeads(n, part, heads);
  if (n.failed())
    return failure();
  HeadAttention attention{n};
  attention.mask = mask;
  attention.bias = bias;
  if (past) {
    if (past.rank() != 5 || past.elem != projected.elem)
      return n.error("has a past that is not a tensor of 5 dimensions");
    attention.past = n.dim(past, 3);
  }
  if (n.intAttr("do_rotary"))
    for (int i : {0, 1})
      parts[i] = rotateFrom(n, parts[i], attention.past);
  if (past) {
    for (int i = 0; i < 2; ++i) {
      Val own = n.squeeze(n.sliceAxis(past, 0, n.index(i), n.index(1)), {0});
      parts[i + 1] = n.concat({own, parts[i + 1]}, 2);
    }
  }
  if (n.failed())
    return failure();
  if (mask && mask.rank() == 4)
    attention.mask = maskOfPlaces(n, mask, parts[0], parts[1]);
  if (n.failed())
    return failure();
  if (n.wants(1))
    n.out(1, n.concat({n.unsqueeze(parts[1], {0}), n.unsqueeze(parts[2], {0})},
                      0));
  return attention.run(parts[0], parts[1], parts[2]);
}

LogicalResult importAttention(NodeBuilder &n) {
  Val x = n.in(0), w = n.in(1);
  if (x.rank() != 3 || w.rank() != 2 || !isPlainFloat(x) || w.elem != x.elem)
    return n.error("takes a float input of 3 dimensions and a weight matrix");
  if (n.has(6))
    return n.error("shares the buffer of its past, which is not supported: "
                   "export it with a past that grows");
  Val projected = n.wideMatmul(x, w);
  if (n.failed())
    return failure();
  projected = n.has(2)
                  ? n.map({projected, n.alignTo(n.in(2), n.dims(projected))},
                          x.elem, [](Args a) { return a[0] + a[1]; })
                  : n.cast(projected, x.elem);
  return n.failed() ? failure()
                    : attend(n, projected, n.in(3), n.in(4), n.in(5));
}

LogicalResult importQuantizedAttention(NodeBuilder &n) {
  Val x = n.in(0), w = n.in(1), xScale = n.in(3), wScale = n.in(4),
      xZero = n.in(6), wZero = n.in(7);
  if (x.rank() != 3 || w.rank() != 2 || !isByte(x) || !isByte(w) ||
      (xZero && xZero.elem != x.elem) || (wZero && wZero.elem != w.elem))
    return n.error("takes an input of 3 dimensions and a weight matrix of int8 "
                   "or uint8, with zero points of their types");
  Val sum = integerProduct(n, x, xZero, w, wZero);
  if (n.failed())
    return failure();
  std::optional<Val> projected =
      scaledProduct(n, sum, matrixParameter(n, xScale, true),
                    matrixParameter(n, wScale, false), n.in(2));
  return projected ? attend(n, *projected, n.in(5), n.in(8), Val()) : failure();
}

/// One of `count` tensors that are interleaved in the heads of a packed one,
/// [batch, length, heads, count, size], as [batch, length, heads * size].
Val unpacked(NodeBuilder &n, Val packed, int64_t i) {
  Sizes sizes = n.dims(packed);
  return n.reshape(n.sliceAxis(packed, 3, n.index(i), n.index(1)),
                   {sizes[0], sizes[1], n.mul(sizes[2], sizes[4])});
}

/// Queries, keys and values with their heads, plus a bias at `bias`.
bool splitParts(NodeBuilder &n, Val (&parts)[3], int64_t heads, Val bias) {
  Size from = n.index(0);
  for (Val &part : parts) {
    if (!part || part.elem != parts[0].elem || !isPlainFloat(part)) {
      n.fail("takes queries, keys and values of one float type");
      return false;
    }
    if (part.rank() ==
        4) // Keys and values of another attention, with their heads.
      continue;
    if (part.rank() != 3) {
      n.fail("takes queries, keys and values of 3 or 4 dimensions");
      return false;
    }
    Size width = n.dim(part, 2);
    if (bias) {
      if (bias.rank() != 1 || bias.elem != part.elem) {
        n.fail("has a bias that is not a vector of its input's type");
        return false;
      }
      Size end = n.add(from, width);
      n.require(le(n.host().size(end), n.host().size(n.dim(bias, 0))),
                "the bias is as long as queries, keys and values are wide");
      if (n.failed())
        return false;
      Val own = n.sliceAxis(bias, 0, from, width);
      part = n.map({part, own}, part.elem, [](Args a) { return a[0] + a[1]; });
    }
    from = n.add(from, width);
    part = splitHeads(n, part, heads);
  }
  return !n.failed();
}

/// Prepends past keys and values to those of the node.
bool prependPast(NodeBuilder &n, Val (&parts)[3], Val keys, Val values,
                 HeadAttention &attention) {
  if (!n.haveRank({keys, values}, 4))
    return false;
  if (keys.elem != parts[1].elem || values.elem != parts[2].elem) {
    n.fail("has a past of another type than its keys and values");
    return false;
  }
  attention.past = n.dim(keys, 2);
  parts[1] = n.concat({keys, parts[1]}, 2);
  parts[2] = n.concat({values, parts[2]}, 2);
  return !n.failed();
}

LogicalResult importMultiHeadAttention(NodeBuilder &n) {
  Val parts[3] = {n.in(0), n.in(1), n.in(2)};
  int64_t heads = n.intAttr("num_heads");
  if (heads < 1)
    return n.error("needs num_heads");
  if (n.has(8) || n.has(9))
    return n.error("shares the buffer of its past, which is not supported: "
                   "export it with a past that grows");
  Val packed = parts[0];
  if (packed.rank() == 5 && !n.has(1) && !n.has(2)) {
    n.require(eq(n.host().size(n.dim(packed, 3)), 3),
              "queries, keys and values are packed together");
    for (int i = 0; i < 3 && !n.failed(); ++i)
      parts[i] = unpacked(n, packed, i);
  } else if (parts[1].rank() == 5 && !n.has(2)) {
    packed = parts[1];
    n.require(eq(n.host().size(n.dim(packed, 3)), 2),
              "keys and values are packed together");
    for (int i = 0; i < 2 && !n.failed(); ++i)
      parts[1 + i] = unpacked(n, packed, i);
  }
  if (n.failed() || !splitParts(n, parts, heads, n.in(3)))
    return failure();
  HeadAttention attention{n};
  attention.mask = n.in(4);
  attention.bias = n.in(5);
  if (n.has(6) != n.has(7))
    return n.error("has a past key or a past value, but not both");
  if (n.has(6) && !prependPast(n, parts, n.in(6), n.in(7), attention))
    return failure();
  n.out(1, parts[1]);
  n.out(2, parts[2]);
  return attention.run(parts[0], parts[1], parts[2]);
}

/// The cache with one more row at `at`.
Val cacheWith(NodeBuilder &n, Val cache, Val row, Size at) {
  Sizes sizes = n.dims(cache), one = sizes;
  one[2] = n.index(1);
  row = n.withDims(row, one, "the sizes of cache, keys and values");
  return n.failed() ? cache : n.move(sizes, cache.elem, [&](ScalarBuilder &s) {
    Scalar fresh = eq(s.index(2), s.size(at));
    Scalar first = s.indexConstant(0);
    mlir::Value own =
        s.extract(row.value, {s.index(0), s.index(1), first, s.index(3)});
    return s.extractWhere(bitNot(fresh), cache.value,
                          {s.index(0), s.index(1), s.index(2), s.index(3)},
                          s.wrap(own));
  });
}

/// Rows of caches of as many beams as `beams` has in its second dimension: row
/// k of a beam is that of the beam of the same entry named by `beams`.
Val rowsOfBeams(NodeBuilder &n, Val cache, Val beams, Size past) {
  Sizes sizes = n.dims(cache);
  Size width = n.dim(beams, 1);
  ScalarBuilder &host = n.host();
  n.require(
      bitAnd(eq(host.size(n.mul(n.dim(beams, 0), width)), host.size(sizes[0])),
             le(host.size(past), host.size(n.dim(beams, 2)))),
      "cache_indirection has a beam for each row of each cache");
  return n.failed() ? cache : n.move(sizes, cache.elem, [&](ScalarBuilder &s) {
    Scalar own = s.index(0), row = s.index(2);
    // At least one beam, where there is an entry.
    Scalar count = max(s.size(width), s.indexConstant(1)),
           entry = floorDiv(own, count), isPast = lt(row, s.size(past));
    Scalar place = select(isPast, row, s.indexConstant(0));
    Scalar none = s.constant(beams.type().getElementType(), 0);
    Scalar beam = s.toIndex(
        s.load(s.extractWhere(isPast, beams.value,
                              {entry, own - entry * count, place}, none),
               beams.elem));
    beam = entry * count + s.checkedIndex(beam, width);
    return s.extract(cache.value,
                     {select(isPast, beam, own), s.index(1), row, s.index(3)});
  });
}

/// One query per entry, over a cache with room for more keys or one that grows.
LogicalResult importDecoderAttention(NodeBuilder &n) {
  Val parts[3] = {n.in(0), n.in(1), n.in(2)};
  int64_t heads = n.intAttr("num_heads");
  if (heads < 1 || parts[0].rank() != 3)
    return n.error("takes a query of 3 dimensions and num_heads");
  if (!n.has(1) && !n.has(2)) {
    Val packed = parts[0];
    if (!splitWidths(n, packed, parts))
      return failure();
  }
  bool crossed = parts[1].rank() == 4;
  if (!splitParts(n, parts, heads, n.in(10)))
    return failure();
  HeadAttention attention{n};
  attention.causal = false;
  attention.mask = n.in(3);
  attention.bias = n.in(4);
  if (n.wants(3))
    attention.scoresOutput = 3;
  // Keys of cross attention are those of the entry itself.
  Val beams = crossed ? Val() : n.in(9);
  if (beams && (beams.rank() != 3 || !isInteger(beams.elem) || !n.has(5) ||
                !n.intAttr("past_present_share_buffer")))
    return n.error("has a cache_indirection that is not an integer tensor of 3 "
                   "dimensions, or without past_present_share_buffer");
  if (n.has(5) != n.has(6))
    return n.error("has a past key or a past value, but not both");
  if (n.has(5) && !crossed && n.intAttr("past_present_share_buffer")) {
    if (!n.has(7) || !isInteger(n.in(7).elem) ||
        !n.haveRank({n.in(5), n.in(6)}, 4))
      return n.error("shares the buffer of its past without a length of it");
    Size past = n.toSize(n.hostScalar(n.in(7))), end = n.add(past, 1);
    if (n.failed())
      return failure();
    ScalarBuilder &s = n.host();
    n.require(
        bitAnd(ge(s.size(past), 0), le(s.size(end), s.size(n.dim(n.in(5), 2)))),
        "the past leaves room in its buffer");
    for (int i : {1, 2}) {
      if (n.in(4 + i).elem != parts[i].elem)
        return n.error("has a past of another type than its keys and values");
      Val present = cacheWith(n, n.in(4 + i), parts[i], past);
      n.out(i, present);
      if (beams && !n.failed())
        present = rowsOfBeams(n, present, beams, past);
      parts[i] =
          n.failed() ? present : n.sliceAxis(present, 2, n.index(0), end);
    }
  } else {
    if (n.has(5) && !crossed &&
        !prependPast(n, parts, n.in(5), n.in(6), attention))
      return failure();
    n.out(1, parts[1]);
    n.out(2, parts[2]);
  }
  return n.failed() ? failure() : attention.run(parts[0], parts[1], parts[2]);
}

} // namespace

void hone::onnx::addHeadAttention(OpTable &table) {
  table.setDomain("com.microsoft");
  table.add("Attention", importAttention, 2, 7);
  table.add("QAttention", importQuantizedAttention, 5, 9);
  table.add("MultiHeadAttention", importMultiHeadAttention, 1, 10);
  table.add("DecoderMaskedMultiHeadAttention", importDecoderAttention, 1, 11);
  table.setDomain("");
}
