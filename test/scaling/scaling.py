# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""scaling.py [--sizes SMALL LARGE] [--limit RATIO] [SHAPE...]: how the time of `hone compile` grows with the model.

For each shape of models.py, two sizes, the larger ten times the smaller, and the ratio of their processor times; what
takes long in `hone check` takes long in a compile. Ends with 1 where a ratio is above the limit, or where a compile fails
or takes over a minute or over 2 GiB.
"""
import argparse
import os
import resource
import subprocess
import sys
import tempfile

import models

# Less than this is the time of starting a process.
SHORTEST = 0.1


def measure(command):
    """Processor time and MiB of a command; its message where it fails."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_DATA, (2 << 30, 2 << 30))
    with tempfile.TemporaryFile() as messages:
        child = subprocess.Popen(["timeout", "60", *command], stdout=subprocess.DEVNULL, stderr=messages, preexec_fn=limit)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        messages.seek(0)
        text = messages.read(200).decode(errors="replace")
    if child.returncode:
        return f"ended with {child.returncode}: {text}" if child.returncode != 124 else "took more than 60 s"
    return used.ru_utime + used.ru_stime, used.ru_maxrss >> 10


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs=2, default=[1000, 10000])
    parser.add_argument("--limit", type=float, default=12)
    parser.add_argument("shapes", nargs="*")
    args = parser.parse_args()
    bad = 0
    with tempfile.TemporaryDirectory() as folder:
        library, file = os.path.join(folder, "model.so"), os.path.join(folder, "model.onnx")
        for shape in models.SHAPES:
            if args.shapes and shape.__name__ not in args.shapes:
                continue
            results = []
            for size in args.sizes:
                models.write(shape, size, file)
                results.append(measure(["hone", "compile", file, "-o", library]))
            problem = next((r for r in results if isinstance(r, str)), None)
            if problem:
                print(f"{shape.__name__:<18}{problem}", flush=True)
            else:
                ratio = results[1][0] / max(results[0][0], SHORTEST)
                problem = ratio > args.limit
                shown = "  ".join(f"{seconds:6.2f} s {mib:5} MiB" for seconds, mib in results)
                print(f"{shape.__name__:<18}{shown}  ratio {ratio:4.1f}{'  too much' if problem else ''}", flush=True)
            bad += bool(problem)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
