// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Maps from keys to values.
#include "runtime/library/Keys.h"
#include "runtime/library/Sort.h"
#include "runtime/library/Table.h"

using namespace hone;
using namespace hone::library;

namespace {

bool isKeyType(int64_t type) {
  return type == HONE_TYPE_INT64 || type == HONE_TYPE_STRING;
}

/// The map in operand 0, of types given by the config.
bool readMap(Call &call, int64_t keyType, int64_t type, Tensor &keys,
             Tensor &values) {
  if (!call.map(0, keys, values))
    return false;
  if (keys.type != keyType || values.type != type || !isKeyType(keyType)) {
    call.misuse(keys.type);
    return false;
  }
  return true;
}

void copyElement(const Tensor &from, int64_t i, const Tensor &to, int64_t j) {
  memcpy(to.data + j * to.width, from.data + i * from.width, size_t(to.width));
}

/// Sets all elements to 0 or the empty string.
void clear(const Tensor &tensor) {
  if (tensor.count > 0)
    memset(tensor.data, 0, size_t(tensor.count * tensor.width));
}

} // namespace

HONE_LIBRARY(zip_map) {
  int64_t keyType = call.option(0);
  Tensor x = call.tensorOfType(0, call.option(1));
  Tensor keys = call.tensorOfType(1, keyType);
  if (!x || !keys)
    return call.status;
  if (x.rank != 2 || keys.rank != 1 || !isKeyType(keyType))
    return call.misuse(x.rank);
  int64_t rows = x.dims[0], width = x.dims[1];
  if (keys.count != width)
    return call.fail(HONE_SHAPE_MISMATCH, width, keys.count);
  // Everything the maps point to; lives until the next run.
  struct Row {
    hone_value map;
    hone_tensor values;
  };
  struct Shared {
    hone_sequence sequence;
    hone_tensor keys;
    int64_t dims[1];
  };
  auto *shared = static_cast<Shared *>(call.allocate(1, sizeof(Shared)));
  auto *maps =
      static_cast<hone_value *>(call.allocate(rows, sizeof(hone_value)));
  auto *tensors =
      static_cast<hone_tensor *>(call.allocate(rows, sizeof(hone_tensor)));
  auto *data = static_cast<char *>(call.allocate(x.count, x.width));
  auto *names = static_cast<char *>(call.allocate(width, keys.width));
  if (!shared || !maps || !tensors || !data || !names)
    return call.status;
  if (x.count > 0)
    memcpy(data, x.data, size_t(x.count * x.width));
  if (width > 0)
    memcpy(names, keys.data, size_t(width * keys.width));
  shared->dims[0] = width;
  shared->keys = {names, shared->dims, 1, keys.type};
  for (int64_t row = 0; row < rows; ++row) {
    tensors[row] = {data + row * width * x.width, shared->dims, 1, x.type};
    maps[row] = {};
    maps[row].kind = HONE_KIND_MAP;
    maps[row].as.map = {&shared->keys, &tensors[row]};
  }
  shared->sequence = {maps, rows, nullptr};
  return call.giveSequence(0, &shared->sequence);
}

HONE_LIBRARY(dict_vectorizer) {
  Tensor keys, values;
  int64_t type = call.option(1);
  if (!readMap(call, call.option(0), type, keys, values))
    return call.status;
  Tensor vocabulary = call.tensorOfType(1, keys.type);
  if (!vocabulary)
    return call.status;
  if (vocabulary.rank != 1)
    return call.misuse(vocabulary.rank);
  int64_t dims[2] = {1, vocabulary.count};
  Tensor result = call.make(0, values.type, 2, dims);
  Table places(call, keys.count);
  if (!result || !places)
    return call.status;
  clear(result);
  for (int64_t i = 0; i < keys.count; ++i)
    places.find(keyOf(keys, i),
                [&](int64_t at) { return sameKey(keys, at, keys, i); }) = i;
  for (int64_t i = 0; i < vocabulary.count; ++i) {
    int64_t place = places.find(keyOf(vocabulary, i), [&](int64_t at) {
      return sameKey(keys, at, vocabulary, i);
    });
    if (place >= 0)
      copyElement(values, place, result, i);
  }
  return HONE_OK;
}

HONE_LIBRARY(cast_map) {
  Tensor keys, values;
  int64_t size = call.option(1);
  if (!readMap(call, call.option(0), call.option(2), keys, values))
    return call.status;
  if (keys.type != HONE_TYPE_INT64)
    return call.misuse(keys.type);
  const int64_t *numbers = keys.as<int64_t>();
  int64_t dims[2] = {1, size < 0 ? keys.count : size};
  Tensor result = call.make(0, values.type, 2, dims);
  if (!result)
    return call.status;
  if (size >= 0) {
    clear(result);
    if (result.type == HONE_TYPE_STRING)
      for (int64_t i = 0; i < size; ++i)
        result.as<hone_string>()[i] = {"0", 1};
    for (int64_t i = 0; i < keys.count; ++i) {
      if (numbers[i] < 0 || numbers[i] >= size)
        return call.fail(HONE_INDEX_OUT_OF_RANGE, numbers[i], size);
      copyElement(values, i, result, numbers[i]);
    }
    return HONE_OK;
  }
  // Dense: indexed by key.
  Scratch<int64_t> order(call, keys.count), room(call, keys.count);
  if (!order || !room)
    return call.status;
  for (int64_t i = 0; i < keys.count; ++i)
    order[i] = i;
  mergeSort(order.data(), room.data(), keys.count,
            [&](int64_t a, int64_t b) { return numbers[a] < numbers[b]; });
  for (int64_t i = 0; i < keys.count; ++i)
    copyElement(values, order[i], result, i);
  return HONE_OK;
}
