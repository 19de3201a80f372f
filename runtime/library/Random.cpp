// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Random numbers: MT19937, seeded and read like numpy's RandomState.
#include "runtime/library/Numbers.h"

#include <math.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

using namespace hone;
using namespace hone::library;

namespace {

class Generator {
public:
  explicit Generator(uint32_t seed) {
    for (uint32_t i = 0; i < size; ++i) {
      state[i] = seed;
      seed = 1812433253u * (seed ^ seed >> 30) + i + 1;
    }
  }

  /// In [0, 1), with 53 bits.
  double uniform() {
    uint32_t high = next() >> 5, low = next() >> 6;
    return (double(high) * 67108864.0 + double(low)) / 9007199254740992.0;
  }

  double normal() {
    if (hasSpare) {
      hasSpare = false;
      return spare;
    }
    double x, y, square;
    do {
      x = 2 * uniform() - 1;
      y = 2 * uniform() - 1;
      square = x * x + y * y;
    } while (square >= 1 || square == 0);
    double factor = sqrt(-2 * log(square) / square);
    spare = factor * x;
    hasSpare = true;
    return factor * y;
  }

private:
  static constexpr uint32_t size = 624, middle = 397;

  uint32_t next() {
    if (position == size) {
      for (uint32_t i = 0; i < size; ++i) {
        uint32_t mixed =
            (state[i] & 0x80000000u) | (state[(i + 1) % size] & 0x7fffffffu);
        state[i] = state[(i + middle) % size] ^ mixed >> 1 ^
                   (mixed & 1 ? 0x9908b0dfu : 0);
      }
      position = 0;
    }
    uint32_t result = state[position++];
    result ^= result >> 11;
    result ^= result << 7 & 0x9d2c5680u;
    result ^= result << 15 & 0xefc60000u;
    return result ^ result >> 18;
  }

  uint32_t state[size], position = size;
  double spare = 0;
  bool hasSpare = false;
};

uint32_t seedOf(bool given, double seed) {
  if (given && seed >= 0 && seed < 4294967296.0)
    return uint32_t(seed);
  if (given) {
    auto bits = __builtin_bit_cast(uint64_t, seed);
    return uint32_t(bits ^ bits >> 32);
  }
  uint32_t fresh;
  // The function is not in every libc.
  if (syscall(SYS_getrandom, &fresh, sizeof fresh, GRND_NONBLOCK) ==
      sizeof fresh)
    return fresh;
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return uint32_t(now.tv_sec) * 1000003u ^ uint32_t(now.tv_nsec);
}

/// A floating-point result with the dimensions listed in operand 0.
Tensor makeShaped(Call &call, int64_t type) {
  Tensor shape = call.integers(0);
  if (!shape)
    return {};
  int64_t dims[maxRank];
  if (!isFloating(type)) {
    call.misuse(type);
    return {};
  }
  if (shape.count > maxRank) {
    call.fail(HONE_SHAPE_MISMATCH, shape.count, maxRank);
    return {};
  }
  for (int64_t i = 0; i < shape.count; ++i) {
    dims[i] = integerAt(shape, i);
    if (dims[i] < 0) {
      call.fail(HONE_BAD_VALUE, dims[i]);
      return {};
    }
  }
  return call.make(0, int32_t(type), int32_t(shape.count), dims);
}

Tensor floatingOperand(Call &call, int64_t type) {
  Tensor x = call.tensorOfType(0, type);
  if (x && !isFloating(x.type)) {
    call.misuse(type);
    return {};
  }
  return x;
}

} // namespace

HONE_LIBRARY(random_uniform) {
  double high = call.floatOption(1), low = call.floatOption(2);
  Generator generator(seedOf(call.option(0), call.floatOption(3)));
  Tensor result = makeShaped(call, call.option(4));
  if (!result)
    return call.status;
  for (int64_t i = 0; i < result.count; ++i)
    putFloating(result, i, low + (high - low) * generator.uniform());
  return HONE_OK;
}

HONE_LIBRARY(random_normal) {
  double mean = call.floatOption(1), scale = call.floatOption(2);
  Generator generator(seedOf(call.option(0), call.floatOption(3)));
  Tensor result = makeShaped(call, call.option(4));
  if (!result)
    return call.status;
  for (int64_t i = 0; i < result.count; ++i)
    putFloating(result, i, mean + scale * generator.normal());
  return HONE_OK;
}

HONE_LIBRARY(bernoulli) {
  Generator generator(seedOf(call.option(0), call.floatOption(1)));
  Tensor x = floatingOperand(call, call.option(3));
  if (!x)
    return call.status;
  if (!isNumber(call.option(2)))
    return call.misuse(call.option(2));
  Tensor result = call.make(0, int32_t(call.option(2)), x.rank, x.dims);
  if (!result)
    return call.status;
  for (int64_t i = 0; i < x.count; ++i)
    putFloating(result, i, generator.uniform() < floatingAt(x, i));
  return HONE_OK;
}

HONE_LIBRARY(dropout) {
  Generator generator(seedOf(call.option(0), call.floatOption(1)));
  Tensor x = floatingOperand(call, call.option(2));
  double ratio = 0.5;
  if (!x || (call.has(1) && !call.floating(1, ratio)))
    return call.status;
  bool training = false;
  if (call.has(2)) {
    Tensor mode = call.tensorOfType(2, HONE_TYPE_BOOL);
    if (!mode)
      return call.status;
    if (mode.count != 1)
      return call.fail(HONE_SHAPE_MISMATCH, mode.count, 1);
    training = integerAt(mode, 0) != 0;
  }
  if (training && !(ratio >= 0 && ratio <= 1))
    return call.fail(HONE_BAD_VALUE);
  Tensor y = call.make(0, x.type, x.rank, x.dims), mask;
  if (!y)
    return call.status;
  if (call.resultCount > 1) {
    mask = call.make(1, HONE_TYPE_BOOL, x.rank, x.dims);
    if (!mask)
      return call.status;
  }
  training = training && ratio > 0;
  double scale = training ? 1 / (1 - ratio) : 1;
  for (int64_t i = 0; i < x.count; ++i) {
    bool keep = !training || generator.uniform() >= ratio;
    putFloating(y, i, keep ? floatingAt(x, i) * scale : 0.0);
    if (mask)
      mask.as<uint8_t>()[i] = keep;
  }
  return HONE_OK;
}

HONE_LIBRARY(multinomial) {
  int64_t samples = call.option(1), type = call.option(3);
  Generator generator(seedOf(call.option(0), call.floatOption(2)));
  Tensor x = floatingOperand(call, call.option(4));
  if (!x)
    return call.status;
  if (x.rank != 2 || !isInteger(type))
    return call.misuse(type);
  int64_t rows = x.dims[0], classes = x.dims[1];
  if (samples < 0 || (classes == 0 && rows > 0 && samples > 0))
    return call.fail(HONE_BAD_VALUE, samples);
  int64_t dims[2] = {rows, samples};
  Tensor result = call.make(0, int32_t(type), 2, dims);
  Scratch<double> sums(call, classes);
  if (!result || !sums)
    return call.status;
  for (int64_t row = 0; result.count > 0 && row < rows; ++row) {
    double most = -__builtin_inf();
    for (int64_t i = 0; i < classes; ++i) {
      double number = floatingAt(x, row * classes + i);
      most = number > most ? number : most;
    }
    double sum = 0;
    for (int64_t i = 0; i < classes; ++i) {
      double number = floatingAt(x, row * classes + i);
      // NaN weighs nothing; infinities weigh the same.
      sum += number == most ? 1 : number < most ? exp(number - most) : 0;
      sums[i] = sum;
    }
    for (int64_t i = 0; i < samples; ++i) {
      double wanted = generator.uniform() * sum;
      int64_t low = 0, high = classes - 1; // the first sum above `wanted`
      while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (sums[middle] > wanted)
          high = middle;
        else
          low = middle + 1;
      }
      putInteger(result, row * samples + i, low);
    }
  }
  return HONE_OK;
}
