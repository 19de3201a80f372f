// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From (domain, operator) to the function that imports it.
#include "compiler/Import/Onnx/Builder/OpTable.h"

using namespace hone::onnx;

static std::string keyOf(llvm::StringRef domain, llvm::StringRef opType) {
  return (domain + ":" + opType).str();
}

const OpTable &OpTable::get() {
  static const OpTable table = [] {
    OpTable t;
    for (auto add : {addElementwise,
                     addActivations,
                     addCasts,
                     addReductions,
                     addContractions,
                     addPooling,
                     addNormalization,
                     addShapeOps,
                     addMovement,
                     addPadding,
                     addGather,
                     addLosses,
                     addAttention,
                     addSampling,
                     addTraining,
                     addMicrosoft,
                     addLinearModels,
                     addSupportVectors,
                     addFeatures,
                     addTrees,
                     addIntegerConvolution,
                     addControlFlow,
                     addEinsum,
                     addQuantization,
                     addRandom,
                     addRecurrent,
                     addResize,
                     addScan,
                     addImages,
                     addSearch,
                     addSequences,
                     addSignals,
                     addStrings,
                     addQLinear,
                     addHeadAttention,
                     addFusedNormalization,
                     addBlockQuantization,
                     addCachedAttention,
                     addNchwc,
                     addGreedySearch,
                     addBeamSearch})
      add(t);
    t.moveByPosition(
        {"Transpose", "Concat",          "Split",         "Slice",
         "Tile",      "Expand",          "Gather",        "GatherElements",
         "GatherND",  "ScatterElements", "ScatterND",     "Scatter",
         "Where",     "DepthToSpace",    "SpaceToDepth",  "ReverseSequence",
         "Pad",       "CenterCropPad",   "TensorScatter", "Trilu"});
    t.takeAnyRank({"Abs",
                   "Acos",
                   "Acosh",
                   "Asin",
                   "Asinh",
                   "Atan",
                   "Atanh",
                   "BitwiseNot",
                   "Cast",
                   "Ceil",
                   "Celu",
                   "Clip",
                   "Cos",
                   "Cosh",
                   "Elu",
                   "Erf",
                   "Exp",
                   "Floor",
                   "Gelu",
                   "HardSigmoid",
                   "IsInf",
                   "IsNaN",
                   "HardSwish",
                   "Log",
                   "LeakyRelu",
                   "Mish",
                   "Neg",
                   "Not",
                   "Relu",
                   "Reciprocal",
                   "Round",
                   "Selu",
                   "Shrink",
                   "Sigmoid",
                   "Sign",
                   "Sin",
                   "Sinh",
                   "Softplus",
                   "Softsign",
                   "Sqrt",
                   "Swish",
                   "Tan",
                   "ThresholdedRelu",
                   "Tanh"});
    t.takeAnyRank(
        {"Add",        "Sub",  "Mul",     "Div",         "Pow",
         "Mod",        "Less", "Greater", "LessOrEqual", "GreaterOrEqual",
         "Equal",      "Min",  "Max",     "Sum",         "Mean",
         "And",        "Or",   "Xor",     "BitwiseAnd",  "BitwiseOr",
         "BitwiseXor", "Where"},
        /*broadcast=*/true);
    return t;
  }();
  return table;
}

const OpEntry *OpTable::find(llvm::StringRef domain,
                             llvm::StringRef opType) const {
  auto it = entries.find(keyOf(domain, opType));
  return it == entries.end() ? nullptr : &it->second;
}

void OpTable::forEach(
    llvm::function_ref<void(llvm::StringRef, llvm::StringRef, const OpEntry &)>
        action) const {
  for (const auto &entry : entries) {
    auto [domain, opType] = entry.getKey().rsplit(':');
    action(domain, opType, entry.getValue());
  }
}

void OpTable::add(llvm::StringRef opType, ImportFunction import, int minInputs,
                  int maxInputs) {
  entries[keyOf(domain, opType)] = {
      std::move(import), minInputs, maxInputs, 0, {}};
}

void OpTable::addAny(llvm::StringRef opType, ImportFunction import,
                     int minInputs, int maxInputs, uint64_t anyValue) {
  entries[keyOf(domain, opType)] = {
      std::move(import), minInputs, maxInputs, anyValue, {}};
}
