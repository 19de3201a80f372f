// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// `hone inspect`, and what `hone check --json` says: as text and as JSON.
#include "tools/hone-compile/Inspect.h"
#include "compiler/Driver/CustomOperators.h"
#include "compiler/Driver/Session.h"
#include "compiler/Import/Mlir/MlirImporter.h"
#include "compiler/Import/Onnx/Inspection.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

using namespace hone;
using llvm::StringRef;
using llvm::json::Array;
using llvm::json::Object;
using llvm::json::Value;

//===- Estimates ----------------------------------------------------------===//

Estimate hone::estimateModel(const CompileOptions &options,
                             const CompileCallbacks &callbacks) {
  Estimate result;
  CompileCallbacks own = callbacks;
  own.message = [&](StringRef text) { result.messages.push_back(text.str()); };
  result.outcome = estimate(options, own, result.stats);
  return result;
}

/// Names in files need not be UTF-8.
static std::string utf8(StringRef text) { return llvm::json::fixUTF8(text); }

static Value known(int64_t number) {
  return number < 0 ? Value(nullptr) : Value(number);
}

Object Estimate::json(StringRef model) const {
  Object object;
  object["model"] = utf8(model);
  object["compiles"] = outcome == Outcome::Done;
  Array problems;
  for (const std::string &message : messages)
    problems.push_back(utf8(message));
  object["messages"] = std::move(problems);
  if (outcome != Outcome::Done)
    return object;
  object["kernels"] = stats.kernels;
  object["calls"] = stats.calls;
  object["flop"] = known(stats.flop);
  object["moved_bytes"] = known(stats.movedBytes);
  object["arena_bytes"] = known(stats.arenaBytes);
  object["lower_bound_bytes"] = known(stats.lowerBoundBytes);
  object["weight_bytes"] = stats.weightBytes;
  return object;
}

void hone::printJson(Value value) {
  llvm::outs() << llvm::formatv("{0:2}", value) << "\n";
}

/// "3.2 GFLOP"
static std::string scaled(int64_t number, StringRef unit) {
  const char *prefixes[] = {"", "k", "M", "G", "T", "P"};
  double value = number;
  size_t prefix = 0;
  for (; value >= 1000 && prefix + 1 < std::size(prefixes); ++prefix)
    value /= 1000;
  return llvm::formatv("{0} {1}{2}",
                       prefix ? llvm::formatv("{0:f2}", value).str()
                              : std::to_string(number),
                       prefixes[prefix], unit);
}

/// Counts the lines that are errors.
static void printEstimate(const Estimate &estimate) {
  if (estimate.outcome != Outcome::Done) {
    size_t errors =
        llvm::count_if(estimate.messages, [](const std::string &message) {
          return StringRef(message).starts_with("error: ");
        });
    llvm::outs() << "does not compile: " << errors
                 << (errors == 1 ? " error" : " errors")
                 << "; 'hone check' lists what is wrong\n";
    return;
  }
  const CompileStats &stats = estimate.stats;
  llvm::outs() << "one run: ";
  if (stats.flop >= 0)
    llvm::outs() << scaled(stats.flop, "FLOP");
  else
    llvm::outs() << "FLOP depend on the free dimensions, or on data";
  if (stats.movedBytes >= 0)
    llvm::outs() << ", " << scaled(stats.movedBytes, "B")
                 << " read and written";
  llvm::outs() << "\ncompiled: " << stats.kernels << " kernels, weights "
               << stats.weightBytes << " bytes, arena ";
  if (stats.arenaBytes >= 0)
    llvm::outs() << stats.arenaBytes << " bytes\n";
  else
    llvm::outs() << "depends on the free dimensions\n";
}

//===- Files --------------------------------------------------------------===//

static Object valueJson(const onnx::InspectedValue &value) {
  Object object{{"name", utf8(value.name)},
                {"kind", value.kind},
                {"type", value.type},
                {"dims", nullptr}};
  if (!value.dims)
    return object;
  Array dims;
  for (const onnx::InspectedValue::Dim &dim : *value.dims)
    dims.push_back(dim.size >= 0      ? Value(dim.size)
                   : dim.name.empty() ? Value("?")
                                      : Value(utf8(dim.name)));
  object["dims"] = std::move(dims);
  return object;
}

static StringRef domainName(StringRef domain) {
  return domain.empty() ? StringRef("ai.onnx") : domain;
}

static const char *kindText(onnx::OperatorKind kind) {
  switch (kind) {
  case onnx::OperatorKind::Supported:
    return "supported";
  case onnx::OperatorKind::Unsupported:
    return "unsupported";
  case onnx::OperatorKind::Function:
    return "function";
  case onnx::OperatorKind::Custom:
    return "custom";
  }
  return "";
}

static Object fileJson(const onnx::Inspection &file) {
  auto values = [](const std::vector<onnx::InspectedValue> &all) {
    Array array;
    for (const onnx::InspectedValue &value : all)
      array.push_back(valueJson(value));
    return array;
  };
  Object opsets, weights, metadata;
  Array operators, externalFiles;
  for (const auto &[domain, version] : file.opsets)
    opsets[utf8(domainName(domain))] = version;
  for (const onnx::InspectedOperator &found : file.operators)
    operators.push_back(Object{{"domain", utf8(domainName(found.domain))},
                               {"name", utf8(found.name)},
                               {"count", found.count},
                               {"kind", kindText(found.kind)}});
  for (const auto &[type, sum] : file.weights)
    weights[type] = Object{{"tensors", sum.tensors},
                           {"elements", sum.elements},
                           {"bytes", sum.bytes}};
  for (const std::string &path : file.externalFiles)
    externalFiles.push_back(utf8(path));
  for (const auto &[name, value] : file.metadata)
    metadata[utf8(name)] = utf8(value);
  return Object{{"file_bytes", file.fileBytes},
                {"ir_version", file.irVersion},
                {"producer", utf8(file.producer)},
                {"graph", utf8(file.graph)},
                {"metadata", std::move(metadata)},
                {"opsets", std::move(opsets)},
                {"inputs", values(file.inputs)},
                {"outputs", values(file.outputs)},
                {"nodes", file.nodes},
                {"functions", file.functions},
                {"operators", std::move(operators)},
                {"weights", std::move(weights)},
                {"external_files", std::move(externalFiles)}};
}

static void printFile(StringRef path, const onnx::Inspection &file) {
  llvm::raw_ostream &os = llvm::outs();
  os << printable(path) << ": ONNX, IR version " << file.irVersion << ", "
     << file.fileBytes << " bytes";
  if (!file.producer.empty())
    os << ", made by " << printable(file.producer);
  os << "\nopsets:";
  StringRef separator = " ";
  for (const auto &[domain, version] : file.opsets) {
    os << separator << printable(domainName(domain)) << " " << version;
    separator = ", ";
  }
  os << "\n";
  if (!file.metadata.empty())
    os << "metadata:\n";
  for (const auto &[name, value] : file.metadata)
    os << "  " << printable(name) << ": " << printable(value) << "\n";
  for (const auto &[title, values] : {std::pair("inputs:\n", &file.inputs),
                                      std::pair("outputs:\n", &file.outputs)}) {
    os << title;
    for (const onnx::InspectedValue &value : *values)
      os << "  " << printable(value.name) << ": " << printable(value.text)
         << "\n";
  }
  os << "operators: " << file.operators.size() << " in " << file.nodes
     << " nodes";
  if (file.functions)
    os << ", " << file.functions << " functions";
  os << "\n";
  for (const onnx::InspectedOperator &found : file.operators) {
    os << llvm::format("  %6lld  ", static_cast<long long>(found.count));
    if (!found.domain.empty())
      os << printable(found.domain) << ".";
    os << printable(found.name);
    if (found.kind != onnx::OperatorKind::Supported)
      os << " (" << kindText(found.kind) << ")";
    os << "\n";
  }
  os << "weights:" << (file.weights.empty() ? " none" : "") << "\n";
  for (const auto &[type, sum] : file.weights)
    os << "  " << printable(type) << ": " << sum.elements << " elements in "
       << sum.tensors << " tensors, " << sum.bytes << " bytes\n";
  for (const std::string &external : file.externalFiles)
    os << "  in " << printable(external) << "\n";
}

Outcome hone::inspectModel(const CompileOptions &options,
                           const CompileCallbacks &callbacks, bool asJson) {
  if (isMlir(options.input, "")) {
    callbacks.message("error: " + printable(options.input) +
                      ": only ONNX files are described; 'hone compile "
                      "--emit=import' shows what a module of MLIR becomes");
    return Outcome::UserError;
  }
  auto fail = [&](llvm::Error error) {
    callbacks.message("error: " + printable(llvm::toString(std::move(error))));
    return Outcome::UserError;
  };
  CustomOperators custom;
  if (llvm::Error error =
          custom.read(options.customOperators, options.sessionOperators))
    return fail(std::move(error));
  llvm::Expected<onnx::Inspection> file =
      onnx::inspectOnnx(options.input, custom.all());
  if (!file)
    return fail(file.takeError());
  if (!asJson) {
    printFile(options.input, *file);
    llvm::outs().flush();
  }
  Estimate estimate = estimateModel(options, callbacks);
  if (asJson) {
    Object object = fileJson(*file);
    object["estimate"] = estimate.json(options.input);
    printJson(std::move(object));
  } else {
    printEstimate(estimate);
  }
  // A model that does not compile has been described all the same.
  return estimate.outcome == Outcome::UserError ? Outcome::Done
                                                : estimate.outcome;
}
