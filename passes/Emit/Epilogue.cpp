// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Emits the epilogue region of a kernel operation on accumulators and stores
// the results.
#include "passes/Emit/Epilogue.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Emit/TransposeBlock.h"
#include "passes/Emit/VectorizeRegion.h"
#include "passes/Machine/Tuning.h"

using namespace mlir;
using namespace hone;

static bool isHeavy(Block &body) {
  int64_t count = 0;
  for (Operation &op : body.without_terminator()) {
    if (isa<math::MathDialect>(op.getDialect()) &&
        !isa<math::AbsFOp, math::FmaOp, math::RoundEvenOp, math::SqrtOp>(op))
      return true;
    count += !isa<arith::ConstantOp>(op);
  }
  return count > tuning::kMaxUnrolledEpilogue;
}

/// Index of the result of `map` that is dimension `dim`, or -1.
static int64_t findDim(AffineMap map, int64_t dim) {
  for (auto [i, expr] : llvm::enumerate(map.getResults()))
    if (auto dimExpr = dyn_cast<AffineDimExpr>(expr))
      if (dimExpr.getPosition() == dim)
        return i;
  return -1;
}

/// Whether elements have a uniform distance along dimensions `first` to `last`,
/// as one; true unless it is known that they have not.
static bool isUniform(MemRefType buffer, int64_t first, int64_t last) {
  SmallVector<int64_t> strides = buffer.getStridesAndOffset().first;
  std::optional<int64_t> expected;
  for (int64_t dim = last; dim >= first; --dim) {
    int64_t stride = strides[dim], size = buffer.getDimSize(dim);
    if (ShapedType::isDynamic(stride) || ShapedType::isDynamic(size))
      return true;
    if (size == 1)
      continue;
    if (expected && stride != *expected)
      return false;
    expected = stride * size;
  }
  return true;
}

bool Epilogue::canMerge(graph::KernelOpInterface op, int64_t first,
                        int64_t last) {
  auto type = cast<ShapedType>(op.getOuts().front().getType());
  if (auto buffer = dyn_cast<MemRefType>(type);
      buffer && !isUniform(buffer, first, last))
    return false;
  for (AffineMap map : op.getMaps().getAsValueRange<AffineMapAttr>()) {
    std::optional<int64_t> previous;
    for (int64_t dim = first; dim <= last; ++dim) {
      if (type.getDimSize(dim) == 1)
        continue;
      int64_t position = findDim(map, dim);
      if (previous &&
          (*previous < 0 ? position >= 0 : position != *previous + 1))
        return false;
      previous = position;
    }
  }
  return true;
}

static SmallVector<FlatBuffer> buffersOf(Emitter &e, ValueRange values) {
  SmallVector<FlatBuffer> buffers;
  for (Value value : values)
    buffers.push_back(FlatBuffer::get(e, value));
  return buffers;
}

/// `target` as a buffer of scores.
static FlatBuffer scoreBuffer(Emitter &e, ValueRange sizes, Value target,
                              int64_t pitch) {
  FlatBuffer buffer;
  buffer.memref = target;
  buffer.sizes = llvm::to_vector(sizes);
  buffer.strides.assign(sizes.size() - 2, e.cst(0));
  buffer.strides.append({e.cst(pitch), e.cst(1)});
  return buffer;
}

Epilogue::Epilogue(Emitter &e, graph::KernelAttentionOp op, ValueRange sizes,
                   Value target, int64_t pitch)
    : Epilogue(e, op, {scoreBuffer(e, sizes, target, pitch)},
               op.getScoreShape(), SmallVector<int64_t>(sizes.size(), 1)) {}

Epilogue::Epilogue(Emitter &e, graph::KernelOpInterface op,
                   ArrayRef<int64_t> groups)
    : Epilogue(e, op, buffersOf(e, op.getOuts()),
               cast<ShapedType>(op.getOuts().front().getType()).getShape(),
               groups) {}

Epilogue::Epilogue(Emitter &e, graph::KernelOpInterface op,
                   SmallVector<FlatBuffer> outBuffers, ArrayRef<int64_t> shape,
                   ArrayRef<int64_t> groups)
    : e(e), body(op.getEpilogue().front()),
      numAccumulators(op.getNumAccumulators()), outs(std::move(outBuffers)) {
  for (Value value : op.getExtras())
    extras.push_back({FlatBuffer::get(e, value), {}});

  int64_t dim = 0;
  for (int64_t group : groups) {
    Value size = e.cst(1);
    for (int64_t i = dim; i < dim + group; ++i)
      size = e.mul(size, outs.front().sizes[i]);
    assert(group == 1 || canMerge(op, dim, dim + group - 1));
    sizes.push_back(size);
    outStrides.push_back(outs.front().strides[dim + group - 1]);
    for (auto [extra, map] : llvm::zip_equal(
             extras, op.getMaps().getAsValueRange<AffineMapAttr>())) {
      Value stride = e.cst(0);
      for (int64_t i = dim; i < dim + group; ++i)
        if (int64_t position = findDim(map, i); position >= 0 && shape[i] != 1)
          stride = extra.buffer.strides[position];
      extra.strides.push_back(stride);
    }
    dim += group;
  }

  heavy = isHeavy(body);
  transposes = constantOf(outStrides.back()) != 1;
  vectorizes = isElementwiseBlock(body);
  for (Extra &extra : extras) {
    std::optional<int64_t> stride = constantOf(extra.strides.back());
    vectorizes &= stride && (*stride == 0 || *stride == 1);
  }
}

Epilogue::Cursor Epilogue::at(ValueRange coordinates) const {
  Cursor cursor;
  auto offset = [&](ArrayRef<Value> strides) {
    Value result = e.cst(0);
    for (auto [coordinate, stride] : llvm::zip_equal(coordinates, strides))
      result = e.add(result, e.mul(coordinate, stride));
    return result;
  };
  for (const Extra &extra : extras)
    cursor.extras.push_back(offset(extra.strides));
  cursor.out = offset(outStrides);
  return cursor;
}

Epilogue::Cursor Epilogue::moved(const Cursor &cursor, size_t axis,
                                 Value delta) const {
  Cursor result;
  for (auto [extra, offset] : llvm::zip_equal(extras, cursor.extras))
    result.extras.push_back(e.add(offset, e.mul(delta, extra.strides[axis])));
  result.out = e.add(cursor.out, e.mul(delta, outStrides[axis]));
  return result;
}

SmallVector<Value> Epilogue::evaluate(const Cursor &cursor,
                                      ValueRange accumulators) const {
  SmallVector<Value> arguments = llvm::to_vector(accumulators);
  auto type = dyn_cast<VectorType>(accumulators.front().getType());
  int64_t lanes = type ? type.getNumElements() : 1;
  for (auto [i, extra] : llvm::enumerate(extras)) {
    Value offset = cursor.extras[i];
    arguments.push_back(type ? loadExtra(i, offset, lanes, nullptr)
                             : extra.buffer.load(e, offset));
  }
  if (!type)
    return cloneBlock(e.builder, body, arguments);
  return *vectorizeBlock(e.builder, body, arguments, lanes);
}

void Epilogue::emitScalar(const Cursor &cursor, ValueRange accumulators) const {
  for (auto [out, value] :
       llvm::zip_equal(outs, evaluate(cursor, accumulators)))
    out.store(e, cursor.out, value);
}

int64_t Epilogue::vectorWidth(int64_t bytes) const {
  std::optional<int64_t> columns = constantOf(sizes.back());
  if (!vectorizes || transposes || !columns || *columns == 0)
    return 1;
  int64_t width = bytes;
  while (*columns % width != 0)
    width /= 2;
  auto limit = [&](Type element) {
    int64_t bits = element.isIntOrFloat() ? element.getIntOrFloatBitWidth() : 0;
    width =
        bits < 8 ? 1 : std::min(width, std::max<int64_t>(bytes * 8 / bits, 1));
  };
  for (const FlatBuffer &out : outs)
    if (out.memref)
      limit(out.elementType());
  for (const Extra &extra : extras)
    limit(extra.buffer.elementType());
  return width;
}

int64_t Epilogue::alignmentOf(const FlatBuffer &buffer, int64_t lanes) const {
  if (!aligned)
    return 0;
  return lanes * buffer.elementType().getIntOrFloatBitWidth() / 8;
}

Value Epilogue::loadExtra(size_t i, Value offset, int64_t lanes,
                          Value mask) const {
  const Extra &extra = extras[i];
  if (constantOf(extra.strides.back()) != 0)
    return extra.buffer.load(e, offset, lanes, mask,
                             alignmentOf(extra.buffer, lanes));
  auto type = VectorType::get({lanes}, extra.buffer.elementType());
  return vector::BroadcastOp::create(e.builder, e.loc, type,
                                     extra.buffer.load(e, offset));
}

Value hone::makeMask(Emitter &e, Value remaining, Value column, int64_t lanes) {
  if (!remaining)
    return nullptr;
  auto type = VectorType::get({lanes}, e.builder.getI1Type());
  return vector::CreateMaskOp::create(e.builder, e.loc, type,
                                      e.sub(remaining, column));
}

void hone::forVectors(Emitter &e, Value count, int64_t lanes,
                      function_ref<void(Value column, Value mask)> body) {
  Value rest = e.rem(count, e.cst(lanes)), whole = e.sub(count, rest);
  e.loop(e.cst(0), whole, lanes, {}, [&](Value column, ValueRange) {
    body(column, nullptr);
    return SmallVector<Value>();
  });
  if (constantOf(rest) != 0)
    body(whole, makeMask(e, rest, e.cst(0), lanes));
}

bool Epilogue::hasVectors(size_t rowAxis) const {
  return vectorizes && (!transposes || constantOf(outStrides[rowAxis]) == 1);
}

void Epilogue::emitTile(const Cursor &cursor, size_t rowAxis, int64_t rows,
                        int64_t vectors,
                        ArrayRef<SmallVector<Value>> accumulators,
                        Value remaining, Value existing) {
  int64_t lanes =
      cast<VectorType>(accumulators[0][0].getType()).getNumElements();
  if (hasVectors(rowAxis) && (!heavy || rows * vectors <= 2))
    emitLight(cursor, rowAxis, rows, vectors, lanes, accumulators, remaining,
              existing);
  else
    emitLoop(cursor, rowAxis, rows, vectors, lanes, accumulators, remaining,
             existing);
}

void Epilogue::emitLight(const Cursor &cursor, size_t rowAxis, int64_t rows,
                         int64_t vectors, int64_t lanes,
                         ArrayRef<SmallVector<Value>> accumulators,
                         Value remaining, Value existing) {
  size_t columnAxis = sizes.size() - 1;
  SmallVector<Value> masks;
  for (int64_t v = 0; v < vectors; ++v)
    masks.push_back(makeMask(e, remaining, e.cst(v * lanes), lanes));

  // Row-invariant operands are loaded once; stores come last, since they may
  // alias operands. Rows that do not exist repeat the last row's store.
  SmallVector<SmallVector<Value>> fixed(extras.size(),
                                        SmallVector<Value>(vectors));
  SmallVector<SmallVector<Value>> results;
  SmallVector<Value> offsets;
  for (int64_t r = 0; r < rows; ++r) {
    Value step = e.cst(r);
    if (existing && r > 0)
      step = e.min(step, e.sub(existing, e.cst(1)));
    Cursor row = moved(cursor, rowAxis, step);
    for (int64_t v = 0; v < vectors; ++v) {
      Cursor place = moved(row, columnAxis, e.cst(v * lanes));
      SmallVector<Value> arguments;
      for (unsigned i = 0; i < numAccumulators; ++i)
        arguments.push_back(accumulators[i][r * vectors + v]);
      for (size_t i = 0; i < extras.size(); ++i) {
        Value &kept = fixed[i][v];
        if (!kept || constantOf(extras[i].strides[rowAxis]) != 0)
          kept = loadExtra(i, place.extras[i], lanes, masks[v]);
        arguments.push_back(kept);
      }
      results.push_back(*vectorizeBlock(e.builder, body, arguments, lanes));
      offsets.push_back(place.out);
    }
  }
  for (auto [o, out] : llvm::enumerate(outs)) {
    if (transposes) {
      storeTransposed(
          cursor, rowAxis, rows, vectors, out,
          [&](int64_t r, int64_t v) { return results[r * vectors + v][o]; },
          remaining, existing);
      continue;
    }
    for (size_t i = 0; i < results.size(); ++i)
      out.store(e, offsets[i], results[i][o], masks[i % vectors],
                alignmentOf(out, lanes));
  }
}

/// Stores a tile of results in a buffer that is contiguous along its rows:
/// vectors of rows, one for each column.
void Epilogue::storeTransposed(
    const Cursor &cursor, size_t rowAxis, int64_t rows, int64_t vectors,
    const FlatBuffer &out,
    function_ref<Value(int64_t row, int64_t vector)> valueOf, Value remaining,
    Value existing) {
  assert(constantOf(outStrides[rowAxis]) == 1);
  size_t columnAxis = sizes.size() - 1;
  std::optional<int64_t> known =
      remaining ? constantOf(remaining) : std::nullopt;
  for (int64_t v = 0; v < vectors; ++v) {
    int64_t lanes = cast<VectorType>(valueOf(0, v).getType()).getNumElements();
    for (int64_t first = 0; first < rows; first += lanes) {
      int64_t count = std::min(lanes, rows - first);
      SmallVector<Value> block;
      for (int64_t r = 0; r < lanes; ++r)
        block.push_back(valueOf(first + std::min(r, count - 1), v));
      Value end = existing ? existing : count < lanes ? e.cst(rows) : Value();
      Value mask = makeMask(e, end, e.cst(first), lanes);
      Cursor row = moved(cursor, rowAxis, e.cst(first));
      for (auto [lane, values] : llvm::enumerate(transposeBlock(e, block))) {
        int64_t column = v * lanes + lane;
        if (known && column >= *known)
          break;
        Value offset = moved(row, columnAxis, e.cst(column)).out;
        auto store = [&, values = values] {
          out.store(e, offset, values, mask);
        };
        if (!remaining || known || column == 0)
          store();
        else
          e.branch(e.cmp(arith::CmpIPredicate::slt, e.cst(column), remaining),
                   store);
      }
    }
  }
}

void Epilogue::emitLoop(const Cursor &cursor, size_t rowAxis, int64_t rows,
                        int64_t vectors, int64_t lanes,
                        ArrayRef<SmallVector<Value>> accumulators,
                        Value remaining, Value existing) {
  size_t columnAxis = sizes.size() - 1;
  int64_t columns = vectors * lanes;
  auto provide = [&](SmallVector<FlatBuffer> &tiles, size_t i, Type type) {
    tiles.resize(std::max(tiles.size(), i + 1));
    if (!tiles[i].memref || *constantOf(tiles[i].sizes[0]) < rows * columns)
      tiles[i] = makeScratch(e, rows * columns, type);
  };
  for (unsigned i = 0; i < numAccumulators; ++i) {
    provide(scratch, i, getElementTypeOrSelf(accumulators[i][0]));
    for (auto [n, value] : llvm::enumerate(accumulators[i]))
      scratch[i].store(e, e.cst(n * lanes), value);
  }
  bool inVectors = hasVectors(rowAxis), isStoredLater = transposes && inVectors;
  if (isStoredLater)
    for (auto [o, out] : llvm::enumerate(outs))
      provide(resultScratch, o, out.elementType());
  Value count = e.cst(columns);
  if (remaining && !inVectors)
    count = e.min(count, remaining);
  Value rowCount = e.cst(rows);
  if (existing)
    rowCount = e.min(rowCount, existing);
  e.loop(e.cst(0), rowCount, [&](Value r) {
    Cursor row = moved(cursor, rowAxis, r);
    Value rowStart = e.mul(r, columns);
    e.loop(e.cst(0), count, inVectors ? lanes : 1, {},
           [&](Value c, ValueRange) -> SmallVector<Value> {
             Cursor place = moved(row, columnAxis, c);
             Value start = e.add(rowStart, c);
             SmallVector<Value> arguments;
             if (!inVectors) {
               for (unsigned i = 0; i < numAccumulators; ++i)
                 arguments.push_back(scratch[i].load(e, start));
               emitScalar(place, arguments);
               return {};
             }
             Value mask = makeMask(e, remaining, c, lanes);
             for (unsigned i = 0; i < numAccumulators; ++i)
               arguments.push_back(scratch[i].load(e, start, lanes));
             for (size_t i = 0; i < extras.size(); ++i)
               arguments.push_back(loadExtra(i, place.extras[i], lanes, mask));
             SmallVector<Value> values =
                 *vectorizeBlock(e.builder, body, arguments, lanes);
             for (auto [o, out] : llvm::enumerate(outs))
               if (isStoredLater)
                 resultScratch[o].store(e, start, values[o]);
               else
                 out.store(e, place.out, values[o], mask);
             return {};
           });
  });
  if (!isStoredLater)
    return;
  for (auto [o, out] : llvm::enumerate(outs))
    storeTransposed(
        cursor, rowAxis, rows, vectors, out,
        [&, tile = resultScratch[o]](int64_t r, int64_t v) {
          return tile.load(e, e.cst(r * columns + v * lanes), lanes);
        },
        remaining, existing);
}
