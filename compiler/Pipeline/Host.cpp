// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The host function's pipeline from kernel calls on tensors to LLVM.
#include "compiler/Pipeline/Phases.h"
#include "mlir/Transforms/Passes.h"
#include "passes/Buffer/Passes.h"
#include "passes/Rt/Passes.h"
#include "passes/Verify/Passes.h"

using namespace mlir;
using namespace hone;

// After: hone_rt, scf, arith, memref types.
void hone::buildHostBufferPipeline(OpPassManager &pm) {
  pm.addPass(createBufferizeHostPass());
  pm.addNestedPass<func::FuncOp>(createCSEPass());
  pm.addPass(createCheckSizesPass());
  pm.addPass(createPlaceBuffersPass());
  pm.addNestedPass<func::FuncOp>(createReuseBuffersPass());
  pm.addPass(createPlanArenaPass());
  pm.addPass(createListStepsPass());
  pm.addPass(createVerifyHostPass({"buffer"}));
}

// After: llvm.
void hone::buildHostLlvmPipeline(OpPassManager &pm) {
  pm.addPass(createLowerRtPass());
  // Every call stores its arguments in the same few places.
  pm.addPass(createCSEPass());
  pm.addPass(createLowerHostControlPass());
  pm.addPass(createConvertHostToLlvmPass());
  // Early returns need plain branches.
  pm.addPass(createReturnStatusPass());
  pm.addPass(createVerifyHostPass({"llvm"}));
}
