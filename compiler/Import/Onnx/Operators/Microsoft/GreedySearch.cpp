// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// GreedySearch of com.microsoft: a loop around the node's decoder, which
// appends the token with the highest score to each row.
#include "compiler/Import/Onnx/Builder/GraphImporter.h"
#include "compiler/Import/Onnx/Builder/Loops.h"
#include "compiler/Import/Onnx/Builder/OpTable.h"
#include "compiler/Import/Onnx/Operators/Microsoft/Generation.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace hone::onnx;
using graph::ReduceKind;

namespace {

struct GreedySearch {
  NodeBuilder &n;
  GptDecoder decoder;
  ScoreRules rules;
  int64_t padToken;

  /// The state from token to token.
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

  /// Chooses the tokens at `length`, and returns as i1 whether a row continues.
  std::pair<State, Value> choose(Val scores, const State &state, Size length,
                                 bool isFirst) {
    scores = rules.apply(scores, state.seen, state.sequences, length, isFirst);
    Val best{graph::ArgReduceOp::create(
                 n.b, n.loc, n.tensorType(ElementType::Int64, {rules.rows}),
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
    next.sequences = withTokensAt(n, state.sequences, next.tokens, length);
    next.seen = rules.withTokens(state.seen, next.tokens);
    Val open = n.map(next.ended, ElementType::Int32, [](Scalar x) {
      ScalarBuilder &s = *x.builder;
      return s.cast(bitNot(x), ElementType::Int32);
    });
    Val anyOpen = n.reduce(ReduceKind::Max, open, {0}, /*keepdims=*/false);
    return {next, gt(n.hostScalar(anyOpen), 0).value};
  }

  LogicalResult run(const GptPrompt &prompt) {
    FailureOr<GptDecoder::Outcome> first = GptDecoder::run(
        n, *decoder.first, prompt.inputs(), decoder.emptyStates(n, rules.rows));
    if (failed(first))
      return failure();
    Size length = n.dim(prompt.ids, 1);
    State state;
    state.sequences = paddedRows(n, prompt.ids, rules.maxLength, padToken);
    state.ended = n.filled(ElementType::Bool, {rules.rows}, 0);
    state.seen = rules.tokensIn(prompt.ids, n.dim(first->scores, 1));
    auto [chosen, goesOn] =
        choose(first->scores, state, length, /*isFirst=*/true);

    // The step that follows the prompt has its own graph; the following ones
    // are one loop.
    Size done = n.add(length, 1);
    WhileLoop loop{n, n.value(n.sub(rules.maxLength, done)), goesOn};
    SmallVector<Val> own = chosen.values(), carried = own;
    carried.append(first->states);
    FailureOr<SmallVector<Val>> results =
        loop.run(carried, /*collected=*/0,
                 [&](Value step, Value,
                     ArrayRef<Val> values) -> FailureOr<WhileLoop::Outcome> {
                   for (auto [v, initial] : llvm::zip(values, own))
                     n.dimBuilder.learn(v.value, n.dims(initial));
                   State at{values[0], values[1], values[2],
                            own.size() > 3 ? values[3] : Val()};
                   FailureOr<GptDecoder::Outcome> outcome = GptDecoder::run(
                       n, *decoder.next, prompt.nextInputs(n, at.tokens, step),
                       values.drop_front(own.size()));
                   if (failed(outcome))
                     return failure();
                   auto [next, goesOn] = choose(outcome->scores, at,
                                                n.add(done, OpFoldResult(step)),
                                                /*isFirst=*/false);
                   WhileLoop::Outcome result{goesOn, next.values()};
                   result.values.append(outcome->states);
                   return result;
                 });
    if (failed(results))
      return failure();
    n.dimBuilder.learn(results->front().value, n.dims(state.sequences));
    return n.out(results->front());
  }
};

LogicalResult importGreedySearch(NodeBuilder &n) {
  if (n.intAttr("model_type") != 0)
    return n.error("takes decoders in the form of GPT-2 (model_type 0) only");
  FailureOr<GptDecoder> decoder = GptDecoder::read(n);
  if (failed(decoder))
    return failure();
  Val ids = n.in(0);
  if (ids.elem != ElementType::Int32 || ids.rank() != 2)
    return n.error("needs ids that are int32 of 2 dimensions");
  std::optional<Size> maxLength = numberInput(n, 1, "max_length", 0);
  if (!maxLength)
    return failure();
  ScalarBuilder &s = n.host();
  n.require(gt(s.size(*maxLength), s.size(n.dim(ids, 1))),
            "max_length is above the length of the ids");
  std::optional<ScoreRules> rules =
      ScoreRules::read(n, n.dim(ids, 0), *maxLength, /*penalty=*/3);
  int64_t padToken = tokenAttr(n, "pad_token_id");
  Val mask = maskInput(n, 6, ids);
  if (!rules || n.failed())
    return failure();
  return GreedySearch{n, *decoder, *rules, padToken}.run(
      GptPrompt::of(n, ids, mask, padToken));
}

} // namespace

void hone::onnx::addGreedySearch(OpTable &table) {
  table.setDomain("com.microsoft");
  table.add("GreedySearch", importGreedySearch, 2, 7);
  table.setDomain("");
}
