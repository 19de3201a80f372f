// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Shared by the operators of com.microsoft that generate tokens: a decoder
// graph inside the node, and the scores of the next tokens.
#ifndef HONE_COMPILER_IMPORT_ONNX_OPERATORS_MICROSOFT_GENERATION_H
#define HONE_COMPILER_IMPORT_ONNX_OPERATORS_MICROSOFT_GENERATION_H

#include "compiler/Import/Onnx/Builder/NodeBuilder.h"

namespace hone::onnx {

/// The graphs of a decoder in the form of GPT-2, from input_ids, position_ids,
/// attention_mask and the state of each layer to logits and the new states.
struct GptDecoder {
  const Graph *first; ///< for the prompt
  const Graph *next;  ///< for the following tokens
  ElementType elem;   ///< of the state
  int64_t heads, headSize;

  /// Reads the attributes `decoder` and `init_decoder`.
  static mlir::FailureOr<GptDecoder> read(NodeBuilder &n);
  /// The states before the prompt.
  llvm::SmallVector<Val> emptyStates(NodeBuilder &n, Size rows) const;

  struct Outcome {
    Val scores; ///< of the token after the last one, f32 [rows, vocabulary]
    llvm::SmallVector<Val> states;
  };
  /// Imports `graph`, one of the two. `inputs` are ids, positions and mask.
  static mlir::FailureOr<Outcome> run(NodeBuilder &n, const Graph &graph,
                                      llvm::ArrayRef<Val> inputs,
                                      llvm::ArrayRef<Val> states);
};

/// The prompt of such a decoder, and its inputs after it.
struct GptPrompt {
  Val ids, positions, mask; ///< int32 [rows, length]
  Val lengths;              ///< int32 [rows, 1], without padding

  /// Padding is masked, unless there is a mask, and has no positions.
  static GptPrompt of(NodeBuilder &n, Val ids, Val mask, int64_t padToken);
  llvm::SmallVector<Val> inputs() const { return {ids, positions, mask}; }
  /// The inputs for one further token of each row, in step `step`.
  llvm::SmallVector<Val> nextInputs(NodeBuilder &n, Val tokens,
                                    mlir::Value step) const;
};

/// How the scores of the next tokens are modified before a choice, in the order
/// of ONNX Runtime: a penalty for tokens that a row already has, no n-gram
/// twice, masks of the vocabulary, and no end before a length.
struct ScoreRules {
  NodeBuilder &n;
  Size rows, maxLength;
  int64_t endToken;
  Size minLength;
  int64_t ngramSize = 0; ///< 0: may repeat
  Val penalty = {};      ///< f32 without dimensions; none if omitted
  Val vocabularyMask = {}, firstMask = {}; ///< the latter for the first step

  /// Reads the attributes, and the inputs: the minimum length, and from
  /// `penalty` on the penalty and the two masks.
  static std::optional<ScoreRules> read(NodeBuilder &n, Size rows,
                                        Size maxLength, size_t penalty);
  /// Which tokens each row of `ids` has, [rows, vocabulary]; nothing without a
  /// penalty.
  Val tokensIn(Val ids, Size vocabulary);
  /// The same after a further token of each row.
  Val withTokens(Val seen, Val tokens);
  /// The modified scores for rows of `length` tokens. `sequences` is [rows,
  /// maxLength].
  Val apply(Val scores, Val seen, Val sequences, Size length, bool isFirst);
};

/// The scores at the last position of logits, f32 [rows, vocabulary].
mlir::FailureOr<Val> lastScores(NodeBuilder &n, Val logits, Size rows);
/// Ids, which have 2 dimensions, as rows of `length`, the rest of it padding.
Val paddedRows(NodeBuilder &n, Val ids, Size length, int64_t padToken);
/// The rows with the token of each at `length`.
Val withTokensAt(NodeBuilder &n, Val rows, Val tokens, Size length);
/// The mask input of ids, with their sizes; nothing if omitted.
Val maskInput(NodeBuilder &n, size_t input, Val ids);
/// A float input that is one number, as f32 without dimensions; nothing if
/// omitted.
Val factorInput(NodeBuilder &n, size_t input, llvm::StringRef name);
/// An input that is one number, or its default if omitted.
std::optional<Size> numberInput(NodeBuilder &n, size_t input,
                                llvm::StringRef name, int64_t byDefault);
/// The attribute of a token's number, -1 if omitted.
int64_t tokenAttr(NodeBuilder &n, llvm::StringRef name);

} // namespace hone::onnx

#endif // HONE_COMPILER_IMPORT_ONNX_OPERATORS_MICROSOFT_GENERATION_H
