// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Workers spin for a moment after each job, since the next one usually follows
// at once, then park in a futex. A job is open while its caller works on it;
// workers join an open job. Once no piece is left, the caller closes it and
// waits only for those that joined, so a worker that comes late costs nothing.
// Each thread begins with pieces of its own, the same part of every job: what
// one kernel writes is in the cache of the thread that reads it in the next.
#include "runtime/core/Pool.h"
#include "runtime/core/CpuLevel.h"

#include <atomic>
#include <immintrin.h>
#include <limits.h>
#include <linux/futex.h>
#include <new>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <x86intrin.h>

namespace {

/// Time stamp ticks that a thread spins before it parks: about 50 us between
/// runs, half a millisecond while a session holds the pool.
constexpr uint64_t idleSpin = 150'000;
constexpr uint64_t heldSpin = 1'500'000;

constexpr int32_t maxThreads = 1024;
constexpr size_t stackBytes = size_t(2) << 20;

/// The gate's word: the number of workers in the job, whether it is open,
/// whether the caller sleeps until the last worker has left, and the job's
/// number.
constexpr uint64_t joinedMask = 0xffff;
constexpr uint64_t openBit = uint64_t(1) << 16;
constexpr uint64_t waiterBit = uint64_t(1) << 17;
constexpr int jobShift = 32;

struct Pool;

/// A thread of the pool; the first is whoever calls.
struct alignas(64) Worker {
  /// Its pieces that nobody has taken yet, in units: from the lower half of the
  /// word up to the higher.
  std::atomic<uint64_t> range{0};
  Pool *pool = nullptr;
  pthread_t handle = {};
  int64_t thread = 0;
};

struct Pool {
  alignas(64) std::atomic<uint64_t> gate{0};
  /// Result of the first task that failed.
  alignas(64) std::atomic<int32_t> result{0};
  /// Number of workers in the futex, and the word they sleep on.
  alignas(64) std::atomic<uint32_t> parked{0};
  std::atomic<uint32_t> wakeWord{0};
  alignas(64) std::atomic<uint32_t> held{0};
  std::atomic<uint32_t> stop{0};
  // The job. Written while the gate is closed.
  alignas(64) int64_t pieces = 0;
  uint64_t unit = 1; ///< Pieces that are taken together at least.
  hone_task_fn function = nullptr;
  void *task = nullptr;
  int64_t threads = 1;
  /// False with more threads than processors: spinning would take time from a
  /// thread that has work.
  bool spin = true;
  Worker *workers = nullptr;
};

void futexWait(std::atomic<uint32_t> *word, uint32_t expected) {
  syscall(SYS_futex, reinterpret_cast<uint32_t *>(word),
          FUTEX_WAIT | FUTEX_PRIVATE_FLAG, expected, nullptr, nullptr, 0);
}

void futexWake(std::atomic<uint32_t> *word, int count) {
  syscall(SYS_futex, reinterpret_cast<uint32_t *>(word),
          FUTEX_WAKE | FUTEX_PRIVATE_FLAG, count, nullptr, nullptr, 0);
}

/// The half of the gate that a futex can watch: counts and bits.
std::atomic<uint32_t> *lowWord(std::atomic<uint64_t> &gate) {
  return reinterpret_cast<std::atomic<uint32_t> *>(&gate);
}

uint64_t rangeOf(uint64_t begin, uint64_t end) { return end << 32 | begin; }

/// Takes half of a range, from its start if it is the thread's own, or from its
/// end, and returns it; 0: nothing is left.
uint64_t take(std::atomic<uint64_t> &range, bool own) {
  uint64_t left = range.load(std::memory_order_relaxed);
  for (;;) {
    uint64_t begin = uint32_t(left), end = left >> 32;
    if (begin >= end)
      return 0;
    uint64_t half = (end - begin + 1) / 2;
    uint64_t rest =
        own ? rangeOf(begin + half, end) : rangeOf(begin, end - half);
    if (range.compare_exchange_weak(left, rest, std::memory_order_relaxed))
      return own ? rangeOf(begin, begin + half) : rangeOf(end - half, end);
  }
}

/// Runs the pieces of a thread, then what others have left. Ranges shrink
/// towards the end, so that threads finish together; neighbouring pieces stay
/// on one thread.
void work(Pool &pool, int64_t thread) {
  for (int64_t i = 0; i < pool.threads; ++i) {
    Worker &owner = pool.workers[(thread + i) % pool.threads];
    while (uint64_t taken = take(owner.range, i == 0)) {
      uint64_t begin = uint32_t(taken) * pool.unit,
               end = (taken >> 32) * pool.unit, pieces = pool.pieces;
      int32_t result =
          pool.function(pool.task, begin, end < pieces ? end : pieces, thread);
      if (result == 0)
        continue;
      int32_t none = 0;
      pool.result.compare_exchange_strong(none, result);
      for (int64_t t = 0; t < pool.threads; ++t)
        pool.workers[t].range.store(0, std::memory_order_relaxed);
      return;
    }
  }
}

/// Gives each thread an equal part of the pieces. All ranges are empty before.
void divide(Pool &pool) {
  pool.unit = pool.pieces / UINT32_MAX + 1;
  uint64_t units = (uint64_t(pool.pieces) + pool.unit - 1) / pool.unit;
  uint64_t threads = pool.threads;
  uint64_t each = units / threads, rest = units % threads;
  for (uint64_t t = 0, begin = 0; t < threads && begin < units; ++t) {
    uint64_t end = begin + each + (t < rest);
    pool.workers[t].range.store(rangeOf(begin, end), std::memory_order_relaxed);
    begin = end;
  }
}

/// Waits for a job other than `last`, and joins it. 0: the pool shuts down.
uint64_t join(Pool &pool, uint64_t last) {
  uint64_t start = __rdtsc();
  for (;;) {
    uint64_t gate = pool.gate.load(std::memory_order_acquire);
    while ((gate & openBit) && gate >> jobShift != last)
      if (pool.gate.compare_exchange_weak(gate, gate + 1,
                                          std::memory_order_acquire))
        return gate >> jobShift;
    if (pool.stop.load(std::memory_order_relaxed))
      return 0;
    uint64_t limit =
        pool.held.load(std::memory_order_relaxed) ? heldSpin : idleSpin;
    if (pool.spin && __rdtsc() - start < limit) {
      _mm_pause();
      continue;
    }
    uint32_t seen = pool.wakeWord.load();
    pool.parked.fetch_add(1);
    // A job opened since then has changed the word or sees this worker parked.
    gate = pool.gate.load();
    bool news =
        ((gate & openBit) && gate >> jobShift != last) || pool.stop.load();
    if (!news)
      futexWait(&pool.wakeWord, seen);
    pool.parked.fetch_sub(1);
    start = __rdtsc();
  }
}

void leave(Pool &pool) {
  uint64_t before = pool.gate.fetch_sub(1, std::memory_order_release);
  if ((before & joinedMask) == 1 && (before & waiterBit))
    futexWake(lowWord(pool.gate), 1);
}

void *workerMain(void *argument) {
  Worker &worker = *static_cast<Worker *>(argument);
  // Do not inherit the rounding and denormal modes of the creating thread.
  _mm_setcsr(0x1f80);
  uint64_t job = 0;
  while ((job = join(*worker.pool, job)) != 0) {
    work(*worker.pool, worker.thread);
    leave(*worker.pool);
  }
  return nullptr;
}

int32_t acquire(void *self) {
  Pool &pool = *static_cast<Pool *>(self);
  if (pool.held.load(std::memory_order_relaxed))
    return 0;
  return pool.held.exchange(1, std::memory_order_acquire) == 0;
}

void release(void *self) {
  static_cast<Pool *>(self)->held.store(0, std::memory_order_release);
}

/// Closes the job and waits until no worker is in it.
void closeJob(Pool &pool) {
  uint64_t gate = pool.gate.fetch_and(~openBit, std::memory_order_acquire);
  uint64_t start = __rdtsc();
  while ((pool.gate.load(std::memory_order_acquire) & joinedMask) != 0) {
    if (__rdtsc() - start < idleSpin) {
      _mm_pause();
      continue;
    }
    gate = pool.gate.fetch_or(waiterBit) | waiterBit;
    if ((gate & joinedMask) != 0)
      futexWait(lowWord(pool.gate), uint32_t(gate));
  }
}

int32_t run(void *self, int64_t pieces, hone_task_fn function, void *task) {
  Pool &pool = *static_cast<Pool *>(self);
  if (pieces <= 0)
    return 0;
  if (pool.threads == 1 || pieces == 1)
    return function(task, 0, pieces, 0);
  pool.pieces = pieces;
  pool.function = function;
  pool.task = task;
  pool.result.store(0, std::memory_order_relaxed);
  divide(pool);
  // Job numbers are never 0, the initial value of a worker's last job.
  uint64_t job = (pool.gate.load(std::memory_order_relaxed) >> jobShift) + 1;
  job = job > UINT32_MAX ? 1 : job;
  pool.gate.store(job << jobShift | openBit);
  pool.wakeWord.fetch_add(1);
  uint32_t parked = pool.parked.load();
  if (parked != 0)
    futexWake(&pool.wakeWord,
              int(pieces - 1 < int64_t(parked) ? pieces - 1 : parked));
  work(pool, 0);
  closeJob(pool);
  return pool.result.load(std::memory_order_relaxed);
}

} // namespace

int32_t hone::createPool(int32_t threads, hone_pool *table) {
  if (table)
    *table = {};
  if (!table || threads < 0)
    return HONE_WRONG_CALL;
  if (threads == 0)
    threads = usableProcessors();
  threads = threads > maxThreads ? maxThreads : threads;
  void *memory = aligned_alloc(alignof(Pool), sizeof(Pool));
  void *workerMemory = aligned_alloc(alignof(Worker), threads * sizeof(Worker));
  if (!memory || !workerMemory) {
    free(memory);
    free(workerMemory);
    return HONE_OUT_OF_MEMORY;
  }
  Pool *pool = new (memory) Pool;
  auto *workers = static_cast<Worker *>(workerMemory);
  for (int32_t i = 0; i < threads; ++i)
    new (&workers[i]) Worker;
  pool->workers = workers;
  pool->spin = threads <= usableProcessors();

  // Signals are for the program's own threads.
  sigset_t all, previous;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &previous);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, stackBytes);
  int32_t started = 1;
  for (; started < threads; ++started) {
    Worker &worker = workers[started];
    worker.pool = pool;
    worker.thread = started;
    if (pthread_create(&worker.handle, &attributes, workerMain, &worker) != 0)
      break;
  }
  pthread_attr_destroy(&attributes);
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);

  // No job has run yet: nobody reads this before the first one is opened.
  pool->threads = started;
  *table = {pool, acquire, release, run, started};
  return HONE_OK;
}

void hone::destroyPool(hone_pool *table) {
  Pool *pool = table ? static_cast<Pool *>(table->self) : nullptr;
  if (!pool)
    return;
  pool->stop.store(1);
  pool->wakeWord.fetch_add(1);
  futexWake(&pool->wakeWord, INT_MAX);
  for (int64_t i = 1; i < pool->threads; ++i)
    pthread_join(pool->workers[i].handle, nullptr);
  free(pool->workers);
  free(pool);
  *table = {};
}
