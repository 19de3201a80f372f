// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Runs the threads of a block one at a time, each until it has to wait.
#include "runtime/device/emulator/Block.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace hone::emulator;

namespace {
constexpr int kMostMessages = 8;
constexpr size_t kSharedAlignment = 1024;

const char *environment(const char *name) {
  const char *value = std::getenv(name);
  return value ? value : "";
}
} // namespace

Launch *&hone::emulator::currentLaunch() {
  static thread_local Launch *launch = nullptr;
  return launch;
}

Launch::Launch(DeviceMemory &memory, StackPool &stacks,
               const hone_emulated_module &module,
               const hone_emulated_function &function, const LaunchShape &shape,
               void **params, uint64_t number)
    : memory(memory), stacks(stacks), module(module), function(function),
      shape(shape), params(params), number(number),
      onlyBounds(std::strcmp(environment("HONE_EMULATOR_CHECKS"), "bounds") ==
                 0),
      seed(std::strtoull(environment("HONE_EMULATOR_SEED"), nullptr, 10)) {
  threadCount = shape.block[0] * shape.block[1] * shape.block[2];
  size_t bytes = size_t(function.shared_bytes) + shape.sharedBytes;
  sharedStorage.resize(bytes + kSharedAlignment);
  auto start = reinterpret_cast<uintptr_t>(sharedStorage.data());
  start = (start + kSharedAlignment - 1) / kSharedAlignment * kSharedAlignment;
  shared = {reinterpret_cast<char *>(start), bytes};
}

bool Launch::run() {
  if (function.block_size && uint32_t(function.block_size) != threadCount)
    report(-1, "was compiled for blocks of %d threads and is launched with %u",
           function.block_size, threadCount);
  Launch *outer = currentLaunch();
  currentLaunch() = this;
  for (blockId[2] = 0; blockId[2] < shape.grid[2] && !stopped; ++blockId[2])
    for (blockId[1] = 0; blockId[1] < shape.grid[1] && !stopped; ++blockId[1])
      for (blockId[0] = 0; blockId[0] < shape.grid[0] && !stopped;
           ++blockId[0]) {
        runBlock();
        ++blockNumber;
      }
  currentLaunch() = outer;
  return !failed;
}

void Launch::runBlock() {
  threads.resize(threadCount);
  warps.assign((threadCount + 31) / 32, Warp{});
  for (uint32_t i = 0; i < threadCount; ++i) {
    Thread &thread = threads[i];
    thread.id[0] = i % shape.block[0];
    thread.id[1] = i / shape.block[0] % shape.block[1];
    thread.id[2] = i / (shape.block[0] * shape.block[1]);
    thread.number = i;
    thread.warp = i / 32;
    thread.lane = i % 32;
    thread.state = Thread::New;
    thread.stack = nullptr;
    thread.groups = 0;
    thread.copies.clear();
  }
  ready.clear();
  nextNew = done = arrived = 0;
  epoch = 1;
  std::memset(shared.data(), 0xff, shared.size);
  traces.assign(shared.size, SharedTrace{});
  runThreads();
  for (Thread &thread : threads)
    if (thread.stack) {
      stacks.giveBack(thread.stack);
      thread.stack = nullptr;
    }
}

void Launch::runThreads() {
  while (done < threadCount) {
    Thread *next = nullptr;
    if (!ready.empty()) {
      // A seed selects another order; without one the last thread is first.
      size_t pick = ready.size() - 1;
      if (seed) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        pick = (seed >> 33) % ready.size();
      }
      next = &threads[ready[pick]];
      ready.erase(ready.begin() + pick);
    } else if (nextNew < threadCount) {
      next = &threads[nextNew++];
      next->stack = stacks.take();
      next->context = makeContext(*next->stack, &Launch::enter, this);
    } else {
      reportDeadlock();
      stopped = true;
      return;
    }
    resume(*next);
  }
}

void Launch::resume(Thread &thread) {
  current = &thread;
  switchContext(scheduler, thread.context);
  current = nullptr;
  if (thread.state == Thread::Done) {
    stacks.giveBack(thread.stack);
    thread.stack = nullptr;
  }
}

void Launch::pause() {
  current->state = Thread::Waiting;
  switchContext(current->context, scheduler);
}

void Launch::enter(void *self) {
  auto &launch = *static_cast<Launch *>(self);
  launch.function.call(launch.params);
  launch.finishThread();
}

void Launch::finishThread() {
  if (!current->copies.empty())
    report(current->site,
           "ends while %zu of its asynchronous copies were never waited for",
           current->copies.size());
  current->state = Thread::Done;
  ++done;
  Context unused;
  switchContext(unused, scheduler);
}

void Launch::wake(Thread &thread) {
  thread.state = Thread::Ready;
  ready.push_back(thread.number);
}

Thread &Launch::lane(uint32_t lane) {
  return threads[current->warp * 32 + lane];
}

std::string Launch::place(const Thread &thread) const {
  char text[128];
  std::snprintf(text, sizeof(text), "block (%u,%u,%u), thread (%u,%u,%u)",
                blockId[0], blockId[1], blockId[2], thread.id[0], thread.id[1],
                thread.id[2]);
  return text;
}

void Launch::report(int32_t site, const char *format, ...) {
  failed = true;
  if (++messages > kMostMessages)
    return;
  std::string text = "hone emulator: " + std::string(function.name);
  if (site >= 0 && site < module.site_count) {
    const int32_t *offsets = module.site_offsets + 2 * site;
    text += std::string(": ") + (module.site_text + offsets[0]);
    const char *location = module.site_text + offsets[1];
    if (*location)
      text += std::string(" at ") + location;
  }
  if (current)
    text += ", " + place(*current);
  char message[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(message, sizeof(message), format, arguments);
  va_end(arguments);
  std::fprintf(stderr, "%s: %s\n", text.c_str(), message);
  if (messages == kMostMessages)
    std::fprintf(stderr, "hone emulator: further errors of this launch are not "
                         "shown\n");
}

void Launch::reportDeadlock() {
  const Thread *first = nullptr;
  uint32_t waiting = 0;
  for (const Thread &thread : threads)
    if (thread.state == Thread::Waiting) {
      ++waiting;
      if (!first)
        first = &thread;
    }
  if (!first)
    return;
  report(first->site,
         "deadlock: %u of %u threads wait, the first one %s; %u have ended",
         waiting, threadCount, place(*first).c_str(), done);
}

//===- Waiting for others ----------------------------------------------===//

void Launch::completeBarrier() {
  arrived = 0;
  ++epoch;
  for (Thread &thread : threads)
    if (thread.state == Thread::Waiting)
      wake(thread);
}

void Launch::barrier(int32_t id, int32_t count, int32_t site) {
  if (id != 0 || (count != 0 && uint32_t(count) != threadCount)) {
    report(site, "barriers of part of a block are not emulated");
    stopped = true;
    return;
  }
  if (arrived == 0)
    barrierSite = site;
  else if (barrierSite != site)
    report(site, "divergent barrier: other threads of the block wait at "
                 "another one");
  current->site = site;
  if (++arrived == threadCount)
    return completeBarrier();
  pause();
}

void Launch::meet(int32_t kind, uint32_t mask, int32_t site,
                  void (*perform)(Launch &, Warp &)) {
  Warp &warp = warps[current->warp];
  Meeting &meeting = warp.meeting;
  uint32_t inWarp = std::min<uint32_t>(32, threadCount - current->warp * 32);
  uint32_t present = inWarp == 32 ? ~0u : (1u << inWarp) - 1;
  uint32_t wanted = mask & present;
  if (!(mask >> current->lane & 1)) {
    report(site, "is not in the mask %#x of the lanes that take part", mask);
    wanted |= 1u << current->lane;
  }
  if (meeting.arrived == 0) {
    meeting.kind = kind;
    meeting.site = site;
    meeting.mask = wanted;
  } else if (meeting.site != site || meeting.kind != kind ||
             meeting.mask != wanted) {
    report(site, "diverged warp: other lanes are at another operation");
    meeting.mask |= wanted;
  }
  meeting.arrived |= 1u << current->lane;
  current->site = site;
  if ((meeting.arrived & meeting.mask) != meeting.mask) {
    pause();
    return;
  }
  perform(*this, warp);
  uint32_t lanes = meeting.arrived;
  meeting.arrived = 0;
  for (uint32_t i = 0; i < inWarp; ++i)
    if ((lanes >> i & 1) && i != current->lane)
      wake(lane(i));
}

// ===- Pending copies ---------------------------------------------------===//

void Launch::copyAsync(void *to, const void *from, int32_t bytes, int32_t valid,
                       int32_t site) {
  current->site = site;
  if (valid > 0)
    from = access(from, valid, site, HONE_SPACE_GLOBAL, bytes, false, false);
  auto *target = static_cast<char *>(
      access(to, bytes, site, HONE_SPACE_SHARED, bytes, true, false));
  if (target == sink)
    return;
  if (!onlyBounds)
    for (int32_t i = 0; i < bytes; ++i)
      traces[target - shared.data() + i].inFlight = 1;
  current->copies.push_back(
      {target, static_cast<const char *>(from), bytes, valid, current->groups});
}

void Launch::waitGroup(int32_t pending, int32_t site) {
  std::vector<PendingCopy> left;
  for (const PendingCopy &copy : current->copies) {
    if (copy.group >= current->groups - pending) {
      left.push_back(copy);
      continue;
    }
    std::memcpy(copy.to, copy.from, size_t(copy.valid));
    std::memset(copy.to + copy.valid, 0, size_t(copy.bytes - copy.valid));
    if (onlyBounds)
      continue;
    // Written by this thread, now: others still need a barrier.
    for (int32_t i = 0; i < copy.bytes; ++i) {
      SharedTrace &trace = traces[copy.to - shared.data() + i];
      trace.inFlight = 0;
      trace.isSet = 1;
      trace.writer = current->number + 1;
      trace.writerEpoch = epoch;
      trace.writerWarpEpoch = warps[current->warp].epoch;
    }
  }
  current->copies.swap(left);
}

//===- Memory ------------------------------------------------------------===//

bool Launch::checkShared(size_t offset, int64_t bytes, int32_t site,
                         bool writes, bool isAtomic, const Thread &by) {
  bool inside = offset + bytes <= shared.size;
  // The dynamic part follows the arrays.
  bool isDynamic = offset >= size_t(function.shared_bytes);
  if (inside && !isDynamic) {
    inside = false;
    for (int32_t i = 0; i < function.array_count; ++i)
      inside |= offset >= size_t(function.arrays[2 * i]) &&
                offset + bytes <= size_t(function.arrays[2 * i + 1]);
  }
  if (!inside) {
    report(site, "%s %lld bytes out of bounds, at byte %zu of shared memory",
           writes ? "writes" : "reads", (long long)bytes, offset);
    return false;
  }
  if (onlyBounds)
    return true;
  uint32_t self = by.number + 1, warpEpoch = warps[by.warp].epoch;
  // Lanes of one warp are ordered by warp synchronization.
  auto isOrdered = [&](uint32_t other, uint32_t otherEpoch,
                       uint32_t otherWarpEpoch) {
    return other == 0 || other == self || otherEpoch != epoch ||
           ((other - 1) / 32 == by.warp && otherWarpEpoch != warpEpoch);
  };
  for (int64_t i = 0; i < bytes; ++i) {
    SharedTrace &trace = traces[offset + i];
    if (trace.inFlight) {
      report(site,
             "touches byte %zu of shared memory while an asynchronous "
             "copy to it is pending",
             offset + i);
      return false;
    }
    if (!writes && !trace.isSet) {
      report(site, "reads byte %zu of shared memory, which nothing has written",
             offset + i);
      return false;
    }
    if (!isAtomic &&
        !isOrdered(trace.writer, trace.writerEpoch, trace.writerWarpEpoch)) {
      report(site,
             "race: byte %zu of shared memory was written by thread %u since "
             "the last barrier",
             offset + i, trace.writer - 1);
      return false;
    }
    if (!writes) {
      if (trace.reader && trace.reader != self && trace.readerEpoch == epoch) {
        trace.manyReaders = 1;
        trace.manyWarps |= (trace.reader - 1) / 32 != by.warp;
      } else if (trace.readerEpoch != epoch) {
        trace.manyReaders = trace.manyWarps = 0;
      }
      trace.reader = self;
      trace.readerEpoch = epoch;
      trace.readerWarpEpoch = warpEpoch;
      continue;
    }
    bool isRead =
        trace.readerEpoch == epoch &&
        (trace.manyWarps ||
         (trace.manyReaders && trace.readerWarpEpoch == warpEpoch) ||
         !isOrdered(trace.reader, trace.readerEpoch, trace.readerWarpEpoch));
    if (!isAtomic && isRead) {
      report(site,
             "race: byte %zu of shared memory was read by thread %u since the "
             "last barrier",
             offset + i, trace.reader - 1);
      return false;
    }
    trace.isSet = 1;
    if (isAtomic)
      continue;
    trace.writer = self;
    trace.writerEpoch = epoch;
    trace.writerWarpEpoch = warpEpoch;
  }
  return true;
}

bool Launch::checkGlobal(Allocation &allocation, size_t offset, int64_t bytes,
                         int32_t site, bool writes, bool isAtomic) {
  if (offset + bytes > allocation.bytes) {
    report(site,
           "%s %lld bytes out of bounds, at byte %zu of an allocation of %zu",
           writes ? "writes" : "reads", (long long)bytes, offset,
           allocation.bytes);
    return false;
  }
  if (onlyBounds)
    return true;
  if (!writes || isAtomic)
    for (int64_t i = 0; i < bytes; ++i)
      if (!allocation.isSet[offset + i]) {
        report(site,
               "reads byte %zu of an allocation of %zu, which nothing "
               "has written",
               offset + i, allocation.bytes);
        return false;
      }
  if (writes)
    std::memset(allocation.isSet + offset, 1, size_t(bytes));
  // Accesses to parts of words are not traced: neighbours may belong to another
  // block.
  if (bytes < 4 || offset % 4 != 0)
    return true;
  constexpr uint64_t atomicBit = uint64_t(1) << 63;
  uint64_t self = (number & 0x7fffffff) << 32 | uint64_t(blockNumber + 1);
  auto isOthers = [&](uint64_t trace) {
    bool isThisLaunch = (trace & ~atomicBit) >> 32 == self >> 32;
    return isThisLaunch && (trace & ~atomicBit) != self &&
           !(isAtomic && (trace & atomicBit));
  };
  for (size_t word = offset / 4; word < (offset + bytes) / 4; ++word) {
    WordTrace &trace = allocation.words[word];
    if (isOthers(trace.written) || (writes && isOthers(trace.read))) {
      report(site,
             "race: another block of this launch has %s byte %zu of an "
             "allocation of %zu",
             isOthers(trace.written) ? "written" : "read", word * 4,
             allocation.bytes);
      return false;
    }
    (writes ? trace.written : trace.read) = self | (isAtomic ? atomicBit : 0);
  }
  return true;
}

void *Launch::access(const void *address, int64_t bytes, int32_t site,
                     int32_t space, int32_t alignment, bool writes,
                     bool isAtomic) {
  auto *at = static_cast<char *>(const_cast<void *>(address));
  if (bytes == 0)
    return at;
  if (alignment > 1 && reinterpret_cast<uintptr_t>(at) % alignment != 0) {
    report(site,
           "claims an alignment of %d bytes that address %p does not have",
           alignment, address);
    return sink;
  }
  bool inShared = at >= shared.data() && at < shared.data() + shared.size;
  if (space == HONE_SPACE_SHARED || (space == HONE_SPACE_GENERIC && inShared))
    return checkShared(size_t(at - shared.data()), bytes, site, writes,
                       isAtomic, *current)
               ? at
               : sink;
  if (Allocation *allocation = memory.find(at))
    return checkGlobal(*allocation, size_t(at - allocation->data), bytes, site,
                       writes, isAtomic)
               ? at
               : sink;
  // Constants of the module are in the library.
  if (!writes &&
      (space == HONE_SPACE_CONSTANT || space == HONE_SPACE_GENERIC ||
       space == HONE_SPACE_GLOBAL) &&
      isModuleConstant(at, bytes))
    return at;
  report(site, "%s %lld bytes at %p, where nothing is allocated",
         writes ? "writes" : "reads", (long long)bytes, address);
  return sink;
}

bool Launch::isModuleConstant(const char *at, int64_t bytes) const {
  for (int64_t i = 0; i < module.constant_count; ++i) {
    auto begin = static_cast<const char *>(module.constants[i].data);
    if (at >= begin && at + bytes <= begin + module.constants[i].bytes)
      return true;
  }
  return false;
}

const void *Launch::checkedRead(const Thread &reader, const void *address,
                                int64_t bytes, int32_t site) {
  Thread *self = current;
  current = const_cast<Thread *>(&reader);
  const void *at = access(address, bytes, site, HONE_SPACE_SHARED,
                          int32_t(bytes), false, false);
  current = self;
  return at;
}

int32_t Launch::special(int32_t reg) const {
  switch (reg) {
  case HONE_SREG_TID_X:
  case HONE_SREG_TID_Y:
  case HONE_SREG_TID_Z:
    return int32_t(current->id[reg - HONE_SREG_TID_X]);
  case HONE_SREG_NTID_X:
  case HONE_SREG_NTID_Y:
  case HONE_SREG_NTID_Z:
    return int32_t(shape.block[reg - HONE_SREG_NTID_X]);
  case HONE_SREG_CTAID_X:
  case HONE_SREG_CTAID_Y:
  case HONE_SREG_CTAID_Z:
    return int32_t(blockId[reg - HONE_SREG_CTAID_X]);
  case HONE_SREG_NCTAID_X:
  case HONE_SREG_NCTAID_Y:
  case HONE_SREG_NCTAID_Z:
    return int32_t(shape.grid[reg - HONE_SREG_NCTAID_X]);
  case HONE_SREG_LANEID:
    return int32_t(current->lane);
  case HONE_SREG_WARPID:
    return int32_t(current->warp);
  default:
    return 32;
  }
}
