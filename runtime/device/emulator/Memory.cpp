// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Allocations in a reserved range of addresses.
#include "runtime/device/emulator/Memory.h"

#include <cstring>
#include <sys/mman.h>

using namespace hone::emulator;

namespace {
constexpr size_t kSlotBits = 32;
constexpr size_t kSlotBytes = size_t(1) << kSlotBits;
constexpr size_t kSlots = 4096;

void *reserve(size_t bytes, int protection) {
  void *mapped = mmap(nullptr, bytes, protection,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return mapped == MAP_FAILED ? nullptr : mapped;
}

size_t traceBytes(size_t bytes) { return (bytes + 3) / 4 * sizeof(WordTrace); }
} // namespace

DeviceMemory::DeviceMemory()
    : base(static_cast<char *>(reserve(kSlots * kSlotBytes, PROT_NONE))),
      slots(kSlots) {}

DeviceMemory::~DeviceMemory() {
  for (Allocation &slot : slots)
    if (slot.data)
      free(slot.data);
  if (base)
    munmap(base, kSlots * kSlotBytes);
}

char *DeviceMemory::allocate(size_t bytes) {
  if (!base || bytes == 0 || bytes >= kSlotBytes)
    return nullptr;
  for (size_t i = 0; i < slots.size(); ++i) {
    Allocation &slot = slots[i];
    if (slot.data)
      continue;
    char *data = base + i * kSlotBytes;
    if (mprotect(data, bytes, PROT_READ | PROT_WRITE) != 0)
      return nullptr;
    slot.isSet = static_cast<uint8_t *>(reserve(bytes, PROT_READ | PROT_WRITE));
    slot.words = static_cast<WordTrace *>(
        reserve(traceBytes(bytes), PROT_READ | PROT_WRITE));
    slot.data = data;
    slot.bytes = bytes;
    if (!slot.isSet || !slot.words) {
      free(data);
      return nullptr;
    }
    std::memset(data, 0xff, bytes);
    return data;
  }
  return nullptr;
}

bool DeviceMemory::free(char *data) {
  Allocation *slot = find(data);
  if (!slot || slot->data != data)
    return false;
  // New pages: the old content is gone, and touching it faults.
  mmap(slot->data, (slot->bytes + 4095) / 4096 * 4096, PROT_NONE,
       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  if (slot->isSet)
    munmap(slot->isSet, slot->bytes);
  if (slot->words)
    munmap(slot->words, traceBytes(slot->bytes));
  *slot = {};
  return true;
}

Allocation *DeviceMemory::find(const void *address) {
  auto at = static_cast<const char *>(address);
  if (!base || at < base || at >= base + kSlots * kSlotBytes)
    return nullptr;
  Allocation &slot = slots[size_t(at - base) >> kSlotBits];
  return slot.data ? &slot : nullptr;
}

void DeviceMemory::markSet(const void *address, size_t bytes) {
  if (Allocation *slot = find(address))
    std::memset(slot->isSet + (static_cast<const char *>(address) - slot->data),
                1, bytes);
}
