// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/core/Session.h"
#include "hone/custom.h"
#include "test/unit/runtime/TinyCall.h"

#include <atomic>
#include <cstdlib>
#include <functional>
#include <gtest/gtest.h>
#include <thread>
#include <unistd.h>
#include <xmmintrin.h>

namespace {

void expectTinyResults(const TinyCall &call) {
  const hone_tensor &twice = call.outputs[tiny::Twice].as.tensor;
  ASSERT_EQ(twice.rank, 2);
  ASSERT_EQ(twice.dims[0], call.xDims[0]);
  ASSERT_EQ(twice.dims[1], 4);
  for (size_t i = 0; i < call.x.size(); ++i)
    ASSERT_EQ(call.twice()[i], 2 * call.x[i]) << i;
  const hone_tensor &picked = call.outputs[tiny::Picked].as.tensor;
  for (size_t i = 0; i < call.index.size(); ++i)
    ASSERT_EQ(static_cast<float *>(picked.data)[i], call.x[call.index[i]]);
  const hone_tensor &positive = call.outputs[tiny::Positive].as.tensor;
  ASSERT_EQ(positive.dims[0], int64_t(call.x.size()) - 3);
  for (int64_t i = 0; i < positive.dims[0]; ++i)
    ASSERT_EQ(static_cast<int64_t *>(positive.data)[i], i + 3);
  const hone_sequence &grown = *call.outputs[tiny::Grown].as.sequence;
  ASSERT_EQ(grown.count, call.table.count + 1);
  const hone_tensor &last = grown.elements[grown.count - 1].as.tensor;
  ASSERT_EQ(last.dims[0], call.xDims[0]);
  ASSERT_EQ(static_cast<float *>(last.data)[0], 2 * call.x[0]);
}

TEST(Session, RunsTheModel) {
  TinySession session;
  ASSERT_EQ(session.status, HONE_OK) << session.why;
  for (int64_t rows : {2, 1, 5, 1000, 2}) {
    TinyCall call(rows);
    ASSERT_EQ(call.run(session.session), HONE_OK) << session.message();
    EXPECT_EQ(session.message(), "");
    expectTinyResults(call);
    EXPECT_EQ(call.outputs[tiny::Maybe].as.optional.value, nullptr);
  }
}

TEST(Session, WritesIntoTheCallersBuffers) {
  TinySession session;
  TinyCall call;
  float twice[8] = {};
  int64_t positive[5] = {};
  std::vector<int64_t> positiveDims = {5};
  call.outputs[tiny::Twice] = tensorValue(twice, HONE_TYPE_FLOAT, call.xDims);
  call.outputs[tiny::Positive] =
      tensorValue(positive, HONE_TYPE_INT64, positiveDims);
  ASSERT_EQ(call.runInto(session.session), HONE_OK) << session.message();
  EXPECT_EQ(call.outputs[tiny::Twice].as.tensor.data, twice);
  EXPECT_EQ(twice[7], 10);
  EXPECT_EQ(positive[4], 7);

  // A buffer of another size than the data ask for.
  positiveDims[0] = 4;
  EXPECT_EQ(call.runInto(session.session), HONE_SHAPE_MISMATCH);
  EXPECT_EQ(session.message(), "output 'positive': sizes do not fit: 5 and 4");
  EXPECT_EQ(call.run(session.session), HONE_OK);
}

TEST(Session, OptionalInputs) {
  TinySession session;
  TinyCall call;
  float extra[4] = {1, 2, 3, 4};
  std::vector<int64_t> dims = {4};
  hone_value element = tensorValue(extra, HONE_TYPE_FLOAT, dims);
  // The element itself, or an optional that holds it.
  call.inputs[tiny::Extra] = element;
  ASSERT_EQ(call.run(session.session), HONE_OK) << session.message();
  ASSERT_NE(call.outputs[tiny::Maybe].as.optional.value, nullptr);
  call.inputs[tiny::Extra] = {};
  call.inputs[tiny::Extra].kind = HONE_KIND_OPTIONAL;
  call.inputs[tiny::Extra].as.optional.value = &element;
  ASSERT_EQ(call.run(session.session), HONE_OK) << session.message();
  const hone_value *maybe = call.outputs[tiny::Maybe].as.optional.value;
  ASSERT_NE(maybe, nullptr);
  EXPECT_EQ(maybe->as.tensor.data, extra);
}

TEST(Session, OutputsMayBecomeInputsElsewhere) {
  TinySession first, second;
  TinyCall call, next;
  ASSERT_EQ(call.run(first.session), HONE_OK);
  // The first session's next run reuses what stood behind the elements.
  EXPECT_EQ(call.outputs[tiny::Grown].as.sequence->storage, nullptr);
  next.inputs[tiny::Table] = call.outputs[tiny::Grown];
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(next.run(second.session), HONE_OK) << second.message();
    EXPECT_EQ(next.outputs[tiny::Grown].as.sequence->count, 2);
    EXPECT_EQ(call.outputs[tiny::Grown].as.sequence->count, 1);
  }
}

TEST(Session, EveryPieceOnceOnAnyNumberOfThreads) {
  for (int32_t threads : {1, 2, 3, 8}) {
    hone_session_options options = {};
    options.threads = threads;
    TinySession session(options);
    EXPECT_EQ(session.stats().threads, threads);
    TinyCall call(100);
    for (int i = 0; i < 50; ++i) {
      int counts[tiny::pieces] = {};
      tiny::pieceCounts = counts;
      EXPECT_EQ(call.run(session.session), HONE_OK);
      tiny::pieceCounts = nullptr;
      for (int count : counts)
        EXPECT_EQ(count, 1);
      expectTinyResults(call);
    }
  }
}

struct WrongCall {
  const char *name, *message;
  std::function<void(TinyCall &)> spoil;
};

TEST(Session, WrongCallsAreRefused) {
  std::vector<int64_t> threeDims = {2, 2, 2}, wideDims = {2, 5},
                       longDims = {3, 4}, badDims = {-1, 4},
                       hugeDims = {int64_t(1) << 60, 4}, oneDim = {2};
  float buffer[16] = {};
  hone_value element = tensorValue(buffer, HONE_TYPE_DOUBLE, oneDim);
  hone_value notTensor = {};
  const WrongCall calls[] = {
      {"kind", "input 'x' must be a tensor, not nothing",
       [](TinyCall &c) { c.inputs[tiny::X] = {}; }},
      {"type", "input 'x' must have type float, not double",
       [](TinyCall &c) {
         c.inputs[tiny::X].as.tensor.type = HONE_TYPE_DOUBLE;
       }},
      {"rank", "input 'x' must have rank 2, not 3",
       [&](TinyCall &c) {
         c.inputs[tiny::X] = tensorValue(buffer, HONE_TYPE_FLOAT, threeDims);
       }},
      {"fixed dimension", "input 'x': dimension 1 must be 4, not 5",
       [&](TinyCall &c) {
         c.inputs[tiny::X].as.tensor.dims = wideDims.data();
       }},
      {"negative dimension",
       "input 'x' has a negative dimension or is too large",
       [&](TinyCall &c) { c.inputs[tiny::X].as.tensor.dims = badDims.data(); }},
      {"too large", "input 'x' has a negative dimension or is too large",
       [&](TinyCall &c) {
         c.inputs[tiny::X].as.tensor.dims = hugeDims.data();
       }},
      {"no dimensions", "input 'x' has no dimensions",
       [](TinyCall &c) { c.inputs[tiny::X].as.tensor.dims = nullptr; }},
      {"no data", "input 'x' has no data",
       [](TinyCall &c) { c.inputs[tiny::X].as.tensor.data = nullptr; }},
      {"no sequence", "input 'table' has no elements",
       [](TinyCall &c) { c.inputs[tiny::Table].as.sequence = nullptr; }},
      {"element type", "input 'table' must have type float, not double",
       [&](TinyCall &c) { c.table = {&element, 1, nullptr}; }},
      {"element kind", "input 'table' must be a tensor, not nothing",
       [&](TinyCall &c) { c.table = {&notTensor, 1, nullptr}; }},
      {"optional", "input 'extra' must be an optional, not a map",
       [](TinyCall &c) { c.inputs[tiny::Extra].kind = HONE_KIND_MAP; }},
      {"output type", "output 'twice' must have type float, not double",
       [&](TinyCall &c) {
         c.outputs[tiny::Twice] =
             tensorValue(buffer, HONE_TYPE_DOUBLE, c.xDims);
       }},
      {"output size", "output 'twice': dimension 0 must be 2, not 3",
       [&](TinyCall &c) {
         c.outputs[tiny::Twice] =
             tensorValue(buffer, HONE_TYPE_FLOAT, longDims);
       }},
  };
  TinySession session;
  int counts[tiny::pieces] = {};
  tiny::pieceCounts = counts;
  for (const WrongCall &wrong : calls) {
    TinyCall call;
    wrong.spoil(call);
    EXPECT_EQ(call.runInto(session.session), HONE_WRONG_CALL) << wrong.name;
    EXPECT_EQ(session.message(), wrong.message) << wrong.name;
    for (int i : {int(tiny::Positive), int(tiny::Grown)})
      EXPECT_EQ(call.outputs[i].kind, HONE_KIND_NONE) << wrong.name;
  }
  for (int count : counts)
    EXPECT_EQ(count, 0);
  tiny::pieceCounts = nullptr;

  TinyCall call;
  EXPECT_EQ(hone_rt_api.run(session.session, call.inputs, 3, call.outputs, 5),
            HONE_WRONG_CALL);
  EXPECT_EQ(session.message(), "the model takes 4 inputs, not 3");
  EXPECT_EQ(hone_rt_api.run(session.session, call.inputs, 4, call.outputs, 1),
            HONE_WRONG_CALL);
  EXPECT_EQ(session.message(), "the model has 5 outputs, not 1");
  ASSERT_EQ(call.run(session.session), HONE_OK);
  expectTinyResults(call);
}

/// Two inputs that share a dimension: the tiny model with `index` as long as x.
TEST(Session, OneSizePerNamedDimension) {
  const hone_descriptor &original = *hone_tiny_model();
  hone_descriptor model = original;
  hone_value_info inputs[tiny::InputCount];
  std::copy_n(original.inputs, int(tiny::InputCount), inputs);
  int64_t shared[] = {HONE_DIM_FREE(0)};
  inputs[tiny::Index].dims = shared;
  model.inputs = inputs;
  TinySession session({}, &model);
  TinyCall call(3);
  EXPECT_EQ(call.run(session.session), HONE_WRONG_CALL);
  EXPECT_EQ(session.message(), "input 'index': dimension 0 ('b') is 2, but "
                               "'b' is 3 elsewhere in this call");
}

TEST(Session, BadDataGiveAStatus) {
  hone_session_options options = {};
  options.threads = 2;
  TinySession session(options);
  TinyCall call;
  call.index[1] = 99;
  EXPECT_EQ(call.run(session.session), HONE_INDEX_OUT_OF_RANGE);
  EXPECT_EQ(session.message(),
            "node 'pick' (Gather): index 99 is out of range for a size of 8");
  call.index[1] = -1;
  EXPECT_EQ(call.run(session.session), HONE_INDEX_OUT_OF_RANGE);
  call.index[1] = 7;
  EXPECT_EQ(call.run(session.session), HONE_OK);
  EXPECT_EQ(session.message(), "");
}

TEST(Session, PrepareTellsSizes) {
  TinySession session;
  TinyCall call(5);
  call.inputs[tiny::X].as.tensor.data = nullptr; // not needed
  int64_t arenaBytes = 0;
  const int64_t *dims = nullptr;
  ASSERT_EQ(
      hone_rt_api.prepare(session.session, call.inputs, 4, &arenaBytes, &dims),
      HONE_OK);
  // 5 rows of 16 bytes -> 128; one byte -> 64
  EXPECT_EQ(arenaBytes, 192);
  EXPECT_EQ(session.stats().lower_bound_bytes, 192);
  EXPECT_EQ(dims[0], 5);
  EXPECT_EQ(dims[1], 4);
  EXPECT_EQ(dims[2], 2);
  EXPECT_EQ(dims[3], -1);
}

TEST(Session, PrepareNamesWhatDoesNotFit) {
  TinySession session;
  TinyCall call(1001);
  EXPECT_EQ(call.run(session.session), HONE_SHAPE_MISMATCH);
  EXPECT_EQ(session.message(), "node 'join' (Concat): shapes do not fit "
                               "together with 'b' = 1001, 'n' = 2");
  for (const hone_value &output : call.outputs)
    EXPECT_EQ(output.kind, HONE_KIND_NONE);
  TinyCall good;
  ASSERT_EQ(good.run(session.session), HONE_OK);
  expectTinyResults(good);
}

TEST(Session, BytesOfShapes) {
  auto bytes = [](int64_t bits, std::vector<int64_t> dims) {
    return hone_rt_bytes(bits, int32_t(dims.size()), dims.data());
  };
  EXPECT_EQ(bytes(32, {}), 4);
  EXPECT_EQ(bytes(32, {2, 3}), 24);
  EXPECT_EQ(bytes(4, {3}), 2);
  EXPECT_EQ(bytes(32, {0, INT64_MAX, INT64_MAX}), 0);
  EXPECT_EQ(bytes(32, {-1, -1}), -1);
  EXPECT_EQ(bytes(32, {0, -1}), -1);
  EXPECT_EQ(bytes(32, {int64_t(1) << 62}), INT64_MAX);
  EXPECT_EQ(bytes(8, {int64_t(1) << 32, int64_t(1) << 32}), INT64_MAX);
}

TEST(Session, ShapesThatCannotBe) {
  struct Shape {
    std::vector<int64_t> dims;
    int32_t overflows;
    int32_t status;
    const char *message;
  };
  const Shape shapes[] = {
      {{2, 3}, 0, HONE_OK, ""},
      {{0, INT64_MAX}, 0, HONE_OK, ""},
      {{1, -1, -1},
       0,
       HONE_SHAPE_MISMATCH,
       "node 'pick' (Gather): its sizes describe a tensor of [1, -1, -1], "
       "which is impossible"},
      {{int64_t(1) << 62},
       0,
       HONE_OUT_OF_MEMORY,
       "node 'pick' (Gather): its sizes describe a tensor of "
       "[4611686018427387904], larger than any memory"},
      {{1, 4},
       1,
       HONE_SHAPE_MISMATCH,
       "node 'pick' (Gather): the arithmetic of its sizes overflows, yielding "
       "[1, 4]"},
  };
  TinySession session;
  for (const Shape &shape : shapes) {
    hone::Failure &failure = session.session->failure;
    failure.clear();
    EXPECT_EQ(hone_rt_check_dims(&session.session->frame, 1, 32,
                                 int32_t(shape.dims.size()), shape.dims.data(),
                                 shape.overflows),
              shape.status);
    EXPECT_EQ(failure.status, shape.status);
    char message[256] = "";
    hone::Text text(message, sizeof(message));
    if (shape.status)
      failure.describe(*session.session->model, text);
    EXPECT_STREQ(message, shape.message);
  }
}

/// A kernel on an empty tensor gets memory, and one whose need wrapped around
/// does not.
TEST(Session, ScratchOfAnySize) {
  TinySession session;
  hone_kernel_context &context = session.session->contexts[0];
  EXPECT_NE(hone_rt_scratch(&context, 64), nullptr);
  EXPECT_EQ(hone_rt_scratch(&context, -64), nullptr);
  EXPECT_EQ(hone_rt_scratch(&context, int64_t(1) << 60), nullptr);
  EXPECT_EQ(session.session->failure.status, HONE_OUT_OF_MEMORY);
  EXPECT_NE(hone_rt_scratch(&context, 128), nullptr);
}

TEST(Session, KeepsTheLastPlans) {
  TinySession session;
  for (int round = 0; round < 3; ++round)
    for (int64_t rows : {1, 2, 3, 4}) {
      TinyCall call(rows);
      ASSERT_EQ(call.run(session.session), HONE_OK);
      expectTinyResults(call);
    }
  EXPECT_EQ(session.stats().plans, 4);
  TinyCall five(5), four(4), one(1);
  ASSERT_EQ(five.run(session.session), HONE_OK); // in the place of 1
  ASSERT_EQ(four.run(session.session), HONE_OK);
  EXPECT_EQ(session.stats().plans, 5);
  ASSERT_EQ(one.run(session.session), HONE_OK);
  EXPECT_EQ(session.stats().plans, 6);
}

TEST(Session, ManySessionsShareAPool) {
  hone_pool pool;
  ASSERT_EQ(hone_rt_api.pool_create(2, &pool), HONE_OK);
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller)
    callers.emplace_back([&pool, caller] {
      hone_session_options options = {};
      options.pool = &pool;
      TinySession session(options);
      for (int i = 0; i < 300; ++i) {
        TinyCall call(1 + (i + caller) % 7);
        ASSERT_EQ(call.run(session.session), HONE_OK) << session.message();
        expectTinyResults(call);
      }
    });
  for (std::thread &caller : callers)
    caller.join();
  hone_rt_api.pool_destroy(&pool);
}

/// A pool of the caller's: counts, and runs all on the calling thread,
/// backwards.
struct BackwardPool {
  int acquired = 0, released = 0, jobs = 0;
  bool busy = false;
  hone_pool table() {
    hone_pool table = {};
    table.self = this;
    table.threads = 2;
    table.acquire = [](void *self) -> int32_t {
      auto &pool = *static_cast<BackwardPool *>(self);
      if (pool.busy)
        return 0;
      ++pool.acquired;
      return 1;
    };
    table.release = [](void *self) {
      ++static_cast<BackwardPool *>(self)->released;
    };
    table.run = [](void *self, int64_t pieces, hone_task_fn function,
                   void *task) -> int32_t {
      ++static_cast<BackwardPool *>(self)->jobs;
      for (int64_t i = pieces; i-- > 0;)
        if (int32_t result = function(task, i, i + 1, i % 2))
          return result;
      return 0;
    };
    return table;
  }
};

TEST(Session, RunsOnTheCallersPool) {
  BackwardPool pool;
  hone_pool table = pool.table();
  hone_session_options options = {};
  options.pool = &table;
  TinySession session(options);
  TinyCall call(100);
  ASSERT_EQ(call.run(session.session), HONE_OK);
  expectTinyResults(call);
  EXPECT_EQ(pool.jobs, 1);
  EXPECT_EQ(pool.acquired, 1);
  EXPECT_EQ(pool.released, 1);

  pool.busy = true;
  ASSERT_EQ(call.run(session.session), HONE_OK);
  expectTinyResults(call);
  EXPECT_EQ(pool.jobs, 1);

  // A run that fails gives the pool back, too.
  pool.busy = false;
  call.index[0] = 1000;
  EXPECT_EQ(call.run(session.session), HONE_INDEX_OUT_OF_RANGE);
  EXPECT_EQ(pool.released, 2);

  table.run = nullptr;
  EXPECT_EQ(TinySession(options).status, HONE_WRONG_CALL);
}

/// Counts what it gives, and refuses once more than `limit` bytes are out.
struct CountingAllocator {
  int64_t held = 0, limit = INT64_MAX;
  hone_allocator table() {
    return {this,
            [](void *self, int64_t bytes, int64_t alignment) -> void * {
              auto &counter = *static_cast<CountingAllocator *>(self);
              if (counter.held + bytes > counter.limit)
                return nullptr;
              counter.held += bytes;
              return aligned_alloc(alignment,
                                   (bytes + alignment - 1) & -alignment);
            },
            [](void *self, void *pointer, int64_t bytes) {
              static_cast<CountingAllocator *>(self)->held -= bytes;
              free(pointer);
            }};
  }
};

TEST(Session, TakesAllMemoryFromTheCallersAllocator) {
  CountingAllocator counter;
  hone_allocator table = counter.table();
  hone_session_options options = {};
  options.allocator = &table;
  int64_t needed = 0;
  {
    TinySession session(options);
    TinyCall call(500);
    ASSERT_EQ(call.run(session.session), HONE_OK);
    needed = counter.held;
    EXPECT_GT(needed, 8000);
  }
  EXPECT_EQ(counter.held, 0);

  // Whatever allocation fails: a status, no leak, and a later call works.
  for (int64_t limit = 0; limit < needed; limit += 512) {
    counter.limit = limit;
    {
      TinySession session(options);
      TinyCall call(500);
      if (session.status == HONE_OK) {
        EXPECT_EQ(call.run(session.session), HONE_OUT_OF_MEMORY) << limit;
        EXPECT_NE(session.message().find("out of memory"), std::string::npos)
            << session.message();
        counter.limit = INT64_MAX;
        EXPECT_EQ(call.run(session.session), HONE_OK);
        expectTinyResults(call);
      } else {
        EXPECT_EQ(session.status, HONE_OUT_OF_MEMORY);
      }
    }
    EXPECT_EQ(counter.held, 0);
  }
}

TEST(Session, ChoosesTheLevel) {
  TinySession best;
  EXPECT_STREQ(best.stats().level, "x86-64");

  hone_session_options options = {};
  options.level = "x86-64-v9";
  TinySession unknown(options);
  EXPECT_EQ(unknown.status, HONE_UNSUPPORTED_CPU);
  EXPECT_STREQ(unknown.why, "the model has no CPU level 'x86-64-v9'; it has "
                            "'x86-64', 'never'");
  setenv("HONE_CPU", "never", 1);
  TinySession forced;
  EXPECT_EQ(forced.status, HONE_UNSUPPORTED_CPU);
  EXPECT_STREQ(forced.why, "this processor lacks features of level 'never'");
  setenv("HONE_CPU", "x86-64", 1);
  EXPECT_EQ(TinySession().status, HONE_OK);
  unsetenv("HONE_CPU");

  hone_descriptor model = *hone_tiny_model();
  model.levels += 1;
  model.level_count = 1;
  TinySession none({}, &model);
  EXPECT_EQ(none.status, HONE_UNSUPPORTED_CPU);
  EXPECT_STREQ(none.why,
               "this processor supports none of the model's CPU levels "
               "'never'");
}

TEST(Session, RefusesOtherVersions) {
  hone_descriptor model = *hone_tiny_model();
  model.abi_version = HONE_ABI_VERSION + 1;
  EXPECT_EQ(TinySession({}, &model).status, HONE_BAD_MODEL);
}

TEST(Session, RefusesOperatorsThatCannotBeCalled) {
  auto nothing = [](hone_custom_call *) -> int32_t { return 0; };
  const hone_custom_operator whole = {"test", "Foo", 1, nothing, nothing},
                             half = {"test", "Foo", 1, nothing, nullptr};
  auto statusWith = [](hone_custom_table table) {
    hone_session_options options = {};
    options.operators = &table;
    return TinySession(options).status;
  };
  EXPECT_EQ(statusWith({HONE_CUSTOM_VERSION, 1, &whole}), HONE_OK);
  EXPECT_EQ(statusWith({HONE_CUSTOM_VERSION + 1, 1, &whole}), HONE_WRONG_CALL);
  EXPECT_EQ(statusWith({HONE_CUSTOM_VERSION, 1, nullptr}), HONE_WRONG_CALL);
  EXPECT_EQ(statusWith({HONE_CUSTOM_VERSION, 1, &half}), HONE_WRONG_CALL);
}

TEST(Session, KeepsDenormalsWhateverTheCallerSet) {
  constexpr uint32_t flush = 0x8040; // FTZ and DAZ
  uint32_t saved = _mm_getcsr();
  _mm_setcsr(saved | flush);
  hone_session_options options = {};
  options.threads = 3; // its workers start with the mode of this thread
  TinySession session(options);
  static std::atomic<int> flushing, workers;
  flushing = workers = 0;
  tiny::onPiece = [](int64_t, int64_t thread) {
    if (_mm_getcsr() & flush)
      ++flushing;
    workers += thread != 0;
    // Until a worker has come this thread takes no other piece.
    for (int i = 0; workers == 0 && i < 1000; ++i)
      usleep(1000);
  };
  TinyCall call(100);
  EXPECT_EQ(call.run(session.session), HONE_OK);
  tiny::onPiece = nullptr;
  EXPECT_GT(workers.load(), 0);
  EXPECT_EQ(flushing.load(), 0);
  EXPECT_EQ(_mm_getcsr() & flush, flush);
  _mm_setcsr(saved);
}

TEST(Session, ScratchIsEachThreadsOwn) {
  hone_session_options options = {};
  options.threads = 2;
  TinySession session(options);
  EXPECT_GE(session.stats().scratch_bytes, 2 * 64);
}

TEST(Session, AWrongCallLeavesTheLastOutputs) {
  TinySession session;
  TinyCall call;
  ASSERT_EQ(call.run(session.session), HONE_OK) << session.message();
  // Larger each time: a wrong call that made memory for its plan would move the
  // arena, and more of them than there are plans would reuse the one in use.
  for (int64_t rows : {100, 200, 300, 400, 500, 1000}) {
    TinyCall wrong(rows);
    wrong.outputs[tiny::Twice] =
        tensorValue(wrong.x.data(), HONE_TYPE_DOUBLE, wrong.xDims);
    ASSERT_EQ(wrong.runInto(session.session), HONE_WRONG_CALL);
    expectTinyResults(call);
  }
  TinyCall wrong(5000); // that the model refuses
  ASSERT_NE(wrong.run(session.session), HONE_OK);
  expectTinyResults(call);
}

TEST(Session, ChecksTheRankOfAnOutputForTheCaller) {
  hone_descriptor model = *hone_tiny_model();
  model.run = [](hone_frame *frame) {
    static const float value = 1;
    return hone_rt_set_output(frame, tiny::Positive, &value, 2,
                              frame->output_dims);
  };
  TinySession session({}, &model);
  TinyCall call;
  std::vector<int64_t> positive(8), dims = {8};
  call.outputs[tiny::Positive] =
      tensorValue(positive.data(), HONE_TYPE_INT64, dims);
  EXPECT_EQ(call.runInto(session.session), HONE_SHAPE_MISMATCH);
  EXPECT_NE(session.message().find("positive"), std::string::npos);
}

/// Writes a weights file, runs two sessions of the model on it, and returns
/// what session_create said.
std::string openWeightsFile(const std::string &content) {
  char path[] = "/tmp/hone-weights-XXXXXX";
  int file = mkstemp(path);
  EXPECT_EQ(write(file, content.data(), content.size()),
            ssize_t(content.size()));
  close(file);
  hone_descriptor model = *hone_tiny_model();
  model.weights = nullptr;
  model.weights_file = path;
  TinySession first({}, &model), second({}, &model);
  unlink(path);
  if (first.status != HONE_OK) {
    TinySession missing({}, &model);
    EXPECT_EQ(first.status, HONE_BAD_MODEL);
    EXPECT_NE(std::string(missing.why).find("cannot open the weights file"),
              std::string::npos);
    return first.why;
  }
  for (TinySession *session : {&first, &second}) {
    TinyCall call;
    EXPECT_EQ(call.run(session->session), HONE_OK) << session->message();
    expectTinyResults(call);
  }
  return "";
}

TEST(Session, TakesTheWeightsFileOfItsOwnCompileOnly) {
  const hone_descriptor &model = *hone_tiny_model();
  hone_weights_end end = {HONE_WEIGHTS_MAGIC, uint64_t(model.weight_bytes),
                          model.weights_checksum};
  auto file = [&](const hone_weights_end &end) {
    std::string text(model.weights, size_t(model.weight_bytes));
    text.resize(8); // up to the next multiple of 8
    return text.append(reinterpret_cast<const char *>(&end), sizeof(end));
  };
  EXPECT_EQ(openWeightsFile(file(end)), "");
  std::string cut = file(end);
  for (size_t size = 0; size < cut.size(); ++size)
    EXPECT_NE(openWeightsFile(cut.substr(0, size)).find("is cut short"),
              std::string::npos);
  for (int field = 0; field < 3; ++field) {
    hone_weights_end other = end;
    other.magic[0] ^= field == 0;
    other.bytes ^= field == 1;
    other.checksum ^= field == 2;
    EXPECT_NE(openWeightsFile(file(other)).find("belongs to another library"),
              std::string::npos);
  }
}

} // namespace
