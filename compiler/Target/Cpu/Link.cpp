// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// lld as a library. It keeps global state: links run one after the other, and
// each cleans up behind itself.
#include "compiler/Target/Cpu/Link.h"
#include "compiler/Target/Cpu/Weights.h"
#include "lld/Common/CommonLinkerContext.h"
#include "lld/Common/Driver.h"
#include "runtime/loader/Seal.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Object/ELF.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
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

/// Where the weights lie in a linked library; nothing where it has none.
static Expected<std::pair<uint64_t, uint64_t>> placeOfWeights(int file) {
  ErrorOr<std::unique_ptr<MemoryBuffer>> buffer = MemoryBuffer::getOpenFile(
      file, "library", /*FileSize=*/-1, /*RequiresNullTerminator=*/false);
  if (!buffer)
    return errorCodeToError(buffer.getError());
  auto elf = object::ELF64LEFile::create((*buffer)->getBuffer());
  if (!elf)
    return elf.takeError();
  auto sections = elf->sections();
  if (!sections)
    return sections.takeError();
  for (const auto &section : *sections) {
    Expected<StringRef> name = elf->getSectionName(section);
    if (!name)
      return name.takeError();
    if (*name == kWeightsSection)
      return std::pair<uint64_t, uint64_t>(section.sh_offset, section.sh_size);
  }
  return std::pair<uint64_t, uint64_t>(0, 0);
}

static Error seal(const std::string &path) {
  int file = -1;
  if (std::error_code error = sys::fs::openFileForReadWrite(
          path, file, sys::fs::CD_OpenExisting, sys::fs::OF_None))
    return createFileError(path, error);
  llvm::scope_exit close([&] { (void)sys::fs::closeFile(file); });
  auto weights = placeOfWeights(file);
  if (!weights)
    return weights.takeError();
  char reason[256];
  Text text(reason, sizeof(reason));
  if (makeSeal(file, weights->first, weights->second, text) != HONE_OK)
    return createStringError(path + ": " + reason);
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
  return job.relocatable ? Error::success() : seal(job.output);
}
