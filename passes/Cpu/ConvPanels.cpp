// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Direct convolution on channels-last inputs with filters in panels: a register
// tile is some output pixels along the last spatial dimension x some vectors of
// output channels. Padding is never read: rows clamp the range of kernel
// elements, and border pixels are in separate tiles. Only for matrices are the
// ends of rows padded, in a copy.
#include "passes/Cpu/Contraction.h"
#include "passes/Cpu/Convolution.h"
#include "passes/Cpu/MatrixTile.h"
#include "passes/Cpu/Panels.h"
#include "passes/Cpu/RegisterTile.h"
#include "passes/Cpu/Schedule.h"
#include "passes/Machine/Estimate.h"
#include "passes/Machine/Tuning.h"
#include "llvm/ADT/bit.h"

using namespace mlir;
using namespace hone;
using hone::graph::KernelConvOp;

namespace {
/// Kernel elements [low, high) along the last dimension and the pixels of a
/// tile that they reach.
struct KernelRun {
  int64_t low, high;
  SmallVector<bool> pixels;
};

/// Consecutive equal tiles.
struct TileRun {
  int64_t rows, firstPixel, count;
  int64_t number; ///< Of the first in its row.
  SmallVector<KernelRun> kernel;
};

class PanelEmitter {
public:
  PanelEmitter(Emitter &e, const CpuMachine &machine, KernelConvOp op);
  void emit();

private:
  void planPrefetching();
  /// The tiles of a row; none if sizes are free or there are too many kinds.
  std::optional<SmallVector<TileRun>> planStaticRow() const;
  /// Sets what belongs to a tile of columns in its group, widens its panels if
  /// that is wanted, and runs `body`.
  using ColumnBody = function_ref<void(Value remaining)>;
  void atColumnTile(Value group, Value tile, ColumnBody body);
  void emitBlocks();
  void emitConvertedBlocks();
  void setRow(Value row, Value firstRow);
  void emitRow(Value remaining);
  void clearPadding();
  void convertRows(size_t d, Value source, Value tap, Value lastRow);
  void convertRow(Value source, Value target);
  void emitDynamicRow(Value remaining);
  void emitRowOfMatrices(Value remaining);
  /// `runs` as planned, or if null the range `low` to `high`. Null `existing`:
  /// all `rows` are pixels of the row.
  void emitTile(int64_t rows, Value firstPixel, ArrayRef<KernelRun> runs,
                Value low, Value high, Value remaining,
                Value existing = nullptr);
  SmallVector<Value> correct(const ProductTile &tile, Value firstPixel,
                             ValueRange sums);
  SmallVector<Value> emitKernel(const ProductTile &tile, size_t d,
                                Value aOffset, Value bOffset,
                                ArrayRef<KernelRun> runs, Value low, Value high,
                                ValueRange accumulators);
  SmallVector<Value> emitKernelRow(const ProductTile &tile, Value aOffset,
                                   Value bOffset, ArrayRef<bool> pixels,
                                   Value low, Value high,
                                   ValueRange accumulators);

  Emitter &e;
  const CpuMachine &machine;
  FlatBuffer input, filter;
  Epilogue epilogue;
  Window window;
  ProductTypes types;
  Type accumulator;
  const MicroKernel &form;
  int64_t group, lanes;
  Value groupIn, groupOut; ///< Channels of a group.
  size_t last;             ///< The last spatial dimension.
  TileShape shape;
  int64_t columns;        ///< Of a whole tile.
  int64_t columnTiles;    ///< Of a block.
  int64_t blockRows;      ///< Image rows.
  int64_t depth;          ///< Elements of a column.
  int64_t rowTiles = 0;   ///< Of a row whose tiles prefetch.
  int64_t prefetched = 0; ///< Elements of panels, by each step of a tile.
  bool packs;             ///< Panels are widened first.
  FlatBuffer wide;        ///< [kernel element, channel][column of the tile]
  FlatBuffer ordered; ///< Of a form that copies rows in the order of panels.
  /// The tiles of a row, if they are known.
  std::optional<SmallVector<TileRun>> staticRow;
  graph::PackedAttr layout;
  /// [kernel element of the outermost dimensions][row][pixel][channel of the
  /// group]: the rows of the input that a block reads, if they are converted.
  FlatBuffer converted;
  bool converts;
  ConvertedRows rowsRead = {0, 0, 0, false};
  Value rowPitch, pixelPitch; ///< Of what is read.
  /// Of a form with matrices.
  std::optional<MatrixRegisters> registers;
  PaddedRows padded = {0, 0, 0};

  // Of the current iteration:
  Value firstChannel, inputChannel;
  int64_t vectors = 0;             ///< Fewer in the last tile of a group.
  SmallVector<Value> panelOffsets; ///< One for each vector.
  PanelPlace place;                ///< Of the first.
  SmallVector<Value> outer;        ///< Output coordinates except the last two.
  Value rowInBlock, tileInRow;
  Value prefetchOffset; ///< Of what the tile prefetches.
};
} // namespace

PanelEmitter::PanelEmitter(Emitter &e, const CpuMachine &machine,
                           KernelConvOp op)
    : e(e), machine(machine),
      input(leftOperand(e, op.getInput(), op.getAccumulatorType())),
      filter(FlatBuffer::get(e, op.getFilter())),
      epilogue(e, op, SmallVector<int64_t>(input.sizes.size(), 1)),
      window(Window::get(e, op, input, epilogue.sizes)),
      types(ProductTypes::of(op)), accumulator(types.accumulator),
      form(*findMicroKernel(op.getSchedule()->getForm())), group(op.getGroup()),
      lanes(form.lanes(machine, accumulator)), last(window.spatial() - 1) {
  groupIn = e.div(window.channels, e.cst(group));
  groupOut = e.div(epilogue.sizes.back(), e.cst(group));
  graph::ScheduleAttr schedule = *op.getSchedule();
  shape = {schedule.getTileRows(), schedule.getTileVectors()};
  columns = shape.vectors * lanes;
  columnTiles = 1;
  blockRows = schedule.getBlockRows();
  packs = schedule.getPacked();
  if (!packs)
    columnTiles = std::max<int64_t>(schedule.getBlockColumns() / columns, 1);
  depth = panelRows(op);
  if (packs)
    wide = makeScratch(e, depth * columns, accumulator);
  layout = op.getPackedAttr();
  if (form.isOrdered)
    ordered = makeOrdered(e, shape.rows);
  if (!form.hasMatrices())
    staticRow = planStaticRow();
  planPrefetching();
  converts = isConverted(op, form);
  pixelPitch = converts ? groupIn : input.strides[window.bufferDim(last)];
  if (!converts)
    return;
  rowPitch = e.mul(window.in[last], groupIn);
  if (form.hasMatrices()) {
    padded = *paddedRows(op, shape.rows);
    registers.emplace(form, types, shape, padded.run);
    rowPitch = e.mul(groupIn, padded.pixels);
  }
  rowsRead = convertedRows(op, blockRows);
  // The last vector may be a part.
  converted = makeScratch(
      e, rowsRead.all() * *constantOf(rowPitch) + std::max(lanes, form.depth()),
      form.leftType(types));
  converted.isUnsigned = input.isUnsigned;
}

void PanelEmitter::planPrefetching() {
  std::optional<int64_t> channels = constantOf(groupOut);
  if (packs || !channels)
    return;
  if (staticRow && !staticRow->empty()) {
    rowTiles = staticRow->back().number + staticRow->back().count;
  } else if (form.hasMatrices() && last > 0) {
    // These hide nothing of what a block of rows before has brought.
    std::optional<int64_t> rows = constantOf(window.out[last - 1]);
    if (rows && *rows <= blockRows)
      rowTiles = llvm::divideCeil(*constantOf(window.out[last]), shape.rows);
  }
  if (rowTiles == 0)
    return;
  prefetched = prefetchedElements(
      machine, form, types,
      {estimateProduct(blockRows, rowTiles), columns, depth, depth, *channels});
}

void PanelEmitter::emit() {
  if (converts)
    emitConvertedBlocks();
  else
    emitBlocks();
}

void PanelEmitter::emitBlocks() {
  Value rows = e.cst(1);
  for (Value size : ArrayRef(epilogue.sizes).drop_back(2))
    rows = e.mul(rows, size);
  SmallVector<Value> sizes = {e.ceilDiv(rows, blockRows), e.cst(group),
                              e.ceilDiv(groupOut, columns)};
  Value count = e.mul(e.mul(sizes[0], sizes[1]), sizes[2]);

  emitForall(e, count, [&](Value index) {
    SmallVector<Value> block = e.delinearize(index, sizes);
    inputChannel = e.mul(block[1], groupIn);
    Value low = e.mul(block[0], blockRows);
    Value high = e.min(e.add(low, blockRows), rows);
    atColumnTile(block[1], block[2], [&](Value remaining) {
      e.loop(low, high, [&](Value row) {
        setRow(row, low);
        emitRow(remaining);
      });
    });
  });
}

/// Rows of a block belong to one image. What they read is converted once, and
/// each tile of columns then passes by all of them.
void PanelEmitter::emitConvertedBlocks() {
  ArrayRef<Value> outerSizes = ArrayRef(epilogue.sizes).drop_back(2);
  Value rows = last > 0 ? outerSizes.back() : e.cst(1), images = e.cst(1);
  for (Value size : outerSizes.drop_back(last > 0))
    images = e.mul(images, size);
  Value tilesPerGroup = e.ceilDiv(groupOut, columns);
  SmallVector<Value> sizes = {images, e.ceilDiv(rows, blockRows), e.cst(group),
                              e.ceilDiv(tilesPerGroup, columnTiles)};
  Value count = e.cst(1);
  for (Value size : sizes)
    count = e.mul(count, size);

  emitForall(e, count, [&](Value index) {
    SmallVector<Value> block = e.delinearize(index, sizes);
    inputChannel = e.mul(block[2], groupIn);
    Value inImage = e.mul(block[1], blockRows), image = e.mul(block[0], rows);
    Value end = e.min(e.add(inImage, blockRows), rows);
    Value low = e.add(image, inImage), high = e.add(image, end);
    if (registers) {
      registers->configure(e);
      clearPadding();
    }
    setRow(low, low);
    convertRows(0, e.add(e.mul(outer[0], input.strides[0]), inputChannel),
                e.cst(0), e.sub(end, e.cst(1)));
    Value firstTile = e.mul(block[3], columnTiles);
    Value lastTile = e.min(e.add(firstTile, columnTiles), tilesPerGroup);
    e.loop(firstTile, lastTile, [&](Value tile) {
      atColumnTile(block[2], tile, [&](Value remaining) {
        e.loop(low, high, [&](Value row) {
          setRow(row, low);
          if (registers)
            emitRowOfMatrices(remaining);
          else
            emitRow(remaining);
        });
      });
    });
    if (registers)
      registers->release(e);
  });
}

void PanelEmitter::atColumnTile(Value inGroups, Value tile, ColumnBody body) {
  Value column = e.mul(tile, columns);
  firstChannel = e.add(e.mul(inGroups, groupOut), column);
  Value panelSize = e.mul(groupIn, graph::kPanelWidth);
  for (int64_t size : window.kernel)
    panelSize = e.mul(panelSize, size);
  if (form.isOrdered)
    panelSize = filter.strides.front();
  Value panelsPerGroup = e.ceilDiv(groupOut, graph::kPanelWidth);
  auto emitColumns = [&](int64_t width, Value remaining) {
    vectors = width;
    panelOffsets.clear();
    for (int64_t v = 0; v < vectors; ++v) {
      PanelPlace inGroup = placeInPanels(
          e, columns, e.mul(tile, columns / graph::kPanelWidth), column,
          v * lanes, remaining ? panelsPerGroup : Value());
      Value panel = e.add(inGroup.panel, e.mul(inGroups, panelsPerGroup));
      if (v == 0)
        place = {panel, inGroup.column};
      panelOffsets.push_back(
          e.add(e.mul(panel, panelSize), e.mul(inGroup.column, form.kr)));
    }
    if (packs)
      emitWidening(e, form, accumulator, lanes, filter, panelOffsets,
                   e.cst(depth), wide, columns);
    body(remaining);
  };
  std::optional<int64_t> channels = constantOf(groupOut);
  int64_t left = channels ? *channels % columns : columns;
  auto whole = [&] { emitColumns(shape.vectors, nullptr); };
  if (left == 0)
    return whole();
  Value fits =
      e.cmp(arith::CmpIPredicate::sle, e.add(column, columns), groupOut);
  e.branch(fits, whole, [&] {
    Value remaining = channels ? e.cst(left) : e.sub(groupOut, column);
    emitColumns(llvm::divideCeil(left, lanes),
                left % lanes != 0 || !channels ? remaining : Value());
  });
}

std::optional<SmallVector<TileRun>> PanelEmitter::planStaticRow() const {
  std::optional<int64_t> pixels = constantOf(window.out[last]);
  if (!pixels || !constantOf(window.in[last]))
    return std::nullopt;
  RowSplit split = splitRows(std::max<int64_t>(*pixels, 1), shape.rows);
  SmallVector<TileRun> tiles;
  size_t loops = 0;
  for (int64_t i = 0, first = 0; first < *pixels;) {
    bool large = i < split.large;
    TileRun tile{large ? split.rows : split.rows - 1, first, 1, i, {}};
    tile.count = window.tilesAlike(last, first, tile.rows,
                                   split.large + (large ? 0 : split.small) - i);
    for (int64_t k = 0; k < window.kernel[last]; ++k) {
      KernelRun run{k, k + 1, {}};
      for (int64_t p = 0; p < tile.rows; ++p)
        run.pixels.push_back(window.isInside(last, first + p, k));
      if (llvm::none_of(run.pixels, [](bool inside) { return inside; }))
        continue;
      if (!tile.kernel.empty() && tile.kernel.back().high == k &&
          tile.kernel.back().pixels == run.pixels)
        tile.kernel.back().high = k + 1;
      else
        tile.kernel.push_back(run);
    }
    i += tile.count;
    first += tile.count * tile.rows;
    loops += std::max<size_t>(tile.kernel.size(), 1);
    if (loops > tuning::kMaxLoopsPerRow)
      return std::nullopt;
    tiles.push_back(std::move(tile));
  }
  return tiles;
}

void PanelEmitter::setRow(Value row, Value firstRow) {
  rowInBlock = e.sub(row, firstRow);
  outer = e.delinearize(row, ArrayRef(epilogue.sizes).drop_back(2));
}

void PanelEmitter::emitRow(Value remaining) {
  if (!staticRow)
    return emitDynamicRow(remaining);
  for (const TileRun &run : *staticRow)
    e.loop(e.cst(0), e.cst(run.count), [&](Value i) {
      Value pixel = e.add(e.mul(i, run.rows), run.firstPixel);
      tileInRow = e.add(i, run.number);
      emitTile(run.rows, pixel, run.kernel, nullptr, nullptr, remaining);
    });
}

/// Zeros at both ends of the rows that are converted. The last vector may reach
/// into what is converted later.
void PanelEmitter::clearPadding() {
  if (window.neverLeaves(last))
    return;
  Value zero = e.zero(VectorType::get({lanes}, converted.elementType()));
  auto clear = [&](Value from, Value to) {
    e.loop(from, to, lanes, {}, [&](Value i, ValueRange) {
      converted.store(e, i, zero);
      return SmallVector<Value>();
    });
  };
  Value low = e.mul(groupIn, padded.before);
  Value high = e.add(low, e.mul(groupIn, window.in[last]));
  e.loop(e.cst(0), e.cst(rowsRead.all()), [&](Value number) {
    Value row = e.mul(number, rowPitch);
    clear(row, e.add(row, low));
    clear(e.add(row, high), e.add(row, rowPitch));
  });
}

/// For the kernel's dimensions from `d` on; `tap` counts preceding kernel
/// elements. `lastRow` is that of the block in its image.
void PanelEmitter::convertRows(size_t d, Value source, Value tap,
                               Value lastRow) {
  if (d == last)
    return convertRow(source, e.cst(0));
  Value start = window.start(e, d, outer[d + 1]);
  Value pitch = input.strides[window.bufferDim(d)];
  if (d + 1 < last) {
    auto [low, high] = window.kernelRange(e, d, start);
    return e.loop(low, high, [&](Value k) {
      Value position = e.add(start, e.mul(k, window.dilations[d]));
      convertRows(d + 1, e.add(source, e.mul(position, pitch)),
                  e.add(e.mul(tap, window.kernel[d]), k), lastRow);
    });
  }
  auto convert = [&](Value position, Value row) {
    row = e.add(e.mul(tap, rowsRead.rows), row);
    convertRow(e.add(source, e.mul(position, pitch)), e.mul(row, rowPitch));
  };
  if (rowsRead.isShared) {
    Value end = e.add(window.start(e, d, lastRow), window.kernel[d]);
    return e.loop(
        e.max(start, e.cst(0)), e.min(end, window.in[d]),
        [&](Value position) { convert(position, e.sub(position, start)); });
  }
  Value firstRow = outer[d + 1];
  e.loop(firstRow, e.add(lastRow, e.cst(1)), [&](Value row) {
    Value start = window.start(e, d, row);
    Value first = e.mul(e.sub(row, firstRow), rowsRead.perOutput);
    auto [low, high] = window.kernelRange(e, d, start);
    e.loop(low, high, [&](Value k) {
      convert(e.add(start, e.mul(k, window.dilations[d])), e.add(first, k));
    });
  });
}

void PanelEmitter::convertRow(Value source, Value target) {
  auto convertRun = [&](Value from, Value to, Value count) {
    emitConversion(e, machine, form, types, lanes, input, from, converted, to,
                   count);
  };
  target = e.add(target, e.mul(groupIn, padded.before));
  if (group == 1)
    return convertRun(source, target, e.mul(window.in[last], groupIn));
  e.loop(e.cst(0), window.in[last], [&](Value pixel) {
    Value from = e.mul(pixel, input.strides[window.bufferDim(last)]);
    convertRun(e.add(source, from), e.add(target, e.mul(pixel, groupIn)),
               groupIn);
  });
}

/// Pixels whose windows may leave the input one by one, those between in tiles.
void PanelEmitter::emitDynamicRow(Value remaining) {
  Value zero = e.cst(0), pixels = window.out[last];
  int64_t size = window.kernel[last];
  auto [low, high] = window.interior(e, last);
  auto single = [&](Value pixel) {
    auto [kLow, kHigh] =
        window.kernelRange(e, last, window.start(e, last, pixel));
    emitTile(1, pixel, {}, kLow, kHigh, remaining);
  };
  auto inner = [&](int64_t rows, Value pixel) {
    emitTile(rows, pixel, {}, zero, e.cst(size), remaining);
  };
  e.loop(zero, low, single);
  Value count = e.sub(high, low);
  Value whole = e.sub(count, e.rem(count, e.cst(shape.rows)));
  Value end = e.add(low, whole);
  e.loop(low, end, shape.rows, {}, [&](Value pixel, ValueRange) {
    inner(shape.rows, pixel);
    return SmallVector<Value>();
  });
  Value rest = e.sub(high, end);
  for (int64_t rows = llvm::bit_floor<uint64_t>(shape.rows - 1); rows > 0;
       rows /= 2) {
    Value bit = e.rem(e.div(rest, e.cst(rows)), e.cst(2));
    e.branch(e.cmp(arith::CmpIPredicate::ne, bit, e.cst(0)),
             [&] { inner(rows, end); });
    end = e.add(end, e.mul(bit, rows));
  }
  e.loop(high, pixels, single);
}

/// All kernel elements of all pixels are in the padded rows.
void PanelEmitter::emitRowOfMatrices(Value remaining) {
  int64_t pixels = *constantOf(window.out[last]);
  int64_t rest = pixels % shape.rows, whole = pixels - rest;
  auto emit = [&](int64_t rows, Value pixel, Value existing) {
    tileInRow = e.div(pixel, e.cst(shape.rows));
    emitTile(rows, pixel, {}, e.cst(0), e.cst(window.kernel[last]), remaining,
             existing);
  };
  e.loop(e.cst(0), e.cst(whole), shape.rows, {}, [&](Value pixel, ValueRange) {
    emit(shape.rows, pixel, nullptr);
    return SmallVector<Value>();
  });
  if (rest)
    emit(llvm::alignTo(rest, registers->rows), e.cst(whole), e.cst(rest));
}

void PanelEmitter::emitTile(int64_t rows, Value firstPixel,
                            ArrayRef<KernelRun> runs, Value low, Value high,
                            Value remaining, Value existing) {
  std::unique_ptr<ProductTile> tile =
      makeTile(e, machine, tileForm(form, packs), registers, accumulator,
               {rows, vectors});
  Value aOffset = e.cst(0);
  if (!converts)
    aOffset = e.add(e.mul(outer[0], input.strides[0]), inputChannel);
  Value start = e.add(window.start(e, last, firstPixel), padded.before);
  aOffset = e.add(aOffset, e.mul(start, pixelPitch));
  if (prefetched) {
    // Of the panels of the next tile of columns, which follow in memory, the
    // share of this tile.
    Value inBlock = e.add(e.mul(rowInBlock, rowTiles), tileInRow);
    Value next = e.add(panelOffsets.front(), depth * columns);
    prefetchOffset = e.add(next, e.mul(inBlock, depth * prefetched));
  }
  SmallVector<Value> sums =
      emitKernel(*tile, 0, aOffset, e.cst(0), runs, low, high, tile->zeros());
  if (form.isOrdered)
    sums = correct(*tile, firstPixel, sums);
  tile->useSums(
      sums, existing,
      [&](Value first, int64_t count, ValueRange sums, Value existing) {
        SmallVector<Value> coordinates = outer;
        coordinates.push_back(e.add(firstPixel, first));
        coordinates.push_back(firstChannel);
        epilogue.emitTile(epilogue.at(coordinates), epilogue.rank() - 2, count,
                          sums.size() / count, {llvm::to_vector(sums)},
                          remaining, existing);
      });
}

/// Where a window may leave the input, what it reads is copied, or is 0.
SmallVector<Value> PanelEmitter::correct(const ProductTile &tile,
                                         Value firstPixel, ValueRange sums) {
  bool leaves = false;
  for (size_t d = 0; d <= last; ++d)
    leaves |= !window.neverLeaves(d);
  // Along dimension `d`, from the first element of a window on.
  auto along = [&](size_t d, Value coordinate, Value tap, Value &inside) {
    Value at =
        e.add(window.start(e, d, coordinate), e.mul(tap, window.dilations[d]));
    if (!leaves)
      return at;
    Value isInside = e.cmp(arith::CmpIPredicate::ult, at, window.in[d]);
    inside = inside ? arith::AndIOp::create(e.builder, e.loc, inside, isInside)
                    : isInside;
    return at;
  };
  auto rowsAt = [&](ArrayRef<Value> position) {
    Value inImage;
    Value offset = e.add(e.mul(outer[0], input.strides[0]), position[2]);
    if (last > 0)
      offset = e.add(offset, e.mul(along(0, outer[1], position[0], inImage),
                                   input.strides[window.bufferDim(0)]));
    SmallVector<Value> rows;
    for (int64_t p = 0; p < tile.shape.rows; ++p) {
      Value inside = inImage;
      Value x = along(last, e.add(firstPixel, p), position[1], inside);
      rows.push_back(e.add(offset, e.mul(x, pixelPitch)));
      if (!leaves)
        continue;
      Value source = rows[p];
      rows[p] = e.cst(p * form.kr);
      ordered.store(e, rows[p],
                    e.zero(VectorType::get({form.kr}, ordered.elementType())));
      // Nothing outside of the input exists, and an empty one has no inside.
      e.branch(inside, [&] {
        ordered.store(e, rows[p], input.load(e, source, form.kr));
      });
    }
    return rows;
  };
  return emitCorrections(e, tile, leaves ? ordered : input,
                         {filter, layout, depth}, place, rowsAt, sums);
}

/// Loops over the kernel's dimensions from `d` on. `bOffset` counts the
/// preceding kernel elements.
SmallVector<Value> PanelEmitter::emitKernel(const ProductTile &tile, size_t d,
                                            Value aOffset, Value bOffset,
                                            ArrayRef<KernelRun> runs, Value low,
                                            Value high,
                                            ValueRange accumulators) {
  Value outerTap = bOffset;
  bOffset = e.mul(bOffset, window.kernel[d]);
  if (d < last) {
    Value start = window.start(e, d, outer[d + 1]);
    auto [kLow, kHigh] = window.kernelRange(e, d, start);
    return e.loop(
        kLow, kHigh, 1, accumulators, [&](Value k, ValueRange carried) {
          Value position = e.add(start, e.mul(k, window.dilations[d]));
          Value a = aOffset;
          if (!converts) {
            a = e.add(a, e.mul(position, input.strides[window.bufferDim(d)]));
          } else if (d + 1 == last) {
            Value row = e.add(e.mul(outerTap, rowsRead.rows),
                              e.add(e.mul(rowInBlock, rowsRead.perOutput), k));
            a = e.add(a, e.mul(row, rowPitch));
          }
          return emitKernel(tile, d + 1, a, e.add(bOffset, k), runs, low, high,
                            carried);
        });
  }
  SmallVector<Value> values = llvm::to_vector(accumulators);
  for (const KernelRun &run : runs)
    values = emitKernelRow(tile, aOffset, bOffset, run.pixels, e.cst(run.low),
                           e.cst(run.high), values);
  if (runs.empty() && low)
    values = emitKernelRow(tile, aOffset, bOffset,
                           SmallVector<bool>(tile.shape.rows, true), low, high,
                           values);
  return values;
}

SmallVector<Value> PanelEmitter::emitKernelRow(const ProductTile &tile,
                                               Value aOffset, Value bOffset,
                                               ArrayRef<bool> pixels, Value low,
                                               Value high,
                                               ValueRange accumulators) {
  auto segmentAt = [&](Value k, Value count) {
    ProductTile::Segment segment(converts ? converted : input,
                                 packs ? wide : filter);
    int64_t bPitch = packs ? columns : graph::kPanelWidth;
    segment.count = count;
    segment.bStep = e.cst(bPitch);
    Value a =
        e.add(aOffset, e.mul(e.mul(k, window.dilations[last]), pixelPitch));
    segment.aPitch = e.mul(pixelPitch, window.strides[last]);
    for (int64_t p = 0; p < (registers ? 1 : tile.shape.rows); ++p)
      segment.aOffsets.push_back(
          pixels[p] ? e.add(a, e.mul(pixelPitch, p * window.strides[last]))
                    : Value());
    Value elements = e.mul(e.add(bOffset, k), groupIn);
    if (prefetched)
      segment.prefetch = {{e.add(prefetchOffset, e.mul(elements, prefetched))},
                          prefetched};
    Value b = e.mul(elements, bPitch);
    for (auto [v, panel] : llvm::enumerate(panelOffsets))
      segment.bOffsets.push_back(e.add(packs ? e.cst(v * lanes) : panel, b));
    if (form.isOrdered) {
      OrderedPanels panels = {filter, layout, depth};
      segment.order =
          e.add(panels.order(e, place), e.mul(e.add(bOffset, k), groupIn));
      segment.ordered = &ordered;
    }
    return segment;
  };
  // Adjacent kernel elements read adjacent inputs: one loop for all of them.
  Value count = e.mul(e.sub(high, low), groupIn);
  if (window.dilations[last] == 1 && (group == 1 || converts) &&
      (!form.isOrdered || constantOf(count)))
    return tile.accumulate(segmentAt(low, count), accumulators);
  return e.loop(low, high, 1, accumulators, [&](Value k, ValueRange carried) {
    return tile.accumulate(segmentAt(k, groupIn), carried);
  });
}

void hone::emitPanelConvolution(Emitter &e, const CpuMachine &machine,
                                KernelConvOp op) {
  PanelEmitter(e, machine, op).emit();
}
