/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Counts allocations made by the runs after the first: must be none.
 * usage: allocations MODEL.so THREADS */
#include "hone/abi.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

static atomic_int counting, allocations;

static void count(void) {
  if (atomic_load(&counting))
    atomic_fetch_add(&allocations, 1);
}
void *malloc(size_t size) {
  count();
  return __libc_malloc(size);
}
void *calloc(size_t number, size_t size) {
  count();
  return __libc_calloc(number, size);
}
void *realloc(void *block, size_t size) {
  count();
  return __libc_realloc(block, size);
}
void *memalign(size_t alignment, size_t size) {
  count();
  return __libc_memalign(alignment, size);
}
void *aligned_alloc(size_t alignment, size_t size) {
  return memalign(alignment, size);
}
int posix_memalign(void **block, size_t alignment, size_t size) {
  *block = memalign(alignment, size);
  return *block ? 0 : 12;
}

int main(int argc, char **argv) {
  void *library = argc == 3 ? dlopen(argv[1], RTLD_NOW) : NULL;
  hone_model_fn entry =
      library ? (hone_model_fn)dlsym(library, HONE_MODEL_SYMBOL) : NULL;
  if (!entry)
    return 2;
  const hone_descriptor *model = entry();
  const hone_core_api *api = model->api;
  hone_session_options options = {.size = sizeof options,
                                  .threads = atoi(argv[2])};
  hone_session *session;
  char message[256];
  if (api->session_create(model, &options, &session, message, sizeof message)) {
    puts(message);
    return 1;
  }

  hone_value input = {.kind = HONE_KIND_TENSOR};
  hone_value output = {.kind = HONE_KIND_NONE};
  int64_t dims[8], elements = 1;
  for (int i = 0; i < model->inputs[0].rank; ++i)
    elements *= dims[i] =
        model->inputs[0].dims[i] < 0 ? 1 : model->inputs[0].dims[i];
  float *data = malloc(elements * sizeof *data);
  for (int64_t i = 0; i < elements; ++i)
    data[i] = (float)(i % 17);
  input.as.tensor =
      (hone_tensor){data, dims, model->inputs[0].rank, HONE_TYPE_FLOAT};
  for (int run = 0; run < 20; ++run) {
    if (api->run(session, &input, 1, &output, 1)) {
      puts(api->message(session));
      return 1;
    }
    output.kind = HONE_KIND_NONE;
    atomic_store(&counting, 1);
  }
  atomic_store(&counting, 0);
  printf("%d allocations after the first run\n", atomic_load(&allocations));
  api->session_destroy(session);
  free(data);
  return 0;
}
