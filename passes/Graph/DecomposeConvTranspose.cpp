// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A transposed convolution of stride s is an ordinary convolution of stride 1
// that computes, for each input position, the s x s results next to it as
// channels of their own, and a movement that puts these side by side (the
// sub-pixel form of Shi et al., "Is the deconvolution layer the same as a
// convolutional layer?", 2016). Where the stride does not divide the kernel,
// the first of the s results take one tap more than the others, and are a
// convolution of their own: taps of zeros would spread infinities and NaN.
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

/// The convolutions behind a transposed one, with channels last.
class Convolutions {
public:
  Convolutions(ConvTransposeOp op, Mover m, ArrayRef<int64_t> taps,
               ArrayRef<int64_t> positions)
      : op(op), m(m), taps(taps), positions(positions), spatial(taps.size()) {
    SmallVector<int64_t> toLast{0};
    for (int64_t i = 0; i < spatial; ++i)
      toLast.push_back(i + 2);
    toLast.push_back(1);
    input = m.transpose(op.getInput(), toLast);
    filter = splitFilter();
  }

  /// [n, q.., s.., oc]
  Value run() {
    SmallVector<Part> parts;
    return join(parts);
  }

private:
  /// Of one axis: some phases, which have a number of taps in common.
  struct Part {
    int64_t from, phases, taps;
  };

  /// [c, oc, t, s, ..], with taps reversed and zeros in place of those that the
  /// last phases do not have.
  Value splitFilter() {
    OpBuilder &b = m.b;
    RankedTensorType type = op.getFilter().getType();
    SmallVector<int64_t> low(spatial + 2, 0), high(spatial + 2, 0),
        filled(type.getShape().take_front(2)), split(filled), offsets{0, 0},
        steps{1, 1};
    for (int64_t i = 0; i < spatial; ++i) {
      int64_t stride = op.getStrides()[i];
      filled.push_back(taps[i] * stride);
      high[i + 2] = filled.back() - type.getDimSize(i + 2);
      split.append({taps[i], stride});
      offsets.append({taps[i] - 1, 0});
      steps.append({-1, 1});
    }
    Value result = op.getFilter();
    if (llvm::any_of(high, [](int64_t size) { return size != 0; })) {
      Value zero = arith::ConstantOp::create(
          b, m.loc, b.getZeroAttr(type.getElementType()));
      result = PadOp::create(b, m.loc, m.like(result, filled), result, zero,
                             low, high);
    }
    result = m.reshape(result, split);
    if (llvm::all_of(taps, [](int64_t count) { return count == 1; }))
      return result;
    return SliceOp::create(b, m.loc, result.getType(), result, ValueRange(),
                           ValueRange(), b.getDenseI64ArrayAttr(offsets),
                           b.getDenseI64ArrayAttr(steps));
  }

  /// The results of all phases of the axes that have no part yet.
  Value join(SmallVectorImpl<Part> &parts) {
    int64_t axis = parts.size();
    if (axis == spatial)
      return convolve(parts);
    int64_t stride = op.getStrides()[axis],
            more = op.getFilter().getType().getDimSize(axis + 2) % stride;
    if (more == 0) {
      parts.push_back({0, stride, taps[axis]});
      Value all = join(parts);
      parts.pop_back();
      return all;
    }
    SmallVector<Value> results;
    for (Part part : {Part{0, more, taps[axis]},
                      Part{more, stride - more, taps[axis] - 1}}) {
      parts.push_back(part);
      results.push_back(join(parts));
      parts.pop_back();
    }
    SmallVector<int64_t> shape(m.shape(results.front()));
    shape[1 + spatial + axis] = stride;
    return ConcatOp::create(m.b, m.loc, m.like(results.front(), shape), results,
                            ValueRange(), 1 + spatial + axis);
  }

  Value convolve(ArrayRef<Part> parts) {
    OpBuilder &b = m.b;
    RankedTensorType type = op.getFilter().getType();
    int64_t channels = type.getDimSize(0), outputs = type.getDimSize(1),
            phases = 1, batch = op.getInput().getType().getDimSize(0);
    // The first taps, which are the last ones of the reversed filter.
    SmallVector<int64_t> offsets{0, 0}, own{channels, outputs},
        steps(2 * spatial + 2, 1), order, shape, kernel, low, high,
        result{batch}, apart{batch};
    for (auto [i, part] : llvm::enumerate(parts)) {
      offsets.append({taps[i] - part.taps, part.from});
      own.append({part.taps, part.phases});
      order.push_back(2 * i + 3);
      phases *= part.phases;
      kernel.push_back(part.taps);
      low.push_back(part.taps - 1);
      high.push_back(taps[i] - 1);
    }
    Value part = filter;
    if (ArrayRef(own) != m.shape(filter))
      part = SliceOp::create(
          b, m.loc, m.like(filter, own), filter, ValueRange(), ValueRange(),
          b.getDenseI64ArrayAttr(offsets), b.getDenseI64ArrayAttr(steps));
    order.append({1, 0});
    shape.append({phases * outputs, channels});
    for (int64_t i = 0; i < spatial; ++i) {
      order.push_back(2 * i + 2);
      shape.push_back(kernel[i]);
    }
    part = m.reshape(m.transpose(part, order), shape);
    llvm::append_range(result, positions);
    result.push_back(phases * outputs);
    llvm::append_range(apart, positions);
    for (const Part &of : parts)
      apart.push_back(of.phases);
    apart.push_back(outputs);
    llvm::append_range(low, high);
    SmallVector<int64_t> ones(spatial, 1);
    Value conv = ConvOp::create(b, m.loc, m.like(op.getResult(), result), input,
                                part, ValueRange(), ones, ones, low,
                                /*group=*/1, /*channelsLast=*/true,
                                FilterLayout::Plain, kernel);
    return m.reshape(conv, apart);
  }

  ConvTransposeOp op;
  Mover m;
  ArrayRef<int64_t> taps, positions;
  int64_t spatial;
  Value input, filter;
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
    int64_t spatial = input.getRank() - 2, outputs = filter.getDimSize(1);
    ArrayRef<int64_t> strides = op.getStrides(), pads = op.getPads();
    SmallVector<int64_t> taps,
        positions; // per axis: of the convolution, and of its result
    for (int64_t i = 0; i < spatial; ++i) {
      int64_t kernel = filter.getDimSize(i + 2);
      if (op.getDilations()[i] != 1)
        return rewriter.notifyMatchFailure(op, "is dilated");
      if (kernel < strides[i])
        return rewriter.notifyMatchFailure(op, "leaves results out");
      taps.push_back((kernel + strides[i] - 1) / strides[i]);
      positions.push_back(input.getDimSize(i + 2) + taps[i] - 1);
      if (pads[i] < 0 ||
          pads[i] + result.getDimSize(i + 2) > positions[i] * strides[i])
        return rewriter.notifyMatchFailure(op,
                                           "keeps more than the full result");
    }

    Mover m{rewriter, op.getLoc()};
    Value conv = Convolutions(op, m, taps, positions).run();
    // [n, q.., s.., oc] -> [n, q0, s0, q1, s1, .., oc] -> [n, q*s.., oc].
    SmallVector<int64_t> order{0}, joined{input.getDimSize(0)};
    for (int64_t i = 0; i < spatial; ++i) {
      order.push_back(1 + i);
      order.push_back(1 + spatial + i);
      joined.push_back(positions[i] * strides[i]);
    }
    order.push_back(2 * spatial + 1);
    joined.push_back(outputs);
    Value full = m.reshape(m.transpose(conv, order), joined);
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
