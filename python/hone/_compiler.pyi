# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The extension module that compiles: arguments come checked."""
from collections.abc import Callable

def compile(
    model: bytes | str,
    output: str,
    target: str,
    cpu: str,
    gpu: str | None,
    dims: dict[str, int],
    shapes: dict[str, list[int]],
    overrides: list[str] | None,
    precision: str,
    threads: int,
    symbol: str,
    tuned: list[str],
    custom_ops: list[str],
    session_ops: list[str],
    pipelines: dict[str, str],
    plugins: list[str],
    report: str | None,
    progress: Callable[[str, float], object] | None,
) -> None: ...
def check(
    model: bytes | str, dims: dict[str, int], shapes: dict[str, list[int]], overrides: list[str] | None, custom_ops: list[str], session_ops: list[str], progress: Callable[[str, float], object] | None
) -> list[str]: ...
