// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The builders of NodeBuilder that reduce and contract tensors.
#include "compiler/Import/Onnx/Builder/NodeBuilder.h"

using namespace mlir;
using namespace hone::onnx;

std::optional<Val> NodeBuilder::reduceOnHost(graph::ReduceKind kind, Val v,
                                             ArrayRef<int64_t> axes,
                                             ArrayRef<Size> sizes) {
  ScalarBuilder s(b, loc, &dimBuilder);
  SmallVector<Scalar> elements;
  // Complete reductions of integers: products and sums of sizes.
  if (!isInteger(v.elem) || static_cast<int64_t>(axes.size()) != v.rank() ||
      !v.isStatic() || !hostScalars(v, s, elements) || elements.empty())
    return std::nullopt;
  Scalar result = elements.front();
  for (const Scalar &x : llvm::drop_begin(elements)) {
    switch (kind) {
    case graph::ReduceKind::Sum:
      result = result + x;
      break;
    case graph::ReduceKind::Prod:
      result = result * x;
      break;
    case graph::ReduceKind::Max:
      result = hone::onnx::max(result, x);
      break;
    case graph::ReduceKind::Min:
      result = hone::onnx::min(result, x);
      break;
    default:
      return std::nullopt;
    }
  }
  SmallVector<int64_t> shape(sizes.size(), 1);
  return fromHost(result, shape, v.elem);
}

Val NodeBuilder::reduce(graph::ReduceKind kind, Val v, ArrayRef<int64_t> axes,
                        bool keepdims) {
  if (!areTensors(v))
    return placeholder();
  Sizes sizes;
  for (auto [i, size] : llvm::enumerate(dims(v))) {
    if (!llvm::is_contained(axes, static_cast<int64_t>(i)))
      sizes.push_back(size);
    else if (keepdims)
      sizes.push_back(index(1));
  }
  if (isUnsigned(v.elem) || v.elem == ElementType::Bool) {
    if (kind == graph::ReduceKind::Max)
      kind = graph::ReduceKind::UMax;
    else if (kind == graph::ReduceKind::Min)
      kind = graph::ReduceKind::UMin;
  }
  if (!v.type().getElementType().isIntOrFloat() || isSmallFloat(v.elem))
    fail("does not reduce " + elementTypeName(v.elem));
  if (std::optional<Val> folded = reduceOnHost(kind, v, axes, sizes))
    return *folded;
  return {graph::ReduceOp::create(b, loc, tensorType(v.elem, sizes), v.value,
                                  kind, axes, keepdims),
          v.elem};
}

Val NodeBuilder::mean(Val v, ArrayRef<int64_t> axes, bool keepdims) {
  Size count = index(1);
  for (int64_t axis : axes)
    count = mul(count, dim(v, axis));
  return meanOf(sum(widened(v), axes, keepdims), count, v.elem);
}

Val NodeBuilder::meanOf(Val total, Size count, ElementType elem) {
  std::optional<int64_t> number = known(count);
  if (isFloat(elem) && number)
    return map(total, elem, [&](Scalar x) {
      return x * (1.0 / static_cast<double>(*number));
    });
  Val divisor = cast(fromSizes({count}, {}), total.elem);
  return map({total, divisor}, elem,
             [](ArrayRef<Scalar> x) { return x[0] / x[1]; });
}

Val NodeBuilder::dequantizeBlocks(Val codes, Val scales, Val zeros,
                                  ArrayRef<Size> sizes,
                                  const BlockQuantization &quantization) {
  for (Val *parameters : {&scales, &zeros})
    if (*parameters && parameters->elem == ElementType::Double)
      *parameters = cast(*parameters, ElementType::Float);
  return {graph::DequantizeOp::create(
              b, loc, tensorType(ElementType::Float, sizes), codes.value,
              scales.value, zeros.value, quantization.bits, quantization.block,
              quantization.axis, quantization.zero, quantization.isUnsigned,
              quantization.table.empty()
                  ? nullptr
                  : b.getDenseF32ArrayAttr(quantization.table),
              quantization.bytes),
          ElementType::Float};
}

Val NodeBuilder::matmulAs(ElementType result, Val lhs, Val rhs,
                          bool transposeRhs) {
  std::string type = elementTypeName(lhs.elem);
  if (lhs.elem != rhs.elem)
    fail("multiplies matrices of " + type + " and " +
         elementTypeName(rhs.elem) + ": their element types must be the same");
  else if (!lhs.type().getElementType().isIntOrFloat() ||
           isSmallFloat(lhs.elem) || lhs.elem == ElementType::Bool)
    fail("multiplies matrices of " + type + ", which have no product");
  else if (lhs.rank() < 2 || rhs.rank() < 2)
    fail("multiplies tensors with fewer than 2 dimensions as matrices");
  if (failed())
    return lhs;
  Sizes left = dims(lhs), right = dims(rhs);
  size_t inner = right.size() - (transposeRhs ? 1 : 2),
         columns = right.size() - (transposeRhs ? 2 : 1);
  // The inner size of the right side is used: it is usually the weights', and
  // known.
  left.back() = right[inner];
  lhs = withDims(lhs, left, "the inner sizes of the product");
  if (failed())
    return lhs;

  int64_t batch = std::max(left.size(), right.size()) - 2;
  // The shape of the batch dimensions only, and both sides broadcast to it.
  auto batchDims = [&](ArrayRef<Size> sizes, int64_t i) {
    int64_t own = i - (batch - (static_cast<int64_t>(sizes.size()) - 2));
    return own < 0 ? index(1) : sizes[own];
  };
  Sizes sizes;
  for (int64_t i = 0; i < batch; ++i) {
    Size x = batchDims(left, i), y = batchDims(right, i);
    if (known(x) == 1 || same(x, y)) {
      sizes.push_back(y);
    } else if (known(y) == 1) {
      sizes.push_back(x);
    } else if (known(x) && known(y)) {
      fault("has batches of " + Twine(*known(x)) + " and " + Twine(*known(y)) +
            ", which do not broadcast");
      return lhs;
    } else if (known(x) || known(y)) {
      sizes.push_back(known(x) ? x : y);
    } else {
      Scalar p = host().size(x), q = host().size(y);
      sizes.push_back(toSize(select(eq(p, 1), q, p)));
    }
  }
  auto aligned = [&](Val v, Sizes own) {
    Sizes target = sizes;
    target.append(own.end() - 2, own.end());
    return alignTo(v, target);
  };
  lhs = aligned(lhs, left);
  rhs = aligned(rhs, right);
  sizes.push_back(left[left.size() - 2]);
  sizes.push_back(right[columns]);
  return {graph::MatmulOp::create(b, loc, tensorType(result, sizes), lhs.value,
                                  rhs.value, dynamic(sizes), transposeRhs,
                                  graph::PackedAttr(), graph::QuantizedAttr()),
          result};
}
