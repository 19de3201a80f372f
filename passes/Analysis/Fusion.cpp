// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What is fused into what.
#include "passes/Analysis/Fusion.h"
#include "dialects/Graph/DimBuilder.h"
#include "dialects/Rt/Rt.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Transforms/RegionUtils.h"
#include "passes/Analysis/Quantization.h"
#include "passes/Analysis/Sizes.h"
#include "passes/Machine/Tuning.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace hone;
using namespace hone::graph;

void hone::remarkApart(Operation *producer, Operation *consumer,
                       StringLiteral pass, Fusion fusion) {
  if (!consumer->getContext()->getRemarkEngine())
    return;
  auto remark = remark::missed(
      consumer->getLoc(), remark::RemarkOpts::name("not-fused").category(pass));
  remark << remark::reason("{0}", fusion.reason);
  std::string node = rt::describeNode(producer->getLoc());
  if (!node.empty())
    remark << remark::metric("producer", node);
}

//===----------------------------------------------------------------------===//

bool hone::isElementwise(Operation &op) {
  return op.hasTrait<OpTrait::ConstantLike>() ||
         (OpTrait::hasElementwiseMappableTraits(&op) &&
          op.getNumRegions() == 0 && isMemoryEffectFree(&op));
}

bool hone::isElementwise(MapOp map) {
  return llvm::all_of(map.getBody().front().without_terminator(),
                      [](Operation &op) { return isElementwise(op); });
}

int64_t hone::costOf(Operation *op) {
  if (op->hasTrait<OpTrait::ConstantLike>() ||
      op->hasTrait<OpTrait::IsTerminator>() ||
      isa<IndexOp, linalg::IndexOp, arith::IndexCastOp>(op))
    return 0;
  if (isa<arith::DivFOp, arith::DivSIOp, arith::DivUIOp, arith::RemSIOp,
          arith::RemUIOp, arith::RemFOp, math::SqrtOp>(op))
    return 8;
  if (isa<arith::ArithDialect>(op->getDialect()) ||
      isa<math::AbsFOp, math::AbsIOp, math::FmaOp, math::CopySignOp,
          math::FloorOp, math::CeilOp, math::RoundEvenOp, math::TruncOp>(op))
    return 1;
  if (isa<LookupOp>(op))
    return tuning::kLookupCost;
  // Functions, checks, and reads at computed places.
  return 16;
}

int64_t hone::costOf(Block &body) {
  int64_t cost = 0;
  body.walk([&](Operation *op) { cost += costOf(op); });
  return cost;
}

//===----------------------------------------------------------------------===//

static size_t bodySize(MapOp map) {
  return map.getBody().front().getOperations().size();
}

static bool sameShape(Value a, Value b) {
  return tensorType(a).getShape() == tensorType(b).getShape();
}

/// Inputs with as many elements as the result.
static size_t numWideInputs(MapOp map) {
  return llvm::count_if(map.getInputs(), [&](Value input) {
    return sameShape(input, map.getResult(0));
  });
}

/// The last contraction of whose result a value is a function, by maps.
static Operation *contractionBehind(Value value) {
  llvm::SetVector<Value> behind;
  behind.insert(value);
  Operation *last = nullptr;
  for (size_t i = 0; i < behind.size() && i < tuning::kMaxMapInputs; ++i) {
    Operation *op = behind[i].getDefiningOp();
    if (auto map = dyn_cast_or_null<MapOp>(op))
      behind.insert(map.getInputs().begin(), map.getInputs().end());
    else if (op && hasEpilogue(op) &&
             (!last || (op->getBlock() == last->getBlock() &&
                        last->isBeforeInBlock(op))))
      last = op;
  }
  return last;
}

/// Whether what `producer` makes waits for a later contraction, in whose
/// epilogue `consumer` will be.
static bool waitsForContraction(MapOp producer, MapOp consumer) {
  Operation *own = contractionBehind(producer.getResult(0));
  return own && llvm::any_of(consumer.getInputs(), [&](Value input) {
           Operation *other = contractionBehind(input);
           return other && other->getBlock() == own->getBlock() &&
                  own->isBeforeInBlock(other);
         });
}

/// Whether others than one map read what `map` dequantizes, and all can do that
/// by themselves.
static bool isBetterRepeated(MapOp map) {
  bool isShared = !map->hasOneUse();
  for (Operation *user : map->getUsers()) {
    if (user->getBlock() != map->getBlock() || !isa<MapOp, ReduceOp>(user))
      return false;
    isShared |= isa<ReduceOp>(user);
  }
  return isShared;
}

/// Whether a result of bytes is better stored than read at once: bytes are a
/// quarter of what they stand for, and of the sums that they are made of.
static bool storesBytes(MapOp producer, MapOp consumer) {
  if (!getElementTypeOrSelf(producer.getResult(0)).isInteger(8))
    return false;
  if (waitsForContraction(producer, consumer))
    return true;
  if (!isDequantization(consumer))
    return false;
  auto user = consumer->hasOneUse() ? dyn_cast<MapOp>(*consumer->user_begin())
                                    : MapOp();
  return isBetterRepeated(consumer) ||
         (user && waitsForContraction(producer, user));
}

/// Whether a map reads tensors by itself, or branches.
static bool hasOtherReads(MapOp map) {
  return llvm::any_of(map.getBody().front(), [](Operation &op) {
    return op.getNumRegions() != 0 || isa<tensor::ExtractOp>(op);
  });
}

/// Whether inputs vary along a dimension that the result is broadcast along.
static bool hasUnknownBroadcast(MapOp map) {
  RankedTensorType to = tensorType(map.getResult(0));
  return llvm::any_of(map.getInputs(), [&](Value input) {
    RankedTensorType type = tensorType(input);
    int64_t offset = to.getRank() - type.getRank();
    for (int64_t i = 0; i < type.getRank(); ++i)
      if (to.getDimSize(offset + i) == 1 && type.getDimSize(i) != 1)
        return true;
    return false;
  });
}

/// Whether the region of `consumer` reads a result of `producer` as a tensor.
static bool isReadInside(MapOp producer, MapOp consumer) {
  return llvm::any_of(producer->getUsers(), [&](Operation *user) {
    return user != consumer && user->getParentOp() == consumer;
  });
}

Fusion hone::planMaps(MapOp producer, MapOp consumer) {
  if (producer->getBlock() != consumer->getBlock())
    return Fusion::no("in different blocks");
  if (hasOtherReads(producer))
    return Fusion::no("the producer reads tensors by itself");
  if (storesBytes(producer, consumer))
    return Fusion::no("what reads the result reads the bytes instead");
  if (bodySize(producer) + bodySize(consumer) > tuning::kMaxBodyOps ||
      producer.getInputs().size() + consumer.getInputs().size() >
          tuning::kMaxMapInputs)
    return Fusion::no("the body would be too large");
  if (hasUnknownBroadcast(producer))
    return Fusion::no("an input is not known to be broadcast");
  if (isReadInside(producer, consumer))
    return Fusion::no("the result is read at computed places");

  bool broadcast = !sameShape(producer.getResult(0), consumer.getResult(0));
  int64_t cost = costOf(producer.getBody().front());
  if (broadcast && cost > tuning::kRepeatedCost)
    return Fusion::no("it would be computed again for each element");
  bool onlyMaps = true, later = true, single = true;
  for (Operation *user : producer->getUsers()) {
    if (user == consumer)
      continue;
    single = false;
    onlyMaps &= isa<MapOp>(user) && user->getBlock() == producer->getBlock();
    Operation *here = producer->getBlock()->findAncestorOpInBlock(*user);
    later &= here && consumer->isBeforeInBlock(here);
  }
  if (single)
    return {FusionKind::Move};
  if (isDequantization(producer) && isBetterRepeated(producer))
    return {FusionKind::Repeat};
  bool behindContraction = llvm::any_of(producer.getInputs(), [](Value input) {
    return input.getDefiningOp() && hasEpilogue(input.getDefiningOp());
  });
  if (behindContraction)
    return Fusion::no("it is free after its contraction");
  if (onlyMaps && cost <= tuning::kRepeatedCost && numWideInputs(producer) <= 1)
    return {FusionKind::Repeat};
  if (broadcast || !later)
    return Fusion::no("others need the result, and it is not cheap");
  return {FusionKind::Export};
}

//===----------------------------------------------------------------------===//

bool hone::hasEpilogue(Operation *op) {
  return isa<EpilogueOpInterface>(op) && op->getNumResults() == 1;
}

MapOp hone::firstMapOn(Value value) {
  Operation *first = nullptr;
  for (Operation *user : value.getUsers()) {
    Operation *here = value.getParentBlock()->findAncestorOpInBlock(*user);
    if (here && (!first || here->isBeforeInBlock(first)))
      first = here;
  }
  auto map = dyn_cast_or_null<MapOp>(first);
  return map && llvm::is_contained(map.getInputs(), value) ? map : MapOp();
}

/// Whether a map over `value` computes one element for each element of it.
static bool keepsShape(MapOp map, Value value) {
  ArrayRef<int64_t> from = tensorType(value).getShape(),
                    to = tensorType(map.getResult(0)).getShape();
  // A size that is not 1 is that of the result, known or not.
  return from.size() == to.size() &&
         llvm::all_of(llvm::zip_equal(from, to), [](auto sizes) {
           auto [a, b] = sizes;
           return a == b || a != 1;
         });
}

Fusion hone::planEpilogue(Value value, MapOp map) {
  if (!isElementwise(map))
    return Fusion::no("it is more than arithmetic on elements");
  if (!keepsShape(map, value))
    return Fusion::no("it repeats the result of a contraction");
  if (isDequantization(map) && llvm::all_of(map->getUsers(), [](Operation *op) {
        return isa<ReduceOp>(op);
      }))
    return Fusion::no("reductions read bytes faster than what they stand for");
  bool isOfBytes = getElementTypeOrSelf(value).isInteger(8);
  if (isOfBytes && llvm::any_of(map.getInputs(), [&](Value input) {
        return input.getDefiningOp() && hasEpilogue(input.getDefiningOp());
      }))
    return Fusion::no("bytes wait for the contraction whose sums meet them");
  return {FusionKind::Move};
}

Fusion hone::planPartialEpilogue(Value value, MapOp map, int64_t channelDim) {
  if (!value.hasOneUse() || map->getNumResults() != 1)
    return Fusion::no("others need the result");
  if (!isElementwise(map))
    return Fusion::no("it is more than arithmetic on elements");
  RankedTensorType type = tensorType(value);
  if (tensorType(map.getResult(0)).getShape() != type.getShape())
    return Fusion::no("it repeats the result of a contraction");
  for (Value input : map.getInputs())
    if (input != value &&
        (!input.getDefiningOp<graph::ConstantOp>() ||
         !isPerChannel(tensorType(input), type.getRank(), channelDim)))
      return Fusion::no("it reads more than constants for each channel");
  if (getElementTypeOrSelf(map.getResult(0)).getIntOrFloatBitWidth() >
      type.getElementTypeBitWidth())
    return Fusion::no("more would be moved");
  return {FusionKind::Move};
}

Fusion hone::planTransposedResult(ConvOp conv, Value value,
                                  TransposeOp transpose) {
  RankedTensorType type = tensorType(value);
  int64_t rank = type.getRank();
  if (!conv.getChannelsLast() || !conv.getPacked() ||
      transpose.getPermutation() != ArrayRef(channelsFirstOrder(rank)))
    return Fusion::no("it is not the result of a product of panels with the "
                      "channels moved to the front");
  if (!value.hasOneUse())
    return Fusion::no("others need the result");
  if (!type.hasStaticShape() || !type.getElementType().isF32())
    return Fusion::no("it is of free size, or not f32");
  const CpuMachine &machine = CpuMachine::of(conv);
  if (!machine.hasMasks(type.getElementTypeBitWidth()))
    return Fusion::no("a CPU level cannot store parts of vectors");
  bool isProduct =
      llvm::all_of(conv.getKernel(), [](int64_t size) { return size == 1; });
  // Its rows would be pixels of all images, which have no uniform distance.
  if (isProduct && type.getDimSize(0) != 1)
    return Fusion::no("the pixels of several images are rows of one product");
  if (!isProduct && type.getDimSize(rank - 2) < tuning::kMinStoredRow)
    return Fusion::no("its rows are short");
  return {FusionKind::Move};
}

bool hone::wouldJoinProducer(Value value) {
  Operation *producer = value.getDefiningOp();
  while (isa_and_nonnull<TransposeOp, ReshapeOp>(producer) &&
         producer->hasOneUse())
    producer = producer->getOperand(0).getDefiningOp();
  return isa_and_nonnull<SliceOp>(producer) ||
         (producer && (hasEpilogue(producer) || isa<MapOp>(producer)) &&
          producer->hasOneUse());
}

//===----------------------------------------------------------------------===//

std::optional<Rows> hone::rowsOf(ReduceOp reduce) {
  RankedTensorType type = reduce.getInput().getType();
  ArrayRef<int64_t> axes = reduce.getAxes();
  int64_t leading = type.getRank() - axes.size(), length = 1;
  if (axes.empty())
    return std::nullopt;
  for (auto [i, axis] : llvm::enumerate(axes)) {
    if (axis != leading + static_cast<int64_t>(i))
      return std::nullopt;
    length = ShapedType::isDynamic(type.getDimSize(axis)) ||
                     ShapedType::isDynamic(length)
                 ? ShapedType::kDynamic
                 : length * type.getDimSize(axis);
  }
  bool isShort =
      !ShapedType::isDynamic(length) && length < tuning::kMinRowLength;
  if (isShort || llvm::all_of(type.getShape().take_front(leading),
                              [](int64_t size) { return size == 1; }))
    return std::nullopt;
  return Rows{reduce.getInput(), leading};
}

static bool hasRows(Value value, const Rows &rows, DimBuilder &dims) {
  if (tensorType(value).getRank() < rows.count)
    return false;
  for (int64_t i = 0; i < rows.count; ++i)
    if (!dims.sameSize(value, i, rows.tensor, i))
      return false;
  return true;
}

Fusion hone::planRow(Operation *op, const Rows &rows, DimBuilder &dims,
                     function_ref<bool(Value)> isInside) {
  if (auto reduce = dyn_cast<ReduceOp>(op)) {
    if (!hasRows(reduce.getInput(), rows, dims) ||
        llvm::any_of(reduce.getAxes(),
                     [&](int64_t axis) { return axis < rows.count; }))
      return Fusion::no("it reduces along other axes");
    return {FusionKind::Move};
  }
  auto map = dyn_cast<MapOp>(op);
  if (!map)
    return Fusion::no("it is neither a map nor a reduction");
  Value result = map.getResult(0);
  if (!hasRows(result, rows, dims))
    return Fusion::no("it has other rows");
  for (Value input : map.getInputs())
    if (isInside(input) &&
        tensorType(input).getRank() != tensorType(result).getRank())
      return Fusion::no("it repeats rows");
  llvm::SetVector<Value> captured;
  getUsedValuesDefinedAbove(op->getRegions(), captured);
  if (llvm::any_of(captured, isInside))
    return Fusion::no("it reads rows at computed places");
  return {FusionKind::Move};
}

Fusion hone::planFormula(MapOp map, function_ref<bool(Operation *)> isInside) {
  if (map->getNumResults() != 1 || !llvm::all_of(map->getUsers(), isInside))
    return Fusion::no("others need the result");
  if (!isElementwise(map))
    return Fusion::no("it is more than arithmetic on elements");
  return {FusionKind::Move};
}

Fusion hone::planSiblings(ReduceOp reduce, ReduceOp sibling) {
  if (reduce.getAxes() != sibling.getAxes())
    return Fusion::no("it reduces along other axes");
  return {FusionKind::Move};
}

bool hone::viewsSlices(Operation *op) { return isa<MapOp, ReduceOp>(op); }

//===----------------------------------------------------------------------===//

/// Whether bands of the rows of `type`, aligned to those of an image, are
/// contiguous.
static bool hasContiguousRows(RankedTensorType type) {
  return type.hasStaticShape() &&
         llvm::all_of(
             type.getShape().drop_back(std::min<int64_t>(type.getRank(), 3)),
             [](int64_t size) { return size == 1; });
}

/// Whether rows of a result are computed from rows of the operands.
static Fusion planBand(Operation *op) {
  auto isBanded = [](Value value) {
    return hasContiguousRows(tensorType(value));
  };
  if (op->getNumResults() != 1 || tensorType(op->getResult(0)).getRank() != 4 ||
      !isBanded(op->getResult(0)))
    return Fusion::no("it is no single image of known size");
  if (auto map = dyn_cast<MapOp>(op)) {
    if (!isElementwise(map))
      return Fusion::no("it is more than arithmetic on elements");
    if (!llvm::all_of(map.getInputs(), isBanded))
      return Fusion::no("it reads what is no single image of known size");
    return {FusionKind::Move};
  }
  auto conv = dyn_cast<ConvOp>(op);
  if (!conv || !conv.getChannelsLast())
    return Fusion::no("it is no map or convolution with channels last");
  if (!isBanded(conv.getInput()))
    return Fusion::no("it reads what is no single image of known size");
  return {FusionKind::Move};
}

/// The pointwise convolution behind an input of a map of the same shape, which
/// nothing else reads.
static ConvOp pointwiseInputOf(MapOp map) {
  for (Value input : map.getInputs())
    if (auto conv = input.getDefiningOp<ConvOp>())
      if (input.hasOneUse() && isPointwise(conv) && planBand(conv) &&
          sameShape(input, map.getResult(0)))
        return conv;
  return {};
}

static int64_t bytesOf(Value value) {
  RankedTensorType type = tensorType(value);
  return type.getNumElements() *
         llvm::divideCeil(type.getElementTypeBitWidth(), 8);
}

/// The pointwise convolution that makes the input of another, with the map on
/// it, if nothing else needs them.
static SmallVector<Operation *> pointwiseBefore(ConvOp conv) {
  Value input = conv.getInput();
  if (!input.hasOneUse())
    return {};
  if (auto map = input.getDefiningOp<MapOp>()) {
    ConvOp before = planBand(map) ? pointwiseInputOf(map) : ConvOp();
    return before ? SmallVector<Operation *>{before, map}
                  : SmallVector<Operation *>();
  }
  auto before = input.getDefiningOp<ConvOp>();
  if (!before || !isPointwise(before) || !planBand(before))
    return {};
  return {before};
}

/// Into how many bands a depthwise convolution can be divided, if neighbouring
/// ones both compute the rows of its input that both read.
static int64_t maxBandsOf(ConvOp depthwise, bool recomputes) {
  int64_t shared =
      (depthwise.getKernel()[0] - 1) * depthwise.getDilations()[0] + 1 -
      depthwise.getStrides()[0];
  if (!recomputes || shared <= 0)
    return std::numeric_limits<int64_t>::max();
  int64_t height = depthwise.getInput().getType().getDimSize(1);
  return 1 + height / tuning::kMinBandRows / shared;
}

/// The height of so many bands, preferably the same for all.
static int64_t bandRowsOf(int64_t height, int64_t bands, int64_t maxBands) {
  int64_t rows = llvm::divideCeilSigned(height, bands), even = rows;
  while (height % even != 0)
    --even;
  return 2 * even >= rows && height / even <= maxBands ? even : rows;
}

RowChain hone::planRowChain(ConvOp depthwise) {
  RowChain chain;
  if (Fusion fusion = planBand(depthwise); !fusion) {
    chain.reason = fusion.reason;
    return chain;
  }
  int64_t between = 0;
  chain.operations = pointwiseBefore(depthwise);
  bool recomputes = !chain.operations.empty();
  if (recomputes)
    between += bytesOf(depthwise.getInput());
  chain.operations.push_back(depthwise);
  bool isLast = false;
  for (Value value = depthwise.getResult(); value.hasOneUse();
       value = chain.operations.back()->getResult(0)) {
    Operation *user = *value.user_begin();
    auto conv = dyn_cast<ConvOp>(user);
    bool follows = conv ? !isLast && isPointwise(conv) : isa<MapOp>(user);
    if (!follows || user->getBlock() != depthwise->getBlock() ||
        !planBand(user))
      break;
    if (conv) {
      between += bytesOf(value);
      isLast = true;
    } else if (!sameShape(value, user->getResult(0))) {
      break;
    }
    chain.operations.push_back(user);
  }

  int64_t bands = llvm::divideCeilSigned(
      between, tuning::bandBytes(CpuMachine::of(depthwise)));
  if (bands < tuning::kMinBands)
    return chain;
  Value result = chain.operations.back()->getResult(0);
  int64_t height = tensorType(result).getDimSize(1);
  int64_t maxBands = std::min(height, maxBandsOf(depthwise, recomputes));
  if (maxBands < tuning::kMinBands)
    chain.reason = "too much would be computed twice";
  else
    chain.bandRows = bandRowsOf(height, std::min(bands, maxBands), maxBands);
  return chain;
}

//===----------------------------------------------------------------------===//

/// All other users of the producer's results come later in the block.
static bool isFirstUser(linalg::GenericOp producer, Operation *consumer) {
  return llvm::all_of(producer->getUsers(), [&](Operation *user) {
    Operation *here = consumer->getBlock()->findAncestorOpInBlock(*user);
    return here && (here == consumer || consumer->isBeforeInBlock(here));
  });
}

Fusion hone::planLoops(linalg::GenericOp producer, OpOperand *operand) {
  auto consumer = cast<linalg::GenericOp>(operand->getOwner());
  if (!linalg::areElementwiseOpsFusable(operand))
    return Fusion::no("it is no loop over independent elements");
  if (llvm::any_of(producer->getUsers(), [&](Operation *user) {
        return user->getBlock() != consumer->getBlock();
      }))
    return Fusion::no("the result is read at computed places");
  if (llvm::all_of(producer->getUsers(),
                   [&](Operation *user) { return user == consumer; }))
    return {FusionKind::Move};
  bool readsOnce = consumer.getMatchingIndexingMap(operand).isPermutation();
  if (readsOnce && isFirstUser(producer, consumer))
    return {FusionKind::Export};
  if (costOf(*producer.getBody()) <= tuning::kRecomputedCost)
    return {FusionKind::Repeat};
  return Fusion::no("others need the result, and it is not cheap");
}

Fusion hone::planSiblings(linalg::GenericOp first, linalg::GenericOp second) {
  if (first.getNumReductionLoops() == 0 ||
      first.getIteratorTypesArray() != second.getIteratorTypesArray())
    return Fusion::no("they reduce along other axes");
  // An input that both read element by element has the sizes of all loops.
  bool sharesInput =
      llvm::any_of(first.getDpsInputOperands(), [&](OpOperand *mine) {
        return first.getMatchingIndexingMap(mine).isIdentity() &&
               llvm::any_of(
                   second.getDpsInputOperands(), [&](OpOperand *other) {
                     return other->get() == mine->get() &&
                            second.getMatchingIndexingMap(other).isIdentity();
                   });
      });
  if (!sharesInput)
    return Fusion::no("they read different inputs");
  bool isEarlier = llvm::all_of(first->getUsers(), [&](Operation *user) {
    Operation *here = second->getBlock()->findAncestorOpInBlock(*user);
    return here && second->isBeforeInBlock(here);
  });
  if (!isEarlier)
    return Fusion::no("the result of the first is needed before the second");
  return {FusionKind::Move};
}
