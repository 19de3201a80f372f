// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernel operations: contractions and windows that write to a destination and end in a scalar epilogue.
// Conventions: operands are tensors, or memrefs that are contiguous and row-major. All of `outs` have one shape, the
// output shape. The region runs once for each output element. Its arguments are the accumulator, then one scalar per
// operand of `extras`, read through its entry of `maps`: an affine map over the output coordinates whose results are
// `d<i>`, or 0 where the operand is broadcast. It yields the element of each of `outs`. The accumulator has the element
// type of the original operation, but is f32 for f16 and bf16. Narrower operands are extended to it; bytes on the
// left of a product are unsigned, those on the right signed.
#ifndef HONE_DIALECTS_GRAPH_KERNELOPS
#define HONE_DIALECTS_GRAPH_KERNELOPS

include "dialects/Graph/GraphDialect.td"
include "dialects/Graph/GraphInterfaces.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def Graph_Buffer : AnyTypeOf<[AnyRankedTensor, AnyMemRef]>;

class Graph_Scheduled<list<string> own = []> : DeclareOpInterfaceMethods<Graph_ScheduledOpInterface, own>;

/// An operation with an epilogue region. `inputs` are the operands that are not the epilogue's.
class Graph_KernelOp<string opMnemonic, list<Trait> traits = []> : Op<Graph_Dialect, opMnemonic, !listconcat([
    AttrSizedOperandSegments, DestinationStyleOpInterface, RecursiveMemoryEffects, SingleBlock, Graph_KernelOpInterface,
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>], traits)> {
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let regions = (region SizedRegion<1>:$epilogue);
  let hasVerifier = 1;
  code kernelDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getOutsMutable(); }
  }];
  let extraClassDeclaration = kernelDeclaration;
  let extraClassDefinition = [{
    void $cppClass::getEffects(
        SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>> &effects) {
      addBufferEffects(*this, effects);
    }
  }];
}

def Graph_KernelMatmulOp : Graph_KernelOp<"kernel.matmul", [Graph_Scheduled<>]> {
  let summary = "matrix product with an epilogue";
  let description = [{
    `lhs` and `rhs` are as for `hone.matmul`.
    - (C1) ranks are at least 2 and inner dimensions agree
    - (C2) region arguments, maps and yielded values fit the operands
    - (C3) a quantized `rhs` has the layout that the attributes say
    ```mlir
    %r = hone.kernel.matmul ins(%a, %b : tensor<4x8xf32>, tensor<1x8x16xf32>) extras(%bias : tensor<16xf32>)
           maps [affine_map<(d0, d1) -> (d1)>] outs(%init : tensor<4x16xf32>) packed <16, 1> {
    ^bb0(%acc: f32, %x: f32):
      %s = arith.addf %acc, %x : f32
      hone.kernel.yield %s : f32
    } -> tensor<4x16xf32>
    ```
  }];
  let arguments = (ins Graph_Buffer:$lhs, Graph_Buffer:$rhs, Variadic<Graph_Buffer>:$extras, Variadic<Graph_Buffer>:$outs,
    AffineMapArrayAttr:$maps, UnitAttr:$transposeRhs, OptionalAttr<Graph_PackedAttr>:$packed,
    OptionalAttr<Graph_QuantizedAttr>:$quantized, OptionalAttr<Graph_ScheduleAttr>:$schedule);
  let assemblyFormat = [{
    `ins` `(` $lhs `,` $rhs `:` type($lhs) `,` type($rhs) `)` (`extras` `(` $extras^ `:` type($extras) `)`)? `maps` $maps
    `outs` `(` $outs `:` type($outs) `)` (`transpose_rhs` $transposeRhs^)? (`packed` $packed^)? (`quantized` $quantized^)?
    (`schedule` $schedule^)? attr-dict-with-keyword $epilogue (`->` type($results)^)?
  }];
}

def Graph_KernelConvOp : Graph_KernelOp<"kernel.conv", [Graph_Scheduled<["takesSchedule"]>]> {
  let summary = "convolution or transposed convolution with an epilogue";
  let description = [{
    Operands and attributes are as for `hone.conv`, with `transposed` as for `hone.conv_transpose`.
    - (C1) attributes have one entry per spatial dimension, `pads` two
    - (C2) region arguments, maps and yielded values fit the operands
    - (C3) with `packed`, the channels of a group are a multiple of `kr`
  }];
  let arguments = (ins Graph_Buffer:$input, Graph_Buffer:$filter, Variadic<Graph_Buffer>:$extras,
    Variadic<Graph_Buffer>:$outs, AffineMapArrayAttr:$maps, DenseI64ArrayAttr:$kernel, DenseI64ArrayAttr:$strides,
    DenseI64ArrayAttr:$dilations, DenseI64ArrayAttr:$pads, I64Attr:$group, UnitAttr:$channelsLast, UnitAttr:$transposed,
    OptionalAttr<Graph_PackedAttr>:$packed, UnitAttr:$depthwise, OptionalAttr<I8Attr>:$fill,
    OptionalAttr<Graph_ScheduleAttr>:$schedule);
  let assemblyFormat = [{
    `ins` `(` $input `,` $filter `:` type($input) `,` type($filter) `)` (`extras` `(` $extras^ `:` type($extras) `)`)?
    `maps` $maps `outs` `(` $outs `:` type($outs) `)` `kernel` $kernel `strides` $strides `dilations` $dilations
    `pads` $pads `group` $group (`channels_last` $channelsLast^)? (`transposed` $transposed^)? (`packed` $packed^)?
    (`depthwise` $depthwise^)? (`fill` $fill^)? (`schedule` $schedule^)? attr-dict-with-keyword $epilogue
    (`->` type($results)^)?
  }];
}

def Graph_KernelPoolOp : Graph_KernelOp<"kernel.pool"> {
  let summary = "pooling with an epilogue";
  let description = [{
    Operand and attributes are as for `hone.pool`. With `indices` the region's second argument is the position (i64) of
    the maximum.
    - (C1) attributes have one entry per spatial dimension, `pads` two
    - (C2) region arguments, maps and yielded values fit the operands
  }];
  let arguments = (ins Graph_Buffer:$input, Variadic<Graph_Buffer>:$extras, Variadic<Graph_Buffer>:$outs,
    AffineMapArrayAttr:$maps, Graph_PoolKindAttr:$kind, DenseI64ArrayAttr:$kernel, DenseI64ArrayAttr:$strides,
    DenseI64ArrayAttr:$dilations, DenseI64ArrayAttr:$pads, UnitAttr:$indices, UnitAttr:$countIncludePad,
    UnitAttr:$channelsLast, UnitAttr:$columnMajor, UnitAttr:$isUnsigned);
  let assemblyFormat = [{
    $kind `ins` `(` $input `:` type($input) `)` (`extras` `(` $extras^ `:` type($extras) `)`)? `maps` $maps
    `outs` `(` $outs `:` type($outs) `)` `kernel` $kernel `strides` $strides `dilations` $dilations `pads` $pads
    (`indices` $indices^)? (`count_include_pad` $countIncludePad^)? (`channels_last` $channelsLast^)?
    (`column_major` $columnMajor^)? (`unsigned` $isUnsigned^)? attr-dict-with-keyword $epilogue (`->` type($results)^)?
  }];
  let extraClassDeclaration = kernelDeclaration # [{
    unsigned getNumAccumulators() { return getIndices() ? 2 : 1; }
  }];
}

def Graph_KernelAttentionOp : Graph_KernelOp<"kernel.attention", [Graph_Scheduled<>]> {
  let summary = "attention with an epilogue on its scores";
  let description = [{
    Operands are as for `hone.attention`, with one destination. Unlike elsewhere the region and `maps` are about the
    scores, [batch.., M, N]: three accumulators (the product in f32, row and column) give the score in f32.
    - (C1) operands have the rank of the output, which is at least 2
    - (C2) region arguments, maps and the yielded value fit the operands
  }];
  let arguments = (ins Graph_Buffer:$query, Graph_Buffer:$key, Graph_Buffer:$value, Variadic<Graph_Buffer>:$extras,
    Variadic<Graph_Buffer>:$outs, AffineMapArrayAttr:$maps, UnitAttr:$masked, UnitAttr:$queryByRow, UnitAttr:$keyByRow,
    UnitAttr:$valueByRow, UnitAttr:$resultByRow, OptionalAttr<Graph_ScheduleAttr>:$schedule);
  let assemblyFormat = [{
    `ins` `(` $query `,` $key `,` $value `:` type($query) `,` type($key) `,` type($value) `)`
    (`extras` `(` $extras^ `:` type($extras) `)`)? `maps` $maps `outs` `(` $outs `:` type($outs) `)`
    (`masked` $masked^)? (`query_by_row` $queryByRow^)? (`key_by_row` $keyByRow^)? (`value_by_row` $valueByRow^)?
    (`result_by_row` $resultByRow^)? (`schedule` $schedule^)? attr-dict-with-keyword
    $epilogue (`->` type($results)^)?
  }];
  let extraClassDeclaration = kernelDeclaration # [{
    unsigned getNumAccumulators() { return 3; }
    /// [batch.., M, N]
    ::llvm::SmallVector<int64_t> getScoreShape();
  }];
}

def Graph_KernelYieldOp : Op<Graph_Dialect, "kernel.yield", [Pure, Terminator, ReturnLike,
    ParentOneOf<["KernelAttentionOp", "KernelMatmulOp", "KernelConvOp", "KernelPoolOp"]>]> {
  let summary = "ends an epilogue region";
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "$values attr-dict `:` type($values)";
}

#endif // HONE_DIALECTS_GRAPH_KERNELOPS
