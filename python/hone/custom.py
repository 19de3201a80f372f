# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Custom operators as functions of Python: a table of hone/custom.h whose functions call them."""
from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from . import _runtime, arguments
from .errors import ArgumentTypeError, ArgumentValueError, RunError

if TYPE_CHECKING:
    import numpy

Operators = Mapping[str, Callable[..., Any]]
_T = TypeVar("_T")


class _Tensor(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("dims", ctypes.POINTER(ctypes.c_int64)), ("rank", ctypes.c_int32), ("type", ctypes.c_int32)]


class _String(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("size", ctypes.c_size_t)]


class _Attribute(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("data", ctypes.c_void_p), ("count", ctypes.c_int64), ("kind", ctypes.c_int32), ("reserved", ctypes.c_int32)]


class _Call(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_uint32),
        ("input_count", ctypes.c_int32),
        ("output_count", ctypes.c_int32),
        ("attribute_count", ctypes.c_int32),
        ("inputs", ctypes.POINTER(_Tensor)),
        ("outputs", ctypes.POINTER(_Tensor)),
        ("output_dims", ctypes.POINTER(ctypes.c_int64 * _runtime.MAX_RANK)),
        ("attributes", ctypes.POINTER(_Attribute)),
        ("threads", ctypes.c_int64),
        ("parallel", ctypes.c_void_p),
        ("message", ctypes.c_void_p),
        ("message_bytes", ctypes.c_size_t),
        ("op", ctypes.c_void_p),
        ("core", ctypes.c_void_p),
    ]


_FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.POINTER(_Call))


class _Operator(ctypes.Structure):
    _fields_ = [("domain", ctypes.c_char_p), ("name", ctypes.c_char_p), ("since_version", ctypes.c_int64), ("shape", _FUNCTION), ("run", _FUNCTION)]


class _Table(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("count", ctypes.c_uint32), ("operators", ctypes.POINTER(_Operator))]


assert [ctypes.sizeof(own) for own in (_Tensor, _String, _Attribute, _Call, _Operator, _Table)] == _runtime.CUSTOM_SIZES

_UNDEFINED, _STRING = 0, 8  # of hone_type


class Table:
    """The table for these functions. Whoever has its address keeps it alive."""

    def __init__(self, functions: Operators) -> None:
        operators = []
        self._raised = threading.local()
        for key, function in functions.items():
            domain, name = key.rsplit(":", 1)
            called = _Function(function, self._raised)
            operators.append(_Operator(domain.encode(), name.encode(), 1, called.shape, called.run))
        self._operators = (_Operator * len(operators))(*operators)
        self._table = _Table(_runtime.CUSTOM_VERSION, len(operators), self._operators)

    @property
    def address(self) -> int:
        return ctypes.addressof(self._table)

    def calling(self, run: Callable[..., _T], *given: Any) -> _T:
        """What `run` returns. If it fails because a function raised an exception, that is the cause of its error; one that
        ends the program, as KeyboardInterrupt, is raised instead."""
        self._raised.error = None
        try:
            return run(*given)
        except RunError as error:
            # Not in a variable of this frame, which the exception's traceback refers to.
            if self._raised.error is None or isinstance(self._raised.error, Exception):
                raise error from self._raised.error
            raise self._raised.error
        finally:
            self._raised.error = None


class _Function:
    """One function, called when sizes are asked for; its results are copied when the operator runs, on the same thread."""

    def __init__(self, function: Callable[..., Any], raised: threading.local) -> None:
        self._function = function
        self._raised = raised
        self._local = threading.local()
        # The callbacks are kept with what they call by the table.
        self.shape = _FUNCTION(self._shape)
        self.run = _FUNCTION(self._run)

    def _shape(self, pointer: Any) -> int:
        call = pointer[0]
        try:
            self._local.results = self._results(call)
        except BaseException as error:
            self._raised.error = error
            return _fail(call, f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
        return 0

    def _run(self, pointer: Any) -> int:
        call = pointer[0]
        for index, result in enumerate(self._local.results):
            if result.nbytes:
                ctypes.memmove(call.outputs[index].data, result.ctypes.data, result.nbytes)
        self._local.results = None
        return 0

    def _results(self, call: _Call) -> list[numpy.ndarray[Any, Any]]:
        import numpy

        given = self._function(*(_array(call.inputs[i]) for i in range(call.input_count)), **_attributes(call))
        results = list(given) if isinstance(given, (tuple, list)) else [given]
        if len(results) != call.output_count:
            raise ValueError(f"it returned {len(results)} outputs instead of {call.output_count}")
        arrays = []
        for index, result in enumerate(results):
            array = numpy.asarray(result, order="C")
            if not array.dtype.isnative:
                array = array.astype(array.dtype.newbyteorder("="))
            code = _runtime.element_type(array.dtype)
            if code in (_UNDEFINED, _STRING) or array.ndim > _runtime.MAX_RANK:
                raise TypeError(f"output {index} is an array of {array.dtype} with {array.ndim} dimensions")
            call.outputs[index].type, call.outputs[index].rank = code, array.ndim
            call.output_dims[index][: array.ndim] = array.shape
            arrays.append(array)
        return arrays


def _array(tensor: _Tensor) -> numpy.ndarray[Any, Any] | None:
    """The elements where they lie, not to be written; None for an omitted input."""
    import numpy

    if tensor.type == _UNDEFINED:
        return None
    dtype = _runtime.dtype(tensor.type)
    shape = tuple(tensor.dims[: tensor.rank])
    size = dtype.itemsize
    for dim in shape:
        size *= dim
    memory = (ctypes.c_char * size).from_address(tensor.data) if size else b""
    array = numpy.frombuffer(memory, dtype).reshape(shape)
    array.flags.writeable = False
    return array


def _attributes(call: _Call) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for attribute in call.attributes[: call.attribute_count] if call.attribute_count else ():
        if attribute.kind == 3:
            strings = ctypes.cast(attribute.data, ctypes.POINTER(_String))
            values: list[Any] = [ctypes.string_at(text.data, text.size).decode(errors="replace") for text in strings[: attribute.count]]
        else:
            numbers = ctypes.POINTER(ctypes.c_int64 if attribute.kind == 1 else ctypes.c_float)
            values = ctypes.cast(attribute.data, numbers)[: attribute.count] if attribute.count else []
        found[attribute.name.decode(errors="replace")] = values[0] if len(values) == 1 else values
    return found


def _fail(call: _Call, reason: str) -> int:
    text = reason.encode(errors="replace")[: max(call.message_bytes - 1, 0)]
    text = text.decode(errors="ignore").encode()  # without a part of a character
    ctypes.memmove(call.message, text + b"\0", len(text) + 1)
    return 1


def checked(given: Any) -> dict[str, Callable[..., Any]]:
    """Functions by "domain:name"."""
    try:
        functions = dict(given or {})
    except (TypeError, ValueError):
        raise ArgumentTypeError(f"operators must be a dict of functions by 'domain:name', not {type(given).__name__}") from None
    for key, function in functions.items():
        if not isinstance(key, str) or not callable(function):
            raise ArgumentTypeError(f"operators: {key!r} must be a str, 'domain:name', and what it has a function")
        domain, _, name = key.rpartition(":")
        if not name or not domain or "\0" in key:
            raise ArgumentValueError(f"operators: {key!r} is not 'domain:name'")
    return functions


def names(given: Any) -> list[str]:
    """The names among functions by name, or in a list."""
    if isinstance(given, Mapping) or given is None:
        return list(checked(given))
    if isinstance(given, str):
        raise ArgumentTypeError("operators must be a dict of functions by 'domain:name', or a list of names, not str")
    return list(checked({name: print for name in arguments.items("operators", given, "names")}))
