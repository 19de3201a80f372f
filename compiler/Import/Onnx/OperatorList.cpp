// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The table of supported operators for readers.
#include "compiler/Import/Onnx/Builder/OpTable.h"
#include "compiler/Import/Onnx/OnnxImporter.h"
#include "llvm/Support/FormatVariadic.h"

#include <map>

using namespace hone::onnx;

namespace {

/// Information on an operator from ONNX's schemas and the models of its tests.
struct Known {
  llvm::StringLiteral domain, opType, versions, types;
};

constexpr Known kKnown[] = {
#include "compiler/Import/Onnx/OperatorTypes.inc"
};

} // namespace

static std::string describeInputs(const OpEntry &entry) {
  if (entry.maxInputs == kVariadic)
    return llvm::formatv("{0} or more", entry.minInputs);
  if (entry.minInputs == entry.maxInputs)
    return std::to_string(entry.minInputs);
  return llvm::formatv("{0} to {1}", entry.minInputs, entry.maxInputs);
}

void hone::onnx::printOperators(llvm::raw_ostream &os) {
  std::map<std::pair<llvm::StringRef, llvm::StringRef>, const Known *> known;
  for (const Known &entry : kKnown)
    known[{entry.domain, entry.opType}] = &entry;
  std::map<llvm::StringRef, std::map<llvm::StringRef, const OpEntry *>> domains;
  OpTable::get().forEach(
      [&](llvm::StringRef domain, llvm::StringRef opType,
          const OpEntry &entry) { domains[domain][opType] = &entry; });
  os << "# Supported operators\n\n"
     << "ONNX up to operator set " << kNewestOpset << ", from " << kOldestOpset
     << " on. A version is the operator set in which the operator came or\n"
        "changed. `floats` are float16, bfloat16, float and double; "
        "`integers` those of 8 to 64 bits, signed and not;\n"
        "`float8` the four types of e4m3 and e5m2; `packed` int2, uint2, "
        "int4, uint4 and float4e2m1.\n";
  for (const auto &[domain, operators] : domains) {
    os << "\n## " << (domain.empty() ? "ai.onnx" : domain) << "\n\n"
       << "| Operator | Inputs | Versions | Types |\n|---|---|---|---|\n";
    for (const auto &[opType, entry] : operators) {
      auto found = known.find({domain, opType});
      const Known *text = found == known.end() ? nullptr : found->second;
      os << "| " << opType << " | " << describeInputs(*entry) << " | "
         << (text ? text->versions : "") << " | " << (text ? text->types : "")
         << " |\n";
    }
  }
}
