# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""out_of_memory.py SHIM COUNT FOLDER MODEL: compiles with allocations that fail, spread over a compile and among the caller's own."""
import collections
import os
import pathlib
import subprocess
import sys

import watched

shim, count, folder, model = sys.argv[1], int(sys.argv[2]), pathlib.Path(sys.argv[3]), sys.argv[4]
output = folder / "out.so"
counts = folder / "counts"
command = ["hone", "compile", model, "-o", str(output)]
env = dict(os.environ, LD_PRELOAD=shim)
subprocess.run(command, env=dict(env, HONE_COUNT_MALLOC=str(counts)), check=True)
own, worker = sorted(int(line) for line in counts.read_text().split())
chosen = [1 + i * worker // count for i in range(count)] + [1 + i * own // (count // 10) for i in range(count // 10)]

ends = collections.Counter()
wrong = []
for number in chosen:
    output.unlink(missing_ok=True)
    for reproducer in folder.glob("*.reproducer.mlir"):
        reproducer.unlink()
    result = subprocess.run(command, env=dict(env, HONE_FAIL_MALLOC=str(number)), capture_output=True, text=True, timeout=60)
    ends[result.returncode] += 1
    left = set(watched.leftovers(output)) - {output.name + ".reproducer.mlir"}
    complete = {output.name} if result.returncode == 0 else set()
    if result.returncode not in (0, 1, 70, 74) or left != complete or (result.returncode and "error" not in result.stderr):
        wrong.append(f"{number}: ended with {result.returncode}, left {left}, said {result.stderr!r}")
print(f"{len(chosen)} failures among {own} and {worker} allocations; exit codes {dict(ends)}")
if not ends[70] or ends[0] == len(chosen):
    wrong.append("no failure was seen")
sys.exit("\n".join(wrong) or 0)
