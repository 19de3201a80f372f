// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The interface for import functions: the inputs and attributes of one ONNX
// node, and ways to build the operations that compute its outputs.
#ifndef HONE_COMPILER_IMPORT_ONNX_BUILDER_NODEBUILDER_H
#define HONE_COMPILER_IMPORT_ONNX_BUILDER_NODEBUILDER_H

#include "compiler/Import/Onnx/Builder/Scalar.h"
#include "compiler/Import/Onnx/Reader/Model.h"
#include "dialects/Graph/Graph.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <optional>

namespace hone::onnx {

namespace graph = ::hone::graph;

class GraphImporter;
struct Scope;

/// A value of the model: a tensor, sequence or optional, with ONNX's element
/// type (of its tensors).
struct Val {
  mlir::Value value;
  ElementType elem = ElementType::Undefined;
  /// Comes from a node that could not be imported; no further errors are
  /// reported about it.
  bool poisoned = false;

  explicit operator bool() const { return static_cast<bool>(value); }
  bool isTensor() const {
    return value && llvm::isa<mlir::RankedTensorType>(value.getType());
  }
  mlir::RankedTensorType type() const {
    return llvm::cast<mlir::RankedTensorType>(value.getType());
  }
  /// -1 for values that are not tensors, so that a check of the rank finds
  /// them.
  int64_t rank() const { return isTensor() ? type().getRank() : -1; }
  llvm::ArrayRef<int64_t> shape() const {
    return isTensor() ? type().getShape() : llvm::ArrayRef<int64_t>();
  }
  bool isStatic() const { return isTensor() && type().hasStaticShape(); }
};

/// Sizes: an index attribute if known, otherwise a value of type index.
using Size = mlir::OpFoldResult;
using Sizes = llvm::SmallVector<mlir::OpFoldResult>;
using Ints = llvm::SmallVector<int64_t>;

class NodeBuilder {
public:
  NodeBuilder(GraphImporter &importer, Scope &scope, const Node &node,
              int64_t opset, mlir::Location loc, llvm::ArrayRef<Val> inputs);

  //===- The node ---------------------------------------------------------===//

  const Node &node;
  const int64_t opset;
  const mlir::Location loc;
  GraphImporter &importer;
  Scope &scope;
  mlir::OpBuilder &b; ///< host level: inserts at the node's position
  graph::DimBuilder &dimBuilder;

  size_t numInputs() const { return inputs.size(); }
  /// False for an omitted input.
  bool has(size_t i) const { return i < inputs.size() && inputs[i]; }
  /// A tensor, or nothing if omitted; values of other kinds only if the
  /// operator's entry in the table accepts them.
  Val in(size_t i) const { return i < inputs.size() ? inputs[i] : Val(); }
  llvm::ArrayRef<Val> allInputs() const { return inputs; }
  size_t numOutputs() const { return node.outputs.size(); }
  /// True if the model names the output.
  bool wants(size_t i) const {
    return i < node.outputs.size() && !node.outputs[i].empty();
  }
  void out(size_t i, Val value);
  mlir::LogicalResult out(Val value) {
    out(0, value);
    return mlir::success();
  }
  llvm::ArrayRef<Val> results() const { return outputs; }

  /// Reports file, node, operator, opset and reason; only the first call per
  /// node has an effect.
  mlir::LogicalResult error(const llvm::Twine &reason);
  void fail(const llvm::Twine &reason);
  /// Like `fail`, for an error that would end every run that reaches this node:
  /// in a branch that a run may not take, the branch becomes that end.
  void fault(const llvm::Twine &reason);
  bool failed() const { return hasError; }
  /// For a node that is imported with the help of another builder.
  void followError(const NodeBuilder &other) { hasError |= other.hasError; }

  //===- Attributes -------------------------------------------------------===//

  /// The attribute, after following references to the enclosing function's;
  /// null if absent.
  const AttributeProto *attr(llvm::StringRef name);
  bool hasAttr(llvm::StringRef name) { return attr(name) != nullptr; }
  /// The value or, if absent, the default. An attribute of another kind is an
  /// error of the node.
  int64_t intAttr(llvm::StringRef name, int64_t byDefault = 0);
  float floatAttr(llvm::StringRef name, float byDefault = 0);
  llvm::StringRef stringAttr(llvm::StringRef name,
                             llvm::StringRef byDefault = "");
  std::optional<Ints> intsAttr(llvm::StringRef name);
  Ints intsAttr(llvm::StringRef name, llvm::ArrayRef<int64_t> byDefault);
  std::optional<llvm::SmallVector<float>> floatsAttr(llvm::StringRef name);
  std::optional<std::vector<llvm::StringRef>> stringsAttr(llvm::StringRef name);
  const Graph *graphAttr(llvm::StringRef name);
  const Tensor *tensorAttr(llvm::StringRef name);
  /// An axis in [0, rank), counted from the end if negative. Out of range: an
  /// error, and 0.
  int64_t axis(int64_t value, int64_t rank);
  int64_t axisAttr(llvm::StringRef name, int64_t byDefault, int64_t rank) {
    return axis(intAttr(name, byDefault), rank);
  }
  /// Axes from an attribute or (if given) an input: in range, ascending,
  /// distinct. Nothing: not given.
  std::optional<Ints> axes(llvm::StringRef attribute, size_t input,
                           int64_t rank, bool sorted = true);

  //===- Sizes ------------------------------------------------------------===//

  Size index(int64_t value) { return b.getIndexAttr(value); }
  /// A missing dimension is an error, and 1.
  Size dim(Val v, int64_t i);
  Sizes dims(Val v) {
    return v.isTensor() ? dimBuilder.dims(b, loc, v.value) : Sizes();
  }
  static std::optional<int64_t> known(Size size) {
    return graph::DimBuilder::constant(size);
  }
  bool same(Size x, Size y) { return dimBuilder.equal(x, y); }
  Size add(Size x, Size y) { return dimBuilder.add(b, loc, x, y); }
  Size sub(Size x, Size y) { return dimBuilder.sub(b, loc, x, y); }
  Size mul(Size x, Size y) { return dimBuilder.mul(b, loc, x, y); }
  Size floorDiv(Size x, Size y) { return dimBuilder.floorDiv(b, loc, x, y); }
  Size ceilDiv(Size x, Size y) { return dimBuilder.ceilDiv(b, loc, x, y); }
  Size max(Size x, Size y) { return dimBuilder.max(b, loc, x, y); }
  Size min(Size x, Size y) { return dimBuilder.min(b, loc, x, y); }
  Size add(Size x, int64_t y) { return add(x, index(y)); }
  Size mul(Size x, int64_t y) { return mul(x, index(y)); }
  Size product(llvm::ArrayRef<Size> factors) {
    return dimBuilder.product(b, loc, factors);
  }
  mlir::Value value(Size size) { return dimBuilder.materialize(b, loc, size); }
  Sizes sizes(llvm::ArrayRef<int64_t> values) {
    Sizes result;
    for (int64_t value : values)
      result.push_back(index(value));
    return result;
  }
  /// The scalar builder of the host, for arithmetic on sizes beyond the above.
  ScalarBuilder &host() { return hostBuilder; }
  Size toSize(const Scalar &x);
  /// True if the size depends only on free dimensions.
  static bool isFree(Size size);

  //===- Elements of small tensors ----------------------------------------===//

  /// The elements of an integer tensor as sizes, read at run time if unknown.
  /// Nothing (and an error of the node) if the number of elements is unknown or
  /// above 64 ki.
  std::optional<Sizes> elements(Val v);
  /// The same for a vector of `count` elements according to the operator:
  /// checked at run time if its length is free.
  std::optional<Sizes> elements(Val v, int64_t count);
  /// The first `limit` elements of a vector whose length is only known at run
  /// time, with `fill` for missing ones. It has no more: checked too.
  std::optional<Sizes> elementsUpTo(Val v, int64_t limit, int64_t fill);
  /// The elements, if all are known now. No error otherwise.
  std::optional<Ints> knownInts(Val v);
  std::optional<llvm::SmallVector<double>> knownNumbers(Val v);
  /// As `knownInts` of an input, but an error if it is present and not known.
  std::optional<Ints> requireInts(size_t input, llvm::StringRef name);
  /// The only element of a scalar or one-element tensor, on the host, in its
  /// compute type (integers as index). Another number of elements is an error,
  /// at run time if it is not known before.
  Scalar hostScalar(Val v);

  //===- Constants --------------------------------------------------------===//

  Val constant(ElementType elem, llvm::ArrayRef<int64_t> shape,
               llvm::ArrayRef<double> values);
  Val constantInts(llvm::ArrayRef<int64_t> values,
                   ElementType elem = ElementType::Int64);
  Val scalar(ElementType elem, double value) {
    return constant(elem, {}, {value});
  }
  /// Every element is `value`.
  Val filled(ElementType elem, llvm::ArrayRef<Size> dims, double value);
  /// A tensor of scalars of the host.
  Val fromHost(llvm::ArrayRef<Scalar> scalars, llvm::ArrayRef<int64_t> shape,
               ElementType elem);
  /// A tensor of sizes with the given shape, of int64 or int32.
  Val fromSizes(llvm::ArrayRef<Size> sizes, llvm::ArrayRef<int64_t> shape,
                ElementType elem = ElementType::Int64);
  Val fromSizes(llvm::ArrayRef<Size> sizes) {
    return fromSizes(sizes, {static_cast<int64_t>(sizes.size())});
  }

  //===- Elementwise ------------------------------------------------------===//

  using Body = llvm::function_ref<Scalar(llvm::ArrayRef<Scalar>)>;
  /// One scalar formula over broadcast inputs, in their compute types. The
  /// body's result may be of the compute type or i1 for bool. Small tensors
  /// with known elements are computed immediately.
  Val map(llvm::ArrayRef<Val> inputs, ElementType result, Body body);
  Val map(Val input, ElementType result,
          llvm::function_ref<Scalar(Scalar)> body) {
    return map(llvm::ArrayRef<Val>(input), result,
               [&](llvm::ArrayRef<Scalar> x) { return body(x[0]); });
  }
  Val map(Val input, llvm::function_ref<Scalar(Scalar)> body) {
    return map(input, input.elem, body);
  }
  /// Like `map` of one input, with a body that yields the element in storage
  /// type.
  Val mapStored(Val input, ElementType result,
                llvm::function_ref<mlir::Value(Scalar)> body);
  /// A formula over coordinates (`s.index(axis)`) and elements at computed
  /// indices (`s.element`).
  Val compute(llvm::ArrayRef<Size> dims, ElementType result,
              llvm::function_ref<Scalar(ScalarBuilder &)> body);
  /// Like `compute`, with elements in storage type: moves data of any type.
  Val move(llvm::ArrayRef<Size> dims, ElementType result,
           llvm::function_ref<mlir::Value(ScalarBuilder &)> body);
  Val cast(Val v, ElementType elem);
  /// f16 and bf16 as f32, other types unchanged. Intermediate results of an
  /// operator are not rounded: its inputs are widened, and `cast` or the last
  /// map rounds once.
  Val widened(Val v) { return cast(v, widenedType(v.elem)); }

  //===- Shapes and movement ----------------------------------------------===//

  // Operands that do not fit (different ranks, axes out of range) are an error
  // of the node; the result is then some tensor.

  /// Whether all are tensors of that rank; an error if one is not.
  bool haveRank(llvm::ArrayRef<Val> values, int64_t rank);
  mlir::RankedTensorType tensorType(ElementType elem,
                                    llvm::ArrayRef<Size> dims);
  /// The dynamic ones of `dims`, as operands.
  llvm::SmallVector<mlir::Value> dynamic(llvm::ArrayRef<Size> dims);
  /// The shape that ONNX's broadcasting gives.
  Sizes broadcastDims(llvm::ArrayRef<Val> inputs);
  /// The elements with sizes that are known to be the same, though not
  /// provably.
  Val relabel(Val v, llvm::ArrayRef<Size> dims);
  /// One of two tensors of that shape, chosen at run time; only that one is
  /// computed.
  Val choose(const Scalar &condition, ElementType elem,
             llvm::ArrayRef<Size> dims, llvm::function_ref<Val()> then,
             llvm::function_ref<Val()> otherwise);
  /// The tensor with every dimension provably 1 or that of the (longer or
  /// equal) shape; a map if that needs work.
  Val alignTo(Val v, llvm::ArrayRef<Size> dims);
  /// The tensor broadcast to exactly that shape.
  Val expand(Val v, llvm::ArrayRef<Size> dims);
  Val reshape(Val v, llvm::ArrayRef<Size> dims);
  Val transpose(Val v, llvm::ArrayRef<int64_t> permutation);
  /// Steps may be negative; `dims` are the sizes of the result, at least 0.
  Val slice(Val v, llvm::ArrayRef<Size> offsets, llvm::ArrayRef<Size> dims,
            llvm::ArrayRef<int64_t> steps = {});
  /// [from, from + size) along one axis.
  Val sliceAxis(Val v, int64_t axis, Size from, Size size);
  Val concat(llvm::ArrayRef<Val> values, int64_t axis);
  /// Low and high sizes, known, may be negative.
  Val pad(Val v, mlir::Value value, llvm::ArrayRef<int64_t> low,
          llvm::ArrayRef<int64_t> high);
  /// The same if the low sizes, those of the result or the value are only known
  /// at run time; the value is in storage type.
  Val padAtRun(Val v, llvm::ArrayRef<Size> low, llvm::ArrayRef<Size> sizes,
               llvm::function_ref<mlir::Value(ScalarBuilder &)> value);
  Val gather(Val v, Val indices, int64_t axis);
  Val squeeze(Val v, llvm::ArrayRef<int64_t> axes);
  Val unsqueeze(Val v, llvm::ArrayRef<int64_t> axes);

  //===- Reductions and contractions --------------------------------------===//

  Val reduce(graph::ReduceKind kind, Val v, llvm::ArrayRef<int64_t> axes,
             bool keepdims);
  Val sum(Val v, llvm::ArrayRef<int64_t> axes, bool keepdims) {
    return reduce(graph::ReduceKind::Sum, v, axes, keepdims);
  }
  /// Divided before it is rounded.
  Val mean(Val v, llvm::ArrayRef<int64_t> axes, bool keepdims);
  /// A sum, in its widened type, divided by the number of its elements.
  Val meanOf(Val total, Size count, ElementType elem);
  Val matmul(Val lhs, Val rhs, bool transposeRhs = false) {
    return matmulAs(lhs.elem, lhs, rhs, transposeRhs);
  }
  /// The product in its widened type, for a formula that rounds it.
  Val wideMatmul(Val lhs, Val rhs, bool transposeRhs = false) {
    return matmulAs(widenedType(lhs.elem), lhs, rhs, transposeRhs);
  }

  /// How a matrix of f32 is quantized; terms as for `hone.dequantize`.
  struct BlockQuantization {
    int64_t bits, block, axis, zero;
    bool isUnsigned;
    llvm::ArrayRef<float> table = {}; ///< Empty: there is none.
    /// Whether products may round their other operand.
    bool bytes = false;
  };
  /// The matrix of these static sizes that `codes` stand for. Null `zeros`: all
  /// are `zero`.
  Val dequantizeBlocks(Val codes, Val scales, Val zeros,
                       llvm::ArrayRef<Size> sizes,
                       const BlockQuantization &quantization);

  /// Ends the run with an error of this node unless the condition holds; an
  /// error of the model if it is known not to.
  bool require(const Scalar &condition, const llvm::Twine &what);
  /// Requires an element to read along each of `source` if a result of `result`
  /// has elements: only then are indices clamped to a source inside it.
  void requireSource(llvm::ArrayRef<Size> source, llvm::ArrayRef<Size> result);
  /// Where two sizes must be equal: an error if they are known to differ.
  bool agree(Size x, Size y, const llvm::Twine &what);
  /// `v` with sizes that are provably `dims`, of the same rank; checked at run
  /// time if necessary.
  Val withDims(Val v, llvm::ArrayRef<Size> dims, const llvm::Twine &what);
  /// The same with one size, along `axis`.
  Val withSize(Val v, int64_t axis, Size size, const llvm::Twine &what);

private:
  std::string described(const llvm::Twine &reason);
  Val matmulAs(ElementType result, Val lhs, Val rhs, bool transposeRhs);
  bool areTensors(llvm::ArrayRef<Val> values);
  /// Some tensor, to continue after an error.
  Val placeholder() { return scalar(ElementType::Float, 0); }
  /// False, and an error, if `axis` is not a dimension of the tensor.
  bool hasAxis(Val v, int64_t axis);
  Val mapWith(
      llvm::ArrayRef<Val> inputs, ElementType result,
      llvm::function_ref<mlir::Value(ScalarBuilder &, llvm::ArrayRef<Scalar>)>
          body);
  std::optional<Val> mapOnHost(llvm::ArrayRef<Val> inputs, ElementType result,
                               Body body);
  bool hostScalars(Val v, ScalarBuilder &s,
                   llvm::SmallVectorImpl<Scalar> &scalars);
  /// For an element of the result at some coordinates: number of the input, and
  /// position in it.
  using Pick =
      llvm::function_ref<std::pair<size_t, int64_t>(llvm::ArrayRef<int64_t>)>;
  std::optional<Val> moveOnHost(llvm::ArrayRef<Val> inputs,
                                llvm::ArrayRef<Size> dims, Pick pick);
  std::optional<Val> reduceOnHost(graph::ReduceKind kind, Val v,
                                  llvm::ArrayRef<int64_t> axes,
                                  llvm::ArrayRef<Size> sizes);
  void kind(const AttributeProto &attribute, AttributeKind expected);

  llvm::SmallVector<Val> inputs;
  llvm::SmallVector<Val> outputs;
  ScalarBuilder hostBuilder;
  bool hasError = false;
};

} // namespace hone::onnx

#endif // HONE_COMPILER_IMPORT_ONNX_BUILDER_NODEBUILDER_H
