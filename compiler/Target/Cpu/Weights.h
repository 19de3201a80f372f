// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Weights as a relocatable object that is written in pieces, without passing
// through LLVM or the linker's text.
#ifndef HONE_COMPILER_TARGET_CPU_WEIGHTS_H
#define HONE_COMPILER_TARGET_CPU_WEIGHTS_H

#include "runtime/loader/Checksum.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"
#include <memory>

namespace hone {

inline constexpr llvm::StringLiteral kWeightsSection = ".hone.weights";

class WeightsWriter {
public:
  enum class Form {
    Object, ///< an ELF object with the section .hone.weights, read only, and
            ///< the symbol hone_weights
    Raw,    ///< the bytes, and hone_weights_end
  };

  static llvm::Expected<WeightsWriter> create(llvm::StringRef path, Form form,
                                              uint64_t bytes);

  /// Pieces come in ascending order of their offsets; gaps are zeros.
  void write(uint64_t offset, llvm::ArrayRef<char> data);
  llvm::Error finish();

  /// Of the weights; valid after finish.
  uint64_t checksum() const { return sum.value(); }

private:
  void put(const char *data, uint64_t count);
  void padTo(uint64_t offset);

  Form form = Form::Object;
  uint64_t bytes = 0, position = 0;
  Checksum sum;
  std::unique_ptr<llvm::raw_fd_ostream> stream;
};

} // namespace hone

#endif // HONE_COMPILER_TARGET_CPU_WEIGHTS_H
