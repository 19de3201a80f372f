// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Recognizes files that people take for ONNX models, by their first bytes, and
// archives by the names in their directory, which is at the end.
#include "compiler/Import/ForeignFile.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace llvm;

/// Bytes at either end that are searched for names.
static constexpr size_t kSearched = 1 << 18;

static constexpr StringLiteral kTorchExport =
    "torch.onnx.export(model, inputs, \"model.onnx\")";
static constexpr StringLiteral kKeras =
    "load it with Keras and call model.export(\"model.onnx\", "
    "format=\"onnx\")";
static constexpr StringLiteral kOriginal =
    "; export the model that it was made from to ONNX";

static std::string describeZip(StringRef bytes) {
  StringRef first = bytes.take_front(kSearched),
            last = bytes.take_back(kSearched);
  auto has = [&](StringRef name) {
    return first.contains(name) || last.contains(name);
  };
  if (has("serialized_exported_program.json") || has("/models/model.json"))
    return "it is an exported program of PyTorch; in Python: "
           "torch.onnx.export(torch.export.load(file), (), \"model.onnx\", "
           "dynamo=True)";
  if (has("/constants.pkl"))
    return "it is a TorchScript archive; in Python: "
           "torch.onnx.export(torch.jit.load(file), inputs, \"model.onnx\", "
           "dynamo=False)";
  if (has("/data.pkl"))
    return ("it is a PyTorch checkpoint; load the model in Python and export "
            "it: " +
            kTorchExport)
        .str();
  if (has("model.weights.h5"))
    return ("it is a Keras model; " + kKeras).str();
  if (has("com.apple.CoreML"))
    return ("it is a Core ML package" + kOriginal).str();
  if (has(".npy"))
    return "it is an archive of NumPy arrays, not a model; 'hone run --input' "
           "takes it";
  return "it is a zip archive; unpack it";
}

/// A length, then JSON with the tensors' types.
static bool isSafetensors(StringRef bytes) {
  if (bytes.size() < 10 || bytes[8] != '{')
    return false;
  uint64_t length = support::endian::read64le(bytes.data());
  return length <= bytes.size() - 8 &&
         bytes.substr(8, std::min<uint64_t>(length, kSearched))
             .contains("\"dtype\"");
}

/// Formats of protocol buffers have no first bytes of their own.
static std::string describeByName(StringRef path) {
  StringRef ending = sys::path::extension(path);
  if (sys::path::filename(path) == "saved_model.pb")
    return "it is part of a TensorFlow SavedModel; convert its folder: python "
           "-m tf2onnx.convert --saved-model FOLDER --output model.onnx";
  if (ending == ".pb")
    return "it may be a graph of TensorFlow; convert it: python -m "
           "tf2onnx.convert --graphdef FILE --inputs NAME:0,... --outputs "
           "NAME:0,... --output model.onnx";
  if (ending == ".mlmodel")
    return ("it is a Core ML model" + kOriginal).str();
  if (ending == ".pdmodel")
    return "it is a model of PaddlePaddle; convert it with paddle2onnx";
  return "";
}

std::string hone::describeForeignFile(StringRef path, StringRef bytes) {
  StringRef text = bytes.take_front(kSearched).ltrim();
  // Offset of the root table, then the format's name.
  StringRef flatbuffer = bytes.substr(4, 4);
  if (bytes.empty())
    return "it is empty";
  if (bytes.starts_with("PK\x03\x04"))
    return describeZip(bytes);
  if (bytes.starts_with("\x7f"
                        "ELF"))
    return "it is a program or library; 'hone run' runs a compiled model";
  if (flatbuffer == "TFL3")
    return "it is a TensorFlow Lite model; convert it: python -m "
           "tf2onnx.convert --tflite FILE --output model.onnx";
  if (flatbuffer == "ORTM")
    return "it is a model in ONNX Runtime's own format; use the ONNX file that "
           "it was made from";
  if (bytes.starts_with("GGUF"))
    return "it is a GGUF file, which holds weights without a graph; export the "
           "original model: optimum-cli export onnx --model NAME FOLDER";
  if (isSafetensors(bytes))
    return ("it is a safetensors file, which holds weights without a graph; "
            "export the model that they belong to: optimum-cli export onnx "
            "--model FOLDER OUTPUT, or " +
            kTorchExport)
        .str();
  if (bytes.starts_with("\x89HDF\r\n\x1a\n"))
    return ("it is an HDF5 file, as of Keras; " + kKeras).str();
  if (bytes.starts_with("\x93NUMPY"))
    return "it is a NumPy array, not a model; 'hone run --input' takes it";
  if (bytes.starts_with("\x80") && bytes.size() > 2 && bytes[1] <= 5)
    return ("it is a pickle of Python, which holds objects; export the model "
            "from Python: " +
            kTorchExport + ", or skl2onnx.to_onnx for scikit-learn")
        .str();
  if (text.starts_with("<") && text.contains("<net "))
    return ("it is a model of OpenVINO" + kOriginal).str();
  if (text.starts_with("<") && text.contains("ir_version"))
    return "it is an ONNX model as text; in Python: "
           "onnx.save(onnx.parser.parse_model(text), \"model.onnx\")";
  if (text.starts_with_insensitive("<!doctype html") ||
      text.starts_with_insensitive("<html"))
    return "it is a web page; the download did not give the file";
  if (text.starts_with("version https://git-lfs"))
    return "it is a pointer of Git LFS; get the file itself with 'git lfs "
           "pull'";
  if (bytes.starts_with("\x1f\x8b") || bytes.substr(257, 5) == "ustar")
    return "it is an archive; unpack it";
  return describeByName(path);
}

std::string hone::describeForeignFolder(StringRef path) {
  auto has = [&](StringRef name) {
    SmallString<128> file(path);
    sys::path::append(file, name);
    return sys::fs::exists(file);
  };
  if (has("saved_model.pb"))
    return "it is a TensorFlow SavedModel; convert it: python -m "
           "tf2onnx.convert --saved-model FOLDER --output model.onnx";
  if (has("Manifest.json") || has("coremldata.bin"))
    return ("it is a Core ML model" + kOriginal).str();
  if (has("config.json"))
    return "it is a model of Hugging Face; export it: optimum-cli export onnx "
           "--model FOLDER OUTPUT";
  return "";
}
