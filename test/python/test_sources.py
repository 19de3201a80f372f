#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What is given to hone.compile, compile_library, check and load: models in every form, and wrong arguments."""
import inspect
import io
import mmap
import os
import pathlib
import tempfile
import threading
import unittest

import numpy as np
import onnx
import onnx.parser
from onnx import external_data_helper, numpy_helper

import hone
from test_model import DIGITS, add_model, float_info, graph_model

X = np.ones((2, 3), np.float32)


class FolderTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def assertError(self, error, text, call, *arguments, **named):
        """It raises this, as one of the package's own, with nothing of the extension module in it."""
        with self.assertRaisesRegex(error, text) as caught:
            call(*arguments, **named)
        self.assertIsInstance(caught.exception, hone.Error)
        for word in ("_runtime", "_compiler", "nanobind", "incompatible function", "error: "):
            self.assertNotIn(word, str(caught.exception))
        return caught.exception


class SourceTest(FolderTest):
    def test_forms(self):
        content = add_model()
        path = self.folder / "add.onnx"
        path.write_bytes(content)
        with open(path, "rb") as file, open(path, "rb", buffering=0) as raw, open(path, "rb") as mapped, mmap.mmap(mapped.fileno(), 0, access=mmap.ACCESS_READ) as pages:
            forms = [path, str(path), content, bytearray(content), memoryview(content), memoryview(content * 2)[: len(content)]]
            forms += [onnx.load_from_string(content), io.BytesIO(content), file, raw, pages]
            for form in forms:
                with self.subTest(type(form)):
                    np.testing.assert_array_equal(hone.compile(form)(X, X)["y"], 2 * X)
        self.assertEqual(hone.check(onnx.load_from_string(content)), [])
        self.assertEqual(hone.check(io.BytesIO(content)), [])
        hone.compile_library(onnx.load_from_string(content), self.folder / "add.so")
        np.testing.assert_array_equal(hone.load(self.folder / "add.so")(X, X)["y"], 2 * X)

    def test_a_proto_is_left_as_it_is(self):
        model = onnx.load_from_string(add_model())
        hone.compile(model)
        self.assertEqual(model.SerializeToString(), add_model())

    def test_wrong_forms(self):
        class Odd:
            def __init__(self, content):
                self.content = content

            def read(self):
                return self.content

        for call in (hone.compile, hone.check, lambda model: hone.compile_library(model, self.folder / "m.so")):
            for model in (None, 3, [], object(), onnx.ModelProto, onnx.GraphProto(), np.zeros(3), Odd, hone):
                self.assertError(TypeError, "model must be a path, bytes, a binary file or an onnx.ModelProto, not", call, model)
            self.assertError(TypeError, "binary mode", call, io.StringIO("text"))
            for content in (None, 3, [b"bytes"]):
                self.assertError(TypeError, "reading it gave no bytes", call, Odd(content))
            self.assertError(ValueError, "zero byte", call, "a\0b")
        self.assertError(hone.CompileError, "it is empty", hone.compile, onnx.ModelProto())
        closed = io.BytesIO(add_model())
        closed.close()
        with self.assertRaisesRegex(ValueError, "closed file"):
            hone.compile(closed)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_a_proto_that_is_too_large(self):
        class Large:
            DESCRIPTOR = onnx.ModelProto.DESCRIPTOR

            def SerializeToString(self):
                raise ValueError("exceeds maximum protobuf size of 2GB")

        self.assertError(ValueError, "2GB; one of 2 GiB or more must be saved with external data", hone.compile, Large())

    def test_data_beside_a_file(self):
        """Given as a path, a model finds it; in memory there is no folder to look in."""
        weights = numpy_helper.from_array(np.arange(3000, dtype=np.float32), "w")
        model = graph_model([onnx.helper.make_node("Add", ["x", "w"], ["y"])], [float_info("x", [3000])], [float_info("y", [3000])], [weights])
        path = self.folder / "m.onnx"
        onnx.save_model(model, path, save_as_external_data=True, location="m.data", size_threshold=0)
        np.testing.assert_array_equal(hone.compile(path)(np.zeros(3000, np.float32))["y"], np.arange(3000))
        for given in (path.read_bytes(), onnx.load(path, load_external_data=False)):
            self.assertTrue(external_data_helper.uses_external_data(onnx.load(path, load_external_data=False).graph.initializer[0]))
            self.assertError(hone.CompileError, "", hone.compile, given)

    def test_names_that_are_not_utf8(self):
        path = os.fsencode(self.folder) + b"/n\xffme.onnx"
        pathlib.Path(os.fsdecode(path)).write_bytes(add_model())
        library = os.fsdecode(path[:-4] + b"so")
        model = hone.compile(os.fsdecode(path), output=library)
        self.assertEqual(model.info.name, "n\N{REPLACEMENT CHARACTER}me")
        np.testing.assert_array_equal(hone.load(library)(X, X)["y"], 2 * X)
        with self.assertRaises(FileNotFoundError):
            hone.compile(os.fsdecode(path) + "x")


class ArgumentTest(FolderTest):
    def test_missing_files(self):
        for call, file in ((hone.compile, "no.onnx"), (hone.check, "no.onnx"), (hone.load, "no.so")):
            path = str(self.folder / file)
            error = self.assertError(FileNotFoundError, "there is no", call, path)
            self.assertIsInstance(error, hone.RunError if call is hone.load else hone.CompileError)
            self.assertEqual((error.errno, error.filename), (2, path))
            self.assertIn(repr(path), str(error))

    def test_files_that_cannot_be_written(self):
        for output in (self.folder, self.folder / "missing" / "m.so", "/proc/m.so"):
            for call in (hone.compile, hone.compile_library):
                self.assertIsInstance(self.assertError(OSError, "", call, add_model(), output=output), hone.CompileError)

    def test_sizes_of_inputs(self):
        model = onnx.parser.parse_model('<ir_version: 10, opset_import: ["" : 21]> g (float[b, 4] x, float[b, 4] y) => (float[b, 4] z) { z = Add(x, y) }')
        compiled = hone.compile(model, shapes={"x": (2, np.int64(4))})
        self.assertEqual([value.shape for value in compiled.inputs], [(2, 4), (2, 4)])
        self.assertEqual(hone.check(model, shapes={"x": [2, 4]}, dims={"b": 2}), [])
        self.assertIn("its dimension 1 is 4, not 5", hone.check(model, shapes={"x": [2, 5]})[0])

    def test_wrong_options(self):
        wrong = [
            ({"cpu": None}, TypeError, "cpu must be a str, not NoneType"),
            ({"cpu": "abacus"}, ValueError, "unknown CPU level 'abacus'"),
            ({"target": 3}, TypeError, "target must be a str, not int"),
            ({"target": "abacus"}, ValueError, "abacus"),
            ({"gpu": b"sm_80"}, TypeError, "gpu must be a str, not bytes"),
            ({"precision": 16}, TypeError, "precision must be a str, not int"),
            ({"precision": "f8"}, ValueError, "f8"),
            ({"symbol": None}, TypeError, "symbol must be a str"),
            ({"symbol": "a b"}, ValueError, "identifier"),
            ({"threads": 1.5}, TypeError, "threads must be an integer, not float"),
            ({"threads": -1}, ValueError, "threads is -1"),
            ({"dims": 3}, TypeError, "dims must be a dict"),
            ({"dims": ["n"]}, TypeError, "dims must be a dict"),
            ({"dims": {"n": None}}, TypeError, "must be an integer"),
            ({"dims": {"q": 1}}, hone.CompileError, "no free dimension 'q'"),
            ({"shapes": 3}, TypeError, "shapes must be a dict"),
            ({"shapes": {3: [1]}}, TypeError, "name of an input is a str, not int"),
            ({"shapes": {"x": 3}}, TypeError, r"shapes\['x'\] must be a list of sizes, not int"),
            ({"shapes": {"x": ["n"]}}, TypeError, "must be an integer"),
            ({"shapes": {"x": [-1]}}, ValueError, "is -1"),
            ({"shapes": {"q": [1]}}, hone.CompileError, "the input 'q' cannot be given a shape: the model has no such input"),
            ({"overrides": "a"}, TypeError, "overrides must be a list of names, not str"),
            ({"overrides": [3]}, TypeError, "name of an initializer is a str, not int"),
            ({"tuned": 3}, TypeError, "tuned must be a list of paths, not int"),
            ({"tuned": [3]}, TypeError, "tuned must be a str or a path, not int"),
            ({"tuned": str(self.folder / "no.json")}, hone.CompileError, "no.json"),
            ({"pipelines": 3}, TypeError, "pipelines must be a dict of pipelines by name, not int"),
            ({"pipelines": {"graph": 3}}, TypeError, r"pipelines\['graph'\] must be a str, not int"),
            ({"pipelines": {"tea": "builtin.module(cse)"}}, ValueError, "there is no IR after 'tea'"),
            ({"pipelines": {"graph": "cse"}}, ValueError, "the pipeline after 'graph': "),
            ({"pipelines": {"graph": "builtin.module(hone-host-buffer)"}}, hone.CompileError, "'graph' failed in pass 'hone-verify-host'"),
            ({"plugins": self.folder / "no.so"}, ValueError, "no.so' cannot be loaded"),
            ({"progress": 3}, TypeError, "progress must be callable, not int"),
        ]
        for options, error, text in wrong:
            for call in (hone.compile, lambda model, **named: hone.compile_library(model, self.folder / "m.so", **named)):
                with self.subTest(options=options):
                    self.assertError(error, text, call, add_model(), **options)
        for call in (hone.compile, hone.check, hone.load):
            with self.assertRaisesRegex(TypeError, "no_such_option"):
                call(add_model(), no_such_option=1)
        self.assertError(TypeError, "output must be a str or a path", hone.compile, add_model(), output=3)
        for text in ("cpu", "target", "symbol", "gpu", "precision"):
            with self.assertRaises(ValueError):
                hone.compile(add_model(), **{text: "\ud800"})
            self.assertError(ValueError, "null", hone.compile, add_model(), **{text: "a\0b"})
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_wrong_arguments_of_load(self):
        hone.compile_library(add_model(), self.folder / "m.so")
        wrong = [
            ({"threads": "2"}, TypeError, "threads must be an integer"),
            ({"cpu": None}, TypeError, "cpu must be a str"),
            ({"cpu": "abacus"}, hone.RunError, "abacus"),
            ({"symbol": 3}, TypeError, "symbol must be a str"),
            ({"device": "gpu"}, ValueError, "device must be a number or 'cpu', not 'gpu'"),
            ({"device": None}, TypeError, "device must be an integer"),
            ({"device": -1}, ValueError, "device is -1"),
            ({"device": 2**40}, ValueError, "device is"),
        ]
        for options, error, text in wrong:
            self.assertError(error, text, hone.load, self.folder / "m.so", **options)
        for path in (None, 3, [], b"a\0b"):
            with self.assertRaises((TypeError, ValueError)):
                hone.load(path)
        for path in (self.folder, os.devnull, DIGITS / "model.onnx"):
            self.assertError(hone.RunError, "", hone.load, path)

    def test_help_names_the_options(self):
        options = set(inspect.signature(hone.compile_library).parameters)
        for option in options:
            self.assertIn(f"\n    {option} ", hone.compile_library.__doc__)
        self.assertEqual(options, set(inspect.signature(hone.compile).parameters))
        for option in inspect.signature(hone.load).parameters:
            self.assertIn(f"\n    {option} ", hone.load.__doc__)


class ProgressTest(FolderTest):
    def test_it_is_told(self):
        for call in (hone.compile, hone.check, lambda model, **named: hone.compile_library(model, self.folder / "m.so", **named)):
            told = []
            call(DIGITS / "model.onnx", progress=lambda *what: told.append((threading.current_thread(), *what)))
            self.assertGreater(len(told), 1)
            for thread, activity, fraction in told:
                self.assertIs(thread, threading.current_thread())
                self.assertIsInstance(activity, str)
                self.assertTrue(0 <= fraction <= 1)
            fractions = [fraction for _, _, fraction in told]
            self.assertEqual(fractions, sorted(fractions))

    def test_an_exception_ends_the_compilation(self):
        class Enough(Exception):
            pass

        def stop(activity, fraction):
            if fraction > 0.2:
                raise Enough(activity)

        output = self.folder / "m.so"
        for call in (hone.compile, hone.compile_library):
            with self.assertRaises(Enough):
                call(DIGITS / "model.onnx", output=output, progress=stop)
        with self.assertRaises(TypeError):
            hone.compile(DIGITS / "model.onnx", progress=lambda: None)
        with self.assertRaises(SystemExit):
            hone.check(DIGITS / "model.onnx", progress=lambda *_: exit(3))
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_it_may_compile(self):
        answers = []

        def nested(*_):
            if not answers:
                answers.append(hone.compile(add_model())(X, X)["y"])

        hone.compile(DIGITS / "model.onnx", progress=nested)
        np.testing.assert_array_equal(answers[0], 2 * X)


if __name__ == "__main__":
    unittest.main()
