// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Operands and results of a call.
#include "runtime/library/Call.h"
#include "runtime/core/Session.h"
#include "runtime/library/Numbers.h"

using namespace hone;
using namespace hone::library;

/// Whether elements of a type have the width that the caller expects, and are
/// strings only if it expects those.
static bool isExpected(const hone_value &expected, int32_t type) {
  int32_t hoped = expected.as.tensor.type;
  return expected.kind != HONE_KIND_TENSOR || hoped == HONE_TYPE_UNDEFINED ||
         (typeBits(hoped) == typeBits(type) &&
          (hoped == HONE_TYPE_STRING) == (type == HONE_TYPE_STRING));
}

const hone_value *Call::value(int32_t index) const {
  if (index >= operandCount || !operands[index] ||
      operands[index]->kind == HONE_KIND_NONE)
    return nullptr;
  return operands[index];
}

int32_t Call::failed() { return status = frame->session->failure.status; }

Tensor Call::tensorIn(const hone_value &value) {
  const hone_tensor &from = value.as.tensor;
  if (value.kind != HONE_KIND_TENSOR || from.rank < 0 || from.rank > maxRank) {
    misuse(value.kind);
    return {};
  }
  Tensor tensor;
  tensor.count = elementCount(from.rank, from.dims);
  tensor.width = typeBits(from.type) / 8;
  if (tensor.count < 0 || tensor.width == 0 ||
      (tensor.count > 0 && !from.data)) {
    misuse(from.type);
    return {};
  }
  tensor.data = static_cast<char *>(from.data);
  tensor.dims = from.dims;
  tensor.rank = from.rank;
  tensor.type = from.type;
  return tensor;
}

Tensor Call::tensor(int32_t index) {
  const hone_value *found = value(index);
  if (found)
    return tensorIn(*found);
  misuse(index);
  return {};
}

Tensor Call::tensorOfType(int32_t index, int64_t type) {
  Tensor result = tensor(index);
  if (!result)
    return result;
  if (type <= 0 || type >= HONE_TYPE_COUNT ||
      typeBits(int32_t(type)) != 8 * result.width ||
      (type == HONE_TYPE_STRING) != (result.type == HONE_TYPE_STRING)) {
    misuse(type);
    return {};
  }
  result.type = int32_t(type);
  return result;
}

const hone_sequence *Call::sequence(int32_t index) {
  const hone_value *found = value(index);
  if (found && found->kind == HONE_KIND_SEQUENCE && found->as.sequence)
    return found->as.sequence;
  misuse(index);
  return nullptr;
}

bool Call::map(int32_t index, Tensor &keys, Tensor &values) {
  const hone_value *found = value(index);
  if (!found || found->kind != HONE_KIND_MAP || !found->as.map.keys ||
      !found->as.map.values) {
    misuse(index);
    return false;
  }
  hone_value part = {};
  part.kind = HONE_KIND_TENSOR;
  part.as.tensor = *found->as.map.keys;
  keys = tensorIn(part);
  part.as.tensor = *found->as.map.values;
  values = keys ? tensorIn(part) : Tensor();
  if (!values)
    return false;
  if (keys.rank != 1 || values.rank != 1 || keys.count != values.count) {
    misuse(keys.count);
    return false;
  }
  return true;
}

Tensor Call::strings(int32_t index) {
  return tensorOfType(index, HONE_TYPE_STRING);
}

Tensor Call::integers(int32_t index) {
  Tensor result = tensor(index);
  if (result && result.width != 4 && result.width != 8) {
    misuse(result.type);
    return {};
  }
  return result;
}

bool Call::integer(int32_t index, int64_t &number) {
  Tensor tensor = integers(index);
  if (!tensor)
    return false;
  if (tensor.count != 1) {
    fail(HONE_SHAPE_MISMATCH, tensor.count, 1);
    return false;
  }
  number = integerAt(tensor, 0);
  return true;
}

bool Call::floating(int32_t index, double &number) {
  Tensor operand = tensor(index);
  if (!operand)
    return false;
  if (!isFloating(operand.type)) {
    misuse(operand.type);
    return false;
  }
  if (operand.count != 1) {
    fail(HONE_SHAPE_MISMATCH, operand.count, 1);
    return false;
  }
  number = floatingAt(operand, 0);
  return true;
}

int64_t Call::threads() const {
  return frame->session->poolHeld ? frame->session->pool.threads : 1;
}

int32_t Call::runPieces(int64_t pieces, hone_task_fn function, void *task) {
  if (pieces <= 1 || threads() == 1)
    return function(task, 0, pieces, 0);
  const hone_pool &pool = frame->session->pool;
  return pool.run(pool.self, pieces, function, task);
}

bool Call::axis(int64_t given, int32_t rank, int32_t &result) {
  if (given < -int64_t(rank) || given >= rank) {
    fail(HONE_INDEX_OUT_OF_RANGE, given, rank);
    return false;
  }
  result = int32_t(given < 0 ? given + rank : given);
  return true;
}

Tensor Call::make(int32_t index, int32_t type, int32_t rank,
                  const int64_t *dims) {
  int64_t bytes = rank > maxRank ? -1 : tensorBytes(type, rank, dims);
  // Far above any real size, far below where sums overflow.
  if (bytes < 0 || bytes > int64_t(1) << 46) {
    fail(HONE_OUT_OF_MEMORY, bytes < 0 ? INT64_MAX : bytes);
    return {};
  }
  if (index >= resultCount) {
    misuse(index);
    return {};
  }
  if (!isExpected(results[index], type)) {
    fail(HONE_BAD_VALUE, type, results[index].as.tensor.type);
    return {};
  }
  int64_t dimsAt = (bytes + 7) & ~int64_t(7);
  auto *block = static_cast<char *>(
      hone_rt_alloc(frame, node, dimsAt + 8 * int64_t(rank)));
  if (!block) {
    failed();
    return {};
  }
  auto *copy = reinterpret_cast<int64_t *>(block + dimsAt);
  for (int32_t i = 0; i < rank; ++i)
    copy[i] = dims[i];
  Tensor result;
  result.data = block;
  result.dims = copy;
  result.rank = rank;
  result.type = type;
  result.count = elementCount(rank, dims);
  result.width = typeBits(type) / 8;
  hone_value &value = results[index];
  value = {};
  value.kind = HONE_KIND_TENSOR;
  value.as.tensor = {block, copy, rank, type};
  return result;
}

int32_t Call::giveShared(int32_t index, const hone_value &value) {
  if (index >= resultCount)
    return misuse(index);
  const hone_value &expected = results[index];
  if (expected.kind != HONE_KIND_NONE && expected.kind != value.kind)
    return fail(HONE_BAD_VALUE, value.kind, expected.kind);
  if (value.kind == HONE_KIND_TENSOR && expected.kind == HONE_KIND_TENSOR) {
    const hone_tensor &tensor = value.as.tensor, &hoped = expected.as.tensor;
    if (hoped.rank >= 0 && hoped.rank != tensor.rank)
      return fail(HONE_SHAPE_MISMATCH, tensor.rank, hoped.rank);
    if (!isExpected(expected, tensor.type))
      return fail(HONE_BAD_VALUE, tensor.type, hoped.type);
  }
  results[index] = value;
  return HONE_OK;
}

int32_t Call::giveSequence(int32_t index, const hone_sequence *sequence) {
  if (!sequence)
    return failed();
  if (index >= resultCount)
    return misuse(index);
  results[index] = {};
  results[index].kind = HONE_KIND_SEQUENCE;
  results[index].as.sequence = sequence;
  return HONE_OK;
}

void *Call::allocate(int64_t count, int64_t size) {
  int64_t bytes;
  if (count < 0 || __builtin_mul_overflow(count, size, &bytes) ||
      bytes > int64_t(1) << 46) {
    fail(HONE_OUT_OF_MEMORY, INT64_MAX);
    return nullptr;
  }
  void *block = hone_rt_alloc_for_run(frame, node, bytes);
  if (!block)
    failed();
  return block;
}
