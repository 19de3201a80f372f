// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Named tensors in NumPy's .npz files: .npy files in a zip archive, read by
// minizip.
#ifndef HONE_TOOLS_RUN_NPZ_H
#define HONE_TOOLS_RUN_NPZ_H

#include "tools/hone-run/Npy.h"

#include <map>

namespace hone::run {

/// An open .npz file. Throws Failure.
class Npz {
public:
  explicit Npz(const std::string &path);

  const std::vector<std::string> &names() const { return order; }
  Array read(const std::string &name, int32_t type);

private:
  struct Place {
    uint64_t directory, number; ///< as in minizip's unz64_file_pos
  };

  std::string path;
  uint64_t fileBytes = 0;
  std::unique_ptr<void, int (*)(void *)> archive;
  std::vector<std::string> order;
  std::map<std::string, Place> places;
};

} // namespace hone::run

#endif // HONE_TOOLS_RUN_NPZ_H
