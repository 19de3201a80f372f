// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A model as a module of MLIR, text or bytecode.
#ifndef HONE_COMPILER_IMPORT_MLIR_MLIRIMPORTER_H
#define HONE_COMPILER_IMPORT_MLIR_MLIRIMPORTER_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/MemoryBuffer.h"
#include <functional>

namespace mlir {
class PassManager;
} // namespace mlir

namespace hone {

/// Whether a file or bytes are a module of MLIR: by the ending of the name, or
/// the first bytes of bytecode.
bool isMlir(llvm::StringRef name, llvm::StringRef bytes);

/// Sizes that the command line gives to free dimensions.
struct MlirSizes {
  llvm::ArrayRef<std::pair<std::string, int64_t>> dims; ///< by name
  /// All sizes of inputs, by name.
  llvm::ArrayRef<std::pair<std::string, std::vector<int64_t>>> shapes;
};

struct MlirOptions {
  MlirSizes sizes;
  /// Adds to a pass manager what prints IR or measures time; may be empty.
  std::function<void(mlir::PassManager &)> instrument;
  /// Weights that are left out of text get arbitrary values.
  bool randomWeights = false;
  /// Nothing else runs in this process, and its limits may change.
  bool ownProcess = false;
};

/// Reads the file, and adds its path to `files`. The module is in the form of
/// `hone compile --emit=import`, or of upstream's dialects and becomes that.
/// What has no such form is reported through the diagnostics of the context;
/// the result is then null.
mlir::OwningOpRef<mlir::ModuleOp> importMlir(mlir::MLIRContext &context,
                                             llvm::StringRef path,
                                             const MlirOptions &options,
                                             std::vector<std::string> &files);
/// The same from bytecode in memory; the name is for messages.
mlir::OwningOpRef<mlir::ModuleOp> importMlir(mlir::MLIRContext &context,
                                             const llvm::MemoryBuffer &bytes,
                                             llvm::StringRef name,
                                             const MlirOptions &options);

} // namespace hone

#endif // HONE_COMPILER_IMPORT_MLIR_MLIRIMPORTER_H
