# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What profiling a model tells."""
from __future__ import annotations

import json
from typing import Any, NamedTuple

class Step(NamedTuple):
    """What one run spends in a step, on average. `kind` is kernel, library or copy; `nodes` are the names of the ONNX nodes
    that it comes from and `ops` their operators. `launches`, `seconds`, `flop` and `bytes` are of one run, `min_seconds` of
    the shortest launch; `share` is of the run's time. `flop` counts what the model asks for, a multiply-add as two, and is
    None where it is not known, as `bytes` is: read and written, each operand once. `bound` is "compute" or "memory",
    whichever limits more, and `of_bound` the share of the machine's peak that was reached: above 1 where data came from
    caches, or where elements are narrower than f32. None on a device."""

    name: str
    kind: str
    nodes: tuple[str, ...]
    ops: tuple[str, ...]
    launches: float
    seconds: float
    min_seconds: float
    share: float
    flop: float | None
    bytes: float | None
    bound: str | None
    of_bound: float | None


class Peak(NamedTuple):
    """What the machine was measured to do: multiply-adds of f32 in vectors of so many bits, and reading from memory, by so
    many threads together."""

    flop_per_second: float
    bytes_per_second: float
    threads: int
    vector_bits: int


class Profile:
    """Where the time of runs goes: `steps`, the longest first; `runs`, how many there were, and the `seconds` of one;
    `peak`, which is None on a device."""

    runs: int
    seconds: float
    peak: Peak | None
    steps: list[Step]

    def __init__(self, measured: dict[str, Any]) -> None:
        self.runs = measured["runs"]
        self.seconds = measured["seconds"] / self.runs
        self.peak = Peak(*measured["peak"]) if measured["peak"] else None
        self._threads = measured["threads"]
        self._events = measured["events"]
        self._steps = {number: self._step(*rest) for number, *rest in measured["steps"]}
        self.steps = sorted(self._steps.values(), key=lambda step: -step.seconds)

    def _step(self, name, kind, nodes, ops, launches, seconds, least, flop, moved, bound, bound_seconds) -> Step:
        def of_run(total):
            return None if total is None else total / self.runs

        of_bound = bound_seconds / seconds if bound and seconds else None
        return Step(name, kind, nodes, ops, of_run(launches), of_run(seconds), least, of_run(seconds) / self.seconds, of_run(flop), of_run(moved), bound, of_bound)

    def __repr__(self) -> str:
        return f"<hone.Profile of {self.runs} runs of {self.seconds * 1e3:.4f} ms in {len(self.steps)} steps>"

    def __str__(self) -> str:
        lines = [repr(self)[1:-1], f"{'ms':>10} {'share':>7}  of the peak    step and nodes"]
        for step in self.steps:
            reached = f"{step.of_bound:4.0%} {step.bound}" if step.bound else ""
            lines.append(f"{step.seconds * 1e3:10.4f} {step.share:7.1%}  {reached:<13}  {step.name}: {', '.join(step.nodes)}")
        return "\n".join(lines)

    def _write_trace(self, path: str) -> None:
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
