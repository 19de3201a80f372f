#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Ways to call a model, what it says of itself, and the exceptions of wrong calls."""
import collections
import json
import os
import pathlib
import pickle
import subprocess
import tempfile
import types
import unittest

import numpy as np
import onnx
from onnx import TensorProto, helper

import hone
from hone import errors
from test_model import DIGITS, add_model, float_info, graph_model

X = np.arange(6, dtype=np.float32).reshape(2, 3)


def scale_model(input_name="x"):
    """y = 2 x, one input."""
    node = helper.make_node("Add", [input_name, input_name], ["y"])
    return graph_model([node], [float_info(input_name, ["n"])], [float_info("y", ["n"])]).SerializeToString()


class CallTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = hone.compile(add_model())

    def test_by_position_and_by_name(self):
        feeds = {"a": X, "b": 3 * X}
        calls = [((X, 3 * X), {}), ((X,), {"b": 3 * X}), ((), feeds), ((feeds,), {}), (({"a": X},), {"b": 3 * X})]
        calls += [((kind(feeds),), {}) for kind in (types.MappingProxyType, collections.UserDict, collections.OrderedDict)]
        for inputs, named in calls:
            for call in (self.model, self.model.run):
                np.testing.assert_array_equal(call(*inputs, **named)["y"], 4 * X)
        out = np.zeros_like(X)
        self.assertIs(self.model(X, X, out={"y": out})["y"], out)
        np.testing.assert_array_equal(out, 2 * X)

    def test_a_single_input(self):
        model = hone.compile(scale_model())
        for x in ([1, 2], (1, 2), np.float32([1, 2])):
            np.testing.assert_array_equal(model(x)["y"], [2, 4])
            self.assertEqual(model.profile(x, runs=1).runs, 1)

    def test_names_that_are_arguments_or_no_identifiers(self):
        for name in ("out", "device_outputs", "self", "inputs", "a b", "naïve"):
            model = hone.compile(scale_model(name))
            np.testing.assert_array_equal(model({name: [1]})["y"], [2])
            np.testing.assert_array_equal(model([1])["y"], [2])
        np.testing.assert_array_equal(hone.compile(scale_model("self"))(self=[1])["y"], [2])

    def test_wrong_calls(self):
        self.assertEqual(str(self.error(KeyError, X)), "input 'b' is missing")
        self.assertEqual(str(self.error(KeyError, X, X, c=X)), "the model has no input 'c'; it has 'a', 'b'")
        self.assertEqual(str(self.error(KeyError, {"a": X, "B": X})), "the model has no input 'B'; it has 'a', 'b'")
        self.assertEqual(str(self.error(KeyError, {"a": X, "b": X, 3: X})), "the model has no input 3; it has 'a', 'b'")
        self.assertEqual(str(self.error(KeyError, X, X, out={"z": X})), "the model has no output 'z'; it has 'y'")
        self.assertEqual(str(self.error(TypeError, X, X, X)), "3 inputs are given, and the model takes 2: a, b")
        self.assertEqual(str(self.error(TypeError, X, X, a=X)), "input 'a' is given twice")
        self.assertEqual(str(self.error(TypeError, X, X.astype(np.float64))), "input 'b': the elements must have type float, not double")
        self.assertEqual(str(self.error(ValueError, X, X[:1])), "input 'b': dimension 0 ('n') is 1, but 'n' is 2 elsewhere in this call")
        self.assertEqual(str(self.error(ValueError, X, X[0])), "input 'b' must have rank 2, not 1")
        self.error(TypeError, X, X, device_outputs=1)
        self.error(TypeError, X, X, out=3)
        self.error(ValueError, X, X, device_outputs=True)
        np.testing.assert_array_equal(self.model(X, X)["y"], 2 * X)

    def error(self, kind, *inputs, **named):
        """What a wrong call raises; there is nothing of the extension module in it."""
        with self.assertRaises(kind) as caught:
            self.model(*inputs, **named)
        self.assertIsInstance(caught.exception, hone.RunError)
        self.assertIsInstance(caught.exception, hone.Error)
        for word in ("_runtime", "_compiler", "nanobind", "incompatible function"):
            self.assertNotIn(word, str(caught.exception))
        return caught.exception

    def test_values_that_are_no_tensors(self):
        class Hostile:
            def __init__(self, error):
                self.error = error

            def __array__(self, *_, **__):
                raise self.error

        class Unspeakable(Exception):
            def __str__(self):
                raise self

        cyclic = []
        cyclic.append(cyclic)
        for value in ("text", b"text", object(), {}, np.ndarray, [[1, 2], [3]], cyclic, np.array([[object()] * 3] * 2), np.zeros((2, 3), "M8[s]"), np.zeros((2, 3), [("f", "f4")]), Hostile(KeyError()), Hostile(Exception("\ud800")), Hostile(Unspeakable())):
            self.error(TypeError, X, value)
        self.error(ValueError, X, None)
        for error in (MemoryError, KeyboardInterrupt):
            with self.assertRaises(error):
                self.model(X, Hostile(error()))
        with self.assertRaises(MemoryError):
            self.model(X, np.broadcast_to(np.float32(1), (1 << 44, 3)))
        for layout in (X.T.copy().T, X[::-1], X.astype(">f4"), np.broadcast_to(np.float32(2), (2, 3))):
            layout.flags.writeable = False
            np.testing.assert_array_equal(self.model(layout, X)["y"], layout + X)

    def test_an_input_that_changes_the_call(self):
        feeds = {"a": X}

        class Changing:
            def __array__(self, *_, **__):
                feeds.clear()
                return X

        feeds["b"] = Changing()
        np.testing.assert_array_equal(self.model(feeds)["y"], 2 * X)
        self.assertEqual(feeds, {})

    def test_errors_in_the_data_are_none_of_the_call(self):
        indices = helper.make_tensor_value_info("i", TensorProto.INT64, ["n"])
        model = hone.compile(graph_model([helper.make_node("Gather", ["x", "i"], ["y"])], [float_info("x", [3]), indices], [float_info("y", ["n"])]))
        with self.assertRaises(hone.RunError) as caught:
            model([1, 2, 3], [5])
        self.assertNotIsInstance(caught.exception, (ValueError, TypeError, KeyError))


class InspectionTest(unittest.TestCase):
    def test_repr(self):
        self.assertEqual(repr(hone.compile(DIGITS / "model.onnx")), "<hone.Model 'model': (image: float[1,1,8,8]) -> (probabilities: float[1,10])>")
        self.assertEqual(repr(hone.compile(add_model(("n", 3)))), "<hone.Model 'model': (a: float[n,3], b: float[n,3]) -> (y: float[n,3])>")
        names = [f"x{i}" for i in range(9)]
        sequence = helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, None)
        model = hone.compile(graph_model([helper.make_node("SequenceConstruct", names, ["s"])], [float_info(name, [1]) for name in names], [sequence]))
        self.assertEqual(repr(model), "<hone.Model 'model': (x0: float[1], x1: float[1], x2: float[1], x3: float[1], x4: float[1], x5: float[1], 3 more) -> (s: sequence(float[?]))>")

    def test_info(self):
        info = hone.compile(DIGITS / "model.onnx", cpu="x86-64-v2,x86-64-v3").info
        self.assertEqual((info.name, info.producer, info.memory, info.rounded_to, info.chips), ("model", f"hone {hone.__version__}", ("planned",), (), ()))
        self.assertEqual(info.levels, ("x86-64-v2", "x86-64-v3"))
        self.assertEqual((info.arena_bytes > 0, info.weight_bytes > 0), (True, True))
        self.assertEqual(hone.compile(DIGITS / "model.onnx", cpu="x86-64-v3", precision="bf16").info.rounded_to, ("bf16",))
        nodes = [helper.make_node("MatMul", ["x", "x"], ["s"]), helper.make_node("MatMul", ["s", "s"], ["y"])]
        self.assertEqual(hone.compile(graph_model(nodes, [float_info("x", ["n", "n"])], [float_info("y", ["n", "n"])])).info.arena_bytes, None)
        self.assertEqual(hone.compile(add_model(), target="cuda,cpu", gpu="sm_80").info.chips, ("sm_80",))

    def test_metadata(self):
        model = onnx.load_from_string(add_model())
        self.assertEqual(hone.compile(model).info.metadata, {})
        metadata = {"names": "{0: 'cat', 1: 'dog'}", "": "no name", "empty": "", "ünï": "cödé\n%s"}
        helper.set_model_props(model, metadata)
        model.metadata_props.add(key="z\0z", value="cut\0here")
        expected = {**metadata, "z": "cut"}
        with tempfile.TemporaryDirectory() as folder:
            library = pathlib.Path(folder) / "m.so"
            self.assertEqual(hone.compile(model, output=library, cpu="x86-64-v2,x86-64-v3").info.metadata, expected)
            program = pathlib.Path(os.environ["HONE_BUILD"]) / "bin" / "hone"
            told = subprocess.run([program, "info", "--json", library], capture_output=True, text=True, check=True).stdout
            self.assertEqual(json.loads(told)["metadata"], expected)
            told = subprocess.run([program, "info", library], capture_output=True, text=True, check=True).stdout
            self.assertIn("metadata:\n  names: {0: 'cat', 1: 'dog'}\n", told)
        damaged = model.SerializeToString().replace(b"no name", b"n\xff name")
        self.assertEqual(hone.compile(damaged).info.metadata[""], "n\N{REPLACEMENT CHARACTER} name")

    def test_models_are_not_made_directly(self):
        with self.assertRaisesRegex(TypeError, "hone.compile and hone.load"):
            hone.Model("model.so")


class ErrorsTest(unittest.TestCase):
    def test_they_survive_pickle(self):
        for name in dir(errors):
            kind = getattr(errors, name)
            if not isinstance(kind, type) or name.startswith("_"):
                continue
            self.assertTrue(issubclass(kind, hone.Error) and kind.__doc__, name)
            raised = kind(2, "the message", "file") if issubclass(kind, FileNotFoundError) else kind("the message")
            copy = pickle.loads(pickle.dumps(raised))
            self.assertEqual((type(copy), str(copy)), (kind, "the message"))
        self.assertTrue(issubclass(hone.QuantizationError, hone.Error))


if __name__ == "__main__":
    unittest.main()
