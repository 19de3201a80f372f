// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Hone's passes as a library: a pass of one's own runs before Hone's graph
// phase and once more after it, and shows how many operations of each kind
// there are.
#include "compiler/Import/Onnx/OnnxImporter.h"
#include "compiler/Pipeline/Phases.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/raw_ostream.h"

#include <map>

using namespace mlir;

namespace {

struct CountOperations : PassWrapper<CountOperations, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(CountOperations)
  explicit CountOperations(StringRef when) : when(when) {}

  void runOnOperation() override {
    std::map<std::string, int> counts;
    getOperation()->walk(
        [&](Operation *op) { ++counts[op->getName().getStringRef().str()]; });
    llvm::outs() << when << '\n';
    for (const auto &[name, count] : counts)
      llvm::outs() << "  " << count << ' ' << name << '\n';
  }

  StringRef when;
};

} // namespace

int main(int argc, char **argv) {
  if (argc != 2) {
    llvm::errs() << "usage: count-operations MODEL.onnx\n";
    return 2;
  }
  DialectRegistry registry;
  hone::registerDialects(registry);
  hone::onnx::registerImportDialects(registry);
  MLIRContext context(registry);
  OwningOpRef<ModuleOp> module = hone::onnx::importOnnx(context, argv[1]);
  if (!module)
    return 1; // the reasons are on stderr

  PassManager pm(&context);
  pm.addPass(std::make_unique<CountOperations>("imported:"));
  hone::buildGraphPipeline(pm);
  pm.addPass(std::make_unique<CountOperations>("after the graph phase:"));
  return failed(pm.run(*module)) ? 1 : 0;
}
