// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Losses over class scores.
#include "compiler/Import/Onnx/Builder/OpTable.h"

using namespace mlir;
using namespace hone::onnx;
using hone::graph::ReduceKind;

namespace {

/// -log p of the target class, weighted; the classes are along dimension 1.
LogicalResult negativeLogLikelihood(NodeBuilder &n, Val logs) {
  Val target = n.in(1);
  if (logs.rank() < 2 || target.rank() != logs.rank() - 1 ||
      !isInteger(target.elem))
    return n.error("takes class scores of at least 2 dimensions and one "
                   "integer class for each");
  StringRef reduction = n.stringAttr("reduction", "mean");
  bool ignores = n.hasAttr("ignore_index");
  Size ignored = n.index(n.intAttr("ignore_index", -1));
  if (n.has(3)) { // Training graphs pass it as an input.
    if (!isInteger(n.in(3).elem) || n.in(3).rank() > 1)
      return n.error("has an ignore_index that is not an integer");
    ignores = true;
    ignored = n.toSize(n.hostScalar(n.in(3)));
  }
  Sizes sizes = n.dims(logs);
  Size classes = sizes[1];
  sizes.erase(sizes.begin() + 1);
  target = n.withDims(target, sizes, "the sizes of scores and classes");
  Val weight = n.in(2);
  if (n.has(2)) {
    if (weight.rank() != 1 || weight.elem != n.in(0).elem)
      return n.error("has weights that are not a vector of the scores' type");
    weight = n.withDims(weight, {classes}, "the sizes of classes and weights");
  }
  if (n.failed())
    return failure();

  ElementType wide = logs.elem;
  auto classAt = [&](ScalarBuilder &s, SmallVector<Scalar> &at) {
    for (int64_t i = 0; i < target.rank(); ++i)
      at.push_back(s.index(i));
    return s.toIndex(s.element(target.value, target.elem, at));
  };
  // An ignored target may not be a valid class: class 0 is read instead, with
  // weight 0.
  auto chosen = [&](ScalarBuilder &s, Scalar index, Scalar &counts) {
    counts = ignores ? ne(index, s.size(ignored)) : s.boolean(true);
    return s.checkedIndex(select(counts, index, s.indexConstant(0)), classes);
  };
  mlir::Type type = computeType(n.b.getContext(), wide);
  auto weightAt = [&](ScalarBuilder &s, const Scalar &index,
                      const Scalar &counts) {
    Scalar own =
        n.has(2)
            ? s.toFloat(s.element(weight.value, weight.elem, {index}), type)
            : s.constant(type, 1);
    return select(counts, own, s.constant(type, 0));
  };
  Val loss = n.compute(sizes, wide, [&](ScalarBuilder &s) {
    SmallVector<Scalar> at;
    Scalar counts, index = chosen(s, classAt(s, at), counts);
    at.insert(at.begin() + 1, index);
    Scalar score = s.element(logs.value, wide, at);
    return select(counts, -score * weightAt(s, index, counts),
                  s.constant(type, 0));
  });
  ElementType elem = n.in(0).elem;
  if (reduction == "none")
    return n.out(n.cast(loss, elem));
  Ints all;
  for (int64_t i = 0; i < loss.rank(); ++i)
    all.push_back(i);
  Val total = n.sum(loss, all, /*keepdims=*/false);
  if (reduction == "sum")
    return n.out(n.cast(total, elem));
  if (reduction != "mean")
    return n.error("has a reduction that ONNX does not define: '" + reduction +
                   "'");
  if (!n.has(2) && !ignores)
    return n.out(n.cast(n.mean(loss, all, /*keepdims=*/false), elem));
  Val weights = n.compute(sizes, wide, [&](ScalarBuilder &s) {
    SmallVector<Scalar> at;
    Scalar counts, index = chosen(s, classAt(s, at), counts);
    return weightAt(s, index, counts);
  });
  return n.out(n.map({total, n.sum(weights, all, /*keepdims=*/false)}, elem,
                     [](ArrayRef<Scalar> x) { return x[0] / x[1]; }));
}

LogicalResult importSoftmaxCrossEntropy(NodeBuilder &n) {
  if (!isFloat(n.in(0).elem) || isSmallFloat(n.in(0).elem) ||
      n.in(0).rank() < 2)
    return n.error("takes float scores of at least 2 dimensions");
  Val x = n.widened(n.in(0));
  Val top = n.reduce(ReduceKind::Max, x, {1}, /*keepdims=*/true);
  Val centered =
      n.map({x, top}, x.elem, [](ArrayRef<Scalar> a) { return a[0] - a[1]; });
  Val total = n.sum(n.map(centered, [](Scalar v) { return exp(v); }), {1},
                    /*keepdims=*/true);
  Val logs = n.map({centered, total}, x.elem,
                   [](ArrayRef<Scalar> a) { return a[0] - log(a[1]); });
  if (n.wants(1))
    n.out(1, n.cast(logs, n.in(0).elem));
  return negativeLogLikelihood(n, logs);
}

LogicalResult importNegativeLogLikelihood(NodeBuilder &n) {
  if (!isFloat(n.in(0).elem) || isSmallFloat(n.in(0).elem))
    return n.error("takes float scores");
  return negativeLogLikelihood(n, n.widened(n.in(0)));
}

} // namespace

void hone::onnx::addLosses(OpTable &table) {
  table.add("NegativeLogLikelihoodLoss", importNegativeLogLikelihood, 2, 3);
  table.add("SoftmaxCrossEntropyLoss", importSoftmaxCrossEntropy, 2, 3);
  table.setDomain("com.microsoft");
  table.add("SoftmaxCrossEntropyLossInternal", importSoftmaxCrossEntropy, 2, 4);
  table.setDomain("");
}
