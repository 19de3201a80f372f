// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What `hone tune` writes, and the compiler's lists of schedules.
#include "tools/hone-tune/TuningFile.h"
#include "tools/hone-run/Files.h"

#include <algorithm>
#include <fstream>
#include <sys/stat.h>
#include <unordered_map>

using namespace hone::tune;
using hone::run::Failure;

namespace {

constexpr int kVersion = 1;

Json readJson(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return Json::parse(file);
}

Entry entryOf(const Json &kernel) {
  Entry entry;
  entry.key = kernel.at("key");
  entry.name = kernel.value("name", "");
  if (kernel.contains("schedules")) {
    entry.schedules.emplace();
    for (const Json &schedule : kernel["schedules"])
      entry.schedules->push_back(Schedule::of(schedule));
  }
  if (kernel.contains("measured")) {
    const Json &measured = kernel["measured"];
    entry.untunedSeconds = measured.at("untuned_us").get<double>() * 1e-6;
    entry.tunedSeconds = measured.at("tuned_us").get<double>() * 1e-6;
    entry.runs = measured.at("runs");
  }
  if (kernel.contains("tried"))
    entry.tried = kernel["tried"].get<std::set<std::string>>();
  return entry;
}

Json jsonOf(const Entry &entry) {
  Json json;
  json["key"] = entry.key;
  json["name"] = entry.name;
  if (entry.schedules) {
    json["schedules"] = Json::array();
    for (const Schedule &schedule : *entry.schedules)
      json["schedules"].push_back(schedule.json());
    if (entry.runs > 0)
      json["measured"] = {{"untuned_us", entry.untunedSeconds * 1e6},
                          {"tuned_us", entry.tunedSeconds * 1e6},
                          {"runs", entry.runs}};
  }
  json["tried"] = entry.tried;
  return json;
}

} // namespace

Schedule Schedule::of(const Json &json) {
  return {json.at("form"),      json.at("tileRows"),     json.at("tileVectors"),
          json.at("blockRows"), json.at("blockColumns"), json.at("blockK"),
          json.at("packed")};
}

Json Schedule::json() const {
  return {{"form", form},
          {"tileRows", tileRows},
          {"tileVectors", tileVectors},
          {"blockRows", blockRows},
          {"blockColumns", blockColumns},
          {"blockK", blockK},
          {"packed", packed}};
}

std::string Schedule::text() const {
  return form + " " + std::to_string(tileRows) + "x" +
         std::to_string(tileVectors) + " " + std::to_string(blockRows) + "x" +
         std::to_string(blockColumns) + "x" + std::to_string(blockK) +
         (packed ? " packed" : "");
}

std::string hone::tune::textOf(const Schedules &schedules) {
  std::string text;
  for (const Schedule &schedule : schedules)
    text += (text.empty() ? "" : "; ") + schedule.text();
  return text;
}

Schedules ListedKernel::schedules() const {
  Schedules all;
  for (const ListedOperation &operation : operations)
    all.push_back(operation.schedule);
  return all;
}

Listing Listing::read(const std::string &path) {
  auto schedulesOf = [](const Json &json) {
    std::vector<Schedule> schedules;
    for (const Json &schedule : json)
      schedules.push_back(Schedule::of(schedule));
    return schedules;
  };
  try {
    Json json = readJson(path);
    Listing listing;
    listing.machine = json.at("machine");
    for (const Json &kernel : json.at("kernels")) {
      ListedKernel listed{kernel.at("key"), kernel.at("name"), {}};
      for (const Json &operation : kernel.at("operations"))
        listed.operations.push_back({Schedule::of(operation.at("schedule")),
                                     schedulesOf(operation.at("tiles")),
                                     schedulesOf(operation.at("blocks"))});
      listing.kernels.push_back(std::move(listed));
    }
    return listing;
  } catch (const Json::exception &error) {
    throw Failure{70,
                  path + ": the compiler's list of schedules: " + error.what()};
  }
}

TuningFile::TuningFile() {
  json["hone_tuning"] = kVersion;
  json["machines"] = Json::array();
}

TuningFile TuningFile::load(const std::string &path) {
  struct stat found;
  if (stat(path.c_str(), &found) != 0)
    return {};
  if (!S_ISREG(found.st_mode))
    throw Failure{1, path + ": it is not a regular file"};
  TuningFile file;
  try {
    file.json = readJson(path);
    if (file.json.at("hone_tuning") != kVersion)
      throw Failure{1, path + ": its format is of another version"};
    // Everything is read once, so that later accesses cannot fail.
    for (const Json &machine : file.json.at("machines"))
      file.entriesOf(machine.at("machine"));
  } catch (const Json::exception &) {
    throw Failure{1, path + ": it is not a tuning file of hone, or damaged"};
  }
  return file;
}

std::vector<Entry> TuningFile::entriesOf(const std::string &machine) const {
  std::vector<Entry> entries;
  for (const Json &element : json.at("machines"))
    if (element.at("machine") == machine)
      for (const Json &kernel : element.at("kernels"))
        entries.push_back(entryOf(kernel));
  return entries;
}

void TuningFile::update(const std::string &machine,
                        const std::vector<Entry> &entries) {
  Json &machines = json["machines"];
  auto known =
      std::find_if(machines.begin(), machines.end(), [&](const Json &element) {
        return element.at("machine") == machine;
      });
  if (known == machines.end()) {
    machines.push_back({{"machine", machine}, {"kernels", Json::array()}});
    known = std::prev(machines.end());
  }
  Json &kernels = (*known)["kernels"];
  std::unordered_map<std::string, size_t> places;
  for (size_t i = 0; i < kernels.size(); ++i)
    places.try_emplace(kernels[i].at("key").get<std::string>(), i);
  for (const Entry &entry : entries) {
    auto [place, isNew] = places.try_emplace(entry.key, kernels.size());
    if (isNew)
      kernels.push_back(jsonOf(entry));
    else
      kernels[place->second] = jsonOf(entry);
  }
}

std::string TuningFile::text() const {
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}
