# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""free_batch.py LEVEL LIMIT: a convolutional model with a free batch may take LIMIT times the instructions of the same model
with a batch of 1. Depthwise and pointwise convolutions, squeeze and excitation, and a classifier, as in MobileNetV3."""
import re
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(0)


def model(batch):
    nodes, weights = [], []

    def weight(*shape):
        weights.append(numpy_helper.from_array(rng.standard_normal(shape).astype(np.float32), f"w{len(weights)}"))
        return weights[-1].name

    def op(name, *inputs, **attributes):
        nodes.append(helper.make_node(name, inputs, [f"t{len(nodes)}"], **attributes))
        return nodes[-1].output[0]

    def conv(x, channels, outputs, size=1, group=1, stride=1):
        return op("Conv", x, weight(outputs, channels // group, size, size), weight(outputs), group=group,
                  strides=[stride, stride], pads=[size // 2] * 4)

    x, channels = op("HardSwish", conv("x", 3, 16, size=3, stride=2)), 16
    for inner, squeezed, outputs in ((64, 16, 24), (72, 24, 40), (120, 32, 48)):
        y = op("HardSwish", conv(x, channels, inner))
        y = op("HardSwish", conv(y, inner, inner, size=3, group=inner, stride=2))
        scale = op("Relu", conv(op("GlobalAveragePool", y), inner, squeezed))
        y = op("Mul", y, op("HardSigmoid", conv(scale, squeezed, inner)))
        x, channels = conv(y, inner, outputs), outputs
    y = op("Gemm", op("Flatten", op("GlobalAveragePool", x)), weight(channels, 100), weight(100))
    graph = helper.make_graph(nodes, "graph", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 3, 64, 64])],
                              [helper.make_tensor_value_info(y, TensorProto.FLOAT, None)], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def instructions(batch, level):
    """Of all kernels; the host's are compiled with little effort."""
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        onnx.save(model(batch), file.name)
        text = subprocess.run(["hone", "compile", file.name, "--emit=asm", f"--cpu={level}"], check=True, text=True,
                              stdout=subprocess.PIPE).stdout
    count, counts = False, 0
    for line in text.splitlines():
        if label := re.match(r"(\w[\w.]*):", line):
            count = re.match(r"k\d+_", label[1]) is not None
        counts += count and re.match(r"\t[a-z]", line) is not None
    return counts


level, limit = sys.argv[1], float(sys.argv[2])
fixed, free = instructions(1, level), instructions("n", level)
print(f"{level}: {fixed} instructions with a batch of 1, {free} with a free batch: {free / fixed:.2f}")
sys.exit(fixed < 1000 or free > limit * fixed)
