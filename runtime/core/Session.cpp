// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Makes sessions, plans for the dimensions of a call, and runs.
#include "runtime/core/Session.h"
#include "runtime/core/CpuLevel.h"
#include "runtime/core/Plan.h"
#include "runtime/core/Pool.h"
#include "runtime/core/Weights.h"
#include "runtime/device/Device.h"

#include <inttypes.h>
#include <new>
#include <stdlib.h>
#include <string.h>
#include <xmmintrin.h>

using namespace hone;

namespace {

/// Planning happens inside a call here: a smaller budget than in the compiler.
constexpr int64_t planWork = 8'000'000;

/// Allocates parts of a table, or only adds up their sizes while there is no
/// memory.
struct Cutter {
  char *base;
  int64_t used = 0;
  template <typename T> void cut(T *&pointer, int64_t count) {
    pointer = base ? reinterpret_cast<T *>(base + used) : nullptr;
    used += (int64_t(sizeof(T)) * count + 63) / 64 * 64;
  }
};

void cutTables(hone_session &s, Cutter &cutter) {
  const hone_descriptor &model = *s.model;
  cutter.cut(s.contexts, s.pool.threads);
  cutter.cut(s.grownScratch, s.pool.threads);
  cutter.cut(s.freeDims, model.free_dim_count);
  cutter.cut(s.freeDimsBound, model.free_dim_count);
  cutter.cut(s.slotBytes, model.slot_count);
  cutter.cut(s.inputs, model.input_count);
  cutter.cut(s.outputs, model.output_count);
  cutter.cut(s.outputStates, model.output_count);
  for (DimsPlan &plan : s.plans) {
    cutter.cut(plan.freeDims, model.free_dim_count);
    cutter.cut(plan.outputDims, s.outputDimCount);
    if (!model.slot_offsets)
      cutter.cut(plan.slotOffsets, model.slot_count);
  }
  if (model.device) {
    cutter.cut(s.kernels, model.kernel_count);
    cutter.cut(s.deviceInputs, model.input_count);
    cutter.cut(s.deviceOutputs, model.output_count);
  }
}

bool isUsable(const hone_descriptor *model, Text &text) {
  if (!model || model->abi_version != HONE_ABI_VERSION ||
      model->size < sizeof(hone_descriptor)) {
    text.add("the model has version %" PRIu32 " of the binary interface, and "
             "this runtime version %" PRIu32,
             model ? model->abi_version : 0, HONE_ABI_VERSION);
    return false;
  }
  return true;
}

int32_t setUpThreads(hone_session &s, const hone_session_options &options,
                     Text &text) {
  if (options.pool) {
    s.pool = *options.pool;
    if (s.pool.threads < 1 || !s.pool.run || !s.pool.acquire ||
        !s.pool.release) {
      text.add("the pool is incomplete");
      return HONE_WRONG_CALL;
    }
  } else if (options.threads < 0) {
    text.add("%" PRId32 " threads were requested: it must be 0, for one per "
             "processor, or more",
             options.threads);
    return HONE_WRONG_CALL;
  } else {
    int32_t threads =
        options.threads > 0 ? options.threads : usableProcessors();
    if (threads == 1) {
      s.pool.threads = 1; // no pool at all
    } else if (createPool(threads, &s.pool) != HONE_OK) {
      text.add("out of memory for the thread pool");
      return HONE_OUT_OF_MEMORY;
    } else {
      s.ownsPool = true;
    }
  }
  return HONE_OK;
}

/// Whether the operators of the program, if there are any, can be called.
bool isUsable(const hone_custom_table *operators, Text &text) {
  if (!operators)
    return true;
  if (operators->version != HONE_CUSTOM_VERSION ||
      (operators->count && !operators->operators)) {
    text.add("the custom operators have version %" PRIu32
             " of hone/custom.h, and the model version %" PRIu32,
             operators->version, HONE_CUSTOM_VERSION);
    return false;
  }
  for (uint32_t i = 0; i < operators->count; ++i) {
    const hone_custom_operator &op = operators->operators[i];
    if (op.domain && op.name && op.shape && op.run)
      continue;
    text.add("custom operator %" PRIu32 " lacks a name or a function", i);
    return false;
  }
  return true;
}

int32_t setUp(hone_session &s, const hone_session_options &options,
              Text &text) {
  const hone_descriptor &model = *s.model;
  if (!isUsable(options.operators, text))
    return HONE_WRONG_CALL;
  s.operators = options.operators;
  s.level = chooseLevel(model, options.level, text);
  if (!s.level)
    return HONE_UNSUPPORTED_CPU;
  if (int32_t status = openWeights(model, &s.frame.weights, text))
    return status;
  s.hasWeights = true;
  if (int32_t status = setUpThreads(s, options, text))
    return status;

  for (int32_t i = 0; i < model.output_count; ++i)
    if (model.outputs[i].kind == HONE_KIND_TENSOR && model.outputs[i].rank > 0)
      s.outputDimCount += model.outputs[i].rank;
  Cutter sizes{nullptr};
  cutTables(s, sizes);
  // Scratch areas are more than a page apart: no false sharing, no aliasing of
  // cache sets.
  int64_t perThread = (s.level->scratch_bytes + 4095) / 4096 * 4096 + 64;
  if (s.level->scratch_bytes <= 0)
    perThread = 0;
  if (!s.tables.reserve(s.allocator, sizes.used) ||
      !s.scratch.reserve(s.allocator, perThread * s.pool.threads)) {
    text.add("out of memory for the session's tables");
    return HONE_OUT_OF_MEMORY;
  }
  memset(s.tables.data(), 0, size_t(s.tables.bytes()));
  Cutter cutter{s.tables.data()};
  cutTables(s, cutter);
  for (int64_t i = 0; i < s.pool.threads; ++i)
    s.contexts[i] = {perThread ? s.scratch.data() + i * perThread : nullptr,
                     s.level->scratch_bytes,
                     &s.frame,
                     i,
                     nullptr,
                     0};

  s.frame.model = &model;
  s.frame.session = &s;
  s.frame.kernels = s.level->kernels;
  s.frame.device_weights = s.frame.weights;
  s.frame.device_inputs = s.deviceInputs;
  s.frame.device_outputs = s.deviceOutputs;
  return chooseDevice(s, options.device, text);
}

/// Offsets of the slots of one place.
int32_t planArena(hone_session &s, DimsPlan &plan, int32_t place, Text &text) {
  const hone_descriptor &model = *s.model;
  int64_t count = model.slot_count;
  int64_t intervalBytes = int64_t(sizeof(plan::Interval)) * count;
  int64_t offsetBytes = int64_t(sizeof(int64_t)) * count;
  auto *memory = static_cast<char *>(s.blocks.allocate(
      s.allocator,
      intervalBytes + offsetBytes + int64_t(plan::scratchBytes(count)),
      Blocks::Life::Run));
  if (!memory) {
    text.add("out of memory for planning the arena");
    return HONE_OUT_OF_MEMORY;
  }
  auto *intervals = reinterpret_cast<plan::Interval *>(memory);
  auto *offsets = reinterpret_cast<int64_t *>(memory + intervalBytes);
  for (int64_t i = 0; i < count; ++i) {
    const hone_slot &slot = model.slots[i];
    int64_t bytes = slot.bytes < 0 ? s.slotBytes[-1 - slot.bytes] : slot.bytes;
    // A negative size belongs to a branch that will not be taken, or that ends
    // the run at once.
    if (bytes < 0)
      bytes = 0;
    intervals[i] = {slot.place == place ? bytes : 0, slot.alignment, slot.first,
                    slot.last};
  }
  // There is no point in saving what the arena already holds.
  plan::Effort effort;
  effort.work = planWork;
  effort.enough = s.arenas[place].bytes();
  plan::Result planned = plan::plan(
      intervals, count, offsets, memory + intervalBytes + offsetBytes, effort);
  for (int64_t i = 0; i < count; ++i)
    if (model.slots[i].place == place)
      plan.slotOffsets[i] = offsets[i];
  s.blocks.free(memory);
  if (planned.arenaBytes < 0) {
    text.add("the model's memory is too large");
    return HONE_OUT_OF_MEMORY;
  }
  plan.arenaBytes[place] = planned.arenaBytes;
  plan.lowerBoundBytes[place] = planned.lowerBoundBytes;
  return HONE_OK;
}

void addFreeDims(const hone_descriptor &model, const int64_t *freeDims,
                 Text &text) {
  for (int64_t k = 0; k < model.free_dim_count; ++k)
    text.add("%s'%s' = %" PRId64, k ? ", " : " with ", model.free_dim_names[k],
             freeDims[k]);
}

/// Makes the plan for `s.freeDims`, replacing the least recently used one.
int32_t makePlan(hone_session &s, DimsPlan &plan, Text &text) {
  const hone_descriptor &model = *s.model;
  plan.lastUse = 0;
  s.plan = nullptr;
  memcpy(plan.freeDims, s.freeDims, sizeof(int64_t) * model.free_dim_count);
  s.failure.clear();
  if (model.prepare(&s.frame, plan.freeDims, s.slotBytes, plan.outputDims)) {
    s.failure.describe(model, text);
    addFreeDims(model, plan.freeDims, text);
    return s.failure.status;
  }
  if (model.slot_offsets) {
    plan.slotOffsets = const_cast<int64_t *>(model.slot_offsets);
    plan.arenaBytes[HONE_PLACE_HOST] = model.arena_bytes;
    plan.lowerBoundBytes[HONE_PLACE_HOST] = model.lower_bound_bytes;
    plan.arenaBytes[HONE_PLACE_DEVICE] =
        model.device ? model.device_arena_bytes : 0;
    plan.lowerBoundBytes[HONE_PLACE_DEVICE] =
        model.device ? model.device_lower_bound_bytes : 0;
    return HONE_OK;
  }
  for (int32_t place = 0; place < (model.device ? placeCount : 1); ++place)
    if (int32_t status = planArena(s, plan, place, text)) {
      addFreeDims(model, plan.freeDims, text);
      return status;
    }
  return HONE_OK;
}

/// Makes the plan for `s.freeDims` current; recent plans are kept. The last
/// run's outputs stay valid.
int32_t usePlan(hone_session &s, Text &text) {
  const hone_descriptor &model = *s.model;
  DimsPlan *oldest = &s.plans[0];
  s.plan = nullptr;
  for (DimsPlan &plan : s.plans) {
    if (plan.lastUse && memcmp(plan.freeDims, s.freeDims,
                               sizeof(int64_t) * model.free_dim_count) == 0)
      s.plan = &plan;
    if (plan.lastUse < oldest->lastUse)
      oldest = &plan;
  }
  if (!s.plan) {
    if (int32_t status = makePlan(s, *oldest, text))
      return status;
    s.plan = oldest;
    s.plan->serial = ++s.plansMade;
  }
  return HONE_OK;
}

/// Allocates memory for the current plan, and marks it as used.
int32_t reserveArenas(hone_session &s, Text &text) {
  for (int32_t place = 0; place < (s.device ? 1 : placeCount); ++place)
    if (!s.arenas[place].reserve(s.allocator, s.plan->arenaBytes[place])) {
      text.add("out of memory: %" PRId64 " bytes for the arena",
               s.plan->arenaBytes[place]);
      addFreeDims(*s.model, s.plan->freeDims, text);
      s.plan->lastUse = 0;
      return HONE_OUT_OF_MEMORY;
    }
  s.plan->lastUse = ++s.uses;
  s.frame.arena = s.arenas[HONE_PLACE_HOST].data();
  s.frame.device_arena = s.arenas[HONE_PLACE_DEVICE].data();
  s.frame.free_dims = s.plan->freeDims;
  s.frame.slot_offsets = s.plan->slotOffsets;
  s.frame.output_dims = s.plan->outputDims;
  return HONE_OK;
}

/// Default rounding and no flushing of denormals for the duration of a run.
struct FloatMode {
  static constexpr uint32_t standard = 0x1f80, flags = 0x3f;
  uint32_t saved = _mm_getcsr();
  bool changed = (saved & ~flags) != standard;
  FloatMode() {
    if (changed)
      _mm_setcsr(standard);
  }
  ~FloatMode() {
    if (changed)
      _mm_setcsr(saved);
  }
};

/// Without a device its fields say where the values are on the host.
void bindDeviceFields(hone_session &s) {
  const hone_descriptor &model = *s.model;
  for (int32_t i = 0; i < model.input_count; ++i)
    s.deviceInputs[i] = model.inputs[i].kind == HONE_KIND_TENSOR
                            ? s.inputs[i].as.tensor.data
                            : nullptr;
  for (int32_t i = 0; i < model.output_count; ++i)
    s.deviceOutputs[i] = model.outputs[i].kind == HONE_KIND_TENSOR
                             ? s.outputs[i].as.tensor.data
                             : nullptr;
}

/// So that reading a slot before it is written gives a wrong result.
void poisonArenas(hone_session &s) {
  for (int32_t place = 0; place < (s.device ? 1 : placeCount); ++place)
    if (s.plan->arenaBytes[place] > 0)
      memset(s.arenas[place].data(), kPoison,
             size_t(s.plan->arenaBytes[place]));
}

int32_t execute(hone_session &s, Text &text) {
  const hone_descriptor &model = *s.model;
  s.failure.clear();
  if (s.blocks.poisons)
    poisonArenas(s);
  s.frame.inputs = s.inputs;
  s.frame.outputs = s.outputs;
  if (model.device && !s.device)
    bindDeviceFields(s);
  bool needsPool = !s.device || !(model.plan & HONE_PLAN_STATIC);
  s.poolHeld = needsPool && s.pool.threads > 1 && s.pool.acquire(s.pool.self);
  int32_t result;
  {
    FloatMode mode;
    result = s.device ? model.device->api->run(s) : model.run(&s.frame);
  }
  if (s.poolHeld)
    s.pool.release(s.pool.self);
  s.poolHeld = false;

  if (s.failure.status != HONE_OK) {
    if (!s.device || !model.device->api->describe(s, text))
      s.failure.describe(model, text);
    return s.failure.status;
  }
  if (result != 0) {
    text.add("the model returned %" PRId32 " without a reason", result);
    return HONE_INTERNAL;
  }
  for (int32_t i = 0; i < model.output_count; ++i)
    if (s.outputStates[i] == OutputState::Pending ||
        s.outputStates[i] == OutputState::Caller) {
      text.add("the model did not set output '%s'", model.outputs[i].name);
      return HONE_INTERNAL;
    }
  return HONE_OK;
}

} // namespace

int32_t hone::createSession(const hone_descriptor *model,
                            const hone_session_options *options,
                            hone_session **session, char *message,
                            size_t messageBytes) {
  Text text(message, message ? messageBytes : 0);
  if (!session) {
    text.add("no place to store the session was given");
    return HONE_WRONG_CALL;
  }
  *session = nullptr;
  if (!isUsable(model, text))
    return HONE_BAD_MODEL;
  hone_session_options chosen = {};
  if (options)
    memcpy(&chosen, options,
           options->size < sizeof(chosen) ? options->size : sizeof(chosen));
  hone_allocator allocator =
      chosen.allocator ? *chosen.allocator : systemAllocator();
  void *memory = allocator.allocate(allocator.self, sizeof(hone_session), 64);
  if (!memory) {
    text.add("out of memory for the session");
    return HONE_OUT_OF_MEMORY;
  }
  auto *s = new (memory) hone_session{};
  s->model = model;
  s->allocator = allocator;
  s->blocks.poisons = getenv("HONE_CHECK_MEMORY");
  int32_t status = setUp(*s, chosen, text);
  if (status != HONE_OK) {
    destroySession(s);
    return status;
  }
  *session = s;
  return HONE_OK;
}

void hone::destroySession(hone_session *s) {
  if (!s)
    return;
  if (s->device)
    s->model->device->api->close(*s);
  if (s->ownsPool)
    destroyPool(&s->pool);
  if (s->hasWeights)
    closeWeights(*s->model);
  hone_allocator allocator = s->allocator;
  s->blocks.release(allocator);
  for (Region &arena : s->arenas)
    arena.release(allocator);
  for (int64_t i = 0; s->grownScratch && i < s->pool.threads; ++i)
    s->grownScratch[i].release(allocator);
  s->scratch.release(allocator);
  s->tables.release(allocator);
  s->profileMemory.release(allocator);
  allocator.release(allocator.self, s, sizeof(hone_session));
}

int32_t hone::prepareSession(hone_session *s, const hone_value *inputs,
                             int32_t inputCount, int64_t *arenaBytes,
                             const int64_t **outputDims) {
  if (!s)
    return HONE_WRONG_CALL;
  Text text(s->message, sizeof(s->message));
  if (int32_t status = checkInputs(*s, inputs, inputCount, false, text))
    return status;
  if (int32_t status = usePlan(*s, text))
    return status;
  if (int32_t status = reserveArenas(*s, text))
    return status;
  if (s->device)
    if (int32_t status =
            s->model->device->api->bind(*s, /*forRun=*/false, text))
      return status;
  if (arenaBytes)
    *arenaBytes = s->plan->arenaBytes[HONE_PLACE_HOST] +
                  s->plan->arenaBytes[HONE_PLACE_DEVICE];
  if (outputDims)
    *outputDims = s->plan->outputDims;
  return HONE_OK;
}

int32_t hone::runSession(hone_session *s, const hone_value *inputs,
                         int32_t inputCount, hone_value *outputs,
                         int32_t outputCount) {
  if (!s)
    return HONE_WRONG_CALL;
  int64_t begin = s->profile ? now() : 0;
  Text text(s->message, sizeof(s->message));
  if (int32_t status = checkInputs(*s, inputs, inputCount, true, text))
    return status;
  if (int32_t status = usePlan(*s, text))
    return status;
  if (int32_t status = bindOutputs(*s, outputs, outputCount, text))
    return status;
  // The call is valid: from here on the last run's outputs are lost.
  s->blocks.recycle();
  if (int32_t status = reserveArenas(*s, text))
    return status;
  if (int32_t status = placeOutputs(*s, text))
    return status;
  if (s->device)
    if (int32_t status = s->model->device->api->bind(*s, /*forRun=*/true, text))
      return status;
  int32_t status = execute(*s, text);
  if (s->profile)
    s->profile->addRun(begin, now());
  if (status != HONE_OK)
    return status;
  memcpy(outputs, s->outputs, sizeof(hone_value) * size_t(outputCount));
  return HONE_OK;
}

int32_t hone::allocateOnDevice(hone_session *s, int64_t bytes,
                               hone_device_memory *memory) {
  if (!s || !memory)
    return HONE_WRONG_CALL;
  Text text(s->message, sizeof(s->message));
  *memory = {};
  if (s->device)
    return s->model->device->api->allocate(*s, bytes, *memory, text);
  text.add("this session runs on the CPU: it has no device memory");
  return HONE_WRONG_CALL;
}

void hone::sessionStats(const hone_session *s, hone_session_stats *stats) {
  if (!s || !stats)
    return;
  *stats = {};
  for (int32_t place = 0; place < placeCount; ++place)
    stats->arena_bytes += s->arenas[place].bytes();
  stats->lower_bound_bytes =
      s->plan ? s->plan->lowerBoundBytes[HONE_PLACE_HOST] +
                    s->plan->lowerBoundBytes[HONE_PLACE_DEVICE]
              : -1;
  stats->block_bytes = s->blocks.bytes();
  stats->scratch_bytes = s->scratch.bytes();
  for (int64_t i = 0; i < s->pool.threads; ++i)
    stats->scratch_bytes += s->grownScratch[i].bytes();
  stats->threads = s->pool.threads;
  stats->plans = s->plansMade;
  stats->level = s->level->name;
  stats->device_number = -1;
  if (s->device)
    s->model->device->api->stats(*s, *stats);
  else if (s->deviceNote[0])
    stats->device_note = s->deviceNote;
}
