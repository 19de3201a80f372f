// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What code is made for. Passes ask a description, and never which processor it
// is of.
#ifndef HONE_DIALECTS_MACHINE_MACHINE_H
#define HONE_DIALECTS_MACHINE_MACHINE_H

#include "mlir/IR/Attributes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpImplementation.h"
#include "llvm/ADT/Hashing.h"
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

namespace hone {

/// A core of a CPU. The values here are those of x86-64-v3, as the processors
/// that have it are on the whole.
struct CpuMachine {
  std::string name = "x86-64-v3"; ///< for messages

  // The vector unit.
  int64_t vectorBits = 256;
  int64_t vectorRegisters = 16;
  int64_t fma = 1; ///< 1 where the ISA has fused multiply-add, else 0

  // Vector instructions that start in a cycle, and the cycles until a
  // multiply-add has its result.
  int64_t fmaPorts = 2;
  int64_t fmaLatency = 4;
  int64_t loadPorts = 2;

  // Caches of the core.
  int64_t l1Bytes = 32 << 10;
  int64_t l1Ways = 8;
  int64_t l2Bytes = 1 << 20;

  /// Threads that a run is expected to have; 0: not known.
  int64_t threads = 0;

  bool hasFma() const { return fma != 0; }
  /// Elements of a vector register.
  int64_t lanes(int64_t elementBits) const {
    return std::max<int64_t>(vectorBits / elementBits, 1);
  }

  bool operator==(const CpuMachine &other) const;

  /// The machine that the CPU code of an operation's module is compiled for.
  static const CpuMachine &of(mlir::Operation *op);
};

/// A chip of a GPU. The values here are those of sm_80.
struct GpuMachine {
  std::string name = "sm_80"; ///< for messages

  int64_t multiprocessors = 108;
  /// Shared memory that a block may have without asking for more.
  int64_t sharedBytes = 48 << 10;

  bool operator==(const GpuMachine &other) const;

  /// The machine that the GPU code of an operation's module is compiled for.
  static const GpuMachine &of(mlir::Operation *op);
};

/// Hashes all of a description, as attributes need it.
llvm::hash_code hash_value(const CpuMachine &machine);
llvm::hash_code hash_value(const GpuMachine &machine);

/// The machine that is meant by x86-64-v2, -v3 or -v4: what most processors of
/// the level have at least. None for other names.
std::optional<CpuMachine> machineOfLevel(llvm::StringRef name);

/// The most threads that a description can expect.
inline constexpr int64_t kMaxThreads = 1 << 16;

/// The machine that is meant by a chip's name, such as sm_90a: the largest that
/// has been sold with it. Chips that are not known are as large as sm_90.
GpuMachine machineOfChip(llvm::StringRef name);

/// On modules: what their code is made for.
inline constexpr llvm::StringLiteral kCpuAttr = "hone_machine.cpu",
                                     kGpuAttr = "hone_machine.gpu";

} // namespace hone

#include "dialects/Machine/MachineDialect.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Machine/MachineAttrs.h.inc"

#endif // HONE_DIALECTS_MACHINE_MACHINE_H
