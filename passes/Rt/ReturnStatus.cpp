// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Branches that leave the host function, or a kernel, when a step fails.
#include "dialects/Rt/Rt.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "passes/Rt/Passes.h"

namespace hone {
#define GEN_PASS_DEF_RETURNSTATUSPASS
#include "passes/Rt/Passes.h.inc"
} // namespace hone

using namespace mlir;

namespace {

struct ReturnStatusPass : hone::impl::ReturnStatusPassBase<ReturnStatusPass> {
  using Base::Base;
  void runOnOperation() override {
    for (auto function : getOperation().getOps<LLVM::LLVMFuncOp>())
      if (!function.isExternal())
        branch(function);
    if (auto marker = getOperation().lookupSymbol<LLVM::LLVMFuncOp>(
            hone::rt::kReturnIfName))
      marker.erase();
  }

  void branch(LLVM::LLVMFuncOp function) {
    SmallVector<LLVM::CallOp> calls;
    function.walk([&](LLVM::CallOp call) {
      if (call.getCallee() == hone::rt::kReturnIfName)
        calls.push_back(call);
    });
    if (calls.empty())
      return;
    OpBuilder builder(&getContext());
    Location loc = function.getLoc();
    Block *exit =
        builder.createBlock(&function.getBody(), function.getBody().end(),
                            builder.getI32Type(), loc);
    LLVM::ReturnOp::create(builder, loc, exit->getArgument(0));
    // From the end: a split moves all operations after it.
    for (LLVM::CallOp call : llvm::reverse(calls)) {
      Block *block = call->getBlock();
      Block *rest = block->splitBlock(call);
      rest->moveBefore(exit);
      if (rest != block->getNextNode())
        rest->moveBefore(block->getNextNode());
      builder.setInsertionPointToEnd(block);
      Value status = call.getArgOperands().front();
      Value zero = LLVM::ConstantOp::create(builder, call.getLoc(),
                                            builder.getI32Type(), 0);
      Value failed = LLVM::ICmpOp::create(
          builder, call.getLoc(), LLVM::ICmpPredicate::ne, status, zero);
      LLVM::CondBrOp::create(builder, call.getLoc(), failed, exit, status, rest,
                             ValueRange{},
                             std::pair<int32_t, int32_t>(1, 1 << 20));
      call.erase();
    }
  }
};

} // namespace
