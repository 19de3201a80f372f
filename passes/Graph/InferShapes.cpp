// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Propagates what is known of the arguments' sizes through the function.
#include "dialects/Graph/DimBuilder.h"
#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"
#include "passes/Graph/Passes.h"
#include "llvm/ADT/TypeSwitch.h"

namespace hone {
#define GEN_PASS_DEF_INFERSHAPESPASS
#include "passes/Graph/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone::graph;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

namespace {

class ShapeInference {
public:
  explicit ShapeInference(func::FuncOp function)
      : function(function), dims(function), rewriter(function.getContext()) {}

  LogicalResult run();

private:
  LogicalResult specialise();
  void visit(Operation *op);
  /// The same index in normal form; null for operations that are not index
  /// arithmetic.
  OpFoldResult normalised(Operation *op);
  void refineResults(Operation *op);
  void refineGivenSizes(GivenSizesOpInterface op);
  void refineDerivedSizes(DerivedSizesOpInterface op);
  void refineIf(scf::IfOp op);
  void setShape(Value value, ArrayRef<int64_t> shape);
  bool setShapes(Operation *op, ArrayRef<int64_t> shape);
  void usersFollow(Value value, RankedTensorType old);
  bool keepOperands(Operation *op);

  func::FuncOp function;
  DimBuilder dims;
  IRRewriter rewriter;
  llvm::StringMap<int64_t> sizes; // of free dimensions that were fixed
  llvm::DenseMap<Value, RankedTensorType> refined; // values to former types
};

} // namespace

/// Sizes of named dimensions that the types of the arguments fix.
LogicalResult ShapeInference::specialise() {
  for (BlockArgument argument : function.getArguments()) {
    auto names = function.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(),
                                                      "hone.dims");
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!names || !type)
      continue;
    // Packed elements are bytes in another shape than the model's.
    if (static_cast<int64_t>(names.size()) != type.getRank() &&
        llvm::all_of(names, llvm::IsaPred<IntegerAttr>))
      continue;
    if (static_cast<int64_t>(names.size()) != type.getRank())
      return function.emitError("argument ")
             << argument.getArgNumber() << " has " << names.size()
             << " names for " << type.getRank() << " dimensions";
    for (auto [name, size] : llvm::zip(names, type.getShape())) {
      auto text = dyn_cast<StringAttr>(name);
      if (!text || ShapedType::isDynamic(size))
        continue;
      auto [it, isNew] = sizes.try_emplace(text.getValue(), size);
      if (!isNew && it->second != size)
        return function.emitError("dimension '")
               << text.getValue() << "' is both " << it->second << " and "
               << size;
    }
  }
  for (BlockArgument argument : function.getArguments()) {
    auto names = function.getArgAttrOfType<ArrayAttr>(argument.getArgNumber(),
                                                      "hone.dims");
    if (!names || !isa<RankedTensorType>(argument.getType()))
      continue;
    SmallVector<int64_t> shape(typeOf(argument).getShape());
    for (auto [name, size] : llvm::zip(names, shape))
      if (auto text = dyn_cast<StringAttr>(name); text && sizes.count(text))
        size = sizes.lookup(text);
    setShape(argument, shape);
  }
  return success();
}

OpFoldResult ShapeInference::normalised(Operation *op) {
  if (auto dim = dyn_cast<DimOp>(op)) {
    auto it = sizes.find(dim.getName());
    if (it != sizes.end())
      return rewriter.getIndexAttr(it->second);
    return dims.named(dim.getName());
  }
  Location loc = op->getLoc();
  if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    std::optional<int64_t> index = dim.getConstantIndex();
    auto type = dyn_cast<RankedTensorType>(dim.getSource().getType());
    if (!index || !type || *index < 0 || *index >= type.getRank())
      return {};
    if (!type.isDynamicDim(*index))
      return rewriter.getIndexAttr(type.getDimSize(*index));
    return dims.dim(rewriter, loc, dim.getSource(), *index);
  }
  if (op->getNumResults() != 1 || !op->getResult(0).getType().isIndex() ||
      op->getNumOperands() != 2)
    return {};
  auto operand = [&](unsigned i) -> OpFoldResult {
    if (std::optional<int64_t> value =
            getConstantIntValue(OpFoldResult(op->getOperand(i))))
      return rewriter.getIndexAttr(*value);
    return op->getOperand(i);
  };
  auto divisorIsPositive = [&] {
    std::optional<int64_t> value = DimBuilder::constant(operand(1));
    return value && *value > 0;
  };
  return llvm::TypeSwitch<Operation *, OpFoldResult>(op)
      .Case([&](arith::AddIOp) {
        return dims.add(rewriter, loc, operand(0), operand(1));
      })
      .Case([&](arith::SubIOp) {
        return dims.sub(rewriter, loc, operand(0), operand(1));
      })
      .Case([&](arith::MulIOp) {
        return dims.mul(rewriter, loc, operand(0), operand(1));
      })
      .Case([&](arith::MaxSIOp) {
        return dims.max(rewriter, loc, operand(0), operand(1));
      })
      .Case([&](arith::MinSIOp) {
        return dims.min(rewriter, loc, operand(0), operand(1));
      })
      .Case([&](arith::FloorDivSIOp) {
        return divisorIsPositive()
                   ? dims.floorDiv(rewriter, loc, operand(0), operand(1))
                   : OpFoldResult();
      })
      .Case([&](arith::CeilDivSIOp) {
        return divisorIsPositive()
                   ? dims.ceilDiv(rewriter, loc, operand(0), operand(1))
                   : OpFoldResult();
      })
      .Default([](Operation *) { return OpFoldResult(); });
}

/// Whether the operation by itself passes the verifier.
static bool holds(Operation *op) {
  ScopedDiagnosticHandler silent(op->getContext(),
                                 [](Diagnostic &) { return success(); });
  return succeeded(op->getName().verifyInvariants(op));
}

/// Gives a value a more precise shape.
void ShapeInference::setShape(Value value, ArrayRef<int64_t> shape) {
  RankedTensorType old = typeOf(value);
  if (old.getShape() == shape)
    return;
  value.setType(old.clone(shape));
  usersFollow(value, old);
}

/// Gives all results a more precise shape. Not if the operation would
/// contradict itself: its operands do not fit, and a check before it ends the
/// run, or it is in a branch that is not taken.
bool ShapeInference::setShapes(Operation *op, ArrayRef<int64_t> shape) {
  SmallVector<RankedTensorType> old;
  for (Value result : op->getResults()) {
    old.push_back(typeOf(result));
    result.setType(old.back().clone(shape));
  }
  if (!holds(op)) {
    for (auto [result, type] : llvm::zip(op->getResults(), old))
      result.setType(type);
    return false;
  }
  for (auto [result, type] : llvm::zip(op->getResults(), old))
    if (result.getType() != type)
      usersFollow(result, type);
  return true;
}

/// Restores the types of operands whose sizes now contradict each other. False
/// if there is nothing to be done.
bool ShapeInference::keepOperands(Operation *op) {
  if (!isa<GraphDialect>(op->getDialect()) ||
      llvm::none_of(op->getOperands(),
                    [&](Value v) { return refined.contains(v); }) ||
      holds(op))
    return false;
  rewriter.setInsertionPoint(op);
  for (OpOperand &operand : op->getOpOperands())
    if (auto it = refined.find(operand.get()); it != refined.end())
      operand.set(tensor::CastOp::create(rewriter, op->getLoc(), it->second,
                                         operand.get()));
  return true;
}

/// After a change of the value's type. Operations of other dialects may need
/// the old type.
void ShapeInference::usersFollow(Value value, RankedTensorType old) {
  refined.try_emplace(value, old);
  Value cast;
  for (OpOperand &use : llvm::make_early_inc_range(value.getUses())) {
    Operation *user = use.getOwner();
    if (isa<GraphDialect>(user->getDialect()) ||
        isa<tensor::ExtractOp, tensor::DimOp, tensor::CastOp>(user) ||
        (isa<func::ReturnOp>(user) && user->getParentOp() == function))
      continue;
    if (!cast) {
      rewriter.setInsertionPointAfterValue(value);
      cast = tensor::CastOp::create(rewriter, value.getLoc(), old, value);
    }
    use.set(cast);
  }
}

/// Makes static each dimension whose operand in `dims` is constant, or whose
/// size other operands determine.
void ShapeInference::refineGivenSizes(GivenSizesOpInterface op) {
  if (op.getDims().empty())
    return;
  SmallVector<int64_t> shape(typeOf(op->getResult(0)).getShape()),
      known = op.getKnownSizes();
  SmallVector<Value> dynamic;
  SmallVector<Value> all(op.getDims());
  unsigned next = 0;
  for (auto [size, knownSize] : llvm::zip_equal(shape, known)) {
    if (!ShapedType::isDynamic(size))
      continue;
    Value operand = all[next++];
    std::optional<int64_t> number = getConstantIntValue(OpFoldResult(operand));
    if (!number && !ShapedType::isDynamic(knownSize))
      number = knownSize;
    if (number && *number >= 0)
      size = *number;
    else
      dynamic.push_back(operand);
  }
  if (dynamic.size() == all.size())
    return;
  op.getDimsMutable().assign(dynamic);
  if (!setShapes(op, shape))
    op.getDimsMutable().assign(all);
}

/// The size, if types determine it.
static std::optional<int64_t> knownSize(const SizeSource &source) {
  if (!source.tensor)
    return source.added;
  int64_t size = typeOf(source.tensor).getDimSize(source.dim);
  if (ShapedType::isDynamic(size) ||
      llvm::AddOverflow(size, source.added, size) || size < 0)
    return std::nullopt;
  return size;
}

void ShapeInference::refineDerivedSizes(DerivedSizesOpInterface op) {
  SmallVector<int64_t> shape(typeOf(op->getResult(0)).getShape());
  for (auto [i, size] : llvm::enumerate(shape))
    if (ShapedType::isDynamic(size))
      size = knownSize(op.getSizeSource(i)).value_or(ShapedType::kDynamic);
  setShapes(op, shape);
}

void ShapeInference::refineResults(Operation *op) {
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](GivenSizesOpInterface sized) { refineGivenSizes(sized); })
      .Case([&](DerivedSizesOpInterface sized) { refineDerivedSizes(sized); })
      .Case([&](tensor::CastOp cast) {
        for (OpOperand &use :
             llvm::make_early_inc_range(cast.getResult().getUses()))
          if (isa<GraphDialect>(use.getOwner()->getDialect())) {
            use.set(cast.getSource());
            if (!holds(use.getOwner()))
              use.set(cast.getResult());
          }
      })
      .Case([&](scf::IfOp branch) { refineIf(branch); });
}

/// A result of which both branches know more than the type says.
void ShapeInference::refineIf(scf::IfOp op) {
  if (op.getNumResults() == 0)
    return;
  for (OpResult result : op.getResults()) {
    unsigned i = result.getResultNumber();
    OpOperand &first = op.thenYield()->getOpOperand(i);
    OpOperand &second = op.elseYield()->getOpOperand(i);
    auto a = first.get().getDefiningOp<tensor::CastOp>();
    auto b = second.get().getDefiningOp<tensor::CastOp>();
    if (!a || !b || a.getSource().getType() != b.getSource().getType())
      continue;
    auto type = dyn_cast<RankedTensorType>(a.getSource().getType());
    if (!type)
      continue;
    first.set(a.getSource());
    second.set(b.getSource());
    setShape(result, type.getShape());
  }
}

void ShapeInference::visit(Operation *op) {
  rewriter.setInsertionPoint(op);
  if (OpFoldResult index = normalised(op)) {
    Value value = op->getResult(0);
    if (dyn_cast<Value>(index) == value)
      return;
    Value replacement = dims.materialize(rewriter, op->getLoc(), index);
    rewriter.replaceAllUsesWith(value, replacement);
    return;
  }
  SmallVector<Value> folded;
  if (isa<arith::ArithDialect>(op->getDialect()) && op->getNumResults() == 1 &&
      succeeded(rewriter.tryFold(op, folded))) {
    if (!folded.empty()) // otherwise it was changed in place
      rewriter.replaceAllUsesWith(op->getResults(), folded);
    return;
  }
  refineResults(op);
  if (keepOperands(op))
    refineResults(op);
}

LogicalResult ShapeInference::run() {
  if (failed(specialise()))
    return failure();
  SmallVector<Operation *> operations;
  function.getBody().walk<WalkOrder::PreOrder>([&](Operation *op) {
    operations.push_back(op);
    return isa<MapOp>(op) ? WalkResult::skip() : WalkResult::advance();
  });
  // Operations with regions are refined after their content.
  SmallVector<Operation *> open;
  auto close = [&](Operation *next) {
    while (!open.empty() && (!next || !open.back()->isProperAncestor(next)))
      refineResults(open.pop_back_val());
  };
  for (Operation *op : operations) {
    close(op);
    if (isa<scf::IfOp>(op))
      open.push_back(op);
    else
      visit(op);
  }
  close(nullptr);
  for (Operation *op : llvm::reverse(operations))
    if (op->getNumResults() && isOpTriviallyDead(op) && !isa<ConstantOp>(op))
      rewriter.eraseOp(op);

  auto ret = cast<func::ReturnOp>(function.getBody().back().getTerminator());
  function.setFunctionType(rewriter.getFunctionType(
      function.getBody().getArgumentTypes(), ret.getOperandTypes()));
  return success();
}

namespace {
struct InferShapesPass : hone::impl::InferShapesPassBase<InferShapesPass> {
  using Base::Base;

  void runOnOperation() override {
    if (getOperation().isExternal())
      return;
    if (failed(ShapeInference(getOperation()).run()))
      signalPassFailure();
  }
};
} // namespace
