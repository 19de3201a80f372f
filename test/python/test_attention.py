# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Attention on the CPU and on the emulated GPU: each way that it is cut, with masks and rows without a score; on the
GPU in several orders of the threads."""
import os
import pathlib
import tempfile
import unittest

import numpy as np
from onnx import TensorProto, helper

import hone

EMULATOR = pathlib.Path(os.environ["HONE_BUILD"]) / "lib" / "libhone_emulator.so"
TYPES = {"f32": TensorProto.FLOAT, "f16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16}
TOLERANCE = {"f32": 1e-5, "f16": 4e-3, "bf16": 4e-2}
RANDOM = np.random.default_rng(0)


def constant(name, value, kind=TensorProto.FLOAT):
    return helper.make_tensor(name, kind, [], [value])


def make_model(kind, shapes, mask, causal, by_row):
    """softmax(q x transposed k / 8, masked) x v on operands that are cast to a type; the declared shapes may have names.
    A mask is bool, and -inf where it does not hold; causal attention has no score behind the row's number. By row, the
    heads follow the rows in all operands and in the result."""
    cast = "h" if by_row else "c"
    nodes = [helper.make_node("Cast", [name], [name + cast], to=TYPES[kind]) for name in "qkv"]
    if by_row:
        nodes += [helper.make_node("Transpose", [name + "h"], [name + "c"], perm=[0, 2, 1, 3]) for name in "qkv"]
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in zip("qkv", shapes)]
    constants = [constant("factor", 0.125, TYPES[kind]), constant("low", float("-inf"), TYPES[kind])]
    nodes += [
        helper.make_node("Transpose", ["kc"], ["kt"], perm=[0, 1, 3, 2]),
        helper.make_node("MatMul", ["qc", "kt"], ["products"]),
        helper.make_node("Mul", ["products", "factor"], ["scores"]),
    ]
    scores = "scores"
    if mask:
        inputs.append(helper.make_tensor_value_info("m", TensorProto.BOOL, mask))
        nodes.append(helper.make_node("Where", ["m", scores, "low"], ["masked"]))
        scores = "masked"
    nodes += [
        helper.make_node("Softmax", [scores], ["powers"], axis=-1),
        helper.make_node("MatMul", ["powers", "vc"], ["r"]),
    ]
    if causal:
        nodes = nodes[:3] + [helper.make_node("Attention", ["qc", "kc", "vc"], ["r"], is_causal=1, scale=0.125)]
    if by_row:
        nodes.append(helper.make_node("Transpose", ["r"], ["t"], perm=[0, 2, 1, 3]))
    nodes.append(helper.make_node("Cast", ["t" if by_row else "r"], ["y"], to=TensorProto.FLOAT))
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "test", inputs, [result], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=10)
    return model.SerializeToString()


def attention(q, k, v, seen):
    if k.shape[-2] == 0:
        return np.zeros((*q.shape[:-1], v.shape[-1]))
    scores = np.where(seen, q @ k.swapaxes(-1, -2) * 0.125, -np.inf)
    with np.errstate(invalid="ignore"):
        powers = np.exp(scores - scores.max(-1, keepdims=True))
        return powers / powers.sum(-1, keepdims=True) @ v


class AttentionCases:
    """Those of both targets."""

    def run_model(self, model, operands):
        """Results that must equal the reference."""
        return [hone.compile(model).run(operands)["y"]]

    def check(self, kind, heads, rows, keys, depth, width, mask=None, causal=False, dynamic=False, by_row=False):
        shapes = [(1, heads, rows, depth), (1, heads, keys, depth), (1, heads, keys, width)]
        q, k, v = (RANDOM.standard_normal(shape).astype(np.float32) for shape in shapes)
        operands, seen = {"q": q, "k": k, "v": v}, True
        if mask:
            operands["m"] = seen = RANDOM.random(mask) < 0.6
            seen[..., -1:, :] &= mask[2] == 1
        if causal:
            seen = np.tril(np.ones((rows, keys), bool))
        if dynamic:
            shapes = [(1, "h", size, length) for size, length in (("m", depth), ("n", depth), ("n", width))]
        wanted = attention(q.astype(np.float64), k.astype(np.float64), v.astype(np.float64), seen)
        if by_row:
            shapes = [(1, size, heads, length) for _, heads, size, length in shapes]
            wanted = wanted.swapaxes(1, 2)
            operands.update({name: operands[name].swapaxes(1, 2).copy() for name in "qkv"})
        with self.subTest(sizes=(kind, heads, rows, keys, depth, width), mask=mask, options=(causal, dynamic, by_row)):
            for got in self.run_model(make_model(kind, shapes, mask, causal, by_row), operands):
                np.testing.assert_allclose(got, wanted, rtol=TOLERANCE[kind], atol=TOLERANCE[kind])

    def test_sizes_that_divide_nothing(self):
        for kind in TYPES:
            self.check(kind, 2, 21, 77, 40, 40, mask=(1, 1, 21, 77))
            self.check(kind, 2, 19, 70, 13, 7, causal=True)

    def test_each_tile(self):
        for kind in ("f32", "f16"):
            self.check(kind, 66, 64, 64, 16, 32)
            self.check(kind, 33, 50, 96, 16, 16, mask=(1, 1, 50, 96))
            self.check(kind, 2, 16, 128, 64, 64)

    def test_long_keys_and_values(self):
        for kind in TYPES:
            self.check(kind, 2, 33, 80, 256, 128, mask=(1, 1, 1, 80))

    def test_sizes_known_at_run_time(self):
        for kind in ("f32", "f16"):
            self.check(kind, 2, 40, 70, 32, 24, causal=True, dynamic=True)

    def test_keys_that_rows_do_not_see(self):
        for dynamic in (False, True):
            self.check("f32", 2, 70, 230, 16, 16, causal=True, dynamic=dynamic)
            self.check("f16", 2, 90, 33, 16, 16, causal=True, dynamic=dynamic)

    def test_no_keys(self):
        self.check("f32", 2, 9, 0, 32, 24, dynamic=True)

    def test_heads_behind_rows(self):
        for kind in ("f32", "f16"):
            self.check(kind, 3, 21, 37, 24, 40, mask=(1, 1, 21, 37), by_row=True)


class CpuAttentionTest(AttentionCases, unittest.TestCase):
    def test_more_keys_than_a_block(self):
        for kind in TYPES:
            self.check(kind, 2, 70, 1100, 24, 20, mask=(1, 1, 70, 1100))
        self.check("f32", 1, 130, 1024, 16, 16, dynamic=True)
        self.check("f32", 1, 1100, 1300, 16, 16, causal=True)
        self.check("f32", 1, 1300, 1100, 16, 16, causal=True, dynamic=True)


@unittest.skipUnless(EMULATOR.exists(), "this build has no emulator")
class EmulatedAttentionTest(AttentionCases, unittest.TestCase):
    def tearDown(self):
        os.environ.pop("HONE_EMULATOR_SEED", None)

    def run_model(self, model, operands):
        with tempfile.TemporaryDirectory() as folder:
            library = pathlib.Path(folder) / "model.so"
            hone.compile(model, output=str(library), target="cuda-emulated")
            self.assertTrue(b"attention_step0" in library.read_bytes())
            loaded = hone.load(str(library))
        for seed in ("0", "1"):
            os.environ["HONE_EMULATOR_SEED"] = seed
            yield loaded.run(operands)["y"]


if __name__ == "__main__":
    unittest.main()
