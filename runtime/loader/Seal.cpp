// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reads and checks seals. The file is not mapped: it may be truncated while it
// is read.
#include "runtime/loader/Seal.h"
#include "runtime/loader/Checksum.h"
#include "runtime/loader/FileStatus.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

using namespace hone;

namespace {

/// More than any linker makes.
constexpr int maxSegments = 64, maxNotes = 64;

struct Headers {
  Elf64_Ehdr elf;
  Elf64_Phdr segments[maxSegments];
};

struct Sealed {
  hone_seal seal;
  uint64_t offset; ///< in the file
};

/// A range of the file.
struct Range {
  uint64_t begin, end;
  bool isWithin(uint64_t size) const { return begin <= end && end <= size; }
};

Range rangeOf(const Elf64_Phdr &segment) {
  return {segment.p_offset, segment.p_offset + segment.p_filesz};
}

bool readAt(int file, void *data, size_t bytes, uint64_t offset) {
  auto *to = static_cast<char *>(data);
  while (bytes > 0) {
    ssize_t count = pread(file, to, bytes, off_t(offset));
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      return false;
    to += count;
    offset += uint64_t(count);
    bytes -= size_t(count);
  }
  return true;
}

int32_t bad(Text &text, const char *what) {
  text.add("%s", what);
  return HONE_BAD_MODEL;
}

/// Common machines by name.
const char *machineName(int machine) {
  switch (machine) {
  case EM_386:
    return "32-bit x86";
  case EM_AARCH64:
    return "AArch64";
  case EM_ARM:
    return "ARM";
  case EM_RISCV:
    return "RISC-V";
  case EM_PPC64:
    return "PowerPC";
  case EM_S390:
    return "S/390";
  default:
    return "another machine";
  }
}

int32_t readHeaders(int file, Headers &headers, Text &text) {
  struct stat status;
  if (!fileStatus(file, status) || !S_ISREG(status.st_mode))
    return bad(text, "it is not a regular file");
  uint64_t size = uint64_t(status.st_size);
  const Elf64_Ehdr &elf = headers.elf;
  if (!readAt(file, &headers.elf,
              size < sizeof(elf) ? size_t(size) : sizeof(elf), 0) ||
      size < SELFMAG || memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0)
    return bad(text, "it is not a shared library");
  if (size < sizeof(elf))
    return bad(text, "it is cut short");
  if (elf.e_machine != EM_X86_64 || elf.e_ident[EI_CLASS] != ELFCLASS64) {
    text.add("it is for %s, and this program for x86-64: compile the model for "
             "this machine",
             machineName(elf.e_machine));
    return HONE_BAD_MODEL;
  }
  if (elf.e_ident[EI_DATA] != ELFDATA2LSB || elf.e_type != ET_DYN)
    return bad(text, "it is not a shared library");
  if (elf.e_phentsize != sizeof(Elf64_Phdr) || elf.e_phnum > maxSegments)
    return bad(text, "its headers are damaged");
  size_t bytes = elf.e_phnum * sizeof(Elf64_Phdr);
  // Sections are not loaded; they show whether the end of the file is there.
  const Range tables[] = {
      {elf.e_phoff, elf.e_phoff + bytes},
      {elf.e_shoff, elf.e_shoff + elf.e_shnum * sizeof(Elf64_Shdr)}};
  for (Range range : tables)
    if (!range.isWithin(size))
      return bad(text, "it is cut short");
  if (!readAt(file, headers.segments, bytes, elf.e_phoff))
    return bad(text, "it cannot be read");
  for (int i = 0; i < elf.e_phnum; ++i)
    if (headers.segments[i].p_type == PT_LOAD &&
        !rangeOf(headers.segments[i]).isWithin(size))
      return bad(text, "it is cut short");
  return HONE_OK;
}

/// Whether the notes in this range have a seal.
bool findSeal(int file, Range notes, Sealed &sealed) {
  constexpr uint64_t headerBytes = offsetof(hone_seal_note, name);
  // Damaged sizes may lead anywhere: the steps are counted.
  uint64_t at = notes.begin;
  for (int i = 0; i < maxNotes && at < notes.end; ++i) {
    hone_seal_note note = {};
    if (!readAt(file, &note, headerBytes, at))
      return false;
    if (note.type == HONE_SEAL_TYPE && note.name_bytes == sizeof(note.name) &&
        readAt(file, &note, sizeof(note), at) &&
        strncmp(note.name, HONE_SEAL_NAME, sizeof(note.name)) == 0) {
      sealed = {note.seal, at + offsetof(hone_seal_note, seal)};
      return true;
    }
    at += headerBytes + (uint64_t(note.name_bytes) + 3) / 4 * 4 +
          (uint64_t(note.content_bytes) + 3) / 4 * 4;
  }
  return false;
}

/// Adds what is in `range` and in none of the holes.
bool addRange(int file, Range range, const Range *holes, int count,
              Checksum &checksum) {
  if (count > 0) {
    auto within = [&](uint64_t at) {
      return at < range.begin ? range.begin : at > range.end ? range.end : at;
    };
    return addRange(file, {range.begin, within(holes->begin)}, holes + 1,
                    count - 1, checksum) &&
           addRange(file, {within(holes->end), range.end}, holes + 1, count - 1,
                    checksum);
  }
  char buffer[16384];
  while (range.begin < range.end) {
    uint64_t bytes = range.end - range.begin;
    bytes = bytes < sizeof(buffer) ? bytes : sizeof(buffer);
    if (!readAt(file, buffer, size_t(bytes), range.begin))
      return false;
    checksum.add(buffer, size_t(bytes));
    range.begin += bytes;
  }
  return true;
}

/// Reads the headers and finds the seal that they lead to.
int32_t findSeal(int file, Headers &headers, Sealed &sealed, Text &text) {
  if (int32_t status = readHeaders(file, headers, text))
    return status;
  for (int i = 0; i < headers.elf.e_phnum; ++i) {
    if (headers.segments[i].p_type != PT_NOTE ||
        !findSeal(file, rangeOf(headers.segments[i]), sealed))
      continue;
    if (sealed.seal.abi_version == HONE_ABI_VERSION)
      return HONE_OK;
    text.add("it was compiled for version %" PRIu32 " of the binary interface, "
             "and this runtime has version %" PRIu32 ": compile it again",
             sealed.seal.abi_version, HONE_ABI_VERSION);
    return HONE_BAD_MODEL;
  }
  return bad(text,
             "it is not a compiled model: it has no seal of hone compile");
}

bool checksumOf(int file, Headers headers, const Sealed &sealed,
                uint64_t &value) {
  uint64_t field = sealed.offset + offsetof(hone_seal, checksum);
  const Range holes[] = {
      {sealed.seal.weights_offset,
       sealed.seal.weights_offset + sealed.seal.weights_bytes},
      {field, field + sizeof(sealed.seal.checksum)}};
  // Sections are not loaded: a library without them is valid.
  headers.elf.e_shoff = 0;
  headers.elf.e_shentsize = headers.elf.e_shnum = headers.elf.e_shstrndx = 0;
  Checksum checksum;
  checksum.add(&headers.elf, sizeof(headers.elf));
  checksum.add(headers.segments, headers.elf.e_phnum * sizeof(Elf64_Phdr));
  for (int i = 0; i < headers.elf.e_phnum; ++i) {
    Range range = rangeOf(headers.segments[i]);
    if (headers.segments[i].p_type != PT_LOAD)
      continue;
    if (range.begin < sizeof(headers.elf)) // already passed
      range.begin =
          range.end < sizeof(headers.elf) ? range.end : sizeof(headers.elf);
    if (!addRange(file, range, holes, 2, checksum))
      return false;
  }
  value = checksum.value();
  return true;
}

} // namespace

int32_t hone::makeSeal(int file, uint64_t weightsOffset, uint64_t weightsBytes,
                       Text &text) {
  Headers headers;
  Sealed sealed;
  if (int32_t status = findSeal(file, headers, sealed, text))
    return status;
  sealed.seal.weights_offset = weightsOffset;
  sealed.seal.weights_bytes = weightsBytes;
  auto write = [&] {
    return pwrite(file, &sealed.seal, sizeof(sealed.seal),
                  off_t(sealed.offset)) == ssize_t(sizeof(sealed.seal));
  };
  if (!write() || !checksumOf(file, headers, sealed, sealed.seal.checksum) ||
      !write())
    return bad(text, strerror(errno));
  return HONE_OK;
}

int32_t hone::checkSeal(int file, hone_seal &seal, Text &text) {
  Headers headers;
  Sealed sealed;
  if (int32_t status = findSeal(file, headers, sealed, text))
    return status;
  uint64_t checksum;
  if (!checksumOf(file, headers, sealed, checksum))
    return bad(text, "it cannot be read");
  if (checksum != sealed.seal.checksum)
    return bad(text,
               "it is damaged, or was changed after it was compiled: copy "
               "it again, or recompile it");
  seal = sealed.seal;
  seal.symbol[sizeof(seal.symbol) - 1] = 0;
  return HONE_OK;
}
