// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Frees constants that a pass has replaced.
#ifndef HONE_PASSES_GRAPH_CONSTANTUSERS_H
#define HONE_PASSES_GRAPH_CONSTANTUSERS_H

#include "dialects/Graph/Constants.h"
#include "dialects/Graph/Graph.h"
#include "llvm/ADT/DenseMap.h"

namespace hone {

/// Counts the constants on each resource, several of which may share one.
class ConstantUsers {
public:
  /// True: it is the first on a resource.
  bool add(graph::ConstantOp constant) {
    const void *storage = graph::constantStorage(constant.getValue());
    return users[storage]++ == 0 && storage;
  }
  /// Erases a constant that nothing reads, and frees its resource if it is the
  /// last on it; true: that was so.
  bool eraseUnused(graph::ConstantOp constant) {
    if (!constant->use_empty())
      return false;
    mlir::ElementsAttr value = constant.getValue();
    bool isLast = --users[graph::constantStorage(value)] == 0;
    if (isLast)
      graph::releaseConstant(value);
    constant->erase();
    return isLast;
  }

private:
  llvm::DenseMap<const void *, unsigned> users;
};

} // namespace hone

#endif // HONE_PASSES_GRAPH_CONSTANTUSERS_H
