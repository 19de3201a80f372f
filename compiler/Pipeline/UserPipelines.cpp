// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads and runs the pass pipelines of the user.
#include "compiler/Pipeline/UserPipelines.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Pass/PassInstrumentation.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Tools/Plugins/PassPlugin.h"
#include "passes/Verify/Passes.h"
#include <dlfcn.h>

using namespace mlir;
using namespace hone;

namespace {

/// Remembers which pass failed first, and on what.
class FailureObserver : public PassInstrumentation {
public:
  explicit FailureObserver(std::string &failure) : failure(failure) {}

  void runAfterPassFailed(Pass *pass, Operation *op) override {
    // The adaptors around it fail next.
    if (!failure.empty())
      return;
    StringRef name =
        pass->getArgument().empty() ? pass->getName() : pass->getArgument();
    failure = "pass '" + name.str() + "'";
    if (auto symbol = op->getAttrOfType<StringAttr>("sym_name"))
      failure += " on '" + symbol.str() + "'";
  }

private:
  std::string &failure;
};

} // namespace

llvm::Error hone::loadPassPlugin(const std::string &path) {
  // MLIR would leave symbols unresolved until a call of them ends the process.
  // A name without a slash is a file here, and not in the loader's folders.
  std::string file = path.find('/') == path.npos ? "./" + path : path;
  if (!dlopen(file.c_str(), RTLD_NOW | RTLD_GLOBAL)) {
    const char *reason = dlerror();
    return llvm::createStringError(
        "the plugin '" + path +
        "' cannot be loaded: " + (reason ? reason : "unknown reason"));
  }
  llvm::Expected<PassPlugin> plugin = PassPlugin::load(file);
  if (!plugin)
    return llvm::createStringError(
        "the plugin '" + path +
        "' cannot be loaded: " + llvm::toString(plugin.takeError()));
  plugin->registerPassRegistryCallbacks();
  return llvm::Error::success();
}

static bool hasIr(Phase phase) { return phase <= Phase::Llvm; }

/// The parser's first message, without the place: it counts from the innermost
/// parenthesis.
static std::string describe(StringRef message) {
  StringRef line = message.split('\n').first;
  auto [place, text] = line.split(": error: ");
  if (text.empty())
    text = place;
  return text.empty() ? "cannot be parsed" : text.str();
}

llvm::Error UserPipelines::add(StringRef phase, StringRef text,
                               MLIRContext &context) {
  registerPasses();
  std::optional<Phase> after = parsePhase(phase);
  if (!after || !hasIr(*after)) {
    std::string names;
    for (int i = 0; hasIr(static_cast<Phase>(i)); ++i)
      names += (i ? ", " : "") + phaseName(static_cast<Phase>(i)).str();
    return llvm::createStringError("there is no IR after '" + phase +
                                   "': pipelines run after " + names);
  }
  std::string message;
  llvm::raw_string_ostream stream(message);
  FailureOr<OpPassManager> pm = parsePassPipeline(text, stream);
  std::string start = ("the pipeline after '" + phase + "': ").str();
  if (llvm::failed(pm))
    return llvm::createStringError(start + describe(message));
  if (pm->getOpAnchorName() != ModuleOp::getOperationName())
    return llvm::createStringError(start + "it runs on '" +
                                   pm->getOpAnchorName() +
                                   "', and must be 'builtin.module(...)'");
  // Kernels are compiled on several threads, when no dialect may be loaded.
  DialectRegistry registry;
  pm->getDependentDialects(registry);
  context.appendDialectRegistry(registry);
  context.loadAllAvailableDialects();
  pipelines.push_back({*after, text.str()});
  return llvm::Error::success();
}

bool UserPipelines::runsAfter(Phase phase) const {
  return llvm::any_of(pipelines, [&](const Pipeline &pipeline) {
    return pipeline.phase == phase;
  });
}

/// Checks the form in which a phase leaves its module.
static void addVerifier(OpPassManager &pm, Phase phase) {
  if (phase == Phase::Import)
    pm.addNestedPass<func::FuncOp>(createVerifyGraphPass());
  else if (phase == Phase::Graph)
    pm.addPass(createVerifyHostPass({"graph"}));
}

LogicalResult UserPipelines::run(Phase phase, ModuleOp module) const {
  for (const Pipeline &pipeline : pipelines) {
    if (pipeline.phase != phase)
      continue;
    PassManager pm(module.getContext());
    FailureOr<OpPassManager> parsed = parsePassPipeline(pipeline.text);
    std::string problem;
    if (succeeded(parsed)) {
      static_cast<OpPassManager &>(pm) = std::move(*parsed);
      addVerifier(pm, phase);
      if (instrument)
        instrument(pm);
      pm.addInstrumentation(std::make_unique<FailureObserver>(problem));
      if (succeeded(pm.run(module)))
        continue;
    }
    failed = true;
    emitError(UnknownLoc::get(module.getContext()))
        << "the pipeline after '" << phaseName(phase) << "' failed"
        << (problem.empty() ? "" : " in ") << problem;
    return llvm::failure();
  }
  return success();
}

std::string UserPipelines::phases() const {
  std::string names;
  for (int i = 0; hasIr(static_cast<Phase>(i)); ++i)
    if (runsAfter(static_cast<Phase>(i)))
      names += (names.empty() ? "'" : ", '") +
               phaseName(static_cast<Phase>(i)).str() + "'";
  return names;
}
