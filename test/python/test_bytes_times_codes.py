# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""MatMulNBits with accuracy_level 4 against NumPy, on every CPU level that this machine runs or emulates.

The reference rounds activations to bytes as kernels must, with the same operations of f32, and computes the rest in f64.
Sums of a block are exact, so what is left are the roundings of f32: of a sum, of its correction by a zero point, of its
product with either scale, and of each sum over blocks.
"""
import unittest

import ml_dtypes
import numpy as np
from onnx import helper, numpy_helper

import hone
from beside import reference
from test_byte_products import levels
from test_quantized_weights import pack_bits

BF16 = np.dtype(ml_dtypes.bfloat16)
EPSILON = {np.dtype(np.float32): 2.0**-24, np.dtype(np.float16): 2.0**-11, BF16: 2.0**-8}


class Weights:
    """Random ones of a node, and the inputs that say so."""

    def __init__(self, rng, n, k, bits, block, zeros, dtype=np.float32, bias=False):
        self.n, self.k, self.bits, self.block = n, k, bits, block
        blocks = -(-k // block)
        self.codes = rng.integers(0, 2**bits, (n, blocks * block), np.uint8)
        # Not fewer bits than announced.
        self.codes[0, :2] = 0, 2**bits - 1
        scales = (rng.standard_normal((n, blocks)) * 0.1).astype(dtype)
        self.scales = scales.astype(np.float64)
        self.zeros = np.full((n, blocks), 2.0 ** (bits - 1))
        self.inputs = {"w": pack_bits(self.codes, bits).reshape(n, blocks, -1), "s": scales}
        if zeros == "packed":
            codes = rng.integers(0, 2**bits, (n, blocks), np.uint8)
            self.zeros = codes.astype(np.float64)
            self.inputs["z"] = pack_bits(codes, bits)
        elif zeros == "float":
            stored = (rng.standard_normal((n, blocks)) + 3).astype(dtype)
            self.zeros = stored.astype(np.float64)
            self.inputs["z"] = stored
        self.bias = rng.standard_normal(n).astype(dtype) if bias else None

    def model(self, x, shape, level=4):
        inputs = dict(self.inputs)
        names = ["x", "w", "s"] + ["z"] * ("z" in inputs)
        if self.bias is not None:
            names += [""] * (5 - len(names)) + ["bias"]
            inputs["bias"] = self.bias
        node = helper.make_node("MatMulNBits", names, ["y"], K=self.k, N=self.n, bits=self.bits, block_size=self.block, accuracy_level=level, domain="com.microsoft")
        elem = helper.np_dtype_to_tensor_dtype(x.dtype)
        graph = helper.make_graph([node], "g", [helper.make_tensor_value_info("x", elem, shape)], [helper.make_tensor_value_info("y", elem, None)],
                                  [numpy_helper.from_array(v, name) for name, v in inputs.items()])
        opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)

    def dense(self):
        spread = [np.repeat(v, self.block, 1) for v in (self.zeros, self.scales)]
        return ((self.codes - spread[0]) * spread[1])[:, : self.k]

    def product(self, x):
        """The result for rows in f32, and by how much it may be off."""
        blocks = self.scales.shape[1]
        padded = np.zeros((len(x), blocks * self.block), np.float32)
        padded[:, : self.k] = x
        padded = padded.reshape(len(x), blocks, self.block)
        most = np.maximum(np.max(np.abs(padded), axis=2), np.float32(2.0**-119))
        scale = most / np.float32(127)
        rounded = np.rint(padded * (np.float32(127) / most)[..., None]).astype(np.float64)
        codes = self.codes.reshape(self.n, blocks, self.block).astype(np.float64)
        sums = np.einsum("mbk,nbk->mnb", rounded, codes)
        corrections = rounded.sum(2)[:, None] * self.zeros
        scales = scale.astype(np.float64)[:, None] * self.scales
        want = ((sums - corrections) * scales).sum(2)
        size = ((np.abs(sums) + np.abs(corrections)) * np.abs(scales)).sum(2)
        if self.bias is not None:
            want, size = want + self.bias.astype(np.float64), size + np.abs(self.bias.astype(np.float64))
        return want, size * 2.0**-24 * (blocks + 6)


class BytesTimesCodes(unittest.TestCase):
    def check(self, weights, shape, cpu, *inputs):
        model = hone.compile(weights.model(inputs[0], shape).SerializeToString(), cpu=cpu)
        self.assertIn(f"s8 x u{weights.bits} -> s32", " ".join(kernel.arithmetic for kernel in model.kernels()))
        for x in inputs:
            self.compare(model, weights, x)

    def compare(self, model, weights, x):
        got = np.asarray(model.run({"x": x})["y"], np.float64)
        self.assertEqual(got.shape, (*x.shape[:-1], weights.n))
        want, limit = weights.product(x.astype(np.float32).reshape(-1, weights.k))
        limit = limit + np.abs(want) * EPSILON[x.dtype] + 2.0**-24 * (x.dtype == np.float16)
        self.assertLessEqual(np.max(np.abs(got.reshape(want.shape) - want) - limit, initial=-1), 1e-30)

    def test_sizes(self):
        rng = np.random.default_rng(14)
        rows = [1, 2, 7, 8, 9, 64, 130]
        for number in range(56):
            bits, block = [2, 4, 4, 8][rng.integers(4)], int(rng.choice([16, 32, 64, 128, 256]))
            n, k = int(rng.choice([16, 40, 97, 160])), int(rng.choice([96, 160, 300, 700, 1030]))
            zeros = ["none", "packed", "float"][rng.integers(3)]
            dtype = [np.dtype(np.float32), np.dtype(np.float32), np.dtype(np.float16), BF16][rng.integers(4)]
            if zeros == "packed" and dtype == BF16 and bits == 8:
                continue  # Not all are exact in bf16.
            m = rows[number % len(rows)]
            batch = [[], [], [2]][rng.integers(3)]
            shape = [*batch, "m" if rng.integers(2) else m, k]
            cpu = levels()[number // len(rows) % len(levels())]
            weights = Weights(rng, n, k, bits, block, zeros, dtype, bias=bool(rng.integers(2)))
            x = (rng.standard_normal((*batch, m, k)) * 4).astype(dtype)
            with self.subTest(bits=bits, block=block, n=n, k=k, x=x.shape, shape=shape, type=x.dtype, zeros=zeros, cpu=cpu):
                self.check(weights, shape, cpu, x)

    def test_each_level(self):
        """Every number of bits and kind of zero points, few and many rows, on each CPU level."""
        rng = np.random.default_rng(15)
        for bits in (2, 4, 8):
            for zeros in ("none", "packed", "float"):
                weights = Weights(rng, 48, 200, bits, 64, zeros)
                inputs = [rng.standard_normal((m, 200)).astype(np.float32) for m in (1, 3, 21)]
                for cpu in levels():
                    with self.subTest(bits=bits, zeros=zeros, cpu=cpu):
                        self.check(weights, ["m", 200], cpu, *inputs)

    def test_one_row(self):
        """A vector."""
        rng = np.random.default_rng(16)
        weights = Weights(rng, 64, 96, 4, 32, "packed")
        self.check(weights, [96], "native", rng.standard_normal(96).astype(np.float32))

    def test_extremes(self):
        """Codes and activations whose sums are the largest, and blocks of zeros and of next to nothing."""
        rng = np.random.default_rng(17)
        for bits, block in ((4, 32), (8, 256), (8, 16384)):
            weights = Weights(rng, 32, 2 * block, bits, block, "none")
            weights.codes[:] = 2**bits - 1
            weights.codes[0, :2] = 0
            weights.inputs["w"] = pack_bits(weights.codes, bits).reshape(32, 2, -1)
            x = np.ones((12, 2 * block), np.float32)
            x[1] = -1
            x[2] = 0
            x[3, :block] = 0
            x[4] = 1e-38
            x[5] = -1e30
            x[6, :block] = 3e-40
            x[7, ::2] = -1
            x[8] = rng.integers(-4, 5, 2 * block) / 2
            for cpu in levels():
                with self.subTest(bits=bits, block=block, cpu=cpu):
                    self.check(weights, ["m", 2 * block], cpu, x, x[:1])

    def test_not_finite(self):
        """A row with such an element is not a number, and others are as without it."""
        rng = np.random.default_rng(18)
        for zeros, m in (("none", 4), ("packed", 40)):
            weights = Weights(rng, 48, 160, 4, 32, zeros)
            for cpu in levels():
                x = rng.standard_normal((m, 160)).astype(np.float32)
                model = hone.compile(weights.model(x, [m, 160]).SerializeToString(), cpu=cpu)
                want = model.run({"x": x})["y"]
                for value in (np.inf, -np.inf, np.nan):
                    x[1, 5] = value
                    x[3, 159] = value
                    got = model.run({"x": x})["y"]
                    self.assertTrue(np.isnan(got[[1, 3]]).all())
                    others = [row for row in range(m) if row not in (1, 3)]
                    np.testing.assert_array_equal(got[others], want[others])

    def test_other_levels_are_exact(self):
        rng = np.random.default_rng(19)
        weights = Weights(rng, 48, 160, 4, 32, "packed")
        x = rng.standard_normal((5, 160)).astype(np.float32)
        for level in range(4):
            model = hone.compile(weights.model(x, [5, 160], level).SerializeToString())
            self.assertIn("f32 x 4 bits -> f32", model.kernels()[0].arithmetic)
            np.testing.assert_allclose(model.run({"x": x})["y"], x @ weights.dense().T, rtol=1e-4, atol=1e-4)

    def test_floats_where_bytes_do_not_apply(self):
        """Few columns, whose floats take no more memory; and weights that only the run knows."""
        rng = np.random.default_rng(20)
        weights = Weights(rng, 1, 96, 8, 16, "none")
        x = rng.standard_normal((5, 96)).astype(np.float32)
        free = Weights(rng, 48, 96, 4, 32, "none")
        model = free.model(x, [5, 96])
        feeds = {"x": x}
        for stored in list(model.graph.initializer):
            model.graph.input.append(helper.make_tensor_value_info(stored.name, stored.data_type, stored.dims))
            feeds[stored.name] = numpy_helper.to_array(stored)
        del model.graph.initializer[:]
        for chosen, made, inputs in ((weights, weights.model(x, [5, 96]), {"x": x}), (free, model, feeds)):
            got = hone.compile(made.SerializeToString())
            self.assertFalse(any("s8" in kernel.arithmetic for kernel in got.kernels()))
            np.testing.assert_allclose(got.run(inputs)["y"], x @ chosen.dense().T, rtol=1e-4, atol=1e-4)

    def test_beside(self):
        """ONNX Runtime rounds to the same bytes, so both differ by the roundings of their sums."""
        rng = np.random.default_rng(21)
        for bits in (2, 4, 8):
            for block, zeros in ((16, "packed"), (32, "none"), (128, "packed")):
                if bits == 2 and block == 16:
                    continue  # It multiplies floats.
                for m in (1, 40):
                    weights = Weights(rng, 48, 288, bits, block, zeros)
                    x = rng.standard_normal((m, 288)).astype(np.float32)
                    model = weights.model(x, [m, 288])
                    with self.subTest(bits=bits, block=block, zeros=zeros, m=m):
                        want = reference(model, {"x": x})["y"]
                        got = hone.compile(model.SerializeToString()).run({"x": x})["y"]
                        self.assertLessEqual(np.max(np.abs(got - want) - 2 * weights.product(x)[1]), 0)


if __name__ == "__main__":
    unittest.main()
