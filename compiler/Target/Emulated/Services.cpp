// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Calls to the emulator, through the table that it passes to each module.
#include "compiler/Target/Emulated/Services.h"
#include "dialects/Rt/Rt.h"

using namespace mlir;
using namespace hone;

EmulatorServices::EmulatorServices(ModuleOp module, StringRef symbol)
    : ptrType(LLVM::LLVMPointerType::get(module.getContext())) {
  OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
  Location loc = module.getLoc();
  services = LLVM::GlobalOp::create(builder, loc, ptrType, /*isConstant=*/false,
                                    LLVM::Linkage::Internal,
                                    (symbol + "_services").str(), Attribute());
  builder.createBlock(&services.getInitializerRegion());
  Value null = LLVM::ZeroOp::create(builder, loc, ptrType);
  LLVM::ReturnOp::create(builder, loc, null);
}

Value EmulatorServices::constant(OpBuilder &builder, Location loc,
                                 int64_t value, unsigned bits) {
  return LLVM::ConstantOp::create(
      builder, loc, builder.getIntegerType(bits),
      builder.getIntegerAttr(builder.getIntegerType(bits), value));
}

Value EmulatorServices::call(OpBuilder &builder, Location loc, size_t offset,
                             Type result, ValueRange operands) {
  Value address = LLVM::AddressOfOp::create(builder, loc, services);
  Value table = LLVM::LoadOp::create(builder, loc, ptrType, address);
  Value entry =
      LLVM::GEPOp::create(builder, loc, ptrType, builder.getI8Type(), table,
                          ArrayRef<LLVM::GEPArg>{int32_t(offset)});
  Value function = LLVM::LoadOp::create(builder, loc, ptrType, entry);
  auto type = LLVM::LLVMFunctionType::get(
      result ? result : LLVM::LLVMVoidType::get(builder.getContext()),
      llvm::to_vector(operands.getTypes()));
  SmallVector<Value> all{function};
  llvm::append_range(all, operands);
  auto made = LLVM::CallOp::create(builder, loc, type, all);
  return result ? made.getResult() : Value();
}

int32_t EmulatorServices::addText(StringRef string) {
  int32_t at = text.size();
  text += string.str();
  text.push_back('\0');
  return at;
}

Value EmulatorServices::site(OpBuilder &builder, Operation *op) {
  int64_t number = offsets.size() / 2;
  std::string place = rt::describeNode(op->getLoc());
  if (place.empty())
    if (auto file = op->getLoc()->findInstanceOf<FileLineColLoc>())
      place = (file.getFilename().getValue() + ":" + Twine(file.getLine()) +
               ":" + Twine(file.getColumn()))
                  .str();
  offsets.push_back(addText(op->getName().getStringRef()));
  offsets.push_back(addText(place));
  return constant(builder, op->getLoc(), number);
}
