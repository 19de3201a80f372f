// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels of a device: a launch stub for the host, and code for each chip.
#ifndef HONE_COMPILER_DRIVER_DEVICEKERNELS_H
#define HONE_COMPILER_DRIVER_DEVICEKERNELS_H

#include "compiler/Driver/Kernels.h"
#include "compiler/Target/Cuda/Assembler.h"
#include "compiler/Target/Cuda/Chips.h"

namespace hone {

/// What `--target` and `--gpu` ask for.
struct Targets {
  bool cpu = true;       ///< CPU levels have every kernel
  bool cuda = false;     ///< kernels for the chips
  bool emulated = false; ///< kernels for the emulator, in the tests
  std::vector<GpuChip> chips;
  std::string ptxas; ///< "": PTX alone

  bool hasDevice() const { return cuda || emulated; }
  /// What kernels are lowered for, once for all chips: the largest of them, as
  /// a small one is busy with what keeps a large one so.
  GpuMachine machine() const;
  /// The library that the runtime opens.
  std::string driver() const;
};

/// Reads "cuda,cpu" and "sm_80,sm_90a". The assembler has to know the chips if
/// it will be used.
llvm::Expected<Targets> parseTargets(llvm::StringRef target,
                                     llvm::StringRef gpu, bool assembles);

/// A module of one kernel, for a machine.
mlir::OwningOpRef<mlir::ModuleOp>
isolateDeviceKernel(mlir::func::FuncOp kernel, const GpuMachine &machine);

/// Takes the module of one kernel up to and including `phase` (tile, buffer or
/// llvm): a stub, and a gpu.module.
mlir::LogicalResult lowerDeviceKernel(mlir::ModuleOp module, Phase phase);

struct DeviceKernelJob {
  mlir::func::FuncOp kernel;
  const Targets *targets;
  const CpuLevel *level; ///< of the stub
  std::string directory; ///< for temporary files
};

struct DeviceKernelCode {
  llvm::SmallVector<char, 0> object; ///< the stub, and the images as constants
  std::string stub;                  ///< its symbol
  std::vector<std::string> functions;
  std::vector<ImageInfo> images; ///< functions are counted from 0
  std::vector<FunctionResources> resources;
  std::string remarks; ///< of the assembler
};

llvm::Error compileDeviceKernel(const DeviceKernelJob &job,
                                DeviceKernelCode &result);

/// One PTX module of all kernels of the device; "" where there are none.
llvm::Expected<std::string> devicePtx(mlir::ModuleOp module,
                                      const GpuChip &chip);

} // namespace hone

#endif // HONE_COMPILER_DRIVER_DEVICEKERNELS_H
