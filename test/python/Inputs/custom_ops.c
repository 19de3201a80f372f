/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Operators for test_custom_ops.py. */
#include <hone/custom.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static int is_mode(const hone_custom_call *call, const char *mode) {
  const hone_attribute *found =
      hone_custom_attribute(call, "mode", HONE_ATTRIBUTE_STRINGS);
  if (!found || found->count != 1)
    return 0;
  const hone_string *text = found->data;
  return text->size == strlen(mode) &&
         memcmp(text->data, mode, text->size) == 0;
}

/* Does what its attribute says, when the model runs ("compile-...": when it is
 * compiled). */
static int32_t hostile_shape(hone_custom_call *call) {
  int running = call->inputs[0].data != NULL;
  if (running && is_mode(call, "no-dims")) {
    call->outputs[0].rank = 2;
    call->outputs[0].type = HONE_TYPE_FLOAT;
    return 0;
  }
  hone_custom_same_shape(call, 0, 0);
  if (!running) {
    if (is_mode(call, "compile-crash"))
      *(volatile int *)(uintptr_t)8 = 1;
    if (is_mode(call, "compile-nothing"))
      call->outputs[0].rank = -1;
    if (is_mode(call, "compile-rank"))
      call->outputs[0].rank = HONE_MAX_RANK + 1;
    if (is_mode(call, "compile-type"))
      call->outputs[0].type = 99;
    if (is_mode(call, "compile-string"))
      call->outputs[0].type = HONE_TYPE_STRING;
    if (is_mode(call, "compile-error"))
      return hone_custom_fail(call, "refused\n\033[31m");
    if (is_mode(call, "compile-silent"))
      return 7;
    if (is_mode(call, "compile-huge"))
      call->output_dims[0][0] = INT64_MAX;
    if (is_mode(call, "compile-double"))
      call->output_dims[0][0] *= 2;
    if (is_mode(call, "compile-lies"))
      call->output_dims[0][0] = 5;
    if (is_mode(call, "unknown") || is_mode(call, "negative") ||
        is_mode(call, "huge") || is_mode(call, "overflow") ||
        is_mode(call, "zero"))
      call->output_dims[0][0] = HONE_DIM_UNKNOWN;
    return 0;
  }
  if (is_mode(call, "compile-double"))
    call->output_dims[0][0] *= 2;
  if (is_mode(call, "rank"))
    call->outputs[0].rank = 1;
  if (is_mode(call, "no-rank"))
    call->outputs[0].rank = -7;
  if (is_mode(call, "type"))
    call->outputs[0].type = HONE_TYPE_DOUBLE;
  if (is_mode(call, "same-width"))
    call->outputs[0].type = HONE_TYPE_INT32;
  if (is_mode(call, "size"))
    call->output_dims[0][1] += 1;
  if (is_mode(call, "other"))
    call->output_dims[0][0] += 1;
  if (is_mode(call, "negative"))
    call->output_dims[0][0] = -3;
  if (is_mode(call, "huge"))
    call->output_dims[0][0] = (int64_t)1 << 45;
  if (is_mode(call, "overflow"))
    call->output_dims[0][0] = INT64_MAX;
  if (is_mode(call, "zero"))
    call->output_dims[0][0] = 0;
  if (is_mode(call, "shape-error"))
    return hone_custom_fail(call, "these sizes are refused");
  return 0;
}

static int32_t stop(void *task, int64_t begin, int64_t end, int64_t thread) {
  return 5;
}

static int32_t hostile_run(hone_custom_call *call) {
  const hone_tensor *to = &call->outputs[0];
  int64_t count = 1;
  for (int32_t i = 0; i < to->rank; ++i)
    count *= to->dims[i];
  for (int64_t i = 0; i < count; ++i)
    ((float *)to->data)[i] = (float)i;
  if (is_mode(call, "error"))
    return hone_custom_fail(call, "refused\n\033[31m");
  if (is_mode(call, "silent"))
    return -1;
  if (is_mode(call, "unterminated")) {
    memset(call->message, 'x', call->message_bytes);
    return 1;
  }
  if (is_mode(call, "spoilt")) {
    call->outputs[0].data = NULL;
    call->outputs[0].rank = 99;
    call->output_dims[0][0] = -1;
    call->output_count = -1;
  }
  if (is_mode(call, "no-pieces"))
    return call->parallel(call, -5, NULL, NULL);
  if (is_mode(call, "stopped"))
    return call->parallel(call, 100, stop, NULL) == 5
               ? hone_custom_fail(call, "stopped")
               : 0;
  return 0;
}

/* The elements above a bound, and how many there are: sizes from data. */
static int32_t above_shape(hone_custom_call *call) {
  const float *x = call->inputs[0].data;
  float bound = hone_custom_float(call, "bound", 0);
  int64_t count = 0, size = 1;
  for (int32_t i = 0; i < call->inputs[0].rank; ++i)
    size *= call->inputs[0].dims[i];
  for (int64_t i = 0; x && i < size; ++i)
    count += x[i] > bound;
  call->outputs[0].type = HONE_TYPE_FLOAT;
  call->outputs[0].rank = 1;
  call->output_dims[0][0] = x ? count : HONE_DIM_UNKNOWN;
  if (call->output_count > 1) {
    call->outputs[1].type = HONE_TYPE_INT64;
    call->outputs[1].rank = 0;
  }
  return 0;
}

static int32_t above_run(hone_custom_call *call) {
  const float *x = call->inputs[0].data;
  float *y = call->outputs[0].data, bound = hone_custom_float(call, "bound", 0);
  int64_t size = 1;
  for (int32_t i = 0; i < call->inputs[0].rank; ++i)
    size *= call->inputs[0].dims[i];
  for (int64_t i = 0; i < size; ++i)
    if (x[i] > bound)
      *y++ = x[i];
  if (call->output_count > 1)
    *(int64_t *)call->outputs[1].data = call->outputs[0].dims[0];
  return 0;
}

/* What it was given, as text in bytes: [256]. */
static int32_t describe_shape(hone_custom_call *call) {
  call->outputs[0].type = HONE_TYPE_UINT8;
  call->outputs[0].rank = 1;
  call->output_dims[0][0] = 256;
  return 0;
}

static int32_t describe_run(hone_custom_call *call) {
  char *text = call->outputs[0].data;
  size_t at = 0;
  memset(text, 0, 256);
#define PRINT(...) at += (size_t)snprintf(text + at, 256 - at, __VA_ARGS__)
  for (int32_t i = 0; i < call->input_count; ++i)
    PRINT("%d/%d ", call->inputs[i].type, call->inputs[i].rank);
  for (int32_t i = 0; i < call->attribute_count; ++i) {
    const hone_attribute *attribute = &call->attributes[i];
    PRINT("%s=", attribute->name);
    for (int64_t j = 0; j < attribute->count; ++j) {
      if (attribute->kind == HONE_ATTRIBUTE_INTS)
        PRINT("%d,", (int)((const int64_t *)attribute->data)[j]);
      if (attribute->kind == HONE_ATTRIBUTE_FLOATS)
        PRINT("%g,", ((const float *)attribute->data)[j]);
      if (attribute->kind == HONE_ATTRIBUTE_STRINGS)
        PRINT("%.*s,", (int)((const hone_string *)attribute->data)[j].size,
              ((const hone_string *)attribute->data)[j].data);
    }
    PRINT(" ");
  }
  return 0;
}

static int32_t version_shape(hone_custom_call *call) {
  hone_custom_same_shape(call, 0, 0);
  return 0;
}

#define VERSION(number)                                                        \
  static int32_t version_##number(hone_custom_call *call) {                    \
    *(float *)call->outputs[0].data = number;                                  \
    return 0;                                                                  \
  }
VERSION(1)
VERSION(3)
VERSION(4)

static const hone_custom_operator all[] = {
    {"test", "Hostile", 1, hostile_shape, hostile_run},
    {"test", "Above", 1, above_shape, above_run},
    {"test", "Describe", 1, describe_shape, describe_run},
    {"test", "Version", 3, version_shape, version_3},
    {"test", "Version", 1, version_shape, version_1},
    {"test", "Version", 4, version_shape, version_4},
    {"", "NotInOnnx", 21, version_shape, version_1},
#ifdef MORE
    MORE,
#endif
};

#ifndef TABLE
#define TABLE {HONE_CUSTOM_VERSION, sizeof all / sizeof *all, all}
#endif
const hone_custom_table hone_custom_operators = TABLE;
