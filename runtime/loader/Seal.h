// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The seal of a library (hone_seal in abi.h): what tells a whole library of
// this machine and this binary interface from everything else, before the
// system loads it. The compiler makes it with the code that checks it.
#ifndef HONE_RUNTIME_LOADER_SEAL_H
#define HONE_RUNTIME_LOADER_SEAL_H

#include "runtime/core/Status.h"

namespace hone {

/// Fills in the seal of a linked library, which is open for reading and
/// writing; the weights lie at this place in the file. HONE_BAD_MODEL after
/// explaining what is wrong.
int32_t makeSeal(int file, uint64_t weightsOffset, uint64_t weightsBytes,
                 Text &text);

/// Checks the open file's headers, that it is as long as they say, and its
/// seal.
int32_t checkSeal(int file, hone_seal &seal, Text &text);

} // namespace hone

#endif // HONE_RUNTIME_LOADER_SEAL_H
