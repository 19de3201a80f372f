// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a machine can do with a schedule.
#include "passes/Cpu/Schedule.h"
#include "passes/Loops/Emit.h"
#include "passes/Machine/Estimate.h"
#include "passes/Machine/Tuning.h"

using namespace mlir;
using namespace hone;
using namespace hone::graph;

int64_t hone::maxTileRows(const CpuMachine &machine, const MicroKernel &form,
                          int64_t vectors) {
  int64_t free = machine.vectorRegisters - vectors - form.temporaries;
  // Tall tiles of one vector make LLVM's scheduler spill.
  if (vectors == 1)
    free = machine.vectorRegisters / 2;
  return std::max<int64_t>(free / vectors, 1);
}

bool hone::isDotProduct(const ProductShape &shape) {
  return shape.layout == RhsLayout::Transposed &&
         !ShapedType::isDynamic(shape.m) && shape.m <= tuning::kMaxDotRows;
}

/// What all schedules have to keep.
static LogicalResult check(Operation *op, std::optional<ScheduleAttr> schedule,
                           const CpuMachine &machine,
                           const ProductTypes &types) {
  if (!schedule)
    return op->emitError("has no schedule: run hone-schedule-kernels before");
  const MicroKernel *form = findMicroKernel(schedule->getForm());
  if (!form || !form->fits(machine, types))
    return op->emitError("has the form '")
           << schedule->getForm() << "', which " << machine.name
           << " does not have for its types";
  int64_t rows = schedule->getTileRows(), vectors = schedule->getTileVectors();
  int64_t columns =
      estimateProduct(vectors, form->lanes(machine, types.accumulator));
  if (columns % kPanelWidth != 0 && kPanelWidth % columns != 0)
    return op->emitError("has tiles of ")
           << columns << " columns, but panels of " << kPanelWidth;
  // The vectors of a tile with one row are used once, from memory.
  int64_t fitting = rows == 1 ? machine.vectorRegisters - 2
                              : maxTileRows(machine, *form, vectors) * vectors;
  if (estimateProduct(rows, vectors) > fitting)
    return op->emitError("has tiles of ")
           << rows << " x " << vectors << " vectors, more than " << machine.name
           << " has registers for";
  if (schedule->getBlockColumns() % columns != 0)
    return op->emitError("has blocks of ")
           << schedule->getBlockColumns() << " columns, but tiles of "
           << columns;
  int64_t elements =
      std::max(estimateProduct(std::max(schedule->getBlockRows(), rows),
                               std::max(schedule->getBlockColumns(), columns)),
               estimateProduct(schedule->getBlockK(), columns));
  if (elements > tuning::kMaxScratchElements)
    return op->emitError("has blocks of more than ")
           << tuning::kMaxScratchElements << " elements";
  return success();
}

static LogicalResult checkProduct(Operation *op, ScheduleAttr schedule,
                                  const CpuMachine &machine,
                                  const ProductShape &shape) {
  if (isDotProduct(shape))
    return success();
  if (shape.layout == RhsLayout::Transposed && !schedule.getPacked())
    return op->emitError("has a transposed operand that is not packed");
  int64_t k = schedule.getBlockK() ? schedule.getBlockK() : shape.k;
  if (schedule.getPacked() &&
      (ShapedType::isDynamic(k) ||
       estimateProduct(k, schedule.getTileVectors() *
                              findMicroKernel(schedule.getForm())
                                  ->lanes(machine, shape.types.accumulator)) >
           tuning::kMaxScratchElements))
    return op->emitError("packs all of a K that is free or large");
  return success();
}

LogicalResult hone::checkSchedule(ContractOp op, const CpuMachine &machine) {
  if (failed(check(op, op.getSchedule(), machine, ProductTypes::of(op))))
    return failure();
  return checkProduct(op, *op.getSchedule(), machine, ProductShape::of(op));
}

LogicalResult hone::checkSchedule(ConvWindowOp op, const CpuMachine &machine) {
  if (op.getFilterLayout() != FilterLayout::Panels)
    return success();
  if (failed(check(op, op.getSchedule(), machine, ProductTypes::of(op))))
    return failure();
  if (std::optional<ProductShape> shape = ProductShape::of(op))
    return checkProduct(op, *op.getSchedule(), machine, *shape);
  if (op.getSchedule()->getBlockRows() == 0)
    return op->emitError("has blocks without rows");
  return success();
}

LogicalResult hone::checkSchedule(AttendOp op, const CpuMachine &machine) {
  if (failed(check(op, op.getSchedule(), machine, ProductTypes::of(op))))
    return failure();
  ScheduleAttr schedule = *op.getSchedule();
  if (schedule.getBlockRows() == 0 || schedule.getBlockColumns() == 0 ||
      schedule.getBlockRows() % schedule.getTileRows() != 0)
    return op->emitError("has blocks that are not made of whole tiles");
  return success();
}
