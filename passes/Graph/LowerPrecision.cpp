// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Rounds constant weights of products of f32 to bf16: half the bytes, and
// instructions for bf16 where a machine has them. Sums stay in f32.
#include "dialects/Graph/Constants.h"
#include "dialects/Graph/Graph.h"
#include "mlir/IR/Remarks.h"
#include "mlir/IR/Threading.h"
#include "passes/Analysis/Remarks.h"
#include "passes/Graph/ConstantUsers.h"
#include "passes/Graph/Passes.h"
#include "passes/Graph/Simplify.h"
#include "llvm/ADT/bit.h"

namespace hone {
#define GEN_PASS_DEF_LOWERPRECISIONPASS
#include "passes/Graph/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using namespace hone::graph;

/// The right operand, if `hone-pack-weights` will make panels of it.
static OpOperand *weightsOf(Operation *op) {
  if (!isa<MatmulOp, ConvOp>(op))
    return nullptr;
  OpOperand &right = op->getOpOperand(1);
  auto type = cast<RankedTensorType>(right.get().getType());
  if (!getElementTypeOrSelf(op->getResult(0)).isF32() ||
      !type.getElementType().isF32() || !constantBytes(right.get()))
    return nullptr;
  if (auto conv = dyn_cast<ConvOp>(op))
    return conv.getChannelsLast() && !isDepthwise(conv) ? &right : nullptr;
  auto isOne = [](int64_t size) { return size == 1; };
  return llvm::all_of(type.getShape().drop_back(2), isOne) ? &right : nullptr;
}

/// To nearest, ties to even; a NaN stays one.
static uint16_t roundToBf16(float value) {
  uint32_t bits = llvm::bit_cast<uint32_t>(value);
  if (std::isnan(value))
    return bits >> 16 | 0x40;
  return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

/// The constant in bf16; null if a number would become infinite.
static ElementsAttr roundConstant(const ConstantBytes &source,
                                  RankedTensorType type, StringRef name) {
  constexpr int64_t chunk = 1 << 16;
  ConstantBuffer buffer(type.clone(BFloat16Type::get(type.getContext())));
  auto *out = reinterpret_cast<char *>(buffer.data().data());
  int64_t count = type.getNumElements();
  auto roundChunk = [&](size_t index) {
    int64_t first = index * chunk;
    for (int64_t i = first; i < std::min(first + chunk, count); ++i) {
      float value;
      std::memcpy(&value, source.element(i), sizeof(value));
      uint16_t rounded = roundToBf16(value);
      if (std::isfinite(value) && (rounded & 0x7fff) == 0x7f80)
        return failure();
      std::memcpy(out + i * sizeof(rounded), &rounded, sizeof(rounded));
    }
    return success();
  };
  if (failed(failableParallelForEachN(
          type.getContext(), 0, llvm::divideCeil(count, chunk), roundChunk)))
    return nullptr;
  return buffer.finish(name);
}

namespace {
struct LowerPrecisionPass
    : hone::impl::LowerPrecisionPassBase<LowerPrecisionPass> {
  using Base::Base;

  void runOnOperation() override {
    ConstantUsers users;
    SmallVector<OpOperand *> weights;
    getOperation().walk([&](Operation *op) {
      if (auto constant = dyn_cast<ConstantOp>(op))
        users.add(constant);
      if (OpOperand *right = weightsOf(op))
        weights.push_back(right);
    });

    llvm::MapVector<Value, Value> rounded; // null: cannot be
    for (OpOperand *right : weights) {
      auto [entry, isNew] = rounded.try_emplace(right->get());
      if (isNew)
        entry->second = roundWeights(right->get(), rounded.size());
      Operation *op = right->getOwner();
      if (!entry->second) {
        remarkSlow(op, "lower-precision", "a weight is too large for bf16");
        continue;
      }
      right->set(entry->second);
      remark::passed(op->getLoc(), remark::RemarkOpts::name("bf16").category(
                                       "lower-precision"));
    }
    for (auto [value, result] : rounded)
      users.eraseUnused(value.getDefiningOp<ConstantOp>());
  }

  static Value roundWeights(Value weights, size_t number) {
    ElementsAttr value = roundConstant(
        *constantBytes(weights), cast<RankedTensorType>(weights.getType()),
        "bf16_" + std::to_string(number));
    if (!value)
      return {};
    OpBuilder b(weights.getContext());
    b.setInsertionPointAfterValue(weights);
    return ConstantOp::create(b, weights.getLoc(), value);
  }
};
} // namespace
