// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A call of the tiny model with all its values in one place.
#ifndef HONE_TEST_UNIT_RUNTIME_TINYCALL_H
#define HONE_TEST_UNIT_RUNTIME_TINYCALL_H

#include "test/unit/runtime/TinyModel.h"

#include <string>
#include <vector>

inline hone_value tensorValue(void *data, int32_t type,
                              const std::vector<int64_t> &dims) {
  hone_value value = {};
  value.kind = HONE_KIND_TENSOR;
  value.as.tensor = {data, dims.data(), int32_t(dims.size()), type};
  return value;
}

/// x counts -2, -1, 0, 1, ...; index picks 1 and 0; the table is empty.
struct TinyCall {
  explicit TinyCall(int64_t rows = 2)
      : x(4 * rows), xDims{rows, 4}, index{1, 0}, indexDims{2} {
    for (size_t i = 0; i < x.size(); ++i)
      x[i] = float(i) - 2;
    inputs[tiny::X] = tensorValue(x.data(), HONE_TYPE_FLOAT, xDims);
    inputs[tiny::Index] = tensorValue(index.data(), HONE_TYPE_INT64, indexDims);
    inputs[tiny::Table].kind = HONE_KIND_SEQUENCE;
    inputs[tiny::Table].as.sequence = &table;
  }
  TinyCall(const TinyCall &) = delete;

  int32_t run(hone_session *session) {
    for (hone_value &output : outputs)
      output = {};
    return runInto(session);
  }
  /// Leaves the outputs as the test set them.
  int32_t runInto(hone_session *session) {
    return hone_rt_api.run(session, inputs, tiny::InputCount, outputs,
                           tiny::OutputCount);
  }
  const float *twice() const {
    return static_cast<const float *>(outputs[tiny::Twice].as.tensor.data);
  }

  std::vector<float> x;
  std::vector<int64_t> xDims, index, indexDims;
  hone_sequence table = {};
  hone_value inputs[tiny::InputCount] = {};
  hone_value outputs[tiny::OutputCount] = {};
};

/// A session that ends with the test.
struct TinySession {
  explicit TinySession(hone_session_options options = {},
                       const hone_descriptor *model = hone_tiny_model()) {
    options.size = sizeof(options);
    if (!options.pool && !options.threads)
      options.threads = 1;
    status =
        hone_rt_api.session_create(model, &options, &session, why, sizeof(why));
  }
  ~TinySession() { hone_rt_api.session_destroy(session); }
  TinySession(const TinySession &) = delete;
  std::string message() const { return hone_rt_api.message(session); }
  hone_session_stats stats() const {
    hone_session_stats stats;
    hone_rt_api.stats(session, &stats);
    return stats;
  }

  hone_session *session = nullptr;
  int32_t status = HONE_OK;
  char why[512] = "";
};

#endif // HONE_TEST_UNIT_RUNTIME_TINYCALL_H
