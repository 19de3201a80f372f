#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles the architectures of the folder HONE_TEST_BENCH and compares with ONNX Runtime.

Its models/ holds graphs whose weights are stripped; its materialize.py fills them with
seeded random ones. bench-xfail.txt lists those that do not pass yet.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx

import workers
from closeness import difference

HERE = pathlib.Path(__file__).resolve().parent
LIST = HERE / "bench-xfail.txt"
HEADER = "# Architectures that do not pass yet; one that leaves never returns.\n"
FREE_DIMS = {"b": 1, "s": 64, "past": 128}


def random_inputs(path):
    rng = np.random.default_rng(0)
    graph = onnx.load(path, load_external_data=False).graph
    weights = {t.name for t in graph.initializer}
    feeds = {}
    for value in graph.input:
        if value.name in weights:
            continue
        tensor = value.type.tensor_type
        shape = [d.dim_value or FREE_DIMS.get(d.dim_param, 1) for d in tensor.shape.dim]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        if dtype == np.bool_ or "mask" in value.name:
            feeds[value.name] = np.ones(shape, dtype)
        elif dtype.kind in "iu":
            feeds[value.name] = rng.integers(0, 129, shape).astype(dtype)
        else:
            feeds[value.name] = rng.standard_normal(shape).astype(dtype)
    return feeds


def run_case(path):
    import hone
    import onnxruntime

    with tempfile.TemporaryDirectory() as scratch:
        filled = os.path.join(scratch, path.name)
        subprocess.run([sys.executable, str(path.parent.parent / "materialize.py"), str(path), filled], check=True)
        feeds = random_inputs(filled)
        try:
            got = hone.compile(filled).run(feeds)
        except hone.CompileError as e:
            return "compile", str(e)[:300]
        except hone.RunError as e:
            return "run", str(e)[:300]
        session = onnxruntime.InferenceSession(filled, providers=["CPUExecutionProvider"])
        names = [value.name for value in session.get_outputs()]
        for name, want in zip(names, session.run(names, feeds)):
            amiss = difference(want, got[name])
            if amiss:
                return "wrong", f"output {name}: {amiss}"
    return "pass", ""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="part of a graph's name")
    parser.add_argument("--timeout", type=float, default=240)
    parser.add_argument("--update", action="store_true")
    args = parser.parse_args()
    root = pathlib.Path(os.environ["HONE_TEST_BENCH"])
    graphs = [p for p in sorted((root / "models").glob("*.onnx")) if args.only in p.name]
    results = {}
    for path, result in workers.run_cases(graphs, run_case, 1, args.timeout, reuse=1):
        results[path.name] = result
    return workers.judge(results, workers.read_list(LIST), LIST, HEADER, args.update)


if __name__ == "__main__":
    sys.exit(main())
