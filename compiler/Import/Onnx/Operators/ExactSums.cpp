// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compiler/Import/Onnx/Operators/ExactSums.h"
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
  /// Stored numbers; one stands for all.
  int64_t size() const { return bytes->data.size(); }
  int64_t operator[](int64_t i) const {
    char byte = size() == 1 ? bytes->data[0] : bytes->data[i];
    return isUnsigned ? int64_t(uint8_t(byte)) : int64_t(int8_t(byte));
  }

private:
  bool isUnsigned;
  std::optional<graph::ConstantBytes> bytes;
};

/// Whether weights are known, with the zero points of their sums.
bool areKnown(const Bytes &weights, Val zeroPoint, const Bytes &zeros,
              int64_t sums) {
  return weights &&
         (!zeroPoint || (zeros && (zeros.size() == 1 || zeros.size() == sums)));
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
  Bytes bytes(weights), zeros(zeroPoint);
  if (!areKnown(bytes, zeroPoint, zeros, rows))
    return double(largestDistance(weights, zeroPoint)) * double(terms);
  int64_t largest = 0;
  for (int64_t row = 0; row < rows; ++row) {
    int64_t sum = 0, zero = zeroPoint ? zeros[row] : 0;
    for (int64_t term = 0; term < terms; ++term)
      sum += std::abs(bytes[row * terms + term] - zero);
    largest = std::max(largest, sum);
  }
  return double(largest);
}

double hone::onnx::largestSumOfColumn(Val weights, Val zeroPoint, int64_t from,
                                      int64_t to) {
  ArrayRef<int64_t> shape = weights.shape();
  bool isVector = shape.size() == 1;
  int64_t columns = isVector ? 1 : shape.back();
  Bytes bytes(weights), zeros(zeroPoint);
  if (!weights.isStatic() || !areKnown(bytes, zeroPoint, zeros, columns))
    return double(largestDistance(weights, zeroPoint)) * double(to - from);
  int64_t rows = isVector ? shape[0] : shape[shape.size() - 2], largest = 0,
          batch = isVector ? 1 : ShapedType::getNumElements(shape.drop_back(2));
  for (int64_t matrix = 0; matrix < batch; ++matrix) {
    SmallVector<int64_t, 0> sums(columns, 0);
    for (int64_t row = matrix * rows + from; row < matrix * rows + to; ++row)
      for (int64_t column = 0; column < columns; ++column)
        sums[column] += std::abs(bytes[row * columns + column] -
                                 (zeroPoint ? zeros[column] : 0));
    for (int64_t sum : sums)
      largest = std::max(largest, sum);
  }
  return double(largest);
}

Val hone::onnx::sumsAsInt32(NodeBuilder &n, Val sums, double largest) {
  if (largest > std::numeric_limits<int32_t>::max())
    sums = n.cast(sums, ElementType::Int64);
  return n.cast(sums, ElementType::Int32);
}
