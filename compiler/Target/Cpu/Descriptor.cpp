// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The tables of a compiled model as constants. Their layout is asserted in
// abi.h and here.
#include "compiler/Target/Cpu/Descriptor.h"
#include "dialects/Rt/Rt.h"
#include "hone/custom.h"
#include "llvm/IR/Constants.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/Support/JSON.h"
#include "llvm/Transforms/Utils/ModuleUtils.h"

using namespace llvm;
using namespace hone;

std::string hone::kernelSymbol(StringRef kernel, size_t level) {
  return (kernel + ".l" + Twine(level)).str();
}

namespace {

class Builder {
public:
  explicit Builder(Module &module)
      : module(module), context(module.getContext()),
        ptr(PointerType::get(context, 0)) {}

  Constant *i16(int64_t value) {
    return ConstantInt::getSigned(Type::getInt16Ty(context), int16_t(value));
  }
  Constant *i32(int64_t value) {
    return ConstantInt::getSigned(Type::getInt32Ty(context), int32_t(value));
  }
  Constant *i64(int64_t value) {
    return ConstantInt::getSigned(Type::getInt64Ty(context), value);
  }
  Constant *null() { return ConstantPointerNull::get(ptr); }

  /// A private constant in memory; null for an empty table.
  Constant *global(Constant *value, StringRef name) {
    auto *made = new GlobalVariable(module, value->getType(), true,
                                    GlobalValue::PrivateLinkage, value, name);
    made->setUnnamedAddr(GlobalValue::UnnamedAddr::Global);
    return made;
  }
  /// Names come from files, but readers of the table may expect UTF-8.
  Constant *string(StringRef text) {
    return global(ConstantDataArray::getString(
                      context, json::isUTF8(text) ? text : json::fixUTF8(text)),
                  "text");
  }
  Constant *table(ArrayRef<Constant *> entries, StringRef name) {
    if (entries.empty())
      return null();
    return global(ConstantArray::get(ArrayType::get(entries.front()->getType(),
                                                    entries.size()),
                                     entries),
                  name);
  }
  Constant *strings(ArrayRef<std::string> texts, StringRef name,
                    bool emptyIsNull = false) {
    SmallVector<Constant *> entries;
    for (const std::string &text : texts)
      entries.push_back(text.empty() && emptyIsNull ? null() : string(text));
    return table(entries, name);
  }
  Constant *numbers(ArrayRef<int64_t> values, StringRef name) {
    SmallVector<Constant *> entries;
    for (int64_t value : values)
      entries.push_back(i64(value));
    return table(entries, name);
  }
  /// Offset of a text in the descriptor's texts; equal texts are shared.
  uint32_t text(StringRef text) {
    std::string clean = shortened(
        (json::isUTF8(text) ? text.str() : json::fixUTF8(text)).c_str());
    auto [place, isNew] = places.try_emplace(clean, texts.size());
    if (isNew)
      texts.append(clean.c_str(), clean.size() + 1);
    return place->second;
  }
  /// The texts so far.
  Constant *allTexts() {
    return global(ConstantDataArray::getString(context, texts), "texts");
  }

  /// A structure whose size must match the C structure.
  Constant *structure(ArrayRef<Constant *> fields, size_t size) {
    Constant *value = ConstantStruct::getAnon(fields);
    assert(module.getDataLayout().getTypeAllocSize(value->getType()) == size &&
           "differs from abi.h");
    return value;
  }
  Constant *function(StringRef name, FunctionType *type) {
    auto *made =
        cast<Function>(module.getOrInsertFunction(name, type).getCallee());
    made->setVisibility(GlobalValue::HiddenVisibility);
    return made;
  }

  Constant *values(ArrayRef<ValueInfo> infos, StringRef name) {
    SmallVector<Constant *> entries;
    for (const ValueInfo &info : infos)
      entries.push_back(
          structure({string(info.name), numbers(info.dims, "dims"),
                     strings(info.dimNames, "dim_names", true), i32(info.kind),
                     i32(info.type), i32(info.rank), i32(info.elementKind),
                     i32(info.keyType), i32(-1), i32(info.places),
                     i32(info.defaultOffset.has_value()),
                     i64(info.defaultOffset.value_or(0)),
                     numbers(info.defaultDims, "default_dims")},
                    sizeof(hone_value_info)));
    return table(entries, name);
  }

  /// A variable of the core or of a linked object; only its address matters.
  Constant *external(StringRef name) {
    auto *made = cast<GlobalVariable>(
        module.getOrInsertGlobal(name, Type::getInt8Ty(context)));
    made->setVisibility(GlobalValue::HiddenVisibility);
    return made;
  }
  /// Functions are numbered across all kernels.
  Constant *device(const DeviceInfo &info, FunctionType *kernelType) {
    SmallVector<Constant *> images, stubs;
    SmallVector<int64_t> firstFunction = {0};
    std::vector<std::string> functions;
    for (const DeviceKernelInfo &kernel : info.kernels) {
      append_range(functions, kernel.functions);
      for (const ImageInfo &image : kernel.images)
        images.push_back(
            structure({string(image.chip), external(image.symbol),
                       i64(image.bytes), i32(image.kind), i32(0),
                       i64(firstFunction.back()), i64(functions.size())},
                      sizeof(hone_device_image)));
      firstFunction.push_back(functions.size());
    }
    for (const DeviceKernelInfo &kernel : info.kernels)
      stubs.push_back(kernel.stub.empty() ? null()
                                          : function(kernel.stub, kernelType));
    return global(structure({string(info.driver), table(images, "images"),
                             i64(images.size()), table(stubs, "stubs"),
                             numbers(firstFunction, "first_function"),
                             strings(functions, "device_functions"),
                             external("hone_rt_device_api")},
                            sizeof(hone_device)),
                  "device");
  }

  Constant *attributes(ArrayRef<CustomAttributeInfo> infos) {
    SmallVector<Constant *> entries;
    for (const CustomAttributeInfo &info : infos) {
      SmallVector<Constant *> values;
      for (int64_t value : info.ints)
        values.push_back(i64(value));
      for (float value : info.floats)
        values.push_back(ConstantFP::get(context, APFloat(value)));
      // Bytes, whatever they are.
      for (const std::string &text : info.strings)
        values.push_back(structure(
            {global(ConstantDataArray::getString(context, text), "text"),
             i64(text.size())},
            sizeof(hone_string)));
      entries.push_back(structure({string(info.name), table(values, "values"),
                                   i64(values.size()), i32(info.kind), i32(0)},
                                  sizeof(hone_attribute)));
    }
    return table(entries, "attributes");
  }

  Constant *nodes(ArrayRef<NodeInfo> infos) {
    SmallVector<Constant *> entries;
    for (const NodeInfo &node : infos)
      entries.push_back(structure({i32(text(node.name)), i32(text(node.op))},
                                  sizeof(hone_node)));
    return table(entries, "nodes");
  }
  /// The steps, and the nodes of all of them.
  std::pair<Constant *, Constant *> steps(ArrayRef<StepInfo> infos) {
    SmallVector<Constant *> entries, nodes;
    for (const StepInfo &step : infos) {
      entries.push_back(
          structure({i32(text(step.name)), i32(step.kernel), i32(nodes.size()),
                     i16(step.nodes.size()), i16(step.kind)},
                    sizeof(hone_step)));
      for (uint32_t node : step.nodes)
        nodes.push_back(i32(node));
    }
    return {table(entries, "steps"), table(nodes, "step_nodes")};
  }

  /// The work of each kernel, and the terms of all of them.
  std::pair<Constant *, Constant *> work(ArrayRef<KernelInfo> kernels) {
    SmallVector<Constant *> entries, terms;
    for (const KernelInfo &kernel : kernels) {
      Constant *first = i32(terms.size());
      Constant *flop = addTerms(kernel.flop, terms);
      Constant *bytes = addTerms(kernel.bytes, terms);
      entries.push_back(structure({first, flop, bytes}, sizeof(hone_work)));
    }
    return {table(entries, "kernel_work"), table(terms, "work_terms")};
  }

  Module &module;
  LLVMContext &context;
  PointerType *ptr;

private:
  /// Long names with their middle omitted, so that a table of thousands stays
  /// small.
  static std::string shortened(std::string text) {
    constexpr size_t longest = 200, half = 96;
    if (text.size() <= longest)
      return text;
    text = text.substr(0, half) + "..." + text.substr(text.size() - half);
    return json::fixUTF8(text); // a character was cut in half
  }

  /// Appends the terms and returns their number, or -1 if they are unknown or
  /// do not fit in the table.
  Constant *addTerms(const WorkTerms &sum, SmallVectorImpl<Constant *> &terms) {
    auto fits = [](ArrayRef<int64_t> term) {
      return term.size() <= 1 + HONE_TERM_NUMBERS &&
             all_of(term.drop_front(),
                    [](int64_t number) { return isInt<16>(number); });
    };
    if (!sum || !isInt<16>(sum->size()) || !all_of(*sum, fits))
      return i16(-1);
    for (ArrayRef<int64_t> term : *sum) {
      SmallVector<int16_t> numbers(term.drop_front());
      numbers.resize(HONE_TERM_NUMBERS, -1);
      terms.push_back(structure(
          {i64(term.front()),
           ConstantDataArray::get(
               context,
               ArrayRef(reinterpret_cast<const uint16_t *>(numbers.data()),
                        numbers.size()))},
          sizeof(hone_term)));
    }
    return i16(sum->size());
  }

  std::string texts;
  StringMap<uint32_t> places;
};

} // namespace

void hone::addDescriptor(Module &module, const ModelInfo &info) {
  Builder b(module);
  FunctionType *kernelType =
      FunctionType::get(Type::getInt32Ty(b.context),
                        {b.ptr, b.ptr, Type::getInt64Ty(b.context),
                         Type::getInt64Ty(b.context), b.ptr},
                        false);
  SmallVector<Constant *> levels, slots;
  SmallVector<int64_t> offsets, pieces;
  for (const KernelInfo &kernel : info.kernels)
    pieces.push_back(kernel.pieces);
  for (auto [index, level] : enumerate(info.levels)) {
    SmallVector<Constant *> kernels, arithmetic;
    for (const std::string &text : level.arithmetic)
      arithmetic.push_back(b.i32(b.text(text)));
    for (const KernelInfo &kernel : info.kernels)
      kernels.push_back(
          kernel.onCpu
              ? b.function(kernelSymbol(kernel.name, index), kernelType)
              : b.null());
    levels.push_back(
        b.structure({b.string(level.name), b.i64(level.features),
                     b.table(kernels, "kernels"), b.i64(level.scratchBytes),
                     b.table(arithmetic, "arithmetic")},
                    sizeof(hone_level)));
  }
  for (const SlotInfo &slot : info.slots) {
    slots.push_back(
        b.structure({b.i32(slot.first), b.i32(slot.last), b.i32(slot.alignment),
                     b.i32(slot.place), b.i64(slot.bytes)},
                    sizeof(hone_slot)));
    offsets.push_back(slot.offset);
  }
  bool planned = info.arena.bytes >= 0;
  // Without slots there is nothing to plan, but the table must say that it was
  // planned.
  if (planned && offsets.empty())
    offsets.push_back(0);
  Constant *weights = b.null();
  if (info.weightBytes && info.weightsFile.empty()) {
    weights = b.external(kWeightsSymbol);
  }

  auto [steps, stepNodes] = b.steps(info.steps);
  auto [work, workTerms] = b.work(info.kernels);
  Constant *nodes = b.nodes(info.nodes);
  Constant *descriptor = b.structure(
      {b.i32(HONE_ABI_VERSION),
       b.i32(sizeof(hone_descriptor)),
       b.string(info.name),
       b.string(info.producer),
       b.external("hone_rt_api"),
       module.getFunction("hone_prepare"),
       module.getFunction("hone_run"),
       b.values(info.inputs, "inputs"),
       b.values(info.outputs, "outputs"),
       b.i32(info.inputs.size()),
       b.i32(info.outputs.size()),
       b.strings(info.freeDims, "free_dims"),
       b.i64(info.freeDims.size()),
       b.table(slots, "slots"),
       planned ? b.numbers(offsets, "slot_offsets") : b.null(),
       b.i64(info.slots.size()),
       b.i64(info.arena.bytes),
       b.i64(info.arena.lowerBoundBytes),
       weights,
       b.i64(info.weightBytes),
       info.weightsFile.empty() ? b.null() : b.string(info.weightsFile),
       b.table(levels, "levels"),
       b.i64(info.levels.size()),
       b.i64(info.kernels.size()),
       b.numbers(pieces, "pieces"),
       b.allTexts(),
       nodes,
       b.i64(info.nodes.size()),
       b.i32(info.memory),
       b.i32(info.plan),
       info.device ? b.device(*info.device, kernelType) : b.null(),
       b.i64(info.deviceArena.bytes),
       b.i64(info.deviceArena.lowerBoundBytes),
       b.i64(info.weightsChecksum),
       steps,
       b.i64(info.steps.size()),
       stepNodes,
       work,
       workTerms,
       b.strings(info.metadata, "metadata"),
       b.i64(info.metadata.size() / 2)},
      sizeof(hone_descriptor));
  Constant *global = b.global(descriptor, "descriptor");

  auto *entry =
      Function::Create(FunctionType::get(b.ptr, false),
                       GlobalValue::ExternalLinkage, info.symbol, module);
  IRBuilder<> code(BasicBlock::Create(b.context, "", entry));
  code.CreateRet(global);
  for (StringRef name : {"hone_prepare", "hone_run"})
    module.getFunction(name)->setVisibility(GlobalValue::HiddenVisibility);
}

void hone::addCustomNodes(Module &module, const ModelInfo &info) {
  Builder b(module);
  for (auto [number, node] : enumerate(info.customNodes)) {
    GlobalVariable *declared =
        module.getGlobalVariable(rt::customNodeName(number));
    if (!declared) // its node has been removed
      continue;
    SmallVector<Constant *> types;
    for (int32_t type : node.types)
      types.push_back(b.i32(type));
    Constant *defined = b.global(
        b.structure({node.isLinked ? b.external(kCustomSymbol) : b.null(),
                     b.string(node.domain), b.string(node.name),
                     b.i64(node.version), b.attributes(node.attributes),
                     b.table(types, "types"), b.i64(node.attributes.size())},
                    sizeof(hone_custom_node)),
        "custom_node");
    declared->replaceAllUsesWith(defined);
    declared->eraseFromParent();
  }
}

void hone::addSeal(Module &module, const ModelInfo &info) {
  Builder b(module);
  auto text = [&](StringRef text, size_t size) {
    SmallVector<char> bytes(text.begin(), text.end());
    bytes.resize(size);
    return ConstantDataArray::get(b.context, ArrayRef<char>(bytes));
  };
  Constant *note = b.structure(
      {b.i32(sizeof(hone_seal_note::name)), b.i32(sizeof(hone_seal)),
       b.i32(HONE_SEAL_TYPE),
       text(HONE_SEAL_NAME, sizeof(hone_seal_note::name)),
       b.structure({b.i32(HONE_ABI_VERSION), b.i32(0), b.i64(0), b.i64(0),
                    b.i64(0), text(info.symbol, sizeof(hone_seal::symbol))},
                   sizeof(hone_seal))},
      sizeof(hone_seal_note));
  auto *global = cast<GlobalVariable>(b.global(note, "seal"));
  global->setSection(HONE_SEAL_SECTION);
  appendToCompilerUsed(module, {global});
}
