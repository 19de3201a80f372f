// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// BeamSearch of com.microsoft: a loop around the node's decoder, which keeps
// the best continuations of each entry of the batch.
#include "compiler/Import/Onnx/Builder/GraphImporter.h"
#include "compiler/Import/Onnx/Builder/Loops.h"
#include "compiler/Import/Onnx/Builder/OpTable.h"
#include "compiler/Import/Onnx/Operators/Microsoft/Generation.h"

using namespace mlir;
using namespace hone::onnx;
using graph::ReduceKind;

namespace {

using Outcome = GptDecoder::Outcome;

/// A decoder of one of the forms, run for all beams: the scores of the tokens
/// that follow the prompt, and those that follow further tokens.
struct Asked {
  std::function<FailureOr<Outcome>()> first;
  std::function<FailureOr<Outcome>(Val tokens, Val sequences, Size length,
                                   Value step, ArrayRef<Val> states)>
      next;
  int64_t rowAxis; ///< of the states
  Val start;       ///< int32 [rows, length], the sequences' beginnings
};

struct Largest {
  Val values, places;
};

/// The largest `count` along axis 1, the largest first.
Largest largest(NodeBuilder &n, Val v, Size count) {
  Sizes dims{n.dim(v, 0), count};
  mlir::Type types[] = {n.tensorType(v.elem, dims),
                        n.tensorType(ElementType::Int64, dims)};
  auto op = graph::TopKOp::create(n.b, n.loc, types[0], types[1], v.value,
                                  n.dynamic(dims), /*axis=*/1,
                                  /*smallest=*/false, /*isUnsigned=*/false);
  return {{op.getValues(), v.elem}, {op.getIndices(), ElementType::Int64}};
}

/// A size that is required to be at least 1, for a division.
Scalar positive(ScalarBuilder &s, Size size) {
  return max(s.size(size), s.indexConstant(1));
}

/// Each entry of the leading axis `beams` times, one after another.
Val repeated(NodeBuilder &n, Val v, Size beams) {
  if (n.failed() || NodeBuilder::known(beams) == 1)
    return v;
  Sizes dims = n.dims(v);
  dims[0] = n.mul(dims[0], beams);
  return n.move(dims, v.elem, [&](ScalarBuilder &s) {
    SmallVector<Scalar> at{floorDiv(s.index(0), positive(s, beams))};
    for (int64_t i = 1; i < v.rank(); ++i)
      at.push_back(s.index(i));
    return s.extract(v.value, at);
  });
}

struct BeamSearch {
  NodeBuilder &n;
  ScoreRules rules;
  Asked decoder;
  Size batch, beams;
  int64_t padToken;
  bool stopsEarly;
  Val lengthPenalty; ///< f32 without dimensions; none: 1

  /// The state from token to token. Rows are the beams of all entries of the
  /// batch.
  struct State {
    Val sequences; ///< int32 [rows, maxLength], padded
    Val tokens;    ///< int32 [rows], the last ones
    Val scores;    ///< f32 [rows], sums of logarithms
    Val done;      ///< bool [batch]
    Val found;     ///< int32 [batch], how many sequences have ended
    /// The best of these: f32 [batch, beams], the best one first, and int32
    /// [batch, beams, maxLength].
    Val bestScores, best;
    Val seen; ///< of ScoreRules, where it has a penalty

    SmallVector<Val> values() const {
      SmallVector<Val> all{sequences, tokens,     scores, done,
                           found,     bestScores, best};
      if (seen)
        all.push_back(seen);
      return all;
    }
    static State of(ArrayRef<Val> values) {
      return {values[0], values[1],
              values[2], values[3],
              values[4], values[5],
              values[6], values.size() > 7 ? values[7] : Val()};
    }
  };

  Scalar load(ScalarBuilder &s, const Val &v, ArrayRef<Scalar> at) {
    return s.element(v.value, v.elem, at);
  }
  Scalar bounded(ScalarBuilder &s, const Scalar &x, Size size) {
    return clampTo(x, s.indexConstant(0), s.size(size) - 1);
  }

  /// The divisor of the score of a sequence of that length, f32 without
  /// dimensions.
  Val divisorAt(Size length) {
    Val size = n.cast(n.fromSizes({length}, {}), ElementType::Float);
    return lengthPenalty
               ? n.map({size, lengthPenalty}, ElementType::Float,
                       [](ArrayRef<Scalar> x) { return pow(x[0], x[1]); })
               : size;
  }

  /// The best of the existing and of further ones: f32 [batch, beams], -inf for
  /// none, and the row, int64, of which each has the first `length` tokens. Of
  /// equal scores the older one counts.
  void addFound(State &state, Val scores, Val rows, Size length) {
    Largest found = largest(n, n.concat({state.bestScores, scores}, 1), beams);
    Val all = state.sequences, old = state.best;
    state.best = n.compute(
        {batch, beams, rules.maxLength}, ElementType::Int32,
        [&](ScalarBuilder &s) {
          Scalar entry = s.index(0), at = s.index(2);
          Scalar place = s.toIndex(load(s, found.places, {entry, s.index(1)}));
          Scalar count = s.size(beams);
          Scalar kept = load(s, old, {entry, bounded(s, place, beams), at});
          Scalar row = s.toIndex(
              load(s, rows, {entry, bounded(s, place - count, beams)}));
          Scalar token = load(s, all, {bounded(s, row, rules.rows), at});
          Scalar added =
              select(lt(at, s.size(length)), token, s.like(token, padToken));
          return select(lt(place, count), kept, added);
        });
    state.bestScores = found.values;
  }

  /// Logarithms of the softmax of each row.
  Val logarithms(Val scores) {
    Val top = n.reduce(ReduceKind::Max, scores, {1}, /*keepdims=*/true);
    Val centered = n.map({scores, top}, scores.elem,
                         [](ArrayRef<Scalar> x) { return x[0] - x[1]; });
    Val total = n.sum(n.map(centered, [](Scalar x) { return exp(x); }), {1},
                      /*keepdims=*/true);
    return n.map({centered, total}, scores.elem,
                 [](ArrayRef<Scalar> x) { return x[0] - log(x[1]); });
  }

  struct Choice {
    State state;
    Val parents;  ///< int64 [rows]: the row that each continues
    Value goesOn; ///< i1
    Val sums;     ///< f32 [batch, beams, vocabulary], of all candidates
  };

  /// Chooses the tokens at `length`.
  Choice choose(Val scores, const State &state, Size length, bool isFirst) {
    scores = rules.apply(logarithms(scores), state.seen, state.sequences,
                         length, isFirst);
    Size vocabulary = n.dim(scores, 1), twice = n.mul(beams, 2);
    Val sums = n.map(
        {scores, n.reshape(state.scores, {rules.rows, n.index(1)})},
        ElementType::Float, [](ArrayRef<Scalar> x) { return x[0] + x[1]; });
    // Even if every beam ends, as many other candidates are left.
    n.require(ge(n.host().size(vocabulary), 2), "there are two tokens");
    Largest top =
        largest(n, n.reshape(sums, {batch, n.mul(beams, vocabulary)}), twice);
    Sizes candidates{batch, twice}, ours{batch, beams};
    auto placeOf = [&](ScalarBuilder &s) {
      return s.toIndex(load(s, top.places, {s.index(0), s.index(1)}));
    };
    Val tokens =
        n.compute(candidates, ElementType::Int32, [&](ScalarBuilder &s) {
          Scalar width = positive(s, vocabulary);
          return s.cast(floorMod(placeOf(s), width), ElementType::Int32);
        });
    Val rows = n.compute(candidates, ElementType::Int64, [&](ScalarBuilder &s) {
      Scalar beam = floorDiv(placeOf(s), positive(s, vocabulary));
      return s.cast(s.index(0) * s.size(beams) + beam, ElementType::Int64);
    });
    Val goOn = n.map(tokens, ElementType::Int32, [&](Scalar x) {
      return x.builder->cast(ne(x, rules.endToken), ElementType::Int32);
    });

    State next;
    next.best = state.best;
    next.bestScores = state.bestScores;
    next.sequences = state.sequences;
    // The ends among the first candidates are finished sequences.
    auto isFound = [&](ScalarBuilder &s) {
      Scalar done = load(s, state.done, {s.index(0)});
      Scalar open = load(s, goOn, {s.index(0), s.index(1)});
      return bitAnd(bitNot(done), eq(open, 0));
    };
    Val norm = divisorAt(length);
    Val ends = n.compute(ours, ElementType::Float, [&](ScalarBuilder &s) {
      Scalar score = load(s, top.values, {s.index(0), s.index(1)});
      return select(isFound(s), score / load(s, norm, {}),
                    s.like(score, -std::numeric_limits<double>::infinity()));
    });
    addFound(next, ends, n.sliceAxis(rows, 1, n.index(0), beams), length);
    Val added = n.sum(n.compute(ours, ElementType::Int32,
                                [&](ScalarBuilder &s) {
                                  return s.cast(isFound(s), ElementType::Int32);
                                }),
                      {1}, /*keepdims=*/false);
    next.found = n.compute({batch}, ElementType::Int32, [&](ScalarBuilder &s) {
      Scalar entry = s.index(0);
      Scalar count = load(s, state.found, {entry}) + load(s, added, {entry});
      return min(count, s.cast(s.size(beams), ElementType::Int32));
    });

    // The first of the others continue, as many as there are beams.
    Val before{graph::CumulateOp::create(n.b, n.loc, goOn.type(), goOn.value,
                                         ReduceKind::Sum, /*axis=*/1,
                                         /*exclusive=*/true,
                                         /*reverse=*/false),
               ElementType::Int32};
    Val fits = n.compute(
        {batch, beams, twice}, ElementType::Int32, [&](ScalarBuilder &s) {
          Scalar entry = s.index(0), place = s.index(2);
          Scalar rank = s.toIndex(load(s, before, {entry, place}));
          Scalar open = load(s, goOn, {entry, place});
          return s.cast(bitAnd(ne(open, 0), eq(rank, s.index(1))),
                        ElementType::Int32);
        });
    Val chosen{graph::ArgReduceOp::create(
                   n.b, n.loc, n.tensorType(ElementType::Int64, ours),
                   fits.value, ReduceKind::Max, /*axis=*/2, /*keepdims=*/false,
                   /*last=*/false),
               ElementType::Int64};
    auto taken = [&](const Val &from, double whereDone) {
      Val all = n.compute(ours, from.elem, [&](ScalarBuilder &s) {
        Scalar entry = s.index(0);
        Scalar place = s.toIndex(load(s, chosen, {entry, s.index(1)}));
        Scalar value = load(s, from, {entry, bounded(s, place, twice)});
        return select(load(s, state.done, {entry}), s.like(value, whereDone),
                      value);
      });
      return n.reshape(all, {rules.rows});
    };
    next.tokens = taken(tokens, padToken);
    next.scores = taken(top.values, 0);
    Val parents = taken(rows, 0);
    next.sequences = withTokensAt(n, n.gather(state.sequences, parents, 0),
                                  next.tokens, length);
    if (state.seen)
      next.seen =
          rules.withTokens(n.gather(state.seen, parents, 0), next.tokens);

    // An entry is done when it has enough sequences, and no candidate is
    // better. ONNX Runtime looks for the best one in `twice` candidates of all,
    // starting at number entry * beams.
    Val flat = n.reshape(top.values, {n.mul(batch, twice)});
    next.done = n.compute({batch}, ElementType::Bool, [&](ScalarBuilder &s) {
      Scalar entry = s.index(0), count = s.size(beams);
      Scalar isFull = eq(s.toIndex(load(s, next.found, {entry})), count);
      Scalar ends = isFull;
      if (!stopsEarly) {
        Scalar best = max(load(s, flat, {entry * count}),
                          load(s, flat, {(entry + 1) * count}));
        Scalar worst = load(s, next.bestScores, {entry, count - 1});
        ends = bitAnd(isFull, bitNot(lt(worst, best / load(s, norm, {}))));
      }
      return bitOr(load(s, state.done, {entry}), ends);
    });
    Val open = n.map(next.done, ElementType::Int32, [](Scalar x) {
      ScalarBuilder &s = *x.builder;
      return s.cast(bitNot(x), ElementType::Int32);
    });
    Val anyOpen = n.reduce(ReduceKind::Max, open, {0}, /*keepdims=*/false);
    return {next, parents, gt(n.hostScalar(anyOpen), 0).value,
            n.reshape(sums, {batch, beams, vocabulary})};
  }

  SmallVector<Val> reordered(ArrayRef<Val> states, Val parents) {
    SmallVector<Val> result;
    for (const Val &v : states)
      result.push_back(NodeBuilder::known(beams) == 1
                           ? v
                           : n.gather(v, parents, decoder.rowAxis));
    return result;
  }

  State initial(Size vocabulary) {
    State state;
    state.sequences = paddedRows(n, decoder.start, rules.maxLength, padToken);
    // All beams begin alike: one of them counts.
    state.scores = n.reshape(
        n.compute({batch, beams}, ElementType::Float,
                  [&](ScalarBuilder &s) {
                    mlir::Type type = s.builder.getF32Type();
                    return select(eq(s.index(1), 0), s.constant(type, 0),
                                  s.constant(type, -1e9));
                  }),
        {rules.rows});
    state.done = n.filled(ElementType::Bool, {batch}, 0);
    state.found = n.filled(ElementType::Int32, {batch}, 0);
    state.bestScores = n.filled(ElementType::Float, {batch, beams},
                                -std::numeric_limits<double>::infinity());
    state.best =
        n.filled(ElementType::Int32, {batch, beams, rules.maxLength}, padToken);
    state.seen = rules.tokensIn(decoder.start, vocabulary);
    return state;
  }

  FailureOr<State> search() {
    FailureOr<Outcome> first = decoder.first();
    if (failed(first))
      return failure();
    Size length = n.dim(decoder.start, 1), done = n.add(length, 1);
    Choice begin =
        choose(first->scores, initial(n.dim(first->scores, 1)), length,
               /*isFirst=*/true);
    if (n.failed())
      return failure();
    WhileLoop loop{n, n.value(n.sub(rules.maxLength, done)), begin.goesOn};
    SmallVector<Val> own = begin.state.values(), carried = own;
    carried.append(reordered(first->states, begin.parents));
    FailureOr<SmallVector<Val>> results = loop.run(
        carried, /*collected=*/n.wants(2) ? 1 : 0,
        [&](Value step, Value,
            ArrayRef<Val> values) -> FailureOr<WhileLoop::Outcome> {
          for (auto [v, initial] : llvm::zip(values, own))
            n.dimBuilder.learn(v.value, n.dims(initial));
          State at = State::of(values.take_front(own.size()));
          Size here = n.add(done, OpFoldResult(step));
          FailureOr<Outcome> outcome =
              decoder.next(at.tokens, at.sequences, here, step,
                           values.drop_front(own.size()));
          if (failed(outcome))
            return failure();
          Choice next = choose(outcome->scores, at, here, /*isFirst=*/false);
          if (n.failed())
            return failure();
          WhileLoop::Outcome result{next.goesOn, next.state.values()};
          result.values.append(reordered(outcome->states, next.parents));
          if (n.wants(2))
            result.values.push_back(
                n.withDims(next.sums, n.dims(begin.sums),
                           "the scores of both graphs of the decoder"));
          return result;
        });
    if (failed(results))
      return failure();
    for (auto [v, initial] : llvm::zip(*results, own))
      n.dimBuilder.learn(v.value, n.dims(initial));
    if (n.wants(2))
      n.out(2, stepScores(begin.sums, results->back(), done));
    return State::of(ArrayRef(*results).take_front(own.size()));
  }

  /// The scores of all candidates of all steps: those of the first one, which
  /// ends at `length`, of further ones, and zeros for steps that are not made.
  Val stepScores(Val first, Val further, Size length) {
    Sizes dims = n.dims(first);
    dims.insert(dims.begin(), n.add(n.sub(rules.maxLength, length), 1));
    Size made = n.dim(further, 0);
    return n.move(dims, ElementType::Float, [&](ScalarBuilder &s) {
      SmallVector<Scalar> at{s.index(0) - 1};
      for (int64_t i = 1; i < 4; ++i)
        at.push_back(s.index(i));
      Scalar none = s.constant(s.builder.getF32Type(), 0);
      Scalar later =
          s.wrap(s.extractWhere(bitAnd(ge(at[0], 0), lt(at[0], s.size(made))),
                                further.value, at, none));
      Scalar own = s.wrap(s.extract(first.value, ArrayRef(at).drop_front()));
      return select(lt(at[0], 0), own, later).value;
    });
  }

  /// Sequences still open at the maximum length count as finished.
  void close(State &state) {
    Val norm = divisorAt(rules.maxLength);
    Val scores =
        n.compute({batch, beams}, ElementType::Float, [&](ScalarBuilder &s) {
          Scalar entry = s.index(0);
          Scalar row = entry * s.size(beams) + s.index(1);
          Scalar score = load(s, state.scores, {row}) / load(s, norm, {});
          return select(load(s, state.done, {entry}),
                        s.like(score, -std::numeric_limits<double>::infinity()),
                        score);
        });
    Val rows =
        n.compute({batch, beams}, ElementType::Int64, [&](ScalarBuilder &s) {
          return s.cast(s.index(0) * s.size(beams) + s.index(1),
                        ElementType::Int64);
        });
    addFound(state, scores, rows, rules.maxLength);
  }
};

//===- Forms of decoders --------------------------------------------------===//

FailureOr<Asked> askGpt(NodeBuilder &n, Size beams, int64_t padToken) {
  FailureOr<GptDecoder> decoder = GptDecoder::read(n);
  if (failed(decoder))
    return failure();
  Val mask = maskInput(n, 9, n.in(0));
  if (n.failed())
    return failure();
  if (mask)
    mask = repeated(n, mask, beams);
  GptPrompt prompt =
      GptPrompt::of(n, repeated(n, n.in(0), beams), mask, padToken);
  return Asked{
      [=, &n, decoder = *decoder] {
        return GptDecoder::run(n, *decoder.first, prompt.inputs(),
                               decoder.emptyStates(n, n.dim(prompt.ids, 0)));
      },
      [=, &n, decoder = *decoder](Val tokens, Val, Size, Value step,
                                  ArrayRef<Val> states) {
        return GptDecoder::run(n, *decoder.next,
                               prompt.nextInputs(n, tokens, step), states);
      },
      /*rowAxis=*/1, prompt.ids};
}

/// An encoder, and a decoder some of whose states, those of cross attention,
/// come from the encoder and stay.
struct EncoderDecoder {
  NodeBuilder &n;
  const Graph *encoder, *decoder;
  size_t first = 0;  ///< input of the decoder that is a state
  size_t states = 0; ///< that change
  /// What the decoder gets besides tokens and states, by name; and the states
  /// that stay.
  llvm::StringMap<Val> given = {};
  SmallVector<Val> fixed = {};

  LogicalResult read() {
    auto isInput = [](const Graph &graph, size_t i, StringRef name) {
      return i < graph.inputs.size() && graph.inputs[i].name == name;
    };
    if (!isInput(*encoder, 0, "encoder_input_ids") ||
        !isInput(*encoder, 1, "encoder_attention_mask") ||
        encoder->inputs.size() > 3 ||
        (encoder->inputs.size() == 3 &&
         !isInput(*encoder, 2, "decoder_input_ids")))
      return n.error("needs an encoder of encoder_input_ids, "
                     "encoder_attention_mask and perhaps decoder_input_ids");
    if (!isInput(*decoder, 0, "input_ids"))
      return n.error("needs a decoder whose first input is input_ids");
    while (first < decoder->inputs.size() &&
           !decoder->inputs[first].name.starts_with("past_"))
      ++first;
    states = decoder->outputs.size() - 1;
    // Others share one buffer between past and present, which only GPU kernels
    // do.
    if (decoder->outputs.size() < 3 || states % 2 != 0 ||
        decoder->inputs.size() != first + 2 * states)
      return n.error("needs a decoder to logits and two states of each layer, "
                     "of these and as many of the encoder");
    return success();
  }

  FailureOr<Outcome> run(Val ids, ArrayRef<Val> own) {
    SmallVector<Val> arguments{ids}, out;
    for (const ValueInfo &input :
         ArrayRef(decoder->inputs).slice(1, first - 1)) {
      auto it = given.find(input.name);
      if (it == given.end())
        return n.error("has a decoder whose input '" + input.name +
                       "' nothing gives");
      arguments.push_back(it->second);
    }
    arguments.append(own.begin(), own.end());
    arguments.append(fixed);
    if (failed(n.importer.importSubgraph(n, *decoder, arguments, out)))
      return failure();
    FailureOr<Val> scores = lastScores(n, out.front(), n.dim(ids, 0));
    if (failed(scores))
      return failure();
    return Outcome{*scores, {out.begin() + 1, out.end()}};
  }
};

FailureOr<Asked> askT5(NodeBuilder &n, Size beams, int64_t padToken) {
  auto model = std::make_shared<EncoderDecoder>(
      EncoderDecoder{n, n.graphAttr("encoder"), n.graphAttr("decoder")});
  if (!model->encoder || !model->decoder)
    return n.error("lacks its encoder or its decoder");
  if (failed(model->read()))
    return failure();
  int64_t startToken = tokenAttr(n, "decoder_start_token_id");
  if (startToken < 0)
    return n.error("needs a decoder_start_token_id");
  Val ids = n.in(0), mask = maskInput(n, 9, ids);
  if (n.failed())
    return failure();
  if (!mask) {
    // Only padding before the first token is masked.
    Val counted = n.map(ids, ElementType::Int32, [&](Scalar x) {
      return x.builder->cast(ne(x, padToken), ElementType::Int32);
    });
    Val soFar{graph::CumulateOp::create(n.b, n.loc, counted.type(),
                                        counted.value, ReduceKind::Sum,
                                        /*axis=*/1, /*exclusive=*/false,
                                        /*reverse=*/false),
              ElementType::Int32};
    mask = n.map(soFar, ElementType::Int32, [](Scalar x) {
      return x.builder->cast(gt(x, 0), ElementType::Int32);
    });
  }
  Size batch = n.dim(ids, 0);
  Val start = n.filled(ElementType::Int32, {batch, n.index(1)}, startToken);
  SmallVector<Val> arguments{ids, mask}, out;
  if (model->encoder->inputs.size() == 3)
    arguments.push_back(start);
  if (failed(n.importer.importSubgraph(n, *model->encoder, arguments, out)))
    return failure();

  // An encoder that also runs the first step of the decoder returns its logits,
  // the hidden states and the states of the decoder's layers first.
  bool runsDecoder = model->encoder->outputs.front().name == "logits";
  size_t others = runsDecoder ? 2 + model->states : 0;
  if (out.size() != others + model->states)
    return n.error("has an encoder whose outputs do not fit the states of its "
                   "decoder");
  for (Val &v : out) {
    if (v.rank() < 1)
      return n.error("needs an encoder whose outputs are tensors of rows");
    v = n.withSize(v, 0, batch,
                   "the rows of ids and of an output of the "
                   "encoder");
  }
  Val rows = repeated(n, start, beams);
  for (auto [name, v] : {std::pair("encoder_input_ids", ids),
                         std::pair("encoder_attention_mask", mask)})
    model->given[name] = repeated(n, v, beams);
  if (runsDecoder)
    model->given["encoder_hidden_states"] = repeated(n, out[1], beams);
  for (const Val &v : ArrayRef(out).drop_front(others))
    model->fixed.push_back(repeated(n, v, beams));

  std::function<FailureOr<Outcome>()> first;
  if (runsDecoder) {
    first = [=, &n]() -> FailureOr<Outcome> {
      FailureOr<Val> scores = lastScores(n, out.front(), batch);
      if (failed(scores))
        return failure();
      Outcome result{repeated(n, *scores, beams), {}};
      for (const Val &v : ArrayRef(out).slice(2, model->states))
        result.states.push_back(repeated(n, v, beams));
      return result;
    };
  } else {
    first = [=, &n]() -> FailureOr<Outcome> {
      SmallVector<Val> empty;
      for (const ValueInfo &input : ArrayRef(model->decoder->inputs)
                                        .slice(model->first, model->states)) {
        const TypeProto &type = input.type;
        if (type.kind != TypeKind::Tensor || type.shape.size() != 4 ||
            type.shape[1].size <= 0 || type.shape[3].size <= 0 ||
            !isFloat(type.element))
          return n.error("needs a decoder whose past is declared as [batch, "
                         "heads, length, size of a head] of floats, with both "
                         "numbers of heads");
        empty.push_back(n.filled(type.element,
                                 {n.dim(rows, 0), n.index(type.shape[1].size),
                                  n.index(0), n.index(type.shape[3].size)},
                                 0));
      }
      return model->run(rows, empty);
    };
  }
  const TypeProto &idsType = model->decoder->inputs.front().type;
  bool takesAll = idsType.shape.size() != 2 || idsType.shape[1].size != 1;
  return Asked{first,
               [=, &n](Val tokens, Val sequences, Size length, Value,
                       ArrayRef<Val> states) {
                 Size count = n.dim(tokens, 0);
                 Val next = takesAll
                                ? n.slice(sequences, {n.index(0), n.index(0)},
                                          {count, length})
                                : n.reshape(tokens, {count, n.index(1)});
                 return model->run(next, states);
               },
               /*rowAxis=*/0, rows};
}

LogicalResult importBeamSearch(NodeBuilder &n) {
  int64_t form = n.intAttr("model_type");
  if (form != 0 && form != 1)
    return n.error("takes decoders in the form of GPT-2 (model_type 0) and T5 "
                   "(model_type 1) only");
  Val ids = n.in(0);
  if (ids.elem != ElementType::Int32 || ids.rank() != 2)
    return n.error("needs ids that are int32 of 2 dimensions");
  std::optional<Size> maxLength = numberInput(n, 1, "max_length", 0),
                      beams = numberInput(n, 3, "num_beams", 1),
                      returned = numberInput(n, 4, "num_return_sequences", 1);
  int64_t padToken = tokenAttr(n, "pad_token_id");
  if (!maxLength || !beams || !returned || n.failed())
    return failure();
  ScalarBuilder &s = n.host();
  n.require(ge(s.size(*beams), 1), "there is a beam");
  n.require(ge(s.size(*returned), 1), "there is a sequence to return");
  n.require(ge(s.size(*beams), s.size(*returned)),
            "there are num_return_sequences beams");
  Size batch = n.dim(ids, 0);
  FailureOr<Asked> decoder =
      form == 0 ? askGpt(n, *beams, padToken) : askT5(n, *beams, padToken);
  if (failed(decoder) || n.failed())
    return failure();
  n.require(gt(s.size(*maxLength), s.size(n.dim(decoder->start, 1))),
            "max_length is above the length of the ids");
  std::optional<ScoreRules> rules =
      ScoreRules::read(n, n.mul(batch, *beams), *maxLength, /*penalty=*/6);
  if (!rules)
    return failure();
  if (rules->endToken < 0 || padToken < 0)
    return n.error("needs an eos_token_id and a pad_token_id");
  if (rules->firstMask)
    rules->firstMask = repeated(n, rules->firstMask, *beams);
  Val lengthPenalty = factorInput(n, 5, "length_penalty");
  if (n.failed())
    return failure();
  BeamSearch search{n,
                    *rules,
                    *decoder,
                    batch,
                    *beams,
                    padToken,
                    n.intAttr("early_stopping") == 1,
                    lengthPenalty};
  FailureOr<BeamSearch::State> state = search.search();
  if (failed(state) || n.failed())
    return failure();
  search.close(*state);
  n.out(0, n.sliceAxis(state->best, 1, n.index(0), *returned));
  ElementType kind = n.has(5)   ? n.in(5).elem
                     : n.has(6) ? n.in(6).elem
                                : ElementType::Float;
  n.out(1,
        n.cast(n.sliceAxis(state->bestScores, 1, n.index(0), *returned), kind));
  return success(!n.failed());
}

} // namespace

void hone::onnx::addBeamSearch(OpTable &table) {
  table.setDomain("com.microsoft");
  table.add("BeamSearch", importBeamSearch, 2, 10);
  table.setDomain("");
}
