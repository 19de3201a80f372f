// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Recognizes what maps have of quantization.
#include "passes/Analysis/Quantization.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "passes/Analysis/Sizes.h"

using namespace mlir;
using namespace hone;
using namespace hone::graph;

/// The argument that `value` converts to another type; `isUnsigned` tells how.
static BlockArgument convertedArgument(Value value, bool &isUnsigned) {
  isUnsigned = false;
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<arith::ExtUIOp, arith::ExtSIOp, arith::UIToFPOp, arith::SIToFPOp>(
            op))
      return {};
    // What has been extended as signed may be negative.
    bool isSigned = isa<arith::ExtSIOp, arith::SIToFPOp>(op);
    if (isUnsigned && isSigned)
      return {};
    isUnsigned = !isSigned;
    value = op->getOperand(0);
  }
  return cast<BlockArgument>(value);
}

std::optional<ConstantBytes> hone::knownBytes(Value value) {
  while (auto reshape = value.getDefiningOp<ReshapeOp>())
    value = reshape.getInput();
  return constantBytes(value);
}

/// `value` in the body of `map` as a scale or zero point of elements like
/// `element`.
static std::optional<Parameter> matchParameter(MapOp map, Value value,
                                               Type element) {
  Parameter found;
  FloatAttr real;
  IntegerAttr integer;
  if (matchPattern(value, m_Constant(&real))) {
    found.number = real.getValueAsDouble();
    return found;
  }
  if (matchPattern(value, m_Constant(&integer))) {
    found.number = integer.getInt();
    return found;
  }
  BlockArgument argument = convertedArgument(value, found.isUnsigned);
  if (!argument || argument.getOwner() != &map.getBody().front() ||
      argument.getType() != element)
    return std::nullopt;
  found.tensor = map.getInputs()[argument.getArgNumber()];
  return found;
}

std::optional<Dequantized> hone::matchDequantized(Value tensor) {
  auto map = tensor.getDefiningOp<MapOp>();
  Type element = getElementTypeOrSelf(tensor);
  if (!map || map.getNumResults() != 1 ||
      !(element.isF32() || element.isInteger(32)))
    return std::nullopt;
  Block &body = map.getBody().front();
  Type byte = IntegerType::get(map.getContext(), 8);
  Dequantized found;
  Value value = body.getTerminator()->getOperand(0);
  if (auto product = value.getDefiningOp<arith::MulFOp>()) {
    std::optional<Parameter> scale =
        matchParameter(map, product.getRhs(), element);
    if (!scale)
      return std::nullopt;
    found.scale = *scale;
    value = product.getLhs();
  } else if (element.isF32()) {
    found.scale.number = 1;
  }
  Operation *difference = value.getDefiningOp();
  if (isa_and_nonnull<arith::SubFOp, arith::SubIOp>(difference)) {
    std::optional<Parameter> zero =
        matchParameter(map, difference->getOperand(1), byte);
    if (!zero)
      return std::nullopt;
    found.zero = *zero;
    value = difference->getOperand(0);
  }
  BlockArgument bytes = convertedArgument(value, found.isUnsigned);
  if (!bytes || bytes.getOwner() != &body || !bytes.getType().isInteger(8))
    return std::nullopt;
  found.bytes = map.getInputs()[bytes.getArgNumber()];
  // A zero point is a byte like the others.
  if (std::optional<double> zero = found.zero.number) {
    int64_t low = found.isUnsigned ? 0 : -kSignFlip;
    if (*zero != std::floor(*zero) || *zero < low || *zero > low + kMaxDistance)
      return std::nullopt;
  }
  if (tensorType(found.bytes).getShape() != tensorType(tensor).getShape())
    return std::nullopt;
  return found;
}

bool hone::isDequantization(MapOp map) {
  if (map.getNumResults() != 1)
    return false;
  std::optional<Dequantized> found = matchDequantized(map.getResult(0));
  return found && found->scale && found->scale.number != 1.0;
}

std::optional<SmallVector<float>> hone::constantFloats(Value tensor) {
  std::optional<ConstantBytes> bytes = knownBytes(tensor);
  auto type = dyn_cast<FloatType>(getElementTypeOrSelf(tensor));
  if (!bytes || !isa_and_nonnull<Float32Type, Float16Type, BFloat16Type>(type))
    return std::nullopt;
  SmallVector<float> values(tensorType(tensor).getNumElements());
  for (auto [i, value] : llvm::enumerate(values)) {
    uint32_t word = 0;
    std::memcpy(&word, bytes->element(i), bytes->width);
    APFloat number(type.getFloatSemantics(), APInt(type.getWidth(), word));
    value = number.convertToFloat();
  }
  return values;
}

std::optional<SmallVector<int64_t>> hone::integersOf(const Parameter &zero) {
  if (!zero.tensor)
    return SmallVector<int64_t>{static_cast<int64_t>(zero.number.value_or(0))};
  std::optional<ConstantBytes> bytes = knownBytes(zero.tensor);
  if (!bytes || bytes->width != 1)
    return std::nullopt;
  SmallVector<int64_t> values;
  for (char byte : bytes->data)
    values.push_back(zero.isUnsigned ? int64_t(uint8_t(byte))
                                     : int64_t(int8_t(byte)));
  return values;
}

std::optional<SmallVector<float>> hone::floatsOf(const Parameter &scale) {
  if (scale.tensor)
    return constantFloats(scale.tensor);
  return SmallVector<float>{static_cast<float>(scale.number.value_or(1))};
}
