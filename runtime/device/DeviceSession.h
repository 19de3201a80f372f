// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A session's part of a device.
#ifndef HONE_RUNTIME_DEVICE_DEVICESESSION_H
#define HONE_RUNTIME_DEVICE_DEVICESESSION_H

#include "runtime/core/Session.h"
#include "runtime/device/Program.h"

namespace hone {

struct DeviceRegion {
  CUdeviceptr address;
  int64_t bytes;
};

/// What a run with one plan gave the device, to be given again while the
/// pointers are the same.
struct Recording {
  int64_t plan;      ///< DimsPlan::serial of the last run; 0: none
  CUgraphExec graph; ///< null: not recorded
  void **key;        ///< all pointers of the last run
};

/// Events of the driver for the steps of a run that is profiled, which are read
/// when all are taken and at the run's end.
struct StepTimer {
  static constexpr int64_t capacity = 256;
  CUevent base; ///< at the run's begin, `baseTime` of the host's clock
  CUevent begins[capacity], ends[capacity];
  int64_t steps[capacity];
  int64_t count;
  int64_t baseTime;
};

struct Device {
  Program *program;
  int64_t ownBytes; ///< of this structure and its arrays
  CUstream stream;
  DeviceRegion memory; ///< arena, inputs and outputs
  DeviceRegion scratch;
  CUdeviceptr errorCell;
  hone_device_error *error; ///< the host's copy
  bool errorIsOld;          ///< the cell must be cleared before the next run
  const char *failedCall;   ///< of the driver, in this run
  /// Device addresses of inputs that the plan reads on the host, and of outputs
  /// that stay on the device; null for others.
  void **sources, **targets;

  bool replays;      ///< the model's runs may be recorded
  CUstream recorder; ///< while a run is recorded: its stream
  Recording recordings[planCount];
  void **key;
  int64_t keyCount, replayed;

  StepTimer *timer; ///< null: no run was profiled yet
};

constexpr int64_t deviceAlignment = 256; ///< of the driver's allocations

inline void *pointerOf(CUdeviceptr address) {
  return reinterpret_cast<void *>(address);
}
inline CUdeviceptr addressOf(const void *pointer) {
  return reinterpret_cast<CUdeviceptr>(pointer);
}
inline int64_t roundToDevice(int64_t bytes) {
  return (bytes + deviceAlignment - 1) / deviceAlignment * deviceAlignment;
}

/// Remembers which call of the driver failed, and stores the run's failure.
int32_t deviceFailed(hone_session &session, const char *call, CUresult result);

/// Replaces a region by a larger one; its content is lost. False: no memory;
/// nothing is held.
bool growRegion(const Driver &driver, DeviceRegion &region, int64_t bytes);
void dropRegion(const Driver &driver, DeviceRegion &region);

/// hone_rt_copy.
int32_t copyOnDevice(hone_session &session, void *to, const void *from,
                     int64_t bytes, int32_t kind);

/// hone_device_api's functions for profiles.
int32_t prepareProfile(hone_session &session, Text &text);
int32_t beginStep(hone_session &session, int64_t step);
int32_t endStep(hone_session &session);
/// Begins the timing of a run's steps, when the device has nothing to do.
int32_t beginTimedRun(hone_session &session);
/// Gives the profile the times of the steps that are over, all of them.
int32_t collectTimes(hone_session &session);
void dropTimer(hone_session &session);

/// Whether all that a run does is work of the device that follows from
/// dimensions and pointers.
bool canReplay(const hone_descriptor &model);

/// Replays the run with these dimensions and pointers if there was one, records
/// it the second time, else runs the model's host function.
int32_t replayOrRun(hone_session &session);

/// What generated code asked for cannot be recorded: returns a failure, after
/// which the function is run as usual.
int32_t refuseRecording(hone_session &session);

void dropRecording(Device &device, Recording &recording);

} // namespace hone

#endif // HONE_RUNTIME_DEVICE_DEVICESESSION_H
