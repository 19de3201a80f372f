// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Hands out kernels to threads, and gathers what they made.
#include "compiler/Driver/CompileKernels.h"
#include "dialects/Rt/Rt.h"

using namespace mlir;
using namespace hone;

namespace {

/// One kernel for one level, or for the device.
struct Job {
  func::FuncOp kernel;
  size_t number;               ///< of the kernel
  std::optional<size_t> level; ///< none: the device
  std::string path = {}, assembly = {}, problem = {};
  int64_t scratchBytes = 0;
  DeviceKernelCode device = {};
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
      if (!job.level)
        continue;
      int64_t &most = info.levels[*job.level].scratchBytes;
      most = std::max(most, job.scratchBytes);
    }
    if (work.targets.hasDevice())
      describeDevice();
    return Outcome::Done;
  }

private:
  void makeJobs() {
    size_t number = 0;
    for (auto kernel : ModuleOp(work.module).getOps<func::FuncOp>()) {
      if (!kernel->hasAttr(rt::kKernelAttr))
        continue;
      bool onDevice = kernel->hasAttr(rt::kDeviceAttr);
      info.kernels[number].onCpu = !onDevice || work.targets.cpu;
      if (info.kernels[number].onCpu)
        for (size_t level = 0; level < work.levels.size(); ++level)
          jobs.push_back({kernel, number, level});
      // Assembly is the CPU's; PTX has a phase of its own.
      if (onDevice && work.form == CodeForm::Object)
        jobs.push_back({kernel, number, std::nullopt});
      ++number;
    }
  }

  void takeJobs() {
    for (size_t i; (i = next++) < jobs.size() && !session.isCancelled();) {
      SmallVector<char, 0> code;
      if (llvm::Error error = compile(jobs[i], code))
        return stop(jobs[i], std::move(error));
      codeBytes += code.size();
      StringRef text(code.data(), code.size());
      if (work.form == CodeForm::Assembly)
        jobs[i].assembly = text.str();
      else {
        jobs[i].path = work.folder.file("kernel" + std::to_string(i) + ".o");
        if (llvm::Error error = writeFile(jobs[i].path, text)) {
          cannotWrite = true;
          return stop(jobs[i], std::move(error));
        }
      }
      size_t finished = ++done;
      session.progress("kernel " + std::to_string(finished) + " of " +
                           std::to_string(jobs.size()),
                       0.3 + 0.6 * finished / jobs.size());
    }
  }

  void stop(Job &job, llvm::Error error) {
    job.problem = llvm::toString(std::move(error));
    next = jobs.size();
  }

  llvm::Error compile(Job &job, SmallVectorImpl<char> &code) {
    if (!job.level) {
      if (llvm::Error error =
              compileDeviceKernel({job.kernel, &work.targets,
                                   &work.levels.front(), work.folder.path()},
                                  job.device))
        return error;
      code.swap(job.device.object);
      return llvm::Error::success();
    }
    const CpuLevel &level = work.levels[*job.level];
    KernelCode result;
    if (llvm::Error error =
            compileKernel({job.kernel, &level,
                           kernelSymbol(info.kernels[job.number], *job.level)},
                          work.form, result))
      return error;
    job.scratchBytes = result.scratchBytes;
    code.swap(result.code);
    return llvm::Error::success();
  }

  /// The device's tables: functions are counted through all kernels.
  void describeDevice() {
    DeviceInfo device;
    device.driver = work.targets.driver();
    device.stubs.resize(info.kernels.size());
    auto job = jobs.begin();
    for (size_t number = 0; number < info.kernels.size(); ++number) {
      int64_t first = device.functions.size();
      device.firstFunction.push_back(first);
      for (; job != jobs.end() && job->number == number; ++job) {
        if (job->level)
          continue;
        device.stubs[number] = job->device.stub;
        llvm::append_range(device.functions, job->device.functions);
        for (ImageInfo image : job->device.images) {
          image.firstFunction += first;
          image.endFunction += first;
          device.images.push_back(image);
        }
        for (const FunctionResources &used : job->device.resources)
          session.stats.functions.push_back({used.function, used.chip,
                                             used.registers, used.sharedBytes,
                                             used.spillBytes});
        for (StringRef line : llvm::split(job->device.remarks, '\n'))
          if (!line.empty())
            session.note(("ptxas: " + line).str());
      }
    }
    device.firstFunction.push_back(device.functions.size());
    info.device = std::move(device);
  }

  Session &session;
  const KernelsWork &work;
  ModelInfo &info;
  std::vector<Job> jobs;
  std::atomic<size_t> next = 0, done = 0;
  std::atomic<int64_t> codeBytes = 0;
  std::atomic<bool> cannotWrite = false;
};

} // namespace

Outcome hone::compileKernels(Session &session, const KernelsWork &work,
                             ModelInfo &info, KernelsResult &result) {
  return KernelCompiler(session, work, info).run(result);
}
