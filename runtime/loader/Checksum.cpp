// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// XXH64 as specified: four lanes of eight bytes each.
#include "runtime/loader/Checksum.h"

#include <string.h>

using namespace hone;

namespace {

constexpr uint64_t prime1 = 0x9E3779B185EBCA87, prime2 = 0xC2B2AE3D27D4EB4F,
                   prime3 = 0x165667B19E3779F9, prime4 = 0x85EBCA77C2B2AE63,
                   prime5 = 0x27D4EB2F165667C5;

uint64_t rotate(uint64_t value, int bits) {
  return value << bits | value >> (64 - bits);
}

template <typename T> uint64_t read(const unsigned char *data) {
  T value;
  memcpy(&value, data, sizeof(T));
  return value;
}

uint64_t round(uint64_t lane, uint64_t input) {
  return rotate(lane + input * prime2, 31) * prime1;
}

/// Whole blocks of 32 bytes. The lanes stay in registers.
const unsigned char *addBlocks(uint64_t (&lanes)[4], const unsigned char *data,
                               size_t bytes) {
  uint64_t a = lanes[0], b = lanes[1], c = lanes[2], d = lanes[3];
  for (; bytes >= 32; bytes -= 32, data += 32) {
    a = round(a, read<uint64_t>(data));
    b = round(b, read<uint64_t>(data + 8));
    c = round(c, read<uint64_t>(data + 16));
    d = round(d, read<uint64_t>(data + 24));
  }
  lanes[0] = a, lanes[1] = b, lanes[2] = c, lanes[3] = d;
  return data;
}

} // namespace

Checksum::Checksum() : lanes{prime1 + prime2, prime2, 0, 0 - prime1} {}

void Checksum::add(const void *bytes, size_t count) {
  auto *data = static_cast<const unsigned char *>(bytes);
  size_t held = total % 32;
  total += count;
  if (held) {
    size_t missing = 32 - held < count ? 32 - held : count;
    memcpy(pending + held, data, missing);
    if (held + missing < 32)
      return;
    addBlocks(lanes, pending, 32);
    data += missing;
    count -= missing;
  }
  data = addBlocks(lanes, data, count);
  memcpy(pending, data, count % 32);
}

uint64_t Checksum::value() const {
  uint64_t hash = prime5;
  if (total >= 32) {
    hash = rotate(lanes[0], 1) + rotate(lanes[1], 7) + rotate(lanes[2], 12) +
           rotate(lanes[3], 18);
    for (uint64_t lane : lanes)
      hash = (hash ^ round(0, lane)) * prime1 + prime4;
  }
  hash += total;
  const unsigned char *data = pending, *end = pending + total % 32;
  for (; end - data >= 8; data += 8)
    hash = rotate(hash ^ round(0, read<uint64_t>(data)), 27) * prime1 + prime4;
  for (; end - data >= 4; data += 4)
    hash = rotate(hash ^ (read<uint32_t>(data) * prime1), 23) * prime2 + prime3;
  for (; data != end; ++data)
    hash = rotate(hash ^ (*data * prime5), 11) * prime1;
  hash = (hash ^ hash >> 33) * prime2;
  hash = (hash ^ hash >> 29) * prime3;
  return hash ^ hash >> 32;
}
