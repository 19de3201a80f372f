// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The inputs and outputs of a model: their types, names and free dimensions.
#include "compiler/Import/Onnx/Builder/AnyRank.h"
#include "compiler/Import/Onnx/Builder/GraphImporter.h"
#include "compiler/Import/Onnx/Builder/PackedTypes.h"
#include "hone/abi.h"

#include "llvm/Support/JSON.h"

using namespace mlir;
using namespace hone::onnx;

/// Exporters also write "?" for an unknown dimension: two of these are two
/// sizes.
static bool isNameless(const Dimension &dimension) {
  return dimension.name.find_first_not_of("? ") == StringRef::npos;
}

std::string GraphImporter::freshDimName() {
  for (;;)
    if (std::string name = "?" + std::to_string(anonymousDims++);
        !givenDimNames.contains(name))
      return name;
}

void GraphImporter::giveShape(StringRef name, ArrayRef<int64_t> shape) {
  auto fail = [&](const Twine &why) {
    error("the input '" + name + "' cannot be given a shape: " + why);
  };
  auto input =
      llvm::find_if(model.graph.inputs, [&](const ValueInfo &candidate) {
        return candidate.name == name;
      });
  if (input == model.graph.inputs.end())
    return fail("the model has no such input");
  const TypeProto &type = input->type;
  if (type.kind != TypeKind::Tensor && type.kind != TypeKind::SparseTensor)
    return fail("it is not a tensor");
  if (type.hasShape && type.shape.size() != shape.size())
    return fail("it has " + Twine(type.shape.size()) + " dimensions, not " +
                Twine(shape.size()));
  if (!givenShapes.try_emplace(name, shape).second)
    return fail("it is given two");
  for (auto [i, dimension] : llvm::enumerate(type.shape)) {
    if (dimension.size >= 0 && dimension.size != shape[i])
      return fail("its dimension " + Twine(i) + " is " + Twine(dimension.size) +
                  ", not " + Twine(shape[i]));
    if (dimension.size >= 0 || isNameless(dimension))
      continue;
    int64_t size =
        givenSizes.try_emplace(dimension.name, shape[i]).first->second;
    if (size != shape[i])
      return fail("its dimension '" + dimension.name +
                  "' is also given the size " + Twine(size));
  }
}

void GraphImporter::checkDimOptions() {
  std::string known;
  for (const std::string &name : freeDims)
    known += (known.empty() ? "; it has '" : "', '") + name;
  known = known.empty() ? "; all its dimensions are fixed" : known + "'";
  SmallVector<StringRef> unknown;
  for (const auto &entry : options.dims)
    if (!freeDims.count(entry.getKey().str()) &&
        !(entry.getKey() == kNchwcBlock && foundNchwcBlock().used))
      unknown.push_back(entry.getKey());
  llvm::sort(unknown);
  for (StringRef name : unknown)
    error("the model's inputs have no free dimension '" + name + "'" + known);
}

const NchwcBlock &GraphImporter::foundNchwcBlock() {
  if (!channelBlock)
    channelBlock = findNchwcBlock(model.graph);
  return *channelBlock;
}

int64_t GraphImporter::nchwcBlock(std::string &problem) {
  const NchwcBlock &found = foundNchwcBlock();
  auto given = options.dims.find(kNchwcBlock);
  int64_t block = given != options.dims.end()     ? given->second
                  : found.maybe8 != found.maybe16 ? (found.maybe8 ? 8 : 16)
                                                  : 0;
  if (block == 8 ? found.maybe8 : block == 16 && found.maybe16)
    return block;
  bool open = found.maybe8 && found.maybe16 && block == 0;
  problem =
      open
          ? "is one of a model that does not say whether its blocks have 8 or "
            "16 channels, which the machine decided that saved it (16 with "
            "AVX-512): specify --dim nchwc_block=8 or 16, or save the "
            "model again with the optimization level 'extended'"
          : "is one of a model whose channels do not fit blocks of 8 or 16, or "
            "of the given nchwc_block";
  return 0;
}

mlir::Type GraphImporter::convertType(const TypeProto &type, ElementType &elem,
                                      SmallVectorImpl<Attribute> *dims,
                                      std::string &problem,
                                      ArrayRef<int64_t> given) {
  if (type.kind == TypeKind::SparseTensor && (!dims || !type.hasShape)) {
    problem = "is a sparse tensor, which is supported for constants, and for "
              "inputs that declare their shape";
    return {};
  }
  switch (type.kind) {
  case TypeKind::SparseTensor: // an input, given densely
  case TypeKind::Tensor: {
    elem = type.element;
    mlir::Type element = storageType(&context, elem);
    if (!element) {
      problem = "has element type " + elementTypeName(elem) +
                ", which is not supported";
      return {};
    }
    // An input, and the elements of a sequence, may have any rank.
    if (!type.hasShape && !dims)
      return UnrankedTensorType::get(element);
    if (!type.hasShape && isPacked(elem)) {
      problem = "has no shape and elements of " + elementTypeName(elem) +
                ", which is not supported; give it sizes";
      return {};
    }
    if (!type.hasShape)
      return anyRankOf(element);
    SmallVector<int64_t> shape;
    for (auto [i, dimension] : llvm::enumerate(type.shape)) {
      int64_t size = dimension.size;
      std::string name;
      if (size < 0 && dims) {
        name = isNameless(dimension) ? freshDimName() : dimension.name.str();
        freeDims.insert(name);
        if (auto it = givenSizes.find(name); it != givenSizes.end())
          size = it->second;
        else if (i < given.size())
          size = given[i];
      }
      shape.push_back(size < 0 ? ShapedType::kDynamic : size);
      if (!dims)
        continue;
      if (size >= 0)
        dims->push_back(builder.getI64IntegerAttr(size));
      else
        dims->push_back(builder.getStringAttr(name));
    }
    SmallVector<int64_t> fixed;
    for (int64_t size : shape)
      fixed.push_back(ShapedType::isDynamic(size) ? 1 : size);
    if (shape.size() > HONE_MAX_RANK) {
      problem = ("has " + Twine(shape.size()) + " dimensions; at most " +
                 Twine(HONE_MAX_RANK) + " are supported")
                    .str();
      return {};
    }
    if (elementCount(fixed) < 0 ||
        packedBytes(ElementType::Double, elementCount(fixed)) < 0) {
      problem = "is too large";
      return {};
    }
    return RankedTensorType::get(shape, element);
  }
  case TypeKind::Sequence:
  case TypeKind::Optional: {
    if (!type.inner) {
      problem = "has no element type";
      return {};
    }
    mlir::Type inner = convertType(*type.inner, elem, nullptr, problem);
    // A sequence may hold tensors of any rank: those are not known here.
    if (!inner)
      return {};
    if (type.kind == TypeKind::Sequence)
      return graph::SequenceType::get(&context, inner);
    return graph::OptionalType::get(&context, inner);
  }
  case TypeKind::None:
    problem = "has no type";
    return {};
  case TypeKind::Map: {
    // Keys have the element type of the map.
    elem = type.inner ? type.inner->element : ElementType::Undefined;
    bool isKnown = type.element == ElementType::Int64 ||
                   type.element == ElementType::String;
    if (!isKnown || !type.inner || type.inner->kind != TypeKind::Tensor ||
        !storageType(&context, elem)) {
      problem = "is a map of a kind that is not supported: keys are int64 or "
                "strings, values numbers or strings";
      return {};
    }
    auto listOf = [&](ElementType element) {
      return RankedTensorType::get({ShapedType::kDynamic},
                                   storageType(&context, element));
    };
    return graph::MapType::get(&context, listOf(type.element), listOf(elem));
  }
  case TypeKind::Opaque:
    problem = "is opaque, which is not supported";
    return {};
  }
  problem = "has an unknown type";
  return {};
}

/// In files of this version on, an initializer that is also an input is a
/// default value; before, every initializer had to be an input.
static constexpr int64_t kDefaultsFrom = 4;
/// Exporters still list all weights as inputs, which nobody means to pass in
/// each run, and which are faster as constants: larger ones are taken for such.
static constexpr uint64_t kMostDefaultBytes = 4096;

std::vector<const Tensor *> GraphImporter::chooseOverridable() {
  std::vector<const Tensor *> result;
  auto isUsable = [](const Tensor &tensor) {
    return tensor.type != ElementType::String && !isPacked(tensor.type);
  };
  if (options.overrides) {
    llvm::StringMap<const Tensor *> initializers;
    for (const Tensor &tensor : model.graph.initializers)
      initializers[tensor.name] = &tensor;
    llvm::StringSet<> asked;
    for (const std::string &name : *options.overrides) {
      const Tensor *tensor = initializers.lookup(name);
      if (!tensor)
        error("the model has no initializer '" + name + "' to override");
      else if (!isUsable(*tensor))
        error("the initializer '" + name + "' cannot be overridden: it is " +
              elementTypeName(tensor->type));
      asked.insert(name);
    }
    for (const Tensor &tensor : model.graph.initializers)
      if (asked.contains(tensor.name))
        result.push_back(&tensor);
    return result;
  }
  if (model.irVersion < kDefaultsFrom)
    return result;
  llvm::StringSet<> listed;
  for (const ValueInfo &input : model.graph.inputs)
    listed.insert(input.name);
  uint64_t bytes = 0;
  for (const Tensor &tensor : model.graph.initializers)
    if (listed.contains(tensor.name)) {
      bytes += tensor.data.size();
      if (isUsable(tensor))
        result.push_back(&tensor);
    }
  if (bytes > kMostDefaultBytes)
    result.clear();
  return result;
}

/// The declaration of a tensor of fixed sizes.
static ValueInfo infoOf(StringRef name, ElementType element,
                        ArrayRef<int64_t> sizes) {
  ValueInfo info;
  info.name = name;
  info.type.kind = TypeKind::Tensor;
  info.type.element = element;
  info.type.hasShape = true;
  for (int64_t size : sizes)
    info.type.shape.push_back({size, ""});
  return info;
}

static ValueInfo infoOf(const Tensor &tensor) {
  return infoOf(tensor.name, tensor.type, tensor.dims);
}

/// Whether a type's known sizes match the tensor.
static bool fits(RankedTensorType type, const Tensor &tensor) {
  return type && type.getRank() == static_cast<int64_t>(tensor.dims.size()) &&
         llvm::all_of(llvm::zip(type.getShape(), tensor.dims), [](auto sizes) {
           return ShapedType::isDynamic(std::get<0>(sizes)) ||
                  std::get<0>(sizes) == std::get<1>(sizes);
         });
}

void GraphImporter::importArgument(
    const ValueInfo &input, const Tensor *byDefault, Scope &scope,
    SmallVectorImpl<DictionaryAttr> &attributes) {
  std::string problem;
  if (!llvm::json::isUTF8(input.name))
    error("the name of the input '" + llvm::json::fixUTF8(input.name) +
          "' is not UTF-8 text");
  auto given = givenShapes.find(input.name);
  bool isGiven = given != givenShapes.end();
  if (isGiven && !input.type.hasShape)
    return importArgument(infoOf(input.name, input.type.element, given->second),
                          byDefault, scope, attributes);
  ElementType elem;
  SmallVector<Attribute> dims;
  mlir::Type type = convertType(input.type, elem, &dims, problem,
                                isGiven ? given->second : ArrayRef<int64_t>());
  ElementsAttr value;
  if (type && byDefault) {
    if (elem != byDefault->type ||
        !fits(dyn_cast<RankedTensorType>(type), *byDefault))
      problem = "has another type or shape than the initializer of its name";
    else
      value = constantElements(*byDefault, problem);
  }
  if (!type || !problem.empty()) {
    error("the input '" + input.name + "' " + problem);
    return;
  }
  if (input.type.kind == TypeKind::SparseTensor)
    warn("the input '" + input.name +
         "' is declared sparse; the library takes it as a dense tensor");
  auto tensor = dyn_cast<RankedTensorType>(type);
  bool packed = tensor && isPacked(elem);
  if (packed && !tensor.hasStaticShape()) {
    error("the input '" + input.name +
          "' has free dimensions and elements of " + elementTypeName(elem) +
          ", which is not supported; give it sizes");
    return;
  }
  if (packed)
    type = packedType(builder, tensor.getShape(), elem);
  BlockArgument argument =
      function.getBody().front().addArgument(type, builder.getUnknownLoc());
  NamedAttrList named;
  named.set("hone.name", builder.getStringAttr(input.name));
  named.set("hone.type", builder.getStringAttr(elementTypeName(elem)));
  if (isa<RankedTensorType>(type))
    named.set("hone.dims", builder.getArrayAttr(dims));
  if (isAnyRank(type) && input.type.kind == TypeKind::Tensor)
    named.set("hone.any_rank", builder.getUnitAttr());
  if (value)
    named.set("hone.default", value);
  attributes.push_back(named.getDictionary(&context));
  Value defined = argument;
  if (packed)
    defined = unpackElements(builder, builder.getUnknownLoc(), argument,
                             tensor.getShape(), elem);
  define(input.name, {defined, elem}, scope, "input");
}

LogicalResult GraphImporter::importArguments(Scope &scope) {
  for (const auto *values : {&model.graph.inputs, &model.graph.outputs})
    for (const ValueInfo &value : *values)
      for (const Dimension &dimension : value.type.shape)
        givenDimNames.insert(dimension.name);
  llvm::StringSet<> constants;
  for (const Tensor &tensor : model.graph.initializers)
    constants.insert(tensor.name);
  std::vector<const Tensor *> overridable = chooseOverridable();
  llvm::StringMap<const Tensor *> defaults;
  for (const Tensor *tensor : overridable)
    defaults[tensor->name] = tensor;
  for (const auto &entry : options.dims)
    givenSizes[entry.getKey()] = entry.second;
  for (const auto &[name, shape] : options.shapes)
    giveShape(name, shape);
  SmallVector<DictionaryAttr> attributes;
  for (const ValueInfo &input : model.graph.inputs) {
    const Tensor *byDefault = defaults.lookup(input.name);
    if (!byDefault && constants.contains(input.name))
      continue;
    if (byDefault && !input.type.hasShape)
      importArgument(infoOf(*byDefault), byDefault, scope, attributes);
    else
      importArgument(input, byDefault, scope, attributes);
  }
  for (const Tensor *tensor : overridable)
    if (!lookup(tensor->name, scope))
      importArgument(infoOf(*tensor), tensor, scope, attributes);
  checkDimOptions();
  Block &entry = function.getBody().front();
  function.setFunctionType(
      FunctionType::get(&context, entry.getArgumentTypes(), {}));
  function.setAllArgAttrs(attributes);
  return failure(hasErrors && entry.getNumArguments() == 0 &&
                 !model.graph.inputs.empty());
}

void GraphImporter::importReturn(Scope &scope) {
  llvm::StringSet<> inputNames;
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    if (auto dims = function.getArgAttrOfType<ArrayAttr>(i, "hone.dims"))
      for (Attribute dim : dims)
        if (auto name = dyn_cast<StringAttr>(dim))
          inputNames.insert(name.getValue());

  SmallVector<Value> values;
  SmallVector<DictionaryAttr> attributes;
  for (const ValueInfo &output : model.graph.outputs) {
    const Val *found = lookup(output.name, scope);
    if (!found || found->poisoned || !*found) {
      error("no node gives the output '" + output.name + "'");
      continue;
    }
    if (!llvm::json::isUTF8(output.name))
      error("the name of the output '" + llvm::json::fixUTF8(output.name) +
            "' is not UTF-8 text");
    const TypeProto *declared = &output.type;
    ElementType declaredElement = declared->element;
    if (declared->kind == TypeKind::Tensor &&
        declaredElement != ElementType::Undefined &&
        declaredElement != found->elem) {
      error("the output '" + output.name + "' is declared as " +
            elementTypeName(declaredElement) + " but computed as " +
            elementTypeName(found->elem));
      continue;
    }
    SmallVector<NamedAttribute> named;
    named.push_back(
        builder.getNamedAttr("hone.name", builder.getStringAttr(output.name)));
    named.push_back(builder.getNamedAttr(
        "hone.type", builder.getStringAttr(elementTypeName(found->elem))));
    if (found->isTensor()) {
      SmallVector<Attribute> dims;
      for (int64_t i = 0; i < found->rank(); ++i) {
        Size size =
            dimBuilder->dim(builder, builder.getUnknownLoc(), found->value, i);
        if (std::optional<int64_t> number = graph::DimBuilder::constant(size)) {
          dims.push_back(builder.getI64IntegerAttr(*number));
          continue;
        }
        if (auto dim = cast<Value>(size).getDefiningOp<graph::DimOp>()) {
          dims.push_back(dim.getNameAttr());
          continue;
        }
        // A name shared with inputs would claim that the sizes are equal.
        StringRef label;
        if (declared->hasShape &&
            declared->shape.size() == static_cast<size_t>(found->rank()) &&
            !isNameless(declared->shape[i]))
          label = declared->shape[i].name;
        bool usable = !label.empty() && !inputNames.contains(label);
        dims.push_back(
            builder.getStringAttr(usable ? label.str() : freshDimName()));
      }
      named.push_back(
          builder.getNamedAttr("hone.dims", builder.getArrayAttr(dims)));
    }
    // A tensor in the session; the model declares it as one.
    if (isAnyRank(found->value.getType()) &&
        declared->kind != TypeKind::Optional)
      named.push_back(
          builder.getNamedAttr("hone.any_rank", builder.getUnitAttr()));
    Value value = found->value;
    if (found->isTensor() && isPacked(found->elem)) {
      if (!found->isStatic()) {
        error("the output '" + output.name +
              "' has free dimensions and elements of " +
              elementTypeName(found->elem) + ", which is not supported");
        continue;
      }
      value =
          packElements(builder, builder.getUnknownLoc(), value, found->elem);
    }
    values.push_back(value);
    attributes.push_back(builder.getDictionaryAttr(named));
  }
  func::ReturnOp::create(builder, builder.getUnknownLoc(), values);
  function.setFunctionType(FunctionType::get(
      &context, function.getArgumentTypes(), TypeRange(ValueRange(values))));
  function.setAllResultAttrs(attributes);
}
