// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Scaled dot-product attention, of which several operators are made.
#ifndef HONE_COMPILER_IMPORT_ONNX_ATTENTION_H
#define HONE_COMPILER_IMPORT_ONNX_ATTENTION_H

#include "compiler/Import/Onnx/NodeBuilder.h"

namespace hone::onnx {

/// [batch, length, heads * size] as [batch, heads, length, size], and back.
Val splitHeads(NodeBuilder &n, Val x, int64_t heads);
Val joinHeads(NodeBuilder &n, Val x);

/// Products of all queries with all keys. `q` is [batch, heads, length, size],
/// `k` [batch, fewer heads, length, size]: each of its heads serves a group of
/// successive ones.
Val headScores(NodeBuilder &n, Val q, Val k);
/// Probabilities [batch, heads, length, keys] times values, whose heads are
/// shared likewise.
Val headValues(NodeBuilder &n, Val probabilities, Val v);

/// Softmax along the last dimension. Where `masked`, a row of -inf gives zeros.
Val attentionSoftmax(NodeBuilder &n, Val scores, bool masked);

} // namespace hone::onnx

#endif // HONE_COMPILER_IMPORT_ONNX_ATTENTION_H
