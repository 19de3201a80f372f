// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Runs on a device that are recorded once and replayed.
#include "test/unit/runtime/DeviceCall.h"

using namespace onDevice;

namespace {

TEST_F(Device, ReplaysRunsWithEqualDimensionsAndPointers) {
  Model model;
  Session session(model);
  Call call(model), large(model, 1000);
  std::vector<float> twice(5), picked(2);
  auto run = [&] {
    call.outputs[0] = tensor(twice.data(), HONE_TYPE_FLOAT, call.nDims);
    call.outputs[1] = tensor(picked.data(), HONE_TYPE_FLOAT, call.mDims);
    ASSERT_EQ(call.runInto(session.session), HONE_OK) << session.message();
    call.expectResults();
  };
  run();
  EXPECT_EQ(session.stats().replays, 0);
  int launches = fake().launches;
  run(); // records
  EXPECT_EQ(fake().launches, 2 * launches);
  EXPECT_EQ(session.stats().replays, 1);
  for (int i = 0; i < 5; ++i) {
    call.x[i] = float(10 * i); // other data, same pointers
    run();
  }
  EXPECT_EQ(fake().launches, 2 * launches);
  EXPECT_EQ(session.stats().replays, 6);
  EXPECT_EQ(fake().streams, 1);

  // Larger dimensions: another arena and more scratch memory.
  ASSERT_EQ(large.run(session.session), HONE_OK);
  large.expectResults();
  EXPECT_EQ(session.stats().replays, 6);
  run(); // not that recording, its pointers are gone
  EXPECT_EQ(session.stats().replays, 6);
  run();
  EXPECT_EQ(session.stats().replays, 7);

  // An input that lies elsewhere on the device.
  DeviceMemory x(20);
  std::copy(call.x.begin(), call.x.end(), x.host<float>());
  call.inputs[0] =
      tensor(x.pointer(), HONE_TYPE_FLOAT, call.nDims, HONE_PLACE_DEVICE);
  run();
  EXPECT_EQ(session.stats().replays, 7);
  run();
  run();
  EXPECT_EQ(session.stats().replays, 9);
  EXPECT_EQ(fake().executables, 1);

  // Nothing else has moved now.
  DeviceMemory y(20);
  for (float &element : call.x)
    ++element;
  std::copy(call.x.begin(), call.x.end(), y.host<float>());
  call.inputs[0].as.tensor.data = y.pointer();
  run();
  EXPECT_EQ(session.stats().replays, 9);
}

TEST_F(Device, ReplaysNothingOfOtherDimensions) {
  // The same pointers for all, in a memory that is large enough from the start;
  // more dimensions than plans are kept for.
  Model model;
  Session session(model);
  Call large(model, 60);
  ASSERT_EQ(large.run(session.session), HONE_OK);
  for (int round = 0; round < 2; ++round)
    for (int64_t n = 1; n <= 6; ++n) {
      Call call(model, n);
      for (int i = 0; i < 3; ++i) {
        ASSERT_EQ(call.run(session.session), HONE_OK) << session.message();
        call.expectResults();
      }
    }
  EXPECT_EQ(session.stats().replays, 2 * 6 * 2);
}

TEST_F(Device, ReplaysNothingWithOldScratchMemory) {
  Model model;
  Session session(model);
  Call wide(model, 10), tall(model, 500);
  wide.index.resize(2000, 1); // much memory, little scratch
  wide.mDims[0] = 2000;
  wide.inputs[1].as.tensor.data = wide.index.data();
  for (int i = 0; i < 3; ++i)
    ASSERT_EQ(wide.run(session.session), HONE_OK) << session.message();
  EXPECT_EQ(session.stats().replays, 2);
  int64_t held = session.stats().device_bytes;
  ASSERT_EQ(tall.run(session.session), HONE_OK);
  EXPECT_EQ(session.stats().device_bytes, held + 2048 - 256);
  ASSERT_EQ(wide.run(session.session), HONE_OK);
  wide.expectResults();
  EXPECT_EQ(session.stats().replays, 2);
}

TEST_F(Device, RunsWithoutRecordingWhatCannotBeRecorded) {
  // A plan that says it is static, and is not.
  Model model(true);
  hone_value_info outputs[3];
  std::copy_n(model.descriptor.outputs, 3, outputs);
  outputs[onDevice::Total].places = 1 << HONE_PLACE_DEVICE;
  model.descriptor.outputs = outputs;
  model.descriptor.plan = HONE_PLAN_STATIC;
  Session session(model);
  Call call(model);
  for (int i = 0; i < 4; ++i) {
    ASSERT_EQ(call.run(session.session), HONE_OK) << session.message();
    EXPECT_EQ(call.output(onDevice::Twice)[4], 8);
  }
  EXPECT_EQ(session.stats().replays, 0);
}

TEST_F(Device, RecordsNeitherCopiesToTheHostNorItsKernels) {
  hone_run_fn runs[] = {
      [](hone_frame *frame) -> int32_t {
        if (int32_t status = originalRun(frame))
          return status;
        return hone_rt_copy(frame, onTheHost, frame->device_inputs[0], 20,
                            HONE_COPY_FROM_DEVICE, -1);
      },
      [](hone_frame *frame) -> int32_t {
        if (int32_t status = originalRun(frame))
          return status;
        void *ptrs[] = {const_cast<void *>(frame->inputs[0].as.tensor.data),
                        onTheHost + 4};
        int64_t count = 1;
        return hone_rt_dispatch(frame, 2, ptrs, &count, 1, -1);
      }};
  for (hone_run_fn run : runs) {
    Model model;
    originalRun = model.descriptor.run;
    model.descriptor.run = run;
    Session session(model);
    Call call(model);
    call.inputs[0].as.tensor.data = call.x.data();
    for (int i = 0; i < 4; ++i) {
      call.x[0] = call.x[4] = float(i);
      onTheHost[4] = -1;
      ASSERT_EQ(call.run(session.session), HONE_OK) << session.message();
      call.expectResults();
      EXPECT_EQ(onTheHost[4], float(i));
    }
    EXPECT_EQ(session.stats().replays, 0);
  }
}

} // namespace
