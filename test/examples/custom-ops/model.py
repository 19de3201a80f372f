# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes a model with a node of FusedRMSNormGate between others, its input, and the output that numpy computes, and a model
of RotaryPairs.

usage: model.py FOLDER
"""
import pathlib
import sys

import numpy as np
import onnx.parser

MODEL = """<ir_version: 10, opset_import: ["" : 21, "com.example" : 1]>
graph (float[batch, 16] x, float[batch, 16] gate) => (float[batch, 16] y)
<float[16] weight = {0.5, 1, 1.5, 2, 0.5, 1, 1.5, 2, 0.5, 1, 1.5, 2, 0.5, 1, 1.5, 2}, float[batch, 16] n>
{
  h = Add(x, x)
  [fused] n = com.example.FusedRMSNormGate<epsilon = 0.125>(h, gate, weight)
  y = Relu(n)
}
"""

ROTARY = """<ir_version: 10, opset_import: ["" : 21, "com.example" : 1]>
graph (float[batch, 2] x) => (float[batch, 2] y) { y = com.example.RotaryPairs(x) }
"""


def main():
    folder = pathlib.Path(sys.argv[1])
    onnx.save(onnx.parser.parse_model(MODEL), folder / "gate.onnx")
    onnx.save(onnx.parser.parse_model(ROTARY), folder / "rotary.onnx")
    random = np.random.default_rng(1)
    x, gate = random.standard_normal((2, 3, 16), np.float32)
    h = x + x
    weight = np.tile(np.array([0.5, 1, 1.5, 2], np.float32), 4)
    n = h / np.sqrt((h * h).mean(-1, keepdims=True) + 0.125) * weight * gate / (1 + np.exp(-gate))
    for name, value in ("x", x), ("gate", gate), ("y", np.maximum(n, 0)):
        np.save(folder / f"{name}.npy", value)


if __name__ == "__main__":
    main()
