// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Library functions for random numbers, spectra, determinants and trees.
// Expected numbers are numpy's.
#include "runtime/library/Forest.h"
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
  window(0, 1, true);
  EXPECT_EQ(elements<double>(), (Doubles{0}));
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

/// Nodes as the compiler lays them out.
template <typename T> struct TreeNodes {
  std::vector<ForestNode<T>> nodes;

  int32_t ask(NodeMode mode, uint32_t feature, T split, int32_t no, int32_t yes,
              bool nanIsYes = false) {
    ForestNode<T> node = {};
    node.split = split;
    node.test = feature | uint32_t(mode) << kForestModeShift |
                uint32_t(nanIsYes) << kForestNanShift;
    node.next[0] = no;
    node.next[1] = yes;
    return add(node);
  }
  int32_t leaf(T weight) {
    ForestNode<T> node = {};
    node.weight = weight;
    node.next[0] = node.next[1] = int32_t(nodes.size());
    return add(node);
  }
  int32_t list(int32_t number) {
    ForestNode<T> node = {};
    node.number = number;
    node.next[0] = node.next[1] = int32_t(nodes.size());
    return add(node);
  }
  int32_t add(ForestNode<T> node) {
    nodes.push_back(node);
    return int32_t(nodes.size()) - 1;
  }
  std::vector<uint8_t> bytes() const {
    auto *begin = reinterpret_cast<const uint8_t *>(nodes.data());
    return {begin, begin + nodes.size() * sizeof(nodes[0])};
  }
};

class Trees : public LibraryTest {
protected:
  const hone_value *bytesOf(const std::vector<uint8_t> &bytes) {
    return tensor<uint8_t>({int64_t(bytes.size())}, bytes);
  }
};

/// ONNX's case: feature 0 at 3.14, below it at 1.2 and 4.2.
TreeNodes<double> smallTree() {
  TreeNodes<double> tree;
  tree.ask(NodeMode::Leq, 0, 3.14, 2, 1);
  tree.ask(NodeMode::Leq, 0, 1.2, 4, 3);
  tree.ask(NodeMode::Leq, 0, 4.2, 6, 5);
  for (int32_t leaf = 0; leaf < 4; ++leaf)
    tree.list(leaf);
  return tree;
}

TEST_F(Trees, VotesOfOneTree) {
  std::vector<double> x{1.2, 3.4, -0.12, 1.66, 4.14, 1.77, NAN, 0};
  for (int64_t rows : {4, 20}) { // by trees, and by rows
    std::vector<double> features;
    for (int64_t i = 0; i < rows; ++i)
      features.insert(features.end(), x.begin() + i % 4 * 2,
                      x.begin() + i % 4 * 2 + 2);
    for (int64_t aggregate : {0, 1, 2, 3}) {
      expectOk(call(hone_lib_tree_ensemble,
                    {tensor<double>({rows, 2}, features),
                     bytesOf(smallTree().bytes()), list<int32_t>({0, 2}),
                     list<int64_t>({}), list<int32_t>({0, 1, 2, 3, 5}),
                     list<int32_t>({0, 1, 0, 1, 0}),
                     list<double>({5.23, 12.12, -12.23, 7.21, 1})},
                    {aggregate, 1, 2, 1, HONE_TYPE_DOUBLE}));
      const double expected[] = {5.23, 0, 5.23, 0, -12.23, 0, 1, 7.21};
      for (int64_t i = 0; i < 2 * rows; ++i)
        EXPECT_EQ(elements<double>()[i], expected[i % 8]) << i;
    }
  }
}

TEST_F(Trees, SumsOfManyTrees) {
  TreeNodes<float> trees;
  std::vector<int32_t> roots;
  for (int32_t i = 0; i < 1000; ++i) {
    int32_t at = int32_t(trees.nodes.size());
    roots.push_back(trees.ask(NodeMode::Leq, 0, float(i), at + 1, at + 2));
    roots.push_back(1);
    trees.leaf(1);
    trees.leaf(0.25);
  }
  for (int64_t rows : {1, 7, 8, 100}) {
    std::vector<float> x;
    for (int64_t i = 0; i < rows; ++i)
      x.push_back(float(10 * i));
    expectOk(call(hone_lib_tree_ensemble,
                  {tensor<float>({rows, 1}, x), bytesOf(trees.bytes()),
                   list<int32_t>(roots), list<int64_t>({})},
                  {1, 1, 1, 1, HONE_TYPE_FLOAT}));
    for (int64_t i = 0; i < rows; ++i)
      EXPECT_EQ(elements<float>()[i], 10 * i + 0.25f * (1000 - 10 * i)) << i;
  }
}

TEST_F(Trees, VotesInLeaves) {
  TreeNodes<float> trees;
  std::vector<int32_t> roots;
  for (uint32_t i = 0; i < 30; ++i) {
    int32_t at = int32_t(trees.nodes.size());
    roots.push_back(trees.ask(NodeMode::Leq, 0, 3, at + 1, at + 2));
    roots.push_back(1);
    for (float weight : {float(i % 3), 10.f}) {
      trees.leaf(weight);
      trees.nodes.back().test = i % 3;
    }
  }
  auto run = [&](int64_t rows, int64_t targets) {
    std::vector<float> x;
    for (int64_t i = 0; i < rows; ++i)
      x.push_back(float(i));
    return call(hone_lib_tree_ensemble,
                {tensor<float>({rows, 1}, x), bytesOf(trees.bytes()),
                 list<int32_t>(roots), list<int64_t>({})},
                {1, 1, targets, 1, HONE_TYPE_FLOAT});
  };
  for (int64_t rows : {1, 9}) {
    expectOk(run(rows, 3));
    for (int64_t i = 0; i < 3 * rows; ++i)
      EXPECT_EQ(elements<float>()[i], i / 3 <= 3 ? 100 : 10 * (i % 3)) << i;
    EXPECT_EQ(run(rows, 2), HONE_BAD_VALUE);
  }
}

TEST_F(Trees, MembersAndMissingValues) {
  TreeNodes<float> tree;
  ForestNode<float> set = {};
  set.number = 0;
  set.test =
      uint32_t(NodeMode::Member) << kForestModeShift | 1u << kForestNanShift;
  set.next[0] = 1;
  set.next[1] = 3;
  tree.add(set);
  tree.ask(NodeMode::Eq, 0, 0.5, 2, 4);
  tree.leaf(30);
  tree.leaf(10);
  tree.leaf(20);
  // -1, 0 and 64.
  expectOk(
      call(hone_lib_tree_ensemble,
           {tensor<float>({9, 1}, {-1, 0, 64, NAN, 1, -2, 0.5, 63.5, 1e30}),
            bytesOf(tree.bytes()), list<int32_t>({0, 2}),
            list<int64_t>({2, -1, 3, 2})},
           {1, 1, 1, 0, HONE_TYPE_FLOAT}));
  EXPECT_EQ(elements<float>(), (F32s{10, 10, 10, 10, 30, 30, 20, 30, 30}));
}

TEST_F(Trees, DamagedForests) {
  auto run = [&](TreeNodes<double> tree, std::vector<int32_t> roots,
                 std::vector<int32_t> first = {0, 1, 2, 3, 4},
                 std::vector<int32_t> targets = {0, 1, 0, 1}) {
    return call(hone_lib_tree_ensemble,
                {tensor<double>({1, 2}, {4.14, 0}), bytesOf(tree.bytes()),
                 list<int32_t>(roots), list<int64_t>({}), list<int32_t>(first),
                 list<int32_t>(targets), list<double>({1, 2, 3, 4})},
                {1, 1, 2, 1, HONE_TYPE_DOUBLE});
  };
  expectOk(run(smallTree(), {0, 2}));
  TreeNodes<double> cycle = smallTree();
  cycle.nodes[2].next[1] = 0;
  EXPECT_EQ(run(cycle, {0, 2}), HONE_BAD_VALUE);
  EXPECT_EQ(run(smallTree(), {0, 2}, {0, 1, 9, 9, 9}), HONE_BAD_VALUE);
  EXPECT_EQ(run(smallTree(), {0, 2}, {0, 1, 2, 3, 4}, {7, 7, 7, 7}),
            HONE_BAD_VALUE);
  TreeNodes<double> outside = smallTree();
  outside.nodes[2].next[1] = 1 << 30;
  expectOk(run(outside, {0, 2}));
  expectOk(run(smallTree(), {-5, 2}));
  // A depth that is none ends too, at a node that is no leaf or at a leaf.
  for (int32_t depth : {-1, 1 << 30})
    expectOk(run(smallTree(), {0, depth}));
  EXPECT_EQ(run(smallTree(), {0, 0}), HONE_BAD_VALUE);
  EXPECT_EQ(call(hone_lib_tree_ensemble,
                 {tensor<double>({1, 0}, {}), bytesOf(smallTree().bytes()),
                  list<int32_t>({0, 2}), list<int64_t>({}),
                  list<int32_t>({0, 0}), list<int32_t>({}), list<double>({})},
                 {1, 1, 2, 1, HONE_TYPE_DOUBLE}),
            HONE_INDEX_OUT_OF_RANGE);
}

} // namespace
