// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The host plan as calls of the runtime core. LowerBuffers handles buffers,
// LowerLibrary library functions.
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

struct LowerDispatch : RtPattern<rt::DispatchOp> {
  using RtPattern::RtPattern;

  /// The number of pieces, none if all outputs are empty: there is nothing to
  /// compute, however large the other dimensions are.
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
                            code.pieces[kernel->second], rewriter),
                   code.step(rewriter, loc, op.getStep())});
    code.returnIf(rewriter, loc, status);
    rewriter.eraseOp(op);
    return success();
  }
};

/// The two sizes that must be equal, if the condition asks for that.
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

/// An absent operand.
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

/// Conversions between types with the same representation.
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
      readWhereNeeded(function.getBody().front());
    }

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
    patterns
        .add<LowerDispatch, LowerCheck, LowerCheckDims, LowerSlotBytes,
             LowerOutputDim, LowerFreeDim, LowerCast, LowerNone, LowerReturn>(
            types, code);
    populateBufferPatterns(patterns, types, code);
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
