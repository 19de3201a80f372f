// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Compiles a model with an operator written in C++, and runs it.
#include "hone/compiler.h"
#include "hone/runtime.h"
#include <cmath>
#include <cstdio>

static int run(const char *path) {
  char why[256];
  hone_library *library = nullptr;
  hone_runner *runner = nullptr;
  float pairs[3][2] = {{1, 0}, {1, 0}, {1, 0}};
  int64_t dims[] = {3, 2};
  hone_value x = {};
  x.kind = HONE_KIND_TENSOR;
  x.as.tensor = {pairs, dims, 2, HONE_TYPE_FLOAT};
  int status = 1;
  if (hone_library_open(path, nullptr, &library, why, sizeof why) ||
      hone_runner_create(library, nullptr, &runner, why, sizeof why)) {
    std::fprintf(stderr, "%s\n", why);
  } else if (hone_runner_set_input(runner, "x", &x) ||
             hone_runner_run(runner)) {
    std::fprintf(stderr, "%s\n", hone_runner_message(runner));
  } else {
    auto *y = static_cast<const float *>(
        hone_runner_output(runner, "y")->as.tensor.data);
    for (int position = 0; position < 3; ++position)
      std::printf("position %d: turned by %.3f\n", position,
                  std::atan2(y[2 * position + 1], y[2 * position]));
    status = 0;
  }
  hone_runner_destroy(runner);
  hone_library_close(library);
  return status;
}

int main(int argc, char **argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: embed MODEL.onnx OPERATORS OUT.so\n");
    return 2;
  }
  hone_compiler *compiler = hone_compiler_create();
  hone_compiler_set(compiler, "custom-ops", argv[2]);
  int status = hone_compile_file(compiler, argv[1], argv[3]);
  std::fputs(hone_compiler_messages(compiler), stderr);
  hone_compiler_destroy(compiler);
  return status ? status : run(argv[3]);
}
