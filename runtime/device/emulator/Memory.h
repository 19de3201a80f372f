// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Memory of the emulated device, with metadata for each byte.
#ifndef HONE_RUNTIME_DEVICE_EMULATOR_MEMORY_H
#define HONE_RUNTIME_DEVICE_EMULATOR_MEMORY_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace hone::emulator {

/// The work that last touched four bytes: the launch in the upper half, block +
/// 1 in the lower; the top bit is set by atomics.
struct WordTrace {
  uint64_t written, read;
};

struct Allocation {
  char *data = nullptr;
  size_t bytes = 0;
  uint8_t *isSet = nullptr;   ///< by byte: something was written there
  WordTrace *words = nullptr; ///< by aligned four bytes
};

/// Every allocation has 4 GiB of addresses for itself, so that a stray index
/// cannot reach another one.
class DeviceMemory {
public:
  DeviceMemory();
  ~DeviceMemory();
  DeviceMemory(const DeviceMemory &) = delete;

  /// Null if there is no memory. The content is 0xff, which is NaN in every
  /// float type.
  char *allocate(size_t bytes);
  /// False where nothing was allocated at `data`.
  bool free(char *data);
  /// The allocation whose addresses include `address`, in bounds or not; null
  /// if there is none.
  Allocation *find(const void *address);
  /// Written by the host or by a copy.
  void markSet(const void *address, size_t bytes);

private:
  char *base = nullptr;
  std::vector<Allocation> slots;
};

} // namespace hone::emulator

#endif // HONE_RUNTIME_DEVICE_EMULATOR_MEMORY_H
