// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Launches in which a team of threads does all stages of a row: softmax,
// normalisation and other chains of maps and reductions.
#include "passes/Gpu/Loops/LoopLaunches.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "passes/Emit/KernelTypes.h"
#include "passes/Machine/GpuTuning.h"

using namespace mlir;
using namespace hone;

namespace {
/// Temporaries are aligned for any vector.
constexpr int64_t kTemporaryBytes = 16;

/// Elements of the largest row, if known.
std::optional<int64_t> sizeOfRow(ArrayRef<LoopStage> stages,
                                 const RowPlan &plan) {
  int64_t largest = 1;
  for (auto [s, stage] : llvm::enumerate(stages)) {
    int64_t size = 1;
    for (unsigned d = 0; d < stage.nest.dims.size(); ++d) {
      if (llvm::is_contained(plan.rowDims[s], d))
        continue;
      std::optional<int64_t> extent = stage.nest.extent(d);
      if (!extent)
        return std::nullopt;
      size *= *extent;
    }
    largest = std::max(largest, size);
  }
  return largest;
}

std::optional<int64_t> numberOfRows(const RowPlan &plan) {
  int64_t rows = 1;
  for (Value extent : plan.extents) {
    std::optional<int64_t> known = constantOf(extent);
    if (!known)
      return std::nullopt;
    rows *= *known;
  }
  return rows;
}

/// The temporary of a row as an array in shared memory, one per team.
MemRefType sharedRows(RowTemporary &temporary, int64_t teams) {
  Type element = temporary.alloc.getType().getElementType();
  MemRefType row = sharedType(temporary.shape, element);
  if (teams == 1)
    return row;
  int64_t unit =
      std::max<int64_t>(kTemporaryBytes / bytesOfElement(element), 1);
  int64_t size = llvm::divideCeil(row.getNumElements(), unit) * unit;
  return sharedType({teams * size}, element);
}

/// The first row in an array in shared memory.
Value firstRow(Emitter &e, Value buffer, ArrayRef<int64_t> shape) {
  auto type = cast<MemRefType>(buffer.getType());
  if (type.getShape() == shape)
    return buffer;
  MemRefType row = sharedType(shape, type.getElementType());
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(row.getStridesAndOffset(strides, offset)))
    llvm_unreachable("the layout is plain");
  return memref::ReinterpretCastOp::create(e.builder, e.loc, row, buffer,
                                           offset, shape, strides);
}

/// Lets the stages use the row of team `number` instead of the first one.
void moveToTeam(Emitter &e, MutableArrayRef<LoopStage> stages,
                const RowTemporary &temporary, Value buffer, Value number,
                int64_t teams) {
  int64_t size = cast<MemRefType>(buffer.getType()).getNumElements() / teams;
  for (auto [s, operand] : temporary.uses) {
    NestAccess &access = stages[s].nest.accesses[operand];
    access.flat = buffer;
    access.base = e.add(access.base, e.mul(number, size));
  }
}
} // namespace

bool hone::wantsRows(ArrayRef<LoopStage> stages, const RowPlan &plan) {
  for (auto [s, stage] : llvm::enumerate(stages)) {
    if (reducedOutputs(stage.nest).empty())
      continue;
    if (!PartMerger::get(stage))
      return false;
    for (auto [d, dim] : llvm::enumerate(stage.nest.dims))
      if (!dim.reduction && !llvm::is_contained(plan.rowDims[s], d))
        return false;
  }
  std::optional<int64_t> size = sizeOfRow(stages, plan);
  std::optional<int64_t> rows = numberOfRows(plan);
  return !size || !rows || *size < tuning::kLongRow ||
         *rows >= tuning::kFewLongRows;
}

void hone::launchRows(Emitter &e, MutableArrayRef<LoopStage> stages,
                      const RowPlan &plan) {
  TeamShape shape = teamsForRows(sizeOfRow(stages, plan), numberOfRows(plan));
  for (const LoopStage &stage : stages)
    keepWholeWarps(stage, shape);
  SmallVector<MemRefType> shared;
  SmallVector<size_t> parts; // where the buffers of each stage begin
  for (const LoopStage &stage : stages) {
    parts.push_back(shared.size());
    llvm::append_range(shared, partTypes(stage.nest, shape.threads));
  }
  parts.push_back(shared.size());
  const GpuMachine &machine = GpuMachine::of(stages.front().nest.op);
  // What does not fit in shared memory stays in place, row by row.
  SmallVector<RowTemporary, 0> kept;
  int64_t bytes = 0;
  for (RowTemporary &temporary : rowTemporaries(stages, plan)) {
    if (!temporary.dynamicSizes.empty())
      continue;
    MemRefType type = sharedRows(temporary, shape.teams);
    if (bytes + bytesOf(type) > tuning::rowBytes(machine))
      continue;
    bytes += bytesOf(type);
    shared.push_back(type);
    kept.push_back(std::move(temporary));
  }
  Value rows = e.cst(1);
  for (Value extent : plan.extents)
    rows = e.mul(rows, extent);
  auto emitRow = [&](Team team, Value row, Value number,
                     ArrayRef<Value> buffers) {
    for (auto [i, temporary] : llvm::enumerate(kept)) {
      Value buffer = buffers[parts.back() + i];
      temporary.replace(e, stages, firstRow(e, buffer, temporary.shape));
    }
    SmallVector<int64_t> lanes;
    for (auto [s, stage] : llvm::enumerate(stages))
      lanes.push_back(wholeLanes(stage.nest, plan.rowDims[s]));
    for (auto [i, temporary] : llvm::enumerate(kept)) {
      Value buffer = buffers[parts.back() + i];
      if (shape.teams > 1)
        moveToTeam(e, stages, temporary, buffer, number, shape.teams);
    }
    SmallVector<Value> ivs = e.delinearize(row, plan.extents);
    for (auto [s, stage] : llvm::enumerate(stages)) {
      e.loc = stage.nest.op.getLoc();
      if (s > 0)
        emitTeamBarrier(e, team);
      LoopStage own = stage;
      fixRow(e, own.nest, plan.rowDims[s], ivs);
      emitInTeam(e, std::move(own), team, lanes[s],
                 buffers.slice(parts[s], parts[s + 1] - parts[s]));
    }
    setVectorAlignment(e, e.builder.getInsertionBlock()->getParentOp());
  };
  emitTeams(e, rows, shape, shared, emitRow);
}
