/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Operators that Hone does not have, as C functions.
 *
 *   static int32_t shape(hone_custom_call *call) {
 *     hone_custom_same_shape(call, 0, 0);
 *     return 0;
 *   }
 *   static int32_t run(hone_custom_call *call) {
 *     const float *x = call->inputs[0].data;
 *     float *y = call->outputs[0].data;
 *     ...
 *   }
 *   static const hone_custom_operator all[] = {
 *       {"com.example", "Gate", 1, shape, run}};
 *   const hone_custom_table hone_custom_operators = {
 *       HONE_CUSTOM_VERSION, sizeof all / sizeof *all, all};
 *
 * `hone compile --custom-ops FILE` takes object files and archives, one of
 * which defines hone_custom_operators. They become part of the library, which
 * calls the functions; the compiler calls those for shapes as well.
 *
 * Or they stay in the program that runs the model: `hone compile --session-op
 * com.example:Gate` takes the types of outputs from the file, and a session
 * gets the table as hone_session_options.operators. */
#ifndef HONE_CUSTOM_H
#define HONE_CUSTOM_H

#include "hone/abi.h"
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HONE_CUSTOM_VERSION 1u

typedef enum hone_attribute_kind {
  HONE_ATTRIBUTE_INTS = 1,   /* data: int64_t[count]; 1 for a single one */
  HONE_ATTRIBUTE_FLOATS = 2, /* float[count], likewise */
  HONE_ATTRIBUTE_STRINGS = 3 /* hone_string[count], likewise */
} hone_attribute_kind;

typedef struct hone_attribute {
  const char *name; /*  0 */
  const void *data; /*  8 */
  int64_t count;    /* 16 */
  int32_t kind;     /* 24: hone_attribute_kind */
  int32_t reserved; /* 28 */
} hone_attribute;

typedef struct hone_custom_call hone_custom_call;
typedef struct hone_custom_operator hone_custom_operator;
struct hone_custom_call {
  uint32_t size; /* sizeof(hone_custom_call) */
  int32_t input_count, output_count, attribute_count;
  const hone_tensor *inputs; /* an omitted one has type HONE_TYPE_UNDEFINED */
  hone_tensor *outputs;
  /* The dimensions of each output, `outputs[i].dims`. */
  int64_t (*output_dims)[HONE_MAX_RANK];
  const hone_attribute *attributes;
  /* Runs [0, pieces) of a task on `threads` threads, in ranges, and returns
   * when all are done: 0, or what the task returned if that is not 0. Only for
   * the function that runs. */
  int64_t threads;
  int32_t (*parallel)(const hone_custom_call *call, int64_t pieces,
                      hone_task_fn function, void *task);
  char *message; /* the reason of an error, terminated */
  size_t message_bytes;
  const hone_custom_operator *op;
  void *core; /* Hone's own */
};

/* Returns 0, or another value after an error, with a reason in `message`: an
 * error of the model when it is compiled, of the run when it runs. */
typedef int32_t (*hone_custom_fn)(hone_custom_call *call);

/* `shape` sets type, rank and dimensions of each output. It is called before
 * each `run`, and when a model is compiled, then without data (`inputs[i].data`
 * is NULL), and with negative dimensions for those that are not known. It may
 * copy these, which tells the compiler that both are the same, and sets those
 * that it would have to compute from them to HONE_DIM_UNKNOWN. Types, ranks and
 * the dimensions that it gave then must be the same in each run.
 *
 * `run` fills the outputs, whose memory is 64-byte aligned. Inputs must not be
 * changed. Both functions may be called by several threads at the same time,
 * for different calls. */
struct hone_custom_operator {
  const char *domain;
  const char *name;
  int64_t since_version; /* of the domain's operator set, from which on it is
                            this one */
  hone_custom_fn shape;
  hone_custom_fn run;
};

typedef struct hone_custom_table {
  uint32_t version; /* HONE_CUSTOM_VERSION */
  uint32_t count;
  const hone_custom_operator *operators;
} hone_custom_table;

/* The table of the object files. */

extern const hone_custom_table hone_custom_operators;

/* ---- helpers ---- */

/* The operator of this name, in its newest version up to `version`; NULL if
 * there is none. `domain` is "" for ONNX's own, which a table may also call
 * "ai.onnx". */
static inline const hone_custom_operator *
hone_custom_find(const hone_custom_table *table, const char *domain,
                 const char *name, int64_t version) {
  const hone_custom_operator *found = NULL;
  for (uint32_t i = 0; table && i < table->count; ++i) {
    const hone_custom_operator *op = &table->operators[i];
    const char *own = strcmp(op->domain, "ai.onnx") ? op->domain : "";
    if (strcmp(own, domain) == 0 && strcmp(op->name, name) == 0 &&
        op->since_version <= version &&
        (!found || op->since_version > found->since_version))
      found = op;
  }
  return found;
}

/* Ends a function with an error: `return hone_custom_fail(call, "why")`. */
static inline int32_t hone_custom_fail(hone_custom_call *call,
                                       const char *reason) {
  size_t i = 0;
  for (; i + 1 < call->message_bytes && reason[i]; ++i)
    call->message[i] = reason[i];
  if (call->message_bytes)
    call->message[i] = 0;
  return 1;
}

/* The attribute; NULL if the node does not have one of this name and kind. */
static inline const hone_attribute *
hone_custom_attribute(const hone_custom_call *call, const char *name,
                      hone_attribute_kind kind) {
  for (int32_t i = 0; i < call->attribute_count; ++i)
    if (call->attributes[i].kind == (int32_t)kind &&
        strcmp(call->attributes[i].name, name) == 0)
      return &call->attributes[i];
  return NULL;
}

static inline int64_t hone_custom_int(const hone_custom_call *call,
                                      const char *name, int64_t by_default) {
  const hone_attribute *found =
      hone_custom_attribute(call, name, HONE_ATTRIBUTE_INTS);
  return found && found->count ? *(const int64_t *)found->data : by_default;
}

static inline float hone_custom_float(const hone_custom_call *call,
                                      const char *name, float by_default) {
  const hone_attribute *found =
      hone_custom_attribute(call, name, HONE_ATTRIBUTE_FLOATS);
  return found && found->count ? *(const float *)found->data : by_default;
}

/* Gives an output type, rank and dimensions of an input; nothing if the node
 * has no such output or input, which Hone refuses then. */
static inline void hone_custom_same_shape(hone_custom_call *call,
                                          int32_t output, int32_t input) {
  const hone_tensor *from;
  if (output < 0 || output >= call->output_count || input < 0 ||
      input >= call->input_count)
    return;
  from = &call->inputs[input];
  call->outputs[output].type = from->type;
  call->outputs[output].rank = from->rank;
  for (int32_t i = 0; i < from->rank; ++i)
    call->output_dims[output][i] = from->dims[i];
}

/* ---- what generated code passes ---- */

typedef struct hone_custom_node {
  const hone_custom_table *table;   /*  0: NULL: the session's */
  const char *domain;               /*  8: "" is ONNX's own */
  const char *name;                 /* 16 */
  int64_t version;                  /* 24: of the domain in the model */
  const hone_attribute *attributes; /* 32 */
  const int32_t *types;             /* 40: of the inputs, then of the outputs */
  int64_t attribute_count;          /* 48 */
} hone_custom_node;

HONE_ASSERT(sizeof(hone_attribute) == 32);
HONE_ASSERT(sizeof(hone_custom_node) == 56);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* HONE_CUSTOM_H */
