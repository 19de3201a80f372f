// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Dinic's algorithm.
#include "passes/Graph/MinCut.h"
#include <algorithm>

using namespace hone;

void MinCut::addEdge(unsigned from, unsigned to, int64_t capacity) {
  if (from == to || capacity <= 0)
    return;
  nodes[from].push_back(edges.size());
  edges.push_back({to, capacity});
  nodes[to].push_back(edges.size());
  edges.push_back({from, 0});
}

/// Distances from the source over edges with capacity left.
bool MinCut::findLevels() {
  level.assign(nodes.size(), -1);
  llvm::SmallVector<unsigned> queue = {source};
  level[source] = 0;
  for (size_t i = 0; i < queue.size(); ++i)
    for (unsigned edge : nodes[queue[i]])
      if (edges[edge].capacity > 0 && level[edges[edge].to] < 0) {
        level[edges[edge].to] = level[queue[i]] + 1;
        queue.push_back(edges[edge].to);
      }
  return level[sink] >= 0;
}

/// Sends as much as fits along one shortest path; 0 if there is none left. The
/// path is kept on the heap: chains of operations are long.
int64_t MinCut::augment() {
  llvm::SmallVector<unsigned> path;
  unsigned node = source;
  while (node != sink) {
    if (next[node] < nodes[node].size()) {
      unsigned edge = nodes[node][next[node]];
      if (edges[edge].capacity > 0 &&
          level[edges[edge].to] == level[node] + 1) {
        path.push_back(edge);
        node = edges[edge].to;
      } else {
        ++next[node];
      }
      continue;
    }
    if (path.empty())
      return 0;
    node = edges[path.pop_back_val() ^ 1].to;
    ++next[node];
  }
  int64_t amount = never;
  for (unsigned edge : path)
    amount = std::min(amount, edges[edge].capacity);
  for (unsigned edge : path) {
    edges[edge].capacity -= amount;
    edges[edge ^ 1].capacity += amount;
  }
  return amount;
}

void MinCut::solve() {
  while (findLevels()) {
    next.assign(nodes.size(), 0);
    while (augment() > 0) {
    }
  }
}
