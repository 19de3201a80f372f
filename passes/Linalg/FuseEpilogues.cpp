// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Moves the maps on the result of a contraction or window into its epilogue,
// where they operate on accumulators still in registers.
#include "dialects/Graph/KernelOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "passes/Analysis/Fusion.h"
#include "passes/Linalg/Passes.h"

namespace hone {
#define GEN_PASS_DEF_FUSEEPILOGUESPASS
#include "passes/Linalg/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using namespace hone::graph;

/// How an input of a map, aligned from the right, is indexed by output
/// coordinates.
static AffineMap broadcastMap(MLIRContext *context, RankedTensorType input,
                              int64_t outRank) {
  SmallVector<AffineExpr> results;
  for (int64_t i = 0; i < input.getRank(); ++i)
    results.push_back(
        input.getDimSize(i) == 1
            ? getAffineConstantExpr(0, context)
            : getAffineDimExpr(outRank - input.getRank() + i, context));
  return AffineMap::get(outRank, 0, results, context);
}

namespace {
/// A value that the fused operation may have to store.
struct Stored {
  Value value;
  ValueRange dims;
};
} // namespace

/// True if all uses of `value` are inside `chain` or after its last element.
static bool usesFollow(Value value, ArrayRef<MapOp> chain) {
  Operation *last = chain.back();
  return llvm::all_of(value.getUsers(), [&](Operation *user) {
    Operation *inBlock = last->getBlock()->findAncestorOpInBlock(*user);
    if (!inBlock)
      return false;
    if (auto map = dyn_cast<MapOp>(inBlock))
      if (llvm::is_contained(chain, map))
        return true;
    return last->isBeforeInBlock(inBlock);
  });
}

/// The maps that run in the epilogue, in order.
static SmallVector<MapOp> findChain(Operation *root) {
  SmallVector<MapOp> chain;
  SmallVector<Value> produced(root->getResults());
  Value current = root->getResult(0);
  while (MapOp map = firstMapOn(current)) {
    if (!planEpilogue(current, map))
      break;
    chain.push_back(map);
    llvm::append_range(produced, map.getResults());
    if (!llvm::all_of(produced,
                      [&](Value value) { return usesFollow(value, chain); })) {
      chain.pop_back();
      break;
    }
    if (map.getNumResults() != 1)
      break;
    current = map.getResult(0);
  }
  return chain;
}

static bool isUsedOutside(Value value, ArrayRef<MapOp> chain) {
  return llvm::any_of(value.getUsers(), [&](Operation *user) {
    auto map = dyn_cast<MapOp>(user);
    return !map || !llvm::is_contained(chain, map);
  });
}

static void fuse(EpilogueOpInterface root) {
  SmallVector<MapOp> chain = findChain(root);
  MLIRContext *context = root.getContext();
  OpBuilder builder(root);
  if (!chain.empty())
    builder.setInsertionPoint(chain.back());
  Location loc = root.getLoc();
  auto rootType = cast<RankedTensorType>(root->getResult(0).getType());
  auto sized = cast<GivenSizesOpInterface>(root.getOperation());

  // What is stored: the end of the chain, and values also used elsewhere.
  SmallVector<Stored> stored;
  for (MapOp map : llvm::reverse(chain))
    for (Value result : map.getResults())
      if (isUsedOutside(result, chain))
        stored.push_back({result, map.getDims()});
  for (Value result : root->getResults())
    if (isUsedOutside(result, chain) || (chain.empty() && stored.empty()))
      stored.push_back({result, sized.getDims()});
  if (stored.empty())
    stored.push_back({chain.back().getResult(0), chain.back().getDims()});

  // The distinct additional operands of the maps.
  llvm::SmallSetVector<Value, 4> inside;
  inside.insert_range(root->getResults());
  for (MapOp map : chain)
    inside.insert_range(map.getResults());
  llvm::SmallSetVector<Value, 4> extras;
  SmallVector<Attribute> maps;
  for (MapOp map : chain)
    for (Value input : map.getInputs())
      if (!inside.contains(input) && extras.insert(input))
        maps.push_back(AffineMapAttr::get(
            broadcastMap(context, cast<RankedTensorType>(input.getType()),
                         rootType.getRank())));

  SmallVector<Value> outs;
  SmallVector<Type> types;
  for (const Stored &item : stored) {
    auto type = cast<RankedTensorType>(item.value.getType());
    types.push_back(type);
    outs.push_back(tensor::EmptyOp::create(builder, loc, type, item.dims));
  }
  Operation *fused = root.createKernelOp(builder, types, extras.getArrayRef(),
                                         outs, builder.getArrayAttr(maps));

  // Accumulators first; they become elements of the root's results.
  Block *body = builder.createBlock(&fused->getRegion(0));
  IRMapping mapping;
  for (Value result : root->getResults()) {
    Type element = cast<RankedTensorType>(result.getType()).getElementType();
    Value scalar = body->addArgument(getAccumulatorType(element), loc);
    if (scalar.getType() != element)
      scalar = arith::TruncFOp::create(builder, loc, element, scalar);
    mapping.map(result, scalar);
  }
  for (Value extra : extras)
    mapping.map(extra, body->addArgument(getElementTypeOrSelf(extra), loc));
  for (MapOp map : chain) {
    Block &scalars = map.getBody().front();
    for (auto [argument, input] :
         llvm::zip_equal(scalars.getArguments(), map.getInputs()))
      mapping.map(argument, mapping.lookup(input));
    for (Operation &op : scalars.without_terminator())
      builder.clone(op, mapping);
    for (auto [result, value] : llvm::zip_equal(
             map.getResults(), scalars.getTerminator()->getOperands()))
      mapping.map(result, mapping.lookupOrDefault(value));
  }
  SmallVector<Value> yielded;
  for (const Stored &item : stored)
    yielded.push_back(mapping.lookup(item.value));
  KernelYieldOp::create(builder, loc, yielded);

  for (auto [item, result] : llvm::zip_equal(stored, fused->getResults()))
    item.value.replaceAllUsesWith(result);
  for (MapOp map : llvm::reverse(chain))
    map.erase();
  root->erase();
}

/// Attention has an epilogue already, on its scores.
static void convertAttention(AttentionOp op) {
  OpBuilder builder(op);
  int64_t rank = op.getResult().getType().getRank();
  SmallVector<Attribute> maps;
  for (Value extra : op.getExtras())
    maps.push_back(AffineMapAttr::get(broadcastMap(
        op.getContext(), cast<RankedTensorType>(extra.getType()), rank)));
  Value out = tensor::EmptyOp::create(builder, op.getLoc(),
                                      op.getResult().getType(), op.getDims());
  auto attention = KernelAttentionOp::create(
      builder, op.getLoc(), out.getType(), op.getQuery(), op.getKey(),
      op.getValue(), op.getExtras(), out, builder.getArrayAttr(maps),
      op.getMasked(), op.getQueryByRow(), op.getKeyByRow(), op.getValueByRow(),
      op.getResultByRow(), ScheduleAttr());
  attention.getEpilogue().takeBody(op.getScores());
  Operation *yield = attention.getEpilogue().front().getTerminator();
  builder.setInsertionPoint(yield);
  KernelYieldOp::create(builder, yield->getLoc(), yield->getOperands());
  yield->erase();
  op.getResult().replaceAllUsesWith(attention.getResult(0));
  op.erase();
}

namespace {
struct FuseEpiloguesPass
    : hone::impl::FuseEpiloguesPassBase<FuseEpiloguesPass> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<EpilogueOpInterface> roots;
    getOperation().walk([&](EpilogueOpInterface op) { roots.push_back(op); });
    llvm::for_each(roots, fuse);
    getOperation().walk(convertAttention);
  }
};
} // namespace
