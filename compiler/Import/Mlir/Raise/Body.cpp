// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Scalar code: cloned with checks of what could trap or be undefined.
#include "compiler/Import/Mlir/Raise/Body.h"
#include "compiler/Import/Mlir/Raise/Range.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace hone::raise;

Type hone::raise::storageType(Type element) {
  Builder b(element.getContext());
  if (element.isInteger(1))
    return b.getI8Type();
  if (element.isIndex())
    return b.getI64Type();
  if (element.isF16() || element.isBF16() || element.isF32() ||
      element.isF64() || element.isSignlessInteger(8) ||
      element.isSignlessInteger(16) || element.isSignlessInteger(32) ||
      element.isSignlessInteger(64))
    return element;
  return {};
}

Type hone::raise::computeType(Type element) {
  if (element.isF16() || element.isBF16())
    return Float32Type::get(element.getContext());
  return element;
}

static bool isNarrow(Type type) { return type.isF16() || type.isBF16(); }

//===- Elements -----------------------------------------------------------===//

Value Body::load(Value stored, Type element) {
  if (element.isInteger(1)) {
    Value zero = scalars().integer(stored.getType(), 0).value;
    return arith::CmpIOp::create(b, r.loc, arith::CmpIPredicate::ne, stored,
                                 zero);
  }
  if (element.isIndex())
    return arith::IndexCastOp::create(b, r.loc, element, stored);
  if (isNarrow(element))
    return arith::ExtFOp::create(b, r.loc, computeType(element), stored);
  return stored;
}

void Body::defineStored(Value old, Value stored) {
  define(old, load(stored, old.getType()));
}

Value Body::stored(Value old) {
  Value value = lookup(old);
  Type element = old.getType();
  if (element.isInteger(1))
    return arith::ExtUIOp::create(b, r.loc, storageType(element), value);
  if (element.isIndex())
    return arith::IndexCastOp::create(b, r.loc, storageType(element), value);
  if (isNarrow(element))
    return arith::TruncFOp::create(b, r.loc, element, value);
  return value;
}

/// A value of the host is constant, an index, or handed over as a tensor.
Value Body::lookup(Value old) {
  if (Value made = map.lookupOrNull(old))
    return made;
  Value host = r.lookup(old);
  if (onHost || host.getType().isIndex())
    return host;
  Attribute constant;
  if (matchPattern(host, m_Constant(&constant))) {
    Value copy = arith::ConstantOp::create(b, r.loc, cast<TypedAttr>(constant));
    return copy;
  }
  Value tensor = r.fromScalar(host);
  return load(tensor::ExtractOp::create(b, r.loc, tensor, ValueRange()),
              host.getType());
}

Value Body::evaluate(AffineExpr expr, ValueRange dimensions) {
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return dimensions[dim.getPosition()];
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return arith::ConstantIndexOp::create(b, r.loc, constant.getValue());
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return {};
  Value left = evaluate(binary.getLHS(), dimensions),
        right = evaluate(binary.getRHS(), dimensions);
  if (!left || !right)
    return {};
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return arith::AddIOp::create(b, r.loc, left, right);
  case AffineExprKind::Mul:
    return arith::MulIOp::create(b, r.loc, left, right);
  default: // Divisions; coordinates are never negative.
    if (auto divisor = dyn_cast<AffineConstantExpr>(binary.getRHS());
        !divisor || divisor.getValue() <= 0)
      return {};
    if (expr.getKind() == AffineExprKind::FloorDiv)
      return arith::FloorDivSIOp::create(b, r.loc, left, right);
    if (expr.getKind() == AffineExprKind::Mod) {
      Value quotient = arith::FloorDivSIOp::create(b, r.loc, left, right);
      Value whole = arith::MulIOp::create(b, r.loc, quotient, right);
      return arith::SubIOp::create(b, r.loc, left, whole);
    }
    return {};
  }
}

Value Body::checked(Value index, Value tensor, int64_t axis) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (!type.isDynamicDim(axis)) {
    NumberRange range = rangeOf(index, r.limits);
    if (range.low >= 0 && range.high < type.getDimSize(axis))
      return index;
  }
  if (Size limit = r.limits.lookup(index);
      limit && r.same(limit, r.dim(tensor, axis)))
    return index;
  Value size =
      type.isDynamicDim(axis)
          ? r.value(r.dim(tensor, axis))
          : arith::ConstantIndexOp::create(b, r.loc, type.getDimSize(axis));
  if (!onHost)
    return graph::CheckedIndexOp::create(b, r.loc, index, size, /*wrap=*/false);
  Value zero = arith::ConstantIndexOp::create(b, r.loc, 0);
  Value above =
      arith::CmpIOp::create(b, r.loc, arith::CmpIPredicate::sge, index, zero);
  Value below =
      arith::CmpIOp::create(b, r.loc, arith::CmpIPredicate::slt, index, size);
  cf::AssertOp::create(b, r.loc, arith::AndIOp::create(b, r.loc, above, below),
                       "an index is inside its tensor");
  return index;
}

Value Body::extract(Value tensor, ValueRange indices, Type element) {
  SmallVector<Value> places;
  for (auto [axis, index] : llvm::enumerate(indices))
    places.push_back(checked(index, tensor, axis));
  return load(tensor::ExtractOp::create(b, r.loc, tensor, places), element);
}

//===- Operations ---------------------------------------------------------===//

/// A number that the graph computes with.
static bool isNumber(Type type) {
  if (auto integer = dyn_cast<IntegerType>(type))
    return integer.isSignless() && integer.getWidth() <= 64;
  return type.isIndex() || type.isF16() || type.isBF16() || type.isF32() ||
         type.isF64();
}

/// Flags promise what only the writer of the module knows: without them
/// nothing is undefined.
static void dropFlags(Operation *op) {
  MLIRContext *context = op->getContext();
  if (auto fast = dyn_cast<arith::ArithFastMathInterface>(op))
    op->setAttr(
        fast.getFastMathAttrName(),
        arith::FastMathFlagsAttr::get(context, arith::FastMathFlags::none));
  if (auto wraps = dyn_cast<arith::ArithIntegerOverflowFlagsInterface>(op))
    op->setAttr(wraps.getIntegerOverflowAttrName(),
                arith::IntegerOverflowFlagsAttr::get(
                    context, arith::IntegerOverflowFlags::none));
  for (StringRef flag : {"isExact", "nonNeg"})
    if (op->hasAttr(flag))
      op->removeAttr(flag);
}

LogicalResult Body::copy(Operation *op) {
  IRMapping operands;
  for (Value operand : op->getOperands())
    operands.map(operand, lookup(operand));
  Operation *made = b.clone(*op, operands);
  made->setLoc(r.loc);
  dropFlags(made);
  for (auto [from, to] :
       llvm::zip_equal(op->getResults(), made->getResults())) {
    to.setType(computeType(from.getType()));
    define(from, to);
  }
  return success();
}

/// The lowest number by -1 overflows, and a division by 0 has no result: both
/// trap on some processors.
LogicalResult Body::divide(Operation *op) {
  bool isSigned = !isa<arith::DivUIOp, arith::RemUIOp, arith::CeilDivUIOp>(op);
  APInt number;
  if (matchPattern(op->getOperand(1), m_ConstantInt(&number)) &&
      !number.isZero() && !(isSigned && number.isAllOnes()))
    return copy(op);
  Type own = op->getOperand(0).getType(), type = own;
  if (own.isInteger(1))
    return r.fail(op, "numbers of one bit are not divided");
  Value left = lookup(op->getOperand(0)), right = lookup(op->getOperand(1));
  if (own.isIndex()) {
    type = b.getI64Type();
    left = arith::IndexCastOp::create(b, r.loc, type, left);
    right = arith::IndexCastOp::create(b, r.loc, type, right);
  }
  auto constant = [&](int64_t value) {
    return scalars().integer(type, value).value;
  };
  auto equals = [&](int64_t value) -> Value {
    return arith::CmpIOp::create(b, r.loc, arith::CmpIPredicate::eq, right,
                                 constant(value));
  };
  if (onHost) {
    Value holds = arith::CmpIOp::create(b, r.loc, arith::CmpIPredicate::ne,
                                        right, constant(0));
    cf::AssertOp::create(b, r.loc, holds, "a divisor is not 0");
    right = arith::SelectOp::create(b, r.loc, holds, right, constant(1));
  } else {
    right = graph::CheckedDivisorOp::create(b, r.loc, right);
  }
  Value minusOne;
  if (isSigned) {
    minusOne = equals(-1);
    right = arith::SelectOp::create(b, r.loc, minusOne, constant(1), right);
  }
  OperationState state(r.loc, op->getName(), ValueRange{left, right}, type);
  Value result = b.create(state)->getResult(0);
  if (isSigned) {
    Value other = isa<arith::RemSIOp>(op)
                      ? constant(0)
                      : arith::SubIOp::create(b, r.loc, constant(0), left);
    result = arith::SelectOp::create(b, r.loc, minusOne, other, result);
  }
  if (own.isIndex())
    result = arith::IndexCastOp::create(b, r.loc, own, result);
  define(op->getResult(0), result);
  return success();
}

LogicalResult Body::bitcast(Operation *op) {
  Type from = op->getOperand(0).getType(), to = op->getResult(0).getType();
  Value value = lookup(op->getOperand(0));
  if (isNarrow(from))
    value = arith::TruncFOp::create(b, r.loc, from, value);
  value = arith::BitcastOp::create(b, r.loc, to, value);
  if (isNarrow(to))
    value = arith::ExtFOp::create(b, r.loc, computeType(to), value);
  define(op->getResult(0), value);
  return success();
}

LogicalResult Body::cloneRegion(Region &from, Region &to) {
  to.getBlocks().clear();
  if (from.empty())
    return success();
  OpBuilder::InsertionGuard guard(b);
  Block *block = b.createBlock(&to);
  for (BlockArgument argument : from.getArguments())
    define(argument,
           block->addArgument(computeType(argument.getType()), r.loc));
  b.setInsertionPointToEnd(block);
  if (failed(clone(from.front())))
    return failure();
  return copy(from.front().getTerminator());
}

LogicalResult Body::cloneRegions(Operation *op) {
  IRMapping operands;
  for (Value operand : op->getOperands())
    operands.map(operand, lookup(operand));
  if (auto loop = dyn_cast<scf::ForOp>(op)) {
    // A step that is not positive is undefined.
    Value one = scalars().integer(loop.getStep().getType(), 1).value;
    operands.map(
        loop.getStep(),
        arith::MaxSIOp::create(b, r.loc, operands.lookup(loop.getStep()), one));
  }
  Operation *made = op->cloneWithoutRegions(operands);
  made->setLoc(r.loc);
  b.insert(made);
  for (auto [from, to] :
       llvm::zip_equal(op->getResults(), made->getResults())) {
    to.setType(computeType(from.getType()));
    define(from, to);
  }
  for (auto [from, to] : llvm::zip_equal(op->getRegions(), made->getRegions()))
    if (failed(cloneRegion(from, to)))
      return failure();
  return success();
}

LogicalResult Body::clone(Operation *op) {
  if (auto index = dyn_cast<linalg::IndexOp>(op)) {
    define(index.getResult(), coordinates[index.getDim()]);
    return success();
  }
  if (auto extract = dyn_cast<tensor::ExtractOp>(op)) {
    SmallVector<Value> indices;
    for (Value index : extract.getIndices())
      indices.push_back(lookup(index));
    define(extract.getResult(), this->extract(r.lookup(extract.getTensor()),
                                              indices, extract.getType()));
    return success();
  }
  if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    auto type = dyn_cast<RankedTensorType>(dim.getSource().getType());
    std::optional<int64_t> axis = dim.getConstantIndex();
    if (!type || !axis || *axis < 0 || *axis >= type.getRank())
      return r.fail(op, "the dimension is not one of the tensor's");
    define(dim.getResult(), r.value(r.dim(r.lookup(dim.getSource()), *axis)));
    return success();
  }
  for (TypeRange types :
       {TypeRange(op->getOperandTypes()), TypeRange(op->getResultTypes())})
    for (Type type : types)
      if (!isNumber(type)) {
        std::string text;
        llvm::raw_string_ostream(text) << type;
        return r.fail(op, "it computes with " + text +
                              ", and there is arithmetic for f16, bf16, f32, "
                              "f64, and integers of up to 64 bits");
      }
  if (auto constant = dyn_cast<arith::ConstantOp>(op);
      constant && isNarrow(constant.getType())) {
    APFloat number = cast<FloatAttr>(constant.getValue()).getValue();
    bool inexact;
    number.convert(APFloat::IEEEsingle(), APFloat::rmNearestTiesToEven,
                   &inexact);
    define(constant.getResult(),
           arith::ConstantOp::create(b, r.loc,
                                     b.getFloatAttr(b.getF32Type(), number)));
    return success();
  }
  if (isa<arith::FPToSIOp, arith::FPToUIOp>(op)) {
    onnx::ScalarBuilder s = scalars();
    define(op->getResult(0),
           s.toInt(s.wrap(lookup(op->getOperand(0))),
                   op->getResult(0).getType(), isa<arith::FPToUIOp>(op))
               .value);
    return success();
  }
  if (isa<arith::DivSIOp, arith::DivUIOp, arith::RemSIOp, arith::RemUIOp,
          arith::FloorDivSIOp, arith::CeilDivSIOp, arith::CeilDivUIOp>(op))
    return divide(op);
  if (isa<arith::BitcastOp>(op))
    return bitcast(op);
  if (isa<arith::ExtFOp>(op) && isNarrow(op->getOperand(0).getType()) &&
      op->getResult(0).getType().isF32()) {
    define(op->getResult(0), lookup(op->getOperand(0)));
    return success();
  }
  if (isa<arith::TruncFOp>(op) && isNarrow(op->getResult(0).getType())) {
    Type narrow = op->getResult(0).getType();
    Value rounded =
        arith::TruncFOp::create(b, r.loc, narrow, lookup(op->getOperand(0)));
    define(op->getResult(0),
           arith::ExtFOp::create(b, r.loc, computeType(narrow), rounded));
    return success();
  }
  if (auto check = dyn_cast<cf::AssertOp>(op)) {
    Value holds = lookup(check.getArg());
    if (onHost) {
      cf::AssertOp::create(b, r.loc, holds, check.getMsg());
      return success();
    }
    Value zero = arith::ConstantIndexOp::create(b, r.loc, 0),
          one = arith::ConstantIndexOp::create(b, r.loc, 1);
    graph::CheckedIndexOp::create(
        b, r.loc, arith::SelectOp::create(b, r.loc, holds, zero, one), one,
        /*wrap=*/false);
    return success();
  }
  if (isa<scf::IfOp, scf::ForOp, scf::WhileOp>(op))
    return cloneRegions(op);
  if (expandMath(op))
    return success();
  if (!isa<math::IPowIOp>(op) && op->getNumRegions() == 0 &&
      op->getNumSuccessors() == 0 &&
      isa<arith::ArithDialect, math::MathDialect, ub::UBDialect>(
          op->getDialect()))
    return copy(op);
  return r.fail(op, "there is no form of it for single elements");
}

LogicalResult Body::clone(Block &block) {
  for (Operation &op : block.without_terminator())
    if (failed(clone(&op)))
      return failure();
  return success();
}

llvm::SmallPtrSet<Operation *, 16> hone::raise::neededFor(ValueRange values,
                                                          Block &block) {
  llvm::SmallPtrSet<Operation *, 16> result;
  SmallVector<Value> pending(values);
  while (!pending.empty()) {
    Operation *op = pending.pop_back_val().getDefiningOp();
    if (!op || op->getBlock() != &block || !result.insert(op).second)
      continue;
    llvm::append_range(pending, op->getOperands());
    for (Region &region : op->getRegions())
      region.walk([&](Operation *inner) {
        llvm::append_range(pending, inner->getOperands());
      });
  }
  return result;
}

LogicalResult Body::cloneFor(ValueRange values, Block &block) {
  llvm::SmallPtrSet<Operation *, 16> wanted = neededFor(values, block);
  for (Operation &op : block.without_terminator())
    if (wanted.contains(&op) && failed(clone(&op)))
      return failure();
  return success();
}

llvm::SmallPtrSet<BlockArgument, 4> hone::raise::argumentsOf(Value value,
                                                             Block &block) {
  llvm::SmallPtrSet<BlockArgument, 4> result;
  auto visit = [&](Value operand) {
    if (auto argument = dyn_cast<BlockArgument>(operand);
        argument && argument.getOwner() == &block)
      result.insert(argument);
  };
  visit(value);
  for (Operation *op : neededFor(value, block))
    op->walk(
        [&](Operation *inner) { llvm::for_each(inner->getOperands(), visit); });
  return result;
}
