// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels move neither strings nor complex numbers: an operator that moves data
// is imported over the positions of the elements, and the runtime then fetches
// the elements.
#include "compiler/Import/Onnx/Builder/Library.h"
#include "compiler/Import/Onnx/Builder/OpTable.h"

using namespace mlir;
using namespace hone::onnx;

static bool isMovedByPosition(Val v) {
  return v && v.isTensor() &&
         (v.elem == ElementType::String || isComplex(v.elem));
}

/// The value at position 0: padding is zeros.
static Val nothing(NodeBuilder &n, ElementType elem) {
  if (elem == ElementType::String)
    return texts(n, {""});
  auto type = RankedTensorType::get({1}, storageType(n.b.getContext(), elem));
  SmallVector<char> zeros(elementBits(elem) / 8);
  return {hone::graph::ConstantOp::create(
              n.b, n.loc, DenseElementsAttr::getFromRawBuffer(type, zeros)),
          elem};
}

/// The numbers of the elements in row-major order, starting with `first`.
static Val positions(NodeBuilder &n, Val v, Size first) {
  Sizes sizes = n.dims(v);
  return n.compute(sizes, ElementType::Int64, [&](ScalarBuilder &s) {
    Scalar position = s.indexConstant(0);
    for (int64_t i = 0; i < v.rank(); ++i)
      position = position * s.size(sizes[i]) + s.index(i);
    return s.cast(position + s.size(first), ElementType::Int64);
  });
}

static LogicalResult importOverPositions(NodeBuilder &n,
                                         const ImportFunction &import) {
  SmallVector<Val> inputs, sources;
  Size first = n.index(1);
  for (Val v : n.allInputs()) {
    if (isMovedByPosition(v)) {
      if (!sources.empty() && sources.front().elem != v.elem)
        return n.error("joins values of different types");
      sources.push_back(v);
      inputs.push_back(positions(n, v, first));
      first = n.add(first, n.product(n.dims(v)));
    } else {
      inputs.push_back(v);
    }
  }
  if (sources.empty())
    return import(n);
  NodeBuilder moved(n.importer, n.scope, n.node, n.opset, n.loc, inputs);
  LogicalResult result = import(moved);
  n.followError(moved);
  if (failed(result) || moved.failed())
    return failure();
  for (auto [i, place] : llvm::enumerate(moved.results())) {
    if (!place)
      continue;
    SmallVector<Val> operands{place, nothing(n, sources.front().elem)};
    operands.append(sources);
    n.out(i, LibraryCall(n, "take").sized(sources.front().elem,
                                          n.dims(place))(operands));
  }
  return success();
}

void OpTable::moveByPosition(llvm::ArrayRef<llvm::StringRef> names) {
  for (llvm::StringRef name : names) {
    OpEntry &entry = entries[(domain + ":" + name).str()];
    entry.import = [import = entry.import](NodeBuilder &n) {
      return importOverPositions(n, import);
    };
  }
}
