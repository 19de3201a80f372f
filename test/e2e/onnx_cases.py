# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ONNX's own backend test cases: which there are for a target, and how one of them ends."""
import os
import pathlib
import re
import unittest
import warnings

# Where the cases on whole models unpack; by default the user's home.
if "HONE_BUILD" in os.environ:
    os.environ["ONNX_HOME"] = os.path.join(os.environ["HONE_BUILD"], "test", "onnx")

LIST = pathlib.Path(__file__).resolve().parent / "onnx-backend-xfail.txt"
# The generator is unspecified, so these cases' numbers are those of one library.
RANDOM = re.compile("^test_bernoulli")
RANDOM_REASON = "runs, but its reference holds another generator's random numbers"


class Case(tuple):
    """A (name, function) pair, of a whole model or of a few nodes."""

    def __new__(cls, name, function, is_whole):
        case = super().__new__(cls, (name, function))
        case.is_whole = is_whole
        return case


def collect(backend, target, only="", check=None):
    """The Cases of `backend` whose names `only` matches, and
    {name: reason} of those that make no sense for the target. `check` takes the place of the
    comparison of outputs: check(ref_outputs, outputs, rtol, atol, model_dir)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.runner import Runner

        kind = type("CheckedRunner", (Runner,), {"assert_similar_outputs": staticmethod(check)}) if check else Runner
        runner = kind(backend)
    cases, skipped = [], {}
    for category, items in runner._test_items.items():
        chosen = [Case(n, i.func, category == "RealModel") for n, i in items.items() if n.endswith("_cpu") and re.search(only, n)]
        # An emulated device takes minutes for a photograph.
        if "emulated" in target and category == "RealModel":
            skipped.update({n: "a whole model, too slow where the device is emulated" for n, _ in chosen})
        else:
            cases += chosen
    return cases, skipped


def compare(ref_outputs, outputs, rtol, atol, model_dir=None):
    """Like onnx's Runner, which takes the length of a scalar in a sequence."""
    from onnx.backend.test.runner import Runner

    assert len(outputs) == len(ref_outputs), f"{len(outputs)} values, not {len(ref_outputs)}"
    for want, got in zip(ref_outputs, outputs):
        assert isinstance(want, (list, tuple)) == isinstance(got, (list, tuple)), f"{type(got)}, not {type(want)}"
        if isinstance(want, (list, tuple)):
            compare(want, got, rtol, atol, model_dir)
        else:
            Runner.assert_similar_outputs([want], [got], rtol, atol, model_dir)


def run_case(item):
    """(verdict, detail) of one (name, function) pair."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            item[1](unittest.TestCase())
        return "pass", ""
    except unittest.SkipTest as e:
        return "skip", str(e)
    except BaseException as e:  # noqa: BLE001: whatever it is, it is this case's
        kind = type(e).__name__
        verdict = {"CompileError": "compile", "RunError": "run", "AssertionError": "wrong"}.get(kind, "error")
        if verdict == "wrong" and RANDOM.match(item[0]):
            return "skip", RANDOM_REASON
        text = " ".join(str(e).split())[:300]
        return verdict, text if verdict in ("compile", "run", "wrong") else f"{kind}: {text}"
