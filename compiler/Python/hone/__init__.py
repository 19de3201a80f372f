# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Hone: compiles neural-network graphs to shared libraries, and runs them.

    import hone
    model = hone.compile("model.onnx")
    outputs = model(x)
"""
from typing import TYPE_CHECKING, Any

from . import errors
from ._hone import DeviceTensor, __version__
from .compilation import check, compile, compile_library
from .errors import CompileError, Error, RunError
from .model import Info, Kernel, Model, Value, load
from .profile import Peak, Profile, Step

if TYPE_CHECKING:
    from .quantization import LayerReport as LayerReport, QuantizationError as QuantizationError, Report as Report, quantize as quantize

__all__ = [
    "CompileError", "DeviceTensor", "Error", "Info", "Kernel", "Model", "Peak", "Profile", "RunError", "Step", "Value",
    "check", "compile", "compile_library", "errors", "load",
]


def __getattr__(name: str) -> Any:
    """Quantization needs the onnx package, and is loaded when it is asked for."""
    if name in ("LayerReport", "QuantizationError", "Report", "quantize"):
        from . import quantization

        return getattr(quantization, name)
    raise AttributeError(f"module 'hone' has no attribute '{name}'")


CompileError.__module__ = DeviceTensor.__module__ = Error.__module__ = RunError.__module__ = "hone"
