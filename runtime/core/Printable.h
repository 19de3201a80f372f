// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What part of a text is printable: names come from models, and a message with
// one must stay on one line and not control the terminal. Runtime, tools and
// compiler share this.
#ifndef HONE_RUNTIME_CORE_PRINTABLE_H
#define HONE_RUNTIME_CORE_PRINTABLE_H

#include <stddef.h>
#include <stdint.h>

namespace hone {

/// Bytes of the UTF-8 character at `text`; 0 if it is not printable: control
/// characters, line and paragraph separators, characters that change the
/// direction of text, and invalid UTF-8.
inline size_t shownBytes(const char *text, size_t size) {
  auto byte = [&](size_t i) { return i < size ? uint8_t(text[i]) : 0u; };
  uint32_t first = byte(0);
  if (first < 0x80)
    return first >= 0x20 && first != 0x7f;
  size_t count = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  uint32_t code = first & (0x7f >> count);
  if (first < 0xc2 || first > 0xf4)
    return 0;
  for (size_t i = 1; i < count; ++i) {
    if ((byte(i) & 0xc0) != 0x80)
      return 0;
    code = code << 6 | (byte(i) & 0x3f);
  }
  // Overlong, a surrogate, or beyond Unicode.
  if ((count == 3 && code < 0x800) || (count == 4 && code < 0x10000) ||
      (code >= 0xd800 && code < 0xe000) || code > 0x10ffff)
    return 0;
  bool harms = code < 0xa0 || code == 0x200e || code == 0x200f ||
               (code >= 0x2028 && code <= 0x202e) ||
               (code >= 0x2066 && code <= 0x2069);
  return harms ? 0 : count;
}

/// Passes `text` to `put(const char *, size_t)` in pieces, with \n, \t or \x1b
/// for each byte that is not printable. A backslash is not escaped, so that
/// this is idempotent.
template <typename Put>
void putPrintable(const char *text, size_t size, Put put) {
  constexpr char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < size;) {
    if (size_t count = shownBytes(text + i, size - i)) {
      put(text + i, count);
      i += count;
      continue;
    }
    uint8_t byte = uint8_t(text[i++]);
    const char hex[] = {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
    if (byte == '\n')
      put("\\n", 2);
    else if (byte == '\t')
      put("\\t", 2);
    else
      put(hex, sizeof hex);
  }
}

} // namespace hone

#endif // HONE_RUNTIME_CORE_PRINTABLE_H
