// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How a compilation fails, and whether another one fails in the same way.
#include "compiler/Reduce/Failure.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Program.h"
#include <optional>

using namespace llvm;
using namespace hone;

std::string hone::ownProgram() {
  return sys::fs::getMainExecutable(nullptr, nullptr);
}

/// A message without names in quotes, numbers, and the file that it is about.
static std::string normalized(StringRef line, StringRef file) {
  std::string rest = line.str();
  for (size_t at; (at = rest.find(file.str())) != std::string::npos;)
    rest.erase(at, file.size());
  std::string text;
  for (size_t i = 0; i < rest.size(); ++i) {
    size_t end = rest[i] == '\'' ? rest.find('\'', i + 1) : std::string::npos;
    if (end != std::string::npos)
      i = end;
    else if (!isDigit(rest[i]))
      text += rest[i];
  }
  return text;
}

/// Lines of standard error that say what is wrong, without repetitions.
static std::string describeMessages(StringRef text, StringRef file) {
  SmallVector<std::string> kept;
  for (StringRef line : split(text, '\n')) {
    bool isError = line.starts_with("error: ") ||
                   line.starts_with("LLVM ERROR: ") ||
                   line.contains("Assertion `");
    std::string own = isError ? normalized(line, file) : "";
    if (!own.empty() && !is_contained(kept, own))
      kept.push_back(own);
  }
  return join(kept, "\n");
}

std::string hone::describeFailure(StringRef file, ArrayRef<std::string> options,
                                  unsigned seconds) {
  SmallString<128> messages;
  if (sys::fs::createTemporaryFile("messages", "txt", messages))
    return "";
  FileRemover remover(messages);
  std::string program = ownProgram();
  SmallVector<StringRef> words = {program, "compile", file,
                                  "-q",    "-o",      "/dev/null"};
  words.append(options.begin(), options.end());
  std::optional<StringRef> redirects[] = {StringRef(), StringRef(),
                                          StringRef(messages)};
  std::string problem;
  int code = sys::ExecuteAndWait(program, words, std::nullopt, redirects,
                                 seconds, /*MemoryLimit=*/0, &problem);
  if (code == 0)
    return "";
  auto text = MemoryBuffer::getFile(messages);
  std::string description =
      text ? describeMessages((*text)->getBuffer(), file) : "";
  // Ended by a signal, or too late.
  if (code < 0)
    description =
        StringRef(problem).split(" (").first.str() + "\n" + description;
  return description;
}

SmallVector<std::string> hone::testArguments(const Failure &failure,
                                             ArrayRef<std::string> options) {
  SmallVector<std::string> arguments = {kTestCommand.str(), failure.command,
                                        failure.description,
                                        std::to_string(failure.seconds)};
  arguments.append(options.begin(), options.end());
  return arguments;
}

int hone::testForFailure(ArrayRef<std::string> arguments) {
  if (arguments.size() < 4)
    return 0;
  Failure failure{arguments[0], arguments[1]};
  if (StringRef(arguments[2]).getAsInteger(10, failure.seconds))
    return 0;
  const std::string &file = arguments.back();
  ArrayRef<std::string> options = arguments.drop_front(3).drop_back();
  if (failure.command.empty())
    return describeFailure(file, options, failure.seconds) ==
           failure.description;
  std::string script = failure.command + " \"$1\"";
  StringRef words[] = {"/bin/sh", "-c", script, "sh", file};
  std::optional<StringRef> nowhere[] = {StringRef(), StringRef(), StringRef()};
  return sys::ExecuteAndWait("/bin/sh", words, std::nullopt, nowhere,
                             failure.seconds) == 0;
}
