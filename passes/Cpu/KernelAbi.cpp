// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gives a kernel its C signature: pointers and sizes come from tables, parallel
// loops run the iterations of a range of pieces, temporaries are on the stack
// or in the thread's scratch memory, and failed checks become a status.
#include "passes/Analysis/Remarks.h"
#include "passes/Cpu/Passes.h"
#include "passes/Emit/KernelSignature.h"
#include "passes/Emit/LoopNest.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "passes/Machine/Tuning.h"

namespace hone {
#define GEN_PASS_DEF_LOWERKERNELABIPASS
#include "passes/Cpu/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using namespace hone::graph;

namespace {

class KernelAbi : KernelSignature {
public:
  using KernelSignature::KernelSignature;

  LogicalResult run() {
    if (auto attr = kernel->getAttrOfType<IntegerAttr>("hone.pieces"))
      pieces = std::max<int64_t>(1, attr.getInt());
    serial = pieces > 1 && hasDependentLoops();
    if (serial)
      remarkSlow(
          kernel, "lower-kernel-abi",
          "its loops read what others of them wrote: one thread runs all "
          "of it");
    replaceArguments(/*hasStatus=*/needsScratch());
    if (failed(placeBuffers()))
      return failure();
    SmallVector<scf::ForallOp> loops;
    kernel.walk([&](scf::ForallOp op) { loops.push_back(op); });
    for (scf::ForallOp loop : loops)
      if (failed(lowerForall(loop)))
        return failure();
    lowerChecks();
    finish();
    return success();
  }

private:
  /// Whether a loop reads what an earlier one wrote.
  bool hasDependentLoops() {
    DenseSet<Value> written;
    bool depends = false;
    for (auto loop : body->getOps<scf::ForallOp>()) {
      DenseSet<Value> reads, writes;
      loop.walk([&](MemoryEffectOpInterface op) {
        SmallVector<MemoryEffects::EffectInstance> effects;
        op.getEffects(effects);
        for (const MemoryEffects::EffectInstance &effect : effects) {
          Value buffer = effect.getValue();
          if (!buffer || !isa<MemRefType>(buffer.getType()))
            continue;
          buffer = rootOf(buffer);
          if (isa<MemoryEffects::Read>(effect.getEffect()))
            reads.insert(buffer);
          else if (isa<MemoryEffects::Write>(effect.getEffect()))
            writes.insert(buffer);
        }
      });
      // Matrices are loaded from addresses. They are stored only to scratch
      // memory of one loop.
      loop.walk([&](memref::ExtractAlignedPointerAsIndexOp op) {
        reads.insert(rootOf(op.getSource()));
      });
      for (Value buffer : reads)
        depends |= written.contains(buffer);
      written.insert(writes.begin(), writes.end());
    }
    // Loop results may also be read between the loops.
    for (Operation &op : *body)
      if (auto load = dyn_cast<memref::LoadOp>(op))
        depends |= written.contains(rootOf(load.getMemRef()));
    return depends;
  }

  static std::optional<int64_t> staticBytes(MemRefType type) {
    if (!type.hasStaticShape())
      return std::nullopt;
    return type.getNumElements() * bytesOfElement(type.getElementType());
  }

  /// Bytes on the stack so far: emitters have placed their small scratch there.
  int64_t stackInUse() {
    int64_t stack = 0;
    body->walk([&](memref::AllocaOp alloca) {
      stack += staticBytes(alloca.getType()).value_or(0);
    });
    return stack;
  }

  /// Whether a buffer has room on the stack, of which it then takes its part.
  static bool takeStack(memref::AllocOp alloc, int64_t &stack) {
    std::optional<int64_t> bytes = staticBytes(alloc.getType());
    if (!bytes || *bytes > tuning::kStackBuffer ||
        stack + *bytes > tuning::kStackTotal)
      return false;
    stack += *bytes;
    return true;
  }

  bool needsScratch() {
    int64_t stack = stackInUse();
    return !llvm::all_of(
        body->getOps<memref::AllocOp>(),
        [&](memref::AllocOp alloc) { return takeStack(alloc, stack); });
  }

  LogicalResult placeBuffers() {
    SmallVector<memref::AllocOp> large;
    int64_t stack = stackInUse();
    for (auto alloc :
         llvm::make_early_inc_range(body->getOps<memref::AllocOp>())) {
      if (!takeStack(alloc, stack)) {
        large.push_back(alloc);
        continue;
      }
      builder.setInsertionPointAfter(afterPrologue);
      Value buffer =
          memref::AllocaOp::create(builder, alloc.getLoc(), alloc.getType(),
                                   builder.getI64IntegerAttr(kBufferAlignment));
      alloc.replaceAllUsesWith(buffer);
      alloc.erase();
    }
    return placeTemporaries(large, [&](Value total) {
      if (std::optional<int64_t> bytes = constantOf(total))
        kernel->setAttr("hone.scratch", builder.getI64IntegerAttr(*bytes));
      return reserveScratch(total);
    });
  }

  /// This thread's scratch memory, of at least `bytes`. Without memory the
  /// kernel does not run.
  Value reserveScratch(Value bytes) {
    auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
    Value have =
        toIndex(loadAt(e, context, kContextScratchBytes, builder.getI64Type()));
    Value enough = e.cmp(arith::CmpIPredicate::uge, have, bytes);
    auto branch = scf::IfOp::create(builder, e.loc, TypeRange{pointer}, enough,
                                    /*withElse=*/true);
    builder.setInsertionPointToStart(branch.thenBlock());
    scf::YieldOp::create(builder, e.loc,
                         loadAt(e, context, kContextScratch, pointer));
    builder.setInsertionPointToStart(branch.elseBlock());
    LLVM::LLVMFuncOp function =
        declare("hone_rt_scratch", pointer, {pointer, builder.getI64Type()});
    Value grown = LLVM::CallOp::create(builder, e.loc, function,
                                       ValueRange{context, toInteger(bytes)})
                      .getResult();
    scf::YieldOp::create(builder, e.loc, grown);
    builder.setInsertionPointAfter(branch);
    Value scratch = branch.getResult(0);
    Value null = LLVM::ZeroOp::create(builder, e.loc, pointer);
    Value missing = LLVM::ICmpOp::create(
        builder, e.loc, LLVM::ICmpPredicate::eq, scratch, null);
    Value zero = e.cst(0);
    endPiece = arith::SelectOp::create(builder, e.loc, missing, zero, endPiece);
    firstPiece =
        arith::SelectOp::create(builder, e.loc, missing, zero, firstPiece);
    Value code = arith::ConstantIntOp::create(builder, e.loc, kOutOfMemory, 32);
    Value fine = arith::ConstantIntOp::create(builder, e.loc, 0, 32);
    setStatus(arith::SelectOp::create(builder, e.loc, missing, code, fine));
    limited = true;
    return scratch;
  }

  LogicalResult lowerForall(scf::ForallOp loop) {
    if (loop.getNumResults() || !loop.isNormalized())
      return loop.emitOpError("is not a loop over buffers from 0 by 1");
    builder.setInsertionPoint(loop);
    e.loc = loop.getLoc();
    SmallVector<Value> sizes;
    for (OpFoldResult size : loop.getMixedUpperBound())
      sizes.push_back(getValueOrCreateConstantIndexOp(builder, e.loc, size));
    bool isTop = loop->getBlock() == body;
    Block *block = loop.getBody();
    SmallVector<Value> ivs(loop.getInductionVars());
    auto emitBody = [&](ValueRange coordinates) {
      block->getTerminator()->erase();
      builder.getInsertionBlock()->getOperations().splice(
          builder.getInsertionPoint(), block->getOperations());
      for (auto [iv, coordinate] : llvm::zip_equal(ivs, coordinates))
        iv.replaceAllUsesWith(coordinate);
    };
    if (!isTop || (pieces == 1 && !limited)) {
      SmallVector<Value> coordinates;
      nestLoops(sizes, coordinates, emitBody);
    } else {
      emitRange(sizes, emitBody);
    }
    loop.erase();
    return success();
  }

  void nestLoops(ArrayRef<Value> sizes, SmallVector<Value> &coordinates,
                 function_ref<void(ValueRange)> body) {
    if (sizes.empty())
      return body(coordinates);
    // A loop that never runs must stay one, as its body is moved.
    auto loop =
        scf::ForOp::create(builder, e.loc, e.cst(0), sizes.front(), e.cst(1));
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPoint(loop.getBody()->getTerminator());
    coordinates.push_back(loop.getInductionVar());
    nestLoops(sizes.drop_front(), coordinates, body);
  }

  /// Iterations [T * begin / P, T * end / P) of the loop over all coordinates.
  /// They are counted up, not divided.
  void emitRange(ArrayRef<Value> sizes, function_ref<void(ValueRange)> body) {
    Value total = e.cst(1);
    for (Value size : sizes)
      total = e.mul(total, size);
    Value low, high;
    if (serial || pieces == 1) {
      // One piece does all the work.
      Value runs = e.cmp(arith::CmpIPredicate::eq, firstPiece, e.cst(0));
      Value any = e.cmp(arith::CmpIPredicate::sgt, endPiece, e.cst(0));
      runs = arith::AndIOp::create(builder, e.loc, runs, any);
      low = e.cst(0);
      high = arith::SelectOp::create(builder, e.loc, runs, total, low);
    } else {
      low = e.div(e.mul(total, firstPiece), e.cst(pieces));
      high = e.div(e.mul(total, endPiece), e.cst(pieces));
    }
    SmallVector<Value> first;
    if (sizes.size() > 1) {
      // With a size of 0 the loop does not run, but the division would.
      SmallVector<Value> divisors;
      for (Value size : sizes)
        divisors.push_back(e.max(size, e.cst(1)));
      first = e.delinearize(low, divisors);
    }
    auto loop = scf::ForOp::create(builder, e.loc, low, high, e.cst(1), first);
    OpBuilder::InsertionGuard guard(builder);
    if (first.empty()) {
      builder.setInsertionPoint(loop.getBody()->getTerminator());
      body(loop.getInductionVar());
      return;
    }
    builder.setInsertionPointToEnd(loop.getBody());
    SmallVector<Value> coordinates(loop.getRegionIterArgs());
    Value one = e.cst(1), zero = e.cst(0);
    SmallVector<Value> next(coordinates);
    Value carry;
    for (size_t i = sizes.size(); i-- > 0;) {
      Value up = e.add(coordinates[i], one);
      if (carry)
        up = arith::SelectOp::create(builder, e.loc, carry, up, coordinates[i]);
      if (i == 0) {
        next[i] = up;
        break;
      }
      Value full = e.cmp(arith::CmpIPredicate::eq, up, sizes[i]);
      next[i] = arith::SelectOp::create(builder, e.loc, full, zero, up);
      carry = full;
    }
    auto yield = scf::YieldOp::create(builder, e.loc, next);
    builder.setInsertionPoint(yield);
    body(coordinates);
  }

  int64_t pieces = 1;
  bool serial =
      false; ///< Loops depend on each other: one piece runs everything.
  bool limited = false; ///< `endPiece` may say that nothing runs.
};

struct LowerKernelAbiPass
    : hone::impl::LowerKernelAbiPassBase<LowerKernelAbiPass> {
  using Base::Base;
  void runOnOperation() override {
    if (failed(forEachKernel(getOperation(), [](func::FuncOp kernel) {
          return KernelAbi(kernel).run();
        })))
      signalPassFailure();
  }
};
} // namespace
