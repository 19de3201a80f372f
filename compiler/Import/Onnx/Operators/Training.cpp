// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Optimizer steps of ai.onnx.preview.training.
#include "compiler/Import/Onnx/Builder/OpTable.h"

using namespace mlir;
using namespace hone::onnx;
using Args = ArrayRef<Scalar>;

namespace {

/// Inputs are R, T, then for `groups` kinds of tensors one each per optimized
/// tensor. `update` gives the formulas of the outputs: all new tensors of the
/// first kind, then those of each state.
using Update = function_ref<SmallVector<Scalar>(
    ScalarBuilder &, const Scalar &rate, const Scalar &count, Args group)>;

LogicalResult optimize(NodeBuilder &n, size_t kinds, size_t results,
                       Update update) {
  size_t tensors = n.numInputs() - 2;
  if (tensors % kinds != 0 || n.numOutputs() != tensors / kinds * results)
    return n.error("has inputs and outputs that do not fit together");
  tensors /= kinds;
  for (size_t i = 0; i < 2; ++i)
    if (n.in(i).rank() > 1 || (n.in(i).rank() == 1 && n.in(i).shape()[0] != 1))
      return n.error("has a rate or a count that is not a scalar");
  Val rate = n.reshape(n.in(0), {}), count = n.reshape(n.in(1), {});
  for (size_t t = 0; t < tensors; ++t) {
    SmallVector<Val> inputs{rate, count};
    for (size_t kind = 0; kind < kinds; ++kind) {
      Val v = n.in(2 + kind * tensors + t);
      if (!v || !isFloat(v.elem) || isSmallFloat(v.elem))
        return n.error("optimizes what is not a float tensor");
      inputs.push_back(v);
    }
    ElementType elem = inputs[2].elem;
    for (size_t result = 0; result < results; ++result)
      n.out(result * tensors + t, n.map(inputs, elem, [&](Args x) {
        ScalarBuilder &s = *x[0].builder;
        mlir::Type type = computeType(n.b.getContext(), elem);
        SmallVector<Scalar> group;
        for (const Scalar &v : x.drop_front(2))
          group.push_back(s.toFloat(v, type));
        return update(s, s.toFloat(x[0], type), s.toFloat(x[1], type),
                      group)[result];
      }));
  }
  return success(!n.failed());
}

LogicalResult importAdagrad(NodeBuilder &n) {
  double decay = n.floatAttr("decay_factor"), epsilon = n.floatAttr("epsilon"),
         norm = n.floatAttr("norm_coefficient");
  return optimize(
      n, 3, 2,
      [&](ScalarBuilder &, const Scalar &rate, const Scalar &count, Args g) {
        Scalar gradient = g[0] * norm + g[1];
        Scalar squares = g[2] + gradient * gradient;
        Scalar moved = g[0] - rate / (count * decay + 1.0) * gradient /
                                  (sqrt(squares) + epsilon);
        return SmallVector<Scalar>{moved, squares};
      });
}

LogicalResult importAdam(NodeBuilder &n) {
  double alpha = n.floatAttr("alpha", 0.9f), beta = n.floatAttr("beta", 0.999f),
         epsilon = n.floatAttr("epsilon"),
         norm = n.floatAttr("norm_coefficient"),
         after = n.floatAttr("norm_coefficient_post");
  return optimize(
      n, 4, 3,
      [&](ScalarBuilder &s, const Scalar &rate, const Scalar &count, Args g) {
        Scalar gradient = g[0] * norm + g[1];
        Scalar mean = g[2] * alpha + gradient * (1 - alpha);
        Scalar squares = g[3] * beta + gradient * gradient * (1 - beta);
        Scalar corrected = rate * sqrt(1.0 - pow(s.like(count, beta), count)) /
                           (1.0 - pow(s.like(count, alpha), count));
        Scalar used = select(gt(count, 0), corrected, rate);
        Scalar moved =
            (g[0] - used * mean / (sqrt(squares) + epsilon)) * (1 - after);
        return SmallVector<Scalar>{moved, mean, squares};
      });
}

LogicalResult importMomentum(NodeBuilder &n) {
  double alpha = n.floatAttr("alpha"), beta = n.floatAttr("beta"),
         norm = n.floatAttr("norm_coefficient");
  bool nesterov = n.stringAttr("mode") == "nesterov";
  return optimize(
      n, 3, 2,
      [&](ScalarBuilder &s, const Scalar &rate, const Scalar &count, Args g) {
        Scalar gradient = g[0] * norm + g[1];
        Scalar weight =
            select(gt(count, 0), s.like(count, beta), s.like(count, 1));
        Scalar momentum = g[2] * alpha + gradient * weight;
        Scalar moved = nesterov ? g[0] - rate * (gradient + momentum * alpha)
                                : g[0] - rate * momentum;
        return SmallVector<Scalar>{moved, momentum};
      });
}

} // namespace

void hone::onnx::addTraining(OpTable &table) {
  table.setDomain("ai.onnx.preview.training");
  table.add("Adagrad", importAdagrad, 3, kVariadic);
  table.add("Adam", importAdam, 3, kVariadic);
  table.add("Momentum", importMomentum, 3, kVariadic);
  table.setDomain("");
}
