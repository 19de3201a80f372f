// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// `hone bench`: times runs.
#include "tools/hone-run/Comparison.h"
#include "tools/hone-run/Profile.h"
#include "tools/hone-run/ReportPage.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <sched.h>

using namespace hone::run;
using Json = nlohmann::ordered_json;

namespace {

/// The highest resident set of this process. (getrusage would count that of the
/// program before exec, too.)
int64_t peakResidentBytes() {
  long long kilobytes = 0;
  if (FILE *file = fopen("/proc/self/status", "r")) {
    char line[256];
    while (fgets(line, sizeof(line), file))
      if (sscanf(line, "VmHWM: %lld", &kilobytes) == 1)
        break;
    fclose(file);
  }
  return kilobytes * 1024;
}

int processors() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
}

/// In bytes.
struct Memory {
  int64_t arena, peak;
};

/// What is known of the model and its session, after the statistics.
void addModel(Json &json, const Model &model, const Options &options,
              Memory memory) {
  hone_session_stats stats = model.stats();
  json["dims"] = Json::object();
  for (const auto &[name, size] : model.sizes())
    json["dims"][name] = size;
  json["threads"] = stats.threads;
  json["streams"] = options.streams;
  json["level"] = stats.level;
  json["device"] = nullptr;
  if (stats.device) {
    json["device"] = stats.device;
    json["device_bytes"] = stats.device_bytes;
    json["device_arena_bytes"] = stats.device_arena_bytes;
    json["replays"] = stats.replays;
  }
  json["peak_rss_bytes"] = memory.peak;
  json["arena_bytes"] = memory.arena;
  json["lower_bound_bytes"] = stats.lower_bound_bytes;
  json["weight_bytes"] = model.descriptor().weight_bytes;
  json["scratch_bytes"] = stats.scratch_bytes;
  json["block_bytes"] = stats.block_bytes;
}

void printTimes(Measured &measured, const Model &model, int streams) {
  Samples &samples = measured.samples;
  hone_session_stats stats = model.stats();
  std::string streamText =
      streams > 1 ? " in " + std::to_string(streams) + " streams" : "";
  printf("%s%s on %lld threads%s, level %s\n", measured.summary().c_str(),
         streamText.c_str(), static_cast<long long>(stats.threads),
         streams > 1 ? " each" : "", stats.level);
  printf("mean %.4f ms, standard deviation %.4f ms, p90 %.4f ms; %.1f runs per "
         "second\n",
         samples.mean(), samples.deviation(), samples.quantile(0.9),
         measured.runsPerSecond());
}

void printModel(const Model &model, Memory memory) {
  hone_session_stats stats = model.stats();
  const char *separator = "sizes: ";
  for (const auto &[name, size] : model.sizes()) {
    printf("%s%s = %lld", separator, name.c_str(),
           static_cast<long long>(size));
    separator = ", ";
  }
  if (model.descriptor().free_dim_count)
    printf("; --dim and --shape set them\n");
  if (stats.device)
    printf("device: %s, %lld bytes (arena %lld), %lld runs replayed\n",
           stats.device, static_cast<long long>(stats.device_bytes),
           static_cast<long long>(stats.device_arena_bytes),
           static_cast<long long>(stats.replays));
  printf("memory: peak %lld bytes, arena %lld (lower bound %lld), weights "
         "%lld\n",
         static_cast<long long>(memory.peak),
         static_cast<long long>(memory.arena),
         static_cast<long long>(stats.lower_bound_bytes),
         static_cast<long long>(model.descriptor().weight_bytes));
}

} // namespace

int hone::run::benchModel(const Options &options) {
  Options chosen = options;
  chosen.random |= options.inputs.empty();
  if (chosen.streams > 1 && chosen.threads == 0)
    chosen.threads = std::max(processors() / chosen.streams, 1);
  std::optional<SharedPool> pool;
  if (!chosen.compare.empty())
    chosen.pool = &pool.emplace(chosen.threads).pool;
  std::deque<Model> models;
  std::vector<Model *> streams;
  for (int i = 0; i < chosen.streams; ++i) {
    streams.push_back(&models.emplace_back(chosen));
    streams.back()->setInputs(chosen);
  }
  Model &model = models.front();
  // A wrong page is reported before the work, not after it.
  std::optional<ReportPage> page;
  if (!chosen.report.empty())
    page.emplace(chosen.report, chosen.model, model.descriptor());
  int64_t arenaBytes = model.prepare();
  std::optional<Comparison> comparison;
  if (pool)
    comparison.emplace(model, chosen);
  Measured measured =
      comparison ? comparison->measured() : measureStreams(streams, chosen);
  Memory memory = {arenaBytes, peakResidentBytes()}; // without the profile's

  Json json;
  measured.addTo(json);
  addModel(json, model, chosen, memory);
  std::optional<Profile> profile;
  if (chosen.profile)
    profile.emplace(model, chosen.seconds, chosen.trace);
  if (comparison)
    json["compare"] = comparison->json();
  if (profile)
    json["profile"] = profile->json();
  if (page)
    page->write(json);
  if (chosen.json) {
    printf("%s\n",
           json.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
    return 0;
  }
  printTimes(measured, model, chosen.streams);
  printModel(model, memory);
  if (comparison)
    comparison->print();
  if (profile)
    profile->print();
  return 0;
}
