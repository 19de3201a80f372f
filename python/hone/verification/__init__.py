# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Where a compiled model differs from a reference: the first node whose inputs are right and whose outputs are not."""
import dataclasses

import numpy as np
import onnx

import hone

from ..errors import Error


class VerificationError(Error):
    """A model or data that cannot be verified."""


@dataclasses.dataclass
class Difference:
    """Of a tensor from its reference: the largest distance of elements, relative to the largest element."""

    tensor: str
    error: float
    index: tuple
    got: object
    expected: object


@dataclasses.dataclass
class Culprit:
    """The node that is to blame. `alone` is whether it also differs without other nodes, None if that is not known."""

    node: str
    operator: str
    domain: str
    opset: int
    kernels: list
    difference: Difference
    alone: bool | None


@dataclasses.dataclass
class Verification:
    reference: str
    outputs: list  # the largest Difference of each output
    wrong: list  # names of the outputs that differ by more than is allowed
    culprit: Culprit | None = None


def _tolerance(array, rtol):
    """How far elements may be from the reference, relative to the largest; for bytes, in units."""
    if array.dtype.kind in "iub":
        return 1.0 if array.dtype.kind != "b" and array.dtype.itemsize == 1 else 0.0
    if rtol is not None:
        return rtol
    return 1e-3 if array.dtype.kind == "f" and array.dtype.itemsize >= 4 else 2e-2


def compare(name, got, expected):
    """The difference of two arrays; None if they are equal."""
    got, expected = np.asarray(got), np.asarray(expected)
    if got.shape != expected.shape:
        return Difference(name, np.inf, (), list(got.shape), list(expected.shape))
    if got.size == 0:
        return None
    try:
        left, right = got.astype(np.float64), expected.astype(np.float64)
    except (TypeError, ValueError):  # strings
        left, right = (got != expected).astype(np.float64), np.zeros(got.shape)
    with np.errstate(invalid="ignore"):
        distance = np.abs(left - right)
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    distance = np.where(same, 0.0, np.where(np.isfinite(distance), distance, np.inf))
    if not distance.any():
        return None
    index = np.unravel_index(np.argmax(distance), distance.shape)
    scale = 1.0
    if expected.dtype.kind not in "iub":
        finite = np.abs(right[np.isfinite(right)])
        scale = float(finite.max()) if finite.size and finite.max() > 0 else 1.0
    return Difference(name, float(distance[index]) / scale, tuple(int(i) for i in index), got[index].item(), expected[index].item())


class _OnnxRuntime:
    name = "ONNX Runtime"

    def __init__(self, model):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def run(self, names, feeds):
        return self._session.run(names, feeds)


class _Interpreter:
    name = "ONNX's interpreter"

    def __init__(self, model):
        from onnx.reference import ReferenceEvaluator

        self._evaluator = ReferenceEvaluator(model)

    def run(self, names, feeds):
        return self._evaluator.run(names, feeds)


def _with_outputs(model, names):
    """The model with these tensors as its outputs, and only the nodes that they need."""
    cut = onnx.ModelProto()
    cut.CopyFrom(model)
    declared = {value.name: value for value in model.graph.output}
    del cut.graph.output[:]
    cut.graph.output.extend(declared.get(name) or onnx.ValueInfoProto(name=name) for name in names)
    return cut


def _inputs_of(node):
    """Names that a node reads, its subgraphs included."""
    names = {name for name in node.input if name}
    for attribute in node.attribute:
        for graph in [attribute.g] if attribute.HasField("g") else attribute.graphs:
            inner = {value.name for value in graph.input}
            for nested in graph.node:
                names |= _inputs_of(nested) - inner
                inner |= set(nested.output)
            names |= {value.name for value in graph.output} - inner
    return names


def _run(compiled, feeds):
    return compiled.run({value.name: feeds[value.name] for value in compiled.inputs if value.name in feeds})


class _Search:
    def __init__(self, model, feeds, values, options, rtol, progress):
        self.model, self.feeds, self.values = model, feeds, values
        self.options, self.rtol, self.progress = options, rtol, progress
        self.producers = {name: i for i, node in enumerate(model.graph.node) for name in node.output if name}
        self.known = {}

    def differs(self, number):
        """The worst difference of a node's outputs in a model that ends there, and that model's kernels; None if it is right,
        or has nothing to compare."""
        if number not in self.known:
            self.progress(f"comparing: {len(self.known)} models", 0, 0)
            node = self.model.graph.node[number]
            names = [name for name in node.output if isinstance(self.values.get(name), np.ndarray)]
            try:
                self.known[number] = self._differs(_with_outputs(self.model, names), self.feeds, names, node) if names else None
            except (hone.CompileError, hone.RunError):  # as a model with other outputs, which nobody asked for
                self.known[number] = None
        return self.known[number]

    def _differs(self, model, feeds, names, node):
        with hone.compile(model, **self.options) as compiled:
            found = _run(compiled, feeds)
            own = node.name or next(name for name in node.output if name)
            kernels = [kernel.name for kernel in compiled.kernels() if own in kernel.nodes]
        worst = None
        for name in names:
            difference = compare(name, found[name], self.values[name])
            if difference and difference.error > _tolerance(self.values[name], self.rtol) and (worst is None or difference.error > worst.error):
                worst = difference
        return worst and (worst, kernels)

    def ancestors(self, name):
        """Numbers of the nodes that a tensor depends on, in their order."""
        found, open_names = set(), [name]
        while open_names:
            number = self.producers.get(open_names.pop())
            if number is not None and number not in found:
                found.add(number)
                open_names += _inputs_of(self.model.graph.node[number])
        return sorted(found)

    def first(self, output):
        """The number of a node whose outputs differ while its inputs do not; None if no model that ends before `output` does."""
        candidates = self.ancestors(output)
        if not candidates or not self.differs(candidates[-1]):
            return None
        low, high = -1, len(candidates) - 1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.differs(candidates[middle]) else (middle, high)
        number = candidates[high]
        # Branches may differ before the one that was searched.
        while True:
            before = [self.producers[name] for name in sorted(_inputs_of(self.model.graph.node[number])) if name in self.producers]
            wrong = [other for other in before if self.differs(other)]
            if not wrong:
                return number
            number = wrong[0]

    def alone(self, number):
        """Whether the node differs in a model of its own, which is given the reference's values; None if that cannot be made."""
        node = self.model.graph.node[number]
        constants = {tensor.name for tensor in self.model.graph.initializer}
        given = [name for name in sorted(_inputs_of(node)) if name not in constants]
        names = [name for name in node.output if isinstance(self.values.get(name), np.ndarray)]
        if any(not isinstance(self.values.get(name), np.ndarray) for name in given):
            return None
        single = _with_outputs(self.model, names)
        del single.graph.node[:]
        single.graph.node.append(node)
        del single.graph.input[:]
        for name in given:
            array = self.values[name]
            single.graph.input.append(onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape))
        try:
            return self._differs(single, self.values, names, node) is not None
        except (hone.CompileError, hone.RunError):
            return None


def _refuse_custom(model):
    """An error for operators that only their author's code defines."""
    functions = {(function.domain, function.name) for function in model.functions}
    for node in model.graph.node:
        known = node.domain.startswith(("ai.onnx", "com.microsoft")) or not node.domain
        if not known and (node.domain, node.op_type) not in functions:
            raise VerificationError(f"node '{node.name or node.output[0]}': nothing but its own code defines {node.op_type} of {node.domain}: compare models that end before it, or have a function of its name")


def _reference(model, feeds):
    """The engine's name, and all tensors of the graph by name."""
    names = [name for node in model.graph.node for name in node.output if name]
    problems = []
    for engine in _OnnxRuntime, _Interpreter:
        try:
            values = dict(zip(names, engine(_with_outputs(model, names)).run(names, feeds)))
            return engine.name, {**feeds, **values}
        except ImportError:
            problems.append(f"{engine.name} is not installed")
        except Exception as error:  # engines raise what they like
            problems.append(f"{engine.name}: {str(error).splitlines()[0] if str(error) else type(error).__name__}")
    raise VerificationError(f"nothing can run the model for comparison; {'; '.join(problems)}")


def verify(model, feeds, *, rtol=None, progress=lambda *_: None, **options):
    """Compares what Hone computes for an onnx.ModelProto with a reference, and searches the cause of a difference. `options`
    are those of hone.compile."""
    progress("running the reference", 0, 0)
    _refuse_custom(model)
    reference, values = _reference(model, feeds)
    progress("compiling", 0, 0)
    with hone.compile(model, **options) as compiled:
        found = _run(compiled, feeds)
    result = Verification(reference, [], [])
    for output in model.graph.output:
        expected = values.get(output.name)
        if not isinstance(expected, np.ndarray):
            continue
        difference = compare(output.name, found[output.name], expected)
        result.outputs.append(difference or Difference(output.name, 0.0, (), None, None))
        if difference and difference.error > _tolerance(expected, rtol):
            result.wrong.append(output.name)
    if not result.wrong:
        return result
    search = _Search(model, feeds, values, options, rtol, progress)
    number = next((first for first in map(search.first, result.wrong) if first is not None), None)
    if number is None:
        return result
    node = model.graph.node[number]
    difference, kernels = search.differs(number)
    opset = next((entry.version for entry in model.opset_import if entry.domain in ({"", "ai.onnx"} if node.domain in ("", "ai.onnx") else {node.domain})), 0)
    name = node.name or next(output for output in node.output if output)
    result.culprit = Culprit(name, node.op_type, node.domain or "ai.onnx", opset, kernels, difference, search.alone(number))
    return result
