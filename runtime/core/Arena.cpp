// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Memory of sessions.
#include "runtime/core/Arena.h"
#include "runtime/core/Plan.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

using namespace hone;

namespace {

constexpr int64_t page = plan::kPage;
constexpr int64_t mappedFrom = int64_t(1) << 20;
constexpr int64_t hugePage = int64_t(2) << 20;
/// Far above any real request, far below where sums overflow.
constexpr int64_t largest = int64_t(1) << 46;

void *allocateFromSystem(void *, int64_t bytes, int64_t alignment) {
  int64_t rounded = (bytes + alignment - 1) & ~(alignment - 1);
  if (bytes < mappedFrom || alignment > page)
    return aligned_alloc(size_t(alignment), size_t(rounded));
  void *memory = mmap(nullptr, size_t(bytes), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return nullptr;
  // Fewer TLB misses; harmless if refused.
  if (bytes >= 2 * hugePage)
    madvise(memory, size_t(bytes), MADV_HUGEPAGE);
  return memory;
}

/// The allocation method follows from the size: nothing this core allocates is
/// aligned to more than a page.
void releaseToSystem(void *, void *pointer, int64_t bytes) {
  if (bytes < mappedFrom)
    free(pointer);
  else
    munmap(pointer, size_t(bytes));
}

/// Size of a block's header. It precedes the memory that is handed out, which
/// in large blocks begins at the second page (see kLargeBuffer).
constexpr int64_t headerBytes = 64;

bool isLarge(int64_t blockBytes) { return blockBytes >= plan::kLargeBuffer; }

/// Bytes of a block before the memory that is handed out.
int64_t prefixOf(int64_t blockBytes) {
  return isLarge(blockBytes) ? page : headerBytes;
}

/// The smallest class that holds `bytes`, and its size. Sizes start at 64 and
/// go 64, 80, 96, 112, 128, 160, ...
int32_t classOf(int64_t bytes, int64_t &classBytes) {
  int64_t size = bytes < 64 ? 64 : bytes;
  int32_t power = 63 - __builtin_clzll(uint64_t(size));
  int64_t step = int64_t(1) << (power - 2);
  int64_t quarter = (size - (int64_t(1) << power) + step - 1) / step;
  classBytes = (int64_t(1) << power) + quarter * step;
  return (power - 6) * 4 + int32_t(quarter);
}

} // namespace

hone_allocator hone::systemAllocator() {
  return {nullptr, allocateFromSystem, releaseToSystem};
}

bool Region::reserve(const hone_allocator &allocator, int64_t bytes) {
  if (bytes < 0 || bytes > largest)
    return false;
  if (bytes <= capacity)
    return true;
  release(allocator);
  int64_t rounded = (bytes + page - 1) & ~(page - 1);
  memory =
      static_cast<char *>(allocator.allocate(allocator.self, rounded, page));
  capacity = memory ? rounded : 0;
  return memory != nullptr;
}

void Region::release(const hone_allocator &allocator) {
  if (memory)
    allocator.release(allocator.self, memory, capacity);
  memory = nullptr;
  capacity = 0;
}

Blocks::Header *Blocks::headerOf(void *block) {
  return reinterpret_cast<Header *>(static_cast<char *>(block) - headerBytes);
}

void Blocks::poison(Header *header) const {
  if (poisons)
    memset(reinterpret_cast<char *>(header) + headerBytes, kPoison,
           size_t(header->bytes - prefixOf(header->bytes)));
}

void *Blocks::allocate(const hone_allocator &allocator, int64_t bytes,
                       Life life) {
  int64_t total;
  if (bytes < 0 || bytes > largest)
    return nullptr;
  int32_t sizeClass = classOf(bytes + headerBytes, total);
  if (isLarge(total))
    sizeClass = classOf(bytes + page, total);
  Header *header = unused[sizeClass];
  if (header) {
    unused[sizeClass] = header->next;
  } else {
    // Large blocks are whole pages anyway.
    int64_t prefix = prefixOf(total);
    auto *block =
        static_cast<char *>(allocator.allocate(allocator.self, total, prefix));
    if (!block)
      return nullptr;
    header = reinterpret_cast<Header *>(block + prefix - headerBytes);
    header->bytes = total;
    header->sizeClass = sizeClass;
    header->isKept = false;
    held += total;
  }
  header->number = ++made;
  header->life = life;
  header->previous = nullptr;
  header->next = usedOf(life);
  if (header->next)
    header->next->previous = header;
  usedOf(life) = header;
  poison(header);
  return reinterpret_cast<char *>(header) + headerBytes;
}

void Blocks::giveBack(Header *header) {
  poison(header);
  header->next = unused[header->sizeClass];
  unused[header->sizeClass] = header;
}

void Blocks::free(void *block) {
  if (!block)
    return;
  Header *header = headerOf(block);
  (header->previous ? header->previous->next : usedOf(header->life)) =
      header->next;
  if (header->next)
    header->next->previous = header->previous;
  giveBack(header);
}

void Blocks::endIteration(int64_t mark, void *const *kept, int64_t count) {
  for (int64_t i = 0; i < count; ++i)
    headerOf(kept[i])->isKept = true;
  Header *previous = nullptr, *header = usedOf(Life::Iteration);
  while (header && header->number > mark) {
    Header *next = header->next;
    if (header->isKept) {
      header->isKept = false;
      previous = header;
    } else {
      (previous ? previous->next : usedOf(Life::Iteration)) = next;
      if (next)
        next->previous = previous;
      giveBack(header);
    }
    header = next;
  }
}

void Blocks::recycle() {
  for (Header *&list : used)
    while (Header *header = list) {
      list = header->next;
      giveBack(header);
    }
}

void Blocks::release(const hone_allocator &allocator) {
  recycle();
  for (Header *&list : unused)
    while (Header *header = list) {
      list = header->next;
      int64_t bytes = header->bytes;
      char *block = reinterpret_cast<char *>(header) + headerBytes;
      allocator.release(allocator.self, block - prefixOf(bytes), bytes);
    }
  held = 0;
}
