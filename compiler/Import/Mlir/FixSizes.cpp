// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sizes of free dimensions that are given where the model is compiled.
#include "compiler/Import/Mlir/ImportForm.h"
#include "dialects/Rt/Rt.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace hone;

namespace {
class Sizes {
public:
  Sizes(func::FuncOp function, const MlirSizes &given)
      : function(function), given(given) {}

  LogicalResult fix();

private:
  LogicalResult findDims();
  LogicalResult giveShape(StringRef name, ArrayRef<int64_t> shape);
  LogicalResult giveSize(StringRef name, int64_t size);
  InFlightDiagnostic fail() {
    return emitError(UnknownLoc::get(function.getContext()));
  }
  /// The name of a dimension; null if it is fixed.
  StringAttr labelOf(unsigned argument, int64_t axis) {
    auto type =
        dyn_cast<RankedTensorType>(function.getArgument(argument).getType());
    auto labels = function.getArgAttrOfType<ArrayAttr>(argument, rt::kDimsAttr);
    if (!type || !labels || axis >= int64_t(labels.size()) ||
        !type.isDynamicDim(axis))
      return {};
    return dyn_cast<StringAttr>(labels[axis]);
  }

  func::FuncOp function;
  const MlirSizes &given;
  llvm::StringMap<int64_t> sizes;
};
} // namespace

LogicalResult Sizes::giveSize(StringRef name, int64_t size) {
  auto [known, isNew] = sizes.try_emplace(name, size);
  if (!isNew && known->second != size)
    return fail() << "the dimension '" << name << "' is given the sizes "
                  << known->second << " and " << size;
  return success();
}

LogicalResult Sizes::findDims() {
  std::string known;
  llvm::StringMap<bool> names;
  for (BlockArgument argument : function.getArguments())
    if (auto type = dyn_cast<RankedTensorType>(argument.getType()))
      for (int64_t axis = 0; axis < type.getRank(); ++axis)
        if (StringAttr label = labelOf(argument.getArgNumber(), axis);
            label && names.try_emplace(label, true).second)
          known +=
              (known.empty() ? "; it has '" : "', '") + label.getValue().str();
  known = known.empty() ? "; all its dimensions are fixed" : known + "'";
  for (const auto &[name, size] : given.dims) {
    if (!names.contains(name))
      return fail() << "the model's inputs have no free dimension '" << name
                    << "'" << known;
    if (failed(giveSize(name, size)))
      return failure();
  }
  return success();
}

LogicalResult Sizes::giveShape(StringRef name, ArrayRef<int64_t> shape) {
  for (BlockArgument argument : function.getArguments()) {
    unsigned number = argument.getArgNumber();
    auto own = function.getArgAttrOfType<StringAttr>(number, rt::kNameAttr);
    if (!own || own.getValue() != name)
      continue;
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type || type.getRank() != int64_t(shape.size()))
      return fail() << "the input '" << name << "' cannot be given a shape of "
                    << shape.size() << " dimensions: it is of type "
                    << argument.getType();
    for (auto [axis, size] : llvm::enumerate(shape)) {
      if (!type.isDynamicDim(axis) && type.getDimSize(axis) != size)
        return fail() << "the input '" << name
                      << "' cannot be given a shape: its dimension " << axis
                      << " is " << type.getDimSize(axis) << ", not " << size;
      if (StringAttr label = labelOf(number, axis);
          label && failed(giveSize(label, size)))
        return failure();
    }
    return success();
  }
  return fail() << "the model has no input '" << name << "'";
}

LogicalResult Sizes::fix() {
  if (failed(findDims()))
    return failure();
  for (const auto &[name, shape] : given.shapes)
    if (failed(giveShape(name, shape)))
      return failure();
  OpBuilder b = OpBuilder::atBlockBegin(&function.front());
  for (BlockArgument argument : function.getArguments()) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type)
      continue;
    SmallVector<int64_t> shape(type.getShape());
    for (auto [axis, size] : llvm::enumerate(shape))
      if (StringAttr label = labelOf(argument.getArgNumber(), axis);
          label && sizes.contains(label))
        size = sizes.lookup(label);
    if (type.getShape() == ArrayRef(shape))
      continue;
    RankedTensorType fixed = type.clone(shape);
    if (std::string problem = describeSizes(fixed); !problem.empty())
      return fail() << "input " << argument.getArgNumber()
                    << " cannot have the sizes that are given: it " << problem;
    // Shape inference takes the cast away, and the sizes further.
    argument.setType(fixed);
    auto cast = tensor::CastOp::create(b, argument.getLoc(), type, argument);
    argument.replaceAllUsesExcept(cast, cast);
  }
  function.setType(FunctionType::get(function.getContext(),
                                     function.front().getArgumentTypes(),
                                     function.getResultTypes()));
  return success();
}

LogicalResult hone::fixSizes(ModuleOp module, const MlirSizes &sizes) {
  auto function = module.lookupSymbol<func::FuncOp>(rt::kEntryName);
  return sizes.dims.empty() && sizes.shapes.empty()
             ? success()
             : Sizes(function, sizes).fix();
}
