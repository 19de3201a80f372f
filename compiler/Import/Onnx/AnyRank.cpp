// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tensors whose number of dimensions only the run knows. Kernels are made for
// one number of dimensions: operators that compute element by element, with
// scalars at most, see the elements in a row.
#include "compiler/Import/Onnx/AnyRank.h"

#include "compiler/Import/Onnx/Library.h"
#include "compiler/Import/Onnx/OpTable.h"

using namespace mlir;
using namespace hone::onnx;

mlir::Type hone::onnx::anyRankOf(mlir::Type element) {
  return hone::graph::OptionalType::get(element.getContext(),
                                        UnrankedTensorType::get(element));
}

bool hone::onnx::isAnyRank(mlir::Type type) {
  auto optional = dyn_cast<hone::graph::OptionalType>(type);
  return optional && isa<UnrankedTensorType>(optional.getElementType());
}

Val hone::onnx::flattenAnyRank(NodeBuilder &n, Val v) {
  return LibraryCall(n, "flatten").tensor(v.elem, {-1})({v});
}

Val hone::onnx::shapeLikeAnyRank(NodeBuilder &n, Val vector, Val like) {
  return LibraryCall(n, "shape_like")
      .setType("type", vector.elem)
      .result(anyRankOf(vector.type().getElementType()),
              vector.elem)({vector, like});
}

static LogicalResult importInARow(NodeBuilder &n,
                                  const ImportFunction &import) {
  Val given = n.in(0);
  if (!given || !isAnyRank(given.value.getType()))
    return import(n);
  SmallVector<Val> inputs(n.allInputs());
  for (Val v : ArrayRef(inputs).drop_front())
    if (v && v.rank() != 0)
      return n.error("combines a tensor with one whose number of dimensions "
                     "only the run knows; put a Reshape before this node");
  inputs[0] = flattenAnyRank(n, given);
  NodeBuilder flat(n.importer, n.scope, n.node, n.opset, n.loc, inputs);
  LogicalResult result = import(flat);
  n.followError(flat);
  if (failed(result) || flat.failed())
    return failure();
  return n.out(shapeLikeAnyRank(n, flat.results()[0], given));
}

void OpTable::takeAnyRank(llvm::ArrayRef<llvm::StringRef> names) {
  for (llvm::StringRef name : names) {
    OpEntry &entry = entries[(domain + ":" + name).str()];
    entry.takesAnyRank = true;
    entry.import = [import = entry.import](NodeBuilder &n) {
      return importInARow(n, import);
    };
  }
}
