// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A driver without a device, for tests of the runtime: work waits in its stream
// until that is synchronized, and from one event to the next there a
// millisecond goes by; device addresses are none of the host's, each function
// can be made to fail, and what is held is counted.
#ifndef HONE_TEST_UNIT_RUNTIME_FAKEDRIVER_H
#define HONE_TEST_UNIT_RUNTIME_FAKEDRIVER_H

#include "runtime/device/CudaDriver.h"

/// What the code of an image is to this driver. Each parameter has 8 bytes.
struct FakeFunction {
  const char *name;
  int params;
  void (*call)(void *const *params);
};

constexpr uint64_t fakeImageMagic = 0x6567616d49656b46; // "FkeImage"

/// Functions of other images, which are for real devices, do nothing.
struct FakeImage {
  uint64_t magic;
  const FakeFunction *functions;
  int count;
};

struct FakeDriver {
  int devices = 1, capability = 80, version = 12020;
  /// The call of this function with this number, from 1, gives this result.
  const char *failing = nullptr;
  int failingCall = 0;
  CUresult failure = CUDA_ERROR_UNKNOWN;

  int contexts = 0, modules = 0, allocations = 0, hostAllocations = 0,
      streams = 0, events = 0, graphs = 0, executables = 0;
  /// Calls without a context, of unknown handles, or at a wrong time.
  int misuses = 0;
  int loads = 0, launches = 0, graphLaunches = 0, toDevice = 0, toHost = 0;
  /// Of the function that was launched last.
  int sharedLimit = 0;

  bool holdsNothing() const {
    return !contexts && !modules && !allocations && !hostAllocations &&
           !streams && !events && !graphs && !executables;
  }
};

extern "C" {
/// Exported by the library, beside the driver's functions.
FakeDriver *fakeDriver();
/// How often a function was called; -1: there is none of that number.
int fakeDriverCalls(int function, const char **name);
void fakeDriverReset();
}

/// The host would fault on the address of a device.
constexpr uint64_t fakeDeviceBit = uint64_t(1) << 60;
template <typename T> T *onHost(const void *devicePointer) {
  return reinterpret_cast<T *>(reinterpret_cast<uint64_t>(devicePointer) &
                               ~fakeDeviceBit);
}

#endif // HONE_TEST_UNIT_RUNTIME_FAKEDRIVER_H
