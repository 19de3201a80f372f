#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs ONNX's own backend test cases through hone.backend, compiled for --target.

onnx-backend-xfail.txt beside this file lists the cases that do not pass yet, and
onnx-backend-TARGET-xfail.txt those that another target than the CPU adds. A case
that is not on it and fails is a failure; so are one that is on it and passes, and a
crash or timeout anywhere. --update takes the passing cases off the list.
"""
import argparse
import collections
import json
import os
import pathlib
import sys
import tempfile

# One thread for numpy's own libraries: the processes are forked.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy  # noqa: E402, F401
from onnx.backend.base import Backend  # noqa: E402

import onnx_cases  # noqa: E402
import workers  # noqa: E402

LIST = onnx_cases.LIST
TARGET = "cpu"
HEADER = "# ONNX backend test cases that do not pass yet; a case that leaves never returns.\n"


class LazyBackend(Backend):
    """hone.backend, loaded in the child: the parent forks and must stay small."""

    @classmethod
    def supports_device(cls, device):
        return device == "CPU"

    @classmethod
    def prepare(cls, model, device="CPU", **kwargs):
        import hone.backend

        return hone.backend.prepare(model, device, target=TARGET)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="regular expression on case names")
    parser.add_argument("--target", default="cpu", help="as hone compile has it")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--timeout", type=float, default=180)
    parser.add_argument("--json", help="write every verdict to a file")
    parser.add_argument("--reasons", action="store_true", help="list why listed cases fail, by reason")
    parser.add_argument("--update", action="store_true")
    args = parser.parse_args()
    global TARGET
    TARGET = args.target

    cases, skipped = onnx_cases.collect(LazyBackend, TARGET, args.only)
    results = {name: workers.Result("skip", reason, 0) for name, reason in skipped.items()}
    # Reports of internal errors land in the folder for temporary files.
    with tempfile.TemporaryDirectory() as tempfile.tempdir:
        for (name, _), result in workers.run_cases(cases, onnx_cases.run_case, args.jobs, args.timeout):
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
    return workers.judge(results, workers.read_list(LIST), LIST, HEADER, args.update)


if __name__ == "__main__":
    sys.exit(main())
