// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Assignments that happen at once, as an order of single ones.
#ifndef HONE_PASSES_ANALYSIS_PARALLELMOVES_H
#define HONE_PASSES_ANALYSIS_PARALLELMOVES_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

namespace hone {

/// One of several assignments that happen at once: place `target` gets a value
/// that may show the old content of the places in `reads`. Targets are
/// distinct.
struct ParallelMove {
  unsigned target;
  llvm::SmallVector<unsigned, 2> reads;
};

/// A step of the order: move number `move` is made, or its value is saved
/// elsewhere first, from where the move then takes it.
struct MoveStep {
  bool saves;
  unsigned move;

  bool operator==(const MoveStep &other) const {
    return saves == other.saves && move == other.move;
  }
};

/// An order in which no move changes a place that a later step reads. Moves
/// stay in the order given where that may be, and a value is saved only where
/// moves wait for each other in a circle. What a move reads of its own target
/// is no obstacle. Linear in moves and reads, but for the queue.
llvm::SmallVector<MoveStep>
orderParallelMoves(llvm::ArrayRef<ParallelMove> moves);

} // namespace hone

#endif // HONE_PASSES_ANALYSIS_PARALLELMOVES_H
