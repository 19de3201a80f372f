// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Turns convolutions over buffers into register kernels.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Analysis/Remarks.h"
#include "passes/Cpu/ChannelWindow.h"
#include "passes/Cpu/Contraction.h"
#include "passes/Cpu/ContractionPasses.h"
#include "passes/Cpu/Convolution.h"
#include "passes/Cpu/Schedule.h"
#include "passes/Machine/Estimate.h"
#include "passes/Machine/Tuning.h"

namespace hone {
#define GEN_PASS_DEF_LOWERCONVOLUTIONSPASS
#include "passes/Cpu/ContractionPasses.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using namespace hone::graph;

/// The offset of the input pixel of an output pixel; both are counted over the
/// dimensions from `first` up to the channels.
static std::function<Value(Value)> strideOverPixels(Emitter &e, KernelConvOp op,
                                                    const FlatBuffer &input,
                                                    int64_t first) {
  SmallVector<Value> sizes, strides;
  Value out = op.getOuts().front();
  for (int64_t i = first; i < cast<ShapedType>(out.getType()).getRank() - 1;
       ++i) {
    sizes.push_back(e.dim(out, i));
    strides.push_back(
        i == 0 ? input.strides[0]
               : e.mul(input.strides[i], int64_t(op.getStrides()[i - 1])));
  }
  return [&e, sizes, strides](Value pixel) {
    Value offset = e.cst(0);
    for (auto [coordinate, stride] :
         llvm::zip_equal(e.delinearize(pixel, sizes), strides))
      offset = e.add(offset, e.mul(coordinate, stride));
    return offset;
  };
}

/// Plain loops have vectors along a row of pixels at best.
static void remarkPlain(KernelConvOp op) {
  auto filter = cast<ShapedType>(op.getFilter().getType());
  if (!op.getTransposed() && !op.getChannelsLast() && isChannelwise(op) &&
      op.getStrides().back() <= 2)
    return; // Its vectors are as long.
  StringRef reason =
      op.getTransposed()
          ? "a transposed convolution of this form is computed element by "
            "element"
      : isa<FloatType>(filter.getElementType())
          ? "a convolution whose channels come first is computed in plain loops"
          : "a convolution of integers is computed in plain loops";
  remarkSlow(op, "lower-convolutions", reason, estimateProduct(op.getKernel()));
}

/// Matrices need copies of input rows.
static void remarkWithoutMatrices(KernelConvOp op, const CpuMachine &machine) {
  if (paddedRows(op, matrix::kRows))
    return;
  ProductTypes types = ProductTypes::of(op);
  types.isConvertible = true;
  if (chooseMicroKernel(machine, types).hasMatrices())
    remarkSlow(op, "lower-convolutions",
               "rows of the input are of free size, or too large, to be copied "
               "for products of matrices",
               estimateProduct(op.getKernel()));
}

static void lowerConv(Emitter &e, KernelConvOp op, const CpuMachine &machine) {
  if (std::optional<ProductShape> product = ProductShape::of(op)) {
    Contraction problem;
    problem.shape = *product;
    problem.a = leftOperand(e, op.getInput(), op.getAccumulatorType());
    problem.b = FlatBuffer::get(e, op.getFilter());
    problem.k = problem.a.sizes.back();
    Epilogue epilogue(e, op, product->groups);
    size_t batches = product->batch.size();
    problem.m = epilogue.sizes[batches];
    problem.n = epilogue.sizes[batches + 1];
    if (batches) {
      problem.aBatchStrides = {problem.a.strides[0]};
      problem.bBatchStrides = {e.cst(0)};
    }
    if (!llvm::all_of(op.getStrides(), [](int64_t s) { return s == 1; }))
      problem.rowOffset = strideOverPixels(e, op, problem.a, batches);
    emitContraction(e, machine, problem, epilogue, *op.getSchedule());
  } else if (op.getPacked()) {
    remarkWithoutMatrices(op, machine);
    emitPanelConvolution(e, machine, op);
  } else if (op.getDepthwise()) {
    FlatBuffer input = leftOperand(e, op.getInput(), op.getAccumulatorType());
    FlatBuffer filter = FlatBuffer::get(e, op.getFilter());
    Epilogue epilogue(e, op, SmallVector<int64_t>(input.sizes.size(), 1));
    Window window = Window::get(e, op, input, epilogue.sizes);
    WindowReduction reduction{WindowReduction::Weighted, machine.hasFma()};
    emitChannelWindow(e, machine, input, &filter, window, reduction,
                      op.getAccumulatorType(), epilogue,
                      op.getFill().value_or(0));
  } else {
    remarkPlain(op);
    emitPlainConvolution(e, machine, op);
  }
}

namespace {
struct LowerConvolutionsPass
    : hone::impl::LowerConvolutionsPassBase<LowerConvolutionsPass> {
  using Base::Base;

  void runOnOperation() override {
    const CpuMachine &machine = CpuMachine::of(getOperation());
    auto lower = [&](Emitter &e, KernelConvOp op) -> LogicalResult {
      if (failed(checkSchedule(op, machine)))
        return failure();
      lowerConv(e, op, machine);
      return success();
    };
    if (failed(lowerEach<KernelConvOp>(getOperation(), lower)))
      signalPassFailure();
  }
};
} // namespace
