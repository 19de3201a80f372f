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

TYPES = {"f32": 1, "f16": 10, "bf16": 16}
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
    """A model whose inputs and outputs lie on the device."""

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
        """Outputs to the device, where their sizes are known before the run."""
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


def torch_peers(entry, feeds):
    """{name: function} of torch on the same values, and the function of its result; nothing
    where it is not installed or has no device."""
    try:
        import torch
        import torch.nn.functional as functional
    except ImportError:
        return {}, None
    if not torch.cuda.is_available():
        return {}, None
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    torch.backends.cudnn.benchmark = True
    kind, sizes = entry["type"], entry["sizes"]

    def tensor(array):
        on_device = torch.from_numpy(array.view(np.int16) if kind == "bf16" else array).cuda()
        return on_device.view(torch.bfloat16) if kind == "bf16" else on_device

    given = [tensor(feeds[name]) for name in [*entry["inputs"], *entry["constants"]]]
    compute = {
        "matmul": lambda a, b: a @ b,
        "linear": lambda a, b: a @ b,
        "conv": lambda x, w: functional.conv2d(x, w, None, sizes["s"], sizes["k"] // 2, 1, sizes["g"]),
        "attention": lambda q, k, v: functional.scaled_dot_product_attention(q, k, v, is_causal=bool(sizes["causal"])),
    }[entry["family"]]

    def waiting(function, arguments):
        def call():
            function(*arguments)
            torch.cuda.synchronize()

        return call

    # The default compilation of one graph keeps shapes as they are.
    torch.compiler.reset()
    peers = {"torch": waiting(compute, given), "torch.compile": waiting(torch.compile(compute, dynamic=False), given)}
    if entry["family"] == "conv":
        last = [t.contiguous(memory_format=torch.channels_last) for t in given]
        peers["torch, channels last"] = waiting(compute, last)
    return peers, lambda: compute(*given).float().cpu().numpy()


def plain(entry, feeds, narrow):
    """The result by numpy, where there is no torch; None of what would take long."""
    if entry["flops"] > 1e9:
        return None
    sizes, number = entry["sizes"], TYPES[entry["type"]]
    given = [narrow.array(number, feeds[n].shape, feeds[n].tobytes()).astype(np.float64) for n in [*entry["inputs"], *entry["constants"]]]
    if entry["family"] == "conv":
        x, w = given
        groups, size = sizes["g"], (sizes["k"], sizes["k"])
        padded = np.pad(x, [(0, 0), (0, 0)] + [(sizes["k"] // 2,) * 2] * 2)
        windows = np.lib.stride_tricks.sliding_window_view(padded, size, (2, 3))[:, :, :: sizes["s"], :: sizes["s"]]
        parts = zip(np.split(windows, groups, 1), np.split(w, groups, 0))
        return np.concatenate([np.einsum("nchwij,ocij->nohw", *part, optimize=True) for part in parts], 1)
    if entry["family"] == "attention":
        q, k, v = given
        scores = q @ k.swapaxes(2, 3) / np.sqrt(sizes["d"])
        if sizes["causal"]:
            scores = np.where(np.tri(sizes["s"], dtype=bool), scores, -np.inf)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        return scores / scores.sum(-1, keepdims=True) @ v
    return given[0] @ given[1]


def working(peers):
    """Those that can run, with a line about each that cannot."""
    found = {}
    for name, call in peers.items():
        try:
            call()
            found[name] = call
        except Exception as e:  # noqa: BLE001: a peer's trouble is not ours
            print(f"  {name} fails: {' '.join(str(e).split())[:160]}")
    return found


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


def onnxruntime_peer(name, feeds, folder):
    """ONNX Runtime on the device, where it is installed for one and has the model's file."""
    path = folder / f"{name}.onnx" if folder else None
    try:
        import onnxruntime
    except ImportError:
        return {}
    if not path or not path.exists() or "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        return {}
    session = onnxruntime.InferenceSession(path, providers=["CUDAExecutionProvider"])
    binding = session.io_binding()
    for key, array in feeds.items():
        binding.bind_ortvalue_input(key, onnxruntime.OrtValue.ortvalue_from_numpy(array, "cuda", 0))
    for output in session.get_outputs():
        binding.bind_output(output.name, "cuda")
    return {"onnxruntime": lambda: (session.run_with_iobinding(binding), binding.synchronize_outputs())}


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
