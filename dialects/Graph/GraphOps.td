// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Operations of the `hone` dialect, as the importer builds them and the graph phase rewrites them.
//
// Conventions: tensors are ranked; element types are signless and bool is i8 holding 0 or 1; a result dimension that
// is not static is an `index` operand in `dims`, one for each `?` of the result type in order.
#ifndef HONE_DIALECTS_GRAPH_GRAPHOPS
#define HONE_DIALECTS_GRAPH_GRAPHOPS

include "dialects/Graph/GraphDialect.td"
include "dialects/Graph/GraphInterfaces.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Graph_Op<string opMnemonic, list<Trait> traits = []> : Op<Graph_Dialect, opMnemonic, traits>;

// Interfaces of an operation; it implements the methods named, the others are the interface's defaults.
class Graph_GivenSizes<list<string> own = []> : DeclareOpInterfaceMethods<Graph_GivenSizesOpInterface, own>;
def Graph_DerivedSizes : DeclareOpInterfaceMethods<Graph_DerivedSizesOpInterface>;
class Graph_Cost<list<string> own = []> : DeclareOpInterfaceMethods<Graph_CostOpInterface, own>;
class Graph_Layout<list<string> own = []> : DeclareOpInterfaceMethods<Graph_LayoutOpInterface, own>;
class Graph_Evaluable<list<string> own = []> : DeclareOpInterfaceMethods<Graph_EvaluableOpInterface, own>;
def Graph_Epilogue : DeclareOpInterfaceMethods<Graph_EpilogueOpInterface>;

/// An operation on tensors whose result dimensions are known from its operands.
class Graph_TensorOp<string opMnemonic, list<Trait> traits = []> : Graph_Op<opMnemonic, !listconcat([Pure,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>], traits)> {
  let hasVerifier = 1;
  let extraClassDefinition = [{
    ::llvm::LogicalResult $cppClass::reifyResultShapes(::mlir::OpBuilder &builder,
                                                       ::mlir::ReifiedRankedShapedTypeDims &shapes) {
      return ::hone::graph::reifyResultSizes(*this, builder, shapes);
    }
  }];
}

def Graph_Tensor : RankedTensorOf<[AnyType]>;
def Graph_Dims : Variadic<Index>;

//===- Values -------------------------------------------------------------------------------------------------------===//

def Graph_ConstantOp : Graph_Op<"constant", [Pure, ConstantLike, AllTypesMatch<["value", "result"]>]> {
  let summary = "a tensor known at compile time";
  let description = [{
    Large data is a `dense_resource` whose blob points into the mapped model file or into memory of the compiler.
    ```mlir
    %w = hone.constant dense<[1.0, 2.0]> : tensor<2xf32>
    ```
  }];
  let arguments = (ins ElementsAttr:$value);
  let results = (outs Graph_Tensor:$result);
  let assemblyFormat = "attr-dict $value";
  let hasFolder = 1;
}

def Graph_DimOp : Graph_Op<"dim", [Pure]> {
  let summary = "the size of a named free dimension of the model's inputs";
  let arguments = (ins StrAttr:$name);
  let results = (outs Index:$result);
  let assemblyFormat = "$name attr-dict";
}

//===- Elementwise --------------------------------------------------------------------------------------------------===//

def Graph_MapOp : Graph_TensorOp<"map", [AttrSizedOperandSegments, SingleBlock, RecursiveMemoryEffects,
    Graph_GivenSizes<["getKnownSizes"]>, Graph_Cost<["getFlop"]>, Graph_Layout<["getOperandOrder"]>,
    Graph_Evaluable<["getEvaluationCost", "isFreeToEvaluate"]>]> {
  let summary = "computes every element of its results by one scalar region";
  let description = [{
    The region runs once for each index of the result shape. Its arguments are the elements of `inputs`, aligned to the
    result from the right; `hone.index` gives the coordinates. The region may read tensors from above by
    `tensor.extract`. It has no side effects except the reports of `hone.checked_index` and `hone.checked_divisor`.
    - (C1) all results have the same shape
    - (C2) each dimension of an input is 1 (broadcast; statically) or that of the result; a dynamic one equals it
    - (C3) the region has one argument per input, of its element type
    - (C4) the terminator yields one value per result, of its element type
    - (C5) coordinates are only used inside the rank
    ```mlir
    %r = hone.map ins(%a, %b : tensor<4x?xf32>, tensor<?xf32>) dims(%n) -> tensor<4x?xf32> {
    ^bb0(%x: f32, %y: f32):
      %s = arith.addf %x, %y : f32
      hone.yield %s : f32
    }
    ```
  }];
  let arguments = (ins Variadic<Graph_Tensor>:$inputs, Graph_Dims:$dims);
  let results = (outs Variadic<Graph_Tensor>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    (`ins` `(` $inputs^ `:` type($inputs) `)`)? (`dims` `(` $dims^ `)`)? `->` type($results) attr-dict-with-keyword $body
  }];
  let skipDefaultBuilders = 1;
  let builders = [OpBuilder<(ins "::mlir::TypeRange":$results, "::mlir::ValueRange":$inputs, "::mlir::ValueRange":$dims,
    "::llvm::function_ref<void(::mlir::OpBuilder &, ::mlir::Location, ::mlir::ValueRange)>":$body)>];
}

def Graph_YieldOp : Graph_Op<"yield", [Pure, Terminator, ReturnLike, ParentOneOf<["AttentionOp", "MapOp"]>]> {
  let summary = "ends the region of a map or of an attention";
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "$values attr-dict `:` type($values)";
}

def Graph_IndexOp : Graph_Op<"index", [Pure]> {
  let summary = "the coordinate along dimension `axis` of the element that a map computes";
  let arguments = (ins ConfinedAttr<I64Attr, [IntNonNegative]>:$axis);
  let results = (outs Index:$result);
  let assemblyFormat = "$axis attr-dict";
}

// Not speculatable and never removed with its use: a wrong index is reported even where its result is not needed.
def Graph_CheckedIndexOp : Graph_Op<"checked_index", [MemoryEffects<[]>, Graph_ReportsErrors]> {
  let summary = "an index that is inside `[0, size)`; anything else ends the run with an error";
  let description = [{
    With `wrap`, a negative index counts from the end. An index out of range stores the node and the value in the
    session, and the result is 0, so that no address depends on an unchecked value (for `size` 0 nothing may be read).
  }];
  let arguments = (ins Index:$index, Index:$size, UnitAttr:$wrap);
  let results = (outs Index:$result);
  let assemblyFormat = "$index `of` $size (`wrap` $wrap^)? attr-dict";
}

def Graph_CheckedDivisorOp : Graph_Op<"checked_divisor", [MemoryEffects<[]>, SameOperandsAndResultType,
    Graph_ReportsErrors]> {
  let summary = "an integer divisor that is not 0; 0 ends the run with an error and gives 1";
  let arguments = (ins AnySignlessInteger:$divisor);
  let results = (outs AnySignlessInteger:$result);
  let assemblyFormat = "$divisor attr-dict `:` type($divisor)";
}

def Graph_LookupOp : Graph_Op<"lookup", !listconcat([Pure, SameOperandsAndResultType], ElementwiseMappable.traits)> {
  let summary = "an element of a table of bytes, at the place that is the unsigned value of a byte";
  let description = [{
    - (C1) the table has 256 elements
    ```mlir
    %y = hone.lookup %x [0, 1, 1, 2, ...] : i8
    ```
  }];
  let arguments = (ins AnyTypeOf<[I8, VectorOfNonZeroRankOf<[I8]>]>:$place, DenseI8ArrayAttr:$table);
  let results = (outs AnyTypeOf<[I8, VectorOfNonZeroRankOf<[I8]>]>:$result);
  let assemblyFormat = "$place $table attr-dict `:` type($place)";
  let hasVerifier = 1;
}

//===- Reductions ---------------------------------------------------------------------------------------------------===//

def Graph_ReduceOp : Graph_TensorOp<"reduce", [AllElementTypesMatch<["input", "result"]>, Graph_DerivedSizes,
    Graph_Cost<["getFlop", "getElementsSwept"]>, Graph_Layout<["resultsFollowLayout"]>,
    Graph_Evaluable<["getEvaluationCost"]>]> {
  let summary = "combines all elements along some axes";
  let description = [{
    f16 and bf16 are accumulated in f32. `max` and `min` of floats propagate NaN. An empty axis gives the neutral element.
    - (C1) `axes` are ascending and inside the rank
    - (C2) the result drops the axes, or with `keepdims` has size 1 there
  }];
  let arguments = (ins Graph_Tensor:$input, Graph_ReduceKindAttr:$kind, DenseI64ArrayAttr:$axes, UnitAttr:$keepdims);
  let results = (outs Graph_Tensor:$result);
  let assemblyFormat = "$kind $input `axes` $axes (`keepdims` $keepdims^)? attr-dict `:` type($input) `->` type($result)";
}

def Graph_ArgReduceOp : Graph_TensorOp<"arg_reduce", [Graph_DerivedSizes, Graph_Cost<["getElementsSwept"]>]> {
  let summary = "the index of the largest or smallest element along an axis, as i64";
  let description = [{
    `kind` is max, min, umax or umin. Of equal elements the first counts, with `last` the last. NaN is larger (for
    min: smaller) than any number.
    - (C1) `axis` is inside the rank
  }];
  let arguments = (ins Graph_Tensor:$input, Graph_ReduceKindAttr:$kind, I64Attr:$axis, UnitAttr:$keepdims, UnitAttr:$last);
  let results = (outs RankedTensorOf<[I64]>:$result);
  let assemblyFormat = "$kind $input `axis` $axis (`keepdims` $keepdims^)? (`last` $last^)? attr-dict `:` type($input) `->` type($result)";
}

def Graph_CumulateOp : Graph_TensorOp<"cumulate", [AllTypesMatch<["input", "result"]>, Graph_DerivedSizes,
    Graph_Cost<["getFlop"]>, Graph_Layout<>, Graph_InMemory]> {
  let summary = "running sum or product along an axis; f16 and bf16 are accumulated in f32";
  let arguments = (ins Graph_Tensor:$input, Graph_ReduceKindAttr:$kind, I64Attr:$axis, UnitAttr:$exclusive, UnitAttr:$reverse);
  let results = (outs Graph_Tensor:$result);
  let assemblyFormat = "$kind $input `axis` $axis (`exclusive` $exclusive^)? (`reverse` $reverse^)? attr-dict `:` type($input)";
}

def Graph_TopKOp : Graph_TensorOp<"top_k", [Graph_GivenSizes<>, Graph_Cost<["getElementsSwept"]>, Graph_InMemory,
    Graph_ReportsErrors]> {
  let summary = "the k largest or smallest elements along an axis, in order, and their indices";
  let description = [{
    Equal elements keep the order of their indices. The size of the results along `axis` is k, static or in `dims`.
    - (C1) `axis` is inside the rank
    - (C2) `values` and `indices` have the same shape
  }];
  let arguments = (ins Graph_Tensor:$input, Graph_Dims:$dims, I64Attr:$axis, UnitAttr:$smallest, UnitAttr:$isUnsigned);
  let results = (outs Graph_Tensor:$values, RankedTensorOf<[I64]>:$indices);
  let assemblyFormat = [{
    $input (`dims` `(` $dims^ `)`)? `axis` $axis (`smallest` $smallest^)? (`unsigned` $isUnsigned^)? attr-dict
    `:` type($input) `->` type($values) `,` type($indices)
  }];
}

//===- Contractions -------------------------------------------------------------------------------------------------===//

def Graph_MatmulOp : Graph_TensorOp<"matmul", [Graph_GivenSizes<["getKnownSizes"]>, Graph_Cost<["getMultiplyAdds"]>,
    Graph_Epilogue]> {
  let summary = "matrix product over the last two dimensions, batched over the others";
  let description = [{
    `lhs` is [batch.., M, K]; `rhs` is [batch.., K, N], with `transpose_rhs` [batch.., N, K], with `packed` panels of that
    layout and without batch. Batch dimensions broadcast as in a map (C2 there). With `quantized` the panels are words of
    that layout, which stand for elements of the type of `lhs`.
    Products and sums are in the element type of the result. Where bytes are multiplied and summed in i32, those of
    `lhs` are unsigned and those of `rhs` signed.
    - (C1) the ranks are at least 2 and the inner dimensions agree; K of a packed product is a multiple of `kr`
    - (C2) element types of the operands are equal, or f32 on the left and bf16 or f16 on the right; those of a quantized product
      are f32 and i32
    - (C3) the result has the rows of `lhs` and the columns of `rhs`
    - (C4) batch dimensions of operands are 1 or those of the result
    - (C5) a quantized product is packed
  }];
  let arguments = (ins Graph_Tensor:$lhs, Graph_Tensor:$rhs, Graph_Dims:$dims, UnitAttr:$transposeRhs,
    OptionalAttr<Graph_PackedAttr>:$packed, OptionalAttr<Graph_QuantizedAttr>:$quantized);
  let results = (outs Graph_Tensor:$result);
  let assemblyFormat = [{
    $lhs `,` $rhs (`dims` `(` $dims^ `)`)? (`transpose_rhs` $transposeRhs^)? (`packed` $packed^)?
    (`quantized` $quantized^)? attr-dict
    `:` type($lhs) `,` type($rhs) `->` type($result)
  }];
}

def Graph_DequantizeOp : Graph_TensorOp<"dequantize", [Graph_DerivedSizes, Graph_Cost<["getFlop"]>]> {
  let summary = "a matrix that is quantized in blocks along one of its dimensions";
  let description = [{
    An element is (code - zero point) * scale, in f32. `scales` has an element for each block of `block` along `axis`, and
    so has `zeros`; zero points are `zero` without it. `codes` are integers of 8 bits; where `bits` is less, as many as
    fit lie in a byte along the last dimension, the first in its lowest bits, and are unsigned. Zero points are floats, or
    stored like codes. With `table` an element is table[code] * scale. With `bytes` products may round their other operand
    to bytes, as in `#hone.quantized`. `hone-keep-quantized-weights` replaces it.
    - (C1) all types are static and of two dimensions
    - (C2) `bits` is 2, 4 or 8, and codes of fewer bits are unsigned
    - (C3) sizes agree; only the last block of a row or column may be incomplete
    - (C4) a table has 16 elements, for codes of 4 bits without zero points, and not for `bytes`
    ```mlir
    %w = hone.dequantize %codes, %scales bits 4 block 32 axis 1 zero 8 unsigned
      : tensor<64x48xi8>, tensor<64x3xf32> -> tensor<64x96xf32>
    ```
  }];
  let arguments = (ins Graph_Tensor:$codes, Graph_Tensor:$scales, Optional<Graph_Tensor>:$zeros, I64Attr:$bits,
    I64Attr:$block, I64Attr:$axis, DefaultValuedAttr<I64Attr, "0">:$zero, UnitAttr:$isUnsigned,
    OptionalAttr<DenseF32ArrayAttr>:$table, UnitAttr:$bytes);
  let results = (outs Graph_Tensor:$result);
  let assemblyFormat = [{
    $codes `,` $scales (`zeros` $zeros^)? `bits` $bits `block` $block `axis` $axis (`zero` $zero^)?
    (`unsigned` $isUnsigned^)? (`table` $table^)? (`bytes` $bytes^)? attr-dict
    `:` type($codes) `,` type($scales) (`,` type($zeros)^)? `->` type($result)
  }];
}

def Graph_AttentionOp : Graph_TensorOp<"attention", [AttrSizedOperandSegments, SingleBlock, RecursiveMemoryEffects,
    Graph_GivenSizes<>, Graph_Cost<["getMultiplyAdds", "getFlop"]>]> {
  let summary = "softmax(scores(query x key^T)) x value, without the scores in memory";
  let description = [{
    `query` is [batch.., M, D], `key` [batch.., N, D] and `value` [batch.., N, E]; batch dimensions broadcast as in a map
    (C2 there). The region turns a product of a query with a key into a score: its arguments are the product in f32, the
    numbers of the row and of the column, and the elements of `extras`, aligned to [batch.., M, N] from the right. The
    softmax over N is in f32. A row whose scores are all -inf gives NaN, with `masked` 0. With `query_by_row` the query
    is [.., M, H, D] where H is the last dimension of the batch, as a projection leaves it; likewise the others.
    - (C1) query, key and value have one element type, f32, f16 or bf16, which is that of the result, too, unless it is f32
      and the result is rounded to bf16; they have the rank of the result, and sizes that agree
    - (C2) each dimension of an extra operand is 1 (broadcast; statically) or that of the scores
    - (C3) region arguments are as above; it yields one f32
  }];
  let arguments = (ins Graph_Tensor:$query, Graph_Tensor:$key, Graph_Tensor:$value, Variadic<Graph_Tensor>:$extras,
    Graph_Dims:$dims, UnitAttr:$masked, UnitAttr:$queryByRow, UnitAttr:$keyByRow, UnitAttr:$valueByRow,
    UnitAttr:$resultByRow);
  let results = (outs Graph_Tensor:$result);
  let regions = (region SizedRegion<1>:$scores);
  let assemblyFormat = [{
    $query `,` $key `,` $value (`extras` `(` $extras^ `:` type($extras) `)`)? (`dims` `(` $dims^ `)`)?
    (`masked` $masked^)? (`query_by_row` $queryByRow^)? (`key_by_row` $keyByRow^)? (`value_by_row` $valueByRow^)?
    (`result_by_row` $resultByRow^)? attr-dict-with-keyword
    `:` type($query) `,` type($key) `,` type($value) `->` type($result) $scores
  }];
}

def Graph_ConvOp : Graph_TensorOp<"conv", [Graph_GivenSizes<>, Graph_Cost<["getMultiplyAdds"]>, Graph_Layout<>,
    Graph_Epilogue]> {
  let summary = "convolution over 1, 2 or 3 spatial dimensions";
  let description = [{
    The input is [N, C, spatial..], with `channels_last` [N, spatial.., C]; the result likewise. A filter is
    [OC, C/group, kernel..]; with `packed` panels [group * ceil(OC/group/nr), kernel.., C/group/kr, nr, kr]; with
    `depthwise` [kernel.., C] (group = C = OC). `pads` holds all low pads, then all high pads; padding reads as zero.
    Element types are as for `hone.matmul`, with the input on the left. Where bytes are multiplied, padding reads as
    `fill`.
    - (C1) `strides`, `dilations` have one entry per spatial dimension, `pads` two; strides and dilations are positive
    - (C2) C and OC are multiples of `group` and agree with the filter
    - (C3) the result's spatial sizes follow from input, filter and attributes
    - (C4) a filter that is packed or `depthwise` needs `channels_last`
    - (C5) the filter has the shape given by its layout and `kernel`
    - (C6) C/group is a multiple of the `kr` of a packed filter
    - (C7) `fill` needs a `depthwise` filter of bytes
  }];
  let arguments = (ins Graph_Tensor:$input, Graph_Tensor:$filter, Graph_Dims:$dims, DenseI64ArrayAttr:$strides,
    DenseI64ArrayAttr:$dilations, DenseI64ArrayAttr:$pads, I64Attr:$group, UnitAttr:$channelsLast,
    OptionalAttr<Graph_PackedAttr>:$packed, UnitAttr:$depthwise, DenseI64ArrayAttr:$kernel, OptionalAttr<I8Attr>:$fill);
  let results = (outs Graph_Tensor:$result);
  let assemblyFormat = [{
    $input `,` $filter (`dims` `(` $dims^ `)`)? `kernel` $kernel `strides` $strides `dilations` $dilations `pads` $pads
    `group` $group (`channels_last` $channelsLast^)? (`packed` $packed^)? (`depthwise` $depthwise^)? (`fill` $fill^)?
    attr-dict `:` type($input) `,` type($filter) `->` type($result)
  }];
}

def Graph_ConvTransposeOp : Graph_TensorOp<"conv_transpose", [Graph_GivenSizes<>, Graph_Cost<["getMultiplyAdds"]>,
    Graph_Epilogue]> {
  let summary = "transposed convolution over 1, 2 or 3 spatial dimensions";
  let description = [{
    The input is [N, C, spatial..], the filter [C, OC/group, kernel..]. Result element o gets input element i through
    kernel element k where `o + pad_low = i * stride + k * dilation`. The spatial sizes of the result type decide how
    much of the full result is kept.
    - (C1) as C1 of conv
    - (C2) C is a multiple of `group` and agrees with the filter
  }];
  let arguments = (ins Graph_Tensor:$input, Graph_Tensor:$filter, Graph_Dims:$dims, DenseI64ArrayAttr:$strides,
    DenseI64ArrayAttr:$dilations, DenseI64ArrayAttr:$pads, I64Attr:$group);
  let results = (outs Graph_Tensor:$result);
  let assemblyFormat = [{
    $input `,` $filter (`dims` `(` $dims^ `)`)? `strides` $strides `dilations` $dilations `pads` $pads `group` $group
    attr-dict `:` type($input) `,` type($filter) `->` type($result)
  }];
}

def Graph_PoolOp : Graph_TensorOp<"pool", [Graph_GivenSizes<>, Graph_Cost<["getFlop", "getElementsSwept"]>,
    Graph_Layout<>, Graph_Epilogue]> {
  let summary = "combines each window of the spatial dimensions";
  let description = [{
    Layout, strides, dilations and pads are as for conv. Padding never wins a maximum and adds nothing to a sum; an
    average divides by the elements inside the input, with `count_include_pad` by those inside the padded input.
    The spatial sizes of the result type may exceed the floor formula (ceil mode). `indices`, for max only, are
    positions in the flattened input tensor (with `column_major` the last two spatial dimensions swapped).
    - (C1) as C1 of conv
  }];
  let arguments = (ins Graph_Tensor:$input, Graph_Dims:$dims, Graph_PoolKindAttr:$kind, DenseI64ArrayAttr:$kernel,
    DenseI64ArrayAttr:$strides, DenseI64ArrayAttr:$dilations, DenseI64ArrayAttr:$pads, UnitAttr:$countIncludePad,
    UnitAttr:$channelsLast, UnitAttr:$columnMajor, UnitAttr:$isUnsigned);
  let results = (outs Graph_Tensor:$result, Optional<RankedTensorOf<[I64]>>:$indices);
  let assemblyFormat = [{
    $kind $input (`dims` `(` $dims^ `)`)? `kernel` $kernel `strides` $strides `dilations` $dilations `pads` $pads
    (`count_include_pad` $countIncludePad^)? (`channels_last` $channelsLast^)? (`column_major` $columnMajor^)?
    (`unsigned` $isUnsigned^)? attr-dict `:` type($input) `->` type($result) (`,` type($indices)^)?
  }];
}

//===- Data movement ------------------------------------------------------------------------------------------------===//

def Graph_ReshapeOp : Graph_TensorOp<"reshape", [AllElementTypesMatch<["input", "result"]>, Graph_GivenSizes<>,
    Graph_Cost<>, Graph_Layout<>, Graph_Evaluable<["isFreeToEvaluate"]>, Graph_InMemory]> {
  let summary = "the same elements in row-major order under another shape; never a copy";
  let description = [{
    - (C1) if both shapes are static they have the same number of elements
  }];
  let arguments = (ins Graph_Tensor:$input, Graph_Dims:$dims);
  let results = (outs Graph_Tensor:$result);
  let assemblyFormat = "$input (`dims` `(` $dims^ `)`)? attr-dict `:` type($input) `->` type($result)";
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Graph_TransposeOp : Graph_TensorOp<"transpose", [AllElementTypesMatch<["input", "result"]>, Graph_DerivedSizes,
    Graph_Cost<>, Graph_Evaluable<["isFreeToEvaluate"]>]> {
  let summary = "permutes dimensions: dimension i of the result is dimension `permutation[i]` of the input";
  let description = [{
    - (C1) `permutation` holds each dimension once
    - (C2) the result's dimensions are the permuted ones
  }];
  let arguments = (ins Graph_Tensor:$input, DenseI64ArrayAttr:$permutation);
  let results = (outs Graph_Tensor:$result);
  let assemblyFormat = "$input $permutation attr-dict `:` type($input) `->` type($result)";
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Graph_SliceOp : Graph_TensorOp<"slice", [AllElementTypesMatch<["input", "result"]>, AttrSizedOperandSegments,
    Graph_GivenSizes<>, Graph_Cost<["getPartRead"]>, Graph_Layout<>, Graph_Evaluable<["isFreeToEvaluate"]>,
    Graph_InMemory]> {
  let summary = "element i of the result is element `offset + i * step` of the input, in each dimension";
  let description = [{
    `staticOffsets` holds `ShapedType::kDynamic` where the offset is the next of `offsets`. Steps may be negative.
    - (C1) one offset and one step per dimension; no step is 0
    - (C2) if all is static, every element is inside the input
  }];
  let arguments = (ins Graph_Tensor:$input, Variadic<Index>:$offsets, Graph_Dims:$dims, DenseI64ArrayAttr:$staticOffsets,
    DenseI64ArrayAttr:$steps);
  let results = (outs Graph_Tensor:$result);
  let assemblyFormat = [{
    $input `at` custom<DynamicIndexList>($offsets, $staticOffsets) (`dims` `(` $dims^ `)`)? `steps` $steps attr-dict
    `:` type($input) `->` type($result)
  }];
  let hasFolder = 1;
}

def Graph_ConcatOp : Graph_TensorOp<"concat", [AttrSizedOperandSegments, Graph_GivenSizes<>, Graph_Cost<>,
    Graph_Layout<["getOperandOrder"]>, Graph_Evaluable<>, Graph_InMemory]> {
  let summary = "joins tensors along an axis";
  let description = [{
    - (C1) `axis` is inside the rank, and all operands have the rank and the element type of the result
    - (C2) static sizes agree on the other axes and add up on this one
  }];
  let arguments = (ins Variadic<Graph_Tensor>:$inputs, Graph_Dims:$dims, I64Attr:$axis);
  let results = (outs Graph_Tensor:$result);
  let assemblyFormat = "$inputs (`dims` `(` $dims^ `)`)? `axis` $axis attr-dict `:` type($inputs) `->` type($result)";
  let hasFolder = 1;
}

def Graph_PadOp : Graph_TensorOp<"pad", [AllElementTypesMatch<["input", "result"]>, Graph_DerivedSizes, Graph_Cost<>,
    Graph_Layout<>, Graph_Evaluable<>, Graph_InMemory]> {
  let summary = "surrounds a tensor with one value; negative sizes crop";
  let description = [{
    - (C1) `low` and `high` have one entry per dimension
    - (C2) `value` has the element type
  }];
  let arguments = (ins Graph_Tensor:$input, AnyType:$value, DenseI64ArrayAttr:$low, DenseI64ArrayAttr:$high);
  let results = (outs Graph_Tensor:$result);
  let assemblyFormat = "$input `with` $value `low` $low `high` $high attr-dict `:` type($input) `,` type($value) `->` type($result)";
}

def Graph_GatherOp : Graph_TensorOp<"gather", [AllElementTypesMatch<["input", "result"]>, Graph_DerivedSizes,
    Graph_Cost<["getPartRead"]>, Graph_Evaluable<>, Graph_ReportsErrors]> {
  let summary = "picks slices along an axis; negative indices count from the end";
  let description = [{
    The shape of the result is that of the input with dimension `axis` replaced by the dimensions of `indices`.
    An index out of range ends the run with an error.
    - (C1) `axis` is inside the rank
    - (C2) the result has that shape
  }];
  let arguments = (ins Graph_Tensor:$input, RankedTensorOf<[I32, I64]>:$indices, I64Attr:$axis);
  let results = (outs Graph_Tensor:$result);
  let assemblyFormat = "$input `[` $indices `]` `axis` $axis attr-dict `:` type($input) `,` type($indices) `->` type($result)";
}

def Graph_ScatterOp : Graph_TensorOp<"scatter", [AllTypesMatch<["input", "result"]>,
    AllElementTypesMatch<["input", "updates"]>, Graph_DerivedSizes, Graph_Cost<["getFlop"]>, Graph_InMemory,
    Graph_ReportsErrors]> {
  let summary = "a copy of the input with updates at indexed places, taken in order";
  let description = [{
    With `axis`, indices have the shape of `updates` and replace the coordinate along that axis (ScatterElements);
    without, the last dimension of `indices` holds leading coordinates of a slice (ScatterND).
    Negative indices count from the end; one out of range ends the run with an error.
  }];
  let arguments = (ins Graph_Tensor:$input, RankedTensorOf<[I32, I64]>:$indices, Graph_Tensor:$updates,
    Graph_ScatterKindAttr:$kind, OptionalAttr<I64Attr>:$axis);
  let results = (outs Graph_Tensor:$result);
  let assemblyFormat = [{
    $kind $updates `into` $input `[` $indices `]` (`axis` $axis^)? attr-dict
    `:` type($input) `,` type($indices) `,` type($updates)
  }];
}

//===- Values whose shape depends on data --------------------------------------------------------------------------===//

def Graph_LibraryOp : Graph_Op<"library"> {
  let summary = "calls a function of the runtime on the host";
  let description = [{
    For operations whose result sizes depend on data (nonzero, unique, non-maximum suppression), for sequences,
    optionals and strings. `config` holds the integer and float parameters of the function, in the documented order.
    Dynamic result dimensions are known once it has run.
    ```mlir
    %r = hone.library "nonzero"(%x) : (tensor<4x5xf32>) -> tensor<2x?xi64>
    ```
  }];
  let arguments = (ins StrAttr:$function, Variadic<AnyType>:$operands, OptionalAttr<DictionaryAttr>:$config);
  let results = (outs Variadic<AnyType>:$results);
  let assemblyFormat = "$function `(` $operands `)` ($config^)? attr-dict `:` functional-type($operands, $results)";
}

#endif // HONE_DIALECTS_GRAPH_GRAPHOPS
