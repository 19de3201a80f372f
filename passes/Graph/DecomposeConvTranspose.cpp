// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A transposed convolution of stride s is an ordinary convolution of stride 1
// that computes, for each input position, the s x s results next to it as
// channels of their own, and a movement that puts these side by side (the
// sub-pixel form of Shi et al., "Is the deconvolution layer the same as a
// convolutional layer?", 2016).
#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "passes/Graph/Passes.h"

namespace hone {
#define GEN_PASS_DEF_DECOMPOSECONVTRANSPOSEPASS
#include "passes/Graph/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone::graph;

namespace {

/// Operations on tensors of static shape, at one place.
struct Mover {
  OpBuilder &b;
  Location loc;

  RankedTensorType like(Value v, ArrayRef<int64_t> shape) const {
    return RankedTensorType::get(
        shape, cast<RankedTensorType>(v.getType()).getElementType());
  }
  ArrayRef<int64_t> shape(Value v) const {
    return cast<RankedTensorType>(v.getType()).getShape();
  }
  Value reshape(Value v, ArrayRef<int64_t> to) const {
    return ReshapeOp::create(b, loc, like(v, to), v, ValueRange());
  }
  Value transpose(Value v, ArrayRef<int64_t> order) const {
    SmallVector<int64_t> to;
    for (int64_t i : order)
      to.push_back(shape(v)[i]);
    return TransposeOp::create(b, loc, like(v, to), v, order);
  }
};

struct ToConvolution : OpRewritePattern<ConvTransposeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ConvTransposeOp op,
                                PatternRewriter &rewriter) const override {
    RankedTensorType input = op.getInput().getType(),
                     filter = op.getFilter().getType(),
                     result = op.getResult().getType();
    if (!input.hasStaticShape() || !filter.hasStaticShape() ||
        !result.hasStaticShape())
      return rewriter.notifyMatchFailure(op, "shapes are not known");
    if (op.getGroup() != 1)
      return rewriter.notifyMatchFailure(op, "has groups");
    if (!matchPattern(op.getFilter(), m_Constant()))
      return rewriter.notifyMatchFailure(op, "filter is not constant");
    if (!isa<FloatType>(input.getElementType()))
      return rewriter.notifyMatchFailure(op, "elements are no floats");
    int64_t spatial = input.getRank() - 2, channels = input.getDimSize(1),
            outputs = filter.getDimSize(1);
    ArrayRef<int64_t> strides = op.getStrides(), pads = op.getPads();
    SmallVector<int64_t> taps,
        positions; // per axis: of the convolution, and of its result
    int64_t phases = 1, work = 1, useful = 1;
    for (int64_t i = 0; i < spatial; ++i) {
      int64_t kernel = filter.getDimSize(i + 2);
      if (op.getDilations()[i] != 1)
        return rewriter.notifyMatchFailure(op, "is dilated");
      taps.push_back((kernel + strides[i] - 1) / strides[i]);
      positions.push_back(input.getDimSize(i + 2) + taps[i] - 1);
      if (pads[i] < 0 ||
          pads[i] + result.getDimSize(i + 2) > positions[i] * strides[i])
        return rewriter.notifyMatchFailure(op,
                                           "keeps more than the full result");
      phases *= strides[i];
      work *= taps[i] * strides[i];
      useful *= kernel;
    }
    if (work > 2 * useful)
      return rewriter.notifyMatchFailure(
          op, "the filled-up filter would be mostly zeros");

    Mover m{rewriter, op.getLoc()};
    Value conv = convolve(op, m, taps, positions, phases, channels, outputs);
    // [n, q.., s.., oc] -> [n, q0, s0, q1, s1, .., oc] -> [n, q*s.., oc].
    SmallVector<int64_t> apart{input.getDimSize(0)}, order{0},
        joined{input.getDimSize(0)};
    llvm::append_range(apart, positions);
    llvm::append_range(apart, strides);
    apart.push_back(outputs);
    for (int64_t i = 0; i < spatial; ++i) {
      order.push_back(1 + i);
      order.push_back(1 + spatial + i);
      joined.push_back(positions[i] * strides[i]);
    }
    order.push_back(2 * spatial + 1);
    joined.push_back(outputs);
    Value full = m.reshape(m.transpose(m.reshape(conv, apart), order), joined);
    // The pads crop.
    SmallVector<int64_t> offsets(spatial + 2, 0), steps(spatial + 2, 1),
        kept(joined), last{0, spatial + 1};
    for (int64_t i = 0; i < spatial; ++i) {
      offsets[i + 1] = pads[i];
      kept[i + 1] = result.getDimSize(i + 2);
      last.push_back(i + 1);
    }
    if (kept != joined)
      full = SliceOp::create(rewriter, op.getLoc(), m.like(full, kept), full,
                             ValueRange(), ValueRange(),
                             rewriter.getDenseI64ArrayAttr(offsets),
                             rewriter.getDenseI64ArrayAttr(steps));
    rewriter.replaceOp(op, m.transpose(full, last));
    return success();
  }

  /// The convolution with channels last: [n, q.., s.. * oc].
  static Value convolve(ConvTransposeOp op, Mover m, ArrayRef<int64_t> taps,
                        ArrayRef<int64_t> positions, int64_t phases,
                        int64_t channels, int64_t outputs) {
    OpBuilder &b = m.b;
    int64_t spatial = taps.size();
    RankedTensorType filterType = op.getFilter().getType();
    // Filter: [c, oc, k..] filled up to [c, oc, t, s, ..], taps reversed, then
    // [s.., oc, c, t..].
    SmallVector<int64_t> low(spatial + 2, 0), high(spatial + 2, 0),
        filled{channels, outputs};
    SmallVector<int64_t> split{channels, outputs}, offsets{0, 0}, steps{1, 1};
    for (int64_t i = 0; i < spatial; ++i) {
      int64_t stride = op.getStrides()[i];
      filled.push_back(taps[i] * stride);
      high[i + 2] = filled.back() - filterType.getDimSize(i + 2);
      split.append({taps[i], stride});
      offsets.append({taps[i] - 1, 0});
      steps.append({-1, 1});
    }
    Value filter = op.getFilter();
    if (llvm::any_of(high, [](int64_t size) { return size != 0; })) {
      Value zero = arith::ConstantOp::create(
          b, m.loc, b.getZeroAttr(filterType.getElementType()));
      filter = PadOp::create(b, m.loc, m.like(filter, filled), filter, zero,
                             low, high);
    }
    filter = m.reshape(filter, split);
    if (llvm::any_of(taps, [](int64_t count) { return count > 1; }))
      filter = SliceOp::create(b, m.loc, filter.getType(), filter, ValueRange(),
                               ValueRange(), b.getDenseI64ArrayAttr(offsets),
                               b.getDenseI64ArrayAttr(steps));
    SmallVector<int64_t> order, shape{phases * outputs, channels};
    for (int64_t i = 0; i < spatial; ++i)
      order.push_back(2 * i + 3);
    order.append({1, 0});
    for (int64_t i = 0; i < spatial; ++i) {
      order.push_back(2 * i + 2);
      shape.push_back(taps[i]);
    }
    filter = m.reshape(m.transpose(filter, order), shape);

    SmallVector<int64_t> toLast{0},
        resultShape{op.getInput().getType().getDimSize(0)}, pads;
    for (int64_t i = 0; i < spatial; ++i) {
      toLast.push_back(i + 2);
      resultShape.push_back(positions[i]);
      pads.push_back(taps[i] - 1);
    }
    toLast.push_back(1);
    resultShape.push_back(phases * outputs);
    pads.append(pads.begin(), pads.end());
    SmallVector<int64_t> ones(spatial, 1);
    Value input = m.transpose(op.getInput(), toLast);
    return ConvOp::create(b, m.loc, m.like(op.getResult(), resultShape), input,
                          filter, ValueRange(), ones, ones, pads,
                          /*group=*/1, /*channelsLast=*/true,
                          FilterLayout::Plain, taps);
  }
};

struct DecomposeConvTransposePass
    : hone::impl::DecomposeConvTransposePassBase<DecomposeConvTransposePass> {
  using Base::Base;
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<ToConvolution>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns)))) {
      getOperation()->emitError("decompose-conv-transpose did not converge");
      signalPassFailure();
    }
  }
};
} // namespace
