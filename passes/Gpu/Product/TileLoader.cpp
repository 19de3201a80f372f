// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Brings slices of an operand from global into shared memory. Elements outside
// an operand are never read; they count as 0.
#include "passes/Gpu/Product/TileLoader.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/NVGPU/IR/NVGPUDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace hone;

/// Elements of a chunk that is moved as a whole in a swizzled tile.
static constexpr int64_t kSwizzledChunk = 8;

int64_t hone::contiguityOf(Value size) {
  std::optional<int64_t> known = constantOf(size);
  if (!known)
    return 1;
  int64_t contiguity = 1;
  while (contiguity < 16 && *known % (2 * contiguity) == 0)
    contiguity *= 2;
  return contiguity;
}

TileSource hone::packedSource(Emitter &e, const FlatBuffer &buffer,
                              graph::PackedAttr packed, Value panels,
                              Value depth, Value first) {
  int64_t nr = packed.getNr(), kr = packed.getKr();
  TileSource source;
  source.buffer = buffer;
  source.lines = e.mul(panels, nr);
  source.depth = depth;
  source.alongK = false;
  source.contiguity = kr == 1 ? nr : 1;
  source.enter = [&e, depth, first, nr, kr](Value column) {
    Value panel = e.add(first, e.div(column, e.cst(nr)));
    Value start = e.mul(panel, e.mul(depth, nr));
    return SmallVector<Value>{
        e.add(start, e.mul(e.rem(column, e.cst(nr)), kr))};
  };
  source.at = [&e, nr, kr](ValueRange line, TileSource::KSlice slice,
                           Value inside) {
    Value k = e.add(slice.first, inside), inStep = e.rem(k, e.cst(kr));
    Value offset = e.add(e.mul(e.sub(k, inStep), nr), inStep);
    return TileSource::Place{e.add(line[0], offset), nullptr};
  };
  return source;
}

Type SharedTile::elementType() const {
  return cast<MemRefType>(memref.getType()).getElementType();
}

Value SharedTile::place(Emitter &e, Value stage, Value row,
                        Value column) const {
  Value start = e.add(stage, e.mul(row, pitch()));
  if (!swizzled)
    return e.add(start, column);
  // Banks repeat after eight chunks: shorter rows share a cycle.
  int64_t perRow = columns / kSwizzledChunk;
  int64_t rowsPerTurn = std::max<int64_t>(8 / perRow, 1);
  Value turn = e.rem(e.div(row, e.cst(rowsPerTurn)),
                     e.cst(std::min<int64_t>(perRow, 8)));
  Value chunk = e.div(column, e.cst(kSwizzledChunk));
  chunk = e.builder.createOrFold<arith::XOrIOp>(e.loc, chunk, turn);
  Value inChunk = e.rem(column, e.cst(kSwizzledChunk));
  return e.add(e.add(start, e.mul(chunk, kSwizzledChunk)), inChunk);
}

Value hone::sharedView(Emitter &e, Value bytes, int64_t firstByte, int64_t size,
                       Type elementType) {
  return memref::ViewOp::create(e.builder, e.loc,
                                sharedType({size}, elementType), bytes,
                                e.cst(firstByte), ValueRange());
}

Value hone::both(Emitter &e, Value a, Value b) {
  if (!a || !b)
    return a ? a : b;
  return e.builder.createOrFold<arith::AndIOp>(e.loc, a, b);
}

Type hone::runType(const TileSource &source, int64_t width) {
  Type element = source.buffer.elementType();
  return width == 1 ? element : VectorType::get({width}, element);
}

int64_t hone::runBytes(const TileSource &source, int64_t width) {
  int64_t bits = source.buffer.elementType().getIntOrFloatBitWidth();
  return width * std::max<int64_t>(bits / 8, 1);
}

/// Whether `size` is known to be a multiple of `slice`.
static bool isWhole(Value size, int64_t slice) {
  std::optional<int64_t> known = constantOf(size);
  return known && *known % slice == 0;
}

TileLoader::TileLoader(Emitter &e, const TileSource &source,
                       const SharedTile &tile, int64_t threads, Value thread,
                       Value firstLine)
    : e(e), source(source), tile(tile) {
  int64_t widest = std::max(source.buffer.elementType().getIntOrFloatBitWidth(),
                            tile.elementType().getIntOrFloatBitWidth()) /
                   8;
  int64_t lines = tile.lines(), depth = tile.depth();
  width =
      std::min({source.contiguity, std::max<int64_t>(kAccessBytes / widest, 1),
                lines * depth / threads});
  if (!tile.swizzled)
    width = std::min(width, SharedTile::kPadding);

  int64_t along = (source.alongK ? depth : lines) / width;
  bool everyLine = isWhole(source.lines, lines);
  for (int64_t i = 0; i < lines * depth / width; i += threads) {
    // If one of the two divides the other, the chunks of a thread are in one
    // column or row, and their addresses differ by constants.
    Value major, minor;
    if (threads % along == 0) {
      major = e.add(e.div(thread, e.cst(along)), i / along);
      minor = e.rem(thread, e.cst(along));
    } else if (along % threads == 0) {
      major = e.cst(i / along);
      minor = e.add(thread, i % along);
    } else {
      Value index = e.add(thread, i);
      major = e.div(index, e.cst(along));
      minor = e.rem(index, e.cst(along));
    }
    minor = e.mul(minor, width);
    Value line = source.alongK ? major : minor;
    Chunk chunk;
    chunk.k = source.alongK ? minor : major;
    chunk.row = tile.columnsAlongK ? line : chunk.k;
    chunk.column = tile.columnsAlongK ? chunk.k : line;
    line = e.add(firstLine, line);
    if (!everyLine)
      chunk.inside = e.cmp(arith::CmpIPredicate::ult, line, source.lines);
    chunk.line = source.enter(line);
    chunks.push_back(chunk);
  }
}

TileSource::Place TileLoader::placeOf(const Chunk &chunk, Value k) const {
  TileSource::Place place = source.at(chunk.line, {k, tile.depth()}, chunk.k);
  k = e.add(k, chunk.k);
  place.inside = both(e, chunk.inside, place.inside);
  if (!isWhole(source.depth, tile.depth()))
    place.inside = both(e, place.inside,
                        e.cmp(arith::CmpIPredicate::ult, k, source.depth));
  return place;
}

Value hone::loadRun(Emitter &e, const TileSource &source,
                    const TileSource::Place &place, int64_t width) {
  auto load = [&]() -> SmallVector<Value> {
    if (width == 1)
      return {source.buffer.load(e, place.offset)};
    return {source.buffer.load(e, place.offset, width, nullptr,
                               runBytes(source, width))};
  };
  if (!place.inside)
    return load()[0];
  Type type = runType(source, width);
  return e.select(place.inside, type, load,
                  [&]() -> SmallVector<Value> { return {e.zero(type)}; })[0];
}

SmallVector<Value> TileLoader::load(Value k) const {
  SmallVector<Value> values;
  for (const Chunk &chunk : chunks)
    values.push_back(loadRun(e, source, placeOf(chunk, k), width));
  return values;
}

void TileLoader::store(ValueRange values, Value stage) const {
  Type element = tile.elementType();
  for (size_t n = 0; n < chunks.size(); ++n) {
    const Chunk &chunk = chunks[n];
    Value value = source.buffer.extend(e, values[n], element);
    auto at = [&](int64_t i) {
      return tile.place(e, stage, e.add(chunk.row, i), chunk.column);
    };
    if (width == 1) {
      memref::StoreOp::create(e.builder, e.loc, value, tile.memref, at(0));
      continue;
    }
    if (source.alongK == tile.columnsAlongK) {
      int64_t bytes = width * element.getIntOrFloatBitWidth() / 8;
      vector::StoreOp::create(e.builder, e.loc, value, tile.memref, at(0),
                              /*nontemporal=*/false, llvm::MaybeAlign(bytes));
      continue;
    }
    for (int64_t i = 0; i < width; ++i)
      memref::StoreOp::create(
          e.builder, e.loc,
          vector::ExtractOp::create(e.builder, e.loc, value, i), tile.memref,
          at(i));
  }
}

void TileLoader::copy(Value k, Value stage) const {
  if (runBytes(source, width) != kAccessBytes ||
      source.alongK != tile.columnsAlongK)
    return store(load(k), stage);
  for (const Chunk &chunk : chunks) {
    TileSource::Place place = placeOf(chunk, k);
    Value count;
    if (place.inside) {
      auto pick = [&](Value a) -> Value {
        return arith::SelectOp::create(e.builder, e.loc, place.inside, a,
                                       e.cst(0));
      };
      place.offset = pick(place.offset);
      count = pick(e.cst(width));
    }
    nvgpu::DeviceAsyncCopyOp::create(
        e.builder, e.loc,
        nvgpu::DeviceAsyncTokenType::get(e.builder.getContext()), tile.memref,
        tile.place(e, stage, chunk.row, chunk.column), source.buffer.memref,
        place.offset, e.builder.getIndexAttr(width), count,
        e.builder.getUnitAttr());
  }
}
