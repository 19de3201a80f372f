// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Which schedule of a kernel is measured next, and which is the best so far.
#include "tools/hone-tune/Search.h"

using namespace hone::tune;

KernelSearch::KernelSearch(const ListedKernel &kernel, const Entry *before)
    : chosen(kernel.schedules()), listed(kernel) {
  if (before)
    known = *before;
  known.key = kernel.key;
  known.name = kernel.name;
  known.tried.insert(textOf(chosen));
  // A schedule from a file is measured first: it has to prove itself here.
  if (known.schedules && *known.schedules == chosen) {
    current = chosen;
    hasCandidate = unconfirmed = true;
  }
  for (size_t i = 0; i < listed.operations.size(); ++i)
    push(i, listed.operations[i].tiles);
}

void KernelSearch::push(size_t operation,
                        const std::vector<Schedule> &schedules) {
  for (const Schedule &schedule : schedules)
    changes.push_back({operation, schedule});
}

const Schedules *KernelSearch::candidate() {
  while (!hasCandidate) {
    if (changes.empty()) {
      if (tilesDone)
        return nullptr;
      tilesDone = true;
      for (size_t i = 0; i < listed.operations.size(); ++i)
        push(i, listed.operations[i].blocks);
      continue;
    }
    Change change = changes.front();
    changes.pop_front();
    current = found.empty() ? chosen : found;
    current[change.operation] = change.schedule;
    hasCandidate = known.tried.insert(textOf(current)).second;
  }
  return &current;
}

void KernelSearch::compiled(const ListedKernel &result) {
  compiledAs = result;
  usable = hasCandidate && result.schedules() == current;
}

void KernelSearch::take(double ratio, double untunedSeconds, int64_t runs) {
  if (hasCandidate && isBetter(ratio)) {
    found = current;
    bestRatio = ratio;
    listed = compiledAs;
    confirm(untunedSeconds, untunedSeconds * ratio, runs);
    if (tilesDone) {
      changes.clear();
      tilesDone = false; // the blocks around it come next
    }
  }
  hasCandidate = usable = unconfirmed = false;
}

void KernelSearch::drop() {
  found.clear();
  bestRatio = 1;
}

void KernelSearch::confirm(double untunedSeconds, double tunedSeconds,
                           int64_t runs) {
  known.untunedSeconds = untunedSeconds;
  known.tunedSeconds = tunedSeconds;
  known.runs = runs;
}

Entry KernelSearch::entry() const {
  Entry entry = known;
  if (!found.empty())
    entry.schedules = found;
  else if (!unconfirmed)
    entry.schedules.reset();
  return entry;
}
