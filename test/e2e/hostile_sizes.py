#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Sizes that make no sense, for every operator whose result's size follows from other
sizes or from data.

Each case is a model with free dimensions or sizes from data, compiled once and called
with sizes that are negative, huge, or multiply to a number beyond 64 bits. A call may
give the right result, where that is small, or end with an error that names the node. It
may not crash, hang, or end with an internal error, and a good call after each bad one
must still give the first one's bits.
"""
import argparse
import itertools
import os
import re
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np  # noqa: E402
import onnx  # noqa: E402
import onnx.reference  # noqa: E402
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

import hone  # noqa: E402
import workers  # noqa: E402

TARGET = "cpu"
# Values of a size from data.
NUMBERS = [0, 1, 2, 3, -1, -2, -5, 2**31 - 1, 2**31, 2**32, 2**61, 2**62, 2**63 - 1, -(2**62), -(2**63), -(2**63) + 1]
# Pairs whose product or sum is a small number of 64 bits.
PAIRS = [(2**32, 2**32), (2**62, 4), (2**63 - 1, 2**63 - 1), (2**61 + 1, 8), (-1, -1), (-3, -2), (2**33, 2**31), (-(2**63), -1),
         (-(2**63), 2), (2**63 - 1, 0), (0, 2**63 - 1), (0, -1)]
# Values of a free dimension, if another one is 0 (there are no data then).
HUGE = [2**31, 2**40, 2**60, 2**62, 2**63 - 1]
# Results of more elements are not computed a second time.
SMALL = 1 << 16
NAME = "the-node"
LIMIT = 2 << 30
# Where the reference differs from ONNX Runtime as well.
UNLIKE = {"AveragePool-ceil", "LpPool-ceil", "HannWindow"}


class Case:
    """One node. `inputs` are good values by name; `data` names those whose elements are sizes, `constants` those that the
    model holds; the others have free dimensions."""

    def __init__(self, op, inputs, data=(), constants=(), opset=21, outputs=1, label="", fixed=(), **attributes):
        self.name = f"{op}{'-' + label if label else ''}"
        self.op, self.inputs, self.data, self.opset = op, dict(inputs), data, opset
        self.constants, self.fixed = constants, fixed
        node = helper.make_node(op, list(inputs), [f"y{i}" for i in range(outputs)], name=NAME, **attributes)
        values, held = [], []
        for name, value in self.inputs.items():
            if name in constants:
                held.append(numpy_helper.from_array(value, name))
                continue
            static = name in data or name in fixed
            dims = value.shape if static else [f"{name}{i}" for i in range(value.ndim)]
            values.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), dims))
        results = [onnx.ValueInfoProto(name=name) for name in node.output]
        if op == "SplitToSequence":
            results = [helper.make_tensor_sequence_value_info("y0", TensorProto.FLOAT, None)]
        graph = helper.make_graph([node], "g", values, results, held)
        self.model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)

    def calls(self):
        """Hostile inputs, each as a dictionary."""
        free = [n for n in self.inputs if n not in self.data and n not in self.constants and n not in self.fixed]
        for name in self.data:
            good = self.inputs[name]
            if good.dtype.kind == "f":
                numbers, pairs = [0.0, -1.0, 1e10, 1e30, float("inf"), float("nan"), 65536.0], []
            else:
                limits = np.iinfo(good.dtype)
                numbers = [v for v in NUMBERS if limits.min <= v <= limits.max]
                pairs = [p for p in PAIRS if all(limits.min <= v <= limits.max for v in p)]
            for i, number in itertools.product(range(good.size), numbers):
                bad = good.copy()
                bad.flat[i] = number
                yield {**self.inputs, name: bad}
            for number in numbers:
                yield {**self.inputs, name: np.full_like(good, number)}
            for (i, j), pair in itertools.product(itertools.combinations(range(good.size), 2), pairs):
                bad = good.copy()
                bad.flat[i], bad.flat[j] = pair
                yield {**self.inputs, name: bad}
        for name in free:
            good = self.inputs[name]
            for axis, size in itertools.product(range(good.ndim), (0, 1, 2, 3, 7)):
                yield {**self.inputs, name: np.resize(good, good.shape[:axis] + (size,) + good.shape[axis + 1:])}
            for size in (0, 1, 2):
                yield {**self.inputs, name: np.resize(good, (size,) * good.ndim)}
            for (a, b), size in itertools.product(itertools.permutations(range(good.ndim), 2), HUGE):
                shape = list(good.shape)
                shape[a], shape[b] = 0, size
                try:
                    yield {**self.inputs, name: np.lib.stride_tricks.as_strided(np.empty(0, good.dtype), shape, [0] * good.ndim)}
                except (ValueError, MemoryError):
                    pass  # numpy has no such array


def f32(*shape):
    return np.arange(int(np.prod(shape)), dtype=np.float32).reshape(shape) / 8 - 1


def i64(*values):
    return np.array(values, np.int64)


def cases():
    image = f32(1, 2, 7, 8)
    pool = dict(kernel_shape=[3, 5])
    yield Case("Conv", dict(x=image, w=f32(3, 2, 5, 5)), constants=("w",))
    yield Case("Conv", dict(x=image, w=f32(3, 2, 3, 3)), constants=("w",), label="dilated", dilations=[2, 3], strides=[2, 1])
    yield Case("Conv", dict(x=image, w=f32(2, 1, 5, 5)), constants=("w",), label="depthwise", group=2)
    yield Case("Conv", dict(x=image, w=f32(3, 2, 3, 3)), constants=("w",), label="pads", pads=[-2, 1, -1, 1])
    yield Case("Conv", dict(x=f32(1, 2, 9), w=f32(3, 2, 5)), constants=("w",), label="1d")
    yield Case("ConvInteger", dict(x=np.ones((1, 2, 7, 8), np.uint8), w=np.ones((3, 2, 5, 5), np.uint8)), constants=("w",))
    yield Case("ConvTranspose", dict(x=image, w=f32(2, 3, 3, 3)), constants=("w",), strides=[2, 3], pads=[4, 1, 4, 1])
    for op in ("MaxPool", "AveragePool", "LpPool"):
        yield Case(op, dict(x=image), **pool)
        yield Case(op, dict(x=image), label="ceil", ceil_mode=1, strides=[2, 3], **pool)
    yield Case("GlobalAveragePool", dict(x=image))
    yield Case("GlobalMaxPool", dict(x=image))
    for mode in ("constant", "reflect", "edge", "wrap"):
        yield Case("Pad", dict(x=f32(3, 4), p=i64(1, 0, 1, 2)), data=("p",), label=mode, mode=mode)
    yield Case("Pad", dict(x=f32(7, 8), p=i64(-3, 0, -3, 1)), constants=("p",), label="negative")
    yield Case("ConstantOfShape", dict(s=i64(2, 3)), data=("s",))
    yield Case("Tile", dict(x=f32(4, 3), r=i64(2, 3)), data=("r",))
    for kind in (np.int64, np.int32, np.float32):
        yield Case("Range", {n: np.array(v, kind) for n, v in (("a", 0), ("b", 10), ("c", 3))}, data=("a", "b", "c"), label=np.dtype(kind).name)
    yield Case("Expand", dict(x=f32(3, 1), s=i64(2, 3, 4)), data=("s",))
    yield Case("OneHot", dict(i=i64(0, 2, 1), d=i64(4), v=f32(2)), data=("d",), constants=("v",))
    yield Case("Reshape", dict(x=f32(4, 6), s=i64(3, 8)), data=("s",))
    yield Case("Reshape", dict(x=f32(4, 6), s=i64(3, -1)), constants=("s",), label="inferred")
    yield Case("Reshape", dict(x=f32(4, 6), s=i64(3, 8)), data=("s",), label="allowzero", allowzero=1)
    yield Case("Slice", dict(x=f32(5, 6), a=i64(1, 0), b=i64(4, 5)), data=("a", "b"))
    yield Case("Slice", dict(x=f32(5, 6), a=i64(1, 0), b=i64(4, 5), c=i64(0, 1), d=i64(1, 2)), data=("a", "b", "c", "d"), label="steps")
    yield Case("Slice", dict(x=f32(5, 6), a=i64(4), b=i64(0), c=i64(0), d=i64(-2)), data=("a", "b"), constants=("c", "d"), label="back")
    yield Case("Split", dict(x=f32(6, 2), s=i64(2, 4)), data=("s",), outputs=2)
    yield Case("Split", dict(x=f32(6, 2), s=i64(2, 4)), constants=("s",), outputs=2, label="constant")
    yield Case("Split", dict(x=f32(6, 2)), outputs=4, label="equal", num_outputs=4)
    yield Case("SplitToSequence", dict(x=f32(6, 2), s=i64(2, 4)), data=("s",))
    yield Case("SplitToSequence", dict(x=f32(6, 2)), label="ones")
    for mode in ("nearest", "linear", "cubic"):
        sizes = dict(x=f32(1, 1, 3, 4), r=np.zeros(0, np.float32), c=np.zeros(0, np.float32), s=i64(1, 1, 5, 6))
        yield Case("Resize", sizes, data=("s",), constants=("r", "c"), label=f"sizes-{mode}", mode=mode)
    scales = dict(x=f32(1, 1, 3, 4), r=np.zeros(0, np.float32), c=np.array([1, 1, 2, 1.5], np.float32))
    yield Case("Resize", scales, data=("c",), constants=("r",), label="scales")
    yield Case("CenterCropPad", dict(x=f32(5, 6), s=i64(3, 8)), data=("s",))
    yield Case("AffineGrid", dict(t=f32(2, 2, 3), s=i64(2, 1, 3, 4)), data=("s",))
    yield Case("Col2Im", dict(x=f32(1, 5, 5), i=i64(5, 5), b=i64(1, 5)), data=("i", "b"))
    yield Case("STFT", dict(x=f32(1, 16, 1), s=np.array(4, np.int64), w=f32(8)), data=("s",))
    yield Case("STFT", dict(x=f32(1, 16, 1), s=np.array(4, np.int64), w=f32(8), l=np.array(8, np.int64)), data=("s", "l"), label="length")
    yield Case("DFT", dict(x=f32(1, 8, 1), l=np.array(8, np.int64)), data=("l",))
    yield Case("HannWindow", dict(n=np.array(8, np.int64)), data=("n",))
    mel = {n: np.array(v, k) for n, v, k in (("b", 4, np.int64), ("l", 16, np.int64), ("r", 8192, np.int64), ("f", 0, np.float32), ("h", 4000, np.float32))}
    yield Case("MelWeightMatrix", mel, data=("b", "l", "r", "f", "h"))
    unpool = dict(x=np.ones((1, 1, 2, 2), np.float32), i=i64(5, 7, 13, 15).reshape(1, 1, 2, 2), s=i64(1, 1, 4, 4))
    yield Case("MaxUnpool", unpool, data=("s",), kernel_shape=[2, 2], strides=[2, 2])
    yield Case("TopK", dict(x=f32(3, 5), k=i64(2)), data=("k",), outputs=2)
    yield Case("Trilu", dict(x=f32(4, 5), k=np.array(1, np.int64)), data=("k",))
    yield Case("EyeLike", dict(x=f32(3, 4)))
    yield Case("Gather", dict(x=f32(4, 5), i=i64(0, 3)), data=("i",))
    yield Case("GatherND", dict(x=f32(4, 5), i=i64(0, 3).reshape(1, 2)), data=("i",))
    yield Case("ScatterND", dict(x=f32(4, 5), i=i64(0, 3).reshape(1, 2), u=f32(1)), data=("i",), fixed=("u",))
    yield Case("ScatterElements", dict(x=f32(4, 5), i=i64(0, 3).reshape(1, 2), u=f32(1, 2)), data=("i",), fixed=("u",))
    yield Case("TensorScatter", dict(x=f32(2, 6, 3), u=f32(2, 2, 3), i=i64(0, 4)), data=("i",), opset=24)
    yield Case("ReverseSequence", dict(x=f32(4, 2), l=i64(3, 1)), data=("l",))
    yield Case("CumSum", dict(x=f32(4, 2), a=np.array(0, np.int64)), constants=("a",))
    for op in ("Transpose", "Softmax", "LogSoftmax", "Hardmax", "LpNormalization", "ArgMax", "ReduceMean", "ReduceMax", "ReduceLogSumExp",
               "ReduceL2", "Relu", "NonZero", "Shape", "Size", "Flatten", "Compress"):
        more = dict(c=np.ones(2, bool)) if op == "Compress" else {}
        yield Case(op, dict(x=f32(3, 4), **more), fixed=tuple(more))
    yield Case("ReduceSum", dict(x=f32(3, 4), a=i64(0)), constants=("a",), label="rows")
    yield Case("ReduceSum", dict(x=f32(3, 4), a=i64(1)), constants=("a",), label="columns")
    yield Case("LayerNormalization", dict(x=f32(3, 4), s=f32(4)))
    yield Case("InstanceNormalization", dict(x=f32(1, 2, 4), s=f32(2), b=f32(2)), constants=("s", "b"))
    yield Case("MatMul", dict(a=f32(3, 4), b=f32(4, 5)))
    yield Case("Gemm", dict(a=f32(3, 4), b=f32(4, 5), c=f32(5)), constants=("c",))
    yield Case("Concat", dict(a=f32(3, 4), b=f32(3, 2)), axis=1)
    yield Case("Add", dict(a=f32(3, 4), b=f32(3, 1)))
    yield Case("Einsum", dict(a=f32(3, 4), b=f32(4, 5)), equation="ij,jk->ik")
    yield Case("DepthToSpace", dict(x=f32(1, 8, 2, 3)), blocksize=2)
    yield Case("SpaceToDepth", dict(x=f32(1, 2, 4, 6)), blocksize=2)
    grid = np.linspace(-1, 1, 2 * 3 * 2, dtype=np.float32).reshape(1, 2, 3, 2)
    yield Case("GridSample", dict(x=f32(1, 1, 4, 4), g=grid), fixed=("g",))
    rois = dict(x=f32(1, 1, 6, 6), r=np.array([[0, 0, 4, 4]], np.float32), b=i64(0))
    for mode in ("avg", "max"):
        yield Case("RoiAlign", rois, data=("r",), fixed=("b",), label=mode, mode=mode, output_height=2, output_width=2)
    boxes = dict(b=np.array([[[0, 0, 1, 1], [0, 0, 1, 0.9]]], np.float32), s=np.array([[[0.9, 0.8]]], np.float32), m=i64(3))
    yield Case("NonMaxSuppression", boxes, data=("m",))


def same(a, b):
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(same, a, b))
    return a.dtype == b.dtype and a.shape == b.shape and (a.size == 0 or a.tobytes() == b.tobytes())


def count(value):
    return sum(map(count, value)) if isinstance(value, list) else value.size


def describe(inputs, case):
    text = []
    for name, value in inputs.items():
        if name not in case.constants:
            text.append(f"{name}={value.tolist() if name in case.data else list(value.shape)}")
    return " ".join(text)


def wrong(case, reference, inputs, results):
    """What is wrong with a result, if it is small enough to tell."""
    if any(count(v) > SMALL for v in results.values()) or any(max(v.shape, default=0) > SMALL for v in inputs.values()):
        return None
    # The reference is slow for absurd floats, and follows numpy where the standard differs.
    if any(v.dtype.kind == "f" and not np.all(np.abs(v) < 1e6) for v in inputs.values()) or case.name in UNLIKE:
        return None
    try:
        with np.errstate(all="ignore"):
            wanted = reference.run(None, {n: v for n, v in inputs.items() if n not in case.constants})
    except Exception:  # noqa: BLE001: the reference refuses, or does not know, what ONNX leaves open
        return None
    for name, value in zip(results, wanted):
        found = results[name]
        if isinstance(found, list):
            continue
        value = np.asarray(value)
        if found.shape != value.shape:
            return f"{name} has shape {list(found.shape)}, not {list(value.shape)}"
        if value.dtype.kind in "fc" and not np.allclose(found, value, rtol=1e-4, atol=1e-4, equal_nan=True):
            return f"{name} has other values than the reference"
    return None


def run_case(job):
    case, part, parts, only = job
    model = hone.compile(case.model.SerializeToString(), target=TARGET)
    reference = onnx.reference.ReferenceEvaluator(case.model)
    good = {n: v for n, v in case.inputs.items() if n not in case.constants}
    first = model.run(good)
    done = 0
    for i, inputs in enumerate(case.calls()):
        if i % parts != part or (only is not None and i != only):
            continue
        done += 1
        where = f"call {i} ({describe(inputs, case)})"
        print(where, file=sys.stderr if only is not None else sys.stdout, flush=True)
        try:
            results = model.run({n: v for n, v in inputs.items() if n not in case.constants})
        except hone.RunError as e:
            text = str(e)
            if "status 9" in text or "did not set" in text or "without a reason" in text:
                return "fail", f"{where}: {text}"
            if NAME not in text and "memory" not in text and not re.match("input '", text):
                return "fail", f"{where}: names no node: {text}"
        except (MemoryError, ValueError):
            pass  # numpy runs out of memory, or has no such array
        else:
            amiss = wrong(case, reference, inputs, results)
            if amiss:
                return "fail", f"{where}: {amiss}"
        if not all(same(a, b) for a, b in zip(first.values(), model.run(good).values())):
            return "fail", f"{where}: a good run after it gives another result"
    return "pass", f"{done} calls"


def main():
    global TARGET
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="cases whose name matches this expression")
    parser.add_argument("--call", type=int, help="one call of these cases, in this process")
    parser.add_argument("--target", default="cpu")
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    TARGET = args.target
    chosen = [c for c in cases() if re.search(args.only, c.name)]
    if args.call is not None:
        workers.limit_memory(LIMIT)
        for case in chosen:
            print(case.name, *run_case((case, 0, 1, args.call)))
        return 0
    jobs = [(case, part, 4, None) for case in chosen for part in range(4)]
    # A size that fits in a machine is not an error, but takes time.
    workers.limit_memory(LIMIT)
    failed = 0
    for job, result in workers.run_cases(jobs, run_case, args.jobs, timeout=60):
        if result.verdict != "pass":
            failed += 1
            print(f"FAIL {job[0].name}, part {job[1]}: {result.verdict}: {result.detail}", flush=True)
    print(f"{len(jobs) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
