// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Chooses the schedule of each kernel operation from its type and the machine.
#include "dialects/Graph/Graph.h"
#include "passes/Cpu/ContractionPasses.h"
#include "passes/Cpu/MatrixTile.h"
#include "passes/Cpu/RegisterTile.h"
#include "passes/Cpu/Schedule.h"
#include "passes/Emit/Contraction.h"
#include "passes/Machine/Estimate.h"
#include "passes/Machine/Tuning.h"
#include <numeric>

namespace hone {
#define GEN_PASS_DEF_SCHEDULEKERNELSPASS
#include "passes/Cpu/ContractionPasses.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using namespace hone::graph;

static bool isKnown(int64_t size) { return !ShapedType::isDynamic(size); }

static int64_t sizeOr(int64_t size, int64_t otherwise) {
  return isKnown(size) ? size : otherwise;
}

static int64_t bytesOf(Type type) { return type.getIntOrFloatBitWidth() / 8; }

namespace {
/// A schedule under construction.
struct Plan {
  FormedTile tile;
  int64_t blockRows = 0, blockColumns = 0, blockK = 0;
  bool packed = false;

  ScheduleAttr attr(MLIRContext *context) const {
    return ScheduleAttr::get(context, tile.form->name, tile.rows, tile.vectors,
                             blockRows, blockColumns, blockK, packed);
  }
};
} // namespace

/// The most rows of the left-hand side, `stride` bytes apart, for which the L1
/// cache keeps the lines that a step along K reads: more of them map to one of
/// its sets than it has ways.
static int64_t maxCachedRows(const CpuMachine &machine, int64_t stride) {
  if (!isKnown(stride) || stride <= 0)
    return std::numeric_limits<int64_t>::max();
  int64_t wayBytes = machine.l1Bytes / machine.l1Ways;
  int64_t sets = wayBytes / std::gcd(stride, wayBytes);
  return sets * machine.l1Ways;
}

/// How K is multiplied: in `segments` of as many elements each.
struct Depth {
  int64_t segments, elements;
};

/// How tiles read the right-hand side.
struct RhsReads {
  bool widened;          ///< From panels that were widened beforehand.
  bool inPlace;          ///< Operands that are no matrices.
  bool streams;          ///< Each vector from a panel of its own.
  bool unpacked = false; ///< From few bits, in registers.
};

/// The cycles in which the panels for a step of a tile arrive, unless the L1
/// cache keeps them from one of several tiles of rows to the next.
static double panelCycles(const CpuMachine &machine, const MicroKernel &form,
                          int64_t vectors, Depth depth, int64_t rowTiles) {
  double bytes = double(vectors * form.vectorBits(machine) / 8);
  if (rowTiles > 1 && isKnown(depth.elements) &&
      bytes * depth.segments * depth.elements / form.kr <= machine.l1Bytes / 2)
    return 0;
  return bytes / tuning::kL2BytesPerCycle;
}

/// The tile of matrices of a form with the fewest cycles, for a step of `kr`
/// elements, and these; none if K is not known.
static std::pair<FormedTile, double>
chooseMatrices(const CpuMachine &machine, const MicroKernel &form,
               const ProductTypes &types, int64_t m, int64_t n, Depth depth) {
  FormedTile best;
  double bestCost = std::numeric_limits<double>::infinity();
  if (!isKnown(depth.elements) || depth.elements == 0)
    return {best, bestCost};
  double products = llvm::divideCeil(depth.elements, form.depth());
  double steps = double(depth.segments) * depth.elements / form.kr;
  auto consider = [&](int64_t vectors) {
    TileShape shape{maxTileRows(machine, form, vectors), vectors};
    while (shape.rows > 0 &&
           !MatrixRegisters(form, types, shape, depth.elements).fit())
      shape.rows -= matrix::kRows;
    if (shape.rows <= 0)
      return;
    if (m < matrix::kRows)
      shape.rows = std::max<int64_t>(m, 1);
    auto cost = [&](int64_t rows) {
      int64_t matrices = llvm::divideCeil(rows, matrix::kRows) * vectors;
      return std::max(form.stepCycles(machine, rows, vectors),
                      panelCycles(machine, form, vectors, depth,
                                  llvm::divideCeil(m, shape.rows))) *
                 matrix::kDepth * products * depth.segments +
             matrices * tuning::kMatrixOverhead;
    };
    double column = m / shape.rows * cost(shape.rows);
    if (int64_t rest = m % shape.rows)
      column += cost(rest);
    double total =
        llvm::divideCeil(n, vectors * matrix::kColumns) * column / steps;
    if (total < bestCost) {
      bestCost = total;
      best = {&form, shape.rows, vectors};
    }
  };
  for (int64_t vectors : {1, 2, 3})
    consider(vectors);
  return {best, bestCost};
}

/// The form and the tile, among those whose width is a multiple or a divisor of
/// a panel, that take the fewest cycles for `m` x `n` outputs; sizes that are
/// not known count as large. Rows of the left-hand side are as many bytes apart
/// as `strideOf` says.
static FormedTile
chooseTile(const CpuMachine &machine, const ProductTypes &types, int64_t m,
           int64_t n, Depth depth, RhsReads rhs,
           function_ref<int64_t(const MicroKernel &)> strideOf) {
  int64_t rowsOfM = sizeOr(m, 1 << 12), columns = sizeOr(n, 1 << 12);
  FormedTile best;
  double bestCost = std::numeric_limits<double>::infinity();
  auto consider = [&](const MicroKernel &form, int64_t vectors) {
    int64_t lanes = form.lanes(machine, types.accumulator);
    if (form.isOrdered && vectors * lanes != PackedAttr::kHalf)
      return;
    int64_t perPanel = kPanelWidth / lanes;
    if (vectors % perPanel != 0 && perPanel % vectors != 0)
      return;
    const MicroKernel &inTile = tileForm(form, rhs.widened);
    int64_t cachedRows = maxCachedRows(machine, strideOf(form));
    int64_t maxRows =
        std::min(maxTileRows(machine, inTile, vectors), cachedRows);
    // With one row each right-hand vector is used once, from memory.
    if (maxRows * vectors + (maxRows > 1 ? vectors * inTile.instructions : 1) >=
        machine.vectorRegisters)
      return;
    RowSplit split = splitRows(std::max<int64_t>(rowsOfM, 1), maxRows);
    auto cost = [&](int64_t width) {
      double small =
          split.small ? inTile.stepCycles(machine, split.rows - 1, width) : 0;
      double large = inTile.stepCycles(machine, split.rows, width);
      if (rhs.unpacked)
        large +=
            double(width * tuning::kUnpackingInstructions) / machine.fmaPorts;
      else if (!rhs.inPlace) // Of forms that wait for panels, the faster.
        large = std::max(large, 0.01 * large +
                                    panelCycles(machine, inTile, width, depth,
                                                split.large + split.small));
      return split.large * large + split.small * small;
    };
    int64_t whole = columns / (vectors * lanes);
    int64_t left = columns % (vectors * lanes);
    double total = whole * cost(vectors);
    if (left)
      total += cost((left + lanes - 1) / lanes);
    total *= form.kr / inTile.kr;
    // Of tiles that are as fast, those of one kind: with two, the code is twice
    // as large, and LLVM hoists what both have out of the loops around them.
    if (split.small)
      total *= 1 + tuning::kSecondTileCost;
    // Streams evict rows that are all in one set of the L1 cache.
    if (rhs.streams && cachedRows <= machine.l1Ways)
      total *= 1 + tuning::kStreamCost * vectors;
    // Of forms that need as many instructions, the narrower.
    total += 1e-3 * form.vectorBits(machine) / machine.vectorBits;
    // Few rows stream the right-hand side: the wider tile has more streams.
    if (total < bestCost ||
        (rowsOfM <= 2 && &form == best.form && total <= bestCost * 1.05)) {
      bestCost = total;
      best = {&form, maxRows, vectors};
    }
  };
  for (const MicroKernel &form : microKernels()) {
    if (!form.fits(machine, types))
      continue;
    if (form.hasMatrices()) {
      if (rhs.inPlace)
        continue;
      auto [tile, cost] =
          chooseMatrices(machine, form, types, rowsOfM, columns, depth);
      if (cost < bestCost) {
        bestCost = cost;
        best = tile;
      }
      continue;
    }
    for (int64_t vectors = 1; vectors <= 8; ++vectors)
      consider(form, vectors);
  }
  return best;
}

/// Whether rows of the right-hand side are copied to contiguous memory: they
/// are columns in memory, or several elements of a column should lie together,
/// or they conflict in the L1 cache and are read often enough, or so often that
/// panels should be widened beforehand.
static bool isPacked(const CpuMachine &machine, const ProductShape &shape) {
  switch (shape.layout) {
  case RhsLayout::Packed:
    return isKnown(shape.m) && shape.m >= tuning::kMinRowsOfWidened &&
           isKnown(shape.k);
  case RhsLayout::Quantized:
    return !isUnpackedInRegisters(shape);
  case RhsLayout::Transposed:
    return !isDotProduct(shape);
  case RhsLayout::RowMajor:
    return shape.types.kr > 1 ||
           ((!isKnown(shape.n) ||
             estimateProduct(shape.n, bytesOf(shape.types.rhs)) >=
                 tuning::collidingBytes(machine)) &&
            (!isKnown(shape.m) || shape.m >= tuning::kMinPackedRows));
  }
  llvm_unreachable("all layouts are above");
}

/// Bytes of an element of the left-hand side as tiles read it.
static int64_t tiledLhsBytes(const ProductShape &shape,
                             const MicroKernel &form) {
  return bytesOf(isConverted(shape, form) ? form.leftType(shape.types)
                                          : shape.types.lhs);
}

/// Elements of K in a chunk of quantized weights, a power of two, or 0 for all
/// of them: few rows read them from the L1 cache.
static int64_t chooseQuantizedChunk(const CpuMachine &machine,
                                    const ProductShape &shape, const Plan &plan,
                                    int64_t limit, int64_t columns) {
  if (shape.fewRows || (isKnown(shape.m) && shape.m <= plan.tile.rows))
    limit = std::min(limit, machine.l1Bytes / 2 /
                                (columns * bytesOf(shape.types.rhs)));
  limit =
      std::max<int64_t>(llvm::bit_floor<uint64_t>(limit), shape.packed.getKr());
  if (shape.types.codeBits) // Blocks are whole.
    limit = llvm::alignTo(limit, shape.quantized.getBlock());
  return limit >= shape.k ? 0 : limit;
}

/// Elements of K in a chunk, or 0 for all of them: the rows of a block and the
/// columns of a tile are read repeatedly, and must stay in the L2 cache. Chunks
/// are equal, but for quantized weights.
static int64_t chooseChunk(const CpuMachine &machine, const ProductShape &shape,
                           const Plan &plan, int64_t columns) {
  if (isReadInPlace(shape) || shape.k == 0 || plan.tile.form->isOrdered)
    return 0;
  bool isWidened = shape.layout == RhsLayout::Packed && plan.packed;
  if (!isKnown(shape.k))
    return plan.packed || isConverted(shape, *plan.tile.form) ? tuning::kPackedK
                                                              : 0;
  int64_t lhsBytes = tiledLhsBytes(shape, *plan.tile.form);
  int64_t rows =
      sizeOr(shape.m,
             plan.tile.rows * (shape.fewRows ? 1 : tuning::kDynamicBlockTiles));
  int64_t cache = tuning::productBlockBytes(machine);
  int64_t bytesOfK = estimateProduct(shape.k, lhsBytes);
  bool rowsFit =
      estimateProduct(bytesOfK, std::min(rows, tuning::kMinBlockRows)) <= cache;
  int64_t rhsBytes =
      bytesOf(isWidened ? shape.types.accumulator : shape.types.rhs);
  bool columnsFit = rows <= 2 * plan.tile.rows ||
                    estimateProduct(shape.k, columns * rhsBytes) <= cache;
  int64_t limit = shape.k;
  if (!rowsFit || !columnsFit)
    limit =
        std::min(cache / (std::min(rows, 2 * tuning::kMinBlockRows) * lhsBytes),
                 cache / 2 / (columns * rhsBytes));
  if (plan.packed && !isWidened)
    limit = std::min(limit, tuning::kPackedK);
  if (shape.quantized)
    return chooseQuantizedChunk(machine, shape, plan, limit, columns);
  int64_t unit = std::max(kPanelWidth, plan.tile.form->depth());
  limit = std::max(limit, unit);
  if (limit >= shape.k)
    return 0;
  int64_t chunks = llvm::divideCeil(shape.k, limit);
  return llvm::alignTo(llvm::divideCeil(shape.k, chunks), unit);
}

/// Of `tiles` of columns, those in a block whose rows are converted for all of
/// them: fewer if `others`, the blocks along all other dimensions, are few.
static int64_t chooseColumnTiles(const CpuMachine &machine, int64_t tiles,
                                 int64_t others,
                                 int64_t most = tuning::kConvertedTiles) {
  int64_t wanted = llvm::divideCeil(tuning::balancedBlocks(machine),
                                    std::max<int64_t>(others, 1));
  return std::clamp<int64_t>(tiles / wanted, 1, most);
}

static int64_t chooseColumnTiles(const CpuMachine &machine,
                                 const ProductShape &shape, int64_t columns) {
  int64_t most =
      shape.types.codeBits ? tuning::kQuantizedTiles : tuning::kConvertedTiles;
  int64_t tiles = llvm::divideCeil(
      std::max<int64_t>(sizeOr(shape.n, most * columns), 1), columns);
  int64_t balancedBlocks = tuning::balancedBlocks(machine);
  int64_t others = isKnown(shape.m)
                       ? llvm::divideCeil(shape.m, tuning::kMinBlockRows)
                       : balancedBlocks;
  return chooseColumnTiles(
      machine, tiles,
      estimateProduct(others, estimateProduct(shape.batch, balancedBlocks)),
      most);
}

/// Tiles of rows in a block: as many as the L2 cache holds, in equal blocks,
/// and fewer if columns and batches provide few blocks.
static int64_t chooseRowTiles(const CpuMachine &machine,
                              const ProductShape &shape, const Plan &plan,
                              int64_t columns) {
  int64_t rows = plan.tile.rows;
  int64_t typicalK = sizeOr(shape.k, tuning::kTypicalK);
  int64_t bytesPerTile =
      estimateProduct(plan.blockK ? plan.blockK : typicalK,
                      rows * tiledLhsBytes(shape, *plan.tile.form));
  if (shape.types.codeBits) // And their sums.
    bytesPerTile += rows * columns * static_cast<int64_t>(sizeof(float));
  int64_t fitting = std::max<int64_t>(tuning::productBlockBytes(machine) /
                                          std::max<int64_t>(bytesPerTile, 1),
                                      1);
  if (!isKnown(shape.m))
    return std::min(fitting, tuning::kDynamicBlockTiles);
  int64_t tiles = llvm::divideCeil(shape.m, rows);
  int64_t perBlock = std::max<int64_t>(std::min(fitting, tiles), 1);

  int64_t balancedBlocks = tuning::balancedBlocks(machine);
  int64_t others = estimateProduct(shape.batch, balancedBlocks);
  others = estimateProduct(
      others,
      llvm::divideCeil(sizeOr(shape.n, balancedBlocks * columns), columns));
  int64_t workPerTile = estimateProduct(typicalK, rows * columns);
  int64_t least = std::clamp<int64_t>(
      tuning::kMinBlockMacs / std::max<int64_t>(workPerTile, 1), 1, perBlock);
  if (shape.quantized) {
    int64_t wantedRows = shape.types.codeBits ? tuning::kMinRowsPerCodes
                                              : tuning::kMinRowsPerUnpacking;
    int64_t tilesPerUnpacking = llvm::divideCeil(wantedRows, rows);
    least = std::max(least, std::min(tilesPerUnpacking, perBlock));
  }
  int64_t blocks = llvm::divideCeil(tiles, perBlock);
  int64_t wanted =
      llvm::divideCeil(balancedBlocks, std::max<int64_t>(others, 1));
  blocks = std::max<int64_t>({blocks, std::min(wanted, tiles / least), 1});
  return std::max<int64_t>(llvm::divideCeil(tiles, blocks), 1);
}

/// The tile of a product, with which `planProduct` begins.
static FormedTile chooseProductTile(const CpuMachine &machine,
                                    const ProductShape &shape) {
  auto strideOf = [&](const MicroKernel &form) {
    return isKnown(shape.lhsPitch) && !isConverted(shape, form)
               ? estimateProduct(shape.lhsPitch, bytesOf(shape.types.lhs))
               : ShapedType::kDynamic;
  };
  // Few rows are no matrix.
  bool isMatrix = isKnown(shape.m) || !shape.fewRows;
  FormedTile tile = chooseTile(
      machine, shape.types, shape.m, shape.n,
      {1, isMatrix ? shape.paddedK() : ShapedType::kDynamic},
      {isPacked(machine, shape), isDotProduct(shape),
       shape.layout == RhsLayout::Packed, isUnpackedInRegisters(shape)},
      strideOf);
  if (tile.form->hasMatrices())
    return tile;
  if (!isKnown(shape.m) && shape.fewRows) {
    bool fewWeights = isKnown(shape.k) && isKnown(shape.n) &&
                      estimateProduct(shape.k, shape.n) <= tuning::kFewWeights;
    tile.rows = std::min(tile.rows, fewWeights ? 2 : tuning::kFewRows);
  }
  if (isDotProduct(shape)) {
    tile.rows = 1;
    tile.vectors = 2;
  } else if (isUnpackedInRegisters(shape)) {
    tile.rows = std::max<int64_t>(shape.m, 1);
    tile.vectors = std::max<int64_t>(tuning::kUnpackedVectors / tile.rows, 1);
  } else if (isKnown(shape.m)) {
    tile.rows = splitRows(std::max<int64_t>(shape.m, 1), tile.rows).rows;
  }
  return tile;
}

static Plan planProduct(const CpuMachine &machine, const ProductShape &shape,
                        const std::optional<FormedTile> &tile) {
  Plan plan{tile ? *tile : chooseProductTile(machine, shape)};
  plan.packed =
      isPacked(machine, shape) && (shape.layout != RhsLayout::Packed ||
                                   widensPanels(*plan.tile.form, shape.types));
  int64_t columns = plan.tile.columns(machine, shape.types);
  plan.blockK = chooseChunk(machine, shape, plan, columns);
  if (isConverted(shape, *plan.tile.form))
    plan.blockColumns = columns * chooseColumnTiles(machine, shape, columns);
  plan.blockRows =
      plan.tile.rows * chooseRowTiles(machine, shape, plan,
                                      std::max(plan.blockColumns, columns));
  return plan;
}

/// The most rows of a block for which the L2 cache keeps the input rows that
/// are converted, beside the panels that pass by.
static int64_t maxConvertedRows(const CpuMachine &machine, KernelConvOp op,
                                int64_t rowElements, int64_t bytes) {
  auto fits = [&](int64_t rows) {
    return estimateProduct({convertedRows(op, rows).all(), rowElements,
                            bytes}) <= tuning::convolutionBlockBytes(machine);
  };
  int64_t rows = 1;
  while (rows < tuning::kMaxConvertedRows && fits(rows + 1))
    ++rows;
  return rows;
}

/// Image rows in a block: as many as the L2 cache holds for all tiles of
/// channels, in equal blocks, and fewer if channels provide few blocks.
static Plan planConvolution(const CpuMachine &machine, KernelConvOp op,
                            const std::optional<FormedTile> &tile) {
  auto input = cast<ShapedType>(op.getInput().getType()),
       out = cast<ShapedType>(op.getOuts().front().getType());
  int64_t last = out.getRank() - 2, group = op.getGroup();
  auto perGroup = [&](int64_t channels) {
    return isKnown(channels) ? channels / group : channels;
  };
  int64_t groupOut = perGroup(out.getShape().back());
  int64_t channelsIn = input.getShape().back();
  ProductTypes types = ProductTypes::of(op);
  auto strideOf = [&](const MicroKernel &form) {
    if (!isKnown(channelsIn))
      return channelsIn;
    int64_t elements = estimateProduct(channelsIn, op.getStrides().back());
    if (!isConverted(op, form))
      return estimateProduct(elements, bytesOf(types.lhs));
    return estimateProduct(elements / group, bytesOf(form.leftType(types)));
  };
  Depth depth{1, ShapedType::kDynamic};
  if (std::optional<PaddedRows> rows = paddedRows(op, matrix::kMaxTileRows))
    depth = {panelRows(op) / std::max<int64_t>(rows->run, 1), rows->run};
  // Panels that are read for many pixels are widened beforehand.
  ArrayRef<int64_t> image = out.getShape().drop_back();
  bool packed = !ShapedType::isDynamicShape(image) &&
                estimateProduct(image) >= tuning::kMinRowsOfWidened &&
                estimateProduct(panelRows(op),
                                2 * kPanelWidth * bytesOf(types.accumulator)) <=
                    tuning::widenedBytes(machine);
  Plan plan{tile ? *tile
                 : chooseTile(machine, types, out.getDimSize(last), groupOut,
                              depth,
                              {packed, /*inPlace=*/false, /*streams=*/true},
                              strideOf)};
  plan.packed = packed && widensPanels(*plan.tile.form, types);
  int64_t columns = plan.tile.columns(machine, types);

  auto known = [](int64_t size, int64_t otherwise) {
    return std::max<int64_t>(sizeOr(size, otherwise), 1);
  };
  int64_t channels = known(input.getShape().back(), 64);
  int64_t rowBytes = estimateProduct(
      estimateProduct(known(input.getDimSize(last), 64), channels),
      bytesOf(input.getElementType()));
  if (last > 1)
    rowBytes = estimateProduct(rowBytes, op.getStrides()[last - 2]);
  int64_t rows = 1;
  for (int64_t size : out.getShape().drop_back(2))
    rows = estimateProduct(rows, known(size, 16));
  int64_t fitting = std::clamp<int64_t>(
      tuning::convolutionBlockBytes(machine) / rowBytes, 1, rows);

  int64_t tiles = llvm::divideCeil(known(groupOut, 64), columns);
  if (isConverted(op, *plan.tile.form)) {
    int64_t pixels = known(input.getDimSize(last), 64);
    if (std::optional<PaddedRows> padded = paddedRows(op, plan.tile.rows))
      pixels = padded->pixels;
    fitting = std::min(
        fitting,
        maxConvertedRows(machine, op, estimateProduct(pixels, channels) / group,
                         bytesOf(plan.tile.form->leftType(types))));
    // Rows are converted for each block of columns; panels that the L2 cache
    // does not keep arrive for each block of rows.
    bool staysInL2 =
        estimateProduct({panelRows(op), known(groupOut, 64),
                         bytesOf(types.rhs)}) <= machine.l2Bytes / 2;
    int64_t rowBlocks = staysInL2 ? rows : llvm::divideCeil(rows, fitting);
    int64_t columnTiles =
        chooseColumnTiles(machine, tiles, estimateProduct(group, rowBlocks));
    plan.blockColumns = columnTiles * columns;
    tiles = llvm::divideCeil(tiles, columnTiles);
  }
  tiles = estimateProduct(tiles, group);
  int64_t work =
      estimateProduct(estimateProduct(known(out.getDimSize(last), 16), columns),
                      channels) /
      group;
  work = estimateProduct(work, estimateProduct(op.getKernel()));
  int64_t least = std::clamp<int64_t>(
      tuning::kMinBlockMacs / std::max<int64_t>(work, 1), 1, rows);
  int64_t wanted = std::max<int64_t>(
      llvm::divideCeil(tuning::balancedBlocks(machine), tiles), 1);
  fitting = std::min(fitting,
                     std::max<int64_t>(least, llvm::divideCeil(rows, wanted)));
  // Blocks of rows that are converted belong to one image.
  if (isConverted(op, *plan.tile.form) && last > 1)
    rows = known(out.getDimSize(last - 1), 16);
  int64_t blocks = llvm::divideCeil(rows, std::min(fitting, rows));
  plan.blockRows = llvm::divideCeil(rows, blocks);
  return plan;
}

/// Rows of a tile: all tiles have as many, and repeat the last row if there are
/// fewer. Ties go to the taller.
static int64_t chooseAttentionRows(const CpuMachine &machine,
                                   const MicroKernel &form, int64_t rows,
                                   int64_t maxRows, int64_t vectors) {
  if (!isKnown(rows) || rows == 0)
    return maxRows;
  int64_t best = maxRows;
  double bestCost = std::numeric_limits<double>::infinity();
  for (int64_t tile = maxRows; 2 * tile > maxRows; --tile) {
    double cost =
        llvm::divideCeil(rows, tile) *
        (form.stepCycles(machine, tile, vectors) + tuning::kTileOverhead);
    if (cost < bestCost) {
      bestCost = cost;
      best = tile;
    }
  }
  return best;
}

static FormedTile chooseAttentionTile(const CpuMachine &machine,
                                      KernelAttentionOp op) {
  FormedTile tile;
  tile.form = &chooseMicroKernel(machine, ProductTypes::of(op));
  tile.vectors = tuning::kAttentionVectors;
  auto query = cast<ShapedType>(op.getQuery().getType());
  int64_t stride = query.getShape().back();
  if (op.getQueryByRow() && isKnown(stride)) {
    int64_t heads = query.getDimSize(query.getRank() - 2);
    stride = isKnown(heads) ? estimateProduct(stride, heads) : heads;
  }
  if (isKnown(stride))
    stride = estimateProduct(stride, bytesOf(query.getElementType()));
  SmallVector<int64_t> scores = op.getScoreShape();
  int64_t rows = scores[scores.size() - 2];
  int64_t maxRows = std::min(maxTileRows(machine, *tile.form, tile.vectors),
                             maxCachedRows(machine, stride));
  tile.rows =
      chooseAttentionRows(machine, *tile.form, rows, maxRows, tile.vectors);
  return tile;
}

static Plan planAttention(const CpuMachine &machine, KernelAttentionOp op,
                          const std::optional<FormedTile> &tile) {
  SmallVector<int64_t> scores = op.getScoreShape();
  int64_t keys = scores.pop_back_val(), rows = scores.pop_back_val();
  Plan plan{tile ? *tile : chooseAttentionTile(machine, op)};
  int64_t columns = plan.tile.columns(machine, ProductTypes::of(op));
  plan.blockColumns =
      std::clamp<int64_t>(llvm::alignTo(std::min(sizeOr(keys, kMaxEstimate),
                                                 tuning::kAttentionKeys),
                                        columns),
                          columns, tuning::kAttentionKeys);
  int64_t most = std::clamp<int64_t>(
      tuning::scoresBytes(machine) /
          (plan.blockColumns * static_cast<int64_t>(sizeof(float))),
      tuning::kAttentionRows, tuning::kMaxAttentionRows);
  int64_t tiles = llvm::divideCeil(sizeOr(rows, most), plan.tile.rows);
  int64_t blocks = llvm::divideCeil(sizeOr(rows, most), most);
  int64_t batches = 1, balancedBlocks = tuning::balancedBlocks(machine);
  for (int64_t size : scores)
    batches = estimateProduct(
        batches, std::max<int64_t>(sizeOr(size, balancedBlocks), 1));
  blocks = std::max<int64_t>(
      {blocks,
       std::min(balancedBlocks / batches, tiles / tuning::kMinAttentionTiles),
       1});
  plan.blockRows =
      std::max<int64_t>(llvm::divideCeil(tiles, blocks), 1) * plan.tile.rows;
  return plan;
}

ScheduleAttr hone::chooseSchedule(ScheduledOpInterface op,
                                  const CpuMachine &machine,
                                  std::optional<FormedTile> tile) {
  Plan plan;
  if (auto matmul = dyn_cast<KernelMatmulOp>(*op)) {
    plan = planProduct(machine, ProductShape::of(matmul), tile);
  } else if (auto conv = dyn_cast<KernelConvOp>(*op)) {
    std::optional<ProductShape> product = ProductShape::of(conv);
    plan = product ? planProduct(machine, *product, tile)
                   : planConvolution(machine, conv, tile);
  } else {
    plan = planAttention(machine, cast<KernelAttentionOp>(*op), tile);
  }
  return plan.attr(op->getContext());
}

namespace {
struct ScheduleKernelsPass
    : hone::impl::ScheduleKernelsPassBase<ScheduleKernelsPass> {
  using Base::Base;

  void runOnOperation() override {
    const CpuMachine &machine = CpuMachine::of(getOperation());
    getOperation().walk([&](ScheduledOpInterface op) {
      if (!op.takesSchedule() || op.getScheduleAttr())
        return;
      if (ProductTypes::of(op).isOrdered && !machine.multipliesOrderedBytes()) {
        op->emitError("has panels in an order that ")
            << machine.name << " does not multiply";
        return signalPassFailure();
      }
      op.setScheduleAttr(chooseSchedule(op, machine));
    });
  }
};
} // namespace
