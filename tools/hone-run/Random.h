// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Random tensors, the same for a seed on every machine.
#ifndef HONE_TOOLS_RUN_RANDOM_H
#define HONE_TOOLS_RUN_RANDOM_H

#include "tools/hone-run/Elements.h"

namespace hone::run {

/// Numbers from one to the other.
struct Range {
  Number low, high;
};

/// Why a type has not all numbers of a range, after "input 'x' "; or empty.
std::string misfitOf(const Range &range, int32_t type);

/// Numbers that most models accept: reals in [-1, 1), integers 0 and 1, which
/// are valid indices into any table of two rows.
void fillRandom(Array &array, uint64_t seed);
/// Numbers of a range that fits the type.
void fillRandom(Array &array, uint64_t seed, const Range &range);

} // namespace hone::run

#endif // HONE_TOOLS_RUN_RANDOM_H
