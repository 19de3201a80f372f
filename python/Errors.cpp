// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// C++ exceptions that become exceptions of the Python package.
#include "python/Errors.h"

#include "python/Text.h"

namespace nb = nanobind;
using namespace hone::python;

static void raiseError(const std::exception_ptr &thrown, void *) {
  try {
    std::rethrow_exception(thrown);
  } catch (const Error &e) {
    nb::object type = nb::module_::import_("hone.errors").attr(e.name);
    PyErr_SetObject(type.ptr(), textOf(e.what()).ptr());
  }
}

void hone::python::translateErrors() {
  nb::register_exception_translator(raiseError);
}
