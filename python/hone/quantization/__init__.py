# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Quantization of trained models; hone.quantize is the way in. Needs the onnx package."""
from .graph import QuantizationError, write_file
from .quantizer import Options, Quantizer
from .report import LayerReport, Report

__all__ = ["LayerReport", "QuantizationError", "Report", "quantize"]

for _class in LayerReport, QuantizationError, Report:
    _class.__module__ = "hone"


def quantize(model, data=None, output=None, *, random=0, labels=None, metric=None, dims=None, state=None, progress=None, **options):
    """Quantizes an ONNX model in float, given as a path, bytes or a ModelProto: a Report, whose `model` is a standard ONNX
    file with QuantizeLinear and DequantizeLinear; `output` is where to write it.

    `data` are samples: paths of .npz, .npy and folders of input_N.pb, dictionaries of arrays, or arrays for a model with one
    input. A first dimension that the model does not have, or fixes to 1, is of samples. `random` adds so many samples of
    random numbers, `dims` are sizes of free dimensions. `labels`, an array or a file, make the accuracy of the first output
    known; `metric` takes their place: a function of the list of {output: array}, one for each sample, that is larger for
    better ones. `state` is a file that keeps what was found; a call that was stopped continues. `progress` is called with a
    stage, what is done of it, and the total.

    `options`, as in `hone quantize --help`:
    `method`: "auto", "minmax", "percentile", "entropy" or "mse", for the ranges of activations; `percentile`.
    `activations`: "u8" or "s8"; `symmetric_activations`, `symmetric_weights`, `per_channel`, `search_weights`: booleans.
    `weight_only`: 4 or 8 bits in groups of `group_size` for the weights of matrix products alone, which needs no data.
    `smooth`: between 0 and 1, both excluded. `correct_biases`: True, False, or None for what is better.
    `skip`, `only`: names of layers, patterns of names with *, ? and [...], or operators.
    `min_snr` in dB, `max_drop` of the metric, `max_ms`, `min_gain` in per cent: budgets, for which layers stay in float.
    `measure`: whether to measure times, with `threads`; `sensitivity`: whether to quantize each layer alone.

    Raises QuantizationError when the model or the data are at fault, CompileError when the model does not compile,
    ValueError for a wrong option, and OSError when the file cannot be written."""
    for name in ("skip", "only"):
        value = options.get(name, ())
        options[name] = (value,) if isinstance(value, str) else tuple(value)
    report = Quantizer(model, data, Options(**options), random=random, labels=labels, metric=metric, dims=dims, state=state, progress=progress).quantize()
    if output is not None:
        if progress is not None:
            progress("write", 0, 1)
        write_file(output, report.model)
    return report
