// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Minimum cut of a small directed network.
#ifndef HONE_PASSES_GRAPH_MINCUT_H
#define HONE_PASSES_GRAPH_MINCUT_H

#include "llvm/ADT/SmallVector.h"
#include <cstdint>
#include <limits>

namespace hone {

/// Nodes 0 (source) and 1 (sink) exist from the start. An edge counts when it
/// leads from the source's side to the sink's side.
class MinCut {
public:
  static constexpr unsigned source = 0, sink = 1;
  static constexpr int64_t never = std::numeric_limits<int64_t>::max() / 4;

  MinCut() : nodes(2) {}

  unsigned addNode() {
    nodes.emplace_back();
    return nodes.size() - 1;
  }
  /// `capacity` is the cost of separating `from` (source's side) and `to`.
  void addEdge(unsigned from, unsigned to, int64_t capacity);

  /// Finds the cut. Afterwards `onSourceSide` answers.
  void solve();
  bool onSourceSide(unsigned node) const { return level[node] >= 0; }

private:
  struct Edge {
    unsigned to;
    int64_t capacity;
  };

  bool findLevels();
  int64_t augment();

  llvm::SmallVector<llvm::SmallVector<unsigned, 4>> nodes; // edge numbers
  llvm::SmallVector<Edge> edges; // edge and reverse edge are neighbours
  llvm::SmallVector<int> level;
  llvm::SmallVector<unsigned> next;
};

} // namespace hone

#endif // HONE_PASSES_GRAPH_MINCUT_H
