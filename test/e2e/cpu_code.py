#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Looks at the assembly of products, convolutions and attention for levels of x86-64.

In the innermost loops that multiply, sums have to stay in registers (no stack memory at
a fixed place), vectors to be as wide as the level has them, and multiply-adds fused
where it can. No such processor is needed. The models are small graphs made here, those
of the project, and those of HONE_TEST_BENCH.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from kernel_graphs import CONTRACTIONS, Graph, attentions, bench_models, byte_products, convolutions, products

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Level: registers of its vectors, all of one kind in a loop, and what a step of a product has.
LEVELS = {
    "x86-64-v2": (("xmm",), re.compile(r"mulp[sd]$")),
    "x86-64-v3": (("ymm",), re.compile(r"vfmadd\w+p[sd]$")),
    "x86-64-v4": (("zmm", "ymm"), re.compile(r"vfmadd\w+p[sd]$")),
}
# The same for products of bytes: with VNNI, a dot product takes the place of widened multiply-adds.
BYTE_LEVELS = {
    "x86-64-v2": (("xmm",), re.compile(r"pmaddwd$")),
    "x86-64-v3": (("ymm",), re.compile(r"vpmaddwd$")),
    "x86-64-v4": (("zmm",), re.compile(r"vpmaddwd$")),
    "alderlake": (("ymm",), re.compile(r"vpdpbusd$")),
    "cascadelake": (("zmm",), re.compile(r"vpdpbusd$")),
    "sapphirerapids": (("tmm",), re.compile(r"tdpbusd$")),
}
# And for those with precision bf16: pairs are widened where no dot product takes them.
BF16_LEVELS = {
    "x86-64-v3": LEVELS["x86-64-v3"],
    "x86-64-v4": LEVELS["x86-64-v4"],
    "cooperlake": (("zmm",), re.compile(r"vdpbf16ps$")),
    "sapphirerapids": (("tmm",), re.compile(r"tdpbf16ps$")),
}
GRAPHS = [("products", products), ("convolutions", convolutions), ("attentions", attentions)]
LABEL = re.compile(r"^(\.L\w+):")
FUNCTION = re.compile(r"^(\w[\w.$]*):")
JUMP = re.compile(r"^\tj\w+\t(\.L\w+)")
INSTRUCTION = re.compile(r"^\t(?:\{vex\}\s+)?([a-z]\w*)(?:\t(.*?))?(?:\s*#.*)?$")
# A spilled vector has a fixed place; buffers on the stack are read through an index.
SPILL = {"rsp": re.compile(r"-?\d*\(%rsp\).*%[xyzt]mm|%[xyzt]mm.*[ ,]-?\d*\(%rsp\)"),
         "rbp": re.compile(r"-?\d*\(%rbp\).*%[xyzt]mm|%[xyzt]mm.*[ ,]-?\d*\(%rbp\)")}
FRAME = "\tmovq\t%rsp, %rbp"
# Known problems, by model and level: in how many kernels, whose numbers change, and why.
KNOWN = {
    ("efficientnet_b0", "x86-64-v4"): (1, "LLVM hoists the constants of swish out of the loop over tiles, and spills sums for them"),
}
# A loop along K has at least so many products, and broadcasts elements; dot products of rows do not. Matrices are
# multiplied as they are.
LEAST_PRODUCTS = 8
BROADCAST = re.compile(r"^(vbroadcasts[sd] [^.]*\(%r(?!ip)|.*\{1to|shufps |unpcklpd |movddup )")
BYTE_BROADCAST = re.compile(BROADCAST.pattern + r"|^(v?pbroadcast[dq] |pshufd |vmovddup )")


def functions(text):
    """Names with the lines of their code."""
    name, lines = None, []
    for line in text.splitlines():
        if found := FUNCTION.match(line):
            if name:
                yield name, lines
            name, lines = found[1], []
        elif name:
            lines.append(line)
    if name:
        yield name, lines


def innermost_loops(lines):
    """The instructions, as (name, operands), of each loop without another inside."""
    labels, loops = {}, []
    for number, line in enumerate(lines):
        if found := LABEL.match(line):
            labels[found[1]] = number
        elif (found := JUMP.match(line)) and found[1] in labels:
            loops.append((labels[found[1]], number))
    for first, last in loops:
        if any((f, l) != (first, last) and first <= f and l <= last for f, l in loops):
            continue
        yield [(found[1], found[2] or "") for line in lines[first : last + 1] if (found := INSTRUCTION.match(line))]


def problems(what, model, level, hone, expected, broadcast, options):
    """Problems in the loops of a model of this name, and the number of loops."""
    command = [hone, "compile", str(model), f"--cpu={level}", "--emit=asm", *options]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        return [f"hone ends with {run.returncode}: {run.stderr.strip()}"], 0
    registers, product = expected
    amiss, kernels, loops = [], set(), 0
    for name, lines in functions(run.stdout):
        if not CONTRACTIONS.search(name):
            continue
        stack = [SPILL["rsp"]] + [SPILL["rbp"]] * (FRAME in lines)
        for loop in innermost_loops(lines):
            products = [operands for operation, operands in loop if product.match(operation)]
            code = [f"{operation} {operands}" for operation, operands in loop]
            if not products or (registers != ("tmm",) and
                                (len(products) < LEAST_PRODUCTS or not any(map(broadcast.match, code)))):
                continue
            loops += 1
            spilled = [line for line in code if any(place.search(line) for place in stack)]
            if spilled:
                kernels.add(name)
                amiss.append(f"{name}: {len(spilled)} vectors from or to the stack in a loop of {len(products)} products: {spilled[0]}")
            kind = next((kind for kind in registers if f"%{kind}" in products[0]), registers[0])
            narrow = [operands for operands in products if f"%{kind}" not in operands]
            if narrow:
                kernels.add(name)
                amiss.append(f"{name}: {len(narrow)} of {len(products)} products are narrower than {kind}: {narrow[0]}")
    known, reason = KNOWN.get((what, level), (0, ""))
    if 0 < len(kernels) <= known:
        print(f"KNOWN {what} for {level}: {', '.join(sorted(kernels))}: {reason}")
        amiss = []
    return amiss or ([] if loops else ["there is no loop along K"]), loops


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="part of a model's name")
    parser.add_argument("--cpu", default=",".join({**BYTE_LEVELS, **BF16_LEVELS}), help="levels")
    args = parser.parse_args()
    hone = str(pathlib.Path(os.environ["HONE_BUILD"]) / "bin" / "hone")
    passed = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        scratch = pathlib.Path(folder)

        def check(name, path, levels=LEVELS, broadcast=BROADCAST, options=()):
            nonlocal passed, failed
            for level in filter(levels.get, args.cpu.split(",")):
                amiss, loops = problems(name, path, level, hone, levels[level], broadcast, options)
                passed, failed = passed + (not amiss), failed + bool(amiss)
                print(f"{name} for {level}: {loops} loops along K" + ("" if amiss else ", all well"), flush=True)
                for problem in amiss:
                    print(f"FAIL {name} for {level}: {problem}", flush=True)

        for what, fill in GRAPHS:
            if args.only in what:
                graph = Graph("f32")
                fill(graph)
                check(what, graph.save(scratch / "model.onnx"))
        if args.only in "bytes":
            graph = Graph("u8")
            byte_products(graph)
            check("bytes", graph.save(scratch / "model.onnx"), BYTE_LEVELS, BYTE_BROADCAST)
        if args.only in "bf16":
            graph = Graph("f32")
            products(graph)
            convolutions(graph)
            check("bf16", graph.save(scratch / "model.onnx"), BF16_LEVELS, BYTE_BROADCAST, ["--precision=bf16"])
        if args.only in "digits":
            check("digits", ROOT / "test/data/digits/model.onnx")
        for name, path in bench_models(args.only, scratch):
            check(name, path)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
