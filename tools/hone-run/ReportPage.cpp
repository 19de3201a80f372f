// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Measured times in the page of `hone compile --report`.
#include "tools/hone-run/ReportPage.h"
#include "hone/runtime.h"
#include "runtime/loader/ReportBlocks.h"
#include "runtime/loader/Seal.h"
#include "tools/hone-run/Files.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>

using namespace hone::run;
using Json = nlohmann::ordered_json;

namespace {

constexpr const char *kNoPage =
    "it is not a page that hone compile --report has written";

/// Larger files are no pages.
constexpr uint64_t kLargestPage = uint64_t(1) << 30;

std::string readText(const std::string &path) {
  // Opening a pipe would wait for a writer.
  struct stat status;
  if (stat(path.c_str(), &status))
    throw Failure{1, path + ": " + strerror(errno)};
  if (!S_ISREG(status.st_mode) || uint64_t(status.st_size) > kLargestPage)
    throw Failure{1, path + ": " + kNoPage};
  FileSource source(path);
  std::string text;
  char piece[1 << 16];
  while (size_t count = source.read(piece, sizeof(piece)))
    text.append(piece, count);
  return text;
}

/// The text between `begin` and the end of its block, and its place.
struct Block {
  size_t begin, size;
};

std::optional<Block> findBlock(const std::string &page, const char *begin) {
  size_t tag = page.find(begin);
  if (tag == std::string::npos)
    return std::nullopt;
  size_t start = tag + strlen(begin);
  size_t end = page.find(hone::kReportBlockEnd, start);
  if (end == std::string::npos)
    return std::nullopt;
  return Block{start, end - start};
}

/// The name that pages have for a library; empty if it has no seal.
std::string nameOf(const std::string &library) {
  int file = open(library.c_str(), O_RDONLY | O_CLOEXEC);
  hone_seal seal;
  char reason[256];
  hone::Text text(reason, sizeof(reason));
  bool isSealed = file >= 0 && hone::checkSeal(file, seal, text) == HONE_OK;
  if (file >= 0)
    close(file);
  return isSealed ? hone::libraryName(seal.checksum) : "";
}

/// Whether the page is about this library, or, if it was made with an archive,
/// about a model with the same steps.
bool isAbout(const std::string &text, const std::string &library,
             const hone_descriptor &model) {
  Json data = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (data.is_object() && data.contains("library") &&
      data["library"].is_string())
    return data["library"] == nameOf(library);
  if (!data.is_object() || !data.contains("steps") ||
      !data["steps"].is_array() ||
      int64_t(data["steps"].size()) != model.step_count)
    return false;
  for (int64_t i = 0; i < model.step_count; ++i) {
    const Json &step = data["steps"][size_t(i)];
    if (!step.is_object() || !step.contains("name") ||
        step["name"] != hone_step_name(&model, i))
      return false;
  }
  return true;
}

} // namespace

ReportPage::ReportPage(const std::string &path, const std::string &library,
                       const hone_descriptor &model)
    : path(path) {
  std::string page = readText(path);
  std::optional<Block> data = findBlock(page, kReportDataBegin),
                       profile = findBlock(page, kReportProfileBegin);
  if (!data || !profile)
    throw Failure{1, path + ": " + kNoPage};
  if (!isAbout(page.substr(data->begin, data->size), library, model))
    throw Failure{1, path + ": it is about another model, or about the same "
                            "with other options: write it again, with hone "
                            "compile --report"};
  before = page.substr(0, profile->begin);
  after = page.substr(profile->begin + profile->size);
}

void ReportPage::write(const Json &bench) const {
  std::string text = escapedForPage(
      bench.dump(-1, ' ', false, Json::error_handler_t::replace));
  writeFile(path, {before, text, after});
}
