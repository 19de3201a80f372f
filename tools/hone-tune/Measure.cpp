// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Two libraries of one model, measured in turn.
#include "tools/hone-tune/Measure.h"

#include <algorithm>
#include <ctime>

using namespace hone::tune;
using hone::run::Model;

namespace {

/// The maximum number of times that are kept.
constexpr size_t kMostTimes = size_t(1) << 16;

/// A library whose runs are profiled, one at a time.
class Profiled {
public:
  explicit Profiled(Model &model) : model(model) {
    const hone_descriptor &descriptor = model.descriptor();
    for (int64_t i = 0; i < descriptor.step_count; ++i)
      if (descriptor.steps[i].kind == HONE_STEP_KERNEL)
        steps[hone_step_name(&descriptor, i)].push_back(i);
    model.run(); // touches all memory
    model.startProfile(0);
  }

  /// Runs once more.
  void run() {
    hone_profile profile = model.profile();
    before.assign(profile.rows, profile.rows + profile.row_count);
    int64_t runBefore = profile.run_ns;
    model.run();
    profile = model.profile();
    bool first = runs++ == 0;
    auto note = [&](double &least, int64_t time) {
      least =
          first ? double(time) * 1e-9 : std::min(least, double(time) * 1e-9);
    };
    note(leastRun, profile.run_ns - runBefore);
    for (const auto &[name, numbers] : steps) {
      int64_t time = 0;
      for (int64_t step : numbers)
        time += profile.rows[step].total_ns - before[step].total_ns;
      note(least[name], time);
    }
  }

  std::map<std::string, double> least; ///< seconds of a kernel in one run
  double leastRun = 0;

private:
  Model &model;
  std::map<std::string, std::vector<int64_t>> steps;
  std::vector<hone_profile_row> before;
  int64_t runs = 0;
};

/// Calls `once(swapped)` until enough time has passed, alternating the order of
/// the two.
template <typename Once>
int64_t repeat(double seconds, int64_t fewest, const GoesOn &goesOn,
               Once once) {
  double begin = secondsNow();
  int64_t count = 0;
  for (; (count < fewest || secondsNow() - begin < seconds) && goesOn();
       ++count)
    once(count % 2 != 0);
  return count;
}

double lowerQuartile(std::vector<double> values) {
  if (values.empty())
    return 0;
  auto place = values.begin() + ptrdiff_t(values.size() / 4);
  std::nth_element(values.begin(), place, values.end());
  return *place;
}

} // namespace

double hone::tune::secondsNow() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return double(time.tv_sec) + double(time.tv_nsec) * 1e-9;
}

ProfiledRuns hone::tune::profileBoth(Model &untuned, Model &tuned,
                                     double seconds, const GoesOn &goesOn) {
  Profiled first(untuned), second(tuned);
  ProfiledRuns result;
  result.runs = repeat(seconds, kFewestRuns, goesOn, [&](bool swapped) {
    (swapped ? second : first).run();
    (swapped ? first : second).run();
  });
  result.untunedRun = first.leastRun;
  for (const auto &[name, time] : first.least)
    result.kernels[name].untuned = time;
  for (const auto &[name, time] : second.least)
    result.kernels[name].tuned = time;
  return result;
}

WholeRuns hone::tune::timeBoth(Model &untuned, Model &tuned, double seconds,
                               const GoesOn &goesOn) {
  auto timeOf = [](Model &model) {
    double begin = secondsNow();
    model.run();
    return secondsNow() - begin;
  };
  untuned.run();
  tuned.run();
  std::vector<double> before, after;
  WholeRuns result;
  result.runs = repeat(seconds, kFewestWholeRuns, goesOn, [&](bool swapped) {
    double a = 0, b = 0;
    if (swapped)
      b = timeOf(tuned);
    a = timeOf(untuned);
    if (!swapped)
      b = timeOf(tuned);
    if (before.size() == kMostTimes)
      return;
    before.push_back(a);
    after.push_back(b);
  });
  result.untuned = lowerQuartile(before);
  result.tuned = lowerQuartile(after);
  return result;
}
