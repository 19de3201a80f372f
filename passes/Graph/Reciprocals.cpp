// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Replaces the division of a quantization by a multiplication.
#include "passes/Graph/Reciprocals.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include "passes/Analysis/Quantization.h"
#include "passes/Analysis/Sizes.h"

using namespace mlir;
using namespace hone;
using namespace hone::graph;

/// The division whose quotient a map rounds to bytes; null: there is none.
static arith::DivFOp matchQuantization(MapOp map) {
  if (map.getNumResults() != 1 ||
      !getElementTypeOrSelf(map.getResult(0)).isInteger(8))
    return {};
  arith::DivFOp division;
  for (Operation &op : map.getBody().front())
    if (auto round = dyn_cast<math::RoundEvenOp>(op))
      division = round.getOperand().getDefiningOp<arith::DivFOp>();
  return division;
}

/// Its inverse in `inverse`, unless one of the two is subnormal.
static bool invert(float scale, float &inverse) {
  inverse = 1.0f / scale;
  return std::isnormal(scale) && std::isnormal(inverse);
}

void hone::quantizeByReciprocals(MapOp map) {
  arith::DivFOp division = matchQuantization(map);
  if (!division || !division.getType().isF32())
    return;
  OpBuilder b(division);
  Value factor = division.getRhs();
  FloatAttr scale;
  float inverse;
  if (matchPattern(factor, m_Constant(&scale))) {
    if (!invert(scale.getValue().convertToFloat(), inverse))
      return;
    factor = arith::ConstantOp::create(b, division.getLoc(),
                                       b.getF32FloatAttr(inverse));
  } else {
    auto argument = dyn_cast<BlockArgument>(factor);
    if (!argument || !argument.hasOneUse())
      return;
    OpOperand &input = map.getInputsMutable()[argument.getArgNumber()];
    std::optional<SmallVector<float>> scales = constantFloats(input.get());
    if (!scales)
      return;
    for (float &scale : *scales) {
      if (!invert(scale, inverse))
        return;
      scale = inverse;
    }
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPoint(map);
    input.set(
        ConstantOp::create(b, map.getLoc(),
                           DenseElementsAttr::get(tensorType(input.get()),
                                                  ArrayRef<float>(*scales))));
  }
  Value product =
      arith::MulFOp::create(b, division.getLoc(), division.getLhs(), factor);
  division.replaceAllUsesWith(product);
  division.erase();
}
