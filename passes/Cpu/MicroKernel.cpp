// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The forms in which register tiles multiply.
#include "passes/Cpu/MicroKernel.h"
#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace hone;

static int64_t wholeVector(const CpuMachine &machine) {
  return machine.vectorBits;
}

static int64_t halfVector(const CpuMachine &machine) {
  return machine.vectorBits / 2;
}

static Value broadcastLeft(Emitter &e, const FlatBuffer &buffer, Value offset,
                           VectorType type) {
  Value scalar = e.extend(buffer.load(e, offset), type.getElementType());
  return vector::BroadcastOp::create(e.builder, e.loc, type, scalar);
}

static Value extendRight(Emitter &e, const FlatBuffer &buffer, Value offset,
                         VectorType type, Value mask) {
  Value loaded = buffer.load(e, offset, type.getNumElements(), mask);
  return e.extend(loaded, type.getElementType());
}

static Value fuse(Emitter &e, Value left, Value right, Value sum) {
  return vector::FMAOp::create(e.builder, e.loc, left, right, sum);
}

static Value multiplyThenAdd(Emitter &e, Value left, Value right, Value sum) {
  return e.sum(sum, e.product(left, right));
}

static constexpr MicroKernel kTable[] = {
    // Fused multiply-add of floats; narrower operands are widened as they are
    // loaded.
    {"fma",
     [](const CpuMachine &machine, const ProductTypes &types) {
       return machine.hasFma() && isa<FloatType>(types.accumulator);
     },
     wholeVector, /*temporaries=*/1, broadcastLeft, extendRight, fuse},
    // The same with half vectors, for results of few columns. They have as many
    // registers, and pipelines that are narrower than a vector take half as
    // long for them.
    {"fma_half",
     [](const CpuMachine &machine, const ProductTypes &types) {
       return machine.hasFma() && machine.vectorBits == 512 &&
              isa<FloatType>(types.accumulator);
     },
     halfVector, /*temporaries=*/1, broadcastLeft, extendRight, fuse},
    // Floats without FMA, and integers. A product overwrites a copy of a
    // factor.
    {"mul_add",
     [](const CpuMachine &machine, const ProductTypes &types) {
       return !machine.hasFma() || !isa<FloatType>(types.accumulator);
     },
     wholeVector, /*temporaries=*/3, broadcastLeft, extendRight,
     multiplyThenAdd},
};

int64_t MicroKernel::lanes(const CpuMachine &machine, Type accumulator) const {
  return std::clamp<int64_t>(vectorBits(machine) /
                                 accumulator.getIntOrFloatBitWidth(),
                             1, graph::kPanelWidth);
}

ArrayRef<MicroKernel> hone::microKernels() { return kTable; }

const MicroKernel &hone::chooseMicroKernel(const CpuMachine &machine,
                                           const ProductTypes &types) {
  for (const MicroKernel &kernel : kTable)
    if (kernel.fits(machine, types))
      return kernel;
  llvm_unreachable("a form without conditions is in the table");
}

const MicroKernel *hone::findMicroKernel(StringRef name) {
  auto found = llvm::find_if(
      kTable, [&](const MicroKernel &kernel) { return kernel.name == name; });
  return found == std::end(kTable) ? nullptr : &*found;
}
