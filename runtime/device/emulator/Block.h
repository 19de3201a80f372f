// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One launch on the emulated device: its blocks, one after another, and the
// threads of the running block.
#ifndef HONE_RUNTIME_DEVICE_EMULATOR_BLOCK_H
#define HONE_RUNTIME_DEVICE_EMULATOR_BLOCK_H

#include "runtime/device/emulator/Emulated.h"
#include "runtime/device/emulator/Fiber.h"
#include "runtime/device/emulator/Memory.h"

#include <memory>
#include <string>
#include <vector>

namespace hone::emulator {

struct LaunchShape {
  uint32_t grid[3], block[3];
  uint32_t sharedBytes; ///< dynamic
};

/// A pending copy to shared memory.
struct PendingCopy {
  char *to;
  const char *from;
  int32_t bytes, valid;
  int64_t group;
};

struct Thread {
  enum State { New, Ready, Waiting, Done };
  uint32_t id[3];
  uint32_t number, warp, lane;
  State state;
  Context context;
  Stack *stack;
  int32_t site; ///< of what it waits at
  int64_t groups;
  std::vector<PendingCopy> copies;
};

/// What the lanes of a warp contribute to an operation that they execute
/// together.
struct Meeting {
  int32_t kind, site;
  uint32_t mask, arrived;
  uint32_t value[32];
  int32_t b[32], c[32];
  const void *address[32];
  uint32_t *result[32];
  const uint32_t *operands[32][3];
  int32_t predicate[32];
};

struct Warp {
  Meeting meeting;
  uint32_t epoch; ///< counts synchronizations of its lanes
};

/// Who last wrote and read a byte of shared memory, in which of the block's and
/// the warp's intervals between barriers.
struct SharedTrace {
  uint32_t writer, writerEpoch, writerWarpEpoch;
  uint32_t reader, readerEpoch, readerWarpEpoch;
  uint8_t isSet, inFlight, manyReaders, manyWarps;
};

class Launch {
public:
  Launch(DeviceMemory &memory, StackPool &stacks,
         const hone_emulated_module &module,
         const hone_emulated_function &function, const LaunchShape &shape,
         void **params, uint64_t number);

  /// False after errors, which were written to standard error.
  bool run();

  // What kernels call through the table of services.
  void *access(const void *address, int64_t bytes, int32_t site, int32_t space,
               int32_t alignment, bool writes, bool isAtomic);
  int32_t special(int32_t reg) const;
  void barrier(int32_t id, int32_t count, int32_t site);
  /// Waits for the lanes of `mask`; the last one calls `perform`.
  void meet(int32_t kind, uint32_t mask, int32_t site,
            void (*perform)(Launch &, Warp &));
  Warp &warp() { return warps[current->warp]; }
  Thread &thread() { return *current; }
  void copyAsync(void *to, const void *from, int32_t bytes, int32_t valid,
                 int32_t site);
  void commitGroup() { ++current->groups; }
  void waitGroup(int32_t pending, int32_t site);
  void *sharedBase() { return shared.data(); }
  /// Reads on behalf of a lane; null after an error.
  const void *checkedRead(const Thread &reader, const void *address,
                          int64_t bytes, int32_t site);
  void report(int32_t site, const char *format, ...)
      __attribute__((format(printf, 3, 4)));
  Thread &lane(uint32_t lane);

private:
  void runBlock();
  void runThreads();
  void resume(Thread &thread);
  void pause();
  static void enter(void *self);
  void finishThread();
  void wake(Thread &thread);
  void reportDeadlock();
  void completeBarrier();
  bool checkShared(size_t offset, int64_t bytes, int32_t site, bool writes,
                   bool isAtomic, const Thread &by);
  bool checkGlobal(Allocation &allocation, size_t offset, int64_t bytes,
                   int32_t site, bool writes, bool isAtomic);
  bool isModuleConstant(const char *at, int64_t bytes) const;
  std::string place(const Thread &thread) const;

  DeviceMemory &memory;
  StackPool &stacks;
  const hone_emulated_module &module;
  const hone_emulated_function &function;
  const LaunchShape shape;
  void **params;
  const uint64_t number;
  const bool onlyBounds;
  uint64_t seed;

  uint32_t blockId[3] = {}, threadCount = 0;
  uint64_t blockNumber = 0;
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  std::vector<uint32_t> ready; ///< threads that can proceed
  uint32_t nextNew = 0;
  Thread *current = nullptr;
  Context scheduler = nullptr;
  uint32_t arrived = 0, epoch = 1;
  int32_t barrierSite = 0;
  uint32_t done = 0;
  std::vector<char> sharedStorage;
  struct Span {
    char *start = nullptr;
    size_t size = 0;
    char *data() const { return start; }
  } shared;
  std::vector<SharedTrace> traces;
  alignas(64) char sink[256];
  int messages = 0;
  bool failed = false, stopped = false;
};

/// The launch that runs on this host thread.
Launch *&currentLaunch();

/// The services that kernels of this library call.
const hone_emulated_services &services();

} // namespace hone::emulator

#endif // HONE_RUNTIME_DEVICE_EMULATOR_BLOCK_H
