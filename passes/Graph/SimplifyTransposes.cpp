// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Moves transposes next to operations that can absorb them: after maps,
// reshapes that add or drop ones, and slices.
#include "mlir/IR/Dominance.h"
#include "mlir/Transforms/RegionUtils.h"
#include "passes/Analysis/Fusion.h"
#include "passes/Graph/ChannelsLast.h"
#include "passes/Graph/Simplify.h"

using namespace mlir;
using namespace hone;
using namespace hone::graph;

/// The dimensions that are not 1.
static SmallVector<int64_t> wideDims(Value value) {
  SmallVector<int64_t> result;
  for (auto [i, size] : llvm::enumerate(tensorType(value).getShape()))
    if (size != 1)
      result.push_back(i);
  return result;
}

/// Whether a product would take in the transpose if no map came after it.
static bool wouldJoinMatmul(Operation *movement, MapOp map) {
  auto transpose = dyn_cast<TransposeOp>(movement);
  if (!transpose || !map->hasOneUse())
    return false;
  auto matmul = dyn_cast<MatmulOp>(*map->user_begin());
  ArrayRef<int64_t> order = transpose.getPermutation();
  return matmul && matmul.getRhs() == map.getResult(0) && !matmul.getPacked() &&
         !matmul.getTransposeRhs() &&
         order[order.size() - 2] == static_cast<int64_t>(order.size()) - 1;
}

namespace {

/// A map of one operand runs before a transpose or reshape of it, in the kernel
/// that produces the operand. Not if elements become wider, as more would be
/// moved.
struct MapBeforeMovement : OpRewritePattern<MapOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(MapOp map,
                                PatternRewriter &rewriter) const override {
    if (map.getInputs().size() != 1 || map->getNumResults() != 1)
      return rewriter.notifyMatchFailure(map, "not of one operand");
    Value moved = map.getInputs().front();
    Operation *movement = moved.getDefiningOp();
    if (!isa_and_nonnull<TransposeOp, ReshapeOp>(movement) ||
        !movement->hasOneUse() ||
        tensorType(moved).getShape() != tensorType(map.getResult(0)).getShape())
      return rewriter.notifyMatchFailure(map, "operand is not moved for it");
    Value source = movement->getOperand(0);
    if (!wouldJoinProducer(source) && !wouldJoinMatmul(movement, map))
      return rewriter.notifyMatchFailure(map, "would be a kernel of its own");
    Type from = tensorType(moved).getElementType(),
         to = tensorType(map.getResult(0)).getElementType();
    if (!from.isIntOrFloat() || !to.isIntOrFloat() ||
        to.getIntOrFloatBitWidth() > from.getIntOrFloatBitWidth())
      return rewriter.notifyMatchFailure(map, "elements become wider");
    if (!isElementwise(map))
      return rewriter.notifyMatchFailure(map, "more than arithmetic");
    llvm::SetVector<Value> outer;
    getUsedValuesDefinedAbove(map.getBody(), outer);
    if (!outer.empty()) {
      DominanceInfo dominance;
      for (Value value : outer)
        if (!dominance.properlyDominates(value, movement))
          return rewriter.notifyMatchFailure(map, "reads what comes later");
    }

    rewriter.setInsertionPoint(movement);
    auto before =
        createMap(rewriter, map.getLoc(), tensorType(source).clone(to), source,
                  dynamicSizes(rewriter, map, source), map.getBody());
    rewriter.setInsertionPoint(map);
    Operation *after = rewriter.clone(*movement);
    rewriter.modifyOpInPlace(after, [&] {
      after->setOperand(0, before.getResult(0));
      after->getResult(0).setType(map.getResult(0).getType());
    });
    rewriter.replaceOp(map, after->getResults());
    rewriter.eraseOp(movement);
    return success();
  }
};

/// Ones stay in place; a reshape moves them where they belong.
struct TransposeKeepsUnits : OpRewritePattern<TransposeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(TransposeOp op,
                                PatternRewriter &rewriter) const override {
    RankedTensorType type = op.getInput().getType();
    ArrayRef<int64_t> permutation = op.getPermutation();
    bool movesUnit = false;
    SmallVector<int64_t> wide, order, shape;
    for (auto [i, from] : llvm::enumerate(permutation)) {
      if (type.getDimSize(from) != 1)
        wide.push_back(from);
      else
        movesUnit |= from != static_cast<int64_t>(i);
    }
    if (!movesUnit || movesOnlyUnits(type.getShape(), permutation))
      return rewriter.notifyMatchFailure(op, "leaves ones where they are");
    size_t next = 0;
    for (int64_t i = 0; i < type.getRank(); ++i) {
      order.push_back(type.getDimSize(i) == 1 ? i : wide[next++]);
      shape.push_back(type.getDimSize(order.back()));
    }
    Value transposed = TransposeOp::create(
        rewriter, op.getLoc(), type.clone(shape), op.getInput(), order);
    rewriter.replaceOpWithNewOp<ReshapeOp>(
        op, op.getType(), transposed, dynamicSizes(rewriter, op, transposed));
    return success();
  }
};

/// A reshape that only adds and drops ones comes before a transpose.
struct ReshapeBeforeTranspose : OpRewritePattern<ReshapeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ReshapeOp op,
                                PatternRewriter &rewriter) const override {
    auto transpose = op.getInput().getDefiningOp<TransposeOp>();
    if (!transpose || !transpose->hasOneUse())
      return rewriter.notifyMatchFailure(op, "no transpose of its own");
    Value source = transpose.getInput();
    SmallVector<int64_t> from = wideDims(op.getInput()),
                         to = wideDims(op.getResult()),
                         inSource = wideDims(source);
    if (from.size() != to.size())
      return rewriter.notifyMatchFailure(op, "joins or splits dimensions");
    DimBuilder dims = dimsOf(op);
    for (auto [a, b] : llvm::zip_equal(from, to))
      if (!dims.sameSize(op.getInput(), a, op.getResult(), b))
        return rewriter.notifyMatchFailure(op, "sizes may differ");

    // Ones are where the result has them, the others in the source's order.
    RankedTensorType type = op.getType(), sourceType = tensorType(source);
    SmallVector<int64_t> shape, order(type.getRank());
    llvm::DenseMap<int64_t, int64_t> placeOf; // of a dimension of the source
    size_t next = 0;
    for (int64_t i = 0; i < type.getRank(); ++i) {
      if (type.getDimSize(i) == 1) {
        shape.push_back(1);
        order[i] = i;
        continue;
      }
      placeOf[inSource[next]] = i;
      shape.push_back(sourceType.getDimSize(inSource[next++]));
    }
    for (auto [a, b] : llvm::zip_equal(from, to))
      order[b] = placeOf.lookup(transpose.getPermutation()[a]);
    Value reshaped =
        ReshapeOp::create(rewriter, op.getLoc(), sourceType.clone(shape),
                          source, dynamicSizes(rewriter, op, source));
    rewriter.replaceOpWithNewOp<TransposeOp>(op, type, reshaped, order);
    return success();
  }
};

/// Slices of a transposed tensor are taken first, if it has no other use.
struct SliceBeforeTranspose : OpRewritePattern<SliceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(SliceOp op,
                                PatternRewriter &rewriter) const override {
    auto transpose = op.getInput().getDefiningOp<TransposeOp>();
    if (!transpose || !op.getOffsets().empty() ||
        !llvm::all_of(transpose->getUsers(), llvm::IsaPred<SliceOp>))
      return rewriter.notifyMatchFailure(op, "needs the transposed tensor");
    RankedTensorType type = op.getType();
    int64_t rank = type.getRank();
    SmallVector<int64_t> offsets(rank), steps(rank), shape(rank);
    SmallVector<Value> sizes(rank), dynamic;
    size_t next = 0;
    for (auto [i, from] : llvm::enumerate(transpose.getPermutation())) {
      offsets[from] = op.getStaticOffsets()[i];
      steps[from] = op.getSteps()[i];
      shape[from] = type.getDimSize(i);
      if (type.isDynamicDim(i))
        sizes[from] = op.getDims()[next++];
    }
    llvm::copy_if(sizes, std::back_inserter(dynamic),
                  [](Value size) { return size != nullptr; });
    Value slice = SliceOp::create(rewriter, op.getLoc(), type.clone(shape),
                                  transpose.getInput(), ValueRange(), dynamic,
                                  offsets, steps);
    rewriter.replaceOpWithNewOp<TransposeOp>(op, type, slice,
                                             transpose.getPermutation());
    return success();
  }
};

} // namespace

void hone::populateSimplifyTransposePatterns(RewritePatternSet &patterns) {
  patterns.add<MapBeforeMovement, TransposeKeepsUnits, ReshapeBeforeTranspose,
               SliceBeforeTranspose>(patterns.getContext());
}
