// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Labels of ai.onnx.ml.
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

} // namespace

void hone::onnx::addMachineLearning(OpTable &table) {
  table.setDomain("ai.onnx.ml");
  table.add("LabelEncoder", importLabelEncoder, 1);
  table.setDomain("");
}
