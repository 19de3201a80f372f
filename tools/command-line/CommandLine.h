// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The command lines of all programs: how they are parsed, their help and their
// errors, and the options that several commands have.
#ifndef HONE_TOOLS_COMMANDLINE_COMMANDLINE_H
#define HONE_TOOLS_COMMANDLINE_COMMANDLINE_H

#include "tools/command-line/Sizes.h"

#include <CLI/CLI.hpp>
#include <optional>

namespace hone {

/// The options of one command.
class CommandLine {
public:
  /// `command` as users type it after "hone".
  CommandLine(const std::string &command, const std::string &summary);

  CLI::App &app() { return parser; }
  /// An option that may be given several times, with one value each time.
  CLI::Option *addList(const std::string &name, std::vector<std::string> &list,
                       const std::string &help);
  /// The argument MODEL.
  void addModel(std::string &model, const char *help);

  // Options of several commands. `help` says what they mean to this one.
  void addSizes(GivenSizes &sizes, const char *help);
  CLI::Option *addOutput(std::string &output, const char *help);
  CLI::Option *addThreads(int &threads, int least, const char *help);
  void addCpu(std::string &cpu, const char *help);
  void addPrecision(std::string &precision);
  CLI::Option *addSymbol(std::string &symbol, const char *help);
  void addJson(bool &json);

  /// Parses what follows the command in `argv`. Nothing if it can be executed,
  /// otherwise the exit code: 0 after the help, 2 after a message about wrong
  /// usage.
  std::optional<int> parse(int argc, char **argv);

private:
  std::string describe(const CLI::ParseError &error) const;
  std::string describeUnexpected() const;

  CLI::App parser;
};

/// What is left of an option to check after parsing; parse() reports it.
[[noreturn]] inline void failUsage(const std::string &message) {
  throw CLI::ValidationError(message);
}

/// The name of a file in the working folder that is made from `model`: its name
/// with another ending.
std::string defaultOutput(const std::string &model, const char *ending);

} // namespace hone

#endif // HONE_TOOLS_COMMANDLINE_COMMANDLINE_H
