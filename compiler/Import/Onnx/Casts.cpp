// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Conversions between element types.
#include "compiler/Import/Onnx/OpTable.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace hone::onnx;

namespace {

/// Text and numbers are converted by the runtime.
Val castText(NodeBuilder &n, Val x, ElementType to) {
  NamedAttribute type("type", n.b.getStringAttr(elementTypeName(
                                  to == ElementType::String ? x.elem : to)));
  StringRef function =
      to == ElementType::String ? "number_to_string" : "string_to_number";
  auto op = graph::LibraryOp::create(
      n.b, n.loc, mlir::TypeRange(n.tensorType(to, n.dims(x))), function,
      ValueRange(x.value), n.b.getDictionaryAttr(type));
  return {op->getResult(0), to};
}

LogicalResult castTo(NodeBuilder &n, ElementType to) {
  Val x = n.in(0);
  if (!storageType(n.b.getContext(), to))
    return n.error("converts to " + elementTypeName(to) +
                   ", which is not supported");
  if (x.elem == to)
    return n.out(x);
  if (x.elem == ElementType::String || to == ElementType::String)
    return n.out(castText(n, x, to));
  bool saturate = n.intAttr("saturate", 1);
  if (!isSmallFloat(to))
    return n.out(n.cast(x, to));
  // In one step: through the compute type it would be rounded twice.
  return n.out(n.mapStored(x, to, [&](Scalar value) {
    ScalarBuilder &s = *value.builder;
    return s.store(s.toFloat(value, s.builder.getF32Type()), to, saturate);
  }));
}

LogicalResult importCast(NodeBuilder &n) {
  if (!n.hasAttr("to"))
    return n.error("lacks the attribute 'to'");
  return castTo(n, static_cast<ElementType>(n.intAttr("to")));
}

LogicalResult importBitCast(NodeBuilder &n) {
  auto to = static_cast<ElementType>(n.intAttr("to"));
  Val x = n.in(0);
  mlir::Type target = storageType(n.b.getContext(), to);
  if (!target || elementBits(to) != elementBits(x.elem) || elementBits(to) < 8)
    return n.error("reads " + elementTypeName(x.elem) + " as " +
                   elementTypeName(to) +
                   ", which has another size or is not supported");
  auto op = graph::MapOp::create(
      n.b, n.loc, mlir::TypeRange(n.tensorType(to, n.dims(x))),
      ValueRange(x.value), n.dynamic(n.dims(x)),
      [&](OpBuilder &b, Location loc, ValueRange arguments) {
        Value value = arguments[0];
        if (value.getType() != target)
          value = arith::BitcastOp::create(b, loc, target, value);
        graph::YieldOp::create(b, loc, value);
      });
  return n.out({op->getResult(0), to});
}

} // namespace

void hone::onnx::addCasts(OpTable &table) {
  table.add("Cast", importCast, 1);
  table.add(
      "CastLike", [](NodeBuilder &n) { return castTo(n, n.in(1).elem); }, 2);
  table.add("BitCast", importBitCast, 1);
}
