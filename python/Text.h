// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Texts from and to Python.
#ifndef HONE_PYTHON_TEXT_H
#define HONE_PYTHON_TEXT_H

#include <nanobind/nanobind.h>

#include <string>

namespace hone::python {

/// The bytes of a text; surrogates stand for those of names of files that are
/// not UTF-8.
std::string bytesOf(nanobind::handle text);

/// A text as a message has it: valid UTF-8.
std::string shown(nanobind::handle text);

/// A text of a model or a message, whatever its bytes are.
nanobind::object textOf(const char *text);

} // namespace hone::python

#endif // HONE_PYTHON_TEXT_H
