// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Regular expressions in RE2's syntax, as programs for a set of threads that
// move through the text together: time is at most text times program.
#ifndef HONE_RUNTIME_LIBRARY_REGEXPROGRAM_H
#define HONE_RUNTIME_LIBRARY_REGEXPROGRAM_H

#include "runtime/library/Call.h"

namespace hone {
namespace library {

struct Instruction {
  enum Code : uint8_t {
    Character, ///< the character `a`
    Class,     ///< one of `b` ranges from number `a` on
    Any,
    AnyButNewline,
    Split, ///< continues at distance `a` and at distance `b`
    Jump,  ///< continues at distance `a`
    TextBegin,
    TextEnd,
    LineBegin,
    LineEnd,
    WordBoundary,
    NoWordBoundary,
    Match,
  };
  Code code;
  bool fold = false;   ///< Character and Class: ignoring case
  bool negate = false; ///< Class: none of the ranges
  int32_t a = 0, b = 0;
};

struct CharacterRange {
  uint32_t first, last;
};

struct RegexProgram {
  explicit RegexProgram(Call &call) : code(call), ranges(call) {}

  Growing<Instruction> code;
  Growing<CharacterRange> ranges;
};

/// False: the pattern is invalid at byte `*position`, or, with -1, memory ran
/// out.
bool compileRegex(Call &call, const hone_string &pattern, RegexProgram &program,
                  int64_t &position);

inline bool isWordCharacter(uint32_t c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
         (c >= 'a' && c <= 'z') || c == '_';
}

} // namespace library
} // namespace hone

#endif // HONE_RUNTIME_LIBRARY_REGEXPROGRAM_H
