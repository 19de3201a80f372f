// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Statistics of run times.
#ifndef HONE_TOOLS_RUN_SAMPLES_H
#define HONE_TOOLS_RUN_SAMPLES_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace hone::run {

/// Times of many runs in little memory: once full, every second one is dropped,
/// and from then on only every second, fourth, ... run is kept. Mean, deviation
/// and the fastest are those of all runs.
class Samples {
public:
  Samples() { times.reserve(kCapacity); }
  void add(double time);
  /// Adds all runs of another.
  void add(const Samples &other);

  int64_t runs() const { return count; }
  double fastest() const { return least; }
  double mean() const { return average; }
  /// The standard deviation of the runs.
  double deviation() const;
  double quantile(double q);

private:
  /// Keeps every `factor`-th time.
  void thin(int64_t factor);

  static constexpr size_t kCapacity = 1 << 16;
  std::vector<double> times;
  int64_t stride = 1; ///< a power of two
  int64_t count = 0;
  double least = 0, average = 0;
  double squares = 0; ///< the sum of squared distances from the mean
};

/// The median of some numbers and an interval that contains the median of their
/// distribution with a confidence of at least 95 %, whatever it is: between two
/// of the numbers in order.
struct Median {
  double value = 0, low = 0, high = 0;
  bool hasInterval = false; ///< there are enough numbers for one

  explicit Median(std::vector<double> numbers);
};

} // namespace hone::run

#endif // HONE_TOOLS_RUN_SAMPLES_H
