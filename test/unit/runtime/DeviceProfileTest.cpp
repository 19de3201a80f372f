// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Profiles of runs on a device. The driver's clock goes on by a millisecond
// with each event.
#include "test/unit/runtime/DeviceCall.h"

using namespace onDevice;

namespace {

hone_profile read(Session &session) {
  hone_profile profile;
  EXPECT_EQ(hone_rt_api.profile_read(session.session, &profile), HONE_OK);
  return profile;
}

TEST_F(Device, ProfilesStepsByEventsOfTheDriver) {
  Model model(true);
  Session session(model);
  Call call(model);
  ASSERT_EQ(hone_rt_api.profile_start(session.session, 100), HONE_OK);
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(call.run(session.session), HONE_OK) << session.message();
    call.expectResults();
  }
  hone_profile profile = read(session);
  ASSERT_EQ(profile.row_count, 4);
  for (int64_t step : {0, 1, 2}) {
    EXPECT_EQ(profile.rows[step].launches, 2) << step;
    EXPECT_EQ(profile.rows[step].total_ns, 2'000'000) << step;
    EXPECT_EQ(profile.rows[step].min_ns, 1'000'000) << step;
  }
  EXPECT_EQ(profile.rows[0].flop, 2 * 5);
  EXPECT_EQ(profile.rows[0].bytes, 2 * 8 * 5);
  EXPECT_EQ(profile.rows[2].bytes, 2 * 2 * 4 * 5); // there and back, twice
  // The last kernel runs on the host.
  EXPECT_EQ(profile.rows[3].launches, 2);
  EXPECT_LT(profile.rows[3].total_ns, 1'000'000);
  int64_t onDevice = 0;
  for (int64_t i = 0; i < profile.event_count; ++i)
    onDevice += profile.events[i].thread == HONE_PROFILE_DEVICE;
  EXPECT_EQ(onDevice, 2 * 3);
}

TEST_F(Device, ReplaysNoRunThatIsProfiled) {
  Model model;
  Session session(model);
  Call call(model);
  auto run = [&](int times) {
    for (int i = 0; i < times; ++i) {
      ASSERT_EQ(call.run(session.session), HONE_OK) << session.message();
      call.expectResults();
    }
  };
  run(3);
  EXPECT_EQ(session.stats().replays, 2);
  ASSERT_EQ(hone_rt_api.profile_start(session.session, 0), HONE_OK);
  run(2);
  EXPECT_EQ(session.stats().replays, 2);
  EXPECT_EQ(read(session).rows[0].launches, 2);
  ASSERT_EQ(hone_rt_api.profile_stop(session.session), HONE_OK);
  run(2);
  EXPECT_EQ(session.stats().replays, 4);
}

int64_t manySteps = 0;

TEST_F(Device, ProfilesMoreStepsThanItHasEvents) {
  Model model;
  originalRun = model.descriptor.run;
  model.descriptor.run = [](hone_frame *frame) -> int32_t {
    for (int64_t i = 0; i < manySteps; ++i)
      if (int32_t status = originalRun(frame))
        return status;
    return 0;
  };
  Session session(model);
  Call call(model);
  for (int64_t count : {85, 86, 400}) { // around the 256 events of three steps
    manySteps = count;
    ASSERT_EQ(hone_rt_api.profile_start(session.session, 0), HONE_OK);
    ASSERT_EQ(call.run(session.session), HONE_OK) << session.message();
    EXPECT_EQ(read(session).rows[1].launches, count);
    EXPECT_EQ(read(session).rows[1].total_ns, count * 1'000'000);
  }
}

TEST_F(Device, AProfileMayFail) {
  for (const char *name :
       {"cuEventCreate", "cuEventRecord", "cuEventElapsedTime"}) {
    bool begins = strcmp(name, "cuEventCreate") != 0;
    for (int number : {1, 2, 5}) {
      reset();
      Model model;
      Session session(model);
      Call call(model);
      fake().failing = name;
      fake().failingCall = number;
      int32_t status = hone_rt_api.profile_start(session.session, 0);
      EXPECT_EQ(status, begins ? HONE_OK : HONE_DEVICE_FAILED);
      if (!begins) {
        EXPECT_EQ(session.message(), "device 0, Fake (sm_80): no events for a "
                                     "profile: CUDA_ERROR_UNKNOWN (failed)");
        EXPECT_EQ(fake().events, 0);
      }
      EXPECT_EQ(call.run(session.session),
                begins ? HONE_DEVICE_FAILED : HONE_OK);
      EXPECT_EQ(call.run(session.session), HONE_OK) << session.message();
      call.expectResults();
    }
  }
}

} // namespace
