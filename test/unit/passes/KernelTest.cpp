// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Numbers of the kernel emitters against plain loops, for each width of
// vectors, with sizes that are known to the compiler and sizes that are not.
#include "KernelRunner.h"
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>

using namespace hone;

static const CpuMachine kMachines[] = {*machineOfLevel("x86-64-v2"),
                                       *machineOfLevel("x86-64-v3"),
                                       *machineOfLevel("x86-64-v4")};

static std::string typeOf(const Tensor &tensor, bool isStatic) {
  std::string text = "memref<";
  for (int64_t dim : tensor.shape)
    text += (isStatic ? std::to_string(dim) : std::string("?")) + "x";
  return text + "f32>";
}

static void expectClose(const Tensor &actual, const Tensor &expected,
                        const std::string &what) {
  ASSERT_EQ(actual.shape, expected.shape);
  for (int64_t i = 0; i < actual.size(); ++i)
    ASSERT_NEAR(actual.data[i], expected.data[i],
                1e-4f * (1 + std::fabs(expected.data[i])))
        << what << ", element " << i;
}

enum class Rhs { RowMajor, Transposed, Panels };

/// out = max(a * b + bias, 0) with a right-hand side in the given layout.
static void checkContraction(int64_t batch, int64_t m, int64_t n, int64_t k,
                             Rhs layout, bool isStatic,
                             const CpuMachine &machine) {
  Tensor a = Tensor::random({batch, m, k}, 1);
  Tensor b = Tensor::random({layout == Rhs::Panels ? 1 : batch, k, n}, 2);
  Tensor bias = Tensor::random({n}, 3);
  Tensor expected({batch, m, n}), actual({batch, m, n});
  int64_t panels = (n + 15) / 16;
  Tensor rhs(layout == Rhs::Panels       ? std::vector<int64_t>{panels, k, 16}
             : layout == Rhs::Transposed ? std::vector<int64_t>{batch, n, k}
                                         : std::vector<int64_t>{batch, k, n});
  for (int64_t i = 0; i < b.shape[0]; ++i)
    for (int64_t kk = 0; kk < k; ++kk)
      for (int64_t j = 0; j < n; ++j) {
        int64_t at = layout == Rhs::Panels ? (j / 16 * k + kk) * 16 + j % 16
                     : layout == Rhs::Transposed ? (i * n + j) * k + kk
                                                 : (i * k + kk) * n + j;
        rhs.data[at] = b.data[(i * k + kk) * n + j];
      }
  for (int64_t i = 0; i < batch; ++i)
    for (int64_t r = 0; r < m; ++r)
      for (int64_t c = 0; c < n; ++c) {
        double sum = bias.data[c];
        const float *matrix = b.data.data() + (b.shape[0] == 1 ? 0 : i * k * n);
        for (int64_t kk = 0; kk < k; ++kk)
          sum += double(a.data[(i * m + r) * k + kk]) * matrix[kk * n + c];
        expected.data[(i * m + r) * n + c] = std::max(sum, 0.0);
      }
  std::string ta = typeOf(a, isStatic), tb = typeOf(rhs, isStatic),
              tc = typeOf(bias, isStatic), to = typeOf(actual, isStatic);
  if (layout == Rhs::Panels && !isStatic)
    tb = "memref<?x?x16xf32>";
  std::string flag = layout == Rhs::Panels       ? "packed <16, 1>"
                     : layout == Rhs::Transposed ? "transpose_rhs"
                                                 : "";
  std::string source =
      "func.func @kernel(%a: " + ta + ", %b: " + tb + ", %c: " + tc +
      ", %o: " + to + ") {\n  hone.kernel.matmul ins(%a, %b : " + ta + ", " +
      tb + ") extras(%c : " + tc +
      ") maps [affine_map<(d0, d1, d2) -> (d2)>] outs(%o : " + to + ") " +
      flag + R"( {
  ^bb0(%acc: f32, %x: f32):
    %s = arith.addf %acc, %x : f32
    %z = arith.constant 0.0 : f32
    %p = arith.maximumf %s, %z : f32
    hone.kernel.yield %p : f32
  }
  return
})";
  if (runKernel(source, machine, {&a, &rhs, &bias, &actual}))
    expectClose(actual, expected,
                "batch " + std::to_string(batch) + " m " + std::to_string(m) +
                    " n " + std::to_string(n) + " k " + std::to_string(k) +
                    " for " + machine.name);
}

TEST(ContractionTest, RowsAndColumnsThatFitNoTile) {
  for (const CpuMachine &machine : kMachines) {
    for (int64_t m : {1, 3, 29})
      checkContraction(1, m, 37, 19, Rhs::Panels, /*isStatic=*/true, machine);
    for (int64_t m : {7, 29})
      checkContraction(1, m, 37, 19, Rhs::Panels, /*isStatic=*/false, machine);
  }
}

TEST(ContractionTest, Batches) {
  for (const CpuMachine &machine : kMachines)
    for (bool isStatic : {true, false}) {
      checkContraction(3, 9, 21, 18, Rhs::RowMajor, isStatic, machine);
      checkContraction(3, 9, 21, 18, Rhs::Transposed, isStatic, machine);
      checkContraction(3, 9, 21, 18, Rhs::Panels, isStatic, machine);
    }
}

TEST(ContractionTest, LongSumsAreMadeInPieces) {
  checkContraction(1, 30, 40, 1030, Rhs::Transposed, true, kMachines[1]);
  checkContraction(1, 30, 300, 1030, Rhs::RowMajor, true, kMachines[1]);
  checkContraction(1, 30, 300, 1030, Rhs::RowMajor, false, kMachines[1]);
}

TEST(ContractionTest, EmptySums) {
  checkContraction(1, 5, 7, 0, Rhs::RowMajor, true, kMachines[1]);
  checkContraction(1, 5, 7, 0, Rhs::Transposed, false, kMachines[1]);
}

/// a * b with panels of bf16 in pairs; small integers, whose sums are exact.
static void checkPairs(int64_t m, int64_t n, int64_t k, bool isStatic,
                       const CpuMachine &machine) {
  int64_t panels = (n + 15) / 16;
  Tensor a = Tensor::random({m, k}, 6), b = Tensor::random({k, n}, 7);
  Tensor rhs({panels, k / 2, 16, 2}), actual({m, n}), expected({m, n});
  for (Tensor *tensor : {&a, &b})
    for (float &value : tensor->data)
      value = std::round(value * 8);
  auto *halves = reinterpret_cast<uint16_t *>(rhs.data.data());
  for (int64_t kk = 0; kk < k; ++kk)
    for (int64_t c = 0; c < n; ++c) {
      uint32_t bits;
      std::memcpy(&bits, &b.data[kk * n + c], sizeof(bits));
      halves[((c / 16 * k / 2 + kk / 2) * 16 + c % 16) * 2 + kk % 2] =
          bits >> 16;
    }
  for (int64_t r = 0; r < m; ++r)
    for (int64_t c = 0; c < n; ++c)
      for (int64_t kk = 0; kk < k; ++kk)
        expected.data[r * n + c] += a.data[r * k + kk] * b.data[kk * n + c];
  std::string tb = "memref<" + std::to_string(panels) + "x" +
                   std::to_string(k / 2) + "x16x2xbf16>";
  std::string ta = typeOf(a, isStatic), to = typeOf(actual, isStatic);
  std::string source = "func.func @kernel(%a: " + ta + ", %b: " + tb +
                       ", %o: " + to +
                       ") {\n  hone.kernel.matmul ins(%a, %b : " + ta + ", " +
                       tb + ") maps [] outs(%o : " + to +
                       R"() packed <16, 2> {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
})";
  if (!runKernel(source, machine, {&a, &rhs, &actual}))
    return;
  for (int64_t i = 0; i < actual.size(); ++i)
    ASSERT_EQ(actual.data[i], expected.data[i])
        << "element " << i << " for " << machine.name << ":\n"
        << source;
}

TEST(ContractionTest, PairsOfBf16) {
  std::vector<CpuMachine> machines(std::begin(kMachines), std::end(kMachines));
  if (__builtin_cpu_supports("avx512bf16")) {
    machines.push_back(kMachines[2]);
    machines.back().name = "x86-64-v4 with dots";
    machines.back().bf16Dot = 1;
  }
  for (const CpuMachine &machine : machines)
    for (bool isStatic : {true, false}) {
      for (int64_t m : {1, 3, 29})
        checkPairs(m, 37, 18, isStatic, machine);
      checkPairs(30, 8, 1030, isStatic, machine);
    }
}

namespace {
struct Conv {
  int64_t batch, channels, height, width, outChannels;
  int64_t kernel, stride, dilation, padLow, padHigh, group;
};
} // namespace

/// A convolution with a filter in panels, or of one filter for each channel.
static void checkConvolution(Conv c, bool depthwise, bool isStatic,
                             const CpuMachine &machine) {
  auto outSize = [&](int64_t in) {
    int64_t window = (c.kernel - 1) * c.dilation + 1;
    return (in + c.padLow + c.padHigh - window) / c.stride + 1;
  };
  int64_t oh = outSize(c.height), ow = outSize(c.width);
  int64_t in = c.channels / c.group, out = c.outChannels / c.group;
  Tensor x = Tensor::random({c.batch, c.height, c.width, c.channels}, 4);
  Tensor w = Tensor::random({c.outChannels, c.kernel, c.kernel, in}, 5);
  Tensor expected({c.batch, oh, ow, c.outChannels}), actual(expected.shape);
  int64_t panels = (out + 15) / 16;
  Tensor filter(depthwise ? std::vector<int64_t>{c.kernel, c.kernel, c.channels}
                          : std::vector<int64_t>{c.group * panels, c.kernel,
                                                 c.kernel, in, 16});
  for (int64_t o = 0; o < c.outChannels; ++o)
    for (int64_t k = 0; k < c.kernel * c.kernel; ++k)
      for (int64_t i = 0; i < in; ++i) {
        int64_t panel = o / out * panels + o % out / 16;
        int64_t at = depthwise
                         ? k * c.channels + o
                         : ((panel * c.kernel * c.kernel + k) * in + i) * 16 +
                               o % out % 16;
        filter.data[at] = w.data[(o * c.kernel * c.kernel + k) * in + i];
      }
  for (int64_t b = 0; b < c.batch; ++b)
    for (int64_t y = 0; y < oh; ++y)
      for (int64_t z = 0; z < ow; ++z)
        for (int64_t o = 0; o < c.outChannels; ++o) {
          double sum = 0;
          for (int64_t ky = 0; ky < c.kernel; ++ky)
            for (int64_t kx = 0; kx < c.kernel; ++kx) {
              int64_t iy = y * c.stride + ky * c.dilation - c.padLow;
              int64_t ix = z * c.stride + kx * c.dilation - c.padLow;
              if (iy < 0 || ix < 0 || iy >= c.height || ix >= c.width)
                continue;
              for (int64_t i = 0; i < in; ++i)
                sum += double(x.data[((b * c.height + iy) * c.width + ix) *
                                         c.channels +
                                     o / out * in + i]) *
                       w.data[((o * c.kernel + ky) * c.kernel + kx) * in + i];
            }
          expected.data[((b * oh + y) * ow + z) * c.outChannels + o] = sum;
        }
  auto pair = [](int64_t value) {
    return "[" + std::to_string(value) + ", " + std::to_string(value) + "]";
  };
  std::string low = std::to_string(c.padLow), high = std::to_string(c.padHigh);
  // Channels are always known: weights are.
  auto pixels = [&](const Tensor &tensor) {
    if (isStatic)
      return typeOf(tensor, true);
    return "memref<?x?x?x" + std::to_string(tensor.shape[3]) + "xf32>";
  };
  std::string tx = pixels(x), tf = typeOf(filter, true), to = pixels(actual);
  std::string source =
      "func.func @kernel(%x: " + tx + ", %f: " + tf + ", %o: " + to +
      ") {\n  hone.kernel.conv ins(%x, %f : " + tx + ", " + tf +
      ") maps [] outs(%o : " + to + ") kernel " + pair(c.kernel) + " strides " +
      pair(c.stride) + " dilations " + pair(c.dilation) + " pads [" + low +
      ", " + low + ", " + high + ", " + high + "] group " +
      std::to_string(c.group) + " channels_last " +
      (depthwise ? "depthwise" : "packed <16, 1>") + R"( {
  ^bb0(%acc: f32):
    hone.kernel.yield %acc : f32
  }
  return
})";
  if (runKernel(source, machine, {&x, &filter, &actual}))
    expectClose(actual, expected, source);
}

TEST(ConvolutionTest, Borders) {
  for (const CpuMachine &machine : kMachines)
    for (bool isStatic : {true, false}) {
      checkConvolution({1, 3, 9, 13, 20, 3, 1, 1, 1, 1, 1}, false, isStatic,
                       machine);
      checkConvolution({2, 4, 9, 8, 16, 5, 2, 1, 2, 1, 1}, false, isStatic,
                       machine);
      checkConvolution({1, 4, 7, 5, 16, 3, 1, 3, 3, 3, 1}, false, isStatic,
                       machine);
    }
}

TEST(ConvolutionTest, Groups) {
  checkConvolution({1, 6, 7, 8, 60, 3, 1, 1, 1, 1, 3}, false, true,
                   kMachines[1]);
  checkConvolution({1, 6, 7, 8, 60, 1, 2, 1, 0, 0, 3}, false, false,
                   kMachines[2]);
}

TEST(ConvolutionTest, OneElementKernels) {
  for (bool isStatic : {true, false})
    for (int64_t stride : {1, 2})
      checkConvolution({2, 8, 5, 7, 36, 1, stride, 1, 0, 0, 1}, false, isStatic,
                       kMachines[1]);
}

TEST(ConvolutionTest, Depthwise) {
  for (const CpuMachine &machine : kMachines)
    for (bool isStatic : {true, false}) {
      checkConvolution({1, 19, 9, 12, 19, 3, 1, 1, 1, 1, 19}, true, isStatic,
                       machine);
      checkConvolution({2, 16, 9, 12, 16, 5, 2, 2, 4, 3, 16}, true, isStatic,
                       machine);
    }
}
