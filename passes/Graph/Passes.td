// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Passes of the graph phase, on `hone` operations over tensors.
#ifndef HONE_PASSES_GRAPH_PASSES
#define HONE_PASSES_GRAPH_PASSES

include "mlir/Pass/PassBase.td"

def FoldConstantsPass : Pass<"hone-fold-constants", "::mlir::func::FuncOp"> {
  let summary = "evaluate operations on constants";
  let description = [{
    An operation all of whose tensor operands are constants is computed now. Maps run in a small interpreter of scalar
    arithmetic. Sources that nothing uses any more are freed. Left alone: results larger than `max-growth-kib` that are
    also larger than twice the operands, operations that would report an error at run time, and strings.
  }];
  let options = [Option<"maxGrowthKib", "max-growth-kib", "int64_t", "1024",
                        "size up to which a result may be more than twice as large as its operands">];
  let dependentDialects = ["::hone::graph::GraphDialect", "::mlir::arith::ArithDialect"];
}

def SimplifyPass : Pass<"hone-simplify", "::mlir::func::FuncOp"> {
  let summary = "algebraic simplification of hone operations";
  let description = [{
    Removes identities and double movements, turns transposes of unit dimensions into reshapes, folds a multiplication
    or addition by constants behind a convolution or matrix product into its weights and bias, moves transposes into
    matrix products, merges pads into convolutions, and removes duplicates and dead operations.
  }];
  let dependentDialects = ["::hone::graph::GraphDialect", "::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect", "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"];
}

def ChooseLayoutPass : Pass<"hone-choose-layout", "::mlir::func::FuncOp"> {
  let summary = "run convolutions, pools and what lies between them with channels last";
  let description = [{
    Every operation that can work in either order of dimensions gets the one for which the fewest bytes are transposed
    in the whole function (a minimum cut); convolutions and pools always get channels last. Transposes that the model
    has already count as changes of the order. Left alone: operations whose meaning hangs on the order, like reshapes
    that mix dimensions.
  }];
  let dependentDialects = ["::hone::graph::GraphDialect", "::mlir::arith::ArithDialect"];
}

def PackWeightsPass : Pass<"hone-pack-weights", "::mlir::func::FuncOp"> {
  let summary = "store constant weights in the order in which contractions read them";
  let description = [{
    A constant right operand of `hone.matmul` becomes `panels` of 16 columns; a constant filter of a `hone.conv` with
    channels last becomes `panels`, or `depthwise` where each channel has its own filter. A weight with several users
    is packed once; a source that nothing uses any more is freed. Left alone: integer weights, batched ones, and
    products so narrow that panels would mostly be padding.
  }];
  let dependentDialects = ["::hone::graph::GraphDialect"];
}

def OutlineKernelsPass : Pass<"hone-outline-kernels", "::mlir::ModuleOp"> {
  let summary = "move every group of operations into a kernel function";
  let description = [{
    Operations of one block with the same `hone.group`, and each operation without one, become a private function
    with `hone.kernel` and `hone.pieces` (into how many parts its parallel loop is cut); the host calls it with
    `hone_rt.call`. Tensors that regions capture and scalars become arguments, the latter as `index`; small constants
    move into the kernel. Equal kernels are merged, save those that report errors of different nodes. `hone.in_place`
    marks operands that a result may overwrite. Left on the host: constants, dimensions, reshapes, library calls.
  }];
  let dependentDialects = ["::hone::graph::GraphDialect", "::hone::rt::RtDialect", "::mlir::arith::ArithDialect",
                           "::mlir::tensor::TensorDialect", "::mlir::func::FuncDialect"];
}

#endif // HONE_PASSES_GRAPH_PASSES
