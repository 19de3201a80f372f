// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A session's memory: one growing region for the arena, and blocks, kept
// between runs, for values whose size depends on data.
#ifndef HONE_RUNTIME_CORE_ARENA_H
#define HONE_RUNTIME_CORE_ARENA_H

#include "hone/abi.h"

namespace hone {

/// The allocator of sessions that supply none: pages from the system for large
/// requests, malloc for small ones.
hone_allocator systemAllocator();

/// A region that grows by being replaced, losing its content.
class Region {
public:
  /// At least `bytes`, aligned to 4096 bytes. False: out of memory; nothing is
  /// held.
  bool reserve(const hone_allocator &allocator, int64_t bytes);
  void release(const hone_allocator &allocator);
  char *data() const { return memory; }
  int64_t bytes() const { return capacity; }

private:
  char *memory = nullptr;
  int64_t capacity = 0;
};

/// The content of memory that was never written, where memory is checked: NaN
/// and -1, so that reading it gives a wrong result.
constexpr int kPoison = 0xff;

/// Blocks in size classes, four per power of two. A block that was freed or is
/// left over from the last run serves the next request of its class. Blocks in
/// use are kept in order of allocation: a loop frees those newer than itself.
class Blocks {
public:
  enum class Life { Iteration, Run };

  /// A block that `endIteration` may free, or one that lives until the next run
  /// unless it is freed.
  void *allocate(const hone_allocator &allocator, int64_t bytes, Life life);
  void free(void *block);
  /// Number of blocks allocated so far.
  int64_t mark() const { return made; }
  /// Frees all blocks that were allocated after the first `mark` ones and live
  /// for an iteration, except those in `kept`.
  void endIteration(int64_t mark, void *const *kept, int64_t count);
  /// Frees all blocks.
  void recycle();
  void release(const hone_allocator &allocator);
  int64_t bytes() const { return held; }

  /// Fills blocks with `kPoison` when they are allocated and freed.
  bool poisons = false;

private:
  struct Header {
    Header *next, *previous; ///< in the list of blocks in use, or of free ones
                             ///< of this class
    int64_t bytes;           ///< header included
    int64_t number;          ///< in order of allocation
    int32_t sizeClass;
    Life life;
    bool isKept; ///< within `endIteration`
  };
  static constexpr int32_t classCount = 4 * 48;

  static Header *headerOf(void *block);
  Header *&usedOf(Life life) { return used[int32_t(life)]; }
  void poison(Header *header) const;
  void giveBack(Header *header);

  Header *used[2] = {}; ///< by lifetime, newest first
  Header *unused[classCount] = {};
  int64_t held = 0, made = 0;
};

} // namespace hone

#endif // HONE_RUNTIME_CORE_ARENA_H
