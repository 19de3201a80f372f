// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Emits the loop nest of a matrix product over buffers.
#ifndef HONE_PASSES_CPU_CONTRACTION_H
#define HONE_PASSES_CPU_CONTRACTION_H

#include "passes/Cpu/RegisterTile.h"
#include "passes/Emit/Contraction.h"
#include "passes/Emit/Epilogue.h"

namespace hone {

/// Emits one `scf.forall` over blocks of rows and columns, according to
/// `schedule`.
void emitContraction(Emitter &e, const CpuMachine &machine,
                     const Contraction &contraction, Epilogue &epilogue,
                     graph::ScheduleAttr schedule);

/// An `scf.forall` over [0, count) whose index `body` gets.
void emitForall(Emitter &e, mlir::Value count,
                llvm::function_ref<void(mlir::Value)> body);

} // namespace hone

#endif // HONE_PASSES_CPU_CONTRACTION_H
