// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// `hone bench`: times runs.
#include "tools/hone-run/Profile.h"
#include "tools/hone-run/Samples.h"

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <ctime>
#include <exception>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sched.h>
#include <thread>

using namespace hone::run;
using Json = nlohmann::ordered_json;

namespace {

/// In milliseconds.
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

int processors() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
}

/// The first run touches all memory; the following ones settle the clock.
void warmUp(Model &model, const Options &options) {
  if (options.warmup) {
    for (int64_t i = 0; i < *options.warmup; ++i)
      model.run();
    return;
  }
  double budget = std::min(options.seconds * 1e2, 200.0), start = now();
  do
    model.run();
  while (now() - start < budget);
}

Samples measure(Model &model, const Options &options) {
  Samples samples;
  double start = now(), before = start;
  do {
    model.run();
    double after = now();
    samples.add(after - before);
    before = after;
  } while (options.runs ? samples.runs() < options.runs
                        : before - start < options.seconds * 1e3);
  return samples;
}

/// The runs of all streams, and how long they took together.
struct Measured {
  Samples samples;
  double milliseconds = 0;

  double runsPerSecond() const {
    return double(samples.runs()) / milliseconds * 1e3;
  }
};

/// Where threads wait for each other, once.
class StartLine {
public:
  explicit StartLine(size_t count) : missing(count) {}

  void arrive() {
    std::lock_guard lock(mutex);
    if (--missing == 0) {
      start = now();
      changed.notify_all();
    }
  }
  void arriveAndWait() {
    arrive();
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return missing == 0; });
  }

  double start = 0; ///< when the last one arrived

private:
  std::mutex mutex;
  std::condition_variable changed;
  size_t missing;
};

/// One stream per model, in a thread each. The first is the calling thread's.
Measured measureStreams(std::vector<Model *> models, const Options &options) {
  size_t count = models.size();
  std::vector<Samples> samples(count);
  std::vector<std::exception_ptr> failures(count);
  std::vector<double> ends(count);
  StartLine ready(count);
  auto stream = [&](size_t i) {
    try {
      warmUp(*models[i], options);
    } catch (...) {
      failures[i] = std::current_exception();
      return ready.arrive();
    }
    ready.arriveAndWait();
    try {
      samples[i] = measure(*models[i], options);
    } catch (...) {
      failures[i] = std::current_exception();
    }
    ends[i] = now();
  };
  std::vector<std::thread> threads;
  for (size_t i = 1; i < count; ++i)
    threads.emplace_back(stream, i);
  stream(0);
  for (std::thread &thread : threads)
    thread.join();
  Measured measured;
  for (size_t i = 0; i < count; ++i) {
    if (failures[i])
      std::rethrow_exception(failures[i]);
    measured.samples.add(samples[i]);
    measured.milliseconds =
        std::max(measured.milliseconds, ends[i] - ready.start);
  }
  return measured;
}

void addStatistics(Json &json, Samples &samples) {
  json["median_ms"] = samples.quantile(0.5);
  json["min_ms"] = samples.fastest();
  json["p90_ms"] = samples.quantile(0.9);
  json["p99_ms"] = samples.quantile(0.99);
  json["mean_ms"] = samples.mean();
  json["stddev_ms"] = samples.deviation();
  json["runs"] = samples.runs();
}

} // namespace

int hone::run::benchModel(const Options &options) {
  Options chosen = options;
  chosen.random |= options.inputs.empty();
  if (chosen.streams > 1 && chosen.threads == 0)
    chosen.threads = std::max(processors() / chosen.streams, 1);
  std::deque<Model> models;
  std::vector<Model *> streams;
  for (int i = 0; i < chosen.streams; ++i) {
    streams.push_back(&models.emplace_back(chosen));
    streams.back()->setInputs(chosen);
  }
  Model &model = models.front();
  int64_t arenaBytes = model.prepare();
  Measured measured = measureStreams(streams, chosen);
  Samples &samples = measured.samples;

  hone_session_stats stats = model.stats();
  Json json;
  addStatistics(json, samples);
  json["runs_per_second"] = measured.runsPerSecond();
  json["dims"] = Json::object();
  for (const auto &[name, size] : model.sizes())
    json["dims"][name] = size;
  json["threads"] = stats.threads;
  json["streams"] = chosen.streams;
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
    printf("%s\n",
           json.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
    return 0;
  }
  std::string streamText =
      chosen.streams > 1 ? " in " + std::to_string(chosen.streams) + " streams"
                         : "";
  printf("median %.4f ms, min %.4f ms, p99 %.4f ms over %lld runs%s on %lld "
         "threads%s, level %s\n",
         samples.quantile(0.5), samples.fastest(), samples.quantile(0.99),
         static_cast<long long>(samples.runs()), streamText.c_str(),
         static_cast<long long>(stats.threads),
         chosen.streams > 1 ? " each" : "", stats.level);
  printf("mean %.4f ms, standard deviation %.4f ms, p90 %.4f ms; %.1f runs per "
         "second\n",
         samples.mean(), samples.deviation(), samples.quantile(0.9),
         measured.runsPerSecond());
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
