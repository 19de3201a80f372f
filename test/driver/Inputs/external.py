# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""external.py MODEL DATA: a model whose weights lie in a file of their own."""
import pathlib
import sys

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

model, data = map(pathlib.Path, sys.argv[1:])
weights = numpy.arange(64, dtype=numpy.float32)
data.write_bytes(weights.tobytes())
tensor = numpy_helper.from_array(weights, "w")
tensor.ClearField("raw_data")
tensor.data_location = TensorProto.EXTERNAL
tensor.external_data.add(key="location", value=data.name)
info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [64]) for name in "xy"]
graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "test", info[:1], info[1:], [tensor])
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), model)
