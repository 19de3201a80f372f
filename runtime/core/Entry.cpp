// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Functions that generated code calls, and the table that a descriptor names.
#include "runtime/core/Pool.h"
#include "runtime/core/Session.h"
#include "runtime/core/Types.h"
#include "runtime/device/Device.h"

#include <string.h>

using namespace hone;

namespace {

struct Job {
  hone_kernel_fn function;
  void *const *ptrs;
  const int64_t *dims;
  hone_session *session;
  int64_t step;
  bool onDevice;
};

int32_t runPieces(void *task, int64_t begin, int64_t end, int64_t thread) {
  Job &job = *static_cast<Job *>(task);
  // A pool supplied by the caller: its numbers determine memory, so they are
  // checked.
  if (thread < 0 || thread >= job.session->pool.threads)
    return HONE_INTERNAL;
  return job.function(job.ptrs, job.dims, begin, end,
                      &job.session->contexts[thread]);
}

int32_t runPiecesTimed(void *task, int64_t begin, int64_t end, int64_t thread) {
  Job &job = *static_cast<Job *>(task);
  int64_t start = now();
  int32_t result = runPieces(task, begin, end, thread);
  job.session->profile->addEvent(job.step, int32_t(thread), start, now(),
                                 end - begin);
  return result;
}

int32_t launch(Job &job, int64_t pieces, hone_task_fn task) {
  hone_session &session = *job.session;
  if (pieces == 1 || !session.poolHeld || job.onDevice)
    return job.function(job.ptrs, job.dims, 0, pieces, &session.contexts[0]);
  return session.pool.run(session.pool.self, pieces, task, &job);
}

/// Executes a step and reports its time to the profile.
template <typename Work>
int32_t timed(hone_session &session, int64_t step, bool onDevice, Work work) {
  if (!onDevice) {
    int64_t begin = now();
    int32_t result = work();
    session.profile->addLaunch(step, 0, begin, now());
    return result;
  }
  const hone_device_api &api = *session.model->device->api;
  if (int32_t status = api.begin_step(session, step))
    return status;
  int32_t result = work();
  int32_t status = api.end_step(session);
  return result ? result : status;
}

__attribute__((noinline)) int32_t launchTimed(Job &job, int64_t kernel,
                                              int64_t pieces) {
  Profile &profile = *job.session->profile;
  profile.addKernelWork(job.step, kernel, job.dims);
  hone_task_fn task = profile.hasEvents() ? runPiecesTimed : runPieces;
  return timed(*job.session, job.step, job.onDevice,
               [&] { return launch(job, pieces, task); });
}

int32_t copy(hone_session &session, void *to, const void *from, int64_t bytes,
             int32_t kind) {
  if (session.device)
    return session.model->device->api->copy(session, to, from, bytes, kind);
  if (bytes > 0 && to != from)
    memmove(to, from, size_t(bytes));
  return HONE_OK;
}

/// A sequence that leaves the session must not refer to its table, which the
/// next run reuses: the caller may pass it in again.
void detach(const hone_value &value) {
  const hone_value *inner = &value;
  if (inner->kind == HONE_KIND_OPTIONAL)
    inner = inner->as.optional.value;
  if (inner && inner->kind == HONE_KIND_SEQUENCE && inner->as.sequence->storage)
    const_cast<hone_sequence *>(inner->as.sequence)->storage = nullptr;
}

void *allocate(hone_frame *frame, int32_t node, int64_t bytes,
               Blocks::Life life) {
  hone_session *session = frame->session;
  void *block = session->blocks.allocate(session->allocator, bytes, life);
  if (!block)
    hone_rt_fail(frame, node, HONE_OUT_OF_MEMORY, bytes, 0);
  return block;
}

const char *sessionMessage(const hone_session *session) {
  return session ? session->message : "no session was given";
}

} // namespace

const hone_core_api hone_rt_api = {
    HONE_ABI_VERSION, sizeof(hone_core_api), createSession,
    destroySession,   prepareSession,        runSession,
    sessionMessage,   sessionStats,          createPool,
    destroyPool,      allocateOnDevice,      startProfile,
    stopProfile,      readProfile,
};

int32_t hone_rt_dispatch(hone_frame *frame, int64_t kernel, void *const *ptrs,
                         const int64_t *dims, int64_t pieces, int64_t step) {
  if (pieces <= 0)
    return HONE_OK;
  hone_session *session = frame->session;
  Job job{frame->kernels[kernel], ptrs, dims, session, step, false};
  if (session->device) {
    const hone_device &device = *session->model->device;
    job.onDevice = device.kernels[kernel];
    if (!job.onDevice && session->recording)
      return hone_rt_fail(frame, -1, HONE_INTERNAL, kernel, 0);
    session->contexts[0].first_function = device.first_function[kernel];
  }
  int32_t result = __builtin_expect(session->profile != nullptr, 0)
                       ? launchTimed(job, kernel, pieces)
                       : launch(job, pieces, runPieces);
  if (result == 0)
    return HONE_OK;
  return hone_rt_fail(frame, -1, result, 0, 0);
}

int32_t hone_rt_fail(hone_frame *frame, int32_t node, int32_t status,
                     int64_t value, int64_t limit) {
  frame->session->failure.set(status, node, value, limit);
  return status == HONE_OK ? int32_t(HONE_INTERNAL) : status;
}

int64_t hone_rt_bytes(int64_t bits, int32_t rank, const int64_t *dims) {
  for (int32_t i = 0; i < rank; ++i)
    if (dims[i] < 0)
      return -1;
  int64_t bytes = packedBytes(bits, rank, dims);
  return bytes < 0 ? INT64_MAX : bytes;
}

int32_t hone_rt_check_dims(hone_frame *frame, int32_t node, int64_t bits,
                           int32_t rank, const int64_t *dims,
                           int32_t overflows) {
  int64_t bytes = hone_rt_bytes(bits, rank, dims);
  if (bytes >= 0 && bytes != INT64_MAX && !overflows)
    return HONE_OK;
  int32_t status = bytes == INT64_MAX && !overflows ? HONE_OUT_OF_MEMORY
                                                    : HONE_SHAPE_MISMATCH;
  frame->session->failure.setDims(status, node, rank, dims, overflows != 0);
  return status;
}

int32_t hone_rt_copy(hone_frame *frame, void *to, const void *from,
                     int64_t bytes, int32_t kind, int64_t step) {
  hone_session &session = *frame->session;
  if (!session.profile)
    return copy(session, to, from, bytes, kind);
  if (to != from)
    session.profile->addCopiedBytes(step, bytes);
  return timed(session, step, session.device && kind != 0,
               [&] { return copy(session, to, from, bytes, kind); });
}

int32_t hone_rt_library(hone_frame *frame, int64_t step,
                        hone_library_fn *function, int32_t node,
                        const hone_value *const *operands, int32_t operandCount,
                        hone_value *results, int32_t resultCount,
                        const int64_t *config) {
  auto call = [&] {
    return function(frame, node, operands, operandCount, results, resultCount,
                    config);
  };
  hone_session &session = *frame->session;
  return session.profile ? timed(session, step, false, call) : call();
}

void *hone_rt_alloc(hone_frame *frame, int32_t node, int64_t bytes) {
  return allocate(frame, node, bytes, Blocks::Life::Iteration);
}

void *hone_rt_alloc_for_run(hone_frame *frame, int32_t node, int64_t bytes) {
  return allocate(frame, node, bytes, Blocks::Life::Run);
}

int64_t hone_rt_mark(hone_frame *frame) {
  return frame->session->blocks.mark();
}

void hone_rt_end_iteration(hone_frame *frame, int64_t mark, void *const *kept,
                           int64_t count) {
  frame->session->blocks.endIteration(mark, kept, count);
}

void *hone_rt_scratch(hone_kernel_context *context, int64_t bytes) {
  hone_session &s = *context->frame->session;
  hone::Region &region = s.grownScratch[context->thread];
  if (!region.reserve(s.allocator, bytes)) {
    hone_rt_fail(context->frame, -1, HONE_OUT_OF_MEMORY, bytes, 0);
    return nullptr;
  }
  context->scratch = region.data();
  context->scratch_bytes = region.bytes();
  return context->scratch;
}

void hone_rt_free(hone_frame *frame, void *block) {
  frame->session->blocks.free(block);
}

int32_t hone_rt_set_output(hone_frame *frame, int32_t index, const void *data,
                           int32_t rank, const int64_t *dims) {
  hone_session *session = frame->session;
  hone_tensor &output = session->outputs[index].as.tensor;
  int64_t bytes = tensorBytes(output.type, rank, dims);
  if (bytes < 0)
    return hone_rt_fail(frame, -1, HONE_INTERNAL, rank, index);
  switch (session->outputStates[index]) {
  case OutputState::Caller:
  case OutputState::Planned:
    if (output.rank != rank) {
      int32_t status =
          hone_rt_fail(frame, -1, HONE_SHAPE_MISMATCH, rank, output.rank);
      session->failure.output = session->model->outputs[index].name;
      return status;
    }
    for (int32_t i = 0; i < rank; ++i)
      if (output.dims[i] != dims[i]) {
        int32_t status = hone_rt_fail(frame, -1, HONE_SHAPE_MISMATCH, dims[i],
                                      output.dims[i]);
        session->failure.output = session->model->outputs[index].name;
        return status;
      }
    if (bytes > 0 && output.data != data)
      memmove(output.data, data, size_t(bytes));
    break;
  default: {
    auto *copy = static_cast<int64_t *>(
        hone_rt_alloc_for_run(frame, -1, int64_t(sizeof(int64_t)) * rank));
    if (!copy)
      return HONE_OUT_OF_MEMORY;
    for (int32_t i = 0; i < rank; ++i)
      copy[i] = dims[i];
    output.data = const_cast<void *>(data);
    output.dims = copy;
    output.rank = rank;
  }
  }
  session->outputStates[index] = OutputState::Done;
  return HONE_OK;
}

int32_t hone_rt_set_output_value(hone_frame *frame, int32_t index,
                                 const hone_value *value) {
  if (value->kind == HONE_KIND_OPTIONAL &&
      frame->model->outputs[index].kind == HONE_KIND_TENSOR) {
    value = value->as.optional.value;
    if (!value) {
      int32_t status = hone_rt_fail(frame, -1, HONE_BAD_VALUE, 0, 0);
      frame->session->failure.output = frame->model->outputs[index].name;
      return status;
    }
  }
  if (value->kind == HONE_KIND_TENSOR)
    return hone_rt_set_output(frame, index, value->as.tensor.data,
                              value->as.tensor.rank, value->as.tensor.dims);
  detach(*value);
  frame->session->outputs[index] = *value;
  frame->session->outputStates[index] = OutputState::Done;
  return HONE_OK;
}
