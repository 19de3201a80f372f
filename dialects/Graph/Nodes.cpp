// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The nodes of the model that operations come from.
#include "dialects/Graph/Nodes.h"
#include "mlir/IR/OpDefinition.h"

using namespace mlir;
using namespace hone::graph;

void hone::graph::addNodes(Location loc, NodeList &nodes) {
  if (auto name = dyn_cast<NameLoc>(loc)) {
    if (nodes.size() < maxNodes)
      nodes.insert(name);
  } else if (auto fused = dyn_cast<FusedLoc>(loc)) {
    for (Location part : fused.getLocations())
      addNodes(part, nodes);
  }
}

void hone::graph::addNodes(Operation *op, NodeList &nodes) {
  addNodes(op->getLoc(), nodes);
  for (Region &region : op->getRegions())
    region.walk([&](Operation *inner) {
      if (!inner->hasTrait<OpTrait::ConstantLike>())
        addNodes(inner->getLoc(), nodes);
    });
}

Location hone::graph::locationOf(MLIRContext *context, const NodeList &nodes) {
  SmallVector<Location> locs(nodes.begin(), nodes.end());
  return FusedLoc::get(context, locs);
}

void hone::graph::takeNodes(Operation *op, Location other) {
  if (op->getLoc() == other)
    return;
  NodeList nodes;
  addNodes(op->getLoc(), nodes);
  size_t own = nodes.size();
  addNodes(other, nodes);
  if (nodes.size() > own)
    op->setLoc(locationOf(op->getContext(), nodes));
}
