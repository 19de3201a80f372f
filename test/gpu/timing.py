# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Times packed graphs and models on the device, beside the libraries that are installed there.

Inputs and outputs lie on the device, and one time is that of a call and of the wait for its
result, for everyone. All engines take turns in one process.
"""
import ctypes
import json
import re
import statistics
import time

import numpy as np

import hone_runtime
import values
from peers import TYPES, onnxruntime_peer, plain, torch_peers, working

# The largest error, relative to the norm of the result, that rounding explains.
ROUNDING = {"f32": 1e-4, "f16": 5e-3, "bf16": 3e-2}
ROUNDS = 5
SECONDS = 0.05  # of one engine in one round
PERIOD = 32  # of weights


def repeated(corner, dims):
    """Weights made of one corner of them, which a library that holds them compresses well. Signs
    change from block to block, or else sums would grow with their length, and not with its root."""
    blocks = [-(-dim // size) for dim, size in zip(dims, corner.shape)]
    signs = np.random.default_rng(2).choice(np.array([-1, 1], np.int8), blocks)
    places = [np.arange(dim) for dim in dims]
    inside = corner[np.ix_(*(place % size for place, size in zip(places, corner.shape)))]
    return inside * signs[np.ix_(*(place // size for place, size in zip(places, corner.shape)))].astype(corner.dtype)


def constant(dims):
    rng = np.random.default_rng(1)
    corner = rng.standard_normal([min(dim, PERIOD) for dim in dims]).astype(np.float32)
    fan_in = np.prod(dims[:1] if len(dims) == 2 else dims[1:])
    return repeated(corner, dims) / np.float32(np.sqrt(fan_in))


def narrowed(array, kind):
    """Values of f32 in the bits of the type."""
    if kind != "bf16":
        return np.ascontiguousarray(array.astype({"f32": np.float32, "f16": np.float16}[kind]))
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)


class Placed:
    """A model whose inputs and outputs are on the device."""

    def __init__(self, bundle, entry):
        self.model = bundle.model(entry)
        if not self.model.device_kernels:
            raise hone_runtime.Failure(hone_runtime.NO_DEVICE, "has no kernel for the device")
        self.runner = hone_runtime.Runner(self.model)
        self.driver = hone_runtime.Driver(self.model.device.driver.decode())
        self.addresses, self.keep = [], []
        self.results = {}

    def place(self, number, dims, size):
        address = self.driver.allocate(size)
        self.addresses.append(address)
        sizes = (ctypes.c_int64 * max(len(dims), 1))(*dims)
        self.keep.append(sizes)
        tensor = hone_runtime.Tensor(address, sizes, len(dims), number)
        return address, hone_runtime.Value(hone_runtime.TENSOR, hone_runtime.DEVICE, hone_runtime.Content(tensor=tensor))

    def give(self, name, number, dims, array):
        address, value = self.place(number, dims, array.nbytes)
        self.driver.upload(address, array)
        self.runner.set_input(name.encode(), value)

    def take_outputs(self, narrow):
        """Outputs to the device, if their sizes are known before the run."""
        for info, dims in zip(self.model.outputs, self.runner.output_dims()):
            if min(dims, default=0) >= 0 and info.kind == hone_runtime.TENSOR:
                size = int(np.prod(dims, dtype=np.int64)) * narrow.bits(info.type) // 8
                address, value = self.place(info.type, dims, size)
                self.runner.set_output(info.name, value)
                self.results[info.name.decode()] = (info.type, dims, address, size)

    def result(self, name, narrow):
        number, dims, address, size = self.results[name]
        data = np.empty(size, np.uint8)
        self.driver.download(data, address)
        return narrow.array(number, dims, data.tobytes())

    def close(self):
        self.runner.close()
        for address in self.addresses:
            self.driver.free(address)
        self.model.close()


def take_turns(engines):
    """Seconds of single calls of each, {name: [..]}; `engines` are functions that wait for
    their result."""
    times = {name: [] for name in engines}
    for call in engines.values():
        for _ in range(5):
            call()
    for _ in range(ROUNDS):
        for name, call in engines.items():
            end = time.perf_counter() + SECONDS
            while True:
                start = time.perf_counter()
                call()
                now = time.perf_counter()
                times[name].append(now - start)
                if now >= end:
                    break
    return times


def row(name, kind, times, flops=0, moved=0, error=None):
    median = {engine: statistics.median(found) for engine, found in times.items()}
    peers = {engine: seconds for engine, seconds in median.items() if engine != "hone"}
    best = min(peers, key=peers.get, default=None)
    return {
        "graph": name,
        "type": kind,
        "median_us": {engine: 1e6 * seconds for engine, seconds in median.items()},
        "min_us": {engine: 1e6 * min(found) for engine, found in times.items()},
        "tflops": flops / median["hone"] / 1e12,
        "gbytes_per_s": moved / median["hone"] / 1e9,
        "best_peer": best,
        "ratio": peers[best] / median["hone"] if best else None,
        "error": error,
    }


def checked(want, got, limit):
    """The error relative to the norm of the result, which must be within the limit."""
    want, got = want.astype(np.float64).ravel(), got.astype(np.float64).ravel()
    error = float(np.linalg.norm(got - want) / max(np.linalg.norm(want), 1e-30))
    if not error <= limit:
        raise hone_runtime.Failure(0, f"wrong: relative error {error:.2g}")
    return error


def time_graph(bundle, entry):
    rng = np.random.default_rng(0)
    feeds = {name: narrowed(rng.standard_normal(dims, np.float32), entry["type"]) for name, dims in entry["inputs"].items()}
    placed = Placed(bundle, entry)
    for name, dims in entry["inputs"].items():
        placed.give(name, TYPES[entry["type"]], dims, feeds[name])
    placed.take_outputs(bundle.narrow)
    feeds.update((name, narrowed(constant(dims), entry["type"])) for name, dims in entry["constants"].items())
    peers, reference = torch_peers(entry, feeds)
    times = take_turns({"hone": placed.runner.run, **working(peers)})
    want = reference() if reference else plain(entry, feeds, bundle.narrow)
    error = None if want is None else checked(want, placed.result("out", bundle.narrow), ROUNDING[entry["type"]])
    placed.close()
    return row(entry["name"], entry["type"], times, entry["flops"], entry["bytes"], error)


def time_model(bundle, case, onnx_folder):
    data = (bundle.folder / case["data"]).read_bytes()
    placed, feeds = Placed(bundle, case), {}
    for name, encoded in case["sets"][0]["inputs"].items():
        raw = np.frombuffer(data, np.uint8, encoded["bytes"], encoded["at"])
        placed.give(name, encoded["type"], encoded["dims"], raw)
        feeds[name] = values.to_numpy(encoded, data, bundle.narrow)
    placed.take_outputs(bundle.narrow)
    times = take_turns({"hone": placed.runner.run, **working(onnxruntime_peer(case["name"], feeds, onnx_folder))})
    wants = {n: values.to_numpy(e, data, bundle.narrow) for n, e in case["sets"][0]["outputs"].items() if n in placed.results}
    error = max((checked(want, placed.result(n, bundle.narrow), 1e-2) for n, want in wants.items()), default=None)
    moved = placed.model.descriptor.weight_bytes
    placed.close()
    return row(case["name"], "", times, moved=moved, error=error)


def run(bundle, only, report, onnx_folder):
    """Prints the table; the exit status."""
    print("median us of a call and the wait for its result, inputs and outputs on the device; exact f32 for everyone (no TF32);")
    print("GB/s are those of operands and results, each counted once, of a model those of its weights; ratio is the best peer's time over hone's")
    heads = f"{'graph':<44}{'hone':>11}{'(min)':>11}{'TFLOP/s':>9}{'GB/s':>8}  {'best peer':<22}{'us':>11}{'ratio':>7}{'error':>10}"
    print(heads)
    rows, failed = [], 0
    jobs = [(time_graph, (bundle, t)) for t in bundle.timings if re.search(only, t["name"])]
    jobs += [(time_model, (bundle, c, onnx_folder)) for c in bundle.cases if c.get("timed") and re.search(only, c["name"])]
    for function, arguments in jobs:
        try:
            found = function(*arguments)
        except hone_runtime.Failure as failure:
            print(f"FAIL {arguments[1]['name']}: {failure}")
            failed += 1
            if failure.status == hone_runtime.DEVICE_FAILED:
                break
            continue
        rows.append(found)
        best = found["best_peer"]
        peer = f"{best:<22}{found['median_us'][best]:>11.1f}{found['ratio']:>7.2f}" if best else f"{'-':<22}{'-':>11}{'-':>7}"
        error = "-" if found["error"] is None else f"{found['error']:.1e}"
        print(
            f"{found['graph']:<44}{found['median_us']['hone']:>11.1f}{found['min_us']['hone']:>11.1f}"
            f"{found['tflops']:>9.2f}{found['gbytes_per_s']:>8.1f}  {peer}{error:>10}",
            flush=True,
        )
    if report:
        report.write_text(json.dumps(rows, indent=1))
    print(f"{len(rows)} passed, {failed} failed, {len(jobs) - len(rows) - failed} skipped")
    return 1 if failed or len(rows) < len(jobs) else 0
