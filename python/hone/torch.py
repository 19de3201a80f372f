# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Hone behind torch.compile, and for exported programs:

    import hone.torch
    fast = torch.compile(model, backend="hone")
    fast = hone.torch.compile(torch.export.export(model, inputs))

Graphs go through torch's exporter to ONNX, which needs the packages torch, onnx and onnxscript. Compiled code is for
inference on the CPU. Parameters are packed into it, as the products want them. When one is changed, its graph is compiled
again; changes through `.data`, which torch does not count, are not seen.
"""
from __future__ import annotations

import copy
import os
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch._dynamo import register_backend

from .compilation import compile as _compile_model
from .errors import ArgumentTypeError
from .model import Model

__all__ = ["Program", "backend", "compile"]

# A protobuf of ONNX holds less than 2 GiB; larger models are written to files.
_MOST_BYTES = 1 << 30
# Shapes that one graph is compiled for; further ones run in torch.
_MOST_SHAPES = 8


def compile(exported: torch.export.ExportedProgram, **options: Any) -> Program:
    """Compiles an exported program: a Program, which takes and returns torch tensors as the program's module does. `options`
    are those of hone.compile. Dimensions that were exported as dynamic are free. Raises hone.CompileError where the program
    cannot be compiled, and ValueError where it changes its inputs or
    its own state, or returns one of them."""
    if not isinstance(exported, torch.export.ExportedProgram):
        raise ArgumentTypeError(f"exported must be a torch.export.ExportedProgram, not {type(exported).__name__}")
    return Program(exported, options)


class Program:
    """An exported program, compiled. Called as the module that was exported."""

    model: Model

    def __init__(self, exported: torch.export.ExportedProgram, options: dict[str, Any]) -> None:
        # An export keeps what happens in place; without decompositions it only becomes functional.
        exported = exported.run_decompositions({})
        signature = exported.graph_signature
        changed = [*signature.buffers_to_mutate.values(), *signature.user_inputs_to_mutate.values()]
        if changed:
            raise ValueError(f"the program changes {', '.join(changed)}, and compiled code changes nothing")
        self._in_spec, self._out_spec = exported.call_spec.in_spec, exported.call_spec.out_spec
        self.model = _compile_onnx(torch.onnx.export(exported, dynamo=True, verbose=False), options)
        outputs = _values_of_outputs(exported)
        memories = {_memory_of(node.meta["val"]) for node in exported.graph.nodes if node.op == "placeholder" and isinstance(node.meta["val"], torch.Tensor)}
        if any(isinstance(value, torch.Tensor) and _memory_of(value) in memories for value in outputs):
            raise ValueError("the program returns an input or a part of one, and results of compiled code are new tensors")
        self._constants = {i: value for i, value in enumerate(outputs) if not isinstance(value, torch.Tensor)}
        self._run = _Runner(self.model, [value for value in outputs if isinstance(value, torch.Tensor)])

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        flat, spec = torch.utils._pytree.tree_flatten((args, kwargs))
        if spec != self._in_spec:
            raise TypeError(f"the arguments are not nested as those of the export: {spec}, not {self._in_spec}")
        results = iter(self._run([value for value in flat if isinstance(value, torch.Tensor)]))
        count = len(self._constants) + len(self._run.outputs)
        return torch.utils._pytree.tree_unflatten([self._constants[i] if i in self._constants else next(results) for i in range(count)], self._out_spec)


@register_backend(name="hone")
def backend(graph: torch.fx.GraphModule, example_inputs: Sequence[Any], *, options: dict[str, Any] | None = None) -> Callable[..., Any]:
    """What torch.compile(model, backend="hone", options={...}) calls for each graph; `options` are those of hone.compile.

    A graph runs in torch, and a warning says why, where it is part of a training step, changes its inputs or returns views
    of them, is not on the CPU, or cannot be compiled."""
    return _Graph(graph, list(example_inputs), dict(options or {}))


class _Graph:
    """A graph of torch.compile. It is compiled when it is called with shapes for the first time."""

    def __init__(self, graph: torch.fx.GraphModule, inputs: list[Any], options: dict[str, Any]) -> None:
        self._graph, self._options = graph, options
        self._lock = threading.Lock()
        self._compiled: dict[tuple[Any, ...], Callable[..., Any]] = {}
        self._parameters: list[Any] = []  # of what is compiled, so that no other gets the address of one
        self._placeholders = [node for node in graph.graph.nodes if node.op == "placeholder"]
        self._is_static = ["_dynamo_static_input_type" in (node.meta.get("tensor_dict") or {}) for node in self._placeholders]
        reason = self._refusal(inputs)
        if reason:
            self._warn(reason)
        self._runs_in_torch = bool(reason)

    def __call__(self, *args: Any) -> Any:
        if self._runs_in_torch:
            return self._graph(*args)
        key = tuple(self._identity(value, static) for value, static in zip(args, self._is_static))
        compiled = self._compiled.get(key)
        if compiled is None:
            with self._lock:
                compiled = self._compiled.get(key) or self._compile(key, args)
        return compiled(*args)

    @staticmethod
    def _identity(value: Any, is_static: bool) -> Any:
        """What a graph is compiled for: the content of a parameter, the shape of another tensor, a number itself."""
        if not isinstance(value, torch.Tensor):
            return value
        if is_static:
            return value.data_ptr(), value._version
        return value.shape

    def _refusal(self, inputs: list[Any]) -> str | None:
        tensors = [value for value in inputs if isinstance(value, torch.Tensor)] + [*self._graph.parameters(), *self._graph.buffers()]
        if torch.is_grad_enabled() and any(value.requires_grad for value in tensors):
            return "it is part of a training step: call the model under torch.no_grad()"
        elsewhere = {value.device.type for value in tensors} - {"cpu"}
        return f"it has tensors on {', '.join(sorted(elsewhere))}, and only those of the CPU are supported" if elsewhere else None

    def _warn(self, reason: str) -> None:
        warnings.warn(f"a graph of {sum(node.op.startswith('call') for node in self._graph.graph.nodes)} operations runs in torch, not in Hone: {reason}", stacklevel=3)

    def _compile(self, key: tuple[Any, ...], args: tuple[Any, ...]) -> Callable[..., Any]:
        if len(self._compiled) >= _MOST_SHAPES:
            self._warn(f"it was compiled for {_MOST_SHAPES} shapes before")
            compiled: Callable[..., Any] = self._graph
        else:
            try:
                compiled = self._compile_for(args)
            except Exception as raised:  # the exporter raises many kinds
                error: BaseException = raised
                while error.__cause__ is not None:  # the exporter's own, and not its advice
                    error = error.__cause__
                self._warn(f"{type(error).__name__}: {error}")
                compiled = self._graph
        self._parameters += [value for value, is_static in zip(args, self._is_static) if is_static]
        self._compiled[key] = compiled
        return compiled

    def _compile_for(self, args: tuple[Any, ...]) -> Callable[..., Any]:
        """The graph with its parameters and numbers as constants."""
        module = copy.copy(self._graph)
        module.graph = copy.deepcopy(self._graph.graph)
        variable = []
        for i, (node, value) in enumerate(zip([n for n in module.graph.nodes if n.op == "placeholder"], args)):
            if isinstance(value, torch.Tensor) and not self._is_static[i]:
                variable.append(i)
                continue
            if isinstance(value, torch.Tensor):
                module.register_buffer(f"_hone_{i}", value.detach(), persistent=False)
                with module.graph.inserting_before(node):
                    node.replace_all_uses_with(module.graph.get_attr(f"_hone_{i}"))
            else:
                node.replace_all_uses_with(value)
            module.graph.erase_node(node)
        module.recompile()
        with torch.no_grad():
            program = Program(torch.export.export(module, tuple(args[i].detach() for i in variable)), self._options)
        return lambda *given: program(*(given[i] for i in variable))


class _Runner:
    """Runs a model with torch tensors in the order of its inputs, for outputs that are like `outputs`: with their strides,
    and in one memory where they share it. Where dimensions are free, outputs are contiguous, each in memory of its own."""

    def __init__(self, model: Model, outputs: list[torch.Tensor]) -> None:
        self.outputs = outputs
        self._model = model
        self._names = [value.name for value in model.outputs]
        self._inputs = [value.name for value in model.inputs]
        self._are_known = all(isinstance(size, int) for value in outputs for size in value.shape)
        if not self._are_known:
            return
        self._memories: dict[int, int] = {}  # bytes of each
        for value in outputs:
            self._memories[_memory_of(value)] = value.untyped_storage().nbytes()
        # Outputs that fill their memory in order are written in place, and others in the same memory are parts of them.
        self._is_whole = [value.is_contiguous() and value.numel() * value.itemsize == self._memories[_memory_of(value)] for value in outputs]
        whole = {_memory_of(value) for value, is_whole in zip(outputs, self._is_whole) if is_whole}
        self._is_copied = [_memory_of(value) not in whole for value in outputs]

    def __call__(self, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
        feeds = {name: value.detach() for name, value in zip(self._inputs, inputs)}
        if not self._are_known:
            run = self._model.run(feeds)
            return [torch.from_numpy(run[name]) for name in self._names]
        memories = {memory: torch.empty(size, dtype=torch.uint8) for memory, size in self._memories.items()}
        results = [memories[_memory_of(value)].view(value.dtype).as_strided(value.shape, value.stride(), value.storage_offset()) for value in self.outputs]
        out = {}
        for name, result, is_whole in zip(self._names, results, self._is_whole):
            out[name] = result if is_whole and not _has(out.values(), result) else torch.empty(result.shape, dtype=result.dtype)
        self._model.run(feeds, out=out)
        for name, result, is_copied in zip(self._names, results, self._is_copied):
            if is_copied:
                result.copy_(out[name])
        return results


def _memory_of(value: torch.Tensor) -> int:
    return value.untyped_storage()._cdata


def _has(values: Iterable[torch.Tensor], one: torch.Tensor) -> bool:
    """Whether one of the tensors begins where this one does."""
    return any(value.data_ptr() == one.data_ptr() for value in values)


def _values_of_outputs(exported: torch.export.ExportedProgram) -> list[Any]:
    """The outputs of a program: fake tensors, or constants."""
    (output,) = [node for node in exported.graph.nodes if node.op == "output"]
    return [value.meta["val"] if isinstance(value, torch.fx.Node) else value for value in output.args[0]]


def _compile_onnx(program: Any, options: dict[str, Any]) -> Model:
    if sum(value.const_value.nbytes for value in program.model.graph.initializers.values() if value.const_value is not None) < _MOST_BYTES:
        return _compile_model(program.model_proto, **options)
    with tempfile.TemporaryDirectory(prefix="hone-") as folder:
        path = os.path.join(folder, "model.onnx")
        program.save(path, external_data=True)
        return _compile_model(path, **options)
