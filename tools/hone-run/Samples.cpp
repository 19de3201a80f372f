// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Statistics of run times.
#include "tools/hone-run/Samples.h"

#include <algorithm>
#include <cmath>

using namespace hone::run;

void Samples::add(double time) {
  least = count == 0 ? time : std::min(least, time);
  // Welford: subtracting sums of squares would lose all digits.
  double before = time - average;
  average += before / double(count + 1);
  squares += before * (time - average);
  if (count++ % stride != 0)
    return;
  if (times.size() == kCapacity)
    thin(2);
  times.push_back(time);
}

void Samples::add(const Samples &other) {
  if (other.count == 0)
    return;
  Samples added = other;
  int64_t common = std::max(stride, added.stride);
  thin(common / stride);
  added.thin(common / added.stride);
  times.insert(times.end(), added.times.begin(), added.times.end());
  least = count == 0 ? added.least : std::min(least, added.least);
  double all = double(count + added.count), apart = added.average - average;
  squares +=
      added.squares + apart * apart * double(count) * double(added.count) / all;
  average += apart * double(added.count) / all;
  count += added.count;
}

double Samples::deviation() const {
  return count < 2 ? 0 : std::sqrt(squares / double(count - 1));
}

double Samples::quantile(double q) {
  if (times.empty())
    return 0;
  std::sort(times.begin(), times.end());
  return times[std::min(times.size() - 1, size_t(q * double(times.size())))];
}

void Samples::thin(int64_t factor) {
  size_t kept = (times.size() + size_t(factor) - 1) / size_t(factor);
  for (size_t i = 0; i < kept; ++i)
    times[i] = times[i * size_t(factor)];
  times.resize(kept);
  stride *= factor;
}

Median::Median(std::vector<double> numbers) {
  if (numbers.empty())
    return;
  std::sort(numbers.begin(), numbers.end());
  size_t count = numbers.size();
  value = (numbers[(count - 1) / 2] + numbers[count / 2]) / 2;
  // The median is below the k-th smallest number if fewer than k of them are
  // below the median, each with probability 1/2.
  double tail = 0;
  size_t k = 0;
  auto chance = [&](size_t below) {
    return std::exp(
        std::lgamma(double(count) + 1) - std::lgamma(double(below) + 1) -
        std::lgamma(double(count - below) + 1) - double(count) * std::log(2));
  };
  while (k < count / 2 && tail + chance(k) <= 0.025)
    tail += chance(k++);
  hasInterval = k > 0;
  if (!hasInterval)
    return;
  low = numbers[k - 1];
  high = numbers[count - k];
}
