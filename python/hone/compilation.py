# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiling models, to be run here or taken elsewhere."""
from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from . import _compiler, arguments, custom
from .errors import CompileFileNotFoundError
from .model import Model, TemporaryLibrary, load


def check(
    model: arguments.Source,
    *,
    dims: Mapping[str, int] | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
    overrides: Iterable[str] | None = None,
    custom_ops: arguments.Path | Iterable[arguments.Path] = (),
    operators: custom.Operators | Iterable[str] | None = None,
    progress: arguments.Progress | None = None,
) -> list[str]:
    """Everything in a model that would not compile: a list of messages, empty where it would compile. Nothing is
    written.

    `model`, `dims`, `shapes`, `overrides`, `custom_ops`, `operators` and `progress` are those of compile_library, and so are the errors of wrong arguments."""
    given = arguments.source(model)
    _check_file(given)
    return _compiler.check(given, arguments.sizes(dims), arguments.shapes(shapes), arguments.names(overrides), arguments.paths("custom_ops", custom_ops), list(custom.names(operators)), arguments.callback("progress", progress))


def compile_library(
    model: arguments.Source,
    output: arguments.Path,
    *,
    target: str = "cpu",
    cpu: str = "native",
    gpu: str | None = None,
    dims: Mapping[str, int] | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
    overrides: Iterable[str] | None = None,
    precision: str = "f32",
    threads: int = 0,
    symbol: str = "hone_model",
    tuned: arguments.Path | Iterable[arguments.Path] = (),
    custom_ops: arguments.Path | Iterable[arguments.Path] = (),
    operators: custom.Operators | Iterable[str] | None = None,
    pipelines: Mapping[str, str] | None = None,
    plugins: arguments.Path | Iterable[arguments.Path] = (),
    report: arguments.Path | None = None,
    progress: arguments.Progress | None = None,
) -> None:
    """Compiles a model, of ONNX or MLIR, to a library for whatever machine it is taken to. Nothing is opened.

    model      the path of a file (of ONNX, or MLIR: .mlir, .mlirbc), its content as bytes (of ONNX, or bytecode of MLIR),
               a file opened in binary mode, or an onnx.ModelProto
    output     the path of the library; one that ends in .a is an archive to link statically
    target     "cpu", "cuda", or "cuda,cpu", which falls back to the CPU
    cpu        CPU levels or names, separated by commas, as in "x86-64-v3,x86-64-v4": the library chooses the best one that
               fits; "native" is this machine's
    gpu        chips to contain machine code for, separated by commas; None: those that the target has of itself, for cuda
               sm_80 and sm_90a
    dims       sizes of free dimensions by name, {"batch": 1}: the fewer are free, the more is planned in advance
    shapes     all sizes of inputs by name, {"x": (1, 3, 224, 224)}, which fix their free dimensions
    overrides  names of initializers that become inputs with a default value; None: those that the model lists as inputs,
               where they are small
    precision  "f32"; "bf16" or "f16", which round the weights of products to these types and sum in f32; "auto", which
               does so where it is faster at all CPU levels and loses little
    threads    how many threads runs will use, at most 1024; 0 for one per processor
    symbol     the function that the library exports, an identifier of C
    tuned      the path of a file that `hone tune` wrote, or a list of them
    custom_ops  object files and archives with operators that Hone does not have, in C (hone/custom.h): a path, or a list
    operators  operators whose code the library does not contain: names, "com.example:Gate", or a dict of functions by name,
               as hone.load takes it. Types of their outputs must be in the model (value_info)
    pipelines  pipelines of MLIR passes to run after phases, {"graph": "builtin.module(func.func(canonicalize))"};
               there are "import", "graph", "linalg", "buffer" and "llvm"
    plugins    the path of a library with passes for them, or a list of such
    report     the path of a page of HTML that describes the library: its kernels as a graph, their cost and schedules, and
               the memory over time
    progress   called as progress(activity, fraction) about every 50 ms, in this thread, with a str and a float from 0 to 1;
               an exception that it raises ends the compilation and is passed on

    Raises CompileError when the model cannot be compiled, which is also a FileNotFoundError if it does not exist, and an
    OSError if the library cannot be written; ArgumentValueError and ArgumentTypeError, which are a ValueError and a
    TypeError, for wrong options; KeyboardInterrupt on Ctrl-C. Whatever happens, no partial library is left."""
    given = arguments.source(model)
    _check_file(given)
    _compiler.compile(
        given,
        arguments.path("output", output),
        target=arguments.text("target", target),
        cpu=arguments.text("cpu", cpu),
        gpu=None if gpu is None else arguments.text("gpu", gpu),
        dims=arguments.sizes(dims),
        shapes=arguments.shapes(shapes),
        overrides=arguments.names(overrides),
        precision=arguments.text("precision", precision),
        threads=arguments.threads(threads),
        symbol=arguments.text("symbol", symbol),
        tuned=arguments.paths("tuned", tuned),
        custom_ops=arguments.paths("custom_ops", custom_ops),
        session_ops=list(custom.names(operators)),
        pipelines=arguments.pipelines(pipelines),
        plugins=arguments.paths("plugins", plugins),
        report=None if report is None else arguments.path("report", report),
        progress=arguments.callback("progress", progress),
    )


def compile(
    model: arguments.Source,
    *,
    output: arguments.Path | None = None,
    target: str = "cpu",
    cpu: str = "native",
    gpu: str | None = None,
    dims: Mapping[str, int] | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
    overrides: Iterable[str] | None = None,
    precision: str = "f32",
    threads: int = 0,
    symbol: str = "hone_model",
    tuned: arguments.Path | Iterable[arguments.Path] = (),
    custom_ops: arguments.Path | Iterable[arguments.Path] = (),
    operators: custom.Operators | None = None,
    pipelines: Mapping[str, str] | None = None,
    plugins: arguments.Path | Iterable[arguments.Path] = (),
    report: arguments.Path | None = None,
    progress: arguments.Progress | None = None,
) -> Model:
    """Compiles a model, of ONNX or MLIR, and opens it: a Model. `output` is the path of the library that is to be kept, None for one in
    memory only. Other options and errors are those of compile_library, and RunError if the model cannot run on this
    machine."""
    options: dict[str, Any] = dict(target=target, cpu=cpu, gpu=gpu, dims=dims, shapes=shapes, overrides=overrides, precision=precision, threads=threads, symbol=symbol, tuned=tuned, custom_ops=custom_ops, operators=operators, pipelines=pipelines, plugins=plugins, report=report, progress=progress)
    if output is not None:
        output = arguments.path("output", output)
        compile_library(model, output, **options)
        return load(output, threads=threads, symbol=symbol, operators=operators)
    with TemporaryLibrary() as library:
        compile_library(model, library.path, **options)
        return library.open(threads=threads, symbol=symbol, operators=operators)


def _check_file(model: bytes | str) -> None:
    if isinstance(model, str) and not os.path.exists(model):
        raise CompileFileNotFoundError(errno.ENOENT, f"there is no model {model!r}", model)
