// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The contents of a model's descriptor, read from the attributes of its planned
// host module.
#include "compiler/Driver/ModelTables.h"
#include "compiler/Import/Onnx/OnnxImporter.h"
#include "dialects/Graph/Graph.h"
#include "dialects/Rt/Rt.h"
#include "hone/custom.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace hone;

int32_t hone::elementTypeCode(StringRef name) {
  return llvm::StringSwitch<int32_t>(name)
      .Case("float", HONE_TYPE_FLOAT)
      .Case("uint8", HONE_TYPE_UINT8)
      .Case("int8", HONE_TYPE_INT8)
      .Case("uint16", HONE_TYPE_UINT16)
      .Case("int16", HONE_TYPE_INT16)
      .Case("int32", HONE_TYPE_INT32)
      .Case("int64", HONE_TYPE_INT64)
      .Case("string", HONE_TYPE_STRING)
      .Case("bool", HONE_TYPE_BOOL)
      .Case("float16", HONE_TYPE_FLOAT16)
      .Case("double", HONE_TYPE_DOUBLE)
      .Case("uint32", HONE_TYPE_UINT32)
      .Case("uint64", HONE_TYPE_UINT64)
      .Case("complex64", HONE_TYPE_COMPLEX64)
      .Case("complex128", HONE_TYPE_COMPLEX128)
      .Case("bfloat16", HONE_TYPE_BFLOAT16)
      .Case("float8e4m3fn", HONE_TYPE_FLOAT8E4M3FN)
      .Case("float8e4m3fnuz", HONE_TYPE_FLOAT8E4M3FNUZ)
      .Case("float8e5m2", HONE_TYPE_FLOAT8E5M2)
      .Case("float8e5m2fnuz", HONE_TYPE_FLOAT8E5M2FNUZ)
      .Case("uint4", HONE_TYPE_UINT4)
      .Case("int4", HONE_TYPE_INT4)
      .Case("float4e2m1", HONE_TYPE_FLOAT4E2M1)
      .Case("float8e8m0", HONE_TYPE_FLOAT8E8M0)
      .Case("uint2", HONE_TYPE_UINT2)
      .Case("int2", HONE_TYPE_INT2)
      .Default(HONE_TYPE_UNDEFINED);
}

/// The kind of what is in a sequence or optional, or of a value itself.
static int32_t kindIn(Type type, ValueInfo &info) {
  auto map = dyn_cast<graph::MapType>(type);
  if (!map)
    return HONE_KIND_TENSOR;
  info.keyType = isa<graph::StringType>(map.getKeys().getElementType())
                     ? HONE_TYPE_STRING
                     : HONE_TYPE_INT64;
  return HONE_KIND_MAP;
}

/// The tensor type inside a value's type, none for maps, and the kinds around
/// it.
static RankedTensorType tensorIn(Type type, ValueInfo &info) {
  info.kind = kindIn(type, info);
  info.elementKind = HONE_KIND_NONE;
  if (auto optional = dyn_cast<graph::OptionalType>(type)) {
    info.kind = HONE_KIND_OPTIONAL;
    type = optional.getElementType();
    info.elementKind =
        isa<graph::SequenceType>(type) ? HONE_KIND_SEQUENCE : HONE_KIND_TENSOR;
    if (auto sequence = dyn_cast<graph::SequenceType>(type))
      type = sequence.getElementType();
  } else if (auto sequence = dyn_cast<graph::SequenceType>(type)) {
    info.kind = HONE_KIND_SEQUENCE;
    type = sequence.getElementType();
    info.elementKind = kindIn(type, info);
  }
  return dyn_cast<RankedTensorType>(type);
}

static ValueInfo readValue(DictionaryAttr attrs,
                           const llvm::StringMap<int64_t> &freeDims,
                           bool isInput) {
  ValueInfo info;
  if (auto name = attrs.getAs<StringAttr>(rt::kNameAttr))
    info.name = name.getValue().str();
  if (auto type = attrs.getAs<StringAttr>(rt::kTypeAttr))
    info.type = elementTypeCode(type.getValue());
  if (auto offset = attrs.getAs<IntegerAttr>(rt::kDefaultOffsetAttr)) {
    info.defaultOffset = offset.getInt();
    ArrayRef<int64_t> dims =
        attrs.getAs<ElementsAttr>(rt::kDefaultAttr).getShapedType().getShape();
    info.defaultDims.assign(dims.begin(), dims.end());
  }
  RankedTensorType tensor =
      tensorIn(attrs.getAs<TypeAttr>("type").getValue(), info);
  if (attrs.contains(rt::kAnyRankAttr)) {
    info.kind = HONE_KIND_TENSOR;
    info.elementKind = HONE_KIND_NONE;
  }
  if (!tensor) {
    info.rank = -1;
    return info;
  }
  auto labels = attrs.getAs<ArrayAttr>(rt::kDimsAttr);
  if (auto packed = rt::packedShape(attrs);
      packed && info.kind == HONE_KIND_TENSOR) {
    info.rank = packed->size();
    info.dims.assign(packed->begin(), packed->end());
    return info;
  }
  info.rank = tensor.getRank();
  bool named = false;
  for (int64_t i = 0; i < tensor.getRank(); ++i) {
    auto label = labels && i < int64_t(labels.size())
                     ? dyn_cast<StringAttr>(labels[i])
                     : StringAttr();
    std::string name = label ? label.getValue().str() : "";
    auto free = freeDims.find(name);
    if (!tensor.isDynamicDim(i))
      info.dims.push_back(tensor.getDimSize(i));
    else if (isInput && info.kind == HONE_KIND_TENSOR && free != freeDims.end())
      info.dims.push_back(HONE_DIM_FREE(free->second));
    else
      info.dims.push_back(HONE_DIM_UNKNOWN);
    // Names that the importer generated are not labels.
    info.dimNames.push_back(StringRef(name).starts_with("?") ? "" : name);
    named |= !info.dimNames.back().empty();
  }
  if (!named)
    info.dimNames.clear();
  return info;
}

/// Where inputs and outputs are read and written.
static void readPlaces(func::FuncOp run, ModelInfo &info) {
  for (ValueInfo &value : info.inputs)
    value.places = 0;
  run.walk([&](Operation *op) {
    auto bit = [](Value value) {
      return 1 << (rt::isOnDevice(value.getType()) ? HONE_PLACE_DEVICE
                                                   : HONE_PLACE_HOST);
    };
    if (auto input = dyn_cast<rt::InputOp>(op))
      info.inputs[input.getIndex()].places |= bit(input.getResult());
    else if (auto output = dyn_cast<rt::OutputOp>(op))
      info.outputs[output.getIndex()].places = bit(output.getResult());
  });
  for (ValueInfo &value : info.inputs)
    if (value.places == 0) // nothing reads it
      value.places = 1 << HONE_PLACE_HOST;
}

/// Whether equal dimensions always give the device the same work: the host
/// neither reads nor computes data.
static bool isStaticPlan(func::FuncOp run, ModuleOp host) {
  SymbolTable symbols(host);
  auto isHostWork = [&](Operation *op) {
    if (auto dispatch = dyn_cast<rt::DispatchOp>(op))
      return !symbols.lookup(dispatch.getKernel())->hasAttr(rt::kDeviceAttr);
    if (auto copy = dyn_cast<rt::CopyOp>(op))
      return !rt::isOnDevice(copy.getSource().getType()) ||
             !rt::isOnDevice(copy.getTarget().getType());
    return isa<rt::AllocOp, rt::CheckOp, rt::LibraryOp, rt::LoadOp,
               rt::SetOutputOp, rt::StoreOp>(op);
  };
  return !run.walk([&](Operation *op) {
               return isHostWork(op) ? WalkResult::interrupt()
                                     : WalkResult::advance();
             })
              .wasInterrupted();
}

std::vector<DefaultValue> hone::defaultValues(ModuleOp host) {
  std::vector<DefaultValue> values;
  auto run = host.lookupSymbol<func::FuncOp>(rt::kRunName);
  for (Attribute input : run->getAttrOfType<ArrayAttr>("hone.inputs")) {
    auto attrs = cast<DictionaryAttr>(input);
    if (auto offset = attrs.getAs<IntegerAttr>(rt::kDefaultOffsetAttr))
      values.push_back(
          {offset.getInt(), attrs.getAs<ElementsAttr>(rt::kDefaultAttr)});
  }
  return values;
}

static WorkTerms readTerms(func::FuncOp kernel, StringRef name) {
  auto attr = kernel->getAttrOfType<ArrayAttr>(name);
  if (!attr)
    return std::nullopt;
  WorkTerms terms(std::in_place);
  for (auto term : attr.getAsRange<DenseI64ArrayAttr>())
    terms->push_back(term.asArrayRef().vec());
  return terms;
}

/// Needs the kernels.
static void readSteps(ModuleOp host, ModelInfo &info) {
  auto steps = host->getAttrOfType<ArrayAttr>(rt::kStepsAttr);
  if (!steps)
    return;
  llvm::StringMap<int32_t> kernels;
  for (auto [number, kernel] : llvm::enumerate(info.kernels))
    kernels[kernel.name] = number;
  for (auto attr : steps.getAsRange<ArrayAttr>()) {
    StepInfo &step = info.steps.emplace_back();
    if (auto kernel = dyn_cast<FlatSymbolRefAttr>(attr[0])) {
      step.kind = HONE_STEP_KERNEL;
      step.name = kernel.getValue().str();
      step.kernel = kernels.lookup(kernel.getValue());
    } else if (auto function = dyn_cast<StringAttr>(attr[0])) {
      step.kind = HONE_STEP_LIBRARY;
      step.name = function.getValue().str();
    } else {
      step.kind = HONE_STEP_COPY;
      step.name = "copy";
    }
    for (int64_t node : cast<DenseI64ArrayAttr>(attr[1]).asArrayRef())
      step.nodes.push_back(node);
  }
}

static NodeInfo readNode(Attribute attr) {
  NodeInfo info;
  if (auto node = dyn_cast<NameLoc>(attr)) {
    info.name = node.getName().getValue().str();
    if (auto op = dyn_cast<NameLoc>(node.getChildLoc()))
      info.op = op.getName().getValue().str();
  }
  return info;
}

std::string hone::shapeText(const ValueInfo &value,
                            ArrayRef<std::string> freeDims) {
  if (value.rank < 0)
    return "[any rank]";
  std::string text = "[";
  for (int32_t i = 0; i < value.rank; ++i) {
    int64_t dim = value.dims[i];
    text += i ? ", " : "";
    if (dim >= 0)
      text += std::to_string(dim);
    else if (dim != HONE_DIM_UNKNOWN)
      text += freeDims[HONE_DIM_FREE_INDEX(dim)];
    else
      text += i < int32_t(value.dimNames.size()) && !value.dimNames[i].empty()
                  ? value.dimNames[i]
                  : "?";
  }
  return text + "]";
}

int64_t hone::knownSum(const WorkTerms &terms) {
  if (!terms)
    return -1;
  int64_t sum = 0;
  for (const std::vector<int64_t> &term : *terms)
    if (term.size() > 1 || llvm::AddOverflow(sum, term.front(), sum))
      return -1;
  return sum;
}

static CustomAttributeInfo readCustomAttribute(NamedAttribute attr) {
  CustomAttributeInfo info;
  info.name = attr.getName().str();
  if (auto ints = dyn_cast<DenseI64ArrayAttr>(attr.getValue())) {
    info.kind = HONE_ATTRIBUTE_INTS;
    info.ints = ints.asArrayRef().vec();
  } else if (auto floats = dyn_cast<DenseF32ArrayAttr>(attr.getValue())) {
    info.kind = HONE_ATTRIBUTE_FLOATS;
    info.floats = floats.asArrayRef().vec();
  } else {
    info.kind = HONE_ATTRIBUTE_STRINGS;
    for (auto text : cast<ArrayAttr>(attr.getValue()).getAsRange<StringAttr>())
      info.strings.push_back(text.str());
  }
  return info;
}

static CustomNodeInfo readCustomNode(DictionaryAttr node) {
  CustomNodeInfo info;
  info.domain = node.getAs<StringAttr>("domain").str();
  info.name = node.getAs<StringAttr>("name").str();
  info.version = node.getAs<IntegerAttr>("version").getInt();
  info.isLinked = node.contains("linked");
  info.types = node.getAs<DenseI32ArrayAttr>("types").asArrayRef().vec();
  for (NamedAttribute attr : node.getAs<DictionaryAttr>("attributes"))
    info.attributes.push_back(readCustomAttribute(attr));
  return info;
}

ModelInfo hone::readModelInfo(ModuleOp host) {
  ModelInfo info;
  auto strings = [&](StringRef name, std::vector<std::string> &out) {
    if (auto array = host->getAttrOfType<ArrayAttr>(name))
      for (Attribute entry : array)
        out.push_back(cast<StringAttr>(entry).getValue().str());
  };
  strings(rt::kFreeDimsAttr, info.freeDims);
  // An .mlir file may have anything there.
  if (auto metadata = host->getAttrOfType<ArrayAttr>(onnx::kMetadataAttr))
    for (Attribute entry : metadata)
      if (auto text = dyn_cast<StringAttr>(entry))
        info.metadata.push_back(text.str());
  if (auto nodes = host->getAttrOfType<ArrayAttr>(rt::kNodesAttr))
    for (Attribute node : nodes)
      info.nodes.push_back(readNode(node));
  llvm::StringMap<int64_t> freeDims;
  for (auto [i, name] : llvm::enumerate(info.freeDims))
    freeDims[name] = i;
  auto run = host.lookupSymbol<func::FuncOp>(rt::kRunName);
  for (Attribute input : run->getAttrOfType<ArrayAttr>("hone.inputs"))
    info.inputs.push_back(
        readValue(cast<DictionaryAttr>(input), freeDims, true));
  for (Attribute output : run->getAttrOfType<ArrayAttr>("hone.outputs"))
    info.outputs.push_back(
        readValue(cast<DictionaryAttr>(output), freeDims, false));
  if (auto known = run->getAttrOfType<DenseBoolArrayAttr>("hone.known_outputs"))
    for (auto [output, isKnown] : llvm::zip(info.outputs, known.asArrayRef()))
      output.dataDependent = !isKnown;
  if (auto slots = host->getAttrOfType<ArrayAttr>(rt::kSlotsAttr))
    for (Attribute attr : slots) {
      auto slot = cast<DenseI64ArrayAttr>(attr);
      info.slots.push_back({int32_t(slot[0]), int32_t(slot[1]), slot[2],
                            slot[3], int32_t(slot[4])});
    }
  if (auto arena = host->getAttrOfType<DenseI64ArrayAttr>(rt::kArenaAttr)) {
    info.arena = {arena[0], arena[1]};
    info.deviceArena = {arena[2], arena[3]};
  }
  if (auto bytes = host->getAttrOfType<IntegerAttr>(rt::kWeightBytesAttr))
    info.weightBytes = bytes.getInt();
  if (auto memory = host->getAttrOfType<IntegerAttr>(rt::kMemoryAttr))
    info.memory = memory.getInt();
  readPlaces(run, info);
  info.plan = isStaticPlan(run, host) ? HONE_PLAN_STATIC : 0;
  for (auto kernel : host.getOps<func::FuncOp>())
    if (kernel->hasAttr(rt::kKernelAttr)) {
      auto pieces = kernel->getAttrOfType<IntegerAttr>(rt::kPiecesAttr);
      info.kernels.push_back({kernel.getSymName().str(),
                              pieces ? pieces.getInt() : 1,
                              readTerms(kernel, rt::kFlopAttr),
                              readTerms(kernel, rt::kBytesAttr)});
    }
  readSteps(host, info);
  if (auto nodes = host->getAttrOfType<ArrayAttr>(rt::kCustomAttr))
    for (auto node : nodes.getAsRange<DictionaryAttr>())
      info.customNodes.push_back(readCustomNode(node));
  return info;
}
