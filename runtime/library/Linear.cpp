// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Determinants.
#include "runtime/library/Numbers.h"

#include <math.h>

using namespace hone;
using namespace hone::library;

namespace {

/// Gaussian elimination with partial pivoting; destroys the matrix.
double determinant(double *matrix, int64_t size) {
  double result = 1;
  for (int64_t column = 0; column < size; ++column) {
    int64_t pivot = column;
    for (int64_t row = column + 1; row < size; ++row)
      if (fabs(matrix[row * size + column]) >
          fabs(matrix[pivot * size + column]))
        pivot = row;
    double top = matrix[pivot * size + column];
    if (top == 0)
      return 0;
    if (pivot != column) {
      result = -result;
      for (int64_t i = column; i < size; ++i) {
        double swap = matrix[pivot * size + i];
        matrix[pivot * size + i] = matrix[column * size + i];
        matrix[column * size + i] = swap;
      }
    }
    result *= top;
    for (int64_t row = column + 1; row < size; ++row) {
      double factor = matrix[row * size + column] / top;
      for (int64_t i = column + 1; i < size; ++i)
        matrix[row * size + i] -= factor * matrix[column * size + i];
    }
  }
  return result;
}

} // namespace

HONE_LIBRARY(det) {
  Tensor x = call.tensorOfType(0, call.option(0));
  if (!x)
    return call.status;
  if (!isFloating(x.type) || x.rank < 2)
    return call.misuse(x.rank);
  int64_t size = x.dims[x.rank - 1];
  if (x.dims[x.rank - 2] != size)
    return call.fail(HONE_SHAPE_MISMATCH, x.dims[x.rank - 2], size);
  Tensor result = call.make(0, x.type, x.rank - 2, x.dims);
  if (!result)
    return call.status;
  int64_t entries = x.count ? size * size : 0;
  Scratch<double> matrix(call, entries);
  if (!matrix)
    return call.status;
  for (int64_t i = 0; i < result.count; ++i) {
    for (int64_t k = 0; k < entries; ++k)
      matrix[k] = floatingAt(x, i * entries + k);
    putFloating(result, i, determinant(matrix.data(), size));
  }
  return HONE_OK;
}
