// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The files that the command line gives for a model's inputs or outputs.
#ifndef HONE_TOOLS_RUN_GIVENFILES_H
#define HONE_TOOLS_RUN_GIVENFILES_H

#include "tools/hone-run/Npz.h"

namespace hone::run {

/// The inputs or the outputs of a model.
struct Side {
  const hone_value_info *values;
  int32_t count;
  const char *word;   ///< "input" or "output"
  const char *option; ///< that gives files
  std::string model;  ///< the library's file
};

/// A file, or an entry of one, with a value or a part of it.
struct GivenFile {
  int32_t index = 0; ///< of the input or output
  /// "0" for an element of a sequence, "keys" or "values" of a map; empty: all.
  std::string part;
  std::string path;
  std::shared_ptr<Npz> npz; ///< null: the file itself
  std::string entry;        ///< of npz
  bool isOnnx = false;      ///< read by readOnnxValue

  /// Of files that are not ONNX's. Throws Failure.
  Array read(int32_t type) const;
};

/// The kind of a value that is present: that of an optional is its element's.
int32_t presentKind(const hone_value_info &info);

/// The files of a value, by part.
using GivenParts = std::map<std::string, GivenFile>;

/// Resolves NAME=FILE, or the name of a file or folder with several values:
/// .npz, or NAME.npy or input_N.pb in a folder. The files, by the value's
/// index. Throws Failure.
std::map<int32_t, GivenParts>
resolveFiles(const std::vector<std::string> &texts, const Side &side);

/// The name of a value in names of files.
std::string fileName(std::string name);

} // namespace hone::run

#endif // HONE_TOOLS_RUN_GIVENFILES_H
