// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From scores to classes, for all classifiers of ai.onnx.ml.
#include "compiler/Import/Onnx/Operators/Ml/Classes.h"
#include "compiler/Import/Onnx/Builder/Library.h"

#include <cmath>

using namespace mlir;
using namespace hone::onnx;
using hone::graph::ReduceKind;
using Args = ArrayRef<Scalar>;

std::optional<Val> hone::onnx::samples(NodeBuilder &n, bool keepsDouble) {
  Val x = n.in(0);
  if ((x.rank() != 1 && x.rank() != 2) ||
      !x.type().getElementType().isIntOrFloat()) {
    n.fail("takes a matrix of numbers");
    return std::nullopt;
  }
  if (!keepsDouble || x.elem != ElementType::Double)
    x = n.cast(x, ElementType::Float);
  return x.rank() == 1 ? n.unsqueeze(x, {0}) : x;
}

Val hone::onnx::floats(NodeBuilder &n, ArrayRef<float> values) {
  SmallVector<double> wide(values.begin(), values.end());
  return n.constant(ElementType::Float, {static_cast<int64_t>(wide.size())},
                    wide);
}

std::optional<Val> hone::onnx::labels(NodeBuilder &n, StringRef ints,
                                      StringRef strings) {
  std::optional<Ints> numbers = n.intsAttr(ints);
  std::optional<std::vector<StringRef>> names = n.stringsAttr(strings);
  if (numbers.has_value() == names.has_value()) {
    n.fail("has not one of '" + ints + "' and '" + strings + "'");
    return std::nullopt;
  }
  return numbers ? n.constantInts(*numbers) : texts(n, *names);
}

Val hone::onnx::likeliest(NodeBuilder &n, Val scores) {
  Sizes sizes{n.dim(scores, 0)};
  return {hone::graph::ArgReduceOp::create(
              n.b, n.loc, n.tensorType(ElementType::Int64, sizes), scores.value,
              ReduceKind::Max, 1, /*keepdims=*/false, /*last=*/false),
          ElementType::Int64};
}

/// The inverse of the normal distribution, by the approximation that ONNX's
/// reference and ONNX Runtime use.
static Scalar probit(const Scalar &p) {
  Scalar x = p * 2.0 - 1.0;
  Scalar logarithm = log((1.0 - x) * (1.0 + x));
  Scalar v = logarithm * 0.5 + 2 / (3.14159 * 0.147);
  Scalar size = sqrt(sqrt(v * v - logarithm / 0.147) - v) * std::sqrt(2.0);
  return select(lt(x, 0), -size, size);
}

std::optional<Val> hone::onnx::transformed(NodeBuilder &n, Val scores,
                                           StringRef name) {
  if (name == "NONE")
    return scores;
  if (name == "LOGISTIC")
    return n.map(scores, [](Scalar x) { return sigmoid(x); });
  if (name == "PROBIT")
    return n.map(scores, probit);
  if (name != "SOFTMAX" && name != "SOFTMAX_ZERO") {
    n.fail("has the post_transform '" + name + "', which is not supported");
    return std::nullopt;
  }
  bool keepsZero = name == "SOFTMAX_ZERO"; // 0 stays about 0
  Val top = n.reduce(ReduceKind::Max, scores, {1}, /*keepdims=*/true);
  Val powers = n.map({scores, top}, scores.elem, [&](Args a) {
    Scalar power = exp(a[0] - a[1]);
    return keepsZero ? select(gt(abs(a[0]), 1e-7), power, a[0] * exp(-a[1]))
                     : power;
  });
  Val total = n.sum(powers, {1}, /*keepdims=*/true);
  return n.map({powers, total}, scores.elem,
               [](Args a) { return a[0] / a[1]; });
}

std::optional<int64_t> hone::onnx::labelCount(NodeBuilder &n,
                                              StringRef intLabels) {
  std::optional<Ints> numbers = n.intsAttr(intLabels);
  std::optional<std::vector<StringRef>> strings =
      n.stringsAttr("classlabels_strings");
  if (numbers.has_value() == strings.has_value())
    return std::nullopt;
  return numbers ? numbers->size() : strings->size();
}

LogicalResult hone::onnx::outputLabels(NodeBuilder &n, Val choice, Val scores,
                                       StringRef intLabels) {
  std::optional<Val> all = labels(n, intLabels, "classlabels_strings");
  if (!all)
    return failure();
  n.out(0, all->elem == ElementType::String
               ? LibraryCall(n, "take").sized(all->elem,
                                              n.dims(choice))({choice, *all})
               : n.gather(*all, choice, 0));
  n.out(1, scores);
  return success(!n.failed());
}

Val hone::onnx::above(NodeBuilder &n, Val scores, double limit) {
  return n.squeeze(n.map(scores, ElementType::Int64,
                         [&](Scalar x) {
                           ScalarBuilder &s = *x.builder;
                           mlir::Type i64 = s.builder.getI64Type();
                           return select(gt(x, limit), s.integer(i64, 1),
                                         s.integer(i64, 0));
                         }),
                   {1});
}

LogicalResult hone::onnx::classify(NodeBuilder &n, Val scores,
                                   StringRef intLabels) {
  StringRef transform = n.stringAttr("post_transform", "NONE");
  std::optional<int64_t> labels = labelCount(n, intLabels);
  std::optional<int64_t> classes = NodeBuilder::known(n.dim(scores, 1));
  bool binary = classes == 1 && labels == 2;
  if (!labels || !classes || (*classes != *labels && !binary))
    return n.error("has " + Twine(labels.value_or(0)) + " labels for " +
                   Twine(classes.value_or(-1)) + " scores");
  std::optional<Val> results = transformed(n, scores, transform);
  if (!results)
    return failure();
  if (binary) {
    // A single score belongs to the second class.
    bool probability = transform != "NONE";
    Val first =
        n.map(*results, [&](Scalar x) { return probability ? 1.0 - x : -x; });
    return outputLabels(n, above(n, scores, 0), n.concat({first, *results}, 1),
                        intLabels);
  }
  return outputLabels(n, likeliest(n, scores), *results, intLabels);
}
