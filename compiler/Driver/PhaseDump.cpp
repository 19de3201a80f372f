// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Files with the IR after each phase, as --dump-phases writes them.
#include "compiler/Driver/PhaseDump.h"
#include "compiler/Driver/PhaseIr.h"
#include "mlir/IR/Threading.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace hone;
namespace fs = llvm::sys::fs;

static constexpr StringLiteral kEnding = ".mlir";

/// "2-graph".
static std::string numbered(Phase phase) {
  return (Twine(static_cast<int>(phase) + 1) + "-" + phaseName(phase)).str();
}

/// Whether a file has a name that is given here.
static bool isDumped(StringRef name) {
  if (!name.consume_back(kEnding))
    return false;
  auto isOfPart = [](char c) { return llvm::isAlnum(c) || c == '_'; };
  for (int i = 0; i <= static_cast<int>(Phase::Llvm); ++i) {
    StringRef part = name;
    if (part.consume_front(numbered(static_cast<Phase>(i))))
      return part.empty() ||
             (part.consume_front(".") && llvm::all_of(part, isOfPart));
  }
  return false;
}

PhaseDump::~PhaseDump() {
  unfinished.remove();
  if (isNew)
    fs::remove(path); // fails if there is anything in it
}

Outcome PhaseDump::open() {
  if (path.empty())
    return Outcome::Done;
  std::error_code error = fs::create_directory(path, /*IgnoreExisting=*/false);
  isNew = !error;
  if (error == std::errc::file_exists)
    error = fs::is_directory(path)
                ? std::error_code()
                : std::make_error_code(std::errc::not_a_directory);
  if (error)
    return session.fail(llvm::createFileError(path, error),
                        Outcome::CannotWrite);
  SmallString<128> inside(path);
  llvm::sys::path::append(inside, "phases");
  if (llvm::Error problem =
          session.makeFolder(unfinished, {inside.str().str()}))
    return session.fail(std::move(problem), Outcome::CannotWrite);
  return Outcome::Done;
}

llvm::Error PhaseDump::clear(ArrayRef<std::string> inputs) {
  std::error_code error;
  SmallVector<std::string> old;
  for (fs::directory_iterator i(path, error), end; i != end && !error;
       i.increment(error))
    if (i->type() == fs::file_type::regular_file &&
        isDumped(llvm::sys::path::filename(i->path())))
      old.push_back(i->path());
  if (error)
    return llvm::createFileError(path, error);
  for (const std::string &file : old)
    if (llvm::Error problem = findPlace(file, inputs).takeError())
      return problem;
  for (const std::string &file : old)
    if ((error = fs::remove(file)))
      return llvm::createFileError(file, error);
  return llvm::Error::success();
}

/// May be called from several threads.
Outcome PhaseDump::write(ModuleOp module, Phase phase, StringRef part) {
  std::string name =
      numbered(phase) + (part.empty() ? "" : ".") + part.str() + kEnding.str();
  SmallString<128> file(path);
  llvm::sys::path::append(file, name);
  std::string draft = unfinished.file(name);
  llvm::Error error = writeFile(draft, printIr(module));
  if (!error)
    error = publish(draft, {file.str().str()});
  if (error)
    return session.fail(std::move(error), Outcome::CannotWrite);
  return session.isCancelled() ? Outcome::Cancelled : Outcome::Done;
}

Outcome PhaseDump::addImported(ModuleOp model, ArrayRef<std::string> inputs) {
  if (path.empty())
    return Outcome::Done;
  if (llvm::Error error = clear(inputs))
    return session.fail(std::move(error), Outcome::WrongUsage);
  return write(model, Phase::Import);
}

Outcome PhaseDump::addGraph(ModuleOp model) {
  return path.empty() ? Outcome::Done : write(model, Phase::Graph);
}

Outcome PhaseDump::writeKernels(ModuleOp model, Phase phase) {
  std::atomic<Outcome> outcome = Outcome::Done;
  auto dump = [&](func::FuncOp kernel) {
    OwningOpRef<ModuleOp> lowered = kernelAfter(kernel, phase, targets);
    Outcome own = lowered ? write(*lowered, phase, kernel.getSymName())
                          : session.internal(("kernel '" + kernel.getSymName() +
                                              "' could not be lowered")
                                                 .str());
    if (own != Outcome::Done)
      outcome = own;
    return success(own == Outcome::Done);
  };
  LogicalResult all =
      failableParallelForEach(model.getContext(), kernelsOf(model), dump);
  return succeeded(all) ? Outcome::Done : outcome.load();
}

Outcome PhaseDump::addParts(ModuleOp model, Phase last) {
  for (Phase phase : {Phase::Linalg, Phase::Buffer, Phase::Llvm}) {
    if (path.empty() || phase > last)
      break;
    OwningOpRef<ModuleOp> host;
    // It is as after the graph phase until it is planned.
    if (phase > Phase::Linalg) {
      host = hostAfter(model, phase, session.options.instrument);
      if (!host)
        return session.internal("the host function could not be lowered");
      if (Outcome outcome = write(*host, phase, "host");
          outcome != Outcome::Done)
        return outcome;
    }
    if (Outcome outcome = writeKernels(model, phase); outcome != Outcome::Done)
      return outcome;
  }
  return Outcome::Done;
}
