// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runtime/loader/Checksum.h"

#include <gtest/gtest.h>
#include <string>

namespace {

uint64_t checksum(const std::string &text, size_t pieceBytes) {
  hone::Checksum sum;
  for (size_t i = 0; i < text.size(); i += pieceBytes)
    sum.add(text.data() + i, std::min(pieceBytes, text.size() - i));
  return sum.value();
}

TEST(Checksum, IsXxh64) {
  EXPECT_EQ(checksum("", 1), 0xef46db3751d8e999u);
  EXPECT_EQ(checksum("a", 1), 0xd24ec4f1a98c6e5bu);
  EXPECT_EQ(checksum("Nobody inspects the spammish repetition", 64),
            0xfbcea83c8a378bf1u);
}

TEST(Checksum, DoesNotDependOnThePieces) {
  std::string text;
  for (int i = 0; i < 300; ++i)
    text += char(i * 7);
  for (size_t pieceBytes = 1; pieceBytes < 80; ++pieceBytes)
    EXPECT_EQ(checksum(text, pieceBytes), checksum(text, text.size()));
}

TEST(Checksum, SeesEveryBit) {
  for (size_t size : {1, 7, 31, 32, 33, 100}) {
    std::string text(size, 'x');
    uint64_t before = checksum(text, size);
    for (size_t bit = 0; bit < 8 * size; ++bit) {
      text[bit / 8] ^= char(1 << bit % 8);
      EXPECT_NE(checksum(text, size), before) << size << ", bit " << bit;
      text[bit / 8] ^= char(1 << bit % 8);
    }
  }
}

} // namespace
