// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What all targets have in common.
#include "compiler/Target/Backend.h"

using namespace mlir;
using namespace hone;

OwningOpRef<ModuleOp> Backend::lower(func::FuncOp kernel, Phase last,
                                     NamedAttribute machine) const {
  OwningOpRef<ModuleOp> module = ModuleOp::create(kernel.getLoc());
  module->getOperation()->setAttr(machine.getName(), machine.getValue());
  func::FuncOp clone = kernel.clone();
  // It is called from outside now.
  clone.setPublic();
  module->push_back(clone);
  auto build = [&](OpPassManager &pm) {
    buildKernelLinalgPipeline(pm);
    if (last >= Phase::Buffer)
      addBufferPhase(pm);
    if (last >= Phase::Llvm)
      addLlvmPhase(pm);
  };
  if (failed(runPhase(*module, build)))
    return nullptr;
  return module;
}

llvm::Expected<std::string> Backend::emitText(ModuleOp) const {
  return llvm::createStringError("the target has no text of its own");
}
