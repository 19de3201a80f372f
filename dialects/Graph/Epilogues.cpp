// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The model's operations inside kernels, where maps are fused into them.
#include "dialects/Graph/KernelOps.h"

using namespace mlir;
using namespace hone::graph;

Operation *MatmulOp::createKernelOp(OpBuilder &builder, TypeRange results,
                                    ValueRange extras, ValueRange outs,
                                    ArrayAttr maps) {
  return KernelMatmulOp::create(
      builder, getLoc(), results, getLhs(), getRhs(), extras, outs, maps,
      getTransposeRhs(), getPackedAttr(), getQuantizedAttr(), ScheduleAttr());
}

Operation *ConvOp::createKernelOp(OpBuilder &builder, TypeRange results,
                                  ValueRange extras, ValueRange outs,
                                  ArrayAttr maps) {
  return KernelConvOp::create(builder, getLoc(), results, getInput(),
                              getFilter(), extras, outs, maps, getKernel(),
                              getStrides(), getDilations(), getPads(),
                              getGroup(), getChannelsLast(),
                              /*transposed=*/false, getPackedAttr(),
                              getDepthwise(), getFillAttr(), ScheduleAttr());
}

Operation *ConvTransposeOp::createKernelOp(OpBuilder &builder,
                                           TypeRange results, ValueRange extras,
                                           ValueRange outs, ArrayAttr maps) {
  ArrayRef<int64_t> kernel = getFilter().getType().getShape().drop_front(2);
  return KernelConvOp::create(
      builder, getLoc(), results, getInput(), getFilter(), extras, outs, maps,
      kernel, getStrides(), getDilations(), getPads(), getGroup(),
      /*channelsLast=*/false,
      /*transposed=*/true, PackedAttr(), /*depthwise=*/false,
      /*fill=*/IntegerAttr(), ScheduleAttr());
}

Operation *PoolOp::createKernelOp(OpBuilder &builder, TypeRange results,
                                  ValueRange extras, ValueRange outs,
                                  ArrayAttr maps) {
  return KernelPoolOp::create(
      builder, getLoc(), results, getInput(), extras, outs, maps, getKind(),
      getKernel(), getStrides(), getDilations(), getPads(),
      /*indices=*/getNumResults() == 2, getCountIncludePad(), getChannelsLast(),
      getColumnMajor(), getIsUnsigned());
}
