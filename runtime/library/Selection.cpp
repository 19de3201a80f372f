// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Elements and rows selected by data, and ranges.
#include "runtime/library/Numbers.h"

#include <math.h>

using namespace hone;
using namespace hone::library;

namespace {

bool isNonzero(const Tensor &x, int64_t index) {
  if (x.type == HONE_TYPE_STRING)
    return x.as<hone_string>()[index].size != 0;
  if (isFloating(x.type))
    return floatingAt(x, index) != 0;
  return integerAt(x, index) != 0;
}

/// Number of elements of a range, or -1 if it overflows.
int64_t rangeSize(const Tensor &start, const Tensor &limit, double delta) {
  double size = ceil((floatingAt(limit, 0) - floatingAt(start, 0)) / delta);
  if (!(size > 0)) // also NaNs
    return 0;
  return size < 0x1p46 ? int64_t(size) : -1;
}

int64_t rangeSize(int64_t start, int64_t limit, int64_t delta) {
  if (delta > 0 ? start >= limit : start <= limit)
    return 0;
  uint64_t distance = delta > 0 ? uint64_t(limit) - uint64_t(start)
                                : uint64_t(start) - uint64_t(limit);
  uint64_t step = delta > 0 ? uint64_t(delta) : 0 - uint64_t(delta);
  uint64_t size = distance / step + (distance % step != 0);
  return size < uint64_t(1) << 46 ? int64_t(size) : -1;
}

} // namespace

HONE_LIBRARY(nonzero) {
  Tensor x = call.tensorOfType(0, call.option(0));
  if (!x)
    return call.status;
  if (!isNumber(x.type) && x.type != HONE_TYPE_STRING)
    return call.misuse(x.type);
  int64_t found = 0;
  for (int64_t i = 0; i < x.count; ++i)
    found += isNonzero(x, i);
  int64_t dims[2] = {x.rank, found};
  Tensor result = call.make(0, HONE_TYPE_INT64, 2, dims);
  if (!result)
    return call.status;
  int64_t position[maxRank] = {}, column = 0;
  for (int64_t i = 0; i < x.count; ++i) {
    if (isNonzero(x, i)) {
      for (int32_t axis = 0; axis < x.rank; ++axis)
        result.as<int64_t>()[axis * found + column] = position[axis];
      ++column;
    }
    for (int32_t axis = x.rank - 1; axis >= 0; --axis) {
      if (++position[axis] < x.dims[axis])
        break;
      position[axis] = 0;
    }
  }
  return HONE_OK;
}

HONE_LIBRARY(compress) {
  Tensor x = call.tensor(0), condition = call.tensor(1);
  if (!x || !condition)
    return call.status;
  if (condition.width != 1 || condition.rank != 1)
    return call.misuse(condition.type);
  bool flat = call.option(1);
  int32_t axis = 0;
  if (!flat && !call.axis(call.option(0), x.rank, axis))
    return call.status;
  int64_t size = flat ? x.count : x.dims[axis];
  int64_t outer = flat ? 1 : x.extent(0, axis);
  int64_t bytes = (flat ? 1 : x.extent(axis + 1, x.rank)) * x.width;
  int64_t kept = 0;
  for (int64_t i = 0; i < condition.count; ++i)
    kept += condition.as<uint8_t>()[i] != 0;
  if (condition.count > size)
    return call.fail(HONE_SHAPE_MISMATCH, condition.count, size);

  int64_t dims[maxRank];
  for (int32_t i = 0; i < x.rank; ++i)
    dims[i] = x.dims[i];
  dims[axis] = kept;
  Tensor result = call.make(0, x.type, flat ? 1 : x.rank, dims);
  if (!result)
    return call.status;
  char *to = result.data;
  for (int64_t o = 0; result.count > 0 && o < outer; ++o)
    for (int64_t i = 0; i < condition.count; ++i)
      if (condition.as<uint8_t>()[i]) {
        memcpy(to, x.data + (o * size + i) * bytes, size_t(bytes));
        to += bytes;
      }
  return HONE_OK;
}

HONE_LIBRARY(range) {
  Tensor start = call.tensorOfType(0, call.option(0));
  Tensor limit = call.tensorOfType(1, call.option(0));
  Tensor delta = call.tensorOfType(2, call.option(0));
  if (!start || !limit || !delta)
    return call.status;
  if (start.count != 1 || limit.count != 1 || delta.count != 1)
    return call.fail(HONE_SHAPE_MISMATCH, start.count, 1);
  if (!isNumber(start.type))
    return call.misuse(start.type);
  bool floating = isFloating(start.type);
  double step = floatingAt(delta, 0);
  if (step == 0)
    return call.fail(HONE_BAD_VALUE, 0);
  int64_t size = floating ? rangeSize(start, limit, step)
                          : rangeSize(integerAt(start, 0), integerAt(limit, 0),
                                      integerAt(delta, 0));
  if (size < 0)
    return call.fail(HONE_OUT_OF_MEMORY, INT64_MAX);
  Tensor result = call.make(0, start.type, size);
  if (!result)
    return call.status;
  if (floating) {
    double first = floatingAt(start, 0);
    for (int64_t i = 0; i < size; ++i)
      putFloating(result, i, first + double(i) * step);
    return HONE_OK;
  }
  auto number = uint64_t(integerAt(start, 0));
  for (int64_t i = 0; i < size; ++i) {
    putInteger(result, i, int64_t(number));
    number += uint64_t(integerAt(delta, 0));
  }
  return HONE_OK;
}
