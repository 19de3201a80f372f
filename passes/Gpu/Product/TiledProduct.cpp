// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tiled matrix products: how they are divided, and the epilogue, which reads
// the sums through shared memory so that adjacent threads handle adjacent
// elements and its code is emitted once.
#include "passes/Gpu/Product/TiledProduct.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "passes/Gpu/Product/TileLoop.h"
#include "passes/Machine/Estimate.h"
#include "passes/Machine/GpuTuning.h"

using namespace mlir;
using namespace hone;

/// Padding of staged rows of sums, in elements.
static constexpr int64_t kStagePadding = 8;

/// From large to small.
static constexpr BlockTile kTensorTiles[] = {
    {128, 128, 32, 2, 4, 3, true},
    {64, 64, 32, 2, 2, 4, true},
    {32, 64, 32, 1, 2, 4, true},
};
static constexpr BlockTile kScalarTiles[] = {
    {128, 128, 16, 4, 2, 2, false},
    {64, 64, 16, 2, 2, 2, false},
    {32, 32, 16, 2, 1, 2, false},
};

namespace {
class ProductEmitter {
public:
  ProductEmitter(Emitter &e, const Product &product)
      : e(e),
        machine(GpuMachine::of(e.builder.getInsertionBlock()->getParentOp())),
        product(product) {}
  void emit(Value condition);

private:
  bool usesTensorCores() const;
  bool isStatic() const;
  void chooseTile();
  SharedTile sliceOf(int64_t lines) const {
    return {nullptr, tile.k, lines, false, tile.tensorCores};
  }
  int64_t stagedRowBlocks() const;
  int64_t stagedBytes() const;

  void emitBlock(const ThreadPlace &place, ValueRange sizes);
  void emitEpilogue(const TileMath &math, ValueRange sums);
  void storeRowBlocks(const FlatBuffer &staged, int64_t rowBlock,
                      int64_t warpRows, int64_t width);
  int64_t storeWidth() const;
  int64_t partialWidth() const;
  void finish(ValueRange place, Value row, Value column, Value sum);
  void allocatePartials();
  Value partialAt(ValueRange place, Value number, Value row,
                  Value column) const;
  void emitSumOfPartials();

  Emitter &e;
  const GpuMachine &machine;
  const Product &product;
  BlockTile tile;
  int64_t splits = 1; ///< Blocks that share a sum.
  int64_t splitK = 0; ///< K per split: whole slices.
  FlatBuffer partials;
  Type sliceType; ///< Of elements in shared memory.

  // Of the current block:
  SmallVector<Value> batch;
  Value thread, shared, firstRow, firstColumn, split, firstK, endK;
};
} // namespace

bool ProductEmitter::usesTensorCores() const {
  return product.leftType == product.rightType &&
         (product.leftType.isF16() || product.leftType.isBF16()) &&
         product.accumulator.isF32();
}

/// The largest tile that gives enough blocks, dividing K among some of them if
/// possible.
void ProductEmitter::chooseTile() {
  ArrayRef<BlockTile> tiles(usesTensorCores() ? kTensorTiles : kScalarTiles);
  auto known = [](Value size) {
    return std::max<int64_t>(constantOf(size).value_or(tuning::kTypicalGpuSize),
                             1);
  };
  int64_t batches = 1;
  for (Value size : product.batch)
    batches = estimateProduct(batches, known(size));
  int64_t m = known(product.m), n = known(product.n);
  int64_t mostSplits = std::clamp<int64_t>(
      known(product.k) / tuning::kMinSplitK, 1, tuning::kMaxSplits);
  if (!isStatic())
    mostSplits = 1;
  // Tiles of wide elements do not fit.
  if (product.accumulator.getIntOrFloatBitWidth() > 32)
    tiles = tiles.drop_front();
  for (const BlockTile &candidate : tiles) {
    int64_t blocks = estimateProduct(
        estimateProduct(batches, llvm::divideCeil(m, candidate.m)),
        llvm::divideCeil(n, candidate.n));
    tile = candidate;
    splits = std::min<int64_t>(
        llvm::divideCeil(tuning::productBlocks(machine), blocks), mostSplits);
    if (4 * blocks * splits >= 3 * tuning::productBlocks(machine) &&
        2 * m > candidate.m && 2 * n > candidate.n)
      break;
  }
  // Whole slices for every split, and no empty split.
  int64_t slices = llvm::divideCeil(known(product.k), tile.k);
  splitK = llvm::divideCeil(slices, splits) * tile.k;
  splits = llvm::divideCeil(known(product.k), splitK);
}

/// Whether all sizes are known.
bool ProductEmitter::isStatic() const {
  auto isKnown = [](Value size) { return constantOf(size).has_value(); };
  return llvm::all_of(product.batch, isKnown) && isKnown(product.m) &&
         isKnown(product.n) && isKnown(product.k);
}

static int64_t bytesOfElements(int64_t count, Type type) {
  return count * type.getIntOrFloatBitWidth() / 8;
}

/// Number of 16-row blocks of every warp that are staged at a time.
int64_t ProductEmitter::stagedRowBlocks() const {
  int64_t rowBlocks = tile.warpM() / TileMath::kBlockRows;
  auto bytes = [&] {
    return bytesOfElements(tile.warpsM * rowBlocks * TileMath::kBlockRows *
                               (tile.n + kStagePadding),
                           product.accumulator);
  };
  while (rowBlocks > 1 && bytes() > machine.sharedBytes)
    rowBlocks /= 2;
  return rowBlocks;
}

int64_t ProductEmitter::stagedBytes() const {
  return bytesOfElements(tile.warpsM * stagedRowBlocks() *
                             TileMath::kBlockRows * (tile.n + kStagePadding),
                         product.accumulator);
}

void ProductEmitter::emit(Value condition) {
  chooseTile();
  sliceType = tile.tensorCores ? product.leftType : product.accumulator;
  if (splits > 1)
    allocatePartials();
  SmallVector<Value> sizes = product.batch;
  sizes.push_back(e.cst(splits));
  sizes.push_back(e.ceilDiv(product.m, tile.m));
  sizes.push_back(e.ceilDiv(product.n, tile.n));
  Value blocks = e.cst(1);
  for (Value size : sizes)
    blocks = e.mul(blocks, size);
  if (condition)
    blocks =
        arith::SelectOp::create(e.builder, e.loc, condition, blocks, e.cst(0));
  int64_t operandBytes = bytesOfElements(
      tile.stages * (sliceOf(tile.m).size() + sliceOf(tile.n).size()),
      sliceType);
  MemRefType bytes = sharedType({std::max(operandBytes, stagedBytes())},
                                e.builder.getI8Type());
  emitLaunch(e, blocks, tile.threads(), bytes,
             [&](const ThreadPlace &place) { emitBlock(place, sizes); });
  if (splits > 1)
    emitSumOfPartials();
}

void ProductEmitter::emitBlock(const ThreadPlace &place, ValueRange sizes) {
  thread = place.thread[0];
  shared = place.shared[0];
  SmallVector<Value> position = e.delinearize(place.block[0], sizes);
  firstColumn = e.mul(position.pop_back_val(), tile.n);
  firstRow = e.mul(position.pop_back_val(), tile.m);
  split = position.pop_back_val();
  batch = position;
  firstK = e.mul(split, splitK);
  endK = product.k;
  if (splits > 1)
    endK = e.min(e.add(firstK, splitK), product.k);

  auto [leftSource, rightSource] = product.operands(batch);
  bool tensor = tile.tensorCores;
  auto makeTile = [&](int64_t lines, bool columnsAlongK) {
    SharedTile result = sliceOf(lines);
    result.columnsAlongK = columnsAlongK;
    if (columnsAlongK)
      std::swap(result.rows, result.columns);
    return result;
  };
  SharedTile leftTile = makeTile(tile.m, tensor),
             rightTile = makeTile(tile.n, tensor && rightSource.alongK);
  int64_t leftSize = tile.stages * leftTile.size(),
          rightSize = tile.stages * rightTile.size();
  leftTile.memref = sharedView(e, shared, 0, leftSize, sliceType);
  rightTile.memref = sharedView(e, shared, bytesOfElements(leftSize, sliceType),
                                rightSize, sliceType);
  TileLoader left(e, leftSource, leftTile, tile.threads(), thread, firstRow),
      right(e, rightSource, rightTile, tile.threads(), thread, firstColumn);
  std::unique_ptr<TileMath> math =
      tensor ? makeTensorMath(e, tile, thread, leftTile, rightTile)
             : makeScalarMath(e, tile, thread, leftTile, rightTile,
                              product.accumulator);
  TileLoop loop{e, left, right, leftTile, rightTile, *math, firstK, endK};
  SmallVector<Value> sums =
      tensor ? loop.withCopies(tile.stages) : loop.throughRegisters();
  emitEpilogue(*math, sums);
}

void ProductEmitter::emitEpilogue(const TileMath &math, ValueRange sums) {
  int64_t atOnce = stagedRowBlocks(),
          rowBlocks = tile.warpM() / TileMath::kBlockRows;
  int64_t warpRows = atOnce * TileMath::kBlockRows,
          pitch = tile.n + kStagePadding;
  FlatBuffer staged;
  staged.memref = sharedView(e, shared, 0, tile.warpsM * warpRows * pitch,
                             product.accumulator);
  Value warp = e.div(thread, e.cst(kWarp));
  Value firstStaged = e.mul(e.div(warp, e.cst(tile.warpsN)), warpRows);
  for (int64_t rowBlock = 0; rowBlock < rowBlocks; rowBlock += atOnce) {
    if (rowBlock > 0)
      emitBarrier(e);
    for (int64_t i = 0; i < atOnce; ++i)
      math.write(rowBlock + i, sums, staged.memref, pitch,
                 e.add(firstStaged, i * TileMath::kBlockRows));
    emitBarrier(e);
    storeRowBlocks(staged, rowBlock, warpRows, storeWidth());
  }
}

/// Number of columns a thread stores at a time.
int64_t ProductEmitter::storeWidth() const {
  int64_t columns = contiguityOf(product.n);
  if (splits > 1)
    return std::min(columns, partialWidth());
  // Staged rows begin at multiples of the padding.
  return std::min(
      {product.epilogue->vectorWidth(kAccessBytes), columns, kStagePadding});
}

int64_t ProductEmitter::partialWidth() const {
  return kAccessBytes * 8 / product.accumulator.getIntOrFloatBitWidth();
}

/// Stores staged rows, `width` columns at a time.
void ProductEmitter::storeRowBlocks(const FlatBuffer &staged, int64_t rowBlock,
                                    int64_t warpRows, int64_t width) {
  int64_t pitch = tile.n + kStagePadding, across = tile.n / width;
  int64_t rowsAtOnce = tile.threads() / across;
  Value column = e.mul(e.rem(thread, e.cst(across)), width);
  Value threadRow = e.div(thread, e.cst(across));
  Value outColumn = e.add(firstColumn, column);
  Value columnExists = e.cmp(arith::CmpIPredicate::slt, outColumn, product.n);
  Value iterations =
      e.cst(llvm::divideCeil(tile.warpsM * warpRows, rowsAtOnce));
  e.loop(e.cst(0), iterations, [&](Value i) {
    Value stagedRow = e.add(e.mul(i, rowsAtOnce), threadRow);
    Value inTile = e.add(e.mul(e.div(stagedRow, e.cst(warpRows)), tile.warpM()),
                         e.rem(stagedRow, e.cst(warpRows)));
    Value outRow =
        e.add(e.add(firstRow, inTile), rowBlock * TileMath::kBlockRows);
    Value exists = both(e, columnExists,
                        e.cmp(arith::CmpIPredicate::slt, outRow, product.m));
    if (tile.warpsM * warpRows % rowsAtOnce != 0)
      exists = both(e, exists,
                    e.cmp(arith::CmpIPredicate::ult, stagedRow,
                          e.cst(tile.warpsM * warpRows)));
    e.branch(exists, [&] {
      Value place = e.add(e.mul(stagedRow, pitch), column);
      int64_t bytes = bytesOfElements(width, product.accumulator);
      Value sum = width == 1
                      ? staged.load(e, place)
                      : staged.load(e, place, width, nullptr,
                                    std::min<int64_t>(bytes, kAccessBytes));
      if (splits > 1)
        return partials.store(e, partialAt(batch, split, outRow, outColumn),
                              sum, nullptr, width == 1 ? 0 : bytes);
      finish(batch, outRow, outColumn, sum);
    });
  });
}

/// The epilogue on a scalar or on a vector.
void ProductEmitter::finish(ValueRange place, Value row, Value column,
                            Value sum) {
  Epilogue &epilogue = *product.epilogue;
  Epilogue::Cursor cursor =
      epilogue.at(product.coordinates(place, row, column));
  if (!isa<VectorType>(sum.getType()))
    return epilogue.emitScalar(cursor, sum);
  epilogue.setAligned(true);
  epilogue.emitTile(cursor, 0, 1, 1, {{sum}}, nullptr);
  epilogue.setAligned(false);
}

/// Sums of the splits, [splits][batch..][m][n].
void ProductEmitter::allocatePartials() {
  int64_t size = splits * *constantOf(product.m) * *constantOf(product.n);
  for (Value extent : product.batch)
    size *= *constantOf(extent);
  partials.memref = memref::AllocOp::create(
      e.builder, e.loc, MemRefType::get({size}, product.accumulator),
      ValueRange(), e.builder.getI64IntegerAttr(64));
}

Value ProductEmitter::partialAt(ValueRange place, Value number, Value row,
                                Value column) const {
  Value offset = number;
  for (auto [coordinate, extent] : llvm::zip_equal(place, product.batch))
    offset = e.add(e.mul(offset, extent), coordinate);
  offset = e.add(e.mul(offset, product.m), row);
  return e.add(e.mul(offset, product.n), column);
}

/// A second launch adds up the sums of the splits in order, so that results are
/// reproducible.
void ProductEmitter::emitSumOfPartials() {
  int64_t width = storeWidth();
  width = std::min(width, product.epilogue->vectorWidth(kAccessBytes));
  SmallVector<Value> sizes = product.batch;
  sizes.append({product.m, e.div(product.n, e.cst(width))});
  Value count = e.cst(1);
  for (Value size : sizes)
    count = e.mul(count, size);
  emitThreads(e, count, tuning::kGpuThreads, [&](Value number) {
    SmallVector<Value> place = e.delinearize(number, sizes);
    Value column = e.mul(place.pop_back_val(), width);
    Value row = place.pop_back_val();
    int64_t bytes = bytesOfElements(width, product.accumulator);
    Value sum;
    for (int64_t i = 0; i < splits; ++i) {
      Value offset = partialAt(place, e.cst(i), row, column);
      Value part = width == 1 ? partials.load(e, offset)
                              : partials.load(e, offset, width, nullptr, bytes);
      sum = sum ? e.sum(sum, part) : part;
    }
    finish(place, row, column, sum);
  });
}

void hone::emitTiledProduct(Emitter &e, const Product &product,
                            Value condition) {
  ProductEmitter(e, product).emit(condition);
}

void hone::emitProduct(Emitter &e, const Product &product) {
  if (product.accumulator.getIntOrFloatBitWidth() != 32)
    return emitTiledProduct(e, product, nullptr);
  Value isThin =
      e.cmp(arith::CmpIPredicate::sle, product.m, e.cst(tuning::kThinRows));
  std::optional<int64_t> known = constantOf(isThin);
  if (!known || *known)
    emitThinProduct(e, product,
                    constantOf(product.m).value_or(tuning::kThinRows),
                    known ? nullptr : isThin);
  if (known && *known)
    return;
  Value isThick =
      e.cmp(arith::CmpIPredicate::sgt, product.m, e.cst(tuning::kThinRows));
  emitTiledProduct(e, product, known ? nullptr : isThick);
}
