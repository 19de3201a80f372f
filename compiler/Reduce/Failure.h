// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How a compilation fails, and whether another one fails in the same way.
#ifndef HONE_COMPILER_REDUCE_FAILURE_H
#define HONE_COMPILER_REDUCE_FAILURE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <string>

namespace hone {

/// What is looked for in the variants of a model.
struct Failure {
  /// The shell command that ends with 0 if it finds the failure in the file
  /// that is its argument. Empty: the compiler's messages are compared.
  std::string command;
  /// Those messages, as describeFailure returns them.
  std::string description;
  unsigned seconds = 0; ///< after which either is ended
};

/// Compiles a file in another process. Returns its errors without what differs
/// between variants of a model (names, numbers and places), "timeout", or ""
/// if there is none.
std::string describeFailure(llvm::StringRef file,
                            llvm::ArrayRef<std::string> options,
                            unsigned seconds);

/// Arguments with which hone-compile tests a file for a failure, as MLIR's
/// Tester runs it: the file follows.
llvm::SmallVector<std::string>
testArguments(const Failure &failure, llvm::ArrayRef<std::string> options);

/// The command of these arguments: 1 if the file has the failure, otherwise 0.
constexpr llvm::StringLiteral kTestCommand = "reduce-test";
int testForFailure(llvm::ArrayRef<std::string> arguments);

/// The path of the program that runs.
std::string ownProgram();

} // namespace hone

#endif // HONE_COMPILER_REDUCE_FAILURE_H
