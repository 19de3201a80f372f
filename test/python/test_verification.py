#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`hone verify` finds the node that a compiler gets wrong: one that here takes a node for another operator."""
import contextlib
import io
import json
import pathlib
import tempfile
import unittest
from unittest import mock

import numpy as np
import onnx
import onnx.parser

import hone
from hone import verification
from hone.verification.command import main
from test_model import DIGITS

compile = hone.compile
MODEL = """
<ir_version: 10, opset_import: ["" : 21]>
graph (float[n, 4] x, bool c) => (float[n, 4] y, float[n, 4] z)
<float[4] w = {1, 2, 3, 4}>
{
    [first] a = Mul(x, w)
    [left] l = Exp(a)
    [right] r = Sin(a)
    b = Add(l, r)
    [choice] d = If(c) <then_branch = g1 () => (t) { t = Neg(r) }, else_branch = g2 () => (f) { f = Abs(r) }>
    [last] y = Sub(b, d)
    [other] z = Cos(l)
}
"""


def wrong_compiler(name, operator, least=1):
    """hone.compile, but for a node in models of `least` nodes."""

    def wrong(model, **options):
        damaged = onnx.ModelProto()
        damaged.CopyFrom(model)
        for node in damaged.graph.node:
            if (node.name or node.output[0]) == name and len(damaged.graph.node) >= least:
                node.op_type = operator
        return compile(damaged, **options)

    return mock.patch("hone.compile", wrong)


def run(*arguments):
    """Exit code, output and messages of `hone verify`."""
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as told:
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = end.code
    return code, out.getvalue(), told.getvalue()


class SearchTest(unittest.TestCase):
    def setUp(self):
        self.model = onnx.parser.parse_model(MODEL)
        random = np.random.default_rng(0)
        self.feeds = {"x": random.uniform(0.1, 1, (3, 4)).astype("f4"), "c": np.array(True)}

    def verify(self, **options):
        return verification.verify(self.model, self.feeds, **options)

    def test_right(self):
        result = self.verify()
        self.assertEqual((result.reference, result.wrong, result.culprit), ("ONNX Runtime", [], None))
        self.assertEqual([output.tensor for output in result.outputs], ["y", "z"])

    def test_each_node(self):
        for name, operator, wrong in (("first", "Div", "yz"), ("left", "Log", "yz"), ("right", "Cos", "y"), ("b", "Mul", "y"), ("last", "Add", "y"), ("other", "Sin", "z")):
            with self.subTest(node=name), wrong_compiler(name, operator):
                result = self.verify()
                self.assertEqual((result.wrong, result.culprit.node), (list(wrong), name))
                self.assertTrue(result.culprit.alone)
                self.assertEqual((result.culprit.domain, result.culprit.opset), ("ai.onnx", 21))
                self.assertTrue(result.culprit.kernels)

    def test_only_with_others(self):
        with wrong_compiler("right", "Cos", least=3):
            culprit = self.verify().culprit
        self.assertEqual((culprit.node, culprit.alone), ("right", False))

    def test_interpreter(self):
        with mock.patch.object(verification, "_OnnxRuntime", side_effect=ImportError) as engine, wrong_compiler("right", "Cos"):
            engine.name = "ONNX Runtime"
            result = self.verify()
        self.assertEqual((result.reference, result.culprit.node), ("ONNX's interpreter", "right"))

    def test_no_reference(self):
        self.model.graph.node[1].op_type = "Nonsense"
        with self.assertRaisesRegex(verification.VerificationError, "nothing can run the model for comparison; ONNX Runtime: .*; ONNX's interpreter: "):
            self.verify()


class ComparisonTest(unittest.TestCase):
    def test_numbers(self):
        def error(got, expected):
            found = verification.compare("t", got, expected)
            return found and (found.error, found.index)

        self.assertIsNone(error(np.array([1, np.nan, np.inf]), np.array([1, np.nan, np.inf])))
        self.assertIsNone(error(np.zeros((0, 2)), np.zeros((0, 2))))
        self.assertEqual(error(np.array([[1, 4.0]]), np.array([[1, 2.0]])), (1.0, (0, 1)))
        self.assertEqual(error(np.array([np.nan]), np.array([1.0])), (np.inf, (0,)))
        self.assertEqual(error(np.array([1.0]), np.array([np.inf])), (np.inf, (0,)))
        self.assertEqual(error(np.zeros(2), np.zeros(3)), (np.inf, ()))
        self.assertEqual(error(np.array([7], "u1"), np.array([9], "u1")), (2.0, (0,)))
        self.assertEqual(error(np.array(["a", "b"]), np.array(["a", "c"])), (1.0, (1,)))


class CommandTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.path = self.folder / "m.onnx"
        onnx.save(onnx.parser.parse_model(MODEL), self.path)

    def test_report(self):
        code, out, _ = run(DIGITS / "model.onnx", "--input", DIGITS / "digit-0.npy")
        self.assertEqual(code, 0, out)
        self.assertRegex(out, "^probabilities: agrees with ONNX Runtime, by [0-9.e-]+ of the largest element at most\n$")
        with wrong_compiler("right", "Cos"):
            code, out, _ = run(self.path, "--dim", "n=2")
            self.assertEqual(code, 1)
            self.assertRegex(out, r"y: differs with ONNX Runtime, by (?s:.*)z: agrees(?s:.*)first wrong: node 'right' \(Sin of ai.onnx, opset 21\), in k[0-9]+_map")
            self.assertRegex(out, r"  r\[[0-9], [0-9]\] is [-0-9.]+, and [-0-9.]+ by ONNX Runtime\n  it is wrong by itself as well\n$")
            code, out, _ = run(self.path, "--shape", "x=2,4", "--json")
            self.assertEqual((code, json.loads(out)["culprit"]["node"]), (1, "right"))

    def test_wrong_calls(self):
        (self.folder / "text.onnx").write_text("text")
        for arguments, code, text in (
            ([self.path], 1, "error: input 'x': random data need the size of 'n'; give it with --dim"),
            ([self.path, "--shape", "x=2,5"], 1, "input 'x' has size 4 in dimension 1, and --shape 5"),
            ([self.path, "--shape", "x=2"], 1, "input 'x' has 2 dimensions, and --shape 1"),
            ([self.path, "--shape", "q=2"], 1, "the model has no input 'q'"),
            ([self.path, "--dim", "n=2", "--input", self.folder / "no.npz"], 1, "no.npz: cannot be read: No such file"),
            ([self.path, "--dim", "n=2", "--cpu", "abacus"], 2, "error: unknown CPU level 'abacus'"),
            ([self.path, "--rtol", "-1"], 2, "error: --rtol: -1.0 is below 0"),
            ([self.path, "--rtol", "nan"], 2, "error: --rtol: nan is below 0"),
            ([self.folder / "no.onnx"], 1, "no.onnx: cannot be read: No such file or directory"),
            ([self.folder / "text.onnx"], 1, "text.onnx: not an ONNX model, and this command takes no other; 'hone inspect' says what it is"),
            ([], 2, "note: 'hone verify --help' lists the options"),
        ):
            with self.subTest(arguments=arguments):
                ended, _, told = run(*arguments)
                self.assertEqual((ended, text in told), (code, True), told)


if __name__ == "__main__":
    unittest.main()
