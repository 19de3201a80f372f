// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Decoding images: what the formats share. Whatever the input, a decoder reads
// within it and writes within the picture, or fails.
#ifndef HONE_RUNTIME_LIBRARY_IMAGE_H
#define HONE_RUNTIME_LIBRARY_IMAGE_H

#include "runtime/library/Call.h"

namespace hone {
namespace library {

/// The bytes of an encoded image.
struct Encoded {
  const uint8_t *data;
  size_t size;

  bool startsWith(const void *magic, size_t count) const {
    return size >= count && memcmp(data, magic, count) == 0;
  }
};

/// The image under construction, as red, green and blue bytes in rows from the
/// top.
class Picture {
public:
  enum Format { Rgb, Bgr, Grayscale };

  Picture(Call &call, int64_t format) : call(call), format(format) {}
  Picture(const Picture &) = delete;
  Picture &operator=(const Picture &) = delete;
  ~Picture() { hone_rt_free(call.frame, scratch); }

  /// Memory for three bytes per pixel; null, reported, if the size makes no
  /// sense or memory is short. Called once.
  uint8_t *start(int64_t width, int64_t height);
  /// Returns the image in the requested format.
  int32_t finish();

  /// The image is damaged, or of a kind that is not supported.
  int32_t damaged() { return call.fail(HONE_BAD_VALUE, 0); }
  /// A required library is missing.
  int32_t lacks(const char *library);

  Call &call;

private:
  const int64_t format;
  Tensor result;
  uint8_t *scratch = nullptr;
};

// Each returns a status. Bitmap and portable formats are decoded here, the
// others by system libraries.
int32_t decodeBmp(const Encoded &image, Picture &picture);
int32_t decodePnm(const Encoded &image, Picture &picture);
int32_t decodeJpeg(const Encoded &image, Picture &picture);
int32_t decodePng(const Encoded &image, Picture &picture);
int32_t decodeTiff(const Encoded &image, Picture &picture);
int32_t decodeWebp(const Encoded &image, Picture &picture);
int32_t decodeJpeg2000(const Encoded &image, Picture &picture);

} // namespace library
} // namespace hone

#endif // HONE_RUNTIME_LIBRARY_IMAGE_H
