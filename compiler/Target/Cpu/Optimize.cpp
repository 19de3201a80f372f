// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// LLVM's optimizer, for every target.
#include "compiler/Target/Cpu/Optimize.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Transforms/Scalar/EarlyCSE.h"

using namespace llvm;
using namespace hone;

void hone::runOptimizer(Module &module, TargetMachine &machine,
                        OptimizerEffort effort, bool vectorize) {
  PipelineTuningOptions tuning;
  tuning.LoopVectorization = tuning.LoopInterleaving = vectorize;
  tuning.SLPVectorization = vectorize;
  PassBuilder builder(&machine, tuning);
  LoopAnalysisManager loops;
  FunctionAnalysisManager functions;
  CGSCCAnalysisManager graphs;
  ModuleAnalysisManager modules;
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(graphs);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, graphs, modules);
  ModulePassManager passes;
  if (effort == OptimizerEffort::Speed)
    passes = builder.buildPerModuleDefaultPipeline(OptimizationLevel::O2);
  else
    passes.addPass(createModuleToFunctionPassAdaptor(EarlyCSEPass()));
  passes.run(module, modules);
}
