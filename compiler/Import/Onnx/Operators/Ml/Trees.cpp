// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Decision trees of ai.onnx.ml, in their older and newer form.
#include "compiler/Import/Onnx/Builder/Library.h"
#include "compiler/Import/Onnx/Builder/OpTable.h"
#include "compiler/Import/Onnx/Operators/Ml/Classes.h"
#include "compiler/Import/Onnx/Operators/Ml/ForestBuilder.h"

#include <map>

using namespace mlir;
using namespace hone;
using namespace hone::onnx;
using Args = ArrayRef<Scalar>;
using Doubles = SmallVector<double>;

namespace {

/// Modes in ONNX's order, without LEAF.
const StringRef kModes[] = {"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE",
                            "BRANCH_GT",  "BRANCH_EQ", "BRANCH_NEQ"};
static_assert(int(TreeTest::Member) == std::size(kModes));

const StringRef kAggregates[] = {"AVERAGE", "SUM", "MIN", "MAX"};

/// A list of floats, or the content of the tensor that may replace it.
std::optional<Doubles> numbersAttr(NodeBuilder &n, const Twine &name) {
  if (auto list = n.floatsAttr(name.str()))
    return Doubles(list->begin(), list->end());
  return n.knownNumbers(tensorAttr(n, (name + "_as_tensor").str()));
}

/// Whether the attribute is present with `size` entries; reads it.
template <typename List>
bool take(std::optional<List> given, size_t size, List &list) {
  if (!given || given->size() != size)
    return false;
  list = std::move(*given);
  return true;
}

//===- The older form -----------------------------------------------------===//

/// Identifies nodes by tree and number, and lists votes of leaves: each for a
/// target, with a weight.
struct OlderForm {
  explicit OlderForm(NodeBuilder &n) : n(n) {}

  NodeBuilder &n;
  ForestBuilder forest;
  bool allPositive = true; ///< no weight is negative

  bool readNodes();
  bool readVotes(StringRef prefix, int64_t targets, bool firstOnly);
  /// The sums of all trees for each target, and the base values, as f32.
  std::optional<Val> scores(Val x, int64_t targets, ForestAggregate aggregate);

private:
  /// Nodes by tree and id; a DenseMap reserves some keys.
  std::map<std::pair<int64_t, int64_t>, int64_t> places;
};

bool OlderForm::readNodes() {
  std::optional<std::vector<StringRef>> modes = n.stringsAttr("nodes_modes");
  size_t count = modes ? modes->size() : 0;
  Ints treeIds, nodeIds, onTrue, onFalse, features, onMissing;
  Doubles values;
  if (count == 0 || !take(n.intsAttr("nodes_treeids"), count, treeIds) ||
      !take(n.intsAttr("nodes_nodeids"), count, nodeIds) ||
      !take(n.intsAttr("nodes_truenodeids"), count, onTrue) ||
      !take(n.intsAttr("nodes_falsenodeids"), count, onFalse) ||
      !take(n.intsAttr("nodes_featureids"), count, features) ||
      !take(numbersAttr(n, "nodes_values"), count, values) ||
      (n.hasAttr("nodes_missing_value_tracks_true") &&
       !take(n.intsAttr("nodes_missing_value_tracks_true"), count,
             onMissing))) {
    n.fail("has lists of nodes that do not fit together");
    return false;
  }
  for (size_t i = 0; i < count; ++i)
    places[{treeIds[i], nodeIds[i]}] = i;
  auto placeOf = [&](int64_t tree, int64_t id) {
    auto it = places.find({tree, id});
    return it == places.end() ? -1 : it->second;
  };
  for (size_t i = 0; i < count; ++i) {
    StringRef name = (*modes)[i];
    if (name == "LEAF") {
      forest.addLeaf();
      continue;
    }
    auto mode = llvm::find(kModes, name);
    if (mode == std::end(kModes)) {
      n.fail("has a node of the unknown mode '" + name + "'");
      return false;
    }
    forest.addNode({TreeTest(mode - std::begin(kModes)), features[i], values[i],
                    !onMissing.empty() && onMissing[i] != 0,
                    placeOf(treeIds[i], onFalse[i]),
                    placeOf(treeIds[i], onTrue[i])});
  }
  forest.addRoots();
  return true;
}

/// With one target a leaf has one value. ONNX would add up repeated entries for
/// a leaf, but files in which a converter repeats a vote are made for ONNX
/// Runtime, which takes the first.
bool OlderForm::readVotes(StringRef prefix, int64_t targets, bool firstOnly) {
  std::optional<Ints> trees = n.intsAttr((prefix + "_treeids").str());
  size_t count = trees ? trees->size() : 0;
  Ints ids, chosen;
  Doubles weights;
  if (!take(n.intsAttr((prefix + "_nodeids").str()), count, ids) ||
      !take(n.intsAttr((prefix + "_ids").str()), count, chosen) ||
      !take(numbersAttr(n, prefix + "_weights"), count, weights)) {
    n.fail("has lists of leaves that do not fit together");
    return false;
  }
  for (size_t i = 0; i < count; ++i) {
    if (chosen[i] < 0 || chosen[i] >= targets) {
      n.fail("has a vote for number " + Twine(chosen[i]) + " of " +
             Twine(targets) + " targets");
      return false;
    }
    auto place = places.find({(*trees)[i], ids[i]});
    if (place == places.end())
      continue;
    allPositive &= weights[i] >= 0;
    forest.addVote(place->second, chosen[i], weights[i], firstOnly);
  }
  return true;
}

std::optional<Val> OlderForm::scores(Val x, int64_t targets,
                                     ForestAggregate aggregate) {
  std::optional<Val> scores = forest.build(n, x, targets, aggregate);
  if (!scores)
    return std::nullopt;
  std::optional<Doubles> given = numbersAttr(n, "base_values");
  Doubles base = given.value_or(Doubles());
  // Two classes with one score: of two base values, the second counts.
  if (targets == 1 && base.size() == 2)
    base.erase(base.begin());
  if (!base.empty() && int64_t(base.size()) != targets) {
    n.fail("has " + Twine(base.size()) + " base_values for " + Twine(targets) +
           " targets");
    return std::nullopt;
  }
  if (!base.empty())
    scores = n.map({*scores, n.constant(x.elem, {targets}, base)}, x.elem,
                   [](Args a) { return a[0] + a[1]; });
  return n.cast(*scores, ElementType::Float);
}

/// One score of two classes: that of the second, which is chosen above a limit.
/// `first` is the score of the other.
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
  std::optional<Val> x = samples(n, /*keepsDouble=*/true);
  if (!ids || !labels || !x)
    return n.error("lacks class_ids, or has not one list of labels");
  bool oneClass = *labels == 2 && !ids->empty() && llvm::all_equal(*ids);
  OlderForm trees(n);
  if (!trees.readNodes() ||
      !trees.readVotes("class", *labels, /*firstOnly=*/false))
    return failure();
  bool oneScore = oneClass && ids->front() == 0;
  std::optional<Val> scores =
      trees.scores(*x, oneScore ? 1 : *labels, ForestAggregate::Sum);
  if (!scores || n.failed())
    return failure();
  if (!oneClass)
    return classify(n, *scores, "classlabels_int64s");
  if (oneScore)
    return binaryTrees(n, *scores, trees.allPositive);
  // All votes are for the second class.
  std::optional<Val> results =
      transformed(n, *scores, n.stringAttr("post_transform", "NONE"));
  if (!results)
    return failure();
  Val second = n.sliceAxis(*scores, 1, n.index(1), n.index(1));
  return outputLabels(n, above(n, second, trees.allPositive ? 0.5 : 0),
                      *results, "classlabels_int64s");
}

LogicalResult importTreeRegressor(NodeBuilder &n) {
  auto name =
      llvm::find(kAggregates, n.stringAttr("aggregate_function", "SUM"));
  if (name == std::end(kAggregates))
    return n.error("has an aggregate_function that ONNX does not define");
  int64_t targets = n.intAttr("n_targets", 1);
  if (targets < 1 || targets > (1 << 20))
    return n.error("has " + Twine(targets) + " targets");
  std::optional<Val> x = samples(n, /*keepsDouble=*/true);
  if (!x)
    return failure();
  OlderForm trees(n);
  if (!trees.readNodes() ||
      !trees.readVotes("target", targets, /*firstOnly=*/targets == 1))
    return failure();
  std::optional<Val> scores = trees.scores(
      *x, targets, ForestAggregate(name - std::begin(kAggregates)));
  std::optional<Val> result =
      scores ? transformed(n, *scores, n.stringAttr("post_transform", "NONE"))
             : std::nullopt;
  return result ? n.out(*result) : failure();
}

//===- The newer form -----------------------------------------------------===//

/// Numbers nodes and leaves separately; a leaf is one vote.
struct NewerForm {
  explicit NewerForm(NodeBuilder &n) : n(n) {}

  NodeBuilder &n;
  ForestBuilder forest;

  bool read(ElementType elem, int64_t targets);

private:
  bool numbers(StringRef name, ElementType elem, Doubles &values) {
    Val value = tensorAttr(n, name);
    std::optional<Doubles> known;
    if (value && value.elem == elem)
      known = n.knownNumbers(value);
    if (!known) {
      n.fail("lacks '" + name + "' of type " + elementTypeName(elem));
      return false;
    }
    values = std::move(*known);
    return true;
  }
};

bool NewerForm::read(ElementType elem, int64_t targets) {
  Doubles modes, splits, weights, members;
  if (!numbers("nodes_modes", ElementType::Uint8, modes) ||
      !numbers("nodes_splits", elem, splits) ||
      !numbers("leaf_weights", elem, weights) ||
      (n.hasAttr("membership_values") &&
       !numbers("membership_values", elem, members)))
    return false;
  size_t count = modes.size(), leaves = weights.size();
  Ints features, onTrue, onFalse, trueLeafs, falseLeafs, missing, targetIds;
  std::optional<Ints> roots = n.intsAttr("tree_roots");
  if (splits.size() != count || !roots ||
      !take(n.intsAttr("nodes_featureids"), count, features) ||
      !take(n.intsAttr("nodes_truenodeids"), count, onTrue) ||
      !take(n.intsAttr("nodes_falsenodeids"), count, onFalse) ||
      !take(n.intsAttr("nodes_trueleafs"), count, trueLeafs) ||
      !take(n.intsAttr("nodes_falseleafs"), count, falseLeafs) ||
      !take(n.intsAttr("leaf_targetids"), leaves, targetIds) ||
      (n.hasAttr("nodes_missing_value_tracks_true") &&
       !take(n.intsAttr("nodes_missing_value_tracks_true"), count, missing))) {
    n.fail("has lists of nodes and leaves that do not fit together");
    return false;
  }
  int64_t nodes = count;
  auto placeOf = [&](int64_t id, int64_t isLeaf) {
    int64_t limit = isLeaf ? leaves : nodes;
    return id < 0 || id >= limit ? -1 : isLeaf ? nodes + id : id;
  };
  ArrayRef<double> left = members;
  for (size_t i = 0; i < count; ++i) {
    if (modes[i] > double(TreeTest::Member)) {
      n.fail("has a node of the unknown mode " + Twine(int64_t(modes[i])));
      return false;
    }
    ForestBuilder::Node node{TreeTest(modes[i]),
                             features[i],
                             splits[i],
                             !missing.empty() && missing[i] != 0,
                             placeOf(onFalse[i], falseLeafs[i]),
                             placeOf(onTrue[i], trueLeafs[i])};
    if (node.test == TreeTest::Member) {
      // Each set ends at a NaN.
      auto end = llvm::find_if(left, [](double v) { return v != v; });
      node.members.assign(left.begin(), end);
      left = left.drop_front(
          std::min<size_t>(end - left.begin() + 1, left.size()));
    }
    forest.addNode(std::move(node));
  }
  for (size_t i = 0; i < leaves; ++i) {
    forest.addLeaf();
    if (targetIds[i] < 0 || targetIds[i] >= targets) {
      n.fail("has a vote for number " + Twine(targetIds[i]) + " of " +
             Twine(targets) + " targets");
      return false;
    }
    forest.addVote(nodes + i, targetIds[i], weights[i], /*firstOnly=*/true);
  }
  for (int64_t root : *roots) {
    if (placeOf(root, false) < 0) {
      n.fail("has a tree that begins at node " + Twine(root) + " of " +
             Twine(nodes));
      return false;
    }
    forest.addRoot(root);
  }
  return true;
}

LogicalResult importTreeEnsemble(NodeBuilder &n) {
  Val x = n.in(0);
  if (!isFloat(x.elem) || x.rank() != 2)
    return n.error("needs a matrix of floats");
  int64_t targets = n.intAttr("n_targets"),
          aggregate = n.intAttr("aggregate_function", 1),
          transform = n.intAttr("post_transform", 0);
  const StringRef transforms[] = {"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO",
                                  "PROBIT"};
  if (targets < 0 || targets > (1 << 20) || aggregate < 0 ||
      aggregate >= int64_t(std::size(kAggregates)) || transform < 0 ||
      transform >= int64_t(std::size(transforms)))
    return n.error("has an attribute out of range");
  NewerForm trees(n);
  if (!trees.read(x.elem, targets))
    return failure();
  Val wide = x.elem == ElementType::Double ? x : n.cast(x, ElementType::Float);
  std::optional<Val> scores =
      trees.forest.build(n, wide, targets, ForestAggregate(aggregate));
  std::optional<Val> result =
      scores ? transformed(n, *scores, transforms[transform]) : std::nullopt;
  return result ? n.out(n.cast(*result, x.elem)) : failure();
}

} // namespace

void hone::onnx::addTrees(OpTable &table) {
  table.setDomain("ai.onnx.ml");
  table.add("TreeEnsembleClassifier", importTreeClassifier, 1);
  table.add("TreeEnsembleRegressor", importTreeRegressor, 1);
  table.add("TreeEnsemble", importTreeEnsemble, 1);
  table.setDomain("");
}
