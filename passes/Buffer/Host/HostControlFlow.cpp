// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Branches and loops of the host function: carried values are stored in places
// or passed on in blocks.
#include "passes/Analysis/ParallelMoves.h"
#include "passes/Buffer/Host/HostBufferizer.h"

using namespace mlir;
using namespace hone;

LogicalResult HostBufferizer::bufferizeRegion(Block &from, Block &to) {
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(&to);
  for (Operation &op : from.without_terminator())
    if (failed(bufferizeOp(&op)))
      return failure();
  scf::YieldOp::create(builder, from.getTerminator()->getLoc(),
                       mapped(from.getTerminator()->getOperands()));
  return success();
}

LogicalResult HostBufferizer::bufferize(scf::IfOp op) {
  auto types = llvm::map_to_vector(op.getResultTypes(), convertType);
  auto made = scf::IfOp::create(builder, op.getLoc(), types,
                                map.lookup(op.getCondition()), false);
  for (auto [from, to] :
       llvm::zip_equal(op->getRegions(), made->getRegions())) {
    if (from.empty())
      continue;
    // The builder may have created a block with a terminator.
    to.getBlocks().clear();
    if (failed(bufferizeRegion(from.front(), to.emplaceBlock())))
      return failure();
  }
  if (!op.getElseRegion().empty())
    for (auto [result, a, b] :
         llvm::zip_equal(made.getResults(), made.thenYield().getOperands(),
                         made.elseYield().getOperands()))
      recordShown(result, {a, b});
  map.map(op.getResults(), made.getResults());
  return success();
}

HostBufferizer::Carried HostBufferizer::enterLoop(Location loc,
                                                  ValueRange inits,
                                                  const CarriedSizes &sizes) {
  Carried carried;
  for (auto [init, dims] : llvm::zip_equal(inits, sizes.dims)) {
    Value place;
    if (dims) {
      Value value = map.lookup(init);
      place = makeBuffer(loc, cast<MemRefType>(value.getType()), *dims);
      rt::CopyOp::create(builder, loc, value, place);
    }
    carried.place.push_back(place);
  }
  carried.mark = rt::MarkOp::create(builder, loc);
  for (auto [init, place] : llvm::zip_equal(inits, carried.place)) {
    Value value = map.lookup(init);
    if (!place)
      carried.inits.push_back(
          isa<MemRefType>(value.getType()) ? blockOf(loc, value) : value);
  }
  return carried;
}

void HostBufferizer::mapCarried(const Carried &carried, ValueRange from,
                                ValueRange handed) {
  for (auto [place, value] : llvm::zip_equal(carried.place, from)) {
    if (place) {
      map.map(value, place);
      continue;
    }
    map.map(value, handed.front());
    handed = handed.drop_front();
  }
}

SmallVector<Value> HostBufferizer::leaveIteration(Location loc,
                                                  const Carried &carried,
                                                  ValueRange yielded,
                                                  Block &body, int64_t made) {
  SmallVector<Value> values = mapped(yielded), handed, kept;
  // Blocks first: places still have their old content.
  llvm::SmallPtrSet<Value, 8> given;
  for (auto [place, value] : llvm::zip_equal(carried.place, values)) {
    if (place)
      continue;
    if (isa<MemRefType>(value.getType())) {
      if (!isWholeBlock(value, body) || !given.insert(wholeOf(value)).second)
        value = blockOf(loc, value);
      kept.push_back(wholeOf(value));
    }
    handed.push_back(value);
  }
  assignPlaces(loc, carried.place, values);
  if (blocksMade != made)
    rt::EndIterationOp::create(builder, loc, carried.mark, kept);
  return handed;
}

void HostBufferizer::assignPlaces(Location loc, ArrayRef<Value> places,
                                  MutableArrayRef<Value> values) {
  llvm::SmallDenseMap<Value, unsigned> numberOf;
  for (auto [number, place] : llvm::enumerate(places))
    if (place)
      numberOf[place] = number;
  SmallVector<ParallelMove> moves;
  for (auto [number, place] : llvm::enumerate(places)) {
    if (!place || values[number] == place)
      continue;
    ParallelMove &move = moves.emplace_back();
    move.target = number;
    for (Value root : rootsOf(values[number]))
      if (auto read = numberOf.find(root); read != numberOf.end())
        move.reads.push_back(read->second);
  }
  llvm::SmallDenseMap<Value, Value> saved;
  for (MoveStep step : orderParallelMoves(moves)) {
    Value &value = values[moves[step.move].target];
    if (!step.saves) {
      rt::CopyOp::create(builder, loc, value, places[moves[step.move].target]);
      continue;
    }
    Value &copy = saved[value];
    if (!copy)
      copy = copyOf(loc, value);
    value = copy;
  }
}

LogicalResult HostBufferizer::bufferize(scf::ForOp op) {
  Location loc = op.getLoc();
  CarriedSizes sizes(op);
  for (auto [number, argument] : llvm::enumerate(op.getRegionIterArgs()))
    sizes.position[argument] = number;
  findSizes(sizes, op.getInitArgs(), op.getYieldedValues());
  Carried carried = enterLoop(loc, op.getInitArgs(), sizes);
  auto loop = scf::ForOp::create(builder, loc, map.lookup(op.getLowerBound()),
                                 map.lookup(op.getUpperBound()),
                                 map.lookup(op.getStep()), carried.inits);
  map.map(op.getInductionVar(), loop.getInductionVar());
  mapCarried(carried, op.getRegionIterArgs(), loop.getRegionIterArgs());
  recordBlocks(loop.getRegionIterArgs());
  recordBlocks(loop.getResults());
  // Nothing else refers to these: an insertion may write to them.
  for (BlockArgument argument : op.getRegionIterArgs())
    owned.insert(map.lookup(argument));
  Block &body = *loop.getBody();
  int64_t made = blocksMade;
  {
    OpBuilder::InsertionGuard guard(builder);
    if (!body.empty()) // without carried values the builder created a
                       // terminator
      body.getTerminator()->erase();
    builder.setInsertionPointToEnd(&body);
    for (Operation &inner : op.getBody()->without_terminator())
      if (failed(bufferizeOp(&inner)))
        return failure();
    SmallVector<Value> handed = leaveIteration(
        loc, carried, op.getBody()->getTerminator()->getOperands(), body, made);
    scf::YieldOp::create(builder, loc, handed);
  }
  if (carried.mark.use_empty())
    carried.mark.getDefiningOp()->erase();
  mapCarried(carried, op.getResults(), loop.getResults());
  return success();
}

LogicalResult HostBufferizer::bufferize(scf::WhileOp op) {
  Location loc = op.getLoc();
  scf::ConditionOp condition = op.getConditionOp();
  CarriedSizes sizes(op);
  for (BlockArgument argument : op.getBeforeArguments())
    sizes.position[argument] = argument.getArgNumber();
  for (auto [argument, value] :
       llvm::zip_equal(op.getAfterArguments(), condition.getArgs()))
    if (sizes.position.contains(value))
      sizes.position.try_emplace(argument, sizes.position.lookup(value));
  findSizes(sizes, op.getInits(), op.getYieldOp().getOperands());
  Carried carried = enterLoop(loc, op.getInits(), sizes);
  // The condition passes values to the iteration and to the loop's results;
  // places need not be passed.
  auto placeOf = [&](Value value) -> Value {
    auto argument = dyn_cast<BlockArgument>(value);
    return argument && argument.getOwner() == op.getBeforeBody()
               ? carried.place[argument.getArgNumber()]
               : Value();
  };
  SmallVector<Type> types;
  for (Value value : condition.getArgs())
    if (!placeOf(value))
      types.push_back(convertType(value.getType()));
  auto loop = scf::WhileOp::create(builder, loc, types, carried.inits);
  OpBuilder::InsertionGuard guard(builder);
  auto handedTypes = llvm::map_to_vector(
      carried.inits, [](Value value) { return value.getType(); });
  Block *before =
      builder.createBlock(&loop.getBefore(), {}, handedTypes,
                          SmallVector<Location>(handedTypes.size(), loc));
  mapCarried(carried, op.getBeforeArguments(), before->getArguments());
  recordBlocks(before->getArguments());
  int64_t made = blocksMade;
  for (Operation &inner : op.getBeforeBody()->without_terminator())
    if (failed(bufferizeOp(&inner)))
      return failure();
  SmallVector<Value> passed;
  for (Value value : condition.getArgs())
    if (!placeOf(value))
      passed.push_back(map.lookup(value));
  scf::ConditionOp::create(builder, loc, map.lookup(condition.getCondition()),
                           passed);

  Block *after = builder.createBlock(&loop.getAfter(), {}, types,
                                     SmallVector<Location>(types.size(), loc));
  llvm::SmallPtrSet<Value, 8> seen;
  for (auto [value, inside, result] :
       llvm::zip_equal(passed, after->getArguments(), loop.getResults())) {
    if (!isa<MemRefType>(value.getType()))
      continue;
    recordShown(inside, value);
    recordShown(result, value);
    if (isWholeBlock(value, *before) && seen.insert(wholeOf(value)).second)
      recordBlocks({inside, result});
  }
  auto mapPassed = [&](ValueRange from, ValueRange to) {
    for (auto [value, target] : llvm::zip_equal(condition.getArgs(), from)) {
      if (Value place = placeOf(value)) {
        map.map(target, place);
        continue;
      }
      map.map(target, to.front());
      to = to.drop_front();
    }
  };
  mapPassed(op.getAfterArguments(), after->getArguments());
  for (Operation &inner : op.getAfterBody()->without_terminator())
    if (failed(bufferizeOp(&inner)))
      return failure();
  SmallVector<Value> handed =
      leaveIteration(loc, carried, op.getYieldOp().getOperands(), *after, made);
  scf::YieldOp::create(builder, loc, handed);
  if (carried.mark.use_empty())
    carried.mark.getDefiningOp()->erase();
  mapPassed(op.getResults(), loop.getResults());
  return success();
}
