// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the descriptor of a model tells, read from the attributes of its planned
// host module.
#ifndef HONE_COMPILER_DRIVER_MODELTABLES_H
#define HONE_COMPILER_DRIVER_MODELTABLES_H

#include "compiler/Target/ModelInfo.h"
#include "mlir/IR/BuiltinAttributeInterfaces.h"
#include "mlir/IR/BuiltinOps.h"

namespace hone {

/// Everything but symbol, names, levels and the weights' file. Call it after
/// the buffer phase.
ModelInfo readModelInfo(mlir::ModuleOp host);

/// What stands for an input that a call leaves out.
struct DefaultValue {
  int64_t offset; ///< into the weights
  mlir::ElementsAttr elements;
};
std::vector<DefaultValue> defaultValues(mlir::ModuleOp host);

/// The ONNX name of an element type ("float") as its number; 0 where there is
/// none.
int32_t elementTypeCode(llvm::StringRef name);

} // namespace hone

#endif // HONE_COMPILER_DRIVER_MODELTABLES_H
