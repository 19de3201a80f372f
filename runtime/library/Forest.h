// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Decision trees as stored in a model: written by the compiler, walked by the
// library function tree_ensemble.
#ifndef HONE_RUNTIME_LIBRARY_FOREST_H
#define HONE_RUNTIME_LIBRARY_FOREST_H

#include <stdint.h>

namespace hone {

/// A node's test of a feature: at most, equal to, or in a set.
enum class NodeMode : uint32_t { Leq, Eq, Member };

/// A node or a leaf of a forest whose numbers are of type T, float or double. A
/// leaf is its own successor, whatever the test.
template <typename T> struct ForestNode {
  union {
    T split;
    T weight;       ///< of a leaf with one vote, in a forest of such leaves
    int32_t number; ///< of a leaf where leaves have lists of votes, or, for
                    ///< Member, where in the forest's sets its set begins
  };
  uint32_t test;   ///< feature, mode, and what NaN does: see below; the target
                   ///< of a leaf with one vote
  int32_t next[2]; ///< successors if the test fails and if it holds
};

static_assert(sizeof(ForestNode<float>) == 16 &&
                  sizeof(ForestNode<double>) == 24,
              "the compiler writes nodes as bytes");

constexpr uint32_t kForestFeature = (1u << 28) - 1; ///< bits of the feature
constexpr uint32_t kForestModeShift = 28;
/// A NaN feature passes the test; otherwise it fails.
constexpr uint32_t kForestNanShift = 31;

/// A tree of a forest, which the compiler writes as two 32-bit numbers.
struct ForestTree {
  int32_t root;
  int32_t depth; ///< steps from the root to the farthest leaf
};
constexpr int64_t kForestTreeNumbers = sizeof(ForestTree) / sizeof(int32_t);

/// A set is its number of words, an integer, and the words, whose bit i says
/// whether that integer plus i is a member.
constexpr int64_t kForestSetHead = 2;

enum class ForestAggregate : int64_t { Average, Sum, Min, Max };

} // namespace hone

#endif // HONE_RUNTIME_LIBRARY_FOREST_H
