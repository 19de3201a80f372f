#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles the real models of the folder HONE_TEST_MODELS and compares with their
reference outputs.

The folder holds models.json (entries `name`, `path`, `family`, `expect`) and one folder
per model: model.onnx and any number of *data_set_* folders of input_N.pb and
output_N.pb. One without data must give the same twice. In the family `robustness`,
`expect` says what is odd about a model: with "reject" it must be refused with a clean
error, with "accept" it must compile but refuse two sizes for one free dimension, and
otherwise it may be refused or run right.
models-xfail.txt lists those that do not pass yet, as in onnx_backend.py.
"""
import argparse
import json
import os
import pathlib
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np  # noqa: E402
import onnx  # noqa: E402
from onnx import numpy_helper  # noqa: E402

import workers  # noqa: E402
from closeness import difference  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
LIST = HERE / "models-xfail.txt"
TARGET = "cpu"
HEADER = "# Real models that do not pass yet; one that leaves never returns.\n"


def read(path, value_type):
    """The value in a .pb file."""
    protos = {
        "sequence_type": (onnx.SequenceProto, numpy_helper.to_list),
        "optional_type": (onnx.OptionalProto, numpy_helper.to_optional),
    }
    proto, convert = protos.get(value_type.WhichOneof("value"), (onnx.TensorProto, numpy_helper.to_array))
    message = proto()
    message.ParseFromString(path.read_bytes())
    return convert(message)


def read_cases(root):
    """The entries of models.json, with whole paths."""
    cases = json.loads((root / "models.json").read_text())["models"]
    return [dict(case, path=str(root / case["path"])) for case in cases]


def random_input(value, rng, free=1):
    tensor = value.type.tensor_type
    dims = [d.dim_value or free for d in tensor.shape.dim]
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
    if dtype.kind in "biu":
        return np.ones(dims, dtype)
    if dtype.kind == "O":
        return np.full(dims, "a", object)
    return rng.standard_normal(dims).astype(dtype)


def graph_inputs(graph):
    """The inputs that a caller gives: all but those with an initial value."""
    weights = {t.name for t in graph.initializer} | {t.values.name for t in graph.sparse_initializer}
    return [v for v in graph.input if v.name not in weights]


def is_loose(case, graph):
    """Quantized models may be a step off."""
    return case["family"] == "quantized" or any(t.data_type in (2, 3) for t in graph.initializer)


def data_sets(graph, folder):
    """The data sets in a model's folder: (name, {input: value}, {output: value})."""
    for data in sorted(folder.glob("*data_set_*")):
        feeds = {}
        for i, value in enumerate(graph_inputs(graph)):
            path = data / f"input_{i}.pb"
            if not path.exists():
                continue
            x = read(path, value.type)
            rank = len(value.type.tensor_type.shape.dim)
            # Some old data sets leave out leading dimensions of 1.
            if isinstance(x, np.ndarray) and x.ndim < rank:
                x = x.reshape((1,) * (rank - x.ndim) + x.shape)
            feeds[value.name] = x
        paths = {v.name: (data / f"output_{i}.pb", v.type) for i, v in enumerate(graph.output)}
        yield data.name, feeds, {name: read(path, kind) for name, (path, kind) in paths.items() if path.exists()}


def run_with_data(model, sets, loose):
    """Runs each data set; the first difference, or an empty string."""
    for folder, feeds, wants in sets:
        got = model.run(feeds)
        for name, want in wants.items():
            amiss = difference(want, got.get(name), loose)
            if amiss:
                return f"{folder}, output {name}: {amiss}"
    return ""


def run_case(case):
    import hone

    path, expect = pathlib.Path(case["path"]), case.get("expect") or ""
    refusable = case["family"] == "robustness" and not expect.startswith("accept")
    try:
        model = hone.compile(path / "model.onnx", target=TARGET)
    except hone.CompileError as e:
        return ("pass", "") if refusable and str(e) else ("compile", str(e)[:300])
    proto = onnx.load(path / "model.onnx", load_external_data=False)
    graph = proto.graph
    inputs, loose = graph_inputs(graph), is_loose(case, graph)
    sets = list(data_sets(graph, path))
    if case["family"] == "robustness" and expect.startswith("accept"):
        rng = np.random.default_rng(0)
        try:
            model.run({v.name: random_input(v, rng, 6 + 6 * k) for k, v in enumerate(inputs)})
        except hone.RunError:
            return "pass", ""
        return "wrong", "took two sizes for one free dimension"
    try:
        amiss = run_with_data(model, sets, loose)
        if not sets and all(v.type.WhichOneof("value") == "tensor_type" for v in inputs):
            runs = []
            for _ in range(2):
                rng = np.random.default_rng(0)
                runs.append(model.run({v.name: random_input(v, rng) for v in inputs}))
            for name, first in runs[0].items():
                if isinstance(first, np.ndarray) and first.tobytes() != runs[1][name].tobytes() and first.dtype.kind != "O":
                    amiss = f"{name} differs from run to run"
    except hone.RunError as e:
        return ("pass", "") if refusable and str(e) else ("run", str(e)[:300])
    if not amiss and case["family"] == "robustness" and expect.startswith("reject"):
        return "wrong", f"accepted, expected: {expect}"
    return ("wrong", amiss) if amiss else ("pass", "")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="parts of models' names, separated by commas")
    parser.add_argument("--target", default="cpu", help="as hone compile has it")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=120)
    parser.add_argument("--update", action="store_true")
    args = parser.parse_args()
    global TARGET
    TARGET = args.target
    root = pathlib.Path(os.environ["HONE_TEST_MODELS"])
    cases = [c for c in read_cases(root) if any(part in c["name"] for part in args.only.split(","))]
    results = {}
    for case, result in workers.run_cases(cases, run_case, args.jobs, args.timeout, reuse=1):
        results[case["name"]] = result
    return workers.judge(results, workers.read_list(LIST), LIST, HEADER, args.update)


if __name__ == "__main__":
    sys.exit(main())
