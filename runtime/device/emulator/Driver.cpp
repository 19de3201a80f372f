// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The CUDA driver's interface to the emulated device. Work completes when it is
// issued, so streams and events never wait; while a stream is captured, work
// goes into the graph instead.
#include "runtime/device/CudaDriver.h"
#include "runtime/device/emulator/Block.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <new>

using namespace hone::emulator;

#define HONE_EXPORT extern "C" __attribute__((visibility("default")))

struct CUctx_st {};
struct CUfunc_st {
  const hone_emulated_module *module;
  const hone_emulated_function *function;
};
struct CUmod_st {
  const hone_emulated_module *image;
  std::vector<CUfunc_st> functions;
};
struct CUgraph_st {
  std::vector<std::function<CUresult()>> work;
};
struct CUgraphExec_st {
  std::vector<std::function<CUresult()>> work;
};
struct CUstream_st {
  CUgraph_st *capture = nullptr;
};
struct CUevent_st {
  std::chrono::steady_clock::time_point time;
};

namespace {

struct Device {
  std::mutex mutex;
  DeviceMemory memory;
  StackPool stacks;
  CUctx_st context;
  CUstream_st defaultStream;
  std::map<std::string, int64_t> calls;
  uint64_t launches = 0;
};

/// Never destroyed: models may call until the process ends.
Device &device() {
  static Device *made = new Device;
  return *made;
}

thread_local CUcontext currentContext = nullptr;

/// HONE_EMULATOR_FAIL=NAME:N makes the N-th call of an entry point fail.
bool isToFail(const char *name) {
  static const char *wanted = std::getenv("HONE_EMULATOR_FAIL");
  if (!wanted)
    return false;
  const char *colon = std::strchr(wanted, ':');
  size_t length = colon ? size_t(colon - wanted) : std::strlen(wanted);
  if (std::strlen(name) != length || std::strncmp(name, wanted, length) != 0)
    return false;
  std::lock_guard<std::mutex> lock(device().mutex);
  int64_t call = ++device().calls[name];
  return call == (colon ? std::atoll(colon + 1) : 1);
}

#define HONE_MAY_FAIL(name)                                                    \
  do                                                                           \
    if (isToFail(name))                                                        \
      return CUDA_ERROR_OUT_OF_MEMORY;                                         \
  while (false)

/// Does the work now, or adds it to the graph being captured.
CUresult submit(CUstream stream, std::function<CUresult()> work) {
  if (stream && stream->capture) {
    stream->capture->work.push_back(std::move(work));
    return CUDA_SUCCESS;
  }
  std::lock_guard<std::mutex> lock(device().mutex);
  return work();
}

/// Whether `bytes` at `pointer` are within one allocation.
bool isDeviceRange(CUdeviceptr pointer, size_t bytes) {
  auto *at = reinterpret_cast<char *>(pointer);
  Allocation *allocation = device().memory.find(at);
  return allocation && at + bytes <= allocation->data + allocation->bytes;
}

CUresult outOfRange(const char *name, size_t bytes, CUdeviceptr pointer) {
  std::fprintf(stderr,
               "hone emulator: %s of %zu bytes at %p is not inside an "
               "allocation\n",
               name, bytes, reinterpret_cast<void *>(pointer));
  return CUDA_ERROR_ILLEGAL_ADDRESS;
}

} // namespace

HONE_EXPORT CUresult cuInit(unsigned) {
  HONE_MAY_FAIL("cuInit");
  return CUDA_SUCCESS;
}

HONE_EXPORT CUresult cuDriverGetVersion(int *version) {
  *version = 13000;
  return CUDA_SUCCESS;
}

HONE_EXPORT CUresult cuGetErrorName(CUresult error, const char **name) {
  switch (error) {
  case CUDA_SUCCESS:
    *name = "CUDA_SUCCESS";
    break;
  case CUDA_ERROR_OUT_OF_MEMORY:
    *name = "CUDA_ERROR_OUT_OF_MEMORY";
    break;
  case CUDA_ERROR_INVALID_IMAGE:
    *name = "CUDA_ERROR_INVALID_IMAGE";
    break;
  case CUDA_ERROR_ILLEGAL_ADDRESS:
    *name = "CUDA_ERROR_ILLEGAL_ADDRESS";
    break;
  case CUDA_ERROR_LAUNCH_FAILED:
    *name = "CUDA_ERROR_LAUNCH_FAILED";
    break;
  default:
    *name = "CUDA_ERROR_INVALID_VALUE";
  }
  return CUDA_SUCCESS;
}

HONE_EXPORT CUresult cuGetErrorString(CUresult error, const char **text) {
  *text = error == CUDA_ERROR_LAUNCH_FAILED
              ? "the emulator found errors, which it wrote to standard error"
              : "from the emulator";
  return CUDA_SUCCESS;
}

HONE_EXPORT CUresult cuDeviceGetCount(int *count) {
  *count = 1;
  return CUDA_SUCCESS;
}

HONE_EXPORT CUresult cuDeviceGet(CUdevice *out, int ordinal) {
  *out = 0;
  return ordinal == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

HONE_EXPORT CUresult cuDeviceGetName(char *name, int bytes, CUdevice) {
  std::snprintf(name, size_t(bytes), "Hone emulator");
  return CUDA_SUCCESS;
}

HONE_EXPORT CUresult cuDeviceGetAttribute(int *value,
                                          CUdevice_attribute attribute,
                                          CUdevice) {
  *value = attribute == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR ? 8 : 0;
  return CUDA_SUCCESS;
}

HONE_EXPORT CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice) {
  HONE_MAY_FAIL("cuDevicePrimaryCtxRetain");
  *context = &device().context;
  return CUDA_SUCCESS;
}

HONE_EXPORT CUresult cuDevicePrimaryCtxRelease_v2(CUdevice) {
  return CUDA_SUCCESS;
}

HONE_EXPORT CUresult cuCtxSetCurrent(CUcontext context) {
  currentContext = context;
  return CUDA_SUCCESS;
}

HONE_EXPORT CUresult cuCtxGetCurrent(CUcontext *context) {
  *context = currentContext;
  return CUDA_SUCCESS;
}

HONE_EXPORT CUresult cuModuleLoadData(CUmodule *module, const void *image) {
  HONE_MAY_FAIL("cuModuleLoadData");
  auto *emulated = static_cast<const hone_emulated_module *>(image);
  if (emulated->magic != HONE_EMULATED_MAGIC ||
      emulated->version != HONE_EMULATED_VERSION)
    return CUDA_ERROR_INVALID_IMAGE;
  *emulated->services = &services();
  *module = new CUmod_st{emulated, {}};
  for (int64_t i = 0; i < emulated->function_count; ++i)
    (*module)->functions.push_back({emulated, &emulated->functions[i]});
  return CUDA_SUCCESS;
}

HONE_EXPORT CUresult cuModuleUnload(CUmodule module) {
  delete module;
  return CUDA_SUCCESS;
}

HONE_EXPORT CUresult cuModuleGetFunction(CUfunction *function, CUmodule module,
                                         const char *name) {
  HONE_MAY_FAIL("cuModuleGetFunction");
  for (CUfunc_st &candidate : module->functions)
    if (std::strcmp(candidate.function->name, name) == 0) {
      *function = &candidate;
      return CUDA_SUCCESS;
    }
  return CUDA_ERROR_NOT_FOUND;
}

HONE_EXPORT CUresult cuFuncSetAttribute(CUfunction, CUfunction_attribute, int) {
  return CUDA_SUCCESS;
}

HONE_EXPORT CUresult cuFuncGetAttribute(int *value,
                                        CUfunction_attribute attribute,
                                        CUfunction function) {
  *value = attribute == CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES
               ? function->function->shared_bytes
               : 0;
  return CUDA_SUCCESS;
}

HONE_EXPORT CUresult cuLaunchKernel(CUfunction function, unsigned gridX,
                                    unsigned gridY, unsigned gridZ,
                                    unsigned blockX, unsigned blockY,
                                    unsigned blockZ, unsigned sharedBytes,
                                    CUstream stream, void **params, void **) {
  HONE_MAY_FAIL("cuLaunchKernel");
  uint64_t threads = uint64_t(blockX) * blockY * blockZ;
  if (!gridX || !gridY || !gridZ || gridY > 65535 || gridZ > 65535 ||
      !threads || threads > 1024)
    return CUDA_ERROR_INVALID_VALUE;
  const hone_emulated_function &target = *function->function;
  // The caller's parameters no longer exist when a graph is replayed.
  std::vector<std::vector<char>> values(target.parameter_count);
  for (int32_t i = 0; i < target.parameter_count; ++i) {
    auto *bytes = static_cast<const char *>(params[i]);
    values[i].assign(bytes, bytes + target.parameter_bytes[i]);
  }
  LaunchShape shape{
      {gridX, gridY, gridZ}, {blockX, blockY, blockZ}, sharedBytes};
  return submit(stream, [=]() mutable {
    std::vector<void *> pointers;
    for (std::vector<char> &value : values)
      pointers.push_back(value.data());
    Launch launch(device().memory, device().stacks, *function->module, target,
                  shape, pointers.data(), ++device().launches);
    return launch.run() ? CUDA_SUCCESS : CUDA_ERROR_LAUNCH_FAILED;
  });
}

HONE_EXPORT CUresult cuMemAlloc_v2(CUdeviceptr *pointer, size_t bytes) {
  HONE_MAY_FAIL("cuMemAlloc_v2");
  if (bytes == 0)
    return CUDA_ERROR_INVALID_VALUE;
  std::lock_guard<std::mutex> lock(device().mutex);
  char *data = device().memory.allocate(bytes);
  *pointer = reinterpret_cast<CUdeviceptr>(data);
  return data ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

HONE_EXPORT CUresult cuMemFree_v2(CUdeviceptr pointer) {
  std::lock_guard<std::mutex> lock(device().mutex);
  return !pointer || device().memory.free(reinterpret_cast<char *>(pointer))
             ? CUDA_SUCCESS
             : CUDA_ERROR_INVALID_VALUE;
}

HONE_EXPORT CUresult cuMemHostAlloc(void **pointer, size_t bytes, unsigned) {
  HONE_MAY_FAIL("cuMemHostAlloc");
  *pointer = std::malloc(bytes);
  return *pointer ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

HONE_EXPORT CUresult cuMemFreeHost(void *pointer) {
  std::free(pointer);
  return CUDA_SUCCESS;
}

HONE_EXPORT CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from,
                                          size_t bytes, CUstream stream) {
  HONE_MAY_FAIL("cuMemcpyHtoDAsync_v2");
  return submit(stream, [=] {
    if (!isDeviceRange(to, bytes))
      return outOfRange("a copy", bytes, to);
    std::memcpy(reinterpret_cast<void *>(to), from, bytes);
    device().memory.markSet(reinterpret_cast<void *>(to), bytes);
    return CUDA_SUCCESS;
  });
}

HONE_EXPORT CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from,
                                          size_t bytes, CUstream stream) {
  HONE_MAY_FAIL("cuMemcpyDtoHAsync_v2");
  return submit(stream, [=] {
    if (!isDeviceRange(from, bytes))
      return outOfRange("a copy", bytes, from);
    std::memcpy(to, reinterpret_cast<void *>(from), bytes);
    return CUDA_SUCCESS;
  });
}

HONE_EXPORT CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from,
                                          size_t bytes, CUstream stream) {
  HONE_MAY_FAIL("cuMemcpyDtoDAsync_v2");
  return submit(stream, [=] {
    if (!isDeviceRange(to, bytes) || !isDeviceRange(from, bytes))
      return outOfRange("a copy", bytes, to);
    std::memmove(reinterpret_cast<void *>(to), reinterpret_cast<void *>(from),
                 bytes);
    device().memory.markSet(reinterpret_cast<void *>(to), bytes);
    return CUDA_SUCCESS;
  });
}

HONE_EXPORT CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value,
                                     size_t bytes, CUstream stream) {
  HONE_MAY_FAIL("cuMemsetD8Async");
  return submit(stream, [=] {
    if (!isDeviceRange(to, bytes))
      return outOfRange("a fill", bytes, to);
    std::memset(reinterpret_cast<void *>(to), value, bytes);
    device().memory.markSet(reinterpret_cast<void *>(to), bytes);
    return CUDA_SUCCESS;
  });
}

HONE_EXPORT CUresult cuStreamCreate(CUstream *stream, unsigned) {
  HONE_MAY_FAIL("cuStreamCreate");
  *stream = new CUstream_st;
  return CUDA_SUCCESS;
}

HONE_EXPORT CUresult cuStreamDestroy_v2(CUstream stream) {
  delete stream;
  return CUDA_SUCCESS;
}

HONE_EXPORT CUresult cuStreamSynchronize(CUstream) {
  HONE_MAY_FAIL("cuStreamSynchronize");
  return CUDA_SUCCESS;
}

HONE_EXPORT CUresult cuEventCreate(CUevent *event, unsigned) {
  HONE_MAY_FAIL("cuEventCreate");
  *event = new CUevent_st;
  return CUDA_SUCCESS;
}

HONE_EXPORT CUresult cuEventRecord(CUevent event, CUstream) {
  event->time = std::chrono::steady_clock::now();
  return CUDA_SUCCESS;
}

HONE_EXPORT CUresult cuEventSynchronize(CUevent) { return CUDA_SUCCESS; }

HONE_EXPORT CUresult cuEventElapsedTime(float *milliseconds, CUevent from,
                                        CUevent to) {
  *milliseconds =
      std::chrono::duration<float, std::milli>(to->time - from->time).count();
  return CUDA_SUCCESS;
}

HONE_EXPORT CUresult cuEventDestroy_v2(CUevent event) {
  delete event;
  return CUDA_SUCCESS;
}

HONE_EXPORT CUresult cuStreamBeginCapture_v2(CUstream stream,
                                             CUstreamCaptureMode) {
  HONE_MAY_FAIL("cuStreamBeginCapture_v2");
  if (stream->capture)
    return CUDA_ERROR_INVALID_VALUE;
  stream->capture = new CUgraph_st;
  return CUDA_SUCCESS;
}

HONE_EXPORT CUresult cuStreamEndCapture(CUstream stream, CUgraph *graph) {
  *graph = stream->capture;
  stream->capture = nullptr;
  HONE_MAY_FAIL("cuStreamEndCapture");
  return *graph ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

HONE_EXPORT CUresult cuGraphInstantiateWithFlags(CUgraphExec *executable,
                                                 CUgraph graph,
                                                 unsigned long long) {
  HONE_MAY_FAIL("cuGraphInstantiateWithFlags");
  *executable = new CUgraphExec_st{graph->work};
  return CUDA_SUCCESS;
}

HONE_EXPORT CUresult cuGraphLaunch(CUgraphExec executable, CUstream stream) {
  HONE_MAY_FAIL("cuGraphLaunch");
  return submit(stream, [=] {
    for (const std::function<CUresult()> &work : executable->work)
      if (CUresult result = work(); result != CUDA_SUCCESS)
        return result;
    return CUDA_SUCCESS;
  });
}

HONE_EXPORT CUresult cuGraphExecDestroy(CUgraphExec executable) {
  delete executable;
  return CUDA_SUCCESS;
}

HONE_EXPORT CUresult cuGraphDestroy(CUgraph graph) {
  delete graph;
  return CUDA_SUCCESS;
}
