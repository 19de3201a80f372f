// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Moves elements of any width: what kernels cannot do for strings.
#include "runtime/library/Movement.h"
#include "runtime/library/Numbers.h"

using namespace hone;
using namespace hone::library;

bool library::fitsConcat(Call &call, const Tensor &first, const Tensor &tensor,
                         int32_t axis) {
  if (tensor.rank != first.rank) {
    call.fail(HONE_SHAPE_MISMATCH, tensor.rank, first.rank);
    return false;
  }
  if (tensor.width != first.width ||
      (tensor.type == HONE_TYPE_STRING) != (first.type == HONE_TYPE_STRING)) {
    call.fail(HONE_BAD_VALUE, tensor.type, first.type);
    return false;
  }
  for (int32_t i = 0; i < first.rank; ++i)
    if (i != axis && tensor.dims[i] != first.dims[i]) {
      call.fail(HONE_SHAPE_MISMATCH, tensor.dims[i], first.dims[i]);
      return false;
    }
  return true;
}

void library::putAlong(const Tensor &result, int32_t axis, int64_t offset,
                       int64_t size, const char *data) {
  if (result.count == 0 || size == 0)
    return;
  int64_t outer = result.extent(0, axis), whole = result.dims[axis];
  int64_t bytes = result.extent(axis + 1, result.rank) * result.width;
  for (int64_t o = 0; o < outer; ++o)
    memcpy(result.data + (o * whole + offset) * bytes, data + o * size * bytes,
           size_t(size * bytes));
}

bool Broadcast::add(Call &call, int32_t otherRank, const int64_t *otherDims) {
  while (rank < otherRank) {
    for (int32_t i = rank; i > 0; --i)
      dims[i] = dims[i - 1];
    dims[0] = 1;
    ++rank;
  }
  for (int32_t i = 1; i <= otherRank; ++i) {
    int64_t &mine = dims[rank - i], size = otherDims[otherRank - i];
    if (mine == 1)
      mine = size;
    else if (size != 1 && size != mine) {
      call.fail(HONE_SHAPE_MISMATCH, size, mine);
      return false;
    }
  }
  return true;
}

void Broadcast::strides(const Tensor &operand, int64_t *result) const {
  uint64_t stride = 1;
  for (int32_t i = 1; i <= rank; ++i) {
    bool repeats = i > operand.rank || operand.dims[operand.rank - i] == 1;
    result[rank - i] = repeats ? 0 : int64_t(stride);
    if (!repeats)
      stride *= uint64_t(operand.dims[operand.rank - i]);
  }
}

namespace {

/// Fills a result by stepping through `data` with strides. `dims` multiply to
/// the result's count, which is not 0.
void copyStrided(const Tensor &result, const char *data, int32_t rank,
                 const int64_t *dims, const int64_t *strides) {
  withWidth(result.width, [&](auto unit) {
    using Unit = decltype(unit);
    auto *from = reinterpret_cast<const Unit *>(data);
    Walk<1> walk(rank, dims);
    memcpy(walk.strides[0], strides, sizeof(int64_t) * size_t(rank));
    for (int64_t i = 0; i < result.count; ++i) {
      result.as<Unit>()[i] = from[walk.offset[0]];
      walk.next();
    }
  });
}

void rowMajor(const Tensor &tensor, int64_t *strides) {
  for (int32_t i = 0; i < tensor.rank; ++i)
    strides[i] = tensor.extent(i + 1, tensor.rank);
}

/// A list operand of one entry per dimension.
bool readList(Call &call, int32_t index, int32_t rank, int64_t *list) {
  Tensor tensor = call.integers(index);
  if (!tensor)
    return false;
  if (tensor.count != rank) {
    call.fail(HONE_SHAPE_MISMATCH, tensor.count, rank);
    return false;
  }
  for (int32_t i = 0; i < rank; ++i)
    list[i] = integerAt(tensor, i);
  return true;
}

struct Source {
  int64_t end; ///< elements of this source and those before it
  const char *data;
};

} // namespace

HONE_LIBRARY(take) {
  Tensor positions = call.tensorOfType(0, HONE_TYPE_INT64);
  if (!positions)
    return call.status;
  if (call.operandCount < 2)
    return call.misuse(call.operandCount);
  Scratch<Source> sources(call, call.operandCount);
  Tensor first = call.tensor(1);
  if (!sources || !first)
    return call.status;
  int32_t sourceCount = call.operandCount - 1;
  int64_t total = 0;
  for (int32_t i = 0; i < sourceCount; ++i) {
    Tensor source = call.tensor(i + 1);
    if (!source)
      return call.status;
    if (source.width != first.width)
      return call.misuse(source.type);
    // Relative to the end position of the preceding sources.
    sources[i] = {total + source.count, source.data};
    total += source.count;
  }
  Tensor result = call.make(0, first.type, positions.rank, positions.dims);
  if (!result)
    return call.status;
  for (int64_t i = 0; i < positions.count; ++i) {
    int64_t position = positions.as<int64_t>()[i];
    if (position < 0 || position >= total)
      return call.fail(HONE_INDEX_OUT_OF_RANGE, position, total);
    int32_t k = 0;
    while (position >= sources[k].end)
      ++k;
    int64_t begin = k ? sources[k - 1].end : 0;
    memcpy(result.data + i * result.width,
           sources[k].data + (position - begin) * result.width,
           size_t(result.width));
  }
  return HONE_OK;
}

HONE_LIBRARY(gather) {
  Tensor x = call.tensor(0), indices = call.integers(1);
  int32_t axis;
  if (!x || !indices || !call.axis(call.option(0), x.rank, axis))
    return call.status;
  int32_t rank = x.rank + indices.rank - 1;
  if (rank > maxRank)
    return call.fail(HONE_SHAPE_MISMATCH, rank, maxRank);
  int64_t dims[2 * maxRank];
  int32_t at = 0;
  for (int32_t i = 0; i < x.rank; ++i) {
    if (i != axis) {
      dims[at++] = x.dims[i];
      continue;
    }
    for (int32_t j = 0; j < indices.rank; ++j)
      dims[at++] = indices.dims[j];
  }
  int64_t size = x.dims[axis];
  for (int64_t i = 0; i < indices.count; ++i) {
    int64_t index = integerAt(indices, i);
    if (index < -size || index >= size)
      return call.fail(HONE_INDEX_OUT_OF_RANGE, index, size);
  }
  Tensor result = call.make(0, x.type, rank, dims);
  if (!result)
    return call.status;
  int64_t outer = x.extent(0, axis);
  int64_t bytes = x.extent(axis + 1, x.rank) * x.width;
  char *to = result.data;
  for (int64_t o = 0; result.count > 0 && o < outer; ++o)
    for (int64_t i = 0; i < indices.count; ++i) {
      int64_t index = integerAt(indices, i);
      index += index < 0 ? size : 0;
      memcpy(to, x.data + (o * size + index) * bytes, size_t(bytes));
      to += bytes;
    }
  return HONE_OK;
}

HONE_LIBRARY(concat) {
  Tensor first = call.tensor(0);
  int32_t axis;
  if (!first || !call.axis(call.option(0), first.rank, axis))
    return call.status;
  int64_t dims[maxRank], total = 0;
  for (int32_t i = 0; i < call.operandCount; ++i) {
    Tensor tensor = call.tensor(i);
    if (!tensor || !fitsConcat(call, first, tensor, axis))
      return call.status;
    if (__builtin_add_overflow(total, tensor.dims[axis], &total))
      return call.fail(HONE_OUT_OF_MEMORY, INT64_MAX);
  }
  for (int32_t i = 0; i < first.rank; ++i)
    dims[i] = first.dims[i];
  dims[axis] = total;
  Tensor result = call.make(0, first.type, first.rank, dims);
  if (!result)
    return call.status;
  int64_t offset = 0;
  for (int32_t i = 0; i < call.operandCount; ++i) {
    Tensor tensor = call.tensor(i);
    putAlong(result, axis, offset, tensor.dims[axis], tensor.data);
    offset += tensor.dims[axis];
  }
  return HONE_OK;
}

HONE_LIBRARY(expand) {
  Tensor x = call.tensor(0), shape = call.integers(1);
  if (!x || !shape)
    return call.status;
  if (shape.count > maxRank)
    return call.fail(HONE_SHAPE_MISMATCH, shape.count, maxRank);
  int64_t dims[maxRank];
  for (int64_t i = 0; i < shape.count; ++i) {
    dims[i] = integerAt(shape, i);
    if (dims[i] < 0)
      return call.fail(HONE_BAD_VALUE, dims[i]);
  }
  Broadcast broadcast;
  if (!broadcast.add(call, x.rank, x.dims) ||
      !broadcast.add(call, int32_t(shape.count), dims))
    return call.status;
  Tensor result = call.make(0, x.type, broadcast.rank, broadcast.dims);
  if (!result)
    return call.status;
  int64_t strides[maxRank];
  broadcast.strides(x, strides);
  if (result.count > 0)
    copyStrided(result, x.data, broadcast.rank, broadcast.dims, strides);
  return HONE_OK;
}

/// All operands, of any rank, broadcast to common dimensions.
HONE_LIBRARY(broadcast) {
  if (call.operandCount != call.resultCount)
    return call.misuse(call.resultCount);
  Broadcast broadcast;
  for (int32_t i = 0; i < call.operandCount; ++i) {
    const hone_value *content = contentOf(call.value(i));
    if (!content)
      return call.fail(HONE_BAD_VALUE, 0);
    Tensor x = call.tensorIn(*content);
    if (!x || !broadcast.add(call, x.rank, x.dims))
      return call.status;
  }
  int64_t count = elementCount(broadcast.rank, broadcast.dims);
  if (count < 0)
    return call.fail(HONE_OUT_OF_MEMORY, INT64_MAX);
  for (int32_t i = 0; i < call.operandCount; ++i) {
    Tensor x = call.tensorIn(*contentOf(call.value(i)));
    // With as many elements as the result it repeats none.
    if (x.count != count) {
      Tensor wide = x;
      wide.count = count;
      wide.data = static_cast<char *>(call.allocate(count, x.width));
      if (!wide.data)
        return call.status;
      int64_t strides[maxRank];
      broadcast.strides(x, strides);
      if (count > 0)
        copyStrided(wide, x.data, broadcast.rank, broadcast.dims, strides);
      x = wide;
    }
    hone_value result = {};
    result.kind = HONE_KIND_OPTIONAL;
    result.as.optional.value = hone_rt_tensor_new(
        call.frame, x.data, x.type, broadcast.rank, broadcast.dims);
    if (!result.as.optional.value)
      return call.failed();
    if (int32_t status = call.giveShared(i, result))
      return status;
  }
  return HONE_OK;
}

HONE_LIBRARY(where) {
  Tensor condition = call.tensor(0), a = call.tensor(1), b = call.tensor(2);
  if (!condition || !a || !b)
    return call.status;
  if (condition.width != 1 || a.width != b.width)
    return call.misuse(condition.type);
  Broadcast broadcast;
  if (!broadcast.add(call, condition.rank, condition.dims) ||
      !broadcast.add(call, a.rank, a.dims) ||
      !broadcast.add(call, b.rank, b.dims))
    return call.status;
  Tensor result = call.make(0, a.type, broadcast.rank, broadcast.dims);
  if (!result)
    return call.status;
  withWidth(result.width, [&](auto unit) {
    using Unit = decltype(unit);
    Walk<3> walk(broadcast.rank, broadcast.dims);
    broadcast.strides(condition, walk.strides[0]);
    broadcast.strides(a, walk.strides[1]);
    broadcast.strides(b, walk.strides[2]);
    for (int64_t i = 0; i < result.count; ++i) {
      result.as<Unit>()[i] = condition.as<uint8_t>()[walk.offset[0]]
                                 ? a.as<Unit>()[walk.offset[1]]
                                 : b.as<Unit>()[walk.offset[2]];
      walk.next();
    }
  });
  return HONE_OK;
}

HONE_LIBRARY(transpose) {
  Tensor x = call.tensor(0);
  int64_t permutation[maxRank], dims[maxRank], from[maxRank], strides[maxRank];
  if (!x || !readList(call, 1, x.rank, permutation))
    return call.status;
  uint32_t seen = 0;
  rowMajor(x, from);
  for (int32_t i = 0; i < x.rank; ++i) {
    int64_t axis = permutation[i];
    if (axis < 0 || axis >= x.rank || (seen >> axis & 1))
      return call.fail(HONE_BAD_VALUE, axis, x.rank);
    seen |= 1u << axis;
    dims[i] = x.dims[axis];
    strides[i] = from[axis];
  }
  Tensor result = call.make(0, x.type, x.rank, dims);
  if (!result)
    return call.status;
  if (result.count > 0)
    copyStrided(result, x.data, x.rank, dims, strides);
  return HONE_OK;
}

HONE_LIBRARY(slice) {
  Tensor x = call.tensor(0), lists[4];
  if (!x)
    return call.status;
  for (int32_t i = 0; i < 4; ++i) {
    lists[i] = call.integers(i + 1);
    if (!lists[i])
      return call.status;
    if (lists[i].count != lists[0].count)
      return call.fail(HONE_SHAPE_MISMATCH, lists[i].count, lists[0].count);
  }
  int64_t dims[maxRank], strides[maxRank], offset = 0;
  rowMajor(x, strides);
  for (int32_t i = 0; i < x.rank; ++i)
    dims[i] = x.dims[i];
  uint32_t seen = 0;
  for (int64_t i = 0; i < lists[0].count; ++i) {
    int64_t start = integerAt(lists[0], i), end = integerAt(lists[1], i);
    int64_t step = integerAt(lists[3], i);
    int32_t axis;
    if (!call.axis(integerAt(lists[2], i), x.rank, axis))
      return call.status;
    if (step == 0 || (seen >> axis & 1))
      return call.fail(HONE_BAD_VALUE, step);
    seen |= 1u << axis;
    // Both ends are clamped so that everything below stays within [-1, size].
    int64_t size = x.dims[axis], low = step > 0 ? 0 : -1;
    int64_t high = step > 0 ? size : size - 1;
    auto clamp = [&](int64_t position) {
      if (position < 0)
        position = position < -size ? low : position + size;
      return position < low ? low : position > high ? high : position;
    };
    start = clamp(start);
    end = clamp(end);
    int64_t length = step > 0 ? end - start : start - end;
    uint64_t stride = step > 0 ? uint64_t(step) : 0 - uint64_t(step);
    dims[axis] = length <= 0 ? 0 : int64_t((uint64_t(length) - 1) / stride) + 1;
    // A step that is never taken may be too large to multiply.
    if (x.count > 0 && dims[axis] > 0)
      offset += start * strides[axis];
    strides[axis] = x.count > 0 && dims[axis] > 1 ? strides[axis] * step : 0;
  }
  Tensor result = call.make(0, x.type, x.rank, dims);
  if (!result)
    return call.status;
  if (result.count > 0)
    copyStrided(result, x.data + offset * x.width, x.rank, dims, strides);
  return HONE_OK;
}

HONE_LIBRARY(tile) {
  Tensor x = call.tensor(0);
  int64_t repeats[maxRank], from[maxRank], dims[maxRank];
  if (!x || !readList(call, 1, x.rank, repeats))
    return call.status;
  // Each dimension becomes two: the copies, with stride 0, and itself.
  int64_t pairDims[2 * maxRank], strides[2 * maxRank];
  rowMajor(x, from);
  for (int32_t i = 0; i < x.rank; ++i) {
    if (repeats[i] < 0)
      return call.fail(HONE_BAD_VALUE, repeats[i]);
    if (__builtin_mul_overflow(repeats[i], x.dims[i], &dims[i]))
      return call.fail(HONE_OUT_OF_MEMORY, INT64_MAX);
    pairDims[2 * i] = repeats[i];
    pairDims[2 * i + 1] = x.dims[i];
    strides[2 * i] = 0;
    strides[2 * i + 1] = from[i];
  }
  Tensor result = call.make(0, x.type, x.rank, dims);
  if (!result)
    return call.status;
  if (result.count > 0)
    copyStrided(result, x.data, 2 * x.rank, pairDims, strides);
  return HONE_OK;
}
