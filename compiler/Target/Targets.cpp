// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The table of targets, and how `--target` selects from it.
#include "compiler/Target/Targets.h"
#include "compiler/Pipeline/ModulePipeline.h"
#include "compiler/Target/Cuda/CudaBackend.h"
#include "compiler/Target/Emulated/EmulatedBackend.h"

using namespace mlir;
using namespace hone;

/// Each target other than the CPU has a line here.
static constexpr const TargetInfo *kTargets[] = {
    &kCudaTarget,
    &kEmulatedTarget,
};

llvm::ArrayRef<const TargetInfo *> hone::deviceTargets() { return kTargets; }

const TargetInfo *hone::targetOfForm(StringRef form) {
  for (const TargetInfo *target : kTargets)
    if (!form.empty() && target->form == form)
      return target;
  return nullptr;
}

std::string hone::targetNames() {
  std::string names = CpuBackend::kName.str();
  for (const TargetInfo *target : kTargets)
    if (target->listed)
      names += ", " + target->name.str();
  return names;
}

std::string hone::targetExample() {
  return (kTargets[0]->name + "," + CpuBackend::kName).str();
}

std::string hone::emitNames() {
  std::string names;
  auto add = [&](StringRef name) {
    names += (names.empty() ? "" : ", ") + name.str();
  };
  for (int phase = 0; phase <= static_cast<int>(Phase::So); ++phase) {
    add(phaseName(static_cast<Phase>(phase)));
    if (static_cast<Phase>(phase) != Phase::Asm)
      continue;
    // Like assembly they are the text of code.
    for (const TargetInfo *target : kTargets)
      if (!target->form.empty())
        add(target->form);
  }
  return names;
}

void hone::registerTargetDialects(DialectRegistry &registry) {
  for (const TargetInfo *target : kTargets)
    target->registerDialects(registry);
}

namespace {
/// Those of `hone compile` that the graph phase depends on.
struct GraphPipelineOptions : PassPipelineOptions<GraphPipelineOptions> {
  Option<std::string> target{*this, "target",
                             llvm::cl::desc("as --target of hone compile"),
                             llvm::cl::init("cpu")};
  Option<std::string> cpu{*this, "cpu",
                          llvm::cl::desc("as --cpu of hone compile"),
                          llvm::cl::init("native")};
  Option<std::string> gpu{*this, "gpu",
                          llvm::cl::desc("as --gpu of hone compile")};
  Option<std::string> precision{
      *this, "precision", llvm::cl::desc("as --precision of hone compile"),
      llvm::cl::init("f32")};
  Option<int64_t> threads{*this, "threads",
                          llvm::cl::desc("as --threads of hone compile"),
                          llvm::cl::init(0)};
};
} // namespace

static llvm::Error addGraphPipeline(OpPassManager &pm,
                                    const GraphPipelineOptions &options) {
  llvm::Expected<Precision> precision = parsePrecision(options.precision);
  if (!precision)
    return precision.takeError();
  TargetOptions given;
  given.cpu = options.cpu;
  if (!options.gpu.empty())
    given.gpu = options.gpu;
  given.threads = options.threads;
  given.precision = *precision;
  given.files = false;
  llvm::Expected<Targets> targets =
      Targets::create(options.target, given, [](StringRef) {});
  if (!targets)
    return targets.takeError();
  buildGraphPipeline(pm, targets->graphOptions(*precision));
  return llvm::Error::success();
}

void hone::registerTargetPasses() {
  for (const TargetInfo *target : kTargets)
    target->registerPasses();
  registerModulePipeline<GraphPipelineOptions>(
      "hone-graph", "a model: from what is imported to a host and its kernels",
      addGraphPipeline);
}

llvm::Expected<Targets>
Targets::create(StringRef list, const TargetOptions &options, NoteFn note) {
  Targets targets;
  llvm::Expected<std::unique_ptr<CpuBackend>> cpu = CpuBackend::create(options);
  if (!cpu)
    return cpu.takeError();
  targets.cpu = std::move(*cpu);
  targets.cpu->setHooks(options);
  SmallVector<const TargetInfo *> devices;
  for (StringRef name : llvm::split(list, ',')) {
    if (name == CpuBackend::kName) {
      targets.cpuHasAll = true;
      continue;
    }
    auto found = llvm::find_if(kTargets, [&](const TargetInfo *target) {
      return target->name == name;
    });
    if (found == std::end(kTargets))
      return llvm::createStringError(
          "unknown target '" + name + "'; there are " + targetNames() +
          ", and a device with the CPU, as in " + targetExample());
    if (!llvm::is_contained(devices, *found))
      devices.push_back(*found);
  }
  if (devices.size() > 1)
    return llvm::createStringError("a library is made for " + devices[0]->name +
                                   " or for " + devices[1]->name +
                                   ", not for both");
  if (devices.empty())
    return targets;
  if (options.precision != Precision::F32)
    return llvm::createStringError(
        "a lower precision is for the CPU: leave it out with --target=" + list);
  targets.deviceInfo = devices.front();
  llvm::Expected<std::unique_ptr<Backend>> device =
      devices.front()->create(options, note);
  if (!device)
    return device.takeError();
  targets.device = std::move(*device);
  targets.device->setHooks(options);
  return targets;
}

SmallVector<const Backend *> Targets::all() const {
  SmallVector<const Backend *> backends = {cpu.get()};
  if (device)
    backends.push_back(device.get());
  return backends;
}

SmallVector<const Backend *> Targets::of(func::FuncOp kernel) const {
  SmallVector<const Backend *> backends;
  bool onDevice = device && device->runs(kernel);
  if (cpuHasAll || !onDevice)
    backends.push_back(cpu.get());
  if (onDevice)
    backends.push_back(device.get());
  return backends;
}

GraphOptions Targets::graphOptions(Precision precision) const {
  GraphOptions options;
  // The partition of the graph does not depend on the level.
  options.machine = cpu->baseline();
  options.precision = precision;
  options.fastBf16 = cpu->hasFastBf16();
  options.orderBytes = cpu->multipliesOrderedBytes();
  options.cpuLayouts = !device;
  options.place = [this](OpPassManager &pm) {
    for (const Backend *backend : all())
      backend->addPlacement(pm);
  };
  return options;
}

const Backend *Targets::find(const TargetInfo &info) const {
  return &info == deviceInfo ? device.get() : nullptr;
}
