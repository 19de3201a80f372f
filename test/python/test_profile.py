# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Profiles: the time of steps adds up, they name their nodes, count their work at the sizes of the run, and traces are valid."""
import json
import pathlib
import tempfile
import unittest

import numpy as np
from onnx import TensorProto, helper, numpy_helper, parser

import hone

RNG = np.random.default_rng(3)


def parsed(text):
    return parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]>\n{text}')


def convolutions(count=4, channels=64, size=56):
    """Some milliseconds of convolutions with batch normalisation and relu."""
    nodes, weights, name = [], [], "x"
    for i in range(count):
        shape = (channels, channels, 3, 3)
        values = {"w": RNG.standard_normal(shape) * 0.05, "scale": np.ones(channels) * 1.5, "bias": np.linspace(-1, 1, channels), "mean": np.zeros(channels), "var": np.ones(channels)}
        weights += [numpy_helper.from_array(value.astype(np.float32), f"{key}{i}") for key, value in values.items()]
        nodes.append(helper.make_node("Conv", [name, f"w{i}"], [f"c{i}"], name=f"block{i}/conv", pads=[1] * 4))
        nodes.append(helper.make_node("BatchNormalization", [f"c{i}", f"scale{i}", f"bias{i}", f"mean{i}", f"var{i}"], [f"b{i}"], name=f"block{i}/norm"))
        nodes.append(helper.make_node("Relu", [f"b{i}"], [f"r{i}"], name=f"block{i}/relu"))
        name = f"r{i}"
    info = [helper.make_tensor_value_info(n, TensorProto.FLOAT, (1, channels, size, size)) for n in ("x", name)]
    graph = helper.make_graph(nodes, "convolutions", info[:1], info[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def step_of(profile, node):
    """The step that comes from a node, which is one."""
    (step,) = [step for step in profile.steps if node in step.nodes]
    return step


class Profiles(unittest.TestCase):
    x = RNG.standard_normal((1, 64, 56, 56)).astype(np.float32)

    def test_times_add_up_and_nodes_are_named(self):
        for threads in 1, 2:
            model = hone.compile(convolutions(), threads=threads)
            profile = model.profile({"x": self.x}, runs=20)
            self.assertEqual(profile.runs, 20)
            total = sum(step.seconds for step in profile.steps)
            self.assertLess(total, profile.seconds)
            self.assertGreater(total, 0.95 * profile.seconds)
            self.assertAlmostEqual(sum(step.share for step in profile.steps), total / profile.seconds)
            self.assertEqual(profile.steps, sorted(profile.steps, key=lambda step: -step.seconds))
            self.assertEqual(profile.peak.threads, threads)
            for i in range(4):
                step = step_of(profile, f"block{i}/conv")
                self.assertLessEqual({f"block{i}/norm", f"block{i}/relu"}, set(step.nodes))
                self.assertEqual(step.ops[step.nodes.index(f"block{i}/relu")], "Relu")
                self.assertEqual((step.kind, step.launches, step.bound), ("kernel", 1, "compute"))
                # The convolution, and the rest of the other two: a sum, and a selection, which counts nothing.
                self.assertEqual(step.flop, 56 * 56 * 64 * (64 * 9 * 2 + 1))
                self.assertEqual(step.bytes, 4 * (2 * 56 * 56 * 64 + 64 * 64 * 9 + 64))
                self.assertLessEqual(step.min_seconds, step.seconds)
                self.assertAlmostEqual(step.of_bound, step.flop / profile.peak.flop_per_second / step.seconds)
                self.assertTrue(0 < step.of_bound < 1.5, step)
            self.assertIn("block3/relu", str(profile))
            self.assertIn("20 runs", repr(profile))

    def test_a_trace_shows_what_threads_do(self):
        with tempfile.TemporaryDirectory() as folder:
            for threads in 1, 2:
                path = pathlib.Path(folder) / "trace.json"
                profile = hone.compile(convolutions(2), threads=threads).profile({"x": self.x}, runs=3, trace=path)
                events = json.loads(path.read_text())["traceEvents"]
                spans = [e for e in events if e["ph"] == "X"]
                self.assertEqual({e["tid"]: e["args"]["name"] for e in events if e["ph"] == "M"}, {t: f"thread {t}" for t in range(threads)})
                self.assertEqual({e["tid"] for e in spans}, set(range(threads)))
                self.assertEqual(sum(e["cat"] == "run" for e in spans), 3)
                self.assertEqual(sum(e["cat"] == "kernel" for e in spans), 3 * sum(step.launches for step in profile.steps))
                self.assertEqual(any(e["cat"] == "pieces" for e in spans), threads > 1)
                self.assertTrue(all(e["ts"] >= 0 and e["dur"] >= 0 for e in spans))
                self.assertTrue(any("block1/conv" in e["args"]["nodes"] for e in spans if e["cat"] == "kernel"))

    def test_work_follows_the_sizes_of_the_run(self):
        text = """mul (float[n,8] x, float[8,k] w) => (float[n,k] y) {
            [product] p = MatMul(x, w)
            [root] y = Sqrt(p)
        }"""
        model = hone.compile(parsed(text).SerializeToString(), threads=1)
        for n, k in (3, 5), (40, 7), (0, 5):
            inputs = {"x": np.ones((n, 8), np.float32), "w": np.ones((8, k), np.float32)}
            profile = model.profile(inputs, runs=2)
            if n == 0:  # nothing is launched
                self.assertEqual(sum(step.flop for step in profile.steps), 0)
                continue
            step = step_of(profile, "product")
            self.assertIn("root", step.nodes)
            self.assertEqual(step.flop, n * k * (2 * 8 + 1))
            self.assertEqual(step.bytes, 4 * (n * 8 + 8 * k + n * k))

    def test_work_follows_what_data_decide(self):
        """A loop is one step, however often it runs, and library functions are steps of unknown work."""
        text = """loop (float[100] x, int64 count, bool go) => (float[100] y, int64[?,?] at) {
            [repeat] y = Loop (count, go, x) <body = body (int64 i, bool c, float[100] before) => (bool more, float[100] after) {
                [keep] more = Identity(c)
                [grow] after = Exp(before)
            }>
            [found] at = NonZero(x)
        }"""
        model = hone.compile(parsed(text).SerializeToString(), threads=1)
        x = np.zeros(100, np.float32)
        x[:7] = -1
        for count in 3, 6:
            profile = model.profile({"x": x, "count": np.array(count), "go": np.array(True)}, runs=4)
            grow = step_of(profile, "grow")
            self.assertEqual((grow.launches, grow.flop, grow.bytes), (count, 100 * count, 800 * count))
            found = step_of(profile, "found")
            self.assertEqual((found.name, found.kind, found.ops, found.flop, found.bytes), ("nonzero", "library", ("NonZero",), None, None))

    def test_equal_kernels_are_steps_of_their_own(self):
        text = """twice (float[64,64] x, float[64,64] w) => (float[64,64] y) {
            [first] a = MatMul(x, w)
            [second] y = MatMul(a, w)
        }"""
        profile = hone.compile(parsed(text).SerializeToString(), threads=1).profile({"x": np.ones((64, 64), np.float32), "w": np.ones((64, 64), np.float32)})
        self.assertEqual(step_of(profile, "first").name, step_of(profile, "second").name)

    def test_a_node_that_two_wrote_alike_is_both(self):
        text = """equal (float[8] x) => (float[8] y, float[8] z) {
            [left] a = Exp(x)
            [right] b = Exp(x)
            [sine] y = Sin(a)
            [cosine] z = Cos(b)
        }"""
        profile = hone.compile(parsed(text).SerializeToString(), threads=1).profile({"x": np.ones(8, np.float32)})
        named = {name for step in profile.steps for name in step.nodes}
        self.assertLessEqual({"left", "right", "sine", "cosine"}, named)

    def test_names_are_what_the_file_has(self):
        """Long ones without their middle, others unchanged; unnamed nodes are named after their outputs."""
        long = "a" * 150 + "\u00e9" * 100 + "z" * 150
        names = ["quote\"'\\", "\u540d\u524d", long, ""]
        nodes = [helper.make_node("Sin", ["x"], [f"y{i}"], name=name) for i, name in enumerate(names)]
        for i, node in enumerate(nodes):
            node.op_type = ["Sin", "Cos", "Tan", "Exp"][i]
        infos = [helper.make_tensor_value_info(n, TensorProto.FLOAT, (8,)) for n in ("x", "y0", "y1", "y2", "y3")]
        model = helper.make_model(helper.make_graph(nodes, "names", infos[:1], infos[1:]), opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        profile = hone.compile(model.SerializeToString()).profile({"x": np.ones(8, np.float32)})
        named = {name for step in profile.steps for name in step.nodes}
        self.assertLessEqual({"quote\"'\\", "\u540d\u524d", "y3"}, named)
        (short,) = [name for name in named if name.startswith("aaa")]
        self.assertRegex(short, "^a{96}\\.\\.\\.z{96}$")

    def test_the_emulated_device(self):
        text = "one (float[4,32] x, float[32,16] w) => (float[4,16] y) { [product] y = MatMul(x, w) }"
        model = hone.compile(parsed(text).SerializeToString(), target="cuda-emulated", threads=1)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "trace.json"
            profile = model.profile({"x": np.ones((4, 32), np.float32), "w": np.ones((32, 16), np.float32)}, runs=3, trace=path)
            events = json.loads(path.read_text())["traceEvents"]
        step = step_of(profile, "product")
        self.assertIsNone(profile.peak)
        self.assertIsNone(step.bound)
        self.assertEqual((step.launches, step.flop), (1, 2 * 4 * 32 * 16))
        self.assertTrue(0 < step.seconds < profile.seconds)
        (row,) = [e["tid"] for e in events if e["ph"] == "M" and e["args"]["name"] == "device"]
        self.assertEqual(sum(e["ph"] == "X" and e["tid"] == row for e in events), 3)

    def test_wrong_calls(self):
        model = hone.compile(convolutions(1), threads=1)
        for runs in 0, -1:
            with self.assertRaisesRegex(ValueError, "runs is"):
                model.profile({"x": self.x}, runs=runs)
        with self.assertRaisesRegex(TypeError, "runs must be an integer"):
            model.profile({"x": self.x}, runs=1.5)
        with self.assertRaisesRegex(hone.RunError, "'x' is missing"):
            model.profile({})
        with self.assertRaisesRegex(hone.RunError, "'x'"):
            model.profile({"x": self.x[:, :3]})
        with self.assertRaises(OSError):
            model.profile({"x": self.x}, runs=1, trace="/no/such/folder/trace.json")
        model.run({"x": self.x})  # and stays usable


if __name__ == "__main__":
    unittest.main()
