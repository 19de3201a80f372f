// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Finds where a regular expression matches in a text.
#ifndef HONE_RUNTIME_LIBRARY_REGEXMATCHER_H
#define HONE_RUNTIME_LIBRARY_REGEXMATCHER_H

#include "runtime/library/RegexProgram.h"

namespace hone {
namespace library {

/// The threads of a program, all at one position of a text. Each knows where it
/// began; those that began earlier come first.
class RegexMatcher {
public:
  RegexMatcher(Call &call, const RegexProgram &program);

  /// False: out of memory, reported.
  explicit operator bool() const {
    return threads[0] && threads[1] && begins[0] && begins[1] && seen &&
           pending;
  }

  /// Whether the whole text matches.
  bool matches(const hone_string &text) {
    size_t begin, end;
    return find(text, 0, /*anchored=*/true, begin, end) && end == text.size;
  }
  /// The first match that begins at byte `from` or later, the longest of those
  /// with the same beginning. `\b` and `^` see what precedes `from`.
  bool search(const hone_string &text, size_t from, size_t &begin,
              size_t &end) {
    return find(text, from, /*anchored=*/false, begin, end);
  }

private:
  bool find(const hone_string &text, size_t from, bool anchored, size_t &begin,
            size_t &end);
  bool isIn(const Instruction &set, uint32_t character) const;
  bool accepts(const Instruction &instruction, uint32_t character) const;
  bool add(int64_t start, size_t begin, uint32_t before, uint32_t after,
           int list);

  const RegexProgram &program;
  const int64_t size;
  Scratch<int64_t> threads[2]; ///< of this position, and of the next one
  Scratch<size_t> begins[2];   ///< of the threads
  Scratch<int64_t> seen, pending;
  int64_t counts[2] = {0, 0};
  int64_t round = 0;
};

} // namespace library
} // namespace hone

#endif // HONE_RUNTIME_LIBRARY_REGEXMATCHER_H
