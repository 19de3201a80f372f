# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Checks the JSON and the trace of `hone bench --profile` of the tiny model on two threads: check_profile.py JSON TRACE"""
import json
import sys

profile = json.load(open(sys.argv[1]))["profile"]
steps = {step["name"]: step for step in profile["steps"]}
assert set(steps) == {"twice", "hand_over", "pick"}, steps
assert [step["ms"] for step in profile["steps"]] == sorted((step["ms"] for step in steps.values()), reverse=True)
twice, hand_over, pick = steps["twice"], steps["hand_over"], steps["pick"]
assert twice["nodes"] == ["double"] and twice["ops"] == ["Mul"] and twice["kind"] == "kernel", twice
assert hand_over["nodes"] == ["pick", "join"] and hand_over["ops"] == ["Gather", "Concat"], hand_over
assert twice["flop"] == 4000 and twice["bytes"] == 32004, twice
assert hand_over["flop"] is None and hand_over["gflops"] is None and hand_over["gbps"] > 0, hand_over
assert [step["arithmetic"] for step in (twice, hand_over, pick)] == [None] * 3, steps
assert pick["flop"] == 0 and pick["bound"] == "memory", pick
peak = profile["peak"]
assert peak["threads"] == 2 and peak["gflops"] > 0 and peak["gbps"] > 0, peak
for step in steps.values():
    assert step["launches"] == 1 and 0 <= step["min_launch_ms"], step
    assert abs(step["share"] - step["ms"] / profile["run_ms"]) < 1e-6, step
    seconds = max((step["flop"] or 0) / peak["gflops"], step["bytes"] / peak["gbps"]) * 1e-6
    assert abs(step["of_bound"] - seconds / step["ms"]) < 1e-3 * step["of_bound"], step
assert abs(profile["steps_ms"] - sum(step["ms"] for step in steps.values())) < 1e-9
assert profile["steps_ms"] <= profile["run_ms"] and 0 < profile["runs"] <= profile["all_runs"], profile

events = json.load(open(sys.argv[2]))["traceEvents"]
rows = {e["tid"]: e["args"]["name"] for e in events if e["ph"] == "M"}
assert rows == {0: "thread 0", 1: "thread 1"}, rows
spans = [e for e in events if e["ph"] == "X"]
assert len(spans) + len(rows) == len(events)
runs = [e for e in spans if e["cat"] == "run"]
assert len(runs) == 5, runs
for event in spans:
    assert event["tid"] in rows and event["ts"] >= 0 and event["dur"] >= 0, event
    inside = [r for r in runs if r["ts"] <= event["ts"] and event["ts"] + event["dur"] <= r["ts"] + r["dur"] + 1e-3]
    assert len(inside) == 1, event
for name in steps:
    assert sum(e["name"] == name and e["cat"] == "kernel" for e in spans) == 5, name
# Eight pieces, on whichever threads.
assert sum(e["args"]["pieces"] for e in spans if e["cat"] == "pieces") == 5 * 8
