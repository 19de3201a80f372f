// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Elementwise operators: arithmetic, comparison, logic, bits, selection.
#include "compiler/Import/Onnx/Builder/Library.h"
#include "compiler/Import/Onnx/Builder/OpTable.h"

#include <limits>

using namespace mlir;
using namespace hone::onnx;

namespace {

using Args = ArrayRef<Scalar>;

/// Up to opset 6, binary operators broadcast only on request, the right side
/// from `axis` on.
Val oldBroadcast(NodeBuilder &n, Val a, Val b) {
  if (n.opset >= 7 || !n.intAttr("broadcast") || !n.hasAttr("axis") ||
      b.rank() >= a.rank())
    return b;
  int64_t axis = n.axisAttr("axis", 0, a.rank());
  Sizes sizes = n.dims(b);
  if (axis + b.rank() > a.rank()) {
    n.fail("has an axis that does not fit its inputs");
    return b;
  }
  sizes.resize(a.rank() - axis, n.index(1));
  return n.reshape(b, sizes);
}

using Formula = Scalar (*)(NodeBuilder &, Args);

LogicalResult binary(NodeBuilder &n, bool predicate, Formula formula) {
  Val a = n.in(0), b = oldBroadcast(n, a, n.in(1));
  if (a.elem != b.elem)
    return n.error("has inputs of types " + elementTypeName(a.elem) + " and " +
                   elementTypeName(b.elem));
  if (a.elem == ElementType::String && n.node.opType == "Equal")
    return n.out(
        LibraryCall(n, "string_equal")
            .sized(ElementType::Bool, n.broadcastDims({a, b}))({a, b}));
  return n.out(n.map({a, b}, predicate ? ElementType::Bool : a.elem,
                     [&](Args x) { return formula(n, x); }));
}

/// Maximum inputs of one map: a kernel that reads more takes long to compile.
constexpr size_t kMaxMapInputs = 16;

/// Folds any number of inputs from the left.
LogicalResult variadic(NodeBuilder &n, Formula formula, bool mean = false) {
  ElementType elem = n.in(0).elem;
  for (Val v : n.allInputs()) {
    if (!v || v.elem != elem)
      return n.error("has inputs of different types, or left out");
  }
  auto fold = [&](Args x) {
    Scalar folded = x[0];
    for (Scalar next : x.drop_front())
      folded = formula(n, {folded, next});
    return folded;
  };
  // In as few maps as possible: the intermediate results need no memory. Stored
  // ones keep the precision of the computation.
  ElementType between =
      isFloat(elem) && elem != ElementType::Double ? ElementType::Float : elem;
  SmallVector<Val> taken;
  for (Val v : n.allInputs()) {
    if (taken.size() == kMaxMapInputs)
      taken = {n.map(taken, between, fold)};
    taken.push_back(v);
  }
  double count = n.numInputs();
  return n.out(n.map(taken, elem,
                     [&](Args x) { return mean ? fold(x) / count : fold(x); }));
}

Scalar isInfinite(NodeBuilder &n, Scalar x) {
  const double infinity = std::numeric_limits<double>::infinity();
  Scalar no = x.builder->boolean(false);
  if (!x.isFloat())
    return no;
  return bitOr(n.intAttr("detect_positive", 1) ? eq(x, infinity) : no,
               n.intAttr("detect_negative", 1) ? eq(x, -infinity) : no);
}

LogicalResult importPow(NodeBuilder &n) {
  Val base = n.in(0), exponent = oldBroadcast(n, base, n.in(1));
  std::optional<SmallVector<double>> numbers = n.knownNumbers(exponent);
  if (numbers && numbers->size() == 1 && isFloat(base.elem) &&
      exponent.rank() <= base.rank()) {
    double power = numbers->front();
    if (power == 1)
      return n.out(base);
    if (power == 2)
      return n.out(n.map(base, [](Scalar x) { return x * x; }));
    if (power == 3)
      return n.out(n.map(base, [](Scalar x) { return x * x * x; }));
    if (power == -1)
      return n.out(n.map(base, [](Scalar x) { return 1.0 / x; }));
  }
  return n.out(n.map({base, exponent}, base.elem, [&](Args x) {
    ScalarBuilder &s = *x[0].builder;
    if (x[0].isFloat())
      return pow(x[0], x[1].type() == x[0].type()
                           ? x[1]
                           : s.toFloat(x[1], x[0].type()));
    if (!x[1].isFloat())
      return pow(x[0], s.cast(x[1], base.elem));
    mlir::Type wide = s.builder.getF64Type();
    return s.cast(pow(s.toFloat(x[0], wide), s.toFloat(x[1], wide)), base.elem);
  }));
}

LogicalResult importMod(NodeBuilder &n) {
  bool likeC = n.intAttr("fmod");
  if (n.in(0).elem != n.in(1).elem)
    return n.error("has inputs of different types");
  return n.out(n.map({n.in(0), n.in(1)}, n.in(0).elem, [&](Args x) {
    if (likeC)
      return fmod(x[0], x[1]);
    if (x[0].isFloat()) {
      Scalar rest = fmod(x[0], x[1]);
      return select(bitAnd(ne(rest, 0), ne(lt(rest, 0), lt(x[1], 0))),
                    rest + x[1], rest);
    }
    return floorMod(x[0], divisor(x[1]));
  }));
}

LogicalResult importWhere(NodeBuilder &n) {
  if (n.in(0).elem != ElementType::Bool || n.in(1).elem != n.in(2).elem)
    return n.error("needs a bool condition and two inputs of one type");
  return n.out(n.map({n.in(0), n.in(1), n.in(2)}, n.in(1).elem,
                     [](Args x) { return select(x[0], x[1], x[2]); }));
}

LogicalResult importClip(NodeBuilder &n) {
  Val x = n.in(0);
  std::optional<SmallVector<double>> low, high;
  if (n.opset < 11) {
    if (n.hasAttr("min"))
      low = {n.floatAttr("min")};
    if (n.hasAttr("max"))
      high = {n.floatAttr("max")};
  }
  SmallVector<Val> inputs{x};
  bool hasLow = n.has(1), hasHigh = n.has(2);
  for (size_t i : {1, 2}) {
    if (!n.has(i))
      continue;
    if (n.in(i).elem != x.elem || n.in(i).rank() > 1 ||
        (n.in(i).rank() == 1 && n.in(i).shape()[0] != 1))
      return n.error("has bounds that are not scalars of the input's type");
    inputs.push_back(n.in(i).rank() == 0 ? n.in(i) : n.reshape(n.in(i), {}));
  }
  return n.out(n.map(inputs, x.elem, [&](Args a) {
    Scalar value = a[0];
    auto raise = [&](const Scalar &bound) {
      value = select(lt(value, bound), bound, value);
    };
    auto lower = [&](const Scalar &bound) {
      value = select(gt(value, bound), bound, value);
    };
    if (low)
      raise(value.builder->like(value, low->front()));
    if (high)
      lower(value.builder->like(value, high->front()));
    if (hasLow)
      raise(a[1]);
    if (hasHigh)
      lower(a[hasLow ? 2 : 1]);
    return value;
  }));
}

LogicalResult importBitShift(NodeBuilder &n) {
  StringRef direction = n.stringAttr("direction");
  if (direction != "LEFT" && direction != "RIGHT")
    return n.error("has a direction that is neither LEFT nor RIGHT");
  if (n.in(0).elem != n.in(1).elem || !isInteger(n.in(0).elem))
    return n.error("takes two tensors of one integer type");
  return n.out(n.map({n.in(0), n.in(1)}, n.in(0).elem, [&](Args x) {
    // Shifts by negative amounts or by the width and more are undefined for the
    // processor; here all bits are shifted out, and the sign comes in from the
    // left.
    ScalarBuilder &s = *x[0].builder;
    Scalar none = s.like(x[1], 0);
    Scalar inside = lt(x[1], static_cast<double>(elementBits(n.in(0).elem)));
    if (!x[1].isUnsigned)
      inside = bitAnd(inside, ge(x[1], 0));
    Scalar by = select(inside, x[1], none);
    bool left = direction == "LEFT";
    Scalar gone = s.like(x[0], 0);
    if (!left && !x[0].isUnsigned)
      gone = select(lt(x[0], 0), s.like(x[0], -1), gone);
    return select(inside, left ? shiftLeft(x[0], by) : shiftRight(x[0], by),
                  gone);
  }));
}

LogicalResult importTrainingDropout(NodeBuilder &n) {
  Val x = n.in(0);
  if (!isFloat(x.elem) || !isFloat((n.has(1) ? n.in(1) : x).elem))
    return n.error("needs floats");
  if (n.in(2).elem != ElementType::Bool)
    return n.error("has a training_mode of " + elementTypeName(n.in(2).elem) +
                   ", which must be a bool");
  Sizes dims = n.dims(x);
  SmallVector<Val> results =
      LibraryCall(n, "dropout")
          .set("has_seed", n.hasAttr("seed"))
          .setFloat("seed", static_cast<double>(n.intAttr("seed")))
          .setType("type", x.elem)
          .sized(x.elem, dims)
          .sized(ElementType::Bool, dims)
          .call({x, n.has(1) ? n.in(1) : absentOperand(n), n.in(2)});
  n.out(0, results[0]);
  n.out(1, results[1]);
  return success();
}

LogicalResult importDropout(NodeBuilder &n) {
  // At inference, data passes. A training_mode that is not known to be false
  // would need random numbers.
  if (n.has(2)) {
    std::optional<Ints> training;
    Scalar mode = n.hostScalar(n.in(2));
    std::optional<int64_t> known =
        NodeBuilder::known(n.toSize(n.host().cast(mode, ElementType::Int64)));
    std::optional<SmallVector<double>> ratio =
        n.has(1) ? n.knownNumbers(n.in(1)) : std::nullopt;
    bool keepsAll = ratio && ratio->size() == 1 && ratio->front() == 0;
    if ((!known || *known != 0) && !keepsAll)
      return importTrainingDropout(n);
  }
  n.out(0, n.in(0));
  if (n.wants(1))
    n.out(1, n.filled(n.opset < 10 ? n.in(0).elem : ElementType::Bool,
                      n.dims(n.in(0)), 1));
  return success();
}

void addUnary(OpTable &table, StringRef name,
              Scalar (*formula)(const Scalar &)) {
  table.add(
      name,
      [formula](NodeBuilder &n) {
        return n.out(n.map(n.in(0), [&](Scalar x) { return formula(x); }));
      },
      1);
}

void addBinary(OpTable &table, StringRef name, Formula formula,
               bool predicate = false) {
  table.add(
      name, [=](NodeBuilder &n) { return binary(n, predicate, formula); }, 2);
}

} // namespace

void hone::onnx::addElementwise(OpTable &table) {
  addBinary(table, "Add", [](NodeBuilder &, Args x) { return x[0] + x[1]; });
  addBinary(table, "Sub", [](NodeBuilder &, Args x) { return x[0] - x[1]; });
  addBinary(table, "Mul", [](NodeBuilder &, Args x) { return x[0] * x[1]; });
  addBinary(table, "Div", [](NodeBuilder &n, Args x) {
    // Where sizes are divided on the host, 0 would count as 1.
    if (x[1].isInt() && x[1].builder->onHost() &&
        !matchPattern(x[1].value, m_Constant()))
      n.require(ne(x[1], 0), "the divisor is not 0");
    return x[0] / x[1];
  });
  for (StringRef name : {"And", "BitwiseAnd"})
    addBinary(table, name,
              [](NodeBuilder &, Args x) { return bitAnd(x[0], x[1]); });
  for (StringRef name : {"Or", "BitwiseOr"})
    addBinary(table, name,
              [](NodeBuilder &, Args x) { return bitOr(x[0], x[1]); });
  for (StringRef name : {"Xor", "BitwiseXor"})
    addBinary(table, name,
              [](NodeBuilder &, Args x) { return bitXor(x[0], x[1]); });
  for (StringRef name : {"Not", "BitwiseNot"})
    addUnary(table, name, bitNot);
  addBinary(
      table, "Equal", [](NodeBuilder &, Args x) { return eq(x[0], x[1]); },
      true);
  addBinary(
      table, "Less", [](NodeBuilder &, Args x) { return lt(x[0], x[1]); },
      true);
  addBinary(
      table, "LessOrEqual",
      [](NodeBuilder &, Args x) { return le(x[0], x[1]); }, true);
  addBinary(
      table, "Greater", [](NodeBuilder &, Args x) { return gt(x[0], x[1]); },
      true);
  addBinary(
      table, "GreaterOrEqual",
      [](NodeBuilder &, Args x) { return ge(x[0], x[1]); }, true);

  auto addVariadic = [&](StringRef name, Formula formula, bool mean = false) {
    table.add(
        name, [=](NodeBuilder &n) { return variadic(n, formula, mean); }, 1,
        kVariadic);
  };
  addVariadic("Max", [](NodeBuilder &, Args x) { return max(x[0], x[1]); });
  addVariadic("Min", [](NodeBuilder &, Args x) { return min(x[0], x[1]); });
  addVariadic("Sum", [](NodeBuilder &, Args x) { return x[0] + x[1]; });
  addVariadic("Mean", [](NodeBuilder &, Args x) { return x[0] + x[1]; }, true);

  addUnary(table, "Abs", abs);
  addUnary(table, "Neg", [](const Scalar &x) { return -x; });
  addUnary(table, "Sign", sign);
  addUnary(table, "Floor", floor);
  addUnary(table, "Ceil", ceil);
  addUnary(table, "Round", roundEven);
  addUnary(table, "Reciprocal", [](const Scalar &x) { return 1.0 / x; });
  addUnary(table, "Sqrt", sqrt);
  addUnary(table, "Exp", exp);
  addUnary(table, "Log", log);
  addUnary(table, "Erf", erf);
  addUnary(table, "Sin", sin);
  addUnary(table, "Cos", cos);
  addUnary(table, "Tan", tan);
  addUnary(table, "Asin", asin);
  addUnary(table, "Acos", acos);
  addUnary(table, "Atan", atan);
  addUnary(table, "Sinh", sinh);
  addUnary(table, "Cosh", cosh);
  addUnary(table, "Asinh", asinh);
  addUnary(table, "Acosh", acosh);
  addUnary(table, "Atanh", atanh);
  table.add(
      "IsNaN",
      [](NodeBuilder &n) {
        return n.out(n.map(n.in(0), ElementType::Bool,
                           [](Scalar x) { return isNan(x); }));
      },
      1);
  table.add(
      "IsInf",
      [](NodeBuilder &n) {
        return n.out(n.map(n.in(0), ElementType::Bool,
                           [&](Scalar x) { return isInfinite(n, x); }));
      },
      1);

  table.add("Pow", importPow, 2);
  table.add("Mod", importMod, 2);
  table.add("Where", importWhere, 3);
  table.add("Clip", importClip, 1, 3);
  table.add("BitShift", importBitShift, 2);
  table.add("Dropout", importDropout, 1, 3);
  table.addAny(
      "Identity", [](NodeBuilder &n) { return n.out(n.in(0)); }, 1, 1, 1);
}
