// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tiles by `mma.sync` m16n8k16: a warp holds fragments of 16 x 8 sums, of which
// lane 4 * g + t has columns 2t and 2t + 1 of rows g and g + 8.
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Gpu/Product/TileMath.h"

using namespace mlir;
using namespace hone;

/// Sides of a fragment, and its sums in one thread.
static constexpr int64_t kM = 16, kN = 8, kK = 16, kSums = 4;

namespace {
class TensorMath : public TileMath {
public:
  TensorMath(Emitter &e, const BlockTile &tile, Value thread,
             const SharedTile &left, const SharedTile &right)
      : e(e), left(left), right(right), depth(tile.k),
        rowBlocks(tile.warpM() / kM), fragments(tile.warpN() / kN) {
    Value warp = e.div(thread, e.cst(kWarp));
    lane = e.rem(thread, e.cst(kWarp));
    row = e.mul(e.div(warp, e.cst(tile.warpsN)), tile.warpM());
    column = e.mul(e.rem(warp, e.cst(tile.warpsN)), tile.warpN());
  }

  SmallVector<Value> zeros() const override {
    return SmallVector<Value>(rowBlocks * fragments * kSums,
                              e.zero(e.builder.getF32Type()));
  }

  SmallVector<Value> multiply(Value leftStage, Value rightStage,
                              ValueRange sums) const override {
    return multiply(
        [&](int64_t rowBlock, int64_t k) {
          return leftFragment(leftStage, rowBlock, k);
        },
        rightStage, sums);
  }

  void write(int64_t rowBlock, ValueRange sums, Value staged, int64_t pitch,
             Value firstRow) const override {
    Value stagedRow = e.add(firstRow, e.div(lane, e.cst(4)));
    Value stagedColumn = e.add(column, e.mul(e.rem(lane, e.cst(4)), 2));
    auto type = VectorType::get({2}, e.builder.getF32Type());
    for (int64_t n = 0; n < fragments; ++n)
      for (int64_t half = 0; half < 2; ++half) {
        ValueRange pair =
            sums.slice((rowBlock * fragments + n) * kSums + half * 2, 2);
        Value target = e.mul(e.add(stagedRow, half * 8), pitch);
        target = e.add(target, e.add(stagedColumn, n * kN));
        vector::StoreOp::create(
            e.builder, e.loc,
            vector::FromElementsOp::create(e.builder, e.loc, type, pair),
            staged, target, /*nontemporal=*/false, llvm::MaybeAlign(8));
      }
  }

  SmallVector<Value> rows() const override {
    SmallVector<Value> result;
    for (int64_t half = 0; half < 2 * rowBlocks; ++half)
      result.push_back(e.add(e.add(row, e.div(lane, e.cst(4))), half * 8));
    return result;
  }

  int64_t lanesOfRow() const override { return 4; }

  SmallVector<RowSegment> segments() const override {
    SmallVector<RowSegment> result;
    Value first = e.add(column, e.mul(e.rem(lane, e.cst(4)), 2));
    for (int64_t rowBlock = 0; rowBlock < rowBlocks; ++rowBlock)
      for (int64_t n = 0; n < fragments; ++n)
        for (int64_t half = 0; half < 2; ++half)
          result.push_back({rowBlock * 2 + half, e.add(first, n * kN)});
    return result;
  }

  SmallVector<Value> toSegments(ValueRange sums) const override {
    auto type = VectorType::get({2}, e.builder.getF32Type());
    SmallVector<Value> vectors;
    for (size_t i = 0; i < sums.size(); i += 2)
      vectors.push_back(vector::FromElementsOp::create(e.builder, e.loc, type,
                                                       sums.slice(i, 2)));
    return vectors;
  }

  SmallVector<Value> fromSegments(ValueRange vectors) const override {
    SmallVector<Value> sums;
    for (Value vector : vectors)
      for (int64_t i = 0; i < 2; ++i)
        sums.push_back(vector::ExtractOp::create(e.builder, e.loc, vector, i));
    return sums;
  }

  /// Two fragments of sums are distributed over lanes like the one left operand
  /// that covers them.
  SmallVector<Value> multiplySegments(ValueRange vectors,
                                      ArrayRef<RowSegment> places,
                                      Value rightStage,
                                      ValueRange sums) const override {
    Type element = right.elementType();
    int64_t perRowBlock = vectors.size() / rowBlocks;
    return multiply(
        [&](int64_t rowBlock, int64_t k) {
          SmallVector<Value> registers;
          for (Value vector : vectors.slice(rowBlock * perRowBlock + k / kN * 2,
                                            2 * kK / kN)) {
            auto type = VectorType::get({2}, element);
            registers.push_back(asRegister(
                arith::TruncFOp::create(e.builder, e.loc, type, vector)));
          }
          return registers;
        },
        rightStage, sums);
  }

private:
  SmallVector<Value>
  multiply(function_ref<SmallVector<Value>(int64_t rowBlock, int64_t k)> leftAt,
           Value rightStage, ValueRange sums) const {
    SmallVector<Value> results = llvm::to_vector(sums);
    for (int64_t k = 0; k < depth; k += kK) {
      SmallVector<SmallVector<Value>> a, b;
      for (int64_t rowBlock = 0; rowBlock < rowBlocks; ++rowBlock)
        a.push_back(leftAt(rowBlock, k));
      // One load brings two fragments of the right-hand side.
      for (int64_t pair = 0; pair < fragments; pair += 2) {
        SmallVector<Value> loaded = rightFragments(rightStage, pair, k);
        b.push_back({loaded[0], loaded[1]});
        b.push_back({loaded[2], loaded[3]});
      }
      for (int64_t rowBlock = 0; rowBlock < rowBlocks; ++rowBlock)
        for (int64_t n = 0; n < fragments; ++n)
          multiplyFragment(a[rowBlock], b[n],
                           MutableArrayRef(results).slice(
                               (rowBlock * fragments + n) * kSums, kSums));
    }
    return results;
  }

  /// A pair of elements in the form the multiplication takes.
  Value asRegister(Value pair) const {
    if (!cast<VectorType>(pair.getType()).getElementType().isBF16())
      return pair;
    auto type = VectorType::get({1}, e.builder.getI32Type());
    pair = vector::BitCastOp::create(e.builder, e.loc, type, pair);
    return vector::ExtractOp::create(e.builder, e.loc, pair, 0);
  }

  /// Four 8 x 8 matrices, one register each. Lane l names row l % 8 of matrix
  /// l / 8.
  SmallVector<Value> loadMatrices(const SharedTile &tile, Value stage,
                                  Value matrixRow, Value matrixColumn,
                                  bool transpose) const {
    Type element = tile.elementType();
    Value loaded = nvgpu::LdMatrixOp::create(
        e.builder, e.loc, VectorType::get({4, 2}, element), tile.memref,
        tile.place(e, stage, matrixRow, matrixColumn),
        e.builder.getBoolAttr(transpose), e.builder.getI32IntegerAttr(4));
    SmallVector<Value> registers;
    for (int64_t i = 0; i < 4; ++i)
      registers.push_back(
          asRegister(vector::ExtractOp::create(e.builder, e.loc, loaded, i)));
    return registers;
  }

  Value laneIn(int64_t size, int64_t divisor = 1) const {
    return e.rem(e.div(lane, e.cst(divisor)), e.cst(size));
  }

  /// Matrices: rows 0-7 and 8-15 of columns k to k + 7, then of the next eight.
  SmallVector<Value> leftFragment(Value stage, int64_t rowBlock,
                                  int64_t k) const {
    Value matrixRow = e.add(e.add(row, laneIn(16)), rowBlock * kM);
    Value matrixColumn = e.add(e.mul(laneIn(2, 16), 8), k);
    return loadMatrices(left, stage, matrixRow, matrixColumn, false);
  }

  /// Matrices: rows k to k + 7 and k + 8 to k + 15 of eight columns, then of
  /// the next eight. If K runs along the rows of the tile they already have the
  /// right layout, otherwise they are transposed.
  SmallVector<Value> rightFragments(Value stage, int64_t fragment,
                                    int64_t k) const {
    Value first = e.add(column, fragment * kN);
    if (right.columnsAlongK) {
      Value line = e.add(first, e.add(e.mul(laneIn(2, 16), 8), laneIn(8)));
      return loadMatrices(right, stage, line, e.add(e.mul(laneIn(2, 8), 8), k),
                          false);
    }
    return loadMatrices(right, stage, e.add(laneIn(16), k),
                        e.add(first, e.mul(laneIn(2, 16), 8)), true);
  }

  void multiplyFragment(ArrayRef<Value> a, ArrayRef<Value> b,
                        MutableArrayRef<Value> sums) const {
    using namespace NVVM;
    MMATypes operand =
        right.elementType().isBF16() ? MMATypes::bf16 : MMATypes::f16;
    Type f32 = e.builder.getF32Type();
    auto type = LLVM::LLVMStructType::getLiteral(e.builder.getContext(),
                                                 SmallVector<Type>(kSums, f32));
    Value result = MmaOp::create(e.builder, e.loc, type, a, b, ValueRange(sums),
                                 {kM, kN, kK}, std::nullopt, std::nullopt,
                                 std::array{operand, operand},
                                 std::array{MMALayout::row, MMALayout::col});
    for (int64_t i = 0; i < kSums; ++i)
      sums[i] = LLVM::ExtractValueOp::create(e.builder, e.loc, result, i);
  }

  Emitter &e;
  const SharedTile &left, &right;
  int64_t depth, rowBlocks, fragments;
  Value lane, row, column;
};
} // namespace

std::unique_ptr<TileMath>
hone::makeTensorMath(Emitter &e, const BlockTile &tile, Value thread,
                     const SharedTile &left, const SharedTile &right) {
  return std::make_unique<TensorMath>(e, tile, thread, left, right);
}
