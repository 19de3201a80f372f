// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Turns matrix products over buffers into launches.
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Emit/Contraction.h"
#include "passes/Gpu/Passes.h"
#include "passes/Gpu/Product/TiledProduct.h"

namespace hone {
#define GEN_PASS_DEF_GPULOWERCONTRACTIONSPASS
#include "passes/Gpu/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using hone::graph::KernelMatmulOp;

static TileSource leftOf(Emitter &e, const Contraction &contraction,
                         Value base) {
  TileSource source;
  source.buffer = contraction.a;
  source.lines = contraction.m;
  source.depth = contraction.k;
  source.contiguity = contiguityOf(contraction.k);
  source.enter = [&e, base, k = contraction.k](Value row) {
    return SmallVector<Value>{e.add(base, e.mul(row, k))};
  };
  source.at = [&e](ValueRange line, TileSource::KSlice slice, Value inside) {
    Value k = e.add(slice.first, inside);
    return TileSource::Place{e.add(line[0], k), nullptr};
  };
  return source;
}

static TileSource rightOf(Emitter &e, const Contraction &contraction,
                          Value base) {
  TileSource source;
  Value n = contraction.n, depth = contraction.k;
  source.buffer = contraction.b;
  source.lines = n;
  source.depth = depth;
  source.alongK = contraction.shape.layout == RhsLayout::Transposed;
  Value step = e.cst(1); // From one k to the next.
  switch (contraction.shape.layout) {
  case RhsLayout::Packed: {
    graph::PackedAttr packed = contraction.shape.packed;
    return packedSource(e, contraction.b, packed, e.ceilDiv(n, packed.getNr()),
                        depth, e.cst(0));
  }
  case RhsLayout::Quantized:
    llvm_unreachable("refused before");
  case RhsLayout::RowMajor:
    source.contiguity = contiguityOf(n);
    step = n;
    source.enter = [&e, base](Value column) {
      return SmallVector<Value>{e.add(base, column)};
    };
    break;
  case RhsLayout::Transposed:
    source.contiguity = contiguityOf(depth);
    source.enter = [&e, base, depth](Value column) {
      return SmallVector<Value>{e.add(base, e.mul(column, depth))};
    };
    break;
  }
  source.at = [&e, step](ValueRange line, TileSource::KSlice slice,
                         Value inside) {
    Value k = e.add(slice.first, inside);
    return TileSource::Place{e.add(line[0], e.mul(k, step)), nullptr};
  };
  return source;
}

static LogicalResult lowerMatmul(Emitter &e, KernelMatmulOp op) {
  if (op.getQuantized())
    return op.emitError("reads quantized weights, for which there is no code "
                        "for GPUs");
  Contraction contraction = Contraction::get(e, op);
  Epilogue epilogue(e, op, contraction.shape.groups);
  size_t batchRank = epilogue.rank() - 2;
  contraction.m = epilogue.sizes[batchRank];
  contraction.n = epilogue.sizes.back();

  Product product;
  product.m = contraction.m;
  product.n = contraction.n;
  product.k = contraction.k;
  product.batch.assign(epilogue.sizes.begin(),
                       epilogue.sizes.begin() + batchRank);
  product.leftType = contraction.a.elementType();
  product.rightType = contraction.b.elementType();
  product.accumulator = contraction.shape.types.accumulator;
  product.rightAlongK = contraction.shape.layout == RhsLayout::Transposed;
  product.epilogue = &epilogue;
  product.operands = [&](ValueRange batch) {
    Value a = e.cst(0), b = e.cst(0);
    for (auto [i, coordinate] : llvm::enumerate(batch)) {
      a = e.add(a, e.mul(coordinate, contraction.aBatchStrides[i]));
      b = e.add(b, e.mul(coordinate, contraction.bBatchStrides[i]));
    }
    return std::pair(leftOf(e, contraction, a), rightOf(e, contraction, b));
  };
  product.coordinates = [](ValueRange batch, Value row, Value column) {
    SmallVector<Value> coordinates = llvm::to_vector(batch);
    coordinates.append({row, column});
    return coordinates;
  };
  emitProduct(e, product);
  return success();
}

namespace {
struct GpuLowerContractionsPass
    : hone::impl::GpuLowerContractionsPassBase<GpuLowerContractionsPass> {
  using Base::Base;

  void runOnOperation() override {
    if (failed(lowerEach<KernelMatmulOp>(getOperation(), lowerMatmul)))
      signalPassFailure();
  }
};
} // namespace
