// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A tile of sums in registers that are matrices (AMX). Their numbers are in the
// instructions, so they are state and no values.
#include "passes/Cpu/MatrixTile.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "passes/Emit/KernelTypes.h"
#include "passes/Machine/Tuning.h"

using namespace mlir;
using namespace hone;

static void call(Emitter &e, StringRef intrinsic, ValueRange operands) {
  LLVM::CallIntrinsicOp::create(e.builder, e.loc,
                                e.builder.getStringAttr(intrinsic), operands);
}

static Value registerNumber(Emitter &e, int64_t number) {
  return arith::ConstantIntOp::create(e.builder, e.loc, number, 8);
}

static Value addressOf(Emitter &e, const FlatBuffer &buffer, Value offset) {
  Value base = memref::ExtractAlignedPointerAsIndexOp::create(e.builder, e.loc,
                                                              buffer.memref);
  Value address = arith::IndexCastOp::create(
      e.builder, e.loc, e.builder.getI64Type(),
      e.add(base, e.mul(offset, bytesOfElement(buffer.elementType()))));
  return LLVM::IntToPtrOp::create(
      e.builder, e.loc, LLVM::LLVMPointerType::get(e.builder.getContext()),
      address);
}

/// Loads or stores a register; rows of the matrix are `pitch` elements apart.
static void move(Emitter &e, StringRef intrinsic, int64_t number,
                 const FlatBuffer &buffer, Value offset, Value pitch) {
  Value stride = arith::IndexCastOp::create(
      e.builder, e.loc, e.builder.getI64Type(),
      e.mul(pitch, bytesOfElement(buffer.elementType())));
  call(e, intrinsic,
       {registerNumber(e, number), addressOf(e, buffer, offset), stride});
}

static constexpr StringLiteral kLoad = "llvm.x86.tileloadd64",
                               kStore = "llvm.x86.tilestored64";

//===-- MatrixRegisters ---------------------------------------------------===//

MatrixRegisters::MatrixRegisters(const MicroKernel &form,
                                 const ProductTypes &types, TileShape shape,
                                 int64_t count)
    : rows(std::min(shape.rows, matrix::kRows)),
      matrices(llvm::divideCeil(shape.rows, matrix::kRows)),
      vectors(shape.vectors), accumulator(types.accumulator),
      hasWhole(count >= form.depth()),
      restBytes(count % form.depth() * bytesOfElement(types.rhs)) {}

bool MatrixRegisters::fit() const {
  int64_t operands = int64_t(hasWhole) + (restBytes != 0);
  return matrices * vectors + operands * (matrices + vectors) <=
         matrix::kRegisters;
}

/// The operand of LDTILECFG: the number of the palette, then for each register
/// the bytes of a row, from byte 16 on, and its rows, from byte 48 on.
void MatrixRegisters::configure(Emitter &e) {
  sums =
      makeScratch(e, matrices * rows * vectors * matrix::kColumns, accumulator);
  SmallVector<int8_t> bytes(64, 0);
  bytes[0] = 1;
  auto set = [&](int64_t number, int64_t rows, int64_t rowBytes) {
    bytes[16 + 2 * number] = rowBytes;
    bytes[48 + number] = rows;
  };
  for (int64_t matrix = 0; matrix < matrices; ++matrix)
    for (int64_t vector = 0; vector < vectors; ++vector)
      set(sum(matrix, vector), rows, matrix::kRowBytes);
  auto setOperands = [&](int64_t depthBytes, bool isRest) {
    for (int64_t matrix = 0; matrix < matrices; ++matrix)
      set(left(matrix, isRest), rows, depthBytes);
    for (int64_t vector = 0; vector < vectors; ++vector)
      set(right(vector, isRest), depthBytes / 4, matrix::kRowBytes);
  };
  if (hasWhole)
    setOperands(matrix::kRowBytes, /*isRest=*/false);
  if (restBytes)
    setOperands(restBytes, /*isRest=*/true);
  FlatBuffer memory = makeScratch(e, bytes.size(), e.builder.getI8Type());
  auto type = VectorType::get({int64_t(bytes.size())}, e.builder.getI8Type());
  memory.store(e, e.cst(0),
               arith::ConstantOp::create(
                   e.builder, e.loc,
                   DenseElementsAttr::get(type, ArrayRef<int8_t>(bytes))));
  call(e, "llvm.x86.ldtilecfg", addressOf(e, memory, e.cst(0)));
}

void MatrixRegisters::release(Emitter &e) const {
  call(e, "llvm.x86.tilerelease", {});
}

//===-- MatrixTile --------------------------------------------------------===//

MatrixTile::MatrixTile(Emitter &e, const MicroKernel &form,
                       const MatrixRegisters &registers, TileShape shape)
    : ProductTile(shape, matrix::kColumns), e(e), form(form),
      registers(registers),
      matrices(llvm::divideCeil(shape.rows, registers.rows)) {
  assert(matrices <= registers.matrices && shape.vectors <= registers.vectors);
}

SmallVector<Value> MatrixTile::zeros() const {
  for (int64_t matrix = 0; matrix < matrices; ++matrix)
    for (int64_t vector = 0; vector < shape.vectors; ++vector)
      call(e, "llvm.x86.tilezero",
           registerNumber(e, registers.sum(matrix, vector)));
  return {};
}

void MatrixTile::multiply(const Segment &segment, Value k, bool isRest) const {
  auto loadLeft = [&](int64_t matrix) {
    Value row = e.mul(segment.aPitch, matrix * registers.rows);
    move(e, kLoad, registers.left(matrix, isRest), segment.a,
         e.add(e.add(segment.aOffsets.front(), row), k), segment.aPitch);
  };
  // The elements of a step follow each other.
  Value pitch = e.mul(segment.bStep, form.kr);
  auto loadRight = [&](int64_t vector) {
    move(e, kLoad, registers.right(vector, isRest), segment.b,
         e.add(segment.bOffsets[vector], e.mul(k, segment.bStep)), pitch);
  };
  for (int64_t matrix = 0; matrix < matrices; ++matrix) {
    loadLeft(matrix);
    for (int64_t vector = 0; vector < shape.vectors; ++vector) {
      if (matrix == 0)
        loadRight(vector);
      call(e, form.matrixProduct,
           {registerNumber(e, registers.sum(matrix, vector)),
            registerNumber(e, registers.left(matrix, isRest)),
            registerNumber(e, registers.right(vector, isRest))});
    }
  }
}

SmallVector<Value> MatrixTile::accumulate(const Segment &segment,
                                          ValueRange) const {
  Value rest = e.rem(segment.count, e.cst(form.depth()));
  Value whole = e.sub(segment.count, rest);
  if (registers.hasWhole) {
    e.loop(e.cst(0), whole, form.depth(), {}, [&](Value k, ValueRange) {
      prefetch(e, segment, k, form.depth());
      multiply(segment, k, /*isRest=*/false);
      return SmallVector<Value>();
    });
    forbidUnrolling(e);
  }
  if (registers.restBytes)
    e.branch(e.cmp(arith::CmpIPredicate::ne, rest, e.cst(0)),
             [&] { multiply(segment, whole, /*isRest=*/true); });
  return {};
}

void MatrixTile::forEachSum(const SumsInMemory &sums,
                            StringRef intrinsic) const {
  for (int64_t matrix = 0; matrix < matrices; ++matrix)
    for (int64_t vector = 0; vector < shape.vectors; ++vector)
      move(e, intrinsic, registers.sum(matrix, vector), sums.buffer,
           e.add(sums.offset,
                 matrix * registers.rows * sums.pitch + vector * lanes),
           e.cst(sums.pitch));
}

void MatrixTile::accumulateIn(const SumsInMemory &sums,
                              const Segment &segment) const {
  forEachSum(sums, kLoad);
  accumulate(segment, {});
  forEachSum(sums, kStore);
}

void MatrixTile::useSums(ValueRange, Value existing, UseSums use) const {
  SumsInMemory sums{registers.sums, e.cst(0), shape.vectors * lanes};
  forEachSum(sums, kStore);
  useSums(sums, existing, use);
}

/// A few rows at a time stay in vector registers.
void MatrixTile::useSums(const SumsInMemory &sums, Value existing,
                         UseSums use) const {
  Value rows = existing ? existing : e.cst(shape.rows);
  auto useRows = [&](Value first, int64_t count) {
    SmallVector<Value> values;
    for (int64_t row = 0; row < count; ++row)
      for (int64_t vector = 0; vector < shape.vectors; ++vector) {
        Value offset = e.add(sums.offset, e.mul(e.add(first, row), sums.pitch));
        values.push_back(
            sums.buffer.load(e, e.add(offset, vector * lanes), lanes));
      }
    use(first, count, values, nullptr);
  };
  constexpr int64_t several = tuning::kRowsOfSums;
  Value whole = e.sub(rows, e.rem(rows, e.cst(several)));
  e.loop(e.cst(0), whole, several, {}, [&](Value row, ValueRange) {
    useRows(row, several);
    return SmallVector<Value>();
  });
  e.loop(whole, rows, [&](Value row) { useRows(row, 1); });
}
