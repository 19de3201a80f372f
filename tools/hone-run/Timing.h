// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Times runs of models, one after another or several at once.
#ifndef HONE_TOOLS_RUN_TIMING_H
#define HONE_TOOLS_RUN_TIMING_H

#include "tools/hone-run/Model.h"
#include "tools/hone-run/Samples.h"

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace hone::run {

/// Monotonic, in milliseconds.
double now();

/// Runs, and how long they took together.
struct Measured {
  Samples samples;
  double milliseconds = 0;

  double runsPerSecond() const {
    return double(samples.runs()) / milliseconds * 1e3;
  }
  void addTo(nlohmann::ordered_json &json);
  /// "median ... over N runs"
  std::string summary();
};

/// So many runs, or with 0 as many as take this long, at least one.
Samples measure(Model &model, int64_t runs, double milliseconds);

/// The runs that are not measured: the first touches all memory, the following
/// ones settle the clock.
void warmUp(Model &model, const Options &options);

/// One stream of runs per model, in a thread each.
Measured measureStreams(const std::vector<Model *> &models,
                        const Options &options);

} // namespace hone::run

#endif // HONE_TOOLS_RUN_TIMING_H
