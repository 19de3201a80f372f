/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The interface between emulated device code and the emulator. */
#ifndef HONE_RUNTIME_DEVICE_EMULATOR_EMULATED_H
#define HONE_RUNTIME_DEVICE_EMULATOR_EMULATED_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HONE_EMULATED_MAGIC 0x454e4f48u /* "HONE" */
#define HONE_EMULATED_VERSION 1u

/* Address spaces, as NVPTX numbers them. */
enum {
  HONE_SPACE_GENERIC = 0,
  HONE_SPACE_GLOBAL = 1,
  HONE_SPACE_SHARED = 3,
  HONE_SPACE_CONSTANT = 4
};

/* Registers with a thread's position. */
enum {
  HONE_SREG_TID_X,
  HONE_SREG_TID_Y,
  HONE_SREG_TID_Z,
  HONE_SREG_NTID_X,
  HONE_SREG_NTID_Y,
  HONE_SREG_NTID_Z,
  HONE_SREG_CTAID_X,
  HONE_SREG_CTAID_Y,
  HONE_SREG_CTAID_Z,
  HONE_SREG_NCTAID_X,
  HONE_SREG_NCTAID_Y,
  HONE_SREG_NCTAID_Z,
  HONE_SREG_LANEID,
  HONE_SREG_WARPID,
  HONE_SREG_WARPSIZE
};
enum {
  HONE_SHUFFLE_BFLY,
  HONE_SHUFFLE_UP,
  HONE_SHUFFLE_DOWN,
  HONE_SHUFFLE_IDX
};
enum { HONE_VOTE_ANY, HONE_VOTE_ALL, HONE_VOTE_BALLOT, HONE_VOTE_UNI };
enum {
  HONE_REDUX_ADD,
  HONE_REDUX_MIN,
  HONE_REDUX_MAX,
  HONE_REDUX_UMIN,
  HONE_REDUX_UMAX,
  HONE_REDUX_AND,
  HONE_REDUX_OR,
  HONE_REDUX_XOR
};
/* Matrix products: shape and types of A and B; C and D are f32, of S8 i32. */
enum {
  HONE_MMA_M16N8K16_F16,    /* a 4, b 2, c 4 registers of 32 bits */
  HONE_MMA_M16N8K16_BF16,   /* a 4, b 2, c 4 */
  HONE_MMA_M16N8K8_TF32,    /* a 4, b 2, c 4 */
  HONE_MMA_M16N8K32_S8,     /* a 4, b 2, c 4 */
  HONE_MMA_M16N8K16_F16_F16 /* C and D are f16: a 4, b 2, c 2 */
};

/* `site` numbers an operation of the module. Every
 * function may report an error; the run then continues with harmless values
 * until the launch ends with a failure. */
typedef struct hone_emulated_services {
  uint32_t version, size;
  /* Checks an access of `bytes` at `address` and returns where to make it: the
   * address itself, or unused memory after an error. `alignment` in bytes is
   * what the operation claims. */
  void *(*load)(const void *address, int64_t bytes, int32_t site, int32_t space,
                int32_t alignment);
  void *(*store)(void *address, int64_t bytes, int32_t site, int32_t space,
                 int32_t alignment);
  void *(*update)(void *address, int64_t bytes, int32_t site, int32_t space,
                  int32_t alignment); /* atomics */
  int32_t (*special)(int32_t reg);
  /* Of the whole block (id 0, count 0), or a named one. */
  void (*barrier)(int32_t id, int32_t count, int32_t site);
  void (*warp_barrier)(uint32_t mask, int32_t site);
  /* Operands as in the PTX instruction; returns the value, and the predicate
   * on request. */
  uint32_t (*shuffle)(int32_t mode, uint32_t mask, uint32_t value, int32_t b,
                      int32_t c, int32_t site, int32_t *predicate);
  uint32_t (*vote)(int32_t mode, uint32_t mask, int32_t predicate,
                   int32_t site);
  uint32_t (*redux)(int32_t mode, uint32_t mask, uint32_t value, int32_t site);
  /* `count` (1, 2, 4) 8x8 matrices of 16-bit elements; registers go to
   * `result`. */
  void (*ldmatrix)(const void *address, int32_t count, int32_t transposed,
                   uint32_t *result, int32_t site);
  void (*mma)(int32_t shape, const uint32_t *a, const uint32_t *b,
              const uint32_t *c, uint32_t *d, int32_t site);
  /* Asynchronous copy to shared memory of `valid` bytes, zeros up to `bytes`.
   */
  void (*copy_async)(void *to, const void *from, int32_t bytes, int32_t valid,
                     int32_t site);
  void (*commit_group)(int32_t site);
  void (*wait_group)(int32_t pending, int32_t site);
  /* Base of the block's static shared memory, 16-byte aligned (1024 for the
   * window). */
  void *(*shared_base)(void);
} hone_emulated_services;

typedef struct hone_emulated_function {
  const char *name;
  /* One thread; params[i] points to the i-th parameter. */
  void (*call)(void **params);
  const int32_t *parameter_bytes;
  int32_t parameter_count;
  int32_t shared_bytes; /* static shared memory, 16-byte aligned arrays with
                           gaps of 64 bytes */
  int32_t array_count;  /* of arrays in it: ranges that accesses must stay in */
  int32_t block_size;   /* threads the code assumes, or 0 */
  const int32_t *arrays; /* begin and end of each, in bytes */
} hone_emulated_function;

/* Read-only data of the module. */
typedef struct hone_emulated_constant {
  const void *data;
  int64_t bytes;
} hone_emulated_constant;

/* What an image of an emulated model points to. */
typedef struct hone_emulated_module {
  uint32_t magic, version;
  const hone_emulated_function *functions;
  int64_t function_count;
  /* For site i, site_text + site_offsets[2 * i] is the operation
   * ("llvm.load"), and that at 2 * i + 1 the location ("node 'x' (Conv)", file
   * and line, or ""). */
  const char *site_text;
  const int32_t *site_offsets;
  int64_t site_count;
  const hone_emulated_constant *constants;
  int64_t constant_count;
  /* Set by the emulator before a function runs. */
  const hone_emulated_services **services;
} hone_emulated_module;

#ifdef __cplusplus
}
#endif

#endif /* HONE_RUNTIME_DEVICE_EMULATOR_EMULATED_H */
