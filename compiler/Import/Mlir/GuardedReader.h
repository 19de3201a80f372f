// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// MLIR's readers, which trust the content in places, on files that nobody has
// checked.
#ifndef HONE_COMPILER_IMPORT_MLIR_GUARDEDREADER_H
#define HONE_COMPILER_IMPORT_MLIR_GUARDEDREADER_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/MemoryBuffer.h"

namespace hone {

/// A copy in pages of its own, as readGuarded wants bytecode; null if there is
/// no memory for it.
std::unique_ptr<llvm::MemoryBuffer> copyToPages(llvm::StringRef bytes,
                                                llvm::StringRef name);

/// Reads text or bytecode from a buffer, which lives as long as the module's
/// resources. Null after errors of the content; failure if the reader faults,
/// or comes to no end: bytecode, which is in pages of its own, is unreadable
/// after some time. `ownProcess`: so is too much memory a fault, by a limit of
/// the process. To be called on a thread with a large stack.
llvm::FailureOr<mlir::OwningOpRef<mlir::ModuleOp>>
readGuarded(mlir::MLIRContext &context,
            std::unique_ptr<llvm::MemoryBuffer> buffer, bool isBytecode,
            bool ownProcess);

} // namespace hone

#endif // HONE_COMPILER_IMPORT_MLIR_GUARDEDREADER_H
