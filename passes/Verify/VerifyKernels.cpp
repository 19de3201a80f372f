// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What may remain in a kernel at the end of each phase.
#include "passes/Verify/Passes.h"

#include "dialects/Graph/KernelOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/StringSwitch.h"

namespace hone {
#define GEN_PASS_DEF_VERIFYKERNELSPASS
#include "passes/Verify/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using namespace hone::graph;

namespace {
bool isScalarOp(Operation *op) {
  return isa<LookupOp>(op) ||
         isa<arith::ArithDialect, func::FuncDialect, math::MathDialect,
             scf::SCFDialect, ub::UBDialect>(op->getDialect());
}

bool isLinalg(Operation *op) {
  if (isScalarOp(op) ||
      isa<linalg::LinalgDialect, tensor::TensorDialect>(op->getDialect()))
    return true;
  return isa<KernelOpInterface, KernelYieldOp, CheckedIndexOp, CheckedDivisorOp,
             graph::ConstantOp>(op) ||
         op->hasTrait<InMemory>();
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

/// Microkernels are made of instructions that have no operation of their own;
/// some take addresses.
bool isLooped(Operation *op) {
  return (isBuffered(op) || isa<LLVM::CallIntrinsicOp, LLVM::IntToPtrOp>(op)) &&
         !isStrayLoop(op);
}

bool isCode(Operation *op) { return isa<LLVM::LLVMDialect>(op->getDialect()); }

/// Device code, and what computes its sizes.
bool isLaunched(Operation *op) {
  if (isa<func::FuncOp>(op->getParentOp()) && !isa<gpu::LaunchOp>(op))
    return isBuffered(op) && !isa<scf::SCFDialect>(op->getDialect()) &&
           !isa<memref::StoreOp, vector::StoreOp>(op);
  // Some instructions of the device have a structure for their result.
  return isBuffered(op) || isa<LLVM::ExtractValueOp>(op) ||
         isa<gpu::GPUDialect, nvgpu::NVGPUDialect, NVVM::NVVMDialect>(
             op->getDialect());
}

/// Device code calls nothing: what has no instruction was expanded before.
bool isDeviceCode(Operation *op) {
  if (isa<gpu::GPUModuleOp>(op))
    return true;
  return isa<LLVM::LLVMDialect, NVVM::NVVMDialect>(op->getDialect()) &&
         !(isa<LLVM::CallOp>(op) && op->getParentOfType<gpu::GPUModuleOp>());
}

struct VerifyKernelsPass
    : hone::impl::VerifyKernelsPassBase<VerifyKernelsPass> {
  using Base::Base;
  void runOnOperation() override {
    fits = llvm::StringSwitch<bool (*)(Operation *)>(phase)
               .Case("linalg", isLinalg)
               .Case("buffer", isLooped)
               .Case("llvm", isCode)
               .Case("gpu-buffer", isLaunched)
               .Case("gpu-llvm", isDeviceCode)
               .Default(nullptr);
    if (!fits) {
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
    if (!StringRef(phase).ends_with("llvm")) {
      if (isa<memref::GlobalOp>(op))
        return WalkResult::advance();
      if (isa<func::FuncOp>(op))
        return op->hasAttr("hone.kernel") ? WalkResult::advance()
                                          : WalkResult::skip();
    }
    if (fits(op))
      return WalkResult::advance();
    op->emitOpError("must not be left in a kernel after the '")
        << phase << "' phase";
    return WalkResult::interrupt();
  }

  bool (*fits)(Operation *) = nullptr;
};
} // namespace
