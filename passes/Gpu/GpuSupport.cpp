// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which kernels a GPU can run.
#include "passes/Gpu/GpuSupport.h"

#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace hone;
using namespace hone::graph;

static bool isDeviceType(Type type) {
  Type element = getElementTypeOrSelf(type);
  if (auto integer = dyn_cast<IntegerType>(element)) {
    unsigned width = integer.getWidth();
    return width == 1 ||
           (width >= 8 && width <= 64 && llvm::isPowerOf2_32(width));
  }
  return isa<IndexType, Float16Type, BFloat16Type, Float32Type, Float64Type>(
      element);
}

bool hone::gpuSupportsMath(Operation *op) {
  // These have instructions.
  if (isa<math::AbsFOp, math::AbsIOp, math::CeilOp, math::CopySignOp,
          math::CountLeadingZerosOp, math::CountTrailingZerosOp, math::CtPopOp,
          math::FloorOp, math::FmaOp, math::IsFiniteOp, math::IsInfOp,
          math::IsNaNOp, math::RoundEvenOp, math::SqrtOp, math::TruncOp>(op))
    return true;
  return isa<math::AcosOp, math::AcoshOp, math::AsinOp, math::AsinhOp,
             math::Atan2Op, math::AtanOp, math::AtanhOp, math::CbrtOp,
             math::CosOp, math::CoshOp, math::ErfOp, math::Exp2Op,
             math::ExpM1Op, math::ExpOp, math::Log10Op, math::Log1pOp,
             math::Log2Op, math::LogOp, math::PowFOp, math::RsqrtOp,
             math::SinOp, math::SinhOp, math::TanOp, math::TanhOp>(op);
}

static bool isDeviceOp(Operation *op) {
  if (isa<math::MathDialect>(op->getDialect()))
    return gpuSupportsMath(op);
  if (isa<GraphDialect>(op->getDialect()))
    return !isa<LibraryOp>(op);
  return isa<arith::ArithDialect, func::FuncDialect, linalg::LinalgDialect,
             scf::SCFDialect, tensor::TensorDialect>(op->getDialect());
}

bool hone::gpuSupports(func::FuncOp kernel) {
  WalkResult result = kernel.walk([](Operation *op) {
    bool types = llvm::all_of(op->getOperandTypes(), isDeviceType) &&
                 llvm::all_of(op->getResultTypes(), isDeviceType);
    for (Region &region : op->getRegions())
      for (Block &block : region)
        types &= llvm::all_of(block.getArgumentTypes(), isDeviceType);
    return types && isDeviceOp(op) ? WalkResult::advance()
                                   : WalkResult::interrupt();
  });
  return !result.wasInterrupted();
}
