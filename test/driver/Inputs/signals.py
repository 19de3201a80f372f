# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""signals.py FOLDER: ends compiles in all ways from outside."""
import os
import pathlib
import signal
import sys

import watched

folder = pathlib.Path(sys.argv[1])
model = watched.slow_model(folder)
wrong = []


def try_signal(name, send, code, message="", left=()):
    output = folder / f"{name}.so"
    phases = folder / f"{name}-phases"
    compile = watched.Compile(model, output, f"--dump-phases={phases}")
    send(compile)
    found, text, seconds = compile.end()
    expected = [output.name + suffix for suffix in left]
    kept = watched.leftovers(output)
    # The phase that ended before, if it did.
    if (dumped := os.listdir(phases)) not in ([], ["1-import.mlir"]):
        wrong.append(f"{name}: left {dumped} of the phases")
    if found != code or message not in text or seconds > 1 + 30 * len(left) or kept != expected:
        wrong.append(f"{name}: ended with {found} after {seconds:.1f} s, left {kept}, said {text!r}")


for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
    try_signal(number.name, lambda c: c.process.send_signal(number), 130)
    try_signal("group-" + number.name, lambda c: os.killpg(c.process.pid, number), 130)
try_signal("worker-SIGTERM", lambda c: os.kill(c.worker, signal.SIGTERM), 130)
# This one cannot be caught: the worker notices that its parent is gone.
try_signal("SIGKILL", lambda c: c.process.kill(), -signal.SIGKILL)
try_signal("group-SIGKILL", lambda c: os.killpg(c.process.pid, signal.SIGKILL), -signal.SIGKILL)
# As when memory runs out: not a bug in the compiler, and nothing to report.
try_signal("worker-SIGKILL", lambda c: os.kill(c.worker, signal.SIGKILL), 70, "ended by SIGKILL from outside")
# As a bug in the compiler: another worker writes the reproducer.
try_signal("worker-SIGSEGV", lambda c: os.kill(c.worker, signal.SIGSEGV), 70, "internal error: the compiler ended by SIGSEGV", (".reproducer.mlir",))
sys.exit("\n".join(wrong) or 0)
