// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// `hone bench`: times runs.
#include "tools/hone-run/Profile.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>

using namespace hone::run;

namespace {

double now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return double(time.tv_sec) * 1e3 + double(time.tv_nsec) * 1e-6;
}

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

/// Times of many runs in little memory: once full, every second one is dropped,
/// and from then on only every second, fourth, ... run is recorded.
class Samples {
public:
  Samples() { times.reserve(capacity); }
  void add(double time) {
    fastest = runs == 0 ? time : std::min(fastest, time);
    if (runs++ % stride != 0)
      return;
    if (times.size() == capacity) {
      for (size_t i = 0; i < capacity / 2; ++i)
        times[i] = times[2 * i];
      times.resize(capacity / 2);
      stride *= 2;
    }
    times.push_back(time);
  }
  double quantile(double q) {
    std::sort(times.begin(), times.end());
    return times[std::min(times.size() - 1, size_t(q * double(times.size())))];
  }
  int64_t runs = 0;
  double fastest = 0;

private:
  static constexpr size_t capacity = 1 << 16;
  int64_t stride = 1;
  std::vector<double> times;
};

} // namespace

int hone::run::benchModel(const Options &options) {
  Options chosen = options;
  chosen.random |= options.inputs.empty();
  Model model(chosen);
  model.setInputs(chosen);
  int64_t arenaBytes = model.prepare();

  // Warm up: the first run touches all memory; the following ones settle the
  // clock.
  double budget = chosen.seconds * 1e3, start = now();
  do
    model.run();
  while (now() - start < std::min(budget * 0.1, 200.0));

  Samples samples;
  start = now();
  double before = start;
  do {
    model.run();
    double after = now();
    samples.add(after - before);
    before = after;
  } while (before - start < budget);

  hone_session_stats stats = model.stats();
  nlohmann::ordered_json json;
  json["median_ms"] = samples.quantile(0.5);
  json["min_ms"] = samples.fastest;
  json["p99_ms"] = samples.quantile(0.99);
  json["runs"] = samples.runs;
  json["dims"] = nlohmann::ordered_json::object();
  for (const auto &[name, size] : model.sizes())
    json["dims"][name] = size;
  json["threads"] = stats.threads;
  json["level"] = stats.level;
  json["device"] = nullptr;
  if (stats.device) {
    json["device"] = stats.device;
    json["device_bytes"] = stats.device_bytes;
    json["device_arena_bytes"] = stats.device_arena_bytes;
    json["replays"] = stats.replays;
  }
  json["peak_rss_bytes"] = peakResidentBytes();
  json["arena_bytes"] = arenaBytes;
  json["lower_bound_bytes"] = stats.lower_bound_bytes;
  json["weight_bytes"] = model.descriptor().weight_bytes;
  json["scratch_bytes"] = stats.scratch_bytes;
  json["block_bytes"] = stats.block_bytes;
  std::optional<Profile> profile;
  if (chosen.profile)
    profile.emplace(model, chosen.seconds, chosen.trace);
  if (chosen.json) {
    if (profile)
      json["profile"] = profile->json();
    printf("%s\n", json.dump(-1, ' ', false,
                             nlohmann::ordered_json::error_handler_t::replace)
                       .c_str());
    return 0;
  }
  printf("median %.4f ms, min %.4f ms, p99 %.4f ms over %lld runs on %lld "
         "threads, level %s\n",
         samples.quantile(0.5), samples.fastest, samples.quantile(0.99),
         static_cast<long long>(samples.runs),
         static_cast<long long>(stats.threads), stats.level);
  const char *separator = "sizes: ";
  for (const auto &[name, size] : model.sizes()) {
    printf("%s%s = %lld", separator, name.c_str(),
           static_cast<long long>(size));
    separator = ", ";
  }
  if (model.descriptor().free_dim_count)
    printf("; --dim sets them\n");
  if (stats.device)
    printf("device: %s, %lld bytes (arena %lld), %lld runs replayed\n",
           stats.device, static_cast<long long>(stats.device_bytes),
           static_cast<long long>(stats.device_arena_bytes),
           static_cast<long long>(stats.replays));
  printf("memory: peak %lld bytes, arena %lld (lower bound %lld), weights "
         "%lld\n",
         json["peak_rss_bytes"].get<long long>(),
         static_cast<long long>(arenaBytes),
         static_cast<long long>(stats.lower_bound_bytes),
         static_cast<long long>(model.descriptor().weight_bytes));
  if (profile)
    profile->print();
  return 0;
}
