# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes folders of ONNX's .pb files for these tests: onnx_values.py FOLDER."""
import os
import sys

import numpy as np
import onnx
from onnx import numpy_helper


def write(name, value):
    path = os.path.join(sys.argv[1], name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(value if isinstance(value, bytes) else value.SerializeToString())


x = (np.arange(8).reshape(2, 4) - 2).astype(np.float32)
write("set/input_0.pb", numpy_helper.from_array(x))
write("set/input_1.pb", numpy_helper.from_array(np.array([1, 0, 7])))
write("set/input_2.pb", numpy_helper.from_list([x[0], x]))
write("set/input_3.pb", numpy_helper.from_optional(x[1]))
write("set/output_0.pb", numpy_helper.from_array(x * np.float32(2.001)))
write("set/output_1.pb", numpy_helper.from_array(np.array([-1, -2, 5], np.float32)))
write("set/output_3.pb", numpy_helper.from_list([x[0], x, x * 2]))
write("set/output_4.pb", numpy_helper.from_optional(x[1]))
write("absent/output_4.pb", numpy_helper.from_optional(None, dtype=onnx.OptionalProto.TENSOR))
write("absent/input_3.pb", numpy_helper.from_optional(None, dtype=onnx.OptionalProto.TENSOR))
write("many/input_4.pb", numpy_helper.from_array(x))
write("empty/model.onnx", b"")
write("text.pb", b"text")

# A model without inputs, in a folder as ONNX's test data have them
y = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [2, 4])
node = onnx.helper.make_node("Constant", [], ["y"], value=numpy_helper.from_array(x))
opset = onnx.helper.make_opsetid("", 21)
write("constant/model.onnx", onnx.helper.make_model(onnx.helper.make_graph([node], "g", [], [y]), opset_imports=[opset], ir_version=10))
write("constant/data/output_0.pb", numpy_helper.from_array(x))
