// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Arguments and results: their types, names and free dimensions.
#include "compiler/Import/Mlir/ImportForm.h"
#include "compiler/Import/Mlir/Raise/Body.h"
#include "compiler/Import/Mlir/Raise/Raiser.h"
#include "dialects/Rt/Rt.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace hone;
using namespace hone::raise;

static std::string textOf(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

FailureOr<Type> Raiser::convertType(Type type, std::string &why) {
  if (isa<FloatType, IndexType>(type) || type.isSignlessInteger())
    return computeType(type);
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor) {
    why = "there is a value of type " + textOf(type) +
          ", and values of a model are ranked tensors and numbers";
    return failure();
  }
  Type element = storageType(tensor.getElementType());
  if (!element) {
    why = "there are elements of type " + textOf(tensor.getElementType()) +
          ", and tensors hold f16, bf16, f32, f64, index, or integers without "
          "sign of 1, 8, 16, 32 or 64 bits";
    return failure();
  }
  if (std::string problem = describeSizes(tensor); !problem.empty()) {
    why = "there is a tensor that " + problem;
    return failure();
  }
  return Type(RankedTensorType::get(tensor.getShape(), element));
}

/// The type of elements, where storage does not tell it.
static StringRef typeName(Type type) {
  Type element = getElementTypeOrSelf(type);
  return element.isInteger(1) ? "bool" : element.isIndex() ? "int64" : "";
}

namespace {
/// Names that are given, and fresh ones.
class Names {
public:
  std::string fresh(const Twine &wanted) {
    std::string name = wanted.str();
    while (!taken.insert(name).second)
      name += "_";
    return name;
  }
  /// Whether nothing had the name.
  bool take(StringRef name) { return taken.insert(name).second; }

private:
  llvm::StringSet<> taken;
};
} // namespace

/// Takes the names that attributes give, of which `attrOf` has that of number
/// `i` of `count`: no other gets one of them.
static LogicalResult takeNames(func::FuncOp function, Names &names,
                               unsigned count, StringRef what,
                               function_ref<StringAttr(unsigned i)> attrOf) {
  for (unsigned i = 0; i < count; ++i) {
    StringAttr name = attrOf(i);
    if (!name)
      continue;
    if (name.empty() || name.getValue().contains('\0'))
      return emitError(function.getLoc())
             << what << " " << i
             << " has a name that is empty or has a zero byte: give it another "
             << rt::kNameAttr;
    if (!names.take(name))
      return emitError(function.getLoc())
             << "two " << what << "s are named '" << name.getValue()
             << "': give one another " << rt::kNameAttr;
  }
  return success();
}

/// Takes the names of the arguments' dimensions, which may share them.
static void takeLabels(func::FuncOp function, Names &names) {
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    if (auto dims = function.getArgAttrOfType<ArrayAttr>(i, rt::kDimsAttr))
      for (Attribute label : dims)
        if (auto text = dyn_cast<StringAttr>(label))
          names.take(text);
}

/// The name of an argument: from its attribute, from where it is, or its
/// number.
static std::string nameOf(func::FuncOp function, BlockArgument argument,
                          Names &names) {
  unsigned number = argument.getArgNumber();
  if (auto given = function.getArgAttrOfType<StringAttr>(number, rt::kNameAttr))
    return given.str();
  if (auto name = argument.getLoc()->findInstanceOf<NameLoc>();
      name && !name.getName().empty())
    return names.fresh(name.getName().getValue());
  return names.fresh("arg" + Twine(number));
}

static DictionaryAttr describeArgument(func::FuncOp function,
                                       BlockArgument argument,
                                       RankedTensorType type, Names &names,
                                       Names &dims) {
  Builder b(function.getContext());
  unsigned number = argument.getArgNumber();
  std::string name = nameOf(function, argument, names);
  NamedAttrList attrs;
  attrs.set(rt::kNameAttr, b.getStringAttr(name));
  if (Attribute element = function.getArgAttr(number, rt::kTypeAttr))
    attrs.set(rt::kTypeAttr, element);
  else if (StringRef element = typeName(argument.getType()); !element.empty())
    attrs.set(rt::kTypeAttr, b.getStringAttr(element));
  auto labels = function.getArgAttrOfType<ArrayAttr>(number, rt::kDimsAttr);
  SmallVector<Attribute> sizes;
  for (auto [axis, size] : llvm::enumerate(type.getShape())) {
    auto label = labels && axis < labels.size()
                     ? dyn_cast<StringAttr>(labels[axis])
                     : StringAttr();
    if (!ShapedType::isDynamic(size))
      sizes.push_back(b.getI64IntegerAttr(size));
    else if (label)
      sizes.push_back(label);
    else
      sizes.push_back(
          b.getStringAttr(dims.fresh(Twine(name) + "_" + Twine(axis))));
  }
  attrs.set(rt::kDimsAttr, b.getArrayAttr(sizes));
  return attrs.getDictionary(b.getContext());
}

LogicalResult hone::raise::declareArguments(func::FuncOp function,
                                            Block &from) {
  Names names, dims;
  auto nameAttrOf = [&](unsigned i) {
    return function.getArgAttrOfType<StringAttr>(i, rt::kNameAttr);
  };
  if (failed(takeNames(function, names, function.getNumArguments(), "argument",
                       nameAttrOf)))
    return failure();
  takeLabels(function, dims);
  SmallVector<Type> types;
  SmallVector<DictionaryAttr> attrs;
  SmallVector<Location> locs;
  for (BlockArgument argument : from.getArguments()) {
    std::string why;
    FailureOr<Type> type = Raiser::convertType(argument.getType(), why);
    if (succeeded(type) && !isa<RankedTensorType>(*type)) {
      // A number is passed as a tensor without dimensions.
      Type element = storageType(argument.getType());
      if (element)
        type = Type(RankedTensorType::get({}, element));
      else
        why = "there is a number of type " + textOf(argument.getType());
    }
    if (!why.empty())
      return emitError(function.getLoc())
             << "argument " << argument.getArgNumber()
             << " cannot be an input: " << why;
    types.push_back(*type);
    locs.push_back(argument.getLoc());
    attrs.push_back(describeArgument(
        function, argument, cast<RankedTensorType>(*type), names, dims));
  }
  function.setType(FunctionType::get(function.getContext(), types,
                                     function.getResultTypes()));
  function.setAllArgAttrs(attrs);
  function.getBody().emplaceBlock().addArguments(types, locs);
  return success();
}

LogicalResult Raiser::raiseArguments(Block &from) {
  for (auto [old, made] :
       llvm::zip_equal(from.getArguments(), function.getArguments())) {
    if (isa<RankedTensorType>(old.getType())) {
      define(old, made);
      continue;
    }
    Body body(*this, b, /*onHost=*/true);
    body.defineStored(old,
                      tensor::ExtractOp::create(b, loc, made, ValueRange()));
  }
  return success();
}

LogicalResult Raiser::raiseReturn(func::ReturnOp op) {
  SmallVector<Value> values;
  SmallVector<DictionaryAttr> attrs;
  Names names, labels;
  auto nameAttrOf = [&](unsigned i) {
    return function.getResultAttrOfType<StringAttr>(i, rt::kNameAttr);
  };
  if (failed(takeNames(function, names, op.getNumOperands(), "result",
                       nameAttrOf)))
    return failure();
  takeLabels(function, labels);
  for (OpOperand &operand : op->getOpOperands()) {
    unsigned i = operand.getOperandNumber();
    Value result = lookup(operand.get());
    if (!isa<RankedTensorType>(result.getType()))
      result = fromScalar(result);
    StringAttr given = nameAttrOf(i);
    std::string name = given ? given.str() : names.fresh("result" + Twine(i));
    NamedAttrList own;
    own.set(rt::kNameAttr, b.getStringAttr(name));
    if (Attribute element = function.getResultAttr(i, rt::kTypeAttr))
      own.set(rt::kTypeAttr, element);
    else if (StringRef element = typeName(operand.get().getType());
             !element.empty())
      own.set(rt::kTypeAttr, b.getStringAttr(element));
    SmallVector<Attribute> sizes;
    for (auto [axis, size] : llvm::enumerate(sizesOf(result))) {
      std::optional<int64_t> number = known(size);
      auto dim = number ? graph::DimOp()
                        : cast<Value>(size).getDefiningOp<graph::DimOp>();
      if (number)
        sizes.push_back(b.getI64IntegerAttr(*number));
      else if (dim)
        sizes.push_back(dim.getNameAttr());
      else
        sizes.push_back(
            b.getStringAttr(labels.fresh(Twine(name) + "_" + Twine(axis))));
    }
    own.set(rt::kDimsAttr, b.getArrayAttr(sizes));
    values.push_back(result);
    attrs.push_back(own.getDictionary(b.getContext()));
  }
  func::ReturnOp::create(b, loc, values);
  function.setType(FunctionType::get(b.getContext(),
                                     function.getArgumentTypes(),
                                     TypeRange(ValueRange(values))));
  function.setAllResultAttrs(attrs);
  return success();
}
