// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Conversions between element types.
#include "compiler/Import/Onnx/Builder/Library.h"
#include "compiler/Import/Onnx/Builder/OpTable.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace hone::onnx;

namespace {

/// The runtime converts between text and numbers.
Val castText(NodeBuilder &n, Val x, ElementType to) {
  bool toText = to == ElementType::String;
  if (!toText && !isRuntimeNumber(to))
    n.fail("converts text to " + elementTypeName(to) +
           ", which is not supported");
  return LibraryCall(n, toText ? "string_from_number" : "string_to_number")
      .setType("type", toText ? x.elem : to)
      .sized(to, n.dims(x))({x});
}

LogicalResult castTo(NodeBuilder &n, ElementType to) {
  Val x = n.in(0);
  if (!storageType(n.b.getContext(), to))
    return n.error("converts to " + elementTypeName(to) +
                   ", which is not supported");
  if (x.elem == to)
    return n.out(x);
  if (isComplex(x.elem) || isComplex(to))
    return n.error("converts complex numbers, which ONNX does not define");
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
  if (n.opset >= 6 && n.attr("to")->kind != AttributeKind::String)
    return castTo(n, static_cast<ElementType>(n.intAttr("to")));
  // The first operator sets name the type as the file format does, "FLOAT";
  // some files of later ones do so too.
  std::string name = n.stringAttr("to").lower();
  std::optional<ElementType> to = elementTypeNamed(name);
  if (!to)
    return n.error("casts to '" + n.stringAttr("to") +
                   "', a type that ONNX does not define");
  return castTo(n, *to);
}

LogicalResult importBitCast(NodeBuilder &n) {
  auto to = static_cast<ElementType>(n.intAttr("to"));
  Val x = n.in(0);
  mlir::Type target = storageType(n.b.getContext(), to);
  if (!target || elementBits(to) != elementBits(x.elem) ||
      elementBits(to) < 8 || isComplex(to) || isComplex(x.elem))
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
