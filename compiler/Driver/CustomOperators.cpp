// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Links and loads the code of custom operators, and checks their table.
#include "compiler/Driver/CustomOperators.h"
#include "compiler/Driver/Files.h"
#include "compiler/Import/Onnx/OnnxImporter.h"
#include "compiler/Import/Onnx/Reader/Model.h"
#include "compiler/Target/Cpu/Descriptor.h"
#include "compiler/Target/Cpu/Link.h"
#include "llvm/BinaryFormat/Magic.h"
#include "llvm/Object/Archive.h"
#include "llvm/Object/ELFObjectFile.h"
#include "llvm/Support/MemoryBuffer.h"
#include <dlfcn.h>
#include <set>
#include <tuple>

using namespace llvm;
using namespace hone;

static Error refuse(const Twine &why) {
  return createStringError("custom operators: " + why);
}

/// Whether these bytes are machine code for x86-64: the linker would run
/// scripts, and compile bitcode.
static bool isObject(MemoryBufferRef bytes) {
  if (identify_magic(bytes.getBuffer()) != file_magic::elf_relocatable)
    return false;
  auto object = object::ObjectFile::createELFObjectFile(bytes);
  if (!object) {
    consumeError(object.takeError());
    return false;
  }
  return (*object)->getArch() == Triple::x86_64;
}

static Error checkArchive(const std::string &path, MemoryBufferRef bytes) {
  auto archive = object::Archive::create(bytes);
  if (!archive)
    return refuse(path + ": " + toString(archive.takeError()));
  Error error = Error::success();
  for (const object::Archive::Child &child : (*archive)->children(error)) {
    auto member = child.getMemoryBufferRef();
    if (!member) {
      consumeError(std::move(error));
      return refuse(path + ": " + toString(member.takeError()));
    }
    if (isObject(*member))
      continue;
    consumeError(std::move(error));
    return refuse(path + ": its member " + member->getBufferIdentifier() +
                  " is no object file for x86-64");
  }
  return error ? refuse(path + ": " + toString(std::move(error)))
               : Error::success();
}

static Error checkFile(const std::string &path) {
  auto file = MemoryBuffer::getFile(path, /*IsText=*/false,
                                    /*RequiresNullTerminator=*/false);
  if (!file)
    return refuse(path + ": " + file.getError().message());
  if (identify_magic((*file)->getBuffer()) == file_magic::archive)
    return checkArchive(path, (*file)->getMemBufferRef());
  if (!isObject((*file)->getMemBufferRef()))
    return refuse(path + ": neither an object file for x86-64 nor an archive "
                         "of such: compile it with -c");
  return Error::success();
}

/// What the linker says, without the places: they are in temporary files.
static Error refuseLink(Error problem) {
  std::string text = toString(std::move(problem)), errors;
  for (StringRef line : split(text, '\n')) {
    auto [before, error] = line.split("ld.lld: error: ");
    if (!error.empty())
      errors += (errors.empty() ? "" : "; ") + error.str();
  }
  if (StringRef(errors).contains("symbol not defined"))
    return refuse("none of the files defines " + kCustomSymbol);
  return refuse((errors.empty() ? text : errors) +
                (StringRef(errors).contains("undefined symbol")
                     ? ": models have only some functions of libc and libm, "
                       "and others must be in the files given"
                     : ""));
}

static Error checkTable(const hone_custom_table &table) {
  if (table.version != HONE_CUSTOM_VERSION)
    return refuse("they were compiled with version " + Twine(table.version) +
                  " of hone/custom.h, and this Hone has " +
                  Twine(HONE_CUSTOM_VERSION));
  if (table.count == 0 || !table.operators)
    return refuse("hone_custom_operators lists none");
  std::set<std::tuple<StringRef, StringRef, int64_t>> names;
  for (const hone_custom_operator &op :
       ArrayRef(table.operators, table.count)) {
    if (!op.domain || !op.name || !*op.name)
      return refuse("one has no name");
    std::string name = ("'" + Twine(op.name) + "' of domain '" +
                        (*op.domain ? op.domain : "ai.onnx") + "'")
                           .str();
    if (!op.shape || !op.run)
      return refuse(name + " lacks a function");
    if (op.since_version < 1)
      return refuse(name + " is of version " + Twine(op.since_version) +
                    "; the first one is 1");
    if (onnx::hasOperator(op.domain, op.name))
      return refuse("Hone has " + name + " itself");
    if (!names
             .insert(
                 {onnx::canonicalDomain(op.domain), op.name, op.since_version})
             .second)
      return refuse(name + " is there twice for version " +
                    Twine(op.since_version));
  }
  return Error::success();
}

/// Never closed: shape functions may have started threads, and registered
/// functions for the end of the process.
Error CustomOperators::open(const std::string &library) {
  void *handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    return refuse(Twine("they cannot be loaded: ") + dlerror());
  auto *table = static_cast<const hone_custom_table *>(
      dlsym(handle, kCustomSymbol.data()));
  if (!table)
    return refuse("there is no " + kCustomSymbol);
  if (Error error = checkTable(*table))
    return error;
  operators.table = table;
  return Error::success();
}

Error CustomOperators::declare(ArrayRef<std::string> names) {
  for (StringRef text : names) {
    auto [domain, name] = text.rsplit(':');
    if (name.empty() || !text.contains(':'))
      return refuse("'" + text + "' is not DOMAIN:NAME");
    domain = onnx::canonicalDomain(domain);
    if (onnx::hasOperator(domain, name))
      return refuse("Hone has '" + name + "' of domain '" +
                    (domain.empty() ? "ai.onnx" : domain) + "' itself");
    operators.named.insert((domain + ":" + name).str());
  }
  return Error::success();
}

Error CustomOperators::load(ArrayRef<std::string> files) {
  if (files.empty())
    return Error::success();
  for (const std::string &file : files)
    if (Error error = checkFile(file))
      return error;
  TemporaryFolder folder;
  if (Error error =
          folder.create({"hone-custom", /*discard=*/true}, [](StringRef) {}))
    return error;
  LinkJob job;
  job.objects.assign(files.begin(), files.end());
  job.symbol = kCustomSymbol.str();
  job.directory = folder.path();
  job.output = folder.file("custom.o");
  job.form = LinkJob::Form::Object;
  if (Error error = link(job))
    return refuseLink(std::move(error));
  auto linked = MemoryBuffer::getFile(job.output);
  if (!linked)
    return refuse(linked.getError().message());
  object = (*linked)->getBuffer().str();
  job.objects = {job.output};
  job.output = job.soname = folder.file("custom.so");
  job.form = LinkJob::Form::Plain;
  if (Error error = link(job))
    return refuseLink(std::move(error));
  return open(job.output);
}

Error CustomOperators::read(ArrayRef<std::string> files,
                            ArrayRef<std::string> names) {
  if (Error error = load(files))
    return error;
  return declare(names);
}
