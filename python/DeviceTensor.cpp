// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Inputs and outputs by the DLPack protocol, in host memory and on a CUDA
// device.
#include "python/Errors.h"
#include "python/Values.h"

#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>

#include <algorithm>

namespace nb = nanobind;
using namespace hone::python;

namespace {

// kDLCPU, kDLCUDA and kDLCUDAHost.
constexpr int cpuDevice = 1, cudaDevice = 2, pinnedDevice = 3;

int32_t typeOf(nb::dlpack::dtype dtype) {
  using Code = nb::dlpack::dtype_code;
  auto byWidth = [&](int32_t b8, int32_t b16, int32_t b32, int32_t b64) {
    return dtype.bits == 8    ? b8
           : dtype.bits == 16 ? b16
           : dtype.bits == 32 ? b32
           : dtype.bits == 64 ? b64
                              : int32_t(HONE_TYPE_UNDEFINED);
  };
  if (dtype.lanes != 1)
    return HONE_TYPE_UNDEFINED;
  switch (Code(dtype.code)) {
  case Code::Int:
    return byWidth(HONE_TYPE_INT8, HONE_TYPE_INT16, HONE_TYPE_INT32,
                   HONE_TYPE_INT64);
  case Code::UInt:
    return byWidth(HONE_TYPE_UINT8, HONE_TYPE_UINT16, HONE_TYPE_UINT32,
                   HONE_TYPE_UINT64);
  case Code::Float:
    return byWidth(HONE_TYPE_UNDEFINED, HONE_TYPE_FLOAT16, HONE_TYPE_FLOAT,
                   HONE_TYPE_DOUBLE);
  case Code::Complex:
    return dtype.bits == 64    ? HONE_TYPE_COMPLEX64
           : dtype.bits == 128 ? HONE_TYPE_COMPLEX128
                               : HONE_TYPE_UNDEFINED;
  case Code::Bfloat:
    return byWidth(0, HONE_TYPE_BFLOAT16, 0, 0);
  case Code::Bool:
    return byWidth(HONE_TYPE_BOOL, 0, 0, 0);
  case Code::Float8_E4M3FN:
    return HONE_TYPE_FLOAT8E4M3FN;
  case Code::Float8_E4M3FNUZ:
    return HONE_TYPE_FLOAT8E4M3FNUZ;
  case Code::Float8_E5M2:
    return HONE_TYPE_FLOAT8E5M2;
  case Code::Float8_E5M2FNUZ:
    return HONE_TYPE_FLOAT8E5M2FNUZ;
  case Code::Float8_E8M0FNU:
    return HONE_TYPE_FLOAT8E8M0;
  default:
    return HONE_TYPE_UNDEFINED;
  }
}

nb::dlpack::dtype dtypeFor(int32_t type) {
  using Code = nb::dlpack::dtype_code;
  auto make = [](Code code, int bits) {
    return nb::dlpack::dtype{uint8_t(code), uint8_t(bits), 1};
  };
  switch (type) {
  case HONE_TYPE_INT8:
    return make(Code::Int, 8);
  case HONE_TYPE_INT16:
    return make(Code::Int, 16);
  case HONE_TYPE_INT32:
    return make(Code::Int, 32);
  case HONE_TYPE_INT64:
    return make(Code::Int, 64);
  case HONE_TYPE_UINT8:
    return make(Code::UInt, 8);
  case HONE_TYPE_UINT16:
    return make(Code::UInt, 16);
  case HONE_TYPE_UINT32:
    return make(Code::UInt, 32);
  case HONE_TYPE_UINT64:
    return make(Code::UInt, 64);
  case HONE_TYPE_FLOAT16:
    return make(Code::Float, 16);
  case HONE_TYPE_FLOAT:
    return make(Code::Float, 32);
  case HONE_TYPE_DOUBLE:
    return make(Code::Float, 64);
  case HONE_TYPE_COMPLEX64:
    return make(Code::Complex, 64);
  case HONE_TYPE_COMPLEX128:
    return make(Code::Complex, 128);
  case HONE_TYPE_BFLOAT16:
    return make(Code::Bfloat, 16);
  case HONE_TYPE_BOOL:
    return make(Code::Bool, 8);
  case HONE_TYPE_FLOAT8E4M3FN:
    return make(Code::Float8_E4M3FN, 8);
  case HONE_TYPE_FLOAT8E4M3FNUZ:
    return make(Code::Float8_E4M3FNUZ, 8);
  case HONE_TYPE_FLOAT8E5M2:
    return make(Code::Float8_E5M2, 8);
  case HONE_TYPE_FLOAT8E5M2FNUZ:
    return make(Code::Float8_E5M2FNUZ, 8);
  case HONE_TYPE_FLOAT8E8M0:
    return make(Code::Float8_E8M0FNU, 8);
  default:
    return make(Code::Int, 0);
  }
}

/// Names an array in a value.
template <typename Array>
hone_value valueOf(Array array, int32_t place, Keep &keep) {
  hone_value value = {};
  value.kind = HONE_KIND_TENSOR;
  value.place = place;
  std::vector<int64_t> dims(array.shape_ptr(),
                            array.shape_ptr() + array.ndim());
  value.as.tensor.rank = int32_t(dims.size());
  value.as.tensor.dims = keep.vector(std::move(dims));
  value.as.tensor.type = typeOf(array.dtype());
  if (value.as.tensor.type == HONE_TYPE_UNDEFINED)
    throw runTypeError("the element type of the tensor has no counterpart in "
                       "a model");
  value.as.tensor.data =
      const_cast<void *>(static_cast<const void *>(array.data()));
  keep.one(std::move(array));
  return value;
}

template <typename Array>
hone_value deviceValueOf(Array array, int64_t device, Keep &keep) {
  if (device >= 0 && array.device_id() != device)
    throw runValueError(
        "the tensor is on device " + std::to_string(array.device_id()) +
        ", and the model runs on device " + std::to_string(device));
  return valueOf(std::move(array), HONE_PLACE_DEVICE, keep);
}

/// Whether generated code can access the elements where they lie.
template <typename Array> bool isAligned(const Array &array) {
  size_t bytes = std::min<size_t>(array.itemsize(), alignof(double));
  return bytes == 0 || reinterpret_cast<uintptr_t>(array.data()) % bytes == 0;
}

/// The owner of a tensor's memory.
struct Owner {
  hone_device_memory memory;
  std::shared_ptr<void> model; ///< its code releases the memory
  ~Owner() { memory.release(&memory); }
};

} // namespace

DlpackPlace hone::python::dlpackPlace(nb::handle object) {
  // numpy arrays always lie on the host, and take long to say so.
  if (isNumpyArray(object) || !nb::hasattr(object, "__dlpack_device__"))
    return DlpackPlace::None;
  int kind = 0;
  try {
    nb::object device = object.attr("__dlpack_device__")();
    // PyTorch's is an enumeration of Python.
    kind = nb::cast<int>(nb::int_(device[0]));
  } catch (nb::python_error &) {
  } catch (nb::cast_error &) {
  }
  return kind == cpuDevice || kind == pinnedDevice ? DlpackPlace::Host
         : kind == cudaDevice                      ? DlpackPlace::Device
                                                   : DlpackPlace::None;
}

std::optional<hone_value> hone::python::hostTensorFromPython(nb::handle object,
                                                             Keep &keep) {
  nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu> array;
  if (!nb::try_cast(object, array, /*convert=*/false) || !isAligned(array))
    return std::nullopt;
  return valueOf(std::move(array), HONE_PLACE_HOST, keep);
}

hone_value hone::python::hostOutputFromPython(nb::handle object, Keep &keep) {
  nb::ndarray<nb::c_contig, nb::device::cpu> array;
  if (!nb::try_cast(object, array, /*convert=*/false) || !isAligned(array))
    throw runValueError("a tensor to be written must be contiguous, aligned "
                        "and writable through __dlpack__");
  return valueOf(std::move(array), HONE_PLACE_HOST, keep);
}

hone_value hone::python::deviceTensorFromPython(nb::handle object,
                                                int64_t device, Keep &keep) {
  // Without a stream in the request the producer orders its work before the
  // default stream, which a session's stream waits for.
  nb::ndarray<nb::ro, nb::c_contig, nb::device::cuda> array;
  if (!nb::try_cast(object, array, /*convert=*/false))
    throw runValueError("a tensor on a device must be contiguous and readable "
                        "through __dlpack__");
  return deviceValueOf(std::move(array), device, keep);
}

hone_value hone::python::deviceOutputFromPython(nb::handle object,
                                                int64_t device, Keep &keep) {
  nb::ndarray<nb::c_contig, nb::device::cuda> array;
  if (!nb::try_cast(object, array, /*convert=*/false))
    throw runValueError("a tensor on a device must be contiguous and writable "
                        "through __dlpack__");
  return deviceValueOf(std::move(array), device, keep);
}

bool hone::python::isDeviceType(int32_t type) {
  return dtypeFor(type).bits != 0;
}

nb::object hone::python::deviceTensorToPython(const hone_device_memory &memory,
                                              std::shared_ptr<void> owner,
                                              int64_t device, int32_t type,
                                              const int64_t *dims,
                                              int32_t rank) {
  std::vector<size_t> sizes(dims, dims + rank);
  nb::capsule kept(
      new Owner{memory, std::move(owner)},
      [](void *held) noexcept { delete static_cast<Owner *>(held); });
  nb::ndarray<nb::array_api, nb::device::cuda> array(
      memory.data, sizes.size(), sizes.data(), kept, nullptr, dtypeFor(type),
      cudaDevice, int(device));
  nb::list shape;
  for (size_t size : sizes)
    shape.append(size);
  return nb::cast(DeviceTensor{nb::cast(array, nb::rv_policy::reference),
                               nb::tuple(shape), dtypeOf(type)});
}
