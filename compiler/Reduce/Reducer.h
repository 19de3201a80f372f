// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Makes a failing model smaller while it fails in the same way.
#ifndef HONE_COMPILER_REDUCE_REDUCER_H
#define HONE_COMPILER_REDUCE_REDUCER_H

#include "compiler/Driver/Driver.h"
#include "compiler/Reduce/Failure.h"

namespace hone {

struct ReduceStats {
  size_t before = 0, after = 0; ///< operations, with those in regions
  size_t tests = 0;             ///< variants that were tried
};

/// Reduces the model of the options, and writes the smallest variant so far to
/// their output, again and again: if it is ended early, that is the result. The
/// failure is the one that the compilation has, unless it comes with a command.
/// Called by the program that also runs the tests (testForFailure).
Outcome reduceModel(const CompileOptions &options, Failure failure,
                    const CompileCallbacks &callbacks, ReduceStats &stats);

} // namespace hone

#endif // HONE_COMPILER_REDUCE_REDUCER_H
