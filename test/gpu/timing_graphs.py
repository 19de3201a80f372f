# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The graphs that are timed beside other libraries, as ONNX models; timing.py has the peers."""
import dataclasses
import math

import ml_dtypes
import numpy as np
from onnx import helper, numpy_helper

from timing import constant

TYPES = {"f32": (1, np.float32), "f16": (10, np.float16), "bf16": (16, ml_dtypes.bfloat16)}


@dataclasses.dataclass
class Timing:
    family: str
    type: str
    sizes: dict
    operator: str
    inputs: dict
    output: list
    flops: float
    constants: dict = dataclasses.field(default_factory=dict)
    attributes: dict = dataclasses.field(default_factory=dict)

    @property
    def name(self):
        return "_".join([self.family, self.type, *(f"{k}{v}" for k, v in self.sizes.items())])

    def model(self):
        number, dtype = TYPES[self.type]
        infos = [helper.make_tensor_value_info(n, number, dims) for n, dims in self.inputs.items()]
        output = helper.make_tensor_value_info("out", number, self.output)
        weights = [numpy_helper.from_array(constant(dims).astype(dtype), n) for n, dims in self.constants.items()]
        node = helper.make_node(self.operator, [*self.inputs, *self.constants], ["out"], **self.attributes)
        graph = helper.make_graph([node], self.name, infos, [output], weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=10).SerializeToString()

    def facts(self):
        elements = sum(math.prod(dims) for dims in [*self.inputs.values(), *self.constants.values(), self.output])
        facts = {key: getattr(self, key) for key in ("name", "family", "type", "sizes", "inputs", "output", "flops", "constants")}
        return dict(facts, bytes=elements * np.dtype(TYPES[self.type][1]).itemsize)


def matmul(kind, m, n, k):
    return Timing("matmul", kind, {"m": m, "n": n, "k": k}, "MatMul", {"a": [m, k], "b": [k, n]}, [m, n], 2.0 * m * n * k)


def linear(kind, m, n, k):
    """A product with constant weights, which are packed at compile time."""
    return Timing("linear", kind, {"m": m, "n": n, "k": k}, "MatMul", {"a": [m, k]}, [m, n], 2.0 * m * n * k, {"b": [k, n]})


def conv(kind, n, c, hw, o, k, s=1, g=1):
    sizes = {"n": n, "c": c, "hw": hw, "o": o, "k": k, "s": s, "g": g}
    side = (hw + 2 * (k // 2) - k) // s + 1
    attributes = {"pads": [k // 2] * 4, "strides": [s, s], "group": g}
    flops = 2.0 * n * o * side * side * (c // g) * k * k
    return Timing("conv", kind, sizes, "Conv", {"x": [n, c, hw, hw]}, [n, o, side, side], flops, {"w": [o, c // g, k, k]}, attributes)


def attention(kind, b, h, s, d, causal=0):
    dims = [b, h, s, d]
    sizes = {"b": b, "h": h, "s": s, "d": d, "causal": causal}
    flops = 4.0 * b * h * s * s * d / (1 + causal)
    return Timing("attention", kind, sizes, "Attention", dict.fromkeys("qkv", dims), dims, flops, attributes={"is_causal": causal})


def timings(small):
    """All of them, or for an emulated device one of each fast kind."""
    if small:
        return [
            matmul("f32", 32, 32, 32),
            matmul("f16", 32, 32, 32),
            linear("bf16", 32, 32, 32),
            conv("f32", 1, 8, 6, 8, 3),
            attention("f32", 1, 2, 16, 16),
        ]
    found = []
    for kind in TYPES:
        found += [
            matmul(kind, 1024, 1024, 1024),
            matmul(kind, 4096, 4096, 4096),
            linear(kind, 1, 4096, 4096),
            linear(kind, 128, 1024, 1024),
            linear(kind, 512, 3072, 768),
            linear(kind, 4096, 4096, 4096),
            conv(kind, 1, 64, 56, 64, 3),
            conv(kind, 1, 256, 56, 64, 1),
            conv(kind, 1, 3, 224, 64, 7, s=2),
            conv(kind, 16, 256, 14, 256, 3),
            conv(kind, 16, 128, 28, 128, 3, s=2),
            conv(kind, 16, 144, 56, 144, 3, g=144),
            attention(kind, 1, 12, 128, 64),
            attention(kind, 8, 12, 512, 64),
            attention(kind, 4, 16, 2048, 128, causal=1),
        ]
    return found
