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

/// What data hold before anything was written to them, where memory is checked:
/// NaNs and -1, so that whoever reads them gives a wrong result.
constexpr int kPoison = 0xff;

/// Blocks in size classes, four to each power of two. A block that is given
/// back, or left over from the last run, serves the next request of its class.
/// Blocks in use are kept in the order in which they were made: a loop gives
/// back what is newer than itself.
class Blocks {
public:
  enum class Life { Iteration, Run };

  /// A block that `endIteration` may give back, or one that lives until the
  /// next run unless it is freed.
  void *allocate(const hone_allocator &allocator, int64_t bytes, Life life);
  void free(void *block);
  /// How many blocks were made so far.
  int64_t mark() const { return made; }
  /// Frees all blocks that were made after the first `mark` ones and live for
  /// an iteration, but for those in `kept`.
  void endIteration(int64_t mark, void *const *kept, int64_t count);
  /// All blocks become free.
  void recycle();
  void release(const hone_allocator &allocator);
  int64_t bytes() const { return held; }

  /// Fills blocks with `kPoison` when they are made and when they are freed.
  bool poisons = false;

private:
  struct Header {
    Header *next, *previous; ///< among those in use, or free of this class
    int64_t bytes;           ///< header included
    int64_t number;          ///< in the order in which blocks were made
    int32_t sizeClass;
    Life life;
    bool isKept; ///< within `endIteration`
  };
  static constexpr int32_t classCount = 4 * 48;

  static Header *headerOf(void *block);
  Header *&usedOf(Life life) { return used[int32_t(life)]; }
  void poison(Header *header) const;
  void giveBack(Header *header);

  Header *used[2] = {}; ///< by life, the newest first
  Header *unused[classCount] = {};
  int64_t held = 0, made = 0;
};

} // namespace hone

#endif // HONE_RUNTIME_CORE_ARENA_H
