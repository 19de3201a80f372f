// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Registration of the dialect, its types and its attributes.
#include "dialects/Graph/Graph.h"
#include "dialects/Graph/KernelOps.h"
#include "dialects/Graph/OpShards.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/Interfaces/FoldInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace hone::graph;

#include "dialects/Graph/GraphDialect.cpp.inc"
#include "dialects/Graph/GraphEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/Graph/GraphAttrs.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "dialects/Graph/GraphTypes.cpp.inc"

namespace {
/// Keeps the constants of a map's region inside it: the region is
/// self-contained.
struct GraphFoldInterface : DialectFoldInterface {
  using DialectFoldInterface::DialectFoldInterface;
  bool shouldMaterializeInto(Region *region) const final {
    return isa<MapOp>(region->getParentOp());
  }
};
} // namespace

void GraphDialect::initialize() {
  addInterfaces<GraphFoldInterface>();
  registerGraphDialectOperations(this);
  registerKernelOps(this);
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialects/Graph/GraphTypes.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/Graph/GraphAttrs.cpp.inc"
      >();
}

bool hone::graph::isByteProduct(Type operand, Type sum) {
  return operand.isInteger(8) && sum.isInteger(32);
}

LogicalResult PackedAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                 int64_t nr, int64_t kr,
                                 std::optional<int64_t> corrections) {
  // Other widths would be read past by the tiles of an emitter.
  if (nr != kPanelWidth)
    return emitError() << "panels have " << kPanelWidth << " columns, not "
                       << nr;
  // Pairs of bf16, bytes, or codes of 8, 4 or 2 bits in a word.
  if (!llvm::is_contained({1, 2, 4, 8, 16}, kr))
    return emitError() << "1, 2, 4, 8 or 16 elements of K lie together, not "
                       << kr;
  if (corrections && (kr != 4 || *corrections < 0 || *corrections > INT32_MAX))
    return emitError() << "corrections are of bytes, and not " << *corrections;
  return success();
}

bool PackedAttr::canOrder(int64_t k, Type operand, Type sum) {
  return !ShapedType::isDynamic(k) && k % kOrderedBlock == 0 &&
         isByteProduct(operand, sum);
}

bool PackedAttr::isFor(Type element) const {
  return getKr() == 1 || (getKr() == 2 && element.isBF16()) ||
         (getKr() == 4 && element.isInteger(8));
}

bool QuantizedAttr::canMultiplyBytes(int64_t block) {
  return block % kPanelWidth == 0 && block <= kMaxBlockOfBytes;
}

LogicalResult
QuantizedAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                      int64_t block, Type scale, std::optional<int64_t> zero,
                      DenseF32ArrayAttr table, bool bytes) {
  if (bytes && (table || !canMultiplyBytes(block)))
    return emitError() << "bytes are multiplied by codes, in blocks of a "
                          "multiple of "
                       << kPanelWidth << " up to " << kMaxBlockOfBytes;
  if (block < 1 || block > INT32_MAX)
    return emitError() << "blocks have elements, not " << block;
  if (table && (table.size() != kCodeTableSize || zero != 0))
    return emitError() << "a table has " << kCodeTableSize
                       << " values, and no zero point";
  if (!scale.isF32() && !scale.isF16() && !scale.isBF16())
    return emitError() << "scales are f32, f16 or bf16, not " << scale;
  if (zero && (*zero < -kMaxDistance || *zero > kMaxDistance))
    return emitError() << "a zero point is a difference of bytes, not "
                       << *zero;
  return success();
}

bool QuantizedAttr::isLayoutOf(ShapedType type, PackedAttr packed, int64_t k,
                               int64_t n) const {
  return packed && packed.getKr() >= 4 && getBlock() % packed.getKr() == 0 &&
         (!getTable() || packed.getKr() == 8) &&
         type.getElementType().isInteger(32) && type.hasStaticShape() &&
         type.getRank() == 3 && !ShapedType::isDynamic(k) &&
         type.getDimSize(1) == blocks(k) &&
         (ShapedType::isDynamic(n) || type.getDimSize(0) == packed.panels(n)) &&
         type.getDimSize(2) == blockWords(packed);
}

Operation *GraphDialect::materializeConstant(OpBuilder &builder,
                                             Attribute value, Type type,
                                             Location loc) {
  if (auto elements = dyn_cast<ElementsAttr>(value))
    if (elements.getType() == type)
      return ConstantOp::create(builder, loc, elements);
  return arith::ConstantOp::materialize(builder, value, type, loc);
}
