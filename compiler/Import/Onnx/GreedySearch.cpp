// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// GreedySearch of com.microsoft: a loop around the decoder that the node
// brings along, which appends the token with the highest score to each row.
#include "compiler/Import/Onnx/Generation.h"
#include "compiler/Import/Onnx/GraphImporter.h"
#include "compiler/Import/Onnx/Loops.h"
#include "compiler/Import/Onnx/OpTable.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace hone::onnx;
using graph::ReduceKind;

namespace {

struct GreedySearch {
  NodeBuilder &n;
  GptDecoder decoder;
  ScoreRules rules;
  Size rows, promptLength, maxLength;
  int64_t padToken;

  /// What one token after the other changes.
  struct State {
    Val sequences; ///< int32 [rows, maxLength], padded
    Val tokens;    ///< int32 [rows], the last ones
    Val ended;     ///< bool [rows]
    Val seen;      ///< of ScoreRules, where it has a penalty

    SmallVector<Val> values() const {
      SmallVector<Val> all{sequences, tokens, ended};
      if (seen)
        all.push_back(seen);
      return all;
    }
  };

  /// Chooses the tokens at `length`, and tells as i1 whether a row goes on.
  std::pair<State, Value> choose(Val scores, const State &state, Size length,
                                 bool isFirst) {
    scores = rules.apply(scores, state.seen, state.sequences, length, isFirst);
    Val best{graph::ArgReduceOp::create(
                 n.b, n.loc, n.tensorType(ElementType::Int64, {rows}),
                 scores.value, ReduceKind::Max, /*axis=*/1, /*keepdims=*/false,
                 /*select_last=*/false),
             ElementType::Int64};
    State next;
    next.ended =
        n.map({state.ended, best}, ElementType::Bool, [&](ArrayRef<Scalar> x) {
          return bitOr(x[0], eq(x[1], rules.endToken));
        });
    next.tokens =
        n.map({next.ended, n.cast(best, ElementType::Int32)},
              ElementType::Int32, [&](ArrayRef<Scalar> x) {
                return select(x[0], x[1].builder->like(x[1], padToken), x[1]);
              });
    next.sequences = n.compute(
        n.dims(state.sequences), ElementType::Int32, [&](ScalarBuilder &s) {
          Scalar row = s.index(0), at = s.index(1);
          Scalar old =
              s.element(state.sequences.value, ElementType::Int32, {row, at});
          return select(eq(at, s.size(length)),
                        s.element(next.tokens.value, ElementType::Int32, {row}),
                        old);
        });
    next.seen = rules.withTokens(state.seen, next.tokens);
    Val open = n.map(next.ended, ElementType::Int32, [](Scalar x) {
      ScalarBuilder &s = *x.builder;
      return s.cast(bitNot(x), ElementType::Int32);
    });
    Val anyOpen = n.reduce(ReduceKind::Max, open, {0}, /*keepdims=*/false);
    return {next, gt(n.hostScalar(anyOpen), 0).value};
  }

  LogicalResult run(Val ids, Val mask) {
    // Padding of the prompt is masked, and has no positions.
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
    Val lengths = n.sum(counted, {1}, /*keepdims=*/true);
    if (!mask)
      mask = counted;

    FailureOr<GptDecoder::Outcome> first =
        GptDecoder::run(n, *decoder.first, {ids, positions, mask},
                        decoder.emptyStates(n, rows));
    if (failed(first))
      return failure();
    State state;
    state.sequences =
        n.move({rows, maxLength}, ElementType::Int32, [&](ScalarBuilder &s) {
          Scalar at = s.index(1);
          return s.extractWhere(lt(at, s.size(promptLength)), ids.value,
                                {s.index(0), at},
                                s.integer(n.b.getI32Type(), padToken));
        });
    state.ended = n.filled(ElementType::Bool, {rows}, 0);
    state.seen = rules.tokensIn(ids, n.dim(first->scores, 1));
    auto [chosen, goesOn] =
        choose(first->scores, state, promptLength, /*isFirst=*/true);

    // The step that follows the prompt has its own graph; those after it are
    // one loop.
    Size done = n.add(promptLength, 1);
    WhileLoop loop{n, n.value(n.sub(maxLength, done)), goesOn};
    SmallVector<Val> own = chosen.values(), carried = own;
    carried.append(first->states);
    FailureOr<SmallVector<Val>> results = loop.run(
        carried, /*collected=*/0,
        [&](Value step, Value,
            ArrayRef<Val> values) -> FailureOr<WhileLoop::Outcome> {
          for (auto [v, initial] : llvm::zip(values, own))
            n.dimBuilder.learn(v.value, n.dims(initial));
          State at{values[0], values[1], values[2],
                   own.size() > 3 ? values[3] : Val()};
          Size length = n.add(done, OpFoldResult(step));
          Val position = n.map({lengths, n.fromSizes({OpFoldResult(step)}, {1},
                                                     ElementType::Int32)},
                               ElementType::Int32,
                               [](ArrayRef<Scalar> x) { return x[0] + x[1]; });
          Val longer =
              n.move({rows, length}, ElementType::Int32, [&](ScalarBuilder &s) {
                Scalar at = s.index(1);
                return s.extractWhere(lt(at, s.size(promptLength)), mask.value,
                                      {s.index(0), at},
                                      s.integer(n.b.getI32Type(), 1));
              });
          Val token = n.reshape(at.tokens, {rows, n.index(1)});
          FailureOr<GptDecoder::Outcome> outcome =
              GptDecoder::run(n, *decoder.next, {token, position, longer},
                              values.drop_front(own.size()));
          if (failed(outcome))
            return failure();
          auto [next, goesOn] =
              choose(outcome->scores, at, length, /*isFirst=*/false);
          WhileLoop::Outcome result{goesOn, next.values()};
          result.values.append(outcome->states);
          return result;
        });
    if (failed(results))
      return failure();
    n.dimBuilder.learn(results->front().value, {rows, maxLength});
    return n.out(results->front());
  }
};

LogicalResult importGreedySearch(NodeBuilder &n) {
  if (n.intAttr("model_type") != 0)
    return n.error("takes decoders in the form of GPT-2 (model_type 0) alone");
  FailureOr<GptDecoder> decoder = GptDecoder::read(n);
  if (failed(decoder))
    return failure();
  Val ids = n.in(0), mask = n.in(6);
  if (ids.elem != ElementType::Int32 || ids.rank() != 2)
    return n.error("needs ids that are int32 of 2 dimensions");
  Size rows = n.dim(ids, 0), promptLength = n.dim(ids, 1);
  if (mask) {
    if (mask.elem != ElementType::Int32)
      return n.error("needs an attention_mask that is int32");
    mask = n.withDims(mask, {rows, promptLength},
                      "the sizes of ids and their attention_mask");
  }
  std::optional<Size> maxLength = numberInput(n, 1, "max_length", 0),
                      minLength = numberInput(n, 2, "min_length", 0);
  if (!maxLength || !minLength)
    return failure();
  ScalarBuilder &s = n.host();
  n.require(gt(s.size(*maxLength), s.size(promptLength)),
            "max_length is above the length of the ids");
  ScoreRules rules{n, rows, *maxLength, tokenAttr(n, "eos_token_id"),
                   *minLength};
  rules.ngramSize = n.intAttr("no_repeat_ngram_size", 0);
  if (n.has(3)) {
    Val penalty = n.in(3);
    if (penalty.elem != ElementType::Float)
      return n.error("needs a repetition_penalty that is float");
    n.require(gt(n.hostScalar(penalty), 0), "repetition_penalty is above 0");
    if (!n.failed())
      rules.penalty = n.reshape(penalty, {});
  }
  rules.vocabularyMask = n.in(4);
  rules.firstMask = n.in(5);
  for (Val v : {rules.vocabularyMask, rules.firstMask})
    if (v && v.elem != ElementType::Int32)
      return n.error("needs masks of the vocabulary that are int32");
  int64_t padToken = tokenAttr(n, "pad_token_id");
  if (n.failed())
    return failure();
  return GreedySearch{n,          *decoder, rules, rows, promptLength,
                      *maxLength, padToken}
      .run(ids, mask);
}

} // namespace

void hone::onnx::addGreedySearch(OpTable &table) {
  table.setDomain("com.microsoft");
  table.add("GreedySearch", importGreedySearch, 2, 7);
  table.setDomain("");
}
