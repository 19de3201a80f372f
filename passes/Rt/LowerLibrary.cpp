// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Calls of library functions, and outputs that the host hands over: both pass values as abi.h lays them out.
#include "dialects/Graph/Graph.h"
#include "dialects/Rt/Rt.h"
#include "hone/abi.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Rt/HostCode.h"
#include "passes/Rt/Passes.h"

using namespace mlir;
using namespace hone;

namespace {

int32_t kindOf(Type type) {
  if (isa<graph::SequenceType>(type))
    return HONE_KIND_SEQUENCE;
  return isa<graph::OptionalType>(type) ? HONE_KIND_OPTIONAL : HONE_KIND_TENSOR;
}

/// Writes kind, element type and rank of a value at `base` + `offset`.
void storeHeader(HostCode &code, OpBuilder &b, Location loc, Type type, Value base, int64_t offset) {
  code.store(b, loc, code.i64(b, loc, kindOf(type)), base, offset);
  auto buffer = dyn_cast<MemRefType>(type);
  if (!buffer)
    return;
  code.store(b, loc, code.i32(b, loc, buffer.getRank()), base, offset + kValueRank);
  code.store(b, loc, code.i32(b, loc, typeCode(buffer.getElementType())), base, offset + kValueType);
}

/// Writes a value; its dimensions go to the array of numbers from `numbers` on.
void storeValue(HostCode &code, OpBuilder &b, Location loc, Type type, ValueRange parts, const HostFrame &frame,
                int64_t position, int64_t &numbers) {
  int64_t offset = position * kValueBytes;
  storeHeader(code, b, loc, type, frame.values, offset);
  code.store(b, loc, parts.front(), frame.values, offset + kValueData);
  auto buffer = dyn_cast<MemRefType>(type);
  if (!buffer)
    return;
  code.storeDims(b, loc, buffer, dynamicDims(parts), frame.numbers, 8 * numbers);
  code.store(b, loc, code.pointer(b, loc, frame.numbers, 8 * numbers), frame.values, offset + kValueDims);
  numbers += buffer.getRank();
}

/// The parameters of a library function, by kind, in the order of their names.
struct Config {
  SmallVector<int64_t> integers;
  SmallVector<double> floats;
  SmallVector<StringRef> strings;

  LogicalResult add(Attribute attr) {
    if (auto flag = dyn_cast<BoolAttr>(attr))
      integers.push_back(flag.getValue());
    else if (auto integer = dyn_cast<IntegerAttr>(attr))
      integers.push_back(integer.getInt());
    else if (auto number = dyn_cast<FloatAttr>(attr))
      floats.push_back(number.getValueAsDouble());
    else if (auto string = dyn_cast<StringAttr>(attr))
      strings.push_back(string.getValue());
    else if (isa<UnitAttr>(attr))
      integers.push_back(1);
    else if (auto numbers = dyn_cast<DenseI64ArrayAttr>(attr)) {
      integers.push_back(numbers.size());
      llvm::append_range(integers, numbers.asArrayRef());
    } else if (auto array = dyn_cast<ArrayAttr>(attr)) {
      integers.push_back(array.size());
      for (Attribute entry : array)
        if (failed(add(entry)))
          return failure();
    } else
      return failure();
    return success();
  }
};

struct LowerLibrary : OpConversionPattern<rt::LibraryOp> {
  LowerLibrary(const TypeConverter &types, HostCode &code)
      : OpConversionPattern(types, code.module.getContext()), code(code) {}

  LogicalResult matchAndRewrite(rt::LibraryOp op, OneToNOpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    Location loc = op.getLoc();
    const HostFrame &frame = code.frame(op);
    Config config;
    if (op.getConfig())
      for (NamedAttribute entry : *op.getConfig())
        if (failed(config.add(entry.getValue())))
          return b.notifyMatchFailure(op, "a parameter of unknown kind");
    int64_t numbers = 0, position = 0;
    for (auto [operand, parts] : llvm::zip_equal(op.getOperands(), adaptor.getOperands()))
      storeValue(code, b, loc, operand.getType(), parts, frame, position++, numbers);
    for (auto [index, type] : llvm::enumerate(op.getResultTypes()))
      storeHeader(code, b, loc, type, frame.results, index * kValueBytes);

    Value ints = table(loc, b.getI64Type(), config.integers.size(), b.getI64TensorAttr(config.integers), b);
    Value reals = table(loc, b.getF64Type(), config.floats.size(),
                        DenseElementsAttr::get(RankedTensorType::get(config.floats.size(), b.getF64Type()),
                                               ArrayRef<double>(config.floats)),
                        b);
    Value status = code.call(b, loc, ("hone_lib_" + op.getFunction()).str(), code.i32Type,
                             {frame.frame, code.i32(b, loc, op.getNode()), frame.values,
                              code.i32(b, loc, op.getNumOperands()), frame.results,
                              code.i32(b, loc, op.getNumResults()), ints, reals, strings(loc, config.strings, b)});
    code.returnIf(b, loc, status);

    SmallVector<SmallVector<Value>> results;
    for (auto [index, type] : llvm::enumerate(op.getResultTypes())) {
      int64_t offset = index * kValueBytes;
      SmallVector<Value> &parts = results.emplace_back();
      parts.push_back(code.loadPointer(b, loc, frame.results, offset + kValueData));
      auto buffer = dyn_cast<MemRefType>(type);
      if (!buffer || buffer.hasStaticShape())
        continue;
      Value dims = code.loadPointer(b, loc, frame.results, offset + kValueDims);
      for (int64_t axis = 0; axis < buffer.getRank(); ++axis)
        if (buffer.isDynamicDim(axis))
          parts.push_back(code.loadIndex(b, loc, dims, 8 * axis));
    }
    b.replaceOpWithMultiple(op, std::move(results));
    return success();
  }

private:
  std::string freshName() const {
    int64_t number = 0;
    while (code.module.lookupSymbol("hone_config_" + std::to_string(number)))
      ++number;
    return "hone_config_" + std::to_string(number);
  }

  Value table(Location loc, Type type, size_t count, Attribute data, OpBuilder &b) const {
    if (count == 0)
      return LLVM::ZeroOp::create(b, loc, code.ptrType);
    OpBuilder top = OpBuilder::atBlockBegin(code.module.getBody());
    auto global = LLVM::GlobalOp::create(top, loc, LLVM::LLVMArrayType::get(type, count), true,
                                         LLVM::Linkage::Private, freshName(), data);
    return LLVM::AddressOfOp::create(b, loc, global);
  }

  /// hone_string entries; the text lies in globals of its own.
  Value strings(Location loc, ArrayRef<StringRef> texts, OpBuilder &b) const {
    if (texts.empty())
      return LLVM::ZeroOp::create(b, loc, code.ptrType);
    OpBuilder top = OpBuilder::atBlockBegin(code.module.getBody());
    auto entry = LLVM::LLVMStructType::getLiteral(b.getContext(), {code.ptrType, code.i64Type});
    auto type = LLVM::LLVMArrayType::get(entry, texts.size());
    SmallVector<LLVM::GlobalOp> globals;
    for (StringRef text : texts)
      globals.push_back(LLVM::GlobalOp::create(top, loc, LLVM::LLVMArrayType::get(b.getI8Type(), text.size()), true,
                                               LLVM::Linkage::Private, freshName(), b.getStringAttr(text)));
    auto list = LLVM::GlobalOp::create(top, loc, type, true, LLVM::Linkage::Private, freshName(), Attribute());
    OpBuilder inner(b.getContext());
    inner.createBlock(&list.getInitializerRegion());
    Value value = LLVM::UndefOp::create(inner, loc, type);
    for (auto [index, text] : llvm::enumerate(texts)) {
      Value start = LLVM::AddressOfOp::create(inner, loc, globals[index]);
      Value size = LLVM::ConstantOp::create(inner, loc, code.i64Type, inner.getI64IntegerAttr(text.size()));
      value = LLVM::InsertValueOp::create(inner, loc, value, start, ArrayRef<int64_t>{int64_t(index), 0});
      value = LLVM::InsertValueOp::create(inner, loc, value, size, ArrayRef<int64_t>{int64_t(index), 1});
    }
    LLVM::ReturnOp::create(inner, loc, value);
    return LLVM::AddressOfOp::create(b, loc, list);
  }

  HostCode &code;
};

struct LowerSetOutput : OpConversionPattern<rt::SetOutputOp> {
  LowerSetOutput(const TypeConverter &types, HostCode &code)
      : OpConversionPattern(types, code.module.getContext()), code(code) {}

  LogicalResult matchAndRewrite(rt::SetOutputOp op, OneToNOpAdaptor adaptor,
                                ConversionPatternRewriter &b) const override {
    Location loc = op.getLoc();
    const HostFrame &frame = code.frame(op);
    Value index = code.i32(b, loc, op.getIndex()), status;
    if (auto buffer = dyn_cast<MemRefType>(op.getValue().getType())) {
      code.storeDims(b, loc, buffer, dynamicDims(adaptor.getValue()), frame.numbers, 0);
      status = code.call(b, loc, "hone_rt_set_output", code.i32Type,
                         {frame.frame, index, adaptor.getValue().front(), code.i32(b, loc, buffer.getRank()),
                          frame.numbers});
    } else {
      int64_t numbers = 0;
      storeValue(code, b, loc, op.getValue().getType(), adaptor.getValue(), frame, 0, numbers);
      status = code.call(b, loc, "hone_rt_set_output_value", code.i32Type, {frame.frame, index, frame.values});
    }
    code.returnIf(b, loc, status);
    b.eraseOp(op);
    return success();
  }

private:
  HostCode &code;
};

} // namespace

void hone::populateLibraryPatterns(RewritePatternSet &patterns, const TypeConverter &types, HostCode &code) {
  patterns.add<LowerLibrary, LowerSetOutput>(types, code);
}
