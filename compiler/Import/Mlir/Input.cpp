// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The passes from upstream's dialects to a model.
#include "compiler/Import/Mlir/Passes.h"
#include "compiler/Pipeline/ModulePipeline.h"
#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Conversion/TosaToArith/TosaToArith.h"
#include "mlir/Conversion/TosaToLinalg/TosaToLinalg.h"
#include "mlir/Conversion/TosaToSCF/TosaToSCF.h"
#include "mlir/Conversion/TosaToTensor/TosaToTensor.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Func/Extensions/InlinerExtension.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/MLProgram/IR/MLProgram.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace hone;

void hone::registerMlirInputDialects(DialectRegistry &registry) {
  registry.insert<affine::AffineDialect, ml_program::MLProgramDialect,
                  tosa::TosaDialect>();
  func::registerInlinerExtension(registry);
}

void hone::buildMlirInputPipeline(OpPassManager &pm) {
  // Without simplification of what is inlined.
  pm.addPass(createInlinerPass({}, [](OpPassManager &) {}));
  pm.addPass(createSymbolDCEPass());
  pm.addPass(createFoldGlobalsPass());
  // First, as the conversion to linalg accepts no terminators of tosa.
  pm.addNestedPass<func::FuncOp>(createTosaToSCFPass());
  tosa::addTosaToLinalgPasses(pm, TosaToLinalgOptions(),
                              TosaToLinalgNamedOptions(), std::nullopt);
  OpPassManager &function = pm.nest<func::FuncOp>();
  function.addPass(createTosaToArithPass({/*includeApplyRescale=*/true}));
  function.addPass(createTosaToTensorPass());
  function.addPass(createLowerAffinePass());
  function.addPass(createConvertElementwiseToLinalgPass());
  function.addPass(createRaiseToGraphPass());
}

void hone::registerMlirInput() {
  registerMlirInputPasses();
  registerModulePipeline<EmptyPipelineOptions>(
      "hone-mlir-input",
      "a module of upstream's dialects: to operations of the "
      "graph",
      [](OpPassManager &pm, const EmptyPipelineOptions &) {
        buildMlirInputPipeline(pm);
        return llvm::Error::success();
      });
}
