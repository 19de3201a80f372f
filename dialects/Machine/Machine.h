// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The target of compilation. Passes query a description, never the identity of
// a processor.
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

/// A core of a CPU. The values here are those of x86-64-v3, as typical for
/// processors of that level.
struct CpuMachine {
  std::string name = "x86-64-v3"; ///< for messages

  // The vector unit.
  int64_t vectorBits = 256;
  int64_t vectorRegisters = 16;
  int64_t fma = 1; ///< 1 if the ISA has fused multiply-add, otherwise 0
  /// 1 if the ISA has dot products of four bytes (VNNI), otherwise 0
  int64_t byteDot = 0;
  /// 1 if the ISA permutes the bytes of two registers (VBMI), otherwise 0
  int64_t bytePermute = 0;
  /// Multiply-adds of f32 that take as long as a dot product of two bf16
  /// (AVX512-BF16); 0: the ISA has none
  int64_t bf16Dot = 0;
  /// 1 if the ISA multiplies matrices of bytes (AMX-INT8) or of bf16
  /// (AMX-BF16), otherwise 0
  int64_t byteMatrix = 0, bf16Matrix = 0;
  /// 1 if code for the processor that compiles does what instructions of this
  /// one would do, for tests; otherwise 0
  int64_t emulated = 0;

  // Vector instructions issued per cycle, and the latency of a multiply-add.
  int64_t fmaPorts = 2;
  int64_t fmaLatency = 4;
  int64_t loadPorts = 2;

  // Caches of the core.
  int64_t l1Bytes = 32 << 10;
  int64_t l1Ways = 8;
  int64_t l2Bytes = 1 << 20;

  /// Threads that a run is expected to use; 0: unknown.
  int64_t threads = 0;

  bool hasFma() const { return fma != 0; }
  bool hasByteDot() const { return byteDot != 0; }
  bool hasBytePermute() const { return bytePermute != 0; }
  bool hasBf16Dot() const { return bf16Dot != 0; }
  bool hasByteMatrix() const { return byteMatrix != 0; }
  bool hasBf16Matrix() const { return bf16Matrix != 0; }
  bool isEmulated() const { return emulated != 0; }
  /// Whether bytes are multiplied best in pairs whose sums fit in 16 bits: of
  /// the columns of a vector, which are as many as have one order.
  bool multipliesOrderedBytes() const {
    return vectorBits == 256 && !hasByteDot();
  }
  /// Elements of a vector register.
  int64_t lanes(int64_t elementBits) const {
    return std::max<int64_t>(vectorBits / elementBits, 1);
  }
  /// Whether an instruction accesses any lanes of a vector: AVX-512, and AVX
  /// for elements of 32 bits or more.
  bool hasMasks(int64_t elementBits) const {
    return vectorBits >= 512 || (vectorBits >= 256 && elementBits >= 32);
  }

  bool operator==(const CpuMachine &other) const;

  /// The machine that the CPU code of an operation's module is compiled for.
  static const CpuMachine &of(mlir::Operation *op);
};

/// A chip of a GPU. The values here are those of sm_80.
struct GpuMachine {
  std::string name = "sm_80"; ///< for messages

  int64_t multiprocessors = 108;
  /// Shared memory available to a block by default.
  int64_t sharedBytes = 48 << 10;

  bool operator==(const GpuMachine &other) const;

  /// The machine that the GPU code of an operation's module is compiled for.
  static const GpuMachine &of(mlir::Operation *op);
};

/// Hashes the whole description, as attributes require.
llvm::hash_code hash_value(const CpuMachine &machine);
llvm::hash_code hash_value(const GpuMachine &machine);

/// The machine meant by x86-64-v2, -v3 or -v4: what most processors of the
/// level have at least. None for other names.
std::optional<CpuMachine> machineOfLevel(llvm::StringRef name);

/// A line of the cache, on every x86-64 processor.
inline constexpr int64_t kCacheLineBytes = 64;

/// The maximum number of threads in a description.
inline constexpr int64_t kMaxThreads = 1 << 16;

/// The machine meant by a chip's name, such as sm_90a: the largest that has
/// been sold with it. Unknown chips are taken to be as large as sm_90.
GpuMachine machineOfChip(llvm::StringRef name);

/// On modules: what their code is compiled for.
inline constexpr llvm::StringLiteral kCpuAttr = "hone_machine.cpu",
                                     kGpuAttr = "hone_machine.gpu";

} // namespace hone

#include "dialects/Machine/MachineDialect.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Machine/MachineAttrs.h.inc"

#endif // HONE_DIALECTS_MACHINE_MACHINE_H
