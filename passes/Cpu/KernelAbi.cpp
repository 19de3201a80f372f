// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gives a kernel its C signature: pointers and sizes come from tables, parallel
// loops run the iterations of a range of pieces, temporaries lie on the stack
// or in the thread's scratch memory, and failed checks become a status.
#include "passes/Cpu/Emit.h"
#include "passes/Cpu/Passes.h"

#include "dialects/Graph/Graph.h"
#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "passes/Cpu/KernelTypes.h"

namespace hone {
#define GEN_PASS_DEF_LOWERKERNELABIPASS
#include "passes/Cpu/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using namespace hone::graph;

namespace {
constexpr int64_t kAlignment = 64;
/// Temporaries up to this size lie on the stack, while there is room.
constexpr int64_t kStackBuffer = 16 * 1024;
constexpr int64_t kStackTotal = 64 * 1024;

// Of hone_status and hone_kernel_context in abi.h, which passes do not include.
constexpr int32_t kIndexOutOfRange = 2;
constexpr int32_t kDivisionByZero = 3;
constexpr int32_t kOutOfMemory = 5;
constexpr int64_t kContextScratch = 0;
constexpr int64_t kContextScratchBytes = 8;
constexpr int64_t kContextFrame = 16;

/// The buffer behind views, by what they are made of.
Value bufferBehind(Value memref) {
  while (Operation *op = memref.getDefiningOp()) {
    if (auto view = dyn_cast<ViewLikeOpInterface>(op))
      memref = view.getViewSource();
    else if (auto metadata = dyn_cast<memref::ExtractStridedMetadataOp>(op))
      memref = metadata.getSource();
    else
      break;
  }
  return memref;
}

class KernelAbi {
public:
  explicit KernelAbi(func::FuncOp kernel)
      : kernel(kernel), builder(kernel.getContext()),
        e(builder, kernel.getLoc()), converter(kernel.getContext()) {
    addKernelTypeConversions(converter);
  }

  LogicalResult run() {
    body = &kernel.getBody().front();
    pieces = 1;
    if (auto attr = kernel->getAttrOfType<IntegerAttr>("hone.pieces"))
      pieces = std::max<int64_t>(1, attr.getInt());
    serial = pieces > 1 && hasDependentLoops();
    checked = false;
    kernel.walk([&](Operation *op) {
      checked |= isa<CheckedIndexOp, CheckedDivisorOp>(op);
    });
    replaceArguments();
    if (failed(placeTemporaries()))
      return failure();
    SmallVector<scf::ForallOp> loops;
    kernel.walk([&](scf::ForallOp op) { loops.push_back(op); });
    for (scf::ForallOp loop : loops)
      if (failed(lowerForall(loop)))
        return failure();
    kernel.walk([&](Operation *op) {
      if (auto index = dyn_cast<CheckedIndexOp>(op))
        lowerCheckedIndex(index);
      else if (auto divisor = dyn_cast<CheckedDivisorOp>(op))
        lowerCheckedDivisor(divisor);
    });
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
          buffer = bufferBehind(buffer);
          if (isa<MemoryEffects::Read>(effect.getEffect()))
            reads.insert(buffer);
          else if (isa<MemoryEffects::Write>(effect.getEffect()))
            writes.insert(buffer);
        }
      });
      for (Value buffer : reads)
        depends |= written.contains(buffer);
      written.insert(writes.begin(), writes.end());
    }
    // What a loop leaves in memory may also be read between the loops.
    for (Operation &op : *body)
      if (auto load = dyn_cast<memref::LoadOp>(op))
        depends |= written.contains(bufferBehind(load.getMemRef()));
    return depends;
  }

  Value loadAt(Value pointer, int64_t offset, Type type) {
    Value at = pointer;
    if (offset)
      at = LLVM::GEPOp::create(builder, e.loc, pointer.getType(),
                               builder.getI8Type(), pointer,
                               ArrayRef<LLVM::GEPArg>{int32_t(offset)});
    return LLVM::LoadOp::create(builder, e.loc, type, at);
  }

  Value toIndex(Value value) {
    return arith::IndexCastOp::create(builder, e.loc, builder.getIndexType(),
                                      value);
  }

  Value toInteger(Value index) {
    return arith::IndexCastOp::create(builder, e.loc, builder.getI64Type(),
                                      index);
  }

  void replaceArguments() {
    auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
    Type i64 = builder.getI64Type();
    unsigned old = body->getNumArguments();
    Location loc = kernel.getLoc();
    Value ptrs = body->addArgument(pointer, loc);
    Value dims = body->addArgument(pointer, loc);
    Value begin = body->addArgument(i64, loc);
    Value end = body->addArgument(i64, loc);
    context = body->addArgument(pointer, loc);
    builder.setInsertionPointToStart(body);
    int64_t nextPointer = 0, nextDim = 0;
    for (unsigned i = 0; i < old; ++i) {
      BlockArgument argument = body->getArgument(i);
      Value replacement;
      if (auto type = dyn_cast<MemRefType>(argument.getType())) {
        Value data = loadAt(ptrs, 8 * nextPointer++, pointer);
        SmallVector<Value> sizes;
        for (int64_t size : type.getShape())
          sizes.push_back(ShapedType::isDynamic(size)
                              ? loadAt(dims, 8 * nextDim++, i64)
                              : constant(size));
        replacement = memrefOf(type, data, sizes);
      } else {
        replacement = toIndex(loadAt(dims, 8 * nextDim++, i64));
      }
      argument.replaceAllUsesWith(replacement);
    }
    body->eraseArguments(0, old);
    kernel.removeArgAttrsAttr();
    kernel.setFunctionType(builder.getFunctionType(body->getArgumentTypes(),
                                                   builder.getI32Type()));
    firstPiece = toIndex(begin);
    endPiece = toIndex(end);
    if (checked || needsScratch()) {
      // In memory, as checks can be anywhere; becomes a register again.
      status = memref::AllocaOp::create(
          builder, loc, MemRefType::get({}, builder.getI32Type()));
      Value zero = arith::ConstantIntOp::create(builder, loc, 0, 32);
      memref::StoreOp::create(builder, loc, zero, status, ValueRange{});
    }
    afterPrologue = &*std::prev(builder.getInsertionPoint());
  }

  Value constant(int64_t value) {
    return LLVM::ConstantOp::create(builder, e.loc, builder.getI64Type(),
                                    builder.getI64IntegerAttr(value));
  }

  /// A contiguous memref of `sizes` (i64) at `data`.
  Value memrefOf(MemRefType type, Value data, ArrayRef<Value> sizes) {
    SmallVector<Value> parts = {data, data, constant(0)};
    llvm::append_range(parts, sizes);
    SmallVector<Value> strides(sizes.size());
    Value stride = constant(1);
    SmallVector<int64_t> known;
    int64_t offset;
    bool ok = succeeded(type.getStridesAndOffset(known, offset));
    for (size_t i = sizes.size(); i-- > 0;) {
      strides[i] =
          ok && !ShapedType::isDynamic(known[i]) ? constant(known[i]) : stride;
      if (i > 0)
        stride = LLVM::MulOp::create(builder, e.loc, strides[i], sizes[i]);
    }
    llvm::append_range(parts, strides);
    Value descriptor =
        MemRefDescriptor::pack(builder, e.loc, converter, type, parts);
    return UnrealizedConversionCastOp::create(builder, e.loc, type, descriptor)
        .getResult(0);
  }

  static std::optional<int64_t> staticBytes(MemRefType type) {
    if (!type.hasStaticShape())
      return std::nullopt;
    return type.getNumElements() * bytesOfElement(type.getElementType());
  }

  bool needsScratch() {
    bool needs = false;
    int64_t stack = 0;
    for (auto alloc : body->getOps<memref::AllocOp>()) {
      std::optional<int64_t> bytes = staticBytes(alloc.getType());
      if (bytes && *bytes <= kStackBuffer && stack + *bytes <= kStackTotal)
        stack += *bytes;
      else
        needs = true;
    }
    return needs;
  }

  /// Moves what computes `value` behind the prologue.
  LogicalResult hoist(Value value) {
    Operation *op = value.getDefiningOp();
    if (!op || op->getBlock() != body || op == afterPrologue ||
        op->isBeforeInBlock(afterPrologue))
      return success();
    if (!isMemoryEffectFree(op))
      return op->emitOpError("decides the size of a temporary");
    for (Value operand : op->getOperands())
      if (failed(hoist(operand)))
        return failure();
    op->moveAfter(afterPrologue);
    afterPrologue = op;
    return success();
  }

  LogicalResult placeTemporaries() {
    SmallVector<memref::AllocOp> large;
    int64_t stack = 0;
    for (auto alloc :
         llvm::make_early_inc_range(body->getOps<memref::AllocOp>())) {
      std::optional<int64_t> bytes = staticBytes(alloc.getType());
      if (!bytes || *bytes > kStackBuffer || stack + *bytes > kStackTotal) {
        large.push_back(alloc);
        continue;
      }
      stack += *bytes;
      builder.setInsertionPointAfter(afterPrologue);
      Value buffer =
          memref::AllocaOp::create(builder, alloc.getLoc(), alloc.getType(),
                                   builder.getI64IntegerAttr(kAlignment));
      alloc.replaceAllUsesWith(buffer);
      alloc.erase();
    }
    if (large.empty())
      return success();
    for (memref::AllocOp alloc : large)
      for (Value size : alloc.getDynamicSizes())
        if (failed(hoist(size)))
          return failure();
    builder.setInsertionPointAfter(afterPrologue);
    SmallVector<Value> offsets;
    Value total = e.cst(0);
    for (memref::AllocOp alloc : large) {
      MemRefType type = alloc.getType();
      Value bytes = e.cst(bytesOfElement(type.getElementType()));
      for (int64_t i = 0; i < type.getRank(); ++i)
        bytes = e.mul(bytes,
                      type.isDynamicDim(i)
                          ? alloc.getDynamicSizes()[type.getDynamicDimIndex(i)]
                          : e.cst(type.getDimSize(i)));
      offsets.push_back(total);
      Value rounded = e.mul(e.ceilDiv(bytes, kAlignment), kAlignment);
      total = e.add(total, rounded);
    }
    if (std::optional<int64_t> bytes = constantOf(total))
      kernel->setAttr("hone.scratch", builder.getI64IntegerAttr(*bytes));
    Value scratch = reserveScratch(total);
    auto pointer = cast<LLVM::LLVMPointerType>(scratch.getType());
    for (auto [alloc, offset] : llvm::zip_equal(large, offsets)) {
      Value data = LLVM::GEPOp::create(
          builder, e.loc, pointer, builder.getI8Type(), scratch,
          ArrayRef<LLVM::GEPArg>{toInteger(offset)});
      MemRefType type = alloc.getType();
      SmallVector<Value> sizes;
      for (int64_t i = 0; i < type.getRank(); ++i)
        sizes.push_back(
            type.isDynamicDim(i)
                ? toInteger(alloc.getDynamicSizes()[type.getDynamicDimIndex(i)])
                : constant(type.getDimSize(i)));
      alloc.replaceAllUsesWith(memrefOf(type, data, sizes));
      alloc.erase();
    }
    return success();
  }

  /// This thread's scratch memory, of at least `bytes`. Without memory nothing
  /// of the kernel runs.
  Value reserveScratch(Value bytes) {
    auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
    Value have =
        toIndex(loadAt(context, kContextScratchBytes, builder.getI64Type()));
    Value enough = e.cmp(arith::CmpIPredicate::sge, have, bytes);
    auto branch = scf::IfOp::create(builder, e.loc, TypeRange{pointer}, enough,
                                    /*withElse=*/true);
    builder.setInsertionPointToStart(branch.thenBlock());
    scf::YieldOp::create(builder, e.loc,
                         loadAt(context, kContextScratch, pointer));
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
    memref::StoreOp::create(
        builder, e.loc,
        arith::SelectOp::create(builder, e.loc, missing, code, fine), status,
        ValueRange{});
    limited = true;
    return scratch;
  }

  LLVM::LLVMFuncOp declare(StringRef name, Type result,
                           ArrayRef<Type> arguments) {
    auto module = kernel->getParentOfType<ModuleOp>();
    if (auto found = module.lookupSymbol<LLVM::LLVMFuncOp>(name))
      return found;
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToEnd(module.getBody());
    return LLVM::LLVMFuncOp::create(
        builder, kernel.getLoc(), name,
        LLVM::LLVMFunctionType::get(result, arguments));
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
      // One piece does all.
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

  void reportFailure(Operation *op, int32_t code, Value value, Value limit) {
    auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
    Type i32 = builder.getI32Type(), i64 = builder.getI64Type();
    auto node = op->getAttrOfType<IntegerAttr>("hone.node");
    if (!node)
      node = kernel->getAttrOfType<IntegerAttr>("hone.node");
    int64_t number = node ? node.getInt() : -1;
    LLVM::LLVMFuncOp function =
        declare("hone_rt_fail", i32, {pointer, i32, i32, i64, i64});
    Value frame = loadAt(context, kContextFrame, pointer);
    Value nodeValue = arith::ConstantIntOp::create(builder, e.loc, number, 32);
    Value codeValue = arith::ConstantIntOp::create(builder, e.loc, code, 32);
    Value result = LLVM::CallOp::create(
                       builder, e.loc, function,
                       ValueRange{frame, nodeValue, codeValue, value, limit})
                       .getResult();
    memref::StoreOp::create(builder, e.loc, result, status, ValueRange{});
  }

  void lowerCheckedIndex(CheckedIndexOp op) {
    builder.setInsertionPoint(op);
    e.loc = op.getLoc();
    Value index = op.getIndex(), size = op.getSize();
    if (op.getWrap()) {
      Value negative = e.cmp(arith::CmpIPredicate::slt, index, e.cst(0));
      index = arith::SelectOp::create(builder, e.loc, negative,
                                      e.add(index, size), index);
    }
    Value outside = e.cmp(arith::CmpIPredicate::uge, index, size);
    e.branch(outside, [&] {
      reportFailure(op, kIndexOutOfRange, toInteger(op.getIndex()),
                    toInteger(size));
    });
    Value safe =
        arith::SelectOp::create(builder, e.loc, outside, e.cst(0), index);
    op.replaceAllUsesWith(safe);
    op.erase();
  }

  void lowerCheckedDivisor(CheckedDivisorOp op) {
    builder.setInsertionPoint(op);
    e.loc = op.getLoc();
    Value divisor = op.getDivisor();
    Type type = divisor.getType();
    Value zero = arith::ConstantOp::create(builder, e.loc,
                                           builder.getIntegerAttr(type, 0));
    Value one = arith::ConstantOp::create(builder, e.loc,
                                          builder.getIntegerAttr(type, 1));
    Value isZero = e.cmp(arith::CmpIPredicate::eq, divisor, zero);
    e.branch(isZero, [&] {
      Value nothing = arith::ConstantIntOp::create(builder, e.loc, 0, 64);
      reportFailure(op, kDivisionByZero, nothing, nothing);
    });
    Value safe = arith::SelectOp::create(builder, e.loc, isZero, one, divisor);
    op.replaceAllUsesWith(safe);
    op.erase();
  }

  void finish() {
    Operation *returnOp = body->getTerminator();
    builder.setInsertionPoint(returnOp);
    e.loc = returnOp->getLoc();
    Value result =
        status ? memref::LoadOp::create(builder, e.loc, status, ValueRange{})
                     .getResult()
               : arith::ConstantIntOp::create(builder, e.loc, 0, 32);
    func::ReturnOp::create(builder, e.loc, result);
    returnOp->erase();
    kernel.setPublic();
  }

  func::FuncOp kernel;
  OpBuilder builder;
  Emitter e;
  LLVMTypeConverter converter;
  Block *body = nullptr;
  int64_t pieces = 1;
  bool serial = false;  ///< Loops depend on each other: one piece runs all.
  bool checked = false; ///< The kernel can fail.
  bool limited = false; ///< `endPiece` may say that nothing is run.
  Value context, firstPiece, endPiece, status;
  Operation *afterPrologue = nullptr;
};

struct LowerKernelAbiPass
    : hone::impl::LowerKernelAbiPassBase<LowerKernelAbiPass> {
  using Base::Base;
  void runOnOperation() override {
    SmallVector<func::FuncOp> kernels;
    for (auto kernel : getOperation().getOps<func::FuncOp>())
      if (kernel->hasAttr("hone.kernel") && !kernel.isExternal())
        kernels.push_back(kernel);
    for (func::FuncOp kernel : kernels)
      if (failed(KernelAbi(kernel).run()))
        return signalPassFailure();
  }
};
} // namespace
