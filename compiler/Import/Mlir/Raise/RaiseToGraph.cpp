// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Rebuilds a function in operations of the graph, one operation after another.
#include "compiler/Import/Mlir/Passes.h"
#include "compiler/Import/Mlir/Raise/Body.h"
#include "compiler/Import/Mlir/Raise/Raiser.h"
#include "dialects/Graph/Constants.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "llvm/Support/Path.h"

namespace hone {
#define GEN_PASS_DEF_RAISETOGRAPHPASS
#include "compiler/Import/Mlir/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using namespace hone::raise;

Location hone::raise::nodeLocation(Operation *op) {
  MLIRContext *context = op->getContext();
  Location loc = op->getLoc();
  auto kind =
      NameLoc::get(StringAttr::get(context, op->getName().getStringRef()), loc);
  if (auto name = loc->findInstanceOf<NameLoc>())
    return NameLoc::get(name.getName(), kind);
  std::string text = op->getName().getStringRef().str();
  if (auto line = loc->findInstanceOf<FileLineColLoc>())
    text = (llvm::sys::path::filename(line.getFilename()) + ":" +
            Twine(line.getLine()))
               .str();
  return NameLoc::get(StringAttr::get(context, text), kind);
}

Raiser::Raiser(func::FuncOp function)
    : function(function), b(OpBuilder::atBlockEnd(&function.front())),
      loc(function.getLoc()), dims(function) {}

LogicalResult Raiser::fail(Operation *op, const Twine &why) {
  hasErrors = true;
  return emitError(op->getLoc())
         << "'" << op->getName() << "' cannot be compiled: " << why;
}

//===- Sizes --------------------------------------------------------------===//

Size Raiser::size(Size old) {
  if (std::optional<int64_t> number = known(old))
    return index(*number);
  Value made = lookup(cast<Value>(old));
  if (std::optional<int64_t> number = getConstantIntValue(OpFoldResult(made)))
    return index(*number);
  return made;
}

Sizes Raiser::sizes(ArrayRef<Size> old) {
  return llvm::map_to_vector(old, [&](Size one) { return size(one); });
}

Sizes Raiser::sizes(RankedTensorType type, ValueRange dynamic) {
  Sizes result;
  for (int64_t size : type.getShape()) {
    if (!ShapedType::isDynamic(size)) {
      result.push_back(index(size));
      continue;
    }
    result.push_back(this->size(dynamic.front()));
    dynamic = dynamic.drop_front();
  }
  return result;
}

LogicalResult Raiser::agree(Operation *op, Size a, Size b) {
  std::optional<int64_t> left = known(a), right = known(b);
  if (left && right && *left != *right)
    return fail(op, "sizes that must be equal are " + Twine(*left) + " and " +
                        Twine(*right));
  if (!same(a, b))
    require(arith::CmpIOp::create(this->b, loc, arith::CmpIPredicate::eq,
                                  value(a), value(b)),
            "sizes agree");
  return success();
}

void Raiser::require(Value condition, const Twine &what) {
  cf::AssertOp::create(b, loc, condition, what.str());
}

SmallVector<Value> Raiser::dynamic(ArrayRef<Size> sizes) {
  SmallVector<Value> result;
  for (Size size : sizes)
    if (!known(size))
      result.push_back(value(size));
  return result;
}

RankedTensorType Raiser::tensorType(Type element, ArrayRef<Size> sizes) {
  Ints shape;
  for (Size size : sizes)
    shape.push_back(known(size).value_or(ShapedType::kDynamic));
  return RankedTensorType::get(shape, element);
}

Value Raiser::relabel(Value v, ArrayRef<Size> sizes) {
  Type element = getElementTypeOrSelf(v);
  return graph::ReshapeOp::create(b, loc, tensorType(element, sizes), v,
                                  dynamic(sizes));
}

Value Raiser::castTo(Value v, Type type) {
  if (v.getType() == type)
    return v;
  return tensor::CastOp::create(b, loc, type, v);
}

//===- Operations of the graph --------------------------------------------===//

Value Raiser::reshape(Value v, ArrayRef<Size> target) {
  // Elements stay in their order, whatever shape they had between.
  if (auto before = v.getDefiningOp<graph::ReshapeOp>())
    v = before.getInput();
  Sizes own = sizesOf(v);
  bool equal = own.size() == target.size();
  for (size_t i = 0; equal && i < own.size(); ++i)
    equal = same(own[i], target[i]);
  return equal ? v : relabel(v, target);
}

Value Raiser::transpose(Value v, ArrayRef<int64_t> permutation) {
  Sizes own = sizesOf(v), sizes;
  bool identity = true;
  for (auto [i, axis] : llvm::enumerate(permutation)) {
    identity &= static_cast<int64_t>(i) == axis;
    sizes.push_back(own[axis]);
  }
  if (identity)
    return v;
  auto type = cast<RankedTensorType>(v.getType());
  return graph::TransposeOp::create(
      b, loc, type.clone(applyPermutation(type.getShape(), permutation)), v,
      permutation);
}

Value Raiser::slice(Value v, ArrayRef<Size> offsets, ArrayRef<Size> sizes,
                    ArrayRef<int64_t> steps) {
  Ints by(steps);
  by.resize(sizes.size(), 1);
  Sizes own = sizesOf(v);
  bool whole = true;
  Ints staticOffsets;
  SmallVector<Value> dynamicOffsets;
  for (auto [i, offset] : llvm::enumerate(offsets)) {
    std::optional<int64_t> number = known(offset);
    whole &= number == 0 && by[i] == 1 && same(own[i], sizes[i]);
    staticOffsets.push_back(number.value_or(ShapedType::kDynamic));
    if (!number)
      dynamicOffsets.push_back(value(offset));
  }
  if (whole)
    return v;
  return graph::SliceOp::create(
      b, loc, tensorType(getElementTypeOrSelf(v), sizes), v, dynamicOffsets,
      dynamic(sizes), staticOffsets, by);
}

Operation *Raiser::mapOp(ArrayRef<Type> elements, ValueRange inputs,
                         ArrayRef<Size> sizes, BodyFn body) {
  SmallVector<Type> types;
  for (Type element : elements)
    types.push_back(tensorType(element, sizes));
  SmallVector<Value> dynamicSizes = dynamic(sizes);
  OpBuilder::InsertPoint place = b.saveInsertionPoint();
  auto made = graph::MapOp::create(
      b, loc, types, inputs, dynamicSizes,
      [&](OpBuilder &inner, Location, ValueRange arguments) {
        // What a body needs of the host is made before the map.
        OpBuilder own(inner);
        OpBuilder::InsertionGuard guard(b);
        b.restoreInsertionPoint(place);
        body(own, arguments);
      });
  limits.clear();
  for (Operation &op :
       llvm::make_early_inc_range(llvm::reverse(made.getBody().front())))
    if (isa<graph::IndexOp, arith::ConstantOp>(op) && op.use_empty())
      op.erase();
  return made;
}

Value Raiser::splat(TypedAttr element, ArrayRef<Size> sizes) {
  return mapOp(element.getType(), {}, sizes,
               [&](OpBuilder &inner, ValueRange) {
                 Value one = arith::ConstantOp::create(inner, loc, element);
                 graph::YieldOp::create(inner, loc, one);
               })
      ->getResult(0);
}

Value Raiser::fromScalar(Value scalar) {
  Type type = scalar.getType(), storage = storageType(type);
  if (type.isInteger(1))
    scalar = arith::ExtUIOp::create(b, loc, storage, scalar);
  else if (type.isIndex())
    scalar = arith::IndexCastOp::create(b, loc, storage, scalar);
  else if (!storage) // An integer of an unusual width.
    scalar = arith::ExtSIOp::create(b, loc, b.getI64Type(), scalar);
  return tensor::FromElementsOp::create(
      b, loc, RankedTensorType::get({}, scalar.getType()), scalar);
}

//===- Operations of the old function -------------------------------------===//

LogicalResult hone::raise::raiseConstant(Raiser &r, Operation *op) {
  auto constant = cast<arith::ConstantOp>(op);
  auto type = dyn_cast<RankedTensorType>(constant.getType());
  if (!type)
    return raiseScalar(r, op);
  auto value = dyn_cast<ElementsAttr>(constant.getValue());
  Type element = storageType(type.getElementType());
  if (isa_and_nonnull<DenseResourceElementsAttr>(value) &&
      type.getElementType() == element && !graph::constantBytes(value) &&
      type.getNumElements() != 0)
    return r.fail(op, "it has no values of its type: they were omitted where "
                      "the module was printed; keep them, as bytecode does");
  if (!isa_and_nonnull<DenseElementsAttr, DenseResourceElementsAttr>(value))
    return r.fail(op, "its values are neither dense nor a dense resource");
  if (type.getElementType() != element) {
    auto dense = dyn_cast<DenseIntElementsAttr>(value);
    if (!dense)
      return r.fail(op, "its elements are read from dense values only");
    value = dense.mapValues(element, [&](const APInt &number) {
      unsigned width = element.getIntOrFloatBitWidth();
      return type.getElementType().isInteger(1) ? number.zext(width)
                                                : number.sextOrTrunc(width);
    });
  }
  r.define(op->getResult(0),
           graph::ConstantOp::create(r.b, r.loc, value).getResult());
  return success();
}

LogicalResult hone::raise::raiseScalar(Raiser &r, Operation *op) {
  return hone::raise::Body(r, r.b, /*onHost=*/true).clone(op);
}

LogicalResult Raiser::raise(Operation *op) {
  for (Type type : op->getResultTypes()) {
    std::string why;
    if (failed(convertType(type, why)))
      return fail(op, why);
  }
  if (isa<arith::ConstantOp>(op))
    return raiseConstant(*this, op);
  if (auto structured = dyn_cast<linalg::LinalgOp>(op))
    return raiseStructured(*this, structured);
  if (isa<tensor::TensorDialect>(op->getDialect()))
    return raiseMovement(*this, op);
  if (isa<scf::SCFDialect>(op->getDialect()))
    return raiseControl(*this, op);
  if (auto result = dyn_cast<func::ReturnOp>(op))
    return raiseReturn(result);
  if (auto select = dyn_cast<arith::SelectOp>(op);
      select && isa<RankedTensorType>(select.getType()) &&
      select.getCondition().getType().isInteger(1)) {
    std::string why;
    Type type = *convertType(select.getType(), why);
    define(
        select.getResult(),
        arith::SelectOp::create(b, loc, lookup(select.getCondition()),
                                castTo(lookup(select.getTrueValue()), type),
                                castTo(lookup(select.getFalseValue()), type)));
    return success();
  }
  auto isTensor = [](Type type) { return isa<ShapedType>(type); };
  if (isa_and_nonnull<arith::ArithDialect, math::MathDialect, ub::UBDialect,
                      cf::ControlFlowDialect>(op->getDialect()) &&
      llvm::none_of(op->getOperandTypes(), isTensor) &&
      llvm::none_of(op->getResultTypes(), isTensor))
    return raiseScalar(*this, op);
  return fail(op, "it is not one of the operations that a model may consist "
                  "of: linalg, tosa, tensor, arith, math and scf, on tensors");
}

/// Whether it depends on an operation that failed, and is not reported.
bool Raiser::isPoisoned(Operation *op) {
  auto misses = [&](Value operand) {
    // The old body is not part of any operation.
    Operation *owner = operand.getParentBlock()->getParentOp();
    return !(owner && op->isAncestor(owner)) && !map.contains(operand);
  };
  // Bodies of branches and loops are operations of their own.
  if (isa<scf::SCFDialect>(op->getDialect()))
    return llvm::any_of(op->getOperands(), misses);
  return op
      ->walk([&](Operation *inner) {
        return llvm::any_of(inner->getOperands(), misses)
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      })
      .wasInterrupted();
}

LogicalResult
Raiser::raiseAll(llvm::iterator_range<Block::iterator> operations) {
  for (Operation &op : operations) {
    loc = nodeLocation(&op);
    if (!isPoisoned(&op) && failed(raise(&op)))
      hasErrors = true;
  }
  return failure(hasErrors);
}

LogicalResult Raiser::run(Block &from) {
  if (failed(raiseArguments(from)) ||
      failed(raiseAll(llvm::make_range(from.begin(), from.end()))))
    return failure();
  // Destinations that nothing reads, and what only they need.
  for (Operation &op :
       llvm::make_early_inc_range(llvm::reverse(function.front()))) {
    auto map = dyn_cast<graph::MapOp>(op);
    if (op.use_empty() &&
        (isa<arith::ConstantOp, graph::ReshapeOp, graph::TransposeOp>(op) ||
         (map && map.getInputs().empty())))
      op.erase();
  }
  return success();
}

namespace {
struct RaiseToGraphPass : hone::impl::RaiseToGraphPassBase<RaiseToGraphPass> {
  using Base::Base;
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isExternal())
      return;
    if (!function.getBody().hasOneBlock()) {
      emitError(function.getLoc())
          << "function '" << function.getSymName()
          << "' cannot be compiled: it branches between blocks; use scf.if and "
             "scf.while";
      return signalPassFailure();
    }
    if (failed(decomposeAggregates(function)))
      return signalPassFailure();
    eraseDeadOperations(function);
    Region old;
    old.takeBody(function.getBody());
    if (failed(declareArguments(function, old.front())) ||
        failed(Raiser(function).run(old.front())))
      signalPassFailure();
  }
};
} // namespace
