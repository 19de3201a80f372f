// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The C signature of kernels: pointers and sizes come from tables, temporaries
// are in one region of memory, and failed checks become a status.
#ifndef HONE_PASSES_EMIT_KERNELSIGNATURE_H
#define HONE_PASSES_EMIT_KERNELSIGNATURE_H

#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "passes/Emit/Emit.h"
#include "passes/Emit/KernelTypes.h"

namespace hone {

// Of hone_status and hone_kernel_context in abi.h, which passes do not include.
constexpr int32_t kIndexOutOfRange = 2;
constexpr int32_t kDivisionByZero = 3;
constexpr int32_t kOutOfMemory = 5;
constexpr int64_t kContextScratch = 0;
constexpr int64_t kContextScratchBytes = 8;
constexpr int64_t kContextFrame = 16;

/// Calls `action` for each kernel now in the module, until one fails.
mlir::LogicalResult forEachKernel(
    mlir::ModuleOp module,
    llvm::function_ref<mlir::LogicalResult(mlir::func::FuncOp)> action);

/// Minimum alignment of kernels' buffers.
constexpr int64_t kBufferAlignment = 64;

/// A contiguous memref of `sizes` (i64) at `data`.
mlir::Value makeMemRef(Emitter &e, const mlir::LLVMTypeConverter &converter,
                       mlir::MemRefType type, mlir::Value data,
                       mlir::ValueRange sizes);

/// The address `offset` bytes after `pointer`.
mlir::Value pointerAt(Emitter &e, mlir::Value pointer, int64_t offset);
mlir::Value loadAt(Emitter &e, mlir::Value pointer, int64_t offset,
                   mlir::Type type);

/// Reports a failed check: status, value and limit (i64).
using ReportFailure = llvm::function_ref<void(int32_t code, mlir::Value value,
                                              mlir::Value limit)>;

/// Replaces a check by a comparison; if it fails, `report` is emitted and the
/// result is harmless.
void lowerCheck(Emitter &e, graph::CheckedIndexOp op, ReportFailure report);
void lowerCheck(Emitter &e, graph::CheckedDivisorOp op, ReportFailure report);
/// The graph node that a check of the kernel belongs to, or -1.
int64_t nodeOfCheck(mlir::Operation *check, mlir::Operation *kernel);

/// Gives a kernel over memrefs and indices the signature
/// `(ptrs, dims, begin, end, context) -> i32`.
class KernelSignature {
public:
  explicit KernelSignature(mlir::func::FuncOp kernel);

protected:
  mlir::Value toIndex(mlir::Value integer);
  mlir::Value toInteger(mlir::Value index);
  mlir::Value constant(int64_t value); ///< An i64 of the llvm dialect.

  /// Replaces arguments by reads from the tables. With `hasStatus`, there is a
  /// status that can be set from anywhere.
  void replaceArguments(bool hasStatus);
  /// Places temporaries consecutively in the memory that `reserve` returns for
  /// a number of bytes (index).
  mlir::LogicalResult
  placeTemporaries(llvm::ArrayRef<mlir::memref::AllocOp> temporaries,
                   llvm::function_ref<mlir::Value(mlir::Value bytes)> reserve);
  /// The declaration of a function of the runtime.
  mlir::LLVM::LLVMFuncOp declare(llvm::StringRef name, mlir::Type result,
                                 llvm::ArrayRef<mlir::Type> arguments);
  /// Reports the checks of the kernel to the runtime.
  void lowerChecks();
  /// Returns the status.
  void finish();
  void setStatus(mlir::Value code);

  mlir::func::FuncOp kernel;
  mlir::OpBuilder builder;
  Emitter e;
  mlir::LLVMTypeConverter converter;
  mlir::Block *body = nullptr;
  mlir::Value context, firstPiece, endPiece, status;
  mlir::Operation *afterPrologue = nullptr;

private:
  mlir::LogicalResult hoist(mlir::Value value);
};

} // namespace hone

#endif // HONE_PASSES_EMIT_KERNELSIGNATURE_H
