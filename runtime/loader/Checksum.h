// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A checksum against damage (XXH64 with seed 0): a single changed bit is always
// detected, anything else missed once in 2^64. No defence against an attacker.
#ifndef HONE_RUNTIME_LOADER_CHECKSUM_H
#define HONE_RUNTIME_LOADER_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

namespace hone {

class Checksum {
public:
  Checksum();
  /// Input may come in pieces of any size.
  void add(const void *data, size_t bytes);
  uint64_t value() const;

private:
  uint64_t lanes[4];
  uint64_t total = 0;
  unsigned char pending[32]; ///< the last total % 32 bytes
};

} // namespace hone

#endif // HONE_RUNTIME_LOADER_CHECKSUM_H
