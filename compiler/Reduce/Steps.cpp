// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Ways to make the function of an imported model smaller.
#include "compiler/Reduce/Steps.h"
#include "dialects/Graph/Graph.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace hone;

static func::ReturnOp returnOf(func::FuncOp function) {
  return cast<func::ReturnOp>(function.getBody().front().getTerminator());
}

static bool isTensor(Value value) { return isa<TensorType>(value.getType()); }

SmallVector<Operation *> reduce::operationsOf(func::FuncOp function) {
  SmallVector<Operation *> operations;
  for (Operation &op : function.getBody().front().without_terminator())
    if (!isa<graph::ConstantOp>(op) && llvm::any_of(op.getResults(), isTensor))
      operations.push_back(&op);
  return operations;
}

/// Results lose their attributes: names and types are of other values.
static void setResults(func::FuncOp function, ValueRange values,
                       ArrayRef<Attribute> attributes = {}) {
  returnOf(function)->setOperands(values);
  function.setType(FunctionType::get(
      function.getContext(), function.getArgumentTypes(), values.getTypes()));
  if (attributes.empty())
    function.removeResAttrsAttr();
  else
    function.setResAttrsAttr(ArrayAttr::get(function.getContext(), attributes));
}

void reduce::returnAt(func::FuncOp function, size_t number) {
  Operation *op = operationsOf(function)[number];
  SmallVector<Value> values(
      llvm::make_filter_range(op->getResults(), isTensor));
  setResults(function, values);
  dropDead(function);
}

void reduce::returnOnly(func::FuncOp function, size_t result) {
  Value value = returnOf(function).getOperand(result);
  SmallVector<Attribute> attributes;
  if (ArrayAttr all = function.getResAttrsAttr())
    attributes.push_back(all[result]);
  setResults(function, value, attributes);
  dropDead(function);
}

void reduce::cutOut(func::FuncOp function, size_t begin, size_t end) {
  SmallVector<Operation *> operations = operationsOf(function);
  auto none = DictionaryAttr::get(function.getContext());
  for (Operation *op : ArrayRef(operations).slice(begin, end - begin))
    for (Value result : op->getResults()) {
      if (!isTensor(result) || result.use_empty())
        continue;
      unsigned position = function.getNumArguments();
      if (failed(function.insertArgument(position, result.getType(), none,
                                         op->getLoc())))
        continue;
      result.replaceAllUsesWith(function.getArgument(position));
    }
  dropDead(function);
}

bool reduce::dropChecks(func::FuncOp function) {
  bool changed = false;
  for (Operation &op : llvm::make_early_inc_range(
           function.getBody().front().without_terminator()))
    if (op.getNumResults() == 0) {
      op.erase();
      changed = true;
    }
  dropDead(function);
  return changed;
}

bool reduce::dropInputs(func::FuncOp function) {
  llvm::BitVector unused(function.getNumArguments());
  for (BlockArgument argument : function.getArguments())
    unused[argument.getArgNumber()] = argument.use_empty();
  return unused.any() && succeeded(function.eraseArguments(unused));
}

void reduce::dropDead(func::FuncOp function) {
  IRRewriter rewriter(function.getContext());
  // Fails if there was nothing to do.
  LogicalResult changed = runRegionDCE(rewriter, function->getRegions());
  static_cast<void>(changed);
}
