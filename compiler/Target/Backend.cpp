// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What all targets have in common.
#include "compiler/Target/Backend.h"

using namespace mlir;
using namespace hone;

OwningOpRef<ModuleOp> Backend::isolate(func::FuncOp kernel,
                                       NamedAttribute machine) {
  OwningOpRef<ModuleOp> module = ModuleOp::create(kernel.getLoc());
  module->getOperation()->setAttr(machine.getName(), machine.getValue());
  func::FuncOp clone = kernel.clone();
  // It is called from outside now.
  clone.setPublic();
  module->push_back(clone);
  return module;
}

OwningOpRef<ModuleOp> Backend::lower(func::FuncOp kernel, Phase last,
                                     NamedAttribute machine) const {
  OwningOpRef<ModuleOp> module = isolate(kernel, machine);
  SmallVector<Phase> pending;
  for (Phase phase : {Phase::Linalg, Phase::Buffer, Phase::Llvm}) {
    pending.push_back(phase);
    // In one run if nothing comes between: MLIR's verifier ends each.
    if (phase < last && !hasPipelines(phase))
      continue;
    if (failed(runPhase(
            *module,
            [&](OpPassManager &pm) {
              for (Phase next : pending)
                addPhase(pm, next);
            },
            instrument)))
      return nullptr;
    pending.clear();
    if (hasPipelines(phase) && failed(pipelines->run(phase, *module)))
      return nullptr;
    if (phase == last)
      break;
  }
  return module;
}

void Backend::addPhase(OpPassManager &pm, Phase phase) const {
  if (phase == Phase::Linalg)
    buildKernelLinalgPipeline(pm);
  else if (phase == Phase::Buffer)
    addBufferPhase(pm);
  else
    addLlvmPhase(pm);
}

llvm::Expected<std::string> Backend::emitText(ModuleOp) const {
  return llvm::createStringError("the target has no text of its own");
}
