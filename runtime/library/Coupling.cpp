// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From pairwise class probabilities to those of all classes.
#include "runtime/library/Numbers.h"

#include <math.h>

using namespace hone;
using namespace hone::library;

namespace {

/// Pairwise coupling: Wu, Lin and Weng, "Probability Estimates for Multi-class
/// Classification by Pairwise Coupling", 2004, algorithm 2, with libsvm's
/// limits. q and qp are work space for size^2 and size numbers.
void couple(int64_t size, const double *pairs, double *p, double *q,
            double *qp) {
  for (int64_t i = 0; i < size; ++i) {
    p[i] = 1 / double(size);
    for (int64_t j = 0; j < size; ++j)
      q[i * size + j] = 0;
  }
  for (int64_t i = 0, pair = 0; i < size; ++i)
    for (int64_t j = i + 1; j < size; ++j, ++pair) {
      double r = pairs[pair], other = 1 - r;
      q[i * size + i] += other * other;
      q[j * size + j] += r * r;
      q[i * size + j] = q[j * size + i] = -r * other;
    }
  double tolerance = 0.005 / double(size);
  for (int64_t round = 0; round < (size > 100 ? size : 100); ++round) {
    double total = 0, worst = 0;
    for (int64_t i = 0; i < size; ++i) {
      qp[i] = 0;
      for (int64_t j = 0; j < size; ++j)
        qp[i] += q[i * size + j] * p[j];
      total += p[i] * qp[i];
    }
    for (int64_t i = 0; i < size; ++i)
      worst = fmax(worst, fabs(qp[i] - total));
    if (worst < tolerance)
      return;
    for (int64_t i = 0; i < size; ++i) {
      double own = q[i * size + i];
      double step = (total - qp[i]) / own, scale = 1 + step;
      p[i] += step;
      total = (total + step * (step * own + 2 * qp[i])) / scale / scale;
      for (int64_t j = 0; j < size; ++j) {
        qp[j] = (qp[j] + step * q[i * size + j]) / scale;
        p[j] /= scale;
      }
    }
  }
}

} // namespace

HONE_LIBRARY(couple_probabilities) {
  int64_t size = call.option(0);
  Tensor pairs = call.tensorOfType(0, HONE_TYPE_FLOAT);
  if (!pairs)
    return call.status;
  if (size < 2 || size > 1 << 15 || pairs.rank != 2)
    return call.misuse(size);
  if (pairs.dims[1] != size * (size - 1) / 2)
    return call.fail(HONE_SHAPE_MISMATCH, pairs.dims[1], size * (size - 1) / 2);
  int64_t dims[2] = {pairs.dims[0], size}, count = pairs.dims[1];
  Tensor result = call.make(0, HONE_TYPE_FLOAT, 2, dims);
  Scratch<double> work(call, count + size * (size + 2));
  if (!result || !work)
    return call.status;
  double *own = work.data(), *p = own + count, *qp = p + size, *q = qp + size;
  for (int64_t row = 0; row < dims[0]; ++row) {
    for (int64_t i = 0; i < count; ++i)
      own[i] = double(pairs.as<float>()[row * count + i]);
    couple(size, own, p, q, qp);
    for (int64_t i = 0; i < size; ++i)
      result.as<float>()[row * size + i] = float(p[i]);
  }
  return HONE_OK;
}
