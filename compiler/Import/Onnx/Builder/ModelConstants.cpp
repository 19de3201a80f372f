// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tensors of the file as constants of the IR: views into the mapped file if the
// bytes allow it.
#include "compiler/Import/Onnx/Builder/GraphImporter.h"
#include "dialects/Graph/Constants.h"
#include "hone/abi.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;
using namespace hone::onnx;

/// Up to this size data is stored in the attribute, where folding can read it.
static constexpr size_t kInlineBytes = 1024;

/// One byte per element, for types with several elements per byte.
static SmallVector<char> unpack(const Tensor &tensor, int64_t count) {
  unsigned bits = elementBits(tensor.type);
  bool isSigned = isInteger(tensor.type) && !isUnsigned(tensor.type);
  SmallVector<char> result;
  result.reserve(count);
  for (int64_t i = 0; i < count; ++i) {
    unsigned char byte = tensor.data[i * bits / 8];
    unsigned value = (byte >> (i * bits % 8)) & ((1u << bits) - 1);
    if (isSigned && (value >> (bits - 1)))
      value |= ~0u << bits;
    result.push_back(static_cast<char>(value));
  }
  return result;
}

ElementsAttr GraphImporter::constantElements(const Tensor &tensor,
                                             std::string &problem) {
  if (!tensor.problem.empty()) {
    problem = tensor.problem;
    return {};
  }
  mlir::Type element = storageType(&context, tensor.type);
  if (!element) {
    problem =
        "element type " + elementTypeName(tensor.type) + " is not supported";
    return {};
  }
  if (tensor.dims.size() > HONE_MAX_RANK) {
    problem = "has " + std::to_string(tensor.dims.size()) +
              " dimensions; at most " + std::to_string(HONE_MAX_RANK) +
              " are supported";
    return {};
  }
  auto type = RankedTensorType::get(tensor.dims, element);
  int64_t count = elementCount(tensor.dims);
  ElementsAttr value;
  if (tensor.type == ElementType::String) {
    value = DenseStringElementsAttr::get(type, tensor.strings);
  } else {
    SmallVector<char> decoded;
    ArrayRef<char> data(tensor.data.data(), tensor.data.size());
    bool isDecoded = false;
    if (elementBits(tensor.type) < 8) {
      decoded = unpack(tensor, count);
      isDecoded = true;
    } else if (tensor.type == ElementType::Bool &&
               llvm::any_of(data, [](char c) { return c & ~1; })) {
      for (char c : data)
        decoded.push_back(c != 0);
      isDecoded = true;
    }
    if (isDecoded)
      data = decoded;
    if (data.size() <= kInlineBytes) {
      value = DenseElementsAttr::getFromRawBuffer(type, data);
    } else if (isDecoded) {
      graph::ConstantBuffer buffer(type);
      std::copy(data.begin(), data.end(), buffer.data().begin());
      value = buffer.finish("w" + std::to_string(resources++));
    } else {
      // A graph that is imported more than once has its tensors once. The blob
      // keeps the bytes alive, the file's or the decoded ones, so that their
      // addresses are not reused.
      ElementsAttr &held = blobs[{data.data(), type}];
      if (!held) {
        std::shared_ptr<const void> owner =
            tensor.owner ? tensor.owner : std::shared_ptr<const void>(bytes);
        AsmResourceBlob blob(
            data, /*dataAlignment=*/1, [owner](void *, size_t, size_t) {},
            /*dataIsMutable=*/false);
        held = DenseResourceElementsAttr::get(
            type, "w" + std::to_string(resources++), std::move(blob));
      }
      value = held;
    }
  }
  return value;
}

std::optional<Val> GraphImporter::constant(const Tensor &tensor, Location loc,
                                           std::string &problem) {
  ElementsAttr value = constantElements(tensor, problem);
  if (!value)
    return std::nullopt;
  return Val{graph::ConstantOp::create(builder, loc, value), tensor.type};
}
