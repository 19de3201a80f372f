// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Linear models and scalers of ai.onnx.ml.
#include "compiler/Import/Onnx/Classes.h"
#include "compiler/Import/Onnx/OpTable.h"

using namespace mlir;
using namespace hone::onnx;
using hone::graph::ReduceKind;
using Args = ArrayRef<Scalar>;

namespace {

Val vector(NodeBuilder &n, ArrayRef<float> values) {
  SmallVector<double> wide(values.begin(), values.end());
  return n.constant(ElementType::Float, {static_cast<int64_t>(wide.size())},
                    wide);
}

/// A matrix of floats with one row per sample; a vector is one sample.
std::optional<Val> samples(NodeBuilder &n) {
  Val x = n.in(0);
  if ((x.rank() != 1 && x.rank() != 2) ||
      !x.type().getElementType().isIntOrFloat()) {
    n.fail("takes a matrix of numbers");
    return std::nullopt;
  }
  x = n.cast(x, ElementType::Float);
  return x.rank() == 1 ? n.unsqueeze(x, {0}) : x;
}

/// x times the transposed coefficients, plus the intercepts.
std::optional<Val> linearScores(NodeBuilder &n, Val x) {
  std::optional<SmallVector<float>> coefficients = n.floatsAttr("coefficients"),
                                    intercepts = n.floatsAttr("intercepts");
  std::optional<int64_t> features = NodeBuilder::known(n.dim(x, 1));
  if (!coefficients || !features || *features < 1 ||
      coefficients->size() % *features != 0) {
    n.fail("has coefficients that do not fit its input");
    return std::nullopt;
  }
  int64_t targets = coefficients->size() / *features;
  Val weights =
      n.reshape(vector(n, *coefficients), n.sizes({targets, *features}));
  Val scores = n.matmul(x, weights, /*transposeRhs=*/true);
  if (intercepts && !intercepts->empty()) {
    if (static_cast<int64_t>(intercepts->size()) != targets) {
      n.fail("has intercepts that do not fit its coefficients");
      return std::nullopt;
    }
    scores = n.map({scores, vector(n, *intercepts)}, ElementType::Float,
                   [](Args a) { return a[0] + a[1]; });
  }
  return n.failed() ? std::nullopt : std::optional<Val>(scores);
}

LogicalResult importLinearClassifier(NodeBuilder &n) {
  std::optional<Val> x = samples(n);
  std::optional<Val> scores = x ? linearScores(n, *x) : std::nullopt;
  return scores ? classify(n, *scores, "classlabels_ints") : failure();
}

LogicalResult importLinearRegressor(NodeBuilder &n) {
  std::optional<Val> x = samples(n);
  std::optional<Val> scores = x ? linearScores(n, *x) : std::nullopt;
  std::optional<Val> result =
      scores ? transformed(n, *scores, n.stringAttr("post_transform", "NONE"))
             : std::nullopt;
  return result ? n.out(*result) : failure();
}

LogicalResult importNormalizer(NodeBuilder &n) {
  std::optional<Val> x = samples(n);
  if (!x)
    return failure();
  StringRef norm = n.stringAttr("norm", "MAX");
  if (norm != "MAX" && norm != "L1" && norm != "L2")
    return n.error("has the norm '" + norm + "', which ONNX does not define");
  Val sizes = norm == "MAX" ? *x : n.map(*x, [&](Scalar v) {
    return norm == "L1" ? abs(v) : v * v;
  });
  Val total = n.reduce(norm == "MAX" ? ReduceKind::Max : ReduceKind::Sum, sizes,
                       {1}, /*keepdims=*/true);
  Val result = n.map({*x, total}, ElementType::Float, [&](Args a) {
    Scalar size = norm == "L2" ? sqrt(a[1]) : a[1];
    return select(eq(size, 0), a[0], a[0] / size);
  });
  return n.out(n.reshape(result, n.dims(n.in(0))));
}

LogicalResult importScaler(NodeBuilder &n) {
  std::optional<SmallVector<float>> offset = n.floatsAttr("offset"),
                                    scale = n.floatsAttr("scale");
  if (!offset || !scale || !n.in(0).type().getElementType().isIntOrFloat())
    return n.error("takes numbers, an offset and a scale");
  Val x = n.cast(n.in(0), ElementType::Float);
  return n.out(n.map({x, vector(n, *offset), vector(n, *scale)},
                     ElementType::Float,
                     [](Args a) { return (a[0] - a[1]) * a[2]; }));
}

LogicalResult importBinarizer(NodeBuilder &n) {
  double threshold = n.floatAttr("threshold", 0);
  return n.out(n.map(n.in(0), [&](Scalar x) {
    return select(gt(x, threshold), x.builder->like(x, 1),
                  x.builder->like(x, 0));
  }));
}

LogicalResult importFeatureExtractor(NodeBuilder &n) {
  Val x = n.in(0), places = n.in(1);
  if (x.rank() < 1 || places.elem != ElementType::Int64)
    return n.error("takes a tensor and int64 places in its last dimension");
  Val flat = n.reshape(places, {n.product(n.dims(places))});
  Val result = n.gather(x, flat, x.rank() - 1);
  // A vector of features is one sample.
  return n.failed() ? failure()
                    : n.out(x.rank() == 1 ? n.unsqueeze(result, {0}) : result);
}

} // namespace

void hone::onnx::addClassicModels(OpTable &table) {
  table.setDomain("ai.onnx.ml");
  table.add("LinearClassifier", importLinearClassifier, 1);
  table.add("LinearRegressor", importLinearRegressor, 1);
  table.add("Normalizer", importNormalizer, 1);
  table.add("Scaler", importScaler, 1);
  table.add("Binarizer", importBinarizer, 1);
  table.add("ArrayFeatureExtractor", importFeatureExtractor, 2);
  table.setDomain("");
}
