// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A model's code and weights on one device: loaded once, shared by sessions.
#ifndef HONE_RUNTIME_DEVICE_PROGRAM_H
#define HONE_RUNTIME_DEVICE_PROGRAM_H

#include "runtime/device/Driver.h"

namespace hone {

struct Program {
  struct Function {
    CUfunction handle;
    /// Of dynamic shared memory: what the driver was told to allow.
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

/// Takes a share in the model's program on device `ordinal`, which the first
/// one loads. `weights` lie on the host. Explains a failure.
int32_t openProgram(const hone_descriptor &model, const char *weights,
                    int32_t ordinal, Program **program, Text &text);

/// Takes one more share in a program that is open.
void shareProgram(Program &program);

/// Gives the share back; the last one frees all.
void closeProgram(Program *program);

/// Allows launches of the function with so much dynamic shared memory.
CUresult allowShared(Program &program, int64_t function, uint32_t bytes);

} // namespace hone

#endif // HONE_RUNTIME_DEVICE_PROGRAM_H
