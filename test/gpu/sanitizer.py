# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A subset of the cases under compute-sanitizer: one for each operator, and more of the kernels
that have threads work together."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

TOOLS = ["memcheck", "racecheck", "synccheck"]
TOGETHER = re.compile("matmul|gemm|conv|softmax|attention|scatter|reduce_sum|layer_norm|top_k")
# Of those; the first by name.
MOST = 120
CAUGHT = 86  # an exit code that no program of ours has


def subset(cases):
    """Names of cases that run on the device, each operator at least once if one does."""
    able = [c for c in cases if c.get("on_device") and c["kind"] == "onnx" and not c["name"].endswith("_expanded_cpu")]
    chosen, seen = [], set()
    for case in sorted(able, key=lambda c: (len(c["operators"]), c["name"])):
        if not seen.issuperset(case["operators"]):
            seen.update(case["operators"])
            chosen.append(case["name"])
    together = [c["name"] for c in able if TOGETHER.search(c["name"]) and c["name"] not in chosen]
    return chosen + together[:MOST]


def find():
    """Named, in PATH, or in an installed toolkit."""
    usual = "/usr/local/cuda/bin/compute-sanitizer"
    named = os.environ.get("HONE_COMPUTE_SANITIZER") or shutil.which("compute-sanitizer")
    return named or (usual if os.access(usual, os.X_OK) else None)


def run(bundle, script, only, timeout):
    """Each tool over the subset; the exit status."""
    program = find()
    if not program:
        print("SKIP sanitizer: compute-sanitizer is not installed")
        print(f"0 passed, 0 failed, {len(TOOLS)} skipped")
        return 0
    names = [name for name in subset(bundle.cases) if re.search(only, name)]
    failed = 0
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listed:
        listed.write("\n".join(names))
        listed.flush()
        for tool in TOOLS:
            command = [program, "--tool", tool, "--error-exitcode", str(CAUGHT), "--print-limit", "20"]
            command += [sys.executable, str(script), f"--here={listed.name}"]
            found = watch(command, timeout)
            failed += bool(found)
            print(f"{'FAIL' if found else 'ok'} {tool} over {len(names)} cases{': ' + found if found else ''}", flush=True)
    print(f"{len(TOOLS) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


def watch(command, timeout):
    """Runs one tool, shows what it finds with the case in which it did; what is amiss, or an
    empty string."""
    try:
        process = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=timeout)
    except subprocess.TimeoutExpired:
        return f"not done after {timeout:.0f} s"
    case = told = None
    for line in process.stdout.splitlines():
        if line.startswith("case "):
            case = line[5:]
        elif not re.match(r"=+ *(COMPUTE-SANITIZER|(ERROR|RACECHECK) SUMMARY: 0 .*)?$", line):
            if case != told:
                print(f"after the start of {case}:")
                told = case
            print(f"  {line}")
    if process.returncode == CAUGHT:
        return "errors found"
    return f"exit code {process.returncode}" if process.returncode else ""
