// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What may remain in the host function at the end of each phase.
#include "dialects/Graph/Graph.h"
#include "dialects/Rt/Rt.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "passes/Verify/Passes.h"

namespace hone {
#define GEN_PASS_DEF_VERIFYHOSTPASS
#include "passes/Verify/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;

namespace {

bool isControl(Operation *op) {
  return isa<ModuleOp, UnrealizedConversionCastOp>(op) ||
         isa<arith::ArithDialect, func::FuncDialect, math::MathDialect,
             scf::SCFDialect, ub::UBDialect>(op->getDialect());
}

bool isOutlined(Operation *op) {
  return isControl(op) ||
         isa<graph::ConstantOp, graph::DimOp, graph::LibraryOp,
             graph::ReshapeOp, rt::CallOp, cf::AssertOp, tensor::CastOp,
             tensor::DimOp, tensor::EmptyOp, tensor::ExtractOp,
             tensor::ExtractSliceOp, tensor::FromElementsOp,
             tensor::InsertSliceOp>(op);
}

bool isPlanned(Operation *op) {
  auto isTensor = [](Type type) { return isa<TensorType>(type); };
  if (llvm::any_of(op->getOperandTypes(), isTensor) ||
      llvm::any_of(op->getResultTypes(), isTensor))
    return false;
  return isControl(op) || isa<graph::DimOp>(op) ||
         (isa<rt::RtDialect>(op->getDialect()) && !isa<rt::CallOp>(op));
}

bool isCode(Operation *op) {
  return isa<ModuleOp>(op) || isa<LLVM::LLVMDialect>(op->getDialect());
}

/// Looks through views that begin at the first element.
Value wholeOf(Value buffer) {
  for (auto view = buffer.getDefiningOp<rt::ViewOp>();
       view && !view.getOffset(); view = buffer.getDefiningOp<rt::ViewOp>())
    buffer = view.getSource();
  return buffer;
}

bool isBuffer(Value value) { return isa<MemRefType>(value.getType()); }

/// Checks who owns the blocks of a loop (passes/Buffer/README.md): it carries
/// only blocks that nobody else has, each once, and the end of an iteration
/// frees all others allocated in it.
class LoopOwnership {
public:
  explicit LoopOwnership(LoopLikeOpInterface loop) : loop(loop) {}

  LogicalResult verify() {
    for (Value init : loop.getInits())
      if (isBuffer(init) &&
          !(init.getDefiningOp<rt::AllocOp>() &&
            init.getParentBlock() == loop->getBlock() && isLastUse(init)))
        return loop.emitOpError("starts with a buffer that it does not own");
    auto &body = loop.getLoopRegions().back()->front();
    auto yield = cast<scf::YieldOp>(body.getTerminator());
    auto end = dyn_cast_or_null<rt::EndIterationOp>(yield->getPrevNode());
    SmallVector<Value> handed;
    for (Value value : yield.getOperands()) {
      if (!isBuffer(value))
        continue;
      Value block = wholeOf(value);
      if (!isOwn(block, body) || llvm::is_contained(handed, block))
        return yield.emitOpError("passes on a buffer that it does not own");
      handed.push_back(block);
    }
    if (!end)
      return makesBlocks()
                 ? yield.emitOpError("leaves blocks that are never freed")
                 : success();
    auto mark = end.getMark().getDefiningOp<rt::MarkOp>();
    if (!mark || mark->getBlock() != loop->getBlock())
      return end.emitOpError("has no mark of its loop");
    if (!llvm::equal(handed, end.getKept()))
      return end.emitOpError("does not keep what is passed on");
    return success();
  }

private:
  bool isLastUse(Value init) {
    return llvm::all_of(init.getUsers(), [&](Operation *user) {
      return user == loop || (user->getBlock() == loop->getBlock() &&
                              user->isBeforeInBlock(loop));
    });
  }

  /// Whether `block` was allocated in the iteration, or carried into it by the
  /// loop.
  bool isOwn(Value block, Block &body) {
    if (block.getParentBlock() != &body)
      return false;
    if (!isa<BlockArgument>(block))
      return isa<rt::AllocOp, scf::ForOp, scf::WhileOp>(block.getDefiningOp());
    return true;
  }

  bool makesBlocks() {
    return loop
        ->walk([&](Operation *op) {
          return isa<rt::AllocOp, rt::LibraryOp>(op) ? WalkResult::interrupt()
                                                     : WalkResult::advance();
        })
        .wasInterrupted();
  }

  LoopLikeOpInterface loop;
};

struct VerifyHostPass : hone::impl::VerifyHostPassBase<VerifyHostPass> {
  using Base::Base;
  void runOnOperation() override {
    bool (*belongs)(Operation *) = phase == "graph"    ? isOutlined
                                   : phase == "buffer" ? isPlanned
                                                       : isCode;
    WalkResult result =
        getOperation().walk<WalkOrder::PreOrder>([&](Operation *op) {
          if (op->hasAttr(rt::kKernelAttr))
            return WalkResult::skip();
          if (belongs(op)) {
            auto loop = dyn_cast<LoopLikeOpInterface>(op);
            if (loop && phase == "buffer" &&
                failed(LoopOwnership(loop).verify()))
              return WalkResult::interrupt();
            return WalkResult::advance();
          }
          op->emitOpError("does not belong in the host function after phase '")
              << phase << "'";
          return WalkResult::interrupt();
        });
    if (result.wasInterrupted())
      signalPassFailure();
  }
};

} // namespace
