# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The Python package on small models: compile, load, run, errors."""
import pathlib
import subprocess
import sys
import tempfile
import threading
import unittest

import numpy as np
import onnx
from onnx import TensorProto, helper

import hone
import hone.backend

DIGITS = pathlib.Path(__file__).resolve().parent.parent / "data" / "digits"


def graph_model(nodes, inputs, outputs, initializers=()):
    graph = helper.make_graph(nodes, "test", inputs, outputs, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def float_info(name, shape):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def add_model(shape=("n", 3)):
    """y = a + b"""
    node = helper.make_node("Add", ["a", "b"], ["y"])
    infos = [float_info("a", shape), float_info("b", shape)]
    return graph_model([node], infos, [float_info("y", shape)]).SerializeToString()


class CompileTest(unittest.TestCase):
    def test_path_and_bytes_agree(self):
        path = DIGITS / "model.onnx"
        image = np.load(DIGITS / "digit-0.npy")
        first = hone.compile(path).run({"image": image})
        second = hone.compile(path.read_bytes()).run({"image": image})
        np.testing.assert_array_equal(first["probabilities"], second["probabilities"])

    def test_digits(self):
        model = hone.compile(str(DIGITS / "model.onnx"))
        for line in (DIGITS / "labels.txt").read_text().splitlines():
            file, label = line.split()
            result = model.run({"image": np.load(DIGITS / file)})["probabilities"]
            self.assertEqual(result.argmax(), int(label))
            self.assertAlmostEqual(float(result.sum()), 1, places=5)

    def test_missing_file(self):
        with self.assertRaisesRegex(hone.CompileError, "no-such.onnx"):
            hone.compile("no-such.onnx")

    def test_not_a_model(self):
        for junk in (b"", b"junk", bytes(range(256)), add_model()[:-7]):
            with self.assertRaises(hone.CompileError) as caught:
                hone.compile(junk)
            self.assertTrue(str(caught.exception))

    def test_unknown_operator_is_named(self):
        node = helper.make_node("Frobnicate", ["x"], ["y"], name="culprit")
        model = graph_model([node], [float_info("x", [2])], [float_info("y", [2])])
        with self.assertRaisesRegex(hone.CompileError, "Frobnicate"):
            hone.compile(model.SerializeToString())

    def test_unknown_option(self):
        with self.assertRaises(TypeError):
            hone.compile(add_model(), no_such_option=1)

    def test_output_file_is_kept_and_loads(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "add.so"
            hone.compile(add_model(), output=path)
            x = np.ones((2, 3), np.float32)
            np.testing.assert_array_equal(hone.load(path).run({"a": x, "b": x})["y"], 2 * x)

    def test_library_for_another_machine_is_not_opened(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "add.so"
            hone.compile_library(add_model(), path, target="cuda", gpu="sm_80")
            self.assertIn(b"sm_80", path.read_bytes())
            hone.compile_library(add_model(), path, target="cuda")
            self.assertIn(b"sm_80", path.read_bytes())

    def test_load_refuses_other_files(self):
        for path in (DIGITS / "model.onnx", "no-such.so"):
            with self.assertRaises(hone.RunError):
                hone.load(path)


class CheckTest(unittest.TestCase):
    def test_good(self):
        self.assertEqual(hone.check(add_model()), [])
        self.assertEqual(hone.check(DIGITS / "model.onnx"), [])

    def test_lists_everything(self):
        nodes = [helper.make_node("Whet", ["a"], ["b"]), helper.make_node("MatMul", ["a", "a"], ["y"])]
        messages = hone.check(graph_model(nodes, [float_info("a", (2, 3))], [float_info("y", None)]).SerializeToString())
        self.assertTrue(any("'Whet'" in m for m in messages), messages)
        self.assertTrue(any("node 'y' (MatMul, opset 17)" in m for m in messages), messages)

    def test_bytes_that_are_no_text(self):
        node = helper.make_node("Relu", ["a"], ["y"], name="name")
        data = graph_model([node, node], [float_info("a", (2,))], [float_info("y", (2,))]).SerializeToString()
        self.assertTrue(hone.check(data.replace(b"name", b"n\xffme")))


class RunTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = hone.compile(add_model())

    def test_signature(self):
        a = self.model.inputs[0]
        self.assertEqual((a.name, a.kind, a.type, a.dtype), ("a", "tensor", "float", np.float32))
        self.assertEqual(a.shape, ("n", 3))
        self.assertEqual([value.name for value in self.model.outputs], ["y"])

    def test_free_dimension(self):
        for n in (1, 2, 0, 5):
            x = np.arange(n * 3, dtype=np.float32).reshape(n, 3)
            np.testing.assert_array_equal(self.model.run({"a": x, "b": x})["y"], 2 * x)

    def test_other_layouts(self):
        x = np.arange(6, dtype=np.float32).reshape(3, 2).T
        swapped = x.astype(">f4")
        raw = np.zeros(25, np.uint8)
        unaligned = raw[1:].view(np.float32).reshape(2, 3)
        got = self.model.run({"a": x, "b": swapped})["y"]
        np.testing.assert_array_equal(got, 2 * x)
        np.testing.assert_array_equal(self.model.run({"a": x, "b": unaligned})["y"], x)

    def test_lists_are_taken(self):
        got = self.model.run({"a": [[1, 2, 3]], "b": [[4, 5, 6]]})["y"]
        np.testing.assert_array_equal(got, [[5, 7, 9]])

    def test_lists_of_floats_are_not_cut(self):
        for kind in (TensorProto.INT64, TensorProto.UINT8, TensorProto.BOOL):
            x = helper.make_tensor_value_info("x", kind, ["n"])
            y = helper.make_tensor_value_info("y", kind, ["n"])
            graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [x], [y])
            model = hone.compile(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10).SerializeToString())
            np.testing.assert_array_equal(model.run({"x": [1, 0]})["y"], [1, 0])
            self.assertEqual(model.run({"x": []})["y"].shape, (0,))
            for cut in ([1.5], [1.0, 0.0], (np.float32(2),)):
                with self.assertRaisesRegex(hone.RunError, "floats were given"):
                    model.run({"x": cut})

    def test_out_that_is_no_dictionary(self):
        x = np.zeros((2, 3), np.float32)
        for out in (x, [x], "y"):
            with self.assertRaisesRegex(TypeError, "out must be a dictionary"):
                self.model.run({"a": x, "b": x}, out=out)

    def test_wrong_calls(self):
        x = np.zeros((2, 3), np.float32)
        wrong = [
            ({"a": x}, "'b' is missing"),
            ({"a": x, "b": x, "c": x}, "no input 'c'"),
            ({"a": x, "b": x.astype(np.float64)}, "b"),
            ({"a": x, "b": np.zeros((3, 3), np.float32)}, "n"),
            ({"a": x, "b": np.zeros((2, 4), np.float32)}, "b"),
            ({"a": x, "b": np.zeros(3, np.float32)}, "b"),
            ({"a": x, "b": "text"}, "b"),
        ]
        for feeds, message in wrong:
            with self.assertRaisesRegex(hone.RunError, message):
                self.model.run(feeds)
        np.testing.assert_array_equal(self.model.run({"a": x, "b": x})["y"], x)

    def test_results_outlive_the_model(self):
        x = np.ones((1, 3), np.float32)
        y = hone.compile(add_model()).run({"a": x, "b": x})["y"]
        np.testing.assert_array_equal(y, 2 * x)

    def test_threads(self):
        x = np.ones((64, 3), np.float32)
        wrong = []

        def work(k):
            for _ in range(200):
                if not np.array_equal(self.model.run({"a": x, "b": k * x})["y"], (1 + k) * x):
                    wrong.append(k)

        threads = [threading.Thread(target=work, args=(np.float32(k),)) for k in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])


class KindsTest(unittest.TestCase):
    def test_sequence(self):
        info = helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, ["?"])
        position = helper.make_tensor("p", TensorProto.INT64, [], [1])
        node = helper.make_node("SequenceAt", ["s", "p"], ["y"])
        model = hone.compile(graph_model([node], [info], [float_info("y", None)], [position]).SerializeToString())
        got = model.run({"s": [np.zeros(2, np.float32), np.ones(3, np.float32)]})["y"]
        np.testing.assert_array_equal(got, np.ones(3, np.float32))

    def test_sequence_output(self):
        node = helper.make_node("SequenceConstruct", ["a", "b"], ["s"])
        info = helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, ["?"])
        model = hone.compile(graph_model([node], [float_info("a", [2]), float_info("b", [3])], [info]).SerializeToString())
        got = model.run({"a": np.zeros(2, np.float32), "b": np.ones(3, np.float32)})["s"]
        self.assertIsInstance(got, list)
        np.testing.assert_array_equal(got[1], np.ones(3, np.float32))

    def test_strings(self):
        info = helper.make_tensor_value_info("x", TensorProto.STRING, [2])
        out = helper.make_tensor_value_info("y", TensorProto.STRING, [2])
        model = hone.compile(graph_model([helper.make_node("Identity", ["x"], ["y"])], [info], [out]).SerializeToString())
        got = model.run({"x": np.array(["a", "naïve"], object)})["y"]
        self.assertEqual(got.tolist(), ["a", "naïve"])


class BackendTest(unittest.TestCase):
    def test_run_model(self):
        x = np.ones((2, 3), np.float32)
        model = onnx.load_from_string(add_model())
        np.testing.assert_array_equal(hone.backend.run_model(model, [x, x])[0], 2 * x)

    def test_run_node(self):
        x = np.array([-1, 2], np.float32)
        got = hone.backend.run_node(helper.make_node("Relu", ["x"], ["y"]), [x])
        np.testing.assert_array_equal(got.y, [0, 2])

    def test_devices(self):
        self.assertTrue(hone.backend.supports_device("CPU"))
        self.assertFalse(hone.backend.supports_device("CUDA"))


class ImportTest(unittest.TestCase):
    def test_second_onnx_user_in_the_process(self):
        code = "import onnx, hone, onnx.checker; import google.protobuf.descriptor; hone.compile(%r)" % str(DIGITS / "model.onnx")
        subprocess.run([sys.executable, "-c", code], check=True)


if __name__ == "__main__":
    unittest.main()
