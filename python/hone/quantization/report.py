# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What quantization did: for each layer, and for the whole."""
import dataclasses
import math


@dataclasses.dataclass
class LayerReport:
    """`signal_to_noise` is that of the layer's results in the quantized model, `own_signal_to_noise` that of the model's outputs
    with this layer alone quantized, both in dB. Times are of a run, in seconds. None is what was not measured."""

    node: str
    op: str
    quantized: bool
    reason: str = ""
    signal_to_noise: float | None = None
    own_signal_to_noise: float | None = None
    float_seconds: float | None = None
    quantized_seconds: float | None = None


@dataclasses.dataclass
class Report:
    """`signal_to_noise` is that of the worst output in dB; `accuracy` the metric of the quantized model and `float_accuracy` of the
    model in float, in per cent for labels. `model` is the ONNX file as bytes."""

    model: bytes
    layers: list
    method: str
    samples: int
    bias_corrected: bool
    signal_to_noise: float | None = None
    float_accuracy: float | None = None
    accuracy: float | None = None
    float_seconds: float | None = None
    quantized_seconds: float | None = None
    float_bytes: int = 0

    def as_json(self):
        """Everything but the model, for json.dumps."""
        held = dataclasses.asdict(self)
        held["bytes"] = len(held.pop("model"))
        return _finite(held)

    def __str__(self):
        measured = any(layer.quantized_seconds is not None for layer in self.layers)
        own = any(layer.own_signal_to_noise is not None for layer in self.layers)
        header = f"{'SNR dB':>8}"
        header += f"{'alone dB':>10}" if own else ""
        header += f"{'us float':>11}{'us now':>11}{'gain':>8}" if measured else ""
        lines = [f"{header}  layer"]
        for layer in self.layers:
            line = f"{_number(layer.signal_to_noise, '8.1f')}"
            line += f"{_number(layer.own_signal_to_noise, '10.1f')}" if own else ""
            if measured:
                before, after = layer.float_seconds, layer.quantized_seconds
                gain = None if not before or after is None else 100 * (1 - after / before)
                line += f"{_number(before and before * 1e6, '11.2f')}{_number(None if after is None else after * 1e6, '11.2f')}{_number(gain, '7.1f')}{'%' if gain is not None else ' '}"
            lines.append(f"{line}  {layer.node} ({layer.op}){'' if layer.quantized else ': float, ' + layer.reason}")
        count = sum(layer.quantized for layer in self.layers)
        lines.append(f"{count} of {len(self.layers)} layers quantized; {self.float_bytes} bytes before, {len(self.model)} now")
        if self.method:
            lines.append(f"ranges: {self.method}, of {self.samples} samples{'; biases corrected' if self.bias_corrected else ''}")
        if self.signal_to_noise is not None:
            lines.append(f"outputs: signal to noise {_number(self.signal_to_noise, '.1f')} dB")
        if self.accuracy is not None:
            lines.append(f"accuracy: {self.float_accuracy:.2f} in float, {self.accuracy:.2f} now")
        if self.quantized_seconds is not None:
            lines.append(f"a run takes {self.quantized_seconds * 1e3:.4f} ms, and {self.float_seconds * 1e3:.4f} ms in float: {self.float_seconds / self.quantized_seconds:.2f} times as fast")
        return "\n".join(lines)


def _number(value, form):
    """Right-aligned as numbers are, also what is no number."""
    if value is None:
        return format("-", f">{form.split('.')[0]}")
    return format("inf", f">{form.split('.')[0]}") if math.isinf(value) and value > 0 else format(value, form)


def _finite(held):
    if isinstance(held, dict):
        return {name: _finite(value) for name, value in held.items()}
    if isinstance(held, list):
        return [_finite(value) for value in held]
    return None if isinstance(held, float) and not math.isfinite(held) else held
