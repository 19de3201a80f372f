// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Inlines the body of a map where a later map reads the element.
#include "dialects/Graph/Nodes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Remarks.h"
#include "passes/Graph/Passes.h"
#include "passes/Graph/Quantization.h"
#include "passes/Graph/Simplify.h"
#include "llvm/ADT/SetVector.h"

namespace hone {
#define GEN_PASS_DEF_FUSEMAPSPASS
#include "passes/Graph/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using namespace hone::graph;

/// Maximum size of a body: registers are few.
static constexpr size_t maxBodyOps = 160;
static constexpr size_t maxInputs = 16;
/// Up to this cost an element is recomputed rather than stored and read.
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
                 arith::RemUIOp, arith::RemFOp, LookupOp>(op))
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

static bool sameShape(Value a, Value b) {
  return tensorType(a).getShape() == tensorType(b).getShape();
}

/// Inputs with as many elements as the result.
static size_t numWideInputs(MapOp map) {
  return llvm::count_if(map.getInputs(), [&](Value input) {
    return sameShape(input, map.getResult(0));
  });
}

namespace {
enum class Fusion {
  None,
  Move,   ///< the producer has no other user
  Repeat, ///< others keep it, or do the same
  Export, ///< others get it as a result of the consumer
};

/// What to do with the maps, or why nothing.
struct Decision {
  Fusion fusion;
  const char *reason = "";
};
} // namespace

/// The last contraction of whose result a value is a function, by maps.
static Operation *contractionBehind(Value value) {
  llvm::SetVector<Value> behind;
  behind.insert(value);
  Operation *last = nullptr;
  for (size_t i = 0; i < behind.size() && i < maxInputs; ++i) {
    Operation *op = behind[i].getDefiningOp();
    if (auto map = dyn_cast_or_null<MapOp>(op))
      behind.insert(map.getInputs().begin(), map.getInputs().end());
    else if (isa_and_nonnull<EpilogueOpInterface>(op) &&
             (!last || (op->getBlock() == last->getBlock() &&
                        last->isBeforeInBlock(op))))
      last = op;
  }
  return last;
}

/// Whether what `producer` makes waits for a later contraction, in whose
/// epilogue `consumer` will be.
static bool waitsForContraction(MapOp producer, MapOp consumer) {
  Operation *own = contractionBehind(producer.getResult(0));
  return own && llvm::any_of(consumer.getInputs(), [&](Value input) {
           Operation *other = contractionBehind(input);
           return other && other->getBlock() == own->getBlock() &&
                  own->isBeforeInBlock(other);
         });
}

/// Whether others than one map read what `map` dequantizes, and all can do that
/// by themselves.
static bool isBetterRepeated(MapOp map) {
  bool isShared = !map->hasOneUse();
  for (Operation *user : map->getUsers()) {
    if (user->getBlock() != map->getBlock() || !isa<MapOp, ReduceOp>(user))
      return false;
    isShared |= isa<ReduceOp>(user);
  }
  return isShared;
}

/// Whether a result of bytes is better stored than read at once: bytes are a
/// quarter of what they stand for, and of the sums that they are made of.
static bool storesBytes(MapOp producer, MapOp consumer) {
  if (!getElementTypeOrSelf(producer.getResult(0)).isInteger(8))
    return false;
  if (waitsForContraction(producer, consumer))
    return true;
  if (!isDequantization(consumer))
    return false;
  auto user = consumer->hasOneUse() ? dyn_cast<MapOp>(*consumer->user_begin())
                                    : MapOp();
  return isBetterRepeated(consumer) ||
         (user && waitsForContraction(producer, user));
}

/// A consumer reads the producer's results only as inputs.
static Decision decide(MapOp producer, MapOp consumer) {
  auto no = [](const char *reason) { return Decision{Fusion::None, reason}; };
  if (producer->getBlock() != consumer->getBlock())
    return no("in different blocks");
  if (!isScalarBody(producer))
    return no("the producer reads tensors by itself");
  if (storesBytes(producer, consumer))
    return no("what reads the result reads the bytes instead");
  if (bodySize(producer) + bodySize(consumer) > maxBodyOps ||
      producer.getInputs().size() + consumer.getInputs().size() > maxInputs)
    return no("the body would be too large");
  // If the producer is broadcast, its inputs must be: statically 1.
  RankedTensorType from = tensorType(producer.getResult(0));
  for (Value input : producer.getInputs()) {
    RankedTensorType type = tensorType(input);
    int64_t offset = from.getRank() - type.getRank();
    for (int64_t i = 0; i < type.getRank(); ++i)
      if (from.getDimSize(offset + i) == 1 && type.getDimSize(i) != 1)
        return no("an input is not known to be broadcast");
  }
  // Read inside regions: as a tensor, not as an input.
  for (Value result : producer->getResults())
    for (OpOperand &use : result.getUses())
      if (use.getOwner() != consumer &&
          use.getOwner()->getParentOp() == consumer)
        return no("the result is read at computed places");

  bool broadcast = !sameShape(producer.getResult(0), consumer.getResult(0));
  int64_t cost = costOf(producer);
  if (broadcast && cost > cheap)
    return no("it would be computed again for each element");
  bool onlyMaps = true, later = true, single = true;
  for (Operation *user : producer->getUsers()) {
    if (user == consumer)
      continue;
    single = false;
    onlyMaps &= isa<MapOp>(user) && user->getBlock() == producer->getBlock();
    Operation *here = producer->getBlock()->findAncestorOpInBlock(*user);
    later &= here && consumer->isBeforeInBlock(here);
  }
  if (single)
    return {Fusion::Move};
  if (isDequantization(producer) && isBetterRepeated(producer))
    return {Fusion::Repeat};
  bool behindContraction = llvm::any_of(producer.getInputs(), [](Value input) {
    return isa_and_nonnull<EpilogueOpInterface>(input.getDefiningOp());
  });
  if (behindContraction)
    return no("it is free after its contraction");
  if (onlyMaps && cost <= cheap && numWideInputs(producer) <= 1)
    return {Fusion::Repeat};
  if (broadcast || !later)
    return no("others need the result, and it is not cheap");
  return {Fusion::Export};
}

/// Reads the inputs of `producer` in `consumer` and computes its elements
/// there; returns them.
static SmallVector<Value> fuse(MapOp producer, MapOp consumer,
                               IRRewriter &rewriter) {
  Block &block = consumer.getBody().front();
  IRMapping mapping;
  SmallVector<Value> elements;
  rewriter.modifyOpInPlace(consumer, [&] {
    takeNodes(consumer, producer.getLoc());
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
    for (Value value : yield.getValues())
      elements.push_back(mapping.lookupOrDefault(value));
    for (int i = static_cast<int>(consumer.getInputs().size()) - 1; i >= 0;
         --i) {
      auto result = dyn_cast<OpResult>(consumer.getInputs()[i]);
      if (!result || result.getOwner() != producer)
        continue;
      rewriter.replaceAllUsesWith(block.getArgument(i),
                                  elements[result.getResultNumber()]);
      consumer.getInputsMutable().erase(i);
      block.eraseArgument(i);
    }
  });
  remark::passed(consumer.getLoc(),
                 remark::RemarkOpts::name("fused").category("fuse-maps"));
  return elements;
}

/// Makes `consumer` also return what others need of `producer`.
static MapOp exportResults(MapOp producer, ArrayRef<Value> elements,
                           MapOp consumer, IRRewriter &rewriter) {
  auto yield = cast<YieldOp>(consumer.getBody().front().getTerminator());
  SmallVector<Type> types(consumer->getResultTypes());
  SmallVector<OpResult> exported;
  rewriter.modifyOpInPlace(yield, [&] {
    for (auto [result, element] : llvm::zip(producer->getResults(), elements)) {
      if (result.use_empty())
        continue;
      // The consumer's type of the shape: equal, but maybe more static.
      types.push_back(tensorType(consumer.getResult(0))
                          .clone(tensorType(result).getElementType()));
      exported.push_back(result);
      yield.getValuesMutable().append(element);
    }
  });
  rewriter.setInsertionPoint(consumer);
  MapOp merged =
      createMap(rewriter, consumer.getLoc(), types, consumer.getInputs(),
                consumer.getDims(), consumer.getBody());
  merged->setDiscardableAttrs(consumer->getDiscardableAttrDictionary());
  unsigned count = consumer->getNumResults();
  rewriter.replaceOp(consumer, merged->getResults().take_front(count));
  for (auto [i, result] : llvm::enumerate(exported))
    rewriter.replaceAllUsesWith(result, merged->getResult(count + i));
  return merged;
}

namespace {
struct FuseMapsPass : hone::impl::FuseMapsPassBase<FuseMapsPass> {
  using Base::Base;

  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<MapOp> maps;
    getOperation().walk([&](MapOp map) { maps.push_back(map); });
    // Program order: each producer has absorbed its own producers already.
    for (MapOp consumer : maps) {
      for (size_t i = 0; i < consumer.getInputs().size();) {
        auto producer = consumer.getInputs()[i].getDefiningOp<MapOp>();
        if (!producer) {
          ++i;
          continue;
        }
        Decision decision = decide(producer, consumer);
        if (decision.fusion == Fusion::None) {
          remark::missed(
              consumer.getLoc(),
              remark::RemarkOpts::name("not-fused").category("fuse-maps"))
              << decision.reason;
          ++i;
          continue;
        }
        SmallVector<Value> elements = fuse(producer, consumer, rewriter);
        if (decision.fusion == Fusion::Export)
          consumer = exportResults(producer, elements, consumer, rewriter);
        if (producer->use_empty())
          rewriter.eraseOp(producer);
        i = 0;
      }
    }
  }
};
} // namespace
