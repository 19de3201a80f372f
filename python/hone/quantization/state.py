# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What a quantization has found so far, in a file, so that one that was stopped continues; measured times are kept, and with
them the decisions that rest on them."""
import json

from .graph import QuantizationError, write_file

FORMAT = 1


class State:
    """Results by stage. One counts only for the inputs that it was computed from, which `key` identifies."""

    def __init__(self, path=None):
        self._path = path
        self._held = {}
        if path is None:
            return
        try:
            with open(path, encoding="utf-8") as file:
                held = json.load(file)
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            raise QuantizationError(f"{path}: cannot be read as a state: {getattr(error, 'strerror', None) or error}; remove it to start over") from None
        if not isinstance(held, dict) or held.get("hone_quantization") != FORMAT or not isinstance(held.get("stages"), dict):
            raise QuantizationError(f"{path}: not a state of 'hone quantize'; give another name")
        self._held = held["stages"]

    def get(self, stage, key, compute):
        """The stage's result, which is JSON, or what `compute` returns, which is then kept."""
        held = self._held.get(stage)
        if isinstance(held, dict) and held.get("key") == key and "result" in held:
            return held["result"]
        result = compute()
        self._held[stage] = {"key": key, "result": result}
        if self._path is not None:
            write_file(self._path, json.dumps({"hone_quantization": FORMAT, "stages": self._held}).encode())
        return result
