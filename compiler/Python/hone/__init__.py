# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Hone: compiles neural-network graphs to shared libraries, and runs them.

    import hone
    model = hone.compile("model.onnx")
    outputs = model.run({"x": x})
"""
import collections
import json
import operator
import os
import tempfile

from . import _hone
from ._hone import CompileError, DeviceTensor, RunError

__all__ = ["CompileError", "DeviceTensor", "Kernel", "Model", "Peak", "Profile", "RunError", "Step", "Value", "check", "compile", "compile_library", "load"]


def __getattr__(name):
    """Quantization needs the onnx package, and is loaded when it is asked for."""
    if name in ("LayerReport", "QuantizationError", "Report", "quantize"):
        from . import quantization

        return getattr(quantization, name)
    raise AttributeError(f"module 'hone' has no attribute '{name}'")


CompileError.__module__ = DeviceTensor.__module__ = RunError.__module__ = "hone"

Value = collections.namedtuple("Value", "name kind type shape dtype has_default")
Value.__doc__ = """An input or output of a model. `kind` is tensor, sequence, optional or map; `type`
ONNX's name of the element type and `dtype` numpy's; in `shape`, which is None for any rank, free
dimensions are names, and None is what only the data decide. An input
that has a default may be left out of a run."""

Step = collections.namedtuple("Step", "name kind nodes ops launches seconds min_seconds share flop bytes bound of_bound")
Step.__doc__ = """What one run spends in a step, on average. `kind` is kernel, library or copy; `nodes` are the names of
the ONNX nodes that it comes from and `ops` their operators. `launches`, `seconds`, `flop` and `bytes` are of one run,
`min_seconds` of the shortest launch; `share` is of the run's time. `flop` counts what the model asks for, a multiply-add as
two, and is None where it is not known, as `bytes` is: read and written, each operand once. `bound` is
"compute" or "memory", whichever limits more, and `of_bound` the share of the machine's peak that was
reached: above 1 where data came from caches, or where elements are narrower than f32. None on a device."""

Kernel = collections.namedtuple("Kernel", "name nodes arithmetic flop")
Kernel.__doc__ = """A kernel of a model, with the names of the ONNX nodes that it comes from. `arithmetic` says how its products
are multiplied and the types of their operands and sums, as in "dot_bytes (VNNI) u8 x s8 -> s32", or the types of other
arithmetic; "" if it only moves or compares. `flop` counts what the model asks for, and is None where only a run knows."""

Peak = collections.namedtuple("Peak", "flop_per_second bytes_per_second threads vector_bits")
Peak.__doc__ = """What the machine was measured to do: multiply-adds of f32 in vectors of so many bits, and reading from memory, by
so many threads together."""


class Profile:
    """Where the time of runs goes: `steps`, the longest first; `runs`, how many there were, and the `seconds` of one;
    `peak`, which is None on a device."""

    def __init__(self, measured):
        self.runs = measured["runs"]
        self.seconds = measured["seconds"] / self.runs
        self.peak = Peak(*measured["peak"]) if measured["peak"] else None
        self._threads = measured["threads"]
        self._events = measured["events"]
        self._steps = {number: self._step(*rest) for number, *rest in measured["steps"]}
        self.steps = sorted(self._steps.values(), key=lambda step: -step.seconds)

    def _step(self, name, kind, nodes, ops, launches, seconds, least, flop, moved, bound, bound_seconds):
        def of_run(total):
            return None if total is None else total / self.runs

        of_bound = bound_seconds / seconds if bound and seconds else None
        return Step(name, kind, nodes, ops, of_run(launches), of_run(seconds), least, of_run(seconds) / self.seconds, of_run(flop), of_run(moved), bound, of_bound)

    def __repr__(self):
        return f"<hone.Profile of {self.runs} runs of {self.seconds * 1e3:.4f} ms in {len(self.steps)} steps>"

    def __str__(self):
        lines = [repr(self)[1:-1], f"{'ms':>10} {'share':>7}  of the peak    step and nodes"]
        for step in self.steps:
            reached = f"{step.of_bound:4.0%} {step.bound}" if step.bound else ""
            lines.append(f"{step.seconds * 1e3:10.4f} {step.share:7.1%}  {reached:<13}  {step.name}: {', '.join(step.nodes)}")
        return "\n".join(lines)

    def _write_trace(self, path):
        """Chrome's and Perfetto's JSON: a row for each thread, and one for the device."""
        rows = {thread: f"thread {thread}" for thread in range(self._threads)}
        if self.peak is None:
            rows[self._threads] = "device"
        events = [{"ph": "M", "name": "thread_name", "pid": 1, "tid": row, "args": {"name": name}} for row, name in rows.items()]
        for number, thread, begin, end, pieces in self._events:
            event = {"ph": "X", "name": "run", "cat": "run", "pid": 1, "tid": thread if thread >= 0 else self._threads, "ts": begin / 1e3, "dur": (end - begin) / 1e3}
            if number >= 0:
                step = self._steps[number]
                event.update(name=step.name, cat="pieces" if pieces else step.kind, args={"pieces": pieces} if pieces else {"step": number, "nodes": step.nodes})
            events.append(event)
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"displayTimeUnit": "ms", "traceEvents": events}, file)


class Model:
    """A compiled model. Threads may run one model at the same time."""

    def __init__(self, library):
        self._library = library
        self.inputs = [Value(*v) for v in library.inputs]
        self.outputs = [Value(*v) for v in library.outputs]

    def run(self, inputs, *, device_outputs=False, out=None):
        """{name: value} of the inputs to {name: value} of the outputs.

        Tensors are numpy arrays (of objects for strings), sequences lists, absent optionals
        None. Contiguous arrays are read where they lie. A model that runs on a CUDA device also
        takes tensors that lie there (of torch, cupy and others that have __dlpack__); what made
        them must be done, or run on the default stream. Outputs are numpy arrays.

        `device_outputs` leaves outputs on the device, as DeviceTensor: True all tensors whose
        shape is known before the run, a collection of names just these. `out` gives arrays of
        numpy or tensors on the device that outputs are written to, {name: array}; they must be
        contiguous, have the output's type and shape, and share no memory with another value.
        They are what the result has under these names. On a device, runs with the same memory for
        all values are replayed, which takes less time than new memory for each. The run is over
        when it returns: any stream may read what it wrote.

        Raises RunError for a wrong call and for an error in the data."""
        if device_outputs is True:
            names = None
        elif device_outputs is False:
            names = ()
        elif isinstance(device_outputs, str):
            raise TypeError("device_outputs is True, False, or a collection of names")
        else:
            names = frozenset(device_outputs)
        if out is not None and not isinstance(out, dict):
            raise TypeError(f"out must be a dictionary of arrays by name, not {type(out).__name__}")
        return self._library.run(inputs, names, out or {})

    def profile(self, inputs, *, runs=10, trace=None):
        """Runs the model so many times with these inputs, after one run more, and tells where the time goes: a Profile.
        `trace` is the path of a file for what each thread did and when, to be opened in Perfetto or Chrome. Nothing is
        compiled for it, and other runs are not slowed down. Raises RunError as run does."""
        runs = _number("runs", runs, 2**31 - 1)
        if runs == 0:
            raise ValueError("runs is 0: it must be 1 or more")
        profile = Profile(self._library.profile(inputs, runs, _TRACE_EVENTS if trace is not None else 0))
        if trace is not None:
            profile._write_trace(trace)
        return profile

    def stats(self):
        """Bytes of arena, blocks and weights, the thread count, the CPU level and the device in
        use; device_note is why a model for a device runs on the CPU."""
        return self._library.stats()

    def kernels(self):
        """What the kernels of the CPU level in use compute with: a list of Kernel in the order of the run. Those that run on a
        device alone are left out."""
        return [Kernel(*kernel) for kernel in self._library.kernels()]


# Room for events in a trace: 32 bytes each.
_TRACE_EVENTS = 1 << 18


def _number(what, value, limit):
    """An integer from 0 to `limit`."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{what} must be an integer, not {type(value).__name__}") from None
    if not 0 <= number <= limit:
        raise ValueError(f"{what} is {number}: it must be from 0 to {limit}")
    return number


def _path(path):
    path = os.fsdecode(path)
    if "\0" in path:
        raise ValueError(f"a path cannot hold a zero byte: {path!r}")
    return path


def load(path, *, threads=0, cpu="", symbol="", device=0, verify=False):
    """Opens a compiled model. `threads` of 0 is one per processor; `cpu` forces one of its
    CPU levels; `symbol` is what the library must export, if it matters. A library that is damaged
    is refused; `verify` also reads all weights to see that they are not. Of a model for a device, `device` is the number of one, or "cpu"; 0 is what the
    variable HONE_DEVICE says, else the first device, else the CPU if the model can."""
    number = -1 if device == "cpu" else operator.index(device)
    if number < 0 and device != "cpu":
        raise ValueError(f"device {device}: it must be a number from 0, or 'cpu'")
    return Model(_hone.Model(_path(path), symbol, _number("threads", threads, 1024), cpu, number, bool(verify)))


def _source(model):
    """A model as the compiler takes it: bytes, or a path."""
    if isinstance(model, bytes):
        return model
    return bytes(model) if isinstance(model, (bytearray, memoryview)) else _path(model)


def _paths(files):
    """One path or several, as a list."""
    return [_path(files)] if isinstance(files, (str, bytes, os.PathLike)) else [_path(file) for file in files]


def _sizes(dims):
    """Sizes of free dimensions by name."""
    sizes = {}
    for name, size in dict(dims or {}).items():
        if not isinstance(name, str):
            raise TypeError(f"dims: the name of a dimension is a str, not {type(name).__name__}")
        sizes[name] = _number(f"dims[{name!r}]", size, 2**63 - 1)
    return sizes


def _names(overrides):
    """Names of initializers, or None."""
    if overrides is None:
        return None
    if isinstance(overrides, (str, bytes)):
        raise TypeError("overrides: a list of names, not one name")
    for name in (names := list(overrides)):
        if not isinstance(name, str):
            raise TypeError(f"overrides: the name of an initializer is a str, not {type(name).__name__}")
    return names


def check(model, *, dims=None, overrides=None):
    """Everything in an ONNX model, given as a path or as bytes, that would not compile: a list of
    messages, empty where it would. `dims` and `overrides` are those of compile_library."""
    return _hone.check(_source(model), _sizes(dims), _names(overrides))


def compile_library(model, output, *, target="cpu", cpu="native", gpu=None, dims=None, overrides=None, precision="f32", threads=0, symbol="hone_model", tuned=()):
    """Compiles an ONNX model, given as a path or as bytes, to a library for whatever machine it is taken to.

    `target` is "cpu", "cuda", or "cuda,cpu", which falls back to the CPU. `cpu` is a
    comma-separated list of CPU levels or names, as in `hone compile --cpu`, and `gpu` one of
    chips (None: those that the target has of itself, for cuda sm_80 and sm_90a); `dims` fixes free dimensions ({"n": 1}); `overrides` are the names of initializers that become
    inputs with a default value (None: those that the model lists as inputs, where they are small); `precision` is "f32",
    or "bf16" or "f16", which round the weights of products to these types and sum in f32, or "auto", which does so where it is faster at all
    CPU levels and loses little; `threads`, 0 for one per processor, is what
    the model is compiled for; `tuned` is a file that `hone tune` wrote, or a list of them.

    Raises CompileError when the model cannot be compiled, ValueError for a wrong option and
    OSError when the library cannot be written."""
    _hone.compile(_source(model), _path(output), target=target, cpu=cpu, gpu=gpu, dims=_sizes(dims), overrides=_names(overrides), precision=precision, threads=_number("threads", threads, 1024), symbol=symbol, tuned=_paths(tuned))


def compile(model, *, output=None, threads=0, symbol="hone_model", **options):
    """Compiles an ONNX model and opens it. `output` keeps the library in that place; the other
    options and errors are those of compile_library."""
    options.update(threads=threads, symbol=symbol)
    if output is not None:
        compile_library(model, output, **options)
        return load(output, threads=threads, symbol=symbol)
    folder = tempfile.mkdtemp(prefix="hone-")
    try:
        library = os.path.join(folder, "model.so")
        compile_library(model, library, **options)
        return load(library, threads=threads, symbol=symbol)
    finally:
        # The library and its weights stay mapped. Anything else there is the report of an internal error, which the
        # message names.
        for made in library, library + ".weights":
            if os.path.exists(made):
                os.remove(made)
        if not os.listdir(folder):
            os.rmdir(folder)
