// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sequences and optionals.
#include "runtime/library/Movement.h"
#include "runtime/library/Numbers.h"

using namespace hone;
using namespace hone::library;

namespace {

/// Position operand `index`, or `otherwise` if it is absent.
bool readPosition(Call &call, int32_t index, int64_t otherwise,
                  int64_t &position) {
  position = otherwise;
  return !call.has(index) || call.integer(index, position);
}

const hone_sequence *append(Call &call, const hone_sequence *sequence,
                            const Tensor &tensor) {
  return hone_rt_sequence_append(call.frame, sequence, tensor.data, tensor.type,
                                 tensor.rank, tensor.dims);
}

} // namespace

HONE_LIBRARY(sequence_empty) {
  return call.giveSequence(0, hone_rt_sequence_new(call.frame));
}

HONE_LIBRARY(sequence_construct) {
  const hone_sequence *sequence = hone_rt_sequence_new(call.frame);
  for (int32_t i = 0; sequence && i < call.operandCount; ++i) {
    Tensor tensor = call.tensorOfType(i, call.option(0));
    if (!tensor)
      return call.status;
    sequence = append(call, sequence, tensor);
  }
  return call.giveSequence(0, sequence);
}

HONE_LIBRARY(sequence_at) {
  const hone_sequence *sequence = call.sequence(0);
  int64_t position;
  if (!sequence || !call.integer(1, position))
    return call.status;
  const hone_value *element =
      hone_rt_sequence_at(call.frame, sequence, position, call.node);
  return element ? call.giveShared(0, *element) : call.failed();
}

HONE_LIBRARY(sequence_insert) {
  const hone_sequence *sequence = call.sequence(0);
  Tensor tensor = call.tensorOfType(1, call.option(0));
  int64_t position;
  if (!sequence || !tensor || !readPosition(call, 2, sequence->count, position))
    return call.status;
  return call.giveSequence(0, hone_rt_sequence_insert(call.frame, sequence,
                                                      position, tensor.data,
                                                      tensor.type, tensor.rank,
                                                      tensor.dims, call.node));
}

HONE_LIBRARY(sequence_append) {
  const hone_sequence *sequence = call.sequence(0);
  Tensor tensor = call.tensorOfType(1, call.option(0));
  if (!sequence || !tensor)
    return call.status;
  return call.giveSequence(0, append(call, sequence, tensor));
}

HONE_LIBRARY(sequence_erase) {
  const hone_sequence *sequence = call.sequence(0);
  int64_t position;
  if (!sequence || !readPosition(call, 1, -1, position))
    return call.status;
  return call.giveSequence(
      0, hone_rt_sequence_erase(call.frame, sequence, position, call.node));
}

HONE_LIBRARY(sequence_length) {
  const hone_sequence *sequence = call.sequence(0);
  if (!sequence)
    return call.status;
  return call.give<int64_t>(0, HONE_TYPE_INT64, sequence->count);
}

HONE_LIBRARY(concat_from_sequence) {
  const hone_sequence *sequence = call.sequence(0);
  if (!sequence)
    return call.status;
  if (sequence->count == 0)
    return call.fail(HONE_BAD_VALUE, 0);
  bool newAxis = call.option(1);
  auto element = [&](int64_t i) {
    return call.tensorIn(sequence->elements[i]);
  };
  Tensor first = element(0);
  int32_t axis;
  if (!first || !call.axis(call.option(0), first.rank + newAxis, axis))
    return call.status;
  if (newAxis && first.rank == maxRank)
    return call.misuse(first.rank);
  int64_t total = 0;
  for (int64_t i = 0; i < sequence->count; ++i) {
    Tensor tensor = element(i);
    if (!tensor || !fitsConcat(call, first, tensor, newAxis ? -1 : axis))
      return call.status;
    int64_t size = newAxis ? 1 : tensor.dims[axis];
    if (__builtin_add_overflow(total, size, &total))
      return call.fail(HONE_OUT_OF_MEMORY, INT64_MAX);
  }
  int64_t dims[maxRank];
  for (int32_t i = 0, from = 0; i < first.rank + newAxis; ++i)
    dims[i] = i == axis && newAxis ? 1 : first.dims[from++];
  dims[axis] = total;
  Tensor result = call.make(0, first.type, first.rank + newAxis, dims);
  if (!result)
    return call.status;
  int64_t offset = 0;
  for (int64_t i = 0; i < sequence->count; ++i) {
    Tensor tensor = element(i);
    int64_t size = newAxis ? 1 : tensor.dims[axis];
    putAlong(result, axis, offset, size, tensor.data);
    offset += size;
  }
  return HONE_OK;
}

HONE_LIBRARY(split_to_sequence) {
  Tensor x = call.tensorOfType(0, call.option(2));
  int32_t axis;
  if (!x || !call.axis(call.option(0), x.rank, axis))
    return call.status;
  bool keep = call.option(1) || call.has(1);
  Tensor sizes;
  int64_t piece = 1;
  if (call.has(1)) {
    sizes = call.integers(1);
    if (!sizes)
      return call.status;
    if (sizes.rank > 1)
      return call.misuse(sizes.rank);
    if (sizes.rank == 0) {
      piece = integerAt(sizes, 0);
      sizes = {};
    }
  }
  int64_t whole = x.dims[axis], largest = 0, sum = 0;
  if (piece <= 0)
    return call.fail(HONE_BAD_VALUE, piece);
  for (int64_t i = 0; i < (sizes ? sizes.count : 0); ++i) {
    int64_t size = integerAt(sizes, i);
    if (size < 0 || size > whole - sum)
      return call.fail(HONE_SHAPE_MISMATCH, size, whole - sum);
    sum += size;
    largest = size > largest ? size : largest;
  }
  if (sizes && sum != whole)
    return call.fail(HONE_SHAPE_MISMATCH, sum, whole);
  if (!sizes)
    largest = piece < whole ? piece : whole;

  int64_t outer = x.extent(0, axis);
  int64_t bytes = x.extent(axis + 1, x.rank) * x.width;
  Scratch<char> room(call, x.count ? outer * largest * bytes : 0);
  const hone_sequence *sequence = hone_rt_sequence_new(call.frame);
  if (!room)
    return call.status;
  {
    // An empty tensor can have any number of pieces: check for the memory that
    // all of them need before making any.
    constexpr int64_t pieceBytes = 256;
    int64_t pieces = sizes ? sizes.count : whole / piece + (whole % piece != 0);
    Scratch<char> all(call, x.count ? 0 : pieces, pieceBytes);
    if (!all)
      return call.status;
  }
  int64_t offset = 0;
  for (int64_t i = 0; sequence && (sizes ? i < sizes.count : offset < whole);
       ++i) {
    int64_t left = whole - offset;
    int64_t size = sizes ? integerAt(sizes, i) : piece < left ? piece : left;
    for (int64_t o = 0; x.count > 0 && o < outer; ++o)
      memcpy(room.data() + o * size * bytes,
             x.data + (o * whole + offset) * bytes, size_t(size * bytes));
    int64_t dims[maxRank];
    int32_t rank = 0;
    for (int32_t d = 0; d < x.rank; ++d)
      if (d != axis || keep)
        dims[rank++] = d == axis ? size : x.dims[d];
    sequence = hone_rt_sequence_append(call.frame, sequence, room.data(),
                                       x.type, rank, dims);
    offset += size;
  }
  return call.giveSequence(0, sequence);
}

HONE_LIBRARY(optional_make) {
  const hone_value *given = call.value(0), *held = nullptr;
  if (given && given->kind == HONE_KIND_OPTIONAL)
    return call.giveShared(0, *given);
  if (given && given->kind == HONE_KIND_TENSOR) {
    Tensor tensor = call.tensorOfType(0, call.option(0));
    if (!tensor)
      return call.status;
    held = hone_rt_tensor_new(call.frame, tensor.data, tensor.type, tensor.rank,
                              tensor.dims);
  } else if (given) {
    held = hone_rt_value_new(call.frame, given);
  }
  if (given && !held)
    return call.failed();
  hone_value result = {};
  result.kind = HONE_KIND_OPTIONAL;
  result.as.optional.value = held;
  return call.giveShared(0, result);
}

HONE_LIBRARY(optional_empty) {
  hone_value result = {};
  result.kind = HONE_KIND_OPTIONAL;
  return call.giveShared(0, result);
}

HONE_LIBRARY(optional_has_element) {
  return call.give<uint8_t>(0, HONE_TYPE_BOOL,
                            contentOf(call.value(0)) != nullptr);
}

HONE_LIBRARY(optional_get_element) {
  const hone_value *content = contentOf(call.value(0));
  if (!content)
    return call.fail(HONE_BAD_VALUE, 0);
  return call.giveShared(0, *content);
}

HONE_LIBRARY(flatten) {
  const hone_value *content = contentOf(call.value(0));
  if (!content || content->kind != HONE_KIND_TENSOR)
    return call.fail(HONE_BAD_VALUE, 0);
  Tensor x = call.tensorIn(*content);
  if (!x)
    return call.status;
  hone_value result = *content;
  auto *dims = static_cast<int64_t *>(
      hone_rt_alloc_for_run(call.frame, call.node, sizeof(int64_t)));
  if (!dims)
    return call.failed();
  *dims = x.count;
  result.as.tensor.rank = 1;
  result.as.tensor.dims = dims;
  return call.giveShared(0, result);
}

HONE_LIBRARY(shape_like) {
  Tensor x = call.tensorOfType(0, call.option(0));
  const hone_value *content = contentOf(call.value(1));
  if (!x)
    return call.status;
  if (!content || content->kind != HONE_KIND_TENSOR)
    return call.fail(HONE_BAD_VALUE, 0);
  Tensor like = call.tensorIn(*content);
  if (!like)
    return call.status;
  if (x.count != like.count)
    return call.fail(HONE_SHAPE_MISMATCH, x.count, like.count);
  hone_value result = {};
  result.kind = HONE_KIND_OPTIONAL;
  result.as.optional.value =
      hone_rt_tensor_new(call.frame, x.data, x.type, like.rank, like.dims);
  if (!result.as.optional.value)
    return call.failed();
  return call.giveShared(0, result);
}
