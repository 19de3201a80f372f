// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Times runs of models, one after another or several at once.
#include "tools/hone-run/Timing.h"

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <ctime>
#include <exception>
#include <mutex>
#include <nlohmann/json.hpp>
#include <system_error>
#include <thread>

using namespace hone::run;

namespace {

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

} // namespace

double hone::run::now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return double(time.tv_sec) * 1e3 + double(time.tv_nsec) * 1e-6;
}

Samples hone::run::measure(Model &model, int64_t runs, double milliseconds) {
  Samples samples;
  double start = now(), before = start;
  do {
    model.run();
    double after = now();
    samples.add(after - before);
    before = after;
  } while (runs ? samples.runs() < runs : before - start < milliseconds);
  return samples;
}

std::string Measured::summary() {
  char text[160];
  snprintf(text, sizeof(text),
           "median %.4f ms, min %.4f ms, p99 %.4f ms over %lld runs",
           samples.quantile(0.5), samples.fastest(), samples.quantile(0.99),
           static_cast<long long>(samples.runs()));
  return text;
}

void Measured::addTo(nlohmann::ordered_json &json) {
  json["median_ms"] = samples.quantile(0.5);
  json["min_ms"] = samples.fastest();
  json["p90_ms"] = samples.quantile(0.9);
  json["p99_ms"] = samples.quantile(0.99);
  json["mean_ms"] = samples.mean();
  json["stddev_ms"] = samples.deviation();
  json["runs"] = samples.runs();
  json["runs_per_second"] = runsPerSecond();
}

void hone::run::warmUp(Model &model, const Options &options) {
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

Measured hone::run::measureStreams(const std::vector<Model *> &models,
                                   const Options &options) {
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
      samples[i] = measure(*models[i], options.runs, options.seconds * 1e3);
    } catch (...) {
      failures[i] = std::current_exception();
    }
    ends[i] = now();
  };
  std::vector<std::thread> threads;
  for (size_t i = 1; i < count; ++i) {
    try {
      threads.emplace_back(stream, i);
    } catch (const std::system_error &error) {
      failures[i] = std::make_exception_ptr(
          Failure{1, "cannot start " + std::to_string(count) +
                         " streams: " + error.code().message()});
      ready.arrive();
    }
  }
  stream(0); // a single one has no thread of its own
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
