// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Opens the driver's library.
#include "runtime/device/Driver.h"

#include <dlfcn.h>

using namespace hone;

bool Driver::open(const char *path, Text &text) {
  // Never closed: drivers leave threads and handlers behind.
  library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!library) {
    const char *reason = dlerror();
    text.add("cannot open the driver '%s' (%s): install the device's driver, "
             "or run on a machine that has one",
             path, reason ? reason : "unknown reason");
    return false;
  }
  const char *missing = nullptr;
  auto find = [&](const char *name) {
    void *found = dlsym(library, name);
    if (!found)
      missing = name;
    return found;
  };
#define HONE_DRIVER_FIND(name)                                                 \
  name = reinterpret_cast<decltype(name)>(find(#name));
  HONE_DRIVER_FUNCTIONS(HONE_DRIVER_FIND)
#undef HONE_DRIVER_FIND
  if (!missing)
    return true;
  text.add("the driver '%s' has no function %s: it is too old; install one for "
           "CUDA 11.4 or newer",
           path, missing);
  close();
  return false;
}

void Driver::close() {
  dlclose(library);
  library = nullptr;
}

Text &Driver::addError(CUresult error, Text &text) const {
  const char *name = nullptr, *explanation = nullptr;
  if (cuGetErrorName(error, &name) != CUDA_SUCCESS || !name)
    return text.add("error %d", int(error));
  text.add("%s", name);
  if (cuGetErrorString(error, &explanation) == CUDA_SUCCESS && explanation)
    text.add(" (%s)", explanation);
  return text;
}
