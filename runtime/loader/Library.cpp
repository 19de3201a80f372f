// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The public C API: loads models and drives them through the functions that
// their descriptors name.
#include "hone/runtime.h"
#include "runtime/core/CpuLevel.h"
#include "runtime/core/Pool.h"
#include "runtime/core/Profile.h"
#include "runtime/core/Status.h"
#include "runtime/core/Types.h"
#include "runtime/core/Weights.h"
#include "runtime/loader/Checksum.h"
#include "runtime/loader/FileStatus.h"
#include "runtime/loader/Seal.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

using namespace hone;

struct hone_library {
  void *handle; ///< null: linked into the program
  const hone_descriptor *model;
  // The version of the file it was loaded from.
  dev_t device;
  ino_t inode;
  uint64_t checksum;
  hone_library *next; ///< in the list of open ones
};

struct hone_runner {
  const hone_descriptor *model;
  hone_session *session;
  hone_pool pool; ///< this runner's own, if any
  hone_value *inputs;
  hone_value *buffers; ///< set by the caller for outputs
  hone_value *outputs; ///< of the run in progress
  hone_value *results; ///< of the last run with a valid call
  char message[256];   ///< a failure found here; empty: ask the session
};

namespace {

template <typename T> T *allocate(int64_t count = 1) {
  return static_cast<T *>(calloc(count > 0 ? size_t(count) : 1, sizeof(T)));
}

int32_t openModel(hone_model_fn function, hone_library **library, Text &text) {
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
  (*library)->model = model;
  return HONE_OK;
}

/// Retries for a file that is replaced while it is loaded.
constexpr int maxAttempts = 3;

/// Two characters per bit, all of which mean "this folder".
constexpr size_t spellingBytes = 64;

/// The absolute path of a library, spelled according to its content: the system
/// treats libraries of the same name as one, even if the file has changed
/// since. False: too long, or the working folder is gone.
bool spellPath(const char *path, uint64_t checksum, char *spelled,
               size_t capacity) {
  const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
  size_t length = 0, folderBytes = slash ? size_t(slash - path) : 0;
  if (path[0] != '/') {
    if (!getcwd(spelled, capacity))
      return false;
    length = strlen(spelled);
  }
  if (length + 1 + folderBytes + spellingBytes + 1 + strlen(name) >= capacity)
    return false;
  if (path[0] != '/')
    spelled[length++] = '/';
  memcpy(spelled + length, path, folderBytes);
  length += folderBytes;
  for (size_t i = 0; i < spellingBytes / 2; ++i) {
    spelled[length++] = '/';
    spelled[length++] = (checksum >> i & 1) ? '.' : '/';
  }
  spelled[length++] = '/';
  strcpy(spelled + length, name);
  return true;
}

pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
hone_library *openLibraries = nullptr;

/// Whether an open library was loaded from this file, with content other than
/// its present one.
bool wasOther(const struct stat &file, uint64_t checksum) {
  for (hone_library *library = openLibraries; library; library = library->next)
    if (library->device == file.st_dev && library->inode == file.st_ino &&
        library->checksum != checksum)
      return true;
  return false;
}

/// Checks the file and has the system load it. The handle stays null if the
/// file was replaced meanwhile, unless this is the last attempt.
int32_t load(const char *path, bool isLast, void *&handle, hone_seal &seal,
             struct stat &checked, Text &text) {
  char reason[512] = "";
  const char *problem = reason;
  struct stat loaded;
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  Text why(reason, sizeof(reason));
  if (file < 0 || !fileStatus(file, checked))
    why.add("%s", strerror(errno));
  else if (checkSeal(file, seal, why) == HONE_OK)
    problem = nullptr;
  if (file >= 0)
    close(file);
  char spelled[PATH_MAX];
  if (!problem && !spellPath(path, seal.checksum, spelled, sizeof(spelled)))
    problem = "its absolute path is too long, or the working folder is gone";
  // The system would use the pages that are already mapped.
  if (!problem && wasOther(checked, seal.checksum))
    problem = "it was changed in place while its older version is in use: "
              "write a new file, and rename it";
  if (!problem) {
    handle = dlopen(spelled, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
      problem = dlerror();
    bool isOther = !fileStatus(spelled, loaded) ||
                   loaded.st_dev != checked.st_dev ||
                   loaded.st_ino != checked.st_ino;
    if (isOther)
      problem = isLast ? "it keeps being replaced" : nullptr;
    if (handle && (problem || isOther)) {
      dlclose(handle);
      handle = nullptr;
    }
  }
  if (!problem)
    return HONE_OK;
  text.add("cannot load '%s': %s", path, problem);
  return HONE_BAD_MODEL;
}

/// hone_library_open, with the lock held.
int32_t openFile(const char *path, const char *symbol, hone_library **library,
                 Text &text) {
  // A file that is replaced between check and load is checked again.
  void *handle = nullptr;
  hone_seal seal;
  struct stat file;
  for (int attempt = 0; !handle; ++attempt)
    if (int32_t status =
            load(path, attempt == maxAttempts, handle, seal, file, text))
      return status;
  symbol = symbol && *symbol ? symbol : seal.symbol;
  auto function = reinterpret_cast<hone_model_fn>(dlsym(handle, symbol));
  int32_t status = HONE_BAD_MODEL;
  if (!function)
    text.add("'%s' has no symbol '%s'; it exports '%s'", path, symbol,
             seal.symbol);
  else
    status = openModel(function, library, text);
  if (status != HONE_OK) {
    dlclose(handle);
    return status;
  }
  hone_library &opened = **library;
  opened.handle = handle;
  opened.device = file.st_dev;
  opened.inode = file.st_ino;
  opened.checksum = seal.checksum;
  opened.next = openLibraries;
  openLibraries = &opened;
  return HONE_OK;
}

int64_t indexOf(const hone_value_info *values, int32_t count,
                const char *name) {
  for (int32_t i = 0; name && i < count; ++i)
    if (strcmp(values[i].name, name) == 0)
      return i;
  return -1;
}

const hone_node *nodeOf(const hone_descriptor *model, int64_t step,
                        int32_t index) {
  if (!model || step < 0 || step >= model->step_count || index < 0 ||
      index >= model->steps[step].node_count)
    return nullptr;
  return &model->nodes[model->step_nodes[model->steps[step].first_node +
                                         uint32_t(index)]];
}

int32_t noSuch(hone_runner *runner, const char *role, const char *name) {
  Text(runner->message, sizeof(runner->message))
      .add("the model has no %s '%s'", role, name ? name : "");
  return HONE_WRONG_CALL;
}

} // namespace

const char *hone_runtime_version() { return HONE_VERSION; }

int32_t hone_library_open(const char *path, const char *symbol,
                          hone_library **library, char *message,
                          size_t messageBytes) {
  Text text(message, message ? messageBytes : 0);
  if (library)
    *library = nullptr;
  if (!library || !path) {
    text.add("no %s was given", path ? "place for the library" : "path");
    return HONE_WRONG_CALL;
  }
  pthread_mutex_lock(&lock);
  int32_t status = openFile(path, symbol, library, text);
  pthread_mutex_unlock(&lock);
  return status;
}

int32_t hone_library_wrap(hone_model_fn model, hone_library **library,
                          char *message, size_t messageBytes) {
  Text text(message, message ? messageBytes : 0);
  if (library)
    *library = nullptr;
  if (!library || !model) {
    text.add("no %s was given", model ? "place for the library" : "model");
    return HONE_WRONG_CALL;
  }
  return openModel(model, library, text);
}

void hone_library_close(hone_library *library) {
  if (!library)
    return;
  if (library->handle) {
    pthread_mutex_lock(&lock);
    hone_library **link = &openLibraries;
    while (*link != library)
      link = &(*link)->next;
    *link = library->next;
    dlclose(library->handle);
    pthread_mutex_unlock(&lock);
  }
  free(library);
}

int32_t hone_library_verify(const hone_library *library, char *message,
                            size_t messageBytes) {
  Text text(message, message ? messageBytes : 0);
  if (!library) {
    text.add("no library was given");
    return HONE_WRONG_CALL;
  }
  const hone_descriptor &model = *library->model;
  const char *weights = nullptr;
  if (int32_t status = openWeights(model, &weights, text))
    return status;
  Checksum checksum;
  checksum.add(weights, size_t(model.weight_bytes));
  closeWeights(model);
  if (model.weight_bytes == 0 || checksum.value() == model.weights_checksum)
    return HONE_OK;
  text.add("the model's weights are damaged, or were changed after it was "
           "compiled: copy it again, or recompile it");
  return HONE_BAD_MODEL;
}

const hone_descriptor *hone_library_descriptor(const hone_library *library) {
  return library ? library->model : nullptr;
}

const hone_value_info *hone_library_input(const hone_library *library,
                                          const char *name) {
  if (!library)
    return nullptr;
  const hone_descriptor &model = *library->model;
  int64_t index = indexOf(model.inputs, model.input_count, name);
  return index < 0 ? nullptr : &model.inputs[index];
}

const hone_value_info *hone_library_output(const hone_library *library,
                                           const char *name) {
  if (!library)
    return nullptr;
  const hone_descriptor &model = *library->model;
  int64_t index = indexOf(model.outputs, model.output_count, name);
  return index < 0 ? nullptr : &model.outputs[index];
}

int32_t hone_pool_create(int32_t threads, hone_pool *pool) {
  return createPool(threads, pool);
}

void hone_pool_destroy(hone_pool *pool) {
  if (pool)
    destroyPool(pool);
}

int32_t hone_runner_create(hone_library *library,
                           const hone_session_options *options,
                           hone_runner **result, char *message,
                           size_t messageBytes) {
  Text text(message, message ? messageBytes : 0);
  if (result)
    *result = nullptr;
  if (!result || !library) {
    text.add("no %s was given", library ? "place for the runner" : "library");
    return HONE_WRONG_CALL;
  }
  const hone_descriptor &model = *library->model;
  hone_session_options chosen = {};
  if (options)
    memcpy(&chosen, options,
           options->size < sizeof(chosen) ? options->size : sizeof(chosen));
  chosen.size = sizeof(chosen);
  auto *runner = allocate<hone_runner>();
  if (runner) {
    runner->model = &model;
    runner->inputs = allocate<hone_value>(model.input_count);
    runner->outputs = allocate<hone_value>(model.output_count);
    runner->results = allocate<hone_value>(model.output_count);
    runner->buffers = allocate<hone_value>(model.output_count);
  }
  if (!runner || !runner->inputs || !runner->outputs || !runner->results ||
      !runner->buffers) {
    text.add("out of memory");
    hone_runner_destroy(runner);
    return HONE_OUT_OF_MEMORY;
  }
  // The session reports a wrong number of threads.
  if (!chosen.pool && chosen.threads >= 0 &&
      createPool(chosen.threads, &runner->pool) == HONE_OK)
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
  free(runner->results);
  free(runner->buffers);
  free(runner);
}

int32_t hone_runner_set_input(hone_runner *runner, const char *name,
                              const hone_value *value) {
  if (!runner)
    return HONE_WRONG_CALL;
  const hone_descriptor &model = *runner->model;
  int64_t index = indexOf(model.inputs, model.input_count, name);
  if (index < 0)
    return noSuch(runner, "input", name);
  runner->inputs[index] = value ? *value : hone_value{};
  return HONE_OK;
}

int32_t hone_runner_set_output(hone_runner *runner, const char *name,
                               const hone_value *value) {
  if (!runner)
    return HONE_WRONG_CALL;
  const hone_descriptor &model = *runner->model;
  int64_t index = indexOf(model.outputs, model.output_count, name);
  if (index < 0)
    return noSuch(runner, "output", name);
  runner->buffers[index] = value ? *value : hone_value{};
  return HONE_OK;
}

int32_t hone_runner_prepare(hone_runner *runner, int64_t *arenaBytes,
                            const int64_t **outputDims) {
  if (!runner)
    return HONE_WRONG_CALL;
  runner->message[0] = 0;
  return runner->model->api->prepare(runner->session, runner->inputs,
                                     runner->model->input_count, arenaBytes,
                                     outputDims);
}

int32_t hone_runner_run(hone_runner *runner) {
  if (!runner)
    return HONE_WRONG_CALL;
  const hone_descriptor &model = *runner->model;
  size_t bytes = sizeof(hone_value) * size_t(model.output_count);
  runner->message[0] = 0;
  memcpy(runner->outputs, runner->buffers, bytes);
  int32_t status =
      model.api->run(runner->session, runner->inputs, model.input_count,
                     runner->outputs, model.output_count);
  // A wrong call changes nothing; after any other failure there are no outputs.
  if (status == HONE_OK)
    memcpy(runner->results, runner->outputs, bytes);
  else if (status != HONE_WRONG_CALL)
    memset(runner->results, 0, bytes);
  return status;
}

const hone_value *hone_runner_output(const hone_runner *runner,
                                     const char *name) {
  if (!runner)
    return nullptr;
  const hone_descriptor &model = *runner->model;
  int64_t index = indexOf(model.outputs, model.output_count, name);
  return index < 0 ? nullptr : &runner->results[index];
}

const char *hone_runner_message(const hone_runner *runner) {
  if (!runner)
    return "no runner was given";
  return runner->message[0] ? runner->message
                            : runner->model->api->message(runner->session);
}

void hone_runner_stats(const hone_runner *runner, hone_session_stats *stats) {
  if (runner && stats)
    runner->model->api->stats(runner->session, stats);
}

int32_t hone_runner_profile_start(hone_runner *runner, int64_t events) {
  if (!runner)
    return HONE_WRONG_CALL;
  runner->message[0] = 0;
  return runner->model->api->profile_start(runner->session, events);
}

int32_t hone_runner_profile_stop(hone_runner *runner) {
  if (!runner)
    return HONE_WRONG_CALL;
  runner->message[0] = 0;
  return runner->model->api->profile_stop(runner->session);
}

int32_t hone_runner_profile_read(const hone_runner *runner,
                                 hone_profile *profile) {
  return runner ? runner->model->api->profile_read(runner->session, profile)
                : int32_t(HONE_WRONG_CALL);
}

const char *hone_step_name(const hone_descriptor *model, int64_t step) {
  if (!model || step < 0 || step >= model->step_count)
    return nullptr;
  return model->texts + model->steps[step].name;
}

const char *hone_step_node(const hone_descriptor *model, int64_t step,
                           int32_t index) {
  const hone_node *node = nodeOf(model, step, index);
  return node ? model->texts + node->name : nullptr;
}

const char *hone_step_node_op(const hone_descriptor *model, int64_t step,
                              int32_t index) {
  const hone_node *node = nodeOf(model, step, index);
  return node ? model->texts + node->op : nullptr;
}

/// The kernel of a step; -1: there is none.
static int64_t kernelOf(const hone_descriptor *model, int64_t step) {
  return model && step >= 0 && step < model->step_count
             ? model->steps[step].kernel
             : -1;
}

const char *hone_step_arithmetic(const hone_descriptor *model, int64_t level,
                                 int64_t step) {
  int64_t kernel = kernelOf(model, step);
  if (kernel < 0 || level < 0 || level >= model->level_count)
    return nullptr;
  const hone_level &table = model->levels[level];
  if (!table.arithmetic || !table.kernels[kernel])
    return nullptr;
  return model->texts + table.arithmetic[kernel];
}

int64_t hone_step_flop(const hone_descriptor *model, int64_t step) {
  int64_t kernel = kernelOf(model, step);
  return kernel < 0 ? -1 : knownFlop(*model, kernel);
}

int32_t hone_type_bits(int32_t type) { return typeBits(type); }

const char *hone_type_name(int32_t type) { return typeName(type); }

int64_t hone_tensor_bytes(int32_t type, int32_t rank, const int64_t *dims) {
  return tensorBytes(type, rank, dims);
}

uint64_t hone_cpu_features() { return cpuFeatures(); }
