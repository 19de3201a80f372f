// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Topological order of nodes (Kahn, 1962), stable in the order of the file.
#include "compiler/Import/Onnx/Builder/NodeOrder.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringMap.h"

#include <queue>

using namespace hone::onnx;

/// Names that a node or a graph inside it reads. The reader has limited the
/// nesting of graphs.
static void forEachName(const Node &node,
                        llvm::function_ref<void(llvm::StringRef)> use) {
  for (llvm::StringRef name : node.inputs)
    use(name);
  for (const auto &attribute : node.attributes)
    for (const Graph &graph : attribute.graphs) {
      for (const Node &inner : graph.nodes)
        forEachName(inner, use);
      for (const ValueInfo &output : graph.outputs)
        use(output.name);
    }
}

std::vector<const Node *> hone::onnx::orderNodes(llvm::ArrayRef<Node> nodes) {
  llvm::StringMap<size_t> makers;
  for (size_t i = 0; i < nodes.size(); ++i)
    for (llvm::StringRef name : nodes[i].outputs)
      if (!name.empty())
        makers.try_emplace(name, i);

  std::vector<std::vector<size_t>> users(nodes.size());
  std::vector<size_t> waitsFor(nodes.size());
  for (size_t i = 0; i < nodes.size(); ++i) {
    llvm::DenseSet<size_t> seen;
    forEachName(nodes[i], [&](llvm::StringRef name) {
      auto maker = makers.find(name);
      if (maker == makers.end() || !seen.insert(maker->second).second)
        return;
      users[maker->second].push_back(i);
      ++waitsFor[i];
    });
  }

  std::priority_queue<size_t, std::vector<size_t>, std::greater<>> ready;
  for (size_t i = 0; i < nodes.size(); ++i)
    if (waitsFor[i] == 0)
      ready.push(i);
  std::vector<const Node *> order;
  order.reserve(nodes.size());
  std::vector<bool> placed(nodes.size());
  while (!ready.empty()) {
    size_t i = ready.top();
    ready.pop();
    placed[i] = true;
    order.push_back(&nodes[i]);
    for (size_t user : users[i])
      if (--waitsFor[user] == 0)
        ready.push(user);
  }
  for (size_t i = 0; i < nodes.size(); ++i)
    if (!placed[i])
      order.push_back(&nodes[i]);
  return order;
}
