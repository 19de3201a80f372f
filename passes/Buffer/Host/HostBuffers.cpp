// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Memory of the host function: where tensors are stored, their sizes, and which
// buffers may alias.
#include "passes/Buffer/Host/HostBufferizer.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace hone;

MemRefType HostBufferizer::bufferType(Type tensor) {
  auto type = cast<RankedTensorType>(tensor);
  return MemRefType::get(type.getShape(), type.getElementType());
}

Type HostBufferizer::convertType(Type type) {
  return isa<RankedTensorType>(type) ? bufferType(type) : type;
}

Value HostBufferizer::viewedTensor(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<graph::ReshapeOp, tensor::CastOp>(op))
      break;
    value = op->getOperand(0);
  }
  return value;
}

bool HostBufferizer::isSameSize(Value a, Value b) {
  auto left = a.getDefiningOp<rt::DimOp>(),
       right = b.getDefiningOp<rt::DimOp>();
  return (left && right && left.getSource() == right.getSource() &&
          left.getAxis() == right.getAxis()) ||
         arithmetic->equal(a, b);
}

bool HostBufferizer::areKnown(ValueRange values) {
  return llvm::all_of(
      values, [&](Value value) { return sizes.followsFromFreeDims(value); });
}

SmallVector<Value> HostBufferizer::dimsOf(Value buffer) {
  auto type = cast<MemRefType>(buffer.getType());
  if (Operation *op = buffer.getDefiningOp()) {
    auto dims = llvm::TypeSwitch<Operation *, std::optional<ValueRange>>(op)
                    .Case<rt::InputOp, rt::OutputOp, rt::SlotOp, rt::AllocOp,
                          rt::ViewOp>(
                        [](auto known) { return ValueRange(known.getDims()); })
                    .Default([](Operation *) { return std::nullopt; });
    if (dims)
      return llvm::to_vector(*dims);
  }
  SmallVector<Value> result;
  for (int64_t i = 0; i < type.getRank(); ++i)
    if (type.isDynamicDim(i))
      result.push_back(rt::DimOp::create(builder, buffer.getLoc(), buffer, i));
  return result;
}

Value HostBufferizer::dimOf(Value buffer, int64_t axis, Location loc) {
  auto type = cast<MemRefType>(buffer.getType());
  if (!type.isDynamicDim(axis))
    return arith::ConstantIndexOp::create(builder, loc, type.getDimSize(axis));
  return dimsOf(buffer)[type.getDynamicDimIndex(axis)];
}

Value HostBufferizer::makeBuffer(Location loc, MemRefType type, ValueRange dims,
                                 Value tensor) {
  if (!areKnown(dims))
    return makeBlock(loc, type, dims);
  if (auto it = outputOf.find(tensor); it != outputOf.end())
    return rt::OutputOp::create(builder, loc, type, it->second, dims);
  return rt::SlotOp::create(builder, loc, type, slots++, dims);
}

Value HostBufferizer::makeBlock(Location loc, MemRefType type,
                                ValueRange dims) {
  Value block = rt::AllocOp::create(builder, loc, type, dims);
  blocks.insert(block);
  ++blocksMade;
  return block;
}

Value HostBufferizer::view(Location loc, Value source, MemRefType type,
                           ValueRange dims) {
  if (source.getType() == type && llvm::equal(dimsOf(source), dims))
    return source;
  return rt::ViewOp::create(builder, loc, type, source, dims);
}

Value HostBufferizer::copyOf(Location loc, Value source) {
  Value target =
      makeBuffer(loc, cast<MemRefType>(source.getType()), dimsOf(source));
  rt::CopyOp::create(builder, loc, source, target);
  return target;
}

SmallVector<Value> HostBufferizer::mapped(ValueRange values) {
  return llvm::map_to_vector(values,
                             [&](Value value) { return map.lookup(value); });
}

Value HostBufferizer::blockOf(Location loc, Value source) {
  Value block =
      makeBlock(loc, cast<MemRefType>(source.getType()), dimsOf(source));
  rt::CopyOp::create(builder, loc, source, block);
  return block;
}

Value HostBufferizer::wholeOf(Value buffer) {
  for (auto view = buffer.getDefiningOp<rt::ViewOp>();
       view && !view.getOffset(); view = buffer.getDefiningOp<rt::ViewOp>())
    buffer = view.getSource();
  return buffer;
}

bool HostBufferizer::isWholeBlock(Value buffer, Block &body) const {
  Value whole = wholeOf(buffer);
  return blocks.contains(whole) && whole.getParentBlock() == &body;
}

SmallVector<Value> HostBufferizer::rootsOf(Value buffer) const {
  while (auto view = buffer.getDefiningOp<rt::ViewOp>())
    buffer = view.getSource();
  auto known = shows.find(buffer);
  return known == shows.end() ? SmallVector<Value>{buffer} : known->second;
}

void HostBufferizer::recordShown(Value buffer, ValueRange sources) {
  if (!isa<MemRefType>(buffer.getType()))
    return;
  llvm::SmallSetVector<Value, 4> roots;
  for (Value source : sources)
    for (Value root : rootsOf(source))
      roots.insert(root);
  shows[buffer] = SmallVector<Value>(roots.begin(), roots.end());
}

void HostBufferizer::recordBlocks(ValueRange values) {
  for (Value value : values)
    if (isa<MemRefType>(value.getType()))
      blocks.insert(value);
}
