// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Walks the graphs of a model: scopes, subgraphs, model-local functions.
#include "compiler/Import/Onnx/Builder/GraphImporter.h"
#include "compiler/Import/Onnx/Builder/AnyRank.h"
#include "compiler/Import/Onnx/Builder/CustomOperators.h"
#include "compiler/Import/Onnx/Builder/NodeOrder.h"
#include "compiler/Import/Onnx/Builder/OpTable.h"
#include "dialects/Rt/Rt.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/SaveAndRestore.h"

using namespace mlir;
using namespace hone::onnx;

/// Erases unused shape arithmetic and constants.
static void eraseDead(Region &region) {
  for (Block &block : llvm::reverse(region))
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block))) {
      for (Region &nested : op.getRegions())
        eraseDead(nested);
      if (isOpTriviallyDead(&op))
        op.erase();
    }
}

/// Functions may call functions and graphs may nest graphs; a small file must
/// not cause unbounded work.
static constexpr int kMaxDepth = 100;
static constexpr int64_t kMaxNodes = 2'000'000;
/// Limits on inlining: a multiple of the file's nodes, with an allowance for
/// small files.
static constexpr int64_t kMaxInlining = 64, kFreeNodes = 20'000;
static constexpr unsigned kMaxMessages = 50;

GraphImporter::GraphImporter(MLIRContext &context, const Model &model,
                             StringRef file, const ImportOptions &options,
                             std::shared_ptr<llvm::MemoryBuffer> bytes)
    : builder(&context), context(context), model(model), file(file),
      options(options), bytes(std::move(bytes)) {}

void GraphImporter::error(const Twine &message, ArrayRef<std::string> notes) {
  hasErrors = true;
  if (++reported > kMaxMessages)
    return;
  InFlightDiagnostic diagnostic = emitError(UnknownLoc::get(&context))
                                  << file << ": " << message;
  for (const std::string &note : notes)
    diagnostic.attachNote() << note;
}

void GraphImporter::warn(const Twine &message) {
  if (warned.insert(message.str()).second)
    emitWarning(UnknownLoc::get(&context)) << file << ": " << message;
}

void GraphImporter::fault(Location loc, const Twine &message) {
  if (!branchFault)
    return error(message);
  if (branchFault->message.empty())
    *branchFault = {message.str(), loc};
  hasErrors = true;
}

Location GraphImporter::locOf(const Node &node) {
  StringRef name = node.name;
  if (name.empty())
    for (StringRef output : node.outputs)
      if (name.empty())
        name = output;
  // Messages name the node, followed by its operator.
  return NameLoc::get(
      StringAttr::get(&context, name.empty() ? node.opType : name),
      NameLoc::get(StringAttr::get(&context, node.opType)));
}

static std::string functionKey(StringRef domain, StringRef name,
                               StringRef overload) {
  return (domain + ":" + name + ":" + overload).str();
}

const Function *GraphImporter::findFunction(const Node &node) {
  return functions.lookup(functionKey(node.domain, node.opType, node.overload));
}

//===- The model ----------------------------------------------------------===//

static ArrayAttr describeOpsets(ArrayRef<OpsetImport> opsets,
                                Builder &builder) {
  return builder.getArrayAttr(
      llvm::map_to_vector(opsets, [&](const OpsetImport &opset) -> Attribute {
        return builder.getStringAttr(
            (opset.domain.empty() ? "ai.onnx" : opset.domain) + " " +
            Twine(opset.version));
      }));
}

OwningOpRef<ModuleOp> GraphImporter::run() {
  for (const Function &f : model.functions)
    if (!functions.try_emplace(functionKey(f.domain, f.name, f.overload), &f)
             .second)
      error("the function '" + f.name + "' of domain '" + f.domain +
            "' is defined twice");
  if (model.opsets.empty()) {
    error("the model does not say which operator sets it uses (no "
          "opset_import); convert it with onnx.version_converter");
    return nullptr;
  }
  if (failed(importOpsets(model.opsets, modelOpsets)) ||
      failed(checkNodeCount()))
    return nullptr;
  reportUnknown();

  Location loc = UnknownLoc::get(&context);
  OwningOpRef<ModuleOp> module = ModuleOp::create(loc);
  SmallVector<StringRef> metadata;
  for (const auto &[name, value] : model.metadata)
    metadata.append({name, value});
  if (!metadata.empty())
    (*module)->setAttr(kMetadataAttr, builder.getStrArrayAttr(metadata));
  (*module)->setAttr(kOpsetsAttr, describeOpsets(model.opsets, builder));
  // Discarded attempts refer to the module: they are released before anything
  // in it is erased.
  auto releaseDiscarded = [&] {
    for (Operation *op : discarded)
      op->dropAllReferences();
  };
  llvm::scope_exit clear([&] {
    releaseDiscarded();
    for (Operation *op : discarded)
      op->destroy();
  });
  builder.setInsertionPointToEnd(module->getBody());
  function = func::FuncOp::create(builder, loc, "main",
                                  FunctionType::get(&context, {}, {}));
  function.addEntryBlock();
  Scope scope;
  scope.opsets = &modelOpsets;
  builder.setInsertionPointToEnd(&function.getBody().front());
  if (failed(importArguments(scope)))
    return nullptr;
  dimBuilder = std::make_unique<graph::DimBuilder>(function);
  importInitializers(model.graph, scope);
  importNodes(model.graph.nodes, scope);
  if (!hasErrors)
    importReturn(scope);
  if (reported > kMaxMessages)
    emitError(loc) << file << ": and " << reported - kMaxMessages
                   << " more errors";
  if (hasErrors) {
    if (reported == 0)
      error("the model cannot be imported");
    return nullptr;
  }
  releaseDiscarded();
  eraseDead(function.getBody());
  if (!customNodes.empty())
    (*module)->setAttr(hone::rt::kCustomAttr,
                       builder.getArrayAttr(customNodes));
  if (failed(verify(*module))) {
    error("the model is not consistent (see above)");
    return nullptr;
  }
  return module;
}

LogicalResult GraphImporter::importOpsets(ArrayRef<OpsetImport> imports,
                                          llvm::StringMap<int64_t> &opsets) {
  for (const OpsetImport &import : imports) {
    opsets[import.domain] = import.version;
    if (!import.domain.empty())
      continue;
    if (import.version > kNewestOpset) {
      error("opset " + Twine(import.version) +
            " is newer than any that is supported; the newest is " +
            Twine(kNewestOpset));
      return failure();
    }
    if (import.version < kOldestOpset) {
      error("opset " + Twine(import.version) +
            " is older than any that is supported; the oldest is " +
            Twine(kOldestOpset) + "; convert it with onnx.version_converter");
      return failure();
    }
  }
  return success();
}

/// Nodes, including nested ones; at most a little more than `kMaxNodes`.
int64_t GraphImporter::countNodes(ArrayRef<Node> nodes, int depth,
                                  bool inlined) {
  int64_t count = 0;
  for (const Node &node : nodes) {
    ++count;
    for (const AttributeProto &attribute : node.attributes)
      for (const Graph &graph : attribute.graphs)
        count += countNodes(graph.nodes, depth + 1, inlined);
    const Function *callee = inlined ? findFunction(node) : nullptr;
    if (callee) {
      auto [entry, isNew] = nodesOf.try_emplace(callee, -1);
      if (depth > kMaxDepth || (!isNew && entry->second < 0))
        recursive = callee;
      else if (isNew)
        nodesOf[callee] = countNodes(callee->nodes, depth + 1, true);
      count += std::max<int64_t>(nodesOf[callee], 0);
    }
    count = std::min(count, kMaxNodes + 1);
  }
  return count;
}

/// Rejects unbounded growth before doing any work for it.
LogicalResult GraphImporter::checkNodeCount() {
  int64_t written = countNodes(model.graph.nodes, 0, /*inlined=*/false);
  for (const Function &f : model.functions)
    written += countNodes(f.nodes, 0, /*inlined=*/false);
  maxNodes = std::min(kMaxNodes, kFreeNodes + kMaxInlining * written);
  int64_t inlined = countNodes(model.graph.nodes, 0, /*inlined=*/true);
  if (recursive) {
    error("the function '" + recursive->name +
          "' calls itself, or functions are nested too deep");
    return failure();
  }
  if (inlined > maxNodes)
    reportNodeCount();
  return failure(inlined > maxNodes);
}

void GraphImporter::reportNodeCount() {
  error("the model has more than " + Twine(maxNodes) +
        " nodes once its functions are inlined; export it with functions that "
        "call each other less often");
}

/// Advice for an operator that is known but not supported.
static StringRef adviceFor(const Node &node) {
  if (node.domain == "com.microsoft" &&
      llvm::is_contained({"Sampling", "WhisperBeamSearch"}, node.opType))
    return "; it chooses tokens in a loop inside the model: export the decoder "
           "alone, with its past as inputs and outputs, and run the loop in "
           "the "
           "host program";
  bool isOnnx = llvm::is_contained({"", "ai.onnx.ml", "ai.onnx.training",
                                    "ai.onnx.preview.training", "com.microsoft",
                                    "com.microsoft.nchwc"},
                                   node.domain);
  return isOnnx ? "" : "; code for it is given by --custom-ops";
}

void GraphImporter::collectUnknown(ArrayRef<Node> nodes,
                                   llvm::StringMap<int64_t> &opsets,
                                   std::map<std::string, Unknown> &unknown,
                                   int depth) {
  if (depth > kMaxDepth)
    return;
  for (const Node &node : nodes) {
    if (!findFunction(node) && !OpTable::get().find(node.domain, node.opType) &&
        !isCustom(options.customOperators, node, versionOf(node, opsets))) {
      auto opset = opsets.find(node.domain);
      std::string version =
          opset == opsets.end() ? "unknown" : std::to_string(opset->second);
      Unknown &own = unknown[("'" + node.opType + "' of domain '" +
                              (node.domain.empty() ? "ai.onnx" : node.domain) +
                              "', opset " + version)
                                 .str()];
      own.nodes.push_back(cast<NameLoc>(locOf(node)).getName().str());
      own.advice = adviceFor(node);
    }
    for (const AttributeProto &attribute : node.attributes)
      for (const Graph &graph : attribute.graphs)
        collectUnknown(graph.nodes, opsets, unknown, depth + 1);
  }
}

void GraphImporter::reportUnknown() {
  std::map<std::string, Unknown> unknown;
  collectUnknown(model.graph.nodes, modelOpsets, unknown, 0);
  for (const Function &f : model.functions) {
    llvm::StringMap<int64_t> opsets;
    for (const OpsetImport &import : f.opsets)
      opsets[import.domain] = import.version;
    collectUnknown(f.nodes, opsets, unknown, 0);
  }
  if (unknown.empty())
    return;
  SmallVector<std::string> notes;
  for (const auto &[op, found] : unknown) {
    notes.push_back(op + ": node '" + found.nodes.front() + "'");
    if (found.nodes.size() > 1)
      notes.back() +=
          " and " + std::to_string(found.nodes.size() - 1) + " more";
    notes.back() += found.advice;
  }
  error((unknown.size() == 1 ? Twine("an operator is")
                             : Twine(unknown.size()) + " operators are") +
            " not supported; export the model without " +
            (unknown.size() == 1 ? "it" : "them"),
        notes);
}

//===- Names --------------------------------------------------------------===//

bool GraphImporter::define(StringRef name, Val value, Scope &scope,
                           const Twine &what) {
  if (scope.values.try_emplace(name, value).second)
    return true;
  error("the name '" + name + "' is given twice: " + what +
        " repeats it; every value needs a name of its own");
  return false;
}

const Val *GraphImporter::lookup(StringRef name, Scope &scope) {
  for (Scope *at = &scope; at; at = at->outer)
    if (auto it = at->values.find(name); it != at->values.end())
      return &it->second;
  return nullptr;
}

void GraphImporter::importInitializers(const Graph &graph, Scope &scope) {
  // A given value replaces the initializer of its name.
  llvm::StringSet<> given;
  for (const auto &value : scope.values)
    given.insert(value.getKey());
  for (const Tensor &tensor : graph.initializers) {
    if (given.contains(tensor.name))
      continue;
    std::string problem;
    std::optional<Val> value = constant(
        tensor, NameLoc::get(StringAttr::get(&context, tensor.name)), problem);
    if (!value) {
      error("the initializer '" + tensor.name + "': " + problem);
      value = Val();
      value->poisoned = true;
    }
    define(tensor.name, *value, scope, "an initializer");
  }
}

//===- Nodes --------------------------------------------------------------===//

void GraphImporter::importNodes(ArrayRef<Node> nodes, Scope &scope) {
  for (const Node &node : nodes)
    for (StringRef output : node.outputs)
      if (!output.empty())
        scope.later.insert(output);
  for (const Node *node : orderNodes(nodes)) {
    if (++importedNodes > maxNodes) {
      if (importedNodes == maxNodes + 1)
        reportNodeCount();
      return;
    }
    path.push_back({node, 0});
    importNode(*node, scope);
    path.pop_back();
  }
}

/// A value that is not a tensor of known rank, if the operator accepts only
/// those, except perhaps as its first input.
static LogicalResult checkKind(NodeBuilder &n, int input,
                               const OpEntry &entry) {
  if (!isAnyRank(n.in(input).value.getType()))
    return n.error("takes a tensor as input " + Twine(input) +
                   ", not a sequence or an optional");
  if (input < entry.anyRankInputs)
    return success();
  return n.error(
      "its input '" + n.node.inputs[input] +
      "' has a number of dimensions that is only known at run time, as it "
      "comes from an input without a shape or from branches of an "
      "If with different ones; declare the shape, give the "
      "branches the same, or put a Reshape before this node");
}

void GraphImporter::importNode(const Node &node, Scope &scope) {
  Location loc = locOf(node);
  std::string where = "node '" + cast<NameLoc>(loc).getName().str() + "' (" +
                      node.opType.str() + ")";
  SmallVector<Val> inputs;
  bool poisoned = false;
  for (StringRef name : node.inputs) {
    if (name.empty()) {
      inputs.push_back({});
      continue;
    }
    const Val *value = lookup(name, scope);
    if (!value) {
      if (scope.later.contains(name))
        error(where + ": its input '" + name +
              "' depends on its own output; ONNX has no cycles");
      else
        error(where + ": its input '" + name +
              "' is not a graph input, initializer or node output");
      poisoned = true;
      continue;
    }
    poisoned |= value->poisoned;
    inputs.push_back(*value);
  }

  SmallVector<Val> results;
  bool imported = false;
  const Function *called = findFunction(node);
  const OpEntry *entry =
      called ? nullptr : OpTable::get().find(node.domain, node.opType);
  int64_t version = versionOf(node, *scope.opsets);
  bool custom =
      !called && !entry && isCustom(options.customOperators, node, version);
  if (poisoned || (!called && !entry && !custom)) {
    // Reported already.
  } else if (called) {
    imported =
        succeeded(importCall(node, *called, inputs, scope, loc, results));
    if (!imported)
      results.clear();
  } else {
    int given = inputs.size();
    while (given > 0 && !inputs[given - 1])
      --given;
    inputs.truncate(given);
    NodeBuilder n(*this, scope, node, version, loc, inputs);
    if (version < 0) {
      error(where + ": the model does not say which version of domain '" +
            (node.domain.empty() ? "ai.onnx" : node.domain) + "' it uses");
    } else if (custom) {
      if (succeeded(importCustom(n, options.customOperators))) {
        results.assign(n.results().begin(), n.results().end());
        imported = true;
      }
    } else if (given < entry->minInputs || given > entry->maxInputs) {
      if (failed(n.error("has " + Twine(given) + " inputs, but needs " +
                         (given < entry->minInputs ? "at least " : "at most ") +
                         Twine(given < entry->minInputs ? entry->minInputs
                                                        : entry->maxInputs))))
        results.clear();
    } else {
      bool usable = true;
      for (int i = 0; i < given && usable; ++i) {
        if (!inputs[i] && entry->needs(i))
          usable = succeeded(n.error("lacks its input " + Twine(i)));
        else if (inputs[i] && !inputs[i].isTensor() && !entry->takesAnyValue(i))
          usable = succeeded(checkKind(n, i, *entry));
      }
      if (usable && succeeded(entry->import(n)) && !n.failed()) {
        results.assign(n.results().begin(), n.results().end());
        imported = true;
      } else if (usable && !n.failed()) {
        error(where + ": could not be imported");
      }
    }
  }

  for (auto [i, name] : llvm::enumerate(node.outputs)) {
    if (name.empty())
      continue;
    Val value = i < results.size() ? results[i] : Val();
    if (!value && imported)
      error(where + ": its output " + Twine(i) + " is not supported");
    if (!value)
      value.poisoned = hasErrors = true;
    define(name, value, scope, where);
  }
}

void GraphImporter::collectTypes(const Graph &graph, int depth) {
  if (depth > kMaxDepth)
    return;
  for (ArrayRef<ValueInfo> infos :
       {ArrayRef(graph.values), ArrayRef(graph.outputs)})
    for (const ValueInfo &info : infos)
      declaredTypes.try_emplace(info.name, &info.type);
  for (const Node &node : graph.nodes)
    for (const AttributeProto &attribute : node.attributes)
      for (const Graph &inner : attribute.graphs)
        collectTypes(inner, depth + 1);
}

const TypeProto *GraphImporter::declaredType(StringRef name) {
  if (!std::exchange(hasDeclaredTypes, true))
    collectTypes(model.graph, 0);
  return declaredTypes.lookup(name);
}

std::optional<Size> GraphImporter::sizeNamed(StringRef name) {
  if (name.empty())
    return std::nullopt;
  if (auto given = givenSizes.find(name); given != givenSizes.end())
    return Size(builder.getIndexAttr(given->second));
  for (BlockArgument input : function.getArguments()) {
    auto labels = function.getArgAttrOfType<ArrayAttr>(input.getArgNumber(),
                                                       hone::rt::kDimsAttr);
    auto type = dyn_cast<RankedTensorType>(input.getType());
    // Those of packed elements differ.
    if (!labels || !type || type.getRank() != int64_t(labels.size()))
      continue;
    for (auto [axis, label] : llvm::enumerate(labels))
      if (label == builder.getStringAttr(name))
        return dimBuilder->dims(builder, input.getLoc(), input)[axis];
  }
  return std::nullopt;
}

int64_t GraphImporter::versionOf(const Node &node,
                                 const llvm::StringMap<int64_t> &opsets) {
  auto opset = opsets.find(node.domain);
  // Optimizers forget to import the domains of their own operators.
  return opset != opsets.end() ? opset->second : node.domain.empty() ? -1 : 1;
}

LogicalResult GraphImporter::importCall(const Node &node,
                                        const Function &callee,
                                        ArrayRef<Val> inputs, Scope &scope,
                                        Location loc,
                                        SmallVectorImpl<Val> &results) {
  if (depth >= kMaxDepth) {
    error("the function '" + callee.name +
          "' calls itself, or functions are nested too deep");
    return failure();
  }
  llvm::StringMap<int64_t> opsets;
  if (failed(importOpsets(callee.opsets, opsets)))
    return failure();
  Call call;
  call.function = &callee;
  call.outer = scope.call;
  for (const AttributeProto &attribute : callee.attributeDefaults)
    call.attributes[attribute.name] = &attribute;
  for (const AttributeProto &attribute : node.attributes) {
    const AttributeProto *value = &attribute;
    if (!attribute.refName.empty())
      value = scope.call ? scope.call->attributes.lookup(attribute.refName)
                         : nullptr;
    if (value)
      call.attributes[attribute.name] = value;
  }
  Scope inner;
  inner.call = &call;
  inner.opsets = &opsets;
  if (inputs.size() > callee.inputs.size()) {
    error("node '" + node.name + "' gives the function '" + callee.name +
          "' more inputs than it has");
    return failure();
  }
  for (auto [i, name] : llvm::enumerate(callee.inputs))
    define(name, i < inputs.size() ? inputs[i] : Val(), inner,
           "an input of function '" + callee.name + "'");
  ++depth;
  importNodes(callee.nodes, inner);
  --depth;
  for (StringRef name : callee.outputs) {
    const Val *value = lookup(name, inner);
    if (!value) {
      error("nothing in the function '" + callee.name + "' gives its output '" +
            name + "'");
      return failure();
    }
    results.push_back(*value);
  }
  return success();
}

LogicalResult GraphImporter::importSubgraph(NodeBuilder &node,
                                            const Graph &graph,
                                            ArrayRef<Val> arguments,
                                            SmallVectorImpl<Val> &results) {
  // A loop may have no iterations, so an error in its body does not end every
  // run.
  llvm::SaveAndRestore<Fault *> outside(branchFault, nullptr);
  return importNested(node, graph, arguments, results);
}

LogicalResult GraphImporter::importBranch(NodeBuilder &node, const Graph &graph,
                                          SmallVectorImpl<Val> &results,
                                          Fault *fault) {
  if (!fault)
    return importNested(node, graph, {}, results);
  llvm::SaveAndRestore inside(branchFault, fault);
  bool hadErrors = hasErrors;
  unsigned alreadyReported = reported;
  LogicalResult result = importNested(node, graph, {}, results);
  if (reported != alreadyReported)
    fault->message.clear();
  else if (!fault->message.empty())
    hasErrors = hadErrors;
  return result;
}

LogicalResult GraphImporter::importNested(NodeBuilder &node, const Graph &graph,
                                          ArrayRef<Val> arguments,
                                          SmallVectorImpl<Val> &results) {
  if (depth >= kMaxDepth)
    return node.error("nests graphs too deep");
  if (arguments.size() != graph.inputs.size())
    return node.error("has a subgraph of " + Twine(graph.inputs.size()) +
                      " inputs where " + Twine(arguments.size()) +
                      " are given");
  Scope scope;
  scope.outer = &node.scope;
  scope.call = node.scope.call;
  scope.opsets = node.scope.opsets;
  for (auto [info, value] : llvm::zip(graph.inputs, arguments))
    if (!define(info.name, value, scope, "an input of a subgraph"))
      return failure();
  bool hadErrors = hasErrors;
  hasErrors = false;
  ++depth;
  importInitializers(graph, scope);
  importNodes(graph.nodes, scope);
  --depth;
  for (const ValueInfo &output : graph.outputs) {
    const Val *value = lookup(output.name, scope);
    // An input of the enclosing function that its caller omits is absent.
    bool given = value && (*value || value->poisoned);
    if (!given && !hasErrors)
      error("nothing in a subgraph of node '" + node.node.name +
            "' gives its output '" + output.name + "'");
    results.push_back(value ? *value : Val());
    hasErrors |= results.back().poisoned;
  }
  bool ok = !hasErrors;
  hasErrors |= hadErrors;
  return success(ok);
}
