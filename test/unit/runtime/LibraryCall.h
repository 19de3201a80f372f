// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Calling library functions as a compiled model does.
#ifndef HONE_TEST_UNIT_RUNTIME_LIBRARYCALL_H
#define HONE_TEST_UNIT_RUNTIME_LIBRARYCALL_H

#include "runtime/core/Session.h"
#include "runtime/core/Types.h"
#include "runtime/library/Functions.h"

#include <cmath>
#include <cstring>
#include <deque>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace hone {

template <typename T> constexpr int32_t typeOf() {
  if constexpr (std::is_same_v<T, float>)
    return HONE_TYPE_FLOAT;
  else if constexpr (std::is_same_v<T, double>)
    return HONE_TYPE_DOUBLE;
  else if constexpr (std::is_same_v<T, _Float16>)
    return HONE_TYPE_FLOAT16;
  else if constexpr (std::is_same_v<T, __bf16>)
    return HONE_TYPE_BFLOAT16;
  else if constexpr (std::is_same_v<T, int64_t>)
    return HONE_TYPE_INT64;
  else if constexpr (std::is_same_v<T, int32_t>)
    return HONE_TYPE_INT32;
  else if constexpr (std::is_same_v<T, int8_t>)
    return HONE_TYPE_INT8;
  else if constexpr (std::is_same_v<T, uint8_t>)
    return HONE_TYPE_UINT8;
  else if constexpr (std::is_same_v<T, std::string>)
    return HONE_TYPE_STRING;
}

using Dims = std::vector<int64_t>;

/// A session without a model, and one call at a time. Operands are copied to
/// memory of just their size, so that a sanitizer sees what lies outside.
class LibraryTest : public testing::Test {
protected:
  LibraryTest() {
    session.allocator = systemAllocator();
    frame.session = &session;
  }
  ~LibraryTest() override { session.blocks.release(session.allocator); }

  //--- Operands, kept until the end of the test.

  template <typename T>
  const hone_value *tensor(const Dims &dims, const std::vector<T> &elements,
                           int32_t type = typeOf<T>()) {
    std::vector<char> &bytes = memory.emplace_back();
    if constexpr (std::is_same_v<T, std::string>) {
      for (const std::string &text : elements) {
        std::vector<char> &copy = memory.emplace_back(text.begin(), text.end());
        hone_string string{copy.data(), copy.size()};
        auto *from = reinterpret_cast<const char *>(&string);
        bytes.insert(bytes.end(), from, from + sizeof string);
      }
    } else {
      auto *from = reinterpret_cast<const char *>(elements.data());
      bytes.assign(from, from + sizeof(T) * elements.size());
    }
    const Dims &kept = shapes.emplace_back(dims);
    hone_value &value = values.emplace_back();
    value.kind = HONE_KIND_TENSOR;
    value.as.tensor = {bytes.data(), kept.data(), int32_t(kept.size()), type};
    EXPECT_EQ(elementCount(int32_t(kept.size()), kept.data()),
              int64_t(elements.size()));
    return &value;
  }
  template <typename T> const hone_value *scalar(T number) {
    return tensor<T>({}, {number});
  }
  template <typename T> const hone_value *list(const std::vector<T> &elements) {
    return tensor<T>({int64_t(elements.size())}, elements);
  }
  const hone_value *bools(const std::vector<uint8_t> &elements) {
    return tensor<uint8_t>({int64_t(elements.size())}, elements,
                           HONE_TYPE_BOOL);
  }
  const hone_value *strings(const std::vector<std::string> &elements) {
    return list<std::string>(elements);
  }
  const hone_value *keep(const hone_value &value) {
    return &values.emplace_back(value);
  }

  static int64_t bitsOf(double number) {
    int64_t result;
    memcpy(&result, &number, sizeof result);
    return result;
  }

  //--- Calls.

  /// The status; results are in `results`.
  int32_t call(hone_library_fn *function,
               const std::vector<const hone_value *> &operands,
               const std::vector<int64_t> &config = {}, int resultCount = 1,
               hone_value expected = {}) {
    session.failure.clear();
    results.assign(size_t(resultCount), expected);
    std::vector<int64_t> exact(config);
    int32_t status =
        function(&frame, 7, operands.data(), int32_t(operands.size()),
                 results.data(), resultCount, exact.data());
    EXPECT_EQ(status != 0, session.failure.status != 0);
    return status;
  }
  void expectOk(int32_t status) {
    EXPECT_EQ(status, HONE_OK)
        << session.failure.value << ", " << session.failure.limit;
  }

  //--- Results.

  Dims dims(const hone_value &value) {
    const hone_tensor &tensor = value.as.tensor;
    return Dims(tensor.dims, tensor.dims + tensor.rank);
  }
  Dims dims(int index = 0) { return dims(results[size_t(index)]); }
  template <typename T> std::vector<T> elements(const hone_value &value) {
    const hone_tensor &tensor = value.as.tensor;
    EXPECT_EQ(value.kind, HONE_KIND_TENSOR);
    EXPECT_EQ(typeBits(tensor.type), typeBits(typeOf<T>()));
    int64_t count = elementCount(tensor.rank, tensor.dims);
    std::vector<T> result;
    for (int64_t i = 0; i < count; ++i) {
      if constexpr (std::is_same_v<T, std::string>) {
        auto &string = static_cast<const hone_string *>(tensor.data)[i];
        result.emplace_back(string.data, string.size);
      } else {
        result.push_back(static_cast<const T *>(tensor.data)[i]);
      }
    }
    return result;
  }
  template <typename T> std::vector<T> elements(int index = 0) {
    return elements<T>(results[size_t(index)]);
  }
  template <typename T>
  void expectNear(const std::vector<T> &expected, double tolerance,
                  int index = 0) {
    std::vector<T> actual = elements<T>(index);
    ASSERT_EQ(actual.size(), expected.size());
    for (size_t i = 0; i < actual.size(); ++i)
      EXPECT_NEAR(double(actual[i]), double(expected[i]), tolerance) << i;
  }

  hone_session session{};
  hone_frame frame{};
  std::vector<hone_value> results;

private:
  std::deque<std::vector<char>> memory;
  std::deque<Dims> shapes;
  std::deque<hone_value> values;
};

} // namespace hone

#endif // HONE_TEST_UNIT_RUNTIME_LIBRARYCALL_H
