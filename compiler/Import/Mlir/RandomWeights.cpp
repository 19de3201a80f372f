// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Values for weights that text leaves out: neither equal nor special, so that
// passes do with them what they do with others.
#include "compiler/Import/Mlir/ImportForm.h"
#include "dialects/Graph/Constants.h"
#include "dialects/Graph/Graph.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include <random>

using namespace mlir;
using namespace hone;

namespace {

/// How the bits of an element are drawn.
struct Bits {
  uint64_t fixed = 0, random = 0;
};

} // namespace

/// Floats of 1/32 to 1/16 in size, of either sign; bytes of 0 and 1, which are
/// valid where they are booleans; zeros of all other types, which may be
/// indices.
static Bits bitsOf(Type element) {
  if (element.isF64())
    return {0x3fa0'0000'0000'0000, 0x800f'ffff'ffff'ffff};
  if (element.isF32())
    return {0x3d00'0000, 0x807f'ffff};
  if (element.isF16())
    return {0x2800, 0x83ff};
  if (element.isBF16())
    return {0x3d00, 0x807f};
  if (element.isInteger(8))
    return {0, 1};
  return {};
}

static ElementsAttr randomValue(RankedTensorType type, std::mt19937_64 &draw) {
  graph::ConstantBuffer buffer(type);
  Bits bits = bitsOf(type.getElementType());
  for (int64_t i = 0; i < type.getNumElements(); ++i) {
    uint64_t element = bits.fixed | (draw() & bits.random);
    buffer.write(i, reinterpret_cast<const char *>(&element));
  }
  return buffer.finish("random");
}

/// Whether it stands for values that are not there.
static bool isLeftOut(Attribute attr) {
  auto resource = dyn_cast<DenseResourceElementsAttr>(attr);
  if (!resource || resource.getRawHandle().getBlob())
    return false;
  auto type = dyn_cast<RankedTensorType>(resource.getType());
  if (!type || !describeSizes(type).empty())
    return false;
  unsigned width = graph::elementBytes(type.getElementType());
  return width > 0 && width <= sizeof(Bits::fixed);
}

void hone::fillWeights(ModuleOp module) {
  std::mt19937_64 draw;
  module.walk([&](Operation *op) {
    for (NamedAttribute attr : op->getAttrDictionary())
      if (isLeftOut(attr.getValue()))
        op->setAttr(
            attr.getName(),
            randomValue(
                cast<RankedTensorType>(
                    cast<ElementsAttr>(attr.getValue()).getShapedType()),
                draw));
  });
}
