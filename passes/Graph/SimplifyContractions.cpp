// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Simplification of matrix products and convolutions with neighbouring
// operations.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"
#include "mlir/IR/Matchers.h"
#include "passes/Graph/Simplify.h"

using namespace mlir;
using namespace hone;
using namespace hone::graph;

bool hone::isDepthwise(ConvOp conv) {
  return isChannelwise(conv) && conv.getFilter().getType().getDimSize(0) ==
                                    static_cast<int64_t>(conv.getGroup());
}

namespace {

/// A zero pad of spatial dimensions becomes padding of the convolution.
struct FoldPadIntoConv : OpRewritePattern<ConvOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ConvOp conv,
                                PatternRewriter &rewriter) const override {
    auto pad = conv.getInput().getDefiningOp<PadOp>();
    if (!pad)
      return rewriter.notifyMatchFailure(conv, "input is not padded");
    if (!matchPattern(pad.getValue(), m_AnyZeroFloat()) &&
        !matchPattern(pad.getValue(), m_Zero()))
      return rewriter.notifyMatchFailure(conv, "padded with another value");
    int64_t rank = tensorType(pad.getResult()).getRank(), spatial = rank - 2;
    int64_t first = conv.getChannelsLast() ? 1 : 2;
    SmallVector<int64_t> pads(conv.getPads());
    for (int64_t i = 0; i < rank; ++i) {
      int64_t low = pad.getLow()[i], high = pad.getHigh()[i];
      if (low < 0 || high < 0)
        return rewriter.notifyMatchFailure(conv, "the pad crops");
      if (i >= first && i < first + spatial) {
        pads[i - first] += low;
        pads[i - first + spatial] += high;
      } else if (low || high) {
        return rewriter.notifyMatchFailure(conv, "batch or channels padded");
      }
    }
    rewriter.modifyOpInPlace(conv, [&] {
      conv.getInputMutable().assign(pad.getInput());
      conv.setPads(pads);
    });
    return success();
  }
};

/// A transpose that ends with a swap of the last two dimensions becomes
/// `transpose_rhs`, which reads rows; the rest of it moves whole rows.
struct TransposeIntoMatmul : OpRewritePattern<MatmulOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MatmulOp matmul,
                                PatternRewriter &rewriter) const override {
    auto transpose = matmul.getRhs().getDefiningOp<TransposeOp>();
    if (!transpose || matmul.getPacked() || isConstant(transpose.getInput()))
      return rewriter.notifyMatchFailure(matmul, "no transpose to take in");
    SmallVector<int64_t> order(transpose.getPermutation());
    int64_t rank = order.size();
    if (order[rank - 2] != rank - 1)
      return rewriter.notifyMatchFailure(matmul, "rows would stay split");
    std::swap(order[rank - 2], order[rank - 1]);
    SmallVector<int64_t> shape;
    for (int64_t from : order)
      shape.push_back(tensorType(transpose.getInput()).getDimSize(from));
    Value rhs = TransposeOp::create(rewriter, transpose.getLoc(),
                                    tensorType(transpose).clone(shape),
                                    transpose.getInput(), order);
    rewriter.modifyOpInPlace(matmul, [&] {
      matmul.getRhsMutable().assign(rhs);
      matmul.setTransposeRhs(!matmul.getTransposeRhs());
    });
    return success();
  }
};

/// [b.., m, k] x [k, n] is one product of b * .. * m rows.
struct MergeRows : OpRewritePattern<MatmulOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MatmulOp matmul,
                                PatternRewriter &rewriter) const override {
    RankedTensorType lhs = matmul.getLhs().getType();
    RankedTensorType rhs = matmul.getRhs().getType();
    auto isOne = [](int64_t size) { return size == 1; };
    if (lhs.getRank() <= 2 || rhs.getRank() > lhs.getRank())
      return rewriter.notifyMatchFailure(matmul, "one matrix on the left");
    if (!matmul.getPacked() &&
        !llvm::all_of(rhs.getShape().drop_back(2), isOne))
      return rewriter.notifyMatchFailure(matmul, "the right side is batched");
    if (!isConstant(matmul.getRhs()) && rhs.getRank() == lhs.getRank() &&
        llvm::all_of(lhs.getShape().drop_back(2), isOne))
      return rewriter.notifyMatchFailure(matmul, "one matrix on both sides");
    Location loc = matmul.getLoc();
    DimBuilder dims = dimsOf(matmul);
    SmallVector<OpFoldResult> sizes = dims.dims(rewriter, loc, matmul.getLhs());
    SmallVector<OpFoldResult> result =
        dims.dims(rewriter, loc, matmul.getResult());
    OpFoldResult rows =
        dims.product(rewriter, loc, ArrayRef(sizes).drop_back());
    Value left =
        reshapeTo(rewriter, loc, dims, matmul.getLhs(), {rows, sizes.back()});
    Value right = matmul.getRhs();
    if (!matmul.getPacked()) {
      SmallVector<OpFoldResult> matrix = dims.dims(rewriter, loc, right);
      right =
          reshapeTo(rewriter, loc, dims, right, ArrayRef(matrix).take_back(2));
    }
    SmallVector<int64_t> shape;
    SmallVector<Value> dynamic;
    dims.split(rewriter, loc, {rows, result.back()}, shape, dynamic);
    auto merged =
        MatmulOp::create(rewriter, loc, matmul.getType().clone(shape), left,
                         right, dynamic, matmul.getTransposeRhs(),
                         matmul.getPackedAttr(), matmul.getQuantizedAttr());
    rewriter.replaceOpWithNewOp<ReshapeOp>(matmul, matmul.getType(), merged,
                                           matmul.getDims());
    return success();
  }
};

/// map(reshape(x), ..) -> reshape(map(x, ..)) after a matrix product, so that
/// the map follows it directly.
struct SinkReshape : OpRewritePattern<MapOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MapOp map,
                                PatternRewriter &rewriter) const override {
    ReshapeOp reshape;
    for (Value input : map.getInputs()) {
      auto candidate = input.getDefiningOp<ReshapeOp>();
      // Only toward the product's own rank: never back and forth.
      if (candidate && candidate->hasOneUse() &&
          tensorType(candidate.getInput()).getRank() == 2 &&
          candidate.getType().getRank() > 2 &&
          candidate.getType().getShape() ==
              tensorType(map.getResult(0)).getShape() &&
          comesFromMatmul(candidate.getInput())) {
        reshape = candidate;
        break;
      }
    }
    if (!reshape)
      return rewriter.notifyMatchFailure(map, "no reshaped product");
    if (!map.getBody().getOps<IndexOp>().empty())
      return rewriter.notifyMatchFailure(map, "coordinates are read");

    Location loc = map.getLoc();
    DimBuilder dims = dimsOf(map);
    Value source = reshape.getInput();
    // Trailing dimensions that both shapes have.
    int64_t narrowRank = tensorType(source).getRank(), shared = 0;
    int64_t wideRank = reshape.getType().getRank();
    while (shared < std::min(narrowRank, wideRank) &&
           dims.sameSize(source, narrowRank - 1 - shared, reshape.getResult(),
                         wideRank - 1 - shared))
      ++shared;
    SmallVector<ReassociationIndices> groups = groupsOf(reshape);
    SmallVector<std::optional<SmallVector<int64_t>>> shapes;
    for (Value input : map.getInputs()) {
      bool isAligned = canMove(input, reshape, shared);
      shapes.push_back(isAligned ? std::nullopt
                                 : movedShape(input, reshape, groups));
      if (!isAligned && !shapes.back())
        return rewriter.notifyMatchFailure(map, "an input is broadcast");
    }
    SmallVector<OpFoldResult> narrow = dims.dims(rewriter, loc, source);
    SmallVector<Value> inputs;
    for (auto [input, moved] : llvm::zip_equal(map.getInputs(), shapes))
      inputs.push_back(
          moved ? reshapeTo(rewriter, loc, input, *moved)
                : moveInput(input, reshape, narrow, shared, dims, rewriter));
    SmallVector<int64_t> shape;
    SmallVector<Value> dynamic;
    dims.split(rewriter, loc, narrow, shape, dynamic);
    SmallVector<Type> types;
    for (Value result : map.getResults())
      types.push_back(tensorType(result).clone(shape));
    MapOp moved =
        createMap(rewriter, loc, types, inputs, dynamic, map.getBody());
    SmallVector<Value> results;
    for (auto [result, value] : llvm::zip(map.getResults(), moved.getResults()))
      results.push_back(ReshapeOp::create(rewriter, loc, tensorType(result),
                                          value, map.getDims()));
    rewriter.replaceOp(map, results);
    return success();
  }

private:
  /// Through maps of the product's shape.
  static bool comesFromMatmul(Value value) {
    for (int depth = 0; depth < 8 && value; ++depth) {
      if (value.getDefiningOp<MatmulOp>())
        return true;
      auto map = value.getDefiningOp<MapOp>();
      if (!map)
        return false;
      ArrayRef<int64_t> shape = tensorType(value).getShape();
      value = Value();
      for (Value input : map.getInputs())
        if (tensorType(input).getShape() == shape &&
            (!value || input.getDefiningOp<MatmulOp>()))
          value = input;
    }
    return false;
  }

  /// Whether `input` has the shape that is reshaped, or varies only along
  /// trailing dimensions that stay.
  static bool canMove(Value input, ReshapeOp reshape, int64_t shared) {
    RankedTensorType type = tensorType(input);
    if (type.getShape() == reshape.getType().getShape())
      return true;
    return type.getRank() <= shared ||
           llvm::all_of(type.getShape().drop_back(shared),
                        [](int64_t size) { return size == 1; });
  }

  /// For each dimension before the reshape, those that it is split into; none
  /// if sizes are unknown.
  static SmallVector<ReassociationIndices> groupsOf(ReshapeOp reshape) {
    RankedTensorType narrow = tensorType(reshape.getInput()),
                     wide = reshape.getType();
    if (!narrow.hasStaticShape() || !wide.hasStaticShape())
      return {};
    return getReassociationIndicesForReshape(wide, narrow)
        .value_or(SmallVector<ReassociationIndices>());
  }

  /// The shape before the reshape of an input that is broadcast along all
  /// dimensions of some groups, and none of others.
  static std::optional<SmallVector<int64_t>>
  movedShape(Value input, ReshapeOp reshape,
             ArrayRef<ReassociationIndices> groups) {
    ArrayRef<int64_t> wide = reshape.getType().getShape(),
                      own = tensorType(input).getShape();
    SmallVector<int64_t> aligned(wide.size() - own.size(), 1), shape;
    llvm::append_range(aligned, own);
    for (const ReassociationIndices &group : groups) {
      auto hasSize = [&](int64_t dim) { return aligned[dim] == wide[dim]; };
      auto isOne = [&](int64_t dim) { return aligned[dim] == 1; };
      if (llvm::all_of(group, isOne))
        shape.push_back(1);
      else if (llvm::all_of(group, hasSize))
        shape.push_back(
            tensorType(reshape.getInput()).getDimSize(shape.size()));
      else
        return std::nullopt;
    }
    if (groups.empty())
      return std::nullopt;
    return shape;
  }

  /// `input` for the map on the shape before the reshape.
  static Value moveInput(Value input, ReshapeOp reshape,
                         ArrayRef<OpFoldResult> narrow, int64_t shared,
                         DimBuilder &dims, OpBuilder &builder) {
    if (input == reshape.getResult())
      return reshape.getInput();
    RankedTensorType type = tensorType(input);
    if (type.getShape() == reshape.getType().getShape())
      return reshapeTo(builder, reshape.getLoc(), dims, input, narrow);
    if (type.getRank() <= shared)
      return input;
    SmallVector<OpFoldResult> sizes =
        dims.dims(builder, reshape.getLoc(), input);
    return reshapeTo(builder, reshape.getLoc(), dims, input,
                     ArrayRef(sizes).take_back(shared));
  }
};

} // namespace

void hone::populateSimplifyContractionPatterns(RewritePatternSet &patterns) {
  patterns.add<FoldPadIntoConv, TransposeIntoMatmul, MergeRows, SinkReshape>(
      patterns.getContext());
  populateFoldAffinePatterns(patterns);
}
