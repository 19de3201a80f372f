// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Executes regular expressions: all threads step through a text together, so
// that time is at most text times program.
#include "runtime/library/RegexMatcher.h"
#include "runtime/library/Text.h"

using namespace hone;
using namespace hone::library;

namespace {

constexpr uint32_t nothing = UINT32_MAX; ///< before and after the text

bool isWord(uint32_t character) {
  return character != nothing && isWordCharacter(character);
}

uint32_t step(const hone_string &text, size_t &position) {
  return position < text.size ? nextCharacter(text, position) : nothing;
}

/// The character that ends at a position of the text.
uint32_t characterBefore(const hone_string &text, size_t position) {
  if (position == 0)
    return nothing;
  size_t at = position - 1;
  for (int i = 0; i < 3 && at > 0 && (uint8_t(text.data[at]) & 0xc0) == 0x80;
       ++i)
    --at;
  uint32_t character = nothing;
  while (at < position)
    character = nextCharacter(text, at);
  return character;
}

bool holds(Instruction::Code code, uint32_t before, uint32_t after) {
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

} // namespace

RegexMatcher::RegexMatcher(Call &call, const RegexProgram &program)
    : program(program), size(program.code.size()),
      threads{{call, size}, {call, size}}, begins{{call, size}, {call, size}},
      seen(call, size), pending(call, 2 * size + 1) {
  for (int64_t i = 0; *this && i < size; ++i)
    seen[i] = 0;
}

bool RegexMatcher::isIn(const Instruction &set, uint32_t character) const {
  for (int32_t i = 0; i < set.b; ++i) {
    const CharacterRange &range = program.ranges[set.a + i];
    if (character >= range.first && character <= range.last)
      return true;
  }
  return false;
}

bool RegexMatcher::accepts(const Instruction &instruction,
                           uint32_t character) const {
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

/// Adds the thread at `start` and all that it reaches without consuming a
/// character. Returns whether one of them is a match.
bool RegexMatcher::add(int64_t start, size_t begin, uint32_t before,
                       uint32_t after, int list) {
  bool matched = false;
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
      begins[list][counts[list]] = begin;
      threads[list][counts[list]++] = at;
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
  return matched;
}

bool RegexMatcher::find(const hone_string &text, size_t from, bool anchored,
                        size_t &begin, size_t &end) {
  bool found = false;
  int now = 0;
  counts[now] = 0;
  size_t at = from, following = from;
  uint32_t before = characterBefore(text, from),
           character = step(text, following);
  ++round;
  for (;;) {
    // Until something matches, a match may begin here.
    bool starts = !found && (at == from || !anchored);
    if (starts && add(0, at, before, character, now)) {
      found = true;
      begin = end = at;
    }
    if (at >= text.size || (counts[now] == 0 && (found || anchored)))
      return found;
    size_t place = following;
    uint32_t after = step(text, following);
    int then = 1 - now;
    counts[then] = 0;
    ++round;
    for (int64_t i = 0; i < counts[now]; ++i) {
      size_t first = begins[now][i];
      if (found && first > begin)
        break;
      int64_t thread = threads[now][i];
      if (accepts(program.code[thread], character) &&
          add(thread + 1, first, character, after, then)) {
        found = true;
        begin = first;
        end = place;
      }
    }
    now = then;
    at = place;
    before = character;
    character = after;
  }
}
