// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Sessions and calls of the model with code for a device, on the fake driver.
#ifndef HONE_TEST_UNIT_RUNTIME_DEVICECALL_H
#define HONE_TEST_UNIT_RUNTIME_DEVICECALL_H

#include "test/unit/runtime/DeviceModel.h"
#include "test/unit/runtime/FakeDriver.h"

#include <cstdlib>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace onDevice {

struct FakeLibrary {
  void *handle = dlopen(HONE_FAKE_DRIVER, RTLD_NOW | RTLD_LOCAL);
  template <typename F> F *find(const char *name) {
    return reinterpret_cast<F *>(dlsym(handle, name));
  }
};

inline FakeLibrary &library() {
  static FakeLibrary library;
  return library;
}
inline FakeDriver &fake() {
  return *library().find<decltype(fakeDriver)>("fakeDriver")();
}
inline void reset() {
  library().find<decltype(fakeDriverReset)>("fakeDriverReset")();
}

inline hone_value tensor(const void *data, int32_t type,
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

/// For plans that do more than the model's own.
inline hone_run_fn originalRun;
inline float onTheHost[8];

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

/// Makes a call of the driver fail.
inline void fail(const char *function, CUresult result, int call = 1) {
  fake().failing = function;
  fake().failure = result;
  fake().failingCall = call;
}

} // namespace onDevice

#endif // HONE_TEST_UNIT_RUNTIME_DEVICECALL_H
