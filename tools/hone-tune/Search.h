// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which schedule of a kernel is measured next, and which is the best so far.
#ifndef HONE_TOOLS_TUNE_SEARCH_H
#define HONE_TOOLS_TUNE_SEARCH_H

#include "tools/hone-tune/TuningFile.h"

#include <deque>

namespace hone::tune {

/// A time below this share of another is not noise.
constexpr double kGain = 0.98;

/// The search for the fastest schedules of one kernel: first among the tiles
/// that the compiler lists, then among the blocks around the best one, as long
/// as that improves.
class KernelSearch {
public:
  /// `known`: the kernel's entry in a file, or null.
  KernelSearch(const ListedKernel &kernel, const Entry *known);

  /// The schedules to measure now, until the next `take`; null once all are
  /// measured.
  const Schedules *candidate();

  /// The schedules listed by a compilation with the candidate: those it did not
  /// accept are not valid for the machine.
  void compiled(const ListedKernel &listed);
  /// Takes the time of the candidate, relative to that of the untuned kernel in
  /// the same rounds, and advances to the next. Times of a candidate that was
  /// not compiled are ignored.
  void take(double ratio, double untunedSeconds, int64_t runs);

  /// Whether a candidate with that ratio would be the best.
  bool isBetter(double ratio) const {
    return usable && ratio < bestRatio * kGain;
  }

  /// The schedules that were faster than the compiler's; null if none were.
  const Schedules *best() const { return found.empty() ? nullptr : &found; }
  /// Discards them.
  void drop();
  /// Records what they were measured with.
  void confirm(double untunedSeconds, double tunedSeconds, int64_t runs);

  Entry entry() const;
  const std::string &key() const { return known.key; }
  const std::string &name() const { return known.name; }

private:
  void push(size_t operation, const std::vector<Schedule> &schedules);

  struct Change {
    size_t operation;
    Schedule schedule;
  };

  Entry known;
  Schedules chosen; ///< by the compiler, or where the search began
  Schedules found;  ///< empty: `chosen` is the best
  Schedules current;
  ListedKernel listed; ///< of the best
  ListedKernel compiledAs;
  std::deque<Change> changes; ///< of the best, to be measured
  bool hasCandidate = false, usable = false;
  bool tilesDone = false;
  bool unconfirmed = false; ///< the schedule from a file was not measured yet
  double bestRatio = 1;
};

} // namespace hone::tune

#endif // HONE_TOOLS_TUNE_SEARCH_H
