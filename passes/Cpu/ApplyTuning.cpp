// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gives operations the schedules that were measured to be the fastest.
#include "dialects/Graph/Graph.h"
#include "mlir/IR/Remarks.h"
#include "passes/Cpu/ContractionPasses.h"
#include "passes/Cpu/KernelIdentity.h"
#include "passes/Cpu/Schedule.h"

namespace hone {
#define GEN_PASS_DEF_APPLYTUNINGPASS
#include "passes/Cpu/ContractionPasses.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using namespace hone::graph;

/// The schedules for a kernel in a table for some machines; null if there are
/// none.
static ArrayAttr findSchedules(ArrayAttr table, func::FuncOp kernel) {
  const CpuMachine &machine = CpuMachine::of(kernel);
  for (auto pair : table.getAsRange<ArrayAttr>()) {
    auto described = dyn_cast<machine::CpuAttr>(pair[0]);
    auto kernels = dyn_cast<DictionaryAttr>(pair[1]);
    if (described && kernels && described.getMachine() == machine)
      return kernels.getAs<ArrayAttr>(kernelIdentity(kernel));
  }
  return {};
}

/// Why the schedules do not match these operations; "" if they do.
static std::string findProblem(ArrayRef<ScheduledOpInterface> operations,
                               ArrayAttr schedules, const CpuMachine &machine) {
  if (schedules.size() != operations.size())
    return "its schedules are for other operations";
  for (auto [op, attr] : llvm::zip_equal(operations, schedules)) {
    auto schedule = dyn_cast<ScheduleAttr>(attr);
    if (!schedule)
      return "it has something else than schedules";
    std::string problem = scheduleProblem(op, schedule, machine);
    if (!problem.empty())
      return "its schedule has " + problem;
  }
  return "";
}

namespace {
struct ApplyTuningPass : hone::impl::ApplyTuningPassBase<ApplyTuningPass> {
  using Base::Base;

  void runOnOperation() override {
    func::FuncOp kernel = getOperation();
    auto table = kernel->getAttrOfType<ArrayAttr>(kTuningAttr);
    if (!table)
      return;
    kernel->removeAttr(kTuningAttr);
    SmallVector<ScheduledOpInterface> operations = scheduledOperations(kernel);
    if (operations.empty())
      return;
    Location loc = operations.front()->getLoc();
    auto options = [](StringRef name) {
      return remark::RemarkOpts::name(name).category("apply-tuning");
    };
    ArrayAttr schedules = findSchedules(table, kernel);
    if (!schedules) {
      remark::missed(loc, options("unknown"))
          << remark::reason("no tuning file has an entry for this kernel");
      return;
    }
    std::string problem =
        findProblem(operations, schedules, CpuMachine::of(kernel));
    if (!problem.empty()) {
      remark::missed(loc, options("forbidden")) << remark::reason(
          "the entry of a tuning file is left out: {0}", problem);
      return;
    }
    for (auto [op, attr] : llvm::zip_equal(operations, schedules))
      op.setScheduleAttr(cast<ScheduleAttr>(attr));
    remark::passed(loc, options("tuned"));
  }
};
} // namespace
