// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Activation functions, each an elementwise formula.
#include "compiler/Import/Onnx/Operators/Activations.h"
#include "compiler/Import/Onnx/Builder/OpTable.h"

#include <cmath>

using namespace mlir;
using namespace hone::onnx;

namespace {

/// log(1 + exp(x)) without overflow.
Scalar softplus(const Scalar &x) {
  Scalar positive = select(lt(x, 0), x.builder->like(x, 0), x);
  return positive + log1p(exp(-abs(x)));
}

/// Written so that NaN propagates.
Scalar relu(const Scalar &x) {
  return select(lt(x, 0), x.builder->like(x, 0), x);
}

Scalar leakyRelu(const Scalar &x, double alpha) {
  return select(lt(x, 0), x * alpha, x);
}

/// x * tanh(softplus(x)). With t = n^2 + 2 n and n = exp(x), the tangent is t /
/// (t + 2); both are divided by n^2 where that could overflow. One exponential,
/// not four functions.
Scalar mish(const Scalar &x) {
  Scalar e = exp(-abs(x)), isNegative = lt(x, 0);
  Scalar top = select(isNegative, e * e, x.builder->like(x, 1)) + e * 2.0;
  Scalar rest = select(isNegative, x.builder->like(x, 2), e * e * 2.0);
  return x * (top / (top + rest));
}

Scalar elu(const Scalar &x, double alpha) {
  return select(lt(x, 0), (exp(x) - 1.0) * alpha, x);
}

void addActivation(OpTable &table, StringRef name,
                   Scalar (*formula)(NodeBuilder &, const Scalar &)) {
  table.add(
      name,
      [formula](NodeBuilder &n) {
        return n.out(n.map(n.in(0), [&](Scalar x) { return formula(n, x); }));
      },
      1);
}

LogicalResult importPRelu(NodeBuilder &n) {
  Val x = n.in(0), slope = n.in(1);
  if (x.elem != slope.elem)
    return n.error("has a slope of another type than its input");
  // Up to opset 6 a vector is per channel, whatever its position.
  if (n.opset < 7 && slope.rank() == 1 && x.rank() > 1 &&
      slope.shape()[0] != 1) {
    Sizes sizes(x.rank() - 1, n.index(1));
    sizes[0] = n.dim(slope, 0);
    slope = n.reshape(slope, sizes);
  }
  return n.out(n.map({x, slope}, x.elem, [](ArrayRef<Scalar> a) {
    return select(lt(a[0], 0), a[0] * a[1], a[0]);
  }));
}

} // namespace

Scalar hone::onnx::gelu(const Scalar &x) {
  return x * 0.5 * (1.0 + erf(x * M_SQRT1_2));
}

Scalar hone::onnx::geluByTanh(const Scalar &x) {
  return x * 0.5 *
         (1.0 + tanh((x + x * x * x * 0.044715) * std::sqrt(2 / M_PI)));
}

Scalar Activation::operator()(const Scalar &x) const {
  if (name == "relu")
    return relu(x);
  if (name == "sigmoid")
    return sigmoid(x);
  if (name == "affine")
    return x * alpha + beta;
  if (name == "leakyrelu")
    return leakyRelu(x, alpha);
  if (name == "thresholdedrelu")
    return select(gt(x, alpha), x, x.builder->like(x, 0));
  if (name == "scaledtanh")
    return tanh(x * beta) * alpha;
  if (name == "hardsigmoid")
    return clampTo(x * alpha + beta, 0, 1);
  if (name == "clip")
    return clampTo(x, alpha, beta);
  if (name == "elu")
    return elu(x, alpha);
  if (name == "softsign")
    return x / (1.0 + abs(x));
  if (name == "softplus")
    return softplus(x);
  return tanh(x);
}

std::optional<Activation> hone::onnx::activationNamed(StringRef name) {
  std::string lower = name.lower();
  const std::pair<const char *, std::pair<double, double>> known[] = {
      {"relu", {0, 0}},         {"tanh", {0, 0}},
      {"sigmoid", {0, 0}},      {"affine", {1, 0}},
      {"leakyrelu", {0.01, 0}}, {"thresholdedrelu", {1, 0}},
      {"scaledtanh", {1, 1}},   {"hardsigmoid", {0.2, 0.5}},
      {"elu", {1, 0}},          {"softsign", {0, 0}},
      {"softplus", {0, 0}}};
  for (const auto &[own, defaults] : known)
    if (lower == own)
      return Activation{own, defaults.first, defaults.second};
  return std::nullopt;
}

std::optional<Activation> hone::onnx::fusedActivation(NodeBuilder &n) {
  StringRef name = n.stringAttr("activation");
  if (name.empty())
    return std::nullopt;
  std::optional<Activation> f = name == "Clip"
                                    ? Activation{"clip", -INFINITY, INFINITY}
                                    : activationNamed(name);
  if (!f) {
    n.fail("has the unknown activation '" + name + "'");
    return std::nullopt;
  }
  SmallVector<float> values =
      n.floatsAttr("activation_params").value_or(SmallVector<float>());
  if (values.size() > 2)
    n.fail("has " + Twine(values.size()) + " activation_params");
  f->alpha =
      values.size() > 0 ? values[0] : n.floatAttr("activation_alpha", f->alpha);
  f->beta =
      values.size() > 1 ? values[1] : n.floatAttr("activation_beta", f->beta);
  return f;
}

void hone::onnx::addActivations(OpTable &table) {
  addActivation(table, "Relu",
                [](NodeBuilder &, const Scalar &x) { return relu(x); });
  addActivation(table, "Sigmoid",
                [](NodeBuilder &, const Scalar &x) { return sigmoid(x); });
  addActivation(table, "Tanh",
                [](NodeBuilder &, const Scalar &x) { return tanh(x); });
  addActivation(table, "Softplus",
                [](NodeBuilder &, const Scalar &x) { return softplus(x); });
  addActivation(table, "Softsign", [](NodeBuilder &, const Scalar &x) {
    return x / (1.0 + abs(x));
  });
  addActivation(table, "LeakyRelu", [](NodeBuilder &n, const Scalar &x) {
    return leakyRelu(x, n.floatAttr("alpha", 0.01f));
  });
  addActivation(table, "ThresholdedRelu", [](NodeBuilder &n, const Scalar &x) {
    return select(gt(x, n.floatAttr("alpha", 1.0f)), x, x.builder->like(x, 0));
  });
  addActivation(table, "Elu", [](NodeBuilder &n, const Scalar &x) {
    return elu(x, n.floatAttr("alpha", 1.0f));
  });
  addActivation(table, "Selu", [](NodeBuilder &n, const Scalar &x) {
    bool isFirst = n.opset < 6;
    return elu(x, n.floatAttr("alpha",
                              isFirst ? 1.6732f : 1.67326319217681884765625f)) *
           n.floatAttr("gamma", isFirst ? 1.0507f : 1.05070102214813232421875f);
  });
  addActivation(table, "Celu", [](NodeBuilder &n, const Scalar &x) {
    float alpha = n.floatAttr("alpha", 1.0f);
    return select(lt(x, 0), (exp(x / alpha) - 1.0) * alpha, x);
  });
  addActivation(table, "HardSigmoid", [](NodeBuilder &n, const Scalar &x) {
    return clampTo(x * n.floatAttr("alpha", 0.2f) + n.floatAttr("beta", 0.5f),
                   0, 1);
  });
  addActivation(table, "HardSwish", [](NodeBuilder &, const Scalar &x) {
    return x * clampTo(x * (1.0 / 6) + 0.5, 0, 1);
  });
  addActivation(table, "Mish",
                [](NodeBuilder &, const Scalar &x) { return mish(x); });
  addActivation(table, "Gelu", [](NodeBuilder &n, const Scalar &x) {
    return n.stringAttr("approximate", "none") == "tanh" ? geluByTanh(x)
                                                         : gelu(x);
  });
  addActivation(table, "Swish", [](NodeBuilder &n, const Scalar &x) {
    return x * sigmoid(x * n.floatAttr("alpha", 1.0f));
  });
  addActivation(table, "Shrink", [](NodeBuilder &n, const Scalar &x) {
    float lambda = n.floatAttr("lambd", 0.5f), bias = n.floatAttr("bias", 0.0f);
    return select(lt(x, -lambda), x + bias,
                  select(gt(x, lambda), x - bias, x.builder->like(x, 0)));
  });
  table.add("PRelu", importPRelu, 2);
  // Experiments of the first operator sets.
  addActivation(table, "ScaledTanh", [](NodeBuilder &n, const Scalar &x) {
    return tanh(x * n.floatAttr("beta", 1)) * n.floatAttr("alpha", 1);
  });
  addActivation(
      table, "ParametricSoftplus", [](NodeBuilder &n, const Scalar &x) {
        return softplus(x * n.floatAttr("beta", 1)) * n.floatAttr("alpha", 1);
      });
}
