// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Channelwise windows over channels-last inputs: depthwise convolution and
// pooling.
#ifndef HONE_PASSES_CPU_CHANNELWINDOW_H
#define HONE_PASSES_CPU_CHANNELWINDOW_H

#include "passes/Cpu/MicroKernel.h"
#include "passes/Emit/Epilogue.h"
#include "passes/Emit/WindowReduction.h"

namespace hone {

/// How products of bytes are added up over a window.
struct ByteSums {
  const MicroKernel *dot; ///< Null: the machine has no dot products of bytes.
  mlir::Type type;        ///< Of the sums.
};
ByteSums byteSums(const CpuMachine &machine, llvm::ArrayRef<int64_t> kernel,
                  mlir::Type accumulator);

/// Emits one `scf.forall` over rows and blocks of channels. `taps` is
/// [kernel.., channels], for `Weighted`; then padding reads as `fill`.
void emitChannelWindow(Emitter &e, const CpuMachine &machine,
                       const FlatBuffer &input, const FlatBuffer *taps,
                       const Window &window, const WindowReduction &reduction,
                       mlir::Type accumulator, Epilogue &epilogue,
                       int64_t fill = 0);

} // namespace hone

#endif // HONE_PASSES_CPU_CHANNELWINDOW_H
