// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A model's code and weights on one device: loaded once, shared by sessions.
#ifndef HONE_RUNTIME_DEVICE_PROGRAM_H
#define HONE_RUNTIME_DEVICE_PROGRAM_H

#include "runtime/device/Driver.h"

namespace hone {

struct Program {
  struct Function {
    CUfunction handle;
    /// Limit on dynamic shared memory, as set in the driver.
    int64_t sharedBytes;
  };

  const hone_descriptor *model;
  int32_t ordinal;
  int64_t shares;
  Program *next;

  Driver driver;
  CUdevice device;
  CUcontext context;
  CUmodule *modules;
  int64_t moduleCount;
  Function *functions;
  CUdeviceptr weights;
  char name[160]; ///< "NVIDIA H200 (sm_90)"
};

/// Acquires the model's program on device `ordinal`, which the first session
/// loads. `weights` are on the host. Explains a failure.
int32_t openProgram(const hone_descriptor &model, const char *weights,
                    int32_t ordinal, Program **program, Text &text);

/// Acquires a program that is open.
void shareProgram(Program &program);

/// Releases the program; the last one frees everything.
void closeProgram(Program *program);

/// Allows launches of the function with so much dynamic shared memory.
CUresult allowShared(Program &program, int64_t function, uint32_t bytes);

} // namespace hone

#endif // HONE_RUNTIME_DEVICE_PROGRAM_H
