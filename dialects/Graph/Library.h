// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Signatures of the runtime's library functions, as listed in
// runtime/library/README.md. The importers check calls by them.
#ifndef HONE_DIALECTS_GRAPH_LIBRARY_H
#define HONE_DIALECTS_GRAPH_LIBRARY_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <vector>

namespace hone::graph {

enum class LibraryKind {
  Any, ///< whole bytes, or text
  Number,
  NumberOrText,
  TokenOrText, ///< int32, int64 or text
  KeyOrText,   ///< int64 or text
  Int,         ///< int32 or int64
  Int32,
  Int64,
  Byte,
  Bool,
  Float,
  FloatOrDouble,
  Floating, ///< float, double, float16 or bfloat16
  Text,
  // The others are not tensors, or need not be.
  Sequence,
  Map,
  Optional,
  Value, ///< a tensor, a sequence or an optional
};

inline bool isTensorKind(LibraryKind kind) {
  return kind < LibraryKind::Sequence;
}

/// An operand or a result of a function.
struct LibraryValue {
  static constexpr int kNone = -1, kSamePlace = -2;

  LibraryKind kind;
  int64_t minRank = 0, maxRank = INT64_MAX;
  bool single = false;   ///< one element
  bool optional = false; ///< may be omitted
  bool repeated = false; ///< any number of values like this one
  bool joined = false;   ///< present exactly if the one before it is
  int sameAs = kNone;    ///< operand with elements of the same type

  constexpr LibraryValue(LibraryKind kind) : kind(kind) {}
  constexpr LibraryValue ranks(int64_t least, int64_t most) const {
    LibraryValue copy = *this;
    copy.minRank = least;
    copy.maxRank = most;
    return copy;
  }
  constexpr LibraryValue rank(int64_t number) const {
    return ranks(number, number);
  }
  constexpr LibraryValue one() const {
    LibraryValue copy = *this;
    copy.single = true;
    return copy;
  }
  constexpr LibraryValue maybe() const {
    LibraryValue copy = *this;
    copy.optional = true;
    return copy;
  }
  constexpr LibraryValue withPrevious() const {
    LibraryValue copy = maybe();
    copy.joined = true;
    return copy;
  }
  constexpr LibraryValue any() const {
    LibraryValue copy = *this;
    copy.repeated = true;
    return copy;
  }
  constexpr LibraryValue like(int operand) const {
    LibraryValue copy = *this;
    copy.sameAs = operand;
    return copy;
  }
};

/// The number of values up to the last one that must be there.
size_t requiredCount(llvm::ArrayRef<LibraryValue> values);

/// A number of a function's config.
struct LibraryOption {
  enum Kind { Integer, Float, OperandType, KeyType, ResultType };

  llvm::StringRef name;
  Kind kind = Integer;
  int64_t least = INT64_MIN, most = INT64_MAX; ///< of an integer
  unsigned place = 0; ///< whose type it is: an operand, its keys, or a result
};

struct LibraryFunction {
  std::vector<LibraryValue> operands, results;
  std::vector<LibraryOption> config; ///< in the order of their names
};

/// Null for a name that no function has.
const LibraryFunction *findLibraryFunction(llvm::StringRef name);

} // namespace hone::graph

#endif // HONE_DIALECTS_GRAPH_LIBRARY_H
