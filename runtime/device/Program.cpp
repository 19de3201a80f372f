// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loads a model's code and weights onto a device.
#include "runtime/device/Program.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

using namespace hone;

namespace {

pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
Program *programs = nullptr;

/// How well an image fits a device of compute capability 10 * major + minor; 0:
/// not at all. Machine code is preferred to PTX, which the driver must
/// translate.
int32_t fitness(const hone_device_image &image, int32_t capability) {
  const char *digits = strchr(image.chip, '_');
  char *suffix = nullptr;
  auto chip = int32_t(digits ? strtol(digits + 1, &suffix, 10) : 0);
  bool onlyThisChip = suffix && *suffix;
  switch (image.kind) {
  case HONE_IMAGE_EMULATED:
    return chip == capability ? 2 : 1;
  case HONE_IMAGE_CUBIN:
    if (onlyThisChip)
      return chip == capability ? 20000 : 0;
    return chip / 10 == capability / 10 && chip <= capability ? 10000 + chip
                                                              : 0;
  case HONE_IMAGE_PTX:
    if (onlyThisChip)
      return chip == capability ? 5000 : 0;
    return chip <= capability ? chip : 0;
  default:
    return 0;
  }
}

/// Makes one program, step by step; if a step fails, closing the program frees
/// what exists.
class Loader {
public:
  Loader(Program &program, Text &text)
      : program(program), driver(program.driver), model(*program.model),
        text(text) {}

  int32_t load(const char *weights) {
    if (!driver.open(model.device->driver, text))
      return HONE_NO_DEVICE;
    if (!findDevice())
      return HONE_NO_DEVICE;
    CUresult result =
        driver.cuDevicePrimaryCtxRetain(&program.context, program.device);
    if (result != CUDA_SUCCESS) {
      program.context = nullptr;
      fail("cannot be used", result)
          .add(": another program may hold it, see 'nvidia-smi'");
      return HONE_NO_DEVICE;
    }
    CurrentContext current(driver, program.context);
    if (current.result != CUDA_SUCCESS) {
      fail("cannot be used", current.result)
          .add(": restart the process, or choose another device");
      return HONE_NO_DEVICE;
    }
    if (int32_t status = loadCode())
      return status;
    return loadWeights(weights);
  }

private:
  Text &fail(const char *what, CUresult result) {
    text.add("device %" PRId32 ", %s, %s: ", program.ordinal, program.name,
             what);
    return driver.addError(result, text);
  }

  bool findDevice() {
    int count = 0;
    CUresult result = driver.cuInit(0);
    if (result == CUDA_SUCCESS)
      result = driver.cuDeviceGetCount(&count);
    if (result == CUDA_ERROR_NO_DEVICE ||
        (result == CUDA_SUCCESS && count == 0)) {
      text.add(
          "the driver finds no device: check whether 'nvidia-smi' lists one "
          "and whether this container or user may use it");
      return false;
    }
    if (result != CUDA_SUCCESS) {
      driver.addError(result, text.add("the driver does not start: "))
          .add(": check 'nvidia-smi'; after an update of the driver "
               "the machine must be restarted");
      return false;
    }
    if (program.ordinal < 0 || program.ordinal >= count) {
      text.add("there is no device %" PRId32 ": devices 0 to %d exist; choose "
               "one of them in the session's options or in HONE_DEVICE",
               program.ordinal, count - 1);
      return false;
    }
    char name[128] = "";
    int major = 0, minor = 0;
    result = driver.cuDeviceGet(&program.device, program.ordinal);
    if (result == CUDA_SUCCESS)
      result = driver.cuDeviceGetName(name, sizeof(name), program.device);
    if (result == CUDA_SUCCESS)
      result = driver.cuDeviceGetAttribute(
          &major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, program.device);
    if (result == CUDA_SUCCESS)
      result = driver.cuDeviceGetAttribute(
          &minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, program.device);
    if (result != CUDA_SUCCESS) {
      driver
          .addError(result, text.add("the driver does not describe device "
                                     "%" PRId32 ": ",
                                     program.ordinal))
          .add(": choose another device in HONE_DEVICE");
      return false;
    }
    capability = 10 * major + minor;
    Text(program.name, sizeof(program.name))
        .add("%s (sm_%" PRId32 ")", name, capability);
    return true;
  }

  int32_t loadCode() {
    const hone_device &code = *model.device;
    int64_t count = code.first_function[model.kernel_count];
    program.functions = static_cast<Program::Function *>(
        calloc(size_t(count) + 1, sizeof(Program::Function)));
    program.modules = static_cast<CUmodule *>(
        calloc(size_t(code.image_count) + 1, sizeof(CUmodule)));
    if (!program.functions || !program.modules) {
      text.add("out of memory for the table of the device's functions");
      return HONE_OUT_OF_MEMORY;
    }
    for (int64_t next = 0; next < count;) {
      const hone_device_image *image = bestImage(next);
      if (!image)
        return noImage(next);
      if (int32_t status = loadImage(*image))
        return status;
      next = image->end_function;
    }
    return HONE_OK;
  }

  const hone_device_image *bestImage(int64_t function) const {
    const hone_device &code = *model.device;
    const hone_device_image *best = nullptr;
    for (int64_t i = 0; i < code.image_count; ++i) {
      const hone_device_image &image = code.images[i];
      if (image.first_function <= function && function < image.end_function &&
          fitness(image, capability) > (best ? fitness(*best, capability) : 0))
        best = &image;
    }
    return best;
  }

  int32_t noImage(int64_t function) {
    const hone_device &code = *model.device;
    text.add("device %" PRId32 ", %s, cannot run the model, which has code for",
             program.ordinal, program.name);
    const char *separator = "";
    for (int64_t i = 0; i < code.image_count; ++i) {
      const hone_device_image &image = code.images[i];
      if (image.first_function > function || function >= image.end_function)
        continue;
      text.add("%s %s%s", separator, image.chip,
               image.kind == HONE_IMAGE_PTX ? " (PTX)" : "");
      separator = ",";
    }
    text.add("%s: compile it with --gpu=sm_%" PRId32,
             *separator ? "" : " no chip", capability);
    return HONE_NO_DEVICE;
  }

  int32_t loadImage(const hone_device_image &image) {
    const char *const *names = model.device->functions;
    CUmodule module = nullptr;
    CUresult result = driver.cuModuleLoadData(&module, image.data);
    if (result != CUDA_SUCCESS)
      return refused(image, result);
    program.modules[program.moduleCount++] = module;
    for (int64_t i = image.first_function; i < image.end_function; ++i) {
      result = driver.cuModuleGetFunction(&program.functions[i].handle, module,
                                          names[i]);
      if (result != CUDA_SUCCESS) {
        fail(names[i], result).add(": compile the model again");
        return HONE_BAD_MODEL;
      }
    }
    return HONE_OK;
  }

  int32_t refused(const hone_device_image &image, CUresult result) {
    if (result == CUDA_ERROR_OUT_OF_MEMORY) {
      fail("out of memory for the model's code", result)
          .add(": free device memory, or choose another one");
      return HONE_OUT_OF_MEMORY;
    }
    int version = 0;
    if (result == CUDA_ERROR_UNSUPPORTED_PTX_VERSION &&
        driver.cuDriverGetVersion(&version) == CUDA_SUCCESS) {
      text.add("the driver (CUDA %d.%d) is too old for the model's PTX: update "
               "it, or compile the model with --gpu=sm_%" PRId32,
               version / 1000, version % 1000 / 10, capability);
      return HONE_NO_DEVICE;
    }
    fail("the driver refuses the model's code", result)
        .add(" for %s%s: update the driver, or compile the model "
             "with --gpu=sm_%" PRId32,
             image.chip, image.kind == HONE_IMAGE_PTX ? " (PTX)" : "",
             capability);
    return HONE_NO_DEVICE;
  }

  int32_t loadWeights(const char *weights) {
    if (model.weight_bytes <= 0)
      return HONE_OK;
    auto bytes = size_t(model.weight_bytes);
    CUresult result = driver.cuMemAlloc_v2(&program.weights, bytes);
    if (result != CUDA_SUCCESS) {
      program.weights = 0;
      fail("no memory", result)
          .add(" for %" PRId64 " bytes of weights: free device memory, "
               "or choose another one",
               model.weight_bytes);
      return HONE_OUT_OF_MEMORY;
    }
    // On the default stream, and complete before any session's stream works.
    result =
        driver.cuMemcpyHtoDAsync_v2(program.weights, weights, bytes, nullptr);
    if (result == CUDA_SUCCESS)
      result = driver.cuStreamSynchronize(nullptr);
    if (result != CUDA_SUCCESS) {
      fail("the weights cannot be copied", result)
          .add(": restart the process, or choose another device");
      return HONE_DEVICE_FAILED;
    }
    return HONE_OK;
  }

  Program &program;
  Driver &driver;
  const hone_descriptor &model;
  Text &text;
  int32_t capability = 0;
};

void freeProgram(Program *program) {
  Driver &driver = program->driver;
  if (program->context) {
    CurrentContext current(driver, program->context);
    if (program->weights)
      driver.cuMemFree_v2(program->weights);
    for (int64_t i = 0; i < program->moduleCount; ++i)
      driver.cuModuleUnload(program->modules[i]);
  }
  if (program->context)
    driver.cuDevicePrimaryCtxRelease_v2(program->device);
  if (driver.library)
    driver.close();
  free(program->functions);
  free(program->modules);
  free(program);
}

} // namespace

int32_t hone::openProgram(const hone_descriptor &model, const char *weights,
                          int32_t ordinal, Program **result, Text &text) {
  pthread_mutex_lock(&lock);
  Program *program = programs;
  while (program && (program->model != &model || program->ordinal != ordinal))
    program = program->next;
  int32_t status = HONE_OK;
  if (!program) {
    program = static_cast<Program *>(calloc(1, sizeof(Program)));
    if (!program) {
      text.add("out of memory for the device's tables");
      status = HONE_OUT_OF_MEMORY;
    } else {
      program->model = &model;
      program->ordinal = ordinal;
      status = Loader(*program, text).load(weights);
      if (status != HONE_OK) {
        freeProgram(program);
      } else {
        program->next = programs;
        programs = program;
      }
    }
  }
  if (status == HONE_OK) {
    ++program->shares;
    *result = program;
  }
  pthread_mutex_unlock(&lock);
  return status;
}

void hone::shareProgram(Program &program) {
  pthread_mutex_lock(&lock);
  ++program.shares;
  pthread_mutex_unlock(&lock);
}

void hone::closeProgram(Program *program) {
  pthread_mutex_lock(&lock);
  if (--program->shares == 0) {
    Program **link = &programs;
    while (*link != program)
      link = &(*link)->next;
    *link = program->next;
    freeProgram(program);
  }
  pthread_mutex_unlock(&lock);
}

CUresult hone::allowShared(Program &program, int64_t function, uint32_t bytes) {
  Program::Function &entry = program.functions[function];
  if (__atomic_load_n(&entry.sharedBytes, __ATOMIC_ACQUIRE) >= bytes)
    return CUDA_SUCCESS;
  // Two sessions must not lower each other's limit.
  pthread_mutex_lock(&lock);
  CUresult result = CUDA_SUCCESS;
  if (entry.sharedBytes < bytes)
    result = program.driver.cuFuncSetAttribute(
        entry.handle, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
        int(bytes));
  if (result == CUDA_SUCCESS && entry.sharedBytes < bytes)
    __atomic_store_n(&entry.sharedBytes, int64_t(bytes), __ATOMIC_RELEASE);
  pthread_mutex_unlock(&lock);
  return result;
}
