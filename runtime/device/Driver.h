// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The driver's library, opened at run time.
#ifndef HONE_RUNTIME_DEVICE_DRIVER_H
#define HONE_RUNTIME_DEVICE_DRIVER_H

#include "runtime/core/Status.h"
#include "runtime/device/CudaDriver.h"

namespace hone {

// Every function of the driver that the runtime calls.
// clang-format off
#define HONE_DRIVER_FUNCTIONS(function) \
  function(cuInit) \
  function(cuDriverGetVersion) \
  function(cuGetErrorName) \
  function(cuGetErrorString) \
  function(cuDeviceGetCount) \
  function(cuDeviceGet) \
  function(cuDeviceGetName) \
  function(cuDeviceGetAttribute) \
  function(cuDevicePrimaryCtxRetain) \
  function(cuDevicePrimaryCtxRelease_v2) \
  function(cuCtxSetCurrent) \
  function(cuCtxGetCurrent) \
  function(cuModuleLoadData) \
  function(cuModuleUnload) \
  function(cuModuleGetFunction) \
  function(cuFuncSetAttribute) \
  function(cuLaunchKernel) \
  function(cuMemAlloc_v2) \
  function(cuMemFree_v2) \
  function(cuMemHostAlloc) \
  function(cuMemFreeHost) \
  function(cuMemcpyHtoDAsync_v2) \
  function(cuMemcpyDtoHAsync_v2) \
  function(cuMemcpyDtoDAsync_v2) \
  function(cuMemsetD8Async) \
  function(cuStreamCreate) \
  function(cuStreamDestroy_v2) \
  function(cuStreamSynchronize) \
  function(cuEventCreate) \
  function(cuEventRecord) \
  function(cuEventElapsedTime) \
  function(cuEventDestroy_v2) \
  function(cuStreamBeginCapture_v2) \
  function(cuStreamEndCapture) \
  function(cuGraphInstantiateWithFlags) \
  function(cuGraphLaunch) \
  function(cuGraphExecDestroy) \
  function(cuGraphDestroy)
// clang-format on

struct Driver {
  void *library;
#define HONE_DRIVER_MEMBER(name) decltype(&::name) name;
  HONE_DRIVER_FUNCTIONS(HONE_DRIVER_MEMBER)
#undef HONE_DRIVER_MEMBER

  /// Opens the library and looks up all functions. False after explaining why
  /// not; nothing is held then.
  bool open(const char *path, Text &text);
  void close();
  /// "CUDA_ERROR_X (its explanation)".
  Text &addError(CUresult error, Text &text) const;
};

/// Makes a context current for the duration of a scope.
class CurrentContext {
public:
  CurrentContext(const Driver &driver, CUcontext context) : driver(driver) {
    result = driver.cuCtxGetCurrent(&previous);
    if (result != CUDA_SUCCESS || previous == context)
      return;
    result = driver.cuCtxSetCurrent(context);
    isChanged = result == CUDA_SUCCESS;
  }
  ~CurrentContext() {
    if (isChanged)
      driver.cuCtxSetCurrent(previous);
  }
  CurrentContext(const CurrentContext &) = delete;

  CUresult result;

private:
  const Driver &driver;
  CUcontext previous = nullptr;
  bool isChanged = false;
};

} // namespace hone

#endif // HONE_RUNTIME_DEVICE_DRIVER_H
