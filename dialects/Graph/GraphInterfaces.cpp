// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The generated interfaces.
#include "dialects/Graph/Graph.h"

using namespace mlir;

#include "dialects/Graph/GraphInterfaces.cpp.inc"
