// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Remarks on what is slower than it could be.
#include "passes/Analysis/Remarks.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "passes/Machine/Estimate.h"

using namespace mlir;
using namespace hone;

/// Elements of the largest argument, operand or result, over all iterations:
/// for a loop as many as a free dimension has.
static int64_t elementsOf(Operation *op) {
  int64_t most = 1;
  auto count = [&](Type type) {
    if (auto shaped = dyn_cast<ShapedType>(type); shaped && shaped.hasRank())
      most = std::max(most, estimateProduct(shaped.getShape()));
  };
  if (auto function = dyn_cast<FunctionOpInterface>(op))
    llvm::for_each(function.getArgumentTypes(), count);
  llvm::for_each(op->getOperandTypes(), count);
  llvm::for_each(op->getResultTypes(), count);
  for (Operation *parent = op->getParentOp(); parent;
       parent = parent->getParentOp())
    if (isa<LoopLikeOpInterface>(parent))
      most = estimateProduct(most, kTypicalDim);
  return most;
}

void hone::remarkSlow(Operation *op, StringLiteral pass, StringRef reason,
                      int64_t workPerElement) {
  if (!op->getContext()->getRemarkEngine())
    return;
  remark::missed(op->getLoc(), remark::RemarkOpts::name("slow").category(pass))
      << remark::reason("{0}", reason)
      << remark::metric("work",
                        estimateProduct(elementsOf(op), workPerElement));
}
