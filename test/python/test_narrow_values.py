# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Values that precision="bf16" stores in 16 bits: random networks of products and of what lies between them, against the
same networks in f32, where instructions multiply bf16 and where they are emulated."""
import math
import pathlib
import unittest

import ml_dtypes
import numpy as np
from onnx import helper, numpy_helper

import hone

OPSETS = [helper.make_opsetid("", 20)]
CHANNELS = 32
SIDE = 6
LEVELS = ["emulated-sapphirerapids", "emulated-cooperlake"]
if "avx512_bf16" in pathlib.Path("/proc/cpuinfo").read_text():
    LEVELS.append("native")


class Network:
    """A random graph of values [1, CHANNELS, SIDE, SIDE], in f32."""

    def __init__(self, rng):
        self.rng, self.nodes, self.weights = rng, [], []
        self.values = ["x"]
        for _ in range(rng.integers(5, 14)):
            self.add(rng.choice([self.conv, self.conv, self.conv, self.residual, self.scaled, self.pool, self.joined,
                                 self.turned, self.sliced, self.gelu, self.relu, self.normalized, self.averaged])())
        results = {self.values[-1], self.any()} - {"x"}
        self.results = sorted(results)

    def any(self):
        return str(self.rng.choice(self.values[-4:]))

    def add(self, value):
        self.values.append(value)

    def node(self, op, inputs, **attributes):
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], **attributes))
        return name

    def weight(self, array):
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def conv(self, value=None, channels=CHANNELS):
        side = int(self.rng.choice([1, 3]))
        w = self.rng.standard_normal((CHANNELS, channels, side, side)) / math.sqrt(channels * side * side)
        bias = self.rng.standard_normal(CHANNELS) / 4
        return self.node("Conv", [value or self.any(), self.weight(w.astype("f4")), self.weight(bias.astype("f4"))],
                         pads=[side // 2] * 4)

    def residual(self):
        return self.node("Add", [self.any(), self.any()])

    def scaled(self):
        scale = self.rng.uniform(0.5, 1.5, (1, CHANNELS, 1, 1)).astype("f4")
        return self.node("Mul", [self.any(), self.weight(scale)])

    def pool(self):
        return self.node("MaxPool", [self.any()], kernel_shape=[3, 3], pads=[1] * 4)

    def joined(self):
        return self.conv(self.node("Concat", [self.any(), self.any()], axis=1), 2 * CHANNELS)

    def turned(self):
        return self.node("Transpose", [self.any()], perm=[0, 1, 3, 2])

    def sliced(self):
        half = CHANNELS // 2
        value = self.any()
        ends = [self.weight(np.array([n], "i8")) for n in (0, half, CHANNELS)]
        axis = self.weight(np.array([1], "i8"))
        halves = [self.node("Slice", [value, ends[i], ends[i + 1], axis]) for i in (1, 0)]
        return self.node("Concat", halves, axis=1)

    def gelu(self):
        return self.node("Gelu", [self.any()])

    def relu(self):
        return self.node("Relu", [self.any()])

    def normalized(self):
        value = self.any()
        scale = [self.weight(np.full(CHANNELS, x, "f4")) for x in (1, 0)]
        return self.node("InstanceNormalization", [value, *scale])

    def averaged(self):
        return self.node("AveragePool", [self.any()], kernel_shape=[3, 3], pads=[1] * 4)

    def model(self):
        shape = [1, CHANNELS, SIDE, SIDE]
        graph = helper.make_graph(self.nodes, "g", [helper.make_tensor_value_info("x", 1, shape)],
                                  [helper.make_tensor_value_info(name, 1, shape) for name in self.results], self.weights)
        return helper.make_model(graph, opset_imports=OPSETS, ir_version=9).SerializeToString()


class NarrowValuesTest(unittest.TestCase):
    def test_networks(self):
        for seed in range(48):
            rng = np.random.default_rng(seed)
            network = Network(rng)
            model = network.model()
            x = rng.standard_normal((1, CHANNELS, SIDE, SIDE)).astype("f4")
            expected = hone.compile(model)(x)
            level = LEVELS[seed % len(LEVELS)]
            got = hone.compile(model, precision="bf16", cpu=level)(x)
            for name in network.results:
                with self.subTest(seed=seed, level=level, result=name):
                    deviation = np.sqrt(np.mean((got[name] - expected[name]) ** 2))
                    # Every operation adds about 2^-9 of its result.
                    self.assertLess(deviation, 0.02 * np.sqrt(np.mean(expected[name] ** 2)))

    def test_attention(self):
        """Between projections: what it results in is stored in 16 bits, what it reads is not."""
        rows, heads, depth = 20, 4, 16
        width = heads * depth
        rng = np.random.default_rng(5)
        weights = {name: (rng.standard_normal((width, width)) / 8).astype("f4") for name in "qkvo"}
        constants = [numpy_helper.from_array(w, f"w{name}") for name, w in weights.items()]
        constants += [numpy_helper.from_array(np.array(shape, "i8"), name)
                      for name, shape in {"split": [1, rows, heads, depth], "join": [1, rows, width]}.items()]
        constants.append(numpy_helper.from_array(np.float32(depth**-0.5), "scale"))
        nodes = []
        for name, perm in {"q": [0, 2, 1, 3], "k": [0, 2, 3, 1], "v": [0, 2, 1, 3]}.items():
            nodes += [helper.make_node("MatMul", ["x", f"w{name}"], [f"{name}0"]),
                      helper.make_node("Reshape", [f"{name}0", "split"], [f"{name}1"]),
                      helper.make_node("Transpose", [f"{name}1"], [name], perm=perm)]
        nodes += [helper.make_node("MatMul", ["q", "k"], ["s0"]), helper.make_node("Mul", ["s0", "scale"], ["s1"]),
                  helper.make_node("Softmax", ["s1"], ["s2"], axis=-1), helper.make_node("MatMul", ["s2", "v"], ["a0"]),
                  helper.make_node("Transpose", ["a0"], ["a1"], perm=[0, 2, 1, 3]),
                  helper.make_node("Reshape", ["a1", "join"], ["a2"]), helper.make_node("MatMul", ["a2", "wo"], ["y"])]
        shape = [1, rows, width]
        graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", 1, shape)],
                                  [helper.make_tensor_value_info("y", 1, shape)], constants)
        model = helper.make_model(graph, opset_imports=OPSETS, ir_version=9).SerializeToString()
        x = rng.standard_normal(shape).astype("f4")
        expected = hone.compile(model)(x)["y"]
        for level in LEVELS:
            with self.subTest(level=level):
                y = hone.compile(model, precision="bf16", cpu=level)(x)["y"]
                self.assertLess(np.sqrt(np.mean((y - expected) ** 2)), 0.02 * np.sqrt(np.mean(expected**2)))

    def test_what_is_not_only_multiplied(self):
        """An index computed from a product that a product reads as well, and digits that a difference leaves."""
        side, rows = 32, 64
        rng = np.random.default_rng(6)
        table = rng.integers(1000, 2048, side)
        # Both halves of an integer of 11 bits are numbers of bf16.
        halves = np.stack([table // 64 * 64, table % 64], 1).ravel()[: 2 * side].reshape(side, 2)
        w = np.zeros((2 * side, side), "f4")
        w[0:2 * side:2, 0], w[1:2 * side:2, 0] = halves[:, 0], halves[:, 1]
        x = np.zeros((rows, 2 * side), "f4")
        chosen = rng.integers(0, side, rows)
        x[np.arange(rows), 2 * chosen] = x[np.arange(rows), 2 * chosen + 1] = 1
        constants = [numpy_helper.from_array(w, "w"), numpy_helper.from_array(np.eye(side, dtype="f4"), "i"),
                     numpy_helper.from_array(np.float32(1), "one")]
        nodes = [helper.make_node("MatMul", ["x", "w"], ["v"]), helper.make_node("MatMul", ["v", "i"], ["y"]),
                 helper.make_node("Sub", ["v", "one"], ["s"]), helper.make_node("Cast", ["s"], ["index"], to=7)]
        graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", 1, list(x.shape))],
                                  [helper.make_tensor_value_info("y", 1, [rows, side]), helper.make_tensor_value_info("index", 7, [rows, side])], constants)
        positions = helper.make_model(graph, opset_imports=OPSETS, ir_version=9)
        nodes = [helper.make_node("MatMul", ["x", "i"], ["a"]), helper.make_node("Erf", ["a"], ["e"]),
                 helper.make_node("Sub", ["one", "e"], ["c"]), helper.make_node("MatMul", ["c", "i"], ["y"])]
        graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", 1, [rows, side])],
                                  [helper.make_tensor_value_info("y", 1, [rows, side])], constants[1:])
        complement = helper.make_model(graph, opset_imports=OPSETS, ir_version=9)
        z = np.resize(np.arange(0, 3.25, 0.25, dtype="f4"), (rows, side))
        erfc = np.array([math.erfc(v) for v in z.ravel()]).reshape(z.shape)
        for level in LEVELS:
            with self.subTest(level=level):
                index = hone.compile(positions, precision="bf16", cpu=level)(x)["index"]
                np.testing.assert_array_equal(index[:, 0], table[chosen] - 1)
                y = hone.compile(complement, precision="bf16", cpu=level)(z)["y"]
                self.assertLessEqual(np.max(abs(y - erfc) - 2.0**-8 * erfc - 2.0**-22), 0)

    def test_gelu_of_every_number(self):
        """Between products with an identity, so that it is computed for what a bf16 can be."""
        side = 32
        bits = np.arange(1 << 16, dtype=np.uint16)
        x = bits.view(ml_dtypes.bfloat16).astype("f4")
        x = np.where(abs(x) < 2.0**100, x, 1).reshape(-1, side)
        x[5] = np.nan
        identity = numpy_helper.from_array(np.eye(side, dtype="f4"), "i")
        nodes = [helper.make_node("MatMul", ["x", "i"], ["a"]), helper.make_node("Gelu", ["a"], ["b"]),
                 helper.make_node("MatMul", ["b", "i"], ["y"])]
        shape = list(x.shape)
        graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", 1, shape)],
                                  [helper.make_tensor_value_info("y", 1, shape)], [identity])
        model = helper.make_model(graph, opset_imports=OPSETS, ir_version=9)
        erf = np.array([math.erf(v / math.sqrt(2)) for v in x.ravel().astype("f8")]).reshape(x.shape)
        exact = x * 0.5 * (1 + erf)
        # Sums in f32 lose what 1 + erf cancels; subnormal numbers are taken for 0.
        limit = 2.0**-8 * abs(exact) + 2.0**-23 * np.minimum(abs(x), 8) + 2.0**-125
        for level in LEVELS:
            with self.subTest(level=level):
                y = hone.compile(model, precision="bf16", cpu=level)(x)["y"]
                self.assertTrue(np.all(np.isnan(y[5])))
                others = np.arange(len(x)) != 5
                self.assertLessEqual(np.max((abs(y - exact) - limit)[others]), 0)


if __name__ == "__main__":
    unittest.main()
