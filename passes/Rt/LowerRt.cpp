// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The host plan as calls of the runtime core: buffers become pointers with
// their dynamic dimensions beside them.
#include "dialects/Graph/Graph.h"
#include "dialects/Rt/Rt.h"
#include "hone/abi.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Transforms/Patterns.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Transforms/DialectConversion.h"
#include "passes/Analysis/Sizes.h"
#include "passes/Rt/HostCode.h"
#include "passes/Rt/Passes.h"

namespace hone {
#define GEN_PASS_DEF_LOWERRTPASS
#include "passes/Rt/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;

int32_t hone::typeCode(Type type) {
  if (isa<graph::StringType>(type))
    return HONE_TYPE_STRING;
  if (type.isF32())
    return HONE_TYPE_FLOAT;
  if (type.isF64())
    return HONE_TYPE_DOUBLE;
  if (type.isF16())
    return HONE_TYPE_FLOAT16;
  if (type.isBF16())
    return HONE_TYPE_BFLOAT16;
  if (auto complex = dyn_cast<ComplexType>(type))
    return complex.getElementType().isF64() ? HONE_TYPE_COMPLEX128
                                            : HONE_TYPE_COMPLEX64;
  if (!isa<IntegerType>(type))
    return HONE_TYPE_UNDEFINED;
  switch (type.getIntOrFloatBitWidth()) {
  case 8:
    return HONE_TYPE_INT8;
  case 16:
    return HONE_TYPE_INT16;
  case 32:
    return HONE_TYPE_INT32;
  case 64:
    return HONE_TYPE_INT64;
  case 4:
    return HONE_TYPE_INT4;
  case 2:
    return HONE_TYPE_INT2;
  default:
    return HONE_TYPE_UNDEFINED;
  }
}

namespace {

template <typename OpTy> struct RtPattern : OpConversionPattern<OpTy> {
  RtPattern(const TypeConverter &types, HostCode &code)
      : OpConversionPattern<OpTy>(types, code.module.getContext()), code(code) {
  }
  using Adaptor = typename OpConversionPattern<OpTy>::OneToNOpAdaptor;

  /// The pointer with `dims` beside it.
  static void replace(OpTy op, Value pointer, ArrayRef<ValueRange> dims,
                      ConversionPatternRewriter &rewriter) {
    SmallVector<Value> parts{pointer};
    for (ValueRange dim : dims)
      llvm::append_range(parts, dim);
    rewriter.replaceOpWithMultiple(op, {parts});
  }

  /// The values of operands that are one value each.
  static SmallVector<Value> allOf(ArrayRef<ValueRange> operands) {
    return llvm::map_to_vector(operands,
                               [](ValueRange parts) { return parts.front(); });
  }

  HostCode &code;
};

/// Where an input or output lies: `values` are the caller's, `onDevice` their
/// places on the device.
Value valuePointer(const HostCode &code, OpBuilder &b, Location loc, Type type,
                   int64_t index, Value values, Value onDevice) {
  if (rt::isOnDevice(type))
    return code.loadPointer(b, loc, onDevice, 8 * index);
  // Tensors, sequences and optionals alike have their pointer first.
  return code.loadPointer(b, loc, values, index * kValueBytes + kValueData);
}

struct LowerInput : RtPattern<rt::InputOp> {
  using RtPattern::RtPattern;
  LogicalResult
  matchAndRewrite(rt::InputOp op, Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const HostFrame &frame = code.frame(op);
    if (isa<graph::MapType>(op.getType())) {
      SmallVector<Value> parts;
      for (int64_t part : {kMapKeys, kMapValues})
        parts.push_back(code.loadPointer(rewriter, op.getLoc(), frame.inputs,
                                         op.getIndex() * kValueBytes + part));
      rewriter.replaceOpWithMultiple(op, {parts});
      return success();
    }
    // What an optional holds is a value.
    Value pointer =
        op.getAnyRank()
            ? code.pointer(rewriter, op.getLoc(), frame.inputs,
                           op.getIndex() * kValueBytes)
            : valuePointer(code, rewriter, op.getLoc(), op.getType(),
                           op.getIndex(), frame.inputs, frame.deviceInputs);
    replace(op, pointer, adaptor.getDims(), rewriter);
    return success();
  }
};

struct LowerOutput : RtPattern<rt::OutputOp> {
  using RtPattern::RtPattern;
  LogicalResult
  matchAndRewrite(rt::OutputOp op, Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const HostFrame &frame = code.frame(op);
    Value pointer =
        valuePointer(code, rewriter, op.getLoc(), op.getType(), op.getIndex(),
                     frame.outputs, frame.deviceOutputs);
    replace(op, pointer, adaptor.getDims(), rewriter);
    return success();
  }
};

struct LowerSlot : RtPattern<rt::SlotOp> {
  using RtPattern::RtPattern;
  LogicalResult
  matchAndRewrite(rt::SlotOp op, Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    const HostFrame &frame = code.frame(op);
    Value arena =
        rt::isOnDevice(op.getType()) ? frame.deviceArena : frame.arena;
    Value pointer;
    if (op.getIndex() < code.slotOffsets.size())
      pointer =
          code.pointer(rewriter, loc, arena, code.slotOffsets[op.getIndex()]);
    else
      pointer = code.pointer(
          rewriter, loc, arena,
          LLVM::LoadOp::create(rewriter, loc, code.i64Type,
                               code.pointer(rewriter, loc, frame.slotOffsets,
                                            8 * op.getIndex())));
    replace(op, pointer, adaptor.getDims(), rewriter);
    return success();
  }
};

struct LowerAlloc : RtPattern<rt::AllocOp> {
  using RtPattern::RtPattern;
  LogicalResult
  matchAndRewrite(rt::AllocOp op, Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    SmallVector<Value> dims = allOf(adaptor.getDims());
    Value bytes = code.bytes(rewriter, loc, op.getType(), dims, code.frame(op));
    Value pointer =
        code.call(rewriter, loc, "hone_rt_alloc", code.ptrType,
                  {code.frame(op).frame,
                   code.i32(rewriter, loc, op.getNode().value_or(-1)), bytes});
    Value null = LLVM::ZeroOp::create(rewriter, loc, code.ptrType);
    Value failed = LLVM::ICmpOp::create(rewriter, loc, LLVM::ICmpPredicate::eq,
                                        pointer, null);
    Value status = arith::SelectOp::create(
        rewriter, loc, failed, code.i32(rewriter, loc, HONE_OUT_OF_MEMORY),
        code.i32(rewriter, loc, 0));
    code.returnIf(rewriter, loc, status);
    replace(op, pointer, adaptor.getDims(), rewriter);
    return success();
  }
};

struct LowerMark : RtPattern<rt::MarkOp> {
  using RtPattern::RtPattern;
  LogicalResult
  matchAndRewrite(rt::MarkOp op, Adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Value mark = code.call(rewriter, op.getLoc(), "hone_rt_mark", code.i64Type,
                           {code.frame(op).frame});
    rewriter.replaceOp(op, code.toIndex(rewriter, op.getLoc(), mark));
    return success();
  }
};

struct LowerEndIteration : RtPattern<rt::EndIterationOp> {
  using RtPattern::RtPattern;
  LogicalResult
  matchAndRewrite(rt::EndIterationOp op, Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    const HostFrame &frame = code.frame(op);
    for (auto [index, block] : llvm::enumerate(adaptor.getKept()))
      code.store(rewriter, loc, block.front(), frame.pointers, 8 * index);
    code.call(rewriter, loc, "hone_rt_end_iteration", {},
              {frame.frame,
               code.toI64(rewriter, loc, adaptor.getMark().front()),
               frame.pointers, code.i64(rewriter, loc, op.getKept().size())});
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerConstant : RtPattern<rt::ConstantOp> {
  using RtPattern::RtPattern;
  LogicalResult
  matchAndRewrite(rt::ConstantOp op, Adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (!isa<graph::StringType>(op.getType().getElementType())) {
      const HostFrame &frame = code.frame(op);
      Value pointer = code.pointer(
          rewriter, op.getLoc(),
          rt::isOnDevice(op.getType()) ? frame.deviceWeights : frame.weights,
          int64_t(op.getOffset()));
      rewriter.replaceOpWithMultiple(op, {{pointer}});
      return success();
    }
    auto strings = dyn_cast<DenseStringElementsAttr>(op.getValue());
    if (!strings)
      return rewriter.notifyMatchFailure(op, "strings in no string attribute");
    rewriter.replaceOpWithMultiple(
        op, {{stringTable(op.getLoc(), strings, rewriter)}});
    return success();
  }

  /// A read-only table of pointers and lengths, and the text behind it.
  Value stringTable(Location loc, DenseStringElementsAttr strings,
                    ConversionPatternRewriter &rewriter) const {
    std::string text;
    for (StringRef string : strings.getValues<StringRef>())
      text += string;
    MLIRContext *context = rewriter.getContext();
    auto entryType =
        LLVM::LLVMStructType::getLiteral(context, {code.ptrType, code.i64Type});
    auto tableType =
        LLVM::LLVMArrayType::get(entryType, strings.getNumElements());
    std::string name = code.nextStringsName();
    OpBuilder b(context);
    b.setInsertionPointToStart(code.module.getBody());
    auto data = LLVM::GlobalOp::create(
        b, loc, LLVM::LLVMArrayType::get(b.getI8Type(), text.size()), true,
        LLVM::Linkage::Private, name + "_text", b.getStringAttr(text));
    auto table = LLVM::GlobalOp::create(
        b, loc, tableType, true, LLVM::Linkage::Private, name, Attribute());
    b.createBlock(&table.getInitializerRegion());
    Value base = LLVM::AddressOfOp::create(b, loc, data);
    Value value = LLVM::UndefOp::create(b, loc, tableType);
    int64_t position = 0, index = 0;
    auto i64 = [&](int64_t number) {
      return LLVM::ConstantOp::create(b, loc, code.i64Type,
                                      b.getI64IntegerAttr(number));
    };
    for (StringRef string : strings.getValues<StringRef>()) {
      Value start =
          LLVM::GEPOp::create(b, loc, code.ptrType, b.getI8Type(), base,
                              ArrayRef<LLVM::GEPArg>{int32_t(position)});
      value = LLVM::InsertValueOp::create(b, loc, value, start,
                                          ArrayRef<int64_t>{index, 0});
      value = LLVM::InsertValueOp::create(b, loc, value, i64(string.size()),
                                          ArrayRef<int64_t>{index++, 1});
      position += string.size();
    }
    LLVM::ReturnOp::create(b, loc, value);
    return LLVM::AddressOfOp::create(rewriter, loc, table);
  }
};

struct LowerView : RtPattern<rt::ViewOp> {
  using RtPattern::RtPattern;
  LogicalResult
  matchAndRewrite(rt::ViewOp op, Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value pointer = adaptor.getSource().front();
    if (op.getOffset()) {
      int64_t bits = elementBits(op.getSource().getType().getElementType());
      if (bits % 8 != 0)
        return rewriter.notifyMatchFailure(op, "a slice of packed elements");
      Value index = code.toI64(rewriter, loc, adaptor.getOffset().front());
      Value bytes = arith::MulIOp::create(rewriter, loc, index,
                                          code.i64(rewriter, loc, bits / 8));
      pointer = code.pointer(rewriter, loc, pointer, bytes);
    }
    replace(op, pointer, adaptor.getDims(), rewriter);
    return success();
  }
};

struct LowerDim : RtPattern<rt::DimOp> {
  using RtPattern::RtPattern;
  LogicalResult
  matchAndRewrite(rt::DimOp op, Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    MemRefType type = op.getSource().getType();
    if (type.isDynamicDim(op.getAxis()))
      rewriter.replaceOp(
          op, dynamicDims(
                  adaptor.getSource())[type.getDynamicDimIndex(op.getAxis())]);
    else
      rewriter.replaceOpWithNewOp<arith::ConstantIndexOp>(
          op, type.getDimSize(op.getAxis()));
    return success();
  }
};

/// Address of one element.
Value elementPointer(HostCode &code, OpBuilder &b, Location loc,
                     MemRefType type, ValueRange buffer,
                     ArrayRef<ValueRange> indices) {
  ValueRange dims = dynamicDims(buffer);
  Value linear = code.i64(b, loc, 0);
  for (auto [axis, index] : llvm::enumerate(indices)) {
    Value size = type.isDynamicDim(axis)
                     ? code.toI64(b, loc, dims[type.getDynamicDimIndex(axis)])
                     : code.i64(b, loc, type.getDimSize(axis));
    linear = arith::MulIOp::create(b, loc, linear, size);
    linear = arith::AddIOp::create(b, loc, linear,
                                   code.toI64(b, loc, index.front()));
  }
  Value bytes = arith::MulIOp::create(
      b, loc, linear, code.i64(b, loc, elementBits(type.getElementType()) / 8));
  return code.pointer(b, loc, buffer.front(), bytes);
}

struct LowerLoad : RtPattern<rt::LoadOp> {
  using RtPattern::RtPattern;
  LogicalResult
  matchAndRewrite(rt::LoadOp op, Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Type type = op.getType();
    if (elementBits(type) % 8 != 0 || isa<graph::StringType, ComplexType>(type))
      return rewriter.notifyMatchFailure(op, "not a number of whole bytes");
    Value pointer =
        elementPointer(code, rewriter, loc, op.getSource().getType(),
                       adaptor.getSource(), adaptor.getIndices());
    if (type.isIndex())
      rewriter.replaceOp(op, code.loadIndex(rewriter, loc, pointer, 0));
    else
      rewriter.replaceOpWithNewOp<LLVM::LoadOp>(op, type, pointer);
    return success();
  }
};

struct LowerStore : RtPattern<rt::StoreOp> {
  using RtPattern::RtPattern;
  LogicalResult
  matchAndRewrite(rt::StoreOp op, Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value value = adaptor.getValue().front();
    if (elementBits(value.getType()) % 8 != 0 ||
        isa<graph::StringType, ComplexType>(value.getType()))
      return rewriter.notifyMatchFailure(op, "not a number of whole bytes");
    if (value.getType().isIndex())
      value = code.toI64(rewriter, loc, value);
    LLVM::StoreOp::create(
        rewriter, loc, value,
        elementPointer(code, rewriter, loc, op.getTarget().getType(),
                       adaptor.getTarget(), adaptor.getIndices()));
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerCopy : RtPattern<rt::CopyOp> {
  using RtPattern::RtPattern;
  LogicalResult
  matchAndRewrite(rt::CopyOp op, Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value bytes = code.bytes(rewriter, loc, op.getSource().getType(),
                             dynamicDims(adaptor.getSource()), code.frame(op));
    Value source = adaptor.getSource().front(),
          target = adaptor.getTarget().front();
    int32_t kind =
        (rt::isOnDevice(op.getSource().getType()) ? HONE_COPY_FROM_DEVICE : 0) |
        (rt::isOnDevice(op.getTarget().getType()) ? HONE_COPY_TO_DEVICE : 0);
    if (kind)
      code.returnIf(rewriter, loc,
                    code.call(rewriter, loc, "hone_rt_copy", code.i32Type,
                              {code.frame(op).frame, target, source, bytes,
                               code.i32(rewriter, loc, kind)}));
    else
      LLVM::MemcpyOp::create(rewriter, loc, target, source, bytes,
                             /*isVolatile=*/false);
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerDispatch : RtPattern<rt::DispatchOp> {
  using RtPattern::RtPattern;

  /// The number of pieces, and none where all outputs are empty: there is
  /// nothing to compute, however large the other dimensions are.
  Value piecesOf(rt::DispatchOp op, ArrayRef<ValueRange> outputs,
                 int64_t pieces, OpBuilder &b) const {
    Location loc = op.getLoc();
    Value isNeeded, never = code.i64(b, loc, 0);
    for (auto [output, parts] : llvm::zip_equal(op.getOutputs(), outputs)) {
      auto type = cast<MemRefType>(output.getType());
      if (llvm::is_contained(type.getShape(), 0))
        continue;
      if (type.hasStaticShape())
        return code.i64(b, loc, pieces);
      Value hasElements;
      for (Value dim : dynamicDims(parts)) {
        Value isPositive = arith::CmpIOp::create(
            b, loc, arith::CmpIPredicate::ne, code.toI64(b, loc, dim), never);
        hasElements =
            hasElements ? arith::AndIOp::create(b, loc, hasElements, isPositive)
                              .getResult()
                        : isPositive;
      }
      isNeeded =
          isNeeded
              ? arith::OrIOp::create(b, loc, isNeeded, hasElements).getResult()
              : hasElements;
    }
    if (!isNeeded)
      return never;
    return arith::SelectOp::create(b, loc, isNeeded, code.i64(b, loc, pieces),
                                   never);
  }

  LogicalResult
  matchAndRewrite(rt::DispatchOp op, Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    const HostFrame &frame = code.frame(op);
    auto kernel = code.kernels.find(op.getKernel());
    if (kernel == code.kernels.end())
      return rewriter.notifyMatchFailure(op, "calls an unknown kernel");
    int64_t pointers = 0, numbers = 0;
    auto pass = [&](ValueRange buffer) {
      code.store(rewriter, loc, buffer.front(), frame.pointers, 8 * pointers++);
      for (Value dim : dynamicDims(buffer))
        code.store(rewriter, loc, code.toI64(rewriter, loc, dim), frame.numbers,
                   8 * numbers++);
    };
    llvm::for_each(adaptor.getInputs(), pass);
    llvm::for_each(adaptor.getOutputs(), pass);
    for (ValueRange arg : adaptor.getArgs())
      code.store(rewriter, loc, code.toI64(rewriter, loc, arg.front()),
                 frame.numbers, 8 * numbers++);
    Value status =
        code.call(rewriter, loc, "hone_rt_dispatch", code.i32Type,
                  {frame.frame, code.i64(rewriter, loc, kernel->second),
                   frame.pointers, frame.numbers,
                   piecesOf(op, adaptor.getOutputs(),
                            code.pieces[kernel->second], rewriter)});
    code.returnIf(rewriter, loc, status);
    rewriter.eraseOp(op);
    return success();
  }
};

/// The two sizes that must be equal, where the condition asks for that.
std::pair<Value, Value> comparedSizes(Value condition) {
  Operation *op = condition.getDefiningOp();
  while (isa_and_nonnull<arith::AndIOp, arith::OrIOp>(op))
    op = op->getOperand(0).getDefiningOp();
  auto compare = dyn_cast_or_null<arith::CmpIOp>(op);
  if (!compare || compare.getPredicate() != arith::CmpIPredicate::eq ||
      !compare.getLhs().getType().isIndex())
    return {};
  return {compare.getLhs(), compare.getRhs()};
}

struct LowerCheck : RtPattern<rt::CheckOp> {
  using RtPattern::RtPattern;
  LogicalResult
  matchAndRewrite(rt::CheckOp op, Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    Value node = code.i32(rewriter, loc, op.getNode());
    auto branch = scf::IfOp::create(rewriter, loc, code.i32Type,
                                    adaptor.getCondition().front(), true);
    OpBuilder then = branch.getThenBodyBuilder(),
              otherwise = branch.getElseBodyBuilder();
    scf::YieldOp::create(then, loc, code.i32(then, loc, 0));
    auto [left, right] = comparedSizes(op.getCondition());
    Value value =
        left ? code.toI64(otherwise, loc, left) : code.i64(otherwise, loc, 0);
    Value limit =
        right ? code.toI64(otherwise, loc, right) : code.i64(otherwise, loc, 0);
    Value status =
        code.call(otherwise, loc, "hone_rt_fail", code.i32Type,
                  {code.frame(op).frame, node,
                   code.i32(otherwise, loc, op.getStatus()), value, limit});
    scf::YieldOp::create(otherwise, loc, status);
    code.returnIf(rewriter, loc, branch.getResult(0));
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerCheckDims : RtPattern<rt::CheckDimsOp> {
  using RtPattern::RtPattern;
  LogicalResult
  matchAndRewrite(rt::CheckDimsOp op, Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    const HostFrame &frame = code.frame(op);
    auto type = cast<MemRefType>(op.getType());
    code.storeDims(rewriter, loc, type, allOf(adaptor.getDims()), frame.numbers,
                   0);
    Value overflows = code.i32(rewriter, loc, 0);
    if (op.getOverflows())
      overflows = arith::ExtUIOp::create(rewriter, loc, code.i32Type,
                                         adaptor.getOverflows().front());
    code.returnIf(
        rewriter, loc,
        code.call(rewriter, loc, "hone_rt_check_dims", code.i32Type,
                  {frame.frame, code.i32(rewriter, loc, op.getNode()),
                   code.i64(rewriter, loc, elementBits(type.getElementType())),
                   code.i32(rewriter, loc, type.getRank()), frame.numbers,
                   overflows}));
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerSlotBytes : RtPattern<rt::SlotBytesOp> {
  using RtPattern::RtPattern;
  LogicalResult
  matchAndRewrite(rt::SlotBytesOp op, Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    const HostFrame &frame = code.frame(op);
    Value bytes =
        code.bytes(rewriter, op.getLoc(), cast<MemRefType>(op.getType()),
                   allOf(adaptor.getDims()), frame);
    code.store(rewriter, op.getLoc(), bytes, frame.slotBytes,
               8 * op.getIndex());
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerOutputDim : RtPattern<rt::OutputDimOp> {
  using RtPattern::RtPattern;
  LogicalResult
  matchAndRewrite(rt::OutputDimOp op, Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    code.store(rewriter, op.getLoc(),
               code.toI64(rewriter, op.getLoc(), adaptor.getSize().front()),
               code.frame(op).outputDims, 8 * op.getIndex());
    rewriter.eraseOp(op);
    return success();
  }
};

struct LowerFreeDim : RtPattern<graph::DimOp> {
  using RtPattern::RtPattern;
  LogicalResult
  matchAndRewrite(graph::DimOp op, Adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    auto position = code.freeDims.find(op.getName());
    if (position == code.freeDims.end())
      return rewriter.notifyMatchFailure(op, "no input has this dimension");
    rewriter.replaceOp(op, code.loadIndex(rewriter, op.getLoc(),
                                          code.frame(op).freeDims,
                                          8 * position->second));
    return success();
  }
};

/// An operand that is absent.
struct LowerNone : RtPattern<ub::PoisonOp> {
  using RtPattern::RtPattern;
  LogicalResult
  matchAndRewrite(ub::PoisonOp op, Adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (!isa<NoneType>(op.getType()))
      return rewriter.notifyMatchFailure(op, "not the absent value");
    rewriter.replaceOpWithMultiple(op, {ValueRange()});
    return success();
  }
};

/// Between types of one handle.
struct LowerCast : RtPattern<UnrealizedConversionCastOp> {
  using RtPattern::RtPattern;
  LogicalResult
  matchAndRewrite(UnrealizedConversionCastOp op, Adaptor adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    if (adaptor.getInputs().size() != 1 ||
        adaptor.getInputs().front().size() != 1)
      return rewriter.notifyMatchFailure(op, "not one handle");
    rewriter.replaceOp(op, adaptor.getInputs().front().front());
    return success();
  }
};

struct LowerReturn : RtPattern<func::ReturnOp> {
  using RtPattern::RtPattern;
  LogicalResult
  matchAndRewrite(func::ReturnOp op, Adaptor,
                  ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOpWithNewOp<func::ReturnOp>(
        op, code.i32(rewriter, op.getLoc(), 0));
    return success();
  }
};

struct LowerRtPass : hone::impl::LowerRtPassBase<LowerRtPass> {
  using Base::Base;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    HostCode code(module);
    takeKernels(module, code);
    takePlan(module, code);
    for (StringRef name : {rt::kRunName, rt::kPrepareName}) {
      auto function = module.lookupSymbol<func::FuncOp>(name);
      if (!function) {
        module.emitError("has no function @") << name;
        return signalPassFailure();
      }
      code.enter(function, name == rt::kPrepareName);
    }

    for (StringRef name : {rt::kRunName, rt::kPrepareName})
      readWhereNeeded(
          module.lookupSymbol<func::FuncOp>(name).getBody().front());

    TypeConverter types;
    types.addConversion([](Type type) { return type; });
    types.addConversion([&](Type type) -> std::optional<Type> {
      if (!isa<graph::SequenceType, graph::OptionalType>(type))
        return std::nullopt;
      return code.ptrType;
    });
    types.addConversion([&](graph::MapType, SmallVectorImpl<Type> &parts) {
      parts.append(2, code.ptrType); // keys and values
      return success();
    });
    types.addConversion(
        [](NoneType, SmallVectorImpl<Type> &) { return success(); });
    types.addConversion([&](MemRefType type, SmallVectorImpl<Type> &parts) {
      parts.push_back(code.ptrType);
      parts.append(type.getNumDynamicDims(), IndexType::get(type.getContext()));
      return success();
    });
    RewritePatternSet patterns(&getContext());
    patterns.add<LowerInput, LowerOutput, LowerSlot, LowerAlloc, LowerMark,
                 LowerEndIteration, LowerConstant, LowerView, LowerDim,
                 LowerLoad, LowerStore, LowerCopy, LowerDispatch, LowerCheck,
                 LowerCheckDims, LowerSlotBytes, LowerOutputDim, LowerFreeDim>(
        types, code);
    patterns.add<LowerCast, LowerNone, LowerReturn>(types, code);
    populateLibraryPatterns(patterns, types, code);
    ConversionTarget target(getContext());
    target.addLegalDialect<arith::ArithDialect, cf::ControlFlowDialect,
                           LLVM::LLVMDialect, math::MathDialect,
                           func::FuncDialect>();
    target.addLegalOp<ModuleOp>();
    target.addIllegalDialect<rt::RtDialect, graph::GraphDialect>();
    target.addDynamicallyLegalOp<func::ReturnOp>(
        [](func::ReturnOp op) { return op.getNumOperands() == 1; });
    target.addDynamicallyLegalOp<arith::SelectOp>(
        [&](arith::SelectOp op) { return types.isLegal(op.getOperation()); });
    scf::populateSCFStructuralTypeConversionsAndLegality(types, patterns,
                                                         target);
    if (failed(applyFullConversion(module, target, std::move(patterns))))
      return signalPassFailure();
  }

private:
  /// Moves the reads of inputs and free dimensions to their first uses: a model
  /// may have thousands, and what is read early is kept on the stack.
  static void readWhereNeeded(Block &block) {
    auto isRead = [](Operation *op) {
      return isa_and_nonnull<rt::InputOp, graph::DimOp>(op);
    };
    DenseSet<Operation *> placed;
    auto place = [&](auto &self, Value value, Operation *user) -> void {
      Operation *read = value.getDefiningOp();
      if (!isRead(read) || !placed.insert(read).second)
        return;
      read->moveBefore(user);
      for (Value operand : read->getOperands())
        self(self, operand, read);
    };
    for (Operation &op : llvm::make_early_inc_range(block))
      if (!isRead(&op))
        op.walk([&](Operation *user) {
          for (Value operand : user->getOperands())
            place(place, operand, &op);
        });
  }

  static void takeKernels(ModuleOp module, HostCode &code) {
    Builder attrs(module.getContext());
    SmallVector<Attribute> table;
    for (auto kernel :
         llvm::make_early_inc_range(module.getOps<func::FuncOp>())) {
      if (!kernel->hasAttr(rt::kKernelAttr))
        continue;
      auto pieces = kernel->getAttrOfType<IntegerAttr>(rt::kPiecesAttr);
      code.kernels[kernel.getSymName()] = code.pieces.size();
      code.pieces.push_back(pieces ? pieces.getInt() : 1);
      table.push_back(
          attrs.getArrayAttr({kernel.getSymNameAttr(),
                              attrs.getI64IntegerAttr(code.pieces.back())}));
      kernel.erase();
    }
    module->setAttr("hone.kernels", attrs.getArrayAttr(table));
  }

  static void takePlan(ModuleOp module, HostCode &code) {
    auto arena = module->getAttrOfType<DenseI64ArrayAttr>(rt::kArenaAttr);
    auto slots = module->getAttrOfType<ArrayAttr>(rt::kSlotsAttr);
    if (arena && slots && arena[0] >= 0)
      for (Attribute slot : slots)
        code.slotOffsets.push_back(cast<DenseI64ArrayAttr>(slot)[3]);
  }
};

} // namespace
