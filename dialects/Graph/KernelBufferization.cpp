// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Bufferization of the operations inside kernels: inputs are read, destinations
// are overwritten whole.
#include "dialects/Graph/KernelBufferization.h"
#include "dialects/Graph/KernelOps.h"
#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/DstBufferizableOpInterfaceImpl.h"

using namespace mlir;
using namespace mlir::bufferization;
using namespace hone::graph;

namespace {
template <typename OpTy>
struct KernelOpModel
    : DstBufferizableOpInterfaceExternalModel<KernelOpModel<OpTy>, OpTy> {
  bool bufferizesToMemoryRead(Operation *op, OpOperand &operand,
                              const AnalysisState &state) const {
    return !cast<OpTy>(op).isDpsInit(&operand);
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    auto kernelOp = cast<OpTy>(op);
    SmallVector<Value> operands;
    for (OpOperand &operand : op->getOpOperands()) {
      if (!isa<TensorType>(operand.get().getType())) {
        operands.push_back(operand.get());
        continue;
      }
      FailureOr<Value> buffer =
          getBuffer(rewriter, operand.get(), options, state);
      if (failed(buffer))
        return failure();
      operands.push_back(*buffer);
    }
    OperationState newState(op->getLoc(), op->getName(), operands, TypeRange(),
                            op->getAttrs());
    newState.propertiesAttr = op->getPropertiesAsAttribute();
    Region *region = newState.addRegion();
    rewriter.inlineRegionBefore(kernelOp.getEpilogue(), *region,
                                region->begin());
    auto bufferOp = cast<OpTy>(rewriter.create(newState));
    replaceOpWithBufferizedValues(rewriter, op, bufferOp.getOuts());
    return success();
  }
};
} // namespace

void hone::graph::registerKernelOpBufferizationModels(
    DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, GraphDialect *) {
    KernelAttentionOp::attachInterface<KernelOpModel<KernelAttentionOp>>(
        *context);
    KernelMatmulOp::attachInterface<KernelOpModel<KernelMatmulOp>>(*context);
    KernelConvOp::attachInterface<KernelOpModel<KernelConvOp>>(*context);
    KernelPoolOp::attachInterface<KernelOpModel<KernelPoolOp>>(*context);
  });
}
