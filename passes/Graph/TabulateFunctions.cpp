// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Replaces functions from a byte to a byte by tables of their 256 values: in a
// quantized model most activations are such, with all steps between.
#include "dialects/Graph/Evaluate.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Remarks.h"
#include "passes/Analysis/Fusion.h"
#include "passes/Graph/Passes.h"
#include "passes/Graph/Simplify.h"
#include "passes/Machine/Tuning.h"
#include "llvm/ADT/SetVector.h"

namespace hone {
#define GEN_PASS_DEF_TABULATEFUNCTIONSPASS
#include "passes/Graph/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using namespace hone::graph;

static constexpr int64_t kNumBytes = 256;

static bool isByte(Value value) { return value.getType().isInteger(8); }

/// Whether the operation is arithmetic on its operands alone.
static bool isArithmetic(Operation &op) {
  return op.getNumRegions() == 0 && op.getNumResults() == 1 &&
         op.getNumOperands() > 0 && isPure(&op) &&
         (isa<LookupOp>(op) ||
          isa<arith::ArithDialect, math::MathDialect>(op.getDialect()));
}

namespace {
/// What a body computes from one byte and constants.
struct Functions {
  Value byte;
  llvm::SetVector<Operation *> operations; ///< In program order.

  Functions(Block &body, Value byte);
  bool contains(Value value) const {
    return value == byte || operations.contains(value.getDefiningOp());
  }
  /// The operations that a value takes, in program order.
  SmallVector<Operation *> operationsFor(Value value) const;
  /// The tables of some values, or why there are none.
  llvm::Expected<SmallVector<SmallVector<int8_t>>>
  tabulate(MapOp map, ArrayRef<Value> values) const;
};
} // namespace

Functions::Functions(Block &body, Value byte) : byte(byte) {
  for (Operation &op : body.without_terminator()) {
    if (!isArithmetic(op))
      continue;
    auto isKnown = [&](Value operand) {
      return contains(operand) || isScalarConstant(operand);
    };
    if (llvm::all_of(op.getOperands(), isKnown) &&
        !llvm::all_of(op.getOperands(), isScalarConstant))
      operations.insert(&op);
  }
}

SmallVector<Operation *> Functions::operationsFor(Value value) const {
  llvm::SmallPtrSet<Operation *, 16> needed{value.getDefiningOp()};
  SmallVector<Operation *> found;
  for (Operation *op : llvm::reverse(operations)) {
    if (!needed.contains(op))
      continue;
    found.push_back(op);
    for (Value operand : op->getOperands())
      if (operand != byte)
        needed.insert(operand.getDefiningOp());
  }
  std::reverse(found.begin(), found.end());
  return found;
}

llvm::Expected<SmallVector<SmallVector<int8_t>>>
Functions::tabulate(MapOp map, ArrayRef<Value> values) const {
  OpBuilder b(map);
  auto type = RankedTensorType::get(kNumBytes, b.getI8Type());
  SmallVector<int8_t> bytes;
  for (int64_t i = 0; i < kNumBytes; ++i)
    bytes.push_back(static_cast<int8_t>(i));
  auto every = ConstantOp::create(
      b, map.getLoc(), DenseElementsAttr::get(type, ArrayRef<int8_t>(bytes)));
  auto all = MapOp::create(
      b, map.getLoc(), SmallVector<Type>(values.size(), type),
      every.getResult(), ValueRange(),
      [&](OpBuilder &inner, Location loc, ValueRange args) {
        IRMapping mapping;
        mapping.map(byte, args[0]);
        for (Operation *op : operations) {
          for (Value operand : op->getOperands())
            if (isScalarConstant(operand) && !mapping.contains(operand))
              inner.clone(*operand.getDefiningOp(), mapping);
          inner.clone(*op, mapping);
        }
        SmallVector<Value> yielded;
        for (Value value : values)
          yielded.push_back(mapping.lookup(value));
        YieldOp::create(inner, loc, yielded);
      });
  llvm::Expected<SmallVector<ElementsAttr>> results = evaluate(all, "table");
  all.erase();
  every.erase();
  if (!results)
    return results.takeError();
  SmallVector<SmallVector<int8_t>> tables;
  for (ElementsAttr result : *results)
    tables.emplace_back(result.getValues<int8_t>());
  return tables;
}

/// The value that equals byte `value` of the body, by a table if that is worth
/// it; null: there is none.
static Value replacementFor(Value value, const Functions &functions,
                            ArrayRef<int8_t> table) {
  bool isIdentity = true;
  for (auto [i, element] : llvm::enumerate(table))
    isIdentity &= element == static_cast<int8_t>(i);
  if (isIdentity)
    return functions.byte;
  SmallVector<Operation *> operations = functions.operationsFor(value);
  if (operations.size() == 1 && isa<LookupOp>(operations.front()))
    return {};
  int64_t cost = 0;
  for (Operation *op : operations)
    cost += costOf(op);
  // Functions that cost less are computed.
  if (cost < tuning::kLookupCost)
    return {};
  OpBuilder b(value.getContext());
  b.setInsertionPointAfterValue(value);
  return LookupOp::create(b, value.getLoc(), functions.byte, table);
}

/// Replaces the functions of a byte; true: there was one to replace.
static bool tabulate(MapOp map, const Functions &functions) {
  SmallVector<Value> values;
  for (Operation *op : functions.operations)
    if (isByte(op->getResult(0)))
      values.push_back(op->getResult(0));
  if (values.empty())
    return false;
  llvm::Expected<SmallVector<SmallVector<int8_t>>> tables =
      functions.tabulate(map, values);
  if (!tables) {
    remark::missed(map.getLoc(), remark::RemarkOpts::name("not-tabulated")
                                     .category("tabulate-functions"))
        << llvm::toString(tables.takeError());
    return false;
  }
  SmallVector<Value> replacements;
  for (auto [value, table] : llvm::zip_equal(values, *tables))
    replacements.push_back(replacementFor(value, functions, table));
  for (auto [value, replacement] : llvm::zip_equal(values, replacements))
    if (replacement)
      value.replaceAllUsesWith(replacement);
  return llvm::any_of(replacements, [](Value value) { return value; });
}

namespace {
struct TabulateFunctionsPass
    : hone::impl::TabulateFunctionsPassBase<TabulateFunctionsPass> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<MapOp> maps;
    getOperation().walk([&](MapOp map) { maps.push_back(map); });
    for (MapOp map : maps)
      if (tabulateAll(map))
        remark::passed(map.getLoc(), remark::RemarkOpts::name("tabulated")
                                         .category("tabulate-functions"));
  }

private:
  static bool tabulateAll(MapOp map) {
    Block &body = map.getBody().front();
    SmallVector<Value> bytes;
    llvm::copy_if(body.getArguments(), std::back_inserter(bytes), isByte);
    for (Operation &op : body.without_terminator())
      if (isArithmetic(op) && isByte(op.getResult(0)))
        bytes.push_back(op.getResult(0));
    bool changed = false;
    // What is a function of a byte is one of the first among them.
    llvm::SmallPtrSet<Operation *, 16> covered;
    for (Value byte : bytes) {
      if (covered.contains(byte.getDefiningOp()))
        continue;
      Functions functions(body, byte);
      covered.insert_range(functions.operations);
      changed |= tabulate(map, functions);
    }
    SmallVector<Operation *> operations;
    for (Operation &op : body.without_terminator())
      operations.push_back(&op);
    for (Operation *op : llvm::reverse(operations))
      if (isOpTriviallyDead(op))
        op->erase();
    return changed;
  }
};
} // namespace
