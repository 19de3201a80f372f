// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The `hone_rt` dialect and its verifiers.
#include "dialects/Rt/Rt.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"

#include "dialects/Rt/RtDialect.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Rt/RtAttrs.cpp.inc"

#define GET_OP_CLASSES
#include "dialects/Rt/RtOps.cpp.inc"

using namespace mlir;
using namespace hone::rt;

void RtDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "dialects/Rt/RtOps.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/Rt/RtAttrs.cpp.inc"
      >();
}

std::optional<SmallVector<int64_t>>
hone::rt::packedShape(DictionaryAttr value) {
  auto type = value.getAs<StringAttr>(kTypeAttr);
  auto dims = value.getAs<ArrayAttr>(kDimsAttr);
  if (!type || !dims ||
      !llvm::is_contained({"uint4", "int4", "float4e2m1", "uint2", "int2"},
                          type.getValue()) ||
      !llvm::all_of(dims, llvm::IsaPred<IntegerAttr>))
    return std::nullopt;
  SmallVector<int64_t> shape;
  for (auto size : dims.getAsRange<IntegerAttr>())
    shape.push_back(size.getInt());
  return shape;
}

bool hone::rt::isOnDevice(Type type) {
  auto buffer = dyn_cast<MemRefType>(type);
  return buffer && isa_and_nonnull<DeviceAttr>(buffer.getMemorySpace());
}

MemRefType hone::rt::onDevice(MemRefType type) {
  return MemRefType::Builder(type).setMemorySpace(
      DeviceAttr::get(type.getContext()));
}

std::string hone::rt::describeNode(Location loc) {
  auto name = loc->findInstanceOf<NameLoc>();
  if (!name)
    return "";
  std::string text = ("node '" + name.getName().getValue() + "'").str();
  if (auto type = dyn_cast<NameLoc>(name.getChildLoc()))
    text += (" (" + type.getName().getValue() + ")").str();
  return text;
}

LogicalResult CallOp::verify() {
  size_t dynamic = 0;
  for (Type type : getResultTypes())
    dynamic += cast<ShapedType>(type).getNumDynamicDims();
  if (dynamic != getDims().size()) // C2
    return emitOpError("has ") << getDims().size() << " result dimensions for "
                               << dynamic << " dynamic ones";
  return success();
}

LogicalResult CallOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto kernel = symbols.lookupNearestSymbolFrom<FunctionOpInterface>(
      *this, getKernelAttr());
  if (!kernel) // C1
    return emitOpError("calls '") << getKernel() << "', which is no function";
  SmallVector<Type> operands(getInputs().getTypes());
  llvm::append_range(operands, getArgs().getTypes());
  if (ArrayRef<Type>(operands) != kernel.getArgumentTypes() ||
      getResultTypes() != TypeRange(kernel.getResultTypes()))
    return emitOpError("does not fit the type of '") << getKernel() << "'";
  return success();
}

LogicalResult CallOp::reifyResultShapes(OpBuilder &builder,
                                        ReifiedRankedShapedTypeDims &shapes) {
  ValueRange dims = getDims();
  for (Type type : getResultTypes()) {
    SmallVector<OpFoldResult> &shape = shapes.emplace_back();
    for (int64_t size : cast<ShapedType>(type).getShape()) {
      if (!ShapedType::isDynamic(size)) {
        shape.push_back(builder.getIndexAttr(size));
        continue;
      }
      shape.push_back(dims.front());
      dims = dims.drop_front();
    }
  }
  return success();
}

/// One operand in `dims` for each dynamic dimension of the result.
static LogicalResult verifyDims(Operation *op, Type type, ValueRange dims) {
  auto buffer = dyn_cast<MemRefType>(type);
  if (!buffer)
    return dims.empty()
               ? success()
               : op->emitOpError("gives dimensions to what is no buffer");
  if (static_cast<size_t>(buffer.getNumDynamicDims()) != dims.size())
    return op->emitOpError("has ")
           << dims.size() << " dimensions for " << buffer.getNumDynamicDims()
           << " dynamic ones of " << type;
  if (!buffer.getLayout().isIdentity())
    return op->emitOpError("makes a buffer that is not contiguous");
  return success();
}

LogicalResult InputOp::verify() {
  return verifyDims(*this, getType(), getDims());
}
LogicalResult OutputOp::verify() {
  return verifyDims(*this, getType(), getDims());
}
LogicalResult ConstantOp::verify() { return verifyDims(*this, getType(), {}); }
LogicalResult SlotOp::verify() {
  return verifyDims(*this, getType(), getDims());
}
LogicalResult AllocOp::verify() {
  return verifyDims(*this, getType(), getDims());
}
LogicalResult CheckDimsOp::verify() { // C1
  return verifyDims(*this, getType(), getDims());
}
LogicalResult SlotBytesOp::verify() {
  return verifyDims(*this, getType(), getDims());
}
LogicalResult ViewOp::verify() {
  return verifyDims(*this, getType(), getDims());
}
