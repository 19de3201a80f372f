// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Values of a compiled model from and to Python objects: tensors are numpy
// arrays (of objects for strings), sequences lists, absent optionals None, maps
// dicts.
#ifndef HONE_PYTHON_VALUES_H
#define HONE_PYTHON_VALUES_H

#include "hone/abi.h"

#include <nanobind/nanobind.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace hone::python {

/// Owns the memory that a hone_value made from Python objects points to.
class Keep {
public:
  /// `copies`: the elements of arrays in host memory are copied, so that
  /// whatever becomes of the arrays, the values stay the same.
  explicit Keep(bool copies = false) : copies(copies) {}
  const bool copies;

  /// Moves a vector here and returns its storage.
  template <typename T> T *vector(std::vector<T> elements) {
    auto kept = std::make_shared<std::vector<T>>(std::move(elements));
    owned.push_back(kept);
    return kept->data();
  }
  template <typename T> T *one(T value) {
    auto kept = std::make_shared<T>(std::move(value));
    owned.push_back(kept);
    return kept.get();
  }
  void object(nanobind::object value) { objects.push_back(std::move(value)); }
  /// Lets a tensor refer to a copy of its elements, if copies are made. Not for
  /// strings.
  void copyElements(hone_tensor &tensor);

private:
  std::vector<std::shared_ptr<void>> owned;
  std::vector<nanobind::object> objects;
};

/// A value as declared by `info`, from a Python object. Contiguous arrays and
/// tensors with the DLPack protocol are not copied unless `keep` says so.
/// Shapes are left to the model's own check.
hone_value fromPython(nanobind::handle object, const hone_value_info &info,
                      Keep &keep);

/// A tensor on a device, made by a run, as seen by Python. `array` is
/// nanobind's and speaks the DLPack protocol; it owns the memory.
struct DeviceTensor {
  nanobind::object array, shape, dtype;
};

/// Where an object offers its data by the DLPack protocol. Numpy arrays count
/// as None.
enum class DlpackPlace { None, Host, Device };
DlpackPlace dlpackPlace(nanobind::handle object);

/// A tensor in host memory to be read in place: none if it is not contiguous or
/// not aligned, or says through DLPack that it cannot be read.
std::optional<hone_value> hostTensorFromPython(nanobind::handle object,
                                               Keep &keep);

/// A tensor in host memory to be written by a run.
hone_value hostOutputFromPython(nanobind::handle object, Keep &keep);

/// A tensor to be read in place on the device of this number.
hone_value deviceTensorFromPython(nanobind::handle object, int64_t device,
                                  Keep &keep);

/// A tensor on the device of this number to be written by a run.
hone_value deviceOutputFromPython(nanobind::handle object, int64_t device,
                                  Keep &keep);

/// An array or tensor in host memory to be written by a run; not copied.
hone_value outputFromPython(nanobind::handle object,
                            const hone_value_info &info, Keep &keep);

/// Whether DLPack has an element type.
bool isDeviceType(int32_t type);

/// A DeviceTensor over `memory`, which it releases before `owner`.
nanobind::object deviceTensorToPython(const hone_device_memory &memory,
                                      std::shared_ptr<void> owner,
                                      int64_t device, int32_t type,
                                      const int64_t *dims, int32_t rank);

/// A copy of a value stored in a session.
nanobind::object toPython(const hone_value &value);

/// A new array of a non-string type, and the value that refers to it.
nanobind::object emptyTensor(int32_t type, const int64_t *dims, int32_t rank,
                             hone_value &value);

/// The array that emptyTensor made, as the caller expects it: 2- and 4-bit
/// elements unpacked.
nanobind::object finishTensor(nanobind::object array, int32_t type,
                              const int64_t *dims, int32_t rank);

bool isNumpyArray(nanobind::handle object);

/// The numpy dtype of an element type, or None if numpy has none.
nanobind::object dtypeOf(int32_t type);

/// The element type of a numpy dtype, HONE_TYPE_UNDEFINED if there is none.
int32_t typeOf(nanobind::handle dtype);

/// ONNX's name of an element type: "float", "int64", ...
const char *typeName(int32_t type);

} // namespace hone::python

#endif // HONE_PYTHON_VALUES_H
