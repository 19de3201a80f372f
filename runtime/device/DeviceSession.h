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

/// The work that a run with one plan issued, to be replayed while the pointers
/// are the same.
struct Recording {
  int64_t plan;      ///< DimsPlan::serial of the last run; 0: none
  CUgraphExec graph; ///< null: not recorded
  void **key;        ///< all pointers of the last run
};

/// Driver events for the steps of a profiled run, which are read when all are
/// used and at the end of the run.
struct StepTimer {
  static constexpr int64_t capacity = 256;
  CUevent base; ///< at the start of the run, `baseTime` of the host's clock
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

/// Notes which call of the driver failed, and records the run's failure.
int32_t deviceFailed(hone_session &session, const char *call, CUresult result);

/// Replaces a region by a larger one, losing its content. False: out of memory;
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
/// Starts timing the steps of a run, while the device is idle.
int32_t beginTimedRun(hone_session &session);
/// Reports the times of all finished steps to the profile.
int32_t collectTimes(hone_session &session);
void dropTimer(hone_session &session);

/// Whether a run only issues device work that is determined by dimensions and
/// pointers.
bool canReplay(const hone_descriptor &model);

/// Replays the run with these dimensions and pointers if recorded, records it
/// the second time, otherwise runs the model's host function.
int32_t replayOrRun(hone_session &session);

/// Generated code requested something that cannot be recorded: returns a
/// failure, after which the function runs as usual.
int32_t refuseRecording(hone_session &session);

void dropRecording(Device &device, Recording &recording);

} // namespace hone

#endif // HONE_RUNTIME_DEVICE_DEVICESESSION_H
