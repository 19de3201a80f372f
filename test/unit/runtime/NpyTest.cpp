// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Every element type to a .npy file and back.
#include "tools/hone-run/Npy.h"
#include "hone/runtime.h"

#include <cstdio>
#include <cstring>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>
#include <unistd.h>

using namespace hone::run;

namespace {

struct Npy : testing::Test {
  std::string path =
      testing::TempDir() + "hone-npy-test-" + std::to_string(getpid()) + ".npy";
  ~Npy() override { remove(path.c_str()); }

  std::string content() {
    std::ifstream file(path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  void write(int32_t type, const std::vector<int64_t> &dims, const void *data) {
    writeNpy(path, {const_cast<void *>(data), dims.data(), int32_t(dims.size()),
                    type});
  }
  /// A file with this header and data.
  void writeRaw(std::string header, const std::string &data) {
    std::ofstream file(path, std::ios::binary);
    header += '\n';
    file << std::string("\x93NUMPY\x01\x00", 8) << char(header.size())
         << char(header.size() >> 8) << header << data;
  }
  std::string failure(int32_t type) {
    try {
      readNpy(path, type);
    } catch (const Failure &failure) {
      EXPECT_EQ(failure.code, 1);
      return failure.message.substr(path.size() + 2);
    }
    return "";
  }
};

TEST_F(Npy, EveryTypeOfWholeBytesComesBack) {
  const struct {
    int32_t type;
    const char *descr;
  } types[] = {
      {HONE_TYPE_FLOAT, "<f4"},          {HONE_TYPE_DOUBLE, "<f8"},
      {HONE_TYPE_FLOAT16, "<f2"},        {HONE_TYPE_BFLOAT16, "<u2"},
      {HONE_TYPE_INT8, "|i1"},           {HONE_TYPE_INT16, "<i2"},
      {HONE_TYPE_INT32, "<i4"},          {HONE_TYPE_INT64, "<i8"},
      {HONE_TYPE_UINT8, "|u1"},          {HONE_TYPE_UINT16, "<u2"},
      {HONE_TYPE_UINT32, "<u4"},         {HONE_TYPE_UINT64, "<u8"},
      {HONE_TYPE_BOOL, "|b1"},           {HONE_TYPE_COMPLEX64, "<c8"},
      {HONE_TYPE_COMPLEX128, "<c16"},    {HONE_TYPE_FLOAT8E4M3FN, "|u1"},
      {HONE_TYPE_FLOAT8E4M3FNUZ, "|u1"}, {HONE_TYPE_FLOAT8E5M2, "|u1"},
      {HONE_TYPE_FLOAT8E5M2FNUZ, "|u1"}, {HONE_TYPE_FLOAT8E8M0, "|u1"},
  };
  std::vector<char> data(6 * 16);
  for (size_t i = 0; i < data.size(); ++i)
    data[i] = char(37 * i);
  for (auto &[type, descr] : types) {
    write(type, {2, 3}, data.data());
    EXPECT_NE(content().find(std::string("'descr': '") + descr + "'"),
              std::string::npos)
        << descr;
    EXPECT_EQ((content().size() - 6 * hone_type_bits(type) / 8) % 64, 0u);
    Array array = readNpy(path, type);
    EXPECT_EQ(array.dims, std::vector<int64_t>({2, 3})) << descr;
    ASSERT_EQ(int32_t(array.data.size()), 6 * hone_type_bits(type) / 8);
    EXPECT_EQ(memcmp(array.data.data(), data.data(), array.data.size()), 0);
  }
}

TEST_F(Npy, PackedTypesTakeAByteEach) {
  const uint8_t packed[] = {0x21, 0x43, 0x05}; // 1 2 3 4 5
  for (int32_t type : {HONE_TYPE_UINT4, HONE_TYPE_INT4, HONE_TYPE_FLOAT4E2M1}) {
    write(type, {5}, packed);
    EXPECT_EQ(content().substr(content().size() - 5), "\1\2\3\4\5");
    Array array = readNpy(path, type);
    ASSERT_EQ(array.data.size(), 3u);
    EXPECT_EQ(memcmp(array.data.data(), packed, 3), 0);
  }
  const uint8_t quarters[] = {0b11100100, 0b01}; // 0 1 2 3 1
  write(HONE_TYPE_UINT2, {5}, quarters);
  EXPECT_EQ(content().substr(content().size() - 5),
            std::string("\0\1\2\3\1", 5));
  EXPECT_EQ(memcmp(readNpy(path, HONE_TYPE_UINT2).data.data(), quarters, 2), 0);
}

std::vector<std::string> stringsOf(const Array &array) {
  std::vector<std::string> result;
  auto *strings = reinterpret_cast<const hone_string *>(array.data.data());
  for (size_t i = 0; i < array.data.size() / sizeof(hone_string); ++i)
    result.emplace_back(strings[i].data, strings[i].size);
  return result;
}

TEST_F(Npy, Strings) {
  using Strings = std::vector<std::string>;
  for (const Strings &texts :
       {Strings{"a", "", "h\xc3\xa9llo \xe2\x82\xac \xf0\x9f\x98\x80"},
        Strings{"not \xff text", "b"}, Strings{"", ""}, Strings{}}) {
    std::vector<hone_string> views;
    for (const std::string &text : texts)
      views.push_back({text.data(), text.size()});
    write(HONE_TYPE_STRING, {int64_t(views.size())}, views.data());
    EXPECT_EQ(stringsOf(readNpy(path, HONE_TYPE_STRING)), texts);
  }
  // NumPy's bytes
  writeRaw("{'descr': '|S3', 'fortran_order': False, 'shape': (2,)}",
           std::string("ab\0xyz", 6));
  EXPECT_EQ(stringsOf(readNpy(path, HONE_TYPE_STRING)), Strings({"ab", "xyz"}));
}

TEST_F(Npy, ScalarsAndEmptyTensors) {
  float value = 3;
  write(HONE_TYPE_FLOAT, {}, &value);
  EXPECT_NE(content().find("'shape': ()"), std::string::npos);
  EXPECT_TRUE(readNpy(path, HONE_TYPE_FLOAT).dims.empty());
  write(HONE_TYPE_FLOAT, {0, 4}, nullptr);
  Array array = readNpy(path, HONE_TYPE_FLOAT);
  EXPECT_EQ(array.dims, std::vector<int64_t>({0, 4}));
  EXPECT_NE(array.value().as.tensor.data, nullptr);
  write(HONE_TYPE_FLOAT, {1}, &value);
  EXPECT_NE(content().find("'shape': (1,)"), std::string::npos);
}

TEST_F(Npy, KeysInAnyOrderAndOpaqueElements) {
  writeRaw("{\"shape\":(2,),\"fortran_order\":False,\"descr\":\"<V2\"}",
           "\1\2\3\4");
  Array array = readNpy(path, HONE_TYPE_BFLOAT16);
  EXPECT_EQ(std::string(array.data.data(), 4), "\1\2\3\4");
}

TEST_F(Npy, ColumnMajorAndBigEndian) {
  // [[0 1 2] [3 4 5]] by columns, 16 bits each, high byte first
  writeRaw("{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3)}",
           std::string("\0\0\0\3\0\1\0\4\0\2\0\5", 12));
  Array array = readNpy(path, HONE_TYPE_INT16);
  const int16_t expected[] = {0, 1, 2, 3, 4, 5};
  EXPECT_EQ(memcmp(array.data.data(), expected, 12), 0);
}

TEST_F(Npy, DamagedHeaders) {
  const std::string start = "{'descr': '<f4', 'fortran_order': False, ";
  for (const std::string &header :
       {std::string(""), std::string("{"), start, start + "}",
        start + "'shape': (2", start + "'shape': (2 2)}",
        start + "'shape': (-1,)}", start + "'shape': (99999999999999999999,)}",
        start + "'other': 1}",
        std::string("{'descr': [('a', '<f4')], 'fortran_order': False, "
                    "'shape': (1,)}"),
        std::string("{'descr': '<f', 'fortran_order': False, 'shape': (1,)}"),
        std::string("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}"),
        std::string("{'descr': '<f4', 'fortran_order': 1, 'shape': (1,)}")}) {
    writeRaw(header, "1234");
    EXPECT_EQ(failure(HONE_TYPE_FLOAT).substr(0, 11), "not a plain") << header;
  }
  writeRaw(start + "'shape': (4611686018427387904, 4)}", "1234");
  EXPECT_EQ(failure(HONE_TYPE_FLOAT), "the shape is too large");
  writeRaw(start + "'shape': (1000000000,)}", "1234");
  EXPECT_EQ(failure(HONE_TYPE_FLOAT),
            "the file is shorter than its shape says");
}

TEST_F(Npy, FailedWritesLeaveNothing) {
  float value = 0;
  int64_t dim = 1;
  hone_tensor tensor = {&value, &dim, 1, HONE_TYPE_FLOAT};
  try {
    writeNpy(testing::TempDir() + "no-such-folder/x.npy", tensor);
    FAIL();
  } catch (const Failure &failure) {
    EXPECT_EQ(failure.code, 74);
  }
}

} // namespace
