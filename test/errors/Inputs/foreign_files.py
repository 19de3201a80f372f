# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Files that are no ONNX models: foreign_files.py HONE FOLDER. Each is refused with exit code 1 and a line that says what it is,
by `hone compile`, `hone check` and `hone inspect`; cut after any number of bytes it is still refused."""
import json
import pathlib
import pickle
import struct
import subprocess
import sys
import zipfile

hone, folder = sys.argv[1], pathlib.Path(sys.argv[2])


def archive(*names):
    path = folder / "archive"
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(name, b"x" * 100)
    return path.read_bytes()


def safetensors():
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(4)


FILES = {
    "torch.pt": (archive("m/data.pkl", "m/data/0"), "it is a PyTorch checkpoint; load the model in Python and export it: torch.onnx.export("),
    "script.pt": (archive("m/data.pkl", "m/code/m.py", "m/constants.pkl"), "it is a TorchScript archive; in Python: torch.onnx.export(torch.jit.load(file)"),
    "exported.pt2": (archive("m/archive_format", "m/models/model.json"), "it is an exported program of PyTorch; in Python: torch.onnx.export(torch.export.load(file)"),
    "model.keras": (archive("config.json", "model.weights.h5"), "it is a Keras model; load it with Keras and call model.export("),
    "arrays.npz": (archive("x.npy"), "it is an archive of NumPy arrays, not a model"),
    "any.zip": (archive("model.onnx"), "it is a zip archive; unpack it"),
    "old.pth": (pickle.dumps({"weight": [1.0]}, protocol=2), "it is a pickle of Python, which holds objects; export the model from Python: "),
    "model.tflite": (struct.pack("<I", 28) + b"TFL3" + bytes(64), "it is a TensorFlow Lite model; convert it: python -m tf2onnx.convert --tflite FILE"),
    "model.ort": (struct.pack("<I", 28) + b"ORTM" + bytes(64), "it is a model in ONNX Runtime's own format"),
    "model.gguf": (b"GGUF" + struct.pack("<I", 3) + bytes(64), "it is a GGUF file, which holds weights without a graph"),
    "model.safetensors": (safetensors(), "it is a safetensors file, which holds weights without a graph"),
    "model.h5": (b"\x89HDF\r\n\x1a\n" + bytes(64), "it is an HDF5 file, as of Keras; load it with Keras"),
    "array.npy": (b"\x93NUMPY\x01\x00" + bytes(64), "it is a NumPy array, not a model"),
    "model.xml": (b'<?xml version="1.0"?>\n<net name="m" version="11">\n</net>', "it is a model of OpenVINO; export the model that it was made from to ONNX"),
    "model.mlmodel": (b"\x08\x04\x12\x02\x0a\x00", "it is a Core ML model; export the model that it was made from to ONNX"),
    "saved_model.pb": (b"\x08\x01\x12\x02\x0a\x00", "it is part of a TensorFlow SavedModel; convert its folder"),
    "frozen.pb": (b"\x0a\x06\x0a\x01x\x12\x01y", "it may be a graph of TensorFlow"),
    "model.txt": (b'<ir_version: 8, opset_import: ["" : 15]>\nm (float[1] x) => (float[1] y) { y = Relu(x) }', "it is an ONNX model as text"),
    "page.onnx": (b"\n<!DOCTYPE html><html></html>", "it is a web page; the download did not give the file"),
    "lfs.onnx": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "it is a pointer of Git LFS; get the file itself with 'git lfs pull'"),
    "model.tar.gz": (b"\x1f\x8b\x08" + bytes(64), "it is an archive; unpack it"),
    "model.so": (b"\x7fELF" + bytes(64), "it is a program or library; 'hone run' runs a compiled model"),
    "empty.onnx": (b"", "it is empty"),
}
FOLDERS = {
    "saved": ("saved_model.pb", "it is a TensorFlow SavedModel; convert it: python -m tf2onnx.convert --saved-model FOLDER --output model.onnx"),
    "model.mlpackage": ("Manifest.json", "it is a Core ML model; export the model that it was made from to ONNX"),
    "bert": ("config.json", "it is a model of Hugging Face; export it: optimum-cli export onnx --model FOLDER OUTPUT"),
}


def refused(path, text, commands=("compile", "check", "inspect")):
    for command in commands:
        words = [hone, command, str(path)] + (["-o", str(folder / "out.so")] if command == "compile" else [])
        done = subprocess.run(words, capture_output=True, text=True)
        lines = done.stderr.splitlines()
        if done.returncode != 1 or len(lines) != 1 or not lines[0].startswith(f"error: {path}: ") or text not in lines[0]:
            sys.exit(f"{words} returned {done.returncode}, and lacks {text!r}:\n{done.stderr}")


for name, (data, text) in FILES.items():
    (folder / name).write_bytes(data)
    refused(folder / name, text)
for name, (file, text) in FOLDERS.items():
    (folder / name).mkdir()
    (folder / name / file).write_bytes(b"")
    refused(folder / name, text)

# `hone info` describes what it is given, as far as it can be read.
refused(folder / "torch.pt", "PyTorch", ["info"])

cuts = []
for name, (data, _) in FILES.items():
    for size in sorted({1, 2, 3, 5, 8, 9, 11, len(data) // 2, len(data) - 1} & set(range(1, len(data)))):
        cuts.append(folder / f"{size}-{name}")
        cuts[-1].write_bytes(data[:size])
done = subprocess.run([hone, "check", *map(str, cuts)], capture_output=True, text=True)
lines = done.stderr.splitlines()
if done.returncode != 1 or len(lines) != len(cuts) or not all(line.startswith(f"error: {path}: ") for line, path in zip(lines, cuts)):
    sys.exit(f"{done.returncode}, {len(cuts)} files:\n{done.stderr}")
