// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Functions of single elements that become simpler ones.
#include "compiler/Import/Mlir/Raise/Body.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace hone::raise;

bool Body::expandMath(Operation *op) {
  if (!isa<math::IsInfOp, math::IsNormalOp, math::ClampFOp, math::FPowIOp,
           math::SincosOp>(op))
    return false;
  Location loc = r.loc;
  Value x = lookup(op->getOperand(0));
  auto type = cast<FloatType>(x.getType());
  auto constant = [&](APFloat number) -> Value {
    bool inexact;
    number.convert(type.getFloatSemantics(), APFloat::rmNearestTiesToEven,
                   &inexact);
    return arith::ConstantOp::create(b, loc, b.getFloatAttr(type, number));
  };
  auto compare = [&](arith::CmpFPredicate predicate, Value left,
                     Value right) -> Value {
    return arith::CmpFOp::create(b, loc, predicate, left, right);
  };
  // Of the type that the module has, which may be narrower.
  const llvm::fltSemantics &own =
      cast<FloatType>(op->getOperand(0).getType()).getFloatSemantics();
  if (isa<math::IsInfOp, math::IsNormalOp>(op)) {
    Value size = math::AbsFOp::create(b, loc, x),
          infinity = constant(APFloat::getInf(own));
    if (isa<math::IsInfOp>(op)) {
      define(op->getResult(0),
             compare(arith::CmpFPredicate::OEQ, size, infinity));
      return true;
    }
    Value least = constant(APFloat::getSmallestNormalized(own));
    define(op->getResult(0),
           arith::AndIOp::create(
               b, loc, compare(arith::CmpFPredicate::OGE, size, least),
               compare(arith::CmpFPredicate::OLT, size, infinity)));
  } else if (auto clamp = dyn_cast<math::ClampFOp>(op)) {
    Value above = arith::MaximumFOp::create(b, loc, x, lookup(clamp.getMin()));
    define(clamp.getResult(),
           arith::MinimumFOp::create(b, loc, above, lookup(clamp.getMax())));
  } else if (auto power = dyn_cast<math::FPowIOp>(op)) {
    Value exponent =
        arith::SIToFPOp::create(b, loc, type, lookup(power.getRhs()));
    define(power.getResult(), math::PowFOp::create(b, loc, x, exponent));
  } else {
    define(op->getResult(0), math::SinOp::create(b, loc, x));
    define(op->getResult(1), math::CosOp::create(b, loc, x));
  }
  return true;
}
