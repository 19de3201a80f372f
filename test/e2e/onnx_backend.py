#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs ONNX's own backend test cases through hone.backend, compiled for --target.

onnx-backend-xfail.txt beside this file lists the cases that do not pass yet. A case
that is not on it and fails is a failure; so are one that is on it and passes, and a
crash or timeout anywhere. --update takes the passing cases off the list.

--way=free frees the dimensions of every case's inputs, and --way=folded makes constants of
the inputs (see ways.py). They run the cases that pass as given; onnx-free-xfail.txt and
onnx-folded-xfail.txt list those that cannot pass that way, each with the rule that says so.
A folded case also fails where the compiler left to the run what it can evaluate. Several cases
are compiled as one model; those of a model that does not pass as a whole run again, each alone.
"""
import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

# One thread for numpy's own libraries: the processes are forked.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy  # noqa: E402, F401
import onnx  # noqa: E402
from onnx.backend.base import Backend  # noqa: E402
from onnx.backend.test.runner import Runner  # noqa: E402

import batches  # noqa: E402
import onnx_cases  # noqa: E402
import ways  # noqa: E402
import workers  # noqa: E402

TARGET = "cpu"
WAY = "given"
BATCH = 24  # cases per model; smaller batches are cheaper to repeat if one of them fails
HEADER = "# ONNX backend test cases that do not pass yet; a case that leaves never returns.\n"


class Found(Exception):
    """Holds the model of a case."""


class CaseBackend(Backend):
    """hone.backend, loaded in the child: the parent forks and must stay small. Other modes than
    to run take down what a case runs, or only find its model."""

    mode = "run"
    recorded = []  # (model, inputs, what the outputs are held against)

    @classmethod
    def supports_device(cls, device):
        return device == "CPU"

    @classmethod
    def prepare(cls, model, device="CPU", **kwargs):
        if cls.mode == "find":
            raise Found(model)
        if cls.mode == "record":
            return Recorder(model)
        if WAY != "given":
            return Way(model)
        import hone.backend

        return hone.backend.prepare(model, device, target=TARGET)

    @staticmethod
    def compare(ref_outputs, outputs, **limits):
        if CaseBackend.mode == "record":
            CaseBackend.recorded[-1] += (dict(ref_outputs=ref_outputs, **limits),)
        else:
            onnx_cases.compare(ref_outputs=ref_outputs, outputs=outputs, **limits)


class Recorder:
    def __init__(self, model):
        self.model = model

    def run(self, inputs):
        CaseBackend.recorded.append((self.model, inputs))
        return []


class Way:
    """A model that is recompiled for the inputs of each run."""

    left = collections.Counter()  # of what runs: operations that the evaluator leaves

    def __init__(self, model):
        self.model = model

    def run(self, inputs):
        return run_models([(self.model, inputs)])[0]


def run_models(runs):
    """The outputs of each (model, inputs), all of them compiled as one model where there are several."""
    import hone.backend

    models, arguments = [], {}
    for i, (model, inputs) in enumerate(runs):
        names = [value.name for value in ways.callers_inputs(model.graph)]
        assert len(inputs) <= len(names), "gives a value for an initial value"
        given = dict(zip(names, inputs))
        if WAY == "folded":
            models.append(ways.with_constants(model, given))
        else:
            models.append(ways.with_free_dims(model))
            prefix = batches.prefix_of(i) if len(runs) > 1 else ""
            arguments.update({prefix + name: value for name, value in given.items()})
    model = batches.merged(models) if len(runs) > 1 else models[0]
    outputs = iter(hone.backend.prepare(model, target=TARGET).run(arguments))
    if WAY == "folded":
        program = pathlib.Path(hone.__file__).parents[2] / "bin/hone"
        with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
            onnx.save(model, file.name)
            graph = subprocess.run([program, "compile", file.name, "--emit=graph"], capture_output=True, text=True, check=True)
        left, amiss = ways.left_by_evaluator(graph.stdout)
        assert not amiss, f"not evaluated: {amiss[0]}"
        Way.left.update(left)
    return [[next(outputs) for _ in model.graph.output] for model in models]


def play(case, mode):
    """Runs a case in a mode of CaseBackend; returns what it recorded."""
    CaseBackend.mode, CaseBackend.recorded = mode, []
    try:
        case[1](unittest.TestCase())
    finally:
        CaseBackend.mode = "run"
    return CaseBackend.recorded


def run_batch(batch):
    """("pass", what is left to the run) of a list of cases, or why one of them does not pass."""
    Way.left.clear()
    if len(batch) == 1:
        verdict, detail = onnx_cases.run_case(batch[0])
    else:
        runs = [run for case in batch for run in play(case, "record")]
        for (_, _, expected), outputs in zip(runs, run_models([run[:2] for run in runs])):
            CaseBackend.compare(outputs=outputs, **expected)
        verdict, detail = "pass", ""
    return verdict, " ".join(sorted(Way.left)) if verdict == "pass" else detail


def key_of(case, listed):
    """What cases of one batch have in common; None for one that stays separate."""
    if case.is_whole or case[0] in listed or onnx_cases.RANDOM.match(case[0]):
        return None
    try:
        play(case, "find")
    except Found as found:
        return batches.key_of(found.args[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="regular expression on case names")
    parser.add_argument("--target", default="cpu", help="as hone compile has it")
    parser.add_argument("--way", default="given", choices=ways.NAMES)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--timeout", type=float, default=180)
    parser.add_argument("--json", help="write every verdict to a file")
    parser.add_argument("--reasons", action="store_true", help="list why listed cases fail, by reason")
    parser.add_argument("--update", action="store_true")
    args = parser.parse_args()
    global TARGET, WAY
    TARGET, WAY = args.target, args.way

    cases, skipped = onnx_cases.collect(CaseBackend, TARGET, args.only, CaseBackend.compare)
    path = onnx_cases.LIST
    together = []
    if WAY != "given":
        listed = workers.read_list(path)
        cases = [case for case in cases if case[0] not in listed]
        path = path.with_name(f"onnx-{WAY}-xfail.txt")
        own = workers.read_list(path)
        together = [batch for batch in batches.split(cases, [key_of(case, own) for case in cases], BATCH) if len(batch) > 1]
    results = {name: workers.Result("skip", reason, 0) for name, reason in skipped.items()}
    # Reports of internal errors land in the folder for temporary files.
    with tempfile.TemporaryDirectory() as tempfile.tempdir:
        broken = []
        for batch, result in workers.run_cases(together, run_batch, args.jobs, 3 * args.timeout):
            if result.verdict == "pass":
                results.update((name, result) for name, _ in batch)
            else:
                broken.append((batch, result))
        alone = [[case] for case in cases if case[0] not in results]
        for ((name, _),), result in workers.run_cases(alone, run_batch, args.jobs, args.timeout):
            results[name] = result
        for batch, result in broken:
            if all(results[name].verdict == "pass" for name, _ in batch):
                results[batch[0][0]] = result._replace(detail=f"passes alone, but not with {', '.join(name for name, _ in batch[1:])}: {result.detail}")
    if args.json:
        rows = {n: r._asdict() for n, r in sorted(results.items())}
        pathlib.Path(args.json).write_text(json.dumps(rows, indent=1))
    if args.reasons:
        reasons = collections.defaultdict(list)
        for name, r in sorted(results.items()):
            if r.verdict not in ("pass", "skip"):
                reasons[f"{r.verdict}: {r.detail[:160]}"].append(name)
        for reason, names in sorted(reasons.items(), key=lambda item: -len(item[1])):
            print(f"{len(names):5} {reason}\n      {', '.join(names[:4])}")
    left = {name for r in results.values() if r.verdict == "pass" for name in r.detail.split()}
    if left:
        print("left to the run:", ", ".join(sorted(left)))
    return workers.judge(results, workers.read_list(path), path, HEADER, args.update)


if __name__ == "__main__":
    sys.exit(main())
