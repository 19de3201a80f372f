# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Sizes of 0 and 1 that only a run or a constant shows, and constants that an operator excludes."""
import itertools
import unittest

import numpy as np
from onnx import TensorProto, helper, numpy_helper

import hone


def compile_node(op, inputs, constants=None, outputs=1, free=False, opset=21, **attributes):
    """A model of one node; `inputs` are arrays whose sizes become free where asked for."""
    values, weights = [], []
    for name, array in inputs.items():
        shape = [f"{name}{axis}" for axis in range(array.ndim)] if free else array.shape
        values.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), shape))
    for name, array in (constants or {}).items():
        weights.append(numpy_helper.from_array(np.asarray(array), name))
    names = [f"y{i}" for i in range(outputs)]
    node = helper.make_node(op, [*inputs, *(constants or {})], names, name="node", **attributes)
    graph = helper.make_graph([node], "edges", values, [helper.make_empty_tensor_value_info(name) for name in names], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    return hone.compile(model.SerializeToString())


def run_node(op, inputs, constants=None, outputs=1, **options):
    got = compile_node(op, inputs, constants, outputs, **options).run(inputs)
    return [np.asarray(got[f"y{i}"]) for i in range(outputs)]


class EdgesTest(unittest.TestCase):
    def test_nonzero_of_a_scalar(self):
        for dtype in (np.float32, np.int64, np.bool_):
            for value, columns in ((3, 1), (0, 0)):
                (got,) = run_node("NonZero", {"x": np.array(value, dtype)})
                self.assertEqual((got.shape, got.dtype), ((0, columns), np.dtype(np.int64)))

    def test_recurrence_over_nothing(self):
        random = np.random.default_rng(0)
        for op, gates, states in (("LSTM", 4, 2), ("GRU", 3, 1), ("RNN", 1, 1)):
            for steps, batch in ((4, 0), (0, 3), (0, 0), (4, 3)):
                for directions, direction in ((1, "reverse"), (2, "bidirectional")):
                    x = random.standard_normal((steps, batch, 2)).astype(np.float32)
                    weights = {
                        "w": random.standard_normal((directions, gates * 3, 2)).astype(np.float32),
                        "r": random.standard_normal((directions, gates * 3, 3)).astype(np.float32),
                    }
                    with self.subTest(op=op, steps=steps, batch=batch, direction=direction):
                        for free in (False, True):
                            got = run_node(op, {"x": x}, weights, 1 + states, free=free, hidden_size=3, direction=direction)
                            self.assertEqual(got[0].shape, (steps, directions, batch, 3))
                            for state in got[1:]:
                                self.assertEqual(state.shape, (directions, batch, 3))
                                # Unchanged by any iteration.
                                self.assertTrue(steps > 0 or (state == 0).all())

    def test_einsum_broadcasts_sizes_of_a_run(self):
        random = np.random.default_rng(1)
        for equation in ("...ij,...jk->...ik", "bij,bjk->bik", "ij,jk->ik", "ij,ij->", "bij,bj->bi", "abc,bcd,cd->ad", "...i,...i->..."):
            terms = equation.split("->")[0].replace("...", "e").split(",")
            labels = sorted(set("".join(terms)))
            models = {}
            for ones in itertools.chain([()], itertools.combinations([(t, l) for t, term in enumerate(terms) for l in term], 1)):
                shapes = [[1 if (t, label) in ones else 2 + labels.index(label) for label in term] for t, term in enumerate(terms)]
                operands = {f"x{t}": random.standard_normal(shape).astype(np.float32) for t, shape in enumerate(shapes)}
                want = np.einsum(equation, *operands.values())
                with self.subTest(equation=equation, shapes=shapes):
                    model = models.setdefault("free", compile_node("Einsum", operands, free=True, equation=equation))
                    np.testing.assert_allclose(model.run(operands)["y0"], want, rtol=1e-4, atol=1e-5)
                    (static,) = run_node("Einsum", operands, equation=equation)
                    np.testing.assert_allclose(static, want, rtol=1e-4, atol=1e-5)

    def test_einsum_refuses_other_sizes(self):
        operands = {"a": np.zeros((2, 3), np.float32), "b": np.zeros((4, 5), np.float32)}
        model = compile_node("Einsum", operands, free=True, equation="ij,jk->ik")
        with self.assertRaises(hone.RunError):
            model.run(operands)

    def test_constants_divided_by_zero(self):
        for op, dtype in itertools.product(("Div", "Mod"), (np.int64, np.int32, np.int8, np.uint8)):
            constants = {"a": np.array([7, 8], dtype), "b": np.array([2, 0], dtype)}
            for values in (constants, {name: value[1:] for name, value in constants.items()}):
                with self.subTest(op=op, dtype=dtype, size=len(values["a"])), self.assertRaisesRegex(
                    (hone.CompileError, hone.RunError), "node"
                ):
                    run_node(op, {}, values)

    def test_sizes_divided_by_zero(self):
        node = [
            helper.make_node("Shape", ["x"], ["a"], start=0, end=1),
            helper.make_node("Shape", ["x"], ["b"], start=1, end=2),
            helper.make_node("Div", ["a", "b"], ["q"], name="quotient"),
            helper.make_node("ConstantOfShape", ["q"], ["y"]),
        ]
        value = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", "m"])
        graph = helper.make_graph(node, "sizes", [value], [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)])
        model = hone.compile(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10).SerializeToString())
        self.assertEqual(model.run({"x": np.zeros((7, 2), np.float32)})["y"].shape, (3,))
        with self.assertRaises(hone.RunError):
            model.run({"x": np.zeros((7, 0), np.float32)})

    def test_reshape_to_zero_and_open(self):
        x = {"x": np.zeros((0, 4), np.float32)}
        with self.assertRaisesRegex(hone.CompileError, "0 and -1"):
            run_node("Reshape", x, {"shape": np.array([0, -1])}, allowzero=1)
        with self.assertRaisesRegex(hone.CompileError, "cannot split 0 elements by 0"):
            run_node("Reshape", x, {"shape": np.array([0, -1])})
        self.assertEqual(run_node("Reshape", x, {"shape": np.array([3, 0])}, allowzero=1)[0].shape, (3, 0))
        values = {**x, "shape": np.array([0, -1])}
        shapes = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4]), helper.make_tensor_value_info("shape", TensorProto.INT64, [2])]
        node = helper.make_node("Reshape", ["x", "shape"], ["y"], name="node", allowzero=1)
        graph = helper.make_graph([node], "reshape", shapes, [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)])
        model = hone.compile(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10).SerializeToString())
        with self.assertRaises(hone.RunError):
            model.run(values)
        self.assertEqual(model.run({"x": np.zeros((2, 4), np.float32), "shape": np.array([4, -1])})["y"].shape, (4, 2))


if __name__ == "__main__":
    unittest.main()
