// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Decoders inside a node, and the rules for the scores of next tokens.
#include "compiler/Import/Onnx/Operators/Microsoft/Generation.h"

#include "compiler/Import/Onnx/Builder/GraphImporter.h"

using namespace mlir;
using namespace hone::onnx;
using graph::ReduceKind;
using graph::ScatterKind;

std::optional<Size> hone::onnx::numberInput(NodeBuilder &n, size_t input,
                                            StringRef name, int64_t byDefault) {
  if (!n.has(input))
    return n.index(byDefault);
  std::optional<Sizes> numbers = n.elements(n.in(input), 1);
  if (numbers && numbers->size() == 1)
    return numbers->front();
  n.fail("needs " + name + " to be one integer");
  return std::nullopt;
}

int64_t hone::onnx::tokenAttr(NodeBuilder &n, StringRef name) {
  int64_t token = n.intAttr(name, -1);
  if (token < INT32_MIN || token > INT32_MAX)
    n.fail("has a " + name + " that is not int32");
  return token;
}

//===- The decoder --------------------------------------------------------===//

FailureOr<GptDecoder> GptDecoder::read(NodeBuilder &n) {
  GptDecoder decoder;
  decoder.next = n.graphAttr("decoder");
  if (!decoder.next)
    return n.error("lacks its decoder");
  bool hasFirst = n.hasAttr("init_decoder");
  decoder.first = hasFirst ? n.graphAttr("init_decoder") : decoder.next;
  if (!decoder.first)
    return n.error("has an init_decoder that is not a graph");
  constexpr StringRef names[] = {"input_ids", "position_ids", "attention_mask",
                                 "past_0"};
  for (const Graph *graph : {decoder.first, decoder.next}) {
    // Others share one buffer between past and present, which only GPU kernels
    // do.
    if (graph->outputs.size() < 2 ||
        graph->inputs.size() != graph->outputs.size() + 2)
      return n.error("needs a decoder from input_ids, position_ids, "
                     "attention_mask and the past of each layer to logits and "
                     "the present of each layer");
    for (auto [i, name] : llvm::enumerate(names))
      if (graph->inputs[i].name != name)
        return n.error("needs a decoder whose input " + Twine(i) + " is '" +
                       name + "', not '" + graph->inputs[i].name + "'");
    for (const ValueInfo &input : ArrayRef(graph->inputs).take_front(3))
      if (input.type.element != ElementType::Int32)
        return n.error("needs a decoder whose input '" + input.name +
                       "' is int32");
  }
  if (decoder.first->inputs.size() != decoder.next->inputs.size())
    return n.error("has two decoders of different numbers of layers");
  const TypeProto &past = decoder.next->inputs[3].type;
  decoder.elem = past.element;
  if (past.kind != TypeKind::Tensor || past.shape.size() != 5 ||
      past.shape[0].size != 2 || past.shape[2].size <= 0 ||
      past.shape[4].size <= 0 || !isFloat(past.element))
    return n.error(
        "needs a decoder whose past is declared as [2, batch, "
        "heads, length, size of a head] of floats, with both numbers "
        "of heads");
  decoder.heads = past.shape[2].size;
  decoder.headSize = past.shape[4].size;
  return decoder;
}

SmallVector<Val> GptDecoder::emptyStates(NodeBuilder &n, Size rows) const {
  Val empty = n.filled(
      elem, {n.index(2), rows, n.index(heads), n.index(0), n.index(headSize)},
      0);
  return SmallVector<Val>(next->inputs.size() - 3, empty);
}

FailureOr<GptDecoder::Outcome> GptDecoder::run(NodeBuilder &n,
                                               const Graph &graph,
                                               ArrayRef<Val> inputs,
                                               ArrayRef<Val> states) {
  SmallVector<Val> arguments(inputs), out;
  arguments.append(states.begin(), states.end());
  if (failed(n.importer.importSubgraph(n, graph, arguments, out)))
    return failure();
  FailureOr<Val> scores = lastScores(n, out.front(), n.dim(inputs.front(), 0));
  if (failed(scores))
    return failure();
  return Outcome{*scores, {out.begin() + 1, out.end()}};
}

GptPrompt GptPrompt::of(NodeBuilder &n, Val ids, Val mask, int64_t padToken) {
  Val counted = n.map(ids, ElementType::Int32, [&](Scalar x) {
    return x.builder->cast(ne(x, padToken), ElementType::Int32);
  });
  Val before{graph::CumulateOp::create(n.b, n.loc, counted.type(),
                                       counted.value, ReduceKind::Sum,
                                       /*axis=*/1, /*exclusive=*/true,
                                       /*reverse=*/false),
             ElementType::Int32};
  Val positions = n.map({before, counted}, ElementType::Int32,
                        [](ArrayRef<Scalar> x) { return x[0] * x[1]; });
  return {ids, positions, mask ? mask : counted,
          n.sum(counted, {1}, /*keepdims=*/true)};
}

SmallVector<Val> GptPrompt::nextInputs(NodeBuilder &n, Val tokens,
                                       Value step) const {
  Size rows = n.dim(ids, 0), length = n.dim(ids, 1);
  Val number = n.fromSizes({OpFoldResult(step)}, {1}, ElementType::Int32);
  Val position = n.map({lengths, number}, ElementType::Int32,
                       [](ArrayRef<Scalar> x) { return x[0] + x[1]; });
  Size total = n.add(n.add(length, 1), OpFoldResult(step));
  Val longer = n.move({rows, total}, ElementType::Int32, [&](ScalarBuilder &s) {
    Scalar at = s.index(1);
    return s.extractWhere(lt(at, s.size(length)), mask.value, {s.index(0), at},
                          s.integer(n.b.getI32Type(), 1));
  });
  return {n.reshape(tokens, {rows, n.index(1)}), position, longer};
}

//===- Tokens and scores of rows ------------------------------------------===//

FailureOr<Val> hone::onnx::lastScores(NodeBuilder &n, Val logits, Size rows) {
  logits = n.widened(logits);
  if (logits.elem != ElementType::Float || logits.rank() != 3)
    return n.error("needs logits that are floats of 3 dimensions");
  int64_t vocabulary = n.intAttr("vocab_size", -1);
  Sizes dims = n.dims(logits);
  logits = n.withSize(logits, 0, rows, "the rows of ids and logits");
  ScalarBuilder &s = n.host();
  n.require(ge(s.size(dims[1]), 1), "there is a last position");
  Size width = dims[2];
  if (vocabulary > 0) {
    width = n.index(vocabulary);
    n.require(ge(s.size(dims[2]), s.size(width)),
              "logits have vocab_size elements");
  }
  n.require(ge(s.size(width), 1), "there is a token to choose");
  if (n.failed())
    return failure();
  Size last = n.max(n.sub(dims[1], n.index(1)), n.index(0));
  return n.reshape(n.slice(logits, {n.index(0), last, n.index(0)},
                           {rows, n.index(1), width}),
                   {rows, width});
}

Val hone::onnx::paddedRows(NodeBuilder &n, Val ids, Size length,
                           int64_t padToken) {
  Sizes own = n.dims(ids);
  return n.move({own[0], length}, ElementType::Int32, [&](ScalarBuilder &s) {
    Scalar at = s.index(1);
    return s.extractWhere(lt(at, s.size(own[1])), ids.value, {s.index(0), at},
                          s.integer(n.b.getI32Type(), padToken));
  });
}

Val hone::onnx::withTokensAt(NodeBuilder &n, Val rows, Val tokens,
                             Size length) {
  return n.compute(n.dims(rows), ElementType::Int32, [&](ScalarBuilder &s) {
    Scalar row = s.index(0), at = s.index(1);
    Scalar old = s.element(rows.value, ElementType::Int32, {row, at});
    Scalar token = s.element(tokens.value, ElementType::Int32, {row});
    return select(eq(at, s.size(length)), token, old);
  });
}

//===- Inputs -------------------------------------------------------------===//

Val hone::onnx::maskInput(NodeBuilder &n, size_t input, Val ids) {
  Val mask = n.in(input);
  if (!mask)
    return {};
  if (mask.elem == ElementType::Int32)
    return n.withDims(mask, n.dims(ids),
                      "the sizes of ids and their attention_mask");
  n.fail("needs an attention_mask that is int32");
  return mask;
}

Val hone::onnx::factorInput(NodeBuilder &n, size_t input, StringRef name) {
  Val factor = n.in(input);
  if (!factor)
    return {};
  if (!isFloat(factor.elem)) {
    n.fail("needs a " + name + " that is a float");
    return {};
  }
  n.hostScalar(factor); // one number
  return n.failed() ? Val() : n.cast(n.reshape(factor, {}), ElementType::Float);
}

std::optional<ScoreRules> ScoreRules::read(NodeBuilder &n, Size rows,
                                           Size maxLength, size_t penalty) {
  std::optional<Size> minLength = numberInput(n, 2, "min_length", 0);
  if (!minLength)
    return std::nullopt;
  ScoreRules rules{n, rows, maxLength, tokenAttr(n, "eos_token_id"),
                   *minLength};
  rules.ngramSize = n.intAttr("no_repeat_ngram_size", 0);
  rules.penalty = factorInput(n, penalty, "repetition_penalty");
  rules.vocabularyMask = n.in(penalty + 1);
  rules.firstMask = n.in(penalty + 2);
  for (Val v : {rules.vocabularyMask, rules.firstMask})
    if (v && v.elem != ElementType::Int32)
      n.fail("needs masks of the vocabulary that are int32");
  if (rules.penalty)
    n.require(gt(n.hostScalar(rules.penalty), 0),
              "repetition_penalty is above 0");
  return n.failed() ? std::nullopt : std::optional(rules);
}

//===- Scores -------------------------------------------------------------===//

/// Ones of `values` at the tokens in `places`, [rows, vocabulary].
static Val marked(NodeBuilder &n, Val places, Val values, Size vocabulary) {
  Val none = n.filled(ElementType::Int32, {n.dim(places, 0), vocabulary}, 0);
  return {graph::ScatterOp::create(n.b, n.loc, none.type(), none.value,
                                   places.value, values.value, ScatterKind::Max,
                                   n.b.getI64IntegerAttr(1)),
          ElementType::Int32};
}

Val ScoreRules::tokensIn(Val ids, Size vocabulary) {
  if (!penalty)
    return {};
  Val ones = n.filled(ElementType::Int32, n.dims(ids), 1);
  return n.cast(marked(n, ids, ones, vocabulary), ElementType::Bool);
}

Val ScoreRules::withTokens(Val seen, Val tokens) {
  if (!penalty)
    return {};
  return n.compute(n.dims(seen), ElementType::Bool, [&](ScalarBuilder &s) {
    Scalar row = s.index(0), token = s.index(1);
    Scalar added = s.toIndex(s.element(tokens.value, tokens.elem, {row}));
    return bitOr(s.element(seen.value, seen.elem, {row, token}),
                 eq(added, token));
  });
}

/// Tokens that would make the last `size` tokens of a row repeat earlier ones,
/// as int32 [rows, vocabulary].
static Val repeatedNgrams(ScoreRules &rules, Val sequences, Size length,
                          Size vocabulary) {
  NodeBuilder &n = rules.n;
  // N-grams longer than a row never repeat, and need no memory.
  Size prefix = n.min(n.index(rules.ngramSize - 1), rules.maxLength);
  auto tokenAt = [&](ScalarBuilder &s, const Scalar &row, const Scalar &at) {
    Scalar last = s.size(rules.maxLength) - 1;
    return s.element(sequences.value, sequences.elem,
                     {row, clampTo(at, s.indexConstant(0), last)});
  };
  Sizes dims{rules.rows, rules.maxLength, prefix};
  Val same = n.compute(dims, ElementType::Int32, [&](ScalarBuilder &s) {
    Scalar row = s.index(0), i = s.index(2);
    Scalar old = tokenAt(s, row, s.index(1) + i);
    Scalar own = tokenAt(s, row, s.size(length) - s.size(prefix) + i);
    return s.cast(eq(old, own), ElementType::Int32);
  });
  Val match = n.reduce(ReduceKind::Min, same, {2}, /*keepdims=*/false);
  Sizes places{rules.rows, rules.maxLength};
  auto counts = [&](ScalarBuilder &s) {
    Scalar row = s.index(0), at = s.index(1);
    Scalar inside = lt(at + s.size(prefix), s.size(length));
    Scalar matches = s.element(match.value, match.elem, {row, at});
    return bitAnd(inside, ne(matches, 0));
  };
  Val values = n.compute(places, ElementType::Int32, [&](ScalarBuilder &s) {
    return s.cast(counts(s), ElementType::Int32);
  });
  Val tokens = n.compute(places, ElementType::Int32, [&](ScalarBuilder &s) {
    Scalar token = tokenAt(s, s.index(0), s.index(1) + s.size(prefix));
    return select(counts(s), token, s.like(token, 0));
  });
  return marked(n, tokens, values, vocabulary);
}

Val ScoreRules::apply(Val scores, Val seen, Val sequences, Size length,
                      bool isFirst) {
  constexpr double lowest = std::numeric_limits<float>::lowest();
  Size vocabulary = n.dim(scores, 1);
  if (penalty)
    scores =
        n.map({scores, seen, penalty}, scores.elem, [](ArrayRef<Scalar> x) {
          Scalar less = select(lt(x[0], 0), x[0] * x[2], x[0] / x[2]);
          return select(x[1], less, x[0]);
        });
  auto forbid = [&](Val flags, bool where) {
    scores = n.map({scores, flags}, scores.elem, [&](ArrayRef<Scalar> x) {
      Scalar low = x[0].builder->like(x[0], lowest);
      return where ? select(ne(x[1], 0), low, x[0])
                   : select(eq(x[1], 0), low, x[0]);
    });
  };
  if (ngramSize > 0)
    forbid(repeatedNgrams(*this, sequences, length, vocabulary),
           /*where=*/true);
  if (vocabularyMask)
    forbid(n.withDims(vocabularyMask, {vocabulary},
                      "the sizes of the vocabulary and its mask"),
           /*where=*/false);
  if (isFirst && firstMask)
    forbid(n.withDims(firstMask, {rows, vocabulary},
                      "the sizes of the vocabulary and its mask"),
           /*where=*/false);
  if (NodeBuilder::known(minLength) == 0)
    return scores;
  return n.compute({rows, vocabulary}, scores.elem, [&](ScalarBuilder &s) {
    Scalar token = s.index(1);
    Scalar score = s.element(scores.value, scores.elem, {s.index(0), token});
    Scalar isEarly = bitAnd(lt(s.size(length), s.size(minLength)),
                            eq(token, s.indexConstant(endToken)));
    return select(isEarly, s.like(score, lowest), score);
  });
}
