#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Mutated models through `hone check`, or through compile and hostile runs.

Case N is made of N and the seeds alone: ONNX's backend cases and the models of
HONE_TEST_MODELS. It must end with success or with a message about the model; a signal,
10 s of CPU time, an internal error or 2 GiB of memory are a failure, which is named with
its number: --case=N runs it alone, and --save=DIR keeps its model.
"""
import argparse
import collections
import mmap
import os
import pathlib
import re
import resource
import select
import signal
import struct
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
import mutate  # noqa: E402
import seeds  # noqa: E402
import workers  # noqa: E402

SECONDS = 10
MEMORY = 2 << 30
# What is told of a compiler, which is a process of its own, that does not end by itself or
# has not enough of the limited memory.
ENDS = ("internal error", "not enough memory to compile it", "the compiler was ended", "the compiler could not start", "the compiler cannot start")
PER_PROCESS = 1000  # cases per process
PER_CHECK = 100  # models of one `hone check`


def judge(messages):
    """The outcome of a model's check from its messages: (verdict, message)."""
    errors = [m for m in messages if m.startswith("error: ")]
    if any(end in m for m in errors for end in ENDS):
        return "internal", " ".join(messages)
    if not errors and not all(m.startswith("warning: ") for m in messages):
        return "unexplained", " ".join(messages)
    return ("refused", errors[0]) if errors else ("good", "")


def check(model):
    """How a check of the model ends: (verdict, message)."""
    import hone

    return judge(hone.check(model))


def check_all(models):
    """The outcomes of checks of several models, one after another in one process; nothing
    where that does not end as it should, or not in the time of one."""
    import hone

    program = pathlib.Path(hone.__file__).parents[2] / "bin" / "hone"
    with tempfile.TemporaryDirectory() as folder:
        paths = [pathlib.Path(folder, f"{i}.onnx") for i in range(len(models))]
        for path, model in zip(paths, models):
            path.write_bytes(model)
        limit = lambda: resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))  # noqa: E731
        try:
            done = subprocess.run(
                [program, "check", *paths], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=limit, timeout=5 * SECONDS
            )
        except subprocess.TimeoutExpired:
            return None
    messages, about = [[] for _ in models], 0
    for line in done.stderr.decode(errors="replace").splitlines():
        found = re.match(rf"\w+: {re.escape(folder)}/(\d+)\.onnx: ", line)
        about = int(found.group(1)) if found else about
        messages[about].append(line)
    verdicts = [judge(m) for m in messages]
    whole = done.returncode in (0, 1) and all(v in ("good", "refused") for v, _ in verdicts)
    return verdicts if whole else None


def run(model, number):
    """How compiling the model and three hostile runs end."""
    import hone

    import hostile

    verdict, message = check(model)
    if verdict != "good":
        return verdict, message
    try:
        compiled = hone.compile(model)
    except hone.CompileError as e:
        # The check reports what cannot be compiled.
        return ("internal" if any(end in str(e) for end in ENDS) else "unchecked"), " ".join(str(e).split())
    for feeds in hostile.feeds(compiled, number):
        try:
            compiled.run(feeds)
        except hone.RunError as e:
            if "status 9" in str(e) or "internal" in str(e):
                return "internal", "run: " + " ".join(str(e).split())
        except (MemoryError, TypeError, ValueError):
            pass  # feeds that the package rejects
    return "good", ""


class Worker:
    """A forked child that runs the numbers from `first` on."""

    def __init__(self, first, step, limit, serve, serve_all):
        # Number of the current case and its start, in case it does not return.
        self.state = mmap.mmap(-1, 16)
        self.receive, send = os.pipe()
        # The output of a dying process.
        self.errors = tempfile.TemporaryFile()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.receive)
            self.serve(range(first, limit, step)[:PER_PROCESS], send, serve, serve_all)
        os.close(send)
        self.first, self.step, self.limit = first, step, limit
        self.buffer = b""

    def serve(self, numbers, send, serve, serve_all):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(self.errors.fileno(), 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        import hone  # noqa: F401

        workers.limit_memory(MEMORY)
        tell = lambda *fields: os.write(send, ("\t".join(map(str, fields)) + "\n").encode(errors="replace"))  # noqa: E731
        for begin in range(0, len(numbers), PER_CHECK):
            together = numbers[begin : begin + PER_CHECK]
            self.state[:] = struct.pack("<qd", together[0], time.monotonic())
            found = serve_all and serve_all(together)
            for number, (verdict, message) in zip(together, found or ()):
                tell(number, verdict, " ".join(message.split())[:400])
            if not found:
                self.serve_each(together, tell, serve)
        os._exit(0)

    def serve_each(self, numbers, tell, serve):
        for number in numbers:
            os.ftruncate(2, 0)
            os.lseek(2, 0, os.SEEK_SET)
            self.state[:] = struct.pack("<qd", number, time.monotonic())
            # Ends the process by its own signal.
            signal.setitimer(signal.ITIMER_PROF, SECONDS)
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            try:
                verdict, message = serve(number)
            except BaseException as e:  # noqa: BLE001: whatever it is, it is this case's
                verdict, message = "exception", f"{type(e).__name__}: {' '.join(str(e).split())}"
            signal.setitimer(signal.ITIMER_PROF, 0)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            if after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime > SECONDS:
                verdict, message = "hang", f"the compiler took more than {SECONDS} s"
            tell(number, verdict, " ".join(message.split())[:400])

    def current(self):
        return struct.unpack("<qd", self.state[:])


def verdicts(numbers, jobs, serve, serve_all):
    """Yields (number, verdict, message) of every number in the range. `serve_all`, if any,
    is tried first, with several."""
    workers = {}

    def launch(first):
        if first < numbers.stop:
            worker = Worker(first, jobs, numbers.stop, serve, serve_all)
            workers[worker.receive] = worker

    for i in range(jobs):
        launch(numbers.start + i)
    while workers:
        ready, _, _ = select.select(list(workers), [], [], 1.0)
        for fd in ready:
            worker = workers[fd]
            data = os.read(fd, 1 << 16)
            worker.buffer += data
            *lines, worker.buffer = worker.buffer.split(b"\n")
            last = None
            for line in lines:
                number, verdict, message = line.decode(errors="replace").split("\t", 2)
                worker.first = int(number) + worker.step
                yield int(number), verdict, message
            if data:
                continue
            del workers[fd]
            os.close(fd)
            _, status = os.waitpid(worker.pid, 0)
            first = worker.first
            if status:
                signal_number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
                if signal_number in (signal.SIGPROF, signal.SIGKILL):
                    yield first, "hang", f"more than {SECONDS} s"
                else:
                    worker.errors.seek(0)
                    said = " ".join(worker.errors.read().decode(errors="replace").split())[-300:]
                    yield first, "signal", (f"signal {signal_number}" if signal_number else f"exit {os.WEXITSTATUS(status)}") + f": {said}"
                first += worker.step
            launch(first)
        for worker in workers.values():
            # A deadlock uses no CPU time.
            number, began = worker.current()
            if began and time.monotonic() - began > 12 * SECONDS:
                os.kill(worker.pid, signal.SIGKILL)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", action="store_true", help="compile what is accepted, and run it")
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--case", type=int, help="run this one alone, in this process")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--save", type=pathlib.Path, help="folder for the models of failures, and of --case")
    args = parser.parse_args()

    models = seeds.load()
    mutator = mutate.Mutator(models, seeds.learn(models))

    def serve(number):
        model = mutator.case(number)
        return run(model, number) if args.run else check(model)

    def serve_all(numbers):
        return check_all([mutator.case(number) for number in numbers])

    def save(number):
        if args.save:
            args.save.mkdir(parents=True, exist_ok=True)
            (args.save / f"{number}.onnx").write_bytes(mutator.case(number))

    if args.case is not None:
        save(args.case)
        verdict, message = serve(args.case)
        print(f"{verdict}: {message}")
        return 0
    print(f"{len(models)} seeds, cases {args.first} to {args.first + args.count - 1}", flush=True)
    counts = collections.Counter()
    start = time.monotonic()
    for number, verdict, message in verdicts(range(args.first, args.first + args.count), args.jobs, serve, None if args.run else serve_all):
        counts[verdict] += 1
        if verdict not in ("good", "refused"):
            print(f"FAIL {number}: {verdict}: {message}", flush=True)
            save(number)
    print(", ".join(f"{verdict} {count}" for verdict, count in sorted(counts.items())) + f" in {time.monotonic() - start:.0f} s")
    good = counts["good"] + counts["refused"]
    print(f"{good} passed, {sum(counts.values()) - good} failed, 0 skipped")
    return 0 if good == sum(counts.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
