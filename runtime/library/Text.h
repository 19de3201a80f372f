// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Strings: comparison, hashing, UTF-8.
#ifndef HONE_RUNTIME_LIBRARY_TEXT_H
#define HONE_RUNTIME_LIBRARY_TEXT_H

#include "hone/abi.h"

#include <string.h>

namespace hone {
namespace library {

/// Compares bytes as unsigned numbers.
inline int compare(const hone_string &a, const hone_string &b) {
  size_t shared = a.size < b.size ? a.size : b.size;
  int order = shared ? memcmp(a.data, b.data, shared) : 0;
  return order ? order : a.size < b.size ? -1 : a.size > b.size;
}

inline bool equal(const hone_string &a, const hone_string &b) {
  return a.size == b.size && (a.size == 0 || !memcmp(a.data, b.data, a.size));
}

inline uint64_t hash(const hone_string &text) {
  uint64_t result = 0xcbf29ce484222325u; // FNV-1a
  for (size_t i = 0; i < text.size; ++i)
    result = (result ^ uint8_t(text.data[i])) * 0x100000001b3u;
  return result;
}

/// Lower bound of the codes for bytes that are not part of valid UTF-8: these
/// are distinct from all characters.
constexpr uint32_t invalidByte = 0x110000;

/// Reads the character at `position`, which is inside the text, and advances.
inline uint32_t nextCharacter(const hone_string &text, size_t &position) {
  auto byte = [&](size_t at) { return uint32_t(uint8_t(text.data[at])); };
  uint32_t first = byte(position);
  if (first < 0x80) {
    ++position;
    return first;
  }
  size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  uint32_t result = first & (0xffu >> (length + 1));
  constexpr uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  bool valid = first >= 0xc2 && first < 0xf5 && text.size - position >= length;
  for (size_t i = 1; valid && i < length; ++i) {
    valid = (byte(position + i) & 0xc0) == 0x80;
    result = result << 6 | (byte(position + i) & 0x3f);
  }
  if (!valid || result < least[length] || result >= invalidByte ||
      (result >= 0xd800 && result < 0xe000)) {
    ++position;
    return invalidByte + first;
  }
  position += length;
  return result;
}

/// Writes a character, or an invalid byte unchanged; returns the bytes written,
/// at most 4.
inline size_t putCharacter(char *to, uint32_t character) {
  if (character >= invalidByte) {
    to[0] = char(character - invalidByte);
    return 1;
  }
  if (character < 0x80) {
    to[0] = char(character);
    return 1;
  }
  size_t length = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
  for (size_t i = length - 1; i > 0; --i) {
    to[i] = char(0x80 | (character & 0x3f));
    character >>= 6;
  }
  constexpr uint32_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
  to[0] = char(lead[length] | character);
  return length;
}

/// The other case of a character of ASCII, Latin, Greek, Cyrillic or Armenian;
/// other characters unchanged. Never longer than the character.
uint32_t toLower(uint32_t character);
uint32_t toUpper(uint32_t character);

inline bool isSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

} // namespace library
} // namespace hone

#endif // HONE_RUNTIME_LIBRARY_TEXT_H
