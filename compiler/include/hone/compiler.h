/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Hone as a compiler inside another program.
 *
 *   hone_compiler *compiler = hone_compiler_create();
 *   hone_compiler_set(compiler, "cpu", "x86-64-v3,x86-64-v4");
 *   hone_compiler_on_message(compiler, print, NULL);
 *   int status = hone_compile_file(compiler, "model.onnx", "model.so");
 *   hone_compiler_destroy(compiler);
 *
 * Each compilation runs in the program hone-compile, which is searched for
 * beside this library and in the bin folders of enclosing folders: whatever
 * happens there, the calling process continues. It may have been forked, and
 * may fork.
 *
 * Compilers of different threads work concurrently; one compiler serves one
 * call at a time. Nothing is printed, and no signal handler is installed. */
#ifndef HONE_COMPILER_H
#define HONE_COMPILER_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define HONE_COMPILER_EXPORT __attribute__((visibility("default")))
#else
#define HONE_COMPILER_EXPORT
#endif

/* Outcomes of a compilation: the exit codes of `hone compile`. */
typedef enum hone_compile_status {
  HONE_COMPILE_OK = 0,
  HONE_COMPILE_BAD_INPUT = 1,    /* the model is at fault; messages say where */
  HONE_COMPILE_WRONG_OPTION = 2, /* an option or its value is */
  HONE_COMPILE_INTERNAL = 70,    /* the compiler is, or there is no memory; the
                                    messages name a reproducer if there is one */
  HONE_COMPILE_CANNOT_WRITE = 74,
  HONE_COMPILE_CANCELLED = 130
} hone_compile_status;

typedef struct hone_compiler hone_compiler;

/* One message without a line end: "error: model.onnx: node 'x' (Op): ...".
 * Called on the thread that compiles, as is hone_progress_fn. */
typedef void (*hone_message_fn)(void *user, const char *message);

/* The current activity and the fraction of the whole that is done, from 0 to
 * 1. Nonzero cancels the compilation, which then ends at once. Called at least
 * every 50 ms, with or without news. */
typedef int (*hone_progress_fn)(void *user, const char *what, double fraction);

HONE_COMPILER_EXPORT const char *hone_compiler_version(void);

/* NULL if out of memory. */
HONE_COMPILER_EXPORT hone_compiler *hone_compiler_create(void);
HONE_COMPILER_EXPORT void hone_compiler_destroy(hone_compiler *compiler);

/* Options are those of `hone compile`, without dashes: "target", "cpu", "gpu",
 * "precision", "symbol", "emit", "header" ("true"), "threads" (that runs will
 * use), "jobs" (threads of the compiler), "report" (a file for a page that
 * describes the library), "reproducer-with-weights". "dim" takes "NAME=N" and
 * accumulates, as do "shape" with "NAME=N,N,...", "pipeline-after" with
 * "PHASE=PIPELINE", the names of "override" and the files of "tuned",
 * "load-pass-plugin" and "custom-ops", and "session-op" with
 * "DOMAIN:NAME". Returns HONE_COMPILE_OK,
 * HONE_COMPILE_WRONG_OPTION, or HONE_COMPILE_INTERNAL if out of memory. */
HONE_COMPILER_EXPORT int hone_compiler_set(hone_compiler *compiler,
                                           const char *option,
                                           const char *value);

HONE_COMPILER_EXPORT void hone_compiler_on_message(hone_compiler *compiler,
                                                   hone_message_fn function,
                                                   void *user);
HONE_COMPILER_EXPORT void hone_compiler_on_progress(hone_compiler *compiler,
                                                    hone_progress_fn function,
                                                    void *user);

/* Compile to a file, which appears complete or not at all. Return a
 * hone_compile_status. */
HONE_COMPILER_EXPORT int hone_compile_file(hone_compiler *compiler,
                                           const char *model,
                                           const char *output);
/* `name` stands for the file in messages; the bytes are read during the call.
 */
HONE_COMPILER_EXPORT int hone_compile_bytes(hone_compiler *compiler,
                                            const void *bytes, size_t size,
                                            const char *name,
                                            const char *output);

/* All messages of the last compilation, one per line; valid until the next. */
HONE_COMPILER_EXPORT const char *
hone_compiler_messages(const hone_compiler *compiler);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* HONE_COMPILER_H */
