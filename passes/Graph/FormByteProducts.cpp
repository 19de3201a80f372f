// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Multiplies bytes instead of what they stand for. With a and b the bytes, z
// their zero points and s their scales,
//   sum of sa (a - za) * sb (b - zb)
//     = sa sb (sum of a b - za * sum of b - zb * sum of a + K za zb),
// where all sums but the first are known at compile time if b is.
#include "dialects/Graph/Constants.h"
#include "dialects/Graph/DimBuilder.h"
#include "dialects/Graph/Graph.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Remarks.h"
#include "passes/Analysis/Quantization.h"
#include "passes/Analysis/Remarks.h"
#include "passes/Graph/PackWeights.h"
#include "passes/Graph/Passes.h"
#include "passes/Graph/Reciprocals.h"
#include "passes/Graph/Simplify.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/TypeSwitch.h"

namespace hone {
#define GEN_PASS_DEF_FORMBYTEPRODUCTSPASS
#include "passes/Graph/Passes.h.inc"
} // namespace hone

using namespace mlir;
using namespace hone;
using namespace hone::graph;

/// All integers up to this one are numbers of f32.
static constexpr int64_t kExactInF32 = int64_t(1) << 24;
/// Products of so many distances are summed exactly in i32.
static constexpr int64_t kMaxExactK =
    std::numeric_limits<int32_t>::max() / (kMaxDistance * kMaxDistance);

static bool isOne(int64_t size) { return size == 1; }

namespace {
/// Zero points as numbers, or as a tensor that only the run knows.
struct ZeroPoints {
  std::optional<SmallVector<int64_t>> known; ///< One, or one for each column.
  Value tensor;
  bool isUnsigned = false;
  int64_t offset = 0; ///< To be added to the elements of the tensor.

  bool isNone() const {
    return known && llvm::all_of(*known, [](int64_t z) { return z == 0; });
  }
};

/// What is common to products of matrices and to convolutions.
struct ByteProduct {
  Operation *op;
  Dequantized left, right;
  int64_t columnDim; ///< Of the right-hand side.
  int64_t k;         ///< kDynamic where it is not known.
  /// Brings a tensor with one element for each column to where it meets the
  /// result.
  std::function<Value(OpBuilder &, Value)> alignColumns;

  ZeroPoints leftZero, rightZero;
};
} // namespace

/// A map of one tensor to another element type.
static Value mapElements(OpBuilder &b, Value tensor,
                         function_ref<Value(OpBuilder &, Location, Value)> body,
                         Type element, DimBuilder &dims) {
  Location loc = tensor.getLoc();
  Type type = tensorType(tensor).clone(element);
  return MapOp::create(b, loc, type, tensor, dynamicSizes(b, loc, dims, tensor),
                       [&](OpBuilder &inner, Location loc, ValueRange args) {
                         YieldOp::create(inner, loc, body(inner, loc, args[0]));
                       })
      .getResult(0);
}

static Value flipSigns(OpBuilder &b, Value bytes, DimBuilder &dims) {
  // Products absorb a transposition, but not through a map.
  if (auto transpose = bytes.getDefiningOp<TransposeOp>();
      transpose && transpose->hasOneUse())
    return TransposeOp::create(b, transpose.getLoc(), transpose.getType(),
                               flipSigns(b, transpose.getInput(), dims),
                               transpose.getPermutation());
  std::optional<ConstantBytes> known = knownBytes(bytes);
  if (!known)
    return mapElements(
        b, bytes,
        [](OpBuilder &inner, Location loc, Value x) -> Value {
          Value flip = arith::ConstantOp::create(
              inner, loc, inner.getI8IntegerAttr(-kSignFlip));
          return arith::XOrIOp::create(inner, loc, x, flip);
        },
        b.getI8Type(), dims);
  ConstantBuffer buffer(tensorType(bytes));
  for (auto [i, out] : llvm::enumerate(buffer.data()))
    out = *known->element(i) ^ static_cast<char>(kSignFlip);
  return ConstantOp::create(b, bytes.getLoc(), buffer.finish("bytes"));
}

static ZeroPoints zeroPointsOf(const Dequantized &operand, int64_t offset) {
  ZeroPoints zeros{integersOf(operand.zero), operand.zero.tensor,
                   operand.zero.isUnsigned, offset};
  if (!zeros.known)
    return zeros;
  // Parameters of no rows are those of any.
  if (zeros.known->empty())
    zeros.known->push_back(0);
  for (int64_t &zero : *zeros.known)
    zero += offset;
  return zeros;
}

/// Calls `body` with each element of a constant right-hand side, the number of
/// its column and its place.
static void
forEachByte(const ByteProduct &product, Value bytes,
            function_ref<void(int64_t value, int64_t column, int64_t i)> body) {
  ConstantBytes known = *knownBytes(bytes);
  ArrayRef<int64_t> shape = tensorType(bytes).getShape();
  int64_t columns = shape[product.columnDim];
  int64_t stride =
      ShapedType::getNumElements(shape.drop_front(product.columnDim + 1));
  int64_t count = ShapedType::getNumElements(shape);
  for (int64_t i = 0; i < count; ++i)
    body(int8_t(*known.element(i)), i / stride % columns, i);
}

/// Takes zero points out of constant bytes where all of them stay bytes.
static Value subtractZeros(OpBuilder &b, ByteProduct &product, Value bytes) {
  const SmallVector<int64_t> &zeros = *product.rightZero.known;
  auto zeroOf = [&](int64_t column) {
    return zeros[zeros.size() == 1 ? 0 : column];
  };
  bool fits = true;
  forEachByte(product, bytes, [&](int64_t value, int64_t column, int64_t) {
    fits &= llvm::isInt<8>(value - zeroOf(column));
  });
  if (!fits)
    return bytes;
  ConstantBuffer buffer(tensorType(bytes));
  forEachByte(product, bytes, [&](int64_t value, int64_t column, int64_t i) {
    buffer.data()[i] = static_cast<char>(value - zeroOf(column));
  });
  product.rightZero.known = {0};
  return ConstantOp::create(b, bytes.getLoc(), buffer.finish("bytes"));
}

/// The batch dimensions of the right-hand side.
static ArrayRef<int64_t> batchOf(const ByteProduct &product,
                                 RankedTensorType type) {
  return isa<MatmulOp>(product.op) ? type.getShape().drop_back(2)
                                   : ArrayRef<int64_t>();
}

/// The sum of the bytes along some axes, which stay with size 1.
static Value sumBytes(OpBuilder &b, Value bytes, bool isUnsigned,
                      ArrayRef<int64_t> axes, DimBuilder &dims) {
  SmallVector<int64_t> shape(tensorType(bytes).getShape());
  for (int64_t axis : axes)
    shape[axis] = 1;
  auto type = RankedTensorType::get(shape, b.getI32Type());
  // Sums are fewer to transpose.
  if (auto transpose = bytes.getDefiningOp<TransposeOp>()) {
    SmallVector<int64_t> sources;
    for (int64_t axis : axes)
      sources.push_back(transpose.getPermutation()[axis]);
    llvm::sort(sources);
    return TransposeOp::create(
        b, bytes.getLoc(), type,
        sumBytes(b, transpose.getInput(), isUnsigned, sources, dims),
        transpose.getPermutation());
  }
  Value wide = mapElements(
      b, bytes,
      [&](OpBuilder &inner, Location loc, Value x) -> Value {
        Type type = inner.getI32Type();
        if (isUnsigned)
          return arith::ExtUIOp::create(inner, loc, type, x);
        return arith::ExtSIOp::create(inner, loc, type, x);
      },
      b.getI32Type(), dims);
  return ReduceOp::create(b, bytes.getLoc(), type, wide, ReduceKind::Sum, axes,
                          /*keepdims=*/true);
}

/// The sums of the columns of the right-hand side, times `factor`, aligned to
/// the result; null where they are computed in the run, without the factor.
static Value knownColumnSums(OpBuilder &b, const ByteProduct &product,
                             Value bytes, int64_t factor) {
  RankedTensorType type = tensorType(bytes);
  if (!knownBytes(bytes) || !llvm::all_of(batchOf(product, type), isOne))
    return {};
  SmallVector<int32_t> sums(type.getDimSize(product.columnDim));
  forEachByte(product, bytes, [&](int64_t value, int64_t column, int64_t) {
    sums[column] += static_cast<int32_t>(value * factor);
  });
  SmallVector<int64_t> shape(type.getRank(), 1);
  shape[product.columnDim] = sums.size();
  auto constant = ConstantOp::create(
      b, bytes.getLoc(),
      DenseElementsAttr::get(RankedTensorType::get(shape, b.getI32Type()),
                             ArrayRef<int32_t>(sums)));
  return product.alignColumns(b, constant);
}

/// The same, without a factor, as the run computes them.
static Value columnSums(OpBuilder &b, const ByteProduct &product, Value bytes,
                        DimBuilder &dims) {
  SmallVector<int64_t> axes;
  for (int64_t i = batchOf(product, tensorType(bytes)).size();
       i < tensorType(bytes).getRank(); ++i)
    if (i != product.columnDim)
      axes.push_back(i);
  return product.alignColumns(
      b, sumBytes(b, bytes, /*isUnsigned=*/false, axes, dims));
}

/// A zero point as i32: `element` of its tensor; null where it is known.
static Value zeroAsI32(OpBuilder &b, Location loc, const ZeroPoints &zeros,
                       Value element) {
  Type type = b.getI32Type();
  if (!element)
    return arith::ConstantOp::create(b, loc,
                                     b.getI32IntegerAttr(zeros.known->front()));
  Value wide = zeros.isUnsigned
                   ? arith::ExtUIOp::create(b, loc, type, element).getResult()
                   : arith::ExtSIOp::create(b, loc, type, element).getResult();
  Value offset =
      arith::ConstantOp::create(b, loc, b.getI32IntegerAttr(zeros.offset));
  return arith::AddIOp::create(b, loc, wide, offset);
}

namespace {
/// Collects the inputs of the map behind a product, and builds its body.
class Correction {
public:
  Correction(OpBuilder &b, Location loc) : b(b), loc(loc) {}

  /// Adds an input; its number.
  unsigned input(Value tensor) {
    inputs.push_back(tensor);
    return inputs.size() - 1;
  }
  using Step = std::function<Value(OpBuilder &, Value sum, ValueRange inputs)>;
  void then(Step step) { steps.push_back(std::move(step)); }

  /// The map over `sum`, with elements of the type of `result`.
  Value build(Value sum, RankedTensorType result, ValueRange dims) {
    SmallVector<Value> operands{sum};
    llvm::append_range(operands, inputs);
    return MapOp::create(b, loc, TypeRange(result), operands, dims,
                         [&](OpBuilder &inner, Location loc, ValueRange args) {
                           Value value = args[0];
                           for (const Step &step : steps)
                             value = step(inner, value, args.drop_front());
                           YieldOp::create(inner, loc, value);
                         })
        .getResult(0);
  }

private:
  OpBuilder &b;
  Location loc;
  SmallVector<Value> inputs;
  SmallVector<Step> steps;
};
} // namespace

/// sum - za * column sums
static void correctLeftZero(OpBuilder &b, Location loc, Correction &correction,
                            const ByteProduct &product, Value bytes,
                            DimBuilder &dims) {
  const ZeroPoints zeros = product.leftZero;
  bool isKnown = zeros.known.has_value();
  Value sums =
      knownColumnSums(b, product, bytes, isKnown ? zeros.known->front() : 1);
  bool isMultiplied = sums && isKnown;
  unsigned sum =
      correction.input(sums ? sums : columnSums(b, product, bytes, dims));
  unsigned zero = isKnown ? 0 : correction.input(zeros.tensor);
  correction.then([=](OpBuilder &b, Value value, ValueRange inputs) -> Value {
    Value term = inputs[sum];
    if (!isMultiplied)
      term = arith::MulIOp::create(
          b, loc, term,
          zeroAsI32(b, loc, zeros, isKnown ? Value() : inputs[zero]));
    return arith::SubIOp::create(b, loc, value, term);
  });
}

/// sum - zb * (row sums - K * za)
static void correctRightZero(OpBuilder &b, Location loc, Correction &correction,
                             const ByteProduct &product, Value sums) {
  const ZeroPoints left = product.leftZero, right = product.rightZero;
  unsigned sum = correction.input(sums), rightZero = 0, leftZero = 0;
  if (right.tensor)
    rightZero = correction.input(product.alignColumns(b, right.tensor));
  if (!left.known)
    leftZero = correction.input(left.tensor);
  int64_t k = product.k;
  correction.then([=](OpBuilder &b, Value value, ValueRange inputs) -> Value {
    Value za = zeroAsI32(b, loc, left, left.known ? Value() : inputs[leftZero]);
    Value zb =
        zeroAsI32(b, loc, right, right.tensor ? inputs[rightZero] : Value());
    Value count = arith::ConstantOp::create(
        b, loc, b.getI32IntegerAttr(static_cast<int32_t>(k)));
    Value rows = arith::SubIOp::create(
        b, loc, inputs[sum], arith::MulIOp::create(b, loc, za, count));
    return arith::SubIOp::create(b, loc, value,
                                 arith::MulIOp::create(b, loc, zb, rows));
  });
}

static void applyScales(OpBuilder &b, Location loc, Correction &correction,
                        const ByteProduct &product) {
  auto toFloat = [loc](OpBuilder &b, Value value) -> Value {
    return arith::SIToFPOp::create(b, loc, b.getF32Type(), value);
  };
  const Parameter &left = product.left.scale, &right = product.right.scale;
  std::optional<SmallVector<float>> leftScale = floatsOf(left),
                                    scales = floatsOf(right);
  if (leftScale && scales && leftScale->size() == 1) {
    for (float &scale : *scales)
      scale *= leftScale->front();
    auto type = right.tensor ? tensorType(right.tensor)
                             : RankedTensorType::get({}, b.getF32Type());
    Value both = ConstantOp::create(
        b, loc, DenseElementsAttr::get(type, ArrayRef<float>(*scales)));
    unsigned scale = correction.input(product.alignColumns(b, both));
    correction.then([=](OpBuilder &b, Value value, ValueRange inputs) -> Value {
      return arith::MulFOp::create(b, loc, toFloat(b, value), inputs[scale]);
    });
    return;
  }
  auto tensorOf = [&](const Parameter &scale) -> Value {
    if (scale.tensor)
      return scale.tensor;
    return ConstantOp::create(
        b, loc,
        DenseElementsAttr::get(RankedTensorType::get({}, b.getF32Type()),
                               static_cast<float>(*scale.number)));
  };
  unsigned first = correction.input(tensorOf(left)),
           second = correction.input(product.alignColumns(b, tensorOf(right)));
  correction.then([=](OpBuilder &b, Value value, ValueRange inputs) -> Value {
    Value scale = arith::MulFOp::create(b, loc, inputs[first], inputs[second]);
    return arith::MulFOp::create(b, loc, toFloat(b, value), scale);
  });
}

/// Whether a parameter of the left-hand side is the same for all of K.
static bool isOfRows(const ByteProduct &product, const Parameter &parameter) {
  if (!parameter.tensor)
    return true;
  ArrayRef<int64_t> shape = tensorType(parameter.tensor).getShape();
  if (!isa<MatmulOp>(product.op))
    return llvm::all_of(shape, isOne);
  return shape.empty() || shape.back() == 1;
}

/// Whether a parameter of the right-hand side is one of all, or of each column.
static bool isOfColumns(const ByteProduct &product,
                        const Parameter &parameter) {
  if (!parameter.tensor)
    return true;
  RankedTensorType type = tensorType(parameter.tensor);
  return isPerChannel(type, tensorType(product.right.bytes).getRank(),
                      product.columnDim) &&
         (type.hasStaticShape() || isa<MatmulOp>(product.op));
}

static LogicalResult leaveAsIs(Operation *op, StringRef reason) {
  remarkSlow(op, "form-byte-products", reason);
  return failure();
}

/// Whether the scales, as far as they are known, can be multiplied before they
/// meet the sum.
static bool areScalesNormal(const ByteProduct &product) {
  std::optional<SmallVector<float>> left = floatsOf(product.left.scale),
                                    right = floatsOf(product.right.scale);
  if (!left || !right || left->size() != 1)
    return true;
  return llvm::all_of(*right, [&](float scale) {
    return std::isnormal(scale * left->front()) || scale == 0 ||
           left->front() == 0;
  });
}

/// What is wrong with the operands of a product; "" where they can be bytes.
static StringRef problemOf(const ByteProduct &product) {
  if (!product.left.scale != !product.right.scale)
    return "one operand alone has a scale";
  // Sums of integers wrap around, those of floats do not.
  if (product.left.scale &&
      (ShapedType::isDynamic(product.k) || product.k > kMaxExactK))
    return "sums may need more than 32 bits";
  if (product.left.scale && !areScalesNormal(product))
    return "the product of the scales is not a normal number";
  if (!isOfRows(product, product.left.zero) ||
      !isOfRows(product, product.left.scale))
    return "the left operand has parameters along K";
  if (!isOfColumns(product, product.right.zero) ||
      !isOfColumns(product, product.right.scale))
    return "the right operand has parameters along K";
  return "";
}

using PadFn = function_ref<FailureOr<Value>(OpBuilder &b, Value bytes)>;

/// Makes the operation one of bytes. `pad` surrounds those on the left with the
/// zero point; null: there is no padding.
static LogicalResult formProduct(ByteProduct &product, DimBuilder &dims,
                                 PadFn pad, SmallVectorImpl<Value> &floats) {
  Operation *op = product.op;
  if (StringRef problem = problemOf(product); !problem.empty())
    return leaveAsIs(op, problem);
  OpBuilder b(op);
  Location loc = op->getLoc();
  const Dequantized &left = product.left, &right = product.right;
  product.leftZero = zeroPointsOf(left, left.isUnsigned ? 0 : kSignFlip);
  if (product.leftZero.known && product.leftZero.known->size() > 1)
    product.leftZero.known.reset(); // One for each row.
  product.rightZero = zeroPointsOf(right, right.isUnsigned ? -kSignFlip : 0);

  Value rows = left.isUnsigned ? left.bytes : flipSigns(b, left.bytes, dims);
  Value columns =
      right.isUnsigned ? flipSigns(b, right.bytes, dims) : right.bytes;
  if (product.rightZero.known && !product.rightZero.isNone() &&
      knownBytes(columns))
    columns = subtractZeros(b, product, columns);
  bool hasRightZero = !product.rightZero.isNone();
  if (hasRightZero && (!isa<MatmulOp>(op) || ShapedType::isDynamic(product.k)))
    return leaveAsIs(op, "zero points of the right operand do not vanish");
  if (pad) {
    FailureOr<Value> padded = pad(b, rows);
    if (failed(padded))
      return failure();
    rows = *padded;
  }

  Correction correction(b, loc);
  if (!product.leftZero.isNone())
    correctLeftZero(b, loc, correction, product, columns, dims);
  if (hasRightZero) {
    int64_t last = tensorType(rows).getRank() - 1;
    correctRightZero(b, loc, correction, product,
                     sumBytes(b, rows, /*isUnsigned=*/true, last, dims));
  }
  if (left.scale)
    applyScales(b, loc, correction, product);

  auto result = cast<RankedTensorType>(op->getResult(0).getType());
  op->setOperand(0, rows);
  op->setOperand(1, columns);
  op->getResult(0).setType(result.clone(b.getI32Type()));
  b.setInsertionPointAfter(op);
  Value corrected = correction.build(
      op->getResult(0), result, dynamicSizes(b, loc, dims, op->getResult(0)));
  op->getResult(0).replaceAllUsesExcept(corrected, corrected.getDefiningOp());
  if (left.scale)
    floats.push_back(corrected);
  remark::passed(
      loc, remark::RemarkOpts::name("bytes").category("form-byte-products"));
  return success();
}

static LogicalResult formMatmul(MatmulOp op, const Dequantized &left,
                                const Dequantized &right, DimBuilder &dims,
                                SmallVectorImpl<Value> &floats) {
  int64_t rank = tensorType(op.getRhs()).getRank();
  bool isTransposed = op.getTransposeRhs();
  ByteProduct product{op,
                      left,
                      right,
                      rank - (isTransposed ? 2 : 1),
                      tensorType(op.getLhs()).getShape().back(),
                      {},
                      {},
                      {}};
  // [.., N, 1] meets rows of the result as [.., 1, N].
  product.alignColumns = [&](OpBuilder &b, Value tensor) -> Value {
    RankedTensorType type = tensorType(tensor);
    if (!isTransposed || type.getRank() < 2)
      return tensor;
    SmallVector<int64_t> order, shape;
    for (int64_t i = 0; i < type.getRank(); ++i)
      order.push_back(i);
    std::swap(order[type.getRank() - 2], order[type.getRank() - 1]);
    for (int64_t from : order)
      shape.push_back(type.getDimSize(from));
    return TransposeOp::create(b, tensor.getLoc(), type.clone(shape), tensor,
                               order);
  };
  return formProduct(product, dims, nullptr, floats);
}

/// Has [OC, 1, ..] or [1, OC, 1, ..] meet channels of a result as [OC, 1, ..]
/// with a dimension for each spatial one.
static Value alignChannels(OpBuilder &b, Value tensor, int64_t spatial) {
  RankedTensorType type = tensorType(tensor);
  SmallVector<int64_t> shape;
  if (type.getNumElements() != 1) {
    shape.push_back(type.getNumElements());
    shape.append(spatial, 1);
  }
  return reshapeTo(b, tensor.getLoc(), tensor, shape);
}

static LogicalResult formConvolution(ConvOp op, const Dequantized &left,
                                     const Dequantized &right, DimBuilder &dims,
                                     SmallVectorImpl<Value> &floats) {
  RankedTensorType filter = tensorType(op.getFilter());
  int64_t spatial = filter.getRank() - 2;
  if (!filter.hasStaticShape())
    return leaveAsIs(op, "the shape of the filter is not known");
  int64_t kr = packedLayout(right.bytes).getKr();
  if (op.getGroup() != 1 && !isDepthwise(op) && filter.getDimSize(1) % kr != 0)
    return leaveAsIs(op, "groups have too few channels");
  ByteProduct product{
      op,
      left,
      right,
      0,
      ShapedType::getNumElements(filter.getShape().drop_front()),
      {},
      {},
      {}};
  product.alignColumns = [&](OpBuilder &b, Value tensor) {
    return alignChannels(b, tensor, spatial);
  };
  bool isPadded = llvm::any_of(op.getPads(), [](int64_t p) { return p != 0; });
  auto pad = [&](OpBuilder &b, Value bytes) -> FailureOr<Value> {
    if (!product.leftZero.known)
      return leaveAsIs(op, "the zero point of what is padded is not known");
    if (product.leftZero.isNone()) // Padding reads as zero.
      return bytes;
    RankedTensorType type = tensorType(bytes);
    SmallVector<int64_t> low(2, 0), high(2, 0), shape(type.getShape());
    for (int64_t i = 0; i < spatial; ++i) {
      low.push_back(op.getPads()[i]);
      high.push_back(op.getPads()[spatial + i]);
      if (!ShapedType::isDynamic(shape[i + 2]))
        shape[i + 2] += low.back() + high.back();
    }
    Value zero =
        arith::ConstantOp::create(b, op.getLoc(),
                                  b.getI8IntegerAttr(static_cast<int8_t>(
                                      product.leftZero.known->front())));
    op.setPads(SmallVector<int64_t>(2 * spatial, 0));
    return PadOp::create(b, op.getLoc(), type.clone(shape), bytes, zero, low,
                         high)
        .getResult();
  };
  return formProduct(product, dims, isPadded ? PadFn(pad) : nullptr, floats);
}

static LogicalResult formTransposed(ConvTransposeOp op, const Dequantized &left,
                                    const Dequantized &right, DimBuilder &dims,
                                    SmallVectorImpl<Value> &floats) {
  RankedTensorType filter = tensorType(op.getFilter());
  int64_t spatial = filter.getRank() - 2;
  if (!filter.hasStaticShape())
    return leaveAsIs(op, "the shape of the filter is not known");
  if (op.getGroup() != 1)
    return leaveAsIs(op, "a transposed convolution has groups");
  // How many filter elements meet a result differs from one to the next.
  if (!zeroPointsOf(left, left.isUnsigned ? 0 : kSignFlip).isNone())
    return leaveAsIs(op, "a transposed convolution has a zero point");
  ByteProduct product{
      op, left, right, 1, filter.getNumElements() / filter.getDimSize(1),
      {}, {},   {}};
  product.alignColumns = [&](OpBuilder &b, Value tensor) {
    return alignChannels(b, tensor, spatial);
  };
  return formProduct(product, dims, nullptr, floats);
}

/// Products of i32 that are no products of bytes are exact in a float type.
static void computeInFloats(ConvOp op, DimBuilder &dims) {
  RankedTensorType filter = tensorType(op.getFilter());
  if (!filter.hasStaticShape())
    return;
  int64_t k = ShapedType::getNumElements(filter.getShape().drop_front());
  if (k > kMaxExactK)
    return;
  OpBuilder b(op);
  Type type = k * kMaxDistance * kMaxDistance <= kExactInF32 ? b.getF32Type()
                                                             : b.getF64Type();
  for (OpOperand *operand : {&op.getInputMutable(), &op.getFilterMutable()})
    operand->set(mapElements(
        b, operand->get(),
        [&](OpBuilder &inner, Location loc, Value x) -> Value {
          return arith::SIToFPOp::create(inner, loc, type, x);
        },
        type, dims));
  Value result = op.getResult();
  Type integer = getElementTypeOrSelf(result);
  op.getResult().setType(tensorType(result).clone(type));
  b.setInsertionPointAfter(op);
  Value sums = mapElements(
      b, result,
      [&](OpBuilder &inner, Location loc, Value x) -> Value {
        return arith::FPToSIOp::create(inner, loc, integer, x);
      },
      integer, dims);
  result.replaceAllUsesExcept(sums, sums.getDefiningOp());
}

namespace {
struct FormByteProductsPass
    : hone::impl::FormByteProductsPassBase<FormByteProductsPass> {
  using Base::Base;

  void runOnOperation() override {
    SmallVector<Operation *> products;
    getOperation().walk([&](Operation *op) {
      if (isa<MatmulOp, ConvOp, ConvTransposeOp>(op))
        products.push_back(op);
    });
    DimBuilder dims(getOperation());
    SmallVector<Value> floats;
    for (Operation *op : products)
      form(op, dims, floats);

    // All maps that follow.
    llvm::SetVector<Operation *> maps;
    auto follow = [&](Value value) {
      for (Operation *user : value.getUsers())
        if (auto map = dyn_cast<MapOp>(user))
          maps.insert(map);
    };
    llvm::for_each(floats, follow);
    for (size_t i = 0; i < maps.size(); ++i) {
      auto map = cast<MapOp>(maps[i]);
      quantizeByReciprocals(map);
      for (Value result : map.getResults())
        if (getElementTypeOrSelf(result).isF32())
          follow(result);
    }
  }

  void form(Operation *op, DimBuilder &dims, SmallVectorImpl<Value> &floats) {
    std::optional<Dequantized> left = matchDequantized(op->getOperand(0)),
                               right = matchDequantized(op->getOperand(1));
    if (!left && !right)
      return;
    if (!left || !right) {
      // Quantized weights alone are hone-keep-quantized-weights' part.
      if (left || !isa<MatmulOp>(op))
        remarkSlow(op, "form-byte-products", "one operand alone is of bytes");
      return;
    }
    LogicalResult formed =
        TypeSwitch<Operation *, LogicalResult>(op)
            .Case([&](ConvOp conv) {
              return formConvolution(conv, *left, *right, dims, floats);
            })
            .Case([&](ConvTransposeOp conv) {
              return formTransposed(conv, *left, *right, dims, floats);
            })
            .Case([&](MatmulOp matmul) {
              return formMatmul(matmul, *left, *right, dims, floats);
            });
    auto conv = dyn_cast<ConvOp>(op);
    if (failed(formed) && conv && !left->scale && !right->scale)
      computeInFloats(conv, dims);
  }
};
} // namespace
