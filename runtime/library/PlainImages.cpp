// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Images with little or no encoding: Windows bitmaps, and netpbm's portable
// formats.
#include "runtime/library/Image.h"

using namespace hone;
using namespace hone::library;

namespace {

//===- Bitmaps ------------------------------------------------------------===//

struct Bitmap {
  const Encoded &image;

  bool has(size_t offset, size_t count) const {
    return offset <= image.size && count <= image.size - offset;
  }
  uint32_t number(size_t offset, int bytes) const {
    uint32_t result = 0;
    for (int i = bytes - 1; i >= 0; --i)
      result = result << 8 | image.data[offset + size_t(i)];
    return result;
  }
};

/// A channel of a few bits of a pixel, widened to 8.
uint8_t channel(uint32_t pixel, uint32_t mask) {
  if (!mask)
    return 0;
  int shift = __builtin_ctz(mask);
  uint64_t largest = mask >> shift, value = (pixel & mask) >> shift;
  return uint8_t((value * 255 + largest / 2) / largest);
}

} // namespace

int32_t hone::library::decodeBmp(const Encoded &image, Picture &picture) {
  Bitmap b{image};
  // File header, then an information header of at least 40 bytes, or the old
  // one of 12.
  if (!b.has(0, 26))
    return picture.damaged();
  uint64_t pixels = b.number(10, 4), header = b.number(14, 4);
  bool isOld = header == 12;
  if ((!isOld && header < 40) || !b.has(14, header))
    return picture.damaged();
  int64_t width = isOld ? int32_t(b.number(18, 2)) : int32_t(b.number(18, 4));
  int64_t height = isOld ? int32_t(b.number(20, 2)) : int32_t(b.number(22, 4));
  uint32_t bits = b.number(isOld ? 24 : 28, 2);
  uint32_t compression = isOld ? 0 : b.number(30, 4);
  bool fromTop = height < 0;
  height = fromTop ? -height : height;
  constexpr uint32_t Plain = 0, Masks = 3;
  uint32_t masks[3] = {0xff0000, 0xff00, 0xff};
  if (bits == 16) {
    masks[0] = 0x7c00;
    masks[1] = 0x3e0;
    masks[2] = 0x1f;
  }
  if (compression == Masks && (bits == 16 || bits == 32) && b.has(54, 12))
    for (int i = 0; i < 3; ++i)
      masks[i] = b.number(size_t(54 + 4 * i), 4);
  else if (compression != Plain)
    return picture.damaged();
  uint64_t palette = 14 + header, entry = isOld ? 3 : 4, colors = 0;
  if (bits == 1 || bits == 4 || bits == 8) {
    colors = isOld ? 0 : b.number(46, 4);
    if (colors == 0 || colors > 1u << bits)
      colors = 1u << bits;
    if (!b.has(palette, colors * entry))
      return picture.damaged();
  } else if (bits != 16 && bits != 24 && bits != 32) {
    return picture.damaged();
  }
  if (width < 1 || height < 1)
    return picture.damaged();
  uint64_t stride = (uint64_t(width) * bits + 31) / 32 * 4;
  if (pixels > image.size || (image.size - pixels) / stride < uint64_t(height))
    return picture.damaged();
  uint8_t *to = picture.start(width, height);
  if (!to)
    return picture.call.status;
  for (int64_t y = 0; y < height; ++y) {
    size_t row = pixels + stride * uint64_t(fromTop ? y : height - 1 - y);
    for (int64_t x = 0; x < width; ++x, to += 3) {
      if (colors) {
        uint64_t at = uint64_t(x) * bits;
        uint32_t index = image.data[row + at / 8] >> (8 - bits - at % 8) &
                         ((1u << bits) - 1);
        size_t color = palette + entry * (index < colors ? index : 0);
        for (int c = 0; c < 3; ++c)
          to[c] = image.data[color + size_t(2 - c)];
        continue;
      }
      uint32_t pixel = b.number(row + uint64_t(x) * (bits / 8), int(bits / 8));
      for (int c = 0; c < 3; ++c)
        to[c] = channel(pixel, masks[c]);
    }
  }
  return HONE_OK;
}

//===- Portable formats ---------------------------------------------------===//

namespace {

struct Portable {
  const Encoded &image;
  size_t at = 2;

  static bool isSpace(uint8_t c) { return c == ' ' || (c >= 9 && c <= 13); }

  void skip() {
    while (at < image.size)
      if (image.data[at] == '#')
        while (at < image.size && image.data[at] != '\n')
          ++at;
      else if (isSpace(image.data[at]))
        ++at;
      else
        return;
  }
  /// The next decimal number; -1 if there is none.
  int64_t number() {
    skip();
    int64_t result = -1;
    while (at < image.size && image.data[at] >= '0' && image.data[at] <= '9') {
      result = (result < 0 ? 0 : result) * 10 + (image.data[at++] - '0');
      if (result > INT32_MAX)
        return -1;
    }
    return result;
  }
  /// The next single digit: text bitmaps need no spaces.
  int64_t digit() {
    skip();
    return at < image.size && image.data[at] >= '0' && image.data[at] <= '1'
               ? image.data[at++] - '0'
               : -1;
  }
};

} // namespace

int32_t hone::library::decodePnm(const Encoded &image, Picture &picture) {
  // P1 to P3 are text, P4 to P6 binary; bits, grays and colors.
  int kind = image.data[1] - '1';
  bool isText = kind < 3, isBits = kind % 3 == 0;
  int64_t channels = kind % 3 == 2 ? 3 : 1;
  Portable p{image};
  int64_t width = p.number(), height = p.number(),
          largest = isBits ? 1 : p.number();
  if (width < 1 || height < 1 || largest < 1 || largest > 65535)
    return picture.damaged();
  ++p.at; // one space
  // The samples must be present before memory is allocated.
  uint64_t samples = uint64_t(width) * uint64_t(channels),
           rowBytes = isText   ? samples
                      : isBits ? (samples + 7) / 8
                               : samples * (largest > 255 ? 2 : 1);
  if (p.at > image.size || (image.size - p.at) / rowBytes < uint64_t(height))
    return picture.damaged();
  uint8_t *to = picture.start(width, height);
  if (!to)
    return picture.call.status;
  size_t first = p.at;
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x, to += 3)
      for (int64_t c = 0; c < 3; ++c) {
        if (c >= channels) {
          to[c] = to[0];
          continue;
        }
        size_t row = first + size_t(y) * rowBytes;
        size_t sample = size_t(x) * size_t(channels) + size_t(c);
        int64_t value;
        if (isText)
          value = isBits ? p.digit() : p.number();
        else if (isBits)
          value = image.data[row + sample / 8] >> (7 - sample % 8) & 1;
        else if (largest > 255)
          value = image.data[row + 2 * sample] << 8 |
                  image.data[row + 2 * sample + 1];
        else
          value = image.data[row + sample];
        if (value < 0)
          return picture.damaged();
        if (isBits)
          value = !value; // 1 is black
        value = value > largest ? largest : value;
        to[c] = uint8_t((value * 255 + largest / 2) / largest);
      }
  return HONE_OK;
}
