// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Images of all formats named by ONNX, told apart by their first bytes.
#include "runtime/library/Image.h"
#include "runtime/core/Session.h"

using namespace hone;
using namespace hone::library;

namespace {

/// A file of a few bytes may claim any size; this is 800 MB of pixels.
constexpr int64_t mostPixels = int64_t(1) << 28;

int32_t decode(const Encoded &image, Picture &picture) {
  static constexpr struct {
    const char *magic;
    size_t size, offset;
    int32_t (*decode)(const Encoded &, Picture &);
  } formats[] = {
      {"\xff\xd8\xff", 3, 0, decodeJpeg},
      {"\x89PNG\r\n\x1a\n", 8, 0, decodePng},
      {"BM", 2, 0, decodeBmp},
      {"II*\0", 4, 0, decodeTiff},
      {"MM\0*", 4, 0, decodeTiff},
      {"WEBP", 4, 8, decodeWebp},
      {"\0\0\0\x0cjP  \r\n\x87\n", 12, 0, decodeJpeg2000},
      {"\xff\x4f\xff\x51", 4, 0, decodeJpeg2000},
  };
  for (const auto &format : formats)
    if (image.size >= format.offset &&
        Encoded{image.data + format.offset, image.size - format.offset}
            .startsWith(format.magic, format.size))
      return format.decode(image, picture);
  if (image.size >= 2 && image.data[0] == 'P' && image.data[1] >= '1' &&
      image.data[1] <= '6')
    return decodePnm(image, picture);
  return picture.damaged();
}

} // namespace

uint8_t *Picture::start(int64_t width, int64_t height) {
  if (width < 1 || height < 1 || width > mostPixels / height) {
    call.fail(HONE_BAD_VALUE, width < 1 ? width : height);
    return nullptr;
  }
  int64_t dims[] = {height, width, format == Grayscale ? 1 : 3};
  result = call.make(0, HONE_TYPE_UINT8, 3, dims);
  if (!result)
    return nullptr;
  if (format != Grayscale)
    return result.as<uint8_t>();
  scratch = static_cast<uint8_t *>(call.allocate(3 * width * height, 1));
  return scratch;
}

int32_t Picture::finish() {
  auto *to = result.as<uint8_t>();
  if (format == Grayscale)
    // BT.601 luma in 16 bits, rounded.
    for (int64_t i = 0; i < result.count; ++i) {
      const uint8_t *from = scratch + 3 * i;
      to[i] = uint8_t(
          (from[0] * 19595u + from[1] * 38470u + from[2] * 7471u + 0x8000u) >>
          16);
    }
  if (format == Bgr)
    for (int64_t i = 0; i < result.count; i += 3) {
      uint8_t red = to[i];
      to[i] = to[i + 2];
      to[i + 2] = red;
    }
  return HONE_OK;
}

int32_t Picture::lacks(const char *library) {
  call.fail(HONE_BAD_MODEL);
  call.frame->session->failure.library = library;
  return call.status;
}

HONE_LIBRARY(decode_image) {
  Tensor encoded = call.tensorOfType(0, HONE_TYPE_UINT8);
  if (!encoded)
    return call.status;
  if (encoded.rank != 1)
    return call.misuse(encoded.rank);
  Picture picture(call, call.option(0));
  int32_t status =
      decode({encoded.as<const uint8_t>(), size_t(encoded.count)}, picture);
  return status == HONE_OK ? picture.finish() : status;
}
