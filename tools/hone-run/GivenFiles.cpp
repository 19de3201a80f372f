// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Finds which input or output each file is for.
#include "tools/hone-run/GivenFiles.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <sys/stat.h>

using namespace hone::run;

namespace {

enum class Format { Npy, Npz, Onnx };

bool endsWith(std::string_view text, std::string_view ending) {
  return text.size() >= ending.size() &&
         text.substr(text.size() - ending.size()) == ending;
}

/// By the first bytes; protobuf has none of its own. What is not a regular file
/// can be read once, as .npy.
Format formatOf(const std::string &path) {
  struct stat status;
  if (stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode) &&
      !S_ISDIR(status.st_mode))
    return Format::Npy;
  char start[6] = {};
  size_t count = FileSource(path).read(start, sizeof(start));
  std::string_view bytes(start, count);
  if (bytes == "\x93NUMPY")
    return Format::Npy;
  if (bytes.substr(0, 4) == std::string_view("PK\3\4") ||
      bytes.substr(0, 4) == std::string_view("PK\5\6"))
    return Format::Npz;
  if (endsWith(path, ".pb"))
    return Format::Onnx;
  throw Failure{1, path + ": not a .npy, .npz or .pb file"};
}

std::string listed(const std::vector<std::string> &names) {
  constexpr size_t kMostListed = 16;
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), kMostListed); ++i)
    text += (i ? ", '" : "'") + names[i] + "'";
  if (names.size() > kMostListed)
    text += " and " + std::to_string(names.size() - kMostListed) + " more";
  return text;
}

std::string listed(const Side &side) {
  std::vector<std::string> names;
  for (int32_t i = 0; i < side.count; ++i)
    names.push_back(side.values[i].name);
  return listed(names);
}

/// Whether files hold this part of a value.
bool hasPart(const hone_value_info &info, const std::string &part) {
  switch (presentKind(info)) {
  case HONE_KIND_SEQUENCE:
    return isdigit(static_cast<unsigned char>(part[0]));
  case HONE_KIND_MAP:
    return part == "keys" || part == "values";
  default:
    return false;
  }
}

/// Finds the value that an array of this name is for, or is a part of:
/// NAME.PART. False: there is none.
bool match(const std::string &name, const Side &side, GivenFile &file) {
  bool isPart = false;
  for (int32_t i = 0; i < side.count; ++i)
    for (const std::string &known :
         {std::string(side.values[i].name), fileName(side.values[i].name)}) {
      if (name == known) {
        file.index = i;
        file.part.clear();
        return true;
      }
      if (name.size() <= known.size() + 1 || name[known.size()] != '.' ||
          name.compare(0, known.size(), known) != 0)
        continue;
      std::string part = name.substr(known.size() + 1);
      if (!hasPart(side.values[i], part) ||
          (isPart && part.size() > file.part.size()))
        continue;
      isPart = true;
      file.index = i;
      file.part = part;
    }
  return isPart;
}

/// N of input_N.pb, or -1.
int32_t numberOf(const std::string &name, const Side &side) {
  std::string start = std::string(side.word) + "_";
  if (name.compare(0, start.size(), start) != 0 || !endsWith(name, ".pb"))
    return -1;
  std::string digits =
      name.substr(start.size(), name.size() - start.size() - 3);
  if (digits.empty() || digits.size() > 6 ||
      digits.find_first_not_of("0123456789") != std::string::npos)
    return -1;
  return std::stoi(digits);
}

std::vector<GivenFile> filesOfFolder(const std::string &folder,
                                     const Side &side) {
  std::unique_ptr<DIR, int (*)(DIR *)> listing(opendir(folder.c_str()),
                                               closedir);
  if (!listing)
    throw Failure{1, folder + ": " + strerror(errno)};
  // ONNX's test data counts inputs without a default value.
  std::vector<int32_t> numbered;
  for (int32_t i = 0; i < side.count; ++i)
    if (!side.values[i].has_default)
      numbered.push_back(i);
  std::vector<GivenFile> files;
  while (const dirent *entry = readdir(listing.get())) {
    std::string name = entry->d_name;
    GivenFile file;
    file.path = folder + "/" + name;
    if (int32_t number = numberOf(name, side); number >= 0) {
      if (size_t(number) >= numbered.size())
        throw Failure{1, file.path + ": the model has " +
                             std::to_string(numbered.size()) + " " + side.word +
                             "s for such files, from number 0"};
      file.index = numbered[size_t(number)];
      file.isOnnx = true;
      files.push_back(file);
    } else if (endsWith(name, ".npy") &&
               match(name.substr(0, name.size() - 4), side, file)) {
      files.push_back(file);
    }
  }
  if (files.empty() && !numbered.empty())
    throw Failure{1, folder + ": no file in it is for an " + side.word +
                         " of the model; it should have " + side.word +
                         "_0.pb, or .npy files with the names " + listed(side)};
  return files;
}

/// `wanted`: the index of the value that the archive is given for, or -1.
std::vector<GivenFile> filesOfNpz(const std::string &path, const Side &side,
                                  int32_t wanted) {
  auto npz = std::make_shared<Npz>(path);
  std::vector<GivenFile> files;
  for (const std::string &name : npz->names()) {
    GivenFile file;
    file.path = path;
    file.npz = npz;
    file.entry = name;
    if (match(name, side, file) && (wanted < 0 || file.index == wanted))
      files.push_back(file);
  }
  if (files.empty() && npz->names().size() == 1 &&
      (wanted >= 0 || side.count == 1)) {
    GivenFile file;
    file.index = std::max(wanted, 0);
    file.path = path;
    file.npz = npz;
    file.entry = npz->names()[0];
    files.push_back(file);
  }
  if (files.empty())
    throw Failure{
        1, path + ": it holds " +
               (npz->names().empty() ? "no arrays" : listed(npz->names())) +
               (wanted < 0 ? std::string(", and the model's ") + side.word +
                                 "s are " + listed(side)
                           : std::string(", and nothing for '") +
                                 side.values[wanted].name + "'")};
  return files;
}

std::vector<GivenFile> resolve(const std::string &text, const Side &side) {
  // Names may contain '=': the longest prefix that is a name counts.
  int32_t index = -1;
  size_t equals = text.size();
  while (index < 0 && equals > 0 &&
         (equals = text.rfind('=', equals - 1)) != std::string::npos)
    for (int32_t i = 0; i < side.count; ++i)
      if (text.compare(0, equals, side.values[i].name) == 0)
        index = i;
  std::string path = index < 0 ? text : text.substr(equals + 1);
  struct stat status;
  bool isThere = stat(path.c_str(), &status) == 0;
  std::string reason = isThere ? "" : strerror(errno);
  if (index < 0 && !isThere && text.find('=') != std::string::npos)
    throw Failure{1, side.model + ": the model has no " + side.word + " '" +
                         text.substr(0, text.find('=')) + "'; it has " +
                         listed(side)};
  if (!isThere)
    throw Failure{1, path + ": " + reason};
  if (S_ISDIR(status.st_mode)) {
    if (index >= 0)
      throw Failure{1, path +
                           ": a folder has the names of values in its "
                           "files; give it without '" +
                           text.substr(0, equals + 1) + "'"};
    return filesOfFolder(path, side);
  }
  Format format = formatOf(path);
  if (format == Format::Npz)
    return filesOfNpz(path, side, index);
  if (index < 0 && side.count != 1)
    throw Failure{2, std::string(side.option) + " wants NAME=FILE, not '" +
                         text + "'; the names are " + listed(side)};
  GivenFile file;
  file.index = std::max(index, 0);
  file.path = path;
  file.isOnnx = format == Format::Onnx;
  return {file};
}

} // namespace

Array GivenFile::read(int32_t type) const {
  return npz ? npz->read(entry, type) : readNpy(path, type);
}

int32_t hone::run::presentKind(const hone_value_info &info) {
  return info.kind == HONE_KIND_OPTIONAL ? info.element_kind : info.kind;
}

std::string hone::run::fileName(std::string name) {
  for (char &c : name)
    if (c == '/' || c == '\0')
      c = '_';
  return name;
}

std::map<int32_t, GivenParts>
hone::run::resolveFiles(const std::vector<std::string> &texts,
                        const Side &side) {
  std::map<int32_t, GivenParts> files;
  for (const std::string &text : texts)
    for (GivenFile &file : resolve(text, side)) {
      const hone_value_info &info = side.values[file.index];
      GivenParts &parts = files[file.index];
      if (file.part.empty() && !file.isOnnx &&
          presentKind(info) == HONE_KIND_SEQUENCE)
        file.part = std::to_string(parts.size());
      bool isSecond =
          !parts.empty() && (file.isOnnx || parts.begin()->second.isOnnx);
      if (isSecond || !parts.insert({file.part, file}).second)
        throw Failure{1, side.model + ": " + side.word + " '" + info.name +
                             "' is given twice"};
    }
  return files;
}
