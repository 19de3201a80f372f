// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The operations by which the bodies of reductions accumulate.
#include "passes/Emit/Combiner.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace hone;

Operation *hone::combinerOf(const LoopNest &nest, unsigned output) {
  linalg::GenericOp op = nest.op;
  Block &block = op.getRegion().front();
  BlockArgument accumulator = block.getArgument(nest.numInputs() + output);
  Value yielded = block.getTerminator()->getOperand(output);
  Operation *combiner = yielded.getDefiningOp();
  if (!combiner || !accumulator.hasOneUse() || combiner->getBlock() != &block ||
      *accumulator.user_begin() != combiner || !yielded.hasOneUse())
    return nullptr;
  return combiner->getNumOperands() == 2 && combiner->getNumResults() == 1
             ? combiner
             : nullptr;
}

TypedAttr hone::neutralOf(Operation *combiner) {
  Type type = combiner->getResult(0).getType();
  Builder builder(type.getContext());
  auto floatAttr = [&](APFloat (*make)(const llvm::fltSemantics &, bool),
                       bool negative) -> TypedAttr {
    return builder.getFloatAttr(
        type, make(cast<FloatType>(type).getFloatSemantics(), negative));
  };
  auto intAttr = [&](APInt value) -> TypedAttr {
    return builder.getIntegerAttr(type, value);
  };
  unsigned width = type.isIntOrFloat() ? type.getIntOrFloatBitWidth() : 0;
  return TypeSwitch<Operation *, TypedAttr>(combiner)
      .Case<arith::AddFOp>([&](auto) {
        // -0 is the neutral element, but sums that start from 0 never see the
        // difference.
        return builder.getFloatAttr(type, 0.0);
      })
      .Case<arith::MulFOp>(
          [&](auto) { return builder.getFloatAttr(type, 1.0); })
      .Case<arith::MaximumFOp>(
          [&](auto) { return floatAttr(APFloat::getInf, true); })
      .Case<arith::MinimumFOp>(
          [&](auto) { return floatAttr(APFloat::getInf, false); })
      .Case<arith::AddIOp, arith::OrIOp, arith::XOrIOp, arith::MaxUIOp>(
          [&](auto) { return intAttr(APInt::getZero(width)); })
      .Case<arith::MulIOp>([&](auto) { return intAttr(APInt(width, 1)); })
      .Case<arith::AndIOp, arith::MinUIOp>(
          [&](auto) { return intAttr(APInt::getAllOnes(width)); })
      .Case<arith::MaxSIOp>(
          [&](auto) { return intAttr(APInt::getSignedMinValue(width)); })
      .Case<arith::MinSIOp>(
          [&](auto) { return intAttr(APInt::getSignedMaxValue(width)); })
      .Default([](Operation *) { return TypedAttr(); });
}

Value hone::applyCombiner(Emitter &e, Operation *combiner, Value a, Value b) {
  OperationState state(e.loc, combiner->getName(), {a, b}, {a.getType()},
                       combiner->getDiscardableAttrDictionary().getValue());
  state.propertiesAttr = combiner->getPropertiesAsAttribute();
  return e.builder.create(state)->getResult(0);
}

std::pair<Value, Value> hone::halvesOf(OpBuilder &builder, Location loc,
                                       Value vector) {
  int64_t lanes = cast<VectorType>(vector.getType()).getNumElements();
  auto part = [&](int64_t from, int64_t to) -> Value {
    return vector::ShuffleOp::create(
        builder, loc, vector, vector,
        llvm::to_vector(llvm::seq<int64_t>(from, to)));
  };
  return {part(0, lanes / 2), part(lanes / 2, lanes)};
}

Value hone::reduceVector(Emitter &e, Operation *combiner, Value vector) {
  using K = vector::CombiningKind;
  auto kind =
      TypeSwitch<Operation *, K>(combiner)
          .Case<arith::AddFOp, arith::AddIOp>([](auto) { return K::ADD; })
          .Case<arith::MulFOp, arith::MulIOp>([](auto) { return K::MUL; })
          .Case<arith::MaximumFOp>([](auto) { return K::MAXIMUMF; })
          .Case<arith::MinimumFOp>([](auto) { return K::MINIMUMF; })
          .Case<arith::OrIOp>([](auto) { return K::OR; })
          .Case<arith::XOrIOp>([](auto) { return K::XOR; })
          .Case<arith::AndIOp>([](auto) { return K::AND; })
          .Case<arith::MaxUIOp>([](auto) { return K::MAXUI; })
          .Case<arith::MinUIOp>([](auto) { return K::MINUI; })
          .Case<arith::MaxSIOp>([](auto) { return K::MAXSI; })
          .Default([](Operation *) { return K::MINSI; });
  return vector::ReductionOp::create(e.builder, e.loc, kind, vector);
}
