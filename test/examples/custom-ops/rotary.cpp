// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RotaryPairs of the domain com.example: turns neighboring elements of the last
// dimension by angles that grow with the position, the dimension before it.
// Written in C++ without its library, which models do not contain.
#include <cmath>
#include <hone/custom.h>

namespace {

int32_t shape(hone_custom_call *call) {
  if (call->input_count != 1 || call->output_count != 1 ||
      call->inputs[0].rank < 2 || call->inputs[0].type != HONE_TYPE_FLOAT)
    return hone_custom_fail(call, "it has one input of float, [..., position, "
                                  "pairs of elements]");
  hone_custom_same_shape(call, 0, 0);
  return 0;
}

int32_t run(hone_custom_call *call) {
  const hone_tensor &x = call->inputs[0];
  int64_t width = x.dims[x.rank - 1], positions = x.dims[x.rank - 2];
  if (width % 2)
    return hone_custom_fail(call, "the last dimension is odd");
  int64_t rows = positions;
  for (int32_t i = 0; i + 2 < x.rank; ++i)
    rows *= x.dims[i];
  float base = hone_custom_float(call, "base", 10000);
  auto *from = static_cast<const float *>(x.data);
  auto *to = static_cast<float *>(call->outputs[0].data);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t i = 0; i < width; i += 2) {
      float angle =
          float(row % positions) * std::pow(base, -float(i) / float(width));
      float sine = std::sin(angle), cosine = std::cos(angle);
      const float *pair = from + row * width + i;
      to[row * width + i] = pair[0] * cosine - pair[1] * sine;
      to[row * width + i + 1] = pair[0] * sine + pair[1] * cosine;
    }
  return 0;
}

const hone_custom_operator all[] = {
    {"com.example", "RotaryPairs", 1, shape, run},
};

} // namespace

const hone_custom_table hone_custom_operators = {HONE_CUSTOM_VERSION,
                                                 sizeof all / sizeof *all, all};
