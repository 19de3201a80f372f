// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loops with carried tensors, and tensors they collect.
#include "compiler/Import/Onnx/Builder/Loops.h"

#include "compiler/Import/Onnx/Builder/AnyRank.h"
#include "compiler/Import/Onnx/Builder/GraphImporter.h"
#include "compiler/Import/Onnx/Builder/Library.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace hone::onnx;

Val hone::onnx::castTo(NodeBuilder &n, Val v, mlir::Type type) {
  if (v.value.getType() == type)
    return v;
  if (isa<hone::graph::OptionalType>(type) &&
      !isa<hone::graph::OptionalType>(v.value.getType()))
    return LibraryCall(n, "optional_make")
        .setType("type", v.isTensor() ? v.elem : ElementType::Undefined)
        .result(type, v.elem)({v});
  // Sequences whose element types differ only in dimensions are the same at run
  // time.
  if (!isa<RankedTensorType>(type))
    return {UnrealizedConversionCastOp::create(n.b, n.loc, type, v.value)
                .getResult(0),
            v.elem};
  Sizes dims = n.dims(v);
  Value cast = tensor::CastOp::create(n.b, n.loc, type, v.value);
  n.dimBuilder.learn(cast, dims);
  return {cast, v.elem};
}

/// A slice at offset 0 of an empty dimension is not valid in MLIR.
static bool isEmpty(RankedTensorType type) {
  return llvm::is_contained(type.getShape(), 0);
}

Val hone::onnx::leadingElement(NodeBuilder &n, Val v, Value i) {
  Sizes sizes = n.dims(v), offsets(v.rank(), n.index(0)),
        strides(v.rank(), n.index(1));
  Sizes rest(llvm::drop_begin(sizes));
  sizes[0] = n.index(1);
  offsets[0] = i;
  RankedTensorType type = n.tensorType(v.elem, rest);
  if (isEmpty(type))
    return n.filled(v.elem, rest, 0);
  Value element = tensor::ExtractSliceOp::create(n.b, n.loc, type, v.value,
                                                 offsets, sizes, strides);
  n.dimBuilder.learn(element, rest);
  return {element, v.elem};
}

/// The tensor with its element `i` along the leading axis replaced.
static Value insertLeading(NodeBuilder &n, Val element, Value into, Value i) {
  if (isEmpty(element.type()))
    return into;
  Sizes rest = n.dims(element), offsets{OpFoldResult(i)}, sizes{n.index(1)};
  offsets.append(rest.size(), n.index(0));
  sizes.append(rest.begin(), rest.end());
  Sizes strides(sizes.size(), n.index(1));
  return tensor::InsertSliceOp::create(n.b, n.loc, element.value, into, offsets,
                                       sizes, strides);
}

Val hone::onnx::stackSequence(NodeBuilder &n, Val sequence, Value steps,
                              const Val &element, ArrayRef<int64_t> declared,
                              bool reversed) {
  OpBuilder &b = n.b;
  SmallVector<int64_t> shape{ShapedType::kDynamic};
  llvm::append_range(shape, element.shape());
  auto type = RankedTensorType::get(shape, element.type().getElementType());
  Value zero = arith::ConstantIndexOp::create(b, n.loc, 0);
  Value none =
      arith::CmpIOp::create(b, n.loc, arith::CmpIPredicate::eq, steps, zero);
  auto choice = scf::IfOp::create(b, n.loc, TypeRange(type), none,
                                  /*addThenBlock=*/true,
                                  /*addElseBlock=*/true);
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToEnd(choice.thenBlock());
  // The body may declare what the iterations would have shown.
  bool isDeclared = declared.size() == element.shape().size();
  Sizes dims{n.index(0)};
  for (auto [axis, size] : llvm::enumerate(element.shape())) {
    int64_t known = !ShapedType::isDynamic(size) ? size
                    : isDeclared                 ? declared[axis]
                                                 : 0;
    dims.push_back(n.index(std::max<int64_t>(known, 0)));
  }
  Val empty = n.filled(element.elem, dims, 0);
  scf::YieldOp::create(b, n.loc, castTo(n, empty, type).value);
  b.setInsertionPointToEnd(choice.elseBlock());
  Val all = LibraryCall(n, "concat_from_sequence")
                .set("axis", 0)
                .set("new_axis", 1)
                .result(type, element.elem)({sequence});
  if (reversed) {
    Sizes sizes = n.dims(all), offsets(all.rank(), n.index(0));
    Ints strides(all.rank(), 1);
    Value one = arith::ConstantIndexOp::create(b, n.loc, 1);
    offsets[0] = OpFoldResult(
        arith::SubIOp::create(b, n.loc, n.value(sizes[0]), one).getResult());
    strides[0] = -1;
    all = castTo(n, n.slice(all, offsets, sizes, strides), type);
  }
  scf::YieldOp::create(b, n.loc, all.value);
  return {choice.getResult(0), element.elem};
}

Ints hone::onnx::declaredSizes(const TypeProto &type) {
  Ints sizes;
  if (type.kind == TypeKind::Tensor && type.hasShape)
    for (const Dimension &dimension : type.shape)
      sizes.push_back(dimension.size);
  return sizes;
}

/// Moves the computation of a size before the loop, if it only uses values from
/// outside. False if not.
static bool hoist(Value size, scf::ForOp loop) {
  llvm::SetVector<Operation *> inside;
  auto add = [&](Value value) {
    if (!loop->isAncestor(value.getParentBlock()->getParentOp()))
      return true;
    Operation *op = value.getDefiningOp();
    if (!op || op->getBlock() != loop.getBody() || op->getNumRegions() != 0 ||
        !isPure(op))
      return false;
    inside.insert(op);
    return true;
  };
  if (!add(size))
    return false;
  for (size_t i = 0; i < inside.size(); ++i)
    for (Value operand : inside[i]->getOperands())
      if (!add(operand))
        return false;
  SmallVector<Operation *> ordered = inside.takeVector();
  llvm::sort(ordered,
             [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  for (Operation *op : ordered)
    op->moveBefore(loop);
  return true;
}

SmallVector<Val> StepLoop::run(ArrayRef<Val> carried, ArrayRef<Val> scanned,
                               size_t collected, Body body) {
  OpBuilder &b = n.b;
  Location loc = n.loc;
  SmallVector<Sizes> carriedDims;
  SmallVector<Value> initial;
  for (Val v : carried) {
    carriedDims.push_back(v.isTensor() ? n.dims(v) : Sizes());
    initial.push_back(v.value);
  }
  Value zero = arith::ConstantIndexOp::create(b, loc, 0);
  Value one = arith::ConstantIndexOp::create(b, loc, 1);
  Value count = n.value(steps);

  // Collected tensors get their memory before the loop, once the body has shown
  // their shape: the body is built in a loop without it, which is replaced.
  auto shape = scf::ForOp::create(b, loc, zero, count, one, initial);
  OpBuilder::InsertPoint after = b.saveInsertionPoint();
  Block *block = shape.getBody();
  b.setInsertionPointToStart(block);
  Value forward = block->getArgument(0);
  Value backward;
  auto position = [&](bool fromEnd) -> Value {
    if (!fromEnd)
      return forward;
    if (!backward) {
      Value last = arith::SubIOp::create(b, loc, count, one);
      backward = arith::SubIOp::create(b, loc, last, forward);
    }
    return backward;
  };
  SmallVector<Val> arguments, elements;
  for (auto [i, v] : llvm::enumerate(carried)) {
    Val argument{block->getArgument(i + 1), v.elem};
    if (v.isTensor())
      n.dimBuilder.learn(argument.value, carriedDims[i]);
    arguments.push_back(argument);
  }
  Value step = position(reverse);
  for (auto [i, v] : llvm::enumerate(scanned))
    elements.push_back(leadingElement(
        n, v,
        position(i < reverseScanned.size() ? reverseScanned[i] : reverse)));
  SmallVector<Val> next =
      body(arguments, elements, n.fromSizes({OpFoldResult(step)}, {}));
  if (n.failed() || next.size() != carried.size() + collected) {
    b.restoreInsertionPoint(after);
    return {};
  }
  for (size_t i = 0; i < carried.size(); ++i) {
    if (carried[i].isTensor() && next[i].isTensor() &&
        next[i].rank() == carried[i].rank() && next[i].elem == carried[i].elem)
      next[i] =
          castTo(n, n.withDims(next[i], carriedDims[i], "a carried value"),
                 carried[i].value.getType());
    if (next[i].value.getType() != carried[i].value.getType())
      n.fail("carries a value whose type changes from step to step");
  }
  // Sizes are queried where the elements are; those known only inside the loop
  // are useless before it, and give no memory.
  auto declaredOf = [&](size_t k) {
    return k < declaredCollected.size() ? declaredCollected[k] : Ints();
  };
  auto isReversed = [&](size_t k) {
    return k < reverseCollected.size() ? reverseCollected[k] : reverse;
  };
  SmallVector<std::optional<Sizes>> collectedDims;
  for (size_t k = 0; k < collected && !n.failed(); ++k) {
    Val &v = next[carried.size() + k];
    if (!v.isTensor()) {
      n.fail("collects a value that is not a tensor");
      break;
    }
    Ints declared = declaredOf(k);
    Sizes sizes = n.dims(v);
    bool known = true;
    for (auto [i, size] : llvm::enumerate(sizes)) {
      // The size must be known before the loop.
      auto value = dyn_cast<Value>(size);
      if (!value || hoist(value, shape))
        continue;
      if (declared.size() != sizes.size() || declared[i] < 0) {
        known = false;
        break;
      }
      size = n.index(declared[i]);
    }
    if (!known) {
      collectedDims.emplace_back();
      continue;
    }
    if (!n.failed())
      v = n.withDims(v, sizes,
                     "the sizes of what is collected and those that "
                     "the body declares");
    sizes.insert(sizes.begin(), steps);
    collectedDims.push_back(sizes);
  }
  if (n.failed()) {
    b.restoreInsertionPoint(after);
    return {};
  }
  b.setInsertionPoint(shape);
  SmallVector<Value> places;
  for (auto [v, dims] : llvm::zip_equal(
           ArrayRef(next).drop_front(carried.size()), collectedDims))
    places.push_back(
        dims ? n.filled(v.elem, *dims, 0).value
             : LibraryCall(n, "sequence_empty")
                   .result(sequenceOf(v.value.getType()), v.elem)({})
                   .value);

  // The same body, with the collected tensors as additional arguments.
  initial.append(places.begin(), places.end());
  auto loop = scf::ForOp::create(b, loc, zero, count, one, initial);
  loop.getRegion().takeBody(shape.getRegion());
  shape.erase();
  if (!block->empty() && isa<scf::YieldOp>(block->back()))
    block->back().erase();
  b.setInsertionPointToEnd(block);
  SmallVector<Value> yielded;
  for (const Val &v : ArrayRef(next).take_front(carried.size()))
    yielded.push_back(v.value);
  for (size_t i = 0; i < collected; ++i) {
    Value place = block->addArgument(places[i].getType(), loc);
    const Val &element = next[carried.size() + i];
    yielded.push_back(
        collectedDims[i]
            ? insertLeading(n, element, place, position(isReversed(i)))
            : LibraryCall(n, "sequence_append")
                  .setType("type", element.elem)
                  .result(place.getType(),
                          element.elem)({{place, element.elem}, element})
                  .value);
  }
  scf::YieldOp::create(b, loc, yielded);
  b.setInsertionPointAfter(loop);
  SmallVector<Val> results;
  for (auto [i, value] : llvm::enumerate(loop.getResults())) {
    Val v{value, next[i].elem};
    if (i < carried.size()) {
      v.elem = carried[i].elem;
      if (v.isTensor())
        n.dimBuilder.learn(value, carriedDims[i]);
    } else if (size_t k = i - carried.size(); collectedDims[k]) {
      n.dimBuilder.learn(value, *collectedDims[k]);
    } else {
      v = stackSequence(n, v, count, next[i], declaredOf(k), isReversed(k));
    }
    results.push_back(v);
  }
  return results;
}

//===- Loops that a condition ends ----------------------------------------===//

static Val emptySequence(NodeBuilder &n, mlir::Type type) {
  return LibraryCall(n, "sequence_empty")
      .result(type, ElementType::Undefined)({});
}

/// A carried value after the loop. One that may be absent before it is only
/// present after an iteration.
static Val carriedResult(NodeBuilder &n, Val v, mlir::Type fromBody) {
  auto optional = dyn_cast<graph::OptionalType>(v.value.getType());
  if (!optional || isAnyRank(optional) || isa<graph::OptionalType>(fromBody))
    return v;
  return LibraryCall(n, "optional_get_element")
      .result(optional.getElementType(), v.elem)({v});
}

namespace {

/// One attempt at the body of a WhileLoop.
struct WhileBody {
  SmallVector<mlir::Type> types;    ///< that are returned
  SmallVector<mlir::Type> returned; ///< by the body, of carried values
  SmallVector<Val> collected;       ///< elements, for their types
};

} // namespace

/// Builds the body in `block`, which gets `types`, and yields.
static FailureOr<WhileBody> buildWhileBody(NodeBuilder &n, Block *block,
                                           ArrayRef<mlir::Type> types,
                                           ArrayRef<Val> carried,
                                           WhileLoop::Body body) {
  OpBuilder &b = n.b;
  b.setInsertionPointToEnd(block);
  Value step = block->getArgument(0);
  SmallVector<Val> arguments;
  for (auto [i, v] : llvm::enumerate(carried))
    arguments.push_back({block->getArgument(i + 2), v.elem});
  FailureOr<WhileLoop::Outcome> outcome =
      body(step, block->getArgument(1), arguments);
  if (failed(outcome))
    return failure();
  ArrayRef<Val> out = outcome->values;
  if (out.size() != types.size())
    return n.error("has a body with a wrong number of outputs");
  Value one = arith::ConstantIndexOp::create(b, n.loc, 1);
  SmallVector<Value> yielded{arith::AddIOp::create(b, n.loc, step, one),
                             outcome->goOn};
  WhileBody result;
  for (auto [i, v] : llvm::enumerate(carried)) {
    const Val &next = out[i];
    result.returned.push_back(next.value.getType());
    mlir::Type type = commonType(types[i], next.value.getType());
    if (!type || next.elem != v.elem)
      return n.error("carries a value whose type or number of dimensions "
                     "changes");
    result.types.push_back(type);
    yielded.push_back(type == types[i] ? castTo(n, next, type).value
                                       : next.value);
  }
  for (auto [i, element] : llvm::enumerate(out.drop_front(carried.size()))) {
    if (!element.isTensor())
      return n.error("collects a value that is not a tensor");
    result.collected.push_back(element);
    result.types.push_back(sequenceOf(element.value.getType()));
    Val sequence{block->getArgument(2 + carried.size() + i), element.elem};
    yielded.push_back(
        LibraryCall(n, "sequence_append")
            .setType("type", element.elem)
            .result(result.types.back(), element.elem)({sequence, element})
            .value);
  }
  scf::YieldOp::create(b, n.loc, yielded);
  return result;
}

FailureOr<SmallVector<Val>> WhileLoop::run(ArrayRef<Val> carried,
                                           size_t collected, Body body) {
  OpBuilder &b = n.b;
  SmallVector<mlir::Type> types;
  for (const Val &v : carried)
    types.push_back(v.value.getType());
  for (size_t i = 0; i < collected; ++i)
    types.push_back(sequenceOf(UnrankedTensorType::get(b.getF32Type())));
  SmallVector<mlir::Type> &settled = n.importer.settledTypes();
  if (settled.size() == types.size())
    for (auto [i, type] : llvm::enumerate(settled))
      if (mlir::Type common =
              i < carried.size() ? commonType(types[i], type) : type)
        types[i] = common;
  Value zero = arith::ConstantIndexOp::create(b, n.loc, 0);
  for (int attempt = 0; attempt < 16; ++attempt) {
    SmallVector<Value> operands{zero, start};
    for (auto [i, v] : llvm::enumerate(carried))
      operands.push_back(castTo(n, v, types[i]).value);
    for (size_t i = 0; i < collected; ++i)
      operands.push_back(emptySequence(n, types[carried.size() + i]).value);
    SmallVector<mlir::Type> all;
    for (Value operand : operands)
      all.push_back(operand.getType());
    SmallVector<Location> locations(all.size(), n.loc);
    auto loop = scf::WhileOp::create(b, n.loc, all, operands);
    OpBuilder::InsertPoint after = b.saveInsertionPoint();
    Block *before = b.createBlock(&loop.getBefore(), {}, all, locations);
    Value inside = arith::CmpIOp::create(b, n.loc, arith::CmpIPredicate::slt,
                                         before->getArgument(0), limit);
    Value go = arith::AndIOp::create(b, n.loc, inside, before->getArgument(1));
    scf::ConditionOp::create(b, n.loc, go, before->getArguments());
    Block *block = b.createBlock(&loop.getAfter(), {}, all, locations);
    FailureOr<WhileBody> built = buildWhileBody(n, block, types, carried, body);
    b.restoreInsertionPoint(after);
    if (failed(built))
      return failure();
    if (built->types != types) {
      types = built->types;
      n.importer.discard(loop);
      continue;
    }
    settled = types;
    SmallVector<Val> results;
    for (auto [i, v] : llvm::enumerate(carried))
      results.push_back(carriedResult(n, {loop.getResult(i + 2), v.elem},
                                      built->returned[i]));
    for (size_t i = 0; i < collected; ++i) {
      const Val &element = built->collected[i];
      results.push_back(stackSequence(
          n, {loop.getResult(2 + carried.size() + i), element.elem},
          loop.getResult(0), element,
          i < declaredCollected.size() ? declaredCollected[i] : Ints()));
    }
    return results;
  }
  return n.error("carries values whose shapes do not converge");
}
