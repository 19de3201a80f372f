// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The microkernels: forms in which register tiles multiply.
#include "passes/Cpu/MicroKernel.h"
#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "passes/Machine/Tuning.h"

using namespace mlir;
using namespace hone;

static int64_t wholeVector(const CpuMachine &machine) {
  return machine.vectorBits;
}

static int64_t halfVector(const CpuMachine &machine) {
  return machine.vectorBits / 2;
}

static Type accumulatorType(const ProductTypes &types) {
  return types.accumulator;
}

static Type storedType(const ProductTypes &types) { return types.lhs; }

static Value call(Emitter &e, StringRef intrinsic, VectorType type,
                  ValueRange operands) {
  return LLVM::CallIntrinsicOp::create(e.builder, e.loc, type,
                                       e.builder.getStringAttr(intrinsic),
                                       operands)
      .getResult(0);
}

/// The call of an intrinsic that exists for vectors of 128, 256 and 512 bits.
static Value callBySize(Emitter &e, ArrayRef<StringLiteral> names,
                        VectorType type, ValueRange operands) {
  int64_t bits = type.getNumElements() * type.getElementTypeBitWidth();
  return call(e, names[llvm::Log2_64(bits / 128)], type, operands);
}

static Value bitcast(Emitter &e, Value value, int64_t lanes, Type element) {
  return vector::BitCastOp::create(e.builder, e.loc,
                                   VectorType::get({lanes}, element), value);
}

/// `group`, a vector, again and again in one of `lanes` elements.
static Value repeat(Emitter &e, Value group, int64_t lanes) {
  auto type = cast<VectorType>(group.getType());
  int64_t count = type.getNumElements();
  Type whole = e.builder.getIntegerType(count * type.getElementTypeBitWidth());
  Value scalar = vector::ExtractOp::create(e.builder, e.loc,
                                           bitcast(e, group, 1, whole), 0);
  Value all = vector::BroadcastOp::create(
      e.builder, e.loc, VectorType::get({lanes / count}, whole), scalar);
  return bitcast(e, all, lanes, type.getElementType());
}

//===-- Multiply-adds of elements -----------------------------------------===//

static bool isElementwise(const ProductTypes &types) { return types.kr == 1; }

static Value broadcastLeft(Emitter &e, const FlatBuffer &buffer, Value offset,
                           VectorType sum) {
  Value scalar = buffer.extend(e, buffer.load(e, offset), sum.getElementType());
  return vector::BroadcastOp::create(e.builder, e.loc, sum, scalar);
}

static SmallVector<Value> extendRight(Emitter &e, const FlatBuffer &buffer,
                                      Value offset, VectorType sum,
                                      Value mask) {
  Value loaded = buffer.load(e, offset, sum.getNumElements(), mask);
  return {buffer.extend(e, loaded, sum.getElementType())};
}

static Value fuse(Emitter &e, Value left, Value right, Value sum) {
  return vector::FMAOp::create(e.builder, e.loc, left, right, sum);
}

static Value multiplyThenAdd(Emitter &e, Value left, Value right, Value sum) {
  return e.sum(sum, e.product(left, right));
}

//===-- Dot products ------------------------------------------------------===//

/// `kr` elements as they lie, for each column.
template <int64_t kr>
static Value repeatLeft(Emitter &e, const FlatBuffer &buffer, Value offset,
                        VectorType sum) {
  return repeat(e, buffer.load(e, offset, kr), sum.getNumElements() * kr);
}

/// `kr` elements of each column as they lie.
template <int64_t kr>
static SmallVector<Value> loadRight(Emitter &e, const FlatBuffer &buffer,
                                    Value offset, VectorType sum, Value) {
  return {buffer.load(e, offset, sum.getNumElements() * kr)};
}

//===-- Pairs of bf16 -----------------------------------------------------===//

static bool isOfPairs(const ProductTypes &types) {
  return types.kr == 2 && types.rhs.isBF16() && types.accumulator.isF32();
}

/// The first and the second elements of pairs as f32, whose upper half a bf16
/// is.
static SmallVector<Value> extendPairs(Emitter &e, const FlatBuffer &buffer,
                                      Value offset, VectorType sum, Value) {
  int64_t lanes = sum.getNumElements();
  Type i32 = e.builder.getI32Type(), f32 = sum.getElementType();
  auto splat = [&](uint32_t bits) -> Value {
    return e.splat(VectorType::get({lanes}, i32),
                   e.builder.getI32IntegerAttr(static_cast<int32_t>(bits)));
  };
  Value pairs = bitcast(e, buffer.load(e, offset, lanes * 2), lanes, i32);
  Value first = arith::ShLIOp::create(e.builder, e.loc, pairs, splat(16));
  Value second =
      arith::AndIOp::create(e.builder, e.loc, pairs, splat(0xffff0000));
  return {bitcast(e, first, lanes, f32), bitcast(e, second, lanes, f32)};
}

/// Whether the left-hand side is of bf16, or can be.
static bool isRoundable(const ProductTypes &types) {
  return types.lhs.isBF16() || (types.lhs.isF32() && types.isConvertible);
}

static Type pairedType(const ProductTypes &types) { return types.rhs; }

static Value dotPairs(Emitter &e, Value left, Value right, Value sum) {
  return call(e, "llvm.x86.avx512bf16.dpbf16ps.512",
              cast<VectorType>(sum.getType()), {sum, left, right});
}

static int64_t costOfPairs(const CpuMachine &machine) {
  return machine.bf16Dot;
}

//===-- Dot products of four bytes ----------------------------------------===//

static bool isOfBytes(const ProductTypes &types) {
  return types.kr == 4 && graph::isByteProduct(types.lhs, types.accumulator) &&
         !types.isOrdered;
}

static Value dotBytes(Emitter &e, Value left, Value right, Value sum) {
  static constexpr StringLiteral names[] = {"llvm.x86.avx512.vpdpbusd.128",
                                            "llvm.x86.avx512.vpdpbusd.256",
                                            "llvm.x86.avx512.vpdpbusd.512"};
  return callBySize(e, names, cast<VectorType>(sum.getType()),
                    {sum, left, right});
}

//===-- Pairs of widened bytes --------------------------------------------===//

static Type halfWordType(const ProductTypes &types) {
  return IntegerType::get(types.lhs.getContext(), 16);
}

static Value repeatHalfWords(Emitter &e, const FlatBuffer &buffer, Value offset,
                             VectorType sum) {
  Value group =
      buffer.extend(e, buffer.load(e, offset, 4), e.builder.getIntegerType(16));
  return repeat(e, group, sum.getNumElements() * 2);
}

static SmallVector<Value> extendBytes(Emitter &e, const FlatBuffer &buffer,
                                      Value offset, VectorType sum, Value) {
  Value loaded = buffer.load(e, offset, sum.getNumElements() * 2);
  return {buffer.extend(e, loaded, e.builder.getIntegerType(16))};
}

/// Products of 16 bits are summed in pairs without overflow: 255 * 128 * 2 is
/// less than 2^31.
static Value addPairs(Emitter &e, Value left, Value right, Value sum) {
  static constexpr StringLiteral names[] = {"llvm.x86.sse2.pmadd.wd",
                                            "llvm.x86.avx2.pmadd.wd",
                                            "llvm.x86.avx512.pmaddw.d.512"};
  Value pairs =
      callBySize(e, names, cast<VectorType>(sum.getType()), {left, right});
  return e.sum(sum, pairs);
}

//===-- Pairs of bytes ----------------------------------------------------===//

/// Sums of two products, of unsigned and signed bytes, fit in 16 bits.
static Value addBytes(Emitter &e, Value left, Value right, Value sum) {
  static constexpr StringLiteral names[] = {"llvm.x86.ssse3.pmadd.ub.sw.128",
                                            "llvm.x86.avx2.pmadd.ub.sw",
                                            "llvm.x86.avx512.pmaddubs.w.512"};
  auto halfWords =
      VectorType::get({2 * cast<VectorType>(sum.getType()).getNumElements()},
                      e.builder.getIntegerType(16));
  Value pairs = callBySize(e, names, halfWords, {left, right});
  Value ones = e.splat(halfWords, e.builder.getI16IntegerAttr(1));
  return addPairs(e, pairs, ones, sum);
}

//===-- Signed bytes times codes ------------------------------------------===//

static bool isOfCodes(const ProductTypes &types) { return types.codeBits != 0; }

static Value dotCodes(Emitter &e, Value left, Value right, Value sum) {
  return dotBytes(e, right, left, sum);
}

/// Those of few bits.
static Value addCodePairs(Emitter &e, Value left, Value right, Value sum) {
  return addBytes(e, right, left, sum);
}

/// The first bytes of pairs are multiplied apart from the second.
static Value addWidenedCodes(Emitter &e, Value left, Value right, Value sum) {
  OpBuilder &b = e.builder;
  int64_t lanes = cast<VectorType>(sum.getType()).getNumElements();
  Type i16 = b.getIntegerType(16);
  auto type = VectorType::get({2 * lanes}, i16);
  Value bits = e.splat(type, b.getIntegerAttr(i16, 8));
  Value low = e.splat(type, b.getIntegerAttr(i16, 255));
  left = bitcast(e, left, 2 * lanes, i16);
  right = bitcast(e, right, 2 * lanes, i16);
  Value first = arith::ShRSIOp::create(
      b, e.loc, arith::ShLIOp::create(b, e.loc, left, bits), bits);
  sum = addPairs(e, first, arith::AndIOp::create(b, e.loc, right, low), sum);
  return addPairs(e, arith::ShRSIOp::create(b, e.loc, left, bits),
                  arith::ShRUIOp::create(b, e.loc, right, bits), sum);
}

static Type byteType(const ProductTypes &types) { return types.rhs; }

//===-- Matrices ----------------------------------------------------------===//

/// Lanes of a vector are the columns of a matrix of sums.
static bool hasMatrixColumns(const CpuMachine &machine) {
  return machine.vectorBits == 32 * matrix::kColumns;
}

static constexpr MicroKernel kTable[] = {
    // AMX: four bytes, or two bf16, of 16 steps are multiplied and added up for
    // 16 rows and columns. Rows of the left-hand side are always converted, to
    // lie evenly. Of bf16 the first and the second elements of pairs have sums
    // of their own, which are then added; each step rounds to nearest even, and
    // subnormal numbers count as 0.
    {"matrix_bytes", "AMX-INT8",
     [](const CpuMachine &machine, const ProductTypes &types) {
       return machine.hasByteMatrix() && hasMatrixColumns(machine) &&
              isOfBytes(types) && types.isConvertible;
     },
     wholeVector, /*kr=*/4, /*instructions=*/1, /*parts=*/1, /*temporaries=*/0,
     /*cost=*/nullptr, storedType, nullptr, nullptr, nullptr,
     "llvm.x86.tdpbusd"},
    {"matrix_bf16", "AMX-BF16",
     [](const CpuMachine &machine, const ProductTypes &types) {
       return machine.hasBf16Matrix() && machine.hasBf16Dot() &&
              hasMatrixColumns(machine) && isOfPairs(types) &&
              isRoundable(types) && types.isConvertible;
     },
     wholeVector, /*kr=*/2, /*instructions=*/1, /*parts=*/1, /*temporaries=*/0,
     /*cost=*/nullptr, pairedType, nullptr, nullptr, nullptr,
     "llvm.x86.tdpbf16ps"},
    // Fused multiply-add of floats; narrower operands are widened as they are
    // loaded.
    {"fma", "",
     [](const CpuMachine &machine, const ProductTypes &types) {
       return machine.hasFma() && isa<FloatType>(types.accumulator) &&
              isElementwise(types);
     },
     wholeVector, /*kr=*/1, /*instructions=*/1, /*parts=*/1, /*temporaries=*/1,
     /*cost=*/nullptr, accumulatorType, broadcastLeft, extendRight, fuse},
    // The same with half vectors, for results of few columns. They have as many
    // registers, and pipelines that are narrower than a vector take half as
    // long for them.
    {"fma_half", "",
     [](const CpuMachine &machine, const ProductTypes &types) {
       return machine.hasFma() && machine.vectorBits == 512 &&
              isa<FloatType>(types.accumulator) && isElementwise(types);
     },
     halfVector, /*kr=*/1, /*instructions=*/1, /*parts=*/1, /*temporaries=*/1,
     /*cost=*/nullptr, accumulatorType, broadcastLeft, extendRight, fuse},
    // AVX512-BF16: two products are added to a sum, the second first. Each step
    // rounds to nearest even, and subnormal numbers, on both sides and in
    // sums, count as 0.
    {"dot_bf16", "AVX512-BF16",
     [](const CpuMachine &machine, const ProductTypes &types) {
       return machine.hasBf16Dot() && machine.vectorBits == 512 &&
              isOfPairs(types) && isRoundable(types);
     },
     wholeVector, /*kr=*/2, /*instructions=*/1, /*parts=*/1, /*temporaries=*/1,
     costOfPairs, pairedType, repeatLeft<2>, loadRight<2>, dotPairs},
    // Without it, or where it is slower, the elements of pairs on the right are
    // widened: an operation each, and no rounding.
    {"fma_pairs", "",
     [](const CpuMachine &machine, const ProductTypes &types) {
       return machine.hasFma() && isOfPairs(types);
     },
     wholeVector, /*kr=*/2, /*instructions=*/2, /*parts=*/1, /*temporaries=*/2,
     /*cost=*/nullptr, accumulatorType, broadcastLeft, extendPairs, fuse},
    {"fma_pairs_half", "",
     [](const CpuMachine &machine, const ProductTypes &types) {
       return machine.hasFma() && machine.vectorBits == 512 && isOfPairs(types);
     },
     halfVector, /*kr=*/2, /*instructions=*/2, /*parts=*/1, /*temporaries=*/2,
     /*cost=*/nullptr, accumulatorType, broadcastLeft, extendPairs, fuse},
    // VNNI: four products of an unsigned and a signed byte are added to a sum.
    {"dot_bytes", "VNNI",
     [](const CpuMachine &machine, const ProductTypes &types) {
       return machine.hasByteDot() && isOfBytes(types);
     },
     wholeVector, /*kr=*/4, /*instructions=*/1, /*parts=*/1, /*temporaries=*/1,
     /*cost=*/nullptr, storedType, repeatLeft<4>, loadRight<4>, dotBytes},
    // Without it, where two products fit in 16 bits, they are added there;
    // those sums are then added in pairs.
    {"pair_bytes", "",
     [](const CpuMachine &machine, const ProductTypes &types) {
       return machine.multipliesOrderedBytes() && types.isOrdered;
     },
     wholeVector, /*kr=*/4, /*instructions=*/1, /*parts=*/1, /*temporaries=*/2,
     /*cost=*/nullptr, storedType, repeatLeft<4>, loadRight<4>, addBytes,
     /*matrixProduct=*/"", /*isOrdered=*/true},
    // Elsewhere bytes are widened, and a column has two sums, of the first and
    // the last two of four products.
    {"add_pairs", "",
     [](const CpuMachine &machine, const ProductTypes &types) {
       return isOfBytes(types);
     },
     wholeVector, /*kr=*/4, /*instructions=*/1, /*parts=*/2, /*temporaries=*/2,
     /*cost=*/nullptr, halfWordType, repeatHalfWords, extendBytes, addPairs},
    // The same for bytes and codes. The instruction takes the unsigned operand
    // first.
    {"dot_codes", "VNNI",
     [](const CpuMachine &machine, const ProductTypes &types) {
       return machine.hasByteDot() && isOfCodes(types);
     },
     wholeVector, /*kr=*/4, /*instructions=*/1, /*parts=*/1, /*temporaries=*/1,
     /*cost=*/nullptr, byteType, repeatLeft<4>, loadRight<4>, dotCodes},
    {"add_code_pairs", "",
     [](const CpuMachine &machine, const ProductTypes &types) {
       return !machine.hasByteDot() && isOfCodes(types) && types.codeBits <= 4;
     },
     wholeVector, /*kr=*/4, /*instructions=*/1, /*parts=*/1, /*temporaries=*/3,
     /*cost=*/nullptr, byteType, repeatLeft<4>, loadRight<4>, addCodePairs},
    {"add_widened_codes", "",
     [](const CpuMachine &machine, const ProductTypes &types) {
       return !machine.hasByteDot() && isOfCodes(types) && types.codeBits > 4;
     },
     wholeVector, /*kr=*/4, /*instructions=*/1, /*parts=*/1, /*temporaries=*/4,
     /*cost=*/nullptr, byteType, repeatLeft<4>, loadRight<4>, addWidenedCodes},
    // Floats without FMA, and integers. A product overwrites a copy of a
    // factor.
    {"mul_add", "",
     [](const CpuMachine &machine, const ProductTypes &types) {
       return (!machine.hasFma() || !isa<FloatType>(types.accumulator)) &&
              isElementwise(types);
     },
     wholeVector, /*kr=*/1, /*instructions=*/1, /*parts=*/1, /*temporaries=*/3,
     /*cost=*/nullptr, accumulatorType, broadcastLeft, extendRight,
     multiplyThenAdd},
    {"mul_add_pairs", "",
     [](const CpuMachine &machine, const ProductTypes &types) {
       return !machine.hasFma() && isOfPairs(types);
     },
     wholeVector, /*kr=*/2, /*instructions=*/2, /*parts=*/1, /*temporaries=*/3,
     /*cost=*/nullptr, accumulatorType, broadcastLeft, extendPairs,
     multiplyThenAdd},
};

int64_t MicroKernel::depth() const {
  return hasMatrices() ? kr * matrix::kDepth : kr;
}

/// Of the products of matrices that make a tile.
static double matrixCycles(const CpuMachine &machine, int64_t rows,
                           int64_t vectors) {
  int64_t rowsOfMatrix = std::min(rows, matrix::kRows);
  int64_t matrices = llvm::divideCeil(rows, matrix::kRows);
  double compute = matrices * vectors * rowsOfMatrix;
  double loads = double(matrices * rowsOfMatrix + vectors * matrix::kDepth) /
                 machine.loadPorts;
  return std::max({compute, loads, tuning::kMatrixLatency});
}

double MicroKernel::stepCycles(const CpuMachine &machine, int64_t rows,
                               int64_t vectors) const {
  if (hasMatrices())
    return matrixCycles(machine, rows, vectors) / matrix::kDepth + 0.1;
  // Several operands are taken from what one load brought.
  int64_t work = instructions * rows * vectors * (cost ? cost(machine) : 1);
  if (instructions > 1)
    work += instructions * vectors;
  double compute = double(work) / machine.fmaPorts;
  double loads = double(instructions * rows + vectors) / machine.loadPorts;
  return std::max(compute, loads) + 0.1;
}

const MicroKernel *MicroKernel::elementwise() const {
  if (instructions == 1)
    return nullptr;
  return llvm::find_if(kTable, [&](const MicroKernel &other) {
    return other.kr == 1 && other.multiplyAdd == multiplyAdd &&
           other.vectorBits == vectorBits;
  });
}

Value MicroKernel::convertLeft(Emitter &e, const FlatBuffer &buffer,
                               Value loaded, const ProductTypes &types) const {
  Type to = leftType(types);
  if (!types.lhs.isF32() || !to.isBF16())
    return buffer.extend(e, loaded, to);
  return call(e, "llvm.x86.avx512bf16.cvtneps2bf16.512",
              cast<VectorType>(loaded.getType()).clone(to), loaded);
}

int64_t MicroKernel::lanes(const CpuMachine &machine, Type accumulator) const {
  int64_t sums = vectorBits(machine) / accumulator.getIntOrFloatBitWidth();
  return std::clamp<int64_t>(sums / parts, 1, graph::kPanelWidth);
}

Value MicroKernel::finish(Emitter &e, Value sum) const {
  if (parts == 1)
    return sum;
  assert(parts == 2 && "a sum has one part or two");
  // In halves of wider integers: LLVM makes horizontal additions of shuffles,
  // for which half of the registers of AVX-512 do not exist.
  auto type = cast<VectorType>(sum.getType());
  int64_t lanes = type.getNumElements() / parts;
  unsigned bits = type.getElementTypeBitWidth();
  auto wideType = VectorType::get({lanes}, e.builder.getIntegerType(2 * bits));
  Value pairs = bitcast(e, sum, lanes, wideType.getElementType());
  Value shift = e.splat(
      wideType, e.builder.getIntegerAttr(wideType.getElementType(), bits));
  Value second = arith::ShRUIOp::create(e.builder, e.loc, pairs, shift);
  return arith::TruncIOp::create(
      e.builder, e.loc, VectorType::get({lanes}, type.getElementType()),
      e.sum(pairs, second));
}

ArrayRef<MicroKernel> hone::microKernels() { return kTable; }

const MicroKernel &hone::chooseMicroKernel(const CpuMachine &machine,
                                           const ProductTypes &types) {
  for (const MicroKernel &kernel : kTable)
    if (kernel.fits(machine, types))
      return kernel;
  llvm_unreachable("a form without conditions is in the table");
}

const MicroKernel *hone::findMicroKernel(StringRef name) {
  auto found = llvm::find_if(
      kTable, [&](const MicroKernel &kernel) { return kernel.name == name; });
  return found == std::end(kTable) ? nullptr : &*found;
}
