// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Calls of library functions, and outputs set by the host: both pass values
// laid out as in abi.h.
#include "dialects/Graph/Graph.h"
#include "dialects/Rt/Rt.h"
#include "hone/abi.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "passes/Rt/HostCode.h"
#include "passes/Rt/Passes.h"

using namespace mlir;
using namespace hone;

namespace {

int32_t kindOf(Type type) {
  if (isa<NoneType>(type))
    return HONE_KIND_NONE;
  if (isa<graph::SequenceType>(type))
    return HONE_KIND_SEQUENCE;
  if (isa<graph::MapType>(type))
    return HONE_KIND_MAP;
  return isa<graph::OptionalType>(type) ? HONE_KIND_OPTIONAL : HONE_KIND_TENSOR;
}

/// Writes kind, element type and rank of a value at `base` + `offset`.
void storeHeader(HostCode &code, OpBuilder &b, Location loc, Type type,
                 Value base, int64_t offset) {
  code.store(b, loc, code.i64(b, loc, kindOf(type)), base, offset);
  auto buffer = dyn_cast<MemRefType>(type);
  if (!buffer)
    return;
  code.store(b, loc, code.i32(b, loc, buffer.getRank()), base,
             offset + kValueRank);
  code.store(b, loc, code.i32(b, loc, typeCode(buffer.getElementType())), base,
             offset + kValueType);
}

/// Writes a value; its dimensions go to the array of numbers from `numbers` on.
void storeValue(HostCode &code, OpBuilder &b, Location loc, Type type,
                ValueRange parts, const HostFrame &frame, int64_t position,
                int64_t &numbers) {
  int64_t offset = position * kValueBytes;
  storeHeader(code, b, loc, type, frame.values, offset);
  if (isa<NoneType>(type))
    return;
  if (isa<graph::MapType>(type)) {
    code.store(b, loc, parts[0], frame.values, offset + kMapKeys);
    code.store(b, loc, parts[1], frame.values, offset + kMapValues);
    return;
  }
  code.store(b, loc, parts.front(), frame.values, offset + kValueData);
  auto buffer = dyn_cast<MemRefType>(type);
  if (!buffer)
    return;
  code.storeDims(b, loc, buffer, dynamicDims(parts), frame.numbers,
                 8 * numbers);
  code.store(b, loc, code.pointer(b, loc, frame.numbers, 8 * numbers),
             frame.values, offset + kValueDims);
  numbers += buffer.getRank();
}

/// A parameter of a library function as stored in memory; none for kinds that
/// no function takes.
std::optional<int64_t> configEntry(Attribute attr) {
  if (auto flag = dyn_cast<BoolAttr>(attr))
    return flag.getValue();
  if (auto integer = dyn_cast<IntegerAttr>(attr))
    return integer.getInt();
  if (auto number = dyn_cast<FloatAttr>(attr))
    return llvm::bit_cast<int64_t>(number.getValueAsDouble());
  return std::nullopt;
}

struct LowerLibrary : RtPattern<rt::LibraryOp> {
  using RtPattern::RtPattern;

  LogicalResult matchAndRewrite(rt::LibraryOp op, Adaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    Location loc = op.getLoc();
    const HostFrame &frame = code.frame(op);
    SmallVector<int64_t> config;
    if (DictionaryAttr entries = op.getConfigAttr())
      for (NamedAttribute entry : entries) {
        std::optional<int64_t> value = configEntry(entry.getValue());
        if (!value)
          return b.notifyMatchFailure(op, "a parameter of unknown kind");
        config.push_back(*value);
      }
    int64_t numbers = 0, position = 0;
    for (auto [operand, parts] :
         llvm::zip_equal(op.getOperands(), adaptor.getOperands()))
      storeValue(code, b, loc, operand.getType(), parts, frame, position++,
                 numbers);
    for (int64_t i = 0; i < position; ++i)
      code.store(b, loc, code.pointer(b, loc, frame.values, i * kValueBytes),
                 frame.pointers, 8 * i);
    for (auto [index, type] : llvm::enumerate(op.getResultTypes()))
      storeHeader(code, b, loc, type, frame.results, index * kValueBytes);

    Value parameters;
    if (op.getFunction() == rt::kCustomFunction && config.size() == 1)
      parameters = code.customNode(b, loc, config.front());
    else if (config.empty())
      parameters = LLVM::ZeroOp::create(b, loc, code.ptrType);
    else
      parameters = code.table(b, loc, config);
    Value status =
        code.call(b, loc, "hone_rt_library", code.i32Type,
                  {frame.frame, code.step(b, loc, op.getStep()),
                   code.libraryFunction(b, loc, op.getFunction()),
                   code.i32(b, loc, op.getNode()), frame.pointers,
                   code.i32(b, loc, op.getNumOperands()), frame.results,
                   code.i32(b, loc, op.getNumResults()), parameters});
    code.returnIf(b, loc, status);

    SmallVector<SmallVector<Value>> results;
    for (auto [index, type] : llvm::enumerate(op.getResultTypes())) {
      int64_t offset = index * kValueBytes;
      SmallVector<Value> &parts = results.emplace_back();
      parts.push_back(
          code.loadPointer(b, loc, frame.results, offset + kValueData));
      if (auto buffer = dyn_cast<MemRefType>(type))
        checkShape(op, buffer, frame, offset, parts, b);
    }
    b.replaceOpWithMultiple(op, std::move(results));
    return success();
  }

private:
  /// Appends the dynamic dimensions of a result. Rank and fixed dimensions may
  /// be wrong, depending on data.
  void checkShape(rt::LibraryOp op, MemRefType type, const HostFrame &frame,
                  int64_t offset, SmallVectorImpl<Value> &parts,
                  ConversionPatternRewriter &b) const {
    Location loc = op.getLoc();
    Value rank = LLVM::LoadOp::create(
        b, loc, code.i32Type,
        code.pointer(b, loc, frame.results, offset + kValueRank));
    require(op, frame, arith::ExtSIOp::create(b, loc, code.i64Type, rank),
            type.getRank(), b);
    if (type.getRank() == 0)
      return;
    Value dims = code.loadPointer(b, loc, frame.results, offset + kValueDims);
    for (auto [axis, size] : llvm::enumerate(type.getShape())) {
      Value actual = LLVM::LoadOp::create(
          b, loc, code.i64Type, code.pointer(b, loc, dims, 8 * int64_t(axis)));
      if (ShapedType::isDynamic(size))
        parts.push_back(code.toIndex(b, loc, actual));
      else
        require(op, frame, actual, size, b);
    }
  }

  void require(rt::LibraryOp op, const HostFrame &frame, Value actual,
               int64_t expected, ConversionPatternRewriter &b) const {
    Location loc = op.getLoc();
    Value limit = code.i64(b, loc, expected);
    Value fits =
        arith::CmpIOp::create(b, loc, arith::CmpIPredicate::eq, actual, limit);
    auto branch = scf::IfOp::create(b, loc, code.i32Type, fits, true);
    OpBuilder then = branch.getThenBodyBuilder(),
              otherwise = branch.getElseBodyBuilder();
    scf::YieldOp::create(then, loc, code.i32(then, loc, 0));
    Value status = code.call(
        otherwise, loc, "hone_rt_fail", code.i32Type,
        {frame.frame, code.i32(otherwise, loc, op.getNode()),
         code.i32(otherwise, loc, HONE_SHAPE_MISMATCH), actual, limit});
    scf::YieldOp::create(otherwise, loc, status);
    code.returnIf(b, loc, branch.getResult(0));
  }
};

struct LowerSetOutput : RtPattern<rt::SetOutputOp> {
  using RtPattern::RtPattern;

  LogicalResult matchAndRewrite(rt::SetOutputOp op, Adaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    Location loc = op.getLoc();
    const HostFrame &frame = code.frame(op);
    Value index = code.i32(b, loc, op.getIndex()), status;
    if (auto buffer = dyn_cast<MemRefType>(op.getValue().getType())) {
      code.storeDims(b, loc, buffer, dynamicDims(adaptor.getValue()),
                     frame.numbers, 0);
      status = code.call(b, loc, "hone_rt_set_output", code.i32Type,
                         {frame.frame, index, adaptor.getValue().front(),
                          code.i32(b, loc, buffer.getRank()), frame.numbers});
    } else {
      int64_t numbers = 0;
      storeValue(code, b, loc, op.getValue().getType(), adaptor.getValue(),
                 frame, 0, numbers);
      status = code.call(b, loc, "hone_rt_set_output_value", code.i32Type,
                         {frame.frame, index, frame.values});
    }
    code.returnIf(b, loc, status);
    b.eraseOp(op);
    return success();
  }
};

} // namespace

void hone::populateLibraryPatterns(RewritePatternSet &patterns,
                                   const TypeConverter &types, HostCode &code) {
  patterns.add<LowerLibrary, LowerSetOutput>(types, code);
}
