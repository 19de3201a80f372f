// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Operators that return constants, sizes, or another view of the same elements.
#include "compiler/Import/Onnx/Builder/AnyRank.h"
#include "compiler/Import/Onnx/Builder/GraphImporter.h"
#include "compiler/Import/Onnx/Builder/OpTable.h"
#include "compiler/Import/Onnx/Operators/RuntimeAxes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace hone::onnx;

namespace {

LogicalResult importConstant(NodeBuilder &n) {
  if (const Tensor *tensor = n.tensorAttr("value")
                                 ? n.tensorAttr("value")
                                 : n.tensorAttr("sparse_value")) {
    std::string problem;
    if (std::optional<Val> value = n.importer.constant(*tensor, n.loc, problem))
      return n.out(*value);
    return n.error("its value: " + problem);
  }
  if (n.hasAttr("value_int"))
    return n.out(n.fromSizes({n.index(n.intAttr("value_int"))}, {}));
  if (n.hasAttr("value_float"))
    return n.out(n.scalar(ElementType::Float, n.floatAttr("value_float")));
  if (std::optional<Ints> values = n.intsAttr("value_ints"))
    return n.out(n.constantInts(*values));
  if (std::optional<SmallVector<float>> values = n.floatsAttr("value_floats")) {
    SmallVector<double> wide(values->begin(), values->end());
    return n.out(n.constant(ElementType::Float,
                            {static_cast<int64_t>(wide.size())}, wide));
  }
  std::optional<std::vector<StringRef>> strings =
      n.stringsAttr("value_strings");
  SmallVector<int64_t> shape;
  if (strings)
    shape.push_back(strings->size());
  else if (n.hasAttr("value_string"))
    strings = {n.stringAttr("value_string")};
  else
    return n.error("has no value");
  auto type = RankedTensorType::get(
      shape, storageType(n.b.getContext(), ElementType::String));
  return n.out({graph::ConstantOp::create(
                    n.b, n.loc, DenseStringElementsAttr::get(type, *strings)),
                ElementType::String});
}

LogicalResult importConstantOfShape(NodeBuilder &n) {
  std::optional<Sizes> sizes = n.elements(n.in(0));
  if (!sizes)
    return failure();
  Val value = n.scalar(ElementType::Float, 0);
  if (const Tensor *tensor = n.tensorAttr("value")) {
    std::string problem;
    std::optional<Val> constant = n.importer.constant(*tensor, n.loc, problem);
    if (!constant)
      return n.error("its value: " + problem);
    if (!constant->isStatic() || constant->type().getNumElements() != 1)
      return n.error("has a value that is not one element");
    value = n.reshape(*constant, {});
  }
  return n.out(n.expand(value, *sizes));
}

LogicalResult importShape(NodeBuilder &n) {
  int64_t rank = n.in(0).rank();
  auto clamp = [&](int64_t v) {
    return std::min(std::max<int64_t>(v < 0 ? v + rank : v, 0), rank);
  };
  int64_t start = clamp(n.intAttr("start", 0)),
          end = clamp(n.intAttr("end", rank));
  Sizes sizes = n.dims(n.in(0));
  return n.out(n.fromSizes(
      ArrayRef(sizes).slice(start, std::max<int64_t>(end - start, 0))));
}

LogicalResult importReshape(NodeBuilder &n) {
  Val x = n.in(0);
  if (!x.isTensor() && !isAnyRank(x.value.getType()))
    return n.error("takes a tensor, not a sequence or an optional");
  bool hasRank = x.isTensor();
  if (!hasRank)
    x = flattenAnyRank(n, x);
  std::optional<Sizes> wanted;
  if (n.has(1)) {
    if (n.in(1).rank() != 1)
      return n.error("takes a shape that is a vector");
    wanted = n.elements(n.in(1));
  } else if (std::optional<Ints> shape = n.intsAttr("shape")) {
    wanted = n.sizes(*shape);
  }
  if (!wanted)
    return n.error("lacks a shape");
  bool keepsZero = n.intAttr("allowzero");
  // Without a rank there are no dimensions to copy.
  Size total = n.product(n.dims(x));
  Sizes own = hasRank ? n.dims(x) : Sizes(), sizes;
  std::optional<size_t> inferred;
  for (auto [i, size] : llvm::enumerate(*wanted)) {
    std::optional<int64_t> number = NodeBuilder::known(size);
    sizes.push_back(size);
    if (number && *number == 0 && !keepsZero) {
      if (i >= own.size())
        return n.error("copies dimension " + Twine(i) +
                       " of an input that has " +
                       (hasRank ? Twine(own.size())
                                : Twine("a number of them that only the run "
                                        "knows")));
      sizes.back() = own[i];
    } else if (number && *number == -1) {
      if (inferred)
        return n.error("leaves two dimensions open");
      inferred = i;
      sizes.back() = n.index(1);
    } else if (number && *number < 0) {
      return n.error("asks for a dimension of " + Twine(*number));
    }
  }
  // Nothing determines the number of elements left for the open dimension.
  bool hasZero = llvm::any_of(
      sizes, [](Size size) { return NodeBuilder::known(size) == 0; });
  if (keepsZero && inferred && hasZero)
    return n.error("has a shape with 0 and -1, which allowzero excludes");
  if (inferred) {
    Size others = n.product(sizes);
    std::optional<int64_t> had = NodeBuilder::known(total),
                           rest = NodeBuilder::known(others);
    if (had && rest && (*rest == 0 || *had % *rest != 0)) {
      n.fault("cannot split " + Twine(*had) + " elements by " + Twine(*rest));
      return failure();
    }
    sizes[*inferred] = n.floorDiv(total, others);
    return n.out(n.reshape(x, sizes));
  }
  // Values that depend on data may be 0 or -1 as well.
  SmallVector<size_t> open;
  ScalarBuilder &s = n.host();
  Size others = n.index(1);
  for (auto [i, size] : llvm::enumerate(sizes)) {
    auto value = llvm::dyn_cast<Value>(size);
    if (value && !isKnownNonNegative(value)) {
      Scalar v = s.size(size);
      if (!keepsZero && i < own.size())
        v = select(eq(v, 0), s.size(own[i]), v);
      size = n.toSize(v);
      open.push_back(i);
      others =
          n.mul(others, n.toSize(select(eq(v, -1), s.indexConstant(1), v)));
    } else {
      others = n.mul(others, size);
    }
  }
  if (!open.empty()) {
    if (keepsZero) {
      Scalar infers = s.boolean(false), zero = s.boolean(hasZero);
      for (size_t i : open) {
        infers = bitOr(infers, eq(s.size(sizes[i]), -1));
        zero = bitOr(zero, eq(s.size(sizes[i]), 0));
      }
      n.require(bitNot(bitAnd(infers, zero)),
                "the shape has not both 0 and -1, which allowzero excludes");
    }
    Size rest = n.floorDiv(total, others);
    for (size_t i : open) {
      Scalar v = s.size(sizes[i]);
      sizes[i] = n.toSize(select(eq(v, -1), s.size(rest), v));
    }
  }
  return n.out(n.reshape(x, sizes));
}

LogicalResult importFlatten(NodeBuilder &n) {
  Sizes sizes = n.dims(n.in(0));
  int64_t rank = sizes.size(), axis = n.intAttr("axis", 1);
  if (axis < -rank || axis > rank)
    return n.error("has an axis outside its input");
  if (axis < 0)
    axis += rank;
  return n.out(
      n.reshape(n.in(0), {n.product(ArrayRef(sizes).take_front(axis)),
                          n.product(ArrayRef(sizes).drop_front(axis))}));
}

LogicalResult importSqueeze(NodeBuilder &n) {
  Val x = n.in(0);
  if (n.opset >= 13 && n.has(1) && !n.knownInts(n.in(1))) {
    if (!n.in(1).isStatic())
      return n.error("has axes whose number is not known: it decides how many "
                     "dimensions the result has");
    SmallVector<Scalar> flags = axisFlags(n, n.in(1), x.rank());
    if (n.failed())
      return failure();
    int64_t rank = x.rank() - n.in(1).type().getNumElements();
    if (rank < 0)
      return n.error("has more axes than its input has dimensions");
    return n.out(n.reshape(x, sizesWithout(n, n.dims(x), flags, rank)));
  }
  std::optional<Ints> axes =
      n.axes("axes", n.opset >= 13 ? 1 : SIZE_MAX, x.rank());
  if (!axes) {
    axes.emplace();
    // The rank of the result is fixed here: the model is compiled for free
    // sizes that stay.
    for (int64_t i = 0; i < x.rank(); ++i) {
      Size size = n.dim(x, i);
      if (NodeBuilder::known(size) == 1)
        axes->push_back(i);
      else if (!NodeBuilder::known(size))
        n.require(ne(n.host().size(size), 1),
                  "no free dimension is 1, as axes do not say which ones to "
                  "remove");
    }
  }
  if (n.failed())
    return failure();
  return n.out(n.squeeze(x, *axes));
}

LogicalResult importUnsqueeze(NodeBuilder &n) {
  Val x = n.in(0);
  if (n.opset >= 13 && n.has(1) && !n.knownInts(n.in(1))) {
    if (!n.in(1).isStatic() || n.in(1).type().getNumElements() > 64)
      return n.error("has axes whose number is not known: it decides how many "
                     "dimensions the result has");
    int64_t rank = x.rank() + n.in(1).type().getNumElements();
    SmallVector<Scalar> flags = axisFlags(n, n.in(1), rank);
    return n.failed() ? failure()
                      : n.out(n.reshape(x, sizesWithOnes(n, n.dims(x), flags)));
  }
  std::optional<Ints> axes =
      n.opset >= 13 ? n.requireInts(1, "axes") : n.intsAttr("axes");
  if (!axes)
    return n.error("lacks axes");
  if (axes->size() > 64)
    return n.error("has more than 64 axes");
  int64_t rank = x.rank() + axes->size();
  for (int64_t &axis : *axes)
    axis = n.axis(axis, rank);
  llvm::sort(*axes);
  if (std::adjacent_find(axes->begin(), axes->end()) != axes->end())
    return n.error("names the same axis twice");
  if (n.failed())
    return failure();
  return n.out(n.unsqueeze(x, *axes));
}

LogicalResult importExpand(NodeBuilder &n) {
  Val x = n.in(0);
  std::optional<Sizes> wanted = n.elements(n.in(1));
  if (!wanted)
    return failure();
  // Both broadcast: a 1 in the shape keeps the input's size.
  Sizes own = n.dims(x), sizes = *wanted;
  if (sizes.size() < own.size())
    sizes.insert(sizes.begin(), own.size() - sizes.size(), n.index(1));
  size_t lead = sizes.size() - own.size();
  for (size_t i = 0; i < own.size(); ++i) {
    Size &size = sizes[lead + i];
    std::optional<int64_t> have = NodeBuilder::known(own[i]),
                           want = NodeBuilder::known(size);
    if (want == 1 || n.same(own[i], size)) {
      size = own[i];
    } else if (have == 1) {
      continue;
    } else if (have && want) {
      n.fault("cannot bring a dimension of " + Twine(*have) + " to " +
              Twine(*want));
      return failure();
    } else if (have && !want) {
      Scalar v = n.host().size(size);
      n.require(bitOr(eq(v, static_cast<double>(*have)), eq(v, 1)),
                "the shape has the input's size, or 1");
      size = own[i];
    } else if (!want) {
      Scalar v = n.host().size(size);
      size = n.toSize(select(eq(v, 1), n.host().size(own[i]), v));
    }
  }
  return n.out(n.expand(x, sizes));
}

LogicalResult importRange(NodeBuilder &n) {
  ElementType elem = n.in(0).elem;
  SmallVector<Val> numbers;
  for (Val v : n.allInputs()) {
    if (v.elem != elem || v.rank() > 1)
      return n.error("takes three scalars of one type");
    // Vectors of one element are scalars, too.
    if (v.rank() == 1)
      v = n.reshape(n.withSize(v, 0, n.index(1), "its inputs and one number"),
                    {});
    numbers.push_back(v);
  }
  if (n.failed())
    return failure();
  ScalarBuilder &s = n.host();
  Scalar start = n.hostScalar(numbers[0]), limit = n.hostScalar(numbers[1]),
         step = n.hostScalar(numbers[2]);
  Size count;
  if (isInteger(elem)) {
    std::optional<int64_t> by = NodeBuilder::known(n.toSize(step));
    if (by && *by == 0)
      return n.error("has a step of 0");
    if (by) {
      Scalar room = *by > 0 ? limit - start : start - limit;
      count = n.toSize(
          max(s.size(n.ceilDiv(n.toSize(room), n.index(std::abs(*by)))),
              s.indexConstant(0)));
    } else {
      n.require(ne(step, 0), "the step is not 0");
      Value quotient = arith::CeilDivSIOp::create(
          n.b, n.loc, (limit - start).value, step.value);
      count = n.toSize(max(s.wrap(quotient), s.indexConstant(0)));
    }
  } else if (start.isFloat()) {
    n.require(ne(step, 0), "the step is not 0");
    Scalar whole =
        s.toInt(ceil((limit - start) / step), n.b.getIndexType(), false);
    count = n.toSize(max(whole, s.indexConstant(0)));
  } else {
    return n.error("takes only numbers");
  }
  if (n.failed() || s.failed())
    return n.error("takes only numbers");
  std::optional<int64_t> number = NodeBuilder::known(count);
  if (number && *number <= 64 &&
      (elem == ElementType::Int64 || elem == ElementType::Int32)) {
    Sizes values;
    for (int64_t i = 0; i < *number; ++i)
      values.push_back(n.toSize(start + step * static_cast<double>(i)));
    return n.out(n.fromSizes(values, {*number}, elem));
  }
  mlir::Type type = computeType(n.b.getContext(), elem);
  return n.out(n.compute({count}, elem, [&](ScalarBuilder &body) {
    if (isInteger(elem)) {
      Scalar first = body.wrap(start.value), by = body.wrap(step.value);
      return body.cast(first + body.index(0) * by, elem);
    }
    // Numbers that are not sizes are read where they are needed.
    auto number = [&](Val v, const Scalar &known) {
      APFloat value(0.0);
      if (matchPattern(known.value, m_ConstantFloat(&value)))
        return body.wrap(arith::ConstantOp::create(
            body.builder, body.loc, FloatAttr::get(type, value)));
      return body.element(v.value, elem, {});
    };
    return number(numbers[0], start) +
           body.toFloat(body.index(0), type) * number(numbers[2], step);
  }));
}

LogicalResult importEyeLike(NodeBuilder &n) {
  Val x = n.in(0);
  if (x.rank() != 2)
    return n.error("takes a matrix");
  auto elem = static_cast<ElementType>(
      n.intAttr("dtype", static_cast<int64_t>(x.elem)));
  mlir::Type type = computeType(n.b.getContext(), elem);
  if (!type || !type.isIntOrFloat())
    return n.error("gives elements of " + elementTypeName(elem) +
                   ", which is not supported");
  int64_t k = n.intAttr("k", 0);
  return n.out(n.compute(n.dims(x), elem, [&](ScalarBuilder &s) {
    Scalar hit = eq(s.index(0) + static_cast<double>(k), s.index(1));
    if (type.isInteger(1))
      return hit;
    return select(hit, s.constant(type, 1, isUnsigned(elem)),
                  s.constant(type, 0, isUnsigned(elem)));
  }));
}

} // namespace

void hone::onnx::addShapeOps(OpTable &table) {
  table.add("Constant", importConstant, 0);
  table.add("ConstantOfShape", importConstantOfShape, 1);
  table.add("Shape", importShape, 1);
  table.add(
      "Size",
      [](NodeBuilder &n) {
        return n.out(n.fromSizes({n.product(n.dims(n.in(0)))}, {}));
      },
      1);
  table.addAny("Reshape", importReshape, 1, 2, 1);
  table.add("Flatten", importFlatten, 1);
  table.add("Squeeze", importSqueeze, 1, 2);
  table.add("Unsqueeze", importUnsqueeze, 1, 2);
  table.add("Expand", importExpand, 2);
  table.add("Range", importRange, 3);
  table.add("EyeLike", importEyeLike, 1);
}
