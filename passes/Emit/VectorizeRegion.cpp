// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Clones a block of scalar arithmetic onto one-dimensional vectors.
#include "passes/Emit/VectorizeRegion.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;

static bool isElementwise(Operation &op) {
  if (isa<arith::ConstantOp>(op))
    return op.getResult(0).getType().isIntOrIndexOrFloat();
  return OpTrait::hasElementwiseMappableTraits(&op) &&
         op.getNumRegions() == 0 &&
         llvm::all_of(op.getResultTypes(),
                      [](Type type) { return type.isIntOrIndexOrFloat(); });
}

bool hone::isElementwiseBlock(Block &block) {
  return llvm::all_of(block.without_terminator(), isElementwise);
}

Value hone::vectorOf(OpBuilder &builder, Location loc, Value scalar,
                     int64_t lanes, IRMapping &mapping) {
  if (Value vector = mapping.lookupOrNull(scalar))
    return vector;
  auto type = VectorType::get({lanes}, scalar.getType());
  Value vector;
  if (auto constant = scalar.getDefiningOp<arith::ConstantOp>())
    vector = arith::ConstantOp::create(
        builder, loc, DenseElementsAttr::get(type, constant.getValue()));
  else
    vector = vector::BroadcastOp::create(builder, loc, type, scalar);
  mapping.map(scalar, vector);
  return vector;
}

FailureOr<SmallVector<Value>>
hone::vectorizeBlock(OpBuilder &builder, Block &block, ValueRange arguments,
                     int64_t lanes, VectorizeHook hook) {
  IRMapping mapping;
  mapping.map(block.getArguments(), arguments);
  for (Operation &op : block.without_terminator()) {
    if (!isElementwise(op)) {
      if (!hook || failed(hook(builder, &op, mapping)))
        return failure();
      continue;
    }
    if (isa<arith::ConstantOp>(op)) {
      vectorOf(builder, op.getLoc(), op.getResult(0), lanes, mapping);
      continue;
    }
    OperationState state(op.getLoc(), op.getName());
    for (Value operand : op.getOperands())
      state.operands.push_back(
          vectorOf(builder, op.getLoc(), operand, lanes, mapping));
    for (Type type : op.getResultTypes())
      state.types.push_back(VectorType::get({lanes}, type));
    state.attributes = op.getDiscardableAttrDictionary();
    state.propertiesAttr = op.getPropertiesAsAttribute();
    mapping.map(op.getResults(), builder.create(state)->getResults());
  }
  SmallVector<Value> results;
  Operation *terminator = block.getTerminator();
  for (Value value : terminator->getOperands())
    results.push_back(
        vectorOf(builder, terminator->getLoc(), value, lanes, mapping));
  return results;
}

SmallVector<Value> hone::cloneBlock(OpBuilder &builder, Block &block,
                                    ValueRange arguments) {
  IRMapping mapping;
  mapping.map(block.getArguments(), arguments);
  for (Operation &op : block.without_terminator())
    builder.clone(op, mapping);
  SmallVector<Value> results;
  for (Value value : block.getTerminator()->getOperands())
    results.push_back(mapping.lookupOrDefault(value));
  return results;
}
