// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ensembles of decision trees.
#include "runtime/core/library/Numbers.h"

#include <math.h>

using namespace hone;
using namespace hone::library;

namespace {

enum Mode { Leq, Lt, Gte, Gt, Eq, Neq, Member };
enum Aggregate { Average, Sum, Min, Max };
enum PostTransform { None, Softmax, Logistic, SoftmaxZero, Probit };

/// The operands, in their order.
enum Operand {
  X,
  FeatureIds,
  FalseLeafs,
  FalseNodeIds,
  Modes,
  Splits,
  TrueLeafs,
  TrueNodeIds,
  LeafTargetIds,
  LeafWeights,
  TreeRoots,
  MembershipValues,
  MissingTracksTrue,
  LeafVotes,
  OperandCount
};

struct Forest {
  Tensor operands[OperandCount];
  /// Where the members of each node with mode Member begin in
  /// MembershipValues; they end at a NaN.
  const int64_t *members = nullptr;
  int64_t nodes = 0, leafs = 0, features = 0, targets = 0;

  /// The first vote of a leaf; those of one end where the next begin.
  int64_t firstVote(int64_t leaf) const {
    return operands[LeafVotes] ? integer(LeafVotes, leaf) : leaf;
  }

  int64_t integer(Operand operand, int64_t index) const {
    return operands[operand].as<int64_t>()[index];
  }

  bool isMember(int64_t node, double value) const {
    const Tensor &values = operands[MembershipValues];
    for (int64_t i = members[node]; i < values.count; ++i) {
      double member = floatingAt(values, i);
      if (member != member)
        return false;
      if (member == value)
        return true;
    }
    return false;
  }

  bool isTrue(int64_t node, double value) const {
    if (value != value && operands[MissingTracksTrue] &&
        integer(MissingTracksTrue, node))
      return true;
    double split = floatingAt(operands[Splits], node);
    switch (operands[Modes].as<uint8_t>()[node]) {
    case Leq:
      return value <= split;
    case Lt:
      return value < split;
    case Gte:
      return value >= split;
    case Gt:
      return value > split;
    case Eq:
      return value == split;
    case Neq:
      return value != split;
    default:
      return isMember(node, value);
    }
  }

  /// The leaf that a row of features leads to; -1: none, the nodes are a cycle.
  int64_t leafOf(int64_t root, int64_t row) const {
    int64_t node = root;
    for (int64_t step = 0; step < nodes; ++step) {
      double value =
          floatingAt(operands[X], row * features + integer(FeatureIds, node));
      bool taken = isTrue(node, value);
      int64_t next = integer(taken ? TrueNodeIds : FalseNodeIds, node);
      if (integer(taken ? TrueLeafs : FalseLeafs, node))
        return next;
      node = next;
    }
    return -1;
  }
};

/// Whether all of `count` numbers are in [0, limit); reports the first that is
/// not.
bool inRange(Call &call, const Tensor &numbers, int64_t limit) {
  for (int64_t i = 0; i < numbers.count; ++i) {
    int64_t number = numbers.as<int64_t>()[i];
    if (number < 0 || number >= limit) {
      call.fail(HONE_INDEX_OUT_OF_RANGE, number, limit);
      return false;
    }
  }
  return true;
}

bool readForest(Call &call, int64_t type, Forest &forest) {
  for (int32_t i = 0; i < OperandCount; ++i) {
    if (i >= MembershipValues && !call.has(i))
      continue;
    bool floating =
        i == X || i == Splits || i == LeafWeights || i == MembershipValues;
    forest.operands[i] = call.tensorOfType(i, floating     ? type
                                              : i == Modes ? HONE_TYPE_UINT8
                                                           : HONE_TYPE_INT64);
    if (!forest.operands[i])
      return false;
  }
  const Tensor &x = forest.operands[X];
  if (x.rank != 2 || !isFloating(type)) {
    call.misuse(x.rank);
    return false;
  }
  forest.features = x.dims[1];
  forest.nodes = forest.operands[Modes].count;
  int64_t votes = forest.operands[LeafWeights].count;
  forest.leafs = votes;
  for (int32_t i = FeatureIds; i < LeafVotes; ++i) {
    const Tensor &operand = forest.operands[i];
    if (i == TreeRoots || i == MembershipValues || !operand)
      continue;
    bool ofLeafs = i == LeafTargetIds || i == LeafWeights;
    int64_t expected = ofLeafs ? votes : forest.nodes;
    if (operand.count != expected) {
      call.fail(HONE_SHAPE_MISMATCH, operand.count, expected);
      return false;
    }
  }
  if (const Tensor &firsts = forest.operands[LeafVotes]) {
    int64_t last = 0;
    for (int64_t i = 0; i < firsts.count; ++i) {
      int64_t first = firsts.as<int64_t>()[i];
      if (first < last || first > votes) {
        call.fail(HONE_INDEX_OUT_OF_RANGE, first, votes);
        return false;
      }
      last = first;
    }
    forest.leafs = firsts.count - 1;
  }
  for (int64_t i = 0; i < forest.nodes; ++i)
    for (int side = 0; side < 2; ++side) {
      int64_t id = forest.integer(side ? TrueNodeIds : FalseNodeIds, i);
      bool leaf = forest.integer(side ? TrueLeafs : FalseLeafs, i) != 0;
      int64_t limit = leaf ? forest.leafs : forest.nodes;
      if (id < 0 || id >= limit) {
        call.fail(HONE_INDEX_OUT_OF_RANGE, id, limit);
        return false;
      }
    }
  return inRange(call, forest.operands[FeatureIds], forest.features) &&
         inRange(call, forest.operands[LeafTargetIds], forest.targets) &&
         inRange(call, forest.operands[TreeRoots], forest.nodes);
}

/// Finds the members of each node that asks for some.
bool readMembers(Call &call, const Forest &forest, int64_t *members) {
  const Tensor &values = forest.operands[MembershipValues];
  int64_t next = 0;
  for (int64_t i = 0; i < forest.nodes; ++i) {
    uint8_t mode = forest.operands[Modes].as<uint8_t>()[i];
    members[i] = next;
    if (mode > Member || (mode == Member && !values)) {
      call.fail(HONE_BAD_VALUE, mode, Member);
      return false;
    }
    if (mode != Member)
      continue;
    double member = 0;
    while (next < values.count && member == member)
      member = floatingAt(values, next++);
  }
  return true;
}

double probit(double x) {
  double sign = 2 * x - 1 < 0 ? -1 : 1;
  double logarithm = log((2 - 2 * x) * (2 * x));
  double v = 2 / (3.14159 * 0.147) + 0.5 * logarithm;
  return sqrt(2.0) * sign * sqrt(-v + sqrt(v * v - logarithm / 0.147));
}

/// A sum that is rounded to the type of its parts.
double added(int64_t type, double a, double b) {
  return type == HONE_TYPE_DOUBLE ? a + b : double(float(a + b));
}

void transform(int64_t kind, double *scores, int64_t count) {
  if (kind == Softmax || kind == SoftmaxZero) {
    double most = -__builtin_inf(), sum = 0;
    for (int64_t i = 0; i < count; ++i)
      most = scores[i] > most ? scores[i] : most;
    for (int64_t i = 0; i < count; ++i) {
      if (kind == Softmax || fabs(scores[i]) > 1e-7)
        scores[i] = exp(scores[i] - most);
      else // what is 0 stays about 0
        scores[i] *= exp(-most);
      sum += scores[i];
    }
    for (int64_t i = 0; i < count; ++i)
      scores[i] /= sum;
    return;
  }
  for (int64_t i = 0; i < count; ++i)
    scores[i] = kind == Logistic ? 1 / (1 + exp(-scores[i]))
                : kind == Probit ? probit(scores[i])
                                 : scores[i];
}

/// What trees [first, end) add to the scores of a row; false where nodes are a
/// cycle. Sums are in the type of the weights.
bool addTrees(const Forest &forest, int64_t row, int64_t first, int64_t end,
              int64_t aggregate, double *scores) {
  const Tensor &weights = forest.operands[LeafWeights];
  for (int64_t tree = first; tree < end; ++tree) {
    int64_t leaf = forest.leafOf(forest.integer(TreeRoots, tree), row);
    if (leaf < 0)
      return false;
    int64_t last = forest.firstVote(leaf + 1);
    for (int64_t vote = forest.firstVote(leaf); vote < last; ++vote) {
      double weight = floatingAt(weights, vote);
      double &score = scores[forest.integer(LeafTargetIds, vote)];
      if (aggregate == Min)
        score = weight < score ? weight : score;
      else if (aggregate == Max)
        score = weight > score ? weight : score;
      else
        score = added(weights.type, score, weight);
    }
  }
  return true;
}

} // namespace

HONE_LIBRARY(tree_ensemble) {
  int64_t aggregate = call.option(0), post = call.option(2);
  Forest forest;
  forest.targets = call.option(1);
  if (forest.targets < 0 || forest.targets > int64_t(1) << 40 ||
      aggregate < Average || aggregate > Max || post < None || post > Probit)
    return call.misuse(forest.targets);
  if (!readForest(call, call.option(3), forest))
    return call.status;
  Scratch<int64_t> members(call, forest.nodes);
  if (!members || !readMembers(call, forest, members.data()))
    return call.status;
  forest.members = members.data();

  int64_t rows = forest.operands[X].dims[0];
  int64_t dims[2] = {rows, forest.targets};
  Tensor result = call.make(0, forest.operands[X].type, 2, dims);
  // Trees are added up in two halves, whose rounding errors are smaller than
  // those of one sum.
  Scratch<double> halves(call, 2 * forest.targets);
  if (!result || !halves)
    return call.status;
  double *scores = halves.data(), *others = scores + forest.targets;
  int64_t trees = forest.operands[TreeRoots].count;
  bool adds = aggregate == Sum || aggregate == Average;
  double most = result.type == HONE_TYPE_DOUBLE ? __DBL_MAX__ : __FLT_MAX__;
  double start = aggregate == Min ? most : aggregate == Max ? -most : 0;
  for (int64_t row = 0; result.count > 0 && row < rows; ++row) {
    for (int64_t i = 0; i < 2 * forest.targets; ++i)
      scores[i] = start;
    int64_t half = adds ? trees / 2 : trees;
    if (!addTrees(forest, row, 0, half, aggregate, scores) ||
        !addTrees(forest, row, half, trees, aggregate, others))
      return call.fail(HONE_BAD_VALUE, row);
    for (int64_t i = 0; adds && i < forest.targets; ++i) {
      scores[i] = added(result.type, scores[i], others[i]);
      if (aggregate == Average)
        scores[i] /= double(trees);
    }
    transform(post, scores, forest.targets);
    for (int64_t i = 0; i < forest.targets; ++i)
      putFloating(result, row * forest.targets + i, scores[i]);
  }
  return HONE_OK;
}
