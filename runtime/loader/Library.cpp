// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The public C API: loads models and drives them through the functions that
// their descriptors name.
#include "hone/runtime.h"
#include "runtime/core/CpuLevel.h"
#include "runtime/core/Pool.h"
#include "runtime/core/Status.h"
#include "runtime/core/Types.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

using namespace hone;

struct hone_library {
  void *handle;
  const hone_descriptor *model;
};

struct hone_runner {
  const hone_descriptor *model;
  hone_session *session;
  hone_pool pool; ///< this runner's own, if any
  hone_value *inputs, *outputs, *buffers;
  char message[256]; ///< a failure found here; empty: ask the session
};

namespace {

template <typename T> T *allocate(int64_t count = 1) {
  return static_cast<T *>(calloc(count > 0 ? size_t(count) : 1, sizeof(T)));
}

int32_t openModel(void *handle, hone_model_fn function, hone_library **library,
                  Text &text) {
  const hone_descriptor *model = function();
  if (!model || model->abi_version != HONE_ABI_VERSION ||
      model->size < sizeof(hone_descriptor) || !model->api ||
      model->api->abi_version != HONE_ABI_VERSION) {
    text.add("the model was compiled for version %" PRIu32 " of the binary "
             "interface, and this runtime has version %" PRIu32
             ": compile it again",
             model ? model->abi_version : 0, HONE_ABI_VERSION);
    return HONE_BAD_MODEL;
  }
  *library = allocate<hone_library>();
  if (!*library) {
    text.add("out of memory");
    return HONE_OUT_OF_MEMORY;
  }
  **library = {handle, model};
  return HONE_OK;
}

int64_t indexOf(const hone_value_info *values, int32_t count,
                const char *name) {
  for (int32_t i = 0; i < count; ++i)
    if (strcmp(values[i].name, name) == 0)
      return i;
  return -1;
}

int32_t noSuch(hone_runner *runner, const char *role, const char *name) {
  Text(runner->message, sizeof(runner->message))
      .add("the model has no %s '%s'", role, name);
  return HONE_WRONG_CALL;
}

} // namespace

const char *hone_runtime_version() { return HONE_VERSION; }

int32_t hone_library_open(const char *path, const char *symbol,
                          hone_library **library, char *message,
                          size_t messageBytes) {
  Text text(message, message ? messageBytes : 0);
  *library = nullptr;
  // Without a slash dlopen would search the system's folders, not this one.
  char here[4096];
  if (!strchr(path, '/')) {
    Text(here, sizeof(here)).add("./%s", path);
    path = here;
  }
  void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char *reason = dlerror();
    text.add("cannot load '%s': %s", path, reason ? reason : "unknown reason");
    return HONE_BAD_MODEL;
  }
  symbol = symbol && *symbol ? symbol : HONE_MODEL_SYMBOL;
  auto function = reinterpret_cast<hone_model_fn>(dlsym(handle, symbol));
  int32_t status = HONE_BAD_MODEL;
  if (!function)
    text.add("'%s' is not a compiled model: it has no symbol '%s'", path,
             symbol);
  else
    status = openModel(handle, function, library, text);
  if (status != HONE_OK)
    dlclose(handle);
  return status;
}

int32_t hone_library_wrap(hone_model_fn model, hone_library **library,
                          char *message, size_t messageBytes) {
  Text text(message, message ? messageBytes : 0);
  *library = nullptr;
  return openModel(nullptr, model, library, text);
}

void hone_library_close(hone_library *library) {
  if (!library)
    return;
  if (library->handle)
    dlclose(library->handle);
  free(library);
}

const hone_descriptor *hone_library_descriptor(const hone_library *library) {
  return library->model;
}

const hone_value_info *hone_library_input(const hone_library *library,
                                          const char *name) {
  const hone_descriptor &model = *library->model;
  int64_t index = indexOf(model.inputs, model.input_count, name);
  return index < 0 ? nullptr : &model.inputs[index];
}

const hone_value_info *hone_library_output(const hone_library *library,
                                           const char *name) {
  const hone_descriptor &model = *library->model;
  int64_t index = indexOf(model.outputs, model.output_count, name);
  return index < 0 ? nullptr : &model.outputs[index];
}

int32_t hone_pool_create(int32_t threads, hone_pool *pool) {
  return createPool(threads, pool);
}

void hone_pool_destroy(hone_pool *pool) { destroyPool(pool); }

int32_t hone_runner_create(hone_library *library,
                           const hone_session_options *options,
                           hone_runner **result, char *message,
                           size_t messageBytes) {
  *result = nullptr;
  const hone_descriptor &model = *library->model;
  auto *runner = allocate<hone_runner>();
  if (runner) {
    runner->model = &model;
    runner->inputs = allocate<hone_value>(model.input_count);
    runner->outputs = allocate<hone_value>(model.output_count);
    runner->buffers = allocate<hone_value>(model.output_count);
  }
  if (!runner || !runner->inputs || !runner->outputs || !runner->buffers) {
    Text(message, message ? messageBytes : 0).add("out of memory");
    hone_runner_destroy(runner);
    return HONE_OUT_OF_MEMORY;
  }
  hone_session_options chosen = {};
  if (options)
    memcpy(&chosen, options,
           options->size < sizeof(chosen) ? options->size : sizeof(chosen));
  chosen.size = sizeof(chosen);
  if (!chosen.pool && createPool(chosen.threads, &runner->pool) == HONE_OK)
    chosen.pool = &runner->pool;
  int32_t status = model.api->session_create(&model, &chosen, &runner->session,
                                             message, messageBytes);
  if (status != HONE_OK) {
    hone_runner_destroy(runner);
    return status;
  }
  *result = runner;
  return HONE_OK;
}

void hone_runner_destroy(hone_runner *runner) {
  if (!runner)
    return;
  if (runner->session)
    runner->model->api->session_destroy(runner->session);
  destroyPool(&runner->pool);
  free(runner->inputs);
  free(runner->outputs);
  free(runner->buffers);
  free(runner);
}

int32_t hone_runner_set_input(hone_runner *runner, const char *name,
                              const hone_value *value) {
  const hone_descriptor &model = *runner->model;
  int64_t index = indexOf(model.inputs, model.input_count, name);
  if (index < 0)
    return noSuch(runner, "input", name);
  runner->inputs[index] = value ? *value : hone_value{};
  return HONE_OK;
}

int32_t hone_runner_set_output(hone_runner *runner, const char *name,
                               const hone_value *value) {
  const hone_descriptor &model = *runner->model;
  int64_t index = indexOf(model.outputs, model.output_count, name);
  if (index < 0)
    return noSuch(runner, "output", name);
  runner->buffers[index] = value ? *value : hone_value{};
  return HONE_OK;
}

int32_t hone_runner_prepare(hone_runner *runner, int64_t *arenaBytes,
                            const int64_t **outputDims) {
  runner->message[0] = 0;
  return runner->model->api->prepare(runner->session, runner->inputs,
                                     runner->model->input_count, arenaBytes,
                                     outputDims);
}

int32_t hone_runner_run(hone_runner *runner) {
  const hone_descriptor &model = *runner->model;
  runner->message[0] = 0;
  memcpy(runner->outputs, runner->buffers,
         sizeof(hone_value) * size_t(model.output_count));
  return model.api->run(runner->session, runner->inputs, model.input_count,
                        runner->outputs, model.output_count);
}

const hone_value *hone_runner_output(const hone_runner *runner,
                                     const char *name) {
  const hone_descriptor &model = *runner->model;
  int64_t index = indexOf(model.outputs, model.output_count, name);
  return index < 0 ? nullptr : &runner->outputs[index];
}

const char *hone_runner_message(const hone_runner *runner) {
  return runner->message[0] ? runner->message
                            : runner->model->api->message(runner->session);
}

void hone_runner_stats(const hone_runner *runner, hone_session_stats *stats) {
  runner->model->api->stats(runner->session, stats);
}

int32_t hone_type_bits(int32_t type) { return typeBits(type); }

const char *hone_type_name(int32_t type) { return typeName(type); }

int64_t hone_tensor_bytes(int32_t type, int32_t rank, const int64_t *dims) {
  return tensorBytes(type, rank, dims);
}

uint64_t hone_cpu_features() { return cpuFeatures(); }
