// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The seal of a library (hone_seal in abi.h): distinguishes an intact library
// for this machine and binary interface from everything else, before the system
// loads it. The compiler makes it with the code that checks it.
#ifndef HONE_RUNTIME_LOADER_SEAL_H
#define HONE_RUNTIME_LOADER_SEAL_H

#include "runtime/core/Status.h"

namespace hone {

/// Fills in the seal of a linked library, open for reading and writing, with
/// its weights at this offset. HONE_BAD_MODEL after explaining what is wrong.
int32_t makeSeal(int file, uint64_t weightsOffset, uint64_t weightsBytes,
                 Text &text);

/// Checks the open file's headers, its length, and its seal.
int32_t checkSeal(int file, hone_seal &seal, Text &text);

} // namespace hone

#endif // HONE_RUNTIME_LOADER_SEAL_H
