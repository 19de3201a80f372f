# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""inspected.py PREFIX: writes PREFIX.onnx, a model with a subgraph, a function, and an operator that nothing knows."""
import sys

import onnx
from onnx import TensorProto, helper

model = onnx.parser.parse_model("""
<ir_version: 10, opset_import: ["" : 21, "my" : 1]>
graph (float[b, z, 4] x, bool c) => (float[b, z, 4] y)
<float[4] w = {1, 2, 3, 4}>
{
    a = my.Twice(x)
    d = my.Twice(a)
    e = If(c) <then_branch = g1 () => (t) { t = Neg(d) }, else_branch = g2 () => (f) { f = my.Odd(d) }>
    h = Neg(e)
    y = Add(h, w)
}
<domain: "my", opset_import: ["" : 21]>
Twice (p) => (q) { q = Neg(p) }
""")
model.producer_name = "a\nb"
model.metadata_props.add(key="classes", value="cat\ndog")
sequence = helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.INT64, []))
model.graph.input.insert(1, helper.make_value_info("s", sequence))
for value in (model.graph.input[0], model.graph.output[0]):
    value.type.tensor_type.shape.dim[1].Clear()
model.graph.initializer.append(helper.make_tensor("unused", TensorProto.INT4, [3], bytes([0x21, 0x03]), raw=True))
onnx.save(model, sys.argv[1] + ".onnx")
