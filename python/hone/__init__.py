# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Hone: compiles neural-network graphs to shared libraries, and runs them.

    import hone
    model = hone.compile("model.onnx")
    outputs = model(x)
"""
from typing import TYPE_CHECKING, Any

from . import errors
from ._runtime import DeviceTensor, __version__
from .errors import CompileError, Error, RunError
from .model import Info, Kernel, Model, Value, load
from .profile import Peak, Profile, Step

try:
    from .compilation import check, compile, compile_library
except ModuleNotFoundError as _missing:
    if _missing.name != f"{__name__}.compilation":
        raise
    _HAS_COMPILER = False
else:
    _HAS_COMPILER = True

if TYPE_CHECKING:
    from .quantization import LayerReport as LayerReport, QuantizationError as QuantizationError, Report as Report, quantize as quantize

_COMPILER = ("check", "compile", "compile_library")
_QUANTIZATION = ("LayerReport", "QuantizationError", "Report", "quantize")

__all__ = [
    "CompileError", "DeviceTensor", "Error", "Info", "Kernel", "Model", "Peak", "Profile", "RunError", "Step", "Value",
    "errors", "load", *(_COMPILER if _HAS_COMPILER else ()),
]


def __getattr__(name: str) -> Any:
    """Quantization needs the onnx package, and is loaded when it is asked for. hone-runtime has neither it nor the
    compiler."""
    if name in _COMPILER + _QUANTIZATION and not _HAS_COMPILER:
        raise AttributeError(f"'hone.{name}' is part of the package hone; this is hone-runtime, which only runs compiled models")
    if name in _QUANTIZATION:
        from . import quantization

        return getattr(quantization, name)
    raise AttributeError(f"module 'hone' has no attribute '{name}'")


CompileError.__module__ = DeviceTensor.__module__ = Error.__module__ = RunError.__module__ = "hone"
