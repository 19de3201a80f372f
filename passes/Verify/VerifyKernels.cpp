// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What may remain in a kernel at the end of each phase.
#include "passes/Verify/Passes.h"

#include "dialects/Graph/KernelOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace hone {
#define GEN_PASS_DEF_VERIFYKERNELSPASS
#include "passes/Verify/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using namespace hone::graph;

namespace {
bool isScalarOp(Operation *op) {
  return isa<arith::ArithDialect, func::FuncDialect, math::MathDialect,
             scf::SCFDialect, ub::UBDialect>(op->getDialect());
}

bool isTiled(Operation *op) {
  if (isScalarOp(op) ||
      isa<linalg::LinalgDialect, tensor::TensorDialect>(op->getDialect()))
    return true;
  return isa<ContractOp, ConvWindowOp, PoolWindowOp, EpilogueYieldOp,
             CheckedIndexOp, CheckedDivisorOp, graph::ConstantOp, ReshapeOp,
             SliceOp, ConcatOp, PadOp, ScatterOp, CumulateOp, TopKOp>(op);
}

bool isBuffered(Operation *op) {
  auto isTensor = [](Type type) { return isa<TensorType>(type); };
  if (llvm::any_of(op->getOperandTypes(), isTensor) ||
      llvm::any_of(op->getResultTypes(), isTensor))
    return false;
  return isScalarOp(op) ||
         isa<memref::MemRefDialect, vector::VectorDialect>(op->getDialect()) ||
         isa<CheckedIndexOp, CheckedDivisorOp>(op);
}

/// A loop that the pieces of the kernel could not divide.
bool isStrayLoop(Operation *op) {
  return isa<scf::ForOp, scf::WhileOp>(op) &&
         isa<func::FuncOp>(op->getParentOp());
}

struct VerifyKernelsPass
    : hone::impl::VerifyKernelsPassBase<VerifyKernelsPass> {
  using Base::Base;
  void runOnOperation() override {
    if (phase != "tile" && phase != "buffer" && phase != "llvm") {
      getOperation().emitError("no such phase of kernels: '") << phase << "'";
      return signalPassFailure();
    }
    WalkResult result = getOperation()->walk<WalkOrder::PreOrder>(
        [&](Operation *op) { return check(op); });
    if (result.wasInterrupted())
      signalPassFailure();
  }

private:
  WalkResult check(Operation *op) {
    if (isa<ModuleOp>(op))
      return WalkResult::advance();
    if (phase == "llvm") {
      if (isa<LLVM::LLVMDialect>(op->getDialect()))
        return WalkResult::advance();
    } else {
      if (isa<memref::GlobalOp>(op))
        return WalkResult::advance();
      if (isa<func::FuncOp>(op))
        return op->hasAttr("hone.kernel") ? WalkResult::advance()
                                          : WalkResult::skip();
      bool fits =
          phase == "tile" ? isTiled(op) : isBuffered(op) && !isStrayLoop(op);
      if (fits)
        return WalkResult::advance();
    }
    op->emitOpError("must not be left in a kernel after the '")
        << phase << "' phase";
    return WalkResult::interrupt();
  }
};
} // namespace
