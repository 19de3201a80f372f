// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A model with code for a device, written by hand.
#ifndef HONE_TEST_UNIT_RUNTIME_DEVICEMODEL_H
#define HONE_TEST_UNIT_RUNTIME_DEVICEMODEL_H

#include "hone/abi.h"

/// Inputs: x float[n], index int64[m]. Outputs: twice float[n] = 2x (two steps,
/// through scratch memory and a slot on the device), picked float[m] = x at
/// `index`, which the device checks, and, where the model mixes places, total
/// float[] = sum of `twice`, by a kernel of the host.
namespace onDevice {
enum Input { X, Index, InputCount };
enum Output { Twice, Picked, Total, OutputCount };

/// Descriptor with all that it points at; a test may change any of it.
struct Model {
  explicit Model(bool mixesPlaces = false);
  Model(const Model &) = delete;

  hone_descriptor descriptor;
  hone_device device;
  hone_device_image images[5];
  hone_level level;
  hone_kernel_fn stubs[3], cpuKernels[3];
};
} // namespace onDevice

#endif // HONE_TEST_UNIT_RUNTIME_DEVICEMODEL_H
