// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Estimates of work and memory, on which decisions are based.
#ifndef HONE_PASSES_MACHINE_ESTIMATE_H
#define HONE_PASSES_MACHINE_ESTIMATE_H

#include "mlir/IR/BuiltinTypeInterfaces.h"
#include "llvm/Support/MathExtras.h"
#include <algorithm>

namespace hone {

/// Upper limit of estimates: more than any machine has, and small enough to be
/// multiplied once more. Products of many free dimensions would overflow 64
/// bits.
inline constexpr int64_t kMaxEstimate = int64_t(1) << 48;

/// Assumed size of a free dimension in estimates of work.
inline constexpr int64_t kTypicalDim = 128;

/// Product of two non-negative amounts.
inline int64_t estimateProduct(int64_t a, int64_t b) {
  return std::min<uint64_t>(llvm::SaturatingMultiply<uint64_t>(a, b),
                            kMaxEstimate);
}

/// Product of sizes, with `typical` for each unknown one.
inline int64_t estimateProduct(llvm::ArrayRef<int64_t> sizes,
                               int64_t typical = kTypicalDim) {
  int64_t product = 1;
  for (int64_t size : sizes)
    product = estimateProduct(
        product, mlir::ShapedType::isDynamic(size) ? typical : size);
  return product;
}

} // namespace hone

#endif // HONE_PASSES_MACHINE_ESTIMATE_H
