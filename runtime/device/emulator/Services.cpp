// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Services that emulated kernels call: operations of single threads, and those
// that the lanes of a warp execute together. Register layouts are those of the
// PTX manual; g is lane / 4 and t is lane % 4 throughout.
#include "runtime/device/emulator/Block.h"

#include <cmath>
#include <cstring>

using namespace hone::emulator;

namespace {

/// Kinds of collective operations; the modes of one follow its first number.
enum {
  kWarpBarrier = 0,
  kShuffle = 16,
  kVote = 32,
  kRedux = 48,
  kLoad = 64,
  kProduct = 80
};

Meeting &mine() { return currentLaunch()->warp().meeting; }
uint32_t laneId() { return currentLaunch()->thread().lane; }

//===- Threads -----------------------------------------------------------===//

void *load(const void *address, int64_t bytes, int32_t site, int32_t space,
           int32_t alignment) {
  return currentLaunch()->access(address, bytes, site, space, alignment, false,
                                 false);
}

void *store(void *address, int64_t bytes, int32_t site, int32_t space,
            int32_t alignment) {
  return currentLaunch()->access(address, bytes, site, space, alignment, true,
                                 false);
}

void *update(void *address, int64_t bytes, int32_t site, int32_t space,
             int32_t alignment) {
  return currentLaunch()->access(address, bytes, site, space, alignment, true,
                                 true);
}

int32_t special(int32_t reg) { return currentLaunch()->special(reg); }

void barrier(int32_t id, int32_t count, int32_t site) {
  currentLaunch()->barrier(id, count, site);
}

void copyAsync(void *to, const void *from, int32_t bytes, int32_t valid,
               int32_t site) {
  currentLaunch()->copyAsync(to, from, bytes, valid, site);
}

void commitGroup(int32_t) { currentLaunch()->commitGroup(); }

void waitGroup(int32_t pending, int32_t site) {
  currentLaunch()->waitGroup(pending, site);
}

void *sharedBase() { return currentLaunch()->sharedBase(); }

//===- Warps -------------------------------------------------------------===//

void warpBarrier(uint32_t mask, int32_t site) {
  currentLaunch()->meet(kWarpBarrier, mask, site,
                        [](Launch &, Warp &warp) { ++warp.epoch; });
}

/// The lane that `lane` reads from, and whether it is in its segment.
uint32_t shuffleSource(int32_t mode, uint32_t lane, int32_t b, int32_t c,
                       int32_t &inside) {
  int32_t l = int32_t(lane), segment = c >> 8 & 31, clamp = c & 31;
  int32_t most = (l & segment) | (clamp & ~segment), least = l & segment;
  int32_t j = l;
  switch (mode) {
  case HONE_SHUFFLE_BFLY:
    j = l ^ b;
    inside = j <= most;
    break;
  case HONE_SHUFFLE_UP:
    j = l - b;
    inside = j >= most;
    break;
  case HONE_SHUFFLE_DOWN:
    j = l + b;
    inside = j <= most;
    break;
  default:
    j = least | (b & ~segment);
    inside = j <= most;
  }
  return uint32_t(inside ? j : l);
}

uint32_t shuffle(int32_t mode, uint32_t mask, uint32_t value, int32_t b,
                 int32_t c, int32_t site, int32_t *predicate) {
  Launch &launch = *currentLaunch();
  Meeting &meeting = mine();
  uint32_t lane = laneId(), result = 0;
  int32_t inside = 0;
  meeting.value[lane] = value;
  meeting.b[lane] = b;
  meeting.c[lane] = c;
  meeting.result[lane] = &result;
  launch.meet(kShuffle + mode, mask, site, [](Launch &launch, Warp &warp) {
    Meeting &m = warp.meeting;
    for (uint32_t i = 0; i < 32; ++i) {
      if (!(m.arrived >> i & 1))
        continue;
      uint32_t from =
          shuffleSource(m.kind - kShuffle, i, m.b[i], m.c[i], m.predicate[i]);
      if (from >= 32 || !(m.arrived >> from & 1)) {
        launch.report(m.site,
                      "lane %u takes the value of lane %u, which does "
                      "not take part",
                      i, from);
        from = i;
      }
      *m.result[i] = m.value[from];
    }
  });
  inside = meeting.predicate[lane];
  if (predicate)
    *predicate = inside;
  return result;
}

uint32_t vote(int32_t mode, uint32_t mask, int32_t predicate, int32_t site) {
  Meeting &meeting = mine();
  uint32_t lane = laneId(), result = 0;
  meeting.predicate[lane] = predicate;
  meeting.result[lane] = &result;
  currentLaunch()->meet(kVote + mode, mask, site, [](Launch &, Warp &warp) {
    Meeting &m = warp.meeting;
    uint32_t ballot = 0;
    for (uint32_t i = 0; i < 32; ++i)
      if ((m.arrived >> i & 1) && m.predicate[i])
        ballot |= 1u << i;
    for (uint32_t i = 0; i < 32; ++i) {
      if (!(m.arrived >> i & 1))
        continue;
      switch (m.kind - kVote) {
      case HONE_VOTE_ANY:
        *m.result[i] = ballot != 0;
        break;
      case HONE_VOTE_ALL:
        *m.result[i] = ballot == m.arrived;
        break;
      case HONE_VOTE_UNI:
        *m.result[i] = ballot == 0 || ballot == m.arrived;
        break;
      default:
        *m.result[i] = ballot;
      }
    }
  });
  return result;
}

uint32_t combine(int32_t mode, uint32_t a, uint32_t b) {
  switch (mode) {
  case HONE_REDUX_ADD:
    return a + b;
  case HONE_REDUX_MIN:
    return int32_t(a) < int32_t(b) ? a : b;
  case HONE_REDUX_MAX:
    return int32_t(a) > int32_t(b) ? a : b;
  case HONE_REDUX_UMIN:
    return a < b ? a : b;
  case HONE_REDUX_UMAX:
    return a > b ? a : b;
  case HONE_REDUX_AND:
    return a & b;
  case HONE_REDUX_OR:
    return a | b;
  default:
    return a ^ b;
  }
}

uint32_t redux(int32_t mode, uint32_t mask, uint32_t value, int32_t site) {
  Meeting &meeting = mine();
  uint32_t lane = laneId(), result = 0;
  meeting.value[lane] = value;
  meeting.result[lane] = &result;
  currentLaunch()->meet(kRedux + mode, mask, site, [](Launch &, Warp &warp) {
    Meeting &m = warp.meeting;
    bool isFirst = true;
    uint32_t total = 0;
    for (uint32_t i = 0; i < 32; ++i)
      if (m.arrived >> i & 1) {
        total =
            isFirst ? m.value[i] : combine(m.kind - kRedux, total, m.value[i]);
        isFirst = false;
      }
    for (uint32_t i = 0; i < 32; ++i)
      if (m.arrived >> i & 1)
        *m.result[i] = total;
  });
  return result;
}

//===- Matrices ----------------------------------------------------------===//

void loadMatrices(Launch &launch, Warp &warp) {
  Meeting &m = warp.meeting;
  int32_t count = (m.kind - kLoad) / 2, transposed = (m.kind - kLoad) % 2;
  for (int32_t i = 0; i < count; ++i) {
    uint16_t matrix[8][8];
    for (uint32_t row = 0; row < 8; ++row) {
      uint32_t lane = uint32_t(i) * 8 + row;
      std::memcpy(
          matrix[row],
          launch.checkedRead(launch.lane(lane), m.address[lane], 16, m.site),
          16);
    }
    for (uint32_t lane = 0; lane < 32; ++lane) {
      uint32_t g = lane / 4, t = lane % 4;
      uint32_t low = transposed ? matrix[2 * t][g] : matrix[g][2 * t];
      uint32_t high = transposed ? matrix[2 * t + 1][g] : matrix[g][2 * t + 1];
      m.result[lane][i] = low | high << 16;
    }
  }
}

void ldmatrix(const void *address, int32_t count, int32_t transposed,
              uint32_t *result, int32_t site) {
  Meeting &meeting = mine();
  uint32_t lane = laneId();
  meeting.address[lane] = address;
  meeting.result[lane] = result;
  currentLaunch()->meet(kLoad + 2 * count + (transposed ? 1 : 0), ~0u, site,
                        loadMatrices);
}

float halfToFloat(uint16_t bits) {
  _Float16 value;
  std::memcpy(&value, &bits, 2);
  return float(value);
}

uint16_t floatToHalf(float value) {
  auto half = _Float16(value);
  uint16_t bits;
  std::memcpy(&bits, &half, 2);
  return bits;
}

float wordToFloat(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

uint32_t floatToWord(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}

/// Element `k` of the row (or column) that a register pair-wise layout of
/// `perWord` elements a register gives; f32 from 16 bits or tf32.
float element(int32_t shape, uint32_t word, uint32_t index) {
  switch (shape) {
  case HONE_MMA_M16N8K16_BF16:
    return wordToFloat((index ? word >> 16 : word & 0xffff) << 16);
  case HONE_MMA_M16N8K8_TF32:
    // 10 bits of the fraction are used.
    return wordToFloat(word & 0xffffe000u);
  default:
    return halfToFloat(uint16_t(index ? word >> 16 : word));
  }
}

void multiplyFloats(Meeting &m, int32_t shape) {
  // Elements of a register, and of the sum.
  uint32_t perWord = shape == HONE_MMA_M16N8K8_TF32 ? 1 : 2;
  uint32_t depth = 8 * perWord;
  static thread_local float a[16][16], b[16][8];
  for (uint32_t lane = 0; lane < 32; ++lane) {
    uint32_t g = lane / 4, t = lane % 4;
    for (uint32_t r = 0; r < 4; ++r)
      for (uint32_t e = 0; e < perWord; ++e)
        a[g + r % 2 * 8][r / 2 * 4 * perWord + t * perWord + e] =
            element(shape, m.operands[lane][0][r], e);
    for (uint32_t r = 0; r < 2; ++r)
      for (uint32_t e = 0; e < perWord; ++e)
        b[r * 4 * perWord + t * perWord + e][g] =
            element(shape, m.operands[lane][1][r], e);
  }
  bool isHalf = shape == HONE_MMA_M16N8K16_F16_F16;
  for (uint32_t lane = 0; lane < 32; ++lane) {
    uint32_t g = lane / 4, t = lane % 4;
    float sums[4];
    for (uint32_t i = 0; i < 4; ++i) {
      const uint32_t *c = m.operands[lane][2];
      float sum = isHalf ? halfToFloat(uint16_t(c[i / 2] >> (i % 2 * 16)))
                         : wordToFloat(c[i]);
      for (uint32_t k = 0; k < depth; ++k)
        sum += a[g + i / 2 * 8][k] * b[k][2 * t + i % 2];
      sums[i] = sum;
    }
    for (uint32_t i = 0; i < (isHalf ? 2u : 4u); ++i)
      m.result[lane][i] = isHalf
                              ? floatToHalf(sums[2 * i]) |
                                    uint32_t(floatToHalf(sums[2 * i + 1])) << 16
                              : floatToWord(sums[i]);
  }
}

void multiplyBytes(Meeting &m) {
  static thread_local int32_t a[16][32], b[32][8];
  auto byte = [](uint32_t word, uint32_t i) {
    return int32_t(int8_t(word >> (8 * i)));
  };
  for (uint32_t lane = 0; lane < 32; ++lane) {
    uint32_t g = lane / 4, t = lane % 4;
    for (uint32_t r = 0; r < 4; ++r)
      for (uint32_t e = 0; e < 4; ++e)
        a[g + r % 2 * 8][r / 2 * 16 + t * 4 + e] =
            byte(m.operands[lane][0][r], e);
    for (uint32_t r = 0; r < 2; ++r)
      for (uint32_t e = 0; e < 4; ++e)
        b[r * 16 + t * 4 + e][g] = byte(m.operands[lane][1][r], e);
  }
  for (uint32_t lane = 0; lane < 32; ++lane) {
    uint32_t g = lane / 4, t = lane % 4;
    for (uint32_t i = 0; i < 4; ++i) {
      uint32_t sum = m.operands[lane][2][i];
      for (uint32_t k = 0; k < 32; ++k)
        sum += uint32_t(a[g + i / 2 * 8][k] * b[k][2 * t + i % 2]);
      m.result[lane][i] = sum;
    }
  }
}

void mma(int32_t shape, const uint32_t *a, const uint32_t *b, const uint32_t *c,
         uint32_t *d, int32_t site) {
  Meeting &meeting = mine();
  uint32_t lane = laneId();
  meeting.operands[lane][0] = a;
  meeting.operands[lane][1] = b;
  meeting.operands[lane][2] = c;
  meeting.result[lane] = d;
  currentLaunch()->meet(kProduct + shape, ~0u, site, [](Launch &, Warp &warp) {
    Meeting &m = warp.meeting;
    int32_t shape = m.kind - kProduct;
    if (shape == HONE_MMA_M16N8K32_S8)
      multiplyBytes(m);
    else
      multiplyFloats(m, shape);
  });
}

} // namespace

const hone_emulated_services &hone::emulator::services() {
  static const hone_emulated_services table = {HONE_EMULATED_VERSION,
                                               sizeof(hone_emulated_services),
                                               load,
                                               store,
                                               update,
                                               special,
                                               barrier,
                                               warpBarrier,
                                               shuffle,
                                               vote,
                                               redux,
                                               ldmatrix,
                                               mma,
                                               copyAsync,
                                               commitGroup,
                                               waitGroup,
                                               sharedBase};
  return table;
}
