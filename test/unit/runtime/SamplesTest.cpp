// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Statistics of run times against their definitions.
#include "tools/hone-run/Samples.h"

#include <cmath>
#include <gtest/gtest.h>
#include <random>

using namespace hone::run;

namespace {

TEST(Samples, Statistics) {
  Samples samples;
  EXPECT_EQ(samples.quantile(0.5), 0);
  EXPECT_EQ(samples.deviation(), 0);
  for (double time : {4.0, 2.0, 9.0, 1.0})
    samples.add(time);
  EXPECT_EQ(samples.runs(), 4);
  EXPECT_EQ(samples.fastest(), 1);
  EXPECT_EQ(samples.mean(), 4);
  EXPECT_DOUBLE_EQ(samples.deviation(), std::sqrt((0 + 4 + 25 + 9) / 3.0));
  EXPECT_EQ(samples.quantile(0.5), 4);
  EXPECT_EQ(samples.quantile(1), 9);
}

TEST(Samples, ManyRunsInLittleMemory) {
  Samples samples, others, both;
  for (int i = 1; i <= 1000000; ++i)
    samples.add(i);
  for (int i = 1; i <= 1000; ++i)
    others.add(2e6);
  EXPECT_EQ(samples.runs(), 1000000);
  EXPECT_NEAR(samples.quantile(0.9), 900000, 100);
  EXPECT_DOUBLE_EQ(samples.mean(), 500000.5);
  EXPECT_NEAR(samples.deviation(), 1e6 / std::sqrt(12), 1);
  // Each run counts the same, however many were dropped.
  both.add(samples);
  both.add(others);
  EXPECT_EQ(both.runs(), 1001000);
  EXPECT_EQ(both.fastest(), 1);
  EXPECT_EQ(both.quantile(0.9995), 2e6);
  EXPECT_NEAR(both.quantile(0.5), 500500, 100);
  EXPECT_NEAR(both.mean(), (500000.5 * 1000 + 2e6) / 1001, 1e-3);
  double apart = 2e6 - 500000.5;
  double squares = (1e12 - 1) / 12 * 1e6 + apart * apart * 1e9 / 1001000;
  EXPECT_NEAR(both.deviation(), std::sqrt(squares / 1000999), 1e-3);
}

TEST(Samples, MedianAndItsInterval) {
  EXPECT_EQ(Median({}).value, 0);
  EXPECT_EQ(Median({3, 1, 2}).value, 2);
  EXPECT_EQ(Median({4, 1, 2, 3}).value, 2.5);
  EXPECT_FALSE(Median({1, 2, 3, 4, 5}).hasInterval);
  Median six({6, 5, 4, 3, 2, 1});
  EXPECT_TRUE(six.hasInterval);
  EXPECT_EQ(six.low, 1);
  EXPECT_EQ(six.high, 6);
  // In tables of the sign test: the 18th of 50.
  std::vector<double> fifty;
  for (int i = 1; i <= 50; ++i)
    fifty.push_back(i);
  EXPECT_EQ(Median(fifty).low, 18);
  EXPECT_EQ(Median(fifty).high, 33);

  // It contains the true median in 95 % of the cases or more.
  std::mt19937 generator(1);
  std::lognormal_distribution<double> times(0, 1);
  int missed = 0;
  for (int i = 0; i < 4000; ++i) {
    std::vector<double> numbers(30);
    for (double &number : numbers)
      number = times(generator);
    Median median(numbers);
    missed += median.low > 1 || median.high < 1;
  }
  EXPECT_LT(missed, 200);
  EXPECT_GT(missed, 80);
}

} // namespace
