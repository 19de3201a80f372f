// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Failures: what a run stores when its data are at fault, and the text made of
// it.
#ifndef HONE_RUNTIME_CORE_STATUS_H
#define HONE_RUNTIME_CORE_STATUS_H

#include "hone/abi.h"

#include <atomic>

namespace hone {

/// A text of bounded length, truncated as it is appended to.
class Text {
public:
  Text(char *buffer, size_t capacity) : buffer(buffer), capacity(capacity) {
    if (capacity)
      buffer[0] = 0;
  }
  __attribute__((format(printf, 2, 3))) Text &add(const char *format, ...);

private:
  char *buffer;
  size_t capacity, length = 0;
};

/// The first failure of a run. Any thread may record one.
struct Failure {
  /// The highest rank in a model.
  static constexpr int32_t maxDims = 16;
  static constexpr int32_t longestReason = 256;

  std::atomic<int32_t> taken{0};
  int32_t status = HONE_OK;
  int32_t node = -1;
  const char *output = nullptr;  ///< name of the mismatched output
  const char *library = nullptr; ///< a missing library of the system
  int64_t value = 0, limit = 0;
  /// An impossible shape; rank -1 for any other failure.
  int32_t rank = -1;
  bool overflows = false;
  int64_t dims[maxDims];
  char reason[longestReason] = ""; ///< instead of numbers; "" if there is none

  void clear() {
    taken.store(0, std::memory_order_relaxed);
    status = HONE_OK;
    output = library = nullptr;
    rank = -1;
    reason[0] = 0;
  }
  void set(int32_t newStatus, int32_t newNode, int64_t newValue,
           int64_t newLimit);
  /// The same for an impossible shape; `overflowed`: in the arithmetic that led
  /// to it.
  void setDims(int32_t newStatus, int32_t newNode, int32_t newRank,
               const int64_t *newDims, bool overflowed);
  void setReason(int32_t newStatus, int32_t newNode, const char *text);
  /// Says what happened, where, and with which numbers.
  void describe(const hone_descriptor &model, Text &text) const;
};

} // namespace hone

#endif // HONE_RUNTIME_CORE_STATUS_H
