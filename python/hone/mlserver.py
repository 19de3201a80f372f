# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled models on MLServer, by its Open Inference Protocol. In the model's folder, model-settings.json:

    {"name": "digits", "implementation": "hone.mlserver.HoneRuntime",
     "parameters": {"uri": "digits.so", "extra": {"threads": 2}}}

`extra` has the options of hone.load. What a request does wrong is its error 400. Beside MLServer's own metrics there are
hone_run_seconds, a histogram of runs, and hone_arena_bytes, the memory of one for intermediate values.
"""
from __future__ import annotations

import functools
import time
from typing import Any

import mlserver
import numpy
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.errors import InferenceError, MLServerError
from mlserver.types import Datatype, InferenceRequest, InferenceResponse, MetadataTensor, RequestInput, ResponseOutput
from mlserver.utils import get_model_uri
from prometheus_client import Gauge, Histogram

from .errors import Error, RunError
from .model import Model, Value, load

# Names of the protocol by those of ONNX.
_DATATYPES = {
    "bool": Datatype.BOOL, "string": Datatype.BYTES, "float16": Datatype.FP16, "float": Datatype.FP32, "double": Datatype.FP64,
    **{f"{sign}int{bits}": Datatype(f"{sign}INT{bits}".upper()) for sign in ("", "u") for bits in (8, 16, 32, 64)},
}


class HoneRuntime(mlserver.MLModel):
    """A library that `hone compile` made, as a model of MLServer. With `max_batch_size` in its settings MLServer joins requests
    along the first dimension, which must be free in the model."""

    _model: Model

    async def load(self) -> bool:
        path = await get_model_uri(self._settings, wellknown_filenames=["model.so"])
        parameters = self._settings.parameters
        try:
            self._model = load(path, **(parameters and parameters.extra or {}))
        except (Error, TypeError) as error:
            raise MLServerError(f"model {self.name}: {error}") from error
        self.inputs = [self._describe(value) for value in self._model.inputs]
        self.outputs = [self._describe(value) for value in self._model.outputs]
        self._seconds = _run_seconds().labels(self.name)
        self._arena = _arena_bytes().labels(self.name)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        try:
            feeds = {given.name: self._decode(given) for given in payload.inputs}
            start = time.perf_counter()
            results = await self._model.run_async(feeds)
            self._seconds.observe(time.perf_counter() - start)
            self._arena.set(self._model.stats()["arena_bytes"])
        except RunError as error:
            raise InferenceError(str(error)) from error
        wanted = [output.name for output in payload.outputs or []] or list(results)
        unknown = [name for name in wanted if name not in results]
        if unknown:
            raise InferenceError(f"the model has no output '{unknown[0]}'; it has {', '.join(repr(name) for name in results)}")
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=[_encode(name, results[name]) for name in wanted])

    async def unload(self) -> bool:
        self._model.close()
        return True

    def _describe(self, value: Value) -> MetadataTensor:
        datatype = _DATATYPES.get(value.type) if value.kind == "tensor" else None
        if datatype is None:
            raise MLServerError(f"model {self.name}: '{value.name}' is a {value.kind} of {value.type}, which the protocol does not have")
        return MetadataTensor(name=value.name, datatype=datatype, shape=[size if isinstance(size, int) else -1 for size in value.shape or ()])

    def _decode(self, given: RequestInput) -> Any:
        try:
            if Datatype(given.datatype) == Datatype.BYTES:
                return numpy.array(StringCodec.decode_input(given), dtype=object).reshape(given.shape)
            return NumpyCodec.decode_input(given)
        except (TypeError, ValueError, OverflowError, UnicodeDecodeError) as error:
            raise InferenceError(f"input '{given.name}': {error}") from error


def _encode(name: str, result: Any) -> ResponseOutput:
    if result.dtype != object:
        encoded = NumpyCodec.encode_output(name, result)
    else:
        encoded = StringCodec.encode_output(name, [element.decode() if isinstance(element, bytes) else element for element in result.flat])
    encoded.shape = list(result.shape)
    return encoded


# Made when a model is loaded: before that, MLServer has not said where processes share metrics.
@functools.cache
def _run_seconds() -> Histogram:
    buckets = [digit * 10.0**power for power in range(-5, 1) for digit in (1, 2, 5)]
    return Histogram("hone_run_seconds", "Time of a run, in seconds", ["model_name"], buckets=buckets)


@functools.cache
def _arena_bytes() -> Gauge:
    return Gauge("hone_arena_bytes", "Bytes of a run for intermediate values", ["model_name"], multiprocess_mode="livemax")
