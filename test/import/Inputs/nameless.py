# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes a model whose dimensions have no names, "?", or names as Hone gives to such:
nameless.py FILE."""
import sys

import onnx
from onnx import TensorProto, helper

x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["?", None])
y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["?", "?1"])
nodes = [helper.make_node("Neg", [name], [out]) for name, out in (("x", "a"), ("y", "b"))]
outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["?", "?"]) for name in "ab"]
graph = helper.make_graph(nodes, "nameless", [x, y], outputs)
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), sys.argv[1])
