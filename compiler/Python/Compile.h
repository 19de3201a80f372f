// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Compiling from Python.
#ifndef HONE_COMPILER_PYTHON_COMPILE_H
#define HONE_COMPILER_PYTHON_COMPILE_H

#include <nanobind/nanobind.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace hone::python {

/// Thrown for what becomes hone.CompileError.
struct CompileError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Compiles the file `model`, or the bytes where it is a bytes object, to the
/// library `output`, with the schedules of the files `tuned`.
void compile(nanobind::object model, const std::string &output,
             const std::string &target, const std::string &cpu,
             const std::optional<std::string> &gpu, nanobind::dict dims,
             nanobind::object overrides, const std::string &precision,
             int64_t threads, const std::string &symbol,
             const std::vector<std::string> &tuned);

/// The messages of a check of `model`, given as above: what would not compile.
/// Empty if everything would.
std::vector<std::string> check(nanobind::object model, nanobind::dict dims,
                               nanobind::object overrides);

} // namespace hone::python

#endif // HONE_COMPILER_PYTHON_COMPILE_H
