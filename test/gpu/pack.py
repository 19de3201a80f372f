# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Makes the folder that tools/check-gpu takes to a machine with a GPU: compiled cases, their
inputs and expected outputs, and what runs them. Needs the build tree and the onnx package."""
import hashlib
import json
import os
import pathlib
import re
import shutil
import tarfile

# One thread for numpy's own libraries: the processes are forked.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import ml_dtypes  # noqa: E402
import numpy as np  # noqa: E402
import onnx  # noqa: E402
from onnx import numpy_helper  # noqa: E402
from onnx.backend.base import Backend, BackendRep  # noqa: E402

import bench  # noqa: E402
import hone_runtime  # noqa: E402
import models  # noqa: E402
import onnx_cases  # noqa: E402
import timing  # noqa: E402
import timing_graphs  # noqa: E402
import workers  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILD = pathlib.Path(os.environ.get("HONE_BUILD", ROOT / "build"))
MODULES = [
    *(HERE / f"{name}.py" for name in ("hone_runtime", "values", "device_cases", "sanitizer", "timing", "peers")),
    *(ROOT / "test" / "e2e" / f"{name}.py" for name in ("closeness", "workers")),
]
# Types of ONNX that numpy lacks: bits, and ml_dtypes' name.
NARROW = {
    17: (8, "float8_e4m3fn"),
    18: (8, "float8_e4m3fnuz"),
    19: (8, "float8_e5m2"),
    20: (8, "float8_e5m2fnuz"),
    21: (4, "uint4"),
    22: (4, "int4"),
    23: (4, "float4_e2m1fn"),
    24: (8, "float8_e8m0fnu"),
    25: (2, "uint2"),
    26: (2, "int2"),
}


class Blob:
    """Collects the bytes of a case's tensors; values.py tells the form."""

    def __init__(self):
        self.bytes = bytearray()

    def add(self, value, kind=None):
        if kind == hone_runtime.OPTIONAL or value is None:
            return {"optional": None if value is None else self.add(value)}
        if isinstance(value, (list, tuple)):
            return [self.add(element) for element in value]
        if isinstance(value, dict):
            return {"keys": self.add(np.array(list(value))), "values": self.add(np.array(list(value.values()), np.float32))}
        array = np.asarray(value)
        tensor = numpy_helper.from_array(array.astype(object) if array.dtype.kind in "US" else array)
        encoded = {"type": tensor.data_type, "dims": list(array.shape)}
        if tensor.data_type == onnx.TensorProto.STRING:
            return dict(encoded, strings=[text.decode("utf-8", "surrogateescape") for text in tensor.string_data])
        self.bytes += b"\0" * (-len(self.bytes) % 64)
        encoded.update(at=len(self.bytes), bytes=len(tensor.raw_data))
        self.bytes += tensor.raw_data
        return encoded


class Packer:
    """Compiles cases in worker processes, each to files of its own and a manifest's entry."""

    def __init__(self, folder, target, gpu):
        self.folder, self.options = folder, {"target": target, "gpu": gpu}

    def library(self, name, model):
        """Compiles; the facts about the library."""
        import hone

        path = self.folder / f"{file_name(name)}.so"
        hone.compile_library(model, path, **self.options)
        opened = hone_runtime.Model(hone_runtime.Runtime(BUILD / "lib" / "libhone_runtime.so"), path)
        self.kinds = {info.name.decode(): info.kind for info in opened.inputs}
        self.outputs = [info.name.decode() for info in opened.outputs]
        facts = {"library": path.name, "on_device": bool(opened.device_kernels)}
        opened.close()
        return facts

    def entry(self, name, kind, model, graph, sets, **facts):
        """A case whose library is compiled from `model`, a path or bytes, and whose data sets
        are pairs of {name: value}."""
        entry = dict(self.library(name, model), name=name, kind=kind, **facts)
        entry["operators"] = sorted({node.op_type for node in graph.node})
        return dict(entry, **self.data(entry, sets))

    def data(self, entry, sets):
        blob, encoded = Blob(), []
        for inputs, outputs in sets:
            feeds = {n: blob.add(value, self.kinds[n]) for n, value in inputs.items()}
            encoded.append({"inputs": feeds, "outputs": {n: blob.add(value) for n, value in outputs.items()}})
        path = pathlib.Path(entry["library"]).with_suffix(".bin")
        # Never empty: a tensor without elements points into it as well.
        (self.folder / path).write_bytes(blob.bytes + b"\0" * 64)
        return {"data": path.name, "sets": encoded}

    def onnx_case(self, item):
        name, function = item
        if onnx_cases.RANDOM.match(name):
            return "skip", onnx_cases.RANDOM_REASON
        recorder.start(self, name)
        verdict, detail = onnx_cases.run_case(item)
        return (verdict, detail) if verdict != "pass" else ("pass", json.dumps(recorder.finish()))

    def model_case(self, case):
        import hone

        path = pathlib.Path(case["path"])
        if case["family"] == "robustness":
            return "skip", "about what the compiler refuses"
        graph = onnx.load(path / "model.onnx", load_external_data=False).graph
        sets = [(feeds, wants) for _, feeds, wants in models.data_sets(graph, path)]
        if not sets and any(value.type.WhichOneof("value") != "tensor_type" for value in models.graph_inputs(graph)):
            return "skip", "has no data, and takes other inputs than tensors"
        if not sets:
            rng = np.random.default_rng(0)
            feeds = {value.name: models.random_input(value, rng) for value in models.graph_inputs(graph)}
            sets = [(feeds, hone.compile(path / "model.onnx").run(feeds))]
        entry = self.entry(case["name"], "model", path / "model.onnx", graph, sets, loose=models.is_loose(case, graph))
        return "pass", json.dumps(entry)

    def timed_model(self, path):
        import hone

        model = onnx.load(path)
        repeat_weights(model.graph)
        feeds = bench.random_inputs(model.graph, bench.FREE_DIMS)
        text = model.SerializeToString()
        sets = [(feeds, hone.compile(text).run(feeds))]
        return "pass", json.dumps(self.entry(path.stem, "bench", text, model.graph, sets, timed=True))

    def timed_graph(self, graph):
        return "pass", json.dumps(dict(graph.facts(), **self.library(graph.name, graph.model())))


class Recorder:
    """Records the inputs and expected outputs of a case of ONNX's, to be run by another backend."""

    def start(self, packer, name):
        self.packer, self.name, self.sets, self.tolerance = packer, name, [], None

    def prepare(self, model):
        self.operators = sorted({node.op_type for node in model.graph.node})
        self.entry = self.packer.library(self.name, model.SerializeToString())

    def run(self, inputs):
        values = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        self.sets.append((dict(zip(self.packer.kinds, values)), {}))
        return []

    def check(self, ref_outputs, outputs, rtol, atol, model_dir=None):
        narrow = any(np.asarray(r).dtype == ml_dtypes.bfloat16 for r in ref_outputs if not isinstance(r, (list, tuple)))
        # Two units in the last place, like the comparison that this one replaces.
        self.tolerance = [max(rtol, 2**-6) if narrow else rtol, atol]
        self.sets[-1][1].update(zip(self.packer.outputs, ref_outputs, strict=True))

    def finish(self):
        facts = {"name": self.name, "kind": "onnx", "operators": self.operators, "tolerance": self.tolerance}
        return dict(self.entry, **facts, **self.packer.data(self.entry, self.sets))


recorder = Recorder()


class RecordingRep(BackendRep):
    def run(self, inputs, **kwargs):
        return recorder.run(inputs)


class RecordingBackend(Backend):
    @classmethod
    def supports_device(cls, device):
        return device == "CPU"

    @classmethod
    def prepare(cls, model, device="CPU", **kwargs):
        recorder.prepare(model)
        return RecordingRep()


def repeat_weights(graph):
    """A corner of each large weight instead of the whole: the time is the same, and the folder small."""
    for tensor in graph.initializer:
        if tensor.data_type in (1, 10, 11, 16) and len(tensor.dims) >= 2:
            corner = numpy_helper.to_array(tensor)[tuple(slice(timing.PERIOD) for _ in tensor.dims)]
            tensor.CopyFrom(numpy_helper.from_array(timing.repeated(corner, tensor.dims), tensor.name))


def file_name(name):
    """Names of cases may be long, and have any character."""
    plain = re.sub(r"\W", "_", name)
    return plain if len(plain) < 100 else f"{plain[:80]}_{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def narrow_tables():
    tables = {}
    for number, (bits, name) in NARROW.items():
        codes = np.arange(1 << bits, dtype=np.uint8)
        # Sub-byte types are in the low bits of a byte each.
        tables[number] = (bits, codes.view(getattr(ml_dtypes, name)).astype(np.float32).tolist())
    return tables


def pack(folder, target, gpu, only, models_folder, bench_folder, jobs):
    """Writes the folder; returns the number of cases that unexpectedly could not be compiled."""
    if folder.exists() and not (folder / "check-gpu").exists():
        raise SystemExit(f"{folder} exists and holds something else")
    shutil.rmtree(folder, ignore_errors=True)
    scratch = folder / "cases"
    scratch.mkdir(parents=True)
    packer = Packer(scratch, target, gpu)
    chosen, skipped = onnx_cases.collect(RecordingBackend, target, only, recorder.check)
    # The other machine need not have the libraries that decode images, and its device has no part in it.
    images = [item for item in chosen if item[0].startswith("test_image_decoder")]
    skipped.update({name: "decodes an image with libraries of the host" for name, _ in images})
    work = [(packer.onnx_case, item, "onnx", item[0]) for item in chosen if item not in images]
    if models_folder:
        work += [(packer.model_case, c, "model", c["name"]) for c in models.read_cases(models_folder) if re.search(only, c["name"])]
    if bench_folder:
        work += [(packer.timed_model, p, "bench", p.stem) for p in sorted(bench_folder.glob("*.onnx")) if re.search(only, p.stem)]
    small = "emulated" in target
    work += [(packer.timed_graph, t, "timing", t.name) for t in timing_graphs.timings(small) if re.search(only, t.name)]

    listed = workers.read_list(onnx_cases.LIST) | workers.read_list(models.LIST)
    manifest = {"target": target, "gpu": gpu, "listed": sorted(listed), "cases": [], "timings": [], "skipped": dict(skipped)}
    broken = 0
    for (_, _, kind, name), result in workers.run_cases(work, lambda job: job[0](job[1]), jobs, 900):
        if result.verdict == "pass":
            manifest["timings" if kind == "timing" else "cases"].append(json.loads(result.detail))
        elif result.verdict == "skip":
            manifest["skipped"][name] = result.detail
        else:
            # Also reported where the bundle runs: it has no library.
            amiss = f"{result.verdict} where it was packed: {result.detail}"
            manifest["cases"].append({"name": name, "kind": kind, "operators": [], "amiss": amiss})
            if name not in listed:
                broken += 1
                print(f"FAIL {name}: {amiss}", flush=True)
    for part in "cases", "timings":
        manifest[part].sort(key=lambda entry: entry["name"])
    (scratch / "manifest.json").write_text(json.dumps(manifest))
    (scratch / "narrow.json").write_text(json.dumps(narrow_tables()))
    finish(folder, scratch)
    good = sum("library" in case for case in manifest["cases"])
    size = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    print(f"{folder}: {good} cases and {len(manifest['timings'])} graphs to time, {size / 2**20:.1f} MiB")
    return broken


def finish(folder, scratch):
    """Compresses the cases, and adds what runs them."""
    with tarfile.open(folder / "cases.tar.xz", "w:xz", preset=6) as archive:
        for path in sorted(scratch.iterdir()):
            archive.add(path, path.name)
    shutil.rmtree(scratch)
    (folder / "python").mkdir()
    for path in MODULES:
        shutil.copy(path, folder / "python")
    shutil.copy(BUILD / "lib" / "libhone_runtime.so", folder)
    shutil.copy(ROOT / "tools" / "check-gpu", folder)
