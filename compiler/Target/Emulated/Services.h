// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Calls to the emulator in a module's code, and the source locations they are
// reported with.
#ifndef HONE_COMPILER_TARGET_EMULATED_SERVICES_H
#define HONE_COMPILER_TARGET_EMULATED_SERVICES_H

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include <string>
#include <vector>

namespace hone {

class EmulatorServices {
public:
  /// Adds the pointer through which the module's code calls.
  EmulatorServices(mlir::ModuleOp module, llvm::StringRef symbol);

  /// Calls the function at `offset` of hone_emulated_services; `result` is
  /// null for none.
  mlir::Value call(mlir::OpBuilder &builder, mlir::Location loc, size_t offset,
                   mlir::Type result, mlir::ValueRange operands);
  /// The number of an operation, as a constant.
  mlir::Value site(mlir::OpBuilder &builder, mlir::Operation *op);
  mlir::Value constant(mlir::OpBuilder &builder, mlir::Location loc,
                       int64_t value, unsigned bits = 32);

  /// Names and locations of all sites, zero-terminated, and their offsets.
  const std::string &siteText() const { return text; }
  llvm::ArrayRef<int32_t> siteOffsets() const { return offsets; }
  mlir::LLVM::GlobalOp pointer() const { return services; }

  mlir::LLVM::LLVMPointerType ptrType;

private:
  int32_t addText(llvm::StringRef string);

  mlir::LLVM::GlobalOp services;
  std::string text;
  std::vector<int32_t> offsets;
};

} // namespace hone

#endif // HONE_COMPILER_TARGET_EMULATED_SERVICES_H
