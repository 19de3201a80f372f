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
                                 int64_t nr, int64_t kr) {
  // Other widths would be read past by the tiles of an emitter.
  if (nr != kPanelWidth)
    return emitError() << "panels have " << kPanelWidth << " columns, not "
                       << nr;
  if (kr != 1 && kr != 2 && kr != 4)
    return emitError() << "1, 2 or 4 elements of K lie together, not " << kr;
  return success();
}

Operation *GraphDialect::materializeConstant(OpBuilder &builder,
                                             Attribute value, Type type,
                                             Location loc) {
  if (auto elements = dyn_cast<ElementsAttr>(value))
    if (elements.getType() == type)
      return ConstantOp::create(builder, loc, elements);
  return arith::ConstantOp::materialize(builder, value, type, loc);
}
