// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Device work issued by generated code: launches and copies.
#include "runtime/device/DeviceSession.h"

#include <string.h>

using namespace hone;

/// More than any device has: such a size is a mistake, and rounding it up might
/// overflow.
static constexpr int64_t outOfRange = int64_t(1) << 46;

int32_t hone::deviceFailed(hone_session &s, const char *call, CUresult result) {
  Device &device = *s.device;
  if (!device.failedCall)
    device.failedCall = call;
  return hone_rt_fail(&s.frame, -1, HONE_DEVICE_FAILED, result, 0);
}

void hone::dropRegion(const Driver &driver, DeviceRegion &region) {
  if (region.address)
    driver.cuMemFree_v2(region.address);
  region = {};
}

bool hone::growRegion(const Driver &driver, DeviceRegion &region,
                      int64_t bytes) {
  if (bytes < 0 || bytes > outOfRange)
    return false;
  if (bytes <= region.bytes)
    return true;
  dropRegion(driver, region);
  if (driver.cuMemAlloc_v2(&region.address, size_t(roundToDevice(bytes))) !=
      CUDA_SUCCESS) {
    region = {};
    return false;
  }
  region.bytes = roundToDevice(bytes);
  return true;
}

int32_t hone::copyOnDevice(hone_session &s, void *to, const void *from,
                           int64_t bytes, int32_t kind) {
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
    return result ? deviceFailed(s, "cuMemcpyDtoDAsync", result)
                  : int32_t(HONE_OK);
  }
  case HONE_COPY_TO_DEVICE: {
    CUresult result = driver.cuMemcpyHtoDAsync_v2(addressOf(to), from,
                                                  size_t(bytes), device.stream);
    if (result != CUDA_SUCCESS)
      return deviceFailed(s, "cuMemcpyHtoDAsync", result);
    // The driver has read pageable memory by the time it returns. The caller's
    // allocator may return another kind, and the plan may overwrite it.
    if (s.allocator.allocate == systemAllocator().allocate)
      return HONE_OK;
    break;
  }
  case HONE_COPY_FROM_DEVICE: {
    CUresult result = driver.cuMemcpyDtoHAsync_v2(to, addressOf(from),
                                                  size_t(bytes), device.stream);
    if (result != CUDA_SUCCESS)
      return deviceFailed(s, "cuMemcpyDtoHAsync", result);
    break;
  }
  default:
    memmove(to, from, size_t(bytes));
    return HONE_OK;
  }
  CUresult result = driver.cuStreamSynchronize(device.stream);
  return result ? deviceFailed(s, "cuStreamSynchronize", result)
                : int32_t(HONE_OK);
}

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
      return deviceFailed(s, "cuFuncSetAttribute", result);
  }
  CUresult result = program.driver.cuLaunchKernel(
      program.functions[function].handle, grid[0], grid[1], grid[2], block[0],
      block[1], block[2], launch->shared_bytes,
      device.recorder ? device.recorder : device.stream, params, nullptr);
  return result ? deviceFailed(s, s.model->device->functions[function], result)
                : int32_t(HONE_OK);
}

void *hone_rt_device_scratch(hone_kernel_context *context, int64_t bytes) {
  hone_session &s = *context->frame->session;
  Device &device = *s.device;
  if (bytes < 0 || bytes > device.scratch.bytes) {
    if (device.recorder) {
      refuseRecording(s);
      return nullptr;
    }
    // Running kernels still use the old one.
    const Driver &driver = device.program->driver;
    CUresult result = driver.cuStreamSynchronize(device.stream);
    if (result != CUDA_SUCCESS) {
      deviceFailed(s, "cuStreamSynchronize", result);
      return nullptr;
    }
    if (!growRegion(driver, device.scratch, bytes)) {
      device.failedCall = "cuMemAlloc";
      hone_rt_fail(&s.frame, -1, HONE_OUT_OF_MEMORY, bytes, 0);
      return nullptr;
    }
  }
  return pointerOf(device.scratch.address);
}
