#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs every test of a build tree; tools/check builds it first.

Each step is a program whose last line is "N passed, N failed, N skipped"; a step that
ends without one counts as one failure.
"""
import argparse
import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.MULTILINE)
# Those that an emulated device runs in seconds.
EMULATED_MODELS = "mnist_cntk8,silero_vad_mini,voice_commands"
Counts = collections.namedtuple("Counts", "passed failed skipped")


def run(command, env=None):
    """Runs a program, shows what it prints, and returns its output and exit code."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", env=env)
    lines = []
    for line in process.stdout:
        lines.append(line)
        if not SUMMARY.match(line):
            sys.stdout.write(line)
            sys.stdout.flush()
    return "".join(lines), process.wait()


def one(command, env=None):
    """A program that is one test."""
    _, code = run(command, env)
    return Counts(1 - bool(code), int(bool(code)), 0)


def summed(command, env=None):
    """A program that ends with its own summary."""
    output, code = run(command, env)
    found = SUMMARY.findall(output)
    if not found:
        print(f"{command[-1]}: ended with exit code {code} and no summary")
        return Counts(0, 1, 0)
    counts = Counts(*map(int, found[-1]))
    return counts._replace(failed=max(counts.failed, int(bool(code))))


def lit(folders, program):
    """lit's verdicts; tests that lack a feature are skipped."""
    with tempfile.TemporaryDirectory() as scratch:
        report = os.path.join(scratch, "lit.json")
        run([sys.executable, program, "-sv", "--show-unsupported", f"--output={report}", *map(str, folders)])
        if not os.path.exists(report):
            return Counts(0, 1, 0)
        with open(report) as file:
            codes = collections.Counter(t["code"] for t in json.load(file)["tests"])
    passed = codes["PASS"] + codes["XFAIL"] + codes["FLAKYPASS"]
    skipped = codes["UNSUPPORTED"] + codes["SKIPPED"]
    return Counts(passed, sum(codes.values()) - passed - skipped, skipped)


def format_check():
    """Every C and C++ file of the project is formatted."""
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "*.c", "*.cpp", "*.h"], capture_output=True, text=True)
    files = [f for f in listed.stdout.split() if (ROOT / f).exists()]
    _, code = run(["clang-format-22", "--dry-run", "-Werror", *(str(ROOT / f) for f in files)]) if files else ("", 0)
    return Counts(1 - bool(code), int(bool(code)), 0)


def extra(variable, script, env, *arguments):
    """Models outside the project, or one visible skip."""
    if not os.environ.get(variable):
        print(f"skipped: {variable} is not set")
        return Counts(0, 0, 1)
    return summed([sys.executable, str(ROOT / script), *arguments], env)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--sanitize", default="")
    parser.add_argument("--only", default=os.environ.get("HONE_TEST_ONLY", ""), help="steps whose name has this in it")
    args = parser.parse_args()
    build = (ROOT / args.build).resolve()
    cache = (build / "CMakeCache.txt").read_text()
    lit_program = re.search(r"^HONE_LIT:\w+=(.*)$", cache, re.MULTILINE).group(1)
    python = sys.executable

    # The packaged LLVM is not instrumented: what it takes from its pools looks poisoned. A program that faults ends as without the sanitizer.
    sanitizer = "allow_user_poisoning=0:handle_segv=0"
    if args.sanitize:
        os.environ["ASAN_OPTIONS"] = sanitizer
    programs = dict(os.environ, HONE_BUILD=str(build))
    env = dict(programs, PYTHONPATH=str(build / "python"))
    if args.sanitize:
        found = subprocess.run(["clang-22", "-print-file-name=libclang_rt.asan-x86_64.so"], capture_output=True, text=True)
        # For Python, which loads the package and leaves memory behind at its end; some tests ask for more than there is.
        env.update(LD_PRELOAD=found.stdout.strip(), ASAN_OPTIONS=sanitizer + ":detect_leaks=0:allocator_may_return_null=1:max_allocation_size_mb=2048")

    steps = {
        "format": format_check,
        "layering": lambda: one([python, str(ROOT / "tools/check-layering")]),
        "lit": lambda: lit([build / "test", build / "test/unit"], lit_program),
        "python": lambda: summed([python, str(ROOT / "test/python/run.py")], env),
        "damaged-libraries": lambda: summed([python, str(ROOT / "test/e2e/damaged_libraries.py")], env),
        "cpu-code": lambda: summed([python, str(ROOT / "test/e2e/cpu_code.py")], programs),
        "device-code": lambda: summed([python, str(ROOT / "test/e2e/device_code.py")], programs),
        "onnx-backend": lambda: summed([python, str(ROOT / "test/e2e/onnx_backend.py")], env),
        "onnx-free": lambda: summed([python, str(ROOT / "test/e2e/onnx_backend.py"), "--way=free"], env),
        "onnx-folded": lambda: summed([python, str(ROOT / "test/e2e/onnx_backend.py"), "--way=folded"], env),
        "onnx-emulated": lambda: summed([python, str(ROOT / "test/e2e/onnx_backend.py"), "--target=cuda-emulated"], env),
        "operators": lambda: one([python, str(ROOT / "tools/operators"), str(build / "bin/hone"), "--compare"]),
        "estimators": lambda: summed([python, str(ROOT / "test/e2e/estimators.py")], env),
        "random-graphs": lambda: summed([python, str(ROOT / "test/e2e/random_graphs.py")], env),
        "hostile-sizes": lambda: summed([python, str(ROOT / "test/e2e/hostile_sizes.py")], env),
        "control-flow": lambda: summed([python, str(ROOT / "test/e2e/control_flow_graphs.py")], env),
        "control-flow-emulated": lambda: summed([python, str(ROOT / "test/e2e/control_flow_graphs.py"), "--target=cuda-emulated", "--count=40"], env),
        "fuzz-check": lambda: summed([python, str(ROOT / "test/fuzz/fuzz.py"), "--count=1000"], env),
        "fuzz-run": lambda: summed([python, str(ROOT / "test/fuzz/fuzz.py"), "--run", "--count=200"], env),
        "fuzz-modules": lambda: summed([python, str(ROOT / "test/fuzz/modules.py")], programs),
        "models": lambda: extra("HONE_TEST_MODELS", "test/e2e/models.py", env),
        "models-emulated": lambda: extra("HONE_TEST_MODELS", "test/e2e/models.py", env, "--target=cuda-emulated", f"--only={EMULATED_MODELS}"),
        "bench": lambda: extra("HONE_TEST_BENCH", "test/e2e/bench.py", env),
    }
    if args.sanitize == "thread":  # the build has the runtime alone
        steps = {"lit": lambda: lit([build / "test/unit"], lit_program)}
    total = Counts(0, 0, 0)
    rows = []
    for name, step in steps.items():
        if args.only not in name:
            continue
        print(f"=== {name}", flush=True)
        start = time.monotonic()
        counts = step()
        rows.append((name, counts, time.monotonic() - start))
        total = Counts(*(a + b for a, b in zip(total, counts)))
    print("===")
    for name, counts, seconds in rows:
        print(f"{name:<22}{counts.passed:>6} passed {counts.failed:>4} failed {counts.skipped:>5} skipped {seconds:>8.1f} s")
    print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped")
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
