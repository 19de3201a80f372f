// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Profiles of runs: their memory is allocated when they begin; a run only adds
// to it.
#include "runtime/core/Profile.h"
#include "runtime/core/Session.h"
#include "runtime/device/Device.h"

#include <inttypes.h>
#include <new>
#include <time.h>

using namespace hone;

namespace {

/// A sum of terms; -1 if unknown, INT64_MAX if it overflows.
int64_t evaluate(const hone_term *terms, int16_t count, const int64_t *dims) {
  if (count < 0)
    return -1;
  double sum = 0;
  for (int16_t i = 0; i < count; ++i) {
    double product = double(terms[i].factor);
    for (int16_t number : terms[i].numbers) {
      if (number < 0)
        break;
      product *= double(dims[number]);
    }
    sum += product;
  }
  return sum < 0 ? 0 : sum < 0x1p63 ? int64_t(sum) : INT64_MAX;
}

void addTo(int64_t &total, int64_t amount) {
  if (total < 0 || amount < 0)
    total = -1;
  else if (__builtin_add_overflow(total, amount, &total))
    total = INT64_MAX;
}

} // namespace

int64_t hone::now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return int64_t(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

int64_t hone::knownFlop(const hone_descriptor &model, int64_t kernel) {
  const hone_work &work = model.kernel_work[kernel];
  const hone_term *terms = model.work_terms + work.first_term;
  for (int16_t i = 0; i < work.flop_terms; ++i)
    if (terms[i].numbers[0] >= 0)
      return -1;
  return evaluate(terms, work.flop_terms, nullptr);
}

int64_t Profile::bytesFor(const hone_descriptor &model, int64_t events) {
  int64_t bytes = int64_t(sizeof(Profile)) +
                  model.step_count * int64_t(sizeof(hone_profile_row)),
          eventBytes;
  if (__builtin_mul_overflow(events, int64_t(sizeof(hone_profile_event)),
                             &eventBytes) ||
      __builtin_add_overflow(bytes, eventBytes, &bytes))
    return -1;
  return bytes;
}

Profile::Profile(const hone_descriptor &model, int64_t events)
    : model(model), rows(reinterpret_cast<hone_profile_row *>(this + 1)),
      rowCount(model.step_count),
      events(reinterpret_cast<hone_profile_event *>(rows + rowCount)),
      capacity(events) {
  for (int64_t i = 0; i < rowCount; ++i) {
    rows[i] = {};
    if (model.steps[i].kind == HONE_STEP_LIBRARY)
      rows[i].flop = rows[i].bytes = -1;
  }
  start = now();
}

void Profile::addRun(int64_t begin, int64_t end) {
  ++runs;
  runTime += end - begin;
  addEvent(-1, 0, begin, end, 0);
}

void Profile::addLaunch(int64_t step, int32_t thread, int64_t begin,
                        int64_t end) {
  if (!isStep(step))
    return;
  hone_profile_row &row = rows[step];
  int64_t time = end - begin;
  if (row.launches == 0 || time < row.min_ns)
    row.min_ns = time;
  ++row.launches;
  row.total_ns += time;
  addEvent(step, thread, begin, end, 0);
}

void Profile::addKernelWork(int64_t step, int64_t kernel, const int64_t *dims) {
  if (!isStep(step))
    return;
  const hone_work &work = model.kernel_work[kernel];
  const hone_term *terms = model.work_terms + work.first_term;
  int64_t skipped = work.flop_terms > 0 ? work.flop_terms : 0;
  addTo(rows[step].flop, evaluate(terms, work.flop_terms, dims));
  addTo(rows[step].bytes, evaluate(terms + skipped, work.byte_terms, dims));
}

void Profile::addCopiedBytes(int64_t step, int64_t bytes) {
  if (isStep(step) && bytes > 0) // each is read, and written
    addTo(rows[step].bytes, bytes < INT64_MAX / 2 ? 2 * bytes : INT64_MAX);
}

void Profile::addEvent(int64_t step, int32_t thread, int64_t begin, int64_t end,
                       int64_t pieces) {
  if (capacity == 0)
    return;
  int64_t place = eventCount.fetch_add(1, std::memory_order_relaxed);
  if (place < capacity)
    events[place] = {begin - start, end - start, int32_t(step), thread, pieces};
}

void Profile::read(hone_profile &profile) const {
  int64_t count = eventCount.load(std::memory_order_relaxed);
  int64_t kept = count < capacity ? count : capacity;
  profile = {runs, runTime, rows, rowCount, events, kept, count - kept};
}

int32_t hone::startProfile(hone_session *s, int64_t events) {
  if (!s)
    return HONE_WRONG_CALL;
  Text text(s->message, sizeof(s->message));
  if (events < 0) {
    text.add("room for %" PRId64 " events was requested", events);
    return HONE_WRONG_CALL;
  }
  s->profile = s->lastProfile = nullptr;
  int64_t bytes = Profile::bytesFor(*s->model, events);
  if (bytes < 0 || !s->profileMemory.reserve(s->allocator, bytes)) {
    text.add("out of memory for a profile with %" PRId64 " events", events);
    return HONE_OUT_OF_MEMORY;
  }
  if (s->device)
    if (int32_t status = s->model->device->api->prepare_profile(*s, text))
      return status;
  s->profile = s->lastProfile =
      new (s->profileMemory.data()) Profile(*s->model, events);
  return HONE_OK;
}

int32_t hone::stopProfile(hone_session *s) {
  if (!s)
    return HONE_WRONG_CALL;
  Text text(s->message, sizeof(s->message));
  s->profile = nullptr;
  return HONE_OK;
}

int32_t hone::readProfile(const hone_session *s, hone_profile *profile) {
  if (!s || !profile)
    return HONE_WRONG_CALL;
  *profile = {};
  if (s->lastProfile)
    s->lastProfile->read(*profile);
  return HONE_OK;
}
