// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Matrix instructions against plain products: operands come by ldmatrix from
// tiles that are row-major in shared memory.
#include "test/unit/emulator/Kernels.h"

#include <cstring>

namespace {

/// In shared memory: A, 16 rows of 16; B, 8 columns of 16 one after the other.
struct Tile {
  uint16_t a[16][16];
  uint16_t b[8][16];
};

template <int32_t shape> void multiplyTile(void **params) {
  auto *data = *static_cast<char **>(params[0]);
  auto *tile = static_cast<char *>(emulator->shared_base());
  int32_t lane = threadX();
  for (uint32_t i = uint32_t(lane) * 4; i < sizeof(Tile); i += 128)
    store(reinterpret_cast<uint32_t *>(tile + i),
          load(reinterpret_cast<uint32_t *>(data + i), 0), 1,
          HONE_SPACE_SHARED);
  emulator->barrier(0, 0, 2);
  uint32_t a[4], b[2], c[4] = {}, d[4];
  // Matrices of A: rows 0-7 and 8-15 of columns 0-7, then of 8-15.
  int32_t row = lane % 16, column = lane / 16 * 8;
  emulator->ldmatrix(tile + offsetof(Tile, a) + row * 32 + column * 2, 4, 0, a,
                     0);
  emulator->ldmatrix(
      tile + offsetof(Tile, b) + lane % 8 * 32 + lane / 8 % 2 * 16, 2, 0, b, 1);
  emulator->mma(shape, a, b, c, d, 2);
  auto *out = reinterpret_cast<uint32_t *>(data + sizeof(Tile));
  for (int32_t i = 0; i < 4; ++i)
    store(out + (lane / 4 + i / 2 * 8) * 8 + lane % 4 * 2 + i % 2, d[i], 2);
}

uint16_t toHalf(float value) {
  auto half = _Float16(value);
  uint16_t bits;
  std::memcpy(&bits, &half, 2);
  return bits;
}

uint16_t toBfloat(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return uint16_t(bits >> 16);
}

template <int32_t shape> void checkProduct(uint16_t (*convert)(float)) {
  constexpr size_t outputs = 16 * 8;
  Tile tile;
  float a[16][16], b[16][8];
  for (int i = 0; i < 16; ++i)
    for (int k = 0; k < 16; ++k)
      tile.a[i][k] = convert(a[i][k] = float((i * 7 + k * 3) % 11 - 5));
  for (int j = 0; j < 8; ++j)
    for (int k = 0; k < 16; ++k)
      tile.b[j][k] = convert(b[k][j] = float((j * 5 + k) % 9 - 4));
  DeviceArray data(sizeof(Tile) + outputs * 4);
  std::vector<char> bytes(sizeof(Tile));
  std::memcpy(bytes.data(), &tile, sizeof(Tile));
  data.write(bytes);
  LaunchEnd run =
      launch(multiplyTile<shape>, data.pointer(), 1, 32, sizeof(Tile));
  EXPECT_EQ(run.result, CUDA_SUCCESS) << run.messages;
  std::vector<float> got = data.read<float>(sizeof(Tile) / 4 + outputs);
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < 8; ++j) {
      float sum = 0;
      for (int k = 0; k < 16; ++k)
        sum += a[i][k] * b[k][j];
      EXPECT_EQ(got[sizeof(Tile) / 4 + i * 8 + j], sum) << i << "," << j;
    }
}

TEST(MatrixTest, Halves) { checkProduct<HONE_MMA_M16N8K16_F16>(toHalf); }

TEST(MatrixTest, Bfloats) { checkProduct<HONE_MMA_M16N8K16_BF16>(toBfloat); }

} // namespace
