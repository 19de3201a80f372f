// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The host function's arithmetic, branches and calls as LLVM operations, in one
// conversion.
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MathToLibm/MathToLibm.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/DialectConversion.h"
#include "passes/Rt/Passes.h"

namespace hone {
#define GEN_PASS_DEF_CONVERTHOSTTOLLVMPASS
#include "passes/Rt/Passes.h.inc"
} // namespace hone

using namespace mlir;

namespace {

struct ConvertHostToLlvmPass
    : hone::impl::ConvertHostToLlvmPassBase<ConvertHostToLlvmPass> {
  using Base::Base;

  void runOnOperation() override {
    LLVMTypeConverter types(&getContext());
    RewritePatternSet patterns(&getContext());
    arith::populateArithExpandOpsPatterns(patterns);
    arith::populateArithToLLVMConversionPatterns(types, patterns);
    // Operations that LLVM lacks become calls to libm.
    populateMathToLLVMConversionPatterns(types, patterns);
    populateMathToLibmConversionPatterns(patterns, /*benefit=*/0);
    cf::populateControlFlowToLLVMConversionPatterns(types, patterns);
    populateFuncToLLVMConversionPatterns(types, patterns);
    LLVMConversionTarget target(getContext());
    target.addLegalOp<ModuleOp>();
    if (failed(
            applyFullConversion(getOperation(), target, std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
