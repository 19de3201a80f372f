// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Numbers for nodes that may fail.
#include "passes/Buffer/NodeTable.h"
#include "dialects/Rt/Rt.h"
#include "mlir/IR/BuiltinAttributes.h"

using namespace mlir;
using namespace hone;

NodeTable::NodeTable(ModuleOp module) : module(module) {
  auto known = module->getAttrOfType<ArrayAttr>(rt::kNodesAttr);
  for (Attribute node : known ? known.getValue() : ArrayRef<Attribute>()) {
    numbers.try_emplace(node, nodes.size());
    nodes.push_back(node);
  }
}

int32_t NodeTable::numberOf(Location loc) {
  Attribute node = loc->findInstanceOf<NameLoc>();
  if (!node)
    node = UnknownLoc::get(module.getContext());
  auto [entry, isNew] = numbers.try_emplace(node, nodes.size());
  if (isNew)
    nodes.push_back(node);
  return entry->second;
}

void NodeTable::store() {
  if (!nodes.empty())
    module->setAttr(rt::kNodesAttr, ArrayAttr::get(module.getContext(), nodes));
}
