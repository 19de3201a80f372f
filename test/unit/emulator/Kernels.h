// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Runs a kernel written in C++ on the emulated device.
#ifndef HONE_TEST_UNIT_EMULATOR_KERNELS_H
#define HONE_TEST_UNIT_EMULATOR_KERNELS_H

#include "runtime/device/CudaDriver.h"
#include "runtime/device/emulator/Emulated.h"

#include <gtest/gtest.h>
#include <string>
#include <vector>

/// What kernels call; set when a module is loaded.
extern const hone_emulated_services *emulator;

inline int32_t threadX() { return emulator->special(HONE_SREG_TID_X); }
inline int32_t blockX() { return emulator->special(HONE_SREG_CTAID_X); }

template <typename T>
T load(const T *address, int32_t site, int32_t space = 0) {
  return *static_cast<T *>(
      emulator->load(address, sizeof(T), site, space, alignof(T)));
}
template <typename T>
void store(T *address, T value, int32_t site, int32_t space = 0) {
  *static_cast<T *>(
      emulator->store(address, sizeof(T), site, space, alignof(T))) = value;
}

/// How a launch ended.
struct LaunchEnd {
  CUresult result;
  std::string messages; ///< on standard error
};

/// Launches a kernel of one pointer, with one array in shared memory.
LaunchEnd launch(void (*kernel)(void **), CUdeviceptr data, unsigned blocks,
                 unsigned threads, int32_t sharedBytes = 0);

/// Memory of the device that goes with the test.
class DeviceArray {
public:
  explicit DeviceArray(size_t bytes);
  ~DeviceArray();
  CUdeviceptr pointer() const { return data; }
  template <typename T> void write(const std::vector<T> &values) {
    ASSERT_EQ(cuMemcpyHtoDAsync_v2(data, values.data(),
                                   values.size() * sizeof(T), nullptr),
              CUDA_SUCCESS);
  }
  template <typename T> std::vector<T> read(size_t count) {
    std::vector<T> values(count);
    EXPECT_EQ(
        cuMemcpyDtoHAsync_v2(values.data(), data, count * sizeof(T), nullptr),
        CUDA_SUCCESS);
    return values;
  }

private:
  CUdeviceptr data = 0;
};

#endif // HONE_TEST_UNIT_EMULATOR_KERNELS_H
