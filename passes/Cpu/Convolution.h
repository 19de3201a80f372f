// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The emitters of convolutions that sum over channels.
#ifndef HONE_PASSES_CPU_CONVOLUTION_H
#define HONE_PASSES_CPU_CONVOLUTION_H

#include "dialects/Graph/KernelOps.h"
#include "passes/Emit/Window.h"

namespace hone {

/// Channels last, filter in panels.
void emitPanelConvolution(Emitter &e, const CpuMachine &machine,
                          graph::KernelConvOp op);
/// Any layout, plain filter, also transposed.
void emitPlainConvolution(Emitter &e, const CpuMachine &machine,
                          graph::KernelConvOp op);

} // namespace hone

#endif // HONE_PASSES_CPU_CONVOLUTION_H
