# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""reductions.py MODEL: products, sums and sorted lines, which share memory on a GPU."""
import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

nodes = [
    helper.make_node("MatMul", ["x", "w"], ["a"]),
    helper.make_node("Softmax", ["a"], ["b"]),
    helper.make_node("MatMul", ["b", "w"], ["c"]),
    helper.make_node("ReduceSum", ["c"], ["d"], keepdims=0),
    helper.make_node("TopK", ["c", "k"], ["e", "f"]),
]
weights = [
    numpy_helper.from_array(numpy.ones((256, 256), numpy.float32), "w"),
    numpy_helper.from_array(numpy.array([5], numpy.int64), "k"),
]
inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [64, 256])]
outputs = [helper.make_tensor_value_info(n, t, None) for n, t in (("d", TensorProto.FLOAT), ("e", TensorProto.FLOAT), ("f", TensorProto.INT64))]
graph = helper.make_graph(nodes, "test", inputs, outputs, weights)
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), sys.argv[1])
