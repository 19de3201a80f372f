// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Compiles kernels in parallel and collects the results.
#include "compiler/Driver/CompileKernels.h"
#include "compiler/Driver/PhaseIr.h"

using namespace mlir;
using namespace hone;

namespace {

/// One kernel for one variant of a target.
struct Job {
  func::FuncOp kernel;
  size_t number; ///< of the kernel
  const Backend *backend;
  size_t variant;
  std::string path = {}, assembly = {}, problem = {};
  KernelReport report = {};
  int64_t bytes = 0;
  double seconds = 0;
};

class KernelCompiler {
public:
  KernelCompiler(Session &session, const KernelsWork &work, ModelInfo &info)
      : session(session), work(work), info(info) {}

  Outcome run(KernelsResult &result) {
    makeJobs();
    llvm::ThreadPoolTaskGroup group(session.pool());
    for (unsigned i = 0; i < session.pool().getMaxConcurrency(); ++i)
      group.async([&] { takeJobs(); });
    group.wait();
    for (const Job &job : jobs)
      if (!job.problem.empty()) {
        if (cannotWrite)
          session.error(job.problem);
        result.problem = job.problem;
        return cannotWrite ? Outcome::CannotWrite : Outcome::Internal;
      }
    session.stats.codeBytes += codeBytes;
    for (Job &job : jobs) {
      result.assembly += job.assembly;
      if (!job.path.empty())
        result.objects.push_back(job.path);
      for (const FunctionResources &used : job.report.resources)
        session.stats.functions.push_back({used.function, used.chip,
                                           used.registers, used.sharedBytes,
                                           used.spillBytes});
      for (const std::string &note : job.report.notes)
        session.note(note);
      job.backend->describeKernel(job.number, job.variant, job.report, info);
      bool onCpu = job.backend == &work.targets.host();
      result.code.push_back({job.number,
                             onCpu ? info.levels[job.variant].name : "device",
                             job.bytes, job.seconds, std::move(job.report)});
    }
    return Outcome::Done;
  }

private:
  void makeJobs() {
    size_t number = 0;
    for (func::FuncOp kernel : kernelsOf(work.module)) {
      if (work.only.empty() || kernel.getSymName() == work.only)
        for (const Backend *backend : work.targets.of(kernel))
          for (size_t i = 0; i < backend->variants(work.form); ++i)
            jobs.push_back({kernel, number, backend, i});
      ++number;
    }
  }

  void takeJobs() {
    for (size_t i; (i = next++) < jobs.size() && !session.isCancelled();) {
      Job &job = jobs[i];
      SmallVector<char, 0> code;
      auto begin = std::chrono::steady_clock::now();
      if (llvm::Error error =
              job.backend->compile({job.kernel, job.variant, work.form,
                                    work.targets.host(), work.folder.path()},
                                   code, job.report))
        return stop(job, std::move(error));
      std::chrono::duration<double> time =
          std::chrono::steady_clock::now() - begin;
      job.seconds = time.count();
      job.bytes = code.size();
      codeBytes += code.size();
      StringRef text(code.data(), code.size());
      if (work.form == CodeForm::Assembly)
        job.assembly = text.str();
      else {
        job.path = work.folder.file("kernel" + std::to_string(i) + ".o");
        if (llvm::Error error = writeFile(job.path, text)) {
          cannotWrite = true;
          return stop(job, std::move(error));
        }
      }
      // Counted and reported in one: progress never goes back.
      std::lock_guard<std::mutex> lock(mutex);
      ++done;
      session.progress("kernel " + std::to_string(done) + " of " +
                           std::to_string(jobs.size()),
                       0.3 + 0.6 * done / jobs.size());
    }
  }

  void stop(Job &job, llvm::Error error) {
    job.problem = llvm::toString(std::move(error));
    next = jobs.size();
  }

  Session &session;
  const KernelsWork &work;
  ModelInfo &info;
  std::vector<Job> jobs;
  std::atomic<size_t> next = 0;
  std::mutex mutex; ///< for `done` and reports of it
  size_t done = 0;
  std::atomic<int64_t> codeBytes = 0;
  std::atomic<bool> cannotWrite = false;
};

} // namespace

Outcome hone::compileKernels(Session &session, const KernelsWork &work,
                             ModelInfo &info, KernelsResult &result) {
  return KernelCompiler(session, work, info).run(result);
}
