// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// `hone bench --compare`: two models in turn.
#include "tools/hone-run/Comparison.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

using namespace hone::run;

namespace {

/// Rounds that an interval of confidence needs, and those to aim for.
constexpr int64_t kFewestRounds = 6, kRounds = 50;

/// A model with the number of its runs in a round.
struct Contender {
  Model &model;
  Measured &measured;
  int64_t runs;

  /// Returns the median of a round.
  double run() {
    Samples samples = measure(model, runs, 0);
    measured.samples.add(samples);
    measured.milliseconds += samples.mean() * double(samples.runs());
    return samples.quantile(0.5);
  }
};

/// How many runs take this long, approximately.
int64_t runsIn(double milliseconds, Model &model) {
  constexpr int64_t kPart = 4;
  double each = measure(model, 0, milliseconds / kPart).mean();
  return std::max(int64_t(milliseconds / each), int64_t(1));
}

} // namespace

Comparison::Comparison(Model &model, const Options &options)
    : otherPath(options.compare), ratio({}) {
  Options otherOptions = options;
  otherOptions.model = options.compare;
  otherOptions.symbol.clear();
  Model other(otherOptions);
  other.setInputs(otherOptions);
  warmUp(model, options);
  warmUp(other, options);
  double budget = options.seconds * 1e3, round = budget / (2 * kRounds);
  Contender both[] = {{model, first, runsIn(round, model)},
                      {other, second, runsIn(round, other)}};
  if (options.runs)
    both[0].runs = both[1].runs = (options.runs + kRounds - 1) / kRounds;
  std::vector<double> ratios;
  double start = now();
  while (options.runs ? first.samples.runs() < options.runs
                      : rounds < kFewestRounds || now() - start < budget) {
    bool swapped = rounds++ % 2 != 0;
    double time = both[swapped].run(), otherTime = both[!swapped].run();
    if (swapped)
      std::swap(time, otherTime);
    ratios.push_back(time / otherTime);
  }
  ratio = Median(std::move(ratios));
}

nlohmann::ordered_json Comparison::json() {
  nlohmann::ordered_json json;
  json["model"] = otherPath;
  second.addTo(json);
  json["ratio"] = ratio.value;
  json["ratio_low"] = nullptr;
  json["ratio_high"] = nullptr;
  if (ratio.hasInterval) {
    json["ratio_low"] = ratio.low;
    json["ratio_high"] = ratio.high;
  }
  json["rounds"] = rounds;
  json["within_noise"] = !isClear();
  return json;
}

void Comparison::print() {
  std::string other = shown(otherPath);
  printf("%s: %s\n", other.c_str(), second.summary().c_str());
  printf("a run takes %.3f times as long as one of %s", ratio.value,
         other.c_str());
  if (ratio.hasInterval)
    printf(", %.3f to %.3f with 95 %% confidence in %lld rounds of both%s\n",
           ratio.low, ratio.high, static_cast<long long>(rounds),
           isClear() ? "" : ": the difference is within the noise");
  else
    printf(": %lld rounds of both are too few to tell a difference from "
           "noise\n",
           static_cast<long long>(rounds));
}
