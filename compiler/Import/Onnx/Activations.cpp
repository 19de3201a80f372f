// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Activation functions, each one elementwise formula.
#include "compiler/Import/Onnx/OpTable.h"

#include <cmath>

using namespace mlir;
using namespace hone::onnx;

namespace {

/// log(1 + exp(x)) without overflow.
Scalar softplus(const Scalar &x) {
  Scalar positive = select(lt(x, 0), x.builder->like(x, 0), x);
  return positive + log1p(exp(-abs(x)));
}

Scalar gelu(const Scalar &x, bool byTanh) {
  if (byTanh)
    return x * 0.5 *
           (1.0 + tanh((x + x * x * x * 0.044715) * std::sqrt(2 / M_PI)));
  return x * 0.5 * (1.0 + erf(x * M_SQRT1_2));
}

Scalar elu(const Scalar &x, float alpha) {
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
  // Up to opset 6 a vector is per channel, whatever its place.
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

void hone::onnx::addActivations(OpTable &table) {
  // Written so that NaN passes.
  addActivation(table, "Relu", [](NodeBuilder &, const Scalar &x) {
    return select(lt(x, 0), x.builder->like(x, 0), x);
  });
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
    return select(lt(x, 0), x * n.floatAttr("alpha", 0.01f), x);
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
  addActivation(table, "Mish", [](NodeBuilder &, const Scalar &x) {
    return x * tanh(softplus(x));
  });
  addActivation(table, "Gelu", [](NodeBuilder &n, const Scalar &x) {
    return gelu(x, n.stringAttr("approximate", "none") == "tanh");
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
