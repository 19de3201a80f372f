// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// lld as a library. It keeps global state: links run one after another, and
// each cleans up after itself.
#include "compiler/Target/Cpu/Link.h"
#include "compiler/Target/Cpu/Weights.h"
#include "lld/Common/CommonLinkerContext.h"
#include "lld/Common/Driver.h"
#include "runtime/loader/Seal.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/ObjCopy/CommonConfig.h"
#include "llvm/ObjCopy/ConfigManager.h"
#include "llvm/ObjCopy/ObjCopy.h"
#include "llvm/Object/ArchiveWriter.h"
#include "llvm/Object/Binary.h"
#include "llvm/Object/ELF.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/raw_ostream.h"
#include <mutex>

LLD_HAS_DRIVER(elf)

// Made by the build from build/lib/libhone_core.a and the stubs of
// runtime/libc.
#define EMBEDDED(name)                                                         \
  extern "C" const char _binary_##name##_start[];                              \
  extern "C" const char _binary_##name##_end[];
EMBEDDED(libhone_core_a)
EMBEDDED(stub_libc_so)
EMBEDDED(stub_libdl_so)
EMBEDDED(stub_libm_so)
EMBEDDED(stub_libpthread_so)

using namespace llvm;
using namespace hone;

namespace {

/// A file embedded in this program.
struct Embedded {
  const char *name, *begin, *end;
};

constexpr Embedded kCore = {"libhone_core.a", _binary_libhone_core_a_start,
                            _binary_libhone_core_a_end};
/// Stubs for the libraries of the system.
constexpr Embedded kStubs[] = {
    {"libc.so", _binary_stub_libc_so_start, _binary_stub_libc_so_end},
    {"libm.so", _binary_stub_libm_so_start, _binary_stub_libm_so_end},
    {"libpthread.so", _binary_stub_libpthread_so_start,
     _binary_stub_libpthread_so_end},
    {"libdl.so", _binary_stub_libdl_so_start, _binary_stub_libdl_so_end},
};

} // namespace

/// Writes a file by `write`.
static Error writeFile(const std::string &path,
                       function_ref<Error(raw_ostream &)> write) {
  std::error_code error;
  raw_fd_ostream stream(path, error);
  if (error)
    return createFileError(path, error);
  Error problem = write(stream);
  stream.close();
  error = stream.error();
  stream.clear_error();
  if (!error)
    return problem;
  consumeError(std::move(problem));
  return createFileError(path, error);
}

static Error writeFile(const std::string &path, StringRef text) {
  return writeFile(path, [&](raw_ostream &stream) {
    stream << text;
    return Error::success();
  });
}

/// Writes the bytes to a file in the folder, and adds its path to the linker's
/// arguments.
static Error addEmbedded(const Embedded &file, const LinkJob &job,
                         std::vector<std::string> &arguments) {
  arguments.push_back(job.directory + "/" + file.name);
  return writeFile(arguments.back(),
                   StringRef(file.begin, file.end - file.begin));
}

/// Offset and size of the weights in a linked library, if it has any.
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

/// Makes a relocatable file's own functions and variables local, so that models
/// in one program do not collide: hidden symbols are hidden from other
/// libraries only.
static Error hideSymbols(const std::string &from, const LinkJob &job,
                         const std::string &to) {
  auto binary = object::createBinary(from);
  if (!binary)
    return binary.takeError();
  objcopy::ConfigManager config;
  auto keep =
      objcopy::NameOrPattern::create(job.symbol, objcopy::MatchStyle::Literal,
                                     [](Error error) { return error; });
  if (!keep)
    return keep.takeError();
  if (Error error =
          config.Common.SymbolsToKeepGlobal.addMatcher(std::move(keep)))
    return error;
  return writeFile(to, [&](raw_ostream &stream) {
    return objcopy::executeObjcopyOnBinary(config, *binary->getBinary(),
                                           stream);
  });
}

/// An archive of one object.
static Error writeArchive(const std::string &object, const std::string &path) {
  auto member = NewArchiveMember::getFile(object, /*Deterministic=*/true);
  if (!member)
    return member.takeError();
  std::vector<NewArchiveMember> members;
  members.push_back(std::move(*member));
  return writeFile(path, [&](raw_ostream &stream) {
    return writeArchiveToStream(
        stream, members, SymtabWritingMode::NormalSymtab,
        object::Archive::K_GNU, /*Deterministic=*/true, /*Thin=*/false);
  });
}

Error hone::link(const LinkJob &job) {
  static std::mutex mutex;
  std::lock_guard<std::mutex> lock(mutex);
  bool isPlain = job.form == LinkJob::Form::Plain;
  bool isLibrary = job.form == LinkJob::Form::Library || isPlain;
  std::string linked = isLibrary ? job.output : job.directory + "/linked.o";
  std::vector<std::string> arguments = {"ld.lld", "-o", linked,
                                        "--no-undefined-version", "--threads=2",
                                        "-z", "noexecstack",
                                        // Archives may have it.
                                        "--undefined", job.symbol};
  if (!isLibrary) {
    arguments.push_back("-r");
    // Local symbols must not be taken for the same function in another object.
    arguments.push_back("--force-group-allocation");
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
                                      "--soname",
                                      job.soname,
                                      "--version-script",
                                      exports,
                                      "--build-id=fast"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
  }
  arguments.insert(arguments.end(), job.objects.begin(), job.objects.end());
  if (job.form != LinkJob::Form::Object && !isPlain)
    if (Error error = addEmbedded(kCore, job, arguments))
      return error;
  if (isLibrary) {
    for (const Embedded &stub : kStubs)
      if (Error error = addEmbedded(stub, job, arguments))
        return error;
  }

  std::vector<const char *> pointers;
  for (const std::string &argument : arguments)
    pointers.push_back(argument.c_str());
  std::string messages;
  raw_string_ostream stream(messages);
  bool isDone = lld::elf::link(pointers, stream, stream, /*exitEarly=*/false,
                               /*disableOutput=*/false);
  lld::CommonLinkerContext::destroy();
  // It names the output only if it cannot write it.
  if (!isDone)
    return createStringError(StringRef(messages).contains(linked)
                                 ? make_error_code(std::errc::io_error)
                                 : inconvertibleErrorCode(),
                             "the linker failed: " +
                                 StringRef(messages).trim());
  if (isPlain)
    return Error::success();
  if (isLibrary)
    return seal(job.output);
  if (job.form == LinkJob::Form::Object)
    return hideSymbols(linked, job, job.output);
  std::string object = job.directory + "/model.o";
  if (Error error = hideSymbols(linked, job, object))
    return error;
  return writeArchive(object, job.output);
}

Expected<uint64_t> hone::checksumOf(const std::string &library) {
  int file = -1;
  if (std::error_code error = sys::fs::openFileForRead(library, file))
    return createFileError(library, error);
  llvm::scope_exit close([&] { (void)sys::fs::closeFile(file); });
  hone_seal seal;
  char reason[256];
  Text text(reason, sizeof(reason));
  if (checkSeal(file, seal, text) != HONE_OK)
    return createStringError(library + ": " + reason);
  return seal.checksum;
}
