// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Calls of the runtime's library functions, and types of sequences.
#include "compiler/Import/Onnx/Builder/Library.h"
#include "compiler/Import/Onnx/Builder/AnyRank.h"
#include "compiler/Import/Onnx/Builder/GraphImporter.h"
#include "compiler/Import/Onnx/Builder/PackedTypes.h"

#include "mlir/Dialect/UB/IR/UBOps.h"

using namespace mlir;
using namespace hone::onnx;

bool hone::onnx::isRuntimeNumber(ElementType elem) {
  return (isInteger(elem) && !isPacked(elem)) || elem == ElementType::Bool ||
         (isFloat(elem) && !isSmallFloat(elem));
}

namespace {

enum Elements {
  Any, ///< whole bytes, or text
  Number,
  NumberOrText,
  TokenOrText, ///< int32, int64 or text
  Int,         ///< int32 or int64
  Int64,
  Byte,
  Bool,
  Float,
  Floating, ///< float, double, float16 or bfloat16
  Text,
  Sequence,
  Map,
  Value, ///< a tensor, a sequence or an optional
};

/// An operand of a function of the runtime.
struct Operand {
  Elements elements = Any;
  int64_t minRank = 0, maxRank = INT64_MAX;
  bool single = false;   ///< one element
  bool optional = false; ///< may be omitted
  bool repeated = false; ///< any number of operands like this one

  constexpr Operand(Elements elements) : elements(elements) {}
  constexpr Operand ranks(int64_t least, int64_t most) const {
    Operand copy = *this;
    copy.minRank = least;
    copy.maxRank = most;
    return copy;
  }
  constexpr Operand rank(int64_t number) const { return ranks(number, number); }
  constexpr Operand one() const {
    Operand copy = *this;
    copy.single = true;
    return copy;
  }
  constexpr Operand maybe() const {
    Operand copy = *this;
    copy.optional = true;
    return copy;
  }
  constexpr Operand any() const {
    Operand copy = *this;
    copy.repeated = true;
    return copy;
  }
};

/// The operands of each function, as listed in runtime/library/README.md.
ArrayRef<Operand> operandsOf(StringRef function) {
  using Operands = std::vector<Operand>;
  constexpr Operand any(Any), text(Text), sequence(Sequence), integer(Int),
      int64(Int64), floating(Floating), boolean(Bool);
  static const llvm::StringMap<Operands> table = {
      {"custom", {Operand(Number).maybe().any()}},
      {"nonzero", {NumberOrText}},
      {"compress", {any, boolean.rank(1)}},
      {"unique", {NumberOrText}},
      {"non_max_suppression",
       {Operand(Float).rank(3), Operand(Float).rank(3), integer.one(),
        floating.one(), floating.one().maybe()}},
      {"sequence_empty", {}},
      {"sequence_construct", {any.any()}},
      {"sequence_at", {sequence, integer.one()}},
      {"sequence_insert", {sequence, any, integer.one().maybe()}},
      {"sequence_append", {sequence, any}},
      {"sequence_erase", {sequence, integer.one().maybe()}},
      {"sequence_length", {sequence}},
      {"concat_from_sequence", {sequence}},
      {"split_to_sequence", {any, integer.ranks(0, 1).maybe()}},
      {"optional_make", {Value}},
      {"optional_empty", {}},
      {"optional_has_element", {Value}},
      {"optional_get_element", {Value}},
      {"flatten", {Value}},
      {"shape_like", {any.rank(1), Value}},
      {"broadcast", {Operand(Value).any()}},
      {"string_concat", {text, text}},
      {"string_equal", {text, text}},
      {"string_split", {text, text.one()}},
      {"string_normalizer", {text.ranks(1, 2), text}},
      {"regex_full_match", {text, text.one()}},
      {"tokenize", {text.ranks(1, 2), text, text.one()}},
      {"string_from_number", {Number}},
      {"string_to_number", {text}},
      {"label_encoder",
       {NumberOrText, NumberOrText, NumberOrText, Operand(NumberOrText).one()}},
      {"tfidf_vectorizer",
       {Operand(TokenOrText).ranks(1, 2), TokenOrText, int64, int64,
        Operand(Float).maybe()}},
      {"take", {int64, any.any()}},
      {"random_uniform", {integer}},
      {"random_normal", {integer}},
      {"bernoulli", {floating}},
      {"multinomial", {floating.rank(2)}},
      {"dropout", {floating, floating.one().maybe(), boolean.one().maybe()}},
      {"decode_image", {Operand(Byte).rank(1)}},
      {"det", {floating.ranks(2, INT64_MAX)}},
      {"dft",
       {floating.ranks(2, INT64_MAX), integer.one().maybe(),
        integer.one().maybe()}},
      {"stft",
       {floating.ranks(2, 3), integer.one(), floating.rank(1).maybe(),
        integer.one().maybe()}},
      {"window", {integer.one()}},
      {"mel_weight_matrix",
       {integer.one(), integer.one(), integer.one(), floating.one(),
        floating.one()}},
      {"zip_map", {Operand(Number).rank(2), Operand(NumberOrText).rank(1)}},
      {"dict_vectorizer", {Operand(Map), Operand(NumberOrText).rank(1)}},
      {"cast_map", {Operand(Map)}},
      {"couple_probabilities", {Operand(Float).rank(2)}},
      {"tree_ensemble",
       {floating.rank(2), Byte, integer, int64, integer.maybe(),
        integer.maybe(), floating.maybe()}},
  };
  auto it = table.find(function);
  assert(it != table.end() && "a function that the table does not have");
  return it->second;
}

bool fits(const Val &v, Elements elements) {
  ElementType elem = v.elem;
  switch (elements) {
  case Any:
    return !isPacked(elem);
  case Number:
    return isRuntimeNumber(elem);
  case NumberOrText:
    return isRuntimeNumber(elem) || elem == ElementType::String;
  case TokenOrText:
    return elem == ElementType::Int32 || elem == ElementType::Int64 ||
           elem == ElementType::String;
  case Int:
    return elem == ElementType::Int32 || elem == ElementType::Int64;
  case Int64:
    return elem == ElementType::Int64;
  case Byte:
    return elem == ElementType::Uint8;
  case Bool:
    return elem == ElementType::Bool;
  case Float:
    return elem == ElementType::Float;
  case Floating:
    return isFloat(elem) && !isSmallFloat(elem);
  case Text:
    return elem == ElementType::String;
  case Sequence:
    return isa<graph::SequenceType>(v.value.getType());
  case Map:
    return isa<graph::MapType>(v.value.getType());
  case Value:
    return !v.isTensor() || !isPacked(elem);
  }
  llvm_unreachable("all are listed");
}

/// Whether a function accepts the operands; an error of the node otherwise.
bool takes(NodeBuilder &n, StringRef function, ArrayRef<Val> operands) {
  ArrayRef<Operand> expected = operandsOf(function);
  for (auto [i, v] : llvm::enumerate(operands)) {
    if (i >= expected.size() && (expected.empty() || !expected.back().repeated))
      return n.fail("has more inputs than it takes"), false;
    const Operand &wanted = expected[std::min(i, expected.size() - 1)];
    bool absent = !v || isa<NoneType>(v.value.getType());
    if (absent && wanted.optional)
      continue;
    if (absent)
      return n.fail("lacks an input that it needs"), false;
    bool isTensor = wanted.elements != Sequence && wanted.elements != Map &&
                    wanted.elements != Value;
    if (isTensor != v.isTensor() && wanted.elements != Value)
      return n.fail(isTensor ? "needs a tensor where it has none"
                    : wanted.elements == Map
                        ? "needs a map where it has none"
                        : "needs a sequence where it has none"),
             false;
    if (!fits(v, wanted.elements))
      return n.fail("does not take a tensor of " + elementTypeName(v.elem) +
                    " there"),
             false;
    if (isTensor && (v.rank() < wanted.minRank || v.rank() > wanted.maxRank))
      return n.fail("does not take a tensor of " + Twine(v.rank()) +
                    " dimensions there"),
             false;
    if (wanted.single && v.isStatic() && v.type().getNumElements() != 1)
      return n.fail("needs one number where it has " +
                    Twine(v.type().getNumElements())),
             false;
  }
  size_t needed = llvm::count_if(
      expected, [](const Operand &o) { return !o.optional && !o.repeated; });
  if (operands.size() < needed)
    return n.fail("lacks an input that it needs"), false;
  return true;
}

} // namespace

LibraryCall &LibraryCall::tensor(ElementType elem, ArrayRef<int64_t> shape) {
  SmallVector<int64_t> dims;
  Sizes known;
  for (int64_t size : shape) {
    dims.push_back(size < 0 ? ShapedType::kDynamic : size);
    known.push_back(n.index(std::max<int64_t>(size, 0)));
  }
  return result(n.tensorType(elem, known).clone(dims), elem);
}

LibraryCall &LibraryCall::sized(ElementType elem, ArrayRef<Size> dims) {
  known.emplace_back(types.size(), Sizes(dims));
  return result(n.tensorType(elem, dims), elem);
}

SmallVector<Val> LibraryCall::call(ArrayRef<Val> operands) {
  if (!takes(n, function, operands)) {
    // Some values of these types, to continue after an error.
    SmallVector<Val> results;
    for (auto [type, elem] : llvm::zip(types, elems))
      results.push_back({ub::PoisonOp::create(n.b, n.loc, type), elem});
    return results;
  }
  SmallVector<mlir::Value> values;
  for (const Val &operand : operands)
    values.push_back(operand.value);
  DictionaryAttr dictionary =
      config.empty() ? DictionaryAttr() : n.b.getDictionaryAttr(config);
  auto op = graph::LibraryOp::create(
      n.b, n.loc, types, n.b.getStringAttr(function), values, dictionary);
  SmallVector<Val> results;
  for (auto [value, elem] : llvm::zip(op.getResults(), elems))
    results.push_back({value, elem});
  for (const auto &[i, dims] : known)
    n.dimBuilder.learn(results[i].value, dims);
  return results;
}

Val hone::onnx::texts(NodeBuilder &n, ArrayRef<StringRef> values) {
  auto type = RankedTensorType::get({static_cast<int64_t>(values.size())},
                                    graph::StringType::get(n.b.getContext()));
  return {graph::ConstantOp::create(n.b, n.loc,
                                    DenseStringElementsAttr::get(type, values)),
          ElementType::String};
}

Val hone::onnx::tensorAttr(NodeBuilder &n, StringRef name) {
  const Tensor *tensor = n.tensorAttr(name);
  if (!tensor)
    return {};
  std::string problem;
  if (std::optional<Val> value = n.importer.constant(*tensor, n.loc, problem))
    return *value;
  n.fail("its attribute '" + name + "': " + problem);
  return {};
}

Val hone::onnx::absentOperand(NodeBuilder &n) {
  return {ub::PoisonOp::create(n.b, n.loc, n.b.getNoneType())};
}

mlir::Type hone::onnx::sequenceOf(mlir::Type element) {
  if (auto tensor = dyn_cast<RankedTensorType>(element))
    element = RankedTensorType::get(
        SmallVector<int64_t>(tensor.getRank(), ShapedType::kDynamic),
        tensor.getElementType());
  return hone::graph::SequenceType::get(element.getContext(), element);
}

/// A type for the elements of two sequences or optionals, which may hold
/// tensors of different ranks.
static mlir::Type commonElement(mlir::Type a, mlir::Type b) {
  auto x = dyn_cast<TensorType>(a), y = dyn_cast<TensorType>(b);
  bool isOneRank =
      x && y && x.hasRank() && y.hasRank() && x.getRank() == y.getRank();
  if (!x || !y || isOneRank)
    return commonType(a, b);
  return x.getElementType() == y.getElementType()
             ? UnrankedTensorType::get(x.getElementType())
             : mlir::Type();
}

mlir::Type hone::onnx::commonType(mlir::Type a, mlir::Type b) {
  if (a == b)
    return a;
  auto left = dyn_cast<graph::SequenceType>(a);
  auto right = dyn_cast<graph::SequenceType>(b);
  if (left && right) {
    mlir::Type x = left.getElementType(), y = right.getElementType();
    // An empty sequence has elements of any rank.
    if (isa<UnrankedTensorType>(x))
      return b;
    if (isa<UnrankedTensorType>(y))
      return a;
    mlir::Type element = commonElement(x, y);
    return element ? graph::SequenceType::get(a.getContext(), element)
                   : mlir::Type();
  }
  auto leftOptional = dyn_cast<graph::OptionalType>(a);
  auto rightOptional = dyn_cast<graph::OptionalType>(b);
  if (leftOptional && rightOptional) {
    mlir::Type element = commonElement(leftOptional.getElementType(),
                                       rightOptional.getElementType());
    return element ? graph::OptionalType::get(a.getContext(), element)
                   : mlir::Type();
  }
  // A value that may be absent, and one that never is.
  if (leftOptional || rightOptional) {
    mlir::Type element =
        commonElement(leftOptional ? leftOptional.getElementType() : a,
                      rightOptional ? rightOptional.getElementType() : b);
    return element ? graph::OptionalType::get(a.getContext(), element)
                   : mlir::Type();
  }
  auto x = dyn_cast<RankedTensorType>(a), y = dyn_cast<RankedTensorType>(b);
  if (!x || !y || x.getElementType() != y.getElementType())
    return {};
  if (x.getRank() != y.getRank())
    return anyRankOf(x.getElementType());
  SmallVector<int64_t> shape;
  for (auto [p, q] : llvm::zip(x.getShape(), y.getShape()))
    shape.push_back(p == q ? p : ShapedType::kDynamic);
  return RankedTensorType::get(shape, x.getElementType());
}
