// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Operations of the host plan. Buffers are contiguous and row-major; a dynamic dimension of a result is an `index`
// operand in `dims`, one for each `?` of its type in order.
#ifndef HONE_DIALECTS_RT_RTOPS
#define HONE_DIALECTS_RT_RTOPS

include "dialects/Rt/RtDialect.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Rt_Op<string opMnemonic, list<Trait> traits = []> : Op<Rt_Dialect, opMnemonic, traits>;

def Rt_Dims : Variadic<Index>;
def Rt_Buffer : MemRefRankOf<[AnyType], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]>;
def Rt_Number : ConfinedAttr<I64Attr, [IntNonNegative]>;

//===- Before buffers -----------------------------------------------------------------------------------------------===//

def Rt_CallOp : Rt_Op<"call", [Pure, AttrSizedOperandSegments, DeclareOpInterfaceMethods<SymbolUserOpInterface>,
    DeclareOpInterfaceMethods<ReifyRankedShapedTypeOpInterface, ["reifyResultShapes"]>]> {
  let summary = "calls a kernel on tensors";
  let description = [{
    `args` are the kernel's scalar arguments, `dims` the dynamic dimensions of all results in order.
    - (C1) the kernel is a function of the module with these operand and result types
    - (C2) one entry of `dims` for each dynamic dimension of the results
    ```mlir
    %r = hone_rt.call @k0(%x, %w) args(%n) dims(%n) : (tensor<?x4xf32>, tensor<4x8xf32>) -> tensor<?x8xf32>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, Variadic<AnyRankedTensor>:$inputs, Variadic<Index>:$args, Rt_Dims:$dims);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let assemblyFormat = [{
    $kernel `(` $inputs `)` (`args` `(` $args^ `)`)? (`dims` `(` $dims^ `)`)? attr-dict
    `:` functional-type($inputs, $results)
  }];
  let hasVerifier = 1;
}

//===- Buffers ------------------------------------------------------------------------------------------------------===//

class Rt_BufferOp<string opMnemonic, list<Trait> traits = []> : Rt_Op<opMnemonic, traits> {
  let hasVerifier = 1;
}

def Rt_InputOp : Rt_BufferOp<"input", [Pure]> {
  let summary = "an input of the model, in the caller's memory; read only";
  let description = [{
    With `any_rank` it is a tensor, and the result an optional that holds it.
  }];
  let arguments = (ins Rt_Number:$index, Rt_Dims:$dims, UnitAttr:$any_rank);
  let results = (outs AnyType:$result);
  let assemblyFormat = "$index (`any_rank` $any_rank^)? (`dims` `(` $dims^ `)`)? attr-dict `:` type($result)";
}

def Rt_OutputOp : Rt_BufferOp<"output", [Pure]> {
  let summary = "the memory that the caller gave for an output whose shape is known before the run";
  let arguments = (ins Rt_Number:$index, Rt_Dims:$dims);
  let results = (outs Rt_Buffer:$result);
  let assemblyFormat = "$index (`dims` `(` $dims^ `)`)? attr-dict `:` type($result)";
}

def Rt_ConstantOp : Rt_BufferOp<"constant", [Pure]> {
  let summary = "a constant tensor, `offset` bytes into the weights";
  let arguments = (ins Rt_Number:$offset, ElementsAttr:$value);
  let results = (outs Rt_Buffer:$result);
  let assemblyFormat = "$offset $value attr-dict `:` type($result)";
}

def Rt_SlotOp : Rt_BufferOp<"slot", [Pure]> {
  let summary = "a range of the arena, placed by the plan";
  let arguments = (ins Rt_Number:$index, Rt_Dims:$dims);
  let results = (outs Rt_Buffer:$result);
  let assemblyFormat = "$index (`dims` `(` $dims^ `)`)? attr-dict `:` type($result)";
}

def Rt_AllocOp : Rt_BufferOp<"alloc"> {
  let summary = "a block of the session, for sizes that depend on data; `node` is the one that requests it";
  let arguments = (ins Rt_Dims:$dims, OptionalAttr<Rt_Number>:$node);
  let results = (outs Rt_Buffer:$result);
  let assemblyFormat = "(`dims` `(` $dims^ `)`)? (`node` $node^)? attr-dict `:` type($result)";
}

def Rt_MarkOp : Rt_Op<"mark"> {
  let summary = "the number of blocks allocated so far; a loop asks before it allocates its first";
  let results = (outs Index:$mark);
  let assemblyFormat = "attr-dict";
}

def Rt_EndIterationOp : Rt_Op<"end_iteration"> {
  let summary = "frees the blocks allocated since `mark`, except those passed to the next iteration";
  let arguments = (ins Index:$mark, Variadic<Rt_Buffer>:$kept);
  let assemblyFormat = "$mark (`keep` `(` $kept^ `:` type($kept) `)`)? attr-dict";
}

def Rt_ViewOp : Rt_BufferOp<"view", [Pure, AttrSizedOperandSegments]> {
  let summary = "the same memory under another shape, from element `offset` on";
  let arguments = (ins Rt_Buffer:$source, Optional<Index>:$offset, Rt_Dims:$dims);
  let results = (outs Rt_Buffer:$result);
  let assemblyFormat = "$source (`from` $offset^)? (`dims` `(` $dims^ `)`)? attr-dict `:` type($source) `->` type($result)";
  let builders = [OpBuilder<(ins "::mlir::Type":$result, "::mlir::Value":$source, "::mlir::ValueRange":$dims), [{
    build($_builder, $_state, result, source, ::mlir::Value(), dims);
  }]>];
}

def Rt_DimOp : Rt_Op<"dim", [Pure]> {
  let summary = "dimension `axis` of a buffer";
  let arguments = (ins Rt_Buffer:$source, Rt_Number:$axis);
  let results = (outs Index:$result);
  let assemblyFormat = "$source `,` $axis attr-dict `:` type($source)";
}

def Rt_LoadOp : Rt_Op<"load", [MemoryEffects<[MemRead]>]> {
  let summary = "one element of a buffer; the indices are inside it";
  let arguments = (ins Arg<Rt_Buffer, "", [MemRead]>:$source, Variadic<Index>:$indices);
  let results = (outs AnyType:$result);
  let assemblyFormat = "$source `[` $indices `]` attr-dict `:` type($source) `->` type($result)";
}

def Rt_StoreOp : Rt_Op<"store"> {
  let summary = "writes one element of a buffer; the indices are inside it";
  let arguments = (ins AnyType:$value, Arg<Rt_Buffer, "", [MemWrite]>:$target, Variadic<Index>:$indices);
  let assemblyFormat = "$value `,` $target `[` $indices `]` attr-dict `:` type($value) `,` type($target)";
}

def Rt_CopyOp : Rt_Op<"copy"> {
  let summary = "copies all elements; both have the same number of them";
  let arguments = (ins Arg<Rt_Buffer, "", [MemRead]>:$source, Arg<Rt_Buffer, "", [MemWrite]>:$target,
    OptionalAttr<Rt_Number>:$step);
  let assemblyFormat = "$source `to` $target (`step` $step^)? attr-dict `:` type($source) `,` type($target)";
  let builders = [OpBuilder<(ins "::mlir::Value":$source, "::mlir::Value":$target), [{
    build($_builder, $_state, source, target, ::mlir::IntegerAttr());
  }]>];
}

def Rt_DispatchOp : Rt_Op<"dispatch", [AttrSizedOperandSegments]> {
  let summary = "runs all pieces of a kernel on the threads of the session; `step` is its index in `hone.steps`";
  let arguments = (ins FlatSymbolRefAttr:$kernel, Arg<Variadic<Rt_Buffer>, "", [MemRead]>:$inputs,
    Arg<Variadic<Rt_Buffer>, "", [MemWrite]>:$outputs, Variadic<Index>:$args, OptionalAttr<Rt_Number>:$step);
  let assemblyFormat = [{
    $kernel `ins` `(` ($inputs^ `:` type($inputs))? `)` `outs` `(` ($outputs^ `:` type($outputs))? `)`
    (`args` `(` $args^ `)`)? (`step` $step^)? attr-dict
  }];
  let builders = [OpBuilder<(ins "::mlir::FlatSymbolRefAttr":$kernel, "::mlir::ValueRange":$inputs,
    "::mlir::ValueRange":$outputs, "::mlir::ValueRange":$args), [{
    build($_builder, $_state, kernel, inputs, outputs, args, ::mlir::IntegerAttr());
  }]>];
}

def Rt_LibraryOp : Rt_Op<"library"> {
  let summary = "calls a library function of the runtime";
  let description = [{
    The function allocates its results in blocks of the session; `hone_rt.dim` reads their dimensions. `config` is
    flattened in the order of its names (abi.h).
  }];
  let arguments = (ins StrAttr:$function, Variadic<AnyType>:$operands, OptionalAttr<DictionaryAttr>:$config, Rt_Number:$node,
    OptionalAttr<Rt_Number>:$step);
  let results = (outs Variadic<AnyType>:$results);
  let assemblyFormat = [{
    $function `(` $operands `)` (`config` $config^)? `node` $node (`step` $step^)? attr-dict
    `:` functional-type($operands, $results)
  }];
  let builders = [OpBuilder<(ins "::mlir::TypeRange":$results, "::mlir::StringAttr":$function,
    "::mlir::ValueRange":$operands, "::mlir::DictionaryAttr":$config, "uint64_t":$node), [{
    build($_builder, $_state, results, function, operands, config, node, ::mlir::IntegerAttr());
  }]>];
}

def Rt_OutputDimsOp : Rt_Op<"output_dims"> {
  let summary = "the shape of an output, if the free dimensions determine it; no effect at run time";
  let arguments = (ins Rt_Number:$index, Rt_Dims:$dims, TypeAttr:$type);
  let assemblyFormat = "$index (`dims` `(` $dims^ `)`)? attr-dict `:` $type";
}

def Rt_SetOutputOp : Rt_Op<"set_output"> {
  let summary = "sets an output whose shape depends on data, or that is not a tensor";
  let arguments = (ins Rt_Number:$index, AnyType:$value);
  let assemblyFormat = "$index `,` $value attr-dict `:` type($value)";
}

def Rt_CheckOp : Rt_Op<"check"> {
  let summary = "ends the run, or the preparation, with an error of a node unless the condition holds";
  let arguments = (ins I1:$condition, Rt_Number:$node, I64Attr:$status);
  let assemblyFormat = "$condition `node` $node `status` $status attr-dict";
}

def Rt_CheckDimsOp : Rt_Op<"check_dims", [AttrSizedOperandSegments]> {
  let summary = "ends the run, or the preparation, with an error of a node unless a buffer of this shape is possible";
  let description = [{
    No dimension may be negative, and the total bytes must not overflow. `overflows` says whether the computation of a
    dimension wrapped around.
    - (C1) one entry of `dims` for each dynamic dimension of `type`
    ```mlir
    hone_rt.check_dims dims(%n, %m) overflows %wrapped node 3 : memref<?x?x4xf32>
    ```
  }];
  let arguments = (ins Rt_Dims:$dims, Optional<I1>:$overflows, Rt_Number:$node, TypeAttr:$type);
  let assemblyFormat = "`dims` `(` $dims `)` (`overflows` $overflows^)? `node` $node attr-dict `:` $type";
  let hasVerifier = 1;
}

//===- Preparation --------------------------------------------------------------------------------------------------===//

def Rt_SlotBytesOp : Rt_Op<"slot_bytes"> {
  let summary = "reports the size of a slot to the planner: that of a buffer of this shape";
  let arguments = (ins Rt_Number:$index, Rt_Dims:$dims, TypeAttr:$type);
  let assemblyFormat = "$index (`dims` `(` $dims^ `)`)? attr-dict `:` $type";
  let hasVerifier = 1;
}

def Rt_OutputDimOp : Rt_Op<"output_dim"> {
  let summary = "reports a dimension of an output to the caller: entry `index` of all outputs' dimensions; -1 is unknown";
  let arguments = (ins Rt_Number:$index, Index:$size);
  let assemblyFormat = "$index `,` $size attr-dict";
}

#endif // HONE_DIALECTS_RT_RTOPS
