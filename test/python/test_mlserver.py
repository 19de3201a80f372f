# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled models as models of MLServer, without its server: what is loaded, answered and refused."""
import asyncio
import os
import tempfile
import unittest

import numpy as np
from onnx import TensorProto, helper

import hone
from test_model import graph_model

try:
    from mlserver import ModelSettings
    from mlserver.errors import InferenceError, MLServerError
    from mlserver.types import InferenceRequest, RequestInput, RequestOutput
    from prometheus_client import REGISTRY

    from hone.mlserver import HoneRuntime
except ModuleNotFoundError:
    HoneRuntime = None


def given(name, shape, datatype, data):
    return RequestInput(name=name, shape=shape, datatype=datatype, data=data)


@unittest.skipUnless(HoneRuntime, "mlserver is not installed")
class MLServerTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "model.so")
        inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2]), helper.make_tensor_value_info("s", TensorProto.STRING, ["n"])]
        outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2]), helper.make_tensor_value_info("t", TensorProto.STRING, ["n"])]
        nodes = [helper.make_node("Add", ["x", "x"], ["y"]), helper.make_node("Identity", ["s"], ["t"])]
        hone.compile_library(graph_model(nodes, inputs, outputs), self.path)

    def runtime(self, **parameters):
        settings = ModelSettings(name="model", implementation=HoneRuntime, parameters={"uri": self.path, **parameters})
        runtime = HoneRuntime(settings)
        asyncio.run(runtime.load())
        return runtime

    def ask(self, runtime, *inputs, outputs=None):
        return asyncio.run(runtime.predict(InferenceRequest(inputs=list(inputs), outputs=outputs)))

    def test_a_request(self):
        runtime = self.runtime(extra={"threads": 1})
        self.assertEqual([(value.name, value.datatype, value.shape) for value in runtime.inputs], [("x", "FP32", [-1, 2]), ("s", "BYTES", [-1])])
        inputs = given("x", [2, 2], "FP32", [1.0, 2.0, 3.0, 4.0]), given("s", [2], "BYTES", ["ä", ""])
        y, t = self.ask(runtime, *inputs).outputs
        self.assertEqual((y.name, y.shape, y.datatype, list(y.data)), ("y", [2, 2], "FP32", [2.0, 4.0, 6.0, 8.0]))
        self.assertEqual((t.name, t.shape, [value.decode() if isinstance(value, bytes) else value for value in t.data]), ("t", [2], ["ä", ""]))
        only = self.ask(runtime, *inputs, outputs=[RequestOutput(name="t")]).outputs
        self.assertEqual([output.name for output in only], ["t"])
        self.assertGreaterEqual(REGISTRY.get_sample_value("hone_run_seconds_count", {"model_name": "model"}), 2)
        self.assertIsNotNone(REGISTRY.get_sample_value("hone_arena_bytes", {"model_name": "model"}))
        asyncio.run(runtime.unload())

    def test_requests_that_are_refused(self):
        runtime = self.runtime()
        s = given("s", [1], "BYTES", ["a"])
        for x, message in [
            (given("x", [2, 2], "FP32", [1.0]), "cannot reshape"),
            (given("x", [1, 2], "FP32", ["a", "b"]), "input 'x': could not convert"),
            (given("x", [1, 2], "FP64", [1.0, 2.0]), "must have type float, not double"),
            (given("x", [1, 3], "FP32", [1.0, 2.0, 3.0]), "dimension 1"),
            (given("x", [2, 2], "FP32", [1.0, 2.0, 3.0, 4.0]), "n"),
            (given("z", [1, 2], "FP32", [1.0, 2.0]), "no input 'z'"),
        ]:
            with self.assertRaisesRegex(InferenceError, message):
                self.ask(runtime, x, s)
        with self.assertRaisesRegex(InferenceError, "no output 'z'; it has 'y', 't'"):
            self.ask(runtime, given("x", [1, 2], "FP32", [1.0, 2.0]), s, outputs=[RequestOutput(name="z")])

    def test_models_that_are_refused(self):
        for parameters, message in [({"uri": __file__}, "model model: "), ({"extra": {"thread": 1}}, "unexpected keyword argument 'thread'")]:
            with self.assertRaisesRegex(MLServerError, message):
                self.runtime(**parameters)


if __name__ == "__main__":
    unittest.main()
