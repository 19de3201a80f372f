// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The C header of a model: the text of abi.h, then functions with one typed
// parameter for each input and output.
#include "compiler/Driver/Header.h"
#include "compiler/Driver/ModelTables.h"
#include "hone/abi.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace hone;

extern "C" {
// The text of runtime/include/hone/abi.h, embedded by the build.
extern const char _binary_abi_h_start[];
extern const char _binary_abi_h_end[];
}

namespace {

const char *cType(int32_t type) {
  switch (type) {
  case HONE_TYPE_FLOAT:
    return "float";
  case HONE_TYPE_DOUBLE:
    return "double";
  case HONE_TYPE_INT8:
    return "int8_t";
  case HONE_TYPE_INT16:
  case HONE_TYPE_INT32:
  case HONE_TYPE_INT64:
    return type == HONE_TYPE_INT16   ? "int16_t"
           : type == HONE_TYPE_INT32 ? "int32_t"
                                     : "int64_t";
  case HONE_TYPE_UINT16:
  case HONE_TYPE_FLOAT16:
  case HONE_TYPE_BFLOAT16:
    return "uint16_t";
  case HONE_TYPE_UINT32:
    return "uint32_t";
  case HONE_TYPE_UINT64:
    return "uint64_t";
  case HONE_TYPE_STRING:
    return "hone_string";
  case HONE_TYPE_COMPLEX64:
  case HONE_TYPE_COMPLEX128:
    return "void";
  default:
    return "uint8_t"; // bytes, and packed elements
  }
}

/// C identifiers for names of the model: unique, and not keywords.
class Identifiers {
public:
  explicit Identifiers(ArrayRef<StringRef> taken) {
    for (StringRef word : taken)
      used.insert(word);
  }
  std::string get(StringRef name, StringRef fallback) {
    std::string text;
    for (char c : name)
      text += isAlnum(c) ? c : '_';
    if (text.empty() || isDigit(text[0]))
      text = fallback.str() + "_" + text;
    std::string unique = text;
    for (int number = 2; !used.insert(unique).second; ++number)
      unique = text + "_" + std::to_string(number);
    return unique;
  }

private:
  StringSet<> used;
};

constexpr StringRef kWords[] = {
    "auto",      "break",    "case",     "char",     "const",     "continue",
    "default",   "do",       "double",   "else",     "enum",      "extern",
    "float",     "for",      "goto",     "if",       "inline",    "int",
    "long",      "register", "return",   "short",    "signed",    "sizeof",
    "static",    "struct",   "switch",   "typedef",  "union",     "unsigned",
    "void",      "while",    "class",    "new",      "delete",    "this",
    "template",  "operator", "public",   "private",  "and",       "or",
    "not",       "xor",      "bool",     "true",     "false",     "try",
    "catch",     "throw",    "using",    "friend",   "export",    "virtual",
    "namespace", "explicit", "typename", "restrict", "protected", "mutable",
    "session",   "inputs",   "outputs",  "status",   "model",     "known",
    "api"};

bool isTensor(const ValueInfo &value) { return value.kind == HONE_KIND_TENSOR; }
bool hasDefault(const ValueInfo &value) {
  return value.defaultOffset.has_value();
}
bool isStatic(const ValueInfo &value) {
  return isTensor(value) && value.rank >= 0 &&
         all_of(value.dims, [](int64_t dim) { return dim >= 0; });
}

class HeaderWriter {
public:
  HeaderWriter(const ModelInfo &info) : info(info), out(text), names(kWords) {}

  std::string write() {
    // Arguments must not hide the model's own function.
    names.get(info.symbol, "model");
    for (const std::string &dim : info.freeDims)
      dims.push_back(names.get(StringRef(dim).ltrim('?'), "dim"));
    for (const ValueInfo &value : info.inputs)
      inputs.push_back(names.get(value.name, "input"));
    for (const ValueInfo &value : info.outputs)
      outputs.push_back(names.get(value.name, "output"));
    const std::string &symbol = info.symbol;
    std::string guard = "HONE_MODEL_" + StringRef(symbol).upper() + "_H";
    out << "/* Made by " << info.producer << " from '" << comment(info.name)
        << "'.\n";
    for (const ValueInfo &value : info.inputs)
      out << " * input  " << comment(value.name) << ": "
          << shapeText(value, info.freeDims)
          << (hasDefault(value) ? ", NULL for its default value" : "") << "\n";
    for (const ValueInfo &value : info.outputs)
      out << " * output " << comment(value.name) << ": "
          << shapeText(value, info.freeDims) << "\n";
    out << " */\n#ifndef " << guard << "\n#define " << guard << "\n\n";
    out << StringRef(_binary_abi_h_start,
                     _binary_abi_h_end - _binary_abi_h_start);
    out << "\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\nconst "
           "hone_descriptor *"
        << symbol << "(void);\n\n";
    out << "/* A session with the default options, or NULL with the reason in "
           "`message`. */\n"
        << "static inline hone_session *" << symbol
        << "_create(int32_t threads, char *message, size_t bytes) {\n"
        << "  hone_session_options options = {sizeof options, threads, NULL, "
           "NULL, NULL, 0, 0, NULL};\n"
        << "  hone_session *session = NULL;\n  const hone_descriptor *model = "
        << symbol
        << "();\n  model->api->session_create(model, &options, &session, "
           "message, bytes);\n  return session;\n}\n\n"
        << "static inline void " << symbol
        << "_destroy(hone_session *session) {\n  " << symbol
        << "()->api->session_destroy(session);\n}\n\n"
        << "/* Why the last call failed. */\nstatic inline const char *"
        << symbol << "_message(const hone_session *session) {\n  return "
        << symbol << "()->api->message(session);\n}\n\n";
    writeRun();
    out << "#ifdef __cplusplus\n} /* extern \"C\" */\n#endif\n\n#endif /* "
        << guard << " */\n";
    return text;
  }

private:
  /// Names come from the model: none can end a comment.
  static std::string comment(StringRef name) {
    std::string text;
    for (char c : name)
      text += isPrint(c) && c != '*' ? c : '_';
    return text;
  }

  /// Values that the caller passes as they are.
  static bool isWhole(const ValueInfo &value) {
    return !isTensor(value) || value.rank < 0;
  }
  bool isKnown(size_t output) const {
    return !isWhole(info.outputs[output]) &&
           !info.outputs[output].dataDependent;
  }

  void writeDims(const ValueInfo &value, StringRef name) {
    if (value.rank == 0)
      return;
    out << "  const int64_t " << name << "_dims[] = {";
    for (auto [i, dim] : enumerate(value.dims)) {
      out << (i ? ", " : "");
      if (dim >= 0)
        out << dim;
      else
        out << dims[HONE_DIM_FREE_INDEX(dim)];
    }
    out << "};\n";
  }

  void writeTensor(StringRef array, size_t index, const ValueInfo &value,
                   StringRef data, const Twine &dims) {
    out << "  " << array << "[" << index << "].kind = HONE_KIND_TENSOR;\n  "
        << array << "[" << index << "].place = HONE_PLACE_HOST;\n  " << array
        << "[" << index << "].as.tensor.data = (void *)" << data << ";\n  "
        << array << "[" << index << "].as.tensor.dims = " << dims << ";\n  "
        << array << "[" << index << "].as.tensor.rank = " << value.rank
        << ";\n  " << array << "[" << index
        << "].as.tensor.type = " << value.type << ";\n";
  }

  void writeRun() {
    out << "/* Runs the model; returns a hone_status. Tensors are row-major. "
           "An output given as a hone_value has a shape\n"
           " * that depends on data, or is not a tensor: it is set, and stays "
           "in the session until its next call. */\n"
        << "static inline int32_t " << info.symbol
        << "_run(hone_session *session";
    for (const std::string &dim : dims)
      out << ", int64_t " << dim;
    for (auto [value, name] : zip_equal(info.inputs, inputs))
      out << ", const " << (isWhole(value) ? "hone_value" : cType(value.type))
          << " *" << name;
    for (auto [i, value, name] : enumerate(info.outputs, outputs))
      out << ", " << (isKnown(i) ? cType(value.type) : "hone_value") << " *"
          << name;
    out << ") {\n  const hone_core_api *api = " << info.symbol << "()->api;\n";
    size_t inputCount = info.inputs.size(), outputCount = info.outputs.size();
    out << "  hone_value inputs[" << std::max<size_t>(1, inputCount)
        << "], outputs[" << std::max<size_t>(1, outputCount) << "];\n";
    for (auto [value, name] : zip_equal(info.inputs, inputs))
      if (!isWhole(value))
        writeDims(value, name);
    for (auto [i, value, name] : enumerate(info.inputs, inputs)) {
      if (isWhole(value))
        out << "  inputs[" << i << "] = *" << name << ";\n";
      else
        writeTensor("inputs", i, value, name,
                    value.rank ? name + "_dims" : "NULL");
      if (hasDefault(value))
        out << "  if (!" << name << ")\n    inputs[" << i
            << "].kind = HONE_KIND_NONE;\n";
    }
    // Dimensions that depend on the free ones come from the preparation, which
    // the run then reuses.
    int64_t total = 0;
    bool prepared = false;
    for (auto [i, value] : enumerate(info.outputs)) {
      prepared |= isKnown(i) && !isStatic(value);
      if (isTensor(value) && value.rank > 0)
        total += value.rank;
    }
    if (prepared)
      out << "  const int64_t *known;\n  int64_t known_dims[" << total << "];\n"
          << "  int32_t status = api->prepare(session, inputs, " << inputCount
          << ", NULL, &known);\n"
          << "  if (status)\n    return status;\n"
          << "  for (int i = 0; i < " << total
          << "; ++i)\n    known_dims[i] = known[i];\n";
    int64_t position = 0;
    for (auto [i, value, name] : enumerate(info.outputs, outputs)) {
      if (!isKnown(i))
        out << "  outputs[" << i << "].kind = HONE_KIND_NONE;\n";
      else if (isStatic(value)) {
        writeDims(value, name);
        writeTensor("outputs", i, value, name,
                    value.rank ? name + "_dims" : "NULL");
      } else
        writeTensor("outputs", i, value, name,
                    "known_dims + " + Twine(position));
      if (isTensor(value) && value.rank > 0)
        position += value.rank;
    }
    out << "  " << (prepared ? "" : "int32_t ")
        << "status = api->run(session, inputs, " << inputCount << ", outputs, "
        << outputCount << ");\n";
    for (auto [i, name] : enumerate(outputs))
      if (!isKnown(i))
        out << "  *" << name << " = outputs[" << i << "];\n";
    out << "  return status;\n}\n\n";
  }

  const ModelInfo &info;
  std::string text;
  raw_string_ostream out;
  Identifiers names;
  std::vector<std::string> dims, inputs, outputs;
};

} // namespace

std::string hone::makeHeader(const ModelInfo &info) {
  return HeaderWriter(info).write();
}
