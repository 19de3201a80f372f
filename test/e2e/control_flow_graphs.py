#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compares seeded random control flow with ONNX Runtime.

Each graph nests Loop, Scan and If: carried values that change places, are delayed, grow or pass through nodes that do
nothing; captured values; scan outputs; trip counts that are constant, come from data, or are 0 or 1; conditions that end
early; sequences. All values are small integers, so that results are exact in every type. Half of the graphs have free
dimensions and run with several sizes. Where ONNX Runtime refuses a graph or gives another result, onnx's reference
evaluator has the last word. A failure names its seed: --seed N runs that one alone, --save FILE keeps it.
"""
import argparse
import os
import pickle
import signal
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("HONE_CHECK_MEMORY", "1")

import numpy as np  # noqa: E402
import onnx  # noqa: E402
import onnxruntime  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

import workers  # noqa: E402

FLOATS = [TensorProto.FLOAT, TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16]
INTEGERS = [TensorProto.INT64, TensorProto.INT32]
BOOL = TensorProto.BOOL
INT64 = TensorProto.INT64
# Products and sums of up to 40 such numbers are exact in float16.
LIMIT = 7
MAX_DEPTH = 3


class Value:
    """A tensor, or a sequence of such. Each entry of the shape is a number, the name of a size of the graph's inputs
    (`A`, `B`), or the name of one that only a run tells (`u7`)."""

    def __init__(self, name, elem, shape, sequence=False):
        self.name, self.elem, self.shape, self.sequence = name, elem, tuple(shape), sequence

    def fits(self, other):
        return (self.elem, self.shape, self.sequence) == (other.elem, other.shape, other.sequence)


class Scope:
    """A graph under construction: nodes, and values that they may use."""

    def __init__(self, parent=None):
        self.parent, self.nodes, self.values = parent, [], []
        self.depth = parent.depth + 1 if parent else 0

    def visible(self):
        return self.values + (self.parent.visible() if self.parent else [])

    def sizes(self):
        return {size for value in self.visible() for size in value.shape}


class Generator:
    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.count = 0
        self.initializers, self.inputs = [], []
        self.free = self.chance(0.5)
        # Each free dimension has a name of its own, or equal ones share theirs.
        self.share_names = self.chance(0.5)
        self.tables = [{"A": self.number(1, 5), "B": self.number(1, 5)} for _ in range(3 if self.free else 1)]
        self.scope = Scope()
        shapes = [self.shape() for _ in range(2)]
        elems = [self.pick(FLOATS), self.pick(FLOATS + INTEGERS + [BOOL])]
        for _ in range(self.number(3, 6)):
            self.add_input(self.pick(elems), self.pick(shapes))
        for _ in range(self.number(1, 2)):
            self.add_input(INT64, (), trip=True)
        self.add_input(BOOL, ())
        self.steps(self.number(0, 2), simple=True)
        self.control()
        self.steps(self.number(0, 3))

    # Choices.

    def chance(self, probability):
        return self.rng.random() < probability

    def number(self, low, high):
        return int(self.rng.integers(low, high + 1))

    def pick(self, options):
        return options[self.number(0, len(options) - 1)]

    def shape(self):
        return tuple(self.pick(["A", "B", "A", 1, 2, 3]) for _ in range(self.pick([0, 1, 1, 1, 2, 2, 3])))

    def find(self, test):
        found = [value for value in self.scope.visible() if test(value)]
        # Recent values are taken more often.
        return self.pick(found[:8]) if found and self.chance(0.7) else self.pick(found) if found else None

    def like(self, value):
        return self.find(value.fits)

    # Values.

    def name(self, kind="v"):
        self.count += 1
        return f"{kind}{self.count}"

    def add_input(self, elem, shape, trip=False):
        value = Value(self.name("x"), elem, shape)
        value.trip = trip
        self.inputs.append(value)
        self.scope.values.append(value)

    def constant(self, elem, content):
        array = np.array(content, helper.tensor_dtype_to_np_dtype(elem))
        name = self.name("c")
        if self.chance(0.5):
            self.initializers.append(numpy_helper.from_array(array, name))
        else:
            self.scope.nodes.append(helper.make_node("Constant", [], [name], value=numpy_helper.from_array(array)))
        return name

    def node(self, op, inputs, elem, shape, sequence=False, **attributes):
        value = Value(self.name(), elem, shape, sequence)
        inputs = [i.name if isinstance(i, Value) else i for i in inputs]
        self.scope.nodes.append(helper.make_node(op, inputs, [value.name], name=f"{op}_{value.name}", **attributes))
        return value

    def keep(self, value):
        self.scope.values.append(value)
        return value

    def bounded(self, value):
        if value.elem == BOOL:
            return value
        bounds = [self.constant(value.elem, -LIMIT), self.constant(value.elem, LIMIT)]
        return self.node("Clip", [value, *bounds], value.elem, value.shape)

    # Simple operators.

    def nothing(self, v):
        """A node, or a few, that return their input."""
        if v.sequence:
            return self.node("Identity", [v], v.elem, v.shape, True)
        kinds = ["Identity", "Identity", "Cast", "Reshape", "Unsqueeze", "If", "Concat", "Expand", "Casts"]
        if v.elem != BOOL:
            kinds += ["Mul", "Add", "Where"]
        kind = self.pick(kinds)
        if kind == "Cast":
            return self.node("Cast", [v], v.elem, v.shape, to=v.elem)
        if kind == "Casts":
            return self.node("Cast", [self.node("Cast", [v], TensorProto.DOUBLE, v.shape, to=TensorProto.DOUBLE)], v.elem, v.shape, to=v.elem)
        if kind == "Reshape":
            flat = self.node("Reshape", [v, self.constant(INT64, [-1])], v.elem, ["?"])
            return self.node("Reshape", [flat, self.node("Shape", [v], INT64, [len(v.shape)])], v.elem, v.shape)
        if kind == "Unsqueeze":
            axes = self.constant(INT64, [0])
            return self.node("Squeeze", [self.node("Unsqueeze", [v, axes], v.elem, (1, *v.shape)), axes], v.elem, v.shape)
        if kind == "Where":
            return self.node("Where", [self.constant(BOOL, True), v, v], v.elem, v.shape)
        if kind == "If":
            return self.branches([v], [v])[0]
        if kind == "Concat" and v.shape:
            return self.node("Concat", [v], v.elem, v.shape, axis=0)
        if kind == "Expand" and v.shape:
            return self.node("Expand", [v, self.constant(INT64, [1])], v.elem, v.shape)
        if kind in ("Mul", "Add"):
            return self.node(kind, [v, self.constant(v.elem, int(kind == "Mul"))], v.elem, v.shape)
        return self.node("Identity", [v], v.elem, v.shape)

    def changed(self, v):
        """A node, or a few, of the same type and shape."""
        numeric = ["Neg", "Add", "Sub", "Max", "Min", "Mul", "one", "sum", "where"]
        kinds = ["rotate", "reverse"] + (["Not", "Xor", "And"] if v.elem == BOOL else numeric)
        if v.elem in FLOATS and len(v.shape) == 2 and v.shape[0] == v.shape[1]:
            kinds += ["MatMul", "MatMul"]
        kind = self.pick(kinds)
        other = self.like(v) or v
        if kind in ("Not", "Neg"):
            return self.node(kind, [v], v.elem, v.shape)
        if kind in ("Add", "Sub", "Max", "Min", "Mul", "MatMul", "Xor", "And"):
            return self.bounded(self.node(kind, [v, other], v.elem, v.shape))
        if kind == "one":
            return self.bounded(self.node("Add", [v, self.constant(v.elem, self.number(1, 2))], v.elem, v.shape))
        if kind == "sum" and v.shape:
            total = self.node("ReduceSum", [v, self.constant(INT64, [0])], v.elem, (1, *v.shape[1:]), keepdims=1)
            return self.bounded(self.node("Sub", [v, self.bounded(total)], v.elem, v.shape))
        if kind == "where":
            condition = self.condition()
            return self.node("Where", [condition, v, other], v.elem, v.shape)
        if v.shape:
            def piece(first, last, step):
                return self.node("Slice", [v, *(self.constant(INT64, [i]) for i in (first, last, 0, step))], v.elem, ("?", *v.shape[1:]))
            if kind == "reverse":
                return Value(piece(-1, -1000, -1).name, v.elem, v.shape)
            return self.node("Concat", [piece(1, 1000, 1), piece(0, 1, 1)], v.elem, v.shape, axis=0)
        return self.node("Identity", [v], v.elem, v.shape)

    def condition(self):
        """A bool without dimensions, computed or existing."""
        known = self.find(lambda v: v.elem == BOOL and v.shape == ())
        if known and self.chance(0.4):
            return known
        number = self.find(lambda v: v.elem != BOOL and not v.sequence)
        if number is None:
            return Value(self.constant(BOOL, bool(self.number(0, 1))), BOOL, ())
        if number.shape:
            number = self.node("ReduceSum", [number], number.elem, (), keepdims=0)
        return self.node(self.pick(["Greater", "Less"]), [number, self.constant(number.elem, self.number(-1, 3))], BOOL, ())

    # Steps.

    def steps(self, count, simple=False):
        for _ in range(count):
            if not simple and self.scope.depth < MAX_DEPTH and self.chance(0.35):
                self.control()
                continue
            v = self.find(lambda v: not v.sequence)
            self.keep(self.nothing(v) if self.chance(0.25) else self.changed(v))

    def control(self):
        kind = self.pick(["loop", "loop", "loop", "scan", "if"])
        if kind == "if":
            pairs = []
            for _ in range(self.number(1, 3)):
                a = self.find(lambda v: True)
                b = self.find(lambda v: (v.elem, len(v.shape), v.sequence) == (a.elem, len(a.shape), a.sequence))
                pairs.append((a, b))
            for v in self.branches([a for a, _ in pairs], [b for _, b in pairs], steps=True):
                self.keep(v)
        elif kind == "scan":
            self.scan()
        else:
            self.loop()

    def enter(self):
        self.scope = Scope(self.scope)

    def leave(self, inputs, outputs, ranked=False):
        """The subgraph. It declares shapes whole, in part, or not at all unless `ranked`."""
        declared = [self.declare(v) for v in inputs], [self.declare(v, ranked) for v in outputs]
        graph = helper.make_graph(self.scope.nodes, self.name("g"), *declared)
        self.scope = self.scope.parent
        return graph

    def declare(self, v, ranked=False):
        if v.sequence:
            return helper.make_tensor_sequence_value_info(v.name, v.elem, None)
        how = self.pick(["whole", "some"] if ranked else ["whole", "some", "none"])
        if how == "none" and v.shape:
            return helper.make_tensor_value_info(v.name, v.elem, None)
        sizes = self.tables[0] if not self.free else {}
        dims = [size if isinstance(size, int) else sizes.get(size) for size in v.shape]
        return helper.make_tensor_value_info(v.name, v.elem, [d if how == "whole" else None for d in dims])

    def inside(self, v, how=None):
        """A value of the open scope that a graph may return: its inputs must pass through a node."""
        owned = v in self.scope.values
        if owned and self.chance(0.6):
            return v
        return self.nothing(v)

    def branches(self, first, second, steps=False):
        condition = self.condition()
        graphs = []
        for values in (first, second):
            self.enter()
            if steps:
                self.steps(self.number(0, 3))
            outputs = []
            for v in values:
                replacement = self.find(v.fits) if steps and self.chance(0.4) else v
                replacement = replacement if replacement.sequence or self.chance(0.5) or not steps else self.changed(replacement)
                outputs.append(self.node("Identity", [replacement], v.elem, v.shape, v.sequence))
            graphs.append(self.leave([], outputs))
        results = []
        for a, b in zip(first, second):
            shape = [x if x == y else self.name("u") for x, y in zip(a.shape, b.shape)]
            results.append(Value(self.name(), a.elem, shape, a.sequence))
        self.scope.nodes.append(helper.make_node("If", [condition.name], [v.name for v in results], name=self.name("if"),
                                                 then_branch=graphs[0], else_branch=graphs[1]))
        return results

    def carried(self):
        """Values that a loop starts with: several of few kinds, so that they can be swapped."""
        chosen = []
        for _ in range(self.number(1, 2)):
            first = self.find(lambda v: not v.sequence)
            chosen.append(first)
            for _ in range(self.number(0, 3)):
                chosen.append(self.like(first))
        return [chosen[i] for i in self.rng.permutation(len(chosen))]

    def next_values(self, arguments):
        """The carried values after an iteration."""
        how = self.pick(["permuted", "chain", "mixed", "mixed"])
        result = []
        for i, v in enumerate(arguments):
            alike = [w for w in arguments if w.fits(v)]
            at = alike.index(v)
            if how == "permuted":
                value = alike[(at + 1) % len(alike)]
            elif how == "chain":
                value = alike[at - 1] if at else self.changed(v)
            else:
                value = self.pick([self.pick(alike), self.like(v), self.changed(self.like(v))])
            result.append(self.inside(value))
        # Each output of a graph has its own name.
        seen = set()
        for i, v in enumerate(result):
            if v.name in seen or v in arguments:
                result[i] = self.nothing(v)
            seen.add(result[i].name)
        return result

    def collectable(self, outer):
        known = {"A", "B"} | outer
        return [v for v in self.scope.values if not v.sequence and all(isinstance(s, int) or s in known for s in v.shape)]

    def loop(self):
        outer_sizes = self.scope.sizes()
        initial = self.carried()
        growing, sequences = [], []
        if self.chance(0.35):
            growing = [v for v in (self.find(lambda v: len(v.shape) == 1 and not v.sequence) for _ in range(self.number(1, 2))) if v]
        if self.chance(0.2):
            element = self.find(lambda v: not v.sequence and v.elem != BOOL)
            sequences = [self.node("SequenceConstruct", [element], element.elem, element.shape, True) for _ in range(self.number(1, 2))]
        # Trip count and condition.
        trips = self.pick(["constant", "constant", "data", "data", "computed", "none"])
        limit = self.find(lambda v: getattr(v, "trip", False))
        if trips == "constant":
            count = self.constant(INT64, self.pick([0, 1, 2, 3, 5, 6]))
        elif trips == "computed":
            source = self.find(lambda v: not v.sequence)
            count = self.node("Min", [self.node("Size", [source], INT64, ()), self.constant(INT64, 4)], INT64, ()).name
        else:
            count = limit.name if trips == "data" else ""
        start = ""
        if self.chance(0.4):
            start = self.constant(BOOL, True) if self.chance(0.7) else self.condition().name

        self.enter()
        iteration, go = Value(self.name("i"), INT64, ()), Value(self.name("b"), BOOL, ())
        arguments = [Value(self.name("a"), v.elem, v.shape) for v in initial]
        grown = [Value(self.name("a"), v.elem, [self.name("u")]) for v in growing]
        lists = [Value(self.name("a"), v.elem, v.shape, True) for v in sequences]
        # ONNX Runtime increments the number in place: a carried one must be a copy.
        number = self.node("Sub", [iteration, self.constant(INT64, 1)], INT64, ())
        self.scope.values += [number, go, *arguments, *grown, *lists]
        self.steps(self.number(0, 4))
        new_lists = []
        for v in lists:
            element = Value("", v.elem, v.shape)
            new_lists.append(self.node("SequenceInsert", [v, self.find(element.fits)], v.elem, v.shape, True) if self.find(element.fits) else self.nothing(v))
        if len(new_lists) == 2 and lists[0].fits(lists[1]) and self.chance(0.5):
            new_lists.reverse()
        new_grown = []
        for v in grown:
            piece = self.find(lambda w: w.elem == v.elem and len(w.shape) == 1 and not w.sequence and w not in grown and w.shape[0] in (1, 2, 3, "A", "B"))
            if piece and self.chance(0.8):
                new_grown.append(self.node("Concat", [v, piece] if self.chance(0.5) else [piece, v], v.elem, [self.name("u")], axis=0))
            else:
                shorter = [self.constant(INT64, [i]) for i in (1, 1000)]
                new_grown.append(self.node("Slice", [v, *shorter], v.elem, [self.name("u")]))
        if len(new_grown) == 2 and growing[0].elem == growing[1].elem and self.chance(0.5):
            new_grown.reverse()
        new_values = self.next_values(arguments)
        if trips == "none" or self.chance(0.25):
            last = self.node("Less", [iteration, limit], BOOL, ())
        elif self.chance(0.6):
            last = self.node("Identity", [go], BOOL, ())
        else:
            last = self.node("Identity", [self.constant(BOOL, True)], BOOL, ())
        collected = []
        options = self.collectable(outer_sizes)
        for _ in range(self.pick([0, 0, 1, 2])):
            v = self.pick(options)
            collected.append(self.node("Identity", [v], v.elem, v.shape))
        graph = self.leave([iteration, go, *arguments, *grown, *lists], [last, *new_values, *new_grown, *new_lists, *collected])
        results = [Value(self.name(), v.elem, v.shape) for v in arguments]
        results += [Value(self.name(), v.elem, [self.name("u")]) for v in grown]
        results += [Value(self.name(), v.elem, v.shape, True) for v in lists]
        # Without iterations, unknown sizes inside are 0: no two of these compare equal.
        results += [Value(self.name(), v.elem, [self.name("u") for _ in range(len(v.shape) + 1)]) for v in collected]
        inputs = [count, start, *(v.name for v in [*initial, *growing, *sequences])]
        self.scope.nodes.append(helper.make_node("Loop", inputs, [v.name for v in results], name=self.name("loop"), body=graph))
        for v in results:
            self.keep(v)
            if v.sequence:
                self.keep(self.node("ConcatFromSequence", [v], v.elem, [self.name("u"), *v.shape], axis=0, new_axis=1))

    def scan(self):
        known = {"A", "B"}
        def scannable(v):
            return not v.sequence and v.shape and (isinstance(v.shape[0], int) or v.shape[0] in known)
        first = self.find(scannable)
        if first is None:
            self.loop()
            return
        length = first.shape[0]
        scanned = [first]
        for _ in range(self.number(0, 2)):
            scanned.append(self.find(lambda v: scannable(v) and length in v.shape))
        axes = [int(self.pick([i for i, s in enumerate(v.shape) if s == length])) for v in scanned]
        initial = self.carried() if self.chance(0.85) else []
        outer_sizes = self.scope.sizes()
        self.enter()
        arguments = [Value(self.name("a"), v.elem, v.shape) for v in initial]
        elements = [Value(self.name("e"), v.elem, v.shape[:axis] + v.shape[axis + 1:]) for v, axis in zip(scanned, axes)]
        self.scope.values += [*arguments, *elements]
        self.steps(self.number(0, 4))
        new_values = self.next_values(arguments)
        collected = []
        options = self.collectable(outer_sizes)
        for _ in range(self.number(0 if initial else 1, 2)):
            v = self.pick(options)
            collected.append(self.node("Identity", [v], v.elem, v.shape))
        graph = self.leave([*arguments, *elements], [*new_values, *collected], ranked=True)
        results = [Value(self.name(), v.elem, v.shape) for v in arguments]
        output_axes = [self.number(0, len(v.shape)) for v in collected]
        results += [Value(self.name(), v.elem, (*v.shape[:axis], length, *v.shape[axis:])) for v, axis in zip(collected, output_axes)]
        attributes = {"scan_input_axes": axes, "scan_input_directions": [self.number(0, 1) for _ in axes]}
        if collected:
            attributes.update(scan_output_axes=output_axes, scan_output_directions=[self.number(0, 1) for _ in collected])
        self.scope.nodes.append(helper.make_node("Scan", [v.name for v in [*initial, *scanned]], [v.name for v in results], name=self.name("scan"),
                                                 body=graph, num_scan_inputs=len(scanned), **attributes))
        for v in results:
            self.keep(v)

    # The model and its inputs.

    def model(self):
        inputs = []
        for v in self.inputs:
            dims = [s if isinstance(s, int) else self.tables[0][s] for s in v.shape]
            if self.free:
                dims = [d if isinstance(s, int) and self.share_names else str(s) if self.share_names else f"{v.name}_{i}"
                        for i, (d, s) in enumerate(zip(dims, v.shape))]
            inputs.append(helper.make_tensor_value_info(v.name, v.elem, dims))
        made = [v for v in self.scope.values if v not in self.inputs and not v.sequence]
        outputs = [helper.make_tensor_value_info(v.name, v.elem, [None] * len(v.shape)) for v in made[-10:]]
        graph = helper.make_graph(self.scope.nodes, "control", inputs, outputs, self.initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)

    def feeds(self, table, trip):
        result = {}
        for v in self.inputs:
            shape = [s if isinstance(s, int) else table[s] for s in v.shape]
            if v.trip:
                content = np.array(trip)
            elif v.elem == BOOL:
                content = self.rng.integers(0, 2, shape)
            else:
                content = self.rng.integers(-3, 4, shape)
            result[v.name] = np.array(content, helper.tensor_dtype_to_np_dtype(v.elem))
        return result


def same(want, got):
    want, got = np.asarray(want), np.asarray(got)
    if want.dtype != got.dtype:
        return False
    # The shape of what a loop without iterations collects is unspecified.
    return want.size == got.size == 0 or (want.shape == got.shape and np.array_equal(want, got))


class Expected:
    """ONNX Runtime's answers, and those of the reference evaluator on request."""

    def __init__(self, model, feeds):
        self.model, self.feeds, self.reference = model, feeds, None
        self.names = [output.name for output in model.graph.output]
        self.answers = self.ask_onnxruntime()

    def ask_onnxruntime(self):
        """One answer per feed, None if it refuses; in a separate process, which it may crash."""
        receive, send = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(receive)
            with os.fdopen(send, "wb") as replies:
                self.run_onnxruntime(replies)
            os._exit(0)
        os.close(send)
        answers = []
        with os.fdopen(receive, "rb") as replies:
            try:
                while True:
                    answers.append(pickle.load(replies))
            except (EOFError, pickle.UnpicklingError):
                pass
        os.waitpid(child, 0)
        return answers + [None] * (len(self.feeds) - len(answers))

    def run_onnxruntime(self, replies):
        signal.alarm(20)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        try:
            session = onnxruntime.InferenceSession(self.model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        except Exception:  # noqa: BLE001: the other one is asked
            return
        for feeds in self.feeds:
            try:
                answer = dict(zip(self.names, session.run(self.names, feeds)))
            except Exception:  # noqa: BLE001
                answer = None
            pickle.dump(answer, replies)
            replies.flush()

    def first(self, index):
        return self.answers[index]

    def second(self, index):
        try:
            self.reference = self.reference or reference(self.model)
            return dict(zip(self.names, self.reference.run(self.names, self.feeds[index])))
        except Exception:  # noqa: BLE001
            return None


def reference(model):
    """onnx's evaluator with a Loop and a Scan of our own: its Scan knows neither axes nor directions, its Loop takes a
    condition that is left out for false and does not stack what has no dimensions."""
    from onnx.reference import ReferenceEvaluator
    from onnx.reference.op_run import OpRun

    def stack(op, first, elements, axes):
        for graph_output, collected, axis in zip(op.body.proto_.output[first:], elements, axes):
            elem = helper.tensor_dtype_to_np_dtype(graph_output.type.tensor_type.elem_type)
            yield np.stack(collected, axis) if collected else np.zeros((0,), elem)

    class Loop(OpRun):
        def need_context(self):
            return True

        def _run(self, trips, go, *carried, context=None, body=None, attributes=None, bindings=None):
            names, collected = self.body.input_names, [[] for _ in self.body.output_names[1 + len(carried):]]
            go, i = True if go is None else go, 0
            while go and (trips is None or i < trips):
                inputs = dict(context or {}) | dict(zip(names, [np.array(i, np.int64), np.array(go), *carried]))
                go, *results = self._run_body(inputs, bindings=bindings)
                carried, i = results[:len(carried)], i + 1
                for elements, element in zip(collected, results[len(carried):]):
                    elements.append(element)
            return (*carried, *stack(self, 1 + len(carried), collected, [0] * len(collected)))

    class Scan(OpRun):
        def need_context(self):
            return True

        def _run(self, *args, context=None, body=None, num_scan_inputs=None, scan_input_axes=None, scan_input_directions=None,
                 scan_output_axes=None, scan_output_directions=None, attributes=None, bindings=None):
            carried, scanned = args[:-self.num_scan_inputs], args[-self.num_scan_inputs:]
            collected = [[] for _ in self.body.output_names[len(carried):]]
            axes = self.scan_input_axes or [0] * len(scanned)
            scanned = [np.moveaxis(v, axis, 0)[::-1 if back else 1]
                       for v, axis, back in zip(scanned, axes, self.scan_input_directions or [0] * len(scanned))]
            for slices in zip(*scanned):
                inputs = dict(context or {}) | dict(zip(self.body.input_names, [*carried, *map(np.array, slices)]))
                results = self._run_body(inputs, bindings=bindings)
                carried = results[:len(carried)]
                for elements, element in zip(collected, results[len(carried):]):
                    elements.append(element)
            directions = self.scan_output_directions or [0] * len(collected)
            collected = [elements[::-1 if back else 1] for elements, back in zip(collected, directions)]
            return (*carried, *stack(self, len(carried), collected, self.scan_output_axes or [0] * len(collected)))

    return ReferenceEvaluator(model, new_ops=[Loop, Scan])


def judge(model, generator, target):
    """Verdict and detail of one graph, compiled and run with several inputs, twice each."""
    import hone

    trips = (3, 1, 0, 2)
    expected = Expected(model, [generator.feeds(generator.tables[trip % len(generator.tables)], trip) for trip in trips])
    try:
        compiled = hone.compile(model.SerializeToString(), **({"target": target} if target else {}))
    except hone.CompileError as e:
        return "refused", str(e)[:300]
    unknown = ""
    for index, (trip, feeds) in enumerate(zip(trips, expected.feeds)):
        first, second, failure = expected.first(index), None, ""
        for _ in range(2):
            try:
                got = compiled.run(feeds)
            except hone.RunError as e:
                failure = str(e)[:300]
                break
            off = [name for name in expected.names if not first or not same(first[name], got[name])]
            second = second or (expected.second(index) if off else None)
            off = [name for name in off if not second or not same(second[name], got[name])]
            if off and first:
                return "wrong", f"trip {trip}, output {off[0]}: {got[off[0]].tolist()} for {first[off[0]].tolist()}"[:300]
            unknown = unknown or (off and "neither ONNX Runtime nor the reference evaluator runs it")
        if failure:
            if first or expected.second(index):
                return "RunError", failure
            unknown = f"fails in all of them: {failure}"
    return ("skip", unknown) if unknown else ("pass", "")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, help="this graph alone")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--target", help="as hone.compile has it")
    parser.add_argument("--save", help="write the model of --seed to a file")
    args = parser.parse_args()

    def run_case(seed):
        generator = Generator(seed)
        model = generator.model()
        return judge(model, generator, args.target) if model.graph.output else ("pass", "")

    if args.save:
        onnx.save(Generator(args.seed).model(), args.save)
    seeds = [args.seed] if args.seed is not None else range(args.first, args.first + args.count)
    counts = {"pass": 0, "skip": 0}
    failed = 0
    for seed, result in workers.run_cases(list(seeds), run_case, args.jobs, 60):
        if result.verdict in counts:
            counts[result.verdict] += 1
        else:
            failed += 1
        if result.verdict != "pass":
            print(f"{'SKIP' if result.verdict == 'skip' else 'FAIL'} --seed {seed}: {result.verdict}: {result.detail}", flush=True)
    print(f"{counts['pass']} passed, {failed} failed, {counts['skip']} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
