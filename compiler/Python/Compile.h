// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Compiling from Python.
#ifndef HONE_COMPILER_PYTHON_COMPILE_H
#define HONE_COMPILER_PYTHON_COMPILE_H

#include <nanobind/nanobind.h>

#include <string>
#include <vector>

namespace hone::python {

/// Compiles the file `model`, or the bytes where it is a bytes object, to the
/// library `output`, with the schedules of the files `tuned`; `gpu` and
/// `overrides` may be None. `progress` is
/// None, or called with the current activity and the fraction that is done.
void compile(nanobind::object model, nanobind::str output, nanobind::str target,
             nanobind::str cpu, nanobind::object gpu, nanobind::dict dims,
             nanobind::object overrides, nanobind::str precision,
             int64_t threads, nanobind::str symbol, nanobind::list tuned,
             nanobind::object progress);

/// The messages of a check of `model`, given as above: what would not compile.
/// Empty if everything would.
std::vector<std::string> check(nanobind::object model, nanobind::dict dims,
                               nanobind::object overrides,
                               nanobind::object progress);

} // namespace hone::python

#endif // HONE_COMPILER_PYTHON_COMPILE_H
