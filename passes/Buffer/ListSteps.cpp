// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Numbers the steps of a run for profiles: each launch, each call of a library
// function and each copy of some size, with the nodes it originates from.
#include "dialects/Graph/Nodes.h"
#include "dialects/Rt/Rt.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/Analysis/Sizes.h"
#include "passes/Buffer/NodeTable.h"
#include "passes/Buffer/Passes.h"

namespace hone {
#define GEN_PASS_DEF_LISTSTEPSPASS
#include "passes/Buffer/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;

/// A smaller copy takes less time than reading the clock.
static constexpr int64_t fewBytes = 1024;

static bool isSmall(rt::CopyOp copy) {
  MemRefType from = copy.getSource().getType(), to = copy.getTarget().getType();
  std::optional<int64_t> bytes = staticBytes(from);
  return bytes && *bytes <= fewBytes && !rt::isOnDevice(from) &&
         !rt::isOnDevice(to);
}

/// The name of a step: a kernel's symbol, or a text. Null if it is not a step.
static Attribute nameOf(Operation *op) {
  if (auto dispatch = dyn_cast<rt::DispatchOp>(op))
    return dispatch.getKernelAttr();
  if (auto library = dyn_cast<rt::LibraryOp>(op))
    return library.getFunctionAttr();
  if (auto copy = dyn_cast<rt::CopyOp>(op); copy && !isSmall(copy))
    return UnitAttr::get(op->getContext());
  return {};
}

namespace {
struct ListStepsPass : hone::impl::ListStepsPassBase<ListStepsPass> {
  using Base::Base;
  void runOnOperation() override {
    ModuleOp module = getOperation();
    auto run = module.lookupSymbol<func::FuncOp>(rt::kRunName);
    if (!run)
      return;
    Builder builder(&getContext());
    NodeTable table(module);
    SmallVector<Attribute> steps;
    run.walk([&](Operation *op) {
      Attribute name = nameOf(op);
      if (!name)
        return;
      graph::NodeList nodes;
      graph::addNodes(op->getLoc(), nodes);
      SmallVector<int64_t> numbers;
      for (NameLoc node : nodes)
        numbers.push_back(table.numberOf(node));
      op->setAttr("step", builder.getI64IntegerAttr(steps.size()));
      steps.push_back(
          builder.getArrayAttr({name, builder.getDenseI64ArrayAttr(numbers)}));
    });
    table.store();
    module->setAttr(rt::kStepsAttr, builder.getArrayAttr(steps));
  }
};
} // namespace
