// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Runs ptxas and parses its output.
#include "compiler/Target/Cuda/Assembler.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"
#include <cstdlib>

using namespace llvm;
using namespace hone;

std::string hone::findPtxas() {
  if (const char *named = std::getenv("HONE_PTXAS"))
    return named;
  SmallVector<SmallString<128>> folders;
  for (const char *variable : {"CUDA_HOME", "CUDA_PATH"})
    if (const char *home = std::getenv(variable))
      sys::path::append(folders.emplace_back(home), "bin");
  folders.emplace_back("/usr/local/cuda/bin");
  ErrorOr<std::string> found = sys::findProgramByName("ptxas");
  if (!found)
    found = sys::findProgramByName("ptxas", to_vector_of<StringRef>(folders));
  return found ? *found : "";
}

/// The number before `word`, as in "72 registers, 8192 bytes smem".
static int64_t numberBefore(StringRef line, StringRef word) {
  size_t at = line.find(word);
  if (at == StringRef::npos)
    return 0;
  StringRef digits = line.take_front(at).rtrim();
  size_t start = digits.find_last_not_of("0123456789");
  int64_t number = 0;
  digits.substr(start == StringRef::npos ? 0 : start + 1)
      .getAsInteger(10, number);
  return number;
}

static void readVerbose(StringRef text, StringRef chip, Assembled &result) {
  for (StringRef line : split(text, '\n')) {
    if (line.contains("Compiling entry function '")) {
      StringRef name = line.split("function '").second.split('\'').first;
      result.functions.push_back({name.str(), chip.str()});
    } else if (line.contains("bytes spill stores")) {
      if (!result.functions.empty())
        result.functions.back().spillBytes +=
            numberBefore(line, " bytes spill stores") +
            numberBefore(line, " bytes spill loads");
    } else if (line.contains(" registers")) {
      if (!result.functions.empty()) {
        result.functions.back().registers = numberBefore(line, " registers");
        result.functions.back().sharedBytes = numberBefore(line, " bytes smem");
      }
    } else if (line.contains("(C75") || line.contains("warning"))
      result.remarks += (line + "\n").str();
  }
}

static std::string readText(StringRef path) {
  auto buffer = MemoryBuffer::getFile(path);
  return buffer ? (*buffer)->getBuffer().str() : "";
}

Expected<AssemblerChips> hone::readAssemblerChips(StringRef ptxas) {
  SmallString<128> log;
  if (std::error_code error =
          sys::fs::createTemporaryFile("ptxas-help", "log", log))
    return createStringError(error, "cannot write a temporary file");
  FileRemover remover(log);
  std::optional<StringRef> redirects[] = {StringRef(""), log.str(), log.str()};
  std::string error;
  sys::ExecuteAndWait(ptxas, {ptxas, "--help"}, std::nullopt, redirects, 0, 0,
                      &error);
  AssemblerChips chips{ptxas.str(), {}};
  // In quotes, among other names: 'sm_90a','lto_90a'.
  std::string help = readText(log);
  for (StringRef word : split(help, '\''))
    if (word.starts_with("sm_") && word.size() > 3 && isDigit(word[3]))
      chips.names.push_back(word.str());
  if (chips.names.empty())
    return createStringError("'" + ptxas + "' names no GPU in its help" +
                             (error.empty() ? "" : ": " + error) +
                             "; is it NVIDIA's assembler?");
  return chips;
}

/// Lets functions that spill use registers until one block fills a
/// multiprocessor: by default the assembler spills a little to fit more
/// threads.
static std::string withMoreRegisters(StringRef ptx,
                                     ArrayRef<FunctionResources> functions) {
  std::string result = ptx.str();
  for (const FunctionResources &function : functions) {
    if (function.spillBytes == 0)
      continue;
    size_t entry = result.find(".entry " + function.function + "(");
    size_t bound = result.find(".maxntid", entry);
    if (entry != std::string::npos && bound != std::string::npos)
      result.insert(bound, ".minnctapersm 1\n");
  }
  return result;
}

static int64_t spilled(const Assembled &code) {
  int64_t bytes = 0;
  for (const FunctionResources &function : code.functions)
    bytes += function.spillBytes;
  return bytes;
}

static Expected<Assembled> runPtxas(StringRef ptxas, StringRef ptx,
                                    StringRef chip, StringRef directory) {
  constexpr StringLiteral suffixes[] = {"ptx", "cubin", "log"};
  SmallString<128> paths[3];
  scope_exit cleanup([&] {
    for (const auto &path : paths)
      sys::fs::remove(path);
  });
  for (auto [path, suffix] : zip_equal(paths, suffixes)) {
    int file;
    SmallString<128> model(directory);
    sys::path::append(model, "kernel-%%%%%%%%." + suffix);
    if (std::error_code error = sys::fs::createUniqueFile(model, file, path))
      return createStringError(error, "cannot write into '" + directory + "'");
    raw_fd_ostream stream(file, /*shouldClose=*/true);
    if (suffix == "ptx")
      stream << ptx;
  }
  std::string architecture = ("-arch=" + chip).str();
  SmallVector<StringRef> arguments = {ptxas, architecture, "-v",    "-O3",
                                      "-o",  paths[1],     paths[0]};
  std::optional<StringRef> redirects[] = {StringRef(""), paths[2].str(),
                                          paths[2].str()};
  std::string error;
  int status = sys::ExecuteAndWait(ptxas, arguments, std::nullopt, redirects, 0,
                                   0, &error);
  std::string log = readText(paths[2]);
  if (status != 0)
    return createStringError(("'" + ptxas + "' rejects the code for " + chip +
                              ": " + (error.empty() ? log : error))
                                 .str());
  Assembled result;
  readVerbose(log, chip, result);
  auto code = MemoryBuffer::getFile(paths[1], /*IsText=*/false,
                                    /*RequiresNullTerminator=*/false);
  if (!code)
    return createStringError(code.getError(), "'" + ptxas + "' left no code");
  result.code.assign((*code)->getBufferStart(), (*code)->getBufferEnd());
  return result;
}

Expected<Assembled> hone::assemblePtx(StringRef ptxas, StringRef ptx,
                                      StringRef chip, StringRef directory) {
  Expected<Assembled> first = runPtxas(ptxas, ptx, chip, directory);
  if (!first || spilled(*first) == 0)
    return first;
  Expected<Assembled> second = runPtxas(
      ptxas, withMoreRegisters(ptx, first->functions), chip, directory);
  if (!second || spilled(*second) < spilled(*first))
    return second;
  return first;
}
