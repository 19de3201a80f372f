// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Rounds constant weights of products of f32 to bf16 or f16: half the bytes,
// and instructions for bf16 where a machine has them. Sums stay in f32. Which
// of the two is given, or chosen for each product.
#include "dialects/Graph/Constants.h"
#include "dialects/Graph/Graph.h"
#include "mlir/IR/Remarks.h"
#include "mlir/IR/Threading.h"
#include "passes/Analysis/Remarks.h"
#include "passes/Graph/ConstantUsers.h"
#include "passes/Graph/Passes.h"
#include "passes/Graph/Simplify.h"
#include "passes/Machine/Tuning.h"
#include "llvm/ADT/bit.h"
#include <cmath>
#include <cstring>
#include <numeric>

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

static float widenBf16(uint16_t value) {
  return llvm::bit_cast<float>(uint32_t(value) << 16);
}

/// Of a finite number.
static float widenF16(uint16_t value) {
  float magnitude = llvm::bit_cast<float>(uint32_t(value & 0x7fff) << 13);
  return (value & 0x8000 ? -0x1p112f : 0x1p112f) * magnitude;
}

namespace {
/// A type of 16 bits.
struct Format {
  StringLiteral name;
  Type (*type)(MLIRContext *);
  uint16_t (*round)(float);
  float (*widen)(uint16_t);
  uint16_t infinity;

  bool overflows(float value, uint16_t rounded) const {
    return std::isfinite(value) && (rounded & 0x7fff) == infinity;
  }
};
} // namespace

static constexpr Format kBf16 = {
    "bf16", [](MLIRContext *c) -> Type { return BFloat16Type::get(c); },
    roundToBf16, widenBf16, 0x7f80};
static constexpr Format kF16 = {
    "f16", [](MLIRContext *c) -> Type { return Float16Type::get(c); },
    roundToF16, widenF16, 0x7c00};

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
      if (format.overflows(value, rounded))
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

//===-- The choice for each product ---------------------------------------===//

/// The most that rounding may change weights, as `lossOf` has it. Random ones
/// lose 0.0017 in bf16 and an eighth of that in f16. More are lost where they
/// are beyond the range of a type, or all err in one direction.
static constexpr double kMostLoss = 0.0025;

namespace {
/// The layout of weights: element (outer, column, inner), the last one dense.
struct Columns {
  int64_t outer, count, inner;
};
} // namespace

/// Columns of the product in which `right` is.
static Columns columnsOf(const OpOperand &right) {
  auto type = cast<RankedTensorType>(right.get().getType());
  ArrayRef<int64_t> shape = type.getShape();
  if (isa<ConvOp>(right.getOwner()))
    return {1, shape[0],
            type.getNumElements() / std::max<int64_t>(shape[0], 1)};
  int64_t rows = shape[shape.size() - 2], last = shape.back();
  if (cast<MatmulOp>(right.getOwner()).getTransposeRhs())
    return {1, rows, last};
  return {rows, last, 1};
}

/// What rounding changes in a column, relative to it; the root of the mean
/// square of all. So much noise results have from it if the rows that the
/// column is multiplied by are noise themselves.
static double lossOf(const Format &format, const ConstantBytes &source,
                     const Columns &columns, MLIRContext *context) {
  constexpr int64_t chunk = 64;
  SmallVector<double> sums(llvm::divideCeil(columns.count, chunk), 0);
  parallelFor(context, 0, sums.size(), [&](size_t index) {
    int64_t first = index * chunk,
            count = std::min(chunk, columns.count - first);
    SmallVector<double> size(count, 0), change(count, 0);
    for (int64_t outer = 0; outer < columns.outer; ++outer)
      for (int64_t c = 0; c < count; ++c)
        for (int64_t inner = 0; inner < columns.inner; ++inner) {
          float value;
          std::memcpy(
              &value,
              source.element(
                  (outer * columns.count + first + c) * columns.inner + inner),
              sizeof(value));
          if (!std::isfinite(value))
            continue;
          uint16_t rounded = format.round(value);
          double difference = format.overflows(value, rounded)
                                  ? HUGE_VAL
                                  : double(value) - format.widen(rounded);
          size[c] += double(value) * value;
          change[c] += difference * difference;
        }
    for (int64_t c = 0; c < count; ++c)
      if (size[c] > 0)
        sums[index] += change[c] / size[c];
  });
  return std::sqrt(std::accumulate(sums.begin(), sums.end(), 0.0) /
                   std::max<int64_t>(columns.count, 1));
}

/// Whether a product takes as long as reading its weights does.
static bool isStreamed(const OpOperand &right) {
  auto result =
      cast<RankedTensorType>(right.getOwner()->getResult(0).getType());
  auto weights = cast<RankedTensorType>(right.get().getType());
  int64_t columns = columnsOf(right).count;
  return result.hasStaticShape() &&
         result.getNumElements() <= tuning::kStreamedRows * columns &&
         weights.getNumElements() * int64_t(sizeof(float)) >=
             tuning::kStreamedBytes;
}

namespace {
/// What weights become.
struct Choice {
  const Format *format; ///< Null: they stay, because of `reason`.
  StringRef reason = "";
};
} // namespace

/// The type of weights that makes all of their products faster on all machines
/// and loses little; `fastBf16` says that products of bf16 are.
static Choice choose(ArrayRef<OpOperand *> uses, bool fastBf16) {
  SmallVector<const Format *> formats;
  if (llvm::all_of(uses, [](OpOperand *use) { return isStreamed(*use); }))
    formats = {&kF16, &kBf16};
  else if (fastBf16)
    formats = {&kBf16};
  else
    return {nullptr, "16 bits would not make it faster"};
  Value weights = uses.front()->get();
  std::optional<ConstantBytes> source = constantBytes(weights);
  Choice best{nullptr, "its weights would lose too much in 16 bits"};
  double least = kMostLoss;
  for (const Format *format : formats) {
    double loss = 0;
    for (OpOperand *use : uses)
      loss = std::max(loss, lossOf(*format, *source, columnsOf(*use),
                                   weights.getContext()));
    if (loss <= least && (!best.format || loss < least)) {
      best = {format};
      least = loss;
    }
  }
  return best;
}

namespace {
struct LowerPrecisionPass
    : hone::impl::LowerPrecisionPassBase<LowerPrecisionPass> {
  using Base::Base;

  void runOnOperation() override {
    const Format *given = nullptr;
    for (const Format *known : {&kBf16, &kF16})
      if (known->name == format)
        given = known;
    if (!given && format != "auto") {
      getOperation().emitError("there is no format '")
          << format << "'; there are bf16, f16 and auto";
      return signalPassFailure();
    }
    ConstantUsers users;
    llvm::MapVector<Value, SmallVector<OpOperand *>> weights;
    getOperation().walk([&](Operation *op) {
      if (auto constant = dyn_cast<ConstantOp>(op))
        users.add(constant);
      if (OpOperand *right = weightsOf(op))
        weights[right->get()].push_back(right);
    });

    llvm::SetVector<StringRef> formats;
    size_t number = 0;
    for (const auto &[value, uses] : weights) {
      Choice choice = given ? Choice{given} : choose(uses, fastBf16);
      Value rounded = choice.format
                          ? roundWeights(*choice.format, value, ++number)
                          : Value();
      for (OpOperand *right : uses)
        replace(*right, rounded, choice);
      if (rounded)
        formats.insert(choice.format->name);
      users.eraseUnused(value.getDefiningOp<ConstantOp>());
    }
    if (!formats.empty())
      getOperation()->setAttr(
          kRoundedWeightsAttr,
          OpBuilder(&getContext()).getStrArrayAttr(formats.getArrayRef()));
  }

  /// Null `rounded`: the weights stay.
  static void replace(OpOperand &right, Value rounded, const Choice &choice) {
    Operation *op = right.getOwner();
    auto options = [](StringRef name) {
      return remark::RemarkOpts::name(name).category("lower-precision");
    };
    if (!choice.format) {
      remark::missed(op->getLoc(), options("f32"))
          << remark::reason("{0}", choice.reason);
    } else if (!rounded) {
      remarkSlow(op, "lower-precision",
                 ("a weight is too large for " + choice.format->name).str());
    } else {
      right.set(rounded);
      remark::passed(op->getLoc(), options(choice.format->name));
    }
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
