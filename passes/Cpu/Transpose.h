// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Elementwise nests that read along one dimension and write along another.
#ifndef HONE_PASSES_CPU_TRANSPOSE_H
#define HONE_PASSES_CPU_TRANSPOSE_H

#include "passes/Cpu/LoopEmission.h"

namespace hone {

/// Emits the nest in square blocks that are transposed in registers, in one
/// scf.forall, if it is of that kind.
bool emitTransposed(Emitter &e, const LoopNest &nest,
                    const CpuMachine &machine);

} // namespace hone

#endif // HONE_PASSES_CPU_TRANSPOSE_H
