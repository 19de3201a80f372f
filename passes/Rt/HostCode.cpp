// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Fragments of host code that several patterns need.
#include "passes/Rt/HostCode.h"
#include "dialects/Rt/Rt.h"
#include "hone/abi.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Analysis/Sizes.h"
#include "passes/Rt/Passes.h"

using namespace mlir;
using namespace hone;

static_assert(sizeof(hone_value) == kValueBytes &&
              offsetof(hone_value, as.tensor.data) == kValueData &&
              offsetof(hone_value, as.tensor.dims) == kValueDims &&
              offsetof(hone_value, as.tensor.rank) == kValueRank &&
              offsetof(hone_value, as.tensor.type) == kValueType &&
              offsetof(hone_value, as.map.keys) == kMapKeys &&
              offsetof(hone_value, as.map.values) == kMapValues);

HostCode::HostCode(ModuleOp module)
    : ptrType(LLVM::LLVMPointerType::get(module.getContext())),
      i32Type(IntegerType::get(module.getContext(), 32)),
      i64Type(IntegerType::get(module.getContext(), 64)), module(module) {
  if (auto names = module->getAttrOfType<ArrayAttr>(rt::kFreeDimsAttr))
    for (auto [index, name] : llvm::enumerate(names))
      freeDims[cast<StringAttr>(name).getValue()] = index;
}

/// Dimensions of the buffer whose size the operation needs.
static int64_t rankOf(Operation *op) {
  if (auto alloc = dyn_cast<rt::AllocOp>(op))
    return alloc.getType().getRank();
  if (auto copy = dyn_cast<rt::CopyOp>(op))
    return copy.getSource().getType().getRank();
  if (auto check = dyn_cast<rt::CheckDimsOp>(op))
    return cast<MemRefType>(check.getType()).getRank();
  return cast<MemRefType>(cast<rt::SlotBytesOp>(op).getType()).getRank();
}

/// Computes the size of the arrays that hold the arguments of one call.
static void findArraySizes(func::FuncOp function, int64_t &pointers,
                           int64_t &numbers, int64_t &values,
                           int64_t &results) {
  pointers = numbers = values = results = 1;
  auto ranks = [](ValueRange buffers) {
    int64_t sum = 0;
    for (Value buffer : buffers)
      if (auto type = dyn_cast<MemRefType>(buffer.getType()))
        sum += type.getRank();
    return sum;
  };
  function.walk([&](Operation *op) {
    if (auto dispatch = dyn_cast<rt::DispatchOp>(op)) {
      pointers = std::max<int64_t>(pointers, dispatch.getInputs().size() +
                                                 dispatch.getOutputs().size());
      numbers = std::max<int64_t>(numbers, ranks(op->getOperands()) +
                                               dispatch.getArgs().size());
    } else if (isa<rt::AllocOp, rt::CopyOp, rt::CheckDimsOp, rt::SlotBytesOp>(
                   op)) {
      numbers = std::max<int64_t>(numbers, rankOf(op));
    } else if (isa<rt::LibraryOp, rt::SetOutputOp>(op)) {
      numbers = std::max<int64_t>(numbers, ranks(op->getOperands()));
      values = std::max<int64_t>(values, op->getNumOperands());
      pointers = std::max<int64_t>(pointers, op->getNumOperands());
      results = std::max<int64_t>(results, op->getNumResults());
    } else if (auto end = dyn_cast<rt::EndIterationOp>(op)) {
      pointers = std::max<int64_t>(pointers, end.getKept().size());
    }
  });
}

void HostCode::enter(func::FuncOp function, bool isPrepare) {
  Location loc = function.getLoc();
  SmallVector<Type> arguments(isPrepare ? 4 : 1, ptrType);
  function.setFunctionType(
      FunctionType::get(module.getContext(), arguments, i32Type));
  Block &entry = function.getBody().front();
  for (Type type : arguments)
    entry.addArgument(type, loc);
  OpBuilder b = OpBuilder::atBlockBegin(&entry);
  HostFrame &frame = frames[function];
  frame.frame = entry.getArgument(0);
  int64_t pointers, numbers, values, results;
  findArraySizes(function, pointers, numbers, values, results);
  auto array = [&](Type type, int64_t count) {
    return LLVM::AllocaOp::create(b, loc, ptrType, type, i64(b, loc, count),
                                  /*alignment=*/16)
        .getResult();
  };
  frame.numbers = array(i64Type, numbers);
  if (isPrepare) {
    frame.freeDims = entry.getArgument(1);
    frame.slotBytes = entry.getArgument(2);
    frame.outputDims = entry.getArgument(3);
    return;
  }
  for (auto [pointer, offset] :
       {std::pair(&frame.inputs, offsetof(hone_frame, inputs)),
        {&frame.outputs, offsetof(hone_frame, outputs)},
        {&frame.freeDims, offsetof(hone_frame, free_dims)},
        {&frame.arena, offsetof(hone_frame, arena)},
        {&frame.slotOffsets, offsetof(hone_frame, slot_offsets)},
        {&frame.weights, offsetof(hone_frame, weights)},
        {&frame.deviceInputs, offsetof(hone_frame, device_inputs)},
        {&frame.deviceOutputs, offsetof(hone_frame, device_outputs)},
        {&frame.deviceArena, offsetof(hone_frame, device_arena)},
        {&frame.deviceWeights, offsetof(hone_frame, device_weights)}})
    *pointer = loadPointer(b, loc, frame.frame, offset);
  frame.pointers = array(ptrType, pointers);
  frame.values = array(i64Type, values * kValueBytes / 8);
  frame.results = array(i64Type, results * kValueBytes / 8);
}

const HostFrame &HostCode::frame(Operation *inside) const {
  return frames.find(inside->getParentOfType<func::FuncOp>())->second;
}

Value HostCode::pointer(OpBuilder &b, Location loc, Value base,
                        int64_t bytes) const {
  if (bytes == 0)
    return base;
  // The operation can encode only small offsets.
  if (bytes >= int64_t(1) << 28)
    return pointer(b, loc, base, i64(b, loc, bytes));
  return LLVM::GEPOp::create(b, loc, ptrType, b.getI8Type(), base,
                             ArrayRef<LLVM::GEPArg>{int32_t(bytes)},
                             LLVM::GEPNoWrapFlags::inbounds);
}

Value HostCode::pointer(OpBuilder &b, Location loc, Value base,
                        Value bytes) const {
  return LLVM::GEPOp::create(b, loc, ptrType, b.getI8Type(), base, bytes,
                             LLVM::GEPNoWrapFlags::inbounds);
}

Value HostCode::i64(OpBuilder &b, Location loc, int64_t value) const {
  return arith::ConstantIntOp::create(b, loc, i64Type, value);
}

Value HostCode::i32(OpBuilder &b, Location loc, int32_t value) const {
  return arith::ConstantIntOp::create(b, loc, i32Type, value);
}

Value HostCode::toI64(OpBuilder &b, Location loc, Value index) const {
  return arith::IndexCastOp::create(b, loc, i64Type, index);
}

Value HostCode::toIndex(OpBuilder &b, Location loc, Value number) const {
  return arith::IndexCastOp::create(b, loc, b.getIndexType(), number);
}

Value HostCode::loadPointer(OpBuilder &b, Location loc, Value base,
                            int64_t bytes) const {
  return LLVM::LoadOp::create(b, loc, ptrType, pointer(b, loc, base, bytes));
}

Value HostCode::loadIndex(OpBuilder &b, Location loc, Value base,
                          int64_t bytes) const {
  return toIndex(
      b, loc,
      LLVM::LoadOp::create(b, loc, i64Type, pointer(b, loc, base, bytes)));
}

void HostCode::store(OpBuilder &b, Location loc, Value value, Value base,
                     int64_t bytes) const {
  LLVM::StoreOp::create(b, loc, value, pointer(b, loc, base, bytes));
}

void HostCode::declare(Location loc, StringRef name, Type result,
                       TypeRange operands) {
  if (!declared.insert(name).second)
    return;
  // Stays even if the pattern that calls it is rolled back.
  OpBuilder top = OpBuilder::atBlockBegin(module.getBody());
  if (!result)
    result = LLVM::LLVMVoidType::get(module.getContext());
  auto function = LLVM::LLVMFuncOp::create(
      top, loc, name,
      LLVM::LLVMFunctionType::get(result, llvm::to_vector(operands)));
  function.setVisibility_(LLVM::Visibility::Hidden);
}

Value HostCode::libraryFunction(OpBuilder &b, Location loc, StringRef name) {
  std::string symbol = ("hone_lib_" + name).str();
  declare(loc, symbol, i32Type,
          {ptrType, i32Type, ptrType, i32Type, ptrType, i32Type, ptrType});
  return LLVM::AddressOfOp::create(b, loc, ptrType, symbol);
}

Value HostCode::call(OpBuilder &b, Location loc, StringRef name, Type result,
                     ValueRange operands) {
  declare(loc, name, result, operands.getTypes());
  auto made = LLVM::CallOp::create(
      b, loc, result ? TypeRange(result) : TypeRange(), name, operands);
  return result ? made.getResult() : Value();
}

void HostCode::returnIf(OpBuilder &b, Location loc, Value status) {
  call(b, loc, rt::kReturnIfName, {}, status);
}

Value HostCode::table(OpBuilder &b, Location loc, ArrayRef<int64_t> numbers) {
  LLVM::GlobalOp &global = tables[numbers.vec()];
  if (!global) {
    OpBuilder top = OpBuilder::atBlockBegin(module.getBody());
    global = LLVM::GlobalOp::create(
        top, loc, LLVM::LLVMArrayType::get(i64Type, numbers.size()), true,
        LLVM::Linkage::Private,
        "hone_config_" + std::to_string(tables.size() - 1),
        top.getI64TensorAttr(numbers));
  }
  return LLVM::AddressOfOp::create(b, loc, global);
}

Value HostCode::customNode(OpBuilder &b, Location loc, int64_t node) {
  std::string symbol = rt::customNodeName(node);
  if (declared.insert(symbol).second) {
    OpBuilder top = OpBuilder::atBlockBegin(module.getBody());
    auto global =
        LLVM::GlobalOp::create(top, loc, b.getI8Type(), /*isConstant=*/true,
                               LLVM::Linkage::External, symbol, Attribute());
    global.setVisibility_(LLVM::Visibility::Hidden);
  }
  return LLVM::AddressOfOp::create(b, loc, ptrType, symbol);
}

Value HostCode::bytes(OpBuilder &b, Location loc, MemRefType type,
                      ValueRange dims, const HostFrame &frame) {
  if (std::optional<int64_t> known = staticBytes(type))
    return i64(b, loc, *known);
  storeDims(b, loc, type, dims, frame.numbers, 0);
  return call(b, loc, "hone_rt_bytes", i64Type,
              {i64(b, loc, elementBits(type.getElementType())),
               i32(b, loc, type.getRank()), frame.numbers});
}

void HostCode::storeDims(OpBuilder &b, Location loc, MemRefType type,
                         ValueRange dims, Value base, int64_t offset) const {
  for (int64_t size : type.getShape()) {
    if (ShapedType::isDynamic(size)) {
      store(b, loc, toI64(b, loc, dims.front()), base, offset);
      dims = dims.drop_front();
    } else
      store(b, loc, i64(b, loc, size), base, offset);
    offset += 8;
  }
}
