// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The C signature of kernels, for the processor and for the host part of device
// kernels.
#include "passes/Emit/KernelSignature.h"

#include "dialects/Rt/Rt.h"
#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace hone;
using namespace hone::graph;

static Value wideConstant(Emitter &e, int64_t value) {
  return LLVM::ConstantOp::create(e.builder, e.loc, e.builder.getI64Type(),
                                  e.builder.getI64IntegerAttr(value));
}

Value hone::makeMemRef(Emitter &e, const LLVMTypeConverter &converter,
                       MemRefType type, Value data, ValueRange sizes) {
  SmallVector<Value> parts = {data, data, wideConstant(e, 0)};
  llvm::append_range(parts, sizes);
  SmallVector<Value> strides(sizes.size());
  Value stride = wideConstant(e, 1);
  SmallVector<int64_t> known;
  int64_t offset;
  bool ok = succeeded(type.getStridesAndOffset(known, offset));
  for (size_t i = sizes.size(); i-- > 0;) {
    strides[i] = ok && !ShapedType::isDynamic(known[i])
                     ? wideConstant(e, known[i])
                     : stride;
    if (i > 0)
      stride = LLVM::MulOp::create(e.builder, e.loc, strides[i], sizes[i]);
  }
  llvm::append_range(parts, strides);
  Value descriptor =
      MemRefDescriptor::pack(e.builder, e.loc, converter, type, parts);
  return UnrealizedConversionCastOp::create(e.builder, e.loc, type, descriptor)
      .getResult(0);
}

Value hone::pointerAt(Emitter &e, Value pointer, int64_t offset) {
  if (offset == 0)
    return pointer;
  return LLVM::GEPOp::create(e.builder, e.loc, pointer.getType(),
                             e.builder.getI8Type(), pointer,
                             ArrayRef<LLVM::GEPArg>{int32_t(offset)});
}

Value hone::loadAt(Emitter &e, Value pointer, int64_t offset, Type type) {
  return LLVM::LoadOp::create(e.builder, e.loc, type,
                              pointerAt(e, pointer, offset));
}

static Value asInteger(Emitter &e, Value index) {
  return arith::IndexCastOp::create(e.builder, e.loc, e.builder.getI64Type(),
                                    index);
}

void hone::lowerCheck(Emitter &e, CheckedIndexOp op, ReportFailure report) {
  e.builder.setInsertionPoint(op);
  e.loc = op.getLoc();
  Value index = op.getIndex(), size = op.getSize();
  if (op.getWrap()) {
    Value negative = e.cmp(arith::CmpIPredicate::slt, index, e.cst(0));
    index = arith::SelectOp::create(e.builder, e.loc, negative,
                                    e.add(index, size), index);
  }
  Value outside = e.cmp(arith::CmpIPredicate::uge, index, size);
  e.branch(outside, [&] {
    report(kIndexOutOfRange, asInteger(e, op.getIndex()), asInteger(e, size));
  });
  Value safe =
      arith::SelectOp::create(e.builder, e.loc, outside, e.cst(0), index);
  op.replaceAllUsesWith(safe);
  op.erase();
}

void hone::lowerCheck(Emitter &e, CheckedDivisorOp op, ReportFailure report) {
  e.builder.setInsertionPoint(op);
  e.loc = op.getLoc();
  Value divisor = op.getDivisor();
  Type type = divisor.getType();
  Value zero = arith::ConstantOp::create(e.builder, e.loc,
                                         e.builder.getIntegerAttr(type, 0));
  Value one = arith::ConstantOp::create(e.builder, e.loc,
                                        e.builder.getIntegerAttr(type, 1));
  Value isZero = e.cmp(arith::CmpIPredicate::eq, divisor, zero);
  e.branch(isZero, [&] {
    Value nothing = arith::ConstantIntOp::create(e.builder, e.loc, 0, 64);
    report(kDivisionByZero, nothing, nothing);
  });
  Value safe = arith::SelectOp::create(e.builder, e.loc, isZero, one, divisor);
  op.replaceAllUsesWith(safe);
  op.erase();
}

int64_t hone::nodeOfCheck(Operation *check, Operation *kernel) {
  auto node = check->getAttrOfType<IntegerAttr>("hone.node");
  if (!node)
    node = kernel->getAttrOfType<IntegerAttr>("hone.node");
  return node ? node.getInt() : -1;
}

//===----------------------------------------------------------------------===//

KernelSignature::KernelSignature(func::FuncOp kernel)
    : kernel(kernel), builder(kernel.getContext()), e(builder, kernel.getLoc()),
      converter(kernel.getContext()), body(&kernel.getBody().front()) {
  addKernelTypeConversions(converter);
}

Value KernelSignature::toIndex(Value integer) {
  return arith::IndexCastOp::create(builder, e.loc, builder.getIndexType(),
                                    integer);
}

Value KernelSignature::toInteger(Value index) { return asInteger(e, index); }

Value KernelSignature::constant(int64_t value) {
  return wideConstant(e, value);
}

void KernelSignature::replaceArguments(bool hasStatus) {
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
      Value data = loadAt(e, ptrs, 8 * nextPointer++, pointer);
      SmallVector<Value> sizes;
      for (int64_t size : type.getShape())
        sizes.push_back(ShapedType::isDynamic(size)
                            ? loadAt(e, dims, 8 * nextDim++, i64)
                            : constant(size));
      replacement = makeMemRef(e, converter, type, data, sizes);
    } else {
      replacement = toIndex(loadAt(e, dims, 8 * nextDim++, i64));
    }
    argument.replaceAllUsesWith(replacement);
  }
  body->eraseArguments(0, old);
  kernel.removeArgAttrsAttr();
  kernel.setFunctionType(
      builder.getFunctionType(body->getArgumentTypes(), builder.getI32Type()));
  firstPiece = toIndex(begin);
  endPiece = toIndex(end);
  if (hasStatus) {
    // In memory, since checks can be anywhere; later promoted to a register.
    status = memref::AllocaOp::create(
        builder, loc, MemRefType::get({}, builder.getI32Type()));
    setStatus(arith::ConstantIntOp::create(builder, loc, 0, 32));
  }
  afterPrologue = &*std::prev(builder.getInsertionPoint());
}

void KernelSignature::setStatus(Value code) {
  memref::StoreOp::create(builder, e.loc, code, status, ValueRange{});
}

/// Moves the computation of `value` after the prologue.
LogicalResult KernelSignature::hoist(Value value) {
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

/// The product of two sizes, or one that no memory has: an empty tensor may
/// have other dimensions whose product overflows.
static Value saturatingProduct(Emitter &e, Value a, Value b) {
  Value tooMuch = e.cst(int64_t(1) << 60);
  auto product = arith::MulUIExtendedOp::create(e.builder, e.loc, a, b);
  Value fits = e.cmp(arith::CmpIPredicate::eq, product.getHigh(), e.cst(0));
  return arith::SelectOp::create(
      e.builder, e.loc, fits,
      arith::MinUIOp::create(e.builder, e.loc, product.getLow(), tooMuch),
      tooMuch);
}

LogicalResult
KernelSignature::placeTemporaries(ArrayRef<memref::AllocOp> temporaries,
                                  function_ref<Value(Value bytes)> reserve) {
  if (temporaries.empty())
    return success();
  for (memref::AllocOp alloc : temporaries)
    for (Value size : alloc.getDynamicSizes())
      if (failed(hoist(size)))
        return failure();
  builder.setInsertionPointAfter(afterPrologue);
  SmallVector<Value> offsets;
  Value total = e.cst(0);
  for (memref::AllocOp alloc : temporaries) {
    MemRefType type = alloc.getType();
    Value bytes = e.cst(bytesOfElement(type.getElementType()));
    for (int64_t size : type.getShape())
      bytes = ShapedType::isDynamic(size) ? bytes : e.mul(bytes, e.cst(size));
    for (Value size : alloc.getDynamicSizes())
      bytes = saturatingProduct(e, bytes, size);
    offsets.push_back(total);
    Value rounded = e.mul(e.ceilDiv(bytes, kBufferAlignment), kBufferAlignment);
    total = e.add(total, rounded);
  }
  // For zero bytes there would be no pointer.
  total = builder.createOrFold<arith::MaxUIOp>(e.loc, total,
                                               e.cst(kBufferAlignment));
  Value region = reserve(total);
  auto pointer = cast<LLVM::LLVMPointerType>(region.getType());
  for (auto [op, offset] : llvm::zip_equal(temporaries, offsets)) {
    memref::AllocOp alloc = op;
    Value data =
        LLVM::GEPOp::create(builder, e.loc, pointer, builder.getI8Type(),
                            region, ArrayRef<LLVM::GEPArg>{toInteger(offset)});
    MemRefType type = alloc.getType();
    SmallVector<Value> sizes;
    for (int64_t i = 0; i < type.getRank(); ++i)
      sizes.push_back(
          type.isDynamicDim(i)
              ? toInteger(alloc.getDynamicSizes()[type.getDynamicDimIndex(i)])
              : constant(type.getDimSize(i)));
    alloc.replaceAllUsesWith(makeMemRef(e, converter, type, data, sizes));
  }
  // Not earlier: the insertion point may be at one of them.
  for (memref::AllocOp alloc : temporaries)
    alloc.erase();
  return success();
}

LogicalResult
hone::forEachKernel(ModuleOp module,
                    function_ref<LogicalResult(func::FuncOp)> action) {
  SmallVector<func::FuncOp> kernels;
  for (auto kernel : module.getOps<func::FuncOp>())
    if (kernel->hasAttr("hone.kernel") && !kernel.isExternal())
      kernels.push_back(kernel);
  for (func::FuncOp kernel : kernels)
    if (failed(action(kernel)))
      return failure();
  return success();
}

LLVM::LLVMFuncOp KernelSignature::declare(StringRef name, Type result,
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

void KernelSignature::lowerChecks() {
  auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
  Type i32 = builder.getI32Type(), i64 = builder.getI64Type();
  kernel.walk([&](Operation *op) {
    if (!isa<CheckedIndexOp, CheckedDivisorOp>(op))
      return;
    auto report = [&](int32_t code, Value value, Value limit) {
      LLVM::LLVMFuncOp function =
          declare("hone_rt_fail", i32, {pointer, i32, i32, i64, i64});
      Value frame = loadAt(e, context, kContextFrame, pointer);
      Value node = arith::ConstantIntOp::create(builder, e.loc,
                                                nodeOfCheck(op, kernel), 32);
      Value codeValue = arith::ConstantIntOp::create(builder, e.loc, code, 32);
      Value failed =
          LLVM::CallOp::create(builder, e.loc, function,
                               ValueRange{frame, node, codeValue, value, limit})
              .getResult();
      // Not even element 0 can be read instead of one outside: there may be
      // none.
      LLVM::CallOp::create(
          builder, e.loc,
          declare(rt::kReturnIfName,
                  LLVM::LLVMVoidType::get(builder.getContext()), {i32}),
          failed);
    };
    if (auto index = dyn_cast<CheckedIndexOp>(op))
      lowerCheck(e, index, report);
    else
      lowerCheck(e, cast<CheckedDivisorOp>(op), report);
  });
}

void KernelSignature::finish() {
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
