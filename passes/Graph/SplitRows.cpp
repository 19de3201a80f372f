// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Computes depthwise convolutions and their pointwise neighbours for one band
// of rows after the other, so that what lies between them stays in the L2
// cache. With channels last, bands of an image are contiguous: they are views,
// and put together without kernels.
#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Remarks.h"
#include "passes/Analysis/Fusion.h"
#include "passes/Graph/Passes.h"
#include "passes/Graph/Simplify.h"

namespace hone {
#define GEN_PASS_DEF_SPLITROWSPASS
#include "passes/Graph/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using namespace hone::graph;

namespace {
/// Rows of a tensor, from `first` until before `end`.
struct Band {
  int64_t first, end;
  int64_t size() const { return end - first; }
};
} // namespace

/// The dimension of the rows of a tensor that is broadcast to an image; none
/// if it has the same for all of them.
static std::optional<int64_t> rowDimOf(RankedTensorType type) {
  int64_t dim = type.getRank() - 3;
  if (dim < 0 || type.getDimSize(dim) == 1)
    return std::nullopt;
  return dim;
}

/// Rows of a contiguous tensor, as a view.
static Value viewRows(OpBuilder &b, Location loc, Value tensor, Band band) {
  RankedTensorType type = tensorType(tensor);
  std::optional<int64_t> dim = rowDimOf(type);
  if (!dim || band.size() == type.getDimSize(*dim))
    return tensor;
  SmallVector<OpFoldResult> offsets(type.getRank(), b.getIndexAttr(0)), sizes,
      steps(type.getRank(), b.getIndexAttr(1));
  for (int64_t size : type.getShape())
    sizes.push_back(b.getIndexAttr(size));
  offsets[*dim] = b.getIndexAttr(band.first);
  sizes[*dim] = b.getIndexAttr(band.size());
  return tensor::ExtractSliceOp::create(b, loc, tensor, offsets, sizes, steps);
}

/// The rows of the input that rows of the result are computed from, without
/// those of the padding; `pads` become those of the band.
static Band inputBand(ConvOp conv, Band band, SmallVectorImpl<int64_t> &pads) {
  int64_t stride = conv.getStrides()[0],
          height = conv.getInput().getType().getDimSize(1);
  int64_t reach = (conv.getKernel()[0] - 1) * conv.getDilations()[0] + 1;
  int64_t first = band.first * stride - conv.getPads()[0],
          end = (band.end - 1) * stride - conv.getPads()[0] + reach;
  pads.assign(conv.getPads().begin(), conv.getPads().end());
  pads[0] = std::max<int64_t>(-first, 0);
  pads[2] = std::max<int64_t>(end - height, 0);
  return {std::max<int64_t>(first, 0), std::min(end, height)};
}

/// Computes a band of the result of `op`; `mapping` has those that it reads.
static void computeBand(OpBuilder &b, Operation *op, Band band,
                        IRMapping &mapping) {
  SmallVector<int64_t> pads;
  auto conv = dyn_cast<ConvOp>(op);
  Band read = conv ? inputBand(conv, band, pads) : band;
  IRMapping own(mapping);
  unsigned count = conv ? 1 : op->getNumOperands();
  for (Value operand : op->getOperands().take_front(count))
    if (!own.contains(operand))
      own.map(operand, viewRows(b, op->getLoc(), operand, read));
  Operation *clone = b.clone(*op, own);
  SmallVector<int64_t> shape(tensorType(op->getResult(0)).getShape());
  shape[1] = band.size();
  clone->getResult(0).setType(tensorType(op->getResult(0)).clone(shape));
  if (conv)
    cast<ConvOp>(clone).setPads(pads);
  mapping.map(op->getResult(0), clone->getResult(0));
}

static void split(const RowChain &chain) {
  Operation *last = chain.operations.back();
  RankedTensorType type = tensorType(last->getResult(0));
  OpBuilder b(last);
  Location loc = last->getLoc();
  Value all = tensor::EmptyOp::create(b, loc, type, ValueRange());
  int64_t height = type.getDimSize(1), rows = chain.bandRows;
  for (int64_t first = 0; first < height; first += rows) {
    // From the last operation back: what each has to compute.
    SmallVector<Band> bands(chain.operations.size());
    bands.back() = {first, std::min(first + rows, height)};
    for (size_t i = chain.operations.size() - 1; i > 0; --i) {
      auto conv = dyn_cast<ConvOp>(chain.operations[i]);
      SmallVector<int64_t> pads;
      bands[i - 1] = conv ? inputBand(conv, bands[i], pads) : bands[i];
    }
    IRMapping mapping;
    for (auto [op, band] : llvm::zip_equal(chain.operations, bands))
      computeBand(b, op, band, mapping);
    Value part = mapping.lookup(last->getResult(0));
    SmallVector<OpFoldResult> offsets(4, b.getIndexAttr(0)), sizes,
        steps(4, b.getIndexAttr(1));
    offsets[1] = b.getIndexAttr(first);
    for (int64_t size : tensorType(part).getShape())
      sizes.push_back(b.getIndexAttr(size));
    all =
        tensor::InsertSliceOp::create(b, loc, part, all, offsets, sizes, steps);
  }
  last->getResult(0).replaceAllUsesWith(all);
  for (Operation *op : llvm::reverse(chain.operations))
    op->erase();
}

namespace {
struct SplitRowsPass : hone::impl::SplitRowsPassBase<SplitRowsPass> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<ConvOp> convs;
    getOperation().walk([&](ConvOp op) {
      if (op.getDepthwise())
        convs.push_back(op);
    });
    for (ConvOp conv : convs) {
      RowChain chain = planRowChain(conv);
      if (chain.bandRows == 0) {
        if (*chain.reason)
          remark::missed(
              conv.getLoc(),
              remark::RemarkOpts::name("bands").category("split-rows"))
              << remark::reason("{0}", chain.reason);
        continue;
      }
      for (Operation *op : chain.operations)
        if (isa<ConvOp>(op))
          remark::passed(
              op->getLoc(),
              remark::RemarkOpts::name("bands").category("split-rows"));
      split(chain);
    }
  }
};
} // namespace
