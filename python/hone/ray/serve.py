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
    """`model` is the path of a library on every node, or a hone.Model. With a `max_batch_size` above 1 there is one run at a
    time, which joins that many of the requests that have come during the one before, along the first dimension."""

    model: Any
    threads: int = 1
    replicas: int = pydantic.Field(1, ge=1)
    max_batch_size: int = pydantic.Field(1, ge=1)


@serve.deployment(max_ongoing_requests=256)
class HoneDeployment:
    def __init__(self, settings: Settings) -> None:
        self._measured = Measured(settings.model, {"threads": settings.threads})
        self._model = self._measured.model
        self._most = settings.max_batch_size
        self._waiting: list[tuple[dict[str, Any], asyncio.Future[Any]]] = []
        self._runner: asyncio.Task[None] | None = None
        firsts = {value.shape[0] if value.shape else None for value in (*self._model.inputs, *self._model.outputs)}
        if self._most > 1 and not (len(firsts) == 1 and isinstance(next(iter(firsts)), str)):
            raise ValueError(f"model {self._model.info.name}: requests cannot be joined, as inputs and outputs do not all have one free dimension first; leave out max_batch_size")

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
        if self._most == 1:
            return await self._measured.run_async(feeds)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append((feeds, answer))
        if self._runner is None:
            self._runner = asyncio.create_task(self._run_waiting())
        return await answer

    # Ray's serve.batch closes batches while another runs, and keeps them waiting.
    async def _run_waiting(self) -> None:
        """Runs the requests that wait, those of the same shapes but for the first dimension together."""
        try:
            while self._waiting:
                taken, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                groups: dict[Any, list[tuple[dict[str, Any], asyncio.Future[Any]]]] = {}
                for number, (feeds, answer) in enumerate(taken):
                    if not answer.done():  # its client has gone
                        groups.setdefault(_kind(feeds) or number, []).append((feeds, answer))
                for group in groups.values():
                    for (_, answer), results in zip(group, await self._joined([feeds for feeds, _ in group])):
                        if answer.done():
                            continue
                        if isinstance(results, Exception):
                            answer.set_exception(results)
                        else:
                            answer.set_result(results)
        finally:
            self._runner = None

    async def _joined(self, requests: list[dict[str, Any]]) -> list[Any]:
        if len(requests) == 1:
            try:
                return [await self._measured.run_async(requests[0])]
            except Exception as error:  # this request's own
                return [error]
        try:
            results = await self._measured.run_async({name: numpy.concatenate([feeds[name] for feeds in requests]) for name in requests[0]})
        except Exception:  # at least one of them is at fault
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
    if not isinstance(feeds, dict) or not feeds or any(not isinstance(array, numpy.ndarray) or array.ndim == 0 for array in feeds.values()) or len({len(array) for array in feeds.values()}) > 1:
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
