// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Operators whose axes are an input only known at run time: each dimension gets
// a condition.
#include "compiler/Import/Onnx/Operators/RuntimeAxes.h"
#include "compiler/Import/Onnx/Builder/Loops.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace hone::onnx;

SmallVector<Scalar> hone::onnx::axisFlags(NodeBuilder &n, Val axes,
                                          int64_t rank) {
  bool counted = axes.isStatic();
  std::optional<Sizes> elements =
      counted ? n.elements(axes) : n.elementsUpTo(axes, rank, 0);
  if (!elements)
    return {};
  ScalarBuilder &s = n.host();
  SmallVector<Scalar> flags(rank, s.boolean(false));
  for (auto [k, element] : llvm::enumerate(*elements)) {
    Scalar axis = s.size(element);
    axis = select(lt(axis, 0), axis + static_cast<double>(rank), axis);
    n.require(bitAnd(ge(axis, 0), lt(axis, static_cast<double>(rank))),
              "the axes are inside its input");
    for (int64_t i = 0; i < rank; ++i) {
      Scalar hit = eq(axis, static_cast<double>(i));
      if (!counted)
        hit = bitAnd(hit, gt(s.size(n.dim(axes, 0)), static_cast<double>(k)));
      flags[i] = bitOr(flags[i], hit);
    }
  }
  return flags;
}

Sizes hone::onnx::sizesWithout(NodeBuilder &n, ArrayRef<Size> sizes,
                               ArrayRef<Scalar> flags, int64_t rank) {
  ScalarBuilder &s = n.host();
  SmallVector<Scalar> result(rank, s.indexConstant(0));
  Scalar place = s.indexConstant(0);
  for (auto [size, flag] : llvm::zip(sizes, flags)) {
    Scalar kept = bitNot(flag);
    for (int64_t j = 0; j < rank; ++j)
      result[j] = select(bitAnd(kept, eq(place, static_cast<double>(j))),
                         s.size(size), result[j]);
    place = select(kept, place + 1, place);
  }
  Sizes kept;
  for (const Scalar &size : result)
    kept.push_back(n.toSize(size));
  return kept;
}

Sizes hone::onnx::sizesWithOnes(NodeBuilder &n, ArrayRef<Size> sizes,
                                ArrayRef<Scalar> flags) {
  ScalarBuilder &s = n.host();
  Sizes result;
  Scalar place = s.indexConstant(0);
  for (const Scalar &flag : flags) {
    Scalar size = s.indexConstant(1);
    for (auto [i, own] : llvm::enumerate(sizes))
      size = select(eq(place, static_cast<double>(i)), s.size(own), size);
    result.push_back(n.toSize(select(flag, s.indexConstant(1), size)));
    place = select(flag, place, place + 1);
  }
  return result;
}

Val hone::onnx::alongFlagged(NodeBuilder &n, Val v, ArrayRef<Scalar> flags,
                             std::optional<Size> changed,
                             function_ref<Val(Val, int64_t)> change) {
  Sizes sizes = n.dims(v);
  SmallVector<int64_t> shape(v.shape());
  for (auto [i, flag] : llvm::enumerate(flags)) {
    if (changed) {
      shape[i] = ShapedType::kDynamic;
      sizes[i] = n.toSize(
          select(flag, n.host().size(*changed), n.host().size(sizes[i])));
    }
    auto type = RankedTensorType::get(shape, v.type().getElementType());
    auto branch =
        scf::IfOp::create(n.b, n.loc, mlir::TypeRange(type), flag.value, true);
    OpBuilder::InsertionGuard guard(n.b);
    for (bool taken : {true, false}) {
      n.b.setInsertionPointToStart(taken ? branch.thenBlock()
                                         : branch.elseBlock());
      Val result = castTo(n, taken ? change(v, i) : v, type);
      scf::YieldOp::create(n.b, n.loc, result.value);
    }
    v = {branch.getResult(0), v.elem};
    n.dimBuilder.learn(v.value, sizes);
  }
  return v;
}
