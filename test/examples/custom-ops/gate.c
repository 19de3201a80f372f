/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* FusedRMSNormGate of the domain com.example:
 *   y = x / sqrt(mean(x * x) + epsilon) * weight * silu(gate)
 * over the last dimension, in parallel over the rows. */
#include <hone/custom.h>
#include <math.h>

typedef struct {
  const float *x, *gate, *weight;
  float *y;
  int64_t width;
  float epsilon;
} Rows;

static int32_t shape(hone_custom_call *call) {
  if (call->input_count != 3 || call->output_count != 1)
    return hone_custom_fail(call, "it has inputs x, gate and weight");
  const hone_tensor *x = &call->inputs[0], *gate = &call->inputs[1];
  for (int32_t i = 0; i < 3; ++i)
    if (call->inputs[i].type != HONE_TYPE_FLOAT)
      return hone_custom_fail(call, "its inputs must be of float");
  if (x->rank < 1 || gate->rank != x->rank || call->inputs[2].rank != 1)
    return hone_custom_fail(call, "x and gate need one rank, weight rank 1");
  for (int32_t i = 0; i < x->rank; ++i)
    if (x->dims[i] >= 0 && gate->dims[i] >= 0 && x->dims[i] != gate->dims[i])
      return hone_custom_fail(call, "x and gate differ in size");
  hone_custom_same_shape(call, 0, 0);
  return 0;
}

static int32_t run_rows(void *task, int64_t begin, int64_t end,
                        int64_t thread) {
  const Rows *rows = task;
  (void)thread;
  for (int64_t row = begin; row < end; ++row) {
    const float *x = rows->x + row * rows->width;
    const float *gate = rows->gate + row * rows->width;
    float *y = rows->y + row * rows->width, sum = 0;
    for (int64_t i = 0; i < rows->width; ++i)
      sum += x[i] * x[i];
    float scale = 1 / sqrtf(sum / (float)rows->width + rows->epsilon);
    for (int64_t i = 0; i < rows->width; ++i)
      y[i] = x[i] * scale * rows->weight[i] * gate[i] / (1 + expf(-gate[i]));
  }
  return 0;
}

static int32_t run(hone_custom_call *call) {
  const hone_tensor *x = &call->inputs[0];
  Rows rows = {x->data,
               call->inputs[1].data,
               call->inputs[2].data,
               call->outputs[0].data,
               x->dims[x->rank - 1],
               hone_custom_float(call, "epsilon", 1e-6f)};
  if (call->inputs[2].dims[0] != rows.width)
    return hone_custom_fail(call, "weight has another size than a row of x");
  int64_t count = 1;
  for (int32_t i = 0; i + 1 < x->rank; ++i)
    count *= x->dims[i];
  return call->parallel(call, count, run_rows, &rows);
}

static const hone_custom_operator all[] = {
    {"com.example", "FusedRMSNormGate", 1, shape, run},
};

const hone_custom_table hone_custom_operators = {HONE_CUSTOM_VERSION,
                                                 sizeof all / sizeof *all, all};
