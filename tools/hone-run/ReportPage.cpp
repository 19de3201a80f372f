// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Measured times in the page of `hone compile --report`.
#include "tools/hone-run/ReportPage.h"
#include "hone/runtime.h"
#include "runtime/loader/ReportBlocks.h"
#include "tools/hone-run/Files.h"

#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

using namespace hone::run;
using Json = nlohmann::ordered_json;

namespace {

std::string readText(const std::string &path) {
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

/// Whether the page is about this model: it has the same steps.
bool isAbout(const std::string &text, const hone_descriptor &model) {
  Json data = Json::parse(text, nullptr, /*allow_exceptions=*/false);
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

ReportPage::ReportPage(const std::string &path, const hone_descriptor &model)
    : path(path) {
  std::string page = readText(path);
  std::optional<Block> data = findBlock(page, kReportDataBegin),
                       profile = findBlock(page, kReportProfileBegin);
  if (!data || !profile)
    throw Failure{1, path + ": it is not a page that hone compile --report "
                            "has written"};
  if (!isAbout(page.substr(data->begin, data->size), model))
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
