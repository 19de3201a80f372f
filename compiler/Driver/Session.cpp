// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// State of one compilation: options, IR context, messages, times.
#include "compiler/Driver/Session.h"
#include "compiler/Import/Mlir/MlirImporter.h"
#include "compiler/Import/Onnx/OnnxImporter.h"
#include "compiler/Pipeline/Phases.h"
#include "compiler/Target/Targets.h"
#include "dialects/Graph/Graph.h"
#include "dialects/Rt/Rt.h"
#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "runtime/core/Printable.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace hone;

/// In bytes.
static constexpr size_t kLongestNote = 1000;

/// "node 'x': " unless the message says so itself.
static std::string describeLocation(Location loc, StringRef message) {
  auto name = loc->findInstanceOf<NameLoc>();
  if (!name || name.getName().empty() ||
      message.contains("'" + name.getName().str() + "'"))
    return "";
  return rt::describeNode(loc) + ": ";
}

static const char *severityText(DiagnosticSeverity severity) {
  switch (severity) {
  case DiagnosticSeverity::Error:
    return "error: ";
  case DiagnosticSeverity::Warning:
    return "warning: ";
  case DiagnosticSeverity::Note:
  case DiagnosticSeverity::Remark:
    return "note: ";
  }
  return "";
}

Session::Session(const CompileOptions &options,
                 const CompileCallbacks &callbacks, CompileStats *stats)
    : options(options), stats(stats ? *stats : ownStats), callbacks(callbacks) {
  threads = std::make_unique<llvm::DefaultThreadPool>(
      llvm::hardware_concurrency(options.jobs));
  DialectRegistry registry;
  registerDialects(registry);
  onnx::registerImportDialects(registry);
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  registerTargetDialects(registry);
  mlirContext =
      std::make_unique<MLIRContext>(registry, MLIRContext::Threading::DISABLED);
  if (options.jobs != 1)
    mlirContext->setThreadPool(*threads);
  // Kernels are compiled on several threads, when no dialect may be loaded any
  // more.
  mlirContext->loadAllAvailableDialects();
  if ((options.explain || !options.report.empty()) &&
      failed(explanation.listen(*mlirContext)))
    note("the remarks of passes cannot be kept: there is no explanation");
  mlirContext->getDiagEngine().registerHandler([this](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() == DiagnosticSeverity::Remark)
      return success();
    std::string text = diagnostic.str();
    const std::string &input = this->options.input;
    std::string where =
        input.empty() || StringRef(text).contains(input) ? "" : input + ": ";
    if (auto line =
            diagnostic.getLocation()->findInstanceOf<FileLineColLoc>()) {
      // A module may know from which file it was made.
      if (line.getFilename() != input)
        where += line.getFilename().str();
      else
        where = input;
      where += llvm::formatv(":{0}:{1}: ", line.getLine(), line.getColumn());
    }
    std::lock_guard<std::mutex> lock(mutex);
    tell(severityText(diagnostic.getSeverity()),
         where + describeLocation(diagnostic.getLocation(), text) + text);
    for (Diagnostic &note : diagnostic.getNotes()) {
      // MLIR adds the operation, which may be the whole model.
      std::string text = note.str();
      if (text.size() > kLongestNote)
        text.replace(kLongestNote, text.npos, " ...");
      tell("note: ", text);
    }
    return success();
  });
}

Session::~Session() {
  finishPhase();
  dropContext();
  if (options.explain) {
    llvm::raw_string_ostream os(stats.explanation);
    explanation.print(os);
  }
}

void Session::dropContext() { mlirContext.reset(); }

llvm::Error Session::readPipelines() {
  for (const std::string &plugin : options.passPlugins)
    if (llvm::Error error = loadPassPlugin(plugin))
      return error;
  userPipelines.setInstrument(options.instrument);
  for (const auto &[phase, text] : options.pipelines)
    if (llvm::Error error = userPipelines.add(phase, text, *mlirContext))
      return error;
  return llvm::Error::success();
}

void Session::tell(StringRef severity, StringRef text) {
  if (callbacks.message)
    callbacks.message(severity.str() + printable(text));
}

void Session::error(StringRef text) {
  std::lock_guard<std::mutex> lock(mutex);
  tell("error: ", text);
}

void Session::note(StringRef text) {
  std::lock_guard<std::mutex> lock(mutex);
  tell("note: ", text);
}

Outcome Session::internal(StringRef what) {
  if (userPipelines.hasFailed())
    return Outcome::UserError;
  error(("internal error: " + what).str());
  if (std::string phases = userPipelines.phases(); !phases.empty())
    note("the pipeline after " + phases + " may be the reason: try without it");
  return Outcome::Internal;
}

Outcome Session::fail(llvm::Error problem, Outcome outcome) {
  error(llvm::toString(std::move(problem)));
  return outcome;
}

void Session::finishPhase() {
  if (!phase.empty())
    stats.seconds.push_back(
        {phase, std::chrono::duration<double>(std::chrono::steady_clock::now() -
                                              phaseBegin)
                    .count()});
  phase.clear();
}

bool Session::begin(StringRef name, double fraction) {
  finishPhase();
  phase = name.str();
  phaseBegin = std::chrono::steady_clock::now();
  return progress(name, fraction);
}

bool Session::progress(StringRef what, double fraction) {
  std::lock_guard<std::mutex> lock(mutex);
  if (callbacks.progress && !callbacks.progress(what, fraction))
    cancelled = true;
  return !cancelled;
}

llvm::Error Session::makeFolder(TemporaryFolder &folder,
                                const OutputPlace &place) {
  return folder.create(place, [&](StringRef path) {
    if (callbacks.folder)
      callbacks.folder(path);
  });
}

bool Session::mayPublish() {
  if (callbacks.publish && !callbacks.publish())
    cancelled = true;
  return !cancelled;
}

/// Whether a module calls custom operators, whose code it does not have.
bool Session::refuseCustom(ModuleOp module) {
  WalkResult found = module.walk([](graph::LibraryOp op) {
    return op.getFunction() == rt::kCustomFunction ? WalkResult::interrupt()
                                                   : WalkResult::advance();
  });
  if (found.wasInterrupted())
    error(options.input + ": it has custom operators: compile the ONNX model "
                          "that it was made from");
  return found.wasInterrupted();
}

OwningOpRef<ModuleOp> Session::import() {
  onnx::ImportOptions imported;
  imported.files = &files;
  for (const auto &[name, size] : options.dims)
    imported.dims[name] = size;
  imported.shapes = options.shapes;
  imported.overrides = options.overrides;
  if (llvm::Error error = customOperators.read(options.customOperators,
                                               options.sessionOperators)) {
    fail(std::move(error), Outcome::UserError);
    return nullptr;
  }
  imported.customOperators = customOperators.all();
  StringRef input = options.input;
  if (isMlir(input, options.bytes ? options.bytes->getBuffer() : "")) {
    if (options.overrides) {
      error(input.str() + ": only ONNX models have initializers to override");
      return nullptr;
    }
    if (!customOperators.empty()) {
      error(input.str() + ": only ONNX models have custom operators");
      return nullptr;
    }
    MlirOptions given{{options.dims, options.shapes},
                      options.instrument,
                      options.randomWeights,
                      options.ownProcess};
    OwningOpRef<ModuleOp> module =
        options.bytes ? importMlir(*mlirContext, *options.bytes, input, given)
                      : importMlir(*mlirContext, input, given, files);
    return module && refuseCustom(*module) ? nullptr : std::move(module);
  }
  if (options.bytes)
    return onnx::importOnnx(*mlirContext, options.bytes, input, imported);
  return onnx::importOnnx(*mlirContext, input, imported);
}

std::string hone::printable(StringRef text) {
  std::string result;
  putPrintable(text.data(), text.size(), [&](const char *piece, size_t size) {
    result.append(piece, size);
  });
  return result;
}

std::string hone::writeBytecode(ModuleOp module) {
  std::string bytes;
  llvm::raw_string_ostream stream(bytes);
  if (failed(writeBytecodeToFile(module, stream)))
    return "";
  return bytes;
}

std::string hone::printIr(Operation *op, PrintedIr printed) {
  OpPrintingFlags flags;
  if (printed.locations)
    flags.enableDebugInfo();
  if (!printed.weights) {
    flags.elideLargeElementsAttrs(64);
    flags.elideLargeResourceString(64);
  }
  std::string text;
  llvm::raw_string_ostream stream(text);
  op->print(stream, flags);
  stream << "\n";
  return text;
}
