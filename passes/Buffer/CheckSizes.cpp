// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Checks of every shape that the host function computes, before it is used, and
// divisions that cannot trap.
#include "dialects/Rt/Rt.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Matchers.h"
#include "passes/Analysis/Sizes.h"
#include "passes/Buffer/NodeTable.h"
#include "passes/Buffer/Passes.h"
#include "llvm/ADT/TypeSwitch.h"
#include <set>

namespace hone {
#define GEN_PASS_DEF_CHECKSIZESPASS
#include "passes/Buffer/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;

namespace {

/// Integers as wide as a size. Narrower ones are data, which may wrap around.
bool isWide(Type type) { return type.isIndex() || type.isInteger(64); }

bool isSignedDivision(Operation *op) {
  return isa<arith::DivSIOp, arith::FloorDivSIOp, arith::CeilDivSIOp,
             arith::RemSIOp>(op);
}

bool isDivision(Operation *op) {
  return isSignedDivision(op) ||
         isa<arith::DivUIOp, arith::CeilDivUIOp, arith::RemUIOp>(op);
}

/// Builds the conditions under which arithmetic yields a wrong number.
class Overflow {
public:
  explicit Overflow(MLIRContext *context) : builder(context) {}

  /// An i1 that is true if an operation on the way to `value` wrapped around or
  /// divided by zero; null if none can.
  Value of(Value value) {
    if (auto it = known.find(value); it != known.end())
      return it->second;
    Operation *op = value.getDefiningOp();
    Value result;
    if (op && isa<arith::ArithDialect>(op->getDialect()) &&
        op->getNumOperands() > 0)
      result = ofArithmetic(op);
    known[value] = result;
    return result;
  }

  Value either(Location loc, Value a, Value b) {
    if (!a || !b)
      return a ? a : b;
    return arith::OrIOp::create(builder, loc, a, b);
  }

  /// Replaces a divisor with which the division would trap.
  void makeSafe(Operation *op) {
    Value divisor = op->getOperand(1);
    if (cannotTrap(op))
      return;
    builder.setInsertionPoint(op);
    Location loc = op->getLoc();
    Value traps = compare(loc, arith::CmpIPredicate::eq, divisor, 0);
    if (isSignedDivision(op)) {
      unsigned width = divisor.getType().isIndex()
                           ? 64
                           : divisor.getType().getIntOrFloatBitWidth();
      APInt least = APInt::getSignedMinValue(width);
      Value beyond = arith::AndIOp::create(
          builder, loc, compare(loc, arith::CmpIPredicate::eq, divisor, -1),
          compare(loc, arith::CmpIPredicate::eq, op->getOperand(0),
                  least.getSExtValue()));
      traps = arith::OrIOp::create(builder, loc, traps, beyond);
    }
    Value safe = arith::SelectOp::create(
        builder, loc, traps, constant(loc, divisor.getType(), 1), divisor);
    op->setOperand(1, safe);
    trapOf[op] = traps;
  }

private:
  static bool cannotTrap(Operation *op) {
    Value divisor = op->getOperand(1);
    APInt number;
    if (matchPattern(divisor, m_ConstantInt(&number)))
      return !number.isZero() && !number.isAllOnes();
    auto atLeast = divisor.getDefiningOp<arith::MaxSIOp>();
    return atLeast && matchPattern(atLeast.getRhs(), m_ConstantInt(&number)) &&
           number.isStrictlyPositive();
  }

  Value ofArithmetic(Operation *op) {
    Location loc = op->getLoc();
    if (auto select = dyn_cast<arith::SelectOp>(op)) {
      Value condition = of(select.getCondition()),
            yes = of(select.getTrueValue()), no = of(select.getFalseValue());
      builder.setInsertionPointAfter(op);
      if (!yes && !no)
        return condition;
      Value never = constant(loc, builder.getI1Type(), 0);
      return either(loc, condition,
                    arith::SelectOp::create(builder, loc, select.getCondition(),
                                            yes ? yes : never,
                                            no ? no : never));
    }
    SmallVector<Value> operands;
    for (Value operand : op->getOperands())
      if (Value wrong = of(operand))
        operands.push_back(wrong);
    builder.setInsertionPointAfter(op);
    Value result = trapOf.lookup(op);
    if (isWide(op->getResult(0).getType()))
      result = either(loc, result, ofOperation(op));
    for (Value wrong : operands)
      result = either(loc, result, wrong);
    return result;
  }

  /// Of this operation only.
  Value ofOperation(Operation *op) {
    Location loc = op->getLoc();
    if (!isa<arith::AddIOp, arith::SubIOp, arith::MulIOp>(op))
      return {};
    Value a = op->getOperand(0), b = op->getOperand(1), r = op->getResult(0);
    bool isSum = isa<arith::AddIOp>(op);
    if (!isa<arith::SubIOp>(op) && matchPattern(a, m_Constant()))
      std::swap(a, b);
    APInt number;
    bool hasNumber = matchPattern(b, m_ConstantInt(&number));
    if (isa<arith::MulIOp>(op)) {
      if (hasNumber)
        return ofMultiple(loc, a, number.getSExtValue());
      // The upper half is the sign extension of the lower half.
      auto wide = arith::MulSIExtendedOp::create(builder, loc, a, b);
      Value sign = arith::ShRSIOp::create(builder, loc, wide.getLow(),
                                          constant(loc, a.getType(), 63));
      Value wraps = arith::CmpIOp::create(
          builder, loc, arith::CmpIPredicate::ne, wide.getHigh(), sign);
      // Two impossible sizes may have a possible product.
      Value negative = compare(loc, arith::CmpIPredicate::slt,
                               arith::MaxSIOp::create(builder, loc, a, b), 0);
      return arith::OrIOp::create(builder, loc, wraps, negative);
    }
    // The addend makes the result larger, or smaller.
    if (hasNumber)
      return arith::CmpIOp::create(builder, loc,
                                   number.isNegative() == isSum
                                       ? arith::CmpIPredicate::sgt
                                       : arith::CmpIPredicate::slt,
                                   r, a);
    // A sum has the sign of one of its terms. a - b = r is a = r + b.
    if (!isSum)
      std::swap(a, r);
    Value both = arith::AndIOp::create(
        builder, loc, arith::XOrIOp::create(builder, loc, a, r),
        arith::XOrIOp::create(builder, loc, b, r));
    return compare(loc, arith::CmpIPredicate::slt, both, 0);
  }

  /// Of `value` * `factor`, by the distance of the value from 0.
  Value ofMultiple(Location loc, Value value, int64_t factor) {
    if (factor == 0 || factor == 1)
      return {};
    uint64_t limit = std::numeric_limits<int64_t>::max() /
                     (factor < 0 ? 0 - uint64_t(factor) : uint64_t(factor));
    Value shifted = arith::AddIOp::create(
        builder, loc, value, constant(loc, value.getType(), limit));
    return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ugt,
                                 shifted,
                                 constant(loc, value.getType(), 2 * limit));
  }

  Value constant(Location loc, Type type, int64_t number) {
    return arith::ConstantOp::create(builder, loc,
                                     builder.getIntegerAttr(type, number));
  }

  Value compare(Location loc, arith::CmpIPredicate predicate, Value value,
                int64_t number) {
    return arith::CmpIOp::create(builder, loc, predicate, value,
                                 constant(loc, value.getType(), number));
  }

  OpBuilder builder;
  DenseMap<Value, Value> known;
  DenseMap<Operation *, Value> trapOf;
};

class SizeChecker {
public:
  SizeChecker(ModuleOp module, func::FuncOp run)
      : run(run), builder(module.getContext()), overflow(module.getContext()),
        nodes(module) {}

  void check() {
    run.walk([&](Operation *op) {
      if (isDivision(op))
        overflow.makeSafe(op);
    });
    checkBlock(run.getBody().front());
    nodes.store();
  }

private:
  /// Element width, rank, and each dimension as a number or a value.
  using Shape = SmallVector<intptr_t>;

  void checkBlock(Block &block) {
    passed.emplace_back();
    for (Operation &op : llvm::make_early_inc_range(block)) {
      llvm::TypeSwitch<Operation *>(&op)
          .Case<rt::SlotOp, rt::AllocOp, rt::OutputOp, rt::ViewOp>(
              [&](auto buffer) {
                checkShape(&op, buffer.getType(), buffer.getDims());
                if constexpr (std::is_same_v<decltype(buffer), rt::AllocOp>)
                  buffer.setNode(nodes.numberOf(op.getLoc()));
              })
          // The runtime has checked the dimensions of inputs.
          .Case([&](rt::InputOp input) {
            if (auto type = dyn_cast<MemRefType>(input.getType()))
              passed.back().insert(shapeOf(type, input.getDims()));
          })
          .Case([&](rt::CheckOp check) { tighten(check); });
      for (Region &region : op.getRegions())
        for (Block &inner : region)
          checkBlock(inner);
    }
    passed.pop_back();
  }

  static Shape shapeOf(MemRefType type, ValueRange dims) {
    Shape shape{intptr_t(elementBits(type.getElementType())),
                intptr_t(type.getRank())};
    for (int64_t size : type.getShape()) {
      bool isDynamic = ShapedType::isDynamic(size);
      shape.push_back(isDynamic);
      shape.push_back(isDynamic ? intptr_t(dims.front().getAsOpaquePointer())
                                : intptr_t(size));
      dims = dims.drop_front(isDynamic);
    }
    return shape;
  }

  void checkShape(Operation *op, MemRefType type, ValueRange dims) {
    if (dims.empty())
      return;
    Shape shape = shapeOf(type, dims);
    for (const std::set<Shape> &scope : passed)
      if (scope.count(shape))
        return;
    passed.back().insert(shape);
    Value overflows;
    SmallVector<Value> wrong;
    for (Value dim : dims)
      if (Value flag = overflow.of(dim);
          flag && !llvm::is_contained(wrong, flag))
        wrong.push_back(flag);
    builder.setInsertionPoint(op);
    for (Value flag : wrong)
      overflows = overflows ? arith::OrIOp::create(builder, op->getLoc(),
                                                   overflows, flag)
                                  .getResult()
                            : flag;
    rt::CheckDimsOp::create(builder, op->getLoc(), dims, overflows,
                            nodes.numberOf(op->getLoc()), type);
  }

  /// A condition on sizes does not hold if they are wrong.
  void tighten(rt::CheckOp check) {
    Value wrong = overflow.of(check.getCondition());
    if (!wrong)
      return;
    builder.setInsertionPoint(check);
    Value always = arith::ConstantOp::create(builder, check.getLoc(),
                                             builder.getBoolAttr(true));
    Value right = arith::XOrIOp::create(builder, check.getLoc(), wrong, always);
    check.getConditionMutable().assign(arith::AndIOp::create(
        builder, check.getLoc(), check.getCondition(), right));
  }

  func::FuncOp run;
  OpBuilder builder;
  Overflow overflow;
  NodeTable nodes;
  /// Shapes that were checked in this block or an enclosing one.
  SmallVector<std::set<Shape>> passed;
};

struct CheckSizesPass : hone::impl::CheckSizesPassBase<CheckSizesPass> {
  using Base::Base;
  void runOnOperation() override {
    auto run = getOperation().lookupSymbol<func::FuncOp>(rt::kRunName);
    if (!run) {
      getOperation().emitError("has no function @") << rt::kRunName;
      return signalPassFailure();
    }
    SizeChecker(getOperation(), run).check();
  }
};

} // namespace
