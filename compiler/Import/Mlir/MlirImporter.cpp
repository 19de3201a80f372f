// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads a module, and finds the function that is the model.
#include "compiler/Import/Mlir/MlirImporter.h"
#include "compiler/Import/Mlir/GuardedReader.h"
#include "compiler/Import/Mlir/ImportForm.h"
#include "compiler/Import/Mlir/Passes.h"
#include "compiler/Import/ModelFile.h"
#include "dialects/Rt/Rt.h"
#include "mlir/Dialect/MLProgram/IR/MLProgram.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/thread.h"

using namespace mlir;
using namespace hone;

/// Operations in operations, or brackets in brackets: passes recurse.
static constexpr int64_t kDeepest = 512;
/// Operations, once functions are inlined where they are called.
static constexpr int64_t kMostOperations = 10'000'000;

/// Of the thread that reads.
static constexpr unsigned kStackBytes = 512 << 20;

/// The first bytes of bytecode.
static constexpr llvm::StringLiteral kBytecode = "ML\xefR";

static constexpr llvm::StringLiteral kInputs =
    "a model as MLIR is a function of linalg, tosa, tensor, arith, math and "
    "scf on tensors, or what 'hone compile --emit=import' writes";

/// Nesting of regions, types and attributes in text, outside of strings and
/// comments. Brackets of types are counted apart: they are comparisons as well.
static int64_t nestingOf(StringRef text) {
  int64_t depth = 0, angles = 0, deepest = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '"') {
      for (++i; i < text.size() && text[i] != '"' && text[i] != '\n'; ++i)
        if (text[i] == '\\')
          ++i;
    } else if (c == '/' && i + 1 < text.size() && text[i + 1] == '/') {
      i = text.find('\n', i);
      if (i == StringRef::npos)
        break;
    } else if (StringRef("({[").contains(c)) {
      ++depth;
    } else if (StringRef(")}]").contains(c)) {
      depth = std::max<int64_t>(depth - 1, 0);
    } else if (c == '<') {
      ++angles;
    } else if (c == '>' && (i == 0 || text[i - 1] != '-')) {
      angles = std::max<int64_t>(angles - 1, 0);
    }
    deepest = std::max(deepest, depth + angles);
  }
  return deepest;
}

/// Nesting of operations.
static int64_t nestingOf(ModuleOp module) {
  int64_t deepest = 0;
  SmallVector<std::pair<Operation *, int64_t>> open = {{module, 0}};
  while (!open.empty()) {
    auto [op, depth] = open.pop_back_val();
    deepest = std::max(deepest, depth);
    for (Region &region : op->getRegions())
      for (Operation &inner : region.getOps())
        if (inner.getNumRegions() > 0)
          open.push_back({&inner, depth + 1});
  }
  return deepest;
}

namespace {
/// The functions of a module, and how they call each other.
class Functions {
public:
  explicit Functions(ModuleOp module) : module(module), symbols(module) {}

  /// The function that is the model, made private to all others.
  FailureOr<func::FuncOp> findEntry();

private:
  /// Operations of a function with those that it calls; reports recursion.
  FailureOr<int64_t> sizeOf(func::FuncOp function);

  ModuleOp module;
  SymbolTable symbols;
  llvm::DenseMap<Operation *, int64_t> sizes; ///< -1 while it is computed
};
} // namespace

FailureOr<int64_t> Functions::sizeOf(func::FuncOp function) {
  auto [known, isNew] = sizes.try_emplace(function, -1);
  if (!isNew && known->second >= 0)
    return known->second;
  if (!isNew)
    return emitError(function.getLoc())
           << "function '" << function.getSymName()
           << "' cannot be compiled: it calls itself";
  int64_t size = 0;
  WalkResult result = function.walk([&](Operation *op) {
    ++size;
    auto call = dyn_cast<func::CallOp>(op);
    if (!call)
      return WalkResult::advance();
    auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
    if (!callee || callee.isExternal()) {
      emitError(op->getLoc())
          << "'func.call' cannot be compiled: the module does not define '"
          << call.getCallee() << "'";
      return WalkResult::interrupt();
    }
    FailureOr<int64_t> inner = sizeOf(callee);
    if (failed(inner))
      return WalkResult::interrupt();
    size = std::min(size + *inner, kMostOperations + 1);
    return WalkResult::advance();
  });
  if (result.wasInterrupted())
    return failure();
  if (size > kMostOperations)
    return emitError(function.getLoc())
           << "function '" << function.getSymName()
           << "' cannot be compiled: it has more than " << kMostOperations
           << " operations where functions are called";
  sizes[function] = size;
  return size;
}

FailureOr<func::FuncOp> Functions::findEntry() {
  SmallVector<func::FuncOp> candidates;
  for (Operation &op : module.getOps()) {
    if (isa<ml_program::GlobalOp>(op))
      continue;
    auto function = dyn_cast<func::FuncOp>(op);
    if (!function)
      return emitError(op.getLoc())
             << "'" << op.getName()
             << "' cannot be compiled: beside functions a module of a model "
                "has globals of ml_program only";
    if (function.isPublic() && !function.isExternal())
      candidates.push_back(function);
  }
  auto main = symbols.lookup<func::FuncOp>(rt::kEntryName);
  if (main && !main.isExternal())
    candidates.assign(1, main);
  if (candidates.empty()) {
    InFlightDiagnostic error =
        emitError(module.getLoc())
        << "there is no function that could be the model";
    error.attachNote() << kInputs;
    return error;
  }
  if (candidates.size() > 1) {
    return emitError(candidates[1].getLoc())
           << "the functions '" << candidates[0].getSymName() << "' and '"
           << candidates[1].getSymName()
           << "' could both be the model: call one of them main, or make the "
              "other one private";
  }
  func::FuncOp entry = candidates.front();
  if (failed(sizeOf(entry)))
    return failure();
  for (auto function : module.getOps<func::FuncOp>())
    function.setPrivate();
  entry.setPublic();
  entry.setSymName(rt::kEntryName);
  return entry;
}

static LogicalResult raise(ModuleOp module, const MlirOptions &options) {
  FailureOr<func::FuncOp> entry = Functions(module).findEntry();
  if (failed(entry) || failed(checkAttributes(*entry)))
    return failure();
  PassManager pm(module.getContext());
  if (options.instrument)
    options.instrument(pm);
  buildMlirInputPipeline(pm);
  bool isReported = false;
  ScopedDiagnosticHandler handler(
      module.getContext(), [&](Diagnostic &diagnostic) {
        isReported |= diagnostic.getSeverity() == DiagnosticSeverity::Error;
        return failure(); // The next handler shows it.
      });
  if (succeeded(pm.run(module)))
    return success();
  if (!isReported)
    emitError(module.getLoc()) << "the module cannot be converted to linalg";
  return failure();
}

bool hone::isMlir(StringRef name, StringRef bytes) {
  return name.ends_with(".mlir") || name.ends_with(".mlirbc") ||
         bytes.starts_with(kBytecode);
}

static OwningOpRef<ModuleOp> fail(MLIRContext &context, const Twine &text) {
  emitError(UnknownLoc::get(&context)) << text;
  return nullptr;
}

static OwningOpRef<ModuleOp> failDeep(MLIRContext &context) {
  return fail(context, "it is nested more than " + Twine(kDeepest) + " deep");
}

/// From a buffer that lives as long as the module's resources.
static OwningOpRef<ModuleOp>
importBuffer(MLIRContext &context, std::unique_ptr<llvm::MemoryBuffer> buffer,
             const MlirOptions &options) {
  if (!buffer)
    return fail(context, "there is not enough memory for the module");
  StringRef bytes = buffer->getBuffer();
  bool isBytecode = bytes.starts_with(kBytecode);
  if (!isBytecode && nestingOf(bytes) > kDeepest)
    return failDeep(context);
  DialectRegistry registry;
  registerMlirInputDialects(registry);
  context.appendDialectRegistry(registry);
  context.loadAllAvailableDialects();
  FailureOr<OwningOpRef<ModuleOp>> read =
      readGuarded(context, std::move(buffer), isBytecode, options.ownProcess);
  if (failed(read))
    return fail(context, "MLIR's reader fails on it: the file is damaged, or "
                         "what it says is impossible or takes more time or "
                         "memory than there is");
  OwningOpRef<ModuleOp> module = std::move(*read);
  if (!module)
    return fail(context, isBytecode
                             ? kInputs + "; bytecode of another version "
                                         "of MLIR may be readable as text"
                             : Twine(kInputs));
  if (nestingOf(*module) > kDeepest)
    return failDeep(context);
  removeLaterAttributes(*module);
  if (options.randomWeights)
    fillWeights(*module);
  if (!hasImportForm(*module) && failed(raise(*module, options)))
    return nullptr;
  if (failed(checkImportForm(*module)) ||
      failed(fixSizes(*module, options.sizes)))
    return nullptr;
  return module;
}

/// Does it where there is room for the recursion of readers and verifiers, in
/// operations that bytecode nests and in functions that call others.
static OwningOpRef<ModuleOp>
importDeep(MLIRContext &context, std::unique_ptr<llvm::MemoryBuffer> buffer,
           const MlirOptions &options) {
  OwningOpRef<ModuleOp> module;
  llvm::thread reader(std::optional<unsigned>(kStackBytes), [&] {
    module = importBuffer(context, std::move(buffer), options);
  });
  reader.join();
  return module;
}

OwningOpRef<ModuleOp> hone::importMlir(MLIRContext &context, StringRef path,
                                       const MlirOptions &options,
                                       std::vector<std::string> &files) {
  auto file = openModelFile(path, /*isText=*/false);
  if (!file)
    return fail(context, llvm::toString(file.takeError()));
  files.push_back(path.str());
  if (!(*file)->getBuffer().starts_with(kBytecode)) {
    file = openModelFile(path, /*isText=*/true);
    if (!file)
      return fail(context, llvm::toString(file.takeError()));
  } else if ((*file)->getBufferKind() !=
             llvm::MemoryBuffer::MemoryBuffer_MMap) {
    return importDeep(context, copyToPages((*file)->getBuffer(), path),
                      options);
  }
  return importDeep(context, std::move(*file), options);
}

OwningOpRef<ModuleOp> hone::importMlir(MLIRContext &context,
                                       const llvm::MemoryBuffer &bytes,
                                       StringRef name,
                                       const MlirOptions &options) {
  return importDeep(context, copyToPages(bytes.getBuffer(), name), options);
}
