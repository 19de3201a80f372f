/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* The complete interface between a compiled model, the runtime core linked into
 * it, and the program that runs it.
 *
 * A model library exports one function (`hone_model`, or the name it was
 * compiled with) of type `hone_model_fn`. It returns a descriptor that leads to
 * everything else, including the functions that create and run sessions, so a
 * model is self-contained. Every structure is laid out by hand and its offsets
 * are asserted: generated code reads and writes these fields by offset. Adding
 * to a structure, or changing one, changes HONE_ABI_VERSION. */
#ifndef HONE_ABI_H
#define HONE_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HONE_ABI_VERSION 9u

/* The oldest glibc that models and libhone_runtime support. */
#define HONE_OLDEST_GLIBC "2.28"

/* The symbol that a model exports by default. */
#define HONE_MODEL_SYMBOL "hone_model"

/* ---- values ---- */

/* Element types, with the numbers of ONNX's TensorProto.DataType. A bool is one
 * byte, 0 or 1. Types of 4 and 2 bits are packed as ONNX packs them, the first
 * element in the low bits. */
typedef enum hone_type {
  HONE_TYPE_UNDEFINED = 0,
  HONE_TYPE_FLOAT = 1,
  HONE_TYPE_UINT8 = 2,
  HONE_TYPE_INT8 = 3,
  HONE_TYPE_UINT16 = 4,
  HONE_TYPE_INT16 = 5,
  HONE_TYPE_INT32 = 6,
  HONE_TYPE_INT64 = 7,
  HONE_TYPE_STRING = 8, /* elements are hone_string */
  HONE_TYPE_BOOL = 9,
  HONE_TYPE_FLOAT16 = 10,
  HONE_TYPE_DOUBLE = 11,
  HONE_TYPE_UINT32 = 12,
  HONE_TYPE_UINT64 = 13,
  HONE_TYPE_COMPLEX64 = 14,
  HONE_TYPE_COMPLEX128 = 15,
  HONE_TYPE_BFLOAT16 = 16,
  HONE_TYPE_FLOAT8E4M3FN = 17,
  HONE_TYPE_FLOAT8E4M3FNUZ = 18,
  HONE_TYPE_FLOAT8E5M2 = 19,
  HONE_TYPE_FLOAT8E5M2FNUZ = 20,
  HONE_TYPE_UINT4 = 21,
  HONE_TYPE_INT4 = 22,
  HONE_TYPE_FLOAT4E2M1 = 23,
  HONE_TYPE_FLOAT8E8M0 = 24,
  HONE_TYPE_UINT2 = 25,
  HONE_TYPE_INT2 = 26,
  HONE_TYPE_COUNT = 27
} hone_type;

typedef enum hone_kind {
  HONE_KIND_NONE = 0,
  HONE_KIND_TENSOR = 1,
  HONE_KIND_SEQUENCE = 2,
  HONE_KIND_OPTIONAL = 3,
  HONE_KIND_MAP = 4
} hone_kind;

/* Bytes of text, not terminated. */
typedef struct hone_string {
  const char *data;
  size_t size;
} hone_string;

/* The maximum rank of a tensor. */
#define HONE_MAX_RANK 16

/* Row-major and contiguous. The creator of the value keeps `data` and `dims`
 * alive. */
typedef struct hone_tensor {
  void *data;          /*  0 */
  const int64_t *dims; /*  8: `rank` entries; may be NULL for rank 0 */
  int32_t rank;        /* 16 */
  int32_t type;        /* 20: hone_type */
} hone_tensor;

typedef struct hone_value hone_value;

/* Where data are: in host memory, or in the memory of the session's device.
 * With code for the CPU only, all data are on the host. */
#define HONE_PLACE_HOST 0
#define HONE_PLACE_DEVICE 1

/* Sequences are immutable: inserting and erasing make a new one that shares the
 * elements' data. */
typedef struct hone_sequence {
  const hone_value *elements; /*  0 */
  int64_t count;              /*  8 */
  void *storage;              /* 16: the core's; NULL in a caller's sequence */
} hone_sequence;

typedef struct hone_optional {
  const hone_value *value; /* NULL: absent */
} hone_optional;

/* keys[i] maps to values[i]; both are tensors of rank 1. */
typedef struct hone_map {
  const hone_tensor *keys;
  const hone_tensor *values;
} hone_map;

struct hone_value {
  int32_t kind;  /*  0: hone_kind */
  int32_t place; /*  4: HONE_PLACE_*, of a tensor's data. Only inputs and
                    outputs that are tensors themselves may be on the device. */
  union {
    hone_tensor tensor;            /*  8: data 8, dims 16, rank 24, type 28 */
    const hone_sequence *sequence; /*  8 */
    hone_optional optional;        /*  8 */
    hone_map map;                  /*  8 */
  } as;
};

/* ---- status ---- */

typedef enum hone_status {
  HONE_OK = 0,
  HONE_WRONG_CALL = 1, /* arguments do not fit the model; nothing was run */
  HONE_INDEX_OUT_OF_RANGE =
      2, /* `value` is the index, `limit` the size it must stay below */
  HONE_DIVISION_BY_ZERO =
      3, /* integer division or remainder; `value` is the dividend */
  HONE_SHAPE_MISMATCH = 4, /* `value` and `limit` are the two sizes */
  HONE_OUT_OF_MEMORY = 5,  /* `value` is the number of bytes requested */
  HONE_BAD_VALUE = 6, /* any other error in the data; `value` is the value */
  HONE_UNSUPPORTED_CPU = 7, /* no kernel table fits this processor, or the level
                               asked for does not exist */
  HONE_BAD_MODEL = 8,       /* the library or its weights file cannot be used */
  HONE_INTERNAL = 9,
  HONE_NO_DEVICE = 10, /* no device that can run the model, and no code for the
                          CPU either */
  HONE_DEVICE_FAILED = 11 /* the device, or its driver, failed in a run; `value`
                             is the driver's number for the error */
} hone_status;

/* ---- generated functions ---- */

typedef struct hone_session hone_session;
typedef struct hone_frame hone_frame;
typedef struct hone_descriptor hone_descriptor;

typedef struct hone_kernel_context {
  void *scratch;          /*  0: 64-byte aligned, this thread's own */
  int64_t scratch_bytes;  /*  8: at least the level's scratch_bytes */
  hone_frame *frame;      /* 16 */
  int64_t thread;         /* 24: 0 is the thread that called run */
  void *device_error;     /* 32: the session's hone_device_error, on the device;
                             NULL on the CPU */
  int64_t first_function; /* 40: of the device kernel that is dispatched: index
                             of its first step in hone_device.functions */
} hone_kernel_context;

/* Runs pieces [begin, end) of a kernel. `ptrs` are the data pointers of its
 * tensor inputs, then of its outputs; `dims` the dynamic dimensions of each of
 * these in the same order, then the kernel's index arguments. Returns 0, or
 * what hone_rt_fail returned. */
typedef int32_t (*hone_kernel_fn)(void *const *ptrs, const int64_t *dims,
                                  int64_t begin, int64_t end,
                                  hone_kernel_context *context);

/* On a device a kernel is a launch stub: a function of the same type that runs
 * once on the calling thread. `ptrs` are device pointers, which the stub only
 * passes on, and each parallel step of the kernel is one call of
 * hone_rt_launch. */
typedef struct hone_launch {
  uint32_t step;         /*  0: within the kernel, from 0 */
  uint32_t grid[3];      /*  4: blocks; nothing is launched if one is 0 */
  uint32_t block[3];     /* 16: threads */
  uint32_t shared_bytes; /* 28: of dynamic shared memory */
} hone_launch;

/* The first failure of the checks in device code: the thread that exchanges
 * `status` from 0 writes the rest. */
typedef struct hone_device_error {
  int32_t status; /*  0: hone_status; 0: no failure */
  int32_t node;   /*  4 */
  int64_t value;  /*  8 */
  int64_t limit;  /* 16 */
} hone_device_error;

/* Sizes for one set of dimensions: writes the bytes that slots refer to (as
 * hone_rt_bytes returns them), and the dimensions of all tensor outputs of
 * known rank one after another, -1 where they depend on data. Returns 0, or
 * what hone_rt_fail or hone_rt_check_dims returned; `frame` is for these only.
 * Depends on nothing but the dimensions. */
typedef int32_t (*hone_prepare_fn)(hone_frame *frame, const int64_t *free_dims,
                                   int64_t *slot_bytes, int64_t *output_dims);

/* The host function. Returns 0, or what hone_rt_fail or hone_rt_dispatch
 * returned. */
typedef int32_t (*hone_run_fn)(hone_frame *frame);

/* The arguments of the generated host function. Valid for one run. Inputs and
 * outputs are checked before the run: kinds, types, ranks and dimensions are
 * those of the descriptor. An output whose dimensions `prepare` knew has its
 * data pointer set; the others are set by hone_rt_set_output or
 * hone_rt_set_output_value.
 *
 * The device fields lead to what the plan keeps on the device; they are NULL
 * for an input or output that is not there (hone_value_info.places). If kernels
 * run on the CPU they point to host memory (device_weights to the weights,
 * device_inputs and device_outputs to the values' own data), so one plan serves
 * both. */
struct hone_frame {
  const hone_value *inputs;    /*  0 */
  hone_value *outputs;         /*  8 */
  const int64_t *free_dims;    /* 16 */
  char *arena;                 /* 24: 64-byte aligned (4096 when not tiny) */
  const int64_t *slot_offsets; /* 32: byte offset of each slot in the arena */
  const char *weights;         /* 40 */
  const hone_kernel_fn
      *kernels; /* 48: those of the device, then those of the level */
  const int64_t *output_dims;   /* 56: as `prepare` wrote them */
  hone_session *session;        /* 64 */
  const hone_descriptor *model; /* 72 */
  char *device_arena;           /* 80: 256-byte aligned */
  const char *device_weights;   /* 88 */
  void *const *device_inputs;   /* 96: input_count entries */
  void *const *device_outputs;  /* 104: output_count entries */
};

/* ---- the descriptor ---- */

/* A dimension in a hone_value_info: >= 0 is fixed, -(1 + k) is free dimension
 * k, and HONE_DIM_UNKNOWN (outputs only) is computed from the free dimensions,
 * by `prepare`, or from data. */
#define HONE_DIM_FREE(k) (-(1 + (int64_t)(k)))
#define HONE_DIM_FREE_INDEX(dim) (-(dim) - 1)
#define HONE_DIM_UNKNOWN INT64_MIN

/* An input or an output. For sequences and optionals, `element_kind`, `type`,
 * `rank` and `dims` describe the element (an optional sequence: element_kind is
 * HONE_KIND_SEQUENCE and the rest describes its tensors). */
typedef struct hone_value_info {
  const char *name;             /*  0 */
  const int64_t *dims;          /*  8: `rank` entries */
  const char *const *dim_names; /* 16: labels for documentation, entries may be
                                   NULL; may itself be NULL */
  int32_t kind;                 /* 24: hone_kind */
  int32_t type; /* 28: hone_type of the elements; of a map's values */
  int32_t rank; /* 32: -1 is any */
  int32_t
      element_kind; /* 36: hone_kind inside a sequence or optional, else 0 */
  int32_t key_type; /* 40: hone_type of a map's keys, else 0 */
  int32_t in_place; /* 44: output: the input it may share its buffer with, or
                       -1; input: -1 */
  int32_t places;   /* 48: where the plan reads an input (1 << HONE_PLACE_*, any
                       of   them) or writes an output (one of them) */
  int32_t has_default;    /* 52: input: 1 if a call may omit it */
  int64_t default_offset; /* 56: where in the weights the tensor lies that then
                             stands for it */
  const int64_t *default_dims; /* 64: `rank` entries */
} hone_value_info;

/* A range of an arena, live from step `first` to step `last`, both included.
 * Steps are numbered by the host plan's order; two slots may share bytes if
 * their ranges do not overlap. Each place has an arena of its own. */
typedef struct hone_slot {
  int32_t first;     /*  0 */
  int32_t last;      /*  4 */
  int32_t alignment; /*  8: a power of two, at most 4096; on the device 256 */
  int32_t place;     /* 12: HONE_PLACE_* */
  int64_t bytes;     /* 16: -1 - k: entry k of what `prepare` writes, k less
                             than the number of slots */
} hone_slot;

/* Processor features that a kernel table needs. */
#define HONE_CPU_SSE3 (1ull << 0)
#define HONE_CPU_SSSE3 (1ull << 1)
#define HONE_CPU_SSE41 (1ull << 2)
#define HONE_CPU_SSE42 (1ull << 3)
#define HONE_CPU_POPCNT (1ull << 4)
#define HONE_CPU_CX16 (1ull << 5)
#define HONE_CPU_LAHF (1ull << 6)
#define HONE_CPU_AVX (1ull << 8)
#define HONE_CPU_AVX2 (1ull << 9)
#define HONE_CPU_BMI1 (1ull << 10)
#define HONE_CPU_BMI2 (1ull << 11)
#define HONE_CPU_F16C (1ull << 12)
#define HONE_CPU_FMA (1ull << 13)
#define HONE_CPU_LZCNT (1ull << 14)
#define HONE_CPU_MOVBE (1ull << 15)
#define HONE_CPU_AVX512F (1ull << 16)
#define HONE_CPU_AVX512BW (1ull << 17)
#define HONE_CPU_AVX512CD (1ull << 18)
#define HONE_CPU_AVX512DQ (1ull << 19)
#define HONE_CPU_AVX512VL (1ull << 20)
#define HONE_CPU_AVX512VNNI (1ull << 24)
#define HONE_CPU_AVX512BF16 (1ull << 25)
#define HONE_CPU_AVX512FP16 (1ull << 26)
#define HONE_CPU_AVX512VBMI (1ull << 27)
#define HONE_CPU_AVXVNNI (1ull << 28)
#define HONE_CPU_AMX_TILE (1ull << 32)
#define HONE_CPU_AMX_INT8 (1ull << 33)
#define HONE_CPU_AMX_BF16 (1ull << 34)

#define HONE_CPU_LEVEL_V2                                                      \
  (HONE_CPU_SSE3 | HONE_CPU_SSSE3 | HONE_CPU_SSE41 | HONE_CPU_SSE42 |          \
   HONE_CPU_POPCNT | HONE_CPU_CX16 | HONE_CPU_LAHF)
#define HONE_CPU_LEVEL_V3                                                      \
  (HONE_CPU_LEVEL_V2 | HONE_CPU_AVX | HONE_CPU_AVX2 | HONE_CPU_BMI1 |          \
   HONE_CPU_BMI2 | HONE_CPU_F16C | HONE_CPU_FMA | HONE_CPU_LZCNT |             \
   HONE_CPU_MOVBE)
#define HONE_CPU_LEVEL_V4                                                      \
  (HONE_CPU_LEVEL_V3 | HONE_CPU_AVX512F | HONE_CPU_AVX512BW |                  \
   HONE_CPU_AVX512CD | HONE_CPU_AVX512DQ | HONE_CPU_AVX512VL)

/* One table of kernels. Levels are ordered from the least to the most
 * demanding; the last one that the processor supports is used. An entry is NULL
 * if there is code for the device only: such a model needs one to run. */
typedef struct hone_level {
  const char *name;              /*  0: "x86-64-v3"; what HONE_CPU names */
  uint64_t features;             /*  8 */
  const hone_kernel_fn *kernels; /* 16: kernel_count entries */
  int64_t scratch_bytes;         /* 24: per thread */
  const uint32_t *arithmetic; /* 32: of each kernel, for information: in texts:
                                 "dot_bytes (VNNI) u8 x s8 -> s32"; "" if it
                                 computes nothing. May be NULL */
} hone_level;

/* What a device image holds. */
#define HONE_IMAGE_CUBIN 0
#define HONE_IMAGE_PTX 1      /* zero-terminated text */
#define HONE_IMAGE_EMULATED 2 /* for the emulator: any chip */

/* Code of one kernel for one chip. */
typedef struct hone_device_image {
  const char *chip;       /*  0: "sm_80", "sm_90a" */
  const void *data;       /*  8 */
  int64_t bytes;          /* 16 */
  int32_t kind;           /* 24: HONE_IMAGE_* */
  int32_t reserved;       /* 28 */
  int64_t first_function; /* 32: the functions in it */
  int64_t end_function;   /* 40 */
} hone_device_image;

typedef struct hone_device_api hone_device_api;

/* The part of a model that runs on a device. */
typedef struct hone_device {
  const char *driver;              /*  0: the library to open, "libcuda.so.1" */
  const hone_device_image *images; /*  8 */
  int64_t image_count;             /* 16 */
  const hone_kernel_fn *kernels;   /* 24: kernel_count launch stubs; NULL where
                                      the kernel runs on the host */
  const int64_t *first_function;   /* 32: kernel_count + 1 entries */
  const char *const *functions;    /* 40: names of the device's functions */
  const hone_device_api
      *api; /* 48: &hone_rt_device_api of the core linked in */
} hone_device;

/* Properties of a model's host function, and of its kernels. */
#define HONE_PLAN_STATIC                                                        \
  1u                      /* reads no data on the host, runs no kernel there,   \
                             uses no blocks: with equal dimensions and pointers \
                             it always issues the same device work */
#define HONE_PLAN_BF16 2u /* some weights of products were rounded to bf16 */
#define HONE_PLAN_F16 4u  /* some to f16 */

/* Kinds of memory that a model uses. */
#define HONE_MEMORY_PLANNED 1u /* sizes are functions of the dimensions */
#define HONE_MEMORY_BOUNDED                                                    \
  2u /* in the arena, sized for the largest dimensions */
#define HONE_MEMORY_UNBOUNDED                                                  \
  4u /* sizes depend on data; blocks of the session */

/* A node of the model, by offsets in the descriptor's texts. Long names are
 * shortened in the middle. */
typedef struct hone_node {
  uint32_t name; /*  0 */
  uint32_t op;   /*  4: its operator; "" if unknown */
} hone_node;

/* The sequence of actions of the host function: kernel launches, calls of
 * library functions, and copies of some size. A step in a loop counts once. */
#define HONE_STEP_KERNEL 0
#define HONE_STEP_LIBRARY 1
#define HONE_STEP_COPY 2

typedef struct hone_step {
  uint32_t name;       /*  0: in texts: of the kernel or function; "copy" */
  int32_t kernel;      /*  4: -1: it is none */
  uint32_t first_node; /*  8: in step_nodes: the nodes it originates from */
  uint16_t node_count; /* 12: at most HONE_MAX_STEP_NODES: the first ones */
  uint16_t kind;       /* 14: HONE_STEP_* */
} hone_step;

#define HONE_MAX_STEP_NODES 32

/* `factor` times the numbers at these positions of a kernel's `dims`. */
#define HONE_TERM_NUMBERS 12
typedef struct hone_term {
  int64_t factor;                     /*  0 */
  int16_t numbers[HONE_TERM_NUMBERS]; /*  8: -1: none from here on */
} hone_term;

/* The cost of one launch of a kernel, as sums of terms. FLOP are those of the
 * model, of any element type: a multiply-add counts as two, any other
 * arithmetic and any function of a scalar as one; comparisons, selections,
 * conversions and movement as none. Bytes are those of its operands and
 * results, each once; only the accessed part of what is gathered or sliced. */
typedef struct hone_work {
  uint32_t first_term; /*  0: in work_terms: those of FLOP, then of bytes */
  int16_t flop_terms;  /*  4: -1: not known */
  int16_t byte_terms;  /*  6: the same */
} hone_work;

typedef struct hone_core_api hone_core_api;

struct hone_descriptor {
  uint32_t abi_version;           /*   0: HONE_ABI_VERSION */
  uint32_t size;                  /*   4: sizeof(hone_descriptor) */
  const char *name;               /*   8 */
  const char *producer;           /*  16: "hone 0.1.0" */
  const hone_core_api *api;       /* 24: &hone_rt_api of the core linked in */
  hone_prepare_fn prepare;        /*  32 */
  hone_run_fn run;                /*  40 */
  const hone_value_info *inputs;  /*  48 */
  const hone_value_info *outputs; /*  56 */
  int32_t input_count;            /*  64 */
  int32_t output_count;           /*  68 */
  const char *const *free_dim_names; /*  72: "?0" for nameless ones */
  int64_t free_dim_count;            /*  80 */
  const hone_slot *slots;            /*  88 */
  const int64_t *slot_offsets;       /*  96: planned at compile time, or NULL */
  int64_t slot_count;                /* 104 */
  int64_t arena_bytes;       /* 112: on the host; -1 without slot_offsets */
  int64_t lower_bound_bytes; /* 120: most bytes live at one step, on the host */
  const char *weights;       /* 128: NULL: none, or in a file */
  int64_t weight_bytes;      /* 136 */
  const char *weights_file;  /* 144: beside the library, or NULL */
  const hone_level *levels;  /* 152 */
  int64_t level_count;       /* 160 */
  int64_t kernel_count;      /* 168 */
  const int64_t *kernel_pieces;     /* 176: for information, may be NULL */
  const char *texts;                /* 184: terminated, one after another */
  const hone_node *nodes;           /* 192 */
  int64_t node_count;               /* 200 */
  uint32_t memory;                  /* 208: HONE_MEMORY_* */
  uint32_t plan;                    /* 212: HONE_PLAN_* */
  const hone_device *device;        /* 216: NULL: code for the CPU only */
  int64_t device_arena_bytes;       /* 224: -1 without slot_offsets */
  int64_t device_lower_bound_bytes; /* 232 */
  uint64_t weights_checksum;        /* 240: XXH64 of the weights, seed 0 */
  const hone_step *steps;           /* 248 */
  int64_t step_count;               /* 256 */
  const uint32_t *step_nodes;       /* 264: indices in nodes */
  const hone_work *kernel_work;     /* 272: of each kernel */
  const hone_term *work_terms;      /* 280 */
  const char *const *metadata; /* 288: names and values of the model file's own
                                  metadata, in turn */
  int64_t metadata_count;      /* 296: pairs of both */
};

/* What a model exports. */
typedef const hone_descriptor *(*hone_model_fn)(void);

/* The end of a weights file, after the weights and zeros up to the next
 * multiple of 8. It ties the file to the libraries with its checksum. */
typedef struct hone_weights_end {
  char magic[8];     /*  0: HONE_WEIGHTS_MAGIC */
  uint64_t bytes;    /*  8: hone_descriptor.weight_bytes */
  uint64_t checksum; /* 16: hone_descriptor.weights_checksum */
} hone_weights_end;

#define HONE_WEIGHTS_MAGIC "Hone-W1"

/* ---- the seal ---- */

/* A library holds one note of this name and type, in the section
 * HONE_SEAL_SECTION. It is checked before the library is loaded: a damaged one
 * would crash the program inside the system's loader. The checksum covers what
 * is loaded (XXH64, seed 0): the ELF header with zeros for its section fields,
 * the program headers, then the bytes of each loaded segment after the ELF
 * header, except the weights, which have descriptor.weights_checksum, and the
 * checksum itself. */
#define HONE_SEAL_SECTION ".note.hone"
#define HONE_SEAL_NAME "Hone"
#define HONE_SEAL_TYPE 1u

typedef struct hone_seal {
  uint32_t abi_version;    /*  0: HONE_ABI_VERSION */
  uint32_t reserved;       /*  4 */
  uint64_t weights_offset; /*  8: in the file */
  uint64_t weights_bytes;  /* 16 */
  uint64_t checksum;       /* 24 */
  char symbol[128];        /* 32: what the library exports */
} hone_seal;

typedef struct hone_seal_note {
  uint32_t name_bytes;    /*  0: sizeof(name) */
  uint32_t content_bytes; /*  4: sizeof(hone_seal) */
  uint32_t type;          /*  8: HONE_SEAL_TYPE */
  char name[12];          /* 12: HONE_SEAL_NAME */
  hone_seal seal;         /* 24 */
} hone_seal_note;

/* ---- running: what the caller may supply ---- */

/* Runs pieces [begin, end) on thread `thread`. Returns 0; any other value stops
 * the pool from handing out more pieces. */
typedef int32_t (*hone_task_fn)(void *task, int64_t begin, int64_t end,
                                int64_t thread);

/* A thread pool as seen by a model. `acquire` returns nonzero if the pool now
 * serves the caller, 0 if it is busy (the session then works on its own
 * thread). Between acquire and release, `run` executes each of [0, pieces)
 * once, in ranges, on threads numbered below `threads`, and returns when all
 * are done: 0, or a nonzero result of the task. All three are called from the
 * thread that calls the session. */
typedef struct hone_pool {
  void *self;                     /*  0 */
  int32_t (*acquire)(void *self); /*  8 */
  void (*release)(void *self);    /* 16 */
  int32_t (*run)(void *self, int64_t pieces, hone_task_fn function,
                 void *task); /* 24 */
  int64_t threads;            /* 32: the calling thread included */
} hone_pool;

/* Memory of a session: arena, blocks, plans. `allocate` returns NULL if there
 * is none. Called from the thread that calls the session, and during a run also
 * from threads of its pool, concurrently: kernels request more scratch memory
 * when they find that they need it. */
typedef struct hone_allocator {
  void *self;                                                      /*  0 */
  void *(*allocate)(void *self, int64_t bytes, int64_t alignment); /*  8 */
  void (*release)(void *self, void *pointer, int64_t bytes);       /* 16 */
} hone_allocator;

/* Zeros are the defaults. Pool and allocator are copied; what they point to
 * must outlive the session. */
typedef struct hone_session_options {
  uint32_t size;         /*  0: sizeof(hone_session_options) */
  int32_t threads;       /*  4: of the session's own pool; 0: one per processor;
                            ignored with `pool` */
  const hone_pool *pool; /*  8 */
  const hone_allocator *allocator; /* 16 */
  const char *level; /* 24: CPU level by name; NULL: HONE_CPU, else the best
                        that fits */
  int32_t device;    /* 32: of models with code for a device: its number, or
                        HONE_DEVICE_CPU; 0: HONE_DEVICE (a number or "cpu"), else
                        the first device, else the CPU if the model can */
  int32_t reserved;  /* 36 */
  const struct hone_custom_table
      *operators; /* 40: of hone/custom.h, for models that were compiled without
                     the code of some; must outlive the session */
} hone_session_options;

#define HONE_DEVICE_CPU (-1)

typedef struct hone_session_stats {
  int64_t arena_bytes;       /*  0: held for the arenas on the host */
  int64_t lower_bound_bytes; /*  8: of all arenas of the current plan */
  int64_t block_bytes; /* 16: held for unbounded memory and outputs that lie in
                          the session */
  int64_t scratch_bytes;      /* 24: all threads */
  int64_t threads;            /* 32 */
  int64_t plans;              /* 40: plans made so far */
  const char *level;          /* 48 */
  int64_t device_arena_bytes; /* 56: of the current plan, on the device */
  int64_t device_bytes; /* 64: held on the device, without the weights, which
                           sessions share */
  int64_t replays;      /* 72: runs so far that replayed a captured one */
  const char *device;   /* 80: "NVIDIA H200 (sm_90)"; NULL: runs on the CPU */
  const char *device_note; /* 88: why a model with code for a device runs on the
                              CPU; NULL where it does not. Lives as long as the
                              session */
  int64_t device_number;   /* 96: -1: runs on the CPU */
} hone_session_stats;

/* Device memory that belongs to no session. The model must stay loaded until it
 * is released. */
typedef struct hone_device_memory hone_device_memory;
struct hone_device_memory {
  void *data;  /*  0: 256-byte aligned */
  void *owner; /*  8: the core's */
  /* 16: From any thread; waits for pending work on the device. */
  void (*release)(hone_device_memory *memory);
};

/* ---- profiles ---- */

/* All times are wall time in nanoseconds. */

/* A step, summed over all runs of a profile. On the CPU the time is what the
 * calling thread spends in the step, including waiting for other threads; on a
 * device, from its start to its end there, by the driver's events. */
typedef struct hone_profile_row {
  int64_t launches; /*  0: 0: no run reached this step */
  int64_t total_ns; /*  8 */
  int64_t min_ns;   /* 16: of one launch */
  int64_t flop;  /* 24: of all launches; -1: not known; INT64_MAX: overflow */
  int64_t bytes; /* 32: read and written, likewise */
} hone_profile_row;

/* A time span of a thread's activity. */
typedef struct hone_profile_event {
  int64_t begin_ns; /*  0: since the start of the profile */
  int64_t end_ns;   /*  8 */
  int32_t step;     /* 16: -1: a whole run */
  int32_t thread;   /* 20: 0 is the calling one; HONE_PROFILE_DEVICE */
  int64_t pieces;   /* 24: so many pieces of a kernel's work, on this thread; 0:
                       the step or run as a whole */
} hone_profile_event;

#define HONE_PROFILE_DEVICE (-1)

typedef struct hone_profile {
  int64_t runs;                     /*  0: including those that failed */
  int64_t run_ns;                   /*  8: total */
  const hone_profile_row *rows;     /* 16: one per step of the model */
  int64_t row_count;                /* 24 */
  const hone_profile_event *events; /* 32: ordered by their ends, but for those
                                       of different threads */
  int64_t event_count;              /* 40 */
  int64_t lost_events;              /* 48: dropped for lack of room */
} hone_profile;

/* A session is used by one thread at a time; sessions of one model can run
 * concurrently, and share its weights. All functions that return int32_t return
 * a hone_status. */
struct hone_core_api {
  uint32_t abi_version; /*  0 */
  uint32_t size;        /*  4 */

  /*  8: On failure *session is NULL and `message` (of message_bytes, may be
   * NULL) holds the reason. */
  int32_t (*session_create)(const hone_descriptor *model,
                            const hone_session_options *options,
                            hone_session **session, char *message,
                            size_t message_bytes);
  /* 16 */
  void (*session_destroy)(hone_session *session);
  /* 24: Checks the inputs' kinds, types and dimensions (data may be NULL; an
   * input with a default, or an optional one, may be of kind HONE_KIND_NONE),
   * plans for these dimensions and reserves memory. *arena_bytes (of the arenas
   * of all places) and *output_dims (dims of all tensor outputs of known rank,
   * one after another, -1 where they depend on data; valid until the next
   * prepare or run) may be NULL. */
  int32_t (*prepare)(hone_session *session, const hone_value *inputs,
                     int32_t input_count, int64_t *arena_bytes,
                     const int64_t **output_dims);
  /* 32: Prepares if these dimensions are new, and runs. An output with a data
   * pointer must have kind, type, rank and dims set and is written there
   * (copied there if its shape depends on data and is exactly this one). If the
   * data pointer is NULL or the kind HONE_KIND_NONE, the whole value is set,
   * and stays in the session until its next prepare or run. A tensor whose
   * place is the device stays there: an input must be complete, or produced by
   * work on the device's default stream; an output (its shape is known before
   * the run) with a data pointer is written there, and without one stays in the
   * session. */
  int32_t (*run)(hone_session *session, const hone_value *inputs,
                 int32_t input_count, hone_value *outputs,
                 int32_t output_count);
  /* 40: Text of the last failure, "" after success; valid until the next call
   * on this session. */
  const char *(*message)(const hone_session *session);
  /* 48 */
  void (*stats)(const hone_session *session, hone_session_stats *stats);
  /* 56: A pool of `threads` (0: one per processor), the calling thread
   * included. NULL in *pool->self on failure. */
  int32_t (*pool_create)(int32_t threads, hone_pool *pool);
  /* 64 */
  void (*pool_destroy)(hone_pool *pool);
  /* 72: Memory of the session's device, for outputs that should outlive the
   * session's next run. It may outlive the session. */
  int32_t (*device_allocate)(hone_session *session, int64_t bytes,
                             hone_device_memory *memory);
  /* 80: Starts a profile of all following runs, discarding the previous one. It
   * has room for `events` events, 0 for none: memory is allocated here, by the
   * session's allocator, not during runs. While it is active, runs on a device
   * are not replayed. */
  int32_t (*profile_start)(hone_session *session, int64_t events);
  /* 88: Stops the profile, which stays readable. No effect if none is active.
   * */
  int32_t (*profile_stop)(hone_session *session);
  /* 96: The profile so far; empty before the first one. Rows and events are
   * valid until the next profile_start, and change during runs. */
  int32_t (*profile_read)(const hone_session *session, hone_profile *profile);
};

/* ---- what generated code calls ---- */
/* Defined in the core's static archive with hidden visibility. Only the host
 * function may call them, except for hone_rt_fail, which kernels may call from
 * any thread, those that `prepare` may call, and those for launch stubs.
 * Functions returning int32_t return 0 or a hone_status that the host function
 * returns in turn; those returning pointers return NULL after setting the
 * status. */

#if defined(__GNUC__)
#pragma GCC visibility push(hidden)
#endif

/* The functions of this core; what a descriptor's `api` points to. */
extern const hone_core_api hone_rt_api;

/* Runs all pieces of a kernel: directly if pieces is 1, otherwise on the pool;
 * a device kernel once. Does nothing for 0 pieces. `step`: index of the model's
 * step, here and below; -1 for what is not profiled. */
int32_t hone_rt_dispatch(hone_frame *frame, int64_t kernel, void *const *ptrs,
                         const int64_t *dims, int64_t pieces, int64_t step);

/* Bytes of `rank` dimensions of elements that have `bits` bits each: 0 if one
 * dimension is 0, -1 if one is negative, INT64_MAX on overflow. The only place
 * where sizes of memory are multiplied. */
int64_t hone_rt_bytes(int64_t bits, int32_t rank, const int64_t *dims);

/* Checks a computed shape before it is used. Fails with HONE_SHAPE_MISMATCH if
 * a dimension is negative, or if `overflows` says that its computation wrapped
 * around, and with HONE_OUT_OF_MEMORY if hone_rt_bytes overflows. */
int32_t hone_rt_check_dims(hone_frame *frame, int32_t node, int64_t bits,
                           int32_t rank, const int64_t *dims,
                           int32_t overflows);

/* Copies between places according to the flags of `kind`; without a device, or
 * flags, in host memory, and not at all if the pointers are equal. Waits for
 * the device if the target is on the host. */
#define HONE_COPY_FROM_DEVICE 1
#define HONE_COPY_TO_DEVICE 2
int32_t hone_rt_copy(hone_frame *frame, void *to, const void *from,
                     int64_t bytes, int32_t kind, int64_t step);

/* A 64-byte aligned block for memory whose size depends on data. It lives until
 * hone_rt_end_iteration frees it, or until the session's next run. `node`: the
 * requesting node, or -1. */
void *hone_rt_alloc(hone_frame *frame, int32_t node, int64_t bytes);

/* The same, but always until the session's next run: for the contents of
 * sequences, optionals and strings, and for what one iteration passes to the
 * next. */
void *hone_rt_alloc_for_run(hone_frame *frame, int32_t node, int64_t bytes);

/* The number of blocks allocated so far; a loop asks before allocating its
 * first. */
int64_t hone_rt_mark(hone_frame *frame);

/* Ends an iteration of the loop that got `mark`: frees all blocks of
 * hone_rt_alloc that were allocated since then, except the `count` in `kept`,
 * which belong to the next iteration. */
void hone_rt_end_iteration(hone_frame *frame, int64_t mark, void *const *kept,
                           int64_t count);

/* This thread's scratch memory, grown to at least `bytes`; its content is lost.
 * For kernels whose need depends on dimensions; once it has grown, a call
 * allocates nothing. NULL: out of memory, and the failure is recorded. */
void *hone_rt_scratch(hone_kernel_context *context, int64_t bytes);

/* Frees a block before the run ends. NULL is allowed. */
void hone_rt_free(hone_frame *frame, void *block);

/* Records a failure (the first one wins) and returns its status, never 0.
 * `node` is an index into the descriptor's nodes, or -1. */
int32_t hone_rt_fail(hone_frame *frame, int32_t node, int32_t status,
                     int64_t value, int64_t limit);

/* Sets a tensor output whose shape depends on data. `data` is in a block, the
 * arena, the weights or an input; it is used in place, or copied if the caller
 * gave a buffer. `dims` are copied. */
int32_t hone_rt_set_output(hone_frame *frame, int32_t index, const void *data,
                           int32_t rank, const int64_t *dims);

/* Sets an output of any kind; `value` is copied; what it points to is in
 * blocks, weights or inputs. */
int32_t hone_rt_set_output_value(hone_frame *frame, int32_t index,
                                 const hone_value *value);

/* Sequences. Tensors put into one are copied, data and dims. Negative positions
 * count from the end, as in ONNX; a position out of range fails with `node`. */
const hone_sequence *hone_rt_sequence_new(hone_frame *frame);
int64_t hone_rt_sequence_length(const hone_sequence *sequence);
const hone_value *hone_rt_sequence_at(hone_frame *frame,
                                      const hone_sequence *sequence,
                                      int64_t position, int32_t node);
const hone_sequence *hone_rt_sequence_append(hone_frame *frame,
                                             const hone_sequence *sequence,
                                             const void *data, int32_t type,
                                             int32_t rank, const int64_t *dims);
/* `position` may be the length: appends. */
const hone_sequence *hone_rt_sequence_insert(hone_frame *frame,
                                             const hone_sequence *sequence,
                                             int64_t position, const void *data,
                                             int32_t type, int32_t rank,
                                             const int64_t *dims, int32_t node);
const hone_sequence *hone_rt_sequence_erase(hone_frame *frame,
                                            const hone_sequence *sequence,
                                            int64_t position, int32_t node);

/* A value in a block of the session, for elements of optionals and for outputs.
 */
hone_value *hone_rt_value_new(hone_frame *frame, const hone_value *value);
/* A copy of a tensor, data and dims, in blocks of the session. */
hone_value *hone_rt_tensor_new(hone_frame *frame, const void *data,
                               int32_t type, int32_t rank, const int64_t *dims);

/* For launch stubs. Issues one parallel step to the device; params[i] points to
 * the i-th parameter of its function. */
int32_t hone_rt_launch(hone_kernel_context *context, const hone_launch *launch,
                       void **params);
/* Memory of the device, 256-byte aligned; its content is lost at the end of the
 * kernel. NULL: out of memory, and the failure is recorded. */
void *hone_rt_device_scratch(hone_kernel_context *context, int64_t bytes);
/* The functions of this core for devices; what hone_device.api points to. */
extern const hone_device_api hone_rt_device_api;

/* A library function, `hone_lib_<name>`: for results whose sizes depend on
 * data, values that are not tensors, and strings. runtime/library/README.md
 * lists them with operands, config and results.
 * - An absent operand is a NULL pointer or of kind HONE_KIND_NONE.
 * - `config`: the parameters in alphabetical order of their names; integers and
 *   bools as they are, floats as the bits of a double.
 * - The caller sets kind, type (HONE_TYPE_UNDEFINED: not known) and rank (-1:
 *   any) of each result to what it expects. The function makes the results in
 *   blocks of the session and fills them completely. Their rank, element width
 *   and fixed dimensions may differ from what was expected wherever the data
 *   decide them, so the caller checks these.
 * Returns 0, or what hone_rt_fail returned for `node`. */
typedef int32_t hone_library_fn(hone_frame *frame, int32_t node,
                                const hone_value *const *operands,
                                int32_t operand_count, hone_value *results,
                                int32_t result_count, const int64_t *config);

/* Calls a library function. */
int32_t hone_rt_library(hone_frame *frame, int64_t step,
                        hone_library_fn *function, int32_t node,
                        const hone_value *const *operands,
                        int32_t operand_count, hone_value *results,
                        int32_t result_count, const int64_t *config);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

/* ---- layout ---- */

#ifdef __cplusplus
#define HONE_ASSERT(condition) static_assert(condition, #condition)
#else
#define HONE_ASSERT(condition) _Static_assert(condition, #condition)
#endif
#define HONE_ASSERT_OFFSET(type, field, offset)                                \
  HONE_ASSERT(offsetof(type, field) == (offset))

HONE_ASSERT(sizeof(void *) == 8 && sizeof(size_t) == 8);
HONE_ASSERT(sizeof(hone_string) == 16);
HONE_ASSERT(sizeof(hone_tensor) == 24);
HONE_ASSERT_OFFSET(hone_tensor, dims, 8);
HONE_ASSERT_OFFSET(hone_tensor, rank, 16);
HONE_ASSERT_OFFSET(hone_tensor, type, 20);
HONE_ASSERT(sizeof(hone_sequence) == 24);
HONE_ASSERT_OFFSET(hone_sequence, count, 8);
HONE_ASSERT(sizeof(hone_value) == 32);
HONE_ASSERT_OFFSET(hone_value, place, 4);
HONE_ASSERT_OFFSET(hone_value, as, 8);
HONE_ASSERT(sizeof(hone_kernel_context) == 48);
HONE_ASSERT_OFFSET(hone_kernel_context, scratch_bytes, 8);
HONE_ASSERT_OFFSET(hone_kernel_context, frame, 16);
HONE_ASSERT_OFFSET(hone_kernel_context, thread, 24);
HONE_ASSERT_OFFSET(hone_kernel_context, device_error, 32);
HONE_ASSERT_OFFSET(hone_kernel_context, first_function, 40);
HONE_ASSERT(sizeof(hone_launch) == 32);
HONE_ASSERT_OFFSET(hone_launch, grid, 4);
HONE_ASSERT_OFFSET(hone_launch, block, 16);
HONE_ASSERT_OFFSET(hone_launch, shared_bytes, 28);
HONE_ASSERT(sizeof(hone_device_error) == 24);
HONE_ASSERT_OFFSET(hone_device_error, node, 4);
HONE_ASSERT_OFFSET(hone_device_error, value, 8);
HONE_ASSERT_OFFSET(hone_device_error, limit, 16);
HONE_ASSERT(sizeof(hone_frame) == 112);
HONE_ASSERT_OFFSET(hone_frame, inputs, 0);
HONE_ASSERT_OFFSET(hone_frame, outputs, 8);
HONE_ASSERT_OFFSET(hone_frame, free_dims, 16);
HONE_ASSERT_OFFSET(hone_frame, arena, 24);
HONE_ASSERT_OFFSET(hone_frame, slot_offsets, 32);
HONE_ASSERT_OFFSET(hone_frame, weights, 40);
HONE_ASSERT_OFFSET(hone_frame, kernels, 48);
HONE_ASSERT_OFFSET(hone_frame, output_dims, 56);
HONE_ASSERT_OFFSET(hone_frame, session, 64);
HONE_ASSERT_OFFSET(hone_frame, model, 72);
HONE_ASSERT_OFFSET(hone_frame, device_arena, 80);
HONE_ASSERT_OFFSET(hone_frame, device_weights, 88);
HONE_ASSERT_OFFSET(hone_frame, device_inputs, 96);
HONE_ASSERT_OFFSET(hone_frame, device_outputs, 104);
HONE_ASSERT(sizeof(hone_value_info) == 72);
HONE_ASSERT_OFFSET(hone_value_info, dims, 8);
HONE_ASSERT_OFFSET(hone_value_info, dim_names, 16);
HONE_ASSERT_OFFSET(hone_value_info, kind, 24);
HONE_ASSERT_OFFSET(hone_value_info, type, 28);
HONE_ASSERT_OFFSET(hone_value_info, rank, 32);
HONE_ASSERT_OFFSET(hone_value_info, element_kind, 36);
HONE_ASSERT_OFFSET(hone_value_info, key_type, 40);
HONE_ASSERT_OFFSET(hone_value_info, in_place, 44);
HONE_ASSERT_OFFSET(hone_value_info, places, 48);
HONE_ASSERT_OFFSET(hone_value_info, has_default, 52);
HONE_ASSERT_OFFSET(hone_value_info, default_offset, 56);
HONE_ASSERT_OFFSET(hone_value_info, default_dims, 64);
HONE_ASSERT(sizeof(hone_slot) == 24);
HONE_ASSERT_OFFSET(hone_slot, alignment, 8);
HONE_ASSERT_OFFSET(hone_slot, place, 12);
HONE_ASSERT_OFFSET(hone_slot, bytes, 16);
HONE_ASSERT(sizeof(hone_level) == 40);
HONE_ASSERT_OFFSET(hone_level, features, 8);
HONE_ASSERT_OFFSET(hone_level, kernels, 16);
HONE_ASSERT_OFFSET(hone_level, scratch_bytes, 24);
HONE_ASSERT_OFFSET(hone_level, arithmetic, 32);
HONE_ASSERT(sizeof(hone_device_image) == 48);
HONE_ASSERT_OFFSET(hone_device_image, data, 8);
HONE_ASSERT_OFFSET(hone_device_image, bytes, 16);
HONE_ASSERT_OFFSET(hone_device_image, kind, 24);
HONE_ASSERT_OFFSET(hone_device_image, first_function, 32);
HONE_ASSERT_OFFSET(hone_device_image, end_function, 40);
HONE_ASSERT(sizeof(hone_device) == 56);
HONE_ASSERT_OFFSET(hone_device, images, 8);
HONE_ASSERT_OFFSET(hone_device, image_count, 16);
HONE_ASSERT_OFFSET(hone_device, kernels, 24);
HONE_ASSERT_OFFSET(hone_device, first_function, 32);
HONE_ASSERT_OFFSET(hone_device, functions, 40);
HONE_ASSERT_OFFSET(hone_device, api, 48);
HONE_ASSERT(sizeof(hone_node) == 8);
HONE_ASSERT_OFFSET(hone_node, op, 4);
HONE_ASSERT(sizeof(hone_step) == 16);
HONE_ASSERT_OFFSET(hone_step, kernel, 4);
HONE_ASSERT_OFFSET(hone_step, first_node, 8);
HONE_ASSERT_OFFSET(hone_step, node_count, 12);
HONE_ASSERT_OFFSET(hone_step, kind, 14);
HONE_ASSERT(sizeof(hone_term) == 32);
HONE_ASSERT_OFFSET(hone_term, numbers, 8);
HONE_ASSERT(sizeof(hone_work) == 8);
HONE_ASSERT_OFFSET(hone_work, flop_terms, 4);
HONE_ASSERT_OFFSET(hone_work, byte_terms, 6);
HONE_ASSERT(sizeof(hone_descriptor) == 304);
HONE_ASSERT_OFFSET(hone_descriptor, name, 8);
HONE_ASSERT_OFFSET(hone_descriptor, producer, 16);
HONE_ASSERT_OFFSET(hone_descriptor, api, 24);
HONE_ASSERT_OFFSET(hone_descriptor, prepare, 32);
HONE_ASSERT_OFFSET(hone_descriptor, run, 40);
HONE_ASSERT_OFFSET(hone_descriptor, inputs, 48);
HONE_ASSERT_OFFSET(hone_descriptor, outputs, 56);
HONE_ASSERT_OFFSET(hone_descriptor, input_count, 64);
HONE_ASSERT_OFFSET(hone_descriptor, output_count, 68);
HONE_ASSERT_OFFSET(hone_descriptor, free_dim_names, 72);
HONE_ASSERT_OFFSET(hone_descriptor, free_dim_count, 80);
HONE_ASSERT_OFFSET(hone_descriptor, slots, 88);
HONE_ASSERT_OFFSET(hone_descriptor, slot_offsets, 96);
HONE_ASSERT_OFFSET(hone_descriptor, slot_count, 104);
HONE_ASSERT_OFFSET(hone_descriptor, arena_bytes, 112);
HONE_ASSERT_OFFSET(hone_descriptor, lower_bound_bytes, 120);
HONE_ASSERT_OFFSET(hone_descriptor, weights, 128);
HONE_ASSERT_OFFSET(hone_descriptor, weight_bytes, 136);
HONE_ASSERT_OFFSET(hone_descriptor, weights_file, 144);
HONE_ASSERT_OFFSET(hone_descriptor, levels, 152);
HONE_ASSERT_OFFSET(hone_descriptor, level_count, 160);
HONE_ASSERT_OFFSET(hone_descriptor, kernel_count, 168);
HONE_ASSERT_OFFSET(hone_descriptor, kernel_pieces, 176);
HONE_ASSERT_OFFSET(hone_descriptor, texts, 184);
HONE_ASSERT_OFFSET(hone_descriptor, nodes, 192);
HONE_ASSERT_OFFSET(hone_descriptor, node_count, 200);
HONE_ASSERT_OFFSET(hone_descriptor, memory, 208);
HONE_ASSERT_OFFSET(hone_descriptor, plan, 212);
HONE_ASSERT_OFFSET(hone_descriptor, device, 216);
HONE_ASSERT_OFFSET(hone_descriptor, device_arena_bytes, 224);
HONE_ASSERT_OFFSET(hone_descriptor, device_lower_bound_bytes, 232);
HONE_ASSERT_OFFSET(hone_descriptor, weights_checksum, 240);
HONE_ASSERT_OFFSET(hone_descriptor, steps, 248);
HONE_ASSERT_OFFSET(hone_descriptor, step_count, 256);
HONE_ASSERT_OFFSET(hone_descriptor, step_nodes, 264);
HONE_ASSERT_OFFSET(hone_descriptor, kernel_work, 272);
HONE_ASSERT_OFFSET(hone_descriptor, work_terms, 280);
HONE_ASSERT_OFFSET(hone_descriptor, metadata, 288);
HONE_ASSERT_OFFSET(hone_descriptor, metadata_count, 296);
HONE_ASSERT(sizeof(hone_weights_end) == 24);
HONE_ASSERT(sizeof(hone_seal) == 160);
HONE_ASSERT_OFFSET(hone_seal, weights_offset, 8);
HONE_ASSERT_OFFSET(hone_seal, checksum, 24);
HONE_ASSERT_OFFSET(hone_seal, symbol, 32);
HONE_ASSERT(sizeof(hone_seal_note) == 184);
HONE_ASSERT_OFFSET(hone_seal_note, seal, 24);
HONE_ASSERT(sizeof(hone_pool) == 40);
HONE_ASSERT(sizeof(hone_allocator) == 24);
HONE_ASSERT(sizeof(hone_session_options) == 48);
HONE_ASSERT(sizeof(hone_session_stats) == 104);
HONE_ASSERT(sizeof(hone_device_memory) == 24);
HONE_ASSERT(sizeof(hone_profile_row) == 40);
HONE_ASSERT(sizeof(hone_profile_event) == 32);
HONE_ASSERT(sizeof(hone_profile) == 56);
HONE_ASSERT(sizeof(hone_core_api) == 104);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* HONE_ABI_H */
