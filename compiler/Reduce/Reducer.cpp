// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Makes a failing model smaller while it fails in the same way: first the
// outputs, then the operations behind and before the failure, at last single
// ones, also in regions.
#include "compiler/Reduce/Reducer.h"
#include "compiler/Driver/Reproducer.h"
#include "compiler/Driver/Session.h"
#include "compiler/Reduce/Patterns.h"
#include "compiler/Reduce/Steps.h"
#include "dialects/Graph/Constants.h"
#include "dialects/Graph/Graph.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Verifier.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace hone;

/// Elements of a constant whose values matter little.
static constexpr int64_t kLargeConstant = 64;
/// Operations up to which each is tried by patterns.
static constexpr size_t kMostForPatterns = 300;

static size_t sizeOf(ModuleOp module) {
  size_t size = 0;
  module.walk([&](Operation *) { ++size; });
  return size;
}

static func::FuncOp mainOf(ModuleOp module) {
  return *module.getOps<func::FuncOp>().begin();
}

namespace {

class Reducer {
public:
  Reducer(Session &session, const Failure &failure, ReduceStats &stats)
      : session(session), failure(failure), stats(stats),
        options(compileArguments(session.options)) {}

  Outcome run();

private:
  using Change = llvm::function_ref<bool(func::FuncOp)>;

  Outcome start();
  bool fails(ModuleOp variant);
  bool attempt(Change change);
  bool keep(OwningOpRef<ModuleOp> variant);
  bool reduceOutputs();
  bool reduceTail();
  bool reduceOperations();
  bool reduceRegions();
  Outcome write();

  Session &session;
  Failure failure;
  ReduceStats &stats;
  SmallVector<std::string> options, arguments;
  std::string program = ownProgram();
  Tester tester;
  OwningOpRef<ModuleOp> best;
  OutputPlace place;
  TemporaryFolder folder;
  bool withWeights = false;       ///< the failure needs their values
  std::optional<Outcome> stopped; ///< what ends it early
};

} // namespace

/// Large constants lose their values: --random-weights finds others.
static void elideWeights(ModuleOp module) {
  module.walk([](graph::ConstantOp constant) {
    auto type = cast<RankedTensorType>(constant.getType());
    std::optional<graph::ConstantBytes> bytes =
        graph::constantBytes(constant.getValue());
    if (!bytes || bytes->splat || type.getNumElements() <= kLargeConstant)
      return;
    auto &manager =
        DenseResourceElementsHandle::getManagerInterface(constant.getContext());
    constant.setValueAttr(DenseResourceElementsAttr::get(
        type, manager.insert("__elided__", std::nullopt)));
  });
}

bool Reducer::fails(ModuleOp variant) {
  {
    ScopedDiagnosticHandler quiet(variant.getContext(),
                                  [](Diagnostic &) { return success(); });
    if (failed(verify(variant)))
      return false;
  }
  ++stats.tests;
  if (!session.progress(llvm::formatv("{0} operations left, variant {1}",
                                      stats.after, stats.tests)
                            .str(),
                        1 - double(stats.after) / stats.before))
    stopped = Outcome::Cancelled;
  return tester.isInteresting(variant).first == Tester::Interestingness::True;
}

/// Takes over a variant that fails.
bool Reducer::keep(OwningOpRef<ModuleOp> variant) {
  best = std::move(variant);
  stats.after = sizeOf(*best);
  if (Outcome outcome = write(); outcome != Outcome::Done)
    stopped = outcome;
  return true;
}

/// Tries a change, which may find that there is nothing to do.
bool Reducer::attempt(Change change) {
  if (stopped)
    return false;
  OwningOpRef<ModuleOp> variant = best->clone();
  return change(mainOf(*variant)) && sizeOf(*variant) <= stats.after &&
         fails(*variant) && keep(std::move(variant));
}

Outcome Reducer::write() {
  std::string file = folder.file("reduced");
  CompileOptions shown = session.options;
  shown.reproducerWithWeights = withWeights;
  const std::string &output = session.options.output;
  std::string text = reproducerHead("reduced from " + session.options.input,
                                    output, output + ".so", shown) +
                     printIr(*best, {/*weights=*/true});
  llvm::Error error = writeFile(file, text);
  if (!error)
    error = publish(file, place);
  return error ? session.fail(std::move(error), Outcome::CannotWrite)
               : Outcome::Done;
}

/// The model as it is, without values of weights if that fails as well.
Outcome Reducer::start() {
  stats.before = stats.after = sizeOf(*best);
  OwningOpRef<ModuleOp> elided = best->clone();
  elideWeights(*elided);
  SmallVector<std::string> random = options;
  random.push_back("--random-weights");
  for (bool with : {false, true}) {
    withWeights = with;
    arguments = testArguments(failure, withWeights ? options : random);
    tester = Tester(program, arguments);
    if (!fails(withWeights ? *best : *elided))
      continue;
    keep(withWeights ? std::move(best) : std::move(elided));
    return stopped.value_or(Outcome::Done);
  }
  session.error(session.options.input +
                ": the failure is not in what the import makes of the model");
  return Outcome::UserError;
}

bool Reducer::reduceOutputs() {
  size_t count = mainOf(*best).getNumResults();
  for (size_t i = 0; i < count && count > 1; ++i)
    if (attempt([&](func::FuncOp function) {
          reduce::returnOnly(function, i);
          return true;
        }))
      return true;
  return false;
}

/// Finds the first operation that the failure needs, by bisection.
bool Reducer::reduceTail() {
  size_t low = 0, high = reduce::operationsOf(mainOf(*best)).size();
  bool changed = false;
  while (low + 1 < high && !stopped) {
    size_t middle = (low + high) / 2;
    if (attempt([&](func::FuncOp function) {
          reduce::returnAt(function, middle - 1);
          return true;
        })) {
      changed = true;
      // Others were not needed, either.
      high = std::min(middle, reduce::operationsOf(mainOf(*best)).size());
      low = std::min(low, high);
    } else {
      low = middle;
    }
  }
  return changed;
}

/// Cuts out ever smaller groups of operations, the last ones first.
bool Reducer::reduceOperations() {
  bool changed = false;
  size_t count = reduce::operationsOf(mainOf(*best)).size();
  for (size_t size = std::max<size_t>(count / 2, 1); size > 0; size /= 2) {
    for (size_t end = reduce::operationsOf(mainOf(*best)).size(); end > 0;) {
      size_t begin = end - std::min(end, size);
      changed |= attempt([&](func::FuncOp function) {
        reduce::cutOut(function, begin, end);
        return sizeOf(*best) > sizeOf(function->getParentOfType<ModuleOp>());
      });
      end = std::min(begin, reduce::operationsOf(mainOf(*best)).size());
    }
  }
  return changed |= attempt(reduce::dropInputs);
}

/// Reduces single operations, also those in regions.
bool Reducer::reduceRegions() {
  if (stopped || stats.after > kMostForPatterns)
    return false;
  OwningOpRef<ModuleOp> variant = best->clone();
  {
    ScopedDiagnosticHandler quiet(variant->getContext(),
                                  [](Diagnostic &) { return success(); });
    applyReductionPatterns(*variant, tester);
  }
  reduce::dropDead(mainOf(*variant));
  return sizeOf(*variant) < stats.after && fails(*variant) &&
         keep(std::move(variant));
}

Outcome Reducer::run() {
  best = session.import();
  if (!best)
    return Outcome::UserError;
  llvm::Expected<OutputPlace> found =
      findPlace(session.options.output, session.inputs());
  if (!found)
    return session.fail(found.takeError(), Outcome::CannotWrite);
  place = *found;
  if (llvm::Error error = session.makeFolder(folder, place))
    return session.fail(std::move(error), Outcome::CannotWrite);
  // Tests leave nothing elsewhere, even if they are ended.
  setenv("TMPDIR", folder.path().c_str(), /*overwrite=*/1);
  if (Outcome outcome = start(); outcome != Outcome::Done)
    return outcome;
  for (bool changed = true; changed && !stopped;) {
    size_t before = stats.after;
    changed = attempt(reduce::dropChecks);
    changed |= reduceOutputs();
    changed |= reduceTail();
    changed |= reduceOperations();
    changed |= reduceRegions();
    if (changed)
      session.note(
          llvm::formatv("{0} of {1} operations left after {2} variants",
                        stats.after, stats.before, stats.tests)
              .str());
    changed &= stats.after < before;
  }
  return stopped.value_or(Outcome::Done);
}

Outcome hone::reduceModel(const CompileOptions &options, Failure failure,
                          const CompileCallbacks &callbacks,
                          ReduceStats &stats) {
  Session session(options, callbacks, nullptr);
  if (failure.command.empty()) {
    session.begin("compile", 0);
    SmallVector<std::string> arguments = compileArguments(options);
    arguments.append(importArguments(options));
    failure.description =
        describeFailure(options.input, arguments, failure.seconds);
    if (failure.description.empty()) {
      session.error(options.input + ": it compiles, so there is no failure to "
                                    "keep; --test looks for another one");
      return Outcome::UserError;
    }
  }
  return Reducer(session, failure, stats).run();
}
