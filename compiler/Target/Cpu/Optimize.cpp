// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// LLVM's optimizer, for the kernels of every target.
#include "compiler/Target/Cpu/Optimize.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/Passes/PassBuilder.h"

using namespace llvm;
using namespace hone;

/// The lane of a constant mask that is set, if that is only one.
static std::optional<unsigned> onlyLane(const Value *mask) {
  auto *constant = dyn_cast<Constant>(mask);
  auto *type = dyn_cast<FixedVectorType>(mask->getType());
  if (!constant || !type)
    return std::nullopt;
  std::optional<unsigned> found;
  for (unsigned lane = 0; lane < type->getNumElements(); ++lane) {
    Constant *bit = constant->getAggregateElement(lane);
    if (!bit || !isa<ConstantInt>(bit) || (bit->isOneValue() && found))
      return std::nullopt;
    if (bit->isOneValue())
      found = lane;
  }
  return found;
}

/// Stores the lane of a masked store that has only one. LLVM does so as well,
/// but if the elements are truncated by the store, as with AVX-512, it writes
/// all bytes that they had before, over what follows.
static void storeSingleLanes(Function &function) {
  for (Instruction &instruction :
       make_early_inc_range(instructions(function))) {
    auto *store = dyn_cast<IntrinsicInst>(&instruction);
    if (!store || store->getIntrinsicID() != Intrinsic::masked_store)
      continue;
    std::optional<unsigned> lane =
        onlyLane(store->getArgOperand(store->arg_size() - 1));
    if (!lane)
      continue;
    IRBuilder<> builder(store);
    Value *element =
        builder.CreateExtractElement(store->getArgOperand(0), *lane);
    Value *address = builder.CreateConstGEP1_32(element->getType(),
                                                store->getArgOperand(1), *lane);
    builder.CreateAlignedStore(element, address, Align(1));
    store->eraseFromParent();
  }
}

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
  for (Function &function : module)
    storeSingleLanes(function);
}
