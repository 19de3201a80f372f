#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Loads a compiled library that is cut short, or has one bit changed in what the system's loader
and the runtime read before anything runs: each must be refused with a message, or work.

Through Python every 64th length and --flips bits; through `hone info` and `hone run` a sample of
these, or all with --all. The last line is "N passed, N failed, N skipped".
"""
import argparse
import json
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# What ld.so reads, and the descriptor with its tables.
TABLES = (".dynsym", ".dynstr", ".gnu.hash", ".gnu.version", ".gnu.version_r", ".rela.dyn", ".rela.plt", ".dynamic", ".data.rel.ro", ".rodata", ".note.hone")

# Loads one damaged copy after the other and tells how each went: a death of the process shows
# which one it was.
CHILD = """
import json, sys
import numpy as np
import hone
path, image = sys.argv[1], np.load(sys.argv[2])
for line in sys.stdin:
    case = json.loads(line)
    data = bytearray(open(sys.argv[3], "rb").read())
    if case["cut"] is not None:
        del data[case["cut"]:]
    if case["bit"] is not None:
        data[case["bit"] // 8] ^= 1 << case["bit"] % 8
    # A new file each time, as copying makes it.
    import os
    if os.path.exists(path):
        os.remove(path)
    with open(path, "wb") as file:
        file.write(data)
    try:
        model = hone.load(path, threads=1)
        result = model.run({"image": image})["probabilities"].tobytes().hex()
        del model
    except hone.RunError as error:
        result = "error: " + str(error)
    print(json.dumps(result), flush=True)
"""


def regions(data):
    """Ranges of the headers and tables: [(name, begin, end)]."""
    phoff, shoff = struct.unpack_from("<QQ", data, 32)
    phnum, shentsize, shnum, shstrndx = struct.unpack_from("<HHHH", data, 56)
    found = [("ELF header", 0, 64), ("program headers", phoff, phoff + 56 * phnum)]
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, shoff + shentsize * i) for i in range(shnum)]
    names = sections[shstrndx][4]
    for section in sections:
        name = data[names + section[0] : data.index(b"\0", names + section[0])].decode()
        if name in TABLES:
            found.append((name, section[4], section[4] + section[5]))
    return found


def damages(data, flips):
    cases = [{"name": f"cut to {length}", "cut": length, "bit": None} for length in range(0, len(data), 64)]
    generator = random.Random(2)
    places = regions(data)
    for i in range(flips):
        name, begin, end = places[i % len(places)]
        bit = generator.randrange(8 * begin, 8 * end)
        cases.append({"name": f"bit {bit % 8} of byte {bit // 8} ({name})", "cut": None, "bit": bit})
    return cases


def through_python(library, image, cases, folder, env):
    """Yields the outcome of each case: the output, an error, or a signal."""
    left = list(cases)
    while left:
        command = [sys.executable, "-c", CHILD, folder / "damaged.so", image, library]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env)
        while left:
            try:
                process.stdin.write(json.dumps(left[0]) + "\n")
                process.stdin.flush()
                answer = process.stdout.readline()
            except BrokenPipeError:
                answer = ""
            case = left.pop(0)
            if not answer:
                yield case, f"died: {process.wait()}"
                break
            yield case, json.loads(answer)
        process.stdin.close()
        process.wait()


def through_program(words, library, cases, folder):
    data = library.read_bytes()
    damaged = folder / "damaged.so"
    for case in cases:
        copy = bytearray(data[: case["cut"]])
        if case["bit"] is not None:
            copy[case["bit"] // 8] ^= 1 << case["bit"] % 8
        damaged.write_bytes(copy)
        done = subprocess.run([*words, damaged, *(["--random"] if "run" in words else [])], capture_output=True, text=True, errors="replace")
        if done.returncode == 1:
            yield case, "error: " + done.stderr
        elif done.returncode:
            yield case, f"died: {done.returncode} {done.stderr}"
        else:
            yield case, done.stdout.replace(str(damaged), "")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flips", type=int, default=1000)
    parser.add_argument("--all", action="store_true")
    args = parser.parse_args()
    hone = pathlib.Path(os.environ.get("HONE_BUILD", "build")).resolve() / "bin/hone"
    digits = ROOT / "test/data/digits"
    passed = failed = refused = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        library = folder / "digits.so"
        subprocess.run([hone, "compile", digits / "model.onnx", "-o", library], check=True)
        data = library.read_bytes()
        cases = damages(data, args.flips)
        sample = cases if args.all else cases[:: max(1, len(cases) // 150)]
        whole = {"name": "the library", "cut": None, "bit": None}
        ways = {
            "python": lambda c: through_python(library, digits / "digit-0.npy", c, folder, dict(os.environ)),
            "hone info": lambda c: through_program([hone, "info"], library, c, folder),
            "hone run": lambda c: through_program([hone, "run"], library, c, folder),
        }
        for way, load in ways.items():
            results = load([whole] + (cases if way == "python" else sample))
            right = next(results)[1]
            for case, result in results:
                refused += result.startswith("error: ")
                if result == right or (result.startswith("error: ") and "cannot load" in result):
                    passed += 1
                else:
                    failed += 1
                    print(f"FAIL {way}: {case['name']}: {result[:200]}")
    print(f"{refused} of {passed + failed} were refused, the others gave what the whole library gives")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
