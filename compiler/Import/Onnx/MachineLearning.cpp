// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Operators of the domain ai.onnx.ml that library functions do: labels and
// decision trees.
#include "compiler/Import/Onnx/GraphImporter.h"
#include "compiler/Import/Onnx/Library.h"
#include "compiler/Import/Onnx/OpTable.h"

using namespace mlir;
using namespace hone::onnx;

namespace {

Val floats(NodeBuilder &n, ArrayRef<float> values) {
  SmallVector<double> wide(values.begin(), values.end());
  return n.constant(ElementType::Float, {static_cast<int64_t>(wide.size())},
                    wide);
}

/// A list that has one attribute for each type it may have.
Val listAttr(NodeBuilder &n, StringRef name) {
  if (auto values = n.stringsAttr((name + "_strings").str()))
    return texts(n, *values);
  if (auto values = n.intsAttr((name + "_int64s").str()))
    return n.constantInts(*values);
  if (auto values = n.floatsAttr((name + "_floats").str()))
    return floats(n, *values);
  return tensorAttr(n, (name + "_tensor").str());
}

/// What a label encoder gives for unknown labels.
Val defaultLabel(NodeBuilder &n, ElementType elem) {
  if (Val value = tensorAttr(n, "default_tensor"))
    return value;
  switch (elem) {
  case ElementType::String:
    return texts(n, {n.stringAttr("default_string", "_Unused")});
  case ElementType::Float:
    return floats(n, {n.floatAttr("default_float", -0.0f)});
  case ElementType::Int64:
    return n.constantInts({n.intAttr("default_int64", -1)});
  default:
    return n.constant(elem, {1}, {elem == ElementType::Double ? -0.0 : -1.0});
  }
}

LogicalResult importLabelEncoder(NodeBuilder &n) {
  Val x = n.in(0), keys, values;
  if (auto classes = n.stringsAttr("classes_strings")) { // the first version
    Ints numbers;
    for (size_t i = 0; i < classes->size(); ++i)
      numbers.push_back(i);
    bool fromText = x.elem == ElementType::String;
    keys = fromText ? texts(n, *classes) : n.constantInts(numbers);
    values = fromText ? n.constantInts(numbers) : texts(n, *classes);
  } else {
    keys = listAttr(n, "keys");
    values = listAttr(n, "values");
  }
  if (n.failed())
    return failure();
  if (!keys || !values)
    return n.error("lacks its keys or values");
  if (!keys.isStatic() || !values.isStatic() ||
      keys.type().getNumElements() != values.type().getNumElements())
    return n.error("has not one value for each key");
  if (keys.elem != x.elem)
    return n.error("looks up " + elementTypeName(x.elem) + " among keys of " +
                   elementTypeName(keys.elem));
  Val otherwise = defaultLabel(n, values.elem);
  if (n.failed())
    return failure();
  if (otherwise.elem != values.elem)
    return n.error("has a default of another type than its values");
  return n.out(
      LibraryCall(n, "label_encoder")
          .setType("key_type", x.elem)
          .setType("value_type", values.elem)
          .sized(values.elem, n.dims(x))({x, keys, values, otherwise}));
}

LogicalResult importTreeEnsemble(NodeBuilder &n) {
  Val x = n.in(0);
  if (!isFloat(x.elem) || x.rank() != 2)
    return n.error("needs a matrix of floats");
  SmallVector<Val> operands{x};
  auto addInts = [&](StringRef name) {
    if (std::optional<Ints> values = n.intsAttr(name))
      operands.push_back(n.constantInts(*values));
    else
      n.fail("lacks '" + name + "'");
  };
  auto addTensor = [&](StringRef name, ElementType elem) {
    Val value = tensorAttr(n, name);
    if (!value || value.elem != elem)
      n.fail("lacks '" + name + "' of type " + elementTypeName(elem));
    operands.push_back(value);
  };
  // In the order of LIBRARY.md.
  addInts("nodes_featureids");
  addInts("nodes_falseleafs");
  addInts("nodes_falsenodeids");
  addTensor("nodes_modes", ElementType::Uint8);
  addTensor("nodes_splits", x.elem);
  addInts("nodes_trueleafs");
  addInts("nodes_truenodeids");
  addInts("leaf_targetids");
  addTensor("leaf_weights", x.elem);
  addInts("tree_roots");
  bool tracks = n.hasAttr("nodes_missing_value_tracks_true");
  if (n.hasAttr("membership_values"))
    addTensor("membership_values", x.elem);
  else if (tracks)
    operands.push_back(absentOperand(n));
  if (tracks)
    addInts("nodes_missing_value_tracks_true");
  int64_t targets = n.intAttr("n_targets"),
          aggregate = n.intAttr("aggregate_function", 1),
          transform = n.intAttr("post_transform", 0);
  if (n.failed())
    return failure();
  if (targets < 0 || aggregate < 0 || aggregate > 3 || transform < 0 ||
      transform > 4)
    return n.error("has an attribute out of range");
  return n.out(LibraryCall(n, "tree_ensemble")
                   .set("aggregate_function", aggregate)
                   .set("n_targets", targets)
                   .set("post_transform", transform)
                   .setType("type", x.elem)
                   .sized(x.elem, {n.dim(x, 0), n.index(targets)})(operands));
}

} // namespace

void hone::onnx::addMachineLearning(OpTable &table) {
  table.setDomain("ai.onnx.ml");
  table.add("LabelEncoder", importLabelEncoder, 1);
  table.add("TreeEnsemble", importTreeEnsemble, 1);
  table.setDomain("");
}
