// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the kinds of attention of com.microsoft have in common.
#ifndef HONE_COMPILER_IMPORT_ONNX_OPERATORS_MICROSOFT_HEADATTENTION_H
#define HONE_COMPILER_IMPORT_ONNX_OPERATORS_MICROSOFT_HEADATTENTION_H

#include "compiler/Import/Onnx/Operators/Attention.h"

namespace hone::onnx {

/// The common part of every kind of attention, once queries, keys and values
/// are [batch, heads, length, size].
struct HeadAttention {
  NodeBuilder &n;
  /// A mask: 1 if a key counts, or a vector: how many keys do, possibly
  /// followed by where they start. What is added to the scores. One more score
  /// of each head.
  Val mask = Val(), bias = Val(), sink = Val();
  /// Keys that precede the queries: of all entries, or of each.
  Size past = n.index(0);
  Val starts = Val();
  bool causal = n.intAttr("unidirectional") != 0;
  double filter = n.floatAttr("mask_filter_value", -10000.0f);
  double cap = 0;
  int64_t window = -1;   ///< how many keys before its own a query sees; -1: all
  int scoresOutput = -1; ///< the output for the scores; -1: none

  /// Sets output 0, [batch, queries, heads * size].
  mlir::LogicalResult run(Val q, Val k, Val v);
};

} // namespace hone::onnx

#endif // HONE_COMPILER_IMPORT_ONNX_OPERATORS_MICROSOFT_HEADATTENTION_H
