// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Tensors whose rank is only known at run time. Kernels are compiled for one
// rank: elementwise operators process the elements in a row, those of several
// tensors after the runtime has broadcast them to one shape.
#include "compiler/Import/Onnx/Builder/AnyRank.h"

#include "compiler/Import/Onnx/Builder/Library.h"
#include "compiler/Import/Onnx/Builder/OpTable.h"

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

/// Broadcasts the tensors, at least one, to a common shape.
static SmallVector<Val> broadcastAnyRank(NodeBuilder &n, ArrayRef<Val> values) {
  if (values.size() == 1)
    return {values.front()};
  LibraryCall call(n, "broadcast");
  for (const Val &v : values)
    call.result(anyRankOf(storageType(n.b.getContext(), v.elem)), v.elem);
  return call.call(values);
}

static LogicalResult importInARow(NodeBuilder &n, bool broadcast,
                                  const ImportFunction &import) {
  SmallVector<Val> inputs(n.allInputs());
  SmallVector<size_t> shaped;
  bool isOpen = false;
  for (auto [i, v] : llvm::enumerate(inputs)) {
    bool anyRank = v && isAnyRank(v.value.getType());
    isOpen |= anyRank;
    if (v && (anyRank || v.rank() != 0))
      shaped.push_back(i);
  }
  if (!isOpen)
    return import(n);
  if (shaped.size() > 1 && (!broadcast || n.opset < 7))
    return n.error("combines a tensor with one whose number of dimensions "
                   "is only known at run time; put a Reshape before this node");
  SmallVector<Val> values;
  for (size_t i : shaped)
    values.push_back(inputs[i]);
  values = broadcastAnyRank(n, values);
  Val like = values.front();
  for (auto [i, v] : llvm::zip(shaped, values)) {
    Val row = flattenAnyRank(n, v);
    inputs[i] = i == shaped.front()
                    ? row
                    : n.withDims(row, n.dims(inputs[shaped.front()]),
                                 "the sizes of its inputs");
  }
  if (n.failed())
    return failure();
  NodeBuilder flat(n.importer, n.scope, n.node, n.opset, n.loc, inputs);
  LogicalResult result = import(flat);
  n.followError(flat);
  if (failed(result) || flat.failed())
    return failure();
  return n.out(shapeLikeAnyRank(n, flat.results()[0], like));
}

void OpTable::takeAnyRank(llvm::ArrayRef<llvm::StringRef> names,
                          bool broadcast) {
  for (llvm::StringRef name : names) {
    OpEntry &entry = entries[(domain + ":" + name).str()];
    entry.anyRankInputs = broadcast ? kVariadic : 1;
    entry.import = [broadcast, import = entry.import](NodeBuilder &n) {
      return importInARow(n, broadcast, import);
    };
  }
}
