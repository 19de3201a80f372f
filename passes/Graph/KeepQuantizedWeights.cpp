// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Stores constant weights of matrix products in as few bits as they have.
#include "dialects/Graph/Constants.h"
#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Remarks.h"
#include "mlir/IR/Threading.h"
#include "passes/Analysis/Quantization.h"
#include "passes/Analysis/Remarks.h"
#include "passes/Graph/Passes.h"
#include "passes/Graph/Simplify.h"

namespace hone {
#define GEN_PASS_DEF_KEEPQUANTIZEDWEIGHTSPASS
#include "passes/Graph/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using namespace hone::graph;

/// Elements of K in a block where a column has one scale: chunks divide them,
/// and sums of codes stay small.
static int64_t columnBlock(int64_t k) {
  return std::min<int64_t>(llvm::alignTo(k, 128), 1024);
}

//===-- Quantized matrices ------------------------------------------------===//

namespace {

/// Integers of 2, 4 or 8 bits in rows of whole bytes.
struct Codes {
  ConstantBytes bytes;
  int64_t bits, rowBytes;
  bool isUnsigned;

  int at(int64_t row, int64_t column) const {
    int64_t inRow = column * bits / 8;
    auto byte = static_cast<uint8_t>(*bytes.element(row * rowBytes + inRow));
    if (bits == 8)
      return isUnsigned ? byte : static_cast<int8_t>(byte);
    return byte >> (column * bits % 8) & ((1 << bits) - 1);
  }
};

/// Scales or zero points: one for each block of K and each column. A stride of
/// 0 means that all are the same.
struct Parameters {
  SmallVector<float> values;
  int64_t blockStride = 0, columnStride = 0;

  bool isNumber() const { return blockStride == 0 && columnStride == 0; }
  double at(int64_t block, int64_t column) const {
    return values[block * blockStride + column * columnStride];
  }
};

/// A right-hand side of `k` x `n` elements.
struct QuantizedMatrix {
  int64_t k, n, block;
  Codes codes;
  bool columnsFirst; ///< Codes are [n, k].
  Parameters scales, zeros;
  Type scaleType;
  DenseF32ArrayAttr table = {}; ///< Null: there is none.
  bool bytes = false; ///< Whether products may round their other operand.

  int code(int64_t row, int64_t column) const {
    return columnsFirst ? codes.at(column, row) : codes.at(row, column);
  }
};

} // namespace

/// The type in which scales are stored.
static Type storedType(Value scales) {
  Type type = getElementTypeOrSelf(scales);
  return isa<Float16Type, BFloat16Type>(type)
             ? type
             : Type(Float32Type::get(type.getContext()));
}

/// `columnsFirst`: the product reads rows of the dequantized matrix as columns.
static std::optional<QuantizedMatrix>
matrixOf(DequantizeOp op, bool columnsFirst, StringRef &problem) {
  ArrayRef<int64_t> shape = op.getType().getShape();
  int64_t k = shape[columnsFirst ? 1 : 0], n = shape[columnsFirst ? 0 : 1];
  // One block may have any size; 16 codes of 2 bits fill a word.
  int64_t block = op.getBlock();
  if (block >= k)
    block = llvm::alignTo(k, 16);
  auto no = [&](StringRef reason) {
    problem = reason;
    return std::nullopt;
  };
  if (static_cast<int64_t>(op.getAxis()) != (columnsFirst ? 1 : 0))
    return no("blocks of the weights lie along N");
  if (block % 4 != 0)
    return no("blocks of the weights are no multiple of 4 elements");
  std::optional<ConstantBytes> bytes = knownBytes(op.getCodes());
  std::optional<SmallVector<float>> scales = constantFloats(op.getScales());
  if (!bytes || !scales)
    return no("the weights or their scales are not known");
  bool isUnsigned = op.getIsUnsigned();
  auto codesOf = [&](Value tensor, ConstantBytes bytes) {
    return Codes{bytes, static_cast<int64_t>(op.getBits()),
                 tensorType(tensor).getDimSize(1), isUnsigned};
  };
  auto inBlocks = [&](Value tensor, SmallVector<float> values) {
    int64_t pitch = tensorType(tensor).getDimSize(1);
    return columnsFirst ? Parameters{std::move(values), 1, pitch}
                        : Parameters{std::move(values), pitch, 1};
  };
  Parameters zeros{{static_cast<float>(op.getZero())}};
  if (Value tensor = op.getZeros()) {
    if (std::optional<SmallVector<float>> floats = constantFloats(tensor)) {
      zeros = inBlocks(tensor, std::move(*floats));
    } else {
      std::optional<ConstantBytes> zeroBytes = knownBytes(tensor);
      if (!zeroBytes)
        return no("the zero points of the weights are not known");
      // They lie like codes, and like the scales when they are unpacked.
      RankedTensorType type = tensorType(op.getScales());
      Codes codes = codesOf(tensor, *zeroBytes);
      SmallVector<float> values;
      for (int64_t row = 0; row < type.getDimSize(0); ++row)
        for (int64_t column = 0; column < type.getDimSize(1); ++column)
          values.push_back(codes.at(row, column));
      zeros = inBlocks(op.getScales(), std::move(values));
    }
  }
  return QuantizedMatrix{k,
                         n,
                         block,
                         codesOf(op.getCodes(), *bytes),
                         columnsFirst,
                         inBlocks(op.getScales(), *scales),
                         zeros,
                         storedType(op.getScales()),
                         op.getTableAttr(),
                         op.getBytes()};
}

/// Parameters of columns that a map has: one, or one for each.
template <typename T>
static std::optional<Parameters>
columnParameters(const std::optional<SmallVector<T>> &known,
                 const Parameter &parameter, RankedTensorType matrix,
                 int64_t columnDim) {
  if (!known ||
      (parameter.tensor && !isPerChannel(tensorType(parameter.tensor),
                                         matrix.getRank(), columnDim)))
    return std::nullopt;
  return Parameters{SmallVector<float>(known->begin(), known->end()), 0,
                    known->size() == 1 ? 0 : 1};
}

/// The same for a map that dequantizes, with parameters of columns.
static std::optional<QuantizedMatrix>
matrixOf(const Dequantized &map, bool columnsFirst, StringRef &problem) {
  RankedTensorType type = tensorType(map.bytes);
  std::optional<ConstantBytes> bytes = knownBytes(map.bytes);
  if (!bytes || type.getRank() != 2 || !type.hasStaticShape()) {
    problem = "the weights are not one known matrix";
    return std::nullopt;
  }
  int64_t columnDim = columnsFirst ? 0 : 1;
  std::optional<Parameters> scales =
      columnParameters(floatsOf(map.scale), map.scale, type, columnDim);
  std::optional<Parameters> zeros =
      columnParameters(integersOf(map.zero), map.zero, type, columnDim);
  if (!scales || !zeros) {
    problem = "scales or zero points of the weights are not known, or not of "
              "columns";
    return std::nullopt;
  }
  int64_t k = type.getDimSize(1 - columnDim);
  return QuantizedMatrix{k,
                         type.getDimSize(columnDim),
                         columnBlock(k),
                         Codes{*bytes, 8, type.getDimSize(1), map.isUnsigned},
                         columnsFirst,
                         *scales,
                         *zeros,
                         Float32Type::get(type.getContext())};
}

//===-- Packing -----------------------------------------------------------===//

namespace {
/// What a product reads in place of a matrix.
struct Packed {
  Value words; ///< Null: there are none, because of `problem`.
  StringRef problem;
  PackedAttr layout;
  QuantizedAttr quantized;
};

/// By the matrix, and whether its rows are columns of the product.
using PackedMatrices = std::array<llvm::DenseMap<Value, Packed>, 2>;
} // namespace

/// The lowest code, and the bits that hold the distances of all from it, where
/// whole words are in a block.
static std::pair<int, int64_t> rangeOf(MLIRContext *context,
                                       const QuantizedMatrix &matrix) {
  if (matrix.table)
    return {0, 4};
  int64_t rows = matrix.columnsFirst ? matrix.n : matrix.k,
          columns = matrix.columnsFirst ? matrix.k : matrix.n;
  SmallVector<std::pair<int, int>> ranges(rows);
  parallelFor(context, 0, rows, [&](size_t row) {
    auto &[low, high] = ranges[row];
    low = high = matrix.codes.at(row, 0);
    for (int64_t column = 1; column < columns; ++column) {
      int code = matrix.codes.at(row, column);
      low = std::min(low, code);
      high = std::max(high, code);
    }
  });
  auto [low, high] = ranges.front();
  for (auto [rowLow, rowHigh] : ranges) {
    low = std::min(low, rowLow);
    high = std::max(high, rowHigh);
  }
  int64_t difference = high - low, bits = 2;
  while (difference >> bits || matrix.block % (32 / bits) != 0)
    bits *= 2;
  return {low, bits};
}

static APFloat rounded(FloatType type, double value, bool &losesInfo) {
  APFloat number(value);
  number.convert(type.getFloatSemantics(), APFloat::rmNearestTiesToEven,
                 &losesInfo);
  return number;
}

static bool isExactIn(FloatType type, double value) {
  bool losesInfo;
  rounded(type, value, losesInfo);
  return !losesInfo;
}

/// Writes `value` as a float of `type` to place `i`.
static void writeFloat(char *out, int64_t i, FloatType type, double value) {
  bool losesInfo;
  uint64_t bits =
      rounded(type, value, losesInfo).bitcastToAPInt().getZExtValue();
  unsigned width = type.getWidth() / 8;
  std::memcpy(out + i * width, &bits, width);
}

/// Whether bytes are multiplied, and not floats.
static bool multipliesBytes(const QuantizedMatrix &matrix) {
  return matrix.bytes && !matrix.table &&
         QuantizedAttr::canMultiplyBytes(matrix.block);
}

static Packed pack(const QuantizedMatrix &matrix, OpBuilder &b, Location loc,
                   StringRef name) {
  auto no = [](StringRef reason) { return Packed{{}, reason, {}, {}}; };
  MLIRContext *context = b.getContext();
  auto [low, bits] = rangeOf(context, matrix);
  auto layout = PackedAttr::get(context, kPanelWidth, 32 / bits);
  std::optional<int64_t> zero;
  if (matrix.zeros.isNumber()) {
    double number = matrix.zeros.at(0, 0) - low;
    if (number == std::floor(number) && std::abs(number) <= kMaxDistance)
      zero = static_cast<int64_t>(number);
  }
  auto scaleType = cast<FloatType>(matrix.scaleType);
  int64_t blocks = llvm::divideCeil(matrix.k, matrix.block);
  if (!zero)
    for (int64_t column = 0; column < matrix.n; ++column)
      for (int64_t block = 0; block < blocks; ++block)
        if (!isExactIn(scaleType, matrix.zeros.at(block, column) - low))
          return no("zero points are not exact in the type of the scales");
  auto quantized = QuantizedAttr::get(context, matrix.block, scaleType, zero,
                                      matrix.table, multipliesBytes(matrix));
  if (layout.panels(matrix.n) * blocks * quantized.blockWords(layout) >=
      matrix.k * matrix.n)
    return no("the weights take no more memory as floats");
  int64_t nr = layout.getNr(), kr = layout.getKr(),
          panels = layout.panels(matrix.n),
          blockBytes = quantized.blockWords(layout) * 4,
          parameterBytes = quantized.parameterWords(layout) * 4;
  ConstantBuffer buffer(
      RankedTensorType::get({panels, blocks, blockBytes / 4}, b.getI32Type()));
  char *out = buffer.data().data();
  int first = low;
  parallelFor(context, 0, panels, [&](size_t panel) {
    char *place = out + panel * blocks * blockBytes;
    std::memset(place, 0, blocks * blockBytes);
    int64_t firstColumn = panel * nr;
    int64_t columns = std::min(nr, matrix.n - firstColumn);
    for (int64_t block = 0; block < blocks; ++block, place += blockBytes) {
      SmallVector<uint32_t> words(matrix.block / kr * nr, 0);
      for (int64_t c = 0; c < columns; ++c) {
        int64_t column = firstColumn + c;
        writeFloat(place, c, scaleType, matrix.scales.at(block, column));
        if (!zero)
          writeFloat(place + parameterBytes, c, scaleType,
                     matrix.zeros.at(block, column) - first);
        int64_t firstK = block * matrix.block;
        int64_t count = std::min(matrix.block, matrix.k - firstK);
        for (int64_t i = 0; i < count; ++i) {
          uint32_t code = matrix.code(firstK + i, column) - first;
          words[i / kr * nr + c] |= code
                                    << QuantizedAttr::codePlace(layout, i % kr);
        }
      }
      std::memcpy(place + quantized.headWords(layout) * 4, words.data(),
                  words.size() * 4);
    }
  });
  return {ConstantOp::create(b, loc, buffer.finish(name)), "", layout,
          quantized};
}

//===-- Dequantization in the run -----------------------------------------===//

/// A map in place of an operation that stays.
static void decompose(DequantizeOp op) {
  OpBuilder b(op);
  int64_t bits = op.getBits(), block = op.getBlock();
  bool isUnsigned = op.getIsUnsigned();
  Value table;
  if (DenseF32ArrayAttr values = op.getTableAttr())
    table = ConstantOp::create(
        b, op.getLoc(),
        DenseElementsAttr::get(
            RankedTensorType::get(values.size(), b.getF32Type()),
            values.asArrayRef()));
  auto map = MapOp::create(
      b, op.getLoc(), TypeRange(op.getType()), ValueRange(), ValueRange(),
      [&](OpBuilder &b, Location loc, ValueRange) {
        Type f32 = b.getF32Type();
        auto index = [&](int64_t number) -> Value {
          return arith::ConstantIndexOp::create(b, loc, number);
        };
        auto convert = [&](Value code) -> Value {
          if (isUnsigned)
            return arith::UIToFPOp::create(b, loc, f32, code);
          return arith::SIToFPOp::create(b, loc, f32, code);
        };
        // Element `at` of codes, several of which may lie in a byte.
        auto bitsOf = [&](Value tensor, ArrayRef<Value> at) -> Value {
          int64_t each = 8 / bits;
          if (each == 1)
            return tensor::ExtractOp::create(b, loc, tensor, at);
          Value byte = tensor::ExtractOp::create(
              b, loc, tensor,
              ValueRange{at[0],
                         arith::DivUIOp::create(b, loc, at[1], index(each))});
          Value place = arith::RemUIOp::create(b, loc, at[1], index(each));
          Value shift = arith::IndexCastOp::create(
              b, loc, b.getI8Type(),
              arith::MulIOp::create(b, loc, place, index(bits)));
          Value mask = arith::ConstantOp::create(
              b, loc, b.getI8IntegerAttr((1 << bits) - 1));
          return arith::AndIOp::create(
              b, loc, arith::ShRUIOp::create(b, loc, byte, shift), mask);
        };
        auto code = [&](Value tensor, ArrayRef<Value> at) {
          return convert(bitsOf(tensor, at));
        };
        auto real = [&](Value tensor, ArrayRef<Value> at) -> Value {
          Value number = tensor::ExtractOp::create(b, loc, tensor, at);
          if (number.getType() == f32)
            return number;
          return arith::ExtFOp::create(b, loc, f32, number);
        };
        SmallVector<Value> at = {IndexOp::create(b, loc, 0),
                                 IndexOp::create(b, loc, 1)};
        SmallVector<Value> inBlocks = at;
        Value &along = inBlocks[op.getAxis()];
        along = arith::DivUIOp::create(b, loc, along, index(block));
        if (table) {
          Value place = arith::IndexCastUIOp::create(b, loc, b.getIndexType(),
                                                     bitsOf(op.getCodes(), at));
          Value value = tensor::ExtractOp::create(b, loc, table, place);
          Value scaled = arith::MulFOp::create(b, loc, value,
                                               real(op.getScales(), inBlocks));
          YieldOp::create(b, loc, scaled);
          return;
        }
        Value zero;
        if (Value zeros = op.getZeros())
          zero = getElementTypeOrSelf(zeros).isInteger(8)
                     ? code(zeros, inBlocks)
                     : real(zeros, inBlocks);
        else
          zero = arith::ConstantOp::create(
              b, loc, b.getF32FloatAttr(static_cast<float>(op.getZero())));
        Value difference =
            arith::SubFOp::create(b, loc, code(op.getCodes(), at), zero);
        Value product = arith::MulFOp::create(b, loc, difference,
                                              real(op.getScales(), inBlocks));
        YieldOp::create(b, loc, product);
      });
  op.replaceAllUsesWith(map.getResult(0));
  op.erase();
}

//===-- Products of 16 bits -----------------------------------------------===//

/// A map that converts elements to `element`.
static Value convertElements(OpBuilder &b, Value tensor, Type element,
                             ValueRange sizes) {
  Location loc = tensor.getLoc();
  bool isWider = element.getIntOrFloatBitWidth() >
                 getElementTypeOrSelf(tensor).getIntOrFloatBitWidth();
  return MapOp::create(
             b, loc, TypeRange(tensorType(tensor).clone(element)), tensor,
             sizes,
             [&](OpBuilder &b, Location loc, ValueRange args) {
               Value result =
                   isWider
                       ? Value(arith::ExtFOp::create(b, loc, element, args[0]))
                       : Value(
                             arith::TruncFOp::create(b, loc, element, args[0]));
               YieldOp::create(b, loc, result);
             })
      .getResult(0);
}

/// What a map rounds to 16 bits and does nothing else with.
static DequantizeOp roundedMatrix(Value tensor) {
  auto map = tensor.getDefiningOp<MapOp>();
  if (!map || map.getInputs().size() != 1 || map.getNumResults() != 1)
    return {};
  Value yielded = map.getBody().front().getTerminator()->getOperand(0);
  auto rounding = yielded.getDefiningOp<arith::TruncFOp>();
  if (!rounding || rounding.getIn() != map.getBody().getArgument(0))
    return {};
  return map.getInputs()[0].getDefiningOp<DequantizeOp>();
}

/// The product in f32, of what is not rounded before it.
static MatmulOp widenProduct(MatmulOp op) {
  OpBuilder b(op);
  DimBuilder dims = dimsOf(op);
  Value lhs = op.getLhs();
  Type f32 = b.getF32Type();
  lhs = convertElements(b, lhs, f32, dynamicSizes(b, op.getLoc(), dims, lhs));
  auto wide = MatmulOp::create(b, op.getLoc(), op.getType().clone(f32), lhs,
                               op.getRhs(), op.getDims(), op.getTransposeRhs(),
                               PackedAttr(), QuantizedAttr());
  Value result = wide.getResult();
  if (Type element = op.getType().getElementType(); element != f32)
    result = convertElements(b, result, element, op.getDims());
  op.replaceAllUsesWith(result);
  op.erase();
  return wide;
}

//===-- The pass ----------------------------------------------------------===//

static LogicalResult leaveAsIs(Operation *op, StringRef reason) {
  remarkSlow(op, "keep-quantized-weights", reason);
  return failure();
}

namespace {
struct KeepQuantizedWeightsPass
    : hone::impl::KeepQuantizedWeightsPassBase<KeepQuantizedWeightsPass> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<MatmulOp> products;
    getOperation().walk([&](MatmulOp op) { products.push_back(op); });
    PackedMatrices made;
    for (MatmulOp op : products) {
      Location loc = op.getLoc();
      if (succeeded(keep(op, readable, made)))
        remark::passed(loc, remark::RemarkOpts::name("quantized")
                                .category("keep-quantized-weights"));
    }
    SmallVector<DequantizeOp> rest;
    getOperation().walk([&](DequantizeOp op) { rest.push_back(op); });
    for (DequantizeOp op : rest) {
      if (op->use_empty()) {
        op.erase();
        continue;
      }
      if (readable)
        remarkSlow(op, "keep-quantized-weights",
                   "something other than matrix products reads the floats");
      decompose(op);
    }
  }

  static LogicalResult keep(MatmulOp op, bool readable, PackedMatrices &made) {
    Value rhs = op.getRhs();
    bool columnsFirst = op.getTransposeRhs();
    if (auto transpose = rhs.getDefiningOp<TransposeOp>();
        transpose && tensorType(rhs).getRank() == 2 &&
        transpose.getPermutation()[0] == 1) {
      rhs = transpose.getInput();
      columnsFirst = !columnsFirst;
    }
    // Products of 16 bits are summed in f32 as well.
    DequantizeOp dequantize = roundedMatrix(rhs);
    bool isNarrow = dequantize != nullptr;
    if (isNarrow)
      rhs = dequantize.getResult();
    else
      dequantize = rhs.getDefiningOp<DequantizeOp>();
    std::optional<Dequantized> map;
    if (!dequantize)
      map = matchDequantized(rhs);
    if (!dequantize && (!map || !knownBytes(map->bytes)))
      return failure();
    if (!readable)
      return leaveAsIs(op, "products of the target read no quantized weights");
    RankedTensorType lhs = op.getLhs().getType();
    if (!isa<FloatType>(lhs.getElementType()))
      return failure(); // Integers are hone-form-byte-products' part.
    if (!isNarrow && (!lhs.getElementType().isF32() ||
                      !op.getType().getElementType().isF32()))
      return leaveAsIs(op, "the product is not of f32");
    if (ShapedType::isDynamic(lhs.getShape().back()))
      return leaveAsIs(op, "K is not known");
    if (tensorType(rhs).getNumElements() == 0)
      return leaveAsIs(op, "the weights are empty");
    auto [place, isNew] = made[columnsFirst].try_emplace(rhs);
    Packed &packed = place->second;
    if (isNew) {
      StringRef problem;
      std::optional<QuantizedMatrix> matrix =
          dequantize ? matrixOf(dequantize, columnsFirst, problem)
                     : matrixOf(*map, columnsFirst, problem);
      OpBuilder b(op);
      b.setInsertionPointAfterValue(rhs);
      size_t number = made[0].size() + made[1].size();
      packed = matrix ? pack(*matrix, b, rhs.getLoc(),
                             "quantized_" + std::to_string(number))
                      : Packed{{}, problem, {}, {}};
    }
    if (!packed.words)
      return leaveAsIs(op, packed.problem);
    if (dequantize && dequantize.getBytes() && !packed.quantized.getBytes())
      remarkSlow(op, "keep-quantized-weights",
                 packed.quantized.getBlock() > QuantizedAttr::kMaxBlockOfBytes
                     ? "floats are multiplied, though bytes may be: sums of "
                       "such blocks do not fit in 32 bits"
                     : "floats are multiplied, though bytes may be: blocks are "
                       "not made of whole words");
    if (isNarrow)
      op = widenProduct(op);
    op.getRhsMutable().assign(packed.words);
    op.setTransposeRhs(false);
    op.setPackedAttr(packed.layout);
    op.setQuantizedAttr(packed.quantized);
    return success();
  }
};
} // namespace
