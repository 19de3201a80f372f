// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Records failures and formats them.
#include "runtime/core/Status.h"
#include "runtime/core/Printable.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

using namespace hone;

Text &Text::add(const char *format, ...) {
  char piece[512];
  va_list arguments;
  va_start(arguments, format);
  int written = vsnprintf(piece, sizeof piece, format, arguments);
  va_end(arguments);
  if (written <= 0)
    return *this;
  // Names come from the model.
  size_t size = size_t(written) < sizeof piece ? written : sizeof piece - 1;
  putPrintable(piece, size, [&](const char *text, size_t count) {
    if (length + count >= capacity) {
      capacity = 0; // and nothing after it
      return;
    }
    memcpy(buffer + length, text, count);
    buffer[length += count] = 0;
  });
  return *this;
}

void Failure::set(int32_t newStatus, int32_t newNode, int64_t newValue,
                  int64_t newLimit) {
  if (taken.exchange(1, std::memory_order_relaxed))
    return;
  // Only read after the pool has joined, which orders these writes.
  status = newStatus == HONE_OK ? int32_t(HONE_INTERNAL) : newStatus;
  node = newNode;
  value = newValue;
  limit = newLimit;
}

void Failure::setDims(int32_t newStatus, int32_t newNode, int32_t newRank,
                      const int64_t *newDims, bool overflowed) {
  if (taken.exchange(1, std::memory_order_relaxed))
    return;
  status = newStatus;
  node = newNode;
  rank = newRank < maxDims ? newRank : maxDims;
  for (int32_t i = 0; i < rank; ++i)
    dims[i] = newDims[i];
  overflows = overflowed;
}

void Failure::setReason(int32_t newStatus, int32_t newNode, const char *text) {
  if (taken.exchange(1, std::memory_order_relaxed))
    return;
  status = newStatus;
  node = newNode;
  snprintf(reason, sizeof reason, "%s", text);
}

void Failure::describe(const hone_descriptor &model, Text &text) const {
  if (node >= 0 && node < model.node_count) {
    const char *name = model.texts + model.nodes[node].name;
    const char *op = model.texts + model.nodes[node].op;
    text.add("node '%s'", name).add(*op ? " (%s): " : ": ", op);
  }
  if (output)
    text.add("output '%s': ", output);
  if (library) {
    text.add("needs the library '%s', which cannot be loaded: install it",
             library);
    return;
  }
  if (reason[0]) {
    text.add("%s", reason);
    return;
  }
  if (rank >= 0) {
    text.add(overflows ? "the arithmetic of its sizes overflows, yielding ["
                       : "its sizes describe a tensor of [");
    for (int32_t i = 0; i < rank; ++i)
      text.add("%s%" PRId64, i ? ", " : "", dims[i]);
    text.add(overflows                      ? "]"
             : status == HONE_OUT_OF_MEMORY ? "], larger than any memory"
                                            : "], which is impossible");
    return;
  }
  switch (status) {
  case HONE_INDEX_OUT_OF_RANGE:
    text.add("index %" PRId64 " is out of range for a size of %" PRId64, value,
             limit);
    return;
  case HONE_DIVISION_BY_ZERO:
    text.add("integer division of %" PRId64 " by zero", value);
    return;
  case HONE_SHAPE_MISMATCH:
    if (value == limit) // not one pair of sizes
      text.add("shapes do not fit together");
    else
      text.add("sizes do not fit: %" PRId64 " and %" PRId64, value, limit);
    return;
  case HONE_OUT_OF_MEMORY:
    text.add("out of memory: %" PRId64 " bytes requested", value);
    return;
  case HONE_BAD_VALUE:
    text.add("the value %" PRId64 " is not allowed here", value);
    return;
  default:
    text.add("failed with status %" PRId32 " (%" PRId64 ", %" PRId64 ")",
             status, value, limit);
  }
}
