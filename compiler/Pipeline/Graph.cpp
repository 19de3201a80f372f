// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The model as a graph: shapes, folding, simplification, layout, fusion groups,
// and finally the partition into kernels.
#include "compiler/Pipeline/Phases.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/Graph/Passes.h"
#include "passes/Machine/Passes.h"
#include "passes/Verify/Passes.h"

using namespace mlir;
using namespace hone;

// After: kernels of hone operations; host: hone_rt, scf, arith, constants and
// views.
void hone::buildGraphPipeline(OpPassManager &pm, const GraphOptions &options) {
  if (options.machine)
    pm.addPass(createSetMachinePass(*options.machine));
  OpPassManager &graph = pm.nest<func::FuncOp>();
  graph.addPass(createInferShapesPass());
  // Before constant bytes become floats.
  graph.addPass(createNarrowMovementsPass());
  graph.addPass(createFormByteProductsPass());
  graph.addPass(createKeepQuantizedWeightsPass({options.cpuLayouts}));
  graph.addPass(createFoldConstantsPass());
  // Sizes computed from constants are known by now.
  graph.addPass(createInferShapesPass());
  graph.addPass(createSimplifyPass());
  graph.addPass(createMergeEqualPass());
  // The maps on a convolution's result are folded into its weights at once.
  graph.addPass(createFuseMapsPass());
  // What is quantized as it was dequantized is left to the next pass.
  graph.addPass(createTabulateFunctionsPass());
  graph.addPass(createSimplifyPass());
  graph.addPass(createFoldConstantsPass());
  graph.addPass(createDecomposeConvTransposePass());
  graph.addPass(createFoldConstantsPass());
  graph.addPass(createChooseLayoutPass());
  graph.addPass(createSimplifyPass());
  graph.addPass(createFoldConstantsPass());
  graph.addPass(createSimplifyPass());
  graph.addPass(createMergeEqualPass());
  graph.addPass(createFuseMapsPass());
  graph.addPass(createTabulateFunctionsPass());
  if (options.precision != Precision::F32)
    graph.addPass(createLowerPrecisionPass(
        {precisionName(options.precision).str(), options.fastBf16}));
  graph.addPass(
      createPackWeightsPass({options.cpuLayouts, options.fastBf16,
                             options.cpuLayouts && options.orderBytes}));
  // Left operands that were padded.
  graph.addPass(createFoldConstantsPass());
  graph.addPass(createInferShapesPass());
  graph.addPass(createMergeEqualPass());
  graph.addPass(createFuseAttentionPass());
  // After the last pass that makes types static.
  graph.addPass(createSplitConcatsPass());
  // The caches and threads are those of a CPU.
  if (options.cpuLayouts) {
    graph.addPass(createSplitRowsPass());
    graph.addPass(createSplitReductionsPass());
  }
  graph.addPass(createFormGroupsPass({options.cpuLayouts}));
  if (options.precision != Precision::F32 && options.fastBf16)
    graph.addPass(createNarrowValuesPass());
  graph.addPass(createVerifyGraphPass());
  if (!options.outline)
    return;
  pm.addPass(createOutlineKernelsPass());
  pm.addNestedPass<func::FuncOp>(createCountWorkPass());
  if (options.place)
    options.place(pm);
  pm.addPass(createVerifyHostPass({"graph"}));
}
