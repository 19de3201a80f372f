#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares seeded random graphs with ONNX Runtime.

Each graph chains some twenty operators on small tensors, with free dimensions in half
of them. A failure names its seed: --seed N runs that one alone, --save FILE keeps it.
"""
import argparse
import os
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np  # noqa: E402
import onnx  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

import workers  # noqa: E402
from closeness import difference  # noqa: E402

UNARY = ["Relu", "Sigmoid", "Tanh", "Abs", "Neg", "Erf", "Softplus", "HardSwish", "Elu", "LeakyRelu", "Softsign", "Floor", "Sin", "Gelu"]
BINARY = ["Add", "Sub", "Mul", "Max", "Min"]
REDUCE = ["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL2", "ReduceLogSumExp"]
# Discontinuities would turn a rounding error into a large difference.
STEPS = {"Floor"}


class Graph:
    """A graph under construction; each value is identified by name and present shape."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.nodes, self.inputs, self.weights, self.feeds = [], [], [], {}
        self.values = []
        self.dynamic = bool(self.rng.integers(2))
        for _ in range(int(self.rng.integers(1, 4))):
            self.add_input()
        for _ in range(int(self.rng.integers(8, 25))):
            self.add_node()

    def pick(self, options):
        return options[int(self.rng.integers(len(options)))]

    def random(self, shape):
        return self.rng.standard_normal(shape).astype(np.float32)

    def add_input(self):
        shape = tuple(int(self.pick([1, 2, 3, 4, 5, 7, 8, 16, 17, 33])) for _ in range(int(self.rng.integers(1, 5))))
        name = f"x{len(self.inputs)}"
        # Equal sizes share a name sometimes, like batches.
        dims = [f"d{d}" if self.dynamic and self.rng.random() < 0.5 else d for d in shape]
        self.inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, dims))
        self.feeds[name] = self.random(shape)
        self.values.append((name, shape))

    def weight(self, array):
        array = np.asarray(array)
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.array(array, order="C"), name))
        return name

    def node(self, op, inputs, shape, outputs=1, **attributes):
        names = [f"v{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, name=f"{op}_{len(self.nodes)}", **attributes))
        if shape is not None:
            self.values.append((names[0], tuple(shape)))
        return names[0]

    def add_node(self):
        name, shape = self.pick(self.values[-6:])
        maker = self.pick([self.unary, self.binary, self.binary_weight, self.reduce, self.matmul, self.conv, self.pool, self.transpose,
                           self.reshape, self.concat, self.slice, self.pad, self.softmax, self.norm, self.gather, self.where, self.expand])
        maker(name, shape)

    def unary(self, name, shape):
        op = self.pick(UNARY)
        if op in STEPS:
            name = self.node("Mul", [name, self.weight(np.float32(1e-3))], None)
        self.node(op, [name], shape)

    def binary(self, name, shape):
        same = [v for v in self.values if v[1] == shape]
        self.node(self.pick(BINARY), [name, self.pick(same)[0]], shape)

    def binary_weight(self, name, shape):
        other = tuple(d if self.rng.random() < 0.6 else 1 for d in shape)[int(self.rng.integers(len(shape) + 1)):]
        if self.rng.random() < 0.2:
            self.node("Div", [name, self.weight(np.abs(self.random(other)) + 1)], shape)
        else:
            self.node(self.pick(BINARY), [name, self.weight(self.random(other))], shape)

    def reduce(self, name, shape):
        if not shape or min(shape) == 0:
            return
        axes = sorted(self.rng.choice(len(shape), int(self.rng.integers(1, len(shape) + 1)), replace=False).tolist())
        keep = int(self.rng.integers(2))
        result = [1 if i in axes else d for i, d in enumerate(shape) if keep or i not in axes]
        self.node(self.pick(REDUCE), [name, self.weight(np.array(axes, np.int64))], result, keepdims=keep)

    def matmul(self, name, shape):
        if len(shape) < 1:
            return
        columns = int(self.pick([1, 3, 8, 16, 31, 48, 64]))
        weight = self.weight(self.random((shape[-1], columns)) / np.sqrt(shape[-1]))
        product = self.node("MatMul", [name, weight], shape[:-1] + (columns,))
        if self.rng.random() < 0.5:
            self.node("Add", [product, self.weight(self.random(columns))], shape[:-1] + (columns,))

    def conv(self, name, shape):
        if len(shape) not in (3, 4):
            return
        group = shape[1] if self.rng.random() < 0.3 else 1
        channels = group * int(self.pick([1, 2])) if group > 1 else int(self.pick([1, 4, 16, 20]))
        kernel = [int(self.pick([1, 2, 3])) for _ in shape[2:]]
        strides = [int(self.pick([1, 2])) for _ in kernel]
        pads = [int(self.rng.integers(k)) for k in kernel * 2]
        spatial = [(d + pads[i] + pads[i + len(kernel)] - k) // s + 1 for i, (d, k, s) in enumerate(zip(shape[2:], kernel, strides))]
        if any(d + pads[i] + pads[i + len(kernel)] < k for i, (d, k) in enumerate(zip(shape[2:], kernel))):
            return
        weight = self.random([channels, shape[1] // group, *kernel]) / np.sqrt(np.prod([shape[1] // group, *kernel]))
        inputs = [name, self.weight(weight)]
        if self.rng.random() < 0.6:
            inputs.append(self.weight(self.random(channels)))
        self.node("Conv", inputs, (shape[0], channels, *spatial), group=group, kernel_shape=kernel, strides=strides, pads=pads)

    def pool(self, name, shape):
        if len(shape) != 4 or min(shape[2:]) < 2:
            return
        if self.rng.random() < 0.3:
            self.node("GlobalAveragePool", [name], shape[:2] + (1, 1))
            return
        strides = [int(self.pick([1, 2])) for _ in range(2)]
        spatial = [(d - 2) // s + 1 for d, s in zip(shape[2:], strides)]
        self.node(self.pick(["MaxPool", "AveragePool"]), [name], shape[:2] + tuple(spatial), kernel_shape=[2, 2], strides=strides)

    def transpose(self, name, shape):
        if not shape:
            return
        order = self.rng.permutation(len(shape)).tolist()
        self.node("Transpose", [name], [shape[i] for i in order], perm=order)

    def reshape(self, name, shape):
        if len(shape) < 2:
            return
        at = int(self.rng.integers(len(shape) - 1))
        merged = shape[:at] + (shape[at] * shape[at + 1],) + shape[at + 2:]
        target = [0] * at + [-1] + [int(d) for d in shape[at + 2:]]
        if self.dynamic:
            self.node("Flatten", [name], (int(np.prod(shape[:at + 1])), int(np.prod(shape[at + 1:]))), axis=at + 1)
        else:
            self.node("Reshape", [name, self.weight(np.array(target, np.int64))], merged)

    def concat(self, name, shape):
        if not shape:
            return
        axis = int(self.rng.integers(len(shape)))
        fits = [v for v in self.values if len(v[1]) == len(shape) and all(a == b for i, (a, b) in enumerate(zip(v[1], shape)) if i != axis)]
        other = self.pick(fits)
        total = shape[axis] + other[1][axis]
        if total <= 64:
            self.node("Concat", [name, other[0]], shape[:axis] + (total,) + shape[axis + 1:], axis=axis)

    def slice(self, name, shape):
        if not shape or max(shape) < 2:
            return
        axis = int(np.argmax(shape))
        start, step = int(self.rng.integers(shape[axis] - 1)), int(self.pick([1, 1, 2]))
        size = len(range(start, shape[axis], step))
        vectors = [self.weight(np.array([v], np.int64)) for v in (start, shape[axis], axis, step)]
        self.node("Slice", [name, *vectors], shape[:axis] + (size,) + shape[axis + 1:])

    def pad(self, name, shape):
        if not shape:
            return
        pads = self.rng.integers(0, 3, 2 * len(shape))
        result = [d + int(pads[i]) + int(pads[i + len(shape)]) for i, d in enumerate(shape)]
        mode = self.pick(["constant", "edge"])
        self.node("Pad", [name, self.weight(pads.astype(np.int64))], result, mode=mode)

    def softmax(self, name, shape):
        if shape:
            self.node(self.pick(["Softmax", "LogSoftmax"]), [name], shape, axis=int(self.rng.integers(-len(shape), len(shape))))

    def norm(self, name, shape):
        if len(shape) >= 2 and shape[-1] > 2:
            scale = self.weight(self.random(shape[-1]))
            self.node("LayerNormalization", [name, scale, self.weight(self.random(shape[-1]))], shape, axis=-1, epsilon=1e-2)

    def gather(self, name, shape):
        if not shape:
            return
        axis = int(self.rng.integers(len(shape)))
        chosen = self.rng.integers(-shape[axis], shape[axis], int(self.pick([1, 3, 6])))
        self.node("Gather", [name, self.weight(chosen.astype(np.int64))], shape[:axis] + (len(chosen),) + shape[axis + 1:], axis=axis)

    def where(self, name, shape):
        condition = self.node("Greater", [name, self.weight(np.float32(0))], None)
        same = [v for v in self.values if v[1] == shape]
        # Continuous where the condition changes: |x| against x times something.
        self.node("Where", [condition, name, self.node("Mul", [name, self.pick(same)[0]], None)], shape)

    def expand(self, name, shape):
        front = int(self.pick([2, 3]))
        if len(shape) < 4 and np.prod(shape) < 4096:
            self.node("Expand", [name, self.weight(np.array([front] + [1] * len(shape), np.int64))], (front, *shape))

    def model(self):
        used = {name for node in self.nodes for name in node.input}
        results = [(n, s) for n, s in self.values if n not in used and n not in self.feeds] or [self.values[-1]]
        outputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [None] * len(s)) for n, s in results if n not in self.feeds]
        graph = helper.make_graph(self.nodes, "random", self.inputs, outputs, self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def run_case(seed):
    import hone
    import onnxruntime

    graph = Graph(seed)
    model = graph.model()
    if not model.graph.output:
        return "pass", ""
    data = model.SerializeToString()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    want = session.run(names, graph.feeds)
    try:
        got = hone.compile(data).run(graph.feeds)
    except (hone.CompileError, hone.RunError) as e:
        return type(e).__name__, str(e)[:300]
    for name, reference in zip(names, want):
        amiss = difference(reference, got[name])
        if amiss:
            return "wrong", f"output {name}: {amiss}"
    return "pass", ""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, help="this graph alone")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--save", help="write the model of --seed to a file")
    args = parser.parse_args()
    if args.save:
        onnx.save(Graph(args.seed).model(), args.save)
    seeds = [args.seed] if args.seed is not None else range(args.first, args.first + args.count)
    passed = failed = 0
    for seed, result in workers.run_cases(list(seeds), run_case, os.cpu_count() or 2, 60):
        if result.verdict == "pass":
            passed += 1
        else:
            failed += 1
            print(f"FAIL --seed {seed}: {result.verdict}: {result.detail}")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
