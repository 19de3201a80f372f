// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Kernels that are right run under every order of their threads; each mistake
// is found and told.
#include "test/unit/emulator/Kernels.h"

#include <cstdlib>

const hone_emulated_services *emulator = nullptr;

LaunchEnd launch(void (*kernel)(void **), CUdeviceptr data, unsigned blocks,
                 unsigned threads, int32_t sharedBytes) {
  static const int32_t parameterBytes[] = {8};
  int32_t arrays[] = {0, sharedBytes};
  hone_emulated_function function = {"kernel", kernel,      parameterBytes,
                                     1,        sharedBytes, sharedBytes ? 1 : 0,
                                     0,        arrays};
  static const char text[] = "first\0second\0third\0a.cpp:1:1\0";
  static const int32_t offsets[] = {0, 19, 6, 19, 13, 19};
  hone_emulated_module module = {HONE_EMULATED_MAGIC,
                                 HONE_EMULATED_VERSION,
                                 &function,
                                 1,
                                 text,
                                 offsets,
                                 3,
                                 nullptr,
                                 0,
                                 &emulator};
  CUmodule loaded;
  CUfunction found;
  EXPECT_EQ(cuModuleLoadData(&loaded, &module), CUDA_SUCCESS);
  EXPECT_EQ(cuModuleGetFunction(&found, loaded, "kernel"), CUDA_SUCCESS);
  void *params[] = {&data};
  testing::internal::CaptureStderr();
  LaunchEnd run;
  run.result = cuLaunchKernel(found, blocks, 1, 1, threads, 1, 1, 0, nullptr,
                              params, nullptr);
  run.messages = testing::internal::GetCapturedStderr();
  cuModuleUnload(loaded);
  return run;
}

DeviceArray::DeviceArray(size_t bytes) {
  EXPECT_EQ(cuMemAlloc_v2(&data, bytes), CUDA_SUCCESS);
}
DeviceArray::~DeviceArray() { cuMemFree_v2(data); }

namespace {

template <typename T> T *pointerOf(void **params) {
  return *static_cast<T **>(params[0]);
}
int32_t *shared() { return static_cast<int32_t *>(emulator->shared_base()); }

/// Runs a right kernel in several orders of its threads.
void expectRight(void (*kernel)(void **), DeviceArray &data, unsigned blocks,
                 unsigned threads, int32_t sharedBytes = 0) {
  for (const char *seed : {"0", "1", "2"}) {
    setenv("HONE_EMULATOR_SEED", seed, 1);
    LaunchEnd run =
        launch(kernel, data.pointer(), blocks, threads, sharedBytes);
    EXPECT_EQ(run.result, CUDA_SUCCESS) << run.messages;
    EXPECT_EQ(run.messages, "");
  }
  unsetenv("HONE_EMULATOR_SEED");
}

/// Runs a wrong kernel in several orders, and wants its fault told in each.
void expectFault(void (*kernel)(void **), DeviceArray &data, unsigned blocks,
                 unsigned threads, int32_t sharedBytes, const char *message) {
  for (const char *seed : {"0", "1", "2"}) {
    setenv("HONE_EMULATOR_SEED", seed, 1);
    LaunchEnd run =
        launch(kernel, data.pointer(), blocks, threads, sharedBytes);
    EXPECT_EQ(run.result, CUDA_ERROR_LAUNCH_FAILED);
    EXPECT_NE(run.messages.find(message), std::string::npos) << run.messages;
  }
  unsetenv("HONE_EMULATOR_SEED");
}

void addOne(void **params) {
  int32_t *at = pointerOf<int32_t>(params) + blockX() * 64 + threadX();
  store(at, load(at, 0) + 1, 1);
}

TEST(EmulatorTest, EveryThreadRunsOnce) {
  DeviceArray data(4 * 192);
  data.write(std::vector<int32_t>(192, 5));
  LaunchEnd run = launch(addOne, data.pointer(), 3, 64);
  EXPECT_EQ(run.result, CUDA_SUCCESS) << run.messages;
  EXPECT_EQ(data.read<int32_t>(192), std::vector<int32_t>(192, 6));
}

TEST(EmulatorTest, OutOfBounds) {
  DeviceArray data(4 * 191);
  data.write(std::vector<int32_t>(191, 5));
  expectFault(addOne, data, 3, 64, 0,
              "kernel: first at a.cpp:1:1, block (2,0,0), thread (63,0,0): "
              "reads 4 bytes out of bounds, at byte 764 of an allocation of "
              "764");
}

TEST(EmulatorTest, StrayAddress) {
  DeviceArray data(16);
  expectFault([](void **) { load<int32_t>(nullptr, 0); }, data, 1, 1, 0,
              "where nothing is allocated");
}

TEST(EmulatorTest, Unwritten) {
  DeviceArray data(4 * 64);
  LaunchEnd run = launch(addOne, data.pointer(), 1, 64);
  EXPECT_EQ(run.result, CUDA_ERROR_LAUNCH_FAILED);
  EXPECT_NE(run.messages.find("which nothing has written"), std::string::npos);
}

TEST(EmulatorTest, Misaligned) {
  DeviceArray data(64);
  data.write(std::vector<int32_t>(16, 0));
  expectFault(
      [](void **params) {
        emulator->load(pointerOf<char>(params) + 4, 16, 0, 0, 16);
      },
      data, 1, 1, 0, "claims an alignment of 16 bytes");
}

TEST(EmulatorTest, BlocksRace) {
  DeviceArray data(4);
  expectFault(
      [](void **params) { store(pointerOf<int32_t>(params), blockX(), 1); },
      data, 2, 1, 0, "race: another block of this launch has written byte 0");
}

TEST(EmulatorTest, AtomicsDoNotRace) {
  DeviceArray data(4);
  data.write(std::vector<int32_t>{0});
  expectRight(
      [](void **params) {
        ++*static_cast<int32_t *>(
            emulator->update(pointerOf<int32_t>(params), 4, 0, 0, 4));
      },
      data, 4, 8);
  EXPECT_EQ(data.read<int32_t>(1)[0], 3 * 32);
}

//===- Blocks
//--------------------------------------------------------------===//

/// Turns 64 numbers around through shared memory.
template <bool hasBarrier> void turnAround(void **params) {
  int32_t thread = threadX();
  int32_t *data = pointerOf<int32_t>(params);
  store(shared() + thread, load(data + thread, 0), 1, HONE_SPACE_SHARED);
  if (hasBarrier)
    emulator->barrier(0, 0, 2);
  store(data + thread, load(shared() + 63 - thread, 1, HONE_SPACE_SHARED), 0);
}

TEST(EmulatorTest, BarrierOrders) {
  DeviceArray data(4 * 64);
  std::vector<int32_t> values(64);
  for (int32_t i = 0; i < 64; ++i)
    values[i] = i;
  data.write(values);
  expectRight(turnAround<true>, data, 1, 64, 256);
  std::vector<int32_t> turned(values.rbegin(), values.rend());
  EXPECT_EQ(data.read<int32_t>(64), turned); // three times
}

TEST(EmulatorTest, MissingBarrier) {
  DeviceArray data(4 * 64);
  data.write(std::vector<int32_t>(64, 1));
  // Depending on who comes first, the byte was written or is still empty.
  for (const char *seed : {"0", "1", "2"}) {
    setenv("HONE_EMULATOR_SEED", seed, 1);
    LaunchEnd run = launch(turnAround<false>, data.pointer(), 1, 64, 256);
    EXPECT_EQ(run.result, CUDA_ERROR_LAUNCH_FAILED);
    EXPECT_NE(run.messages.find("shared memory"), std::string::npos);
  }
  unsetenv("HONE_EMULATOR_SEED");
}

TEST(EmulatorTest, MissingBarrierBeforeReuse) {
  DeviceArray data(4 * 64);
  data.write(std::vector<int32_t>(64, 1));
  expectFault(
      [](void **) {
        int32_t thread = threadX();
        store(shared() + thread, thread, 1, HONE_SPACE_SHARED);
        emulator->barrier(0, 0, 2);
        load(shared() + 63 - thread, 0, HONE_SPACE_SHARED);
        store(shared() + thread, 0, 1, HONE_SPACE_SHARED);
      },
      data, 1, 64, 256, "race: byte");
}

TEST(EmulatorTest, PastTheSharedArray) {
  DeviceArray data(4);
  expectFault(
      [](void **) { store(shared() + threadX() + 1, 0, 1, HONE_SPACE_SHARED); },
      data, 1, 64, 256, "writes 4 bytes out of bounds, at byte 256 of shared");
}

TEST(EmulatorTest, DivergentBarrier) {
  DeviceArray data(4);
  expectFault([](void **) { emulator->barrier(0, 0, threadX() < 32 ? 0 : 1); },
              data, 1, 64, 0, "divergent barrier");
}

TEST(EmulatorTest, BarrierThatNotAllReach) {
  DeviceArray data(4);
  expectFault(
      [](void **) {
        if (threadX() < 40)
          emulator->barrier(0, 0, 2);
      },
      data, 1, 64, 0, "deadlock: 40 of 64 threads wait");
}

//===- Copies on their way
//-------------------------------------------------===//

template <bool waits, bool hasBarrier> void stage(void **params) {
  int32_t thread = threadX();
  int32_t *data = pointerOf<int32_t>(params);
  emulator->copy_async(shared() + 4 * thread, data + 4 * thread, 16, 16, 0);
  emulator->commit_group(0);
  if (waits)
    emulator->wait_group(0, 1);
  if (hasBarrier)
    emulator->barrier(0, 0, 2);
  int32_t other = 4 * (31 - thread);
  int32_t value = load(shared() + other, 2, HONE_SPACE_SHARED);
  if (!waits)
    emulator->wait_group(0, 1);
  emulator->barrier(0, 0, 2);
  store(data + 4 * thread, value, 2);
}

TEST(EmulatorTest, AsynchronousCopy) {
  DeviceArray data(4 * 128);
  std::vector<int32_t> values(128);
  for (int32_t i = 0; i < 128; ++i)
    values[i] = i;
  data.write(values);
  LaunchEnd run = launch(stage<true, true>, data.pointer(), 1, 32, 512);
  EXPECT_EQ(run.result, CUDA_SUCCESS) << run.messages;
  std::vector<int32_t> got = data.read<int32_t>(128);
  for (int32_t i = 0; i < 32; ++i)
    EXPECT_EQ(got[4 * i], 4 * (31 - i));
}

TEST(EmulatorTest, MissingWait) {
  DeviceArray data(4 * 128);
  data.write(std::vector<int32_t>(128, 1));
  expectFault(stage<false, true>, data, 1, 32, 512,
              "while an asynchronous copy to it is pending");
}

TEST(EmulatorTest, MissingBarrierAfterWait) {
  DeviceArray data(4 * 128);
  data.write(std::vector<int32_t>(128, 1));
  for (const char *seed : {"0", "1", "2"}) {
    setenv("HONE_EMULATOR_SEED", seed, 1);
    LaunchEnd run = launch(stage<true, false>, data.pointer(), 1, 32, 512);
    EXPECT_EQ(run.result, CUDA_ERROR_LAUNCH_FAILED);
  }
  unsetenv("HONE_EMULATOR_SEED");
}

TEST(EmulatorTest, CopyNeverWaitedFor) {
  DeviceArray data(4 * 128);
  data.write(std::vector<int32_t>(128, 1));
  expectFault(
      [](void **params) {
        emulator->copy_async(shared(), pointerOf<int32_t>(params), 16, 16, 0);
        emulator->commit_group(0);
      },
      data, 1, 1, 512, "were never waited for");
}

//===- Warps
//----------------------------------------------------------------===//

void sumOfWarp(void **params) {
  int32_t *data = pointerOf<int32_t>(params);
  uint32_t sum = uint32_t(load(data + threadX(), 0));
  for (int32_t distance = 16; distance > 0; distance /= 2)
    sum += emulator->shuffle(HONE_SHUFFLE_BFLY, ~0u, sum, distance, 31, 1,
                             nullptr);
  store(data + threadX(), int32_t(sum), 2);
}

TEST(EmulatorTest, Shuffle) {
  DeviceArray data(4 * 64);
  std::vector<int32_t> values(64);
  for (int32_t i = 0; i < 64; ++i)
    values[i] = i;
  data.write(values);
  LaunchEnd run = launch(sumOfWarp, data.pointer(), 1, 64);
  EXPECT_EQ(run.result, CUDA_SUCCESS) << run.messages;
  std::vector<int32_t> got = data.read<int32_t>(64);
  EXPECT_EQ(got[0], 31 * 32 / 2);
  EXPECT_EQ(got[63], 31 * 32 / 2 + 32 * 32);
}

TEST(EmulatorTest, ShuffleOfASegment) {
  DeviceArray data(4 * 32);
  LaunchEnd run = launch(
      [](void **params) {
        int32_t inside = 0;
        uint32_t value =
            emulator->shuffle(HONE_SHUFFLE_DOWN, ~0u, uint32_t(threadX()), 1,
                              0x1c << 8 | 0x1f, 1, &inside);
        store(pointerOf<int32_t>(params) + threadX(),
              inside ? int32_t(value) : -1, 2);
      },
      data.pointer(), 1, 32);
  EXPECT_EQ(run.result, CUDA_SUCCESS) << run.messages;
  std::vector<int32_t> got = data.read<int32_t>(32);
  for (int32_t i = 0; i < 32; ++i)
    EXPECT_EQ(got[i], i % 4 == 3 ? -1 : i + 1);
}

TEST(EmulatorTest, Vote) {
  DeviceArray data(4 * 32);
  LaunchEnd run = launch(
      [](void **params) {
        uint32_t ballot =
            emulator->vote(HONE_VOTE_BALLOT, ~0u, threadX() % 2, 0);
        uint32_t most =
            emulator->redux(HONE_REDUX_UMAX, ~0u, uint32_t(threadX()), 1);
        store(pointerOf<uint32_t>(params) + threadX(), ballot + most, 2);
      },
      data.pointer(), 1, 32);
  EXPECT_EQ(run.result, CUDA_SUCCESS) << run.messages;
  EXPECT_EQ(data.read<uint32_t>(32)[7], 0xaaaaaaaau + 31);
}

TEST(EmulatorTest, DivergedWarp) {
  DeviceArray data(4);
  expectFault(
      [](void **) {
        emulator->shuffle(HONE_SHUFFLE_BFLY, ~0u, 0, 1, 31,
                          threadX() < 16 ? 0 : 1, nullptr);
      },
      data, 1, 32, 0, "diverged warp");
}

TEST(EmulatorTest, WarpBarrierOrdersTheWarp) {
  DeviceArray data(4 * 32);
  expectRight(
      [](void **) {
        store(shared() + threadX(), threadX(), 0, HONE_SPACE_SHARED);
        emulator->warp_barrier(~0u, 1);
        load(shared() + 31 - threadX(), 2, HONE_SPACE_SHARED);
      },
      data, 1, 32, 128);
}

//===- Streams
//--------------------------------------------------------------===//

TEST(EmulatorTest, GraphsReplay) {
  DeviceArray data(4), copy(4);
  data.write(std::vector<int32_t>{7});
  CUstream stream;
  CUgraph graph;
  CUgraphExec executable;
  ASSERT_EQ(cuStreamCreate(&stream, 0), CUDA_SUCCESS);
  ASSERT_EQ(
      cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL),
      CUDA_SUCCESS);
  cuMemcpyDtoDAsync_v2(copy.pointer(), data.pointer(), 4, stream);
  ASSERT_EQ(cuStreamEndCapture(stream, &graph), CUDA_SUCCESS);
  ASSERT_EQ(cuGraphInstantiateWithFlags(&executable, graph, 0), CUDA_SUCCESS);
  data.write(std::vector<int32_t>{8});
  ASSERT_EQ(cuGraphLaunch(executable, stream), CUDA_SUCCESS);
  EXPECT_EQ(copy.read<int32_t>(1)[0], 8);
  cuGraphExecDestroy(executable);
  cuGraphDestroy(graph);
  cuStreamDestroy_v2(stream);
}

TEST(EmulatorTest, CopiesAreChecked) {
  DeviceArray data(8);
  int32_t values[4] = {};
  testing::internal::CaptureStderr();
  EXPECT_EQ(cuMemcpyHtoDAsync_v2(data.pointer(), values, 16, nullptr),
            CUDA_ERROR_ILLEGAL_ADDRESS);
  testing::internal::GetCapturedStderr();
}

} // namespace
