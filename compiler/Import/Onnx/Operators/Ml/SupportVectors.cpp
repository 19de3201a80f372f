// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Support vector machines of ai.onnx.ml: kernels of the input with each support
// vector, then one product with all coefficients.
#include "compiler/Import/Onnx/Builder/Library.h"
#include "compiler/Import/Onnx/Builder/OpTable.h"
#include "compiler/Import/Onnx/Operators/Ml/Classes.h"

#include <cmath>

using namespace mlir;
using namespace hone::onnx;
using Args = ArrayRef<Scalar>;
using Floats = SmallVector<float>;

namespace {

/// Shared by both operators.
struct Machine {
  explicit Machine(NodeBuilder &n) : n(n) {}

  NodeBuilder &n;
  Val x; ///< [rows, features], f32
  int64_t features = 0;
  Floats coefficients, rho, vectors, parameters;
  StringRef kind;

  /// `rows` vectors, the support vectors or without any the coefficients: that
  /// determines the number of features.
  bool read(int64_t supports, int64_t rows);
  /// [rows, count]: of each row with each of the support vectors.
  std::optional<Val> kernels(int64_t count);
  /// x times the rows of a matrix, plus the first rho.
  std::optional<Val> linear(int64_t count);
  Val matrix(ArrayRef<float> values, int64_t rows) {
    SmallVector<double> wide(values.begin(), values.end());
    return n.constant(ElementType::Float, {rows, int64_t(values.size()) / rows},
                      wide);
  }
};

bool Machine::read(int64_t supports, int64_t rows) {
  std::optional<Val> given = samples(n);
  if (!given)
    return false;
  x = *given;
  coefficients = n.floatsAttr("coefficients").value_or(Floats());
  rho = n.floatsAttr("rho").value_or(Floats());
  vectors = n.floatsAttr("support_vectors").value_or(Floats());
  parameters = n.floatsAttr("kernel_params").value_or(Floats());
  kind = n.stringAttr("kernel_type", "LINEAR");
  int64_t numbers = supports > 0 ? vectors.size() : coefficients.size();
  int64_t each = supports > 0 ? supports : rows;
  if (each < 1 || numbers < each || numbers % each != 0)
    return n.fail("has vectors that are not equally long"), false;
  features = numbers / each;
  x = n.withSize(x, 1, n.index(features),
                 "the features of its vectors and of its input");
  if (coefficients.empty() || rho.empty())
    return n.fail("lacks coefficients or rho"), false;
  if (parameters.empty())
    parameters.assign(3, 0);
  if (parameters.size() != 3)
    return n.fail("has " + Twine(parameters.size()) + " kernel_params, not 3"),
           false;
  return true;
}

std::optional<Val> Machine::kernels(int64_t count) {
  if (int64_t(vectors.size()) != count * features) {
    n.fail("has support vectors that do not fit its input");
    return std::nullopt;
  }
  double gamma = parameters[0], shift = parameters[1], degree = parameters[2];
  Val rows = matrix(vectors, count);
  if (kind == "RBF") {
    // As differences: a difference of squares would cancel.
    Val squares = n.map({n.unsqueeze(x, {1}), n.unsqueeze(rows, {0})},
                        ElementType::Float, [](Args a) {
                          Scalar difference = a[0] - a[1];
                          return difference * difference;
                        });
    return n.map(n.sum(squares, {2}, /*keepdims=*/false),
                 [&](Scalar d) { return exp(d * -gamma); });
  }
  Val product = n.matmul(x, rows, /*transposeRhs=*/true);
  if (kind == "LINEAR")
    return product;
  if (kind == "POLY")
    return n.map(product, [&](Scalar d) {
      Scalar base = d * gamma + shift;
      return pow(base, base.builder->like(base, std::trunc(degree)));
    });
  if (kind == "SIGMOID")
    return n.map(product, [&](Scalar d) { return tanh(d * gamma + shift); });
  n.fail("has the kernel_type '" + kind + "', which ONNX does not define");
  return std::nullopt;
}

std::optional<Val> Machine::linear(int64_t count) {
  if (int64_t(coefficients.size()) != count * features) {
    n.fail("has coefficients that do not fit its input");
    return std::nullopt;
  }
  Val product = n.matmul(x, matrix(coefficients, count), /*transposeRhs=*/true);
  return n.map(product, [&](Scalar v) { return v + double(rho[0]); });
}

//===- Regression ---------------------------------------------------------===//

LogicalResult importSvmRegressor(NodeBuilder &n) {
  Machine machine(n);
  int64_t supports = n.intAttr("n_supports", 0);
  if (!machine.read(supports, 1))
    return failure();
  if (supports < 0 || n.stringAttr("post_transform", "NONE") != "NONE")
    return n.error("has an attribute that is not supported");
  std::optional<Val> result;
  if (supports == 0) {
    result = machine.linear(1);
  } else {
    std::optional<Val> kernels = machine.kernels(supports);
    if (!kernels)
      return failure();
    if (int64_t(machine.coefficients.size()) != supports)
      return n.error("has not one coefficient for each support vector");
    result = n.map(n.matmul(*kernels, machine.matrix(machine.coefficients, 1),
                            /*transposeRhs=*/true),
                   [&](Scalar v) { return v + double(machine.rho[0]); });
  }
  if (!result)
    return failure();
  if (n.intAttr("one_class", 0) != 0) // inside or outside
    result = n.map(*result, [](Scalar v) {
      return select(gt(v, 0), v.builder->like(v, 1), v.builder->like(v, -1));
    });
  return n.out(*result);
}

//===- Classification -----------------------------------------------------===//

/// Classes against each other, in ONNX's order of pairs.
struct Pairs {
  explicit Pairs(int64_t classes) {
    for (int64_t i = 0; i < classes; ++i)
      for (int64_t j = i + 1; j < classes; ++j)
        all.emplace_back(i, j);
  }
  SmallVector<std::pair<int64_t, int64_t>> all;
  int64_t size() const { return all.size(); }
};

/// A row per pair, so that a product with kernels gives its decision: the
/// coefficients of a class's vectors against each other class are in as many
/// rows, its own omitted.
Floats decisions(const Pairs &pairs, ArrayRef<int64_t> counts,
                 ArrayRef<float> coefficients, int64_t vectors) {
  SmallVector<int64_t> begin{0};
  for (int64_t count : counts)
    begin.push_back(begin.back() + count);
  Floats rows(pairs.size() * vectors);
  for (auto [row, pair] : llvm::enumerate(pairs.all)) {
    auto [i, j] = pair;
    for (int64_t k = begin[i]; k < begin[i + 1]; ++k)
      rows[row * vectors + k] = coefficients[(j - 1) * vectors + k];
    for (int64_t k = begin[j]; k < begin[j + 1]; ++k)
      rows[row * vectors + k] = coefficients[i * vectors + k];
  }
  return rows;
}

/// [rows, classes]: how many of its pairs each class wins.
Val countVotes(NodeBuilder &n, const Pairs &pairs, Val scores,
               int64_t classes) {
  SmallVector<double> share(pairs.size() * classes), lost(classes);
  for (auto [row, pair] : llvm::enumerate(pairs.all)) {
    share[row * classes + pair.first] = 1;
    share[row * classes + pair.second] = -1;
    ++lost[pair.second];
  }
  Val first = n.map(scores, [](Scalar v) {
    return select(gt(v, 0), v.builder->like(v, 1), v.builder->like(v, 0));
  });
  Val votes = n.matmul(
      first, n.constant(ElementType::Float, {pairs.size(), classes}, share));
  return n.map({votes, n.constant(ElementType::Float, {classes}, lost)},
               ElementType::Float, [](Args a) { return a[0] + a[1]; });
}

/// [rows, classes] from the decisions of all pairs.
std::optional<Val> probabilities(NodeBuilder &n, Val scores, const Pairs &pairs,
                                 ArrayRef<float> a, int64_t classes) {
  std::optional<Floats> b = n.floatsAttr("prob_b");
  if (int64_t(a.size()) != pairs.size() || !b || b->size() != a.size()) {
    n.fail("has not one number of prob_a and prob_b for each pair of classes");
    return std::nullopt;
  }
  Val likely = n.map({scores, floats(n, a), floats(n, *b)}, ElementType::Float,
                     [](Args v) {
                       ScalarBuilder &s = *v[0].builder;
                       Scalar p = sigmoid(-(v[0] * v[1] + v[2]));
                       return min(max(p, s.like(p, 1e-7)), s.like(p, 1 - 1e-7));
                     });
  return LibraryCall(n, "couple_probabilities")
      .set("classes", classes)
      .sized(ElementType::Float,
             {n.dim(scores, 0), n.index(classes)})({likely});
}

LogicalResult importSvmClassifier(NodeBuilder &n) {
  Machine machine(n);
  std::optional<int64_t> classes = labelCount(n, "classlabels_ints");
  if (!classes || *classes < 1)
    return n.error("has not one list of labels");
  std::optional<Ints> counts = n.intsAttr("vectors_per_class");
  int64_t vectors = 0;
  for (int64_t count : counts.value_or(Ints())) {
    if (count < 0 || count > INT32_MAX)
      return n.error("has " + Twine(count) + " vectors of one class");
    vectors += count;
  }
  if (!machine.read(vectors, *classes))
    return failure();
  Pairs pairs(*classes);
  bool hasProbabilities = false;
  std::optional<Val> scores, votes;
  if (vectors == 0) {
    scores = machine.linear(*classes);
    votes = scores;
  } else {
    if (int64_t(counts->size()) != *classes || *classes < 2)
      return n.error("has " + Twine(*classes) + " labels for " +
                     Twine(counts->size()) + " counts of vectors");
    if (int64_t(machine.coefficients.size()) != (*classes - 1) * vectors ||
        int64_t(machine.rho.size()) != pairs.size())
      return n.error("has coefficients or rho that do not fit its vectors");
    std::optional<Val> kernels = machine.kernels(vectors);
    if (!kernels)
      return failure();
    Floats rows = decisions(pairs, *counts, machine.coefficients, vectors);
    scores = n.map({n.matmul(*kernels, machine.matrix(rows, pairs.size()),
                             /*transposeRhs=*/true),
                    floats(n, machine.rho)},
                   ElementType::Float, [](Args a) { return a[0] + a[1]; });
    votes = countVotes(n, pairs, *scores, *classes);
    Floats a = n.floatsAttr("prob_a").value_or(Floats());
    hasProbabilities = !a.empty();
    if (hasProbabilities)
      scores = probabilities(n, *scores, pairs, a, *classes);
  }
  if (!scores || n.failed())
    return failure();
  // ONNX Runtime's rule, which files rely on: with two classes, no negative
  // weight, and no probabilities, the second class is chosen from 0.5 on.
  bool allPositive =
      llvm::all_of(machine.coefficients, [](float v) { return v >= 0; });
  Val choice = likeliest(n, *votes);
  if (*classes == 2 && machine.rho.size() == 1 && !hasProbabilities &&
      allPositive) {
    Val most = n.reduce(hone::graph::ReduceKind::Max, *votes, {1},
                        /*keepdims=*/false);
    choice = n.map({choice, most}, ElementType::Int64, [](Args a) {
      return select(ge(a[1], 0.5), a[0].builder->like(a[0], 1), a[0]);
    });
  }
  StringRef transform = n.stringAttr("post_transform", "NONE");
  Val shown = *scores;
  if (NodeBuilder::known(n.dim(shown, 1)) == 1) {
    // The only decision between two classes is that for the second.
    if (transform == "PROBIT")
      return n.error("has the post_transform 'PROBIT' for one score of two "
                     "classes, which is not supported");
    shown = n.concat({n.map(shown, [](Scalar v) { return -v; }), shown}, 1);
    if (transform == "SOFTMAX_ZERO")
      transform = "SOFTMAX";
  }
  std::optional<Val> results = transformed(n, shown, transform);
  return results ? outputLabels(n, choice, *results, "classlabels_ints")
                 : failure();
}

} // namespace

void hone::onnx::addSupportVectors(OpTable &table) {
  table.setDomain("ai.onnx.ml");
  table.add("SVMClassifier", importSvmClassifier, 1);
  table.add("SVMRegressor", importSvmRegressor, 1);
  table.setDomain("");
}
