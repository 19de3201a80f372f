// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Opens a compiled model and runs it on Python objects.
#include "compiler/Python/Model.h"

#include "compiler/Python/Values.h"

#include <nanobind/stl/string.h>

#include <map>

namespace nb = nanobind;
using namespace hone::python;

namespace {

/// The pool of so many threads that all models of the process share. Pools
/// stay: the process may end while a model still runs.
const hone_pool *sharedPool(int threads) {
  static std::mutex mutex;
  static auto *pools = new std::map<int, hone_pool>;
  std::lock_guard<std::mutex> lock(mutex);
  auto [found, isNew] = pools->emplace(threads, hone_pool{});
  if (isNew && hone_pool_create(threads, &found->second) != HONE_OK) {
    pools->erase(found);
    throw RunError("cannot start " + std::to_string(threads) + " threads");
  }
  return &found->second;
}

} // namespace

Model::Model(const std::string &path, const std::string &symbol, int threads,
             const std::string &level, int device)
    : threads(threads), level(level), device(device) {
  char message[512] = "";
  if (hone_library_open(path.c_str(), symbol.c_str(), &library, message,
                        sizeof(message)) != HONE_OK)
    throw RunError(message);
  model = hone_library_descriptor(library);
  // A first session now, so that a model that cannot run here fails here.
  try {
    hone_session *session = takeSession();
    hone_session_stats stats;
    model->api->stats(session, &stats);
    deviceNumber = stats.device_number;
    giveSession(session);
  } catch (...) {
    hone_library_close(library);
    throw;
  }
}

Model::~Model() {
  for (hone_session *session : idle)
    model->api->session_destroy(session);
  hone_library_close(library);
}

hone_session *Model::takeSession() {
  {
    std::lock_guard<std::mutex> lock(mutex);
    if (!idle.empty()) {
      hone_session *session = idle.back();
      idle.pop_back();
      return session;
    }
  }
  hone_session_options options = {};
  options.size = sizeof(options);
  options.threads = threads;
  if (threads != 1)
    options.pool = sharedPool(threads);
  options.level = level.empty() ? nullptr : level.c_str();
  options.device = device;
  hone_session *session = nullptr;
  char message[512] = "";
  if (model->api->session_create(model, &options, &session, message,
                                 sizeof(message)) != HONE_OK)
    throw RunError(message);
  return session;
}

void Model::giveSession(hone_session *session) {
  std::lock_guard<std::mutex> lock(mutex);
  idle.push_back(session);
}

nb::dict Model::run(nb::dict feeds) {
  Keep keep;
  std::vector<hone_value> inputs;
  size_t used = 0;
  for (int32_t i = 0; i < model->input_count; ++i) {
    const hone_value_info &info = model->inputs[i];
    nb::object given = nb::none();
    if (feeds.contains(info.name)) {
      given = feeds[info.name];
      ++used;
    } else if (info.kind != HONE_KIND_OPTIONAL) {
      throw RunError(std::string("input '") + info.name + "' is missing");
    }
    try {
      inputs.push_back(isOnDevice(given)
                           ? deviceTensorFromPython(given, deviceNumber, keep)
                           : fromPython(given, info, keep));
    } catch (const RunError &e) {
      throw RunError(std::string("input '") + info.name + "': " + e.what());
    }
  }
  if (used != nb::len(feeds)) {
    for (auto [name, value] : feeds) {
      bool known = false;
      for (int32_t i = 0; i < model->input_count; ++i)
        known |= nb::str(model->inputs[i].name).equal(name);
      if (!known)
        throw RunError("the model has no input " +
                       nb::cast<std::string>(nb::repr(name)));
    }
  }

  nb::dict results;
  hone_session *session = takeSession();
  try {
    runSession(session, inputs, results);
  } catch (...) {
    giveSession(session);
    throw;
  }
  giveSession(session);
  return results;
}

void Model::runSession(hone_session *session,
                       const std::vector<hone_value> &inputs,
                       nb::dict &results) {
  const hone_core_api &api = *model->api;
  const int64_t *dims = nullptr;
  int32_t status;
  {
    nb::gil_scoped_release unlocked;
    status = api.prepare(session, inputs.data(), inputs.size(), nullptr, &dims);
  }
  if (status != HONE_OK)
    throw RunError(api.message(session));

  // Outputs whose shape is known now are written straight into new arrays. The
  // dimensions are copied, for the run may move the session's own.
  std::vector<hone_value> outputs(model->output_count);
  std::vector<std::vector<int64_t>> shapes(model->output_count);
  std::vector<nb::object> arrays(model->output_count);
  for (int32_t i = 0; i < model->output_count; ++i) {
    const hone_value_info &info = model->outputs[i];
    if (info.kind != HONE_KIND_TENSOR || info.rank < 0)
      continue;
    shapes[i].assign(dims, dims + info.rank);
    dims += info.rank;
    bool known = info.type != HONE_TYPE_STRING;
    for (int64_t dim : shapes[i])
      known &= dim >= 0;
    if (known)
      arrays[i] =
          emptyTensor(info.type, shapes[i].data(), info.rank, outputs[i]);
  }
  {
    nb::gil_scoped_release unlocked;
    status = api.run(session, inputs.data(), inputs.size(), outputs.data(),
                     outputs.size());
  }
  if (status != HONE_OK)
    throw RunError(api.message(session));
  for (int32_t i = 0; i < model->output_count; ++i) {
    const hone_value_info &info = model->outputs[i];
    results[info.name] = arrays[i].is_valid()
                             ? finishTensor(std::move(arrays[i]), info.type,
                                            shapes[i].data(), info.rank)
                             : toPython(outputs[i]);
  }
}

nb::dict Model::stats() {
  hone_session *session = takeSession();
  hone_session_stats stats = {};
  model->api->stats(session, &stats);
  giveSession(session);
  nb::dict result;
  result["arena_bytes"] = stats.arena_bytes;
  result["lower_bound_bytes"] = stats.lower_bound_bytes;
  result["block_bytes"] = stats.block_bytes;
  result["scratch_bytes"] = stats.scratch_bytes;
  result["weight_bytes"] = model->weight_bytes;
  result["threads"] = stats.threads;
  result["level"] = stats.level ? stats.level : "";
  result["device"] = nb::none();
  if (stats.device) {
    result["device"] = stats.device;
    result["device_bytes"] = stats.device_bytes;
    result["replays"] = stats.replays;
  }
  if (stats.device_note)
    result["device_note"] = stats.device_note;
  return result;
}
