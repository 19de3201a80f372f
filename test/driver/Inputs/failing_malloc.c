/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Preloaded, makes the allocation of number HONE_FAIL_MALLOC fail in each
 * process, and writes how many there were to the file HONE_COUNT_MALLOC. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

static atomic_long count;
static long chosen = -1;

/* The loader allocates before the environment is there: that is not counted. */
__attribute__((constructor)) static void begin(void) {
  const char *text = getenv("HONE_FAIL_MALLOC");
  atomic_store(&count, 0);
  chosen = text ? atol(text) : 0;
}

__attribute__((destructor)) static void end(void) {
  const char *path = getenv("HONE_COUNT_MALLOC");
  long all = atomic_load(&count);
  FILE *file = path ? fopen(path, "a") : NULL;
  if (!file)
    return;
  fprintf(file, "%ld\n", all);
  fclose(file);
}

static int fails(void) {
  if (atomic_fetch_add(&count, 1) + 1 != chosen)
    return 0;
  errno = ENOMEM;
  return 1;
}

void *malloc(size_t size) { return fails() ? NULL : __libc_malloc(size); }
void *calloc(size_t n, size_t size) {
  return fails() ? NULL : __libc_calloc(n, size);
}
void *realloc(void *old, size_t size) {
  return fails() ? NULL : __libc_realloc(old, size);
}
void *memalign(size_t alignment, size_t size) {
  return fails() ? NULL : __libc_memalign(alignment, size);
}
void *aligned_alloc(size_t alignment, size_t size) {
  return memalign(alignment, size);
}
int posix_memalign(void **result, size_t alignment, size_t size) {
  *result = memalign(alignment, size);
  return *result ? 0 : ENOMEM;
}
