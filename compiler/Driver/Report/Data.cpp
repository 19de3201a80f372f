// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the page of `--report` tells, as JSON. Numbers that are not known before
// a run are null.
#include "compiler/Driver/Report/Data.h"
#include "compiler/Driver/ModelTables.h"
#include "compiler/Driver/Tuning.h"
#include "compiler/Import/Onnx/OnnxImporter.h"
#include "compiler/Import/Onnx/Reader/Model.h"
#include "hone/abi.h"
#include "runtime/loader/ValueTypes.h"

using namespace mlir;
using namespace hone;
using llvm::json::Array;
using llvm::json::Object;

/// Names may be as long as a file.
static constexpr size_t kLongestText = 500;

/// A text of the model.
static std::string textOf(StringRef text) {
  if (text.size() <= kLongestText)
    return llvm::json::fixUTF8(text);
  size_t end = kLongestText;
  while (end > kLongestText - 4 && (text[end] & 0xc0) == 0x80)
    --end; // not inside of a character
  return llvm::json::fixUTF8(text.take_front(end)) + "…";
}

static Array textsOf(ArrayRef<std::string> texts) {
  Array array;
  for (const std::string &text : texts)
    array.push_back(textOf(text));
  return array;
}

static llvm::json::Value known(int64_t number) {
  return number < 0 ? llvm::json::Value(nullptr) : llvm::json::Value(number);
}

//===- Parts --------------------------------------------------------------===//

/// "float[n, 4]", "sequence(float[?])"
static std::string typeText(const ValueInfo &value, const ModelInfo &info) {
  auto nameOf = [](int32_t type) {
    return onnx::elementTypeName(static_cast<onnx::ElementType>(type));
  };
  std::string tensor = nameOf(value.type);
  tensor += shapeText(value, info.freeDims);
  return valueTypeText(tensor, value.kind, value.elementKind,
                       nameOf(value.keyType));
}

static Array valuesJson(ArrayRef<ValueInfo> values, const ModelInfo &info) {
  Array array;
  for (const ValueInfo &value : values)
    array.push_back(Object{{"name", textOf(value.name)},
                           {"type", textOf(typeText(value, info))},
                           {"has_default", value.defaultOffset.has_value()},
                           {"by_data", value.dataDependent}});
  return array;
}

static Object optionsJson(const CompileOptions &options) {
  Object dims, shapes;
  for (const auto &[name, size] : options.dims)
    dims[textOf(name)] = size;
  for (const auto &[name, shape] : options.shapes)
    shapes[textOf(name)] = Array(shape);
  return Object{{"model", textOf(options.input)},
                {"output", textOf(options.output)},
                {"target", textOf(options.target)},
                {"cpu", textOf(options.cpu)},
                {"gpu", textOf(options.gpu.value_or(""))},
                {"precision", textOf(options.precision)},
                {"threads", options.threads},
                {"tuned", textsOf(options.tuned)},
                {"dims", std::move(dims)},
                {"shapes", std::move(shapes)}};
}

static Object statsJson(const CompileStats &stats) {
  Array phases, arithmetic;
  for (const auto &[name, seconds] : stats.seconds)
    phases.push_back(Object{{"name", name}, {"seconds", seconds}});
  for (const auto &[level, summary] : stats.arithmetic)
    arithmetic.push_back(Object{{"level", level}, {"summary", summary}});
  return Object{{"phases", std::move(phases)},
                {"arithmetic", std::move(arithmetic)},
                {"kernels", stats.kernels},
                {"calls", stats.calls},
                {"device_kernels", stats.deviceKernels},
                {"arena_bytes", known(stats.arenaBytes)},
                {"lower_bound_bytes", known(stats.lowerBoundBytes)},
                {"device_arena_bytes", known(stats.deviceArenaBytes)},
                {"weight_bytes", stats.weightBytes},
                {"code_bytes", stats.codeBytes},
                {"library_bytes", stats.outputBytes},
                {"flop", known(stats.flop)},
                {"moved_bytes", known(stats.movedBytes)}};
}

//===- The run ------------------------------------------------------------===//

static llvm::json::Value stepNumber(int32_t step) { return known(step); }

static Object valueJson(const RunGraph::Value &value) {
  return Object{{"type", textOf(value.type)}, {"bytes", known(value.bytes)}};
}

static Array stepsJson(const ModelInfo &info, const RunGraph &graph) {
  Array steps;
  for (auto [step, flow] : llvm::zip(info.steps, graph.steps)) {
    Array constants;
    for (const RunGraph::Value &constant : flow.constants)
      constants.push_back(valueJson(constant));
    steps.push_back(Object{{"name", textOf(step.name)},
                           {"kernel", stepNumber(step.kernel)},
                           {"nodes", Array(step.nodes)},
                           {"inside", flow.inside},
                           {"constants", std::move(constants)}});
  }
  return steps;
}

static Array edgesJson(const RunGraph &graph) {
  Array edges;
  for (const RunGraph::Edge &edge : graph.edges) {
    Object object = valueJson(edge.value);
    for (auto [name, number] :
         {std::pair("from", edge.fromStep), std::pair("input", edge.fromInput),
          std::pair("to", edge.toStep), std::pair("output", edge.toOutput),
          std::pair("slot", edge.slot)})
      if (number >= 0)
        object[name] = number;
    edges.push_back(std::move(object));
  }
  return edges;
}

/// The slots that steps use. One whose size is not known has no offset.
static Array slotsJson(const ModelInfo &info, const RunGraph &graph) {
  Array slots;
  for (auto [number, slot] : llvm::enumerate(info.slots)) {
    const RunGraph::Slot &used = graph.slots[number];
    if (used.firstStep < 0)
      continue;
    slots.push_back(Object{{"slot", static_cast<int64_t>(number)},
                           {"first", used.firstStep},
                           {"last", used.lastStep},
                           {"writer", stepNumber(used.writer)},
                           {"type", textOf(used.type)},
                           {"bytes", known(slot.bytes)},
                           {"offset", known(slot.offset)},
                           {"device", slot.place != 0}});
  }
  return slots;
}

static Array remarksJson(ArrayRef<PassRemark> remarks, const ModelInfo &info) {
  llvm::StringMap<int64_t> numbers; // as the remarks name nodes
  for (auto [number, node] : llvm::enumerate(info.nodes)) {
    std::string text = "node '" + node.name + "'";
    if (!node.op.empty())
      text += " (" + node.op + ")";
    numbers.try_emplace(text, number);
  }
  constexpr const char *kinds[] = {"slow", "left", "done"};
  Array array;
  for (const PassRemark &remark : remarks) {
    Array nodes;
    for (const auto &[text, producer] : remark.nodes) {
      Object node;
      if (auto found = numbers.find(text); found != numbers.end())
        node["node"] = found->second;
      else
        node["text"] = textOf(text);
      if (!producer.empty())
        node["after"] = textOf(producer);
      nodes.push_back(std::move(node));
    }
    array.push_back(Object{{"kind", kinds[remark.kind]},
                           {"pass", remark.pass},
                           {"text", textOf(remark.text)},
                           {"work", remark.work},
                           {"nodes", std::move(nodes)}});
  }
  return array;
}

//===- All ----------------------------------------------------------------===//

void ReportData::readPlan(ModuleOp host) {
  graph = readRunGraph(host);
  // An .mlir file may have anything there.
  if (auto names = host->getAttrOfType<ArrayAttr>(onnx::kOpsetsAttr))
    for (Attribute entry : names)
      if (auto text = dyn_cast<StringAttr>(entry))
        opsets.push_back(text.str());
}

void ReportData::readCode(const KernelsResult &kernels, const ModelInfo &info) {
  code.resize(info.kernels.size());
  for (const KernelCode &part : kernels.code) {
    Array schedules, functions;
    if (part.report.schedules)
      for (auto schedule :
           part.report.schedules.getAsRange<graph::ScheduleAttr>())
        schedules.push_back(toJson(schedule));
    for (const FunctionResources &used : part.report.resources)
      functions.push_back(Object{{"chip", used.chip},
                                 {"registers", used.registers},
                                 {"shared_bytes", used.sharedBytes},
                                 {"spill_bytes", used.spillBytes}});
    code[part.kernel].push_back(
        Object{{"place", part.place},
               {"bytes", part.bytes},
               {"seconds", part.seconds},
               {"scratch_bytes", part.report.scratchBytes},
               {"arithmetic", part.report.arithmetic},
               {"schedules", std::move(schedules)},
               {"functions", std::move(functions)}});
  }
}

Object hone::reportJson(const CompileOptions &options,
                        const CompileStats &stats, const ModelInfo &info,
                        ArrayRef<PassRemark> remarks, ReportData data) {
  Array nodes, kernels;
  for (const NodeInfo &node : info.nodes)
    nodes.push_back(Array{textOf(node.name), textOf(node.op)});
  for (auto [kernel, code] : llvm::zip(info.kernels, data.code))
    kernels.push_back(Object{{"name", textOf(kernel.name)},
                             {"pieces", kernel.pieces},
                             {"flop", known(knownSum(kernel.flop))},
                             {"bytes", known(knownSum(kernel.bytes))},
                             {"code", std::move(code)}});
  return Object{{"name", textOf(info.name)},
                {"library", data.library.empty() ? llvm::json::Value(nullptr)
                                                 : data.library},
                {"producer", info.producer},
                {"opsets", textsOf(data.opsets)},
                {"metadata", textsOf(info.metadata)},
                {"options", optionsJson(options)},
                {"stats", statsJson(stats)},
                {"inputs", valuesJson(info.inputs, info)},
                {"outputs", valuesJson(info.outputs, info)},
                {"nodes", std::move(nodes)},
                {"kernels", std::move(kernels)},
                {"steps", stepsJson(info, data.graph)},
                {"edges", edgesJson(data.graph)},
                {"slots", slotsJson(info, data.graph)},
                {"remarks", remarksJson(remarks, info)}};
}
