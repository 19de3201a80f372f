// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Writes the weights' object: header, the section's data from the second page
// on, symbols, names, section headers.
#include "compiler/Target/Cpu/Weights.h"
#include "compiler/Target/Cpu/Descriptor.h"
#include "hone/abi.h"
#include "llvm/BinaryFormat/ELF.h"
#include "llvm/Support/MathExtras.h"

using namespace llvm;
using namespace hone;

static constexpr uint64_t kPage = 4096;
// Names of the sections, and their offsets in the table.
static constexpr char kNames[] =
    "\0.hone.weights\0.symtab\0.strtab\0.note.GNU-stack";
static constexpr uint32_t kWeightsName = 1, kSymtabName = 15, kStrtabName = 23,
                          kStackName = 31;

Expected<WeightsWriter> WeightsWriter::create(StringRef path, Form form,
                                              uint64_t bytes) {
  std::error_code error;
  WeightsWriter writer;
  writer.form = form;
  writer.bytes = bytes;
  writer.stream = std::make_unique<raw_fd_ostream>(path, error);
  if (error)
    return createFileError(path, error);
  if (form == Form::Raw)
    return writer;
  ELF::Elf64_Ehdr header = {};
  memcpy(header.e_ident, ELF::ElfMagic, 4);
  header.e_ident[ELF::EI_CLASS] = ELF::ELFCLASS64;
  header.e_ident[ELF::EI_DATA] = ELF::ELFDATA2LSB;
  header.e_ident[ELF::EI_VERSION] = ELF::EV_CURRENT;
  header.e_type = ELF::ET_REL;
  header.e_machine = ELF::EM_X86_64;
  header.e_version = ELF::EV_CURRENT;
  header.e_ehsize = sizeof(header);
  header.e_shentsize = sizeof(ELF::Elf64_Shdr);
  header.e_shnum = 5;
  header.e_shstrndx = 3;
  // The data are followed by the symbols (two), then the names; the headers
  // come aligned after them.
  uint64_t end = kPage + alignTo(bytes, 8) + 2 * sizeof(ELF::Elf64_Sym) +
                 sizeof(kNames) + kWeightsSymbol.size() + 1;
  header.e_shoff = alignTo(end, 8);
  writer.stream->write(reinterpret_cast<const char *>(&header), sizeof(header));
  writer.stream->write_zeros(kPage - sizeof(header));
  return writer;
}

void WeightsWriter::put(const char *data, uint64_t count) {
  stream->write(data, count);
  sum.add(data, count);
  position += count;
}

void WeightsWriter::padTo(uint64_t offset) {
  static constexpr char zeros[kPage] = {};
  while (position < offset)
    put(zeros, std::min(offset - position, kPage));
}

void WeightsWriter::write(uint64_t offset, ArrayRef<char> data) {
  padTo(offset);
  put(data.data(), data.size());
}

Error WeightsWriter::finish() {
  padTo(bytes);
  stream->write_zeros(alignTo(bytes, 8) - bytes);
  auto put = [&](const auto &structure) {
    stream->write(reinterpret_cast<const char *>(&structure),
                  sizeof(structure));
  };
  if (form == Form::Raw) {
    put(hone_weights_end{HONE_WEIGHTS_MAGIC, bytes, checksum()});
  } else {
    ELF::Elf64_Sym none = {}, symbol = {};
    symbol.st_name = sizeof(kNames);
    symbol.setBindingAndType(ELF::STB_GLOBAL, ELF::STT_OBJECT);
    symbol.st_other = ELF::STV_HIDDEN;
    symbol.st_shndx = 1;
    symbol.st_size = bytes;
    put(none);
    put(symbol);
    stream->write(kNames, sizeof(kNames));
    stream->write(kWeightsSymbol.data(), kWeightsSymbol.size() + 1);
    uint64_t symbols = kPage + alignTo(bytes, 8),
             names = symbols + 2 * sizeof(symbol);
    uint64_t end = names + sizeof(kNames) + kWeightsSymbol.size() + 1;
    stream->write_zeros(alignTo(end, 8) - end);

    ELF::Elf64_Shdr empty = {}, weights = {}, symtab = {}, strtab = {},
                    stack = {};
    weights.sh_name = kWeightsName;
    weights.sh_type = ELF::SHT_PROGBITS;
    // A large section is placed away from code and tables, whose references to
    // each other stay short.
    weights.sh_flags = ELF::SHF_ALLOC | ELF::SHF_X86_64_LARGE;
    weights.sh_offset = kPage;
    weights.sh_size = bytes;
    weights.sh_addralign = kPage;
    symtab.sh_name = kSymtabName;
    symtab.sh_type = ELF::SHT_SYMTAB;
    symtab.sh_offset = symbols;
    symtab.sh_size = 2 * sizeof(symbol);
    symtab.sh_link = 3;
    symtab.sh_info = 1; // the first global symbol
    symtab.sh_addralign = 8;
    symtab.sh_entsize = sizeof(symbol);
    strtab.sh_name = kStrtabName;
    strtab.sh_type = ELF::SHT_STRTAB;
    strtab.sh_offset = names;
    strtab.sh_size = end - names;
    strtab.sh_addralign = 1;
    stack.sh_name = kStackName;
    stack.sh_type = ELF::SHT_PROGBITS;
    stack.sh_offset = end;
    stack.sh_addralign = 1;
    for (const ELF::Elf64_Shdr &section :
         {empty, weights, symtab, strtab, stack})
      put(section);
  }
  stream->close();
  if (std::error_code error = stream->error()) {
    stream->clear_error();
    return createStringError(error,
                             "cannot write the weights: " + error.message());
  }
  return Error::success();
}
