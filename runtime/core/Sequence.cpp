// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sequences for generated code. A sequence is immutable, but its table of
// elements has room to grow: appending to the longest sequence of a table takes
// the next entry, so that a loop that appends is linear.
#include "runtime/core/Types.h"

#include <string.h>

using namespace hone;

namespace {

struct Table {
  int64_t used, capacity;
  hone_value elements[1];
};

hone_sequence *makeSequence(hone_frame *frame, Table *table, int64_t count) {
  auto *sequence = static_cast<hone_sequence *>(
      hone_rt_alloc_for_run(frame, -1, sizeof(hone_sequence)));
  if (sequence)
    *sequence = {table ? table->elements : nullptr, count, table};
  return sequence;
}

/// A table with the first `count` elements, and room for as many again.
Table *makeTable(hone_frame *frame, const hone_value *elements, int64_t count,
                 int64_t capacity) {
  int64_t room = int64_t(sizeof(hone_value)) * capacity;
  auto *table = static_cast<Table *>(hone_rt_alloc_for_run(
      frame, -1, int64_t(offsetof(Table, elements)) + room));
  if (!table)
    return nullptr;
  table->used = count;
  table->capacity = capacity;
  if (count > 0)
    memcpy(table->elements, elements, sizeof(hone_value) * size_t(count));
  return table;
}

bool fillTensor(hone_frame *frame, hone_value &value, const void *data,
                int32_t type, int32_t rank, const int64_t *dims) {
  int64_t bytes = tensorBytes(type, rank, dims);
  if (bytes < 0) {
    hone_rt_fail(frame, -1, HONE_INTERNAL, type, rank);
    return false;
  }
  int64_t dimBytes = (int64_t(sizeof(int64_t)) * rank + 63) / 64 * 64;
  auto *block =
      static_cast<char *>(hone_rt_alloc_for_run(frame, -1, dimBytes + bytes));
  if (!block)
    return false;
  if (rank > 0)
    memcpy(block, dims, sizeof(int64_t) * size_t(rank));
  if (bytes > 0)
    memcpy(block + dimBytes, data, size_t(bytes));
  value = {};
  value.kind = HONE_KIND_TENSOR;
  value.as.tensor = {block + dimBytes, reinterpret_cast<int64_t *>(block), rank,
                     type};
  return true;
}

/// Counts a negative position from the end. False, and reported: outside [0,
/// limit).
bool resolve(hone_frame *frame, int64_t count, int64_t limit, int64_t &position,
             int32_t node) {
  int64_t given = position;
  if (position < 0)
    position += count;
  if (position >= 0 && position < limit)
    return true;
  hone_rt_fail(frame, node, HONE_INDEX_OUT_OF_RANGE, given, limit);
  return false;
}

} // namespace

const hone_sequence *hone_rt_sequence_new(hone_frame *frame) {
  return makeSequence(frame, nullptr, 0);
}

int64_t hone_rt_sequence_length(const hone_sequence *sequence) {
  return sequence->count;
}

const hone_value *hone_rt_sequence_at(hone_frame *frame,
                                      const hone_sequence *sequence,
                                      int64_t position, int32_t node) {
  if (!resolve(frame, sequence->count, sequence->count, position, node))
    return nullptr;
  return &sequence->elements[position];
}

const hone_sequence *hone_rt_sequence_append(hone_frame *frame,
                                             const hone_sequence *sequence,
                                             const void *data, int32_t type,
                                             int32_t rank,
                                             const int64_t *dims) {
  int64_t count = sequence->count;
  auto *table = static_cast<Table *>(sequence->storage);
  if (!table || table->used != count || table->used == table->capacity)
    table =
        makeTable(frame, sequence->elements, count, count < 4 ? 8 : 2 * count);
  if (!table ||
      !fillTensor(frame, table->elements[count], data, type, rank, dims))
    return nullptr;
  table->used = count + 1;
  return makeSequence(frame, table, count + 1);
}

const hone_sequence *
hone_rt_sequence_insert(hone_frame *frame, const hone_sequence *sequence,
                        int64_t position, const void *data, int32_t type,
                        int32_t rank, const int64_t *dims, int32_t node) {
  int64_t count = sequence->count;
  if (!resolve(frame, count, count + 1, position, node))
    return nullptr;
  if (position == count)
    return hone_rt_sequence_append(frame, sequence, data, type, rank, dims);
  Table *table = makeTable(frame, sequence->elements, count, count + 4);
  if (!table)
    return nullptr;
  memmove(&table->elements[position + 1], &table->elements[position],
          sizeof(hone_value) * size_t(count - position));
  if (!fillTensor(frame, table->elements[position], data, type, rank, dims))
    return nullptr;
  table->used = count + 1;
  return makeSequence(frame, table, count + 1);
}

const hone_sequence *hone_rt_sequence_erase(hone_frame *frame,
                                            const hone_sequence *sequence,
                                            int64_t position, int32_t node) {
  int64_t count = sequence->count;
  if (!resolve(frame, count, count, position, node))
    return nullptr;
  Table *table = makeTable(frame, sequence->elements, count, count);
  if (!table)
    return nullptr;
  memmove(&table->elements[position], &table->elements[position + 1],
          sizeof(hone_value) * size_t(count - 1 - position));
  table->used = count - 1;
  return makeSequence(frame, table, count - 1);
}

hone_value *hone_rt_value_new(hone_frame *frame, const hone_value *value) {
  auto *copy = static_cast<hone_value *>(
      hone_rt_alloc_for_run(frame, -1, sizeof(hone_value)));
  if (copy)
    *copy = *value;
  return copy;
}

hone_value *hone_rt_tensor_new(hone_frame *frame, const void *data,
                               int32_t type, int32_t rank,
                               const int64_t *dims) {
  hone_value value;
  if (!fillTensor(frame, value, data, type, rank, dims))
    return nullptr;
  return hone_rt_value_new(frame, &value);
}
