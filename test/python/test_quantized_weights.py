# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Products with weights that stay quantized against NumPy, on every CPU level that this machine runs.

MatMulNBits, and MatMul behind a DequantizeLinear of a matrix, in blocks along K or per column, with and without zero
points, with K and N that do and do not fill blocks and panels, and few and many rows. Elements are exact in f32, so only
the sums round: each may be off by K roundings of the sum of absolute products.
"""
import pathlib
import tempfile
import unittest

import ml_dtypes
import numpy as np
from onnx import TensorProto, helper, numpy_helper

import hone
from test_byte_products import levels

BF16 = np.dtype(ml_dtypes.bfloat16)
INTEGERS = {"u4": (TensorProto.UINT4, 0, 15), "s4": (TensorProto.INT4, -8, 7), "u8": (TensorProto.UINT8, 0, 255), "s8": (TensorProto.INT8, -128, 127)}


def check(test, x, shape, weights, nodes, constants, cpu, domains=(), rounded=False, inexact=False, kept=None):
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", helper.np_dtype_to_tensor_dtype(x.dtype), shape)],
        [helper.make_tensor_value_info("y", helper.np_dtype_to_tensor_dtype(x.dtype), None)], constants)
    opsets = [helper.make_opsetid("", 21)] + [helper.make_opsetid(domain, 1) for domain in domains]
    model = hone.compile(helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString(), cpu=cpu)
    if kept:
        test.assertIn(f"f32 x {kept} bits -> f32", [kernel.arithmetic.split(" ", 1)[-1] for kernel in model.kernels()])
    got = np.asarray(model.run({"x": x})["y"], np.float64)
    wide = x.astype(np.float64)
    want, size = wide @ weights, np.abs(wide) @ np.abs(weights)
    rounding = 2.0 ** -8 if x.dtype == BF16 else {2: 2.0 ** -11, 4: 2.0 ** -24}[x.dtype.itemsize]
    test.assertEqual(got.shape, want.shape)
    # Of each product: that of its sum, of an element of weights, and of what is narrower.
    relative = 2.0 ** -24 * (x.shape[-1] + 2 + 2 * inexact) + rounding * rounded
    limit = size * relative + np.abs(want) * rounding + 2.0 ** -24 * (x.dtype == np.float16)
    test.assertLessEqual(np.max(np.abs(got - want) - limit, initial=-1), 1e-30)


def pack_bits(codes, bits):
    """[.., count] codes, the first in the lowest bits of the bytes of the last dimension."""
    each = 8 // bits
    padded = np.zeros((*codes.shape[:-1], -(-codes.shape[-1] // each) * each), np.uint8)
    padded[..., :codes.shape[-1]] = codes
    parts = padded.reshape(*padded.shape[:-1], -1, each) << (np.arange(each, dtype=np.uint8) * bits)
    return np.bitwise_or.reduce(parts.astype(np.uint8), -1)


def draw_rows(rng, k, dtype=np.float32):
    batch = [[], [], [2]][rng.integers(3)]
    rows = int(rng.choice([1, 1, 2, 5, 14, 33, 120]))
    shape = [*batch, "m" if rng.integers(2) else rows, k]
    return rng.standard_normal((*batch, rows, k)).astype(dtype), shape


class QuantizedWeightsTest(unittest.TestCase):
    def test_matmul_nbits(self):
        rng = np.random.default_rng(5)
        for number in range(60):
            bits, block = int(rng.choice([2, 4, 4, 8])), int(rng.choice([16, 32, 64, 128, 256, 4096]))
            n, k = int(rng.choice([1, 15, 16, 40, 97])), int(rng.choice([1, 16, 31, 96, 160, 700, 1030]))
            x, shape = draw_rows(rng, k, [np.float32, np.float32, np.float16][rng.integers(3)])
            blocks = -(-k // block)
            codes = rng.integers(0, 2 ** bits, (n, blocks * block), np.uint8)
            kind = ["none", "packed", "float"][rng.integers(3)]
            cpu = levels()[number % len(levels())]
            with self.subTest(bits=bits, block=block, n=n, k=k, x=x.shape, shape=shape, type=x.dtype, zeros=kind, cpu=cpu):
                scales = (rng.standard_normal((n, blocks)) * 0.1).astype(x.dtype)
                zeros = np.full((n, blocks), 2 ** (bits - 1), np.float64)
                inputs = ["x", "w", "s"]
                constants = [numpy_helper.from_array(pack_bits(codes, bits).reshape(n, blocks, -1), "w"), numpy_helper.from_array(scales, "s")]
                if kind == "packed":
                    zero_codes = rng.integers(0, 2 ** bits, (n, blocks), np.uint8)
                    zeros = zero_codes.astype(np.float64)
                    constants.append(numpy_helper.from_array(pack_bits(zero_codes, bits), "z"))
                elif kind == "float":
                    stored = (rng.standard_normal((n, blocks)) + 3).astype(x.dtype)
                    zeros = stored.astype(np.float64)
                    constants.append(numpy_helper.from_array(stored, "z"))
                if kind != "none":
                    inputs.append("z")
                spread = [np.repeat(v.astype(np.float64), block, 1) for v in (zeros, scales)]
                weights = ((codes - spread[0]) * spread[1])[:, :k].T
                node = helper.make_node("MatMulNBits", inputs, ["y"], K=k, N=n, bits=bits, block_size=block, domain="com.microsoft")
                check(self, x, shape, weights, [node], constants, cpu, ["com.microsoft"])

    def test_dequantize_linear(self):
        rng = np.random.default_rng(6)
        for number in range(80):
            kind = ["u4", "s4", "u8", "s8"][rng.integers(4)]
            elem, low, high = INTEGERS[kind]
            n, k = int(rng.choice([1, 16, 40, 97])), int(rng.choice([32, 96, 160, 700]))
            block = int(rng.choice([0, 4, 8, 12, 16, 20, 24, 10, 32, 160]))
            transposed, axis = bool(rng.integers(2)), int(rng.integers(2))
            x, shape = draw_rows(rng, k)
            sizes = (n, k) if transposed else (k, n)
            blocks = list(sizes)
            if block:
                blocks[axis] = -(-sizes[axis] // block)
            else:
                blocks = [sizes[axis]] if rng.integers(2) else []
            cpu = levels()[number % len(levels())]
            with self.subTest(kind=kind, n=n, k=k, block=block, axis=axis, transposed=transposed, x=x.shape, shape=shape, cpu=cpu):
                codes = rng.integers(low, high, sizes, endpoint=True)
                scales = (rng.standard_normal(blocks) * 0.1).astype(np.float32)
                zeros = rng.integers(low, high, blocks, endpoint=True)
                constants = [numpy_helper.from_array(np.asarray(scales, np.float32), "s")]
                inputs = ["w", "s"]
                if rng.integers(2):
                    inputs.append("z")
                else:
                    zeros = np.zeros_like(zeros)
                for name, value in (("w", codes), ("z", zeros)):
                    constants.append(helper.make_tensor(name, elem, np.shape(value), np.ravel(value).tolist()))

                def spread(v):
                    v = np.asarray(v, np.float64)
                    if block:
                        return np.take(np.repeat(v, block, axis), np.arange(sizes[axis]), axis)
                    return v.reshape([-1, 1] if axis == 0 else [1, -1]) if v.ndim else v

                weights = (codes - spread(zeros)) * spread(scales)
                attributes = {"axis": axis} | ({"block_size": block} if block else {})
                nodes = [helper.make_node("DequantizeLinear", inputs, ["d"], **attributes)]
                if transposed:
                    nodes.append(helper.make_node("Transpose", ["d"], ["t"], perm=[1, 0]))
                nodes.append(helper.make_node("MatMul", ["x", "t" if transposed else "d"], ["y"]))
                check(self, x, shape, weights.T if transposed else weights, nodes, constants, cpu)

    def test_halves(self):
        """Blocks that dequantize to f16 or bf16: weights are not rounded to these before they are multiplied."""
        rng = np.random.default_rng(10)
        for number in range(36):
            kind = ["u4", "s4", "u8", "s8"][rng.integers(4)]
            elem, low, high = INTEGERS[kind]
            dtype = [np.float16, BF16][rng.integers(2)]
            n, k, block = (int(rng.choice(sizes)) for sizes in ([1, 16, 40, 97], [32, 96, 160, 700], [4, 16, 24, 32, 160]))
            transposed = bool(rng.integers(2))
            x, shape = draw_rows(rng, k, dtype)
            sizes, axis = ((n, k), 1) if transposed else ((k, n), 0)
            blocks = list(sizes)
            blocks[axis] = -(-k // block)
            cpu = levels()[number % len(levels())]
            with self.subTest(kind=kind, type=dtype, n=n, k=k, block=block, transposed=transposed, x=x.shape, shape=shape, cpu=cpu):
                codes, zeros = (rng.integers(low, high, s, endpoint=True) for s in (sizes, blocks))
                scales = (rng.standard_normal(blocks) * 0.1).astype(dtype)
                constants = [helper.make_tensor("s", helper.np_dtype_to_tensor_dtype(scales.dtype), blocks, scales.tobytes(), raw=True)]
                inputs = ["w", "s"] + ["z"] * bool(rng.integers(2))
                for name, value in (("w", codes), ("z", zeros))[: len(inputs) - 1]:
                    constants.append(helper.make_tensor(name, elem, np.shape(value), np.ravel(value).tolist()))
                spread = [np.take(np.repeat(v.astype(np.float64), block, axis), np.arange(k), axis) for v in (zeros, scales)]
                weights = (codes - spread[0] * (len(inputs) > 2)) * spread[1]
                nodes = [helper.make_node("DequantizeLinear", inputs, ["d"], axis=axis, block_size=block)]
                if transposed:
                    nodes.append(helper.make_node("Transpose", ["d"], ["t"], perm=[1, 0]))
                nodes.append(helper.make_node("MatMul", ["x", "t" if transposed else "d"], ["y"]))
                # Where the floats take as much memory, they are rounded after all.
                check(self, x, shape, weights.T if transposed else weights, nodes, constants, cpu, rounded=n < 16 or block < 16)

    def test_groups_in_any_order(self):
        """g_idx: elements of K that share a scale do not follow each other; the activations are brought into their order."""
        rng = np.random.default_rng(11)
        for number in range(30):
            bits, block = int(rng.choice([2, 4, 4, 8])), int(rng.choice([16, 32, 64]))
            n, k = int(rng.choice([1, 16, 40, 97])), int(rng.choice([16, 31, 96, 160, 700]))
            blocks = -(-k // block)
            x, shape = draw_rows(rng, k, [np.float32, np.float16][rng.integers(2)])
            codes = rng.integers(0, 2 ** bits, (n, blocks * block), np.uint8)
            scales = (rng.standard_normal((n, blocks)) * 0.1).astype(x.dtype)
            zero_codes = rng.integers(0, 2 ** bits, (n, blocks), np.uint8)
            # As many as a block has; in order; or any, of which some are empty.
            kind = ["permuted", "permuted", "sorted", "any"][rng.integers(4)]
            groups = np.arange(k) // block
            if kind == "permuted":
                groups = rng.permutation(groups)
            elif kind == "any":
                groups = rng.integers(0, blocks, k)
            cpu = levels()[number % len(levels())]
            with self.subTest(bits=bits, block=block, n=n, k=k, x=x.shape, shape=shape, type=x.dtype, kind=kind, cpu=cpu):
                weights = ((codes[:, :k].astype(np.float64) - zero_codes[:, groups]) * scales.astype(np.float64)[:, groups]).T
                constants = [numpy_helper.from_array(pack_bits(codes, bits).reshape(n, blocks, -1), "w"), numpy_helper.from_array(scales, "s"),
                             numpy_helper.from_array(pack_bits(zero_codes, bits), "z"), numpy_helper.from_array(groups.astype(np.int32), "g")]
                node = helper.make_node("MatMulNBits", ["x", "w", "s", "z", "g"], ["y"], K=k, N=n, bits=bits, block_size=block, domain="com.microsoft")
                kept = bits if n >= 40 and kind != "any" else None
                check(self, x, shape, weights, [node], constants, cpu, ["com.microsoft"], kept=kept)

    def test_tables(self):
        """MatMulBnb4: each of the 16 codes stands for a float. Blocks may end inside of a row; only those along N are dequantized in the run."""
        rng = np.random.default_rng(12)
        fp4 = np.array([0, 0.0052083333, 2 / 3, 1, 1 / 3, 1 / 2, 1 / 6, 1 / 4], np.float32)
        nf4 = [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
               0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0]
        tables = [np.concatenate([fp4, -fp4]).astype(np.float64), np.array(nf4, np.float32).astype(np.float64)]
        for number in range(40):
            kind, block = int(rng.integers(2)), int(rng.choice([16, 32, 64]))
            n, k = int(rng.choice([1, 16, 40, 97])), int(rng.choice([32, 64, 192, 200, 704]))
            transposed = bool(rng.integers(4))
            x, shape = draw_rows(rng, k if transposed else n, [np.float32, np.float16][rng.integers(2)])
            codes = rng.integers(0, 16, n * k, np.uint8)
            if number < 4:
                codes[:16] = np.arange(16)
            most = rng.random(-(-n * k // block)).astype(np.float32)
            cpu = levels()[number % len(levels())]
            with self.subTest(kind=kind, block=block, n=n, k=k, x=x.shape, shape=shape, transposed=transposed, type=x.dtype, cpu=cpu):
                weights = (tables[kind][codes] * np.repeat(most.astype(np.float64), block)[: n * k]).reshape(n, k)
                packed = (codes[0::2] << 4 | codes[1::2]).astype(np.uint8)
                constants = [numpy_helper.from_array(packed, "w"), numpy_helper.from_array(most.astype(x.dtype) if x.dtype == np.float16 else most, "m")]
                if x.dtype == np.float16:
                    weights = (tables[kind][codes] * np.repeat(most.astype(np.float16).astype(np.float64), block)[: n * k]).reshape(n, k)
                node = helper.make_node("MatMulBnb4", ["x", "w", "m"], ["y"], K=k, N=n, block_size=block, quant_type=kind, transB=int(transposed), domain="com.microsoft")
                # The table is of f32, and elements are no longer exact.
                check(self, x, shape, weights.T if transposed else weights, [node], constants, cpu, ["com.microsoft"], inexact=True, kept=4 if transposed and n >= 40 else None)

    def test_long_columns(self):
        """More elements of K than scratch memory could hold floats of, with one scale for all of them."""
        rng = np.random.default_rng(8)
        k, n = 20_000, 64
        codes = rng.integers(-128, 127, (k, n), np.int8, endpoint=True)
        scales = (rng.standard_normal(n) * 0.1).astype(np.float32)
        nodes = [helper.make_node("DequantizeLinear", ["w", "s"], ["d"], axis=1), helper.make_node("MatMul", ["x", "d"], ["y"])]
        constants = [numpy_helper.from_array(codes, "w"), numpy_helper.from_array(scales, "s")]
        for shape in [1, k], [16, k], ["m", k]:
            x = rng.standard_normal((16 if shape[0] == "m" else shape[0], k)).astype(np.float32)
            for cpu in levels():
                with self.subTest(shape=shape, cpu=cpu):
                    check(self, x, shape, codes * scales.astype(np.float64), nodes, constants, cpu)

    def test_large_activations(self):
        """Sums that are scaled afterwards do not overflow where the result does not."""
        k, n = 256, 32
        nodes = [helper.make_node("DequantizeLinear", ["w", "s"], ["d"], axis=1), helper.make_node("MatMul", ["x", "d"], ["y"])]
        codes, scales = np.full((k, n), 127, np.int8), np.full(n, 1e-3, np.float32)
        constants = [numpy_helper.from_array(codes, "w"), numpy_helper.from_array(scales, "s")]
        for rows in 1, 2, 33:
            x = np.zeros((rows, k), np.float32)
            x[:, :3] = [1e37, 1e37, -1e37]
            with self.subTest(rows=rows):
                check(self, x, x.shape, codes * scales.astype(np.float64), nodes, constants, "native")

    def test_sizes_that_disagree(self):
        """Scales with too few columns or blocks are refused, whatever dimension is wrong."""
        codes = np.ones((20, 6), np.int8)
        for shape in (2, 5), (2, 1), (1, 6), (3, 6):
            node = helper.make_node("DequantizeLinear", ["w", "s"], ["y"], axis=0, block_size=16)
            graph = helper.make_graph(
                [node], "g", [], [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
                [numpy_helper.from_array(codes, "w"), numpy_helper.from_array(np.ones(shape, np.float32), "s")])
            model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
            with self.subTest(shape=shape), self.assertRaisesRegex(hone.CompileError, "scales and the tensor"):
                hone.compile(model.SerializeToString())

    def test_size(self):
        """Weights of 4 bits and their scales of 16 are all that the library has of them."""
        n, k, block = 512, 1024, 32
        rng = np.random.default_rng(7)
        codes = rng.integers(0, 256, (n, k // block, block // 2), np.uint8)
        scales = rng.standard_normal((n, k // block)).astype(np.float16)
        node = helper.make_node("MatMulNBits", ["x", "w", "s"], ["y"], K=k, N=n, bits=4, block_size=block, domain="com.microsoft")
        graph = helper.make_graph(
            [node], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT16, [1, k])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT16, None)],
            [numpy_helper.from_array(codes, "w"), numpy_helper.from_array(scales, "s")])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)], ir_version=10)
        with tempfile.TemporaryDirectory() as folder:
            hone.compile_library(model.SerializeToString(), str(pathlib.Path(folder) / "m.so"))
            size = sum(path.stat().st_size for path in pathlib.Path(folder).iterdir())
        self.assertLess(size, codes.nbytes + scales.nbytes + 100_000)


if __name__ == "__main__":
    unittest.main()
