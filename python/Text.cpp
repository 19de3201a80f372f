// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Texts from and to Python.
#include "python/Text.h"

#include <cstring>

namespace nb = nanobind;

std::string hone::python::bytesOf(nb::handle text) {
  nb::bytes bytes = nb::steal<nb::bytes>(PyUnicode_EncodeFSDefault(text.ptr()));
  if (!bytes.is_valid())
    throw nb::python_error();
  return {bytes.c_str(), bytes.size()};
}

std::string hone::python::shown(nb::handle text) {
  nb::bytes bytes = nb::steal<nb::bytes>(
      PyUnicode_AsEncodedString(text.ptr(), "utf-8", "backslashreplace"));
  if (!bytes.is_valid())
    throw nb::python_error();
  return {bytes.c_str(), bytes.size()};
}

nb::object hone::python::textOf(const char *text) {
  return nb::steal(PyUnicode_DecodeUTF8(text, std::strlen(text), "replace"));
}
