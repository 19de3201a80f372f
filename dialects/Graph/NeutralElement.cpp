// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Zero, one, and the ends of the range of each type.
#include "dialects/Graph/NeutralElement.h"

using namespace mlir;
using namespace hone::graph;

TypedAttr hone::graph::neutralElement(ReduceKind kind, Type type) {
  Builder builder(type.getContext());
  if (auto floatType = dyn_cast<FloatType>(type)) {
    const llvm::fltSemantics &semantics = floatType.getFloatSemantics();
    switch (kind) {
    case ReduceKind::Sum:
      return builder.getFloatAttr(type, 0.0);
    case ReduceKind::Prod:
      return builder.getFloatAttr(type, 1.0);
    case ReduceKind::Max:
    case ReduceKind::UMax:
      return builder.getFloatAttr(type, APFloat::getInf(semantics, true));
    case ReduceKind::Min:
    case ReduceKind::UMin:
      return builder.getFloatAttr(type, APFloat::getInf(semantics));
    }
  }
  unsigned width = type.getIntOrFloatBitWidth();
  switch (kind) {
  case ReduceKind::Sum:
  case ReduceKind::UMax:
    return builder.getIntegerAttr(type, APInt::getZero(width));
  case ReduceKind::Prod:
    return builder.getIntegerAttr(type, APInt(width, 1));
  case ReduceKind::Max:
    return builder.getIntegerAttr(type, APInt::getSignedMinValue(width));
  case ReduceKind::Min:
    return builder.getIntegerAttr(type, APInt::getSignedMaxValue(width));
  case ReduceKind::UMin:
    return builder.getIntegerAttr(type, APInt::getMaxValue(width));
  }
  llvm_unreachable("all kinds are above");
}
