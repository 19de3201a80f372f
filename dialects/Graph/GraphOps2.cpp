// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Part 2 of the generated operation definitions.
#include "dialects/Graph/Graph.h"
#include "dialects/Graph/OpShards.h"
#include "mlir/IR/Builders.h"

using namespace mlir;

#define GET_OP_DEFS_2
#include "dialects/Graph/GraphOps.cpp.inc"
