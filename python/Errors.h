// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// C++ exceptions that become exceptions of the Python package.
#ifndef HONE_PYTHON_ERRORS_H
#define HONE_PYTHON_ERRORS_H

#include <stdexcept>
#include <string>

namespace hone::python {

/// Becomes an exception of hone.errors, of the class `name`.
struct Error : std::runtime_error {
  Error(const char *name, const std::string &message)
      : std::runtime_error(message), name(name) {}
  const char *name;
};

struct CompileError : Error {
  explicit CompileError(const std::string &message,
                        const char *name = "CompileError")
      : Error(name, message) {}
};

struct RunError : Error {
  explicit RunError(const std::string &message, const char *name = "RunError")
      : Error(name, message) {}
};

/// A value of the wrong type, or one that does not fit the model otherwise.
inline RunError runTypeError(const std::string &message) {
  return RunError(message, "RunTypeError");
}
inline RunError runValueError(const std::string &message) {
  return RunError(message, "RunValueError");
}

/// Makes the extension module raise those above as exceptions of hone.errors.
void translateErrors();

} // namespace hone::python

#endif // HONE_PYTHON_ERRORS_H
