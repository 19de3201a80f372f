// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tiles by scalar multiply-add. A warp is 4 x 8 threads; each holds groups of 4
// x 4 sums, 16 rows and 32 columns apart, so that the threads of a warp read
// adjacent 16-byte chunks of shared memory.
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Gpu/Product/TileMath.h"

using namespace mlir;
using namespace hone;

static constexpr int64_t kGroup = 4;
static constexpr int64_t kLanesM = 4, kLanesN = 8;

namespace {
class ScalarMath : public TileMath {
public:
  ScalarMath(Emitter &e, const BlockTile &tile, Value thread,
             const SharedTile &left, const SharedTile &right, Type accumulator)
      : e(e), left(left), right(right),
        type(VectorType::get({kGroup}, accumulator)),
        rowGroups(tile.warpM() / (kGroup * kLanesM)),
        columnGroups(tile.warpN() / (kGroup * kLanesN)) {
    Value warp = e.div(thread, e.cst(kWarp));
    Value lane = e.rem(thread, e.cst(kWarp));
    warpRow = e.div(warp, e.cst(tile.warpsN));
    laneRow = e.mul(e.div(lane, e.cst(kLanesN)), kGroup);
    row = e.add(e.mul(warpRow, tile.warpM()), laneRow);
    column = e.add(e.mul(e.rem(warp, e.cst(tile.warpsN)), tile.warpN()),
                   e.mul(e.rem(lane, e.cst(kLanesN)), kGroup));
  }

  /// One vector along a row for each row and group of columns.
  SmallVector<Value> zeros() const override {
    return SmallVector<Value>(rowGroups * kGroup * columnGroups, e.zero(type));
  }

  SmallVector<Value> multiply(Value leftStage, Value rightStage,
                              ValueRange sums) const override {
    SmallVector<Value> results = llvm::to_vector(sums);
    for (int64_t k = 0; k < left.depth(); ++k) {
      SmallVector<Value> rows, columns;
      for (int64_t g = 0; g < rowGroups; ++g)
        rows.push_back(
            load(left, leftStage, k, e.add(row, g * kGroup * kLanesM)));
      for (int64_t g = 0; g < columnGroups; ++g)
        columns.push_back(
            load(right, rightStage, k, e.add(column, g * kGroup * kLanesN)));
      for (int64_t r = 0; r < rowGroups * kGroup; ++r) {
        Value element = vector::ExtractOp::create(e.builder, e.loc,
                                                  rows[r / kGroup], r % kGroup);
        element = vector::BroadcastOp::create(e.builder, e.loc, type, element);
        for (int64_t g = 0; g < columnGroups; ++g) {
          Value &sum = results[r * columnGroups + g];
          sum = isa<FloatType>(type.getElementType())
                    ? vector::FMAOp::create(e.builder, e.loc, element,
                                            columns[g], sum)
                    : e.sum(sum, e.product(element, columns[g]));
        }
      }
    }
    return results;
  }

  void write(int64_t rowBlock, ValueRange sums, Value staged, int64_t pitch,
             Value firstRow) const override {
    for (int64_t r = 0; r < kGroup; ++r)
      for (int64_t g = 0; g < columnGroups; ++g) {
        Value target = e.mul(e.add(e.add(firstRow, laneRow), r), pitch);
        target = e.add(target, e.add(column, g * kGroup * kLanesN));
        Value sum = sums[(rowBlock * kGroup + r) * columnGroups + g];
        vector::StoreOp::create(e.builder, e.loc, sum, staged, target,
                                /*nontemporal=*/false, alignment());
      }
  }

  SmallVector<Value> rows() const override {
    SmallVector<Value> result;
    for (int64_t r = 0; r < rowGroups * kGroup; ++r)
      result.push_back(e.add(row, r / kGroup * kGroup * kLanesM + r % kGroup));
    return result;
  }

  int64_t lanesOfRow() const override { return kLanesN; }

  SmallVector<RowSegment> segments() const override {
    SmallVector<RowSegment> result;
    for (int64_t r = 0; r < rowGroups * kGroup; ++r)
      for (int64_t g = 0; g < columnGroups; ++g)
        result.push_back({r, e.add(column, g * kGroup * kLanesN)});
    return result;
  }

  SmallVector<Value> toSegments(ValueRange sums) const override {
    return llvm::to_vector(sums);
  }

  SmallVector<Value> fromSegments(ValueRange vectors) const override {
    return llvm::to_vector(vectors);
  }

  /// Through the left slice.
  SmallVector<Value> multiplySegments(ValueRange vectors,
                                      ArrayRef<RowSegment> places,
                                      Value rightStage,
                                      ValueRange sums) const override {
    Value stage = e.cst(0);
    SmallVector<Value> tileRows = rows();
    for (auto [place, vector] : llvm::zip_equal(places, vectors))
      for (int64_t i = 0; i < kGroup; ++i)
        memref::StoreOp::create(
            e.builder, e.loc,
            vector::ExtractOp::create(e.builder, e.loc, vector, i), left.memref,
            left.place(e, stage, e.add(place.column, i), tileRows[place.row]));
    emitBarrier(e);
    return multiply(stage, rightStage, sums);
  }

private:
  llvm::MaybeAlign alignment() const {
    int64_t bytes = kGroup * type.getElementTypeBitWidth() / 8;
    return llvm::MaybeAlign(std::min<int64_t>(bytes, 16));
  }

  Value load(const SharedTile &tile, Value stage, int64_t k, Value line) const {
    return vector::LoadOp::create(e.builder, e.loc, type, tile.memref,
                                  tile.place(e, stage, e.cst(k), line),
                                  /*nontemporal=*/false, alignment());
  }

  Emitter &e;
  const SharedTile &left, &right;
  VectorType type;
  int64_t rowGroups, columnGroups;
  Value warpRow, laneRow, row, column;
};
} // namespace

std::unique_ptr<TileMath>
hone::makeScalarMath(Emitter &e, const BlockTile &tile, Value thread,
                     const SharedTile &left, const SharedTile &right,
                     Type accumulator) {
  return std::make_unique<ScalarMath>(e, tile, thread, left, right,
                                      accumulator);
}
