// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A transposed convolution of stride s is an ordinary convolution of stride 1
// that computes, for each input position, the s x s results next to it as
// separate channels, and a movement that puts these side by side (the sub-pixel
// form of Shi et al., "Is the deconvolution layer the same as a convolutional
// layer?", 2016). If the stride does not divide the kernel, the first of the s
// results take one tap more than the others, and are a separate convolution:
// taps of zeros would spread infinities and NaN.
#include "dialects/Graph/DimBuilder.h"
#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/Remarks.h"
#include "passes/Analysis/Fusion.h"
#include "passes/Graph/Passes.h"
#include "passes/Graph/Simplify.h"

namespace hone {
#define GEN_PASS_DEF_DECOMPOSECONVTRANSPOSEPASS
#include "passes/Graph/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using namespace hone::graph;

namespace {

using Sizes = SmallVector<OpFoldResult>;

/// Creates operations on tensors at one location, by the sizes of their
/// results.
struct Mover {
  OpBuilder &b;
  Location loc;
  DimBuilder &dims;

  OpFoldResult size(int64_t number) const { return b.getIndexAttr(number); }
  Sizes sizes(ArrayRef<int64_t> numbers) const {
    return llvm::map_to_vector<6>(numbers,
                                  [&](int64_t number) { return size(number); });
  }
  OpFoldResult sizeOf(Value v, int64_t i) const {
    return dims.dim(b, loc, v, i);
  }
  OpFoldResult sum(OpFoldResult a, int64_t number) const {
    return dims.add(b, loc, a, size(number));
  }
  OpFoldResult product(OpFoldResult a, int64_t number) const {
    return dims.mul(b, loc, a, size(number));
  }
  RankedTensorType like(Value v, ArrayRef<OpFoldResult> to,
                        SmallVectorImpl<Value> &dynamic) const {
    SmallVector<int64_t> shape;
    dims.split(b, loc, to, shape, dynamic);
    return cast<RankedTensorType>(v.getType()).clone(shape);
  }
  Value reshape(Value v, ArrayRef<OpFoldResult> to) const {
    SmallVector<Value> dynamic;
    Type type = like(v, to, dynamic);
    return ReshapeOp::create(b, loc, type, v, dynamic);
  }
  Value transpose(Value v, ArrayRef<int64_t> order) const {
    auto type = cast<RankedTensorType>(v.getType());
    SmallVector<int64_t> to;
    for (int64_t i : order)
      to.push_back(type.getDimSize(i));
    return TransposeOp::create(b, loc, type.clone(to), v, order);
  }
  Value slice(Value v, ArrayRef<OpFoldResult> to, ArrayRef<int64_t> offsets,
              ArrayRef<int64_t> steps) const {
    SmallVector<Value> dynamic;
    Type type = like(v, to, dynamic);
    return SliceOp::create(b, loc, type, v, ValueRange(), dynamic,
                           b.getDenseI64ArrayAttr(offsets),
                           b.getDenseI64ArrayAttr(steps));
  }
  Value concat(ArrayRef<Value> parts, ArrayRef<OpFoldResult> to,
               int64_t axis) const {
    SmallVector<Value> dynamic;
    Type type = like(parts.front(), to, dynamic);
    return ConcatOp::create(b, loc, type, parts, dynamic, axis);
  }
};

/// The convolutions of a transposed one, with channels last.
class Convolutions {
public:
  /// `map` is computed behind each of them; null: none is.
  Convolutions(ConvTransposeOp op, MapOp map, Mover m, ArrayRef<int64_t> taps,
               ArrayRef<OpFoldResult> positions)
      : op(op), map(map), m(m), taps(taps), positions(positions),
        spatial(taps.size()), group(op.getGroup()),
        channels(op.getFilter().getType().getDimSize(0)),
        outputs(op.getFilter().getType().getDimSize(1)) {
    SmallVector<int64_t> toLast{0};
    for (int64_t i = 0; i < spatial; ++i)
      toLast.push_back(i + 2);
    toLast.push_back(1);
    input = m.transpose(op.getInput(), toLast);
    filter = splitFilter();
  }

  /// [n, q.., s.., group * oc]
  Value run() {
    SmallVector<Part> parts;
    return join(parts);
  }

private:
  /// Phases of one axis with the same number of taps.
  struct Part {
    int64_t from, phases, taps;
  };

  /// [c, oc, t, s, ..], with taps reversed and zeros in place of those that the
  /// last phases do not have.
  Value splitFilter() {
    OpBuilder &b = m.b;
    RankedTensorType type = op.getFilter().getType();
    SmallVector<int64_t> low(spatial + 2, 0), high(spatial + 2, 0),
        filled{channels, outputs}, split(filled), offsets{0, 0}, steps{1, 1};
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
      result =
          PadOp::create(b, m.loc, type.clone(filled), result, zero, low, high);
    }
    result = m.reshape(result, m.sizes(split));
    if (llvm::all_of(taps, [](int64_t count) { return count == 1; }))
      return result;
    return m.slice(result, m.sizes(split), offsets, steps);
  }

  /// The results of all phases of the axes not yet assigned.
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
    Sizes to = m.dims.dims(m.b, m.loc, results.front());
    to[1 + spatial + axis] = m.size(stride);
    return m.concat(results, to, 1 + spatial + axis);
  }

  Value convolve(ArrayRef<Part> parts) {
    OpBuilder &b = m.b;
    // The first taps, which are the last ones of the reversed filter.
    SmallVector<int64_t> offsets{0, 0}, own{channels, outputs},
        grouped{group, channels / group, outputs}, steps(2 * spatial + 2, 1),
        order{0}, kernel, low, high;
    int64_t phases = 1;
    for (auto [i, part] : llvm::enumerate(parts)) {
      offsets.append({taps[i] - part.taps, part.from});
      own.append({part.taps, part.phases});
      grouped.append({part.taps, part.phases});
      order.push_back(2 * i + 4);
      phases *= part.phases;
      kernel.push_back(part.taps);
      low.push_back(part.taps - 1);
      high.push_back(taps[i] - 1);
    }
    Value part = filter;
    if (ArrayRef(own) != cast<RankedTensorType>(filter.getType()).getShape())
      part = m.slice(filter, m.sizes(own), offsets, steps);
    // [group, s.., oc, c, t..]
    order.append({2, 1});
    SmallVector<int64_t> shape{group * phases * outputs, channels / group};
    for (int64_t i = 0; i < spatial; ++i) {
      order.push_back(2 * i + 3);
      shape.push_back(kernel[i]);
    }
    part = m.reshape(m.transpose(m.reshape(part, m.sizes(grouped)), order),
                     m.sizes(shape));
    Sizes result{m.sizeOf(op.getInput(), 0)};
    llvm::append_range(result, positions);
    Sizes apart(result), joined(result);
    result.push_back(m.size(shape.front()));
    llvm::append_range(low, high);
    SmallVector<int64_t> ones(spatial, 1);
    SmallVector<Value> dynamic;
    // Sums of f16 are in f32.
    Type type = m.like(op.getResult(), result, dynamic);
    auto conv = ConvOp::create(b, m.loc, type, input, part, dynamic, ones, ones,
                               low, group, /*channelsLast=*/true, PackedAttr(),
                               /*depthwise=*/false, kernel,
                               /*fill=*/IntegerAttr());
    Value all = conv;
    if (map)
      all = computeMap(conv, phases);
    // [n, q.., group, s.., oc] -> [n, q.., s.., group, oc]
    SmallVector<int64_t> toInner;
    for (int64_t i = 0; i <= spatial; ++i)
      toInner.push_back(i);
    apart.push_back(m.size(group));
    for (auto [i, of] : llvm::enumerate(parts)) {
      apart.push_back(m.size(of.phases));
      joined.push_back(m.size(of.phases));
      toInner.push_back(spatial + 2 + i);
    }
    toInner.append({spatial + 1, 2 * spatial + 2});
    apart.push_back(m.size(outputs));
    joined.push_back(m.size(group * outputs));
    if (group == 1)
      return m.reshape(all, joined);
    return m.reshape(m.transpose(m.reshape(all, apart), toInner), joined);
  }

  /// The map, on the channels [group, s.., oc] of a convolution.
  Value computeMap(ConvOp conv, int64_t phases) {
    SmallVector<Value> inputs;
    for (Value input : map.getInputs())
      inputs.push_back(input == op.getResult() ? conv.getResult()
                                               : spread(input, phases));
    Region body;
    IRMapping mapping;
    map.getBody().cloneInto(&body, mapping);
    Type type = conv.getType().clone(getElementTypeOrSelf(map.getResult(0)));
    return createMap(m.b, map.getLoc(), type, inputs, conv.getDims(), body)
        .getResult(0);
  }

  /// Numbers for each of the channels, if they are not all the same, as
  /// [group * s * .. * oc].
  Value spread(Value numbers, int64_t phases) {
    auto type = cast<RankedTensorType>(numbers.getType());
    if (type.getNumElements() == 1)
      return numbers;
    Value once = m.reshape(numbers, m.sizes({group, 1, outputs}));
    Value repeated =
        MapOp::create(m.b, m.loc, type.clone({group, phases, outputs}), once,
                      ValueRange(),
                      [](OpBuilder &b, Location loc, ValueRange elements) {
                        YieldOp::create(b, loc, elements);
                      })
            .getResult(0);
    return m.reshape(repeated, m.sizes({group * phases * outputs}));
  }

  ConvTransposeOp op;
  MapOp map;
  Mover m;
  ArrayRef<int64_t> taps;
  ArrayRef<OpFoldResult> positions;
  int64_t spatial, group, channels, outputs;
  Value input, filter;
};

class Decomposer {
public:
  explicit Decomposer(func::FuncOp function)
      : rewriter(function.getContext()), dims(function) {}

  LogicalResult decompose(ConvTransposeOp op) {
    RankedTensorType input = op.getInput().getType(),
                     filter = op.getFilter().getType();
    if (!filter.hasStaticShape())
      return rewriter.notifyMatchFailure(op, "the filter's shape is not known");
    if (!isa<FloatType>(input.getElementType()) &&
        !isByteProduct(input.getElementType(), op.getType().getElementType()))
      return rewriter.notifyMatchFailure(op, "elements are no floats or bytes");
    rewriter.setInsertionPoint(op);
    Mover m{rewriter, op.getLoc(), dims};
    int64_t spatial = input.getRank() - 2;
    ArrayRef<int64_t> strides = op.getStrides(), pads = op.getPads();
    SmallVector<int64_t> taps; // of the convolution, per axis
    Sizes positions;           // of its result
    for (int64_t i = 0; i < spatial; ++i) {
      int64_t kernel = filter.getDimSize(i + 2);
      if (op.getDilations()[i] != 1)
        return rewriter.notifyMatchFailure(op, "is dilated");
      if (kernel < strides[i])
        return rewriter.notifyMatchFailure(op, "leaves results out");
      taps.push_back(llvm::divideCeil(kernel, strides[i]));
      positions.push_back(m.sum(m.sizeOf(op.getInput(), i + 2), taps[i] - 1));
      std::optional<int64_t> beyond = DimBuilder::constant(
          dims.sub(rewriter, op.getLoc(), m.product(positions[i], strides[i]),
                   m.sum(m.sizeOf(op.getResult(), i + 2), pads[i])));
      if (pads[i] < 0 || !beyond || *beyond < 0)
        return rewriter.notifyMatchFailure(
            op, "keeps more than the full result, or an unknown part of it");
    }

    // Its constants may come after the convolution.
    MapOp map = mapBehind(op);
    if (map)
      rewriter.setInsertionPoint(map);
    Value conv = Convolutions(op, map, m, taps, positions).run();
    // [n, q.., s.., oc] -> [n, q0, s0, q1, s1, .., oc] -> [n, q*s.., oc].
    SmallVector<int64_t> order{0}, offsets{0}, last{0, spatial + 1};
    Sizes joined{m.sizeOf(op.getInput(), 0)}, kept(joined);
    bool crops = false;
    for (int64_t i = 0; i < spatial; ++i) {
      order.append({1 + i, 1 + spatial + i});
      joined.push_back(m.product(positions[i], strides[i]));
      kept.push_back(m.sizeOf(op.getResult(), i + 2));
      crops |= !dims.equal(joined.back(), kept.back());
      offsets.push_back(pads[i]);
      last.push_back(i + 1);
    }
    order.push_back(2 * spatial + 1);
    joined.push_back(m.size(filter.getDimSize(1) * op.getGroup()));
    kept.push_back(joined.back());
    offsets.push_back(0);
    Value full = m.reshape(m.transpose(conv, order), joined);
    if (crops)
      full = m.slice(full, kept, offsets, SmallVector<int64_t>(spatial + 2, 1));
    full = m.transpose(full, last);
    if (map) {
      rewriter.replaceOp(map, full);
      rewriter.eraseOp(op);
    } else {
      rewriter.replaceOp(op, full);
    }
    return success();
  }

private:
  /// The map that is computed before the movement, if there is one.
  static MapOp mapBehind(ConvTransposeOp op) {
    MapOp map = firstMapOn(op.getResult());
    if (!map)
      return {};
    if (Fusion fusion = planPartialEpilogue(op.getResult(), map, 1); !fusion) {
      remarkApart(op, map, "decompose-conv-transpose", fusion);
      return {};
    }
    remark::passed(map.getLoc(), remark::RemarkOpts::name("behind-contraction")
                                     .category("decompose-conv-transpose"));
    return map;
  }

  IRRewriter rewriter;
  DimBuilder dims;
};

struct DecomposeConvTransposePass
    : hone::impl::DecomposeConvTransposePassBase<DecomposeConvTransposePass> {
  using Base::Base;
  void runOnOperation() override {
    SmallVector<ConvTransposeOp> ops;
    getOperation().walk([&](ConvTransposeOp op) { ops.push_back(op); });
    if (ops.empty())
      return;
    Decomposer decomposer(getOperation());
    for (ConvTransposeOp op : ops)
      // The rest is computed directly.
      (void)decomposer.decompose(op);
  }
};
} // namespace
