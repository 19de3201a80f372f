// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The front end: starts hone-compile, hone-run, hone-tune, hone-quantize or
// hone-verify, which are beside it, with the same arguments. It links neither
// LLVM nor the runtime.
#include "tools/hone/Beside.h"
#include "tools/hone/Compile.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char help[] =
    "usage: hone COMMAND ...\n"
    "\n"
    "  compile MODEL             make a shared library from a model file\n"
    "  quantize MODEL            make a model of bytes from one of floats\n"
    "  tune MODEL                measure which schedules are fast here\n"
    "  check MODEL...            list everything that would not compile\n"
    "  run OUT.so                run a compiled model, show or check its "
    "outputs\n"
    "  bench OUT.so              time a compiled model\n"
    "  info OUT.so               describe what a compiled model takes and "
    "needs\n"
    "  inspect MODEL             describe a model file\n"
    "  reduce MODEL              make a model smaller that fails to compile\n"
    "  verify MODEL              compare with ONNX Runtime, and find what "
    "differs\n"
    "\n"
    "  hone COMMAND --help       the command's options\n"
    "  hone --version\n";

static const struct {
  const char *command, *program;
} commands[] = {
    {"compile", "hone-compile"},   {"check", "hone-compile"},
    {"tune", "hone-tune"},         {"run", "hone-run"},
    {"bench", "hone-run"},         {"info", "hone-run"},
    {"quantize", "hone-quantize"}, {"inspect", "hone-compile"},
    {"verify", "hone-verify"},     {"reduce", "hone-compile"},
};

/// Whether the argument is a regular file that neither is nor claims to be a
/// library.
static bool isModelFile(const char *path) {
  struct stat status;
  size_t length = strlen(path);
  if (stat(path, &status) || !S_ISREG(status.st_mode) ||
      (length > 3 && !strcmp(path + length - 3, ".so")))
    return false;
  char begin[4] = "";
  FILE *file = fopen(path, "rb");
  size_t size = file ? fread(begin, 1, sizeof(begin), file) : 0;
  if (file)
    fclose(file);
  return size > 0 && memcmp(begin, "\177ELF", size);
}

int main(int argc, char **argv) {
  const char *command = argc > 1 ? argv[1] : "";
  if (!strcmp(command, "--help") || !strcmp(command, "-h") ||
      !strcmp(command, "help")) {
    fputs(help, stdout);
    return 0;
  }
  if (!strcmp(command, "--version")) {
    puts("hone " HONE_VERSION);
    return 0;
  }
  // Users ask for information about whatever they have.
  static char inspect[] = "inspect";
  for (int i = 2; i < argc && !strcmp(command, "info"); ++i)
    if (argv[i][0] != '-' && isModelFile(argv[i]))
      command = argv[1] = inspect;
  const char *program = nullptr;
  for (const auto &entry : commands)
    if (!strcmp(command, entry.command))
      program = entry.program;
  if (!program) {
    if (*command)
      fprintf(stderr, "error: there is no command '%s'\n\n", command);
    fputs(help, stderr);
    return 2;
  }

  char path[PATH_MAX];
  if (!hone::findBeside(program, path))
    return 70;
  if (strcmp(program, "hone-compile"))
    execv(path, argv);
  else if (access(path, X_OK) == 0)
    return hone::compileWatched(path, argc, argv);
  fprintf(stderr, "error: '%s' needs %s: %s\n", command, path, strerror(errno));
  return 1;
}
