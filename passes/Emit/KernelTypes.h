// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How elements are stored in memory, and their LLVM types.
#ifndef HONE_PASSES_EMIT_KERNELTYPES_H
#define HONE_PASSES_EMIT_KERNELTYPES_H

#include "dialects/Graph/Graph.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/LLVMIR/LLVMTypes.h"

namespace hone {

/// Bytes of an element in memory.
inline int64_t bytesOfElement(mlir::Type type) {
  if (llvm::isa<graph::StringType>(type))
    return 16;
  if (type.isIndex())
    return 8;
  if (auto complex = llvm::dyn_cast<mlir::ComplexType>(type))
    return 2 * bytesOfElement(complex.getElementType());
  return (type.getIntOrFloatBitWidth() + 7) / 8;
}

/// A string is a pointer and a length.
inline void addKernelTypeConversions(mlir::LLVMTypeConverter &converter) {
  converter.addConversion([](graph::StringType type) -> mlir::Type {
    mlir::MLIRContext *context = type.getContext();
    return mlir::LLVM::LLVMStructType::getLiteral(
        context, {mlir::LLVM::LLVMPointerType::get(context),
                  mlir::IntegerType::get(context, 64)});
  });
}

} // namespace hone

#endif // HONE_PASSES_EMIT_KERNELTYPES_H
