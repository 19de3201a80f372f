// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The texts of the nodes that may fail at run time, and their numbers.
#ifndef HONE_PASSES_BUFFER_NODETABLE_H
#define HONE_PASSES_BUFFER_NODETABLE_H

#include "mlir/IR/BuiltinOps.h"

namespace hone {

/// `hone.nodes` of a module under construction.
class NodeTable {
public:
  explicit NodeTable(mlir::ModuleOp module);

  /// The number of the node at `loc`.
  int32_t numberOf(mlir::Location loc);
  /// Writes the attribute.
  void store();

private:
  mlir::ModuleOp module;
  llvm::SmallVector<mlir::Attribute> nodes;
  llvm::DenseMap<mlir::Attribute, int32_t> numbers;
};

} // namespace hone

#endif // HONE_PASSES_BUFFER_NODETABLE_H
