// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The distinct elements of a tensor, or its distinct slices along an axis.
#include "runtime/library/Numbers.h"
#include "runtime/library/Sort.h"
#include "runtime/library/Text.h"

using namespace hone;
using namespace hone::library;

namespace {

/// Slices of a tensor along an axis, compared element by element.
struct Slices {
  const Tensor &x;
  int64_t outer, size, inner;
  const uint64_t *keys; ///< of all elements; NULL for strings

  int compare(int64_t a, int64_t b) const {
    for (int64_t o = 0; o < outer; ++o)
      for (int64_t i = 0; i < inner; ++i) {
        int64_t left = (o * size + a) * inner + i;
        int64_t right = (o * size + b) * inner + i;
        if (keys) {
          if (keys[left] != keys[right])
            return keys[left] < keys[right] ? -1 : 1;
        } else if (int order = library::compare(x.as<hone_string>()[left],
                                                x.as<hone_string>()[right])) {
          return order;
        }
      }
    return 0;
  }
};

/// One group of equal slices.
struct Group {
  int64_t first, count, id;
};

} // namespace

HONE_LIBRARY(unique) {
  bool flat = call.option(1), sorted = call.option(2);
  Tensor x = call.tensorOfType(0, call.option(3));
  if (!x)
    return call.status;
  bool text = x.type == HONE_TYPE_STRING;
  if (!text && !isNumber(x.type))
    return call.misuse(x.type);
  int32_t axis = 0;
  if (!flat && !call.axis(call.option(0), x.rank, axis))
    return call.status;
  Scratch<uint64_t> keys(call, text ? 0 : x.count);
  if (!keys)
    return call.status;
  for (int64_t i = 0; !text && i < x.count; ++i)
    keys[i] = orderedKey(x, i);
  Slices slices{x, flat ? 1 : x.extent(0, axis), flat ? x.count : x.dims[axis],
                flat ? 1 : x.extent(axis + 1, x.rank),
                text ? nullptr : keys.data()};

  int64_t size = slices.size;
  Scratch<int64_t> order(call, size), room(call, size), groupOf(call, size);
  Scratch<Group> groups(call, size), groupRoom(call, size);
  if (!order || !room || !groupOf || !groups || !groupRoom)
    return call.status;
  for (int64_t i = 0; i < size; ++i)
    order[i] = i;
  if (slices.keys && slices.outer * slices.inner == 1)
    radixSort(order.data(), room.data(), size,
              [&](int64_t place) { return keys[place]; });
  else
    mergeSort(order.data(), room.data(), size,
              [&](int64_t a, int64_t b) { return slices.compare(a, b) < 0; });
  int64_t count = 0;
  for (int64_t i = 0; i < size; ++i) {
    // Equal slices are ordered by position: the first one comes first.
    if (i == 0 || slices.compare(order[i - 1], order[i]) != 0) {
      groups[count] = {order[i], 0, count};
      ++count;
    }
    ++groups[count - 1].count;
    groupOf[order[i]] = count - 1;
  }
  if (!sorted)
    radixSort(groups.data(), groupRoom.data(), count,
              [](const Group &group) { return uint64_t(group.first); });

  int64_t dims[maxRank] = {};
  for (int32_t i = 0; i < x.rank; ++i)
    dims[i] = x.dims[i];
  dims[axis] = count;
  Tensor y = call.make(0, x.type, flat ? 1 : x.rank, dims);
  if (!y)
    return call.status;
  int64_t bytes = slices.inner * x.width;
  for (int64_t o = 0; y.count > 0 && o < slices.outer; ++o)
    for (int64_t i = 0; i < count; ++i)
      memcpy(y.data + (o * count + i) * bytes,
             x.data + (o * size + groups[i].first) * bytes, size_t(bytes));
  for (int32_t index = 1; index < call.resultCount; ++index) {
    Tensor result =
        call.make(index, HONE_TYPE_INT64, index == 2 ? size : count);
    if (!result)
      return call.status;
    auto *to = result.as<int64_t>();
    if (index == 2) {
      for (int64_t i = 0; i < count; ++i)
        room[groups[i].id] = i;
      for (int64_t i = 0; i < size; ++i)
        to[i] = room[groupOf[i]];
    } else {
      for (int64_t i = 0; i < count; ++i)
        to[i] = index == 1 ? groups[i].first : groups[i].count;
    }
  }
  return HONE_OK;
}
