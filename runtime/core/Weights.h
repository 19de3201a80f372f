// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A model's weights: in its library, or in a file beside it that is mapped once
// for all sessions.
#ifndef HONE_RUNTIME_CORE_WEIGHTS_H
#define HONE_RUNTIME_CORE_WEIGHTS_H

#include "runtime/core/Status.h"

namespace hone {

/// Sets *weights and acquires a reference to the mapping. Explains a failure.
int32_t openWeights(const hone_descriptor &model, const char **weights,
                    Text &text);

/// Releases the reference; the last one unmaps.
void closeWeights(const hone_descriptor &model);

} // namespace hone

#endif // HONE_RUNTIME_CORE_WEIGHTS_H
