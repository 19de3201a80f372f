// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The `hone` dialect, its types and the attributes its operations share.
#ifndef HONE_DIALECTS_GRAPH_GRAPHDIALECT
#define HONE_DIALECTS_GRAPH_GRAPHDIALECT

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinTypeInterfaces.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"

def Graph_Dialect : Dialect {
  let name = "hone";
  let cppNamespace = "::hone::graph";
  let summary = "model-level operations that linalg does not express well";
  let useDefaultAttributePrinterParser = 1;
  let useDefaultTypePrinterParser = 1;
  let hasConstantMaterializer = 1;
}

class Graph_Type<string cppName, string typeMnemonic, list<Trait> traits = []> : TypeDef<Graph_Dialect, cppName, traits> {
  let mnemonic = typeMnemonic;
}

def Graph_StringType : Graph_Type<"String", "string", [MemRefElementTypeInterface]> {
  let summary = "element of a string tensor: a pointer and a length, both 64 bits";
}

def Graph_SequenceType : Graph_Type<"Sequence", "sequence"> {
  let summary = "an ordered list of values of one type, held by the session";
  let parameters = (ins "::mlir::Type":$elementType);
  let assemblyFormat = "`<` $elementType `>`";
}

def Graph_OptionalType : Graph_Type<"Optional", "optional"> {
  let summary = "a value that may be absent, held by the session";
  let parameters = (ins "::mlir::Type":$elementType);
  let assemblyFormat = "`<` $elementType `>`";
}

def Graph_MapType : Graph_Type<"Map", "map"> {
  let summary = "a map from keys to values; both are vectors, in the session's or the caller's memory";
  let parameters = (ins "::mlir::RankedTensorType":$keys, "::mlir::RankedTensorType":$values);
  let assemblyFormat = "`<` $keys `,` $values `>`";
}

class Graph_Enum<string name, string summary, list<I32EnumAttrCase> cases> : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::hone::graph";
  let genSpecializedAttr = 0;
}
class Graph_EnumAttr<EnumAttrInfo info, string mnemonic> : EnumAttr<Graph_Dialect, info, mnemonic>;

def Graph_ReduceKind : Graph_Enum<"ReduceKind", "how a reduction combines two elements", [
  I32EnumAttrCase<"Sum", 0, "sum">, I32EnumAttrCase<"Prod", 1, "prod">,
  I32EnumAttrCase<"Max", 2, "max">, I32EnumAttrCase<"Min", 3, "min">,
  I32EnumAttrCase<"UMax", 4, "umax">, I32EnumAttrCase<"UMin", 5, "umin">]>;
def Graph_ReduceKindAttr : Graph_EnumAttr<Graph_ReduceKind, "reduce_kind">;

def Graph_PoolKind : Graph_Enum<"PoolKind", "how a pooling window is combined", [
  I32EnumAttrCase<"Max", 0, "max">, I32EnumAttrCase<"Average", 1, "average">, I32EnumAttrCase<"Sum", 2, "sum">]>;
def Graph_PoolKindAttr : Graph_EnumAttr<Graph_PoolKind, "pool_kind">;

def Graph_ScatterKind : Graph_Enum<"ScatterKind", "how a scattered update combines with the old element", [
  I32EnumAttrCase<"Assign", 0, "assign">, I32EnumAttrCase<"Sum", 1, "sum">, I32EnumAttrCase<"Prod", 2, "prod">,
  I32EnumAttrCase<"Max", 3, "max">, I32EnumAttrCase<"Min", 4, "min">,
  I32EnumAttrCase<"UMax", 5, "umax">, I32EnumAttrCase<"UMin", 6, "umin">]>;
def Graph_ScatterKindAttr : Graph_EnumAttr<Graph_ScatterKind, "scatter_kind">;

def Graph_PackedAttr : AttrDef<Graph_Dialect, "Packed"> {
  let mnemonic = "packed";
  let summary = "the layout of a packed right-hand side of a product";
  let description = [{
    Panels of `nr` columns hold `kr` successive elements of K of each column together: `packed<16, 4>` of a K x N matrix is
    [ceil(N/16), ceil(K/4), 16, 4]. The last dimension is left out where `kr` is 1. What has no column or no element of K
    is zero. Microkernels read `nr * kr` elements in a step (`passes/Cpu/MicroKernel.h`).

    With `corrections` bytes are in such an order that two adjacent ones of a column can be multiplied by unsigned bytes and
    added up in 16 bits. Each `half` of a panel, 8 columns, has its own order in each block of 16 elements of K. Where no
    order will do, an element lies closer to zero, and what it lacks is one of the `corrections` of its half. A panel is a
    sequence of whole steps: its elements, those of the filter of a convolution by position and channel; for each
    correction a step of up to four elements of K in a column, whose pairs fit as well; for each of them and half the position in that
    step's place, as four i32: position in the kernel's rows, in a row, first of four channels or elements of K, and 0; and
    for each half the place of every element within its block.
  }];
  let parameters = (ins "int64_t":$nr, "int64_t":$kr, OptionalParameter<"std::optional<int64_t>">:$corrections);
  let builders = [AttrBuilder<(ins "int64_t":$nr, "int64_t":$kr), [{ return $_get($_ctxt, nr, kr, std::nullopt); }]>];
  let assemblyFormat = "`<` $nr `,` $kr (`,` `corrections` `=` $corrections^)? `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Elements of K that are in an order of their own, and columns with one order.
    static constexpr int64_t kOrderedBlock = 16, kHalf = 8;
    /// Bytes of a correction's position.
    static constexpr int64_t kPositionBytes = 16;
    bool isOrdered() const { return getCorrections().has_value(); }
    /// Whether K, or the channels of a convolution, can be in order.
    static bool canOrder(int64_t k, ::mlir::Type operand, ::mlir::Type sum);

    /// Of a matrix of `k` x `n`.
    int64_t panels(int64_t n) const { return ::llvm::divideCeil(n, getNr()); }
    int64_t steps(int64_t k) const {
      if (!isOrdered())
        return ::llvm::divideCeil(k, getKr());
      return ::llvm::divideCeil(ordersOffset(k) + getNr() / kHalf * k, getNr() * getKr());
    }
    /// Of an ordered panel, where corrections, their positions and orders begin.
    int64_t correctionsOffset(int64_t k) const { return k * getNr(); }
    int64_t positionsOffset(int64_t k) const { return correctionsOffset(k) + *getCorrections() * getNr() * getKr(); }
    int64_t ordersOffset(int64_t k) const {
      return positionsOffset(k) + ::llvm::alignTo(*getCorrections() * (getNr() / kHalf) * kPositionBytes, getNr() * getKr());
    }
    /// Appends the dimensions of a panel's step: [nr] or [nr, kr].
    void appendStep(::llvm::SmallVectorImpl<int64_t> &shape) const {
      shape.push_back(getNr());
      if (getKr() != 1)
        shape.push_back(getKr());
    }
    /// Whether each of `group` parts of the channels, if known, is whole steps.
    bool divides(int64_t channels, int64_t group) const {
      return ::mlir::ShapedType::isDynamic(channels) || channels / group % getKr() == 0;
    }
    /// Whether panels of this type are multiplied in such steps.
    bool isFor(::mlir::Type element) const;
    /// How many dimensions these are.
    int64_t stepRank() const { return getKr() == 1 ? 1 : 2; }
  }];
}

def Graph_QuantizedAttr : AttrDef<Graph_Dialect, "Quantized"> {
  let mnemonic = "quantized";
  let summary = "a packed right-hand side of a product that is quantized in blocks along K";
  let description = [{
    An element is (code - zero point) * scale, with a scale for each column and `block` elements of K. The codes of `kr`
    elements of K fill a word of 32 bits, where `packed<nr, kr>` is the layout of the panels: code i lies in byte i % 4, and
    is number i / 4 of that byte's codes, from the lowest bits up. A shift and a mask thus leave four successive codes in
    the bytes of the word, as dot products of bytes take them.
    A panel is a sequence of blocks, each of them the scales of its `nr` columns, their zero points in the same type where
    `zero` does not give one for all, and the codes, so that a product reads one stream of memory. As a tensor of words, a
    K x N matrix is [ceil(N/nr), ceil(K/block), words of a block]. With `table` codes have 4 bits, and an element is
    table[code] * scale.

    With `bytes` the left-hand side is rounded to signed bytes and multiplied by the codes, with sums of a block in i32.
    Elements of a row and a block have a scale s / 127, where s is the largest of their magnitudes or at least 2^-119, and x
    becomes x * (127 / s), rounded to the nearest integer, ties to even. The results of a row with an element that is
    infinite or not a number are not numbers.
  }];
  let parameters = (ins "int64_t":$block, "::mlir::Type":$scale, OptionalParameter<"std::optional<int64_t>">:$zero,
    OptionalParameter<"::mlir::DenseF32ArrayAttr">:$table, DefaultValuedParameter<"bool", "false">:$bytes);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Of a block whose sums of bytes times codes do not overflow.
    static constexpr int64_t kMaxBlockOfBytes = 1 << 15;
    /// Whether codes in blocks of this size can be multiplied by bytes: of whole words, however many bits they have.
    static bool canMultiplyBytes(int64_t block);
    /// Bits of a code.
    static int64_t codeBits(PackedAttr packed) { return 32 / packed.getKr(); }
    /// Where the code of element `i` of a word begins.
    static int64_t codePlace(PackedAttr packed, int64_t i) { return i % 4 * 8 + i / 4 * codeBits(packed); }

    /// Words of the scales of a block's columns, or of their zero points.
    int64_t parameterWords(PackedAttr packed) const {
      return packed.getNr() * getScale().getIntOrFloatBitWidth() / 32;
    }
    /// Words before the codes of a block.
    int64_t headWords(PackedAttr packed) const {
      return parameterWords(packed) * (getZero() ? 1 : 2);
    }
    int64_t blockWords(PackedAttr packed) const {
      return headWords(packed) + getBlock() / packed.getKr() * packed.getNr();
    }
    int64_t blocks(int64_t k) const { return ::llvm::divideCeil(k, getBlock()); }
    /// Whether a tensor or buffer holds a matrix of `k` x `n`; a dynamic `n` may be any.
    bool isLayoutOf(::mlir::ShapedType type, PackedAttr packed, int64_t k, int64_t n) const;
  }];
}

def Graph_ScheduleAttr : AttrDef<Graph_Dialect, "Schedule"> {
  let mnemonic = "schedule";
  let summary = "how a kernel operation is computed on a CPU";
  let description = [{
    The result is divided into register tiles of at most `tileRows` rows x `tileVectors` vectors of columns, computed by
    the microkernel `form` (`passes/Cpu/MicroKernel.h`). A block, one iteration of the parallel loop, has `blockRows` x
    `blockColumns` elements; 0 means one tile. A block processes K in chunks of `blockK`, between which its sums are
    kept in memory; 0 means all of K. With `packed` the right-hand side of a tile is first copied to contiguous memory.

    - of `hone.kernel.matmul`: rows and columns are those of the product
    - of `hone.kernel.conv` with panels: the rows of a tile are pixels of an image row, its columns are channels, blocks
      have image rows
    - of `hone.kernel.attention`: columns are keys

    `hone-schedule-kernels` chooses it.
  }];
  let parameters = (ins StringRefParameter<>:$form, "int64_t":$tileRows, "int64_t":$tileVectors, "int64_t":$blockRows,
    "int64_t":$blockColumns, "int64_t":$blockK, "bool":$packed);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

#endif // HONE_DIALECTS_GRAPH_GRAPHDIALECT
