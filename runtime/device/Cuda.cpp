// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A session's part of a device: its stream, its memory, and its runs.
#include "runtime/core/Session.h"
#include "runtime/core/Types.h"
#include "runtime/device/Device.h"
#include "runtime/device/DeviceSession.h"

#include <inttypes.h>
#include <new>
#include <string.h>

using namespace hone;

namespace {

int64_t bytesOf(const hone_tensor &tensor) {
  return tensorBytes(tensor.type, tensor.rank, tensor.dims);
}

bool isOn(const hone_value_info &info, int32_t place) {
  return info.kind == HONE_KIND_TENSOR && (info.places & 1 << place);
}

//===-- Opening -----------------------------------------------------------===//

/// Allocates arrays behind the structure, or only adds up their sizes.
struct Cutter {
  char *base;
  int64_t used = sizeof(Device);
  void cut(void **&array, int64_t count) {
    array = base ? reinterpret_cast<void **>(base + used) : nullptr;
    used += count * int64_t(sizeof(void *));
  }
};

void cutArrays(const hone_descriptor &model, Device &device, Cutter &cutter) {
  device.keyCount = 2 + model.input_count + model.output_count;
  cutter.cut(device.sources, model.input_count);
  cutter.cut(device.targets, model.output_count);
  cutter.cut(device.key, device.keyCount);
  for (Recording &recording : device.recordings)
    cutter.cut(recording.key, device.keyCount);
}

int32_t createResources(hone_session &s, Text &text) {
  Device &device = *s.device;
  const Driver &driver = device.program->driver;
  CurrentContext current(driver, device.program->context);
  CUresult result = current.result;
  void *error = nullptr;
  // Work on the default stream, which produced device inputs, comes first.
  if (result == CUDA_SUCCESS)
    result = driver.cuStreamCreate(&device.stream, CU_STREAM_DEFAULT);
  if (result == CUDA_SUCCESS)
    result = driver.cuMemAlloc_v2(&device.errorCell, deviceAlignment);
  if (result == CUDA_SUCCESS)
    result = driver.cuMemHostAlloc(&error, sizeof(hone_device_error), 0);
  if (result == CUDA_SUCCESS) {
    device.error = static_cast<hone_device_error *>(error);
    device.errorIsOld = true;
    return HONE_OK;
  }
  text.add("device %" PRId32 ", %s, cannot be used: ", device.program->ordinal,
           device.program->name);
  driver.addError(result, text)
      .add(": free device memory, or choose another one");
  return result == CUDA_ERROR_OUT_OF_MEMORY ? HONE_OUT_OF_MEMORY
                                            : HONE_DEVICE_FAILED;
}

void closeDevice(hone_session &s) {
  Device *device = s.device;
  if (!device)
    return;
  const Driver &driver = device->program->driver;
  {
    CurrentContext current(driver, device->program->context);
    for (Recording &recording : device->recordings)
      dropRecording(*device, recording);
    dropTimer(s);
    if (device->errorCell)
      driver.cuMemFree_v2(device->errorCell);
    dropRegion(driver, device->memory);
    dropRegion(driver, device->scratch);
    if (device->error)
      driver.cuMemFreeHost(device->error);
    if (device->stream)
      driver.cuStreamDestroy_v2(device->stream);
  }
  closeProgram(device->program);
  s.allocator.release(s.allocator.self, device, device->ownBytes);
  s.device = nullptr;
}

int32_t openDevice(hone_session &s, int32_t ordinal, Text &text) {
  Program *program = nullptr;
  if (int32_t status =
          openProgram(*s.model, s.frame.weights, ordinal, &program, text))
    return status;
  Device sizes = {};
  Cutter adder{nullptr};
  cutArrays(*s.model, sizes, adder);
  int64_t bytes = adder.used;
  void *memory = s.allocator.allocate(s.allocator.self, bytes, 64);
  if (!memory) {
    closeProgram(program);
    text.add("out of memory for the session's tables");
    return HONE_OUT_OF_MEMORY;
  }
  memset(memory, 0, size_t(bytes));
  s.device = new (memory) Device{};
  s.device->ownBytes = bytes;
  s.device->program = program;
  Cutter cutter{static_cast<char *>(memory)};
  cutArrays(*s.model, *s.device, cutter);
  if (int32_t status = createResources(s, text)) {
    closeDevice(s);
    return status;
  }
  s.device->replays = canReplay(*s.model);
  s.frame.device_weights =
      static_cast<const char *>(pointerOf(program->weights));
  s.contexts[0].device_error = pointerOf(s.device->errorCell);
  return HONE_OK;
}

//===-- Memory for one call -----------------------------------------------===//

/// Allocates parts of a region, or adds up their sizes while it has no memory.
struct Layout {
  CUdeviceptr base;
  int64_t used;
  void *take(int64_t bytes) {
    int64_t offset = used;
    used += roundToDevice(bytes);
    return base ? pointerOf(base + CUdeviceptr(offset)) : nullptr;
  }
};

/// Kernels access 16 bytes at a time; callers' memory need only be aligned to
/// its elements.
bool isAligned(const void *data) { return addressOf(data) % 16 == 0; }

/// Where each value is on the device: where the caller has it, if kernels can
/// work there, otherwise behind the arena.
void layOut(hone_session &s, bool forRun, Layout &layout) {
  const hone_descriptor &model = *s.model;
  s.frame.device_arena =
      static_cast<char *>(layout.take(s.plan->arenaBytes[HONE_PLACE_DEVICE]));
  for (int32_t i = 0; i < model.input_count; ++i) {
    s.deviceInputs[i] = nullptr;
    if (!isOn(model.inputs[i], HONE_PLACE_DEVICE))
      continue;
    const hone_value &input = s.inputs[i];
    bool stays =
        input.place == HONE_PLACE_DEVICE && isAligned(input.as.tensor.data);
    s.deviceInputs[i] =
        stays ? input.as.tensor.data : layout.take(bytesOf(input.as.tensor));
  }
  const int64_t *dims = s.plan->outputDims;
  for (int32_t i = 0; i < model.output_count; ++i) {
    const hone_value_info &info = model.outputs[i];
    s.deviceOutputs[i] = s.device->targets[i] = nullptr;
    if (info.kind != HONE_KIND_TENSOR || info.rank < 0)
      continue;
    int64_t bytes = tensorBytes(info.type, info.rank, dims);
    dims += info.rank;
    if (bytes < 0) // depends on data
      continue;
    bool stays = forRun && s.outputs[i].place == HONE_PLACE_DEVICE;
    if (stays)
      s.device->targets[i] = s.outputs[i].as.tensor.data
                                 ? s.outputs[i].as.tensor.data
                                 : layout.take(bytes);
    if (info.places & 1 << HONE_PLACE_DEVICE)
      s.deviceOutputs[i] = stays && isAligned(s.device->targets[i])
                               ? s.device->targets[i]
                               : layout.take(bytes);
  }
}

/// Host memory for what the plan accesses there while the caller has it on the
/// device.
int32_t bindHostCopies(hone_session &s, Text &text) {
  const hone_descriptor &model = *s.model;
  auto copy = [&](hone_value &value, const char *name) -> int32_t {
    int64_t bytes = bytesOf(value.as.tensor);
    value.as.tensor.data =
        s.blocks.allocate(s.allocator, bytes, Blocks::Life::Run);
    if (value.as.tensor.data)
      return HONE_OK;
    text.add("out of memory: %" PRId64 " bytes for a copy of '%s'", bytes,
             name);
    return HONE_OUT_OF_MEMORY;
  };
  for (int32_t i = 0; i < model.input_count; ++i) {
    s.device->sources[i] = nullptr;
    if (!isOn(model.inputs[i], HONE_PLACE_HOST) ||
        s.inputs[i].place != HONE_PLACE_DEVICE)
      continue;
    s.device->sources[i] = s.inputs[i].as.tensor.data;
    if (int32_t status = copy(s.inputs[i], model.inputs[i].name))
      return status;
  }
  for (int32_t i = 0; i < model.output_count; ++i)
    if (s.device->targets[i] && !s.deviceOutputs[i])
      if (int32_t status = copy(s.outputs[i], model.outputs[i].name))
        return status;
  return HONE_OK;
}

int32_t bindDevice(hone_session &s, bool forRun, Text &text) {
  Device &device = *s.device;
  Layout sizes = {0, 0};
  layOut(s, forRun, sizes);
  if (sizes.used > device.memory.bytes) {
    CurrentContext current(device.program->driver, device.program->context);
    if (current.result != CUDA_SUCCESS ||
        !growRegion(device.program->driver, device.memory, sizes.used)) {
      text.add("device %" PRId32 ", %s: out of memory: %" PRId64
               " bytes for the arena and the values; free device "
               "memory, or choose another one",
               device.program->ordinal, device.program->name, sizes.used);
      return HONE_OUT_OF_MEMORY;
    }
  }
  Layout layout = {device.memory.address, 0};
  layOut(s, forRun, layout);
  return forRun ? bindHostCopies(s, text) : int32_t(HONE_OK);
}

void releaseMemory(hone_device_memory *memory) {
  auto *program = static_cast<Program *>(memory->owner);
  {
    CurrentContext current(program->driver, program->context);
    program->driver.cuMemFree_v2(addressOf(memory->data));
  }
  closeProgram(program);
  *memory = {};
}

int32_t allocateMemory(hone_session &s, int64_t bytes,
                       hone_device_memory &memory, Text &text) {
  Program &program = *s.device->program;
  CurrentContext current(program.driver, program.context);
  CUresult result = current.result;
  CUdeviceptr address = 0;
  // The driver does not allocate zero bytes.
  if (result == CUDA_SUCCESS)
    result = program.driver.cuMemAlloc_v2(&address, size_t(bytes ? bytes : 1));
  if (result == CUDA_SUCCESS) {
    shareProgram(program);
    memory = {pointerOf(address), &program, releaseMemory};
    return HONE_OK;
  }
  text.add("device %" PRId32 ", %s: no %" PRId64 " bytes for an output: ",
           program.ordinal, program.name, bytes);
  program.driver.addError(result, text);
  return result == CUDA_ERROR_OUT_OF_MEMORY ? HONE_OUT_OF_MEMORY
                                            : HONE_DEVICE_FAILED;
}

//===-- Running -----------------------------------------------------------===//

int32_t bringInputs(hone_session &s) {
  Device &device = *s.device;
  const Driver &driver = device.program->driver;
  bool mustWait = false;
  if (device.errorIsOld) {
    CUresult result = driver.cuMemsetD8Async(
        device.errorCell, 0, sizeof(hone_device_error), device.stream);
    if (result != CUDA_SUCCESS)
      return deviceFailed(s, "cuMemsetD8Async", result);
    device.errorIsOld = false;
  }
  for (int32_t i = 0; i < s.model->input_count; ++i) {
    if (s.model->inputs[i].kind != HONE_KIND_TENSOR)
      continue;
    const hone_tensor &tensor = s.inputs[i].as.tensor;
    int64_t bytes = bytesOf(tensor);
    if (bytes == 0)
      continue;
    if (device.sources[i]) {
      CUresult result =
          driver.cuMemcpyDtoHAsync_v2(tensor.data, addressOf(device.sources[i]),
                                      size_t(bytes), device.stream);
      if (result != CUDA_SUCCESS)
        return deviceFailed(s, "cuMemcpyDtoHAsync", result);
      mustWait = true;
    }
    if (s.deviceInputs[i] && s.inputs[i].place == HONE_PLACE_HOST) {
      CUresult result =
          driver.cuMemcpyHtoDAsync_v2(addressOf(s.deviceInputs[i]), tensor.data,
                                      size_t(bytes), device.stream);
      if (result != CUDA_SUCCESS)
        return deviceFailed(s, "cuMemcpyHtoDAsync", result);
    } else if (s.deviceInputs[i]) {
      const void *given = device.sources[i] ? device.sources[i] : tensor.data;
      if (s.deviceInputs[i] == given)
        continue;
      CUresult result = driver.cuMemcpyDtoDAsync_v2(
          addressOf(s.deviceInputs[i]), addressOf(given), size_t(bytes),
          device.stream);
      if (result != CUDA_SUCCESS)
        return deviceFailed(s, "cuMemcpyDtoDAsync", result);
    }
  }
  if (mustWait)
    if (CUresult result = driver.cuStreamSynchronize(device.stream))
      return deviceFailed(s, "cuStreamSynchronize", result);
  return HONE_OK;
}

/// Starts copying the outputs to where the caller wants them.
int32_t takeOutputs(hone_session &s) {
  Device &device = *s.device;
  const Driver &driver = device.program->driver;
  for (int32_t i = 0; i < s.model->output_count; ++i) {
    hone_tensor &tensor = s.outputs[i].as.tensor;
    if (!s.deviceOutputs[i] && !device.targets[i])
      continue;
    int64_t bytes = bytesOf(tensor);
    if (bytes == 0)
      continue;
    if (!device.targets[i]) {
      CUresult result = driver.cuMemcpyDtoHAsync_v2(
          tensor.data, addressOf(s.deviceOutputs[i]), size_t(bytes),
          device.stream);
      if (result != CUDA_SUCCESS)
        return deviceFailed(s, "cuMemcpyDtoHAsync", result);
    } else if (!s.deviceOutputs[i]) {
      CUresult result =
          driver.cuMemcpyHtoDAsync_v2(addressOf(device.targets[i]), tensor.data,
                                      size_t(bytes), device.stream);
      if (result != CUDA_SUCCESS)
        return deviceFailed(s, "cuMemcpyHtoDAsync", result);
    } else if (s.deviceOutputs[i] != device.targets[i]) {
      CUresult result = driver.cuMemcpyDtoDAsync_v2(
          addressOf(device.targets[i]), addressOf(s.deviceOutputs[i]),
          size_t(bytes), device.stream);
      if (result != CUDA_SUCCESS)
        return deviceFailed(s, "cuMemcpyDtoDAsync", result);
    }
  }
  return HONE_OK;
}

/// Waits for everything that was started, also after a failure: nothing may
/// still access the caller's memory.
int32_t finish(hone_session &s, int32_t result) {
  Device &device = *s.device;
  const Driver &driver = device.program->driver;
  hone_device_error &error = *device.error;
  error = {};
  CUresult fetched = driver.cuMemcpyDtoHAsync_v2(&error, device.errorCell,
                                                 sizeof(error), device.stream);
  if (fetched != CUDA_SUCCESS && result == HONE_OK)
    result = deviceFailed(s, "cuMemcpyDtoHAsync", fetched);
  if (result == HONE_OK)
    result = takeOutputs(s);
  CUresult waited = driver.cuStreamSynchronize(device.stream);
  if (waited != CUDA_SUCCESS && result == HONE_OK)
    result = deviceFailed(s, "cuStreamSynchronize", waited);
  if (s.profile && waited == CUDA_SUCCESS)
    if (int32_t status = collectTimes(s); result == HONE_OK)
      result = status;
  device.errorIsOld = result != HONE_OK || error.status != HONE_OK;
  if (error.status != HONE_OK && !device.failedCall) {
    // It came first: after a failure on the host nothing more was started.
    s.failure.clear();
    result = hone_rt_fail(&s.frame, error.node, error.status, error.value,
                          error.limit);
  }
  for (int32_t i = 0; result == HONE_OK && i < s.model->output_count; ++i)
    if (device.targets[i])
      s.outputs[i].as.tensor.data = device.targets[i];
  return result;
}

int32_t runOnDevice(hone_session &s) {
  Device &device = *s.device;
  device.failedCall = nullptr;
  CurrentContext current(device.program->driver, device.program->context);
  if (current.result != CUDA_SUCCESS)
    return deviceFailed(s, "cuCtxSetCurrent", current.result);
  int32_t result = bringInputs(s);
  if (result == HONE_OK && s.profile)
    result = beginTimedRun(s);
  if (result == HONE_OK)
    result =
        device.replays && !s.profile ? replayOrRun(s) : s.model->run(&s.frame);
  return finish(s, result);
}

bool describeFailure(const hone_session &s, Text &text) {
  const Device &device = *s.device;
  if (!device.failedCall)
    return false;
  const Program &program = *device.program;
  text.add("device %" PRId32 ", %s: ", program.ordinal, program.name);
  if (s.failure.status == HONE_OUT_OF_MEMORY) {
    text.add("out of memory: %" PRId64 " bytes for a kernel; free device "
             "memory, or choose another one",
             s.failure.value);
    return true;
  }
  text.add("%s failed: ", device.failedCall);
  program.driver.addError(CUresult(s.failure.value), text)
      .add("; if later runs fail too, restart the process");
  return true;
}

void addStats(const hone_session &s, hone_session_stats &stats) {
  const Device &device = *s.device;
  stats.device_arena_bytes = s.plan ? s.plan->arenaBytes[HONE_PLACE_DEVICE] : 0;
  stats.device_bytes =
      device.memory.bytes + device.scratch.bytes + deviceAlignment;
  stats.replays = device.replayed;
  stats.device = device.program->name;
  stats.device_number = device.program->ordinal;
}

} // namespace

const hone_device_api hone_rt_device_api = {
    openDevice,     closeDevice,     bindDevice,     runOnDevice,
    copyOnDevice,   describeFailure, allocateMemory, addStats,
    prepareProfile, beginStep,       endStep,
};
