// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The current node: errors, attributes, constants, and elements of small
// tensors.
#include "compiler/Import/Onnx/Builder/NodeBuilder.h"
#include "compiler/Import/Onnx/Builder/GraphImporter.h"
#include "dialects/Graph/Constants.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace hone::onnx;

/// Tensors up to this size are evaluated element by element on the host.
static constexpr int64_t kMaxFollowed = 64;

NodeBuilder::NodeBuilder(GraphImporter &importer, Scope &scope,
                         const Node &node, int64_t opset, Location loc,
                         ArrayRef<Val> inputs)
    : node(node), opset(opset), loc(loc), importer(importer), scope(scope),
      b(importer.builder), dimBuilder(*importer.dimBuilder), inputs(inputs),
      outputs(node.outputs.size()), hostBuilder(b, loc, &dimBuilder) {}

void NodeBuilder::out(size_t i, Val value) {
  if (i < outputs.size())
    outputs[i] = value;
}

std::string NodeBuilder::described(const Twine &reason) {
  return ("node '" + llvm::cast<NameLoc>(loc).getName().getValue() + "' (" +
          node.opType + ", " +
          (node.domain.empty() ? Twine() : "domain " + node.domain + ", ") +
          "opset " + Twine(opset) + "): " + reason)
      .str();
}

void NodeBuilder::fail(const Twine &reason) {
  if (!hasError)
    importer.error(described(reason));
  hasError = true;
}

void NodeBuilder::fault(const Twine &reason) {
  if (!hasError)
    importer.fault(loc, described(reason));
  hasError = true;
}

LogicalResult NodeBuilder::error(const Twine &reason) {
  fail(reason);
  return failure();
}

//===- Attributes ---------------------------------------------------------===//

const AttributeProto *NodeBuilder::attr(StringRef name) {
  for (const AttributeProto &attribute : node.attributes) {
    if (attribute.name != name)
      continue;
    if (attribute.refName.empty())
      return &attribute;
    return scope.call ? scope.call->attributes.lookup(attribute.refName)
                      : nullptr;
  }
  return nullptr;
}

void NodeBuilder::kind(const AttributeProto &attribute,
                       AttributeKind expected) {
  if (attribute.kind != expected)
    fail("the attribute '" + attribute.name +
         "' has another type than the operator asks for");
}

int64_t NodeBuilder::intAttr(StringRef name, int64_t byDefault) {
  const AttributeProto *attribute = attr(name);
  if (!attribute)
    return byDefault;
  kind(*attribute, AttributeKind::Int);
  return attribute->i;
}

float NodeBuilder::floatAttr(StringRef name, float byDefault) {
  const AttributeProto *attribute = attr(name);
  if (!attribute)
    return byDefault;
  kind(*attribute, AttributeKind::Float);
  return attribute->f;
}

StringRef NodeBuilder::stringAttr(StringRef name, StringRef byDefault) {
  const AttributeProto *attribute = attr(name);
  if (!attribute)
    return byDefault;
  kind(*attribute, AttributeKind::String);
  return attribute->s;
}

std::optional<Ints> NodeBuilder::intsAttr(StringRef name) {
  const AttributeProto *attribute = attr(name);
  if (!attribute)
    return std::nullopt;
  kind(*attribute, AttributeKind::Ints);
  return Ints(attribute->ints.begin(), attribute->ints.end());
}

Ints NodeBuilder::intsAttr(StringRef name, ArrayRef<int64_t> byDefault) {
  std::optional<Ints> values = intsAttr(name);
  return values ? *values : Ints(byDefault);
}

std::optional<SmallVector<float>> NodeBuilder::floatsAttr(StringRef name) {
  const AttributeProto *attribute = attr(name);
  if (!attribute)
    return std::nullopt;
  kind(*attribute, AttributeKind::Floats);
  return SmallVector<float>(attribute->floats.begin(), attribute->floats.end());
}

std::optional<std::vector<StringRef>> NodeBuilder::stringsAttr(StringRef name) {
  const AttributeProto *attribute = attr(name);
  if (!attribute)
    return std::nullopt;
  kind(*attribute, AttributeKind::Strings);
  return attribute->strings;
}

const hone::onnx::Graph *NodeBuilder::graphAttr(StringRef name) {
  const AttributeProto *attribute = attr(name);
  if (!attribute || attribute->kind != AttributeKind::Graph ||
      attribute->graphs.size() != 1)
    return nullptr;
  return &attribute->graphs.front();
}

const Tensor *NodeBuilder::tensorAttr(StringRef name) {
  const AttributeProto *attribute = attr(name);
  if (!attribute || attribute->tensors.size() != 1)
    return nullptr;
  return &attribute->tensors.front();
}

int64_t NodeBuilder::axis(int64_t value, int64_t rank) {
  int64_t result = value < 0 ? value + rank : value;
  if (result >= 0 && result < rank)
    return result;
  fail("the axis " + Twine(value) + " is outside a tensor of " + Twine(rank) +
       " dimensions");
  return 0;
}

std::optional<Ints> NodeBuilder::axes(StringRef attribute, size_t input,
                                      int64_t rank, bool sorted) {
  std::optional<Ints> values;
  if (has(input)) {
    values = requireInts(input, attribute);
    if (!values)
      return Ints();
  } else {
    values = intsAttr(attribute);
  }
  if (!values)
    return std::nullopt;
  for (int64_t &value : *values) {
    value = axis(value, rank);
    if (failed())
      return Ints();
  }
  Ints ordered = *values;
  llvm::sort(ordered);
  if (std::adjacent_find(ordered.begin(), ordered.end()) != ordered.end()) {
    fail("names the same axis twice");
    return Ints();
  }
  return sorted ? ordered : *values;
}

bool NodeBuilder::areTensors(ArrayRef<Val> values) {
  if (llvm::all_of(values, [](const Val &v) { return v.isTensor(); }))
    return true;
  fail("lacks a tensor that it needs");
  return false;
}

bool NodeBuilder::haveRank(ArrayRef<Val> values, int64_t rank) {
  if (!areTensors(values))
    return false;
  for (const Val &v : values)
    if (v.rank() != rank) {
      fail("needs tensors of " + Twine(rank) + " dimensions, not " +
           Twine(v.rank()));
      return false;
    }
  return true;
}

bool NodeBuilder::hasAxis(Val v, int64_t axis) {
  if (axis >= 0 && axis < v.rank())
    return true;
  fail("needs a tensor of more than " + Twine(axis) + " dimensions");
  return false;
}

//===- Elements of small tensors ------------------------------------------===//

hone::onnx::Size NodeBuilder::dim(Val v, int64_t i) {
  return hasAxis(v, i) ? dimBuilder.dim(b, loc, v.value, i) : index(1);
}

hone::onnx::Size NodeBuilder::toSize(const Scalar &x) {
  Value value = host().toIndex(x).value;
  APInt constant;
  if (matchPattern(value, m_ConstantInt(&constant)))
    return index(constant.getSExtValue());
  return value;
}

/// The types whose arithmetic the host can follow: others would wrap or round
/// differently.
static bool isFollowed(ElementType elem) {
  return elem == ElementType::Int64 || elem == ElementType::Int32 ||
         elem == ElementType::Bool || elem == ElementType::Float;
}

bool NodeBuilder::hostScalars(Val v, ScalarBuilder &s,
                              SmallVectorImpl<Scalar> &scalars) {
  if (!v.isTensor() || !isFollowed(v.elem))
    return false;
  if (auto it = importer.elements.find(v.value);
      it != importer.elements.end()) {
    // The host computes with 64 bits; values that do not fit in 32 bits wrap
    // around.
    for (Value element : it->second) {
      Scalar x = s.wrap(element);
      NumberRange range =
          v.elem == ElementType::Int32 ? rangeOf(element) : NumberRange{0, 0};
      if (range.low < INT32_MIN || range.high > INT32_MAX)
        x = s.toIndex(s.wrap(s.store(x, ElementType::Int32)));
      scalars.push_back(x);
    }
    return true;
  }
  auto constant = v.value.getDefiningOp<graph::ConstantOp>();
  if (!constant || v.type().getNumElements() > kMaxFollowed)
    return false;
  auto dense = dyn_cast<DenseElementsAttr>(constant.getValue());
  if (!dense)
    return false;
  if (v.elem == ElementType::Float) {
    for (APFloat value : dense.getValues<APFloat>())
      scalars.push_back(s.wrap(arith::ConstantOp::create(
          b, loc, b.getFloatAttr(b.getF32Type(), value))));
    return true;
  }
  for (const APInt &value : dense.getValues<APInt>())
    scalars.push_back(v.elem == ElementType::Bool
                          ? s.boolean(!value.isZero())
                          : s.indexConstant(value.getSExtValue()));
  return true;
}

Val NodeBuilder::fromHost(ArrayRef<Scalar> scalars, ArrayRef<int64_t> shape,
                          ElementType elem) {
  mlir::Type element = storageType(b.getContext(), elem);
  auto type = RankedTensorType::get(shape, element);
  SmallVector<mlir::Attribute> attributes;
  SmallVector<Value> values;
  for (const Scalar &x : scalars) {
    values.push_back(x.value);
    mlir::Attribute attribute;
    if (!matchPattern(x.value, m_Constant(&attribute)))
      continue;
    if (auto number = dyn_cast<IntegerAttr>(attribute)) {
      APInt bits =
          elem == ElementType::Bool
              ? number.getValue().zextOrTrunc(8)
              : number.getValue().sextOrTrunc(element.getIntOrFloatBitWidth());
      attributes.push_back(IntegerAttr::get(element, bits));
    } else {
      attributes.push_back(attribute);
    }
  }
  Value tensor;
  if (attributes.size() == scalars.size()) {
    tensor = graph::ConstantOp::create(
        b, loc, DenseElementsAttr::get(type, attributes));
  } else {
    ScalarBuilder s(b, loc);
    SmallVector<Value> stored;
    for (Scalar x : scalars) {
      x.builder = &s;
      stored.push_back(s.store(x, elem));
    }
    tensor = tensor::FromElementsOp::create(b, loc, type, stored);
    importer.elements[tensor] = values;
  }
  return {tensor, elem};
}

std::optional<Sizes> NodeBuilder::elements(Val v) {
  ScalarBuilder &s = host();
  SmallVector<Scalar> scalars;
  Sizes result;
  if (!v.isTensor() || !isInteger(v.elem)) {
    fail(v.isTensor()
             ? "takes a tensor of sizes that is " + elementTypeName(v.elem)
             : "lacks a tensor of sizes");
    return std::nullopt;
  }
  if (hostScalars(v, s, scalars)) {
    for (const Scalar &x : scalars)
      result.push_back(toSize(x));
    return result;
  }
  if (!v.isStatic() || v.type().getNumElements() > (1 << 16)) {
    fail("takes a tensor of sizes of unknown length");
    return std::nullopt;
  }
  for (int64_t i = 0, count = v.type().getNumElements(); i < count; ++i) {
    SmallVector<Value> indices(v.rank());
    int64_t rest = i;
    for (int64_t axis = v.rank() - 1; axis >= 0; --axis) {
      indices[axis] =
          arith::ConstantIndexOp::create(b, loc, rest % v.shape()[axis]);
      rest /= v.shape()[axis];
    }
    Value element = tensor::ExtractOp::create(b, loc, v.value, indices);
    result.push_back(toSize(s.wrap(element, isUnsigned(v.elem))));
  }
  return result;
}

std::optional<Sizes> NodeBuilder::elements(Val v, int64_t count) {
  if (v.isTensor() && v.rank() == 1 && !v.isStatic())
    v = withSize(v, 0, index(count), "the lengths of its inputs");
  return elements(v);
}

std::optional<Sizes> NodeBuilder::elementsUpTo(Val v, int64_t limit,
                                               int64_t fill) {
  if (!v.isTensor() || v.rank() != 1 || !isInteger(v.elem) || limit < 1)
    return elements(v);
  ScalarBuilder &s = host();
  require(le(s.size(dim(v, 0)), s.indexConstant(limit)),
          "an input is as long as dimensions allow");
  Val longer = concat({v, constantInts(Ints(limit, fill), v.elem)}, 0);
  return elements(sliceAxis(longer, 0, index(0), index(limit)));
}

std::optional<Ints> NodeBuilder::knownInts(Val v) {
  if (!v || !v.isTensor() || !isInteger(v.elem))
    return std::nullopt;
  Ints result;
  if (auto constant = v.value.getDefiningOp<graph::ConstantOp>()) {
    std::optional<graph::ConstantBytes> bytes =
        graph::constantBytes(constant.getValue());
    if (!bytes)
      return std::nullopt;
    int64_t count = v.type().getNumElements();
    for (int64_t i = 0; i < count; ++i) {
      int64_t number = 0;
      std::memcpy(&number, bytes->element(i), bytes->width);
      if (!isUnsigned(v.elem))
        number = llvm::SignExtend64(number, bytes->width * 8);
      result.push_back(number);
    }
    return result;
  }
  auto it = importer.elements.find(v.value);
  if (it == importer.elements.end())
    return std::nullopt;
  for (Value element : it->second) {
    APInt number;
    if (!matchPattern(element, m_ConstantInt(&number)))
      return std::nullopt;
    result.push_back(number.getSExtValue());
  }
  return result;
}

std::optional<SmallVector<double>> NodeBuilder::knownNumbers(Val v) {
  if (std::optional<Ints> ints = knownInts(v))
    return SmallVector<double>(ints->begin(), ints->end());
  if (!v || !v.isTensor())
    return std::nullopt;
  mlir::ElementsAttr elements;
  if (!matchPattern(v.value, m_Constant(&elements)) ||
      !isa<FloatType>(elements.getElementType()))
    return std::nullopt;
  auto type = llvm::cast<FloatType>(elements.getElementType());
  std::optional<graph::ConstantBytes> bytes = graph::constantBytes(elements);
  if (!bytes)
    return std::nullopt;
  SmallVector<double> result;
  for (int64_t i = 0, count = elements.getNumElements(); i < count; ++i) {
    uint64_t bits = 0;
    std::memcpy(&bits, bytes->element(i), bytes->width);
    APFloat number(type.getFloatSemantics(), APInt(type.getWidth(), bits));
    bool lost;
    number.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lost);
    result.push_back(number.convertToDouble());
  }
  return result;
}

std::optional<Ints> NodeBuilder::requireInts(size_t input, StringRef name) {
  if (!has(input))
    return std::nullopt;
  std::optional<Ints> values = knownInts(in(input));
  if (!values)
    fail("its input '" + name +
         "' must be known at compile time; make it a constant");
  return values;
}

Scalar NodeBuilder::hostScalar(Val v) {
  ScalarBuilder &s = host();
  SmallVector<Scalar> scalars;
  if (hostScalars(v, s, scalars) && scalars.size() == 1)
    return scalars.front();
  Value zero = arith::ConstantIndexOp::create(b, loc, 0);
  bool isNumber = v.isTensor() && v.type().getElementType().isIntOrFloat();
  Size count = isNumber ? product(dims(v)) : index(0);
  if (!isNumber || !require(eq(s.size(count), 1), "its input is one number")) {
    fail("needs one number");
    return s.wrap(zero);
  }
  Value element = tensor::ExtractOp::create(b, loc, v.value,
                                            SmallVector<Value>(v.rank(), zero));
  Scalar loaded = s.load(element, v.elem);
  return loaded.isInt() ? s.toIndex(loaded) : loaded;
}

//===- Constants ----------------------------------------------------------===//

Val NodeBuilder::constant(ElementType elem, ArrayRef<int64_t> shape,
                          ArrayRef<double> values) {
  mlir::Type element = storageType(b.getContext(), elem);
  auto type = RankedTensorType::get(shape, element);
  SmallVector<mlir::Attribute> attributes;
  for (double value : values) {
    if (auto floatType = dyn_cast<FloatType>(element))
      attributes.push_back(FloatAttr::get(floatType, value));
    else
      attributes.push_back(IntegerAttr::get(
          element,
          APInt(element.getIntOrFloatBitWidth(), static_cast<int64_t>(value),
                /*isSigned=*/true, /*implicitTrunc=*/true)));
  }
  return {graph::ConstantOp::create(b, loc,
                                    DenseElementsAttr::get(type, attributes)),
          elem};
}

Val NodeBuilder::constantInts(ArrayRef<int64_t> values, ElementType elem) {
  mlir::Type element = storageType(b.getContext(), elem);
  auto type =
      RankedTensorType::get({static_cast<int64_t>(values.size())}, element);
  SmallVector<APInt> numbers;
  for (int64_t value : values)
    numbers.push_back(APInt(element.getIntOrFloatBitWidth(), value,
                            /*isSigned=*/true, /*implicitTrunc=*/true));
  return {
      graph::ConstantOp::create(b, loc, DenseElementsAttr::get(type, numbers)),
      elem};
}

Val NodeBuilder::fromSizes(ArrayRef<Size> sizes, ArrayRef<int64_t> shape,
                           ElementType elem) {
  ScalarBuilder &s = host();
  SmallVector<Scalar> scalars;
  for (Size size : sizes)
    scalars.push_back(s.size(size));
  return fromHost(scalars, shape, elem);
}

Val NodeBuilder::filled(ElementType elem, ArrayRef<Size> dims, double value) {
  return compute(dims, elem, [&](ScalarBuilder &s) {
    return s.constant(computeType(b.getContext(), elem), value,
                      isUnsigned(elem));
  });
}

//===- Elementwise --------------------------------------------------------===//

std::optional<Val> NodeBuilder::mapOnHost(ArrayRef<Val> values,
                                          ElementType result, Body body) {
  if (!isFollowed(result) || values.empty() || !areTensors(values))
    return std::nullopt;
  ScalarBuilder s(b, loc, &dimBuilder);
  SmallVector<SmallVector<Scalar>> scalars;
  for (Val v : values)
    if (!v.isStatic() || !hostScalars(v, s, scalars.emplace_back()))
      return std::nullopt;
  Sizes sizes = broadcastDims(values);
  SmallVector<int64_t> shape;
  for (Size size : sizes)
    shape.push_back(*known(size));
  int64_t count = elementCount(shape);
  if (count < 0 || count > kMaxFollowed || failed())
    return std::nullopt;
  SmallVector<Scalar> results;
  for (int64_t i = 0; i < count; ++i) {
    SmallVector<Scalar> arguments;
    for (auto [v, all] : llvm::zip(values, scalars)) {
      // The position of element i in this input: coordinates from the right, 0
      // where it is broadcast.
      int64_t position = 0, stride = 1, rest = i;
      for (int64_t axis = shape.size() - 1, own = v.rank() - 1; axis >= 0;
           --axis, --own) {
        int64_t coordinate = rest % shape[axis];
        rest /= shape[axis];
        if (own < 0)
          continue;
        if (v.shape()[own] != 1)
          position += coordinate * stride;
        stride *= v.shape()[own];
      }
      arguments.push_back(all[position]);
    }
    Scalar x = body(arguments);
    mlir::Type expected = isInteger(result)
                              ? b.getIndexType()
                              : computeType(b.getContext(), result);
    if (s.failed() || x.type() != expected)
      return std::nullopt;
    results.push_back(x);
  }
  return fromHost(results, shape, result);
}

Val NodeBuilder::map(ArrayRef<Val> values, ElementType result, Body body) {
  if (std::optional<Val> known = mapOnHost(values, result, body))
    return *known;
  return mapWith(values, result, [&](ScalarBuilder &s, ArrayRef<Scalar> x) {
    return s.store(body(x), result);
  });
}

Val NodeBuilder::mapStored(Val input, ElementType result,
                           function_ref<Value(Scalar)> body) {
  return mapWith(input, result, [&](ScalarBuilder &, ArrayRef<Scalar> x) {
    return body(x[0]);
  });
}

Val NodeBuilder::mapWith(
    ArrayRef<Val> values, ElementType result,
    function_ref<Value(ScalarBuilder &, ArrayRef<Scalar>)> body) {
  if (!areTensors(values))
    return placeholder();
  Sizes sizes = broadcastDims(values);
  RankedTensorType type = tensorType(result, sizes);
  // Inputs with one known element move into the body: a constant as a number, a
  // size as the host's value.
  SmallVector<mlir::Attribute> numbers;
  SmallVector<Value> known, operands;
  for (Val v : values) {
    DenseElementsAttr dense;
    bool single = v.type().getElementType().isIntOrFloat() &&
                  matchPattern(v.value, m_Constant(&dense)) &&
                  dense.getNumElements() == 1;
    numbers.push_back(single ? *dense.getValues<mlir::Attribute>().begin()
                             : mlir::Attribute());
    auto followed = importer.elements.find(v.value);
    bool isSize = followed != importer.elements.end() && isInteger(v.elem) &&
                  followed->second.size() == 1;
    known.push_back(isSize ? followed->second.front() : Value());
    if (!single && !isSize)
      operands.push_back(alignTo(v, sizes).value);
  }
  std::string problem;
  auto op = graph::MapOp::create(
      b, loc, mlir::TypeRange(type), operands, dynamic(sizes),
      [&](OpBuilder &inner, Location, ValueRange arguments) {
        ScalarBuilder s(inner, loc);
        SmallVector<Scalar> scalars;
        for (auto [v, number, size] : llvm::zip(values, numbers, known)) {
          Value stored;
          if (size) {
            scalars.push_back(s.cast(s.wrap(size), v.elem));
            continue;
          }
          if (number) {
            stored = arith::ConstantOp::create(inner, loc,
                                               llvm::cast<TypedAttr>(number));
          } else {
            stored = arguments.front();
            arguments = arguments.drop_front();
          }
          if (!stored.getType().isIntOrFloat()) {
            scalars.push_back(
                s.fail(s.boolean(false),
                       "does not compute on " + elementTypeName(v.elem)));
            continue;
          }
          scalars.push_back(s.load(stored, v.elem));
        }
        Value yielded = body(s, scalars);
        problem = s.problem;
        graph::YieldOp::create(inner, loc, yielded);
      });
  if (!problem.empty())
    fail(problem);
  return {op->getResult(0), result};
}

Val NodeBuilder::compute(ArrayRef<Size> sizes, ElementType result,
                         function_ref<Scalar(ScalarBuilder &)> body) {
  return move(sizes, result,
              [&](ScalarBuilder &s) { return s.store(body(s), result); });
}

Val NodeBuilder::move(ArrayRef<Size> sizes, ElementType result,
                      function_ref<Value(ScalarBuilder &)> body) {
  std::string problem;
  auto op = graph::MapOp::create(
      b, loc, mlir::TypeRange(tensorType(result, sizes)), ValueRange(),
      dynamic(sizes), [&](OpBuilder &inner, Location, ValueRange) {
        ScalarBuilder s(inner, loc);
        Value yielded = body(s);
        problem = s.problem;
        graph::YieldOp::create(inner, loc, yielded);
      });
  if (!problem.empty())
    fail(problem);
  return {op->getResult(0), result};
}

Val NodeBuilder::cast(Val v, ElementType elem) {
  if (v.elem == elem)
    return v;
  return map(v, elem, [&](Scalar x) { return x.builder->cast(x, elem); });
}
