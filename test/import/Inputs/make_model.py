# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Writes the ONNX model whose text stands in a test file, behind "MODEL:".

usage: make_model.py TEST OUT [--truncate BYTES] [--external PATH] [--opset N]
"""
import argparse

import onnx
import onnx.parser


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("test")
    parser.add_argument("out")
    parser.add_argument("--truncate", type=int, help="keep this many bytes less")
    parser.add_argument("--external", help="say that the first initializer lies in this file")
    parser.add_argument("--opset", type=int)
    arguments = parser.parse_args()
    with open(arguments.test) as file:
        lines = [line.split("MODEL:", 1)[1] for line in file if line.startswith("MODEL:")]
    model = onnx.parser.parse_model("".join(lines))
    if arguments.opset:
        model.opset_import[0].version = arguments.opset
    if arguments.external:
        tensor = model.graph.initializer[0]
        tensor.ClearField("float_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", arguments.external
    data = model.SerializeToString()
    if arguments.truncate:
        data = data[: -arguments.truncate]
    with open(arguments.out, "wb") as file:
        file.write(data)


if __name__ == "__main__":
    main()
