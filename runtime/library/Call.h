// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One call of a library function: its operands, checked, and its results,
// allocated in blocks of the session.
#ifndef HONE_RUNTIME_LIBRARY_CALL_H
#define HONE_RUNTIME_LIBRARY_CALL_H

#include "hone/custom.h"
#include "runtime/core/Types.h"
#include "runtime/library/Functions.h"

#include <string.h>

namespace hone {
namespace library {

/// The highest rank here.
constexpr int32_t maxRank = HONE_MAX_RANK;

/// A tensor with its most requested properties. Converts to false if there is
/// none.
struct Tensor {
  char *data = nullptr;
  const int64_t *dims = nullptr;
  int32_t rank = -1;
  int32_t type = HONE_TYPE_UNDEFINED;
  int64_t count = 0;
  int64_t width = 0; ///< bytes of an element

  explicit operator bool() const { return rank >= 0; }
  template <typename T> T *as() const { return reinterpret_cast<T *>(data); }
  /// Product of the dimensions in [from, to). For an empty tensor the product
  /// may overflow; it is then not used.
  int64_t extent(int32_t from, int32_t to) const {
    uint64_t product = 1;
    for (int32_t i = from; i < to; ++i)
      product *= uint64_t(dims[i]);
    return int64_t(product);
  }
};

/// The content of an optional, or the value itself; NULL if there is none.
inline const hone_value *contentOf(const hone_value *value) {
  if (value && value->kind == HONE_KIND_OPTIONAL)
    value = value->as.optional.value;
  return value && value->kind != HONE_KIND_NONE ? value : nullptr;
}

class Call {
public:
  Call(hone_frame *frame, int32_t node, const hone_value *const *operands,
       int32_t operandCount, hone_value *results, int32_t resultCount,
       const int64_t *config)
      : frame(frame), node(node), operandCount(operandCount), results(results),
        resultCount(resultCount), operands(operands), config(config) {}

  /// What the function returns after one of the members below failed.
  int32_t status = HONE_OK;

  int32_t fail(int32_t newStatus, int64_t value = 0, int64_t limit = 0) {
    status = hone_rt_fail(frame, node, newStatus, value, limit);
    return status;
  }
  /// After a failure that the core has reported.
  int32_t failed();
  /// A call that the compiler should not have made.
  int32_t misuse(int64_t value = 0) { return fail(HONE_INTERNAL, value); }

  //--- Operands.

  /// NULL when absent.
  const hone_value *value(int32_t index) const;
  bool has(int32_t index) const { return value(index) != nullptr; }
  /// A required operand. The data are readable, the count matches the
  /// dimensions, and elements are whole bytes.
  Tensor tensor(int32_t index);
  /// The same for a value inside another one.
  Tensor tensorIn(const hone_value &value);
  /// The same with an element type given by the config.
  Tensor tensorOfType(int32_t index, int64_t type);
  const hone_sequence *sequence(int32_t index);
  /// A map; its keys and values are vectors of the same length with elements of
  /// whole bytes.
  bool map(int32_t index, Tensor &keys, Tensor &values);
  /// A tensor of strings.
  Tensor strings(int32_t index);
  /// A tensor of i32 or i64, whose elements integerAt reads.
  Tensor integers(int32_t index);
  /// The only element of a tensor of i32 or i64.
  bool integer(int32_t index, int64_t &number);
  /// The only element of a tensor of a floating type.
  bool floating(int32_t index, double &number);

  int64_t option(int32_t index) const { return config[index]; }
  /// What the generated code of a custom operator passes instead of options.
  const hone_custom_node &custom() const {
    return *reinterpret_cast<const hone_custom_node *>(config);
  }
  double floatOption(int32_t index) const {
    return __builtin_bit_cast(double, config[index]);
  }
  /// `axis` of [-rank, rank), counted from the front.
  bool axis(int64_t given, int32_t rank, int32_t &result);

  //--- Results and memory.

  /// A tensor that becomes result `index`; data and dimensions in one block.
  Tensor make(int32_t index, int32_t type, int32_t rank, const int64_t *dims);
  Tensor make(int32_t index, int32_t type, int64_t size) {
    return make(index, type, 1, &size);
  }
  /// A scalar.
  template <typename T> int32_t give(int32_t index, int32_t type, T number) {
    Tensor result = make(index, type, 0, nullptr);
    if (!result)
      return status;
    *result.as<T>() = number;
    return HONE_OK;
  }
  /// A value that already exists elsewhere.
  int32_t giveShared(int32_t index, const hone_value &value);
  int32_t giveSequence(int32_t index, const hone_sequence *sequence);

  /// Memory until the end of the run: `count` elements of `size` bytes.
  void *allocate(int64_t count, int64_t size);

  //--- Threads.

  int64_t threads() const;
  /// Calls work(i) for i in [0, pieces) on all threads of the run. False: one
  /// of them returned false, and some may not have been called.
  template <typename Work> bool parallel(int64_t pieces, const Work &work) {
    auto run = [](void *task, int64_t begin, int64_t end, int64_t) -> int32_t {
      for (int64_t i = begin; i < end; ++i)
        if (!(*static_cast<const Work *>(task))(i))
          return HONE_INTERNAL;
      return HONE_OK;
    };
    return runPieces(pieces, run, const_cast<Work *>(&work)) == HONE_OK;
  }

  int32_t runPieces(int64_t pieces, hone_task_fn function, void *task);

  hone_frame *const frame;
  const int32_t node;
  const int32_t operandCount;
  hone_value *const results;
  const int32_t resultCount;

private:
  const hone_value *const *const operands;
  const int64_t *const config;
};

/// Memory for the duration of a call.
template <typename T> class Scratch {
public:
  Scratch(Call &call, int64_t count, int64_t size = sizeof(T))
      : frame(call.frame),
        memory(static_cast<T *>(call.allocate(count, size))) {}
  Scratch(const Scratch &) = delete;
  Scratch &operator=(const Scratch &) = delete;
  ~Scratch() { hone_rt_free(frame, memory); }

  explicit operator bool() const { return memory != nullptr; }
  T &operator[](int64_t index) const { return memory[index]; }
  T *data() const { return memory; }

private:
  hone_frame *frame;
  T *memory;
};

/// Scratch memory that grows.
template <typename T> class Growing {
public:
  explicit Growing(Call &call) : call(call) {}
  Growing(const Growing &) = delete;
  Growing &operator=(const Growing &) = delete;
  ~Growing() { hone_rt_free(call.frame, memory); }

  /// False: out of memory, reported.
  bool push(const T &element) {
    if (used == capacity && !grow())
      return false;
    memory[used++] = element;
    return true;
  }
  void pop() { --used; }
  void clear() { used = 0; }
  T &back() const { return memory[used - 1]; }
  T &operator[](int64_t index) const { return memory[index]; }
  T *data() const { return memory; }
  int64_t size() const { return used; }

private:
  bool grow() {
    int64_t room = capacity ? 2 * capacity : 64;
    auto *larger = static_cast<T *>(call.allocate(room, sizeof(T)));
    if (!larger)
      return false;
    if (used)
      memcpy(larger, memory, sizeof(T) * size_t(used));
    hone_rt_free(call.frame, memory);
    memory = larger;
    capacity = room;
    return true;
  }

  Call &call;
  T *memory = nullptr;
  int64_t used = 0, capacity = 0;
};

} // namespace library
} // namespace hone

#endif // HONE_RUNTIME_LIBRARY_CALL_H
