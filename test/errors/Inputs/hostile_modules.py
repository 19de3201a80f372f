# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""hostile_modules.py FOLDER: modules that MLIR's readers do not survive, or not in this life."""
import base64
import pathlib
import sys

folder = pathlib.Path(sys.argv[1])
DEPTH, FUNCTIONS = 20000, 20000
NESTED = "func.func @main(%c: i1, %x: f32) -> f32 {\n" + "scf.if %c {\n" * DEPTH + "}\n" * DEPTH + "return %x : f32 }\n"
FUNCTION = "func.func {0}(%x: tensor<4xf32>) -> tensor<4xf32> {{\n  {1}return {2} : tensor<4xf32>\n}}\n"
CALL = "%r = call @f{} (%x) : (tensor<4xf32>) -> tensor<4xf32>\n  "
# Small modules as bytecode with some bytes changed: a type that has itself inside, many times, and counts of billions.
BYTECODE = {
    "types": "TUzvUg1NTElSMjIuMS44AAEhCQEFCQ0JAQMTAwUHFwUDGwMpEwcBEQsTCwsTExMTBwNZAQcXFwcCdwUPFwEBAQ0DBREXAQMDFwEDIxcBBREXAQcHI2Fy"
    "aXTWLmZhc3RtYXRoPG5vbmU+ABsFCREFBXYBAwELBE0FAVADAQcEPQMBBQNQCQMHBCkDBQsDAwsAB0YNBQMBAwEFBA8DAwYDAQUBAIUTCxELDw8NCwsR"
    "YnVpbHRpbgBmdW5jAG1hdGgAYXJpdGgAbW9kdWxlAHJldHVybgB0YW5oAHMwLm1saXIAbWFpbgAIGwcFAQENAQUBAQcBAyM=",
    "count": "TUzvUg1NTElSMjIuMS44AAEhCQEFCQ0JAQMTAwUHFwUDGwMpEwcBEQsTCwsTExMTBwNZAQcXFwcCdwUPFwEBAQ0DBREXAQMDFwEDIxcBBREXAQcHI2Fy"
    "aXRoLmZhc3RtYXRoPG5vbmU+ABsFCREFBQMBAwELBE0FAVADAQcEPWgBBQNQCQMHBCkDBQsDAwsAB0YNBQMBAwEFBA8DAwYDAQUBAIUTCxELDw8NCwsR"
    "YnVpbHRpbgBmdW5jAG1hdGgAYXJpdGgAbW9kdWxlAHJldHVybgB0YW5oAHMwLm1saXIAbWFpbgAIGwcFAQENAQUBAQcBAyM=",
    "size": "TUzvUg1NTElSMjIuMS44AAEhCQEFCQ0JAQMTAwUHFwUDGwMpE0ABEQsTCwsTExMTBwNZAQcXFwcCdwUPFwEBAQ0DBREXAQMDFwEDIxcBBREXAQcHI2Fy"
    "aXRoLmZhc3RtYXRoPG5vbmU+ABsFCREFBQMBAwELBE0FAVADAQcEPQMBBQNQCQMHBCkDBQsDAwsAB0YNBQMBAwEFBA8DAwYDAQUBAIUTCxELDw8NCwsR"
    "YnVpbHRpbgBmdW5jAG1hdGgAYXJpdGgAbW9kdWxlAHJldHVybgB0YW5oAHMwLm1saXIAbWFpbgAIGwcFAQENAQUBfwcBAyM=",
}

(folder / "nested.mlir").write_text(NESTED)
# Comparisons look like closing brackets.
(folder / "compared.mlir").write_text("#set = affine_set<(d) : (" + ", ".join(["d >= 0"] * 3 * DEPTH) + ")>\n" + NESTED)
# What hone-opt can still read, to make bytecode of it.
(folder / "less.mlir").write_text(NESTED.replace("scf.if %c {\n", "", DEPTH - 2000).replace("}\n", "", DEPTH - 2000))
calls = [FUNCTION.format("@main", CALL.format(0), "%r")]
for i in range(FUNCTIONS):
    last = i + 1 == FUNCTIONS
    calls.append(FUNCTION.format(f"private @f{i}", "" if last else CALL.format(i + 1), "%x" if last else "%r"))
(folder / "calls.mlir").write_text("".join(calls))
for name, content in BYTECODE.items():
    (folder / f"{name}.mlirbc").write_bytes(base64.b64decode(content))
