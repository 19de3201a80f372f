// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A session's view of the device it runs on. The core reaches it only through
// the model's table, so that models without code for a device do not contain
// it.
#ifndef HONE_RUNTIME_DEVICE_DEVICE_H
#define HONE_RUNTIME_DEVICE_DEVICE_H

#include "runtime/core/Status.h"

/// Every call preserves the context of the calling thread. Functions that
/// return int32_t return a hone_status.
struct hone_device_api {
  /// Makes `session.device` on the device of this number: its code and weights,
  /// shared by sessions of the model, and the session's own part. Needs the
  /// session's tables. Explains a failure, and then holds nothing.
  int32_t (*open)(hone_session &session, int32_t ordinal, hone::Text &text);
  void (*close)(hone_session &session);
  /// Allocates the device arena of the session's plan, and a place on the
  /// device for each value that the plan keeps there. `forRun`: the outputs are
  /// known.
  int32_t (*bind)(hone_session &session, bool forRun, hone::Text &text);
  /// Copies the inputs, runs the model's host function, and waits for the
  /// outputs. Returns what the function returned, or a recorded failure.
  int32_t (*run)(hone_session &session);
  /// hone_rt_copy.
  int32_t (*copy)(hone_session &session, void *to, const void *from,
                  int64_t bytes, int32_t kind);
  /// Explains a failure of the driver in the last run; false: it was a
  /// different failure.
  bool (*describe)(const hone_session &session, hone::Text &text);
  /// hone_core_api's `device_allocate`, on a session with a device.
  int32_t (*allocate)(hone_session &session, int64_t bytes,
                      hone_device_memory &memory, hone::Text &text);
  void (*stats)(const hone_session &session, hone_session_stats &stats);
  /// Makes what a profile of runs on the device needs.
  int32_t (*prepare_profile)(hone_session &session, hone::Text &text);
  /// Brackets the work of a step on the device in a profiled run.
  int32_t (*begin_step)(hone_session &session, int64_t step);
  int32_t (*end_step)(hone_session &session);
};

#endif // HONE_RUNTIME_DEVICE_DEVICE_H
