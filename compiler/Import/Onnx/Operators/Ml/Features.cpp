// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Features and labels of ai.onnx.ml: scaled, replaced, encoded, assembled.
#include "compiler/Import/Onnx/Builder/Library.h"
#include "compiler/Import/Onnx/Builder/OpTable.h"
#include "compiler/Import/Onnx/Operators/Ml/Classes.h"

#include <cmath>

using namespace mlir;
using namespace hone::onnx;
using hone::graph::ReduceKind;
using Args = ArrayRef<Scalar>;

namespace {

/// A list with one attribute for each of its possible types.
Val listAttr(NodeBuilder &n, StringRef name) {
  if (auto values = n.stringsAttr((name + "_strings").str()))
    return texts(n, *values);
  if (auto values = n.intsAttr((name + "_int64s").str()))
    return n.constantInts(*values);
  if (auto values = n.floatsAttr((name + "_floats").str()))
    return floats(n, *values);
  return tensorAttr(n, (name + "_tensor").str());
}

/// The value of a label encoder for unknown labels.
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

LogicalResult importNormalizer(NodeBuilder &n) {
  std::optional<Val> x = samples(n);
  if (!x)
    return failure();
  StringRef norm = n.stringAttr("norm", "MAX");
  if (norm != "MAX" && norm != "L1" && norm != "L2")
    return n.error("has the norm '" + norm + "', which ONNX does not define");
  Val sizes = norm == "MAX" ? *x : n.map(*x, [&](Scalar v) {
    return norm == "L1" ? abs(v) : v * v;
  });
  Val total = n.reduce(norm == "MAX" ? ReduceKind::Max : ReduceKind::Sum, sizes,
                       {1}, /*keepdims=*/true);
  Val result = n.map({*x, total}, ElementType::Float, [&](Args a) {
    Scalar size = norm == "L2" ? sqrt(a[1]) : a[1];
    return select(eq(size, 0), a[0], a[0] / size);
  });
  return n.out(n.reshape(result, n.dims(n.in(0))));
}

LogicalResult importScaler(NodeBuilder &n) {
  std::optional<SmallVector<float>> offset = n.floatsAttr("offset"),
                                    scale = n.floatsAttr("scale");
  if (!offset || !scale || !n.in(0).type().getElementType().isIntOrFloat())
    return n.error("takes numbers, an offset and a scale");
  Val x = n.cast(n.in(0), ElementType::Float);
  return n.out(n.map({x, floats(n, *offset), floats(n, *scale)},
                     ElementType::Float,
                     [](Args a) { return (a[0] - a[1]) * a[2]; }));
}

LogicalResult importBinarizer(NodeBuilder &n) {
  double threshold = n.floatAttr("threshold", 0);
  return n.out(n.map(n.in(0), [&](Scalar x) {
    return select(gt(x, threshold), x.builder->like(x, 1),
                  x.builder->like(x, 0));
  }));
}

LogicalResult importFeatureExtractor(NodeBuilder &n) {
  Val x = n.in(0), places = n.in(1);
  if (x.rank() < 1 || places.elem != ElementType::Int64)
    return n.error("takes a tensor and int64 places in its last dimension");
  Val flat = n.reshape(places, {n.product(n.dims(places))});
  Val result = n.gather(x, flat, x.rank() - 1);
  // A vector of features is one sample.
  return n.failed() ? failure()
                    : n.out(x.rank() == 1 ? n.unsqueeze(result, {0}) : result);
}

/// Values that stand for missing ones: NaN, or a number.
LogicalResult importImputer(NodeBuilder &n) {
  Val x = n.in(0);
  std::optional<SmallVector<float>> floatValues =
      n.floatsAttr("imputed_value_floats");
  std::optional<Ints> intValues = n.intsAttr("imputed_value_int64s");
  SmallVector<double> values;
  if (floatValues)
    values.assign(floatValues->begin(), floatValues->end());
  else if (intValues)
    values.assign(intValues->begin(), intValues->end());
  bool ofFloats = isFloat(x.elem);
  if ((!ofFloats && !isInteger(x.elem)) || x.rank() < 1)
    return n.error("takes a matrix of numbers");
  if (values.empty() || floatValues.has_value() != ofFloats)
    return n.error("has no list of values of the type of its input");
  if (values.size() != 1)
    x = n.withSize(x, x.rank() - 1, n.index(values.size()),
                   "its values and the features of its input");
  if (n.failed())
    return failure();
  double missing = ofFloats ? n.floatAttr("replaced_value_float", 0)
                            : double(n.intAttr("replaced_value_int64", 0));
  Val replacement = ofFloats
                        ? n.constant(x.elem, {int64_t(values.size())}, values)
                        : n.constantInts(*intValues, x.elem);
  return n.out(n.map({x, replacement}, x.elem, [&](Args a) {
    Scalar isMissing = std::isnan(missing) ? ne(a[0], a[0]) : eq(a[0], missing);
    return select(isMissing, a[1], a[0]);
  }));
}

LogicalResult importOneHotEncoder(NodeBuilder &n) {
  Val x = n.in(0);
  std::optional<Val> categories = labels(n, "cats_int64s", "cats_strings");
  if (!categories)
    return failure();
  if ((x.elem == ElementType::String) !=
      (categories->elem == ElementType::String))
    return n.error("has categories of another kind than its input");
  if (x.elem != ElementType::String)
    x = n.cast(x, ElementType::Int64);
  int64_t count = categories->type().getNumElements();
  Ints places;
  for (int64_t i = 0; i < count; ++i)
    places.push_back(i);
  // -1: none.
  Val found =
      LibraryCall(n, "label_encoder")
          .setType("key_type", x.elem)
          .setType("value_type", ElementType::Int64)
          .sized(ElementType::Int64, n.dims(x))(
              {x, *categories, n.constantInts(places), n.constantInts({-1})});
  if (n.failed())
    return failure();
  bool mayBeUnknown = n.intAttr("zeros", 1) != 0;
  Sizes sizes = n.dims(x);
  sizes.push_back(n.index(count));
  return n.out(n.compute(sizes, ElementType::Float, [&](ScalarBuilder &s) {
    SmallVector<Scalar> at;
    for (int64_t i = 0; i < x.rank(); ++i)
      at.push_back(s.index(i));
    Scalar place = s.toIndex(s.element(found.value, found.elem, at));
    if (!mayBeUnknown)
      place = s.checkedIndex(place, n.index(count));
    mlir::Type f32 = s.builder.getF32Type();
    return select(eq(place, s.index(x.rank())), s.constant(f32, 1),
                  s.constant(f32, 0));
  }));
}

/// Columns of all inputs side by side, as f32; surplus columns of an input are
/// cut, and missing ones are 0.
LogicalResult importFeatureVectorizer(NodeBuilder &n) {
  std::optional<Ints> widths = n.intsAttr("inputdimensions");
  if (!widths || widths->size() != n.numInputs())
    return n.error("has not one of inputdimensions for each input");
  SmallVector<Val> parts;
  for (size_t i = 0; i < n.numInputs(); ++i) {
    Val x = n.in(i);
    int64_t width = (*widths)[i];
    if ((x.rank() != 1 && x.rank() != 2) || width < 0 ||
        !x.type().getElementType().isIntOrFloat())
      return n.error("takes matrices of numbers, and widths from 0");
    x = n.cast(x, ElementType::Float);
    if (x.rank() == 1) // a feature of each row
      x = n.unsqueeze(x, {1});
    std::optional<int64_t> columns = NodeBuilder::known(n.dim(x, 1));
    if (!columns)
      return n.error("needs a number of columns that is known of input " +
                     Twine(i));
    if (*columns != width)
      x = n.pad(x, n.host().constant(n.b.getF32Type(), 0).value, {0, 0},
                {0, width - *columns});
    parts.push_back(x);
  }
  return n.failed() ? failure() : n.out(n.concat(parts, 1));
}

//===- Maps ---------------------------------------------------------------===//

LogicalResult importZipMap(NodeBuilder &n) {
  std::optional<Val> keys =
      labels(n, "classlabels_int64s", "classlabels_strings");
  std::optional<Val> x = samples(n);
  if (!keys || !x)
    return failure();
  auto listOf = [&](Val v) {
    return RankedTensorType::get({ShapedType::kDynamic},
                                 v.type().getElementType());
  };
  mlir::Type map =
      hone::graph::MapType::get(n.b.getContext(), listOf(*keys), listOf(*x));
  return n.out(LibraryCall(n, "zip_map")
                   .setType("key_type", keys->elem)
                   .setType("type", x->elem)
                   .result(sequenceOf(map), x->elem)({*x, *keys}));
}

/// The element type of a map's keys; an error if the input is not a map.
ElementType keyType(NodeBuilder &n, Val v) {
  auto map = dyn_cast<hone::graph::MapType>(v.value.getType());
  if (!map) {
    n.fail("takes a map");
    return ElementType::Undefined;
  }
  return isa<hone::graph::StringType>(map.getKeys().getElementType())
             ? ElementType::String
             : ElementType::Int64;
}

LogicalResult importDictVectorizer(NodeBuilder &n) {
  Val map = n.in(0);
  std::optional<Val> keys = labels(n, "int64_vocabulary", "string_vocabulary");
  ElementType elem = keyType(n, map);
  if (!keys || n.failed())
    return failure();
  if (keys->elem != elem)
    return n.error("has a vocabulary of " + elementTypeName(keys->elem) +
                   " for keys of " + elementTypeName(elem));
  return n.out(
      LibraryCall(n, "dict_vectorizer")
          .setType("key_type", elem)
          .setType("type", map.elem)
          .sized(map.elem, {n.index(1), n.dim(*keys, 0)})({map, *keys}));
}

LogicalResult importCastMap(NodeBuilder &n) {
  Val map = n.in(0);
  ElementType key = keyType(n, map);
  if (n.failed())
    return failure();
  StringRef form = n.stringAttr("map_form", "DENSE"),
            target = n.stringAttr("cast_to", "TO_FLOAT");
  int64_t size = form == "SPARSE" ? n.intAttr("max_map", 1) : -1;
  if (key != ElementType::Int64 || (form != "DENSE" && form != "SPARSE") ||
      (form == "SPARSE" && size < 1))
    return n.error("takes a map with keys of int64, and a map_form that is "
                   "DENSE, or SPARSE with a max_map from 1");
  ElementType elem = target == "TO_FLOAT"    ? ElementType::Float
                     : target == "TO_STRING" ? ElementType::String
                     : target == "TO_INT64"  ? ElementType::Int64
                                             : ElementType::Undefined;
  if (elem == ElementType::Undefined)
    return n.error("has the cast_to '" + target +
                   "', which ONNX does not define");
  Val values = LibraryCall(n, "cast_map")
                   .setType("key_type", key)
                   .set("size", size)
                   .setType("type", map.elem)
                   .tensor(map.elem, {1, size})({map});
  if (n.failed() || map.elem == elem)
    return n.failed() ? failure() : n.out(values);
  if (map.elem != ElementType::String && elem != ElementType::String)
    return n.out(n.cast(values, elem));
  bool toText = elem == ElementType::String;
  return n.out(
      LibraryCall(n, toText ? "string_from_number" : "string_to_number")
          .setType("type", toText ? map.elem : elem)
          .sized(elem, n.dims(values))({values}));
}

} // namespace

void hone::onnx::addFeatures(OpTable &table) {
  table.setDomain("ai.onnx.ml");
  table.add("LabelEncoder", importLabelEncoder, 1);
  table.add("Normalizer", importNormalizer, 1);
  table.add("Scaler", importScaler, 1);
  table.add("Binarizer", importBinarizer, 1);
  table.add("ArrayFeatureExtractor", importFeatureExtractor, 2);
  table.add("Imputer", importImputer, 1);
  table.add("OneHotEncoder", importOneHotEncoder, 1);
  table.add("FeatureVectorizer", importFeatureVectorizer, 1, kVariadic);
  table.add("ZipMap", importZipMap, 1);
  table.addAny("DictVectorizer", importDictVectorizer, 1, 1, 1);
  table.addAny("CastMap", importCastMap, 1, 1, 1);
  table.setDomain("");
}
