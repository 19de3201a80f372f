/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Preloaded, makes allocation number HONE_FAIL_MALLOC fail in each process, and
 * writes the number of allocations to the file HONE_COUNT_MALLOC. The allocator
 * is the program's own. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static atomic_long count;
static long chosen = -1;

/* The loader allocates before the environment exists: that is not counted. */
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

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

void *malloc(size_t size) { return fails() ? NULL : NEXT(malloc)(size); }
void *calloc(size_t n, size_t size) {
  return fails() ? NULL : NEXT(calloc)(n, size);
}
void *realloc(void *old, size_t size) {
  return fails() ? NULL : NEXT(realloc)(old, size);
}
void *aligned_alloc(size_t alignment, size_t size) {
  return fails() ? NULL : NEXT(aligned_alloc)(alignment, size);
}
void *memalign(size_t alignment, size_t size) {
  return aligned_alloc(alignment, size);
}
int posix_memalign(void **result, size_t alignment, size_t size) {
  *result = aligned_alloc(alignment, size);
  return *result ? 0 : ENOMEM;
}
