// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Does what instructions of x86 do with those that every processor has, so that
// kernels for machines with AMX or VNNI are tested on any. The source is the
// Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2.
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "passes/Cpu/MicroKernel.h"
#include "passes/Cpu/Passes.h"
#include "passes/Emit/Emit.h"

namespace hone {
#define GEN_PASS_DEF_EMULATEINSTRUCTIONSPASS
#include "passes/Cpu/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;

namespace {
/// The registers of matrices of a function, and the rows and the bytes of a row
/// that each is configured to have.
struct MatrixState {
  Value bytes, rows, rowBytes;
};

class Emulation {
public:
  Emulation(OpBuilder &builder, FunctionOpInterface function)
      : e(builder, function.getLoc()), function(function) {}

  LogicalResult replace(LLVM::CallIntrinsicOp op);

private:
  using Rule = Value (Emulation::*)(LLVM::CallIntrinsicOp op);
  static Rule ruleFor(StringRef name);

  // Instructions, by name.
  Value dotBytes(LLVM::CallIntrinsicOp op);
  Value addPairs(LLVM::CallIntrinsicOp op);
  Value dotPairs(LLVM::CallIntrinsicOp op);
  Value roundToBf16(LLVM::CallIntrinsicOp op);
  Value permute(LLVM::CallIntrinsicOp op);
  Value scale(LLVM::CallIntrinsicOp op);
  Value configureMatrices(LLVM::CallIntrinsicOp op);
  Value releaseMatrices(LLVM::CallIntrinsicOp op);
  Value clearMatrix(LLVM::CallIntrinsicOp op);
  Value loadMatrix(LLVM::CallIntrinsicOp op);
  Value storeMatrix(LLVM::CallIntrinsicOp op);
  Value multiplyBytes(LLVM::CallIntrinsicOp op);
  Value multiplyBf16(LLVM::CallIntrinsicOp op);

  // Vectors.
  Value bits(Value vector, uint32_t value) {
    return e.splat(vector.getType(),
                   e.builder.getIntegerAttr(getElementTypeOrSelf(vector),
                                            APInt(32, value)));
  }
  Value bitcast(Value value, int64_t lanes, Type element) {
    return vector::BitCastOp::create(e.builder, e.loc,
                                     VectorType::get({lanes}, element), value);
  }
  /// Every `step`th element from `first` on.
  Value strided(Value vector, int64_t first, int64_t step);
  Value sumOfDots(Value sum, Value left, Value right);
  /// Subnormal numbers become zeros of their sign.
  Value flush(Value floats);
  /// Element `part` of each pair of bf16, as f32.
  Value partOfPairs(Value pairs, int64_t part);
  Value fuse(Value left, Value right, Value sum) {
    return flush(vector::FMAOp::create(e.builder, e.loc, left, right, sum));
  }

  // Matrices.
  MatrixState &state();
  void require(Value condition);
  /// A register that is configured.
  Value matrixOf(LLVM::CallIntrinsicOp op, int64_t operand);
  void requireProduct(LLVM::CallIntrinsicOp op, Value sums, Value left,
                      Value right);
  void clear(Value number);
  Value number(Value memref, Value index) {
    return memref::LoadOp::create(e.builder, e.loc, memref, index);
  }
  Value rowOffset(Value matrix, Value row) {
    return e.mul(e.add(e.mul(matrix, matrix::kRows), row), matrix::kRowBytes);
  }
  Value loadRow(Value matrix, Value row) {
    return vector::LoadOp::create(
        e.builder, e.loc,
        VectorType::get({matrix::kRowBytes}, e.builder.getI8Type()),
        state().bytes, rowOffset(matrix, row));
  }
  void storeRow(Value matrix, Value row, Value bytes) {
    vector::StoreOp::create(e.builder, e.loc, bytes, state().bytes,
                            rowOffset(matrix, row));
  }
  /// The four bytes of step `k` of a row, for each column.
  Value repeated(Value matrix, Value row, Value k);
  /// Runs `body` for each four bytes of a matrix, with their place and their
  /// address, which is one of rows `stride` apart.
  void forEachWord(Value matrix, Value pointer, Value stride,
                   function_ref<void(Value place, Value address)> body);

  Emitter e;
  FunctionOpInterface function;
  std::optional<MatrixState> matrices;
};
} // namespace

//===-- Vectors -----------------------------------------------------------===//

Value Emulation::strided(Value vector, int64_t first, int64_t step) {
  SmallVector<int64_t> lanes;
  int64_t count = cast<VectorType>(vector.getType()).getNumElements();
  for (int64_t lane = first; lane < count; lane += step)
    lanes.push_back(lane);
  return vector::ShuffleOp::create(e.builder, e.loc, vector, vector, lanes);
}

Value Emulation::sumOfDots(Value sum, Value left, Value right) {
  Type i32 = e.builder.getI32Type();
  Value products =
      e.product(e.extend(left, i32, /*isUnsigned=*/true), e.extend(right, i32));
  for (int64_t part = 0; part < 4; ++part)
    sum = e.sum(sum, strided(products, part, 4));
  return sum;
}

Value Emulation::flush(Value floats) {
  auto type = cast<VectorType>(floats.getType());
  Type i32 = e.builder.getI32Type();
  Value word = bitcast(floats, type.getNumElements(), i32);
  Value exponent =
      arith::AndIOp::create(e.builder, e.loc, word, bits(word, 0x7f800000));
  Value sign =
      arith::AndIOp::create(e.builder, e.loc, word, bits(word, 0x80000000));
  Value isSmall = arith::CmpIOp::create(
      e.builder, e.loc, arith::CmpIPredicate::eq, exponent, bits(word, 0));
  Value flushed =
      arith::SelectOp::create(e.builder, e.loc, isSmall, sign, word);
  return bitcast(flushed, type.getNumElements(), type.getElementType());
}

Value Emulation::partOfPairs(Value pairs, int64_t part) {
  int64_t lanes = cast<VectorType>(pairs.getType()).getNumElements() / 2;
  Value words = bitcast(pairs, lanes, e.builder.getI32Type());
  Value upper = part == 0 ? arith::ShLIOp::create(e.builder, e.loc, words,
                                                  bits(words, 16))
                                .getResult()
                          : arith::AndIOp::create(e.builder, e.loc, words,
                                                  bits(words, 0xffff0000))
                                .getResult();
  return flush(bitcast(upper, lanes, e.builder.getF32Type()));
}

/// VPDPBUSD
Value Emulation::dotBytes(LLVM::CallIntrinsicOp op) {
  return sumOfDots(op.getArgs()[0], op.getArgs()[1], op.getArgs()[2]);
}

/// VPMADDWD
Value Emulation::addPairs(LLVM::CallIntrinsicOp op) {
  Type i32 = e.builder.getI32Type();
  Value products =
      e.product(e.extend(op.getArgs()[0], i32), e.extend(op.getArgs()[1], i32));
  return e.sum(strided(products, 0, 2), strided(products, 1, 2));
}

/// VDPBF16PS
Value Emulation::dotPairs(LLVM::CallIntrinsicOp op) {
  Value sum = flush(op.getArgs()[0]);
  for (int64_t part : {1, 0})
    sum = fuse(partOfPairs(op.getArgs()[1], part),
               partOfPairs(op.getArgs()[2], part), sum);
  return sum;
}

/// VCVTNEPS2BF16
Value Emulation::roundToBf16(LLVM::CallIntrinsicOp op) {
  Value floats = flush(op.getArgs()[0]);
  int64_t lanes = cast<VectorType>(floats.getType()).getNumElements();
  Value word = bitcast(floats, lanes, e.builder.getI32Type());
  Value upper = arith::ShRUIOp::create(e.builder, e.loc, word, bits(word, 16));
  Value odd = arith::AndIOp::create(e.builder, e.loc, upper, bits(word, 1));
  Value rounded = arith::ShRUIOp::create(
      e.builder, e.loc, e.sum(e.sum(word, bits(word, 0x7fff)), odd),
      bits(word, 16));
  Value quiet = arith::OrIOp::create(e.builder, e.loc, upper, bits(word, 0x40));
  Value isNan = arith::CmpFOp::create(
      e.builder, e.loc, arith::CmpFPredicate::UNO, floats, floats);
  Value result =
      arith::SelectOp::create(e.builder, e.loc, isNan, quiet, rounded);
  Value halves = arith::TruncIOp::create(
      e.builder, e.loc, VectorType::get({lanes}, e.builder.getI16Type()),
      result);
  return bitcast(halves, lanes, e.builder.getBF16Type());
}

/// VPERMI2B and VPERMI2D: the elements of two registers that numbers, modulo
/// how many there are, select.
Value Emulation::permute(LLVM::CallIntrinsicOp op) {
  auto type = cast<VectorType>(op.getResult(0).getType());
  int64_t lanes = type.getNumElements();
  FlatBuffer table = makeScratch(e, 2 * lanes, type.getElementType());
  FlatBuffer numbers = makeScratch(e, lanes, type.getElementType());
  FlatBuffer result = makeScratch(e, lanes, type.getElementType());
  table.store(e, e.cst(0), op.getArgs()[0]);
  table.store(e, e.cst(lanes), op.getArgs()[2]);
  numbers.store(e, e.cst(0), op.getArgs()[1]);
  e.loop(e.cst(0), e.cst(lanes), [&](Value lane) {
    Value index = arith::IndexCastUIOp::create(
        e.builder, e.loc, e.builder.getIndexType(), numbers.load(e, lane));
    result.store(e, lane, table.load(e, e.rem(index, e.cst(2 * lanes))));
  });
  return result.load(e, e.cst(0), lanes);
}

/// VSCALEFPS of all lanes, by whole exponents: y 2^n, rounded once unless y is
/// tiny.
Value Emulation::scale(LLVM::CallIntrinsicOp op) {
  Value y = op.getArgs()[0], n = op.getArgs()[1];
  int64_t lanes = cast<VectorType>(y.getType()).getNumElements();
  auto limit = [&](float number) {
    return e.splat(n.getType(), e.builder.getF32FloatAttr(number));
  };
  // Halves of the exponent are those of normal numbers.
  constexpr float most = 252;
  n = arith::MaxNumFOp::create(e.builder, e.loc, n, limit(-most));
  n = arith::MinNumFOp::create(e.builder, e.loc, n, limit(most));
  auto type = VectorType::get({lanes}, e.builder.getI32Type());
  Value whole = arith::FPToSIOp::create(e.builder, e.loc, type, n);
  Value half = arith::ShRSIOp::create(e.builder, e.loc, whole, bits(whole, 1));
  Value rest = arith::SubIOp::create(e.builder, e.loc, whole, half);
  for (Value exponent : {half, rest}) {
    Value biased = arith::ShLIOp::create(e.builder, e.loc,
                                         e.sum(exponent, bits(exponent, 127)),
                                         bits(exponent, 23));
    y = e.product(y, bitcast(biased, lanes, e.builder.getF32Type()));
  }
  return y;
}

//===-- Matrices ----------------------------------------------------------===//

MatrixState &Emulation::state() {
  if (matrices)
    return *matrices;
  OpBuilder::InsertionGuard guard(e.builder);
  e.builder.setInsertionPointToStart(&function.getFunctionBody().front());
  auto allocate = [&](int64_t size, Type type) -> Value {
    return memref::AllocaOp::create(e.builder, e.loc,
                                    MemRefType::get({size}, type));
  };
  int64_t bytes = matrix::kRegisters * matrix::kRows * matrix::kRowBytes;
  matrices = {allocate(bytes, e.builder.getI8Type()),
              allocate(matrix::kRegisters, e.builder.getIndexType()),
              allocate(matrix::kRegisters, e.builder.getIndexType())};
  for (int64_t i = 0; i < matrix::kRegisters; ++i)
    for (Value memref : {matrices->rows, matrices->rowBytes})
      memref::StoreOp::create(e.builder, e.loc, e.cst(0), memref, e.cst(i));
  return *matrices;
}

void Emulation::require(Value condition) {
  e.branch(condition, [] {}, [&] { LLVM::Trap::create(e.builder, e.loc); });
}

Value Emulation::matrixOf(LLVM::CallIntrinsicOp op, int64_t operand) {
  Value matrix = e.cst(*getConstantIntValue(op.getArgs()[operand]));
  require(
      e.cmp(arith::CmpIPredicate::ne, number(state().rows, matrix), e.cst(0)));
  return matrix;
}

void Emulation::clear(Value matrix) {
  auto type = VectorType::get({matrix::kRowBytes}, e.builder.getI8Type());
  e.loop(e.cst(0), e.cst(matrix::kRows),
         [&](Value row) { storeRow(matrix, row, e.zero(type)); });
}

/// LDTILECFG
Value Emulation::configureMatrices(LLVM::CallIntrinsicOp op) {
  constexpr int64_t rowBytesAt = 16, rowsAt = 48, size = 64;
  Value loaded = LLVM::LoadOp::create(
      e.builder, e.loc, VectorType::get({size}, e.builder.getI8Type()),
      op.getArgs()[0]);
  auto byteAt = [&](int64_t i) -> Value {
    Value byte = vector::ExtractOp::create(e.builder, e.loc, loaded, i);
    return arith::IndexCastUIOp::create(e.builder, e.loc,
                                        e.builder.getIndexType(), byte);
  };
  auto requireByte = [&](int64_t i, int64_t value) {
    require(e.cmp(arith::CmpIPredicate::eq, byteAt(i), e.cst(value)));
  };
  requireByte(0, 1);
  for (int64_t i = 1; i < rowBytesAt; ++i)
    requireByte(i, 0);
  for (int64_t i = 0; i < 2 * matrix::kRegisters; ++i) {
    Value rows = byteAt(rowsAt + i), rowBytes = byteAt(rowBytesAt + 2 * i);
    requireByte(rowBytesAt + 2 * i + 1, 0);
    if (i >= matrix::kRegisters) {
      requireByte(rowsAt + i, 0);
      requireByte(rowBytesAt + 2 * i, 0);
      continue;
    }
    require(e.cmp(arith::CmpIPredicate::ule, rows, e.cst(matrix::kRows)));
    require(
        e.cmp(arith::CmpIPredicate::ule, rowBytes, e.cst(matrix::kRowBytes)));
    // Of words of four bytes; none without rows, and no rows without them.
    require(
        e.cmp(arith::CmpIPredicate::eq, e.rem(rowBytes, e.cst(4)), e.cst(0)));
    require(e.cmp(arith::CmpIPredicate::eq, e.min(rows, e.cst(1)),
                  e.min(rowBytes, e.cst(1))));
    memref::StoreOp::create(e.builder, e.loc, rows, state().rows, e.cst(i));
    memref::StoreOp::create(e.builder, e.loc, rowBytes, state().rowBytes,
                            e.cst(i));
    clear(e.cst(i));
  }
  return nullptr;
}

/// TILERELEASE
Value Emulation::releaseMatrices(LLVM::CallIntrinsicOp) {
  e.loop(e.cst(0), e.cst(matrix::kRegisters), [&](Value matrix) {
    memref::StoreOp::create(e.builder, e.loc, e.cst(0), state().rows, matrix);
  });
  return nullptr;
}

/// TILEZERO
Value Emulation::clearMatrix(LLVM::CallIntrinsicOp op) {
  clear(matrixOf(op, 0));
  return nullptr;
}

void Emulation::forEachWord(
    Value matrix, Value pointer, Value stride,
    function_ref<void(Value place, Value address)> body) {
  Value words = e.div(number(state().rowBytes, matrix), e.cst(4));
  Value pitch = arith::IndexCastOp::create(e.builder, e.loc,
                                           e.builder.getIndexType(), stride);
  auto pointerType = LLVM::LLVMPointerType::get(e.builder.getContext());
  e.loop(e.cst(0), number(state().rows, matrix), [&](Value row) {
    e.loop(e.cst(0), words, [&](Value word) {
      Value offset =
          arith::IndexCastOp::create(e.builder, e.loc, e.builder.getI64Type(),
                                     e.add(e.mul(row, pitch), e.mul(word, 4)));
      Value address =
          LLVM::GEPOp::create(e.builder, e.loc, pointerType,
                              e.builder.getI8Type(), pointer, offset);
      body(e.add(rowOffset(matrix, row), e.mul(word, 4)), address);
    });
  });
}

/// TILELOADD
Value Emulation::loadMatrix(LLVM::CallIntrinsicOp op) {
  Value matrix = matrixOf(op, 0);
  auto type = VectorType::get({4}, e.builder.getI8Type());
  clear(matrix);
  forEachWord(matrix, op.getArgs()[1], op.getArgs()[2],
              [&](Value place, Value address) {
                Value word = LLVM::LoadOp::create(e.builder, e.loc, type,
                                                  address, /*alignment=*/1);
                vector::StoreOp::create(e.builder, e.loc, word, state().bytes,
                                        place);
              });
  return nullptr;
}

/// TILESTORED
Value Emulation::storeMatrix(LLVM::CallIntrinsicOp op) {
  auto type = VectorType::get({4}, e.builder.getI8Type());
  forEachWord(matrixOf(op, 0), op.getArgs()[1], op.getArgs()[2],
              [&](Value place, Value address) {
                Value word = vector::LoadOp::create(e.builder, e.loc, type,
                                                    state().bytes, place);
                LLVM::StoreOp::create(e.builder, e.loc, word, address,
                                      /*alignment=*/1);
              });
  return nullptr;
}

void Emulation::requireProduct(LLVM::CallIntrinsicOp op, Value sums, Value left,
                               Value right) {
  // Registers must be distinct.
  std::optional<int64_t> numbers[3];
  for (int64_t i = 0; i < 3; ++i)
    numbers[i] = getConstantIntValue(op.getArgs()[i]);
  if (numbers[0] == numbers[1] || numbers[0] == numbers[2] ||
      numbers[1] == numbers[2])
    LLVM::Trap::create(e.builder, e.loc);
  auto requireEqual = [&](Value a, Value b) {
    require(e.cmp(arith::CmpIPredicate::eq, a, b));
  };
  requireEqual(number(state().rows, sums), number(state().rows, left));
  requireEqual(number(state().rowBytes, sums), number(state().rowBytes, right));
  requireEqual(number(state().rowBytes, left),
               e.mul(number(state().rows, right), 4));
}

Value Emulation::repeated(Value matrix, Value row, Value k) {
  Value word = vector::LoadOp::create(
      e.builder, e.loc, VectorType::get({4}, e.builder.getI8Type()),
      state().bytes, e.add(rowOffset(matrix, row), e.mul(k, 4)));
  Value scalar = vector::ExtractOp::create(
      e.builder, e.loc, bitcast(word, 1, e.builder.getI32Type()), 0);
  constexpr int64_t words = matrix::kRowBytes / 4;
  return vector::BroadcastOp::create(
      e.builder, e.loc, VectorType::get({words}, e.builder.getI32Type()),
      scalar);
}

/// TDPBUSD
Value Emulation::multiplyBytes(LLVM::CallIntrinsicOp op) {
  Value sums = matrixOf(op, 0), left = matrixOf(op, 1), right = matrixOf(op, 2);
  requireProduct(op, sums, left, right);
  constexpr int64_t bytes = matrix::kRowBytes;
  Type i8 = e.builder.getI8Type(), i32 = e.builder.getI32Type();
  e.loop(e.cst(0), number(state().rows, sums), [&](Value row) {
    Value sum = bitcast(loadRow(sums, row), bytes / 4, i32);
    sum = e.loop(e.cst(0), number(state().rows, right), 1, sum,
                 [&](Value k, ValueRange carried) -> SmallVector<Value> {
                   Value a = bitcast(repeated(left, row, k), bytes, i8);
                   return {sumOfDots(carried[0], a, loadRow(right, k))};
                 })[0];
    storeRow(sums, row, bitcast(sum, bytes, i8));
  });
  return nullptr;
}

/// TDPBF16PS: the first and the second elements of pairs are summed apart.
Value Emulation::multiplyBf16(LLVM::CallIntrinsicOp op) {
  Value sums = matrixOf(op, 0), left = matrixOf(op, 1), right = matrixOf(op, 2);
  requireProduct(op, sums, left, right);
  constexpr int64_t bytes = matrix::kRowBytes;
  Type i8 = e.builder.getI8Type(), f32 = e.builder.getF32Type(),
       bf16 = e.builder.getBF16Type();
  e.loop(e.cst(0), number(state().rows, sums), [&](Value row) {
    Value zero = e.zero(VectorType::get({bytes / 4}, f32));
    SmallVector<Value> parts =
        e.loop(e.cst(0), number(state().rows, right), 1, {zero, zero},
               [&](Value k, ValueRange carried) {
                 Value a = bitcast(repeated(left, row, k), bytes / 2, bf16);
                 Value b = bitcast(loadRow(right, k), bytes / 2, bf16);
                 SmallVector<Value> next;
                 for (int64_t part : {0, 1})
                   next.push_back(fuse(partOfPairs(a, part),
                                       partOfPairs(b, part), carried[part]));
                 return next;
               });
    Value sum = flush(bitcast(loadRow(sums, row), bytes / 4, f32));
    sum = flush(e.sum(sum, flush(e.sum(parts[0], parts[1]))));
    storeRow(sums, row, bitcast(sum, bytes, i8));
  });
  return nullptr;
}

//===-- The pass ----------------------------------------------------------===//

Emulation::Rule Emulation::ruleFor(StringRef name) {
  return llvm::StringSwitch<Rule>(name)
      .Cases({"llvm.x86.avx512.vpdpbusd.128", "llvm.x86.avx512.vpdpbusd.256",
              "llvm.x86.avx512.vpdpbusd.512"},
             &Emulation::dotBytes)
      .Cases({"llvm.x86.sse2.pmadd.wd", "llvm.x86.avx2.pmadd.wd",
              "llvm.x86.avx512.pmaddw.d.512"},
             &Emulation::addPairs)
      .Case("llvm.x86.avx512bf16.dpbf16ps.512", &Emulation::dotPairs)
      .Case("llvm.x86.avx512bf16.cvtneps2bf16.512", &Emulation::roundToBf16)
      .Cases({"llvm.x86.avx512.vpermi2var.qi.512",
              "llvm.x86.avx512.vpermi2var.d.512"},
             &Emulation::permute)
      .Case("llvm.x86.avx512.mask.scalef.ps.512", &Emulation::scale)
      .Case("llvm.x86.ldtilecfg", &Emulation::configureMatrices)
      .Case("llvm.x86.tilerelease", &Emulation::releaseMatrices)
      .Case("llvm.x86.tilezero", &Emulation::clearMatrix)
      .Case("llvm.x86.tileloadd64", &Emulation::loadMatrix)
      .Case("llvm.x86.tilestored64", &Emulation::storeMatrix)
      .Case("llvm.x86.tdpbusd", &Emulation::multiplyBytes)
      .Case("llvm.x86.tdpbf16ps", &Emulation::multiplyBf16)
      .Default(nullptr);
}

LogicalResult Emulation::replace(LLVM::CallIntrinsicOp op) {
  Rule rule = ruleFor(op.getIntrin());
  if (!rule)
    return op.emitError("'") << op.getIntrin() << "' is not emulated";
  e.builder.setInsertionPoint(op);
  e.loc = op.getLoc();
  if (Value value = (this->*rule)(op))
    op->replaceAllUsesWith(ValueRange{value});
  op.erase();
  return success();
}

namespace {
struct EmulateInstructionsPass
    : hone::impl::EmulateInstructionsPassBase<EmulateInstructionsPass> {
  using Base::Base;

  void runOnOperation() override {
    if (!CpuMachine::of(getOperation()).isEmulated())
      return;
    OpBuilder builder(&getContext());
    for (auto function : getOperation().getOps<FunctionOpInterface>()) {
      SmallVector<LLVM::CallIntrinsicOp> ops;
      function->walk([&](LLVM::CallIntrinsicOp op) {
        if (op.getIntrin().starts_with("llvm.x86."))
          ops.push_back(op);
      });
      Emulation emulation(builder, function);
      for (LLVM::CallIntrinsicOp op : ops)
        if (failed(emulation.replace(op)))
          return signalPassFailure();
    }
  }
};
} // namespace
