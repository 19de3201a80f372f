// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reading .npz files.
#include "tools/hone-run/Npz.h"

#include <algorithm>
#include <minizip/unzip.h>

using namespace hone::run;

namespace {

/// The most that deflate makes of a byte.
constexpr uint64_t kMostExpansion = 1032;
constexpr uint64_t kIsEncrypted = 1;
constexpr size_t kLongestName = 65535;

/// The archive's current file.
class EntrySource : public ByteSource {
public:
  /// `most`: no file in the archive can be larger.
  EntrySource(unzFile archive, std::string name, uint64_t size, uint64_t most)
      : archive(archive), name(std::move(name)), rest(std::min(size, most)) {
    if (unzOpenCurrentFile(archive) != UNZ_OK)
      fail("the archive is damaged, or compressed by a method that is not "
           "supported; write it with numpy.savez");
  }
  ~EntrySource() override { unzCloseCurrentFile(archive); }

  size_t read(char *to, size_t size) override {
    constexpr size_t kMostAtOnce = size_t(1) << 30; // minizip counts in 32 bits
    size_t done = 0;
    while (done < size) {
      int count = unzReadCurrentFile(
          archive, to + done, unsigned(std::min(size - done, kMostAtOnce)));
      if (count < 0)
        fail("its compressed data is damaged");
      if (count == 0)
        break;
      done += size_t(count);
    }
    rest -= std::min<uint64_t>(rest, done);
    return done;
  }
  std::optional<uint64_t> left() override { return rest; }

  /// Compares the checksum. The archive knows it if all has been read.
  void finish() {
    char extra;
    if (read(&extra, 1) != 0)
      fail("there is more data than its shape says");
    if (unzCloseCurrentFile(archive) == UNZ_CRCERROR)
      fail("its checksum is wrong: the file is damaged");
  }

private:
  [[noreturn]] void fail(const char *why) {
    throw Failure{1, name + ": " + why};
  }

  unzFile archive;
  std::string name;
  uint64_t rest;
};

} // namespace

Npz::Npz(const std::string &path)
    : path(path), fileBytes(FileSource(path).left().value_or(0)),
      archive(unzOpen64(path.c_str()), unzClose) {
  auto damaged = [&] {
    return Failure{1, path + ": not a .npz file, or truncated: its directory "
                             "cannot be read"};
  };
  if (!archive)
    throw damaged();
  std::string text(kLongestName + 1, 0);
  unz_global_info64 all;
  if (unzGetGlobalInfo64(archive.get(), &all) != UNZ_OK)
    throw damaged();
  if (all.number_entry == 0)
    return;
  int status = unzGoToFirstFile(archive.get());
  for (; status == UNZ_OK; status = unzGoToNextFile(archive.get())) {
    unz_file_info64 info;
    unz64_file_pos place;
    if (unzGetCurrentFileInfo64(archive.get(), &info, text.data(), kLongestName,
                                nullptr, 0, nullptr, 0) != UNZ_OK ||
        unzGetFilePos64(archive.get(), &place) != UNZ_OK)
      throw damaged();
    std::string name = text.substr(0, info.size_filename);
    constexpr std::string_view kEnding = ".npy";
    if (name.size() < kEnding.size() ||
        name.compare(name.size() - kEnding.size(), kEnding.size(), kEnding))
      continue;
    name.resize(name.size() - kEnding.size());
    if (!places.insert({name, {place.pos_in_zip_directory, place.num_of_file}})
             .second)
      throw Failure{1, path + ": it holds '" + name + "' twice"};
    order.push_back(std::move(name));
  }
  if (status != UNZ_END_OF_LIST_OF_FILE)
    throw damaged();
}

Array Npz::read(const std::string &name, int32_t type) {
  const Place &found = places.at(name);
  std::string shownName = path + ": '" + name + "'";
  unz64_file_pos place = {found.directory, found.number};
  unz_file_info64 info;
  if (unzGoToFilePos64(archive.get(), &place) != UNZ_OK ||
      unzGetCurrentFileInfo64(archive.get(), &info, nullptr, 0, nullptr, 0,
                              nullptr, 0) != UNZ_OK)
    throw Failure{1, shownName + ": the archive is damaged"};
  if (info.flag & kIsEncrypted)
    throw Failure{1, shownName + ": it is encrypted, which is not supported"};
  uint64_t most = fileBytes > UINT64_MAX / kMostExpansion
                      ? UINT64_MAX
                      : fileBytes * kMostExpansion;
  EntrySource source(archive.get(), shownName, info.uncompressed_size, most);
  Array array = readNpy(source, shownName, type);
  source.finish();
  return array;
}
