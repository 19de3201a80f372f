// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Matching whole texts against a regular expression.
#include "runtime/core/library/RegexProgram.h"
#include "runtime/core/library/Text.h"

using namespace hone;
using namespace hone::library;

namespace {

constexpr uint32_t nothing = UINT32_MAX; ///< before and behind the text

bool isWord(uint32_t character) {
  return character != nothing && isWordCharacter(character);
}

/// The threads of a program, all at one place of a text.
class Matcher {
public:
  Matcher(Call &call, const RegexProgram &program)
      : program(program), size(program.code.size()), current(call, size),
        next(call, size), seen(call, size), pending(call, 2 * size + 1) {
    for (int64_t i = 0; *this && i < size; ++i)
      seen[i] = 0;
  }

  explicit operator bool() const { return current && next && seen && pending; }

  bool matches(const hone_string &text) {
    int64_t *now = current.data(), *then = next.data(), count = 0;
    uint32_t before = nothing;
    size_t at = 0, following = 0;
    uint32_t character = step(text, following);
    bool matched = false;
    ++round;
    add(0, before, character, now, count, matched);
    while (at < text.size && count > 0) {
      at = following;
      uint32_t after = step(text, following);
      int64_t left = count;
      count = 0;
      matched = false;
      ++round;
      for (int64_t i = 0; i < left; ++i)
        if (accepts(program.code[now[i]], character))
          add(now[i] + 1, character, after, then, count, matched);
      int64_t *swap = now;
      now = then;
      then = swap;
      before = character;
      character = after;
    }
    return matched && at == text.size;
  }

private:
  static uint32_t step(const hone_string &text, size_t &position) {
    return position < text.size ? nextCharacter(text, position) : nothing;
  }

  bool isIn(const Instruction &set, uint32_t character) const {
    for (int32_t i = 0; i < set.b; ++i) {
      const CharacterRange &range = program.ranges[set.a + i];
      if (character >= range.first && character <= range.last)
        return true;
    }
    return false;
  }

  bool accepts(const Instruction &instruction, uint32_t character) const {
    switch (instruction.code) {
    case Instruction::Character:
      return uint32_t(instruction.a) ==
             (instruction.fold ? toLower(character) : character);
    case Instruction::Class:
      return instruction.negate !=
             (isIn(instruction, character) ||
              (instruction.fold && (isIn(instruction, toLower(character)) ||
                                    isIn(instruction, toUpper(character)))));
    case Instruction::Any:
      return true;
    case Instruction::AnyButNewline:
      return character != '\n';
    default:
      return false;
    }
  }

  static bool holds(Instruction::Code code, uint32_t before, uint32_t after) {
    switch (code) {
    case Instruction::TextBegin:
      return before == nothing;
    case Instruction::TextEnd:
      return after == nothing;
    case Instruction::LineBegin:
      return before == nothing || before == '\n';
    case Instruction::LineEnd:
      return after == nothing || after == '\n';
    case Instruction::WordBoundary:
      return isWord(before) != isWord(after);
    default:
      return isWord(before) == isWord(after);
    }
  }

  /// Adds the thread at `start` and all that it leads to without a character.
  void add(int64_t start, uint32_t before, uint32_t after, int64_t *threads,
           int64_t &count, bool &matched) {
    int64_t waiting = 0;
    pending[waiting++] = start;
    while (waiting > 0) {
      int64_t at = pending[--waiting];
      if (seen[at] == round)
        continue;
      seen[at] = round;
      const Instruction &instruction = program.code[at];
      switch (instruction.code) {
      case Instruction::Character:
      case Instruction::Class:
      case Instruction::Any:
      case Instruction::AnyButNewline:
        threads[count++] = at;
        break;
      case Instruction::Split: // each is seen once: 2 size + 1 have room
        pending[waiting++] = at + instruction.b;
        pending[waiting++] = at + instruction.a;
        break;
      case Instruction::Jump:
        pending[waiting++] = at + instruction.a;
        break;
      case Instruction::Match:
        matched = true;
        break;
      default:
        if (holds(instruction.code, before, after))
          pending[waiting++] = at + 1;
      }
    }
  }

  const RegexProgram &program;
  const int64_t size;
  Scratch<int64_t> current, next, seen, pending;
  int64_t round = 0;
};

} // namespace

HONE_LIBRARY(regex_full_match) {
  Tensor x = call.strings(0), patterns = call.strings(1);
  if (!x || !patterns)
    return call.status;
  if (patterns.count != 1)
    return call.fail(HONE_SHAPE_MISMATCH, patterns.count, 1);
  RegexProgram program(call);
  int64_t position;
  if (!compileRegex(call, *patterns.as<hone_string>(), program, position))
    return position < 0 ? call.status : call.fail(HONE_BAD_VALUE, position);
  Matcher matcher(call, program);
  Tensor result = call.make(0, HONE_TYPE_BOOL, x.rank, x.dims);
  if (!matcher || !result)
    return call.status;
  for (int64_t i = 0; i < x.count; ++i)
    result.as<uint8_t>()[i] = matcher.matches(x.as<hone_string>()[i]);
  return HONE_OK;
}
