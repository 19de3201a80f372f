// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The entry points of the importer: from a file or bytes to a module.
#include "compiler/Import/Onnx/OnnxImporter.h"
#include "compiler/Import/ModelFile.h"
#include "compiler/Import/Onnx/Builder/GraphImporter.h"
#include "compiler/Import/Onnx/Builder/OpTable.h"
#include "compiler/Import/Onnx/Reader/Reader.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace hone::onnx;

void hone::onnx::registerImportDialects(DialectRegistry &registry) {
  registry.insert<hone::graph::GraphDialect, arith::ArithDialect,
                  cf::ControlFlowDialect, func::FuncDialect, math::MathDialect,
                  scf::SCFDialect, tensor::TensorDialect, ub::UBDialect>();
}

bool hone::onnx::hasOperator(StringRef domain, StringRef name) {
  return OpTable::get().find(canonicalDomain(domain), name);
}

static OwningOpRef<ModuleOp>
importBytes(MLIRContext &context, std::shared_ptr<llvm::MemoryBuffer> bytes,
            StringRef name, StringRef folder, const ImportOptions &options) {
  context
      .loadDialect<hone::graph::GraphDialect, arith::ArithDialect,
                   cf::ControlFlowDialect, func::FuncDialect, math::MathDialect,
                   scf::SCFDialect, tensor::TensorDialect, ub::UBDialect>();
  llvm::Expected<Model> model = readModel(bytes->getBuffer(), name, folder);
  if (!model) {
    emitError(UnknownLoc::get(&context)) << llvm::toString(model.takeError());
    return nullptr;
  }
  if (options.files)
    llvm::append_range(*options.files, model->externalFiles);
  return GraphImporter(context, *model, name, options, bytes).run();
}

OwningOpRef<ModuleOp> hone::onnx::importOnnx(MLIRContext &context,
                                             StringRef path,
                                             const ImportOptions &options) {
  auto file = openModelFile(path, /*isText=*/false);
  if (!file) {
    emitError(UnknownLoc::get(&context)) << llvm::toString(file.takeError());
    return nullptr;
  }
  if (options.files)
    options.files->push_back(path.str());
  StringRef folder = llvm::sys::path::parent_path(path);
  return importBytes(context, std::move(*file), path,
                     folder.empty() ? "." : folder, options);
}

OwningOpRef<ModuleOp>
hone::onnx::importOnnx(MLIRContext &context,
                       std::shared_ptr<llvm::MemoryBuffer> bytes,
                       StringRef name, const ImportOptions &options) {
  return importBytes(context, std::move(bytes), name, "", options);
}
