# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A model whose runs are in Ray's metrics."""
from __future__ import annotations

import time
from typing import Any

from ray.util.metrics import Gauge, Histogram

from ..model import Model, load

_BUCKETS = [digit * 10.0**power for power in range(-5, 1) for digit in (1, 2, 5)]


class Measured:
    """`model` is a Model, or the path of a library that is opened here with the options of hone.load."""

    def __init__(self, model: Model | str, options: dict[str, Any]) -> None:
        self.model = model if isinstance(model, Model) else load(model, **options)
        tags = {"model": self.model.info.name}
        self._seconds = Histogram("hone_run_seconds", "Time of a run, in seconds", boundaries=_BUCKETS, tag_keys=("model",)).set_default_tags(tags)
        self._arena = Gauge("hone_arena_bytes", "Bytes of a run for intermediate values", tag_keys=("model",)).set_default_tags(tags)
        for value in (*self.model.inputs, *self.model.outputs):
            if value.kind != "tensor" or value.dtype is None:
                raise ValueError(f"model {self.model.info.name}: '{value.name}' is a {value.kind} of {value.type}, and only tensors of numpy's types can be passed here")

    def run(self, feeds: dict[str, Any]) -> dict[str, Any]:
        start = time.perf_counter()
        results = self.model.run(feeds)
        self._count(start)
        return results

    async def run_async(self, feeds: dict[str, Any]) -> dict[str, Any]:
        start = time.perf_counter()
        results = await self.model.run_async(feeds)
        self._count(start)
        return results

    def _count(self, start: float) -> None:
        self._seconds.observe(time.perf_counter() - start)
        self._arena.set(self.model.stats()["arena_bytes"])
