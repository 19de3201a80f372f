// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Devices that cannot be used, and drivers that fail.
#include "test/unit/runtime/DeviceCall.h"

using namespace onDevice;

namespace {

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
               "for sm_80, sm_90a: compile it with --gpu=sm_100");
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

const Trouble troubles[] = {
    {"cannot open the driver './none.so' (./none.so: cannot open shared object "
     "file: No such file or directory): install the device's driver, or run on "
     "a machine that has one",
     HONE_NO_DEVICE, [](Model &model) { model.device.driver = "./none.so"; }},
    {"the driver 'libc.so.6' has no function cuGraphDestroy: it is too old; "
     "install one for CUDA 11.4 or newer",
     HONE_NO_DEVICE, [](Model &model) { model.device.driver = "libc.so.6"; }},
    {"the driver finds no device: check whether 'nvidia-smi' lists one and "
     "whether this container or user may use it",
     HONE_NO_DEVICE, [](Model &) { fake().devices = 0; }},
    {"the driver finds no device: check whether 'nvidia-smi' lists one and "
     "whether this container or user may use it",
     HONE_NO_DEVICE, [](Model &) { fail("cuInit", CUDA_ERROR_NO_DEVICE); }},
    {"the driver does not start: CUDA_ERROR_UNKNOWN (failed): check "
     "'nvidia-smi'; after an update of the driver the machine must be "
     "restarted",
     HONE_NO_DEVICE, [](Model &) { fail("cuInit", CUDA_ERROR_UNKNOWN); }},
    {"device 0, Fake (sm_80), cannot be used: CUDA_ERROR_OUT_OF_MEMORY (out of "
     "memory): another program may hold it, see 'nvidia-smi'",
     HONE_NO_DEVICE,
     [](Model &) {
       fail("cuDevicePrimaryCtxRetain", CUDA_ERROR_OUT_OF_MEMORY);
     }},
    {"the driver (CUDA 12.2) is too old for the model's PTX: update it, or "
     "compile the model with --gpu=sm_80",
     HONE_NO_DEVICE,
     [](Model &) {
       fail("cuModuleLoadData", CUDA_ERROR_UNSUPPORTED_PTX_VERSION);
     }},
    {"device 0, Fake (sm_80), no memory: CUDA_ERROR_OUT_OF_MEMORY (out of "
     "memory) for 4 bytes of weights: free device memory, or choose "
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
                  "'; it must be a device number or 'cpu'");
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
               "CPU: choose a device, or compile it with --target=cuda,cpu");
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
  EXPECT_EQ(session.message(), "device 0, Fake (sm_80): twice_step1 failed: "
                               "CUDA_ERROR_LAUNCH_FAILED (failed); if later "
                               "runs fail too, restart the process");
  EXPECT_EQ(call.run(session.session), HONE_OK);
  call.expectResults();

  // The error cell, weights and the arena are there: the next is for scratch.
  Call large(model, 5000);
  fail("cuMemAlloc_v2", CUDA_ERROR_OUT_OF_MEMORY, 6);
  EXPECT_EQ(large.run(session.session), HONE_OUT_OF_MEMORY);
  EXPECT_EQ(session.message(),
            "device 0, Fake (sm_80): out of memory: 20000 bytes for a kernel; "
            "free device memory, or choose another one");
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
