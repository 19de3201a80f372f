// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Profiles of the tiny model: what rows and events tell of its three steps.
#include "test/unit/runtime/TinyCall.h"

#include <atomic>
#include <gtest/gtest.h>
#include <set>
#include <unistd.h>

namespace {

hone_profile read(TinySession &session) {
  hone_profile profile;
  EXPECT_EQ(hone_rt_api.profile_read(session.session, &profile), HONE_OK);
  return profile;
}

hone_session_options withThreads(int32_t threads) {
  hone_session_options options = {};
  options.threads = threads;
  return options;
}

TEST(Profile, CountsLaunchesAndWork) {
  TinySession session;
  EXPECT_EQ(read(session).row_count, 0);
  ASSERT_EQ(hone_rt_api.profile_start(session.session, 0), HONE_OK);
  for (int64_t rows : {10, 20}) {
    TinyCall call(rows);
    ASSERT_EQ(call.run(session.session), HONE_OK) << session.message();
  }
  hone_profile profile = read(session);
  ASSERT_EQ(profile.row_count, 3);
  EXPECT_EQ(profile.runs, 2);
  EXPECT_EQ(profile.event_count, 0);
  EXPECT_EQ(profile.lost_events, 0);
  int64_t sum = 0;
  for (int64_t i = 0; i < 3; ++i) {
    const hone_profile_row &row = profile.rows[i];
    EXPECT_EQ(row.launches, 2);
    EXPECT_LE(0, row.min_ns);
    EXPECT_LE(2 * row.min_ns, row.total_ns);
    sum += row.total_ns;
  }
  EXPECT_LE(sum, profile.run_ns);
  EXPECT_EQ(profile.rows[0].flop, 4 * 30);
  EXPECT_EQ(profile.rows[0].bytes, 32 * 30 + 2 * 4);
  EXPECT_EQ(profile.rows[1].flop, -1); // not known
  EXPECT_EQ(profile.rows[1].bytes, 32 * 30);
  EXPECT_EQ(profile.rows[2].flop, 0); // none
  EXPECT_EQ(profile.rows[2].bytes, 16 * 2 * 2);
}

TEST(Profile, HoldsTheRunsBetweenStartAndStop) {
  TinySession session;
  TinyCall call;
  ASSERT_EQ(call.run(session.session), HONE_OK);
  ASSERT_EQ(hone_rt_api.profile_start(session.session, 0), HONE_OK);
  ASSERT_EQ(call.run(session.session), HONE_OK);
  ASSERT_EQ(hone_rt_api.profile_stop(session.session), HONE_OK);
  ASSERT_EQ(call.run(session.session), HONE_OK);
  EXPECT_EQ(read(session).runs, 1);
  EXPECT_EQ(read(session).rows[0].launches, 1);
  // A new one begins at nothing; a wrong call is no run, and one that fails is.
  ASSERT_EQ(hone_rt_api.profile_start(session.session, 0), HONE_OK);
  EXPECT_EQ(read(session).runs, 0);
  EXPECT_EQ(read(session).rows[0].launches, 0);
  call.index[0] = 100;
  EXPECT_EQ(call.run(session.session), HONE_INDEX_OUT_OF_RANGE);
  call.inputs[tiny::X].kind = HONE_KIND_NONE;
  EXPECT_EQ(call.run(session.session), HONE_WRONG_CALL);
  EXPECT_EQ(read(session).runs, 1);
  EXPECT_EQ(read(session).rows[2].launches, 1);
}

TEST(Profile, EventsTellWhatEachThreadDid) {
  for (int32_t threads : {1, 3}) {
    TinySession session(withThreads(threads));
    ASSERT_EQ(hone_rt_api.profile_start(session.session, 1000), HONE_OK);
    // No thread goes on before all have something to do.
    static std::atomic<uint32_t> missing;
    missing = (1u << threads) - 1;
    tiny::onPiece = [](int64_t, int64_t thread) {
      missing &= ~(1u << thread);
      for (int i = 0; i < 5000 && missing != 0; ++i)
        usleep(2000);
      usleep(2000);
    };
    TinyCall call(100);
    ASSERT_EQ(call.run(session.session), HONE_OK) << session.message();
    tiny::onPiece = nullptr;
    hone_profile profile = read(session);
    EXPECT_EQ(profile.lost_events, 0);
    int64_t wholes = 0, runs = 0, pieces = 0;
    std::set<int32_t> seen;
    hone_profile_event twice = {};
    for (int64_t i = 0; i < profile.event_count; ++i)
      if (profile.events[i].step == 0 && profile.events[i].pieces == 0)
        twice = profile.events[i];
    for (int64_t i = 0; i < profile.event_count; ++i) {
      const hone_profile_event &event = profile.events[i];
      EXPECT_LE(0, event.begin_ns);
      EXPECT_LE(event.begin_ns, event.end_ns);
      runs += event.step == -1;
      if (event.step != 0)
        continue;
      wholes += event.pieces == 0;
      pieces += event.pieces;
      seen.insert(event.thread);
      EXPECT_LE(twice.begin_ns, event.begin_ns);
      EXPECT_LE(event.end_ns, twice.end_ns);
    }
    EXPECT_EQ(runs, 1);
    EXPECT_EQ(wholes, 1);
    EXPECT_EQ(pieces, threads == 1 ? 0 : tiny::pieces);
    EXPECT_EQ(seen.size(), size_t(threads));
    EXPECT_GE(twice.end_ns - twice.begin_ns, 2'000'000);
  }
}

TEST(Profile, CountsEventsThatFindNoRoom) {
  TinySession session;
  ASSERT_EQ(hone_rt_api.profile_start(session.session, 5), HONE_OK);
  TinyCall call;
  for (int i = 0; i < 2; ++i) // three steps and the run, each
    ASSERT_EQ(call.run(session.session), HONE_OK);
  EXPECT_EQ(read(session).event_count, 5);
  EXPECT_EQ(read(session).lost_events, 3);
}

TEST(Profile, RefusesWhatCannotBe) {
  TinySession session;
  EXPECT_EQ(hone_rt_api.profile_start(nullptr, 0), HONE_WRONG_CALL);
  EXPECT_EQ(hone_rt_api.profile_stop(nullptr), HONE_WRONG_CALL);
  EXPECT_EQ(hone_rt_api.profile_read(session.session, nullptr),
            HONE_WRONG_CALL);
  EXPECT_EQ(hone_rt_api.profile_start(session.session, -1), HONE_WRONG_CALL);
  EXPECT_EQ(session.message(), "room for -1 events was requested");
  for (int64_t events : {INT64_MAX, INT64_MAX / 32, INT64_MAX / 64}) {
    EXPECT_EQ(hone_rt_api.profile_start(session.session, events),
              HONE_OUT_OF_MEMORY);
    EXPECT_EQ(session.message(), "out of memory for a profile with " +
                                     std::to_string(events) + " events");
  }
  TinyCall call;
  EXPECT_EQ(call.run(session.session), HONE_OK);
  EXPECT_EQ(read(session).row_count, 0);
}

/// A library function, and copies of which one is to where it is.
int32_t answer(hone_frame *, int32_t, const hone_value *const *, int32_t,
               hone_value *, int32_t, const int64_t *) {
  usleep(1000);
  return 0;
}

TEST(Profile, TellsOfLibraryFunctionsAndCopies) {
  static hone_run_fn original = hone_tiny_model()->run;
  static char from[4096], to[4096];
  hone_descriptor model = *hone_tiny_model();
  const hone_step steps[] = {{36, 0, 0, 0, HONE_STEP_KERNEL},
                             {0, -1, 0, 0, HONE_STEP_LIBRARY},
                             {0, -1, 0, 0, HONE_STEP_COPY}};
  model.steps = steps;
  model.run = [](hone_frame *frame) -> int32_t {
    if (int32_t status = hone_rt_library(frame, 1, answer, -1, nullptr, 0,
                                         nullptr, 0, nullptr))
      return status;
    for (char *target : {to, from})
      if (int32_t status = hone_rt_copy(frame, target, from, 4096, 0, 2))
        return status;
    return original(frame);
  };
  TinySession session({}, &model);
  TinyCall call;
  ASSERT_EQ(call.run(session.session), HONE_OK) << session.message();
  ASSERT_EQ(hone_rt_api.profile_start(session.session, 0), HONE_OK);
  from[7] = 'x';
  ASSERT_EQ(call.run(session.session), HONE_OK) << session.message();
  EXPECT_EQ(to[7], 'x');
  hone_profile profile = read(session);
  EXPECT_EQ(profile.rows[1].launches, 1 + 1); // a kernel has the number, too
  EXPECT_GE(profile.rows[1].total_ns, 1'000'000);
  EXPECT_EQ(profile.rows[1].flop, -1);
  EXPECT_EQ(profile.rows[2].launches, 2 + 1);
  EXPECT_EQ(profile.rows[2].bytes, 2 * 4096 + 16 * 2);
}

} // namespace
