// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Two libraries of one model, measured in turn.
#ifndef HONE_TOOLS_TUNE_MEASURE_H
#define HONE_TOOLS_TUNE_MEASURE_H

#include "tools/hone-run/Model.h"

#include <functional>
#include <map>

namespace hone::tune {

/// The minimum number of runs of each library, with and without a profile.
constexpr int64_t kFewestRuns = 10, kFewestWholeRuns = 24;

/// Monotonic.
double secondsNow();

/// The shortest time of a kernel in one run, over all its steps.
struct KernelTimes {
  double untuned = 0, tuned = 0;
};

struct ProfiledRuns {
  int64_t runs = 0; ///< of each library
  std::map<std::string, KernelTimes> kernels;
  double untunedRun = 0; ///< the shortest time of a run
};

struct WholeRuns {
  int64_t runs = 0; ///< of each library
  /// The lower quartile of run times in seconds: other load on the machine
  /// makes runs longer, never shorter.
  double untuned = 0, tuned = 0;

  double ratio() const { return untuned > 0 ? tuned / untuned : 1; }
};

/// Whether to continue.
using GoesOn = std::function<bool()>;

/// Runs both in turn, equally often, for about so long, with a profile. The
/// machine may slow down at times: that affects both. Throws Failure.
ProfiledRuns profileBoth(run::Model &untuned, run::Model &tuned, double seconds,
                         const GoesOn &goesOn);

/// The same without a profile.
WholeRuns timeBoth(run::Model &untuned, run::Model &tuned, double seconds,
                   const GoesOn &goesOn);

} // namespace hone::tune

#endif // HONE_TOOLS_TUNE_MEASURE_H
