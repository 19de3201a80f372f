/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Loading and running compiled models from C: libhone_runtime.
 *
 *   hone_library *library;
 *   hone_runner *runner;
 *   char why[256];
 *   if (hone_library_open("model.so", NULL, &library, why, sizeof why) ||
 *       hone_runner_create(library, NULL, &runner, why, sizeof why))
 *     ...
 *   hone_runner_set_input(runner, "x", &value);
 *   if (hone_runner_run(runner))
 *     puts(hone_runner_message(runner));
 *   const hone_value *y = hone_runner_output(runner, "y");
 *
 * Functions that return int32_t return a hone_status. What `create` or `open`
 * made is released by the `destroy` or `close` of the same name. A NULL that is
 * not allowed is a wrong call, and gives HONE_WRONG_CALL, NULL or nothing;
 * `destroy` and `close` accept it. abi.h says where a caller's pool and
 * allocator are called from; libhone_runtime calls nothing else of the
 * caller's. */
#ifndef HONE_RUNTIME_H
#define HONE_RUNTIME_H

#include "hone/abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define HONE_EXPORT __attribute__((visibility("default")))
#else
#define HONE_EXPORT
#endif

typedef struct hone_library hone_library;
typedef struct hone_runner hone_runner;

/* "0.1.0" */
HONE_EXPORT const char *hone_runtime_version(void);

/* Loads a model. `symbol` NULL: the one that the library exports. On failure
 * *library is NULL and `message` (may be NULL) holds the reason. Before the
 * system loads the file, its seal is checked (abi.h), which reads all but the
 * weights: a library that is truncated, damaged, changed (also by patchelf), or
 * for another machine gives HONE_BAD_MODEL. Opening a file that was replaced
 * gives the new model, opening the same one again shares its memory. Replace by
 * renaming: overwriting a loaded file breaks the model in use, as with any
 * library. */
HONE_EXPORT int32_t hone_library_open(const char *path, const char *symbol,
                                      hone_library **library, char *message,
                                      size_t message_bytes);
/* Reads the weights and compares their checksum. HONE_BAD_MODEL: they are
 * damaged. */
HONE_EXPORT int32_t hone_library_verify(const hone_library *library,
                                        char *message, size_t message_bytes);
/* A model linked into the program. */
HONE_EXPORT int32_t hone_library_wrap(hone_model_fn model,
                                      hone_library **library, char *message,
                                      size_t message_bytes);
/* After all of its runners. */
HONE_EXPORT void hone_library_close(hone_library *library);
/* Everything about the model: inputs, outputs, dimensions, memory. */
HONE_EXPORT const hone_descriptor *
hone_library_descriptor(const hone_library *library);
/* NULL if there is none of that name. */
HONE_EXPORT const hone_value_info *
hone_library_input(const hone_library *library, const char *name);
HONE_EXPORT const hone_value_info *
hone_library_output(const hone_library *library, const char *name);

/* A pool of threads, including the calling one (0: one per processor; fewer if
 * the system refuses some, see hone_pool.threads), that any number of runners
 * may share; it serves one at a time, and a runner that finds it busy runs on
 * its own thread. */
HONE_EXPORT int32_t hone_pool_create(int32_t threads, hone_pool *pool);
HONE_EXPORT void hone_pool_destroy(hone_pool *pool);

/* A session of the model with a slot for each input and output. Without a pool
 * in the options it makes its own with options->threads. */
HONE_EXPORT int32_t hone_runner_create(hone_library *library,
                                       const hone_session_options *options,
                                       hone_runner **runner, char *message,
                                       size_t message_bytes);
HONE_EXPORT void hone_runner_destroy(hone_runner *runner);

/* Copies the value, not what it points to. It stays set for later runs; NULL
 * unsets it, which is allowed for optional inputs and those with a default. A
 * tensor whose place is the device is read there (hone_core_api's `run`). */
HONE_EXPORT int32_t hone_runner_set_input(hone_runner *runner, const char *name,
                                          const hone_value *value);
/* The buffer for an output, on the host or the device; NULL: back to the
 * session's own memory. */
HONE_EXPORT int32_t hone_runner_set_output(hone_runner *runner,
                                           const char *name,
                                           const hone_value *value);
/* Plans for the dimensions of the inputs that are set; results may be NULL, and
 * are those of hone_core_api's `prepare`. */
HONE_EXPORT int32_t hone_runner_prepare(hone_runner *runner,
                                        int64_t *arena_bytes,
                                        const int64_t **output_dims);
HONE_EXPORT int32_t hone_runner_run(hone_runner *runner);
/* An output of the last run, valid until the next prepare or run that is not a
 * wrong call; NULL if there is none of that name. */
HONE_EXPORT const hone_value *hone_runner_output(const hone_runner *runner,
                                                 const char *name);
/* Why the last call failed. */
HONE_EXPORT const char *hone_runner_message(const hone_runner *runner);
HONE_EXPORT void hone_runner_stats(const hone_runner *runner,
                                   hone_session_stats *stats);

/* Where the time of runs goes: hone_core_api's functions of these names. There
 * is a row per step of the model, in the order of `steps` in its descriptor.
 *
 *   hone_runner_profile_start(runner, 0);
 *   for (int i = 0; i < 10; ++i)
 *     hone_runner_run(runner);
 *   hone_profile profile;
 *   hone_runner_profile_read(runner, &profile);
 *   for (int64_t i = 0; i < profile.row_count; ++i)
 *     printf("%s %lld ns\n", hone_step_name(model, i),
 *            (long long)profile.rows[i].total_ns); */
HONE_EXPORT int32_t hone_runner_profile_start(hone_runner *runner,
                                              int64_t events);
HONE_EXPORT int32_t hone_runner_profile_stop(hone_runner *runner);
HONE_EXPORT int32_t hone_runner_profile_read(const hone_runner *runner,
                                             hone_profile *profile);

/* "k3_conv_map"; NULL if there is no such step. */
HONE_EXPORT const char *hone_step_name(const hone_descriptor *model,
                                       int64_t step);
/* The nodes that a step originates from, and their operators; NULL past the
 * last one. */
HONE_EXPORT const char *hone_step_node(const hone_descriptor *model,
                                       int64_t step, int32_t index);
HONE_EXPORT const char *hone_step_node_op(const hone_descriptor *model,
                                          int64_t step, int32_t index);
/* What a kernel computes with at a CPU level, by the level's number: how its
 * products are multiplied and the types of operands and sums, as in "fma f32 x
 * f32 -> f32", or the types of other arithmetic. "" if there is none; NULL if
 * the step is no kernel of the level, or this is not known. */
HONE_EXPORT const char *hone_step_arithmetic(const hone_descriptor *model,
                                             int64_t level, int64_t step);
/* FLOP of one launch, as hone_work counts them; -1 if there is no such kernel
 * or only a run knows. */
HONE_EXPORT int64_t hone_step_flop(const hone_descriptor *model, int64_t step);

/* The measured peak rates of a pool's threads, all running at the same time. */
typedef struct hone_peak {
  double flop_per_second;  /* multiply-adds of f32 in the widest vectors */
  double bytes_per_second; /* read from memory */
  int32_t threads;
  int32_t vector_bits; /* of the multiply-adds */
} hone_peak;

/* Measures for some 0.2 s. `pool` NULL: the calling thread only.
 * HONE_WRONG_CALL: a session holds the pool; HONE_OUT_OF_MEMORY: no memory to
 * read, up to 256 MiB. */
HONE_EXPORT int32_t hone_measure_peak(const hone_pool *pool, hone_peak *peak);

/* The least time in seconds for this work at these rates, and which of the two
 * is the bound. Unknown (negative) work does not bind; if both are unknown, 0
 * and HONE_BOUND_NONE. */
#define HONE_BOUND_NONE 0
#define HONE_BOUND_COMPUTE 1
#define HONE_BOUND_MEMORY 2
HONE_EXPORT double hone_peak_seconds(const hone_peak *peak, int64_t flop,
                                     int64_t bytes, int32_t *bound);

/* Bits of an element, 0 if not a type; 128 for a string (hone_string). */
HONE_EXPORT int32_t hone_type_bits(int32_t type);
/* "float", "int64", ...; "?" if not a type. */
HONE_EXPORT const char *hone_type_name(int32_t type);
/* Bytes of a tensor's data; -1 for impossible dimensions. */
HONE_EXPORT int64_t hone_tensor_bytes(int32_t type, int32_t rank,
                                      const int64_t *dims);
/* This processor's features, in the bits of a level's `features`. */
HONE_EXPORT uint64_t hone_cpu_features(void);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* HONE_RUNTIME_H */
