// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The contents of a model's descriptor, read from the attributes of its planned
// host module.
#ifndef HONE_COMPILER_DRIVER_MODELTABLES_H
#define HONE_COMPILER_DRIVER_MODELTABLES_H

#include "compiler/Target/ModelInfo.h"
#include "mlir/IR/BuiltinAttributeInterfaces.h"
#include "mlir/IR/BuiltinOps.h"

namespace hone {

/// Everything except symbol, names, levels and the weights file. To be called
/// after the buffer phase.
ModelInfo readModelInfo(mlir::ModuleOp host);

/// The default value of an input.
struct DefaultValue {
  int64_t offset; ///< into the weights
  mlir::ElementsAttr elements;
};
std::vector<DefaultValue> defaultValues(mlir::ModuleOp host);

/// "[n, 4]", "[any rank]"
std::string shapeText(const ValueInfo &value,
                      llvm::ArrayRef<std::string> freeDims);

/// The sum of terms that depend on no sizes; -1 if one does.
int64_t knownSum(const WorkTerms &terms);

/// The number of an ONNX element type ("float"); 0 if there is none.
int32_t elementTypeCode(llvm::StringRef name);

} // namespace hone

#endif // HONE_COMPILER_DRIVER_MODELTABLES_H
