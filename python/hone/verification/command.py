# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`hone verify`. Exit codes are those of the other commands; 1 also if results differ."""
import dataclasses
import json
import sys
import types

import hone

from .. import command_line
from ..quantization import QuantizationError
from ..quantization.samples import load_samples
from . import VerificationError, verify


def _parser():
    parser = command_line.Parser(prog="hone verify", allow_abbrev=False, usage="hone verify MODEL [OPTION...]", description="Compares what a compiled model computes with ONNX Runtime, or with ONNX's own interpreter where that is not installed, and names the first node that differs.")
    parser.add_argument("model", metavar="MODEL", help="the model, an ONNX file")
    parser.add_argument("--input", dest="data", metavar="FILE", help="a .npz file of all inputs, a .npy file for a model with one, or a folder of input_N.pb (default: random numbers)")
    command_line.add_sizes(parser, "of random inputs")
    parser.add_argument("--cpu", default="native", metavar="LEVEL", help="the CPU level (default: %(default)s)")
    parser.add_argument("--precision", default="f32", metavar="TYPE", help="as in 'hone compile --precision' (default: %(default)s)")
    parser.add_argument("--rtol", type=float, metavar="X", help="how far floats may be from the reference, relative to the largest of a tensor (default: 0.001; 0.02 for floats under 32 bits)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _shown(text):
    """Names come from models: without control characters."""
    if isinstance(text, float):
        return f"{text:.7g}"
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in str(text))


def _print(result):
    for output in result.outputs:
        verdict = "differs" if output.tensor in result.wrong else "agrees"
        print(f"{_shown(output.tensor)}: {verdict} with {result.reference}, by {output.error:.3g} of the largest element at most")
    if not result.wrong:
        return
    culprit = result.culprit
    if culprit is None:
        print("no node differs when the model ends there: 'hone compile --explain' lists what the passes did to the whole model")
        return
    operator = _shown(f"'{culprit.node}' ({culprit.operator} of {culprit.domain}, opset {culprit.opset})")
    print(f"first wrong: node {operator}, in {', '.join(culprit.kernels) or 'no kernel'}")
    difference = culprit.difference
    print(f"  {_shown(difference.tensor)}{list(difference.index)} is {_shown(difference.got)}, and {_shown(difference.expected)} by {result.reference}")
    if culprit.alone is not None:
        print("  it is wrong by itself as well" if culprit.alone else "  by itself it is right: what combines it with other nodes is wrong")


def main(arguments=None):
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.rtol is not None and not options.rtol >= 0:
        parser.error(f"--rtol: {options.rtol} is below 0")
    progress = command_line.Progress()
    try:
        model = command_line.load(options.model, VerificationError)
        dims = command_line.dims_of(options.model, options.dims, options.shapes, VerificationError)
        constants = {tensor.name for tensor in model.graph.initializer}
        graph = types.SimpleNamespace(model=model, inputs=[value.name for value in model.graph.input if value.name not in constants])
        samples = load_samples(graph, options.data, 0 if options.data else 1, dims)
        feeds = samples.runs[0][0]
        result = verify(model, feeds, rtol=options.rtol, progress=progress, cpu=options.cpu, precision=options.precision)
        progress.end()
        if options.json:
            print(json.dumps(dataclasses.asdict(result), default=str))
        else:
            _print(result)
        return 1 if result.wrong else 0
    except (VerificationError, QuantizationError, hone.CompileError, hone.RunError, MemoryError, KeyboardInterrupt) as error:
        return command_line.fail(progress, error)
    except ValueError as error:
        command_line.fail(progress, error)
        return 2
