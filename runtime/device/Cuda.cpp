// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A session's part of a device: its stream, its memory, and its runs.
#include "runtime/core/Session.h"
#include "runtime/core/Types.h"
#include "runtime/device/Device.h"
#include "runtime/device/Program.h"
#include "runtime/device/Replay.h"

#include <inttypes.h>
#include <new>
#include <string.h>

using namespace hone;

namespace {

constexpr int64_t alignment = 256; ///< of the driver's allocations
constexpr int64_t outOfRange = int64_t(1) << 46;

int64_t roundUp(int64_t bytes) {
  return (bytes + alignment - 1) / alignment * alignment;
}

void *pointerOf(CUdeviceptr address) {
  return reinterpret_cast<void *>(address);
}
CUdeviceptr addressOf(const void *pointer) {
  return reinterpret_cast<CUdeviceptr>(pointer);
}

/// Remembers which call of the driver failed, and stores the run's failure.
int32_t failed(hone_session &s, const char *call, CUresult result) {
  Device &device = *s.device;
  if (!device.failedCall)
    device.failedCall = call;
  return hone_rt_fail(&s.frame, -1, HONE_DEVICE_FAILED, result, 0);
}

void drop(const Driver &driver, DeviceRegion &region) {
  if (region.address)
    driver.cuMemFree_v2(region.address);
  region = {};
}

/// Replaces a region by a larger one; its content is lost. False: no memory;
/// nothing is held.
bool grow(const Driver &driver, DeviceRegion &region, int64_t bytes) {
  if (bytes <= region.bytes)
    return true;
  drop(driver, region);
  if (bytes > outOfRange ||
      driver.cuMemAlloc_v2(&region.address, size_t(roundUp(bytes))) !=
          CUDA_SUCCESS) {
    region = {};
    return false;
  }
  region.bytes = roundUp(bytes);
  return true;
}

int64_t bytesOf(const hone_tensor &tensor) {
  return tensorBytes(tensor.type, tensor.rank, tensor.dims);
}

bool isOn(const hone_value_info &info, int32_t place) {
  return info.kind == HONE_KIND_TENSOR && (info.places & 1 << place);
}

//===-- Opening -----------------------------------------------------------===//

/// Hands out pieces behind the structure, or only adds up their sizes.
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
  // Work on the default stream, which made device inputs, comes first.
  if (result == CUDA_SUCCESS)
    result = driver.cuStreamCreate(&device.stream, CU_STREAM_DEFAULT);
  if (result == CUDA_SUCCESS)
    result = driver.cuMemAlloc_v2(&device.errorCell, alignment);
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
      .add(": free memory of the device, or choose another one");
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
    if (device->errorCell)
      driver.cuMemFree_v2(device->errorCell);
    drop(driver, device->memory);
    drop(driver, device->scratch);
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

/// Gives out pieces of a region, or adds up their sizes while it has none.
struct Layout {
  CUdeviceptr base;
  int64_t used;
  void *take(int64_t bytes) {
    int64_t offset = used;
    used += roundUp(bytes);
    return base ? pointerOf(base + CUdeviceptr(offset)) : nullptr;
  }
};

/// Where each value lies on the device: where the caller says, else behind the
/// arena.
void layOut(hone_session &s, bool forRun, Layout &layout) {
  const hone_descriptor &model = *s.model;
  s.frame.device_arena =
      static_cast<char *>(layout.take(s.plan->arenaBytes[HONE_PLACE_DEVICE]));
  for (int32_t i = 0; i < model.input_count; ++i) {
    s.deviceInputs[i] = nullptr;
    if (!isOn(model.inputs[i], HONE_PLACE_DEVICE))
      continue;
    const hone_value &input = s.inputs[i];
    s.deviceInputs[i] = input.place == HONE_PLACE_DEVICE
                            ? input.as.tensor.data
                            : layout.take(bytesOf(input.as.tensor));
  }
  const int64_t *dims = s.plan->outputDims;
  for (int32_t i = 0; i < model.output_count; ++i) {
    const hone_value_info &info = model.outputs[i];
    s.deviceOutputs[i] = s.device->targets[i] = nullptr;
    if (info.kind != HONE_KIND_TENSOR || info.rank < 0)
      continue;
    int64_t bytes = tensorBytes(info.type, info.rank, dims);
    dims += info.rank;
    if (bytes < 0) // only the data decide
      continue;
    bool stays = forRun && s.outputs[i].place == HONE_PLACE_DEVICE;
    if (stays)
      s.device->targets[i] = s.outputs[i].as.tensor.data
                                 ? s.outputs[i].as.tensor.data
                                 : layout.take(bytes);
    if (info.places & 1 << HONE_PLACE_DEVICE)
      s.deviceOutputs[i] = stays ? s.device->targets[i] : layout.take(bytes);
  }
}

/// Memory of the host for what the plan reads or writes there while the caller
/// has it on the device.
int32_t bindHostCopies(hone_session &s, Text &text) {
  const hone_descriptor &model = *s.model;
  auto copy = [&](hone_value &value, const char *name) -> int32_t {
    int64_t bytes = bytesOf(value.as.tensor);
    value.as.tensor.data = s.blocks.allocate(s.allocator, bytes);
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
        !grow(device.program->driver, device.memory, sizes.used)) {
      text.add("device %" PRId32 ", %s: out of memory: %" PRId64
               " bytes for the arena and the values; free memory of the "
               "device, or choose another one",
               device.program->ordinal, device.program->name, sizes.used);
      return HONE_OUT_OF_MEMORY;
    }
  }
  Layout layout = {device.memory.address, 0};
  layOut(s, forRun, layout);
  return forRun ? bindHostCopies(s, text) : int32_t(HONE_OK);
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
      return failed(s, "cuMemsetD8Async", result);
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
        return failed(s, "cuMemcpyDtoHAsync", result);
      mustWait = true;
    }
    if (s.deviceInputs[i] && s.inputs[i].place == HONE_PLACE_HOST) {
      CUresult result =
          driver.cuMemcpyHtoDAsync_v2(addressOf(s.deviceInputs[i]), tensor.data,
                                      size_t(bytes), device.stream);
      if (result != CUDA_SUCCESS)
        return failed(s, "cuMemcpyHtoDAsync", result);
    }
  }
  if (mustWait)
    if (CUresult result = driver.cuStreamSynchronize(device.stream))
      return failed(s, "cuStreamSynchronize", result);
  return HONE_OK;
}

/// Begins to bring the outputs to where the caller wants them.
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
        return failed(s, "cuMemcpyDtoHAsync", result);
    } else if (!s.deviceOutputs[i]) {
      CUresult result =
          driver.cuMemcpyHtoDAsync_v2(addressOf(device.targets[i]), tensor.data,
                                      size_t(bytes), device.stream);
      if (result != CUDA_SUCCESS)
        return failed(s, "cuMemcpyHtoDAsync", result);
    }
  }
  return HONE_OK;
}

/// Waits for all that was begun, also after a failure: nothing may still read
/// or write what belongs to the caller.
int32_t finish(hone_session &s, int32_t result) {
  Device &device = *s.device;
  const Driver &driver = device.program->driver;
  hone_device_error &error = *device.error;
  error = {};
  CUresult fetched = driver.cuMemcpyDtoHAsync_v2(&error, device.errorCell,
                                                 sizeof(error), device.stream);
  if (fetched != CUDA_SUCCESS && result == HONE_OK)
    result = failed(s, "cuMemcpyDtoHAsync", fetched);
  if (result == HONE_OK)
    result = takeOutputs(s);
  CUresult waited = driver.cuStreamSynchronize(device.stream);
  if (waited != CUDA_SUCCESS && result == HONE_OK)
    result = failed(s, "cuStreamSynchronize", waited);
  device.errorIsOld = result != HONE_OK || error.status != HONE_OK;
  if (error.status != HONE_OK && !device.failedCall) {
    // It came first: after a failure on the host nothing more was begun.
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
    return failed(s, "cuCtxSetCurrent", current.result);
  int32_t result = bringInputs(s);
  if (result == HONE_OK)
    result = device.replays ? replayOrRun(s) : s.model->run(&s.frame);
  return finish(s, result);
}

int32_t copyOnDevice(hone_session &s, void *to, const void *from, int64_t bytes,
                     int32_t kind) {
  Device &device = *s.device;
  const Driver &driver = device.program->driver;
  constexpr int32_t both = HONE_COPY_FROM_DEVICE | HONE_COPY_TO_DEVICE;
  if (bytes <= 0 || to == from)
    return HONE_OK;
  if (device.recorder && kind != both)
    return refuseRecording(s);
  switch (kind) {
  case both: {
    CUstream stream = device.recorder ? device.recorder : device.stream;
    CUresult result = driver.cuMemcpyDtoDAsync_v2(
        addressOf(to), addressOf(from), size_t(bytes), stream);
    return result ? failed(s, "cuMemcpyDtoDAsync", result) : int32_t(HONE_OK);
  }
  case HONE_COPY_TO_DEVICE: {
    CUresult result = driver.cuMemcpyHtoDAsync_v2(addressOf(to), from,
                                                  size_t(bytes), device.stream);
    if (result != CUDA_SUCCESS)
      return failed(s, "cuMemcpyHtoDAsync", result);
    // The driver has read plain memory when it returns. What the caller's
    // allocator gives may be of another kind, and the plan may overwrite it.
    if (s.allocator.allocate == systemAllocator().allocate)
      return HONE_OK;
    break;
  }
  case HONE_COPY_FROM_DEVICE: {
    CUresult result = driver.cuMemcpyDtoHAsync_v2(to, addressOf(from),
                                                  size_t(bytes), device.stream);
    if (result != CUDA_SUCCESS)
      return failed(s, "cuMemcpyDtoHAsync", result);
    break;
  }
  default:
    memmove(to, from, size_t(bytes));
    return HONE_OK;
  }
  CUresult result = driver.cuStreamSynchronize(device.stream);
  return result ? failed(s, "cuStreamSynchronize", result) : int32_t(HONE_OK);
}

bool describeFailure(const hone_session &s, Text &text) {
  const Device &device = *s.device;
  if (!device.failedCall)
    return false;
  const Program &program = *device.program;
  text.add("device %" PRId32 ", %s: ", program.ordinal, program.name);
  if (s.failure.status == HONE_OUT_OF_MEMORY) {
    text.add("out of memory: %" PRId64 " bytes for a kernel; free memory of "
             "the device, or choose another one",
             s.failure.value);
    return true;
  }
  text.add("%s failed: ", device.failedCall);
  program.driver.addError(CUresult(s.failure.value), text)
      .add("; if later runs fail, too, start the process again");
  return true;
}

void addStats(const hone_session &s, hone_session_stats &stats) {
  const Device &device = *s.device;
  stats.device_arena_bytes = s.plan ? s.plan->arenaBytes[HONE_PLACE_DEVICE] : 0;
  stats.device_bytes = device.memory.bytes + device.scratch.bytes + alignment;
  stats.replays = device.replayed;
  stats.device = device.program->name;
  stats.device_number = device.program->ordinal;
}

} // namespace

const hone_device_api hone_rt_device_api = {
    openDevice,   closeDevice,     bindDevice, runOnDevice,
    copyOnDevice, describeFailure, addStats,
};

int32_t hone_rt_launch(hone_kernel_context *context, const hone_launch *launch,
                       void **params) {
  hone_session &s = *context->frame->session;
  Device &device = *s.device;
  Program &program = *device.program;
  const uint32_t *grid = launch->grid, *block = launch->block;
  if (!grid[0] || !grid[1] || !grid[2])
    return HONE_OK;
  int64_t function = context->first_function + launch->step;
  if (launch->shared_bytes) {
    CUresult result = allowShared(program, function, launch->shared_bytes);
    if (result != CUDA_SUCCESS)
      return failed(s, "cuFuncSetAttribute", result);
  }
  CUresult result = program.driver.cuLaunchKernel(
      program.functions[function].handle, grid[0], grid[1], grid[2], block[0],
      block[1], block[2], launch->shared_bytes,
      device.recorder ? device.recorder : device.stream, params, nullptr);
  return result ? failed(s, s.model->device->functions[function], result)
                : int32_t(HONE_OK);
}

void *hone_rt_device_scratch(hone_kernel_context *context, int64_t bytes) {
  hone_session &s = *context->frame->session;
  Device &device = *s.device;
  if (bytes > device.scratch.bytes) {
    if (device.recorder) {
      refuseRecording(s);
      return nullptr;
    }
    // Kernels that were begun still use the old one.
    const Driver &driver = device.program->driver;
    CUresult result = driver.cuStreamSynchronize(device.stream);
    if (result != CUDA_SUCCESS) {
      failed(s, "cuStreamSynchronize", result);
      return nullptr;
    }
    if (!grow(driver, device.scratch, bytes)) {
      device.failedCall = "cuMemAlloc";
      hone_rt_fail(&s.frame, -1, HONE_OUT_OF_MEMORY, bytes, 0);
      return nullptr;
    }
  }
  return pointerOf(device.scratch.address);
}
