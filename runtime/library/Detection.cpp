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
};

/// Some of the boxes that were picked, side by side: they are compared with a
/// candidate at once. Boxes that are missing are empty.
class PickedBoxes {
public:
  static constexpr int64_t kSize = 8;

  PickedBoxes() {
    for (int i = 0; i < kSize; ++i) {
      top[i] = left[i] = __builtin_inff();
      bottom[i] = right[i] = -__builtin_inff();
      area[i] = 0;
    }
  }

  void set(int64_t i, const Box &box) {
    top[i] = box.top;
    left[i] = box.left;
    bottom[i] = box.bottom;
    right[i] = box.right;
    area[i] = box.area();
  }

  /// Whether one of them overlaps the box by more than the threshold.
  bool overlap(const Box &box, float boxArea, float threshold) const {
    int any = 0;
    for (int i = 0; i < kSize; ++i) {
      float height = (box.bottom < bottom[i] ? box.bottom : bottom[i]) -
                     (box.top > top[i] ? box.top : top[i]);
      float width = (box.right < right[i] ? box.right : right[i]) -
                    (box.left > left[i] ? box.left : left[i]);
      float common = height * width;
      float all = boxArea + area[i] - common;
      any |=
          (height > 0) & (width > 0) & (all > 0) & (common / all > threshold);
    }
    return any != 0;
  }

private:
  float top[kSize], left[kSize], bottom[kSize], right[kSize], area[kSize];
};

/// Orders candidates by falling scores, those of equal ones by their number.
uint64_t orderOf(float score, uint32_t number) {
  score += 0.0f; // -0 is 0
  uint32_t bits;
  memcpy(&bits, &score, sizeof bits);
  bits ^= bits >> 31 ? 0 : ~(uint32_t(1) << 31);
  return uint64_t(bits) << 32 | number;
}

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

  if (count > UINT32_MAX)
    return call.fail(HONE_SHAPE_MISMATCH, count, UINT32_MAX);

  Scratch<uint64_t> queue(call, count);
  Growing<Picked> picked(call);
  Growing<PickedBoxes> pickedBoxes(call);
  if (!queue)
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
          queue[candidates++] = orderOf(score[i], uint32_t(i));
      makeHeap(queue.data(), candidates);
      int64_t found = 0;
      pickedBoxes.clear();
      while (candidates > 0 && found < most) {
        int64_t i = uint32_t(takeLeast(queue.data(), candidates));
        Box candidate(box + 4 * i, centered);
        float area = candidate.area();
        bool keep = true;
        for (int64_t j = 0; keep && j < pickedBoxes.size(); ++j)
          keep = !pickedBoxes[j].overlap(candidate, area, overlap);
        if (!keep)
          continue;
        if (found % PickedBoxes::kSize == 0 && !pickedBoxes.push({}))
          return call.status;
        pickedBoxes.back().set(found++ % PickedBoxes::kSize, candidate);
        if (!picked.push({batch, category, i}))
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
