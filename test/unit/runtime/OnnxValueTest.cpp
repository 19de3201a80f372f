// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Values of ONNX's .pb files, whole and damaged.
#include "tools/hone-run/OnnxValue.h"
#include "test/unit/runtime/MemoryFile.h"
#include "tools/hone-run/Files.h"

#include <functional>
#include <gtest/gtest.h>
#include <protozero/pbf_writer.hpp>

using namespace hone::run;
using protozero::pbf_writer;

namespace {

std::string bytesOf(const hone_tensor &tensor, size_t size) {
  return std::string(static_cast<const char *>(tensor.data), size);
}

struct OnnxValue : testing::Test {
  MemoryFile file;
  std::string path = file.path();
  ValueStore store;
  hone_value_info info = {};

  OnnxValue() {
    info.kind = HONE_KIND_TENSOR;
    info.type = HONE_TYPE_FLOAT;
    info.rank = -1;
  }
  hone_value read(const std::string &bytes) {
    file.overwrite(bytes);
    return readOnnxValue(path, info, store);
  }
  std::string failure(const std::string &bytes) {
    try {
      read(bytes);
    } catch (const Failure &failure) {
      EXPECT_EQ(failure.code, 1);
      return failure.message.substr(path.size() + 2);
    }
    return "";
  }
};

/// A TensorProto whose data the caller adds.
std::string tensor(int32_t type, std::vector<int64_t> dims,
                   const std::function<void(pbf_writer &)> &addData) {
  std::string bytes;
  pbf_writer writer(bytes);
  writer.add_packed_int64(1, dims.begin(), dims.end());
  writer.add_int32(2, type);
  addData(writer);
  return bytes;
}

std::string rawFloats(std::vector<int64_t> dims, std::vector<float> values) {
  return tensor(HONE_TYPE_FLOAT, dims, [&](pbf_writer &writer) {
    writer.add_bytes(9, reinterpret_cast<const char *>(values.data()),
                     values.size() * sizeof(float));
  });
}

/// A SequenceProto or OptionalProto of messages in a field.
std::string holding(uint32_t field, const std::vector<std::string> &messages) {
  std::string bytes;
  pbf_writer writer(bytes);
  writer.add_int32(2, 1);
  for (const std::string &message : messages)
    writer.add_message(field, message);
  return bytes;
}

TEST_F(OnnxValue, EveryFieldOfData) {
  const float values[] = {1, 2, 3};
  const std::string floats(reinterpret_cast<const char *>(values), 12);
  hone_value value = read(rawFloats({3}, {1, 2, 3}));
  EXPECT_EQ(describe(value.as.tensor), "float[3]");
  EXPECT_EQ(bytesOf(value.as.tensor, 12), floats);
  value = read(tensor(HONE_TYPE_FLOAT, {1, 3}, [&](pbf_writer &writer) {
    writer.add_packed_float(4, values, values + 3);
  }));
  EXPECT_EQ(describe(value.as.tensor), "float[1,3]");
  EXPECT_EQ(bytesOf(value.as.tensor, 12), floats);
  value = read(tensor(HONE_TYPE_FLOAT, {3}, [&](pbf_writer &writer) {
    for (float single : values)
      writer.add_float(4, single);
  }));
  EXPECT_EQ(bytesOf(value.as.tensor, 12), floats);

  info.type = HONE_TYPE_INT8;
  const int32_t codes[] = {-1, 2};
  value = read(tensor(HONE_TYPE_INT8, {2}, [&](pbf_writer &writer) {
    writer.add_packed_int32(5, codes, codes + 2);
  }));
  EXPECT_EQ(bytesOf(value.as.tensor, 2), "\xff\x02");

  // Two elements of 4 bits in a number
  info.type = HONE_TYPE_UINT4;
  value = read(tensor(HONE_TYPE_UINT4, {3}, [&](pbf_writer &writer) {
    writer.add_int32(5, 0x21);
    writer.add_int32(5, 0x03);
  }));
  EXPECT_EQ(bytesOf(value.as.tensor, 2), "\x21\x03");

  info.type = HONE_TYPE_UINT64;
  value = read(tensor(HONE_TYPE_UINT64, {}, [&](pbf_writer &writer) {
    writer.add_uint64(11, UINT64_MAX);
  }));
  EXPECT_EQ(bytesOf(value.as.tensor, 8), std::string(8, '\xff'));

  info.type = HONE_TYPE_STRING;
  value = read(tensor(HONE_TYPE_STRING, {2}, [&](pbf_writer &writer) {
    writer.add_string(6, "a");
    writer.add_string(6, "");
  }));
  auto *strings = static_cast<const hone_string *>(value.as.tensor.data);
  EXPECT_EQ(std::string(strings[0].data, strings[0].size), "a");
  EXPECT_EQ(strings[1].size, 0u);
}

TEST_F(OnnxValue, SequencesAndOptionals) {
  info.kind = HONE_KIND_SEQUENCE;
  hone_value value =
      read(holding(3, {rawFloats({1}, {5}), rawFloats({}, {6})}));
  ASSERT_EQ(value.kind, HONE_KIND_SEQUENCE);
  ASSERT_EQ(value.as.sequence->count, 2);
  EXPECT_EQ(describe(value.as.sequence->elements[1].as.tensor), "float[]");
  EXPECT_EQ(read("").as.sequence->count, 0);

  info.kind = HONE_KIND_OPTIONAL;
  info.element_kind = HONE_KIND_TENSOR;
  EXPECT_EQ(read(holding(3, {rawFloats({1}, {5})})).kind, HONE_KIND_TENSOR);
  EXPECT_EQ(read(holding(3, {})).kind, HONE_KIND_NONE);
  info.element_kind = HONE_KIND_SEQUENCE;
  EXPECT_EQ(read(holding(5, {holding(3, {rawFloats({1}, {5})})})).kind,
            HONE_KIND_SEQUENCE);
}

TEST_F(OnnxValue, Mistakes) {
  EXPECT_EQ(failure(""), "the model has float, the file holds no tensor");
  EXPECT_EQ(failure("text"), "not an ONNX value, or truncated: "
                             "unknown pbf field type exception");
  EXPECT_EQ(failure(rawFloats({4}, {1, 2, 3})),
            "it has 12 bytes of data where float[4] has 16");
  EXPECT_EQ(failure(rawFloats({-1}, {})),
            "its dimensions are negative or too large");
  EXPECT_EQ(failure(rawFloats({INT64_MAX, INT64_MAX}, {})),
            "its dimensions are negative or too large");
  EXPECT_EQ(failure(rawFloats(std::vector<int64_t>(17, 1), {1})),
            "it has more than 16 dimensions");
  EXPECT_EQ(
      failure(tensor(HONE_TYPE_FLOAT, {2},
                     [](pbf_writer &writer) { writer.add_int32(14, 1); })),
      "its data is in another file, which is not read");
  info.type = HONE_TYPE_STRING;
  EXPECT_EQ(failure(rawFloats({1}, {1})),
            "the model has string, the file holds float");
  EXPECT_EQ(failure(tensor(HONE_TYPE_STRING, {1 << 30}, [](pbf_writer &) {})),
            "it has 0 strings where string[1073741824] has 1073741824");
  info.type = HONE_TYPE_COMPLEX128;
  EXPECT_EQ(failure(tensor(HONE_TYPE_COMPLEX128, {1},
                           [](pbf_writer &writer) { writer.add_int32(5, 1); })),
            "its complex numbers are stored as integers");
  info.type = HONE_TYPE_FLOAT;
  info.kind = HONE_KIND_OPTIONAL;
  info.element_kind = HONE_KIND_TENSOR;
  EXPECT_EQ(failure(holding(3, {rawFloats({}, {1}), rawFloats({}, {1})})),
            "an optional has one element");
  EXPECT_EQ(failure(holding(5, {""})), "its elements are not what the model "
                                       "has");
  info.kind = HONE_KIND_MAP;
  EXPECT_EQ(failure(""), "maps are not read from .pb files");
  try {
    readOnnxValue("/dev/zero", info, store);
    FAIL();
  } catch (const Failure &failure) {
    EXPECT_EQ(failure.message, "/dev/zero: not a regular file");
  }
}

TEST_F(OnnxValue, TruncatedAndChangedFiles) {
  info.kind = HONE_KIND_SEQUENCE;
  std::string whole =
      holding(3, {rawFloats({2, 2}, {1, 2, 3, 4}),
                  tensor(HONE_TYPE_FLOAT, {2}, [](pbf_writer &writer) {
                    writer.add_float(4, 1);
                    writer.add_float(4, 2);
                  })});
  EXPECT_EQ(failure(whole), "");
  for (size_t size = 0; size < whole.size(); ++size)
    failure(whole.substr(0, size));
  for (size_t i = 0; i < whole.size(); ++i)
    for (int change = 1; change < 256; ++change) {
      std::string changed = whole;
      changed[i] = char(changed[i] ^ change);
      failure(changed);
    }
}

} // namespace
