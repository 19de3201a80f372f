// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which of a model's kernel tables this processor can run.
#ifndef HONE_RUNTIME_CORE_CPULEVEL_H
#define HONE_RUNTIME_CORE_CPULEVEL_H

#include "hone/abi.h"

namespace hone {

/// HONE_CPU_* bits that the processor has and the system lets programs use.
uint64_t cpuFeatures();

/// The number of processors that this process may run on.
int32_t usableProcessors();

/// Requests from the system what the level needs before its first instruction
/// (AMX tiles). False: refused.
bool enableFeatures(uint64_t features);

} // namespace hone

#endif // HONE_RUNTIME_CORE_CPULEVEL_H
