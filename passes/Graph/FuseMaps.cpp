// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Inlines the body of a map where a later map reads the element.
#include "dialects/Graph/Nodes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Remarks.h"
#include "passes/Analysis/Fusion.h"
#include "passes/Graph/Passes.h"
#include "passes/Graph/Simplify.h"

namespace hone {
#define GEN_PASS_DEF_FUSEMAPSPASS
#include "passes/Graph/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using namespace hone::graph;

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
        Fusion fusion = planMaps(producer, consumer);
        if (!fusion) {
          remarkApart(producer, consumer, "fuse-maps", fusion);
          ++i;
          continue;
        }
        SmallVector<Value> elements = fuse(producer, consumer, rewriter);
        if (fusion.kind == FusionKind::Export)
          consumer = exportResults(producer, elements, consumer, rewriter);
        if (producer->use_empty())
          rewriter.eraseOp(producer);
        i = 0;
      }
    }
  }
};
} // namespace
