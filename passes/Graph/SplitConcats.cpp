// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A kernel that copies from very many tensors takes long to compile. Here such
// a concatenation becomes a tree of short ones over rows whose lengths are
// arguments, so that all of them are one kernel.
#include "dialects/Graph/DimBuilder.h"
#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Remarks.h"
#include "passes/Graph/Passes.h"

namespace hone {
#define GEN_PASS_DEF_SPLITCONCATSPASS
#include "passes/Graph/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone::graph;

/// Operands of one kernel: with known sizes, and with others, where each of
/// them costs address arithmetic.
static constexpr size_t maxStatic = 64, maxDynamic = 16;

static bool isWide(ConcatOp op) {
  size_t count = op.getInputs().size();
  return count > maxStatic ||
         (count > maxDynamic && !op.getType().hasStaticShape());
}

namespace {
/// A tensor seen as rows, and the length of one.
struct Rows {
  Value tensor;
  OpFoldResult length;
};
} // namespace

static void split(ConcatOp op, DimBuilder &dims) {
  OpBuilder builder(op);
  Location loc = op.getLoc();
  int64_t axis = op.getAxis();
  auto lengthOf = [&](Value value) {
    SmallVector<OpFoldResult> sizes = dims.dims(builder, loc, value);
    return dims.product(builder, loc, ArrayRef(sizes).drop_front(axis));
  };
  SmallVector<OpFoldResult> sizes = dims.dims(builder, loc, op.getResult());
  OpFoldResult count =
      dims.product(builder, loc, ArrayRef(sizes).take_front(axis));
  std::optional<int64_t> known = DimBuilder::constant(count);
  auto type = RankedTensorType::get(
      {known.value_or(ShapedType::kDynamic), ShapedType::kDynamic},
      op.getType().getElementType());
  auto operands = [&](OpFoldResult length) {
    SmallVector<Value, 2> result;
    if (!known)
      result.push_back(cast<Value>(count));
    result.push_back(dims.materialize(builder, loc, length));
    return result;
  };

  SmallVector<Rows> parts;
  for (Value input : op.getInputs()) {
    OpFoldResult length = lengthOf(input);
    parts.push_back(
        {ReshapeOp::create(builder, loc, type, input, operands(length)),
         length});
  }
  while (parts.size() > 1) {
    SmallVector<Rows> joined;
    for (ArrayRef<Rows> rest = parts; !rest.empty();) {
      ArrayRef<Rows> taken = rest.take_front(maxDynamic);
      rest = rest.drop_front(taken.size());
      // The rest waits for the next level: a kernel less.
      if (taken.size() < maxDynamic && !joined.empty()) {
        llvm::append_range(joined, taken);
        break;
      }
      OpFoldResult length = builder.getIndexAttr(0);
      SmallVector<Value> tensors;
      for (const Rows &part : taken) {
        tensors.push_back(part.tensor);
        length = dims.add(builder, loc, length, part.length);
      }
      joined.push_back({ConcatOp::create(builder, loc, type, tensors,
                                         operands(length), /*axis=*/1),
                        length});
    }
    parts = std::move(joined);
  }
  op.getResult().replaceAllUsesWith(ReshapeOp::create(
      builder, loc, op.getType(), parts.front().tensor, op.getDims()));
  op.erase();
}

namespace {
struct SplitConcatsPass : hone::impl::SplitConcatsPassBase<SplitConcatsPass> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<ConcatOp> wide;
    getOperation().walk([&](ConcatOp op) {
      if (isWide(op))
        wide.push_back(op);
    });
    if (wide.empty())
      return;
    DimBuilder dims(getOperation());
    for (ConcatOp op : wide) {
      remark::passed(op.getLoc(), remark::RemarkOpts::name("split").category(
                                      "split-concats"));
      split(op, dims);
    }
  }
};
} // namespace
