# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""`python -m hone`, and the programs `hone` and `hone-opt` of a wheel; that of hone-runtime has hone-run alone."""
from __future__ import annotations

import importlib
import importlib
import os
import pathlib
import sys


def main() -> int:
    """Becomes the program `hone`, with the arguments of this process."""
    module = {"quantize": "quantization", "verify": "verification"}.get(sys.argv[1] if len(sys.argv) > 1 else "")
    if module:  # it is in Python: this one
        try:
            command = importlib.import_module(f".{module}.command", __package__)
        except ModuleNotFoundError as error:
            print(f"error: 'hone {sys.argv[1]}' needs the packages hone, numpy and onnx: {error}", file=sys.stderr)
            return 1
        return int(command.main(sys.argv[2:]))
    return _become("hone", "hone-run")


def opt() -> int:
    """Becomes the program `hone-opt`."""
    return _become("hone-opt", "hone-compile")


def _become(*names: str) -> int:
    package = pathlib.Path(__file__).resolve().parent
    # Inside the package, or beside it in a build tree and an installation; never this script.
    for folder in (package, *package.parents[:4]):
        for name in names:
            program = folder / "bin" / name
            if os.access(program, os.X_OK) and program.resolve() != pathlib.Path(sys.argv[0]).resolve():
                os.execv(program, [names[0], *sys.argv[1:]])
    print(f"error: {names[0]} is not part of this installation", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
