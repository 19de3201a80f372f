# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""forged.py MODEL OPERATOR: a model of one node whose names hold line ends and escapes; its own also bytes that are no UTF-8."""
import sys

import onnx
from onnx import TensorProto, helper

PLACE = "PLACE-OF-THE-BYTES"
name = "a\nerror: forged\x1b[2J\u009b\u202e"
info = [helper.make_tensor_value_info(prefix + name, TensorProto.FLOAT, [1]) for prefix in ("", "y")]
node = helper.make_node(sys.argv[2], [info[0].name], [info[1].name], name=name + PLACE)
model = helper.make_model(helper.make_graph([node], "test", info[:1], info[1:]), opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
# As long as what it replaces, so that lengths stay correct.
data = model.SerializeToString().replace(PLACE.encode(), b"\xff" * len(PLACE))
open(sys.argv[1], "wb").write(data)
