// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The IR after a phase: of the host, and of each kernel for the first variant
// of where it runs.
#include "compiler/Driver/PhaseIr.h"
#include "dialects/Rt/Rt.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace hone;

/// Kernels that a message proposes.
static constexpr size_t kMostProposed = 5;

SmallVector<func::FuncOp> hone::kernelsOf(ModuleOp model) {
  auto isKernel = [](func::FuncOp function) {
    return function->hasAttr(rt::kKernelAttr);
  };
  return llvm::to_vector(
      llvm::make_filter_range(model.getOps<func::FuncOp>(), isKernel));
}

llvm::Expected<func::FuncOp> hone::findKernel(ModuleOp model, StringRef name) {
  SmallVector<func::FuncOp> kernels = kernelsOf(model);
  for (func::FuncOp kernel : kernels)
    if (kernel.getSymName() == name)
      return kernel;
  std::string text = ("there is no kernel '" + name + "'; ").str();
  if (kernels.empty())
    return llvm::createStringError(text + "the model has none");
  SmallVector<std::pair<unsigned, StringRef>> near;
  for (func::FuncOp kernel : kernels)
    near.push_back(
        {kernel.getSymName().edit_distance(name), kernel.getSymName()});
  llvm::sort(near);
  if (near.size() > kMostProposed)
    text += "the nearest of " + llvm::utostr(near.size()) + " are ";
  else
    text += "there are ";
  near.truncate(std::min(near.size(), kMostProposed));
  return llvm::createStringError(
      text + llvm::join(llvm::make_second_range(near), ", "));
}

OwningOpRef<ModuleOp> hone::kernelAfter(func::FuncOp kernel, Phase phase,
                                        const Targets &targets) {
  const Backend &backend = *targets.of(kernel).back();
  NamedAttribute machine = backend.machine(kernel.getContext(), /*variant=*/0);
  return phase == Phase::Graph ? Backend::isolate(kernel, machine)
                               : backend.lower(kernel, phase, machine);
}

OwningOpRef<ModuleOp> hone::hostAfter(ModuleOp model, Phase phase,
                                      const Instrument &instrument) {
  OwningOpRef<ModuleOp> host = model.clone();
  for (func::FuncOp kernel : kernelsOf(*host))
    kernel.eraseBody();
  if (phase == Phase::Llvm &&
      failed(runPhase(*host, buildHostLlvmPipeline, instrument)))
    return nullptr;
  return host;
}
