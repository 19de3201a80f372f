// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Rebuilds the host function on buffers, in one sweep. Later passes share
// memory between them.
#include "passes/Buffer/Host/HostBufferizer.h"
#include "passes/Buffer/Passes.h"
#include "llvm/ADT/TypeSwitch.h"

namespace hone {
#define GEN_PASS_DEF_BUFFERIZEHOSTPASS
#include "passes/Buffer/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;

LogicalResult HostBufferizer::run() {
  if (!host.getBody().hasOneBlock())
    return host.emitError("the entry function must have one block");
  auto run = func::FuncOp::create(host.getLoc(), rt::kRunName,
                                  builder.getFunctionType({}, {}));
  top = run.addEntryBlock();
  arithmetic.emplace(run);
  module.insert(host, run);
  builder.setInsertionPointToStart(top);
  if (failed(bufferizeArguments(run)))
    return failure();
  assignOutputs();
  if (failed(bufferizeBlock(host.getBody().front())))
    return failure();
  module->setAttr(rt::kWeightBytesAttr, builder.getI64IntegerAttr(weightBytes));
  nodes.store();
  host.erase();
  return success();
}

LogicalResult HostBufferizer::bufferizeArguments(func::FuncOp run) {
  SmallVector<Attribute> inputs, outputs, freeDims;
  for (BlockArgument argument : host.getArguments()) {
    unsigned index = argument.getArgNumber();
    NamedAttrList described(host.getArgAttrDict(index));
    if (auto value =
            dyn_cast_or_null<ElementsAttr>(described.get(rt::kDefaultAttr))) {
      std::optional<int64_t> place = placeWeight(value);
      if (!place)
        return host.emitError("the default of input ")
               << index << " is larger than memory";
      described.set(rt::kDefaultOffsetAttr, builder.getI64IntegerAttr(*place));
    }
    DictionaryAttr attrs = described.getDictionary(builder.getContext());
    inputs.push_back(describe(attrs, argument.getType()));
    SmallVector<Value> sizes;
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    auto names = attrs.getAs<ArrayAttr>(rt::kDimsAttr);
    for (int64_t i = 0; type && i < type.getRank(); ++i) {
      auto name = names && i < int64_t(names.size())
                      ? dyn_cast<StringAttr>(names[i])
                      : StringAttr();
      if (name && !freeDim.count(name.getValue())) {
        freeDims.push_back(name);
        freeDim[name.getValue()] =
            graph::DimOp::create(builder, host.getLoc(), name);
      }
      if (!type.isDynamicDim(i))
        continue;
      if (!name)
        return host.emitError("input ")
               << index << " has a dynamic dimension without a name";
      sizes.push_back(freeDim[name.getValue()]);
    }
    map.map(argument,
            rt::InputOp::create(builder, host.getLoc(),
                                convertType(argument.getType()), index, sizes,
                                attrs.contains(rt::kAnyRankAttr))
                .getResult());
  }
  for (auto [index, type] : llvm::enumerate(host.getResultTypes()))
    outputs.push_back(describe(host.getResultAttrDict(index), type));
  run->setAttr("hone.inputs", builder.getArrayAttr(inputs));
  run->setAttr("hone.outputs", builder.getArrayAttr(outputs));
  module->setAttr(rt::kFreeDimsAttr, builder.getArrayAttr(freeDims));
  return success();
}

Attribute HostBufferizer::describe(DictionaryAttr attrs, Type type) {
  NamedAttrList list(attrs);
  list.set("type", TypeAttr::get(type));
  return list.getDictionary(builder.getContext());
}

void HostBufferizer::assignOutputs() {
  for (OpOperand &operand :
       host.getBody().front().getTerminator()->getOpOperands()) {
    auto type = dyn_cast<RankedTensorType>(operand.get().getType());
    Value root = viewedTensor(operand.get());
    auto call = root.getDefiningOp<rt::CallOp>();
    if (!type || !call || call->getBlock() != &host.getBody().front())
      continue;
    bool known = true;
    for (Value value = operand.get(); value != root;
         value = value.getDefiningOp()->getOperand(0))
      for (Value size : value.getDefiningOp()->getOperands().drop_front())
        known &= sizes.followsFromFreeDims(size);
    if (known)
      outputOf.try_emplace(root, operand.getOperandNumber());
  }
}

LogicalResult HostBufferizer::bufferizeReturn(func::ReturnOp op) {
  for (OpOperand &operand : op->getOpOperands()) {
    unsigned index = operand.getOperandNumber();
    Value value = map.lookup(operand.get());
    Value root = viewedTensor(operand.get());
    if (auto it = outputOf.find(root); it != outputOf.end() &&
                                       it->second == index &&
                                       isOutput(map.lookup(root)))
      recordOutputDims(index, value);
    else if (auto type = dyn_cast<MemRefType>(value.getType());
             type && areKnown(dimsOf(value))) {
      Value output = rt::OutputOp::create(builder, op.getLoc(), type, index,
                                          dimsOf(value));
      rt::CopyOp::create(builder, op.getLoc(), value, output);
      recordOutputDims(index, value);
    } else
      rt::SetOutputOp::create(builder, op.getLoc(), index, value);
  }
  func::ReturnOp::create(builder, op.getLoc());
  return success();
}

bool HostBufferizer::isOutput(Value buffer) {
  return buffer.getDefiningOp<rt::OutputOp>() != nullptr;
}

void HostBufferizer::recordOutputDims(unsigned index, Value buffer) {
  rt::OutputDimsOp::create(builder, buffer.getLoc(), index, dimsOf(buffer),
                           buffer.getType());
}

LogicalResult HostBufferizer::bufferizeBlock(Block &block) {
  for (Operation &op : block)
    if (failed(bufferizeOp(&op)))
      return failure();
  return success();
}

LogicalResult HostBufferizer::bufferizeOp(Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<rt::CallOp, graph::ConstantOp, graph::DimOp, graph::ReshapeOp,
            graph::LibraryOp, tensor::CastOp, tensor::DimOp, tensor::ExtractOp,
            tensor::FromElementsOp, tensor::EmptyOp, tensor::ExtractSliceOp,
            tensor::InsertSliceOp, arith::SelectOp, cf::AssertOp, scf::IfOp,
            scf::ForOp, scf::WhileOp, UnrealizedConversionCastOp>(
          [&](auto typed) { return bufferize(typed); })
      .Case([&](func::ReturnOp typed) { return bufferizeReturn(typed); })
      .Default([&](Operation *other) -> LogicalResult {
        auto isTensor = [](Type type) { return isa<ShapedType>(type); };
        if (llvm::any_of(other->getOperandTypes(), isTensor) ||
            llvm::any_of(other->getResultTypes(), isTensor) ||
            other->getNumRegions() != 0 ||
            isa<graph::GraphDialect>(other->getDialect()))
          return other->emitError("cannot be run by the host function");
        builder.clone(*other, map);
        return success();
      });
}

namespace {
struct BufferizeHostPass
    : hone::impl::BufferizeHostPassBase<BufferizeHostPass> {
  using Base::Base;
  void runOnOperation() override {
    auto host = getOperation().lookupSymbol<func::FuncOp>(rt::kEntryName);
    if (!host) {
      getOperation().emitError("has no function @") << rt::kEntryName;
      return signalPassFailure();
    }
    if (failed(HostBufferizer(getOperation(), host).run()))
      signalPassFailure();
  }
};

} // namespace
