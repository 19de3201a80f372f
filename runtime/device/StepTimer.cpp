// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Times of steps on the device: a driver event before and after each, read when
// the device has finished them, so that launches continue meanwhile.
#include "runtime/device/DeviceSession.h"

#include <inttypes.h>
#include <string.h>

using namespace hone;

namespace {

/// All events of a timer in order. Stops at the first for which `visit` returns
/// an error.
template <typename Visit> CUresult forEachEvent(StepTimer &timer, Visit visit) {
  CUresult result = visit(timer.base);
  for (int64_t i = 0; result == CUDA_SUCCESS && i < StepTimer::capacity; ++i) {
    result = visit(timer.begins[i]);
    if (result == CUDA_SUCCESS)
      result = visit(timer.ends[i]);
  }
  return result;
}

} // namespace

int32_t hone::prepareProfile(hone_session &s, Text &text) {
  Device &device = *s.device;
  const Driver &driver = device.program->driver;
  if (device.timer)
    return HONE_OK;
  void *memory = s.allocator.allocate(s.allocator.self, sizeof(StepTimer), 64);
  if (!memory) {
    text.add("out of memory for the events of a profile");
    return HONE_OUT_OF_MEMORY;
  }
  memset(memory, 0, sizeof(StepTimer));
  device.timer = static_cast<StepTimer *>(memory);
  CurrentContext current(driver, device.program->context);
  CUresult result = current.result;
  if (result == CUDA_SUCCESS)
    result = forEachEvent(*device.timer, [&](CUevent &event) {
      return driver.cuEventCreate(&event, 0);
    });
  if (result == CUDA_SUCCESS)
    return HONE_OK;
  dropTimer(s);
  text.add("device %" PRId32 ", %s: no events for a profile: ",
           device.program->ordinal, device.program->name);
  driver.addError(result, text);
  return HONE_DEVICE_FAILED;
}

void hone::dropTimer(hone_session &s) {
  Device &device = *s.device;
  if (!device.timer)
    return;
  forEachEvent(*device.timer, [&](CUevent &event) {
    if (event)
      device.program->driver.cuEventDestroy_v2(event);
    return CUDA_SUCCESS;
  });
  s.allocator.release(s.allocator.self, device.timer, sizeof(StepTimer));
  device.timer = nullptr;
}

int32_t hone::beginTimedRun(hone_session &s) {
  Device &device = *s.device;
  const Driver &driver = device.program->driver;
  StepTimer &timer = *device.timer;
  timer.count = 0;
  if (CUresult result = driver.cuEventRecord(timer.base, device.stream))
    return deviceFailed(s, "cuEventRecord", result);
  if (CUresult result = driver.cuStreamSynchronize(device.stream))
    return deviceFailed(s, "cuStreamSynchronize", result);
  timer.baseTime = now();
  return HONE_OK;
}

int32_t hone::beginStep(hone_session &s, int64_t step) {
  Device &device = *s.device;
  const Driver &driver = device.program->driver;
  StepTimer &timer = *device.timer;
  if (timer.count == StepTimer::capacity) {
    if (CUresult result = driver.cuStreamSynchronize(device.stream))
      return deviceFailed(s, "cuStreamSynchronize", result);
    if (int32_t status = collectTimes(s))
      return status;
  }
  timer.steps[timer.count] = step;
  CUresult result =
      driver.cuEventRecord(timer.begins[timer.count], device.stream);
  return result ? deviceFailed(s, "cuEventRecord", result) : int32_t(HONE_OK);
}

int32_t hone::endStep(hone_session &s) {
  Device &device = *s.device;
  StepTimer &timer = *device.timer;
  CUresult result = device.program->driver.cuEventRecord(
      timer.ends[timer.count], device.stream);
  if (result != CUDA_SUCCESS)
    return deviceFailed(s, "cuEventRecord", result);
  ++timer.count;
  return HONE_OK;
}

int32_t hone::collectTimes(hone_session &s) {
  Device &device = *s.device;
  const Driver &driver = device.program->driver;
  StepTimer &timer = *device.timer;
  int64_t count = timer.count;
  timer.count = 0;
  for (int64_t i = 0; i < count; ++i) {
    float before = 0, during = 0; // milliseconds
    CUresult result =
        driver.cuEventElapsedTime(&before, timer.base, timer.begins[i]);
    if (result == CUDA_SUCCESS)
      result =
          driver.cuEventElapsedTime(&during, timer.begins[i], timer.ends[i]);
    if (result != CUDA_SUCCESS)
      return deviceFailed(s, "cuEventElapsedTime", result);
    int64_t begin = timer.baseTime + int64_t(double(before) * 1e6);
    s.profile->addLaunch(timer.steps[i], HONE_PROFILE_DEVICE, begin,
                         begin + int64_t(double(during) * 1e6));
  }
  return HONE_OK;
}
