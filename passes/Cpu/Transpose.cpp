// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Elementwise nests whose outputs are contiguous along one dimension and some
// inputs along another: square blocks are read along the latter, transposed by
// shuffles and written along the former.
#include "passes/Cpu/Transpose.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Emit/LoopBody.h"
#include "passes/Emit/LoopMotion.h"
#include "passes/Emit/TransposeBlock.h"
#include "passes/Machine/Tuning.h"

using namespace mlir;
using namespace hone;

namespace {

struct Plan {
  int write = -1; ///< Dimension that outputs are contiguous along.
  int read = -1;  ///< Dimension that transposed inputs are contiguous along.
  SmallVector<unsigned> transposed; ///< Inputs.
  int64_t block = 0;
};

bool longEnough(const LoopNest &nest, int dim, int64_t block) {
  std::optional<int64_t> extent = nest.extent(dim);
  return !extent || *extent >= block;
}

/// Inputs that must be transposed to be read along `write`, or nothing if some
/// are contiguous along neither.
std::optional<SmallVector<unsigned>> transposedInputs(const LoopNest &nest,
                                                      int write, int read) {
  SmallVector<unsigned> transposed;
  for (unsigned i = 0; i < nest.numInputs(); ++i) {
    if (!nest.walks(i, write) || nest.stride(i, write) == 1)
      continue;
    if (nest.stride(i, read) != 1)
      return std::nullopt;
    transposed.push_back(i);
  }
  return transposed;
}

std::optional<Plan> planBlocks(const LoopNest &nest,
                               const CpuMachine &machine) {
  unsigned outputs = nest.accesses.size() - nest.numInputs();
  for (const NestDim &dim : nest.dims)
    if (dim.reduction)
      return std::nullopt;
  for (unsigned i = 0; i < outputs; ++i)
    if (nest.isReduced(i))
      return std::nullopt;
  for (int write = nest.dims.size() - 1; write >= 0; --write) {
    VectorCost cost = vectorCost(nest, write);
    if (!cost.possible || cost.strided == 0 || cost.gathered > 0 ||
        cost.ops + 10 * cost.math > tuning::kMaxTransposedBody)
      continue;
    int64_t block = std::min<int64_t>(16, machine.lanes(cost.width));
    if (!longEnough(nest, write, block))
      continue;
    for (int read = nest.dims.size() - 1; read >= 0; --read) {
      if (read == write || !longEnough(nest, read, block))
        continue;
      if (auto transposed = transposedInputs(nest, write, read))
        if (!transposed->empty())
          return Plan{write, read, *transposed, block};
    }
  }
  return std::nullopt;
}

class BlockEmitter {
public:
  BlockEmitter(Emitter &e, const LoopNest &nest, const CpuMachine &machine,
               Plan plan)
      : e(e), nest(nest), machine(machine), plan(std::move(plan)) {}

  void emit() {
    SmallVector<unsigned> outer;
    SmallVector<Value> extents;
    for (unsigned i = 0; i < nest.dims.size(); ++i)
      if (int(i) != plan.write && int(i) != plan.read) {
        outer.push_back(i);
        extents.push_back(nest.dims[i].extent);
      }
    Value rows = nest.dims[plan.read].extent;
    int64_t strip = plan.block * tuning::kTransposedBlocks;
    Value strips = e.ceilDiv(rows, strip), pieces = strips;
    for (Value extent : extents)
      pieces = e.mul(pieces, extent);
    if (constantOf(pieces).value_or(tuning::balancedBlocks(machine)) <
        tuning::balancedBlocks(machine)) {
      strip = plan.block;
      strips = e.ceilDiv(rows, strip);
    }
    extents.push_back(strips);
    parallelLoop(e, extents, [&](ValueRange ivs) {
      LoopNest inner = nest;
      for (size_t i = outer.size(); i-- > 0;)
        inner.fix(e, outer[i], ivs[i]);
      // Two dimensions are left, in their original order.
      readDim = plan.read < plan.write ? 0 : 1;
      Value first = e.mul(ivs.back(), strip), end = e.add(first, strip);
      std::optional<int64_t> known = constantOf(rows);
      Value isWhole =
          known && *known % strip == 0
              ? arith::ConstantIntOp::create(e.builder, e.loc, 1, 1).getResult()
              : e.cmp(arith::CmpIPredicate::sle, end, rows);
      e.branch(
          isWhole, [&] { emitStrip(inner, first, strip); },
          [&] {
            Value rest = first;
            if (strip > plan.block) {
              Value left = e.sub(rows, first);
              rest = e.sub(rows, e.rem(left, e.cst(plan.block)));
              e.loop(first, rest, plan.block, {}, [&](Value row, ValueRange) {
                emitStrip(inner, row, plan.block);
                return SmallVector<Value>();
              });
            }
            emitScalars(inner, rest, rows, e.cst(0));
          });
    });
  }

private:
  /// Blocks that are adjacent in what is read, for all of what is written.
  void emitStrip(const LoopNest &inner, Value first, int64_t size) {
    Value width = inner.dims[1 - readDim].extent;
    Value end = e.sub(width, e.rem(width, e.cst(plan.block)));
    auto blocks = [&](function_ref<void(Value row)> emit) {
      e.loop(e.cst(0), e.cst(size), plan.block, {}, [&](Value at, ValueRange) {
        emit(e.add(first, at));
        return SmallVector<Value>();
      });
    };
    e.loop(e.cst(0), end, plan.block, {}, [&](Value at, ValueRange) {
      blocks([&](Value row) { emitBlock(inner, row, at); });
      return SmallVector<Value>();
    });
    if (constantOf(end) && constantOf(end) == constantOf(width))
      return;
    blocks([&](Value row) {
      emitScalars(inner, row, e.add(row, plan.block), end);
    });
  }

  void emitBlock(const LoopNest &inner, Value first, Value at) {
    unsigned writeDim = 1 - readDim;
    DenseMap<unsigned, SmallVector<Value>> columns;
    for (unsigned i : plan.transposed) {
      const NestAccess &access = inner.accesses[i];
      auto type = VectorType::get(plan.block, access.elementType());
      SmallVector<Value> rows;
      for (int64_t k = 0; k < plan.block; ++k) {
        Value offset = e.add(access.base, first);
        offset = e.add(offset, e.mul(e.add(at, k), access.strides[writeDim]));
        rows.push_back(vector::LoadOp::create(e.builder, e.loc, type,
                                              access.flat, offset));
      }
      columns[i] = transposeBlock(e, rows);
    }
    for (int64_t k = 0; k < plan.block; ++k) {
      LoopNest row = inner;
      row.fix(e, readDim, e.add(first, k));
      LoopBody body(e, row);
      DenseMap<unsigned, Value> overrides;
      for (auto &[operand, vectors] : columns)
        overrides[operand] = vectors[k];
      body.emit(at, plan.block, {}, &overrides);
    }
  }

  void emitScalars(const LoopNest &inner, Value low, Value high, Value from) {
    Value width = inner.dims[1 - readDim].extent;
    e.loop(low, high, [&](Value iv) {
      LoopNest row = inner;
      row.fix(e, readDim, iv);
      LoopBody body(e, row);
      e.loop(from, width, [&](Value at) { body.emit(at, 1, {}); });
    });
  }

  Emitter &e;
  const LoopNest &nest;
  const CpuMachine &machine;
  Plan plan;
  unsigned readDim = 0;
};
} // namespace

bool hone::emitTransposed(Emitter &e, const LoopNest &nest,
                          const CpuMachine &machine) {
  std::optional<Plan> plan = planBlocks(nest, machine);
  if (!plan)
    return false;
  BlockEmitter(e, nest, machine, *plan).emit();
  return true;
}
