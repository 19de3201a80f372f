// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// From a regular expression to a program. The program of each part is one range
// of instructions with relative jumps that exits at its end: an operator adds
// instructions around the part, and repeats it by copying.
#include "runtime/library/RegexProgram.h"
#include "runtime/library/Text.h"

using namespace hone;
using namespace hone::library;

namespace {

constexpr int32_t mostInstructions = 1 << 15;
constexpr int32_t mostRepeats = 1000;
constexpr uint32_t lastCharacter = invalidByte + 0xff;

struct NamedClass {
  const char *name;
  const char *ranges; ///< pairs of first and last
};

constexpr NamedClass namedClasses[] = {
    {"alnum", "09AZaz"},   {"alpha", "AZaz"},
    {"ascii", "\x01\x7f"}, // and NUL, added separately
    {"blank", "\t\t  "},   {"cntrl", "\x01\x1f\x7f\x7f"},
    {"digit", "09"},       {"graph", "!~"},
    {"lower", "az"},       {"print", " ~"},
    {"punct", "!/:@[`{~"}, {"space", "\t\r  "},
    {"upper", "AZ"},       {"word", "09AZ__az"},
    {"xdigit", "09AFaf"},
};

class Compiler {
public:
  Compiler(Call &call, const hone_string &pattern, RegexProgram &program)
      : pattern(pattern), code(program.code), ranges(program.ranges),
        groups(call) {}

  bool run() {
    if (!open())
      return false;
    while (at < pattern.size)
      if (!parseOne())
        return false;
    // The outermost group is closed by the end.
    if (groups.size() != 1)
      return fault();
    close();
    return emit({Instruction::Match});
  }

  int64_t position() const { return noMemory ? -1 : int64_t(at); }

private:
  struct Flags {
    bool fold = false, dotAll = false, multiline = false;
  };
  struct Group {
    int32_t begin, alternative; ///< where it and its last alternative begin
    int32_t jumps; ///< the last jump to its end; each links to the previous one
    Flags outside; ///< the flags to restore
  };

  bool fault() { return false; }

  bool more() const { return at < pattern.size; }
  char peek(size_t ahead = 0) const {
    return at + ahead < pattern.size ? pattern.data[at + ahead] : 0;
  }
  bool take(char c) {
    if (!more() || peek() != c)
      return false;
    ++at;
    return true;
  }
  uint32_t takeCharacter() { return nextCharacter(pattern, at); }

  //--- Emission.

  int32_t end() const { return int32_t(code.size()); }

  bool emit(Instruction instruction) {
    if (end() >= mostInstructions)
      return fault();
    if (code.push(instruction))
      return true;
    noMemory = true;
    return false;
  }

  bool insert(int32_t where, Instruction instruction) {
    if (!emit(instruction))
      return false;
    for (int32_t i = end() - 1; i > where; --i)
      code[i] = code[i - 1];
    code[where] = instruction;
    return true;
  }

  bool emitAtom(Instruction instruction) {
    atom = end();
    return emit(instruction);
  }

  bool emitCharacter(uint32_t character) {
    Instruction instruction{Instruction::Character};
    instruction.a = int32_t(flags.fold ? toLower(character) : character);
    instruction.fold = flags.fold;
    return emitAtom(instruction);
  }

  bool addRange(uint32_t first, uint32_t last) {
    if (ranges.size() >= mostInstructions)
      return fault();
    if (ranges.push({first, last}))
      return true;
    noMemory = true;
    return false;
  }

  //--- Groups and alternatives.

  bool open() {
    Group group{end(), end(), -1, flags};
    atom = -1;
    if (groups.push(group))
      return true;
    noMemory = true;
    return false;
  }

  /// A new alternative: the previous one ends with a jump, and a split before
  /// it leads here.
  bool alternate() {
    Group &group = groups.back();
    Instruction split{Instruction::Split};
    split.a = 1;
    split.b = end() - group.alternative + 2;
    if (!insert(group.alternative, split))
      return false;
    Instruction jump{Instruction::Jump};
    jump.a = group.jumps;
    group.jumps = end();
    if (!emit(jump))
      return false;
    group.alternative = end();
    atom = -1;
    return true;
  }

  /// The group becomes the atom that an operator may apply to.
  void close() {
    Group group = groups.back();
    groups.pop();
    for (int32_t jump = group.jumps; jump >= 0;) {
      int32_t before = code[jump].a;
      code[jump].a = end() - jump;
      jump = before;
    }
    flags = group.outside;
    atom = group.begin;
  }

  /// What follows "(?".
  bool parseGroupKind() {
    if (take('P') || (peek() == '<' && peek(1) != '=' && peek(1) != '!')) {
      if (!take('<'))
        return fault();
      size_t first = at;
      while (more() && isWordCharacter(uint8_t(peek())))
        ++at;
      return at > first && take('>') ? open() : fault();
    }
    Flags set = flags;
    for (bool on = true; more(); ++at)
      switch (peek()) {
      case 'i':
        set.fold = on;
        break;
      case 's':
        set.dotAll = on;
        break;
      case 'm':
        set.multiline = on;
        break;
      case 'U': // greediness does not affect whether all matches
        break;
      case '-':
        if (!on)
          return fault();
        on = false;
        break;
      case ':': {
        ++at;
        bool opened = open();
        flags = set;
        return opened;
      }
      case ')': // until the end of the enclosing group
        ++at;
        flags = set;
        atom = -1;
        return true;
      default:
        return fault();
      }
    return fault();
  }

  //--- Repetition.

  /// A copy of instructions [begin, begin + size) at the end.
  bool copy(int32_t begin, int32_t size) {
    for (int32_t i = 0; i < size; ++i)
      if (!emit(code[begin + i]))
        return false;
    return true;
  }

  /// Repeats the atom; `most` below 0 means without limit.
  bool repeat(int32_t least, int32_t most) {
    int32_t begin = atom, size = end() - begin;
    if (most == 0) {
      while (end() > begin)
        code.pop();
      return true;
    }
    for (int32_t i = 1; i < least; ++i)
      if (!copy(begin, size))
        return false;
    if (most < 0) {
      if (least == 0) { // split, atom, back to the split
        Instruction split{Instruction::Split}, back{Instruction::Jump};
        split.a = 1;
        split.b = size + 2;
        back.a = -size - 1;
        return insert(begin, split) && emit(back);
      }
      Instruction split{Instruction::Split}; // the last copy again, or on
      split.a = -size;
      split.b = 1;
      return emit(split);
    }
    // Each optional copy is preceded by a split that leads to the end.
    int32_t left = most - (least ? least : 1);
    Instruction split{Instruction::Split};
    split.a = 1;
    if (least == 0) {
      split.b = 1 + size + left * (size + 1);
      if (left > mostInstructions / (size + 1) || !insert(begin, split))
        return fault();
      ++begin;
    }
    for (; left > 0; --left) {
      split.b = left * (size + 1);
      if (left > mostInstructions / (size + 1) || !emit(split) ||
          !copy(begin, size))
        return fault();
    }
    return true;
  }

  bool takeNumber(int32_t &number) {
    size_t first = at;
    number = 0;
    for (; more() && peek() >= '0' && peek() <= '9'; ++at)
      if (number <= mostRepeats)
        number = number * 10 + (peek() - '0');
    return at > first;
  }

  /// "{n}", "{n,}" or "{n,m}" at the position; otherwise consumes nothing.
  bool takeCounts(int32_t &least, int32_t &most) {
    size_t begin = at;
    if (take('{') && takeNumber(least)) {
      most = least;
      if (take(',') && !takeNumber(most))
        most = -1;
      if (take('}'))
        return true;
    }
    at = begin;
    return false;
  }

  /// Operators after an atom.
  bool parseRepeat(bool &found) {
    int32_t least = 0, most = -1;
    found = true;
    if (take('+'))
      least = 1;
    else if (take('?'))
      most = 1;
    else if (!take('*') && !takeCounts(least, most))
      return !(found = false);
    if (atom < 0 || least > mostRepeats || most > mostRepeats ||
        (most >= 0 && most < least))
      return fault();
    take('?'); // non-greedy; does not affect whether all matches
    if (!repeat(least, most))
      return false;
    atom = -1; // "a**" is an error
    return true;
  }

  //--- Atoms.

  bool parseOne() {
    bool repeated;
    if (!parseRepeat(repeated))
      return false;
    if (repeated)
      return true;
    Instruction::Code dot =
        flags.dotAll ? Instruction::Any : Instruction::AnyButNewline;
    switch (peek()) {
    case '(':
      ++at;
      return take('?') ? parseGroupKind() : open();
    case ')':
      if (groups.size() == 1)
        return fault();
      ++at;
      close();
      return true;
    case '|':
      ++at;
      return alternate();
    case '.':
      ++at;
      return emitAtom({dot});
    case '^':
      ++at;
      return emitAtom(
          {flags.multiline ? Instruction::LineBegin : Instruction::TextBegin});
    case '$':
      ++at;
      return emitAtom(
          {flags.multiline ? Instruction::LineEnd : Instruction::TextEnd});
    case '[':
      ++at;
      return parseClass();
    case '\\':
      ++at;
      return parseEscape();
    default:
      return emitCharacter(takeCharacter());
    }
  }

  bool parseEscape() {
    switch (peek()) {
    case 'A':
      return ++at, emitAtom({Instruction::TextBegin});
    case 'z':
      return ++at, emitAtom({Instruction::TextEnd});
    case 'b':
      return ++at, emitAtom({Instruction::WordBoundary});
    case 'B':
      return ++at, emitAtom({Instruction::NoWordBoundary});
    case 'Q': // literal up to "\E"
      for (++at; more() && !(peek() == '\\' && peek(1) == 'E');)
        if (!emitCharacter(takeCharacter()))
          return false;
      at += more() ? 2 : 0;
      return true;
    default:
      break;
    }
    auto first = int32_t(ranges.size());
    if (isShorthand(peek()))
      return addShorthand(pattern.data[at++]) && emitClass(first, false);
    uint32_t character;
    return takeEscaped(character) && emitCharacter(character);
  }

  static bool isShorthand(char c) {
    return c == 'd' || c == 'D' || c == 's' || c == 'S' || c == 'w' || c == 'W';
  }

  bool addShorthand(char c) {
    const char *listed = (c | 0x20) == 'd'   ? "09"
                         : (c | 0x20) == 's' ? "\t\n\f\r  "
                                             : "09AZ__az";
    return addListed(listed, c < 'a');
  }

  /// Pairs of first and last in ascending order, or everything between them.
  bool addListed(const char *listed, bool negate) {
    uint32_t next = 0;
    for (; *listed; listed += 2) {
      auto first = uint32_t(uint8_t(listed[0]));
      auto last = uint32_t(uint8_t(listed[1]));
      if (negate ? first > next && !addRange(next, first - 1)
                 : !addRange(first, last))
        return false;
      next = last + 1;
    }
    return !negate || addRange(next, lastCharacter);
  }

  /// A character after a backslash.
  bool takeEscaped(uint32_t &character) {
    if (!more())
      return fault();
    char c = pattern.data[at];
    switch (c) {
    case 'a':
      character = 7;
      break;
    case 'f':
      character = '\f';
      break;
    case 'n':
      character = '\n';
      break;
    case 'r':
      character = '\r';
      break;
    case 't':
      character = '\t';
      break;
    case 'v':
      character = '\v';
      break;
    case 'x':
      ++at;
      return takeHexadecimal(character);
    case '0': // octal
      character = 0;
      for (int i = 0; i < 3 && more() && peek() >= '0' && peek() <= '7'; ++i)
        character = character * 8 + uint32_t(pattern.data[at++] - '0');
      return true;
    default:
      // Letters and digits are reserved; other characters stand for themselves.
      if (uint8_t(c) >= 0x80 || (isWordCharacter(uint8_t(c)) && c != '_'))
        return fault();
      character = uint8_t(c);
    }
    ++at;
    return true;
  }

  bool takeHexadecimal(uint32_t &character) {
    bool braces = take('{');
    character = 0;
    int32_t digits = 0;
    for (; more() && digits < (braces ? 8 : 2); ++at, ++digits) {
      char c = peek(), lower = char(c | 0x20);
      if (c >= '0' && c <= '9')
        character = character * 16 + uint32_t(c - '0');
      else if (lower >= 'a' && lower <= 'f')
        character = character * 16 + uint32_t(lower - 'a' + 10);
      else
        break;
    }
    if (digits == 0 || (!braces && digits < 2) || (braces && !take('}')) ||
        character >= invalidByte)
      return fault();
    return true;
  }

  //--- Classes.

  bool emitClass(int32_t first, bool negate) {
    Instruction instruction{Instruction::Class};
    instruction.fold = flags.fold;
    instruction.negate = negate;
    instruction.a = first;
    instruction.b = int32_t(ranges.size()) - first;
    return emitAtom(instruction);
  }

  /// "[:name:]" at the position; `found` says whether there was one.
  bool takeNamed(bool &found) {
    found = peek() == '[' && peek(1) == ':';
    if (!found)
      return true;
    size_t begin = at + 2, close = begin;
    while (close < pattern.size && pattern.data[close] != ':')
      ++close;
    if (close + 1 >= pattern.size || pattern.data[close + 1] != ']')
      return !(found = false);
    bool negate = pattern.data[begin] == '^';
    begin += negate;
    for (const NamedClass &known : namedClasses)
      if (strlen(known.name) == close - begin &&
          !memcmp(known.name, pattern.data + begin, close - begin)) {
        at = close + 2;
        bool withNul =
            !strcmp(known.name, "ascii") || !strcmp(known.name, "cntrl");
        if (!negate && withNul && !addRange(0, 0))
          return false;
        if (!(negate && withNul))
          return addListed(known.ranges, negate);
        return (known.name[0] == 'a' || addRange(0x20, 0x7e)) &&
               addRange(0x80, lastCharacter);
      }
    return fault();
  }

  bool takeClassCharacter(uint32_t &character) {
    if (!more())
      return fault();
    if (take('\\'))
      return takeEscaped(character);
    character = takeCharacter();
    return true;
  }

  bool parseClass() {
    auto first = int32_t(ranges.size());
    bool negate = take('^');
    for (bool begin = true; more(); begin = false) {
      if (!begin && take(']'))
        return emitClass(first, negate);
      bool named;
      if (!takeNamed(named))
        return false;
      if (named)
        continue;
      if (peek() == '\\' && isShorthand(peek(1))) {
        at += 2;
        if (!addShorthand(pattern.data[at - 1]))
          return false;
        continue;
      }
      uint32_t low, high;
      if (!takeClassCharacter(low))
        return false;
      high = low;
      if (peek() == '-' && peek(1) != ']' && at + 1 < pattern.size) {
        ++at;
        if (!takeClassCharacter(high) || high < low)
          return fault();
      }
      if (!addRange(low, high))
        return false;
    }
    return fault();
  }

  const hone_string pattern;
  Growing<Instruction> &code;
  Growing<CharacterRange> &ranges;
  Growing<Group> groups;
  Flags flags;
  size_t at = 0;
  int32_t atom = -1; ///< beginning of the part that an operator applies to
  bool noMemory = false;
};

} // namespace

bool library::compileRegex(Call &call, const hone_string &pattern,
                           RegexProgram &program, int64_t &position) {
  Compiler compiler(call, pattern, program);
  bool done = compiler.run();
  position = compiler.position();
  return done;
}
