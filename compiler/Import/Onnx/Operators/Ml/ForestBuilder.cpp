// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Checks trees, reduces their tests to the three that the runtime knows, and
// lays nodes out level by level, so that both children of a node share a cache
// line.
#include "compiler/Import/Onnx/Operators/Ml/ForestBuilder.h"
#include "compiler/Import/Onnx/Builder/GraphImporter.h"
#include "compiler/Import/Onnx/Builder/Library.h"

#include <cmath>

using namespace mlir;
using namespace hone;
using namespace hone::onnx;

/// Words that a set may take per member, before nodes that each test one member
/// are smaller.
static constexpr int64_t kSetWords = 4;
/// Integers up to here are exact in f32.
static constexpr double kExact = 1 << 24;

void ForestBuilder::addVote(int64_t place, int64_t target, double weight,
                            bool firstOnly) {
  Entry &leaf = entries[place];
  if (leaf.isLeaf && (!firstOnly || leaf.votes.empty()))
    leaf.votes.push_back({target, weight});
}

void ForestBuilder::addRoots() {
  ownRoots = true;
  std::vector<bool> isChild(entries.size());
  for (const Entry &entry : entries)
    for (int64_t child : {entry.node.no, entry.node.yes})
      if (!entry.isLeaf && child >= 0)
        isChild[child] = true;
  for (size_t i = 0; i < entries.size(); ++i)
    if (!isChild[i])
      roots.push_back(i);
}

/// Whether each node has both children and a feature, and there are no cycles.
bool ForestBuilder::check(NodeBuilder &n, int64_t features) {
  for (const Entry &entry : entries) {
    if (entry.isLeaf)
      continue;
    if (entry.node.no < 0 || entry.node.yes < 0) {
      n.fail("has nodes that form no tree: one leads to a node that is not "
             "there");
      return false;
    }
    if (entry.node.feature < 0 || entry.node.feature >= features) {
      n.fail("asks for feature " + Twine(entry.node.feature) + " of " +
             Twine(features));
      return false;
    }
  }
  // A node is done when all nodes below it are.
  enum State : char { New, Open, Done };
  std::vector<State> states(entries.size(), New);
  SmallVector<int64_t> pending(roots.begin(), roots.end());
  bool isCycle = false;
  while (!pending.empty()) {
    int64_t place = pending.back();
    const Entry &entry = entries[place];
    if (states[place] != New || entry.isLeaf) {
      states[place] = Done;
      pending.pop_back();
      continue;
    }
    states[place] = Open;
    for (int64_t child : {entry.node.no, entry.node.yes}) {
      isCycle |= states[child] == Open;
      if (states[child] == New)
        pending.push_back(child);
    }
    if (isCycle)
      break;
  }
  // Nodes not reachable from a node without parents are on cycles.
  isCycle |= ownRoots && llvm::is_contained(states, New);
  if (isCycle)
    n.fail("has nodes that form no tree: one leads back to itself");
  return !isCycle;
}

/// Makes Leq, Eq or Member of the other tests.
void ForestBuilder::normalize(Node &node, bool isDouble) {
  if (!isDouble)
    node.split = float(node.split);
  bool isEquality = node.test == TreeTest::Eq || node.test == TreeTest::Neq ||
                    node.test == TreeTest::Member;
  if (!isEquality && std::isnan(node.split)) {
    node.test = TreeTest::Leq; // never true
    return;
  }
  bool isOpposite = node.test == TreeTest::Gte || node.test == TreeTest::Gt ||
                    node.test == TreeTest::Neq;
  if (node.test == TreeTest::Lt || node.test == TreeTest::Gte) {
    // Less than a number means at most its predecessor.
    double before = isDouble ? std::nextafter(node.split, -INFINITY)
                             : std::nextafterf(node.split, -INFINITY);
    node.split = std::isinf(node.split) && node.split < 0 ? NAN : before;
  }
  if (isOpposite) {
    std::swap(node.no, node.yes);
    // NaN passes Neq and fails the others, which now is the reverse.
    node.nanIsYes = node.test != TreeTest::Neq && !node.nanIsYes;
  }
  if (!isEquality)
    node.test = TreeTest::Leq;
  else if (node.test == TreeTest::Neq)
    node.test = TreeTest::Eq;
}

/// A set becomes a chain of nodes, one per member.
void ForestBuilder::expandSet(int64_t place) {
  SmallVector<double> members = std::move(entries[place].node.members);
  if (members.empty()) {
    entries[place].node.test = TreeTest::Leq;
    entries[place].node.split = NAN;
    return;
  }
  int64_t no = entries[place].node.no;
  for (size_t i = members.size(); i-- > 0;) {
    Node node = entries[place].node;
    node.test = TreeTest::Eq;
    node.split = members[i];
    node.no = no;
    no = entries.size();
    if (i == 0)
      entries[place].node = std::move(node);
    else
      addNode(std::move(node));
  }
}

/// A category is tested by one node per value, all of which lead to the same
/// node: that is one set.
void ForestBuilder::mergeEqualTests() {
  auto isMember = [](double v) {
    return v == std::trunc(v) && std::abs(v) < kExact;
  };
  std::vector<int64_t> uses(entries.size());
  for (int64_t root : roots)
    ++uses[root];
  for (const Entry &entry : entries)
    if (!entry.isLeaf) {
      ++uses[entry.node.no];
      ++uses[entry.node.yes];
    }
  std::vector<bool> isInside(entries.size());
  for (int64_t place : order()) {
    Node &node = entries[place].node;
    if (entries[place].isLeaf || isInside[place] || node.test != TreeTest::Eq ||
        !isMember(node.split))
      continue;
    double least = node.split, most = node.split;
    SmallVector<double> members{node.split};
    int64_t no = node.no;
    for (;;) {
      const Node &next = entries[no].node;
      if (entries[no].isLeaf || uses[no] != 1 || next.test != TreeTest::Eq ||
          next.feature != node.feature || next.yes != node.yes ||
          next.nanIsYes != node.nanIsYes || !isMember(next.split))
        break;
      members.push_back(next.split);
      least = std::min(least, next.split);
      most = std::max(most, next.split);
      isInside[no] = true;
      no = next.no;
    }
    if (members.size() == 1 || (most - least) / 64 > kSetWords * members.size())
      continue;
    node.test = TreeTest::Member;
    node.members = std::move(members);
    node.no = no;
  }
}

/// Positions reachable from a root, level by level.
SmallVector<int64_t> ForestBuilder::order() const {
  SmallVector<int64_t> result;
  std::vector<bool> isTaken(entries.size());
  for (int64_t root : roots) {
    size_t next = result.size();
    auto take = [&](int64_t place) {
      if (!isTaken[place])
        result.push_back(place);
      isTaken[place] = true;
    };
    for (take(root); next < result.size(); ++next) {
      const Entry &entry = entries[result[next]];
      if (entry.isLeaf)
        continue;
      take(entry.node.no);
      take(entry.node.yes);
    }
  }
  return result;
}

/// Steps from each reachable position down to its farthest leaf.
std::vector<int32_t> ForestBuilder::depths() const {
  constexpr int32_t unknown = -1;
  std::vector<int32_t> result(entries.size(), unknown);
  SmallVector<int64_t> pending(roots.begin(), roots.end());
  while (!pending.empty()) {
    int64_t place = pending.back();
    const auto &[node, votes, isLeaf] = entries[place];
    // A node is visited again when all nodes below it are known.
    bool isReady =
        isLeaf || (result[node.no] != unknown && result[node.yes] != unknown);
    if (isReady) {
      result[place] =
          isLeaf ? 0 : std::max(result[node.no], result[node.yes]) + 1;
      pending.pop_back();
      continue;
    }
    for (int64_t child : {node.no, node.yes})
      if (result[child] == unknown)
        pending.push_back(child);
  }
  return result;
}

template <typename T> struct ForestBuilder::Packed {
  std::vector<ForestNode<T>> nodes;
  std::vector<ForestTree> trees;
  std::vector<int64_t> sets;
  /// Empty if each leaf has one vote for the only target.
  std::vector<int32_t> first, targetIds;
  std::vector<T> weights;
  bool isPlain = true;  ///< there are only thresholds
  int64_t features = 0; ///< that x must have
};

/// The packed set of integers.
static void addSet(ArrayRef<double> members, std::vector<int64_t> &sets) {
  auto least = int64_t(*llvm::min_element(members)),
       most = int64_t(*llvm::max_element(members));
  size_t begin = sets.size() + kForestSetHead;
  int64_t words = (most - least) / 64 + 1;
  sets.push_back(words);
  sets.push_back(least);
  sets.resize(begin + words);
  for (double member : members) {
    int64_t bit = int64_t(member) - least;
    sets[begin + bit / 64] |= int64_t(uint64_t(1) << bit % 64);
  }
}

template <typename T>
ForestBuilder::Packed<T> ForestBuilder::pack(int64_t targets) const {
  Packed<T> packed;
  SmallVector<int64_t> places = order();
  std::vector<int32_t> numbers(entries.size());
  bool listsVotes = targets > kForestFeature;
  for (auto [number, place] : llvm::enumerate(places)) {
    numbers[place] = number;
    listsVotes |= entries[place].isLeaf && entries[place].votes.size() != 1;
  }
  if (listsVotes)
    packed.first.push_back(0);
  for (int64_t place : places) {
    const auto &[node, votes, isLeaf] = entries[place];
    ForestNode<T> out = {};
    if (isLeaf) {
      out.next[0] = out.next[1] = numbers[place];
      if (listsVotes) {
        out.number = packed.first.size() - 1;
        for (const Vote &vote : votes) {
          packed.targetIds.push_back(vote.target);
          packed.weights.push_back(T(vote.weight));
        }
        packed.first.push_back(packed.targetIds.size());
      } else {
        out.test = votes.front().target;
        out.weight = T(votes.front().weight);
      }
      packed.nodes.push_back(out);
      continue;
    }
    NodeMode mode = node.test == TreeTest::Leq  ? NodeMode::Leq
                    : node.test == TreeTest::Eq ? NodeMode::Eq
                                                : NodeMode::Member;
    packed.isPlain &= mode == NodeMode::Leq;
    packed.features = std::max(packed.features, node.feature + 1);
    out.test = uint32_t(node.feature) | uint32_t(mode) << kForestModeShift |
               uint32_t(node.nanIsYes) << kForestNanShift;
    if (mode == NodeMode::Member) {
      out.number = packed.sets.size();
      addSet(node.members, packed.sets);
    } else {
      out.split = T(node.split);
    }
    out.next[0] = numbers[node.no];
    out.next[1] = numbers[node.yes];
    packed.nodes.push_back(out);
  }
  std::vector<int32_t> steps = depths();
  for (int64_t root : roots)
    packed.trees.push_back({numbers[root], steps[root]});
  return packed;
}

/// A constant vector of the bytes that `values` have.
template <typename T>
static Val constantBytes(NodeBuilder &n, ElementType elem,
                         std::vector<T> values) {
  auto owner = std::make_shared<std::vector<T>>(std::move(values));
  size_t bytes = owner->size() * sizeof(T);
  Tensor tensor;
  tensor.type = elem;
  tensor.dims = {int64_t(bytes * 8 / elementBits(elem))};
  tensor.data = {reinterpret_cast<const char *>(owner->data()), bytes};
  tensor.owner = owner;
  std::string problem;
  std::optional<Val> value = n.importer.constant(tensor, n.loc, problem);
  if (!value)
    n.fail(problem);
  return value.value_or(Val());
}

template <typename T>
Val ForestBuilder::call(NodeBuilder &n, Val x, int64_t targets,
                        ForestAggregate aggregate) {
  Packed<T> packed = pack<T>(targets);
  SmallVector<Val> operands{
      x, constantBytes(n, ElementType::Uint8, std::move(packed.nodes)),
      constantBytes(n, ElementType::Int32, std::move(packed.trees)),
      constantBytes(n, ElementType::Int64, std::move(packed.sets))};
  if (!packed.first.empty()) {
    operands.push_back(
        constantBytes(n, ElementType::Int32, std::move(packed.first)));
    operands.push_back(
        constantBytes(n, ElementType::Int32, std::move(packed.targetIds)));
    operands.push_back(constantBytes(n, x.elem, std::move(packed.weights)));
  }
  if (n.failed())
    return {};
  return LibraryCall(n, "tree_ensemble")
      .set("aggregate_function", int64_t(aggregate))
      .set("features", packed.features)
      .set("n_targets", targets)
      .set("thresholds_only", packed.isPlain)
      .setType("type", x.elem)
      .sized(x.elem, {n.dim(x, 0), n.index(targets)})(operands);
}

std::optional<Val> ForestBuilder::build(NodeBuilder &n, Val x, int64_t targets,
                                        ForestAggregate aggregate) {
  if (entries.size() > size_t(INT32_MAX)) {
    n.fail("has " + Twine(entries.size()) + " nodes, more than 2^31");
    return std::nullopt;
  }
  int64_t most = kForestFeature + int64_t(1);
  std::optional<int64_t> features = NodeBuilder::known(n.dim(x, 1));
  if (!check(n, std::min(features.value_or(most), most)))
    return std::nullopt;
  bool isDouble = x.elem == ElementType::Double;
  // A set may have members that are not integers, or are far apart.
  for (size_t i = 0, count = entries.size(); i < count; ++i)
    if (!entries[i].isLeaf && entries[i].node.test == TreeTest::Member)
      expandSet(i);
  for (Entry &entry : entries)
    if (!entry.isLeaf)
      normalize(entry.node, isDouble);
  mergeEqualTests();
  Val result = isDouble ? call<double>(n, x, targets, aggregate)
                        : call<float>(n, x, targets, aggregate);
  return n.failed() ? std::nullopt : std::optional<Val>(result);
}
