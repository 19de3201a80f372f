// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Attention and related operators of transformer decoders.
#include "compiler/Import/Onnx/Operators/Attention.h"
#include "compiler/Import/Onnx/Builder/GraphImporter.h"
#include "compiler/Import/Onnx/Builder/Loops.h"
#include "compiler/Import/Onnx/Builder/OpTable.h"
#include "compiler/Import/Onnx/Operators/Windows.h"

#include <cmath>

using namespace mlir;
using namespace hone::onnx;
using hone::graph::ReduceKind;
using Args = ArrayRef<Scalar>;

Val hone::onnx::splitHeads(NodeBuilder &n, Val x, int64_t heads) {
  if (!n.haveRank(x, 3))
    return x;
  Sizes sizes = n.dims(x);
  std::optional<int64_t> width = NodeBuilder::known(sizes[2]);
  if (heads < 1 || (width && *width % heads != 0)) {
    n.fail("cannot split " + Twine(width.value_or(0)) + " features among " +
           Twine(heads) + " heads");
    return x;
  }
  if (!width)
    n.require(
        eq(truncMod(n.host().size(sizes[2]), n.host().indexConstant(heads)), 0),
        "the features are a multiple of the heads");
  return n.transpose(n.reshape(x, {sizes[0], sizes[1], n.index(heads),
                                   n.floorDiv(sizes[2], n.index(heads))}),
                     {0, 2, 1, 3});
}

Val hone::onnx::joinHeads(NodeBuilder &n, Val x) {
  if (!n.haveRank(x, 4))
    return x;
  Sizes sizes = n.dims(x);
  return n.reshape(n.transpose(x, {0, 2, 1, 3}),
                   {sizes[0], sizes[2], n.mul(sizes[1], sizes[3])});
}

/// How many successive heads of `x` share one of `shared`; 1 if both have the
/// same number.
static Size groupOf(NodeBuilder &n, Val x, Val shared) {
  Size heads = n.dim(x, 1), others = n.dim(shared, 1);
  std::optional<int64_t> h = NodeBuilder::known(heads),
                         o = NodeBuilder::known(others);
  if (n.same(heads, others) || h == 1)
    return n.index(1);
  if (!h || !o) {
    ScalarBuilder &s = n.host();
    Size group =
        n.floorDiv(heads, n.toSize(max(s.size(others), s.indexConstant(1))));
    n.require(eq(s.size(n.mul(group, others)), s.size(heads)),
              "the heads are a multiple of those that they share");
    return group;
  }
  if (*o < 1 || *h % *o != 0) {
    n.fail("has " + Twine(*h) + " heads, no multiple of " + Twine(*o));
    return n.index(1);
  }
  return n.index(*h / *o);
}

/// The heads of a group as rows of one matrix, so that nothing is copied.
static Val grouped(NodeBuilder &n, Val x, Size group, Val shared) {
  Sizes sizes = n.dims(x);
  return n.reshape(
      x, {sizes[0], n.dim(shared, 1), n.mul(group, sizes[2]), sizes[3]});
}

Val hone::onnx::headScores(NodeBuilder &n, Val q, Val k) {
  if (!n.haveRank({q, k}, 4))
    return q;
  Size group = groupOf(n, q, k);
  if (n.failed())
    return q;
  Sizes sizes{n.dim(q, 0), n.dim(q, 1), n.dim(q, 2), n.dim(k, 2)};
  if (NodeBuilder::known(group) == 1)
    return n.matmul(q, k, /*transposeRhs=*/true);
  return n.reshape(n.matmul(grouped(n, q, group, k), k, /*transposeRhs=*/true),
                   sizes);
}

Val hone::onnx::headValues(NodeBuilder &n, Val probabilities, Val v) {
  if (!n.haveRank({probabilities, v}, 4))
    return v;
  Size group = groupOf(n, probabilities, v);
  if (n.failed() || NodeBuilder::known(group) == 1)
    return n.matmul(probabilities, v);
  Sizes sizes = n.dims(probabilities);
  sizes[3] = n.dim(v, 3);
  return n.reshape(n.matmul(grouped(n, probabilities, group, v), v), sizes);
}

Val hone::onnx::attentionSoftmax(NodeBuilder &n, Val scores, bool masked,
                                 Val sink) {
  int64_t last = scores.rank() - 1;
  const double infinity = INFINITY;
  Val top = n.reduce(ReduceKind::Max, scores, {last}, /*keepdims=*/true);
  if (sink)
    top =
        n.map({top, sink}, scores.elem, [](Args x) { return max(x[0], x[1]); });
  Val powers = n.map({scores, top}, scores.elem, [&](Args x) {
    Scalar shift =
        masked ? select(eq(x[1], -infinity), x[1].builder->like(x[1], 0), x[1])
               : x[1];
    return exp(x[0] - shift);
  });
  Val sum = n.sum(powers, {last}, /*keepdims=*/true);
  if (sink)
    sum = n.map({sum, sink, top}, scores.elem,
                [](Args x) { return x[0] + exp(x[1] - x[2]); });
  Val inverse = n.map(sum, [&](Scalar total) {
    return masked ? select(eq(total, 0), total, 1.0 / total) : 1.0 / total;
  });
  return n.map({powers, inverse}, scores.elem,
               [](Args x) { return x[0] * x[1]; });
}

Val hone::onnx::rotateHeads(
    NodeBuilder &n, Val heads, Val cosines, Val sines, Size half,
    bool interleaved,
    function_ref<SmallVector<Scalar>(ScalarBuilder &, Scalar, Scalar)> row) {
  Size rotated = n.mul(half, 2);
  return n.compute(n.dims(heads), heads.elem, [&](ScalarBuilder &s) {
    Scalar batch = s.index(0), head = s.index(1), place = s.index(2),
           i = s.index(3);
    Scalar inside = lt(i, s.size(rotated));
    Scalar bounded = select(inside, i, s.indexConstant(0));
    // The pair's partner, which of the two this is, and the index of its angle.
    Scalar two = s.indexConstant(2), split = s.size(half);
    Scalar second =
        interleaved ? ne(truncMod(bounded, two), 0) : ge(bounded, split);
    Scalar angle = interleaved ? floorDiv(bounded, two)
                               : select(second, bounded - split, bounded);
    Scalar partner = interleaved
                         ? select(second, bounded - 1, bounded + 1)
                         : select(second, bounded - split, bounded + split);
    SmallVector<Scalar> at = row(s, batch, place);
    at.push_back(angle);
    Scalar cosine = s.element(cosines.value, cosines.elem, at),
           sine = s.element(sines.value, sines.elem, at);
    Scalar own = s.element(heads.value, heads.elem, {batch, head, place, i});
    Scalar other =
        s.element(heads.value, heads.elem, {batch, head, place, partner});
    Scalar turned =
        own * cosine + select(second, other * sine, -(other * sine));
    return select(inside, turned, own);
  });
}

Val hone::onnx::inverseRootOf(NodeBuilder &n, Size size, ElementType elem) {
  if (std::optional<int64_t> known = NodeBuilder::known(size))
    return n.scalar(elem, 1 / std::sqrt(static_cast<double>(*known)));
  return n.compute({}, elem, [&](ScalarBuilder &s) {
    mlir::Type type = computeType(s.builder.getContext(), elem);
    return 1.0 / sqrt(s.toFloat(s.size(size), type));
  });
}

bool hone::onnx::isPlainFloat(Val v) {
  return v && isFloat(v.elem) && !isSmallFloat(v.elem);
}

namespace {

/// The scale of attention's scores.
Val scaleOf(NodeBuilder &n, Val q, ElementType elem) {
  return n.hasAttr("scale") ? n.scalar(elem, n.floatAttr("scale"))
                            : inverseRootOf(n, n.dim(q, 3), elem);
}

/// The mask extended to the number of keys: missing columns are masked out.
Val wholeMask(NodeBuilder &n, Val mask, Size keys) {
  int64_t last = mask.rank() - 1;
  Size own = n.dim(mask, last);
  if (n.same(own, keys))
    return mask;
  Sizes sizes = n.dims(mask);
  sizes[last] = keys;
  bool isBool = mask.elem == ElementType::Bool;
  n.require(le(n.host().size(own), n.host().size(keys)),
            "the mask has at most as many columns as there are keys");
  return n.compute(sizes, mask.elem, [&](ScalarBuilder &s) {
    SmallVector<Scalar> at;
    for (int64_t i = 0; i <= last; ++i)
      at.push_back(s.index(i));
    Scalar inside = lt(at[last], s.size(own));
    at[last] = select(inside, at[last], s.indexConstant(0));
    Scalar value = s.element(mask.value, mask.elem, at);
    return select(inside, value,
                  isBool ? s.boolean(false) : s.like(value, -INFINITY));
  });
}

LogicalResult importAttention(NodeBuilder &n) {
  Val q = n.in(0), k = n.in(1), v = n.in(2), mask = n.in(3), valid = n.in(6);
  bool flat = q.rank() == 3;
  if ((!flat && q.rank() != 4) || k.rank() != q.rank() ||
      v.rank() != q.rank() || !isPlainFloat(q) || !isPlainFloat(v) ||
      k.elem != q.elem)
    return n.error("takes queries, keys and values of 3 or 4 dimensions");
  ElementType elem = q.elem;
  if (flat) {
    q = splitHeads(n, q, n.intAttr("q_num_heads"));
    k = splitHeads(n, k, n.intAttr("kv_num_heads"));
    v = splitHeads(n, v, n.intAttr("kv_num_heads"));
  }
  if (n.failed())
    return failure();
  if (n.has(4) != n.has(5))
    return n.error("has a past key or a past value, but not both");
  Size past = n.index(0);
  if (n.has(4)) {
    if (n.in(4).rank() != 4 || n.in(5).rank() != 4 || n.in(4).elem != k.elem ||
        n.in(5).elem != v.elem)
      return n.error("has a past that does not fit keys and values");
    past = n.dim(n.in(4), 2);
    k = n.concat({n.in(4), k}, 2);
    v = n.concat({n.in(5), v}, 2);
  }
  if (n.failed())
    return failure();
  if (n.wants(1))
    n.out(1, k);
  if (n.wants(2))
    n.out(2, v);

  double cap = n.floatAttr("softcap", 0);
  bool causal = n.intAttr("is_causal");
  int64_t left = n.intAttr("left_window_size", -1),
          right = n.intAttr("right_window_size", -1);
  int64_t mode = n.intAttr("qk_matmul_output_mode", 0);
  bool wide = n.intAttr("softmax_precision") ==
              static_cast<int64_t>(ElementType::Double);

  Val scores = headScores(n, n.widened(q), n.widened(k));
  if (n.failed())
    return failure();
  Val scale = scaleOf(n, q, scores.elem);
  scores = n.map({scores, scale}, scores.elem, [&](Args x) {
    Scalar scaled = x[0] * x[1];
    return cap > 0 ? tanh(scaled / cap) * cap : scaled;
  });
  if (wide)
    scores = n.cast(scores, ElementType::Double);
  Size queries = n.dim(q, 2), keys = n.dim(k, 2);
  SmallVector<Val> inputs{scores};
  if (n.has(3)) {
    if (isInteger(mask.elem))
      mask = n.cast(mask, scores.elem);
    if (mask.rank() < 1 || mask.rank() > 4 ||
        (mask.elem != ElementType::Bool && !isPlainFloat(mask)))
      return n.error("has a mask that is neither bool nor numbers");
    inputs.push_back(wholeMask(n, mask, keys));
  }
  if (n.has(6)) {
    if (valid.rank() != 1 || !isInteger(valid.elem))
      return n.error("has a nonpad_kv_seqlen that is not an integer vector");
    valid = n.withDims(valid, {n.dim(q, 0)},
                       "the sizes of batch and nonpad_kv_seqlen");
  }
  bool windowed = left >= 0 || right >= 0;
  bool masked = n.has(3) || n.has(6) || windowed;
  Val biased = scores;
  if (masked || causal) {
    biased = n.map(inputs, scores.elem, [&](Args x) {
      ScalarBuilder &s = *x[0].builder;
      Scalar value = x[0], none = s.like(value, -INFINITY);
      if (x.size() > 1)
        value = x[1].isBool() ? select(x[1], value, none)
                              : value + s.toFloat(x[1], value.type());
      Scalar row = s.index(2), column = s.index(3), count = s.size(past);
      auto keep = [&](const Scalar &condition) {
        value = select(condition, value, none);
      };
      if (n.has(6)) {
        Scalar length =
            s.toIndex(s.element(valid.value, valid.elem, {s.index(0)}));
        keep(lt(column, length));
        if (!n.has(4))
          count = length - s.size(queries);
      }
      Scalar place = row + count;
      if (causal)
        keep(le(column, place));
      if (left >= 0)
        keep(le(place - column, static_cast<double>(left)));
      if (right >= 0)
        keep(le(column - place, static_cast<double>(right)));
      return value;
    });
  }
  Val probabilities = attentionSoftmax(n, biased, masked);
  if (n.wants(3))
    n.out(3, n.cast(mode == 3   ? probabilities
                    : mode == 2 ? biased
                                : scores,
                    elem));
  Val attended =
      headValues(n, n.cast(probabilities, n.widened(v).elem), n.widened(v));
  if (n.failed())
    return failure();
  attended = n.cast(attended, elem);
  return n.out(flat ? joinHeads(n, attended) : attended);
}

LogicalResult importFlexAttention(NodeBuilder &n) {
  Val q = n.in(0), k = n.in(1), v = n.in(2);
  if (q.rank() != 4 || k.rank() != 4 || v.rank() != 4 || !isPlainFloat(q) ||
      k.elem != q.elem || !isPlainFloat(v))
    return n.error("takes float queries, keys and values of 4 dimensions");
  Val scores = headScores(n, n.widened(q), n.widened(k));
  if (n.failed())
    return failure();
  Val scale = scaleOf(n, q, scores.elem);
  scores =
      n.map({scores, scale}, scores.elem, [&](Args x) { return x[0] * x[1]; });
  auto precision = static_cast<ElementType>(
      n.intAttr("softmax_precision", static_cast<int64_t>(scores.elem)));
  if (precision == ElementType::Double || precision == ElementType::Float ||
      precision == ElementType::Float16 || precision == ElementType::Bfloat16)
    scores = n.cast(scores, precision);
  auto modify = [&](Val x, StringRef name) {
    const hone::onnx::Graph *graph = n.graphAttr(name);
    SmallVector<Val> results;
    if (!graph)
      return x;
    if (failed(n.importer.importSubgraph(n, *graph, {x}, results)) ||
        results.size() != 1 || !results[0].isTensor()) {
      n.fail("has a '" + name + "' that does not give one tensor");
      return x;
    }
    return results[0];
  };
  scores = modify(scores, "score_mod");
  if (n.failed())
    return failure();
  Val probabilities =
      modify(attentionSoftmax(n, scores, /*masked=*/false), "prob_mod");
  if (n.failed())
    return failure();
  return n.out(n.cast(headValues(n, n.widened(probabilities),
                                 n.cast(v, n.widened(probabilities).elem)),
                      v.elem));
}

LogicalResult importRotaryEmbedding(NodeBuilder &n) {
  Val x = n.in(0), cosines = n.in(1), sines = n.in(2), positions = n.in(3);
  bool flat = x.rank() == 3;
  if ((!flat && x.rank() != 4) || !isPlainFloat(x) || cosines.elem != x.elem ||
      sines.elem != x.elem || cosines.rank() != (n.has(3) ? 2 : 3) ||
      sines.rank() != cosines.rank())
    return n.error(
        "takes an input of 3 or 4 dimensions and two caches of its type");
  Val heads = flat ? splitHeads(n, x, n.intAttr("num_heads")) : x;
  if (n.failed())
    return failure();
  int64_t declared = n.intAttr("rotary_embedding_dim", 0);
  Size size = n.dim(heads, 3), rotated = declared ? n.index(declared) : size;
  Size half = n.floorDiv(rotated, n.index(2));
  Scalar pairs = n.host().size(rotated), all = n.host().size(size);
  if (declared < 0 || declared % 2 != 0 ||
      !n.require(bitAnd(bitAnd(ge(pairs, 2), le(pairs, all)),
                        eq(pairs, n.host().size(n.mul(half, 2)))),
                 "rotary_embedding_dim, or else the head size, is even, and "
                 "not above the head size"))
    return n.error("needs an even rotary_embedding_dim inside the head size");
  Sizes sizes = n.dims(heads);
  Sizes cacheSizes = n.dims(cosines);
  cacheSizes.back() = half;
  if (!n.has(3)) {
    cacheSizes[0] = sizes[0];
    cacheSizes[1] = sizes[2];
  }
  cosines = n.withDims(cosines, cacheSizes, "the sizes of input and caches");
  sines = n.withDims(sines, cacheSizes, "the sizes of the caches");
  if (n.has(3)) {
    if (positions.rank() != 2 || !isInteger(positions.elem))
      return n.error("has position_ids that are not an integer matrix");
    positions = n.withDims(positions, {sizes[0], sizes[2]},
                           "the sizes of input and position_ids");
  }
  if (n.failed())
    return failure();
  Val result = rotateHeads(
      n, heads, cosines, sines, half, n.intAttr("interleaved") != 0,
      [&](ScalarBuilder &s, Scalar batch, Scalar place) -> SmallVector<Scalar> {
        if (!n.has(3))
          return {batch, place};
        return {s.checkedIndex(
            s.element(positions.value, positions.elem, {batch, place}),
            cacheSizes[0], /*wrap=*/true)};
      });
  return n.out(flat ? joinHeads(n, result) : result);
}

LogicalResult importSwiGlu(NodeBuilder &n) {
  if (n.in(0).elem != n.in(1).elem || n.in(0).rank() != n.in(1).rank())
    return n.error("takes two tensors of one type and shape");
  double alpha = n.floatAttr("alpha", 1);
  Val b = n.withDims(n.in(1), n.dims(n.in(0)), "the sizes of its inputs");
  return n.out(n.map({n.in(0), b}, n.in(0).elem, [&](Args x) {
    return x[0] * sigmoid(x[0] * alpha) * x[1];
  }));
}

LogicalResult importCausalConv(NodeBuilder &n) {
  Val x = n.in(0), w = n.in(1), past = n.in(3);
  if (x.rank() != 3 || w.rank() != 3 || !isPlainFloat(x) || w.elem != x.elem)
    return n.error("takes float tensors of 3 dimensions");
  std::optional<int64_t> kernel = NodeBuilder::known(n.dim(w, 2)),
                         channels = NodeBuilder::known(n.dim(w, 0));
  if (!kernel || !channels || *kernel < 1 || *channels < 1)
    return n.error("needs weights whose sizes are known");
  StringRef activation = n.stringAttr("activation", "none");
  if (activation != "none" && activation != "silu" && activation != "swish")
    return n.error("has an activation that ONNX does not define: '" +
                   activation + "'");
  Sizes before{n.dim(x, 0), n.dim(x, 1), n.index(*kernel - 1)};
  if (n.has(3)) {
    if (past.rank() != 3 || past.elem != x.elem)
      return n.error("has a past_state that does not fit its input");
    past = n.withDims(past, before, "the sizes of past_state and input");
  } else {
    past = n.filled(x.elem, before, 0);
  }
  Val padded = n.concat({past, x}, 2);
  Windows windows;
  windows.kernel = {*kernel};
  windows.strides = windows.dilations = {1};
  windows.pads = {0, 0};
  windows.group = *channels;
  Val y = convOf(n, padded, w, windows);
  y = addChannelBias(n, y, n.widened(n.in(2)), y.elem);
  if (n.failed())
    return failure();
  if (activation != "none")
    y = n.map(y, [](Scalar v) { return v * sigmoid(v); });
  n.out(0, n.cast(y, x.elem));
  n.out(1,
        n.sliceAxis(padded, 2, n.sub(n.dim(padded, 2), before[2]), before[2]));
  return success();
}

LogicalResult importLinearAttention(NodeBuilder &n) {
  StringRef rule = n.stringAttr("update_rule", "gated_delta");
  bool gates = rule == "gated" || rule == "gated_delta",
       corrects = rule == "delta" || rule == "gated_delta";
  if (!gates && !corrects && rule != "linear")
    return n.error("has an update_rule that ONNX does not define: '" + rule +
                   "'");
  Val query = n.in(0), past = n.in(3), decay = n.in(4), beta = n.in(5);
  if (gates != n.has(4) || corrects != n.has(5))
    return n.error(
        "has a decay or beta that its update_rule does not take, or lacks one");
  for (size_t i : {0, 1, 2, 4, 5})
    if (n.has(i) && (n.in(i).rank() != 3 || !isPlainFloat(n.in(i))))
      return n.error("takes float tensors of 3 dimensions");
  int64_t queryHeads = n.intAttr("q_num_heads"),
          heads = n.intAttr("kv_num_heads");
  if (heads < 1 || queryHeads < 1 || queryHeads % heads != 0)
    return n.error("needs q_num_heads that are a multiple of kv_num_heads");
  Size keyWidth = n.dim(n.in(1), 2),
       keySize = n.floorDiv(keyWidth, n.index(heads));
  if (!n.require(
          eq(n.host().size(n.mul(keySize, heads)), n.host().size(keyWidth)),
          "the width of the keys is a multiple of their heads"))
    return failure();
  Size batch = n.dim(query, 0), steps = n.dim(query, 1);
  auto wide = [&](Val x) { return n.cast(x, ElementType::Float); };
  // Time comes first: [steps, batch, heads, size].
  auto split = [&](Val x, int64_t parts) {
    Sizes sizes = n.dims(x);
    return n.transpose(
        n.reshape(wide(x), {sizes[0], sizes[1], n.index(parts),
                            n.floorDiv(sizes[2], n.index(parts))}),
        {1, 0, 2, 3});
  };
  double given = n.floatAttr("scale", 0);
  Val scale = given != 0 ? n.scalar(ElementType::Float, given)
                         : inverseRootOf(n, keySize, ElementType::Float);
  Val q = split(query, queryHeads), k = split(n.in(1), heads),
      v = split(n.in(2), heads);
  Size valueSize = n.dim(v, 3);
  SmallVector<Val> scanned{q, k, v};
  if (gates)
    scanned.push_back(split(decay, heads));
  if (corrects) {
    Sizes sizes = n.dims(beta);
    Scalar width = n.host().size(sizes[2]);
    if (!n.require(bitOr(eq(width, 1), eq(width, static_cast<double>(heads))),
                   "the last dimension of beta is 1 or the number of heads"))
      return failure();
    scanned.push_back(n.transpose(
        n.reshape(wide(beta), {sizes[0], sizes[1], sizes[2], n.index(1)}),
        {1, 0, 2, 3}));
  }
  Sizes stateSizes{batch, n.index(heads), keySize, valueSize};
  ElementType stateElem = n.has(3) ? past.elem : query.elem;
  if (n.has(3) && past.rank() != 4)
    return n.error("has a past_state that is not a tensor of 4 dimensions");
  Val state =
      n.has(3) ? n.withDims(wide(past), stateSizes, "the sizes of past_state")
               : n.filled(ElementType::Float, stateSizes, 0);
  if (n.failed())
    return failure();
  StepLoop loop{n, steps};
  SmallVector<Val> results = loop.run(
      {state}, scanned, 1, [&](ArrayRef<Val> carried, ArrayRef<Val> x, Val) {
        Val memory = carried[0], key = n.unsqueeze(x[1], {3}),
            value = n.unsqueeze(x[2], {2});
        size_t next = 3;
        if (gates)
          memory =
              n.map({memory, n.unsqueeze(x[next++], {3})}, ElementType::Float,
                    [](Args a) { return a[0] * exp(a[1]); });
        if (corrects) {
          Val retrieved = n.sum(n.map({memory, key}, ElementType::Float,
                                      [](Args a) { return a[0] * a[1]; }),
                                {2},
                                /*keepdims=*/true);
          value = n.map({value, retrieved, n.unsqueeze(x[next], {3})},
                        ElementType::Float,
                        [](Args a) { return a[2] * (a[0] - a[1]); });
        }
        memory = n.map({memory, key, value}, ElementType::Float,
                       [](Args a) { return a[0] + a[1] * a[2]; });
        // Queries of a group read one head: [batch, heads, group, size] times
        // the memory.
        Val rows = n.reshape(x[0], {batch, n.index(heads),
                                    n.index(queryHeads / heads), keySize});
        Val read = n.map({n.matmul(rows, memory), scale}, ElementType::Float,
                         [](Args a) { return a[0] * a[1]; });
        return SmallVector<Val>{
            memory, n.reshape(read, {batch, n.mul(valueSize, queryHeads)})};
      });
  if (results.empty())
    return failure();
  n.out(0, n.cast(n.transpose(results[1], {1, 0, 2}), query.elem));
  n.out(1, n.cast(results[0], stateElem));
  return success();
}

} // namespace

void hone::onnx::addAttention(OpTable &table) {
  table.add("Attention", importAttention, 3, 7);
  table.add("RotaryEmbedding", importRotaryEmbedding, 3, 4);
  table.add("SwiGLU", importSwiGlu, 2);
  table.add("CausalConvWithState", importCausalConv, 2, 4);
  table.add("LinearAttention", importLinearAttention, 3, 6);
  table.setDomain("ai.onnx.preview");
  table.add("FlexAttention", importFlexAttention, 3);
  table.setDomain("");
}
