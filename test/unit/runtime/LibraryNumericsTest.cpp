// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Library functions for random numbers, spectra, determinants and trees.
// Expected numbers are numpy's.
#include "test/unit/runtime/LibraryCall.h"

using namespace hone;

namespace {

using Doubles = std::vector<double>;
using F32s = std::vector<float>;

class Random : public LibraryTest {
protected:
  int32_t uniform(const hone_value *shape, double low, double high, double seed,
                  int32_t type = HONE_TYPE_DOUBLE, bool hasSeed = true) {
    return call(hone_lib_random_uniform, {shape},
                {hasSeed, bitsOf(high), bitsOf(low), bitsOf(seed), type});
  }
};

TEST_F(Random, UniformIsNumpys) {
  expectOk(uniform(list<int64_t>({5}), 0, 1, 42));
  expectNear<double>({0.3745401188473625, 0.9507143064099162,
                      0.7319939418114051, 0.5986584841970366,
                      0.15601864044243652},
                     1e-16);
  expectOk(uniform(list<int64_t>({2, 500}), 0, 1, 7));
  EXPECT_EQ(dims(), (Dims{2, 500}));
  EXPECT_NEAR(elements<double>().back(), 0.016448753231374513, 1e-16);
  expectOk(uniform(list<int64_t>({2}), -1, 3, 42, HONE_TYPE_FLOAT));
  expectNear<float>(
      {float(-1 + 4 * 0.3745401188473625), float(-1 + 4 * 0.9507143064099162)},
      1e-6);
  expectOk(uniform(list<int64_t>({}), 0, 1, 42, HONE_TYPE_FLOAT16));
  EXPECT_EQ(dims(), Dims{});
  EXPECT_EQ(uniform(list<int64_t>({-1}), 0, 1, 42), HONE_BAD_VALUE);
}

TEST_F(Random, SeedsDiffer) {
  auto *shape = list<int64_t>({4});
  auto draw = [&](double seed, bool hasSeed) {
    expectOk(uniform(shape, 0, 1, seed, HONE_TYPE_DOUBLE, hasSeed));
    return elements<double>();
  };
  EXPECT_EQ(draw(1, true), draw(1, true));
  EXPECT_NE(draw(1, true), draw(2, true));
  EXPECT_NE(draw(-1, true), draw(NAN, true));
  EXPECT_NE(draw(0, false), draw(0, false));
}

TEST_F(Random, NormalIsNumpys) {
  expectOk(call(hone_lib_random_normal, {list<int64_t>({5})},
                {1, bitsOf(1), bitsOf(2), bitsOf(3), HONE_TYPE_DOUBLE}));
  expectNear<double>({4.577256946860637, 1.8730197010239789, 1.1929949361440173,
                      -2.7269854067289816, 0.4452235949712019},
                     1e-14);
}

TEST_F(Random, Bernoulli) {
  auto *x = list<float>({0, 1, 0.5f, 0.5f, NAN, 0.5f});
  expectOk(call(hone_lib_bernoulli, {x},
                {1, bitsOf(0), HONE_TYPE_INT32, HONE_TYPE_FLOAT}));
  // Uniform numbers 0.549, 0.715, 0.603, 0.545, 0.424, 0.646.
  EXPECT_EQ(elements<int32_t>(), (std::vector<int32_t>{0, 1, 0, 0, 0, 0}));
  expectOk(call(hone_lib_bernoulli, {x},
                {1, bitsOf(0), HONE_TYPE_BOOL, HONE_TYPE_FLOAT}));
  EXPECT_EQ(dims(), (Dims{6}));
}

TEST_F(Random, MultinomialFollowsTheWeights) {
  auto *x = tensor<float>({2, 3}, {std::log(0.1f), std::log(0.2f),
                                   std::log(0.7f), 0, -INFINITY, NAN});
  expectOk(call(hone_lib_multinomial, {x},
                {1, 2000, bitsOf(5), HONE_TYPE_INT32, HONE_TYPE_FLOAT}));
  EXPECT_EQ(dims(), (Dims{2, 2000}));
  std::vector<int32_t> drawn = elements<int32_t>();
  int counts[3] = {};
  for (int i = 0; i < 2000; ++i) {
    ++counts[drawn[size_t(i)]];
    EXPECT_EQ(drawn[size_t(2000 + i)], 0);
  }
  EXPECT_NEAR(counts[0], 200, 50);
  EXPECT_NEAR(counts[1], 400, 60);
  expectOk(call(hone_lib_multinomial, {tensor<float>({1, 2}, {NAN, NAN})},
                {1, 3, bitsOf(5), HONE_TYPE_INT64, HONE_TYPE_FLOAT}));
  EXPECT_EQ(call(hone_lib_multinomial, {tensor<float>({1, 0}, {})},
                 {1, 3, bitsOf(5), HONE_TYPE_INT64, HONE_TYPE_FLOAT}),
            HONE_BAD_VALUE);
}

TEST_F(Random, Dropout) {
  auto *x = list<float>({1, 2, 3, 4});
  auto *on = tensor<uint8_t>({}, {1}, HONE_TYPE_BOOL);
  auto drop = [&](const hone_value *ratio, const hone_value *training) {
    return call(hone_lib_dropout, {x, ratio, training},
                {1, bitsOf(0), HONE_TYPE_FLOAT}, 2);
  };
  // Uniform numbers 0.549, 0.715, 0.603, 0.545.
  expectOk(drop(scalar<float>(0.6f), on));
  expectNear<float>({0, 5, 7.5f, 0}, 1e-5);
  EXPECT_EQ(elements<uint8_t>(1), (std::vector<uint8_t>{0, 1, 1, 0}));
  expectOk(drop(nullptr, on));
  EXPECT_EQ(elements<float>(), (F32s{2, 4, 6, 8}));
  expectOk(drop(scalar<float>(1), on));
  EXPECT_EQ(elements<float>(), (F32s{0, 0, 0, 0}));
  expectOk(drop(scalar<float>(0.6f), nullptr));
  EXPECT_EQ(elements<float>(), (F32s{1, 2, 3, 4}));
  EXPECT_EQ(elements<uint8_t>(1), (std::vector<uint8_t>{1, 1, 1, 1}));
  EXPECT_EQ(drop(scalar<float>(NAN), on), HONE_BAD_VALUE);
}

class Spectra : public LibraryTest {
protected:
  const hone_value *five() { // 1, 2+i, 3, 4-i, 5+2i
    return tensor<double>({1, 5, 2}, {1, 0, 2, 1, 3, 0, 4, -1, 5, 2});
  }
  int32_t dft(const hone_value *x, bool inverse, bool onesided,
              const hone_value *length = nullptr, int64_t axis = 1,
              int32_t type = HONE_TYPE_DOUBLE) {
    return call(hone_lib_dft, {x, length}, {axis, inverse, onesided, type});
  }
};

TEST_F(Spectra, TransformsOfAnyLength) {
  expectOk(dft(five(), false, false));
  EXPECT_EQ(dims(), (Dims{1, 5, 2}));
  expectNear<double>({15, 2, -2.8632712640026803, 5.177022778677723,
                      -4.038841768587627, -1.9237687369175238,
                      -0.9611582314123734, -3.548367218082056,
                      -2.1367287359973197, -1.7048868236781436},
                     1e-13);
  auto *spectrum = keep(results[0]);
  expectOk(dft(spectrum, true, false));
  expectNear<double>({1, 0, 2, 1, 3, 0, 4, -1, 5, 2}, 1e-13);
  expectOk(dft(five(), true, false));
  expectNear<double>({3, 0.4, -0.42734574719946394, -0.34097736473562873,
                      -0.1922316462824747, -0.7096734436164112,
                      -0.8077683537175254, -0.38475374738350476,
                      -0.5726542528005361, 1.0354045557355447},
                     1e-13);
}

TEST_F(Spectra, RealAndOnesided) {
  auto *eight = tensor<float>({8, 1}, {0, 1, 2, 3, 4, 5, 6, 7});
  expectOk(dft(eight, false, true, nullptr, 0, HONE_TYPE_FLOAT));
  EXPECT_EQ(dims(), (Dims{5, 2}));
  expectNear<float>({28, 0, -4, 9.656854f, -4, 4, -4, 1.6568542f, -4, 0}, 1e-5);
  auto *half = tensor<double>({3, 2}, {1, 1, 2, -1, 3, 0.5});
  expectOk(dft(half, true, true, nullptr, 0));
  EXPECT_EQ(dims(), (Dims{4, 1}));
  expectNear<double>({2, 0, 0, -1}, 1e-14);
  expectOk(dft(half, true, true, scalar<int64_t>(5), 0));
  expectNear<double>({2.2, -0.2607412416904122, 0.348932201925999,
                      -0.501718606426041, -0.7864723538095458},
                     1e-14);
}

TEST_F(Spectra, CutAndPadded) {
  auto *x = tensor<double>({1, 5, 1}, {1, 2, 3, 4, 5});
  expectOk(dft(x, false, false, scalar<int64_t>(3)));
  expectNear<double>(
      {6, 0, -1.5, 0.8660254037844386, -1.5, -0.8660254037844386}, 1e-14);
  expectOk(dft(x, false, true, scalar<int32_t>(7)));
  expectNear<double>({15, 0, -6.529303009273249, -4.054562962363972,
                      3.463459745108715, -1.4300360894790027,
                      -0.9341567358354672, 2.4526548813507967},
                     1e-13);
  EXPECT_EQ(dft(x, false, false, scalar<int64_t>(0)), HONE_BAD_VALUE);
  EXPECT_EQ(dft(x, false, false, nullptr, -1), HONE_INDEX_OUT_OF_RANGE);
  EXPECT_EQ(dft(tensor<double>({1, 3}, {1, 2, 3}), false, false, nullptr, 0),
            HONE_SHAPE_MISMATCH);
}

TEST_F(Spectra, AxisAsAnOperand) {
  auto *x = tensor<double>({2, 2, 1}, {1, 10, 2, 30});
  expectOk(call(hone_lib_dft, {x, nullptr, scalar<int64_t>(-3)},
                {1, 0, 0, HONE_TYPE_DOUBLE}));
  EXPECT_EQ(elements<double>(), (Doubles{3, 0, 40, 0, -1, 0, -20, 0}));
  EXPECT_EQ(call(hone_lib_dft, {x, nullptr, scalar<int64_t>(3)},
                 {1, 0, 0, HONE_TYPE_DOUBLE}),
            HONE_INDEX_OUT_OF_RANGE);
}

TEST_F(Spectra, InnerAxesAreApart) {
  // Two signals side by side, transformed along the first axis.
  auto *x = tensor<double>({2, 2, 1}, {1, 10, 2, 30});
  expectOk(dft(x, false, false, nullptr, 0));
  EXPECT_EQ(elements<double>(), (Doubles{3, 0, 40, 0, -1, 0, -20, 0}));
}

TEST_F(Spectra, LongPrimeLength) {
  // A single frequency of a prime length: one bin, and its mirror.
  int64_t size = 1009;
  Doubles wave;
  for (int64_t i = 0; i < size; ++i)
    wave.push_back(std::cos(2 * M_PI * 17 * double(i) / double(size)));
  expectOk(dft(tensor<double>({size, 1}, wave), false, true, nullptr, 0));
  Doubles bins = elements<double>();
  for (int64_t i = 0; i < size / 2 + 1; ++i) {
    EXPECT_NEAR(bins[size_t(2 * i)], i == 17 ? double(size) / 2 : 0, 1e-9) << i;
    EXPECT_NEAR(bins[size_t(2 * i + 1)], 0, 1e-9) << i;
  }
}

TEST_F(Spectra, ShortTime) {
  auto *x = tensor<float>({1, 6, 1}, {1, 2, 3, 4, 5, 6});
  expectOk(call(hone_lib_stft,
                {x, scalar<int64_t>(2), list<float>({1, 1, 0, 0})},
                {1, HONE_TYPE_FLOAT}));
  EXPECT_EQ(dims(), (Dims{1, 2, 3, 2}));
  // 1 2 0 0 and 3 4 0 0.
  expectNear<float>({3, 0, 1, -2, -1, 0, 7, 0, 3, -4, -1, 0}, 1e-6);
  expectOk(call(hone_lib_stft,
                {x, scalar<int64_t>(4), nullptr, scalar<int64_t>(2)},
                {0, HONE_TYPE_FLOAT}));
  EXPECT_EQ(dims(), (Dims{1, 2, 2, 2}));
  expectNear<float>({3, 0, -1, 0, 11, 0, -1, 0}, 1e-6);
  expectOk(call(hone_lib_stft,
                {x, scalar<int64_t>(1), nullptr, scalar<int64_t>(7)},
                {1, HONE_TYPE_FLOAT}));
  EXPECT_EQ(dims(), (Dims{1, 0, 4, 2}));
  EXPECT_EQ(call(hone_lib_stft,
                 {x, scalar<int64_t>(0), nullptr, scalar<int64_t>(2)},
                 {0, HONE_TYPE_FLOAT}),
            HONE_BAD_VALUE);
  EXPECT_EQ(call(hone_lib_stft,
                 {x, scalar<int64_t>(1), list<float>({1}), scalar<int64_t>(2)},
                 {0, HONE_TYPE_FLOAT}),
            HONE_SHAPE_MISMATCH);
}

TEST_F(Spectra, Windows) {
  auto window = [&](int64_t kind, int64_t size, bool periodic) {
    expectOk(call(hone_lib_window, {scalar<int64_t>(size)},
                  {kind, periodic, HONE_TYPE_DOUBLE}));
  };
  window(0, 5, true);
  expectNear<double>({0, 0.3454915028125263, 0.9045084971874736,
                      0.9045084971874738, 0.34549150281252644},
                     1e-15);
  window(0, 5, false);
  expectNear<double>({0, 0.5, 1, 0.5, 0}, 1e-15);
  window(1, 4, true);
  expectNear<double>(
      {0.08695652173913038, 0.5434782608695652, 1, 0.5434782608695653}, 1e-15);
  window(2, 4, false);
  expectNear<double>({0, 0.63, 0.63, 0}, 1e-15);
  window(0, 0, false);
  EXPECT_EQ(dims(), (Dims{0}));
  window(0, 1, false);
  EXPECT_EQ(elements<double>(), (Doubles{1}));
  EXPECT_EQ(
      call(hone_lib_window, {scalar<int64_t>(-1)}, {0, 0, HONE_TYPE_FLOAT}),
      HONE_BAD_VALUE);
}

TEST_F(Spectra, MelWeights) {
  expectOk(call(hone_lib_mel_weight_matrix,
                {scalar<int32_t>(4), scalar<int32_t>(16), scalar<int32_t>(8192),
                 scalar<float>(0), scalar<float>(4096)},
                {HONE_TYPE_FLOAT}));
  EXPECT_EQ(dims(), (Dims{9, 4}));
  F32s expected = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0,
                   1, 0, 0, 0, 0, 1, 0, 0, 0, 0.5f};
  expected.resize(36);
  EXPECT_EQ(elements<float>(), expected);
  EXPECT_EQ(call(hone_lib_mel_weight_matrix,
                 {scalar<int32_t>(4), scalar<int32_t>(16), scalar<int32_t>(0),
                  scalar<float>(0), scalar<float>(4096)},
                 {HONE_TYPE_FLOAT}),
            HONE_BAD_VALUE);
  EXPECT_EQ(
      call(hone_lib_mel_weight_matrix,
           {scalar<int32_t>(4), scalar<int32_t>(16), scalar<int32_t>(8192),
            scalar<float>(0), scalar<float>(40960)},
           {HONE_TYPE_FLOAT}),
      HONE_INDEX_OUT_OF_RANGE);
}

class Linear : public LibraryTest {};

TEST_F(Linear, Determinants) {
  expectOk(call(hone_lib_det,
                {tensor<double>({3, 3}, {2, 1, 3, 0, -1, 4, 5, 2, 1})},
                {HONE_TYPE_DOUBLE}));
  EXPECT_EQ(dims(), Dims{});
  expectNear<double>({17}, 1e-12);
  expectOk(
      call(hone_lib_det,
           {tensor<float>({3, 2, 2}, {1, 2, 3, 4, 0, 1, 1, 0, 1, 1, 1, 1})},
           {HONE_TYPE_FLOAT}));
  expectNear<float>({-2, -1, 0}, 1e-6);
  expectOk(
      call(hone_lib_det, {tensor<float>({2, 0, 0}, {})}, {HONE_TYPE_FLOAT}));
  EXPECT_EQ(elements<float>(), (F32s{1, 1}));
  EXPECT_EQ(
      call(hone_lib_det, {tensor<float>({1, 2}, {1, 2})}, {HONE_TYPE_FLOAT}),
      HONE_SHAPE_MISMATCH);
}

class Trees : public LibraryTest {
protected:
  /// One node on feature 0 at 3.14 with two nodes below it, as in ONNX's case.
  int32_t run(const hone_value *x, int64_t aggregate = 1, int64_t post = 0,
              const std::vector<int64_t> &falseIds = {2, 2, 3}) {
    return call(hone_lib_tree_ensemble,
                {x, list<int64_t>({0, 0, 0}), list<int64_t>({0, 1, 1}),
                 list<int64_t>(falseIds), tensor<uint8_t>({3}, {0, 0, 0}),
                 list<double>({3.14, 1.2, 4.2}), list<int64_t>({0, 1, 1}),
                 list<int64_t>({1, 0, 1}), list<int64_t>({0, 1, 0, 1}),
                 list<double>({5.23, 12.12, -12.23, 7.21}), list<int64_t>({0})},
                {aggregate, 2, post, HONE_TYPE_DOUBLE});
  }
};

TEST_F(Trees, OneTree) {
  auto *x = tensor<double>({3, 2}, {1.2, 3.4, -0.12, 1.66, 4.14, 1.77});
  expectOk(run(x));
  EXPECT_EQ(elements<double>(), (Doubles{5.23, 0, 5.23, 0, 0, 12.12}));
}

TEST_F(Trees, Aggregates) {
  auto *x = tensor<double>({1, 2}, {4.14, 0});
  expectOk(run(x, 0));
  EXPECT_EQ(elements<double>(), (Doubles{0, 12.12}));
  expectOk(run(x, 3));
  EXPECT_EQ(elements<double>()[1], 12.12);
  expectOk(run(x, 1, 2));
  expectNear<double>({0.5, 1 / (1 + std::exp(-12.12))}, 1e-12);
  expectOk(run(x, 1, 1));
  expectNear<double>({5.445e-06, 0.999994}, 1e-6);
}

TEST_F(Trees, Members) {
  // Node 0 asks whether the feature is 1 or 2.
  auto *members = list<float>({1, 2, NAN});
  expectOk(call(hone_lib_tree_ensemble,
                {tensor<float>({3, 1}, {1, 2, 3}), list<int64_t>({0}),
                 list<int64_t>({1}), list<int64_t>({1}),
                 tensor<uint8_t>({1}, {6}), list<float>({0}),
                 list<int64_t>({1}), list<int64_t>({0}), list<int64_t>({0, 0}),
                 list<float>({10, 20}), list<int64_t>({0}), members},
                {1, 1, 0, HONE_TYPE_FLOAT}));
  EXPECT_EQ(elements<float>(), (F32s{10, 10, 20}));
}

TEST_F(Trees, FaultyNodes) {
  auto *x = tensor<double>({1, 2}, {4.14, 0});
  EXPECT_EQ(run(x, 1, 0, {0, 2, 3}), HONE_BAD_VALUE); // leads back to itself
  EXPECT_EQ(run(x, 1, 0, {3, 2, 3}), HONE_INDEX_OUT_OF_RANGE);
  EXPECT_EQ(run(x, 1, 0, {2, 2, 4}), HONE_INDEX_OUT_OF_RANGE);
  EXPECT_EQ(run(tensor<double>({1, 0}, {})), HONE_INDEX_OUT_OF_RANGE);
}

} // namespace
