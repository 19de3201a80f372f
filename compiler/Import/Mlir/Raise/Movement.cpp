// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Operations of the tensor dialect: shapes and elements.
#include "compiler/Import/Mlir/Raise/Body.h"
#include "compiler/Import/Mlir/Raise/Raiser.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace hone;
using namespace hone::raise;

static Type elementOf(Value old) {
  return storageType(getElementTypeOrSelf(old));
}

//===- Shapes -------------------------------------------------------------===//

static LogicalResult raise(Raiser &r, tensor::CastOp op) {
  auto type = dyn_cast<RankedTensorType>(op.getType());
  Value v = r.lookup(op.getSource());
  Sizes own = r.sizesOf(v), sizes = own;
  bool isSame = true;
  for (auto [i, size] : llvm::enumerate(type.getShape())) {
    if (ShapedType::isDynamic(size) || r.same(own[i], r.index(size)))
      continue;
    isSame = false;
    sizes[i] = r.index(size);
    if (failed(r.agree(op, own[i], sizes[i])))
      return failure();
  }
  r.define(op.getResult(), isSame ? v : r.relabel(v, sizes));
  return success();
}

static LogicalResult reshapeTo(Raiser &r, Operation *op, Value v,
                               ArrayRef<Size> sizes) {
  Size before = r.dims.product(r.b, r.loc, r.sizesOf(v)),
       after = r.dims.product(r.b, r.loc, sizes);
  if (failed(r.agree(op, before, after)))
    return failure();
  r.define(op->getResult(0), r.reshape(v, sizes));
  return success();
}

static LogicalResult raise(Raiser &r, tensor::ExpandShapeOp op) {
  Value v = r.lookup(op.getSrc());
  Sizes sizes = r.sizes(op.getMixedOutputShape());
  for (auto [axis, group] : llvm::enumerate(op.getReassociationIndices())) {
    Sizes parts;
    for (int64_t i : group)
      parts.push_back(sizes[i]);
    if (failed(r.agree(op, r.dim(v, axis), r.dims.product(r.b, r.loc, parts))))
      return failure();
  }
  r.define(op.getResult(), r.reshape(v, sizes));
  return success();
}

static LogicalResult raise(Raiser &r, tensor::CollapseShapeOp op) {
  Value v = r.lookup(op.getSrc());
  Sizes own = r.sizesOf(v), sizes;
  for (const ReassociationIndices &group : op.getReassociationIndices()) {
    Sizes parts;
    for (int64_t i : group)
      parts.push_back(own[i]);
    sizes.push_back(r.dims.product(r.b, r.loc, parts));
  }
  r.define(op.getResult(), r.reshape(v, sizes));
  return success();
}

/// A size that is an element of a tensor.
static Value sizeAt(Raiser &r, Value shape, int64_t i) {
  Value place = arith::ConstantIndexOp::create(r.b, r.loc, i);
  Value element = tensor::ExtractOp::create(r.b, r.loc, r.lookup(shape), place);
  return arith::IndexCastOp::create(r.b, r.loc, r.b.getIndexType(), element);
}

static LogicalResult raise(Raiser &r, tensor::ReshapeOp op) {
  auto type = dyn_cast<RankedTensorType>(op.getType());
  auto shapeType = cast<RankedTensorType>(op.getShape().getType());
  if (shapeType.isDynamicDim(0))
    return r.fail(op, "its shape has an unknown number of sizes");
  auto elements = op.getShape().getDefiningOp<tensor::FromElementsOp>();
  Sizes sizes;
  for (auto [i, size] : llvm::enumerate(type.getShape())) {
    if (!ShapedType::isDynamic(size))
      sizes.push_back(r.index(size));
    else if (elements && elements.getElements()[i].getType().isIndex())
      sizes.push_back(r.size(elements.getElements()[i]));
    else
      sizes.push_back(sizeAt(r, op.getShape(), i));
  }
  return reshapeTo(r, op, r.lookup(op.getSource()), sizes);
}

static LogicalResult raise(Raiser &r, tensor::ConcatOp op) {
  int64_t axis = op.getDim();
  SmallVector<Value> parts;
  Sizes sizes;
  Size total = r.index(0);
  for (Value input : op.getInputs()) {
    Value v = r.lookup(input);
    Sizes own = r.sizesOf(v);
    if (sizes.empty())
      sizes = own;
    for (auto [i, size] : llvm::enumerate(own))
      if (static_cast<int64_t>(i) != axis &&
          failed(r.agree(op, sizes[i], size)))
        return failure();
    total = r.dims.add(r.b, r.loc, total, own[axis]);
    Sizes target = sizes;
    target[axis] = own[axis];
    parts.push_back(r.reshape(v, target));
  }
  sizes[axis] = total;
  r.define(op.getResult(),
           graph::ConcatOp::create(
               r.b, r.loc, r.tensorType(elementOf(op.getResult()), sizes),
               parts, r.dynamic(sizes), axis));
  return success();
}

//===- Elements -----------------------------------------------------------===//

static LogicalResult raise(Raiser &r, tensor::EmptyOp op) {
  // What nobody has written is zero.
  Type element = elementOf(op.getResult());
  r.define(op.getResult(),
           r.splat(cast<TypedAttr>(r.b.getZeroAttr(element)),
                   r.sizes(op.getType(), op.getDynamicSizes())));
  return success();
}

static LogicalResult raise(Raiser &r, tensor::SplatOp op) {
  Operation *map =
      r.mapOp(elementOf(op.getAggregate()), {},
              r.sizes(op.getAggregate().getType(), op.getDynamicSizes()),
              [&](OpBuilder &b, ValueRange) {
                raise::Body body(r, b, /*onHost=*/false);
                graph::YieldOp::create(b, r.loc, body.stored(op.getInput()));
              });
  r.define(op.getAggregate(), map->getResult(0));
  return success();
}

static LogicalResult raise(Raiser &r, tensor::GenerateOp op) {
  Block &block = op.getBody().front();
  Sizes sizes =
      r.sizes(cast<RankedTensorType>(op.getType()), op.getDynamicExtents());
  LogicalResult result = success();
  Operation *map = r.mapOp(
      elementOf(op.getResult()), {}, sizes, [&](OpBuilder &b, ValueRange) {
        raise::Body body(r, b, /*onHost=*/false);
        for (BlockArgument argument : block.getArguments()) {
          Value at = graph::IndexOp::create(b, r.loc, argument.getArgNumber());
          r.limits[at] = sizes[argument.getArgNumber()];
          body.define(argument, at);
        }
        result = body.clone(block);
        if (succeeded(result))
          graph::YieldOp::create(
              b, r.loc, body.stored(block.getTerminator()->getOperand(0)));
      });
  r.define(op.getResult(), map->getResult(0));
  return result;
}

static LogicalResult raise(Raiser &r, tensor::FromElementsOp op) {
  raise::Body host(r, r.b, /*onHost=*/true);
  SmallVector<Value> elements;
  SmallVector<Attribute> constants;
  for (Value element : op.getElements()) {
    elements.push_back(host.stored(element));
    Attribute constant;
    if (matchPattern(element, m_Constant(&constant)) &&
        cast<TypedAttr>(constant).getType() == elementOf(op.getResult()))
      constants.push_back(constant);
  }
  auto type = op.getType().clone(elementOf(op.getResult()));
  if (!constants.empty() && constants.size() == elements.size())
    r.define(op.getResult(),
             graph::ConstantOp::create(r.b, r.loc,
                                       DenseElementsAttr::get(type, constants))
                 .getResult());
  else
    r.define(op.getResult(),
             tensor::FromElementsOp::create(r.b, r.loc, type, elements));
  return success();
}

static LogicalResult raise(Raiser &r, tensor::InsertOp op) {
  Value target = r.lookup(op.getDest());
  Sizes sizes = r.sizesOf(target);
  Operation *map =
      r.mapOp(elementOf(op.getResult()), target, sizes,
              [&](OpBuilder &b, ValueRange elements) {
                raise::Body body(r, b, /*onHost=*/false);
                Value here = arith::ConstantIntOp::create(b, r.loc, 1, 1);
                for (auto [axis, index] : llvm::enumerate(op.getIndices())) {
                  Value at = graph::IndexOp::create(b, r.loc, axis);
                  here = b.createOrFold<arith::AndIOp>(
                      r.loc, here,
                      arith::CmpIOp::create(b, r.loc, arith::CmpIPredicate::eq,
                                            at, body.lookup(index)));
                }
                Value chosen = arith::SelectOp::create(
                    b, r.loc, here, body.stored(op.getScalar()), elements[0]);
                graph::YieldOp::create(b, r.loc, chosen);
              });
  r.define(op.getResult(), map->getResult(0));
  return success();
}

static LogicalResult raise(Raiser &r, tensor::BitcastOp op) {
  Type from = getElementTypeOrSelf(op.getSource()),
       to = getElementTypeOrSelf(op.getType());
  if (from != storageType(from) || to != storageType(to))
    return r.fail(op, "elements of i1 and index have no bits of their own");
  Value v = r.lookup(op.getSource());
  Operation *map =
      r.mapOp(to, v, r.sizesOf(v), [&](OpBuilder &b, ValueRange elements) {
        Value cast = arith::BitcastOp::create(b, r.loc, to, elements[0]);
        graph::YieldOp::create(b, r.loc, cast);
      });
  r.define(op.getResult(), map->getResult(0));
  return success();
}

LogicalResult hone::raise::raiseMovement(Raiser &r, Operation *op) {
  for (Type type : op->getOperandTypes())
    if (isa<UnrankedTensorType>(type))
      return r.fail(op, "the rank of its operand is not known");
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<tensor::BitcastOp, tensor::CastOp, tensor::CollapseShapeOp,
            tensor::ConcatOp, tensor::EmptyOp, tensor::ExpandShapeOp,
            tensor::FromElementsOp, tensor::GenerateOp, tensor::InsertOp,
            tensor::ReshapeOp, tensor::SplatOp>(
          [&](auto typed) { return ::raise(r, typed); })
      .Case<tensor::ExtractSliceOp, tensor::InsertSliceOp, tensor::PadOp>(
          [&](auto) { return raiseSlice(r, op); })
      .Case<tensor::DimOp, tensor::ExtractOp>(
          [&](auto) { return raiseScalar(r, op); })
      .Case([&](tensor::RankOp rank) {
        int64_t number =
            cast<RankedTensorType>(rank.getTensor().getType()).getRank();
        r.define(rank.getResult(),
                 arith::ConstantIndexOp::create(r.b, r.loc, number));
        return success();
      })
      .Default([&](Operation *) {
        return r.fail(op, "there is no form of it in the graph; write it with "
                          "linalg.generic");
      });
}
