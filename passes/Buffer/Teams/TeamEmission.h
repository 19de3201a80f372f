// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loops of GPU kernels that threads execute together. An iteration of the
// top-level scf.forall is executed by a team of threads that share what it
// allocates (memref.alloca) and divide each scf.forall inside it, with a
// barrier at its end. Where that would not pay off, an iteration is one
// thread's work and there are more of them.
#ifndef HONE_PASSES_BUFFER_TEAMS_TEAMEMISSION_H
#define HONE_PASSES_BUFFER_TEAMS_TEAMEMISSION_H

#include "dialects/Graph/Graph.h"

namespace hone::buffer {

void emitTeamScatter(mlir::OpBuilder &builder, graph::ScatterOp op,
                     mlir::Value input, mlir::Value indices,
                     mlir::Value updates, mlir::Value target);
void emitTeamCumulate(mlir::OpBuilder &builder, graph::CumulateOp op,
                      mlir::Value source, mlir::Value target);
void emitTeamTopK(mlir::OpBuilder &builder, graph::TopKOp op,
                  mlir::Value source, mlir::Value values, mlir::Value indices);

} // namespace hone::buffer

#endif // HONE_PASSES_BUFFER_TEAMS_TEAMEMISSION_H
