// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Decodes tensor data and reads external files, with every size checked against
// the type and the dimensions.
#include "compiler/Import/Onnx/Reader/TensorData.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <cstring>

using namespace hone::onnx;
using llvm::StringRef;

static void own(Tensor &tensor, std::string bytes) {
  auto owner = std::make_shared<std::string>(std::move(bytes));
  tensor.data = *owner;
  tensor.owner = owner;
}

/// Opens a file that must be in the folder of the model. Null with a problem
/// otherwise.
static std::shared_ptr<llvm::MemoryBuffer>
openExternal(StringRef folder, StringRef location, std::string &problem) {
  if (location.empty() || location.contains('\0')) {
    problem = "its external data has no location";
    return nullptr;
  }
  if (folder.empty()) {
    problem = "its data is in the file '" + location.str() +
              "', but the model was given as bytes; compile it from its file";
    return nullptr;
  }
  bool leaves = llvm::sys::path::is_absolute(location);
  for (StringRef part : llvm::make_range(llvm::sys::path::begin(location),
                                         llvm::sys::path::end(location)))
    leaves |= part == "..";
  llvm::SmallString<256> path(folder), real, realFolder;
  llvm::sys::path::append(path, location);
  const std::string outside =
      "its external data '" + location.str() +
      "' is outside the folder of the model, where nothing is read";
  if (leaves) {
    problem = outside;
    return nullptr;
  }
  std::error_code ec = llvm::sys::fs::real_path(path, real);
  if (!ec)
    ec = llvm::sys::fs::real_path(folder, realFolder);
  if (ec) {
    problem = "its external data '" + location.str() +
              "' cannot be read: " + ec.message();
    return nullptr;
  }
  // A link may lead out of the folder.
  if (!StringRef(real).starts_with(realFolder.str().str() +
                                   (realFolder == "/" ? "" : "/"))) {
    problem = outside;
    return nullptr;
  }
  if (!llvm::sys::fs::is_regular_file(real)) {
    problem =
        "its external data '" + location.str() + "' is not a regular file";
    return nullptr;
  }
  auto file = llvm::MemoryBuffer::getFile(real, /*IsText=*/false,
                                          /*RequiresNullTerminator=*/false);
  if (!file) {
    problem = "its external data '" + location.str() +
              "' cannot be read: " + file.getError().message();
    return nullptr;
  }
  return std::move(*file);
}

static void resolveExternal(Tensor &tensor, const TensorPayload &payload,
                            StringRef folder, int64_t bytes) {
  StringRef location, offsetText = "0", lengthText;
  for (auto [key, value] : payload.external) {
    if (key == "location")
      location = value;
    else if (key == "offset")
      offsetText = value;
    else if (key == "length")
      lengthText = value;
  }
  uint64_t offset = 0, length = bytes;
  if (offsetText.getAsInteger(10, offset) ||
      (!lengthText.empty() && lengthText.getAsInteger(10, length))) {
    tensor.problem = "offset or length of its external data is not a number";
    return;
  }
  if (length != static_cast<uint64_t>(bytes)) {
    tensor.problem = "its external data has " + std::to_string(length) +
                     " bytes where type and dimensions ask for " +
                     std::to_string(bytes);
    return;
  }
  std::shared_ptr<llvm::MemoryBuffer> file =
      openExternal(folder, location, tensor.problem);
  if (!file)
    return;
  if (offset > file->getBufferSize() ||
      length > file->getBufferSize() - offset) {
    tensor.problem = "its external data ends at byte " +
                     std::to_string(offset) + " + " + std::to_string(length) +
                     ", but '" + location.str() + "' has " +
                     std::to_string(file->getBufferSize());
    return;
  }
  tensor.data = StringRef(file->getBufferStart() + offset, length);
  tensor.owner = std::shared_ptr<const void>(file, file->getBufferStart());
}

void hone::onnx::resolveTensorData(Tensor &tensor, TensorPayload &payload,
                                   StringRef folder) {
  auto fail = [&](const llvm::Twine &problem) {
    tensor.problem = problem.str();
  };
  int64_t count = elementCount(tensor.dims);
  if (count < 0)
    return fail("its dimensions are negative or too large");
  if (payload.segmented)
    return fail("it is stored in segments, which ONNX never used");
  if (tensor.type == ElementType::String) {
    if (static_cast<int64_t>(tensor.strings.size()) != count)
      return fail("it has " + llvm::Twine(tensor.strings.size()) +
                  " strings where its dimensions ask for " +
                  llvm::Twine(count));
    return;
  }
  if (elementBits(tensor.type) == 0)
    return fail("its element type, " + elementTypeName(tensor.type) +
                ", is unknown");
  int64_t bytes = packedBytes(tensor.type, count);
  if (bytes < 0)
    return fail("its dimensions are too large");
  if (payload.isExternal)
    return resolveExternal(tensor, payload, folder, bytes);

  if (payload.hasRaw && (!payload.raw.empty() || bytes == 0)) {
    tensor.data = payload.raw;
  } else if (!payload.ints.empty()) {
    // One number per element; of 2 and 4 bit types, one per byte.
    unsigned width = std::max(1u, elementBits(tensor.type) / 8);
    if (width > 8)
      return fail("complex numbers are not stored as integers");
    std::string decoded;
    decoded.reserve(payload.ints.size() * width);
    for (int64_t value : payload.ints) {
      char buffer[8];
      llvm::support::endian::write64le(buffer, value);
      decoded.append(buffer, width);
    }
    own(tensor, std::move(decoded));
  } else if (payload.floatChunks.size() == 1 && payload.loose.empty()) {
    tensor.data = payload.floatChunks.front();
  } else if (!payload.floatChunks.empty() || !payload.loose.empty()) {
    std::string decoded = std::move(payload.loose);
    for (StringRef chunk : payload.floatChunks)
      decoded.append(chunk.begin(), chunk.end());
    own(tensor, std::move(decoded));
  }
  if (static_cast<int64_t>(tensor.data.size()) != bytes) {
    fail("it has " + llvm::Twine(tensor.data.size()) +
         " bytes of data where type and dimensions ask for " +
         llvm::Twine(bytes));
    tensor.data = {};
  }
}

Tensor hone::onnx::makeDense(Tensor values, const Tensor &indices,
                             llvm::ArrayRef<int64_t> dims, int64_t &bytesLeft) {
  auto fail = [&](const llvm::Twine &problem) {
    values.problem = problem.str();
    return std::move(values);
  };
  if (!values.problem.empty())
    return values;
  if (!indices.problem.empty())
    return fail("its indices are wrong: " + indices.problem);
  unsigned width = elementBits(values.type) / 8;
  int64_t count = elementCount(dims), stored = elementCount(values.dims);
  int64_t bytes = count < 0 ? -1 : packedBytes(values.type, count);
  if (bytes < 0)
    return fail("its dimensions are negative or too large");
  if (width == 0)
    return fail("it is sparse with element type " +
                elementTypeName(values.type) + ", which is not supported");
  bool linear = indices.dims.size() == 1;
  if (indices.type != ElementType::Int64 || values.dims.size() != 1 ||
      indices.dims.empty() || indices.dims[0] != stored ||
      (!linear && (indices.dims.size() != 2 ||
                   indices.dims[1] != static_cast<int64_t>(dims.size()))))
    return fail("its sparse values and indices do not fit together");

  if (bytes > bytesLeft)
    return fail("it is sparse and has " + llvm::Twine(bytes) +
                " bytes when it is made dense, more than is left for the "
                "sparse tensors of a file of this size; store it dense");
  bytesLeft -= bytes;
  std::string dense(bytes, '\0');
  const char *index = indices.data.data();
  for (int64_t i = 0; i < stored; ++i) {
    int64_t position = 0;
    if (linear) {
      position = llvm::support::endian::read64le(index + 8 * i);
    } else {
      for (auto [axis, dim] : llvm::enumerate(dims)) {
        int64_t coordinate = llvm::support::endian::read64le(
            index + 8 * (i * dims.size() + axis));
        if (coordinate < 0 || coordinate >= dim)
          return fail("a sparse index is out of range");
        position = position * dim + coordinate;
      }
    }
    if (position < 0 || position >= count)
      return fail("a sparse index is out of range");
    std::memcpy(&dense[position * width], values.data.data() + i * width,
                width);
  }
  values.dims.assign(dims.begin(), dims.end());
  own(values, std::move(dense));
  return values;
}
