// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// `hone tune`.
#ifndef HONE_TOOLS_TUNE_TUNE_H
#define HONE_TOOLS_TUNE_TUNE_H

#include "tools/command-line/Sizes.h"

#include <string>

namespace hone::tune {

/// The command line.
struct Options {
  std::string model, output, cpu = "native", precision = "f32";
  std::string compiler; ///< the program hone-compile
  GivenSizes sizes;     ///< to measure with
  double budget = 60;
  int threads = 0; ///< 0: one per processor, and the compiler is not told
  bool json = false;
};

/// Returns the exit code. Throws run::Failure.
int tune(const Options &options);

} // namespace hone::tune

#endif // HONE_TOOLS_TUNE_TUNE_H
