// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Functions of f32 that are rare, by series in f64, which vectors do many of at
// once: libm takes them one by one.
#include "passes/Cpu/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "passes/Loops/WideFunctions.h"

namespace hone {
#define GEN_PASS_DEF_EXPANDRAREMATHPASS
#include "passes/Cpu/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;

namespace {
struct ExpandRareMathPass
    : hone::impl::ExpandRareMathPassBase<ExpandRareMathPass> {
  using Base::Base;
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    using F = WideFunctions;
    patterns.add<ExpandByWide<math::AcosOp, &F::acos>,
                 ExpandByWide<math::AcoshOp, &F::acosh>,
                 ExpandByWide<math::AsinOp, &F::asin>,
                 ExpandByWide<math::AsinhOp, &F::asinh>,
                 ExpandByWide<math::AtanOp, &F::atan>,
                 ExpandByWide<math::AtanhOp, &F::atanh>,
                 ExpandByWide<math::CosOp, &F::cos>,
                 ExpandByWide<math::CoshOp, &F::cosh>,
                 ExpandByWide<math::SinOp, &F::sin>,
                 ExpandByWide<math::SinhOp, &F::sinh>,
                 ExpandByWide<math::TanOp, &F::tan>>(&getContext(),
                                                     /*branches=*/true);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns)))) {
      getOperation()->emitError("math functions could not be expanded");
      signalPassFailure();
    }
  }
};
} // namespace
