#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles the architectures of the folder HONE_TEST_BENCH and compares with ONNX Runtime.

Its models/ holds graphs whose weights are stripped; its materialize.py fills them with
seeded random ones. A graph with free dimensions runs at several sizes from one library,
each compared with a library that was compiled for that size alone as well.
bench-xfail.txt lists those that do not pass yet.
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
# Other values of each free dimension: larger, odd, the minimum.
OTHER_DIMS = [{"b": 3, "s": 17, "past": 5}, {"b": 2, "s": 128, "past": 33}, {"b": 1, "s": 1, "past": 1}]


def free_dims(graph):
    """Names of the dimensions that the inputs leave free."""
    return {d.dim_param for value in graph.input for d in value.type.tensor_type.shape.dim if d.dim_param}


def random_inputs(graph, sizes):
    rng = np.random.default_rng(0)
    weights = {t.name for t in graph.initializer}
    feeds = {}
    for value in graph.input:
        if value.name in weights:
            continue
        tensor = value.type.tensor_type
        shape = [sizes.get(d.dim_param, 1) if d.dim_param else d.dim_value for d in tensor.shape.dim]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        if dtype == np.bool_ or "mask" in value.name:
            feeds[value.name] = np.ones(shape, dtype)
        elif dtype.kind in "iu":
            feeds[value.name] = rng.integers(0, 129, shape).astype(dtype)
        else:
            feeds[value.name] = rng.standard_normal(shape).astype(dtype)
    return feeds


def differences(want, got):
    """The first output that differs, and how."""
    return next((f"output {name}: {amiss}" for name in want if (amiss := difference(want[name], got[name]))), "")


def run_case(path):
    import hone
    import onnxruntime

    with tempfile.TemporaryDirectory() as scratch:
        filled = os.path.join(scratch, path.name)
        subprocess.run([sys.executable, str(path.parent.parent / "materialize.py"), str(path), filled], check=True)
        graph = onnx.load(filled, load_external_data=False).graph
        names = free_dims(graph)
        session = onnxruntime.InferenceSession(filled, providers=["CPUExecutionProvider"])
        outputs = [value.name for value in session.get_outputs()]
        try:
            model = hone.compile(filled)
            for sizes in [FREE_DIMS, *(OTHER_DIMS if names else [])]:
                feeds = random_inputs(graph, sizes)
                got = model.run(feeds)
                amiss = differences(dict(zip(outputs, session.run(outputs, feeds))), got)
                if not amiss and names:
                    fixed = hone.compile(filled, dims={name: sizes.get(name, 1) for name in names})
                    amiss = differences(fixed.run(feeds), got)
                if amiss:
                    return "wrong", f"{sizes if names else ''} {amiss}".lstrip()
        except hone.CompileError as e:
            return "compile", str(e)[:300]
        except hone.RunError as e:
            return "run", str(e)[:300]
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
