// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Values of a compiled model from and to Python objects.
#include "python/Values.h"

#include "hone/runtime.h"
#include "python/Errors.h"
#include "python/Text.h"

#include <nanobind/stl/string.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <new>
#include <unordered_map>

namespace nb = nanobind;
using namespace hone::python;

namespace {

struct TypeInfo {
  const char *name;  // ONNX's
  const char *dtype; // numpy's, or ml_dtypes'
  const char *plain; // numpy's when ml_dtypes is not installed
  int bits;
};

/// By the numbers of hone_type.
const std::array<TypeInfo, HONE_TYPE_COUNT> types = {{
    {"undefined", nullptr, nullptr, 0},
    {"float", "float32", nullptr, 32},
    {"uint8", "uint8", nullptr, 8},
    {"int8", "int8", nullptr, 8},
    {"uint16", "uint16", nullptr, 16},
    {"int16", "int16", nullptr, 16},
    {"int32", "int32", nullptr, 32},
    {"int64", "int64", nullptr, 64},
    {"string", "object", nullptr, 128},
    {"bool", "bool", nullptr, 8},
    {"float16", "float16", nullptr, 16},
    {"double", "float64", nullptr, 64},
    {"uint32", "uint32", nullptr, 32},
    {"uint64", "uint64", nullptr, 64},
    {"complex64", "complex64", nullptr, 64},
    {"complex128", "complex128", nullptr, 128},
    {"bfloat16", "bfloat16", "uint16", 16},
    {"float8e4m3fn", "float8_e4m3fn", "uint8", 8},
    {"float8e4m3fnuz", "float8_e4m3fnuz", "uint8", 8},
    {"float8e5m2", "float8_e5m2", "uint8", 8},
    {"float8e5m2fnuz", "float8_e5m2fnuz", "uint8", 8},
    {"uint4", "uint4", "uint8", 4},
    {"int4", "int4", "int8", 4},
    {"float4e2m1", "float4_e2m1fn", "uint8", 4},
    {"float8e8m0", "float8_e8m0fnu", "uint8", 8},
    {"uint2", "uint2", "uint8", 2},
    {"int2", "int2", "int8", 2},
}};

/// What is needed of numpy, looked up once and never released: Python may be
/// gone when static objects are destroyed.
struct Numpy {
  nb::object array, asarray, fromDlpack, empty, packedByte;
  std::array<nb::object, HONE_TYPE_COUNT> dtypes;
  std::unordered_map<int, int32_t> typeOfNumber;

  Numpy() {
    nb::module_ numpy = nb::module_::import_("numpy");
    array = numpy.attr("ndarray");
    asarray = numpy.attr("asarray");
    fromDlpack = numpy.attr("from_dlpack");
    empty = numpy.attr("empty");
    packedByte = numpy.attr("dtype")("uint8");
    nb::object more = nb::none();
    try {
      more = nb::module_::import_("ml_dtypes");
    } catch (nb::python_error &e) {
      if (!e.matches(PyExc_ImportError))
        e.discard_as_unraisable("import ml_dtypes");
    }
    for (int32_t type = 1; type < HONE_TYPE_COUNT; ++type) {
      const TypeInfo &info = types[type];
      nb::object dtype;
      if (!info.plain)
        dtype = numpy.attr("dtype")(info.dtype);
      else if (!more.is_none() && nb::hasattr(more, info.dtype))
        dtype = numpy.attr("dtype")(more.attr(info.dtype));
      else
        dtype = numpy.attr("dtype")(info.plain);
      typeOfNumber.emplace(nb::cast<int>(dtype.attr("num")), type);
      dtypes[type] = std::move(dtype);
    }
  }

  static Numpy &get() {
    static Numpy *instance = new Numpy;
    return *instance;
  }
};

bool isPacked(int32_t type) { return types[type].bits < 8; }

int64_t countOf(const int64_t *dims, int32_t rank) {
  int64_t count = 1;
  for (int32_t i = 0; i < rank; ++i)
    count *= dims[i];
  return count;
}

/// The address of a numpy array's elements.
void *dataOf(nb::handle array) {
  // The buffer protocol is faster, but not supported by all dtypes.
  Py_buffer view;
  if (PyObject_GetBuffer(array.ptr(), &view, PyBUF_SIMPLE) == 0) {
    void *data = view.buf;
    PyBuffer_Release(&view); // the array itself keeps the elements
    return data;
  }
  PyErr_Clear();
  nb::dict interface = nb::cast<nb::dict>(array.attr("__array_interface__"));
  nb::tuple data = nb::cast<nb::tuple>(interface["data"]);
  return reinterpret_cast<void *>(nb::cast<uintptr_t>(data[0]));
}

/// One string element: text, or bytes unchanged.
hone_string stringOf(nb::handle element, Keep &keep) {
  nb::object text = nb::borrow(element);
  if (PyUnicode_Check(text.ptr()))
    text = text.attr("encode")("utf-8", "surrogateescape");
  if (!PyBytes_Check(text.ptr()))
    throw runTypeError("a string tensor has an element that is neither str "
                       "nor bytes");
  hone_string result = {PyBytes_AS_STRING(text.ptr()),
                        static_cast<size_t>(PyBytes_GET_SIZE(text.ptr()))};
  keep.object(std::move(text));
  return result;
}

/// Bytes of 2- or 4-bit elements, from an array with one element per byte.
std::vector<uint8_t> pack(const uint8_t *elements, int64_t count, int bits) {
  int perByte = 8 / bits;
  std::vector<uint8_t> bytes((count + perByte - 1) / perByte);
  for (int64_t i = 0; i < count; ++i)
    bytes[i / perByte] |= (elements[i] & ((1 << bits) - 1))
                          << (i % perByte * bits);
  return bytes;
}

/// The reverse; signed integers are sign-extended to numpy's one byte per
/// element.
void unpack(const uint8_t *bytes, uint8_t *elements, int64_t count,
            int32_t type) {
  int bits = types[type].bits, perByte = 8 / bits;
  bool isSigned = type == HONE_TYPE_INT4 || type == HONE_TYPE_INT2;
  for (int64_t i = 0; i < count; ++i) {
    uint8_t value = bytes[i / perByte] >> (i % perByte * bits);
    value &= (1 << bits) - 1;
    if (isSigned && value >> (bits - 1))
      value |= 0xff << bits;
    elements[i] = value;
  }
}

/// An exception in one line.
std::string describe(const nb::python_error &error) {
  std::string text = shown(error.type().attr("__name__"));
  nb::object message = nb::steal(PyObject_Str(error.value().ptr()));
  if (message.is_valid())
    return text + ": " + shown(message);
  PyErr_Clear();
  return text;
}

void checkType(int32_t type, int32_t declared) {
  if (type != declared)
    throw runTypeError(std::string("the elements must have type ") +
                       typeName(declared) + ", not " + typeName(type));
}

hone_value tensorFromPython(nb::handle given, int32_t declared, Keep &keep) {
  Numpy &numpy = Numpy::get();
  nb::object object = nb::borrow(given), array;
  bool isDlpack = dlpackPlace(object) == DlpackPlace::Host;
  if (isDlpack)
    if (std::optional<hone_value> value = hostTensorFromPython(object, keep)) {
      checkType(value->as.tensor.type, declared);
      keep.copyElements(value->as.tensor);
      return *value;
    }
  try {
    if (isDlpack && !nb::hasattr(object, "__array__"))
      object = numpy.fromDlpack(object);
    array = numpy.asarray(object, nb::arg("order") = "C");
    if (!isDlpack && !nb::isinstance(object, numpy.array)) {
      // Python numbers take the declared type, but are never truncated for it.
      auto kindOf = [](nb::handle dtype) {
        return nb::cast<std::string>(dtype.attr("kind"));
      };
      nb::object dtype = numpy.dtypes[declared];
      bool isCut = std::string("fc").find(kindOf(array.attr("dtype"))) !=
                       std::string::npos &&
                   std::string("biu").find(kindOf(dtype)) != std::string::npos;
      if (isCut && nb::cast<int64_t>(array.attr("size")) > 0)
        throw runTypeError("floats were given for a tensor of integers or "
                           "bools");
      array = numpy.asarray(object, dtype, nb::arg("order") = "C");
    }
    if (!nb::cast<bool>(array.attr("dtype").attr("isnative")))
      array =
          array.attr("astype")(array.attr("dtype").attr("newbyteorder")("="));
    if (!nb::cast<bool>(array.attr("flags").attr("aligned")))
      array = array.attr("copy")();
  } catch (nb::python_error &e) {
    if (!e.matches(PyExc_Exception) || e.matches(PyExc_MemoryError))
      throw;
    throw runTypeError("not a tensor: " + describe(e));
  }
  int32_t type = typeOf(array.attr("dtype"));
  // Without ml_dtypes a plain numpy dtype stands for more than one type.
  if (type != declared && numpy.dtypes[declared].equal(array.attr("dtype")))
    type = declared;
  if (type == HONE_TYPE_UNDEFINED)
    throw runTypeError("arrays of dtype " +
                       shown(array.attr("dtype").attr("__str__")()) +
                       " have no counterpart in a model");
  checkType(type, declared);

  hone_value value = {};
  value.kind = HONE_KIND_TENSOR;
  value.as.tensor.type = type;
  std::vector<int64_t> dims;
  for (nb::handle dim : nb::cast<nb::tuple>(array.attr("shape")))
    dims.push_back(nb::cast<int64_t>(dim));
  value.as.tensor.rank = dims.size();
  int64_t count = countOf(dims.data(), dims.size());
  value.as.tensor.dims = keep.vector(std::move(dims));
  if (type == HONE_TYPE_STRING) {
    std::vector<hone_string> strings;
    for (nb::handle element : array.attr("ravel")().attr("tolist")())
      strings.push_back(stringOf(element, keep));
    // Never a null pointer, which means "not given" to the model.
    strings.reserve(1);
    value.as.tensor.data = keep.vector(std::move(strings));
  } else if (isPacked(type)) {
    std::vector<uint8_t> bytes =
        pack(static_cast<uint8_t *>(dataOf(array)), count, types[type].bits);
    bytes.reserve(1);
    value.as.tensor.data = keep.vector(std::move(bytes));
  } else {
    value.as.tensor.data = dataOf(array);
    keep.copyElements(value.as.tensor);
  }
  keep.object(std::move(array));
  return value;
}

nb::object tensorToPython(const hone_tensor &tensor) {
  if (tensor.type <= 0 || tensor.type >= HONE_TYPE_COUNT)
    throw RunError("the model returned a tensor of an unknown element type");
  hone_value value;
  nb::object array = emptyTensor(tensor.type, tensor.dims, tensor.rank, value);
  int64_t count = countOf(tensor.dims, tensor.rank);
  if (tensor.type == HONE_TYPE_STRING) {
    auto *strings = static_cast<const hone_string *>(tensor.data);
    nb::object flat = array.attr("reshape")(-1);
    for (int64_t i = 0; i < count; ++i)
      flat[i] = nb::steal(PyUnicode_DecodeUTF8(strings[i].data, strings[i].size,
                                               "surrogateescape"));
    return array;
  }
  int64_t bytes = (count * types[tensor.type].bits + 7) / 8;
  if (bytes)
    std::memcpy(value.as.tensor.data, tensor.data, bytes);
  return finishTensor(std::move(array), tensor.type, tensor.dims, tensor.rank);
}

hone_value fromPython(nb::handle object, int32_t kind, int32_t elementKind,
                      const hone_value_info &info, Keep &keep) {
  hone_value value = {};
  value.kind = kind;
  switch (kind) {
  case HONE_KIND_TENSOR:
    return tensorFromPython(object, info.type, keep);
  case HONE_KIND_SEQUENCE: {
    std::vector<hone_value> elements;
    if (!PyList_Check(object.ptr()) && !PyTuple_Check(object.ptr()))
      throw runTypeError("a sequence is given as a list");
    for (nb::handle element : object)
      elements.push_back(
          ::fromPython(element, elementKind ? elementKind : HONE_KIND_TENSOR, 0,
                       info, keep));
    hone_sequence sequence = {};
    sequence.count = elements.size();
    sequence.elements = keep.vector(std::move(elements));
    value.as.sequence = keep.one(sequence);
    return value;
  }
  case HONE_KIND_OPTIONAL:
    value.as.optional.value =
        object.is_none()
            ? nullptr
            : keep.one(::fromPython(object, elementKind, 0, info, keep));
    return value;
  case HONE_KIND_MAP: {
    if (!PyDict_Check(object.ptr()))
      throw runTypeError("a map is given as a dict");
    nb::dict map = nb::borrow<nb::dict>(object);
    hone_value keys =
        tensorFromPython(nb::list(map.keys()), info.key_type, keep);
    hone_value values =
        tensorFromPython(nb::list(map.values()), info.type, keep);
    value.as.map.keys = keep.one(keys.as.tensor);
    value.as.map.values = keep.one(values.as.tensor);
    return value;
  }
  default:
    throw RunError("the model declares an input of an unknown kind");
  }
}

} // namespace

void Keep::copyElements(hone_tensor &tensor) {
  int64_t bytes = hone_tensor_bytes(tensor.type, tensor.rank, tensor.dims);
  if (!copies || bytes <= 0 || !tensor.data)
    return;
  constexpr int64_t alignment = 64;
  void *copy =
      std::aligned_alloc(alignment, (bytes + alignment - 1) & -alignment);
  if (!copy)
    throw std::bad_alloc();
  owned.emplace_back(copy, std::free);
  tensor.data = std::memcpy(copy, tensor.data, bytes);
}

hone_value hone::python::fromPython(nb::handle object,
                                    const hone_value_info &info, Keep &keep) {
  return ::fromPython(object, info.kind, info.element_kind, info, keep);
}

hone_value hone::python::outputFromPython(nb::handle object,
                                          const hone_value_info &info,
                                          Keep &keep) {
  if (dlpackPlace(object) == DlpackPlace::Host) {
    hone_value value = hostOutputFromPython(object, keep);
    checkType(value.as.tensor.type, info.type);
    return value;
  }
  if (!isNumpyArray(object))
    throw runTypeError("an output is written to a numpy array or a tensor with "
                       "__dlpack__, in host memory or on the device that the "
                       "model runs on");
  nb::object flags = object.attr("flags");
  for (const char *flag : {"c_contiguous", "writeable", "aligned"})
    if (!nb::cast<bool>(flags.attr(flag)))
      throw runValueError(std::string("an array to be written must be ") +
                          flag);
  if (info.type == HONE_TYPE_STRING || isPacked(info.type) ||
      !nb::cast<bool>(object.attr("dtype").attr("isnative")))
    throw runTypeError("arrays of this element type cannot be written in "
                       "place");
  return tensorFromPython(object, info.type, keep);
}

nb::object hone::python::toPython(const hone_value &value) {
  switch (value.kind) {
  case HONE_KIND_TENSOR:
    return tensorToPython(value.as.tensor);
  case HONE_KIND_SEQUENCE: {
    nb::list list;
    for (int64_t i = 0; i < value.as.sequence->count; ++i)
      list.append(toPython(value.as.sequence->elements[i]));
    return list;
  }
  case HONE_KIND_OPTIONAL:
    return value.as.optional.value ? toPython(*value.as.optional.value)
                                   : nb::none();
  case HONE_KIND_MAP: {
    nb::dict dict;
    nb::object keys = tensorToPython(*value.as.map.keys).attr("tolist")();
    nb::object values = tensorToPython(*value.as.map.values).attr("tolist")();
    for (size_t i = 0, count = nb::len(keys); i < count; ++i)
      dict[keys[i]] = values[i];
    return dict;
  }
  default:
    return nb::none();
  }
}

nb::object hone::python::emptyTensor(int32_t type, const int64_t *dims,
                                     int32_t rank, hone_value &value) {
  Numpy &numpy = Numpy::get();
  nb::object array;
  if (isPacked(type)) {
    int perByte = 8 / types[type].bits;
    int64_t bytes = (countOf(dims, rank) + perByte - 1) / perByte;
    array = numpy.empty(bytes, numpy.packedByte);
  } else {
    nb::list shape;
    for (int32_t i = 0; i < rank; ++i)
      shape.append(dims[i]);
    array = numpy.empty(nb::tuple(shape), numpy.dtypes[type]);
  }
  value = {};
  value.kind = HONE_KIND_TENSOR;
  value.as.tensor = {dataOf(array), dims, rank, type};
  return array;
}

nb::object hone::python::finishTensor(nb::object array, int32_t type,
                                      const int64_t *dims, int32_t rank) {
  if (!isPacked(type))
    return array;
  Numpy &numpy = Numpy::get();
  nb::list shape;
  for (int32_t i = 0; i < rank; ++i)
    shape.append(dims[i]);
  nb::object unpacked = numpy.empty(nb::tuple(shape), numpy.dtypes[type]);
  unpack(static_cast<uint8_t *>(dataOf(array)),
         static_cast<uint8_t *>(dataOf(unpacked)), countOf(dims, rank), type);
  return unpacked;
}

bool hone::python::isNumpyArray(nb::handle object) {
  return nb::isinstance(object, Numpy::get().array);
}

int32_t hone::python::typeOf(nb::handle dtype) {
  Numpy &numpy = Numpy::get();
  auto found = numpy.typeOfNumber.find(nb::cast<int>(dtype.attr("num")));
  if (found != numpy.typeOfNumber.end())
    return found->second;
  // Another C type of the same width, or fixed-width text.
  std::string kind = nb::cast<std::string>(dtype.attr("kind"));
  int64_t size = nb::cast<int64_t>(dtype.attr("itemsize"));
  if (kind == "U" || kind == "S" || kind == "T")
    return HONE_TYPE_STRING;
  if (kind == "i" && size == 8)
    return HONE_TYPE_INT64;
  if (kind == "u" && size == 8)
    return HONE_TYPE_UINT64;
  return HONE_TYPE_UNDEFINED;
}

nb::object hone::python::dtypeOf(int32_t type) {
  if (type <= 0 || type >= HONE_TYPE_COUNT)
    return nb::none();
  return Numpy::get().dtypes[type];
}

const char *hone::python::typeName(int32_t type) {
  return type > 0 && type < HONE_TYPE_COUNT ? types[type].name : "undefined";
}
