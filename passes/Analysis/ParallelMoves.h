// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Parallel assignments, as a sequence of single ones.
#ifndef HONE_PASSES_ANALYSIS_PARALLELMOVES_H
#define HONE_PASSES_ANALYSIS_PARALLELMOVES_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

namespace hone {

/// One of several assignments that happen at once: place `target` gets a value
/// that may refer to the old content of the places in `reads`. Targets are
/// distinct.
struct ParallelMove {
  unsigned target;
  llvm::SmallVector<unsigned, 2> reads;
};

/// A step of the sequence: move number `move` is made, or its value is first
/// saved elsewhere, from where the move then takes it.
struct MoveStep {
  bool saves;
  unsigned move;

  bool operator==(const MoveStep &other) const {
    return saves == other.saves && move == other.move;
  }
};

/// An order in which no move overwrites a place that a later step reads. Moves
/// keep the given order where possible, and a value is saved only to break a
/// cycle. A move may read its own target. Linear in moves and reads, except for
/// the queue.
llvm::SmallVector<MoveStep>
orderParallelMoves(llvm::ArrayRef<ParallelMove> moves);

} // namespace hone

#endif // HONE_PASSES_ANALYSIS_PARALLELMOVES_H
