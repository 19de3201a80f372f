// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Arrays of .npz files, whole and damaged.
#include "tools/hone-run/Npz.h"
#include "test/unit/runtime/MemoryFile.h"

#include <gtest/gtest.h>
#include <minizip/zip.h>

using namespace hone::run;

namespace {

std::string npy(const std::string &shape, const std::string &data) {
  std::string header =
      "{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + "}\n";
  return std::string("\x93NUMPY\x01\x00", 8) + char(header.size()) +
         std::string(1, '\0') + header + data;
}

constexpr size_t kEndRecord = 22;

std::string floats(size_t count) {
  std::string data;
  for (size_t i = 0; i < count; ++i) {
    float value = float(i);
    data.append(reinterpret_cast<const char *>(&value), sizeof(value));
  }
  return data;
}

struct NpzFile : testing::Test {
  MemoryFile file;
  std::string path = file.path();

  /// Deflates at a level, or stores at 0.
  void write(const std::vector<std::pair<std::string, std::string>> &entries,
             int level) {
    file.overwrite("");
    zipFile archive = zipOpen64(path.c_str(), APPEND_STATUS_CREATE);
    for (const auto &[name, data] : entries) {
      zip_fileinfo info = {};
      zipOpenNewFileInZip64(archive, name.c_str(), &info, nullptr, 0, nullptr,
                            0, nullptr, level ? Z_DEFLATED : 0, level,
                            /*zip64=*/1);
      zipWriteInFileInZip(archive, data.data(), unsigned(data.size()));
      zipCloseFileInZip(archive);
    }
    zipClose(archive, nullptr);
  }
  /// Reads every array; returns the message of a failure.
  std::string failure() {
    try {
      Npz npz(path);
      for (const std::string &name : npz.names())
        EXPECT_LE(npz.read(name, HONE_TYPE_FLOAT).data.size(), 4096u);
    } catch (const Failure &failure) {
      EXPECT_EQ(failure.code, 1);
      EXPECT_EQ(failure.message.find(path), 0u);
      return failure.message.substr(path.size() + 2);
    }
    return "";
  }
};

TEST_F(NpzFile, StoredAndDeflatedArrays) {
  for (int level : {0, 9}) {
    write({{"x.npy", npy("(2, 3)", floats(6))},
           {"folder/y.npy", npy("(0,)", "")},
           {"notes.txt", "no array"}},
          level);
    Npz npz(path);
    EXPECT_EQ(npz.names(), (std::vector<std::string>{"x", "folder/y"}));
    Array x = npz.read("x", HONE_TYPE_FLOAT);
    EXPECT_EQ(x.dims, (std::vector<int64_t>{2, 3}));
    EXPECT_EQ(std::string(x.data.begin(), x.data.end()), floats(6));
    EXPECT_EQ(npz.read("folder/y", HONE_TYPE_FLOAT).data.size(), 0u);
    EXPECT_EQ(npz.read("x", HONE_TYPE_FLOAT).data.size(), 24u);
  }
}

TEST_F(NpzFile, Mistakes) {
  file.overwrite("PK\3\4 and nothing else");
  EXPECT_EQ(failure(),
            "not a .npz file, or truncated: its directory cannot be read");
  write({{"x.npy", npy("(1,)", floats(1))}, {"x.npy", npy("(1,)", floats(1))}},
        0);
  EXPECT_EQ(failure(), "it holds 'x' twice");
  write({{"x.npy", "text"}}, 0);
  EXPECT_EQ(failure(), "'x': not a .npy file");
  // The entry, not the shape, bounds what is allocated.
  for (int level : {0, 9}) {
    write({{"x.npy", npy("(1000000000000,)", floats(4))}}, level);
    EXPECT_EQ(failure(), "'x': the file is shorter than its shape says");
    write({{"x.npy", npy("(3,)", floats(4))}}, level);
    EXPECT_EQ(failure(), "'x': there is more data than its shape says");
  }
  write({{"x.npy", npy("(4,)", floats(4))}}, 0);
  std::string bytes = file.content();
  bytes[bytes.find(floats(4)) + 5] ^= 1;
  file.overwrite(bytes);
  EXPECT_EQ(failure(), "'x': its checksum is wrong: the file is damaged");
}

TEST_F(NpzFile, TruncatedAndChangedFiles) {
  for (int level : {0, 9}) {
    write({{"x.npy", npy("(40,)", floats(40))},
           {"y.npy", npy("(3,)", floats(3))}},
          level);
    std::string whole = file.content();
    // The zip64 records before the last one say the same.
    for (size_t size = 0; size < whole.size() - kEndRecord; ++size) {
      file.overwrite(whole.substr(0, size));
      EXPECT_NE(failure(), "") << size;
    }
    // A changed date is no mistake, but everything ends well.
    for (size_t i = 0; i < whole.size(); ++i)
      for (int change : {1, 0x80, 0xff}) {
        std::string changed = whole;
        changed[i] = char(changed[i] ^ change);
        file.overwrite(changed);
        failure();
      }
  }
}

} // namespace
