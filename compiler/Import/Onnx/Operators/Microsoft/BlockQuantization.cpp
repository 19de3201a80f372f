// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Weights of com.microsoft in few bits, with a scale and a zero point for each
// block of successive ones.
#include "compiler/Import/Onnx/Builder/OpTable.h"
#include "compiler/Import/Onnx/Operators/Attention.h"
#include "dialects/Graph/Constants.h"
#include <numeric>

using namespace mlir;
using namespace hone;
using namespace hone::onnx;
using Args = ArrayRef<Scalar>;

namespace {

/// Number `i` of the values of `bits` bits in a row of bytes, of which the low
/// bits come first; `row` are the indices of the row. Nothing is read, and the
/// value is 0, where `inside` does not hold.
Scalar packedValue(ScalarBuilder &s, Val bytes, SmallVector<Scalar> row,
                   const Scalar &i, int64_t bits, const Scalar &inside) {
  Scalar each = s.indexConstant(8 / bits);
  row.push_back(floorDiv(i, each));
  Scalar byte =
      s.load(s.extractWhere(inside, bytes.value, row,
                            s.constant(bytes.type().getElementType(), 0)),
             bytes.elem);
  if (bits == 8)
    return byte;
  Scalar shift = s.wrap(
      s.store(truncMod(i, each) * s.indexConstant(bits), bytes.elem), true);
  return bitAnd(shiftRight(byte, shift), s.like(byte, (1 << bits) - 1));
}

bool isPowerOf2(int64_t size) { return size > 0 && (size & (size - 1)) == 0; }

/// A constant of the type of `given` with other elements, which `change` makes
/// from those of `given`; none if they are not known.
std::optional<Val> changed(NodeBuilder &n, Val given, ArrayRef<int64_t> shape,
                           llvm::function_ref<void(const graph::ConstantBytes &,
                                                   MutableArrayRef<char>)>
                               change) {
  std::optional<graph::ConstantBytes> known = graph::constantBytes(given.value);
  if (!known)
    return std::nullopt;
  graph::ConstantBuffer buffer(
      RankedTensorType::get(shape, given.type().getElementType()));
  change(*known, buffer.data());
  return Val{graph::ConstantOp::create(n.b, n.loc, buffer.finish("weights")),
             given.elem};
}

/// An order of K in which the elements of each group follow each other, and
/// groups each other; none if groups are not known or not whole blocks.
std::optional<Ints> orderByGroup(NodeBuilder &n, Val groups, int64_t k,
                                 int64_t block) {
  std::optional<Ints> known = n.knownInts(groups);
  if (!known || static_cast<int64_t>(known->size()) < k)
    return std::nullopt;
  known->resize(k);
  Ints order(k);
  std::iota(order.begin(), order.end(), 0);
  llvm::stable_sort(
      order, [&](int64_t a, int64_t b) { return (*known)[a] < (*known)[b]; });
  for (int64_t i = 0; i < k; ++i)
    if ((*known)[order[i]] != i / block)
      return std::nullopt;
  return order;
}

/// Rows of codes in another order of K.
std::optional<Val> reordered(NodeBuilder &n, Val bytes, ArrayRef<int64_t> order,
                             int64_t rows, int64_t rowBytes, int64_t bits) {
  return changed(
      n, bytes, {rows, rowBytes},
      [&](const graph::ConstantBytes &from, MutableArrayRef<char> to) {
        std::fill(to.begin(), to.end(), 0);
        int64_t each = 8 / bits, mask = (1 << bits) - 1;
        for (int64_t row = 0; row < rows; ++row)
          for (auto [place, k] : llvm::enumerate(order)) {
            int64_t byte = *from.element(row * rowBytes + k / each);
            int64_t code = byte >> (k % each * bits) & mask;
            to[row * rowBytes + place / each] |=
                static_cast<char>(code << (place % each * bits));
          }
      });
}

/// The `accuracy_level` at which activations may be rounded to bytes.
constexpr int64_t kBytesAllowed = 4;

/// The weights [N, K] of a node, as f32. Those of several groups are in an
/// order of K that `x`, the left-hand side of their product, gets as well.
std::optional<Val> blockedWeights(NodeBuilder &n, Val &x) {
  Val bytes = n.in(1), scales = n.in(2), zeros = n.in(3), groups = n.in(4);
  int64_t k = n.intAttr("K"), rows = n.intAttr("N"),
          bits = n.intAttr("bits", 4), block = n.intAttr("block_size");
  auto fail = [&](const Twine &reason) -> std::optional<Val> {
    n.fail(reason);
    return std::nullopt;
  };
  if (k < 1 || k > INT32_MAX || rows < 1 || rows > INT32_MAX)
    return fail("needs the sizes K and N");
  if (!isPowerOf2(block) || block < 16 || block > (1 << 20))
    return fail("needs a block_size that is a power of 2 of at least 16");
  if (bits != 2 && bits != 4 && bits != 8)
    return fail("has weights of " + Twine(bits) + " bits, not 2, 4 or 8");
  if (n.intAttr("weight_prepacked"))
    return fail("has weights that are packed for a device already; export them "
                "with weight_prepacked=0");
  if (bytes.elem != ElementType::Uint8 || !isPlainFloat(scales))
    return fail("takes weights of uint8 and float scales");
  int64_t blocks = (k + block - 1) / block;
  bytes = n.withDims(bytes, n.sizes({rows, blocks, block * bits / 8}),
                     "the sizes of weights, K, N and block_size");
  // Files of some versions have them in one row.
  auto inRows = [&](Val v, int64_t each, StringRef what) {
    if (v.rank() == 1)
      v = n.reshape(n.withDims(v, n.sizes({rows * each}), what),
                    n.sizes({rows, each}));
    return n.withDims(v, n.sizes({rows, each}), what);
  };
  scales = inRows(scales, blocks, "the sizes of scales and blocks");
  bool packed = zeros && zeros.elem == ElementType::Uint8;
  if (zeros && !packed && !isPlainFloat(zeros))
    return fail("has zero points of " + elementTypeName(zeros.elem));
  if (zeros)
    zeros = inRows(zeros, packed ? (blocks * bits + 7) / 8 : blocks,
                   "the sizes of zero points and blocks");
  if (groups) {
    if (groups.elem != ElementType::Int32)
      return fail("has a g_idx of " + elementTypeName(groups.elem));
    // It may be padded to whole blocks.
    Sizes sizes = n.dims(groups);
    if (groups.rank() != 1 ||
        !n.require(ge(n.host().size(sizes[0]), static_cast<double>(k)),
                   "g_idx has a group for each of K"))
      return fail("has a g_idx that is no vector as long as K");
  }
  if (n.failed())
    return std::nullopt;
  int64_t rowBytes = blocks * block * bits / 8;
  if (groups)
    if (std::optional<Ints> order = orderByGroup(n, groups, k, block))
      if (std::optional<Val> sorted =
              reordered(n, bytes, *order, rows, rowBytes, bits)) {
        bytes = *sorted;
        groups = Val();
        if (!llvm::is_sorted(*order)) {
          x = n.withSize(x, x.rank() - 1, n.index(k),
                         "the inner sizes of the product");
          if (n.failed())
            return std::nullopt;
          x = n.gather(x, n.constantInts(*order), x.rank() - 1);
        }
      }
  if (!groups) {
    bytes = n.reshape(bytes, n.sizes({rows, rowBytes}));
    return n.dequantizeBlocks(
        bytes, scales, zeros, n.sizes({rows, k}),
        {bits, block, /*axis=*/1, 1 << (bits - 1), /*isUnsigned=*/true,
         /*table=*/{}, n.intAttr("accuracy_level") == kBytesAllowed});
  }
  return n.compute(
      n.sizes({rows, k}), ElementType::Float, [&](ScalarBuilder &s) {
        Scalar row = s.index(0), column = s.index(1), all = s.boolean(true);
        Scalar size = s.indexConstant(block), own = floorDiv(column, size);
        Scalar group = s.checkedIndex(
            s.toIndex(s.element(groups.value, groups.elem, {column})),
            n.index(blocks));
        mlir::Type type = n.b.getF32Type();
        auto wide = [&](const Scalar &x) { return s.toFloat(x, type); };
        Scalar value = wide(packedValue(s, bytes, {row, own},
                                        truncMod(column, size), bits, all));
        Scalar zero =
            packed  ? wide(packedValue(s, zeros, {row}, group, bits, all))
            : zeros ? wide(s.element(zeros.value, zeros.elem, {row, group}))
                    : s.constant(type, 1 << (bits - 1));
        return (value - zero) *
               wide(s.element(scales.value, scales.elem, {row, group}));
      });
}

LogicalResult importMatMulNBits(NodeBuilder &n) {
  Val a = n.in(0), bias = n.in(5);
  if (!isPlainFloat(a) || a.elem == ElementType::Double || a.rank() < 1)
    return n.error("takes a matrix of float, float16 or bfloat16");
  if (bias && (bias.rank() != 1 || !isPlainFloat(bias)))
    return n.error("has a bias that is no float vector");
  Val x = n.widened(a);
  std::optional<Val> weights = blockedWeights(n, x);
  if (!weights)
    return failure();
  bool row = a.rank() == 1;
  Val product = n.matmul(row ? n.unsqueeze(x, {0}) : x, *weights,
                         /*transposeRhs=*/true);
  if (n.failed())
    return failure();
  SmallVector<Val> inputs{product};
  if (bias)
    inputs.push_back(n.alignTo(n.cast(bias, x.elem), n.dims(product)));
  Val y = n.map(inputs, a.elem,
                [](Args v) { return v.size() > 1 ? v[0] + v[1] : v[0]; });
  return n.failed() ? failure() : n.out(row ? n.squeeze(y, {0}) : y);
}

/// What the 16 values of 4 bits stand for: floats of a sign, two bits of
/// exponent and one of mantissa as their authors number them, and the quantiles
/// of a normal distribution.
constexpr float kFp4[] = {
    0, 1. / 192,  2. / 3,  1,  1. / 3,  1. / 2,  1. / 6,  1. / 4,
    0, -1. / 192, -2. / 3, -1, -1. / 3, -1. / 2, -1. / 6, -1. / 4};
constexpr float kNf4[] = {-1.0,
                          -0.6961928009986877,
                          -0.5250730514526367,
                          -0.39491748809814453,
                          -0.28444138169288635,
                          -0.18477343022823334,
                          -0.09105003625154495,
                          0.0,
                          0.07958029955625534,
                          0.16093020141124725,
                          0.24611230194568634,
                          0.33791524171829224,
                          0.44070982933044434,
                          0.5626170039176941,
                          0.7229568362236023,
                          1.0};

/// The weights [N, K] of 4 bits of a node, as f32.
Val weightsFromTable(NodeBuilder &n, Val bytes, Val largest, int64_t rows,
                     int64_t k, int64_t block, ArrayRef<float> table) {
  // Blocks that end inside of a row are divided: parts have the same scale.
  int64_t part = std::gcd(k, block);
  auto swapHalves = [](const graph::ConstantBytes &from,
                       MutableArrayRef<char> to) {
    for (auto [i, byte] : llvm::enumerate(to)) {
      auto both = static_cast<uint8_t>(*from.element(i));
      byte = static_cast<char>(both << 4 | both >> 4);
    }
  };
  auto repeat = [&](const graph::ConstantBytes &from,
                    MutableArrayRef<char> to) {
    for (int64_t i = 0; i < rows * k / part; ++i)
      std::memcpy(to.data() + i * from.width, from.element(i * part / block),
                  from.width);
  };
  // The codes of a part fill words of 32 bits.
  if (part % 8 == 0)
    if (std::optional<Val> codes = changed(n, bytes, {rows, k / 2}, swapHalves))
      if (std::optional<Val> scales =
              changed(n, largest, {rows, k / part}, repeat))
        return n.dequantizeBlocks(*codes, *scales, Val(), n.sizes({rows, k}),
                                  {/*bits=*/4, part, /*axis=*/1, /*zero=*/0,
                                   /*isUnsigned=*/true, table});
  SmallVector<double> numbers(table.begin(), table.end());
  Val values = n.constant(ElementType::Float, {graph::kCodeTableSize}, numbers);
  return n.compute(
      n.sizes({rows, k}), ElementType::Float, [&](ScalarBuilder &s) {
        Scalar place = s.index(0) * s.indexConstant(k) + s.index(1),
               two = s.indexConstant(2),
               base = s.indexConstant(graph::kCodeTableSize);
        Scalar byte = s.toIndex(
            s.element(bytes.value, bytes.elem, {floorDiv(place, two)}));
        Scalar low = ne(truncMod(place, two), 0);
        Scalar code = select(low, truncMod(byte, base), floorDiv(byte, base));
        Scalar value = s.element(values.value, values.elem, {code});
        Scalar most = s.element(largest.value, largest.elem,
                                {floorDiv(place, s.indexConstant(block))});
        return value * s.toFloat(most, value.type());
      });
}

/// A product with weights [N, K] of 4 bits, which lie in one row, the first of
/// two in the high bits, with the largest absolute value of each block.
LogicalResult importMatMulBnb4(NodeBuilder &n) {
  Val a = n.in(0), bytes = n.in(1), largest = n.in(2);
  int64_t k = n.intAttr("K"), rows = n.intAttr("N"),
          block = n.intAttr("block_size"), kind = n.intAttr("quant_type", -1);
  bool transposed = n.intAttr("transB", 1) != 0;
  if (!isPlainFloat(a) || a.elem == ElementType::Double || a.rank() < 1)
    return n.error("takes a matrix of float, float16 or bfloat16");
  if (k < 1 || k > INT32_MAX || rows < 1 || rows > INT32_MAX)
    return n.error("needs the sizes K and N");
  if (!isPowerOf2(block) || block < 16 || block > (1 << 20))
    return n.error("needs a block_size that is a power of 2 of at least 16");
  if (kind != 0 && kind != 1)
    return n.error("needs a quant_type of 0 (FP4) or 1 (NF4)");
  if (bytes.elem != ElementType::Uint8 || bytes.rank() != 1 ||
      !isPlainFloat(largest) || largest.rank() != 1)
    return n.error("takes weights of uint8 and floats in one row each");
  int64_t count = k * rows;
  bytes = n.withDims(bytes, n.sizes({(count + 1) / 2}),
                     "the sizes of weights, K and N");
  largest = n.withDims(largest, n.sizes({(count + block - 1) / block}),
                       "the numbers of blocks and of their largest values");
  if (n.failed())
    return failure();
  Val x = n.widened(a);
  Val weights = weightsFromTable(n, bytes, largest, rows, k, block,
                                 kind == 0 ? ArrayRef(kFp4) : ArrayRef(kNf4));
  bool row = a.rank() == 1;
  Val product = n.matmul(row ? n.unsqueeze(x, {0}) : x, weights, transposed);
  if (n.failed())
    return failure();
  product = n.cast(product, a.elem);
  return n.out(row ? n.squeeze(product, {0}) : product);
}

/// Gather of rows that are quantized in blocks.
LogicalResult importGatherBlockQuantized(NodeBuilder &n) {
  Val data = n.in(0), indices = n.in(1), scales = n.in(2), zeros = n.in(3);
  int64_t rank = data.rank();
  if (rank < 1 || !isInteger(indices.elem) || !isPlainFloat(scales) ||
      scales.rank() != rank)
    return n.error("takes a tensor, indices, and float scales of as many "
                   "dimensions as the tensor");
  bool bytes = data.elem == ElementType::Uint8,
       floats = isSmallFloat(data.elem),
       nibbles =
           data.elem == ElementType::Int4 || data.elem == ElementType::Uint4;
  if (!bytes && !floats && !nibbles)
    return n.error("gathers from a tensor of " + elementTypeName(data.elem));
  if (zeros && (floats || zeros.elem != data.elem || zeros.rank() != rank))
    return n.error("has zero points that do not fit its data");
  int64_t bits = bytes ? n.intAttr("bits", 4) : 8,
          block = n.intAttr("block_size", 128),
          axis = n.axisAttr("gather_axis", 0, rank),
          blocked = n.axisAttr("quantize_axis", 1, rank);
  if (n.failed())
    return failure();
  if (bits != 2 && bits != 4 && bits != 8)
    return n.error("has data of " + Twine(bits) + " bits, not 2, 4 or 8");
  bool whole = block == 0 && floats;
  if (!whole && (!isPowerOf2(block) || block < 16 || block > (1 << 20)))
    return n.error("needs a block_size that is a power of 2 of at least 16");
  if (bytes && (blocked != rank - 1 || axis == blocked))
    return n.error("has bytes that are not packed along the last dimension, or "
                   "gathers along it");
  int64_t each = 8 / bits; // values in a byte
  Sizes own = n.dims(data), sizes = own, scaleSizes;
  sizes[blocked] = n.mul(own[blocked], each);
  scaleSizes = sizes;
  scaleSizes[blocked] =
      whole ? n.index(1) : n.ceilDiv(sizes[blocked], n.index(block));
  // Scales of floats may be shared along other dimensions.
  for (int64_t i = 0; i < rank && floats; ++i)
    if (i != blocked && scales.shape()[i] == 1)
      scaleSizes[i] = n.index(1);
  scales = n.withDims(scales, scaleSizes, "the sizes of data and scales");
  if (zeros) {
    Sizes zeroSizes = scaleSizes;
    zeroSizes[blocked] = n.ceilDiv(zeroSizes[blocked], n.index(each));
    zeros = n.withDims(zeros, zeroSizes, "the sizes of scales and zero points");
  }
  if (n.failed())
    return failure();
  int64_t count = indices.rank();
  Sizes result(ArrayRef(sizes).take_front(axis));
  llvm::append_range(result, n.dims(indices));
  llvm::append_range(result, ArrayRef(sizes).drop_front(axis + 1));
  mlir::Type f32 = n.b.getF32Type();
  return n.out(n.compute(result, scales.elem, [&](ScalarBuilder &s) {
    SmallVector<Scalar> at, place;
    for (int64_t i = 0; i < count; ++i)
      place.push_back(s.index(axis + i));
    Scalar index = s.toIndex(s.element(indices.value, indices.elem, place));
    Scalar size = s.size(own[axis]), none = s.indexConstant(0);
    index = select(lt(index, 0), index + size, index);
    // A row that is not there is one of zeros.
    Scalar inside = bitAnd(ge(index, 0), lt(index, size));
    for (int64_t i = 0; i < rank; ++i)
      at.push_back(i < axis    ? s.index(i)
                   : i == axis ? index
                               : s.index(i + count - 1));
    auto read = [&](Val v, ArrayRef<Scalar> where) {
      return s.load(s.extractWhere(inside, v.value, where,
                                   s.constant(v.type().getElementType(), 0)),
                    v.elem);
    };
    SmallVector<Scalar> group = at;
    group[blocked] =
        whole ? none : floorDiv(at[blocked], s.indexConstant(block));
    auto packed = [&](Val v, SmallVector<Scalar> where) {
      if (!bytes)
        return s.toFloat(read(v, where), f32);
      Scalar last = where.pop_back_val();
      return s.toFloat(packedValue(s, v, where, last, bits, inside), f32);
    };
    Scalar value = packed(data, at);
    if (zeros)
      value = value - packed(zeros, group);
    else if (bytes)
      value = value - static_cast<double>(1 << (bits - 1));
    for (int64_t i = 0; i < rank; ++i)
      if (NodeBuilder::known(scaleSizes[i]) == 1)
        group[i] = none;
    Scalar scaled = value * s.toFloat(read(scales, group), f32);
    return s.cast(select(inside, scaled, s.like(scaled, 0)), scales.elem);
  }));
}

} // namespace

void hone::onnx::addBlockQuantization(OpTable &table) {
  table.setDomain("com.microsoft");
  table.add("MatMulNBits", importMatMulNBits, 3, 6);
  table.add("MatMulBnb4", importMatMulBnb4, 3);
  table.add("GatherBlockQuantized", importGatherBlockQuantized, 3, 4);
  table.setDomain("");
}
