// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Records the device's part of a run and replays it: one driver call instead of
// one per kernel.
#include "runtime/device/DeviceSession.h"

#include <string.h>

using namespace hone;

namespace {

/// Every pointer that the recorded work can hold.
void writeKey(const hone_session &s, void **key) {
  *key++ = s.frame.device_arena;
  *key++ = reinterpret_cast<void *>(s.device->scratch.address);
  for (int32_t i = 0; i < s.model->input_count; ++i)
    *key++ = s.deviceInputs[i];
  for (int32_t i = 0; i < s.model->output_count; ++i)
    *key++ = s.deviceOutputs[i];
}

/// Runs the host function on a stream that only records. After a failure of any
/// kind this session runs without recordings.
void record(hone_session &s, Recording &recording) {
  Device &device = *s.device;
  const Driver &driver = device.program->driver;
  device.replays = false;
  CUstream stream = nullptr;
  // Not the session's own stream: one that waits for the default stream cannot
  // record while other threads use that.
  if (driver.cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING) != CUDA_SUCCESS)
    return;
  if (driver.cuStreamBeginCapture_v2(
          stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL) == CUDA_SUCCESS) {
    CUgraph graph = nullptr;
    device.recorder = stream;
    s.recording = true;
    int32_t result = s.model->run(&s.frame);
    s.recording = false;
    device.recorder = nullptr;
    bool complete =
        driver.cuStreamEndCapture(stream, &graph) == CUDA_SUCCESS && graph;
    if (complete && result == HONE_OK)
      device.replays = driver.cuGraphInstantiateWithFlags(
                           &recording.graph, graph, 0) == CUDA_SUCCESS;
    if (!device.replays)
      recording.graph = nullptr;
    if (graph)
      driver.cuGraphDestroy(graph);
    s.failure.clear();
    device.failedCall = nullptr;
  }
  driver.cuStreamDestroy_v2(stream);
}

} // namespace

bool hone::canReplay(const hone_descriptor &model) {
  bool can = model.plan & HONE_PLAN_STATIC;
  for (int32_t i = 0; i < model.output_count; ++i)
    can &= model.outputs[i].kind == HONE_KIND_TENSOR &&
           model.outputs[i].places == 1 << HONE_PLACE_DEVICE;
  return can;
}

int32_t hone::replayOrRun(hone_session &s) {
  Device &device = *s.device;
  Recording &recording = device.recordings[s.plan - s.plans];
  size_t keyBytes = sizeof(void *) * size_t(device.keyCount);
  writeKey(s, device.key);
  bool isSame = recording.plan == s.plan->serial &&
                memcmp(recording.key, device.key, keyBytes) == 0;
  if (isSame && !recording.graph)
    record(s, recording);
  if (isSame && recording.graph) {
    CUresult result =
        device.program->driver.cuGraphLaunch(recording.graph, device.stream);
    if (result == CUDA_SUCCESS) {
      ++device.replayed;
      return HONE_OK;
    }
    device.replays = false;
  }
  dropRecording(device, recording);
  int32_t result = s.model->run(&s.frame);
  if (result != HONE_OK)
    return result;
  // Only now: a kernel may have requested more scratch memory.
  writeKey(s, recording.key);
  recording.plan = s.plan->serial;
  return HONE_OK;
}

int32_t hone::refuseRecording(hone_session &s) {
  return hone_rt_fail(&s.frame, -1, HONE_INTERNAL, 0, 0);
}

void hone::dropRecording(Device &device, Recording &recording) {
  if (recording.graph)
    device.program->driver.cuGraphExecDestroy(recording.graph);
  recording.graph = nullptr;
  recording.plan = 0;
}
