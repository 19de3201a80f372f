// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// `hone bench --profile`: where the time of runs goes.
#include "tools/hone-run/Profile.h"
#include "runtime/loader/ArithmeticSummary.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

using namespace hone::run;
using Json = nlohmann::ordered_json;

namespace {

constexpr size_t printedRows = 40, nodesWidth = 90;

/// Runs in a trace, and the maximum number of events in it.
constexpr int traceRuns = 5;
constexpr int64_t mostEvents = int64_t(1) << 20;

const char *kindText(uint16_t kind) {
  switch (kind) {
  case HONE_STEP_KERNEL:
    return "kernel";
  case HONE_STEP_LIBRARY:
    return "library";
  default:
    return "copy";
  }
}

const char *boundText(int32_t bound) {
  switch (bound) {
  case HONE_BOUND_COMPUTE:
    return "compute";
  case HONE_BOUND_MEMORY:
    return "memory";
  default:
    return "";
  }
}

/// A rate in units of 10^9 per second, or nothing if unknown.
Json rateJson(double amount, double seconds) {
  return amount < 0 || seconds <= 0 ? Json() : Json(amount / seconds * 1e-9);
}

std::string rateText(double amount, double seconds) {
  char text[32] = "-";
  if (amount > 0 && seconds > 0)
    snprintf(text, sizeof(text), "%.1f", amount / seconds * 1e-9);
  return text;
}

/// The most events of one run of a session with so many threads.
int64_t eventsOfARun(const hone_profile &profile, int64_t threads) {
  constexpr int64_t mostRanges = 64; // of one launch
  int64_t events = 1;
  for (int64_t i = 0; i < profile.row_count; ++i)
    events += profile.rows[i].launches / std::max<int64_t>(profile.runs, 1) *
              (threads > 1 ? 1 + mostRanges : 1);
  return events;
}

} // namespace

Profile::Profile(Model &loaded, double seconds, const std::string &trace)
    : model(loaded.descriptor()) {
  hone_session_stats stats = loaded.stats();
  threads = stats.threads;
  if (!stats.device) {
    measurePeak();
    for (int64_t i = 0; i < model.level_count; ++i)
      if (stats.level && strcmp(model.levels[i].name, stats.level) == 0)
        level = i;
  }
  profileRuns(loaded, seconds);
  if (!trace.empty()) {
    loaded.startProfile(std::min(
        mostEvents, traceRuns * eventsOfARun(loaded.profile(), threads)));
    for (int i = 0; i < traceRuns; ++i)
      loaded.run();
    writeTrace(loaded, trace);
  }
}

void Profile::measurePeak() {
  hone_pool pool = {};
  if (threads > 1 && hone_pool_create(int32_t(threads), &pool) != HONE_OK)
    throw Failure{1, "out of memory for the thread pool"};
  hone_peak measured;
  int32_t status = hone_measure_peak(threads > 1 ? &pool : nullptr, &measured);
  hone_pool_destroy(&pool);
  if (status != HONE_OK)
    throw Failure{1, "out of memory for measuring the machine's peak"};
  peak = measured;
}

void Profile::profileRuns(Model &loaded, double seconds) {
  loaded.run();
  // The time that half of the runs do not exceed.
  std::vector<int64_t> times;
  loaded.startProfile(0);
  hone_profile profile = loaded.profile();
  do {
    int64_t before = profile.run_ns;
    loaded.run();
    profile = loaded.profile();
    times.push_back(profile.run_ns - before);
  } while (double(profile.run_ns) < seconds * 0.3e9);
  auto middle = times.begin() + int64_t(times.size() - 1) / 2;
  std::nth_element(times.begin(), middle, times.end());

  std::vector<hone_profile_row> before, sums(model.step_count);
  loaded.startProfile(0);
  profile = loaded.profile();
  int64_t runTime = 0;
  do {
    before.assign(profile.rows, profile.rows + profile.row_count);
    int64_t timeBefore = profile.run_ns;
    loaded.run();
    profile = loaded.profile();
    if (profile.run_ns - timeBefore > *middle)
      continue;
    ++runs;
    runTime += profile.run_ns - timeBefore;
    for (int64_t i = 0; i < model.step_count; ++i) {
      const hone_profile_row &row = profile.rows[i];
      sums[i].launches += row.launches - before[i].launches;
      sums[i].total_ns += row.total_ns - before[i].total_ns;
    }
  } while (runs == 0 || double(profile.run_ns) < seconds * 0.7e9);
  allRuns = profile.runs;
  runSeconds = double(runTime) * 1e-9 / double(runs);
  for (int64_t i = 0; i < model.step_count; ++i)
    if (sums[i].launches > 0)
      addRow(i, sums[i], profile.rows[i]);
  std::sort(rows.begin(), rows.end(), [](const Row &a, const Row &b) {
    return a.seconds != b.seconds ? a.seconds > b.seconds : a.step < b.step;
  });
}

void Profile::addRow(int64_t step, const hone_profile_row &counted,
                     const hone_profile_row &all) {
  // A launch of a step does the same work in each run.
  auto ofARun = [&](int64_t total) {
    return total < 0 ? -1.0 : double(total) / double(allRuns);
  };
  Row row;
  row.step = step;
  row.launches = double(counted.launches) / double(runs);
  row.seconds = double(counted.total_ns) * 1e-9 / double(runs);
  row.leastSeconds = double(all.min_ns) * 1e-9;
  row.flop = ofARun(all.flop);
  row.bytes = ofARun(all.bytes);
  if (peak && row.seconds > 0)
    row.ofBound = hone_peak_seconds(&*peak, int64_t(row.flop),
                                    int64_t(row.bytes), &row.bound) /
                  row.seconds;
  stepSeconds += row.seconds;
  rows.push_back(row);
}

std::vector<std::string> Profile::nodesOf(int64_t step) const {
  std::vector<std::string> names;
  for (int32_t i = 0; const char *name = hone_step_node(&model, step, i); ++i)
    names.push_back(name);
  return names;
}

std::string Profile::nodesText(int64_t step) const {
  std::vector<std::string> names = nodesOf(step);
  if (names.empty())
    return "";
  std::string text = names.front();
  size_t count = 1;
  while (count < names.size() && text.size() + names[count].size() < nodesWidth)
    text += ", " + names[count++];
  if (count < names.size())
    text += " and " + std::to_string(names.size() - count) + " more";
  return shown(text);
}

Json Profile::json() const {
  Json json;
  json["runs"] = runs;
  json["all_runs"] = allRuns;
  json["run_ms"] = runSeconds * 1e3;
  json["steps_ms"] = stepSeconds * 1e3;
  json["peak"] = nullptr;
  if (peak)
    json["peak"] = {{"gflops", peak->flop_per_second * 1e-9},
                    {"gbps", peak->bytes_per_second * 1e-9},
                    {"threads", peak->threads},
                    {"vector_bits", peak->vector_bits}};
  json["steps"] = Json::array();
  for (const Row &row : rows) {
    Json step;
    step["step"] = row.step;
    step["name"] = hone_step_name(&model, row.step);
    step["kind"] = kindText(model.steps[row.step].kind);
    step["nodes"] = nodesOf(row.step);
    step["ops"] = Json::array();
    for (int32_t i = 0; const char *op = hone_step_node_op(&model, row.step, i);
         ++i)
      step["ops"].push_back(op);
    const char *arithmetic = arithmeticOf(row.step);
    step["arithmetic"] = arithmetic ? Json(arithmetic) : Json();
    step["launches"] = row.launches;
    step["ms"] = row.seconds * 1e3;
    step["min_launch_ms"] = row.leastSeconds * 1e3;
    step["share"] = row.seconds / runSeconds;
    step["flop"] = row.flop < 0 ? Json() : Json(row.flop);
    step["bytes"] = row.bytes < 0 ? Json() : Json(row.bytes);
    step["gflops"] = rateJson(row.flop, row.seconds);
    step["gbps"] = rateJson(row.bytes, row.seconds);
    step["bound"] =
        row.bound == HONE_BOUND_NONE ? Json() : Json(boundText(row.bound));
    step["of_bound"] =
        row.bound == HONE_BOUND_NONE ? Json() : Json(row.ofBound);
    json["steps"].push_back(std::move(step));
  }
  return json;
}

void Profile::print() const {
  printf("profile: %.4f ms, %.1f %% of it in %zu steps, in the faster %lld of "
         "%lld runs\n",
         runSeconds * 1e3, 100 * stepSeconds / runSeconds, rows.size(),
         static_cast<long long>(runs), static_cast<long long>(allRuns));
  if (peak)
    printf("peak of %d thread%s: %.1f GFLOP/s (multiply-adds of f32 in vectors "
           "of %d bits), %.1f GB/s from memory\n",
           peak->threads, peak->threads == 1 ? "" : "s",
           peak->flop_per_second * 1e-9, peak->vector_bits,
           peak->bytes_per_second * 1e-9);
  printf("%11s %7s %8s %8s  %-13s %8s  %-24s %s\n", "us", "share", "GFLOP/s",
         "GB/s", "of the peak", "launches", "step", "nodes");
  double rest = runSeconds;
  size_t count = rows.size() > printedRows + 1 ? printedRows : rows.size();
  auto share = [&](double seconds) { return 100 * seconds / runSeconds; };
  for (size_t i = 0; i < count; ++i) {
    const Row &row = rows[i];
    char bound[32] = "";
    if (row.bound != HONE_BOUND_NONE)
      snprintf(bound, sizeof(bound), "%3.0f %% %s", 100 * row.ofBound,
               boundText(row.bound));
    printf("%11.2f %5.1f %% %8s %8s  %-13s %8.6g  %-24s %s\n",
           row.seconds * 1e6, share(row.seconds),
           rateText(row.flop, row.seconds).c_str(),
           rateText(row.bytes, row.seconds).c_str(), bound, row.launches,
           shown(hone_step_name(&model, row.step)).c_str(),
           nodesText(row.step).c_str());
    rest -= row.seconds;
  }
  double others = stepSeconds - (runSeconds - rest);
  if (count < rows.size())
    printf("%11.2f %5.1f %% %43s%zu other steps\n", others * 1e6, share(others),
           "", rows.size() - count);
  rest = std::max(runSeconds - stepSeconds, 0.0);
  printf("%11.2f %5.1f %% %43s%s\n", rest * 1e6, share(rest), "",
         "outside steps");
  hone::ArithmeticSummary arithmetic;
  for (const Row &row : rows)
    if (const char *text = arithmeticOf(row.step))
      arithmetic.add(model.steps[row.step].kernel, text, int64_t(row.flop));
  if (std::string text = arithmetic.text(); !text.empty())
    printf("arithmetic: %s\n", shown(text).c_str());
}

void Profile::writeTrace(Model &loaded, const std::string &path) {
  hone_profile profile = loaded.profile();
  // A row per thread, and one after them for the device.
  auto row = [&](int32_t thread) {
    return thread == HONE_PROFILE_DEVICE ? threads : int64_t(thread);
  };
  auto dump = [](const Json &json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
  };
  std::string text = "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n";
  for (int64_t thread = 0; thread < threads + (peak ? 0 : 1); ++thread)
    text += dump({{"ph", "M"},
                  {"name", "thread_name"},
                  {"pid", 1},
                  {"tid", thread},
                  {"args",
                   {{"name", thread == threads
                                 ? "device"
                                 : "thread " + std::to_string(thread)}}}}) +
            ",\n";
  for (int64_t i = 0; i < profile.event_count; ++i) {
    const hone_profile_event &event = profile.events[i];
    bool isRun = event.step < 0;
    Json json;
    json["ph"] = "X";
    json["name"] = isRun ? "run" : hone_step_name(&model, event.step);
    json["cat"] = isRun              ? "run"
                  : event.pieces > 0 ? "pieces"
                                     : kindText(model.steps[event.step].kind);
    json["pid"] = 1;
    json["tid"] = row(event.thread);
    json["ts"] = double(event.begin_ns) * 1e-3;
    json["dur"] = double(event.end_ns - event.begin_ns) * 1e-3;
    if (event.pieces > 0)
      json["args"] = {{"pieces", event.pieces}};
    else if (!isRun)
      json["args"] = {{"step", event.step}, {"nodes", nodesOf(event.step)}};
    text += dump(json) + (i + 1 < profile.event_count ? ",\n" : "\n");
  }
  text += "]}\n";
  writeFile(path, {text});
  if (profile.lost_events > 0)
    fprintf(stderr,
            "note: there was no room for the last %lld events of the "
            "trace\n",
            static_cast<long long>(profile.lost_events));
}
