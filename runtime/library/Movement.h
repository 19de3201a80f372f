// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Moves elements of any width.
#ifndef HONE_RUNTIME_LIBRARY_MOVEMENT_H
#define HONE_RUNTIME_LIBRARY_MOVEMENT_H

#include "runtime/library/Call.h"

namespace hone {
namespace library {

/// Whether `tensor` has the element width, the rank and, except along `axis`
/// (-1: none), the dimensions of `first`; reports a mismatch.
bool fitsConcat(Call &call, const Tensor &first, const Tensor &tensor,
                int32_t axis);

/// Writes a slice of `result` of length `size` along `axis`, from `offset`.
void putAlong(const Tensor &result, int32_t axis, int64_t offset, int64_t size,
              const char *data);

/// The shape of operands that are broadcast to each other.
struct Broadcast {
  int32_t rank = 0;
  int64_t dims[maxRank];

  /// False: the dimensions do not fit, reported.
  bool add(Call &call, int32_t otherRank, const int64_t *otherDims);
  /// Strides of an operand, in elements; 0 where it is broadcast.
  void strides(const Tensor &operand, int64_t *result) const;
};

/// Steps through a shape in row-major order, with one offset for each of
/// `operands` sets of strides.
template <int operands> class Walk {
public:
  Walk(int32_t rank, const int64_t *dims) : rank(rank), dims(dims) {}

  int64_t strides[operands][2 * maxRank];
  int64_t offset[operands] = {};

  void next() {
    for (int32_t axis = rank - 1; axis >= 0; --axis) {
      for (int k = 0; k < operands; ++k)
        offset[k] += strides[k][axis];
      if (++position[axis] < dims[axis])
        return;
      for (int k = 0; k < operands; ++k)
        offset[k] -= strides[k][axis] * dims[axis];
      position[axis] = 0;
    }
  }

private:
  int32_t rank;
  const int64_t *dims;
  int64_t position[2 * maxRank] = {};
};

} // namespace library
} // namespace hone

#endif // HONE_RUNTIME_LIBRARY_MOVEMENT_H
