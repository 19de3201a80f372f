// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Finds the tensors that have the same sizes in all iterations of a loop.
#include "passes/Buffer/Host/HostBufferizer.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace hone;

bool HostBufferizer::areSameSizes(const Dims &a, const Dims &b) {
  return a && b && llvm::equal(*a, *b, [&](Value x, Value y) {
           return isSameSize(x, y);
         });
}

HostBufferizer::Dims HostBufferizer::dimsInside(Value tensor,
                                                CarriedSizes &carried) {
  if (auto position = carried.position.find(tensor);
      position != carried.position.end())
    return carried.dims[position->second];
  constexpr int kMaxDepth = 64;
  if (auto known = carried.known.find(tensor); known != carried.known.end())
    return known->second;
  if (carried.depth == kMaxDepth)
    return std::nullopt;
  ++carried.depth;
  Dims dims = findDimsInside(tensor, carried);
  --carried.depth;
  carried.known[tensor] = dims;
  return dims;
}

HostBufferizer::Dims HostBufferizer::findDimsInside(Value tensor,
                                                    CarriedSizes &carried) {
  if (!carried.isInside(tensor))
    return dimsOf(map.lookup(tensor));
  auto all = [&](ValueRange sizes) -> Dims {
    SmallVector<Value> dims;
    for (Value size : sizes)
      if (Value outside = sizeOutside(size, carried))
        dims.push_back(outside);
      else
        return std::nullopt;
    return dims;
  };
  auto type = cast<RankedTensorType>(tensor.getType());
  Operation *op = tensor.getDefiningOp();
  if (!op || type.hasStaticShape())
    return type.hasStaticShape() ? Dims(SmallVector<Value>()) : std::nullopt;
  return llvm::TypeSwitch<Operation *, Dims>(op)
      .Case([&](rt::CallOp call) {
        ValueRange dims = call.getDims();
        for (Value result : call.getResults()) {
          auto shape = cast<RankedTensorType>(result.getType());
          if (result == tensor)
            return all(dims.take_front(shape.getNumDynamicDims()));
          dims = dims.drop_front(shape.getNumDynamicDims());
        }
        return Dims();
      })
      .Case([&](graph::ReshapeOp reshape) { return all(reshape.getDims()); })
      .Case([&](tensor::EmptyOp empty) { return all(empty.getDynamicSizes()); })
      .Case([&](tensor::InsertSliceOp insert) {
        return dimsInside(insert.getDest(), carried);
      })
      .Case([&](scf::IfOp branch) {
        unsigned number = cast<OpResult>(tensor).getResultNumber();
        Dims dims = dimsInside(branch.thenYield().getOperand(number), carried);
        return areSameSizes(
                   dims,
                   dimsInside(branch.elseYield().getOperand(number), carried))
                   ? dims
                   : Dims();
      })
      .Default([](Operation *) { return Dims(); });
}

Value HostBufferizer::sizeOutside(Value size, CarriedSizes &carried) {
  if (!carried.isInside(size))
    return map.lookup(size);
  auto dim = size.getDefiningOp<tensor::DimOp>();
  std::optional<int64_t> axis = dim ? dim.getConstantIndex() : std::nullopt;
  auto type = dim ? dyn_cast<RankedTensorType>(dim.getSource().getType())
                  : RankedTensorType();
  if (!axis || !type || *axis >= type.getRank() || !type.isDynamicDim(*axis))
    return {};
  auto dims = dimsInside(dim.getSource(), carried);
  return dims ? (*dims)[type.getDynamicDimIndex(*axis)] : Value();
}

void HostBufferizer::findSizes(CarriedSizes &carried, ValueRange inits,
                               ValueRange yielded) {
  for (Value init : inits) {
    Value value = map.lookup(init);
    carried.dims.emplace_back();
    if (isa<MemRefType>(value.getType()))
      carried.dims.back() = dimsOf(value);
  }
  for (bool changed = true; changed;) {
    changed = false;
    carried.known.clear();
    for (auto [dims, value] : llvm::zip_equal(carried.dims, yielded))
      if (dims && !areSameSizes(dims, dimsInside(value, carried))) {
        dims = std::nullopt;
        changed = true;
      }
  }
}
