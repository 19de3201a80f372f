// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What flows between the steps of a run, read from the planned host function.
#ifndef HONE_COMPILER_DRIVER_REPORT_RUNGRAPH_H
#define HONE_COMPILER_DRIVER_REPORT_RUNGRAPH_H

#include "mlir/IR/BuiltinOps.h"
#include <cstdint>
#include <string>
#include <vector>

namespace hone {

struct RunGraph {
  /// Of what more steps wrote in parts, as many are listed, the last ones.
  static constexpr size_t kMostSources = 100;

  /// A buffer, or what else a step takes.
  struct Value {
    std::string type;   ///< "f32[1,?,64]"
    int64_t bytes = -1; ///< -1: known in a run only
  };
  /// From a step, or else an input, to a step, or else an output.
  struct Edge {
    int32_t fromStep = -1, fromInput = -1, toStep = -1, toOutput = -1;
    int32_t slot = -1; ///< the arena's, if the value is there
    Value value;
  };
  struct Step {
    std::string inside; ///< the control flow around it: "loop, if"
    std::vector<Value> constants;
  };
  /// A slot of the arena, from the first to the last step that needs it; -1: no
  /// step does.
  struct Slot {
    int32_t firstStep = -1, lastStep = -1;
    int32_t writer = -1; ///< the first step that writes it
    std::string type;    ///< as it is first
  };

  std::vector<Step> steps;
  std::vector<Edge> edges;
  std::vector<Slot> slots;
};

/// To be called after the buffer phase. Sequences, optionals and maps are
/// followed from step to step, but not through control flow.
RunGraph readRunGraph(mlir::ModuleOp host);

} // namespace hone

#endif // HONE_COMPILER_DRIVER_REPORT_RUNGRAPH_H
