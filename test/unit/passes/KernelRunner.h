// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Compiles a function over buffers with the kernel emitters and runs it here.
#ifndef HONE_TEST_UNIT_PASSES_KERNELRUNNER_H
#define HONE_TEST_UNIT_PASSES_KERNELRUNNER_H

#include "dialects/Machine/Machine.h"
#include "mlir/ExecutionEngine/ExecutionEngine.h"
#include "mlir/IR/MLIRContext.h"
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

/// A row-major tensor of f32.
struct Tensor {
  std::vector<int64_t> shape;
  std::vector<float> data;

  explicit Tensor(std::vector<int64_t> shape);
  /// Values between -1 and 1 that depend on `seed` only.
  static Tensor random(std::vector<int64_t> shape, unsigned seed);
  int64_t size() const { return data.size(); }
};

/// Runs `func.func @kernel` of `source`, whose arguments are memrefs of f32
/// with the ranks of `arguments`. Records a test failure and returns false if
/// it does not compile. The emitters are told of `machine`.
bool runKernel(const std::string &source, const hone::CpuMachine &machine,
               std::vector<Tensor *> arguments);

#endif // HONE_TEST_UNIT_PASSES_KERNELRUNNER_H
