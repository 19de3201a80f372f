// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Linear models of ai.onnx.ml.
#include "compiler/Import/Onnx/Builder/OpTable.h"
#include "compiler/Import/Onnx/Operators/Ml/Classes.h"

using namespace mlir;
using namespace hone::onnx;
using Args = ArrayRef<Scalar>;

namespace {

/// x times the transposed coefficients, plus the intercepts. If the number of
/// features is a free dimension, these or `targets`, if above 0, determine it.
std::optional<Val> linearScores(NodeBuilder &n, Val x, int64_t targets) {
  std::optional<SmallVector<float>> coefficients = n.floatsAttr("coefficients"),
                                    intercepts = n.floatsAttr("intercepts");
  if (intercepts && !intercepts->empty())
    targets = intercepts->size();
  if (!NodeBuilder::known(n.dim(x, 1)) && coefficients && targets > 0 &&
      coefficients->size() % targets == 0)
    x = n.withSize(x, 1, n.index(coefficients->size() / targets),
                   "the coefficients and the features of its input");
  std::optional<int64_t> features = NodeBuilder::known(n.dim(x, 1));
  if (!coefficients || !features || *features < 1 ||
      coefficients->size() % *features != 0) {
    n.fail("has coefficients that do not fit its input");
    return std::nullopt;
  }
  targets = coefficients->size() / *features;
  Val weights =
      n.reshape(floats(n, *coefficients), n.sizes({targets, *features}));
  Val scores = n.matmul(x, weights, /*transposeRhs=*/true);
  if (intercepts && !intercepts->empty()) {
    if (static_cast<int64_t>(intercepts->size()) != targets) {
      n.fail("has intercepts that do not fit its coefficients");
      return std::nullopt;
    }
    scores = n.map({scores, floats(n, *intercepts)}, ElementType::Float,
                   [](Args a) { return a[0] + a[1]; });
  }
  return n.failed() ? std::nullopt : std::optional<Val>(scores);
}

LogicalResult importLinearClassifier(NodeBuilder &n) {
  std::optional<Val> x = samples(n);
  // Two classes may have a single score.
  int64_t classes = std::max(n.intsAttr("classlabels_ints", Ints()).size(),
                             n.stringsAttr("classlabels_strings")
                                 .value_or(std::vector<StringRef>())
                                 .size());
  std::optional<Val> scores =
      x ? linearScores(n, *x, classes == 2 ? 0 : classes) : std::nullopt;
  return scores ? classify(n, *scores, "classlabels_ints") : failure();
}

LogicalResult importLinearRegressor(NodeBuilder &n) {
  std::optional<Val> x = samples(n);
  std::optional<Val> scores =
      x ? linearScores(n, *x, n.intAttr("targets", 1)) : std::nullopt;
  std::optional<Val> result =
      scores ? transformed(n, *scores, n.stringAttr("post_transform", "NONE"))
             : std::nullopt;
  return result ? n.out(*result) : failure();
}

} // namespace

void hone::onnx::addLinearModels(OpTable &table) {
  table.setDomain("ai.onnx.ml");
  table.add("LinearClassifier", importLinearClassifier, 1);
  table.add("LinearRegressor", importLinearRegressor, 1);
  table.setDomain("");
}
