// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From an ONNX file to a module of the `hone` dialect.
#ifndef HONE_COMPILER_IMPORT_ONNX_ONNXIMPORTER_H
#define HONE_COMPILER_IMPORT_ONNX_ONNXIMPORTER_H

#include "hone/custom.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/MemoryBuffer.h"

#include <optional>
#include <string>
#include <vector>

namespace hone::onnx {

/// The newest operator set that the importer knows.
constexpr int64_t kNewestOpset = 28;
constexpr int64_t kOldestOpset = 1;

/// On modules: names and values of the file's metadata in turn.
inline constexpr llvm::StringLiteral kMetadataAttr = "hone.metadata";
/// On modules: the operator sets that the file uses, "ai.onnx 21".
inline constexpr llvm::StringLiteral kOpsetsAttr = "hone.opsets";

/// Operators of the user.
struct CustomOperatorSet {
  const hone_custom_table *table = nullptr; ///< those that can be called here
  /// "domain:name" of those that only the program has that runs the model; the
  /// domain of ONNX's own is "".
  llvm::StringSet<> named;
};

struct ImportOptions {
  llvm::StringMap<int64_t> dims; ///< sizes for named free dimensions
  /// All sizes of inputs, by name.
  std::vector<std::pair<std::string, std::vector<int64_t>>> shapes;
  /// Initializers that become inputs with a default value. Nothing: those that
  /// the model lists as inputs, if the file's version gives that this meaning
  /// and they are small (ModelInterface.cpp).
  std::optional<std::vector<std::string>> overrides;
  CustomOperatorSet customOperators;
  std::vector<std::string> *files = nullptr; ///< gets the paths that are read
};

/// Imports the file. Weights stay in the mapped file, which lives as long as
/// the context. Errors are reported through the diagnostics of the context, as
/// many at once as can be found; the result is then null.
mlir::OwningOpRef<mlir::ModuleOp> importOnnx(mlir::MLIRContext &context,
                                             llvm::StringRef path,
                                             const ImportOptions &options = {});

/// Imports a model from memory. `name` stands for the file in messages;
/// external data is refused.
mlir::OwningOpRef<mlir::ModuleOp>
importOnnx(mlir::MLIRContext &context,
           std::shared_ptr<llvm::MemoryBuffer> bytes, llvm::StringRef name,
           const ImportOptions &options = {});

/// Whether there is an operator of this name in some version.
bool hasOperator(llvm::StringRef domain, llvm::StringRef name);

/// The operators that can be imported, their versions and types, as Markdown.
void printOperators(llvm::raw_ostream &os);

/// Loads the dialects that imported modules use.
void registerImportDialects(mlir::DialectRegistry &registry);

} // namespace hone::onnx

#endif // HONE_COMPILER_IMPORT_ONNX_ONNXIMPORTER_H
