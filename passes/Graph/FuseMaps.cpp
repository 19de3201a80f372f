// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Puts the body of a map in place of the element that a later map reads.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Remarks.h"
#include "passes/Graph/Passes.h"
#include "passes/Graph/Simplify.h"

namespace hone {
#define GEN_PASS_DEF_FUSEMAPSPASS
#include "passes/Graph/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using namespace hone::graph;

/// Bodies do not grow beyond this: registers are few.
static constexpr size_t maxBodyOps = 160;
static constexpr size_t maxInputs = 16;
/// Up to this cost an element is computed again rather than stored and read.
static constexpr int64_t cheap = 2;

static size_t bodySize(MapOp map) {
  return map.getBody().front().getOperations().size();
}

/// Rough cost of one element, in additions.
static int64_t costOf(MapOp map) {
  int64_t cost = 0;
  map.getBody().walk([&](Operation *op) {
    if (isa<math::MathDialect>(op->getDialect()))
      cost += isa<math::AbsFOp, math::AbsIOp, math::FmaOp, math::CopySignOp>(op)
                  ? 1
                  : 16;
    else if (isa<arith::DivFOp, arith::DivSIOp, arith::DivUIOp, arith::RemSIOp,
                 arith::RemUIOp, arith::RemFOp>(op))
      cost += 8;
    else if (isa<arith::ArithDialect>(op->getDialect()) &&
             !isa<arith::ConstantOp>(op))
      cost += 1;
  });
  return cost;
}

/// Only arithmetic on the elements of its inputs, and coordinates.
static bool isScalarBody(MapOp map) {
  return llvm::all_of(map.getBody().front(), [](Operation &op) {
    return op.getNumRegions() == 0 && !isa<tensor::ExtractOp>(op);
  });
}

static bool isContraction(Operation *op) {
  return isa_and_nonnull<MatmulOp, ConvOp, ConvTransposeOp, PoolOp>(op);
}

static bool sameShape(Value a, Value b) {
  return tensorType(a).getShape() == tensorType(b).getShape();
}

/// Inputs with as many elements as the result.
static size_t numWideInputs(MapOp map) {
  return llvm::count_if(map.getInputs(), [&](Value input) {
    return sameShape(input, map.getResult(0));
  });
}

/// A reason not to read `producer`'s inputs in `consumer`; null if there is
/// none. A consumer reads the producer's results as inputs only.
static const char *reasonAgainst(MapOp producer, MapOp consumer) {
  if (producer->getBlock() != consumer->getBlock())
    return "in different blocks";
  if (!isScalarBody(producer))
    return "the producer reads tensors by itself";
  if (bodySize(producer) + bodySize(consumer) > maxBodyOps ||
      producer.getInputs().size() + consumer.getInputs().size() > maxInputs)
    return "the body would be too large";
  // Where the producer is broadcast, its inputs must be: statically 1.
  RankedTensorType from = tensorType(producer.getResult(0));
  for (Value input : producer.getInputs()) {
    RankedTensorType type = tensorType(input);
    int64_t offset = from.getRank() - type.getRank();
    for (int64_t i = 0; i < type.getRank(); ++i)
      if (from.getDimSize(offset + i) == 1 && type.getDimSize(i) != 1)
        return "an input is not known to be broadcast";
  }

  bool broadcast = !sameShape(producer.getResult(0), consumer.getResult(0));
  int64_t cost = costOf(producer);
  if (broadcast && cost > cheap)
    return "it would be computed again for each element";
  bool single = true;
  for (Operation *user : producer->getUsers()) {
    if (user == consumer)
      continue;
    single = false;
    auto map = dyn_cast<MapOp>(user);
    if (!map || map->getBlock() != producer->getBlock())
      return "the result is needed by other operations";
  }
  // Read inside regions: as a tensor, not as an input.
  for (Value result : producer->getResults())
    for (OpOperand &use : result.getUses())
      if (use.getOwner() == consumer &&
          use.getOperandNumber() >= consumer.getInputs().size())
        return "the result is read at computed places";
  if (single)
    return nullptr;
  if (cost > cheap || numWideInputs(producer) > 1)
    return "several users, and not cheap";
  if (llvm::any_of(producer.getInputs(), [](Value input) {
        return isContraction(input.getDefiningOp());
      }))
    return "it is free behind its contraction";
  return nullptr;
}

/// Reads the inputs of `producer` in `consumer` and computes its elements
/// there.
static void fuse(MapOp producer, MapOp consumer, IRRewriter &rewriter) {
  Block &block = consumer.getBody().front();
  IRMapping mapping;
  rewriter.modifyOpInPlace(consumer, [&] {
    for (auto [argument, input] :
         llvm::zip(producer.getBody().getArguments(), producer.getInputs())) {
      auto inputs = consumer.getInputs();
      auto known = llvm::find(inputs, input);
      if (known != inputs.end()) {
        mapping.map(argument, block.getArgument(known - inputs.begin()));
        continue;
      }
      consumer.getInputsMutable().append(input);
      mapping.map(argument,
                  block.addArgument(argument.getType(), argument.getLoc()));
    }
    RankedTensorType from = tensorType(producer.getResult(0));
    int64_t offset =
        tensorType(consumer.getResult(0)).getRank() - from.getRank();
    rewriter.setInsertionPointToStart(&block);
    for (Operation &op : producer.getBody().front().without_terminator()) {
      auto index = dyn_cast<IndexOp>(op);
      if (!index) {
        rewriter.clone(op, mapping);
      } else if (from.getDimSize(index.getAxis()) == 1) {
        mapping.map(index.getResult(),
                    arith::ConstantIndexOp::create(rewriter, op.getLoc(), 0)
                        .getResult());
      } else {
        mapping.map(index.getResult(), IndexOp::create(rewriter, op.getLoc(),
                                                       index.getAxis() + offset)
                                           .getResult());
      }
    }
    auto yield = cast<YieldOp>(producer.getBody().front().getTerminator());
    for (int i = static_cast<int>(consumer.getInputs().size()) - 1; i >= 0;
         --i) {
      auto result = dyn_cast<OpResult>(consumer.getInputs()[i]);
      if (!result || result.getOwner() != producer)
        continue;
      Value element = yield.getValues()[result.getResultNumber()];
      rewriter.replaceAllUsesWith(block.getArgument(i),
                                  mapping.lookupOrDefault(element));
      consumer.getInputsMutable().erase(i);
      block.eraseArgument(i);
    }
  });
  remark::passed(consumer.getLoc(),
                 remark::RemarkOpts::name("fused").category("fuse-maps"));
}

namespace {
struct FuseMapsPass : hone::impl::FuseMapsPassBase<FuseMapsPass> {
  using Base::Base;

  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<MapOp> maps;
    getOperation().walk([&](MapOp map) { maps.push_back(map); });
    llvm::SmallPtrSet<Operation *, 16> erased;
    // Program order: each producer has taken in its own producers already.
    for (MapOp consumer : maps) {
      for (size_t i = 0; i < consumer.getInputs().size();) {
        auto producer = consumer.getInputs()[i].getDefiningOp<MapOp>();
        if (!producer) {
          ++i;
          continue;
        }
        if (const char *reason = reasonAgainst(producer, consumer)) {
          remark::missed(
              consumer.getLoc(),
              remark::RemarkOpts::name("not-fused").category("fuse-maps"))
              << reason;
          ++i;
          continue;
        }
        fuse(producer, consumer, rewriter);
        if (producer->use_empty())
          rewriter.eraseOp(producer);
        i = 0;
      }
    }
  }
};
} // namespace
