// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A compiler of one's own: Hone's, with a pass that it does not have.
#include "FoldScales.h"
#include "compiler/Driver/Driver.h"
#include "llvm/Support/raw_ostream.h"

int main(int argc, char **argv) {
  if (argc != 3) {
    llvm::errs() << "usage: my-compiler MODEL.onnx OUTPUT.so\n";
    return 2;
  }
  registerFoldScales();
  hone::CompileOptions options;
  options.input = argv[1];
  options.output = argv[2];
  options.pipelines = {{"import", "builtin.module(func.func(fold-scales))"}};
  hone::CompileCallbacks callbacks;
  callbacks.message = [](llvm::StringRef text) {
    llvm::errs() << text << "\n";
  };
  hone::CompileStats stats;
  hone::Outcome outcome = hone::compile(options, callbacks, &stats);
  if (outcome == hone::Outcome::Done)
    llvm::outs() << stats.kernels << " kernels\n";
  return static_cast<int>(outcome);
}
