// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Lifetimes of buffers. The step of each operation stands beside it.
#include "passes/Analysis/LiveRanges.h"
#include "dialects/Rt/Rt.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Parser/Parser.h"
#include <gtest/gtest.h>

using namespace mlir;
using namespace hone;

namespace {

class LiveRangesTest : public testing::Test {
protected:
  LiveRangesTest() {
    context.loadDialect<arith::ArithDialect, func::FuncDialect, rt::RtDialect,
                        scf::SCFDialect>();
  }

  /// Parses the body of a function and gives the range of each slot, by its
  /// number.
  std::vector<LiveRange> slots(StringRef body) {
    std::string text =
        ("func.func @hone_run() {\n" + body + "  return\n}\n").str();
    module = parseSourceString<ModuleOp>(text, ParserConfig(&context));
    EXPECT_TRUE(module);
    function = *module->getOps<func::FuncOp>().begin();
    ranges = std::make_unique<LiveRanges>(function);
    std::vector<LiveRange> result(8);
    function.walk([&](rt::SlotOp slot) {
      result[slot.getIndex()] = ranges->range(slot);
    });
    return result;
  }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  func::FuncOp function;
  std::unique_ptr<LiveRanges> ranges;
};

LiveRange range(int32_t first, int32_t last) { return {first, last}; }

TEST_F(LiveRangesTest, StraightLine) {
  auto found = slots(R"(
    %a = hone_rt.slot 0 : memref<4xf32>          // 0
    %b = hone_rt.slot 1 : memref<4xf32>          // 1
    hone_rt.copy %a to %b : memref<4xf32>, memref<4xf32>  // 2
    %c = hone_rt.slot 2 : memref<4xf32>          // 3
    hone_rt.copy %b to %c : memref<4xf32>, memref<4xf32>  // 4
    %d = hone_rt.slot 3 : memref<4xf32>          // 5: never touched
  )");
  EXPECT_EQ(found[0], range(2, 2));
  EXPECT_EQ(found[1], range(2, 4));
  EXPECT_EQ(found[2], range(4, 4));
  EXPECT_TRUE(found[3].isEmpty());
  EXPECT_FALSE(found[0].meets(found[2]));
  EXPECT_TRUE(found[0].meets(found[1]));
}

TEST_F(LiveRangesTest, ViewsKeepTheirBuffer) {
  auto found = slots(R"(
    %a = hone_rt.slot 0 : memref<4xf32>                         // 0
    %v = hone_rt.view %a : memref<4xf32> -> memref<2x2xf32>     // 1
    %b = hone_rt.slot 1 : memref<2x2xf32>                       // 2
    hone_rt.copy %v to %b : memref<2x2xf32>, memref<2x2xf32>    // 3
  )");
  EXPECT_EQ(found[0], range(1, 3));
}

TEST_F(LiveRangesTest, OutsideALoopLivesThroughIt) {
  auto found = slots(R"(
    %c0 = arith.constant 0 : index                              // 0
    %c1 = arith.constant 1 : index                              // 1
    %a = hone_rt.slot 0 : memref<4xf32>                         // 2
    scf.for %i = %c0 to %c1 step %c1 {                          // 3
      %b = hone_rt.slot 1 : memref<4xf32>                       // 4
      hone_rt.copy %a to %b : memref<4xf32>, memref<4xf32>      // 5
      %c = hone_rt.slot 2 : memref<4xf32>                       // 6
      hone_rt.copy %b to %c : memref<4xf32>, memref<4xf32>      // 7
    }                                                           // 8: yield, 9: end
    %d = hone_rt.slot 3 : memref<4xf32>                         // 10
    hone_rt.copy %d to %d : memref<4xf32>, memref<4xf32>        // 11
  )");
  EXPECT_EQ(found[0], range(3, 9));
  EXPECT_EQ(found[1], range(5, 7));
  EXPECT_EQ(found[2], range(7, 7));
  EXPECT_EQ(found[3], range(11, 11));
}

TEST_F(LiveRangesTest, BranchesAreOneClass) {
  auto found = slots(R"(
    %t = arith.constant true                                    // 0
    %r = scf.if %t -> memref<4xf32> {                           // 1
      %a = hone_rt.slot 0 : memref<4xf32>                       // 2
      hone_rt.copy %a to %a : memref<4xf32>, memref<4xf32>      // 3
      scf.yield %a : memref<4xf32>                              // 4
    } else {
      %b = hone_rt.slot 1 : memref<4xf32>                       // 5
      scf.yield %b : memref<4xf32>                              // 6
    }                                                           // 7
    %c = hone_rt.slot 2 : memref<4xf32>                         // 8
    hone_rt.copy %r to %c : memref<4xf32>, memref<4xf32>        // 9
  )");
  EXPECT_EQ(found[0], range(3, 9));
  EXPECT_EQ(found[1], range(3, 9));
  EXPECT_EQ(found[2], range(9, 9));
}

TEST_F(LiveRangesTest, WhatAConditionHandsOnLivesThroughTheLoop) {
  auto found = slots(R"(
    %t = arith.constant true                                    // 0
    %r = scf.while : () -> memref<4xf32> {                      // 1
      %a = hone_rt.slot 0 : memref<4xf32>                       // 2
      hone_rt.copy %a to %a : memref<4xf32>, memref<4xf32>      // 3
      scf.condition(%t) %a : memref<4xf32>                      // 4
    } do {
    ^bb0(%x: memref<4xf32>):
      %b = hone_rt.slot 1 : memref<4xf32>                       // 5
      hone_rt.copy %x to %b : memref<4xf32>, memref<4xf32>      // 6
      scf.yield                                                 // 7
    }                                                           // 8
    %c = hone_rt.slot 2 : memref<4xf32>                         // 9
    hone_rt.copy %r to %c : memref<4xf32>, memref<4xf32>        // 10
  )");
  EXPECT_EQ(found[0], range(3, 10));
  EXPECT_EQ(found[1], range(6, 6));
}

TEST_F(LiveRangesTest, ReplacedBufferJoinsTheOther) {
  slots(R"(
    %a = hone_rt.slot 0 : memref<4xf32>                         // 0
    hone_rt.copy %a to %a : memref<4xf32>, memref<4xf32>        // 1
    %b = hone_rt.slot 1 : memref<4xf32>                         // 2
    hone_rt.copy %a to %b : memref<4xf32>, memref<4xf32>        // 3
    hone_rt.copy %b to %b : memref<4xf32>, memref<4xf32>        // 4
  )");
  SmallVector<Value> values;
  function.walk([&](rt::SlotOp slot) { values.push_back(slot); });
  EXPECT_FALSE(ranges->mayAlias(values[0], values[1]));
  ranges->replace(values[1], values[0]);
  EXPECT_TRUE(ranges->mayAlias(values[0], values[1]));
  EXPECT_EQ(ranges->range(values[0]), range(1, 4));
  EXPECT_EQ(ranges->roots(values[1]), SmallVector<Value>{values[0]});
}

} // namespace
