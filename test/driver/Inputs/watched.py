# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Starts compiles that last, and looks at what is left of them."""
import os
import pathlib
import signal
import subprocess
import sys
import time

CHAIN = pathlib.Path(__file__).resolve().parent.parent.parent / "scaling" / "chain.py"


def slow_model(folder):
    """A model whose graph phase takes seconds."""
    path = folder / "slow.mlir"
    if not path.exists():
        with path.open("w") as file:
            subprocess.run([sys.executable, CHAIN, "30000"], stdout=file, check=True)
    return path


def leftovers(output):
    """Names beside a library to be: of temporary folders, of reproducers, of the library."""
    return sorted(p.name for p in output.parent.iterdir() if output.name in p.name)


def processes(text):
    """Numbers of the processes that have a text in their command line."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if text.encode() in path.read_bytes() and int(path.parent.name) != os.getpid():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def wait_until(condition, seconds=30.0):
    """How long it took until the condition gave something, and what."""
    start = time.monotonic()
    while not (value := condition()):
        if time.monotonic() - start > seconds:
            sys.exit("nothing happened")
        time.sleep(0.01)
    return time.monotonic() - start, value


class Compile:
    """hone compile in the midst of the graph phase, as the leader of a group."""

    def __init__(self, model, output, *options):
        self.output = output
        command = ["hone", "compile", str(model), "-o", str(output), *options]
        # The tests may be started with signals ignored.
        listen = lambda: [signal.signal(s, signal.SIG_DFL) for s in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)]  # noqa: E731
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=listen)
        wait_until(lambda: leftovers(output))
        wait_until(lambda: self.reads_no_more(model))
        self.worker = self.workers()[0]

    def workers(self):
        return [p for p in processes(str(self.output)) if p != self.process.pid]

    def reads_no_more(self, model):
        """The model's text is mapped while it is parsed."""
        return not any(str(model) in pathlib.Path(f"/proc/{p}/maps").read_text() for p in self.workers())

    def end(self):
        """Exit code, messages, and seconds until all is gone."""
        start = time.monotonic()
        _, text = self.process.communicate(timeout=60)
        wait_until(lambda: not self.workers())
        return self.process.returncode, text, time.monotonic() - start
