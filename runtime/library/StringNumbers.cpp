// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Numbers as text and back, independent of the process's locale.
#include "runtime/library/Numbers.h"
#include "runtime/library/Text.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

using namespace hone;
using namespace hone::library;

namespace {

/// The longest text of a number.
constexpr int64_t longest = 32;

/// Reads numbers with a decimal point. Creating the C locale allocates nothing.
class Reader {
public:
  Reader() : locale(newlocale(LC_ALL_MASK, "C", nullptr)) {}
  Reader(const Reader &) = delete;
  Reader &operator=(const Reader &) = delete;
  ~Reader() {
    if (locale)
      freelocale(locale);
  }

  explicit operator bool() const { return locale != nullptr; }
  /// Rounded once to the type, where that is wider than 16 bits.
  double read(const char *text, int32_t type) const {
    if (type == HONE_TYPE_FLOAT)
      return double(strtof_l(text, nullptr, locale));
    return strtod_l(text, nullptr, locale);
  }

private:
  locale_t locale;
};

/// Appends to a buffer of `longest` bytes.
struct Writer {
  char *to;
  size_t size = 0;
  void put(char c) { to[size++] = c; }
  void put(const char *text) {
    while (*text)
      put(*text++);
  }
  void put(uint64_t number, size_t digits = 1) {
    char reversed[20];
    size_t count = 0;
    for (; number || count < digits; number /= 10)
      reversed[count++] = char('0' + number % 10);
    while (count)
      put(reversed[--count]);
  }
};

/// Decimal digits of a positive number: 0.d1d2d3... times 10 to the `power`.
struct Decimal {
  char digits[20];
  int32_t count = 0, power = 0;

  Decimal(double number, int32_t precision) {
    char text[64];
    snprintf(text, sizeof text, "%.*e", precision - 1, number);
    const char *at = text;
    for (; *at && *at != 'e'; ++at)
      if (*at >= '0' && *at <= '9' && count < 20) // skips the decimal point
        digits[count++] = *at;
    power = *at ? atoi(at + 1) + 1 : 0;
    while (count > 1 && digits[count - 1] == '0')
      --count;
  }

  /// In exponent form from `plain` digits before the point on.
  void write(Writer &writer, int32_t plain) const {
    if (power > plain || power < -3) {
      writer.put(digits[0]);
      if (count > 1)
        writer.put('.');
      for (int32_t i = 1; i < count; ++i)
        writer.put(digits[i]);
      writer.put(power > 0 ? "e+" : "e-");
      writer.put(uint64_t(power > 0 ? power - 1 : 1 - power), 2);
      return;
    }
    if (power <= 0)
      writer.put("0.");
    for (int32_t i = power; i < 0; ++i)
      writer.put('0');
    for (int32_t i = 0; i < count || i < power; ++i) {
      if (i == power && i > 0)
        writer.put('.');
      writer.put(i < count ? digits[i] : '0');
    }
  }
};

void writeFloating(const Tensor &x, int64_t index, const Reader &reader,
                   Writer &writer) {
  double number = floatingAt(x, index);
  if (number != number)
    return writer.put("NaN");
  if (__builtin_signbit(number)) {
    writer.put('-');
    number = -number;
  }
  if (number == __builtin_inf())
    return writer.put("INF");
  if (number == 0)
    return writer.put('0');
  // The fewest digits that read back as the same number. Like others, floats
  // are written out up to 8 digits before the point.
  int32_t plain = x.type == HONE_TYPE_DOUBLE ? 16 : 8;
  for (int32_t precision = 1;; ++precision) {
    Decimal decimal(number, precision);
    char text[longest + 1];
    Writer trial{text};
    decimal.write(trial, plain);
    text[trial.size] = 0;
    double back = reader.read(text, x.type);
    if (x.type == HONE_TYPE_FLOAT16)
      back = double(float(_Float16(back)));
    else if (x.type == HONE_TYPE_BFLOAT16)
      back = double(float(__bf16(back)));
    if (precision < 17 && back != number)
      continue;
    return decimal.write(writer, plain);
  }
}

void writeInteger(const Tensor &x, int64_t index, Writer &writer) {
  int64_t number = integerAt(x, index);
  if (x.type == HONE_TYPE_BOOL)
    return writer.put(number ? "1" : "0");
  if (isUnsigned(x.type) || number >= 0)
    return writer.put(uint64_t(number));
  writer.put('-');
  writer.put(0 - uint64_t(number));
}

bool isDigit(char c) { return c >= '0' && c <= '9'; }

/// Whether the text is `word`, ignoring case.
bool isWord(const char *text, size_t size, const char *word) {
  if (strlen(word) != size)
    return false;
  for (size_t i = 0; i < size; ++i)
    if ((text[i] | 0x20) != word[i])
      return false;
  return true;
}

/// The text of a possible number, without surrounding space.
struct Numeral {
  const char *data;
  size_t size;
  bool negative = false, whole = false; ///< whole: digits only

  explicit Numeral(const hone_string &text) : data(text.data), size(text.size) {
    while (size && isSpace(*data)) {
      ++data;
      --size;
    }
    while (size && isSpace(data[size - 1]))
      --size;
    if (size && (*data == '-' || *data == '+')) {
      negative = *data == '-';
      ++data;
      --size;
    }
  }

  /// Digits, a point, an exponent, in the usual order.
  bool isDecimal() {
    size_t at = 0, digits = 0;
    for (; at < size && isDigit(data[at]); ++at)
      ++digits;
    whole = at == size && digits;
    if (at < size && data[at] == '.')
      for (++at; at < size && isDigit(data[at]); ++at)
        ++digits;
    if (digits == 0)
      return false;
    if (at < size && (data[at] == 'e' || data[at] == 'E')) {
      ++at;
      if (at < size && (data[at] == '+' || data[at] == '-'))
        ++at;
      size_t first = at;
      while (at < size && isDigit(data[at]))
        ++at;
      if (at == first)
        return false;
    }
    return at == size;
  }

  /// The digits of an integer; saturates.
  uint64_t magnitude() const {
    uint64_t result = 0;
    for (size_t i = 0; i < size; ++i)
      if (__builtin_mul_overflow(result, 10u, &result) ||
          __builtin_add_overflow(result, unsigned(data[i] - '0'), &result))
        return UINT64_MAX;
    return result;
  }
};

void putWhole(const Tensor &result, int64_t index, const Numeral &numeral) {
  uint64_t magnitude = numeral.magnitude();
  auto bits = uint32_t(8 * result.width);
  if (isUnsigned(result.type)) {
    uint64_t top = UINT64_MAX >> (64 - bits);
    magnitude = numeral.negative ? 0 : magnitude < top ? magnitude : top;
  } else {
    uint64_t top = (UINT64_MAX >> (65 - bits)) + numeral.negative;
    magnitude = magnitude < top ? magnitude : top;
    magnitude = numeral.negative ? 0 - magnitude : magnitude;
  }
  putInteger(result, index, int64_t(magnitude));
}

/// False: not a number, or out of memory; `memory` tells which.
bool readNumber(Call &call, const hone_string &text, const Reader &reader,
                const Tensor &result, int64_t index) {
  Numeral numeral(text);
  double number;
  if (numeral.isDecimal()) {
    if (numeral.whole && isInteger(result.type) &&
        result.type != HONE_TYPE_BOOL) {
      putWhole(result, index, numeral);
      return true;
    }
    char few[128];
    Scratch<char> many(
        call, numeral.size < sizeof few ? 0 : int64_t(numeral.size) + 1);
    if (!many)
      return false;
    char *copy = numeral.size < sizeof few ? few : many.data();
    memcpy(copy, numeral.data, numeral.size);
    copy[numeral.size] = 0;
    number = reader.read(copy, result.type);
  } else if (isWord(numeral.data, numeral.size, "inf") ||
             isWord(numeral.data, numeral.size, "infinity")) {
    number = __builtin_inf();
  } else if (isWord(numeral.data, numeral.size, "nan")) {
    number = __builtin_nan("");
  } else if (result.type == HONE_TYPE_BOOL &&
             isWord(numeral.data, numeral.size, "true")) {
    number = 1;
  } else if (result.type == HONE_TYPE_BOOL &&
             isWord(numeral.data, numeral.size, "false")) {
    number = 0;
  } else {
    call.fail(HONE_BAD_VALUE, index);
    return false;
  }
  putFloating(result, index, numeral.negative ? -number : number);
  return true;
}

} // namespace

HONE_LIBRARY(string_from_number) {
  Tensor x = call.tensorOfType(0, call.option(0));
  if (!x)
    return call.status;
  if (!isNumber(x.type))
    return call.misuse(x.type);
  Tensor result = call.make(0, HONE_TYPE_STRING, x.rank, x.dims);
  if (!result)
    return call.status;
  auto *to = static_cast<char *>(call.allocate(x.count, longest));
  Reader reader;
  if (!to || !reader)
    return to ? call.fail(HONE_OUT_OF_MEMORY) : call.status;
  for (int64_t i = 0; i < x.count; ++i) {
    Writer writer{to};
    if (isFloating(x.type))
      writeFloating(x, i, reader, writer);
    else
      writeInteger(x, i, writer);
    result.as<hone_string>()[i] = {to, writer.size};
    to += writer.size;
  }
  return HONE_OK;
}

HONE_LIBRARY(string_to_number) {
  Tensor x = call.strings(0);
  int64_t type = call.option(0);
  if (!x)
    return call.status;
  if (!isNumber(type))
    return call.misuse(type);
  Tensor result = call.make(0, int32_t(type), x.rank, x.dims);
  if (!result)
    return call.status;
  Reader reader;
  if (!reader)
    return call.fail(HONE_OUT_OF_MEMORY);
  for (int64_t i = 0; i < x.count; ++i)
    if (!readNumber(call, x.as<hone_string>()[i], reader, result, i))
      return call.status;
  return HONE_OK;
}
