// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// LLVM's optimizer, for the kernels of every target.
#include "compiler/Target/Cpu/Optimize.h"
#include "llvm/Passes/PassBuilder.h"

using namespace llvm;
using namespace hone;

void hone::runOptimizer(Module &module, TargetMachine &machine,
                        bool vectorize) {
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
  builder.buildPerModuleDefaultPipeline(OptimizationLevel::O2)
      .run(module, modules);
}
