// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Bufferizes one kernel. No operation of a kernel overwrites a value that is
// read later, so every result gets its own buffer and no analysis is needed:
// results of the kernel are written to arguments, reshapes and slices are
// views, convolutions whose results are transposed write to views, and the rest
// are temporaries.
#include "dialects/Graph/KernelOps.h"
#include "passes/Buffer/Kernels/KernelEmission.h"
#include "passes/Buffer/Passes.h"
#include "passes/Buffer/Teams/TeamEmission.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

namespace hone {
#define GEN_PASS_DEF_BUFFERIZEKERNELSPASS
#include "passes/Buffer/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using namespace hone::graph;
using namespace hone::buffer;

namespace {
MemRefType bufferType(Type tensor) {
  auto type = cast<RankedTensorType>(tensor);
  return MemRefType::get(type.getShape(), type.getElementType());
}

bool isTensor(Value value) { return isa<RankedTensorType>(value.getType()); }

/// The convolution of whose result `op` is a transposed copy, the only one to
/// read it.
KernelConvOp transposedConvolution(Operation *op) {
  auto copy = dyn_cast<linalg::GenericOp>(op);
  if (!copy || copy->getNumOperands() != 2 || copy->getNumResults() != 1 ||
      !copy.getIndexingMapsArray()[0].isPermutation() ||
      !copy.getIndexingMapsArray()[1].isIdentity())
    return {};
  Value input = copy.getInputs().front();
  auto conv = input.getDefiningOp<KernelConvOp>();
  auto yield = cast<linalg::YieldOp>(copy.getBody()->getTerminator());
  bool copies = yield.getOperand(0) == copy.getBody()->getArgument(0);
  return conv && conv->getNumResults() == 1 && input.hasOneUse() && copies
             ? conv
             : KernelConvOp();
}

class KernelBufferizer {
public:
  KernelBufferizer(func::FuncOp kernel, bool teams)
      : kernel(kernel), teams(teams), builder(kernel.getContext()) {}

  LogicalResult run() {
    if (!kernel.getBody().hasOneBlock())
      return kernel.emitError("a kernel must have one block");
    Block &body = kernel.getBody().front();
    auto returnOp = cast<func::ReturnOp>(body.getTerminator());
    if (!llvm::all_of(returnOp.getOperands(), isTensor))
      return returnOp.emitError("a kernel returns only tensors");
    addBufferArguments(returnOp);
    SmallVector<Operation *> ops;
    for (Operation &op : body.without_terminator())
      ops.push_back(&op);
    for (Operation *op : ops) {
      builder.setInsertionPoint(op);
      if (failed(bufferize(op)))
        return failure();
    }
    builder.setInsertionPoint(returnOp);
    for (auto [value, target] :
         llvm::zip_equal(returnOp.getOperands(), results)) {
      Value buffer = bufferOf(value);
      if (!buffer)
        return failure();
      if (!writtenInPlace.contains(target))
        copyBuffer(builder, returnOp.getLoc(), buffer, target);
    }
    returnOp->setOperands({});
    for (Operation *op : llvm::reverse(ops))
      if (handled.contains(op)) {
        op->dropAllUses();
        op->erase();
      }
    finishSignature();
    return success();
  }

private:
  /// New arguments: buffers of the tensors and of the results, then scalars.
  void addBufferArguments(func::ReturnOp returnOp) {
    Block &body = kernel.getBody().front();
    oldArguments = body.getNumArguments();
    SmallVector<Attribute> attributes;
    SmallVector<BlockArgument> scalars;
    for (unsigned i = 0; i < oldArguments; ++i) {
      BlockArgument argument = body.getArgument(i);
      if (!isTensor(argument)) {
        scalars.push_back(argument);
        continue;
      }
      buffers[argument] =
          body.addArgument(bufferType(argument.getType()), argument.getLoc());
      DictionaryAttr old = kernel.getArgAttrDict(i);
      attributes.push_back(old ? old : builder.getDictionaryAttr({}));
    }
    for (Value value : returnOp.getOperands()) {
      results.push_back(
          body.addArgument(bufferType(value.getType()), value.getLoc()));
      attributes.push_back(builder.getDictionaryAttr({}));
    }
    for (BlockArgument scalar : scalars) {
      scalar.replaceAllUsesWith(
          body.addArgument(scalar.getType(), scalar.getLoc()));
      attributes.push_back(builder.getDictionaryAttr({}));
    }
    argumentAttributes = builder.getArrayAttr(attributes);
    for (auto [value, target] :
         llvm::zip_equal(returnOp.getOperands(), results))
      assignTarget(value, target);
  }

  void finishSignature() {
    Block &body = kernel.getBody().front();
    body.eraseArguments(0, oldArguments);
    kernel.removeArgAttrsAttr();
    kernel.removeResAttrsAttr();
    kernel.setFunctionType(
        builder.getFunctionType(body.getArgumentTypes(), {}));
    kernel.setArgAttrsAttr(argumentAttributes);
  }

  /// Lets the computation of `value` write to `target`, through reshapes.
  void assignTarget(Value value, Value target) {
    Operation *op = value.getDefiningOp();
    if (!op || targets.contains(value))
      return;
    if (isa<SliceOp, tensor::EmptyOp, tensor::CastOp>(op) ||
        op->hasTrait<OpTrait::ConstantLike>())
      return;
    if (auto reshape = dyn_cast<ReshapeOp>(op)) {
      Value input = reshape.getInput();
      if (input.getDefiningOp() && !targets.contains(input)) {
        assignTarget(input, target);
        return;
      }
      return;
    }
    writtenInPlace.insert(target);
    if (KernelConvOp conv = transposedConvolution(op);
        conv && !teams && target.getType() == bufferType(value.getType())) {
      // The convolution writes to a view.
      AffineMap order = cast<linalg::GenericOp>(op).getIndexingMapsArray()[0];
      auto inner = OpBuilder::atBlockBegin(&kernel.getBody().front());
      buffers[value] = target;
      target = memref::TransposeOp::create(inner, op->getLoc(), target,
                                           AffineMapAttr::get(order));
      value = conv->getResult(0);
      handled.insert(op);
    }
    targets[value] = target;
  }

  /// Sizes of a tensor at the insertion point.
  FailureOr<SmallVector<OpFoldResult>> sizesOf(Value value, Location loc) {
    if (Value buffer = buffers.lookup(value)) {
      if (auto alloc = buffer.getDefiningOp<memref::AllocOp>())
        return alloc.getMixedSizes();
      return memref::getMixedSizes(builder, loc, buffer);
    }
    if (auto empty = value.getDefiningOp<tensor::EmptyOp>())
      return empty.getMixedSizes();
    if (auto fill = value.getDefiningOp<linalg::FillOp>())
      return sizesOf(fill.getOutputs().front(), loc);
    if (cast<RankedTensorType>(value.getType()).hasStaticShape())
      return getAsIndexOpFoldResult(
          builder.getContext(),
          cast<RankedTensorType>(value.getType()).getShape());
    emitError(loc) << "size of a tensor in a kernel is not known";
    return failure();
  }

  /// The sizes of a result of an operation of the model, whose operands have
  /// buffers.
  SmallVector<OpFoldResult> resultSizes(Operation *op) {
    auto type = cast<ShapedType>(op->getResult(0).getType());
    if (auto given = dyn_cast<GivenSizesOpInterface>(op))
      return getMixedValues(type.getShape(), given.getDims(), builder);
    auto derived = cast<DerivedSizesOpInterface>(op);
    SmallVector<OpFoldResult> sizes;
    for (int64_t i = 0; i < type.getRank(); ++i) {
      SizeSource source = derived.getSizeSource(i);
      OpFoldResult added = builder.getIndexAttr(source.added);
      if (!source.tensor) {
        sizes.push_back(added);
        continue;
      }
      OpFoldResult size = memref::getMixedSize(
          builder, op->getLoc(), buffers.lookup(source.tensor), source.dim);
      sizes.push_back(sum(builder, op->getLoc(), size, added));
    }
    return sizes;
  }

  /// The sizes, with those that the type knows made static.
  SmallVector<OpFoldResult> typedSizes(Location loc, Type type,
                                       ArrayRef<OpFoldResult> sizes) {
    SmallVector<OpFoldResult> typed;
    for (auto [size, mixed] :
         llvm::zip_equal(cast<ShapedType>(type).getShape(), sizes)) {
      if (!ShapedType::isDynamic(size))
        typed.push_back(builder.getIndexAttr(size));
      else
        typed.push_back(getValueOrCreateConstantIndexOp(builder, loc, mixed));
    }
    return typed;
  }

  /// The buffer that `result` will be written to.
  Value allocate(Value result, ArrayRef<OpFoldResult> mixed) {
    Location loc = result.getLoc();
    MemRefType type = bufferType(result.getType());
    SmallVector<OpFoldResult> sizes = typedSizes(loc, type, mixed);
    Value buffer = targets.lookup(result);
    if (buffer && buffer.getType() != type &&
        !buffer.getDefiningOp<memref::TransposeOp>())
      buffer = viewAs(builder, loc, buffer, sizes);
    if (!buffer) {
      SmallVector<Value> dynamic;
      for (OpFoldResult size : sizes)
        if (auto value = dyn_cast<Value>(size))
          dynamic.push_back(value);
      buffer = memref::AllocOp::create(builder, loc, type, dynamic,
                                       builder.getI64IntegerAttr(64));
    }
    buffers[result] = buffer;
    return buffer;
  }

  /// The buffer that holds a tensor; null after an error.
  Value bufferOf(Value value) {
    if (Value buffer = buffers.lookup(value))
      return buffer;
    Location loc = value.getLoc();
    Attribute constant;
    if (matchPattern(value, m_Constant(&constant)))
      return buffers[value] =
                 constantBuffer(value, cast<ElementsAttr>(constant));
    FailureOr<SmallVector<OpFoldResult>> sizes = failure();
    if (value.getDefiningOp<tensor::EmptyOp>() ||
        value.getDefiningOp<linalg::FillOp>())
      sizes = sizesOf(value, loc);
    if (failed(sizes)) {
      emitError(loc) << "a kernel cannot hold this tensor in memory";
      return {};
    }
    Value buffer = allocate(value, *sizes);
    if (auto fill = value.getDefiningOp<linalg::FillOp>())
      fillBuffer(builder, loc, fill.getInputs().front(), buffer);
    return buffer;
  }

  Value constantBuffer(Value value, ElementsAttr data) {
    auto module = kernel->getParentOfType<ModuleOp>();
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(module.getBody());
    MemRefType type = bufferType(value.getType());
    auto global = memref::GlobalOp::create(
        builder, value.getLoc(),
        (kernel.getSymName() + "_constant" + Twine(constants++)).str(),
        builder.getStringAttr("private"), type, cast<ElementsAttr>(data),
        /*constant=*/true, builder.getI64IntegerAttr(64));
    Operation *definition = value.getDefiningOp();
    builder.setInsertionPoint(definition);
    handled.insert(definition);
    return memref::GetGlobalOp::create(builder, value.getLoc(), type,
                                       global.getSymName());
  }

  Value contiguousBufferOf(Value value) {
    Value buffer = bufferOf(value);
    if (!buffer || cast<MemRefType>(buffer.getType()).getLayout().isIdentity())
      return buffer;
    auto type = cast<MemRefType>(buffer.getType());
    SmallVector<Value> dynamic;
    for (int64_t i = 0; i < type.getRank(); ++i)
      if (type.isDynamicDim(i))
        dynamic.push_back(
            memref::DimOp::create(builder, value.getLoc(), buffer, i));
    Value copy = memref::AllocOp::create(
        builder, value.getLoc(),
        MemRefType::get(type.getShape(), type.getElementType()), dynamic,
        builder.getI64IntegerAttr(64));
    copyBuffer(builder, value.getLoc(), buffer, copy);
    return buffers[value] = copy;
  }

  LogicalResult bufferize(Operation *op) {
    if (handled.contains(op))
      return success();
    bool touchesTensors = llvm::any_of(op->getOperands(), isTensor) ||
                          llvm::any_of(op->getResults(), isTensor);
    if (!touchesTensors)
      return bufferizeRegions(op);
    handled.insert(op);
    Location loc = op->getLoc();
    // Constants, fills and empty tensors are materialized where they are used.
    if (isa<tensor::EmptyOp, linalg::FillOp>(op))
      return success();
    if (op->hasTrait<OpTrait::ConstantLike>())
      return success();
    if (isa<DestinationStyleOpInterface>(op))
      return bufferizeDestinationStyle(op);
    return TypeSwitch<Operation *, LogicalResult>(op)
        .Case([&](tensor::DimOp dim) { return bufferizeDim(dim); })
        .Case([&](tensor::ExtractOp extract) {
          return bufferizeExtract(extract);
        })
        .Case([&](tensor::FromElementsOp from) {
          return bufferizeFromElements(from);
        })
        .Case([&](tensor::CastOp cast) {
          Value source = contiguousBufferOf(cast.getSource());
          if (!source)
            return failure();
          auto sizes = sizesOf(cast.getSource(), loc);
          return setView(cast.getDest(), source,
                         typedSizes(loc, cast.getType(), *sizes));
        })
        .Case([&](ReshapeOp reshape) {
          Value source = contiguousBufferOf(reshape.getInput());
          if (!source)
            return failure();
          return setView(reshape.getResult(), source, resultSizes(reshape));
        })
        .Case([&](SliceOp slice) {
          Value source = bufferOf(slice.getInput());
          if (!source)
            return failure();
          buffers[slice.getResult()] =
              sliceBuffer(builder, slice, source, resultSizes(slice));
          return success();
        })
        .Case([&](ConcatOp concat) {
          Value target = allocate(concat.getResult(), resultSizes(concat));
          SmallVector<Value> inputs;
          for (Value input : concat.getInputs()) {
            inputs.push_back(contiguousBufferOf(input));
            if (!inputs.back())
              return failure();
          }
          emitConcat(builder, concat, inputs, target);
          return success();
        })
        .Case([&](PadOp pad) {
          Value source = contiguousBufferOf(pad.getInput());
          if (!source)
            return failure();
          (teams ? emitElementPad
                 : emitPad)(builder, pad, source,
                            allocate(pad.getResult(), resultSizes(pad)));
          return success();
        })
        .Case([&](ScatterOp scatter) -> LogicalResult {
          if (!scatter.getAxis() &&
              scatter.getIndices().getType().getShape().empty())
            return scatter.emitOpError("has scalar indices");
          if (!scatter.getAxis() &&
              ShapedType::isDynamic(
                  scatter.getIndices().getType().getShape().back()))
            return scatter.emitOpError("has indices of unknown depth");
          Value input = contiguousBufferOf(scatter.getInput());
          Value indices = contiguousBufferOf(scatter.getIndices());
          Value updates = contiguousBufferOf(scatter.getUpdates());
          if (!input || !indices || !updates)
            return failure();
          Value target = allocate(scatter.getResult(), resultSizes(scatter));
          (teams ? emitTeamScatter : emitScatter)(builder, scatter, input,
                                                  indices, updates, target);
          return success();
        })
        .Case([&](CumulateOp cumulate) {
          Value source = contiguousBufferOf(cumulate.getInput());
          if (!source)
            return failure();
          Value target = allocate(cumulate.getResult(), resultSizes(cumulate));
          (teams ? emitTeamCumulate : emitCumulate)(builder, cumulate, source,
                                                    target);
          return success();
        })
        .Case([&](TopKOp topK) {
          Value source = contiguousBufferOf(topK.getInput());
          if (!source)
            return failure();
          SmallVector<OpFoldResult> sizes = resultSizes(topK);
          Value values = allocate(topK.getValues(), sizes);
          Value indices = allocate(topK.getIndices(), sizes);
          (teams ? emitTeamTopK : emitTopK)(builder, topK, source, values,
                                            indices);
          return success();
        })
        .Default([](Operation *op) {
          return op->emitOpError("cannot be part of a kernel");
        });
  }

  LogicalResult setView(Value result, Value source,
                        ArrayRef<OpFoldResult> sizes) {
    buffers[result] = source.getType() == bufferType(result.getType())
                          ? source
                          : viewAs(builder, result.getLoc(), source, sizes);
    return success();
  }

  LogicalResult bufferizeDestinationStyle(Operation *op) {
    auto styled = cast<DestinationStyleOpInterface>(op);
    Location loc = op->getLoc();
    bool anyLayout = isa<linalg::GenericOp>(op);
    SmallVector<Value> operands(op->getOperands());
    for (OpOperand *input : styled.getDpsInputOperands()) {
      if (!isTensor(input->get()))
        continue;
      Value buffer =
          anyLayout ? bufferOf(input->get()) : contiguousBufferOf(input->get());
      if (!buffer)
        return failure();
      operands[input->getOperandNumber()] = buffer;
    }
    for (OpOperand &init : styled.getDpsInitsMutable()) {
      Value value = init.get();
      FailureOr<SmallVector<OpFoldResult>> sizes = sizesOf(value, loc);
      if (failed(sizes))
        return failure();
      Value buffer = allocate(styled.getTiedOpResult(&init), *sizes);
      operands[init.getOperandNumber()] = buffer;
      if (value.getDefiningOp<tensor::EmptyOp>())
        continue;
      if (auto fill = value.getDefiningOp<linalg::FillOp>()) {
        fillBuffer(builder, loc, fill.getInputs().front(), buffer);
        continue;
      }
      Value old = bufferOf(value);
      if (!old)
        return failure();
      copyBuffer(builder, loc, old, buffer);
    }
    if (failed(bufferizeRegions(op)))
      return failure();
    builder.setInsertionPoint(op);
    Operation *buffered = Operation::create(
        loc, op->getName(), TypeRange{}, operands,
        op->getDiscardableAttrDictionary(), op->getPropertiesStorage(),
        BlockRange{}, op->getNumRegions());
    for (auto [from, to] :
         llvm::zip_equal(op->getRegions(), buffered->getRegions()))
      to.takeBody(from);
    builder.insert(buffered);
    return success();
  }

  /// Reads of tensors inside the regions of `op` become reads of buffers.
  LogicalResult bufferizeRegions(Operation *op) {
    SmallVector<Operation *> inner;
    for (Region &region : op->getRegions())
      region.walk([&](Operation *nested) {
        if (llvm::any_of(nested->getOperands(), isTensor) ||
            llvm::any_of(nested->getResults(), isTensor))
          inner.push_back(nested);
      });
    for (Operation *nested : inner) {
      if (!isa<tensor::DimOp, tensor::ExtractOp>(nested))
        return nested->emitOpError("cannot be part of a kernel's region");
      Value source = bufferOf(nested->getOperand(0));
      if (!source)
        return failure();
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPoint(nested);
      Value replacement;
      if (auto dim = dyn_cast<tensor::DimOp>(nested))
        replacement = memref::DimOp::create(builder, dim.getLoc(), source,
                                            dim.getIndex());
      else
        replacement = memref::LoadOp::create(
            builder, nested->getLoc(), source,
            cast<tensor::ExtractOp>(nested).getIndices());
      nested->getResult(0).replaceAllUsesWith(replacement);
      nested->erase();
    }
    return success();
  }

  LogicalResult bufferizeDim(tensor::DimOp dim) {
    std::optional<int64_t> index = dim.getConstantIndex();
    FailureOr<SmallVector<OpFoldResult>> sizes =
        sizesOf(dim.getSource(), dim.getLoc());
    if (failed(sizes) || !index || *index >= int64_t(sizes->size()))
      return dim.emitOpError("cannot be resolved in a kernel");
    dim.getResult().replaceAllUsesWith(getValueOrCreateConstantIndexOp(
        builder, dim.getLoc(), (*sizes)[*index]));
    return success();
  }

  LogicalResult bufferizeExtract(tensor::ExtractOp extract) {
    Value source = bufferOf(extract.getTensor());
    if (!source)
      return failure();
    extract.getResult().replaceAllUsesWith(
        memref::LoadOp::create(builder, extract.getLoc(), source,
                               extract.getIndices())
            .getResult());
    return success();
  }

  LogicalResult bufferizeFromElements(tensor::FromElementsOp from) {
    Location loc = from.getLoc();
    SmallVector<OpFoldResult> sizes =
        getAsIndexOpFoldResult(builder.getContext(), from.getType().getShape());
    Value target = allocate(from.getResult(), sizes);
    int64_t count = from.getElements().size();
    Value flat =
        viewAs(builder, loc, target, OpFoldResult(builder.getIndexAttr(count)));
    auto once = scf::ForallOp::create(
        builder, loc, ArrayRef<OpFoldResult>{builder.getIndexAttr(1)},
        ValueRange{}, std::nullopt);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(once.getBody());
    for (auto [i, element] : llvm::enumerate(from.getElements())) {
      Value index = arith::ConstantIndexOp::create(builder, loc, i);
      memref::StoreOp::create(builder, loc, element, flat, index);
    }
    return success();
  }

  func::FuncOp kernel;
  bool teams; ///< Iterations are executed by teams of threads.
  OpBuilder builder;
  DenseMap<Value, Value> buffers; ///< Of tensors.
  DenseMap<Value, Value> targets; ///< Result arguments of tensors.
  SmallVector<Value> results;     ///< The result arguments.
  unsigned oldArguments = 0, constants = 0;
  ArrayAttr argumentAttributes;
  DenseSet<Value> writtenInPlace;
  llvm::SmallPtrSet<Operation *, 16> handled; ///< To be erased.
};

struct BufferizeKernelsPass
    : hone::impl::BufferizeKernelsPassBase<BufferizeKernelsPass> {
  using Base::Base;
  void runOnOperation() override {
    for (auto kernel :
         llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>()))
      if (kernel->hasAttr("hone.kernel") && !kernel.isExternal())
        if (failed(KernelBufferizer(kernel, teams).run()))
          return signalPassFailure();
  }
};
} // namespace
