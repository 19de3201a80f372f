// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a session records of its runs while a profile is active.
#ifndef HONE_RUNTIME_CORE_PROFILE_H
#define HONE_RUNTIME_CORE_PROFILE_H

#include "hone/abi.h"

#include <atomic>

namespace hone {

/// Nanoseconds of a monotonic clock.
int64_t now();

/// Allocated in one piece with its rows and events.
class Profile {
public:
  /// Bytes for a model of so many steps; -1: overflow.
  static int64_t bytesFor(const hone_descriptor &model, int64_t events);
  /// In memory of so many bytes.
  Profile(const hone_descriptor &model, int64_t events);

  bool hasEvents() const { return capacity > 0; }
  /// A whole run, from `begin` to `end` of the clock.
  void addRun(int64_t begin, int64_t end);
  /// One launch of a step. Any of the numbers here may be -1.
  void addLaunch(int64_t step, int32_t thread, int64_t begin, int64_t end);
  /// The cost of one launch of a kernel with these `dims`.
  void addKernelWork(int64_t step, int64_t kernel, const int64_t *dims);
  void addCopiedBytes(int64_t step, int64_t bytes);
  /// Callable from any thread.
  void addEvent(int64_t step, int32_t thread, int64_t begin, int64_t end,
                int64_t pieces);
  void read(hone_profile &profile) const;

private:
  bool isStep(int64_t step) const { return step >= 0 && step < rowCount; }

  const hone_descriptor &model;
  int64_t start, runs = 0, runTime = 0;
  hone_profile_row *rows;
  int64_t rowCount;
  hone_profile_event *events;
  int64_t capacity;
  std::atomic<int64_t> eventCount{0};
};

/// FLOP of one launch of a kernel; -1: not known before a run.
int64_t knownFlop(const hone_descriptor &model, int64_t kernel);

/// Functions of hone_core_api.
int32_t startProfile(hone_session *session, int64_t events);
int32_t stopProfile(hone_session *session);
int32_t readProfile(const hone_session *session, hone_profile *profile);

} // namespace hone

#endif // HONE_RUNTIME_CORE_PROFILE_H
