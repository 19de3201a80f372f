// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loads a model and makes its inputs, from files or from a seeded generator.
#include "tools/hone-run/Model.h"
#include "runtime/core/Printable.h"
#include "runtime/loader/ValueTypes.h"
#include "tools/hone-run/OnnxValue.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace hone::run;

namespace {

/// "LOW..HIGH", or one number.
bool parseRange(const std::string &text, Range &range) {
  auto parse = [](const std::string &part, Number &number) {
    char *end = nullptr;
    number = strtold(part.c_str(), &end);
    return !part.empty() && !*end && std::isfinite(number);
  };
  size_t dots = text.find("..");
  if (dots == std::string::npos)
    return parse(text, range.low) && parse(text, range.high);
  return parse(text.substr(0, dots), range.low) &&
         parse(text.substr(dots + 2), range.high) && range.low <= range.high;
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

SharedPool::SharedPool(int threads) {
  if (hone_pool_create(threads, &pool) != HONE_OK)
    throw Failure{1, "out of memory for the thread pool"};
}

Model::Model(const Options &options) : path(options.model) {
  char why[1024];
  int32_t status = hone_library_open(path.c_str(), options.symbol.c_str(),
                                     &library, why, sizeof(why));
  bool isModelFile = path.size() > 5 && path.substr(path.size() - 5) == ".onnx";
  if (status != HONE_OK)
    throw Failure{1, std::string(why) +
                         (isModelFile ? "; 'hone compile' makes one" : "")};
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

void Model::readSizes(const GivenSizes &sizes) {
  const hone_descriptor &model = descriptor();
  for (const auto &[name, size] : sizes.dims) {
    int64_t k = 0;
    while (k < model.free_dim_count && name != model.free_dim_names[k])
      ++k;
    if (k == model.free_dim_count)
      throw Failure{1, path + ": the model has no free dimension '" + name +
                           "'" + knownDims(model)};
    freeDims[k] = size;
  }
  for (const auto &[name, shape] : sizes.shapes)
    readShape(name, shape);
}

void Model::readShape(const std::string &name,
                      const std::vector<int64_t> &shape) {
  int32_t index = inputNamed(name);
  const hone_value_info &info = descriptor().inputs[index];
  auto fail = [&](const std::string &why) {
    return Failure{1, path + ": input '" + name + "' " + why};
  };
  if (given.count(index))
    throw fail("has a file, and needs no --shape");
  if (presentKind(info) != HONE_KIND_TENSOR)
    throw fail("is not a tensor, and has no shape");
  if (info.rank >= 0 && size_t(info.rank) != shape.size())
    throw fail("has " + std::to_string(info.rank) +
               " dimensions, and --shape " + std::to_string(shape.size()));
  for (int32_t d = 0; d < std::max(info.rank, 0); ++d) {
    int64_t dim = info.dims[d];
    if (dim < 0 && dim != HONE_DIM_UNKNOWN) {
      int64_t &size = freeDims[HONE_DIM_FREE_INDEX(dim)];
      dim = size = size < 0 ? shape[d] : size;
    }
    if (dim >= 0 && dim != shape[d])
      throw fail("has size " + std::to_string(dim) + " in dimension " +
                 std::to_string(d) + ", and --shape " +
                 std::to_string(shape[d]));
  }
  if (!shapes.insert({index, shape}).second)
    throw fail("has two shapes");
}

/// The index of an input. Throws Failure.
int32_t Model::inputNamed(const std::string &name) const {
  const hone_descriptor &model = descriptor();
  for (int32_t i = 0; i < model.input_count; ++i)
    if (name == model.inputs[i].name)
      return i;
  throw Failure{1, path + ": the model has no input '" + name + "'"};
}

void Model::readInputs(const Options &options) {
  const hone_descriptor &model = descriptor();
  Side side = {model.inputs, model.input_count, "input", "--input", path};
  for (const auto &[index, parts] : resolveFiles(options.inputs, side)) {
    const hone_value_info &info = model.inputs[index];
    const hone_value &value = given[index] = readInput(info, parts);
    // Random inputs take the dimensions of the given ones.
    for (int32_t d = 0; info.kind == HONE_KIND_TENSOR && d < info.rank; ++d)
      if (d < value.as.tensor.rank && info.dims[d] < 0)
        freeDims[HONE_DIM_FREE_INDEX(info.dims[d])] = value.as.tensor.dims[d];
  }
}

hone_value Model::readInput(const hone_value_info &info,
                            const GivenParts &parts) {
  auto fail = [&](const std::string &why) {
    return Failure{1, path + ": input '" + info.name + "' " + why};
  };
  auto part = [&](const std::string &name, int32_t type) {
    auto found = parts.find(name);
    if (found == parts.end())
      throw fail("lacks its part '" + name + "', in a file or array '" +
                 info.name + "." + name + "'");
    return found->second.read(type);
  };
  if (const GivenFile &first = parts.begin()->second; first.isOnnx)
    return readOnnxValue(first.path, info, store);
  std::vector<hone_value> elements;
  switch (presentKind(info)) {
  case HONE_KIND_SEQUENCE:
    for (size_t i = 0; i < parts.size(); ++i)
      elements.push_back(store.add(part(std::to_string(i), info.type)).value());
    return store.sequence(std::move(elements));
  case HONE_KIND_MAP: {
    Array keys = part("keys", info.key_type);
    return store.map(std::move(keys), part("values", info.type));
  }
  default:
    return store.add(part("", info.type)).value();
  }
}

hone_value Model::randomValue(int32_t index, int32_t kind, uint64_t seed) {
  const hone_value_info &info = descriptor().inputs[index];
  auto random = [&](int32_t type, std::vector<int64_t> dims) {
    Array array;
    array.type = type;
    array.dims = std::move(dims);
    int64_t bytes =
        hone_tensor_bytes(type, int32_t(array.dims.size()), array.dims.data());
    if (bytes < 0 || bytes > (int64_t(1) << 40))
      throw Failure{1, path + ": input '" + info.name + "' is too large"};
    array.data.resize(bytes);
    if (auto range = ranges.find(index); range != ranges.end())
      fillRandom(array, seed, range->second);
    else
      fillRandom(array, seed);
    return array;
  };
  switch (kind) {
  case HONE_KIND_SEQUENCE:
    return store.sequence({randomValue(index, HONE_KIND_TENSOR, seed)});
  case HONE_KIND_MAP:
    return store.map(random(info.key_type, {1}), random(info.type, {1}));
  case HONE_KIND_OPTIONAL: {
    hone_value absent = {};
    absent.kind = HONE_KIND_OPTIONAL;
    return absent;
  }
  default:
    break;
  }
  if (auto shape = shapes.find(index); shape != shapes.end())
    return store.add(random(info.type, shape->second)).value();
  std::vector<int64_t> dims;
  for (int32_t d = 0; d < std::max(info.rank, 0); ++d) {
    int64_t dim = info.dims[d];
    if (dim < 0)
      dim = std::max<int64_t>(
          dim == HONE_DIM_UNKNOWN ? 1 : freeDims[HONE_DIM_FREE_INDEX(dim)], -1);
    dims.push_back(dim == -1 ? 1 : dim);
  }
  return store.add(random(info.type, std::move(dims))).value();
}

void Model::readRanges(const Options &options) {
  const hone_descriptor &model = descriptor();
  for (const std::string &text : options.ranges) {
    size_t equals = text.rfind('=');
    std::string name = text.substr(0, equals);
    Range range;
    if (equals == std::string::npos ||
        !parseRange(text.substr(equals + 1), range))
      throw Failure{2, "--range wants NAME=LOW..HIGH, not '" + text + "'"};
    int32_t i = inputNamed(name);
    auto fail = [&](const std::string &why) {
      return Failure{1, path + ": input '" + name + "' " + why};
    };
    if (given.count(i))
      throw fail("has a file, and needs no --range");
    if (presentKind(model.inputs[i]) == HONE_KIND_MAP)
      throw fail("is a map, which --range does not make");
    if (std::string why = misfitOf(range, model.inputs[i].type); !why.empty())
      throw fail(why);
    if (!ranges.insert({i, range}).second)
      throw fail("has two ranges");
  }
}

void Model::setInputs(const Options &options) {
  const hone_descriptor &model = descriptor();
  readInputs(options);
  readSizes(options.sizes);
  readRanges(options);
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
    fprintf(stderr, "note: %s runs on the CPU: %s\n", shown(path).c_str(),
            shown(note).c_str());

  std::string missing;
  for (int32_t i = 0; i < model.input_count; ++i) {
    const hone_value_info &info = model.inputs[i];
    uint64_t seed = options.seed * 0x9E3779B97F4A7C15ull + i;
    hone_value value = {};
    if (auto found = given.find(i); found != given.end())
      value = found->second;
    else if (ranges.count(i))
      value = randomValue(i, presentKind(info), seed);
    else if (info.kind == HONE_KIND_OPTIONAL || info.has_default)
      ; // absent
    else if (options.random)
      value = randomValue(i, info.kind, seed);
    else
      missing += std::string(missing.empty() ? "'" : ", '") + info.name +
                 "' (" + typeText(model, info) + ")";
    if (missing.empty())
      check(hone_runner_set_input(runner, info.name, &value));
  }
  if (!missing.empty())
    throw Failure{1, path + ": inputs are missing: " + missing +
                         "; give --input NAME=FILE for each, a folder or a "
                         ".npz file with all of them, or --random"};
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

std::vector<std::string> Model::unsizedDims() const {
  std::vector<std::string> names;
  for (size_t k = 0; k < freeDims.size(); ++k)
    if (freeDims[k] < 0)
      names.push_back(descriptor().free_dim_names[k]);
  return names;
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

std::string hone::run::typeText(const hone_descriptor &model,
                                const hone_value_info &info) {
  std::string text = hone_type_name(info.type);
  if (info.rank >= 0) {
    text += '[';
    for (int32_t d = 0; d < info.rank; ++d)
      text += (d ? "," : "") + dimText(model, info, d);
    text += ']';
  }
  return hone::valueTypeText(text, info.kind, info.element_kind,
                             hone_type_name(info.key_type));
}
