// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A driver without a device.
#include "test/unit/runtime/FakeDriver.h"

#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

using Work = std::vector<std::function<void()>>;

struct CUctx_st {};
struct CUmod_st {
  const FakeImage *image;
};
struct CUfunc_st {
  const FakeFunction *function;
  int sharedLimit = 48 << 10;
};
struct CUstream_st {
  Work work;
  bool records = false;
  std::thread::id maker = std::this_thread::get_id();
};
struct CUevent_st {
  int time = -1; ///< not recorded yet
};
struct CUgraph_st {
  Work work;
};
struct CUgraphExec_st {
  Work work;
};

namespace {

std::recursive_mutex mutex;
FakeDriver state;
std::map<std::string, int> calls;
std::set<void *> memory, hostMemory;
std::set<CUstream> streams;
std::map<std::string, CUfunc_st> functions;
CUctx_st theContext;
int eventTime = 0;
CUstream_st defaultStream;
thread_local CUcontext current = nullptr;

CUresult misuse() {
  ++state.misuses;
  // Programs that cannot ask for the number.
  if (getenv("HONE_FAKE_DRIVER_ABORTS"))
    abort();
  return CUDA_ERROR_INVALID_VALUE;
}

/// Counts the call; a result other than success is what it must return.
CUresult enter(const char *name, bool needsContext) {
  int number = ++calls[name];
  if (needsContext && (current != &theContext || state.contexts == 0)) {
    misuse();
    return CUDA_ERROR_INVALID_CONTEXT;
  }
  if (state.failing && strcmp(state.failing, name) == 0 &&
      number == state.failingCall)
    return state.failure;
  return CUDA_SUCCESS;
}

CUresult enqueue(CUstream stream, std::function<void()> work) {
  (stream ? stream : &defaultStream)->work.push_back(std::move(work));
  return CUDA_SUCCESS;
}

/// Whether the range lies in memory of the device.
bool isOnDevice(CUdeviceptr address) {
  auto *pointer = onHost<void>(reinterpret_cast<void *>(address));
  auto next = memory.upper_bound(pointer);
  return (address & fakeDeviceBit) && next != memory.begin();
}

} // namespace

#define ENTER(needsContext)                                                    \
  std::lock_guard<std::recursive_mutex> guard(mutex);                          \
  CUresult entered = enter(__func__, needsContext);                            \
  if (entered != CUDA_SUCCESS)                                                 \
    return entered;
/// For functions that free: they do so even when they are made to fail.
#define ENTER_TO_FREE(needsContext)                                            \
  std::lock_guard<std::recursive_mutex> guard(mutex);                          \
  CUresult entered = enter(__func__, needsContext);

FakeDriver *fakeDriver() { return &state; }

int fakeDriverCalls(int function, const char **name) {
  for (auto &[known, count] : calls)
    if (function-- == 0) {
      *name = known.c_str();
      return count;
    }
  return -1;
}

void fakeDriverReset() {
  state = {};
  calls.clear();
  functions.clear();
  defaultStream = {};
}

CUresult cuInit(unsigned) {
  ENTER(false)
  return CUDA_SUCCESS;
}

CUresult cuDriverGetVersion(int *version) {
  ENTER(false)
  *version = state.version;
  return CUDA_SUCCESS;
}

CUresult cuGetErrorName(CUresult error, const char **name) {
  ENTER(false)
  *name = error == CUDA_ERROR_OUT_OF_MEMORY    ? "CUDA_ERROR_OUT_OF_MEMORY"
          : error == CUDA_ERROR_LAUNCH_FAILED  ? "CUDA_ERROR_LAUNCH_FAILED"
          : error == CUDA_ERROR_INVALID_DEVICE ? "CUDA_ERROR_INVALID_DEVICE"
                                               : "CUDA_ERROR_UNKNOWN";
  return CUDA_SUCCESS;
}

CUresult cuGetErrorString(CUresult error, const char **text) {
  ENTER(false)
  *text = error == CUDA_ERROR_OUT_OF_MEMORY ? "out of memory" : "failed";
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetCount(int *count) {
  ENTER(false)
  *count = state.devices;
  return CUDA_SUCCESS;
}

CUresult cuDeviceGet(CUdevice *device, int ordinal) {
  ENTER(false)
  *device = 7 + ordinal;
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetName(char *name, int bytes, CUdevice) {
  ENTER(false)
  strncpy(name, "Fake", size_t(bytes));
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetAttribute(int *value, CUdevice_attribute attribute,
                              CUdevice) {
  ENTER(false)
  *value = attribute == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR
               ? state.capability / 10
               : state.capability % 10;
  return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice) {
  ENTER(false)
  ++state.contexts;
  *context = &theContext;
  return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice) {
  ENTER_TO_FREE(false)
  --state.contexts;
  return entered;
}

CUresult cuCtxSetCurrent(CUcontext context) {
  ENTER(false)
  current = context;
  return CUDA_SUCCESS;
}

CUresult cuCtxGetCurrent(CUcontext *context) {
  ENTER(false)
  *context = current;
  return CUDA_SUCCESS;
}

CUresult cuModuleLoadData(CUmodule *module, const void *image) {
  ENTER(true)
  *module = new CUmod_st{static_cast<const FakeImage *>(image)};
  ++state.modules;
  ++state.loads;
  return CUDA_SUCCESS;
}

CUresult cuModuleUnload(CUmodule module) {
  ENTER_TO_FREE(false)
  delete module;
  --state.modules;
  return entered;
}

CUresult cuModuleGetFunction(CUfunction *function, CUmodule module,
                             const char *name) {
  ENTER(true)
  static const FakeFunction nothing = {"", 0, [](void *const *) {}};
  if (module->image->magic != fakeImageMagic) {
    *function = &functions[name];
    (*function)->function = &nothing;
    return CUDA_SUCCESS;
  }
  for (int i = 0; i < module->image->count; ++i)
    if (strcmp(module->image->functions[i].name, name) == 0) {
      *function = &functions[name];
      (*function)->function = &module->image->functions[i];
      return CUDA_SUCCESS;
    }
  return CUDA_ERROR_NOT_FOUND;
}

CUresult cuFuncSetAttribute(CUfunction function, CUfunction_attribute attribute,
                            int value) {
  ENTER(true)
  if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES)
    return misuse();
  function->sharedLimit = value;
  return CUDA_SUCCESS;
}

CUresult cuLaunchKernel(CUfunction function, unsigned gridX, unsigned gridY,
                        unsigned gridZ, unsigned blockX, unsigned blockY,
                        unsigned blockZ, unsigned sharedBytes, CUstream stream,
                        void **params, void **) {
  ENTER(true)
  if (!gridX || !gridY || !gridZ || !blockX || !blockY || !blockZ ||
      gridY > 65535 || gridZ > 65535 ||
      int(sharedBytes) > function->sharedLimit)
    return misuse();
  ++state.launches;
  state.sharedLimit = function->sharedLimit;
  std::vector<uint64_t> values;
  for (int i = 0; i < function->function->params; ++i)
    values.push_back(*static_cast<uint64_t *>(params[i]));
  return enqueue(stream, [function, values]() mutable {
    std::vector<void *> pointers;
    for (uint64_t &value : values)
      pointers.push_back(&value);
    function->function->call(pointers.data());
  });
}

CUresult cuMemAlloc_v2(CUdeviceptr *pointer, size_t bytes) {
  ENTER(true)
  if (bytes == 0)
    return misuse();
  void *block = aligned_alloc(256, (bytes + 255) / 256 * 256);
  memory.insert(block);
  ++state.allocations;
  *pointer = reinterpret_cast<uint64_t>(block) | fakeDeviceBit;
  return CUDA_SUCCESS;
}

CUresult cuMemFree_v2(CUdeviceptr pointer) {
  ENTER_TO_FREE(false)
  auto *block = onHost<void>(reinterpret_cast<void *>(pointer));
  if (!memory.erase(block))
    return misuse();
  // Work that this thread began may use it. (A real driver waits in some
  // versions.)
  for (CUstream stream : streams)
    if (stream->maker == std::this_thread::get_id() && !stream->work.empty())
      misuse();
  free(block);
  --state.allocations;
  return entered;
}

CUresult cuMemHostAlloc(void **pointer, size_t bytes, unsigned) {
  ENTER(true)
  *pointer = malloc(bytes);
  hostMemory.insert(*pointer);
  ++state.hostAllocations;
  return CUDA_SUCCESS;
}

CUresult cuMemFreeHost(void *pointer) {
  ENTER_TO_FREE(false)
  if (!hostMemory.erase(pointer))
    return misuse();
  free(pointer);
  --state.hostAllocations;
  return entered;
}

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes,
                              CUstream stream) {
  ENTER(true)
  if (!isOnDevice(to) || (stream && stream->records))
    return misuse();
  ++state.toDevice;
  auto *start = static_cast<const char *>(from);
  return enqueue(stream, [to, data = std::vector<char>(start, start + bytes)] {
    memcpy(onHost<void>(reinterpret_cast<void *>(to)), data.data(),
           data.size());
  });
}

CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes,
                              CUstream stream) {
  ENTER(true)
  if (!isOnDevice(from) || (stream && stream->records))
    return misuse();
  ++state.toHost;
  return enqueue(stream, [=] {
    memcpy(to, onHost<void>(reinterpret_cast<void *>(from)), bytes);
  });
}

CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes,
                              CUstream stream) {
  ENTER(true)
  if (!isOnDevice(to) || !isOnDevice(from))
    return misuse();
  return enqueue(stream, [=] {
    memcpy(onHost<void>(reinterpret_cast<void *>(to)),
           onHost<void>(reinterpret_cast<void *>(from)), bytes);
  });
}

CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t bytes,
                         CUstream stream) {
  ENTER(true)
  return enqueue(stream, [=] {
    memset(onHost<void>(reinterpret_cast<void *>(to)), value, bytes);
  });
}

CUresult cuStreamCreate(CUstream *stream, unsigned) {
  ENTER(true)
  *stream = new CUstream_st;
  streams.insert(*stream);
  ++state.streams;
  return CUDA_SUCCESS;
}

CUresult cuStreamDestroy_v2(CUstream stream) {
  ENTER_TO_FREE(false)
  // Work that nobody waited for may still use what is freed next.
  if (!stream->work.empty())
    misuse();
  streams.erase(stream);
  delete stream;
  --state.streams;
  return entered;
}

CUresult cuStreamSynchronize(CUstream stream) {
  // What was begun ends in any case.
  ENTER_TO_FREE(true)
  if (stream && stream->records)
    return misuse();
  Work work;
  work.swap((stream ? stream : &defaultStream)->work);
  for (auto &item : work)
    item();
  return entered;
}

CUresult cuEventCreate(CUevent *event, unsigned) {
  ENTER(true)
  *event = new CUevent_st;
  ++state.events;
  return CUDA_SUCCESS;
}

CUresult cuEventRecord(CUevent event, CUstream stream) {
  ENTER(true)
  event->time = -1;
  return enqueue(stream, [=] { event->time = eventTime++; });
}

CUresult cuEventElapsedTime(float *milliseconds, CUevent from, CUevent to) {
  ENTER(true)
  if (from->time < 0 || to->time < 0)
    return misuse();
  *milliseconds = float(to->time - from->time);
  return CUDA_SUCCESS;
}

CUresult cuEventDestroy_v2(CUevent event) {
  ENTER_TO_FREE(false)
  delete event;
  --state.events;
  return entered;
}

CUresult cuStreamBeginCapture_v2(CUstream stream, CUstreamCaptureMode) {
  ENTER(true)
  stream->records = true;
  return CUDA_SUCCESS;
}

CUresult cuStreamEndCapture(CUstream stream, CUgraph *graph) {
  ENTER_TO_FREE(true)
  Work work;
  work.swap(stream->work);
  stream->records = false;
  if (entered != CUDA_SUCCESS)
    return entered;
  *graph = new CUgraph_st{work};
  ++state.graphs;
  return CUDA_SUCCESS;
}

CUresult cuGraphInstantiateWithFlags(CUgraphExec *executable, CUgraph graph,
                                     unsigned long long) {
  ENTER(true)
  *executable = new CUgraphExec_st{graph->work};
  ++state.executables;
  return CUDA_SUCCESS;
}

CUresult cuGraphLaunch(CUgraphExec executable, CUstream stream) {
  ENTER(true)
  ++state.graphLaunches;
  for (auto &item : executable->work)
    enqueue(stream, item);
  return CUDA_SUCCESS;
}

CUresult cuGraphExecDestroy(CUgraphExec executable) {
  ENTER_TO_FREE(false)
  delete executable;
  --state.executables;
  return entered;
}

CUresult cuGraphDestroy(CUgraph graph) {
  ENTER_TO_FREE(false)
  delete graph;
  --state.graphs;
  return entered;
}
