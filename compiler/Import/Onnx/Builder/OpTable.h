// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From (domain, operator) to the function that imports it.
#ifndef HONE_COMPILER_IMPORT_ONNX_BUILDER_OPTABLE_H
#define HONE_COMPILER_IMPORT_ONNX_BUILDER_OPTABLE_H

#include "compiler/Import/Onnx/Builder/NodeBuilder.h"

#include "llvm/ADT/StringMap.h"

#include <algorithm>
#include <functional>

namespace hone::onnx {

/// Sets the outputs of the node, or reports an error. Required inputs are
/// present, and are tensors unless the entry says otherwise.
using ImportFunction = std::function<mlir::LogicalResult(NodeBuilder &)>;

constexpr int kVariadic = 1 << 30;

struct OpEntry {
  ImportFunction import;
  int minInputs, maxInputs;
  /// Inputs that may be sequences and optionals, where all others are tensors:
  /// bit i is input i, and the last one also those beyond.
  uint64_t anyValue;
  /// How many of the first inputs may be tensors of any rank (AnyRank.h).
  int anyRankInputs = 0;

  /// Whether input `i`, if others follow, is required: a list of any length has
  /// no gaps. (A Loop has two optional inputs before its list, and checks them
  /// itself.)
  bool needs(int i) const {
    return i < minInputs || (maxInputs == kVariadic && minInputs > 0);
  }
  bool takesAnyValue(int input) const {
    return anyValue >> std::min(input, 63) & 1;
  }
};

class OpTable {
public:
  /// The operators of all families.
  static const OpTable &get();

  const OpEntry *find(llvm::StringRef domain, llvm::StringRef opType) const;
  /// Calls `action` with domain, operator and entry, in no order.
  void forEach(llvm::function_ref<void(llvm::StringRef, llvm::StringRef,
                                       const OpEntry &)>
                   action) const;

  void add(llvm::StringRef opType, ImportFunction import, int minInputs,
           int maxInputs);
  void add(llvm::StringRef opType, ImportFunction import, int inputs) {
    add(opType, std::move(import), inputs, inputs);
  }
  /// For operators with inputs that may be sequences and optionals.
  void addAny(llvm::StringRef opType, ImportFunction import, int minInputs,
              int maxInputs, uint64_t anyValue);
  /// Operators that move elements of any type, including strings and complex
  /// numbers.
  void moveByPosition(llvm::ArrayRef<llvm::StringRef> names);
  /// Elementwise operators whose first input may have any rank if the others
  /// are scalars, or all of them with `broadcast`.
  void takeAnyRank(llvm::ArrayRef<llvm::StringRef> names,
                   bool broadcast = false);
  /// The domain of the operators added next; "" is ONNX's own.
  void setDomain(llvm::StringRef name) { domain = name.str(); }

private:
  std::string domain;
  llvm::StringMap<OpEntry> entries;
};

// One per file of operators.
void addElementwise(OpTable &table);
void addActivations(OpTable &table);
void addCasts(OpTable &table);
void addReductions(OpTable &table);
void addContractions(OpTable &table);
void addPooling(OpTable &table);
void addNormalization(OpTable &table);
void addShapeOps(OpTable &table);
void addMovement(OpTable &table);
void addPadding(OpTable &table);
void addImages(OpTable &table);
void addLosses(OpTable &table);
void addFeatures(OpTable &table);
void addLinearModels(OpTable &table);
void addSupportVectors(OpTable &table);
void addAttention(OpTable &table);
void addGather(OpTable &table);
void addSampling(OpTable &table);
void addTraining(OpTable &table);
void addTrees(OpTable &table);
void addMicrosoft(OpTable &table);
void addIntegerConvolution(OpTable &table);
void addControlFlow(OpTable &table);
void addEinsum(OpTable &table);
void addBeamSearch(OpTable &table);
void addBlockQuantization(OpTable &table);
void addCachedAttention(OpTable &table);
void addHeadAttention(OpTable &table);
void addFusedNormalization(OpTable &table);
void addGreedySearch(OpTable &table);
void addNchwc(OpTable &table);
void addQLinear(OpTable &table);
void addQuantization(OpTable &table);
void addRandom(OpTable &table);
void addRecurrent(OpTable &table);
void addResize(OpTable &table);
void addScan(OpTable &table);
void addSearch(OpTable &table);
void addSequences(OpTable &table);
void addSignals(OpTable &table);
void addStrings(OpTable &table);

} // namespace hone::onnx

#endif // HONE_COMPILER_IMPORT_ONNX_BUILDER_OPTABLE_H
