// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Checks calls of library functions.
#include "compiler/Import/Mlir/ImportForm.h"
#include "compiler/Import/Onnx/Builder/PackedTypes.h"
#include "compiler/Import/Onnx/Builder/Scalar.h"
#include "dialects/Graph/Library.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace hone;
using namespace hone::graph;

//===- Types --------------------------------------------------------------===//

/// The type of the elements of a tensor, or of what a value holds at last; of a
/// map, that of its values.
static Type elementOf(Type type) {
  while (true) {
    if (auto sequence = dyn_cast<SequenceType>(type))
      type = sequence.getElementType();
    else if (auto optional = dyn_cast<OptionalType>(type))
      type = optional.getElementType();
    else if (auto map = dyn_cast<MapType>(type))
      return map.getValues().getElementType();
    else
      return isa<TensorType>(type) ? cast<TensorType>(type).getElementType()
                                   : type;
  }
}

static bool isWhole(Type type) {
  if (auto complex = dyn_cast<ComplexType>(type))
    type = complex.getElementType();
  if (isa<StringType>(type))
    return true;
  if (!type.isSignlessInteger() && !isa<FloatType>(type))
    return false;
  unsigned width = type.getIntOrFloatBitWidth();
  return width == 8 || width == 16 || width == 32 || width == 64;
}

static bool isFloating(Type type) {
  return type.isF32() || type.isF64() || type.isF16() || type.isBF16();
}

static bool isNumber(Type type) {
  return isFloating(type) || (type.isSignlessInteger() && isWhole(type));
}

static bool hasElements(Type type, LibraryKind kind) {
  bool isText = isa<StringType>(type);
  bool isInt = type.isSignlessInteger(32) || type.isSignlessInteger(64);
  switch (kind) {
  case LibraryKind::Any:
    return isWhole(type);
  case LibraryKind::Number:
    return isNumber(type);
  case LibraryKind::NumberOrText:
    return isNumber(type) || isText;
  case LibraryKind::TokenOrText:
    return isInt || isText;
  case LibraryKind::KeyOrText:
    return type.isSignlessInteger(64) || isText;
  case LibraryKind::Int:
    return isInt;
  case LibraryKind::Int32:
    return type.isSignlessInteger(32);
  case LibraryKind::Int64:
    return type.isSignlessInteger(64);
  case LibraryKind::Byte:
  case LibraryKind::Bool:
    return type.isSignlessInteger(8);
  case LibraryKind::Float:
    return type.isF32();
  case LibraryKind::FloatOrDouble:
    return type.isF32() || type.isF64();
  case LibraryKind::Floating:
    return isFloating(type);
  case LibraryKind::Text:
    return isText;
  default:
    return false;
  }
}

static bool hasKind(Type type, LibraryKind kind) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  switch (kind) {
  case LibraryKind::Sequence:
    return isa<SequenceType>(type);
  case LibraryKind::Map:
    return isa<MapType>(type);
  case LibraryKind::Optional:
    return isa<OptionalType>(type);
  case LibraryKind::Value:
    return isa<SequenceType, OptionalType>(type) ||
           (tensor && isWhole(tensor.getElementType()));
  default:
    return tensor && hasElements(tensor.getElementType(), kind);
  }
}

static StringRef describe(LibraryKind kind) {
  switch (kind) {
  case LibraryKind::Any:
    return "a tensor of whole bytes or strings";
  case LibraryKind::Number:
    return "a tensor of numbers";
  case LibraryKind::NumberOrText:
    return "a tensor of numbers or strings";
  case LibraryKind::TokenOrText:
    return "a tensor of i32, i64 or strings";
  case LibraryKind::KeyOrText:
    return "a tensor of i64 or strings";
  case LibraryKind::Int:
    return "a tensor of i32 or i64";
  case LibraryKind::Int32:
    return "a tensor of i32";
  case LibraryKind::Int64:
    return "a tensor of i64";
  case LibraryKind::Byte:
  case LibraryKind::Bool:
    return "a tensor of i8";
  case LibraryKind::Float:
    return "a tensor of f32";
  case LibraryKind::FloatOrDouble:
    return "a tensor of f32 or f64";
  case LibraryKind::Floating:
    return "a tensor of f32, f64, f16 or bf16";
  case LibraryKind::Text:
    return "a tensor of strings";
  case LibraryKind::Sequence:
    return "a sequence";
  case LibraryKind::Map:
    return "a map";
  case LibraryKind::Optional:
    return "an optional";
  case LibraryKind::Value:
    return "a tensor, a sequence or an optional";
  }
  llvm_unreachable("all are listed");
}

/// Whether elements of the ONNX type of this number are stored as `type`.
static bool isStoredAs(int64_t number, Type type) {
  auto elem = static_cast<onnx::ElementType>(number);
  return llvm::isInt<32>(number) && !onnx::isPacked(elem) &&
         onnx::storageType(type.getContext(), elem) == type;
}

//===- Verification -------------------------------------------------------===//

namespace {

class LibraryVerifier {
public:
  LibraryVerifier(LibraryOp op, const LibraryFunction &function)
      : op(op), function(function) {}

  LogicalResult verify() {
    if (failed(
            verifyValues("operand", op.getOperandTypes(), function.operands)) ||
        failed(verifyJoined()) ||
        failed(verifyValues("result", op.getResultTypes(), function.results)))
      return failure();
    return verifyConfig();
  }

private:
  InFlightDiagnostic error() {
    return op.emitOpError("of function '") << op.getFunction() << "': ";
  }

  static std::string countOf(size_t least, size_t most, bool repeats) {
    if (repeats)
      return llvm::formatv("at least {0}", least);
    return least == most ? std::to_string(least)
                         : llvm::formatv("{0} to {1}", least, most).str();
  }

  LogicalResult verifyValues(StringRef what, TypeRange types,
                             ArrayRef<LibraryValue> expected) {
    bool repeats = !expected.empty() && expected.back().repeated;
    size_t least = requiredCount(expected);
    if (types.size() < least || (types.size() > expected.size() && !repeats))
      return error() << "it has " << types.size() << " " << what
                     << "s, and must have "
                     << countOf(least, expected.size(), repeats);
    for (auto [i, type] : llvm::enumerate(types))
      if (failed(verifyValue(what, i, type,
                             expected[std::min(i, expected.size() - 1)])))
        return failure();
    return success();
  }

  LogicalResult verifyJoined() {
    auto isPresent = [&](size_t i) {
      return i < op.getNumOperands() &&
             !isa<NoneType>(op.getOperand(i).getType());
    };
    for (auto [i, value] : llvm::enumerate(function.operands))
      if (value.joined && isPresent(i) != isPresent(i - 1))
        return error() << "it has only one of the operands " << i - 1 << " and "
                       << i;
    return success();
  }

  LogicalResult verifyValue(StringRef what, size_t i, Type type,
                            const LibraryValue &expected) {
    if (expected.optional && what == "operand" && isa<NoneType>(type))
      return success();
    auto wrong = [&] {
      return error() << what << " " << i << " is " << type << ", and must be ";
    };
    if (!hasKind(type, expected.kind))
      return wrong() << describe(expected.kind);
    if (auto tensor = dyn_cast<RankedTensorType>(type)) {
      if (tensor.getRank() < expected.minRank)
        return wrong() << "of at least " << expected.minRank << " dimensions";
      if (tensor.getRank() > expected.maxRank)
        return wrong() << "of at most " << expected.maxRank << " dimensions";
      if (expected.single && tensor.hasStaticShape() &&
          tensor.getNumElements() != 1)
        return wrong() << "of one element";
    }
    if (expected.sameAs == LibraryValue::kNone)
      return success();
    size_t other = expected.sameAs == LibraryValue::kSamePlace
                       ? i
                       : size_t(expected.sameAs);
    if (other >= op.getNumOperands())
      return error() << what << " " << i << " has no operand of its number";
    if (elementOf(type) != elementOf(op.getOperand(other).getType()))
      return wrong() << "of the elements of operand " << other << ", "
                     << op.getOperand(other).getType();
    return success();
  }

  LogicalResult verifyConfig() {
    DictionaryAttr config = op.getConfigAttr();
    ArrayRef<NamedAttribute> entries;
    if (config)
      entries = config.getValue();
    for (const LibraryOption &option : function.config)
      if (!config || !config.contains(option.name))
        return error() << "its config lacks '" << option.name << "'";
    for (NamedAttribute entry : entries) {
      auto option =
          llvm::find_if(function.config, [&](const LibraryOption &known) {
            return known.name == entry.getName();
          });
      if (option == function.config.end())
        return error() << "its config has '" << entry.getName().getValue()
                       << "', which the function does not know";
      if (failed(verifyOption(*option, entry.getValue())))
        return failure();
    }
    return success();
  }

  LogicalResult verifyOption(const LibraryOption &option, Attribute attr) {
    auto wrong = [&] {
      return error() << "its '" << option.name << "' is " << attr
                     << ", and must be ";
    };
    if (option.kind == LibraryOption::Float) {
      auto real = dyn_cast<FloatAttr>(attr);
      return real && real.getType().isF64() ? success()
                                            : LogicalResult(wrong() << "f64");
    }
    auto integer = dyn_cast<IntegerAttr>(attr);
    if (!integer || !integer.getType().isSignlessInteger(64))
      return wrong() << "i64";
    int64_t number = integer.getInt();
    if (option.kind != LibraryOption::Integer)
      return verifyType(option, number);
    if (number < option.least || number > option.most)
      return wrong() << "from " << option.least << " to " << option.most;
    return success();
  }

  /// The number of an ONNX type says what the elements of an operand are.
  LogicalResult verifyType(const LibraryOption &option, int64_t number) {
    bool isResult = option.kind == LibraryOption::ResultType;
    Type type = isResult ? op.getResult(option.place).getType()
                         : op.getOperand(option.place).getType();
    Type element = elementOf(type);
    if (auto map = dyn_cast<MapType>(type);
        map && option.kind == LibraryOption::KeyType)
      element = map.getKeys().getElementType();
    // Sequences and optionals know what they hold.
    else if (isa<SequenceType, OptionalType>(type))
      return number == 0
                 ? success()
                 : LogicalResult(error()
                                 << "its '" << option.name << "' is " << number
                                 << ", and must be 0 for " << type);
    if (isStoredAs(number, element))
      return success();
    return error() << "its '" << option.name << "' is the ONNX type " << number
                   << ", which " << type << " does not have";
  }

  LibraryOp op;
  const LibraryFunction &function;
};

} // namespace

LogicalResult hone::checkLibraryCall(LibraryOp call) {
  const LibraryFunction *function = findLibraryFunction(call.getFunction());
  if (!function)
    return call.emitOpError("calls '")
           << call.getFunction() << "', which is no function of the runtime";
  if (call.getFunction() == "broadcast" &&
      call.getNumOperands() != call.getNumResults())
    return call.emitOpError("of function 'broadcast': it has ")
           << call.getNumResults() << " results for " << call.getNumOperands()
           << " operands";
  return LibraryVerifier(call, *function).verify();
}
