// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Linear models, decision trees in their older form, and scalers of ai.onnx.ml.
#include "compiler/Import/Onnx/Library.h"
#include "compiler/Import/Onnx/OpTable.h"

#include <cmath>
#include <map>

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

/// The inverse of the normal distribution, by the approximation that ONNX's
/// reference and ONNX Runtime use.
Scalar probit(const Scalar &p) {
  Scalar x = p * 2.0 - 1.0;
  Scalar logarithm = log((1.0 - x) * (1.0 + x));
  Scalar v = logarithm * 0.5 + 2 / (3.14159 * 0.147);
  Scalar size = sqrt(sqrt(v * v - logarithm / 0.147) - v) * std::sqrt(2.0);
  return select(lt(x, 0), -size, size);
}

/// The formula that turns scores into results, along dimension 1.
std::optional<Val> transformed(NodeBuilder &n, Val scores) {
  StringRef name = n.stringAttr("post_transform", "NONE");
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
  bool keepsZero = name == "SOFTMAX_ZERO";
  Val top = n.reduce(ReduceKind::Max, scores, {1}, /*keepdims=*/true);
  Val powers = n.map({scores, top}, scores.elem, [&](Args a) {
    Scalar power = exp(a[0] - a[1]);
    return keepsZero ? select(eq(a[0], 0), a[0], power) : power;
  });
  Val total = n.sum(powers, {1}, /*keepdims=*/true);
  return n.map({powers, total}, scores.elem,
               [](Args a) { return a[0] / a[1]; });
}

/// How many labels there are, as numbers or strings: one list of the two.
std::optional<int64_t> labelCount(NodeBuilder &n, StringRef intLabels) {
  std::optional<Ints> numbers = n.intsAttr(intLabels);
  std::optional<std::vector<StringRef>> strings =
      n.stringsAttr("classlabels_strings");
  if (numbers.has_value() == strings.has_value())
    return std::nullopt;
  return numbers ? numbers->size() : strings->size();
}

/// Hands over the labels that `choice` counts, and the scores of all.
LogicalResult outputLabels(NodeBuilder &n, Val choice, Val scores,
                           StringRef intLabels) {
  if (std::optional<Ints> numbers = n.intsAttr(intLabels)) {
    n.out(0, n.gather(n.constantInts(*numbers), choice, 0));
  } else {
    std::vector<StringRef> strings = *n.stringsAttr("classlabels_strings");
    Ints keys;
    for (size_t i = 0; i < strings.size(); ++i)
      keys.push_back(i);
    n.out(0, LibraryCall(n, "label_encoder")
                 .setType("key_type", ElementType::Int64)
                 .setType("value_type", ElementType::String)
                 .sized(ElementType::String,
                        n.dims(choice))({choice, n.constantInts(keys),
                                         texts(n, strings), texts(n, {""})}));
  }
  n.out(1, scores);
  return success(!n.failed());
}

/// By row: 1 where the one score is above the limit, else 0.
Val above(NodeBuilder &n, Val scores, double limit) {
  return n.squeeze(n.map(scores, ElementType::Int64,
                         [&](Scalar x) {
                           ScalarBuilder &s = *x.builder;
                           mlir::Type i64 = s.builder.getI64Type();
                           return select(gt(x, limit), s.integer(i64, 1),
                                         s.integer(i64, 0));
                         }),
                   {1});
}

/// The labels of the classes with the highest score, and the scores after the
/// transform.
LogicalResult classify(NodeBuilder &n, Val scores, StringRef intLabels) {
  std::optional<int64_t> labels = labelCount(n, intLabels);
  std::optional<int64_t> classes = NodeBuilder::known(n.dim(scores, 1));
  bool binary = classes == 1 && labels == 2;
  if (!labels || !classes || (*classes != *labels && !binary))
    return n.error("has " + Twine(labels.value_or(0)) + " labels for " +
                   Twine(classes.value_or(-1)) + " scores");
  std::optional<Val> results = transformed(n, scores);
  if (!results)
    return failure();
  if (binary) {
    // One score stands for the second class.
    bool probability = n.stringAttr("post_transform", "NONE") != "NONE";
    Val first =
        n.map(*results, [&](Scalar x) { return probability ? 1.0 - x : -x; });
    return outputLabels(n, above(n, scores, 0), n.concat({first, *results}, 1),
                        intLabels);
  }
  Sizes sizes{n.dim(scores, 0)};
  Val choice{graph::ArgReduceOp::create(
                 n.b, n.loc, n.tensorType(ElementType::Int64, sizes),
                 scores.value, ReduceKind::Max, 1, /*keepdims=*/false,
                 /*last=*/false),
             ElementType::Int64};
  return outputLabels(n, choice, *results, intLabels);
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
  std::optional<Val> result = scores ? transformed(n, *scores) : std::nullopt;
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

//===- Decision trees -----------------------------------------------------===//

/// The older form names nodes by tree and number, and lists votes of leaves:
/// each for a target, with a weight. Here it becomes the newer one, where
/// nodes and leaves are numbered on their own.
struct TreeBuilder {
  TreeBuilder(NodeBuilder &n, ElementType elem) : n(n), elem(elem) {}

  NodeBuilder &n;
  /// Of the thresholds and weights.
  ElementType elem;

  /// By older node: its number among nodes or leaves.
  Ints numbers;
  std::vector<bool> isLeaf;
  size_t leafs = 0;
  /// By leaf: targets and weights.
  std::vector<SmallVector<std::pair<int64_t, double>, 1>> votes;
  /// Older nodes by tree and id.
  std::map<std::pair<int64_t, int64_t>, size_t> places;

  /// Attributes of the older form.
  Ints treeIds, nodeIds, onTrue, onFalse, onMissing, featureIds;
  SmallVector<double> values, modes;

  /// A list of floats, or of what the tensor holds that may take its place.
  std::optional<SmallVector<double>> numbersAttr(const Twine &name) {
    if (auto list = n.floatsAttr(name.str()))
      return SmallVector<double>(list->begin(), list->end());
    return n.knownNumbers(tensorAttr(n, (name + "_as_tensor").str()));
  }

  /// Whether the attribute is there with `size` entries; takes it.
  template <typename List>
  bool take(std::optional<List> given, size_t size, List &list) {
    if (!given || given->size() != size)
      return false;
    list = std::move(*given);
    return true;
  }

  bool readNodes() {
    std::optional<std::vector<StringRef>> names = n.stringsAttr("nodes_modes");
    size_t count = names ? names->size() : 0;
    if (count == 0 || !take(n.intsAttr("nodes_treeids"), count, treeIds) ||
        !take(n.intsAttr("nodes_nodeids"), count, nodeIds) ||
        !take(n.intsAttr("nodes_truenodeids"), count, onTrue) ||
        !take(n.intsAttr("nodes_falsenodeids"), count, onFalse) ||
        !take(n.intsAttr("nodes_featureids"), count, featureIds) ||
        !take(numbersAttr("nodes_values"), count, values) ||
        (n.hasAttr("nodes_missing_value_tracks_true") &&
         !take(n.intsAttr("nodes_missing_value_tracks_true"), count,
               onMissing))) {
      n.fail("has lists of nodes that do not fit together");
      return false;
    }
    const StringRef known[] = {"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE",
                               "BRANCH_GT",  "BRANCH_EQ", "BRANCH_NEQ"};
    for (size_t i = 0; i < count; ++i) {
      auto name = llvm::find(known, (*names)[i]);
      isLeaf.push_back((*names)[i] == "LEAF");
      if (name == std::end(known) && !isLeaf[i]) {
        n.fail("has a node of the unknown mode '" + (*names)[i] + "'");
        return false;
      }
      modes.push_back(isLeaf[i] ? 0 : name - std::begin(known));
      numbers.push_back(isLeaf[i] ? leafs : i - leafs);
      leafs += isLeaf[i];
      places[{treeIds[i], nodeIds[i]}] = i;
    }
    return true;
  }

  /// With one target a leaf has one value. ONNX would add up what lists a leaf
  /// more than once, but files in which a converter repeats a vote are made
  /// for ONNX Runtime, which takes the first.
  bool readVotes(StringRef prefix, int64_t targets, bool firstOnly) {
    std::optional<Ints> trees = n.intsAttr((prefix + "_treeids").str());
    size_t count = trees ? trees->size() : 0;
    Ints ids, chosen;
    SmallVector<double> weights;
    if (!take(n.intsAttr((prefix + "_nodeids").str()), count, ids) ||
        !take(n.intsAttr((prefix + "_ids").str()), count, chosen) ||
        !take(numbersAttr(prefix + "_weights"), count, weights)) {
      n.fail("has lists of leaves that do not fit together");
      return false;
    }
    votes.resize(leafs);
    for (size_t i = 0; i < count; ++i) {
      if (chosen[i] < 0 || chosen[i] >= targets) {
        n.fail("has a vote for number " + Twine(chosen[i]) + " of " +
               Twine(targets) + " targets");
        return false;
      }
      auto place = places.find({(*trees)[i], ids[i]});
      if (place == places.end() || !isLeaf[place->second])
        continue;
      auto &own = votes[numbers[place->second]];
      if (!firstOnly || own.empty())
        own.emplace_back(chosen[i], weights[i]);
    }
    return true;
  }

  /// The sums of all trees for each target, in `elem`.
  std::optional<Val> build(Val x, int64_t targets, int64_t aggregate) {
    std::vector<bool> isChild(isLeaf.size());
    Ints sides[2], ends[2];
    auto add = [&](bool side, int64_t number, bool leaf) {
      sides[side].push_back(number);
      ends[side].push_back(leaf);
    };
    Ints features, missing, roots;
    SmallVector<double> splits, tests;
    auto addNode = [&](size_t i) {
      features.push_back(featureIds[i]);
      splits.push_back(values[i]);
      tests.push_back(modes[i]);
      missing.push_back(onMissing.empty() ? 0 : onMissing[i]);
    };
    for (size_t i = 0; i < isLeaf.size(); ++i) {
      if (isLeaf[i])
        continue;
      addNode(i);
      for (bool side : {false, true}) {
        auto child = places.find({treeIds[i], side ? onTrue[i] : onFalse[i]});
        // Two ways to one node may be a cycle.
        if (child == places.end() ||
            (isChild[child->second] && !isLeaf[child->second])) {
          n.fail("has nodes that form no tree");
          return std::nullopt;
        }
        isChild[child->second] = true;
        add(side, numbers[child->second], isLeaf[child->second]);
      }
    }
    // Roots are the nodes that no node leads to.
    for (size_t i = 0; i < isLeaf.size(); ++i) {
      if (isChild[i])
        continue;
      roots.push_back(isLeaf[i] ? features.size() : numbers[i]);
      if (!isLeaf[i])
        continue;
      // A leaf alone: both ways of a node lead to it.
      addNode(i);
      features.back() = 0;
      for (bool side : {false, true})
        add(side, numbers[i], true);
    }
    // What no root leads to is a cycle.
    Ints pending = roots;
    size_t reached = 0;
    while (!pending.empty()) {
      int64_t node = pending.pop_back_val();
      ++reached;
      for (bool side : {false, true})
        if (!ends[side][node])
          pending.push_back(sides[side][node]);
    }
    if (reached != features.size()) {
      n.fail("has nodes that form no tree");
      return std::nullopt;
    }
    Ints first{0}, chosen;
    SmallVector<double> weights;
    for (const auto &own : votes) {
      for (auto [target, weight] : own) {
        chosen.push_back(target);
        weights.push_back(weight);
      }
      first.push_back(chosen.size());
    }
    int64_t count = features.size(), total = chosen.size();
    SmallVector<Val> operands{x,
                              n.constantInts(features),
                              n.constantInts(ends[false]),
                              n.constantInts(sides[false]),
                              n.constant(ElementType::Uint8, {count}, tests),
                              n.constant(elem, {count}, splits),
                              n.constantInts(ends[true]),
                              n.constantInts(sides[true]),
                              n.constantInts(chosen),
                              n.constant(elem, {total}, weights),
                              n.constantInts(roots),
                              absentOperand(n),
                              n.constantInts(missing),
                              n.constantInts(first)};
    return LibraryCall(n, "tree_ensemble")
        .set("aggregate_function", aggregate)
        .set("n_targets", targets)
        .set("post_transform", 0)
        .setType("type", elem)
        .sized(elem, {n.dim(x, 0), n.index(targets)})(operands);
  }

  /// Adds the base values to the scores, as f32.
  std::optional<Val> addBase(Val scores, int64_t targets) {
    SmallVector<double> base;
    bool given = n.hasAttr("base_values") || n.hasAttr("base_values_as_tensor");
    if (given && !take(numbersAttr("base_values"), targets, base)) {
      n.fail("has base_values that do not fit its targets");
      return std::nullopt;
    }
    if (given)
      scores = n.map({scores, n.constant(elem, {targets}, base)}, elem,
                     [](Args a) { return a[0] + a[1]; });
    return n.cast(scores, ElementType::Float);
  }
};

/// The input of trees: doubles stay what they are.
std::optional<Val> treeSamples(NodeBuilder &n) {
  Val x = n.in(0);
  if (x.elem == ElementType::Double && x.rank() == 2)
    return x;
  return samples(n);
}

/// Two classes whose votes are all for the first one: its score is that of the
/// second class, which is chosen above a limit.
LogicalResult binaryTrees(NodeBuilder &n, Val score, bool allPositive) {
  StringRef name = n.stringAttr("post_transform", "NONE");
  if (name != "NONE" && name != "LOGISTIC")
    return n.error("has the post_transform '" + name +
                   "' for one score of two classes, which is not supported");
  Val first = n.map(score, [&](Scalar x) {
    return name == "LOGISTIC" ? sigmoid(-x) : allPositive ? 1.0 - x : -x;
  });
  Val second = n.map(
      score, [&](Scalar x) { return name == "LOGISTIC" ? sigmoid(x) : x; });
  return outputLabels(n, above(n, score, allPositive ? 0.5 : 0),
                      n.concat({first, second}, 1), "classlabels_int64s");
}

LogicalResult importTreeClassifier(NodeBuilder &n) {
  std::optional<Ints> ids = n.intsAttr("class_ids");
  std::optional<int64_t> labels = labelCount(n, "classlabels_int64s");
  std::optional<Val> x = treeSamples(n);
  if (!ids || !labels || !x)
    return n.error("lacks class_ids, or has not one list of labels");
  TreeBuilder trees(n, x->elem);
  if (!trees.readNodes() ||
      !trees.readVotes("class", *labels, /*firstOnly=*/false))
    return failure();
  bool allPositive = llvm::all_of(trees.votes, [](const auto &own) {
    return llvm::all_of(own, [](auto vote) { return vote.second >= 0; });
  });
  std::optional<Val> scores = trees.build(*x, *labels, /*aggregate=*/1);
  if (!scores || n.failed())
    return failure();
  bool oneClass = *labels == 2 && !ids->empty() && llvm::all_equal(*ids);
  if (oneClass && ids->front() == 0) {
    scores = trees.addBase(n.sliceAxis(*scores, 1, n.index(0), n.index(1)), 1);
    return scores ? binaryTrees(n, *scores, allPositive) : failure();
  }
  scores = trees.addBase(*scores, *labels);
  if (!scores)
    return failure();
  if (!oneClass)
    return classify(n, *scores, "classlabels_int64s");
  // All votes are for the second class.
  std::optional<Val> results = transformed(n, *scores);
  if (!results)
    return failure();
  Val second = n.sliceAxis(*scores, 1, n.index(1), n.index(1));
  return outputLabels(n, above(n, second, allPositive ? 0.5 : 0), *results,
                      "classlabels_int64s");
}

LogicalResult importTreeRegressor(NodeBuilder &n) {
  const StringRef names[] = {"AVERAGE", "SUM", "MIN", "MAX"};
  auto name = llvm::find(names, n.stringAttr("aggregate_function", "SUM"));
  if (name == std::end(names))
    return n.error("has an aggregate_function that ONNX does not define");
  int64_t targets = n.intAttr("n_targets", 1);
  if (targets < 1 || targets > (1 << 20))
    return n.error("has " + Twine(targets) + " targets");
  std::optional<Val> x = treeSamples(n);
  if (!x)
    return failure();
  TreeBuilder trees(n, x->elem);
  if (!trees.readNodes() ||
      !trees.readVotes("target", targets, /*firstOnly=*/targets == 1))
    return failure();
  std::optional<Val> scores =
      trees.build(*x, targets, name - std::begin(names));
  if (scores)
    scores = trees.addBase(*scores, targets);
  std::optional<Val> result = scores ? transformed(n, *scores) : std::nullopt;
  return result ? n.out(*result) : failure();
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
  table.add("TreeEnsembleClassifier", importTreeClassifier, 1);
  table.add("TreeEnsembleRegressor", importTreeRegressor, 1);
  table.setDomain("");
}
