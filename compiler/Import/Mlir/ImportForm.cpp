// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Rejects what the graph phase does not expect.
#include "compiler/Import/Mlir/ImportForm.h"
#include "compiler/Import/Onnx/Builder/Scalar.h"
#include "compiler/Import/Onnx/OnnxImporter.h"
#include "dialects/Graph/Constants.h"
#include "dialects/Graph/KernelOps.h"
#include "dialects/Rt/Rt.h"
#include "hone/abi.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "llvm/Support/JSON.h"

using namespace mlir;
using namespace hone;

namespace {

/// Of a tensor: all of its bytes can be counted.
constexpr int64_t kMostElements = int64_t(1) << 56;

constexpr llvm::StringLiteral kForm =
    "a model as MLIR has the form that 'hone compile --emit=import' prints";

class Checker {
public:
  explicit Checker(ModuleOp module) : module(module) {}

  LogicalResult run();

private:
  LogicalResult findFunction();
  LogicalResult checkType(Location loc, Type type);
  LogicalResult checkOperation(Operation *op);
  LogicalResult checkConstant(graph::ConstantOp constant);
  FailureOr<DictionaryAttr> checkValue(DictionaryAttr attrs, Type type,
                                       const std::string &place);

  ModuleOp module;
  func::FuncOp function;
};

} // namespace

static InFlightDiagnostic refuse(InFlightDiagnostic diagnostic) {
  diagnostic.attachNote() << kForm;
  return diagnostic;
}

LogicalResult Checker::findFunction() {
  for (Operation &op : module.getOps()) {
    auto candidate = dyn_cast<func::FuncOp>(op);
    if (!candidate || candidate.getSymName() != "main" ||
        candidate.isDeclaration() || candidate->hasAttr(rt::kKernelAttr))
      return refuse(emitError(op.getLoc())
                    << "beside the function @main with the model, the module "
                       "holds '"
                    << op.getName() << "'");
    function = candidate;
  }
  if (function)
    return success();
  return refuse(emitError(module.getLoc())
                << "there is no function @main that could be the model");
}

/// Operations that the importer creates.
static bool isImported(Operation *op) {
  if (isa<graph::GraphDialect>(op->getDialect()))
    return !isa<graph::KernelOpInterface, graph::KernelYieldOp>(op);
  if (isa<arith::ArithDialect, math::MathDialect>(op->getDialect()))
    return llvm::none_of(op->getResultTypes(), llvm::IsaPred<ShapedType>);
  return isa<func::ReturnOp, cf::AssertOp, ub::PoisonOp, scf::ForOp, scf::IfOp,
             scf::WhileOp, scf::ConditionOp, scf::YieldOp, tensor::DimOp,
             tensor::CastOp, tensor::ExtractOp, tensor::FromElementsOp,
             tensor::InsertSliceOp, tensor::ExtractSliceOp>(op);
}

LogicalResult Checker::checkConstant(graph::ConstantOp constant) {
  auto type = cast<RankedTensorType>(constant.getType());
  if (isa<graph::StringType>(type.getElementType()) ||
      graph::elementBytes(type.getElementType()) == 0 ||
      type.getNumElements() == 0 || graph::constantBytes(constant.getValue()))
    return success();
  InFlightDiagnostic error = emitError(constant.getLoc())
                             << "a constant of type " << type
                             << " has no values: they are omitted where IR is "
                                "printed";
  error.attachNote() << "compile the model that it was printed from, or use "
                        "any values, by --random-weights";
  return error;
}

std::string hone::describeSizes(RankedTensorType type) {
  if (type.getRank() > HONE_MAX_RANK)
    return "has " + std::to_string(type.getRank()) + " dimensions; at most " +
           std::to_string(HONE_MAX_RANK) + " are supported";
  int64_t count = 1;
  for (int64_t size : type.getShape()) {
    if (ShapedType::isDynamic(size))
      continue;
    if (size < 0)
      return "has the size " + std::to_string(size);
    if (llvm::MulOverflow(count, std::max<int64_t>(size, 1), count) ||
        count > kMostElements)
      return "has more elements than any memory";
  }
  return "";
}

/// What is wrong with the names of an input's dimensions; empty: nothing.
static std::string describeDims(Attribute given, Type type) {
  auto dims = dyn_cast<ArrayAttr>(given);
  if (!dims)
    return "is no list, as in [\"n\", 4]";
  auto tensor = dyn_cast<RankedTensorType>(type);
  int64_t rank = tensor ? tensor.getRank() : 0;
  if (int64_t(dims.size()) != rank)
    return "has " + std::to_string(dims.size()) + " entries, and the input " +
           std::to_string(rank) + " dimensions";
  for (auto [axis, dim] : llvm::enumerate(dims)) {
    std::string which = "entry " + std::to_string(axis) + " ";
    auto name = dyn_cast<StringAttr>(dim);
    auto size = dyn_cast<IntegerAttr>(dim);
    if (name ? name.empty() || !llvm::json::isUTF8(name.getValue())
             : !size || !size.getValue().isSignedIntN(64))
      return which + "is neither a name nor a size";
    if (size && tensor.isDynamicDim(axis))
      return which + "is a size, and the dimension is free: give it a name";
    if (size && size.getInt() != tensor.getDimSize(axis))
      return which + "is " + std::to_string(size.getInt()) +
             ", and the size is " + std::to_string(tensor.getDimSize(axis));
  }
  return "";
}

/// Those of a dictionary that are not ours, or that the importer sets.
static DictionaryAttr withoutLater(DictionaryAttr attrs,
                                   ArrayRef<StringRef> imported) {
  return DictionaryAttr::getWithSorted(
      attrs.getContext(),
      llvm::to_vector(llvm::make_filter_range(attrs, [&](NamedAttribute attr) {
        return !attr.getName().strref().starts_with("hone.") ||
               llvm::is_contained(imported, attr.getName().strref());
      })));
}

void hone::removeLaterAttributes(ModuleOp module) {
  module->setDiscardableAttrs(
      withoutLater(module->getDiscardableAttrDictionary(),
                   {onnx::kMetadataAttr, onnx::kOpsetsAttr}));
  StringRef ofValues[] = {rt::kNameAttr, rt::kTypeAttr, rt::kDimsAttr,
                          rt::kDefaultAttr, rt::kAnyRankAttr};
  module.getBody()->walk([&](Operation *op) {
    op->setDiscardableAttrs(
        withoutLater(op->getDiscardableAttrDictionary(), {}));
    auto function = dyn_cast<FunctionOpInterface>(op);
    if (!function)
      return;
    SmallVector<DictionaryAttr> arguments, results;
    function.getAllArgAttrs(arguments);
    function.getAllResultAttrs(results);
    for (DictionaryAttr &attrs :
         llvm::concat<DictionaryAttr>(arguments, results))
      attrs = withoutLater(attrs, ofValues);
    function.setAllArgAttrs(arguments);
    function.setAllResultAttrs(results);
  });
}

/// What is wrong with the value of an input that a run omits; empty: nothing.
static std::string describeDefault(Attribute given, Type type) {
  auto value = dyn_cast<ElementsAttr>(given);
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!value || !tensor)
    return "is no tensor";
  ShapedType own = value.getShapedType();
  if (own.getElementType() != tensor.getElementType() ||
      failed(verifyCompatibleShape(own, tensor)))
    return "does not have the input's type";
  return "";
}

LogicalResult hone::checkAttributes(func::FuncOp function) {
  auto isText = [](Attribute attr) { return !attr || isa<StringAttr>(attr); };
  auto check = [&](DictionaryAttr attrs, const Twine &place) -> LogicalResult {
    for (StringRef name : {rt::kNameAttr, rt::kTypeAttr})
      if (attrs && !isText(attrs.get(name)))
        return emitError(function.getLoc())
               << name << " of " << place << " is no text";
    return success();
  };
  for (unsigned i = 0; i < function.getNumResults(); ++i)
    if (failed(check(function.getResultAttrDict(i), "result " + Twine(i))))
      return failure();
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    if (failed(check(function.getArgAttrDict(i), "argument " + Twine(i))))
      return failure();
    Attribute dims = function.getArgAttr(i, rt::kDimsAttr);
    std::string problem =
        dims ? describeDims(dims, function.getArgumentTypes()[i]) : "";
    if (!problem.empty())
      return emitError(function.getLoc())
             << rt::kDimsAttr << " of argument " << i << " " << problem;
    Attribute value = function.getArgAttr(i, rt::kDefaultAttr);
    problem =
        value ? describeDefault(value, function.getArgumentTypes()[i]) : "";
    if (!problem.empty())
      return emitError(function.getLoc())
             << rt::kDefaultAttr << " of argument " << i << " " << problem;
  }
  return success();
}

LogicalResult Checker::checkType(Location loc, Type type) {
  if (isa<BaseMemRefType, UnrankedTensorType, VectorType>(type))
    return refuse(emitError(loc)
                  << "a value of type " << type << " is not one of a model");
  auto tensor = dyn_cast<RankedTensorType>(type);
  std::string problem = tensor ? describeSizes(tensor) : "";
  if (problem.empty())
    return success();
  return emitError(loc) << "a tensor of the model " << problem;
}

LogicalResult Checker::checkOperation(Operation *op) {
  for (Type type : op->getResultTypes())
    if (failed(checkType(op->getLoc(), type)))
      return failure();
  for (Region &region : op->getRegions())
    for (Type type : region.getArgumentTypes())
      if (failed(checkType(op->getLoc(), type)))
        return failure();
  if (auto constant = dyn_cast<graph::ConstantOp>(op))
    return checkConstant(constant);
  if (auto call = dyn_cast<graph::LibraryOp>(op))
    return checkLibraryCall(call);
  if (!isImported(op))
    return refuse(emitError(op->getLoc())
                  << "'" << op->getName()
                  << "' is not an operation of a model");
  return success();
}

/// The tensor in an optional, a sequence, or an optional sequence.
static RankedTensorType tensorOf(Type type) {
  if (auto optional = dyn_cast<graph::OptionalType>(type))
    type = optional.getElementType();
  if (auto sequence = dyn_cast<graph::SequenceType>(type))
    type = sequence.getElementType();
  return dyn_cast<RankedTensorType>(type);
}

FailureOr<DictionaryAttr> Checker::checkValue(DictionaryAttr attrs, Type type,
                                              const std::string &place) {
  using onnx::ElementType;
  RankedTensorType tensor = tensorOf(type);
  if (!tensor)
    return refuse(emitError(function.getLoc())
                  << place << " is of type " << type
                  << ", not a ranked tensor");
  MLIRContext *context = function.getContext();
  NamedAttrList named(attrs);
  auto name = dyn_cast_or_null<StringAttr>(named.get(rt::kNameAttr));
  if (!name)
    named.set(rt::kNameAttr, StringAttr::get(context, place));
  else if (!llvm::json::isUTF8(name.getValue()))
    return emitError(function.getLoc())
           << "the name of " << place << " is not UTF-8 text";
  if (failed(checkType(function.getLoc(), type)))
    return failure();
  auto typeName = dyn_cast_or_null<StringAttr>(named.get(rt::kTypeAttr));
  // Signed types come after unsigned ones of the same storage, except for
  // bytes.
  std::string own;
  for (auto elem : {ElementType::Float,        ElementType::Double,
                    ElementType::Float16,      ElementType::Bfloat16,
                    ElementType::Int8,         ElementType::Int16,
                    ElementType::Int32,        ElementType::Int64,
                    ElementType::String,       ElementType::Bool,
                    ElementType::Uint8,        ElementType::Uint16,
                    ElementType::Uint32,       ElementType::Uint64,
                    ElementType::Float8E4M3FN, ElementType::Float8E4M3FNUZ,
                    ElementType::Float8E5M2,   ElementType::Float8E5M2FNUZ,
                    ElementType::Uint4,        ElementType::Int4,
                    ElementType::Float4E2M1,   ElementType::Float8E8M0,
                    ElementType::Uint2,        ElementType::Int2,
                    ElementType::Complex64,    ElementType::Complex128})
    if (onnx::storageType(context, elem) == tensor.getElementType() &&
        (!typeName || typeName.getValue() == onnx::elementTypeName(elem)) &&
        own.empty())
      own = onnx::elementTypeName(elem);
  if (own.empty())
    return refuse(
        emitError(function.getLoc())
        << place << " is of type " << type << ", which does not match "
        << (typeName ? typeName.getValue() : "any ONNX") << " elements");
  named.set(rt::kTypeAttr, StringAttr::get(context, own));
  return named.getDictionary(context);
}

LogicalResult Checker::run() {
  if (failed(findFunction()))
    return failure();
  bool isWrong = false;
  function.getBody().walk(
      [&](Operation *op) { isWrong |= failed(checkOperation(op)); });
  if (!function.getBody().hasOneBlock() ||
      !isa<func::ReturnOp>(function.front().back()))
    return refuse(emitError(function.getLoc()) << "@main is not one block");
  if (failed(checkAttributes(function)))
    return failure();
  SmallVector<DictionaryAttr> arguments, results;
  for (BlockArgument argument : function.getArguments()) {
    unsigned index = argument.getArgNumber();
    std::string place = "arg" + std::to_string(index);
    auto attrs =
        checkValue(function.getArgAttrDict(index), argument.getType(), place);
    if (failed(attrs))
      return failure();
    arguments.push_back(*attrs);
    auto dims = attrs->getAs<ArrayAttr>(rt::kDimsAttr);
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    for (int64_t i = 0; type && i < type.getRank(); ++i)
      if (type.isDynamicDim(i) &&
          (!dims || i >= int64_t(dims.size()) || !isa<StringAttr>(dims[i])))
        return emitError(function.getLoc())
               << place << " has a dynamic dimension without a name; give it "
               << "one in the attribute hone.dims, as in hone.dims = [\"n\"]";
  }
  for (auto [index, type] : llvm::enumerate(function.getResultTypes())) {
    auto attrs = checkValue(function.getResultAttrDict(index), type,
                            "result" + std::to_string(index));
    if (failed(attrs))
      return failure();
    results.push_back(*attrs);
  }
  function.setAllArgAttrs(arguments);
  function.setAllResultAttrs(results);
  return failure(isWrong);
}

bool hone::hasImportForm(ModuleOp module) {
  WalkResult result = module.walk([](Operation *op) {
    return isa_and_nonnull<graph::GraphDialect>(op->getDialect())
               ? WalkResult::interrupt()
               : WalkResult::advance();
  });
  return result.wasInterrupted();
}

LogicalResult hone::checkImportForm(ModuleOp module) {
  return Checker(module).run();
}
