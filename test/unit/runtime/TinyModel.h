// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A model written by hand, as the compiler would generate one.
#ifndef HONE_TEST_UNIT_RUNTIME_TINYMODEL_H
#define HONE_TEST_UNIT_RUNTIME_TINYMODEL_H

#include "hone/abi.h"

/// Inputs: x float[b,4], index int64[n], table (sequence of float tensors, any
/// shape), extra (optional float[4]).
/// Outputs: twice float[b,4] = 2x (8 pieces, through an arena slot);
/// picked float[n] = flattened x at `index`, which is checked;
/// positive int64[?] = positions of positive elements of x, in a block;
/// grown = `table` with `twice` appended; maybe (optional) = extra, if given.
extern "C" const hone_descriptor *hone_tiny_model(void);

namespace tiny {
enum Input { X, Index, Table, Extra, InputCount };
enum Output { Twice, Picked, Positive, Grown, Maybe, OutputCount };
/// Kernels mark each piece that they run here, when set: [0, 8).
extern int *pieceCounts;
/// While set, the kernel of `twice` calls it with the piece and the thread.
extern void (*onPiece)(int64_t piece, int64_t thread);
/// How many bytes `positive` allocates beside its result, block by block.
extern int64_t extraBlockBytes;
constexpr int64_t pieces = 8;
} // namespace tiny

#endif // HONE_TEST_UNIT_RUNTIME_TINYMODEL_H
