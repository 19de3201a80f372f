# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled models on Ray Serve:

    serve run hone.ray.serve:app model=digits.so threads=2

or serve.run(app(Settings(model="digits.so"))). A POST of {"image": [[...]]} is answered by {"probabilities": [[...]]}, a GET by
what the model takes and returns. What a request does wrong is its error 400. From other deployments, handle.infer.remote(feeds)
takes and returns arrays.
"""
import asyncio
import json
import os
from typing import Any

import numpy
import pydantic
from ray import serve
from ray.serve import Application
from starlette.requests import Request
from starlette.responses import Response

from ..errors import Error
from .measured import Measured


class Settings(pydantic.BaseModel, extra="forbid"):
    """`model` is the path of a library on every node, or a hone.Model from its process; of more than one request at a time
    `max_batch_size` are joined along the first dimension, for which the first waits `batch_wait_timeout_s`."""

    model: Any
    threads: int = 1
    replicas: int = pydantic.Field(1, ge=1)
    max_batch_size: int = pydantic.Field(1, ge=1)
    batch_wait_timeout_s: float = pydantic.Field(0.002, ge=0)


@serve.deployment(max_ongoing_requests=256)
class HoneDeployment:
    def __init__(self, settings: Settings) -> None:
        self._measured = Measured(settings.model, {"threads": settings.threads})
        self._model = self._measured.model
        self._joins = settings.max_batch_size > 1
        firsts = {value.shape[0] if value.shape else None for value in (*self._model.inputs, *self._model.outputs)}
        if self._joins and not (len(firsts) == 1 and isinstance(next(iter(firsts)), str)):
            raise ValueError(f"model {self._model.info.name}: requests cannot be joined, as inputs and outputs do not all have one free dimension first; leave out max_batch_size")
        self._together.set_max_batch_size(settings.max_batch_size)
        self._together.set_batch_wait_timeout_s(settings.batch_wait_timeout_s)

    async def __call__(self, request: Request) -> Response:
        if request.method == "GET":
            return _answer({name: [{"name": value.name, "type": value.type, "shape": value.shape} for value in values] for name, values in (("inputs", self._model.inputs), ("outputs", self._model.outputs))})
        if request.method != "POST":
            return _answer({"error": f"{request.method} is not supported: there are GET and POST"}, 405)
        try:
            results = await self.infer(self._decode(await request.body()))
        except (Error, _RequestError) as error:
            return _answer({"error": str(error)}, 400)
        return _answer({name: _plain(result) for name, result in results.items()})

    async def infer(self, feeds: dict[str, Any]) -> dict[str, Any]:
        """The outputs by name."""
        if not self._joins:
            return await self._measured.run_async(feeds)
        results = await self._together(feeds)
        if isinstance(results, Exception):
            raise results
        return results

    @serve.batch
    async def _together(self, requests: list[dict[str, Any]]) -> list[Any]:
        """Results, or exceptions, of requests: those of the same shapes but for the first dimension are joined."""
        groups: dict[Any, list[int]] = {}
        for number, feeds in enumerate(requests):
            groups.setdefault(_kind(feeds) or number, []).append(number)
        answers: list[Any] = [None] * len(requests)

        async def answer(members: list[int]) -> None:
            for number, results in zip(members, await self._joined([requests[number] for number in members])):
                answers[number] = results

        await asyncio.gather(*map(answer, groups.values()))
        return answers

    async def _joined(self, requests: list[dict[str, Any]]) -> list[Any]:
        if len(requests) == 1:
            try:
                return [await self._measured.run_async(requests[0])]
            except Exception as error:  # this request's own
                return [error]
        try:
            results = await self._measured.run_async({name: numpy.concatenate([feeds[name] for feeds in requests]) for name in requests[0]})
        except Error:  # at least one of them is at fault
            return [answer for feeds in requests for answer in await self._joined([feeds])]
        ends = numpy.cumsum([len(next(iter(feeds.values()))) for feeds in requests])[:-1]
        parts = {name: numpy.split(result, ends) for name, result in results.items()}
        return [{name: parts[name][i] for name in parts} for i in range(len(requests))]

    def _decode(self, body: bytes) -> dict[str, Any]:
        try:
            given = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise _RequestError(f"the request is no JSON: {error}") from None
        if not isinstance(given, dict):
            raise _RequestError("the request is no object with the inputs by name")
        types = {value.name: value.dtype for value in self._model.inputs}
        return {name: _array(name, value, types.get(name)) for name, value in given.items()}


class _RequestError(Exception):
    pass


def _kind(feeds: dict[str, Any]) -> Any:
    """What requests that can be joined have in common; None if this one cannot be joined, or is wrong."""
    if not feeds or any(not isinstance(array, numpy.ndarray) or array.ndim == 0 for array in feeds.values()) or len({len(array) for array in feeds.values()}) > 1:
        return None
    return tuple(sorted((name, array.dtype.str, array.shape[1:]) for name, array in feeds.items()))


def _array(name: str, value: Any, dtype: Any) -> Any:
    """An input of JSON. Unknown ones are left to the model to refuse."""
    try:
        array = numpy.asarray(value)
        if dtype is None or array.dtype == dtype:
            return array
        if array.size and dtype.kind in "iub" and array.dtype.kind not in "iub":
            raise TypeError(f"{array.dtype.name} instead of {dtype.name}")
        return numpy.asarray(value, dtype)
    except (TypeError, ValueError, OverflowError) as error:
        raise _RequestError(f"input '{name}': {error}") from None


def _plain(result: Any) -> Any:
    """An output for JSON, which has no infinity and no NaN: they are null."""
    if result.dtype == object:
        return numpy.vectorize(lambda text: text.decode(errors="replace") if isinstance(text, bytes) else text, otypes=[object])(result).tolist()
    if result.dtype.kind == "f" and not numpy.isfinite(result).all():
        return numpy.where(numpy.isfinite(result), result.astype(object), None).tolist()
    return result.tolist()


def _answer(content: Any, status: int = 200) -> Response:
    return Response(json.dumps(content), status, media_type="application/json")


def app(settings: Settings) -> Application:
    """For `serve run` and serve.run. A path is that from here, on all nodes."""
    if isinstance(settings.model, str):
        settings = settings.model_copy(update={"model": os.path.abspath(settings.model)})
    return HoneDeployment.options(num_replicas=settings.replicas).bind(settings)
