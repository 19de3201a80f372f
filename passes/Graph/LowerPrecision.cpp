// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Rounds constant weights of products of f32 to bf16 or f16: half the bytes,
// and instructions for bf16 where a machine has them. Sums stay in f32.
#include "dialects/Graph/Constants.h"
#include "dialects/Graph/Graph.h"
#include "mlir/IR/Remarks.h"
#include "mlir/IR/Threading.h"
#include "passes/Analysis/Remarks.h"
#include "passes/Graph/ConstantUsers.h"
#include "passes/Graph/Passes.h"
#include "passes/Graph/Simplify.h"
#include "llvm/ADT/bit.h"
#include <cmath>
#include <cstring>

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

/// The same to half precision.
static uint16_t roundToF16(float value) {
  constexpr uint32_t infinity = 0x7f800000, tooLarge = 0x47800000,
                     leastNormal = 0x38800000;
  uint32_t bits = llvm::bit_cast<uint32_t>(value);
  uint32_t sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
  if (magnitude > infinity)
    return sign | 0x7e00 | (magnitude >> 13 & 0x3ff);
  if (magnitude >= tooLarge)
    return sign | 0x7c00;
  if (magnitude < leastNormal) {
    // The last bit of a sum with 0.5 is that of subnormal numbers.
    float sum = llvm::bit_cast<float>(magnitude) + 0.5f;
    return sign |
           (llvm::bit_cast<uint32_t>(sum) - llvm::bit_cast<uint32_t>(0.5f));
  }
  constexpr uint32_t exponents = (127 - 15) << 23;
  uint32_t odd = magnitude >> 13 & 1;
  return sign | (magnitude - exponents + 0xfff + odd) >> 13;
}

namespace {
/// A type of 16 bits.
struct Format {
  StringLiteral name;
  Type (*type)(MLIRContext *);
  uint16_t (*round)(float);
  uint16_t infinity;
};
} // namespace

static constexpr Format kFormats[] = {
    {"bf16", [](MLIRContext *c) -> Type { return BFloat16Type::get(c); },
     roundToBf16, 0x7f80},
    {"f16", [](MLIRContext *c) -> Type { return Float16Type::get(c); },
     roundToF16, 0x7c00},
};

/// The constant in the format; null if a number would become infinite.
static ElementsAttr roundConstant(const Format &format,
                                  const ConstantBytes &source,
                                  RankedTensorType type, StringRef name) {
  constexpr int64_t chunk = 1 << 16;
  ConstantBuffer buffer(type.clone(format.type(type.getContext())));
  auto *out = reinterpret_cast<char *>(buffer.data().data());
  int64_t count = type.getNumElements();
  auto roundChunk = [&](size_t index) {
    int64_t first = index * chunk;
    for (int64_t i = first; i < std::min(first + chunk, count); ++i) {
      float value;
      std::memcpy(&value, source.element(i), sizeof(value));
      uint16_t rounded = format.round(value);
      if (std::isfinite(value) && (rounded & 0x7fff) == format.infinity)
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
    const Format *chosen = llvm::find_if(
        kFormats, [&](const Format &known) { return known.name == format; });
    if (chosen == std::end(kFormats)) {
      getOperation().emitError("there is no format '")
          << format << "'; there are bf16 and f16";
      return signalPassFailure();
    }
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
        entry->second = roundWeights(*chosen, right->get(), rounded.size());
      Operation *op = right->getOwner();
      if (!entry->second) {
        remarkSlow(op, "lower-precision",
                   ("a weight is too large for " + chosen->name).str());
        continue;
      }
      right->set(entry->second);
      remark::passed(
          op->getLoc(),
          remark::RemarkOpts::name(chosen->name).category("lower-precision"));
    }
    for (auto [value, result] : rounded)
      users.eraseUnused(value.getDefiningOp<ConstantOp>());
  }

  static Value roundWeights(const Format &format, Value weights,
                            size_t number) {
    ElementsAttr value =
        roundConstant(format, *constantBytes(weights),
                      cast<RankedTensorType>(weights.getType()),
                      (format.name + "_" + Twine(number)).str());
    if (!value)
      return {};
    OpBuilder b(weights.getContext());
    b.setInsertionPointAfterValue(weights);
    return ConstantOp::create(b, weights.getLoc(), value);
  }
};
} // namespace
