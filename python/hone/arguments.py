# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks of arguments: what reaches the extension module has the right type."""
from __future__ import annotations

import operator
import os
from collections.abc import Callable, Iterator
from typing import Any, Protocol, Union

from .errors import ArgumentTypeError, ArgumentValueError

Path = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]
Progress = Callable[[str, float], object]


class BinaryFile(Protocol):
    def read(self) -> bytes: ...


class Proto(Protocol):
    """An onnx.ModelProto."""

    def SerializeToString(self) -> bytes: ...


Source = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview, BinaryFile, Proto]


def number(what: str, value: Any, limit: int) -> int:
    """An integer from 0 to `limit`."""
    try:
        checked = operator.index(value)
    except TypeError:
        raise ArgumentTypeError(f"{what} must be an integer, not {type(value).__name__}") from None
    if not 0 <= checked <= limit:
        raise ArgumentValueError(f"{what} is {checked}: it must be from 0 to {limit}")
    return checked


def threads(value: Any) -> int:
    return number("threads", value, 1024)


def text(what: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ArgumentTypeError(f"{what} must be a str, not {type(value).__name__}")
    return value


def path(what: str, value: Any) -> str:
    try:
        decoded = os.fsdecode(value)
    except TypeError:
        raise ArgumentTypeError(f"{what} must be a str or a path, not {type(value).__name__}") from None
    if "\0" in decoded:
        raise ArgumentValueError(f"{what}: a path cannot hold a zero byte: {decoded!r}")
    return decoded


def paths(what: str, files: Any) -> list[str]:
    """One path or several, as a list."""
    if isinstance(files, (str, bytes, os.PathLike)):
        return [path(what, files)]
    return [path(what, file) for file in items(what, files, "paths")]


def items(what: str, values: Any, kind: str) -> list[Any]:
    """A list of something, which a str is not."""
    if not isinstance(values, (str, bytes)):
        try:
            return list(values)
        except TypeError:
            pass
    raise ArgumentTypeError(f"{what} must be a list of {kind}, not {type(values).__name__}")


def _by_name(what: str, kind: str, given: Any, values: str = "sizes") -> Iterator[tuple[str, Any]]:
    """What a dict gives for the names of such things."""
    try:
        pairs = dict(given or {})
    except (TypeError, ValueError):
        raise ArgumentTypeError(f"{what} must be a dict of {values} by name, not {type(given).__name__}") from None
    for name, value in pairs.items():
        if not isinstance(name, str):
            raise ArgumentTypeError(f"{what}: the name of {kind} is a str, not {type(name).__name__}")
        yield name, value


def sizes(dims: Any) -> dict[str, int]:
    """Sizes of free dimensions by name."""
    return {name: number(f"dims[{name!r}]", size, 2**63 - 1) for name, size in _by_name("dims", "a dimension", dims)}


def shapes(given: Any) -> dict[str, list[int]]:
    """All sizes of inputs by name."""
    checked = {}
    for name, shape in _by_name("shapes", "an input", given):
        what = f"shapes[{name!r}]"
        checked[name] = [number(what, size, 2**63 - 1) for size in items(what, shape, "sizes")]
    return checked


def pipelines(given: Any) -> dict[str, str]:
    """Pipelines of passes by phase."""
    return {phase: text(f"pipelines[{phase!r}]", pipeline) for phase, pipeline in _by_name("pipelines", "a phase", given, "pipelines")}


def names(overrides: Any) -> list[str] | None:
    """Names of initializers, or None."""
    if overrides is None:
        return None
    checked = items("overrides", overrides, "names")
    for name in checked:
        if not isinstance(name, str):
            raise ArgumentTypeError(f"overrides: the name of an initializer is a str, not {type(name).__name__}")
    return checked


def callback(what: str, value: Any) -> Progress | None:
    if value is not None and not callable(value):
        raise ArgumentTypeError(f"{what} must be callable, not {type(value).__name__}")
    return value


def source(model: Any) -> bytes | str:
    """A model as the compiler takes it: bytes, or a path."""
    if isinstance(model, (bytes, bytearray, memoryview)):
        return bytes(model)
    if isinstance(model, (str, os.PathLike)):
        return path("model", model)
    if not isinstance(model, type):
        if getattr(getattr(model, "DESCRIPTOR", None), "full_name", None) == "onnx.ModelProto":
            return _serialized(model)
        if callable(getattr(model, "read", None)):
            return _content(model)
    raise ArgumentTypeError(f"model must be a path, bytes, a binary file or an onnx.ModelProto, not {type(model).__name__}")


def _serialized(model: Any) -> bytes:
    try:
        return model.SerializeToString()
    except MemoryError:
        raise
    except Exception as error:  # protobuf's, which changed with its versions
        raise ArgumentValueError(f"the ModelProto cannot be serialized: {error}; one of 2 GiB or more must be saved with external data, and given as a path") from None


def _content(file: Any) -> bytes:
    content = file.read()
    if isinstance(content, str):
        raise ArgumentTypeError("model is a file of text: open it in binary mode, 'rb'")
    if not isinstance(content, (bytes, bytearray, memoryview)):
        raise ArgumentTypeError(f"model: reading it gave no bytes, but {type(content).__name__}")
    return bytes(content)
