// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sessions on a device: the runtime's own work, with a driver that has no
// device behind it.
#include "test/unit/runtime/DeviceModel.h"
#include "test/unit/runtime/FakeDriver.h"

#include <cstdlib>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <string>
#include <thread>
#include <vector>

namespace {

using onDevice::Model;

struct FakeLibrary {
  void *handle = dlopen(HONE_FAKE_DRIVER, RTLD_NOW | RTLD_LOCAL);
  template <typename F> F *find(const char *name) {
    return reinterpret_cast<F *>(dlsym(handle, name));
  }
};

FakeLibrary &library() {
  static FakeLibrary library;
  return library;
}
FakeDriver &fake() {
  return *library().find<decltype(fakeDriver)>("fakeDriver")();
}
void reset() { library().find<decltype(fakeDriverReset)>("fakeDriverReset")(); }

hone_value tensor(const void *data, int32_t type,
                  const std::vector<int64_t> &dims,
                  int32_t place = HONE_PLACE_HOST) {
  hone_value value = {};
  value.kind = HONE_KIND_TENSOR;
  value.place = place;
  value.as.tensor = {const_cast<void *>(data), dims.data(),
                     int32_t(dims.size()), type};
  return value;
}

/// Memory that only the device reads.
struct DeviceMemory {
  explicit DeviceMemory(size_t bytes) {
    use([&](auto *allocate) { return allocate(&address, bytes); });
  }
  ~DeviceMemory() {
    library().find<decltype(cuMemFree_v2)>("cuMemFree_v2")(address);
  }
  template <typename T> T *host() { return onHost<T>(pointer()); }
  void *pointer() { return reinterpret_cast<void *>(address); }
  CUdeviceptr address = 0;

private:
  template <typename F> void use(F call) {
    CUcontext context = nullptr;
    auto *retain = library().find<decltype(cuDevicePrimaryCtxRetain)>(
        "cuDevicePrimaryCtxRetain");
    auto *release = library().find<decltype(cuDevicePrimaryCtxRelease_v2)>(
        "cuDevicePrimaryCtxRelease_v2");
    auto *set = library().find<decltype(cuCtxSetCurrent)>("cuCtxSetCurrent");
    retain(&context, 0);
    set(context);
    call(library().find<decltype(cuMemAlloc_v2)>("cuMemAlloc_v2"));
    set(nullptr);
    release(0);
  }
};

/// x counts 0, 1, 2, ...; index picks the last and the first.
struct Call {
  explicit Call(const Model &model, int64_t n = 5)
      : count(model.descriptor.output_count), x(n), index{n - 1, 0}, nDims{n},
        mDims{2} {
    for (int64_t i = 0; i < n; ++i)
      x[i] = float(i);
    inputs[0] = tensor(x.data(), HONE_TYPE_FLOAT, nDims);
    inputs[1] = tensor(index.data(), HONE_TYPE_INT64, mDims);
  }
  int32_t run(hone_session *session) {
    for (hone_value &output : outputs)
      output = {};
    return runInto(session);
  }
  int32_t runInto(hone_session *session) {
    return hone_rt_api.run(session, inputs, 2, outputs, count);
  }
  const float *output(int i) const {
    return static_cast<const float *>(outputs[i].as.tensor.data);
  }
  void expectResults() const {
    float total = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      ASSERT_EQ(output(onDevice::Twice)[i], 2 * x[i]) << i;
      total += 2 * x[i];
    }
    for (size_t i = 0; i < index.size(); ++i)
      ASSERT_EQ(output(onDevice::Picked)[i], x[index[i]]);
    if (count > onDevice::Total) {
      ASSERT_EQ(*output(onDevice::Total), total);
    }
  }

  int count;
  std::vector<float> x;
  std::vector<int64_t> index, nDims, mDims;
  hone_value inputs[2], outputs[3] = {};
};

struct Session {
  explicit Session(const Model &model, hone_session_options options = {}) {
    options.size = sizeof(options);
    if (!options.threads)
      options.threads = 1;
    status = hone_rt_api.session_create(&model.descriptor, &options, &session,
                                        why, sizeof(why));
  }
  ~Session() { hone_rt_api.session_destroy(session); }
  Session(const Session &) = delete;
  std::string message() const { return hone_rt_api.message(session); }
  hone_session_stats stats() const {
    hone_session_stats stats;
    hone_rt_api.stats(session, &stats);
    return stats;
  }
  hone_session *session = nullptr;
  int32_t status;
  char why[512] = "";
};

/// Each test begins with a new driver, and leaves nothing in it.
class Device : public testing::Test {
protected:
  void SetUp() override {
    unsetenv("HONE_DEVICE");
    reset();
  }
  void TearDown() override {
    unsetenv("HONE_DEVICE");
    EXPECT_TRUE(fake().holdsNothing());
    EXPECT_EQ(fake().misuses, 0);
  }
};

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

TEST_F(Device, ReadsInputsOfTheDeviceOnTheHost) {
  // As if the plan read x on the host, too.
  Model model;
  hone_value_info inputs[2] = {model.descriptor.inputs[0],
                               model.descriptor.inputs[1]};
  inputs[0].places = 3;
  model.descriptor.inputs = inputs;
  static const float *seen;
  static hone_run_fn original;
  original = model.descriptor.run;
  model.descriptor.run = [](hone_frame *frame) {
    seen = static_cast<const float *>(frame->inputs[0].as.tensor.data);
    return seen[3] == 3 ? original(frame) : int32_t(HONE_INTERNAL);
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
  EXPECT_EQ(session.message(), "input 'x' lies in no place that there is: 2");

  setenv("HONE_DEVICE", "cpu", 1);
  Session onCpu(model);
  call.inputs[0].place = HONE_PLACE_DEVICE;
  EXPECT_EQ(call.run(onCpu.session), HONE_WRONG_CALL);
  EXPECT_EQ(onCpu.message(), "input 'x' lies on a device, but this session "
                             "runs on the CPU: give it memory of the host");
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

TEST_F(Device, TakesTheImageThatFits) {
  struct Case {
    int capability;
    const char *device;
  };
  for (Case fits : {Case{80, "Fake (sm_80)"}, Case{86, "Fake (sm_86)"},
                    Case{90, "Fake (sm_90)"}}) {
    reset();
    fake().capability = fits.capability;
    Model model;
    Session session(model);
    ASSERT_EQ(session.status, HONE_OK) << session.why;
    ASSERT_NE(session.stats().device, nullptr);
    EXPECT_STREQ(session.stats().device, fits.device);
  }
  // Code for one chip only, of which the others cannot make use; and PTX, of
  // which later ones can.
  fake().capability = 100;
  Model model;
  Session session(model);
  EXPECT_STREQ(session.stats().device_note,
               "device 0, Fake (sm_100), cannot run the model, which has code "
               "for sm_80, sm_90a: compile it for sm_100, too");
  model.images[0].kind = HONE_IMAGE_PTX;
  Session later(model);
  EXPECT_EQ(later.stats().device_note, nullptr);
}

/// What makes a device unusable, and what is said about it.
struct Trouble {
  const char *message;
  int32_t status;
  void (*make)(Model &model);
};

void fail(const char *function, CUresult result, int call = 1) {
  fake().failing = function;
  fake().failure = result;
  fake().failingCall = call;
}

const Trouble troubles[] = {
    {"cannot open the driver './none.so' (./none.so: cannot open shared object "
     "file: No such file or directory): install the device's driver, or run "
     "where there is one",
     HONE_NO_DEVICE, [](Model &model) { model.device.driver = "./none.so"; }},
    {"the driver 'libc.so.6' has no function cuGraphDestroy: it is too old; "
     "install one for CUDA 11.4 or newer",
     HONE_NO_DEVICE, [](Model &model) { model.device.driver = "libc.so.6"; }},
    {"the driver finds no device: see whether 'nvidia-smi' lists one and "
     "whether this container or user may use it",
     HONE_NO_DEVICE, [](Model &) { fake().devices = 0; }},
    {"the driver finds no device: see whether 'nvidia-smi' lists one and "
     "whether this container or user may use it",
     HONE_NO_DEVICE, [](Model &) { fail("cuInit", CUDA_ERROR_NO_DEVICE); }},
    {"the driver does not start: CUDA_ERROR_UNKNOWN (failed): see what "
     "'nvidia-smi' says; after an update of the driver the machine must be "
     "started again",
     HONE_NO_DEVICE, [](Model &) { fail("cuInit", CUDA_ERROR_UNKNOWN); }},
    {"device 0, Fake (sm_80), cannot be used: CUDA_ERROR_OUT_OF_MEMORY (out of "
     "memory): another program may hold it, see 'nvidia-smi'",
     HONE_NO_DEVICE,
     [](Model &) {
       fail("cuDevicePrimaryCtxRetain", CUDA_ERROR_OUT_OF_MEMORY);
     }},
    {"the driver (CUDA 12.2) is too old for the model's PTX: update it, or "
     "compile the model for sm_80",
     HONE_NO_DEVICE,
     [](Model &) {
       fail("cuModuleLoadData", CUDA_ERROR_UNSUPPORTED_PTX_VERSION);
     }},
    {"device 0, Fake (sm_80), no memory: CUDA_ERROR_OUT_OF_MEMORY (out of "
     "memory) for 4 bytes of weights: free memory of the device, or choose "
     "another one",
     HONE_OUT_OF_MEMORY,
     [](Model &) { fail("cuMemAlloc_v2", CUDA_ERROR_OUT_OF_MEMORY); }},
};

TEST_F(Device, SaysWhatIsMissing) {
  for (const Trouble &trouble : troubles) {
    reset();
    Model model;
    trouble.make(model);
    {
      // With code for the CPU: a note.
      Session session(model);
      ASSERT_EQ(session.status, HONE_OK) << session.why;
      EXPECT_STREQ(session.stats().device_note, trouble.message);
      EXPECT_EQ(session.stats().device, nullptr);
      Call call(model);
      EXPECT_EQ(call.run(session.session), HONE_OK);
      call.expectResults();
    }
    // Without: a failure.
    const char *failing = fake().failing;
    CUresult failure = fake().failure;
    int devices = fake().devices;
    reset();
    fail(failing, failure);
    fake().devices = devices;
    model.cpuKernels[1] = nullptr;
    Session session(model);
    EXPECT_EQ(session.status, trouble.status);
    EXPECT_STREQ(session.why, trouble.message);
    EXPECT_TRUE(fake().holdsNothing()) << trouble.message;
  }
}

TEST_F(Device, UsesTheDeviceThatIsNamed) {
  fake().devices = 2;
  Model model;
  setenv("HONE_DEVICE", "1", 1);
  EXPECT_EQ(Session(model).status, HONE_OK);
  // Asked for by number: nothing else will do, though the CPU could.
  setenv("HONE_DEVICE", "2", 1);
  Session tooHigh(model);
  EXPECT_EQ(tooHigh.status, HONE_NO_DEVICE);
  EXPECT_STREQ(tooHigh.why,
               "there is no device 2: devices 0 to 1 exist; choose one of them "
               "in the session's options or in HONE_DEVICE");
  for (const char *text : {"gpu", "1x", "-1", "99999999999"}) {
    setenv("HONE_DEVICE", text, 1);
    Session session(model);
    EXPECT_EQ(session.status, HONE_WRONG_CALL);
    EXPECT_EQ(std::string(session.why),
              std::string("HONE_DEVICE is '") + text +
                  "'; it must be the number of a device, or 'cpu'");
  }
  // The option comes first.
  hone_session_options options = {};
  options.device = 1;
  EXPECT_EQ(Session(model, options).status, HONE_OK);
  options.device = HONE_DEVICE_CPU;
  EXPECT_EQ(Session(model, options).stats().device, nullptr);
  options.device = 5;
  EXPECT_EQ(Session(model, options).status, HONE_NO_DEVICE);

  options.device = HONE_DEVICE_CPU;
  model.cpuKernels[0] = nullptr;
  Session onlyDevice(model, options);
  EXPECT_EQ(onlyDevice.status, HONE_NO_DEVICE);
  EXPECT_STREQ(onlyDevice.why,
               "the model has code for a device only and cannot run on the "
               "CPU: choose a device, or compile it for the CPU, too");
}

TEST_F(Device, AModelNeedsCodeForEachKernel) {
  Model model(true);
  model.cpuKernels[0] = nullptr; // of the device
  EXPECT_EQ(Session(model).status, HONE_OK);
  model.cpuKernels[2] = nullptr;
  Session session(model);
  EXPECT_EQ(session.status, HONE_BAD_MODEL);
  EXPECT_STREQ(session.why,
               "the model has no code for kernel 2: compile it again");
}

/// Five runs: plain ones, recorded and replayed ones, larger ones.
int32_t runAll(Model &model, hone_session_options options, std::string &why) {
  Session session(model, options);
  why = session.why;
  if (session.status != HONE_OK)
    return session.status;
  int32_t status = HONE_OK;
  for (int64_t n : {5, 5, 5, 400, 5}) {
    Call call(model, n);
    int32_t result = call.run(session.session);
    if (result == HONE_OK) {
      call.expectResults();
    } else {
      status = result;
      why = session.message();
    }
  }
  return status;
}

TEST_F(Device, AnyFailureOfTheDriverIsClean) {
  for (bool mixesPlaces : {false, true}) {
    Model model(mixesPlaces);
    std::string why;
    reset();
    ASSERT_EQ(runAll(model, {}, why), HONE_OK) << why;
    std::vector<std::pair<std::string, int>> calls;
    const char *name;
    auto *count = library().find<decltype(fakeDriverCalls)>("fakeDriverCalls");
    for (int i = 0, times; (times = count(i, &name)) >= 0; ++i)
      calls.emplace_back(name, times);
    EXPECT_GE(calls.size(), mixesPlaces ? 24u : 30u);

    // Without code for the CPU, so that nothing is hidden.
    model.cpuKernels[0] = nullptr;
    for (auto &[function, times] : calls)
      for (int call = 1; call <= times; ++call)
        for (CUresult result :
             {CUDA_ERROR_LAUNCH_FAILED, CUDA_ERROR_OUT_OF_MEMORY}) {
          reset();
          fail(function.c_str(), result, call);
          int32_t status = runAll(model, {}, why);
          // Frees, and what only makes runs faster, may fail.
          if (status != HONE_OK) {
            EXPECT_FALSE(why.empty()) << function << " " << call;
            EXPECT_NE(status, HONE_INTERNAL) << function << ": " << why;
          }
          EXPECT_TRUE(fake().holdsNothing()) << function << " " << call;
          EXPECT_EQ(fake().misuses, 0) << function << " " << call;
        }
  }
}

TEST_F(Device, AFailedRunSaysWhatFailed) {
  Model model(true);
  Session session(model);
  Call call(model);
  fail("cuLaunchKernel", CUDA_ERROR_LAUNCH_FAILED, 2);
  EXPECT_EQ(call.run(session.session), HONE_DEVICE_FAILED);
  EXPECT_EQ(session.message(),
            "device 0, Fake (sm_80): twice_step1 failed: "
            "CUDA_ERROR_LAUNCH_FAILED (failed); if later runs fail, too, start "
            "the process again");
  EXPECT_EQ(call.run(session.session), HONE_OK);
  call.expectResults();

  // The error cell, weights and the arena are there: the next is for scratch.
  Call large(model, 5000);
  fail("cuMemAlloc_v2", CUDA_ERROR_OUT_OF_MEMORY, 6);
  EXPECT_EQ(large.run(session.session), HONE_OUT_OF_MEMORY);
  EXPECT_EQ(session.message(),
            "device 0, Fake (sm_80): out of memory: 20000 bytes for a kernel; "
            "free memory of the device, or choose another one");
  EXPECT_EQ(large.run(session.session), HONE_OK);
  large.expectResults();
}

TEST_F(Device, TakesTheHostsMemoryFromTheCallersAllocator) {
  struct Counter {
    int64_t held = 0, left = INT64_MAX;
  } counter;
  hone_allocator allocator = {
      &counter,
      [](void *self, int64_t bytes, int64_t alignment) -> void * {
        auto &counter = *static_cast<Counter *>(self);
        if (counter.left-- <= 0)
          return nullptr;
        counter.held += bytes;
        return aligned_alloc(alignment, (bytes + alignment - 1) & -alignment);
      },
      [](void *self, void *pointer, int64_t bytes) {
        static_cast<Counter *>(self)->held -= bytes;
        free(pointer);
      }};
  hone_session_options options = {};
  options.allocator = &allocator;
  Model model(true);
  model.cpuKernels[0] = nullptr;
  int64_t needed = 1;
  for (bool done = false; !done; ++needed) {
    counter.left = needed;
    std::string why;
    int32_t status = runAll(model, options, why);
    done = status == HONE_OK;
    if (!done) {
      EXPECT_EQ(status, HONE_OUT_OF_MEMORY) << why;
      EXPECT_NE(why.find("out of memory"), std::string::npos) << why;
    }
    EXPECT_EQ(counter.held, 0);
    EXPECT_TRUE(fake().holdsNothing());
  }
  EXPECT_GT(needed, 6);
}

} // namespace
