// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Constants as bytes.
#include "dialects/Graph/Constants.h"
#include "dialects/Graph/Graph.h"
#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;
using namespace hone::graph;

/// Up to this size constants are stored in the attribute itself.
static constexpr int64_t maxInlineBytes = 1024;
/// A cache line, and enough for any vector load.
static constexpr size_t blobAlignment = 64;

unsigned hone::graph::elementBytes(Type type) {
  if (auto complex = dyn_cast<ComplexType>(type))
    return 2 * elementBytes(complex.getElementType());
  if (!type.isIntOrFloat() || type.getIntOrFloatBitWidth() % 8 != 0)
    return 0;
  return type.getIntOrFloatBitWidth() / 8;
}

std::optional<ConstantBytes> hone::graph::constantBytes(Attribute attr) {
  auto elements = dyn_cast_or_null<ElementsAttr>(attr);
  if (!elements || !elements.getShapedType().hasStaticShape())
    return std::nullopt;
  ConstantBytes result;
  result.width = elementBytes(elements.getElementType());
  if (result.width == 0)
    return std::nullopt;
  if (auto dense = dyn_cast<DenseElementsAttr>(attr)) {
    result.data = dense.getRawData();
    result.splat = dense.isSplat();
  } else if (auto resource = dyn_cast<DenseResourceElementsAttr>(attr)) {
    const AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob)
      return std::nullopt;
    result.data = blob->getData();
  } else {
    return std::nullopt;
  }
  int64_t count = result.splat ? 1 : elements.getNumElements();
  if (static_cast<int64_t>(result.data.size()) != count * result.width)
    return std::nullopt;
  return result;
}

std::optional<ConstantBytes> hone::graph::constantBytes(Value value) {
  auto constant = value.getDefiningOp<ConstantOp>();
  if (!constant)
    return std::nullopt;
  return constantBytes(constant.getValue());
}

ConstantBuffer::ConstantBuffer(RankedTensorType type)
    : type(type), width(elementBytes(type.getElementType())),
      blob(HeapAsmResourceBlob::allocate(type.getNumElements() * width,
                                         blobAlignment)) {}

ElementsAttr ConstantBuffer::finish(StringRef name) {
  ArrayRef<char> bytes = blob.getData();
  bool uniform =
      !bytes.empty() && std::memcmp(bytes.data(), bytes.data() + width,
                                    bytes.size() - width) == 0;
  if (uniform)
    return DenseElementsAttr::getFromRawBuffer(type, bytes.take_front(width));
  if (static_cast<int64_t>(bytes.size()) <= maxInlineBytes)
    return DenseElementsAttr::getFromRawBuffer(type, bytes);
  return DenseResourceElementsAttr::get(type, name, std::move(blob));
}

const void *hone::graph::constantStorage(Attribute attr) {
  auto resource = dyn_cast_or_null<DenseResourceElementsAttr>(attr);
  return resource ? resource.getRawHandle().getResource() : nullptr;
}

void hone::graph::releaseConstant(Attribute attr) {
  if (auto resource = dyn_cast_or_null<DenseResourceElementsAttr>(attr))
    resource.getRawHandle().getResource()->setBlob(AsmResourceBlob());
}

ElementsAttr hone::graph::reshapeConstant(ElementsAttr attr,
                                          RankedTensorType type) {
  if (attr.getShapedType() == type)
    return attr;
  if (!type.hasStaticShape() ||
      attr.getNumElements() != type.getNumElements() ||
      attr.getElementType() != type.getElementType())
    return {};
  if (auto dense = dyn_cast<DenseElementsAttr>(attr))
    return dense.reshape(type);
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(attr))
    return DenseResourceElementsAttr::get(type, resource.getRawHandle());
  return {};
}
