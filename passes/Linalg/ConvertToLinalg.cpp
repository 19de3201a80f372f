// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Turns the operations of a kernel that are loops over independent elements
// into linalg.generic, so that producers can be fused into consumers.
#include "passes/Linalg/Passes.h"

#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

namespace hone {
#define GEN_PASS_DEF_CONVERTTOLINALGPASS
#include "passes/Linalg/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;

namespace {
struct ConvertToLinalgPass
    : hone::impl::ConvertToLinalgPassBase<ConvertToLinalgPass> {
  using Base::Base;
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    populateMapToLinalgPatterns(patterns);
    populateReduceToLinalgPatterns(patterns);
    populateMovementToLinalgPatterns(patterns);
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};
} // namespace
