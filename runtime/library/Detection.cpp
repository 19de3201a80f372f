// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Non-maximum suppression.
#include "runtime/library/Numbers.h"
#include "runtime/library/Sort.h"

using namespace hone;
using namespace hone::library;

namespace {

struct Box {
  float top, left, bottom, right;

  Box(const float *from, bool centered) {
    if (centered) { // x, y, width, height
      left = from[0] - from[2] / 2;
      right = from[0] + from[2] / 2;
      top = from[1] - from[3] / 2;
      bottom = from[1] + from[3] / 2;
    } else { // two corners, y before x
      top = from[0] < from[2] ? from[0] : from[2];
      bottom = from[0] < from[2] ? from[2] : from[0];
      left = from[1] < from[3] ? from[1] : from[3];
      right = from[1] < from[3] ? from[3] : from[1];
    }
  }

  float area() const { return (bottom - top) * (right - left); }

  bool overlaps(const Box &other, float threshold) const {
    float height = (bottom < other.bottom ? bottom : other.bottom) -
                   (top > other.top ? top : other.top);
    float width = (right < other.right ? right : other.right) -
                  (left > other.left ? left : other.left);
    if (!(height > 0 && width > 0))
      return false;
    float common = height * width;
    float all = area() + other.area() - common;
    return all > 0 && common / all > threshold;
  }
};

struct Picked {
  int64_t batch, category, box;
};

/// The value of an optional operand with one f32 element.
bool readThreshold(Call &call, int32_t index, float &threshold) {
  double number;
  if (!call.has(index))
    return true;
  if (!call.floating(index, number))
    return false;
  threshold = float(number);
  return true;
}

} // namespace

HONE_LIBRARY(non_max_suppression) {
  bool centered = call.option(0);
  Tensor boxes = call.tensorOfType(0, HONE_TYPE_FLOAT);
  Tensor scores = call.tensorOfType(1, HONE_TYPE_FLOAT);
  if (!boxes || !scores)
    return call.status;
  if (boxes.rank != 3 || scores.rank != 3)
    return call.misuse(boxes.rank);
  int64_t batches = boxes.dims[0], count = boxes.dims[1],
          categories = scores.dims[1];
  if (boxes.dims[2] != 4)
    return call.fail(HONE_SHAPE_MISMATCH, boxes.dims[2], 4);
  if (scores.dims[0] != batches)
    return call.fail(HONE_SHAPE_MISMATCH, scores.dims[0], batches);
  if (scores.dims[2] != count)
    return call.fail(HONE_SHAPE_MISMATCH, scores.dims[2], count);
  int64_t most = 0;
  float overlap = 0, least = -__builtin_inff();
  if (call.has(2) && !call.integer(2, most))
    return call.status;
  if (!readThreshold(call, 3, overlap) || !readThreshold(call, 4, least))
    return call.status;
  bool limited = call.has(4);

  Scratch<int64_t> order(call, count), room(call, count);
  Growing<Picked> picked(call);
  if (!order || !room)
    return call.status;
  // Without boxes there may be any number of batches and categories.
  for (int64_t batch = 0; count > 0 && batch < batches; ++batch)
    for (int64_t category = 0; category < categories; ++category) {
      const float *score =
          scores.as<float>() + (batch * categories + category) * count;
      const float *box = boxes.as<float>() + batch * count * 4;
      int64_t candidates = 0;
      for (int64_t i = 0; i < count; ++i)
        if (limited ? score[i] > least : score[i] == score[i])
          order[candidates++] = i;
      mergeSort(order.data(), room.data(), candidates,
                [&](int64_t a, int64_t b) { return score[a] > score[b]; });
      int64_t begin = picked.size();
      for (int64_t i = 0; i < candidates && picked.size() - begin < most; ++i) {
        Box candidate(box + 4 * order[i], centered);
        bool keep = true;
        for (int64_t j = begin; keep && j < picked.size(); ++j)
          keep = !candidate.overlaps(Box(box + 4 * picked[j].box, centered),
                                     overlap);
        if (keep && !picked.push({batch, category, order[i]}))
          return call.status;
      }
    }
  int64_t dims[2] = {picked.size(), 3};
  Tensor result = call.make(0, HONE_TYPE_INT64, 2, dims);
  if (!result)
    return call.status;
  if (result.count > 0)
    memcpy(result.data, picked.data(), size_t(result.count * 8));
  return HONE_OK;
}
