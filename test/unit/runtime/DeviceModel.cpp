// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A model with code for a device, written by hand: launch stubs, the functions
// that they launch (on the fake driver), kernels for the CPU, and one plan.
#include "test/unit/runtime/DeviceModel.h"
#include "test/unit/runtime/FakeDriver.h"

#include <algorithm>

namespace {

constexpr float weights[] = {2.0f};

//===-- The device's functions --------------------------------------------===//

template <typename T> T value(void *param) { return *static_cast<T *>(param); }
template <typename T> T *data(void *param) {
  return onHost<T>(value<void *>(param));
}

/// to[i] = weight * from[i]
void scale(void *const *params) {
  for (int64_t i = 0; i < value<int64_t>(params[3]); ++i)
    data<float>(params[2])[i] =
        *data<float>(params[1]) * data<float>(params[0])[i];
}

void copy(void *const *params) {
  std::copy_n(data<float>(params[0]), value<int64_t>(params[2]),
              data<float>(params[1]));
}

/// Goes on with index 0 after a failure, as compiled code does.
void pick(void *const *params) {
  auto *error = data<hone_device_error>(params[5]);
  int64_t size = value<int64_t>(params[3]);
  for (int64_t i = 0; i < value<int64_t>(params[4]); ++i) {
    int64_t index = data<int64_t>(params[1])[i];
    if (index < 0 || index >= size) {
      if (error->status == 0)
        *error = {HONE_INDEX_OUT_OF_RANGE, 1, index, size};
      index = 0;
    }
    data<float>(params[2])[i] = data<float>(params[0])[index];
  }
}

const FakeFunction twiceFunctions[] = {{"twice_step0", 4, scale},
                                       {"twice_step1", 3, copy}};
const FakeFunction pickFunctions[] = {{"pick_step0", 6, pick}};
const FakeImage twiceImage = {fakeImageMagic, twiceFunctions, 2};
const FakeImage pickImage = {fakeImageMagic, pickFunctions, 1};
const char *const functionNames[] = {"twice_step0", "twice_step1",
                                     "pick_step0"};
const int64_t firstFunction[] = {0, 2, 3, 3};

//===-- Launch stubs ------------------------------------------------------===//

uint32_t blocks(int64_t threads) { return uint32_t((threads + 127) / 128); }

int32_t twiceStub(void *const *ptrs, const int64_t *dims, int64_t, int64_t,
                  hone_kernel_context *context) {
  int64_t n = dims[0];
  void *x = ptrs[0], *weight = ptrs[1], *y = ptrs[2];
  void *scratch = hone_rt_device_scratch(context, 4 * n);
  if (!scratch)
    return HONE_OUT_OF_MEMORY;
  void *first[] = {&x, &weight, &scratch, &n};
  hone_launch launch = {0, {blocks(n), 1, 1}, {128, 1, 1}, 0};
  if (int32_t status = hone_rt_launch(context, &launch, first))
    return status;
  void *second[] = {&scratch, &y, &n};
  launch.step = 1;
  launch.shared_bytes = 64 << 10;
  return hone_rt_launch(context, &launch, second);
}

int32_t pickStub(void *const *ptrs, const int64_t *dims, int64_t, int64_t,
                 hone_kernel_context *context) {
  int64_t n = dims[0], m = dims[1];
  void *x = ptrs[0], *index = ptrs[1], *y = ptrs[2];
  void *params[] = {&x, &index, &y, &n, &m, &context->device_error};
  hone_launch launch = {0, {blocks(m), 1, 1}, {128, 1, 1}, 0};
  return hone_rt_launch(context, &launch, params);
}

//===-- Kernels for the CPU -----------------------------------------------===//

int32_t twiceKernel(void *const *ptrs, const int64_t *dims, int64_t, int64_t,
                    hone_kernel_context *) {
  for (int64_t i = 0; i < dims[0]; ++i)
    static_cast<float *>(ptrs[2])[i] =
        *static_cast<float *>(ptrs[1]) * static_cast<float *>(ptrs[0])[i];
  return 0;
}

int32_t pickKernel(void *const *ptrs, const int64_t *dims, int64_t, int64_t,
                   hone_kernel_context *context) {
  auto *index = static_cast<const int64_t *>(ptrs[1]);
  for (int64_t i = 0; i < dims[1]; ++i) {
    if (index[i] < 0 || index[i] >= dims[0])
      return hone_rt_fail(context->frame, 1, HONE_INDEX_OUT_OF_RANGE, index[i],
                          dims[0]);
    static_cast<float *>(ptrs[2])[i] =
        static_cast<const float *>(ptrs[0])[index[i]];
  }
  return 0;
}

int32_t totalKernel(void *const *ptrs, const int64_t *dims, int64_t, int64_t,
                    hone_kernel_context *) {
  float total = 0;
  for (int64_t i = 0; i < dims[0]; ++i)
    total += static_cast<const float *>(ptrs[0])[i];
  *static_cast<float *>(ptrs[1]) = total;
  return 0;
}

//===-- The plan ----------------------------------------------------------===//

/// Slots: `twice` on the device, and its copy on the host.
int32_t prepare(hone_frame *, const int64_t *freeDims, int64_t *slotBytes,
                int64_t *outputDims) {
  slotBytes[0] = 4 * freeDims[0];
  outputDims[0] = freeDims[0];
  outputDims[1] = freeDims[1];
  return 0;
}

int32_t run(hone_frame *frame) {
  int64_t n = frame->free_dims[0], m = frame->free_dims[1];
  void *x = frame->device_inputs[onDevice::X];
  void *twice = frame->device_arena + frame->slot_offsets[0];
  void *twicePtrs[] = {x, const_cast<char *>(frame->device_weights), twice};
  if (int32_t status = hone_rt_dispatch(frame, 0, twicePtrs, &n, 1, 0))
    return status;
  if (int32_t status =
          hone_rt_copy(frame, frame->device_outputs[onDevice::Twice], twice,
                       4 * n, HONE_COPY_FROM_DEVICE | HONE_COPY_TO_DEVICE, 2))
    return status;
  void *pickPtrs[] = {x, frame->device_inputs[onDevice::Index],
                      frame->device_outputs[onDevice::Picked]};
  int64_t pickDims[] = {n, m};
  if (int32_t status = hone_rt_dispatch(frame, 1, pickPtrs, pickDims, 1, 1))
    return status;
  if (frame->model->output_count <= onDevice::Total)
    return 0;
  void *onHost = frame->arena + frame->slot_offsets[1];
  if (int32_t status =
          hone_rt_copy(frame, onHost, twice, 4 * n, HONE_COPY_FROM_DEVICE, -1))
    return status;
  void *totalPtrs[] = {onHost, frame->outputs[onDevice::Total].as.tensor.data};
  return hone_rt_dispatch(frame, 2, totalPtrs, &n, 1, 3);
}

const char *const freeDimNames[] = {"n", "m"};
const int64_t nDims[] = {HONE_DIM_FREE(0)}, mDims[] = {HONE_DIM_FREE(1)};
constexpr int32_t host = 1 << HONE_PLACE_HOST, device = 1 << HONE_PLACE_DEVICE;
const hone_value_info inputs[] = {
    {"x", nDims, nullptr, HONE_KIND_TENSOR, HONE_TYPE_FLOAT, 1, 0, 0, -1,
     device, 0},
    {"index", mDims, nullptr, HONE_KIND_TENSOR, HONE_TYPE_INT64, 1, 0, 0, -1,
     device, 0},
};
const hone_value_info outputs[] = {
    {"twice", nDims, nullptr, HONE_KIND_TENSOR, HONE_TYPE_FLOAT, 1, 0, 0, -1,
     device, 0},
    {"picked", mDims, nullptr, HONE_KIND_TENSOR, HONE_TYPE_FLOAT, 1, 0, 0, -1,
     device, 0},
    {"total", nullptr, nullptr, HONE_KIND_TENSOR, HONE_TYPE_FLOAT, 0, 0, 0, -1,
     host, 0},
};
const hone_slot slots[] = {{0, 2, 64, HONE_PLACE_DEVICE, -1},
                           {1, 2, 64, HONE_PLACE_HOST, -1}};
const char texts[] = "\0double\0Mul\0pick\0Gather\0twice\0total\0copy";
const hone_node nodes[] = {{1, 8}, {12, 17}};
const hone_step steps[] = {{24, 0, 0, 1, HONE_STEP_KERNEL},
                           {12, 1, 1, 1, HONE_STEP_KERNEL},
                           {36, -1, 0, 0, HONE_STEP_COPY},
                           {30, 2, 0, 2, HONE_STEP_KERNEL}};
const uint32_t stepNodes[] = {0, 1};
const hone_work work[] = {{0, 1, 1}, {0, -1, -1}, {0, -1, -1}};
const hone_term terms[] = {
    {1, {0, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1}},
    {8, {0, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1}}};

hone_device_image image(const char *chip, int32_t kind, const FakeImage &data,
                        int64_t first, int64_t end) {
  return {chip, &data, sizeof(data), kind, 0, first, end};
}

} // namespace

onDevice::Model::Model(bool mixesPlaces)
    : images{image("sm_80", HONE_IMAGE_CUBIN, twiceImage, 0, 2),
             image("sm_90a", HONE_IMAGE_CUBIN, twiceImage, 0, 2),
             image("sm_80", HONE_IMAGE_CUBIN, pickImage, 2, 3),
             image("sm_90a", HONE_IMAGE_CUBIN, pickImage, 2, 3),
             image("sm_80", HONE_IMAGE_PTX, pickImage, 2, 3)},
      stubs{twiceStub, pickStub, nullptr},
      cpuKernels{twiceKernel, pickKernel, totalKernel} {
  device = {HONE_FAKE_DRIVER,   images, 5, stubs, firstFunction, functionNames,
            &hone_rt_device_api};
  level = {"x86-64", 0, cpuKernels, 0, nullptr};
  descriptor = {};
  descriptor.abi_version = HONE_ABI_VERSION;
  descriptor.size = sizeof(descriptor);
  descriptor.name = "device";
  descriptor.producer = "by hand";
  descriptor.api = &hone_rt_api;
  descriptor.prepare = prepare;
  descriptor.run = run;
  descriptor.inputs = inputs;
  descriptor.outputs = outputs;
  descriptor.input_count = InputCount;
  descriptor.output_count = mixesPlaces ? OutputCount : int(Total);
  descriptor.free_dim_names = freeDimNames;
  descriptor.free_dim_count = 2;
  descriptor.slots = slots;
  descriptor.slot_count = 2;
  descriptor.arena_bytes = descriptor.lower_bound_bytes = -1;
  descriptor.device_arena_bytes = descriptor.device_lower_bound_bytes = -1;
  descriptor.weights = reinterpret_cast<const char *>(weights);
  descriptor.weight_bytes = sizeof(weights);
  descriptor.levels = &level;
  descriptor.level_count = 1;
  descriptor.kernel_count = 3;
  descriptor.texts = texts;
  descriptor.nodes = nodes;
  descriptor.node_count = 2;
  descriptor.steps = steps;
  descriptor.step_count = 4;
  descriptor.step_nodes = stepNodes;
  descriptor.kernel_work = work;
  descriptor.work_terms = terms;
  descriptor.memory = HONE_MEMORY_PLANNED;
  descriptor.plan = mixesPlaces ? 0 : HONE_PLAN_STATIC;
  descriptor.device = &device;
}

namespace {

__attribute__((section(HONE_SEAL_SECTION), used)) const hone_seal_note seal = {
    sizeof(seal.name),
    sizeof(hone_seal),
    HONE_SEAL_TYPE,
    HONE_SEAL_NAME,
    {HONE_ABI_VERSION, 0, 0, 0, 0, "hone_device_model"}};

} // namespace

extern "C" __attribute__((visibility("default"))) const hone_descriptor *
hone_device_model(void) {
  static onDevice::Model model;
  return &model.descriptor;
}
