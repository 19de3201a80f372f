// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Programs with several commands.
#ifndef HONE_TOOLS_COMMANDLINE_COMMANDS_H
#define HONE_TOOLS_COMMANDLINE_COMMANDS_H

#include <initializer_list>

namespace hone {

/// A command, and the function that parses what follows its name and executes
/// it; returns the exit code.
struct Command {
  const char *name;
  int (*run)(int argc, char **argv);
};

/// Runs the command that argv[1] names. Returns its exit code, or 2 after a
/// message if there is none of that name.
int runCommand(std::initializer_list<Command> commands, int argc, char **argv);

} // namespace hone

#endif // HONE_TOOLS_COMMANDLINE_COMMANDS_H
