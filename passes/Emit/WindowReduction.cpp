// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How the elements of a window are combined, for convolution and pooling.
#include "passes/Emit/WindowReduction.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace hone;
using namespace hone::graph;

WindowReduction WindowReduction::get(KernelPoolOp op) {
  WindowReduction reduction{Sum};
  if (op.getKind() == PoolKind::Max)
    reduction.kind = WindowReduction::Max;
  else if (op.getKind() == PoolKind::Average)
    reduction.kind = WindowReduction::Average;
  reduction.isUnsigned = op.getIsUnsigned();
  reduction.countIncludePad = op.getCountIncludePad();
  return reduction;
}

Value WindowReduction::neutral(Emitter &e, Type type) const {
  if (kind != Max)
    return e.zero(type);
  Type element = getElementTypeOrSelf(type);
  TypedAttr least;
  if (auto floatType = dyn_cast<FloatType>(element))
    least = e.builder.getFloatAttr(
        floatType, APFloat::getInf(floatType.getFloatSemantics(), true));
  else if (isUnsigned)
    least = e.builder.getIntegerAttr(element, 0);
  else
    least = e.builder.getIntegerAttr(
        element, APInt::getSignedMinValue(element.getIntOrFloatBitWidth()));
  return e.splat(type, least);
}

Value WindowReduction::combine(Emitter &e, Value sum, Value input,
                               Value tap) const {
  Type element = getElementTypeOrSelf(sum);
  if (kind == Weighted) {
    if (fma && isa<FloatType>(element) && isa<VectorType>(sum.getType()))
      return vector::FMAOp::create(e.builder, e.loc, input, tap, sum);
    return e.sum(sum, e.product(input, tap));
  }
  if (kind != Max)
    return e.sum(sum, input);
  if (isa<FloatType>(element))
    return arith::MaximumFOp::create(e.builder, e.loc, sum, input);
  if (isUnsigned)
    return arith::MaxUIOp::create(e.builder, e.loc, sum, input);
  return arith::MaxSIOp::create(e.builder, e.loc, sum, input);
}

Value WindowReduction::divisor(Emitter &e, const Window &window, size_t d,
                               Value start) const {
  if (!countIncludePad) {
    auto [low, high] = window.kernelRange(e, d, start);
    return e.sub(high, low);
  }
  // Up to the end of the high pad; windows never start before the low one.
  Value end = e.add(window.in[d], window.pads[window.spatial() + d]);
  Value inside = e.ceilDiv(e.sub(end, start), window.dilations[d]);
  return e.min(inside, e.cst(window.kernel[d]));
}

Value WindowReduction::divide(Emitter &e, Value sum, Value count) {
  Type element = getElementTypeOrSelf(sum);
  auto like = [&](Type type) -> Type {
    auto vector = dyn_cast<VectorType>(count.getType());
    return vector ? vector.clone(type) : type;
  };
  Value divisor = arith::IndexCastOp::create(
      e.builder, e.loc, like(e.builder.getI64Type()), count);
  if (isa<FloatType>(element))
    divisor = arith::SIToFPOp::create(e.builder, e.loc, like(element), divisor);
  else if (element.getIntOrFloatBitWidth() < 64)
    divisor = arith::TruncIOp::create(e.builder, e.loc, like(element), divisor);
  if (isa<VectorType>(sum.getType()))
    divisor =
        vector::BroadcastOp::create(e.builder, e.loc, sum.getType(), divisor);
  if (isa<FloatType>(element))
    return arith::DivFOp::create(e.builder, e.loc, sum, divisor);
  return arith::DivSIOp::create(e.builder, e.loc, sum, divisor);
}
