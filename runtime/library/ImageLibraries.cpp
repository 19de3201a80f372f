// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Images that system libraries decode. They are opened at the first image of
// their format, so that a model needs only those it uses; static linking would
// bring in the libc of the build machine.
#include "runtime/library/Image.h"

#include <dlfcn.h>
#include <openjpeg.h>
#include <png.h>
#include <tiffio.h>
#include <turbojpeg.h>
#include <webp/decode.h>

using namespace hone;
using namespace hone::library;

namespace {

/// A function of a library, looked up at run time, with the type that its
/// header declares.
#define HONE_FUNCTION(name) decltype(&::name) name = nullptr
#define HONE_FIND(name)                                                        \
  (name = reinterpret_cast<decltype(name)>(dlsym(library, #name)))

void *open(const char *name) {
  // Never closed: opening it again is cheap then.
  return dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
}

//===- JPEG ---------------------------------------------------------------===//

constexpr const char *kTurboJpeg = "libturbojpeg.so.0";

struct TurboJpeg {
  HONE_FUNCTION(tjInitDecompress);
  HONE_FUNCTION(tjDecompressHeader3);
  HONE_FUNCTION(tjDecompress2);
  HONE_FUNCTION(tjDestroy);
  bool found = false;
  TurboJpeg() {
    if (void *library = open(kTurboJpeg))
      found = HONE_FIND(tjInitDecompress) && HONE_FIND(tjDecompressHeader3) &&
              HONE_FIND(tjDecompress2) && HONE_FIND(tjDestroy);
  }
};

/// Four bytes of ink as stored, usually inverted, to three of light.
void inkToLight(const uint8_t *ink, uint8_t *light, int64_t pixels) {
  for (int64_t i = 0; i < pixels; ++i)
    for (int c = 0; c < 3; ++c)
      light[3 * i + c] = uint8_t((ink[4 * i + c] * ink[4 * i + 3] + 127) / 255);
}

} // namespace

int32_t hone::library::decodeJpeg(const Encoded &image, Picture &picture) {
  TurboJpeg jpeg;
  if (!jpeg.found)
    return picture.lacks(kTurboJpeg);
  tjhandle handle = jpeg.tjInitDecompress();
  if (!handle)
    return picture.call.fail(HONE_OUT_OF_MEMORY);
  int width = 0, height = 0, sampling = 0, colors = 0;
  int32_t status = HONE_OK;
  if (jpeg.tjDecompressHeader3(handle, image.data, image.size, &width, &height,
                               &sampling, &colors)) {
    status = picture.damaged();
  } else if (uint8_t *to = picture.start(width, height); !to) {
    status = picture.call.status;
  } else if (colors == TJCS_CMYK || colors == TJCS_YCCK) {
    int64_t pixels = int64_t(width) * height;
    Scratch<uint8_t> ink(picture.call, 4 * pixels);
    if (!ink)
      status = picture.call.status;
    else if (jpeg.tjDecompress2(handle, image.data, image.size, ink.data(),
                                width, 0, height, TJPF_CMYK, 0))
      status = picture.damaged();
    else
      inkToLight(ink.data(), to, pixels);
  } else if (jpeg.tjDecompress2(handle, image.data, image.size, to, width, 0,
                                height, TJPF_RGB, 0)) {
    status = picture.damaged();
  }
  jpeg.tjDestroy(handle);
  return status;
}

//===- PNG ----------------------------------------------------------------===//

namespace {

constexpr const char *kPng = "libpng16.so.16";

struct Png {
  HONE_FUNCTION(png_image_begin_read_from_memory);
  HONE_FUNCTION(png_image_finish_read);
  HONE_FUNCTION(png_image_free);
  bool found = false;
  Png() {
    if (void *library = open(kPng))
      found = HONE_FIND(png_image_begin_read_from_memory) &&
              HONE_FIND(png_image_finish_read) && HONE_FIND(png_image_free);
  }
};

} // namespace

int32_t hone::library::decodePng(const Encoded &image, Picture &picture) {
  Png png;
  if (!png.found)
    return picture.lacks(kPng);
  png_image info;
  memset(&info, 0, sizeof info);
  info.version = PNG_IMAGE_VERSION;
  if (!png.png_image_begin_read_from_memory(&info, image.data, image.size))
    return picture.damaged();
  int32_t status = HONE_OK;
  int64_t pixels = int64_t(info.width) * info.height;
  uint8_t *to = picture.start(info.width, info.height);
  // Transparent pixels keep their color: there is no background.
  bool hasAlpha = info.format & PNG_FORMAT_FLAG_ALPHA;
  info.format = hasAlpha ? PNG_FORMAT_RGBA : PNG_FORMAT_RGB;
  if (!to) {
    status = picture.call.status;
  } else if (!hasAlpha) {
    if (!png.png_image_finish_read(&info, nullptr, to, 0, nullptr))
      status = picture.damaged();
  } else if (Scratch<uint8_t> all(picture.call, 4 * pixels); !all) {
    status = picture.call.status;
  } else if (!png.png_image_finish_read(&info, nullptr, all.data(), 0,
                                        nullptr)) {
    status = picture.damaged();
  } else {
    for (int64_t i = 0; i < pixels; ++i)
      memcpy(to + 3 * i, all.data() + 4 * i, 3);
  }
  png.png_image_free(&info);
  return status;
}

//===- TIFF ---------------------------------------------------------------===//

namespace {

constexpr const char *kTiff = "libtiff.so.6";

struct Tiff {
  HONE_FUNCTION(TIFFOpenOptionsAlloc);
  HONE_FUNCTION(TIFFOpenOptionsFree);
  HONE_FUNCTION(TIFFOpenOptionsSetErrorHandlerExtR);
  HONE_FUNCTION(TIFFOpenOptionsSetWarningHandlerExtR);
  HONE_FUNCTION(TIFFOpenOptionsSetMaxSingleMemAlloc);
  HONE_FUNCTION(TIFFClientOpenExt);
  HONE_FUNCTION(TIFFGetField);
  HONE_FUNCTION(TIFFReadRGBAImageOriented);
  HONE_FUNCTION(TIFFClose);
  bool found = false;
  Tiff() {
    if (void *library = open(kTiff))
      found = HONE_FIND(TIFFOpenOptionsAlloc) &&
              HONE_FIND(TIFFOpenOptionsFree) &&
              HONE_FIND(TIFFOpenOptionsSetErrorHandlerExtR) &&
              HONE_FIND(TIFFOpenOptionsSetWarningHandlerExtR) &&
              HONE_FIND(TIFFOpenOptionsSetMaxSingleMemAlloc) &&
              HONE_FIND(TIFFClientOpenExt) && HONE_FIND(TIFFGetField) &&
              HONE_FIND(TIFFReadRGBAImageOriented) && HONE_FIND(TIFFClose);
  }
};

/// The bytes as a file.
struct Stream {
  const Encoded *image;
  uint64_t at;

  /// At most `count` bytes; returns how many there were.
  uint64_t read(void *to, uint64_t count) {
    uint64_t left = at < image->size ? image->size - at : 0;
    count = count < left ? count : left;
    if (count)
      memcpy(to, image->data + at, count);
    at += count;
    return count;
  }
};

tmsize_t readTiff(thandle_t stream, void *to, tmsize_t count) {
  return count < 0 ? 0
                   : tmsize_t(static_cast<Stream *>(stream)->read(
                         to, uint64_t(count)));
}
tmsize_t writeTiff(thandle_t, void *, tmsize_t) { return 0; }
toff_t seekTiff(thandle_t handle, toff_t offset, int whence) {
  auto *stream = static_cast<Stream *>(handle);
  // 0, 1 and 2: from the beginning, the current position, the end.
  stream->at = offset + (whence == 1   ? stream->at
                         : whence == 2 ? stream->image->size
                                       : 0);
  return stream->at;
}
int closeTiff(thandle_t) { return 0; }
toff_t sizeOfTiff(thandle_t stream) {
  return static_cast<Stream *>(stream)->image->size;
}
int mapTiff(thandle_t, void **, toff_t *) { return 0; }
void unmapTiff(thandle_t, void *, toff_t) {}
int silent(TIFF *, void *, const char *, const char *, va_list) { return 1; }

} // namespace

int32_t hone::library::decodeTiff(const Encoded &image, Picture &picture) {
  Tiff tiff;
  if (!tiff.found)
    return picture.lacks(kTiff);
  Stream stream{&image, 0};
  TIFFOpenOptions *options = tiff.TIFFOpenOptionsAlloc();
  if (!options)
    return picture.call.fail(HONE_OUT_OF_MEMORY);
  tiff.TIFFOpenOptionsSetErrorHandlerExtR(options, silent, nullptr);
  tiff.TIFFOpenOptionsSetWarningHandlerExtR(options, silent, nullptr);
  tiff.TIFFOpenOptionsSetMaxSingleMemAlloc(options, tmsize_t(1) << 30);
  TIFF *file = tiff.TIFFClientOpenExt("image", "rm", &stream, readTiff,
                                      writeTiff, seekTiff, closeTiff,
                                      sizeOfTiff, mapTiff, unmapTiff, options);
  tiff.TIFFOpenOptionsFree(options);
  if (!file)
    return picture.damaged();
  uint32_t width = 0, height = 0;
  int32_t status = HONE_OK;
  if (!tiff.TIFFGetField(file, TIFFTAG_IMAGEWIDTH, &width) ||
      !tiff.TIFFGetField(file, TIFFTAG_IMAGELENGTH, &height)) {
    status = picture.damaged();
  } else if (uint8_t *to = picture.start(width, height); !to) {
    status = picture.call.status;
  } else {
    int64_t pixels = int64_t(width) * height;
    Scratch<uint32_t> all(picture.call, pixels);
    if (!all)
      status = picture.call.status;
    else if (!tiff.TIFFReadRGBAImageOriented(file, width, height, all.data(),
                                             ORIENTATION_TOPLEFT,
                                             /*stopOnError=*/1))
      status = picture.damaged();
    for (int64_t i = 0; status == HONE_OK && i < pixels; ++i) {
      to[3 * i] = TIFFGetR(all[i]);
      to[3 * i + 1] = TIFFGetG(all[i]);
      to[3 * i + 2] = TIFFGetB(all[i]);
    }
  }
  tiff.TIFFClose(file);
  return status;
}

//===- WebP ---------------------------------------------------------------===//

namespace {

constexpr const char *kWebp = "libwebp.so.7";

struct Webp {
  HONE_FUNCTION(WebPGetInfo);
  HONE_FUNCTION(WebPDecodeRGBInto);
  bool found = false;
  Webp() {
    if (void *library = open(kWebp))
      found = HONE_FIND(WebPGetInfo) && HONE_FIND(WebPDecodeRGBInto);
  }
};

} // namespace

int32_t hone::library::decodeWebp(const Encoded &image, Picture &picture) {
  Webp webp;
  if (!webp.found)
    return picture.lacks(kWebp);
  int width = 0, height = 0;
  if (!webp.WebPGetInfo(image.data, image.size, &width, &height))
    return picture.damaged();
  uint8_t *to = picture.start(width, height);
  if (!to)
    return picture.call.status;
  return webp.WebPDecodeRGBInto(image.data, image.size, to,
                                3 * size_t(width) * size_t(height), 3 * width)
             ? int32_t(HONE_OK)
             : picture.damaged();
}

//===- JPEG 2000 ----------------------------------------------------------===//

namespace {

constexpr const char *kOpenJpeg = "libopenjp2.so.7";

struct OpenJpeg {
  HONE_FUNCTION(opj_create_decompress);
  HONE_FUNCTION(opj_set_default_decoder_parameters);
  HONE_FUNCTION(opj_setup_decoder);
  HONE_FUNCTION(opj_stream_default_create);
  HONE_FUNCTION(opj_stream_set_read_function);
  HONE_FUNCTION(opj_stream_set_skip_function);
  HONE_FUNCTION(opj_stream_set_seek_function);
  HONE_FUNCTION(opj_stream_set_user_data);
  HONE_FUNCTION(opj_stream_set_user_data_length);
  HONE_FUNCTION(opj_stream_destroy);
  HONE_FUNCTION(opj_read_header);
  HONE_FUNCTION(opj_decode);
  HONE_FUNCTION(opj_end_decompress);
  HONE_FUNCTION(opj_image_destroy);
  HONE_FUNCTION(opj_destroy_codec);
  bool found = false;
  OpenJpeg() {
    if (void *library = open(kOpenJpeg))
      found = HONE_FIND(opj_create_decompress) &&
              HONE_FIND(opj_set_default_decoder_parameters) &&
              HONE_FIND(opj_setup_decoder) &&
              HONE_FIND(opj_stream_default_create) &&
              HONE_FIND(opj_stream_set_read_function) &&
              HONE_FIND(opj_stream_set_skip_function) &&
              HONE_FIND(opj_stream_set_seek_function) &&
              HONE_FIND(opj_stream_set_user_data) &&
              HONE_FIND(opj_stream_set_user_data_length) &&
              HONE_FIND(opj_stream_destroy) && HONE_FIND(opj_read_header) &&
              HONE_FIND(opj_decode) && HONE_FIND(opj_end_decompress) &&
              HONE_FIND(opj_image_destroy) && HONE_FIND(opj_destroy_codec);
  }
};

OPJ_SIZE_T readJpeg2000(void *to, OPJ_SIZE_T count, void *stream) {
  uint64_t read = static_cast<Stream *>(stream)->read(to, count);
  return read ? read : OPJ_SIZE_T(-1);
}
OPJ_OFF_T skipJpeg2000(OPJ_OFF_T count, void *handle) {
  auto *stream = static_cast<Stream *>(handle);
  uint64_t left =
      stream->at < stream->image->size ? stream->image->size - stream->at : 0;
  if (count < 0 || uint64_t(count) > left)
    return -1;
  stream->at += uint64_t(count);
  return count;
}
OPJ_BOOL seekJpeg2000(OPJ_OFF_T offset, void *handle) {
  auto *stream = static_cast<Stream *>(handle);
  if (offset < 0 || uint64_t(offset) > stream->image->size)
    return OPJ_FALSE;
  stream->at = uint64_t(offset);
  return OPJ_TRUE;
}

/// A sample as a byte.
uint8_t sampleOf(const opj_image_comp_t &component, size_t i) {
  int64_t value = component.data[i];
  if (component.sgnd)
    value += int64_t(1) << (component.prec - 1);
  value = component.prec > 8 ? value >> (component.prec - 8)
          : component.prec < 8
              ? value * 255 / ((int64_t(1) << component.prec) - 1)
              : value;
  return uint8_t(value < 0 ? 0 : value > 255 ? 255 : value);
}

/// Components of one size and at most 16 bits: gray, or red, green and blue,
/// possibly with others.
int32_t takeComponents(const opj_image_t &decoded, Picture &picture) {
  uint32_t count = decoded.numcomps >= 3 ? 3 : 1;
  if (decoded.numcomps < 1)
    return picture.damaged();
  const opj_image_comp_t &first = decoded.comps[0];
  for (uint32_t c = 0; c < count; ++c) {
    const opj_image_comp_t &component = decoded.comps[c];
    if (!component.data || component.w != first.w || component.h != first.h ||
        component.prec < 1 || component.prec > 16)
      return picture.damaged();
  }
  uint8_t *to = picture.start(first.w, first.h);
  if (!to)
    return picture.call.status;
  size_t pixels = size_t(first.w) * first.h;
  // sYCC is luma and two differences.
  bool isYcc = count == 3 && decoded.color_space == OPJ_CLRSPC_SYCC;
  for (size_t i = 0; i < pixels; ++i, to += 3) {
    for (uint32_t c = 0; c < 3; ++c)
      to[c] = sampleOf(decoded.comps[c < count ? c : 0], i);
    if (!isYcc)
      continue;
    double y = to[0], blue = to[1] - 128.0, red = to[2] - 128.0;
    double light[] = {y + 1.402 * red, y - 0.344136 * blue - 0.714136 * red,
                      y + 1.772 * blue};
    for (int c = 0; c < 3; ++c)
      to[c] = uint8_t(light[c] < 0 ? 0 : light[c] > 255 ? 255 : light[c] + 0.5);
  }
  return HONE_OK;
}

} // namespace

int32_t hone::library::decodeJpeg2000(const Encoded &image, Picture &picture) {
  OpenJpeg jpeg;
  if (!jpeg.found)
    return picture.lacks(kOpenJpeg);
  Stream bytes{&image, 0};
  opj_stream_t *stream = jpeg.opj_stream_default_create(OPJ_TRUE);
  // A raw code stream begins with a marker, not with a box.
  opj_codec_t *codec = jpeg.opj_create_decompress(
      image.data[0] == 0xff ? OPJ_CODEC_J2K : OPJ_CODEC_JP2);
  opj_image_t *decoded = nullptr;
  int32_t status = HONE_OK;
  if (!stream || !codec) {
    status = picture.call.fail(HONE_OUT_OF_MEMORY);
  } else {
    jpeg.opj_stream_set_read_function(stream, readJpeg2000);
    jpeg.opj_stream_set_skip_function(stream, skipJpeg2000);
    jpeg.opj_stream_set_seek_function(stream, seekJpeg2000);
    jpeg.opj_stream_set_user_data(stream, &bytes, nullptr);
    jpeg.opj_stream_set_user_data_length(stream, image.size);
    opj_dparameters_t parameters;
    jpeg.opj_set_default_decoder_parameters(&parameters);
    constexpr uint32_t mostSide = 1u << 20;
    bool readable =
        jpeg.opj_setup_decoder(codec, &parameters) &&
        jpeg.opj_read_header(stream, codec, &decoded) && decoded &&
        decoded->x1 - decoded->x0 <= mostSide &&
        decoded->y1 - decoded->y0 <= mostSide &&
        uint64_t(decoded->x1 - decoded->x0) * (decoded->y1 - decoded->y0) <=
            uint64_t(1) << 28 &&
        jpeg.opj_decode(codec, stream, decoded) &&
        jpeg.opj_end_decompress(codec, stream);
    status = readable ? takeComponents(*decoded, picture) : picture.damaged();
  }
  if (decoded)
    jpeg.opj_image_destroy(decoded);
  if (codec)
    jpeg.opj_destroy_codec(codec);
  if (stream)
    jpeg.opj_stream_destroy(stream);
  return status;
}
