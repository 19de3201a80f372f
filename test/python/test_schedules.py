# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tuning files: a compile takes their schedules, whichever of those that a machine can follow gives the same results, and
`hone tune` writes them."""
import json
import pathlib
import signal
import subprocess
import tempfile
import time
import unittest

import numpy as np
from onnx import TensorProto, helper, numpy_helper

import hone

BIN = pathlib.Path(hone.__file__).parents[2] / "bin"
ROUNDS, DRAWS = 8, 3
# Forms, and their elements per vector. Native machines have some of these.
FORMS = ("x86-64-v3", "fma", 8), ("x86-64-v2", "mul_add", 4), ("native", "fma", 16), ("native", "fma_half", 8)
PAIR_FORMS = [("x86-64-v3", "fma_pairs", 8), ("native", "fma_pairs", 16), ("native", "fma_pairs_half", 8), ("emulated-sapphirerapids", "matrix_bf16", 16)]
if "avx512_bf16" in pathlib.Path("/proc/cpuinfo").read_text():
    PAIR_FORMS += [("cooperlake", "dot_bf16", 16), ("cooperlake", "fma_pairs", 16)]
SCHEDULE = {"form": "fma", "tileRows": 2, "tileVectors": 2, "blockRows": 8, "blockColumns": 0, "blockK": 0, "packed": False}
KINDS = "panels", "rows", "transposed", "batched", "pixels", "window", "grouped", "attention", "half"


def compile_listed(model, folder, *options):
    """Compiles a model: the library, and what the compiler lists of its schedules: a machine, and kernels with key, name and operations."""
    path, listing, library = folder / "model.onnx", folder / "schedules.json", folder / "model.so"
    path.write_bytes(model)
    subprocess.run([BIN / "hone-compile", "compile", path, f"--worker-schedules={listing}", "-o", library, *options], check=True)
    return library, json.loads(listing.read_text())


def schedules_of(listing):
    """The schedules of kernels by their keys."""
    return {kernel["key"]: [operation["schedule"] for operation in kernel["operations"]] for kernel in listing["kernels"]}


def tuning(machine, schedules):
    """A tuning file with schedules by the keys of kernels."""
    kernels = [{"key": key, "name": "k", "schedules": list(value)} for key, value in schedules.items()]
    return json.dumps({"hone_tuning": 1, "machines": [{"machine": machine, "kernels": kernels}]})


class Graph:
    """A model of independent parts, each with its inputs and expected outputs."""

    def __init__(self, rng):
        self.rng, self.nodes, self.initializers, self.inputs, self.outputs, self.values, self.expected = rng, [], [], [], [], {}, {}

    def size(self, most):
        """Small sizes, multiples of vectors, and others."""
        return int(self.rng.choice([self.rng.integers(1, 9), 16 * self.rng.integers(1, most // 16 + 2), self.rng.integers(1, most + 1)]))

    def data(self, *shape):
        return self.rng.uniform(-1, 1, shape).astype(np.float32)

    def weight(self, value):
        self.initializers.append(numpy_helper.from_array(value, f"w{len(self.initializers)}"))
        return self.initializers[-1].name

    def input(self, value, free=()):
        """An input, the named axes of which are free."""
        name = f"x{len(self.inputs)}"
        shape = [f"{name}_{axis}" if axis in free else size for axis, size in enumerate(value.shape)]
        self.inputs.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), shape))
        self.values[name] = value
        return name

    def node(self, op, inputs, **attributes):
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def output(self, name, value, rtol=2e-4, atol=2e-3):
        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
        self.expected[name] = value, rtol, atol

    def free(self, *axes):
        return [axis for axis in axes if self.rng.random() < 0.4]

    def add(self, kind):
        getattr(self, kind)()

    def product(self, a, b, right, transposed=False, free=()):
        name = self.node("Transpose", [right], perm=[*range(b.ndim - 2), b.ndim - 1, b.ndim - 2]) if transposed else right
        bias = self.data(1, (b.shape[-2] if transposed else b.shape[-1]))
        total = self.node("Add", [self.node("MatMul", [self.input(a, free), name]), self.weight(bias)])
        result = a.astype(np.float64) @ (np.swapaxes(b, -1, -2) if transposed else b) + bias
        self.output(self.node("Relu", [total]), np.maximum(result, 0))

    def panels(self):
        m, k, n = self.size(70), self.size(700), self.size(150)
        b = self.data(k, n)
        self.product(self.data(m, k), b, self.weight(b), free=self.free(0))

    def rows(self):
        m, k, n = self.size(70), self.size(700), self.size(150)
        b = self.data(k, n)
        self.product(self.data(m, k), b, self.input(b, self.free(0, 1)), free=self.free(0))

    def transposed(self):
        m, k, n = self.size(70), self.size(300), self.size(150)
        b = self.data(n, k)
        self.product(self.data(m, k), b, self.input(b, self.free(0)), transposed=True, free=self.free(0))

    def batched(self):
        batch, m, k, n = self.size(16), self.size(40), self.size(200), self.size(80)
        b = self.data(batch, k, n)
        self.product(self.data(batch, m, k), b, self.input(b), free=self.free(1))

    def half(self):
        m, k, n = self.size(70), self.size(700), self.size(150)
        a, b = self.data(m, k).astype(np.float16), self.data(k, n).astype(np.float16)
        right = self.weight(b) if self.rng.random() < 0.5 else self.input(b)
        product = self.node("MatMul", [self.input(a, self.free(0)), right])
        # Sums are rounded to f16 at their end.
        self.output(self.node("Cast", [product], to=TensorProto.FLOAT), (a.astype(np.float64) @ b).astype(np.float16), 2e-3, 2e-2)

    def convolution(self, kernel, group, free):
        channels, filters, height, width = group * self.size(48), group * self.size(80), self.size(20) + kernel, self.size(20) + kernel
        stride, pad = int(self.rng.integers(1, 3)) if kernel > 1 else 1, kernel // 2
        x, w, bias = self.data(2, channels, height, width), self.data(filters, channels // group, kernel, kernel), self.data(filters)
        name = self.node("Conv", [self.input(x, free), self.weight(w), self.weight(bias)], pads=[pad] * 4, strides=[stride] * 2, group=group)
        padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad))).astype(np.float64)
        windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), (2, 3))[:, :, ::stride, ::stride]
        windows = windows.reshape(2, group, channels // group, *windows.shape[2:])
        filters_of = w.reshape(group, filters // group, *w.shape[1:])
        result = np.einsum("ngchwij,gfcij->ngfhw", windows, filters_of).reshape(2, filters, *windows.shape[3:5])
        self.output(self.node("Relu", [name]), np.maximum(result + bias[:, None, None], 0))

    def pixels(self):
        self.convolution(1, 1, self.free(0))

    def window(self):
        self.convolution(3, 1, self.free(0, 2, 3))

    def grouped(self):
        self.convolution(3, int(self.rng.integers(2, 4)), self.free(0))

    def attention(self):
        heads, m, n, width = self.size(6), self.size(150) + 5, self.size(150) + 5, 8 * int(self.rng.integers(1, 9))
        q, k, v = self.data(heads, m, width), self.data(heads, n, width), self.data(heads, n, width)
        free = self.free(1)
        scores = self.node("MatMul", [self.input(q, free), self.node("Transpose", [self.input(k, free)], perm=[0, 2, 1])])
        weights = self.node("Softmax", [self.node("Mul", [scores, self.weight(np.float32(0.25))])], axis=-1)
        powers = np.exp(q.astype(np.float64) @ np.swapaxes(k, 1, 2) * 0.25)
        self.output(self.node("MatMul", [weights, self.input(v, free)]), powers / powers.sum(-1, keepdims=True) @ v)

    def model(self):
        graph = helper.make_graph(self.nodes, "parts", self.inputs, self.outputs, self.initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()

    def check(self, test, model, what):
        outputs = model.run(self.values)
        for name, (value, rtol, atol) in self.expected.items():
            np.testing.assert_allclose(outputs[name], value, rtol=rtol, atol=atol, err_msg=f"{what}: {name}")


def random_schedule(rng, form, lanes):
    """One that a machine may support."""
    vectors = int(rng.choice([v for v in range(1, 15) if (v * lanes) % 16 == 0 or 16 % (v * lanes) == 0]))
    rows, columns = int(rng.integers(1, max(2, 18 // vectors))), vectors * lanes
    block_rows = int(rng.choice([1, rows, rows * rng.integers(1, 9), rng.integers(1, 60)]))
    chunk = int(rng.choice([0, 16, 64, 512, rng.integers(1, 300)]))
    if form.startswith("matrix"):
        vectors, rows = int(rng.integers(1, 4)), int(rng.choice([rng.integers(1, 17), 16, 32, 48]))
        block_rows, columns, chunk = rows * int(rng.integers(1, 5)), vectors * lanes, int(rng.choice([0, 64, 128]))
        return SCHEDULE | {"form": form, "tileRows": rows, "tileVectors": vectors, "blockRows": block_rows, "blockColumns": columns * int(rng.integers(0, 6)), "blockK": chunk}
    return {"form": form, "tileRows": rows, "tileVectors": vectors, "blockRows": block_rows, "blockColumns": columns * int(rng.integers(0, 6)), "blockK": chunk, "packed": bool(rng.integers(0, 2))}


class ExactGraph(Graph):
    """Its numbers are bf16 themselves."""

    def data(self, *shape):
        return self.rng.integers(-8, 9, shape).astype(np.float32) / 8


class Schedules(unittest.TestCase):
    def follow(self, graph, rng, cpu, form, lanes, what, *options):
        """Compiles a model with schedules drawn at random: how many were applied, and drawn."""
        applied = drawn = 0
        model, options = graph.model(), (f"--cpu={cpu}", *options)
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            library, listed = compile_listed(model, folder, *options)
            graph.check(self, hone.load(library, threads=2), f"{what}, untuned")
            for draw in range(DRAWS):
                wanted = {key: [random_schedule(rng, form, lanes) for _ in operations] for key, operations in schedules_of(listed).items()}
                (folder / "tuning.json").write_text(tuning(listed["machine"], wanted))
                library, taken = compile_listed(model, folder, *options, f"--tuned={folder / 'tuning.json'}")
                taken = schedules_of(taken)
                self.assertEqual(taken.keys(), wanted.keys())
                applied += sum(taken[key] == wanted[key] for key in wanted)
                drawn += len(wanted)
                graph.check(self, hone.load(library, threads=2), f"{what}, draw {draw}, {wanted}")
        return np.array([applied, drawn])

    def test_any_schedule_gives_the_same_results(self):
        counts = np.zeros(2)
        for seed in range(ROUNDS):
            rng = np.random.default_rng(seed)
            graph = Graph(rng)
            for kind in rng.permutation(KINDS)[:5]:
                graph.add(kind)
            counts += self.follow(graph, rng, *FORMS[seed % len(FORMS)], f"seed {seed}")
        # A machine without AVX-512 has no "fma_half".
        self.assertGreater(counts[0], counts[1] / 6)

    def test_any_schedule_of_pairs(self):
        counts = np.zeros(2)
        for seed, form in enumerate(2 * PAIR_FORMS):
            rng = np.random.default_rng(seed)
            graph = ExactGraph(rng)
            for kind in "panels", "panels", "pixels", "window", "grouped":
                graph.add(kind)
            counts += self.follow(graph, rng, *form, f"seed {seed}", "--precision=bf16")
        self.assertGreater(counts[0], counts[1] / 10)

    def test_listed_schedules_can_be_followed(self):
        rng = np.random.default_rng(5)
        for cpu in "x86-64-v2", "x86-64-v3", "x86-64-v4":
            graph = Graph(rng)
            for kind in KINDS:
                graph.add(kind)
            model = graph.model()
            with tempfile.TemporaryDirectory() as name:
                folder = pathlib.Path(name)
                _, listed = compile_listed(model, folder, f"--cpu={cpu}")
                kernels = {kernel["key"]: kernel["operations"] for kernel in listed["kernels"]}
                self.assertGreater(len(kernels), 5)
                for key, operations in kernels.items():
                    for operation in operations:
                        candidates = operation["tiles"] + operation["blocks"]
                        self.assertTrue(operation["tiles"], key)
                        self.assertNotIn(operation["schedule"], candidates)
                        self.assertEqual(len({json.dumps(c) for c in candidates}), len(candidates))
                for which in "tiles", "blocks":
                    # The last of each: the least likely to be right.
                    wanted = {key: [(operation[which] or [operation["schedule"]])[-1] for operation in operations] for key, operations in kernels.items()}
                    (folder / "tuning.json").write_text(tuning(listed["machine"], wanted))
                    _, taken = compile_listed(model, folder, f"--cpu={cpu}", f"--tuned={folder / 'tuning.json'}")
                    self.assertEqual(schedules_of(taken), wanted)

    def test_kernels_are_known_in_other_models(self):
        keys = []
        for first, name in (1.0, "a"), (2.0, "b"):
            with tempfile.TemporaryDirectory() as folder:
                graph = Graph(np.random.default_rng(int(first)))
                b = graph.data(40, 12)
                total = graph.node("Add", [graph.node("MatMul", [graph.input(graph.data(8, 40)), graph.weight(b)]), graph.weight(b[0])])
                total = graph.node("Mul", [total, graph.weight(np.float32(first))])
                nodes = [helper.make_node(node.op_type, node.input, node.output, name=name + node.name) for node in graph.nodes]
                graph.nodes = nodes
                graph.output(total, None)
                _, listed = compile_listed(graph.model(), pathlib.Path(folder), "--cpu=x86-64-v3")
                keys.append([kernel["key"] for kernel in listed["kernels"]])
        self.assertEqual(len(keys[0]), 1)
        self.assertEqual(*keys)


def perceptron(rows=32, width=256, free=False):
    """Two layers, some of whose tiles are better than others."""
    graph = Graph(np.random.default_rng(2))
    x = graph.data(rows, width)
    first, second = graph.data(width, width), graph.data(width, 48)
    hidden = graph.node("Relu", [graph.node("MatMul", [graph.input(x, (0,) if free else ()), graph.weight(first)])])
    graph.output(graph.node("MatMul", [hidden, graph.weight(second)]), np.maximum(x.astype(np.float64) @ first, 0) @ second)
    return graph


def tune(*arguments, **options):
    return subprocess.run([BIN / "hone", "tune", *arguments], capture_output=True, text=True, timeout=120, **options)


class Tune(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.model, self.file = self.folder / "model.onnx", self.folder / "tuned.json"

    def test_a_model_is_tuned_and_compiled(self):
        graph = perceptron()
        self.model.write_bytes(graph.model())
        done = tune(self.model, "--budget=4", "-o", self.file, "--json", "--threads=1")
        self.assertEqual(done.returncode, 0, done.stderr)
        result = json.loads(done.stdout)
        self.assertGreater(result["rounds"], 0)
        self.assertLessEqual(result["ratio"], 1)
        self.assertEqual(len(result["kernels"]), 2)
        (machine,) = json.loads(self.file.read_text())["machines"]
        self.assertEqual(machine["machine"], result["machine"])
        self.assertEqual({kernel["key"] for kernel in machine["kernels"]}, {kernel["key"] for kernel in result["kernels"]})
        for tuned in self.file, [self.file, str(self.file)]:
            model = hone.compile(self.model, threads=1, tuned=tuned)
            graph.check(self, model, "tuned")
        untuned = hone.compile(self.model, threads=1).run(graph.values)
        for name, value in model.run(graph.values).items():
            np.testing.assert_allclose(value, untuned[name], rtol=1e-5, atol=1e-4)

        # Again: what was tried is not tried again, and nothing is lost.
        before = {kernel["key"]: set(kernel["tried"]) for kernel in machine["kernels"]}
        foreign = json.loads(self.file.read_text())
        foreign["machines"].insert(0, {"machine": "another", "kernels": [{"key": "0" * 32, "name": "k", "schedules": machine["kernels"][0].get("schedules", [])[:1] or [SCHEDULE]}]})
        self.file.write_text(json.dumps(foreign))
        done = tune(self.model, "--budget=1", "-o", self.file, "--threads=1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("for hone compile --tuned", done.stdout)
        machines = json.loads(self.file.read_text())["machines"]
        self.assertEqual(machines[0], foreign["machines"][0])
        for kernel in machines[1]["kernels"]:
            self.assertGreaterEqual(set(kernel["tried"]), before[kernel["key"]])

    def test_free_dimensions_need_a_size(self):
        graph = perceptron(free=True)
        self.model.write_bytes(graph.model())
        done = tune(self.model, "--budget=1", "-o", self.file)
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{self.model}: dimension 'x0_0' is free: use --dim 'x0_0=N'", done.stderr)
        done = tune(self.model, "--budget=1", "-o", self.file, "--dim", "x0_0=32", "--dim", "z=3")
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"{self.model}: the model has no free dimension 'z'", done.stderr)
        done = tune(self.model, "--budget=1", "-o", self.file, "--dim", "x0_0=32")
        self.assertEqual(done.returncode, 0, done.stderr)
        graph.check(self, hone.compile(self.model, tuned=self.file), "tuned")

    def test_wrong_calls(self):
        self.model.write_bytes(perceptron().model())
        for arguments, code, text in (
            (["--target=cuda"], 2, "schedules are those of CPUs"),
            (["--cpu=x86-64-v2,x86-64-v3"], 2, "one level"),
            (["--cpu=i386"], 2, "unknown CPU level"),
            (["--budget=-1"], 2, "budget"),
        ):
            done = tune(self.model, "-o", self.file, *arguments)
            self.assertEqual((done.returncode, text in done.stderr), (code, True), done.stderr)
        self.assertFalse(self.file.exists())
        self.assertEqual(tune(self.folder / "none.onnx", "-o", self.file).returncode, 1)
        self.assertEqual(tune(self.model, "-o", self.folder / "none" / "tuned.json").returncode, 74)
        for damaged in "", "{", "[" * 100000, '{"hone_tuning": 7, "machines": []}', '{"hone_tuning": 1}', "\0\0", '{"hone_tuning": 1, "machines": [{"machine": 1}]}':
            self.file.write_text(damaged)
            done = tune(self.model, "-o", self.file)
            self.assertEqual(done.returncode, 1, (damaged[:50], done.stderr))
            self.assertIn(str(self.file), done.stderr)
            self.assertEqual(self.file.read_text(), damaged)

    def test_an_interrupt_keeps_what_was_found(self):
        self.model.write_bytes(perceptron().model())
        process = subprocess.Popen([BIN / "hone", "tune", self.model, "--budget=100", "-o", self.file], stderr=subprocess.PIPE, text=True)
        for _ in range(600):
            if self.file.exists():
                break
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, errors)
        self.assertIn("has what was found", errors)
        self.assertIn("machines", json.loads(self.file.read_text()))
        self.assertEqual([path.name for path in self.folder.iterdir() if path.name.startswith(".")], [])


if __name__ == "__main__":
    unittest.main()
