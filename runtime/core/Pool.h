// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The thread pool: fork and join; the calling thread takes part.
#ifndef HONE_RUNTIME_CORE_POOL_H
#define HONE_RUNTIME_CORE_POOL_H

#include "hone/abi.h"

namespace hone {

/// Makes a pool of `threads`, including the calling one (0: one per processor),
/// or of fewer if the system refuses some.
int32_t createPool(int32_t threads, hone_pool *pool);

/// The pool must be idle.
void destroyPool(hone_pool *pool);

} // namespace hone

#endif // HONE_RUNTIME_CORE_POOL_H
