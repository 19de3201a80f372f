# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled models: opened, run, inspected, pickled."""
from __future__ import annotations

import asyncio
import errno
import os
import tempfile
import weakref
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from . import _runtime, arguments, custom
from .errors import ArgumentValueError, RunError, RunFileNotFoundError, RunTypeError, RunValueError
from .profile import Profile

if TYPE_CHECKING:
    import numpy

_T = TypeVar("_T")


class Value(NamedTuple):
    """An input or output of a model. `kind` is tensor, sequence, optional or map; `type` ONNX's name of the element type and
    `dtype` numpy's; in `shape`, which is None for any rank, free dimensions are names, and None is what only the data
    decide. An input that has a default may be left out of a run."""

    name: str
    kind: str
    type: str
    shape: tuple[int | str | None, ...] | None
    dtype: numpy.dtype[Any] | None
    has_default: bool


class Kernel(NamedTuple):
    """A kernel of a model, with the names of the ONNX nodes that it comes from. `arithmetic` says how its products are
    multiplied and the types of their operands and sums, as in "dot_bytes (VNNI) u8 x s8 -> s32", or the types of other
    arithmetic; "" if it only moves or compares. `flop` counts what the model asks for, and is None where only a run knows."""

    name: str
    nodes: tuple[str, ...]
    arithmetic: str
    flop: int | None


class Info(NamedTuple):
    """What is known of a model before it runs. `name` is that of its file, `producer` the compiler, and `metadata` what the
    file says of itself: {name: text} of its metadata_props. `memory` has kinds: "planned", for sizes that follow from the
    free dimensions; "bounded", where data decide, up to a bound; "unbounded". `arena_bytes` are what a run needs for
    intermediate values, None if it depends on the free dimensions. `rounded_to` has the types that weights of products
    were rounded to, "bf16" and "f16"; `levels` the CPU levels, and `chips` the GPUs that there is machine code for."""

    name: str
    producer: str
    metadata: dict[str, str]
    memory: tuple[str, ...]
    arena_bytes: int | None
    weight_bytes: int
    rounded_to: tuple[str, ...]
    levels: tuple[str, ...]
    chips: tuple[str, ...]


# Room for events in a trace: 32 bytes each.
_TRACE_EVENTS = 1 << 18


class Model:
    """A compiled model, made by hone.compile or hone.load. Threads may run one model at the same time.

    `with model:` closes it at the end. A model is pickled as its path, if it was loaded from one or compiled with
    `output`, else with the whole library; it is opened again where it is unpickled, with the same options."""

    inputs: list[Value]
    outputs: list[Value]
    _library: _runtime.Model
    _name: str
    _input_names: list[str]
    # What it is pickled as: its path, or files that no longer have one.
    _path: str
    _files: _RemovedFiles | None
    _options: dict[str, Any]
    # What runs call.
    _table: custom.Table | None

    def __init__(self, *_: Any, **__: Any) -> None:
        raise TypeError("models are made by hone.compile and hone.load")

    @classmethod
    def _open(cls, path: str, options: dict[str, Any]) -> Model:
        self = cls.__new__(cls)
        self._path, self._files, self._options = os.path.abspath(path), None, options
        self._table = custom.Table(options["operators"]) if options["operators"] else None
        self._library = _runtime.Model(path, options["symbol"], options["threads"], options["cpu"], -1 if options["device"] == "cpu" else options["device"], options["verify"], self._table.address if self._table else 0)
        self.inputs = [Value(*value) for value in self._library.inputs]
        self.outputs = [Value(*value) for value in self._library.outputs]
        self._name = self._library.info()["name"]
        self._input_names = [value.name for value in self.inputs]
        return self

    def run(self, /, *inputs: Any, device_outputs: bool | Collection[str] = False, out: dict[str, Any] | None = None, **named: Any) -> dict[str, Any]:
        """Runs the model: {name: value} of all outputs.

        Inputs are given in the order of `inputs`, by name, or all in one dict by name: model.run(x, y), model.run(x, y=y)
        and model.run({"x": x, "y": y}) are the same. A lone dict always has names. Inputs that have a default may be left
        out or None.

        Tensors are numpy arrays (of objects for strings), or tensors of any library that has __dlpack__ (torch, jax and
        others); their shape and element type must be those of `inputs`. Lists of numbers are converted. Sequences are
        lists, absent optionals None, maps dicts. Contiguous arrays and tensors are read where they lie, and must not be
        changed by other threads meanwhile. A model that runs on a CUDA device also takes tensors that lie there; what made
        them must be done, or run on the default stream. Outputs are numpy arrays.

        `device_outputs` leaves outputs on the device, as DeviceTensor: True all tensors whose shape is known before the
        run, a collection of names just these. `out` gives arrays and tensors that outputs are written to, {name: array},
        also on the device; they must be contiguous, have the output's type and shape, and share no memory with another
        value. They are what the result has under these names. On a device, runs with the same memory for all values are
        replayed, which takes less time than new memory for each. The run is over when it returns: any stream may read what
        it wrote.

        Raises RunError for a wrong call and for an error in the data. For a wrong call it is also a KeyError (a name that
        the model does not have, or one that is missing), a TypeError (no tensor, or another element type) or a ValueError
        (another shape, memory that overlaps, a model that is closed)."""
        if out is not None and not isinstance(out, dict):
            raise RunTypeError(f"out must be a dictionary of arrays by name, not {type(out).__name__}")
        return self._called(self._library.run, self._feeds(inputs, named), _names_on_device(device_outputs), dict(out) if out else {})

    __call__ = run

    async def run_async(self, /, *inputs: Any, device_outputs: bool | Collection[str] = False, **named: Any) -> dict[str, Any]:
        """As run, but on a thread of the event loop's default executor, while the loop continues.

        Inputs in host memory are copied when the coroutine starts, and may be changed after that. A task that is cancelled
        is over at once; its run ends on its own, and the outputs are dropped. A model that is closed meanwhile completes
        the run."""
        prepared = self._library.prepare(self._feeds(inputs, named), _names_on_device(device_outputs))
        return await asyncio.get_running_loop().run_in_executor(None, _run_prepared, self, prepared)

    def _called(self, run: Callable[..., _T], *given: Any) -> _T:
        return run(*given) if self._table is None else self._table.calling(run, *given)

    def _feeds(self, inputs: tuple[Any, ...], named: dict[str, Any]) -> dict[str, Any]:
        """{name: value} of the inputs of a call."""
        if len(inputs) == 1 and isinstance(inputs[0], (dict, Mapping)):
            feeds = dict(inputs[0])
        elif len(inputs) > len(self._input_names):
            raise RunTypeError(f"{len(inputs)} inputs are given, and the model takes {len(self._input_names)}: {', '.join(self._input_names)}")
        else:
            feeds = dict(zip(self._input_names, inputs))
        for name, value in named.items():
            if name in feeds:
                raise RunTypeError(f"input '{name}' is given twice")
            feeds[name] = value
        return feeds

    def profile(self, inputs: Any, *, runs: int = 10, trace: arguments.Path | None = None) -> Profile:
        """Runs the model so many times with these inputs (a dict, or the only one), after one run more, and tells where the
        time goes: a Profile. `trace` is the path of a file for what each thread did and when, to be opened in Perfetto or
        Chrome. Nothing is compiled for it, and other runs are not slowed down. Raises RunError as run does."""
        file = None if trace is None else arguments.path("trace", trace)
        runs = arguments.number("runs", runs, 2**31 - 1)
        if runs == 0:
            raise ArgumentValueError("runs is 0: it must be 1 or more")
        profile = Profile(self._called(self._library.profile, self._feeds((inputs,), {}), runs, 0 if file is None else _TRACE_EVENTS))
        if file is not None:
            profile._write_trace(file)
        return profile

    @property
    def info(self) -> Info:
        """What is known of the model before it runs: an Info."""
        return Info(**self._library.info())

    def stats(self) -> dict[str, Any]:
        """Bytes of arena, blocks and weights, the thread count, the CPU level and the device in
        use; device_note is why a model for a device runs on the CPU."""
        return self._library.stats()

    def kernels(self) -> list[Kernel]:
        """What the kernels of the CPU level in use compute with: a list of Kernel in the order of the run. Those that run on a
        device alone are left out."""
        return [Kernel(*kernel) for kernel in self._library.kernels()]

    def close(self) -> None:
        """Frees the model's memory, once runs that other threads have begun are over and results on a device are gone.
        After that its use is a ValueError; closing it again is none."""
        self._library.close()
        if self._files is not None:
            self._files.close()

    @property
    def closed(self) -> bool:
        return self._library.closed

    def __enter__(self) -> Model:
        if self.closed:
            raise RunValueError("the model is closed")
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        closed = ", closed" if self.closed else ""
        return f"<hone.Model {self._name!r}{closed}: {_shown(self.inputs)} -> {_shown(self.outputs)}>"

    def __reduce__(self) -> tuple[Any, ...]:
        if self.closed:
            raise RunValueError("the model is closed")
        if self._files is None:
            return _reopen, (self._path, self._options)
        return _restore, (self._files.read(), self._options)


def _run_prepared(model: Model, prepared: _runtime.PreparedRun) -> dict[str, Any]:
    """Runs on, with `model` and its operators, even if nobody else has it any more."""
    return model._called(prepared.run)


def _shown(values: list[Value]) -> str:
    """Names, types and shapes of values, the first ones of many."""
    texts = []
    for value in values[:6]:
        text = value.type
        if value.shape is not None:
            text += f"[{','.join('?' if dim is None else str(dim) for dim in value.shape)}]"
        texts.append(f"{value.name}: {text}" if value.kind == "tensor" else f"{value.name}: {value.kind}({text})")
    if len(values) > len(texts):
        texts.append(f"{len(values) - len(texts)} more")
    return f"({', '.join(texts)})"


def _names_on_device(device_outputs: Any) -> Collection[str] | None:
    """Names of outputs that should stay on the device, None for all that can."""
    if device_outputs is True:
        return None
    if device_outputs is False:
        return ()
    try:
        if not isinstance(device_outputs, str):
            return frozenset(device_outputs)
    except TypeError:
        pass
    raise RunTypeError("device_outputs is True, False, or a collection of names")


def load(path: arguments.Path, *, threads: int = 0, cpu: str = "", symbol: str = "", device: int | str = 0, verify: bool = False, operators: custom.Operators | None = None) -> Model:
    """Opens a compiled model: a Model.

    path     the path of the library
    threads  how many threads a run uses, at most 1024; 0 for one per processor
    cpu      one of the model's CPU levels, to force it; "": the best one that fits
    symbol   the function that the library must export; "": whatever it exports
    device   of a model for a device, the number of one, or "cpu"; 0 is what the variable HONE_DEVICE says, else the first
             device, else the CPU if the model can
    operators  custom operators that the library does not contain: functions by name, {"com.example:Gate": gate}. They
             are called with the inputs as arrays that must not be changed, None for an omitted one, and with the attributes
             by name; they return an array, or a list of several
    verify   whether all weights are read to see that they are not damaged; of everything else this is always seen

    Raises RunError for a library that is damaged or cannot run here, which is also a FileNotFoundError if it does not
    exist; ArgumentValueError and ArgumentTypeError, which are a ValueError and a TypeError, for wrong arguments."""
    path = arguments.path("path", path)
    if isinstance(device, str):
        if device != "cpu":
            raise ArgumentValueError(f"device must be a number or 'cpu', not {device!r}")
    else:
        device = arguments.number("device", device, 2**31 - 1)
    options = dict(threads=arguments.threads(threads), cpu=arguments.text("cpu", cpu), symbol=arguments.text("symbol", symbol), device=device, verify=bool(verify), operators=custom.checked(operators))
    try:
        return Model._open(path, options)
    except RunError:
        if os.path.exists(path):
            raise
        raise RunFileNotFoundError(errno.ENOENT, f"there is no library {path!r}", path) from None


class TemporaryLibrary:
    """A library in a folder that exists until it is opened: it stays mapped, and its files stay open for pickle."""

    def __enter__(self) -> TemporaryLibrary:
        self._folder = tempfile.mkdtemp(prefix="hone-")
        self.path = os.path.join(self._folder, _FILES[0])
        return self

    def open(self, **options: Any) -> Model:
        model = load(self.path, **options)
        model._files = _RemovedFiles(self._made())
        return model

    def __exit__(self, *_: Any) -> None:
        for file in self._made():
            os.remove(file)
        # Anything else there is the report of an internal error, which the message names.
        if not os.listdir(self._folder):
            os.rmdir(self._folder)

    def _made(self) -> list[str]:
        return [file for file in (os.path.join(self._folder, name) for name in _FILES) if os.path.exists(file)]


# A library, and its weights if they are too large for it.
_FILES = "model.so", "model.so.weights"


class _RemovedFiles:
    """Files that are read after they were removed."""

    def __init__(self, paths: list[str]) -> None:
        self._descriptors: dict[str, int] = {}
        self.close = weakref.finalize(self, _close_all, self._descriptors)
        for path in paths:
            self._descriptors[os.path.basename(path)] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def read(self) -> dict[str, bytes]:
        """{name: content}. A position in the files would be shared with forked processes."""
        return {name: _read_all(descriptor) for name, descriptor in self._descriptors.items()}


def _close_all(descriptors: dict[str, int]) -> None:
    while descriptors:
        os.close(descriptors.popitem()[1])


def _read_all(descriptor: int) -> bytes:
    parts, size = [], 0
    while part := os.pread(descriptor, 1 << 30, size):
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def _reopen(path: str, options: dict[str, Any]) -> Model:
    """The model of a pickle that has its path."""
    return load(path, **options)


def _restore(files: dict[str, bytes], options: dict[str, Any]) -> Model:
    """The model of a pickle that has its files."""
    with TemporaryLibrary() as library:
        for name, content in files.items():
            if name not in _FILES:
                raise RunValueError(f"the pickle of a model has an unknown file {name!r}")
            with open(os.path.join(os.path.dirname(library.path), name), "wb") as file:
                file.write(content)
        return library.open(**{**options, "verify": True})
