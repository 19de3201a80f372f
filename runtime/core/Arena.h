// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A session's memory: one growing region for the arena, and blocks that are
// kept from run to run for what only the data decide.
#ifndef HONE_RUNTIME_CORE_ARENA_H
#define HONE_RUNTIME_CORE_ARENA_H

#include "hone/abi.h"

namespace hone {

/// The allocator of sessions that bring none: pages from the system for large
/// pieces, malloc for small ones.
hone_allocator systemAllocator();

/// One piece of memory that grows by being replaced; its content is then lost.
class Region {
public:
  /// At least `bytes`, aligned to 4096 bytes. False: no memory; nothing is
  /// held.
  bool reserve(const hone_allocator &allocator, int64_t bytes);
  void release(const hone_allocator &allocator);
  char *data() const { return memory; }
  int64_t bytes() const { return capacity; }

private:
  char *memory = nullptr;
  int64_t capacity = 0;
};

/// Blocks in size classes, four to each power of two. A block that is given
/// back, or left over from the last run, serves the next request of its class.
class Blocks {
public:
  void *allocate(const hone_allocator &allocator, int64_t bytes);
  void free(void *block);
  /// All blocks become free.
  void recycle();
  void release(const hone_allocator &allocator);
  int64_t bytes() const { return held; }

private:
  struct Header {
    Header *next, *previous; ///< among those in use, or free of this class
    int64_t bytes;           ///< header included
    int32_t sizeClass;
  };
  static constexpr int32_t classCount = 4 * 48;

  Header *used = nullptr;
  Header *unused[classCount] = {};
  int64_t held = 0;
};

} // namespace hone

#endif // HONE_RUNTIME_CORE_ARENA_H
