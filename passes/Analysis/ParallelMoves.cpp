// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Parallel assignments, as a sequence of single ones.
#include "passes/Analysis/ParallelMoves.h"

#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/DenseMap.h"

#include <functional>
#include <queue>

using namespace hone;
using llvm::SmallVector;

SmallVector<MoveStep>
hone::orderParallelMoves(llvm::ArrayRef<ParallelMove> moves) {
  unsigned count = moves.size();
  llvm::DenseMap<unsigned, unsigned> writerOf; // of a place
  for (unsigned i = 0; i < count; ++i)
    writerOf[moves[i].target] = i;
  // `waiting[i]` reads of other moves block move i.
  SmallVector<SmallVector<unsigned, 2>> readers(count), blocks(count);
  SmallVector<unsigned> waiting(count, 0);
  for (unsigned i = 0; i < count; ++i)
    for (unsigned place : moves[i].reads) {
      auto writer = writerOf.find(place);
      if (writer == writerOf.end() || writer->second == i)
        continue;
      blocks[i].push_back(writer->second);
      readers[writer->second].push_back(i);
      ++waiting[writer->second];
    }

  SmallVector<MoveStep> steps;
  std::priority_queue<unsigned, std::vector<unsigned>, std::greater<>> ready;
  for (unsigned i = 0; i < count; ++i)
    if (waiting[i] == 0)
      ready.push(i);
  llvm::BitVector made(count), hasRead(count);
  auto finishReading = [&](unsigned reader) {
    hasRead.set(reader);
    for (unsigned writer : blocks[reader])
      if (--waiting[writer] == 0)
        ready.push(writer);
  };
  for (unsigned first = 0; first < count;) {
    if (!ready.empty()) {
      unsigned move = ready.top();
      ready.pop();
      made.set(move);
      steps.push_back({false, move});
      if (!hasRead.test(move))
        finishReading(move);
      continue;
    }
    if (made.test(first)) {
      ++first;
      continue;
    }
    // A cycle: this target is read now, before it is overwritten.
    for (unsigned reader : readers[first])
      if (!hasRead.test(reader)) {
        steps.push_back({true, reader});
        finishReading(reader);
      }
  }
  return steps;
}
