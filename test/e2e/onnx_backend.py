#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs ONNX's own backend test cases through hone.backend, compiled for --target.

onnx-backend-xfail.txt beside this file lists the cases that do not pass yet. A case
that is not on it and fails is a failure; so are one that is on it and passes, and a
crash or timeout anywhere. --update takes the passing cases off the list.

--way=free frees the dimensions of every case's inputs, and --way=folded makes constants of
the inputs (see ways.py). They run the cases that pass as given; onnx-free-xfail.txt and
onnx-folded-xfail.txt list those that cannot pass that way, each with the rule that says so.
A folded case also fails where the compiler left to the run what it can evaluate.
"""
import argparse
import collections
import json
import os
import pathlib
import subprocess
import sys
import tempfile

# One thread for numpy's own libraries: the processes are forked.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy  # noqa: E402, F401
import onnx  # noqa: E402
from onnx.backend.base import Backend  # noqa: E402

import onnx_cases  # noqa: E402
import ways  # noqa: E402
import workers  # noqa: E402

TARGET = "cpu"
WAY = "given"
HEADER = "# ONNX backend test cases that do not pass yet; a case that leaves never returns.\n"


class LazyBackend(Backend):
    """hone.backend, loaded in the child: the parent forks and must stay small."""

    @classmethod
    def supports_device(cls, device):
        return device == "CPU"

    @classmethod
    def prepare(cls, model, device="CPU", **kwargs):
        import hone.backend

        if WAY == "folded":
            return FoldedModel(model, device)
        if WAY == "free":
            model = ways.with_free_dims(model)
        return hone.backend.prepare(model, device, target=TARGET)


class FoldedModel:
    """A model that is compiled anew for the values of each run."""

    left = collections.Counter()  # of the case that runs: operations that the evaluator leaves

    def __init__(self, model, device):
        self.model, self.device = model, device

    def run(self, inputs):
        import hone.backend

        names = [value.name for value in ways.callers_inputs(self.model.graph)]
        model = ways.with_constants(self.model, dict(zip(names, inputs)))
        outputs = hone.backend.prepare(model, self.device, target=TARGET).run({})
        program = pathlib.Path(hone.__file__).parents[2] / "bin/hone"
        with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
            onnx.save(model, file.name)
            graph = subprocess.run([program, "compile", file.name, "--emit=graph"], capture_output=True, text=True, check=True)
        left, amiss = ways.left_by_evaluator(graph.stdout)
        assert not amiss, f"not evaluated: {amiss[0]}"
        FoldedModel.left.update(left)
        return outputs


def run_case(item):
    FoldedModel.left.clear()
    verdict, detail = onnx_cases.run_case(item)
    return verdict, " ".join(sorted(FoldedModel.left)) if verdict == "pass" else detail


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

    cases, skipped = onnx_cases.collect(LazyBackend, TARGET, args.only)
    path = onnx_cases.LIST
    if WAY != "given":
        listed = workers.read_list(path)
        cases = [case for case in cases if case[0] not in listed]
        path = path.with_name(f"onnx-{WAY}-xfail.txt")
    results = {name: workers.Result("skip", reason, 0) for name, reason in skipped.items()}
    # Reports of internal errors land in the folder for temporary files.
    with tempfile.TemporaryDirectory() as tempfile.tempdir:
        for (name, _), result in workers.run_cases(cases, run_case, args.jobs, args.timeout):
            results[name] = result
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
    left = collections.Counter(name for r in results.values() if r.verdict == "pass" for name in r.detail.split())
    if left:
        print("left to the run:", ", ".join(f"{name} in {count}" for name, count in sorted(left.items())), "cases")
    return workers.judge(results, workers.read_list(path), path, HEADER, args.update)


if __name__ == "__main__":
    sys.exit(main())
