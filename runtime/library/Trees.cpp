// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ensembles of decision trees. A step down a tree waits for memory and then for
// an unpredictable branch; so eight walks proceed side by side and without
// branches, through one tree for eight rows, or through eight trees for one
// row. The forest comes from the compiler; a damaged index in it leads to a
// wrong node, never outside.
#include "runtime/library/Forest.h"
#include "runtime/library/Numbers.h"

using namespace hone;
using namespace hone::library;

namespace {

constexpr int64_t kLanes = 8;
/// Rows that walk through a tree while it is in the cache.
constexpr int64_t kBlockRows = 64;
/// Walks that are worth another thread.
constexpr int64_t kPieceWalks = 512;

/// Trees are summed in two halves, in the type of their weights: classes that
/// are equal except for rounding then get the same label as in files made with
/// ONNX Runtime on two threads.
template <typename T> struct Sums {
  T *first, *second;

  T *of(int64_t tree, int64_t trees) const {
    return tree < trees / 2 ? first : second;
  }
};

template <typename T> struct Forest {
  const ForestNode<T> *nodes = nullptr;
  const ForestTree *list = nullptr;
  /// Votes of leaf i: first[i] to first[i + 1]; null where each leaf holds its
  /// only vote.
  const int32_t *first = nullptr, *targetIds = nullptr;
  const T *weights = nullptr;
  const int64_t *sets = nullptr;
  const T *x = nullptr;
  uint32_t nodeCount = 0, features = 0;
  int64_t trees = 0, leaves = 0, votes = 0, targets = 1, setWords = 0;
  ForestAggregate aggregate = ForestAggregate::Sum;

  uint32_t bounded(int32_t node) const {
    return uint32_t(node) < nodeCount ? uint32_t(node) : nodeCount - 1;
  }
  uint32_t root(int64_t tree) const { return bounded(list[tree].root); }
  /// Steps from the root of a tree to its farthest leaf.
  uint32_t depth(int64_t tree) const {
    auto given = uint32_t(list[tree].depth);
    return given < nodeCount ? given : nodeCount;
  }

  bool isMember(int32_t begin, T value) const {
    if (begin < 0 || begin > setWords - kForestSetHead)
      return false;
    const int64_t *set = sets + begin;
    int64_t words = set[0] < setWords - kForestSetHead - begin
                        ? set[0]
                        : setWords - kForestSetHead - begin;
    T place = value - T(set[1]);
    if (!(place >= 0 && place < T(words * 64)))
      return false;
    auto bit = int64_t(place);
    return T(bit) == place && (set[kForestSetHead + bit / 64] >> bit % 64 & 1);
  }

  template <bool thresholdsOnly>
  bool isTrue(const ForestNode<T> &node, T v) const {
    bool isNanYes = (v != v) & (node.test >> kForestNanShift);
    auto mode = NodeMode(node.test >> kForestModeShift & 7);
    if (thresholdsOnly || mode == NodeMode::Leq)
      return (v <= node.split) | isNanYes;
    return (mode == NodeMode::Eq ? v == node.split : isMember(node.number, v)) |
           isNanYes;
  }

  /// Moves the walks at `at` down to leaves: at most `depth` steps, ending
  /// early once none moves.
  template <bool thresholdsOnly>
  void walk(const T *const (&rows)[kLanes], uint32_t (&at)[kLanes],
            uint32_t depth) const {
    uint32_t moved = 1;
    for (uint32_t step = 0; step < depth && moved; ++step) {
      moved = 0;
      for (int64_t i = 0; i < kLanes; ++i) {
        const ForestNode<T> &node = nodes[at[i]];
        uint32_t feature = node.test & kForestFeature;
        T value = rows[i][feature < features ? feature : features - 1];
        uint32_t next = bounded(node.next[isTrue<thresholdsOnly>(node, value)]);
        moved |= next ^ at[i];
        at[i] = next;
      }
    }
  }

  void add(T &score, T weight) const {
    if (aggregate == ForestAggregate::Min)
      score = weight < score ? weight : score;
    else if (aggregate == ForestAggregate::Max)
      score = weight > score ? weight : score;
    else
      score += weight;
  }

  /// Adds the votes of a leaf to the scores of a row. False: it has none.
  bool vote(uint32_t leaf, T *scores) const {
    if (!first) {
      int64_t target = nodes[leaf].test & kForestFeature;
      if (target >= targets)
        return false;
      add(scores[target], nodes[leaf].weight);
      return true;
    }
    int64_t number = nodes[leaf].number;
    if (number < 0 || number >= leaves)
      return false;
    int64_t begin = first[number], end = first[number + 1];
    if (begin < 0 || end > votes)
      return false;
    for (int64_t i = begin; i < end; ++i) {
      int64_t target = targetIds[i];
      if (target < 0 || target >= targets)
        return false;
      add(scores[target], weights[i]);
    }
    return true;
  }

  T start() const {
    return aggregate == ForestAggregate::Min   ? T(__builtin_inf())
           : aggregate == ForestAggregate::Max ? -T(__builtin_inf())
                                               : T(0);
  }

  /// Scores of rows [begin, end), at most kBlockRows.
  template <bool thresholdsOnly>
  bool addRows(int64_t begin, int64_t end, Sums<T> sums) const {
    for (int64_t tree = 0; tree < trees; ++tree)
      for (int64_t row = begin; row < end; row += kLanes) {
        const T *rows[kLanes];
        uint32_t at[kLanes];
        for (int64_t i = 0; i < kLanes; ++i) {
          rows[i] = x + (row + i < end ? row + i : end - 1) * features;
          at[i] = root(tree);
        }
        walk<thresholdsOnly>(rows, at, depth(tree));
        for (int64_t i = 0; i < kLanes && row + i < end; ++i)
          if (!vote(at[i], sums.of(tree, trees) + (row + i) * targets))
            return false;
      }
    return true;
  }

  /// The leaves of trees [begin, end) for one row.
  template <bool thresholdsOnly>
  void findLeaves(int64_t row, int64_t begin, int64_t end,
                  uint32_t *found) const {
    const T *rows[kLanes];
    for (const T *&pointer : rows)
      pointer = x + row * features;
    for (int64_t tree = begin; tree < end; tree += kLanes) {
      uint32_t at[kLanes], deepest = 0;
      for (int64_t i = 0; i < kLanes; ++i) {
        int64_t own = tree + i < end ? tree + i : end - 1;
        at[i] = root(own);
        deepest = deepest < depth(own) ? depth(own) : deepest;
      }
      walk<thresholdsOnly>(rows, at, deepest);
      for (int64_t i = 0; i < kLanes && tree + i < end; ++i)
        found[tree + i] = at[i];
    }
  }
};

enum Operand { X, Nodes, List, Sets, First, TargetIds, Weights };
enum Option { Aggregate, Features, Targets, ThresholdsOnly, Type };

int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

template <typename T> bool read(Call &call, Forest<T> &forest, int64_t &rows) {
  Tensor x = call.tensorOfType(X, call.option(Type));
  Tensor nodes = call.tensorOfType(Nodes, HONE_TYPE_UINT8);
  Tensor list = call.tensorOfType(List, HONE_TYPE_INT32);
  Tensor sets = call.tensorOfType(Sets, HONE_TYPE_INT64);
  forest.targets = call.option(Targets);
  if (!x || !nodes || !list || !sets)
    return false;
  if (x.rank != 2 || forest.targets < 0 || forest.targets > int64_t(1) << 40 ||
      nodes.count / int64_t(sizeof(ForestNode<T>)) > INT32_MAX ||
      reinterpret_cast<uintptr_t>(nodes.data) % alignof(ForestNode<T>)) {
    call.misuse(x.rank);
    return false;
  }
  rows = x.dims[0];
  forest.x = x.as<T>();
  forest.features = uint32_t(smaller(x.dims[1], UINT32_MAX));
  forest.nodes = nodes.as<ForestNode<T>>();
  forest.nodeCount = uint32_t(nodes.count / int64_t(sizeof(ForestNode<T>)));
  forest.list = list.as<ForestTree>();
  forest.trees = forest.nodeCount ? list.count / kForestTreeNumbers : 0;
  forest.sets = sets.as<int64_t>();
  forest.setWords = sets.count;
  forest.aggregate = ForestAggregate(call.option(Aggregate));
  if (!call.has(First))
    return true;
  Tensor first = call.tensorOfType(First, HONE_TYPE_INT32);
  Tensor ids = call.tensorOfType(TargetIds, HONE_TYPE_INT32);
  Tensor weights = call.tensorOfType(Weights, call.option(Type));
  if (!first || !ids || !weights)
    return false;
  forest.first = first.as<int32_t>();
  forest.leaves = first.count - 1;
  forest.targetIds = ids.as<int32_t>();
  forest.weights = weights.as<T>();
  forest.votes = smaller(ids.count, weights.count);
  return true;
}

template <typename T, bool thresholdsOnly>
bool aggregate(Call &call, const Forest<T> &forest, int64_t rows,
               Sums<T> sums) {
  if (rows >= kLanes) {
    // Blocks are smaller if there would be fewer than threads.
    int64_t block = (rows / (2 * call.threads()) + kLanes - 1) & -kLanes;
    int64_t least = (kPieceWalks / (forest.trees + 1) + kLanes) & -kLanes;
    block = smaller(block < least ? least : block, kBlockRows);
    return call.parallel((rows + block - 1) / block, [&](int64_t piece) {
      return forest.template addRows<thresholdsOnly>(
          piece * block, smaller((piece + 1) * block, rows), sums);
    });
  }
  Scratch<uint32_t> found(call, forest.trees);
  if (!found)
    return false;
  int64_t pieces = (forest.trees + kPieceWalks - 1) / kPieceWalks;
  for (int64_t row = 0; row < rows; ++row) {
    if (!call.parallel(pieces, [&](int64_t piece) {
          forest.template findLeaves<thresholdsOnly>(
              row, piece * kPieceWalks,
              smaller((piece + 1) * kPieceWalks, forest.trees), found.data());
          return true;
        }))
      return false;
    // In the order of the trees, as for many rows.
    for (int64_t tree = 0; tree < forest.trees; ++tree)
      if (!forest.vote(found[tree],
                       sums.of(tree, forest.trees) + row * forest.targets))
        return false;
  }
  return true;
}

template <typename T> int32_t run(Call &call) {
  Forest<T> forest;
  int64_t rows = 0;
  if (!read(call, forest, rows))
    return call.status;
  int64_t dims[2] = {rows, forest.targets};
  Tensor result = call.make(0, int32_t(call.option(Type)), 2, dims);
  if (!result)
    return call.status;
  if (result.count == 0)
    return HONE_OK;
  if (forest.features < call.option(Features) || forest.features == 0)
    return call.fail(HONE_INDEX_OUT_OF_RANGE, call.option(Features) - 1,
                     forest.features);
  T *scores = result.as<T>();
  Scratch<T> others(call, result.count);
  if (!others)
    return call.status;
  for (int64_t i = 0; i < result.count; ++i)
    scores[i] = others[i] = forest.start();
  bool done =
      call.option(ThresholdsOnly)
          ? aggregate<T, true>(call, forest, rows, {scores, others.data()})
          : aggregate<T, false>(call, forest, rows, {scores, others.data()});
  if (!done)
    return call.status ? call.status : call.fail(HONE_BAD_VALUE);
  bool averages = forest.aggregate == ForestAggregate::Average;
  for (int64_t i = 0; i < result.count; ++i) {
    forest.add(scores[i], others[i]);
    if (averages)
      scores[i] /= T(forest.trees);
    else if (forest.start() != 0 && scores[i] == forest.start())
      scores[i] = 0; // no votes for that target
  }
  return HONE_OK;
}

} // namespace

HONE_LIBRARY(tree_ensemble) {
  if (call.option(Type) == HONE_TYPE_DOUBLE)
    return run<double>(call);
  return call.option(Type) == HONE_TYPE_FLOAT ? run<float>(call)
                                              : call.misuse(call.option(Type));
}
