// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Passes of the graph phase, on `hone` operations over tensors.
#ifndef HONE_PASSES_GRAPH_PASSES
#define HONE_PASSES_GRAPH_PASSES

include "mlir/Pass/PassBase.td"

def InferShapesPass : Pass<"hone-infer-shapes", "::mlir::func::FuncOp"> {
  let summary = "make result types as static as the arguments allow";
  let description = [{
    Walks the function once. A named dimension whose argument has a static size there becomes that constant; index
    arithmetic is folded; `tensor.dim` becomes arithmetic over `hone.dim`; a `?` whose size is known turns static, and
    equal sizes become equal values. Types of the function's results follow. Left alone: sizes that depend on data.
  }];
  let dependentDialects = ["::hone::graph::GraphDialect", "::mlir::arith::ArithDialect",
                           "::mlir::tensor::TensorDialect"];
}

def NarrowMovementsPass : Pass<"hone-narrow-movements", "::mlir::func::FuncOp"> {
  let summary = "move bytes instead of the numbers that they stand for";
  let description = [{
    A dequantization by one positive scale goes after a reshape, transpose, slice, gather, concatenation of tensors with
    equal scales and zero points, pad with zero, or maximum of windows. A quantization goes before a reshape, transpose or
    concatenation whose result has no other use. Products then find the bytes, and less is moved.
  }];
  let dependentDialects = ["::hone::graph::GraphDialect", "::mlir::arith::ArithDialect",
                           "::mlir::tensor::TensorDialect"];
}

def FormByteProductsPass : Pass<"hone-form-byte-products", "::mlir::func::FuncOp"> {
  let summary = "multiply bytes instead of the numbers that they stand for";
  let description = [{
    A matrix product or convolution of operands that maps compute as (bytes - zero point) * scale becomes one of the bytes
    with sums in i32, and a map behind it that corrects the zero points and scales. Bytes on the left are made unsigned
    and those on the right signed; padding becomes a pad with the zero point. Behind a scaled product, a quantization by
    a constant scale multiplies by its reciprocal. Left alone: scales and zero points along K, and convolutions whose groups
    have few channels or whose padding is only known at run time; those of integers are computed in a float type that
    is exact.
  }];
  let dependentDialects = ["::hone::graph::GraphDialect", "::mlir::arith::ArithDialect",
                           "::mlir::tensor::TensorDialect"];
}

def KeepQuantizedWeightsPass : Pass<"hone-keep-quantized-weights", "::mlir::func::FuncOp"> {
  let summary = "store constant weights of matrix products in as few bits as they have";
  let description = [{
    A matrix product with a constant right-hand side of `hone.dequantize`, or of a map that computes (byte - zero point) *
    scale with scales per tensor or per column, reads panels of codes (`#hone.quantized`) and never the floats, which are
    up to 16 times as large. Codes take as many bits as their values need, and fill words of 32 bits in each block. A
    product of f16 or bf16 becomes one of f32 that is rounded at its end, and whose weights are not rounded to 16 bits
    first. Where the `hone.dequantize` allows it, the product rounds its left-hand side to bytes, unless a block is so
    long that its sums do not fit in i32, or is not made of whole words. Each other `hone.dequantize` becomes a map. Left
    alone: products of other types, blocks along N or of no multiple of 4, zero points that are not exact in the type of
    the scales, and weights that floats take no more memory for.
  }];
  let options = [Option<"readable", "readable", "bool", "true",
                        "products of all targets can read quantized weights">];
  let dependentDialects = ["::hone::graph::GraphDialect", "::mlir::arith::ArithDialect",
                           "::mlir::tensor::TensorDialect"];
}

def FoldConstantsPass : Pass<"hone-fold-constants", "::mlir::func::FuncOp"> {
  let summary = "evaluate operations on constants";
  let description = [{
    An operation all of whose tensor operands are constants is computed now. Maps run in a small interpreter of scalar
    arithmetic. Sources without remaining uses are freed. Left alone: results larger than `max-growth-kib` that are also
    larger than twice the operands and have more elements than any, operations that would report an error at run time,
    and strings.
  }];
  let options = [Option<"maxGrowthKib", "max-growth-kib", "int64_t", "1024",
                        "size up to which a result may be more than twice as large as its operands">];
  let dependentDialects = ["::hone::graph::GraphDialect", "::mlir::arith::ArithDialect"];
}

def SimplifyPass : Pass<"hone-simplify", "::mlir::func::FuncOp"> {
  let summary = "algebraic simplification of hone operations";
  let description = [{
    Removes identities and double movements, turns transposes of unit dimensions into reshapes, folds a multiplication
    or addition by constants after a convolution or matrix product into its weights and bias, moves transposes into
    matrix products, and past the maps, slices and added dimensions on the way there, merges pads into convolutions, and
    removes duplicates and dead operations.
  }];
  let dependentDialects = ["::hone::graph::GraphDialect", "::mlir::arith::ArithDialect",
                           "::mlir::math::MathDialect", "::mlir::scf::SCFDialect", "::mlir::tensor::TensorDialect"];
}

def MergeEqualPass : Pass<"hone-merge-equal", "::mlir::func::FuncOp"> {
  let summary = "merge equal operations";
  let description = [{
    An operation without side effects is replaced by an equal earlier one in the same block or an enclosing one; dead
    operations are erased. Like upstream's `cse`, but linear: operations that differ only in their regions do not
    collide.
  }];
}

def DecomposeConvTransposePass : Pass<"hone-decompose-conv-transpose", "::mlir::func::FuncOp"> {
  let summary = "turn transposed convolutions into convolutions";
  let description = [{
    A transposed convolution of stride s becomes a convolution of stride 1 with s times the channels per axis, whose
    results are interleaved. A map on them runs before, if its other inputs are constants for each channel and it makes
    elements no wider. Left alone: dilations, filters of unknown shape, results of which an unknown part is kept, and
    strides above the kernel, which leave results out.
  }];
  let dependentDialects = ["::hone::graph::GraphDialect", "::mlir::arith::ArithDialect"];
}

def ChooseLayoutPass : Pass<"hone-choose-layout", "::mlir::func::FuncOp"> {
  let summary = "run convolutions, pools and operations between them with channels last";
  let description = [{
    Every operation that can work in either order of dimensions gets the one for which the fewest bytes are transposed
    in the whole function (a minimum cut). Convolutions need channels last. Depthwise ones with long rows, pools, and
    pointwise convolutions of one image are only better so, by about a sweep over their input: if no neighbour has
    channels last they keep the order of the model, in which a pointwise one is a `hone.matmul` of the filter and the
    pixels. Transposes of the model count as changes of the order. Left alone: operations whose meaning depends on the
    order, like reshapes that mix dimensions.
  }];
  let dependentDialects = ["::hone::graph::GraphDialect", "::mlir::arith::ArithDialect"];
}

def LowerPrecisionPass : Pass<"hone-lower-precision", "::mlir::func::FuncOp"> {
  let summary = "round constant weights of products to 16 bits";
  let description = [{
    The constant right operand of a `hone.matmul` of f32, and the filter of a `hone.conv` with channels last, become
    bf16 or f16, to nearest even; sums and results stay f32, and so does the left operand: whether a machine multiplies it as it
    is, or rounds it too, follows from the microkernel. Left alone: depthwise convolutions, batched right operands, and
    weights of which a finite one would become infinite. The function gets the types that there are,
    `hone.rounded_weights`.

    With `format=auto` the type is chosen for each weight. Products of few rows, which take as long as reading their
    weights does, get the type of 16 bits that loses less. All others get bf16 where that is multiplied faster than f32.
    Left alone are also weights that lose more than random ones do in bf16: what rounding changes in a column, relative
    to its size, is 0.25 % at most (the root mean square of all columns).
  }];
  let options = [Option<"format", "format", "std::string", "\"bf16\"", "the type of weights: bf16, f16 or auto">,
                 Option<"fastBf16", "fast-bf16", "bool", "false",
                        "every machine multiplies bf16 in less time than f32">];
  let dependentDialects = ["::hone::graph::GraphDialect"];
}

def PackWeightsPass : Pass<"hone-pack-weights", "::mlir::func::FuncOp"> {
  let summary = "store weights in the order in which contractions read them";
  let description = [{
    A constant right operand of `hone.matmul` becomes `panels` of 16 columns; the filter of a `hone.conv` with channels
    last becomes `panels`, or `depthwise` if each channel has its own filter, by movements at run time if it is not a
    constant. A weight with several users is packed once; a source without remaining uses is freed. Four bytes of a
    column, or two bf16, lie together, and K is padded to whole groups of them. With `order-bytes` those of many rows,
    and whole blocks of K, are put in order, unless too many do not fit in any. Left alone: other integer weights,
    filters of unknown shape, batched right operands, and products so narrow that panels would mostly be padding.
  }];
  let options = [Option<"pairs", "pairs", "bool", "true", "keep two bf16 of a column together, as CPUs multiply them">,
                 Option<"fastBf16", "fast-bf16", "bool", "false",
                        "every machine multiplies pairs of bf16 faster than f32: also three channels are padded">,
                 Option<"orderBytes", "order-bytes", "bool", "false",
                        "put bytes in an order in which sums of two products fit in 16 bits, for CPUs with vectors of 256 "
                        "bits without dot products of bytes">];
  let dependentDialects = ["::hone::graph::GraphDialect", "::mlir::arith::ArithDialect"];
}

def SplitRowsPass : Pass<"hone-split-rows", "::mlir::func::FuncOp"> {
  let summary = "compute depthwise convolutions with their pointwise neighbours band by band";
  let description = [{
    If what lies between a depthwise convolution and the pointwise ones before and after it is more than twice the L2
    cache, the convolutions and the maps behind them are computed for one band of rows after the other. Bands are
    `tensor.extract_slice` of what the chain reads, and its result is put together by `tensor.insert_slice`, which need
    no kernels. A band computes the rows again that its windows share with the next. Left alone: several images, unknown
    sizes, values that others need, and bands so low that too much would be computed twice.
  }];
  let dependentDialects = ["::hone::graph::GraphDialect", "::mlir::tensor::TensorDialect"];
}

def SplitReductionsPass : Pass<"hone-split-reductions", "::mlir::func::FuncOp"> {
  let summary = "divide reductions with few results among threads";
  let description = [{
    A reduction of at least 2^17 elements whose result is one element, or few that lie together, reduces equal parts,
    and then their results. A formula before it that nothing else reads follows. Left alone: unknown sizes, sums of
    narrow floats, whose results between would be rounded, and sizes without suitable divisors.
  }];
  let dependentDialects = ["::hone::graph::GraphDialect"];
}

def SplitConcatsPass : Pass<"hone-split-concats", "::mlir::func::FuncOp"> {
  let summary = "turn concatenations of very many tensors into trees of short ones";
  let description = [{
    A `hone.concat` of more than 64 operands, or of more than 16 with free sizes, becomes a tree of concatenations of 16
    tensors with the shape [rows, ?], between reshapes. As no size along the rows is part of a type, all of them become
    one kernel, and the time to compile does not depend on the number of operands.
  }];
  let dependentDialects = ["::hone::graph::GraphDialect", "::mlir::arith::ArithDialect",
                           "::mlir::tensor::TensorDialect"];
}

def FuseMapsPass : Pass<"hone-fuse-maps", "::mlir::func::FuncOp"> {
  let summary = "merge maps that feed each other into one";
  let description = [{
    The body of a map is inlined where a second map reads the element, if the first has no other user or is so cheap
    that recomputing it costs less than storing it. Left alone: producers that would be recomputed for each element of a
    larger result, and bodies that would grow beyond what one loop should hold.
  }];
  let dependentDialects = ["::hone::graph::GraphDialect", "::mlir::arith::ArithDialect"];
}

def TabulateFunctionsPass : Pass<"hone-tabulate-functions", "::mlir::func::FuncOp"> {
  let summary = "replace functions of one byte by tables";
  let description = [{
    Where the body of a map computes a byte from one other byte and constants, as between a QuantizeLinear and the next
    in a quantized model, the 256 values are evaluated now, and the arithmetic becomes a `hone.lookup`; or nothing, if
    the two bytes are always equal. Left alone: functions that cost less than a lookup.
  }];
  let dependentDialects = ["::hone::graph::GraphDialect", "::mlir::arith::ArithDialect"];
}

def FuseAttentionPass : Pass<"hone-fuse-attention", "::mlir::func::FuncOp"> {
  let summary = "fuse product, softmax and product into hone.attention";
  let description = [{
    A `hone.matmul` with transposed keys, the map on its result (scale, mask), the maps and reductions of a softmax over
    the last dimension in f32, and the `hone.matmul` with the values become a `hone.attention`, if nothing else needs
    the intermediate values. Transposes that move the heads before the rows, and back, are absorbed. Left alone:
    products of less than five rows, keys of more than 256 and values of more than 128 elements, and maps that depend on
    the position in the batch.
  }];
  let dependentDialects = ["::hone::graph::GraphDialect", "::mlir::arith::ArithDialect"];
}

def FormGroupsPass : Pass<"hone-form-groups", "::mlir::func::FuncOp"> {
  let summary = "number the groups of operations that become one kernel each";
  let description = [{
    Sets `hone.group` on operations that will share a kernel: a contraction or pool with the maps that follow on its own
    shape; maps and reductions over trailing axes that share their leading dimensions (softmax, normalisation); any
    other reduction with the formula before it; reductions of one input along the same axes; maps with the data movement
    that feeds them. No path leaves a group and enters it again.

    With `store-transposed`, which the code for GPUs cannot do, a convolution in panels is joined by the transposition
    of its result to channels first.
  }];
  let options = [
    Option<"storeTransposed", "store-transposed", "bool", "false", "convolutions may store their results transposed">
  ];
  let dependentDialects = ["::hone::graph::GraphDialect"];
}

def NarrowValuesPass : Pass<"hone-narrow-values", "::mlir::func::FuncOp"> {
  let summary = "store in bf16 what only products of bf16 read";
  let description = [{
    Products of packed pairs of bf16 round their left operands, but for those of few or an unknown number of rows, which
    multiply f32. The result of a map, product, convolution or attention that nothing else reads, directly or after
    operations that only move it or take maxima, is rounded by the kernel that stores it, to half the bytes. Left alone:
    what anything else reads, such as a residual or an index. For machines that multiply bf16, after `hone-form-groups`.
  }];
  let dependentDialects = ["::hone::graph::GraphDialect", "::mlir::arith::ArithDialect"];
}

def OutlineKernelsPass : Pass<"hone-outline-kernels", "::mlir::ModuleOp"> {
  let summary = "move every group of operations into a kernel function";
  let description = [{
    Operations of one block with the same `hone.group`, and each operation without one, become a private function with
    `hone.kernel` and `hone.pieces` (the number of parts of its parallel loop); the host calls it with `hone_rt.call`.
    Tensors that regions capture and scalars become arguments, the latter as `index`; small constants move into the
    kernel. Equal kernels are merged, except those that report errors of different nodes; with many slices, their
    offsets are arguments too. `hone.in_place` marks operands that a result may overwrite. Left on the host: constants,
    dimensions, reshapes, library calls.
  }];
  let dependentDialects = ["::hone::graph::GraphDialect", "::hone::rt::RtDialect", "::mlir::arith::ArithDialect",
                           "::mlir::tensor::TensorDialect", "::mlir::func::FuncDialect"];
}

def CountWorkPass : Pass<"hone-count-work", "::mlir::func::FuncOp"> {
  let summary = "annotate each kernel with how much it computes and moves";
  let description = [{
    `hone.flop` and `hone.bytes` are sums of terms, each a factor and the positions of the numbers that it multiplies,
    among those that a launch passes: the dynamic dimensions of operands and results, then the arguments. `hone_work` in
    abi.h defines what counts as a FLOP, and which bytes. Omitted: values that are not polynomials in these numbers.
  }];
}

#endif // HONE_PASSES_GRAPH_PASSES
