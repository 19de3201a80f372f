// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Linear models, decision trees in their older form, and scalers of ai.onnx.ml.
#include "compiler/Import/Onnx/Library.h"
#include "compiler/Import/Onnx/OpTable.h"

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

/// The formula that turns scores into results, along dimension 1.
std::optional<Val> transformed(NodeBuilder &n, Val scores) {
  StringRef name = n.stringAttr("post_transform", "NONE");
  if (name == "NONE")
    return scores;
  if (name == "LOGISTIC")
    return n.map(scores, [](Scalar x) { return sigmoid(x); });
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

/// The labels of the classes with the highest score, and the scores after the
/// transform.
LogicalResult classify(NodeBuilder &n, Val scores, StringRef intLabels) {
  std::optional<Ints> numbers = n.intsAttr(intLabels);
  std::optional<std::vector<StringRef>> texts =
      n.stringsAttr("classlabels_strings");
  int64_t labels = numbers ? numbers->size() : texts ? texts->size() : 0;
  if (texts && !numbers)
    return n.error("has labels that are strings, which is not supported; "
                   "encode them as numbers");
  std::optional<int64_t> classes = NodeBuilder::known(n.dim(scores, 1));
  bool binary = classes == 1 && labels == 2;
  if (!numbers || !classes || (*classes != labels && !binary))
    return n.error("has " + Twine(labels) + " labels for " +
                   Twine(classes.value_or(-1)) + " scores");
  std::optional<Val> results = transformed(n, scores);
  if (!results)
    return failure();
  Val choice;
  if (binary) {
    // One score stands for the second class.
    bool probability = n.stringAttr("post_transform", "NONE") != "NONE";
    Val first =
        n.map(*results, [&](Scalar x) { return probability ? 1.0 - x : -x; });
    results = n.concat({first, *results}, 1);
    choice = n.squeeze(n.map(scores, ElementType::Int64,
                             [](Scalar x) {
                               ScalarBuilder &s = *x.builder;
                               mlir::Type i64 = s.builder.getI64Type();
                               return select(gt(x, 0), s.integer(i64, 1),
                                             s.integer(i64, 0));
                             }),
                       {1});
  } else {
    Sizes sizes{n.dim(scores, 0)};
    choice = {graph::ArgReduceOp::create(
                  n.b, n.loc, n.tensorType(ElementType::Int64, sizes),
                  scores.value, ReduceKind::Max, 1, /*keepdims=*/false,
                  /*last=*/false),
              ElementType::Int64};
  }
  n.out(0, n.gather(n.constantInts(*numbers), choice, 0));
  n.out(1, *results);
  return success(!n.failed());
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

/// The older form names nodes by tree and number, and lists weights per leaf
/// and class. Here it becomes the newer one, where a leaf has one target: each
/// tree is repeated for each class that it has weights for.
struct TreeBuilder {
  explicit TreeBuilder(NodeBuilder &n) : n(n) {}

  NodeBuilder &n;
  Ints features, falseLeafs, falseNodes, trueLeafs, trueNodes, leafTargets,
      roots;
  SmallVector<double> splits, weights;
  SmallVector<double> modes;

  using Key = std::pair<int64_t, int64_t>;
  std::map<Key, size_t> numbers;
  std::map<Key, std::map<int64_t, float>> values;
  Ints nodeTrue, nodeFalse, nodeFeature, nodeTree;
  SmallVector<float> nodeValue;
  SmallVector<int> nodeMode; ///< -1 for a leaf

  bool read(StringRef prefix) {
    std::optional<Ints> trees = n.intsAttr("nodes_treeids"),
                        ids = n.intsAttr("nodes_nodeids"),
                        onTrue = n.intsAttr("nodes_truenodeids"),
                        onFalse = n.intsAttr("nodes_falsenodeids"),
                        feature = n.intsAttr("nodes_featureids");
    std::optional<SmallVector<float>> value = n.floatsAttr("nodes_values");
    std::optional<std::vector<StringRef>> mode = n.stringsAttr("nodes_modes");
    std::optional<Ints> leafTrees = n.intsAttr((prefix + "_treeids").str()),
                        leafIds = n.intsAttr((prefix + "_nodeids").str()),
                        targets = n.intsAttr((prefix + "_ids").str());
    std::optional<SmallVector<float>> leafWeights =
        n.floatsAttr((prefix + "_weights").str());
    size_t count = trees ? trees->size() : 0,
           leafs = leafTrees ? leafTrees->size() : 0;
    auto wrong = [&](auto &list, size_t size) {
      return !list || list->size() != size;
    };
    if (count == 0 || wrong(ids, count) || wrong(onTrue, count) ||
        wrong(onFalse, count) || wrong(feature, count) || wrong(value, count) ||
        wrong(mode, count) || wrong(leafIds, leafs) || wrong(targets, leafs) ||
        wrong(leafWeights, leafs)) {
      n.fail("has lists of nodes or leaves that do not fit together");
      return false;
    }
    const StringRef names[] = {"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE",
                               "BRANCH_GT",  "BRANCH_EQ", "BRANCH_NEQ"};
    for (size_t i = 0; i < count; ++i) {
      numbers[{(*trees)[i], (*ids)[i]}] = i;
      auto name = llvm::find(names, (*mode)[i]);
      if (name == std::end(names) && (*mode)[i] != "LEAF") {
        n.fail("has a node of the unknown mode '" + (*mode)[i] + "'");
        return false;
      }
      nodeMode.push_back((*mode)[i] == "LEAF" ? -1 : name - std::begin(names));
    }
    for (size_t i = 0; i < leafs; ++i)
      values[{(*leafTrees)[i], (*leafIds)[i]}][(*targets)[i]] +=
          (*leafWeights)[i];
    nodeTree = *trees;
    nodeTrue = *onTrue;
    nodeFalse = *onFalse;
    nodeFeature = *feature;
    nodeValue.assign(value->begin(), value->end());
    nodeIds = *ids;
    return true;
  }
  Ints nodeIds;

  /// The weight that the leaf of the older node adds to a target.
  int64_t addLeaf(size_t node, int64_t target) {
    float weight = 0;
    if (auto it = values.find({nodeTree[node], nodeIds[node]});
        it != values.end())
      if (auto own = it->second.find(target); own != it->second.end())
        weight = own->second;
    leafTargets.push_back(target);
    weights.push_back(weight);
    return leafTargets.size() - 1;
  }

  /// Adds the tree below `root` for one target, breadth first; false for one
  /// that is no tree.
  bool addTree(size_t root, int64_t target) {
    roots.push_back(features.size());
    if (nodeMode[root] < 0) {
      // A leaf alone: both ways lead to it.
      int64_t leaf = addLeaf(root, target);
      addNode(0, 0, 0);
      trueLeafs.back() = falseLeafs.back() = 1;
      trueNodes.back() = falseNodes.back() = leaf;
      return true;
    }
    std::map<size_t, bool> seen;
    SmallVector<std::pair<size_t, size_t>>
        pending; // older node, its new number
    auto add = [&](size_t node) {
      addNode(nodeFeature[node], nodeValue[node], nodeMode[node]);
      pending.emplace_back(node, features.size() - 1);
      return !std::exchange(seen[node], true);
    };
    if (!add(root))
      return false;
    for (size_t at = 0; at < pending.size(); ++at) {
      auto [node, number] = pending[at];
      for (bool taken : {true, false}) {
        auto child = numbers.find(
            {nodeTree[node], taken ? nodeTrue[node] : nodeFalse[node]});
        if (child == numbers.end())
          return false;
        bool leaf = nodeMode[child->second] < 0;
        int64_t place;
        if (leaf) {
          place = addLeaf(child->second, target);
        } else {
          if (!add(child->second))
            return false;
          place = features.size() - 1;
        }
        (taken ? trueLeafs : falseLeafs)[number] = leaf;
        (taken ? trueNodes : falseNodes)[number] = place;
      }
    }
    return true;
  }

  void addNode(int64_t feature, double split, int mode) {
    features.push_back(feature);
    splits.push_back(split);
    modes.push_back(mode);
    for (Ints *list : {&falseLeafs, &falseNodes, &trueLeafs, &trueNodes})
      list->push_back(0);
  }

  std::optional<Val> build(Val x, int64_t targets, int64_t aggregate) {
    // Roots are the nodes that no node leads to.
    std::vector<bool> isChild(nodeTree.size());
    for (size_t i = 0; i < nodeTree.size(); ++i)
      if (nodeMode[i] >= 0)
        for (int64_t id : {nodeTrue[i], nodeFalse[i]})
          if (auto child = numbers.find({nodeTree[i], id});
              child != numbers.end())
            isChild[child->second] = true;
    if (targets < 1 || targets > 4096) {
      n.fail("has " + Twine(targets) + " targets");
      return std::nullopt;
    }
    for (size_t i = 0; i < nodeTree.size(); ++i)
      for (int64_t target = 0; target < targets && !isChild[i]; ++target)
        if (!addTree(i, target)) {
          n.fail("has nodes that form no tree");
          return std::nullopt;
        }
    int64_t count = features.size(), leafs = weights.size();
    SmallVector<Val> operands{x,
                              n.constantInts(features),
                              n.constantInts(falseLeafs),
                              n.constantInts(falseNodes),
                              n.constant(ElementType::Uint8, {count}, modes),
                              n.constant(ElementType::Float, {count}, splits),
                              n.constantInts(trueLeafs),
                              n.constantInts(trueNodes),
                              n.constantInts(leafTargets),
                              n.constant(ElementType::Float, {leafs}, weights),
                              n.constantInts(roots)};
    return LibraryCall(n, "tree_ensemble")
        .set("aggregate_function", aggregate)
        .set("n_targets", targets)
        .set("post_transform", 0)
        .setType("type", ElementType::Float)
        .sized(ElementType::Float, {n.dim(x, 0), n.index(targets)})(operands);
  }
};

/// The scores of all trees, with the base values.
std::optional<Val> treeScores(NodeBuilder &n, StringRef prefix, int64_t targets,
                              int64_t aggregate) {
  std::optional<Val> x = samples(n);
  TreeBuilder trees(n);
  if (!x || !trees.read(prefix))
    return std::nullopt;
  std::optional<Val> scores = trees.build(*x, targets, aggregate);
  std::optional<SmallVector<float>> base = n.floatsAttr("base_values");
  if (!scores || !base || base->empty())
    return scores;
  if (static_cast<int64_t>(base->size()) != targets) {
    n.fail("has base_values that do not fit its targets");
    return std::nullopt;
  }
  return n.map({*scores, vector(n, *base)}, ElementType::Float,
               [](Args a) { return a[0] + a[1]; });
}

LogicalResult importTreeClassifier(NodeBuilder &n) {
  std::optional<Ints> labels = n.intsAttr("classlabels_int64s"),
                      targets = n.intsAttr("class_ids");
  if (!labels || !targets)
    return n.error("lacks labels that are numbers, or class_ids");
  // Two classes may share one column of weights: that of the second.
  bool binary = labels->size() == 2 && llvm::all_equal(*targets);
  if (binary)
    return n.error(
        "has weights for one of two classes, which is not supported");
  std::optional<Val> scores =
      treeScores(n, "class", labels->size(), /*aggregate=*/1);
  return scores ? classify(n, *scores, "classlabels_int64s") : failure();
}

LogicalResult importTreeRegressor(NodeBuilder &n) {
  const StringRef names[] = {"AVERAGE", "SUM", "MIN", "MAX"};
  auto name = llvm::find(names, n.stringAttr("aggregate_function", "SUM"));
  if (name == std::end(names))
    return n.error("has an aggregate_function that ONNX does not define");
  std::optional<Val> scores = treeScores(n, "target", n.intAttr("n_targets", 1),
                                         name - std::begin(names));
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
