#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What type checkers and editors read of the package: annotations, the stubs of the extension modules, the version."""
import ast
import inspect
import os
import pathlib
import subprocess
import typing
import unittest

import hone
from hone import _compiler, _runtime

PACKAGE = pathlib.Path(hone.__file__).parent


def public(names):
    return {name for name in names if not name.startswith("_")}


class TypingTest(unittest.TestCase):
    def test_it_is_marked(self):
        self.assertTrue((PACKAGE / "py.typed").is_file())

    def test_the_stubs_have_what_the_modules_have(self):
        for module in (_compiler, _runtime):
            stub = ast.parse((PACKAGE / f"{module.__name__.split('.')[-1]}.pyi").read_text())
            named = {node.name: node for node in stub.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
            values = {node.target.id for node in stub.body if isinstance(node, ast.AnnAssign)}
            self.assertEqual(public(values | set(named)), public(dir(module)))
            for name, node in named.items():
                if isinstance(node, ast.ClassDef):
                    self.assertEqual(public(member.name for member in node.body), public(dir(getattr(module, name))), name)

    def test_everything_public_is_annotated_and_described(self):
        functions = [getattr(hone, name) for name in hone.__all__ if inspect.isfunction(getattr(hone, name))]
        functions += [member for name, member in inspect.getmembers(hone.Model, inspect.isfunction) if not name.startswith("_")]
        self.assertGreater(len(functions), 8)
        for function in functions:
            self.assertTrue(function.__doc__, function)
            signature = inspect.signature(function)
            self.assertIn("return", typing.get_type_hints(function))
            for name, parameter in signature.parameters.items():
                self.assertTrue(name == "self" or parameter.annotation is not parameter.empty, (function, name))
        for record in (hone.Info, hone.Kernel, hone.Peak, hone.Step, hone.Value):
            self.assertEqual(tuple(record.__annotations__), record._fields)

    def test_version(self):
        program = pathlib.Path(os.environ.get("HONE_BUILD", PACKAGE.parents[1])) / "bin" / "hone"
        told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
        self.assertEqual(told, f"hone {hone.__version__}\n")


if __name__ == "__main__":
    unittest.main()
