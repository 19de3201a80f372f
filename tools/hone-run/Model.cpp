// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loads a model and makes its inputs, from files or from a seeded generator.
#include "tools/hone-run/Model.h"
#include "runtime/core/Printable.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace hone::run;

namespace {

/// SplitMix64: the same numbers on every machine.
struct Random {
  uint64_t state;
  uint64_t next() {
    uint64_t z = state += 0x9E3779B97F4A7C15ull;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ z >> 27) * 0x94D049BB133111EBull;
    return z ^ z >> 31;
  }
  /// In [-1, 1).
  double real() { return double(int64_t(next()) >> 11) * 0x1p-52; }
};

template <typename T, typename Make> void fill(Array &array, Make make) {
  for (size_t i = 0; i + sizeof(T) <= array.data.size(); i += sizeof(T)) {
    T value = make();
    memcpy(&array.data[i], &value, sizeof(T));
  }
}

/// Numbers that most models accept: reals in [-1, 1), integers 0 and 1, which
/// are valid indices into any table of two rows.
void fillRandom(Array &array, Random random) {
  auto bit = [&] { return random.next() >> 63; };
  switch (array.type) {
  case HONE_TYPE_FLOAT:
  case HONE_TYPE_COMPLEX64:
    return fill<float>(array, [&] { return float(random.real()); });
  case HONE_TYPE_DOUBLE:
  case HONE_TYPE_COMPLEX128:
    return fill<double>(array, [&] { return random.real(); });
  case HONE_TYPE_FLOAT16: // exponents -4 to -1
    return fill<uint16_t>(array, [&] {
      uint64_t r = random.next();
      return uint16_t((r & 0x8000) | (0x2c00 + (r & 0xfff)));
    });
  case HONE_TYPE_BFLOAT16:
    return fill<uint16_t>(array, [&] {
      uint64_t r = random.next();
      return uint16_t((r & 0x8000) | (0x3d80 + (r & 0x1ff)));
    });
  case HONE_TYPE_FLOAT8E4M3FN:
  case HONE_TYPE_FLOAT8E4M3FNUZ:
  case HONE_TYPE_FLOAT8E5M2:
  case HONE_TYPE_FLOAT8E5M2FNUZ:
    return fill<uint8_t>(array, [&] {
      uint64_t r = random.next();
      return uint8_t((r & 0x80) | (0x20 + (r & 0x1f)));
    });
  case HONE_TYPE_FLOAT8E8M0:
    return fill<uint8_t>(array, [&] { return uint8_t(127 - bit()); });
  case HONE_TYPE_UINT4:
  case HONE_TYPE_INT4:
  case HONE_TYPE_FLOAT4E2M1:
    return fill<uint8_t>(array, [&] { return uint8_t(random.next() & 0x11); });
  case HONE_TYPE_UINT2:
  case HONE_TYPE_INT2:
    return fill<uint8_t>(array, [&] { return uint8_t(random.next() & 0x55); });
  case HONE_TYPE_STRING:
    return fill<hone_string>(array,
                             [&] { return hone_string{bit() ? "b" : "a", 1}; });
  default:
    break;
  }
  switch (hone_type_bits(array.type)) {
  case 8:
    return fill<uint8_t>(array, [&] { return uint8_t(bit()); });
  case 16:
    return fill<uint16_t>(array, [&] { return uint16_t(bit()); });
  case 32:
    return fill<uint32_t>(array, [&] { return uint32_t(bit()); });
  case 64:
    return fill<uint64_t>(array, [&] { return uint64_t(bit()); });
  default:
    return;
  }
}

/// Lists the valid names.
std::string knownDims(const hone_descriptor &model) {
  std::string text;
  for (int64_t k = 0; k < model.free_dim_count; ++k)
    text += (k ? "', '" : "; it has '") + std::string(model.free_dim_names[k]);
  return text.empty() ? "; all its dimensions are fixed" : text + "'";
}

} // namespace

std::string hone::run::shown(const std::string &text) {
  std::string result;
  putPrintable(text.data(), text.size(), [&](const char *piece, size_t size) {
    result.append(piece, size);
  });
  return result;
}

Model::Model(const Options &options) : path(options.model) {
  char why[1024];
  int32_t status = hone_library_open(path.c_str(), options.symbol.c_str(),
                                     &library, why, sizeof(why));
  if (status != HONE_OK)
    throw Failure{1, why};
  freeDims.assign(descriptor().free_dim_count, -1);
}

Model::~Model() {
  hone_runner_destroy(runner);
  hone_library_close(library);
}

void Model::check(int32_t status) {
  if (status != HONE_OK)
    throw Failure{status == HONE_INTERNAL ? 70 : 1,
                  path + ": " + hone_runner_message(runner)};
}

void Model::readDims(const Options &options) {
  const hone_descriptor &model = descriptor();
  for (const std::string &text : options.dims) {
    size_t equals = text.rfind('=');
    std::string name = text.substr(0, equals);
    char *end = nullptr;
    const char *number =
        equals == std::string::npos ? "" : text.c_str() + equals + 1;
    long long size = strtoll(number, &end, 10);
    if (!*number || *end || size < 0)
      throw Failure{2, "--dim wants NAME=N, not '" + text + "'"};
    int64_t k = 0;
    while (k < model.free_dim_count && name != model.free_dim_names[k])
      ++k;
    if (k == model.free_dim_count)
      throw Failure{1, path + ": the model has no free dimension '" + name +
                           "'" + knownDims(model)};
    freeDims[k] = size;
  }
}

void Model::readInputs(const Options &options) {
  for (const std::string &text : options.inputs) {
    // Names may contain '=': the longest prefix that is a name counts.
    const hone_value_info *info = nullptr;
    size_t equals = text.size();
    while (!info && equals > 0 &&
           (equals = text.rfind('=', equals - 1)) != std::string::npos)
      info = hone_library_input(library, text.substr(0, equals).c_str());
    if (!info) {
      equals = text.find('=');
      if (equals == std::string::npos)
        throw Failure{2, "--input wants NAME=FILE.npy, not '" + text + "'"};
      throw Failure{1, path + ": the model has no input '" +
                           text.substr(0, equals) + "'"};
    }
    arrays.push_back(readNpy(text.substr(equals + 1), info->type));
    const Array &array = arrays.back();
    given[info->name].push_back(arrays.back().value());
    // Random inputs take the dimensions of the given ones.
    bool isTensor = info->kind == HONE_KIND_TENSOR;
    for (int32_t d = 0; isTensor && d < info->rank; ++d)
      if (d < int32_t(array.dims.size()) && info->dims[d] < 0)
        freeDims[HONE_DIM_FREE_INDEX(info->dims[d])] = array.dims[d];
  }
}

hone_value Model::sequenceOf(std::vector<hone_value> values) {
  elements.push_back(std::move(values));
  sequences.push_back(
      {elements.back().data(), int64_t(elements.back().size()), nullptr});
  hone_value value = {};
  value.kind = HONE_KIND_SEQUENCE;
  value.as.sequence = &sequences.back();
  return value;
}

hone_value Model::randomValue(const hone_value_info &info, int32_t kind,
                              uint64_t seed) {
  hone_value value = {};
  switch (kind) {
  case HONE_KIND_SEQUENCE:
    return sequenceOf({randomValue(info, HONE_KIND_TENSOR, seed)});
  case HONE_KIND_MAP:
    value.kind = HONE_KIND_MAP;
    for (int32_t type : {info.key_type, info.type}) {
      arrays.emplace_back();
      arrays.back().type = type;
      arrays.back().dims = {1};
      arrays.back().data.resize(
          hone_tensor_bytes(type, 1, arrays.back().dims.data()));
      fillRandom(arrays.back(), {seed});
      tensors.push_back(arrays.back().value().as.tensor);
    }
    value.as.map = {&tensors[tensors.size() - 2], &tensors.back()};
    return value;
  case HONE_KIND_OPTIONAL:
    value.kind = HONE_KIND_OPTIONAL;
    return value;
  default:
    break;
  }
  arrays.emplace_back();
  Array &array = arrays.back();
  array.type = info.type;
  for (int32_t d = 0; d < std::max(info.rank, 0); ++d) {
    int64_t dim = info.dims[d];
    if (dim < 0)
      dim = std::max<int64_t>(
          dim == HONE_DIM_UNKNOWN ? 1 : freeDims[HONE_DIM_FREE_INDEX(dim)], -1);
    array.dims.push_back(dim == -1 ? 1 : dim);
  }
  int64_t bytes = hone_tensor_bytes(info.type, int32_t(array.dims.size()),
                                    array.dims.data());
  if (bytes < 0 || bytes > (int64_t(1) << 40))
    throw Failure{1, path + ": input '" + info.name + "' is too large"};
  array.data.resize(bytes);
  fillRandom(array, {seed});
  return array.value();
}

void Model::setInputs(const Options &options) {
  const hone_descriptor &model = descriptor();
  readInputs(options);
  readDims(options);
  hone_session_options session = {};
  session.size = sizeof(session);
  session.threads = options.threads;
  session.pool = options.pool;
  if (!model.device && !options.device.empty() && options.device != "cpu")
    throw Failure{1, path + ": --device " + options.device +
                         ": the model has code for the CPU only; compile it "
                         "with --target=cuda"};
  // The variable could also request device 0, and nothing else could.
  if (!options.device.empty())
    setenv("HONE_DEVICE", options.device.c_str(), 1);
  char why[1024];
  int32_t status =
      hone_runner_create(library, &session, &runner, why, sizeof(why));
  if (status != HONE_OK)
    throw Failure{1, path + ": " + why};
  if (const char *note = stats().device_note)
    fprintf(stderr, "hone: note: %s runs on the CPU: %s\n", shown(path).c_str(),
            shown(note).c_str());

  for (int32_t i = 0; i < model.input_count; ++i) {
    const hone_value_info &info = model.inputs[i];
    auto found = given.find(info.name);
    int32_t inner =
        info.kind == HONE_KIND_OPTIONAL ? info.element_kind : info.kind;
    hone_value value = {};
    if (found != given.end() && inner == HONE_KIND_SEQUENCE)
      value = sequenceOf(found->second);
    else if (found != given.end() && inner == HONE_KIND_TENSOR &&
             found->second.size() == 1)
      value = found->second[0];
    else if (found != given.end())
      throw Failure{1, path + ": input '" + info.name + "' is " +
                           (inner == HONE_KIND_MAP
                                ? "a map, which no file can hold"
                                : "given twice")};
    else if (info.kind == HONE_KIND_OPTIONAL || info.has_default)
      ; // absent
    else if (options.random)
      value = randomValue(info, info.kind,
                          options.seed * 0x9E3779B97F4A7C15ull + i);
    else
      throw Failure{1, path + ": input '" + info.name +
                           "' is missing; give --input '" + info.name +
                           "=FILE.npy' or --random"};
    check(hone_runner_set_input(runner, info.name, &value));
  }
}

int64_t Model::prepare() {
  int64_t bytes = 0;
  check(hone_runner_prepare(runner, &bytes, nullptr));
  return bytes;
}

void Model::verify() {
  char why[1024];
  if (hone_library_verify(library, why, sizeof(why)) != HONE_OK)
    throw Failure{1, path + ": " + why};
}

std::vector<std::pair<std::string, int64_t>> Model::sizes() const {
  std::vector<std::pair<std::string, int64_t>> sizes;
  for (size_t k = 0; k < freeDims.size(); ++k)
    sizes.push_back(
        {descriptor().free_dim_names[k], freeDims[k] < 0 ? 1 : freeDims[k]});
  return sizes;
}

void Model::run() { check(hone_runner_run(runner)); }

hone_session_stats Model::stats() const {
  hone_session_stats stats;
  hone_runner_stats(runner, &stats);
  return stats;
}

void Model::startProfile(int64_t events) {
  check(hone_runner_profile_start(runner, events));
}

hone_profile Model::profile() const {
  hone_profile profile;
  hone_runner_profile_read(runner, &profile);
  return profile;
}

const hone_value &Model::output(int32_t index) const {
  return *hone_runner_output(runner, descriptor().outputs[index].name);
}

std::string hone::run::dimText(const hone_descriptor &model,
                               const hone_value_info &info, int32_t dim) {
  if (info.dims[dim] >= 0)
    return std::to_string(info.dims[dim]);
  if (info.dims[dim] != HONE_DIM_UNKNOWN)
    return model.free_dim_names[HONE_DIM_FREE_INDEX(info.dims[dim])];
  return info.dim_names && info.dim_names[dim] ? info.dim_names[dim] : "?";
}
