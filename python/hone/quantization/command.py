# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`hone quantize`. Exit codes are those of the other commands."""
import json
import os
import pathlib
import sys

import hone

from .. import command_line
from . import QuantizationError, quantize
from .ranges import METHODS, PERCENTILE


def _parser():
    parser = command_line.Parser(prog="hone quantize", allow_abbrev=False, usage="hone quantize MODEL --data FILE... [OPTION...]", description="Makes a model compute with integers of 8 bits, or stores its weights in 4 or 8: a standard ONNX file with QuantizeLinear and DequantizeLinear.")
    parser.add_argument("model", metavar="MODEL", help="the ONNX file, in float")
    parser.add_argument("-o", "--output", metavar="FILE", help="the quantized ONNX file (default: MODEL.quantized.onnx in the working folder)")
    data = parser.add_argument_group("data")
    data.add_argument("--data", nargs="+", action="extend", default=[], metavar="FILE", help=".npz files of all inputs, .npy files for a model with one, or folders of input_N.pb; a first dimension that the model does not have is of samples")
    data.add_argument("--random", type=int, default=0, metavar="N", help="N samples of random numbers, always the same: for times, not for accuracy")
    command_line.add_sizes(data, "for --random and for compiling")
    data.add_argument("--labels", metavar="FILE", help="the class of each sample, as .npy or as the last words of lines: accuracy is that of the first output")
    how = parser.add_argument_group("how")
    how.add_argument("--method", choices=["auto", *METHODS], default="auto", help="what ranges activations cover; auto: what gives the best outputs (default)")
    how.add_argument("--percentile", type=float, default=PERCENTILE, metavar="P", help="per cent of values that --method percentile covers (default: %(default)s)")
    how.add_argument("--activations", choices=["u8", "s8"], default="u8", help="the type of activations (default: %(default)s)")
    how.add_argument("--symmetric-activations", action="store_true", help="the zero point of activations is in the middle")
    how.add_argument("--asymmetric-weights", dest="symmetric_weights", action="store_false", help="weights have zero points")
    how.add_argument("--per-tensor", dest="per_channel", action="store_false", help="one scale for a weight instead of one for each channel")
    how.add_argument("--search-weights", action="store_true", help="scales of weights with the least square error instead of those that cover everything")
    how.add_argument("--weight-only", type=int, choices=[4, 8], default=0, metavar="BITS", help="only the weights of matrix products, in groups with 4 or 8 bits; needs no data")
    how.add_argument("--group-size", type=int, default=32, metavar="N", help="elements of a group (default: %(default)s)")
    how.add_argument("--smooth", type=float, metavar="ALPHA", help="move large channels of activations into weights, by a strength between 0 and 1, both excluded; 0.5 is usual")
    how.add_argument("--bias-correction", choices=["auto", "on", "off"], default="auto", help="add to biases what rounded weights lose on average (default: if outputs get better)")
    what = parser.add_argument_group("what stays in float")
    what.add_argument("--skip", action="append", default=[], metavar="NAME", help="the layer of this name, layers whose names match it as a pattern with *, ? and [...], or those of this operator")
    what.add_argument("--only", action="append", default=[], metavar="NAME", help="all layers but those")
    what.add_argument("--min-snr", type=float, metavar="DB", help="the layers that harm most, until the outputs have this signal-to-noise ratio")
    what.add_argument("--max-drop", type=float, metavar="POINTS", help="the layers that harm most, until accuracy by --labels drops by no more per cent")
    what.add_argument("--max-ms", type=float, metavar="MS", help="the layers that harm most for what they gain, as long as a run takes no more milliseconds here")
    what.add_argument("--min-gain", type=float, metavar="PERCENT", help="layers that are not faster here by more than so many per cent of their time; 0: those that gain nothing")
    other = parser.add_argument_group("other")
    other.add_argument("--sensitivity", action="store_true", help="also quantize each layer alone")
    other.add_argument("--no-measure", dest="measure", action="store_false", help="do not measure times")
    other.add_argument("--threads", type=int, default=0, metavar="N", help="threads of measured runs (default: one per processor)")
    other.add_argument("--state", metavar="FILE", help="keep there what was found, measured times included: a call that was stopped continues, and the same call again writes the same file")
    other.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def main(arguments=None):
    parser = _parser()
    options = vars(parser.parse_args(arguments))
    for name, least in ("random", 0), ("threads", 0):
        if options[name] < least:
            parser.error(f"argument --{name}: {options[name]} is below {least}")
    output, as_json = options.pop("output"), options.pop("json")
    options["correct_biases"] = {"auto": None, "on": True, "off": False}[options.pop("bias_correction")]
    model, shapes = options.pop("model"), options.pop("shapes")
    output = output or f"{pathlib.Path(model).stem}.quantized.onnx"
    progress = command_line.Progress()
    try:
        options["dims"] = command_line.dims_of(model, options["dims"], shapes, QuantizationError)
        folder = os.path.dirname(os.path.realpath(output))
        if os.path.isdir(output) or not os.path.isdir(folder):
            raise OSError(0, "it is a folder" if os.path.isdir(output) else "there is no such folder", output)
        report = quantize(model, options.pop("data"), output, progress=progress, **options)
        progress.end()
        print(json.dumps(report.as_json()) if as_json else f"{report}\n{output}: for hone compile, and other engines")
        return 0
    except OSError as error:
        # The output, the state, or what the compiler writes; its messages name the file.
        progress.end()
        reason = error.strerror or str(error)
        print("error: " + (f"cannot write '{error.filename}': {reason}" if error.filename else reason), file=sys.stderr)
        return 74
    except (QuantizationError, hone.CompileError, hone.RunError, MemoryError, KeyboardInterrupt) as error:
        return command_line.fail(progress, error)
    except ValueError as error:
        progress.end()
        parser.error(str(error))
