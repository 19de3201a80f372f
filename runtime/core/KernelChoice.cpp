// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Chooses a session's kernels: those of a device, or of a CPU level.
#include "runtime/core/CpuLevel.h"
#include "runtime/core/Session.h"
#include "runtime/device/Device.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

using namespace hone;

namespace {

struct DeviceWish {
  int32_t ordinal = 0;
  bool isNamed = false; ///< no other device, nor the CPU, will do
  bool cpu = false;
};

/// From the options, else from HONE_DEVICE.
bool readWish(int32_t option, DeviceWish &wish, Text &text) {
  wish.ordinal = option;
  wish.isNamed = option > 0;
  wish.cpu = option == HONE_DEVICE_CPU;
  const char *name = getenv("HONE_DEVICE");
  if (option != 0 || !name || !*name)
    return true;
  wish.cpu = strcmp(name, "cpu") == 0;
  if (wish.cpu)
    return true;
  char *end = nullptr;
  errno = 0;
  long number = strtol(name, &end, 10);
  if (*end || errno || number < 0 || number > INT32_MAX) {
    text.add("HONE_DEVICE is '%s'; it must be a device number or "
             "'cpu'",
             name);
    return false;
  }
  wish.ordinal = int32_t(number);
  wish.isNamed = true;
  return true;
}

/// The first kernel without code in this table; -1: none.
int64_t missingKernel(const hone_descriptor &model,
                      const hone_kernel_fn *kernels) {
  for (int64_t i = 0; i < model.kernel_count; ++i)
    if (!kernels[i])
      return i;
  return -1;
}

} // namespace

const hone_level *hone::chooseLevel(const hone_descriptor &model,
                                    const char *name, Text &text) {
  if (!name || !*name)
    name = getenv("HONE_CPU");
  uint64_t features = cpuFeatures();
  for (int64_t i = model.level_count; i-- > 0;) {
    const hone_level &level = model.levels[i];
    bool named = name && *name;
    if (named && strcmp(level.name, name) != 0)
      continue;
    if ((level.features & ~features) == 0 && enableFeatures(level.features))
      return &level;
    if (named) {
      text.add("this processor lacks features of level '%s'", name);
      return nullptr;
    }
  }
  if (name && *name)
    text.add("the model has no CPU level '%s'; it has", name);
  else
    text.add("this processor supports none of the model's CPU levels");
  for (int64_t i = 0; i < model.level_count; ++i)
    text.add("%s '%s'", i ? "," : "", model.levels[i].name);
  return nullptr;
}

int32_t hone::chooseDevice(hone_session &s, int32_t option, Text &text) {
  const hone_descriptor &model = *s.model;
  DeviceWish wish;
  if (!readWish(option, wish, text))
    return HONE_WRONG_CALL;
  if (!model.device) {
    // The variable applies to all models of a process, also those for the CPU.
    if (option <= 0)
      return HONE_OK;
    text.add("device %" PRId32 " was requested, but the model has code for the "
             "CPU only: compile it with --target=cuda",
             option);
    return HONE_NO_DEVICE;
  }
  bool cpuCan = missingKernel(model, s.level->kernels) < 0;
  if (wish.cpu && !cpuCan) {
    text.add("the model has code for a device only and cannot run on the CPU: "
             "choose a device, or compile it with --target=cuda,cpu");
    return HONE_NO_DEVICE;
  }
  if (!wish.cpu) {
    Text note(s.deviceNote, sizeof(s.deviceNote));
    int32_t status = model.device->api->open(s, wish.ordinal, note);
    if (status != HONE_OK && (wish.isNamed || !cpuCan)) {
      text.add("%s", s.deviceNote);
      return status;
    }
  }
  for (int64_t i = 0; i < model.kernel_count; ++i)
    s.kernels[i] = s.device && model.device->kernels[i]
                       ? model.device->kernels[i]
                       : s.level->kernels[i];
  s.frame.kernels = s.kernels;
  int64_t missing = missingKernel(model, s.kernels);
  if (missing < 0)
    return HONE_OK;
  text.add("the model has no code for kernel %" PRId64 ": compile it again",
           missing);
  return HONE_BAD_MODEL;
}
