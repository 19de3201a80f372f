// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The last step of a kernel: everything becomes the LLVM dialect at once.
#include "passes/Analysis/Remarks.h"
#include "passes/Cpu/Passes.h"

#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Conversion/MathToLibm/MathToLibm.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/DialectConversion.h"
#include "passes/Emit/KernelTypes.h"
#include "passes/Emit/LlvmPatterns.h"

namespace hone {
#define GEN_PASS_DEF_LOWERKERNELTOLLVMPASS
#include "passes/Cpu/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;

/// Of the remaining functions, those without instructions.
static bool callsLibm(Operation *op) {
  return isa<math::MathDialect>(op->getDialect()) &&
         isa<FloatType>(getElementTypeOrSelf(op->getResultTypes().front())) &&
         !isa<math::AbsFOp, math::CeilOp, math::CopySignOp, math::FloorOp,
              math::FmaOp, math::RoundEvenOp, math::SqrtOp, math::TruncOp>(op);
}

namespace {
struct LowerKernelToLlvmPass
    : hone::impl::LowerKernelToLlvmPassBase<LowerKernelToLlvmPass> {
  using Base::Base;
  void runOnOperation() override {
    MLIRContext *context = &getContext();
    LLVMTypeConverter converter(context);
    addKernelTypeConversions(converter);
    RewritePatternSet patterns(context);
    populateFuncToLLVMConversionPatterns(converter, patterns);
    populateVectorToLLVMConversionPatterns(converter, patterns,
                                           /*reassociateFPReductions=*/true,
                                           /*force32BitVectorIndices=*/true);
    populateKernelToLlvmPatterns(converter, patterns);
    // Operations without instructions.
    populateMathToLibmConversionPatterns(patterns);
    if (context->getRemarkEngine())
      getOperation().walk([](Operation *op) {
        if (callsLibm(op))
          remarkSlow(op, "lower-kernel-to-llvm",
                     "a function of libm is called for each element");
      });
    LLVMConversionTarget target(*context);
    target.addLegalOp<ModuleOp>();
    target.addLegalOp<gpu::GPUModuleOp>();
    target.markOpRecursivelyLegal<gpu::GPUModuleOp>();
    if (failed(
            applyFullConversion(getOperation(), target, std::move(patterns))))
      return signalPassFailure();
    removeDescriptorCasts(getOperation());
  }
};
} // namespace
