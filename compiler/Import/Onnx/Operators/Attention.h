// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Scaled dot-product attention, shared by several operators.
#ifndef HONE_COMPILER_IMPORT_ONNX_OPERATORS_ATTENTION_H
#define HONE_COMPILER_IMPORT_ONNX_OPERATORS_ATTENTION_H

#include "compiler/Import/Onnx/Builder/NodeBuilder.h"

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

/// The reciprocal of the root of a size: one number of type `elem`.
Val inverseRootOf(NodeBuilder &n, Size size, ElementType elem);

/// Softmax along the last dimension. If `masked`, a row of -inf gives zeros.
/// `sink`, which broadcasts to the scores, is one more score of each row.
Val attentionSoftmax(NodeBuilder &n, Val scores, bool masked, Val sink = Val());

/// Rotates the first 2 * `half` features of [batch, heads, length, size] in
/// pairs, successive ones if `interleaved`, otherwise those `half` apart. `row`
/// gives the indices into the caches of (cosines and sines of) angles except
/// the last one.
Val rotateHeads(NodeBuilder &n, Val heads, Val cosines, Val sines, Size half,
                bool interleaved,
                llvm::function_ref<llvm::SmallVector<Scalar>(
                    ScalarBuilder &, Scalar batch, Scalar place)>
                    row);

/// A tensor of floats that is computed on, in f32 at least.
bool isPlainFloat(Val v);

} // namespace hone::onnx

#endif // HONE_COMPILER_IMPORT_ONNX_OPERATORS_ATTENTION_H
