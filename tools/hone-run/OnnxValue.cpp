// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Reading .pb files. protozero throws for bytes that are not protobuf.
#include "tools/hone-run/OnnxValue.h"
#include "hone/runtime.h"
#include "tools/hone-run/Files.h"

#include <cstring>
#include <protozero/pbf_reader.hpp>
#include <stdexcept>

using namespace hone::run;
using protozero::data_view;
using protozero::pbf_reader;
using protozero::pbf_wire_type;
using protozero::tag_and_type;

namespace {

constexpr auto kBytes = pbf_wire_type::length_delimited;
constexpr auto kVarint = pbf_wire_type::varint;
constexpr auto kFixed32 = pbf_wire_type::fixed32;
constexpr auto kFixed64 = pbf_wire_type::fixed64;

/// A message that is protobuf, and no value for this place.
struct Misfit : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The data fields of a TensorProto, before it is known which of them counts.
struct Payload {
  bool hasRaw = false;
  data_view raw;
  std::string floats; ///< float_data or double_data
  std::vector<int64_t> ints;
  std::deque<std::string> strings;
};

void append(std::string &bytes, const void *value, size_t size) {
  bytes.append(static_cast<const char *>(value), size);
}

void append(std::string &bytes, data_view view) {
  bytes.append(view.data(), view.size());
}

/// Sets the elements of a tensor whose type and dimensions are known.
void setElements(Array &array, Payload &payload) {
  hone_tensor tensor = array.tensor();
  int64_t bytes = hone_tensor_bytes(array.type, tensor.rank, tensor.dims);
  auto expect = [&](size_t have, int64_t want, const char *unit) {
    if (want < 0 || uint64_t(want) != have)
      throw Misfit("it has " + std::to_string(have) + " " + unit + " where " +
                   describe(tensor) + " has " + std::to_string(want));
  };
  if (bytes < 0)
    throw Misfit("its dimensions are negative or too large");
  if (array.type == HONE_TYPE_STRING) {
    expect(payload.strings.size(), elementCount(tensor), "strings");
    return array.setStrings(std::move(payload.strings));
  }
  auto take = [&](const char *data, size_t size) {
    expect(size, bytes, "bytes of data");
    array.data.assign(data, data + size);
  };
  if (payload.hasRaw && (payload.raw.size() || bytes == 0))
    return take(payload.raw.data(), payload.raw.size());
  if (payload.ints.empty())
    return take(payload.floats.data(), payload.floats.size());
  // One number per element; of types of 2 and 4 bits, one per byte.
  size_t width = size_t(std::max(1, hone_type_bits(array.type) / 8));
  if (width > sizeof(int64_t))
    throw Misfit("its complex numbers are stored as integers");
  std::string decoded;
  decoded.reserve(payload.ints.size() * width);
  for (int64_t value : payload.ints)
    append(decoded, &value, width);
  take(decoded.data(), decoded.size());
}

/// Repeated integers may be packed or not, whatever the .proto says.
template <typename Container>
bool readInts(pbf_reader &message, uint32_t tag, Container &out) {
  if (message.tag() != tag)
    return false;
  if (message.wire_type() == kVarint)
    out.push_back(message.get_int64());
  else if (message.wire_type() == kBytes)
    for (int64_t value : message.get_packed_int64())
      out.push_back(value);
  else
    return false;
  return true;
}

Array readTensor(pbf_reader message, int32_t type) {
  Array array;
  Payload payload;
  while (message.next()) {
    if (readInts(message, 1, array.dims) ||
        readInts(message, 5, payload.ints) ||
        readInts(message, 7, payload.ints) ||
        readInts(message, 11, payload.ints))
      continue;
    switch (message.tag_and_type()) {
    case tag_and_type(2, kVarint):
      array.type = message.get_int32();
      break;
    case tag_and_type(4, kBytes):
    case tag_and_type(10, kBytes):
      append(payload.floats, message.get_view());
      break;
    case tag_and_type(4, kFixed32): {
      float value = message.get_float();
      append(payload.floats, &value, sizeof(value));
      break;
    }
    case tag_and_type(10, kFixed64): {
      double value = message.get_double();
      append(payload.floats, &value, sizeof(value));
      break;
    }
    case tag_and_type(6, kBytes):
      payload.strings.push_back(message.get_string());
      break;
    case tag_and_type(9, kBytes):
      payload.raw = message.get_view();
      payload.hasRaw = true;
      break;
    case tag_and_type(14, kVarint):
      if (message.get_int32() == 1)
        throw Misfit("its data is in another file, which is not read");
      break;
    default:
      message.skip();
    }
  }
  if (array.type != type)
    throw Misfit(std::string("the model has ") + hone_type_name(type) +
                 ", the file holds " +
                 (array.type ? hone_type_name(array.type) : "no tensor"));
  if (array.dims.size() > HONE_MAX_RANK)
    throw Misfit("it has more than " + std::to_string(HONE_MAX_RANK) +
                 " dimensions");
  setElements(array, payload);
  return array;
}

/// What SequenceProto and OptionalProto have in common: values of one kind,
/// tensors in field 3 and sequences in field 5.
std::vector<hone_value> readElements(pbf_reader message, int32_t kind,
                                     const hone_value_info &info,
                                     ValueStore &store) {
  std::vector<hone_value> elements;
  while (message.next()) {
    uint32_t tag = message.tag();
    bool isMessage = message.wire_type() == kBytes;
    if (tag < 3) { // the name and the kind of the elements
      message.skip();
    } else if (isMessage && tag == 3 && kind == HONE_KIND_TENSOR) {
      elements.push_back(
          store.add(readTensor(message.get_message(), info.type)).value());
    } else if (isMessage && tag == 5 && kind == HONE_KIND_SEQUENCE) {
      elements.push_back(store.sequence(
          readElements(message.get_message(), HONE_KIND_TENSOR, info, store)));
    } else {
      throw Misfit("its elements are not what the model has");
    }
  }
  return elements;
}

hone_value readValue(pbf_reader message, const hone_value_info &info,
                     ValueStore &store) {
  switch (info.kind) {
  case HONE_KIND_TENSOR:
    return store.add(readTensor(message, info.type)).value();
  case HONE_KIND_SEQUENCE:
    return store.sequence(readElements(
        message,
        info.element_kind ? info.element_kind : int32_t(HONE_KIND_TENSOR), info,
        store));
  case HONE_KIND_OPTIONAL: {
    std::vector<hone_value> elements =
        readElements(message, info.element_kind, info, store);
    if (elements.size() > 1)
      throw Misfit("an optional has one element");
    return elements.empty() ? hone_value{} : elements[0];
  }
  default:
    throw Misfit("maps are not read from .pb files");
  }
}

} // namespace

hone_value hone::run::readOnnxValue(const std::string &path,
                                    const hone_value_info &info,
                                    ValueStore &store) {
  FileSource file(path);
  std::optional<uint64_t> size = file.left();
  Bytes bytes;
  if (!size || !readBytes(file, *size, bytes))
    throw Failure{1, path + ": not a regular file"};
  try {
    return readValue(pbf_reader(bytes.data(), bytes.size()), info, store);
  } catch (const Misfit &misfit) {
    throw Failure{1, path + ": " + misfit.what()};
  } catch (const protozero::exception &error) {
    throw Failure{1,
                  path + ": not an ONNX value, or truncated: " + error.what()};
  }
}
