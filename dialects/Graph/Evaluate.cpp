// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Data movement and reductions on constants.
#include "dialects/Graph/Evaluate.h"
#include "dialects/Graph/NeutralElement.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Threading.h"
#include <cmath>

using namespace mlir;
using namespace hone::graph;
using llvm::Expected;

using Attributes = SmallVector<ElementsAttr>;

static SmallVector<int64_t> rowMajorStrides(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(shape.size(), 1);
  for (int64_t i = static_cast<int64_t>(shape.size()) - 2; i >= 0; --i)
    strides[i] = strides[i + 1] * shape[i + 1];
  return strides;
}

/// A box of elements: its start in each of two tensors and the strides, in
/// elements.
struct BoxCopy {
  SmallVector<int64_t> shape;
  int64_t fromOffset = 0, toOffset = 0;
  SmallVector<int64_t> fromStrides, toStrides;
};

template <unsigned width>
static void copyRow(const char *from, int64_t fromStride, char *to,
                    int64_t toStride, int64_t count) {
  for (int64_t i = 0; i < count; ++i)
    std::memcpy(to + i * toStride * width, from + i * fromStride * width,
                width);
}

/// Copies a box, its outermost slices in parallel.
static void copyBox(MLIRContext *context, const BoxCopy &box,
                    const ConstantBytes &from, char *to) {
  int64_t rank = box.shape.size();
  if (llvm::is_contained(box.shape, 0))
    return;
  unsigned width = from.width;
  int64_t inner = rank ? box.shape.back() : 1;
  int64_t innerFrom = rank && !from.splat ? box.fromStrides.back() : 0,
          innerTo = rank ? box.toStrides.back() : 1;
  int64_t rows =
      rank ? ShapedType::getNumElements(ArrayRef(box.shape).drop_back()) : 1;
  int64_t chunk = std::max<int64_t>(1, (1 << 16) / std::max<int64_t>(inner, 1));
  parallelFor(context, 0, llvm::divideCeil(rows, chunk), [&](size_t number) {
    for (int64_t row = number * chunk,
                 end = std::min<int64_t>(row + chunk, rows);
         row < end; ++row) {
      int64_t source = box.fromOffset, target = box.toOffset, rest = row;
      for (int64_t d = rank - 2; d >= 0; --d) {
        int64_t at = rest % box.shape[d];
        rest /= box.shape[d];
        source += at * box.fromStrides[d];
        target += at * box.toStrides[d];
      }
      const char *first = from.element(source);
      char *out = to + target * width;
      switch (width) {
      case 1:
        copyRow<1>(first, innerFrom, out, innerTo, inner);
        break;
      case 2:
        copyRow<2>(first, innerFrom, out, innerTo, inner);
        break;
      case 4:
        copyRow<4>(first, innerFrom, out, innerTo, inner);
        break;
      default:
        for (int64_t i = 0; i < inner; ++i)
          std::memcpy(out + i * innerTo * width, first + i * innerFrom * width,
                      width);
      }
    }
  });
}

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// The same element again, if the input of a movement is a splat; otherwise
/// null.
static ElementsAttr uniformResult(Operation *op) {
  ConstantBytes input = *constantBytes(op->getOperand(0));
  if (!input.splat)
    return {};
  return DenseElementsAttr::getFromRawBuffer(typeOf(op->getResult(0)),
                                             input.data);
}

/// A result that is one box of its only input.
static Expected<Attributes> copyOfInput(Operation *op, BoxCopy box,
                                        StringRef name) {
  ConstantBytes input = *constantBytes(op->getOperand(0));
  ConstantBuffer buffer(typeOf(op->getResult(0)));
  box.shape.assign(buffer.getType().getShape().begin(),
                   buffer.getType().getShape().end());
  box.toStrides = rowMajorStrides(box.shape);
  copyBox(op->getContext(), box, input, buffer.data().data());
  return Attributes{buffer.finish(name)};
}

Expected<Attributes> ReshapeOp::evaluate(StringRef name) {
  if (ElementsAttr uniform = uniformResult(*this))
    return Attributes{uniform};
  auto source = getInput().getDefiningOp<ConstantOp>();
  if (ElementsAttr attr = reshapeConstant(source.getValue(), getType()))
    return Attributes{attr};
  return cannotEvaluate("the shapes do not agree");
}

Expected<Attributes> TransposeOp::evaluate(StringRef name) {
  if (ElementsAttr uniform = uniformResult(*this))
    return Attributes{uniform};
  BoxCopy box;
  SmallVector<int64_t> strides =
      rowMajorStrides(getInput().getType().getShape());
  for (int64_t from : getPermutation())
    box.fromStrides.push_back(strides[from]);
  return copyOfInput(*this, std::move(box), name);
}

Expected<Attributes> SliceOp::evaluate(StringRef name) {
  if (ElementsAttr uniform = uniformResult(*this))
    return Attributes{uniform};
  BoxCopy box;
  ArrayRef<int64_t> shape = getInput().getType().getShape();
  SmallVector<int64_t> strides = rowMajorStrides(shape);
  unsigned nextDynamic = 0;
  for (auto [i, offset] : llvm::enumerate(getStaticOffsets())) {
    std::optional<int64_t> at = offset;
    if (ShapedType::isDynamic(offset))
      at = getConstantIntValue(getOffsets()[nextDynamic++]);
    if (!at)
      return cannotEvaluate("an offset is not constant");
    int64_t size = getType().getDimSize(i),
            last = *at + (size - 1) * getSteps()[i];
    if (size > 0 &&
        (*at < 0 || *at >= shape[i] || last < 0 || last >= shape[i]))
      return cannotEvaluate("the slice leaves its input");
    box.fromOffset += *at * strides[i];
    box.fromStrides.push_back(strides[i] * getSteps()[i]);
  }
  return copyOfInput(*this, std::move(box), name);
}

Expected<Attributes> ConcatOp::evaluate(StringRef name) {
  ConstantBuffer buffer(getType());
  BoxCopy box;
  box.toStrides = rowMajorStrides(buffer.getType().getShape());
  for (Value input : getInputs()) {
    box.shape.assign(typeOf(input).getShape().begin(),
                     typeOf(input).getShape().end());
    box.fromStrides = rowMajorStrides(box.shape);
    copyBox(getContext(), box, *constantBytes(input), buffer.data().data());
    box.toOffset += box.shape[getAxis()] * box.toStrides[getAxis()];
  }
  return Attributes{buffer.finish(name)};
}

static Scalar scalarOf(Attribute value) {
  Scalar scalar;
  if (auto number = dyn_cast<FloatAttr>(value))
    scalar.real = number.getValueAsDouble();
  else
    scalar.integer = cast<IntegerAttr>(value).getInt();
  return scalar;
}

Expected<Attributes> PadOp::evaluate(StringRef name) {
  Attribute value;
  if (!matchPattern(getValue(), m_Constant(&value)))
    return cannotEvaluate("the padding is not constant");
  ConstantBuffer buffer(getType());
  char bytes[8];
  storeScalar(buffer.getType().getElementType(), scalarOf(value), bytes);
  for (int64_t i = 0, count = buffer.getType().getNumElements(); i < count; ++i)
    buffer.write(i, bytes);

  BoxCopy box;
  ArrayRef<int64_t> shape = typeOf(getInput()).getShape();
  box.fromStrides = rowMajorStrides(shape);
  box.toStrides = rowMajorStrides(buffer.getType().getShape());
  for (auto [i, size] : llvm::enumerate(shape)) {
    int64_t low = getLow()[i], high = getHigh()[i];
    box.shape.push_back(std::max<int64_t>(0, size + std::min<int64_t>(low, 0) +
                                                 std::min<int64_t>(high, 0)));
    box.fromOffset += std::max<int64_t>(0, -low) * box.fromStrides[i];
    box.toOffset += std::max<int64_t>(0, low) * box.toStrides[i];
  }
  copyBox(getContext(), box, *constantBytes(getInput()), buffer.data().data());
  return Attributes{buffer.finish(name)};
}

Expected<Attributes> GatherOp::evaluate(StringRef name) {
  ConstantBytes input = *constantBytes(getInput()),
                indices = *constantBytes(getIndices());
  ArrayRef<int64_t> shape = typeOf(getInput()).getShape();
  int64_t axis = getAxis(), size = shape[axis],
          inner = ShapedType::getNumElements(shape.drop_front(axis + 1));
  int64_t outer = ShapedType::getNumElements(shape.take_front(axis));
  int64_t count = typeOf(getIndices()).getNumElements();
  Type indexType = typeOf(getIndices()).getElementType();
  ConstantBuffer buffer(getType());
  for (int64_t k = 0; k < count; ++k) {
    int64_t at = loadScalar(indexType, indices.element(k)).integer;
    at += at < 0 ? size : 0;
    if (at < 0 || at >= size)
      return cannotEvaluate("it would report an error");
    for (int64_t o = 0; o < outer; ++o)
      for (int64_t i = 0; i < inner; ++i)
        buffer.write((o * count + k) * inner + i,
                     input.element((o * size + at) * inner + i));
  }
  return Attributes{buffer.finish(name)};
}

/// Combines in double or in 64 bits; `value` is in the latter as the kind reads
/// it.
static Scalar combine(ReduceKind kind, bool isFloat, Scalar a, Scalar b) {
  Scalar result;
  auto asUnsigned = [](Scalar value) {
    return static_cast<uint64_t>(value.integer);
  };
  switch (kind) {
  case ReduceKind::Sum:
    isFloat ? void(result.real = a.real + b.real)
            : void(result.integer = asUnsigned(a) + asUnsigned(b));
    break;
  case ReduceKind::Prod:
    isFloat ? void(result.real = a.real * b.real)
            : void(result.integer = asUnsigned(a) * asUnsigned(b));
    break;
  case ReduceKind::Max:
    if (isFloat)
      return std::isnan(a.real) || b.real <= a.real ? a : b;
    return a.integer >= b.integer ? a : b;
  case ReduceKind::Min:
    if (isFloat)
      return std::isnan(a.real) || b.real >= a.real ? a : b;
    return a.integer <= b.integer ? a : b;
  // Sign extension keeps the order of unsigned numbers of one width.
  case ReduceKind::UMax:
    return asUnsigned(a) >= asUnsigned(b) ? a : b;
  case ReduceKind::UMin:
    return asUnsigned(a) <= asUnsigned(b) ? a : b;
  }
  return result;
}

Expected<Attributes> ReduceOp::evaluate(StringRef name) {
  ConstantBytes input = *constantBytes(getInput());
  RankedTensorType type = getInput().getType();
  ArrayRef<int64_t> shape = type.getShape();
  bool isFloat = isa<FloatType>(type.getElementType());
  ConstantBuffer buffer(getType());
  SmallVector<int64_t> strides = rowMajorStrides(shape), outShape, outStrides,
                       axisShape, axisStrides;
  for (auto [i, size] : llvm::enumerate(shape)) {
    bool reduced = llvm::is_contained(getAxes(), static_cast<int64_t>(i));
    (reduced ? axisShape : outShape).push_back(size);
    (reduced ? axisStrides : outStrides).push_back(strides[i]);
  }
  auto offsetOf = [](int64_t index, ArrayRef<int64_t> sizes,
                     ArrayRef<int64_t> steps) {
    int64_t offset = 0;
    for (int64_t d = static_cast<int64_t>(sizes.size()) - 1; d >= 0; --d) {
      offset += index % sizes[d] * steps[d];
      index /= sizes[d];
    }
    return offset;
  };
  unsigned width = input.width;
  Scalar neutral = scalarOf(neutralElement(getKind(), type.getElementType()));
  parallelFor(
      getContext(), 0, buffer.getType().getNumElements(), [&](size_t element) {
        int64_t base = offsetOf(element, outShape, outStrides),
                count = ShapedType::getNumElements(axisShape);
        Scalar total = neutral;
        for (int64_t k = 0; k < count; ++k)
          total =
              combine(getKind(), isFloat, total,
                      loadScalar(type.getElementType(),
                                 input.element(base + offsetOf(k, axisShape,
                                                               axisStrides))));
        storeScalar(type.getElementType(), total,
                    buffer.data().data() + element * width);
      });
  return Attributes{buffer.finish(name)};
}

//===-- What it costs -----------------------------------------------------===//

int64_t hone::graph::elementsTouched(Operation *op) {
  int64_t elements = 0;
  for (Type type :
       llvm::concat<const Type>(llvm::to_vector(op->getResultTypes()),
                                llvm::to_vector(op->getOperandTypes())))
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      elements += tensor.getNumElements();
  return elements;
}

bool hone::graph::takesUniform(Operation *op) {
  return llvm::all_of(op->getOperands(), [](Value operand) {
    std::optional<ConstantBytes> bytes = constantBytes(operand);
    return !isa<RankedTensorType>(operand.getType()) || (bytes && bytes->splat);
  });
}

int64_t ReduceOp::getEvaluationCost() { return elementsTouched(*this) / 8; }

bool ReshapeOp::isFreeToEvaluate() { return true; }
bool TransposeOp::isFreeToEvaluate() { return takesUniform(*this); }
bool SliceOp::isFreeToEvaluate() { return takesUniform(*this); }

Expected<Attributes> hone::graph::evaluate(EvaluableOpInterface op,
                                           StringRef name) {
  for (Type type : op->getResultTypes()) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    if (!tensor || !tensor.hasStaticShape() ||
        elementBytes(tensor.getElementType()) == 0)
      return cannotEvaluate("a result is not a static tensor of whole bytes");
  }
  for (Value operand : op->getOperands())
    if (isa<RankedTensorType>(operand.getType()) && !constantBytes(operand))
      return cannotEvaluate("an operand is not a constant");
  return op.evaluate(name);
}
