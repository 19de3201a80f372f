# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs many cases in a few reused processes that may crash or hang."""
import collections
import json
import os
import re
import resource
import select
import signal
import time

Result = collections.namedtuple("Result", "verdict detail seconds")


def limit_memory(size):
    """Lets this process and its children have so many bytes, besides the shadow of a sanitizer."""
    if "LD_PRELOAD" in os.environ:
        with open("/proc/self/status") as file:
            size += 1024 * int(re.search(r"VmData:\s*(\d+) kB", file.read())[1])
    resource.setrlimit(resource.RLIMIT_DATA, (size, size))


class Worker:
    """A forked child that runs cases by index, one at a time."""

    def __init__(self, cases, run):
        to_child, self.send = os.pipe()
        self.receive, from_child = os.pipe()
        self.pid = os.fork()
        self.index = None
        if self.pid == 0:
            os.close(self.send)
            os.close(self.receive)
            self.serve(cases, run, to_child, from_child)
        os.close(to_child)
        os.close(from_child)
        self.buffer = b""

    @staticmethod
    def serve(cases, run, to_child, from_child):
        # What a case prints is of no interest; a crash report on stderr is.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        with os.fdopen(to_child) as requests, os.fdopen(from_child, "w") as replies:
            for line in requests:
                try:
                    reply = run(cases[int(line)])
                except Exception as e:  # noqa: BLE001: whatever it is, it is this case's
                    reply = "error", f"{type(e).__name__}: {' '.join(str(e).split())[:300]}"
                replies.write(json.dumps(reply) + "\n")
                replies.flush()
        os._exit(0)

    def start(self, index):
        self.index = index
        self.started = time.monotonic()
        os.write(self.send, f"{index}\n".encode())

    def stop(self):
        """Ends the child; its wait status."""
        os.close(self.send)
        os.close(self.receive)
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        return os.waitpid(self.pid, 0)[1]


def run_cases(cases, run, jobs=2, timeout=120.0, reuse=200):
    """Yields (case, Result) as cases end. run(case) returns (verdict, detail) in a
    child; a child that dies gives `crash`, one that takes too long `timeout`. A child
    is replaced after `reuse` cases, or when a third value says that the case spoilt it."""
    waiting = collections.deque(range(len(cases)))
    workers = {}

    def launch():
        worker = Worker(cases, run)
        worker.done = 0
        workers[worker.receive] = worker
        worker.start(waiting.popleft())

    while waiting or workers:
        while waiting and len(workers) < jobs:
            launch()
        ready, _, _ = select.select(list(workers), [], [], 1.0)
        for fd in ready:
            worker = workers[fd]
            seconds = time.monotonic() - worker.started
            data = os.read(fd, 1 << 16)
            worker.buffer += data
            if data and not worker.buffer.endswith(b"\n"):
                continue
            case = cases[worker.index]
            if not data:
                del workers[fd]
                status = worker.stop()
                name = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit {os.WEXITSTATUS(status)}"
                yield case, Result("crash", name, seconds)
                continue
            verdict, detail, *spoilt = json.loads(worker.buffer)
            worker.buffer = b""
            worker.done += 1
            if waiting and worker.done < reuse and not any(spoilt):
                worker.start(waiting.popleft())
            else:
                del workers[fd]
                worker.stop()
            yield case, Result(verdict, detail, seconds)
        for fd, worker in list(workers.items()):
            seconds = time.monotonic() - worker.started
            if seconds > timeout:
                del workers[fd]
                worker.stop()
                yield cases[worker.index], Result("timeout", f"after {timeout:.0f} s", seconds)


def read_list(path):
    """Names of an expected-failure list: one a line, # starts a comment."""
    if not path.exists():
        return set()
    lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    return {line for line in lines if line}


def judge(results, listed, path, header, update):
    """Compares {name: Result} with the list of cases that do not pass yet, prints what
    is amiss, and gives the exit status. With update, the list is rewritten: passing
    cases leave it; none enters a list that exists already."""
    passed = sorted(n for n, r in results.items() if r.verdict == "pass")
    skipped = sorted(n for n, r in results.items() if r.verdict == "skip")
    broken = sorted(n for n, r in results.items() if r.verdict not in ("pass", "skip"))
    crashed = [n for n in broken if results[n].verdict in ("crash", "timeout")]
    if update:
        first = not path.exists()
        kept = (set(broken) if first else listed & set(broken)) | (listed - set(results))
        lines = [header, *(f"{n}\n" for n in sorted(kept))]
        if not first:  # what is written between the names stays
            lines = [line for line in path.read_text().splitlines(True) if not line.strip() or line[0] == "#" or line.split()[0] in kept]
        path.write_text("".join(lines))
        print(f"{path.name}: {len(listed)} -> {len(kept)} cases")
        listed = kept
    failures = {n: f"{results[n].verdict}: {results[n].detail}" for n in broken if n not in listed or n in crashed}
    for name in passed:
        if name in listed:
            failures[name] = f"passes now: remove it from {path.name} (--update does)"
    for name in skipped:
        print(f"SKIP {name}: {results[name].detail}")
    for name, why in failures.items():
        print(f"FAIL {name}: {why}")
    expected = [n for n in broken if n not in failures]
    if expected:
        print(f"{len(expected)} cases do not pass yet and are listed in {path.name}; counted as skipped")
    good = sum(n not in failures for n in passed)
    print(f"{good} passed, {len(failures)} failed, {len(skipped) + len(expected)} skipped")
    return 1 if failures else 0
