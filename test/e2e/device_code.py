#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Assembles the kernels of models for the chips of --gpu, and looks at the code.

Contraction kernels may not spill, every kernel has to fit a multiprocessor, PTX calls
no library and keeps denormals, and products and convolutions of half precision use
tensor cores (read in the machine code, where nvdisasm is installed). The models are
small graphs made here, those of the project, and those of HONE_TEST_BENCH.
"""
import argparse
import collections
import concurrent.futures
import glob
import math
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROOT = pathlib.Path(__file__).resolve().parents[2]
TYPES = {"f32": TensorProto.FLOAT, "f16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16, "f64": TensorProto.DOUBLE}
# Kernels that are named after one of these hold a product.
CONTRACTIONS = re.compile("matmul|conv|attention|lstm|gru|rnn")
PRODUCT_SECTION = re.compile(rb"\.text\.\w*(" + CONTRACTIONS.pattern.encode() + b")")
STATS = re.compile(r"^(\S+) +(sm_\w+) +(\d+) registers +(\d+) bytes shared +(\d+) bytes spilled$", re.MULTILINE)
ENTRY = re.compile(r"\.entry (\w+)\(.*?^\.maxntid ([\d, ]+)$", re.MULTILINE | re.DOTALL)
LIBRARY_CALL = re.compile(r"__nv_\w+|\S+\.ftz\S*|call(?:\.\w+)* [^;]*;")
SECTION = re.compile(r"^\s*\.section\s+\.text\.(\w+),(.*?)(?=^\s*\.section\s|\Z)", re.MULTILINE | re.DOTALL)
OPERATION = re.compile(r"^\s*/\*[0-9a-f]+\*/\s+(?:@!?U?P\w+ )?([A-Z0-9]+)", re.MULTILINE)
# Of a multiprocessor and of a block, on all chips.
MOST_REGISTERS, MOST_OF_A_THREAD, MOST_SHARED = 65536, 255, 48 << 10
EM_CUDA = 190


def find(tool):
    """A program of CUDA's toolkit: in PATH, of an installed one, or of tools/setup."""
    beside = glob.glob(str(ROOT / f".venv/lib/python3*/site-packages/nvidia/*/bin/{tool}"))
    return next(filter(None, [shutil.which(tool), *glob.glob(f"/usr/local/cuda/bin/{tool}"), *beside]), None)


class Graph:
    """Nodes of one element type; what they are applied to becomes an input or a constant."""

    def __init__(self, kind):
        self.kind, self.nodes, self.inputs, self.outputs, self.constants = kind, [], [], [], []
        self.random = np.random.default_rng(0)

    def input(self, *shape):
        name = f"x{len(self.inputs)}"
        self.inputs.append(helper.make_tensor_value_info(name, TYPES[self.kind], shape))
        return name

    def constant(self, *shape):
        name = f"c{len(self.constants)}"
        values = self.random.standard_normal(shape).astype(np.float32)
        dtype = helper.tensor_dtype_to_np_dtype(TYPES[self.kind])
        self.constants.append(numpy_helper.from_array(values.astype(dtype), name))
        return name

    def apply(self, op, *operands, **attributes):
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, operands, [name], **attributes))
        return name

    def result(self, value):
        self.outputs.append(helper.make_tensor_value_info(value, TYPES[self.kind], None))

    def save(self, path):
        graph = helper.make_graph(self.nodes, "test", self.inputs, self.outputs, self.constants)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), path)
        return path


def products(g):
    for rows in (128, "n"):
        x = g.apply("Add", g.apply("MatMul", g.input(rows, 256), g.constant(256, 320)), g.constant(320))
        g.result(g.apply("Gelu", x))
    g.result(g.apply("MatMul", g.input(4, 96, 64), g.input(4, 64, 80)))
    g.result(g.apply("Gemm", g.input("n", 100), g.input(72, 100), transB=1))


def convolutions(g):
    def convolve(channels, filters, kernel, size=(28, 28), **attributes):
        x = g.apply("Conv", g.input(1, channels, *size), g.constant(filters, channels, *kernel), g.constant(filters), **attributes)
        return g.apply("Relu", x)

    g.result(convolve(64, 96, (3, 3), pads=[1, 1, 1, 1]))
    g.result(convolve(64, 128, (1, 1)))
    g.result(convolve(3, 64, (7, 7), (64, 64), strides=[2, 2], pads=[3, 3, 3, 3]))
    g.result(convolve(32, 48, (3, 3), dilations=[2, 2]))
    g.result(g.apply("Add", convolve(64, 64, (3, 3), ("h", "w"), pads=[1, 1, 1, 1]), g.input(1, 64, "h", "w")))


def attentions(g):
    """With blocks enough for the largest tile, and with few; of sizes that divide 16 bytes and of others."""
    for heads, rows, depth in ((96, 128, 64), (8, 128, 64), (8, "n", 128), (96, 65, 77)):
        query, key, value = (g.input(1, heads, rows, depth) for _ in range(3))
        scores = g.apply("MatMul", query, g.apply("Transpose", key, perm=[0, 1, 3, 2]))
        weights = g.apply("Softmax", g.apply("Add", scores, g.input(1, 1, rows, rows)))
        g.result(g.apply("MatMul", weights, value))


def others(g):
    """Products without tensor cores, and what is no product."""
    g.result(g.apply("MatMul", g.input(1, 512), g.constant(512, 1000)))
    for kernel, stride in ((3, 1), (3, 2), (5, 1)):
        pads = [kernel // 2] * 4
        x = g.input(1, 144, 28, 28)
        g.result(g.apply("Clip", g.apply("Conv", x, g.constant(144, 1, kernel, kernel), g.constant(144), group=144, pads=pads, strides=[stride] * 2)))
    scores = g.apply("MatMul", g.input(1, 8, 64, 64), g.input(1, 8, 64, 64))
    weights = g.apply("Softmax", g.apply("Add", scores, g.input(1, 1, 64, 64)))
    g.result(g.apply("MatMul", weights, g.input(1, 8, 64, 64)))
    g.result(g.apply("LayerNormalization", g.input("n", 384), g.constant(384), g.constant(384)))
    g.result(g.apply("GlobalAveragePool", g.input(1, 256, 7, 7)))


def functions(g):
    """What a toolkit has in a library."""
    for name in "Acos Acosh Asin Asinh Atan Atanh Cos Cosh Erf Exp Log Sin Sinh Tan Tanh".split():
        g.result(g.apply(name, g.input(1000)))
    for name in ("Pow", "Mod"):
        g.result(g.apply(name, g.input(1000), g.input(1000), **({"fmod": 1} if name == "Mod" else {})))


NETWORKS, FUNCTIONS = ("f32", "f16", "bf16"), ("f32", "f64")
# Name, what fills the graph, its types, whether all its contractions are for tensor cores.
GRAPHS = [
    ("products", products, NETWORKS, True),
    ("convolutions", convolutions, NETWORKS, True),
    ("attentions", attentions, NETWORKS, True),
    ("others", others, NETWORKS, False),
    ("functions", functions, FUNCTIONS, False),
]


class Library:
    """The device's code in a compiled library."""

    def __init__(self, path):
        self.bytes = path.read_bytes()

    def cubins(self):
        at = 0
        while (at := self.bytes.find(b"\x7fELF", at + 1)) >= 0:
            if struct.unpack_from("<H", self.bytes, at + 18)[0] != EM_CUDA:
                continue
            programs, sections = struct.unpack_from("<QQ", self.bytes, at + 32)
            program, programCount, section, sectionCount = struct.unpack_from("<4H", self.bytes, at + 54)
            yield self.bytes[at : at + max(programs + program * programCount, sections + section * sectionCount)]

    def ptx(self):
        for found in re.finditer(rb"//\n// Generated by LLVM NVPTX[^\0]*\0", self.bytes):
            yield found[0].decode()


def machine_code(nvdisasm, library, scratch):
    """(chip, function) of contractions to the set of its operations' names."""
    result = {}

    def disassemble(numbered):
        path = scratch / f"kernel{numbered[0]}.cubin"
        path.write_bytes(numbered[1])
        return subprocess.run([nvdisasm, "-c", "-ndf", str(path)], check=True, capture_output=True, text=True).stdout

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for text in pool.map(disassemble, enumerate(c for c in library.cubins() if PRODUCT_SECTION.search(c))):
            chip = re.search(r"\.target\s+(sm_\w+)", text)[1]
            for name, code in SECTION.findall(text):
                result[chip, name] = set(OPERATION.findall(code))
    return result


def problems(model, chips, hone, nvdisasm, tensor_cores, scratch):
    """What is amiss with a model's code, and the number of its functions."""
    output = scratch / "model.so"
    command = [hone, "compile", str(model), "--target=cuda", f"--gpu={','.join(chips)}", "-o", str(output), "--stats"]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        return [f"hone ends with {run.returncode}: {run.stderr.strip()}"], 0
    library = Library(output)
    amiss, threads = [], {}
    for text in library.ptx():
        amiss += [f"PTX has {found}" for found in sorted(set(LIBRARY_CALL.findall(text)))]
        for name, sizes in ENTRY.findall(text):
            threads[name] = math.prod(map(int, sizes.split(",")))
    functions = STATS.findall(run.stdout)
    if {chip for _, chip, *_ in functions} != set(chips):
        amiss.append("there are chips without code")
    for name, chip, registers, shared, spilled in ((n, c, *map(int, numbers)) for n, c, *numbers in functions):
        where = f"{name} for {chip}"
        if name not in threads:
            amiss.append(f"{where} has no PTX with a bound on its threads")
            continue
        # The chip gives them out to warps, by 8 for each thread.
        taken = -(-registers // 8) * 8 * (-(-threads[name] // 32) * 32)
        if registers > MOST_OF_A_THREAD or taken > MOST_REGISTERS:
            amiss.append(f"{where} takes {registers} registers in {threads[name]} threads")
        if shared > MOST_SHARED:
            amiss.append(f"{where} takes {shared} bytes of shared memory")
        if spilled and CONTRACTIONS.search(name):
            amiss.append(f"{where} spills {spilled} bytes")
    if tensor_cores and nvdisasm:
        kernels = collections.defaultdict(set)
        for (chip, name), operations in machine_code(nvdisasm, library, scratch).items():
            kernels[chip, name.rsplit("_step", 1)[0]] |= operations
        contractions = [(chip, name, code) for (chip, name), code in kernels.items() if CONTRACTIONS.search(name)]
        if not contractions:
            amiss.append("there is no contraction")
        amiss += [f"{name} for {chip} has no HMMA" for chip, name, code in contractions if "HMMA" not in code]
    return amiss, len(functions)


def fill_weights(path, filled):
    """The graph with some values for weights that it leaves out."""
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
        count = math.prod(tensor.dims)
        if count and tensor.doc_string.startswith("random:"):
            tensor.raw_data = np.resize(np.linspace(-0.1, 0.1, 251), count).astype(dtype).tobytes()
    onnx.save(model, filled)
    return filled


def newest_chip(hone):
    """The newest chip whose code runs without a suffix; the compiler lists those that there are."""
    model = ROOT / "test/data/digits/model.onnx"
    refused = subprocess.run([hone, "compile", str(model), "--target=cuda", "--gpu=sm_9999", "-o", "unused.so"], capture_output=True, text=True)
    return max(re.findall(r"sm_(\d+)\b(?!')", refused.stderr.split("there are")[1]), key=int)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="part of a model's name")
    parser.add_argument("--gpu", default="", help="chips; else sm_80, sm_90a, and the newest that there is")
    args = parser.parse_args()
    ptxas, nvdisasm = os.environ.get("HONE_PTXAS") or find("ptxas"), find("nvdisasm")
    if not ptxas:
        print("SKIP: no ptxas is installed")
        print("0 passed, 0 failed, 1 skipped")
        return 0
    os.environ["HONE_PTXAS"] = ptxas
    hone = str(pathlib.Path(os.environ["HONE_BUILD"]) / "bin" / "hone")
    chips = args.gpu.split(",") if args.gpu else ["sm_80", "sm_90a", "sm_" + newest_chip(hone)]
    passed = failed = skipped = 0
    if not nvdisasm:
        skipped = 1
        print("SKIP: no nvdisasm is installed, machine code is not looked at")
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)

        def check(name, path, tensor_cores=False):
            nonlocal passed, failed
            amiss, functions = problems(path, chips, hone, nvdisasm, tensor_cores, scratch)
            passed, failed = passed + (not amiss), failed + bool(amiss)
            print(f"{name}: {functions} functions for {', '.join(chips)}" + ("" if amiss else ", all well"))
            for problem in amiss:
                print(f"FAIL {name}: {problem}")

        for what, fill, kinds, fits in GRAPHS:
            for kind in kinds:
                if args.only in f"{what}-{kind}":
                    graph = Graph(kind)
                    fill(graph)
                    check(f"{what}-{kind}", graph.save(scratch / "model.onnx"), fits and kind != "f32")
        if args.only in "digits":
            check("digits", ROOT / "test/data/digits/model.onnx")
        # Those of benchmarks have many kernels that are alike.
        chips = chips if args.gpu else chips[:2]
        bench = os.environ.get("HONE_TEST_BENCH")
        for path in sorted(pathlib.Path(bench).glob("models/*.onnx")) if bench else []:
            if args.only in path.name:
                check(path.stem, fill_weights(path, scratch / "model.onnx"))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
