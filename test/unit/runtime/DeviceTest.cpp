// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sessions on a device: the runtime's own work, with a driver that has no
// device behind it.
#include "test/unit/runtime/DeviceCall.h"

#include <thread>

using namespace onDevice;

namespace {

TEST_F(Device, RunsTheModel) {
  for (bool mixesPlaces : {false, true}) {
    Model model(mixesPlaces);
    Session session(model);
    ASSERT_EQ(session.status, HONE_OK) << session.why;
    EXPECT_STREQ(session.stats().device, "Fake (sm_80)");
    EXPECT_EQ(session.stats().device_note, nullptr);
    for (int64_t n : {5, 1, 300, 5}) {
      Call call(model, n);
      ASSERT_EQ(call.run(session.session), HONE_OK) << session.message();
      call.expectResults();
    }
    EXPECT_EQ(fake().sharedLimit, 48 << 10); // of the last one, 'pick'
    EXPECT_GT(session.stats().device_bytes, 0);
    EXPECT_EQ(session.stats().device_arena_bytes, 64);
    EXPECT_EQ(session.stats().arena_bytes, 4096); // nothing of the device's
  }
}

TEST_F(Device, LaunchesNothingForAnEmptyGrid) {
  Model model;
  Session session(model);
  Call call(model, 1);
  call.index.clear();
  call.mDims[0] = 0;
  ASSERT_EQ(call.run(session.session), HONE_OK) << session.message();
  call.expectResults();
  EXPECT_EQ(fake().launches, 2);
}

TEST_F(Device, ChecksOfTheDeviceGiveAStatus) {
  for (bool mixesPlaces : {false, true}) {
    Model model(mixesPlaces);
    Session session(model);
    Call call(model);
    for (int64_t bad : {5, -1}) {
      call.index[1] = bad;
      EXPECT_EQ(call.run(session.session), HONE_INDEX_OUT_OF_RANGE);
      EXPECT_EQ(session.message(), "node 'pick' (Gather): index " +
                                       std::to_string(bad) +
                                       " is out of range for a size of 5");
    }
    call.index[1] = 2;
    for (int i = 0; i < 3; ++i) {
      ASSERT_EQ(call.run(session.session), HONE_OK) << session.message();
      call.expectResults();
    }
    // Found in a replayed run, too.
    call.index[1] = 7;
    EXPECT_EQ(call.run(session.session), HONE_INDEX_OUT_OF_RANGE);
    call.index[1] = 0;
    EXPECT_EQ(call.run(session.session), HONE_OK);
  }
}

TEST_F(Device, UsesValuesOfTheDeviceWhereTheyLie) {
  Model model(true);
  Session session(model);
  Call call(model);
  DeviceMemory x(20), picked(8), total(4);
  std::copy(call.x.begin(), call.x.end(), x.host<float>());
  call.inputs[0] =
      tensor(x.pointer(), HONE_TYPE_FLOAT, call.nDims, HONE_PLACE_DEVICE);
  // `twice` stays in the session, `total` is computed on the host.
  hone_value wanted[3] = {
      tensor(nullptr, HONE_TYPE_FLOAT, call.nDims, HONE_PLACE_DEVICE),
      tensor(picked.pointer(), HONE_TYPE_FLOAT, call.mDims, HONE_PLACE_DEVICE),
      tensor(total.pointer(), HONE_TYPE_FLOAT, {}, HONE_PLACE_DEVICE)};
  std::copy_n(wanted, 3, call.outputs);
  fake().toDevice = fake().toHost = 0;
  ASSERT_EQ(call.runInto(session.session), HONE_OK) << session.message();
  EXPECT_EQ(fake().toDevice, 2); // index, total
  EXPECT_EQ(fake().toHost, 2);   // the slot of `twice`, the error cell
  EXPECT_EQ(call.outputs[1].as.tensor.data, picked.pointer());
  EXPECT_EQ(call.outputs[2].as.tensor.data, total.pointer());
  for (hone_value &output : call.outputs) {
    EXPECT_EQ(output.place, HONE_PLACE_DEVICE);
    output.as.tensor.data = onHost<void>(output.as.tensor.data);
  }
  call.expectResults();
}

TEST_F(Device, CopiesValuesOfTheDeviceThatLieAskew) {
  // Kernels work on 16 bytes at a time; the caller's memory need not.
  Model model(true);
  originalRun = model.descriptor.run;
  model.descriptor.run = [](hone_frame *frame) {
    auto address = [](void *pointer) {
      return reinterpret_cast<uintptr_t>(pointer);
    };
    bool isAligned = address(frame->device_inputs[0]) % 16 == 0 &&
                     address(frame->device_outputs[1]) % 16 == 0;
    return isAligned ? originalRun(frame) : int32_t(HONE_INTERNAL);
  };
  Session session(model);
  Call call(model);
  DeviceMemory x(32), picked(24);
  std::copy(call.x.begin(), call.x.end(), x.host<float>() + 1);
  auto askew = [](DeviceMemory &memory) {
    return static_cast<char *>(memory.pointer()) + sizeof(float);
  };
  call.inputs[0] =
      tensor(askew(x), HONE_TYPE_FLOAT, call.nDims, HONE_PLACE_DEVICE);
  call.outputs[1] =
      tensor(askew(picked), HONE_TYPE_FLOAT, call.mDims, HONE_PLACE_DEVICE);
  for (int i = 0; i < 3; ++i) {
    hone_value outputs[3];
    std::copy_n(call.outputs, 3, outputs);
    ASSERT_EQ(call.runInto(session.session), HONE_OK) << session.message();
    EXPECT_EQ(call.outputs[1].as.tensor.data, askew(picked));
    call.outputs[1].as.tensor.data =
        onHost<void>(call.outputs[1].as.tensor.data);
    call.expectResults();
    std::copy_n(outputs, 3, call.outputs);
  }
}

TEST_F(Device, ReadsInputsOfTheDeviceOnTheHost) {
  // As if the plan read x on the host, too.
  Model model;
  hone_value_info inputs[2] = {model.descriptor.inputs[0],
                               model.descriptor.inputs[1]};
  inputs[0].places = 3;
  model.descriptor.inputs = inputs;
  originalRun = model.descriptor.run;
  model.descriptor.run = [](hone_frame *frame) {
    auto *x = static_cast<const float *>(frame->inputs[0].as.tensor.data);
    return x[3] == 3 ? originalRun(frame) : int32_t(HONE_INTERNAL);
  };
  Session session(model);
  Call call(model);
  DeviceMemory x(20);
  std::copy(call.x.begin(), call.x.end(), x.host<float>());
  call.inputs[0] =
      tensor(x.pointer(), HONE_TYPE_FLOAT, call.nDims, HONE_PLACE_DEVICE);
  ASSERT_EQ(call.run(session.session), HONE_OK) << session.message();
  call.expectResults();
}

TEST_F(Device, RefusesPlacesThatCannotBe) {
  Model model;
  Session session(model);
  Call call(model);
  call.inputs[0].place = 2;
  EXPECT_EQ(call.run(session.session), HONE_WRONG_CALL);
  EXPECT_EQ(session.message(), "input 'x' is in an unknown place: 2");

  setenv("HONE_DEVICE", "cpu", 1);
  Session onCpu(model);
  call.inputs[0].place = HONE_PLACE_DEVICE;
  EXPECT_EQ(call.run(onCpu.session), HONE_WRONG_CALL);
  EXPECT_EQ(onCpu.message(), "input 'x' is on a device, but this session "
                             "runs on the CPU: pass it in host memory");
  call.inputs[0].place = HONE_PLACE_HOST;
  call.outputs[0] =
      tensor(nullptr, HONE_TYPE_FLOAT, call.nDims, HONE_PLACE_DEVICE);
  EXPECT_EQ(call.runInto(onCpu.session), HONE_WRONG_CALL);
  EXPECT_EQ(call.run(onCpu.session), HONE_OK);
}

TEST_F(Device, TheSamePlanRunsOnTheCpu) {
  setenv("HONE_DEVICE", "cpu", 1);
  for (bool mixesPlaces : {false, true}) {
    Model model(mixesPlaces);
    Session session(model);
    ASSERT_EQ(session.status, HONE_OK) << session.why;
    EXPECT_EQ(session.stats().device, nullptr);
    EXPECT_EQ(session.stats().device_note, nullptr); // it was asked for
    Call call(model);
    for (int i = 0; i < 3; ++i) {
      ASSERT_EQ(call.run(session.session), HONE_OK) << session.message();
      call.expectResults();
    }
    EXPECT_EQ(session.stats().arena_bytes, 2 * 4096); // one for each place
    EXPECT_EQ(session.stats().lower_bound_bytes, 2 * 64);
    call.index[0] = 5;
    EXPECT_EQ(call.run(session.session), HONE_INDEX_OUT_OF_RANGE);
  }
  EXPECT_EQ(fake().loads, 0);
}

TEST_F(Device, SessionsShareCodeAndWeights) {
  Model model;
  Session first(model);
  Call call(model), other(model, 9);
  ASSERT_EQ(call.run(first.session), HONE_OK) << first.message();
  EXPECT_EQ(fake().loads, 2);
  int held = fake().allocations, copies = fake().toDevice;
  {
    Session second(model);
    ASSERT_EQ(second.status, HONE_OK) << second.why;
    EXPECT_EQ(fake().allocations, held + 1); // its error cell; no arena yet
    EXPECT_EQ(fake().toDevice, copies);
    ASSERT_EQ(other.run(second.session), HONE_OK);
    other.expectResults();
  }
  ASSERT_EQ(call.run(first.session), HONE_OK);
  call.expectResults();
  EXPECT_EQ(fake().loads, 2);
}

TEST_F(Device, SessionsRunAtTheSameTime) {
  Model model(true);
  std::vector<std::thread> threads;
  for (int64_t n : {3, 50, 700})
    threads.emplace_back([&model, n] {
      for (int round = 0; round < 20; ++round) {
        Session session(model);
        Call call(model, n + round);
        for (int i = 0; i < 4; ++i) {
          ASSERT_EQ(call.run(session.session), HONE_OK) << session.message();
          call.expectResults();
        }
      }
    });
  for (std::thread &thread : threads)
    thread.join();
}

TEST_F(Device, TheFirstFailureOfARunIsTheDevices) {
  Model model(true);
  originalRun = model.descriptor.run;
  model.descriptor.run = [](hone_frame *frame) -> int32_t {
    if (int32_t status = originalRun(frame))
      return status;
    return hone_rt_fail(frame, 0, HONE_BAD_VALUE, 17, 0);
  };
  Session session(model);
  Call call(model);
  EXPECT_EQ(call.run(session.session), HONE_BAD_VALUE);
  EXPECT_EQ(session.message(),
            "node 'double' (Mul): the value 17 is not allowed here");
  call.index[0] = 9;
  EXPECT_EQ(call.run(session.session), HONE_INDEX_OUT_OF_RANGE);
  EXPECT_EQ(session.message(),
            "node 'pick' (Gather): index 9 is out of range for a size of 5");
}

TEST_F(Device, TheCallersContextStays) {
  int mine = 0;
  auto set = library().find<decltype(cuCtxSetCurrent)>("cuCtxSetCurrent");
  auto get = library().find<decltype(cuCtxGetCurrent)>("cuCtxGetCurrent");
  CUcontext context = reinterpret_cast<CUcontext>(&mine), now = nullptr;
  set(context);
  Model model(true);
  {
    Session session(model);
    get(&now);
    EXPECT_EQ(now, context);
    Call call(model);
    call.index[0] = 99;
    EXPECT_EQ(call.run(session.session), HONE_INDEX_OUT_OF_RANGE);
    get(&now);
    EXPECT_EQ(now, context);
  }
  get(&now);
  EXPECT_EQ(now, context);
  set(nullptr);
}

TEST_F(Device, MemoryOutlivesItsSession) {
  Model model(true);
  hone_device_memory memory;
  Call call(model);
  {
    Session session(model);
    ASSERT_EQ(hone_rt_api.device_allocate(session.session, 5 * sizeof(float),
                                          &memory),
              HONE_OK);
    call.outputs[onDevice::Twice] =
        tensor(memory.data, HONE_TYPE_FLOAT, call.nDims, HONE_PLACE_DEVICE);
    ASSERT_EQ(call.runInto(session.session), HONE_OK) << session.message();
  }
  EXPECT_FALSE(fake().holdsNothing());
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(onHost<float>(memory.data)[i], 2 * i);
  memory.release(&memory);
  EXPECT_EQ(memory.data, nullptr);
  EXPECT_TRUE(fake().holdsNothing());
}

TEST_F(Device, SessionsOnTheCpuHaveNoDeviceMemory) {
  Model model(true);
  hone_session_options options = {};
  options.device = HONE_DEVICE_CPU;
  Session session(model, options);
  hone_device_memory memory;
  EXPECT_EQ(hone_rt_api.device_allocate(session.session, 4, &memory),
            HONE_WRONG_CALL);
  EXPECT_EQ(session.message(),
            "this session runs on the CPU: it has no device memory");
  EXPECT_EQ(memory.release, nullptr);
}

} // namespace
