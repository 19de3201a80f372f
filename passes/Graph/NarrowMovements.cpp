// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Moves bytes instead of the numbers that they stand for: dequantization after
// what moves or compares its elements, quantization before.
#include "dialects/Graph/DimBuilder.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"
#include "passes/Analysis/Quantization.h"
#include "passes/Graph/Passes.h"
#include "passes/Graph/Simplify.h"

namespace hone {
#define GEN_PASS_DEF_NARROWMOVEMENTSPASS
#include "passes/Graph/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using namespace hone::graph;

/// The number of the input of which each element of the result is a function,
/// with nothing else that differs between elements.
static std::optional<unsigned> inputOf(MapOp map) {
  if (map->getNumResults() != 1)
    return std::nullopt;
  RankedTensorType result = tensorType(map.getResult(0));
  std::optional<unsigned> found;
  for (auto [i, input] : llvm::enumerate(map.getInputs())) {
    ArrayRef<int64_t> shape = tensorType(input).getShape();
    if (shape.empty() && result.getRank() != 0)
      continue;
    if (found || shape != result.getShape())
      return std::nullopt;
    found = i;
  }
  for (Operation &op : map.getBody().front().without_terminator())
    if (op.getNumRegions() != 0 || !isPure(&op) ||
        isa<IndexOp, tensor::ExtractOp>(op))
      return std::nullopt;
  return found;
}

/// Of a dequantization by one scale and one zero point.
static std::optional<Dequantized> matchUniform(Value tensor) {
  auto map = tensor.getDefiningOp<MapOp>();
  std::optional<Dequantized> found = matchDequantized(tensor);
  if (!found || !found->scale || !getElementTypeOrSelf(tensor).isF32() ||
      !inputOf(map))
    return std::nullopt;
  return found;
}

static bool isQuantization(MapOp map) {
  std::optional<unsigned> input = inputOf(map);
  return input && getElementTypeOrSelf(map.getResult(0)).isInteger(8) &&
         getElementTypeOrSelf(map.getInputs()[*input]).isF32() &&
         llvm::any_of(map.getBody().front(),
                      [](Operation &op) { return isa<math::RoundEvenOp>(op); });
}

/// `map`, which is a function of one element, of another tensor.
static Value applyTo(OpBuilder &b, MapOp map, Value tensor, DimBuilder &dims) {
  SmallVector<Value> inputs(map.getInputs());
  inputs[*inputOf(map)] = tensor;
  Type element = getElementTypeOrSelf(map.getResult(0));
  Region body;
  IRMapping mapping;
  map.getBody().cloneInto(&body, mapping);
  return createMap(b, map.getLoc(), tensorType(tensor).clone(element), inputs,
                   dynamicSizes(b, map.getLoc(), dims, tensor), body)
      .getResult(0);
}

/// The zero point, if it is known, as the byte that it is.
static std::optional<int8_t> zeroByte(const Dequantized &operand) {
  std::optional<SmallVector<int64_t>> zeros = integersOf(operand.zero);
  if (!zeros || zeros->empty())
    return std::nullopt;
  return static_cast<int8_t>(zeros->front());
}

static std::optional<float> knownScale(const Dequantized &operand) {
  std::optional<SmallVector<float>> scales = floatsOf(operand.scale);
  if (!scales || scales->size() != 1)
    return std::nullopt;
  return scales->front();
}

/// Whether equal bytes stand for equal numbers.
static bool areAlike(const Dequantized &a, const Dequantized &b) {
  std::optional<float> scale = knownScale(a);
  std::optional<int8_t> zero = zeroByte(a);
  return a.isUnsigned == b.isUnsigned && scale && zero &&
         scale == knownScale(b) && zero == zeroByte(b);
}

/// `op` on bytes, which stand for its operands: null where that is not the
/// same.
static Operation *narrowed(OpBuilder &b, Operation *op,
                           ArrayRef<Dequantized> operands) {
  const Dequantized &first = operands.front();
  if (!llvm::all_of(operands.drop_front(), [&](const Dequantized &other) {
        return areAlike(first, other);
      }))
    return nullptr;
  Value padding;
  if (auto pad = dyn_cast<PadOp>(op)) {
    std::optional<int8_t> zero = zeroByte(first);
    if (!zero || !matchPattern(pad.getValue(), m_AnyZeroFloat()))
      return nullptr;
    padding =
        arith::ConstantOp::create(b, op->getLoc(), b.getI8IntegerAttr(*zero));
  }
  auto pool = dyn_cast<PoolOp>(op);
  if (pool && !(pool.getKind() == PoolKind::Max && pool->getNumResults() == 1 &&
                knownScale(first) > 0.0f))
    return nullptr;
  Operation *moved = b.clone(*op);
  for (auto [i, operand] : llvm::enumerate(operands))
    moved->setOperand(i, operand.bytes);
  moved->getResult(0).setType(
      tensorType(op->getResult(0)).clone(b.getI8Type()));
  if (padding)
    cast<PadOp>(moved).getValueMutable().assign(padding);
  if (pool)
    cast<PoolOp>(moved).setIsUnsigned(first.isUnsigned);
  return moved;
}

/// Has `op` move bytes, and dequantizes what it moved.
static bool sinkDequantization(Operation *op, DimBuilder &dims) {
  size_t count = 1;
  if (auto concat = dyn_cast<ConcatOp>(op))
    count = concat.getInputs().size();
  SmallVector<Dequantized> operands;
  for (Value operand : op->getOperands().take_front(count)) {
    std::optional<Dequantized> dequantized = matchUniform(operand);
    if (!dequantized)
      return false;
    operands.push_back(*dequantized);
  }
  if (operands.empty())
    return false;
  OpBuilder b(op);
  Operation *moved = narrowed(b, op, operands);
  if (!moved)
    return false;
  auto map = op->getOperand(0).getDefiningOp<MapOp>();
  op->getResult(0).replaceAllUsesWith(
      applyTo(b, map, moved->getResult(0), dims));
  op->erase();
  return true;
}

/// Has what `map` quantizes be moved as bytes. Appends what quantizes now.
static bool hoistQuantization(MapOp map, DimBuilder &dims,
                              SmallVectorImpl<MapOp> &quantizations) {
  Value input = map.getInputs()[*inputOf(map)];
  Operation *op = input.getDefiningOp();
  if (!isa_and_nonnull<ConcatOp, ReshapeOp, TransposeOp>(op) ||
      !input.hasOneUse())
    return false;
  size_t count = 1;
  if (auto concat = dyn_cast<ConcatOp>(op))
    count = concat.getInputs().size();
  OpBuilder b(map);
  Operation *moved = b.clone(*op);
  for (OpOperand &operand : moved->getOpOperands().take_front(count)) {
    OpBuilder before(moved);
    operand.set(applyTo(before, map, operand.get(), dims));
    quantizations.push_back(operand.get().getDefiningOp<MapOp>());
  }
  moved->getResult(0).setType(tensorType(map.getResult(0)));
  map.getResult(0).replaceAllUsesWith(moved->getResult(0));
  map.erase();
  op->erase();
  return true;
}

namespace {
struct NarrowMovementsPass
    : hone::impl::NarrowMovementsPassBase<NarrowMovementsPass> {
  using Base::Base;

  void runOnOperation() override {
    DimBuilder dims(getOperation());
    auto report = [](Location loc) {
      remark::passed(
          loc, remark::RemarkOpts::name("bytes").category("narrow-movements"));
    };
    SmallVector<Operation *> movements;
    getOperation().walk([&](Operation *op) {
      if (isa<ConcatOp, GatherOp, PadOp, PoolOp, ReshapeOp, SliceOp,
              TransposeOp>(op))
        movements.push_back(op);
    });
    // In order: what follows sees a dequantization that came down to it.
    for (Operation *op : movements) {
      Location loc = op->getLoc();
      if (sinkDequantization(op, dims))
        report(loc);
    }
    SmallVector<MapOp> quantizations;
    getOperation().walk([&](MapOp map) {
      if (isQuantization(map))
        quantizations.push_back(map);
    });
    while (!quantizations.empty()) {
      MapOp map = quantizations.pop_back_val();
      Location loc = map.getLoc();
      if (hoistQuantization(map, dims, quantizations))
        report(loc);
    }
  }
};
} // namespace
