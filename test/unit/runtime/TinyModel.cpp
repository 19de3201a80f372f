// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A model written by hand, as the compiler would generate one.
#include "test/unit/runtime/TinyModel.h"

int *tiny::pieceCounts = nullptr;
void (*tiny::onPiece)(int64_t, int64_t) = nullptr;
int64_t tiny::extraBlockBytes = 0;

namespace {

constexpr float weights[] = {2.0f};
const char texts[] =
    "\0double\0Mul\0pick\0Gather\0join\0Concat\0twice\0hand_over";
const hone_node nodes[] = {{1, 8}, {12, 17}, {24, 29}};
const hone_step steps[] = {{36, 0, 0, 1, HONE_STEP_KERNEL},
                           {42, 2, 1, 2, HONE_STEP_KERNEL},
                           {12, 1, 1, 1, HONE_STEP_KERNEL}};
const uint32_t stepNodes[] = {0, 1, 2};
const hone_work work[] = {{0, 1, 2}, {3, 0, 1}, {4, -1, 1}};
constexpr int16_t no = -1;
const hone_term terms[] = {
    {4, {0, no, no, no, no, no, no, no, no, no, no, no}},
    {32, {0, no, no, no, no, no, no, no, no, no, no, no}},
    {4, {no, no, no, no, no, no, no, no, no, no, no, no}},
    {16, {1, no, no, no, no, no, no, no, no, no, no, no}},
    {32, {0, no, no, no, no, no, no, no, no, no, no, no}},
};

/// twice[i] = weight * x[i]; rows are split into pieces. Uses scratch, as a
/// kernel with packing would.
int32_t twiceKernel(void *const *ptrs, const int64_t *dims, int64_t begin,
                    int64_t end, hone_kernel_context *context) {
  auto *x = static_cast<const float *>(ptrs[0]);
  auto *weight = static_cast<const float *>(ptrs[1]);
  auto *y = static_cast<float *>(ptrs[2]);
  auto *scratch = static_cast<float *>(context->scratch);
  for (int64_t piece = begin; piece < end; ++piece) {
    if (tiny::pieceCounts)
      __atomic_fetch_add(&tiny::pieceCounts[piece], 1, __ATOMIC_RELAXED);
    if (tiny::onPiece)
      tiny::onPiece(piece, context->thread);
    int64_t rows = dims[0];
    for (int64_t i = 4 * (rows * piece / tiny::pieces);
         i < 4 * (rows * (piece + 1) / tiny::pieces); ++i) {
      scratch[i % 4] = x[i];
      y[i] = *weight * scratch[i % 4];
    }
  }
  return 0;
}

int32_t pickKernel(void *const *ptrs, const int64_t *dims, int64_t, int64_t,
                   hone_kernel_context *context) {
  auto *x = static_cast<const float *>(ptrs[0]);
  auto *index = static_cast<const int64_t *>(ptrs[1]);
  auto *y = static_cast<float *>(ptrs[2]);
  for (int64_t i = 0; i < dims[1]; ++i) {
    if (index[i] < 0 || index[i] >= dims[0])
      return hone_rt_fail(context->frame, 1, HONE_INDEX_OUT_OF_RANGE, index[i],
                          dims[0]);
    y[i] = x[index[i]];
  }
  return 0;
}

int32_t copyKernel(void *const *ptrs, const int64_t *dims, int64_t, int64_t,
                   hone_kernel_context *) {
  for (int64_t i = 0; i < 4 * dims[0]; ++i)
    static_cast<float *>(ptrs[1])[i] = static_cast<const float *>(ptrs[0])[i];
  return 0;
}

const hone_kernel_fn kernels[] = {twiceKernel, pickKernel, copyKernel};

/// Two slots: the doubled rows, and a byte for nothing in particular. More than
/// 1000 rows do not fit this model.
int32_t prepare(hone_frame *frame, const int64_t *freeDims, int64_t *slotBytes,
                int64_t *outputDims) {
  if (freeDims[0] > 1000)
    return hone_rt_fail(frame, 2, HONE_SHAPE_MISMATCH, 0, 0);
  slotBytes[0] = 16 * freeDims[0];
  outputDims[0] = freeDims[0];
  outputDims[1] = 4;
  outputDims[2] = freeDims[1];
  outputDims[3] = -1;
  return 0;
}

int32_t setPositive(hone_frame *frame, const float *x, int64_t elements) {
  if (tiny::extraBlockBytes > 0) {
    void *block = hone_rt_alloc(frame, -1, tiny::extraBlockBytes);
    if (!block)
      return HONE_OUT_OF_MEMORY;
    hone_rt_free(frame, block);
  }
  auto *found = static_cast<int64_t *>(hone_rt_alloc(frame, -1, 8 * elements));
  if (!found)
    return HONE_OUT_OF_MEMORY;
  int64_t count = 0;
  for (int64_t i = 0; i < elements; ++i)
    if (x[i] > 0)
      found[count++] = i;
  return hone_rt_set_output(frame, tiny::Positive, found, 1, &count);
}

int32_t run(hone_frame *frame) {
  void *x = frame->inputs[tiny::X].as.tensor.data;
  int64_t b = frame->free_dims[0], n = frame->free_dims[1];
  void *doubled = frame->arena + frame->slot_offsets[0];
  void *twicePtrs[] = {x, const_cast<char *>(frame->weights), doubled};
  int64_t twiceDims[] = {b, b};
  if (int32_t status =
          hone_rt_dispatch(frame, 0, twicePtrs, twiceDims, tiny::pieces, 0))
    return status;
  void *copyPtrs[] = {doubled, frame->outputs[tiny::Twice].as.tensor.data};
  if (int32_t status = hone_rt_dispatch(frame, 2, copyPtrs, &b, 1, 1))
    return status;
  void *pickPtrs[] = {x, frame->inputs[tiny::Index].as.tensor.data,
                      frame->outputs[tiny::Picked].as.tensor.data};
  int64_t pickDims[] = {4 * b, n};
  if (int32_t status = hone_rt_dispatch(frame, 1, pickPtrs, pickDims, 1, 2))
    return status;
  if (int32_t status = setPositive(frame, static_cast<const float *>(x), 4 * b))
    return status;

  int64_t dims[] = {b, 4};
  const hone_sequence *grown =
      hone_rt_sequence_append(frame, frame->inputs[tiny::Table].as.sequence,
                              doubled, HONE_TYPE_FLOAT, 2, dims);
  if (!grown)
    return HONE_OUT_OF_MEMORY;
  hone_value value = {};
  value.kind = HONE_KIND_SEQUENCE;
  value.as.sequence = grown;
  if (int32_t status = hone_rt_set_output_value(frame, tiny::Grown, &value))
    return status;
  return hone_rt_set_output_value(frame, tiny::Maybe,
                                  &frame->inputs[tiny::Extra]);
}

const char *const freeDimNames[] = {"b", "n"};
const int64_t rowDims[] = {HONE_DIM_FREE(0), 4};
const int64_t indexDims[] = {HONE_DIM_FREE(1)};
const int64_t unknownDims[] = {HONE_DIM_UNKNOWN};
const int64_t extraDims[] = {4};
const char *const positiveNames[] = {"found"};

const hone_value_info inputs[] = {
    {"x", rowDims, nullptr, HONE_KIND_TENSOR, HONE_TYPE_FLOAT, 2, 0, 0, -1, 1,
     0},
    {"index", indexDims, nullptr, HONE_KIND_TENSOR, HONE_TYPE_INT64, 1, 0, 0,
     -1, 1, 0},
    {"table", nullptr, nullptr, HONE_KIND_SEQUENCE, HONE_TYPE_FLOAT, -1,
     HONE_KIND_TENSOR, 0, -1, 1, 0},
    {"extra", extraDims, nullptr, HONE_KIND_OPTIONAL, HONE_TYPE_FLOAT, 1,
     HONE_KIND_TENSOR, 0, -1, 1, 0},
};
const hone_value_info outputs[] = {
    {"twice", rowDims, nullptr, HONE_KIND_TENSOR, HONE_TYPE_FLOAT, 2, 0, 0, -1,
     1, 0},
    {"picked", indexDims, nullptr, HONE_KIND_TENSOR, HONE_TYPE_FLOAT, 1, 0, 0,
     -1, 1, 0},
    {"positive", unknownDims, positiveNames, HONE_KIND_TENSOR, HONE_TYPE_INT64,
     1, 0, 0, -1, 1, 0},
    {"grown", nullptr, nullptr, HONE_KIND_SEQUENCE, HONE_TYPE_FLOAT, -1,
     HONE_KIND_TENSOR, 0, -1, 1, 0},
    {"may/be", extraDims, nullptr, HONE_KIND_OPTIONAL, HONE_TYPE_FLOAT, 1,
     HONE_KIND_TENSOR, 0, -1, 1, 0},
};
const hone_slot slots[] = {{0, 3, 64, HONE_PLACE_HOST, -1},
                           {1, 2, 64, HONE_PLACE_HOST, 1}};
const hone_level levels[] = {
    {"x86-64", 0, kernels, 64, nullptr},
    {"never", 1ull << 63, kernels, 64, nullptr},
};

const hone_descriptor model = {
    HONE_ABI_VERSION,
    sizeof(hone_descriptor),
    "tiny",
    "by hand",
    &hone_rt_api,
    prepare,
    run,
    inputs,
    outputs,
    tiny::InputCount,
    tiny::OutputCount,
    freeDimNames,
    2,
    slots,
    nullptr,
    2,
    -1,
    -1,
    reinterpret_cast<const char *>(weights),
    sizeof(weights),
    nullptr,
    levels,
    2,
    3,
    nullptr,
    texts,
    nodes,
    3,
    HONE_MEMORY_PLANNED | HONE_MEMORY_UNBOUNDED,
    0,
    nullptr,
    -1,
    -1,
    0x4f3ec3409f0d3777,
    steps,
    3,
    stepNodes,
    work,
    terms,
};

__attribute__((section(HONE_SEAL_SECTION), used))
const hone_seal_note seal = {sizeof(seal.name),
                             sizeof(hone_seal),
                             HONE_SEAL_TYPE,
                             HONE_SEAL_NAME,
                             {HONE_ABI_VERSION, 0, 0, 0, 0, "hone_tiny_model"}};

} // namespace

extern "C" __attribute__((visibility("default"))) const hone_descriptor *
hone_tiny_model(void) {
  return &model;
}
