// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Merges equal operations, like upstream's CSE, and erases dead ones. The hash
// covers regions: upstream's does not, so that all maps of one tensor would
// collide, and all branches on one condition.
#include "dialects/Graph/Graph.h"
#include "dialects/Graph/Nodes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/OperationSupport.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "passes/Graph/Passes.h"
#include "llvm/ADT/ScopedHashTable.h"

namespace hone {
#define GEN_PASS_DEF_MERGEEQUALPASS
#include "passes/Graph/Passes.h.inc"
} // namespace hone

using namespace mlir;

/// Hash of an operation and everything inside it.
static llvm::hash_code hashOf(Operation *op) {
  llvm::hash_code hash = OperationEquivalence::computeHash(
      op, OperationEquivalence::directHashValue,
      OperationEquivalence::ignoreHashValue,
      OperationEquivalence::IgnoreLocations);
  for (Region &region : op->getRegions())
    region.walk([&](Operation *inner) {
      // Values from inside differ between equal operations.
      hash = llvm::hash_combine(
          hash,
          OperationEquivalence::computeHash(
              inner,
              [&](Value value) {
                return op->isAncestor(value.getParentBlock()->getParentOp())
                           ? llvm::hash_code(0)
                           : OperationEquivalence::directHashValue(value);
              },
              OperationEquivalence::ignoreHashValue,
              OperationEquivalence::IgnoreLocations));
    });
  return hash;
}

namespace {
struct HashedOperation {
  Operation *op;
  unsigned hash;
};
} // namespace

template <> struct llvm::DenseMapInfo<HashedOperation> {
  static HashedOperation getEmptyKey() {
    return {DenseMapInfo<Operation *>::getEmptyKey(), 0};
  }
  static HashedOperation getTombstoneKey() {
    return {DenseMapInfo<Operation *>::getTombstoneKey(), 0};
  }
  static unsigned getHashValue(const HashedOperation &key) { return key.hash; }
  static bool isEqual(const HashedOperation &a, const HashedOperation &b) {
    if (a.op == b.op)
      return true;
    for (Operation *op : {a.op, b.op})
      if (op == getEmptyKey().op || op == getTombstoneKey().op)
        return false;
    return a.hash == b.hash &&
           OperationEquivalence::isEquivalentTo(
               a.op, b.op, OperationEquivalence::IgnoreLocations);
  }
};

namespace {
struct MergeEqualPass : hone::impl::MergeEqualPassBase<MergeEqualPass> {
  using Base::Base;
  using Table = llvm::ScopedHashTable<HashedOperation, Operation *>;

  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    Table known;
    visit(getOperation().getBody(), known);
    // None has uses, and nested ones precede their parents.
    for (Operation *op : dead)
      op->erase();
    dead.clear();
  }

private:
  /// Values available in a block are available in its regions.
  void visit(Region &region, Table &known) {
    for (Block &block : region) {
      Table::ScopeTy scope(known);
      for (Operation &op : block) {
        if (isOpTriviallyDead(&op)) {
          dead.push_back(&op);
          continue;
        }
        for (Region &inner : op.getRegions())
          visit(inner, known);
        if (isMergeable(&op))
          merge(&op, known);
      }
    }
  }

  static bool isMergeable(Operation *op) {
    return op->getNumResults() != 0 && isMemoryEffectFree(op) &&
           llvm::all_of(op->getRegions(),
                        [](Region &region) { return region.hasOneBlock(); });
  }

  void merge(Operation *op, Table &known) {
    HashedOperation key{op, static_cast<unsigned>(size_t(hashOf(op)))};
    Operation *equal = known.lookup(key);
    if (!equal) {
      known.insert(key, op);
      return;
    }
    op->replaceAllUsesWith(equal);
    if (!equal->hasTrait<OpTrait::ConstantLike>())
      hone::graph::takeNodes(equal, op->getLoc());
    dead.push_back(op);
  }

  SmallVector<Operation *> dead;
};
} // namespace
