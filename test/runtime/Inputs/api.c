/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Uses every function of runtime.h: api MODEL.so. */
#include "hone/runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(int condition, const char *what, const char *message) {
  if (condition)
    return;
  fprintf(stderr, "%s: %s\n", what, message);
  exit(1);
}

static hone_value tensor(void *data, const int64_t *dims, int32_t rank,
                         int32_t type) {
  hone_value value;
  memset(&value, 0, sizeof(value));
  value.kind = HONE_KIND_TENSOR;
  value.as.tensor.data = data;
  value.as.tensor.dims = dims;
  value.as.tensor.rank = rank;
  value.as.tensor.type = type;
  return value;
}

static void setInputs(hone_runner *runner) {
  static float x[8] = {-2, -1, 0, 1, 2, 3, 4, 5};
  static int64_t index[2] = {1, 0};
  static const int64_t xDims[2] = {2, 4}, indexDims[1] = {2};
  static hone_sequence empty;
  hone_value value = tensor(x, xDims, 2, HONE_TYPE_FLOAT);
  check(!hone_runner_set_input(runner, "x", &value), "x",
        hone_runner_message(runner));
  value = tensor(index, indexDims, 1, HONE_TYPE_INT64);
  check(!hone_runner_set_input(runner, "index", &value), "index",
        hone_runner_message(runner));
  memset(&value, 0, sizeof(value));
  value.kind = HONE_KIND_SEQUENCE;
  value.as.sequence = &empty;
  check(!hone_runner_set_input(runner, "table", &value), "table",
        hone_runner_message(runner));
}

/* NULL is a wrong call, whichever argument it is. */
static void checkNulls(const char *path, hone_library *library) {
  hone_library *opened = library;
  hone_runner *runner;
  hone_value value = {0};
  const hone_descriptor *model = hone_library_descriptor(library);
  const hone_core_api *api = model->api;
  int wrong =
      hone_library_open(NULL, NULL, &opened, NULL, 0) == HONE_WRONG_CALL &&
      !opened &&
      hone_library_open(path, NULL, NULL, NULL, 0) == HONE_WRONG_CALL &&
      hone_library_wrap(NULL, &opened, NULL, 0) == HONE_WRONG_CALL &&
      hone_library_verify(NULL, NULL, 0) == HONE_WRONG_CALL &&
      hone_pool_create(2, NULL) == HONE_WRONG_CALL &&
      hone_runner_create(NULL, NULL, &runner, NULL, 0) == HONE_WRONG_CALL &&
      hone_runner_create(library, NULL, NULL, NULL, 0) == HONE_WRONG_CALL &&
      hone_runner_set_input(NULL, "x", &value) == HONE_WRONG_CALL &&
      hone_runner_set_output(NULL, "x", &value) == HONE_WRONG_CALL &&
      hone_runner_prepare(NULL, NULL, NULL) == HONE_WRONG_CALL &&
      hone_runner_run(NULL) == HONE_WRONG_CALL &&
      hone_runner_profile_start(NULL, 0) == HONE_WRONG_CALL &&
      hone_runner_profile_stop(NULL) == HONE_WRONG_CALL &&
      hone_runner_profile_read(NULL, NULL) == HONE_WRONG_CALL &&
      hone_measure_peak(NULL, NULL) == HONE_WRONG_CALL &&
      api->profile_start(NULL, 0) == HONE_WRONG_CALL &&
      api->profile_stop(NULL) == HONE_WRONG_CALL &&
      api->profile_read(NULL, NULL) == HONE_WRONG_CALL &&
      api->session_create(hone_library_descriptor(library), NULL, NULL, NULL,
                          0) == HONE_WRONG_CALL &&
      api->prepare(NULL, NULL, 0, NULL, NULL) == HONE_WRONG_CALL &&
      api->run(NULL, NULL, 0, NULL, 0) == HONE_WRONG_CALL &&
      api->device_allocate(NULL, 1, NULL) == HONE_WRONG_CALL &&
      api->pool_create(2, NULL) == HONE_WRONG_CALL;
  int nothing =
      !hone_library_descriptor(NULL) && !hone_library_input(NULL, "x") &&
      !hone_library_input(library, NULL) && !hone_library_output(NULL, "x") &&
      !hone_library_output(library, NULL) && !hone_runner_output(NULL, "x") &&
      !hone_step_name(NULL, 0) && !hone_step_name(model, -1) &&
      !hone_step_name(model, 3) && !hone_step_node(NULL, 0, 0) &&
      !hone_step_node(model, 0, 1) && !hone_step_node(model, 0, -1) &&
      !hone_step_node_op(model, 3, 0) && !hone_step_arithmetic(NULL, 0, 0) &&
      !hone_step_arithmetic(model, 0, 3) &&
      !hone_step_arithmetic(model, -1, 0) &&
      !hone_step_arithmetic(model, 99, 0) && hone_step_flop(NULL, 0) == -1 &&
      hone_step_flop(model, 3) == -1;
  hone_library_close(NULL);
  hone_runner_destroy(NULL);
  hone_pool_destroy(NULL);
  hone_runner_stats(NULL, NULL);
  api->session_destroy(NULL);
  api->stats(NULL, NULL);
  api->pool_destroy(NULL);
  check(wrong, "a wrong call with NULL", "was taken");
  check(nothing, "something", "came of NULL");
  check(hone_runner_message(NULL)[0] && api->message(NULL)[0], "message", "");
  check(!hone_runner_create(library, NULL, &runner, NULL, 0), "runner", "");
  check(hone_runner_set_input(runner, NULL, &value) == HONE_WRONG_CALL &&
            hone_runner_set_output(runner, NULL, NULL) == HONE_WRONG_CALL &&
            !hone_runner_output(runner, NULL),
        "a name", "was found");
  hone_runner_destroy(runner);
}

static void showProfile(const hone_descriptor *model, hone_runner *runner) {
  hone_profile profile;
  int64_t i, sum = 0;
  check(hone_runner_profile_start(runner, -1) == HONE_WRONG_CALL &&
            strstr(hone_runner_message(runner), "-1 events"),
        "a negative number", "was taken");
  check(!hone_runner_profile_start(runner, 0), "start",
        hone_runner_message(runner));
  check(!hone_runner_run(runner) && !hone_runner_run(runner), "run",
        hone_runner_message(runner));
  check(!hone_runner_profile_stop(runner), "stop", "");
  check(!hone_runner_run(runner), "run", hone_runner_message(runner));
  check(!hone_runner_profile_read(runner, &profile), "read", "");
  for (i = 0; i < profile.row_count; ++i) {
    printf("step %s of node %s (%s): %d launches, %d FLOP, %d bytes\n",
           hone_step_name(model, i), hone_step_node(model, i, 0),
           hone_step_node_op(model, i, 0), (int)profile.rows[i].launches,
           (int)profile.rows[i].flop, (int)profile.rows[i].bytes);
    sum += profile.rows[i].total_ns;
  }
  check(profile.runs == 2 && 0 < sum && sum <= profile.run_ns, "times", "");
}

int main(int argc, char **argv) {
  char why[256] = "";
  hone_library *library;
  hone_runner *first, *second, *third;
  hone_pool pool;
  hone_session_options options;
  hone_session_stats stats;
  const hone_value *twice;
  hone_value buffer;
  float mine[8] = {0};
  static const int64_t dims[2] = {2, 4};
  const int64_t *outputDims;
  int64_t arenaBytes;

  check(argc == 2, "usage", "api MODEL.so");
  check(hone_library_open("no.so", NULL, &library, why, sizeof(why)) ==
                HONE_BAD_MODEL &&
            !library && strstr(why, "no.so"),
        "missing file", why);
  check(hone_library_open(argv[1], "nothing", &library, why, sizeof(why)) ==
                HONE_BAD_MODEL &&
            strstr(why, "no symbol 'nothing'"),
        "missing symbol", why);
  check(!hone_library_open(argv[1], NULL, &library, why, sizeof(why)), "open",
        why);
  check(!hone_library_verify(library, why, sizeof(why)), "verify", why);
  checkNulls(argv[1], library);
  check(!strcmp(hone_library_descriptor(library)->name, "tiny"), "name", "");
  check(hone_library_input(library, "x")->rank == 2, "input", "");
  check(hone_library_output(library, "positive")->type == HONE_TYPE_INT64,
        "output", "");
  check(!hone_library_input(library, "y"), "no such input", "");

  /* One with its own threads, one on a given pool. */
  memset(&options, 0, sizeof(options));
  options.size = sizeof(options);
  options.threads = 2;
  check(!hone_runner_create(library, &options, &first, why, sizeof(why)),
        "create", why);
  check(!hone_pool_create(3, &pool) && pool.threads == 3, "pool", "");
  options.pool = &pool;
  check(!hone_runner_create(library, &options, &second, why, sizeof(why)),
        "create", why);

  check(hone_runner_run(first) == HONE_WRONG_CALL, "nothing set", "");
  puts(hone_runner_message(first));
  check(hone_runner_set_input(first, "y", NULL) == HONE_WRONG_CALL, "y", "");
  puts(hone_runner_message(first));
  setInputs(first);
  setInputs(second);
  check(!hone_runner_prepare(first, &arenaBytes, &outputDims), "prepare",
        hone_runner_message(first));
  printf("arena %d, twice %dx%d\n", (int)arenaBytes, (int)outputDims[0],
         (int)outputDims[1]);
  check(!hone_runner_run(first), "run", hone_runner_message(first));
  twice = hone_runner_output(first, "twice");
  printf("twice ends with %g\n", ((float *)twice->as.tensor.data)[7]);
  check(!hone_runner_output(first, "thrice"), "no such output", "");

  buffer = tensor(mine, dims, 2, HONE_TYPE_FLOAT);
  check(!hone_runner_set_output(second, "twice", &buffer), "set_output", "");
  check(!hone_runner_run(second), "run", hone_runner_message(second));
  check(hone_runner_output(second, "twice")->as.tensor.data == mine, "mine",
        "");
  printf("mine ends with %g\n", mine[7]);
  showProfile(hone_library_descriptor(library), second);

  /* A wrong call leaves the outputs of the last run. */
  buffer.as.tensor.rank = 1;
  check(!hone_runner_set_output(first, "twice", &buffer), "set_output", "");
  check(hone_runner_run(first) == HONE_WRONG_CALL, "a wrong rank", "");
  twice = hone_runner_output(first, "twice");
  check(twice->kind == HONE_KIND_TENSOR &&
            ((float *)twice->as.tensor.data)[7] == 10,
        "twice", "is lost");
  options.pool = NULL;
  options.threads = -1;
  check(hone_runner_create(library, &options, &third, why, sizeof(why)) ==
                HONE_WRONG_CALL &&
            strstr(why, "-1 threads"),
        "threads", why);
  options.threads = 1;
  options.device = 1;
  check(hone_runner_create(library, &options, &third, why, sizeof(why)) ==
                HONE_NO_DEVICE &&
            strstr(why, "device 1"),
        "device", why);
  hone_runner_stats(first, &stats);
  printf("%d threads\n", (int)stats.threads);
  hone_runner_stats(second, &stats);
  printf("%d threads\n", (int)stats.threads);

  hone_runner_destroy(first);
  hone_runner_destroy(second);
  hone_pool_destroy(&pool);
  hone_library_close(library);

  printf("%s is %d bits\n", hone_type_name(HONE_TYPE_BFLOAT16),
         hone_type_bits(HONE_TYPE_BFLOAT16));
  printf("2x4 int4 is %d bytes\n",
         (int)hone_tensor_bytes(HONE_TYPE_INT4, 2, dims));
  check(hone_cpu_features() != 0 && hone_runtime_version()[0], "facts", "");
  return 0;
}
