// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Import/Onnx/ExactSums.h"
#include "dialects/Graph/Constants.h"

using namespace mlir;
using namespace hone;
using namespace hone::onnx;

namespace {

/// A constant of bytes as numbers.
class Bytes {
public:
  explicit Bytes(Val v)
      : isUnsigned(v.elem == ElementType::Uint8),
        bytes(v ? graph::constantBytes(v.value) : std::nullopt) {
    if (bytes && bytes->width != 1)
      bytes.reset();
  }

  explicit operator bool() const { return bytes.has_value(); }
  /// Numbers that are stored.
  int64_t size() const { return bytes->data.size(); }
  int64_t operator[](int64_t i) const {
    char byte = *bytes->element(i);
    return isUnsigned ? int64_t(uint8_t(byte)) : int64_t(int8_t(byte));
  }

private:
  bool isUnsigned;
  std::optional<graph::ConstantBytes> bytes;
};

/// The largest of `count` sums. The `terms` of sum `i` are at `place(i, term)`.
double largestSum(Val weights, Val zeroPoint, int64_t count, int64_t terms,
                  int64_t zeroPoints,
                  function_ref<int64_t(int64_t, int64_t)> place) {
  Bytes bytes(weights), zeros(zeroPoint);
  bool isKnown =
      bytes && (!zeroPoint ||
                (zeros && (zeros.size() == 1 || zeros.size() == zeroPoints)));
  if (!isKnown)
    return double(largestDistance(weights, zeroPoint)) * double(terms);
  int64_t largest = 0;
  for (int64_t i = 0; i < count; ++i) {
    int64_t sum = 0, zero = !zeroPoint          ? 0
                            : zeros.size() == 1 ? zeros[0]
                                                : zeros[i % zeroPoints];
    for (int64_t term = 0; term < terms; ++term)
      sum += std::abs(bytes[place(i, term)] - zero);
    largest = std::max(largest, sum);
  }
  return double(largest);
}

} // namespace

int64_t hone::onnx::largestDistance(Val v, Val zeroPoint) {
  int64_t low = v.elem == ElementType::Uint8 ? 0 : -128, high = low + 255;
  if (!zeroPoint)
    return std::max(-low, high);
  Bytes zeros(zeroPoint);
  if (!zeros)
    return 255;
  int64_t distance = 0;
  for (int64_t i = 0; i < zeros.size(); ++i)
    distance = std::max({distance, zeros[i] - low, high - zeros[i]});
  return distance;
}

double hone::onnx::largestSumOfRow(Val weights, Val zeroPoint) {
  if (!weights.isStatic())
    return std::numeric_limits<double>::infinity();
  int64_t rows = weights.shape().front(),
          terms = ShapedType::getNumElements(weights.shape().drop_front());
  return largestSum(
      weights, zeroPoint, rows, terms, rows,
      [&](int64_t row, int64_t term) { return row * terms + term; });
}

double hone::onnx::largestSumOfColumn(Val weights, Val zeroPoint, int64_t from,
                                      int64_t to) {
  ArrayRef<int64_t> shape = weights.shape();
  if (!weights.isStatic())
    return double(largestDistance(weights, zeroPoint)) * double(to - from);
  bool isVector = shape.size() == 1;
  int64_t rows = isVector ? shape[0] : shape[shape.size() - 2],
          columns = isVector ? 1 : shape.back(),
          batch = isVector ? 1 : ShapedType::getNumElements(shape.drop_back(2));
  return largestSum(weights, zeroPoint, batch * columns, to - from, columns,
                    [&](int64_t sum, int64_t term) {
                      return (sum / columns * rows + from + term) * columns +
                             sum % columns;
                    });
}

Val hone::onnx::sumsAsInt32(NodeBuilder &n, Val sums, double largest) {
  if (largest > std::numeric_limits<int32_t>::max())
    sums = n.cast(sums, ElementType::Int64);
  return n.cast(sums, ElementType::Int32);
}
