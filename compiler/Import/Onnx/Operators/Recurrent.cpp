// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// LSTM, GRU and RNN: the input projection of all steps as one matrix product,
// then a loop over the steps that carries the states.
#include "compiler/Import/Onnx/Builder/Loops.h"
#include "compiler/Import/Onnx/Builder/OpTable.h"
#include "compiler/Import/Onnx/Operators/Activations.h"
#include "compiler/Import/Onnx/Operators/Quantization.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace hone::onnx;

namespace {

enum class Cell { Lstm, Gru, Rnn };

struct Recurrence {
  NodeBuilder &n;
  Cell cell;
  int64_t gates, states; ///< per direction
  int64_t directions = 1;
  Size steps = {}, batch = {}, inputs = {}, hidden = {};
  float clip = 0;
  bool linearBeforeReset = false, inputForget = false;
  SmallVector<Activation> activations = {}; ///< of all directions
  /// Weights are transposed bytes with scales and zero points; their operands
  /// are quantized in each product.
  bool quantized = false;
  Val x = {}, w = {}, r = {}, bias = {}, lengths = {}, peepholes = {};
  SmallVector<Val> initial = {}; ///< h, and c of an LSTM; may be absent

  /// Elements [from, from + count) * hidden of a [directions, ...] weight along
  /// its first own axis, for one direction.
  Val part(Val v, int64_t direction, int64_t from, int64_t count) {
    Val one = n.squeeze(n.sliceAxis(v, 0, n.index(direction), n.index(1)), {0});
    return n.sliceAxis(one, 0, n.mul(hidden, from), n.mul(hidden, count));
  }

  /// The right side of a product: rows of floats, or columns of integers
  /// without their zero point, with one scale for all or for each.
  struct Weights {
    Val values, scale = Val();
  };

  /// The weights of one direction; input `parameters` has their scale, and the
  /// next one their zero point, if they are quantized.
  Weights weightsOf(Val all, int64_t direction, size_t parameters) {
    auto own = [&](Val v) {
      return n.squeeze(n.sliceAxis(v, 0, n.index(direction), n.index(1)), {0});
    };
    if (!quantized)
      return {own(all)};
    return {widen(n, own(all), own(n.in(parameters + 1))),
            own(n.in(parameters))};
  }

  /// left * weights, in the widened type. The states of an entry of the batch
  /// are quantized independently of the others (`byRow`).
  Val multiply(Val left, const Weights &weights, bool byRow) {
    if (!quantized)
      return n.wideMatmul(left, weights.values, /*transposeRhs=*/true);
    Quantized q = quantizeDynamically(n, left, byRow);
    Val product = n.matmul(widen(n, q.x, q.zeroPoint), weights.values);
    return n.map(
        {product, q.scale, weights.scale}, wide(), [](ArrayRef<Scalar> v) {
          return v[0].builder->toFloat(v[0], v[1].type()) * (v[1] * v[2]);
        });
  }

  Val gate(Val all, int64_t i) {
    return n.sliceAxis(all, 1, n.mul(hidden, i), hidden);
  }

  Scalar limit(const Scalar &v) const {
    return clip > 0 ? clampTo(v, -clip, clip) : v;
  }

  /// States and gates of f16 are f32; only h is rounded, which is the result
  /// and the left side of the products.
  ElementType wide() const { return widenedType(x.elem); }

  Val activate(ArrayRef<Val> terms, const Activation &f) {
    return n.map(terms, wide(), [&](ArrayRef<Scalar> v) {
      Scalar sum = v[0];
      for (const Scalar &term : v.drop_front())
        sum = sum + term;
      return f(limit(sum));
    });
  }

  /// Gates in the order i, o, f, c.
  SmallVector<Val> lstmStep(Val projected, ArrayRef<Val> state,
                            const Weights &weights, ArrayRef<Val> p,
                            ArrayRef<Activation> f) {
    Val h = state[0], c = state[1];
    Val product = multiply(h, weights, /*byRow=*/true);
    auto sum = [&](int64_t i) {
      return SmallVector<Val>{gate(projected, i), gate(product, i)};
    };
    auto peek = [&](SmallVector<Val> terms, int64_t i, Val cellState) {
      if (!p.empty())
        terms.push_back(n.map({p[i], cellState}, wide(),
                              [](ArrayRef<Scalar> v) { return v[0] * v[1]; }));
      return terms;
    };
    Val in = activate(peek(sum(0), 0, c), f[0]);
    Val forget = inputForget ? n.map(in, [](Scalar v) { return 1.0 - v; })
                             : activate(peek(sum(2), 2, c), f[0]);
    Val candidate = activate(sum(3), f[1]);
    Val nextC =
        n.map({forget, c, in, candidate}, wide(),
              [](ArrayRef<Scalar> v) { return v[0] * v[1] + v[2] * v[3]; });
    Val out = activate(peek(sum(1), 1, nextC), f[0]);
    Val nextH = n.map({out, nextC}, x.elem,
                      [&](ArrayRef<Scalar> v) { return v[0] * f[2](v[1]); });
    return {nextH, nextC};
  }

  /// Gates in the order z, r, h.
  SmallVector<Val> gruStep(Val projected, Val h, Val weights, Val recurrentBias,
                           ArrayRef<Activation> f) {
    auto rows = [&](int64_t from, int64_t count) {
      return n.sliceAxis(weights, 0, n.mul(hidden, from), n.mul(hidden, count));
    };
    // The recurrence bias of the first two gates is already in the projection.
    Val product =
        n.wideMatmul(h, linearBeforeReset ? weights : rows(0, 2), true);
    Val z = activate({gate(projected, 0), gate(product, 0)}, f[0]);
    Val reset = activate({gate(projected, 1), gate(product, 1)}, f[0]);
    Val candidate;
    if (linearBeforeReset) {
      SmallVector<Val> inputs{gate(projected, 2), reset, gate(product, 2)};
      if (recurrentBias)
        inputs.push_back(recurrentBias);
      candidate = n.map(inputs, wide(), [&](ArrayRef<Scalar> v) {
        Scalar recurrent = v.size() > 3 ? v[2] + v[3] : v[2];
        return f[1](limit(v[0] + v[1] * recurrent));
      });
    } else {
      Val gated = n.map({reset, h}, x.elem,
                        [](ArrayRef<Scalar> v) { return v[0] * v[1]; });
      candidate = activate(
          {gate(projected, 2), n.wideMatmul(gated, rows(2, 1), true)}, f[1]);
    }
    return {n.map({z, candidate, h}, x.elem, [](ArrayRef<Scalar> v) {
      return (1.0 - v[0]) * v[1] + v[0] * v[2];
    })};
  }

  /// The biases that are added before the loop: all of the input's, and the
  /// recurrence's except for the candidate of a GRU that is reset after it.
  Val projectionBias(int64_t direction, Val &recurrentBias) {
    Val own = part(bias, direction, 0, gates);
    Val recurrent = part(bias, direction, gates, gates);
    auto add = [&](Val a, Val b) {
      return n.map({a, b}, wide(),
                   [](ArrayRef<Scalar> v) { return v[0] + v[1]; });
    };
    if (cell != Cell::Gru || !linearBeforeReset)
      return add(own, recurrent);
    recurrentBias = part(bias, direction, gates + 2, 1);
    return n.concat(
        {add(part(bias, direction, 0, 2), part(bias, direction, gates, 2)),
         n.widened(part(bias, direction, 2, 1))},
        0);
  }

  /// All outputs [steps, batch, hidden] of one direction, then its last states.
  SmallVector<Val> runDirection(int64_t direction, bool reverse,
                                ArrayRef<Activation> f) {
    Weights recurrentWeights = weightsOf(r, direction, 10);
    Size rows = n.mul(steps, batch);
    Val flat = n.reshape(x, {rows, inputs});
    Val projected = multiply(flat, weightsOf(w, direction, 8), /*byRow=*/false);
    Val recurrentBias;
    if (bias) {
      Val sum = projectionBias(direction, recurrentBias);
      projected = n.map({projected, sum}, wide(),
                        [](ArrayRef<Scalar> v) { return v[0] + v[1]; });
    }
    projected = n.reshape(projected, {steps, batch, n.mul(hidden, gates)});

    Sizes stateDims{batch, hidden};
    SmallVector<Val> carried;
    for (int64_t i = 0; i < states; ++i) {
      Val first = initial[i]
                      ? n.squeeze(n.sliceAxis(initial[i], 0, n.index(direction),
                                              n.index(1)),
                                  {0})
                      : n.filled(x.elem, stateDims, 0);
      carried.push_back(i == 0 ? first : n.widened(first));
    }
    SmallVector<Val> p;
    if (peepholes)
      for (int64_t i = 0; i < 3; ++i)
        p.push_back(part(peepholes, direction, i, 1));
    if (n.failed())
      return {};
    // A reversed direction runs from the last step to the first. Steps beyond
    // the end of a sequence leave its states unchanged, so that it starts at
    // its own last step.
    StepLoop loop{n, steps, reverse};
    return loop.run(
        carried, {projected}, 1,
        [&](ArrayRef<Val> state, ArrayRef<Val> element, Val step) {
          SmallVector<Val> next;
          switch (cell) {
          case Cell::Lstm:
            next = lstmStep(element[0], state, recurrentWeights, p, f);
            break;
          case Cell::Gru:
            next = gruStep(element[0], state[0], recurrentWeights.values,
                           recurrentBias, f);
            break;
          case Cell::Rnn:
            next = {n.cast(
                activate({element[0],
                          multiply(state[0], recurrentWeights, /*byRow=*/true)},
                         f[0]),
                x.elem)};
            break;
          }
          Val shown = next[0];
          if (lengths) {
            Val inside =
                n.map({step, n.unsqueeze(lengths, {1})}, ElementType::Bool,
                      [](ArrayRef<Scalar> v) { return lt(v[0], v[1]); });
            auto choose = [&](Val yes, Val no) {
              return n.map({inside, yes, no}, yes.elem, [](ArrayRef<Scalar> v) {
                return select(v[0], v[1], v[2]);
              });
            };
            for (auto [now, before] : llvm::zip(next, state))
              now = choose(now, before);
            shown = choose(shown, n.scalar(x.elem, 0));
          }
          next.push_back(shown);
          return next;
        });
  }

  LogicalResult readActivations() {
    int64_t each = cell == Cell::Lstm ? 3 : cell == Cell::Gru ? 2 : 1;
    SmallVector<std::string> names;
    if (auto given = n.stringsAttr("activations"); given && !given->empty())
      for (StringRef name : *given)
        names.push_back(name.str());
    else
      for (int64_t d = 0; d < directions; ++d)
        for (int64_t i = 0; i < each; ++i)
          names.push_back(i == 0 && cell != Cell::Rnn ? "Sigmoid" : "Tanh");
    if (static_cast<int64_t>(names.size()) != each * directions)
      return n.error("has " + Twine(names.size()) + " activations for " +
                     Twine(each * directions));
    SmallVector<float> alphas =
        n.floatsAttr("activation_alpha").value_or(SmallVector<float>());
    SmallVector<float> betas =
        n.floatsAttr("activation_beta").value_or(SmallVector<float>());
    size_t alpha = 0, beta = 0;
    for (const std::string &name : names) {
      std::optional<Activation> f = activationNamed(name);
      if (!f)
        return n.error("has the unknown activation '" + name + "'");
      // Values are listed for the activations that take them, in order.
      bool takesBeta = f->name == "affine" || f->name == "scaledtanh" ||
                       f->name == "hardsigmoid";
      bool takesAlpha = takesBeta || f->name == "leakyrelu" ||
                        f->name == "thresholdedrelu" || f->name == "elu";
      if (takesAlpha && alpha < alphas.size())
        f->alpha = alphas[alpha++];
      if (takesBeta && beta < betas.size())
        f->beta = betas[beta++];
      activations.push_back(*f);
    }
    return success();
  }

  /// Gives an input, if present, its sizes, checked where they are free.
  LogicalResult fix(Val &v, ArrayRef<Size> shape, StringRef what,
                    bool bytes = false) {
    if (!v)
      return success();
    if (v.rank() != static_cast<int64_t>(shape.size()) ||
        (bytes ? !isByte(v) : v.elem != x.elem))
      return n.error("has a wrong rank or type for " + what);
    for (auto [size, expected] : llvm::zip(n.dims(v), shape)) {
      std::optional<int64_t> own = NodeBuilder::known(size),
                             needed = NodeBuilder::known(expected);
      if (own && needed && *own != *needed)
        return n.error("has size " + Twine(*own) + " where " + what +
                       " needs " + Twine(*needed));
    }
    v = n.withDims(v, shape, "the sizes of " + what + " and what it needs");
    return success();
  }

  /// Scales and zero points of each direction, or of each of its columns.
  LogicalResult checkQuantization() {
    for (size_t i : {8, 10}) {
      Val scale = n.in(i), zero = n.in(i + 1), weights = i == 8 ? w : r;
      if (!scale || !zero || scale.elem != ElementType::Float ||
          zero.elem != weights.elem)
        return n.error("needs float scales, and zero points of the weights' "
                       "types");
      for (Val v : {scale, zero}) {
        if (v.rank() != 1 && v.rank() != 2)
          return n.error("has scales or zero points of " + Twine(v.rank()) +
                         " dimensions");
        n.require(
            eq(n.host().size(n.dim(v, 0)), static_cast<double>(directions)),
            "each direction has scales and zero points");
      }
    }
    return success(!n.failed());
  }

  LogicalResult run() {
    x = n.in(0), w = n.in(1), r = n.in(2), bias = n.in(3), lengths = n.in(4);
    initial = {n.in(5)};
    if (cell == Cell::Lstm) {
      initial.push_back(n.in(6));
      peepholes = n.in(7);
    }
    bool batchFirst = n.intAttr("layout") != 0;
    StringRef direction = n.stringAttr("direction", "forward");
    directions = direction == "bidirectional" ? 2 : 1;
    if (direction != "forward" && direction != "reverse" && directions == 1)
      return n.error("has the unknown direction '" + direction + "'");
    if (x.rank() != 3 || w.rank() != 3 || r.rank() != 3 || !isFloat(x.elem) ||
        isSmallFloat(x.elem))
      return n.error("needs float inputs of three dimensions");
    if (quantized && x.elem != ElementType::Float)
      return n.error("needs an input of float");
    if (batchFirst) {
      x = n.transpose(x, {1, 0, 2});
      for (Val &state : initial)
        if (state && state.rank() == 3)
          state = n.transpose(state, {1, 0, 2});
    }
    // A size is taken from whichever of the two knows it.
    auto sizeOf = [&](Val v, Val other) {
      Size size = n.dim(v, quantized ? 1 : 2);
      return NodeBuilder::known(size) || other.rank() != 3 ||
                     !NodeBuilder::known(n.dim(other, 2))
                 ? size
                 : n.dim(other, 2);
    };
    inputs = sizeOf(w, x);
    hidden = n.hasAttr("hidden_size") ? n.index(n.intAttr("hidden_size"))
                                      : sizeOf(r, initial[0]);
    Sizes own = n.dims(x);
    own[2] = inputs;
    x = n.withDims(x, own, "the features of X and W");
    if (n.failed())
      return failure();
    steps = n.dim(x, 0), batch = n.dim(x, 1);
    if (std::optional<int64_t> known =
            NodeBuilder::known(n.dim(r, quantized ? 1 : 2));
        known && NodeBuilder::known(hidden) != known)
      return n.error("has a hidden_size that is not that of its weights");
    Size both = n.index(directions);
    auto sizesOf = [&](Size own) {
      Sizes sizes{both, n.mul(hidden, gates), own};
      if (quantized)
        std::swap(sizes[1], sizes[2]);
      return sizes;
    };
    if (failed(fix(w, sizesOf(inputs), "W", quantized)) ||
        failed(fix(r, sizesOf(hidden), "R", quantized)) ||
        (quantized && failed(checkQuantization())) ||
        failed(fix(bias, {both, n.mul(hidden, 2 * gates)}, "B")) ||
        failed(fix(peepholes, {both, n.mul(hidden, 3)}, "P")))
      return failure();
    for (Val &state : initial)
      if (failed(fix(state, {both, batch, hidden}, "an initial state")))
        return failure();
    if (lengths && (lengths.rank() != 1 || !isInteger(lengths.elem)))
      return n.error("needs one sequence length per batch entry");
    if (lengths)
      lengths = n.withDims(n.cast(lengths, ElementType::Int64), {batch},
                           "sequence_lens");
    clip = n.floatAttr("clip", 0);
    linearBeforeReset = n.intAttr("linear_before_reset") != 0;
    inputForget = n.intAttr("input_forget") != 0;
    if (failed(readActivations()))
      return failure();

    SmallVector<SmallVector<Val>> results(states + 1);
    int64_t each = activations.size() / directions;
    for (int64_t d = 0; d < directions; ++d) {
      bool reverse = direction == "reverse" || d == 1;
      SmallVector<Val> own =
          runDirection(d, reverse, ArrayRef(activations).slice(d * each, each));
      if (n.failed() || own.empty())
        return failure();
      // Last states, then all outputs.
      for (int64_t i = 0; i <= states; ++i)
        results[i].push_back(n.unsqueeze(own[i], {i == states ? 1 : 0}));
    }
    Val all = n.concat(results[states], 1);
    n.out(0, batchFirst ? n.transpose(all, {2, 0, 1, 3}) : all);
    for (int64_t i = 0; i < states; ++i) {
      Val last = n.cast(n.concat(results[i], 0), x.elem);
      n.out(i + 1, batchFirst ? n.transpose(last, {1, 0, 2}) : last);
    }
    return success();
  }
};

} // namespace

void hone::onnx::addRecurrent(OpTable &table) {
  table.add(
      "LSTM",
      [](NodeBuilder &n) { return Recurrence{n, Cell::Lstm, 4, 2}.run(); }, 3,
      8);
  table.setDomain("com.microsoft");
  table.add(
      "DynamicQuantizeLSTM",
      [](NodeBuilder &n) {
        Recurrence r{n, Cell::Lstm, 4, 2};
        r.quantized = true;
        return r.run();
      },
      3, 12);
  table.setDomain("");
  table.add(
      "GRU",
      [](NodeBuilder &n) { return Recurrence{n, Cell::Gru, 3, 1}.run(); }, 3,
      6);
  table.add(
      "RNN",
      [](NodeBuilder &n) { return Recurrence{n, Cell::Rnn, 1, 1}.run(); }, 3,
      6);
}
