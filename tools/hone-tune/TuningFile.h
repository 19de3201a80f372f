// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What `hone tune` writes, and the compiler's lists of schedules: JSON, as
// described by README.md in this folder.
#ifndef HONE_TOOLS_TUNE_TUNINGFILE_H
#define HONE_TOOLS_TUNE_TUNINGFILE_H

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace hone::tune {

using Json = nlohmann::ordered_json;

/// `#hone.schedule`: how one operation is computed.
struct Schedule {
  std::string form;
  int64_t tileRows = 1, tileVectors = 1;
  int64_t blockRows = 0, blockColumns = 0, blockK = 0;
  bool packed = false;

  static Schedule of(const Json &json);
  Json json() const;
  /// "fma 6x2 114x0x0"
  std::string text() const;
  bool operator==(const Schedule &other) const {
    return text() == other.text();
  }
};

/// Of the operations of a kernel, in order.
using Schedules = std::vector<Schedule>;
std::string textOf(const Schedules &schedules);

/// What the compiler lists for an operation.
struct ListedOperation {
  Schedule schedule;            ///< that it was compiled with
  std::vector<Schedule> tiles;  ///< other tiles to measure
  std::vector<Schedule> blocks; ///< other blocks
};

struct ListedKernel {
  std::string key, name;
  std::vector<ListedOperation> operations;

  Schedules schedules() const;
};

/// The lists of one compilation.
struct Listing {
  std::string machine;
  std::vector<ListedKernel> kernels;

  /// Throws Failure if the file is not such a list.
  static Listing read(const std::string &path);
};

/// What is known about a kernel on a machine.
struct Entry {
  std::string key, name;
  std::optional<Schedules> schedules; ///< none: what the compiler chooses
  double untunedSeconds = 0, tunedSeconds = 0;
  int64_t runs = 0;
  std::set<std::string> tried; ///< texts of schedules
};

class TuningFile {
public:
  /// An empty one.
  TuningFile();
  /// The content of the file, if it exists. Throws Failure if it is not a
  /// tuning file.
  static TuningFile load(const std::string &path);

  /// The entries of a machine.
  std::vector<Entry> entriesOf(const std::string &machine) const;
  /// Inserts or replaces entries of a machine, keeping all others.
  void update(const std::string &machine, const std::vector<Entry> &entries);
  std::string text() const;

private:
  Json json;
};

} // namespace hone::tune

#endif // HONE_TOOLS_TUNE_TUNINGFILE_H
