// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Stores weights of contractions in the order in which the kernels read them:
// constants at compile time, filters computed at run time by movements.
#include "passes/Graph/PackWeights.h"
#include "dialects/Graph/Constants.h"
#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"
#include "mlir/IR/Threading.h"
#include "passes/Analysis/Remarks.h"
#include "passes/Graph/ByteOrder.h"
#include "passes/Graph/ConstantUsers.h"
#include "passes/Graph/Passes.h"
#include "passes/Graph/Simplify.h"
#include "llvm/ADT/MapVector.h"

namespace hone {
#define GEN_PASS_DEF_PACKWEIGHTSPASS
#include "passes/Graph/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using namespace hone::graph;

namespace {

/// Panels that are mostly padding are made only up to this size.
constexpr int64_t maxPaddedBytes = 128 * 1024;

/// Fewer rows do not pay for putting those of the other side in order.
constexpr int64_t minOrderedRows = 8;

/// Fewer elements of K are not padded to pairs; nor are fewer channels of a
/// convolution, where pairs are multiplied faster.
constexpr int64_t minPaddedK = 16, minPaddedChannels = 3;

enum class WeightKind {
  MatmulPanels,
  TransposedMatmulPanels,
  ConvPanels,
  Depthwise
};

/// How one weight is read; equal jobs on equal constants share the packed copy.
struct PackJob {
  Value source;
  WeightKind kind;
  int64_t group;
  int64_t kr;
  bool ordered = false; ///< If few corrections will do.
  std::optional<int64_t> corrections = std::nullopt;

  PackedAttr layout() const {
    return PackedAttr::get(source.getContext(), kPanelWidth, kr, corrections);
  }
  bool operator==(const PackJob &other) const {
    return source == other.source && kind == other.kind &&
           group == other.group && kr == other.kr && ordered == other.ordered;
  }
};

} // namespace

template <> struct llvm::DenseMapInfo<PackJob> {
  static PackJob getEmptyKey() {
    return {DenseMapInfo<mlir::Value>::getEmptyKey(), WeightKind::MatmulPanels,
            0, 1};
  }
  static PackJob getTombstoneKey() {
    return {DenseMapInfo<mlir::Value>::getTombstoneKey(),
            WeightKind::MatmulPanels, 0, 1};
  }
  static unsigned getHashValue(const PackJob &job) {
    return hash_combine(job.source, static_cast<int>(job.kind), job.group,
                        job.kr, job.ordered);
  }
  static bool isEqual(const PackJob &a, const PackJob &b) { return a == b; }
};

PackedAttr hone::packedLayout(Value weights) {
  Type element = getElementTypeOrSelf(weights);
  int64_t kr = element.isInteger(8) ? 4 : element.isBF16() ? 2 : 1;
  return PackedAttr::get(weights.getContext(), kPanelWidth, kr);
}

/// Elements of K that lie together: those of `packedLayout`, unless bf16 are
/// wanted one by one, or `rows` are not pairs and cannot be padded, or are less
/// than `least`.
static int64_t stepOf(Value weights, int64_t rows, int64_t least, bool pairs,
                      bool mayPad) {
  int64_t kr = packedLayout(weights).getKr();
  bool canPair = rows % 2 == 0 || (mayPad && rows >= least);
  return kr == 2 && !(pairs && canPair) ? 1 : kr;
}

/// Copies element (row, column) of a matrix of `rows` x `columns` to the panel
/// of its column. `rowStride` and `columnStride` count elements of the source.
/// Panels are zero where there is no row or no column.
static void packPanel(const ConstantBytes &source, PackedAttr layout,
                      int64_t base, int64_t rows, int64_t columns,
                      int64_t rowStride, int64_t columnStride, char *panel) {
  unsigned width = source.width;
  int64_t nr = layout.getNr(), kr = layout.getKr();
  std::memset(panel, 0, layout.steps(rows) * nr * kr * width);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t column = 0; column < columns; ++column) {
      int64_t place = (row / kr * nr + column) * kr + row % kr;
      std::memcpy(
          panel + place * width,
          source.element(base + row * rowStride + column * columnStride),
          width);
    }
}

static Type packedType(const PackJob &job) {
  auto type = cast<RankedTensorType>(job.source.getType());
  ArrayRef<int64_t> shape = type.getShape();
  PackedAttr layout = job.layout();
  SmallVector<int64_t> packed;
  auto appendMatrix = [&](int64_t rows, int64_t columns) {
    packed = {layout.panels(columns), layout.steps(rows)};
    layout.appendStep(packed);
  };
  switch (job.kind) {
  case WeightKind::MatmulPanels:
    appendMatrix(shape[shape.size() - 2], shape.back());
    break;
  case WeightKind::TransposedMatmulPanels:
    appendMatrix(shape.back(), shape[shape.size() - 2]);
    break;
  case WeightKind::ConvPanels:
    if (layout.isOrdered()) {
      appendMatrix(ShapedType::getNumElements(shape.drop_front()), shape[0]);
      break;
    }
    packed.push_back(job.group * layout.panels(shape[0] / job.group));
    llvm::append_range(packed, shape.drop_front(2));
    packed.push_back(layout.steps(shape[1]));
    layout.appendStep(packed);
    break;
  case WeightKind::Depthwise:
    llvm::append_range(packed, shape.drop_front(2));
    packed.push_back(shape[0]);
    break;
  }
  return type.clone(packed);
}

/// Fills the packed copy, panels in parallel.
static ElementsAttr pack(const PackJob &job, const ConstantBytes &source,
                         StringRef name) {
  auto type = cast<RankedTensorType>(job.source.getType());
  ArrayRef<int64_t> shape = type.getShape();
  ConstantBuffer buffer(cast<RankedTensorType>(packedType(job)));
  char *out = buffer.data().data();
  unsigned width = source.width;
  MLIRContext *context = type.getContext();
  PackedAttr layout = job.layout();
  int64_t nr = layout.getNr();

  if (job.kind == WeightKind::Depthwise) {
    int64_t channels = shape[0],
            taps = ShapedType::getNumElements(shape.drop_front(2));
    parallelFor(context, 0, taps, [&](size_t tap) {
      for (int64_t channel = 0; channel < channels; ++channel)
        std::memcpy(out + (tap * channels + channel) * width,
                    source.element(channel * taps + tap), width);
    });
    return buffer.finish(name);
  }

  if (job.kind == WeightKind::ConvPanels) {
    int64_t columns = shape[0] / job.group, channels = shape[1];
    int64_t taps = ShapedType::getNumElements(shape.drop_front(2)),
            perGroup = layout.panels(columns);
    int64_t tapBytes = layout.steps(channels) * layout.getKr() * nr * width;
    parallelFor(context, 0, job.group * perGroup, [&](size_t index) {
      int64_t group = index / perGroup, first = index % perGroup * nr;
      int64_t base = (group * columns + first) * channels * taps;
      for (int64_t tap = 0; tap < taps; ++tap)
        packPanel(source, layout, base + tap, channels,
                  std::min(nr, columns - first), taps, channels * taps,
                  out + (index * taps + tap) * tapBytes);
    });
    return buffer.finish(name);
  }

  bool transposed = job.kind == WeightKind::TransposedMatmulPanels;
  int64_t rows = shape[shape.size() - 2], columns = shape.back();
  if (transposed)
    std::swap(rows, columns);
  int64_t panelBytes = layout.steps(rows) * layout.getKr() * nr * width;
  parallelFor(context, 0, layout.panels(columns), [&](size_t index) {
    int64_t first = index * nr, rowStride = transposed ? 1 : columns,
            columnStride = transposed ? rows : 1;
    packPanel(source, layout, first * columnStride, rows,
              std::min(nr, columns - first), rowStride, columnStride,
              out + index * panelBytes);
  });
  return buffer.finish(name);
}

static ByteMatrix matrixOf(const PackJob &job, const ConstantBytes &source) {
  ArrayRef<int64_t> shape = cast<ShapedType>(job.source.getType()).getShape();
  int64_t last = shape.back(), before = shape[shape.size() - 2];
  if (job.kind == WeightKind::MatmulPanels)
    return {source, 1, before, last, 0, last, 1, 1};
  if (job.kind == WeightKind::TransposedMatmulPanels)
    return {source, 1, last, before, 0, 1, last, 1};
  int64_t channels = shape[1],
          taps = ShapedType::getNumElements(shape.drop_front(2));
  return {source, taps, channels, shape[0], 1, taps, channels * taps, last};
}

/// Fills panels whose halves are in an order of their own.
static ElementsAttr packOrdered(const PackJob &job, const ByteMatrix &matrix,
                                ArrayRef<OrderedHalf> halves, StringRef name) {
  ConstantBuffer buffer(cast<RankedTensorType>(packedType(job)));
  MutableArrayRef<char> out = buffer.data();
  llvm::fill(out, 0);
  PackedAttr layout = job.layout();
  int64_t rows = matrix.rows(), nr = layout.getNr(), kr = layout.getKr();
  int64_t perPanel = nr / OrderedHalf::columns;
  int64_t panelBytes = layout.steps(rows) * nr * kr;
  parallelFor(job.source.getContext(), 0, halves.size(), [&](size_t index) {
    const OrderedHalf &half = halves[index];
    char *panel = out.data() + index / perPanel * panelBytes;
    int64_t inPanel = index % perPanel;
    auto write = [&](char *steps, int64_t place, const OrderedHalf::Row &row) {
      for (auto [c, value] : llvm::enumerate(row)) {
        int64_t column = inPanel * OrderedHalf::columns + c;
        steps[(place / kr * nr + column) * kr + place % kr] = value;
      }
    };
    for (auto [place, row] : llvm::enumerate(half.rows))
      write(panel, place, row);
    for (auto [i, correction] : llvm::enumerate(half.corrections)) {
      for (auto [place, row] : llvm::enumerate(correction.rows))
        write(panel + layout.correctionsOffset(rows) + i * nr * kr, place, row);
      int64_t tap = correction.first / matrix.channels;
      int32_t position[] = {int32_t(tap / matrix.tapsInRow),
                            int32_t(tap % matrix.tapsInRow),
                            int32_t(correction.first % matrix.channels), 0};
      static_assert(sizeof(position) == PackedAttr::kPositionBytes);
      std::memcpy(panel + layout.positionsOffset(rows) +
                      (i * perPanel + inPanel) * sizeof(position),
                  position, sizeof(position));
    }
    std::memcpy(panel + layout.ordersOffset(rows) + inPanel * rows,
                half.places.data(), rows);
  });
  return buffer.finish(name);
}

/// Movements that pack a filter at run time.
static Value packInRun(const PackJob &job, OpBuilder &b) {
  auto type = cast<RankedTensorType>(job.source.getType());
  Location loc = job.source.getLoc();
  int64_t outputs = type.getDimSize(0), channels = type.getDimSize(1),
          taps = ShapedType::getNumElements(type.getShape().drop_front(2));
  auto reshape = [&](Value v, ArrayRef<int64_t> shape) {
    return reshapeTo(b, loc, v, shape);
  };
  auto transpose = [&](Value v, ArrayRef<int64_t> shape,
                       ArrayRef<int64_t> order) -> Value {
    return TransposeOp::create(b, loc, type.clone(shape), v, order);
  };
  if (job.kind == WeightKind::Depthwise) {
    Value filter = reshape(job.source, {outputs, taps});
    return reshape(transpose(filter, {taps, outputs}, {1, 0}),
                   cast<RankedTensorType>(packedType(job)).getShape());
  }
  PackedAttr layout = job.layout();
  int64_t group = job.group, columns = outputs / group, nr = layout.getNr(),
          kr = layout.getKr(), panels = layout.panels(columns),
          steps = layout.steps(channels), moreColumns = panels * nr - columns,
          moreChannels = steps * kr - channels;
  Value filter = reshape(job.source, {group, columns, channels, taps});
  if (moreColumns != 0 || moreChannels != 0) {
    Value zero =
        arith::ConstantOp::create(b, loc, b.getZeroAttr(type.getElementType()));
    filter = PadOp::create(b, loc,
                           type.clone({group, panels * nr, steps * kr, taps}),
                           filter, zero, ArrayRef<int64_t>{0, 0, 0, 0},
                           ArrayRef<int64_t>{0, moreColumns, moreChannels, 0});
  }
  filter = reshape(filter, {group * panels, nr, steps, kr, taps});
  filter =
      transpose(filter, {group * panels, taps, steps, nr, kr}, {0, 4, 2, 1, 3});
  return reshape(filter, cast<RankedTensorType>(packedType(job)).getShape());
}

/// Puts bytes in order if that is wanted and possible.
static ElementsAttr packConstant(PackJob &job, const ConstantBytes &source,
                                 StringRef name) {
  if (!job.ordered)
    return pack(job, source, name);
  ByteMatrix matrix = matrixOf(job, source);
  std::optional<std::vector<OrderedHalf>> halves =
      orderBytes(job.source.getContext(), matrix);
  if (!halves)
    return pack(job, source, name);
  size_t corrections = 0;
  for (const OrderedHalf &half : *halves)
    corrections = std::max(corrections, half.corrections.size());
  job.corrections = corrections;
  return packOrdered(job, matrix, *halves, name);
}

static LogicalResult notPacked(Operation *op, StringRef reason) {
  hone::remarkSlow(op, "pack-weights", reason);
  return failure();
}

/// Whether the weights of a byte product are put in order, if they can be. That
/// must be repeated for each row of the other side.
static bool shouldOrder(Operation *op, Value weights, int64_t k) {
  auto result = cast<RankedTensorType>(op->getResult(0).getType());
  ArrayRef<int64_t> rows = result.getShape().drop_back();
  Type element = getElementTypeOrSelf(weights);
  if (!constantBytes(weights) ||
      !isByteProduct(element, result.getElementType()) ||
      !(ShapedType::isDynamicShape(rows) ||
        ShapedType::getNumElements(rows) >= minOrderedRows))
    return false;
  if (PackedAttr::canOrder(k, element, result.getElementType()))
    return true;
  hone::remarkSlow(op, "pack-weights",
                   "bytes are widened: there are no whole blocks of 16 "
                   "elements of K, or channels");
  return false;
}

/// The job for the right operand of `matmul`, unless it cannot or should not be
/// packed.
static FailureOr<PackJob> jobFor(MatmulOp matmul, bool pairs, bool orders,
                                 RewriterBase &rewriter) {
  auto type = cast<RankedTensorType>(matmul.getRhs().getType());
  if (matmul.getPacked())
    return rewriter.notifyMatchFailure(matmul, "packed already");
  bool isOfBytes =
      isByteProduct(type.getElementType(), matmul.getType().getElementType());
  if (!constantBytes(matmul.getRhs()) ||
      !(isa<FloatType>(type.getElementType()) || isOfBytes))
    return rewriter.notifyMatchFailure(
        matmul, "the right operand is not a constant of floats or bytes");
  if (llvm::any_of(type.getShape().drop_back(2),
                   [](int64_t size) { return size != 1; }) ||
      type.getRank() >
          cast<RankedTensorType>(matmul.getLhs().getType()).getRank())
    return notPacked(matmul, "the right operand is batched");
  int64_t columns =
      type.getShape()[type.getRank() - (matmul.getTransposeRhs() ? 2 : 1)];
  int64_t padded = llvm::alignTo(columns, kPanelWidth);
  if (type.getNumElements() == 0)
    return rewriter.notifyMatchFailure(matmul, "the right operand is empty");
  bool isKnown =
      !ShapedType::isDynamic(matmul.getLhs().getType().getShape().back());
  if (isOfBytes && !isKnown)
    return notPacked(matmul, "K is not known");
  if (padded > 2 * columns && type.getNumElements() / columns * padded *
                                      elementBytes(type.getElementType()) >
                                  maxPaddedBytes)
    return notPacked(matmul, "panels would be mostly padding");
  int64_t rows = type.getNumElements() / columns;
  return PackJob{matmul.getRhs(),
                 matmul.getTransposeRhs() ? WeightKind::TransposedMatmulPanels
                                          : WeightKind::MatmulPanels,
                 1, stepOf(matmul.getRhs(), rows, minPaddedK, pairs, isKnown),
                 orders && shouldOrder(matmul, matmul.getRhs(), rows)};
}

/// The job for the filter of `conv`, unless it cannot or should not be packed.
static FailureOr<PackJob> jobFor(ConvOp conv, bool pairs, bool padsFew,
                                 bool orders, RewriterBase &rewriter) {
  auto type = cast<RankedTensorType>(conv.getFilter().getType());
  if (conv.getPacked() || conv.getDepthwise())
    return rewriter.notifyMatchFailure(conv, "packed already");
  if (!conv.getChannelsLast() && isDepthwise(conv))
    return rewriter.notifyMatchFailure(conv, "a kernel element is one number");
  if (!conv.getChannelsLast())
    return notPacked(conv, "channels are not last");
  bool isOfBytes =
      isByteProduct(type.getElementType(), conv.getType().getElementType());
  if (!type.hasStaticShape() ||
      !(isa<FloatType>(type.getElementType()) || isOfBytes))
    return notPacked(conv,
                     "the filter is not of floats, or its shape is not known");
  if (type.getNumElements() == 0)
    return rewriter.notifyMatchFailure(conv, "the filter is empty");
  int64_t group = conv.getGroup();
  bool depthwise = isDepthwise(conv);
  if (isOfBytes && group > 1 && !depthwise &&
      type.getDimSize(1) % packedLayout(conv.getFilter()).getKr() != 0)
    return notPacked(conv, "groups have too few channels");
  bool isKnown =
      !ShapedType::isDynamic(conv.getInput().getType().getShape().back());
  if (isOfBytes && !isKnown)
    return notPacked(conv, "the number of channels is not known");
  return PackJob{conv.getFilter(),
                 depthwise ? WeightKind::Depthwise : WeightKind::ConvPanels,
                 group,
                 stepOf(conv.getFilter(), type.getDimSize(1),
                        padsFew ? minPaddedChannels : minPaddedK, pairs,
                        isKnown && group == 1),
                 orders && !depthwise && group == 1 && type.getRank() <= 4 &&
                     shouldOrder(conv, conv.getFilter(), type.getDimSize(1))};
}

namespace {
struct PackWeightsPass : hone::impl::PackWeightsPassBase<PackWeightsPass> {
  using Base::Base;

  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    // One entry for each packed copy, with the operations that will read it, in
    // the order of the function.
    llvm::MapVector<PackJob, SmallVector<Operation *>> jobs;
    ConstantUsers users;
    getOperation().walk([&](Operation *op) {
      if (auto constant = dyn_cast<ConstantOp>(op))
        users.add(constant);
      FailureOr<PackJob> job = failure();
      if (auto matmul = dyn_cast<MatmulOp>(op))
        job = jobFor(matmul, pairs, orderBytes, rewriter);
      else if (auto conv = dyn_cast<ConvOp>(op))
        job = jobFor(conv, pairs, fastBf16, orderBytes, rewriter);
      if (succeeded(job))
        jobs[*job].push_back(op);
    });

    for (auto [number, entry] : llvm::enumerate(jobs)) {
      auto &[job, readers] = entry;
      std::optional<ConstantBytes> bytes = constantBytes(job.source);
      if (!bytes) {
        rewriter.setInsertionPointAfterValue(job.source);
        Value packed = packInRun(job, rewriter);
        for (Operation *reader : readers)
          setPacked(reader, packed, job, rewriter);
        continue;
      }
      auto constant = job.source.getDefiningOp<ConstantOp>();
      ElementsAttr value =
          packConstant(job, *bytes, "packed_" + std::to_string(number));
      if (job.ordered && !job.corrections)
        for (Operation *reader : readers)
          hone::remarkSlow(
              reader, "pack-weights",
              "bytes are widened: too many pairs of weights exceed 16 bits in "
              "any order");
      rewriter.setInsertionPointAfter(constant);
      Value packed = ConstantOp::create(rewriter, constant.getLoc(), value);
      for (Operation *reader : readers)
        setPacked(reader, packed, job, rewriter);
      users.eraseUnused(constant);
    }
  }

  /// Makes whole steps of the last dimension of the left-hand side, which is K
  /// or the channels: what is added meets zeros.
  static void padSteps(Operation *op, int64_t kr, RewriterBase &rewriter) {
    OpOperand &left = op->getOpOperand(0);
    auto type = cast<RankedTensorType>(left.get().getType());
    SmallVector<int64_t> shape(type.getShape()), high(type.getRank(), 0);
    high.back() = llvm::alignTo(shape.back(), kr) - shape.back();
    if (high.back() == 0)
      return;
    shape.back() += high.back();
    rewriter.setInsertionPoint(op);
    Value zero = arith::ConstantOp::create(
        rewriter, op->getLoc(), rewriter.getZeroAttr(type.getElementType()));
    Value padded =
        PadOp::create(rewriter, op->getLoc(), type.clone(shape), left.get(),
                      zero, SmallVector<int64_t>(type.getRank(), 0), high);
    rewriter.modifyOpInPlace(op, [&] { left.set(padded); });
  }

  /// Has a convolution of bytes read its padding as what a pad before it adds.
  static void absorbPad(ConvOp conv) {
    auto pad = conv.getInput().getDefiningOp<PadOp>();
    if (!pad || conv.getFill())
      return;
    IntegerAttr fill;
    auto isZero = [](int64_t size) { return size == 0; };
    ArrayRef<int64_t> low = pad.getLow(), high = pad.getHigh();
    if (!matchPattern(pad.getValue(), m_Constant(&fill)) ||
        !llvm::all_of(conv.getPads(), isZero) || !isZero(low.front()) ||
        !isZero(high.front()) || !isZero(low.back()) || !isZero(high.back()) ||
        llvm::any_of(low, [](int64_t size) { return size < 0; }) ||
        llvm::any_of(high, [](int64_t size) { return size < 0; }))
      return;
    SmallVector<int64_t> pads(low.drop_front().drop_back());
    llvm::append_range(pads, high.drop_front().drop_back());
    conv.setPads(pads);
    conv.setFillAttr(fill);
    conv.getInputMutable().assign(pad.getInput());
    if (pad->use_empty())
      pad.erase();
  }

  static void setPacked(Operation *op, Value packed, const PackJob &job,
                        RewriterBase &rewriter) {
    PackedAttr layout = job.layout();
    if (job.kind != WeightKind::Depthwise)
      padSteps(op, layout.getKr(), rewriter);
    rewriter.modifyOpInPlace(op, [&] {
      if (auto matmul = dyn_cast<MatmulOp>(op)) {
        matmul.getRhsMutable().assign(packed);
        matmul.setTransposeRhs(false);
        matmul.setPackedAttr(layout);
        return;
      }
      auto conv = cast<ConvOp>(op);
      conv.getFilterMutable().assign(packed);
      if (job.kind != WeightKind::Depthwise) {
        conv.setPackedAttr(layout);
        return;
      }
      conv.setDepthwise(true);
      if (isByteProduct(getElementTypeOrSelf(packed),
                        conv.getType().getElementType()))
        absorbPad(conv);
    });
    remark::passed(op->getLoc(),
                   remark::RemarkOpts::name("packed").category("pack-weights"));
  }
};
} // namespace
