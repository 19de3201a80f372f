# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""sparse.py FILE SIZE...: a model with a sparse initializer of two elements for each size."""
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

tensors = []
for i, size in enumerate(sys.argv[2:]):
    values = numpy_helper.from_array(np.array([1, 2], np.float32), f"w{i}")
    indices = numpy_helper.from_array(np.array([0, int(size) - 1]), f"i{i}")
    tensors.append(helper.make_sparse_tensor(values, indices, [int(size)]))
nodes = [helper.make_node("ReduceSum", [t.values.name], [f"s{i}"]) for i, t in enumerate(tensors)]
nodes.append(helper.make_node("Sum", ["x"] + [n.output[0] for n in nodes], ["y"]))
x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")
graph = helper.make_graph(nodes, "g", [x], [y], sparse_initializer=tensors)
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), sys.argv[1])
