// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Upper and lower case of characters, independent of the process's locale.
#include "runtime/library/Text.h"

using namespace hone;

namespace {

/// Upper-case letters and the distance to their lower-case ones. Distance 1:
/// the two cases alternate.
struct Letters {
  uint16_t first, last, distance;
};

constexpr Letters letters[] = {
    {0x41, 0x5a, 32},   {0xc0, 0xd6, 32},    {0xd8, 0xde, 32},
    {0x100, 0x12f, 1},  {0x132, 0x137, 1},   {0x139, 0x148, 1},
    {0x14a, 0x177, 1},  {0x179, 0x17e, 1},   {0x386, 0x386, 38},
    {0x388, 0x38a, 37}, {0x38c, 0x38c, 64},  {0x38e, 0x38f, 63},
    {0x391, 0x3a1, 32}, {0x3a3, 0x3ab, 32},  {0x400, 0x40f, 80},
    {0x410, 0x42f, 32}, {0x460, 0x481, 1},   {0x48a, 0x4bf, 1},
    {0x4c0, 0x4c0, 15}, {0x4c1, 0x4ce, 1},   {0x4d0, 0x52f, 1},
    {0x531, 0x556, 48}, {0x1e00, 0x1e95, 1}, {0x1ea0, 0x1eff, 1},
};

struct Pair {
  uint16_t from, to;
};

} // namespace

uint32_t library::toLower(uint32_t character) {
  if (character == 0x130) // dotted capital I
    return 'i';
  if (character == 0x178)
    return 0xff;
  for (const Letters &range : letters)
    if (character >= range.first && character <= range.last) {
      if (range.distance != 1)
        return character + range.distance;
      return character + ((character - range.first) % 2 == 0);
    }
  return character;
}

uint32_t library::toUpper(uint32_t character) {
  constexpr Pair single[] = {{0xff, 0x178},
                             {0x131, 'I'},    // dotless i
                             {0x17f, 'S'},    // long s
                             {0xb5, 0x39c},   // micro sign
                             {0x3c2, 0x3a3}}; // final sigma
  for (const Pair &pair : single)
    if (character == pair.from)
      return pair.to;
  for (const Letters &range : letters) {
    if (range.distance == 1) {
      if (character >= range.first && character <= range.last)
        return character - ((character - range.first) % 2);
    } else if (character >= uint32_t(range.first + range.distance) &&
               character <= uint32_t(range.last + range.distance)) {
      return character - range.distance;
    }
  }
  return character;
}
