// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// lld as a library. It keeps global state: links run one after the other, and
// each cleans up behind itself.
#include "compiler/Target/Cpu/Link.h"
#include "lld/Common/CommonLinkerContext.h"
#include "lld/Common/Driver.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"
#include <link.h>
#include <mutex>

LLD_HAS_DRIVER(elf)

extern "C" {
// Made from build/lib/libhone_core.a by the build.
extern const char _binary_libhone_core_a_start[];
extern const char _binary_libhone_core_a_end[];
}

using namespace llvm;
using namespace hone;

StringRef hone::coreArchive() {
  return StringRef(_binary_libhone_core_a_start,
                   _binary_libhone_core_a_end - _binary_libhone_core_a_start);
}

/// The loaded libc and libm: a machine without development packages has no
/// other.
static std::vector<std::string> loadedLibraries() {
  std::vector<std::string> found;
  dl_iterate_phdr(
      [](dl_phdr_info *info, size_t, void *data) {
        StringRef path = info->dlpi_name;
        StringRef name = path.rsplit('/').second;
        if (name == "libc.so.6" || name == "libm.so.6" ||
            name.starts_with("ld-linux-"))
          static_cast<std::vector<std::string> *>(data)->push_back(path.str());
        return 0;
      },
      &found);
  return found;
}

static Error writeFile(const std::string &path, StringRef text) {
  std::error_code error;
  raw_fd_ostream stream(path, error);
  if (error)
    return createFileError(path, error);
  stream << text;
  stream.close();
  if (stream.has_error()) {
    error = stream.error();
    stream.clear_error();
    return createFileError(path, error);
  }
  return Error::success();
}

Error hone::link(const LinkJob &job) {
  static std::mutex mutex;
  std::lock_guard<std::mutex> lock(mutex);
  std::vector<std::string> arguments = {
      "ld.lld",      "-o", job.output,   "--no-undefined-version",
      "--threads=2", "-z", "noexecstack"};
  if (job.relocatable) {
    arguments.push_back("-r");
  } else {
    std::string exports = job.directory + "/exports";
    if (Error error =
            writeFile(exports, "{ global: " + job.symbol + "; local: *; };\n"))
      return error;
    std::vector<std::string> flags = {"-shared",
                                      "--no-undefined",
                                      "--gc-sections",
                                      "--as-needed",
                                      "--hash-style=gnu",
                                      "-z",
                                      "relro",
                                      "-z",
                                      "now",
                                      "--strip-debug",
                                      "--version-script",
                                      exports,
                                      "--build-id=fast"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
  }
  arguments.insert(arguments.end(), job.objects.begin(), job.objects.end());
  if (!job.relocatable)
    for (const std::string &library : loadedLibraries())
      arguments.push_back(library);

  std::vector<const char *> pointers;
  for (const std::string &argument : arguments)
    pointers.push_back(argument.c_str());
  std::string messages;
  raw_string_ostream stream(messages);
  bool linked = lld::elf::link(pointers, stream, stream, /*exitEarly=*/false,
                               /*disableOutput=*/false);
  lld::CommonLinkerContext::destroy();
  if (!linked)
    return createStringError("the linker failed: " + messages);
  return Error::success();
}
