// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// `hone bench --profile`: where the time of runs goes.
#ifndef HONE_TOOLS_RUN_PROFILE_H
#define HONE_TOOLS_RUN_PROFILE_H

#include "tools/hone-run/Model.h"

#include <nlohmann/json_fwd.hpp>
#include <optional>

namespace hone::run {

/// The profile of a model's runs, and the machine's peak rates.
class Profile {
public:
  /// Measures the machine's peak, if the model runs on the CPU, then profiles
  /// runs for some seconds. The faster half of them counts, as other load on
  /// the machine is not the model's. `trace`, if not empty, is the file for the
  /// activity of each thread in a few more runs. Throws Failure.
  Profile(Model &model, double seconds, const std::string &trace);

  nlohmann::ordered_json json() const;
  /// The table, the longest steps first.
  void print() const;

private:
  /// One step in one run, on average.
  struct Row {
    int64_t step = -1; ///< of the model
    double launches = 0, seconds = 0, leastSeconds = 0;
    double flop = -1, bytes = -1; ///< -1: not known
    /// The bound that applies, and the share of it that was reached.
    int32_t bound = HONE_BOUND_NONE;
    double ofBound = 0;
  };

  void measurePeak();
  void profileRuns(Model &model, double seconds);
  /// `counted`: over the runs that count; `all`: over all runs.
  void addRow(int64_t step, const hone_profile_row &counted,
              const hone_profile_row &all);
  void writeTrace(Model &model, const std::string &path);
  /// What a kernel computes with; null if that is not known.
  const char *arithmeticOf(int64_t step) const {
    return hone_step_arithmetic(&model, level, step);
  }
  std::vector<std::string> nodesOf(int64_t step) const;
  std::string nodesText(int64_t step) const;

  const hone_descriptor &model;
  std::optional<hone_peak> peak;
  std::vector<Row> rows;
  int64_t runs = 0, allRuns = 0, threads = 1;
  int64_t level = -1;     ///< the CPU level in use; -1: runs on a device
  double runSeconds = 0;  ///< of one run
  double stepSeconds = 0; ///< of all its steps
};

} // namespace hone::run

#endif // HONE_TOOLS_RUN_PROFILE_H
