// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Opens a compiled model and runs it on Python objects.
#include "python/Model.h"

#include "python/Errors.h"
#include "python/Text.h"
#include "python/Values.h"

#include <nanobind/stl/string.h>

#include <algorithm>
#include <cstring>
#include <cxxabi.h>
#include <map>
#include <optional>
#include <unistd.h>

namespace nb = nanobind;
using namespace hone::python;

namespace {

/// The pool of this many threads shared by all models of the process. Pools are
/// never destroyed: the process may end while a model still runs.
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
             const std::string &level, int device, bool verify,
             const hone_custom_table *operators)
    : threads(threads), level(level), device(device), operators(operators) {
  char message[512] = "";
  if (hone_library_open(path.c_str(), symbol.c_str(), &library, message,
                        sizeof(message)) != HONE_OK)
    throw RunError(message);
  model = hone_library_descriptor(library);
  // Creates a first session now, so that a model that cannot run here fails
  // here.
  try {
    if (verify && hone_library_verify(library, message, sizeof(message)))
      throw RunError(message);
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

/// Does the work without the interpreter's lock. A daemon thread that outlives
/// the interpreter never gets it back: CPython ends such a thread while it
/// waits for the lock, in frames that do not expect it. Instead it sleeps until
/// the process exits, as in CPython from 3.14 on.
template <typename Work> static auto withoutLock(Work work) {
  PyThreadState *state = PyEval_SaveThread();
  auto result = work();
  try {
    PyEval_RestoreThread(state);
  } catch (abi::__forced_unwind &) {
    for (;;)
      pause();
  }
  return result;
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
  options.operators = operators;
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

/// One run: what it reads and writes, and its Python results.
struct Model::Call {
  explicit Call(bool copies = false) : keep(copies) {}
  nb::object onDevice; ///< names of outputs, or None
  nb::dict out;
  Keep keep;
  std::vector<hone_value> inputs, outputs;
  std::vector<std::vector<int64_t>> shapes;
  /// For each output: an array to be finished, or the result itself.
  std::vector<nb::object> arrays, ready;
  nb::dict results;
};

static void checkNames(nb::handle names, const hone_value_info *infos,
                       int32_t count, const char *what) {
  for (nb::handle name : names) {
    bool known = false;
    for (int32_t i = 0; i < count; ++i)
      known |= nb::str(infos[i].name).equal(name);
    if (known)
      continue;
    std::string text =
        std::string("the model has no ") + what + " " + shown(nb::repr(name));
    constexpr int32_t most = 8;
    for (int32_t i = 0; i < std::min(count, most); ++i)
      text += std::string(i ? ", " : "; it has ") + "'" + infos[i].name + "'";
    if (count > most)
      text += " and " + std::to_string(count - most) + " more";
    throw RunError(text, "RunKeyError");
  }
}

/// Whether no previous output has the same name.
static bool firstOutput(const hone_descriptor &model, int32_t number) {
  for (int32_t i = 0; i < number; ++i)
    if (strcmp(model.outputs[i].name, model.outputs[number].name) == 0)
      return false;
  return true;
}

void Model::readInputs(nb::dict feeds, Call &call) {
  checkNames(feeds, model->inputs, model->input_count, "input");
  for (int32_t i = 0; i < model->input_count; ++i) {
    const hone_value_info &info = model->inputs[i];
    nb::object given = nb::none();
    if (feeds.contains(info.name))
      given = feeds[info.name];
    else if (info.kind != HONE_KIND_OPTIONAL && !info.has_default)
      throw RunError(std::string("input '") + info.name + "' is missing",
                     "RunKeyError");
    if (given.is_none() && info.has_default) {
      call.inputs.emplace_back();
      continue;
    }
    try {
      call.inputs.push_back(
          dlpackPlace(given) == DlpackPlace::Device
              ? deviceTensorFromPython(given, deviceNumber, call.keep)
              : fromPython(given, info, call.keep));
    } catch (const RunError &e) {
      throw RunError(std::string("input '") + info.name + "': " + e.what(),
                     e.name);
    }
  }
}

void Model::readOutputs(nb::object onDevice, nb::dict out, Call &call) {
  checkNames(out, model->outputs, model->output_count, "output");
  if (!onDevice.is_none())
    checkNames(onDevice, model->outputs, model->output_count, "output");
  bool wantsDevice = onDevice.is_none() || nb::len(onDevice) > 0;
  if (wantsDevice && deviceNumber < 0)
    throw runValueError("outputs cannot stay on a device: the model runs on "
                        "the CPU");
  call.onDevice = std::move(onDevice);
  call.out = std::move(out);
}

nb::dict Model::run(nb::dict feeds, nb::object onDevice, nb::dict out) {
  Call call;
  readInputs(feeds, call);
  readOutputs(std::move(onDevice), std::move(out), call);
  return run(call);
}

std::shared_ptr<Model::Call> Model::prepare(nb::dict feeds,
                                            nb::object onDevice) {
  auto call = std::make_shared<Call>(/*copies=*/true);
  readInputs(feeds, *call);
  readOutputs(std::move(onDevice), nb::dict(), *call);
  return call;
}

nb::dict Model::run(Call &call) {
  hone_session *session = takeSession();
  try {
    runSession(session, call);
  } catch (...) {
    giveSession(session);
    throw;
  }
  giveSession(session);
  return call.results;
}

/// Whether the memory of two tensors overlaps.
static bool overlap(const hone_value &a, const hone_value &b) {
  if (a.kind != HONE_KIND_TENSOR || b.kind != HONE_KIND_TENSOR ||
      a.place != b.place)
    return false;
  auto begin = [](const hone_value &v) {
    return reinterpret_cast<uintptr_t>(v.as.tensor.data);
  };
  auto bytes = [](const hone_value &v) {
    return uintptr_t(hone_tensor_bytes(v.as.tensor.type, v.as.tensor.rank,
                                       v.as.tensor.dims));
  };
  return begin(a) < begin(b) + bytes(b) && begin(b) < begin(a) + bytes(a);
}

/// Decides where an output is written; `dims` may be negative if they depend on
/// data.
void Model::placeOutput(hone_session *session, Call &call, int32_t number,
                        const int64_t *dims) {
  const hone_value_info &info = model->outputs[number];
  hone_value &output = call.outputs[number];
  // If the model lists an output twice, the first one is written there.
  if (call.out.contains(info.name) && firstOutput(*model, number)) {
    nb::object given = call.out[info.name];
    if (info.kind != HONE_KIND_TENSOR)
      throw runTypeError("it is not a tensor, and cannot be written in place");
    output = dlpackPlace(given) == DlpackPlace::Device
                 ? deviceOutputFromPython(given, deviceNumber, call.keep)
                 : outputFromPython(given, info, call.keep);
    // Without an address the session would write to memory of its own.
    const hone_tensor &tensor = output.as.tensor;
    if (!tensor.data &&
        hone_tensor_bytes(tensor.type, tensor.rank, tensor.dims) != 0)
      throw runValueError("it has no data");
    for (const hone_value &input : call.inputs)
      if (overlap(output, input))
        throw runValueError("its memory overlaps an input");
    for (int32_t i = 0; i < number; ++i)
      if (overlap(output, call.outputs[i]))
        throw runValueError("its memory overlaps another output");
    call.ready[number] = std::move(given);
    return;
  }
  bool isNamed = !call.onDevice.is_none() &&
                 nb::cast<bool>(call.onDevice.attr("__contains__")(info.name));
  bool known = info.kind == HONE_KIND_TENSOR && info.rank >= 0 &&
               info.type != HONE_TYPE_STRING;
  for (int32_t i = 0; known && i < info.rank; ++i)
    known = dims[i] >= 0;
  if (isNamed && (!known || !isDeviceType(info.type)))
    throw runValueError("it cannot stay on the device: only tensors can whose "
                        "element type DLPack has and whose shape is known "
                        "before the run");
  if (known && isDeviceType(info.type) &&
      (isNamed || call.onDevice.is_none())) {
    const hone_core_api &api = *model->api;
    if (api.size < sizeof(hone_core_api))
      throw RunError("the model was compiled by an older version: compile it "
                     "again");
    hone_device_memory memory;
    if (api.device_allocate(session,
                            hone_tensor_bytes(info.type, info.rank, dims),
                            &memory) != HONE_OK)
      throw RunError(api.message(session));
    output.kind = HONE_KIND_TENSOR;
    output.place = HONE_PLACE_DEVICE;
    output.as.tensor = {memory.data, dims, info.rank, info.type};
    call.ready[number] = deviceTensorToPython(
        memory, shared_from_this(), deviceNumber, info.type, dims, info.rank);
  } else if (known) {
    call.arrays[number] = emptyTensor(info.type, dims, info.rank, output);
  }
}

/// The error of a call of a session that did not return HONE_OK.
static RunError failure(const hone_core_api &api, hone_session *session,
                        int32_t status) {
  return RunError(api.message(session),
                  status == HONE_WRONG_CALL ? "RunValueError" : "RunError");
}

void Model::runSession(hone_session *session, Call &call) {
  const hone_core_api &api = *model->api;
  const int64_t *dims = nullptr;
  int32_t status = withoutLock([&] {
    return api.prepare(session, call.inputs.data(), call.inputs.size(), nullptr,
                       &dims);
  });
  if (status != HONE_OK)
    throw failure(api, session, status);

  // Outputs of known shape are written directly to their destination. The
  // dimensions are copied, since the run may move the session's own.
  size_t count = model->output_count;
  call.outputs.resize(count);
  call.shapes.resize(count);
  call.arrays.resize(count);
  call.ready.resize(count);
  for (size_t i = 0; i < count; ++i) {
    const hone_value_info &info = model->outputs[i];
    if (info.kind == HONE_KIND_TENSOR && info.rank >= 0) {
      call.shapes[i].assign(dims, dims + info.rank);
      dims += info.rank;
    }
    try {
      placeOutput(session, call, i, call.shapes[i].data());
    } catch (const RunError &e) {
      throw RunError(std::string("output '") + info.name + "': " + e.what(),
                     e.name);
    }
  }
  status = withoutLock([&] {
    return api.run(session, call.inputs.data(), call.inputs.size(),
                   call.outputs.data(), call.outputs.size());
  });
  if (status != HONE_OK)
    throw failure(api, session, status);
  for (size_t i = 0; i < count; ++i) {
    const hone_value_info &info = model->outputs[i];
    nb::object result;
    if (call.ready[i].is_valid())
      result = std::move(call.ready[i]);
    else if (call.arrays[i].is_valid())
      result = finishTensor(std::move(call.arrays[i]), info.type,
                            call.shapes[i].data(), info.rank);
    else
      result = toPython(call.outputs[i]);
    if (firstOutput(*model, i))
      call.results[info.name] = std::move(result);
  }
}

static nb::object orNone(int64_t number) {
  return number < 0 ? nb::none() : nb::cast(number);
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

nb::list Model::kernels() {
  hone_session *session = takeSession();
  hone_session_stats stats = {};
  model->api->stats(session, &stats);
  giveSession(session);
  int64_t level = 0;
  while (level < model->level_count && stats.level &&
         strcmp(model->levels[level].name, stats.level) != 0)
    ++level;
  nb::list kernels;
  for (int64_t step = 0; step < model->step_count; ++step) {
    const char *arithmetic = hone_step_arithmetic(model, level, step);
    if (!arithmetic)
      continue;
    nb::list nodes;
    for (int32_t i = 0; const char *node = hone_step_node(model, step, i); ++i)
      nodes.append(node);
    kernels.append(nb::make_tuple(hone_step_name(model, step), nb::tuple(nodes),
                                  arithmetic,
                                  orNone(hone_step_flop(model, step))));
  }
  return kernels;
}

/// Peak rates with this many threads, as the package takes them.
static std::optional<hone_peak> measurePeak(int32_t threads) {
  hone_peak peak;
  int32_t status = withoutLock([&]() -> int32_t {
    hone_pool pool = {};
    if (threads > 1)
      if (int32_t failed = hone_pool_create(threads, &pool))
        return failed;
    int32_t status = hone_measure_peak(threads > 1 ? &pool : nullptr, &peak);
    hone_pool_destroy(&pool);
    return status;
  });
  if (status != HONE_OK)
    throw RunError("out of memory for measuring the machine's peak");
  return peak;
}

static const char *const stepKinds[] = {"kernel", "library", "copy"};

/// One step as the package takes it: numbers are totals over all runs.
static nb::object describeStep(const hone_descriptor &model, int64_t step,
                               const hone_profile_row &row,
                               const std::optional<hone_peak> &peak) {
  nb::list nodes, ops;
  for (int32_t i = 0; const char *name = hone_step_node(&model, step, i); ++i) {
    nodes.append(name);
    ops.append(hone_step_node_op(&model, step, i));
  }
  int32_t bound = HONE_BOUND_NONE;
  double least =
      hone_peak_seconds(peak ? &*peak : nullptr, row.flop, row.bytes, &bound);
  return nb::make_tuple(step, hone_step_name(&model, step),
                        stepKinds[model.steps[step].kind], nb::tuple(nodes),
                        nb::tuple(ops), row.launches,
                        double(row.total_ns) * 1e-9, double(row.min_ns) * 1e-9,
                        orNone(row.flop), orNone(row.bytes),
                        bound == HONE_BOUND_NONE      ? nb::none()
                        : bound == HONE_BOUND_COMPUTE ? nb::cast("compute")
                                                      : nb::cast("memory"),
                        least);
}

void Model::profileSession(hone_session *session, Call &call, int runs,
                           int64_t events, nb::dict &result) {
  const hone_core_api &api = *model->api;
  hone_session_stats stats;
  api.stats(session, &stats);
  std::optional<hone_peak> peak;
  if (!stats.device)
    peak = measurePeak(int32_t(stats.threads));
  call.outputs.resize(model->output_count);
  for (int i = -1; i < runs; ++i) {
    if (i == 0 && api.profile_start(session, events) != HONE_OK)
      throw RunError(api.message(session));
    std::fill(call.outputs.begin(), call.outputs.end(), hone_value{});
    int32_t status = withoutLock([&] {
      return api.run(session, call.inputs.data(), call.inputs.size(),
                     call.outputs.data(), call.outputs.size());
    });
    if (status != HONE_OK)
      throw failure(api, session, status);
    if (PyErr_CheckSignals() != 0)
      throw nb::python_error();
  }
  hone_profile profile;
  api.profile_read(session, &profile);
  nb::list steps, happened;
  for (int64_t i = 0; i < profile.row_count; ++i)
    if (profile.rows[i].launches > 0)
      steps.append(describeStep(*model, i, profile.rows[i], peak));
  for (int64_t i = 0; i < profile.event_count; ++i) {
    const hone_profile_event &event = profile.events[i];
    happened.append(nb::make_tuple(event.step, event.thread, event.begin_ns,
                                   event.end_ns, event.pieces));
  }
  result["runs"] = profile.runs;
  result["seconds"] = double(profile.run_ns) * 1e-9;
  result["threads"] = stats.threads;
  result["steps"] = steps;
  result["events"] = happened;
  result["lost_events"] = profile.lost_events;
  result["peak"] = nb::none();
  if (peak)
    result["peak"] =
        nb::make_tuple(peak->flop_per_second, peak->bytes_per_second,
                       peak->threads, peak->vector_bits);
}

nb::dict Model::profile(nb::dict feeds, int runs, int64_t events) {
  Call call;
  readInputs(feeds, call);
  nb::dict result;
  hone_session *session = takeSession();
  // Its memory for events would stay with the session.
  auto giveBack = [&] {
    model->api->profile_stop(session);
    if (events > 0)
      model->api->session_destroy(session);
    else
      giveSession(session);
  };
  try {
    profileSession(session, call, runs, events, result);
  } catch (...) {
    giveBack();
    throw;
  }
  giveBack();
  return result;
}
