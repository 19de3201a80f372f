// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Operations of the model state what passes rely on.
#include "dialects/Graph/Graph.h"

#include <gtest/gtest.h>

using namespace mlir;
using namespace hone::graph;

TEST(GraphInterfaces, AllStateSizesAndCosts) {
  MLIRContext context;
  context.loadDialect<GraphDialect>();
  unsigned count = 0;
  for (RegisteredOperationName name :
       context.getRegisteredOperationsByDialect("hone")) {
    SCOPED_TRACE(name.getStringRef().str());
    if (!name.hasInterface<ReifyRankedShapedTypeOpInterface>())
      continue;
    ++count;
    bool given = name.hasInterface<GivenSizesOpInterface>();
    EXPECT_NE(given, name.hasInterface<DerivedSizesOpInterface>());
    EXPECT_TRUE(name.hasInterface<CostOpInterface>());
    // The destinations of a kernel operation are made from its sizes.
    if (name.hasInterface<EpilogueOpInterface>())
      EXPECT_TRUE(given);
  }
  EXPECT_GE(count, 17u);
}

TEST(GraphInterfaces, AmountsAreSumsOfProducts) {
  MLIRContext context;
  context.loadDialect<GraphDialect>();
  OpBuilder builder(&context);
  auto type = RankedTensorType::get({3, 5}, builder.getF32Type());
  auto constant = ConstantOp::create(
      builder, builder.getUnknownLoc(),
      DenseElementsAttr::get(type, builder.getF32FloatAttr(0)));
  Value tensor = constant;
  SizeExpr amount = (SizeExpr::elements(tensor) + SizeExpr::size(tensor, 1)) *
                        SizeExpr::product({2, 2}) +
                    SizeExpr(7);
  auto valueOf = [&](const SizeExpr::Factor &factor) {
    return factor.tensor ? type.getDimSize(factor.number) : factor.number;
  };
  EXPECT_EQ(amount.evaluate<int64_t>(valueOf), (15 + 5) * 4 + 7);
  EXPECT_EQ(SizeExpr().evaluate<int64_t>(valueOf), 0);
  constant.erase();
}
