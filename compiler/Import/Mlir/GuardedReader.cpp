// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// MLIR's readers, under LLVM's crash recovery and with a limit of time.
#include "compiler/Import/Mlir/GuardedReader.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/CrashRecoveryContext.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/thread.h"
#include <condition_variable>
#include <cstdio>
#include <ctime>
#include <mutex>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>

using namespace mlir;
using namespace hone;

/// Processor time that bytecode may take: more than any that is meant. Types
/// in types take exponential time if each has itself inside.
static constexpr double kLeastSeconds = 10, kBytesPerSecond = 1 << 20;

/// Likewise memory.
static constexpr uint64_t kLeastMemory = uint64_t(2) << 30, kMemoryPerByte = 64;

namespace {

/// Memory that is unmapped in the end.
class PagesBuffer : public llvm::MemoryBuffer {
public:
  PagesBuffer(char *pages, size_t mapped, size_t size, StringRef name)
      : pages(pages), mapped(mapped), name(name.str()) {
    init(pages, pages + size, /*RequiresNullTerminator=*/false);
  }
  ~PagesBuffer() override { munmap(pages, mapped); }
  BufferKind getBufferKind() const override { return MemoryBuffer_MMap; }
  StringRef getBufferIdentifier() const override { return name; }

private:
  char *pages;
  size_t mapped;
  std::string name;
};

/// Takes the bytes away from a reader that has used up its time: it faults, and
/// the crash recovery ends it, at a place where it holds no lock.
class Watch {
public:
  explicit Watch(StringRef bytes)
      : limit(kLeastSeconds + bytes.size() / kBytesPerSecond) {
    if (pthread_getcpuclockid(pthread_self(), &clock))
      return;
    watcher.emplace([this, bytes] { watch(bytes); });
  }
  ~Watch() { end(); }

  /// Ends the watch. Returns whether the bytes were taken away, be it after the
  /// reader's last look at them.
  bool end() {
    {
      std::lock_guard<std::mutex> lock(mutex);
      ended = true;
    }
    wake.notify_one();
    if (watcher)
      watcher->join();
    watcher.reset();
    return isProtected;
  }

private:
  void watch(StringRef bytes) {
    std::unique_lock<std::mutex> lock(mutex);
    while (!wake.wait_for(lock, std::chrono::milliseconds(200),
                          [this] { return ended; })) {
      timespec used = {};
      if (clock_gettime(clock, &used) || used.tv_sec < limit)
        continue;
      mprotect(const_cast<char *>(bytes.data()), bytes.size(), PROT_NONE);
      isProtected = true;
      return;
    }
  }

  double limit;
  clockid_t clock = {};
  std::mutex mutex;
  std::condition_variable wake;
  bool ended = false, isProtected = false;
  std::optional<llvm::thread> watcher;
};

/// Lets allocations fail that no content of this size is worth: counts in
/// bytecode are believed.
class MemoryLimit {
public:
  explicit MemoryLimit(uint64_t bytes) {
    unsigned long pages = 0;
    FILE *file = std::fopen("/proc/self/statm", "re");
    isSet = file && std::fscanf(file, "%lu", &pages) == 1 &&
            getrlimit(RLIMIT_AS, &before) == 0;
    if (file)
      std::fclose(file);
    uint64_t most = pages * llvm::sys::Process::getPageSizeEstimate() +
                    kLeastMemory + kMemoryPerByte * bytes;
    rlimit own = {std::min<rlim_t>(most, before.rlim_cur), before.rlim_max};
    isSet = isSet && setrlimit(RLIMIT_AS, &own) == 0;
  }
  ~MemoryLimit() {
    if (isSet)
      setrlimit(RLIMIT_AS, &before);
  }

private:
  rlimit before = {};
  bool isSet = false;
};

/// Removes handlers of diagnostics that a reader has left behind: they refer to
/// its stack.
class HandlerCleanup {
public:
  explicit HandlerCleanup(DiagnosticEngine &engine)
      : engine(engine), first(nextId()) {}
  void removeNewer() {
    for (DiagnosticEngine::HandlerID id = first, end = nextId(); id < end; ++id)
      engine.eraseHandler(id);
  }

private:
  DiagnosticEngine::HandlerID nextId() {
    auto id = engine.registerHandler([](Diagnostic &) { return failure(); });
    engine.eraseHandler(id);
    return id;
  }

  DiagnosticEngine &engine;
  DiagnosticEngine::HandlerID first;
};

} // namespace

std::unique_ptr<llvm::MemoryBuffer> hone::copyToPages(StringRef bytes,
                                                      StringRef name) {
  size_t mapped = llvm::alignTo(std::max<size_t>(bytes.size(), 1),
                                llvm::sys::Process::getPageSizeEstimate());
  void *pages = mmap(nullptr, mapped, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED)
    return nullptr;
  llvm::copy(bytes, static_cast<char *>(pages));
  return std::make_unique<PagesBuffer>(static_cast<char *>(pages), mapped,
                                       bytes.size(), name);
}

FailureOr<OwningOpRef<ModuleOp>>
hone::readGuarded(MLIRContext &context,
                  std::unique_ptr<llvm::MemoryBuffer> buffer, bool isBytecode,
                  bool ownProcess) {
  StringRef bytes = buffer->getBuffer();
  auto sources = std::make_shared<llvm::SourceMgr>();
  sources->AddNewSourceBuffer(std::move(buffer), llvm::SMLoc());
  HandlerCleanup handlers(context.getDiagEngine());
  std::optional<Watch> watch;
  if (isBytecode)
    watch.emplace(bytes);
  std::optional<MemoryLimit> limit;
  if (isBytecode && ownProcess)
    limit.emplace(bytes.size());
  OwningOpRef<ModuleOp> module;
  llvm::CrashRecoveryContext::Enable();
  llvm::CrashRecoveryContext recovery;
  if (recovery.RunSafely([&] {
        module = parseSourceFile<ModuleOp>(sources, ParserConfig(&context));
      }) &&
      !(watch && watch->end()))
    return module;
  handlers.removeNewer();
  return failure();
}
