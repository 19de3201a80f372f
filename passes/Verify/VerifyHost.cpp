// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What may remain in the host function at the end of each phase.
#include "dialects/Graph/Graph.h"
#include "dialects/Rt/Rt.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "passes/Verify/Passes.h"

namespace hone {
#define GEN_PASS_DEF_VERIFYHOSTPASS
#include "passes/Verify/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;

namespace {

bool isControl(Operation *op) {
  return isa<ModuleOp, UnrealizedConversionCastOp>(op) ||
         isa<arith::ArithDialect, func::FuncDialect, math::MathDialect,
             scf::SCFDialect, ub::UBDialect>(op->getDialect());
}

bool isOutlined(Operation *op) {
  return isControl(op) ||
         isa<graph::ConstantOp, graph::DimOp, graph::LibraryOp,
             graph::ReshapeOp, rt::CallOp, cf::AssertOp, tensor::CastOp,
             tensor::DimOp, tensor::EmptyOp, tensor::ExtractOp,
             tensor::ExtractSliceOp, tensor::FromElementsOp,
             tensor::InsertSliceOp>(op);
}

bool isPlanned(Operation *op) {
  auto isTensor = [](Type type) { return isa<TensorType>(type); };
  if (llvm::any_of(op->getOperandTypes(), isTensor) ||
      llvm::any_of(op->getResultTypes(), isTensor))
    return false;
  return isControl(op) || isa<graph::DimOp>(op) ||
         (isa<rt::RtDialect>(op->getDialect()) && !isa<rt::CallOp>(op));
}

bool isCode(Operation *op) {
  return isa<ModuleOp>(op) || isa<LLVM::LLVMDialect>(op->getDialect());
}

struct VerifyHostPass : hone::impl::VerifyHostPassBase<VerifyHostPass> {
  using Base::Base;
  void runOnOperation() override {
    bool (*belongs)(Operation *) = phase == "graph"    ? isOutlined
                                   : phase == "buffer" ? isPlanned
                                                       : isCode;
    WalkResult result =
        getOperation().walk<WalkOrder::PreOrder>([&](Operation *op) {
          if (op->hasAttr(rt::kKernelAttr))
            return WalkResult::skip();
          if (belongs(op))
            return WalkResult::advance();
          op->emitOpError(
              "does not belong into the host function after phase '")
              << phase << "'";
          return WalkResult::interrupt();
        });
    if (result.wasInterrupted())
      signalPassFailure();
  }
};

} // namespace
