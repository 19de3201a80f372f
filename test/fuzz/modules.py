#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Mutated modules of MLIR through `hone compile`, and what compiles through a run.

Case N is made of N and the functions in test/import/mlir and Inputs/library.mlir alone: sizes, types, operations, maps and
operands are replaced by others, and calls of library functions get another name, other operands or other numbers, in text or
in bytes of bytecode. It must compile, or be refused with a message about it; and run, or end with an error.
Anything else is a failure, which is named with its number: --case=N runs it alone, and --save=DIR keeps its module.
"""
import argparse
import collections
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
HONE = pathlib.Path(os.environ["HONE_BUILD"]).resolve() / "bin" / "hone"
SECONDS = 60

SIZES = ["0", "1", "2", "3", "4", "5", "7", "8", "16", "1000000", str((1 << 63) - 1), "?"]
TYPES = ["f32", "f64", "f16", "bf16", "i1", "i8", "i16", "i32", "i64", "i48", "i128", "index", "ui8", "f8E4M3FN", "complex<f32>", "i4"]
EXPRESSIONS = ["d0", "d1", "d2", "0", "d0 * 2", "d0 + d1", "d1 floordiv 2", "-d0", "d0 mod 3", "d0 - 1"]
OPERATIONS = "addf addi andi ceildivsi ceildivui divsi divui floordivsi maxnumf maxsi minimumf mulf remf remsi shli subi xori".split()
# A size in a type, a type, a number, the kind of a loop, an expression of a map, an operation, and a value.
TOKENS = re.compile(
    r"(?P<size>\b\d+(?=x)|\?)|(?P<type>(?<=x)(?:f16|f32|i1|i8|i32|i64)\b|\b(?:f16|f32|i8|i32|i64)\b)|(?P<number>\b\d+\b)"
    r'|(?P<loop>"(?:parallel|reduction)")|(?P<expression>\bd\d\b)|(?P<operation>\barith\.\w+)|(?P<value>%\w+)'
)
# A call of a library function, whose operands and their types are lists, and the names of all.
CALL = re.compile(r'hone\.library "(\w+)"\(([^)]*)\)( \{[^}]*\})? : \(([^)]*)\)')
LIBRARY = sorted(set(re.findall(r"\bhone_lib_(\w+)", (ROOT / "runtime/library/Functions.h").read_text())))


def functions():
    """Each function of the tests, without comments."""
    for file in sorted((ROOT / "test/import/mlir").glob("*.mlir")) + [ROOT / "test/fuzz/Inputs/library.mlir"]:
        for part in file.read_text().split("// -----"):
            yield "\n".join(line for line in part.splitlines() if not line.startswith("//"))


def mutate_text(text, rng):
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        tokens = list(TOKENS.finditer(text))
        token = rng.choice(tokens)
        old, kind = token.group(), token.lastgroup
        choices = {
            "size": SIZES,
            "type": TYPES,
            "number": [size for size in SIZES if size != "?"],
            "loop": ['"parallel"', '"reduction"'],
            "expression": EXPRESSIONS,
            "operation": ["arith." + name for name in OPERATIONS],
            "value": [t.group() for t in tokens if t.lastgroup == "value"],
        }
        new = rng.choice(choices[kind])
        if kind in ("size", "type") and rng.random() < 0.5:
            # Everywhere, so that the module may still be one.
            text = "".join(new if part == old else part for part in re.split(f"((?<!\\w){re.escape(old)}(?![\\w.])|{re.escape(old)}(?=x))", text))
        else:
            text = text[: token.start()] + new + text[token.end() :]
    return text


def mutate_call(text, rng):
    """Another function, or the same with other operands or another config."""
    call = rng.choice(list(CALL.finditer(text)))
    name, config = call[1], call[3] or ""
    operands = list(zip(call[2].split(", "), call[4].split(", ")))
    what = rng.choice(["name", "drop", "repeat", "config"])
    if what == "name":
        name = rng.choice(LIBRARY + ["foo"])
        config = rng.choice([config, ""])
    elif what == "drop":
        del operands[rng.randrange(len(operands))]
    elif what == "repeat":
        operands.insert(rng.randrange(len(operands) + 1), rng.choice(operands))
    else:
        entries = config.strip(" {}").split(", ") if config else ["type = 1 : i64"]
        place = rng.randrange(len(entries))
        value = rng.choice(["-1 : i64", "1 : i64", "8 : i64", "10 : i64", "1.5 : f64", "true", '"a"', "7 : i128", None])
        entries[place : place + 1] = [entries[place].split(" = ")[0] + " = " + value] if value else []
        config = " {" + ", ".join(entries) + "}" if entries else ""
    values, types = (", ".join(part) for part in zip(*operands)) if operands else ("", "")
    return text[: call.start()] + f'hone.library "{name}"({values}){config} : ({types})' + text[call.end() :]


def mutate_bytes(content, rng):
    content = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 4])):
        place = rng.randrange(len(content))
        if rng.random() < 0.8:
            content[place] = rng.randrange(256)
        else:
            del content[place : place + rng.randrange(1, 9)]
    return bytes(content)


def call(*arguments):
    """How a program ends: (exit code, messages)."""
    try:
        done = subprocess.run([HONE, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return "timeout", ""
    return done.returncode, done.stderr.decode(errors="replace").strip().replace("\n", " | ")


def bytecode(text, folder):
    """Of what the function becomes."""
    module, result = folder / "seed.mlir", folder / "seed.mlirbc"
    module.write_text(text)
    return result.read_bytes() if call("compile", module, "--emit=import", "-o", result)[0] == 0 else None


def case(number, seeds, folder):
    """The file of a case."""
    rng = random.Random(number)
    text, content = rng.choice(seeds)
    if content and rng.random() < 0.3:
        file = folder / f"{number}.mlirbc"
        file.write_bytes(mutate_bytes(content, rng))
    else:
        file = folder / f"{number}.mlir"
        mutate = mutate_call if CALL.search(text) and rng.random() < 0.7 else mutate_text
        file.write_text(mutate(text, rng))
    return file


def verdict(file):
    library = file.with_suffix(".so")
    code, message = call("compile", file, "-o", library, "-q")
    if code == 1 and "error: " in message:
        return "refused", ""
    if code != 0:
        return "failed", f"hone compile ended with {code}: {message}"
    code, message = call("run", library, "--random")
    library.unlink()
    return ("good", "") if code in (0, 1, 2) else ("failed", f"hone run ended with {code}: {message}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--case", type=int)
    parser.add_argument("--save", type=pathlib.Path)
    args = parser.parse_args()
    counts = collections.Counter()
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        seeds = [(text, bytecode(text, folder)) for text in functions()]
        for number in range(args.count) if args.case is None else [args.case]:
            file = case(number, seeds, folder)
            result, message = verdict(file)
            counts[result] += 1
            if message:
                print(f"FAIL {number}: {message}", flush=True)
            if args.save and (message or args.case is not None):
                args.save.mkdir(parents=True, exist_ok=True)
                (args.save / file.name).write_bytes(file.read_bytes())
    print(", ".join(f"{name} {count}" for name, count in sorted(counts.items())))
    print(f"{counts['good'] + counts['refused']} passed, {counts['failed']} failed, 0 skipped")
    return 1 if counts["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
