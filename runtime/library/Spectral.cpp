// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Fourier transforms of any length, window functions and mel weights.
#include "runtime/library/Numbers.h"

#include <math.h>

using namespace hone;
using namespace hone::library;

namespace {

constexpr double pi = 3.14159265358979323846;

struct Complex {
  double re, im;
};

Complex operator*(Complex a, Complex b) {
  return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

/// Transforms lines of `size` numbers in place, in double precision. Sizes that
/// are not a power of two become a convolution of such a size (Bluestein).
class Transform {
public:
  Transform(Call &call, int64_t size, bool inverse)
      : size(size), padded(paddedSize(size)), roots(call, padded),
        chirp(call, padded == size ? 0 : size),
        filter(call, padded == size ? 0 : padded),
        work(call, padded == size ? 0 : padded),
        ready(roots && chirp && filter && work), inverse(inverse) {
    if (!ready)
      return;
    // Roots of the padded transform, which always runs forward.
    double sign = inverse && padded == size ? 2 : -2;
    for (int64_t i = 0; i < padded; ++i)
      roots[i] = unit(sign * pi * double(i) / double(padded));
    if (padded != size)
      makeFilter();
  }

  explicit operator bool() const { return ready; }

  void run(Complex *line) const {
    if (padded == size)
      powerOfTwo(line);
    else
      convolve(line);
    if (inverse)
      for (int64_t i = 0; i < size; ++i) {
        line[i].re /= double(size);
        line[i].im /= double(size);
      }
  }

private:
  static int64_t paddedSize(int64_t size) {
    int64_t padded = 1;
    while (padded < size)
      padded *= 2;
    if (padded == size)
      return size;
    while (padded < 2 * size - 1)
      padded *= 2;
    return padded;
  }

  static Complex unit(double angle) { return {cos(angle), sin(angle)}; }

  void makeFilter() {
    for (int64_t i = 0; i < size; ++i) {
      // i squared modulo 2 size keeps the angle small and exact.
      auto square = int64_t(uint64_t(i) * uint64_t(i) % uint64_t(2 * size));
      double angle = pi * double(square) / double(size);
      chirp[i] = unit(inverse ? angle : -angle);
    }
    for (int64_t i = 0; i < padded; ++i)
      filter[i] = {0, 0};
    for (int64_t i = 0; i < size; ++i) {
      Complex conjugate{chirp[i].re, -chirp[i].im};
      filter[i] = conjugate;
      if (i > 0)
        filter[padded - i] = conjugate;
    }
    powerOfTwo(filter.data());
  }

  void convolve(Complex *line) const {
    for (int64_t i = 0; i < padded; ++i)
      work[i] = i < size ? line[i] * chirp[i] : Complex{0, 0};
    powerOfTwo(work.data());
    // The inverse transform is the forward one of the conjugate.
    for (int64_t i = 0; i < padded; ++i) {
      work[i] = work[i] * filter[i];
      work[i].im = -work[i].im;
    }
    powerOfTwo(work.data());
    for (int64_t i = 0; i < size; ++i)
      line[i] =
          Complex{work[i].re / double(padded), -work[i].im / double(padded)} *
          chirp[i];
  }

  void powerOfTwo(Complex *line) const {
    for (int64_t i = 1, j = 0; i < padded; ++i) { // bit reversal
      int64_t bit = padded / 2;
      for (; j & bit; bit /= 2)
        j ^= bit;
      j ^= bit;
      if (i < j) {
        Complex swap = line[i];
        line[i] = line[j];
        line[j] = swap;
      }
    }
    for (int64_t half = 1; half < padded; half *= 2)
      for (int64_t begin = 0; begin < padded; begin += 2 * half)
        for (int64_t i = begin; i < begin + half; ++i) {
          Complex a = line[i];
          Complex b = line[i + half] * roots[(i - begin) * (padded / half / 2)];
          line[i] = {a.re + b.re, a.im + b.im};
          line[i + half] = {a.re - b.re, a.im - b.im};
        }
  }

  const int64_t size, padded;
  Scratch<Complex> roots, chirp, filter, work;
  const bool ready, inverse;
};

/// Longer transforms are refused: twice the size must not overflow.
constexpr int64_t longest = int64_t(1) << 40;

/// A real or complex number in a tensor whose last dimension is 1 or 2.
Complex complexAt(const Tensor &x, int64_t index) {
  int64_t parts = x.dims[x.rank - 1];
  return {floatingAt(x, index * parts),
          parts == 2 ? floatingAt(x, index * parts + 1) : 0.0};
}

void putComplex(const Tensor &result, int64_t index, Complex number) {
  putFloating(result, 2 * index, number.re);
  putFloating(result, 2 * index + 1, number.im);
}

enum Kind { Hann = 0, Hamming = 1, Blackman = 2 };

double windowAt(int64_t kind, double turn) {
  double angle = 2 * pi * turn;
  switch (kind) {
  case Hann:
    return 0.5 - 0.5 * cos(angle);
  case Hamming:
    return 25.0 / 46.0 - 21.0 / 46.0 * cos(angle);
  default:
    return 0.42 - 0.5 * cos(angle) + 0.08 * cos(2 * angle);
  }
}

} // namespace

HONE_LIBRARY(dft) {
  bool inverse = call.option(1), onesided = call.option(2);
  Tensor x = call.tensorOfType(0, call.option(3));
  int64_t wanted = call.option(0);
  int32_t axis;
  if (!x || (call.has(2) && !call.integer(2, wanted)) ||
      !call.axis(wanted, x.rank, axis))
    return call.status;
  if (!isFloating(x.type))
    return call.misuse(x.type);
  if (axis == x.rank - 1)
    return call.fail(HONE_INDEX_OUT_OF_RANGE, axis, x.rank - 1);
  int64_t parts = x.dims[x.rank - 1], given = x.dims[axis];
  if (parts != 1 && parts != 2)
    return call.fail(HONE_SHAPE_MISMATCH, parts, 2);
  bool toReal = inverse && onesided;
  int64_t size = toReal ? 2 * (given < longest ? given - 1 : longest) : given;
  if (call.has(1) && !call.integer(1, size))
    return call.status;
  if (size < 1 || size > longest)
    return call.fail(HONE_BAD_VALUE, size, longest);

  int64_t dims[maxRank];
  for (int32_t i = 0; i < x.rank; ++i)
    dims[i] = x.dims[i];
  dims[axis] = onesided && !inverse ? size / 2 + 1 : size;
  dims[x.rank - 1] = toReal ? 1 : 2;
  Tensor result = call.make(0, x.type, x.rank, dims);
  if (!result)
    return call.status;
  if (result.count == 0)
    return HONE_OK;
  Transform transform(call, size, inverse);
  Scratch<Complex> line(call, size);
  if (!transform || !line)
    return call.status;
  int64_t outer = x.extent(0, axis), inner = x.extent(axis + 1, x.rank - 1);
  int64_t bins = size / 2 + 1, kept = dims[axis];
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t k = 0; k < inner; ++k) {
      int64_t read = toReal && bins < given ? bins : given;
      for (int64_t i = 0; i < size; ++i)
        line[i] = i < read ? complexAt(x, (o * given + i) * inner + k)
                           : Complex{0, 0};
      // Half a spectrum: the rest mirrors it, and its own mirror images are
      // real.
      for (int64_t i = 0; toReal && i < bins; ++i) {
        int64_t mirror = (size - i) % size;
        if (mirror == i)
          line[i].im = 0;
        else
          line[mirror] = {line[i].re, -line[i].im};
      }
      transform.run(line.data());
      for (int64_t i = 0; i < kept; ++i) {
        int64_t at = (o * kept + i) * inner + k;
        if (toReal)
          putFloating(result, at, line[i].re);
        else
          putComplex(result, at, line[i]);
      }
    }
  return HONE_OK;
}

HONE_LIBRARY(stft) {
  bool onesided = call.option(0);
  Tensor x = call.tensorOfType(0, call.option(1)), window;
  int64_t step;
  if (!x || !call.integer(1, step))
    return call.status;
  if (!isFloating(x.type) || x.rank < 2 || x.rank > 3)
    return call.misuse(x.rank);
  int64_t samples = x.dims[1], size = samples, parts = 1;
  if (x.rank == 3)
    parts = x.dims[2];
  if (parts != 1 && parts != 2)
    return call.fail(HONE_SHAPE_MISMATCH, parts, 2);
  if (call.has(2)) {
    window = call.tensorOfType(2, x.type);
    if (!window)
      return call.status;
    size = window.count;
  }
  if (call.has(3) && !call.integer(3, size))
    return call.status;
  if (step < 1 || size < 1 || size > longest)
    return call.fail(HONE_BAD_VALUE, step < 1 ? step : size, longest);
  if (window && window.count != size)
    return call.fail(HONE_SHAPE_MISMATCH, window.count, size);

  int64_t frames = samples < size ? 0 : 1 + (samples - size) / step;
  int64_t bins = onesided ? size / 2 + 1 : size;
  int64_t dims[4] = {x.dims[0], frames, bins, 2};
  Tensor result = call.make(0, x.type, 4, dims);
  if (!result)
    return call.status;
  if (result.count == 0)
    return HONE_OK;
  Transform transform(call, size, false);
  Scratch<Complex> line(call, size);
  if (!transform || !line)
    return call.status;
  for (int64_t b = 0; b < dims[0]; ++b)
    for (int64_t f = 0; f < frames; ++f) {
      for (int64_t i = 0; i < size; ++i) {
        int64_t at = (b * samples + f * step + i) * parts;
        double weight = window ? floatingAt(window, i) : 1.0;
        line[i] = {weight * floatingAt(x, at),
                   parts == 2 ? weight * floatingAt(x, at + 1) : 0.0};
      }
      transform.run(line.data());
      for (int64_t i = 0; i < bins; ++i)
        putComplex(result, (b * frames + f) * bins + i, line[i]);
    }
  return HONE_OK;
}

HONE_LIBRARY(window) {
  int64_t kind = call.option(0), size;
  bool periodic = call.option(1);
  if (!call.integer(0, size))
    return call.status;
  if (kind < Hann || kind > Blackman || !isNumber(call.option(2)))
    return call.misuse(kind);
  if (size < 0)
    return call.fail(HONE_BAD_VALUE, size);
  Tensor result = call.make(0, int32_t(call.option(2)), size);
  if (!result)
    return call.status;
  double period = double(periodic ? size : size - 1);
  for (int64_t i = 0; i < size;
       ++i) // A window of length 1 has no period: it is 1.
    putFloating(result, i,
                period > 0 ? windowAt(kind, double(i) / period) : 1.0);
  return HONE_OK;
}

HONE_LIBRARY(mel_weight_matrix) {
  int64_t bins, length, rate;
  double low, high;
  if (!call.integer(0, bins) || !call.integer(1, length) ||
      !call.integer(2, rate) || !call.floating(3, low) ||
      !call.floating(4, high))
    return call.status;
  if (!isNumber(call.option(0)))
    return call.misuse(call.option(0));
  if (bins < 0 || length < 0 || length > longest)
    return call.fail(HONE_BAD_VALUE, bins < 0 ? bins : length, longest);
  if (rate < 1)
    return call.fail(HONE_BAD_VALUE, rate);
  int64_t rows = length / 2 + 1, dims[2] = {rows, bins};
  Tensor result = call.make(0, int32_t(call.option(0)), 2, dims);
  if (!result)
    return call.status;
  for (int64_t i = 0; i < result.count; ++i)
    putFloating(result, i, 0);

  double lowMel = 2595 * log10(1 + low / 700);
  double step = (2595 * log10(1 + high / 700) - lowMel) / double(bins + 2);
  // The row of the spectrum where triangle `i` begins and triangle i - 1 peaks.
  auto rowOf = [&](int64_t i) {
    double hertz = 700 * expm1((lowMel + double(i) * step) / 2595 * log(10.0));
    return floor(double(length + 1) * hertz / double(rate));
  };
  for (int64_t i = 0; i < bins; ++i) {
    double ends[3] = {rowOf(i), rowOf(i + 1), rowOf(i + 2)};
    for (double end : ends)
      if (!(end >= 0 && end <= double(rows)))
        return call.fail(HONE_INDEX_OUT_OF_RANGE,
                         end < 1e15 ? int64_t(end) : INT64_MAX, rows);
    int64_t left = int64_t(ends[0]), top = int64_t(ends[1]),
            right = int64_t(ends[2]);
    auto put = [&](int64_t row, double weight) {
      if (row < rows)
        putFloating(result, row * bins + i, weight);
    };
    for (int64_t row = left; row <= top; ++row)
      put(row, top == left ? 1.0 : double(row - left) / double(top - left));
    for (int64_t row = top; row < right; ++row)
      put(row, double(right - row) / double(right - top));
  }
  return HONE_OK;
}
