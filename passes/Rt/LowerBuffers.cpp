// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Buffers of the host plan as pointers with their dynamic dimensions: their
// places, views and elements, and copies.
#include "dialects/Graph/Graph.h"
#include "dialects/Rt/Rt.h"
#include "hone/abi.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Analysis/Sizes.h"
#include "passes/Rt/HostCode.h"
#include "passes/Rt/Passes.h"

using namespace mlir;
using namespace hone;

namespace {

/// The address of an input or output: `values` are the caller's, `onDevice`
/// their addresses on the device.
Value valuePointer(const HostCode &code, OpBuilder &b, Location loc, Type type,
                   int64_t index, Value values, Value onDevice) {
  if (rt::isOnDevice(type))
    return code.loadPointer(b, loc, onDevice, 8 * index);
  // Tensors, sequences and optionals all have their pointer first.
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
    // The content of an optional is a value.
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

  /// A read-only table of pointers and lengths, and its text.
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
    if (kind || op.getStep())
      code.returnIf(rewriter, loc,
                    code.call(rewriter, loc, "hone_rt_copy", code.i32Type,
                              {code.frame(op).frame, target, source, bytes,
                               code.i32(rewriter, loc, kind),
                               code.step(rewriter, loc, op.getStep())}));
    else
      LLVM::MemcpyOp::create(rewriter, loc, target, source, bytes,
                             /*isVolatile=*/false);
    rewriter.eraseOp(op);
    return success();
  }
};

} // namespace

void hone::populateBufferPatterns(RewritePatternSet &patterns,
                                  const TypeConverter &types, HostCode &code) {
  patterns.add<LowerInput, LowerOutput, LowerSlot, LowerAlloc, LowerMark,
               LowerEndIteration, LowerConstant, LowerView, LowerDim, LowerLoad,
               LowerStore, LowerCopy>(types, code);
}
