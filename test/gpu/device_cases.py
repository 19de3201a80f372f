# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs packed cases on the device and compares with expected outputs."""
import collections
import ctypes
import json
import os
import pathlib
import re
import shutil
import tempfile

import hone_runtime
import values
import workers
from closeness import NARROW, difference

# A plan without work on the host is recorded in its second run and replayed from the third on.
RUNS = 3


class Bundle:
    """The packed folder; cases are unpacked beside it once."""

    def __init__(self, folder):
        self.folder = folder / "cases"
        if not self.folder.exists():
            scratch = tempfile.mkdtemp(dir=folder)
            shutil.unpack_archive(folder / "cases.tar.xz", scratch)
            os.rename(scratch, self.folder)
        manifest = json.loads((self.folder / "manifest.json").read_text())
        self.target, self.gpu, self.listed = manifest["target"], manifest["gpu"], set(manifest["listed"])
        self.cases, self.timings, self.skipped = manifest["cases"], manifest["timings"], manifest["skipped"]
        self.runtime = hone_runtime.Runtime(folder / "libhone_runtime.so")
        self.narrow = values.Narrow(self.folder / "narrow.json")
        self.driver = None

    def model(self, entry):
        return hone_runtime.Model(self.runtime, self.folder / entry["library"])

    def probe(self, entry):
        """("device", its name), or why there is none."""
        try:
            return "device", hone_runtime.Runner(self.model(entry)).stats().device.decode()
        except hone_runtime.Failure as failure:
            return "none", str(failure)

    def device(self):
        """Like probe, in a separate process: this one is forked, and stays without a driver."""
        entry = next((e for e in [*self.cases, *self.timings] if e.get("on_device")), None)
        if not entry:
            return workers.Result("none", "nothing here has code for one", 0)
        return next(workers.run_cases([entry], self.probe, 1, 120))[1]

    def run_case(self, case):
        """(verdict, detail, whether this process can run no more); the detail of one that passes
        is where its kernels ran."""
        if "amiss" in case:
            return "compile", case["amiss"], False
        try:
            model = self.model(case)
            verdict, detail = self.run_model(model, case)
            model.close()
        except hone_runtime.Failure as failure:
            return "run", told(case, str(failure)), failure.status == hone_runtime.DEVICE_FAILED
        return verdict, detail if verdict == "pass" else told(case, detail), False

    def run_model(self, model, case):
        runner = hone_runtime.Runner(model)
        stats = runner.stats()
        if model.device_kernels and not stats.device:
            return "run", f"ran on the CPU: {(stats.device_note or b'?').decode()}"
        self.hold_context(model)
        data = (self.folder / case["data"]).read_bytes()
        blob = (ctypes.c_char * len(data)).from_buffer_copy(data)
        for number, data_set in enumerate(case["sets"]):
            keep = [blob]
            for name, encoded in data_set["inputs"].items():
                runner.set_input(name.encode(), values.to_runtime(encoded, blob, keep))
            for run in range(RUNS):
                runner.run()
                for name, encoded in data_set["outputs"].items() if run in (0, RUNS - 1) else ():
                    amiss = self.compare(case, encoded, data, runner.output(name.encode()))
                    if amiss:
                        return "wrong", f"data set {number}, run {run + 1}, output {name}: {amiss}"
        runner.close()
        everywhere = model.device_kernels == model.kernels
        return "pass", ("host" if not model.device_kernels else "device" if everywhere else "both")

    def hold_context(self, model):
        """Keeps the device's context, which each session would otherwise create and destroy."""
        if model.device_kernels and not self.driver:
            self.driver = hone_runtime.Driver(model.device.driver.decode())

    def compare(self, case, encoded, data, value):
        if isinstance(encoded, dict) and encoded.get("type", value.content.tensor.type) != value.content.tensor.type:
            return f"element type {value.content.tensor.type}, expected {encoded['type']}"
        want, got = values.to_numpy(encoded, data, self.narrow), values.from_runtime(value, self.narrow)
        # Types that numpy lacks come as f32.
        narrow = isinstance(encoded, dict) and "type" in encoded and encoded["type"] not in values.DTYPES
        return difference(want, got, case.get("loose", False), case.get("tolerance") or (NARROW if narrow else None))


def told(case, detail):
    return f"({', '.join(case['operators'][:6])}) {detail}"


def run(bundle, only, jobs, timeout):
    """All cases in reused worker processes; the exit status."""
    cases = [c for c in bundle.cases if re.search(only, c["name"])]
    results, where = {}, collections.Counter()
    for case, result in workers.run_cases(cases, bundle.run_case, jobs, timeout):
        results[case["name"]] = result
        if result.verdict == "pass":
            where[result.detail] += 1
    for name, reason in bundle.skipped.items():
        if re.search(only, name):
            results[name] = workers.Result("skip", reason, 0)
    alone, both, host = where["device"], where["both"], where["host"]
    print(f"of those that pass, {alone} run on the device alone, {both} there and on the CPU, {host} have no kernel for it")
    return workers.judge(results, bundle.listed & set(results), pathlib.Path("test/e2e/*-xfail.txt"), "", False)


def run_here(bundle, names):
    """The named cases in this process, for a tool that watches it; each is announced."""
    amiss = 0
    for case in bundle.cases:
        if case["name"] in names:
            print(f"case {case['name']}", flush=True)
            verdict, detail, spoilt = bundle.run_case(case)
            if verdict != "pass":
                print(f"{verdict}: {detail}", flush=True)
                amiss += 1
            if spoilt:
                break
    return 1 if amiss else 0
