// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What is done with the old function before it is rebuilt.
#include "compiler/Import/Mlir/Raise/Raiser.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/IR/Iterators.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;

static LogicalResult decompose(IRRewriter &rewriter, Operation *op) {
  if (auto pack = dyn_cast<linalg::PackOp>(op))
    return linalg::lowerPack(rewriter, pack);
  if (auto unpack = dyn_cast<linalg::UnPackOp>(op))
    return linalg::lowerUnPack(rewriter, unpack);
  FailureOr<SmallVector<Value>> parts =
      cast<linalg::AggregatedOpInterface>(op).decomposeOperation(rewriter);
  if (failed(parts))
    return failure();
  rewriter.replaceOp(op, *parts);
  return success();
}

LogicalResult hone::raise::decomposeAggregates(func::FuncOp function) {
  SmallVector<Operation *> aggregates;
  function.walk([&](Operation *op) {
    if (isa<linalg::PackOp, linalg::UnPackOp, linalg::AggregatedOpInterface>(
            op))
      aggregates.push_back(op);
  });
  IRRewriter rewriter(function.getContext());
  for (Operation *op : aggregates) {
    rewriter.setInsertionPoint(op);
    if (failed(decompose(rewriter, op)))
      return emitError(op->getLoc())
             << "'" << op->getName()
             << "' cannot be compiled: upstream does not decompose it with "
                "these operands";
  }
  return success();
}

void hone::raise::eraseDeadOperations(func::FuncOp function) {
  // Users first: they come later.
  function.walk<WalkOrder::PostOrder, ReverseIterator>([](Operation *op) {
    if (isOpTriviallyDead(op))
      op->erase();
  });
}
